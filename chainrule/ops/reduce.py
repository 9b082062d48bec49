"""Reductions, scans along an axis, and order."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from chainrule import dtypes, shapes
from chainrule.errors import ShapeError
from chainrule.ir.cost import Rule, comparisons, each_input
from chainrule.ir.node import Node, TensorType
from chainrule.ir.op import Domain, Op
from chainrule.ops.complex import real_part, squared_size
from chainrule.ops.core import cast, op, primitive, promote_float, zeros_like
from chainrule.ops.elementwise import eq, exp, isfinite, log, stop_gradient, where
from chainrule.ops.index import take_along
from chainrule.ops.loop import scan
from chainrule.ops.movement import broadcast_to, flip, full, narrow, pad, permute, reshape
from chainrule.ops.relevance import How, as_gradient

Axes = tuple[int, ...]
Nodes = tuple[Node, ...]
Maker = Callable[[Callable[..., Any]], Op]


def _over(x: Node, *, axis: Any = None, keepdim: bool = False, **rest: Any) -> Any:
    return (x,), {"axis": shapes.axes(axis, x.ndim), "keepdim": bool(keepdim), **rest}


def _one(x: Node, *, axis: int = -1, **rest: Any) -> Any:
    return (x,), {"axis": shapes.axis(axis, x.ndim), **rest}


def _reduced(x: Node, *, axis: Axes, keepdim: bool) -> TensorType:
    return TensorType(shapes.reduced(x.shape, axis, keepdim), x.dtype)


def _non_empty(x: Node, *, axis: Axes, keepdim: bool) -> TensorType:
    if any(x.shape[a] == 0 for a in axis) or (not axis and 0 in x.shape):
        raise IndexError(
            f"cannot reduce {x.shape} over axes {axis}: an empty axis has no extreme value"
        )
    return _reduced(x, axis=axis, keepdim=keepdim)


def _kept(g: Node, x: Node, axis: Axes, keepdim: bool) -> Node:
    """A reduced value, with the reduced axes back as size 1."""
    return g if keepdim else reshape(g, shape=shapes.reduced(x.shape, axis, True))


def _few(x: np.ndarray, axis: Axes) -> bool:
    """Whether many short groups are reduced, such as the windows of a pooling layer."""
    group = math.prod([x.shape[a] for a in axis])
    return 1 < group <= 32 and x.size >= 4096 * group and x.dtype.kind == "f"


def _slice_by_slice(f: np.ufunc, x: np.ndarray, axis: Axes, keepdim: bool) -> np.ndarray:
    """Reduce short groups with long loops over the others: NumPy's own would be over the groups."""
    moved = np.moveaxis(x, axis, range(len(axis)))
    first, *rest = np.ndindex(*moved.shape[: len(axis)])
    out = np.array(moved[first], order="C")
    for i in rest:
        f(out, moved[i], out=out)
    return np.expand_dims(out, axis) if keepdim else out


_CASES = Domain(
    (-3, 3),
    cases=[((3, 4), {"axis": (0,)}), ((2, 3, 2), {"axis": (0, 2), "keepdim": True}), ((5,), {})],
)
_ALONG = Domain((-3, 3), cases=[((3, 4), {"axis": 1}), ((2, 3, 2), {"axis": 0})])
_CASES_FIELD = Domain((-3, 3), dtypes="float complex", cases=_CASES.cases)
_ALONG_FIELD = Domain((-3, 3), dtypes="float complex", cases=_ALONG.cases)


def _reduction(
    infer: Any, *, tex: str, torch: str, domain: Domain = _CASES, flops: Rule = each_input
) -> Maker:
    def make(f: Callable[..., Any]) -> Op:
        o = primitive(infer, flops=flops, tex=tex, torch=torch, domain=domain)(f)
        o.prepare = _over
        return o

    return make


def _along(
    infer: Any, *, tex: str, torch: str, domain: Domain = _ALONG, flops: Rule = each_input
) -> Maker:
    def make(f: Callable[..., Any]) -> Op:
        o = primitive(infer, flops=flops, tex=tex, torch=torch, domain=domain)(f)
        o.prepare = _one
        return o

    return make


