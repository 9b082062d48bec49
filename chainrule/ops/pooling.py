"""Pooling: a reduction of each window."""

from __future__ import annotations

from typing import Any

from chainrule import dtypes
from chainrule.ir.node import Node
from chainrule.ir.op import Domain
from chainrule.ops.core import op, promote, zeros_like
from chainrule.ops.elementwise import eq, where
from chainrule.ops.movement import (
    expand_dims,
    iota,
    pad,
    permute,
    reshape,
    slice,
    unwindows,
    windows,
)
from chainrule.ops.reduce import amax, argmax, sum
from chainrule.ops.relevance import as_gradient
from chainrule.shapes import size as count

_CASES = [
    ((2, 3, 7), {"size": (3,), "stride": (2,), "low": (1,), "high": (1,), "dilation": (1,)}),
    (
        (1, 2, 5, 6),
        {"size": (2, 3), "stride": (2, 2), "low": (0, 1), "high": (1, 1), "dilation": (2, 1)},
    ),
]


def _windows(
    x: Node, size: Any, stride: Any, low: Any, high: Any, dilation: Any, value: float
) -> Node:
    if any(low) or any(high):
        lead = (0,) * (x.ndim - len(size))
        x = pad(x, low=(*lead, *low), high=(*lead, *high), value=value)
    return windows(x, size=size, stride=stride, dilation=dilation)


def _lowest(x: Node) -> float:
    return -float("inf") if x.dtype.is_floating_point else dtypes.iinfo(x.dtype).min


@op(
    tex=r"\operatorname{{maxpool}}({0})",
    prepare=promote,
    domain=Domain((-3, 3), order=1, cases=_CASES),
)
def max_pool(x: Node, *, size: Any, stride: Any, low: Any, high: Any, dilation: Any) -> Node:
    """The largest element of every window; the first of equal ones gets the gradient."""
    n = len(size)
    w = _windows(x, size, stride, low, high, dilation, _lowest(x))
    return amax(w, axis=tuple(range(w.ndim - n, w.ndim)), keepdim=False)


@max_pool.vjp
def _(g: Node, y: Node, x: Node, **a: Any) -> Node:
    k = count(a["size"])
    which = reshape(iota(length=k, dtype=dtypes.int64), shape=(k, *(1,) * g.ndim))
    g = expand_dims(g, 0)
    return _spread(where(eq(which, _places(x, **a)), g, zeros_like(g)), x, **a)


max_pool.lrp(as_gradient)  # the winner takes all


def max_pool_places(x: Node, **a: Any) -> Node:
    """Which element of its window each maximum is, in a last axis of size 1."""
    at = _places(x, **a)
    return reshape(at, shape=(*at.shape[1:], 1))


def _places(x: Node, **a: Any) -> Node:
    """The same with the axis of size 1 first: rows of windows are compared, not one by one."""
    w = _windows(x, a["size"], a["stride"], a["low"], a["high"], a["dilation"], _lowest(x))
    n, m = len(a["size"]), w.ndim - len(a["size"])
    rows = permute(w, order=(*range(m, w.ndim), *range(m)))
    return argmax(reshape(rows, shape=(count(a["size"]), *rows.shape[n:])), axis=0)


def _spread(
    rows: Node, x: Node, *, size: Any, stride: Any, low: Any, high: Any, dilation: Any
) -> Node:
    """Put window elements (K, …) back to where they were read; what fell on padding is dropped."""
    n = len(size)
    tail = tuple(a + m + b for a, m, b in zip(low, x.shape[-n:], high, strict=True))
    w = reshape(rows, shape=(*size, *rows.shape[1:]))
    w = permute(w, order=(*range(n, w.ndim), *range(n)))
    whole = unwindows(w, shape=tail, stride=stride, dilation=dilation)
    if whole.shape == x.shape:
        return whole
    lead = x.shape[:-n]
    stop = (*lead, *(a + m for a, m in zip(low, x.shape[-n:], strict=True)))
    return slice(whole, start=(*(0,) * len(lead), *low), stop=stop, step=(1,) * x.ndim)


@op(tex=r"\operatorname{{sumpool}}({0})", prepare=promote, domain=Domain((-3, 3), cases=_CASES))
def sum_pool(x: Node, *, size: Any, stride: Any, low: Any, high: Any, dilation: Any) -> Node:
    """The sum of every window of the last axes."""
    w = _windows(x, size, stride, low, high, dilation, 0.0)
    return sum(w, axis=tuple(range(w.ndim - len(size), w.ndim)), keepdim=False)
