"""Elementwise primitives on values of the Loop IR: one row for each op, every dtype.

`apply(b, node, args)` writes what `node` computes, for numbers or vectors. The reference backend
(NumPy) is what it must agree with: integer division by zero gives 0, shifts by the width or more
give what shifting one bit at a time gives, float to integer out of range gives what x86 gives.
Half types are kinds of memory: they are computed in float32 and rounded once, as everywhere.

>>> from chainrule import dtypes, ops
>>> from chainrule.schedule.loops import Buffer
>>> from chainrule.schedule.text import print_kernel
>>> b = Builder()
>>> x, y = b.buffer("x", "f32", 8, "in"), b.buffer("y", "f32", 8, "out")
>>> node = ops.maximum(ops.input(index=0, shape=(8,), dtype=dtypes.float32), 0.0)
>>> with b.kernel("relu", 8) as i:
...     b.store(y, i, apply(b, node, [b.load(x, i), b.const(0.0, "f32")]))
>>> print(print_kernel(b.finish()))
kernel relu(@x: f32[8] in, @y: f32[8] out) over %0 in 8:
  %1 = load %0 {@x} : f32
  %2 = lt %1 0.0:f32 : i1
  %3 = select %2 0.0:f32 %1 : f32
  store @y[%0] %3
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from chainrule import dtypes
from chainrule.errors import GraphError
from chainrule.ir.node import Node
from chainrule.ops.random import LANES
from chainrule.schedule import elementary
from chainrule.schedule import uniform as random
from chainrule.schedule.build import Builder
from chainrule.schedule.index import Index, emit
from chainrule.schedule.loops import FLOATS, SIZE, Value

Rule = Callable[..., Value]

#: The Loop IR's kind of a dtype's short name.
KIND = {d.short: "i1" if d is dtypes.bool_ else d.short for d in dtypes.REAL}

_HALVES = ("f16", "bf16")
_UNSIGNED = ("u8", "u16", "u32", "u64")


def apply(b: Builder, node: Node, args: Sequence[Value]) -> Value:
    """The value of one elementwise primitive, from the values of its inputs.

    Errors: GraphError, if the op has no rule, or does not take this dtype.
    """
    rule = RULES.get(node.op.name)
    if rule is None:
        raise GraphError(
            f"op {node.op.name!r} has no rule for single elements: add a row to schedule/scalars.py"
        )
    if node.op.wide and node.op.name != "where":
        args = [b.cast(a, "f32") if a.type.kind in _HALVES else a for a in args]
    out = rule(b, node, *args)
    want = KIND[node.dtype.short]
    return out if out.type.kind == want else convert(b, out, want)


def uniform(b: Builder, node: Node, key: Value, position: Value, at: Index) -> Value:
    """Element `at`, counted through, of `random_uniform`, from the two words of its state."""
    kind = KIND[node.dtype.short]
    words = 4 // random.words_of(kind)
    block = (at // (words * LANES)) * LANES + at % LANES
    counter = b.add(b.add(position, int(node.attr("offset"))), emit(b, block))
    return random.dealt(b, kind, key, counter, emit(b, (at // LANES) % words))


# ------------------------------------------------------------------ conversions


def convert(b: Builder, x: Value, to: str) -> Value:
    """A number as another kind, as NumPy's `astype` on x86."""
    kind = x.type.kind
    if kind == to:
        return x
    if to == "i1":
        return b.op("ne", b.cast(x, "f32") if kind in _HALVES else x, 0)
    if kind == "i1":
        if to in _HALVES:
            return b.cast(convert(b, x, "f32"), to)
        return b.select(x, b.const(1, to), b.const(0, to))
    if kind in FLOATS:
        return _from_float(b, x, to)
    return b.cast(b.cast(x, "f32"), to) if to in _HALVES else b.cast(x, to)


