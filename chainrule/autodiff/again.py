"""The rule of `recomputed`: what its gradient reads is computed a second time, from its inputs.

Forward values and the same values made for the gradient are different nodes, because the second
time everything starts from `after(x, ȳ)`: x, but not before a cotangent is there. So nothing merges
them again, and nothing computes the second ones early. Random numbers are a function of seed and
position, so they come again by themselves.
"""

from __future__ import annotations

from chainrule.autodiff.reverse import derivative
from chainrule.ir.graph import Graph
from chainrule.ir.node import Node
from chainrule.ops.movement import index_axis
from chainrule.ops.transforms import after, recomputed


@recomputed.vjp
def _(g: dict[int, Node], y: Node, *xs: Node, body: Graph, kept: int) -> tuple[Node | None, ...]:
    late = next(iter(g.values()))
    while late.ndim:
        late = index_axis(late, 0, 0)
    again = (*(after(x, late) for x in xs[:kept]), *xs[kept:])
    outs = body(*again)
    cts = list(g.values())
    return tuple(derivative([outs[i] for i in g], cts, again).gradients)
