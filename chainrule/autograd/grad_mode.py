"""`torch.autograd.grad_mode`"""

from chainrule import names
from chainrule.tensor import enable_grad as enable_grad
from chainrule.tensor import inference_mode as inference_mode
from chainrule.tensor import no_grad as no_grad
from chainrule.tensor import set_grad_enabled as set_grad_enabled


class _Accepted:
    """A mode of PyTorch's engine that has nothing to choose here: remembered, and restored."""

    current = True

    def __init__(self, mode: bool) -> None:
        self.before = type(self).current
        type(self).current = bool(mode)

    def __enter__(self) -> None:
        return None

    def __exit__(self, *_: object) -> None:
        type(self).current = self.before


class set_multithreading_enabled(_Accepted):
    """Accepted: a backward pass is part of one program, whose kernels share all threads."""


class enforce_grad_layout_policy(_Accepted):
    """Accepted: gradients lie in memory as rows of rows."""

    def __init__(self, enable: bool) -> None:
        super().__init__(enable)


__getattr__ = names.later(__name__)
