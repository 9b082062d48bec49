"""The chain rule, from the result back to the inputs.

    ∂L/∂x = Σ over every use y of x:  ∂L/∂y · ∂y/∂x

Each op knows how to multiply by its own ∂y/∂x. What is left is to visit the nodes in reverse order,
so that all uses of a node have spoken before the node passes its gradient on, and to add up.
"""

from __future__ import annotations

from collections.abc import Sequence

from .node import Node, topological
from .ops import broadcast, const


def gradient(loss: Node, wrt: Sequence[Node]) -> list[Node]:
    """∂loss/∂w for every w: a graph, as the loss is one."""
    found: dict[Node, Node] = {loss: const(value=1.0)}
    for n in reversed(topological([loss])):
        if n not in found:
            continue
        for i, part in zip(n.inputs, n.op.gradient(found[n], n, *n.inputs, **n.attrs), strict=True):
            if part is not None:
                found[i] = found[i] + part if i in found else part
    return [found.get(w) or broadcast(const(value=0.0), shape=w.shape) for w in wrt]
