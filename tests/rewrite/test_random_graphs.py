"""The compiled program computes what the interpreter says, for graphs that nobody wrote."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from random_graphs import graphs, values

from chainrule import compiler, ops
from chainrule.autodiff import gradients
from chainrule.backends import reference
from chainrule.ir import Graph, parse, print_graph
from chainrule.ir.interpret import interpret
from chainrule.ir.node import Node


@settings(max_examples=150, deadline=None, derandomize=True)
@given(graphs(), st.integers(0, 9))
def test_programs_agree_with_the_interpreter(
    graph: tuple[list[Node], list[Node]], seed: int
) -> None:
    inputs, outputs = graph
    arrays = values(inputs, seed)
    compiler.verify_stages = True
    try:
        with np.errstate(all="ignore"):
            got = reference.build(compiler.primitives(outputs))(arrays)
            want = interpret(outputs, dict(zip(inputs, arrays, strict=True)))
    finally:
        compiler.verify_stages = False
    for a, b in zip(got, want, strict=True):
        np.testing.assert_array_equal(a, b)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(graphs(), st.integers(0, 9))
def test_so_do_programs_of_gradients(graph: tuple[list[Node], list[Node]], seed: int) -> None:
    inputs, outputs = graph
    arrays = values(inputs, seed)
    outputs = gradients(ops.sum(outputs[-1]), inputs)
    with np.errstate(all="ignore"):
        got = reference.build(compiler.primitives(outputs))(arrays)
        want = interpret(outputs, dict(zip(inputs, arrays, strict=True)))
    for x, a, b in zip(inputs, got, want, strict=True):
        assert a.shape == x.shape
        np.testing.assert_array_equal(a, b)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(graphs())
def test_text_is_read_back_as_the_same_graph(graph: tuple[list[Node], list[Node]]) -> None:
    inputs, outputs = graph
    assert parse(print_graph(outputs, inputs)) == Graph(inputs, outputs)
