"""Loop IR → LLVM IR, statement by statement.

    define void @NAME(ptr %addresses, ptr %args, ptr %work, i64 %lo, i64 %hi)

Buffer j lies at addresses[args[j]]; for a buffer with the role "number", args[j] is the number
itself. `%work` is this thread's scratch memory, `work_bytes(kernel)` long and 64-byte aligned.
Iterations lo ≤ i < hi of the shared loop are run. addresses[0] is the status buffer, 8 numbers of
64 bits: the first check that fails writes its code into [0] and its details into [1] … (floats as
the bits of a double).

Registers live on the stack in this text; LLVM's SROA pass lifts them. Loops are written with their
test at the end. Every access names its buffer as an alias scope, so LLVM may keep in registers what
was loaded. No fast-math flags: what is rounded, and when, stands in the Loop IR.

>>> from chainrule.backends.llvm.target import named
>>> from chainrule.schedule.text import parse_kernel
>>> print(emit(parse_kernel('''
... kernel twice(@x: f32[65] in, @y: f32[64] out) over %0 in 64:
...   %1 = load %0 {@x} : f32
...   %2 = add %1 %1 : f32
...   store @y[%0] %2
... '''), named("avx2")).partition("body.0:")[2].partition("latch.0:")[0].rstrip())
<BLANKLINE>
  %v0 = phi i64 [ %lo, %begin ], [ %next.0, %latch.0 ]
  %t2 = getelementptr inbounds float, ptr %b.0, i64 %v0
  %v1 = load float, ptr %t2, align 4, !alias.scope !11, !noalias !12
  %v2 = fadd float %v1, %v1
  %t3 = getelementptr inbounds float, ptr %b.1, i64 %v0
  store float %v2, ptr %t3, align 4, !alias.scope !21, !noalias !22
  br label %latch.0
"""

from __future__ import annotations

from chainrule.backends.llvm.arithmetic import Arithmetic
from chainrule.backends.llvm.target import Target
from chainrule.backends.llvm.writer import INTEGERS, MEMORY, constant, llvm_type
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
    statements,
)

#: Words of the status buffer: the code, and up to so many details.
DETAILS = 7


def work_bytes(kernel: Kernel) -> int:
    """Bytes of scratch memory that a thread needs to run the kernel."""
    return sum(_padded(b.bytes) for b in _locals(kernel))


def emit(kernel: Kernel, target: Target) -> str:
    """The kernel as the text of an LLVM module with one function of the kernel's name."""
    return _Emitter(kernel, target).module()


