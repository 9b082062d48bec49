"""`torch.distributions.half_normal`"""

from chainrule import names
from chainrule.distributions.transformed import HalfNormal as HalfNormal

__getattr__ = names.later(__name__)