@_reduction(_reduced, tex=r"\sum{over} {0}", torch="sum", domain=_CASES_FIELD)
def sum(x: Any, *, axis: Axes, keepdim: bool) -> Any:
    """Σ over axes, in the type of x. (torch's sum of integers is in int64: cast first.)"""
    if _few(x, axis):
        return _slice_by_slice(np.add, x, axis, keepdim)
    return np.sum(x, axis=axis, keepdims=keepdim, dtype=x.dtype)


@sum.vjp
def _(g: Node, y: Node, x: Node, *, axis: Axes, keepdim: bool) -> Node:
    return broadcast_to(_kept(g, x, axis, keepdim), shape=x.shape)


@_reduction(_reduced, tex=r"\prod{over} {0}", torch="prod", domain=_CASES_FIELD)
def prod(x: Any, *, axis: Axes, keepdim: bool) -> Any:
    """Π over axes."""
    return np.prod(x, axis=axis, keepdims=keepdim, dtype=x.dtype)


@prod.vjp
def _(g: Node, y: Node, x: Node, *, axis: Axes, keepdim: bool) -> Node:
    """The product of all the others: what stands before times what stands behind, so that zeros do
    no harm.
    """
    out = _kept(g, x, axis, keepdim)
    others = broadcast_to(out, shape=x.shape)
    rest = list(axis)
    while rest:
        a = rest.pop()
        others = others * _exclusive_product(x, a)
        if rest:
            x = prod(x, axis=(a,), keepdim=True)
    return others


@prod.lrp
def _(g: Node, y: Node, x: Node, *, how: How, axis: Axes, keepdim: bool) -> Node:
    """The same for every factor."""
    n = math.prod(x.shape[a] for a in axis)
    return as_gradient(g, y, x, how=how, axis=axis, keepdim=keepdim) * (1 / max(n, 1))


def _exclusive_product(x: Node, axis: int) -> Node:
    n = x.shape[axis]
    one = [0] * x.ndim
    one[axis] = 1
    zero = (0,) * x.ndim

    def before(v: Node) -> Node:
        return narrow(cumprod(pad(v, low=tuple(one), high=zero, value=1.0), axis=axis), axis, 0, n)

    return before(x) * flip(before(flip(x, (axis,))), (axis,))


@_reduction(_non_empty, tex=r"\max{over} {0}", torch="amax")
def amax(x: Any, *, axis: Axes, keepdim: bool) -> Any:
    """The largest over axes; NaN wins; equal elements share the gradient."""
    if _few(x, axis):
        return _slice_by_slice(np.maximum, x, axis, keepdim)
    return np.max(x, axis=axis, keepdims=keepdim)


@_reduction(_non_empty, tex=r"\min{over} {0}", torch="amin")
def amin(x: Any, *, axis: Axes, keepdim: bool) -> Any:
    """The smallest over axes; NaN wins; equal elements share the gradient."""
    if _few(x, axis):
        return _slice_by_slice(np.minimum, x, axis, keepdim)
    return np.min(x, axis=axis, keepdims=keepdim)


def _extreme_vjp(g: Node, y: Node, x: Node, *, axis: Axes, keepdim: bool) -> Node:
    hit = cast(eq(x, _kept(y, x, axis, keepdim)), x.dtype)
    return hit * (_kept(g, x, axis, keepdim) / sum(hit, axis=axis, keepdim=True))


amax.vjp(_extreme_vjp)
amin.vjp(_extreme_vjp)


@_reduction(
    lambda x, **a: TensorType(_reduced(x, **a).shape, dtypes.bool_),
    tex=r"\exists{over} {0}",
    torch="any",
    domain=_CASES_FIELD,
)
def any_(x: np.ndarray, *, axis: Axes, keepdim: bool) -> Any:
    """Whether any element is non-zero."""
    return np.any(x, axis=axis, keepdims=keepdim)


@_reduction(
    lambda x, **a: TensorType(_reduced(x, **a).shape, dtypes.bool_),
    tex=r"\forall{over} {0}",
    torch="all",
    domain=_CASES_FIELD,
)
def all_(x: np.ndarray, *, axis: Axes, keepdim: bool) -> Any:
    """Whether all elements are non-zero."""
    return np.all(x, axis=axis, keepdims=keepdim)


