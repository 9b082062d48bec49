"""`torch.distributions.geometric`"""

from chainrule import names
from chainrule.distributions.binary import Geometric as Geometric

__getattr__ = names.later(__name__)
