"""Composites become their formulas.

needs   any graph
leaves  primitives only, also in the bodies of loops, but for the composites that `keep` asks for:
        those that a backend claims whole

    %1 = sigmoid(%0)   →   %1 = neg(%0); %2 = exp(%1); %3 = add(%2, 1); %4 = div(1, %3)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from chainrule.ir.graph import Graph, children, topological
from chainrule.ir.node import Node


def _nothing(node: Node) -> bool:
    return False


def decompose(outputs: Sequence[Node], keep: Callable[[Node], bool] = _nothing) -> list[Node]:
    """The same values, spelled with primitives, and with composites for which `keep` holds."""

    def below(node: Node) -> tuple[Node, ...]:
        if node.op.is_primitive or keep(node):
            return children(node)
        out = node.op.expand(node)
        return out if isinstance(out, tuple) else (out,)

    # A value with several parts is a node only if it is a primitive; a composite's parts are looked
    # up one by one.
    new: dict[Node, Node | tuple[Node, ...]] = {}
    for node in topological(outputs, below=below):
        if not (node.op.is_primitive or keep(node)):
            out = node.op.expand(node)
            new[node] = tuple(_one(new[o]) for o in out) if isinstance(out, tuple) else new[out]
        elif node.op.name == "item" and isinstance(new[node.inputs[0]], tuple):
            new[node] = new[node.inputs[0]][node.attr("index")]  # type: ignore[index]  # just tested
        else:
            inputs = tuple(_one(new[i]) for i in node.inputs)
            attrs = tuple((k, _body(v, keep)) for k, v in node.attrs)
            new[node] = (
                node
                if inputs == node.inputs and attrs == node.attrs
                else node.op.make(inputs, attrs)
            )
    return [_one(new[o]) for o in outputs]


def _one(x: Node | tuple[Node, ...]) -> Node:
    assert isinstance(x, Node)
    return x


def _body(v: object, keep: Callable[[Node], bool]) -> object:
    return Graph(v.inputs, decompose(v.outputs, keep)) if isinstance(v, Graph) else v
