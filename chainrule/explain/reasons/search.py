"""`why`: the search, from what can be seen at once to what takes a few steps of training."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from chainrule.errors import ChainruleError
from chainrule.explain.aside import aside
from chainrule.explain.observe import is_keras, layers_of, tensors_in
from chainrule.explain.passing import Batch, Passed, call_model, compute_loss
from chainrule.explain.reasons.data import look_at_data
from chainrule.explain.reasons.finding import Found, Reasons
from chainrule.explain.reasons.material import Material, array, rows_of
from chainrule.explain.reasons.steps import (
    look_at_evaluation,
    look_at_hidden,
    look_at_mode,
    look_at_optimizer,
    look_at_step,
)
from chainrule.explain.reasons.structure import (
    Structure,
    failed_loss,
    look_at_structure,
    look_at_targets,
)
from chainrule.explain.reasons.trials import Trials, look_at_learning, naive_loss, trained
from chainrule.explain.reasons.units import Units, look_at_start, look_at_units
from chainrule.ir.graph import topological
from chainrule.nn import functional as F
from chainrule.tensor import Tensor, no_grad


def why(
    model: Any,
    data: Any,
    *,
    loss: Any = None,
    optimizer: Any = None,
    step: Callable[[Any], Any] | None = None,
    evaluate: Callable[[Any], Any] | None = None,
    lang: str = "en",
    seconds: float = 30.0,
) -> Reasons:
    """Why a model does not learn: reasons with their evidence, and what to do about each.

    Looked at are the data (NaN, scale, balance, order), the targets (range, type, shape), the graph
    between outputs and loss (softmax applied twice, shapes that spread, activations that cannot
    reach the targets, no way for the gradient), the layers (dead units, gradients that vanish or
    explode, weights that are all the same), the optimizer, and short trainings on one batch, at
    several learning rates. The model (of either face), its optimizer and the random streams are as
    before afterwards.

    data       (x, y); or a loader, a data set, anything that gives batches (x, y): some are taken
               (a generator does not give them again)
    loss       torch: loss(outputs, y). Keras: the compiled one, or (y, outputs)
    optimizer  the one that is used; in Keras the compiled one
    step       the program's own training step, called with a batch of `data`: what does it do?
    evaluate   the program's own evaluation, called with a batch
    seconds    for the trainings, about

    Give a batch as large as in training. Where nothing is wrong the result is empty, and false.

    >>> import chainrule as torch
    >>> model = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.Softmax(-1))
    >>> data = torch.randn(32, 4), torch.arange(32) % 3
    >>> reasons = torch.explain.why(model, data, loss=torch.nn.CrossEntropyLoss())
    >>> reasons[0].kind, reasons[0].layer
    ('softmax twice', '1')
    """
    deadline = time.monotonic() + seconds
    found = Found(lang)
    if is_keras(model) and optimizer is None:
        optimizer = getattr(model, "optimizer", None)
    with aside(model, optimizer, loss), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        material = Material(model, data)
        _search(found, model, material, loss, optimizer, step, evaluate, deadline)
    return Reasons(found.findings, found.looked, lang)


def _search(
    found: Found, model: Any, material: Material, loss: Any, optimizer: Any,
    step: Callable[[Any], Any] | None, evaluate: Callable[[Any], Any] | None, deadline: float,
) -> None:  # fmt: skip
    look_at_data(found, material)
    look_at_hidden(found, model)
    look_at_optimizer(found, model, optimizer)
    if step is None:
        look_at_mode(found, model)
    batch = material.first
    out = _outputs(found, model, batch, material)
    if out is None or found.has("nan in x", "nan in y"):
        return
    loss = loss if loss is not None else _guessed(found, model, out, batch)
    passed = _passed(found, model, batch, loss, out)
    if passed is None:
        return
    labels = [b.y for b in material.batches]
    look_at_targets(found, passed, labels)
    if found.has("labels out of range", "targets of the wrong type"):
        return
    _small_batches(found, passed, material)
    structure = Structure(passed, {})
    look_at_structure(found, structure)
    if found.has("loss without model", "all frozen"):
        return
    units = Units(passed, structure)
    kind, classes = _kind(passed)
    naive = naive_loss(batch, units.loss, kind, classes)
    look_at_start(found, units, naive, kind)
    look_at_units(found, units, learned=units.loss < 0.5 * naive)
    if step is not None:
        look_at_step(found, model, optimizer, step, batch_for(batch))
    if evaluate is not None:
        look_at_evaluation(found, model, evaluate, batch_for(batch))
    if found.has("loss not finite") or not trained(model, optimizer) or not passed.trainable:
        return
    if passed.projected:
        return
    trials = Trials(model, batch, loss, optimizer, deadline)
    look_at_learning(found, trials, units.loss, naive, optimizer is not None)


def batch_for(batch: Batch) -> Any:
    """A batch as the program's own functions take it."""
    return (batch.x, batch.y) if batch.y is not None else batch.x


