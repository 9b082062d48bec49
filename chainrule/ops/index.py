"""Reading and writing at computed places."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule import dtypes, shapes
from chainrule.errors import DtypeError, ShapeError
from chainrule.ir.cost import each_scattered, each_written, nothing
from chainrule.ir.node import Node, TensorType
from chainrule.ir.op import Domain
from chainrule.ops.core import cast, const, primitive, zeros_like
from chainrule.ops.elementwise import where


def _indices(i: Node, what: str) -> Node:
    if i.dtype.category != dtypes.INTEGER:
        raise DtypeError(
            f"{what}: expected an integer index tensor, got {i.dtype}; convert with .long()"
        )
    return cast(i, dtypes.int64)


def _in_range(i: np.ndarray, n: int, what: str) -> None:
    if i.size and (i.min() < -n or i.max() >= n):
        bad = i.min() if i.min() < -n else i.max()
        raise IndexError(f"{what}: index {bad} is out of range for an axis of size {n}")


def _take_prepare(x: Node, i: Node, *, axis: int = 0) -> Any:
    return (x, _indices(i, "take")), {"axis": shapes.axis(axis, x.ndim)}


@primitive(
    lambda x, i, *, axis: TensorType((*x.shape[:axis], *i.shape, *x.shape[axis + 1 :]), x.dtype),
    flops=nothing,
    tex="{0}_{{{1}}}",
    wide=False,
    domain=Domain(
        (-3, 3),
        3,
        dtypes="any complex",
        cases=[
            ((3, 4), (5,), {"axis": 0}),
            ((2, 3), (2, 2), {"axis": 1}),
            ((3,), (), {"axis": 0}),
            ((3, 2), (0,), {"axis": 0}),
        ],
    ),
)
def take(x: np.ndarray, i: np.ndarray, *, axis: int) -> np.ndarray:
    """x[…, i, …]: whole slices of one axis. Negative indices count from the end."""
    _in_range(i, x.shape[axis], "index")
    return np.take(x, i, axis=axis)


@take.vjp
def _(g: Node, y: Node, x: Node, i: Node, *, axis: int) -> tuple[Node, None]:
    return put(zeros_like(x), i, g, axis=axis, mode="add"), None


take.prepare = _take_prepare


def _put_prepare(x: Node, i: Node, v: Node, *, axis: int = 0, mode: str = "set") -> Any:
    return (x, _indices(i, "put"), cast(v, x.dtype)), {
        "axis": shapes.axis(axis, x.ndim),
        "mode": mode,
    }


def _put_type(x: Node, i: Node, v: Node, *, axis: int, mode: str) -> TensorType:
    want = (*x.shape[:axis], *i.shape, *x.shape[axis + 1 :])
    if v.shape != want:
        raise ShapeError(
            f"writing at indices {i.shape} of axis {axis} of {x.shape} takes {want}, got {v.shape}"
        )
    return TensorType(x.shape, x.dtype)


@primitive(
    _put_type,
    flops=each_written,
    tex=r"{0}[{1} \leftarrow {2}]",
    domain=Domain(
        (-3, 3),
        3,
        (-3, 3),
        dtypes="number complex",
        cases=[
            ((3, 4), (5,), (5, 4), {"axis": 0, "mode": "add"}),
            ((2, 3), (1,), (2, 1), {"axis": 1, "mode": "set"}),
            ((3,), (), (), {"axis": 0, "mode": "add"}),
            ((3, 2), (0,), (0, 2), {"axis": 0, "mode": "add"}),
        ],
    ),
)
def put(x: np.ndarray, i: np.ndarray, v: np.ndarray, *, axis: int, mode: str) -> np.ndarray:
    """x with v written ("set": the last one stays) or added ("add": all are summed) at x[…, i, …]:
    what `take` reads.
    """
    _in_range(i, x.shape[axis], "index")
    out = np.moveaxis(x, axis, 0).copy()
    flat = i.reshape(-1)
    source = np.moveaxis(v.reshape(*x.shape[:axis], i.size, *x.shape[axis + 1 :]), axis, 0)
    if mode == "set":
        out[flat] = source
    elif flat.size:
        _add_rows(out, flat % max(x.shape[axis], 1), source)
    return np.moveaxis(out, 0, axis)


def _add_rows(out: np.ndarray, i: np.ndarray, rows: np.ndarray) -> None:
    """out[i] += rows with repeated i, by sorting: each row of `out` is added to once."""
    order = np.argsort(i, kind="stable")
    there = i[order]
    starts = np.flatnonzero(np.r_[True, there[1:] != there[:-1]])
    out[there[starts]] += np.add.reduceat(rows[order], starts, axis=0, dtype=out.dtype)


@put.vjp
def _(
    g: Node, y: Node, x: Node, i: Node, v: Node, *, axis: int, mode: str
) -> tuple[Node, None, Node]:
    base = g if mode == "add" else put(g, i, zeros_like(v), axis=axis, mode="set")
    return base, None, take(g, i, axis=axis)


put.prepare = _put_prepare


def _along_prepare(x: Node, i: Node, *, axis: int) -> Any:
    i = _indices(i, "gather")
    if x.ndim != i.ndim:
        raise ShapeError(
            f"Index tensor must have the same number of dimensions as input tensor: {i.shape} and "
            f"{x.shape}"
        )
    for a in range(x.ndim):
        if a != axis and i.shape[a] > x.shape[a]:
            raise ShapeError(f"gather: index {i.shape} is larger than input {x.shape} on axis {a}")
    return (x, i), {"axis": shapes.axis(axis, x.ndim)}


def _grid(i: np.ndarray, axis: int) -> tuple[Any, ...]:
    """Indices that pair i's own position with its content on one axis."""
    out: list[Any] = []
    for a, n in enumerate(i.shape):
        shape = [1] * i.ndim
        shape[a] = n
        out.append(i if a == axis else np.arange(n).reshape(shape))
    return tuple(out)


