"""`torch.distributions.gamma`"""

from chainrule import names
from chainrule.distributions.gammas import Gamma as Gamma

__getattr__ = names.later(__name__)
