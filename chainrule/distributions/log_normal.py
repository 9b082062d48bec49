"""`torch.distributions.log_normal`"""

from chainrule import names
from chainrule.distributions.transformed import LogNormal as LogNormal

__getattr__ = names.later(__name__)
