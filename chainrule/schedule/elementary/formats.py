"""What the elementary functions are made of: the two formats of numbers, polynomials, signs, powers
of two.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import NamedTuple

from chainrule.schedule.build import Builder
from chainrule.schedule.loops import Value


class Format(NamedTuple):
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


F32 = Format(
    "f32", "u32", 23, 127, 1.5 * 2**23, 1 << 31, 2.0**-126,
    (0.693359375, -0.00021219444005469058),
    (0.49999997, 0.16666539, 0.0416677445, 0.0083670672, 0.00138391426),
    (0.500000358, 0.16666615, 0.0416611582, 0.00833599735, 0.00141065195, 0.000196323541),
    (-104.5, 89.0), 9.1,
)  # fmt: skip
F64 = Format(
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
FORMAT = {"f32": F32, "f64": F64}

LOG2E = 1.4426950408889634
LN2 = 0.6931471805599453


def format_of(x: Value) -> Format:
    return FORMAT[x.type.kind]


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


def below(b: Builder, x: Value, limit: float) -> Value:
    """The smaller of both; NaN stays (one instruction)."""
    return b.select(b.op("gt", x, limit), limit, x)


def above(b: Builder, x: Value, limit: float) -> Value:
    return b.select(b.op("lt", x, limit), limit, x)


def pattern(x: float, f: Format) -> int:
    """The bits of a number."""
    code, word = ("<f", "<I") if f.kind == "f32" else ("<d", "<Q")
    return int(struct.unpack(word, struct.pack(code, x))[0])


def copysign(b: Builder, x: Value, sign: Value) -> Value:
    """x ≥ 0 (or NaN) with the sign of another number."""
    f = format_of(x)
    bit = b.op("and", b.bitcast(sign, f.word), f.sign)
    return b.bitcast(b.op("or", b.bitcast(x, f.word), bit), f.kind)


def flip(b: Builder, x: Value, sign: Value) -> Value:
    """x, negated where the other number has a sign."""
    f = format_of(x)
    bit = b.op("and", b.bitcast(sign, f.word), f.sign)
    return b.bitcast(b.op("xor", b.bitcast(x, f.word), bit), f.kind)


def power_of_two(b: Builder, t: Value) -> Value:
    """2ⁿ, where n + bias stands in the low bits of t."""
    f = format_of(t)
    return b.bitcast(b.op("shl", b.bitcast(t, f.word), f.fraction), f.kind)


def reduced(b: Builder, x: Value, part: int, shift: int = 0) -> tuple[Value, Value]:
    """eˣ = 2^(part · n) eʳ: 2^(n + shift), and r. |r| ≤ part · log 2 / 2."""
    f = format_of(x)
    magic = f.round + f.bias
    t = b.fma(x, LOG2E / part, magic)
    n = b.sub(t, magic)
    r = b.fma(n, -part * f.ln2[0], x)
    r = b.fma(n, -part * f.ln2[1], r)
    if not shift:
        return power_of_two(b, t), r
    bits = b.op("shl", b.bitcast(t, f.word), f.fraction)
    moved = b.op("add" if shift > 0 else "sub", bits, abs(shift) << f.fraction)
    return b.bitcast(moved, f.kind), r


def small_is_itself(b: Builder, x: Value, y: Value) -> Value:
    """y, and x where x is so small that f(x) = x: keeps −0, and denormals that halving would
    cut.
    """
    return b.select(b.op("lt", b.op("abs", x), 2.0**-60), x, y)


def leading(b: Builder, x: Value, bits: int = 26) -> Value:
    """A float64 cut to its first bits, so that products with another such number are exact."""
    mask = (1 << 64) - (1 << (53 - bits))
    return b.bitcast(b.op("and", b.bitcast(x, "u64"), mask), "f64")
