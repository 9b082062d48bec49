"""`torch.autograd`: gradients on demand, functions with gradients of one's own, checks."""

from chainrule import names
from chainrule.autograd import functional, grad_mode, variable
from chainrule.autograd.function import Function, NestedIOFunction
from chainrule.autograd.grad_mode import enforce_grad_layout_policy, set_multithreading_enabled
from chainrule.autograd.gradcheck import GradcheckError, gradcheck, gradgradcheck
from chainrule.autograd.grads import Variable, backward, detect_anomaly, grad, set_detect_anomaly
from chainrule.tensor import enable_grad, inference_mode, no_grad, set_grad_enabled

__all__ = [
    "Function", "GradcheckError", "NestedIOFunction", "Variable", "backward", "detect_anomaly",
    "enable_grad", "enforce_grad_layout_policy", "functional", "grad", "gradcheck",
    "gradgradcheck", "inference_mode", "no_grad", "set_detect_anomaly", "set_grad_enabled",
    "set_multithreading_enabled",
]  # fmt: skip

__getattr__ = names.later(__name__, ("anomaly_mode", "forward_ad", "graph", "profiler"))
