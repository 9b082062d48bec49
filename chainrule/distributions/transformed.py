"""Distributions of transformed values, and those that are made this way."""

from __future__ import annotations

import math
from typing import Any, ClassVar

from chainrule.distributions import constraints
from chainrule.distributions.binary import Bernoulli
from chainrule.distributions.discrete import Categorical
from chainrule.distributions.distribution import EMPTY, Distribution
from chainrule.distributions.gammas import Exponential, Gamma
from chainrule.distributions.grouped import Independent
from chainrule.distributions.location import Cauchy, Normal, Uniform
from chainrule.distributions.transforms import (
    AbsTransform,
    AffineTransform,
    ComposeTransform,
    ExpTransform,
    PowerTransform,
    SigmoidTransform,
    StickBreakingTransform,
    Transform,
)
from chainrule.distributions.utils import (
    broadcast_all,
    clamp_probs,
    eps_of,
    euler_constant,
    lbeta,
    sum_rightmost,
    uniform_open,
)
from chainrule.nn import functional as F
from chainrule.tensor import Size, Tensor, no_grad
from chainrule.tensor import functions as f
from chainrule.tensor.creation import full, ones_like


class TransformedDistribution(Distribution):
    """The distribution of T(x) for x of a base distribution:

    log p(y) = log p_base(x) − log |dy/dx|,  x = T⁻¹(y)
    """

    def __init__(
        self,
        base_distribution: Distribution,
        transforms: Any,
        validate_args: bool | None = None,
    ) -> None:
        if isinstance(transforms, Transform):
            self.transforms = [transforms]
        elif isinstance(transforms, list) and all(isinstance(t, Transform) for t in transforms):
            self.transforms = transforms
        else:
            raise ValueError(
                f"transforms must be a Transform or list of Transforms, but was {transforms}"
            )
        base_shape = base_distribution.batch_shape + base_distribution.event_shape
        base_event = len(base_distribution.event_shape)
        transform = ComposeTransform(self.transforms)
        if len(base_shape) < transform.domain.event_dim:
            raise ValueError(
                f"base_distribution needs to have shape with size at least "
                f"{transform.domain.event_dim}, but got {base_shape}."
            )
        forward = Size(transform.forward_shape(base_shape))
        expanded = Size(transform.inverse_shape(forward))
        if base_shape != expanded:
            base_batch = expanded[: len(expanded) - base_event]
            base_distribution = base_distribution.expand(base_batch)
        reinterpreted = transform.domain.event_dim - base_event
        if reinterpreted > 0:
            base_distribution = Independent(base_distribution, reinterpreted)
        self.base_dist = base_distribution
        change = transform.codomain.event_dim - transform.domain.event_dim
        event = max(transform.codomain.event_dim, base_event + change)
        cut = len(forward) - event
        super().__init__(forward[:cut], forward[cut:], validate_args=validate_args)

    def expand(self, batch_shape: Any, _instance: Any = None) -> Any:
        new = super().expand(batch_shape, _instance)
        shape = Size(batch_shape) + self._event_shape
        for t in reversed(self.transforms):
            shape = Size(t.inverse_shape(shape))
        cut = len(shape) - len(self.base_dist.event_shape)
        new.base_dist = self.base_dist.expand(shape[:cut])
        new.transforms = self.transforms
        return new

    @property
    def has_rsample(self) -> bool:  # type: ignore[override]  # others have it as a constant
        return self.base_dist.has_rsample

    @property
    def support(self) -> Any:
        if not self.transforms:
            return self.base_dist.support
        support = self.transforms[-1].codomain
        more = len(self.event_shape) - support.event_dim
        return constraints.independent(support, more) if more > 0 else support

    def sample(self, sample_shape: Any = EMPTY) -> Tensor:
        with no_grad():
            x = self.base_dist.sample(sample_shape)
            for t in self.transforms:
                x = t(x)
            return x

    def rsample(self, sample_shape: Any = EMPTY) -> Tensor:
        x = self.base_dist.rsample(sample_shape)
        for t in self.transforms:
            x = t(x)
        return x

    def log_prob(self, value: Tensor) -> Tensor:
        self._check(value)
        event = len(self.event_shape)
        found: Any = 0.0
        y = value
        for t in reversed(self.transforms):
            x = t.inv(y)
            event += t.domain.event_dim - t.codomain.event_dim
            jacobian = t.log_abs_det_jacobian(x, y)
            found = found - sum_rightmost(jacobian, event - t.domain.event_dim)
            y = x
        base = self.base_dist.log_prob(y)
        out: Tensor = found + sum_rightmost(base, event - len(self.base_dist.event_shape))
        return out

    def _increasing(self, value: Tensor) -> Tensor:
        """A probability seen from the other side where the transforms decrease."""
        sign: Any = 1
        for t in self.transforms:
            sign = sign * t.sign
        if isinstance(sign, int) and sign == 1:
            return value
        return sign * (value - 0.5) + 0.5

    def cdf(self, value: Tensor) -> Tensor:
        for t in reversed(self.transforms):
            value = t.inv(value)
        if self._validate_args:
            self.base_dist._validate_sample(value)
        return self._increasing(self.base_dist.cdf(value))

    def icdf(self, value: Tensor) -> Tensor:
        value = self.base_dist.icdf(self._increasing(value))
        for t in self.transforms:
            value = t(value)
        return value


