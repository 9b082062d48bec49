"""xʸ, to less than 2 ulp: the logarithm has more bits than the result."""

from __future__ import annotations

import math

from chainrule.schedule.build import Builder
from chainrule.schedule.elementary.formats import (
    F64,
    LN2,
    above,
    below,
    flip,
    leading,
    polynomial,
    power_of_two,
)
from chainrule.schedule.elementary.logarithms import log_special, split
from chainrule.schedule.loops import Value

#: log₂(1 + d) / d, √½ ≤ 1 + d < √2
_LOG2_F64 = (
    1.4426950408865793, -0.7213475203274848, 0.4808983488002757, -0.3606737931549407,
    0.28853879597051174, -0.24044643256506662, 0.20610711354122305, -0.18043677107441197,
    0.16021685426882848, -0.14249852330338555, 0.130273817490969, -0.13462845400118828,
    0.1325187352283161, -0.0697472726868759,
)  # fmt: skip
#: 2ʳ, |r| ≤ ½
_EXP2_F64 = (
    0.9999999999616219, 0.6931471820713955, 0.2402265120352968, 0.05550409170602496,
    0.009618012034909898, 0.0013331062674225979, 0.00015475826975618046, 1.6555283828844135e-05,
)  # fmt: skip
#: (3 atanh s / s − 3 − s²) / s⁴, in s²
_LOG_S4 = (
    0.599999999999994, 0.4285714285792479, 0.33333332954401024, 0.27272817340620753,
    0.23065654746176129, 0.2071098645625273,
)  # fmt: skip


def pow(b: Builder, x: Value, y: Value) -> Value:
    """xʸ = 2^(y log₂ |x|), signed and selected as IEEE 754 says.

    float32: in float64, where every intermediate result is precise enough. float64: the logarithm
    as a sum of two numbers, as in fdlibm (Sun Microsystems, 1993).

    Error: 0.9 ulp.
    """
    core = _pow_f32 if x.type.kind == "f32" else _pow_f64
    a = b.op("abs", x)
    z = core(b, a, y)
    whole = b.op("eq", b.op("rint", y), y)
    half = b.mul(y, 0.5)
    odd = b.op("and", whole, b.op("ne", b.op("rint", half), half))
    z = flip(b, z, b.select(odd, x, 0.0))
    root = b.op("and", b.op("lt", x, 0.0), b.op("gt", x, -math.inf))
    z = b.select(b.op("and", root, b.op("not", whole)), math.nan, z)
    # 1 to any power, anything to the power 0, and −1 to an infinite power
    endless = b.op("or", b.op("gt", x, 0.0), b.op("eq", b.op("abs", y), math.inf))
    one = b.op("or", b.op("eq", y, 0.0), b.op("and", b.op("eq", a, 1.0), endless))
    return b.select(one, 1.0, z)


def _pow_f32(b: Builder, a: Value, y: Value) -> Value:
    wide = b.cast(a, "f64")
    k, m = split(b, wide)
    d = b.sub(m, 1.0)
    log = log_special(b, wide, b.fma(d, polynomial(b, d, _LOG2_F64), k))
    t = above(b, below(b, b.mul(b.cast(y, "f64"), log), 200.0), -200.0)
    magic = F64.round + F64.bias
    n = b.add(t, magic)
    r = b.sub(t, b.sub(n, magic))
    return b.cast(b.mul(polynomial(b, r, _EXP2_F64), power_of_two(b, n)), "f32")


