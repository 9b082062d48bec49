"""Activation functions by name, with Keras's formulas.

`softmax` and `sigmoid` remember their argument for the running call, so that a cross entropy after
them is computed from logits: exact where the probability is so small that its logarithm would not
exist.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from chainrule import names
from chainrule.keras import context
from chainrule.keras.arrays import to_tensor
from chainrule.keras.registry import from_config, known, lookup, to_config
from chainrule.keras.symbolic import function
from chainrule.nn import functional as F
from chainrule.tensor import Tensor, creation
from chainrule.tensor import functions as T


def _activation(formula: Callable[..., Tensor]) -> Callable[..., Any]:
    """A function of a tensor, an array or a symbolic tensor, known by its name."""

    @functools.wraps(formula)
    def of_tensor(x: Any, *args: Any, **kwargs: Any) -> Tensor:
        return formula(to_tensor(x), *args, **kwargs)

    made: Callable[..., Any] = known(function(of_tensor))
    return made


def _remember(outputs: Tensor, logits: Tensor) -> Tensor:
    running = context.current()
    if running is not None and not running.probing:
        running.set_logits(outputs, logits)
    return outputs


def _along(x: Tensor, axis: Any, formula: Callable[[Tensor, int], Tensor]) -> Tensor:
    """`formula` along one axis, or over several axes (None: all) as if they were one."""
    if isinstance(axis, int):
        return formula(x, axis)
    axes = range(x.ndim) if axis is None else [a % x.ndim for a in axis]
    order = [a for a in range(x.ndim) if a not in axes] + list(axes)
    moved = x.permute(*order)
    flat = moved.reshape(*moved.shape[: x.ndim - len(axes)], -1)
    back = [order.index(a) for a in range(x.ndim)]
    return formula(flat, -1).reshape(moved.shape).permute(*back)


@known
@function
def linear(x: Any) -> Any:
    """x."""
    return x


@_activation
def relu(
    x: Tensor, negative_slope: float = 0.0, max_value: float | None = None, threshold: float = 0.0
) -> Tensor:
    """max(x, 0); with slope below `threshold` and a ceiling if asked."""
    out = F.relu(x) if threshold == 0 else T.where(x > threshold, x, 0.0)
    if max_value is not None:
        out = T.clamp(out, 0.0, max_value)
    if negative_slope:
        out = out - negative_slope * F.relu(threshold - x)
    return out


@_activation
def leaky_relu(x: Tensor, negative_slope: float = 0.2) -> Tensor:
    """x where positive, else negative_slope · x."""
    return F.leaky_relu(x, negative_slope)


@_activation
def relu6(x: Tensor) -> Tensor:
    """min(max(x, 0), 6)."""
    return F.relu6(x)


@_activation
def sigmoid(x: Tensor) -> Tensor:
    """1 / (1 + e^(-x))."""
    return _remember(T.sigmoid(x), x)


@_activation
def hard_sigmoid(x: Tensor) -> Tensor:
    """min(max(x/6 + 1/2, 0), 1)."""
    return F.hardsigmoid(x)


@_activation
def sparse_sigmoid(x: Tensor) -> Tensor:
    """min(max(x/2 + 1/2, 0), 1)."""
    return T.clamp(0.5 * (x + 1.0), 0.0, 1.0)


@_activation
def log_sigmoid(x: Tensor) -> Tensor:
    """log(sigmoid(x))."""
    return F.logsigmoid(x)


@_activation
def tanh(x: Tensor) -> Tensor:
    """(e^x - e^-x) / (e^x + e^-x)."""
    return T.tanh(x)


@_activation
def hard_tanh(x: Tensor) -> Tensor:
    """x between -1 and 1."""
    return T.clamp(x, -1.0, 1.0)


@_activation
def tanh_shrink(x: Tensor) -> Tensor:
    """x - tanh(x)."""
    return x - T.tanh(x)


@_activation
def softmax(x: Tensor, axis: Any = -1) -> Tensor:
    """e^x / Σ e^x along `axis` (several axes count as one)."""
    out = _along(x, axis, F.softmax)
    return _remember(out, x) if axis in (-1, x.ndim - 1) else out


@_activation
def log_softmax(x: Tensor, axis: Any = -1) -> Tensor:
    """x - log Σ e^x along `axis` (several axes count as one)."""
    return _along(x, axis, F.log_softmax)


@_activation
def sparsemax(x: Tensor, axis: int = -1) -> Tensor:
    """The nearest distribution to x along `axis`: max(x - τ, 0), with τ such that the sum is 1
    (Martins and Astudillo 2016).
    """
    x = x.movedim(axis, -1)
    ordered = T.sort(x, -1, descending=True)[0]
    ranks = creation.arange(1, int(x.shape[-1]) + 1).to(x.dtype)
    inside = (1.0 + ranks * ordered > T.cumsum(ordered, -1)).to(x.dtype)
    tau = ((ordered * inside).sum(-1, keepdim=True) - 1.0) / inside.sum(-1, keepdim=True)
    return F.relu(x - tau).movedim(-1, axis)


@_activation
def softplus(x: Tensor) -> Tensor:
    """log(1 + e^x)."""
    return F.softplus(x)


@_activation
def sparse_plus(x: Tensor) -> Tensor:
    """0 below -1, x above 1, (x + 1)² / 4 between."""
    return T.where(x <= -1.0, 0.0, T.where(x < 1.0, 0.25 * (x + 1.0) ** 2, x))


@_activation
def squareplus(x: Tensor, b: float = 4) -> Tensor:
    """(x + √(x² + b)) / 2."""
    return (x + T.sqrt(x * x + b)) / 2.0


@_activation
def softsign(x: Tensor) -> Tensor:
    """x / (1 + |x|)."""
    return F.softsign(x)


@_activation
def soft_shrink(x: Tensor, threshold: float = 0.5) -> Tensor:
    """x moved towards 0 by `threshold`, and 0 where that is too far."""
    return F.softshrink(x, threshold)


@_activation
def hard_shrink(x: Tensor, threshold: float = 0.5) -> Tensor:
    """x where |x| is more than `threshold`, else 0."""
    return F.hardshrink(x, threshold)


@_activation
def threshold(x: Tensor, threshold: float, default_value: float) -> Tensor:
    """x where more than `threshold`, else `default_value`."""
    return T.where(x > threshold, x, default_value)


@_activation
def elu(x: Tensor, alpha: float = 1.0) -> Tensor:
    """x where positive, else alpha (e^x - 1)."""
    return F.elu(x, alpha)


@_activation
def selu(x: Tensor) -> Tensor:
    """The self-normalising elu."""
    return F.selu(x)


@_activation
def celu(x: Tensor, alpha: float = 1.0) -> Tensor:
    """max(x, 0) + min(0, alpha (e^(x/alpha) - 1))."""
    return F.celu(x, alpha)


@_activation
def gelu(x: Tensor, approximate: bool = False) -> Tensor:
    """x Φ(x), Φ the normal distribution function."""
    return F.gelu(x, approximate="tanh" if approximate else "none")


@_activation
def silu(x: Tensor) -> Tensor:
    """x · sigmoid(x)."""
    return F.silu(x)


@_activation
def hard_silu(x: Tensor) -> Tensor:
    """x · hard_sigmoid(x)."""
    return x * F.hardsigmoid(x)


@_activation
def mish(x: Tensor) -> Tensor:
    """x · tanh(softplus(x))."""
    return F.mish(x)


@_activation
def glu(x: Tensor, axis: int = -1) -> Tensor:
    """First half times the sigmoid of the second half."""
    return F.glu(x, dim=axis)


@_activation
def exponential(x: Tensor) -> Tensor:
    """e^x."""
    return T.exp(x)


swish, hard_swish = silu, hard_silu

_FUNCTIONS = (
    celu, elu, exponential, gelu, glu, hard_shrink, hard_sigmoid, hard_silu, hard_tanh, leaky_relu,
    linear, log_sigmoid, log_softmax, mish, relu, relu6, selu, sigmoid, silu, soft_shrink, softmax,
    softplus, softsign, sparse_plus, sparse_sigmoid, sparsemax, squareplus, tanh, tanh_shrink,
    threshold,
)  # fmt: skip
_TABLE: dict[str, Any] = {f.__name__: f for f in _FUNCTIONS} | {
    "swish": silu,
    "hard_swish": hard_silu,
}

__all__ = [
    *(f.__name__ for f in _FUNCTIONS), "deserialize", "get", "hard_swish", "serialize", "swish",
]  # fmt: skip


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


def serialize(activation: Any) -> Any:
    """The name of a function of Keras's; any other as plain data."""
    name = getattr(activation, "__name__", None)
    return name if _TABLE.get(name or "") is activation else to_config(activation)


def deserialize(config: Any, custom_objects: dict[str, Any] | None = None) -> Any:
    """What `serialize` was given, or the function of that name."""
    return from_config(config, custom_objects=custom_objects, module_objects=_TABLE)


__getattr__ = names.later(__name__)
