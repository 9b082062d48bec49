"""`torch.distributions.laplace`"""

from chainrule import names
from chainrule.distributions.location import Laplace as Laplace

__getattr__ = names.later(__name__)
