"""What distributions share: parameters of one shape, probabilities and logits, random numbers."""

from __future__ import annotations

import math
from collections.abc import Callable
from numbers import Number
from typing import Any

import numpy as np

from chainrule import dtypes, names
from chainrule.autograd import Function
from chainrule.nn import functional as F
from chainrule.runtime.random import stream
from chainrule.tensor import Tensor
from chainrule.tensor import functions as f
from chainrule.tensor.creation import full, rand
from chainrule.tensor.handle import from_array

__getattr__ = names.later(__name__)

euler_constant = 0.57721566490153286060


def broadcast_all(*values: Any) -> tuple[Any, ...]:
    """Tensors of one shape; numbers become tensors of the dtype of the tensors among them."""
    if not all(isinstance(v, (Tensor, Number)) for v in values):
        raise ValueError(
            "Input arguments must all be instances of Number, torch.Tensor or objects implementing "
            "__torch_function__."
        )
    tensors = [v for v in values if isinstance(v, Tensor)]
    dtype = tensors[0].dtype if tensors else dtypes.get_default_dtype()
    made = [v if isinstance(v, Tensor) else full((), v, dtype=dtype) for v in values]
    return tuple(f.broadcast_tensors(*made))


def eps_of(t: Tensor) -> float:
    """The distance from 1 to the next number."""
    return float(dtypes.finfo(t.dtype).eps)


def clamp_probs(probs: Tensor) -> Tensor:
    """Probabilities away from 0 and 1 by one step of their dtype."""
    eps = eps_of(probs)
    return f.clamp(probs, min=eps, max=1 - eps)


def logits_to_probs(logits: Tensor, is_binary: bool = False) -> Tensor:
    """sigmoid, or softmax"""
    return f.sigmoid(logits) if is_binary else f.softmax(logits, -1)


def probs_to_logits(probs: Tensor, is_binary: bool = False) -> Tensor:
    """log p − log (1 − p), or log p"""
    clamped = clamp_probs(probs)
    if is_binary:
        return f.log(clamped) - f.log1p(-clamped)
    return f.log(clamped)


class lazy_property:
    """Computed when it is first asked for, and kept."""

    def __init__(self, wrapped: Callable[[Any], Any]) -> None:
        self.wrapped, self.__doc__ = wrapped, wrapped.__doc__

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        if instance is None:
            return self
        value = self.wrapped(instance)
        setattr(instance, self.wrapped.__name__, value)
        return value


def probs_or_logits(probs: Any, logits: Any) -> bool:
    """Whether probabilities are given. Raises ValueError unless one of both is."""
    if (probs is None) == (logits is None):
        raise ValueError("Either `probs` or `logits` must be specified, but not both.")
    return probs is not None


def xlogy(x: Any, y: Any) -> Tensor:
    """x log y, 0 where x is 0"""
    out: Tensor = f.xlogy(x, y)
    return out


def sum_rightmost(value: Any, dim: int) -> Any:
    """Summed over the last `dim` dimensions."""
    if dim == 0:
        return value
    return value.reshape((*value.shape[:-dim], -1)).sum(-1)


def uniform_open(shape: Any, like: Tensor) -> Tensor:
    """Uniform numbers in (0, 1)."""
    eps = float(dtypes.finfo(like.dtype).tiny)
    return f.clamp(rand(tuple(shape), dtype=like.dtype), min=eps, max=1 - eps_of(like) / 2)


def drawn(
    draw: Callable[..., np.ndarray], shape: Any, *parameters: Tensor, dtype: Any = None
) -> Tensor:
    """NumPy's numbers for parameters of this shape, from the default stream; no gradient."""
    arrays = [
        np.broadcast_to(np.asarray(p.detach().to(dtypes.float64).numpy()), tuple(shape))
        for p in parameters
    ]
    kind = parameters[0].dtype if dtype is None else dtype
    made: Tensor = from_array(
        np.asarray(draw(stream().numpy(), *arrays)).astype(kind.np).reshape(shape)
    )
    return made


# ------------------------------------------------------------------ gamma


