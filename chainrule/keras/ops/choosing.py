"""`keras.ops`: choosing elements, sorting, searching."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from chainrule import dtypes
from chainrule.keras.arrays import to_tensor
from chainrule.keras.ops.making import convert_to_numpy
from chainrule.keras.ops.promotion import (
    together,
)
from chainrule.keras.settings import floatx, to_dtype
from chainrule.keras.symbolic import function
from chainrule.tensor import fromdata
from chainrule.tensor import functions as T


@function
def take(x: Any, indices: Any, axis: Any = None) -> Any:
    """Elements at the given positions along `axis`."""
    x = to_tensor(x)
    if axis is None:
        x, axis = x.reshape(-1), 0
    i = to_tensor(indices).to(dtypes.int64)
    axis %= x.ndim
    n = int(x.shape[axis])
    i = T.where(i < 0, i + n, i)
    flat = T.index_select(x, axis, i.reshape(-1))
    return flat.reshape(*x.shape[:axis], *i.shape, *x.shape[axis + 1 :])


@function
def take_along_axis(x: Any, indices: Any, axis: Any = None) -> Any:
    """Elements at positions of their own for each row."""
    x, i = to_tensor(x), to_tensor(indices).to(dtypes.int64)
    if axis is None:
        x, i, axis = x.reshape(-1), i.reshape(-1), 0
    i = T.where(i < 0, i + int(x.shape[axis]), i)
    axis %= x.ndim
    lead = np.broadcast_shapes(
        *(tuple(1 if k == axis else int(n) for k, n in enumerate(t.shape)) for t in (x, i))
    )
    x = x.expand(tuple(int(x.shape[k]) if k == axis else n for k, n in enumerate(lead)))
    i = i.expand(tuple(int(i.shape[k]) if k == axis else n for k, n in enumerate(lead)))
    return T.gather(x, axis, i)


def where(condition: Any, x1: Any = None, x2: Any = None) -> Any:
    """x1 where the condition holds, else x2; without them the places where it holds."""
    if (x1 is None) != (x2 is None):
        raise ValueError(
            "`x1` and `x2` either both should be `None` or both should have non-None value."
        )
    return _where(condition, x1, x2)


@function
def _where(condition: Any, x1: Any, x2: Any) -> Any:
    c = to_tensor(condition).to(dtypes.bool_)
    if x1 is None:
        return tuple(p.to(dtypes.int32) for p in T.where(c))
    return T.where(c, *together(x1, x2))


@function
def nonzero(x: Any) -> Any:
    """The places of what is not 0, one tensor for each axis."""
    return tuple(p.to(dtypes.int32) for p in T.where(to_tensor(x) != 0))


@function
def select(condlist: Any, choicelist: Any, default: Any = 0) -> Any:
    """For every place the choice of the first condition that holds."""
    parts = together(*choicelist, default)
    out = parts[-1]
    for c, x in reversed(list(zip(condlist, parts[:-1], strict=True))):
        out = T.where(to_tensor(c).to(dtypes.bool_), x, out)
    return out


@function
def getitem(x: Any, key: Any) -> Any:
    """x[key]."""
    return to_tensor(x)[key]


get_item = getitem


@function
def sort(x: Any, axis: Any = -1) -> Any:
    """In ascending order."""
    x = to_tensor(x)
    if x.dtype is dtypes.bool_:
        return sort(x.to(dtypes.uint8), axis).to(dtypes.bool_)
    return T.sort(x.reshape(-1), 0)[0] if axis is None else T.sort(x, axis)[0]


@function
def argsort(x: Any, axis: Any = -1) -> Any:
    """The positions in ascending order of the elements."""
    x = to_tensor(x)
    if x.dtype is dtypes.bool_:
        x = x.to(dtypes.uint8)
    if axis is None:
        x, axis = x.reshape(-1), 0
    if not x.ndim:
        x = x.reshape(1)
    return T.sort(x, axis, stable=True)[1].to(dtypes.int32)


@function
def argpartition(x: Any, kth: int, axis: Any = -1) -> Any:
    """Positions of which the first `kth` are those of the smallest elements."""
    return argsort(x, axis)


@function
def searchsorted(sorted_sequence: Any, values: Any, side: str = "left") -> Any:
    """Where values would have to stand in a sorted row."""
    row = to_tensor(sorted_sequence)
    if row.ndim != 1:
        raise ValueError(
            "`searchsorted` only supports 1-D sorted sequences. You can use "
            "`keras.ops.vectorized_map` to extend it to N-D sequences. Received: "
            f"sorted_sequence.shape={tuple(row.shape)}"
        )
    row, found = together(row, to_tensor(values))
    return T.searchsorted(row, found, side=side).to(dtypes.int32)


@function
def digitize(x: Any, bins: Any) -> Any:
    """Between which edges each number lies."""
    x, edges = together(to_tensor(x), to_tensor(bins))
    return T.bucketize(x, edges, right=True).to(dtypes.int32)


def unique(
    x: Any, sorted: bool = True, return_index: bool = False, return_inverse: bool = False,
    return_counts: bool = False, axis: Any = None, size: Any = None, fill_value: Any = None,
) -> Any:  # fmt: skip
    """Every value once (and where it first stands, where each went, how often it is there)."""
    given = convert_to_numpy(x)
    found = np.unique(given, True, True, True, axis=axis)
    values, index, inverse, counts = found
    order = np.arange(len(counts)) if sorted else np.argsort(index, kind="stable")
    values, index, counts = np.take(values, order, axis or 0), index[order], counts[order]
    if not sorted:
        place = np.empty(len(order), np.int64)
        place[order] = np.arange(len(order))
        inverse = place[inverse]
    if size is not None:
        values, index, counts = _sized(values, index, counts, size, fill_value, axis or 0)
    wanted = [
        values, index if return_index else None, inverse if return_inverse else None,
        counts if return_counts else None,
    ]  # fmt: skip
    out = [
        fromdata.from_owned(np.asarray(w if i == 0 else w.astype(np.int32)))
        for i, w in enumerate(wanted)
        if w is not None
    ]
    return out[0] if len(out) == 1 else tuple(out)


def _sized(values: Any, index: Any, counts: Any, size: int, fill: Any, axis: int) -> Any:
    n = len(counts)
    if n >= size:
        return np.take(values, np.arange(size), axis), index[:size], counts[:size]
    more = [(0, 0)] * values.ndim
    more[axis] = (0, size - n)
    filled = (
        np.take(values, [0], axis)
        if fill is None
        else np.full_like(np.take(values, [0], axis), fill)
    )
    rest = np.repeat(filled, size - n, axis)
    values = np.concatenate([values, rest], axis)
    return values, np.pad(index, (0, size - n)), np.pad(counts, (0, size - n))


@function
def isin(x1: Any, x2: Any, assume_unique: bool = False, invert: bool = False) -> Any:
    """Whether each element is among those of x2."""
    a, b = together(x1, x2)
    hit = (a.unsqueeze(-1) == b.reshape(-1)).to(dtypes.uint8)
    found = hit.amax(-1).to(dtypes.bool_) if int(hit.shape[-1]) else hit.sum(-1).to(dtypes.bool_)
    return ~found if invert else found


@function
def unravel_index(indices: Any, shape: Any) -> Any:
    """The place along each axis of positions in one row."""
    i = to_tensor(indices)
    dtype = i.dtype
    i, out = i.to(dtypes.int64), []
    i = T.where(i < 0, i + math.prod(shape), i)
    for n in reversed(tuple(shape)):
        out.append((i % n).to(dtype))
        i = i // n
    return tuple(reversed(out))


def histogram(x: Any, bins: Any = 10, range: Any = None) -> Any:
    """How many numbers lie between edges, and the edges."""
    if not isinstance(bins, int) or bins < 0:
        raise ValueError(f"Argument `bins` must be a positive integer. Received: bins={bins}")
    if range is not None and (len(range) != 2 or range[0] > range[1]):
        raise ValueError(f"Invalid range: {range}: the lower bound comes first")
    values = convert_to_numpy(x)
    counts, edges = np.histogram(values, bins or 10, range or None)
    wanted = to_tensor(x).dtype
    kind = wanted if wanted.is_floating_point else to_dtype(floatx())
    return fromdata.from_owned(counts).to(
        kind if wanted.is_floating_point else dtypes.int32
    ), fromdata.from_owned(edges).to(kind)