def _padded(size: int) -> int:
    return -(-size // 64) * 64


def _may_coincide(a: Buffer, b: Buffer) -> bool:
    """Whether one may be written over the other."""
    same = a.kind == b.kind and (a.size == b.size or 0 in (a.size, b.size))
    return same and {a.role, b.role} == {"in", "out"}


def _locals(kernel: Kernel) -> list[Buffer]:
    return [s.buffer for s in statements(kernel.body) if isinstance(s, Local)]


class _Emitter(Arithmetic):
    def __init__(self, kernel: Kernel, target: Target) -> None:
        super().__init__(target)
        self.kernel = kernel
        self.numbers: dict[Buffer, str] = {}
        self.pointers: dict[Buffer, str] = {}
        self.registers: dict[Register, str] = {}
        self.scopes: dict[Buffer, str] = {}
        self.metadata: list[str] = []

    # ------------------------------------------------------------------ the frame

    def module(self) -> str:
        kernel = self.kernel
        self._scopes([b for b in kernel.buffers if b.role != "number"] + _locals(kernel))
        self._arguments()
        self.label, entry = "begin", self.lines
        self.lines = []
        self._loop(kernel.variable, "%lo", "%hi", 1, kernel.body, surely=False)
        parameters = "ptr %addresses, ptr %args, ptr %work, i64 %lo, i64 %hi"
        return "\n".join(
            [
                f'define void @"{kernel.name}"({parameters}) {self.target.attributes} {{',
                "begin:",
                *entry,
                *self.slots,
                *self.lines,
                "  ret void",
                "}",
                *sorted(self.declarations),
                *self.metadata,
                "",
            ]
        )

    def _arguments(self) -> None:
        offset = 0
        for j, b in enumerate(self.kernel.buffers):
            place = self.put(f"getelementptr inbounds i64, ptr %args, i64 {j}", f"%place.{j}")
            number = self.put(f"load i64, ptr {place}, align 8", f"%arg.{j}")
            if b.role == "number":
                if b.kind != "i64":
                    number = self.put(f"trunc i64 {number} to {llvm_type(Type(b.kind))}")
                self.numbers[b] = number
                continue
            slot = f"getelementptr inbounds ptr, ptr %addresses, i64 {number}"
            slot = self.put(slot, f"%slot.{j}")
            self.pointers[b] = self.put(f"load ptr, ptr {slot}, align 8", f"%b.{j}")
        for j, b in enumerate(_locals(self.kernel), len(self.kernel.buffers)):
            text = f"getelementptr inbounds i8, ptr %work, i64 {offset}"
            self.pointers[b] = self.put(text, f"%b.{j}")
            offset += _padded(b.bytes)
        if any(isinstance(s, Check) for s in statements(self.kernel.body)):
            self.put("load ptr, ptr %addresses, align 8", "%status")

    def _scopes(self, buffers: list[Buffer]) -> None:
        """Alias scopes, one per buffer: !i1 is its own list, !i2 the list of all that lie apart."""
        self.metadata = ["!0 = distinct !{!0}"]
        for i, b in enumerate(buffers, 1):
            apart = [j for j, o in enumerate(buffers, 1) if o is not b and not _may_coincide(b, o)]
            others = ", ".join(f"!{10 * j}" for j in apart)
            self.metadata += [
                f"!{10 * i} = distinct !{{!{10 * i}, !0}}",
                f"!{10 * i + 1} = !{{!{10 * i}}}",
                f"!{10 * i + 2} = !{{{others}}}",
            ]
            self.scopes[b] = f", !alias.scope !{10 * i + 1}, !noalias !{10 * i + 2}"

    # ------------------------------------------------------------------ statements

    def block(self, block: list[Statement]) -> None:
        for s in block:
            match s:
                case Let(value):
                    self.let(value)
                case Store():
                    self._store(s)
                case Local():
                    pass  # its place in %work is fixed
                case Declare(register, value):
                    t = llvm_type(register.type)
                    slot = f"%r.{len(self.registers)}"
                    self.registers[register] = slot
                    self.slots.append(f"  {slot} = alloca {t}")
                    self.line(f"store {t} {self.operand(value)}, ptr {slot}")
                case Set():
                    self._set(s)
                case For(variable, start, stop, step, body):
                    self._for(variable, start, stop, step, body)
                case If():
                    self._if(s)
                case Check():
                    self._check(s)

    def let(self, v: Value) -> None:
        if v.op == "load":
            self._load(v)
        elif v.op == "get":
            register = v.attrs[0]
            text = f"load {llvm_type(v.type)}, ptr {self.registers[register]}"
            self.put(text, self.name(v))
        else:
            self.operation(v)

    def _set(self, s: Set) -> None:
        slot, t, new = self.registers[s.register], s.register.type, self.operand(s.value)
        if s.how is not None:
            old = self.put(f"load {llvm_type(t)}, ptr {slot}")
            if s.how in ("min", "max"):  # whether the new one is NaN needs no waiting for the old
                old, new = new, old
            new = self.binary(s.how, t, old, new)
        self.line(f"store {llvm_type(t)} {new}, ptr {slot}")

    def _for(
        self, variable: Value, start: Value, stop: Value, step: int, body: list[Statement]
    ) -> None:
        surely = False
        if start.bounds is not None and stop.bounds is not None:
            (first, surely_first), (last, most) = start.bounds, stop.bounds
            if most <= first:
                return
            surely = surely_first < last
        if start.is_const and stop.is_const and start.number + step >= stop.number:
            self.names[variable] = self.operand(start)
            self.block(body)
            return
        self._loop(variable, self.operand(start), self.operand(stop), step, body, surely)

    def _loop(
        self, variable: Value, start: str, stop: str, step: int, body: list[Statement], surely: bool
    ) -> None:
        n, before = self.number("loop"), self.label
        if surely:
            self.line(f"br label %body.{n}")
        else:
            some = self.put(f"icmp slt i64 {start}, {stop}")
            self.line(f"br i1 {some}, label %body.{n}, label %exit.{n}")
        self.open(f"body.{n}")
        self.put(f"phi i64 [ {start}, %{before} ], [ %next.{n}, %latch.{n} ]", self.name(variable))
        self.block(body)
        self.line(f"br label %latch.{n}")
        self.open(f"latch.{n}")
        after = self.put(f"add nsw i64 {self.names[variable]}, {step}", f"%next.{n}")
        more = self.put(f"icmp slt i64 {after}, {stop}")
        self.line(f"br i1 {more}, label %body.{n}, label %exit.{n}")
        self.open(f"exit.{n}")

    def _if(self, s: If) -> None:
        n, orelse = self.number("if"), "else" if s.otherwise else "end"
        condition = self.operand(s.condition)
        self.line(f"br i1 {condition}, label %then.{n}, label %{orelse}.{n}")
        self.open(f"then.{n}")
        self.block(s.then)
        self.line(f"br label %end.{n}")
        if s.otherwise:
            self.open(f"else.{n}")
            self.block(s.otherwise)
            self.line(f"br label %end.{n}")
        self.open(f"end.{n}")

    def _check(self, s: Check) -> None:
        n, good, lane = self.number("check"), self.operand(s.condition), ""
        lanes = s.condition.type.lanes
        all_good = good
        if lanes > 1:
            all_good = self.intrinsic("vector.reduce.and", Type("i1", lanes), good, to=Type("i1"))
        self.line(f"br i1 {all_good}, label %good.{n}, label %bad.{n}")
        self.open(f"bad.{n}")
        won = self.put(f"cmpxchg ptr %status, i64 0, i64 {s.code} monotonic monotonic")
        first = self.put(f"extractvalue {{ i64, i1 }} {won}, 1")
        self.line(f"br i1 {first}, label %note.{n}, label %good.{n}")
        self.open(f"note.{n}")
        if lanes > 1:
            bits = self.put(f"bitcast <{lanes} x i1> {good} to i{lanes}")
            bits = self.put(f"xor i{lanes} {bits}, -1")
            self.declarations.add(f"declare i{lanes} @llvm.cttz.i{lanes}(i{lanes}, i1)")
            lane = self.put(f"call i{lanes} @llvm.cttz.i{lanes}(i{lanes} {bits}, i1 true)")
        for i, d in enumerate(s.details[:DETAILS], 1):
            number, t = self.operand(d), Type(d.type.kind)
            if d.type.lanes > 1:
                text = f"extractelement {llvm_type(d.type)} {number}, i{lanes} {lane}"
                number = self.put(text)
            if t.kind in FLOATS:
                number = self.cast(number, t, "f64")
                number = self.put(f"bitcast double {number} to i64")
            else:
                number = self.cast(number, t, "i64")
            place = self.put(f"getelementptr inbounds i64, ptr %status, i64 {i}")
            self.line(f"store i64 {number}, ptr {place}, align 8")
        self.line(f"br label %good.{n}")
        self.open(f"good.{n}")

    # ------------------------------------------------------------------ memory

    def _pointer(self, b: Buffer, index: Value, masked: bool) -> str:
        # A masked access may begin beyond the buffer, as long as the lanes there are off.
        inbounds = "" if masked else " inbounds"
        base = f"getelementptr{inbounds} {MEMORY[b.kind]}, ptr {self.pointers[b]}"
        return self.put(f"{base}, {self.typed(index)}")

    def _load(self, v: Value) -> None:
        b, index = v.attrs[0], v.args[0]
        mask = v.args[1] if len(v.args) > 1 else None
        if b.role == "number":
            self.names[v] = self.numbers[b]
            return
        t, size, scopes = Type(v.type.kind, v.type.lanes), SIZE[b.kind], self.scopes[b]
        memory = Type("u8", t.lanes) if t.kind == "i1" else t
        ll = llvm_type(memory)
        into = None if t.kind == "i1" else self.name(v)
        if t.lanes == 1:
            found = self._load_one(b, index, mask, ll, into if mask is None else None)
            if mask is not None:
                zero = constant(0, memory)
                found = self.put(f"select i1 {self.operand(mask)}, {ll} {found}, {ll} {zero}", into)
        else:
            p = self._pointer(b, index, mask is not None)
            if index.type.lanes == 1 and mask is None:
                found = self.put(f"load {ll}, ptr {p}, align {size}{scopes}", into)
            else:
                how = "load" if index.type.lanes == 1 else "gather"
                m = constant(True, Type("i1", t.lanes)) if mask is None else self.operand(mask)
                zero = constant(0, memory)
                found = self.masked(how, memory, index.type.lanes, p, m, zero, scopes, into)
        if t.kind == "i1":
            self.put(
                f"icmp ne {ll} {found}, zeroinitializer"
                if t.lanes > 1
                else f"icmp ne {ll} {found}, 0",
                self.name(v),
            )

    def _load_one(
        self, b: Buffer, index: Value, mask: Value | None, ll: str, into: str | None
    ) -> str:
        """One number; where it is masked, the first element instead: there is always one."""
        place = self.typed(index)
        if mask is not None:
            t = llvm_type(index.type)
            place = f"{t} " + self.put(f"select i1 {self.operand(mask)}, {place}, {t} 0")
        base, size = self.pointers[b], SIZE[b.kind]
        p = self.put(f"getelementptr inbounds {ll}, ptr {base}, {place}")
        return self.put(f"load {ll}, ptr {p}, align {size}{self.scopes[b]}", into)

    def _store(self, s: Store) -> None:
        b, value, t = s.buffer, self.operand(s.value), s.value.type
        size, scopes = SIZE[b.kind], self.scopes[b]
        if t.kind == "i1":
            value, t = self.cast(value, t, "u8"), Type("u8", t.lanes)
        ll = llvm_type(t)
        if t.lanes == 1 and s.mask is not None:
            n = self.number("if")
            self.line(f"br i1 {self.operand(s.mask)}, label %then.{n}, label %end.{n}")
            self.open(f"then.{n}")
            p = self._pointer(b, s.index, masked=False)
            self.line(f"store {ll} {value}, ptr {p}, align {size}{scopes}")
            self.line(f"br label %end.{n}")
            self.open(f"end.{n}")
            return
        p = self._pointer(b, s.index, s.mask is not None)
        if s.index.type.lanes == 1 and s.mask is None:
            self.line(f"store {ll} {value}, ptr {p}, align {size}{scopes}")
            return
        how = "store" if s.index.type.lanes == 1 else "scatter"
        m = constant(True, Type("i1", t.lanes)) if s.mask is None else self.operand(s.mask)
        self.masked(how, t, s.index.type.lanes, p, m, value, scopes, None)

    def masked(
        self, how: str, t: Type, pointers: int, p: str, mask: str, value: str, scopes: str,
        into: str | None,
    ) -> str:  # fmt: skip
        """llvm.masked.{load,store,gather,scatter}; `value` is stored, or what masked lanes get."""
        ll, lanes, size = llvm_type(t), t.lanes, SIZE[t.kind]
        ptr = "ptr" if pointers == 1 else f"<{lanes} x ptr>"
        name = f"llvm.masked.{how}.v{lanes}{INTEGERS.get(t.kind, t.kind)}."
        name += "p0" if pointers == 1 else f"v{lanes}p0"
        at, on = f"{ptr} align {size} {p}", f"<{lanes} x i1> {mask}"
        if how in ("load", "gather"):
            self.declarations.add(f"declare {ll} @{name}({ptr}, <{lanes} x i1>, {ll})")
            return self.put(f"call {ll} @{name}({at}, {on}, {ll} {value}){scopes}", into)
        self.declarations.add(f"declare void @{name}({ll}, {ptr}, <{lanes} x i1>)")
        self.line(f"call void @{name}({ll} {value}, {at}, {on}){scopes}")
        return ""
