"""PyTorch's functions over tensors. Each is also a method where PyTorch has one (see `methods.py`).

`out=` and the in-place forms (`add_`) are made from the functions, once, in `methods.py`.
"""

from __future__ import annotations

import builtins
import math
import string
from collections import namedtuple
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from chainrule import dtypes, ops, shapes
from chainrule.dtypes import DType
from chainrule.errors import DtypeError, ShapeError
from chainrule.ir.node import Node
from chainrule.tensor.creation import as_tensor, from_owned
from chainrule.tensor.handle import Size, Tensor
from chainrule.tensor.indexing import put_at
from chainrule.tensor.mutate import assign
from chainrule.tensor.record import apply, chain, view, viewable

values_indices = namedtuple("values_indices", ["values", "indices"])


def _ints(size: tuple[Any, ...]) -> tuple[int, ...]:
    """(2, 3), ((2, 3),) and ([2, 3],) as (2, 3)."""
    if len(size) == 1 and isinstance(size[0], (tuple, list)):
        size = tuple(size[0])
    return tuple(n if type(n) is int else int(n) for n in size)


def _unary(op: Any) -> Callable[[Tensor], Tensor]:
    def f(input: Tensor) -> Tensor:
        out: Tensor = apply(op, input)
        return out

    f.__name__, f.__doc__ = op.name, op.__doc__
    return f


def _binary(op: Any) -> Callable[[Any, Any], Tensor]:
    def f(input: Any, other: Any) -> Tensor:
        out: Tensor = apply(op, input, other)
        return out

    f.__name__, f.__doc__ = op.name, op.__doc__
    return f


# ------------------------------------------------------------------ elementwise, one argument

abs = absolute = _unary(ops.abs)
neg = negative = _unary(ops.neg)
sign = _unary(ops.sign)
sgn = sign
floor = _unary(ops.floor)
ceil = _unary(ops.ceil)
trunc = fix = _unary(ops.trunc)
exp = _unary(ops.exp)
expm1 = _unary(ops.expm1)
log = _unary(ops.log)
log1p = _unary(ops.log1p)
log2 = _unary(ops.log2)
log10 = _unary(ops.log10)
sqrt = _unary(ops.sqrt)
rsqrt = _unary(ops.rsqrt)
square = _unary(ops.square)
reciprocal = _unary(ops.reciprocal)
sin = _unary(ops.sin)
cos = _unary(ops.cos)
tan = _unary(ops.tan)
asin = arcsin = _unary(ops.asin)
acos = arccos = _unary(ops.acos)
atan = arctan = _unary(ops.atan)
sinh = _unary(ops.sinh)
cosh = _unary(ops.cosh)
tanh = _unary(ops.tanh)
asinh = arcsinh = _unary(ops.asinh)
acosh = arccosh = _unary(ops.acosh)
atanh = arctanh = _unary(ops.atanh)
erf = _unary(ops.erf)
erfinv = _unary(ops.erfinv)
lgamma = _unary(ops.lgamma)
sigmoid = _unary(ops.sigmoid)
relu = _unary(ops.relu)
isnan = _unary(ops.isnan)
isinf = _unary(ops.isinf)
isfinite = _unary(ops.isfinite)
bitwise_not = _unary(ops.bitwise_not)


def erfc(input: Tensor) -> Tensor:
    """1 − erf(x)"""
    return 1 - erf(input)


def digamma(input: Tensor) -> Tensor:
    """ψ(x) = (log Γ)'(x)"""
    return apply(ops.polygamma, input, n=0)


def polygamma(n: int, input: Tensor) -> Tensor:
    """ψ⁽ⁿ⁾(x)"""
    return apply(ops.polygamma, input, n=n)


def round(input: Tensor, *, decimals: int = 0) -> Tensor:
    """The nearest integer (halves to even), or multiple of 10^−decimals."""
    if decimals:
        scale = 10.0**decimals
        return apply(ops.round, input * scale) / scale
    return apply(ops.round, input)


def frac(input: Tensor) -> Tensor:
    """x − trunc(x)"""
    return input - trunc(input)


def exp2(input: Tensor) -> Tensor:
    """2 to the power x"""
    return exp(input * math.log(2.0))


def logit(input: Tensor, eps: float | None = None) -> Tensor:
    """log(x / (1 − x))"""
    x = input if eps is None else clamp(input, eps, 1 - eps)
    return log(x / (1 - x))


def rad2deg(input: Tensor) -> Tensor:
    """Degrees."""
    return input * (180.0 / math.pi)


def deg2rad(input: Tensor) -> Tensor:
    """Radians."""
    return input * (math.pi / 180.0)


def sinc(input: Tensor) -> Tensor:
    """sin(πx)/(πx), 1 at 0"""
    x = where(input == 0, 1.0, input) * math.pi
    return where(input == 0, 1.0, sin(x) / x)


def signbit(input: Tensor) -> Tensor:
    """Whether the sign bit is set."""
    return from_owned(np.signbit(input._concrete()))


def nan_to_num(input: Tensor, nan: float = 0.0, posinf: float | None = None, neginf: float | None = None) -> Tensor:
    """Numbers in place of NaN and infinities."""
    if not input.dtype.is_floating_point:
        return clone(input)
    limits = dtypes.finfo(input.dtype)
    x = where(isnan(input), nan, input)
    x = where(x == math.inf, limits.max if posinf is None else posinf, x)
    return where(x == -math.inf, limits.min if neginf is None else neginf, x)


def logical_not(input: Tensor) -> Tensor:
    """x = 0"""
    return input == 0


def clone(input: Tensor, *, memory_format: Any = None) -> Tensor:
    """The same values in a place of their own; gradients pass."""
    return apply(ops.copy, input)


# ------------------------------------------------------------------ elementwise, two arguments


def add(input: Any, other: Any, *, alpha: float = 1) -> Tensor:
    """input + alpha · other"""
    return apply(ops.add, input, other if alpha == 1 else other * alpha)


def sub(input: Any, other: Any, *, alpha: float = 1) -> Tensor:
    """input − alpha · other"""
    _no_bool(input, other)
    return apply(ops.sub, input, other if alpha == 1 else other * alpha)


def _no_bool(a: Any, b: Any) -> None:
    if all(isinstance(t, Tensor) and t.dtype is dtypes.bool_ for t in (a, b)):
        raise DtypeError("Subtraction, the `-` operator, with two bool tensors is not supported. Use the `^` or `logical_xor()` operator instead.")


def rsub(input: Any, other: Any, *, alpha: float = 1) -> Tensor:
    """other − alpha · input"""
    return sub(other, input if alpha == 1 else input * alpha)


def mul(input: Any, other: Any) -> Tensor:
    """input · other"""
    return apply(ops.mul, input, other)


def div(input: Any, other: Any, *, rounding_mode: str | None = None) -> Tensor:
    """input / other; rounding_mode "floor" or "trunc" keeps integers."""
    if rounding_mode is None:
        return apply(ops.div, input, other)
    if rounding_mode == "floor":
        return floor_divide(input, other)
    if rounding_mode != "trunc":
        raise RuntimeError(f"div expected rounding_mode to be one of None, 'trunc', or 'floor' but found '{rounding_mode}'")
    return apply(_div_trunc, input, other)


def _div_trunc(a: Any, b: Any) -> Node:
    (x, y), _ = ops.core.promote(a, b)
    if x.dtype.is_floating_point:
        return ops.trunc(x / y)
    q = ops.floor_divide(x, y)
    inexact = ops.ne(q * y, x)
    return q + ops.cast(inexact & (q < 0), dtype=q.dtype)


