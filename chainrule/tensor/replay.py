"""A step that is the same each time can be run again without being recorded again.

Recording a step of fifty operations takes Python some hundred microseconds, and finds in the end
the program that it found the last time. A loop that promises to do the same at each step (Keras's
`fit` does: it traces a step once) may keep what was recorded:

    trace = fresh()                              nothing waits: the step will be a trace of its own
    …                                            record
    step = take(trace, given, numbers, owned)    in place of nothing; then flush as ever
    …
    step.run(given, numbers)                     the same again, with other data

What a step reads is one of: the tensors that it is given (a batch), numbers by name (a learning
rate), the states of random streams, tensors that stay (weights). It writes tensors that stay, and
may give results. Whatever else it would read makes `take` answer None.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from sys import getrefcount
from typing import Any, NamedTuple

import numpy as np

from chainrule import config
from chainrule.ir.node import Node
from chainrule.runtime import programs
from chainrule.runtime.random import STREAMS, Generator, stream
from chainrule.shapes import size
from chainrule.tensor.finite import SMALL, Noted, Run, check, is_finite, names_of, run_looked
from chainrule.tensor.handle import Step as View
from chainrule.tensor.handle import Tensor, from_array
from chainrule.tensor.trace import (
    _ALONE,
    _TWICE,
    Storage,
    Trace,
    _forget,
    _roots,
    _settle_all,
    state,
)

#: Values of at most this many elements are compared to tell whether they are the same each time.
_COMPARED = 4096


class _Given(NamedTuple):
    """A tensor of the batch, or a view of one."""

    which: int
    chain: tuple[View, ...]

    def array(self, given: Sequence[Any], numbers: Mapping[Any, float]) -> np.ndarray:
        return _seen(given[self.which]._view(), self.chain)


class _Number(NamedTuple):
    """A number by its name."""

    name: Any
    dtype: np.dtype

    def array(self, given: Sequence[Any], numbers: Mapping[Any, float]) -> np.ndarray:
        return np.array(numbers[self.name], self.dtype)


class _Random(NamedTuple):
    """The state of a stream, of which the step uses up some counters."""

    generator: Generator
    counters: int

    def array(self, given: Sequence[Any], numbers: Mapping[Any, float]) -> np.ndarray:
        start = self.generator.advance(self.counters)
        return np.array([self.generator.key, start], np.int64)


class _Kept(NamedTuple):
    """A tensor that stays. (Not its storage: that may be replaced by another.)"""

    tensor: Tensor

    @property
    def storage(self) -> Storage:
        return self.tensor.storage

    def array(self, given: Sequence[Any], numbers: Mapping[Any, float]) -> Any:
        return self.tensor.storage.array


class _Constant(NamedTuple):
    """What nobody writes to, or a view of it: a table, or a number made at each step alike."""

    storage: Storage
    chain: tuple[View, ...]

    def array(self, given: Sequence[Any], numbers: Mapping[Any, float]) -> np.ndarray:
        return _seen(self.storage.array, self.chain)

    def same_as(self, other: _Constant) -> bool:
        if self.storage is other.storage or self.chain != other.chain:
            return self.chain == other.chain
        a, b = self.storage.array, other.storage.array
        if a is None or b is None or a.size > _COMPARED or a.shape != b.shape:
            return False
        return a.dtype == b.dtype and a.tobytes() == b.tobytes()


_Source = _Given | _Number | _Random | _Kept | _Constant


def _same_source(a: _Source, b: _Source) -> bool:
    if isinstance(a, _Constant) and isinstance(b, _Constant):
        return a.same_as(b)
    if isinstance(a, _Kept) and isinstance(b, _Kept):
        return a.tensor is b.tensor
    return type(a) is type(b) and a == b


def _identical(a: Sequence[Any], b: Sequence[Any]) -> bool:
    return len(a) == len(b) and all(x is y for x, y in zip(a, b, strict=True))


def _seen(array: Any, chain: tuple[View, ...]) -> np.ndarray:
    for op, attrs in chain:
        assert op.reference is not None
        array = op.reference(array, **dict(attrs))
    return array


class Step:
    """A recorded step: what it reads, the nodes that it computes, and where their values go."""

    def __init__(
        self,
        sources: tuple[_Source, ...],
        wanted: tuple[Node, ...],
        kept: tuple[Tensor, ...],
        results: int,
        noted: Noted | None = None,
    ) -> None:
        self.sources, self.wanted, self.kept, self.results = sources, wanted, kept, results
        self._noted = noted
        self._stored = [s for s in sources if isinstance(s, _Kept | _Constant)]
        places = {id(s.tensor): i for i, s in enumerate(sources) if isinstance(s, _Kept)}
        #: Which outputs replace which inputs: such an input's memory may be written into.
        self._in_place = [(i, places[id(t)], t) for i, t in enumerate(kept) if id(t) in places]

    def same_as(self, other: Step) -> bool:
        """Whether two recordings are of one step: the same is read, computed and written."""
        return (
            self.results == other.results
            and _identical(self.wanted, other.wanted)
            and _identical(self.kept, other.kept)
            and len(self.sources) == len(other.sources)
            and all(map(_same_source, self.sources, other.sources))
        )

    def ready(self, given: Sequence[Any]) -> bool:
        """Whether nothing that it reads waits to be computed; else it has to be recorded."""
        trace = state.trace
        return not (
            trace.arrays
            or trace.storages
            or config.eager
            or any(t.storage.trace is not None for t in given if t is not None)
            or any(s.storage.trace is not None for s in self._stored)
        )

    def run(self, given: Sequence[Any], numbers: Mapping[Any, float]) -> list[Tensor]:
        """Run it with these data; the results."""
        arrays = [source.array(given, numbers) for source in self.sources]
        donated: dict[int, int] = {}
        for output, place, tensor in self._in_place:
            old = tensor.storage.array  # held by its storage and by the list, or it stays as it is
            if getrefcount(old) == _TWICE and not tensor.storage.exported and old.flags.writeable:  # type: ignore[union-attr]  # `ready` has seen it
                donated[output] = place
        interrupt: programs.Interrupted | None = None
        try:
            if config.nan_guard:
                values = self._guarded(arrays, donated)
            else:
                values = programs.run(self.wanted, arrays, donated)
        except programs.Interrupted as e:  # what was donated has its new value already
            values, interrupt = e.values, e
        storages = [tensor.storage for tensor in self.kept]
        try:
            _settle_all(storages, values)
        except BaseException:  # a signal
            _settle_all(storages, values)
            raise
        for storage in storages:
            storage.version += 1
        if interrupt is not None:
            raise KeyboardInterrupt from interrupt
        return [from_array(value) for value in values[len(storages) :]]

    def _guarded(
        self, arrays: Sequence[np.ndarray], donated: Mapping[int, int]
    ) -> list[np.ndarray]:
        """The values; an error where one is not finite, before anything is written."""
        # What is not finite about an optimiser's state is so about its parameter.
        looked = [
            i for i, node in enumerate(self.wanted)
            if size(node.shape) <= SMALL or i >= len(self.kept) or self.kept[i].level
        ]  # fmt: skip
        values, fine = run_looked(self.wanted, looked, arrays, donated)
        if fine:
            return values
        bad = [i for i in looked if not is_finite(values[i])]
        names = names_of([] if self._noted is None else self._noted.roots())

        def name(i: int) -> str:
            source = self.sources[i]
            if isinstance(source, _Given):
                return "the batch"
            stays = source.storage if isinstance(source, _Kept) else None
            return names.get(id(stays), "")

        def reached(i: int) -> str:
            if i < len(self.kept):
                return names.get(id(self.kept[i].storage), "a state (such as the mean loss)")
            return "a number (such as a loss)"

        error = check(Run(self.wanted, arrays, self._noted, name), bad, reached, forgives=False)
        if error is not None:
            raise error
        return values


def fresh() -> Trace | None:
    """The trace in which a step will be recorded by itself; None where something waits already."""
    trace = state.trace
    return None if trace.arrays or trace.storages else trace


def take(
    trace: Trace | None,
    given: Sequence[Any],
    numbers: Mapping[Any, Tensor],
    owned: Sequence[Tensor],
    results: Sequence[Tensor] = (),
) -> Step | None:
    """What was recorded since `fresh`, before it is computed; None where it cannot be run again.

    `given` are the data, `numbers` the tensors that numbers were made into, `owned` the tensors
    that stay, `results` what is wanted besides.
    """
    if trace is None or trace is not state.trace or trace.closed or trace.watched:
        return None
    _forget(trace)
    if _roots(trace):
        return None
    data = {id(t.storage): i for i, t in enumerate(given) if isinstance(t, Tensor)}
    named = {id(t.storage): name for name, t in numbers.items()}
    stays = {id(t.storage): t for t in owned if not t.chain}
    random = _random_inputs(trace)
    sources: list[_Source] = []
    for (t, _, node, _, _, storage), array in zip(trace.bound, trace.arrays, strict=True):
        if t is None or storage is None:
            # A random stream, or a Python number that was another one in another step.
            sources.append(random.get(node, _Constant(Storage(array, None, None), ())))
            continue
        place = id(storage)
        if place in data:
            before = len(given[data[place]].chain)
            sources.append(_Given(data[place], t.chain[before:]))
        elif place in named:
            sources.append(_Number(named[place], array.dtype))
        elif place in stays and not t.chain:
            sources.append(_Kept(stays[place]))
        elif place in stays:
            return None
        else:
            sources.append(_Constant(storage, t.chain))
    wanted: list[Node] = []
    kept: list[Tensor] = []
    at_end = {id(t.storage) for t in results}
    for s in trace.storages:
        if s.trace is not trace or getrefcount(s) <= _ALONE:
            continue
        assert s.node is not None
        if id(s) in stays:
            kept.append(stays[id(s)])
            wanted.append(s.node)
        elif id(s) not in at_end:
            return None
    for t in results:
        if t.storage.trace is not trace or t.chain or t.storage.node is None:
            return None
        wanted.append(t.storage.node)
    noted = trace.values if isinstance(trace.values, Noted) else None
    return Step(tuple(sources), tuple(wanted), tuple(kept), len(results), noted)


def _random_inputs(trace: Trace) -> dict[Node, _Random]:
    """The inputs that are states of streams that stay, and what was taken from each."""
    ours = set(map(stream, STREAMS))
    return {
        node: _Random(generator, counters)
        for node, (generator, key, counters) in trace.states.items()
        if (generator.lasting or generator in ours) and key == generator.key
    }
