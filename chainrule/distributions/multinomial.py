"""`torch.distributions.multinomial`"""

from chainrule import names
from chainrule.distributions.discrete import Multinomial as Multinomial

__getattr__ = names.later(__name__)
