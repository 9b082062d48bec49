"""`torch.distributions.pareto`"""

from chainrule import names
from chainrule.distributions.transformed import Pareto as Pareto

__getattr__ = names.later(__name__)
