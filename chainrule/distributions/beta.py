"""`torch.distributions.beta`"""

from chainrule import names
from chainrule.distributions.gammas import Beta as Beta

__getattr__ = names.later(__name__)
