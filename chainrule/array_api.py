"""The names of the Python array API standard (2023.12), for programs that take any array.

`xp = x.__array_namespace__()` gives this module for a tensor. Most names are PyTorch's functions;
those that the standard calls or spells otherwise are written here. Integers without a sign beyond
8 bits do not exist.

>>> import chainrule as torch
>>> xp = torch.ones(2, 3).__array_namespace__()
>>> xp.permute_dims(torch.ones(2, 3), (1, 0)).shape
torch.Size([3, 2])
"""

from __future__ import annotations

import builtins
import math
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, NamedTuple

from chainrule import dtypes
from chainrule import fft as _fft
from chainrule import linalg as _linalg
from chainrule.devices import device as _device
from chainrule.dtypes import (
    DType,
    bool_,
    complex64,
    complex128,
    finfo,
    float32,
    float64,
    iinfo,
    int8,
    int16,
    int32,
    int64,
    uint8,
)
from chainrule.dtypes import (
    can_cast as _can_cast,
)
from chainrule.tensor import Tensor
from chainrule.tensor import creation as _make
from chainrule.tensor import functions as _f
from chainrule.tensor.creation import (
    arange,
    empty,
    empty_like,
    eye,
    from_dlpack,
    full,
    full_like,
    linspace,
    meshgrid,
    ones,
    ones_like,
    zeros,
    zeros_like,
)
from chainrule.tensor.functions import (
    abs,
    acos,
    acosh,
    add,
    asin,
    asinh,
    atan,
    atan2,
    atanh,
    bitwise_and,
    bitwise_left_shift,
    bitwise_or,
    bitwise_right_shift,
    bitwise_xor,
    broadcast_to,
    ceil,
    conj,
    copysign,
    cos,
    cosh,
    divide,
    exp,
    expm1,
    floor,
    floor_divide,
    greater,
    greater_equal,
    hypot,
    imag,
    isfinite,
    isinf,
    isnan,
    less,
    less_equal,
    log,
    log1p,
    log2,
    log10,
    logaddexp,
    logical_and,
    logical_not,
    logical_or,
    logical_xor,
    maximum,
    minimum,
    moveaxis,
    multiply,
    negative,
    not_equal,
    positive,
    pow,
    real,
    remainder,
    reshape,
    round,
    sign,
    signbit,
    sin,
    sinh,
    sqrt,
    square,
    subtract,
    tan,
    tanh,
    tensordot,
    tril,
    triu,
    trunc,
    where,
)

bool = bool_
e, inf, nan, newaxis, pi = math.e, math.inf, math.nan, None, math.pi
__array_api_version__ = "2023.12"

equal, bitwise_invert = _f.eq, _f.bitwise_not
matmul = _f.matmul


def _dim(axis: Any, rank: int) -> Any:
    return tuple(range(rank)) if axis is None else axis


# ------------------------------------------------------------------ making, types


def asarray(
    obj: Any, /, *, dtype: Any = None, device: Any = None, copy: builtins.bool | None = None
) -> Tensor:
    """Anything as a tensor."""
    return _make.asarray(obj, dtype=dtype, device=device, copy=copy)


def astype(
    x: Tensor, dtype: DType, /, *, copy: builtins.bool = True, device: Any = None
) -> Tensor:
    """Another element type."""
    return x.to(dtype, copy=copy)


def can_cast(from_: Any, to: DType, /) -> builtins.bool:
    """Whether a type (or a tensor) converts to another by promotion."""
    return _can_cast(from_.dtype if isinstance(from_, Tensor) else from_, to)


def result_type(*arrays_and_dtypes: Any) -> DType:
    """The common type."""
    levels = [
        (x.dtype if isinstance(x, Tensor) else x if isinstance(x, DType) else dtypes.of_number(x),
         dtypes.ARRAY if isinstance(x, (Tensor, DType)) else dtypes.NUMBER)
        for x in arrays_and_dtypes
    ]  # fmt: skip
    return dtypes.result_type(levels)


