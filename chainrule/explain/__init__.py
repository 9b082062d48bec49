"""The mathematics, shown: formulas, derived gradients, graphs, and every stage of the compiler.

    explain.formula(y)              what was recorded, as TeX
    explain.gradient(loss, wrt=w)   the gradient that the chain rule derives, as TeX
    explain.math(model, x, y, loss) a model's forward pass, loss and every gradient, as equations
    explain.graph(y)                the graph: text, Mermaid, DOT, SVG
    explain.draw(model, x)          the model's layers as a picture (SVG), without a system package
    explain.backprop(model, x, y)   every line of the chain rule with its numbers, checked
    explain.attribute(model, x)     what each pixel or word has to do with an output
    explain.summary(model, x)       shapes, parameters, operations, bytes, memory and time by layer
    explain.report(model, test=…)   all of it about a trained model, as one page
    explain.why(model, data)        why it does not learn: reasons, evidence, remedies
    explain.replay(folder)          a program that made NaN, as the guard saved it, op by op
    explain.stages(y)               every stage from there to what runs

Nothing here computes or records: a training step stays the program that it was. (backprop
computes, beside the program, and leaves the model as it was.)
"""

import importlib
from typing import Any

from chainrule.explain.attribution import Attribution, attribute
from chainrule.explain.derivation import gradient
from chainrule.explain.draw import ModelDrawing, draw
from chainrule.explain.formula import Formula, formula
from chainrule.explain.graph import Drawing, graph, stages
from chainrule.explain.layout import Equation

__all__ = [
    "Attribution",
    "attribute",
    "Backprop",
    "Drawing",
    "Equation",
    "Formula",
    "Mathematics",
    "ModelDrawing",
    "Report",
    "Summary",
    "backprop",
    "draw",
    "formula",
    "gradient",
    "graph",
    "math",
    "replay",
    "report",
    "stages",
    "summary",
    "why",
]

#: What is read when a program first names it, so that formulas come quickly.
_ELSEWHERE = {
    "Backprop": "chainrule.explain.stepwise",
    "Mathematics": "chainrule.explain.mathematics",
    "Report": "chainrule.explain.reporting",
    "Summary": "chainrule.explain.costs",
    "backprop": "chainrule.explain.stepwise",
    "math": "chainrule.explain.mathematics",
    "replay": "chainrule.explain.rerun",
    "report": "chainrule.explain.reporting",
    "summary": "chainrule.explain.costs",
    "why": "chainrule.explain.reasons",
}


def __getattr__(name: str) -> Any:
    if name not in _ELSEWHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_ELSEWHERE[name]), name)
