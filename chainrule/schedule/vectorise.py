"""Loops noted "vector" become loops over blocks of W iterations, with vectors as values.

    for %i in 0 .. 50 vector:            for %i in 0 .. 48 step 16:
      %a = load %i {@x} : f32              %a = load %i {@x} : f32x16
      %b = mul %a 2.0 : f32       →        %b = mul %a (splat 2.0) : f32x16
      store @y[%i] %b                      store @y[%i] %b
                                         %c = load 48 {@x} : f32x2
                                         …

A register that the loop combines into (`set $r add= %b`) becomes one vector register for each of
several blocks, which are combined after the loop, in a fixed order:

    for %i in 0 .. 64 vector:            var $v: f32x16 = −0.0
      %a = load %i {@x} : f32            for %i in 0 .. 64 step 16:
      set $r add= %a              →        %a = load %i {@x} : f32x16
                                           set $v add= %a
                                         %s = reduce (get $v) {add} : f32
                                         set $r add= %s

What is left of a length that is no multiple of W is done in one narrower block: in as many lanes as
are left, or, where these are no power of two, in a few more with a mask; processors without masked
loads take powers of two one after another. `if` becomes masks, a `check` reports the first lane
that fails, scratch memory of an iteration is there for every lane. The rules for values stand in
`lanes.py`, what a loop must be like in `varying.py`.

Left as they are: loops with vectors in them, with another loop noted "vector", with inner loops
whose bounds vary, with a register from outside that is not only combined into, or with iterations
that write to one place.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from chainrule.schedule.build import Builder
from chainrule.schedule.lanes import Form, Lanes, Memory
from chainrule.schedule.loops import (
    FLOATS,
    SIZE,
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
)  # fmt: skip
from chainrule.schedule.sweep import swept
from chainrule.schedule.transpose import Pair, crossed, transpose_tile
from chainrule.schedule.varying import Facts, Plan, pieces

#: Writes blocks side by side: their lanes, the first iteration of each, their mask.
_Write = Callable[..., None]


def vectorise(kernel: Kernel, vector_bytes: int) -> Kernel:
    """The kernel with vectors of `vector_bytes` bytes (64: AVX-512, 32: AVX2, 16: SSE, NEON) in its
    loops noted "vector". A kernel without such loops only loses what nobody reads.
    """
    if not any(isinstance(s, For) and s.note == "vector" for s in statements(kernel.body)):
        return kernel._replace(body=swept(kernel.body, set()))
    b = Builder()
    walk = _Walk(b, vector_bytes)
    for buffer in kernel.buffers:
        role = buffer.role
        assert role != "local"
        walk.scalar.memory[buffer] = Memory(b.buffer(buffer.name, buffer.kind, buffer.size, role))
    with b.kernel(kernel.name, kernel.extent, kernel.cost) as variable:
        walk.scalar.forms[kernel.variable] = Form(variable)
        walk.block(kernel.body)
    done = b.finish()
    return done._replace(body=swept(done.body, set()))


class _Accumulators:
    """The vector registers that stand for a register from outside, by lanes and block."""

    def __init__(self, b: Builder, register: Register, how: str) -> None:
        self.b, self.register, self.how = b, register, how
        self.parts: dict[tuple[int, int], Register] = {}

    def open(self, lanes: int, block: int) -> None:
        """Have one for block number `block` of a round."""
        if lanes > 1 and (lanes, block) not in self.parts:
            kind = self.register.type.kind
            first = self.b.const(identity(self.how, kind), kind, lanes)
            self.parts[lanes, block] = self.b.register(first)

    def close(self) -> None:
        """Combine them, and with the register."""
        b = self.b
        for lanes in sorted({lanes for lanes, _ in self.parts}, reverse=True):
            values = [b.get(r) for (n, _), r in self.parts.items() if n == lanes]
            while len(values) > 1:
                pairs = zip(values[::2], values[1::2], strict=False)
                values = [b.op(self.how, x, y) for x, y in pairs] + values[len(values) & ~1 :]
            b.set(self.register, b.reduce(values[0], self.how), self.how)


def identity(how: str, kind: str) -> float | int | bool:
    """What changes nothing when it is combined. (0.0 would change −0.0.)"""
    if how in ("add", "or", "mul") and kind != "i1":
        return -0.0 if how == "add" and kind in FLOATS else int(how == "mul")
    if kind == "i1":
        return how in ("and", "min", "mul")
    if how == "and":
        return -1 if kind[0] == "i" else 2 ** int(kind[1:]) - 1
    if kind in FLOATS:
        return -math.inf if how == "max" else math.inf
    bits = int(kind[1:])
    low, high = (0, 2**bits - 1) if kind[0] == "u" else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    return low if how == "max" else high


class _Walk:
    """Writes statements for one block of lanes, or for several side by side: loops inside turn for
    all of them together.
    """

    def __init__(self, b: Builder, vector_bytes: int) -> None:
        self.b, self.vector_bytes = b, vector_bytes
        self.scalar = Lanes(b, 1, vector_bytes)
        self.side = [self.scalar]
        self.facts: Facts | None = None
        #: The loops that are taken in tiles now.
        self.pair: Pair | None = None

    def block(self, block: Iterable[Statement]) -> None:
        """Write every statement."""
        for s in block:
            if isinstance(s, If):
                self._if(s)
            elif isinstance(s, For):
                self._for(s)
            elif self.pair is not None and isinstance(s, Let) and s.value in self.pair.loads:
                self._crossed(s.value)
            else:
                for lanes in self.side:
                    self._simple(s, lanes)

    def _simple(self, s: Statement, lanes: Lanes) -> None:
        match s:
            case Let(value):
                lanes.let(value)
            case Store():
                lanes.store(s)
            case Check():
                lanes.check(s)
            case Local(buffer):
                made = self.b.local(buffer.kind, buffer.size * lanes.lanes)
                lanes.memory[buffer] = Memory(made, lanes.lanes)
            case Declare(register, value):
                lanes.registers[register] = self.b.register(self._held(register, value, lanes))
            case Set():
                self._set(s, lanes)

    # ------------------------------------------------------------------ registers and branches

    def _held(self, register: Register, value: Value, lanes: Lanes) -> Value:
        """A value as the register is: a number or a vector."""
        form = lanes.form(value)
        if lanes.lanes == 1 or self.facts is None or register not in self.facts.registers:
            return form.value
        return lanes.vector(form, register.type.kind)

    def _set(self, s: Set, lanes: Lanes) -> None:
        b, kind = self.b, s.register.type.kind
        register, mask = lanes.registers[s.register], lanes.branch
        if lanes.lanes > 1 and self.facts is not None and s.register in self.facts.sums:
            value, mask = lanes.vector(lanes.form(s.value), kind), lanes.mask
        else:
            value = self._held(s.register, s.value, lanes)
        if mask is not None:
            old = b.get(register) if s.how is None else b.const(identity(s.how, kind), kind)
            value = b.select(mask, value, old)
        b.set(register, value, s.how)

    def _if(self, s: If) -> None:
        varies = self.facts is not None and s.condition in self.facts.varying
        if not varies:
            self._branches(s, self.side[0].scalar(s.condition))
            return
        side = self.side
        for lanes in side:
            self.side = [lanes]
            condition = lanes.form(s.condition)
            if condition.uniform:
                self._branches(s, condition.value)
            else:
                self._masked(s, lanes, condition.value)
        self.side = side

    def _branches(self, s: If, condition: Value) -> None:
        b = self.b
        for block, yes in ((s.then, condition), (s.otherwise, b.op("not", condition))):
            if block:
                with b.branch(yes):
                    self.block(block)

    def _masked(self, s: If, lanes: Lanes, condition: Value) -> None:
        """Both branches, each for its lanes."""
        b, mask, branch = self.b, lanes.mask, lanes.branch
        for block, yes in ((s.then, condition), (s.otherwise, b.op("not", condition))):
            lanes.mask = yes if mask is None else b.op("and", mask, yes)
            lanes.branch = yes if branch is None else b.op("and", branch, yes)
            if _harmless(block):
                self.block(block)
            else:
                with b.branch(lanes.any(lanes.mask)):
                    self.block(block)
        lanes.mask, lanes.branch = mask, branch

    # ------------------------------------------------------------------ tiles

    def _tiles(self, pair: Pair) -> bool:
        """Two loops in tiles of W × W, and what is left; false if they are too short. Tiles are
        taken in squares as wide as a line of the cache.
        """
        b, (outer, inner, _) = self.b, pair
        facts = Facts(inner)
        width = Plan.of(inner, facts, self.vector_bytes).width
        numbers = (outer.start, outer.stop, inner.start, inner.stop)
        known = all(v.is_const or v in self.scalar.forms for v in numbers)
        if not facts.possible or not known:
            return False
        top, bottom, left, right = map(self.scalar.scalar, numbers)
        middle, edge = _whole(b, top, bottom, width), _whole(b, left, right, width)
        if middle is top or edge is left:
            return False
        line = max(64 // SIZE[next(iter(pair.loads)).type.kind], width)

        def near(v: Value, end: Value) -> Value:
            return b.op("min", b.add(v, line), end)

        with self._loop(top, middle, line) as v:
            with (
                self._loop(left, edge, line) as w,
                self._loop(v, near(v, middle), width) as row,
                self._loop(w, near(w, edge), width) as column,
            ):
                self._tile(pair, facts, width, row, column)
            if edge is not right:
                self.scalar.forms[edge] = Form(edge)
                rest = inner._replace(start=edge)
                body = [rest if s is inner else s for s in outer.body]
                self._serial(outer._replace(body=body), v, near(v, middle))
        if middle is not bottom:
            self._serial(outer, middle, bottom)
        return True

    def _tile(self, pair: Pair, facts: Facts, width: int, row: Value, column: Value) -> None:
        self.side = [self.scalar.inside(width, None) for _ in range(width)]
        for k, lanes in enumerate(self.side):
            lanes.forms[pair.outer.variable] = Form(self.b.add(row, k))
            lanes.forms[pair.inner.variable] = Form(column, 1)
        self.facts, self.pair = facts, pair
        for s in pair.outer.body:
            self.block(pair.inner.body if s is pair.inner else [s])
        self.side, self.facts, self.pair = [self.scalar], None, None

    def _crossed(self, v: Value) -> None:
        """A load of W neighbours for each of W iterations, as columns."""
        b, side = self.b, self.side
        memory, at = side[0].memory[v.attrs[0]], side[0].form(v.args[0])
        assert at.stride is not None
        places = [b.add(at.value, at.stride * k) for k in range(len(side))]
        columns = transpose_tile(b, [b.load(memory.buffer, p, len(side)) for p in places])
        for lanes, column in zip(side, columns, strict=True):
            lanes.forms[v] = Form(column, None)

    # ------------------------------------------------------------------ loops

    def _for(self, s: For) -> None:
        first = self.side[0]
        start, stop = first.scalar(s.start), first.scalar(s.stop)
        if s.note == "vector" and self.facts is None:
            facts = Facts(s)
            count = _count(start, stop, s.step)
            if facts.possible and (count is None or count > 1):
                self._vector_loop(s, facts, start, stop, count)
                return
        elif self.facts is None and (pair := crossed(s)) is not None and self._tiles(pair):
            return
        self._serial(s, start, stop)

    def _serial(self, s: For, start: Value, stop: Value) -> None:
        with self._loop(start, stop, s.step, "" if s.note == "vector" else s.note) as v:
            for lanes in self.side:
                lanes.forms[s.variable] = Form(v)
            self.block(s.body)

    @contextmanager
    def _loop(self, start: Value, stop: Value, step: int, note: str = "") -> Iterator[Value]:
        with self.b.loop(start, stop, step, note) as v:
            modulus, residue = self.scalar.residue(start)
            m = math.gcd(modulus, step)
            self.scalar.residues[v] = (m, residue % m)
            yield v

    def _vector_loop(
        self, s: For, facts: Facts, start: Value, stop: Value, count: int | None
    ) -> None:
        plan = Plan.of(s, facts, self.vector_bytes)
        if count is not None:
            plan = plan.cut(count // plan.width)
        sums = {
            r: _Accumulators(self.b, self.scalar.registers[r], how) for r, how in facts.sums.items()
        }
        if count is None:
            open_ = [(plan.width, k) for k in range(plan.round)]
        else:
            open_ = [(plan.width, k) for k in range(min(plan.round, count // plan.width))]
            open_ += [(lanes, 0) for lanes, _ in pieces(count % plan.width, plan.masked)]
        for a in sums.values():
            for lanes, k in open_:
                a.open(lanes, k)

        def write(lanes: int, firsts: list[Value], mask: Value | None = None) -> None:
            self.side = []
            for k, first in enumerate(firsts):
                inner = self.scalar.inside(lanes, mask)
                inner.forms[s.variable] = Form(first, s.step if lanes > 1 else 0)
                if lanes > 1:
                    inner.registers.update({r: a.parts[lanes, k] for r, a in sums.items()})
                self.side.append(inner)
            self.facts = facts
            self.block(s.body)
            self.side, self.facts = [self.scalar], None

        if count is None:
            self._unknown(s, start, stop, plan, write)
        else:
            self._known(s, start, count, plan, write)
        for a in sums.values():
            a.close()

    def _known(self, s: For, start: Value, count: int, plan: Plan, write: _Write) -> None:
        """A loop of known length: rounds of several blocks, other blocks, and what is left."""
        b, step, width = self.b, s.step, plan.width
        full, done = count // width, plan.turns * plan.round
        if done:
            self._rounds(s, start, b.add(start, done * width * step), plan, plan.round, write)
        for k in range(done, full, plan.round):
            blocks = range(k, min(k + plan.round, full))
            write(width, [b.add(start, j * width * step) for j in blocks])
        at = full * width
        for lanes, alive in pieces(count - at, plan.masked):
            mask = None
            if alive < lanes:
                mask = b.op("lt", b.ramp(b.const(0, "i32"), lanes), alive)
            write(lanes, [b.add(start, at * step)], mask)
            at += alive

    def _unknown(self, s: For, start: Value, stop: Value, plan: Plan, write: _Write) -> None:
        """A loop whose length is known at run time only."""
        b, step, width = self.b, s.step, plan.width
        count = b.sub(stop, start)
        if step > 1:
            count = b.div(b.add(count, step - 1), step)
        count = b.op("max", count, 0)

        def after(n: Value) -> Value:
            return b.add(start, b.mul(n, step))

        begin: Value = b.const(0, "i64")
        for blocks in dict.fromkeys((plan.round, 1)):
            if count.bounds is not None and count.bounds[1] < blocks * width:
                continue
            whole = b.sub(count, b.op("rem", count, blocks * width))
            self._rounds(s, after(begin), after(whole), plan, blocks, write)
            begin = whole
        if not plan.masked:
            with b.loop(after(begin), stop, step) as v:
                write(1, [v])
            return
        with b.branch(b.op("lt", begin, count)):
            left = b.cast(b.sub(count, begin), "i32")
            mask = b.op("lt", b.ramp(b.const(0, "i32"), width), left)
            write(width, [after(begin)], mask)

    def _rounds(
        self, s: For, start: Value, stop: Value, plan: Plan, blocks: int, write: _Write
    ) -> None:
        stride = plan.width * s.step
        with self._loop(start, stop, blocks * stride) as v:
            write(plan.width, [self.b.add(v, k * stride) for k in range(blocks)])


def _harmless(block: list[Statement]) -> bool:
    """Whether a branch may be gone through where no lane takes it."""
    return all(
        isinstance(s, Declare | Set)
        or (isinstance(s, Let) and s.value.op not in ("load", "div", "rem"))
        for s in block
    )


def _whole(b: Builder, start: Value, stop: Value, width: int) -> Value:
    """Where the last whole block from `start` ends."""
    count = b.op("max", b.sub(stop, start), 0)
    return b.add(start, b.sub(count, b.op("rem", count, width)))


def _count(start: Value, stop: Value, step: int) -> int | None:
    """How many iterations, where that is known."""
    if not (start.is_const and stop.is_const):
        return None
    return max(-(-(stop.number - start.number) // step), 0)