_KINDS: dict[str, tuple[DType, ...]] = {
    "bool": (bool_,),
    "signed integer": (int8, int16, int32, int64),
    "unsigned integer": (uint8,),
    "real floating": (float32, float64),
    "complex floating": (complex64, complex128),
}
_KINDS["integral"] = _KINDS["signed integer"] + _KINDS["unsigned integer"]
_KINDS["numeric"] = _KINDS["integral"] + _KINDS["real floating"] + _KINDS["complex floating"]


def isdtype(dtype: DType, kind: Any) -> builtins.bool:
    """Whether a type is another, of a kind, or one of several."""
    if isinstance(kind, tuple):
        return builtins.any(isdtype(dtype, k) for k in kind)
    return dtype in _KINDS[kind] if isinstance(kind, str) else dtype is kind


def broadcast_arrays(*arrays: Tensor) -> list[Tensor]:
    """All in their common shape."""
    return list(_f.broadcast_tensors(*arrays))


# ------------------------------------------------------------------ elementwise


def clip(x: Tensor, /, min: Any = None, max: Any = None) -> Tensor:
    """Limited to [min, max]."""
    return x.clone() if min is None and max is None else _f.clamp(x, min, max)


# ------------------------------------------------------------------ shapes


def concat(arrays: Sequence[Tensor], /, *, axis: int | None = 0) -> Tensor:
    """One after another; flattened first where axis is None."""
    if axis is None:
        return _f.cat([a.reshape(-1) for a in arrays])
    return _f.cat(arrays, axis)


def expand_dims(x: Tensor, /, *, axis: int = 0) -> Tensor:
    """A new axis of size 1."""
    return x.unsqueeze(axis)


def flip(x: Tensor, /, *, axis: Any = None) -> Tensor:
    """Axes in reverse."""
    return _f.flip(x, dims=axis if isinstance(axis, tuple) else _axes(axis, x.ndim))


def _axes(axis: Any, rank: int) -> tuple[int, ...]:
    return tuple(range(rank)) if axis is None else (axis,)


def permute_dims(x: Tensor, /, axes: Sequence[int]) -> Tensor:
    """Axes in another order."""
    return x.permute(axes)


def repeat(x: Tensor, repeats: Any, /, *, axis: int | None = None) -> Tensor:
    """Each element several times."""
    return _f.repeat_interleave(x, repeats, axis)


def roll(x: Tensor, /, shift: Any, *, axis: Any = None) -> Tensor:
    """Elements shifted round and round."""
    return _f.roll(x, shift, axis)


def squeeze(x: Tensor, /, axis: Any) -> Tensor:
    """Without axes of size 1, which these must be."""
    for a in axis if isinstance(axis, tuple) else (axis,):
        if x.shape[a] != 1:
            raise ValueError(f"axis {a} has size {x.shape[a]}, only axes of size 1 can go")
    return x.squeeze(axis)


def stack(arrays: Sequence[Tensor], /, *, axis: int = 0) -> Tensor:
    """Along a new axis."""
    return _f.stack(arrays, axis)


def tile(x: Tensor, repetitions: Sequence[int], /) -> Tensor:
    """As tiles of a larger one."""
    return _f.tile(x, repetitions)


def unstack(x: Tensor, /, *, axis: int = 0) -> tuple[Tensor, ...]:
    """The elements of an axis."""
    return x.unbind(axis)


def matrix_transpose(x: Tensor, /) -> Tensor:
    """The last two axes exchanged."""
    return x.mT


def vecdot(x1: Tensor, x2: Tensor, /, *, axis: int = -1) -> Tensor:
    """Σ x̄ y along an axis."""
    return (conj(x1) * x2).sum(axis)


def take(x: Tensor, indices: Tensor, /, *, axis: int | None = None) -> Tensor:
    """Slices of an axis by a vector of indices."""
    if axis is None and x.ndim != 1:
        raise ValueError("take() of more than one axis needs axis=")
    return _f.index_select(x, axis or 0, indices)


# ------------------------------------------------------------------ searching, sets, sorting


def argmax(x: Tensor, /, *, axis: int | None = None, keepdims: builtins.bool = False) -> Tensor:
    """Index of the largest."""
    return _f.argmax(x, axis, keepdims)


