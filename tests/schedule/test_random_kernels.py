"""Random kernels: they verify, survive printing and unrolling, and machine code agrees with the
interpreter.
"""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from native import run_kernel

from chainrule.backends.llvm.target import NAMES, named
from chainrule.schedule.build import Builder
from chainrule.schedule.interpret import interpret, numpy_kind
from chainrule.schedule.loops import FLOATS, Type
from chainrule.schedule.text import parse_kernel, print_kernel
from chainrule.schedule.unroll import unroll
from chainrule.schedule.verify import verify_kernel

TARGETS = [t for n in NAMES if (t := named(n)).runs_here]
SIZE = 32
KINDS = ["f32", "i32", "i64", "u8", "f64", "i1"]
ARITHMETIC = ["add", "sub", "mul", "div"]
BITWISE = ["and", "or", "xor"]
ORDERS = ["eq", "ne", "lt", "le", "gt", "ge"]


class Author:
    """Draws statements. `pool` holds what is in scope: values, and registers."""

    def __init__(self, draw) -> None:
        self.draw, self.b = draw, Builder()
        self.buffers = {k: self.b.buffer(f"x_{k}", k, SIZE, "in") for k in KINDS}
        self.outs = {k: self.b.buffer(f"y_{k}", k, SIZE, "inout") for k in KINDS}
        self.lanes = draw(st.sampled_from([1, 4, 8]))
        self.values, self.registers, self.indices = [], [], []

    def pick(self, of):
        return self.draw(st.sampled_from(of))

    def kernel(self):
        with self.b.kernel("random", 2) as i:
            self.indices = [i]
            for k in KINDS:
                self.values.append(self.b.load(self.buffers[k], 0, self.lanes))
            self.block(3)
        return self.b.finish()

    def of(self, t: Type):
        """A value of that type."""
        b, same = self.b, [v for v in self.values if v.type == t]
        if same and self.draw(st.booleans()):
            return self.pick(same)
        if self.draw(st.booleans()):
            return self.load(t)
        number = self.pick([0, 1, 2, 3]) if t.kind not in FLOATS else self.pick([0.0, -0.5, 3.0])
        return b.const(number, t.kind, t.lanes)

    def index(self, lanes: int):
        """An index so that all lanes are inside."""
        b, i = self.b, self.pick(self.indices)
        return b.op("rem", b.add(b.mul(i, self.pick([0, 1, 3])), self.pick([0, 5])), SIZE - lanes)

    def load(self, t: Type):
        b, memory = self.b, self.pick([self.buffers, self.outs])[t.kind]
        at = self.index(t.lanes)
        if t.lanes > 1 and self.draw(st.booleans()):
            at = b.op("rem", b.mul(b.ramp(at, t.lanes), 5), SIZE)  # a gather
        mask = self.of(Type("i1", t.lanes)) if self.pick([False, False, True]) else None
        return b.load(memory, at, t.lanes, mask)

    def value(self):
        b, t = self.b, Type(self.pick(KINDS), self.pick([1, self.lanes]))
        kind, what = t.kind, self.pick(range(6))
        if what == 0:
            return self.load(t)
        if what == 1:
            x = self.of(Type(self.pick(KINDS), t.lanes))
            return b.cast(x, kind)
        if what == 2:
            return b.select(self.of(Type("i1", t.lanes)), self.of(t), self.of(t))
        if what == 3 and t.lanes > 1:
            lanes = tuple(self.pick(range(2 * t.lanes)) for _ in range(t.lanes))
            return b.shuffle(self.of(t), self.of(t), lanes)
        if what == 4 and t.lanes > 1:
            hows = BITWISE if kind not in FLOATS else ["add", "mul"]
            return b.reduce(self.of(t), self.pick(hows))
        if kind == "i1":
            of = Type(self.pick(KINDS), t.lanes)
            return b.op(self.pick(ORDERS), self.of(of), self.of(of))
        ops = ARITHMETIC + ([] if kind in FLOATS else [*BITWISE, "rem", "shl", "shr", "min"])
        return b.op(self.pick(ops), self.of(t), self.of(t))

    def block(self, depth: int) -> None:
        b, size = self.b, self.draw(st.integers(1, 4))
        known = len(self.values), len(self.registers), len(self.indices)
        for _ in range(size):
            what = self.pick(["value", "value", "store", "register", "set", "get", "loop", "if"])
            if what == "loop" and depth:
                start, step = self.pick([0, 1]), self.pick([1, 2])
                stop = self.pick([0, 1, 2, 4, b.op("add", self.pick(self.indices), 1)])
                with b.loop(start, stop, step, self.pick(["", "unroll"])) as j:
                    self.indices.append(j)
                    self.block(depth - 1)
                self.indices.pop()
            elif what == "if" and depth:
                with b.branch(self.of(Type("i1"))):
                    self.block(depth - 1)
            elif what == "store":
                t = Type(self.pick(KINDS), self.pick([1, self.lanes]))
                mask = self.of(Type("i1", t.lanes)) if self.draw(st.booleans()) else None
                b.store(self.outs[t.kind], self.index(t.lanes), self.of(t), mask)
            elif what == "register":
                v = self.of(Type(self.pick(KINDS), self.pick([1, self.lanes])))
                self.registers.append(b.register(v))
            elif what == "set" and self.registers:
                r = self.pick(self.registers)
                how = None if r.type.kind == "i1" else self.pick([None, "add", "mul"])
                b.set(r, self.of(r.type), how)
            elif what == "get" and self.registers:
                self.values.append(b.get(self.pick(self.registers)))
            else:
                self.values.append(self.value())
        for v in self.values[known[0] :]:  # what was computed is seen
            b.store(self.outs[v.type.kind], self.index(v.type.lanes), v)
        del self.values[known[0] :], self.registers[known[1] :], self.indices[known[2] :]


@st.composite
def kernels(draw):
    return Author(draw).kernel()


def memory(seed: int) -> dict[str, np.ndarray]:
    rng, arrays = np.random.default_rng(seed), {}
    for name in ("x", "y"):
        for kind in KINDS:
            numbers = rng.integers(-3, 9, SIZE)
            numbers = (
                numbers / 4 if kind in FLOATS else numbers.clip(0) if kind == "u8" else numbers
            )
            arrays[f"{name}_{kind}"] = numbers.astype(numpy_kind(kind))
        arrays[f"{name}_f32"][rng.integers(0, SIZE, 3)] = [np.nan, np.inf, -0.0]
    return arrays


def same(a: dict[str, np.ndarray], b: dict[str, np.ndarray], text: str) -> None:
    for name, x in a.items():
        np.testing.assert_array_equal(x, b[name], f"{name}\n{text}")


@pytest.mark.parametrize("target", TARGETS, ids=lambda t: t.name)
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck), database=None)
@given(kernel=kernels(), seed=st.integers(0, 99))
def test_machine_code_agrees_with_the_interpreter(target, kernel, seed):
    verify_kernel(kernel)
    text = print_kernel(kernel)
    again = parse_kernel(text)
    assert print_kernel(again) == text
    meaning, native, unrolled = memory(seed), memory(seed), memory(seed)
    interpret(kernel, meaning)
    run_kernel(again, native, target)
    same(meaning, native, text)
    flat = unroll(kernel)
    verify_kernel(flat)
    interpret(flat, unrolled)
    same(meaning, unrolled, print_kernel(flat))