def standard_gamma(concentration: Tensor) -> Tensor:
    """Samples of Gamma(concentration, 1), with their gradient by implicit reparametrisation
    (Figurnov, Mohamed, Mnih 2018): dz/dα = −(∂F/∂α) / p(z).
    """
    out: Tensor = _StandardGamma.apply(concentration)
    return out


class _StandardGamma(Function):
    @staticmethod
    def forward(ctx: Any, concentration: Tensor) -> Tensor:
        alpha = concentration.detach().to(dtypes.float64).numpy()
        z = stream().numpy().standard_gamma(alpha)
        z = np.maximum(z, np.finfo(concentration.dtype.np).tiny)
        sample: Tensor = from_array(np.asarray(z).astype(concentration.dtype.np))
        ctx.alpha, ctx.z = alpha, z
        return sample

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Any:
        slope = standard_gamma_gradient(ctx.alpha, ctx.z)
        return grads[0] * from_array(np.asarray(slope).astype(grads[0].dtype.np))


_NODES, _WEIGHTS = np.polynomial.laguerre.laggauss(64)


def standard_gamma_gradient(alpha: np.ndarray, x: np.ndarray) -> np.ndarray:
    """dz/dα of a sample z = x of Gamma(α, 1), its quantile held fixed.

    Near the mean and below it, by the series of the incomplete gamma function P:

        P/p = Σ c_n,   c_n = xⁿ⁺¹ / (α (α+1) … (α+n)),   dz/dα = Σ c_n (ψ(α+n+1) − log x)

    Far above, where P is nearly 1, by 1 − P as an integral, with Gauss and Laguerre's nodes:

        dz/dα = ∫ e⁻ˢ (1 + s/x)^(α−1) (log(x + s) − ψ(α)) ds

    For α > 5000 by Wilson and Hilferty's approximation, z = α (1 − 1/9α + ε/3√α)³.
    """
    a, z = np.broadcast_arrays(np.asarray(alpha, np.float64), np.asarray(x, np.float64))
    out = np.empty(a.shape)
    large = a > 5000.0
    far = ~large & (z > a + 6.0 * np.sqrt(a) + 1.0)
    near = ~large & ~far
    if near.any():
        out[near] = _by_series(a[near], z[near])
    if far.any():
        u, v = a[far][:, None], z[far][:, None]
        values = (1 + _NODES / v) ** (u - 1) * (np.log(v + _NODES) - digamma(u))
        out[far] = (values * _WEIGHTS).sum(-1)
    if large.any():
        u, v = a[large], z[large]
        root = np.cbrt(v / u)
        eps = (root - 1 + 1 / (9 * u)) * 3 * np.sqrt(u)
        out[large] = root**3 + 3 * u * root**2 * (1 / (9 * u * u) - eps / (6 * u * np.sqrt(u)))
    return out


def _by_series(a: np.ndarray, z: np.ndarray) -> np.ndarray:
    log, psi = np.log(z), digamma(a + 1)
    term = z / a
    total = term * (psi - log)
    n = 0
    while n < 100_000:
        n += 1
        term = term * (z / (a + n))
        psi = psi + 1 / (a + n)
        more = term * (psi - log)
        total = total + more
        if n % 8 == 0 and np.all((np.abs(more) <= 1e-15 * np.abs(total)) & (a + n > z)):
            break
    return total


def digamma(x: np.ndarray) -> np.ndarray:
    """ψ for x > 0: by its recurrence up to 8, then by its asymptotic series."""
    x = np.array(x, np.float64)
    out = np.zeros_like(x)
    while (small := x < 8).any():
        out[small] -= 1 / x[small]
        x[small] += 1
    s = 1 / (x * x)
    series = s * (1 / 12 - s * (1 / 120 - s * (1 / 252 - s * (1 / 240 - s * (1 / 132)))))
    return out + np.log(x) - 0.5 / x - series


def lbeta(a: Tensor, b: Tensor) -> Tensor:
    """log B(a, b)"""
    return f.lgamma(a) + f.lgamma(b) - f.lgamma(a + b)


def binary_log_prob(logits: Tensor, value: Tensor) -> Tensor:
    """log σ(l) where the value is 1, log (1 − σ(l)) where it is 0"""
    return -F.binary_cross_entropy_with_logits(logits, value, reduction="none")


LOG_2PI = math.log(2 * math.pi)