class LogNormal(TransformedDistribution):
    """exp of a normal number"""

    arg_constraints: ClassVar = {"loc": constraints.real, "scale": constraints.positive}
    support = constraints.positive
    has_rsample = True
    base_dist: Normal

    def __init__(self, loc: Any, scale: Any, validate_args: bool | None = None) -> None:
        super().__init__(Normal(loc, scale, validate_args), ExpTransform(), validate_args)

    @property
    def loc(self) -> Tensor:
        """Of the logarithm."""
        return self.base_dist.loc

    @property
    def scale(self) -> Tensor:
        """Of the logarithm."""
        return self.base_dist.scale

    @property
    def mean(self) -> Tensor:
        return f.exp(self.loc + self.scale**2 / 2)

    @property
    def mode(self) -> Tensor:
        return f.exp(self.loc - self.scale**2)

    @property
    def variance(self) -> Tensor:
        square = self.scale**2
        return f.expm1(square) * f.exp(2 * self.loc + square)

    def entropy(self) -> Tensor:
        return self.base_dist.entropy() + self.loc


class HalfNormal(TransformedDistribution):
    """|x| of a normal number with mean 0"""

    arg_constraints: ClassVar = {"scale": constraints.positive}
    support = constraints.nonnegative
    has_rsample = True
    base_dist: Normal

    def __init__(self, scale: Any, validate_args: bool | None = None) -> None:
        super().__init__(Normal(0, scale, validate_args=False), AbsTransform(), validate_args)

    @property
    def scale(self) -> Tensor:
        """Of the normal number."""
        return self.base_dist.scale

    @property
    def mean(self) -> Tensor:
        return self.scale * math.sqrt(2 / math.pi)

    @property
    def mode(self) -> Tensor:
        return self.scale * 0

    @property
    def variance(self) -> Tensor:
        return self.scale**2 * (1 - 2 / math.pi)

    def log_prob(self, value: Tensor) -> Tensor:
        self._check(value)
        found = self.base_dist.log_prob(value) + math.log(2)
        return f.where(value >= 0, found, found * 0 - math.inf)

    def cdf(self, value: Tensor) -> Tensor:
        self._check(value)
        return 2 * self.base_dist.cdf(value) - 1

    def icdf(self, value: Tensor) -> Tensor:
        return self.base_dist.icdf((value + 1) / 2)

    def entropy(self) -> Tensor:
        return self.base_dist.entropy() - math.log(2)


