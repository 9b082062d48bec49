"""Distributions made of gamma numbers: exponential, gamma, χ², beta, Dirichlet, t, F."""

from __future__ import annotations

import math
from typing import Any, ClassVar

from chainrule import dtypes, special
from chainrule.distributions import constraints
from chainrule.distributions.distribution import EMPTY, Distribution
from chainrule.distributions.exp_family import ExponentialFamily
from chainrule.distributions.utils import broadcast_all, standard_gamma, uniform_open, xlogy
from chainrule.tensor import Size, Tensor
from chainrule.tensor import functions as f
from chainrule.tensor.creation import as_tensor, randn


class Exponential(ExponentialFamily):
    """λ exp(−λ x)"""

    arg_constraints: ClassVar = {"rate": constraints.positive}
    _events: ClassVar = {"rate": 0}
    support = constraints.nonnegative
    has_rsample = True

    def __init__(self, rate: Any, validate_args: bool | None = None) -> None:
        (self.rate,) = broadcast_all(rate)
        super().__init__(self.rate.shape, validate_args=validate_args)

    @property
    def mean(self) -> Tensor:
        return 1 / self.rate

    @property
    def mode(self) -> Tensor:
        return self.rate * 0

    @property
    def stddev(self) -> Tensor:
        return 1 / self.rate

    @property
    def variance(self) -> Tensor:
        return self.rate**-2

    def rsample(self, sample_shape: Any = EMPTY) -> Tensor:
        u = uniform_open(self._extended_shape(sample_shape), self.rate)
        return -f.log1p(-u) / self.rate

    def log_prob(self, value: Tensor) -> Tensor:
        self._check(value)
        return f.log(self.rate) - self.rate * value

    def cdf(self, value: Tensor) -> Tensor:
        self._check(value)
        return 1 - f.exp(-self.rate * value)

    def icdf(self, value: Tensor) -> Tensor:
        return -f.log1p(-value) / self.rate

    def entropy(self) -> Tensor:
        return 1 - f.log(self.rate)


class Gamma(ExponentialFamily):
    """βᵅ x^(α−1) exp(−β x) / Γ(α); its samples have gradients in both parameters."""

    arg_constraints: ClassVar = {
        "concentration": constraints.positive,
        "rate": constraints.positive,
    }
    _events: ClassVar = {"concentration": 0, "rate": 0}
    support = constraints.nonnegative
    has_rsample = True

    def __init__(self, concentration: Any, rate: Any, validate_args: bool | None = None) -> None:
        self.concentration, self.rate = broadcast_all(concentration, rate)
        super().__init__(self.concentration.shape, validate_args=validate_args)

    @property
    def mean(self) -> Tensor:
        return self.concentration / self.rate

    @property
    def mode(self) -> Tensor:
        return f.clamp((self.concentration - 1) / self.rate, min=0)

    @property
    def variance(self) -> Tensor:
        return self.concentration / self.rate**2

    def rsample(self, sample_shape: Any = EMPTY) -> Tensor:
        shape = self._extended_shape(sample_shape)
        z = standard_gamma(self.concentration.expand(shape)) / self.rate.expand(shape)
        return f.clamp(z, min=float(dtypes.finfo(z.dtype).tiny))

    def log_prob(self, value: Tensor) -> Tensor:
        self._check(value)
        a, b = self.concentration, self.rate
        return xlogy(a, b) + xlogy(a - 1, value) - b * value - f.lgamma(a)

    def entropy(self) -> Tensor:
        a = self.concentration
        return a - f.log(self.rate) + f.lgamma(a) + (1 - a) * f.digamma(a)

    def cdf(self, value: Tensor) -> Tensor:
        self._check(value)
        found: Tensor = special.gammainc(self.concentration, self.rate * value)
        return found


class Chi2(Gamma):
    """The distribution of a sum of `df` squares of standard normal numbers."""

    arg_constraints: ClassVar = {"df": constraints.positive}

    def __init__(self, df: Any, validate_args: bool | None = None) -> None:
        super().__init__(0.5 * as_tensor(df), 0.5, validate_args=validate_args)

    @property
    def df(self) -> Tensor:
        """Degrees of freedom."""
        return self.concentration * 2