def _arg_type(x: Node, *, axis: int) -> TensorType:
    if x.shape[axis] == 0:
        raise IndexError(f"cannot take argmax or argmin of {x.shape} over the empty axis {axis}")
    return TensorType(shapes.reduced(x.shape, (axis,), True), dtypes.int64)


@_along(_arg_type, tex=r"\arg\max{over} {0}", torch="argmax")
def argmax(x: np.ndarray, *, axis: int) -> np.ndarray:
    """Index of the first largest element; the axis stays, with size 1."""
    if x.shape[axis] > 32 or axis == x.ndim - 1 or x.dtype.kind not in "fiu":
        return np.argmax(x, axis=axis, keepdims=True)
    return np.expand_dims(_first_largest(np.moveaxis(x, axis, 0)), axis)


def _first_largest(rows: np.ndarray) -> np.ndarray:
    """argmax over a short first axis, row by row (NumPy would copy to bring that axis last)."""
    best, place = rows[0], np.zeros(rows.shape[1:], np.int8)
    for i, row in enumerate(rows[1:], 1):
        more = ~(row <= best) & (best == best)  # NaN wins, the first one
        np.maximum(place, np.multiply(more, np.int8(i)), out=place)
        best = np.maximum(best, row)
    return place.astype(np.int64)


@_along(_arg_type, tex=r"\arg\min{over} {0}", torch="argmin")
def argmin(x: np.ndarray, *, axis: int) -> np.ndarray:
    """Index of the first smallest element; the axis stays, with size 1."""
    return np.argmin(x, axis=axis, keepdims=True)


def _same_type(x: Node, **_: Any) -> TensorType:
    return TensorType(x.shape, x.dtype)


@_along(_same_type, tex=r"\sum_{{j \le i}} {0}_j", torch="cumsum", domain=_ALONG_FIELD)
def cumsum(x: np.ndarray, *, axis: int) -> np.ndarray:
    """Running sum."""
    return np.cumsum(x, axis=axis, dtype=x.dtype)


@cumsum.vjp
def _(g: Node, y: Node, x: Node, *, axis: int) -> Node:
    return flip(cumsum(flip(g, (axis,)), axis=axis), (axis,))


@_along(_same_type, tex=r"\prod_{{j \le i}} {0}_j", torch="cumprod", domain=_ALONG_FIELD)
def cumprod(x: np.ndarray, *, axis: int) -> np.ndarray:
    """Running product."""
    return np.cumprod(x, axis=axis, dtype=x.dtype)


@cumprod.vjp
def _(g: Node, y: Node, x: Node, *, axis: int) -> Node:
    """x̄_k = p_k s_k: the product of all before k, and s_k = g_k + x_{k+1} s_{k+1}. Zeros do no
    harm, to any order.
    """
    n = x.shape[axis]
    front = (axis, *(a for a in range(x.ndim) if a != axis))
    back = tuple(front.index(a) for a in range(x.ndim))
    one = tuple(int(a == axis) for a in range(x.ndim))
    zero = (0,) * x.ndim
    before = narrow(cumprod(pad(x, low=one, high=zero, value=1.0), axis=axis), axis, 0, n)
    behind = narrow(pad(x, low=zero, high=one, value=0.0), axis, 1, n)

    def step(carry: Nodes, now: Nodes, _: Nodes) -> tuple[Nodes, Nodes]:
        s = now[0] + now[1] * carry[0]
        return (s,), (s,)

    start = full(tuple(m for a, m in enumerate(x.shape) if a != axis), 0.0, x.dtype)
    _, (s,) = scan(
        step, [start], [permute(g, order=front), permute(behind, order=front)], reverse=True
    )
    return before * permute(s, order=back)


@_along(
    lambda x, *, axis, descending: TensorType(x.shape, dtypes.int64),
    tex=r"\operatorname{{argsort}} {0}",
    torch="argsort",
    flops=comparisons,
    domain=Domain((-3, 3), order=0, cases=[((3, 4), {"axis": 1, "descending": True})]),
)
def argsort(x: np.ndarray, *, axis: int, descending: bool) -> np.ndarray:
    """The order that sorts an axis; equal elements keep their places; NaN counts as the largest."""
    if not descending:
        return np.argsort(x, axis=axis, kind="stable")
    turned = np.flip(x, axis)
    return x.shape[axis] - 1 - np.flip(np.argsort(turned, axis=axis, kind="stable"), axis)