def _from_float(b: Builder, x: Value, to: str) -> Value:
    kind = x.type.kind
    if kind in _HALVES:
        return convert(b, b.cast(x, "f32"), to)
    if to in FLOATS:
        if kind == "f64" and to in _HALVES:
            return b.cast(b.cast(_to_odd(b, x) if to == "f16" else x, "f32"), to)
        return b.cast(x, to)
    wide = "i64" if SIZE[to] == 8 else "i32"
    limit = 2.0 ** (8 * SIZE[wide] - 1)
    fits = b.op("and", b.op("ge", x, -limit), b.op("lt", x, limit))
    whole = b.cast(b.select(fits, x, 0.0), wide)
    return b.cast(b.select(fits, whole, -int(limit)), to)


def _to_odd(b: Builder, x: Value) -> Value:
    """A float64 cut to the precision of float32, the last bit set if anything was cut: so that
    rounding again, to float16, gives what rounding once would.
    """
    bits = b.bitcast(x, "u64")
    low = (1 << 29) - 1
    sticky = b.select(b.op("ne", b.op("and", bits, low), 0), b.const(low + 1, "u64"), 0)
    keep = b.op("and", bits, (1 << 64) - 1 - low)
    return b.bitcast(b.op("or", keep, sticky), "f64")


# ------------------------------------------------------------------ arithmetic


def _plain(name: str, boolean: str | None = None) -> Rule:
    """One operation of the Loop IR; of truth values, another one."""

    def rule(b: Builder, node: Node, *args: Value) -> Value:
        if args[0].type.kind == "i1":
            if boolean is None:
                raise _unsupported(node)
            return b.op(boolean, *args)
        return b.op(name, *args)

    return rule


def _unsupported(node: Node) -> GraphError:
    return GraphError(f"op {node.op.name!r} does not take {node.inputs[0].dtype}")


def _float_only(f: Callable[..., Value]) -> Rule:
    def rule(b: Builder, node: Node, *args: Value) -> Value:
        if args[0].type.kind not in FLOATS:
            raise _unsupported(node)
        return f(b, *args)

    return rule


def _is_signed(x: Value) -> bool:
    return x.type.kind not in _UNSIGNED


def _extreme(order: str, boolean: str) -> Rule:
    """The larger or the smaller of both; NaN wins. A constant costs one instruction."""

    def rule(b: Builder, node: Node, x: Value, y: Value) -> Value:
        if x.type.kind == "i1":
            return b.op(boolean, x, y)
        if x.type.kind not in FLOATS:
            return b.op("max" if order == "lt" else "min", x, y)
        if elementary.constant(x) is not None:
            x, y = y, x
        best = b.select(b.op(order, x, y), y, x)  # x, if one of them is NaN
        c = elementary.constant(y)
        if c is not None and c == c:
            return best
        return b.select(b.op("ne", y, y), y, best)

    return rule


def _abs(b: Builder, node: Node, x: Value) -> Value:
    if x.type.kind in FLOATS:
        return b.op("abs", x)
    if x.type.kind == "i1" or not _is_signed(x):
        return x
    return b.select(b.op("lt", x, 0), b.op("neg", x), x)


def _sign(b: Builder, node: Node, x: Value) -> Value:
    if x.type.kind == "i1":
        raise _unsupported(node)
    zero = b.const(0, x.type.kind)
    out = b.select(b.op("gt", x, 0), b.const(1, x.type.kind), zero)
    if not _is_signed(x):
        return out
    out = b.select(b.op("lt", x, 0), b.const(-1, x.type.kind), out)
    return b.select(b.op("ne", x, x), x, out) if x.type.kind in FLOATS else out


def _whole(name: str) -> Rule:
    """Rounding; integers are what they are."""

    def rule(b: Builder, node: Node, x: Value) -> Value:
        return b.op(name, x) if x.type.kind in FLOATS else x

    return rule


def _neg(b: Builder, node: Node, x: Value) -> Value:
    return b.op("not" if x.type.kind == "i1" else "neg", x)


# ------------------------------------------------------------------ division