class Dirichlet(ExponentialFamily):
    """Π xᵢ^(αᵢ−1) / B(α) on vectors of numbers ≥ 0 whose sum is 1"""

    arg_constraints: ClassVar = {"concentration": constraints.independent(constraints.positive, 1)}
    _events: ClassVar = {"concentration": 1}
    support = constraints.simplex
    has_rsample = True

    def __init__(self, concentration: Tensor, validate_args: bool | None = None) -> None:
        if concentration.dim() < 1:
            raise ValueError("`concentration` parameter must be at least one-dimensional.")
        self.concentration = concentration
        shape = concentration.shape
        super().__init__(shape[:-1], shape[-1:], validate_args=validate_args)

    @property
    def mean(self) -> Tensor:
        return self.concentration / self.concentration.sum(-1, keepdim=True)

    @property
    def mode(self) -> Tensor:
        less = f.clamp(self.concentration - 1, min=0.0)
        mode = less / less.sum(-1, keepdim=True)
        corner = (self.concentration < 1).all(-1, keepdim=True)
        largest = f.one_hot(self.concentration.argmax(-1), self.concentration.shape[-1])
        return f.where(corner, largest.to(mode.dtype), mode)

    @property
    def variance(self) -> Tensor:
        a, total = self.concentration, self.concentration.sum(-1, keepdim=True)
        return a * (total - a) / (total**2 * (total + 1))

    def rsample(self, sample_shape: Any = EMPTY) -> Tensor:
        gamma = standard_gamma(self.concentration.expand(self._extended_shape(sample_shape)))
        return gamma / gamma.sum(-1, keepdim=True)

    def log_prob(self, value: Tensor) -> Tensor:
        self._check(value)
        a = self.concentration
        return xlogy(a - 1.0, value).sum(-1) + f.lgamma(a.sum(-1)) - f.lgamma(a).sum(-1)

    def entropy(self) -> Tensor:
        a, k = self.concentration, self.concentration.size(-1)
        total = a.sum(-1)
        return (
            f.lgamma(a).sum(-1) - f.lgamma(total) - (k - total) * f.digamma(total)
            - ((a - 1.0) * f.digamma(a)).sum(-1)
        )  # fmt: skip


class Beta(ExponentialFamily):
    """x^(a−1) (1 − x)^(b−1) / B(a, b), with a = `concentration1`, b = `concentration0`"""

    arg_constraints: ClassVar = {
        "concentration1": constraints.positive,
        "concentration0": constraints.positive,
    }
    support = constraints.unit_interval
    has_rsample = True

    def __init__(
        self, concentration1: Any, concentration0: Any, validate_args: bool | None = None
    ) -> None:
        both = f.stack(broadcast_all(concentration1, concentration0), -1)
        self._dirichlet = Dirichlet(both, validate_args=validate_args)
        super().__init__(self._dirichlet._batch_shape, validate_args=validate_args)

    def expand(self, batch_shape: Any, _instance: Any = None) -> Any:
        new = super().expand(batch_shape, _instance)
        new._dirichlet = self._dirichlet.expand(batch_shape)
        return new

    @property
    def concentration1(self) -> Tensor:
        """a"""
        return self._dirichlet.concentration[..., 0]

    @property
    def concentration0(self) -> Tensor:
        """b"""
        return self._dirichlet.concentration[..., 1]

    @property
    def mean(self) -> Tensor:
        return self.concentration1 / (self.concentration1 + self.concentration0)

    @property
    def mode(self) -> Tensor:
        return self._dirichlet.mode[..., 0]

    @property
    def variance(self) -> Tensor:
        total = self.concentration1 + self.concentration0
        return self.concentration1 * self.concentration0 / (total**2 * (total + 1))

    def rsample(self, sample_shape: Any = EMPTY) -> Tensor:
        return self._dirichlet.rsample(sample_shape)[..., 0]

    def log_prob(self, value: Tensor) -> Tensor:
        self._check(value)
        return self._dirichlet.log_prob(f.stack([value, 1.0 - value], -1))

    def entropy(self) -> Tensor:
        return self._dirichlet.entropy()


