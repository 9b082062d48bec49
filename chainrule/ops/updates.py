"""How an optimiser changes one parameter: each rule a formula, its source beside it.

Every rule takes the tensors that it replaces first (the parameter `p`, then its state), then the
gradient `g`, then numbers that differ from step to step, as 0-d nodes; it returns the new values
of the tensors, in the same order. What stays fixed for a run is an attribute. So a training step
under a schedule is one program, found again in every step.

Conventions in the formulas below: θ parameter, g gradient, η learning rate, λ weight decay, and
primes for new values. Two attributes are common to almost all rules:

- `maximize`: g ← -g.
- `kind` of weight decay, with the number `decay`: "l2" adds to the gradient, g ← g + λ θ (the
  gradient of ½ λ |θ|²); "decoupled" shrinks the parameter first, θ ← (1 - η λ) θ, where `decay` is
  that factor (Loshchilov and Hutter, "Decoupled Weight Decay Regularization", 2019); "none".

Parameters of two bytes are updated in float32, and rounded once at the end.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

from chainrule.dtypes import bfloat16, float16, float32
from chainrule.ir import Node
from chainrule.ops.contract import matmul
from chainrule.ops.core import cast, op
from chainrule.ops.elementwise import abs, clamp, lerp, maximum, sign, sqrt, where
from chainrule.ops.movement import swap
from chainrule.ops.reduce import mean, sum

Nodes = tuple[Node, ...]


def _precise(formula: Callable[..., Nodes]) -> Callable[..., Nodes]:
    """Compute a rule for float16 or bfloat16 in float32; new values get the old values' types."""

    @functools.wraps(formula)
    def wide(*inputs: Node, **attributes: object) -> Nodes:
        if not any(x.dtype in (float16, bfloat16) for x in inputs):
            return formula(*inputs, **attributes)
        new = formula(*(cast(x, float32) for x in inputs), **attributes)
        return tuple(cast(y, x.dtype) for y, x in zip(new, inputs, strict=False))

    return wide


def _square_average(v: Node, g: Node, rate: float) -> Node:
    """rate v + (1 - rate) g²."""
    return v * rate + (1 - rate) * g * g


def _regularised(p: Node, g: Node, decay: Node, *, maximize: bool, kind: str) -> tuple[Node, Node]:
    """Parameter and gradient after `maximize` and weight decay (see the top of this file)."""
    g = -g if maximize else g
    if kind == "l2":
        g = g + decay * p
    elif kind == "decoupled":
        p = p * decay
    return p, g


# -------------------------------------------------------------------- gradient descent


@op(tex=r"{0} - {3}\,{1}")
@_precise
def sgd_update(p: Node, g: Node, decay: Node, lr: Node, *, maximize: bool, kind: str) -> Nodes:
    """θ' = θ - η g. Gradient descent (Cauchy 1847; stochastic: Robbins and Monro 1951)."""
    p, g = _regularised(p, g, decay, maximize=maximize, kind=kind)
    return (p - lr * g,)


@op(tex=r"{0} - {4}\,b,\; b = {5}\,{1} + (1 - {dampening})\,{2}")
@_precise
def momentum_update(
    p: Node,
    b: Node,
    g: Node,
    decay: Node,
    lr: Node,
    momentum: Node,
    *,
    dampening: float,
    nesterov: bool,
    first: bool,
    maximize: bool,
    kind: str,
) -> Nodes:
    """b' = μ b + (1 - τ) g; θ' = θ - η b', or with Nesterov's look ahead θ - η (g + μ b').

    The first step has b' = g. Polyak 1964; Nesterov 1983, in the form of Sutskever et al. 2013.
    """
    p, g = _regularised(p, g, decay, maximize=maximize, kind=kind)
    b = g if first else b * momentum + (1 - dampening) * g
    return p - lr * (g + momentum * b if nesterov else b), b


@op(tex=r"{4}\,{0} - {5}\,{2}")
@_precise
def asgd_update(
    p: Node,
    average: Node,
    g: Node,
    decay: Node,
    shrink: Node,
    eta: Node,
    mu: Node,
    *,
    averaging: bool,
    maximize: bool,
    kind: str,
) -> Nodes:
    """θ' = (1 - λ η) θ - η g; a' = a + μ (θ' - a), or θ' before averaging begins.

    `shrink` is 1 - λ η. Polyak and Juditsky, "Acceleration of stochastic approximation by
    averaging", 1992.
    """
    p, g = _regularised(p, g, decay, maximize=maximize, kind=kind)
    p = p * shrink - eta * g
    return p, lerp(average, p, mu) if averaging else p


