"""The array functions at TensorFlow's top level: making, shaping, joining, choosing."""

from __future__ import annotations

import builtins
from typing import Any

import numpy as np

from chainrule import dtypes
from chainrule.data import elements as E
from chainrule.data.elements import TensorShape, as_type
from chainrule.data.errors import InvalidArgumentError
from chainrule.nn import functional as F
from chainrule.strings import StringTensor, made
from chainrule.tensor import Tensor, creation, fromdata
from chainrule.tensor import functions as T
from chainrule.tensorflow.convert import (
    axes,
    floating,
    known,
    like,
    pair,
    shape_tensor,
    sizes,
    stacked,
    symbolic,
    tensor,
)

newaxis = None

# Making -------------------------------------------------------------------------------------------


def constant(value: Any, dtype: Any = None, shape: Any = None, name: Any = "Const") -> Any:
    """A tensor of known numbers or strings: floats are float32, whole numbers int32."""
    made = tensor(value, dtype)
    if isinstance(made, Tensor) and dtype is None and not isinstance(value, Tensor):
        made = made.detach()
    if shape is None:
        return made
    wanted = sizes(shape)
    if made.ndim == 0 or (made.numel() == 1 and np.prod(wanted) != 1):
        return made.reshape(()).expand(wanted)
    return made.reshape(wanted)


def convert_to_tensor(
    value: Any, dtype: Any = None, dtype_hint: Any = None, name: str | None = None
) -> Any:
    """`value` as a tensor; a variable gives its value."""
    return tensor(value, dtype)


@symbolic
def cast(x: Any, dtype: Any, name: str | None = None) -> Any:
    """In another type; truth values become 0 and 1."""
    made = tensor(x)
    wanted = as_type(dtype)
    return made if made.dtype is wanted else made.to(wanted)


@symbolic
def identity(input: Any, name: str | None = None) -> Any:
    """The same values."""
    return T.clone(input) if isinstance(input, Tensor) else tensor(input)


@symbolic
def stop_gradient(input: Any, name: str | None = None) -> Any:
    """The same values, without their derivative."""
    return tensor(input).detach()


def zeros(
    shape: Any, dtype: Any = dtypes.float32, name: str | None = None, layout: Any = None
) -> Any:
    """All zero (empty strings)."""
    if as_type(dtype) == "string":
        return made(np.full(sizes(shape), b"", object))
    return creation.zeros(sizes(shape), dtype=as_type(dtype))


def ones(
    shape: Any, dtype: Any = dtypes.float32, name: str | None = None, layout: Any = None
) -> Tensor:
    """All one."""
    return creation.ones(sizes(shape), dtype=as_type(dtype))


def fill(dims: Any, value: Any, name: str | None = None, layout: Any = None) -> Any:
    """All the same value."""
    one = tensor(value)
    if isinstance(one, StringTensor):
        return made(np.full(sizes(dims), one.array.item(), object))
    return one.expand(sizes(dims))


@symbolic
def zeros_like(input: Any, dtype: Any = None, name: str | None = None, layout: Any = None) -> Any:
    """Zeros in the shape and type of `input`."""
    x = tensor(input)
    return creation.zeros(tuple(x.shape), dtype=x.dtype if dtype is None else as_type(dtype))


@symbolic
def ones_like(input: Any, dtype: Any = None, name: str | None = None, layout: Any = None) -> Any:
    """Ones in the shape and type of `input`."""
    x = tensor(input)
    return creation.ones(tuple(x.shape), dtype=x.dtype if dtype is None else as_type(dtype))


def eye(
    num_rows: Any, num_columns: Any = None, batch_shape: Any = None, dtype: Any = dtypes.float32,
    name: str | None = None,
) -> Tensor:  # fmt: skip
    """Ones on the diagonal, for every entry of a batch."""
    one: Tensor = fromdata.from_owned(
        np.eye(int(num_rows), None if num_columns is None else int(num_columns),
               dtype=as_type(dtype).np)
    )  # fmt: skip
    return one if batch_shape is None else one.expand((*sizes(batch_shape), *one.shape))


def range(
    start: Any, limit: Any = None, delta: Any = 1, dtype: Any = None, name: str | None = None
) -> Any:
    """start, start + delta, … below limit; `range(limit)` begins at 0."""
    if limit is None:
        start, limit = 0, start
    given = (start, limit, delta)
    array = np.arange(*(_number(p) for p in given))
    if dtype is None:
        dtype = next((p.dtype for p in given if isinstance(p, Tensor)), None)
    if dtype is not None:
        return fromdata.from_owned(array.astype(as_type(dtype).np))
    small = {"f": np.float32, "i": np.int32}
    return fromdata.from_owned(array.astype(small[array.dtype.kind]))


