"""Running sums and extremes, sorting, and what is counted."""

from __future__ import annotations

import builtins
import math
from typing import Any

import numpy as np

from chainrule import dtypes, ops, return_types, shapes
from chainrule.dtypes import DType
from chainrule.ir.node import Node
from chainrule.tensor.fromdata import from_owned
from chainrule.tensor.functions.complex import complex, imag, real
from chainrule.tensor.functions.pointwise import (
    ceil,
    clamp,
    clone,
    floor,
    isnan,
    lerp,
    round,
    sqrt,
    to_dtype,
    where,
)
from chainrule.tensor.functions.reduce import _summable, norm, sum
from chainrule.tensor.functions.select import gather
from chainrule.tensor.functions.shape import (
    cat,
    diagonal,
    expand,
    movedim,
    narrow,
    reshape,
    select,
    squeeze,
)
from chainrule.tensor.handle import Tensor
from chainrule.tensor.record import apply


def median(input: Tensor, dim: Any = None, keepdim: bool = False) -> Any:
    """The lower middle element."""
    if dim is None or not input.ndim:
        flat = reshape(input, -1)
        if dim is not None:
            return return_types.median(kthvalue(input, 1))
        return select(sort(flat)[0], 0, (flat._shape[0] - 1) // 2)
    middle = (input._shape[shapes.axis(dim, input.ndim)] + 1) // 2
    return return_types.median(kthvalue(input, middle, dim, keepdim))


def kthvalue(input: Tensor, k: int, dim: int = -1, keepdim: bool = False) -> Any:
    """The k-th smallest along an axis, with its index."""
    d = shapes.axis(dim, input.ndim)
    n = input._shape[d] if input.ndim else 1
    if not 1 <= k <= n:
        raise RuntimeError(f"kthvalue(): selected number k out of range for dimension {d}")
    v, i = sort(input, d, stable=True)
    if not input.ndim:
        return return_types.kthvalue((v, i))
    v, i = narrow(v, d, k - 1, 1), narrow(i, d, k - 1, 1)
    return return_types.kthvalue((v, i) if keepdim else (squeeze(v, d), squeeze(i, d)))


def mode(input: Tensor, dim: int = -1, keepdim: bool = False) -> Any:
    """The most frequent value along an axis (the smallest of several), with its last index."""
    d = shapes.axis(dim, input.ndim)
    if not input.ndim:
        return return_types.mode(sort(input))
    x = np.moveaxis(input._concrete(), d, -1)
    rows = x.reshape(-1, x.shape[-1])
    at = np.empty(len(rows), np.int64)
    for r, row in enumerate(rows):
        values, counts = np.unique(row, return_counts=True)
        at[r] = np.flatnonzero(row == values[counts.argmax()])[-1]
    i = from_owned(np.ascontiguousarray(np.expand_dims(at.reshape(x.shape[:-1]), d)))
    v = gather(input, d, i)
    return return_types.mode((v, i) if keepdim else (squeeze(v, d), squeeze(i, d)))


_INTERPOLATIONS = ("linear", "lower", "higher", "nearest", "midpoint")


def quantile(
    input: Tensor,
    q: Any,
    dim: int | None = None,
    keepdim: bool = False,
    *,
    interpolation: str = "linear",
) -> Tensor:
    """Quantiles by interpolation between order statistics; NaN where a row has one."""
    return _quantile(input, q, dim, keepdim, interpolation, False)


def nanquantile(
    input: Tensor,
    q: Any,
    dim: int | None = None,
    keepdim: bool = False,
    *,
    interpolation: str = "linear",
) -> Tensor:
    """`quantile`, of what is not NaN."""
    return _quantile(input, q, dim, keepdim, interpolation, True)


def _quantile(
    input: Tensor, q: Any, dim: int | None, keepdim: bool, interpolation: str, skip: bool
) -> Tensor:
    name = "nanquantile" if skip else "quantile"
    if interpolation not in _INTERPOLATIONS:
        raise RuntimeError(
            f"{name}() interpolation must be one of linear, lower, higher, midpoint or nearest, "
            f"but got {interpolation}"
        )
    if input._dtype not in (dtypes.float32, dtypes.float64):
        raise RuntimeError(f"{name}() input tensor must be either float or double dtype")
    if not input.numel():
        raise RuntimeError(f"{name}() input tensor must be non-empty")
    given = q if isinstance(q, Tensor) else from_owned(np.asarray(q, input._dtype.np))
    if given.ndim > 1:
        raise RuntimeError(f"{name}() q must be a scalar or 1D tensor")
    if given._dtype is not input._dtype:
        raise RuntimeError(f"{name}() q tensor must be same dtype as the input tensor")
    if not isinstance(q, Tensor) and not builtins.all(0 <= v <= 1 for v in np.ravel(q)):
        raise RuntimeError(f"{name}() q must be in the range [0, 1] but got {q}")
    x = reshape(input, -1) if dim is None or not input.ndim else input
    d = 0 if dim is None or not input.ndim else shapes.axis(dim, x.ndim)
    rows = movedim(x, d, -1)
    ordered = sort(rows, -1)[0]  # NaN stand at the end
    there = sum(~isnan(ordered), -1, keepdim=True)
    n = rows._shape[-1]
    count = to_dtype(there, x._dtype) if skip else n
    at = reshape(given, -1) * (count - 1)
    at = expand(at, *rows._shape[:-1], shapes.size(given._shape))
    at = clamp(at, min=0)
    low = floor(at.detach())
    if interpolation == "nearest":
        low = round(at.detach())
    elif interpolation == "higher":
        low = ceil(at.detach())
    share = at - low
    if interpolation == "midpoint":
        share = where(share > 0, 0.5, 0.0).to(x._dtype)
    here = gather(ordered, -1, to_dtype(low, dtypes.int64))
    if interpolation in ("linear", "midpoint"):
        above = clamp(ceil(at.detach()), max=n - 1)
        here = lerp(here, gather(ordered, -1, to_dtype(above, dtypes.int64)), share)
    spoiled = there == 0 if skip else there < n
    here = where(spoiled, math.nan, here)
    out = movedim(here, -1, 0)
    if keepdim and input.ndim:
        kept = tuple(1 if dim is None or i == d else m for i, m in enumerate(input._shape))
        out = reshape(out, (out._shape[0], *kept))
    return out if given.ndim else squeeze(out, 0)


def cumsum(
    input: Tensor, dim: Any = None, *, dtype: DType | None = None, axis: Any = None
) -> Tensor:
    """Running sums."""
    d = dim if axis is None else axis
    x = _summable(input, dtype)
    return clone(x) if not x.ndim else apply(ops.cumsum, x, axis=shapes.axis(d, x.ndim))


def cumprod(input: Tensor, dim: Any, *, dtype: DType | None = None) -> Tensor:
    """Running products."""
    x = _summable(input, dtype)
    return clone(x) if not x.ndim else apply(ops.cumprod, x, axis=shapes.axis(dim, x.ndim))


def logcumsumexp(input: Tensor, dim: int) -> Tensor:
    """log of the running sum of exponentials."""
    return (
        clone(input)
        if not input.ndim
        else apply(_logcumsumexp, input, axis=shapes.axis(dim, input.ndim))
    )


def _logcumsumexp(x: Node, *, axis: int) -> Node:
    """y_t = log(exp(y_{t−1}) + exp(x_t)), as a loop: no element is lost beside a large one."""
    if not shapes.size(x.shape):
        return x
    front = (axis, *(a for a in range(x.ndim) if a != axis))
    moved = ops.permute(x, order=front)
    start = ops.full(moved.shape[1:], -math.inf, x.dtype)

    def step(carry: Any, now: Any, _: Any) -> Any:
        y = ops.logaddexp(carry[0], now[0])
        return (y,), (y,)

    _, (ys,) = ops.scan(step, [start], [moved])
    return ops.permute(ys, order=tuple(front.index(a) for a in range(x.ndim)))


def _running(input: Tensor, dim: int, largest: bool, kind: Any) -> Any:
    d = shapes.axis(dim, input.ndim)
    i: Tensor = apply(ops.cummax_index, input, axis=d, largest=largest)
    return kind((gather(input, d, i), i))


def cummax(input: Tensor, dim: int) -> Any:
    """Running maxima, with their indices."""
    return _running(input, dim, True, return_types.cummax)


def cummin(input: Tensor, dim: int) -> Any:
    """Running minima, with their indices."""
    return _running(input, dim, False, return_types.cummin)


def diff(
    input: Tensor,
    n: int = 1,
    dim: int = -1,
    prepend: Tensor | None = None,
    append: Tensor | None = None,
) -> Tensor:
    """Differences of neighbours, n times."""
    if not input.ndim:
        raise RuntimeError("diff expects input to be at least one-dimensional")
    if n < 0:
        raise RuntimeError(f"order must be non-negative but got {n}")
    d = shapes.axis(dim, input.ndim)
    if n == 0:
        return input
    ends = [t for t in (prepend, input, append) if t is not None]
    out = cat(ends, d) if len(ends) > 1 else input
    for _ in range(builtins.min(n, out._shape[d])):
        k = out._shape[d]
        a, b = narrow(out, d, 1, k - 1), narrow(out, d, 0, k - 1)
        out = a ^ b if out._dtype is dtypes.bool_ else a - b
    return out


def sort(input: Tensor, dim: int = -1, descending: bool = False, stable: bool = False) -> Any:
    """(values, indices) in order along an axis; always stable."""
    if not input.ndim:
        return return_types.sort((clone(input), from_owned(np.zeros((), np.int64))))
    return return_types.sort(
        apply(ops.sort, input, axis=shapes.axis(dim, input.ndim), descending=descending)
    )


def argsort(input: Tensor, dim: int = -1, descending: bool = False, stable: bool = False) -> Tensor:
    """The indices that sort an axis."""
    return sort(input, dim, descending).indices


def msort(input: Tensor) -> Tensor:
    """Sorted along axis 0."""
    return sort(input, 0).values


def topk(input: Tensor, k: int, dim: int = -1, largest: bool = True, sorted: bool = True) -> Any:
    """The k largest (or smallest) along an axis, with their indices, in order."""
    d, k = shapes.axis(dim, input.ndim), int(k)  # a 0-d tensor will do
    if not input.ndim:
        return return_types.topk(sort(input))
    if not 0 <= k <= input._shape[d]:
        raise RuntimeError(
            f"selected index k out of range: k={k} for an axis of size {input._shape[d]}"
        )
    v, i = sort(input, d, descending=largest)
    return return_types.topk((narrow(v, d, 0, k), narrow(i, d, 0, k)))


def unique(
    input: Tensor,
    sorted: bool = True,
    return_inverse: bool = False,
    return_counts: bool = False,
    dim: int | None = None,
) -> Any:
    """Distinct elements in order (a look)."""
    x = input._concrete()
    parts = np.unique(x, return_inverse=True, return_counts=True, axis=dim)
    values, inverse, counts = (np.ascontiguousarray(p) for p in parts)
    out = [from_owned(values)]
    if return_inverse:
        out.append(from_owned(inverse.reshape(x.shape if dim is None else -1).astype(np.int64)))
    if return_counts:
        out.append(from_owned(counts.astype(np.int64)))
    return out[0] if len(out) == 1 else tuple(out)


def unique_consecutive(
    input: Tensor, return_inverse: bool = False, return_counts: bool = False, dim: int | None = None
) -> Any:
    """Runs of equal elements (of equal slices, along an axis) as one (a look)."""
    x = input._concrete()
    d = 0 if dim is None else shapes.axis(dim, input.ndim)
    x = x.reshape(-1) if dim is None else x
    n = x.shape[d]
    rest = shapes.size([m for i, m in enumerate(x.shape) if i != d])
    rows = np.moveaxis(x, d, 0).reshape(n, rest)
    new = np.r_[True, (rows[1:] != rows[:-1]).any(1)][:n]
    out = [from_owned(np.ascontiguousarray(np.compress(new, x, d)))]
    if return_inverse:
        shape = input._shape if dim is None else (n,)
        out.append(from_owned((np.cumsum(new) - 1).reshape(shape).astype(np.int64)))
    if return_counts:
        out.append(from_owned(np.diff(np.r_[np.flatnonzero(new), n]).astype(np.int64)))
    return out[0] if len(out) == 1 else tuple(out)


def bincount(input: Tensor, weights: Tensor | None = None, minlength: int = 0) -> Tensor:
    """How often each non-negative integer comes (a look)."""
    w = None if weights is None else weights._concrete()
    out = np.bincount(input._concrete(), w, minlength)
    return from_owned(out.astype(np.int64) if w is None else out.astype(w.dtype))


def histc(input: Tensor, bins: int = 100, min: float = 0, max: float = 0) -> Tensor:
    """Counts in equal bins (a look)."""
    x = input._concrete()
    if (min, max) != (0, 0) or not x.size:
        lo, hi = float(min), float(max)
    else:
        lo, hi = float(x.min()), float(x.max())
    if lo > hi:
        raise RuntimeError("torch.histc: max must be larger than min")
    if not math.isfinite(lo) or not math.isfinite(hi):
        raise RuntimeError(f"torch.histc: range of [{lo}, {hi}] is not finite")
    return from_owned(np.histogram(x, bins, (lo, hi))[0].astype(x.dtype))


def searchsorted(
    sorted_sequence: Tensor,
    input: Any,
    *,
    out_int32: bool = False,
    right: bool = False,
    side: str | None = None,
    sorter: Tensor | None = None,
) -> Tensor:
    """Where elements would be inserted into a sorted vector (a look)."""
    x = input._concrete() if isinstance(input, Tensor) else np.asarray(input)
    edges = sorted_sequence._concrete()
    if sorter is not None:
        edges = np.take_along_axis(edges, sorter._concrete(), -1)
    how: Any = side or ("right" if right else "left")
    if edges.ndim == 1:
        found = np.searchsorted(edges, x, side=how)
    else:
        found = np.zeros(x.shape, np.int64)
        for row in np.ndindex(*x.shape[:-1]):
            found[row] = np.searchsorted(edges[row], x[row], side=how)
    return from_owned(np.asarray(found, np.int32 if out_int32 else np.int64))


def bucketize(
    input: Any, boundaries: Tensor, *, out_int32: bool = False, right: bool = False
) -> Tensor:
    """In which bucket elements fall (a look)."""
    return searchsorted(boundaries, input, out_int32=out_int32, right=right)


def nanmedian(input: Tensor, dim: Any = None, keepdim: bool = False) -> Any:
    """The lower middle element of those that are not NaN."""
    x = reshape(input, -1) if dim is None or not input.ndim else input
    d = 0 if dim is None or not input.ndim else shapes.axis(dim, x.ndim)
    v, i = sort(x, d)  # NaN stand at the end
    n = sum(~isnan(x), d, keepdim=True)
    at = clamp(n - 1, min=0) // 2
    v, i = gather(v, d, at), gather(i, d, at)
    if dim is None:
        return reshape(v, ())
    return (
        return_types.nanmedian((v, i))
        if keepdim and input.ndim
        else return_types.nanmedian((squeeze(v, d), squeeze(i, d)))
    )


def trapezoid(y: Tensor, x: Any = None, *, dx: float = 1, dim: int = -1) -> Tensor:
    """The integral by the trapezoidal rule."""
    return sum(_trapezoids(y, x, dx, dim), dim)


def cumulative_trapezoid(y: Tensor, x: Any = None, *, dx: float = 1, dim: int = -1) -> Tensor:
    """The running integral by the trapezoidal rule."""
    return cumsum(_trapezoids(y, x, dx, dim), dim)


trapz = trapezoid


def _trapezoids(y: Tensor, x: Any, dx: float, dim: int) -> Tensor:
    d = shapes.axis(dim, y.ndim)
    n = builtins.max(y._shape[d] - 1, 0)
    mean = (narrow(y, d, builtins.min(1, y._shape[d]), n) + narrow(y, d, 0, n)) / 2
    if x is None:
        return mean * dx
    if x.ndim == 1:
        x = reshape(x, tuple(-1 if i == d else 1 for i in range(y.ndim)))
        return mean * diff(x, dim=d)
    return mean * diff(x, dim=d - y.ndim)


def cov(
    input: Tensor,
    *,
    correction: int = 1,
    fweights: Tensor | None = None,
    aweights: Tensor | None = None,
) -> Tensor:
    """The covariance of rows (variables) over columns (observations), weighted."""
    if input.ndim > 2:
        raise RuntimeError(
            "cov(): expected input to have two or fewer dimensions but got an input with "
            f"{input.ndim} dimensions"
        )
    x = input if input.ndim == 2 else reshape(input, (1, -1))
    w = None
    for given, name in ((fweights, "fweights"), (aweights, "aweights")):
        if given is not None:
            _check_weights(given, name, x._shape[1])
            w = to_dtype(given, x._dtype) if w is None else w * given
    n = x._shape[1]
    if w is None:
        centred = x - sum(x, 1, keepdim=True) / n
        left = clamp(from_owned(np.array(n - correction, x._dtype.to_real().np)), min=0)
        out = (centred @ centred.mH) / left
    else:
        total = sum(w)
        centred = x - sum(x * w, 1, keepdim=True) / total
        spent = total if aweights is None else sum(w * aweights) / total * 1.0
        left = total - correction * (spent / total * 1.0 if aweights is None else spent)
        out = ((centred * w) @ centred.mH) / clamp(real(left), min=0)
    return out if out.numel() != 1 else reshape(out, ())


def _check_weights(w: Tensor, name: str, n: int) -> None:
    if w.ndim > 1:
        raise RuntimeError(
            f"cov(): expected {name} to have one or fewer dimensions but got {name} with {w.ndim} "
            "dimensions"
        )
    if (name == "fweights") == w._dtype.is_floating_point:
        kind = "integral" if name == "fweights" else "floating point"
        raise RuntimeError(
            f"cov(): expected {name} to have {kind} dtype but got {name} with {w._dtype} dtype"
        )
    if w.numel() != n:
        raise RuntimeError(
            f"cov(): expected {name} to have the same numel as there are observations in the input "
            f"but got {w.numel()} != {n}"
        )
    if (w._concrete() < 0).any():
        raise RuntimeError(f"cov(): {name} cannot be negative")


def corrcoef(input: Tensor) -> Tensor:
    """The correlation of rows over columns."""
    c = cov(input)
    if not c.ndim:
        return c / c
    s = sqrt(real(diagonal(c)))
    out = c / reshape(s, (-1, 1)) / s
    if not out._dtype.is_complex:
        return clamp(out, -1, 1)
    return complex(clamp(real(out), -1, 1), clamp(imag(out), -1, 1))


def renorm(input: Tensor, p: float, dim: int, maxnorm: float) -> Tensor:
    """Slices along an axis whose p-norm is above `maxnorm`, scaled down to it."""
    if input.ndim < 2:
        raise RuntimeError(
            f"renorm: input needs at least 2 dimensions, got {input.ndim} dimensions"
        )
    d = shapes.axis(dim, input.ndim)
    over = [i for i in range(input.ndim) if i != d]
    size = norm(input, p, over, keepdim=True)
    return input * where(size > maxnorm, maxnorm / (size + 1e-7), 1.0)
