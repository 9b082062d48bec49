"""`keras.ops`: making arrays, changing their shape, joining and choosing."""

from __future__ import annotations

import builtins
import math
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np

from chainrule import dtypes
from chainrule.keras.arrays import to_tensor
from chainrule.keras.ops.promotion import (
    result_type,
    together,
    type_of,
)
from chainrule.keras.settings import floatx, to_dtype
from chainrule.keras.symbolic import KerasTensor, apply, function
from chainrule.nn import functional as F
from chainrule.tensor import Tensor, creation, fromdata
from chainrule.tensor import functions as T

# Making -------------------------------------------------------------------------------------------


def convert_to_tensor(x: Any, dtype: Any = None, sparse: Any = None, ragged: Any = None) -> Any:
    """A tensor of an array, a number or nested lists."""
    if isinstance(x, KerasTensor):
        return x
    return to_tensor(x, None if dtype is None else to_dtype(dtype))


def convert_to_numpy(x: Any) -> np.ndarray:
    """The values as a NumPy array."""
    if not isinstance(x, Tensor):
        return np.asarray(x)
    return np.array(x.detach().numpy(force=True))


def array(x: Any, dtype: Any = None) -> Any:
    """`convert_to_tensor`."""
    return convert_to_tensor(x, dtype)


def sizes(shape: Any) -> tuple[int, ...]:
    """A shape out of a number, numbers or a tensor."""
    if isinstance(shape, int | np.integer):
        return (int(shape),)
    if isinstance(shape, Tensor) and not shape.ndim:
        return (int(shape.item()),)
    return tuple(int(n) for n in shape)


def zeros(shape: Any, dtype: Any = None) -> Tensor:
    """All zero."""
    return creation.zeros(sizes(shape), dtype=to_dtype(dtype))


def ones(shape: Any, dtype: Any = None) -> Tensor:
    """All one."""
    return creation.ones(sizes(shape), dtype=to_dtype(dtype))


def empty(shape: Any, dtype: Any = None) -> Tensor:
    """Zeros: no numbers are left to chance."""
    return zeros(shape, dtype)


def full(shape: Any, fill_value: Any, dtype: Any = None) -> Tensor:
    """All the same."""
    if isinstance(fill_value, int | float):
        return creation.full(sizes(shape), fill_value, dtype=to_dtype(dtype))
    return to_tensor(fill_value).to(to_dtype(dtype)).expand(sizes(shape))


def _like(x: Any, dtype: Any) -> Any:
    return to_tensor(x).dtype if dtype is None else to_dtype(dtype)


@function
def zeros_like(x: Any, dtype: Any = None) -> Any:
    """Zeros of the same shape."""
    return creation.zeros_like(to_tensor(x), dtype=_like(x, dtype))


@function
def ones_like(x: Any, dtype: Any = None) -> Any:
    """Ones of the same shape."""
    return creation.ones_like(to_tensor(x), dtype=_like(x, dtype))


@function
def empty_like(x: Any, dtype: Any = None) -> Any:
    """`zeros_like`."""
    return creation.zeros_like(to_tensor(x), dtype=_like(x, dtype))


@function
def full_like(x: Any, fill_value: Any, dtype: Any = None) -> Any:
    """The same number everywhere, in the same shape."""
    return full(tuple(to_tensor(x).shape), fill_value, _like(x, dtype))


def eye(N: Any, M: Any = None, k: Any = 0, dtype: Any = None) -> Tensor:
    """Ones on a diagonal."""
    rows, columns = int(N), None if M is None else int(M)
    made: Tensor = fromdata.from_owned(np.eye(rows, columns, int(k), np.float32))
    return made.to(to_dtype(dtype))


def identity(n: Any, dtype: Any = None) -> Tensor:
    """Ones on the diagonal of a square."""
    return eye(n, dtype=dtype)


def tri(N: Any, M: Any = None, k: int = 0, dtype: Any = None) -> Tensor:
    """Ones on and below a diagonal."""
    made: Tensor = fromdata.from_owned(np.tri(N, M, k, np.float32))
    return made.to(to_dtype(dtype))


def arange(start: Any, stop: Any = None, step: Any = None, dtype: Any = None) -> Tensor:
    """Numbers at equal distances."""
    given = [v for v in (start, stop, step) if v is not None]
    if dtype is None:
        kinds = [getattr(v, "dtype", type(v)) for v in given]
        dtype = result_type(*(k if k is not int else "int32" for k in kinds))
    if stop is None:
        start, stop = 0, start
    numbers = [float(v) if isinstance(v, Tensor) and v.dtype.is_floating_point else
               int(v) if isinstance(v, Tensor) else v
               for v in (start, stop, 1 if step is None else step)]  # fmt: skip
    made = np.arange(*numbers)
    return fromdata.from_owned(made).to(to_dtype(dtype))


