"""`torch.distributions.gumbel`"""

from chainrule import names
from chainrule.distributions.transformed import Gumbel as Gumbel

__getattr__ = names.later(__name__)
