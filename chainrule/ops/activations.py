"""Activations: formulas, most with a gradient that reads the result and not the input, which may be
overwritten then.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from chainrule.ir.node import Node
from chainrule.ir.op import Domain, Op
from chainrule.ops.complex import squared_size
from chainrule.ops.core import convert, op, promote, promote_float, zeros_like
from chainrule.ops.elementwise import (
    clamp,
    erf,
    exp,
    expm1,
    ge,
    gt,
    le,
    log,
    log1p,
    lt,
    maximum,
    minimum,
    sqrt,
    stop_gradient,
    tanh,
    where,
)
from chainrule.ops.movement import narrow
from chainrule.ops.reduce import amax, sum
from chainrule.ops.relevance import as_gradient

_OPEN = Domain((-3.0, 3.0))
_KINKED = Domain((-3.0, 3.0), order=1)


def _act(tex: str, torch: str, domain: Domain = _OPEN) -> Callable[[Callable[..., Any]], Op]:
    return op(tex=tex, prepare=promote_float, elementwise=True, torch=torch, domain=domain)


@_act(r"\sigma({0})", "sigmoid", Domain((-3.0, 3.0), dtypes="float complex"))
def sigmoid(x: Node) -> Node:
    """1 / (1 + e⁻ˣ)"""
    return 1.0 / (exp(-x) + 1.0)


@sigmoid.vjp
def _(g: Node, y: Node, x: Node) -> Node:
    return g * y * (1 - y)


@op(
    tex=r"\operatorname{{ReLU}}({0})",
    prepare=promote,
    elementwise=True,
    torch="relu",
    domain=_KINKED,
)
def relu(x: Node) -> Node:
    """max(x, 0); derivative 0 at 0"""
    return maximum(x, 0)


@relu.vjp
def _(g: Node, y: Node, x: Node) -> Node:
    return where(gt(y, 0), g, zeros_like(g))


relu.lrp(as_gradient)


@_act(r"\log \sigma({0})", "nn.functional.logsigmoid")
def log_sigmoid(x: Node) -> Node:
    """log(1 / (1 + e⁻ˣ)) = min(x, 0) − log(1 + e^{−|x|})"""
    return minimum(x, 0) - log1p(exp(-_abs(x)))


@log_sigmoid.vjp
def _(g: Node, y: Node, x: Node) -> Node:
    return g * sigmoid(-x)


def _abs(x: Node) -> Node:
    return maximum(x, -x)


@op(
    tex=r"\operatorname{{LeakyReLU}}({0})",
    prepare=promote_float,
    elementwise=True,
    torch="nn.functional.leaky_relu",
    domain=_KINKED,
)
def leaky_relu(x: Node, *, slope: float = 0.01) -> Node:
    """x for x > 0, slope · x otherwise"""
    return where(gt(x, 0), x, x * slope)


@leaky_relu.vjp
def _(g: Node, y: Node, x: Node, *, slope: float) -> Node:
    return where(gt(y if slope > 0 else x, 0), g, g * slope)


leaky_relu.lrp(as_gradient)


@op(
    tex=r"\operatorname{{ELU}}({0})",
    prepare=promote_float,
    elementwise=True,
    torch="nn.functional.elu",
    domain=_KINKED,
)
def elu(x: Node, *, alpha: float = 1.0, scale: float = 1.0, input_scale: float = 1.0) -> Node:
    """scale · x for x > 0, scale · alpha (e^{input_scale · x} − 1) otherwise"""
    negative = where(gt(x, 0), 0.0, x)  # so that the branch not taken cannot overflow
    return where(gt(x, 0), x * scale, expm1(negative * input_scale) * (alpha * scale))


@elu.vjp
def _(g: Node, y: Node, x: Node, *, alpha: float, scale: float, input_scale: float) -> Node:
    if alpha * scale <= 0:
        negative = where(gt(x, 0), 0.0, x)
        return where(
            gt(x, 0), g * scale, g * exp(negative * input_scale) * (alpha * scale * input_scale)
        )
    return where(gt(y, 0), g * scale, g * (y + alpha * scale) * input_scale)


@_act(r"\operatorname{{softplus}}({0})", "nn.functional.softplus")
def softplus(x: Node, *, beta: float = 1.0, threshold: float = 20.0) -> Node:
    """log(1 + e^{βx}) / β, and x where βx > threshold"""
    scaled = x * beta
    return where(gt(scaled, threshold), x, log1p(exp(minimum(scaled, threshold))) / beta)


@softplus.vjp
def _(g: Node, y: Node, x: Node, *, beta: float, threshold: float) -> Node:
    return where(gt(x * beta, threshold), g, g * sigmoid(x * beta))


@_act(r"{0} \Phi({0})", "nn.functional.gelu")
def gelu(x: Node, *, approximate: str = "none") -> Node:
    """x Φ(x), Φ the normal distribution function; "tanh": ½ x (1 + tanh(√(2/π) (x + 0.044715 x³)))

    Hendrycks and Gimpel, "Gaussian error linear units" (2016).
    """
    if approximate == "tanh":
        return x * 0.5 * (tanh((x + x * x * x * 0.044715) * 0.7978845608028654) + 1.0)
    if approximate != "none":
        raise RuntimeError(f"approximate argument must be either none or tanh, got {approximate!r}")
    return x * 0.5 * (erf(x * 0.7071067811865476) + 1.0)


@_act(r"{0} \sigma({0})", "nn.functional.silu")
def silu(x: Node) -> Node:
    """x σ(x)"""
    return x * sigmoid(x)


@_act(r"\operatorname{{mish}}({0})", "nn.functional.mish")
def mish(x: Node) -> Node:
    """x tanh(log(1 + eˣ)) (Misra 2019)"""
    return x * tanh(softplus(x))


@_act(r"\operatorname{{softsign}}({0})", "nn.functional.softsign", _KINKED)
def softsign(x: Node) -> Node:
    """x / (1 + |x|)"""
    return x / (x.op.registry["abs"](x) + 1)


@op(
    tex=r"\operatorname{{hardtanh}}({0})",
    prepare=promote,
    elementwise=True,
    torch="nn.functional.hardtanh",
    domain=_KINKED,
)
def hardtanh(x: Node, *, low: float = -1.0, high: float = 1.0) -> Node:
    """x limited to [low, high]; derivative 0 at the limits"""
    return clamp(x, low, high)


@hardtanh.vjp
def _(g: Node, y: Node, x: Node, *, low: float, high: float) -> Node:
    return where(gt(y, low) & lt(y, high), g, zeros_like(g))


@_act(r"\operatorname{{hardsigmoid}}({0})", "nn.functional.hardsigmoid", _KINKED)
def hardsigmoid(x: Node) -> Node:
    """(x + 3)/6, limited to [0, 1]"""
    return minimum(maximum(x + 3.0, 0.0), 6.0) / 6.0


@hardsigmoid.vjp
def _(g: Node, y: Node, x: Node) -> Node:
    return where(gt(y, 0.0) & lt(y, 1.0), g / 6.0, zeros_like(g))


@_act(r"\operatorname{{hardswish}}({0})", "nn.functional.hardswish", _KINKED)
def hardswish(x: Node) -> Node:
    """x · hardsigmoid(x)"""
    return x * (minimum(maximum(x + 3.0, 0.0), 6.0) / 6.0)


@hardswish.vjp
def _(g: Node, y: Node, x: Node) -> Node:
    inside = g * (x / 3.0 + 0.5)
    return where(le(x, -3.0), zeros_like(g), where(ge(x, 3.0), g, inside))


@op(
    tex=r"\operatorname{{hardshrink}}({0})",
    prepare=promote,
    elementwise=True,
    torch="nn.functional.hardshrink",
    domain=_KINKED,
)
def hardshrink(x: Node, *, bound: float = 0.5) -> Node:
    """x where |x| > bound, else 0"""
    return where(gt(x, bound) | lt(x, -bound), x, zeros_like(x))


@op(
    tex=r"\operatorname{{softshrink}}({0})",
    prepare=promote,
    elementwise=True,
    torch="nn.functional.softshrink",
    domain=_KINKED,
)
def softshrink(x: Node, *, bound: float = 0.5) -> Node:
    """x moved towards 0 by bound, not beyond"""
    return where(gt(x, bound), x - bound, where(lt(x, -bound), x + bound, x * 0))


@op(
    tex=r"\operatorname{{threshold}}({0})",
    prepare=promote,
    elementwise=True,
    torch="nn.functional.threshold",
    domain=Domain((-3, 3), order=1, cases=[((3, 4), {"bound": 0.5, "value": -1.0})]),
)
def threshold(x: Node, *, bound: float, value: float) -> Node:
    """x where x > bound, else value"""
    return where(gt(x, bound), x, convert(value, x.dtype))


@op(
    tex=r"\operatorname{{PReLU}}({0})",
    prepare=promote,
    elementwise=True,
    torch="nn.functional.prelu",
    domain=Domain((-3, 3), (0.1, 0.5), order=1),
)
def prelu(x: Node, a: Node) -> Node:
    """x for x > 0, a · x otherwise (He et al. 2015)"""
    return where(gt(x, 0), x, a * x)


@op(
    tex=r"\operatorname{{GLU}}({0})",
    prepare=promote_float,
    torch="nn.functional.glu",
    domain=Domain((-3, 3), cases=[((3, 4), {"axis": 1})]),
)
def glu(x: Node, *, axis: int = -1) -> Node:
    """a σ(b) of the two halves of an axis (Dauphin et al. 2016)"""
    a = axis % len(x.shape)
    n = x.shape[a]
    if n % 2:
        raise RuntimeError(f"Halving dimension must be even, but dimension {a} is size {n}")
    return narrow(x, a, 0, n // 2) * sigmoid(narrow(x, a, n // 2, n // 2))


# ------------------------------------------------------------------ rows

_ROWS = Domain((-3, 3), cases=[((3, 4), {"axis": 1}), ((2, 3, 2), {"axis": 0})])


@op(tex=r"\operatorname{{softmax}}({0})", prepare=promote_float, torch="softmax", domain=_ROWS)
def softmax(x: Node, *, axis: int = -1) -> Node:
    """eˣ / Σ eˣ along an axis: positive numbers that sum to one

    The largest x is subtracted first, so that nothing overflows.
    """
    if not x.shape:
        return x * 0 + 1
    if 0 in x.shape:
        return x
    e = exp(x - stop_gradient(amax(x, axis=axis, keepdim=True)))
    return e / sum(e, axis=axis, keepdim=True)


@softmax.vjp
def _(g: Node, y: Node, x: Node, *, axis: int) -> Node:
    if not x.shape:
        return zeros_like(x)
    return y * (g - sum(g * y, axis=axis, keepdim=True))


softmax.lrp(as_gradient)  # R_i = x_i (R_i − y_i Σ R): Achtibat et al. (2024), not conservative


@op(
    tex=r"\log \operatorname{{softmax}}({0})",
    prepare=promote_float,
    torch="log_softmax",
    domain=_ROWS,
)
def log_softmax(x: Node, *, axis: int = -1) -> Node:
    """x − log Σ eˣ along an axis"""
    if not x.shape:
        return x * 0
    if 0 in x.shape:
        return x
    shifted = x - stop_gradient(amax(x, axis=axis, keepdim=True))
    return shifted - log(sum(exp(shifted), axis=axis, keepdim=True))


@log_softmax.vjp
def _(g: Node, y: Node, x: Node, *, axis: int) -> Node:
    if not x.shape:
        return zeros_like(x)
    return g - exp(y) * sum(g, axis=axis, keepdim=True)


log_softmax.lrp(as_gradient)


@op(
    tex=r"\lVert {0} \rVert",
    prepare=promote_float,
    torch="linalg.vector_norm",
    domain=Domain((0.2, 3), dtypes="float complex", cases=[((3, 4), {"axis": (1,)}), ((4,), {})]),
    analytic=False,
)
def norm2(x: Node, *, axis: object = None, keepdim: bool = False) -> Node:
    """√(Σ |x|²), with derivative 0 at 0"""
    return sqrt(sum(squared_size(x), axis=axis, keepdim=keepdim))


@norm2.vjp
def _(g: Node, y: Node, x: Node, *, axis: object, keepdim: bool) -> Node:
    wide = sum(x * 0, axis=axis, keepdim=True).shape
    r = x.op.registry["reshape"]
    gk, yk = r(g, shape=wide), r(y, shape=wide)
    return where(x.op.registry["eq"](yk, 0), zeros_like(x), x * (gk / yk))


norm2.lrp(as_gradient)  # |a x| = a |x|
