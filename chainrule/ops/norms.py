"""Normalisation. Batch, layer, instance and group norm differ in the axes that they take."""

from __future__ import annotations

from typing import Any

from chainrule.ir.node import Node
from chainrule.ir.op import Domain
from chainrule.ops.core import op, promote_float
from chainrule.ops.elementwise import rsqrt
from chainrule.ops.reduce import mean
from chainrule.ops.relevance import How

_CASES = Domain(
    (-3, 3), cases=[((3, 4), {"axis": (1,)}), ((2, 3, 4), {"axis": (0, 2), "eps": 1e-3})]
)


@op(tex=r"\frac{{{0} - \mu}}{{\sqrt{{\sigma^2 + \epsilon}}}}", prepare=promote_float, domain=_CASES)
def standardize(x: Node, *, axis: Any, eps: float = 1e-5) -> Node:
    """(x − x̄) / √(σ² + ε) over axes, σ² = Σ (x − x̄)² / n

    Ioffe and Szegedy (2015); Ba, Kiros and Hinton (2016).
    """
    d = x - mean(x, axis=axis, keepdim=True)
    return d * rsqrt(mean(d * d, axis=axis, keepdim=True) + eps)


@standardize.vjp
def _(g: Node, y: Node, x: Node, *, axis: Any, eps: float) -> Node:
    d = x - mean(x, axis=axis, keepdim=True)
    r = rsqrt(mean(d * d, axis=axis, keepdim=True) + eps)
    z = d * r
    return r * (g - mean(g, axis=axis, keepdim=True) - z * mean(g * z, axis=axis, keepdim=True))


@standardize.lrp
def _(g: Node, y: Node, x: Node, *, how: How, axis: Any, eps: float) -> Node:
    """The deviation is a constant, the mean is subtracted (Achtibat et al. 2024)."""
    d = x - mean(x, axis=axis, keepdim=True)
    r = rsqrt(mean(d * d, axis=axis, keepdim=True) + eps)
    return r * (g - mean(g, axis=axis, keepdim=True))


@op(
    tex=r"\frac{{{0}}}{{\sqrt{{\overline{{{0}^2}} + \epsilon}}}}",
    prepare=promote_float,
    domain=_CASES,
)
def rms_standardize(x: Node, *, axis: Any, eps: float = 1e-6) -> Node:
    """x / √(Σ x² / n + ε) over axes (Zhang and Sennrich 2019)"""
    return x * rsqrt(mean(x * x, axis=axis, keepdim=True) + eps)


@rms_standardize.lrp
def _(g: Node, y: Node, x: Node, *, how: How, axis: Any, eps: float) -> Node:
    """What divides is a constant."""
    return g * rsqrt(mean(x * x, axis=axis, keepdim=True) + eps)
