"""Distributions with a place and a width: normal, uniform, Laplace, Cauchy."""

from __future__ import annotations

import math
from typing import Any, ClassVar

from chainrule.distributions import constraints
from chainrule.distributions.distribution import EMPTY, Distribution
from chainrule.distributions.exp_family import ExponentialFamily
from chainrule.distributions.utils import LOG_2PI, broadcast_all, eps_of, uniform_open
from chainrule.tensor import Tensor
from chainrule.tensor import functions as f
from chainrule.tensor.creation import full, rand, randn


class Normal(ExponentialFamily):
    """exp(−(x − μ)² / 2σ²) / (σ √2π), with mean μ = `loc` and standard deviation σ = `scale`

    >>> import chainrule as torch
    >>> Normal(0.0, 1.0).log_prob(torch.tensor(0.0))
    tensor(-0.9189)
    """

    arg_constraints: ClassVar = {"loc": constraints.real, "scale": constraints.positive}
    _events: ClassVar = {"loc": 0, "scale": 0}
    support = constraints.real
    has_rsample = True

    def __init__(self, loc: Any, scale: Any, validate_args: bool | None = None) -> None:
        self.loc, self.scale = broadcast_all(loc, scale)
        super().__init__(self.loc.shape, validate_args=validate_args)

    @property
    def mean(self) -> Tensor:
        return self.loc

    @property
    def mode(self) -> Tensor:
        return self.loc

    @property
    def stddev(self) -> Tensor:
        return self.scale

    @property
    def variance(self) -> Tensor:
        return self.scale * self.scale

    def rsample(self, sample_shape: Any = EMPTY) -> Tensor:
        noise = randn(tuple(self._extended_shape(sample_shape)), dtype=self.loc.dtype)
        return self.loc + noise * self.scale

    def log_prob(self, value: Tensor) -> Tensor:
        self._check(value)
        z = (value - self.loc) / self.scale
        return -0.5 * z * z - f.log(self.scale) - 0.5 * LOG_2PI

    def cdf(self, value: Tensor) -> Tensor:
        self._check(value)
        return 0.5 * (1 + f.erf((value - self.loc) / (self.scale * math.sqrt(2))))

    def icdf(self, value: Tensor) -> Tensor:
        return self.loc + self.scale * f.erfinv(2 * value - 1) * math.sqrt(2)

    def entropy(self) -> Tensor:
        return 0.5 + 0.5 * LOG_2PI + f.log(self.scale)


class Uniform(Distribution):
    """1 / (high − low) on [low, high)"""

    _events: ClassVar = {"low": 0, "high": 0}
    has_rsample = True

    def __init__(self, low: Any, high: Any, validate_args: bool | None = None) -> None:
        self.low, self.high = broadcast_all(low, high)
        super().__init__(self.low.shape, validate_args=validate_args)

    @property
    def arg_constraints(self) -> dict[str, Any]:  # type: ignore[override]  # others: a constant
        """Each bound depends on the other."""
        return {
            "low": constraints.less_than(self.high),
            "high": constraints.greater_than(self.low),
        }

    @property
    def support(self) -> Any:
        return constraints.interval(self.low, self.high)

    @property
    def mean(self) -> Tensor:
        return (self.high + self.low) / 2

    @property
    def mode(self) -> Tensor:
        return self.high * math.nan

    @property
    def stddev(self) -> Tensor:
        return (self.high - self.low) / math.sqrt(12)

    @property
    def variance(self) -> Tensor:
        return (self.high - self.low) ** 2 / 12

    def rsample(self, sample_shape: Any = EMPTY) -> Tensor:
        u = rand(tuple(self._extended_shape(sample_shape)), dtype=self.low.dtype)
        return self.low + u * (self.high - self.low)

    def log_prob(self, value: Tensor) -> Tensor:
        self._check(value)
        inside = (self.low <= value) & (self.high > value)
        return f.log(inside.to(self.low.dtype)) - f.log(self.high - self.low)

    def cdf(self, value: Tensor) -> Tensor:
        self._check(value)
        return f.clamp((value - self.low) / (self.high - self.low), min=0, max=1)

    def icdf(self, value: Tensor) -> Tensor:
        return value * (self.high - self.low) + self.low

    def entropy(self) -> Tensor:
        return f.log(self.high - self.low)


