"""The rule of an optimiser: what one of its steps records for one parameter, as equations.

>>> import chainrule as torch
>>> from chainrule.explain.mathematics.rules import rule_of
>>> w = torch.nn.Parameter(torch.zeros(2))
>>> for left, right in rule_of(torch.optim.SGD([w], lr=0.1, momentum=0.9)).lines:
...     print(left, "=", right)
b' = \\mu b + g
\\theta' = \\theta - \\eta b'
"""

from __future__ import annotations

import copy
import inspect
import re
from collections import defaultdict
from typing import Any, NamedTuple

import numpy as np

from chainrule.explain.aside import aside
from chainrule.explain.printing.formula import apart
from chainrule.explain.printing.layout import Layout
from chainrule.explain.printing.symbols import Letters
from chainrule.explain.printing.tidy import tidy
from chainrule.explain.printing.write import number
from chainrule.explain.recorded import recorded
from chainrule.ir.graph import substitute, topological
from chainrule.ir.node import Node
from chainrule.keras.optimizers.base import Optimizer as KerasOptimizer
from chainrule.keras.variables import Variable
from chainrule.ops import const
from chainrule.optim.optimizer import Optimizer
from chainrule.rewrite import decompose
from chainrule.tensor import Parameter, Tensor, no_grad
from chainrule.tensor.creation import tensor


class Rule(NamedTuple):
    """An optimiser's rule: its equations, and the numbers in them. A prime marks new values."""

    name: str
    lines: tuple[tuple[str, str], ...]
    numbers: tuple[tuple[str, str], ...]


#: What the rules in `ops/updates.py`, and Keras's, call things.
_SYMBOLS = {
    "p": r"\theta",
    "g": "g",
    "m": "m",
    "v": "v",
    "b": "b",
    "s": "s",
    "d": "d",
    "u": "u",
    "largest": r"\hat{v}",
    "mean_g": r"\bar{g}",
    "mean": r"\bar{g}",
    "lr": r"\eta",
    "step_size": r"\eta_{t}",
    "decay": r"\lambda",
    "momentum": r"\mu",
    "mu": r"\mu",
    "rate1": r"(1 - \beta_{1})",
    "rate": r"(1 - \beta_{1})",
    "bias1": r"(1 - \beta_{1}^{t})",
    "bias2": r"(1 - \beta_{2}^{t})",
    "bias2_sqrt": r"\sqrt{1 - \beta_{2}^{t}}",
    "step_g": r"\eta_{1}",
    "step_m": r"\eta_{2}",
    "rectifier": "r",
    "rho": r"\rho",
    "rate2": r"(1 - \hat{\beta}_{2})",
    "rows": "R",
    "columns": "C",
    "average": r"\bar{\theta}",
    "shrink": r"(1 - \eta \lambda)",
    "step": r"\eta_{t}",
    "exp_avg": "m",
    "exp_avg_sq": "v",
    "momentum_buffer": "b",
    "velocity": "v",
    "eta": r"\eta_{t}",
    "size": "s",
    "prev": "g^{-}",
    "ax": r"\bar{\theta}",
}
#: What Keras's optimisers keep beside a variable, by the end of its name.
_SLOTS = {
    "momentum": "m", "velocity": "v", "accumulator": "s", "grad": "v", "var": "d", "norm": "u",
    "linear": "z", "average": r"\bar{g}", "r": "R", "c": "C", "v": "v",
}  # fmt: skip
_SETTINGS = {
    "lr": r"\eta", "learning_rate": r"\eta", "momentum": r"\mu", "weight_decay": r"\lambda",
    "beta_1": r"\beta_{1}", "beta_2": r"\beta_{2}", "eps": r"\epsilon", "epsilon": r"\epsilon",
    "rho": r"\rho", "alpha": r"\alpha", "dampening": r"\tau", "lambd": r"\lambda_{0}",
}  # fmt: skip

#: Settings that rules hold as plain numbers.
_WRITTEN = (r"\beta_{1}", r"\beta_{2}", r"\epsilon", r"\rho", r"\alpha")


def is_optimizer(x: Any) -> bool:
    """Whether this is an optimiser of one of the faces."""
    return isinstance(x, (Optimizer, KerasOptimizer))


