"""Keras's update rules that differ from PyTorch's, as functions of graph nodes.

The others are those of `chainrule.ops.updates`, with Keras's numbers. Each rule takes the tensors
that it replaces, the gradient g and the numbers of the step; it returns the new values of those
tensors in order. θ parameter, η learning rate.
"""

from __future__ import annotations

from chainrule.ir.node import Node
from chainrule.ops.elementwise import abs, maximum, sign, sqrt

Nodes = tuple[Node, ...]


def momentum(
    p: Node, m: Node, g: Node, decay: Node, lr: Node, mu: Node, *, nesterov: bool
) -> Nodes:
    """m' = μ m - η g; θ' = θ + m', or with Nesterov's look ahead θ + μ m' - η g."""
    step = lr * g
    m = mu * m - step
    return p * decay + (mu * m - step if nesterov else m), m


def rmsprop(p: Node, v: Node, g: Node, decay: Node, lr: Node, *, rho: float, eps: float) -> Nodes:
    """v' = ρ v + (1 - ρ) g²; θ' = θ - η g / √(v' + ε): ε inside the root."""
    v = rho * v + (1.0 - rho) * g * g
    return p * decay - lr * g / sqrt(v + eps), v


def rmsprop_momentum(
    p: Node, v: Node, b: Node, g: Node, decay: Node, lr: Node, *, rho: float, mu: float, eps: float
) -> Nodes:
    """b' = μ b + η g / √(v' + ε); θ' = θ - b'."""
    v = rho * v + (1.0 - rho) * g * g
    b = mu * b + lr * g / sqrt(v + eps)
    return p * decay - b, v, b


def rmsprop_centered(
    p: Node, v: Node, mean: Node, g: Node, decay: Node, lr: Node, *, rho: float, eps: float
) -> Nodes:
    """θ' = θ - η g / √(v' - ḡ'² + ε)."""
    v = rho * v + (1.0 - rho) * g * g
    mean = rho * mean + (1.0 - rho) * g
    return p * decay - lr * g / sqrt(v - mean * mean + eps), v, mean


def rmsprop_centered_momentum(
    p: Node, v: Node, mean: Node, b: Node, g: Node, decay: Node, lr: Node,
    *, rho: float, mu: float, eps: float,
) -> Nodes:  # fmt: skip
    """b' = μ b + η g / √(v' - ḡ'² + ε); θ' = θ - b'."""
    v = rho * v + (1.0 - rho) * g * g
    mean = rho * mean + (1.0 - rho) * g
    b = mu * b + lr * g / sqrt(v - mean * mean + eps)
    return p * decay - b, v, mean, b


def adagrad(p: Node, s: Node, g: Node, decay: Node, lr: Node, *, eps: float) -> Nodes:
    """s' = s + g²; θ' = θ - η g / √(s' + ε)."""
    s = s + g * g
    return p * decay - lr * g / sqrt(s + eps), s


def adamax(
    p: Node, m: Node, u: Node, g: Node, decay: Node, rate: Node, lr: Node,
    *, beta2: float, eps: float,
) -> Nodes:  # fmt: skip
    """u' = max(β₂ u, |g|); θ' = θ - η / (1 - β₁ᵗ) · m' / (u' + ε)."""
    m = m + (g - m) * rate
    u = maximum(beta2 * u, abs(g))
    return p * decay - lr * m / (u + eps), m, u


def lion(p: Node, m: Node, g: Node, decay: Node, lr: Node, *, beta1: float, beta2: float) -> Nodes:
    """θ' = θ - η sign(β₁ m + (1 - β₁) g); m' = β₂ m + (1 - β₂) g."""
    mixed = beta1 * m + (1.0 - beta1) * g
    return p * decay - lr * sign(mixed), beta2 * m + (1.0 - beta2) * g