class Laplace(Distribution):
    """exp(−|x − μ| / b) / 2b"""

    arg_constraints: ClassVar = {"loc": constraints.real, "scale": constraints.positive}
    _events: ClassVar = {"loc": 0, "scale": 0}
    support = constraints.real
    has_rsample = True

    def __init__(self, loc: Any, scale: Any, validate_args: bool | None = None) -> None:
        self.loc, self.scale = broadcast_all(loc, scale)
        super().__init__(self.loc.shape, validate_args=validate_args)

    @property
    def mean(self) -> Tensor:
        return self.loc

    @property
    def mode(self) -> Tensor:
        return self.loc

    @property
    def variance(self) -> Tensor:
        return 2 * self.scale**2

    @property
    def stddev(self) -> Tensor:
        return math.sqrt(2) * self.scale

    def rsample(self, sample_shape: Any = EMPTY) -> Tensor:
        u = uniform_open(self._extended_shape(sample_shape), self.loc) - 0.5
        return self.loc - self.scale * f.sign(u) * f.log1p(-2 * f.abs(u) * (1 - eps_of(u)))

    def log_prob(self, value: Tensor) -> Tensor:
        self._check(value)
        return -f.log(2 * self.scale) - f.abs(value - self.loc) / self.scale

    def cdf(self, value: Tensor) -> Tensor:
        self._check(value)
        x = value - self.loc
        return 0.5 - 0.5 * f.sign(x) * f.expm1(-f.abs(x) / self.scale)

    def icdf(self, value: Tensor) -> Tensor:
        term = value - 0.5
        return self.loc - self.scale * f.sign(term) * f.log1p(-2 * f.abs(term))

    def entropy(self) -> Tensor:
        return 1 + f.log(2 * self.scale)


class Cauchy(Distribution):
    """1 / (π γ (1 + ((x − x₀) / γ)²)): it has no mean."""

    arg_constraints: ClassVar = {"loc": constraints.real, "scale": constraints.positive}
    _events: ClassVar = {"loc": 0, "scale": 0}
    support = constraints.real
    has_rsample = True

    def __init__(self, loc: Any, scale: Any, validate_args: bool | None = None) -> None:
        self.loc, self.scale = broadcast_all(loc, scale)
        super().__init__(self.loc.shape, validate_args=validate_args)

    @property
    def mean(self) -> Tensor:
        return full(tuple(self._extended_shape()), math.nan, dtype=self.loc.dtype)

    @property
    def mode(self) -> Tensor:
        return self.loc

    @property
    def variance(self) -> Tensor:
        return full(tuple(self._extended_shape()), math.inf, dtype=self.loc.dtype)

    def rsample(self, sample_shape: Any = EMPTY) -> Tensor:
        u = uniform_open(self._extended_shape(sample_shape), self.loc)
        return self.loc + f.tan((u - 0.5) * math.pi) * self.scale

    def log_prob(self, value: Tensor) -> Tensor:
        self._check(value)
        z = (value - self.loc) / self.scale
        return -math.log(math.pi) - f.log(self.scale) - f.log1p(z * z)

    def cdf(self, value: Tensor) -> Tensor:
        self._check(value)
        return f.atan((value - self.loc) / self.scale) / math.pi + 0.5

    def icdf(self, value: Tensor) -> Tensor:
        return f.tan(math.pi * (value - 0.5)) * self.scale + self.loc

    def entropy(self) -> Tensor:
        return math.log(4 * math.pi) + f.log(self.scale)
