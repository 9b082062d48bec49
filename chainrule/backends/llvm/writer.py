"""What emitting needs at every step: names, types, constants and intrinsics of LLVM IR."""

from __future__ import annotations

import struct
from collections import Counter
from typing import Any

from chainrule.backends.llvm.target import Target
from chainrule.schedule.loops import FLOATS, Type, Value

#: How a kind is computed with, and how it lies in memory. Half-precision numbers are their bits.
COMPUTED = {
    "i1": "i1", "i8": "i8", "i16": "i16", "i32": "i32", "i64": "i64",
    "u8": "i8", "u16": "i16", "u32": "i32", "u64": "i64",
    "f16": "i16", "bf16": "i16", "f32": "float", "f64": "double",
}  # fmt: skip
MEMORY = COMPUTED | {"i1": "i8"}

#: What LLVM's intrinsics call the kinds that do not call themselves so.
INTEGERS = {k: v for k, v in COMPUTED.items() if v.startswith("i")}

BITS = {"i1": 1, "i8": 8, "i16": 16, "i32": 32, "i64": 64}
BITS |= {"u8": 8, "u16": 16, "u32": 32, "u64": 64, "f16": 16, "bf16": 16, "f32": 32, "f64": 64}


def llvm_type(t: Type) -> str:
    """`float`, `<8 x float>`."""
    return COMPUTED[t.kind] if t.lanes == 1 else f"<{t.lanes} x {COMPUTED[t.kind]}>"


def constant(number: Any, t: Type) -> str:
    """A number, in all lanes."""
    one = literal(number, t.kind)
    return one if t.lanes == 1 else f"splat ({COMPUTED[t.kind]} {one})"


def literal(number: Any, kind: str) -> str:
    """A number as LLVM reads it: floats by their bits, so that nothing is rounded on the way.

    >>> literal(0.1, "f32"), literal(0.1, "f64"), literal(1.5, "bf16"), literal(255, "u8")
    ('0x3FB99999A0000000', '0x3FB999999999999A', '16320', '-1')
    """
    if kind == "i1":
        return "true" if number else "false"
    if kind == "f64":
        return f"0x{_bits(float(number), '<d', '<Q'):016X}"
    if kind == "f32":
        return f"0x{_bits(single(number), '<d', '<Q'):016X}"
    if kind == "f16":
        return str(_half(float(number)))
    if kind == "bf16":
        word = _bits(single(number), "<f", "<I")
        if number != number:
            return str(word >> 16 | 0x40)
        return str((word + 0x7FFF + (word >> 16 & 1)) >> 16)
    bits = BITS[kind]
    number = int(number) % (1 << bits)
    return str(number - (1 << bits) if number >> (bits - 1) else number)


def single(number: float) -> float:
    """The nearest float32."""
    try:
        return float(struct.unpack("<f", struct.pack("<f", number))[0])
    except OverflowError:  # beyond the largest one, after rounding
        return float("inf") if number > 0 else float("-inf")


def _half(number: float) -> int:
    try:
        return _bits(number, "<e", "<H")
    except OverflowError:
        return 0x7C00 if number > 0 else 0xFC00


def _bits(number: float, packed: str, read: str) -> int:
    return int(struct.unpack(read, struct.pack(packed, number))[0])


class Writer:
    """A function's text so far, and what its values are called."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self.lines: list[str] = []
        self.slots: list[str] = []
        self.declarations: set[str] = set()
        self.names: dict[Value, str] = {}
        self.label = ""
        self._counts: Counter[str] = Counter()

    def line(self, text: str) -> None:
        self.lines.append("  " + text)

    def put(self, text: str, name: str | None = None) -> str:
        """An instruction with a result; gives the result's name."""
        if name is None:
            self._counts["t"] += 1
            name = f"%t{self._counts['t']}"
        self.lines.append(f"  {name} = {text}")
        return name

    def open(self, label: str) -> None:
        """The next block begins."""
        self.lines.append(f"{label}:")
        self.label = label

    def number(self, what: str) -> int:
        """0, 1, 2, … for each sort of label."""
        self._counts[what] += 1
        return self._counts[what] - 1

    def name(self, v: Value) -> str:
        """A new value's name."""
        self.names[v] = f"%v{self.number('v')}"
        return self.names[v]

    def operand(self, v: Value) -> str:
        """A value, as an operand."""
        return literal(v.number, v.type.kind) if v.is_const else self.names[v]

    def typed(self, v: Value) -> str:
        """A value with its type before it."""
        return f"{llvm_type(v.type)} {self.operand(v)}"

    def intrinsic(
        self, name: str, t: Type, *args: str, to: Type | None = None, more: str = ""
    ) -> str:
        """A call of llvm.NAME, overloaded by t, all of whose arguments have type t."""
        ll = llvm_type(t)
        result = ll if to is None else llvm_type(to)
        kind = INTEGERS.get(t.kind, t.kind)
        full = f"llvm.{name}." + (f"v{t.lanes}{kind}" if t.lanes > 1 else kind)
        extra = [more.split()[0]] if more else []
        self.declarations.add(f"declare {result} @{full}({', '.join([ll] * len(args) + extra)})")
        given = [f"{ll} {a}" for a in args] + ([more] if more else [])
        return self.put(f"call {result} @{full}({', '.join(given)})")

    def pick(self, t: Type, condition: str, yes: str, no: str) -> str:
        """Lane by lane."""
        ll, i1 = llvm_type(t), llvm_type(Type("i1", t.lanes))
        return self.put(f"select {i1} {condition}, {ll} {yes}, {ll} {no}")

    def lanes_of(self, t: Type, a: str, b: str, lanes: list[int]) -> str:
        """A shuffle."""
        ll, picked = llvm_type(t), ", ".join(f"i32 {i}" for i in lanes)
        return self.put(f"shufflevector {ll} {a}, {ll} {b}, <{len(lanes)} x i32> <{picked}>")

    def is_float(self, t: Type) -> bool:
        return t.kind in FLOATS
