"""Loops noted "unroll" are written out, one iteration after another.

    for %i in 0 .. 3 step 1 unroll:      %a = load 0 {@x} : f32
      %a = load %i {@x} : f32            set $r add= %a
      set $r add= %a                →    %b = load 1 {@x} : f32
                                         set $r add= %b
                                         %c = load 2 {@x} : f32
                                         set $r add= %c

The iterations are written by the Builder, so that what their numbers make constant is folded and
what is equal is found again. A loop stays as it is where its bounds are no constants, or where it
would become longer than `most` statements. Scratch memory of an iteration is one memory for all.
"""

from __future__ import annotations

from collections.abc import Iterable

from chainrule.schedule.build import Builder
from chainrule.schedule.loops import (
    BINARY,
    COMPARISONS,
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
    Value,
    statements,
)

#: Statements that an unrolled loop may have.
MOST = 4096


def unroll(kernel: Kernel, most: int = MOST) -> Kernel:
    """The kernel with its "unroll" loops written out."""
    if not any(isinstance(s, For) and s.note == "unroll" for s in statements(kernel.body)):
        return kernel
    return _Copy(kernel, most).kernel


class _Copy:
    """Writes a kernel again, with other values for the variables of loops."""

    def __init__(self, kernel: Kernel, most: int) -> None:
        self.b, self.most = Builder(), most
        self.values: dict[Value, Value] = {}
        self.memory: dict[Buffer, Buffer] = {}
        self.registers: dict[Register, Register] = {}
        for buffer in kernel.buffers:
            assert buffer.role != "local"
            made = self.b.buffer(buffer.name, buffer.kind, buffer.size, buffer.role)
            self.memory[buffer] = made
        with self.b.kernel(kernel.name, kernel.extent, kernel.cost) as variable:
            self.values[kernel.variable] = variable
            self.block(kernel.body)
        self.kernel = self.b.finish()

    def __call__(self, v: Value) -> Value:
        return self.b.const(v.number, v.type.kind) if v.is_const else self.values[v]

    def block(self, block: Iterable[Statement]) -> None:
        """Its statements, at the end of the block that is open."""
        b = self.b
        for s in block:
            match s:
                case Let(v):
                    self.values[v] = self.again(v)
                case Store(buffer, index, value, mask):
                    where = None if mask is None else self(mask)
                    b.store(self.memory[buffer], self(index), self(value), where)
                case Local(buffer):
                    self.memory[buffer] = b.local(buffer.kind, buffer.size)
                case Declare(register, value):
                    self.registers[register] = b.register(self(value))
                case Set(register, value, how):
                    b.set(self.registers[register], self(value), how)
                case For():
                    self.loop(s)
                case If(condition, then, otherwise):
                    self.branches(self(condition), then, otherwise)
                case Check(condition, code, details):
                    b.check(self(condition), code, *map(self, details))

    def loop(self, s: For) -> None:
        """The loop, or all of its iterations."""
        start, stop = self(s.start), self(s.stop)
        if s.note == "unroll" and start.is_const and stop.is_const:
            turns = range(start.number, stop.number, s.step)
            if len(turns) * sum(1 for _ in statements(s.body)) <= self.most:
                for i in turns:
                    self.values[s.variable] = self.b.const(i, "i64")
                    self.block(s.body)
                return
        with self.b.loop(start, stop, s.step, s.note) as variable:
            self.values[s.variable] = variable
            self.block(s.body)

    def branches(self, condition: Value, then: list[Statement], otherwise: list[Statement]) -> None:
        """Both; or one, where the condition has become known."""
        if condition.is_const:
            self.block(then if condition.number else otherwise)
            return
        with self.b.branch(condition):
            self.block(then)
        if otherwise:
            with self.b.branch(self.b.op("not", condition)):
                self.block(otherwise)

    def again(self, v: Value) -> Value:
        """A value of other operands."""
        b, args = self.b, [self(a) for a in v.args]
        if v.op in UNARY | BINARY | COMPARISONS | {"fma"}:
            return b.op(v.op, *args)
        match v.op:
            case "load":
                mask = args[1] if len(args) > 1 else None
                return b.load(self.memory[v.attrs[0]], args[0], v.type.lanes, mask)
            case "get":
                return b.get(self.registers[v.attrs[0]])
            case "select":
                return b.select(args[0], args[1], args[2])
            case "cast":
                return b.cast(args[0], v.attrs[0])
            case "bitcast":
                return b.bitcast(args[0], v.attrs[0])
            case "splat":
                return b.splat(args[0], v.attrs[0])
            case "ramp":
                return b.ramp(args[0], v.attrs[0])
            case "extract":
                return b.extract(args[0], v.attrs[0])
            case "shuffle":
                return b.shuffle(args[0], args[1], v.attrs)
        return b.reduce(args[0], v.attrs[0])
