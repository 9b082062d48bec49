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

`chainrule.check(model, batch)` checks every gradient of a model.

None of it costs a training step anything: the program stays what it was, and the model as it was.
"""

import importlib
from typing import TYPE_CHECKING, Any

from chainrule.explain.drawing.graph import Drawing, graph, stages
from chainrule.explain.printing.derivation import gradient
from chainrule.explain.printing.formula import Formula, formula
from chainrule.explain.printing.layout import Equation

if TYPE_CHECKING:
    from chainrule.explain.attribution import Attribution, attribute
    from chainrule.explain.costs import Summary, summary
    from chainrule.explain.drawing.model import ModelDrawing, draw
    from chainrule.explain.mathematics import Mathematics, math
    from chainrule.explain.reasons import why
    from chainrule.explain.reporting import Report, report
    from chainrule.explain.rerun import replay
    from chainrule.explain.stepwise import Backprop, backprop

#: What is read when a program first names it: these rooms know both faces, so that the first of
#: them loads Keras's.
_ELSEWHERE = {
    "Attribution": "attribution",
    "Backprop": "stepwise",
    "Mathematics": "mathematics",
    "ModelDrawing": "drawing.model",
    "Report": "reporting",
    "Summary": "costs",
    "attribute": "attribution",
    "backprop": "stepwise",
    "draw": "drawing.model",
    "math": "mathematics",
    "replay": "rerun",
    "report": "reporting",
    "summary": "costs",
    "why": "reasons",
}

__all__ = [
    "Attribution", "Backprop", "Drawing", "Equation", "Formula", "Mathematics", "ModelDrawing",
    "Report", "Summary", "attribute", "backprop", "draw", "formula", "gradient", "graph", "math",
    "replay", "report", "stages", "summary", "why",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name not in _ELSEWHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_ELSEWHERE[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
