"""The mathematics, shown: formulas, derived gradients, graphs, and every stage of the compiler.

    explain.formula(y)              what was recorded, as TeX
    explain.gradient(loss, wrt=w)   the gradient that the chain rule derives, as TeX
    explain.graph(y)                the graph: text, Mermaid, DOT, SVG
    explain.draw(model, x)          the model's layers as a picture (SVG), without a system package
    explain.stages(y)               every stage from there to what runs

Nothing here computes or records: a training step stays the program that it was.
"""

from chainrule.explain.derivation import gradient
from chainrule.explain.draw import ModelDrawing, draw
from chainrule.explain.formula import Formula, formula
from chainrule.explain.graph import Drawing, graph, stages
from chainrule.explain.layout import Equation

__all__ = [
    "Drawing",
    "ModelDrawing",
    "draw",
    "Equation",
    "Formula",
    "formula",
    "gradient",
    "graph",
    "stages",
]
