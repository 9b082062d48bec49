"""The threads that run programs: one pool for the process.

Workers are Python threads that stay inside a native call (`driver.py`), without the interpreter
lock. A worker that has nothing to do watches for the next program for a third of a millisecond,
then sleeps until it is woken. None is started before a program needs it.

One program runs at a time; further callers wait at `Pool.lock`. It is re-entrant: a signal handler
or a finaliser may run a program whenever Python lets it, because nothing of a run is prepared
outside the one native call that runs it.
"""

from __future__ import annotations

import atexit
import functools
import os
import threading
import time
from typing import Any

import numpy as np

from chainrule.backends.llvm import cores
from chainrule.backends.llvm.arena import Arena, Block
from chainrule.backends.llvm.driver import CONTROL, LINE, STOPPED, driver, sleeps_natively

MOST_THREADS = 512

#: µs. Waiting for others before giving the core away; leaving a single chunk to the caller; idling
#: before giving the core away; idling before sleeping.
_SPIN, _PATIENCE, _AWAKE, _IDLE = 20.0, 5.0, 20.0, 300.0


class Pool:
    """Threads, and the memory that they share.

    Its control block (`driver.CONTROL`) stays where it is for the life of the process.
    """

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.arena = Arena("a program's temporaries")
        self._control = aligned_words(CONTROL["state"] + LINE * MOST_THREADS)
        self.control = address_of(self._control)
        self._state = self._control[CONTROL["state"] :: LINE]
        self._scratch: Block | None = None
        self._counters = aligned_words(0)
        self._threads: list[threading.Thread] = []
        self._bells: list[threading.Event] = []
        self._graves: list[object] = []
        self._size: int | None = None
        self._native_sleep = sleeps_natively()

    # --- how many ---------------------------------------------------------------------------------

    @property
    def size(self) -> int:
        """Threads that a program runs on, the caller among them."""
        if self._size is None:
            self._size = min(cores.asked(), MOST_THREADS)
        return self._size

    def resize(self, size: int) -> None:
        """Run programs on `size` threads from the next one on."""
        if size < 1:
            raise ValueError(f"a program needs at least one thread, not {size}")
        with self.lock:
            self._stop()
            self._size = min(size, MOST_THREADS)

    # --- what a program needs ---------------------------------------------------------------------

    def provide(self, arena_bytes: int, work_bytes: int, units: int) -> None:
        """Have memory and threads for a program; called when `run` finds that something is missing.

        `units` is 0 for a program that stays on one thread. Raises `MemoryError`; everything stays
        usable.
        """
        with self.lock:
            if arena_bytes > self.arena.nbytes:
                self._put(arena=0, arena_bytes=0)
                self.arena.reserve(arena_bytes)
                self._put(arena=self.arena.base, arena_bytes=self.arena.nbytes)
            if units and not self._get("units"):
                self._start()
            if units > self._get("units"):
                self._make_counters(units)
            if work_bytes > self._get("work_bytes"):
                self._make_scratch(work_bytes)

    def release(self) -> None:
        """Give the arena and the scratch memory back to the system, until a program asks again."""
        with self.lock:
            self._put(arena=0, arena_bytes=0)
            self.arena.release()
            self._drop_scratch()

    def _make_scratch(self, work_bytes: int) -> None:
        self._drop_scratch()
        each = -(-work_bytes // 4096) * 4096
        self._scratch = Block(each * self.size, "the threads' scratch memory")
        self._put(own_work=self._scratch.address, work_bytes=each)

    def _drop_scratch(self) -> None:
        self._put(own_work=0, work_bytes=0)
        if self._scratch:
            self._scratch.close()
            self._scratch = None

    def _make_counters(self, units: int) -> None:
        room = -(-units // 256) * 256
        self.bury(self._counters)
        self._counters = aligned_words((self.size + 1) * room)
        self._put(own_counters=address_of(self._counters), units=room)

    # --- threads ----------------------------------------------------------------------------------

    def _start(self) -> None:
        """Start the workers. Where the system gives no more threads, those we have must do."""
        native = driver()
        us = _ticks_per_us()
        fits = self.size <= cores.available()
        self._put(
            stop=0,
            futex=int(self._native_sleep),
            spin=int(us * (_SPIN if fits else 0.0)),
            patience=int(us * (_PATIENCE if fits else 4 * _PATIENCE)),
            awake=int(us * (_AWAKE if fits else 0.0)),
            idle=int(us * (_IDLE if fits else _IDLE / 4)),
        )
        for number in range(1, self.size):
            bell = threading.Event()
            thread = threading.Thread(
                target=_work,
                args=(native, self.control, number, bell),
                name=f"chainrule-{number}",
                daemon=True,
            )
            try:
                thread.start()
            except RuntimeError:
                break
            self._threads.append(thread)
            self._bells.append(bell)
        self._put(size=len(self._threads) + 1)

    def _stop(self) -> None:
        """End the workers; the next program on several threads starts them again."""
        if self._threads:
            driver().halt(self.control)
            for bell in self._bells:
                bell.set()
            for thread in self._threads:
                thread.join()
            self._threads.clear()
            self._bells.clear()
        self._graves.clear()
        # Counters and scratch memory are made for a number of threads.
        self._put(units=0, size=0)
        self._drop_scratch()

    def wake(self) -> None:
        """Wake sleeping workers, on systems where the driver cannot."""
        if self._get("parked"):
            for bell in self._bells:
                bell.set()

    # --- memory that workers may still be reading -------------------------------------------------

    def bury(self, memory: object) -> None:
        """Let go of what an ended program's workers read, once none of them is on its way."""
        self._graves.append(memory)
        if not self._state.any():
            self._graves.clear()

    # --- words of the control block ---------------------------------------------------------------

    def _get(self, name: str) -> int:
        return int(self._control[CONTROL[name]])

    def _put(self, **words: int) -> None:
        for name, value in words.items():
            self._control[CONTROL[name]] = value

    # --- the process's life -----------------------------------------------------------------------

    def before_fork(self) -> None:
        """A child has no threads but the one that forks: let it find none."""
        self.lock.acquire()
        self._stop()

    def after_fork(self) -> None:
        self.lock.release()

    def at_exit(self) -> None:
        if self.lock.acquire(timeout=1.0):
            self._stop()
            self.lock.release()


def _work(native: Any, control: int, number: int, bell: threading.Event) -> None:
    while native.serve(control, number) != STOPPED:
        bell.wait()
        bell.clear()
        native.woken(control)


@functools.cache
def _ticks_per_us() -> float:
    """How fast the processor's counter runs."""
    ticks = driver().ticks
    first, begun = ticks(), time.perf_counter_ns()
    while time.perf_counter_ns() - begun < 200_000:
        pass
    last, ended = ticks(), time.perf_counter_ns()
    return max(1.0, (last - first) / ((ended - begun) / 1000))


def aligned_words(count: int) -> np.ndarray:
    """`count` zeros of 8 bytes, beginning with a cache line and the one after it."""
    words = np.zeros(count + LINE, np.int64)
    skip = (-address_of(words) // 8) % LINE
    return words[skip : skip + count]


def address_of(array: np.ndarray) -> int:
    return int(array.__array_interface__["data"][0])


pool = Pool()


def get_num_threads() -> int:
    """How many threads programs run on."""
    return pool.size


def set_num_threads(number: int) -> None:
    """Run programs on `number` threads. Results do not depend on it."""
    pool.resize(number)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=pool.before_fork,
        after_in_parent=pool.after_fork,
        after_in_child=pool.after_fork,
    )
atexit.register(pool.at_exit)
