"""A prepared program: steps, the table of their buffers' addresses, and one native call to run.

table:  0            the status buffer
        1 …          the arrays given to `run`: inputs and outputs, in the caller's order
        then         temporaries, at their offsets in the arena
        then         constants, which the program keeps
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from sys import is_finalizing
from typing import NamedTuple

import numpy as np

from chainrule.backends.llvm.code import Function
from chainrule.backends.llvm.driver import (
    JOB,
    MOST_CHUNKS,
    STATUS_WORDS,
    STEP_WORDS,
    UNIT_WORDS,
    UNPREPARED,
    driver,
    sleeps_natively,
)
from chainrule.backends.llvm.pool import address_of, aligned_words, pool
from chainrule.errors import ChainruleError

#: More chunks than this are not worth their claiming; the grain is then made coarser.
_FINE = 1 << 14
#: A status that no kernel leaves.
_NOT_BEGUN = -1


class CheckError(ChainruleError):
    """A kernel's run-time check has failed: `code` says which one, `details` what it saw.

    Steps after the failed one were not run.
    """

    def __init__(self, code: int, details: tuple[int, ...]) -> None:
        super().__init__(f"a run-time check failed: code {code}, details {details}")
        self.code = code
        self.details = details


class Step(NamedTuple):
    """One kernel with its buffers and its loop."""

    function: Function
    #: The table's slots of its buffers, then integer parameters: what the kernel finds in `args`.
    slots: tuple[int, ...]
    numbers: tuple[int, ...] = ()
    #: Iterations of the outer loop, and how many are claimed at once (0: all).
    iterations: int = 1
    grain: int = 0
    #: Whether it needs what an earlier step of the program computes and no wait since has covered.
    wait: bool = True


class Unit(NamedTuple):
    """What is claimed: see `driver.py`."""

    first: int
    steps: int
    iterations: int
    grain: int
    chunks: int
    before: int


class NativeProgram:
    """Steps that run as one.

    `arrays` is the number of arrays given to `run`; `offsets` are the temporaries' places in the
    arena, `arena_bytes` its size; `constants` are kept. `work_bytes` is the scratch memory that the
    hungriest kernel wants for each thread. Never changes once made: for another run-time length
    make another one from the same functions.
    """

    __slots__ = (
        "_bury",
        "_call",
        "_constants",
        "_count",
        "_job",
        "_needs",
        "_status",
        "_wakes",
        "_words",
        "steps",
        "units",
    )

    def __init__(
        self,
        steps: Sequence[Step],
        arrays: int,
        offsets: Sequence[int] = (),
        constants: Sequence[np.ndarray] = (),
        arena_bytes: int = 0,
        work_bytes: int = 0,
    ) -> None:
        self.steps = tuple(s for s in _without_empty(steps))
        self.units, total = plan(self.steps)
        parallel = any(u.chunks > 1 for u in self.units)
        units = self.units if parallel else ()
        self._constants = tuple(constants)
        self._count = arrays
        self._needs = (arena_bytes, work_bytes, len(units))
        fixed = [address_of(c) for c in self._constants]
        args = [(*s.slots, *s.numbers) for s in self.steps]

        layout = _Layout()
        job = layout.place(len(JOB))
        unit_at = layout.place(UNIT_WORDS * len(units))
        step_at = layout.place(STEP_WORDS * len(self.steps))
        args_at = [layout.place(len(a), apart=False) for a in args]
        offsets_at = layout.place(len(offsets))
        table = layout.place(1 + arrays + len(offsets) + len(fixed))
        status = layout.place(STATUS_WORDS)
        self._words = words = aligned_words(layout.size)
        start = address_of(words)

        for i, unit in enumerate(units):
            at = unit_at + UNIT_WORDS * i
            words[at : at + len(unit)] = unit
        for i, (step, at) in enumerate(zip(self.steps, args_at, strict=True)):
            words[at : at + len(args[i])] = args[i]
            here = step_at + STEP_WORDS * i
            words[here : here + 3] = step.function.address, start + 8 * at, step.iterations
        words[offsets_at : offsets_at + len(offsets)] = offsets
        words[table] = start + 8 * status
        first_fixed = table + 1 + arrays + len(offsets)
        words[first_fixed : first_fixed + len(fixed)] = fixed
        for name, value in (
            ("units", start + 8 * unit_at),
            ("unit_count", len(units)),
            ("steps", start + 8 * step_at),
            ("step_count", len(self.steps)),
            ("table", start + 8 * table),
            ("array_count", arrays),
            ("offsets", start + 8 * offsets_at),
            ("offset_count", len(offsets)),
            ("base", 0),
            ("arena_bytes", arena_bytes),
            ("work_bytes", work_bytes),
            ("parallel", int(parallel)),
            ("total", total),
            ("crowd", max((u.chunks for u in units), default=1) - 1),
        ):
            words[job + JOB[name]] = value
        self._job = start + 8 * job
        self._status = words[status : status + STATUS_WORDS]
        self._call = driver().run
        self._wakes = parallel and not sleeps_natively()
        self._bury = pool.bury

    def run(self, arrays: tuple[np.ndarray, ...]) -> None:
        """Run all steps on `arrays`: as many as promised, each of the shape, dtype and (contiguous)
        layout that the kernels were written for. Nothing of that is checked here.

        Raises `CheckError` if a kernel's check fails, `MemoryError` if there is no memory for
        temporaries.
        """
        if len(arrays) != self._count:
            raise TypeError(f"{len(arrays)} arrays came, {self._count} were expected")
        with pool.lock:
            if self._wakes:
                pool.wake()
            status = self._call(pool.control, self._job, arrays)
            if status:
                self._settle(status, arrays)

    def begin(self) -> None:
        """From here on `begun` says whether `run` has come as far as the kernels."""
        self._status[0] = _NOT_BEGUN

    @property
    def begun(self) -> bool:
        """Whether the kernels were started since `begin`."""
        return bool(self._status[0] != _NOT_BEGUN)

    def _settle(self, status: int, arrays: tuple[np.ndarray, ...]) -> None:
        while status == UNPREPARED:
            if pool.changing:
                status = pool.aside(self._call, self._job, arrays, self._needs)
            else:
                pool.provide(*self._needs)
                status = self._call(pool.control, self._job, arrays)
        if status:
            raise CheckError(status, tuple(int(d) for d in self._status[1:]))

    def __del__(self, ending: Callable[[], bool] = is_finalizing) -> None:
        # At the end no worker is left, and names of this module may be gone already.
        if not ending() and hasattr(self, "_bury"):
            self._bury(self._words)


def plan(steps: Sequence[Step]) -> tuple[tuple[Unit, ...], int]:
    """The units of a program, and the number of chunks in its last segment.

    Single chunks that wait for each other become one unit: handing them over would cost more than
    they do. The last of them leaves it again if a step follows that need not wait for it, but does
    need those before.
    """
    units: list[Unit] = []
    segment = 0  # units in the segment
    total = 0  # chunks in the segment
    for number, step in enumerate(steps):
        grain = max(step.grain or step.iterations, -(-step.iterations // _FINE))
        chunks = -(-step.iterations // grain)
        waits = step.wait or total + chunks >= MOST_CHUNKS
        alone = segment == 1 and units[-1].chunks == 1
        if waits and alone and chunks == 1:
            units[-1] = units[-1]._replace(steps=units[-1].steps + 1)
            continue
        if not waits and alone and units[-1].steps > 1:
            row = units.pop()
            units.append(row._replace(steps=row.steps - 1))
            units.append(Unit(number - 1, 1, steps[number - 1].iterations, 0, 1, before=1))
        before = total if waits else 0
        if before:
            segment = total = 0
        units.append(Unit(number, 1, step.iterations, grain, chunks, before))
        segment += 1
        total += chunks
    return tuple(units), total


def _without_empty(steps: Sequence[Step]) -> list[Step]:
    """Steps that have something to do; what an empty one waits for, the next one does."""
    kept: list[Step] = []
    waits = False
    for step in steps:
        if step.iterations > 0:
            kept.append(step._replace(wait=step.wait or waits))
            waits = False
        else:
            waits = waits or step.wait
    return kept


class _Layout:
    """Places in one block of words; each piece begins a cache line, unless it may share one."""

    def __init__(self) -> None:
        self.size = 0

    def place(self, count: int, apart: bool = True) -> int:
        if apart:
            self.size = -(-self.size // 8) * 8
        place = self.size
        self.size += count
        return place