class HalfCauchy(TransformedDistribution):
    """|x| of a Cauchy number around 0"""

    arg_constraints: ClassVar = {"scale": constraints.positive}
    support = constraints.nonnegative
    has_rsample = True
    base_dist: Cauchy

    def __init__(self, scale: Any, validate_args: bool | None = None) -> None:
        super().__init__(Cauchy(0, scale, validate_args=False), AbsTransform(), validate_args)

    @property
    def scale(self) -> Tensor:
        """Of the Cauchy number."""
        return self.base_dist.scale

    @property
    def mean(self) -> Tensor:
        return full(tuple(self._extended_shape()), math.inf, dtype=self.scale.dtype)

    @property
    def mode(self) -> Tensor:
        return self.scale * 0

    @property
    def variance(self) -> Tensor:
        return self.base_dist.variance

    def log_prob(self, value: Tensor) -> Tensor:
        self._check(value)
        found = self.base_dist.log_prob(value) + math.log(2)
        return f.where(value >= 0, found, found * 0 - math.inf)

    def cdf(self, value: Tensor) -> Tensor:
        self._check(value)
        return 2 * self.base_dist.cdf(value) - 1

    def icdf(self, value: Tensor) -> Tensor:
        return self.base_dist.icdf((value + 1) / 2)

    def entropy(self) -> Tensor:
        return self.base_dist.entropy() - math.log(2)


class Gumbel(TransformedDistribution):
    """The largest of many: −log(−log u), moved and scaled"""

    arg_constraints: ClassVar = {"loc": constraints.real, "scale": constraints.positive}
    _events: ClassVar = {"loc": 0, "scale": 0}
    support = constraints.real

    def __init__(self, loc: Any, scale: Any, validate_args: bool | None = None) -> None:
        self.loc, self.scale = broadcast_all(loc, scale)
        zero = self.loc.detach() * 0
        tiny = 1.2e-38 if self.loc.itemsize <= 4 else 2.3e-308
        base = Uniform(zero + tiny, zero + (1 - eps_of(zero)), validate_args=False)
        chain = [
            ExpTransform().inv,
            AffineTransform(0, -ones_like(self.scale)),
            ExpTransform().inv,
            AffineTransform(self.loc, -self.scale),
        ]
        super().__init__(base, chain, validate_args=validate_args)

    def expand(self, batch_shape: Any, _instance: Any = None) -> Any:
        return Gumbel(
            self.loc.expand(tuple(batch_shape)), self.scale.expand(tuple(batch_shape)),
            validate_args=False,
        )  # fmt: skip

    @property
    def mean(self) -> Tensor:
        return self.loc + self.scale * euler_constant

    @property
    def mode(self) -> Tensor:
        return self.loc

    @property
    def stddev(self) -> Tensor:
        return math.pi / math.sqrt(6) * self.scale

    @property
    def variance(self) -> Tensor:
        return self.stddev**2

    def log_prob(self, value: Tensor) -> Tensor:
        self._check(value)
        y = (self.loc - value) / self.scale
        return (y - f.exp(y)) - f.log(self.scale)

    def entropy(self) -> Tensor:
        return f.log(self.scale) + (1 + euler_constant)


class Pareto(TransformedDistribution):
    """α mᵅ / x^(α+1) for x ≥ m, with m = `scale`"""

    arg_constraints: ClassVar = {"alpha": constraints.positive, "scale": constraints.positive}
    _events: ClassVar = {"alpha": 0, "scale": 0}

    def __init__(self, scale: Any, alpha: Any, validate_args: bool | None = None) -> None:
        self.scale, self.alpha = broadcast_all(scale, alpha)
        base = Exponential(self.alpha, validate_args=validate_args)
        chain = [ExpTransform(), AffineTransform(loc=0, scale=self.scale)]
        super().__init__(base, chain, validate_args=validate_args)

    def expand(self, batch_shape: Any, _instance: Any = None) -> Any:
        shape = tuple(batch_shape)
        return Pareto(self.scale.expand(shape), self.alpha.expand(shape), validate_args=False)

    @property
    def support(self) -> Any:
        return constraints.greater_than_eq(self.scale)

    @property
    def mean(self) -> Tensor:
        a = f.clamp(self.alpha, min=1)
        return a * self.scale / (a - 1)

    @property
    def mode(self) -> Tensor:
        return self.scale

    @property
    def variance(self) -> Tensor:
        a = f.clamp(self.alpha, min=2)
        return self.scale**2 * a / ((a - 1) ** 2 * (a - 2))

    def entropy(self) -> Tensor:
        return f.log(self.scale / self.alpha) + (1 + 1 / self.alpha)


