"""Several iterations of a loop at once: what each scalar value becomes as lanes of vectors.

`Lanes` holds what is known of W neighbouring iterations while a block is written for them. A value
of the scalar block is there in one of three forms, and the rules below keep the cheapest:

    uniform     one number for all lanes                       a scalar
    linear      value + stride · lane (indices)                a scalar, and the stride
    vector      anything else                                  a vector; an i64 that is known to fit
                                                               is held in i32

    x[8·i + j]  with lanes along j:   8·i + j is linear with stride 1    →  one load of W neighbours
    x[j / 64]   j a multiple of W:    all lanes have the same quotient   →  one number
    x[j / 50]   j / 50 + (0 or 1):    two quotients, compared, not divided  →  gather
    j < n       →  lane < n − j: one comparison of 32-bit lane numbers
"""

from __future__ import annotations

import math
from typing import NamedTuple

from chainrule.schedule.build import Builder, decided
from chainrule.schedule.loops import (
    COMPARISONS,
    FLOATS,
    SIZE,
    Buffer,
    Check,
    Register,
    Store,
    Value,
)

#: Integers whose every value an i32 holds.
_NARROW = frozenset({"i1", "i8", "i16", "u8", "u16", "i32"})
#: The lowest 32 bits of the result depend on those of the operands only.
_MODULAR = frozenset({"add", "sub", "mul", "neg", "select"})
#: Loads that are so far apart are read as neighbours and sorted out, instead of gathered.
_NEAR = 4


class Form(NamedTuple):
    """Lane l has `value + stride · l`; with stride None, `value` is a vector."""

    value: Value
    stride: int | None = 0

    @property
    def uniform(self) -> bool:
        return self.stride == 0


class Memory(NamedTuple):
    """A buffer; scratch memory of an iteration stands `copies` times in it, lane by lane."""

    buffer: Buffer
    copies: int = 1


def fits(v: Value) -> bool:
    """Whether an index fits into 32 bits."""
    return v.bounds is not None and v.bounds[0] >= -(2**31) and v.bounds[1] < 2**31


