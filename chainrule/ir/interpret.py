"""The meaning of a graph, executable: every node by its reference, one after another.

Slow and plain on purpose. A backend is right when it agrees with this.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from chainrule.errors import GraphError
from chainrule.ir.graph import children, topological
from chainrule.ir.node import Node


def below(node: Node) -> tuple[Node, ...]:
    """A composite is computed from its formula, a primitive from its inputs."""
    if node.op.is_primitive:
        return children(node)
    out = node.op.expand(node)
    return out if isinstance(out, tuple) else (out,)


def interpret(outputs: Sequence[Node], bound: Mapping[Node, Any]) -> list[Any]:
    """Values of `outputs`, given those of the inputs in `bound`."""
    values: dict[Node, Any] = dict(bound)
    for node in topological(outputs, below=below, stop=lambda n: n in bound):
        if node in values:
            continue
        if node.op.name == "input":
            raise GraphError(f"no value was given for {node}")
        if node.op.is_primitive:
            values[node] = node.op.evaluate(node, [values[i] for i in node.inputs])
        else:
            out = node.op.expand(node)
            values[node] = tuple(values[o] for o in out) if isinstance(out, tuple) else values[out]
    return [values[o] for o in outputs]