def _spaced(x: Any) -> Any:
    return x.detach().numpy() if isinstance(x, Tensor) else x


def linspace(
    start: Any, stop: Any, num: int = 50, endpoint: bool = True, retstep: bool = False,
    dtype: Any = None, axis: int = 0,
) -> Any:  # fmt: skip
    """`num` numbers from start to stop (and the distance between two)."""
    wanted = to_dtype(_space_type(start, stop, dtype))
    a, b = _spaced(start), _spaced(stop)
    if isinstance(start, KerasTensor) or isinstance(stop, KerasTensor):
        return apply("linspace", start, stop, num=num, endpoint=endpoint, dtype=dtype, axis=axis)
    made, step = np.linspace(a, b, num, endpoint=endpoint, retstep=True, axis=axis)
    out = fromdata.from_owned(np.asarray(made)).to(wanted)
    return (out, fromdata.from_owned(np.asarray(step)).to(wanted)) if retstep else out


function(linspace)


def _space_type(start: Any, stop: Any, dtype: Any) -> Any:
    if dtype is not None:
        return dtype
    return result_type(type_of(start), type_of(stop), float)


def logspace(
    start: Any, stop: Any, num: int = 50, endpoint: bool = True, base: Any = 10, dtype: Any = None,
    axis: int = 0,
) -> Any:  # fmt: skip
    """`num` powers of `base` with exponents from start to stop."""
    return _logspace(start, stop, num=num, endpoint=endpoint, base=base, dtype=dtype, axis=axis)


@function
def _logspace(start: Any, stop: Any, **options: Any) -> Any:
    dtype, base = options.pop("dtype"), options.pop("base")
    wanted = to_dtype(_space_type(start, stop, dtype))
    made = np.logspace(
        _spaced(start), _spaced(stop), options["num"], options["endpoint"], base,
        axis=options["axis"],
    )  # fmt: skip
    return fromdata.from_owned(made).to(wanted)


def geomspace(
    start: Any, stop: Any, num: int = 50, endpoint: bool = True, dtype: Any = None, axis: int = 0
) -> Any:
    """`num` numbers from start to stop, each so many times the one before."""
    return _geomspace(start, stop, num=num, endpoint=endpoint, dtype=dtype, axis=axis)


@function
def _geomspace(start: Any, stop: Any, **options: Any) -> Any:
    wanted = to_dtype(_space_type(start, stop, options.pop("dtype")))
    made = np.geomspace(_spaced(start), _spaced(stop), **options)
    return fromdata.from_owned(np.asarray(made)).to(wanted)


def _window(name: str, f: Callable[[int], np.ndarray]) -> Any:
    def call(x: Any) -> Any:
        return fromdata.from_owned(f(int(x))).to(to_dtype(floatx()))

    call.__name__ = call.__qualname__ = name
    call.__doc__ = f"NumPy's window `{name}` of x points."
    return function(call)


bartlett, hamming = _window("bartlett", np.bartlett), _window("hamming", np.hamming)
hanning, blackman = _window("hanning", np.hanning), _window("blackman", np.blackman)


@function
def kaiser(x: Any, beta: Any) -> Any:
    """NumPy's window `kaiser` of x points."""
    return fromdata.from_owned(np.kaiser(int(x), float(beta))).to(to_dtype(floatx()))


@function
def meshgrid(*x: Any, indexing: str = "xy") -> Any:
    """Coordinates of a grid; the first two axes change places unless indexing is "ij"."""
    if indexing not in ("xy", "ij"):
        raise ValueError(f"indexing parameter must be 'xy' or 'ij', got {indexing!r}")
    axes = [to_tensor(a).reshape(-1) for a in x]
    n = len(axes)
    swapped = indexing == "xy" and n > 1
    order = [1, 0, *range(2, n)] if swapped else list(range(n))
    shape = [int(axes[i].shape[0]) for i in order]
    out = []
    for i, a in enumerate(axes):
        place = [1] * n
        place[order.index(i)] = -1
        out.append(a.reshape(place).expand(tuple(shape)))
    return out


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


# Choosing -----------------------------------------------------------------------------------------


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