class Lanes:
    """Writes values for `lanes` iterations at once; with one lane it copies.

    mask    lanes that run, of all W; None: all. It guards memory and what leaves the loop
    branch  lanes that run, of those that came to the loop: it guards registers inside
    """

    def __init__(self, b: Builder, lanes: int, vector_bytes: int) -> None:
        self.b, self.lanes, self.vector_bytes = b, lanes, vector_bytes
        self.forms: dict[Value, Form] = {}
        self.memory: dict[Buffer, Memory] = {}
        self.registers: dict[Register, Register] = {}
        #: Loop variables are known to be `residue` modulo `modulus`.
        self.residues: dict[Value, tuple[int, int]] = {}
        self.mask: Value | None = None
        self.branch: Value | None = None

    def inside(self, lanes: int, mask: Value | None) -> Lanes:
        """The same, for more lanes."""
        made = Lanes(self.b, lanes, self.vector_bytes)
        made.forms, made.memory = dict(self.forms), dict(self.memory)
        made.registers, made.residues, made.mask = dict(self.registers), self.residues, mask
        return made

    # ------------------------------------------------------------------ forms

    def form(self, v: Value) -> Form:
        """What became of a scalar value."""
        if v.is_const:
            return Form(self.b.const(v.number, v.type.kind))
        return self.forms[v]

    def scalar(self, v: Value) -> Value:
        """A value that is the same in all lanes."""
        found = self.form(v)
        assert found.uniform
        return found.value

    def numbers(self, first: int = 0, stride: int = 1) -> Value:
        """first + stride · lane, in 32 bits."""
        b = self.b
        ramp = b.ramp(b.const(0 if stride != 1 else first, "i32"), self.lanes)
        if stride != 1:
            ramp = b.op("add", b.op("mul", ramp, stride), first)
        return ramp

    def vector(self, f: Form, kind: str) -> Value:
        """A form as a vector of that kind."""
        b, value = self.b, f.value
        if f.stride is None:
            return b.cast(value, kind)
        if f.uniform:
            return b.splat(b.cast(value, kind), self.lanes)
        value = b.cast(value, kind)
        if f.stride == 1:
            return b.ramp(value, self.lanes)
        steps = b.op("mul", b.ramp(b.const(0, kind), self.lanes), f.stride)
        return b.op("add", value, steps)

    def _and(self, *masks: Value | None) -> Value | None:
        known = [m for m in masks if m is not None]
        if not known:
            return None
        whole = known[0]
        for m in known[1:]:
            whole = self.b.op("and", whole, m)
        return whole

    def own(self, mask: Value | None) -> Value | None:
        """A mask of the scalar block as a vector, and the lanes that run."""
        if mask is None:
            return self.mask
        return self._and(self.mask, self.vector(self.form(mask), "i1"))

    def any(self, mask: Value) -> Value:
        """Whether one lane has it."""
        return self.b.reduce(mask, "or")

    def residue(self, x: Value) -> tuple[int, int]:
        """(modulus, residue) of a number; modulus 0: it is the residue."""
        if x.is_const:
            return 0, int(x.number)
        if x.op == "variable":
            return self.residues.get(x, (1, 0))
        if x.op not in ("add", "sub", "mul", "div"):
            return 1, 0
        (m, r), (n, s) = map(self.residue, x.args)
        if x.op == "mul":
            m, r = math.gcd(m * n, m * s, n * r), r * s
        elif x.op == "div":
            exact = n == 0 and s > 0 and m % s == 0 and r % s == 0
            m, r = (m // s, r // s) if exact else (1, 0)
        else:
            m, r = math.gcd(m, n), r + s if x.op == "add" else r - s
        return (m, r % m) if m else (0, r)

    # ------------------------------------------------------------------ values

    def let(self, v: Value) -> None:
        """Write a value of the scalar block."""
        self.forms[v] = self._let(v)

    def _let(self, v: Value) -> Form:
        if v.op == "load":
            return self._load(v)
        if v.op == "get":
            register = self.registers[v.attrs[0]]
            vector = self.lanes > 1 and register.type.lanes == self.lanes
            return Form(self.b.get(register), None if vector else 0)
        forms = [self.form(a) for a in v.args]
        if all(f.uniform for f in forms):
            return Form(self._again(v, [f.value for f in forms]))
        return self._linear(v, forms) or Form(self._vector(v, forms), None)

    def _again(self, v: Value, args: list[Value]) -> Value:
        """The same operation on other operands."""
        b = self.b
        match v.op:
            case "select":
                value = b.select(*args)
            case "cast":
                value = b.cast(args[0], v.attrs[0])
            case "bitcast":
                value = b.bitcast(args[0], v.attrs[0])
            case "splat":
                value = b.splat(args[0], v.attrs[0])
            case "ramp":
                value = b.ramp(args[0], v.attrs[0])
            case "extract":
                value = b.extract(args[0], v.attrs[0])
            case "shuffle":
                value = b.shuffle(args[0], args[1], v.attrs)
            case "reduce":
                value = b.reduce(args[0], v.attrs[0])
            case _:
                value = b.op(v.op, *args)
        if value.bounds is None and v.type == value.type:
            value.bounds = v.bounds
        return value

    def _linear(self, v: Value, forms: list[Form]) -> Form | None:
        """Indices that move evenly with the lanes."""
        b = self.b
        strides = [f.stride for f in forms]
        values = [f.value for f in forms]
        if v.op in COMPARISONS and all(a.type.kind == "i64" for a in v.args):
            return self._compared(v, forms)
        if v.type.kind != "i64" or v.op == "cast" or None in strides:
            return None
        if v.op == "neg":
            return Form(b.op("neg", values[0]), -(strides[0] or 0))
        if v.op == "select":
            same = strides[0] == 0 and strides[1] == strides[2]
            return Form(b.select(*values), strides[1]) if same else None
        if len(forms) != 2:
            return None
        s, t = (stride or 0 for stride in strides)
        x, y = values
        if v.op in ("add", "sub"):
            return Form(b.op(v.op, x, y), s + t if v.op == "add" else s - t)
        if v.op == "mul":  # x and y are lane 0's: one that moves is no constant
            if t == 0 and y.is_const:
                return Form(b.mul(x, y), s * int(y.number))
            return Form(b.mul(x, y), t * int(x.number)) if s == 0 and x.is_const else None
        if v.op in ("min", "max") and s == t:
            return Form(b.op(v.op, x, y), s)
        if v.op in ("div", "rem") and t == 0 and y.is_const:
            return self._divided(v, x, s, int(y.number))
        return None

    def _divided(self, v: Value, x: Value, stride: int, d: int) -> Form | None:
        """Quotient or remainder of x + stride · lane by d."""
        b, quotient = self.b, v.op == "div"
        bounds = v.args[0].bounds
        if d <= 0 or bounds is None or bounds[0] < 0:
            return None
        if stride % d == 0:
            return Form(b.div(x, d), stride // d) if quotient else Form(b.op("rem", x, d))
        m, r = self.residue(x)
        g = math.gcd(m, d)
        first = min(0, stride * (self.lanes - 1))
        last = max(0, stride * (self.lanes - 1))
        if r % g + first >= 0 and r % g + last < g:  # all lanes in one row of length d
            return Form(b.div(x, d)) if quotient else Form(b.op("rem", x, d), stride)
        if stride < 0 or last >= d or not fits(v.args[0]):
            return None
        at = b.op("rem", x, d)  # the lanes lie in two rows
        place = self.vector(Form(at, stride), "i32")
        over = b.op("ge", place, d)
        if quotient:
            row = b.div(x, d)
            return Form(b.select(over, *(b.cast(r, "i32") for r in (b.add(row, 1), row))), None)
        return Form(b.select(over, b.sub(place, d), place), None)

    def _compared(self, v: Value, forms: list[Form]) -> Form | None:
        """x + s · lane < y  as  s · lane < y − x, in 32 bits."""
        b, (x, y) = self.b, forms
        if x.stride is None or y.stride is None or any(a.bounds is None for a in v.args):
            return None
        stride, far = x.stride - y.stride, b.sub(y.value, x.value)
        ends = 0, stride * (self.lanes - 1)
        low, high = min(ends), max(ends)
        if far.bounds is None or high >= 2**31 - 1 or low <= -(2**31):
            return None
        known = decided(v.op, (low, high), far.bounds)
        if known is not None:
            return Form(b.const(known, "i1"))
        if stride == 0:
            return Form(b.op(v.op, x.value, y.value))
        if not fits(far):
            far = b.op("max", b.op("min", far, high + 1), low - 1)
        return Form(b.op(v.op, self.numbers(0, stride), b.cast(far, "i32")), None)

    def _vector(self, v: Value, forms: list[Form]) -> Value:
        b = self.b
        if v.op == "cast":
            return self._cast(v, forms[0])
        if v.op == "bitcast":
            return b.bitcast(self.vector(forms[0], v.args[0].type.kind), v.attrs[0])
        narrow = self._narrow(v, forms)
        args = []
        for a, f in zip(v.args, forms, strict=True):
            kind = "i32" if narrow and a.type.kind == "i64" else a.type.kind
            args.append(self.vector(f, kind))
        if v.op == "select":
            return b.select(*args)
        if v.op in ("div", "rem") and v.args[1].type.kind not in FLOATS:
            divisor = forms[1].value
            if self.mask is not None and not divisor.is_const:  # nobody asks for those lanes
                args[1] = b.select(self.mask, args[1], b.const(1, args[1].type.kind))
        return b.op(v.op, *args)

    def _narrow(self, v: Value, forms: list[Form]) -> bool:
        """Whether an operation on i64 may be done in i32."""
        if v.op in _MODULAR:
            return v.type.kind == "i64" and fits(v)
        held = (
            a.type.kind != "i64" or fits(a) or f.value.type.kind == "i32"
            for a, f in zip(v.args, forms, strict=True)
        )  # fmt: skip
        if v.op in ("div", "rem") and not forms[1].value.is_const:
            return False  # the least i32 divided by −1 is no i32
        return v.op not in ("shl", "abs") and all(held)

    def _cast(self, v: Value, f: Form) -> Value:
        (x,), to = v.args, v.attrs[0]
        kind = x.type.kind
        if kind == "i64" and fits(x):
            kind = "i32"
        if f.stride is None:
            kind = f.value.type.kind  # narrow already, or as it is
        if to == "i64" and kind in _NARROW:
            to = "i32"
        return self.b.cast(self.vector(f, kind), to)

    # ------------------------------------------------------------------ memory

    @property
    def gathers(self) -> bool:
        """Whether the processor gathers as fast as it loads one by one, and with masks."""
        return self.vector_bytes >= 64

    def masks(self, kind: str) -> bool:
        """Whether it has masked loads of a kind."""
        return self.gathers or (self.vector_bytes >= 32 and SIZE[kind] >= 4)

    def _place(self, memory: Memory, f: Form) -> Form:
        """Where the elements of all lanes are."""
        if memory.copies == 1:
            return f
        b = self.b
        if f.stride is not None:
            return Form(b.mul(f.value, memory.copies), f.stride * memory.copies + 1)
        wide = b.mul(self.vector(f, "i64"), memory.copies)
        return Form(b.add(wide, b.ramp(0, self.lanes)), None)

    def _load(self, v: Value) -> Form:
        b, memory = self.b, self.memory[v.attrs[0]]
        buffer, at = memory.buffer, self._place(memory, self.form(v.args[0]))
        given = v.args[1] if len(v.args) > 1 else None
        if at.uniform:
            if given is None or self.form(given).uniform:
                one = None if given is None else self.scalar(given)
                return Form(b.load(buffer, at.value, v.type.lanes, one))
            mask = self.own(given)
            assert mask is not None
            one = b.load(buffer, at.value, 1, self.any(mask))
            return Form(b.select(mask, b.splat(one, self.lanes), b.const(0, buffer.kind)), None)
        narrow = memory.copies == 1 and fits(v.args[0])
        span = (self.lanes - 1) * abs(at.stride or 0)
        if given is None or not self.form(given).uniform or buffer.size <= span:
            return Form(self._read(buffer, at, self.own(given), narrow), None)
        if at.stride is None:
            return Form(self._read(buffer, at, self.own(given), narrow), None)
        one = self.scalar(given)  # all lanes or none: then the first elements are read instead
        first = b.select(one, at.value, 0 if at.stride > 0 else span)
        found = self._read(buffer, Form(first, at.stride), self.mask, narrow)
        return Form(b.select(one, found, b.const(0, buffer.kind)), None)

    def _read(self, buffer: Buffer, at: Form, mask: Value | None, narrow: bool) -> Value:
        """An element for each lane; `narrow`: the indices fit into 32 bits."""
        b, stride = self.b, at.stride
        able = mask is None or self.masks(buffer.kind)
        if stride == 1 and able:
            return self._neighbours(buffer, at.value, mask)
        if stride == -1 and able:
            turned = None if mask is None else self._turned(mask)
            first = b.sub(at.value, self.lanes - 1)
            return self._turned(self._neighbours(buffer, first, turned))
        if stride is not None and 1 < stride <= min(_NEAR, self.lanes) and able:
            return self._strided(buffer, at.value, stride, mask)
        if stride is not None and mask is None and not self.gathers:
            return self._picked(buffer, at.value, stride)
        places = b.cast(self.vector(at, "i32" if narrow else "i64"), "i64")
        if mask is None or self.gathers:
            return b.load(buffer, places, self.lanes, mask)
        found = b.load(buffer, b.select(mask, places, 0), self.lanes)  # one read is no branch
        return b.select(mask, found, b.const(0, buffer.kind))

    def _neighbours(self, buffer: Buffer, at: Value, mask: Value | None) -> Value:
        """As many elements as there are lanes. LLVM 22 mixes up masked loads that it has to split
        itself (half of the mask constant, AVX2): each is of one register.
        """
        b, n = self.b, self.lanes
        most = self.vector_bytes // SIZE[buffer.kind]
        if mask is None or n <= most:
            return b.load(buffer, at, n, mask)
        parts = []
        for first in range(0, n, most):
            part = b.shuffle(mask, mask, tuple(range(first, first + most)))
            parts.append(b.load(buffer, b.add(at, first), most, part))
        while len(parts) > 1:
            both = tuple(range(2 * parts[0].type.lanes))
            parts = [b.shuffle(x, y, both) for x, y in zip(parts[::2], parts[1::2], strict=True)]
        return parts[0]

    def _picked(self, buffer: Buffer, at: Value, stride: int) -> Value:
        """Every stride-th element, one by one: each is read into all lanes, and kept in its own."""
        b, n = self.b, self.lanes
        found = b.splat(b.load(buffer, at), n)
        for lane in range(1, n):
            new = b.splat(b.load(buffer, b.add(at, lane * stride)), n)
            found = b.shuffle(found, new, tuple(n + k if k >= lane else k for k in range(n)))
        return found

    def _turned(self, x: Value) -> Value:
        return self.b.shuffle(x, x, tuple(reversed(range(self.lanes))))

    def _strided(self, buffer: Buffer, at: Value, stride: int, mask: Value | None) -> Value:
        """Every stride-th element: neighbours are read, none beyond the last, and sorted out."""
        b, n = self.b, self.lanes
        firsts = [k * n for k in range(stride - 1)] + [(stride - 1) * (n - 1)]
        part = [min(stride * lane // n, stride - 1) for lane in range(n)]
        parts = []
        for k, first in enumerate(firsts):
            wanted = None
            if mask is not None:
                lanes = [divmod(first + q, stride) for q in range(n)]
                used = tuple(lane if not r and part[lane] == k else n for lane, r in lanes)
                wanted = b.shuffle(mask, b.const(False, "i1", n), used)
            parts.append(self._neighbours(buffer, b.add(at, first), wanted))
        found = parts[0]
        for k in range(1, stride):
            kept = [stride * lane if k == 1 and part[lane] == 0 else lane for lane in range(n)]
            new = [n + stride * lane - firsts[k] for lane in range(n)]
            order = tuple(new[lane] if part[lane] == k else kept[lane] for lane in range(n))
            found = b.shuffle(found, parts[k], order)
        return found

    def store(self, s: Store) -> None:
        """Write a store of the scalar block."""
        b, memory = self.b, self.memory[s.buffer]
        at, value = self._place(memory, self.form(s.index)), self.form(s.value)
        if at.uniform:
            mask = None if s.mask is None else self.form(s.mask)
            if mask is not None and not mask.uniform:
                every = self.own(s.mask)
                assert every is not None
                mask = Form(self.any(every))
            b.store(memory.buffer, at.value, value.value, None if mask is None else mask.value)
            return
        mask_, what = self.own(s.mask), self.vector(value, memory.buffer.kind)
        if at.stride == 1:
            b.store(memory.buffer, at.value, what, mask_)
        elif at.stride == -1:
            turned = None if mask_ is None else self._turned(mask_)
            b.store(memory.buffer, b.sub(at.value, self.lanes - 1), self._turned(what), turned)
        else:
            b.store(memory.buffer, self.vector(at, "i64"), what, mask_)

    def check(self, s: Check) -> None:
        """A lane that fails reports its own details."""
        b = self.b
        good, details = self.form(s.condition), [self.form(d) for d in s.details]
        if good.uniform and all(d.uniform for d in details):
            b.check(good.value, s.code, *(d.value for d in details))
            return
        bad = self._and(b.op("not", self.vector(good, "i1")), self.mask)
        assert bad is not None
        with b.branch(self.any(bad)):
            held = b.get(b.register(bad))  # what depends on it is not computed before the branch
            lane = b.reduce(b.select(held, self.numbers(), self.lanes), "min")
            kinds = [d.type.kind for d in s.details]
            shown = [self._at(f, k, lane) for f, k in zip(details, kinds, strict=True)]
            b.check(b.const(False, "i1"), s.code, *shown)

    def _at(self, f: Form, kind: str, lane: Value) -> Value:
        """The number of one lane."""
        b = self.b
        if f.stride is not None:
            return b.add(f.value, b.mul(b.cast(lane, kind), f.stride)) if f.stride else f.value
        zero = b.const(-0.0 if kind in FLOATS else 0, f.value.type.kind)
        only = b.select(b.op("eq", self.numbers(), lane), f.value, zero)
        return b.cast(b.reduce(only, "add" if kind in FLOATS else "or"), kind)
