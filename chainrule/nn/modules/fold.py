"""`torch.nn.modules.fold`"""

from chainrule import names
from chainrule.nn.modules.vision import Fold as Fold
from chainrule.nn.modules.vision import Unfold as Unfold

__getattr__ = names.later(__name__)
