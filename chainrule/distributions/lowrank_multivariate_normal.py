"""`torch.distributions.lowrank_multivariate_normal`"""

from chainrule import names
from chainrule.distributions.multivariate_normal import (
    LowRankMultivariateNormal as LowRankMultivariateNormal,
)

__getattr__ = names.later(__name__)