def argmin(x: Tensor, /, *, axis: int | None = None, keepdims: builtins.bool = False) -> Tensor:
    """Index of the smallest."""
    return _f.argmin(x, axis, keepdims)


def nonzero(x: Tensor, /) -> tuple[Tensor, ...]:
    """Where x is not 0, an index tensor per axis."""
    if not x.ndim:
        raise ValueError("nonzero() needs at least one axis")
    return _f.nonzero(x, as_tuple=True)


def searchsorted(
    x1: Tensor, x2: Tensor, /, *, side: str = "left", sorter: Tensor | None = None
) -> Tensor:
    """Where elements would be inserted."""
    return _f.searchsorted(x1, x2, side=side, sorter=sorter)


def argsort(
    x: Tensor, /, *, axis: int = -1, descending: builtins.bool = False,
    stable: builtins.bool = True,
) -> Tensor:  # fmt: skip
    """The indices that sort an axis."""
    return _f.argsort(x, axis, descending, stable)


def sort(
    x: Tensor, /, *, axis: int = -1, descending: builtins.bool = False,
    stable: builtins.bool = True,
) -> Tensor:  # fmt: skip
    """Sorted along an axis."""
    found: Tensor = _f.sort(x, axis, descending, stable)[0]
    return found


class UniqueAll(NamedTuple):
    """What `unique_all` gives."""

    values: Tensor
    indices: Tensor
    inverse_indices: Tensor
    counts: Tensor


class UniqueCounts(NamedTuple):
    """What `unique_counts` gives."""

    values: Tensor
    counts: Tensor


class UniqueInverse(NamedTuple):
    """What `unique_inverse` gives."""

    values: Tensor
    inverse_indices: Tensor


def unique_all(x: Tensor, /) -> UniqueAll:
    """Distinct elements, where each comes first, which each element is, and how often."""
    values, inverse, counts = _f.unique(x, return_inverse=True, return_counts=True)
    order = _f.sort(inverse.reshape(-1), stable=True)[1]
    starts = _f.cumsum(counts, 0) - counts
    return UniqueAll(values, order[starts], inverse, counts)


def unique_counts(x: Tensor, /) -> UniqueCounts:
    """Distinct elements, and how often."""
    return UniqueCounts(*_f.unique(x, return_counts=True))


def unique_inverse(x: Tensor, /) -> UniqueInverse:
    """Distinct elements, and which each element is."""
    return UniqueInverse(*_f.unique(x, return_inverse=True))


def unique_values(x: Tensor, /) -> Tensor:
    """Distinct elements."""
    found: Tensor = _f.unique(x)
    return found


# ------------------------------------------------------------------ reductions


def sum(
    x: Tensor, /, *, axis: Any = None, dtype: Any = None, keepdims: builtins.bool = False
) -> Tensor:
    """Σ"""
    return _f.sum(x, _dim(axis, x.ndim), keepdims, dtype=dtype)


def prod(
    x: Tensor, /, *, axis: Any = None, dtype: Any = None, keepdims: builtins.bool = False
) -> Tensor:
    """Π"""
    return _f.prod(x, _dim(axis, x.ndim), keepdims, dtype=dtype)


def mean(x: Tensor, /, *, axis: Any = None, keepdims: builtins.bool = False) -> Tensor:
    """Σ / n"""
    return _f.mean(x, _dim(axis, x.ndim), keepdims)


def max(x: Tensor, /, *, axis: Any = None, keepdims: builtins.bool = False) -> Tensor:
    """The largest."""
    return _f.amax(x, _dim(axis, x.ndim), keepdims)


def min(x: Tensor, /, *, axis: Any = None, keepdims: builtins.bool = False) -> Tensor:
    """The smallest."""
    return _f.amin(x, _dim(axis, x.ndim), keepdims)


def var(
    x: Tensor, /, *, axis: Any = None, correction: float = 0.0, keepdims: builtins.bool = False
) -> Tensor:
    """The variance."""
    return _f.var(x, _dim(axis, x.ndim), correction=correction, keepdim=keepdims)


def std(
    x: Tensor, /, *, axis: Any = None, correction: float = 0.0, keepdims: builtins.bool = False
) -> Tensor:
    """The root of the variance."""
    return _f.std(x, _dim(axis, x.ndim), correction=correction, keepdim=keepdims)


