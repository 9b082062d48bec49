"""The threads that run programs: one pool for the process.

Workers are Python threads that stay inside a native call (`driver.py`), without the interpreter
lock. A worker that has nothing to do watches for the next program for a third of a millisecond,
then sleeps until it is woken. None is started before a program needs it.

One program runs at a time; further callers wait at `Pool.lock`. It is re-entrant: a signal handler
or a finaliser may run a program whenever Python lets it, because nothing of a run is prepared
outside the one native call that runs it. If Python lets it while threads are started or memory is
fetched, its program finds nothing prepared and runs aside: on one thread, in memory of its own.
"""

from __future__ import annotations

import atexit
import functools
import os
import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from chainrule.backends.llvm import cores
from chainrule.backends.llvm.arena import Arena, Block, keep_freed_memory
from chainrule.backends.llvm.driver import (
    CONTROL,
    LINE,
    MOST_CHUNKS,
    STOPPED,
    driver,
    sleeps_natively,
)

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
        keep_freed_memory()
        self.arena = Arena("a program's temporaries")
        self._control = aligned_words(CONTROL["state"] + LINE * MOST_THREADS)
        self.control = address_of(self._control)
        self._state = self._control[CONTROL["state"] :: LINE]
        self._scratch: Block | None = None
        self._work_bytes = 0  # of one thread
        self._counters = aligned_words(0)
        self._room = 0  # units that there are counters for
        self._workers: dict[int, tuple[threading.Thread, threading.Event]] = {}
        self._graves: list[object] = []
        self._size: int | None = None
        self._native_sleep = sleeps_natively()
        #: Whether threads or memory are being changed (by the thread that holds the lock).
        self.changing = False

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
            if self.changing:
                raise RuntimeError("the number of threads cannot change while they are started")
            self._stop()
            self._size = min(size, MOST_THREADS)

    # --- what a program needs ---------------------------------------------------------------------

    def provide(self, arena_bytes: int, work_bytes: int, units: int) -> None:
        """Have memory and threads for a program; called when `run` finds that something is missing.

        `units` is 0 for a program that stays on one thread. Raises `MemoryError`; everything stays
        usable.
        """
        with self.lock:
            try:
                self._withdraw()
                self.arena.reserve(arena_bytes)
                if units:
                    self._start()
                if units > self._room:
                    self._make_counters(units)
                if work_bytes > self._work_bytes:
                    self._make_scratch(work_bytes)
            finally:
                self._publish()

    def aside(
        self,
        run: Callable[..., int],
        job: int,
        arrays: tuple[np.ndarray, ...],
        needs: tuple[int, ...],
    ) -> int:
        """Run a program while the pool is `changing`: on one thread, in memory of its own."""
        arena_bytes, work_bytes, _ = needs
        words = aligned_words(CONTROL["state"])
        arena = Block(max(arena_bytes, 1), "a program's temporaries")
        work = Block(max(work_bytes, 1), "a program's scratch memory")
        try:
            for name, value in {
                "arena": arena.address,
                "arena_bytes": arena.nbytes,
                "own_work": work.address,
                "work_bytes": work.nbytes,
                "size": 1,
                "units": MOST_CHUNKS,
            }.items():
                words[CONTROL[name]] = value
            return run(address_of(words), job, arrays)
        finally:
            arena.close()
            work.close()

    def release(self) -> None:
        """Give the arena and the scratch memory back to the system, until a program asks again."""
        with self.lock:
            if self.changing:
                return
            try:
                self._withdraw()
                self.arena.release()
                self._drop_scratch()
            finally:
                self._publish()

    def _withdraw(self) -> None:
        """From here to `_publish`, a program that wants anything finds nothing prepared."""
        self.changing = True
        self._put(units=0, arena_bytes=0, work_bytes=0)

    def _publish(self) -> None:
        """Offer what is there. Each size comes after the address that it belongs to."""
        scratch = self._scratch.address if self._scratch else 0
        self._put(arena=self.arena.base, own_work=scratch, size=1 + len(self._workers))
        self._put(own_counters=address_of(self._counters))
        self._put(arena_bytes=self.arena.nbytes, work_bytes=self._work_bytes, units=self._room)
        self.changing = False

    def _make_scratch(self, work_bytes: int) -> None:
        self._drop_scratch()
        each = -(-work_bytes // 4096) * 4096
        self._scratch = Block(each * self.size, "the threads' scratch memory")
        self._work_bytes = each

    def _drop_scratch(self) -> None:
        self._work_bytes = 0
        if self._scratch:
            self._scratch.close()
            self._scratch = None

    def _make_counters(self, units: int) -> None:
        room = -(-units // 256) * 256
        self.bury(self._counters)
        self._counters = aligned_words((self.size + 1) * room)
        self._room = room

    # --- threads ----------------------------------------------------------------------------------

    def _start(self) -> None:
        """Start the workers. Where the system gives no more threads, those we have must do."""
        if self._room:  # since the last `_stop` they were
            return
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
            if number in self._workers:  # starting was interrupted, and goes on here
                continue
            bell = threading.Event()
            thread = threading.Thread(
                target=_work,
                args=(native, self.control, number, bell),
                name=f"chainrule-{number}",
                daemon=True,
            )
            self._workers[number] = thread, bell
            try:
                thread.start()
            except RuntimeError:
                del self._workers[number]
                break

    def _stop(self) -> None:
        """End the workers; the next program on several threads starts them again."""
        try:
            self._withdraw()
            if self._workers:
                driver().halt(self.control)
            for _, bell in self._workers.values():
                bell.set()
            for number, (thread, _) in list(self._workers.items()):
                if thread.ident is not None:  # starting it was not interrupted
                    thread.join()
                del self._workers[number]
            self._graves.clear()
        finally:
            self._room = 0  # counters and scratch memory are made for a number of threads
            self._drop_scratch()
            self._publish()

    def wake(self) -> None:
        """Wake sleeping workers, on systems where the driver cannot."""
        if self._get("parked"):
            for _, bell in self._workers.values():
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
