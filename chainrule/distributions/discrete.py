"""Distributions of one of several, and of counts."""

from __future__ import annotations

import math
from typing import Any, ClassVar

from chainrule import dtypes
from chainrule.distributions import constraints
from chainrule.distributions.distribution import EMPTY, Distribution
from chainrule.distributions.exp_family import ExponentialFamily
from chainrule.distributions.gammas import Gamma
from chainrule.distributions.utils import (
    broadcast_all,
    drawn,
    lazy_property,
    logits_to_probs,
    probs_or_logits,
    probs_to_logits,
    xlogy,
)
from chainrule.nn import functional as F
from chainrule.tensor import Size, Tensor, no_grad
from chainrule.tensor import functions as f
from chainrule.tensor.creation import arange, eye, full, multinomial


class Categorical(Distribution):
    """An index 0 … K−1, by probabilities (which are divided by their sum) or their logarithms.

    >>> import chainrule as torch
    >>> Categorical(logits=torch.zeros(4)).entropy()
    tensor(1.3863)
    """

    arg_constraints: ClassVar = {
        "probs": constraints.simplex,
        "logits": constraints.real_vector,
    }
    _events: ClassVar = {"probs": 1, "logits": 1}
    has_enumerate_support = True

    def __init__(
        self, probs: Any = None, logits: Any = None, validate_args: bool | None = None
    ) -> None:
        by_probs = probs_or_logits(probs, logits)
        given = probs if by_probs else logits
        if given.dim() < 1:
            name = "probs" if by_probs else "logits"
            raise ValueError(f"`{name}` parameter must be at least one-dimensional.")
        if by_probs:
            self.probs = probs / probs.sum(-1, keepdim=True)
        else:
            self.logits = logits - f.logsumexp(logits, -1, keepdim=True)
        self._num_events = given.shape[-1]
        super().__init__(given.shape[:-1], validate_args=validate_args)

    @property
    def support(self) -> Any:
        return constraints.integer_interval(0, self._num_events - 1)

    @lazy_property
    def logits(self) -> Tensor:
        """Logarithms of the probabilities."""
        return probs_to_logits(self.probs)

    @lazy_property
    def probs(self) -> Tensor:
        """Of each index."""
        return logits_to_probs(self.logits)

    @property
    def param_shape(self) -> Size:
        """Of the parameter."""
        return Size((*self.batch_shape, self._num_events))

    @property
    def mean(self) -> Tensor:
        return full(tuple(self._extended_shape()), math.nan, dtype=self.probs.dtype)

    @property
    def mode(self) -> Tensor:
        return self.probs.argmax(dim=-1)

    @property
    def variance(self) -> Tensor:
        return full(tuple(self._extended_shape()), math.nan, dtype=self.probs.dtype)

    def sample(self, sample_shape: Any = EMPTY) -> Tensor:
        sample_shape = Size(sample_shape)
        with no_grad():
            rows = self.probs.reshape(-1, self._num_events)
            found = multinomial(rows, sample_shape.numel(), True)
            return found.t().reshape(self._extended_shape(sample_shape))

    def log_prob(self, value: Tensor) -> Tensor:
        self._check(value)
        index = value.long().unsqueeze(-1)
        shape = f.broadcast_shapes(tuple(index.shape), (*self.logits.shape[:-1], 1))
        logits = self.logits.expand((*shape[:-1], self._num_events))
        return f.gather(logits, -1, index.expand(shape)).squeeze(-1)

    def entropy(self) -> Tensor:
        least = float(dtypes.finfo(self.logits.dtype).min)
        return -(f.clamp(self.logits, min=least) * self.probs).sum(-1)

    def enumerate_support(self, expand: bool = True) -> Tensor:
        values = arange(self._num_events).reshape(-1, *(1,) * len(self._batch_shape))
        return values.expand(self._num_events, *self._batch_shape) if expand else values


class OneHotCategorical(Distribution):
    """As `Categorical`, as a vector of 0 with a single 1"""

    arg_constraints: ClassVar = {
        "probs": constraints.simplex,
        "logits": constraints.real_vector,
    }
    support = constraints.one_hot
    has_enumerate_support = True

    def __init__(
        self, probs: Any = None, logits: Any = None, validate_args: bool | None = None
    ) -> None:
        self._categorical = Categorical(probs, logits, validate_args=False)
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

    @property
    def mean(self) -> Tensor:
        return self.probs

    @property
    def mode(self) -> Tensor:
        return f.one_hot(self.probs.argmax(-1), self.probs.shape[-1]).to(self.probs.dtype)

    @property
    def variance(self) -> Tensor:
        return self.probs * (1 - self.probs)

    def sample(self, sample_shape: Any = EMPTY) -> Tensor:
        index = self._categorical.sample(sample_shape)
        return f.one_hot(index, self._event_shape[0]).to(self.probs.dtype)

    def log_prob(self, value: Tensor) -> Tensor:
        self._check(value)
        return self._categorical.log_prob(value.argmax(-1))

    def entropy(self) -> Tensor:
        return self._categorical.entropy()

    def enumerate_support(self, expand: bool = True) -> Tensor:
        n = self._event_shape[0]
        values = eye(n, dtype=self.probs.dtype).reshape(n, *(1,) * len(self._batch_shape), n)
        return values.expand(n, *self._batch_shape, n) if expand else values