@op(tex=r"{0} - {2}' \odot \operatorname{{sgn}}({3})")
@_precise
def rprop_update(
    p: Node,
    previous: Node,
    size: Node,
    g: Node,
    *,
    shrink: float,
    grow: float,
    smallest: float,
    largest: float,
    maximize: bool,
) -> Nodes:
    """Steps of their own size per element, which grow while the sign of the gradient stays.

    s' = clip(s · (η⁺ if g g₋₁ > 0, η⁻ if g g₋₁ < 0, else 1)); g ← 0 where the sign changed;
    θ' = θ - s' sign(g). Riedmiller and Braun, "The RPROP algorithm", 1993.
    """
    g = -g if maximize else g
    agree = g * previous
    size = where(agree > 0, size * grow, where(agree < 0, size * shrink, size))
    size = clamp(size, smallest, largest)
    g = where(agree < 0, 0.0, g)
    return p - sign(g) * size, g, size


# -------------------------------------------------------------------- moments: the family of Adam


def _adam(p: Node, m: Node, v: Node, step_size: Node, bias2_sqrt: Node, eps: float) -> Node:
    """θ - (η / (1 - β₁ᵗ)) m / (√v / √(1 - β₂ᵗ) + ε)."""
    return p - step_size * m / (sqrt(v) / bias2_sqrt + eps)


@op(
    tex=r"{0} - {6}\,\frac{{m}}{{\sqrt{{v}} / {7} + {eps}}},\; m = {1} + {5}({3} - {1}),"
    r"\; v = {beta2}\,{2} + (1 - {beta2})\,{3}^2"
)
@_precise
def adam_update(
    p: Node,
    m: Node,
    v: Node,
    g: Node,
    decay: Node,
    rate1: Node,
    step_size: Node,
    bias2_sqrt: Node,
    *,
    beta2: float,
    eps: float,
    maximize: bool,
    kind: str,
) -> Nodes:
    """m' = β₁ m + (1 - β₁) g; v' = β₂ v + (1 - β₂) g²; θ' = θ - η m̂ / (√v̂ + ε).

    Hats correct the bias towards the zeros at the start: m̂ = m' / (1 - β₁ᵗ), v̂ = v' / (1 - β₂ᵗ).
    `rate1` is 1 - β₁, `step_size` η / (1 - β₁ᵗ), `bias2_sqrt` √(1 - β₂ᵗ). With decoupled weight
    decay this is AdamW. Kingma and Ba, "Adam: A Method for Stochastic Optimization", 2015.
    """
    p, g = _regularised(p, g, decay, maximize=maximize, kind=kind)
    m = lerp(m, g, rate1)
    v = _square_average(v, g, beta2)
    return _adam(p, m, v, step_size, bias2_sqrt, eps), m, v


@op(tex=r"{0} - {7}\,\frac{{m}}{{\sqrt{{\max({3}, v)}} / {8} + {eps}}}")
@_precise
def amsgrad_update(
    p: Node,
    m: Node,
    v: Node,
    largest: Node,
    g: Node,
    decay: Node,
    rate1: Node,
    step_size: Node,
    bias2_sqrt: Node,
    *,
    beta2: float,
    eps: float,
    maximize: bool,
    kind: str,
) -> Nodes:
    """Adam that divides by the largest v so far, so that steps never grow again.

    Reddi, Kale and Kumar, "On the Convergence of Adam and Beyond", 2018.
    """
    p, g = _regularised(p, g, decay, maximize=maximize, kind=kind)
    m = lerp(m, g, rate1)
    v = _square_average(v, g, beta2)
    largest = maximum(largest, v)
    return _adam(p, m, largest, step_size, bias2_sqrt, eps), m, v, largest


