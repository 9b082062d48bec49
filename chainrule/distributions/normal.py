"""`torch.distributions.normal`"""

from chainrule import names
from chainrule.distributions.location import Normal as Normal

__getattr__ = names.later(__name__)
