"""`keras.ops`: what many numbers come to, along some axes."""

from __future__ import annotations

import builtins
from collections.abc import Callable
from typing import Any

import numpy as np

from chainrule import dtypes
from chainrule.keras.arrays import to_tensor
from chainrule.keras.ops.promotion import as_real, result_type
from chainrule.keras.settings import to_dtype
from chainrule.keras.symbolic import function
from chainrule.tensor import Tensor, creation
from chainrule.tensor import functions as T

_SMALL = {"bool": "int32", "uint8": "int32", "int8": "int32", "int16": "int32"}


def all_axes(x: Tensor, axis: Any) -> Any:
    """Every axis for None."""
    if axis is None:
        return tuple(range(x.ndim))
    return tuple(axis) if isinstance(axis, list | tuple) else int(axis)


def _wide(x: Any) -> Tensor:
    """Sums of small whole numbers are int32."""
    x = to_tensor(x)
    wider = _SMALL.get(x.dtype.name)
    return x if wider is None else x.to(to_dtype(wider))


def _reduction(
    name: str, f: Callable[[Any, Any, bool], Any], meaning: str, take: Any = to_tensor
) -> Any:
    def call(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
        x = take(x)
        return f(x, all_axes(x, axis), keepdims) if x.ndim else f(x.reshape(1), 0, False)

    call.__name__ = call.__qualname__ = name
    call.__doc__ = f"{meaning} along `axis` (a number, several, or None: all)."
    return function(call)


def _without_nan(value: float, f: Callable[[Any, Any, bool], Any]) -> Callable[..., Any]:
    def g(x: Any, axis: Any, keep: bool) -> Any:
        if not x.dtype.is_floating_point:
            return f(x, axis, keep)
        return f(T.where(T.isnan(x), creation.full_like(x, value), x), axis, keep)

    return g


def _sum(x: Any, axis: Any, keep: bool) -> Any:
    return x.sum(axis, keepdim=keep).to(x.dtype)


def _prod(x: Any, axis: Any, keep: bool) -> Any:
    for a in sorted(_positive(x, axis), reverse=True):
        x = x.prod(a, keepdim=keep).to(x.dtype)
    return x


def _positive(x: Any, axis: Any) -> list[int]:
    return [a % x.ndim for a in ((axis,) if isinstance(axis, int) else axis)]


def _truth(f: Callable[..., Any]) -> Callable[[Any, Any, bool], Any]:
    return lambda x, axis, keep: f(x.to(dtypes.bool_).to(dtypes.uint8), axis, keep).to(dtypes.bool_)


def _var(x: Any, axis: Any, keep: bool) -> Any:
    return x.var(axis, correction=0, keepdim=keep)


def _nanmean(x: Any, axis: Any, keep: bool) -> Any:
    there = ~T.isnan(x)
    total = T.where(there, x, creation.zeros_like(x)).sum(axis, keepdim=keep)
    return total / there.to(x.dtype).sum(axis, keepdim=keep)


def _nanvar(x: Any, axis: Any, keep: bool) -> Any:
    away = x - _nanmean(x, axis, True)
    return _nanmean(away * away, axis, keep)


def _nanmax(x: Any, axis: Any, keep: bool) -> Any:
    if not x.dtype.is_floating_point:
        return x.amax(axis, keepdim=keep)
    none = _every(T.isnan(x), axis, keep)
    found = T.where(T.isnan(x), creation.full_like(x, -np.inf), x).amax(axis, keepdim=keep)
    return T.where(none, creation.full_like(found, np.nan), found)


def _nanmin(x: Any, axis: Any, keep: bool) -> Any:
    return -_nanmax(-x, axis, keep)


_every = _truth(lambda x, a, k: x.amin(a, keepdim=k))

sum = _reduction("sum", _sum, "The sum", _wide)
mean = _reduction("mean", lambda x, a, k: x.mean(a, keepdim=k), "The mean", lambda x: _mean_of(x))
var = _reduction("var", _var, "The variance", lambda x: _mean_of(x))
std = _reduction(
    "std", lambda x, a, k: T.sqrt(_var(x, a, k)), "The standard deviation", lambda x: _mean_of(x)
)
any = _reduction("any", _truth(lambda x, a, k: x.amax(a, keepdim=k)), "Whether any is true")
all = _reduction("all", _every, "Whether all are true")
amax = _reduction("amax", lambda x, a, k: _extreme(x, a, k, True), "The largest")
amin = _reduction("amin", lambda x, a, k: _extreme(x, a, k, False), "The smallest")
ptp = _reduction(
    "ptp",
    lambda x, a, k: x.amax(a, keepdim=k) - x.amin(a, keepdim=k),
    "The largest minus the smallest",
)
logsumexp = _reduction(
    "logsumexp", lambda x, a, k: T.logsumexp(x, a, keepdim=k), "ln Σ eˣ", as_real
)
nansum = _reduction("nansum", _without_nan(0.0, _sum), "The sum of what is a number", _wide)
nanprod = _reduction("nanprod", _without_nan(1.0, _prod), "The product of what is a number", _wide)
nanmean = _reduction("nanmean", _nanmean, "The mean of what is a number", lambda x: _mean_of(x))
nanvar = _reduction("nanvar", _nanvar, "The variance of what is a number", lambda x: _mean_of(x))
nanstd = _reduction(
    "nanstd",
    lambda x, a, k: T.sqrt(_nanvar(x, a, k)),
    "The standard deviation of what is a number",
    lambda x: _mean_of(x),
)
nanmax = _reduction("nanmax", _nanmax, "The largest of what is a number")
nanmin = _reduction("nanmin", _nanmin, "The smallest of what is a number")


def _mean_of(x: Any) -> Tensor:
    """Means of whole numbers are floats, of 64 bits too."""
    x = to_tensor(x)
    if x.dtype.is_floating_point or x.dtype.is_complex:
        return x
    return x.to(to_dtype(result_type(x.dtype.name, "float32")))


def _extreme(x: Any, axis: Any, keep: bool, largest: bool) -> Any:
    if x.dtype is dtypes.bool_:
        return _extreme(x.to(dtypes.uint8), axis, keep, largest).to(dtypes.bool_)
    return x.amax(axis, keepdim=keep) if largest else x.amin(axis, keepdim=keep)


@function
def max(x: Any, axis: Any = None, keepdims: bool = False, initial: Any = None) -> Any:
    """The largest along `axis`, and not below `initial`."""
    return _with_initial(to_tensor(x), axis, keepdims, initial, True)


@function
def min(x: Any, axis: Any = None, keepdims: bool = False, initial: Any = None) -> Any:
    """The smallest along `axis`, and not above `initial`."""
    return _with_initial(to_tensor(x), axis, keepdims, initial, False)


def _with_initial(x: Tensor, axis: Any, keep: bool, initial: Any, largest: bool) -> Any:
    if 0 in x.shape:
        if initial is None:
            raise ValueError("Cannot compute the max of an empty tensor.")
        shape = [n for i, n in enumerate(x.shape) if i not in _positive(x, all_axes(x, axis))]
        return creation.full(tuple(shape), initial, dtype=x.dtype)
    found = _extreme(x, all_axes(x, axis), keep, largest) if x.ndim else x
    if initial is None:
        return found
    return T.clamp(found, min=initial) if largest else T.clamp(found, max=initial)


@function
def prod(x: Any, axis: Any = None, keepdims: bool = False, dtype: Any = None) -> Any:
    """The product along `axis`."""
    x = _wide(x) if dtype is None else to_tensor(x).to(to_dtype(dtype))
    return _prod(x, all_axes(x, axis), keepdims)


@function
def average(x: Any, axis: Any = None, weights: Any = None) -> Any:
    """The mean, each number with its weight."""
    x = _mean_of(x)
    if weights is None:
        return mean(x, axis)
    w = to_tensor(weights)
    wanted = to_dtype(result_type(x.dtype.name, w.dtype.name, float))
    x, w = x.to(wanted), w.to(wanted)
    if axis is not None and w.ndim == 1 and x.ndim > 1:
        shape = [1] * x.ndim
        shape[axis] = -1
        w = w.reshape(shape)
    where = all_axes(x, axis)
    return (x * w).sum(where) / w.expand(x.shape).sum(where)


@function
def count_nonzero(x: Any, axis: Any = None) -> Any:
    """How many are not 0."""
    x = to_tensor(x)
    return (x != 0).to(dtypes.int32).sum(all_axes(x, axis) if x.ndim else ()).to(dtypes.int32)


def _place(name: str, f: Callable[..., Any], meaning: str, nan: float | None = None) -> Any:
    def call(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
        x = to_tensor(x)
        if x.dtype is dtypes.bool_:
            x = x.to(dtypes.uint8)
        empty: Any = None
        if nan is not None and x.dtype.is_floating_point:
            where = all_axes(x, axis)
            empty = _every(T.isnan(x), where, keepdims)
            x = T.where(T.isnan(x), creation.full_like(x, nan), x)
        found = f(x.reshape(-1), 0) if axis is None else f(x, axis, keepdim=keepdims)
        if axis is None and keepdims:
            found = found.reshape((1,) * x.ndim)
        found = found.to(dtypes.int32)
        return found if empty is None else T.where(empty, creation.full_like(found, -1), found)

    call.__name__ = call.__qualname__ = name
    call.__doc__ = f"Where the {meaning} stands along `axis` (None: of all)."
    return function(call)


argmax = _place("argmax", T.argmax, "largest")
argmin = _place("argmin", T.argmin, "smallest")
nanargmax = _place("nanargmax", T.argmax, "largest number", -np.inf)
nanargmin = _place("nanargmin", T.argmin, "smallest number", np.inf)


def _running(name: str, f: Callable[..., Any], meaning: str, nan: float | None = None) -> Any:
    def call(x: Any, axis: Any = None, dtype: Any = None) -> Any:
        x = to_tensor(x)
        if dtype is not None:
            x = x.to(to_dtype(dtype))
        elif x.dtype is dtypes.bool_:
            x = x.to(dtypes.int32)
        if nan is not None and x.dtype.is_floating_point:
            x = T.where(T.isnan(x), creation.full_like(x, nan), x)
        out = f(x.reshape(-1), 0) if axis is None else f(x, axis)
        return out.to(x.dtype)

    call.__name__ = call.__qualname__ = name
    call.__doc__ = f"Running {meaning} along `axis` (None: of all, in one row)."
    return function(call)


cumsum = _running("cumsum", T.cumsum, "sums")
cumprod = _running("cumprod", T.cumprod, "products")
nancumsum = _running("nancumsum", T.cumsum, "sums of what is a number", 0.0)
nancumprod = _running("nancumprod", T.cumprod, "products of what is a number", 1.0)


@function
def quantile(
    x: Any, q: Any, axis: Any = None, method: str = "linear", keepdims: bool = False
) -> Any:
    """What a part `q` of the numbers is not above."""
    return _quantile(x, q, axis, method, keepdims, False)


@function
def nanquantile(
    x: Any, q: Any, axis: Any = None, method: str = "linear", keepdims: bool = False
) -> Any:
    """`quantile` of what is a number."""
    return _quantile(x, q, axis, method, keepdims, True)


@function
def percentile(
    x: Any, q: Any, axis: Any = None, method: str = "linear", keepdims: bool = False
) -> Any:
    """`quantile`, with q in hundredths."""
    return _quantile(x, as_real(q) / 100.0, axis, method, keepdims, False)


@function
def nanpercentile(
    x: Any, q: Any, axis: Any = None, method: str = "linear", keepdims: bool = False
) -> Any:
    """`percentile` of what is a number."""
    return _quantile(x, as_real(q) / 100.0, axis, method, keepdims, True)


def _quantile(x: Any, q: Any, axis: Any, method: str, keep: bool, skip: bool) -> Any:
    x = _mean_of(x)
    q = to_tensor(q).to(x.dtype)
    where = _positive(x, all_axes(x, axis))
    rest = [a for a in range(x.ndim) if a not in where]
    rows = x.permute(*rest, *where).reshape(*(x.shape[a] for a in rest), -1)
    f = T.nanquantile if skip else T.quantile
    out = f(rows, q, dim=-1, interpolation=method)
    if keep:
        for a in sorted(where):
            out = out.unsqueeze(a + q.ndim)
    return out


@function
def median(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """The number in the middle, or the mean of the two there."""
    return _quantile(x, 0.5, axis, "linear", keepdims, False)


@function
def nanmedian(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """`median` of what is a number."""
    return _quantile(x, 0.5, axis, "linear", keepdims, True)


@function
def bincount(x: Any, weights: Any = None, minlength: Any = 0, sparse: bool = False) -> Any:
    """How often each whole number is there; a row for each row of two axes."""
    x = to_tensor(x).to(dtypes.int64)
    w = None if weights is None else to_tensor(weights)
    if x.ndim == 2:
        rows = [
            T.bincount(r, None if w is None else w[i], _longest(x, minlength))
            for i, r in enumerate(T.unbind(x))
        ]
        out = T.stack(rows)
    else:
        out = T.bincount(x, w, int(minlength or 0))
    return out.to(dtypes.int32) if w is None else out.to(w.dtype)


def _longest(x: Any, minlength: Any) -> int:
    return builtins.max(int(minlength or 0), int(x.max().item()) + 1)


@function
def trapezoid(y: Any, x: Any = None, dx: Any = 1.0, axis: int = -1) -> Any:
    """The area below points, by trapezoids."""
    y = as_real(y)
    n = int(y.shape[axis])
    heights = (y.narrow(axis, 1, n - 1) + y.narrow(axis, 0, n - 1)) * 0.5
    if x is None:
        return heights.sum(axis) * dx
    x = as_real(x)
    if x.ndim == 1:
        shape = [1] * y.ndim
        shape[axis] = -1
        steps = (x[1:] - x[:-1]).reshape(shape)
    else:
        steps = x.narrow(axis, 1, n - 1) - x.narrow(axis, 0, n - 1)
    return (heights * steps).sum(axis)
