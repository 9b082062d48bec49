"""`ExponentialFamily`: densities exp(θ · t(x) − A(θ)) h(x)."""

from __future__ import annotations

from typing import Any

from chainrule import names
from chainrule.distributions.distribution import Distribution
from chainrule.tensor import Tensor

__getattr__ = names.later(__name__)


class ExponentialFamily(Distribution):
    """Abstract. θ are the natural parameters, A the log normaliser."""

    _mean_carrier_measure: float = 0.0

    @property
    def _natural_params(self) -> tuple[Tensor, ...]:
        raise NotImplementedError

    def _log_normalizer(self, *natural_params: Any) -> Tensor:
        raise NotImplementedError
