"""Distributions of a success or not: Bernoulli, its continuous relative, geometric."""

from __future__ import annotations

import math
from typing import Any, ClassVar

from chainrule.distributions import constraints
from chainrule.distributions.distribution import EMPTY
from chainrule.distributions.exp_family import ExponentialFamily
from chainrule.distributions.utils import (
    binary_log_prob,
    broadcast_all,
    clamp_probs,
    lazy_property,
    logits_to_probs,
    probs_or_logits,
    probs_to_logits,
    uniform_open,
)
from chainrule.tensor import Size, Tensor, no_grad
from chainrule.tensor import functions as f
from chainrule.tensor.creation import arange, bernoulli


class _Binary(ExponentialFamily):
    """By the probability of success, or its log odds; each is computed from the other."""

    arg_constraints: ClassVar = {"probs": constraints.unit_interval, "logits": constraints.real}
    _events: ClassVar = {"probs": 0, "logits": 0}

    def __init__(
        self, probs: Any = None, logits: Any = None, validate_args: bool | None = None
    ) -> None:
        by_probs = probs_or_logits(probs, logits)
        (given,) = broadcast_all(probs if by_probs else logits)
        setattr(self, "probs" if by_probs else "logits", given)
        super().__init__(given.shape, validate_args=validate_args)

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


class Bernoulli(_Binary):
    """1 with probability `probs`, else 0"""

    support = constraints.boolean
    has_enumerate_support = True

    @property
    def mean(self) -> Tensor:
        return self.probs

    @property
    def mode(self) -> Tensor:
        found = (self.probs >= 0.5).to(self.probs.dtype)
        return f.where(self.probs == 0.5, self.probs * math.nan, found)

    @property
    def variance(self) -> Tensor:
        return self.probs * (1 - self.probs)

    def sample(self, sample_shape: Any = EMPTY) -> Tensor:
        with no_grad():
            return bernoulli(self.probs.expand(self._extended_shape(sample_shape)))

    def log_prob(self, value: Tensor) -> Tensor:
        self._check(value)
        logits, value = broadcast_all(self.logits, value)
        return binary_log_prob(logits, value)

    def entropy(self) -> Tensor:
        return -binary_log_prob(self.logits, self.probs)

    def enumerate_support(self, expand: bool = True) -> Tensor:
        values = arange(2, dtype=self.probs.dtype).reshape(-1, *(1,) * len(self._batch_shape))
        return values.expand(2, *self._batch_shape) if expand else values


class ContinuousBernoulli(_Binary):
    """C(λ) λˣ (1 − λ)^(1−x) on [0, 1] (Loaiza-Ganem, Cunningham 2019). Near λ = ½, between `lims`,
    by a Taylor series: the formula divides 0 by 0 there.
    """

    support = constraints.unit_interval
    has_rsample = True

    def __init__(
        self,
        probs: Any = None,
        logits: Any = None,
        lims: tuple[float, float] = (0.499, 0.501),
        validate_args: bool | None = None,
    ) -> None:
        self._lims = lims
        super().__init__(probs, logits, validate_args)
        if probs is not None:
            self.probs = clamp_probs(self.probs)

    def _outside(self) -> Tensor:
        return (self.probs <= self._lims[0]) | (self.probs > self._lims[1])

    def _cut(self) -> Tensor:
        """λ, but the lower limit where the series is taken."""
        return f.where(self._outside(), self.probs, self.probs * 0 + self._lims[0])

    def _log_constant(self) -> Tensor:
        cut = self._cut()
        exact = f.log(f.abs(f.log1p(-cut) - f.log(cut))) - f.log(f.abs(1 - 2 * cut))
        x2 = (self.probs - 0.5) ** 2
        return f.where(self._outside(), exact, math.log(2) + (4.0 / 3 + 104.0 / 45 * x2) * x2)

    @property
    def mean(self) -> Tensor:
        cut = self._cut()
        exact = cut / (2.0 * cut - 1.0) + 1.0 / (f.log1p(-cut) - f.log(cut))
        x = self.probs - 0.5
        return f.where(self._outside(), exact, 0.5 + (1.0 / 3 + 16.0 / 45 * x**2) * x)

    @property
    def variance(self) -> Tensor:
        cut = self._cut()
        exact = cut * (cut - 1.0) / (1.0 - 2.0 * cut) ** 2
        exact = exact + 1.0 / (f.log1p(-cut) - f.log(cut)) ** 2
        x2 = (self.probs - 0.5) ** 2
        return f.where(self._outside(), exact, 1.0 / 12 - (1.0 / 15 - 128.0 / 945 * x2) * x2)

    def rsample(self, sample_shape: Any = EMPTY) -> Tensor:
        return self.icdf(uniform_open(self._extended_shape(sample_shape), self.probs))

    def log_prob(self, value: Tensor) -> Tensor:
        self._check(value)
        logits, value = broadcast_all(self.logits, value)
        return binary_log_prob(logits, value) + self._log_constant()

    def cdf(self, value: Tensor) -> Tensor:
        self._check(value)
        cut = self._cut()
        exact = (cut**value * (1.0 - cut) ** (1.0 - value) + cut - 1.0) / (2.0 * cut - 1.0)
        found = f.where(self._outside(), exact, value)
        return f.where(value <= 0.0, found * 0, f.where(value >= 1.0, found * 0 + 1, found))

    def icdf(self, value: Tensor) -> Tensor:
        cut = self._cut()
        exact = f.log1p(-cut + value * (2.0 * cut - 1.0)) - f.log1p(-cut)
        return f.where(self._outside(), exact / (f.log(cut) - f.log1p(-cut)), value)

    def entropy(self) -> Tensor:
        log0, log1 = f.log1p(-self.probs), f.log(self.probs)
        return self.mean * (log0 - log1) - self._log_constant() - log0


class Geometric(_Binary):
    """p (1 − p)ᵏ: how many trials fail before one succeeds"""

    support = constraints.nonnegative_integer

    def __init__(
        self, probs: Any = None, logits: Any = None, validate_args: bool | None = None
    ) -> None:
        super().__init__(probs, logits, validate_args)
        if self._validate_args and probs is not None and not bool((self.probs > 0).all()):
            raise ValueError(
                f"Expected parameter probs ({type(self.probs).__name__} of shape "
                f"{tuple(self.probs.shape)}) of distribution {self!r} to be positive but found "
                f"invalid values:\n{self.probs}"
            )

    @property
    def mean(self) -> Tensor:
        return 1.0 / self.probs - 1.0

    @property
    def mode(self) -> Tensor:
        return self.probs * 0

    @property
    def variance(self) -> Tensor:
        return (1.0 / self.probs - 1.0) / self.probs

    def sample(self, sample_shape: Any = EMPTY) -> Tensor:
        with no_grad():
            u = uniform_open(self._extended_shape(sample_shape), self.probs)
            return f.floor(f.log(u) / f.log1p(-self.probs))

    def log_prob(self, value: Tensor) -> Tensor:
        self._check(value)
        value, probs = broadcast_all(value, self.probs)
        certain = f.where((probs == 1) & (value == 0), probs * 0, probs)
        return value * f.log1p(-certain) + f.log(self.probs)

    def entropy(self) -> Tensor:
        return -binary_log_prob(self.logits, self.probs) / self.probs
