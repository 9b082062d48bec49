"""`torch.nn.modules.flatten`"""

from chainrule import names
from chainrule.nn.modules.vision import Flatten as Flatten
from chainrule.nn.modules.vision import Unflatten as Unflatten

__getattr__ = names.later(__name__)
