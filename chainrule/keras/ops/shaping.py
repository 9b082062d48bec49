"""`keras.ops`: changing the shape of arrays, joining and splitting them."""

from __future__ import annotations

import builtins
import math
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np

from chainrule import dtypes
from chainrule.keras.arrays import to_tensor
from chainrule.keras.ops.making import sizes
from chainrule.keras.ops.promotion import (
    together,
)
from chainrule.keras.settings import to_dtype
from chainrule.keras.symbolic import KerasTensor, function
from chainrule.nn import functional as F
from chainrule.tensor import fromdata
from chainrule.tensor import functions as T

# Shapes -------------------------------------------------------------------------------------------


@function
def reshape(x: Any, newshape: Any) -> Any:
    """Another shape for the same elements; one size may be -1."""
    new = (newshape,) if isinstance(newshape, int) else tuple(newshape)
    new = tuple(-1 if n is None else int(n) for n in new)
    return to_tensor(x).reshape(new)


@function
def transpose(x: Any, axes: Any = None) -> Any:
    """Axes in another order, by default reversed."""
    x = to_tensor(x)
    return x.permute(tuple(axes) if axes is not None else tuple(reversed(range(x.ndim))))


@function
def expand_dims(x: Any, axis: Any) -> Any:
    """New axes of size 1."""
    x = to_tensor(x)
    where = axis if isinstance(axis, list | tuple) else (axis,)
    rank = x.ndim + len(where)
    for a in where:
        if not -rank <= a < rank:
            raise ValueError(f"axis {a} is out of bounds for {rank} axes")
    for a in sorted(a % rank for a in where):
        x = x.unsqueeze(a)
    return x


@function
def squeeze(x: Any, axis: Any = None) -> Any:
    """Without an axis of size 1 (or all of them)."""
    x = to_tensor(x)
    if axis is None:
        return x.squeeze()
    where = tuple(axis) if isinstance(axis, list | tuple) else (axis,)
    for a in where:
        if x.shape[a] != 1:
            raise ValueError(f"Cannot squeeze axis={a}, because the dimension is not 1.")
    return x.squeeze(where)


@function
def broadcast_to(x: Any, shape: Any) -> Any:
    """Sizes of 1 repeated up to `shape`."""
    return to_tensor(x).expand(tuple(shape))


@function
def swapaxes(x: Any, axis1: int, axis2: int) -> Any:
    """Two axes exchanged."""
    return to_tensor(x).transpose(axis1, axis2)


@function
def moveaxis(x: Any, source: Any, destination: Any) -> Any:
    """Axes at another place."""
    return to_tensor(x).movedim(source, destination)


@function
def ravel(x: Any) -> Any:
    """All elements along one axis."""
    return to_tensor(x).reshape(-1)


@function
def flip(x: Any, axis: Any = None) -> Any:
    """In reverse order."""
    x = to_tensor(x)
    axes = tuple(range(x.ndim)) if axis is None else (axis,) if isinstance(axis, int) else axis
    return T.flip(x, tuple(axes))


@function
def fliplr(x: Any) -> Any:
    """In reverse order along the second axis."""
    return T.flip(to_tensor(x), (1,))


@function
def flipud(x: Any) -> Any:
    """In reverse order along the first axis."""
    return T.flip(to_tensor(x), (0,))


@function
def rot90(array: Any, k: int = 1, axes: Any = (0, 1)) -> Any:
    """Turned k times by a quarter in the plane of two axes."""
    x = to_tensor(array)
    if x.ndim < 2:
        raise ValueError(
            f"Input array must have at least 2 dimensions. Received: array.ndim={x.ndim}"
        )
    if len(axes) != 2 or axes[0] == axes[1]:
        raise ValueError(f"Invalid axes: {axes}. Axes must be a tuple of two different dimensions.")
    return T.rot90(x, k, tuple(axes))


@function
def roll(x: Any, shift: Any, axis: Any = None) -> Any:
    """Moved along, what falls off coming back at the other end."""
    return T.roll(to_tensor(x), shift, axis)


@function
def tile(x: Any, repeats: Any) -> Any:
    """Repeated along each axis."""
    return T.tile(to_tensor(x), sizes(repeats))