def cumulative_sum(
    x: Tensor, /, *, axis: int | None = None, dtype: Any = None,
    include_initial: builtins.bool = False,
) -> Tensor:  # fmt: skip
    """Running sums, with a 0 before them if wanted."""
    if axis is None:
        if x.ndim > 1:
            raise ValueError("cumulative_sum() of more than one axis needs axis=")
        axis = 0
    found = _f.cumsum(x, axis, dtype=dtype)
    if not include_initial:
        return found
    shape = list(found.shape)
    shape[axis] = 1
    return _f.cat([_make.zeros(shape, dtype=found.dtype), found], axis)


def all(x: Tensor, /, *, axis: Any = None, keepdims: builtins.bool = False) -> Tensor:
    """Whether all are non-zero."""
    return _f.all(x != 0, _dim(axis, x.ndim), keepdims)


def any(x: Tensor, /, *, axis: Any = None, keepdims: builtins.bool = False) -> Tensor:
    """Whether any is non-zero."""
    return _f.any(x != 0, _dim(axis, x.ndim), keepdims)


# ------------------------------------------------------------------ linear algebra, transforms


def _cholesky(x: Tensor, /, *, upper: builtins.bool = False) -> Tensor:
    return _linalg.cholesky(x, upper=upper)


def _cross(x1: Tensor, x2: Tensor, /, *, axis: int = -1) -> Tensor:
    return _linalg.cross(x1, x2, dim=axis)


def _diagonal(x: Tensor, /, *, offset: int = 0) -> Tensor:
    return _linalg.diagonal(x, offset=offset)


def _matrix_norm(x: Tensor, /, *, keepdims: builtins.bool = False, ord: Any = "fro") -> Tensor:
    return _linalg.matrix_norm(x, ord, keepdim=keepdims)


def _matrix_rank(x: Tensor, /, *, rtol: Any = None) -> Tensor:
    return _linalg.matrix_rank(x, rtol=rtol)


def _pinv(x: Tensor, /, *, rtol: Any = None) -> Tensor:
    return _linalg.pinv(x, rtol=rtol)


def _svd(x: Tensor, /, *, full_matrices: builtins.bool = True) -> Any:
    return _linalg.svd(x, full_matrices=full_matrices)


def _trace(x: Tensor, /, *, offset: int = 0, dtype: Any = None) -> Tensor:
    return _f.sum(_linalg.diagonal(x, offset=offset), -1, dtype=dtype)


def _vector_norm(
    x: Tensor, /, *, axis: Any = None, keepdims: builtins.bool = False, ord: Any = 2
) -> Tensor:
    return _linalg.vector_norm(x, ord, axis, keepdims)


linalg = SimpleNamespace(
    cholesky=_cholesky, cross=_cross, det=_linalg.det, diagonal=_diagonal, eigh=_linalg.eigh,
    eigvalsh=_linalg.eigvalsh, inv=_linalg.inv, matmul=matmul, matrix_norm=_matrix_norm,
    matrix_power=_linalg.matrix_power, matrix_rank=_matrix_rank, matrix_transpose=matrix_transpose,
    outer=_f.outer, pinv=_pinv, qr=_linalg.qr, slogdet=_linalg.slogdet, solve=_linalg.solve,
    svd=_svd, svdvals=_linalg.svdvals, tensordot=tensordot, trace=_trace, vecdot=vecdot,
    vector_norm=_vector_norm,
)  # fmt: skip


def _one(name: str) -> Any:
    f = getattr(_fft, name)

    def g(x: Tensor, /, *, n: Any = None, axis: int = -1, norm: str = "backward") -> Tensor:
        found: Tensor = f(x, n, axis, norm)
        return found

    g.__name__ = name
    return g


def _many(name: str) -> Any:
    f = getattr(_fft, name)

    def g(x: Tensor, /, *, s: Any = None, axes: Any = None, norm: str = "backward") -> Tensor:
        found: Tensor = f(x, s, axes, norm)
        return found

    g.__name__ = name
    return g


