"""Elementary functions, written with the Builder: any number of lanes, no branches, no tables in
memory.

Each reduces its argument to a short interval, evaluates a polynomial there (minimax, coefficients
rounded one after another, found by Remez's exchange), and puts the result together; what is
special (NaN, infinities, zeros, denormals) is selected. Sources of the reductions: W. J. Cody and
W. Waite, "Software Manual for the Elementary Functions" (1980); J.-M. Muller, "Elementary
Functions" (3rd ed. 2016); P. T. P. Tang's and Sun's fdlibm's logarithm; M. Payne and R. Hanek,
"Radian reduction for trigonometric functions" (1983).

Errors are in units of the last place (ulp) of the exact result, with fused multiply-add; where the
processor has none (plain x86-64) they are given in brackets.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from typing import NamedTuple

from chainrule.schedule.build import Builder
from chainrule.schedule.loops import Value


class _Format(NamedTuple):
    """A floating point format.

    kind, word      of numbers, and of their bits
    fraction, bias  bits of the fraction, and what is added to the exponent
    round           adding it leaves the nearest integer in the low bits of the fraction
    sign            the bit of the sign
    tiny            the least normal number
    ln2             log 2 in two parts, the first so short that its product with an exponent is
                    exact
    expm1           (eˣ − 1 − x) / x² for |x| ≤ log 2 / 2
    exp             the same for |x| ≤ log 2
    exp_range       beyond it eˣ is 0 or infinite
    one             beyond it tanh is 1
    """

    kind: str
    word: str
    fraction: int
    bias: int
    round: float
    sign: int
    tiny: float
    ln2: tuple[float, float]
    expm1: tuple[float, ...]
    exp: tuple[float, ...]
    exp_range: tuple[float, float]
    one: float


_F32 = _Format(
    "f32", "u32", 23, 127, 1.5 * 2**23, 1 << 31, 2.0**-126,
    (0.693359375, -0.00021219444005469058),
    (0.49999997, 0.16666539, 0.0416677445, 0.0083670672, 0.00138391426),
    (0.500000358, 0.16666615, 0.0416611582, 0.00833599735, 0.00141065195, 0.000196323541),
    (-104.5, 89.0), 9.1,
)  # fmt: skip
_F64 = _Format(
    "f64", "u64", 52, 1023, 1.5 * 2**52, 1 << 63, 2.0**-1022,
    (float.fromhex("0x1.62e42fee00000p-1"), 1.9082149292705878e-10),
    (0.5, 0.16666666666666677, 0.041666666666666685, 0.008333333333321834, 0.001388888888889611,
     0.000198412698863168, 2.4801587257214745e-05, 2.7557243167762954e-06, 2.7557369555437516e-07,
     2.5109653343575185e-08, 2.08743590134347e-09),
    (0.4999999999999993, 0.1666666666666696, 0.04166666666670231, 0.008333333333264165,
     0.0013888888883540132, 0.00019841269897729732, 2.4801590851371954e-05, 2.7557298765751185e-06,
     2.755615178860159e-07, 2.5055334357054787e-08, 2.1063007355615065e-09, 1.5920010728874566e-10),
    (-746.0, 710.0), 19.5,
)  # fmt: skip
_FORMAT = {"f32": _F32, "f64": _F64}

_LOG2E = 1.4426950408889634
_LN2 = 0.6931471805599453


# ------------------------------------------------------------------ pieces


def _format(x: Value) -> _Format:
    return _FORMAT[x.type.kind]


def polynomial(b: Builder, x: Value, coefficients: Sequence[float]) -> Value:
    """c₀ + c₁ x + c₂ x² + …, by Horner's rule."""
    y = b.const(coefficients[-1], x.type.kind, x.type.lanes)
    for c in reversed(coefficients[:-1]):
        y = b.fma(y, x, c)
    return y


def constant(x: Value) -> float | None:
    """The number in all lanes, if it is known."""
    while x.op == "splat":
        (x,) = x.args
    return x.number if x.is_const else None


def _below(b: Builder, x: Value, limit: float) -> Value:
    """The smaller of both; NaN stays (one instruction)."""
    return b.select(b.op("gt", x, limit), limit, x)