class OneHotCategoricalStraightThrough(OneHotCategorical):
    """Samples whose gradient is that of the probabilities (Bengio et al. 2013)"""

    has_rsample = True

    def rsample(self, sample_shape: Any = EMPTY) -> Tensor:
        probs = self.probs
        return self.sample(sample_shape) + (probs - probs.detach())


class Multinomial(Distribution):
    """How often each of K came in `total_count` draws"""

    arg_constraints: ClassVar = {
        "probs": constraints.simplex,
        "logits": constraints.real_vector,
    }

    def __init__(
        self,
        total_count: int = 1,
        probs: Any = None,
        logits: Any = None,
        validate_args: bool | None = None,
    ) -> None:
        if not isinstance(total_count, int):
            raise NotImplementedError("inhomogeneous total_count is not supported")
        self.total_count = total_count
        self._categorical = Categorical(probs, logits, validate_args=False)
        shape = self._categorical.param_shape
        super().__init__(shape[:-1], shape[-1:], validate_args=validate_args)

    def expand(self, batch_shape: Any, _instance: Any = None) -> Any:
        new = super().expand(batch_shape, _instance)
        new._categorical = self._categorical.expand(batch_shape)
        return new

    @property
    def support(self) -> Any:
        return constraints.multinomial(self.total_count)

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

    @property
    def mean(self) -> Tensor:
        return self.probs * self.total_count

    @property
    def variance(self) -> Tensor:
        return self.total_count * self.probs * (1 - self.probs)

    def sample(self, sample_shape: Any = EMPTY) -> Tensor:
        found = self._categorical.sample((self.total_count, *sample_shape))
        return f.one_hot(found, self._event_shape[0]).sum(0).to(self.probs.dtype)

    def log_prob(self, value: Tensor) -> Tensor:
        self._check(value)
        logits, value = broadcast_all(self.logits, value)
        # log 0 · 0 = 0
        logits = f.where((value == 0) & (logits == -math.inf), logits.detach() * 0 - 1, logits)
        ways = f.lgamma(value.sum(-1) + 1) - f.lgamma(value + 1).sum(-1)
        return ways + (logits * value).sum(-1)

    def entropy(self) -> Tensor:
        n = full((), float(self.total_count))
        counts = Binomial(self.total_count, self.probs, validate_args=False)
        weights = f.exp(counts.log_prob(counts.enumerate_support(expand=False)))[1:]
        support = counts.enumerate_support(expand=False)[1:]
        more = (weights * f.lgamma(support + 1)).sum([0, -1])
        return n * self._categorical.entropy() - f.lgamma(n + 1) + more


class Poisson(ExponentialFamily):
    """λᵏ exp(−λ) / k!"""

    arg_constraints: ClassVar = {"rate": constraints.nonnegative}
    _events: ClassVar = {"rate": 0}
    support = constraints.nonnegative_integer

    def __init__(self, rate: Any, validate_args: bool | None = None) -> None:
        (self.rate,) = broadcast_all(rate)
        super().__init__(self.rate.shape, validate_args=validate_args)

    @property
    def mean(self) -> Tensor:
        return self.rate

    @property
    def mode(self) -> Tensor:
        return f.floor(self.rate)

    @property
    def variance(self) -> Tensor:
        return self.rate

    def sample(self, sample_shape: Any = EMPTY) -> Tensor:
        shape = self._extended_shape(sample_shape)
        return drawn(lambda rng, rate: rng.poisson(rate), shape, self.rate)

    def log_prob(self, value: Tensor) -> Tensor:
        self._check(value)
        rate, value = broadcast_all(self.rate, value)
        return xlogy(value, rate) - rate - f.lgamma(value + 1)


