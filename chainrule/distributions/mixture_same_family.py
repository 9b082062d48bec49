"""`torch.distributions.mixture_same_family`"""

from chainrule import names
from chainrule.distributions.grouped import MixtureSameFamily as MixtureSameFamily

__getattr__ = names.later(__name__)
