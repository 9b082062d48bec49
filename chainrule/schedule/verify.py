"""The rules of the Loop IR, checked: types, scopes, single definition, indices that are known.

>>> from chainrule.schedule.text import parse_kernel
>>> verify_kernel(parse_kernel('''
... kernel wrong(@x: f32[4] in, @y: f32[4] out) over %0 in 4:
...   %1 = load %0 {@x} : f32
...   %2 = add %1 1.0:f64 : f32
... '''))
Traceback (most recent call last):
    ...
chainrule.errors.GraphError: kernel wrong, `%2 = add %1 1.0:f64 : f32`: operands of add have types \
f32, f64: equal types expected
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NoReturn

from chainrule.errors import GraphError
from chainrule.schedule.build import wrapped
from chainrule.schedule.loops import (
    BINARY,
    COMPARISONS,
    FLOATS,
    SIZE,
    UNARY,
    Buffer,
    Check,
    Declare,
    For,
    If,
    Kernel,
    Let,
    Local,
    Register,
    Set,
    Statement,
    Store,
    Type,
    Value,
)
from chainrule.schedule.text import print_statement

HALVES = ("f16", "bf16")
#: How values may be combined by `set` and `reduce`.
HOWS = ("add", "mul", "min", "max", "and", "or", "xor")
#: Details that a check may give: as many as the status buffer holds.
DETAILS = 7
#: Kinds that an operation takes, where it does not take all that can be computed with.
_INTEGERS = frozenset(SIZE) - FLOATS - {"i1"}
_COMPUTED = frozenset(SIZE) - set(HALVES)
_KINDS = {
    **dict.fromkeys(("add", "sub", "mul", "div", "neg", "abs"), _COMPUTED - {"i1"}),
    **dict.fromkeys(("floor", "ceil", "trunc", "rint", "ramp"), _COMPUTED - {"i1"}),
    **dict.fromkeys(("rem", "shl", "shr"), _INTEGERS),
    **dict.fromkeys(("and", "or", "xor", "not"), _INTEGERS | {"i1"}),
    **dict.fromkeys(("sqrt", "fma"), frozenset({"f32", "f64"})),
}
_ARITY = {"fma": 3, "select": 3, "shuffle": 2, "get": 0}
_ARITY |= dict.fromkeys(BINARY | COMPARISONS, 2)
_ARITY |= dict.fromkeys(UNARY | {"cast", "bitcast", "splat", "ramp", "extract", "reduce"}, 1)


def verify_kernel(kernel: Kernel) -> None:
    """Raises `GraphError`, naming the statement, if the kernel breaks a rule."""
    _Verifier(kernel).kernel()


class _Verifier:
    def __init__(self, given: Kernel) -> None:
        self.given = given
        self.everything: set[Value] = set()
        self.registers: set[Register] = set()
        self.locals: set[Buffer] = set()
        self.statement: Statement | None = None

    def fail(self, why: str) -> NoReturn:
        where = "its head"
        if self.statement is not None:
            where = f"`{print_statement(self.given, self.statement)}`"
        raise GraphError(f"kernel {self.given.name}, {where}: {why}")

    def need(self, fine: bool, why: str) -> None:
        if not fine:
            self.fail(why)

    # ------------------------------------------------------------------ the frame

    def kernel(self) -> None:
        k = self.given
        names = [b.name for b in k.buffers]
        self.need(len(set(names)) == len(names), f"buffers of equal names: {', '.join(names)}")
        self.need(bool(re.fullmatch(r"[\w.$-]+", k.name)), f"{k.name!r} is no name")
        self.need(k.extent >= 0, f"an extent of {k.extent}")
        for b in k.buffers:
            self.buffer(b)
            self.need(b.role != "local", f"{b}: local memory is no argument")
        fine = k.variable.op == "variable" and k.variable.type == Type("i64")
        self.need(fine, f"the shared loop's variable is {k.variable}: an i64 variable expected")
        self.everything.add(k.variable)
        self.block(k.body, {k.variable}, set(k.buffers), set())

    def buffer(self, b: Buffer) -> None:
        self.need(b.kind in SIZE, f"{b}: no kind {b.kind!r}")
        self.need(b.size >= 0, f"{b}: a negative size")
        if b.role == "number":
            self.need(b.size == 1 and b.kind in _INTEGERS, f"{b}: one integer expected")

    def block(
        self, block: list[Statement], values: set[Value], buffers: set[Buffer],
        registers: set[Register],
    ) -> None:  # fmt: skip
        """Names that a block introduces are gone after it."""
        self.values, self.buffers, self.known = values, buffers, registers
        for s in block:
            self.statement = s
            match s:
                case Let(v):
                    self.let(v)
                    self.define(v)
                case Store(b, index, value, mask):
                    self.need(b.role not in ("in", "number"), f"@{b.name} is not written to")
                    self.access(b, index, value.type, mask)
                    self.use(value)
                case Local(b):
                    self.buffer(b)
                    self.need(b.role == "local", f"@{b.name} has the role {b.role}")
                    self.need(b not in self.locals, f"@{b.name} is declared twice")
                    self.need(all(o.name != b.name for o in buffers), f"@{b.name} is taken")
                    self.locals.add(b)
                    buffers.add(b)
                case Declare(register, value):
                    self.use(value)
                    self.same("its first value", value.type, register.type)
                    self.need(register not in self.registers, f"{register} is declared twice")
                    self.need(all(r.name != register.name for r in registers),
                              f"${register.name} is taken")  # fmt: skip
                    self.registers.add(register)
                    registers.add(register)
                case Set(register, value, how):
                    self.use(value)
                    self.register(register)
                    self.same("the value", value.type, register.type)
                    if how is not None:
                        self.how(how, value.type.kind)
                case For():
                    self.loop(s)
                    inner = values | {s.variable}
                    self.everything.add(s.variable)
                    self.block(s.body, inner, set(buffers), set(registers))
                case If(condition, then, otherwise):
                    self.use(condition)
                    self.same("the condition", condition.type, Type("i1"))
                    for body in (then, otherwise):
                        self.block(body, set(values), set(buffers), set(registers))
                case Check():
                    self.check(s)
            self.values, self.buffers, self.known = values, buffers, registers

    def define(self, v: Value) -> None:
        self.need(v not in self.everything, "the value is defined twice")
        self.everything.add(v)
        self.values.add(v)

    def use(self, *values: Value) -> None:
        for v in values:
            if v.is_const:
                self.constant(v)
            elif v not in self.values:
                self.fail(f"{v} is used " + (
                    "outside the block that defines it" if v in self.everything
                    else "before its definition"))  # fmt: skip

    def constant(self, v: Value) -> None:
        kind = v.type.kind
        self.need(kind in SIZE and v.type.lanes == 1, f"a constant of type {v.type}")
        n = v.number
        if kind in FLOATS:
            self.need(isinstance(n, float), f"the constant {n!r} is no {kind}")
        elif kind == "i1":
            self.need(isinstance(n, bool), f"the constant {n!r} is no {kind}")
        else:
            fits = isinstance(n, int) and wrapped(n, kind) == n
            self.need(fits, f"the constant {n!r} is no {kind}")

    def same(self, what: str, got: Type, expected: Type) -> None:
        self.need(got == expected, f"{what} has type {got}: {expected} expected")

    # ------------------------------------------------------------------ statements

    def loop(self, s: For) -> None:
        self.use(s.start, s.stop)
        for name, v in (("start", s.start), ("stop", s.stop)):
            self.same(name, v.type, Type("i64"))
        self.need(s.step >= 1, f"a step of {s.step}")
        fine = s.variable.op == "variable" and s.variable.type == Type("i64")
        self.need(fine, f"the variable is {s.variable}: an i64 variable expected")
        self.need(s.variable not in self.everything, "its variable is defined twice")

    def check(self, s: Check) -> None:
        self.use(s.condition, *s.details)
        lanes = s.condition.type.lanes
        self.need(s.condition.type.kind == "i1", f"the condition has type {s.condition.type}")
        self.need(s.code > 0, f"code {s.code}: a positive one expected")
        self.need(len(s.details) <= DETAILS, f"more than {DETAILS} details")
        for d in s.details:
            self.need(d.type.lanes in (1, lanes), f"{d.type.lanes} lanes of detail for {lanes}")

    def register(self, r: object) -> Register:
        if not isinstance(r, Register):
            self.fail("a register expected")
        if r not in self.known:
            self.fail(f"${r.name} is not declared here")
        return r

    def access(self, b: object, index: Value, t: Type, mask: Value | None) -> None:
        """A value of type t at an index."""
        if not isinstance(b, Buffer):
            self.fail("a buffer expected")
        if b not in self.buffers:
            self.fail(f"@{b.name} is not declared here")
        self.use(index)
        self.need(t.kind == b.kind, f"a value of kind {t.kind}, but @{b.name} holds {b.kind}")
        self.need(index.type.kind in ("i64", "i32"), f"an index of type {index.type}")
        fits = index.type.lanes in (1, t.lanes)
        self.need(fits, f"{index.type.lanes} indices for {t.lanes} lanes")
        if mask is not None:
            self.use(mask)
            self.same("the mask", mask.type, Type("i1", t.lanes))
            self.need(b.role != "number", f"@{b.name} is a number: no mask expected")
        elif index.bounds is not None and b.size:
            last = t.lanes - 1 if index.type.lanes == 1 else 0
            outside = index.bounds[1] < 0 or index.bounds[0] + last >= b.size
            self.need(not outside, f"index {index.bounds[0]} is outside {b}")

    # ------------------------------------------------------------------ values

    def let(self, v: Value) -> None:
        op, args, t = v.op, v.args, v.type
        self.need(t.kind in SIZE and t.lanes >= 1, f"no type {t}")
        self.use(*args)
        if op == "load":
            self.need(len(args) in (1, 2) and len(v.attrs) == 1, "load takes an index and a mask")
            self.access(v.attrs[0], args[0], t, args[1] if len(args) == 2 else None)
            return
        if op not in _ARITY:
            self.fail(f"no operation {op!r}")
        if len(args) != _ARITY[op]:
            self.fail(f"{op} takes {_ARITY[op]} operands, got {len(args)}")
        if op == "get":
            self.same("the value", t, self.register(v.attrs[0] if v.attrs else None).type)
            return
        kinds = _KINDS.get(op)
        if kinds is not None and args[0].type.kind not in kinds:
            self.fail(f"{op} of {args[0].type.kind} is not defined")
        self.same("the value", t, self.result(v))
        if v.bounds is not None:
            self.need(v.bounds[0] <= v.bounds[1], f"bounds {v.bounds}")

    def result(self, v: Value) -> Type:
        """The type that the operands give."""
        op, args, attrs = v.op, v.args, v.attrs
        first = args[0].type
        if op in UNARY | BINARY | COMPARISONS | {"fma"}:
            self.equal(op, args)
            self.need(first.kind not in HALVES, f"{op} of {first.kind}: cast it to f32 first")
            return Type("i1", first.lanes) if op in COMPARISONS else first
        if op == "select":
            self.equal(op, args[1:])
            self.need(first.kind == "i1" and first.lanes in (1, args[1].type.lanes),
                      f"the condition of a select of {args[1].type} has type {first}")  # fmt: skip
            return args[1].type
        if op == "shuffle":
            self.equal(op, args)
            self.numbers(attrs, 2 * first.lanes, "lane")
            return Type(first.kind, len(attrs))
        self.need(len(attrs) == 1, f"{op} takes one attribute, got {attrs}")
        (what,) = attrs
        if op in ("cast", "bitcast"):
            self.need(what in SIZE, f"no kind {what!r}")
            if op == "bitcast":
                fine = SIZE[what] == SIZE[first.kind] and "i1" not in (what, first.kind)
                self.need(fine, f"the bits of {first.kind} are no {what}")
            return Type(what, first.lanes)
        if op in ("splat", "ramp"):
            self.need(first.lanes == 1, f"{op} of {first}: a number expected")
            self.need(isinstance(what, int) and what >= 1, f"{what!r} is no number of lanes")
            return Type(first.kind, what)
        if op == "extract":
            self.numbers(attrs, first.lanes, "lane")
            return Type(first.kind)
        self.how(what, first.kind)  # reduce
        if first.lanes & (first.lanes - 1):
            self.fail(f"reduce of {first.lanes} lanes: a power of two expected")
        return Type(first.kind)

    def equal(self, op: str, args: Iterable[Value]) -> None:
        types = [a.type for a in args]
        if any(t != types[0] for t in types):
            found = ", ".join(map(str, types))
            self.fail(f"operands of {op} have types {found}: equal types expected")

    def numbers(self, given: Iterable[object], end: int, what: str) -> None:
        for n in given:
            if not isinstance(n, int) or not 0 <= n < end:
                self.fail(f"{what} {n!r}: 0 to {end - 1} expected")

    def how(self, how: object, kind: str) -> None:
        if how not in HOWS:
            self.fail(f"combined by {how!r}: one of {', '.join(HOWS)} expected")
        if kind not in _KINDS.get(str(how), _COMPUTED):
            self.fail(f"{how} of {kind} is not defined")