class Weibull(TransformedDistribution):
    """λ (−log u)^(1/k), with λ = `scale`, k = `concentration`"""

    arg_constraints: ClassVar = {
        "scale": constraints.positive,
        "concentration": constraints.positive,
    }
    _events: ClassVar = {"scale": 0, "concentration": 0}
    support = constraints.positive

    def __init__(self, scale: Any, concentration: Any, validate_args: bool | None = None) -> None:
        self.scale, self.concentration = broadcast_all(scale, concentration)
        base = Exponential(ones_like(self.scale), validate_args=validate_args)
        chain = [
            PowerTransform(exponent=1 / self.concentration),
            AffineTransform(loc=0, scale=self.scale),
        ]
        super().__init__(base, chain, validate_args=validate_args)

    def expand(self, batch_shape: Any, _instance: Any = None) -> Any:
        shape = tuple(batch_shape)
        return Weibull(self.scale.expand(shape), self.concentration.expand(shape), False)

    @property
    def mean(self) -> Tensor:
        return self.scale * f.exp(f.lgamma(1 + 1 / self.concentration))

    @property
    def mode(self) -> Tensor:
        k = self.concentration
        return self.scale * ((k - 1) / k) ** (1 / k)

    @property
    def variance(self) -> Tensor:
        inverse = 1 / self.concentration
        square = f.exp(f.lgamma(1 + 2 * inverse)) - f.exp(2 * f.lgamma(1 + inverse))
        return self.scale**2 * square

    def entropy(self) -> Tensor:
        inverse = 1 / self.concentration
        return euler_constant * (1 - inverse) + f.log(self.scale * inverse) + 1


class Kumaraswamy(TransformedDistribution):
    """(1 − (1 − u)^(1/b))^(1/a), with a = `concentration1`, b = `concentration0`"""

    arg_constraints: ClassVar = {
        "concentration1": constraints.positive,
        "concentration0": constraints.positive,
    }
    _events: ClassVar = {"concentration1": 0, "concentration0": 0}
    support = constraints.unit_interval

    def __init__(
        self, concentration1: Any, concentration0: Any, validate_args: bool | None = None
    ) -> None:
        self.concentration1, self.concentration0 = broadcast_all(concentration1, concentration0)
        base = Uniform(
            full((), 0.0, dtype=self.concentration0.dtype).expand(self.concentration0.shape),
            full((), 1.0, dtype=self.concentration0.dtype).expand(self.concentration0.shape),
            validate_args=validate_args,
        )
        chain = [
            PowerTransform(exponent=1 / self.concentration0),
            AffineTransform(loc=1.0, scale=-1.0),
            PowerTransform(exponent=1 / self.concentration1),
        ]
        super().__init__(base, chain, validate_args=validate_args)

    def expand(self, batch_shape: Any, _instance: Any = None) -> Any:
        shape = tuple(batch_shape)
        a, b = self.concentration1.expand(shape), self.concentration0.expand(shape)
        return Kumaraswamy(a, b, validate_args=False)

    def _moment(self, n: int) -> Tensor:
        a, b = self.concentration1, self.concentration0
        return f.exp(f.log(b) + lbeta(1 + n / a, b))

    @property
    def mean(self) -> Tensor:
        return self._moment(1)

    @property
    def mode(self) -> Tensor:
        a, b = self.concentration1, self.concentration0
        log = f.log1p(-a) - f.log1p(-a * b)
        found = f.exp(f.log((a - 1) / (a * b - 1)) / a)
        return f.where((a < 1) | (b < 1), log * math.nan, found)

    @property
    def variance(self) -> Tensor:
        return self._moment(2) - self._moment(1) ** 2

    def entropy(self) -> Tensor:
        a, b = self.concentration1, self.concentration0
        t1, t0 = 1 - 1 / a, 1 - 1 / b
        harmonic = f.digamma(b + 1) + euler_constant
        return t0 + t1 * harmonic - f.log(a) - f.log(b)