@function
def repeat(x: Any, repeats: Any, axis: Any = None) -> Any:
    """Each element several times."""
    x = to_tensor(x)
    if axis is None:
        x, axis = x.reshape(-1), 0
    if not isinstance(repeats, int):
        times = to_tensor(repeats).to(dtypes.int64).reshape(-1)
        if times.shape[0] == 1:
            times = times.expand(int(x.shape[axis]))
        return T.repeat_interleave(x, times, axis)
    return T.repeat_interleave(x, repeats, axis)


@function
def pad(x: Any, pad_width: Any, mode: str = "constant", constant_values: Any = None) -> Any:
    """More elements at the edges; pairs per axis."""
    x = to_tensor(x)
    if constant_values is not None and mode != "constant":
        raise ValueError(
            "Argument `constant_values` can only be provided when `mode == 'constant'`. "
            f"Received: mode={mode}"
        )
    pairs = _pairs(pad_width, x.ndim)
    if mode == "constant":
        flat = [n for pair in reversed(pairs) for n in pair]
        value = 0 if constant_values is None else constant_values
        if x.dtype is dtypes.bool_:
            return F.pad(x.to(dtypes.uint8), flat, value=int(value)).to(dtypes.bool_)
        return F.pad(x, flat, value=value)
    for axis, (before, after) in enumerate(pairs):
        if before or after:
            order = np.pad(np.arange(int(x.shape[axis])), (before, after), mode=mode)  # type: ignore[call-overload]
            x = T.index_select(x, axis, fromdata.from_owned(order))
    return x


def _pairs(pad_width: Any, rank: int) -> list[tuple[int, int]]:
    if isinstance(pad_width, int):
        return [(pad_width, pad_width)] * rank
    items = [(w, w) if isinstance(w, int) else tuple(int(n) for n in w) for w in pad_width]
    if len(items) == 1:
        items = items * rank
    elif isinstance(pad_width[0], int) and len(pad_width) == 2 and rank != 2:
        items = [tuple(pad_width)] * rank
    items = [w * 2 if len(w) == 1 else w for w in items]
    return [(w[0], w[1]) for w in items]


@function
def tril(x: Any, k: int = 0) -> Any:
    """Zero above a diagonal."""
    return _triangle(to_tensor(x), k, T.tril)


@function
def triu(x: Any, k: int = 0) -> Any:
    """Zero below a diagonal."""
    return _triangle(to_tensor(x), k, T.triu)


def _triangle(x: Any, k: int, f: Callable[..., Any]) -> Any:
    if x.dtype is dtypes.bool_:
        return f(x.to(dtypes.uint8), k).to(dtypes.bool_)
    return f(x, k)


@function
def diag(x: Any, k: int = 0) -> Any:
    """The diagonal of a matrix, or the matrix with this diagonal."""
    return T.diag(to_tensor(x), k)


@function
def diagflat(x: Any, k: int = 0) -> Any:
    """The matrix with these numbers on a diagonal."""
    return T.diag(to_tensor(x).reshape(-1), k)