def _fftfreq(n: int, /, *, d: float = 1.0, dtype: Any = None, device: Any = None) -> Tensor:
    return _fft.fftfreq(n, d, dtype=dtype, device=device)


def _rfftfreq(n: int, /, *, d: float = 1.0, dtype: Any = None, device: Any = None) -> Tensor:
    return _fft.rfftfreq(n, d, dtype=dtype, device=device)


def _fftshift(x: Tensor, /, *, axes: Any = None) -> Tensor:
    return _fft.fftshift(x, axes)


def _ifftshift(x: Tensor, /, *, axes: Any = None) -> Tensor:
    return _fft.ifftshift(x, axes)


fft = SimpleNamespace(
    **{n: _one(n) for n in ("fft", "ifft", "rfft", "irfft", "hfft", "ihfft")},
    **{n: _many(n) for n in ("fftn", "ifftn", "rfftn", "irfftn")},
    fftfreq=_fftfreq, rfftfreq=_rfftfreq, fftshift=_fftshift, ifftshift=_ifftshift,
)  # fmt: skip


# ------------------------------------------------------------------ what there is


class _Info:
    """`__array_namespace_info__()`."""

    def capabilities(self) -> dict[str, Any]:
        """What goes beyond the fixed part of the standard."""
        return {"boolean indexing": True, "data-dependent shapes": True}

    def default_device(self) -> _device:
        """The CPU."""
        return _device("cpu")

    def devices(self) -> list[_device]:
        """The CPU."""
        return [_device("cpu")]

    def default_dtypes(self, *, device: Any = None) -> dict[str, DType]:
        """The types of what is not typed otherwise."""
        real = dtypes.get_default_dtype()
        return {
            "real floating": real, "complex floating": real.to_complex(), "integral": int64,
            "indexing": int64,
        }  # fmt: skip

    def dtypes(self, *, device: Any = None, kind: Any = None) -> dict[str, DType]:
        """The types by name, of one kind or of all."""
        kinds = ("bool", "numeric") if kind is None else kind
        every = dict.fromkeys(d for k in _KINDS.values() for d in k)
        return {d.name: d for d in every if isdtype(d, kinds)}


def __array_namespace_info__() -> _Info:
    """What this namespace can do."""
    return _Info()


__all__ = [
    "abs", "acos", "acosh", "add", "all", "any", "arange", "argmax", "argmin", "argsort",
    "asarray", "asin", "asinh", "astype", "atan", "atan2", "atanh", "bitwise_and",
    "bitwise_invert", "bitwise_left_shift", "bitwise_or", "bitwise_right_shift", "bitwise_xor",
    "bool", "broadcast_arrays", "broadcast_to", "can_cast", "ceil", "clip", "complex128",
    "complex64", "concat", "conj", "copysign", "cos", "cosh", "cumulative_sum", "divide", "e",
    "empty", "empty_like", "equal", "exp", "expand_dims", "expm1", "eye", "fft", "finfo",
    "flip", "float32", "float64", "floor", "floor_divide", "from_dlpack", "full", "full_like",
    "greater", "greater_equal", "hypot", "iinfo", "imag", "inf", "int16", "int32", "int64",
    "int8", "isdtype", "isfinite", "isinf", "isnan", "less", "less_equal", "linalg", "linspace",
    "log", "log10", "log1p", "log2", "logaddexp", "logical_and", "logical_not", "logical_or",
    "logical_xor", "matmul", "matrix_transpose", "max", "maximum", "mean", "meshgrid", "min",
    "minimum", "moveaxis", "multiply", "nan", "negative", "newaxis", "nonzero", "not_equal",
    "ones", "ones_like", "permute_dims", "pi", "positive", "pow", "prod", "real", "remainder",
    "repeat", "reshape", "result_type", "roll", "round", "searchsorted", "sign", "signbit",
    "sin", "sinh", "sort", "sqrt", "square", "squeeze", "stack", "std", "subtract", "sum",
    "take", "tan", "tanh", "tensordot", "tile", "tril", "triu", "trunc", "uint8", "unique_all",
    "unique_counts", "unique_inverse", "unique_values", "unstack", "var", "vecdot", "where",
    "zeros", "zeros_like",
]  # fmt: skip
