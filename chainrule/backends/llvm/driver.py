"""What runs a program: LLVM IR of ours (`driver.ll`), compiled and kept like a kernel.

A *kernel* is `void @NAME(ptr addresses, ptr args, ptr work, i64 lo, i64 hi)`. It runs iterations
lo ≤ i < hi of its outer loop, and any split into ranges gives the same bits.

A *step* is {kernel, args, iterations}. A program's steps are put into *units*, the things that are
claimed: one step in chunks of `grain` iterations, or several steps in a row that one thread runs
(small ones, each waiting for the one before). Units are put into *segments*: a unit that depends on
something unfinished begins a new one, and is entered when all of the segment before is done.

**Work is claimed, not dealt.** Each thread walks over the units and takes chunks until none is
left: first from its own part of the range (so that it meets again what its cache holds), then from
the others' parts. A thread that comes late, or never, or is put aside by the system, takes fewer;
nobody waits for it, unless it holds a chunk. The caller is thread 0 and goes through everything,
so that a program needs no worker. Units of one chunk are left to the caller; a worker takes one if
the caller has not come within `patience`.

**Generations.** A counter holds generation << 20 | next chunk. Claiming is a compare-exchange, so
a worker left over from an earlier run finds a newer generation (or that run's counter at its end)
and takes nothing. It may still *read* the earlier program's units: `state` says which generation a
worker is in, and memory is given back only when no worker is inside (`pool.py`). What a run hands
to its workers lies in the control block, which the next run overwrites: they read it between two
looks at the generation, and take it only if both agree.

The generation is odd while a program runs. 43 bits of it last for 240 days of one run per µs.
"""

from __future__ import annotations

import ctypes
import functools
import pathlib
import platform
import sys
from string import Template

import numpy as np

from chainrule.backends.llvm.code import Function, Source, functions
from chainrule.backends.llvm.target import Target, host
from chainrule.errors import DeviceError

#: Words of 8 bytes. Things that different threads write lie 128 bytes apart.
LINE = 16
#: The control block: what a pool and its threads share.
CONTROL = {
    "generation": 0,
    # what a run hands to its workers
    "job": LINE,
    "threads": LINE + 1,
    "counters": LINE + 2,
    "stride": LINE + 3,
    "work": LINE + 4,
    "work_stride": LINE + 5,
    # what the pool has: read by the caller only
    "arena": 2 * LINE,
    "arena_bytes": 2 * LINE + 1,
    "work_bytes": 2 * LINE + 2,
    "own_work": 2 * LINE + 3,
    "size": 2 * LINE + 4,
    "own_counters": 2 * LINE + 5,
    "units": 2 * LINE + 6,
    # how long, in ticks: waiting before yielding; leaving single chunks to the caller; idling
    # before yielding; idling before parking
    "spin": 3 * LINE,
    "patience": 3 * LINE + 1,
    "awake": 3 * LINE + 2,
    "idle": 3 * LINE + 3,
    "futex": 3 * LINE + 4,
    "stop": 3 * LINE + 5,
    "parked": 4 * LINE,
    "state": 5 * LINE,  # one line for each thread
}
#: A prepared program: what one run needs.
JOB = {
    "units": 0,
    "unit_count": 1,
    "steps": 2,
    "step_count": 3,
    "table": 4,
    "array_count": 5,
    "offsets": 6,
    "offset_count": 7,
    "base": 8,
    "arena_bytes": 9,
    "work_bytes": 10,
    "parallel": 11,
    "total": 12,
    "crowd": 13,  # how many workers could find something to do
}
#: A unit. `before`: chunks of the segment that must be done first, or 0 to flow on.
UNIT = {"first": 0, "steps": 1, "iterations": 2, "grain": 3, "chunks": 4, "before": 5}
UNIT_WORDS = 8
STEP_WORDS = 3
#: Chunks that a counter can count to.
MOST_CHUNKS = 1 << 20
#: `run` did nothing: memory or threads have to be provided first.
UNPREPARED = -(1 << 63)
#: What `serve` says: the pool is closed, or the thread should sleep until it is woken.
STOPPED, SLEEPY = 0, 1
#: Words of the status buffer, slot 0 of every table: a code, and details.
STATUS_WORDS = 8

_FUTEX_CALLS = {"x86_64": 202, "aarch64": 98}


_FUTEX = r"""
declare i64 @syscall(i64, ...)

; Sleeps as long as the generation is %value, until somebody wakes us.
define internal void @sleep(ptr %control, i64 %value) nounwind {
  %low = and i64 %value, 4294967295
  %r = call i64 (i64, ...) @syscall(i64 $call, ptr %control, i64 $futex_wait, i64 %low, ptr null,
                                    ptr null, i64 0)
  ret void
}

define internal void @wake(ptr %control, i64 %most) nounwind {
  %parked = getelementptr i64, ptr %control, i64 $parked
  %sleepers = load atomic i64, ptr %parked seq_cst, align 8
  %none = icmp eq i64 %sleepers, 0
  br i1 %none, label %end, label %call
call:
  %r = call i64 (i64, ...) @syscall(i64 $call, ptr %control, i64 $futex_wake, i64 %most,
                                    ptr null, ptr null, i64 0)
  br label %end
end:
  ret void
}
"""