# ------------------------------------------------------------------ formulas


@op(
    tex=r"\frac{{1}}{{{count}}} \sum{over} {0}",
    prepare=promote_float,
    torch="mean",
    domain=_CASES_FIELD,
    name="mean",
)
def _mean(x: Node, *, axis: Any = None, keepdim: bool = False) -> Node:
    """Σ x / n"""
    axes = shapes.axes(axis, x.ndim)
    n = shapes.size([x.shape[a] for a in axes])
    return sum(x, axis=axes, keepdim=keepdim) / (n if n else float("nan"))


mean = _mean


@op(
    tex=r"\operatorname{{Var}}{over}({0})",
    torch="var",
    domain=Domain((-3, 3), dtypes="float complex", cases=[((3, 4), {"axis": (0,)})]),
)
def var(x: Node, *, axis: Any = None, correction: float = 1, keepdim: bool = False) -> Node:
    """Σ |x − x̄|² / (n − correction)"""
    axes = shapes.axes(axis, x.ndim)
    n = shapes.size([x.shape[a] for a in axes])
    d = x - mean(x, axis=axes, keepdim=True)
    left = max(n - correction, 0)
    return (
        sum(squared_size(d), axis=axes, keepdim=keepdim) / (left if left else float("nan"))
        if left
        else _nan_sum(d, axes, keepdim)
    )


def _nan_sum(d: Node, axes: Axes, keepdim: bool) -> Node:
    return sum(squared_size(d), axis=axes, keepdim=keepdim) * float("nan")


@op(tex=r"\log \sum{over} e^{{{0}}}", prepare=promote_float, torch="logsumexp", domain=_CASES_FIELD)
def logsumexp(x: Node, *, axis: Any = None, keepdim: bool = False) -> Node:
    """log Σ eˣ, by way of the largest element, so that nothing overflows."""
    axes = shapes.axes(axis, x.ndim)
    m = stop_gradient(amax(real_part(x), axis=axes, keepdim=True))
    m = where(isfinite(m), m, zeros_like(m))
    y = log(sum(exp(x - m), axis=axes, keepdim=True)) + m
    return y if keepdim else reshape(y, shape=shapes.reduced(x.shape, axes, False))


@logsumexp.vjp
def _(g: Node, y: Node, x: Node, *, axis: Any, keepdim: bool) -> Node:
    axes = shapes.axes(axis, x.ndim)
    return _kept(g, x, axes, keepdim) * exp(x - _kept(y, x, axes, keepdim))


@op(
    tex=r"\operatorname{{sort}} {0}",
    torch="sort",
    domain=Domain((-3, 3), cases=[((3, 4), {"axis": 1})]),
)
def sort(x: Node, *, axis: int = -1, descending: bool = False) -> tuple[Node, Node]:
    """(sorted values, their indices)"""
    order = argsort(x, axis=axis, descending=descending)
    return take_along(x, order, axis=shapes.axis(axis, x.ndim)), order


def cummax_index(x: Node, *, axis: int, largest: bool = True) -> Node:
    """Where the running extreme was last found (torch's cummax and cummin indices)."""
    if x.ndim == 0:
        return zeros_like(cast(x, dtypes.int64))
    return running_argmax(x if largest else -x, axis=axis)


@_along(
    lambda x, *, axis: TensorType(x.shape, dtypes.int64),
    tex=r"\arg\max_{{j \le i}} {0}_j",
    torch="cummax",
    domain=Domain((-3, 3), order=0, cases=[((3, 4), {"axis": 1})]),
)
def running_argmax(x: np.ndarray, *, axis: int) -> np.ndarray:
    """Index of the latest element that is at least as large as all before it; NaN stays."""
    best = np.maximum.accumulate(x, axis=axis)
    shape = [1] * x.ndim
    shape[axis] = x.shape[axis]
    i = np.arange(x.shape[axis]).reshape(shape)
    hit = (x == best) | ((x != x) & (best != best))
    return np.maximum.accumulate(np.where(hit, i, 0), axis=axis)


def check_same(a: Node, b: Node, what: str) -> None:
    """A loss compares like with like."""
    if a.shape != b.shape:
        raise ShapeError(f"{what}: input {a.shape} and target {b.shape} must have the same shape")
