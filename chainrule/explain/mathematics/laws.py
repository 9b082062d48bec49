"""Laws that only make a formula shorter: softmax is e to its logarithm, Σ_i v e_i is v."""

from __future__ import annotations

from collections.abc import Sequence

from chainrule import ops
from chainrule.explain.printing.tidy import tidy
from chainrule.explain.printing.write import value_of
from chainrule.ir.node import Node, TensorType
from chainrule.ops.movement import full
from chainrule.rewrite.walk import rewrite


def simpler(nodes: Sequence[Node]) -> list[Node]:
    """`tidy`, and the laws below."""
    now = tidy(nodes)
    for _ in range(4):
        new = tidy(rewrite(now, _rule))
        if new == now:
            break
        now = new
    return now


def _rule(n: Node) -> Node | None:
    if not isinstance(n.type, TensorType):
        return None
    law = _LAWS.get(n.op.name)
    return None if law is None else law(n)


def _exp(n: Node) -> Node | None:
    (x,) = n.inputs
    return ops.softmax(*x.inputs, **dict(x.attrs)) if x.op.name == "log_softmax" else None


def _sum(n: Node) -> Node | None:
    """Σ of a vector with one entry is the entry."""
    (x,) = n.inputs
    factor, c = x, None
    if x.op.name == "mul" and value_of(x.inputs[0]) is not None:
        c, factor = x.inputs
    if factor.op.name != "scatter" or value_of(factor.inputs[0]) != 0:
        return None
    _, index, value = factor.inputs
    axis = factor.attr("axis")
    if n.attr("axis") != (axis,) or index.shape[axis] != 1:
        return None
    made = ops.mul(c, value) if c is not None and not c.shape else value
    if c is not None and c.shape:
        return None
    return made if n.attr("keepdim") else ops.reshape(made, shape=n.shape)


def _product(n: Node) -> Node | None:
    """A 0 = 0"""
    zero = any(value_of(i) == 0 for i in n.inputs)
    return full(n.shape, 0.0, n.dtype) if zero and n.dtype.is_floating_point else None


def _scatter(n: Node) -> Node | None:
    """c at one place is c times a unit vector."""
    base, index, value = n.inputs
    c = value_of(value)
    if c is None or c in (0, 1) or value_of(base) != 0 or not n.dtype.is_floating_point:
        return None
    one = ops.full_like(value, 1.0)
    return ops.mul(ops.const(c, n.dtype), n.op.make((base, index, one), n.attrs))


def _parts(n: Node) -> tuple[float, Node]:
    if n.op.name == "neg":
        return -1.0, n.inputs[0]
    if n.op.name == "mul" and (v := value_of(n.inputs[0])) is not None:
        return float(v), n.inputs[1]
    return 1.0, n


def _add(n: Node) -> Node | None:
    """c a − c b = c (a − b)"""
    (c, a), (d, b) = (_parts(i) for i in n.inputs)
    if n.op.name == "sub":
        d = -d
    if c == -d and abs(c) != 1.0 and a.shape == b.shape == n.shape:
        first, second = (a, b) if c > 0 else (b, a)
        return ops.mul(ops.const(abs(c), n.dtype), ops.sub(first, second))
    return None


_LAWS = {
    "exp": _exp,
    "sum": _sum,
    "scatter": _scatter,
    "contract": _product,
    "matmul": _product,
    "add": _add,
    "sub": _add,
}