@op(tex=r"{0} - {6}\,\frac{{m}}{{\max({beta2}\,{2}, |{3}| + {eps})}}")
@_precise
def adamax_update(
    p: Node,
    m: Node,
    u: Node,
    g: Node,
    decay: Node,
    rate1: Node,
    step_size: Node,
    *,
    beta2: float,
    eps: float,
    maximize: bool,
    kind: str,
) -> Nodes:
    """m' = β₁ m + (1 - β₁) g; u' = max(β₂ u, |g| + ε); θ' = θ - (η / (1 - β₁ᵗ)) m' / u'.

    Adam with the infinity norm: Kingma and Ba 2015, section 7.1.
    """
    p, g = _regularised(p, g, decay, maximize=maximize, kind=kind)
    m = lerp(m, g, rate1)
    u = maximum(u * beta2, abs(g) + eps)
    return p - step_size * m / u, m, u


@op(tex=r"{0} - \frac{{{7}\,{3} + {8}\,m}}{{\sqrt{{v / {6}}} + {eps}}}")
@_precise
def nadam_update(
    p: Node,
    m: Node,
    v: Node,
    g: Node,
    decay: Node,
    rate1: Node,
    bias2: Node,
    step_g: Node,
    step_m: Node,
    *,
    beta2: float,
    eps: float,
    maximize: bool,
    kind: str,
) -> Nodes:
    """θ' = θ - (η₁ g + η₂ m') / (√(v' / (1 - β₂ᵗ)) + ε): Adam with Nesterov's look ahead.

    η₁ = η (1 - μₜ) / (1 - Πμ), η₂ = η μₜ₊₁ / (1 - μₜ₊₁ Πμ), with μₜ = β₁ (1 - ½ · 0.96^(ψ t)).
    Dozat, "Incorporating Nesterov Momentum into Adam", 2016.
    """
    p, g = _regularised(p, g, decay, maximize=maximize, kind=kind)
    m = lerp(m, g, rate1)
    v = _square_average(v, g, beta2)
    scale = sqrt(v / bias2) + eps
    return p - step_g * g / scale - step_m * m / scale, m, v


@op(tex=r"{0} - {7}\,{8}\,\frac{{m / {6}}}{{\sqrt{{v}} + {eps}}}")
@_precise
def radam_update(
    p: Node,
    m: Node,
    v: Node,
    g: Node,
    decay: Node,
    rate1: Node,
    bias1: Node,
    lr: Node,
    rectifier: Node,
    *,
    rectified: bool,
    beta2: float,
    eps: float,
    maximize: bool,
    kind: str,
) -> Nodes:
    """θ' = θ - η m̂ r √(1 - β₂ᵗ) / (√v' + ε) once the variance is known well enough, else θ - η m̂.

    `rectifier` is r √(1 - β₂ᵗ). Liu et al., "On the Variance of the Adaptive Learning Rate and
    Beyond", 2020.
    """
    p, g = _regularised(p, g, decay, maximize=maximize, kind=kind)
    m = lerp(m, g, rate1)
    v = _square_average(v, g, beta2)
    step = m / bias1 * lr
    return p - (step * (rectifier / (sqrt(v) + eps)) if rectified else step), m, v


# -------------------------------------------------------------------- second moments only


@op(tex=r"{0} - {4}\,\frac{{{2}}}{{\sqrt{{{1} + {2}^2}} + {eps}}}")
@_precise
def adagrad_update(
    p: Node, s: Node, g: Node, decay: Node, lr: Node, *, eps: float, maximize: bool, kind: str
) -> Nodes:
    """s' = s + g²; θ' = θ - η g / (√s' + ε).

    Duchi, Hazan and Singer, "Adaptive Subgradient Methods for Online Learning", 2011.
    """
    p, g = _regularised(p, g, decay, maximize=maximize, kind=kind)
    s = s + g * g
    return p - lr * g / (sqrt(s) + eps), s


@op(tex=r"{0} - {5}\,\sqrt{{\frac{{{2} + {eps}}}{{v + {eps}}}}}\,{3}")
@_precise
def adadelta_update(
    p: Node,
    v: Node,
    d: Node,
    g: Node,
    decay: Node,
    lr: Node,
    *,
    rho: float,
    eps: float,
    maximize: bool,
    kind: str,
) -> Nodes:
    """v' = ρ v + (1 - ρ) g²; Δ = g √(d + ε) / √(v' + ε); d' = ρ d + (1 - ρ) Δ²; θ' = θ - η Δ.

    Zeiler, "ADADELTA: An Adaptive Learning Rate Method", 2012.
    """
    p, g = _regularised(p, g, decay, maximize=maximize, kind=kind)
    v = _square_average(v, g, rho)
    delta = sqrt(d + eps) / sqrt(v + eps) * g
    return p - lr * delta, v, _square_average(d, delta, rho)


