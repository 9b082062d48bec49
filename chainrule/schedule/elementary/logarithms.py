"""Logarithms and inverse hyperbolic functions."""

from __future__ import annotations

import math

from chainrule.schedule.build import Builder
from chainrule.schedule.elementary.formats import (
    LN2,
    LOG2E,
    copysign,
    format_of,
    pattern,
    polynomial,
    small_is_itself,
)
from chainrule.schedule.loops import Value

_LOG_F32 = (
    0.333333313, -0.250008225, 0.200012624, -0.16623278, 0.142011806, -0.131655261, 0.127692878,
    -0.0761574209,
)  # fmt: skip
_LOG_F64 = (
    0.6666666666666735, 0.3999999999940937, 0.28571428743681204, 0.22222198429594042,
    0.18183572321710348, 0.15313832985854353, 0.14798251423351405,
)  # fmt: skip
#: In two parts, the first so short that its product with an exponent is exact.
_LOG10_2 = {
    "f32": (0.301025390625, 4.6050389811952135e-06),
    "f64": (0.30102999560767785, 5.630334806675098e-11),
}


def split(b: Builder, x: Value) -> tuple[Value, Value]:
    """x = 2ᵏ m with √½ ≤ m < √2, for 0 < x < ∞: k and m, both floating point numbers."""
    f = format_of(x)
    up = 2.0 ** (f.fraction + 1)
    small = b.op("lt", x, f.tiny)
    bits = b.bitcast(b.select(small, b.mul(x, up), x), f.word)
    root = pattern(math.sqrt(0.5), f)
    u = b.add(bits, pattern(1.0, f) - root)
    m = b.add(b.op("and", u, (1 << f.fraction) - 1), root)
    # An integer below 2^fraction, put into the fraction of 2^fraction, is a float.
    base = 2.0**f.fraction
    e = b.op("or", b.op("shr", u, f.fraction), pattern(base, f))
    offset = b.select(small, b.const(base + f.bias + f.fraction + 1, f.kind), base + f.bias)
    return b.sub(b.bitcast(e, f.kind), offset), b.bitcast(m, f.kind)


def _log_reduced(b: Builder, k: Value, d: Value) -> Value:
    """k log 2 + log(1 + d), √½ ≤ 1 + d < √2."""
    f = format_of(d)
    if f.kind == "f32":
        w = b.fma(d, polynomial(b, d, _LOG_F32), -0.5)
        low = b.fma(b.mul(d, d), w, b.fma(k, f.ln2[1], d))
        return b.fma(k, f.ln2[0], low)
    s = b.div(d, b.add(d, 2.0))
    u = b.mul(s, s)
    half = b.mul(b.mul(d, d), 0.5)
    rest = b.fma(u, polynomial(b, u, _LOG_F64), half)
    low = b.sub(half, b.fma(s, rest, b.mul(k, f.ln2[1])))
    return b.fma(k, f.ln2[0], b.sub(d, low))


def log_special(b: Builder, x: Value, y: Value, zero: float = 0.0) -> Value:
    """Logarithms outside (zero, ∞)."""
    y = b.select(b.op("lt", x, math.inf), y, x)
    y = b.select(b.op("eq", x, zero), -math.inf, y)
    return b.select(b.op("lt", x, zero), math.nan, y)


def log(b: Builder, x: Value) -> Value:
    """log x = k log 2 + log m.

    Error: float32 0.94 (all arguments) [0.94], float64 0.75 ulp. 30 instructions.
    """
    k, m = split(b, x)
    return log_special(b, x, _log_reduced(b, k, b.sub(m, 1.0)))


def log2(b: Builder, x: Value) -> Value:
    """k + log m / log 2: exact for powers of two.

    Error: float32 1.6, float64 1.3 ulp.
    """
    k, m = split(b, x)
    low = _log_reduced(b, b.const(0.0, x.type.kind, x.type.lanes), b.sub(m, 1.0))
    return log_special(b, x, b.fma(low, LOG2E, k))


def log10(b: Builder, x: Value) -> Value:
    """k log₁₀ 2 + log m / log 10.

    Error: float32 1.9, float64 1.5 ulp.
    """
    k, m = split(b, x)
    low = _log_reduced(b, b.const(0.0, x.type.kind, x.type.lanes), b.sub(m, 1.0))
    high, rest = _LOG10_2[x.type.kind]
    y = b.fma(k, high, b.fma(k, rest, b.mul(low, 0.4342944819032518)))
    return log_special(b, x, y)


def log1p(b: Builder, x: Value) -> Value:
    """log u + c / u with u = 1 + x rounded and c what was lost, which goes into the reduced
    argument.

    Error: float32 1.4, float64 0.8 ulp.
    """
    f = format_of(x)
    u = b.add(x, 1.0)
    v = b.sub(u, 1.0)
    c = b.add(b.sub(1.0, b.sub(u, v)), b.sub(x, v))
    k, m = split(b, u)
    moved = b.sub(b.bitcast(u, f.word), b.bitcast(m, f.word))
    scale = b.bitcast(b.sub(pattern(2.0, f), moved), f.kind)  # 2¹⁻ᵏ
    y = _log_reduced(b, k, b.fma(b.mul(c, 0.5), scale, b.sub(m, 1.0)))
    return small_is_itself(b, x, log_special(b, x, y, -1.0))


def asinh(b: Builder, x: Value) -> Value:
    """log(1 + a + a² / (1 + √(a² + 1))), a = |x|; log a + log 2 for large a.

    Error: 1.7 ulp.
    """
    a = b.op("abs", x)
    large = b.op("gt", a, 2.0**60)
    square = b.mul(a, a)
    root = b.op("sqrt", b.add(square, 1.0))
    small = b.add(a, b.div(square, b.add(root, 1.0)))
    y = b.add(log1p(b, b.select(large, a, small)), b.select(large, b.const(LN2, x.type.kind), 0.0))
    return small_is_itself(b, x, copysign(b, y, x))


def acosh(b: Builder, x: Value) -> Value:
    """log(1 + t + √(t (t + 2))), t = x − 1; log x + log 2 for large x.

    Error: 2 ulp.
    """
    large = b.op("gt", x, 2.0**60)
    t = b.sub(x, 1.0)
    small = b.add(t, b.op("sqrt", b.mul(t, b.add(t, 2.0))))
    y = b.add(log1p(b, b.select(large, x, small)), b.select(large, b.const(LN2, x.type.kind), 0.0))
    return b.select(b.op("lt", x, 1.0), math.nan, y)


def atanh(b: Builder, x: Value) -> Value:
    """½ log(1 + 2a / (1 − a)), a = |x|.

    Error: 2 ulp.
    """
    a = b.op("abs", x)
    y = log1p(b, b.div(b.add(a, a), b.sub(1.0, a)))
    return small_is_itself(b, x, copysign(b, b.mul(y, 0.5), x))
