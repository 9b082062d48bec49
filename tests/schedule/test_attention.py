"""Attention in blocks computes what its formula says, and needs no T × T matrix."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from native import run_kernel

from chainrule import compiler, dtypes, ops
from chainrule.autodiff import derivative
from chainrule.backends import reference
from chainrule.backends.llvm import execute, pool
from chainrule.backends.llvm.target import Target, host, named
from chainrule.ir.graph import Graph, topological
from chainrule.ir.node import Node
from chainrule.rewrite import claims, decompose
from chainrule.schedule.attention import lower_attention
from chainrule.schedule.interpret import interpret
from chainrule.schedule.loops import Kernel
from chainrule.schedule.lowered import Lowered
from chainrule.schedule.vectorise import vectorise
from chainrule.schedule.verify import verify_kernel


def x(number: int, *shape: int, dtype: dtypes.DType = dtypes.float32) -> Node:
    return ops.input(index=number, shape=shape, dtype=dtype)


def graph_of(*outputs: Node) -> Graph:
    inputs = [n for n in topological(outputs) if n.op.name == "input"]
    return Graph(sorted(inputs, key=lambda n: n.attr("index")), outputs)


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
        largest = max(float(np.abs(b).max()), 1.0)
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance * largest)


def forward(t: int, s: int, d: int, e: int, causal: bool, dtype: dtypes.DType) -> Graph:
    q, k, v = (x(i, 3, *n, dtype=dtype) for i, n in enumerate(((t, d), (s, d), (s, e))))
    return graph_of(ops.attention(q, k, v, causal=causal))


def gradient(t: int, s: int, d: int, e: int, causal: bool, dtype: dtypes.DType) -> Graph:
    q, k, v = (x(i, 3, *n, dtype=dtype) for i, n in enumerate(((t, d), (s, d), (s, e))))
    g, y = x(3, 3, t, e, dtype=dtype), x(4, 3, t, e, dtype=dtype)
    return graph_of(*ops.items(ops.attention_gradient(g, y, q, k, v, causal=causal)))


def whole(t: int, s: int, d: int, e: int, causal: bool, dtype: dtypes.DType) -> Graph:
    """With heads enough, and sums of rows from forward: one kernel for all of a head."""
    q, k, v = (x(i, 16, *n, dtype=dtype) for i, n in enumerate(((t, d), (s, d), (s, e))))
    g, y = x(3, 16, t, e, dtype=dtype), x(4, 16, t, e, dtype=dtype)
    z = x(5, 16, t, dtype=dtype)
    node = ops.attention_gradient(g, y, q, k, v, z, causal=causal)
    return graph_of(*ops.items(node))


def forward_rows(t: int, s: int, d: int, e: int, causal: bool, dtype: dtypes.DType) -> Graph:
    q, k, v = (x(i, 3, *n, dtype=dtype) for i, n in enumerate(((t, d), (s, d), (s, e))))
    return graph_of(*ops.items(ops.attention_rows(q, k, v, causal=causal)))


MAKERS = (forward, forward_rows, gradient, whole)
SIZES = [(1, 1, 1, 1), (7, 5, 3, 4), (40, 33, 25, 8), (64, 64, 32, 32), (70, 70, 9, 17)]


@pytest.mark.parametrize("sizes", SIZES, ids=str)
@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("make", MAKERS)
def test_blocks_say_what_the_formula_says(
    make: Callable[..., Graph], sizes: tuple[int, ...], causal: bool
) -> None:
    graph = make(*sizes, causal, dtypes.float32)
    check(graph, list(graph.outputs))


def test_the_interpreter_says_the_same() -> None:
    for make in MAKERS:
        graph = make(9, 7, 3, 2, True, dtypes.float32)
        check(graph, list(graph.outputs), interpret)


@pytest.mark.parametrize("target", ["avx512", "neon", "x86-64"])
def test_other_processors_compute_the_same(target: str) -> None:
    graph = gradient(11, 20, 3, 5, True, dtypes.float32)
    check(graph, list(graph.outputs), interpret, named(target))


@settings(max_examples=12, deadline=None)
@given(
    st.tuples(st.integers(1, 70), st.integers(1, 70), st.integers(1, 40), st.integers(1, 40)),
    st.booleans(),
    st.sampled_from([dtypes.float32, dtypes.float64]),
)
def test_any_sizes(sizes: tuple[int, ...], causal: bool, dtype: dtypes.DType) -> None:
    for make in MAKERS:
        graph = make(*sizes, causal, dtype)
        check(graph, list(graph.outputs))


def test_long_rows_go_through_several_blocks() -> None:
    for causal in (False, True):
        for make in MAKERS:
            graph = make(400, 300, 16, 8, causal, dtypes.float32)
            check(graph, list(graph.outputs))


def test_heads_are_read_where_they_lie() -> None:
    """Queries, keys and values are pieces of one array, turned around."""
    whole = x(0, 2, 50, 3 * 4 * 9)

    def heads(i: int) -> Node:
        part = ops.narrow(whole, 2, i * 36, 36)
        return ops.permute(ops.reshape(part, shape=(2, 50, 4, 9)), order=(0, 2, 1, 3))

    graph = graph_of(ops.attention(heads(0), heads(1), heads(2), causal=True))
    lowered = lower_attention(graph, host())
    assert len(lowered.steps) == 1 and not lowered.temporaries
    check(graph, list(graph.outputs))


def test_the_rule_is_the_derivative_of_the_formula() -> None:
    q, k, v, g = (x(i, 2, 6, 4, dtype=dtypes.float64) for i in range(4))
    y = ops.attention(q, k, v, causal=True)
    (opened,) = decompose([y])
    arrays = [np.random.default_rng(i).normal(size=(2, 6, 4)) for i in range(4)]
    got, want = (
        reference.build([n for n in derivative([o], [g], [q, k, v]).gradients if n is not None])(
            arrays
        )
        for o in (y, opened)
    )
    for a, b in zip(got, want, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12)


def test_rows_with_infinite_scores_are_what_the_formula_says() -> None:
    graph = forward(9, 200, 4, 3, False, dtypes.float32)
    rng = np.random.default_rng(0)
    arrays = [rng.normal(size=n.shape).astype(np.float32) for n in graph.inputs]
    arrays[0][:] = np.abs(arrays[0])
    arrays[1][0, :150] = -np.inf
    arrays[1][1, 3] = np.inf
    arrays[2][2, 7] = np.nan
    with np.errstate(invalid="ignore"):
        (want,) = reference.build(graph.outputs)(arrays)
    (got,) = run(graph, lower_attention(graph, host()), arrays, native)
    np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-6)


# ------------------------------------------------------------------ whole programs


def training(t: int, heads: int, d: int, causal: bool) -> list[Node]:
    q, k, v, g = (x(i, heads, t, d) for i in range(4))
    y = ops.attention(q, k, v, causal=causal)
    return [y, *(n for n in derivative([y], [g], [q, k, v]).gradients if n is not None)]


@pytest.mark.parametrize("causal", [False, True])
def test_memory_grows_with_the_length(causal: bool) -> None:
    t, d = 4096, 16
    program = compiler.compile(training(t, 1, d, causal))
    made = execute.build(program.nodes)
    assert not made.report.host
    biggest = max(np.prod(o.shape) * 4 for w in made.plan.order for o in w.fused.outputs)
    assert biggest == t * d * 4
    assert made.plan.arena < 10 * t * d * 4
    assert max(c.work for c in made.codes.values()) < 2 << 20


@pytest.mark.parametrize("heads", [5, 16])  # with 16, one kernel is all of the gradient
def test_results_do_not_depend_on_threads(heads: int) -> None:
    nodes = training(300, heads, 16, True)
    arrays = [
        np.random.default_rng(i).normal(size=(heads, 300, 16)).astype(np.float32) for i in range(4)
    ]
    program = execute.build(compiler.compile(nodes).nodes)
    before = pool.get_num_threads()
    found = []
    try:
        for threads in (1, 2):
            pool.set_num_threads(threads)
            found.append(program(arrays))
    finally:
        pool.set_num_threads(before)
    for a, b in zip(*found, strict=True):
        assert a.tobytes() == b.tobytes()
    exact = reference.build(nodes)(arrays)
    for a, b in zip(found[0], exact, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


def test_small_attention_becomes_its_formula() -> None:
    assert not any(claims(n) for n in topological(training(48, 8, 32, True)))
    assert sum(claims(n) for n in topological(training(1024, 48, 64, False))) == 2