@function
def diagonal(x: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    """A diagonal of the matrices that lie in two axes."""
    x = to_tensor(x)
    if x.ndim < 2:
        raise ValueError(f"`diagonal` requires an array of at least two dimensions, got {x.shape}")
    return T.diagonal(x, offset, axis1, axis2)


@function
def trace(x: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    """The sum of a diagonal."""
    found = T.diagonal(to_tensor(x), offset, axis1, axis2)
    small = {"bool", "uint8", "int8", "int16"}
    wanted = dtypes.int32 if found.dtype.name in small else found.dtype
    return found.to(wanted).sum(-1).to(wanted)


# Joining and splitting ----------------------------------------------------------------------------


def _joined(xs: Any) -> list[Any]:
    return together(*xs) if len(xs) > 1 else [to_tensor(x) for x in xs]


@function
def concatenate(xs: Any, axis: int = 0) -> Any:
    """One after the other along `axis`."""
    return T.cat(_joined(list(xs)), axis)


@function
def stack(x: Any, axis: int = 0) -> Any:
    """Along a new axis."""
    return T.stack(_joined(list(x)), axis)


@function
def append(x1: Any, x2: Any, axis: Any = None) -> Any:
    """x2 after x1 (None: both as one row)."""
    a, b = together(x1, x2)
    return T.cat([a.reshape(-1), b.reshape(-1)]) if axis is None else T.cat([a, b], axis)


@function
def hstack(xs: Any) -> Any:
    """Side by side."""
    return T.hstack(_joined(list(xs)))


@function
def vstack(xs: Any) -> Any:
    """One below the other."""
    return T.vstack(_joined(list(xs)))


@function
def dstack(xs: Any) -> Any:
    """One behind the other."""
    return T.dstack(_joined(list(xs)))


def unstack(x: Any, num: int | None = None, axis: int = 0) -> Any:
    """The slices along `axis`."""
    if num is None and isinstance(x, KerasTensor) and x.shape[axis] is None:
        raise ValueError(
            f"Cannot infer argument `num` from shape {x.shape}. Either provide a tensor "
            "with a concrete shape in the `axis` dimension or explicitly pass the `num` "
            "argument."
        )
    return _unstack(x, num=num, axis=axis)


@function
def _unstack(x: Any, num: int | None, axis: int) -> Any:
    parts = list(T.unbind(to_tensor(x), axis))
    return parts if num is None else parts[:num]


@function
def split(x: Any, indices_or_sections: Any, axis: int = 0) -> Any:
    """Equal parts, or parts between the given positions."""
    x = to_tensor(x)
    size = int(x.shape[axis])
    if isinstance(indices_or_sections, int):
        if size % indices_or_sections:
            raise ValueError(
                f"{size} elements cannot be split into {indices_or_sections} equal parts"
            )
        return list(T.split(x, size // indices_or_sections, axis))
    edges = [builtins.min(int(i), size) for i in indices_or_sections]
    return list(T.split(x, [b - a for a, b in pairwise([0, *edges, size])], axis))


@function
def array_split(x: Any, indices_or_sections: Any, axis: int = 0) -> Any:
    """Parts of sizes as equal as can be."""
    x = to_tensor(x)
    if not isinstance(indices_or_sections, int):
        return split(x, indices_or_sections, axis)
    return list(T.tensor_split(x, indices_or_sections, axis))


@function
def hsplit(x: Any, indices_or_sections: Any) -> Any:
    """Parts side by side."""
    x = to_tensor(x)
    return split(x, indices_or_sections, 0 if x.ndim == 1 else 1)


@function
def vsplit(x: Any, indices_or_sections: Any) -> Any:
    """Parts one below the other."""
    return split(x, indices_or_sections, 0)


@function
def dsplit(x: Any, indices_or_sections: Any) -> Any:
    """Parts one behind the other."""
    return split(x, indices_or_sections, 2)


# Facts --------------------------------------------------------------------------------------------


def shape(x: Any) -> tuple[Any, ...]:
    """The shape as a tuple; open sizes of a symbolic tensor are None."""
    return tuple(x.shape) if hasattr(x, "shape") else tuple(to_tensor(x).shape)


def ndim(x: Any) -> int:
    """How many axes there are."""
    return len(shape(x))


def size(x: Any) -> Any:
    """How many elements there are."""
    known = shape(x)
    return None if None in known else math.prod(known)


def vectorize(pyfunc: Callable[..., Any], *, excluded: Any = None, signature: Any = None) -> Any:
    """A function of numbers as a function of tensors, element by element."""
    if signature is not None or excluded:
        raise NotImplementedError("vectorize here takes functions of numbers, all of them arrays")

    def vectorized(*args: Any) -> Any:
        parts = [to_tensor(a) for a in args]
        shape_ = np.broadcast_shapes(*(tuple(p.shape) for p in parts))
        flat = [p.expand(shape_).reshape(-1) for p in parts]
        rows = [pyfunc(*(f[i] for f in flat)) for i in range(math.prod(shape_))]
        if isinstance(rows[0], tuple):
            return tuple(T.stack(list(c)).reshape(shape_) for c in zip(*rows, strict=True))
        return T.stack(rows).reshape(shape_)

    return vectorized


@function
def view(x: Any, dtype: Any = None) -> Any:
    """The same bytes as numbers of another type."""
    return to_tensor(x) if dtype is None else to_tensor(x).view(to_dtype(dtype))


@function
def diff(a: Any, n: int = 1, axis: int = -1) -> Any:
    """Differences between neighbours, n times."""
    return T.diff(to_tensor(a), n, axis)
