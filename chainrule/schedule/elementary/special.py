"""The error function and its inverse, log Γ and its derivatives."""

from __future__ import annotations

import math
from typing import NamedTuple

from chainrule.ops.special import cotangent as slopes
from chainrule.schedule.build import Builder
from chainrule.schedule.elementary.circular import TURN, tan
from chainrule.schedule.elementary.formats import below, copysign, format_of, polynomial
from chainrule.schedule.elementary.logarithms import log
from chainrule.schedule.loops import Value


class _Erf(NamedTuple):
    """small: erf x / x − 1 in x², |x| < limit. large: erfc^(1 / 2^(squares + 1)) up to `one`."""

    limit: float
    one: float
    squares: int
    small: tuple[float, ...]
    large: tuple[float, ...]


_ERF = {
    "f32": _Erf(
        0.85, 3.93, 1,
        (0.128379166, -0.376125902, 0.11282865, -0.0268072877, 0.0050577037, -0.000634851865),
        (0.99984926, -0.28095755, -0.123136327, 0.0226961952, 0.00973035488, 0.00609844364,
         -0.00601718202, 0.00171590073, -0.000220695889, 1.11144855e-05),
    ),
    "f64": _Erf(
        1.0, 5.93, 2,
        (0.1283791670955126, -0.376126389031841, 0.11283791670971098, -0.026866170648031096,
         0.0052239776526913076, -0.0008548328535670068, 0.00012055386186456993,
         -1.492688124289302e-05, 1.6481054442064168e-06, -1.6557073435371194e-07,
         1.60127904762001e-08, -1.6462823242704159e-09, 1.4339939375820478e-10),
        (1.0000000023506188, -0.14104743106292783, -0.06963005111054155, -0.002091021412511282,
         0.006596957064474421, 0.00016792671986617144, -0.00048269553418693134,
         5.364074743506594e-05, 2.5714434834244768e-05, -1.9573112330173524e-05,
         9.266543874229672e-06, -3.2729690272796456e-06, 8.853868653330626e-07,
         -1.889263926629234e-07, 3.2289619754296505e-08, -4.396957837716779e-09,
         4.66112398064962e-10, -3.696614854651868e-11, 2.0577106190784144e-12,
         -7.156962106164007e-14, 1.1690420990307136e-15),
    ),
}  # fmt: skip


def erf(b: Builder, x: Value) -> Value:
    """2/√π ∫₀ˣ e^{−t²} dt. Small: x + x p(x²). Large: 1 − g⁴ (float64: g⁸)
    with a polynomial g: this root of erfc is so smooth that neither exponential nor division is
    needed.

    Error: float32 1.65 (all arguments) [1.8], float64 1.8 ulp. 25 instructions.
    """
    a = b.op("abs", x)
    f = _ERF[x.type.kind]
    small = b.fma(x, polynomial(b, b.mul(x, x), f.small), x)
    g = polynomial(b, below(b, a, f.one), f.large)
    for _ in range(f.squares):
        g = b.mul(g, g)
    large = copysign(b, b.fma(b.op("neg", g), g, 1.0), x)
    return b.select(b.op("lt", a, f.limit), small, large)


#: erf⁻¹(y) / y with w = −log(1 − y²): from a limit of w on, (subtracted from w or √w, polynomial)
_ERFINV = {
    "f32": (
        (0.0, 2.5, (1.50140941, 0.24664028, -0.00417738687, -0.0012527419, 0.00021834443,
                   -4.96330767e-06, -3.4627019e-06, 4.66161339e-07, 2.32324844e-08,
                   -8.79035778e-09)),
        (5.0, 3.0, (2.83297682, 1.00167489, 0.0094447555, -0.00763575919, 0.0056915204,
                   -0.00360458228, 0.00147321087, -4.29455504e-05, -0.000300050189,
                   0.000106004438)),
    ),
    "f64": (
        (0.0, 3.125, (1.653654562683103, 0.24015818242558948, -0.0060336708714307016,
                     -0.0007407025341652955, 0.00018673420803637923, -1.3882523364917981e-05,
                     -1.3654692038689422e-06, 4.234787804240243e-07, -2.907036680636228e-08,
                     -4.11263516666338e-09, 1.0512107478409051e-09, -5.4153726117567537e-11,
                     -1.2974674136269973e-11, 2.6334271302035856e-12, -8.160789480591318e-14,
                     -4.05348511150588e-14, 6.6485912910273746e-15, 2.0100858113581918e-17,
                     -1.3415724843505975e-16, 1.119722703364122e-17, 1.3222176984286208e-18,
                     -1.6926691041464005e-19, -4.323685327719178e-21)),
        (6.25, 3.25, (3.0838856104922203, 1.0052589676941597, 0.0053709145536025744,
                     -0.0037512085075981027, 0.002491442095513177, -0.0016882755553174664,
                     0.0009532893906010168, -0.0003550375281363386, 2.403101105388686e-05,
                     6.828489688342869e-05, -4.73177190958781e-05, 1.2475153868177743e-05,
                     2.921908010034561e-06, -4.01358309806955e-06, 1.5054391148873325e-06,
                     1.7954643877545697e-08, -2.7772869644883426e-07, 9.087411969227346e-08,
                     3.221064458458786e-09)),
        (16.0, 5.0, (4.849906401408584, 1.0103004648645457, -0.000138719318375626,
                     -0.00021503011984142778, 7.599527797142093e-05, -1.9681770518300815e-05,
                     4.526053845112529e-06, -9.93030480791437e-07, 2.2904594025802227e-07,
                     -6.755268365566855e-08, 2.9038629665021823e-08, -1.5261467635150733e-08,
                     7.787540418815109e-09, -3.464687978973893e-09, 1.3493633556254124e-09,
                     -4.412133334625888e-10, 5.190313337138358e-11, 4.3693208526308583e-11,
                     -1.6502635371796092e-11)),
    ),
}  # fmt: skip


