"""The chain rule: graph → graph."""

from chainrule.autodiff import again as _again  # the rules of `recomputed` and of `scan` register
from chainrule.autodiff import loops as _loops  # themselves
from chainrule.autodiff.reverse import Derivative, derivative, gradients, sum_to

del _again, _loops
__all__ = ["Derivative", "derivative", "gradients", "sum_to"]
