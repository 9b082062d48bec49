"""What this machine can do at best: multiply-adds per second, and bytes from and to memory.

Two loops of nothing else, written here in LLVM IR, so that no compiler has to be installed:

    multiply-adds   independent accumulators (more than latency × units of any processor today), as
                    wide as the processor's vectors are
    memory          y = x · x + y over arrays that no cache holds: two numbers read, one written

Threads run them at once: ctypes lets go of the interpreter's lock. `measured()` takes a fifth of a
second, once in a process: shares of the peak are of these numbers.
"""

from __future__ import annotations

import ctypes
import functools
import threading
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

import llvmlite.binding as llvm
import numpy as np

from chainrule.backends.llvm.code import Function, Source, functions
from chainrule.backends.llvm.pool import pool

_ROUNDS = 1_000_000
#: Elements of each array that is read from memory, by all threads together: 64 MiB.
_ELEMENTS = 1 << 24


class Peak(NamedTuple):
    """What `threads` threads reach: operations (two for a multiply-add of float32 numbers) and
    bytes, each per second.
    """

    threads: int
    flops: float
    bandwidth: float

    @property
    def ridge(self) -> float:
        """Operations per byte, below which memory is what a kernel waits for."""
        return self.flops / self.bandwidth


_known: dict[int, Peak] = {}


def measured(threads: int | None = None, again: bool = False) -> Peak:
    """The peaks of this machine, measured at the first call. `threads`: as many as programs use.

    Something else that uses the machine at that moment makes them too low: measured `again`, the
    better ones count from then on.
    """
    n = pool.size if threads is None else threads
    old = _known.get(n)
    if old is None or again:
        new = Peak(n, multiply_adds(n, 25), bandwidth(n, 12))
        if old is not None:
            new = Peak(n, max(new.flops, old.flops), max(new.bandwidth, old.bandwidth))
        _known[n] = new
    return _known[n]


def shape() -> tuple[int, int]:
    """Lanes of a float32 vector, and accumulators that fit into the registers beside two others."""
    features = dict(llvm.get_host_cpu_features())
    if features.get("avx512f"):
        return 16, 24
    if features.get("fma") and features.get("avx2"):
        return 8, 12
    return 4, 24 if llvm.get_process_triple().startswith(("aarch64", "arm64")) else 12


def text(lanes: int, accumulators: int) -> str:
    """The loop: `a[i] = a[i] * x + y`, `n` times for every accumulator."""
    vector = f"<{lanes} x float>"
    each = range(accumulators)
    phis = "\n".join(f"  %a{i} = phi {vector} [ %x, %entry ], [ %b{i}, %loop ]" for i in each)
    steps = "\n".join(
        f"  %b{i} = call {vector} @llvm.fma.v{lanes}f32({vector} %a{i}, {vector} %x, {vector} %y)"
        for i in each
    )
    sums = "\n".join(
        f"  %s{i} = fadd {vector} {f'%s{i - 1}' if i else 'zeroinitializer'}, %b{i}" for i in each
    )
    return f"""
declare {vector} @llvm.fma.v{lanes}f32({vector}, {vector}, {vector})
define float @peak(i64 %n, float %one) {{
entry:
  %x0 = insertelement {vector} poison, float %one, i32 0
  %x = shufflevector {vector} %x0, {vector} poison, <{lanes} x i32> zeroinitializer
  %y = fmul {vector} %x, zeroinitializer
  br label %loop
loop:
  %i = phi i64 [ 0, %entry ], [ %next, %loop ]
{phis}
{steps}
  %next = add i64 %i, 1
  %more = icmp slt i64 %next, %n
  br i1 %more, label %loop, label %end
end:
{sums}
  %r = extractelement {vector} %s{accumulators - 1}, i32 0
  ret float %r
}}
"""


def stream_text(lanes: int) -> str:
    """The loop `y[i] = x[i] * x[i] + y[i]`, two vectors at a time."""
    vector = f"<{lanes} x float>"
    return f"""
define void @stream(ptr %x, ptr %y, i64 %n) {{
entry:
  br label %loop
loop:
  %i = phi i64 [ 0, %entry ], [ %next, %loop ]
  %j = add i64 %i, {lanes}
  %xi = getelementptr float, ptr %x, i64 %i
  %xj = getelementptr float, ptr %x, i64 %j
  %yi = getelementptr float, ptr %y, i64 %i
  %yj = getelementptr float, ptr %y, i64 %j
  %a0 = load {vector}, ptr %xi, align 4
  %a1 = load {vector}, ptr %xj, align 4
  %b0 = load {vector}, ptr %yi, align 4
  %b1 = load {vector}, ptr %yj, align 4
  %c0 = fmul {vector} %a0, %a0
  %c1 = fmul {vector} %a1, %a1
  %d0 = fadd {vector} %c0, %b0
  %d1 = fadd {vector} %c1, %b1
  store {vector} %d0, ptr %yi, align 4
  store {vector} %d1, ptr %yj, align 4
  %next = add i64 %i, {2 * lanes}
  %more = icmp slt i64 %next, %n
  br i1 %more, label %loop, label %end
end:
  ret void
}}
"""


@functools.cache
def _loops() -> tuple[Function, Function]:
    lanes, accumulators = shape()
    sources = [Source("peak", text(lanes, accumulators)), Source("stream", stream_text(lanes))]
    first, second = functions(sources)
    return first, second


def multiply_adds(threads: int = 1, times: int = 5) -> float:
    """Floating-point operations per second of the first loop: the best of some runs."""
    lanes, accumulators = shape()
    kind = ctypes.CFUNCTYPE(ctypes.c_float, ctypes.c_int64, ctypes.c_float)
    loop = kind(_loops()[0].address)
    seconds = _best([functools.partial(loop, _ROUNDS, 1.0)] * threads, times)
    return 2 * threads * _ROUNDS * lanes * accumulators / seconds


def bandwidth(threads: int = 1, times: int = 4) -> float:
    """Bytes per second of the second loop: the best of some runs."""
    kind = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64)
    loop = kind(_loops()[1].address)
    part = _ELEMENTS // threads // 64 * 64
    x, y = (np.zeros(part * threads, np.float32) for _ in range(2))
    y += 1.0  # pages that nobody has written to are not memory yet
    x += 1.0
    at = [(a.ctypes.data + 4 * part * i for a in (x, y)) for i in range(threads)]
    seconds = _best([functools.partial(loop, *places, part) for places in map(tuple, at)], times)
    return 3 * 4 * part * threads / seconds


def _best(calls: Sequence[Callable[[], object]], times: int) -> float:
    """Seconds until all of some calls are done, each in a thread: the least of some runs."""
    best = float("inf")
    for _ in range(times):
        workers = [threading.Thread(target=call) for call in calls[1:]]
        began = time.perf_counter()
        for worker in workers:
            worker.start()
        calls[0]()
        for worker in workers:
            worker.join()
        best = min(best, time.perf_counter() - began)
    return best


if __name__ == "__main__":
    print(f"{shape()[0]} lanes, {shape()[1]} accumulators")
    for threads in sorted({1, pool.size}):
        peak = measured(threads)
        print(
            f"{threads} thread(s): {peak.flops / 1e9:.0f} GFLOP/s, {peak.bandwidth / 1e9:.1f} GB/s"
        )
