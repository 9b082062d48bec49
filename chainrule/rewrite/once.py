"""A reduction that is asked for with and without its axes is computed once.

needs   primitives
leaves  no sum (maximum, …) of one value over the same axes in both forms

    %1 = sum(%0) {axis=(0,), keepdim=False}; %2 = sum(%0) {axis=(0,), keepdim=True}
    →   %1 = sum(%0) {axis=(0,), keepdim=False}; %2 = reshape(%1)

(Batch norm asks for a channel's mean in one form, its running mean in the other.)
"""

from __future__ import annotations

from collections.abc import Sequence

from chainrule import ops
from chainrule.ir.graph import topological
from chainrule.ir.node import Node


def reduce_once(outputs: Sequence[Node]) -> list[Node]:
    """The same values; the form that keeps axes is a reshape of the one that does not."""
    new: dict[Node, Node] = {}
    order = topological(outputs)
    forms = {(n.op, n.inputs, n.attr("axis")) for n in order if _drops(n)}
    for n in order:
        inputs = tuple(new[i] for i in n.inputs)
        made = n if inputs == n.inputs else n.op.make(inputs, n.attrs)
        if _keeps(n) and (n.op, n.inputs, n.attr("axis")) in forms:
            less = n.op.make(inputs, (("axis", n.attr("axis")), ("keepdim", False)))
            made = ops.reshape(less, shape=n.shape)
        new[n] = made
    return [new[o] for o in outputs]


def _drops(n: Node) -> bool:
    return dict(n.attrs).get("keepdim") is False


def _keeps(n: Node) -> bool:
    return dict(n.attrs).get("keepdim") is True
