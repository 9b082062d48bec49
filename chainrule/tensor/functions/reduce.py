"""Reductions, and functions of rows."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from chainrule import dtypes, ops, return_types, shapes
from chainrule.dtypes import DType
from chainrule.errors import DtypeError
from chainrule.ir.node import Node
from chainrule.tensor.fromdata import from_owned
from chainrule.tensor.functions.pointwise import (
    abs,
    clone,
    isclose,
    isnan,
    maximum,
    minimum,
    sign,
    sqrt,
    to_dtype,
    where,
)
from chainrule.tensor.functions.shape import reshape, squeeze
from chainrule.tensor.handle import Tensor
from chainrule.tensor.record import apply


def allclose(
    input: Tensor, other: Tensor, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False
) -> bool:
    """Whether all elements are close (a look)."""
    return bool(all(isclose(input, other, rtol, atol, equal_nan)))


def equal(input: Tensor, other: Tensor) -> bool:
    """Same shape, same elements (a look)."""
    return input._shape == other._shape and bool(all(input == other))


def is_nonzero(input: Tensor) -> bool:
    """Whether the one element is not 0."""
    return bool(input)


def _dims(dim: Any, ndim: int) -> tuple[int, ...]:
    if dim is None or (isinstance(dim, (tuple, list)) and not dim):
        return tuple(range(ndim))
    return shapes.axes(dim if isinstance(dim, int) else tuple(dim), ndim)


def _axis_names(dim: Any, keepdim: bool, kw: dict[str, Any]) -> tuple[Any, bool]:
    """PyTorch takes NumPy's `axis=` and `keepdims=` as well."""
    dim = kw.pop("axis", dim)
    if kw.get("out", kw) is None:  # np.mean(tensor) says so
        del kw["out"]
    keepdim = kw.pop("keepdims", keepdim)
    if kw:
        raise TypeError(f"got unexpected keyword arguments {sorted(kw)}")
    return dim, bool(keepdim)


def sum(
    input: Tensor, dim: Any = None, keepdim: bool = False, *, dtype: DType | None = None, **kw: Any
) -> Tensor:
    """Σ; integers and bools are summed as int64."""
    dim, keepdim = _axis_names(dim, keepdim, kw)
    return apply(ops.sum, _summable(input, dtype), axis=_dims(dim, input.ndim), keepdim=keepdim)


def _summable(x: Tensor, dtype: DType | None) -> Tensor:
    return to_dtype(x, dtype or (x._dtype if x._dtype.is_differentiable else dtypes.int64))


def nansum(
    input: Tensor, dim: Any = None, keepdim: bool = False, *, dtype: DType | None = None
) -> Tensor:
    """Σ without NaN."""
    return sum(where(isnan(input), 0, input), dim, keepdim, dtype=dtype)


def prod(
    input: Tensor, dim: Any = None, keepdim: bool = False, *, dtype: DType | None = None
) -> Tensor:
    """Π; integers and bools are multiplied as int64."""
    return apply(ops.prod, _summable(input, dtype), axis=_dims(dim, input.ndim), keepdim=keepdim)


def mean(
    input: Tensor, dim: Any = None, keepdim: bool = False, *, dtype: DType | None = None, **kw: Any
) -> Tensor:
    """Σ / n, of floating point numbers."""
    dim, keepdim = _axis_names(dim, keepdim, kw)
    x = input if dtype is None else to_dtype(input, dtype)
    if not x._dtype.is_differentiable:
        raise DtypeError(
            "mean(): could not infer output dtype. Input dtype must be either a floating point "
            f"or complex dtype. Got: {x._dtype}"
        )
    return apply(ops.mean, x, axis=_dims(dim, x.ndim), keepdim=keepdim)


def nanmean(input: Tensor, dim: Any = None, keepdim: bool = False) -> Tensor:
    """The mean without NaN."""
    there = ~isnan(input)
    return nansum(input, dim, keepdim) / sum(there, dim, keepdim)


def _correction(unbiased: Any, correction: Any) -> float:
    return (
        (1 if unbiased else 0)
        if unbiased is not None
        else (1 if correction is None else correction)
    )


def var(
    input: Tensor,
    dim: Any = None,
    unbiased: Any = None,
    keepdim: bool = False,
    *,
    correction: Any = None,
    **kw: Any,
) -> Tensor:
    """Σ (x − x̄)² / (n − correction); correction 1 unless told otherwise."""
    if isinstance(dim, bool):
        dim, unbiased = None, dim
    dim, keepdim = _axis_names(dim, keepdim, kw)
    if not input._dtype.is_differentiable:
        raise DtypeError("std and var only support floating point and complex dtypes")
    return apply(
        ops.var,
        input,
        axis=_dims(dim, input.ndim),
        correction=_correction(unbiased, correction),
        keepdim=keepdim,
    )


