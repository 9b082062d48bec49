"""`torch.distributions.bernoulli`"""

from chainrule import names
from chainrule.distributions.binary import Bernoulli as Bernoulli

__getattr__ = names.later(__name__)
