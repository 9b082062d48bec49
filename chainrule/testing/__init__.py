"""What checks an op, a gradient, a backend. Nothing of chainrule imports it: tests and users do."""

from chainrule.testing.gradients import check_gradients, compare_gradients
from chainrule.testing.graphs import draw
from chainrule.testing.sampling import Sample, samples

__all__ = ["Sample", "check_gradients", "compare_gradients", "draw", "samples"]
