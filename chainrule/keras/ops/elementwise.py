"""`keras.ops`: functions of single numbers, and of pairs of numbers."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from chainrule import dtypes, special
from chainrule.keras.arrays import to_tensor
from chainrule.keras.ops.promotion import as_real, numbers_stay, together
from chainrule.keras.symbolic import function
from chainrule.tensor import Tensor, creation
from chainrule.tensor import functions as T
from chainrule.tensor.extra import top

_BOOL = dtypes.bool_


def _one(name: str, f: Callable[[Any], Any], formula: str, take: Any = to_tensor) -> Any:
    def call(x: Any) -> Any:
        return f(take(x))

    call.__name__ = call.__qualname__ = name
    call.__doc__ = f"{formula}, element by element."
    return function(call)


def _floats(name: str, f: Callable[[Any], Any], formula: str) -> Any:
    return _one(name, f, formula, as_real)


def _ints(f: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """For functions that leave whole numbers as they are."""
    return lambda x: f(x) if x.dtype.is_floating_point else x


absolute = _one("absolute", lambda x: x if x.dtype is _BOOL else T.abs(x), "|x|")
abs = absolute
fabs = _floats("fabs", T.abs, "|x|")
arccos = _floats("arccos", T.acos, "arccos x")
arccosh = _floats("arccosh", T.acosh, "arcosh x")
arcsin = _floats("arcsin", T.asin, "arcsin x")
arcsinh = _floats("arcsinh", T.asinh, "arsinh x")
arctan = _floats("arctan", T.atan, "arctan x")
arctanh = _floats("arctanh", T.atanh, "artanh x")
angle = _floats("angle", T.angle, "the argument of x")
cbrt = _floats("cbrt", lambda x: T.sign(x) * T.abs(x) ** (1.0 / 3.0), "∛x")
ceil = _floats("ceil", T.ceil, "⌈x⌉")
conjugate = conj = _one(
    "conjugate", lambda x: T.conj(x) if x.dtype.is_complex else x, "the complex conjugate"
)
copy = _one("copy", T.clone, "the same")
cos = _floats("cos", T.cos, "cos x")
cosh = _floats("cosh", T.cosh, "cosh x")
deg2rad = _floats("deg2rad", lambda x: x * (math.pi / 180), "x π / 180")
rad2deg = _floats("rad2deg", lambda x: x * (180 / math.pi), "180 x / π")
exp = _floats("exp", T.exp, "eˣ")
exp2 = _floats("exp2", T.exp2, "2ˣ")
expm1 = _floats("expm1", T.expm1, "eˣ - 1")
floor = _floats("floor", T.floor, "⌊x⌋")
i0 = _floats("i0", special.i0, "the Bessel function I₀")
imag = _one(
    "imag",
    lambda x: T.imag(x) if x.dtype.is_complex else creation.zeros_like(x),
    "the imaginary part",
)
real = _one("real", lambda x: T.real(x) if x.dtype.is_complex else x, "the real part")
isreal = _one(
    "isreal",
    lambda x: T.imag(x) == 0 if x.dtype.is_complex else creation.ones_like(x, dtype=_BOOL),
    "whether x is real",
)
isfinite = _one("isfinite", T.isfinite, "whether x is a finite number")
isinf = _one("isinf", T.isinf, "whether x is infinite")
isnan = _one("isnan", T.isnan, "whether x is no number")
isneginf = _one("isneginf", T.isneginf, "whether x is -∞")
isposinf = _one("isposinf", T.isposinf, "whether x is ∞")
log = _floats("log", T.log, "ln x")
log10 = _floats("log10", T.log10, "log₁₀ x")
log1p = _floats("log1p", T.log1p, "ln (1 + x)")
log2 = _floats("log2", T.log2, "log₂ x")
logical_not = _one("logical_not", lambda x: ~x.to(_BOOL), "not x")
negative = _one("negative", T.neg, "-x")
reciprocal = _floats("reciprocal", T.reciprocal, "1 / x")
sign = _one(
    "sign", lambda x: x.to(dtypes.int32) if x.dtype is _BOOL else T.sign(x), "the sign of x"
)
signbit = _one("signbit", T.signbit, "whether x is negative, -0 too")
sin = _floats("sin", T.sin, "sin x")
sinc = _floats("sinc", T.sinc, "sin(πx) / (πx)")
sinh = _floats("sinh", T.sinh, "sinh x")
square = _one("square", lambda x: x.to(dtypes.int32) if x.dtype is _BOOL else x * x, "x²")
sqrt = _floats("sqrt", T.sqrt, "√x")
tan = _floats("tan", T.tan, "tan x")
tanh = _floats("tanh", T.tanh, "tanh x")
trunc = _one("trunc", _ints(T.trunc), "x without its fraction")
rsqrt = _floats("rsqrt", T.rsqrt, "1 / √x")
erf = _floats("erf", T.erf, "erf x")
erfc = _floats("erfc", T.erfc, "1 - erf x")
erfinv = _floats("erfinv", T.erfinv, "the x of erf x")
bitwise_invert = _one("bitwise_invert", T.bitwise_not, "all bits exchanged")
bitwise_not = bitwise_invert


@function
def round(x: Any, decimals: int = 0) -> Any:
    """x rounded to so many decimals, halves to even."""
    x = to_tensor(x)
    if x.dtype.is_floating_point:
        return T.round(x, decimals=decimals)
    if decimals >= 0:
        return x.to(dtypes.int32) if x.dtype is _BOOL else x
    return T.round(x.to(dtypes.float64), decimals=decimals).to(x.dtype)


@function
def nan_to_num(x: Any, nan: Any = 0.0, posinf: Any = None, neginf: Any = None) -> Any:
    """Numbers in place of NaN and infinities."""
    x = to_tensor(x)
    return T.nan_to_num(x, nan, posinf, neginf) if x.dtype.is_floating_point else x


@function
def clip(x: Any, x_min: Any, x_max: Any) -> Any:
    """Between two bounds."""
    x = to_tensor(x)
    if x.dtype is _BOOL:
        x = x.to(dtypes.int32)

    def bound(b: Any) -> Any:
        return b if b is None or isinstance(b, int | float) else to_tensor(b).to(x.dtype)

    low, high = bound(x_min), bound(x_max)
    if isinstance(low, Tensor) != isinstance(high, Tensor):
        low, high = (
            b if isinstance(b, Tensor) or b is None else to_tensor(b).to(x.dtype)
            for b in (low, high)
        )
    return T.clamp(x, low, high)


# Pairs --------------------------------------------------------------------------------------------


def _two(name: str, f: Callable[[Any, Any], Any], formula: str, take: Any = numbers_stay) -> Any:
    def call(x1: Any, x2: Any) -> Any:
        return f(*take(x1, x2))

    call.__name__ = call.__qualname__ = name
    call.__doc__ = f"{formula}, element by element."
    return function(call)


def _tensors(name: str, f: Callable[[Any, Any], Any], formula: str) -> Any:
    return _two(name, f, formula, together)


def _real_pair(x1: Any, x2: Any) -> Any:
    a, b = together(x1, x2)
    return as_real(a), as_real(b)


def _floats2(name: str, f: Callable[[Any, Any], Any], formula: str) -> Any:
    return _two(name, f, formula, _real_pair)


def _bools(name: str, f: Callable[[Any, Any], Any], formula: str) -> Any:
    def take(x1: Any, x2: Any) -> Any:
        return to_tensor(x1).to(_BOOL), to_tensor(x2).to(_BOOL)

    return _two(name, f, formula, take)


def _divided(a: Any, b: Any) -> Any:
    x = a if isinstance(a, Tensor) else b
    if not (x.dtype.is_floating_point or x.dtype.is_complex):
        a, b = _real_pair(a, b)
    return a / b


def _whole(f: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """Truth values count as 0 and 1."""

    def g(a: Any, b: Any) -> Any:
        if isinstance(a, Tensor) and a.dtype is _BOOL:
            a, b = a.to(dtypes.int32), to_tensor(b).to(dtypes.int32)
        return f(a, b)

    return g


def _subtracted(a: Any, b: Any) -> Any:
    return T.logical_xor(a, b) if getattr(a, "dtype", None) is _BOOL else a - b


add = _two("add", lambda a, b: a + b, "x1 + x2")
subtract = _two("subtract", _subtracted, "x1 - x2")
multiply = _two("multiply", lambda a, b: a * b, "x1 x2")
true_divide = divide = _two("true_divide", _divided, "x1 / x2")
floor_divide = _two("floor_divide", _whole(lambda a, b: a // b), "⌊x1 / x2⌋")
mod = _two("mod", _whole(lambda a, b: a % b), "x1 - x2 ⌊x1 / x2⌋")
fmod = _tensors("fmod", _whole(T.fmod), "the rest of a division towards 0")
power = _two("power", _whole(lambda a, b: a**b), "x1 to the power of x2")
maximum = _tensors("maximum", T.maximum, "the larger one")
minimum = _tensors("minimum", T.minimum, "the smaller one")
fmax = _tensors("fmax", T.fmax, "the larger one, a number rather than NaN")
fmin = _tensors("fmin", T.fmin, "the smaller one, a number rather than NaN")
equal = _two("equal", lambda a, b: a == b, "x1 = x2")
not_equal = _two("not_equal", lambda a, b: a != b, "x1 ≠ x2")
less = _two("less", lambda a, b: a < b, "x1 < x2")
less_equal = _two("less_equal", lambda a, b: a <= b, "x1 ≤ x2")
greater = _two("greater", lambda a, b: a > b, "x1 > x2")
greater_equal = _two("greater_equal", lambda a, b: a >= b, "x1 ≥ x2")
logical_and = _bools("logical_and", T.logical_and, "x1 and x2")
logical_or = _bools("logical_or", T.logical_or, "x1 or x2")
logical_xor = _bools("logical_xor", T.logical_xor, "x1 or x2, not both")
arctan2 = _floats2("arctan2", T.atan2, "the angle of the point (x2, x1)")
heaviside = _floats2("heaviside", T.heaviside, "0 below 0, 1 above, x2 at 0")
hypot = _floats2("hypot", T.hypot, "√(x1² + x2²)")
logaddexp = _floats2("logaddexp", T.logaddexp, "ln (eˣ¹ + eˣ²)")
logaddexp2 = _floats2("logaddexp2", T.logaddexp2, "log₂ (2ˣ¹ + 2ˣ²)")
nextafter = _floats2("nextafter", top.nextafter, "the next float after x1 towards x2")
gcd = _tensors("gcd", top.gcd, "the greatest common divisor")
lcm = _tensors("lcm", top.lcm, "the least common multiple")
bitwise_and = _tensors("bitwise_and", T.bitwise_and, "the bits of both")
bitwise_or = _tensors("bitwise_or", T.bitwise_or, "the bits of either")
bitwise_xor = _tensors("bitwise_xor", T.bitwise_xor, "the bits of one, not of both")
bitwise_left_shift = left_shift = _tensors(
    "bitwise_left_shift", _whole(T.bitwise_left_shift), "x1 2ˣ²"
)
bitwise_right_shift = right_shift = _tensors(
    "bitwise_right_shift", _whole(T.bitwise_right_shift), "⌊x1 / 2ˣ²⌋"
)


@function
def ldexp(x1: Any, x2: Any) -> Any:
    """x1 2ˣ², element by element."""
    return as_real(x1) * T.exp2(as_real(x2))


@function
def divide_no_nan(x1: Any, x2: Any) -> Any:
    """x1 / x2, and 0 where x2 is 0."""
    a, b = _real_pair(x1, x2)
    zero = b == 0
    return T.where(zero, creation.zeros_like(a), a / T.where(zero, creation.ones_like(b), b))


@function
def isclose(
    x1: Any, x2: Any, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False
) -> Any:
    """|x1 - x2| ≤ atol + rtol |x2|."""
    a, b = together(x1, x2)
    return T.isclose(a, b, rtol, atol, equal_nan)


@function
def allclose(
    x1: Any, x2: Any, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False
) -> Any:
    """Whether all elements are close."""
    a, b = together(x1, x2)
    return T.isclose(a, b, rtol, atol, equal_nan).all()


@function
def polar(abs_: Any, angle: Any) -> Any:
    """The complex number of a length and an angle."""
    return T.polar(as_real(abs_), as_real(angle))