def _integer_divmod(b: Builder, x: Value, y: Value) -> tuple[Value, Value]:
    """⌊x / y⌋ and x − y ⌊x / y⌋ of integers, both 0 for y = 0, and wrapping around at −1."""
    zero = b.op("eq", y, 0)
    if not _is_signed(x):
        safe = b.select(zero, b.const(1, x.type.kind), y)
        q = b.div(x, safe)
        return b.select(zero, 0, q), b.select(zero, 0, b.op("rem", x, safe))
    minus = b.op("eq", y, -1)
    safe = b.select(b.op("or", zero, minus), b.const(1, x.type.kind), y)
    q = b.div(x, safe)
    r = b.sub(x, b.mul(q, safe))
    below = b.op("and", b.op("ne", r, 0), b.op("lt", b.op("xor", r, y), 0))
    q = b.select(below, b.sub(q, 1), q)
    r = b.select(below, b.add(r, y), r)
    return b.select(zero, 0, b.select(minus, b.op("neg", x), q)), b.select(zero, 0, r)


def _remainder(b: Builder, node: Node, x: Value, y: Value) -> Value:
    if x.type.kind == "i1":
        return b.op("and", x, b.op("not", x))
    if x.type.kind not in FLOATS:
        return _integer_divmod(b, x, y)[1]
    return elementary.remainder(b, x, y)


def _fmod(b: Builder, node: Node, x: Value, y: Value) -> Value:
    if x.type.kind == "i1":
        return b.op("and", x, b.op("not", x))
    if x.type.kind in FLOATS:
        return elementary.fmod(b, x, y)
    zero = b.op("eq", y, 0)
    bad = b.op("or", zero, b.op("eq", y, -1)) if _is_signed(x) else zero
    safe = b.select(bad, b.const(1, x.type.kind), y)
    return b.op("rem", x, safe)


def _floor_divide(b: Builder, node: Node, x: Value, y: Value) -> Value:
    if x.type.kind == "i1":
        return b.op("and", x, y)
    if x.type.kind not in FLOATS:
        return _integer_divmod(b, x, y)[0]
    return elementary.floor_divide(b, x, y)


# ------------------------------------------------------------------ powers


def _pow(b: Builder, node: Node, x: Value, y: Value) -> Value:
    if x.type.kind == "i1":
        return b.op("or", x, b.op("not", y))
    return _float_power(b, x, y) if x.type.kind in FLOATS else _integer_power(b, x, y)


def _float_power(b: Builder, x: Value, y: Value) -> Value:
    """Small constant exponents are products and roots."""
    c = elementary.constant(y)
    if c is not None and c in (2, 3, 4):
        square = b.mul(x, x)
        return square if c == 2 else b.mul(square, x if c == 3 else square)
    if c == 1:
        return x
    if c == -1:
        return b.div(b.const(1.0, x.type.kind), x)
    if c == 0.5:  # also of −0 and −∞, as NumPy and PyTorch with such an exponent
        return b.op("sqrt", x)
    return elementary.pow(b, x, y)


def _integer_power(b: Builder, x: Value, y: Value) -> Value:
    """By squaring; with a negative exponent 1/x cut to an integer: 0 but for x = ±1."""
    kind = x.type.kind
    c = elementary.constant(y)
    if c is not None and c >= 0:
        return _whole_power(b, x, int(c))
    out, power = b.const(1, kind), x
    for bit in range(8 * SIZE[kind] - _is_signed(x)):
        if bit:
            power = b.mul(power, power)
        set_ = b.op("ne", b.op("and", y, 1 << bit), 0)
        out = b.select(set_, b.mul(out, power), out)
    if not _is_signed(x):
        return out
    odd = b.op("ne", b.op("and", y, 1), 0)
    minus_one = b.select(odd, x, 1)
    unit = b.select(b.op("eq", x, 1), 1, b.select(b.op("eq", x, -1), minus_one, b.const(0, kind)))
    return b.select(b.op("lt", y, 0), unit, out)


