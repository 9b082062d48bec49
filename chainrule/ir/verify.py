"""The verifier of the graph: run between compiler stages under test, and by hand on a suspect."""

from __future__ import annotations

from collections.abc import Iterable

from chainrule.dtypes import DType
from chainrule.errors import GraphError
from chainrule.ir.graph import Graph, topological
from chainrule.ir.node import Node
from chainrule.ir.op import registry

_ATTRIBUTE = (bool, int, float, str, DType, Graph, type(None))


def verify(outputs: Iterable[Node], *, primitive: bool = False) -> None:
    """Raise GraphError unless every node is registered, typed as its rule says, and has plain
    attributes.

    With `primitive=True`, composites are an error as well: what holds after decomposition.
    """
    for node in topological(outputs):
        if registry.get(node.op.name) is not node.op:
            raise GraphError(f"{node} is not an op of the registry")
        if primitive and not node.op.is_primitive:
            raise GraphError(f"{node} is a composite, but only primitives may be left here")
        for k, v in node.attrs:
            _check_attribute(node, k, v)
        if node.op.infer is not None:
            t = node.op.infer(*node.inputs, **dict(node.attrs))
            if t != node.type:
                raise GraphError(f"{node}: its type rule says {t}")


def _check_attribute(node: Node, name: str, v: object) -> None:
    if isinstance(v, tuple):
        for i in v:
            _check_attribute(node, name, i)
    elif not isinstance(v, _ATTRIBUTE):
        raise GraphError(
            f"{node}: attribute {name}={v!r} is neither number, text, dtype, tuple nor graph"
        )