class InverseGamma(TransformedDistribution):
    """1 / x of a gamma number"""

    arg_constraints: ClassVar = {
        "concentration": constraints.positive,
        "rate": constraints.positive,
    }
    support = constraints.positive
    has_rsample = True
    base_dist: Gamma

    def __init__(self, concentration: Any, rate: Any, validate_args: bool | None = None) -> None:
        base = Gamma(concentration, rate, validate_args=validate_args)
        invert = PowerTransform(full((), -1.0, dtype=base.rate.dtype))
        super().__init__(base, invert, validate_args=validate_args)

    @property
    def concentration(self) -> Tensor:
        """α"""
        return self.base_dist.concentration

    @property
    def rate(self) -> Tensor:
        """β"""
        return self.base_dist.rate

    @property
    def mean(self) -> Tensor:
        found = self.rate / (self.concentration - 1)
        return f.where(self.concentration > 1, found, found * 0 + math.inf)

    @property
    def mode(self) -> Tensor:
        return self.rate / (self.concentration + 1)

    @property
    def variance(self) -> Tensor:
        a = self.concentration
        found = self.rate**2 / ((a - 1) ** 2 * (a - 2))
        return f.where(a > 2, found, found * 0 + math.inf)

    def entropy(self) -> Tensor:
        a = self.concentration
        return a + f.log(self.rate) + f.lgamma(a) - (1 + a) * f.digamma(a)


class LogisticNormal(TransformedDistribution):
    """Probabilities whose log odds are normal, by breaking a stick"""

    arg_constraints: ClassVar = {"loc": constraints.real, "scale": constraints.positive}
    support = constraints.simplex
    has_rsample = True
    base_dist: Any

    def __init__(self, loc: Any, scale: Any, validate_args: bool | None = None) -> None:
        base = Normal(loc, scale, validate_args=validate_args)
        if not base.batch_shape:
            base = base.expand((1,))
        super().__init__(base, StickBreakingTransform(), validate_args=validate_args)

    @property
    def loc(self) -> Tensor:
        """Of the log odds."""
        return self.base_dist.base_dist.loc

    @property
    def scale(self) -> Tensor:
        """Of the log odds."""
        return self.base_dist.base_dist.scale


class LogitRelaxedBernoulli(Distribution):
    """The log odds of a `RelaxedBernoulli`"""

    arg_constraints: ClassVar = {"probs": constraints.unit_interval, "logits": constraints.real}
    support = constraints.real
    has_rsample = True

    def __init__(
        self,
        temperature: Any,
        probs: Any = None,
        logits: Any = None,
        validate_args: bool | None = None,
    ) -> None:
        self.temperature = temperature
        self._bernoulli = Bernoulli(probs, logits, validate_args=False)
        super().__init__(self._bernoulli.batch_shape, validate_args=validate_args)

    def expand(self, batch_shape: Any, _instance: Any = None) -> Any:
        new = super().expand(batch_shape, _instance)
        new._bernoulli = self._bernoulli.expand(batch_shape)
        return new

    @property
    def probs(self) -> Tensor:
        """Of 1."""
        return self._bernoulli.probs

    @property
    def logits(self) -> Tensor:
        """log p − log (1 − p)"""
        return self._bernoulli.logits

    @property
    def param_shape(self) -> Size:
        """Of the parameter."""
        return self._bernoulli.param_shape

    def rsample(self, sample_shape: Any = EMPTY) -> Tensor:
        shape = self._extended_shape(sample_shape)
        p, u = clamp_probs(self.probs.expand(shape)), uniform_open(shape, self.probs)
        u = clamp_probs(u)
        noise = f.log(u) - f.log1p(-u)
        return (noise + f.log(p) - f.log1p(-p)) / self.temperature

    def log_prob(self, value: Tensor) -> Tensor:
        self._check(value)
        logits, value = broadcast_all(self.logits, value)
        difference = logits - value * self.temperature
        log = (
            self.temperature.log()
            if isinstance(self.temperature, Tensor)
            else math.log(self.temperature)
        )
        return log + difference - 2 * F.softplus(difference)


