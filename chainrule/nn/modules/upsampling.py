"""`torch.nn.modules.upsampling`"""

from chainrule import names
from chainrule.nn.modules.vision import Upsample as Upsample
from chainrule.nn.modules.vision import UpsamplingBilinear2d as UpsamplingBilinear2d
from chainrule.nn.modules.vision import UpsamplingNearest2d as UpsamplingNearest2d

__getattr__ = names.later(__name__)
