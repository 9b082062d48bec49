"""Reductions and normalisations of what a mask lets through: `torch.masked`.

What is masked out takes the value that changes nothing (0 in a sum, −∞ in a maximum); then the
function without a mask is called.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from chainrule import dtypes, shapes
from chainrule.dtypes import DType
from chainrule.linalg import vector_norm
from chainrule.tensor import Tensor, functions
from chainrule.tensor.functions import to_dtype, where

Dims = int | tuple[int, ...] | list[int] | None


def _least(d: DType) -> float:
    return -math.inf if d.is_differentiable else dtypes.iinfo(d).min


def _most(d: DType) -> float:
    return math.inf if d.is_differentiable else dtypes.iinfo(d).max


#: What changes nothing, by the element type.
_NEUTRAL: dict[str, Callable[[DType], float]] = {
    "sum": lambda d: 0,
    "prod": lambda d: 1,
    "amax": _least,
    "amin": _most,
    "median": lambda d: math.nan,
}


def _canonical_dim(dim: Dims, ndim: int) -> tuple[int, ...]:
    """Axes as a sorted tuple; None and () mean all."""
    if dim is None or (isinstance(dim, (tuple, list)) and not dim):
        return tuple(range(ndim))
    given = (dim,) if isinstance(dim, int) else tuple(dim)
    for k, d in enumerate(given):
        if d in given[:k]:
            raise RuntimeError(f"dim={d} appears multiple times in the list of dims")
    return tuple(sorted(shapes.axis(d, ndim) for d in given))


def _input_mask(input: Tensor, *, mask: Tensor | None) -> Tensor:
    """The mask as bools, in the shape of the input."""
    if mask is None:
        raise ValueError("_input_mask requires explicit mask")
    if mask.ndim > input.ndim:
        raise IndexError(
            "_input_mask expected broadcastable mask (got mask dimensionality higher than of the "
            "input)"
        )
    return functions.broadcast_to(to_dtype(mask, dtypes.bool_), tuple(input._shape))


def _filled(input: Tensor, mask: Tensor | None, kind: str) -> Tensor:
    if mask is None:
        return input
    return where(_input_mask(input, mask=mask), input, _NEUTRAL[kind](input._dtype))


def _summed_type(input: Tensor, dtype: DType | None) -> DType:
    if dtype is not None:
        return dtype
    return input._dtype if input._dtype.is_differentiable else dtypes.int64


def sum(
    input: Tensor, dim: Dims = None, *, keepdim: bool | None = False, dtype: DType | None = None,
    mask: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """Σ of what the mask lets through; 0 of nothing.

    >>> from chainrule import masked, tensor
    >>> masked.sum(tensor([1.0, 2.0, 4.0]), mask=tensor([True, False, True]))
    tensor(5.)
    """
    over = _canonical_dim(dim, input.ndim)
    x = _filled(input, mask, "sum")
    return functions.sum(x, over, bool(keepdim), dtype=_summed_type(input, dtype))


def prod(
    input: Tensor, dim: Dims = None, *, keepdim: bool | None = False, dtype: DType | None = None,
    mask: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """Π of what the mask lets through; 1 of nothing."""
    out = to_dtype(_filled(input, mask, "prod"), _summed_type(input, dtype))
    for d in reversed(_canonical_dim(dim, input.ndim)):
        out = functions.prod(out, d, bool(keepdim))
    return out


def cumsum(
    input: Tensor, dim: int, *, dtype: DType | None = None, mask: Tensor | None = None
) -> Tensor:
    """Running sums, in which what is masked out counts as 0."""
    d = dtype or input._dtype
    (axis,) = _canonical_dim(dim, input.ndim) or (0,)
    return to_dtype(functions.cumsum(_filled(input, mask, "sum"), axis, dtype=d), d)


def cumprod(
    input: Tensor, dim: int, *, dtype: DType | None = None, mask: Tensor | None = None
) -> Tensor:
    """Running products, in which what is masked out counts as 1."""
    d = dtype or input._dtype
    (axis,) = _canonical_dim(dim, input.ndim) or (0,)
    return to_dtype(functions.cumprod(_filled(input, mask, "prod"), axis, dtype=d), d)


def amax(
    input: Tensor, dim: Dims = None, *, keepdim: bool | None = False, dtype: DType | None = None,
    mask: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """The largest of what the mask lets through; −∞ (or the least integer) of nothing."""
    over = _canonical_dim(dim, input.ndim)
    out = functions.amax(_filled(input, mask, "amax"), over, bool(keepdim))
    return to_dtype(out, dtype or input._dtype)


def amin(
    input: Tensor, dim: Dims = None, *, keepdim: bool | None = False, dtype: DType | None = None,
    mask: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """The smallest of what the mask lets through; ∞ (or the largest integer) of nothing."""
    over = _canonical_dim(dim, input.ndim)
    out = functions.amin(_filled(input, mask, "amin"), over, bool(keepdim))
    return to_dtype(out, dtype or input._dtype)


def argmax(
    input: Tensor, dim: int | None = None, *, keepdim: bool | None = False,
    dtype: DType | None = None, mask: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """Where the largest of what the mask lets through stands, in the type of the input."""
    out = functions.argmax(_filled(input, mask, "amax"), dim, bool(keepdim))
    return to_dtype(out, dtype or input._dtype)


def argmin(
    input: Tensor, dim: int | None = None, *, keepdim: bool | None = False,
    dtype: DType | None = None, mask: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """Where the smallest of what the mask lets through stands, in the type of the input."""
    out = functions.argmin(_filled(input, mask, "amin"), dim, bool(keepdim))
    return to_dtype(out, dtype or input._dtype)


def _count(input: Tensor, over: tuple[int, ...], keepdim: bool, mask: Tensor | None) -> Any:
    if mask is None:
        return shapes.size([input._shape[d] for d in over if input.ndim])
    return functions.sum(_input_mask(input, mask=mask), over, keepdim)


def mean(
    input: Tensor, dim: Dims = None, *, keepdim: bool | None = False, dtype: DType | None = None,
    mask: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """The mean of what the mask lets through; NaN of nothing."""
    d = dtype or input._dtype
    if not d.is_differentiable:
        source = "Input" if dtype is None else "Optional"
        raise ValueError(
            f"mean(): Could not infer output dtype. {source} dtype must be either a floating point "
            f"or complex dtype. Got: {d}"
        )
    over = _canonical_dim(dim, input.ndim)
    total = sum(input, dim, keepdim=keepdim, dtype=d, mask=mask)
    return total / _count(input, over, bool(keepdim), mask)


def median(
    input: Tensor, dim: int = -1, *, keepdim: bool = False, dtype: DType | None = None,
    mask: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """The lower middle of what the mask lets through; NaN of nothing."""
    (axis,) = _canonical_dim(dim, input.ndim) or (0,)
    real = input._dtype.is_differentiable
    x = input if real else to_dtype(input, dtypes.float32)
    out: Tensor = functions.nanmedian(_filled(x, mask, "median"), axis, keepdim).values
    if real:
        return out
    if bool(functions.any(functions.isnan(out))):
        raise ValueError(
            "masked median expects no fully masked out rows if dtype is not floating point"
        )
    return to_dtype(out, dtype or input._dtype)


def logsumexp(
    input: Tensor, dim: Dims = None, *, keepdim: bool = False, dtype: DType | None = None,
    mask: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """log Σ eˣ of what the mask lets through; −∞ of nothing."""
    over = _canonical_dim(dim, input.ndim)
    out = functions.logsumexp(_filled(input, mask, "amax"), over, keepdim)
    return to_dtype(out, dtype or input._dtype)


def logaddexp(
    input: Tensor, other: Tensor, *, dtype: DType | None = None, input_mask: Tensor | None = None,
    other_mask: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """log(eᵃ + eᵇ), in which what is masked out counts as e^−∞."""
    a, b = _filled(input, input_mask, "amax"), _filled(other, other_mask, "amax")
    return to_dtype(functions.logaddexp(a, b), dtype or input._dtype)


def norm(
    input: Tensor, ord: float | None = 2.0, dim: Dims = None, *, keepdim: bool | None = False,
    dtype: DType | None = None, mask: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """(Σ |x|ᵖ)^(1/p) of what the mask lets through."""
    p = 2.0 if ord is None else ord
    x = _filled(input, mask, "amin" if p == -math.inf else "sum")
    over = _canonical_dim(dim, input.ndim)
    out: Tensor = vector_norm(x, p, over, bool(keepdim), dtype=dtype or input._dtype)
    return out


def _variance(
    input: Tensor, dim: Dims, unbiased: bool | None, correction: float | None,
    keepdim: bool | None, dtype: DType | None, mask: Tensor | None,
) -> Tensor:  # fmt: skip
    if unbiased is not None and correction is not None:
        raise AssertionError("Only one of unbiased and correction may be given")
    if correction is None:
        correction = 0 if unbiased is False else 1
    d = dtype or (input._dtype if input._dtype.is_differentiable else dtypes.float32)
    over = _canonical_dim(dim, input.ndim)
    count = _count(input, over, True, mask)
    off = input - sum(input, dim, keepdim=True, dtype=d, mask=mask) / count
    total = sum(off * functions.conj(off), dim, keepdim=keepdim, dtype=d, mask=mask)
    if mask is None:
        left: Any = max(count - correction, 0) or 0.0
    else:
        n = functions.reshape(count, tuple(total._shape))
        left = functions.clamp(to_dtype(n, d.to_real()) - correction, min=0)
    return to_dtype(total / left, d)


def var(
    input: Tensor, dim: Dims = None, unbiased: bool | None = None, *,
    correction: float | None = None, keepdim: bool | None = False, dtype: DType | None = None,
    mask: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """The variance of what the mask lets through; NaN of nothing."""
    return _variance(input, dim, unbiased, correction, keepdim, dtype, mask)


def std(
    input: Tensor, dim: Dims = None, unbiased: bool | None = None, *,
    correction: float | None = None, keepdim: bool | None = False, dtype: DType | None = None,
    mask: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """The standard deviation of what the mask lets through; NaN of nothing."""
    return functions.sqrt(_variance(input, dim, unbiased, correction, keepdim, dtype, mask))


def softmax(
    input: Tensor, dim: int, *, dtype: DType | None = None, mask: Tensor | None = None
) -> Tensor:
    """eˣ / Σ eˣ over what the mask lets through; 0 for the rest."""
    (axis,) = _canonical_dim(dim, input.ndim) or (0,)
    return functions.softmax(_filled(input, mask, "amax"), axis, dtype=dtype or input._dtype)


def log_softmax(
    input: Tensor, dim: int, *, dtype: DType | None = None, mask: Tensor | None = None
) -> Tensor:
    """log of `softmax`; −∞ for what is masked out."""
    (axis,) = _canonical_dim(dim, input.ndim) or (0,)
    return functions.log_softmax(_filled(input, mask, "amax"), axis, dtype=dtype or input._dtype)


def softmin(
    input: Tensor, dim: int, *, dtype: DType | None = None, mask: Tensor | None = None
) -> Tensor:
    """`softmax` of −x"""
    (axis,) = _canonical_dim(dim, input.ndim) or (0,)
    return functions.softmax(-_filled(input, mask, "amin"), axis, dtype=dtype or input._dtype)


def normalize(
    input: Tensor, ord: float, dim: int, *, eps: float = 1e-12, dtype: DType | None = None,
    mask: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """x / max(‖x‖ₚ, ε) along an axis, in which what is masked out counts as 0."""
    size = norm(input, ord, dim, keepdim=True, dtype=dtype, mask=mask)
    return _filled(input, mask, "sum") / functions.clamp(size, min=eps)
