"""What the chain rule leaves behind, cleared away: factors 1, scattered constants, minus signs.

The values stay the same but for rounding, so this is for the page and never for what runs.
"""

from __future__ import annotations

from collections.abc import Sequence

from chainrule import ops
from chainrule.explain.printing.write import value_of
from chainrule.ir.graph import Graph
from chainrule.ir.node import Node, TensorType
from chainrule.rewrite.fold import fold
from chainrule.rewrite.simplify import RULES
from chainrule.rewrite.walk import rewrite


def tidy(nodes: Sequence[Node]) -> list[Node]:
    """The same mathematics with fewer signs; a square stays a square."""
    return rewrite(fold(nodes), _rule)


def _rule(n: Node) -> Node | None:
    if n.op.name == "scan":
        return n.op.make(n.inputs, tuple((k, _body(v)) for k, v in n.attrs))
    if not isinstance(n.type, TensorType) or not n.dtype.is_floating_point:
        return None
    found = _LAWS[n.op.name](n) if n.op.name in _LAWS else None
    if found is not None:
        return found
    rule = RULES.get(n.op.name)
    return (
        rule(n)
        if rule is not None
        and n.op.name not in ("stop_gradient", "copy", "mul", "div", "neg", "pow")
        else None
    )


def _body(v: object) -> object:
    return Graph(v.inputs, tidy(v.outputs)) if isinstance(v, Graph) else v


def _split(n: Node) -> tuple[float, Node | None]:
    """n = c · rest; the rest of a number is None."""
    v = value_of(n)
    if v is not None:
        return float(v), None
    if n.op.name == "neg":
        return -1.0, n.inputs[0]
    if n.op.name == "mul" and (v := value_of(n.inputs[0])) is not None:
        return float(v), n.inputs[1]
    return 1.0, n


def _scaled(c: float, rest: Node, like: Node) -> Node:
    """c · rest in the shape of `like`."""
    if rest.shape != like.shape:
        rest = ops.broadcast_to(rest, shape=like.shape)
    if c == 1.0:
        return rest
    return ops.neg(rest) if c == -1.0 else ops.mul(ops.const(c, like.dtype), rest)


def _product(n: Node) -> Node | None:
    """(c a)(d b) = (c d)(a b)"""
    (c, a), (d, b) = (_split(i) for i in n.inputs)
    if a is None and b is None:
        return ops.full_like(n, c * d)
    if a is None or b is None:
        one = a if b is None else b
        assert one is not None
        return _scaled(c * d, one, n)
    return None if c * d == 1.0 else _scaled(c * d, ops.mul(a, b), n)


def _contraction(n: Node) -> Node | None:
    """(c A)(d B) = (c d)(A B)"""
    (c, a), (d, b) = (_split(i) for i in n.inputs)
    if a is None or b is None or c * d == 1.0:
        return None
    return _scaled(c * d, n.op.make((a, b), n.attrs), n)


def _quotient(n: Node) -> Node | None:
    """(c a)/d = (c/d) a for numbers c, d; 1/n stays under its bar;  (a/b)/b = a/b²"""
    (c, a), (d, b) = (_split(i) for i in n.inputs)
    if b is None and a is None:
        return ops.full_like(n, c / d)
    if b is None and a is not None and (c != 1.0 or d == 1.0):
        return _scaled(c / d, a, n)
    if a is not None and c == -1.0:
        return _scaled(c, ops.div(a, n.inputs[1]), n)
    x, y = n.inputs
    return (
        ops.div(x.inputs[0], ops.pow(y, 2.0)) if x.op.name == "div" and x.inputs[1] is y else None
    )


def _negated(n: Node) -> Node | None:
    """−(c a) = (−c) a"""
    c, a = _split(n.inputs[0])
    return ops.full_like(n, -c) if a is None else _scaled(-c, a, n)


def _outside(n: Node) -> Node | None:
    """f(c a) = c f(a) for what is linear"""
    c, a = _split(n.inputs[0])
    if a is None or c == 1.0:
        return None
    return _scaled(c, n.op.make((a,), n.attrs), n)


def _difference(n: Node) -> Node | None:
    """a − (−c) b = a + c b;  0 − b = −b"""
    c, b = _split(n.inputs[1])
    if value_of(n.inputs[0]) == 0 and b is not None:
        return _scaled(-c, b, n)
    return ops.add(n.inputs[0], _scaled(-c, b, b)) if b is not None and c < 0 else None


def _sum_of_two(n: Node) -> Node | None:
    """a + 0 = a;  a + a = 2 a"""
    if n.inputs[0] is n.inputs[1]:
        return _scaled(2.0, n.inputs[0], n)
    for a, b in (n.inputs, n.inputs[::-1]):
        if value_of(b) == 0 and a.shape == n.shape:
            return a
    return None


def _first_power(n: Node) -> Node | None:
    return n.inputs[0] if value_of(n.inputs[1]) == 1 and n.inputs[0].shape == n.shape else None


_LAWS = {
    "mul": _product,
    "div": _quotient,
    "neg": _negated,
    "sub": _difference,
    "add": _sum_of_two,
    "sum": _outside,
    "contract": _contraction,
    "matmul": _contraction,
    "reshape": _outside,
    "broadcast_to": _outside,
    "permute": _outside,
    "pow": _first_power,
}
