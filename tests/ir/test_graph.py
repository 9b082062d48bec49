"""The waist: nodes are interned and frozen, graphs are printed, read, checked, walked."""

import numpy as np
import pytest

from chainrule import dtypes, ops
from chainrule.errors import GraphError, ShapeError
from chainrule.ir import (
    Graph,
    ancestors,
    depends_on,
    parse,
    print_graph,
    substitute,
    topological,
    verify,
)
from chainrule.ir.interpret import interpret
from chainrule.ir.node import Node, TensorType
from chainrule.ir.op import Op, registry


def x(
    index: int = 0, shape: tuple[int, ...] = (2, 3), dtype: dtypes.DType = dtypes.float32
) -> Node:
    return ops.input(index=index, shape=shape, dtype=dtype)


def test_the_same_node_is_the_same_object() -> None:
    assert ops.exp(x()) + 1.0 is ops.exp(x()) + 1.0
    assert ops.exp(x()) is not ops.exp(x(1))


def test_constants_that_differ_in_type_or_sign_are_different() -> None:
    f = dtypes.float32
    assert ops.const(1, f) is ops.const(1.0, f) is ops.const(True, f)
    assert ops.const(0.0, f) is not ops.const(-0.0, f)
    assert ops.const(1, dtypes.int64) is not ops.const(1, dtypes.int32)
    assert ops.const(float("nan"), f) is ops.const(float("inf") - float("inf"), f)
    assert str(interpret([ops.const(-0.0, f)], {})[0]) == "-0.0"


def test_nodes_are_frozen() -> None:
    with pytest.raises(GraphError, match="frozen"):
        x().shape = (1,)  # type: ignore[misc]


def test_operators_record() -> None:
    a, b = x(0, (2, 2)), x(1, (2, 2))
    names = [
        n.op.name
        for n in (a + b, a - b, a * b, a / b, a**b, a @ b, -a, a < b, a >= b, 2 - a, 1 / a)
    ]
    assert names == ["add", "sub", "mul", "div", "pow", "matmul", "neg", "lt", "ge", "sub", "div"]


def test_an_op_is_defined_once() -> None:
    with pytest.raises(GraphError, match="twice"):
        Op("add", infer=lambda x: x.type, reference=lambda x: x)
    with pytest.raises(GraphError, match="needs a formula"):
        Op("neither")
    assert "neither" not in registry


def test_composites_refuse_unknown_attributes() -> None:
    with pytest.raises(TypeError, match="unexpected"):
        ops.softmax(x(), dim=1)
    with pytest.raises(TypeError, match="needs the attribute"):
        ops.polygamma(x())


def test_wrong_shapes_are_errors_when_a_node_is_made() -> None:
    with pytest.raises(ShapeError):
        ops.add(x(), x(1, (4,)))
    with pytest.raises(ShapeError):
        ops.reshape(x(), shape=(4,))
    with pytest.raises(IndexError):
        ops.sum(x(), axis=2)


def test_topological_order_has_inputs_first_and_each_node_once() -> None:
    a = x()
    b = ops.exp(a)
    c = b * b + a
    order = topological([c])
    assert order.index(a) < order.index(b) < order.index(c) and len(order) == len(set(order)) == 4


def test_deep_graphs_are_walked_without_recursion() -> None:
    node = x(0, ())
    for _ in range(20_000):
        node = node + 1.5
    assert len(topological([node])) > 20_000
    verify([node])
    assert interpret([node], {x(0, ()): np.float32(0)})[0] == pytest.approx(30_000)


def test_walks() -> None:
    a, b = x(), x(1)
    c, d = ops.exp(a), ops.exp(b)
    assert ancestors([c]) == {a, c}
    assert depends_on(topological([c, d]), [a]) == {a, c}
    assert substitute([c * d], {d: a})[0] is c * a
    assert Graph([a], [c])(b) == (d,)


@pytest.mark.parametrize(
    "text",
    [
        "nonsense",
        "graph(%0: f32[2]):\n  %1 = unknown(%0) : f32[2]\n  return %1",
        "graph(%0: f32[2]):\n  %1 = exp(%0) : f32[3]\n  return %1",
        "graph(%0: f32[2]):\n  %1 exp %0\n  return %1",
        "graph(%0: f32[2]):\n  %1 = exp(%0) : f32[2]",
    ],
)
def test_texts_that_are_no_graph_are_refused(text: str) -> None:
    with pytest.raises(GraphError):
        parse(text)


def test_attributes_of_all_kinds_are_printed_and_read() -> None:
    a = x(0, (2, 3))
    y = ops.pad(a, low=(1, 0), high=(0, 0), value=float("-inf"))
    z = ops.gelu(ops.cast(y, dtypes.bfloat16), approximate="tanh")
    w = ops.sum(z, axis=(0,))
    assert parse(print_graph([w, z])) == Graph([a], [w, z])


def test_verify_finds_what_breaks_the_grammar() -> None:
    good = ops.exp(x())
    verify([good])
    wrong = Node(ops.exp, (x(),), (), TensorType((7,), dtypes.float32))
    with pytest.raises(GraphError, match="type rule"):
        verify([wrong])
    with pytest.raises(GraphError, match="composite"):
        verify([ops.relu(x())], primitive=True)
    with pytest.raises(GraphError, match="neither number"):
        verify([Node(ops.exp, (x(),), (("bad", object()),), x().type)])


def test_an_input_without_a_value_is_an_error() -> None:
    with pytest.raises(GraphError, match="no value"):
        interpret([ops.exp(x())], {})
