"""`torch.distributions.poisson`"""

from chainrule import names
from chainrule.distributions.discrete import Poisson as Poisson

__getattr__ = names.later(__name__)
