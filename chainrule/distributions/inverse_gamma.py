"""`torch.distributions.inverse_gamma`"""

from chainrule import names
from chainrule.distributions.transformed import InverseGamma as InverseGamma

__getattr__ = names.later(__name__)