def erfinv(b: Builder, x: Value) -> Value:
    """The y with erf y = x, by polynomials in w = −log(1 − x²), and in √w for larger w (M. Giles,
    "Approximating the erfinv function", 2010).

    Error: 4 ulp.
    """
    kind = x.type.kind
    w = b.op("neg", log(b, b.mul(b.sub(1.0, x), b.add(x, 1.0))))
    rows = _ERFINV[kind]
    terms = max(len(c) for _, _, c in rows)
    root = b.op("sqrt", w)
    t = b.sub(w, rows[0][1])
    coefficients: list[Value] = [
        b.const(c, kind) for c in (*rows[0][2], *[0.0] * (terms - len(rows[0][2])))
    ]
    for limit, centre, row in rows[1:]:
        beyond = b.op("ge", w, limit)
        t = b.select(beyond, b.sub(root, centre), t)
        full = (*row, *[0.0] * (terms - len(row)))
        coefficients = [
            b.select(beyond, b.const(new, kind), c)
            for new, c in zip(full, coefficients, strict=True)
        ]
    y = coefficients[-1]
    for c in reversed(coefficients[:-1]):
        y = b.fma(y, t, c)
    y = b.mul(y, x)
    return b.select(b.op("eq", b.op("abs", x), 1.0), copysign(b, _endless(b, x), x), y)


def _endless(b: Builder, x: Value) -> Value:
    return b.const(math.inf, x.type.kind, x.type.lanes)


class _Gamma(NamedTuple):
    """near: log Γ(z) / ((z − 1)(z − 2)) in z − 1.5, 1 ≤ z ≤ 2. far: Stirling's series in 1/x²,
    without its factor 1/x, for x ≥ 8.
    """

    near: tuple[float, ...]
    far: tuple[float, ...]


_GAMMA = {
    "f32": _Gamma(
        (0.483128965, -0.145959899, 0.0629110485, -0.0313079916, 0.0168082211, -0.00943649095,
         0.0053252005, -0.0031158987, 0.00244833203, -0.00152641698),
        (1 / 12, -1 / 360, 1 / 1260),
    ),
    "f64": _Gamma(
        (0.4831289505409809, -0.14595989591430594, 0.06291140107456435, -0.031308487501054215,
         0.016797098631280215, -0.009425622444762825, 0.005446457838816646,
         -0.0032120742227572828, 0.001922916320829694, -0.0011644113397886184,
         0.0007115189474744456, -0.00043803554380333394, 0.00027131483013740417,
         -0.0001685694338842495, 0.00010534898115320459, -6.794598456120806e-05,
         4.3048579823645326e-05, -2.1470357980816542e-05, 1.3146661087058775e-05,
         -1.8542436012568914e-05, 1.2171510878534073e-05),
        (1 / 12, -1 / 360, 1 / 1260, -1 / 1680, 1 / 1188, -691 / 360360, 1 / 156, -3617 / 122400,
         43867 / 244188),
    ),
}  # fmt: skip


