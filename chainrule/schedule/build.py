"""Writes Loop IR: constants are folded, equal values found again, and what does not change in a
loop is put before it, as it is written.

>>> from chainrule.schedule.loops import Buffer
>>> b = Builder()
>>> x, y = b.buffer("x", "f32", 64, "in"), b.buffer("y", "f32", 64, "out")
>>> with b.kernel("double", 8) as i:
...     with b.loop(0, 8) as j:
...         at = b.add(b.mul(i, 8), j)
...         b.store(y, at, b.mul(b.load(x, at), 2.0))
>>> from chainrule.schedule.text import print_kernel
>>> print(print_kernel(b.finish()))
kernel double(@x: f32[64] in, @y: f32[64] out) over %0 in 8:
  %1 = mul %0 8:i64 : i64
  for %2 in 0:i64 .. 8:i64 step 1:
    %3 = add %1 %2 : i64
    %4 = load %3 {@x} : f32
    %5 = mul %4 2.0:f32 : f32
    store @y[%3] %5
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

from chainrule.errors import GraphError
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
)  # fmt: skip

Operand = Value | int | float | bool

#: May be evaluated where the program would not have come: they cannot fail and touch no memory.
_PURE = (
    UNARY | COMPARISONS | (BINARY - {"div", "rem"})
    | {"fma", "select", "cast", "bitcast", "splat", "ramp", "extract", "shuffle", "reduce"}
)  # fmt: skip


class _Block:
    """An open block, and the values that can be found again in it."""

    __slots__ = ("kind", "made", "statements")

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.statements: list[Statement] = []
        self.made: dict[Any, Value] = {}


class Builder:
    """Writes one kernel."""

    def __init__(self) -> None:
        self._open: list[_Block] = []
        self._buffers: list[Buffer] = []
        self._locals = self._registers = 0
        self._consts: dict[tuple[str, Any], Value] = {}
        self._kernel: Kernel | None = None

    # ------------------------------------------------------------------ the frame

    def buffer(
        self, name: str, kind: str, size: int, role: Literal["in", "out", "inout", "number"]
    ) -> Buffer:
        """An argument of the kernel."""
        made = Buffer(name, kind, size, role)
        self._buffers.append(made)
        return made

    @contextmanager
    def kernel(self, name: str, extent: int, cost: float = 0.0) -> Iterator[Value]:
        """The shared loop. An extent of 0 is given at run time, with the step."""
        self._open.append(_Block("kernel"))
        variable = Value("variable", (), (), Type("i64"), 1, shared_bounds(extent))
        yield variable
        (block,) = self._open
        self._kernel = Kernel(name, tuple(self._buffers), variable, extent, block.statements, cost)
        self._open.pop()

    def finish(self) -> Kernel:
        """What was written."""
        if self._kernel is None:
            raise GraphError("the kernel is not finished: leave its `with` block first")
        return self._kernel

    @contextmanager
    def loop(self, start: Operand, stop: Operand, step: int = 1, note: str = "") -> Iterator[Value]:
        """A loop; gives its variable."""
        first, last = self.value(start, "i64"), self.value(stop, "i64")
        bounds = variable_bounds(first, last)
        self._open.append(_Block("loop"))
        variable = Value("variable", (), (), Type("i64"), len(self._open), bounds)
        yield variable
        body = self._open.pop().statements
        self.put(For(variable, first, last, step, body, note))

    @contextmanager
    def branch(self, condition: Value) -> Iterator[None]:
        """Only where the condition holds."""
        self._open.append(_Block("branch"))
        yield
        body = self._open.pop().statements
        self.put(If(condition, body, []))

    @contextmanager
    def at_depth(self, depth: int) -> Iterator[None]:
        """Write into a block around this one, before the loop that is being written there; never
        out of a branch, whose condition may be what allows it.
        """
        branches = (k + 1 for k, block in enumerate(self._open) if block.kind == "branch")
        depth = max((depth, *branches))
        inner = self._open[depth:]
        del self._open[depth:]
        yield
        self._open.extend(inner)

    @property
    def depth(self) -> int:
        """How many blocks are open."""
        return len(self._open)

    def put(self, statement: Statement) -> None:
        """A statement, at the end of the innermost block."""
        self._open[-1].statements.append(statement)

    # ------------------------------------------------------------------ memory and registers

    def local(self, kind: str, size: int) -> Buffer:
        """Scratch memory of this thread."""
        made = Buffer(f"local{self._locals}", kind, size, "local")
        self._locals += 1
        self.put(Local(made))
        return made

    def load(
        self, buffer: Buffer, index: Operand, lanes: int = 1, mask: Value | None = None
    ) -> Value:
        """An element, neighbours, or (with a vector of indices) a gather."""
        at = self.value(index, "i64")
        lanes = max(lanes, at.type.lanes)
        args = (at,) if mask is None else (at, mask)
        value = Value("load", args, (buffer,), Type(buffer.kind, lanes), self.depth)
        if buffer.role == "in":  # nobody writes to it: it may be found again
            return self._found(("load", args, buffer, lanes), value, self.depth)
        self.put(Let(value))
        return value

    def store(
        self, buffer: Buffer, index: Operand, value: Operand, mask: Value | None = None
    ) -> None:
        """Put a number, a vector (at neighbours), or each lane at its own index."""
        at, what = self.value(index, "i64"), self.value(value, buffer.kind)
        if at.type.lanes > 1 and what.type.lanes == 1:
            what = self.splat(what, at.type.lanes)
        self.put(Store(buffer, at, what, mask))

    def register(self, first: Value) -> Register:
        """A variable."""
        made = Register(f"r{self._registers}", first.type)
        self._registers += 1
        self.put(Declare(made, first))
        return made

    def get(self, register: Register) -> Value:
        """Its value now."""
        value = Value("get", (), (register,), register.type, self.depth)
        self.put(Let(value))
        return value

    def set(self, register: Register, value: Value, how: str | None = None) -> None:
        """Its next value; with `how`, combined with the old one."""
        self.put(Set(register, value, how))

    def check(self, condition: Value, code: int, *details: Value) -> None:
        """The program has failed where the condition is false."""
        if not (condition.is_const and condition.number):
            self.put(Check(condition, code, details))

    # ------------------------------------------------------------------ values

    def const(self, number: Any, kind: str, lanes: int = 1) -> Value:
        """A constant. Floats are told apart by their bits: −0.0 is not 0.0."""
        if kind in FLOATS:
            number = float(number)
            key: Any = ("nan" if number != number else number, math.copysign(1, number))
        else:
            number = bool(number) if kind == "i1" else wrapped(int(number), kind)
            key = number
        found = self._consts.get((kind, key))
        if found is None:
            bounds = (number, number) if kind not in FLOATS else None
            found = Value("const", (), (number,), Type(kind), 0, bounds)
            self._consts[kind, key] = found
        return found if lanes == 1 else self.splat(found, lanes)

    def value(self, x: Operand, kind: str) -> Value:
        """A Python number as a constant of that kind; a value as it is."""
        return x if isinstance(x, Value) else self.const(x, kind)

    def op(self, name: str, *operands: Operand) -> Value:
        """One operation. Python numbers take the first value's kind; numbers and vectors mix."""
        kind = next(x.type.kind for x in operands if isinstance(x, Value))
        args = tuple(self.value(x, kind) for x in operands)
        lanes = max(a.type.lanes for a in args)
        args = tuple(self.splat(a, lanes) for a in args)
        simpler = _fold(self, name, args)
        return self._pure(name, args, (), _type(name, args)) if simpler is None else simpler

    def _pure(self, name: str, args: tuple[Value, ...], attrs: tuple[Any, ...], t: Type) -> Value:
        depth = max((a.depth for a in args), default=0)
        divides = name in ("div", "rem") and bool(_plain(args[1]))  # by a number that is not 0
        safe = divides or name in _PURE or t.kind in FLOATS
        depth = max(depth, 1) if safe else self.depth
        value = Value(name, args, attrs, t, depth, bounds_of(name, args, attrs))
        return self._found((name, args, attrs, t), value, depth)

    def _found(self, key: Any, value: Value, depth: int) -> Value:
        if (old := self.recall(key)) is not None:
            return old
        block = self._open[depth - 1]
        block.statements.append(Let(value))
        block.made[key] = value
        return value

    def recall(self, key: Any) -> Value | None:
        """A value that was remembered in a block that is still open."""
        for block in self._open:
            if (found := block.made.get(key)) is not None:
                return found
        return None

    def remember(self, key: Any, value: Value) -> None:
        """Find it again as long as it is in scope."""
        if value.depth:
            self._open[value.depth - 1].made[key] = value

    def splat(self, x: Value, lanes: int) -> Value:
        """One number in all lanes."""
        if x.type.lanes == lanes:
            return x
        if x.type.lanes != 1:
            raise GraphError(f"cannot widen {x.type} to {lanes} lanes")
        return self._pure("splat", (x,), (lanes,), Type(x.type.kind, lanes))

    def ramp(self, x: Operand, lanes: int) -> Value:
        """x, x + 1, x + 2, …"""
        first = self.value(x, "i64")
        return self._pure("ramp", (first,), (lanes,), Type(first.type.kind, lanes))

    def cast(self, x: Value, to: str) -> Value:
        """Number to number."""
        if x.type.kind == to:
            return x
        if x.is_const and to not in ("f16", "bf16", "f32") and x.type.kind not in FLOATS:
            return self.const(x.number, to)
        return self._pure("cast", (x,), (to,), Type(to, x.type.lanes))

    def bitcast(self, x: Value, to: str) -> Value:
        """The same bits."""
        return (
            x if x.type.kind == to else self._pure("bitcast", (x,), (to,), Type(to, x.type.lanes))
        )

    def reduce(self, x: Value, how: str) -> Value:
        """All lanes into one."""
        return x if x.type.lanes == 1 else self._pure("reduce", (x,), (how,), Type(x.type.kind))

    def extract(self, x: Value, lane: int) -> Value:
        """One lane."""
        return self._pure("extract", (x,), (lane,), Type(x.type.kind))

    def shuffle(self, a: Value, b: Value, lanes: tuple[int, ...]) -> Value:
        """Lanes of a and b, counted through both."""
        return self._pure("shuffle", (a, b), lanes, Type(a.type.kind, len(lanes)))

    def add(self, a: Operand, b: Operand) -> Value:
        return self.op("add", a, b)

    def sub(self, a: Operand, b: Operand) -> Value:
        return self.op("sub", a, b)

    def mul(self, a: Operand, b: Operand) -> Value:
        return self.op("mul", a, b)

    def div(self, a: Operand, b: Operand) -> Value:
        return self.op("div", a, b)

    def fma(self, a: Operand, b: Operand, c: Operand) -> Value:
        return self.op("fma", a, b, c)

    def select(self, c: Value, a: Operand, b: Operand) -> Value:
        """a where c, else b."""
        kind = next(x.type.kind for x in (a, b) if isinstance(x, Value))
        yes, no = self.value(a, kind), self.value(b, kind)
        lanes = max(c.type.lanes, yes.type.lanes, no.type.lanes)
        if c.is_const or yes is no:
            return self.splat(no if c.is_const and not c.number else yes, lanes)
        args = tuple(self.splat(x, lanes) for x in (c, yes, no))
        return self._pure("select", args, (), Type(kind, lanes))