def _outputs(found: Found, model: Any, batch: Batch, material: Material) -> Any:
    """The model's outputs (recorded, not computed); None where it refuses the batch."""
    try:
        with aside(model), no_grad():
            return call_model(model, batch.x)
    except ValueError as error:
        if "more than 1 value per channel" not in str(error):
            raise
        found.add(
            "batch of one", "error",
            "batch normalisation cannot take the mean of a single sample: {said}",
            "Use a batch size of at least 8 (drop_last=True leaves out a last batch of 1), or "
            "GroupNorm or LayerNorm.",
            _norms(model), said=str(error), rows=material.rows,
        )  # fmt: skip
        return None


def _norms(model: Any) -> str:
    """The first layer of batch normalisation."""
    return next((p for p, x in layers_of(model) if "BatchNorm" in type(x).__name__), "")


def _guessed(found: Found, model: Any, out: Any, batch: Batch) -> Any:
    """A loss, where none was given: by the type of the targets."""
    if is_keras(model) and getattr(model, "compiled", False):
        return None
    y = batch.y
    if not isinstance(out, Tensor) or not isinstance(y, Tensor):
        return None
    if is_keras(model):
        chosen: Any = "mse" if y.dtype.is_floating_point else "sparse_categorical_crossentropy"
    else:
        chosen = F.mse_loss if y.dtype.is_floating_point else F.cross_entropy
    name = chosen if isinstance(chosen, str) else chosen.__name__
    found.look("no loss was given: {name} was taken", name=name)
    return chosen


def _passed(found: Found, model: Any, batch: Batch, loss: Any, out: Any) -> Passed | None:
    with aside(model, loss):
        failure: Exception | None = None
        try:
            compute_loss(model, out, batch, loss)
        except (ChainruleError, RuntimeError, ValueError, TypeError, IndexError) as error:
            failure = error
    if failure is None:
        return Passed(model, batch, loss)
    tensors = tensors_in(out)
    failed_loss(found, tensors[0] if len(tensors) == 1 else out, batch.y, failure)
    return None


def _small_batches(found: Found, passed: Passed, material: Material) -> None:
    """Batch normalisation over one or two samples."""
    rows = rows_of(passed.batch.x)
    if rows > 3:
        return
    for call in passed.seen.calls:
        if "BatchNorm" not in call.kind or not call.inputs or not _trains(call.layer):
            continue
        shape = call.inputs[0].shape
        axis = len(shape) - 1 if is_keras(call.layer) else 1
        count = int(np.prod([n for i, n in enumerate(shape) if i != axis]))
        found.add(
            "batch of one" if rows == 1 else "small batch", "error" if count < 4 else "warning",
            "batch normalisation in {layer} takes mean and variance over a batch of {rows} "
            "({count} numbers each): the statistics are noise",
            "Use a batch size of at least 8, or GroupNorm or LayerNorm.",
            call.path, rows=rows, count=count,
        )  # fmt: skip
        return


def _trains(layer: Any) -> bool:
    """Whether a layer takes the statistics of its batch."""
    return bool(getattr(layer, "trainable", True)) if is_keras(layer) else bool(layer.training)


def _kind(passed: Passed) -> tuple[str, int]:
    """What is learned: "classes" (and how many), "binary", or "numbers"."""
    order = topological([passed.loss])
    names = {n.op.name for n in order}
    if names & {"cross_entropy_rows", "log_softmax"} or ("log" in names and "take_along" in names):
        shape = passed.outputs[0].shape if passed.outputs else (1,)
        axis = 1 if any(n.op.name == "cross_entropy_rows" for n in order) and len(shape) > 1 else -1
        return "classes", int(shape[axis]) if shape else 1
    if names & {"binary_cross_entropy", "binary_cross_entropy_logits", "log"}:
        y = passed.batch.y
        if isinstance(y, Tensor) and y.numel() and set(array(y).reshape(-1).tolist()) <= {0, 1}:
            return "binary", 2
    return "numbers", 1


__all__ = ["why"]