def _rms(v: Node, mean_g: Node | None, eps: float) -> Node:
    """√v + ε, or, less the square of the mean gradient, √(v - ḡ²) + ε."""
    return sqrt(v if mean_g is None else v - mean_g * mean_g) + eps


@op(tex=r"{0} - {4}\,\frac{{{2}}}{{\sqrt{{v}} + {eps}}},\; v = {alpha}\,{1} + (1 - {alpha})\,{2}^2")
@_precise
def rmsprop_update(
    p: Node,
    v: Node,
    g: Node,
    decay: Node,
    lr: Node,
    *,
    alpha: float,
    eps: float,
    maximize: bool,
    kind: str,
) -> Nodes:
    """v' = α v + (1 - α) g²; θ' = θ - η g / (√v' + ε). Tieleman and Hinton, lecture 6.5, 2012."""
    p, g = _regularised(p, g, decay, maximize=maximize, kind=kind)
    v = _square_average(v, g, alpha)
    return p - lr * g / _rms(v, None, eps), v


@op(tex=r"{0} - {5}\,\frac{{{3}}}{{\sqrt{{v - \bar g^2}} + {eps}}}")
@_precise
def rmsprop_centered_update(
    p: Node,
    v: Node,
    mean_g: Node,
    g: Node,
    decay: Node,
    lr: Node,
    *,
    alpha: float,
    eps: float,
    maximize: bool,
    kind: str,
) -> Nodes:
    """RMSprop that divides by the standard deviation: √(v' - ḡ'²) with ḡ' = α ḡ + (1 - α) g.

    Graves, "Generating Sequences With Recurrent Neural Networks", 2013.
    """
    p, g = _regularised(p, g, decay, maximize=maximize, kind=kind)
    v = _square_average(v, g, alpha)
    mean_g = lerp(mean_g, g, 1 - alpha)
    return p - lr * g / _rms(v, mean_g, eps), v, mean_g


@op(tex=r"{0} - {5}\,b,\; b = {6}\,{2} + \frac{{{3}}}{{\sqrt{{v}} + {eps}}}")
@_precise
def rmsprop_momentum_update(
    p: Node,
    v: Node,
    b: Node,
    g: Node,
    decay: Node,
    lr: Node,
    momentum: Node,
    *,
    alpha: float,
    eps: float,
    maximize: bool,
    kind: str,
) -> Nodes:
    """RMSprop with momentum: b' = μ b + g / (√v' + ε); θ' = θ - η b'."""
    p, g = _regularised(p, g, decay, maximize=maximize, kind=kind)
    v = _square_average(v, g, alpha)
    b = b * momentum + g / _rms(v, None, eps)
    return p - lr * b, v, b


@op(tex=r"{0} - {6}\,b,\; b = {7}\,{3} + \frac{{{4}}}{{\sqrt{{v - \bar g^2}} + {eps}}}")
@_precise
def rmsprop_centered_momentum_update(
    p: Node,
    v: Node,
    mean_g: Node,
    b: Node,
    g: Node,
    decay: Node,
    lr: Node,
    momentum: Node,
    *,
    alpha: float,
    eps: float,
    maximize: bool,
    kind: str,
) -> Nodes:
    """RMSprop, centred and with momentum: b' = μ b + g / (√(v' - ḡ'²) + ε); θ' = θ - η b'."""
    p, g = _regularised(p, g, decay, maximize=maximize, kind=kind)
    v = _square_average(v, g, alpha)
    mean_g = lerp(mean_g, g, 1 - alpha)
    b = b * momentum + g / _rms(v, mean_g, eps)
    return p - lr * b, v, mean_g, b


# -------------------------------------------------------------------- matrices


def _root_mean_square(x: Node) -> Node:
    return sqrt(sum(x * x)) / float(_size(x)) ** 0.5


def _size(x: Node) -> int:
    size = 1
    for n in x.shape:
        size *= n
    return size


def _adafactor_step(
    p: Node,
    g: Node,
    variance: Node,
    shrink: Node,
    rho: Node,
    eps1: float,
    eps2: float,
    threshold: float,
) -> Node:
    """θ - α u / max(1, RMS(u) / d), u = g / max(√v̂, ε₁), α = max(ε₂, RMS(θ)) ρ."""
    alpha = maximum(_root_mean_square(p), eps2) * rho
    u = g / sqrt(maximum(variance, eps1 * eps1))
    return p * shrink - alpha / maximum(_root_mean_square(u) / threshold, 1.0) * u


