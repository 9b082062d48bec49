"""Loops over time as steps of a program."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from chainrule import dtypes, ops
from chainrule.autodiff import derivative
from chainrule.backends import reference
from chainrule.ir.graph import Graph, topological
from chainrule.ir.node import Node
from chainrule.rewrite import decompose, fold, merge_loops, simplify
from chainrule.rewrite.fuse import fuse
from chainrule.rewrite.hoist import hoist
from chainrule.schedule.interpret import interpret, numpy_kind
from chainrule.schedule.lowered import Lowered
from chainrule.schedule.nests import lower_flat, lower_nest
from chainrule.schedule.scans import Body, lower_scan


def x(number: int, *shape: int) -> Node:
    return ops.input(index=number, shape=shape, dtype=dtypes.float32)


def kernels(outputs: Sequence[Node]) -> Body:
    """The kernels of a body, products element by element."""
    found = []
    for f in fuse(outputs):
        low = lower_flat(f.graph, f.length) if f.kind == "flat" else lower_nest(f.graph)
        found.append((f.inputs, f.outputs, low))
    return found


def run(graph: Graph, lowered: Lowered, arrays: list[np.ndarray]) -> list[np.ndarray]:
    outputs = [np.zeros(int(np.prod(o.shape)), o.dtype.np) for o in graph.outputs]
    inputs = [np.ascontiguousarray(a).reshape(-1) for a in arrays]
    temporaries = [np.zeros(t.size, numpy_kind(t.kind)) for t in lowered.temporaries]
    memory = {"input": inputs, "output": outputs, "temporary": temporaries}
    for step in lowered.steps:
        given = {}
        for b, p in zip(step.kernel.buffers, step.places, strict=True):
            if p.what == "number":
                given[b.name] = p.number
                continue
            whole = memory[p.what][p.number]
            first = p.offset // whole.itemsize
            given[b.name] = whole[first : first + b.size] if b.size else whole[first:]
        interpret(step.kernel, given, 0, step.extent)
    return [o.reshape(n.shape) for o, n in zip(outputs, graph.outputs, strict=True)]


def recurrent(reverse: bool) -> tuple[Node, ...]:
    """h ← tanh(x + h Wᵀ), all h and the last one."""

    def step(
        carry: tuple[Node, ...], now: tuple[Node, ...], constants: tuple[Node, ...]
    ) -> tuple[Sequence[Node], Sequence[Node]]:
        h = ops.tanh(now[0] + ops.contract(carry[0], constants[0], spec="Ak,ok->Ao"))
        return (h,), (h, carry[0])

    (last,), (every, before) = ops.scan(step, [x(0, 2, 3)], [x(1, 4, 2, 3)], [x(2, 3, 3)], reverse)
    return last, every, before


def prepared(outputs: Sequence[Node]) -> list[Node]:
    nodes = list(outputs)
    for rewrite in (decompose, merge_loops, fold, simplify, hoist):
        nodes = rewrite(nodes)
    return nodes


def alone(nodes: Sequence[Node]) -> Graph:
    """The one kernel of a graph that is a scan."""
    (scan,) = [f for f in fuse(nodes) if f.kind == "single"]
    return scan.graph


def numbers(graph: Graph) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [rng.normal(size=n.shape).astype(np.float32) for n in graph.inputs]


@pytest.mark.parametrize("reverse", [False, True])
def test_steps_of_a_loop_agree_with_the_reference(reverse: bool) -> None:
    graph = alone(prepared(recurrent(reverse)))
    arrays = numbers(graph)
    want = reference.build(graph.outputs)(arrays)
    for a, b in zip(run(graph, lower_scan(graph, kernels), arrays), want, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


def test_the_gradient_of_a_weight_is_collected_after_the_loop() -> None:
    last, every, _ = recurrent(False)
    outputs = [ops.sum(last * last, axis=(0, 1)) + ops.sum(every, axis=(0, 1, 2))]
    gradient = derivative(outputs, [ops.const(1.0, dtypes.float32)], [x(2, 3, 3)])
    (w,) = gradient.gradients
    assert w is not None
    before = prepared([w])
    scans = [n for n in topological(before) if n.op.name == "scan"]
    assert max(n.attr("carries") for n in scans) == 1
    products = [n.attr("spec") for n in topological(before) if n.op.name == "contract"]
    assert any(len(spec) == len("aAk,aAo->ok") for spec in products)
