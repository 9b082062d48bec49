"""`torch.distributions.uniform`"""

from chainrule import names
from chainrule.distributions.location import Uniform as Uniform

__getattr__ = names.later(__name__)