def _number(x: Any) -> Any:
    return x.detach()._concrete().item() if isinstance(x, Tensor) else x


def linspace(start: Any, stop: Any, num: Any, name: str | None = None, axis: int = 0) -> Tensor:
    """`num` numbers from start to stop, both among them."""
    a, b = _number(start), _number(stop)
    if not np.ndim(a) and not np.ndim(b):
        wanted = start.dtype if isinstance(start, Tensor) else dtypes.float32
        return fromdata.from_owned(np.linspace(a, b, int(num)).astype(wanted.np))
    return fromdata.from_owned(np.linspace(a, b, int(num), axis=axis).astype(np.float32))


def meshgrid(*args: Any, indexing: str = "xy", name: str | None = None) -> list[Tensor]:
    """Coordinates of a grid; the first two axes change places unless indexing is "ij"."""
    return list(creation.meshgrid(*(tensor(a) for a in args), indexing=indexing))


@symbolic
def one_hot(
    indices: Any, depth: Any, on_value: Any = None, off_value: Any = None, axis: Any = None,
    dtype: Any = None, name: str | None = None,
) -> Any:  # fmt: skip
    """Rows with `on_value` at an index and `off_value` elsewhere; indices outside give none."""
    x = tensor(indices)
    wanted = dtypes.float32 if dtype is None else as_type(dtype)
    places = creation.arange(int(depth), dtype=x.dtype)
    axis = -1 if axis is None else int(axis)
    where_ = axis % (x.ndim + 1)
    shape_ = [1] * (x.ndim + 1)
    shape_[where_] = int(depth)
    hit = x.unsqueeze(where_) == places.reshape(shape_)
    if on_value is None and off_value is None:
        return hit.to(wanted)
    on, off = tensor(1 if on_value is None else on_value, wanted), tensor(off_value or 0, wanted)
    return T.where(hit, on, off)


# Shapes -------------------------------------------------------------------------------------------


def shape(input: Any, out_type: Any = dtypes.int32, name: str | None = None) -> Any:
    """The sizes as a tensor; its entries are whole numbers that programs may compute with."""
    x = input if hasattr(input, "shape") else tensor(input)
    if any(n is None for n in x.shape):
        return tuple(x.shape)
    return shape_tensor(tuple(x.shape), out_type)


def shape_n(input: Any, out_type: Any = dtypes.int32, name: str | None = None) -> list[Any]:
    """`shape` of several tensors."""
    return [shape(x, out_type) for x in input]


@symbolic
def size(input: Any, out_type: Any = dtypes.int32, name: str | None = None) -> Any:
    """How many elements there are."""
    x = tensor(input)
    return fromdata.from_owned(np.array(int(np.prod(tuple(x.shape))), as_type(out_type).np))


def rank(input: Any, name: str | None = None) -> Any:
    """How many axes there are."""
    return fromdata.from_owned(np.array(len(tensor(input).shape), np.int32))


@symbolic
def reshape(tensor: Any, shape: Any, name: str | None = None) -> Any:
    """The same elements in another shape; one size may be -1."""
    return _tensor(tensor).reshape(sizes(shape))


_tensor = tensor


@symbolic
def expand_dims(input: Any, axis: Any, name: str | None = None) -> Any:
    """A new axis of size 1."""
    x = tensor(input)
    if isinstance(x, StringTensor):
        return made(np.expand_dims(x.array, axes(axis)))
    return x.unsqueeze(int(axes(axis)))


@symbolic
def squeeze(input: Any, axis: Any = None, name: str | None = None) -> Any:
    """Without axes of size 1: all of them, or those named (InvalidArgumentError otherwise)."""
    x = tensor(input)
    if isinstance(x, StringTensor):
        return made(np.squeeze(x.array, axes(axis)))
    if axis is None or (isinstance(axis, list | tuple) and not axis):
        return x.squeeze()
    where_ = axes(axis)
    for a in (where_,) if isinstance(where_, int) else where_:
        if x.shape[a] != 1:
            raise InvalidArgumentError(
                f"Can not squeeze dim[{a}], expected a dimension of 1, got {x.shape[a]}"
            )
    return x.squeeze(where_)


