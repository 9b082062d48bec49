"""`torch.distributions.weibull`"""

from chainrule import names
from chainrule.distributions.transformed import Weibull as Weibull

__getattr__ = names.later(__name__)
