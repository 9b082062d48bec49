"""`torch.distributions.binomial`"""

from chainrule import names
from chainrule.distributions.discrete import Binomial as Binomial

__getattr__ = names.later(__name__)