@symbolic
def transpose(a: Any, perm: Any = None, conjugate: bool = False, name: str | None = None) -> Any:
    """The axes in another order, by default reversed."""
    x = tensor(a)
    order = tuple(reversed(builtins.range(x.ndim))) if perm is None else axes(perm)
    out = x.permute(order)
    return T.conj(out) if conjugate and x.dtype.is_complex else out


@symbolic
def broadcast_to(input: Any, shape: Any, name: str | None = None) -> Any:
    """Sizes of 1 repeated up to `shape`."""
    return tensor(input).expand(sizes(shape))


def broadcast_static_shape(shape_x: Any, shape_y: Any) -> TensorShape:
    """The shape of x + y."""
    return TensorShape(np.broadcast_shapes(tuple(shape_x), tuple(shape_y)))


def broadcast_dynamic_shape(shape_x: Any, shape_y: Any) -> Any:
    """The shape of x + y, as a tensor."""
    return shape_tensor(np.broadcast_shapes(sizes(shape_x), sizes(shape_y)))


def ensure_shape(x: Any, shape: Any, name: str | None = None) -> Any:
    """`x`, whose shape has to fit; InvalidArgumentError otherwise."""
    if not TensorShape(shape).is_compatible_with(x.shape):
        raise InvalidArgumentError(
            f"Shape of tensor {list(x.shape)} is not compatible with expected shape "
            f"{TensorShape(shape).as_list()}."
        )
    return x


# Joining ------------------------------------------------------------------------------------------


@symbolic
def concat(values: Any, axis: Any, name: str | None = None) -> Any:
    """One after the other along `axis`."""
    axis = int(axes(axis))
    if isinstance(values, Tensor):
        values = [values]
    if any(isinstance(v, StringTensor) or _is_strings(v) for v in values):
        return made(np.concatenate([tensor(v).array for v in values], axis))
    given = [v for v in values if isinstance(v, Tensor)]
    parts = [v if isinstance(v, Tensor) else like(v, given[0]) if given else tensor(v)
             for v in values]  # fmt: skip
    arrays = known(*parts) if all(p.ndim == 1 for p in parts) else None
    if arrays is not None:
        return fromdata.from_owned(np.concatenate(arrays))
    return T.cat(parts, axis)


def _is_strings(v: Any) -> bool:
    return isinstance(v, str | bytes) or bool(isinstance(v, list) and v and isinstance(v[0], str))


@symbolic
def stack(values: Any, axis: int = 0, name: str | None = None) -> Any:
    """Along a new axis."""
    parts = [tensor(v) for v in values]
    if parts and isinstance(parts[0], StringTensor):
        return made(np.stack([p.array for p in parts], axis))
    given = [v for v in values if isinstance(v, Tensor)]
    if given:
        parts = [p if isinstance(v, Tensor) else like(v, given[0])
                 for v, p in zip(values, parts, strict=True)]  # fmt: skip
    return stacked(parts, int(axis))


@symbolic
def unstack(value: Any, num: int | None = None, axis: int = 0, name: str | None = None) -> Any:
    """The slices along an axis."""
    x = tensor(value)
    return list(x) if isinstance(x, StringTensor) else list(T.unbind(x, axis))


