"""Reading and writing at indices."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from chainrule import dtypes, ops, shapes
from chainrule.errors import DtypeError
from chainrule.ir.node import Node
from chainrule.tensor.creation import as_tensor
from chainrule.tensor.fromdata import from_owned
from chainrule.tensor.functions.pointwise import clamp, clone, nonzero, to_dtype, where
from chainrule.tensor.functions.shape import (
    broadcast_tensors,
    diagonal,
    expand,
    narrow,
    reshape,
    select,
    stack,
)
from chainrule.tensor.handle import Tensor
from chainrule.tensor.indexing import check_range, put_at
from chainrule.tensor.mutate import assign
from chainrule.tensor.record import apply


def repeat_interleave(
    input: Tensor, repeats: Any = None, dim: int | None = None, *, output_size: Any = None
) -> Tensor:
    """Every element repeated on the spot."""
    if repeats is None:
        return repeat_interleave(from_owned(np.arange(input._shape[0])), input)
    x = reshape(input, -1) if dim is None else input
    d = 0 if dim is None else shapes.axis(dim, x.ndim)
    if isinstance(repeats, Tensor):
        counts = repeats._concrete()
        order = np.repeat(
            np.arange(x._shape[d]), counts if counts.size > 1 else int(counts.reshape(-1)[0])
        )
    else:
        order = np.repeat(np.arange(x._shape[d]), int(repeats))
    return index_select(x, d, from_owned(order.astype(np.int64)))


def gather(input: Tensor, dim: int, index: Tensor, *, sparse_grad: bool = False) -> Tensor:
    """y[i, j] = x[i, index[i, j]] for dim 1."""
    if not input.ndim and not index.ndim:
        return clone(input)
    x = reshape(input, 1) if not input.ndim else input
    d = shapes.axis(dim, x.ndim)
    check_range(index, d, x._shape[d], RuntimeError)
    if not index.numel():
        return reshape(narrow(reshape(x, -1), 0, 0, 0), index._shape)
    return apply(ops.take_along, x, index, axis=shapes.axis(dim, x.ndim))


def take_along_dim(input: Tensor, indices: Tensor, dim: int | None = None) -> Tensor:
    """`gather` with broadcasting."""
    if dim is None:
        return gather(reshape(input, -1), 0, reshape(indices, -1))
    d = shapes.axis(dim, input.ndim)
    common = list(
        shapes.broadcast(
            tuple(1 if i == d else n for i, n in enumerate(input._shape)),
            tuple(1 if i == d else n for i, n in enumerate(indices._shape)),
        )
    )
    wide = [n if i != d else input._shape[d] for i, n in enumerate(common)]
    narrow_ = [n if i != d else indices._shape[d] for i, n in enumerate(common)]
    return gather(expand(input, *wide), d, expand(indices, *narrow_))


def take(input: Tensor, index: Tensor) -> Tensor:
    """Elements of the flattened tensor."""
    return apply(ops.take, reshape(input, -1), index, axis=0)


def index_select(input: Tensor, dim: int, index: Tensor) -> Tensor:
    """Slices of an axis, in the order of a vector of indices."""
    if index.ndim > 1:
        raise IndexError("index_select(): Index is supposed to be a vector")
    x = reshape(input, 1) if not input.ndim else input
    out: Tensor = apply(ops.take, x, reshape(index, -1), axis=shapes.axis(dim, x.ndim))
    return out if input.ndim else reshape(out, ())


def masked_select(input: Tensor, mask: Tensor) -> Tensor:
    """Elements where a mask holds, as a vector (a look)."""
    x, m = broadcast_tensors(input, mask)
    return x[m] if x.ndim else reshape(x, 1)[reshape(m, 1)]


def masked_fill(input: Tensor, mask: Tensor, value: Any) -> Tensor:
    """`value` where the mask holds."""
    if mask._dtype is not dtypes.bool_:
        raise DtypeError(
            f"masked_fill_ only supports boolean masks, but got mask with dtype {mask._dtype}"
        )
    kind = value._dtype.is_complex if isinstance(value, Tensor) else isinstance(value, complex)
    if kind and not input._dtype.is_complex:
        raise RuntimeError(f"value cannot be converted to type {input._dtype} without overflow")
    if isinstance(value, Tensor):
        if value.ndim:
            raise RuntimeError(
                "masked_fill only supports a 0-dimensional value tensor, but got tensor with "
                f"{value.ndim} dimension(s)."
            )
        value = to_dtype(value, input._dtype)
    elif not input._dtype.is_floating_point:
        value = int(value)
    return apply(ops.where, mask, value, input)


def masked_scatter(input: Tensor, mask: Tensor, source: Tensor) -> Tensor:
    """Elements of `source`, in order, where the mask holds."""
    input, m = broadcast_tensors(input, mask)
    order = apply(ops.cumsum, reshape(m, -1).long(), axis=0) - 1
    picked = reshape(take(reshape(source, -1), clamp(order, min=0)), input._shape)
    return where(m, picked, input)


_MODES = {
    "add": "add",
    "multiply": "prod",
    "sum": "add",
    "prod": "prod",
    "amax": "amax",
    "amin": "amin",
    None: "set",
}


def scatter(
    input: Tensor,
    dim: int,
    index: Tensor,
    src: Any = None,
    *,
    value: Any = None,
    reduce: str | None = None,
) -> Tensor:
    """y = x, then y[i, index[i, j]] = src[i, j] for dim 1."""
    source = value if src is None else src
    if input.ndim:
        check_range(index, dim, input._shape[shapes.axis(dim, input.ndim)], RuntimeError)
    if not isinstance(source, Tensor):
        source = expand(as_tensor(source).to(input._dtype), *index._shape)
    if source._dtype is not input._dtype:
        raise DtypeError(
            f"scatter(): Expected self.dtype to be equal to src.dtype, got {input._dtype} and "
            f"{source._dtype}"
        )
    return apply(
        ops.scatter, input, index, source, axis=shapes.axis(dim, input.ndim), mode=_MODES[reduce]
    )


def scatter_add(input: Tensor, dim: int, index: Tensor, src: Tensor) -> Tensor:
    """y = x, then y[i, index[i, j]] += src[i, j] for dim 1."""
    return scatter(input, dim, index, src, reduce="add")


def scatter_reduce(
    input: Tensor, dim: int, index: Tensor, src: Tensor, reduce: str, *, include_self: bool = True
) -> Tensor:
    """`scatter` with sum, prod, mean, amax or amin."""
    d = shapes.axis(dim, input.ndim)
    base = input
    if not include_self:
        start = {"sum": 0.0, "mean": 0.0, "prod": 1.0, "amax": -math.inf, "amin": math.inf}[reduce]
        base = scatter(input, d, index, start)
    if reduce != "mean":
        return scatter(base, d, index, src, reduce=reduce)
    ones = (
        to_dtype(input == input, input._dtype)
        if include_self
        else scatter(input * 0 + 1, d, index, 0.0)
    )
    counts = scatter(ones.detach(), d, index, to_dtype(src == src, src._dtype), reduce="add")
    total = scatter(base, d, index, src, reduce="add") / clamp(counts, min=1)
    return total


def _indexed(f: Any) -> Any:
    """A number without axes is indexed as a vector of one."""

    @functools.wraps(f)
    def g(input: Tensor, dim: int, index: Tensor, source: Any, **kw: Any) -> Tensor:
        if input.ndim:
            return f(input, dim, index, source, **kw)
        vector = reshape(source, -1) if isinstance(source, Tensor) else source
        return reshape(f(reshape(input, 1), 0, reshape(index, -1), vector, **kw), ())

    return g


@_indexed
def index_add(
    input: Tensor, dim: int, index: Tensor, source: Tensor, *, alpha: float = 1
) -> Tensor:
    """y = x, then y[index[k]] += alpha · source[k]"""
    src = source if alpha == 1 else source * alpha
    return apply(ops.put, input, index, src, axis=shapes.axis(dim, input.ndim), mode="add")


@_indexed
def index_copy(input: Tensor, dim: int, index: Tensor, source: Tensor) -> Tensor:
    """y = x, then y[index[k]] = source[k]"""
    return apply(ops.put, input, index, source, axis=shapes.axis(dim, input.ndim), mode="set")


@_indexed
def index_fill(input: Tensor, dim: int, index: Tensor, value: Any) -> Tensor:
    """y = x, then y[index[k]] = value"""
    d = shapes.axis(dim, input.ndim)
    v = value if isinstance(value, Tensor) else as_tensor(value)
    return apply(
        _index_fill, input, reshape(index, -1), reshape(to_dtype(v, input._dtype), ()), axis=d
    )


def _index_fill(x: Node, i: Node, v: Node, *, axis: int) -> Node:
    n = x.shape[axis]
    none, hits = ops.full((n,), False, dtypes.bool_), ops.full(i.shape, True, dtypes.bool_)
    hit = ops.put(none, i, hits, axis=0, mode="set")
    return ops.where(ops.reshape(hit, shape=(n, *(1,) * (x.ndim - axis - 1))), v, x)


def index_put(
    input: Tensor, indices: Sequence[Tensor], values: Tensor, accumulate: bool = False
) -> Tensor:
    """y = x, then y[indices] = (or +=) values"""
    ts: list[Tensor] = []
    for i in indices:
        ts.extend(nonzero(i, as_tuple=True) if i._dtype is dtypes.bool_ else [i])
    mode = "add" if accumulate else "set"
    return apply(put_at, input, values, *ts, axes=tuple(range(len(ts))), mode=mode)


def select_scatter(input: Tensor, src: Tensor, dim: int, index: int) -> Tensor:
    """A copy with one slice replaced."""
    out = clone(input)
    select(out, dim, index).copy_(src)
    return out


def diagonal_scatter(
    input: Tensor, src: Tensor, offset: int = 0, dim1: int = 0, dim2: int = 1
) -> Tensor:
    """A copy with a diagonal replaced."""
    out = clone(input)
    diagonal(out, offset, dim1, dim2).copy_(src)
    return out


def one_hot(input: Tensor, num_classes: int = -1) -> Tensor:
    """int64: 1 at the index, in a new last axis."""
    if input._dtype.is_floating_point:
        raise DtypeError("one_hot is only applicable to index tensor of type LongTensor.")
    if num_classes == -1:
        num_classes = int(input._concrete().max()) + 1
    return apply(_one_hot, input, n=num_classes)


def _one_hot(i: Node, *, n: int) -> Node:
    return ops.one_hot(i, n, dtypes.int64)


def copy_into(target: Tensor, source: Tensor, *, uniform: bool = False) -> Tensor:
    """target[...] = source"""
    s: Tensor = source if isinstance(source, Tensor) else as_tensor(source)
    wide = expand(to_dtype(s, target._dtype), *target._shape)
    return assign(target, clone(wide), uniform=uniform)


def put(input: Tensor, index: Tensor, source: Tensor, accumulate: bool = False) -> Tensor:
    """y = x, then y.flatten()[index] = (or +=) source"""
    flat = index_put(reshape(input, -1), (reshape(index, -1),), reshape(source, -1), accumulate)
    return reshape(flat, input._shape)


def isin(
    elements: Any, test_elements: Any, *, assume_unique: bool = False, invert: bool = False
) -> Tensor:
    """Whether each element is one of `test_elements`."""
    x = elements if isinstance(elements, Tensor) else as_tensor(elements)
    among = test_elements if isinstance(test_elements, Tensor) else as_tensor(test_elements)
    hit: Tensor = apply(_isin, x, reshape(among, -1))
    return ~hit if invert else hit


def _isin(x: Node, among: Node) -> Node:
    return ops.any_(ops.eq(ops.expand_dims(x, x.ndim), among), axis=(x.ndim,))


def index_reduce(
    input: Tensor,
    dim: int,
    index: Tensor,
    source: Tensor,
    reduce: str,
    *,
    include_self: bool = True,
) -> Tensor:
    """`scatter_reduce` of whole slices: y = x, then y[index[k]] ← reduce(y[index[k]], source[k])"""
    d = shapes.axis(dim, input.ndim)
    wide = reshape(index, tuple(-1 if i == d else 1 for i in range(input.ndim)))
    return scatter_reduce(
        input, d, expand(wide, *source._shape), source, reduce, include_self=include_self
    )


def combinations(input: Tensor, r: int = 2, with_replacement: bool = False) -> Tensor:
    """All choices of r elements of a vector, one a row."""
    choose = itertools.combinations_with_replacement if with_replacement else itertools.combinations
    rows = np.array(list(choose(range(input._shape[0]), r)), np.int64).reshape(-1, r)
    out: Tensor = apply(ops.take, input, from_owned(rows), axis=0)
    return out


def cartesian_prod(*tensors: Tensor) -> Tensor:
    """All tuples of elements of vectors, one a row."""
    if len(tensors) == 1:
        return tensors[0]
    n = len(tensors)
    grid = tuple(t._shape[0] for t in tensors)
    columns = [
        expand(reshape(t, [-1 if i == k else 1 for i in range(n)]), *grid)
        for k, t in enumerate(tensors)
    ]
    return stack([reshape(c, -1) for c in columns], 1)
