"""`torch.distributions.exponential`"""

from chainrule import names
from chainrule.distributions.gammas import Exponential as Exponential

__getattr__ = names.later(__name__)