@op(tex=r"{4}\,{0} - \alpha\,\hat u,\; u = {3} / \sqrt{{R\,C}}")
@_precise
def adafactor_update(
    p: Node,
    rows: Node,
    columns: Node,
    g: Node,
    shrink: Node,
    rho: Node,
    rate2: Node,
    *,
    eps1: float,
    eps2: float,
    threshold: float,
    maximize: bool,
) -> Nodes:
    """Adam's second moment of a matrix, kept as one row and one column: v̂ = R C / mean(R).

    R' = R + (1 - β̂₂)(mean over columns of g² - R), C likewise over rows; `rate2` is 1 - β̂₂ = t^τ.
    The step is relative to the size of the parameter and clipped at `threshold` (see
    `_adafactor_step`). Shazeer and Stern, "Adafactor: Adaptive Learning Rates with Sublinear
    Memory Cost", 2018.
    """
    g = -g if maximize else g
    square = g * g
    rows = lerp(rows, mean(square, axis=-1, keepdim=True), rate2)
    columns = lerp(columns, mean(square, axis=-2, keepdim=True), rate2)
    variance = matmul(rows, columns) / maximum(mean(rows, axis=-2, keepdim=True), eps1)
    return _adafactor_step(p, g, variance, shrink, rho, eps1, eps2, threshold), rows, columns


@op(tex=r"{3}\,{0} - \alpha\,\hat u,\; u = {2} / \sqrt{{v}}")
@_precise
def adafactor_vector_update(
    p: Node,
    v: Node,
    g: Node,
    shrink: Node,
    rho: Node,
    rate2: Node,
    *,
    eps1: float,
    eps2: float,
    threshold: float,
    maximize: bool,
) -> Nodes:
    """Adafactor for vectors and single numbers, whose second moment is kept whole."""
    g = -g if maximize else g
    v = lerp(v, g * g, rate2)
    return _adafactor_step(p, g, v, shrink, rho, eps1, eps2, threshold), v


def _as_bfloat16(x: Node) -> Node:
    """Round to the precision in which Muon iterates, and go on in float32."""
    return cast(cast(x, bfloat16), float32)


def orthogonalise(
    g: Node, *, coefficients: tuple[float, float, float], steps: int, eps: float
) -> Node:
    """Push all singular values of a matrix towards one, by `steps` of X ← a X + (b A + c A²) X.

    A = X Xᵀ; X begins as g / |g|. The quintic's coefficients (a, b, c) rise steeply at zero, so
    that few steps are enough and bfloat16 is precise enough. Jordan et al., "Muon: An optimizer
    for hidden layers in neural networks", 2024.
    """
    a, b, c = coefficients
    tall = g.shape[0] > g.shape[1]
    x = _as_bfloat16(swap(g, 0, 1) if tall else g)
    x = _as_bfloat16(x / maximum(_as_bfloat16(sqrt(sum(x * x))), eps))
    for _ in range(steps):
        gram = _as_bfloat16(matmul(x, swap(x, 0, 1)))
        quintic = _as_bfloat16(b * gram + c * matmul(gram, gram))
        x = _as_bfloat16(a * x + matmul(quintic, x))
    return swap(x, 0, 1) if tall else x


@op(tex=r"{3}\,{0} - {4}\,\operatorname{{orth}}(b),\; b = {1} + {5}({2} - {1})")
@_precise
def muon_update(
    p: Node,
    b: Node,
    g: Node,
    shrink: Node,
    step_size: Node,
    rate: Node,
    *,
    nesterov: bool,
    coefficients: tuple[float, float, float],
    steps: int,
    eps: float,
) -> Nodes:
    """b' = μ b + (1 - μ) g; θ' = (1 - η λ) θ - η' orth(b'), see `orthogonalise`.

    With `nesterov` the matrix to make orthogonal is μ b' + (1 - μ) g. `rate` is 1 - μ.
    """
    b = lerp(b, g, rate)
    direction = lerp(b, g, rate) if nesterov else b
    o = orthogonalise(direction, coefficients=coefficients, steps=steps, eps=eps)
    return p * shrink - step_size * cast(o, p.dtype), b
