"""Element by element: arithmetic, comparison, elementary functions, types."""

from __future__ import annotations

import builtins
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from chainrule import dtypes, ops
from chainrule.dtypes import DType
from chainrule.errors import DtypeError
from chainrule.ir.node import Node
from chainrule.tensor.creation import as_tensor
from chainrule.tensor.fromdata import from_owned
from chainrule.tensor.handle import Tensor
from chainrule.tensor.record import apply


def _unary(op: Any) -> Callable[[Tensor], Tensor]:
    def f(input: Tensor) -> Tensor:
        out: Tensor = apply(op, input)
        return out

    f.__name__, f.__doc__ = op.name, op.__doc__
    return f


def _binary(op: Any) -> Callable[[Tensor, Any], Tensor]:
    def f(input: Tensor, other: Any) -> Tensor:
        out: Tensor = apply(op, input, other)
        return out

    f.__name__, f.__doc__ = op.name, op.__doc__
    return f


def _either(op: Any) -> Callable[[Any, Any], Tensor]:
    """Of two tensors, or of a tensor and a number on either side."""

    def f(input: Any, other: Any) -> Tensor:
        out: Tensor = apply(op, input, other)
        return out

    f.__name__, f.__doc__ = op.name, op.__doc__
    return f


def _of_tensors(op: Any) -> Callable[[Tensor, Tensor], Tensor]:
    """Of two tensors: PyTorch takes no numbers here."""

    def f(input: Tensor, other: Tensor) -> Tensor:
        out: Tensor = apply(op, input, other)
        return out

    f.__name__, f.__doc__ = op.name, op.__doc__
    return f


abs = absolute = _unary(ops.abs)
sign = _unary(ops.sign)
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
erfc = _unary(ops.special_functions.erfc)
erfinv = _unary(ops.erfinv)
lgamma = _unary(ops.lgamma)
sigmoid = _unary(ops.sigmoid)
relu = _unary(ops.relu)
isnan = _unary(ops.isnan)
isinf = _unary(ops.isinf)
isfinite = _unary(ops.isfinite)
bitwise_not = _unary(ops.bitwise_not)


def neg(input: Tensor) -> Tensor:
    """−x"""
    if input._dtype is dtypes.bool_:
        raise DtypeError(
            "Negation, the `-` operator, on a bool tensor is not supported. If you are trying to "
            "invert a mask, use the `~` or `logical_not()` operator instead."
        )
    return apply(ops.neg, input)


negative = neg


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


def nan_to_num(
    input: Tensor, nan: float = 0.0, posinf: float | None = None, neginf: float | None = None
) -> Tensor:
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
    """The same values in a place of their own; gradients pass. Axes keep their order in memory
    unless `memory_format` asks for another.
    """
    return apply(ops.copy, input)


def add(input: Any, other: Any, *, alpha: float = 1) -> Tensor:
    """input + alpha · other"""
    return apply(ops.add, input, other if alpha == 1 else other * alpha)


def sub(input: Any, other: Any, *, alpha: float = 1) -> Tensor:
    """input − alpha · other"""
    _no_bool(input, other)
    return apply(ops.sub, input, other if alpha == 1 else other * alpha)


def _no_bool(a: Any, b: Any) -> None:
    if builtins.all(isinstance(t, Tensor) and t.dtype is dtypes.bool_ for t in (a, b)):
        raise DtypeError(
            "Subtraction, the `-` operator, with two bool tensors is not supported. Use the `^` "
            "or `logical_xor()` operator instead."
        )


def rsub(input: Tensor, other: Any, *, alpha: float = 1) -> Tensor:
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
        raise RuntimeError(
            "div expected rounding_mode to be one of None, 'trunc', or 'floor' but found "
            f"'{rounding_mode}'"
        )
    return apply(_div_trunc, input, other)


def _div_trunc(a: Any, b: Any) -> Node:
    (x, y), _ = ops.core.promote(a, b)
    if x.dtype.is_floating_point:
        return ops.trunc(x / y)
    q = ops.floor_divide(x, y)
    inexact = ops.ne(q * y, x)
    return q + ops.cast(inexact & (q < 0), dtype=q.dtype)


multiply, divide, true_divide, subtract = mul, div, div, sub
floor_divide = _either(ops.floor_divide)
remainder = _either(ops.remainder)
fmod = _binary(ops.fmod)
maximum = _of_tensors(ops.maximum)
minimum = _of_tensors(ops.minimum)
atan2 = arctan2 = _of_tensors(ops.atan2)
logaddexp = _of_tensors(ops.logaddexp)
eq = _binary(ops.eq)
ne = not_equal = _binary(ops.ne)
lt = less = _binary(ops.lt)
le = less_equal = _binary(ops.le)
gt = greater = _binary(ops.gt)
ge = greater_equal = _binary(ops.ge)
bitwise_and = _either(ops.bitwise_and)
bitwise_or = _either(ops.bitwise_or)
bitwise_xor = _either(ops.bitwise_xor)
bitwise_left_shift = _either(ops.shift_left)
bitwise_right_shift = _either(ops.shift_right)


