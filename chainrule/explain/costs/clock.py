"""How long each layer of a recorded model takes: every layer as a program of its own.

What belongs to a layer (its home in an `Account`) is cut out of the graph, compiled alone, and run
on the values that the layers before it have just computed, one layer after another, with as many
threads as programs always use; so caches hold what they would hold. The whole graph runs in every
round as well. The least of all rounds counts, as the best of all runs is the machine's peak: what
else the machine does only adds to a time, and on a busy one to most of them.

A layer alone writes its result to memory and the next one reads it; a whole program fuses layers,
so the sum over layers is more than what the whole takes. Layers are told apart by the former, a
step is judged by the latter.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from chainrule import compiler, config
from chainrule.explain.costs.account import Account, Home
from chainrule.ir.graph import substitute
from chainrule.ir.node import Node
from chainrule.ops import input as graph_input

Arrays = dict[Node, np.ndarray]
Runner = Callable[[Sequence[np.ndarray]], list[np.ndarray]]

#: Seconds that are measured in all, and rounds at least and at most.
BUDGET, FEWEST, MOST = 1.0, 3, 50


class Segment:
    """Values of one home that can be computed at once, from `sources` to `outputs`."""

    def __init__(self, home: Home, depth: int) -> None:
        self.home, self.depth = home, depth
        self.nodes: list[Node] = []
        self.before: set[Segment] = set()
        self.after: set[Segment] = set()
        self.sources: dict[Node, None] = {}
        self.outputs: dict[Node, None] = {}
        self.seconds: list[float] = []
        self.run: Runner | None = None

    def take(self, other: Segment) -> None:
        """Be one with another segment of the same home."""
        self.nodes += other.nodes
        for s in other.before:
            s.after.discard(other)
        for s in other.after:
            s.before.discard(other)
        for s in other.before - {self}:
            self.before.add(s)
            s.after.add(self)
        for s in other.after - {self}:
            self.after.add(s)
            s.before.add(self)


def segments(account: Account) -> list[Segment]:
    """The parts of a graph, in an order in which they can run."""
    depth: dict[Node, int] = {}
    found: dict[tuple[Home, int], Segment] = {}
    part: dict[Node, Segment] = {}
    for n in account.order:
        home = account.homes[n]
        solid = [r.source for r in account.readings[n] if r.source in depth]
        depth[n] = max((depth[s] + (account.homes[s] != home) for s in solid), default=0)
        here = part[n] = found.setdefault((home, depth[n]), Segment(home, depth[n]))
        here.nodes.append(n)
        for s in solid:
            if part[s] is not here:
                here.before.add(part[s])
                part[s].after.add(here)
    made = _ordered(_merged(list(found.values())))
    _connect(account, made)
    return [s for s in made if s.outputs]


def _merged(parts: list[Segment]) -> list[Segment]:
    """Segments of one home become one, unless another needs one of them and gives to the other."""
    kept: dict[Home, list[Segment]] = {}
    for s in sorted(parts, key=lambda s: s.depth):
        earlier = kept.setdefault(s.home, [])
        if earlier and not _leads(earlier[-1], s):
            earlier[-1].take(s)
        else:
            earlier.append(s)
    return [s for group in kept.values() for s in group]


def _leads(a: Segment, b: Segment) -> bool:
    """Whether another segment stands between two, either way."""
    return _reaches(a, b) or _reaches(b, a)


def _reaches(a: Segment, b: Segment) -> bool:
    stack, seen = [s for s in a.after if s is not b], {a}
    while stack:
        s = stack.pop()
        if s is b:
            return True
        if s not in seen:
            seen.add(s)
            stack.extend(s.after)
    return False


def _ordered(parts: list[Segment]) -> list[Segment]:
    left = {s: len(s.before) for s in parts}
    ready = [s for s in reversed(parts) if not left[s]]
    order = []
    while ready:
        s = ready.pop()
        order.append(s)
        for after in s.after:
            left[after] -= 1
            if not left[after]:
                ready.append(after)
    return order


def _connect(account: Account, parts: Sequence[Segment]) -> None:
    """What each segment reads from outside, and what others need of it."""
    part = {n: s for s in parts for n in s.nodes}
    for s in parts:
        for n in s.nodes:
            for r in account.readings[n]:
                if part.get(r.source) is not s:
                    s.sources[r.source] = None
                    if r.source in part:
                        part[r.source].outputs[r.source] = None
    for n in (*account.outputs, *account.gradients):
        source = account.source(n)
        if source in part:
            part[source].outputs[source] = None


def program(outputs: Sequence[Node]) -> Runner:
    """What runs a graph in the end, however it begins."""
    if config.backend == "llvm":
        run: Runner = compiler.native(outputs)
        return run
    return compiler.Program(outputs)


class Clock:
    """Runs an account's segments, and its whole graph, round by round.

    `arrays` are the values of the graph's inputs, `known` programs of segments that were made:
    equal layers share them. `whole` are the seconds of the whole graph, round by round.
    """

    def __init__(
        self,
        account: Account,
        arrays: Mapping[Node, np.ndarray],
        known: dict[tuple[Node, ...], Runner],
    ) -> None:
        self.account, self.arrays = account, arrays
        self.segments = segments(account)
        self.whole: list[float] = []
        for s in self.segments:
            inputs = {
                n: graph_input(index=k, shape=n.shape, dtype=n.dtype)
                for k, n in enumerate(s.sources)
            }
            outputs = substitute(list(s.outputs), inputs)
            if outputs not in known:
                known[outputs] = program(outputs)
            s.run = known[outputs]
        wanted = tuple(dict.fromkeys((*account.outputs, *account.gradients)))
        self.inputs = list(arrays)
        places = {
            n: graph_input(index=k, shape=n.shape, dtype=n.dtype) for k, n in enumerate(self.inputs)
        }
        self.all = program(tuple(dict.fromkeys(substitute(wanted, places))))
        self._last = {n: s for s in self.segments for n in s.sources}

    @property
    def plan(self) -> Any:
        """The plan of the whole program, where it is compiled."""
        return getattr(self.all, "plan", None)

    def round(self, keep: bool = True) -> None:
        """Run everything once. `keep`: the times count."""
        values = dict(self.arrays)
        given = [values[n] for n in self.inputs]
        began = time.perf_counter()
        self.all(given)
        if keep:
            self.whole.append(time.perf_counter() - began)
        for s in self.segments:
            given = [values[n] for n in s.sources]
            assert s.run is not None
            began = time.perf_counter()
            made = s.run(given)
            if keep:
                s.seconds.append(time.perf_counter() - began)
            values.update(zip(s.outputs, made, strict=True))
            for n in s.sources:
                if self._last[n] is s and n not in self.arrays:
                    del values[n]

    def times(self) -> dict[Home, float]:
        """Seconds of each home: the least of each of its segments."""
        found: dict[Home, float] = {}
        for s in self.segments:
            found[s.home] = found.get(s.home, 0.0) + min(s.seconds)
        return found


def measure(clocks: Sequence[Clock]) -> None:
    """Rounds of all clocks in turn, for as long as is worth it."""
    for clock in clocks:
        clock.round(keep=False)
    began, rounds = time.perf_counter(), 0
    while rounds < FEWEST or (rounds < MOST and time.perf_counter() - began < BUDGET):
        for clock in clocks:
            clock.round()
        rounds += 1
