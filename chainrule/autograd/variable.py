"""`torch.autograd.variable`"""

from chainrule import names
from chainrule.autograd.grads import Variable as Variable

__getattr__ = names.later(__name__)
