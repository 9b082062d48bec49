"""A node: one op applied to nodes. It has a shape and no value, and never changes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

Shape = tuple[int, ...]


class Node:
    """`op(*inputs, **attrs)`, written down."""

    __slots__ = ("attrs", "inputs", "op", "shape")

    def __init__(self, op: Any, inputs: tuple[Node, ...], attrs: dict[str, Any]) -> None:
        self.op, self.inputs, self.attrs = op, inputs, attrs
        self.shape: Shape = op.shape(*(i.shape for i in inputs), **attrs)

    def __repr__(self) -> str:
        return f"{self.op.name}{self.shape}"


_known: dict[tuple[Any, ...], Node] = {}


def node(op: Any, *inputs: Node, **attrs: Any) -> Node:
    """Make the node, or find it: equal nodes are one object, so nothing is computed twice."""
    key = (op, inputs, tuple(attrs.items()))
    if key not in _known:
        _known[key] = Node(op, inputs, attrs)
    return _known[key]


def topological(outputs: Sequence[Node]) -> list[Node]:
    """Every node that the outputs need, each after its inputs."""
    order: dict[Node, None] = {}
    stack = [(n, False) for n in reversed(outputs)]
    while stack:
        n, ready = stack.pop()
        if ready:
            order[n] = None
        elif n not in order:
            stack.append((n, True))
            stack.extend((i, False) for i in reversed(n.inputs))
    return list(order)


def users(outputs: Sequence[Node]) -> dict[Node, list[Node]]:
    """Who reads a node, once for every time."""
    found: dict[Node, list[Node]] = {}
    for n in topological(outputs):
        found.setdefault(n, [])
        for i in n.inputs:
            found[i].append(n)
    return found
