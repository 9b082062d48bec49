"""`torch.distributions.negative_binomial`"""

from chainrule import names
from chainrule.distributions.discrete import NegativeBinomial as NegativeBinomial

__getattr__ = names.later(__name__)
