"""Nests of loops compute what the reference computes, whatever is fused."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from native import run_kernel

from chainrule import dtypes, ops
from chainrule.autodiff import derivative
from chainrule.backends import reference
from chainrule.backends.llvm.target import host
from chainrule.ir.graph import Graph, topological
from chainrule.ir.node import Node
from chainrule.rewrite import decompose, fold, simplify
from chainrule.schedule.interpret import interpret
from chainrule.schedule.lines import WRITERS, lower_lines
from chainrule.schedule.loops import SIZE, Kernel
from chainrule.schedule.lowered import Lowered
from chainrule.schedule.nests import lower_flat, lower_nest
from chainrule.schedule.text import print_kernel
from chainrule.schedule.vectorise import vectorise
from chainrule.schedule.verify import verify_kernel


def x(number: int, *shape: int, dtype: dtypes.DType = dtypes.float32) -> Node:
    return ops.input(index=number, shape=shape, dtype=dtype)


def graph_of(*outputs: Node) -> Graph:
    nodes = list(outputs)
    for rewrite in (decompose, fold, simplify):
        nodes = rewrite(nodes)
    inputs = [n for n in topological(nodes) if n.op.name == "input"]
    return Graph(sorted(inputs, key=lambda n: n.attr("index")), nodes)


Runner = Callable[..., object]


def native(kernel: Kernel, given: dict[str, np.ndarray | int], lo: int, hi: int) -> None:
    assert run_kernel(vectorise(kernel, host().vector_bytes), given, lo=lo, hi=hi) is None


def run(
    graph: Graph, lowered: Lowered, arrays: list[np.ndarray], runner: Runner = interpret
) -> list[np.ndarray]:
    """Every kernel of a lowered graph, its iterations in two uneven parts."""
    outputs = [np.zeros(max(int(np.prod(o.shape)), 1), o.dtype.np) for o in graph.outputs]
    inputs = [np.ascontiguousarray(a).reshape(-1) for a in arrays]
    for step in lowered.steps:
        verify_kernel(step.kernel)
        memory = {"input": inputs, "output": outputs}
        given = {
            b.name: p.number if p.what == "number" else memory[p.what][p.number]
            for b, p in zip(step.kernel.buffers, step.places, strict=True)
        }
        cut = step.extent // 3
        runner(step.kernel, given, cut, step.extent)
        runner(step.kernel, given, 0, cut)
    return [o.reshape(n.shape) for o, n in zip(outputs, graph.outputs, strict=True)]


def numbers(node: Node, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed + node.attr("index"))
    if node.dtype.category == dtypes.FLOAT:
        return rng.normal(size=node.shape).astype(node.dtype.np)
    return rng.integers(0, 3, node.shape).astype(node.dtype.np)


def check(graph: Graph, lowered: Lowered, tolerance: float = 1e-5) -> None:
    arrays = [numbers(n) for n in graph.inputs]
    every = [np.zeros(0)] * (1 + max((n.attr("index") for n in graph.inputs), default=0))
    for n, a in zip(graph.inputs, arrays, strict=True):
        every[n.attr("index")] = a
    want = reference.build(graph.outputs)(every)
    for runner in (interpret, native):
        for a, b in zip(run(graph, lowered, arrays, runner), want, strict=True):
            np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)


i64 = dtypes.int64
POOL = {"size": (2, 2), "stride": (2, 2), "low": (0, 0), "high": (0, 0), "dilation": (1, 1)}

NESTS: dict[str, list[Node]] = {
    "one number": [x(0) + x(1)],
    "a row is repeated": [x(0, 12, 70) * 2.0 + x(1, 70)],
    "several outputs": [x(0, 6, 5) + 1.0, x(0, 6, 5) * x(1, 6, 1)],
    "softmax": [ops.softmax(x(0, 4, 3, 40), axis=-1)],
    "softmax across": [ops.softmax(x(0, 3, 24, 20), axis=1)],
    "log softmax and its parts": [ops.log_softmax(x(0, 7, 33), axis=1)],
    "centred rows, and their means": [
        x(0, 9, 50) - ops.mean(x(0, 9, 50), axis=(1,), keepdim=True),
        ops.mean(x(0, 9, 50), axis=(1,), keepdim=True),
    ],
    "sum of columns": [ops.sum(x(0, 77, 70), axis=(0,), keepdim=False)],
    "sum of everything": [ops.sum(x(0, 20, 30), axis=(0, 1), keepdim=False)],
    "statistics of channels": [ops.sum(x(0, 5, 6, 4, 5), axis=(0, 2, 3), keepdim=False)],
    "channels normalised": [
        x(0, 5, 6, 4, 5) - ops.mean(x(0, 5, 6, 4, 5), axis=(0, 2, 3), keepdim=True)
    ],
    "heads": [ops.permute(ops.reshape(x(0, 3, 8, 24), shape=(3, 8, 4, 6)), order=(0, 2, 1, 3))],
    "places, times a number that is known late": [
        ops.iota(length=19, dtype=i64) * x(0, dtype=i64),
        x(0, dtype=i64) * (ops.iota(length=19, dtype=i64) * ops.iota(length=19, dtype=i64)),
    ],
    "transposed": [ops.permute(x(0, 20, 33), order=(1, 0)) + 1.0],
    "a border": [ops.pad(x(0, 2, 5, 6), low=(0, 1, 2), high=(1, 0, 2), value=3.0)],
    "pieces": [ops.cat(x(0, 3, 4), x(1, 3, 2), x(2, 3, 5), axis=1)],
    "long pieces": [ops.cat(x(0, 3, 20), x(1, 3, 40), x(2, 3, 17), axis=1) * 2.0],
    "parts written and added": [
        ops.slice_update(x(0, 3, 60), x(1, 3, 20), start=(0, 20), stop=(3, 40), step=(1, 1))
        + ops.slice_update(x(0, 3, 60), x(2, 3, 20), start=(0, 40), stop=(3, 60), step=(1, 1))
    ],
    "every second, backwards": [
        ops.slice(x(0, 4, 9), start=(1, 8), stop=(4, -1), step=(2, -2)) * 2.0
    ],
    "written through": [
        ops.slice_update(x(0, 4, 9), x(1, 2, 3), start=(0, 2), stop=(4, 8), step=(2, 2))
    ],
    "largest of windows": [
        ops.amax(
            ops.windows(x(0, 2, 3, 8, 8), size=(2, 2), stride=(2, 2), dilation=(1, 1)),
            axis=(4, 5), keepdim=False,
        )
    ],
    "windows added back": [
        ops.unwindows(x(0, 2, 2, 2, 3, 2), shape=(5, 7), stride=(2, 3), dilation=(1, 2))
    ],
    "windows side by side added back": [
        ops.unwindows(x(0, 2, 3, 4, 2, 2) * 2.0, shape=(6, 8), stride=(2, 2), dilation=(1, 1))
    ],
    "gradient of the largest of windows": list(
        derivative(
            [ops.max_pool(x(0, 2, 6, 8), **POOL)], [x(1, 2, 3, 4)], [x(0, 2, 6, 8)]
        ).gradients
    ),
    "which is the largest": [ops.argmax(x(0, 5, 40), axis=1), ops.argmin(x(0, 5, 40), axis=1)],
    "which of few, across": [ops.argmax(x(0, 4, 30), axis=0)],
    "rows that are looked up": [ops.take(x(0, 3, 20), x(1, 6, dtype=i64), axis=0) + 1.0],
    "one element of each row": [ops.take_along(x(0, 6, 3), x(1, 6, 1, dtype=i64), axis=1)],
    "one element of each row is written": [
        ops.scatter(x(0, 6, 3), x(1, 6, 1, dtype=i64), x(2, 6, 1), axis=1, mode="add")
    ],
    "a product, element by element": [ops.contract(x(0, 3, 20), x(1, 20, 5), spec="ik,kj->ij")],
    "diagonals": [ops.diagonal(x(0, 2, 5, 6), offset=1)],
    "is there any": [ops.any_(x(0, 3, 40) > 2.0, axis=(1,), keepdim=False)],
    "integers": [x(0, 30, dtype=i64) * 2 + x(1, 30, dtype=i64)],
}  # fmt: skip


@pytest.mark.parametrize("name", NESTS)
def test_nests_agree_with_the_reference(name: str) -> None:
    graph = graph_of(*NESTS[name])
    check(graph, lower_nest(graph))


def test_a_short_reduction_does_not_cut_the_rows_of_a_long_one() -> None:
    """Which of four is the largest, of channels that are centred: the mean is taken 3 times, not
    once for every window.
    """
    y = x(0, 5, 3, 6, 6) - ops.mean(x(0, 5, 3, 6, 6), axis=(0, 2, 3), keepdim=True)
    w = ops.windows(y, size=(2, 2), stride=(2, 2), dilation=(1, 1))
    w = ops.reshape(ops.permute(w, order=(4, 5, 0, 1, 2, 3)), shape=(4, 5, 3, 3, 3))
    number = ops.reshape(ops.iota(length=4, dtype=i64), shape=(4, 1, 1, 1, 1))
    graph = graph_of(ops.eq(number, ops.argmax(w, axis=0)))
    lowered = lower_nest(graph)
    assert [step.extent for step in lowered.steps] == [3]
    check(graph, lowered)


def test_statistics_of_as_many_channels_as_there_are_images_stay_statistics_of_channels() -> None:
    image = x(0, 5, 5, 6, 6)
    mean = ops.mean(image, axis=(0, 2, 3), keepdim=True)
    outputs = [image - mean, ops.reshape(mean, shape=(5,)), (image - mean) * 2.0]
    graph = graph_of(*outputs)
    lowered = lower_nest(graph)
    assert [step.extent for step in lowered.steps] == [5]
    assert print_kernel(lowered.steps[0].kernel).count("add=") == 1  # one sum for each channel
    check(graph, lowered)


def test_a_mean_is_taken_once_also_where_windows_reach_over_the_border() -> None:
    image = x(0, 5, 3, 6, 6)
    y = image - ops.mean(image, axis=(0, 2, 3), keepdim=True)
    padded = ops.pad(y, low=(0, 0, 1, 1), high=(0, 0, 1, 1), value=-1e9)
    w = ops.windows(padded, size=(3, 3), stride=(1, 1), dilation=(1, 1))
    graph = graph_of(ops.amax(w, axis=(4, 5), keepdim=False))
    lowered = lower_nest(graph)
    assert [step.extent for step in lowered.steps] == [3]
    assert print_kernel(lowered.steps[0].kernel).count("add=") == 1
    check(graph, lowered)


def test_large_arrays_are_cut_into_blocks() -> None:
    graph = graph_of(x(0, 9000) * 2.0)
    lowered = lower_nest(graph)
    assert lowered.steps[0].extent == 5
    check(graph, lowered)


def test_flat_kernels_take_their_length_at_run_time() -> None:
    graph = graph_of(x(0, 5000) * x(1) + 1.0)
    lowered = lower_flat(graph, 5000)
    assert all(b.size in (0, 1) for b in lowered.steps[0].kernel.buffers)
    check(graph, lowered)


LINES: dict[str, Node] = {
    "running sum of rows": ops.cumsum(x(0, 3, 20), axis=1),
    "running sum across": ops.cumsum(x(0, 20, 7), axis=0),
    "running product": ops.cumprod(x(0, 4, 3), axis=1),
    "running largest": ops.running_argmax(x(0, 6, 8), axis=0),
    "order of rows": ops.argsort(x(0, 3, 21), axis=1, descending=False),
    "order of columns, falling": ops.argsort(x(0, 13, 4, dtype=i64), axis=0, descending=True),
    "rows added": ops.put(x(0, 3, 8), x(1, 5, dtype=i64), x(2, 5, 8), axis=0, mode="add"),
    "columns written": ops.put(x(0, 4, 3), x(1, 2, dtype=i64), x(2, 4, 2), axis=1, mode="set"),
    "scattered along rows": ops.scatter(
        x(0, 3, 4), x(1, 2, 3, dtype=i64), x(2, 2, 5), axis=1, mode="add"
    ),
    "largest scattered across": ops.scatter(
        x(0, 3, 6), x(1, 2, 6, dtype=i64), x(2, 2, 6), axis=0, mode="amax"
    ),
}


@pytest.mark.parametrize("name", LINES)
def test_lines_agree_with_the_reference(name: str) -> None:
    graph = graph_of(LINES[name])
    assert graph.outputs[0].op.name in WRITERS
    check(graph, lower_lines(graph))


shapes = st.lists(st.integers(1, 5), min_size=1, max_size=4).map(tuple)


@settings(max_examples=40, deadline=None)
@given(shapes, st.data())
def test_any_reshape_and_permutation_agrees(shape: tuple[int, ...], data: st.DataObject) -> None:
    order = tuple(data.draw(st.permutations(range(len(shape)))))
    moved = ops.permute(x(0, *shape), order=order)
    flat = ops.reshape(moved, shape=(int(np.prod(shape)),))
    back = ops.reshape(flat, shape=tuple(reversed(shape)))
    graph = graph_of(back * 2.0)
    check(graph, lower_nest(graph))


def test_memory_has_the_sizes_of_the_kinds() -> None:
    assert {d.short for d in dtypes.REAL} - {"bool"} <= set(SIZE)