@symbolic
def split(
    value: Any, num_or_size_splits: Any, axis: Any = 0, num: Any = None, name: str | None = None
) -> Any:
    """A number of equal parts, or parts of given sizes (-1: what is left)."""
    x, axis = tensor(value), int(axes(axis))
    whole = int(x.shape[axis])
    parts = axes(num_or_size_splits)
    if isinstance(parts, int):
        if whole % parts:
            raise InvalidArgumentError(
                f"Dimension size, {whole}, must be evenly divisible by num_split, {parts}"
            )
        parts = (whole // parts,) * parts
    elif -1 in parts:
        parts = tuple(whole - sum(parts) - 1 if n == -1 else n for n in parts)
    if isinstance(x, StringTensor):
        return [made(p) for p in np.split(x.array, np.cumsum(parts)[:-1], axis)]
    return list(T.split(x, list(parts), axis))


@symbolic
def tile(input: Any, multiples: Any, name: str | None = None) -> Any:
    """Repeated along every axis."""
    x = tensor(input)
    if isinstance(x, StringTensor):
        return made(np.tile(x.array, sizes(multiples)))
    return T.tile(x, sizes(multiples))


@symbolic
def repeat(input: Any, repeats: Any, axis: Any = None, name: str | None = None) -> Any:
    """Every element several times."""
    x = tensor(input)
    if isinstance(x, StringTensor):
        return made(np.repeat(x.array, _number_or_array(repeats), axis))
    if axis is None:
        x, axis = x.reshape(-1), 0
    n = _number_or_array(repeats)
    if np.ndim(n) == 1 and len(n) == 1:
        n = int(n[0])
    times = n if isinstance(n, int) else tensor(n, dtypes.int64)
    return T.repeat_interleave(x, times, int(axis))


def _number_or_array(x: Any) -> Any:
    if isinstance(x, Tensor):
        array = x._concrete()
        return array if array.ndim else int(array)
    return int(x) if np.ndim(x) == 0 else np.asarray(x)


@symbolic
def pad(
    tensor: Any, paddings: Any, mode: str = "CONSTANT", constant_values: Any = 0,
    name: str | None = None,
) -> Any:  # fmt: skip
    """More elements at the edges: a constant, or the tensor's own, mirrored."""
    x = _tensor(tensor)
    pairs = E.raw(paddings).tolist() if not isinstance(paddings, list | tuple) else [
        [int(n) for n in p] for p in paddings
    ]  # fmt: skip
    if isinstance(x, StringTensor):
        return made(np.pad(x.array, pairs, constant_values=constant_values or b""))
    if mode.upper() == "CONSTANT":
        flat = [n for p in reversed(pairs) for n in p]
        return F.pad(x, flat, value=_number(constant_values))
    for axis, (before, after) in enumerate(pairs):
        if before or after:
            skip = 1 if mode.upper() == "REFLECT" else 0  # SYMMETRIC repeats the edge
            n = int(x.shape[axis])
            order = np.concatenate([
                np.arange(before)[::-1] + skip, np.arange(n), n - 1 - skip - np.arange(after)
            ])  # fmt: skip
            x = T.index_select(x, axis, fromdata.from_owned(order))
    return x


@symbolic
def reverse(tensor: Any, axis: Any, name: str | None = None) -> Any:
    """In reverse order along some axes."""
    x, where_ = _tensor(tensor), axes(axis)
    where_ = (where_,) if isinstance(where_, int) else where_
    if isinstance(x, StringTensor):
        return made(np.flip(x.array, where_))
    return T.flip(x, where_)


@symbolic
def reverse_sequence(
    input: Any, seq_lengths: Any, seq_axis: Any = None, batch_axis: int = 0, name: str | None = None
) -> Any:
    """The first so many entries of every sequence in reverse order."""
    x = tensor(input).movedim((batch_axis, seq_axis), (0, 1))
    lengths = tensor(seq_lengths, dtypes.int64).unsqueeze(1)
    at = creation.arange(x.shape[1]).unsqueeze(0)
    order = T.where(at < lengths, lengths - 1 - at, at)
    out = T.gather(x, 1, order.reshape(*order.shape, *[1] * (x.ndim - 2)).expand(x.shape))
    return out.movedim((0, 1), (batch_axis, seq_axis))


@symbolic
def roll(input: Any, shift: Any, axis: Any, name: str | None = None) -> Any:
    """Moved along, what falls off coming back at the other end."""
    return T.roll(tensor(input), axes(shift), axes(axis))


# Choosing -----------------------------------------------------------------------------------------


@symbolic
def slice(input_: Any, begin: Any, size: Any, name: str | None = None) -> Any:
    """A part that begins at `begin` and has sizes `size` (-1: up to the end)."""
    x = tensor(input_)
    index = tuple(
        builtins.slice(b, None if n == -1 else b + n)
        for b, n in zip(sizes(begin), sizes(size), strict=True)
    )
    return x[index]


@symbolic
def strided_slice(
    input_: Any, begin: Any, end: Any, strides: Any = None, begin_mask: int = 0, end_mask: int = 0,
    ellipsis_mask: int = 0, new_axis_mask: int = 0, shrink_axis_mask: int = 0, var: Any = None,
    name: str | None = None,
) -> Any:  # fmt: skip
    """`x[b0:e0:s0, b1:e1:s1, …]`."""
    first, last = sizes(begin), sizes(end)
    step = (1,) * len(first) if strides is None else sizes(strides)
    index: list[Any] = []
    for i, (b, e, s) in enumerate(zip(first, last, step, strict=True)):
        bit = 1 << i
        if ellipsis_mask & bit:
            index.append(...)
        elif new_axis_mask & bit:
            index.append(None)
        elif shrink_axis_mask & bit:
            index.append(b)
        else:
            index.append(builtins.slice(None if begin_mask & bit else b,
                                        None if end_mask & bit else e, s))  # fmt: skip
    return tensor(input_)[tuple(index)]


@symbolic
def gather(
    params: Any, indices: Any, validate_indices: Any = None, axis: Any = None, batch_dims: int = 0,
    name: str | None = None,
) -> Any:  # fmt: skip
    """Entries of `params` along `axis` at `indices`; the first `batch_dims` axes go together."""
    x, i = tensor(params), tensor(indices, dtypes.int64)
    axis = batch_dims if axis is None else int(axes(axis))
    if isinstance(x, StringTensor):
        return made(np.take(x.array, i._concrete(), axis))
    axis %= x.ndim
    if batch_dims < 0:
        batch_dims += i.ndim
    if not batch_dims:
        flat = T.index_select(x, axis, i.reshape(-1))
        return flat.reshape(*x.shape[:axis], *i.shape, *x.shape[axis + 1 :])
    lead = tuple(x.shape[:batch_dims])
    moved = x.movedim(axis, batch_dims)  # (batch, n, rest)
    n, rest = int(moved.shape[batch_dims]), tuple(moved.shape[batch_dims + 1 :])
    b = int(np.prod(lead))
    offset = creation.arange(b) * n
    flat_i = (i.reshape(b, -1) + offset.unsqueeze(1)).reshape(-1)
    taken = T.index_select(moved.reshape(b * n, *rest), 0, flat_i)
    inner = tuple(i.shape[batch_dims:])
    out = taken.reshape(*lead, *inner, *rest)
    between = axis - batch_dims  # the axes that stood before `axis` go back there
    source = list(builtins.range(batch_dims + len(inner), batch_dims + len(inner) + between))
    return (
        out.movedim(source, list(builtins.range(batch_dims, batch_dims + between)))
        if between
        else out
    )


@symbolic
def gather_nd(params: Any, indices: Any, batch_dims: int = 0, name: str | None = None) -> Any:
    """`params[i, j, …]` for every row (i, j, …) of `indices`."""
    x, i = tensor(params), tensor(indices, dtypes.int64)
    if isinstance(x, StringTensor):
        return made(x.array[tuple(np.moveaxis(i._concrete(), -1, 0))])
    columns = list(T.unbind(i, -1))
    for axis in reversed(builtins.range(batch_dims)):
        at = creation.arange(int(x.shape[axis]))
        shape_ = [1] * columns[0].ndim
        shape_[axis] = -1
        columns.insert(0, at.reshape(shape_).expand(columns[-1].shape))
    return x[tuple(columns)]


def _flat_places(indices: Tensor, shape_: tuple[int, ...]) -> tuple[Tensor, tuple[int, ...]]:
    depth = int(indices.shape[-1])
    strides = [int(np.prod(shape_[k + 1 : depth])) for k in builtins.range(depth)]
    weights = fromdata.from_owned(np.array(strides, np.int64))
    return (indices * weights).sum(-1).reshape(-1), shape_[depth:]


def _scattered(base: Tensor, indices: Any, updates: Any, reduce: str | None) -> Tensor:
    i, u = tensor(indices, dtypes.int64), like(updates, base)
    shape_ = tuple(base.shape)
    places, inner = _flat_places(i, shape_)
    rows = base.reshape(-1, *inner)
    u = u.expand((*i.shape[:-1], *inner)).reshape(-1, *inner)
    if reduce == "sum":
        out = T.index_add(rows, 0, places, u)
    elif reduce is None:
        out = T.index_copy(rows, 0, places, u)
    else:
        out = T.index_reduce(rows, 0, places, u, reduce)
    return out.reshape(shape_)


@symbolic
def scatter_nd(indices: Any, updates: Any, shape: Any, name: str | None = None) -> Any:
    """Zeros with `updates` added at `indices`."""
    u = tensor(updates)
    return _scattered(creation.zeros(sizes(shape), dtype=u.dtype), indices, u, "sum")


@symbolic
def tensor_scatter_nd_update(tensor: Any, indices: Any, updates: Any, name: Any = None) -> Any:
    """`updates` in place of the entries at `indices`."""
    return _scattered(_tensor(tensor), indices, updates, None)


@symbolic
def tensor_scatter_nd_add(tensor: Any, indices: Any, updates: Any, name: Any = None) -> Any:
    """`updates` added to the entries at `indices`."""
    return _scattered(_tensor(tensor), indices, updates, "sum")


@symbolic
def tensor_scatter_nd_sub(tensor: Any, indices: Any, updates: Any, name: Any = None) -> Any:
    """`updates` taken from the entries at `indices`."""
    x = _tensor(tensor)
    return _scattered(x, indices, -like(updates, x), "sum")


@symbolic
def tensor_scatter_nd_max(tensor: Any, indices: Any, updates: Any, name: Any = None) -> Any:
    """The larger of `updates` and the entries at `indices`."""
    return _scattered(_tensor(tensor), indices, updates, "amax")


@symbolic
def tensor_scatter_nd_min(tensor: Any, indices: Any, updates: Any, name: Any = None) -> Any:
    """The smaller of `updates` and the entries at `indices`."""
    return _scattered(_tensor(tensor), indices, updates, "amin")


def boolean_mask(tensor: Any, mask: Any, axis: Any = None, name: str | None = None) -> Any:
    """The entries where `mask` holds."""
    x, m = _tensor(tensor), _tensor(mask, dtypes.bool_)
    if isinstance(x, StringTensor):
        return made(x.array[m._concrete()])
    axis = 0 if axis is None else int(axis)
    return x[(builtins.slice(None),) * axis + (m,)]


@symbolic
def where(condition: Any, x: Any = None, y: Any = None, name: str | None = None) -> Any:
    """x where the condition holds, else y; without them the places where it holds."""
    c = tensor(condition)
    c = c if c.dtype is dtypes.bool_ else c.to(dtypes.bool_)
    if x is None and y is None:
        return T.nonzero(c)
    a, b = pair(x, y)
    if isinstance(a, StringTensor):
        return made(np.where(c._concrete(), a.array, b.array))
    return T.where(c, a, b)


def unique(x: Any, out_idx: Any = dtypes.int32, name: str | None = None) -> tuple[Any, Any]:
    """The values in the order in which they come first, and where each element went."""
    given = tensor(x)
    array = given.array if isinstance(given, StringTensor) else given.detach()._concrete()
    values, first, inverse = np.unique(array, return_index=True, return_inverse=True)
    order = np.argsort(first, kind="stable")
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order))
    return E.wrap(values[order]), fromdata.from_owned(place[inverse].astype(as_type(out_idx).np))