class _Trials(Distribution):
    """Counts in `total_count` trials, by a probability or its log odds. Abstract."""

    _events: ClassVar = {"total_count": 0, "probs": 0, "logits": 0}

    def __init__(
        self, total_count: Any = 1, probs: Any = None, logits: Any = None,
        validate_args: bool | None = None,
    ) -> None:  # fmt: skip
        if probs_or_logits(probs, logits):
            self.total_count, self.probs = broadcast_all(total_count, probs)
            self.total_count = self.total_count.to(self.probs.dtype)
        else:
            self.total_count, self.logits = broadcast_all(total_count, logits)
            self.total_count = self.total_count.to(self.logits.dtype)
        super().__init__(self.total_count.shape, validate_args=validate_args)

    @lazy_property
    def logits(self) -> Tensor:
        """log p − log (1 − p)"""
        return probs_to_logits(self.probs, is_binary=True)

    @lazy_property
    def probs(self) -> Tensor:
        """p"""
        return logits_to_probs(self.logits, is_binary=True)

    @property
    def param_shape(self) -> Size:
        """Of the parameter."""
        return Size(self.batch_shape)


class Binomial(_Trials):
    """How many of `total_count` trials succeed"""

    arg_constraints: ClassVar = {
        "total_count": constraints.nonnegative_integer,
        "probs": constraints.unit_interval,
        "logits": constraints.real,
    }
    has_enumerate_support = True

    @property
    def support(self) -> Any:
        return constraints.integer_interval(0, self.total_count)

    @property
    def mean(self) -> Tensor:
        return self.total_count * self.probs

    @property
    def mode(self) -> Tensor:
        found = f.floor((self.total_count + 1) * self.probs)
        return f.minimum(found, self.total_count)

    @property
    def variance(self) -> Tensor:
        return self.total_count * self.probs * (1 - self.probs)

    def sample(self, sample_shape: Any = EMPTY) -> Tensor:
        return drawn(
            lambda rng, n, p: rng.binomial(n.astype("i8"), p.clip(0.0, 1.0)),
            self._extended_shape(sample_shape), self.total_count, self.probs,
        )  # fmt: skip

    def log_prob(self, value: Tensor) -> Tensor:
        self._check(value)
        n = self.total_count
        ways = f.lgamma(n + 1) - f.lgamma(value + 1) - f.lgamma(n - value + 1)
        return ways + value * F.logsigmoid(self.logits) + (n - value) * F.logsigmoid(-self.logits)

    def entropy(self) -> Tensor:
        n = int(self.total_count.max())
        if not bool((self.total_count == n).all()):
            raise NotImplementedError("Inhomogeneous total count not supported by `entropy`.")
        log_prob = self.log_prob(self.enumerate_support(False))
        return -(f.exp(log_prob) * log_prob).sum(0)

    def enumerate_support(self, expand: bool = True) -> Tensor:
        n = int(self.total_count.max())
        if not bool((self.total_count == n).all()):
            raise NotImplementedError(
                "Inhomogeneous total count not supported by `enumerate_support`."
            )
        values = arange(1 + n, dtype=self.total_count.dtype)
        values = values.reshape(-1, *(1,) * len(self._batch_shape))
        return values.expand(1 + n, *self._batch_shape) if expand else values


class NegativeBinomial(_Trials):
    """How many trials succeed before `total_count` fail"""

    arg_constraints: ClassVar = {
        "total_count": constraints.greater_than_eq(0),
        "probs": constraints.half_open_interval(0.0, 1.0),
        "logits": constraints.real,
    }
    support = constraints.nonnegative_integer

    def __init__(
        self, total_count: Any, probs: Any = None, logits: Any = None,
        validate_args: bool | None = None,
    ) -> None:  # fmt: skip
        super().__init__(total_count, probs, logits, validate_args)

    @property
    def mean(self) -> Tensor:
        return self.total_count * f.exp(self.logits)

    @property
    def mode(self) -> Tensor:
        return f.clamp(f.floor((self.total_count - 1) * f.exp(self.logits)), min=0.0)

    @property
    def variance(self) -> Tensor:
        return self.mean / f.sigmoid(-self.logits)

    def sample(self, sample_shape: Any = EMPTY) -> Tensor:
        with no_grad():
            rate = Gamma(self.total_count, f.exp(-self.logits), validate_args=False)
            rates = rate.sample(sample_shape)
            return drawn(lambda rng, r: rng.poisson(r), rates.shape, rates)

    def log_prob(self, value: Tensor) -> Tensor:
        self._check(value)
        n = self.total_count
        plain = n * F.logsigmoid(-self.logits) + value * F.logsigmoid(self.logits)
        norm = f.lgamma(1.0 + value) + f.lgamma(n) - f.lgamma(n + value)
        return plain - f.where(n + value == 0.0, norm.detach() * 0, norm)
