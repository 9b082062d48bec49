"""`torch.autograd.grad_mode`"""

from chainrule import names
from chainrule.tensor import enable_grad as enable_grad
from chainrule.tensor import inference_mode as inference_mode
from chainrule.tensor import no_grad as no_grad
from chainrule.tensor import set_grad_enabled as set_grad_enabled

__getattr__ = names.later(__name__)
