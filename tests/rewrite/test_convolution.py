"""Gradients of convolutions in their input, and transposed ones, as convolutions: the same numbers,
and no windows that are added back.
"""

import textwrap

import numpy as np
import pytest

from chainrule import dtypes, ops
from chainrule.autodiff.reverse import gradients
from chainrule.ir import parse, print_graph, verify
from chainrule.ir.graph import topological
from chainrule.ir.interpret import interpret
from chainrule.ir.node import Node
from chainrule.rewrite import convolve, decompose, fold, simplify


def x(index: int, *shape: int) -> Node:
    return ops.input(index=index, shape=shape, dtype=dtypes.float64)


def flat(*outputs: Node) -> list[Node]:
    return simplify(fold(decompose(outputs)))


def check(y: Node, gone: bool = True) -> None:
    before = flat(y)
    after = convolve(before)
    verify(after)
    names = {n.op.name for n in topological(after)}
    assert ("unwindows" not in names) == gone
    inputs = [n for n in topological(before) if n.op.name == "input"]
    rng = np.random.default_rng(0)
    bound = {i: rng.standard_normal(i.shape) for i in inputs}
    (want,), (got,) = interpret(before, bound), interpret(after, bound)
    np.testing.assert_allclose(got, want, rtol=1e-12, atol=1e-12)


CASES = [
    ((2, 3, 8, 9), (4, 3, 3, 3), (1, 1), (1, 1), (1, 1), 1),
    ((2, 3, 8, 9), (4, 3, 3, 2), (1, 1), (0, 0), (1, 1), 1),
    ((2, 3, 8, 8), (4, 3, 3, 3), (2, 2), (1, 1), (1, 1), 1),
    ((2, 3, 9, 7), (4, 3, 3, 3), (2, 3), (1, 0), (1, 1), 1),
    ((2, 3, 8, 8), (4, 3, 1, 1), (2, 2), (0, 0), (1, 1), 1),
    ((2, 3, 12, 12), (4, 3, 3, 3), (1, 2), (2, 2), (2, 2), 1),
    ((2, 3, 13, 12), (4, 3, 3, 3), (3, 2), (2, 2), (2, 3), 1),
    ((2, 4, 8, 8), (6, 2, 3, 3), (2, 1), (1, 1), (1, 1), 2),
    ((2, 4, 8, 8), (4, 1, 3, 3), (1, 1), (1, 1), (1, 1), 4),
    ((2, 3, 20), (4, 3, 5), (3,), (2,), (1,), 1),
    ((1, 2, 5, 6, 7), (3, 2, 3, 2, 3), (1, 2, 2), (1, 0, 1), (1, 1, 1), 1),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_gradient_in_the_input(case: tuple) -> None:
    xs, ws, stride, pad, dilation, groups = case
    y = ops.conv(
        x(0, *xs), x(1, *ws), stride=stride, low=pad, high=pad, dilation=dilation, groups=groups
    )
    (dx,) = gradients(ops.sum(y * x(2, *y.shape)), [x(0, *xs)])
    check(dx)


TRANSPOSED = [
    ((2, 3, 5, 4), (3, 4, 3, 3), (1, 1), (1, 1), (0, 0), (1, 1), 1),
    ((2, 3, 5, 4), (3, 4, 3, 3), (2, 2), (1, 1), (1, 1), (1, 1), 1),
    ((2, 4, 5, 4), (4, 3, 4, 2), (2, 3), (0, 1), (1, 0), (1, 1), 2),
    ((2, 3, 6), (3, 4, 3), (2,), (1,), (0,), (2,), 1),
]


@pytest.mark.parametrize("case", TRANSPOSED, ids=str)
def test_transposed_convolutions(case: tuple) -> None:
    xs, ws, stride, padding, output_padding, dilation, groups = case
    check(ops.conv_transpose(
        x(0, *xs), x(1, *ws), stride=stride, padding=padding, output_padding=output_padding,
        dilation=dilation, groups=groups,
    ))  # fmt: skip


def test_a_large_kernel_on_a_small_image_stays() -> None:
    y = ops.conv_transpose(
        x(0, 2, 3, 1, 1), x(1, 3, 4, 4, 4), stride=(1, 1), padding=(0, 0),
        output_padding=(0, 0), dilation=(1, 1),
    )  # fmt: skip
    check(y, gone=False)


def test_the_pass_as_text() -> None:
    before = """
        graph(%0: f32[2, 4, 6], %1: f32[4, 3, 3]):
          %2 = contract(%0, %1) {spec='nox,ocu->ncxu'} : f32[2, 3, 6, 3]
          %3 = unwindows(%2) {shape=(8,), stride=(1,), dilation=(1,)} : f32[2, 3, 8]
          %4 = slice(%3) {start=(0, 0, 1), stop=(2, 3, 7), step=(1, 1, 1)} : f32[2, 3, 6]
          return %4
        """
    after = """
        graph(%0: f32[2, 4, 6], %1: f32[4, 3, 3]):
          %2 = pad(%0) {low=(0, 0, 1), high=(0, 0, 1), value=0.0} : f32[2, 4, 8]
          %3 = windows(%2) {size=(3,), stride=(1,), dilation=(1,)} : f32[2, 4, 6, 3]
          %4 = slice(%1) {start=(0, 0, 2), stop=(4, 3, -1), step=(1, 1, -1)} : f32[4, 3, 3]
          %5 = contract(%3, %4) {spec='noxu,ocu->ncx'} : f32[2, 3, 6]
          return %5
        """
    graph = parse(textwrap.dedent(before).strip())
    made = simplify(convolve(graph.outputs))
    assert print_graph(made) == textwrap.dedent(after).strip()