def lgamma(b: Builder, x: Value) -> Value:
    """log |Γ(x)|. x ≥ 8: Stirling's series. Less: Γ(x) = (x − 1)(x − 2)… Γ(z) with 1 ≤ z < 2.
    Below 0: Γ(x) Γ(−x) = −π / (x sin πx).

    A few ulp for x > 0; below 0, where it goes through zero between the integers, a few units of
    2⁻²⁴ (2⁻⁵³) times the larger of both terms.
    """
    f = format_of(x)
    kind = f.kind
    rows = _GAMMA[kind]
    a = b.op("abs", x)
    product = b.const(1.0, kind, x.type.lanes)
    for i in range(1, 7):
        product = b.select(b.op("ge", a, i + 1.0), b.mul(product, b.sub(a, float(i))), product)
    below, far = b.op("lt", a, 1.0), b.op("ge", a, 8.0)
    logarithm = log(b, b.select(b.op("or", below, far), a, product))
    t = b.sub(a, b.op("floor", a))
    between = b.mul(b.mul(t, b.sub(t, 1.0)), polynomial(b, b.sub(t, 0.5), rows.near))
    small = b.add(b.select(below, b.op("neg", logarithm), logarithm), between)
    inverse = b.div(b.const(1.0, kind), a)
    series = b.mul(inverse, polynomial(b, b.mul(inverse, inverse), rows.far))
    series = b.add(series, 0.5 * math.log(2 * math.pi) - 0.5)
    large = b.fma(b.sub(a, 0.5), b.sub(logarithm, 1.0), series)
    y = b.select(far, large, small)
    y = b.select(b.op("eq", a, math.inf), math.inf, y)
    # sin πx, by the distance to the nearest integer
    v = b.op("abs", b.sub(a, b.op("rint", a)))
    steep = b.op("gt", v, 0.25)
    r = b.mul(b.select(steep, b.sub(0.5, v), v), math.pi)
    u = b.mul(r, r)
    sine = b.fma(b.mul(r, u), polynomial(b, u, TURN[kind].sin), r)
    cosine = b.fma(b.mul(u, u), polynomial(b, u, TURN[kind].cos), b.fma(u, -0.5, 1.0))
    over = b.mul(b.select(steep, cosine, sine), a)
    reflected = b.sub(log(b, b.div(b.const(math.pi, kind), over)), y)
    reflected = b.select(b.op("eq", v, 0.0), math.inf, reflected)  # the poles, where y may overflow
    negative = b.op("and", b.op("lt", x, -(2.0**-60)), b.op("gt", x, -math.inf))
    return b.select(negative, reflected, y)


_BERNOULLI = (1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730, 7 / 6, -3617 / 510)


def polygamma(b: Builder, x: Value, n: int) -> Value:
    """ψ⁽ⁿ⁾(x) in float64: recurrence to x ≥ 16, then the asymptotic series (Abramowitz and Stegun
    6.3.18, 6.4.11); ψ by reflection below ½. As the reference, term by term.
    """
    kind = x.type.kind
    z = b.cast(x, "f64")
    if n:
        return b.cast(_polygamma_reflected(b, z, n), kind)
    reflect = b.op("lt", z, 0.5)
    y = _polygamma_positive(b, b.select(reflect, b.sub(1.0, z), z), 0)
    # tan has the period 1 of its argument, which is reduced before π makes it inexact
    turn = b.sub(z, b.op("rint", z))
    cotangent = b.div(b.const(math.pi, "f64"), tan(b, b.mul(turn, math.pi)))
    y = b.select(reflect, b.sub(y, cotangent), y)
    pole = b.op("and", b.op("le", z, 0.0), b.op("eq", z, b.op("floor", z)))
    at_pole = b.select(b.op("eq", z, 0.0), b.const(-math.inf, "f64"), math.nan)
    return b.cast(b.select(pole, at_pole, y), kind)


def _polygamma_reflected(b: Builder, z: Value, n: int) -> Value:
    negative = b.op("lt", z, 0.0)
    y = _polygamma_positive(b, b.select(negative, b.sub(1.0, z), z), n)
    turn = b.select(negative, b.sub(z, b.op("rint", z)), 0.25)
    cotangent = b.div(b.const(1.0, "f64"), tan(b, b.mul(turn, math.pi)))
    steep = polynomial(b, cotangent, list(slopes(n)))
    return b.select(negative, b.sub(b.mul(y, (-1.0) ** n), steep), y)


def _whole_power(b: Builder, x: Value, n: int) -> Value:
    """xⁿ for n ≥ 1, by squaring."""
    if n == 1:
        return x
    half = _whole_power(b, x, n // 2)
    square = b.mul(half, half)
    return b.mul(square, x) if n % 2 else square


def _polygamma_positive(b: Builder, z: Value, n: int) -> Value:
    sign = (-1.0) ** (n + 1)
    v, out = b.register(z), b.register(b.const(0.0, "f64", z.type.lanes))
    with b.loop(0, 16):
        at, sum_ = b.get(v), b.get(out)
        low = b.op("lt", at, 16.0)
        term = b.div(b.const(sign * math.factorial(n), "f64"), _whole_power(b, at, n + 1))
        b.set(out, b.select(low, b.add(sum_, term), sum_))
        b.set(v, b.select(low, b.add(at, 1.0), at))
    at = b.get(v)
    inverse = b.div(b.const(1.0, "f64"), at)
    square = b.mul(inverse, inverse)
    if n == 0:
        series = [-c / (2 * k) for k, c in enumerate(_BERNOULLI, 1)]
        tail = b.mul(square, polynomial(b, square, series))
        return b.add(b.get(out), b.add(b.fma(inverse, -0.5, log(b, at)), tail))
    series = [
        c * math.factorial(2 * k + n - 1) / math.factorial(2 * k)
        for k, c in enumerate(_BERNOULLI, 1)
    ]
    tail = b.mul(square, polynomial(b, square, series))
    first = b.fma(inverse, math.factorial(n) / 2, float(math.factorial(n - 1)))
    whole = b.mul(b.add(first, tail), _whole_power(b, inverse, n))
    return b.fma(whole, sign, b.get(out))
