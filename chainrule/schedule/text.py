"""Text form of kernels, both ways. The grammar stands in `chainrule.schedule.loops`.

>>> kernel = parse_kernel('''
... kernel total(@x: f32[64] in, @y: f32[8] out) over %0 in 8:
...   var $r0: f32 = 0.0:f32
...   %1 = mul %0 8:i64 : i64
...   for %2 in 0:i64 .. 8:i64 step 1 vector:
...     %3 = add %1 %2 : i64
...     %4 = load %3 {@x} : f32
...     set $r0 add= %4
...   %5 = get {$r0} : f32
...   store @y[%0] %5
... ''')
>>> kernel.extent, kernel.buffers
(8, (@x: f32[64] in, @y: f32[8] out))
>>> print_kernel(parse_kernel(print_kernel(kernel))) == print_kernel(kernel)
True
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from typing import Any

from chainrule.errors import GraphError
from chainrule.schedule.build import bounds_of, shared_bounds, variable_bounds
from chainrule.schedule.loops import (
    FLOATS,
    SIZE,
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


def print_kernel(kernel: Kernel) -> str:
    """The kernel as text; values are numbered in the order in which they are printed."""
    names = _Names()
    head = ", ".join(map(repr, kernel.buffers))
    cost = f" cost {kernel.cost!r}" if kernel.cost else ""
    first = f"kernel {kernel.name}({head}) over {names.new(kernel.variable)} in {kernel.extent}"
    rows = (row for _, row in _rows(kernel.body, names, "  "))
    return "\n".join([f"{first}{cost}:", *rows])


def print_statement(kernel: Kernel, statement: Statement) -> str:
    """The first line of a statement of a kernel, with the names that it has there."""
    names = _Names()
    names.new(kernel.variable)
    rows = (row for s, row in _rows(kernel.body, names, "") if s is statement)
    return next(rows).strip()


def print_number(number: Any, kind: str) -> str:
    """A constant without its kind: `true`, `-3`, `0.5`, `inf`, `-nan`."""
    if kind == "i1":
        return "true" if number else "false"
    if kind in FLOATS and math.isnan(number):
        return "-nan" if math.copysign(1, number) < 0 else "nan"
    return repr(float(number) if kind in FLOATS else int(number))


class _Names:
    """What values are called."""

    def __init__(self) -> None:
        self.known: dict[Value, str] = {}

    def new(self, v: Value) -> str:
        self.known[v] = f"%{len(self.known)}"
        return self.known[v]

    def __call__(self, v: Value) -> str:
        if v.is_const:
            return f"{print_number(v.number, v.type.kind)}:{v.type.kind}"
        return self.known.get(v, f"%undefined_{v.op}")  # printing must not fail: it finds faults


def _attribute(a: Any) -> str:
    if isinstance(a, Buffer):
        return f"@{a.name}"
    return f"${a.name}" if isinstance(a, Register) else str(a)


def _rows(block: list[Statement], names: _Names, space: str) -> Iterator[tuple[Statement, str]]:
    """Statements and their lines."""
    for s in block:
        match s:
            case Let(v):
                args = "".join(f" {names(a)}" for a in v.args)
                attrs = ", ".join(map(_attribute, v.attrs))
                right = f"{v.op}{args}" + (f" {{{attrs}}}" if attrs else "")
                yield s, f"{space}{names.new(v)} = {right} : {v.type}"
            case Store(buffer, index, value, mask):
                where = "" if mask is None else f" if {names(mask)}"
                yield s, f"{space}store @{buffer.name}[{names(index)}] {names(value)}{where}"
            case Local(buffer):
                yield s, f"{space}local @{buffer.name}: {buffer.kind}[{buffer.size}]"
            case Declare(register, value):
                yield s, f"{space}var {register!r} = {names(value)}"
            case Set(register, value, how):
                yield s, f"{space}set ${register.name} {how or ''}= {names(value)}"
            case For(variable, start, stop, step, body, note):
                span = f"{names(start)} .. {names(stop)} step {step}"
                head = f"{space}for {names.new(variable)} in {span}"
                yield s, f"{head} {note}:" if note else f"{head}:"
                yield from _rows(body, names, space + "  ")
            case If(condition, then, otherwise):
                yield s, f"{space}if {names(condition)}:"
                yield from _rows(then, names, space + "  ")
                if otherwise:
                    yield s, f"{space}else:"
                    yield from _rows(otherwise, names, space + "  ")
            case Check(condition, code, details):
                more = "".join(f" {names(d)}" for d in details)
                yield s, f"{space}check {names(condition)} or {code}{more}"


# ---------------------------------------------------------------------- reading

_HEAD = re.compile(r"kernel (\S+?)\((.*)\) over (%\d+) in (\d+)(?: cost (\S+))?:$")
_BUFFER = re.compile(r"@(\S+): (\w+)\[(\d+)\](?: (in|out|inout|number))?$")
_VALUE = re.compile(r"(%\d+) = (\w+)((?: [^ {]+)*?)(?: \{(.*)\})? : (\w+)$")
_STORE = re.compile(r"store @(\S+)\[(\S+)\] (\S+)(?: if (\S+))?$")
_LOCAL = re.compile(r"local (@.+)$")
_VAR = re.compile(r"var \$(\S+): (\w+) = (\S+)$")
_SET = re.compile(r"set \$(\S+) (\w*)= (\S+)$")
_FOR = re.compile(r"for (%\d+) in (\S+) \.\. (\S+) step (\d+)(?: ([^:]+))?:$")
_IF = re.compile(r"if (\S+):$")
_CHECK = re.compile(r"check (\S+) or (\d+)((?: \S+)*)$")
_TYPE = re.compile(r"([a-z]+\d+)(?:x(\d+))?$")


def parse_type(text: str) -> Type:
    """`f32`, `f32x8`."""
    m = _TYPE.match(text)
    if m is None or m[1] not in SIZE:
        raise GraphError(f"cannot read the type {text!r}: expected a kind of {', '.join(SIZE)}")
    return Type(m[1], int(m[2] or 1))


def parse_kernel(text: str) -> Kernel:
    """Read a printed kernel. Lines that are empty or begin with `#` are left out."""
    return _Reader(text).kernel()


class _Reader:
    def __init__(self, text: str) -> None:
        rows = [r.rstrip() for r in text.splitlines()]
        rows = [r for r in rows if r.strip() and not r.lstrip().startswith("#")]
        self.rows = [(len(r) - len(r.lstrip()), r.strip()) for r in rows]
        self.at = 0
        self.names: dict[str, Value] = {}
        self.consts: dict[str, Value] = {}
        self.buffers: dict[str, Buffer] = {}
        self.registers: dict[str, Register] = {}
        self.readers: list[tuple[re.Pattern[str], Callable[[re.Match[str], int], Statement]]] = [
            (_VALUE, self._let),
            (_STORE, self._store),
            (_LOCAL, self._local),
            (_VAR, self._var),
            (_SET, self._set),
            (_FOR, self._for),
            (_IF, self._if),
            (_CHECK, self._check),
        ]

    def kernel(self) -> Kernel:
        margin, row = self.rows[0] if self.rows else (0, "")
        m = _HEAD.match(row)
        if m is None:
            raise GraphError(f"expected 'kernel name(…) over %0 in extent:', got {row!r}")
        for part in m[2].split(", ") if m[2] else []:
            self._buffer(part)
        arguments, extent = tuple(self.buffers.values()), int(m[4])
        variable = self._variable(m[3], 1, shared_bounds(extent))
        self.at = 1
        body = self._block(margin, 1)
        if self.at < len(self.rows):
            raise GraphError(f"{self.rows[self.at][1]!r} stands outside the kernel")
        return Kernel(m[1], arguments, variable, extent, body, float(m[5] or 0))

    def _block(self, outside: int, depth: int) -> list[Statement]:
        """Statements that are indented further than `outside`, all alike."""
        block: list[Statement] = []
        if self.at == len(self.rows) or self.rows[self.at][0] <= outside:
            return block
        margin = self.rows[self.at][0]
        while self.at < len(self.rows) and self.rows[self.at][0] > outside:
            space, row = self.rows[self.at]
            if space != margin:
                raise GraphError(f"{row!r} is indented by {space} spaces, expected {margin}")
            self.at += 1
            block.append(self._statement(row, depth))
        return block

    def _statement(self, row: str, depth: int) -> Statement:
        for pattern, read in self.readers:
            m = pattern.match(row)
            if m is not None:
                return read(m, depth)
        raise GraphError(f"cannot read {row!r}: no statement of the Loop IR looks like this")

    # ------------------------------------------------------------------ names

    def _variable(self, name: str, depth: int, bounds: tuple[int, int] | None) -> Value:
        return self._name(name, Value("variable", (), (), Type("i64"), depth, bounds))

    def _name(self, name: str, value: Value) -> Value:
        if name in self.names:
            raise GraphError(f"{name} is defined twice")
        self.names[name] = value
        return value

    def _operand(self, text: str) -> Value:
        if text.startswith("%"):
            if text not in self.names:
                raise GraphError(f"{text} is used before its definition")
            return self.names[text]
        if text not in self.consts:
            self.consts[text] = _const(text)
        return self.consts[text]

    def _memory(self, name: str) -> Buffer:
        if name not in self.buffers:
            raise GraphError(f"no buffer @{name}: there are {', '.join(self.buffers) or 'none'}")
        return self.buffers[name]

    def _register(self, name: str) -> Register:
        if name not in self.registers:
            raise GraphError(f"no register ${name}: declare it first with 'var ${name}: … = …'")
        return self.registers[name]

    def _buffer(self, text: str) -> Buffer:
        m = _BUFFER.match(text)
        if m is None or m[2] not in SIZE:
            raise GraphError(f"cannot read the buffer {text!r}: expected '@name: kind[size] role'")
        role: Any = m[4] or "local"
        self.buffers[m[1]] = Buffer(m[1], m[2], int(m[3]), role)
        return self.buffers[m[1]]

    # ------------------------------------------------------------------ statements

    def _attribute(self, text: str) -> Any:
        if text.startswith("@"):
            return self._memory(text[1:])
        if text.startswith("$"):
            return self._register(text[1:])
        return int(text) if text.lstrip("-").isdigit() else text

    def _let(self, m: re.Match[str], depth: int) -> Statement:
        name, op = m[1], m[2]
        args = tuple(map(self._operand, m[3].split()))
        attrs = tuple(map(self._attribute, m[4].split(", "))) if m[4] else ()
        bounds = bounds_of(op, args, attrs)
        return Let(self._name(name, Value(op, args, attrs, parse_type(m[5]), depth, bounds)))

    def _store(self, m: re.Match[str], depth: int) -> Statement:
        mask = None if m[4] is None else self._operand(m[4])
        return Store(self._memory(m[1]), self._operand(m[2]), self._operand(m[3]), mask)

    def _local(self, m: re.Match[str], depth: int) -> Statement:
        return Local(self._buffer(m[1]))

    def _var(self, m: re.Match[str], depth: int) -> Statement:
        value = self._operand(m[3])
        self.registers[m[1]] = Register(m[1], parse_type(m[2]))
        return Declare(self.registers[m[1]], value)

    def _set(self, m: re.Match[str], depth: int) -> Statement:
        return Set(self._register(m[1]), self._operand(m[3]), m[2] or None)

    def _for(self, m: re.Match[str], depth: int) -> Statement:
        start, stop = self._operand(m[2]), self._operand(m[3])
        variable = self._variable(m[1], depth + 1, variable_bounds(start, stop))
        margin = self.rows[self.at - 1][0]
        return For(variable, start, stop, int(m[4]), self._block(margin, depth + 1), m[5] or "")

    def _if(self, m: re.Match[str], depth: int) -> Statement:
        condition, margin = self._operand(m[1]), self.rows[self.at - 1][0]
        then = self._block(margin, depth + 1)
        otherwise: list[Statement] = []
        if self.at < len(self.rows) and self.rows[self.at] == (margin, "else:"):
            self.at += 1
            otherwise = self._block(margin, depth + 1)
        return If(condition, then, otherwise)

    def _check(self, m: re.Match[str], depth: int) -> Statement:
        return Check(self._operand(m[1]), int(m[2]), tuple(map(self._operand, m[3].split())))


def _const(text: str) -> Value:
    number, _, kind = text.rpartition(":")
    try:
        read: Any = _BOOLS[number] if kind == "i1" else (float if kind in FLOATS else int)(number)
    except (KeyError, ValueError):
        raise GraphError(f"cannot read {text!r}: expected %name or number:kind") from None
    if kind not in SIZE:
        raise GraphError(f"{text!r}: no kind {kind!r}")
    bounds = None if kind in FLOATS else (read, read)
    return Value("const", (), (read,), Type(kind), 0, bounds)


_BOOLS = {"true": True, "false": False}
