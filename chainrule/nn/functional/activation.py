"""Activations. `inplace=True` writes the result into the input."""

from __future__ import annotations

from typing import Any

from chainrule import dtypes, ops
from chainrule.dtypes import DType
from chainrule.tensor import Tensor, autocast
from chainrule.tensor.chance import draw
from chainrule.tensor.functions import log_softmax as _log_softmax
from chainrule.tensor.functions import softmax as _softmax
from chainrule.tensor.mutate import assign
from chainrule.tensor.record import apply


def _apply(op: Any, x: Tensor, inplace: bool, **attrs: Any) -> Tensor:
    y: Tensor = apply(op, x, **attrs)
    return assign(x, y) if inplace else y


def relu(input: Tensor, inplace: bool = False) -> Tensor:
    """max(x, 0)"""
    return _apply(ops.relu, input, inplace)


def relu6(input: Tensor, inplace: bool = False) -> Tensor:
    """min(max(x, 0), 6)"""
    return _apply(ops.hardtanh, input, inplace, low=0.0, high=6.0)


def leaky_relu(input: Tensor, negative_slope: float = 0.01, inplace: bool = False) -> Tensor:
    """x for x > 0, else negative_slope · x"""
    return _apply(ops.leaky_relu, input, inplace, slope=float(negative_slope))


@autocast.lower
def prelu(input: Tensor, weight: Tensor) -> Tensor:
    """x for x > 0, else weight · x; one weight, or one per channel (axis 1)"""
    if weight.numel() > 1:
        if input.ndim < 2 or input.shape[1] != weight.numel():
            raise RuntimeError(
                "Mismatch of parameter numbers and input channel size. Found parameter numbers = "
                f"{weight.numel()} and "
                f"channel size = {input.shape[1] if input.ndim > 1 else 1}."
            )
        if weight.ndim > 1:
            raise RuntimeError(
                "prelu: Expected `weight` to be a scalar or 1D tensor, but got: ndim = "
                f"{weight.ndim}"
            )
        weight = weight.reshape((-1, *(1,) * (input.ndim - 2)))
    elif weight.ndim and not input.ndim:
        weight = weight.reshape(())
    return apply(ops.prelu, input, weight)


def rrelu(
    input: Tensor, lower: float = 1 / 8, upper: float = 1 / 3, training: bool = False,
    inplace: bool = False,
) -> Tensor:  # fmt: skip
    """leaky_relu with a random slope in training, the mean slope else"""
    if lower > upper:
        raise RuntimeError(
            f"Lower bound should be less than or equal to the upper bound, got {lower}, {upper}"
        )
    if not training:
        return leaky_relu(input, (lower + upper) / 2, inplace)
    u = draw("uniform", tuple(input.shape), input.dtype, None, "dropout")
    y: Tensor = apply(ops.prelu, input, u * (upper - lower) + lower)
    return assign(input, y) if inplace else y


def elu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """x for x > 0, else alpha (eˣ − 1)"""
    return _apply(ops.elu, input, inplace, alpha=float(alpha))


def celu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """x for x > 0, else alpha (e^{x/alpha} − 1)"""
    return _apply(ops.elu, input, inplace, alpha=float(alpha), input_scale=1.0 / alpha)


def selu(input: Tensor, inplace: bool = False) -> Tensor:
    """scale · elu(x, alpha), with the constants of Klambauer et al. (2017)"""
    return _apply(ops.elu, input, inplace, alpha=1.6732632423543772, scale=1.0507009873554805)


def gelu(input: Tensor, approximate: str = "none") -> Tensor:
    """x Φ(x)"""
    return apply(ops.gelu, input, approximate=approximate)


def silu(input: Tensor, inplace: bool = False) -> Tensor:
    """x σ(x)"""
    return _apply(ops.silu, input, inplace)


swish = silu


def mish(input: Tensor, inplace: bool = False) -> Tensor:
    """x tanh(softplus(x))"""
    return _apply(ops.mish, input, inplace)


def sigmoid(input: Tensor) -> Tensor:
    """1 / (1 + e⁻ˣ)"""
    return apply(ops.sigmoid, input)


def tanh(input: Tensor) -> Tensor:
    """sinh x / cosh x"""
    return apply(ops.tanh, input)


