"""What checks an op, a gradient, a backend, and `torch.testing`. Nothing of chainrule imports it:
tests and users do.
"""

from chainrule import names
from chainrule.testing.comparison import assert_allclose, assert_close
from chainrule.testing.gradients import check_gradients, compare_gradients
from chainrule.testing.graphs import draw
from chainrule.testing.make import make_tensor
from chainrule.testing.sampling import Sample, samples

__all__ = [
    "Sample", "assert_allclose", "assert_close", "check_gradients", "compare_gradients", "draw",
    "make_tensor", "samples",
]  # fmt: skip

__getattr__ = names.later(__name__)
