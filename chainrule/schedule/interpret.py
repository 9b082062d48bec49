"""What a kernel means, in NumPy: slow, plain, one statement at a time. Machine code is right when
it agrees.

>>> import numpy as np
>>> from chainrule.schedule.text import parse_kernel
>>> kernel = parse_kernel('''
... kernel halves(@x: f32[4] in, @y: f32[4] out) over %0 in 1:
...   %1 = load 0:i64 {@x} : f32x4
...   %2 = splat 0.5:f32 {4} : f32x4
...   %3 = mul %1 %2 : f32x4
...   store @y[0:i64] %3
... ''')
>>> x, y = np.arange(4, dtype=np.float32), np.zeros(4, np.float32)
>>> interpret(kernel, {"x": x, "y": y})
>>> y
array([0. , 0.5, 1. , 1.5], dtype=float32)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any

import numpy as np

from chainrule import dtypes
from chainrule.errors import GraphError
from chainrule.schedule.loops import (
    BINARY,
    COMPARISONS,
    FLOATS,
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
)


def numpy_kind(kind: str) -> np.dtype[Any]:
    """NumPy's type of a kind, as it lies in memory."""
    if kind == "i1":
        return np.dtype(np.bool_)
    return dtypes.bfloat16.np if kind == "bf16" else np.dtype(f"{kind[0]}{int(kind[1:]) // 8}")


def interpret(
    kernel: Kernel, arrays: Mapping[str, np.ndarray | int], lo: int = 0, hi: int | None = None
) -> tuple[Any, ...] | None:
    """Run iterations [lo, hi), writing into `arrays`: by the names of the buffers, contiguous, of
    the buffer's kind and size; integers for buffers with the role "number".

    Gives code and details of the first check that failed. Raises `GraphError` where a kernel
    touches memory outside its buffers, or a value is outside its bounds.
    """
    machine = _Machine(kernel, arrays)
    with np.errstate(all="ignore"):
        for i in range(lo, kernel.extent if hi is None else hi):
            machine.values[kernel.variable] = np.array([i])
            machine.block(kernel.body)
    return machine.failure