def unique_with_counts(x: Any, out_idx: Any = dtypes.int32, name: Any = None) -> tuple[Any, ...]:
    """`unique`, and how often each value is there."""
    values, index = unique(x, out_idx)
    counts = np.bincount(index._concrete(), minlength=len(values)).astype(as_type(out_idx).np)
    return values, index, fromdata.from_owned(counts)


@symbolic
def sort(values: Any, axis: int = -1, direction: str = "ASCENDING", name: str | None = None) -> Any:
    """In order along `axis`."""
    return T.sort(tensor(values), axis, direction == "DESCENDING")[0]


@symbolic
def argsort(
    values: Any, axis: int = -1, direction: str = "ASCENDING", stable: bool = False,
    name: str | None = None,
) -> Any:  # fmt: skip
    """Where the elements stand in order."""
    x = tensor(values)
    return T.sort(x, axis, direction == "DESCENDING", stable=True)[1].to(dtypes.int32)


@symbolic
def argmax(
    input: Any, axis: Any = None, output_type: Any = dtypes.int64, name: str | None = None
) -> Any:
    """Where the largest element stands along `axis`, the first by default."""
    return T.argmax(tensor(input), int(axes(axis or 0))).to(as_type(output_type))


@symbolic
def argmin(
    input: Any, axis: Any = None, output_type: Any = dtypes.int64, name: str | None = None
) -> Any:
    """Where the smallest element stands along `axis`, the first by default."""
    return T.argmin(tensor(input), int(axes(axis or 0))).to(as_type(output_type))