def _type(name: str, args: tuple[Value, ...]) -> Type:
    first = args[0].type
    if name in COMPARISONS:
        return Type("i1", first.lanes)
    if name in UNARY or name in BINARY or name == "fma":
        if any(a.type != first for a in args):
            types = ", ".join(str(a.type) for a in args)
            raise GraphError(f"{name} of {types}: equal types expected")
        return first
    raise GraphError(f"unknown operation {name!r}")


def wrapped(number: int, kind: str) -> int:
    """What is left of an integer in that kind."""
    bits = 8 * SIZE[kind]
    number %= 1 << bits
    return number - (1 << bits) if kind[0] == "i" and number >> (bits - 1) else number


def shared_bounds(extent: int) -> tuple[int, int]:
    """Of the shared loop's variable."""
    return 0, extent - 1 if extent else 1 << 40


def variable_bounds(start: Value, stop: Value) -> tuple[int, int] | None:
    """Of the variable of a loop."""
    if start.bounds is None or stop.bounds is None:
        return None
    return start.bounds[0], max(stop.bounds[1] - 1, start.bounds[0])


def bounds_of(
    name: str, args: tuple[Value, ...], attrs: tuple[Any, ...] = ()
) -> tuple[int, int] | None:
    """Least and greatest value of an operation on indices; other kinds could wrap around."""
    if name == "cast":
        (x,) = args
        fits = x.type.kind not in FLOATS and x.bounds is not None and attrs[0] in ("i32", "i64")
        if not fits or x.bounds is None or any(wrapped(n, attrs[0]) != n for n in x.bounds):
            return None
        return x.bounds
    if name == "select":
        args = args[1:]
    whole = (-(2**63), 2**63 - 1) if name in ("min", "max") else None
    known = [b for a in args if a.type.kind == "i64" and (b := a.bounds or whole) is not None]
    found = None if len(known) != len(args) else _combined(name, known)
    if found is None or any(wrapped(n, "i64") != n for n in found):
        return None
    return found


