"""`torch.distributions.cauchy`"""

from chainrule import names
from chainrule.distributions.location import Cauchy as Cauchy

__getattr__ = names.later(__name__)
