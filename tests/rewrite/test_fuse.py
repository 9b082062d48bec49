"""Fusion, as text and by meaning: kernels one after another compute what the graph does."""

import textwrap

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from random_graphs import graphs, prepared, values

from chainrule import dtypes, ops
from chainrule.autodiff import gradients
from chainrule.backends.reference import build
from chainrule.ir import parse
from chainrule.ir.graph import topological
from chainrule.ir.node import Node
from chainrule.rewrite.fuse import FLAT, Fused, fuse, print_fused
from chainrule.rewrite.homes import is_leaf

CASES = {
    "elementwise nodes of one shape are one flat kernel, whatever their size": (
        """
        graph(%0: f32[10, 20], %1: f32[10, 20], %2: f32[]):
          %3 = mul(%2, %1) : f32[10, 20]
          %4 = sub(%0, %3) : f32[10, 20]
          return %4
        """,
        """
        t0 = flat of 200(%0, %2, %1)
        graph k(%0: f32[4096], %1: f32[], %2: f32[4096]):
          %3 = mul(%1, %2) : f32[4096]
          %4 = sub(%0, %3) : f32[4096]
          return %4
        """,
    ),
    "bias and activation end a product": (
        """
        graph(%0: f32[64, 32], %1: f32[32, 48], %2: f32[48]):
          %3 = contract(%0, %1) {spec='ik,kj->ij'} : f32[64, 48]
          %4 = add(%3, %2) : f32[64, 48]
          %5 = const() {value=0.0, dtype=f32} : f32[]
          %6 = maximum(%4, %5) : f32[64, 48]
          return %6
        """,
        """
        t0 = contract(%0, %1, %2)
        graph k(%0: f32[64, 32], %1: f32[32, 48], %2: f32[48]):
          %3 = contract(%0, %1) {spec='ik,kj->ij'} : f32[64, 48]
          %4 = add(%3, %2) : f32[64, 48]
          %5 = const() {value=0.0, dtype=f32} : f32[]
          %6 = maximum(%4, %5) : f32[64, 48]
          return %6
        """,
    ),
    "a softmax is one kernel": (
        """
        graph(%0: f32[512, 100]):
          %1 = amax(%0) {axis=(1,), keepdim=True} : f32[512, 1]
          %2 = sub(%0, %1) : f32[512, 100]
          %3 = exp(%2) : f32[512, 100]
          %4 = sum(%3) {axis=(1,), keepdim=True} : f32[512, 1]
          %5 = div(%3, %4) : f32[512, 100]
          return %5
        """,
        """
        t0 = nest(%0)
        graph k(%0: f32[512, 100]):
          %1 = amax(%0) {axis=(1,), keepdim=True} : f32[512, 1]
          %2 = sub(%0, %1) : f32[512, 100]
          %3 = exp(%2) : f32[512, 100]
          %4 = sum(%3) {axis=(1,), keepdim=True} : f32[512, 1]
          %5 = div(%3, %4) : f32[512, 100]
          return %5
        """,
    ),
    "what is cheap is computed twice instead of being stored": (
        """
        graph(%0: f32[512, 100], %1: f32[100, 8]):
          %2 = const() {value=2.0, dtype=f32} : f32[]
          %3 = mul(%0, %2) : f32[512, 100]
          %4 = sum(%3) {axis=(0,), keepdim=False} : f32[100]
          %5 = contract(%3, %1) {spec='ik,kj->ij'} : f32[512, 8]
          return %4, %5
        """,
        """
        t0 = nest(%0)
        graph k(%0: f32[512, 100]):
          %1 = const() {value=2.0, dtype=f32} : f32[]
          %2 = mul(%0, %1) : f32[512, 100]
          %3 = sum(%2) {axis=(0,), keepdim=False} : f32[100]
          return %3
        t1 = contract(%0, %1)
        graph k(%0: f32[512, 100], %1: f32[100, 8]):
          %2 = const() {value=2.0, dtype=f32} : f32[]
          %3 = mul(%0, %2) : f32[512, 100]
          %4 = contract(%3, %1) {spec='ik,kj->ij'} : f32[512, 8]
          return %4
        """,
    ),
    "what is dear, and read by a product, is stored": (
        """
        graph(%0: f32[512, 100], %1: f32[100, 8]):
          %2 = tanh(%0) : f32[512, 100]
          %3 = contract(%2, %1) {spec='ik,kj->ij'} : f32[512, 8]
          return %3
        """,
        """
        t0 = flat of 51200(%0)
        graph k(%0: f32[4096]):
          %1 = tanh(%0) : f32[4096]
          return %1
        t1 = contract(t0, %1)
        graph k(%0: f32[512, 100], %1: f32[100, 8]):
          %2 = contract(%0, %1) {spec='ik,kj->ij'} : f32[512, 8]
          return %2
        """,
    ),
    "sorting is a kernel by itself, and reads through views": (
        """
        graph(%0: f32[8, 100]):
          %1 = permute(%0) {order=(1, 0)} : f32[100, 8]
          %2 = argsort(%1) {axis=0, descending=False} : i64[100, 8]
          return %2
        """,
        """
        t0 = single(%0)
        graph k(%0: f32[8, 100]):
          %1 = permute(%0) {order=(1, 0)} : f32[100, 8]
          %2 = argsort(%1) {axis=0, descending=False} : i64[100, 8]
          return %2
        """,
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_kernels(name: str) -> None:
    before, after = CASES[name]
    assert print_fused(fuse(parse(before).outputs)) == textwrap.dedent(after).strip()


def sized(fused: Fused) -> list[Node]:
    """The outputs of a kernel's graph; a flat one at its true size."""
    if fused.kind != "flat":
        return list(fused.graph.outputs)
    new: dict[Node, Node] = {}
    for n in topological(fused.graph.outputs):
        if n.op.name == "input":
            shape = (fused.length,) if n.shape == (FLAT,) else ()
            new[n] = ops.input(index=n.attr("index"), shape=shape, dtype=n.dtype, scope="k")
        else:
            new[n] = n if not n.inputs else n.op.make(tuple(new[i] for i in n.inputs), n.attrs)
    return [new[o] for o in fused.graph.outputs]


def run_kernels(outputs: list[Node], arrays: list[np.ndarray]) -> list[np.ndarray]:
    """The kernels, each by the reference backend."""
    known: dict[Node, np.ndarray] = {}

    def value(n: Node) -> np.ndarray:
        if n.op.name == "const":
            return np.asarray(n.attr("value"), n.dtype.np)
        return known[n] if n in known else arrays[n.attr("index")]

    for k in fuse(outputs):
        given = [value(i) for i in k.inputs]
        if k.kind == "flat":
            given = [a.reshape(-1) if a.shape else a for a in given]
        made = build(sized(k))(given)
        for o, v in zip(k.outputs, made, strict=True):
            known[o] = v.reshape(o.shape)
    return [value(o) for o in outputs]


@settings(max_examples=150, deadline=None, derandomize=True)
@given(graphs(), st.integers(0, 9), st.booleans())
def test_kernels_one_by_one_compute_the_graph(
    graph: tuple[list[Node], list[Node]], seed: int, derived: bool
) -> None:
    inputs, outputs = graph
    arrays = values(inputs, seed)
    if derived:
        outputs = [outputs[-1], *gradients(ops.sum(outputs[-1]), inputs)]
    nodes = prepared(outputs)
    with np.errstate(all="ignore"):
        want, got = build(nodes)(arrays), run_kernels(nodes, arrays)
    for a, b in zip(want, got, strict=True):
        np.testing.assert_array_equal(a, b)


def x(index: int, *shape: int) -> Node:
    return ops.input(index=index, shape=shape, dtype=dtypes.float32)


def test_the_update_of_a_parameter_is_one_kernel_for_all_sizes() -> None:
    def adam(k: int, *shape: int) -> list[Node]:
        p, g, m, v = (x(i, *shape) for i in range(k, k + 4))
        m = m + (g - m) * 0.1
        v = v * 0.999 + g * g * 0.001
        return [p - m / (ops.sqrt(v) + 1e-8) * x(99), m, v]

    kernels = fuse(prepared([*adam(0, 30, 40), *adam(4, 7)]))
    assert [k.kind for k in kernels] == ["flat", "flat"]
    assert kernels[0].graph == kernels[1].graph and {k.length for k in kernels} == {1200, 7}


def test_equal_layers_are_equal_kernels() -> None:
    h = x(0, 64, 32)
    for i in range(1, 5):
        h = ops.tanh(ops.matmul(h, x(i, 32, 32)))
    kernels = fuse(prepared([h]))
    assert len(kernels) == 4 and len({k.graph for k in kernels}) == 1


def test_every_kernel_reads_what_was_made_before() -> None:
    a = x(0, 64, 32)
    loss = ops.sum(ops.square(ops.softmax(ops.matmul(a, x(1, 32, 32)), axis=1)))
    made: set[Node] = set()
    for k in fuse(prepared(gradients(loss, [a, x(1, 32, 32)]))):
        assert all(is_leaf(i) or i in made for i in k.inputs)
        made.update(k.outputs)


def test_what_is_made_of_constants_alone_is_there_when_a_kernel_of_its_own_reads_it() -> None:
    """An output made of constants lies in memory; then what is computed from it does as well."""
    zero = ops.full((2, 2), 0.0, dtypes.float32)
    read = ops.linalg.cholesky(ops.add(zero, ops.permute(zero, order=(1, 0))))
    there: set[Node] = set()
    for kernel in fuse([zero, ops.stack([zero, zero]), *ops.items(read)]):
        assert {i for i in kernel.inputs if not is_leaf(i)} <= there
        there.update(kernel.outputs)


def test_a_sum_over_a_part_of_a_group_does_not_compute_the_group_again() -> None:
    """Channels are summed whose groups were normalised: a channel is no row of that kernel."""
    y = ops.standardize(x(0, 16, 2, 64), axis=(2,))
    (d,) = gradients(ops.sum(ops.tanh(y)), [x(0, 16, 2, 64)])
    kernels = fuse(prepared([ops.sum(ops.reshape(d, shape=(16, 8, 16)), axis=(2,))]))
    (last,) = (k for k in kernels if k.outputs[0].shape == (16, 8))
    assert [n.op.name for n in topological(last.graph.outputs)].count("sum") == 1