@symbolic
def searchsorted(
    sorted_sequence: Any, values: Any, side: str = "left", out_type: Any = dtypes.int32,
    name: str | None = None,
) -> Any:  # fmt: skip
    """Where values would have to stand in a sorted sequence."""
    found = T.searchsorted(tensor(sorted_sequence), tensor(values), side=side)
    return found.to(as_type(out_type))


@symbolic
def sequence_mask(
    lengths: Any, maxlen: Any = None, dtype: Any = dtypes.bool_, name: str | None = None
) -> Any:
    """True at the first `length` places of every row."""
    n = tensor(lengths)
    longest = int(_number(n.max() if maxlen is None else maxlen))
    return (creation.arange(longest) < n.unsqueeze(-1)).to(as_type(dtype))


@symbolic
def cumsum(
    x: Any, axis: Any = 0, exclusive: bool = False, reverse: bool = False, name: str | None = None
) -> Any:
    """Running sums: without the element itself if exclusive, from the end if reverse."""
    t, axis = tensor(x), int(axes(axis))
    out = T.flip(T.cumsum(T.flip(t, (axis,)), axis), (axis,)) if reverse else T.cumsum(t, axis)
    return out - t if exclusive else out


@symbolic
def tensordot(a: Any, b: Any, axes: Any, name: str | None = None) -> Any:
    """Sums of products over the axes named."""
    x, y = pair(a, b)
    if isinstance(axes, int):
        return T.tensordot(x, y, axes)
    left, right = ([n] if isinstance(n, int) else [int(k) for k in n] for n in axes)
    return T.tensordot(x, y, (left, right))


