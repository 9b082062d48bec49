"""Laws that hold bit for bit, as a table: what stands at the left of a row becomes what stands at
the right.

needs   primitives (composites pass untouched)
leaves  no identity, no move that moves nothing, no two moves where one does
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from chainrule import ops
from chainrule.ir.node import Node
from chainrule.rewrite.walk import rewrite

Rule = Callable[[Node], "Node | None"]


def _number(x: Node) -> float | None:
    """The value of a constant, or of one number everywhere."""
    while x.op.name == "broadcast_to":
        x = x.inputs[0]
    return x.attr("value") if x.op.name == "const" else None


def _keep(x: Node, node: Node) -> Node | None:
    """x, if it can stand for node as it is."""
    return x if x.shape == node.shape and x.dtype is node.dtype else None


def _times(n: Node) -> Node | None:
    a, b = n.inputs
    if _number(b) == 1:
        return _keep(a, n)
    return _keep(b, n) if _number(a) == 1 else None


def _over(n: Node) -> Node | None:
    return _keep(n.inputs[0], n) if _number(n.inputs[1]) == 1 else None


def _power(n: Node) -> Node | None:
    x, e = n.inputs[0], _number(n.inputs[1])
    if x.shape != n.shape or not n.dtype.is_floating_point:
        return None
    if e == 1:
        return x
    if e == 2:
        return ops.mul(x, x)
    return None


def _minus_minus(n: Node) -> Node | None:
    x = n.inputs[0]
    return x.inputs[0] if x.op.name == "neg" else None


def _reshape(n: Node) -> Node | None:
    x = n.inputs[0]
    if x.shape == n.shape:
        return x
    return ops.reshape(x.inputs[0], shape=n.shape) if x.op.name == "reshape" else None


def _permute(n: Node) -> Node | None:
    x, order = n.inputs[0], n.attr("order")
    if order == tuple(range(len(order))):
        return x
    if x.op.name == "permute":
        first = x.attr("order")
        return ops.permute(x.inputs[0], order=tuple(first[i] for i in order))
    return None


def _broadcast(n: Node) -> Node | None:
    x = n.inputs[0]
    if x.shape == n.shape:
        return x
    return ops.broadcast_to(x.inputs[0], shape=n.shape) if x.op.name == "broadcast_to" else None


def _cast(n: Node) -> Node | None:
    x = n.inputs[0]
    return x if x.dtype is n.dtype else None


def _slice(n: Node) -> Node | None:
    return (
        n.inputs[0]
        if n.shape == n.inputs[0].shape and all(s == 1 for s in n.attr("step"))
        else None
    )


def _sum(n: Node) -> Node | None:
    x = n.inputs[0]
    if not n.attr("axis"):
        return x
    if all(x.shape[a] == 1 for a in n.attr("axis")):
        return ops.reshape(x, shape=n.shape)
    return None


def _same(n: Node) -> Node | None:
    return n.inputs[0]


def _part(n: Node) -> Node | None:
    x = n.inputs[0]
    return x.inputs[n.attr("index")] if x.op.name == "boundary" else None


def _decided(n: Node) -> Node | None:
    c = _number(n.inputs[0])
    return None if c is None else _keep(n.inputs[1 if c else 2], n)


RULES: dict[str, Rule] = {
    "mul":           _times,        # x · 1 = x
    "div":           _over,         # x / 1 = x
    "pow":           _power,        # x¹ = x,  x² = x · x
    "neg":           _minus_minus,  # −(−x) = x
    "reshape":       _reshape,      # two reshapes are the last one
    "permute":       _permute,      # two permutations are their product
    "broadcast_to":  _broadcast,    # two broadcasts are the last one
    "cast":          _cast,         # to the type it has
    "slice":         _slice,        # everything
    "sum":           _sum,          # over nothing, or over axes of size 1
    "stop_gradient": _same,         # it has spoken to the chain rule; to a value it says nothing
    "passing_to":    _same,
    "copy":          _same,
    "item":          _part,         # of a boundary: the value that it stands around
    "where":         _decided,      # by a constant
}  # fmt: skip


def simplify(outputs: Sequence[Node]) -> list[Node]:
    """The same values, with less to do."""

    def rule(n: Node) -> Node | None:
        r = RULES.get(n.op.name)
        return r(n) if r is not None else None

    return rewrite(outputs, rule)