multiply, divide, true_divide, subtract = mul, div, div, sub
floor_divide = _binary(ops.floor_divide)
remainder = _binary(ops.remainder)
fmod = _binary(ops.fmod)
maximum = _binary(ops.maximum)
minimum = _binary(ops.minimum)
atan2 = arctan2 = _binary(ops.atan2)
logaddexp = _binary(ops.logaddexp)
eq = _binary(ops.eq)
ne = not_equal = _binary(ops.ne)
lt = less = _binary(ops.lt)
le = less_equal = _binary(ops.le)
gt = greater = _binary(ops.gt)
ge = greater_equal = _binary(ops.ge)
bitwise_and = _binary(ops.bitwise_and)
bitwise_or = _binary(ops.bitwise_or)
bitwise_xor = _binary(ops.bitwise_xor)
bitwise_left_shift = _binary(ops.shift_left)
bitwise_right_shift = _binary(ops.shift_right)


def pow(input: Any, exponent: Any) -> Tensor:
    """input to the power exponent"""
    if isinstance(input, Tensor) and not input.dtype.is_floating_point and isinstance(exponent, int) and exponent < 0:
        raise RuntimeError("Integers to negative integer powers are not allowed.")
    return apply(ops.pow, input, exponent)


float_power = pow


def fmax(input: Tensor, other: Tensor) -> Tensor:
    """The larger, ignoring NaN."""
    return where(isnan(other) | (input >= other), input, other)


def fmin(input: Tensor, other: Tensor) -> Tensor:
    """The smaller, ignoring NaN."""
    return where(isnan(other) | (input <= other), input, other)


def hypot(input: Tensor, other: Tensor) -> Tensor:
    """√(a² + b²)"""
    return sqrt(input * input + other * other)


def copysign(input: Tensor, other: Any) -> Tensor:
    """|a| with the sign of b"""
    o = other if isinstance(other, Tensor) else as_tensor(float(other))
    negative = (o < 0) | ((o == 0) & (1 / o < 0))
    return where(negative, -abs(input), abs(input))


def xlogy(input: Any, other: Any) -> Tensor:
    """a log b, and 0 where a = 0"""
    x = input if isinstance(input, Tensor) else as_tensor(float(input))
    y = other if isinstance(other, Tensor) else as_tensor(float(other))
    return where((x == 0) & ~isnan(y), 0.0, x * log(y))


def logical_and(input: Tensor, other: Any) -> Tensor:
    """Both non-zero."""
    return (input != 0) & (other != 0)


def logical_or(input: Tensor, other: Any) -> Tensor:
    """One non-zero."""
    return (input != 0) | (other != 0)


def logical_xor(input: Tensor, other: Any) -> Tensor:
    """Exactly one non-zero."""
    return (input != 0) ^ (other != 0)


def clamp(input: Tensor, min: Any = None, max: Any = None) -> Tensor:
    """Limit to [min, max]; either may be missing."""
    if min is None and max is None:
        raise RuntimeError("torch.clamp: At least one of 'min' or 'max' must not be None")
    if max is None:
        return apply(ops.clamp_min, input, min)
    if min is None:
        return apply(ops.clamp_max, input, max)
    return apply(ops.clamp, input, min, max)


clip = clamp


def clamp_min(input: Tensor, min: Any) -> Tensor:
    """max(x, min)"""
    return clamp(input, min=min)


def clamp_max(input: Tensor, max: Any) -> Tensor:
    """min(x, max)"""
    return clamp(input, max=max)


def lerp(input: Tensor, end: Tensor, weight: Any) -> Tensor:
    """input + weight · (end − input)"""
    return apply(ops.lerp, input, end, weight)


def addcmul(input: Tensor, tensor1: Tensor, tensor2: Tensor, *, value: float = 1) -> Tensor:
    """input + value · a · b"""
    return input + tensor1 * tensor2 * value


def addcdiv(input: Tensor, tensor1: Tensor, tensor2: Tensor, *, value: float = 1) -> Tensor:
    """input + value · a / b"""
    return input + tensor1 / tensor2 * value


def where(condition: Tensor, input: Any = None, other: Any = None) -> Any:
    """input where the condition holds, else other; with one argument, the indices where it holds."""
    if input is None and other is None:
        return nonzero(condition, as_tuple=True)
    if not isinstance(input, Tensor) and not isinstance(other, Tensor):
        input = as_tensor(input)
        input = input.to(dtypes.result_type([(input.dtype, 1), (dtypes.of_number(other), 1)]))
    return apply(ops.where, condition, input, other)


