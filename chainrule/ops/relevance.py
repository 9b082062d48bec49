"""Layer-wise relevance propagation: what the rules beside the gradients share.

A rule is written for c = R / y, what the relevance R of a value is of the value itself. For
whatever is linear, c follows the chain rule: an input x of y = Σ w x gets c w, so relevance
x c w, its share of y. So moves, sums and piecewise linear functions need no rule but their
gradient, and where a rule is given it has the gradient's form, with one more argument, `how`.

A rule is conservative if Σ x̄ x = ȳ y over its inputs: no relevance comes up and none is lost.

Bach et al. (2015), "On pixel-wise explanations for non-linear classifier decisions by layer-wise
relevance propagation"; Montavon et al. (2019), "Layer-wise relevance propagation: an overview".
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from chainrule.errors import GraphError
from chainrule.ir.node import Node
from chainrule.ir.op import Op, registry
from chainrule.ops.core import full_like, zeros_like

#: Added to what is divided by, with its sign, where a rule names no ε: 0/0 is 0.
TINY = 1e-9


class Share(NamedTuple):
    """How a product z_j = Σ a_i w_ij + b_j shares out what it is given.

    epsilon     R_i = Σ_j a_i w_ij / (z_j + ε sgn z_j) R_j; LRP-0 for ε = 0 (Bach et al. 2015)
    gamma       positive contributions count 1 + γ times (Montavon et al. 2019), negative ones where
                z_j < 0 (Andéol et al. 2021)
    alpha_beta  R_i = Σ_j (α (a_i w_ij)⁺ / z_j⁺ − β (a_i w_ij)⁻ / z_j⁻) R_j, α − β = 1 (Bach et al.
                2015); the z⁺ rule for α = 1, β = 0
    """

    rule: str = "epsilon"
    epsilon: float = 0.0
    gamma: float = 0.25
    alpha: float = 1.0
    beta: float = 0.0


#: LRP-0.
ZERO = Share()


class Affine(NamedTuple):
    """A product z and what follows it that is linear: y = s (z + b) with constants s and b.

    total   z + b
    sign    of s; None: +
    end     y
    """

    total: Node
    sign: Node | None
    end: Node


class How(NamedTuple):
    """What a rule is told.

    op      the op whose rule it is
    active  which inputs depend on what is explained: the others get nothing
    share   how products share out
    affine  () → what belongs to the product
    """

    op: Op
    active: tuple[bool, ...]
    share: Share
    affine: Callable[[], Affine]


def stable(x: Node, epsilon: float = TINY) -> Node:
    """x + ε sgn x, with sgn 0 = 1: never 0."""
    return x + registry["where"](x >= 0, full_like(x, epsilon), full_like(x, -epsilon))


def damped(g: Node, z: Node, epsilon: float) -> Node:
    """g z / (z + ε sgn z); 0 stays 0, whatever z is (−∞ of what a mask forbids)."""
    return registry["where"](registry["eq"](g, 0), zeros_like(g), g * (z / stable(z, epsilon)))


def as_gradient(g: Any, y: Node, *inputs: Node, how: How, **attrs: Any) -> Any:
    """The rule of what is linear, or linear in pieces that meet at 0."""
    if how.op.gradient is None:
        raise GraphError(f"{how.op.name} has no gradient to share relevance by")
    return how.op.gradient(g, y, *inputs, **attrs)


def identity(g: Node, y: Node, x: Node, *, how: How, **attrs: Any) -> Node:
    """An activation passes on all that it is given: x̄ x = ȳ y."""
    return g * (y / stable(x))


#: What says how much of something passes, and is not itself passed on.
_GATES = ("sigmoid", "hardsigmoid")


def is_gate(x: Node) -> bool:
    """Whether a factor is a gate: a sigmoid, perhaps moved or turned round (1 − σ)."""
    while x.op.name in ("reshape", "permute", "broadcast_to", "cast", "slice"):
        x = x.inputs[0]
    if x.op.name == "sub":
        first = x.inputs[0]
        while first.op.name in ("broadcast_to", "cast"):
            first = first.inputs[0]
        return first.op.name == "const" and is_gate(x.inputs[1])
    return x.op.name in _GATES


#: Moves that show every element as it is, or 0: what may be asked of each element can be asked
#: before.
_SHOWING = frozenset({"windows", "reshape", "permute", "broadcast_to", "slice", "copy"})


def base_of(x: Node) -> tuple[Node, list[Node]]:
    """What a node shows, and the moves from there to the node."""
    moves: list[Node] = []
    while x.op.name in _SHOWING or (x.op.name == "pad" and x.attr("value") == 0):
        moves.append(x)
        x = x.inputs[0]
    return x, moves[::-1]


def pulled(g: Node, moves: Sequence[Node]) -> Node:
    """What moves pass back to what they show."""
    for move in reversed(moves):
        (g,) = move.op.pull(g, move)
        x = move.inputs[0]
        if g.shape != x.shape:  # of what was repeated, the sum
            lead = g.ndim - x.ndim
            ones = (i + lead for i, n in enumerate(x.shape) if n == 1 != g.shape[i + lead])
            g = registry["sum"](g, axis=(*range(lead), *ones), keepdim=False)
            g = registry["reshape"](g, shape=x.shape)
    return g


def shown(x: Node, moves: Sequence[Node]) -> Node:
    """Another value, moved in the same way."""
    for move in moves:
        x = move.op.make((x,), move.attrs)
    return x


def signed(
    a: Node, w: Node, z: Node, g: Node, how: How,
    forward: Callable[[Node, Node], Node], back: Callable[[Node, Node], Node],
) -> tuple[Node, Node]:  # fmt: skip
    """What a⁺ and a⁻ are given for z = forward(a, w), by rules that tell positive and negative
    contributions apart:

        (a w)⁺ = a⁺ w⁺ + a⁻ w⁻,   (a w)⁻ = a⁺ w⁻ + a⁻ w⁺,   x⁺ = max(x, 0), x⁻ = min(x, 0)

    `back(g, w)` is the gradient of `forward` by a.
    """
    share, (total, sign, _) = how.share, how.affine()
    maximum, minimum, where = registry["maximum"], registry["minimum"], registry["where"]
    up, down = maximum(w, 0), minimum(w, 0)
    base, moves = base_of(a)
    more, less = shown(maximum(base, 0), moves), shown(minimum(base, 0), moves)
    positive = forward(more, up) + forward(less, down)
    negative = z - positive
    if total is not z:
        b = total - z
        positive, negative = positive + maximum(b, 0), negative + minimum(b, 0)
    r = g * total
    if share.rule == "gamma":
        over, under = total > 0, total < 0
        one, larger = full_like(total, 1.0), full_like(total, 1.0 + share.gamma)
        part = where(over, positive, where(under, negative, zeros_like(total)))
        r = r / stable(total + part * share.gamma)
        u, v = r * where(over, larger, one), r * where(under, larger, one)
    else:
        alpha, beta = full_like(total, share.alpha), full_like(total, -share.beta)
        if sign is not None:  # what is negative here is positive in the end
            turned = sign < 0
            alpha, beta = where(turned, beta, alpha), where(turned, alpha, beta)
        u, v = r * alpha / stable(positive), r * beta / stable(negative)
        if sign is None and not share.beta:
            return back(u, up), back(u, down)
    return back(u, up) + back(v, down), back(u, down) + back(v, up)