def pow(input: Any, exponent: Any) -> Tensor:
    """input to the power exponent"""
    if (
        isinstance(input, Tensor)
        and not input.dtype.is_floating_point
        and isinstance(exponent, int)
        and exponent < 0
    ):
        raise RuntimeError("Integers to negative integer powers are not allowed.")
    return apply(ops.pow, input, exponent)


def float_power(input: Any, exponent: Any) -> Tensor:
    """`pow`, in double precision whatever comes."""
    wide = dtypes.complex128 if result_type(input, exponent).is_complex else dtypes.float64
    x, y = (to_dtype(v, wide) if isinstance(v, Tensor) else v for v in (input, exponent))
    return to_dtype(pow(x, y), wide)


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
    # log 1 in place of logarithms that are not finite: their gradients would be 0 · ∞
    return x * log(where((x == 0) & ((y <= 0) | (y == math.inf)), 1.0, y))


def logical_and(input: Tensor, other: Tensor) -> Tensor:
    """Both non-zero."""
    return (input != 0) & (other != 0)


def logical_or(input: Tensor, other: Tensor) -> Tensor:
    """One non-zero."""
    return (input != 0) | (other != 0)


def logical_xor(input: Tensor, other: Tensor) -> Tensor:
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
    """input where the condition holds, else other; with one argument, where it holds."""
    if input is None and other is None:
        return nonzero(condition, as_tuple=True)
    if not isinstance(condition, Tensor):
        raise TypeError(
            f"where(): argument 'condition' (position 1) must be Tensor, not "
            f"{type(condition).__name__}"
        )
    if not isinstance(input, Tensor) and not isinstance(other, Tensor):
        input = as_tensor(input)
        input = input.to(dtypes.result_type([(input.dtype, 1), (dtypes.of_number(other), 1)]))
    return apply(ops.where, condition, input, other)


def isclose(
    input: Tensor, other: Tensor, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False
) -> Tensor:
    """|a − b| ≤ atol + rtol |b|"""
    if rtol < 0 or atol < 0:
        raise RuntimeError(
            f"rtol and atol must be greater than or equal to zero, but got {rtol} and {atol}"
        )
    near = (input == other) | (isfinite(other) & (abs(input - other) <= abs(other) * rtol + atol))
    return near | (isnan(input) & isnan(other)) if equal_nan else near


def to_dtype(input: Tensor, dtype: DType) -> Tensor:
    """The same numbers in another type; the tensor itself if it has it."""
    return input if input._dtype is dtype else apply(ops.cast, input, dtype=dtype)


def result_type(a: Any, b: Any) -> DType:
    """The dtype of a + b."""
    return dtypes.result_type(
        (t._dtype, dtypes.ARRAY if t._shape else dtypes.SCALAR)
        if isinstance(t, Tensor)
        else (dtypes.of_number(t), dtypes.NUMBER)
        for t in (a, b)
    )


def is_floating_point(input: Tensor) -> bool:
    """Whether the dtype is one of the floating point types."""
    return input._dtype.is_floating_point


def nonzero(input: Tensor, *, as_tuple: bool = False) -> Any:
    """Indices of what is not 0 (a look: the shape depends on the values)."""
    found = (
        np.nonzero(np.atleast_1d(input._concrete()) if as_tuple else input._concrete())
        if input.ndim or as_tuple
        else None
    )
    if as_tuple:
        assert found is not None
        return tuple(from_owned(f.astype(np.int64)) for f in found)
    if found is None:
        return from_owned(np.zeros((int(bool(input)), 0), np.int64))
    return from_owned(np.ascontiguousarray(np.stack(found, -1).astype(np.int64)))


argwhere = nonzero


def positive(input: Tensor) -> Tensor:
    """The tensor itself."""
    if input._dtype is dtypes.bool_:
        raise DtypeError("The `+` operator, on a bool tensor is not supported.")
    return input


def isposinf(input: Tensor) -> Tensor:
    """Whether x is +∞."""
    return input == math.inf


def isneginf(input: Tensor) -> Tensor:
    """Whether x is −∞."""
    return input == -math.inf


def logaddexp2(input: Tensor, other: Tensor) -> Tensor:
    """log₂(2ᵃ + 2ᵇ), without overflow"""
    scale = math.log(2.0)
    return logaddexp(input * scale, other * scale) / scale


def ldexp(input: Tensor, other: Tensor) -> Tensor:
    """a · 2ᵇ"""
    return input * pow(2.0, other)


def heaviside(input: Tensor, values: Tensor) -> Tensor:
    """0 for x < 0, 1 for x > 0, `values` at 0"""
    one = to_dtype(input > 0, input._dtype)
    return where(input == 0, values, one)


def mvlgamma(input: Tensor, p: int) -> Tensor:
    """log of the multivariate gamma function: p (p − 1)/4 · log π + Σ log Γ(x − i/2), i < p"""
    total = lgamma(input)
    for i in range(1, p):
        total = total + lgamma(input - i / 2)
    return total + p * (p - 1) / 4 * math.log(math.pi)