def rule_of(optimizer: Any) -> Rule:
    """The equations of one step, recorded with a parameter of its own."""
    with aside(optimizer):
        if isinstance(optimizer, KerasOptimizer):
            names, targets, held = _keras(optimizer)
        else:
            names, targets, held = _module(optimizer)
    titles = [f"{s}'" for s, _ in targets]
    values = decompose([n for _, n in targets], lambda n: not n.op.name.endswith("_update"))
    order = {n: k for k, n in enumerate(topological(values))}
    pairs = sorted(zip(values, titles, strict=True), key=lambda p: order[p[0]])
    pairs.sort(key=lambda p: p[1] == r"\theta'")
    shown_values, shown = apart([n for n, _ in pairs], [s for _, s in pairs])
    letters = Letters([*names.values(), *titles])
    equations = Layout({**names, **shown}, letters, 70).write(shown_values)
    settings = _settings(optimizer)
    lines = tuple((e.left, _lettered(e.right, settings)) for e in equations if e.left != e.right)
    if any(r"\eta_{t}" in right for _, right in lines):
        lines = (*_rate(names, held, settings), *lines)
    numbers = tuple((symbol, number(value)) for symbol, value in settings.items())
    return Rule(type(optimizer).__name__, lines, numbers)


def _settings(optimizer: Any) -> dict[str, float]:
    """The numbers that the optimiser was made with, by their symbols."""
    if isinstance(optimizer, KerasOptimizer):
        settings = dict(optimizer.get_config())
    else:
        settings = dict(optimizer.param_groups[0])
    betas = settings.pop("betas", None)
    if betas is not None:
        settings["beta_1"], settings["beta_2"] = betas
    return {
        symbol: float(value)
        for name, symbol in _SETTINGS.items()
        if isinstance(value := settings.get(name), (int, float)) and not isinstance(value, bool)
    }


def _rate(
    names: dict[Node, str], held: dict[Node, np.ndarray], settings: dict[str, float]
) -> list[tuple[str, str]]:
    """What η_t is: the formula that gives the number which the second step was recorded with."""
    eta, beta1, beta2 = (settings.get(s, 0.0) for s in (r"\eta", r"\beta_{1}", r"\beta_{2}"))
    t, below = 2, r"{1 - \beta_{1}^{t}}"
    known = {
        rf"\frac{{\eta}}{below}": eta / (1 - beta1**t),
        rf"\eta \frac{{\sqrt{{1 - \beta_{{2}}^{{t}}}}}}{below}": (
            eta * (1 - beta2**t) ** 0.5 / (1 - beta1**t)
        ),
    }
    values = [
        float(n.attr("value") if n.op.name == "const" else held[n])
        for n, s in names.items()
        if s == r"\eta_{t}"
    ]
    return [
        (r"\eta_{t}", tex)
        for tex, value in known.items()
        if beta1 and values and all(abs(v - value) <= 1e-5 * value for v in values)
    ][:1]


def _lettered(right: str, settings: dict[str, float]) -> str:
    """An equation with β₂ and 1 − β₂ where such a number is written into the rule."""
    for symbol in _WRITTEN:
        value = settings.get(symbol, 0.0)
        if value not in (0.0, 0.5, 1.0):
            for n, letter in ((value, symbol), (round(1 - value, 12), f"(1 - {symbol})")):
                found = rf"(?<![\d.]){re.escape(number(n))}(?![\d.])"
                right = re.sub(found, letter.replace("\\", r"\\"), right)
    return right


Found = tuple[dict[Node, str], list[tuple[str, Node]], dict[Node, np.ndarray]]