def tanhshrink(input: Tensor) -> Tensor:
    """x − tanh x"""
    return input - apply(ops.tanh, input)


def softsign(input: Tensor) -> Tensor:
    """x / (1 + |x|)"""
    return apply(ops.softsign, input)


def softplus(input: Tensor, beta: float = 1.0, threshold: float = 20.0) -> Tensor:
    """log(1 + e^{βx}) / β"""
    return apply(ops.softplus, input, beta=float(beta), threshold=float(threshold))


def logsigmoid(input: Tensor) -> Tensor:
    """log σ(x)"""
    return apply(ops.log_sigmoid, input)


def hardtanh(
    input: Tensor, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False
) -> Tensor:
    """x limited to [min_val, max_val]"""
    if min_val > max_val:
        raise ValueError("min_val cannot be greater than max_val")
    return _apply(ops.hardtanh, input, inplace, low=min_val, high=max_val)


def hardsigmoid(input: Tensor, inplace: bool = False) -> Tensor:
    """(x + 3)/6 limited to [0, 1]"""
    return _apply(ops.hardsigmoid, input, inplace)


def hardswish(input: Tensor, inplace: bool = False) -> Tensor:
    """x · hardsigmoid(x)"""
    return _apply(ops.hardswish, input, inplace)


def hardshrink(input: Tensor, lambd: float = 0.5) -> Tensor:
    """x where |x| > lambd, else 0"""
    return apply(ops.hardshrink, input, bound=float(lambd))


def softshrink(input: Tensor, lambd: float = 0.5) -> Tensor:
    """x moved towards 0 by lambd"""
    if lambd < 0:
        raise RuntimeError(f"lambda must be greater or equal to 0, but found to be {lambd}.")
    return apply(ops.softshrink, input, bound=float(lambd))


def threshold(input: Tensor, threshold: float, value: float, inplace: bool = False) -> Tensor:
    """x where x > threshold, else value"""
    return _apply(ops.threshold, input, inplace, bound=threshold, value=value)


def glu(input: Tensor, dim: int = -1) -> Tensor:
    """a σ(b) of the two halves of an axis"""
    if not input.ndim:
        raise RuntimeError("glu does not support 0-dimensional tensors")
    return apply(ops.glu, input, axis=dim)


def _implicit(dim: int | None, ndim: int) -> int:
    return dim if dim is not None else (0 if ndim in (0, 1, 3) else 1)


def softmax(
    input: Tensor, dim: int | None = None, _stacklevel: int = 3, dtype: DType | None = None
) -> Tensor:
    """eˣ / Σ eˣ along an axis"""
    return _softmax(input, _implicit(dim, input.ndim), dtype)


def softmin(
    input: Tensor, dim: int | None = None, _stacklevel: int = 3, dtype: DType | None = None
) -> Tensor:
    """softmax(−x)"""
    return _softmax(-input, _implicit(dim, input.ndim), dtype)


def log_softmax(
    input: Tensor, dim: int | None = None, _stacklevel: int = 3, dtype: DType | None = None
) -> Tensor:
    """x − log Σ eˣ along an axis"""
    return _log_softmax(input, _implicit(dim, input.ndim), dtype)


def gumbel_softmax(
    logits: Tensor, tau: float = 1.0, hard: bool = False, eps: float = 1e-10, dim: int = -1
) -> Tensor:
    """softmax((logits + Gumbel noise)/tau): a sample that has a gradient (Jang et al. 2016)

    hard: one-hot forward, the soft one's gradient backward. Stream "dropout".
    """
    e = draw("exponential", tuple(logits.shape), logits.dtype, None, "dropout")
    noise = -e.clamp(min=dtypes.finfo(logits.dtype).tiny).log()
    y = _softmax((logits + noise) / tau, dim)
    if not hard:
        return y
    hit = (y == y.amax(dim, keepdim=True)).to(y.dtype)
    return hit - y.detach() + y


def _writes(f: Any) -> Any:
    def g(input: Tensor, *args: Any, **kw: Any) -> Tensor:
        return f(input, *args, **kw, inplace=True)

    g.__doc__ = f"{f.__doc__}, in place"
    return g


relu_, leaky_relu_, elu_, celu_, selu_, hardtanh_, threshold_, rrelu_ = map(
    _writes, (relu, leaky_relu, elu, celu, selu, hardtanh, threshold, rrelu)
)
