"""Back-propagation with its numbers, line by line: `explain.backprop`.

    tape       the recorded loss as steps in float64, loops written out
    rules      the rule of one step, as a graph and as numbers
    formulas   symbols, and steps and rules as formulas; figures: arrays in them
    checks     gradients against finite differences
    lines      both passes, line by line, with the verdict of every line
    run        from a model to these; result: what the reader gets
    table      for terminals; document, panels, drawing, sources: the page

All of it reads the graph that was recorded; nothing is written per layer.
"""

from chainrule.explain.stepwise.result import Backprop
from chainrule.explain.stepwise.run import backprop

__all__ = ["Backprop", "backprop"]
