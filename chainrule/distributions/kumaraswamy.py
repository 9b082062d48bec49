"""`torch.distributions.kumaraswamy`"""

from chainrule import names
from chainrule.distributions.transformed import Kumaraswamy as Kumaraswamy

__getattr__ = names.later(__name__)