def _whole_power(b: Builder, x: Value, n: int) -> Value:
    if n == 0:
        return b.const(1, x.type.kind, x.type.lanes)
    half = _whole_power(b, x, n // 2) if n > 1 else None
    if half is None:
        return x
    square = b.mul(half, half)
    return b.mul(square, x) if n % 2 else square


# ------------------------------------------------------------------ truth and bits


def _compare(name: str) -> Rule:
    """Truth values are compared as false < true, with logic."""

    def rule(b: Builder, node: Node, x: Value, y: Value) -> Value:
        if x.type.kind != "i1":
            return b.op(name, x, y)
        if name in ("eq", "ne"):
            out = b.op("xor", x, y)
        elif name in ("gt", "le"):
            out = b.op("and", x, b.op("not", y))
        else:
            out = b.op("and", b.op("not", x), y)
        return b.op("not", out) if name in ("eq", "le", "ge") else out

    return rule


def _bits(name: str) -> Rule:
    def rule(b: Builder, node: Node, *args: Value) -> Value:
        if args[0].type.kind in FLOATS:
            raise _unsupported(node)
        return b.op(name, *args)

    return rule


def _shift(name: str) -> Rule:
    """By less than 0, or by the width and more: as if all bits had left."""

    def rule(b: Builder, node: Node, x: Value, y: Value) -> Value:
        kind = x.type.kind
        if kind in FLOATS:
            raise _unsupported(node)
        if kind == "i1":  # as numbers 0 and 1, then: is it not zero
            return x if name == "shl" else b.op("and", x, b.op("not", y))
        width = 8 * SIZE[kind]
        inside = b.op("lt", y, width)
        if _is_signed(y):
            inside = b.op("and", inside, b.op("ge", y, 0))
        if name == "shr" and _is_signed(x):
            return b.op("shr", x, b.select(inside, y, width - 1))
        return b.select(inside, b.op(name, x, b.select(inside, y, 0)), 0)

    return rule


def _where(b: Builder, node: Node, c: Value, x: Value, y: Value) -> Value:
    return b.select(c, x, y)


def _first(b: Builder, node: Node, x: Value, *rest: Value) -> Value:
    return x


def _cast(b: Builder, node: Node, x: Value) -> Value:
    return convert(b, x, KIND[node.dtype.short])


def _polygamma(b: Builder, node: Node, x: Value) -> Value:
    return elementary.polygamma(b, x, int(dict(node.attrs)["n"]))


def _sqrt(b: Builder, x: Value) -> Value:
    return b.op("sqrt", x)


#: One row for each elementwise primitive.
RULES: dict[str, Rule] = {
    "add": _plain("add", "or"),
    "sub": _plain("sub", "xor"),
    "mul": _plain("mul", "and"),
    "div": _float_only(Builder.div),
    "pow": _pow,
    "maximum": _extreme("lt", "or"),
    "minimum": _extreme("gt", "and"),
    "remainder": _remainder,
    "fmod": _fmod,
    "floor_divide": _floor_divide,
    "neg": _neg,
    "abs": _abs,
    "sign": _sign,
    "floor": _whole("floor"),
    "ceil": _whole("ceil"),
    "round": _whole("rint"),
    "trunc": _whole("trunc"),
    "sqrt": _float_only(_sqrt),
    **{
        name: _float_only(getattr(elementary, name))
        for name in (
            "exp", "expm1", "log", "log1p", "log2", "log10", "sin", "cos", "tan", "asin", "acos",
            "atan", "atan2", "sinh", "cosh", "tanh", "asinh", "acosh", "atanh", "erf", "erfinv",
            "lgamma",
        )
    },
    "polygamma": _polygamma,
    **{name: _compare(name) for name in ("eq", "lt", "le", "ne", "gt", "ge")},
    "bitwise_and": _bits("and"),
    "bitwise_or": _bits("or"),
    "bitwise_xor": _bits("xor"),
    "bitwise_not": _bits("not"),
    "shift_left": _shift("shl"),
    "shift_right": _shift("shr"),
    "where": _where,
    "cast": _cast,
    "stop_gradient": _first,
    "copy": _first,
    "passing_to": _first,
    "after": _first,
}  # fmt: skip
