"""Loops noted "vector": what each rule makes of them, as text, and that nothing else changes."""

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from native import run_kernel

from chainrule.backends.llvm.target import named
from chainrule.schedule.build import Builder
from chainrule.schedule.interpret import interpret, numpy_kind
from chainrule.schedule.loops import Buffer, Kernel, Value
from chainrule.schedule.text import parse_kernel, print_kernel
from chainrule.schedule.vectorise import vectorise
from chainrule.schedule.verify import verify_kernel

#: "## what the rule does (bytes of a vector)", a kernel, "->", the kernel with vectors.
GOLDEN = Path(__file__).parent / "golden" / "vectorise.txt"
CASES = [case.split("\n", 1) for case in GOLDEN.read_text().split("## ")[1:]]


@pytest.mark.parametrize("title", [title for title, _ in CASES])
def test_rule(title):
    """CHAINRULE_GOLDEN=1 writes the kernels anew."""
    text = dict(CASES)[title]
    before, after = text.split("->")
    vector_bytes = int(title.rpartition("(")[2].rstrip(")"))
    made = vectorise(parse_kernel(before), vector_bytes)
    verify_kernel(made)
    if os.environ.get("CHAINRULE_GOLDEN"):
        new = f"{before}->\n{print_kernel(made)}\n\n"
        GOLDEN.write_text(GOLDEN.read_text().replace(f"## {title}\n{text}", f"## {title}\n{new}"))
    else:
        assert print_kernel(made).strip() == after.strip()


# ---------------------------------------------------------------------- what must not change

SIZE = 97
TARGETS = {64: None, 32: named("avx2"), 16: named("x86-64")}


def arrays(kernel: Kernel, seed: int) -> dict[str, np.ndarray | int]:
    """Small whole numbers: their sums and products are exact in any order."""
    rng = np.random.default_rng(seed)
    made: dict[str, np.ndarray | int] = {}
    for b in kernel.buffers:
        if b.role == "number":
            made[b.name] = int(rng.integers(0, 40))
        elif b.kind == "i1":
            made[b.name] = rng.integers(0, 2, b.size).astype(np.bool_)
        else:
            low = 0 if b.kind[0] == "u" else -3
            made[b.name] = rng.integers(low, 5, b.size).astype(numpy_kind(b.kind))
    return made


def agrees(kernel: Kernel, seed: int = 0) -> None:
    """The kernel, with vectors of every size, does what it did."""
    expected = arrays(kernel, seed)
    failed = interpret(kernel, expected)
    for vector_bytes, target in TARGETS.items():
        made = vectorise(kernel, vector_bytes)
        verify_kernel(made)
        found = arrays(kernel, seed)
        assert interpret(made, found) == failed
        same(expected, found, made)
        if target is not None and target.runs_here:
            found = arrays(kernel, seed)
            status = run_kernel(made, found, target)
            assert (status and status[: len(failed or ())]) == failed
            same(expected, found, made)


def same(expected, found, kernel) -> None:
    for name, x in expected.items():
        np.testing.assert_array_equal(found[name], x, f"{name} of\n{print_kernel(kernel)}")


