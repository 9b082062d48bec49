"""VonMises: exp(κ cos(x − μ)) / 2π I₀(κ), on the circle."""

from __future__ import annotations

import math
from typing import Any, ClassVar

from chainrule import names, special
from chainrule.distributions import constraints
from chainrule.distributions.distribution import EMPTY, Distribution
from chainrule.distributions.utils import broadcast_all, drawn
from chainrule.tensor import Tensor
from chainrule.tensor import functions as f

__getattr__ = names.later(__name__)


class VonMises(Distribution):
    """Angles around `loc`, the closer the greater `concentration`"""

    arg_constraints: ClassVar = {"loc": constraints.real, "concentration": constraints.positive}
    _events: ClassVar = {"loc": 0, "concentration": 0}
    support = constraints.real
    has_rsample = False

    def __init__(self, loc: Any, concentration: Any, validate_args: bool | None = None) -> None:
        self.loc, self.concentration = broadcast_all(loc, concentration)
        super().__init__(self.loc.shape, validate_args=validate_args)

    def log_prob(self, value: Tensor) -> Tensor:
        self._check(value)
        k = self.concentration
        # κ cos − log I₀(κ) = κ (cos − 1) − log (I₀(κ) e^−κ), which does not overflow
        return k * (f.cos(value - self.loc) - 1) - math.log(2 * math.pi) - f.log(special.i0e(k))

    def sample(self, sample_shape: Any = EMPTY) -> Tensor:
        shape = self._extended_shape(sample_shape)
        return drawn(
            lambda rng, mu, kappa: rng.vonmises(mu, kappa), shape, self.loc, self.concentration
        )

    @property
    def mean(self) -> Tensor:
        return self.loc

    @property
    def mode(self) -> Tensor:
        return self.loc

    @property
    def variance(self) -> Tensor:
        ratio: Tensor = special.i1e(self.concentration) / special.i0e(self.concentration)
        return 1 - ratio
