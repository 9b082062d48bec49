"""Attention in blocks computes what its formula says, and needs no T × T matrix."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from native import run_kernel

from chainrule import dtypes, ops
from chainrule.autodiff import gradients
from chainrule.backends import reference
from chainrule.backends.llvm.target import Target, host
from chainrule.ir.graph import Graph, topological
from chainrule.ir.node import Node
from chainrule.rewrite import decompose
from chainrule.schedule.attention import lower_attention
from chainrule.schedule.loops import Kernel
from chainrule.schedule.lowered import Lowered
from chainrule.schedule.vectorise import vectorise
from chainrule.schedule.verify import verify_kernel


def x(number: int, *shape: int, dtype: dtypes.DType = dtypes.float32) -> Node:
    return ops.input(index=number, shape=shape, dtype=dtype)


def graph_of(*outputs: Node) -> Graph:
    inputs = [n for n in topological(outputs) if n.op.name == "input"]
    return Graph(sorted(inputs, key=lambda n: n.attr("index")), outputs)


def derived(y: Node, g: Node, inputs: list[Node]) -> list[Node]:
    """The gradient that follows from the formula of attention."""
    (opened,) = decompose([y])
    return [n for n in gradients(opened, inputs, g) if n is not None]


Runner = Callable[[Kernel, dict[str, np.ndarray], int, int], object]


def native(kernel: Kernel, given: dict[str, np.ndarray], lo: int, hi: int) -> None:
    assert run_kernel(kernel, given, lo=lo, hi=hi) is None


def run(
    graph: Graph, lowered: Lowered, arrays: list[np.ndarray], runner: Runner
) -> list[np.ndarray]:
    """Every kernel, its iterations in two uneven parts, on memory that is never zero by luck."""
    outputs = [np.full(int(np.prod(o.shape)), np.nan, o.dtype.np) for o in graph.outputs]
    floats = {"f32": np.float32, "f64": np.float64}
    memory = {
        "input": [np.ascontiguousarray(a).reshape(-1) for a in arrays],
        "output": outputs,
        "temporary": [np.full(t.size, np.nan, floats[t.kind]) for t in lowered.temporaries],
    }
    for step in lowered.steps:
        verify_kernel(step.kernel)
        given = {
            b.name: memory[p.what][p.number]
            for b, p in zip(step.kernel.buffers, step.places, strict=True)
        }
        cut = step.extent // 3
        runner(step.kernel, given, cut, step.extent)
        runner(step.kernel, given, 0, cut)
    return [o.reshape(n.shape) for o, n in zip(outputs, graph.outputs, strict=True)]


def check(
    graph: Graph, want: list[Node], runner: Runner = native, target: Target | None = None
) -> None:
    rng = np.random.default_rng(len(graph.inputs))
    arrays = [rng.normal(size=n.shape).astype(n.dtype.np) for n in graph.inputs]
    lowered = lower_attention(graph, target or host())
    if runner is native:
        vector = (target or host()).vector_bytes
        steps = tuple(s._replace(kernel=vectorise(s.kernel, vector)) for s in lowered.steps)
        lowered = lowered._replace(steps=steps)
    exact = reference.build(decompose(want))(arrays)
    tolerance = 2e-5 if graph.outputs[0].dtype is dtypes.float32 else 1e-12
    for a, b in zip(run(graph, lowered, arrays, runner), exact, strict=True):
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)


def forward(t: int, s: int, d: int, e: int, causal: bool, dtype: dtypes.DType) -> Graph:
    q, k, v = (x(i, 3, *n, dtype=dtype) for i, n in enumerate(((t, d), (s, d), (s, e))))
    return graph_of(ops.attention(q, k, v, causal=causal))


def backward(t: int, s: int, d: int, e: int, causal: bool, dtype: dtypes.DType) -> list[Node]:
    q, k, v = (x(i, 3, *n, dtype=dtype) for i, n in enumerate(((t, d), (s, d), (s, e))))
    y, g = ops.attention(q, k, v, causal=causal), x(3, 3, t, e, dtype=dtype)
    return derived(y, g, [q, k, v])


def gradient(t: int, s: int, d: int, e: int, causal: bool, dtype: dtypes.DType) -> Graph:
    q, k, v = (x(i, 3, *n, dtype=dtype) for i, n in enumerate(((t, d), (s, d), (s, e))))
    g, y = x(3, 3, t, e, dtype=dtype), x(4, 3, t, e, dtype=dtype)
    return graph_of(*ops.items(ops.attention_gradient(g, y, q, k, v, causal=causal)))


SIZES = [(1, 1, 1, 1), (7, 5, 3, 4), (40, 33, 25, 8), (64, 64, 32, 32), (70, 70, 9, 17)]


@pytest.mark.parametrize("sizes", SIZES, ids=str)
@pytest.mark.parametrize("causal", [False, True])
def test_blocks_say_what_the_formula_says(sizes: tuple[int, ...], causal: bool) -> None:
    graph = forward(*sizes, causal, dtypes.float32)
    check(graph, list(graph.outputs))


@pytest.mark.parametrize("sizes", SIZES, ids=str)
@pytest.mark.parametrize("causal", [False, True])
def test_the_gradient_in_blocks_is_its_formula(sizes: tuple[int, ...], causal: bool) -> None:
    graph = gradient(*sizes, causal, dtypes.float32)
    check(graph, list(graph.outputs))
