"""`torch.autograd`: gradients on demand, functions with gradients of one's own, checks."""

from chainrule import names
from chainrule.autograd import functional, grad_mode, variable
from chainrule.autograd.function import Function
from chainrule.autograd.gradcheck import GradcheckError, gradcheck, gradgradcheck
from chainrule.autograd.grads import Variable, backward, detect_anomaly, grad, set_detect_anomaly
from chainrule.tensor import enable_grad, inference_mode, no_grad, set_grad_enabled

__all__ = [
    "Function", "GradcheckError", "Variable", "backward", "detect_anomaly", "enable_grad",
    "functional", "grad", "gradcheck", "gradgradcheck", "inference_mode", "no_grad",
    "set_detect_anomaly", "set_grad_enabled",
]  # fmt: skip

__getattr__ = names.later(__name__, ("anomaly_mode", "forward_ad", "graph", "profiler"))
