"""Attention (Vaswani et al., "Attention is all you need", 2017)."""

from __future__ import annotations

import math
from typing import Any

from chainrule.ir.node import Node
from chainrule.ir.op import Domain
from chainrule.ops.activations import softmax
from chainrule.ops.contract import matmul
from chainrule.ops.core import op, promote
from chainrule.ops.elementwise import eq, where
from chainrule.ops.movement import swap, triangle
from chainrule.ops.reduce import amax


def scores(q: Node, k: Node, scale: float | None, causal: bool) -> Node:
    """Q Kᵀ · scale, −∞ where a causal mask forbids to look."""
    s = matmul(
        q * (1 / math.sqrt(q.shape[-1]) if scale is None else scale),
        swap(k, k.ndim - 2, k.ndim - 1),
    )
    return where(triangle(s.shape[-2], s.shape[-1]), s, -math.inf) if causal else s


def weights(s: Node) -> Node:
    """softmax of scores; a row that may look nowhere (all −∞) gets zeros, not NaN."""
    blocked = eq(amax(s, axis=(s.ndim - 1,), keepdim=True), -math.inf)
    return where(blocked, 0.0, softmax(where(blocked, 0.0, s), axis=-1))


_QKV: list[Any] = [((2, 3, 4), (2, 5, 4), (2, 5, 2), {})]


@op(
    tex=r"\operatorname{{softmax}}\left(\frac{{{0} {1}^T}}{{\sqrt{{d_k}}}}\right) {2}",
    prepare=promote,
    torch="nn.functional.scaled_dot_product_attention",
    domain=Domain(*((-2, 2),) * 3, cases=[*_QKV, ((3, 4), (3, 4), (3, 4), {"causal": True})]),
)
def attention(
    q: Node, k: Node, v: Node, *, scale: float | None = None, causal: bool = False
) -> Node:
    """softmax(Q Kᵀ / √d) V: every query reads from all keys

    q (…, T, d), k (…, S, d), v (…, S, e) → (…, T, e).
    """
    return matmul(softmax(scores(q, k, scale, causal), axis=-1), v)


@op(
    tex=r"\operatorname{{softmax}}\left(\frac{{{0} {1}^T}}{{\sqrt{{d_k}}}} + {3}\right) {2}",
    prepare=promote,
    domain=Domain(*((-2, 2),) * 4, cases=[((2, 3, 4), (2, 5, 4), (2, 5, 2), (3, 5), {})]),
)
def attention_biased(q: Node, k: Node, v: Node, bias: Node, *, scale: float | None = None) -> Node:
    """softmax(Q Kᵀ / √d + bias) V: −∞ in `bias` (…, T, S) forbids to look."""
    return matmul(weights(scores(q, k, scale, False) + bias), v)
