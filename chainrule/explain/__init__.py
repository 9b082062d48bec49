"""The mathematics, shown: formulas, derived gradients, graphs, and every stage of the compiler.

    explain.formula(y)              what was recorded, as TeX
    explain.gradient(loss, wrt=w)   the gradient that the chain rule derives, as TeX
    explain.graph(y)                the graph: text, Mermaid, DOT, SVG
    explain.draw(model, x)          the model's layers as a picture (SVG), without a system package
    explain.backprop(model, x, y)   every line of the chain rule with its numbers, checked
    explain.attribute(model, x)     what each pixel or word has to do with an output
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
    "ModelDrawing",
    "backprop",
    "draw",
    "formula",
    "gradient",
    "graph",
    "stages",
]

#: What is read when a program first names it, so that formulas come quickly.
_ELSEWHERE = {"Backprop": "chainrule.explain.stepwise", "backprop": "chainrule.explain.stepwise"}


def __getattr__(name: str) -> Any:
    if name not in _ELSEWHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_ELSEWHERE[name]), name)
