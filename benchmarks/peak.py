"""The multiply-add peak of this machine: what a loop of nothing else reaches, in operations per s.

The loop is LLVM IR, written here and compiled by llvmlite, so that no compiler has to be installed:
independent accumulators (more than latency × units of any processor today), as wide as the
processor's vectors are. Threads run it at once: ctypes lets go of the interpreter's lock.
"""

from __future__ import annotations

import ctypes
import threading
import time

import llvmlite.binding as llvm

_ROUNDS = 2_000_000


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


class Peak:
    """Compiled once; `measure(threads)` as often as one likes."""

    def __init__(self) -> None:
        llvm.initialize_native_target()
        llvm.initialize_native_asmprinter()
        self.lanes, self.accumulators = shape()
        machine = llvm.Target.from_default_triple().create_target_machine(
            cpu=llvm.get_host_cpu_name(), features=llvm.get_host_cpu_features().flatten(), opt=3
        )
        module = llvm.parse_assembly(text(self.lanes, self.accumulators))
        self._engine = llvm.create_mcjit_compiler(module, machine)  # it owns the code
        self._engine.finalize_object()
        kind = ctypes.CFUNCTYPE(ctypes.c_float, ctypes.c_int64, ctypes.c_float)
        self._loop = kind(self._engine.get_function_address("peak"))

    def measure(self, threads: int = 1, times: int = 5) -> float:
        """The best of some runs."""
        best = 0.0
        for _ in range(times):
            workers = [
                threading.Thread(target=self._loop, args=(_ROUNDS, 1.0)) for _ in range(threads - 1)
            ]
            began = time.perf_counter()
            for worker in workers:
                worker.start()
            self._loop(_ROUNDS, 1.0)
            for worker in workers:
                worker.join()
            seconds = time.perf_counter() - began
            best = max(best, 2 * threads * _ROUNDS * self.lanes * self.accumulators / seconds)
        return best


if __name__ == "__main__":
    peak = Peak()
    print(f"{peak.lanes} lanes, {peak.accumulators} accumulators")
    for threads in (1, 2):
        print(f"{threads} thread(s): {peak.measure(threads) / 1e9:.0f} GFLOP/s")
