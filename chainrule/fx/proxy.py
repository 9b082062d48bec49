"""`torch.fx.proxy`"""

from chainrule import names
from chainrule.fx import GraphModule as GraphModule
from chainrule.fx import Node as Node
from chainrule.fx import Proxy as Proxy

__getattr__ = names.absent(__name__, "programs are recorded as they run; see chainrule.explain")