class _Writer:
    """A random kernel with one vector loop."""

    def __init__(self, draw) -> None:
        self.draw, self.b = draw, Builder()
        b = self.b
        kinds = ["f32", "f64", "i32", "i64", "u8", "i1"]
        self.inputs = {k: b.buffer(f"x_{k}", k, SIZE, "in") for k in kinds}
        self.outputs: list[Buffer] = []
        self.indices: list[Value] = []
        self.numbers: dict[str, list[Value]] = {k: [] for k in kinds}

    def pick(self, among):
        return self.draw(st.sampled_from(among))

    def number(self, low: int, high: int) -> int:
        return self.draw(st.integers(low, high))

    def index(self) -> Value:
        """Index arithmetic of a few steps, brought inside 0 … SIZE."""
        b, v = self.b, self.pick(self.indices)
        for _ in range(self.number(0, 3)):
            how = self.pick(["add", "sub", "from", "mul", "div", "rem", "other", "min", "pick"])
            low, high = v.bounds
            if how == "from":
                v = b.sub(self.number(0, 60), v)
            elif how == "other":
                v = b.add(v, self.pick(self.indices))
            elif how == "pick":
                v = b.select(self.condition(), v, self.pick(self.indices))
            elif how == "mul":
                v = b.mul(v, self.number(-2, 3))
            elif how in ("div", "rem"):
                v = b.op(how, v if low >= 0 else b.sub(v, low), self.number(1, 20))
            else:
                v = b.op(how, v, self.number(0, 60))
        low, high = v.bounds
        if low < 0 or high >= SIZE:
            v = b.sub(v, low)
            v = b.op("rem", v, SIZE) if high - low >= SIZE else v
        return v

    def condition(self) -> Value:
        b = self.b
        how = self.pick(["index", "number", "loaded"])
        compare = self.pick(["lt", "le", "gt", "ge", "eq", "ne"])
        if how == "index":
            return b.op(compare, self.pick(self.indices), self.number(-2, 30))
        if how == "number":
            return b.op(compare, self.value("f32"), self.value("f32"))
        return self.value("i1")

    def value(self, kind: str) -> Value:
        if self.numbers[kind] and self.number(0, 2):
            return self.pick(self.numbers[kind])
        return self.load(kind)

    def load(self, kind: str) -> Value:
        b, buffer = self.b, self.inputs[kind]
        if self.number(0, 3):
            return b.load(buffer, self.index())
        at = self.pick(self.indices)
        inside = b.op("and", b.op("ge", at, 0), b.op("lt", at, self.number(1, SIZE)))
        return b.load(buffer, at, mask=b.op("and", inside, self.condition()))

    def statement(self, depth: int) -> None:
        b = self.b
        kind = self.pick(["f32", "f32", "f32", "f64", "i32", "i64", "u8"])
        what = self.pick(["op", "op", "op", "cast", "select", "if", "loop", "gather", "scratch"])
        if what == "op":
            self.keep(kind, b.op(self.pick(["add", "sub", "min", "max"]), *self.two(kind)))
        elif what == "cast":
            self.keep(kind, b.cast(self.value(self.pick(["f32", "i64", "i1"])), kind))
        elif what == "select":
            self.keep(kind, b.select(self.condition(), *self.two(kind)))
        elif what == "gather":
            at = b.op("max", b.op("min", self.value("i64"), SIZE - 1), 0)
            self.keep(kind, b.load(self.inputs[kind], at))
        elif what == "scratch":
            memory = b.local(kind, 2)
            for k in (0, 1):
                b.store(memory, k, self.value(kind))
            self.keep(kind, b.load(memory, self.number(0, 1)))
        elif depth < 2:
            register = b.register(self.value(kind))
            held = {k: list(v) for k, v in self.numbers.items()}, list(self.indices)
            if what == "if":
                with b.branch(self.condition()):
                    self.inside(register, kind, depth)
            else:
                with b.loop(0, self.number(0, 3)) as v:
                    self.indices.append(v)
                    self.inside(register, kind, depth)
            self.numbers, self.indices = held
            self.keep(kind, b.get(register))

    def inside(self, register, kind: str, depth: int) -> None:
        self.statement(depth + 1)
        how = self.pick([None, "add", "max"])
        self.b.set(register, self.value(kind), how)

    def two(self, kind: str) -> tuple[Value, Value]:
        return self.value(kind), self.value(kind)

    def keep(self, kind: str, v: Value) -> None:
        self.numbers[kind].append(v)

    def kernel(self) -> Kernel:
        b = self.b
        length, step = self.number(0, 70), self.pick([1, 1, 1, 2])
        room = length + 40
        extent = 3
        some = st.lists(st.sampled_from(list(self.inputs)), max_size=2)
        stores = [
            (b.buffer(f"y{k}", kind, extent * 3 * room, "out"), self.pick([1, 1, -1, 2]))
            for k, kind in enumerate(self.draw(some))
        ]
        sums = self.draw(some)
        results = [b.buffer(f"z{k}", kind, extent, "out") for k, kind in enumerate(sums)]
        late = b.buffer("n", "i64", 1, "number") if self.number(0, 3) == 0 else None
        with b.kernel("random", extent) as i:
            self.indices.append(i)
            hows = [self.pick(["or", "and"] if k == "i1" else ["add", "min", "max"]) for k in sums]
            registers = [b.register(self.load(k)) for k in sums]
            start = self.number(0, 9)
            stop = start + length
            if late is not None:
                stop = b.op("max", b.op("min", b.load(late, 0), stop), start)
            held = dict(self.numbers)
            with b.loop(start, stop, step, "vector") as v:
                self.indices.extend([v, v, v])
                for _ in range(self.number(0, 5)):
                    self.statement(0)
                for buffer, stride in stores:
                    at = b.mul(v, stride) if stride > 0 else b.sub(room - 1, v)
                    place = b.add(b.mul(i, 3 * room), at)
                    mask = None if self.number(0, 2) else self.condition()
                    b.store(buffer, place, self.value(buffer.kind), mask)
                for register, how, kind in zip(registers, hows, sums, strict=True):
                    b.set(register, self.value(kind), how)
                if self.number(0, 3) == 0:
                    b.check(self.condition(), 7, v, self.value("i64"))
            self.numbers = held
            for register, result in zip(registers, results, strict=True):
                b.store(result, i, b.get(register))
        return b.finish()


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_random_loops_do_the_same_with_vectors(data):
    agrees(_Writer(data.draw).kernel(), data.draw(st.integers(0, 3)))
