"""Losses, element by element or row by row; reductions are outside. Unlike shapes are an error."""

from __future__ import annotations

from chainrule.ir.node import Node
from chainrule.ir.op import Domain
from chainrule.ops.activations import log_softmax, sigmoid
from chainrule.ops.core import op, promote, promote_float, zeros_like
from chainrule.ops.elementwise import (
    abs,
    clamp_min,
    eq,
    exp,
    log,
    log1p,
    lt,
    maximum,
    square,
    where,
)
from chainrule.ops.index import take_along
from chainrule.ops.movement import expand_dims, reshape

_PAIR = Domain((-3, 3), (-3, 3))
_PROBABILITY = Domain((0.1, 0.9), (0.1, 0.9))


@op(tex=r"({0} - {1})^2", prepare=promote, torch="nn.functional.mse_loss", domain=_PAIR)
def squared_error(x: Node, t: Node) -> Node:
    """(x − t)²"""
    return square(x - t)


@op(tex=r"\lvert {0} - {1} \rvert", prepare=promote, torch="nn.functional.l1_loss", domain=_PAIR)
def absolute_error(x: Node, t: Node) -> Node:
    """|x − t|"""
    return abs(x - t)


@op(
    tex=r"\operatorname{{Huber}}({0}, {1})",
    prepare=promote,
    torch="nn.functional.huber_loss",
    domain=_PAIR,
)
def huber(x: Node, t: Node, *, delta: float = 1.0) -> Node:
    """½ d² for |d| < δ, else δ (|d| − ½ δ), d = x − t (Huber 1964)"""
    d = abs(x - t)
    return where(lt(d, delta), d * d * 0.5, (d - 0.5 * delta) * delta)


@op(
    tex=r"\operatorname{{SmoothL1}}({0}, {1})",
    prepare=promote,
    torch="nn.functional.smooth_l1_loss",
    domain=_PAIR,
)
def smooth_l1(x: Node, t: Node, *, beta: float = 1.0) -> Node:
    """½ d²/β for |d| < β, else |d| − ½ β"""
    d = abs(x - t)
    return d if beta == 0 else where(lt(d, beta), d * d * (0.5 / beta), d - 0.5 * beta)


@op(tex=r"-({1} \log {0} + (1 - {1}) \log(1 - {0}))", prepare=promote_float, domain=_PROBABILITY)
def binary_cross_entropy(p: Node, t: Node) -> Node:
    """−(t log p + (1 − t) log(1 − p)), logarithms not below −100"""
    return -(t * clamp_min(log(p), -100.0) + (1 - t) * clamp_min(log(1 - p), -100.0))


@binary_cross_entropy.vjp
def _(g: Node, y: Node, p: Node, t: Node) -> tuple[Node, Node]:
    d = g * (p - t) / maximum(p * (1 - p), 1e-12)
    return d, g * (clamp_min(log(1 - p), -100.0) - clamp_min(log(p), -100.0))


@op(
    tex=r"-({1} \log \sigma({0}) + (1 - {1}) \log(1 - \sigma({0})))",
    prepare=promote_float,
    domain=Domain((-3, 3), (0.1, 0.9)),
)
def binary_cross_entropy_logits(x: Node, t: Node) -> Node:
    """(1 − t) x + log(1 + e⁻ˣ), without overflow"""
    return clamp_min(x, 0.0) - x * t + log1p(exp(-abs(x)))


@binary_cross_entropy_logits.vjp
def _(g: Node, y: Node, x: Node, t: Node) -> tuple[Node, Node]:
    return g * (sigmoid(x) - t), -g * x


@op(tex=r"-\log \operatorname{{softmax}}({0})_{{{1}}}",
    domain=Domain((-3, 3), 4, cases=[((3, 4), (3,), {}), ((2, 4, 2), (2, 2), {})]),
)  # fmt: skip
def cross_entropy_rows(x: Node, t: Node) -> Node:
    """−log softmax(x)[t]: logits x (N, C, …), classes t (N, …) → (N, …)"""
    picked = take_along(log_softmax(x, axis=1), expand_dims(t, 1), axis=1)
    return -reshape(picked, shape=t.shape)


@op(tex=r"{1} (\log {1} - {0})", prepare=promote_float, domain=Domain((-3, 3), (0.1, 3)))
def kl_pointwise(x: Node, t: Node) -> Node:
    """t (log t − x), 0 where t = 0; x is a log-probability"""
    zero = eq(t, 0)
    return where(zero, zeros_like(t), t * log(where(zero, 1.0, t))) - t * x
