"""Windows that are added back become convolutions: the gradient of one in its input, and the
transposed one.

    p = contract(g, w){spec='noxy,ocuv->ncxyuv'}
    y = slice(unwindows(p){shape=(H, W), stride=(1, 1)})
      →
    q = windows(pad(g)){size=(U, V)}
    y = contract(q, flip(w)){spec='noxyuv,ocuv->ncxy'}

Before, every window is stored and then added where it came from, which moves U · V times as much as
the result holds. Afterwards it is a product that reads windows, and only the part that the slice
keeps is computed. With stride s each axis falls into s phases, i mod s: the result of a phase meets
every s-th tap only, and is a convolution with stride 1. The phases are interleaved. What would
multiply mostly zeros (a large kernel on a small image) stays as it is.

needs   primitives
leaves  no unwindows of a product, but for those; factors that many places meet, in the order of the
        product (`copy`)
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import NamedTuple

from chainrule.ir.node import Node
from chainrule.ops.contract import contract
from chainrule.ops.elementwise import copy
from chainrule.ops.movement import (
    flip,
    full,
    interleave,
    narrow,
    pad,
    permute,
    reshape,
    slice,
    windows,
)  # fmt: skip
from chainrule.rewrite.walk import rewrite

#: Factors that so many places meet are worth bringing into order first.
_REUSED = 32
#: A convolution may multiply so many times as often as the windows that are added back.
_WORTH = 2.5


def convolve(outputs: Sequence[Node]) -> list[Node]:
    """The pass."""
    return rewrite(rewrite(outputs, _slice), _whole)


def _whole(node: Node) -> Node | None:
    if node.op.name != "unwindows":
        return None
    return _convolution(node, tuple((0, n) for n in node.attr("shape")))


def _slice(node: Node) -> Node | None:
    """A slice of the last axes only, perhaps of a reshape of the others."""
    if node.op.name != "slice":
        return None
    inner = node.inputs[0]
    x = inner.inputs[0] if inner.op.name == "reshape" else inner
    if x.op.name != "unwindows":
        return None
    n = len(x.attr("shape"))
    start, stop, step = node.attr("start"), node.attr("stop"), node.attr("step")
    lead = inner.shape[:-n]
    kept = tuple(start[:-n]) == (0,) * len(lead) and tuple(stop[:-n]) == lead
    if inner.shape[-n:] != x.shape[-n:] or not kept or any(s != 1 for s in step):
        return None
    made = _convolution(x, tuple(zip(start[-n:], stop[-n:], strict=True)))
    return None if made is None else reshape(made, shape=node.shape)


class _Product(NamedTuple):
    """contract(g, w): letters of both and of the result; `places` are in g, `taps` in w."""

    g: Node
    w: Node
    of_g: str
    of_w: str
    out: str
    places: str
    taps: str


def _product(node: Node, n: int) -> _Product | None:
    if node.op.name != "contract":
        return None
    left, out = node.attr("spec").split("->")
    a, b = left.split(",")
    places, taps = out[-2 * n : -n], out[-n:]
    for (g, of_g), (w, of_w) in (
        ((node.inputs[0], a), (node.inputs[1], b)),
        ((node.inputs[1], b), (node.inputs[0], a)),
    ):
        in_g = all(c in of_g and c not in of_w for c in places)
        in_w = all(c in of_w and c not in of_g for c in taps)
        if in_g and in_w:
            return _Product(g, w, of_g, of_w, out, places, taps)
    return None


class _Phase(NamedTuple):
    """Every s-th place of one axis. It meets taps first, first + every, … (so many), and reads g
    with `low` zeros before it (a negative number: without so many elements), `dilation` apart.
    """

    first: int
    every: int
    taps: int
    low: int
    dilation: int


def _phase(at: int, stride: int, dilation: int, size: int) -> _Phase | None:
    """The phase of places at, at + stride, …; None where no tap meets it."""
    met = [u for u in range(size) if (at - u * dilation) % stride == 0]
    if not met:
        return None
    common = math.gcd(stride, dilation)
    apart = dilation // common
    last = (len(met) - 1) * apart
    return _Phase(
        met[0], stride // common, len(met), last - (at - met[0] * dilation) // stride, apart
    )


def _convolution(node: Node, region: Sequence[tuple[int, int]]) -> Node | None:
    """Places `region` of unwindows(contract(g, w)) as a convolution, if that is worth it."""
    stride, dilation = node.attr("stride"), node.attr("dilation")
    n = len(stride)
    p = _product(node.inputs[0], n)
    if p is None or any(a >= b for a, b in region):
        return None
    size = {c: p.w.shape[p.of_w.index(c)] for c in p.taps}
    count = {c: p.g.shape[p.of_g.index(c)] for c in p.places}
    per_axis = [
        [_phase(a + r, s, d, size[c]) for r in range(min(s, b - a))]
        for (a, b), s, d, c in zip(region, stride, dilation, p.taps, strict=True)
    ]
    lengths = [-(-(b - a) // s) for (a, b), s in zip(region, stride, strict=True)]
    products = math.prod(
        length * sum(q.taps for q in phases if q is not None)
        for length, phases in zip(lengths, per_axis, strict=True)
    )
    if products > _WORTH * math.prod(size.values()) * math.prod(count.values()):
        return None
    g = _last(p.g, p.of_g, p.places)
    w, of_w = _last(p.w, p.of_w, p.taps), _without(p.of_w, p.taps) + p.taps
    if math.prod(lengths) * g.shape[0] >= _REUSED:
        w, of_w = _by_result(w, of_w, _without(p.out, p.taps))
    p = p._replace(g=g, w=w, of_g=_without(p.of_g, p.places) + p.places, of_w=of_w)
    out = _interleaved(p, per_axis, lengths)
    lead = out.ndim - n
    for k, (a, b) in enumerate(region):
        out = narrow(out, lead + k, 0, b - a)
    return out


def _without(letters: str, gone: str) -> str:
    return "".join(c for c in letters if c not in gone)


def _last(x: Node, letters: str, last: str) -> Node:
    """Some axes put last."""
    order = tuple(letters.index(c) for c in _without(letters, last) + last)
    return x if order == tuple(range(len(order))) else permute(x, order=order)


def _interleaved(
    p: _Product, per_axis: Sequence[Sequence[_Phase | None]], lengths: Sequence[int]
) -> Node:
    """All phases, each at its places."""
    parts = [
        _nothing(p, lengths)
        if any(q is None for q in chosen)
        else _one_phase(p, [q for q in chosen if q is not None], lengths)
        for chosen in itertools.product(*per_axis)
    ]
    if len(parts) == 1:
        return parts[0]
    return interleave(*parts, counts=tuple(len(phases) for phases in per_axis))


def _nothing(p: _Product, lengths: Sequence[int]) -> Node:
    """A phase that no window reaches."""
    size = dict(zip(p.of_g, p.g.shape, strict=True)) | dict(zip(p.of_w, p.w.shape, strict=True))
    lead = (size[c] for c in p.out[: -2 * len(lengths)])
    return full((*lead, *lengths), 0.0, p.g.dtype)


def _one_phase(p: _Product, phases: Sequence[_Phase], lengths: Sequence[int]) -> Node:
    n = len(phases)
    g, w = p.g, p.w
    lead_g, lead_w = g.ndim - n, w.ndim - n
    start = (0,) * lead_w + tuple(q.first for q in phases)
    stop = w.shape[:lead_w] + tuple(q.first + q.every * (q.taps - 1) + 1 for q in phases)
    step = (1,) * lead_w + tuple(q.every for q in phases)
    if start != (0,) * w.ndim or stop != w.shape or step != (1,) * w.ndim:
        w = slice(w, start=start, stop=stop, step=step)
    w = flip(w, [lead_w + k for k, q in enumerate(phases) if q.taps > 1])
    low, high = [0] * lead_g, [0] * lead_g
    for k, (q, length) in enumerate(zip(phases, lengths, strict=True)):
        needed = length + (q.taps - 1) * q.dilation
        before, after = q.low, needed - q.low - g.shape[lead_g + k]
        inside = g.shape[lead_g + k] + min(before, 0) + min(after, 0)
        if inside <= 0:
            return _nothing(p, lengths)
        if before < 0 or after < 0:
            g = narrow(g, lead_g + k, max(-before, 0), inside)
        low.append(max(before, 0))
        high.append(max(after, 0))
    if any(low) or any(high):
        g = pad(g, low=tuple(low), high=tuple(high), value=0.0)
    read = windows(
        g, size=tuple(q.taps for q in phases), stride=(1,) * n,
        dilation=tuple(q.dilation for q in phases),
    )  # fmt: skip
    return contract(read, w, spec=f"{p.of_g}{p.taps},{p.of_w}->{p.out[:-n]}")


def _by_result(w: Node, letters: str, out: str) -> tuple[Node, str]:
    """The factors in memory in the order in which a product reads them: all that one element of the
    result needs side by side.
    """
    order = "".join(c for c in letters if c in out) + _without(letters, out)
    if order == letters:
        return w, letters
    return copy(permute(w, order=tuple(map(letters.index, order)))), order
