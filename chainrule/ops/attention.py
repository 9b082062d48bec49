"""Attention (Vaswani et al., "Attention is all you need", 2017)."""

from __future__ import annotations

import math
from typing import Any

from chainrule.ir.node import Node
from chainrule.ir.op import Domain
from chainrule.ops.activations import softmax
from chainrule.ops.contract import matmul
from chainrule.ops.core import op, promote
from chainrule.ops.elementwise import eq, exp, where
from chainrule.ops.loop import items
from chainrule.ops.movement import broadcast_to, expand_dims, swap, triangle
from chainrule.ops.reduce import amax, logsumexp, sum
from chainrule.shapes import broadcast


def factor(q: Node, scale: float | None) -> float:
    """What scores are multiplied by: 1/√d, if nothing else is said."""
    return 1 / math.sqrt(q.shape[-1]) if scale is None else scale


def scores(q: Node, k: Node, scale: float | None, causal: bool) -> Node:
    """Q Kᵀ · scale, −∞ where a causal mask forbids to look."""
    s = matmul(q * factor(q, scale), swap(k, k.ndim - 2, k.ndim - 1))
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
    tex=r"\operatorname{{attention}}({0}, {1}, {2})",
    domain=Domain(*((-2, 2),) * 3, cases=[*_QKV, ((3, 4), (3, 4), (3, 4), {"causal": True})]),
)
def attention_rows(
    q: Node, k: Node, v: Node, *, scale: float | None = None, causal: bool = False
) -> tuple[Node, Node]:
    """`attention`, and log Σ eˢ of every row of scores: what its gradient needs to compute
    probabilities again.
    """
    s = scores(q, k, scale, causal)
    return matmul(softmax(s, axis=-1), v), logsumexp(s, axis=(s.ndim - 1,))


@op(
    tex=r"\nabla \operatorname{{attention}}({2}, {3}, {4}; {0})",
    domain=Domain(*((-2, 2),) * 5, cases=[
        ((2, 3, 2), (2, 3, 2), (2, 3, 4), (2, 5, 4), (2, 5, 2), {}),
        ((3, 4), (3, 4), (3, 4), (3, 4), (3, 4), {"causal": True}),
    ]),
)  # fmt: skip
def attention_gradient(
    g: Node, y: Node, q: Node, k: Node, v: Node, *rows: Node, scale: float | None = None,
    causal: bool = False,
) -> tuple[Node, Node, Node]:  # fmt: skip
    """Derivatives of Σ g · y, y = attention(q, k, v), by q, k and v: with P the probabilities,

    dV = Pᵀ g, dS = P ∘ (g Vᵀ − Δ), Δ = Σ g ∘ y of every row, dQ = dS K / √d, dK = dSᵀ Q / √d.

    The sum over a row of P ∘ g Vᵀ is Δ, for which no P is needed (Dao et al., "FlashAttention",
    2022). The axes before the last two are the same in all inputs. `rows`, where given: log Σ eˢ of
    every row, as `attention_rows` gives it.
    """
    s = scores(q, k, scale, causal)
    p = exp(s - expand_dims(rows[0], q.ndim - 1)) if rows else softmax(s, axis=-1)
    above = matmul(g, swap(v, v.ndim - 2, v.ndim - 1))
    ds = p * (above - sum(g * y, axis=(y.ndim - 1,), keepdim=True))
    by = factor(q, scale)
    back = swap(ds, s.ndim - 2, s.ndim - 1)
    return matmul(ds, k) * by, matmul(back, q) * by, matmul(swap(p, p.ndim - 2, p.ndim - 1), g)


@attention.vjp
def _(
    g: Node, y: Node, q: Node, k: Node, v: Node, *, scale: float | None, causal: bool
) -> tuple[Node, ...]:
    lead = broadcast(q.shape[:-2], k.shape[:-2], v.shape[:-2])
    q, k, v = (
        x if x.shape[:-2] == lead else broadcast_to(x, shape=lead + x.shape[-2:])
        for x in (q, k, v)
    )
    return items(attention_gradient(g, y, q, k, v, scale=scale, causal=causal))


@op(
    tex=r"\operatorname{{softmax}}\left(\frac{{{0} {1}^T}}{{\sqrt{{d_k}}}} + {3}\right) {2}",
    prepare=promote,
    domain=Domain(*((-2, 2),) * 4, cases=[((2, 3, 4), (2, 5, 4), (2, 5, 2), (3, 5), {})]),
)
def attention_biased(q: Node, k: Node, v: Node, bias: Node, *, scale: float | None = None) -> Node:
    """softmax(Q Kᵀ / √d + bias) V: −∞ in `bias` (…, T, S) forbids to look."""
    return matmul(weights(scores(q, k, scale, False) + bias), v)