@primitive(
    lambda x, i, *, axis: TensorType(i.shape, x.dtype),
    flops=nothing,
    tex=r"{0}[\cdot, {1}]",
    wide=False,
    domain=Domain(
        (-3, 3),
        3,
        dtypes="any complex",
        cases=[
            ((3, 4), (2, 4), {"axis": 0}),
            ((2, 3), (2, 5), {"axis": 1}),
            ((3,), (0,), {"axis": 0}),
        ],
    ),
)
def take_along(x: np.ndarray, i: np.ndarray, *, axis: int) -> np.ndarray:
    """torch's gather: y[a, b] = x[a, i[a, b]] for axis 1."""
    if i.ndim == 0:
        return np.asarray(x)
    _in_range(i, x.shape[axis], "gather")
    return x[_grid(i, axis)]


@take_along.vjp
def _(g: Node, y: Node, x: Node, i: Node, *, axis: int) -> tuple[Node, None]:
    return scatter(zeros_like(x), i, g, axis=axis, mode="add"), None


take_along.prepare = _along_prepare


def _scatter_prepare(x: Node, i: Node, v: Node, *, axis: int, mode: str = "set") -> Any:
    return (x, _indices(i, "scatter"), cast(v, x.dtype)), {
        "axis": shapes.axis(axis, x.ndim),
        "mode": mode,
    }


def _scatter_type(x: Node, i: Node, v: Node, *, axis: int, mode: str) -> TensorType:
    if x.ndim != i.ndim or v.ndim != i.ndim:
        raise ShapeError(
            f"scatter: input {x.shape}, index {i.shape} and source {v.shape} need the same rank"
        )
    if any(a > b for a, b in zip(i.shape, v.shape, strict=True)):
        raise ShapeError(f"scatter: index {i.shape} is larger than source {v.shape}")
    if any(k != axis and a > b for k, (a, b) in enumerate(zip(i.shape, x.shape, strict=True))):
        raise ShapeError(f"scatter: index {i.shape} is larger than input {x.shape}")
    if mode in ("amax", "amin") and x.dtype.is_complex:
        raise DtypeError(f"scatter: {x.dtype} numbers have no order, so there is no {mode}")
    return TensorType(x.shape, x.dtype)


