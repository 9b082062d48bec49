"""`torch.nn.modules.instancenorm`"""

from chainrule import names
from chainrule.nn.modules.batchnorm import InstanceNorm1d as InstanceNorm1d
from chainrule.nn.modules.batchnorm import InstanceNorm2d as InstanceNorm2d
from chainrule.nn.modules.batchnorm import InstanceNorm3d as InstanceNorm3d
from chainrule.nn.modules.batchnorm import LazyInstanceNorm1d as LazyInstanceNorm1d
from chainrule.nn.modules.batchnorm import LazyInstanceNorm2d as LazyInstanceNorm2d
from chainrule.nn.modules.batchnorm import LazyInstanceNorm3d as LazyInstanceNorm3d

__getattr__ = names.later(__name__)
