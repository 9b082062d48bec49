"""The chain rule: graph → graph."""

from chainrule.autodiff import loops as _loops  # the rule of `scan` registers itself
from chainrule.autodiff.reverse import Derivative, derivative, gradients, sum_to

del _loops
__all__ = ["Derivative", "derivative", "gradients", "sum_to"]