class RelaxedBernoulli(TransformedDistribution):
    """A number in (0, 1) that becomes 0 or 1 as the temperature goes to 0 (Maddison et al. 2017)"""

    arg_constraints: ClassVar = {"probs": constraints.unit_interval, "logits": constraints.real}
    support = constraints.unit_interval
    has_rsample = True
    base_dist: LogitRelaxedBernoulli

    def __init__(
        self,
        temperature: Any,
        probs: Any = None,
        logits: Any = None,
        validate_args: bool | None = None,
    ) -> None:
        base = LogitRelaxedBernoulli(temperature, probs, logits)
        super().__init__(base, SigmoidTransform(), validate_args=validate_args)

    @property
    def temperature(self) -> Any:
        """How far from 0 and 1."""
        return self.base_dist.temperature

    @property
    def logits(self) -> Tensor:
        """log p − log (1 − p)"""
        return self.base_dist.logits

    @property
    def probs(self) -> Tensor:
        """Of 1."""
        return self.base_dist.probs


class ExpRelaxedCategorical(Distribution):
    """The logarithms of a `RelaxedOneHotCategorical`"""

    arg_constraints: ClassVar = {
        "probs": constraints.simplex,
        "logits": constraints.real_vector,
    }
    support = constraints.real_vector
    has_rsample = True

    def __init__(
        self,
        temperature: Any,
        probs: Any = None,
        logits: Any = None,
        validate_args: bool | None = None,
    ) -> None:
        self._categorical = Categorical(probs, logits, validate_args=False)
        self.temperature = temperature
        shape = self._categorical.param_shape
        super().__init__(shape[:-1], shape[-1:], validate_args=validate_args)

    def expand(self, batch_shape: Any, _instance: Any = None) -> Any:
        new = super().expand(batch_shape, _instance)
        new._categorical = self._categorical.expand(batch_shape)
        return new

    @property
    def probs(self) -> Tensor:
        """Of each place."""
        return self._categorical.probs

    @property
    def logits(self) -> Tensor:
        """Logarithms of the probabilities."""
        return self._categorical.logits

    @property
    def param_shape(self) -> Size:
        """Of the parameter."""
        return self._categorical.param_shape

    def rsample(self, sample_shape: Any = EMPTY) -> Tensor:
        shape = self._extended_shape(sample_shape)
        u = clamp_probs(uniform_open(shape, self.logits))
        scores = (self.logits.expand(shape) - f.log(-f.log(u))) / self.temperature
        return scores - f.logsumexp(scores, -1, keepdim=True)

    def log_prob(self, value: Tensor) -> Tensor:
        self._check(value)
        k = self._event_shape[0]
        logits, value = broadcast_all(self.logits, value)
        log = (
            self.temperature.log()
            if isinstance(self.temperature, Tensor)
            else math.log(self.temperature)
        )
        scale = math.lgamma(k) + (k - 1) * log
        score = logits - value * self.temperature
        return (score - f.logsumexp(score, -1, keepdim=True)).sum(-1) + scale


class RelaxedOneHotCategorical(TransformedDistribution):
    """Probabilities that become a single 1 as the temperature goes to 0 (Jang et al. 2017)"""

    arg_constraints: ClassVar = {
        "probs": constraints.simplex,
        "logits": constraints.real_vector,
    }
    support = constraints.simplex
    has_rsample = True
    base_dist: ExpRelaxedCategorical

    def __init__(
        self,
        temperature: Any,
        probs: Any = None,
        logits: Any = None,
        validate_args: bool | None = None,
    ) -> None:
        base = ExpRelaxedCategorical(temperature, probs, logits, validate_args=validate_args)
        super().__init__(base, ExpTransform(), validate_args=validate_args)

    @property
    def temperature(self) -> Any:
        """How far from a single 1."""
        return self.base_dist.temperature

    @property
    def logits(self) -> Tensor:
        """Logarithms of the probabilities."""
        return self.base_dist.logits

    @property
    def probs(self) -> Tensor:
        """Of each place."""
        return self.base_dist.probs