def _combined(name: str, known: list[tuple[int, int]]) -> tuple[int, int] | None:
    if name == "splat":
        return known[0]
    if len(known) != 2:
        return None
    (a, b), (c, d) = known
    if name == "select":
        return min(a, c), max(b, d)
    if name == "add":
        return a + c, b + d
    if name == "sub":
        return a - d, b - c
    if name == "mul":
        corners = (a * c, a * d, b * c, b * d)
        return min(corners), max(corners)
    if name == "div" and c == d > 0 and a >= 0:
        return a // c, b // c
    if name == "rem" and c == d > 0 and a >= 0:
        return (0, min(b, c - 1))
    if name == "min":
        return min(a, c), min(b, d)
    if name == "max":
        return max(a, c), max(b, d)
    return None


def _fold(b: Builder, name: str, args: tuple[Value, ...]) -> Value | None:
    """Arithmetic on indices that needs no doing. (The graph's passes fold the other numbers.)"""
    kind = args[0].type.kind
    if kind not in ("i64", "i1"):  # the others could wrap around
        return None
    lanes = args[0].type.lanes
    numbers = [_plain(a) for a in args]
    if len(args) == 2:
        x, y = args
        m, n = numbers
        if m is not None and n is not None:
            folded = _compute(name, m, n)
            if folded is not None:
                return b.const(folded, "i1" if name in COMPARISONS else kind, lanes)
        if (name in ("add", "sub") and n == 0) or (name in ("mul", "div") and n == 1):
            return x
        if (name == "add" and m == 0) or (name == "mul" and m == 1):
            return y
        if name == "mul" and (m == 0 or n == 0):
            return b.const(0, kind, lanes)
        if name == "rem" and n == 1:
            return b.const(0, kind, lanes)
        if kind == "i1" and name in ("and", "or"):
            for c, other in ((m, y), (n, x)):
                if c is not None:
                    return other if bool(c) == (name == "and") else b.const(c, kind, lanes)
        if x.bounds is not None and y.bounds is not None and name in COMPARISONS:
            known = decided(name, x.bounds, y.bounds)
            if known is not None:
                return b.const(known, "i1", lanes)
    return None