def isclose(input: Tensor, other: Tensor, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> Tensor:
    """|a − b| ≤ atol + rtol |b|"""
    near = (input == other) | (isfinite(other) & (abs(input - other) <= abs(other) * rtol + atol))
    return near | (isnan(input) & isnan(other)) if equal_nan else near


def allclose(input: Tensor, other: Tensor, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> bool:
    """Whether all elements are close (a look)."""
    return bool(all(isclose(input, other, rtol, atol, equal_nan)))


def equal(input: Tensor, other: Tensor) -> bool:
    """Same shape, same elements (a look)."""
    return input._shape == other._shape and bool(all(input == other))


# ------------------------------------------------------------------ types and devices


def to_dtype(input: Tensor, dtype: DType) -> Tensor:
    """The same numbers in another type; the tensor itself if it has it."""
    return input if input._dtype is dtype else apply(ops.cast, input, dtype=dtype)


def result_type(a: Any, b: Any) -> DType:
    """The dtype of a + b."""
    return dtypes.result_type(
        (t._dtype, dtypes.ARRAY if t._shape else dtypes.SCALAR) if isinstance(t, Tensor) else (dtypes.of_number(t), dtypes.NUMBER)
        for t in (a, b)
    )


def is_floating_point(input: Tensor) -> bool:
    """Whether the dtype is one of the floating point types."""
    return input._dtype.is_floating_point


def is_nonzero(input: Tensor) -> bool:
    """Whether the one element is not 0."""
    return bool(input)


# ------------------------------------------------------------------ shape


def reshape(input: Tensor, *shape: Any) -> Tensor:
    """The same elements under another shape; a view where it can be one, else a copy."""
    new = shapes.reshaped(input._shape, _ints(shape))
    if viewable(input, new):
        return view(input, ops.reshape, shape=new)
    return apply(ops.reshape, input, shape=new)


def view_as_shape(input: Tensor, *shape: Any) -> Tensor:
    """`Tensor.view`: as reshape, but never a copy. `x.view(dtype)` of equal size reinterprets the bits (a look)."""
    if len(shape) == 1 and isinstance(shape[0], DType):
        return _view_dtype(input, shape[0])
    new = shapes.reshaped(input._shape, _ints(shape))
    if not viewable(input, new):
        raise ShapeError(
            f"view size {list(new)} is not compatible with input tensor's size {list(input._shape)} and stride "
            f"{list(stride(input))} (at least one dimension spans across two contiguous subspaces). Use .reshape(...) instead."
        )
    return view(input, ops.reshape, shape=new)


def _view_dtype(input: Tensor, dtype: DType) -> Tensor:
    return from_owned(input._concrete().copy().view(dtype.np))


def permute(input: Tensor, *dims: Any) -> Tensor:
    """Axes in another order."""
    return view(input, ops.permute, order=shapes.permuted(input._shape, _ints(dims)))


def transpose(input: Tensor, dim0: int, dim1: int) -> Tensor:
    """Two axes exchanged."""
    a, b = shapes.axis(dim0, input.ndim), shapes.axis(dim1, input.ndim)
    order = list(range(input.ndim))
    if order:
        order[a], order[b] = order[b], order[a]
    return view(input, ops.permute, order=tuple(order))


swapaxes = swapdims = transpose


def t(input: Tensor) -> Tensor:
    """The transpose of a matrix; vectors stay."""
    if input.ndim > 2:
        raise RuntimeError(f"t() expects a tensor with <= 2 dimensions, but self is {input.ndim}D")
    return view(input, ops.permute, order=tuple(reversed(range(input.ndim))))


def adjoint(input: Tensor) -> Tensor:
    """The last two axes exchanged."""
    return transpose(input, -2, -1)


def movedim(input: Tensor, source: Any, destination: Any) -> Tensor:
    """Axes moved to other places; the rest keep their order."""
    src = [shapes.axis(a, input.ndim) for a in ([source] if isinstance(source, int) else source)]
    dst = [shapes.axis(a, input.ndim) for a in ([destination] if isinstance(destination, int) else destination)]
    order: list[int] = [-1] * input.ndim
    for a, b in zip(src, dst, strict=True):
        order[b] = a
    rest = iter(a for a in range(input.ndim) if a not in src)
    return view(input, ops.permute, order=tuple(next(rest) if a < 0 else a for a in order))


moveaxis = movedim


def unsqueeze(input: Tensor, dim: int) -> Tensor:
    """A new axis of size 1 before axis `dim`."""
    at = shapes.axis(dim, input.ndim + 1)
    return view(input, ops.reshape, shape=(*input._shape[:at], 1, *input._shape[at:]))


def squeeze(input: Tensor, dim: Any = None) -> Tensor:
    """Without axes of size 1 (all, or the named ones)."""
    which = range(input.ndim) if dim is None else [shapes.axis(d, input.ndim) for d in ([dim] if isinstance(dim, int) else dim)]
    new = tuple(n for i, n in enumerate(input._shape) if n != 1 or i not in which)
    return view(input, ops.reshape, shape=new)


def flatten(input: Tensor, start_dim: int = 0, end_dim: int = -1) -> Tensor:
    """Axes start_dim … end_dim as one."""
    if not input.ndim:
        return reshape(input, 1)
    a, b = shapes.axis(start_dim, input.ndim), shapes.axis(end_dim, input.ndim)
    if a > b:
        raise RuntimeError("flatten() has invalid args: start_dim cannot come after end_dim")
    s = input._shape
    return reshape(input, (*s[:a], shapes.size(s[a : b + 1]), *s[b + 1 :]))


def unflatten(input: Tensor, dim: int, sizes: Sequence[int]) -> Tensor:
    """One axis as several."""
    d = shapes.axis(dim, input.ndim)
    parts = shapes.reshaped((input._shape[d],), tuple(sizes))
    return view_as_shape(input, (*input._shape[:d], *parts, *input._shape[d + 1 :]))


def ravel(input: Tensor) -> Tensor:
    """All axes as one."""
    return reshape(input, -1)


def expand(input: Tensor, *size: Any) -> Tensor:
    """Axes of size 1 stretched without a copy; −1 keeps an axis."""
    want = _ints(size)
    lead = len(want) - input.ndim
    if lead < 0:
        raise RuntimeError(f"expand: the number of sizes provided ({len(want)}) must be greater or equal to the number of dimensions in the tensor ({input.ndim})")
    new = []
    for i, n in enumerate(want):
        have = input._shape[i - lead] if i >= lead else 1
        if n == -1 and i >= lead:
            n = have
        if n != have and have != 1:
            raise ShapeError(
                f"The expanded size of the tensor ({n}) must match the existing size ({have}) at non-singleton dimension {i}. "
                f"Target sizes: {list(want)}. Tensor sizes: {list(input._shape)}"
            )
        if n < 0:
            raise RuntimeError(f"The expanded size of the tensor ({n}) isn't allowed in a leading, non-existing dimension {i}")
        new.append(n)
    return view(input, ops.broadcast_to, shape=tuple(new))


def broadcast_to(input: Tensor, size: Sequence[int]) -> Tensor:
    """`expand`, as NumPy calls it."""
    return expand(input, *size)


def broadcast_tensors(*tensors: Tensor) -> tuple[Tensor, ...]:
    """All in their common shape."""
    common = shapes.broadcast(*(t._shape for t in tensors))
    return tuple(expand(t, *common) for t in tensors)


def broadcast_shapes(*sizes: Any) -> Size:
    """The common shape."""
    return Size(shapes.broadcast(*(_ints((s,)) for s in sizes)))


def atleast_1d(*tensors: Tensor) -> Any:
    """At least one axis."""
    out = tuple(reshape(t, 1) if t.ndim == 0 else t for t in tensors)
    return out[0] if len(out) == 1 else out


def contiguous(input: Tensor, *, memory_format: Any = None) -> Tensor:
    """Elements in C order; a copy only if they are not."""
    return input if input.strides is None else clone(input)


def is_contiguous(input: Tensor, *, memory_format: Any = None) -> bool:
    """Whether the elements stand in C order."""
    return input.strides is None


def stride(input: Tensor, dim: int | None = None) -> Any:
    """Steps in elements between neighbours on each axis."""
    from_shape = []
    n = 1
    for size in reversed(input._shape):
        from_shape.append(n)
        n *= builtins.max(size, 1)
    found = tuple(reversed(from_shape)) if input.strides is None else input.strides
    return found if dim is None else found[dim]


def size(input: Tensor, dim: int | None = None) -> Any:
    """The shape, or one axis of it."""
    return Size(input._shape) if dim is None else input._shape[shapes.axis(dim, input.ndim)]


def numel(input: Tensor) -> int:
    """Number of elements."""
    return shapes.size(input._shape)


def narrow(input: Tensor, dim: int, start: Any, length: int) -> Tensor:
    """`length` elements of an axis from `start`; a view."""
    d, a = shapes.axis(dim, input.ndim), int(start)
    n = input._shape[d]
    a = a + n if a < 0 else a
    if not (0 <= a <= n and 0 <= length and a + length <= n):
        raise RuntimeError(f"start ({start}) + length ({length}) exceeds dimension size ({n}).")
    return _part(input, d, a, a + length)


def _part(x: Tensor, d: int, a: int, b: int, step: int = 1) -> Tensor:
    start = tuple(a if i == d else 0 for i in range(x.ndim))
    stop = tuple(b if i == d else n for i, n in enumerate(x._shape))
    return view(x, ops.slice, start=start, stop=stop, step=tuple(step if i == d else 1 for i in range(x.ndim)))


def select(input: Tensor, dim: int, index: int) -> Tensor:
    """One element of an axis; a view without that axis."""
    d = shapes.axis(dim, input.ndim)
    n = input._shape[d]
    i = int(index)
    if not -n <= i < n:
        raise IndexError(f"select(): index {i} out of range for tensor of size {list(input._shape)} at dimension {d}")
    return squeeze(_part(input, d, i % n, i % n + 1), d)


def split(tensor: Tensor, split_size_or_sections: Any, dim: int = 0) -> tuple[Tensor, ...]:
    """Pieces of an axis: of one size (the last may be smaller), or of given sizes."""
    d = shapes.axis(dim, tensor.ndim)
    n = tensor._shape[d]
    if isinstance(split_size_or_sections, (list, tuple)):
        sections = [int(s) for s in split_size_or_sections]
        if builtins.sum(sections) != n:
            raise RuntimeError(
                f"split_with_sizes expects split_sizes to sum exactly to {n} (input tensor's size at dimension {d}), but got split_sizes={sections}"
            )
    else:
        step = int(split_size_or_sections)
        if step < 0 or (step == 0 and n):
            raise RuntimeError(f"split expects split_size be positive, but got split_size={step}")
        sections = [builtins.min(step, n - i) for i in range(0, n, step)] if n else [0]
    out, at = [], 0
    for s in sections:
        out.append(_part(tensor, d, at, at + s))
        at += s
    return tuple(out)


def chunk(input: Tensor, chunks: int, dim: int = 0) -> tuple[Tensor, ...]:
    """About `chunks` equal pieces of an axis."""
    if chunks < 1:
        raise RuntimeError(f"chunk expects `chunks` to be greater than 0, got: {chunks}")
    n = input._shape[shapes.axis(dim, input.ndim)]
    if n == 0:
        return tuple(input for _ in range(chunks))
    return split(input, -(-n // chunks), dim)


def tensor_split(input: Tensor, indices_or_sections: Any, dim: int = 0) -> tuple[Tensor, ...]:
    """Pieces as `numpy.array_split` makes them."""
    d = shapes.axis(dim, input.ndim)
    n = input._shape[d]
    if isinstance(indices_or_sections, int):
        k, extra = divmod(n, indices_or_sections)
        edges = [0]
        for i in range(indices_or_sections):
            edges.append(edges[-1] + k + (i < extra))
    else:
        edges = [0, *(slice(None, int(i)).indices(n)[1] for i in indices_or_sections), n]
    return tuple(_part(input, d, a, builtins.max(a, b)) for a, b in zip(edges, edges[1:], strict=False))


def unbind(input: Tensor, dim: int = 0) -> tuple[Tensor, ...]:
    """All elements of an axis, without it."""
    return tuple(select(input, dim, i) for i in range(input._shape[shapes.axis(dim, input.ndim)]))


def unfold(input: Tensor, dimension: int, size: int, step: int) -> Tensor:
    """All windows of an axis, as a new last axis."""
    d = shapes.axis(dimension, input.ndim)
    rest = [i for i in range(input.ndim) if i != d]
    last = permute(input, *rest, d)
    win: Tensor = apply(ops.windows, last, size=(size,), stride=(step,), dilation=(1,))
    order = list(range(input.ndim - 1))
    order.insert(d, input.ndim - 1)
    return permute(win, *order, input.ndim)


def diagonal(input: Tensor, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Tensor:
    """A diagonal of two axes, as the last axis; a view."""
    a, b = shapes.axis(dim1, input.ndim), shapes.axis(dim2, input.ndim)
    rest = [i for i in range(input.ndim) if i not in (a, b)]
    return chain(input, [(ops.permute, (("order", (*rest, a, b)),)), (ops.diagonal, (("offset", offset),))])


def diag(input: Tensor, diagonal: int = 0) -> Tensor:
    """A vector as diagonal of a matrix, or a matrix's diagonal."""
    if input.ndim == 2:
        return clone(_diagonal(input, diagonal))
    if input.ndim != 1:
        raise RuntimeError(f"diag(): Supports 1D or 2D tensors. Got {input.ndim}D")
    return diag_embed(input, diagonal)


_diagonal = diagonal


def diag_embed(input: Tensor, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Tensor:
    """The last axis as a diagonal of two new axes."""
    out: Tensor = apply(_embed, input, offset=offset)
    return out if (dim1, dim2) == (-2, -1) else movedim(out, (-2, -1), (dim1, dim2))


def _embed(x: Node, *, offset: int) -> Node:
    n = x.shape[-1] + builtins.abs(offset)
    zero = ops.full((*x.shape[:-1], n, n), 0, x.dtype)
    return ops.diagonal_update(zero, x, offset=offset)


def tril(input: Tensor, diagonal: int = 0) -> Tensor:
    """0 above a diagonal of the last two axes."""
    return apply(_tri, input, k=diagonal, lower=True)


def triu(input: Tensor, diagonal: int = 0) -> Tensor:
    """0 below a diagonal of the last two axes."""
    return apply(_tri, input, k=diagonal, lower=False)


def _tri(x: Node, *, k: int, lower: bool) -> Node:
    if x.ndim < 2:
        raise RuntimeError("tril/triu: input tensor must have at least 2 dimensions")
    mask = ops.triangle(x.shape[-2], x.shape[-1], k if lower else k - 1)
    zero = ops.zeros_like(x)
    return ops.where(mask, x, zero) if lower else ops.where(mask, zero, x)


def flip(input: Tensor, *dims: Any) -> Tensor:
    """Axes in reverse; a copy, as in PyTorch."""
    which = shapes.axes(_ints(dims), input.ndim) if dims else ()
    return apply(_flip, input, dims=which)


def _flip(x: Node, *, dims: tuple[int, ...]) -> Node:
    return ops.flip(x, dims)


def fliplr(input: Tensor) -> Tensor:
    """Axis 1 in reverse."""
    return flip(input, 1)


def flipud(input: Tensor) -> Tensor:
    """Axis 0 in reverse."""
    return flip(input, 0)


def roll(input: Tensor, shifts: Any, dims: Any = None) -> Tensor:
    """Elements shifted along axes, round and round."""
    if dims is None:
        return reshape(roll(reshape(input, -1), shifts, 0), input._shape)
    pairs = zip([shifts] if isinstance(shifts, int) else shifts, [dims] if isinstance(dims, int) else dims, strict=True)
    out = input
    for s, d in pairs:
        n = input._shape[d]
        k = s % n if n else 0
        if k:
            out = cat([narrow(out, d, n - k, k), narrow(out, d, 0, n - k)], d)
    return clone(out) if out is input else out


def rot90(input: Tensor, k: int = 1, dims: Sequence[int] = (0, 1)) -> Tensor:
    """k quarter turns in the plane of two axes."""
    a, b = dims
    k %= 4
    if k == 0:
        return clone(input)
    if k == 2:
        return flip(input, a, b)
    return transpose(flip(input, b), a, b) if k == 1 else flip(transpose(input, a, b), b)


def repeat(input: Tensor, *repeats: Any) -> Tensor:
    """The tensor as tiles of a larger one."""
    r = _ints(repeats)
    if len(r) < input.ndim:
        raise RuntimeError("Number of dimensions of repeat dims can not be smaller than number of dimensions of tensor")
    return apply(_repeat, input, repeats=r)


def _repeat(x: Node, *, repeats: tuple[int, ...]) -> Node:
    shape = (1,) * (len(repeats) - x.ndim) + x.shape
    pairs = tuple(n for r, s in zip(repeats, shape, strict=True) for n in (r, s))
    ones = tuple(n for s in shape for n in (1, s))
    wide = ops.broadcast_to(ops.reshape(x, shape=ones), shape=pairs)
    return ops.reshape(wide, shape=tuple(r * s for r, s in zip(repeats, shape, strict=True)))


def tile(input: Tensor, *dims: Any) -> Tensor:
    """`repeat`, with missing leading counts taken as 1."""
    r = _ints(dims)
    return repeat(input, *((1,) * (input.ndim - len(r)) + r))


def repeat_interleave(input: Tensor, repeats: Any = None, dim: int | None = None, *, output_size: Any = None) -> Tensor:
    """Every element repeated on the spot."""
    if repeats is None:
        return repeat_interleave(from_owned(np.arange(input._shape[0])), input)
    x = reshape(input, -1) if dim is None else input
    d = 0 if dim is None else shapes.axis(dim, x.ndim)
    if isinstance(repeats, Tensor):
        counts = repeats._concrete()
        order = np.repeat(np.arange(x._shape[d]), counts if counts.size > 1 else int(counts.reshape(-1)[0]))
    else:
        order = np.repeat(np.arange(x._shape[d]), int(repeats))
    return index_select(x, d, from_owned(order.astype(np.int64)))


def cat(tensors: Sequence[Tensor], dim: int = 0, *, axis: int | None = None) -> Tensor:
    """Tensors one after another along an axis."""
    d = dim if axis is None else axis
    ts = list(tensors)
    if not ts:
        raise RuntimeError("torch.cat(): expected a non-empty list of Tensors")
    some = [x for x in ts if x._shape != (0,)] or ts[:1]
    if some[0].ndim == 0:
        raise RuntimeError("zero-dimensional tensor (at position 0) cannot be concatenated")
    if any(x.ndim != some[0].ndim for x in some):
        raise ShapeError("Tensors must have same number of dimensions: got " + " and ".join(str(x.ndim) for x in some[:2]))
    return apply(ops.cat, *some, axis=shapes.axis(d, some[0].ndim))


concat = concatenate = cat


def stack(tensors: Sequence[Tensor], dim: int = 0) -> Tensor:
    """Tensors of one shape along a new axis."""
    ts = list(tensors)
    if not ts:
        raise RuntimeError("stack expects a non-empty TensorList")
    for i, x in enumerate(ts):
        if x._shape != ts[0]._shape:
            raise ShapeError(f"stack expects each tensor to be equal size, but got {list(ts[0]._shape)} at entry 0 and {list(x._shape)} at entry {i}")
    d = shapes.axis(dim, ts[0].ndim + 1)
    return cat([unsqueeze(x, d) for x in ts], d)


def hstack(tensors: Sequence[Tensor]) -> Tensor:
    """Side by side."""
    ts = [atleast_1d(x) for x in tensors]
    return cat(ts, 0 if ts[0].ndim == 1 else 1)


def vstack(tensors: Sequence[Tensor]) -> Tensor:
    """One below the other."""
    return cat([unsqueeze(x, 0) if x.ndim == 1 else x for x in map(atleast_1d, tensors)], 0)


# ------------------------------------------------------------------ reductions


def _dims(dim: Any, ndim: int) -> tuple[int, ...]:
    if dim is None or (isinstance(dim, (tuple, list)) and not dim):
        return tuple(range(ndim))
    return shapes.axes(dim if isinstance(dim, int) else tuple(dim), ndim)


def _axis_names(dim: Any, keepdim: bool, kw: dict[str, Any]) -> tuple[Any, bool]:
    """PyTorch takes NumPy's `axis=` and `keepdims=` as well."""
    dim = kw.pop("axis", dim)
    keepdim = kw.pop("keepdims", keepdim)
    if kw:
        raise TypeError(f"got unexpected keyword arguments {sorted(kw)}")
    return dim, bool(keepdim)


def sum(input: Tensor, dim: Any = None, keepdim: bool = False, *, dtype: DType | None = None, **kw: Any) -> Tensor:
    """Σ; integers and bools are summed as int64."""
    dim, keepdim = _axis_names(dim, keepdim, kw)
    return apply(ops.sum, _summable(input, dtype), axis=_dims(dim, input.ndim), keepdim=keepdim)


def _summable(x: Tensor, dtype: DType | None) -> Tensor:
    return to_dtype(x, dtype or (x._dtype if x._dtype.is_floating_point else dtypes.int64))


def nansum(input: Tensor, dim: Any = None, keepdim: bool = False, *, dtype: DType | None = None) -> Tensor:
    """Σ without NaN."""
    return sum(where(isnan(input), 0, input), dim, keepdim, dtype=dtype)


def prod(input: Tensor, dim: Any = None, keepdim: bool = False, *, dtype: DType | None = None) -> Tensor:
    """Π; integers and bools are multiplied as int64."""
    return apply(ops.prod, _summable(input, dtype), axis=_dims(dim, input.ndim), keepdim=keepdim)


def mean(input: Tensor, dim: Any = None, keepdim: bool = False, *, dtype: DType | None = None, **kw: Any) -> Tensor:
    """Σ / n, of floating point numbers."""
    dim, keepdim = _axis_names(dim, keepdim, kw)
    x = input if dtype is None else to_dtype(input, dtype)
    if not x._dtype.is_floating_point:
        raise DtypeError(f"mean(): could not infer output dtype. Input dtype must be either a floating point or complex dtype. Got: {x._dtype}")
    return apply(ops.mean, x, axis=_dims(dim, x.ndim), keepdim=keepdim)


def nanmean(input: Tensor, dim: Any = None, keepdim: bool = False) -> Tensor:
    """The mean without NaN."""
    there = ~isnan(input)
    return nansum(input, dim, keepdim) / sum(there, dim, keepdim)


def _correction(unbiased: Any, correction: Any) -> float:
    return (1 if unbiased else 0) if unbiased is not None else (1 if correction is None else correction)


def var(input: Tensor, dim: Any = None, unbiased: Any = None, keepdim: bool = False, *, correction: Any = None, **kw: Any) -> Tensor:
    """Σ (x − x̄)² / (n − correction); correction 1 unless told otherwise."""
    if isinstance(dim, bool):
        dim, unbiased = None, dim
    dim, keepdim = _axis_names(dim, keepdim, kw)
    if not input._dtype.is_floating_point:
        raise DtypeError("std and var only support floating point and complex dtypes")
    return apply(ops.var, input, axis=_dims(dim, input.ndim), correction=_correction(unbiased, correction), keepdim=keepdim)


def std(input: Tensor, dim: Any = None, unbiased: Any = None, keepdim: bool = False, *, correction: Any = None, **kw: Any) -> Tensor:
    """The root of the variance."""
    return sqrt(var(input, dim, unbiased, keepdim, correction=correction, **kw))


def var_mean(input: Tensor, dim: Any = None, unbiased: Any = None, keepdim: bool = False, *, correction: Any = None) -> tuple[Tensor, Tensor]:
    """Both."""
    return var(input, dim, unbiased, keepdim, correction=correction), mean(input, dim, keepdim)


def std_mean(input: Tensor, dim: Any = None, unbiased: Any = None, keepdim: bool = False, *, correction: Any = None) -> tuple[Tensor, Tensor]:
    """Both."""
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
    return namedtuple("aminmax", ["min", "max"])(amin(input, d, keepdim), amax(input, d, keepdim))


def _along(input: Tensor, dim: int, keepdim: bool, arg: Any) -> Any:
    d = shapes.axis(dim, input.ndim)
    if not input.ndim:
        return values_indices(clone(input), from_owned(np.zeros((), np.int64)))
    i: Tensor = apply(arg, input, axis=d)
    v: Tensor = apply(ops.take_along, input, i, axis=d)
    return values_indices(v, i) if keepdim else values_indices(squeeze(v, d), squeeze(i, d))


def max(input: Tensor, dim: Any = None, keepdim: bool = False, **kw: Any) -> Any:
    """The largest element; (values, indices) along an axis; elementwise with a second tensor."""
    dim, keepdim = _axis_names(dim, keepdim, {k: v for k, v in kw.items() if k != "other"})
    other = kw.get("other", dim)
    if isinstance(other, Tensor):
        return maximum(input, other)
    return amax(input) if dim is None else _along(input, dim, keepdim, ops.argmax)


def min(input: Tensor, dim: Any = None, keepdim: bool = False, **kw: Any) -> Any:
    """The smallest element; (values, indices) along an axis; elementwise with a second tensor."""
    dim, keepdim = _axis_names(dim, keepdim, {k: v for k, v in kw.items() if k != "other"})
    other = kw.get("other", dim)
    if isinstance(other, Tensor):
        return minimum(input, other)
    return amin(input) if dim is None else _along(input, dim, keepdim, ops.argmin)


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
    return apply(ops.any_, input, axis=_dims(dim, input.ndim), keepdim=keepdim)


def all(input: Tensor, dim: Any = None, keepdim: bool = False, **kw: Any) -> Tensor:
    """Whether all are non-zero."""
    dim, keepdim = _axis_names(dim, keepdim, kw)
    return apply(ops.all_, input, axis=_dims(dim, input.ndim), keepdim=keepdim)


def count_nonzero(input: Tensor, dim: Any = None) -> Tensor:
    """How many are not 0."""
    return sum(input != 0, dim)


def logsumexp(input: Tensor, dim: Any, keepdim: bool = False) -> Tensor:
    """log Σ eˣ"""
    return apply(ops.logsumexp, input, axis=_dims(dim, input.ndim), keepdim=keepdim)


def norm(input: Tensor, p: Any = "fro", dim: Any = None, keepdim: bool = False, *, dtype: DType | None = None) -> Tensor:
    """(Σ |x|ᵖ)^(1/p)"""
    x = input if dtype is None else to_dtype(input, dtype)
    d = _dims(dim, x.ndim)
    if p in ("fro", None, 2, 2.0):
        return apply(ops.norm2, x, axis=d, keepdim=keepdim)
    if p == math.inf:
        return amax(abs(x), d, keepdim)
    if p == -math.inf:
        return amin(abs(x), d, keepdim)
    if p == 0:
        return to_dtype(sum(x != 0, d, keepdim), x._dtype)
    if p == 1:
        return sum(abs(x), d, keepdim)
    return pow(sum(pow(abs(x), p), d, keepdim), 1.0 / p)


def dist(input: Tensor, other: Tensor, p: float = 2) -> Tensor:
    """The p-norm of the difference."""
    return norm(input - other, p)


def median(input: Tensor, dim: Any = None, keepdim: bool = False) -> Any:
    """The lower middle element."""
    if dim is None:
        flat = reshape(input, -1)
        return select(sort(flat)[0], 0, (flat._shape[0] - 1) // 2)
    return kthvalue(input, (input._shape[shapes.axis(dim, input.ndim)] + 1) // 2, dim, keepdim)


def kthvalue(input: Tensor, k: int, dim: int = -1, keepdim: bool = False) -> Any:
    """The k-th smallest along an axis, with its index."""
    d = shapes.axis(dim, input.ndim)
    v, i = sort(input, d, stable=True)
    v, i = narrow(v, d, k - 1, 1), narrow(i, d, k - 1, 1)
    return values_indices(v, i) if keepdim else values_indices(squeeze(v, d), squeeze(i, d))


def mode(input: Tensor, dim: int = -1, keepdim: bool = False) -> Any:
    """The most frequent value along an axis (the smallest of several), with the last index of it."""
    d = shapes.axis(dim, input.ndim)
    x = np.moveaxis(input._concrete(), d, -1)
    rows = x.reshape(-1, x.shape[-1])
    at = np.empty(len(rows), np.int64)
    for r, row in enumerate(rows):
        values, counts = np.unique(row, return_counts=True)
        at[r] = np.flatnonzero(row == values[counts.argmax()])[-1]
    i = from_owned(np.ascontiguousarray(np.expand_dims(at.reshape(x.shape[:-1]), d)))
    v = gather(input, d, i)
    return values_indices(v, i) if keepdim else values_indices(squeeze(v, d), squeeze(i, d))


def quantile(input: Tensor, q: Any, dim: int | None = None, keepdim: bool = False, *, interpolation: str = "linear") -> Tensor:
    """Quantiles by linear interpolation between order statistics."""
    x = reshape(input, -1) if dim is None else input
    d = 0 if dim is None else shapes.axis(dim, x.ndim)
    qs = np.atleast_1d(q._concrete() if isinstance(q, Tensor) else np.asarray(q, np.float64))
    ordered = sort(x, d)[0]
    n = x._shape[d]
    out = []
    for v in qs:
        at = float(v) * (n - 1)
        lo = {"linear": math.floor, "lower": math.floor, "higher": math.ceil, "nearest": builtins.round, "midpoint": math.floor}[interpolation](at)
        w = {"linear": at - lo, "midpoint": 0.5 if at != lo else 0.0}.get(interpolation, 0.0)
        a = narrow(ordered, d, lo, 1)
        out.append(lerp(a, narrow(ordered, d, builtins.min(lo + 1, n - 1), 1), w))
    stacked = stack([o if keepdim else squeeze(o, d) for o in out])
    single = not (isinstance(q, Tensor) and q.ndim) and not isinstance(q, (list, tuple))
    return squeeze(stacked, 0) if single else stacked


# ------------------------------------------------------------------ running and ordering


def cumsum(input: Tensor, dim: Any = None, *, dtype: DType | None = None, axis: Any = None) -> Tensor:
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
    m = amax(input, dim, keepdim=True).detach()
    return log(cumsum(exp(input - m), dim)) + m


def _running(input: Tensor, dim: int, largest: bool) -> Any:
    d = shapes.axis(dim, input.ndim)
    i: Tensor = apply(ops.cummax_index, input, axis=d, largest=largest)
    return values_indices(gather(input, d, i), i)


def cummax(input: Tensor, dim: int) -> Any:
    """Running maxima, with their indices."""
    return _running(input, dim, True)


def cummin(input: Tensor, dim: int) -> Any:
    """Running minima, with their indices."""
    return _running(input, dim, False)


def diff(input: Tensor, n: int = 1, dim: int = -1) -> Tensor:
    """Differences of neighbours, n times."""
    d = shapes.axis(dim, input.ndim)
    out = input
    for _ in range(n):
        k = out._shape[d]
        a, b = narrow(out, d, 1, k - 1), narrow(out, d, 0, k - 1)
        out = a ^ b if out._dtype is dtypes.bool_ else a - b
    return out


def sort(input: Tensor, dim: int = -1, descending: bool = False, stable: bool = False) -> Any:
    """(values, indices) in order along an axis; always stable."""
    if not input.ndim:
        return values_indices(clone(input), from_owned(np.zeros((), np.int64)))
    return values_indices(*apply(ops.sort, input, axis=shapes.axis(dim, input.ndim), descending=descending))


def argsort(input: Tensor, dim: int = -1, descending: bool = False, stable: bool = False) -> Tensor:
    """The indices that sort an axis."""
    return sort(input, dim, descending).indices


def msort(input: Tensor) -> Tensor:
    """Sorted along axis 0."""
    return sort(input, 0).values


def topk(input: Tensor, k: int, dim: int = -1, largest: bool = True, sorted: bool = True) -> Any:
    """The k largest (or smallest) along an axis, with their indices, in order."""
    d = shapes.axis(dim, input.ndim)
    if not input.ndim:
        return sort(input)
    if not 0 <= k <= input._shape[d]:
        raise RuntimeError(f"selected index k out of range: k={k} for an axis of size {input._shape[d]}")
    v, i = sort(input, d, descending=largest)
    return values_indices(narrow(v, d, 0, k), narrow(i, d, 0, k))


def unique(input: Tensor, sorted: bool = True, return_inverse: bool = False, return_counts: bool = False, dim: int | None = None) -> Any:
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


def unique_consecutive(input: Tensor, return_inverse: bool = False, return_counts: bool = False, dim: int | None = None) -> Any:
    """Runs of equal elements as one (a look; flat)."""
    x = input._concrete().reshape(-1)
    new = np.r_[True, x[1:] != x[:-1]][: x.size]
    out = [from_owned(x[new])]
    if return_inverse:
        out.append(from_owned((np.cumsum(new) - 1).reshape(input._shape).astype(np.int64)))
    if return_counts:
        out.append(from_owned(np.diff(np.r_[np.flatnonzero(new), x.size]).astype(np.int64)))
    return out[0] if len(out) == 1 else tuple(out)


def bincount(input: Tensor, weights: Tensor | None = None, minlength: int = 0) -> Tensor:
    """How often each non-negative integer comes (a look)."""
    w = None if weights is None else weights._concrete()
    out = np.bincount(input._concrete(), w, minlength)
    return from_owned(out.astype(np.int64) if w is None else out.astype(w.dtype))


def histc(input: Tensor, bins: int = 100, min: float = 0, max: float = 0) -> Tensor:
    """Counts in equal bins (a look)."""
    x = input._concrete()
    lo, hi = (min, max) if (min, max) != (0, 0) else (float(x.min()), float(x.max()))
    return from_owned(np.histogram(x, bins, (lo, hi))[0].astype(x.dtype))


def searchsorted(sorted_sequence: Tensor, input: Any, *, out_int32: bool = False, right: bool = False, side: str | None = None) -> Tensor:
    """Where elements would be inserted into a sorted vector (a look)."""
    x = input._concrete() if isinstance(input, Tensor) else np.asarray(input)
    edges = sorted_sequence._concrete()
    how = side or ("right" if right else "left")
    if edges.ndim == 1:
        found = np.searchsorted(edges, x, side=how)
    else:
        pairs = zip(edges.reshape(-1, edges.shape[-1]), x.reshape(-1, x.shape[-1]), strict=True)
        found = np.stack([np.searchsorted(e, v, side=how) for e, v in pairs]).reshape(x.shape)
    return from_owned(np.asarray(found, np.int32 if out_int32 else np.int64))


def bucketize(input: Any, boundaries: Tensor, *, out_int32: bool = False, right: bool = False) -> Tensor:
    """In which bucket elements fall (a look)."""
    return searchsorted(boundaries, input, out_int32=out_int32, right=right)


# ------------------------------------------------------------------ reading and writing at indices


def nonzero(input: Tensor, *, as_tuple: bool = False) -> Any:
    """Indices of what is not 0 (a look: the shape depends on the values)."""
    found = np.nonzero(np.atleast_1d(input._concrete()) if as_tuple else input._concrete()) if input.ndim or as_tuple else None
    if as_tuple:
        assert found is not None
        return tuple(from_owned(f.astype(np.int64)) for f in found)
    if found is None:
        return from_owned(np.zeros((int(bool(input)), 0), np.int64))
    return from_owned(np.ascontiguousarray(np.stack(found, -1).astype(np.int64)))


argwhere = nonzero


def gather(input: Tensor, dim: int, index: Tensor, *, sparse_grad: bool = False) -> Tensor:
    """y[i, j] = x[i, index[i, j]] for dim 1."""
    if not input.ndim and not index.ndim:
        return clone(input)
    x = reshape(input, 1) if not input.ndim else input
    return apply(ops.take_along, x, index, axis=shapes.axis(dim, x.ndim))


def take_along_dim(input: Tensor, indices: Tensor, dim: int | None = None) -> Tensor:
    """`gather` with broadcasting."""
    if dim is None:
        return gather(reshape(input, -1), 0, reshape(indices, -1))
    d = shapes.axis(dim, input.ndim)
    common = list(shapes.broadcast(tuple(1 if i == d else n for i, n in enumerate(input._shape)), tuple(1 if i == d else n for i, n in enumerate(indices._shape))))
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
    return x[m]


def masked_fill(input: Tensor, mask: Tensor, value: Any) -> Tensor:
    """`value` where the mask holds."""
    if mask._dtype is not dtypes.bool_:
        raise DtypeError(f"masked_fill_ only supports boolean masks, but got mask with dtype {mask._dtype}")
    return apply(_masked_fill, input, mask, value)


def _masked_fill(x: Node, m: Node, v: Any) -> Node:
    return ops.where(m, ops.convert(v, x.dtype), x)


def masked_scatter(input: Tensor, mask: Tensor, source: Tensor) -> Tensor:
    """Elements of `source`, in order, where the mask holds."""
    m = expand(mask, *input._shape)
    order = cumsum(reshape(m, -1).long(), 0) - 1
    picked = reshape(take(reshape(source, -1), clamp(order, min=0)), input._shape)
    return where(m, picked, input)


_MODES = {"add": "add", "multiply": "prod", "sum": "add", "prod": "prod", "amax": "amax", "amin": "amin", None: "set"}


def scatter(input: Tensor, dim: int, index: Tensor, src: Any = None, *, value: Any = None, reduce: str | None = None) -> Tensor:
    """y = x, then y[i, index[i, j]] = src[i, j] for dim 1."""
    source = value if src is None else src
    if not isinstance(source, Tensor):
        source = expand(as_tensor(source).to(input._dtype), *index._shape)
    if source._dtype is not input._dtype:
        raise DtypeError(f"scatter(): Expected self.dtype to be equal to src.dtype, got {input._dtype} and {source._dtype}")
    return apply(ops.scatter, input, index, source, axis=shapes.axis(dim, input.ndim), mode=_MODES[reduce])


def scatter_add(input: Tensor, dim: int, index: Tensor, src: Tensor) -> Tensor:
    """y = x, then y[i, index[i, j]] += src[i, j] for dim 1."""
    return scatter(input, dim, index, src, reduce="add")


def scatter_reduce(input: Tensor, dim: int, index: Tensor, src: Tensor, reduce: str, *, include_self: bool = True) -> Tensor:
    """`scatter` with sum, prod, mean, amax or amin."""
    d = shapes.axis(dim, input.ndim)
    base = input
    if not include_self:
        start = {"sum": 0.0, "mean": 0.0, "prod": 1.0, "amax": -math.inf, "amin": math.inf}[reduce]
        base = scatter(input, d, index, start)
    if reduce != "mean":
        return scatter(base, d, index, src, reduce=reduce)
    ones = to_dtype(input == input, input._dtype) if include_self else scatter(input * 0 + 1, d, index, 0.0)
    counts = scatter(ones.detach(), d, index, to_dtype(src == src, src._dtype), reduce="add")
    total = scatter(base, d, index, src, reduce="add") / clamp(counts, min=1)
    return total


def index_add(input: Tensor, dim: int, index: Tensor, source: Tensor, *, alpha: float = 1) -> Tensor:
    """y = x, then y[index[k]] += alpha · source[k]"""
    src = source if alpha == 1 else source * alpha
    return apply(ops.put, input, index, src, axis=shapes.axis(dim, input.ndim), mode="add")


def index_copy(input: Tensor, dim: int, index: Tensor, source: Tensor) -> Tensor:
    """y = x, then y[index[k]] = source[k]"""
    return apply(ops.put, input, index, source, axis=shapes.axis(dim, input.ndim), mode="set")


def index_fill(input: Tensor, dim: int, index: Tensor, value: Any) -> Tensor:
    """y = x, then y[index[k]] = value"""
    d = shapes.axis(dim, input.ndim)
    shape = (*input._shape[:d], *index._shape, *input._shape[d + 1 :])
    v = value if isinstance(value, Tensor) else as_tensor(value)
    return index_copy(input, d, index, expand(to_dtype(v, input._dtype), *shape))


def index_put(input: Tensor, indices: Sequence[Tensor], values: Tensor, accumulate: bool = False) -> Tensor:
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


def diagonal_scatter(input: Tensor, src: Tensor, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Tensor:
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


# ------------------------------------------------------------------ products


def matmul(input: Tensor, other: Tensor) -> Tensor:
    """Matrix product, with batches and vectors."""
    if input._dtype is not other._dtype:
        raise DtypeError(f"expected m1 and m2 to have the same dtype, but got: {input._dtype} != {other._dtype}; convert one with .to()")
    return apply(ops.matmul, input, other)


def _ranked(a: Tensor, b: Tensor, ra: int, rb: int, what: str) -> Tensor:
    if (a.ndim, b.ndim) != (ra, rb):
        raise ShapeError(f"{what} expects tensors of {ra} and {rb} axes, got shapes {tuple(a._shape)} and {tuple(b._shape)}")
    return matmul(a, b)


def mm(input: Tensor, mat2: Tensor) -> Tensor:
    """Matrix times matrix."""
    return _ranked(input, mat2, 2, 2, "mm")


def mv(input: Tensor, vec: Tensor) -> Tensor:
    """Matrix times vector."""
    return _ranked(input, vec, 2, 1, "mv")


def bmm(input: Tensor, mat2: Tensor) -> Tensor:
    """A batch of matrix products."""
    if input._shape[:1] != mat2._shape[:1]:
        raise ShapeError(f"bmm: batch sizes differ: {tuple(input._shape)} and {tuple(mat2._shape)}")
    return _ranked(input, mat2, 3, 3, "bmm")


def dot(input: Tensor, tensor: Tensor) -> Tensor:
    """Σ a b of two vectors."""
    if input._shape != tensor._shape:
        raise ShapeError(f"inconsistent tensor size, expected tensor {list(input._shape)} and src {list(tensor._shape)} to have the same number of elements")
    return _ranked(input, tensor, 1, 1, "dot")


vdot = dot


def inner(input: Tensor, other: Tensor) -> Tensor:
    """Σ over the last axes of both."""
    if not input.ndim or not other.ndim:
        return input * other
    return tensordot(input, other, ([input.ndim - 1], [other.ndim - 1]))


def outer(input: Tensor, vec2: Tensor) -> Tensor:
    """a bᵀ of two vectors."""
    return unsqueeze(input, 1) * vec2


ger = outer


def addmm(input: Tensor, mat1: Tensor, mat2: Tensor, *, beta: float = 1, alpha: float = 1) -> Tensor:
    """beta · input + alpha · a @ b"""
    return _scaled(input, beta) + _scaled(mm(mat1, mat2), alpha)


def addmv(input: Tensor, mat: Tensor, vec: Tensor, *, beta: float = 1, alpha: float = 1) -> Tensor:
    """beta · input + alpha · A @ v"""
    return _scaled(input, beta) + _scaled(mv(mat, vec), alpha)


def addr(input: Tensor, vec1: Tensor, vec2: Tensor, *, beta: float = 1, alpha: float = 1) -> Tensor:
    """beta · input + alpha · a bᵀ"""
    return _scaled(input, beta) + _scaled(outer(vec1, vec2), alpha)


def baddbmm(input: Tensor, batch1: Tensor, batch2: Tensor, *, beta: float = 1, alpha: float = 1) -> Tensor:
    """beta · input + alpha · a @ b, in batches"""
    return _scaled(input, beta) + _scaled(bmm(batch1, batch2), alpha)


def _scaled(x: Tensor, s: float) -> Tensor:
    return x if s == 1 else x * s


def tensordot(a: Tensor, b: Tensor, dims: Any = 2) -> Tensor:
    """Σ over pairs of axes."""
    if isinstance(dims, int):
        da, db = list(range(a.ndim - dims, a.ndim)), list(range(dims))
    else:
        da, db = ([x] if isinstance(x, int) else list(x) for x in dims)
    da, db = [shapes.axis(d, a.ndim) for d in da], [shapes.axis(d, b.ndim) for d in db]
    letters = iter(string.ascii_letters)
    la = [next(letters) for _ in range(a.ndim)]
    lb = [next(letters) for _ in range(b.ndim)]
    for i, j in zip(da, db, strict=True):
        lb[j] = la[i]
    out = [c for i, c in enumerate(la) if i not in da] + [c for j, c in enumerate(lb) if j not in db]
    return apply(ops.contract, a, b, spec=f"{''.join(la)},{''.join(lb)}->{''.join(out)}")


def kron(input: Tensor, other: Tensor) -> Tensor:
    """Kronecker product."""
    rank = builtins.max(input.ndim, other.ndim)
    a = reshape(input, (1,) * (rank - input.ndim) + tuple(input._shape))
    b = reshape(other, (1,) * (rank - other.ndim) + tuple(other._shape))
    wide_a = reshape(a, tuple(n for s in a._shape for n in (s, 1)))
    wide_b = reshape(b, tuple(n for s in b._shape for n in (1, s)))
    return reshape(wide_a * wide_b, tuple(x * y for x, y in zip(a._shape, b._shape, strict=True)))


def trace(input: Tensor) -> Tensor:
    """Σ of the diagonal."""
    return sum(diagonal(input))


def cross(input: Tensor, other: Tensor, dim: int | None = None) -> Tensor:
    """The vector product of 3-vectors."""
    a, b = broadcast_tensors(input, other)
    d = next(i for i, n in enumerate(a._shape) if n == 3) if dim is None else dim
    return roll(a, -1, d) * roll(b, -2, d) - roll(a, -2, d) * roll(b, -1, d)


def einsum(equation: Any, *operands: Any) -> Tensor:
    """Sums of products in Einstein's notation, e.g. einsum("bij,bjk->bik", a, b)."""
    from_list = operands[0] if len(operands) == 1 and isinstance(operands[0], (list, tuple)) else operands
    return apply(_einsum, *from_list, equation=str(equation).replace(" ", ""))


def _einsum(*xs: Node, equation: str) -> Node:
    left, arrow, out = equation.partition("->")
    specs = left.split(",")
    if len(specs) != len(xs):
        raise ValueError(f"einsum(): the equation {equation!r} has {len(specs)} operands, {len(xs)} were given")
    named = set(equation)
    spare = [c for c in string.ascii_letters if c not in named]
    dots = builtins.max((len(x.shape) - len(s.replace("...", "")) for s, x in zip(specs, xs, strict=True) if "..." in s), default=0)
    lead = "".join(spare[:dots])
    full = []
    for s, x in zip(specs, xs, strict=True):
        here = len(x.shape) - len(s.replace("...", ""))
        full.append(s.replace("...", lead[dots - here :] if here else ""))
    if not arrow:
        counts = {c: "".join(full).count(c) for c in "".join(full) if c not in lead}
        out = ("..." if dots else "") + "".join(sorted(c for c, n in counts.items() if n == 1))
    out = out.replace("...", lead)
    terms = [_single(x, s) for x, s in zip(xs, full, strict=True)]
    while len(terms) > 1:
        (a, sa), (b, sb) = terms[0], terms[1]
        rest = set(out).union(*(s for _, s in terms[2:]))
        a, sa = _drop(a, sa, rest | set(sb))
        b, sb = _drop(b, sb, rest | set(sa))
        a, b = _stretch(a, sa, b, sb)
        keep = "".join(dict.fromkeys(c for c in sa + sb if c in rest))
        terms[:2] = [(ops.contract(a, b, spec=f"{sa},{sb}->{keep}"), keep)]
    x, s = _drop(*terms[0], set(out))
    if set(s) != set(out) or len(s) != len(out):
        raise ValueError(f"einsum(): the output {out!r} names axes that no operand has")
    return ops.permute(x, order=tuple(s.index(c) for c in out))


def _single(x: Node, s: str) -> tuple[Node, str]:
    """Repeated letters of one operand are a diagonal."""
    if len(s) != len(x.shape):
        raise ValueError(f"einsum(): {s!r} names {len(s)} axes, the operand has shape {x.shape}")
    for c in dict.fromkeys(s):
        while s.count(c) > 1:
            i, j = s.index(c), s.rindex(c)
            rest = [k for k in range(len(s)) if k not in (i, j)]
            x = ops.diagonal(ops.permute(x, order=(*rest, i, j)), offset=0)
            s = "".join(s[k] for k in rest) + c
    return x, s


def _drop(x: Node, s: str, keep: set[str]) -> tuple[Node, str]:
    over = tuple(i for i, c in enumerate(s) if c not in keep)
    return (ops.sum(x, axis=over), "".join(c for c in s if c in keep)) if over else (x, s)


def _stretch(a: Node, sa: str, b: Node, sb: str) -> tuple[Node, Node]:
    """Axes of size 1 under one letter broadcast."""
    size = {}
    for s, x in ((sa, a), (sb, b)):
        for c, n in zip(s, x.shape, strict=True):
            size[c] = builtins.max(size.get(c, 1), n) if n else 0
    wide_a, wide_b = tuple(size[c] for c in sa), tuple(size[c] for c in sb)
    return ops.broadcast_to(a, shape=wide_a), ops.broadcast_to(b, shape=wide_b)


def cdist(x1: Tensor, x2: Tensor, p: float = 2.0) -> Tensor:
    """Distances between all pairs of rows."""
    return norm(unsqueeze(x1, -2) - unsqueeze(x2, -3), p, -1)


# ------------------------------------------------------------------ rows


def softmax(input: Tensor, dim: int, dtype: DType | None = None) -> Tensor:
    """eˣ / Σ eˣ along an axis"""
    x = input if dtype is None else to_dtype(input, dtype)
    return apply(ops.softmax, x, axis=shapes.axis(dim, x.ndim))


def log_softmax(input: Tensor, dim: int, dtype: DType | None = None) -> Tensor:
    """log of softmax, computed without it"""
    x = input if dtype is None else to_dtype(input, dtype)
    return apply(ops.log_softmax, x, axis=shapes.axis(dim, x.ndim))


def copy_into(target: Tensor, source: Tensor) -> Tensor:
    """target[...] = source"""
    s: Tensor = source if isinstance(source, Tensor) else as_tensor(source)
    wide = expand(to_dtype(s, target._dtype), *target._shape)
    return assign(target, clone(wide))