class _Machine:
    """Memory, registers and values. A number is an array of one lane."""

    def __init__(self, kernel: Kernel, arrays: Mapping[str, np.ndarray | int]) -> None:
        self.memory: dict[Buffer, np.ndarray] = {}
        self.registers: dict[Register, np.ndarray] = {}
        self.values: dict[Value, np.ndarray] = {}
        self.failure: tuple[Any, ...] | None = None
        for b in kernel.buffers:
            kind, given = numpy_kind(b.kind), arrays[b.name]
            if b.role == "number":
                self.memory[b] = np.array([given]).astype(kind)
                continue
            if not isinstance(given, np.ndarray) or not given.flags.c_contiguous:
                raise GraphError(f"{b}: expected a contiguous array")
            if given.dtype != kind or b.size not in (0, given.size):
                raise GraphError(f"{b}: expected {kind}[{b.size}], got {given.dtype}[{given.size}]")
            self.memory[b] = given.reshape(-1)

    def __call__(self, v: Value) -> np.ndarray:
        if v.is_const:
            return np.array([v.number]).astype(numpy_kind(v.type.kind))
        return self.values[v]

    def one(self, v: Value) -> Any:
        """A number."""
        return self(v)[0]

    def block(self, block: list[Statement]) -> None:
        for s in block:
            match s:
                case Let(v):
                    self.values[v] = self.let(v)
                case Store():
                    self.store(s)
                case Local(b):
                    garbage = np.full(b.bytes, 0xAB, np.uint8)
                    self.memory[b] = garbage.view(numpy_kind(b.kind)).copy()
                case Declare(register, value):
                    self.registers[register] = self(value)
                case Set(register, value, how):
                    new, old = self(value), self.registers[register]
                    self.registers[register] = new if how is None else binary(how, old, new)
                case For(variable, start, stop, step, body):
                    for i in range(self.one(start), self.one(stop), step):
                        self.values[variable] = np.array([i])
                        self.block(body)
                case If(condition, then, otherwise):
                    self.block(then if self.one(condition) else otherwise)
                case Check(condition, code, details):
                    if self.failure is None and not self(condition).all():
                        lane = int(self(condition).argmin())
                        found = [self(d)[lane if d.type.lanes > 1 else 0] for d in details]
                        self.failure = (code, *(f.item() for f in found))

    def let(self, v: Value) -> np.ndarray:
        if v.op == "load":
            found = self.load(v)
        elif v.op == "get":
            found = self.registers[v.attrs[0]]
        else:
            found = operation(v, [self(a) for a in v.args])
        if found.shape != (v.type.lanes,) or found.dtype != numpy_kind(v.type.kind):
            raise GraphError(f"{v} is of type {found.dtype}x{found.size}")
        if v.bounds is not None and not (v.bounds[0] <= found.min() and found.max() <= v.bounds[1]):
            raise GraphError(f"{v} is {found}, outside its bounds {v.bounds}")
        return found

    def places(self, b: Buffer, index: Value, lanes: int, mask: Value | None) -> Any:
        """Where each lane lies, and which lanes are on."""
        at = self(index).astype(np.int64)
        if at.size < lanes:
            at = at + np.arange(lanes)
        on = np.ones(lanes, bool) if mask is None else self(mask)
        inside = (at >= 0) & (at < self.memory[b].size)
        if not inside[on].all():
            raise GraphError(f"{b} is touched at {at[on & ~inside]}")
        return at, on

    def load(self, v: Value) -> np.ndarray:
        b, index, mask = v.attrs[0], v.args[0], v.args[1] if len(v.args) > 1 else None
        at, on = self.places(b, index, v.type.lanes, mask)
        found = np.zeros(v.type.lanes, numpy_kind(b.kind))
        found[on] = self.memory[b][at[on]]
        return found

    def store(self, s: Store) -> None:
        value = self(s.value)
        at, on = self.places(s.buffer, s.index, value.size, s.mask)
        for place, x in zip(at[on], value[on], strict=True):  # of equal places the last one wins
            self.memory[s.buffer][place] = x


# ---------------------------------------------------------------------- operations


def operation(v: Value, args: list[np.ndarray]) -> np.ndarray:
    """One operation on lanes."""
    if v.op in BINARY:
        return binary(v.op, args[0], args[1])
    if v.op in COMPARISONS:
        return np.asarray(_COMPARE[v.op](args[0], args[1]))
    if v.op not in _OPERATIONS:
        raise GraphError(f"the Loop IR has no operation {v.op!r}")
    return _OPERATIONS[v.op](v, *args)