@primitive(
    _scatter_type,
    flops=each_scattered,
    tex=r"{0}[\cdot, {1} \leftarrow {2}]",
    domain=Domain(
        (0.5, 3),
        3,
        (0.5, 3),
        dtypes="number",
        cases=[
            ((3, 4), (2, 4), (3, 5), {"axis": 0, "mode": "add"}),
            ((2, 3), (2, 1), (2, 2), {"axis": 1, "mode": "set"}),
            ((2, 3), (2, 2), (2, 2), {"axis": 1, "mode": "prod"}),
            ((3,), (4,), (4,), {"axis": 0, "mode": "amax"}),
            ((3,), (4,), (5,), {"axis": 0, "mode": "amin"}),
            ((3,), (0,), (0,), {"axis": 0, "mode": "add"}),
        ],
    ),
)
def scatter(x: np.ndarray, i: np.ndarray, v: np.ndarray, *, axis: int, mode: str) -> np.ndarray:
    """torch's scatter: y = x, then y[a, i[a, b]] = (or +=, *=, max=, min=) v[a, b] for axis 1."""
    out = x.copy()
    if i.ndim == 0:
        i, v, out = i.reshape(1), v.reshape(1), out.reshape(1)
    _in_range(i, out.shape[axis], "scatter")
    if not i.size:
        return out.reshape(x.shape)
    at = _grid(i, axis)
    source = v[tuple(np.s_[:n] for n in i.shape)]
    if mode == "set":
        out[at] = source
    elif mode == "add" and out.dtype.kind == "f":  # counting is much faster than an unbuffered loop
        places = np.ravel_multi_index(
            tuple(
                np.broadcast_to(a % n, i.shape).reshape(-1)
                for a, n in zip(at, out.shape, strict=True)
            ),
            out.shape,
        )
        out += (
            np.bincount(places, source.reshape(-1), out.size).reshape(out.shape).astype(out.dtype)
        )
    else:
        {"add": np.add, "prod": np.multiply, "amax": np.maximum, "amin": np.minimum}[mode].at(
            out, at, source
        )
    return out.reshape(x.shape)


@scatter.vjp
def _(
    g: Node, y: Node, x: Node, i: Node, v: Node, *, axis: int, mode: str
) -> tuple[Node, None, Node]:
    picked = take_along(g, i, axis=axis)
    if mode in ("amax", "amin"):  # all that reach the extreme share the gradient
        hit_x = cast(x.op.registry["eq"](x, y), x.dtype)
        part = v if v.shape == i.shape else _corner(v, i.shape)
        hit_v = cast(x.op.registry["eq"](part, take_along(y, i, axis=axis)), x.dtype)
        count = scatter(hit_x, i, hit_v, axis=axis, mode="add")
        share = g / count
        grown = hit_v * take_along(share, i, axis=axis)
        return hit_x * share, None, _grow(grown, v)
    if mode == "prod":
        return _product_vjp(g, x, i, v, axis)
    base = g if mode == "add" else scatter(g, i, zeros_like(v), axis=axis, mode="set")
    return base, None, _grow(picked, v)


def _product_vjp(g: Node, x: Node, i: Node, v: Node, axis: int) -> tuple[Node, None, Node]:
    """Each factor's cotangent is g times the product of the others; a zero among the factors leaves
    only its own.
    """
    eq = x.op.registry["eq"]
    part = v if v.shape == i.shape else _corner(v, i.shape)
    zero_x, zero_v = eq(x, 0), eq(part, 0)
    zeros = scatter(cast(zero_x, x.dtype), i, cast(zero_v, x.dtype), axis=axis, mode="add")
    rest = scatter(where(zero_x, 1, x), i, where(zero_v, 1, part), axis=axis, mode="prod")

    def others(value: Node, zero: Node, count: Node, product: Node) -> Node:
        alone = where(eq(count, 1), product, zeros_like(product))
        return where(
            zero, alone, where(eq(count, 0), product / where(zero, 1, value), zeros_like(product))
        )

    there = [take_along(n, i, axis=axis) for n in (g, zeros, rest)]
    for_v = there[0] * others(part, zero_v, there[1], there[2])
    return g * others(x, zero_x, zeros, rest), None, _grow(for_v, v)


def _corner(v: Node, shape: tuple[int, ...]) -> Node:
    return v.op.registry["slice"](v, start=(0,) * len(shape), stop=shape, step=(1,) * len(shape))


def _grow(part: Node, v: Node) -> Node:
    """A cotangent for the corner of v that was read; the rest was not."""
    if part.shape == v.shape:
        return part
    high = tuple(b - a for a, b in zip(part.shape, v.shape, strict=True))
    return v.op.registry["pad"](part, low=(0,) * v.ndim, high=high, value=0.0)


scatter.prepare = _scatter_prepare
scatter.complex = True  # but for extremes, which the domain's cases take


def one_hot(i: Node, n: int, dtype: dtypes.DType) -> Node:
    """1 at index i of a new last axis of size n, else 0."""
    r = i.op.registry
    wide = r["reshape"](i, shape=(*i.shape, 1))
    hit = r["eq"](wide, r["iota"](length=n, dtype=i.dtype))
    return where(hit, const(1, dtype), const(0, dtype))
