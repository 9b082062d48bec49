"""Exact remainders, and the quotients that belong to them."""

from __future__ import annotations

import math

from chainrule.schedule.build import Builder
from chainrule.schedule.elementary.formats import F64, above, below, copysign, leading, power_of_two
from chainrule.schedule.elementary.logarithms import split
from chainrule.schedule.loops import Value


def fmod(b: Builder, x: Value, y: Value) -> Value:
    """x − y trunc(x / y), exactly: long division, as many bits at a time as make exact products."""
    a, c = b.op("abs", x), b.op("abs", y)
    r = (_fmod_f32 if x.type.kind == "f32" else _fmod_f64)(b, a, c)
    endless = b.op("and", b.op("eq", c, math.inf), b.op("lt", a, math.inf))
    return copysign(b, b.select(endless, a, r), x)


def _digit(b: Builder, r: Value, d: Value) -> Value:
    """r − d trunc(r / d): products of q < 2²⁶ with either half of d are exact."""
    q = b.op("trunc", b.div(r, d))
    high = leading(b, d)
    r = b.sub(b.sub(r, b.mul(q, high)), b.mul(q, b.sub(d, high)))
    return b.select(b.op("lt", r, 0.0), b.add(r, d), r)  # the quotient was rounded up


def _fmod_f32(b: Builder, a: Value, c: Value) -> Value:
    """24 bits at a time, in float64: 12 times for every quotient."""
    r, d = b.register(b.cast(a, "f64")), b.register(b.mul(b.cast(c, "f64"), 2.0**264))
    with b.loop(0, 12):
        step = b.get(d)
        b.set(r, _digit(b, b.get(r), step))
        b.set(d, b.mul(step, 2.0**-24))
    return b.cast(b.get(r), "f32")


def _fmod_f64(b: Builder, a: Value, c: Value) -> Value:
    """24 bits at a time, as often as the exponents need (a quotient below 2²⁴: once)."""
    top, _ = split(b, a)
    bottom, _ = split(b, c)
    steps = b.op("floor", b.mul(b.sub(b.sub(top, bottom), 1.0), 1 / 24))
    steps = above(b, below(b, steps, 88.0), 0.0)
    scale = power_of_two(b, b.add(b.mul(steps, 8.0), F64.round + F64.bias))
    first = b.mul(b.mul(b.mul(c, scale), scale), scale)
    r, d = b.register(a), b.register(first)
    left = b.register(steps)
    count = b.add(b.cast(b.reduce(steps, "max"), "i64"), 1)
    with b.loop(0, count):
        step, n = b.get(d), b.get(left)
        running = b.op("ge", n, 0.0)
        r_ = b.get(r)
        b.set(r, b.select(running, _digit(b, r_, step), r_))
        b.set(d, b.select(b.op("gt", n, 0.0), b.mul(step, 2.0**-24), step))
        b.set(left, b.sub(n, 1.0))
    return b.get(r)


def remainder(b: Builder, x: Value, y: Value) -> Value:
    """x − y ⌊x / y⌋: with the sign of y, also where it is 0."""
    m = fmod(b, x, y)
    other = b.op("ne", b.op("lt", m, 0.0), b.op("lt", y, 0.0))
    zero = copysign(b, b.op("abs", m), y)
    return b.select(b.op("eq", m, 0.0), zero, b.select(other, b.add(m, y), m))


def floor_divide(b: Builder, x: Value, y: Value) -> Value:
    """⌊x / y⌋, from the exact remainder; x / y for y = 0."""
    m = fmod(b, x, y)
    ratio = b.div(x, y)
    q = b.div(b.sub(x, m), y)
    other = b.op("xor", b.op("lt", m, 0.0), b.op("lt", y, 0.0))
    other = b.op("and", other, b.op("ne", m, 0.0))
    q = b.select(other, b.sub(q, 1.0), q)
    whole = b.op("floor", q)
    whole = b.select(b.op("gt", b.sub(q, whole), 0.5), b.add(whole, 1.0), whole)
    signed = copysign(b, b.op("abs", b.mul(whole, 0.0)), ratio)
    whole = b.select(b.op("eq", q, 0.0), signed, whole)
    return b.select(b.op("eq", y, 0.0), ratio, whole)
