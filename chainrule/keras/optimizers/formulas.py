"""Keras's update rules that differ from PyTorch's, as functions of graph nodes.

The others are those of `chainrule.ops.updates`, with Keras's numbers. Each rule takes the tensors
that it replaces, the gradient g and the numbers of the step; it returns the new values of those
tensors in order. θ parameter, η learning rate.
"""

from __future__ import annotations

from chainrule.ir.node import Node
from chainrule.ops.contract import matmul
from chainrule.ops.elementwise import abs, clamp, maximum, sign, sqrt, where
from chainrule.ops.movement import reshape, swap
from chainrule.ops.reduce import mean, sum

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


def ftrl(
    p: Node, a: Node, z: Node, g: Node, decay: Node, lr: Node,
    *, power: float, l1: float, l2: float, shrinkage: float, beta: float,
) -> Nodes:  # fmt: skip
    """a' = a + g²; z' = z + g + 2 λₛ θ - (a'ᵖ - aᵖ) θ / η; θ' = (clip(z', ±λ₁) - z') / (a'ᵖ / η +
    2 λ₂ + β / η).
    """
    p = p * decay
    new = a + g * g
    grown = new**power
    z = z + (g + 2.0 * shrinkage * p) - (grown - a**power) / lr * p
    curvature = grown / lr + (2.0 * l2 + beta / lr)
    return (clamp(z, -l1, l1) - z) / curvature, new, z


def lamb(
    p: Node, m: Node, v: Node, g: Node, decay: Node, lr: Node, bias1: Node, bias2: Node,
    *, beta1: float, beta2: float, eps: float,
) -> Nodes:  # fmt: skip
    """u = (m' / bias₁) / (√(v' / bias₂) + ε); θ' = θ - η |θ| / |u| · u (1 where a norm is 0)."""
    p = p * decay
    m = m + (g - m) * (1.0 - beta1)
    v = v + (g * g - v) * (1.0 - beta2)
    u = (m / bias1) / (sqrt(v / bias2) + eps)
    size, step = sqrt(sum(p * p)), sqrt(sum(u * u))
    some = where(size > 0, where(step > 0, size / where(step > 0, step, 1.0), 1.0), 1.0)
    return p - some * lr * u, m, v


def schedule_free(
    p: Node, z: Node, v: Node, g: Node, decay: Node, lr: Node, bias2: Node, weight: Node,
    *, beta1: float, beta2: float, eps: float,
) -> Nodes:  # fmt: skip
    """z' = z - η g / (√(v' / bias₂) + ε); x = (θ - (1 - β₁) z) / β₁ is the average, x' = (1 - c) x
    + c z' with c = 1/t; θ' = (1 - β₁) z' + β₁ x'.
    """
    p = p * decay
    v = v + (g * g - v) * (1.0 - beta2)
    new = z - lr * g / (sqrt(v / bias2) + eps)
    x = (p - (1.0 - beta1) * z) / beta1
    x = (1.0 - weight) * x + weight * new
    return (1.0 - beta1) * new + beta1 * x, new, v


def _size(x: Node) -> Node:
    """The root of the mean square."""
    return sqrt(mean(x * x))


def _relative(p: Node, g: Node, v: Node, rho: Node, eps2: float, threshold: float) -> Node:
    """The step of Adafactor: max(ε₂, |θ|) ρ u / max(1, |u| / d), u = g / √v, sizes as RMS."""
    u = g / sqrt(v)
    return maximum(_size(p), eps2) * rho * (u / maximum(_size(u) / threshold, 1.0))


def adafactor(
    p: Node, r: Node, c: Node, v: Node, g: Node, decay: Node, rho: Node, beta2: Node,
    *, eps1: float, eps2: float, threshold: float,
) -> Nodes:  # fmt: skip
    """r', c' running means of g² + ε₁ over columns and over rows; v' = r' c' / mean(r')."""
    p = p * decay
    square = g * g + eps1
    r = beta2 * r + (1.0 - beta2) * mean(square, axis=-1)
    c = beta2 * c + (1.0 - beta2) * mean(square, axis=-2)
    share = r / mean(r, axis=-1, keepdim=True)
    v = reshape(share, shape=(*r.shape, 1)) * reshape(c, shape=(*c.shape[:-1], 1, c.shape[-1]))
    return p - _relative(p, g, v, rho, eps2, threshold), r, c, v


def adafactor_vector(
    p: Node, v: Node, g: Node, decay: Node, rho: Node, beta2: Node,
    *, eps1: float, eps2: float, threshold: float,
) -> Nodes:  # fmt: skip
    """Adafactor where there are no rows and columns."""
    p = p * decay
    v = beta2 * v + (1.0 - beta2) * (g * g + eps1)
    return p - _relative(p, g, v, rho, eps2, threshold), v


def orthogonal(x: Node, *, coefficients: tuple[float, float, float], steps: int) -> Node:
    """All singular values towards one, by `steps` of X ← a X + (b A + c A²) X with A = X Xᵀ: what
    `chainrule.ops.updates.orthogonalise` does in bfloat16.
    """
    a, b, c = coefficients
    rank = len(x.shape)
    tall = x.shape[-2] > x.shape[-1]
    x = swap(x, rank - 2, rank - 1) if tall else x
    x = x / (sqrt(sum(x * x, axis=(-2, -1), keepdim=True)) + 1e-7)
    for _ in range(steps):
        gram = matmul(x, swap(x, rank - 2, rank - 1))
        x = a * x + matmul(b * gram + c * matmul(gram, gram), x)
    return swap(x, rank - 2, rank - 1) if tall else x


def muon(
    p: Node, m: Node, g: Node, decay: Node, lr: Node,
    *, mu: float, nesterov: bool, coefficients: tuple[float, float, float], steps: int, rms: float,
) -> Nodes:  # fmt: skip
    """m' = μ m + g; θ' = θ - η c orth(g + μ m' with Nesterov, else m'), c = `rms`."""
    m = mu * m + g
    step = orthogonal(g + mu * m if nesterov else m, coefficients=coefficients, steps=steps)
    return p * decay - lr * rms * step, m
