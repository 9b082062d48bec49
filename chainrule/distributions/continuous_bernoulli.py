"""`torch.distributions.continuous_bernoulli`"""

from chainrule import names
from chainrule.distributions.binary import ContinuousBernoulli as ContinuousBernoulli

__getattr__ = names.later(__name__)