def binary(op: str, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """`a op b`: both of one kind, and so is the result."""
    if op in ("div", "rem"):
        return np.divide(a, b) if a.dtype.kind == "f" else _divide(op, a, b)
    return np.asarray(_BINARY[op](a, b))


def _divide(op: str, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Integers, toward zero; by 0: 0. The least one divided by −1 wraps around to itself."""
    safe = np.where(b == 0, b.dtype.type(1), b)
    quotient = a // safe
    inexact = (quotient * safe != a) & ((a < 0) != (safe < 0))
    quotient = quotient + inexact.astype(a.dtype)
    if op == "rem":
        return np.where(b == 0, a.dtype.type(0), a - quotient * safe)
    return np.where(b == 0, a.dtype.type(0), quotient)


_BINARY: dict[str, Callable[..., Any]] = {
    "add": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "min": np.minimum,
    "max": np.maximum,
    "and": np.bitwise_and,
    "or": np.bitwise_or,
    "xor": np.bitwise_xor,
    "shl": np.left_shift,
    "shr": np.right_shift,
}
_COMPARE: dict[str, Callable[..., Any]] = {
    "eq": np.equal,
    "ne": np.not_equal,
    "lt": np.less,
    "le": np.less_equal,
    "gt": np.greater,
    "ge": np.greater_equal,
}


def _fma(v: Value, a: np.ndarray, b: np.ndarray, c: np.ndarray) -> np.ndarray:
    """a · b + c, rounded once."""
    plain = a * b + c  # right where something is not finite, and for the signs of zeros
    finite = np.isfinite(a) & np.isfinite(b) & np.isfinite(c)
    found = plain.copy()
    for i in np.flatnonzero(finite):
        exact = Fraction(float(a[i])) * Fraction(float(b[i])) + Fraction(float(c[i]))
        if exact:
            found[i] = _nearest(exact, a.dtype)
        elif np.isnan(plain[i]):  # a · b was too large on the way
            found[i] = 0
    return found


def _nearest(exact: Fraction, dtype: np.dtype[Any]) -> Any:
    """The float nearest to a fraction, ties to even."""
    info = np.finfo(dtype)
    size, bits = abs(exact), info.nmant + 1
    # 2^e ≤ size < 2^(e + 1); the last place that the float has there
    e = size.numerator.bit_length() - size.denominator.bit_length()
    e -= Fraction(2) ** e > size
    last = Fraction(2) ** max(e - bits + 1, int(info.minexp) - bits + 1)
    whole = round(size / last)  # Python rounds ties to even
    value = whole * last
    number = float(value) if value <= Fraction(float(info.max)) else float("inf")
    return dtype.type(number if exact > 0 else -number)


def cast(x: np.ndarray, to: str) -> np.ndarray:
    """Numbers of one kind as another (see `chainrule.backends.llvm.casts`)."""
    into = numpy_kind(to)
    if to == "i1":
        return np.asarray(x != 0)
    floats = x.dtype.kind not in "biu"
    if to in ("f16", "bf16") and (not floats or to == "bf16"):
        return x.astype(np.float32).astype(into)
    if to in FLOATS or not floats:
        return x.astype(into)
    wide = x.astype(np.float64)
    if to == "u64":
        high = _to_signed(wide - 2.0**63, "i64") ^ np.int64(-(2**63))
        return np.where(wide >= 2.0**63, high, _to_signed(wide, "i64")).view(into)
    through = to if to in ("i32", "i64") else "i64" if to == "u32" else "i32"
    return _to_signed(wide, through).astype(into)


def _to_signed(x: np.ndarray, to: str) -> np.ndarray:
    """Toward zero; the least integer for NaN and for what does not fit."""
    half, into = 2.0 ** (int(to[1:]) - 1), numpy_kind(to)
    inside = (x > -half - 1) & (x < half)
    return np.where(inside, np.where(inside, x, 0).astype(into), into.type(-half))


def _whole(f: Callable[..., Any]) -> Callable[..., np.ndarray]:
    return lambda v, x: np.asarray(f(x)) if x.dtype.kind == "f" else x


def _reduce(v: Value, x: np.ndarray) -> np.ndarray:
    while x.size > 1:
        half = x.size // 2
        x = binary(v.attrs[0], x[:half], x[half:])
    return x


_OPERATIONS: dict[str, Callable[..., np.ndarray]] = {
    "neg": lambda v, x: np.negative(x),
    "abs": lambda v, x: np.abs(x),
    "sqrt": lambda v, x: np.sqrt(x),
    "not": lambda v, x: np.invert(x),
    "floor": _whole(np.floor),
    "ceil": _whole(np.ceil),
    "trunc": _whole(np.trunc),
    "rint": _whole(np.rint),
    "fma": _fma,
    "select": lambda v, c, a, b: np.asarray(np.where(c, a, b)),
    "cast": lambda v, x: cast(x, v.attrs[0]),
    "bitcast": lambda v, x: x.view(numpy_kind(v.attrs[0])),
    "splat": lambda v, x: np.repeat(x, v.attrs[0]),
    "ramp": lambda v, x: x + np.arange(v.attrs[0]).astype(x.dtype),
    "extract": lambda v, x: x[v.attrs[0] : v.attrs[0] + 1],
    "shuffle": lambda v, a, b: np.concatenate([a, b])[list(v.attrs)],
    "reduce": _reduce,
}