class StudentT(Distribution):
    """A normal number over the root of a χ² number by its degrees of freedom `df`."""

    arg_constraints: ClassVar = {
        "df": constraints.positive,
        "loc": constraints.real,
        "scale": constraints.positive,
    }
    _events: ClassVar = {"df": 0, "loc": 0, "scale": 0}
    support = constraints.real
    has_rsample = True

    def __init__(
        self, df: Any, loc: Any = 0.0, scale: Any = 1.0, validate_args: bool | None = None
    ) -> None:
        self.df, self.loc, self.scale = broadcast_all(df, loc, scale)
        super().__init__(self.df.shape, validate_args=validate_args)

    @property
    def mean(self) -> Tensor:
        return f.where(self.df <= 1, self.loc * math.nan, self.loc)

    @property
    def mode(self) -> Tensor:
        return self.loc

    @property
    def variance(self) -> Tensor:
        finite = self.scale**2 * self.df / (self.df - 2)
        infinite = f.where(self.df > 1, self.df * math.inf, self.df * math.nan)
        return f.where(self.df > 2, finite, infinite)

    def rsample(self, sample_shape: Any = EMPTY) -> Tensor:
        shape = self._extended_shape(sample_shape)
        x = randn(tuple(shape), dtype=self.df.dtype)
        z = 2 * standard_gamma((self.df / 2).expand(shape))
        return self.loc + self.scale * x * f.rsqrt(z / self.df)

    def log_prob(self, value: Tensor) -> Tensor:
        self._check(value)
        y = (value - self.loc) / self.scale
        norm = (
            f.log(self.scale) + 0.5 * f.log(self.df) + 0.5 * math.log(math.pi)
            + f.lgamma(0.5 * self.df) - f.lgamma(0.5 * (self.df + 1.0))
        )  # fmt: skip
        return -0.5 * (self.df + 1.0) * f.log1p(y**2.0 / self.df) - norm

    def entropy(self) -> Tensor:
        half = 0.5 * (self.df + 1)
        log_beta = f.lgamma(0.5 * self.df) + math.log(math.pi) / 2 - f.lgamma(half)
        slope = f.digamma(half) - f.digamma(0.5 * self.df)
        return f.log(self.scale) + half * slope + 0.5 * f.log(self.df) + log_beta


class FisherSnedecor(Distribution):
    """The ratio of two χ² numbers, each over its degrees of freedom `df1`, `df2`."""

    arg_constraints: ClassVar = {"df1": constraints.positive, "df2": constraints.positive}
    _events: ClassVar = {"df1": 0, "df2": 0}
    support = constraints.positive
    has_rsample = True

    def __init__(self, df1: Any, df2: Any, validate_args: bool | None = None) -> None:
        self.df1, self.df2 = broadcast_all(df1, df2)
        super().__init__(self.df1.shape, validate_args=validate_args)

    @property
    def mean(self) -> Tensor:
        return f.where(self.df2 > 2, self.df2 / (self.df2 - 2), self.df2 * math.nan)

    @property
    def mode(self) -> Tensor:
        found = (self.df1 - 2) / self.df1 * self.df2 / (self.df2 + 2)
        return f.where(self.df1 > 2, found, self.df1 * math.nan)

    @property
    def variance(self) -> Tensor:
        a, b = self.df1, self.df2
        found = 2 * b**2 * (a + b - 2) / (a * (b - 2) ** 2 * (b - 4))
        return f.where(b > 4, found, b * math.nan)

    def rsample(self, sample_shape: Any = EMPTY) -> Tensor:
        shape = Size(self._extended_shape(sample_shape))
        x1 = standard_gamma((self.df1 * 0.5).expand(shape)) / self.df1
        x2 = standard_gamma((self.df2 * 0.5).expand(shape)) / self.df2
        return f.clamp(x1 / x2, min=float(dtypes.finfo(x1.dtype).tiny))

    def log_prob(self, value: Tensor) -> Tensor:
        self._check(value)
        a, b = self.df1 * 0.5, self.df2 * 0.5
        ratio = self.df1 / self.df2
        return (
            f.lgamma(a + b) - f.lgamma(a) - f.lgamma(b) + a * f.log(ratio)
            + (a - 1) * f.log(value) - (a + b) * f.log1p(ratio * value)
        )  # fmt: skip