def _above(b: Builder, x: Value, limit: float) -> Value:
    return b.select(b.op("lt", x, limit), limit, x)


def _pattern(x: float, f: _Format) -> int:
    """The bits of a number."""
    code, word = ("<f", "<I") if f.kind == "f32" else ("<d", "<Q")
    return int(struct.unpack(word, struct.pack(code, x))[0])


def copysign(b: Builder, x: Value, sign: Value) -> Value:
    """x ≥ 0 (or NaN) with the sign of another number."""
    f = _format(x)
    bit = b.op("and", b.bitcast(sign, f.word), f.sign)
    return b.bitcast(b.op("or", b.bitcast(x, f.word), bit), f.kind)


def flip(b: Builder, x: Value, sign: Value) -> Value:
    """x, negated where the other number has a sign."""
    f = _format(x)
    bit = b.op("and", b.bitcast(sign, f.word), f.sign)
    return b.bitcast(b.op("xor", b.bitcast(x, f.word), bit), f.kind)


def _power_of_two(b: Builder, t: Value) -> Value:
    """2ⁿ, where n + bias stands in the low bits of t."""
    f = _format(t)
    return b.bitcast(b.op("shl", b.bitcast(t, f.word), f.fraction), f.kind)


def _reduced(b: Builder, x: Value, part: int, shift: int = 0) -> tuple[Value, Value]:
    """eˣ = 2^(part · n) eʳ: 2^(n + shift), and r. |r| ≤ part · log 2 / 2."""
    f = _format(x)
    magic = f.round + f.bias
    t = b.fma(x, _LOG2E / part, magic)
    n = b.sub(t, magic)
    r = b.fma(n, -part * f.ln2[0], x)
    r = b.fma(n, -part * f.ln2[1], r)
    if not shift:
        return _power_of_two(b, t), r
    bits = b.op("shl", b.bitcast(t, f.word), f.fraction)
    moved = b.op("add" if shift > 0 else "sub", bits, abs(shift) << f.fraction)
    return b.bitcast(moved, f.kind), r


# ------------------------------------------------------------------ exponentials


def exp(b: Builder, x: Value) -> Value:
    """eˣ, also where the result is denormal: e^x = 2ᵐ eʳ 2ᵐ with |r| ≤ log 2; halving the
    exponent keeps both factors in range. 17 instructions.
    """
    f = _format(x)
    x = _above(b, _below(b, x, f.exp_range[1]), f.exp_range[0])
    s, r = _reduced(b, x, 2)
    p = polynomial(b, r, (1.0, 1.0, *f.exp))
    return b.mul(b.mul(p, s), s)


def _expm1_reduced(b: Builder, r: Value) -> Value:
    """eʳ − 1 for |r| ≤ log 2 / 2."""
    return b.fma(b.mul(r, r), polynomial(b, r, _format(r).expm1), r)


def expm1(b: Builder, x: Value) -> Value:
    """eˣ − 1 = (2ⁿ⁻¹ (eʳ − 1) + 2ⁿ⁻¹ − ½) · 2."""
    f = _format(x)
    y = _above(b, _below(b, x, f.exp_range[1]), -40.0)
    s, r = _reduced(b, y, 1, -1)
    q = _expm1_reduced(b, r)
    h = b.fma(s, q, b.sub(s, 0.5))
    # So small that it is its own result: also keeps −0, and denormals that halving would cut.
    return b.select(b.op("lt", b.op("abs", x), 2.0**-60), x, b.add(h, h))


