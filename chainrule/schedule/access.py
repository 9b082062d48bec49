"""Which memory a value reads, and how the places move with the loops: a walk like the evaluator's
that writes nothing. It tells which loop has neighbours in memory (the one to make vectors of), and
which loops can be one.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from typing import NamedTuple

from chainrule.ir.node import Node
from chainrule.rewrite.axes import reduced_axes
from chainrule.schedule.index import ZERO, Index, linear, unravel
from chainrule.schedule.loops import Type, Value
from chainrule.schedule.moves import MOVES, Condition, Indices, aligned, origins


class Loaded(NamedTuple):
    """An index that comes out of memory: it depends on a loop, but not linearly."""

    whole: Index
    bounds: tuple[int, int]


class Reads(NamedTuple):
    """Positions that are read, the conditions that are asked, and the reductions on the way."""

    places: list[tuple[Node, Index]]
    conditions: list[Condition]
    reductions: list[tuple[Node, Indices]]

    def stride(self, variable: Value) -> list[int | None]:
        """How far each read moves with a loop; None: not evenly."""
        return [at.coefficient(variable) for _, at in self.places]

    def linear_in(self, variable: Value) -> bool:
        """Whether the loop is as good as the two or more that it stands for."""
        asked = [c.at.coefficient(variable) for c in self.conditions]
        return None not in self.stride(variable) and None not in asked

    def score(self, variable: Value) -> int:
        """How well vectors along a loop would read: neighbours, one for all, or scattered."""
        return sum({1: 2, 0: 0}.get(-1 if s is None else s, -3) for s in self.stride(variable))


def probe(size: int) -> Value:
    """A loop variable that stands for none in particular."""
    return Value("variable", (), (), Type("i64"), 1, (0, max(size - 1, 0)))


def reads(node: Node, index: Indices, stop: Collection[Node]) -> Reads:
    """What `node` at `index` reads of the nodes in `stop`."""
    found = Reads([], [], [])
    seen: set[tuple[Node, Indices]] = set()
    stack = [(node, index)]
    while stack:
        n, at = stack.pop()
        if (n, at) in seen:
            continue
        seen.add((n, at))
        if n in stop:
            found.places.append((n, linear(at, n.shape)))
            continue
        name = n.op.name
        if name in MOVES:
            for o in origins(n, at):
                found.conditions.extend(o.conditions)
                if o.source is not None:
                    stack.append((n.inputs[o.source], o.at))
        elif name == "take":
            x, i = n.inputs
            axis, rank = n.attr("axis"), len(i.shape)
            which = aligned(at[axis : axis + rank], i.shape)
            stack.append((i, which))
            row = _loaded(which, i.shape, x.shape[axis])
            stack.append((x, (*at[:axis], row, *at[axis + rank :])))
        elif name == "take_along" and n.inputs[1].shape:
            x, i = n.inputs
            axis = n.attr("axis")
            stack.append((i, at))
            row = _loaded(at, i.shape, x.shape[axis])
            stack.append((x, (*at[:axis], row, *at[axis + 1 :])))
        elif (axes := reduced_axes(n)) is not None:
            found.reductions.append((n, at))
            stack.append((n.inputs[0], opened(n, at, axes)))
        elif name == "contract":
            found.reductions.append((n, at))
            left, out = n.attr("spec").split("->")
            place = dict(zip(out, at, strict=True))
            for letters, x in zip(left.split(","), n.inputs, strict=True):
                stack.append((x, tuple(place.get(c, ZERO) for c in letters)))
        elif name == "unwindows":
            k = len(n.attr("shape"))
            moved = zip(at[-k:], n.attr("stride"), strict=True)
            stack.append((n.inputs[0], (*at[:-k], *(i // s for i, s in moved), *(ZERO,) * k)))
        else:
            stack.extend(
                (i, aligned(at, i.shape)) for i in n.inputs if n.op.name != "random_uniform"
            )
    return found


def _loaded(at: Indices, shape: Sequence[int], n: int) -> Index:
    return Index(0, ((Loaded(linear(at, shape), (0, max(n - 1, 0))), 1),))  # type: ignore[arg-type]  # an atom for this walk only


def opened(node: Node, index: Indices, axes: Sequence[int]) -> Indices:
    """The index into a reduction's operand, 0 on the reduced axes."""
    rest = list(index)
    if len(rest) != len(node.inputs[0].shape):
        for a in sorted(axes):
            rest.insert(a, ZERO)
    return tuple(ZERO if a in axes else i for a, i in enumerate(rest))


def merged(
    x: Node, base: Indices, axes: Sequence[int], stop: Collection[Node]
) -> list[tuple[int, ...]]:
    """Neighbouring axes among `axes` that can be one loop, as groups."""
    groups: list[tuple[int, ...]] = []
    for a in sorted(axes):
        if groups and groups[-1][-1] == a - 1:
            wider = (*groups[-1], a)
            if mergeable(x, base, wider, stop):
                groups[-1] = wider
                continue
        groups.append((a,))
    return groups


def mergeable(x: Node, base: Indices, axes: Sequence[int], stop: Collection[Node]) -> bool:
    """Whether one loop over all of `axes` reads as evenly as a loop for each."""
    sizes = [x.shape[a] for a in axes]
    if sum(n > 1 for n in sizes) < 2:
        return True
    v = probe(math.prod(sizes))
    return reads(x, placed(base, axes, Index.of(v), sizes), stop).linear_in(v)


def placed(base: Indices, axes: Sequence[int], at: Index, sizes: Sequence[int]) -> Indices:
    """`base`, with one index spread over some axes."""
    whole = list(base)
    for a, i in zip(axes, unravel(at, sizes), strict=True):
        whole[a] = i
    return tuple(whole)


def fastest(
    x: Node, base: Indices, groups: Sequence[Sequence[int]], stop: Collection[Node]
) -> int | None:
    """Which group of axes has its elements next to each other in memory, if one has."""
    best, most = None, -1
    for k, group in enumerate(groups):
        sizes = [x.shape[a] for a in group]
        if math.prod(sizes) == 1:
            continue
        v = probe(math.prod(sizes))
        score = reads(x, placed(base, group, Index.of(v), sizes), stop).score(v)
        if score >= max(most, 0):
            best, most = k, score
    return best
