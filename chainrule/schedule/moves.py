"""Where an element of a moved array comes from: index arithmetic for the ops that only move.

`origins(node, index)` lists the places that element `index` of `node` may come from, each with the
conditions under which it does and may be read; the last one is what is left.

    y = pad(x) {low=(1,), high=(1,), value=0.0},  y[i]  ←  x[i − 1] if 0 ≤ i − 1 < n, else 0.0
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from chainrule.ir.node import Node
from chainrule.schedule.index import ZERO, Index, linear, unravel

Indices = tuple[Index, ...]


class Condition(NamedTuple):
    """low ≤ at < high"""

    at: Index
    low: int
    high: int

    @property
    def holds(self) -> bool | None:
        """Whether it is known to hold, or known not to."""
        low, high = self.at.bounds
        if low >= self.low and high < self.high:
            return True
        return False if high < self.low or low >= self.high else None


class Origin(NamedTuple):
    """Input number `source` at index `at` (or the number `fill` where there is no source), if all
    conditions hold.
    """

    source: int | None
    at: Indices
    conditions: tuple[Condition, ...] = ()
    fill: float = 0.0


Move = Callable[[Node, Indices], list[Origin]]


def aligned(index: Sequence[Index], shape: Sequence[int]) -> Indices:
    """The index into an array that is broadcast: aligned at the right, 0 on axes of size 1."""
    lead = len(index) - len(shape)
    return tuple(ZERO if n == 1 else i for i, n in zip(index[lead:], shape, strict=True))


def _reshape(node: Node, index: Indices) -> list[Origin]:
    return [Origin(0, reshaped(index, node.shape, node.inputs[0].shape))]


def reshaped(index: Indices, shape: Sequence[int], to: Sequence[int]) -> Indices:
    """The index of the same element under another shape, group of axes by group of axes."""
    out: list[Index] = []
    i = j = 0
    while i < len(shape) or j < len(to):
        a, b = i, j
        m = n = 1
        if i < len(shape):
            m, i = shape[i], i + 1
        if j < len(to):
            n, j = to[j], j + 1
        while m != n:  # the smallest groups with equally many elements
            if m < n:
                m, i = m * shape[i], i + 1
            else:
                n, j = n * to[j], j + 1
        if tuple(shape[a:i]) == tuple(to[b:j]):
            out.extend(index[a:i])
        else:
            out.extend(unravel(linear(index[a:i], shape[a:i]), to[b:j]))
    return tuple(ZERO if n == 1 else x for x, n in zip(out, to, strict=True))


def _permute(node: Node, index: Indices) -> list[Origin]:
    out: list[Index] = [ZERO] * len(index)
    for k, a in enumerate(node.attr("order")):
        out[a] = index[k]
    return [Origin(0, tuple(out))]


def _broadcast(node: Node, index: Indices) -> list[Origin]:
    return [Origin(0, aligned(index, node.inputs[0].shape))]


def _slice(node: Node, index: Indices) -> list[Origin]:
    at = zip(index, node.attr("start"), node.attr("step"), strict=True)
    return [Origin(0, tuple(i * s + a for i, a, s in at))]


def _diagonal(node: Node, index: Indices) -> list[Origin]:
    offset = node.attr("offset")
    i = index[-1]
    return [Origin(0, (*index[:-1], i + max(-offset, 0), i + max(offset, 0)))]


def _windows(node: Node, index: Indices) -> list[Origin]:
    n = len(node.attr("size"))
    lead, places, taps = index[: -2 * n], index[-2 * n : -n], index[-n:]
    moved = zip(places, taps, node.attr("stride"), node.attr("dilation"), strict=True)
    return [Origin(0, (*lead, *(o * s + k * d for o, k, s, d in moved)))]


def _pad(node: Node, index: Indices) -> list[Origin]:
    inside = tuple(i - a for i, a in zip(index, node.attr("low"), strict=True))
    within = tuple(Condition(i, 0, n) for i, n in zip(inside, node.inputs[0].shape, strict=True))
    return [Origin(0, inside, within), Origin(None, (), (), node.attr("value"))]


def _cat(node: Node, index: Indices) -> list[Origin]:
    axis, first = node.attr("axis"), 0
    out = []
    for k, x in enumerate(node.inputs):
        n = x.shape[axis]
        at = (*index[:axis], index[axis] - first, *index[axis + 1 :])
        out.append(Origin(k, at, (Condition(at[axis], 0, n),)))
        first += n
    return out


def _slice_update(node: Node, index: Indices) -> list[Origin]:
    part = node.inputs[1].shape
    at: list[Index] = []
    conditions: list[Condition] = []
    steps = zip(index, node.attr("start"), node.attr("step"), part, strict=True)
    for i, a, s, n in steps:
        far = (i - a) if s > 0 else (i * -1 + a)
        s = abs(s)
        if s > 1:
            conditions.append(Condition(far % s, 0, 1))
        # the quotient is asked for where `far` is not negative only
        conditions.append(Condition(far, 0, (n - 1) * s + 1 if n else 0))
        at.append(far // s)
    return [Origin(1, tuple(at), tuple(conditions)), Origin(0, index)]


def _diagonal_update(node: Node, index: Indices) -> list[Origin]:
    offset = node.attr("offset")
    i, j = index[-2] - max(-offset, 0), index[-1] - max(offset, 0)
    n = node.inputs[1].shape[-1]
    there = (Condition(i - j, 0, 1), Condition(i, 0, n))
    return [Origin(1, (*index[:-2], i), there), Origin(0, index)]


MOVES: dict[str, Move] = {
    "reshape": _reshape, "permute": _permute, "broadcast_to": _broadcast, "slice": _slice,
    "diagonal": _diagonal, "windows": _windows, "pad": _pad, "cat": _cat,
    "slice_update": _slice_update, "diagonal_update": _diagonal_update,
}  # fmt: skip


def origins(node: Node, index: Indices) -> list[Origin]:
    """Where the element may come from; what is known not to hold is left out, and nothing stands
    behind what is known to hold.
    """
    out = []
    for o in MOVES[node.op.name](node, index):
        known = [c.holds for c in o.conditions]
        if False in known:
            continue
        rest = tuple(c for c, k in zip(o.conditions, known, strict=True) if k is None)
        out.append(o._replace(conditions=rest))
        if not rest:
            break
    return out