def tanh(b: Builder, x: Value) -> Value:
    """y = h / (1 + h), h = (e²ᵃ − 1) / 2, a = |x|, by e²ᵃ − 1 = 2ⁿ (e²ʳ − 1) + 2ⁿ − 1. Small h are
    corrected with h − h y, where the rounding of the denominator counts less.
    """
    f = _format(x)
    a = _below(b, b.op("abs", x), f.one)
    magic = f.round + f.bias
    t = b.fma(a, 2 * _LOG2E, magic)
    n = b.sub(t, magic)
    r = b.fma(n, -0.5 * f.ln2[1], b.fma(n, -0.5 * f.ln2[0], a))
    halved = tuple(c * 2.0 ** (k + 1) for k, c in enumerate(f.expm1))
    q = b.fma(b.mul(r, r), polynomial(b, r, halved), r)
    s = _power_of_two(b, t)
    h = b.fma(s, q, b.fma(s, 0.5, -0.5))
    y = b.div(h, b.add(h, 1.0))
    y = b.select(b.op("lt", h, 0.45), b.fma(b.op("neg", h), y, h), y)
    return copysign(b, y, x)


# ------------------------------------------------------------------ logarithms

_LOG_F32 = (
    0.333333313, -0.250008225, 0.200012624, -0.16623278, 0.142011806, -0.131655261, 0.127692878,
    -0.0761574209,
)  # fmt: skip
_LOG_F64 = (
    0.6666666666666735, 0.3999999999940937, 0.28571428743681204, 0.22222198429594042,
    0.18183572321710348, 0.15313832985854353, 0.14798251423351405,
)  # fmt: skip


def _split(b: Builder, x: Value) -> tuple[Value, Value]:
    """x = 2ᵏ m with √½ ≤ m < √2, for 0 < x < ∞: k and m, both floating point numbers."""
    f = _format(x)
    up = 2.0 ** (f.fraction + 1)
    small = b.op("lt", x, f.tiny)
    bits = b.bitcast(b.select(small, b.mul(x, up), x), f.word)
    root = _pattern(math.sqrt(0.5), f)
    u = b.add(bits, _pattern(1.0, f) - root)
    m = b.add(b.op("and", u, (1 << f.fraction) - 1), root)
    # An integer below 2^fraction, put into the fraction of 2^fraction, is a float.
    base = 2.0**f.fraction
    e = b.op("or", b.op("shr", u, f.fraction), _pattern(base, f))
    offset = b.select(small, b.const(base + f.bias + f.fraction + 1, f.kind), base + f.bias)
    return b.sub(b.bitcast(e, f.kind), offset), b.bitcast(m, f.kind)


def _log_reduced(b: Builder, k: Value, d: Value) -> Value:
    """k log 2 + log(1 + d), √½ ≤ 1 + d < √2."""
    f = _format(d)
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


def _log_special(b: Builder, x: Value, y: Value, zero: float = 0.0) -> Value:
    """Logarithms outside (zero, ∞)."""
    y = b.select(b.op("lt", x, math.inf), y, x)
    y = b.select(b.op("eq", x, zero), -math.inf, y)
    return b.select(b.op("lt", x, zero), math.nan, y)


def log(b: Builder, x: Value) -> Value:
    """log x = k log 2 + log m."""
    k, m = _split(b, x)
    return _log_special(b, x, _log_reduced(b, k, b.sub(m, 1.0)))


# ------------------------------------------------------------------ the error function

# erf x / x − 1, in x², |x| < 0.85; and (1 − erf x)^¼ in x, beyond
_ERF_F32_SMALL = (
    0.128379166, -0.376125902, 0.11282865, -0.0268072877, 0.0050577037, -0.000634851865,
)  # fmt: skip
_ERF_F32_LARGE = (
    0.99984926, -0.28095755, -0.123136327, 0.0226961952, 0.00973035488, 0.00609844364,
    -0.00601718202, 0.00171590073, -0.000220695889, 1.11144855e-05,
)  # fmt: skip


def erf(b: Builder, x: Value) -> Value:
    """2/√π ∫₀ˣ e^{−t²} dt. Small: x + x p(x²). Large, float32: 1 − g⁴ with a polynomial g: the
    fourth root of erfc is so smooth that neither exponential nor division is needed.
    """
    a = b.op("abs", x)
    small = b.fma(x, polynomial(b, b.mul(x, x), _ERF_F32_SMALL), x)
    g = polynomial(b, _below(b, a, 3.93), _ERF_F32_LARGE)
    g = b.mul(g, g)
    large = copysign(b, b.fma(b.op("neg", g), g, 1.0), x)
    return b.select(b.op("lt", a, 0.85), small, large)
