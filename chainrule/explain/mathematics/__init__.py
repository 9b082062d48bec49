"""The mathematics of a model: what it computes, its loss, and the gradient of every parameter.

>>> import chainrule as torch
>>> from chainrule import explain, nn
>>> model = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 1))
>>> shown = explain.math(model, torch.zeros(2, 3), torch.zeros(2, 1), nn.MSELoss())
>>> [line.left for line in shown.lines][:3]
['z^{(1)}', 'a^{(1)}', 'z^{(2)}']
>>> shown.line(r"\\delta^{(1)}").right
'{W^{(2)}}^{T} \\\\delta^{(2)} \\\\odot [a^{(1)} > 0]'

The equations come from the recorded graph and from the derivative that back-propagation takes of
it, cut where values have names; `chainrule.explain.reading` computes what is printed.
"""

from __future__ import annotations

from typing import Any

from chainrule.explain.aside import aside
from chainrule.explain.mathematics.derive import Derivation, Given, Line
from chainrule.explain.mathematics.folding import Group
from chainrule.explain.mathematics.rules import Rule, is_optimizer, rule_of
from chainrule.explain.mathematics.show import Mathematics
from chainrule.explain.mathematics.subject import Subject
from chainrule.explain.pages.words import words

__all__ = ["Given", "Group", "Line", "Mathematics", "Rule", "math"]


def math(
    model: Any,
    x: Any = None,
    y: Any = None,
    loss: Any = None,
    *,
    optimizer: Any = None,
    lang: str = "en",
) -> Mathematics:
    """The mathematics of a model of either face, layer by layer, with its derived gradients.

    model      a Module or a Keras model or layer; or an optimiser alone: its rule
    x          its input (a tuple: several); y what it is compared with
    loss       a module or function (output, target), a Keras loss (target, output) or its name;
               None: what a Keras model was compiled with; without one, ∂L/∂ŷ is taken as given
    optimizer  also print its update rule (a compiled Keras model's own is found)
    lang       "en" or "zh": the language of headings and explanations

    Conventions are printed with it. Nothing of the model changes: running statistics, random
    streams and gradients are as before.
    """
    words(lang)
    if x is None and is_optimizer(model):
        return Mathematics(None, rule_of(model), lang)
    if x is None:
        raise TypeError("explain.math takes a model and an input for it, or an optimiser alone")
    with aside(model):
        derivation = Derivation(Subject(model, x, y, loss))
    if optimizer is None and y is not None:
        optimizer = getattr(model, "optimizer", None)
    rule = rule_of(optimizer) if is_optimizer(optimizer) else None
    return Mathematics(derivation, rule, lang)
