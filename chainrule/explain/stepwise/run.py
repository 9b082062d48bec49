"""`backprop`: watch a model compute its loss, then go through it step by step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from chainrule.errors import ShapeError
from chainrule.explain.aside import aside
from chainrule.explain.observe import Observation, is_keras, is_model, observe, tensors_in
from chainrule.explain.pages.words import words
from chainrule.explain.passing import Batch, call_model, compute_loss, tensors_of
from chainrule.explain.recorded import same_place
from chainrule.explain.stepwise.formulas import Symbols
from chainrule.explain.stepwise.lines import BackwardPass, forward_lines
from chainrule.explain.stepwise.result import Backprop, Note
from chainrule.explain.stepwise.rules import outputs_of
from chainrule.explain.stepwise.tape import Tape
from chainrule.ir.node import Node, TensorType
from chainrule.nn import functional
from chainrule.tensor import Tensor, enable_grad


def backprop(
    model: Any,
    x: Any,
    y: Any = None,
    *,
    loss: Any = None,
    lang: str = "en",
    tolerance: float = 1e-6,
    nodes: int = 400,
    elements: int = 50_000,
) -> Backprop:
    """Back-propagation through a small network: every line of the chain rule, with its numbers.

        ∂L/∂x = Σ ∂L/∂u · ∂u/∂x      over the users u of x, from L back to every parameter

    model      of either face, or a function of x that uses tensors with gradients
    x, y       inputs (a tuple: several) and targets, as tensors or arrays
    loss       criterion(outputs, targets), as in PyTorch, or of Keras (also by name); without it
               that of a compiled model, else cross-entropy for whole numbers and the mean squared
               error for others; without y the model's result, a number, is the loss
    tolerance  relative difference up to which a gradient agrees with finite differences
    nodes, elements   how many steps, and numbers in all of them, are still shown

    The lines come from the graph that runs, evaluated in float64. Every line is checked twice
    against central differences: the op's rule alone, for a random cotangent, and ∂L/∂x through
    everything behind x. Loops are written out step by step. The model is left as it was.

    ShapeError where the loss is not a number; ValueError where the network is too large to read;
    GradientError where the loss depends on no parameter.

    >>> import chainrule as torch
    >>> from chainrule import explain
    >>> neuron = torch.nn.Sequential(torch.nn.Linear(2, 1), torch.nn.Sigmoid())
    >>> shown = explain.backprop(neuron, torch.ones(1, 2), torch.zeros(1, 1))
    >>> shown.ok, [line.title for line in shown.backward][:2]
    (True, ['\\\\frac{\\\\partial L}{\\\\partial L}', '\\\\frac{\\\\partial L}{\\\\partial u}'])

    Source: Rumelhart, Hinton, Williams, Learning representations by back-propagating errors (1986).
    """
    words(lang)
    given = Batch(tensors_of(x), tensors_of(y))
    notes: list[Note] = []
    with aside(model, given):
        seen = _observed(model, given, loss, notes)
        value = tensors_in(seen.result)[0]
        (target,) = seen.nodes_of([value])
        tape = Tape(target, _arrays(seen), seen.customs)
        _check_size(tape, nodes, elements)
        tape.evaluate()
        known, wanted = _names(tape, seen, given)
        paths = {n: path.replace("/", ".") for n, path in known.items()}
        symbols = Symbols(tape, paths, wanted)
        with np.errstate(all="ignore"):
            forward = forward_lines(tape, symbols)
            walked = BackwardPass(tape, symbols, wanted, tolerance)
        if any(n.dtype.np != np.float64 for n in _floats(seen)):
            told = "The model computes in {}; everything here is in float64."
            notes.append(Note(told, _kinds(seen)))
        if walked.narrow:
            notes.append(
                Note("A gradient that the program wrote itself computes in float32: from there on, "
                     "differences of {} count as none.", "1e-4")
            )  # fmt: skip
        reached = {line.node for line in walked.lines}
        unused = [known[n] for n in wanted if n not in reached]
        unused += sorted(set(_parameters(seen)) - set(known.values()))
        if unused:
            notes.append(Note("The loss does not depend on: {}", ", ".join(unused)))
        return Backprop(
            tape, symbols, known, forward, walked.lines, seen.origin, notes, tolerance, lang
        )


# ------------------------------------------------------------------ the loss


def _observed(model: Any, given: Batch, loss: Any, notes: list[Note]) -> Observation:
    def run() -> Any:
        out = call_model(model, given.x) if is_model(model) else _called(model, given.x)
        found = compute_loss(model, out, given, loss) if is_model(model) or loss else None
        if found is None:
            found = _chosen(out, given.y, loss, notes)
        if isinstance(found, Tensor) and found.numel() > 1 and _is_kerass(model, loss):
            notes.append(Note("The loss was given for each sample: its mean was taken.", ""))
            found = found.mean()
        if not isinstance(found, Tensor) or found.numel() != 1:
            what = tuple(found.shape) if isinstance(found, Tensor) else type(found).__name__
            raise ShapeError(
                f"backprop starts from a loss that is one number, got {what}: give y and loss=, or "
                "a loss= that takes the outputs and gives a number"
            )
        return found if not found.ndim else found.reshape(())

    with enable_grad():
        return observe(run, model=model if is_model(model) else None, lines=True)


def _is_kerass(model: Any, loss: Any) -> bool:
    return isinstance(loss, str) or (loss is not None and is_keras(model))


def _called(f: Callable[..., Any], x: Any) -> Any:
    return f(*x) if isinstance(x, tuple) else f(x)


def _chosen(out: Any, y: Any, loss: Any, notes: list[Note]) -> Any:
    """A loss where none is given."""
    if y is None or loss is not None:
        return out
    tensors = tensors_in(out)
    if len(tensors) != 1 or not isinstance(y, Tensor):
        raise ValueError("backprop: several outputs or targets need a loss=")
    (z,) = tensors
    if y.dtype.is_floating_point:
        notes.append(Note("No loss was given: the mean squared error was taken.", ""))
        return functional.mse_loss(z, y)
    notes.append(Note("No loss was given: cross-entropy was taken.", ""))
    return functional.cross_entropy(z, y)


# ------------------------------------------------------------------ what is known


def _arrays(seen: Observation) -> dict[Node, np.ndarray]:
    found = dict(seen.arrays)
    for n, t in seen.leaves.items():
        if n not in found and t is not None:
            found[n] = np.asarray(t.detach().numpy())
    return found


def _parameters(seen: Observation) -> list[str]:
    return [name for name, t in seen._parameters.items() if t.requires_grad]


def _names(tape: Tape, seen: Observation, given: Batch) -> tuple[dict[Node, str], list[Node]]:
    """Names of inputs, and those whose gradient is wanted: parameters, or what asks for one."""
    named = seen.names
    data = _data(given)
    known: dict[Node, str] = {}
    wanted: list[Node] = []
    asking: list[Node] = []
    for new, old in tape.given.items():
        t = seen.leaves.get(old)
        if old in named:
            known[new] = named[old]
            if t is not None and t.requires_grad and new.dtype.is_floating_point:
                wanted.append(new)
        elif t is not None:
            name = next((s for s, other in data if same_place(t, other)), None)
            if name is not None:
                known[new] = name
            if t.requires_grad:
                asking.append(new)
    if not wanted and not asking:
        asking = [n for n in known if n.dtype.is_floating_point and known[n].startswith("x")]
    return known, wanted + asking


def _data(given: Batch) -> list[tuple[str, Tensor]]:
    out: list[tuple[str, Tensor]] = []
    for letter, part in (("x", given.x), ("y", given.y)):
        found = tensors_in(part)
        for i, t in enumerate(found):
            out.append((letter if len(found) == 1 else f"{letter}{i + 1}", t))
    return out


def _floats(seen: Observation) -> list[Node]:
    return [n for n in seen.leaves if isinstance(n.type, TensorType) and n.dtype.is_floating_point]


def _kinds(seen: Observation) -> str:
    kinds = {n.dtype.np.name for n in _floats(seen) if n.dtype.np != np.float64}
    return ", ".join(sorted(kinds))


def _check_size(tape: Tape, nodes: int, elements: int) -> None:
    steps = len(tape.steps)
    if steps > nodes:
        raise ValueError(
            f"this computation has {steps} steps, more than nodes={nodes} that backprop still "
            f"shows: take a smaller network, shorter sequences, or nodes={steps}. "
            "chainrule.check() checks gradients of any size"
        )
    numbers = sum(int(np.prod(t.shape)) for s in tape.steps for t in outputs_of(s.node))
    if numbers > elements:
        raise ValueError(
            f"the values of this computation have {numbers} elements, more than "
            f"elements={elements} that backprop still shows: take fewer samples, a smaller net, "
            f"or elements={numbers}. chainrule.check() checks gradients of any size"
        )
