"""KL(p ‖ q) = E_p (log p − log q), by pairs of kinds."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from chainrule import names
from chainrule.distributions.binary import Bernoulli, ContinuousBernoulli, Geometric
from chainrule.distributions.discrete import Binomial, Categorical, OneHotCategorical, Poisson
from chainrule.distributions.distribution import Distribution
from chainrule.distributions.gammas import Beta, Dirichlet, Exponential, Gamma
from chainrule.distributions.grouped import Independent
from chainrule.distributions.location import Cauchy, Laplace, Normal, Uniform
from chainrule.distributions.multivariate_normal import (
    LowRankMultivariateNormal,
    MultivariateNormal,
    half_log_det,
    mahalanobis,
)
from chainrule.distributions.transformed import (
    Gumbel,
    HalfNormal,
    LogNormal,
    Pareto,
    TransformedDistribution,
)
from chainrule.distributions.utils import euler_constant, sum_rightmost
from chainrule.tensor import Tensor
from chainrule.tensor import functions as f

__getattr__ = names.later(__name__)

_rules: dict[tuple[type, type], Callable[[Any, Any], Tensor]] = {}


def register_kl(type_p: type, type_q: type) -> Callable[[Any], Any]:
    """A decorator: this function gives the divergence of these kinds, and of those that inherit."""
    if not (isinstance(type_p, type) and issubclass(type_p, Distribution)):
        raise TypeError(f"Expected type_p to be a Distribution subclass but got {type_p}")
    if not (isinstance(type_q, type) and issubclass(type_q, Distribution)):
        raise TypeError(f"Expected type_q to be a Distribution subclass but got {type_q}")

    def decorator(fun: Callable[[Any, Any], Tensor]) -> Callable[[Any, Any], Tensor]:
        _rules[type_p, type_q] = fun
        return fun

    return decorator


def kl_divergence(p: Distribution, q: Distribution) -> Tensor:
    """KL(p ‖ q), one for each of the batch. Raises NotImplementedError where there is no formula.

    >>> kl_divergence(Normal(0.0, 1.0), Normal(1.0, 1.0))
    tensor(0.5000)
    """
    found = [
        (type(p).__mro__.index(a), type(q).__mro__.index(b), rule)
        for (a, b), rule in _rules.items()
        if isinstance(p, a) and isinstance(q, b)
    ]
    if not found:
        raise NotImplementedError(
            f"No KL(p || q) is implemented for p type {type(p).__name__} and q type "
            f"{type(q).__name__}"
        )
    return min(found, key=lambda x: (x[0], x[1]))[2](p, q)


def _where_inside(inside: Tensor, value: Tensor) -> Tensor:
    return f.where(inside, value, value * 0 + math.inf)


@register_kl(Normal, Normal)
def _normal(p: Normal, q: Normal) -> Tensor:
    ratio = (p.scale / q.scale) ** 2
    return 0.5 * (ratio + ((p.loc - q.loc) / q.scale) ** 2 - 1 - f.log(ratio))


@register_kl(Bernoulli, Bernoulli)
def _bernoulli(p: Bernoulli, q: Bernoulli) -> Tensor:
    t1 = p.probs * (p.logits - q.logits)
    t0 = f.log1p(-p.probs) - f.log1p(-q.probs)
    one = f.where(p.probs == 1, -f.log(q.probs), t1 + t0)
    return f.where(p.probs == 0, -f.log1p(-q.probs), one)


@register_kl(ContinuousBernoulli, ContinuousBernoulli)
def _continuous_bernoulli(p: ContinuousBernoulli, q: ContinuousBernoulli) -> Tensor:
    slope = p.mean * (p.logits - q.logits)
    norm = p._log_constant() + f.log1p(-p.probs) - q._log_constant() - f.log1p(-q.probs)
    return slope + norm


@register_kl(Binomial, Binomial)
def _binomial(p: Binomial, q: Binomial) -> Tensor:
    if bool((p.total_count < q.total_count).any()):
        raise NotImplementedError(
            "KL between Binomials where q.total_count > p.total_count is not implemented"
        )
    found = p.total_count * (
        p.probs * (p.logits - q.logits) + f.log1p(-p.probs) - f.log1p(-q.probs)
    )
    return _where_inside(p.total_count <= q.total_count, found)


@register_kl(Categorical, Categorical)
def _categorical(p: Categorical, q: Categorical) -> Tensor:
    terms = p.probs * (p.logits - q.logits)
    terms = f.where((q.probs == 0) & (p.probs != 0), terms * 0 + math.inf, terms)
    return f.where(p.probs == 0, p.probs * 0, terms).sum(-1)


@register_kl(OneHotCategorical, OneHotCategorical)
def _one_hot(p: OneHotCategorical, q: OneHotCategorical) -> Tensor:
    return _categorical(p._categorical, q._categorical)


@register_kl(Geometric, Geometric)
def _geometric(p: Geometric, q: Geometric) -> Tensor:
    return -p.entropy() - f.log1p(-q.probs) / p.probs - q.logits


@register_kl(Poisson, Poisson)
def _poisson(p: Poisson, q: Poisson) -> Tensor:
    return p.rate * (f.log(p.rate) - f.log(q.rate)) - (p.rate - q.rate)


@register_kl(Exponential, Exponential)
def _exponential(p: Exponential, q: Exponential) -> Tensor:
    ratio = q.rate / p.rate
    return ratio - f.log(ratio) - 1


@register_kl(Gamma, Gamma)
def _gamma(p: Gamma, q: Gamma) -> Tensor:
    a, b = p.concentration, q.concentration
    return (
        b * f.log(p.rate / q.rate) + f.lgamma(b) - f.lgamma(a) + (a - b) * f.digamma(a)
        + (q.rate - p.rate) * (a / p.rate)
    )  # fmt: skip


@register_kl(Beta, Beta)
def _beta(p: Beta, q: Beta) -> Tensor:
    return _dirichlet(p._dirichlet, q._dirichlet)


@register_kl(Dirichlet, Dirichlet)
def _dirichlet(p: Dirichlet, q: Dirichlet) -> Tensor:
    a, b = p.concentration, q.concentration
    total = a.sum(-1)
    norm = f.lgamma(total) - f.lgamma(b.sum(-1)) - (f.lgamma(a) - f.lgamma(b)).sum(-1)
    return norm + ((a - b) * (f.digamma(a) - f.digamma(total).unsqueeze(-1))).sum(-1)


@register_kl(Laplace, Laplace)
def _laplace(p: Laplace, q: Laplace) -> Tensor:
    ratio, distance = p.scale / q.scale, f.abs(p.loc - q.loc)
    return -f.log(ratio) + distance / q.scale + ratio * f.exp(-distance / p.scale) - 1


@register_kl(Cauchy, Cauchy)
def _cauchy(p: Cauchy, q: Cauchy) -> Tensor:
    above = f.log((p.scale + q.scale) ** 2 + (p.loc - q.loc) ** 2)
    return above - f.log(4 * p.scale * q.scale)


@register_kl(Uniform, Uniform)
def _uniform(p: Uniform, q: Uniform) -> Tensor:
    found = f.log((q.high - q.low) / (p.high - p.low))
    return _where_inside((q.low <= p.low) & (q.high >= p.high), found)


@register_kl(Uniform, Normal)
def _uniform_normal(p: Uniform, q: Normal) -> Tensor:
    width = p.high - p.low
    middle = ((p.high + p.low - 2 * q.loc) / 2) ** 2
    return (
        0.5 * math.log(2 * math.pi)
        + f.log(q.scale / width)
        + (width**2 / 12 + middle) / (2 * q.scale**2)
    )


@register_kl(HalfNormal, HalfNormal)
def _half_normal(p: HalfNormal, q: HalfNormal) -> Tensor:
    return _normal(p.base_dist, q.base_dist)


@register_kl(LogNormal, LogNormal)
def _log_normal(p: LogNormal, q: LogNormal) -> Tensor:
    return _normal(p.base_dist, q.base_dist)


@register_kl(Gumbel, Gumbel)
def _gumbel(p: Gumbel, q: Gumbel) -> Tensor:
    ratio, moved = p.scale / q.scale, (p.loc - q.loc) / q.scale
    inner = f.exp(-moved + f.lgamma(1 + ratio))
    return -f.log(ratio) + moved + ratio * euler_constant - (1 + euler_constant) + inner


@register_kl(Pareto, Pareto)
def _pareto(p: Pareto, q: Pareto) -> Tensor:
    ratio = p.scale / q.scale
    alpha = q.alpha / p.alpha
    found = q.alpha * f.log(ratio) - f.log(alpha) + alpha - 1
    return _where_inside(p.scale >= q.scale, found)


def _multivariate(p: Any, q: Any) -> Tensor:
    if p.event_shape != q.event_shape:
        raise ValueError(
            "KL-divergence between two Multivariate Normals with different event shapes cannot be "
            "computed"
        )
    columns = mahalanobis(q.scale_tril.unsqueeze(-3), f.transpose(p.scale_tril, -2, -1)).sum(-1)
    distance = mahalanobis(q.scale_tril, q.loc - p.loc)
    logs = half_log_det(q.scale_tril) - half_log_det(p.scale_tril)
    return logs + 0.5 * (columns + distance - p.event_shape[0])


for _a in (MultivariateNormal, LowRankMultivariateNormal):
    for _b in (MultivariateNormal, LowRankMultivariateNormal):
        register_kl(_a, _b)(_multivariate)


@register_kl(Independent, Independent)
def _independent(p: Independent, q: Independent) -> Tensor:
    if p.reinterpreted_batch_ndims != q.reinterpreted_batch_ndims:
        raise NotImplementedError
    found: Tensor = sum_rightmost(
        kl_divergence(p.base_dist, q.base_dist), p.reinterpreted_batch_ndims
    )
    return found


@register_kl(TransformedDistribution, TransformedDistribution)
def _transformed(p: TransformedDistribution, q: TransformedDistribution) -> Tensor:
    if p.transforms != q.transforms or p.event_shape != q.event_shape:
        raise NotImplementedError
    return kl_divergence(p.base_dist, q.base_dist)