_NO_FUTEX = r"""
define internal void @sleep(ptr %control, i64 %value) nounwind {
  ret void
}
define internal void @wake(ptr %control, i64 %most) nounwind {
  ret void
}
"""


#: Object layouts that `run` reads: where a tuple's items begin, and where a NumPy array
#: keeps the address of its data (public in NumPy's C interface, right after the object's head).
_TUPLE_ITEMS, _ARRAY_DATA = tuple.__basicsize__, object.__basicsize__


class Driver:
    """The compiled driver, as functions that Python calls with the interpreter lock released."""

    def __init__(self, code: Function) -> None:
        self._code = code
        word, pointer = ctypes.c_int64, ctypes.c_void_p
        run, serve, halt, woken, ticks = (word * 5).from_address(code.address)
        #: run(control, job, tuple of arrays) → status
        self.run = ctypes.CFUNCTYPE(word, pointer, pointer, ctypes.py_object)(run)
        #: serve(control, thread) → STOPPED or SLEEPY
        self.serve = ctypes.CFUNCTYPE(word, pointer, word)(serve)
        self.halt = ctypes.CFUNCTYPE(None, pointer)(halt)
        self.woken = ctypes.CFUNCTYPE(None, pointer)(woken)
        self.ticks = ctypes.CFUNCTYPE(word)(ticks)


@functools.cache
def driver() -> Driver:
    """The driver for this machine, compiled when first asked for. It stays for good."""
    _check_layouts()
    text = driver_text(host(), futex=sleeps_natively())
    (code,) = functions([Source("chainrule_driver", text)])
    return Driver(code)


def sleeps_natively() -> bool:
    """Whether a worker can sleep without coming back to Python: Linux, with a known call number."""
    return sys.platform == "linux" and platform.machine() in _FUTEX_CALLS


def driver_text(target: Target, futex: bool) -> str:
    """The driver's LLVM IR for a target: `driver.ll`, filled in."""
    text = pathlib.Path(__file__).with_suffix(".ll").read_text(encoding="utf-8")
    arm = target.triple.startswith(("aarch64", "arm64"))
    words: dict[str, int | str] = {**CONTROL, **{f"job_{k}": v for k, v in JOB.items()}}
    words |= {f"unit_{k}": v for k, v in UNIT.items()}
    pause, ticks = "llvm.donothing()", "llvm.readcyclecounter()"
    if arm:  # its `yield` is no operation on the cores that we know
        pause = "llvm.aarch64.isb(i32 15)"
        ticks = 'llvm.read_volatile_register.i64(metadata !{!"cntvct_el0"})'
    elif target.triple.startswith("x86_64"):
        pause = "llvm.x86.sse2.pause()"
    words |= {
        "pause": pause,
        "pause_type": pause.replace(" 15", ""),
        "ticks": ticks,
        "ticks_type": ticks.partition(" !")[0].rstrip(")") + ")",
        "call": _FUTEX_CALLS["aarch64" if arm else "x86_64"],
        "futex_wait": 128,  # FUTEX_WAIT and FUTEX_WAKE among the threads of one process
        "futex_wake": 129,
        "line": LINE,
        "most_chunks": MOST_CHUNKS,
        "chunk_bits": MOST_CHUNKS.bit_length() - 1,
        "step_words": STEP_WORDS,
        "unit_words": UNIT_WORDS,
        "unprepared": UNPREPARED,
        "stopped": STOPPED,
        "sleepy": SLEEPY,
        "tuple_items": _TUPLE_ITEMS,
        "array_data": _ARRAY_DATA,
        "yielding": "SwitchToThread" if sys.platform == "win32" else "sched_yield",
    }
    sleeping = Template(_FUTEX if futex else _NO_FUTEX).substitute(words)
    return Template(text).substitute(words, sleeping=sleeping)


def _check_layouts() -> None:
    array = np.zeros(3)
    items = (array,)
    seen = ctypes.c_void_p.from_address(id(items) + _TUPLE_ITEMS).value
    if seen != id(array) or (
        ctypes.c_void_p.from_address(id(array) + _ARRAY_DATA).value != array.ctypes.data
    ):
        raise DeviceError(
            f"{platform.python_implementation()} {platform.python_version()} lays out tuples or "
            f"arrays in a way that the compiled backend does not know: use CPython and NumPy 2"
        )
