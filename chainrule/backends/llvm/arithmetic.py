"""Operations of the Loop IR as instructions of LLVM.

What LLVM leaves open is closed here: x / 0 and x % 0 of integers are 0, the least integer divided
by −1 is itself, shifting by the width or more gives 0 (or the sign), min and max of floats are NaN
if one is. Without SSE 4.1, rounding to whole numbers is arithmetic of ours: LLVM would call libm,
lane by lane. `fma` is rounded twice where the target has none: LLVM would call libm there too.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from chainrule.backends.llvm.casts import Casts, signed
from chainrule.backends.llvm.writer import BITS, constant, literal, llvm_type
from chainrule.errors import GraphError
from chainrule.schedule.loops import FLOATS, Type, Value

_FLOAT = {"add": "fadd", "sub": "fsub", "mul": "fmul", "div": "fdiv"}
_INTEGER = {"add": "add", "sub": "sub", "mul": "mul", "and": "and", "or": "or", "xor": "xor"}
_COMPARE_FLOATS = {"eq": "oeq", "ne": "une", "lt": "olt", "le": "ole", "gt": "ogt", "ge": "oge"}
#: What `reduce` may combine with, in any order, by an intrinsic: integers only.
_REDUCE = {"add": "add", "mul": "mul", "and": "and", "or": "or", "xor": "xor"}


class Arithmetic(Casts):
    """Writes operations."""

    def operation(self, v: Value) -> None:
        """%v = op …"""
        if v.op not in _WRITERS:
            raise GraphError(f"the Loop IR has no operation {v.op!r}")
        _WRITERS[v.op](self, v)

    def named(self, v: Value, text: str) -> None:
        """The instruction that makes a value."""
        self.put(text, self.name(v))

    # ------------------------------------------------------------------ of two numbers

    def binary(self, op: str, t: Type, a: str, b: str, into: str | None = None) -> str:
        """`a op b`, both of type t."""
        ll = llvm_type(t)
        if op in ("min", "max"):
            return self._extreme(op, t, a, b, into)
        table = _FLOAT if t.kind in FLOATS else _INTEGER
        if op not in table:
            raise GraphError(f"{op} of {t} is not defined")
        return self.put(f"{table[op]} {ll} {a}, {b}", into)

    def _extreme(self, op: str, t: Type, a: str, b: str, into: str | None) -> str:
        if t.kind == "i1":
            return self.binary("and" if op == "min" else "or", t, a, b, into)
        if t.kind not in FLOATS:
            found = self.intrinsic(("s" if signed(t.kind) else "u") + op, t, a, b)
            return found
        if self.target.name == "neon":
            return self.intrinsic("minimum" if op == "min" else "maximum", t, a, b)
        found = self._limit(op, t, a, b)  # b where one is NaN, so only a NaN in a is to be kept
        nan = self.put(f"fcmp uno {llvm_type(t)} {a}, {constant(0.0, t)}")
        return self.pick(t, nan, a, found)

    def _limit(self, op: str, t: Type, a: str, b: str) -> str:
        """min or max, but b if a is NaN: one instruction of x86."""
        test = self.put(f"fcmp {'olt' if op == 'min' else 'ogt'} {llvm_type(t)} {a}, {b}")
        return self.pick(t, test, a, b)

    def _binary(self, v: Value) -> None:
        a, b = v.args
        if v.type.kind in FLOATS or v.op not in ("add", "sub", "mul"):
            x, y = self.operand(a), self.operand(b)
            if v.op not in ("min", "max"):
                self.binary(v.op, v.type, x, y, self.name(v))
            elif self.target.name != "neon" and (_is_number(a) or _is_number(b)):
                limit, other = (x, y) if _is_number(a) else (y, x)
                self.names[v] = self._limit(v.op, v.type, limit, other)
            else:
                self.names[v] = self.binary(v.op, v.type, x, y)
            return
        # Indices that are known not to wrap around: LLVM may widen and reorder them.
        known = v.bounds is not None and a.bounds is not None and b.bounds is not None
        flags = " nsw" if known and v.type.kind == "i64" else ""
        self.named(v, f"{v.op}{flags} {self.typed(a)}, {self.operand(b)}")

    def _divide(self, v: Value) -> None:
        t, (x, y) = v.type, v.args
        ll, a, b = llvm_type(t), self.operand(x), self.operand(y)
        if t.kind in FLOATS:
            self.named(v, f"fdiv {ll} {a}, {b}")
            return
        op = "div" if v.op == "div" else "rem"
        negative = signed(t.kind)
        if x.bounds is not None and y.bounds is not None and x.bounds[0] >= 0 < y.bounds[0]:
            negative = False  # unsigned division takes less
        sign = "s" if negative else "u"
        if _nonzero(y):
            self.named(v, f"{sign}{op} {ll} {a}, {b}")
            return
        zero, one, i1 = constant(0, t), constant(1, t), llvm_type(Type("i1", t.lanes))
        bad = none = self.put(f"icmp eq {ll} {b}, {zero}")
        if negative:
            least = self.put(f"icmp eq {ll} {a}, {constant(-(2 ** (BITS[t.kind] - 1)), t)}")
            minus = self.put(f"icmp eq {ll} {b}, {constant(-1, t)}")
            wraps = self.put(f"and {i1} {least}, {minus}")
            bad = self.put(f"or {i1} {none}, {wraps}")
        safe = self.pick(t, bad, one, b)
        found = self.put(f"{sign}{op} {ll} {a}, {safe}")  # x % 1 is 0 already
        self.names[v] = self.pick(t, none, zero, found) if op == "div" else found

    def _shift(self, v: Value) -> None:
        t, ll = v.type, llvm_type(v.type)
        a, b, bits = self.operand(v.args[0]), self.operand(v.args[1]), BITS[t.kind]
        op = "shl" if v.op == "shl" else "ashr" if signed(t.kind) else "lshr"
        n = _number(v.args[1])
        if n is not None and 0 <= n < bits:
            self.named(v, f"{op} {ll} {a}, {b}")
            return
        if op == "ashr":
            b = self.intrinsic("umin", t, b, constant(bits - 1, t))
            self.named(v, f"ashr {ll} {a}, {b}")
            return
        fits = self.put(f"icmp ult {ll} {b}, {constant(bits, t)}")
        self.names[v] = self.pick(t, fits, self.put(f"{op} {ll} {a}, {b}"), constant(0, t))

    def _compare(self, v: Value) -> None:
        kind = v.args[0].type.kind
        if kind in FLOATS:
            test = "fcmp " + _COMPARE_FLOATS[v.op]
        elif v.op in ("eq", "ne"):
            test = "icmp " + v.op
        else:
            test = f"icmp {'s' if signed(kind) else 'u'}{v.op}"
        self.named(v, f"{test} {self.typed(v.args[0])}, {self.operand(v.args[1])}")

    # ------------------------------------------------------------------ of one number

    def _neg(self, v: Value) -> None:
        x = self.typed(v.args[0])
        if v.type.kind in FLOATS:
            self.named(v, f"fneg {x}")
        else:
            zero = constant(0, v.type)
            self.named(v, f"sub {llvm_type(v.type)} {zero}, {self.operand(v.args[0])}")

    def _not(self, v: Value) -> None:
        ones = constant(-1 if v.type.kind != "i1" else True, v.type)
        self.named(v, f"xor {self.typed(v.args[0])}, {ones}")

    def _abs(self, v: Value) -> None:
        x = self.operand(v.args[0])
        if v.type.kind in FLOATS:
            self.names[v] = self.intrinsic("fabs", v.type, x)
        elif signed(v.type.kind):
            self.names[v] = self.intrinsic("abs", v.type, x, more="i1 false")
        else:
            self.names[v] = x

    def _sqrt(self, v: Value) -> None:
        self.names[v] = self.intrinsic("sqrt", v.type, self.operand(v.args[0]))

    def _whole(self, v: Value) -> None:
        x, t = self.operand(v.args[0]), v.type
        if t.kind not in FLOATS:
            self.names[v] = x
        elif self.target.name in ("x86-64", "other"):
            self.names[v] = self._round(v.op, t, x)
        else:
            name = "roundeven" if v.op == "rint" else v.op
            self.names[v] = self.intrinsic(name, t, x)

    def _round(self, how: str, t: Type, x: str) -> str:
        """By adding and taking off the number from which on all are whole. Its sign is x's."""
        ll, i1 = llvm_type(t), llvm_type(Type("i1", t.lanes))
        size, edge = (
            self.intrinsic("fabs", t, x),
            constant(2.0 ** (23 if t.kind == "f32" else 52), t),
        )
        near = self.put(f"fadd {ll} {size}, {edge}")
        near = self.put(f"fsub {ll} {near}, {edge}")
        if how == "trunc":
            step = self.put(f"fcmp ogt {ll} {near}, {size}")
            less = self.put(f"fsub {ll} {near}, {constant(1.0, t)}")
            near = self.pick(t, step, less, near)
        near = self.intrinsic("copysign", t, near, x)
        if how in ("floor", "ceil"):
            test, op = ("ogt", "fsub") if how == "floor" else ("olt", "fadd")
            off = self.put(f"fcmp {test} {ll} {near}, {x}")
            other = self.put(f"{op} {ll} {near}, {constant(1.0, t)}")
            near = self.intrinsic("copysign", t, self.pick(t, off, other, near), x)
        small = self.put(f"fcmp olt {ll} {size}, {edge}")
        return self.put(f"select {i1} {small}, {ll} {near}, {ll} {x}")

    # ------------------------------------------------------------------ of three

    def _fma(self, v: Value) -> None:
        a, b, c = map(self.operand, v.args)
        if self.target.fma:
            self.names[v] = self.intrinsic("fma", v.type, a, b, c)
            return
        product = self.put(f"fmul {llvm_type(v.type)} {a}, {b}")
        self.named(v, f"fadd {llvm_type(v.type)} {product}, {c}")

    def _select(self, v: Value) -> None:
        self.named(v, "select " + ", ".join(map(self.typed, v.args)))

    # ------------------------------------------------------------------ kinds and lanes

    def _cast(self, v: Value) -> None:
        (x,) = v.args
        self.names[v] = self.cast(self.operand(x), x.type, v.type.kind)

    def _bitcast(self, v: Value) -> None:
        (x,) = v.args
        if llvm_type(x.type) == llvm_type(v.type):
            self.names[v] = self.operand(x)
        else:
            self.named(v, f"bitcast {self.typed(x)} to {llvm_type(v.type)}")

    def _splat(self, v: Value) -> None:
        (x,) = v.args
        if x.is_const:
            self.names[v] = constant(x.number, v.type)
            return
        ll = llvm_type(v.type)
        one = self.put(f"insertelement {ll} poison, {self.typed(x)}, i32 0")
        zeros = f"<{v.type.lanes} x i32> zeroinitializer"
        self.named(v, f"shufflevector {ll} {one}, {ll} poison, {zeros}")

    def _ramp(self, v: Value) -> None:
        (x,), t = v.args, v.type
        one = llvm_type(Type(t.kind))
        start = x.number if x.is_const else 0
        steps = ", ".join(f"{one} {literal(start + i, t.kind)}" for i in range(t.lanes))
        if x.is_const:
            self.names[v] = f"<{steps}>"
            return
        ll = llvm_type(t)
        first = self.put(f"insertelement {ll} poison, {self.typed(x)}, i32 0")
        zeros = f"<{t.lanes} x i32> zeroinitializer"
        first = self.put(f"shufflevector {ll} {first}, {ll} poison, {zeros}")
        op = "fadd" if t.kind in FLOATS else "add"
        self.named(v, f"{op} {ll} {first}, <{steps}>")

    def _extract(self, v: Value) -> None:
        if v.args[0].type.lanes == 1:
            self.names[v] = self.operand(v.args[0])
        else:
            self.named(v, f"extractelement {self.typed(v.args[0])}, i32 {v.attrs[0]}")

    def _shuffle(self, v: Value) -> None:
        a, b = v.args
        ll = f"<{a.type.lanes} x {llvm_type(Type(a.type.kind))}>"
        first, second = self.operand(a), self.operand(b)
        if a.type.lanes == 1:  # LLVM shuffles vectors only
            first = self.put(f"insertelement {ll} poison, {self.typed(a)}, i32 0")
            second = self.put(f"insertelement {ll} poison, {self.typed(b)}, i32 0")
        picked = ", ".join(f"i32 {i}" for i in v.attrs)
        text = f"shufflevector {ll} {first}, {ll} {second}, <{len(v.attrs)} x i32> <{picked}>"
        if v.type.lanes == 1:
            found = self.put(text)
            self.named(v, f"extractelement <1 x {llvm_type(v.type)}> {found}, i32 0")
        else:
            self.named(v, text)

    def _reduce(self, v: Value) -> None:
        (x,), how = v.args, v.attrs[0]
        t, found = x.type, self.operand(x)
        if t.lanes == 1:
            self.names[v] = found
            return
        if t.kind not in FLOATS:
            if how in ("min", "max") and t.kind == "i1":
                how = "and" if how == "min" else "or"
            name = _REDUCE.get(how) or ("s" if signed(t.kind) else "u") + how
            self.names[v] = self.intrinsic(f"vector.reduce.{name}", t, found, to=v.type)
            return
        lanes = t.lanes
        while lanes > 1:
            whole, lanes = Type(t.kind, lanes), lanes // 2
            if lanes == 1:
                low, high = (
                    self.put(f"extractelement {llvm_type(whole)} {found}, i32 {i}") for i in (0, 1)
                )
            else:
                low = self.lanes_of(whole, found, "poison", list(range(lanes)))
                high = self.lanes_of(whole, found, "poison", list(range(lanes, 2 * lanes)))
            found = self.binary(how, Type(t.kind, lanes), low, high)
        self.names[v] = found