def std(
    input: Tensor,
    dim: Any = None,
    unbiased: Any = None,
    keepdim: bool = False,
    *,
    correction: Any = None,
    **kw: Any,
) -> Tensor:
    """The root of the variance."""
    return sqrt(var(input, dim, unbiased, keepdim, correction=correction, **kw))


def var_mean(
    input: Tensor,
    dim: Any = None,
    unbiased: Any = None,
    keepdim: bool = False,
    *,
    correction: Any = None,
) -> tuple[Tensor, Tensor]:
    """Both."""
    if isinstance(dim, bool):
        dim, unbiased = None, dim
    return var(input, dim, unbiased, keepdim, correction=correction), mean(input, dim, keepdim)


def std_mean(
    input: Tensor,
    dim: Any = None,
    unbiased: Any = None,
    keepdim: bool = False,
    *,
    correction: Any = None,
) -> tuple[Tensor, Tensor]:
    """Both."""
    if isinstance(dim, bool):
        dim, unbiased = None, dim
    return std(input, dim, unbiased, keepdim, correction=correction), mean(input, dim, keepdim)


def amax(input: Tensor, dim: Any = (), keepdim: bool = False) -> Tensor:
    """The largest; equal ones share the gradient."""
    return apply(ops.amax, input, axis=_dims(dim, input.ndim), keepdim=keepdim)


def amin(input: Tensor, dim: Any = (), keepdim: bool = False) -> Tensor:
    """The smallest; equal ones share the gradient."""
    return apply(ops.amin, input, axis=_dims(dim, input.ndim), keepdim=keepdim)


def aminmax(input: Tensor, *, dim: Any = None, keepdim: bool = False) -> Any:
    """Both."""
    d = () if dim is None else dim
    return return_types.aminmax((amin(input, d, keepdim), amax(input, d, keepdim)))


def _along(input: Tensor, dim: int, keepdim: bool, arg: Any, kind: Any) -> Any:
    d = shapes.axis(dim, input.ndim)
    if not input.ndim:
        return kind((clone(input), from_owned(np.zeros((), np.int64))))
    i: Tensor = apply(arg, input, axis=d)
    v: Tensor = apply(ops.take_along, input, i, axis=d)
    return kind((v, i)) if keepdim else kind((squeeze(v, d), squeeze(i, d)))


def max(input: Tensor, dim: Any = None, keepdim: bool = False, **kw: Any) -> Any:
    """The largest element; (values, indices) along an axis; elementwise with a second tensor."""
    dim, keepdim = _axis_names(dim, keepdim, {k: v for k, v in kw.items() if k != "other"})
    other = kw.get("other", dim)
    if isinstance(other, Tensor):
        return maximum(input, other)
    return amax(input) if dim is None else _along(input, dim, keepdim, ops.argmax, return_types.max)


def min(input: Tensor, dim: Any = None, keepdim: bool = False, **kw: Any) -> Any:
    """The smallest element; (values, indices) along an axis; elementwise with a second tensor."""
    dim, keepdim = _axis_names(dim, keepdim, {k: v for k, v in kw.items() if k != "other"})
    other = kw.get("other", dim)
    if isinstance(other, Tensor):
        return minimum(input, other)
    return amin(input) if dim is None else _along(input, dim, keepdim, ops.argmin, return_types.min)


def _arg(input: Tensor, dim: Any, keepdim: bool, op: Any) -> Tensor:
    if dim is None:
        flat: Tensor = apply(op, reshape(input, -1), axis=0)
        return reshape(flat, (1,) * input.ndim if keepdim else ())
    d = shapes.axis(dim, input.ndim)
    if not input.ndim:
        return from_owned(np.zeros((), np.int64))
    i: Tensor = apply(op, input, axis=d)
    return i if keepdim else squeeze(i, d)


def argmax(input: Tensor, dim: Any = None, keepdim: bool = False, **kw: Any) -> Tensor:
    """Index of the first largest element (of all, or along an axis)."""
    dim, keepdim = _axis_names(dim, keepdim, kw)
    return _arg(input, dim, keepdim, ops.argmax)


