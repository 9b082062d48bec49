"""`torch.distributions.logistic_normal`"""

from chainrule import names
from chainrule.distributions.transformed import LogisticNormal as LogisticNormal

__getattr__ = names.later(__name__)
