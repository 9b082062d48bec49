"""A graph of primitives as an executable: kernels are lowered and compiled, planned when the first
run says which inputs are given away, and run.

    build(outputs)  →  Executable;  Executable(arrays, donated)  →  values

Kernels that no lowering takes are host steps: the reference backend computes them between native
programs.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from operator import itemgetter
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from chainrule.backends import reference
from chainrule.backends.llvm.code import Function, Source, functions
from chainrule.backends.llvm.emit import emit, work_bytes
from chainrule.backends.llvm.pool import pool
from chainrule.backends.llvm.program import CheckError, NativeProgram, Step
from chainrule.backends.llvm.target import host
from chainrule.errors import Interrupted
from chainrule.ir.graph import topological
from chainrule.ir.node import Node
from chainrule.rewrite.fuse import Fused, fuse
from chainrule.rewrite.homes import is_leaf
from chainrule.schedule.evaluate import GATHER, INDEX, SCATTER, Unsupported
from chainrule.schedule.loops import Kernel
from chainrule.schedule.lower import is_known, lower
from chainrule.schedule.plan import HostStep, NativeStep, Plan, Slot, Work, plan

_NOTHING: Mapping[int, int] = MappingProxyType({})
_CHECKS = {INDEX: "index", GATHER: "gather", SCATTER: "scatter"}
#: C-contiguous and aligned, as bits of `ndarray.flags.num`.
_PLAIN = 0x101


class Report(NamedTuple):
    """What building took: for the log."""

    kernels: int
    known: int
    host: tuple[str, ...]
    compiled: int
    found: int
    fuse: float
    lower: float
    compile: float


class _Code(NamedTuple):
    """Machine code of a kernel. `kernel` is held so that its id stays its own."""

    kernel: Kernel
    function: Function
    work: int


_codes: dict[int, _Code] = {}
_REMEMBERED = 8192


def build(outputs: Sequence[Node]) -> Executable:
    """Kernels of a graph of primitives, compiled."""
    started = time.perf_counter()
    kernels = fuse(outputs)
    fused = time.perf_counter()
    known = sum(is_known(k, host()) for k in kernels)
    works: list[Work] = []
    spent = [0.0]
    codes = _compiled(_lowered(kernels, works, spent))
    end = time.perf_counter()
    made = [c.function for c in codes.values()]
    compiled = sum(f.origin == "compiled" for f in made)
    missing = tuple(w.fused.graph.outputs[0].op.name for w in works if w.lowered is None)
    report = Report(
        len(kernels), known, missing, compiled, len(made) - compiled,
        fused - started, spent[0], end - fused - spent[0],
    )  # fmt: skip
    return Executable(outputs, works, codes, report)


def planned(outputs: Sequence[Node]) -> Plan:
    """The plan of a graph of primitives, for a run that gives nothing away; nothing is compiled."""
    works: list[Work] = []
    for _ in _lowered(fuse(outputs), works, [0.0]):
        pass
    return plan(works, [o for o in outputs if not is_leaf(o)])


def _lowered(kernels: Sequence[Fused], works: list[Work], spent: list[float]) -> Iterator[Kernel]:
    """Loop IR kernels, as they are made."""
    for k in kernels:
        start = time.perf_counter()
        try:
            low = lower(k, host())
        except Unsupported:
            low = None
        works.append(Work(k, low))
        spent[0] += time.perf_counter() - start
        if low is not None:
            for step in low.steps:
                yield step.kernel


def _compiled(kernels: Iterator[Kernel]) -> dict[int, _Code]:
    """Code for kernels, by their ids."""
    codes: dict[int, _Code] = {}
    fresh: list[Kernel] = []

    def sources() -> Iterator[Source]:
        for k in kernels:
            known = _codes.get(id(k))
            if known is not None:
                codes[id(k)] = known
            elif id(k) not in codes:
                codes[id(k)] = _PENDING
                fresh.append(k)
                yield Source(k.name, emit(k, host()))

    for k, function in zip_late(functions(sources()), fresh):
        if len(_codes) >= _REMEMBERED:
            del _codes[next(iter(_codes))]
        codes[id(k)] = _codes[id(k)] = _Code(k, function, work_bytes(k))
    return codes


def zip_late(made: list[Function], kernels: list[Kernel]) -> Iterator[tuple[Kernel, Function]]:
    """Pairs; `kernels` is complete only when all functions are there."""
    return zip(kernels, made, strict=True)


_PENDING: Any = None


class Executable:
    """What runs: input arrays in, output arrays out."""

    __slots__ = (
        "_donated", "_given", "_make", "_outputs", "_plain", "_program", "_run", "_works", "codes",
        "inputs", "outputs", "plans", "report",
    )  # fmt: skip

    def __init__(
        self,
        outputs: Sequence[Node],
        works: Sequence[Work],
        codes: dict[int, _Code],
        report: Report,
    ) -> None:
        self.outputs, self._works, self.codes, self.report = tuple(outputs), works, codes, report
        self.inputs = {n.attr("index"): n for n in topological(outputs) if n.op.name == "input"}
        self.plans: dict[frozenset[tuple[int, int]], _Runner] = {}
        self._donated: Mapping[int, int] | None = None
        self._plain: reference.Executable | None = None
        self._run: Callable[..., list[np.ndarray]] | None = None

    def __call__(
        self, arrays: Sequence[np.ndarray], donated: Mapping[int, int] = _NOTHING
    ) -> list[np.ndarray]:
        """Values of the outputs; `arrays[k]` is input number k. donated[i] = k: output i may be
        written into arrays[k].
        """
        if donated != self._donated:
            self._prepare(donated)
        assert self._run is not None
        try:
            return self._run(arrays)
        except CheckError as e:
            self._by_reference(arrays)  # which finds the same, and says it in its own words
            what, (index, n, *_) = _CHECKS.get(e.code, "index"), e.details
            raise IndexError(
                f"{what}: index {index} is out of range for an axis of size {n}"
            ) from None

    def _prepare(self, donated: Mapping[int, int]) -> None:
        key = frozenset(donated.items())
        runner = self.plans.get(key)
        if runner is None:
            pairs = {
                self.outputs[i]: self.inputs[k] for i, k in donated.items() if k in self.inputs
            }
            made = plan(self._works, [o for o in self.outputs if not is_leaf(o)], pairs)
            if len(self.plans) >= 8:
                self.plans.clear()
            runner = self.plans[key] = _Runner(self.outputs, made, self.codes)
        self._donated, self._run = dict(donated), runner.run

    def _by_reference(self, arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
        if self._plain is None:
            self._plain = reference.build(self.outputs)
        with np.errstate(all="ignore"):
            return [np.array(v, order="C") for v in self._plain(arrays)]

    @property
    def plan(self) -> Plan:
        """The plan of the last run; without one, that of a run that gives nothing away."""
        if self._donated is None:
            self._prepare(_NOTHING)
        return next(r for r in self.plans.values() if r.run == self._run).plan


class _Runner:
    """A plan with its native programs."""

    def __init__(self, outputs: Sequence[Node], made: Plan, codes: dict[int, _Code]) -> None:
        self.plan = made
        place = {n: i for i, n in enumerate(made.arrays)}
        #: Arrays of one run, in the order of the plan: which input, or shape and type of a new one.
        self.used = [n.attr("index") for n in made.arrays if n.op.name == "input"]
        self.take = _taker(self.used)
        inputs = [i for i, n in enumerate(made.arrays) if n.op.name == "input"]
        self.new = [(n.shape, n.dtype.np) for n in made.arrays if n.op.name != "input"]
        fresh = [i for i, n in enumerate(made.arrays) if n.op.name != "input"]
        #: Constants that a loop starts with: array of the run, value.
        self.constants = [
            (len(inputs) + k, made.arrays[i].attr("value"))
            for k, i in enumerate(fresh)
            if made.arrays[i].op.name == "const"
        ]
        #: Array of the plan → array of the run: inputs first, then new ones, then views.
        self.at = {i: k for k, i in enumerate([*inputs, *fresh])}
        self.views: dict[Slot, int] = {}
        self.parts: list[NativeProgram | tuple[HostStep, reference.Executable]] = []
        self._split(made, codes)
        self.simple = (
            len(self.parts) == 1 and isinstance(self.parts[0], NativeProgram) and not self.views
        )
        #: For each output: which array of the run, or what it is a copy of.
        self.results: list[tuple[int, Node | None]] = []
        seen: set[int] = set()
        for o in outputs:
            if is_leaf(o):
                self.results.append((-1, o))
                continue
            node = made.reused.get(o, o)
            k = self.at[place[node]]
            self.results.append((k, o if k in seen else None))
            seen.add(k)
        self.plain = all(copy is None for _, copy in self.results)
        self.order = [k for k, _ in self.results]

    def _split(self, made: Plan, codes: dict[int, _Code]) -> None:
        """Native steps in a row become programs."""
        views: dict[Slot, int] = {}
        for step in made.steps:  # places inside arrays need addresses of their own
            if isinstance(step, NativeStep):
                for a in step.args:
                    if isinstance(a, Slot) and a.array >= 0 and a.offset and a not in views:
                        views[a] = len(self.at) + len(views)
        self.views = views
        arrays = len(self.at) + len(views)
        run: list[NativeStep] = []
        ends: list[NativeStep | HostStep | None] = [*made.steps, None]
        for s in ends:
            if isinstance(s, NativeStep):
                run.append(s)
                continue
            if run:
                self.parts.append(self._program(run, codes, arrays, made.arena))
                run = []
            if s is not None:
                self.parts.append((s, reference.build(s.fused.graph.outputs)))

    def _program(
        self, steps: Sequence[NativeStep], codes: dict[int, _Code], arrays: int, arena: int
    ) -> NativeProgram:
        offsets: dict[int, int] = {}
        made, work = [], 0
        for s in steps:
            code = codes[id(s.kernel)]
            slots = []
            for a in s.args:
                if not isinstance(a, Slot):
                    slots.append(a)
                elif a.array < 0:
                    slots.append(1 + arrays + offsets.setdefault(a.offset, len(offsets)))
                else:
                    slots.append(1 + (self.views[a] if a.offset else self.at[a.array]))
            made.append(Step(code.function, tuple(slots), (), s.extent, s.grain, s.wait))
            work = max(work, code.work)
        return NativeProgram(made, arrays, tuple(offsets), (), arena, work)

    def run(self, arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
        given: tuple[np.ndarray, ...] = self.take(arrays)
        for a in given:
            if a.flags.num & _PLAIN != _PLAIN:
                given = tuple(_plain(a) for a in given)
                break
        empty = np.empty
        values = (*given, *[empty(shape, dtype) for shape, dtype in self.new])
        for k, value in self.constants:
            values[k].fill(value)
        if self.simple:
            self._native(self.parts[0], values, arrays)
        else:
            values = self._mixed(values, arrays)
        if self.plain:
            return [values[k] for k in self.order]
        return self._results(values, arrays)

    def _native(
        self, program: Any, values: tuple[np.ndarray, ...], arrays: Sequence[np.ndarray]
    ) -> None:
        if not self.plan.reused:
            program.run(values)
            return
        with pool.lock:
            program.begin()
            try:
                program.run(values)
            except KeyboardInterrupt:  # before the call, or after it
                if program.begun:
                    raise Interrupted(self._results(values, arrays)) from None
                raise

    def _mixed(
        self, values: tuple[np.ndarray, ...], arrays: Sequence[np.ndarray]
    ) -> tuple[np.ndarray, ...]:
        now = list(values)
        with pool.lock:  # the arena is ours between programs, too
            for part in self.parts:
                if isinstance(part, NativeProgram):
                    shown = [_bytes_from(now[self.at[s.array]], s.offset) for s in self.views]
                    part.run((*now, *shown))
                    continue
                step, executable = part
                with np.errstate(all="ignore"):
                    out = executable([now[self.at[i]] for i in step.reads])
                for i, v in zip(step.makes, out, strict=True):
                    now[self.at[i]] = np.array(v, order="C", copy=None if v.base is None else True)
        return tuple(now)

    def _results(
        self, values: Sequence[np.ndarray], arrays: Sequence[np.ndarray]
    ) -> list[np.ndarray]:
        out = []
        for k, copy in self.results:
            if copy is None:
                out.append(values[k])
            elif copy.op.name == "input":
                out.append(np.array(arrays[copy.attr("index")], order="C", copy=True))
            elif copy.op.name == "const":
                out.append(np.array(copy.attr("value"), copy.dtype.np))
            else:
                out.append(values[k].copy())
        return out


def _taker(used: Sequence[int]) -> Callable[[Sequence[np.ndarray]], tuple[np.ndarray, ...]]:
    if len(used) > 1:
        return itemgetter(*used)
    if used:
        (k,) = used
        return lambda arrays: (arrays[k],)
    return lambda arrays: ()


def _plain(a: np.ndarray) -> np.ndarray:
    return a if a.flags.num & _PLAIN == _PLAIN else np.array(a, order="C", copy=True)


def _bytes_from(a: np.ndarray, offset: int) -> np.ndarray:
    return a.reshape(-1).view(np.uint8)[offset:]
