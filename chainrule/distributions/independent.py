"""`torch.distributions.independent`"""

from chainrule import names
from chainrule.distributions.grouped import Independent as Independent

__getattr__ = names.later(__name__)
