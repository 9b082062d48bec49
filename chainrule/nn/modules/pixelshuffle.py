"""`torch.nn.modules.pixelshuffle`"""

from chainrule import names
from chainrule.nn.modules.vision import PixelShuffle as PixelShuffle
from chainrule.nn.modules.vision import PixelUnshuffle as PixelUnshuffle

__getattr__ = names.later(__name__)