def _plain(v: Value) -> Any:
    while v.op == "splat":
        v = v.args[0]
    return v.number if v.is_const else None


def _compute(name: str, m: Any, n: Any) -> Any:
    if name in ("div", "rem") and (n == 0 or m < 0 or n < 0):
        return None
    rules: dict[str, Any] = {
        "add": lambda: m + n, "sub": lambda: m - n, "mul": lambda: m * n, "div": lambda: m // n,
        "rem": lambda: m % n, "min": lambda: min(m, n), "max": lambda: max(m, n),
        "eq": lambda: m == n, "ne": lambda: m != n, "lt": lambda: m < n, "le": lambda: m <= n,
        "gt": lambda: m > n, "ge": lambda: m >= n, "and": lambda: m & n, "or": lambda: m | n,
    }  # fmt: skip
    rule = rules.get(name)
    return None if rule is None else rule()


def decided(name: str, x: tuple[int, int], y: tuple[int, int]) -> bool | None:
    """What a comparison of numbers with these bounds gives, where it always gives the same."""
    (a, b), (c, d) = x, y
    apart = b < c or a > d
    always = {"lt": b < c, "le": b <= c, "gt": a > d, "ge": a >= d, "ne": apart, "eq": False}
    never = {"lt": a >= d, "le": a > d, "gt": b <= c, "ge": b < c, "eq": apart, "ne": False}
    if always[name]:
        return True
    return False if never[name] else None