@symbolic
def einsum_of(operands: Any, equation: str) -> Any:
    """`einsum`, with the operands in a list."""
    return T.einsum(equation, *(tensor(x) for x in operands))


def einsum(equation: str, *inputs: Any, **options: Any) -> Any:
    """Sums of products by Einstein's convention."""
    return einsum_of(list(inputs), equation)


@symbolic
def matmul(
    a: Any, b: Any, transpose_a: bool = False, transpose_b: bool = False, adjoint_a: bool = False,
    adjoint_b: bool = False, a_is_sparse: bool = False, b_is_sparse: bool = False,
    output_type: Any = None, name: str | None = None,
) -> Any:  # fmt: skip
    """The matrix product; each factor may be transposed first."""
    x, y = pair(a, b)
    x = x.transpose(-1, -2) if transpose_a else T.conj(x).transpose(-1, -2) if adjoint_a else x
    y = y.transpose(-1, -2) if transpose_b else T.conj(y).transpose(-1, -2) if adjoint_b else y
    return x @ y


@symbolic
def norm(
    tensor: Any,
    ord: Any = "euclidean",
    axis: Any = None,
    keepdims: bool = False,
    name: str | None = None,
) -> Any:
    """The length of vectors, or the size of matrices."""
    x = floating(tensor)
    where_ = axes(axis)
    if where_ is None:
        where_ = tuple(builtins.range(x.ndim))
    if ord in ("euclidean", "fro", 2):
        return T.sqrt((x * x).sum(where_, keepdim=keepdims))
    if ord == 1:
        return T.abs(x).sum(where_, keepdim=keepdims)
    if ord == np.inf:
        return T.abs(x).amax(where_, keepdim=keepdims)
    return (T.abs(x) ** ord).sum(where_, keepdim=keepdims) ** (1.0 / ord)


@symbolic
def clip_by_value(t: Any, clip_value_min: Any, clip_value_max: Any, name: str | None = None) -> Any:
    """Between two bounds."""
    return T.clamp(tensor(t), clip_value_min, clip_value_max)


@symbolic
def clip_by_norm(t: Any, clip_norm: Any, axes: Any = None, name: str | None = None) -> Any:
    """Scaled down to a length of at most `clip_norm`."""
    x = tensor(t)
    length = norm(x, axis=axes, keepdims=True)
    return x * (clip_norm / T.clamp(length, min=float(_number(clip_norm))))


def global_norm(t_list: Any, name: str | None = None) -> Any:
    """The length of all tensors together."""
    squares = [(tensor(t) * tensor(t)).sum() for t in t_list if t is not None]
    return T.sqrt(sum(squares[1:], squares[0]))


def clip_by_global_norm(
    t_list: Any, clip_norm: Any, use_norm: Any = None, name: str | None = None
) -> tuple[list[Any], Any]:
    """All tensors scaled down to a common length of at most `clip_norm`, and that length before."""
    length = global_norm(t_list) if use_norm is None else tensor(use_norm)
    scale = clip_norm / T.clamp(length, min=float(_number(clip_norm)))
    return [None if t is None else tensor(t) * scale for t in t_list], length
