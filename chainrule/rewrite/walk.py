"""Bottom-up rewriting: every node is rebuilt over rewritten inputs, then offered to the rules."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from chainrule.ir.graph import children, topological
from chainrule.ir.node import Node

Rule = Callable[[Node], "Node | None"]


def rewrite(
    outputs: Sequence[Node],
    rule: Rule,
    below: Callable[[Node], tuple[Node, ...]] = children,
) -> list[Node]:
    """Apply `rule` to every node, inputs first, until it finds nothing more. It gives a
    replacement, or None.
    """
    new: dict[Node, Node] = {}
    for node in topological(outputs, below=below):
        inputs = tuple(new[i] for i in node.inputs)
        same = node if inputs == node.inputs else node.op.make(inputs, node.attrs)
        while (made := rule(same)) is not None and made is not same:
            same = made
        new[node] = same
    return [new[o] for o in outputs]