def argmin(input: Tensor, dim: Any = None, keepdim: bool = False, **kw: Any) -> Tensor:
    """Index of the first smallest element (of all, or along an axis)."""
    dim, keepdim = _axis_names(dim, keepdim, kw)
    return _arg(input, dim, keepdim, ops.argmin)


def any(input: Tensor, dim: Any = None, keepdim: bool = False, **kw: Any) -> Tensor:
    """Whether any is non-zero."""
    dim, keepdim = _axis_names(dim, keepdim, kw)
    out: Tensor = apply(ops.any_, input, axis=_dims(dim, input.ndim), keepdim=keepdim)
    return to_dtype(out, input._dtype) if input._dtype is dtypes.uint8 else out  # as PyTorch has it


def all(input: Tensor, dim: Any = None, keepdim: bool = False, **kw: Any) -> Tensor:
    """Whether all are non-zero."""
    dim, keepdim = _axis_names(dim, keepdim, kw)
    out: Tensor = apply(ops.all_, input, axis=_dims(dim, input.ndim), keepdim=keepdim)
    return to_dtype(out, input._dtype) if input._dtype is dtypes.uint8 else out  # as PyTorch has it


def count_nonzero(input: Tensor, dim: Any = None) -> Tensor:
    """How many are not 0."""
    return sum(input != 0, dim)


def logsumexp(input: Tensor, dim: Any, keepdim: bool = False) -> Tensor:
    """log Σ eˣ"""
    return apply(ops.logsumexp, input, axis=_dims(dim, input.ndim), keepdim=keepdim)


def norm(
    input: Tensor,
    p: Any = "fro",
    dim: Any = None,
    keepdim: bool = False,
    *,
    dtype: DType | None = None,
) -> Tensor:
    """(Σ |x|ᵖ)^(1/p); p = "nuc": Σ of the singular values of the matrices in two axes"""
    x = input if dtype is None else to_dtype(input, dtype)
    d = _dims(dim, x.ndim)
    if p == "nuc":
        return apply(_nuclear, x, axes=d if dim is None else tuple(dim), keepdim=keepdim)
    if p in ("fro", None, 2, 2.0):
        return apply(ops.norm2, x, axis=d, keepdim=keepdim)
    if p == math.inf:
        return amax(abs(x), d, keepdim)
    if p == -math.inf:
        return amin(abs(x), d, keepdim)
    if p == 0:
        return sum(sign(abs(x)), d, keepdim)
    if p == 1:
        return sum(abs(x), d, keepdim)
    return apply(_norm_of_order, x, axis=d, keepdim=keepdim, p=float(p))


def _norm_of_order(x: Node, *, axis: Any, keepdim: bool, p: float) -> Node:
    """Zeros have no part in the gradient, where powers would make infinities of them."""
    size = ops.abs(x)
    zero = ops.eq(size, 0)
    powers = ops.where(zero, 0.0 if p > 0 else math.inf, ops.pow(ops.where(zero, 1.0, size), p))
    total = ops.sum(powers, axis=axis, keepdim=keepdim)
    if p < 0:
        return ops.pow(total, 1.0 / p)
    nothing = ops.eq(total, 0)
    return ops.where(nothing, 0.0, ops.pow(ops.where(nothing, 1.0, total), 1.0 / p))


def _nuclear(x: Node, *, axes: tuple[int, ...], keepdim: bool) -> Node:
    if len(axes) != 2:
        raise RuntimeError(f'norm with p="nuc" takes two axes, got {len(axes)}')
    rest = [i for i in range(x.ndim) if i not in axes]
    s = ops.linalg.svdvals(ops.permute(x, order=(*rest, *axes)))
    found = ops.sum(s, axis=(s.ndim - 1,))
    shape = shapes.reduced(x.shape, axes, True)
    return ops.reshape(found, shape=shape) if keepdim else found


def dist(input: Tensor, other: Tensor, p: float = 2) -> Tensor:
    """The p-norm of the difference."""
    return norm(input - other, p)


def softmax(input: Tensor, dim: int, dtype: DType | None = None) -> Tensor:
    """eˣ / Σ eˣ along an axis"""
    x = input if dtype is None else to_dtype(input, dtype)
    return apply(ops.softmax, x, axis=shapes.axis(dim, x.ndim))


def log_softmax(input: Tensor, dim: int, dtype: DType | None = None) -> Tensor:
    """log of softmax, computed without it"""
    x = input if dtype is None else to_dtype(input, dtype)
    return apply(ops.log_softmax, x, axis=shapes.axis(dim, x.ndim))
