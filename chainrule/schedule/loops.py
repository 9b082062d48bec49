"""The Loop IR: what a kernel does, loop by loop, with vectors as values. The second waist.

A kernel runs iterations lo ≤ i < hi of one shared loop of `extent` iterations; any split of them
into ranges gives the same bits, so threads may take them as they come. Values are named once
(single assignment); what changes is a register (`var`) or memory.

    kernel  = "kernel" name "(" buffer ("," buffer)* ")" "over" %value "in" extent ("cost" ns)? ":"
              block
    buffer  = "@"name ":" kind "[" size "]" role         role = in | out | inout | number
    block   = indented statement*
    statement =
        %value "=" op operand* attributes? ":" type      a value
      | "store" @buffer "[" operand "]" operand ("if" mask)?
                                                         one element, or all lanes of the value
      | "local" @buffer ":" kind "[" size "]"            scratch memory of this thread
      | "var" $register ":" type "=" operand             a register, with its first value
      | "set" $register how? "=" operand                 its next value; `how` = add mul min max and
                                                         or: the old value so combined with this one
      | "for" %value "in" operand ".." operand "step" n note? ":" block
      | "if" operand ":" block ("else" ":" block)?
      | "check" operand "or" code operand*               notes a failure where the operand is false
    operand    = %value | number ":" kind               number = true | false | -3 | 0.5 | inf | nan
    attributes = "{" (@buffer | $register | kind | number | how) ("," …)* "}"
    type       = kind | kind "x" lanes
    kind       = i1 i8 i16 i32 i64 u8 u16 u32 u64 f16 bf16 f32 f64    (i1 lies in memory as a byte)

f16 and bf16 are kinds of memory: they can be loaded, stored, selected and cast, not computed with.
A buffer with role "number" is an integer that is given at run time; sizes and extents of 0 are
known only then, too. Buffers that are written to do not overlap others; but an "out" may be the
memory of an "in" of its kind and size, if no element is read after it was written. `note` says how
a later pass is to treat a loop: "vector" (its iterations are independent but for registers that
they are combined into), "unroll".

Operations (one sentence each; float operations are IEEE; integers wrap around)

    add sub mul div          integer division and remainder are C's: toward zero; by zero: 0
    rem                      integers only
    neg abs sqrt floor ceil trunc rint
    fma a b c                a · b + c, rounded once (twice where `Target.fma` is false)
    min max                  of floats: NaN if one is NaN
    and or xor shl shr not   `shr` of a signed kind keeps the sign; all bits may be shifted out
    eq ne lt le gt ge        i1; `ne` is true for NaN, the others false
    select c a b             a where c, else b
    cast {to}                number to number; float to integer is toward zero; to i1: not zero
    bitcast {to}             the same bits
    splat {lanes}            one number in all lanes
    ramp {lanes}             a, a + 1, a + 2, …
    extract {lane}           one lane of a vector
    shuffle a b {lanes}      lanes of a and b, counted through
    reduce {how}             all lanes into one: add, mul, min, max, and, or; halves are combined
                             first, so that the order is fixed
    load {buffer} i (m)      an element; a vector from a scalar index reads neighbours; a vector
                             index gathers. Where the mask is false nothing is read, and it is 0
    get {register}           its value now
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal, NamedTuple

#: Bytes of an element in memory.
SIZE = {
    "i1": 1, "i8": 1, "u8": 1, "i16": 2, "u16": 2, "f16": 2, "bf16": 2,
    "i32": 4, "u32": 4, "f32": 4, "i64": 8, "u64": 8, "f64": 8,
}  # fmt: skip

FLOATS = frozenset({"f16", "bf16", "f32", "f64"})
COMPARISONS = frozenset({"eq", "ne", "lt", "le", "gt", "ge"})
#: Operations whose operands and result have one type.
UNARY = frozenset({"neg", "abs", "sqrt", "floor", "ceil", "trunc", "rint", "not"})
BINARY = frozenset(
    {"add", "sub", "mul", "div", "rem", "min", "max", "and", "or", "xor", "shl", "shr"}
)


class Type(NamedTuple):
    """A number, or a vector of numbers."""

    kind: str
    lanes: int = 1

    def __str__(self) -> str:
        return self.kind if self.lanes == 1 else f"{self.kind}x{self.lanes}"


class Buffer:
    """Memory with a name: an argument of the kernel, or scratch memory of the thread. A size of 0
    is given at run time.
    """

    __slots__ = ("kind", "name", "role", "size")

    def __init__(
        self,
        name: str,
        kind: str,
        size: int,
        role: Literal["in", "out", "inout", "number", "local"],
    ) -> None:
        self.name, self.kind, self.size, self.role = name, kind, size, role

    @property
    def bytes(self) -> int:
        return self.size * SIZE[self.kind]

    def __repr__(self) -> str:
        return f"@{self.name}: {self.kind}[{self.size}] {self.role}"


class Register:
    """A variable that is no memory."""

    __slots__ = ("name", "type")

    def __init__(self, name: str, type_: Type) -> None:
        self.name, self.type = name, type_

    def __repr__(self) -> str:
        return f"${self.name}: {self.type}"


class Value:
    """A number or a vector, named once. Constants and loop variables are values without a
    statement: their ops are "const" and "variable".

    depth   how many loops and branches stand around its definition
    attrs   what stands in braces: a buffer, a register, a kind, lanes …
    bounds  least and greatest value of an integer, where that is known
    """

    __slots__ = ("args", "attrs", "bounds", "depth", "op", "type")

    def __init__(
        self,
        op: str,
        args: tuple[Value, ...],
        attrs: tuple[Any, ...],
        type_: Type,
        depth: int,
        bounds: tuple[int, int] | None = None,
    ) -> None:
        self.op, self.args, self.attrs, self.type, self.depth = op, args, attrs, type_, depth
        self.bounds = bounds

    @property
    def is_const(self) -> bool:
        return self.op == "const"

    @property
    def number(self) -> Any:
        """The number that a constant is."""
        return self.attrs[0]

    def __repr__(self) -> str:
        return f"<{self.op} {self.attrs if self.attrs else ''}: {self.type}>"


class Let(NamedTuple):
    """%value = …"""

    value: Value


class Store(NamedTuple):
    """Put `value` at `index`; a vector at a scalar index goes to neighbours, at a vector of indices
    each lane to its own.
    """

    buffer: Buffer
    index: Value  # type: ignore[assignment]  # a tuple's method of that name is not needed
    value: Value
    mask: Value | None


class Local(NamedTuple):
    """Scratch memory of this thread, from here to the end of the block. Its content is undefined at
    first.
    """

    buffer: Buffer


class Declare(NamedTuple):
    """A register, with its first value."""

    register: Register
    value: Value


class Set(NamedTuple):
    """A register's next value. `how` ("add", "max", …) says that the new value is the old one
    combined with `value`, so that the order of combining is free for the vectoriser.
    """

    register: Register
    value: Value
    how: str | None = None


class For(NamedTuple):
    """start ≤ variable < stop in steps."""

    variable: Value
    start: Value
    stop: Value
    step: int
    body: list[Statement]
    note: str = ""


class If(NamedTuple):
    """One branch or the other."""

    condition: Value
    then: list[Statement]
    otherwise: list[Statement]


class Check(NamedTuple):
    """Where the condition is false, the program has failed: `code` says how, `details` with what.
    The kernel goes on.
    """

    condition: Value
    code: int
    details: tuple[Value, ...]


Statement = Let | Store | Local | Declare | Set | For | If | Check


class Kernel(NamedTuple):
    """What threads share: iterations [lo, hi) of `variable` in 0 … extent.

    cost    an estimate of the nanoseconds of one iteration: it decides how many are claimed at once
    """

    name: str
    buffers: tuple[Buffer, ...]
    variable: Value
    extent: int
    body: list[Statement]
    cost: float = 0.0


def blocks(statement: Statement) -> tuple[list[Statement], ...]:
    """The blocks inside a statement."""
    if isinstance(statement, For):
        return (statement.body,)
    if isinstance(statement, If):
        return (statement.then, statement.otherwise)
    return ()


def statements(block: list[Statement]) -> Iterator[Statement]:
    """Every statement, outer ones first."""
    for s in block:
        yield s
        for inner in blocks(s):
            yield from statements(inner)