def _module(optimizer: Optimizer) -> Found:
    """θ, g and state of a step of a copy of the optimiser."""
    p = Parameter(tensor(np.array([[0.5, -1.0], [2.0, 0.25]], np.float64)))
    own: Any = copy.copy(optimizer)
    group = dict(optimizer.param_groups[0])
    own.param_groups, own.state = [{**group, "params": [p]}], defaultdict(dict)
    for k in range(2):
        p.grad = tensor(np.array([[0.1, 0.2], [-0.3, 0.4]], np.float64) * (k + 1))
        if k == 0:
            own.step()
            p.detach().numpy()
    held = [p, *(t for t in own.state[p].values() if isinstance(t, Tensor) and t.shape == p.shape)]
    for t in held:
        t.detach().numpy()
    inspect.unwrap(type(own).step)(own)  # records, and does not compute
    found = recorded(held)
    update = next((n for n in topological(found.nodes) if n.op.name.endswith("_update")), None)
    if update is None:
        keys = [k for k, t in own.state[p].items() if isinstance(t, Tensor) and t.shape == p.shape]
        return _by_tensors(found, [p, p.grad], ["p", "g"], ["p", *keys])
    assert update.op.formula is not None
    parameters = list(inspect.signature(update.op.formula).parameters)
    names: dict[Node, str] = {}
    symbols = dict(_SYMBOLS)
    if dict(update.attrs).get("kind") == "decoupled":
        symbols["decay"] = r"(1 - \eta \lambda)"
    if "muon" in update.op.name:
        symbols["rate"] = r"(1 - \mu)"
    for node, name in zip(update.inputs, parameters, strict=False):
        inner = node
        while inner.op.name in ("cast", "reshape", "copy", "stop_gradient"):
            inner = inner.inputs[0]
        if inner.op.name == "input" or inner is node:
            names.setdefault(inner, symbols.get(name, name))
    made = update.op.expand(update)
    outs = made if isinstance(made, tuple) else (made,)
    targets = [(_SYMBOLS.get(k, k), n) for k, n in zip(parameters, outs, strict=False)]
    return names, targets, found.arrays


def _by_tensors(found: Any, tensors: list[Any], words: list[str], held: list[str]) -> Found:
    known = {id(t.storage): w for t, w in zip(tensors, words, strict=True) if t is not None}
    names = {
        n: _SYMBOLS.get(known.get(id(t.storage), ""), known.get(id(t.storage), "c"))
        for n, t in found.leaves.items() if t is not None
    }  # fmt: skip
    pairs = [(_SYMBOLS.get(w, w), n) for w, n in zip(held, found.nodes, strict=True)]
    return names, pairs, found.arrays


def _keras(optimizer: KerasOptimizer) -> Found:
    """The same for an optimiser of Keras, whose numbers have names."""
    own: Any = type(optimizer).from_config(optimizer.get_config())
    v = Variable(np.array([[0.5, -1.0], [2.0, 0.25]], np.float64), dtype="float64")
    gradient = tensor(np.array([[0.1, 0.2], [-0.3, 0.4]], np.float64))
    own.build([v])
    own.apply([gradient], [v])
    slots = {
        w.path.rsplit("_", 1)[-1] if "_" in w.path else w.path: w
        for w in own.variables if tuple(w.shape) == tuple(v.shape)
    }  # fmt: skip
    for t in (v, *slots.values()):
        t.numpy()
    numbers = {k: float(x) for k, x in own._numbers(float(own.learning_rate)).items()}
    with no_grad():
        own.record([gradient], [v])
    held = [v, *slots.values()]
    found = recorded(held)
    rate = float(own.learning_rate) * float(own.weight_decay or 0.0)
    names: dict[Node, str] = {}
    for node, t in found.leaves.items():
        if t is None:
            continue
        if t.storage is gradient.storage:
            names[node] = "g"
        elif t.storage is v.storage:
            names[node] = r"\theta"
    for word, slot in slots.items():
        for node, t in found.leaves.items():
            if t is not None and t.storage is slot.storage and t is not v:
                names.setdefault(node, _SLOTS.get(word, word))
    plain: dict[Node, Node] = {}
    for node in topological(found.nodes):
        if node.op.name == "input" and node not in names and not node.shape:
            value = found.arrays.get(node)
            if value is not None and float(value) == 1.0:
                plain[node] = const(1.0, node.dtype)
            elif value is not None and rate and float(value) == 1.0 - rate:
                names[node] = r"(1 - \eta \lambda)"
            elif value is not None:
                match = [k for k, x in numbers.items() if x == float(value)]
                names[node] = _SYMBOLS.get(match[0], match[0]) if match else number(float(value))
    nodes = tidy(substitute(found.nodes, plain))
    pairs = [(r"\theta", nodes[0])]
    pairs += [(_SLOTS.get(w, w), n) for w, n in zip(slots, nodes[1:], strict=True)]
    return names, [(s, n) for s, n in pairs if n.op.name != "input"], found.arrays