def _pow_f64(b: Builder, a: Value, y: Value) -> Value:
    high, low = _log2_twice(b, a)
    y1 = leading(b, y)
    p_low = b.fma(b.sub(y, y1), high, b.mul(y, low))
    p_high = b.mul(y1, high)
    special = b.mul(y, log_special(b, a, high))  # infinite a, or 0
    finite = b.op("and", b.op("gt", a, 0.0), b.op("lt", a, math.inf))
    finite = b.op("and", finite, b.op("lt", b.op("abs", y), math.inf))
    z = b.select(finite, b.add(p_high, p_low), special)
    z = above(b, below(b, z, 1100.0), -1200.0)
    n = b.op("rint", z)
    inside = b.op("lt", b.op("abs", z), 1099.0)
    r = b.select(inside, b.add(b.sub(p_high, n), p_low), b.sub(z, n))
    rest = b.select(inside, b.sub(p_low, b.sub(r, b.sub(p_high, n))), 0.0)
    # log 2 · (r + rest), the leading part exact
    r1 = leading(b, r)
    u = b.mul(r1, _LN2_HIGH)
    v = b.fma(b.add(b.sub(r, r1), rest), LN2, b.mul(r1, _LN2_LOW))
    t = b.add(u, v)
    w = b.sub(v, b.sub(t, u))
    p = b.add(b.add(b.fma(b.mul(t, t), polynomial(b, t, F64.expm1), w), t), 1.0)
    first = b.op("rint", b.mul(n, 0.5))  # 2ⁿ in two factors: n may be beyond either end
    magic = F64.round + F64.bias
    s1 = power_of_two(b, b.add(first, magic))
    s2 = power_of_two(b, b.add(b.sub(n, first), magic))
    return b.mul(b.mul(p, s1), s2)


_LN2_HIGH, _LN2_LOW = 0.6931471824645996, -1.904654299957768e-09
#: 2 / (3 log 2), in two parts
_CP_HIGH, _CP_LOW, _CP = 0.9617967009544373, -7.028461650952758e-09, 0.9617966939259756
#: log₂ 1.5, in two parts
_DP_HIGH, _DP_LOW = 0.5849624872207642, 1.350039202129749e-08


def _log2_twice(b: Builder, a: Value) -> tuple[Value, Value]:
    """log₂ a as a sum, to about 2⁻⁶⁸ of it: m = c (1 + s) / (1 − s) with c = 1 or 1.5, s as a sum,
    log₂ m = log₂ c + 2 / (3 log 2) s (3 + s² + r).
    """
    k, m = split(b, a)
    # √½ ≤ m < √2. Below √¾: 2m lies near 1.5; above √1.5: m itself does.
    low, high = b.op("lt", m, 0.8660254037844386), b.op("gt", m, 1.224744871391589)
    m = b.select(low, b.add(m, m), m)
    k = b.select(low, b.sub(k, 1.0), k)
    near = b.op("or", low, high)
    c = b.select(near, b.const(1.5, "f64"), 1.0)
    u, below = b.sub(m, c), b.add(m, c)
    v = b.div(b.const(1.0, "f64"), below)
    s = b.mul(u, v)
    s_high, d_high = leading(b, s), leading(b, below)
    d_low = b.sub(m, b.sub(d_high, c))
    s_low = b.mul(v, b.sub(b.sub(u, b.mul(s_high, d_high)), b.mul(s_high, d_low)))
    s2 = b.mul(s, s)
    r = b.fma(b.mul(s2, s2), polynomial(b, s2, _LOG_S4), b.mul(s_low, b.add(s_high, s)))
    square = b.mul(s_high, s_high)
    t_high = leading(b, b.add(b.add(square, 3.0), r))
    t_low = b.sub(r, b.sub(b.sub(t_high, 3.0), square))
    u = b.mul(s_high, t_high)
    v = b.fma(s_low, t_high, b.mul(t_low, s))
    p_high = leading(b, b.add(u, v))
    p_low = b.sub(v, b.sub(p_high, u))
    z_high = b.mul(p_high, _CP_HIGH)
    zero = b.const(0.0, "f64")
    z_low = b.fma(p_high, _CP_LOW, b.fma(p_low, _CP, b.select(near, b.const(_DP_LOW, "f64"), zero)))
    offset = b.select(near, b.const(_DP_HIGH, "f64"), zero)
    first = leading(b, b.add(b.add(b.add(z_high, z_low), offset), k))
    return first, b.sub(z_low, b.sub(b.sub(b.sub(first, k), offset), z_high))
