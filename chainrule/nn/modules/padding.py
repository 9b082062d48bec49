"""`torch.nn.modules.padding`"""

from chainrule import names
from chainrule.nn.modules.vision import CircularPad1d as CircularPad1d
from chainrule.nn.modules.vision import CircularPad2d as CircularPad2d
from chainrule.nn.modules.vision import CircularPad3d as CircularPad3d
from chainrule.nn.modules.vision import ConstantPad1d as ConstantPad1d
from chainrule.nn.modules.vision import ConstantPad2d as ConstantPad2d
from chainrule.nn.modules.vision import ConstantPad3d as ConstantPad3d
from chainrule.nn.modules.vision import ReflectionPad1d as ReflectionPad1d
from chainrule.nn.modules.vision import ReflectionPad2d as ReflectionPad2d
from chainrule.nn.modules.vision import ReflectionPad3d as ReflectionPad3d
from chainrule.nn.modules.vision import ReplicationPad1d as ReplicationPad1d
from chainrule.nn.modules.vision import ReplicationPad2d as ReplicationPad2d
from chainrule.nn.modules.vision import ReplicationPad3d as ReplicationPad3d
from chainrule.nn.modules.vision import ZeroPad1d as ZeroPad1d
from chainrule.nn.modules.vision import ZeroPad2d as ZeroPad2d
from chainrule.nn.modules.vision import ZeroPad3d as ZeroPad3d

__getattr__ = names.later(__name__)
