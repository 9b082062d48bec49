"""Activation functions by name, with Keras's formulas.

`softmax` and `sigmoid` remember their argument for the running call, so that a cross entropy after
them is computed from logits: exact where the probability is so small that its logarithm would not
exist.
"""

from __future__ import annotations

from typing import Any

from chainrule.keras import context
from chainrule.keras.registry import known, lookup
from chainrule.keras.symbolic import function
from chainrule.nn import functional as F
from chainrule.tensor import Tensor
from chainrule.tensor import functions as T


def _remember(outputs: Tensor, logits: Tensor) -> Tensor:
    running = context.current()
    if running is not None and not running.probing:
        running.set_logits(outputs, logits)
    return outputs


@known
@function
def linear(x: Tensor) -> Tensor:
    """x."""
    return x


@known
@function
def relu(
    x: Tensor, negative_slope: float = 0.0, max_value: float | None = None, threshold: float = 0.0
) -> Tensor:
    """max(x, 0); with slope below `threshold` and a ceiling if asked."""
    if negative_slope == 0.0 and max_value is None and threshold == 0.0:
        return F.relu(x)
    below = negative_slope * (x - threshold)
    out = T.where(x >= threshold, x, below) if negative_slope or threshold else F.relu(x)
    if max_value is not None:
        out = T.clamp(out, max=max_value)
    return out


@known
@function
def leaky_relu(x: Tensor, negative_slope: float = 0.2) -> Tensor:
    """x where positive, else negative_slope · x."""
    return F.leaky_relu(x, negative_slope)


@known
@function
def relu6(x: Tensor) -> Tensor:
    """min(max(x, 0), 6)."""
    return F.relu6(x)


@known
@function
def sigmoid(x: Tensor) -> Tensor:
    """1 / (1 + e^(-x))."""
    return _remember(T.sigmoid(x), x)


@known
@function
def hard_sigmoid(x: Tensor) -> Tensor:
    """min(max(x/6 + 1/2, 0), 1)."""
    return F.hardsigmoid(x)


@known
@function
def tanh(x: Tensor) -> Tensor:
    """(e^x - e^-x) / (e^x + e^-x)."""
    return T.tanh(x)


@known
@function
def hard_tanh(x: Tensor) -> Tensor:
    """x between -1 and 1."""
    return T.clamp(x, -1.0, 1.0)


@known
@function
def softmax(x: Tensor, axis: int = -1) -> Tensor:
    """e^x / Σ e^x along `axis`."""
    if x.ndim < 2:
        raise ValueError(f"softmax needs at least two dimensions, got the shape {tuple(x.shape)}")
    out = F.softmax(x, dim=axis)
    return _remember(out, x) if axis in (-1, x.ndim - 1) else out


@known
@function
def log_softmax(x: Tensor, axis: int = -1) -> Tensor:
    """x - log Σ e^x along `axis`."""
    return F.log_softmax(x, dim=axis)


@known
@function
def softplus(x: Tensor) -> Tensor:
    """log(1 + e^x)."""
    return F.softplus(x)


@known
@function
def softsign(x: Tensor) -> Tensor:
    """x / (1 + |x|)."""
    return F.softsign(x)


@known
@function
def elu(x: Tensor, alpha: float = 1.0) -> Tensor:
    """x where positive, else alpha (e^x - 1)."""
    return F.elu(x, alpha)


@known
@function
def selu(x: Tensor) -> Tensor:
    """The self-normalising elu."""
    return F.selu(x)


@known
@function
def gelu(x: Tensor, approximate: bool = False) -> Tensor:
    """x Φ(x), Φ the normal distribution function."""
    return F.gelu(x, approximate="tanh" if approximate else "none")


@known
@function
def silu(x: Tensor) -> Tensor:
    """x · sigmoid(x)."""
    return F.silu(x)


swish = silu


@known
@function
def mish(x: Tensor) -> Tensor:
    """x · tanh(softplus(x))."""
    return F.mish(x)


@known
@function
def exponential(x: Tensor) -> Tensor:
    """e^x."""
    return T.exp(x)


@known
@function
def hard_silu(x: Tensor) -> Tensor:
    """x · hard_sigmoid(x)."""
    return x * F.hardsigmoid(x)


hard_swish = hard_silu


@known
@function
def celu(x: Tensor, alpha: float = 1.0) -> Tensor:
    """max(x, 0) + min(0, alpha (e^(x/alpha) - 1))."""
    return F.celu(x, alpha)


@known
@function
def glu(x: Tensor, axis: int = -1) -> Tensor:
    """First half times the sigmoid of the second half."""
    return F.glu(x, dim=axis)


@known
@function
def log_sigmoid(x: Tensor) -> Tensor:
    """log(sigmoid(x))."""
    return F.logsigmoid(x)


@known
@function
def tanh_shrink(x: Tensor) -> Tensor:
    """x - tanh(x)."""
    return x - T.tanh(x)


@known
@function
def squareplus(x: Tensor, b: float = 4.0) -> Tensor:
    """(x + √(x² + b)) / 2."""
    return (x + T.sqrt(x * x + b)) / 2


_NAMES = (
    linear, relu, leaky_relu, relu6, sigmoid, hard_sigmoid, tanh, hard_tanh, softmax, log_softmax,
    softplus, softsign, elu, selu, gelu, silu, mish, exponential, hard_silu, celu, glu, log_sigmoid,
    tanh_shrink, squareplus,
)  # fmt: skip
_TABLE: dict[str, Any] = {f.__name__: f for f in _NAMES} | {
    "swish": silu,
    "hard_swish": hard_silu,
}


def get(identifier: Any) -> Any:
    """The function that a name, a config or a callable means; None means `linear`.

    >>> get("relu").__name__
    'relu'
    """
    if identifier is None:
        return linear
    found = lookup(identifier, _TABLE, "activation")
    if isinstance(found, type):
        found = found()
    if not callable(found):
        raise ValueError(f"cannot make an activation from {identifier!r}")
    return found


def serialize(activation: Any) -> str:
    return str(activation.__name__)


def deserialize(config: Any) -> Any:
    return get(config)