def _number(v: Value) -> Any:
    """The constant that a value is, in all lanes."""
    while v.op == "splat":
        v = v.args[0]
    return v.number if v.is_const else None


def _is_number(v: Value) -> bool:
    """Whether it is a constant float that is a number."""
    n = _number(v)
    return v.type.kind in FLOATS and n is not None and n == n


def _nonzero(v: Value) -> bool:
    """Whether it is certain that the divisor is neither 0 nor −1."""
    n = _number(v)
    if n is not None:
        return n not in (0, -1)
    return v.bounds is not None and v.bounds[0] > 0


_WRITERS: dict[str, Callable[[Arithmetic, Value], None]] = {
    **dict.fromkeys(("add", "sub", "mul", "min", "max", "and", "or", "xor"), Arithmetic._binary),
    **dict.fromkeys(("div", "rem"), Arithmetic._divide),
    **dict.fromkeys(("shl", "shr"), Arithmetic._shift),
    **dict.fromkeys(("eq", "ne", "lt", "le", "gt", "ge"), Arithmetic._compare),
    **dict.fromkeys(("floor", "ceil", "trunc", "rint"), Arithmetic._whole),
    "neg": Arithmetic._neg,
    "not": Arithmetic._not,
    "abs": Arithmetic._abs,
    "sqrt": Arithmetic._sqrt,
    "fma": Arithmetic._fma,
    "select": Arithmetic._select,
    "cast": Arithmetic._cast,
    "bitcast": Arithmetic._bitcast,
    "splat": Arithmetic._splat,
    "ramp": Arithmetic._ramp,
    "extract": Arithmetic._extract,
    "shuffle": Arithmetic._shuffle,
    "reduce": Arithmetic._reduce,
}  # fmt: skip
