"""Ops that move elements and compute nothing: the views, and what copies.

A view also says how to write through it: `put(base, value)` is the base with the view's part
replaced.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from chainrule import dtypes, shapes
from chainrule.dtypes import DType
from chainrule.errors import ShapeError
from chainrule.ir.cost import each_input, nothing
from chainrule.ir.node import Node, TensorType
from chainrule.ir.op import Domain, Op
from chainrule.ops.core import const, convert, primitive, promote, zeros_like
from chainrule.shapes import Shape

# ------------------------------------------------------------------ views


def _reshape_type(x: Node, *, shape: Shape) -> TensorType:
    if shapes.size(shape) != shapes.size(x.shape):
        raise ShapeError(f"cannot reshape {x.shape} ({shapes.size(x.shape)} elements) into {shape}")
    return TensorType(shape, x.dtype)


@primitive(
    _reshape_type,
    flops=nothing,
    tex="{0}",
    wide=False,
    domain=Domain((-3, 3), dtypes="any complex", cases=[((2, 6), {"shape": (3, 4)})]),
)
def reshape(x: np.ndarray, *, shape: Shape) -> np.ndarray:
    """The same elements, in order, under another shape."""
    return x.reshape(shape)


@reshape.vjp
def _(g: Node, y: Node, x: Node, *, shape: Shape) -> Node:
    return reshape(g, shape=x.shape)


def _inverse(order: Shape) -> Shape:
    out = [0] * len(order)
    for i, a in enumerate(order):
        out[a] = i
    return tuple(out)


@primitive(
    lambda x, *, order: TensorType(tuple(x.shape[i] for i in order), x.dtype),
    flops=nothing,
    tex="{0}^{{T}}",
    wide=False,
    domain=Domain((-3, 3), dtypes="any complex", cases=[((2, 3, 4), {"order": (2, 0, 1)})]),
)
def permute(x: np.ndarray, *, order: Shape) -> np.ndarray:
    """The axes in another order."""
    return x.transpose(order)


@permute.vjp
def _(g: Node, y: Node, x: Node, *, order: Shape) -> Node:
    return permute(g, order=_inverse(order))


def _broadcast_type(x: Node, *, shape: Shape) -> TensorType:
    if not shapes.stretches(x.shape, shape):
        raise ShapeError(f"cannot broadcast {x.shape} to {shape}")
    return TensorType(shape, x.dtype)


@primitive(
    _broadcast_type,
    flops=nothing,
    tex="{0}",
    wide=False,
    domain=Domain((-3, 3), dtypes="any complex", cases=[((3, 1), {"shape": (2, 3, 4)})]),
)
def broadcast_to(x: np.ndarray, *, shape: Shape) -> np.ndarray:
    """Repeat along axes of size 1 and along new leading axes."""
    return np.broadcast_to(x, shape)


@broadcast_to.vjp
def _(g: Node, y: Node, x: Node, *, shape: Shape) -> Node:
    return g  # the chain rule sums it back to the shape of x


def _slice_type(x: Node, *, start: Shape, stop: Shape, step: Shape) -> TensorType:
    return TensorType(
        tuple(len(range(a, b, s)) for a, b, s in zip(start, stop, step, strict=True)), x.dtype
    )


def slices(start: Shape, stop: Shape, step: Shape) -> tuple[Any, ...]:
    """Python slices; a negative stop means 'past the beginning', for negative steps."""
    return tuple(
        np.s_[a : (None if b < 0 else b) : s] for a, b, s in zip(start, stop, step, strict=True)
    )


@primitive(
    _slice_type,
    flops=nothing,
    tex=r"{0}[\cdot]",
    wide=False,
    domain=Domain(
        (-3, 3),
        dtypes="any complex",
        cases=[((4, 6), {"start": (1, 5), "stop": (4, -1), "step": (2, -2)})],
    ),
)
def slice(x: np.ndarray, *, start: Shape, stop: Shape, step: Shape) -> np.ndarray:
    """Elements start, start + step, … before stop, on every axis (no negative start)."""
    return x[slices(start, stop, step)]


@slice.vjp
def _(g: Node, y: Node, x: Node, *, start: Shape, stop: Shape, step: Shape) -> Node:
    return slice_update(zeros_like(x), g, start=start, stop=stop, step=step)


@primitive(
    lambda x, *, offset: TensorType((*x.shape[:-2], _diagonal_length(x.shape, offset)), x.dtype),
    flops=nothing,
    tex=r"\operatorname{{diag}}({0})",
    wide=False,
    domain=Domain((-3, 3), dtypes="any complex", cases=[((2, 3, 4), {"offset": 1})]),
)
def diagonal(x: np.ndarray, *, offset: int = 0) -> np.ndarray:
    """x[…, i, i + offset]: a diagonal of the last two axes."""
    return np.diagonal(x, offset, -2, -1)


def _diagonal_length(shape: Shape, offset: int) -> int:
    rows, columns = shape[-2:]
    return max(min(rows + min(offset, 0), columns - max(offset, 0)), 0)


@diagonal.vjp
def _(g: Node, y: Node, x: Node, *, offset: int) -> Node:
    return diagonal_update(zeros_like(x), g, offset=offset)


def _windows_type(x: Node, *, size: Shape, stride: Shape, dilation: Shape) -> TensorType:
    lead, tail = x.shape[: -len(size)], x.shape[-len(size) :]
    counts = tuple(
        shapes.window_count(n, k, s, d)
        for n, k, s, d in zip(tail, size, stride, dilation, strict=True)
    )
    if min(counts) < 1:
        raise ShapeError(
            f"a window of {size} (dilation {dilation}) does not fit into {tail}: pad the input or "
            "take a smaller kernel",
            repair=shapes.window_repair(tail, size, dilation),
        )
    return TensorType((*lead, *counts, *size), x.dtype)


@primitive(
    _windows_type,
    flops=nothing,
    tex=r"\operatorname{{windows}}({0})",
    wide=False,
    domain=Domain(
        (-3, 3),
        dtypes="any complex",
        cases=[((2, 5, 6), {"size": (2, 3), "stride": (2, 1), "dilation": (1, 2)})],
    ),
)
def windows(x: np.ndarray, *, size: Shape, stride: Shape, dilation: Shape) -> np.ndarray:
    """All windows of the last axes: x[…, o·stride + k·dilation] at index […, o, k]."""
    n = len(size)
    counts = tuple(
        shapes.window_count(*t) for t in zip(x.shape[-n:], size, stride, dilation, strict=True)
    )
    tail = x.strides[-n:]
    return np.lib.stride_tricks.as_strided(
        x,
        (*x.shape[:-n], *counts, *size),
        (
            *x.strides[:-n],
            *(a * b for a, b in zip(tail, stride, strict=True)),
            *(a * b for a, b in zip(tail, dilation, strict=True)),
        ),
        writeable=False,
    )


@windows.vjp
def _(g: Node, y: Node, x: Node, *, size: Shape, stride: Shape, dilation: Shape) -> Node:
    return unwindows(g, shape=x.shape[-len(size) :], stride=stride, dilation=dilation)


def _unwindows_type(x: Node, *, shape: Shape, stride: Shape, dilation: Shape) -> TensorType:
    return TensorType((*x.shape[: -2 * len(shape)], *shape), x.dtype)


@primitive(
    _unwindows_type,
    flops=each_input,
    tex=r"\operatorname{{windows}}^T({0})",
    domain=Domain(
        (-3, 3),
        dtypes="number complex",
        cases=[
            ((3, 2), {"shape": (6,), "stride": (1,), "dilation": (1,)}),
            ((2, 4, 2, 2, 2), {"shape": (5, 6), "stride": (1, 3), "dilation": (1, 2)}),
        ],
    ),
)
def unwindows(x: np.ndarray, *, shape: Shape, stride: Shape, dilation: Shape) -> np.ndarray:
    """Add every window back to where it was read: the transpose of `windows`."""
    n = len(shape)
    counts, size = x.shape[-2 * n : -n], x.shape[-n:]
    out = np.zeros((*x.shape[: -2 * n], *shape), x.dtype)
    for k in np.ndindex(*size):
        at = tuple(
            np.s_[i * d : i * d + s * (c - 1) + 1 : s]
            for i, d, s, c in zip(k, dilation, stride, counts, strict=True)
        )
        target: Any = (..., *at)
        out[target] += x[(..., *k)]
    return out


@unwindows.vjp
def _(g: Node, y: Node, x: Node, *, shape: Shape, stride: Shape, dilation: Shape) -> Node:
    n = len(shape)
    every = windows(g, size=x.shape[-n:], stride=stride, dilation=dilation)
    for axis in range(
        len(every.shape) - 2 * n, len(every.shape) - n
    ):  # the room may hold more than x had
        every = narrow(every, axis, 0, x.shape[axis])
    return every


def _places(size: Shape, stride: Shape, offset: int) -> Node:
    """For each element of a strided view, its place in the flat row."""
    at = full(size, offset, dtypes.int64)
    for axis, (n, step) in enumerate(zip(size, stride, strict=True)):
        along = tuple(n if a == axis else 1 for a in range(len(size)))
        at = at + reshape(iota(length=n, dtype=dtypes.int64), shape=along) * step
    return at


@primitive(
    lambda x, *, size, stride, offset: TensorType(size, x.dtype),
    flops=nothing,
    tex=r"\operatorname{{strided}}({0})",
    wide=False,
    domain=Domain(
        (-3, 3),
        dtypes="any complex",
        cases=[((3, 4), {"size": (2, 3), "stride": (1, 4), "offset": 1})],
    ),
)
def strided(x: np.ndarray, *, size: Shape, stride: Shape, offset: int) -> np.ndarray:
    """The elements of x as a flat row, read with strides: y[i, j] = x[offset + i·s₀ + j·s₁]."""
    flat = x.reshape(-1)
    steps = tuple(s * x.itemsize for s in stride)
    return np.lib.stride_tricks.as_strided(flat[min(offset, max(flat.size - 1, 0)) :], size, steps)


@strided.vjp
def _(g: Node, y: Node, x: Node, *, size: Shape, stride: Shape, offset: int) -> Node:
    n = shapes.size(x.shape)
    at = reshape(_places(size, stride, offset), shape=(shapes.size(size),))
    put = strided.registry["put"]
    row = reshape(g, shape=(shapes.size(size),))
    return reshape(put(full((n,), 0, g.dtype), at, row, axis=0, mode="add"), shape=x.shape)


def _put_strided(base: Node, v: Node, *, size: Shape, stride: Shape, offset: int) -> Node:
    put = strided.registry["put"]
    flat = reshape(base, shape=(shapes.size(base.shape),))
    at = reshape(_places(size, stride, offset), shape=(shapes.size(size),))
    row = reshape(v, shape=(shapes.size(size),))
    return reshape(put(flat, at, row, axis=0, mode="set"), shape=base.shape)


strided.put = _put_strided


def _put_windows(base: Node, v: Node, *, size: Shape, stride: Shape, dilation: Shape) -> Node:
    """Where windows overlap, the last one stays."""
    if len(size) != 1:
        raise RuntimeError("cannot write through windows over several axes: clone() them first")
    count, width = v.shape[-2:]
    at = reshape(_places((count, width), (stride[0], dilation[0]), 0), shape=(count * width,))
    rows = reshape(v, shape=(*v.shape[:-2], count * width))
    return strided.registry["put"](base, at, rows, axis=base.ndim - 1, mode="set")


windows.put = _put_windows


# ------------------------------------------------------------------ writing through


@primitive(
    lambda x, v, *, start, stop, step: TensorType(x.shape, x.dtype),
    flops=nothing,
    tex=r"{0}[\cdot \leftarrow {1}]",
    wide=False,
    domain=Domain(
        (-3, 3),
        dtypes="any complex",
        cases=[((4, 6), (2, 2), {"start": (1, 5), "stop": (4, 1), "step": (2, -2)})],
    ),
)
def slice_update(
    x: np.ndarray, v: np.ndarray, *, start: Shape, stop: Shape, step: Shape
) -> np.ndarray:
    """x, with v in place of the slice."""
    out = x.copy()
    out[slices(start, stop, step)] = v
    return out


@slice_update.vjp
def _(g: Node, y: Node, x: Node, v: Node, **at: Any) -> tuple[Node, Node]:
    return slice_update(g, zeros_like(v), **at), slice(g, **at)


@primitive(
    lambda x, v, *, offset: TensorType(x.shape, x.dtype),
    flops=nothing,
    tex=r"{0}[\cdot \leftarrow {1}]",
    wide=False,
    domain=Domain(
        (-3, 3),
        dtypes="any complex",
        cases=[((2, 3, 4), (2, 3), {"offset": 1}), ((3, 3), (2,), {"offset": -1})],
    ),
)
def diagonal_update(x: np.ndarray, v: np.ndarray, *, offset: int) -> np.ndarray:
    """x, with v in place of a diagonal of the last two axes."""
    out = x.copy()
    n = v.shape[-1]
    i = np.arange(n)
    out[..., i - min(offset, 0), i + max(offset, 0)] = v
    return out


@diagonal_update.vjp
def _(g: Node, y: Node, x: Node, v: Node, *, offset: int) -> tuple[Node, Node]:
    return diagonal_update(g, zeros_like(v), offset=offset), diagonal(g, offset=offset)


def _first(v: Node, shape: Shape) -> Node:
    """One of the equal elements that a broadcast made of each."""
    lead = len(v.shape) - len(shape)
    for axis in range(len(v.shape)):
        if axis < lead or shape[axis - lead] == 1:
            v = narrow(v, axis, 0, 1)
    return reshape(v, shape=shape)


reshape.put = lambda base, v, *, shape: reshape(v, shape=base.shape)
broadcast_to.put = lambda base, v, *, shape: _first(v, base.shape)
permute.put = lambda base, v, *, order: permute(v, order=_inverse(order))
slice.put = slice_update
diagonal.put = diagonal_update

# ------------------------------------------------------------------ copies


def _cat_type(*xs: Node, axis: int) -> TensorType:
    first = xs[0].shape
    for x in xs[1:]:
        if len(x.shape) != len(first) or any(
            a != b for i, (a, b) in enumerate(zip(x.shape, first, strict=True)) if i != axis
        ):
            raise ShapeError(
                f"Sizes of tensors must match except in dimension {axis}. "
                f"Got shapes {', '.join(str(x.shape) for x in xs)}",
                repair=shapes.join_repair([x.shape for x in xs], axis),
            )
    total = sum(x.shape[axis] for x in xs)
    return TensorType((*first[:axis], total, *first[axis + 1 :]), xs[0].dtype)


def _cat_prepare(*xs: Node, axis: int = 0) -> tuple[tuple[Node, ...], dict[str, Any]]:
    nodes, _ = promote(*xs)
    return nodes, {"axis": axis % max(len(nodes[0].shape), 1)}


def _cat(*xs: np.ndarray, axis: int) -> np.ndarray:
    return np.concatenate(xs, axis)


def _cat_vjp(g: Node, y: Node, *xs: Node, axis: int) -> tuple[Node, ...]:
    out, at = [], 0
    for x in xs:
        out.append(narrow(g, axis, at, x.shape[axis]))
        at += x.shape[axis]
    return tuple(out)


cat = Op(
    "cat",
    infer=_cat_type,
    reference=_cat,
    gradient=_cat_vjp,
    prepare=_cat_prepare,
    wide=False,
    flops=nothing,
    tex=r"[{0}, \dots]",
    doc="Arrays one after another along an axis.",
    domain=Domain((-3, 3), (-3, 3), dtypes="any complex", cases=[((2, 3), (2, 2), {"axis": 1})]),
)


def _interleave_type(*parts: Node, counts: Shape) -> TensorType:
    first = parts[0]
    if any(x.shape != first.shape or x.dtype is not first.dtype for x in parts):
        raise ShapeError(f"parts of unlike shapes: {', '.join(str(x.shape) for x in parts)}")
    if len(parts) != math.prod(counts):
        raise ShapeError(f"{len(parts)} parts do not fill {counts}")
    lead = len(first.shape) - len(counts)
    spread = (n * s for n, s in zip(first.shape[lead:], counts, strict=True))
    return TensorType((*first.shape[:lead], *spread), first.dtype)


def interleaved(counts: Shape) -> Iterator[tuple[Any, ...]]:
    """The places of each part in turn."""
    for start in itertools.product(*map(range, counts)):
        yield (..., *(np.s_[a::s] for a, s in zip(start, counts, strict=True)))


def _interleave(*parts: np.ndarray, counts: Shape) -> np.ndarray:
    lead = parts[0].ndim - len(counts)
    spread = [n * s for n, s in zip(parts[0].shape[lead:], counts, strict=True)]
    out = np.empty((*parts[0].shape[:lead], *spread), parts[0].dtype)
    for at, x in zip(interleaved(counts), parts, strict=True):
        out[at] = x
    return out


def _interleave_vjp(g: Node, y: Node, *parts: Node, counts: Shape) -> tuple[Node, ...]:
    lead = len(g.shape) - len(counts)
    step = (1,) * lead + counts
    return tuple(
        slice(g, start=(0,) * lead + start, stop=g.shape, step=step)
        for start in itertools.product(*map(range, counts))
    )


interleave = Op(
    "interleave",
    infer=_interleave_type,
    reference=_interleave,
    gradient=_interleave_vjp,
    flops=nothing,
    tex=r"\operatorname{{interleave}}({0}, \dots)",
    doc="Arrays of one shape whose last axes take turns: element i of part r at i · count + r.",
    domain=Domain(
        (-3, 3),
        (-3, 3),
        dtypes="any complex",
        cases=[((2, 3), (2, 3), {"counts": (2,)}), ((4, 2), (4, 2), {"counts": (2, 1)})],
    ),
)


@primitive(
    lambda x, *, low, high, value: TensorType(
        tuple(a + n + b for a, n, b in zip(low, x.shape, high, strict=True)), x.dtype
    ),
    flops=nothing,
    tex=r"\operatorname{{pad}}({0})",
    wide=False,
    domain=Domain(
        (-3, 3),
        dtypes="any complex",
        cases=[((2, 3), {"low": (1, 0), "high": (0, 2), "value": 1.5})],
    ),
)
def pad(x: np.ndarray, *, low: Shape, high: Shape, value: float) -> np.ndarray:
    """x with `value` around it: `low` elements before, `high` after, on every axis."""
    out = np.full(
        tuple(a + n + b for a, n, b in zip(low, x.shape, high, strict=True)), value, x.dtype
    )
    out[tuple(np.s_[a : a + n] for a, n in zip(low, x.shape, strict=True))] = x
    return out


@pad.vjp
def _(g: Node, y: Node, x: Node, *, low: Shape, high: Shape, value: float) -> Node:
    stop = tuple(a + n for a, n in zip(low, x.shape, strict=True))
    return slice(g, start=low, stop=stop, step=(1,) * len(low))


@primitive(
    lambda *, length, dtype: TensorType((length,), dtype),
    flops=nothing,
    tex=r"(0, 1, \dots)",
    wide=False,
    domain=Domain(
        dtypes="int",
        order=0,
        cases=[({"length": 4, "dtype": dtypes.float32},), ({"length": 0, "dtype": dtypes.int64},)],
    ),
)
def iota(*, length: int, dtype: DType) -> np.ndarray:
    """0, 1, …, length − 1."""
    return np.arange(length).astype(dtype.np)


# ------------------------------------------------------------------ spelled with the above


def full(shape: Sequence[int], value: float, dtype: DType) -> Node:
    """One number everywhere."""
    c = const(value, dtype)
    return broadcast_to(c, shape=tuple(shape)) if shape else c


def narrow(x: Node, axis: int, start: int, length: int) -> Node:
    """`length` elements of one axis, from `start`."""
    if start == 0 and length == x.shape[axis]:
        return x
    rank = len(x.shape)
    a = [0] * rank
    b = list(x.shape)
    a[axis], b[axis] = start, start + length
    return slice(x, start=tuple(a), stop=tuple(b), step=(1,) * rank)


def flip(x: Node, axes: Sequence[int]) -> Node:
    """The axes in reverse order of their elements."""
    shape = x.shape
    return slice(
        x,
        start=tuple(max(n - 1, 0) if i in axes else 0 for i, n in enumerate(shape)),
        stop=tuple((-1 if n else 0) if i in axes else n for i, n in enumerate(shape)),
        step=tuple(-1 if i in axes else 1 for i in range(len(shape))),
    )


def expand_dims(x: Node, axis: int) -> Node:
    """A new axis of size 1."""
    at = axis % (len(x.shape) + 1)
    return reshape(x, shape=(*x.shape[:at], 1, *x.shape[at:]))


def index_axis(x: Node, axis: int, i: int) -> Node:
    """One element of an axis; the axis goes."""
    part = narrow(x, axis, i, 1)
    return reshape(part, shape=(*x.shape[:axis], *x.shape[axis + 1 :]))


def swap(x: Node, a: int, b: int) -> Node:
    """Two axes exchanged."""
    order = list(range(len(x.shape)))
    order[a], order[b] = order[b], order[a]
    return permute(x, order=tuple(order))


def stack(xs: Sequence[Node], axis: int = 0) -> Node:
    """Equal shapes along a new axis."""
    return cat(*(expand_dims(x, axis) for x in xs), axis=axis % (len(xs[0].shape) + 1))


def triangle(rows: int, columns: int, diagonal: int = 0) -> Node:
    """bool[rows, columns]: true on and below a diagonal, j − i ≤ diagonal."""
    i = expand_dims(iota(length=rows, dtype=dtypes.int64), 1)
    j = expand_dims(iota(length=columns, dtype=dtypes.int64), 0)
    return j <= i + convert(diagonal, dtypes.int64)
