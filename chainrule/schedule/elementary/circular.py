"""Sine, cosine, tangent, for arguments of every size, and their inverses.

The reduction by multiples of π/2 is exact (M. Payne and R. Hanek, "Radian reduction for
trigonometric functions", 1983), in integers, and the same for small and large arguments.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import NamedTuple

from chainrule.schedule.build import Builder
from chainrule.schedule.elementary.formats import (
    F64,
    Format,
    copysign,
    flip,
    format_of,
    pattern,
    polynomial,
)
from chainrule.schedule.loops import Value


class _Turn(NamedTuple):
    """sin r / r − 1 by r², in r², and (cos r − 1 + r²/2) / r⁴, for |r| ≤ π/4."""

    sin: tuple[float, ...]
    cos: tuple[float, ...]


TURN = {
    "f32": _Turn(
        (-0.166666552, 0.00833219104, -0.000195186047),
        (0.0416666456, -0.00138873013, 2.44306611e-05),
    ),
    "f64": _Turn(
        (-0.16666666666666632, 0.008333333333322474, -0.00019841269829836867, 2.755731369754388e-06,
         -2.5050758484794407e-08, 1.5896794024311318e-10),
        (0.0416666666666666, -0.001388888888887446, 2.480158728965685e-05, -2.7557314395207334e-07,
         2.0875728305754216e-09, -1.135987540292048e-11),
    ),
}  # fmt: skip

#: 1 / 2π after the point, in words of 64 bits.
_INVERSE_TURN = (
    0x28BE60DB9391054A, 0x7F09D5F47D4D3770, 0x36D8A5664F10E410, 0x7F9458EAF7AEF158,
    0x6DC91B8E909374B8, 0x01924BBA82746487, 0x3F877AC72C4A69CF, 0xBA208D7D4BAED121,
    0x3A671C09AD17DF90, 0x4E64758E60D4CE7D, 0x272117E2EF7E4A0E, 0xC7FE25FFF7816603,
    0xFBCBC462D6829B47, 0xDB4D9FB3C9F2C26D, 0xD3D18FD9A797FA8B, 0x5D49EEB1FAF97C5E,
    0xCF41CE7DE294A4BA, 0x9AFED7EC47E35742, 0x1580CC11BF1EDAEA,
)  # fmt: skip

_QUARTER = (1 << 62) - 1
_LOW = 0xFFFFFFFF
_PI_4 = 0.78539816


def _whole52(b: Builder, n: Value, less: float = 0.0) -> Value:
    """An integer below 2⁵² as a float64, less a number (two instructions)."""
    base = b.op("or", n, pattern(2.0**52, F64))
    return b.sub(b.bitcast(base, "f64"), 2.0**52 + less)


#: π/2 as a sum; products of all but the last with numbers below 2¹¹ are exact in float32.
_HALF_PI = (
    1.570556640625, 0.0002396702766418457, 1.5890691429376602e-08, 2.5632829192545614e-12,
    6.123234262925839e-17,
)  # fmt: skip
_FAR = 3000.0


def _quarters_f32(b: Builder, a: Value) -> tuple[Value, Value, Value]:
    """|x| = (π/2) q + r + s for float32: q mod 4, r, and the rest of r. Cody and Waite's way; where
    a lane is too large for it, Payne and Hanek's, which takes three times as long as all else:
    hence the branch.
    """
    f = format_of(a)
    with b.at_depth(max(a.depth, 1)):  # what does not change in a loop stays before it
        t = b.fma(a, 2 / math.pi, f.round)
        n = b.sub(t, f.round)
        first, second, third, *others = _HALF_PI
        s = b.fma(n, -second, b.fma(n, -first, a))
        r = b.fma(n, -third, s)
        lost = b.fma(n, -third, b.sub(s, r))
        for c in others:
            lost = b.fma(n, -c, lost)
        q = b.bitcast(t, f.word)
        held = [b.register(v) for v in (a, q, r, lost)]
        with b.branch(b.reduce(b.op("gt", a, _FAR), "or")):
            x = b.get(held[0])  # read here, so that what follows from it stays here
            far = b.op("gt", x, _FAR)
            zero = b.const(0.0, f.kind, x.type.lanes)
            for register, new in zip(held[1:], (*_far_quarters(b, x), zero), strict=True):
                b.set(register, b.select(far, new, b.get(register)))
        return b.get(held[1]), b.get(held[2]), b.get(held[3])


def _far_quarters(b: Builder, a: Value) -> tuple[Value, Value]:
    """q mod 4 and r for large float32, in integers: of 1/2π only the 96 bits count that x = m 2ᵉ
    does not shift beyond the point or below the result.
    """
    bits = b.cast(b.bitcast(a, "u32"), "u64")
    m = b.op("or", b.op("and", bits, 0x7FFFFF), 0x800000)
    place = b.sub(b.op("shr", bits, 23), 150 - 32)
    shift = b.op("and", place, 63)
    first, second = b.op("ge", place, 64), b.op("ge", place, 128)
    c = _INVERSE_TURN
    # 32 zeros before, for x below 2²³
    padded = [c[0] >> 32, *((c[i] << 32 | c[i + 1] >> 32) & (1 << 64) - 1 for i in range(4))]
    words = [
        b.select(second, b.const(padded[i + 2], "u64"),
                 b.select(first, b.const(padded[i + 1], "u64"), padded[i]))
        for i in range(3)
    ]  # fmt: skip
    high, low = _window(b, words, shift)
    turn = b.add(b.mul(m, high), b.op("shr", b.mul(m, b.op("shr", low, 32)), 32))
    turn = b.add(turn, 1 << 61)
    q = b.cast(b.op("shr", turn, 62), "u32")
    whole = _whole52(b, b.op("shr", b.op("and", turn, _QUARTER), 11), 2.0**50)
    rest = _whole52(b, b.op("and", turn, 2047))
    return q, b.cast(b.mul(b.fma(rest, 2.0**-11, whole), math.pi * 2.0**-52), "f32")


def _window(b: Builder, words: Sequence[Value], shift: Value) -> list[Value]:
    """Neighbouring words, moved to the left by 0 to 63 bits."""
    back = b.sub(63, shift)
    return [
        b.op("or", b.op("shl", w, shift), b.op("shr", b.op("shr", v, 1), back))
        for w, v in itertools.pairwise(words)
    ]


def _wide_product(b: Builder, x: Value, y: Value) -> tuple[Value, Value]:
    """Both words of a product of 64-bit numbers, the first below 2⁵³."""
    x1, x0 = b.op("shr", x, 32), b.op("and", x, _LOW)
    y1, y0 = b.op("shr", y, 32), b.op("and", y, _LOW)
    low, cross = b.mul(x0, y0), b.mul(x0, y1)
    middle = b.add(b.add(b.op("shr", low, 32), b.op("and", cross, _LOW)), b.mul(x1, y0))
    high = b.add(b.add(b.mul(x1, y1), b.op("shr", cross, 32)), b.op("shr", middle, 32))
    return high, b.op("or", b.op("shl", middle, 32), b.op("and", low, _LOW))


def _quarters_f64(b: Builder, a: Value) -> tuple[Value, Value, Value]:
    """|x| = (π/2) q + r + s for float64: q mod 4, r, and the rest of r. The words of 1/2π that
    count are found by moving them along by 16, 8, 4, 2 and 1 places.
    """
    bits = b.bitcast(a, "u64")
    m = b.op("or", b.op("and", bits, (1 << 52) - 1), 1 << 52)
    place = b.sub(b.op("shr", bits, 52), 1075 - 64)
    shift = b.op("and", place, 63)
    words: list[Value] = [b.const(c, "u64") for c in (0, *_INVERSE_TURN)]
    for step, keep in ((16, 19), (8, 11), (4, 7), (2, 5), (1, 4)):
        far = b.op("ne", b.op("and", place, step << 6), 0)
        words = [
            b.select(far, words[i + step], words[i]) if i + step < len(words) else words[i]
            for i in range(keep)
        ]
    top, middle, end = _window(b, words, shift)
    high, low = _wide_product(b, m, middle)
    below, _ = _wide_product(b, m, end)
    rest = b.add(low, below)
    carry = b.select(b.op("lt", rest, low), b.const(1, "u64"), 0)
    turn = b.add(b.add(b.add(b.mul(m, top), high), carry), 1 << 61)
    q = b.op("shr", turn, 62)
    whole = _whole52(b, b.op("shr", b.op("and", turn, _QUARTER), 10), 2.0**51)
    tail = b.op("or", b.op("shl", b.op("and", turn, 1023), 42), b.op("shr", rest, 22))
    large, fraction = b.mul(whole, 2.0**52), _whole52(b, tail)
    s = b.add(large, fraction)
    lost = b.sub(fraction, b.sub(s, large))
    unit = 2.0**-105
    r = b.mul(s, math.pi * unit)
    t = b.fma(s, math.pi * unit, b.op("neg", r))
    t = b.fma(s, 1.2246467991473532e-16 * unit, b.fma(lost, math.pi * unit, t))
    small = b.op("lt", a, _PI_4)
    return b.select(small, 0, q), b.select(small, a, r), b.select(small, 0.0, t)


def _sin_cos(b: Builder, x: Value) -> tuple[Value, Value, Value]:
    """q, sin r and cos r for |x| = (π/2) q + r; NaN for infinite x."""
    f = format_of(x)
    a = b.op("abs", x)
    q, r, rest = (_quarters_f32 if f.kind == "f32" else _quarters_f64)(b, a)
    r = b.select(b.op("lt", a, math.inf), r, math.nan)
    u = b.mul(r, r)
    s, c = polynomial(b, u, TURN[f.kind].sin), polynomial(b, u, TURN[f.kind].cos)
    half = b.mul(u, 0.5)
    if f.kind == "f32":  # what the rest adds to the cosine is less than half an ulp
        sine = b.add(r, b.fma(b.mul(r, u), s, rest))
        return q, sine, b.fma(b.mul(u, u), c, b.sub(1.0, half))
    w = b.sub(1.0, half)
    sine = b.add(r, b.fma(b.mul(r, u), s, b.fma(b.op("neg", half), rest, rest)))
    more = b.fma(b.mul(u, u), c, b.op("neg", b.mul(r, rest)))
    return q, sine, b.add(w, b.add(b.sub(b.sub(1.0, w), half), more))


def _odd_quarter(b: Builder, q: Value) -> Value:
    return b.op("ne", b.op("and", q, 1), 0)


def _half_sign(b: Builder, q: Value, f: Format) -> Value:
    """−0 where bit 1 of q is set, else 0."""
    bit = b.op("shl", b.op("and", q, 2), f.fraction + (7 if f.kind == "f32" else 10))
    return b.bitcast(bit, f.kind)


def sin(b: Builder, x: Value) -> Value:
    """sin x for every x: the reduction is exact however large x is.

    Error: float32 1.57 [1.57], float64 0.71 [1.2] ulp.
    """
    f = format_of(x)
    q, s, c = _sin_cos(b, x)
    y = flip(b, b.select(_odd_quarter(b, q), c, s), x)
    return flip(b, y, _half_sign(b, q, f))


def cos(b: Builder, x: Value) -> Value:
    """cos x for every x.

    Error: float32 1.58 [1.58], float64 0.71 [1.2] ulp.
    """
    f = format_of(x)
    q, s, c = _sin_cos(b, x)
    y = b.select(_odd_quarter(b, q), s, c)
    return flip(b, y, _half_sign(b, b.add(q, 1), f))


def tan(b: Builder, x: Value) -> Value:
    """sin x / cos x.

    Error: float32 3.7, float64 1.7 [2.2] ulp.
    """
    q, s, c = _sin_cos(b, x)
    odd = _odd_quarter(b, q)
    y = b.div(b.select(odd, c, s), b.select(odd, s, c))
    return flip(b, b.select(odd, b.op("neg", y), y), x)


# ------------------------------------------------------------------ inverses


class _Arcs(NamedTuple):
    """(atan t / t − 1) / t², in t², t ≤ 1 (float64: tan π/8); (asin t / t − 1) / t², t ≤ ½; π/2 in
    two parts.
    """

    atan: tuple[float, ...]
    asin: tuple[float, ...]
    quarter: tuple[float, float]


_ARCS = {
    "f32": _Arcs(
        (-0.333333015, 0.199986264, -0.142650917, 0.109566569, -0.0841645449, 0.0581778698,
         -0.0313941576, 0.0110287443, -0.00181865052),
        (0.166667536, 0.0749524906, 0.0454766527, 0.0241481978, 0.0422196388),
        (1.57079637050628662109375, -4.37113900018624283e-8),
    ),
    "f64": _Arcs(
        (-0.333333333333332, 0.1999999999995377, -0.14285714280212428, 0.11111110784164879,
         -0.09090897775812647, 0.07692060499606773, -0.06663106863198703, 0.058479066484352554,
         -0.05039368591322758, 0.03806582282636925, -0.01790820120813912),
        (0.16666666666665375, 0.07500000000344956, 0.04464285682185735, 0.030381959399925114,
         0.022371751840759617, 0.017359796987063702, 0.013884338058959281, 0.012175019480568074,
         0.006503199616843346, 0.019595192122645242, -0.016327997006818952, 0.03198256771812669),
        (1.5707963267948966, 6.123233995736766e-17),
    ),
}  # fmt: skip


def _atan_unit(b: Builder, t: Value) -> Value:
    """atan t for 0 ≤ t ≤ 1; float64: beyond tan π/8 as π/4 + atan((t − 1) / (t + 1))."""
    kind = t.type.kind
    arcs = _ARCS[kind]
    if kind == "f32":
        u = b.mul(t, t)
        return b.fma(b.mul(t, u), polynomial(b, u, arcs.atan), t)
    far = b.op("gt", t, 0.4142135623730951)
    v = b.select(far, b.div(b.sub(t, 1.0), b.add(t, 1.0)), t)
    u = b.mul(v, v)
    near = b.mul(b.mul(v, u), polynomial(b, u, arcs.atan))
    near = b.add(near, b.select(far, b.const(arcs.quarter[1] / 2, kind), 0.0))
    return b.add(b.select(far, b.const(arcs.quarter[0] / 2, kind), 0.0), b.add(near, v))


def atan(b: Builder, x: Value) -> Value:
    """atan t, or π/2 − atan(1/t) for t = |x| > 1.

    Error: 1.4 ulp.
    """
    a = b.op("abs", x)
    high, low = _ARCS[x.type.kind].quarter
    far = b.op("gt", a, 1.0)
    y = _atan_unit(b, b.select(far, b.div(b.const(1.0, x.type.kind), a), a))
    return copysign(b, b.select(far, b.sub(high, b.sub(y, low)), y), x)


def atan2(b: Builder, y: Value, x: Value) -> Value:
    """The angle of the point (x, y), with the signs of zeros and infinities."""
    f = format_of(x)
    high, low = _ARCS[f.kind].quarter
    ax, ay = b.op("abs", x), b.op("abs", y)
    steep = b.op("gt", ay, ax)
    small, large = b.select(steep, ax, ay), b.select(steep, ay, ax)
    t = b.select(b.op("eq", small, large), 1.0, b.div(small, large))
    r = _atan_unit(b, b.select(b.op("eq", b.add(small, large), 0.0), 0.0, t))
    r = b.select(steep, b.sub(high, b.sub(r, low)), r)
    left = b.op("ne", b.op("and", b.bitcast(x, f.word), f.sign), 0)
    return copysign(b, b.select(left, b.sub(2 * high, b.sub(r, 2 * low)), r), y)


def _asin_parts(b: Builder, a: Value) -> tuple[Value, Value]:
    """a > ½; and asin a for a ≤ ½, asin √((1 − a) / 2) otherwise."""
    kind = a.type.kind
    large = b.op("gt", a, 0.5)
    z = b.select(large, b.fma(a, -0.5, 0.5), b.mul(a, a))
    s = b.select(large, b.op("sqrt", z), a)
    return large, b.fma(b.mul(s, z), polynomial(b, z, _ARCS[kind].asin), s)


def asin(b: Builder, x: Value) -> Value:
    """asin a, or π/2 − 2 asin √((1 − a) / 2) for a = |x| > ½.

    Error: 2.2 ulp.
    """
    high, low = _ARCS[x.type.kind].quarter
    large, p = _asin_parts(b, b.op("abs", x))
    return copysign(b, b.select(large, b.sub(high, b.fma(p, 2.0, -low)), p), x)


def acos(b: Builder, x: Value) -> Value:
    """π/2 − asin x, or 2 asin √((1 − a) / 2) (from π, for negative x) for a = |x| > ½.

    Error: 1.1 ulp.
    """
    high, low = _ARCS[x.type.kind].quarter
    large, p = _asin_parts(b, b.op("abs", x))
    near = b.sub(high, b.sub(flip(b, p, x), low))
    double = b.add(p, p)
    left = b.op("lt", x, 0.0)
    return b.select(large, b.select(left, b.sub(2 * high, b.sub(double, 2 * low)), double), near)
