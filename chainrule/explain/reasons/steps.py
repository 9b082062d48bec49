"""The user's own step, watched: what it does with gradients, parameters and modes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from chainrule.explain.aside import aside
from chainrule.explain.observe import is_keras, layers_of, observe, parameters_of
from chainrule.explain.reasons.finding import Found
from chainrule.explain.reasons.material import array
from chainrule.keras.optimizers.base import Optimizer as KerasOptimizer
from chainrule.runtime import random as streams
from chainrule.tensor import Tensor, flush, no_grad
from chainrule.tensor.fromdata import from_owned

#: How often a step is repeated before its gradients are called a sum that never ends.
REPEATS = 6


def modal(model: Any) -> list[tuple[str, Any]]:
    """Layers that do something else in training: dropout, batch normalisation."""
    names = ("Dropout", "BatchNorm", "AlphaDropout", "GaussianNoise", "SpatialDropout")
    return [
        (path, layer)
        for path, layer in layers_of(model)
        if any(n in type(layer).__name__ for n in names) and getattr(layer, "p", 1) != 0
    ]


def look_at_mode(found: Found, model: Any) -> None:
    """A model that is about to be trained in eval mode."""
    if is_keras(model):
        return
    layers = modal(model)
    if layers and not model.training:
        path, layer = layers[0]
        found.add(
            "eval mode in training", "warning",
            "the model is in eval mode: {layer} ({type}) does not work as in training",
            "Call model.train() before training, and model.eval() before evaluating.",
            path, type=type(layer).__name__, layers=len(layers),
        )  # fmt: skip


def look_at_optimizer(found: Found, model: Any, optimizer: Any) -> None:
    """Which parameters it holds."""
    if optimizer is None or isinstance(optimizer, KerasOptimizer) or is_keras(model):
        return
    held = {id(p) for group in optimizer.param_groups for p in group["params"]}
    mine = parameters_of(model, trainable=True)
    missing = [n for n, p in mine if id(p) not in held]
    if mine and len(missing) == len(mine):
        found.add(
            "optimizer of another model", "error",
            "the optimizer holds {held} parameters, none of them of this model",
            "Make the optimizer after the model (and after anything that replaces its "
            "parameters): Adam(model.parameters()).",
            held=len(held), missing=len(missing),
        )  # fmt: skip
    elif missing:
        found.add(
            "not in the optimizer", "error",
            "{count} of {all} parameters are not in the optimizer and will not change: {names}",
            "Give it all of them: Adam(model.parameters()); layers kept in a plain list or dict "
            "are not found by parameters(): use ModuleList, ModuleDict.",
            missing[0].rpartition(".")[0], count=len(missing), all=len(mine),
            names=", ".join(missing[:4]) + (" …" if len(missing) > 4 else ""),
        )  # fmt: skip
    found.look("the optimizer holds {count} of {all} parameters",
               count=len(mine) - len(missing), all=len(mine))  # fmt: skip


def hidden_layers(model: Any) -> Iterator[str]:
    """Attributes that hold layers where parameters() does not find them."""
    from_model = {id(layer) for _, layer in layers_of(model)}
    for path, layer in layers_of(model):
        for name, value in vars(layer).items():
            if name.startswith("_"):
                continue
            parts = value.values() if isinstance(value, dict) else value
            if isinstance(value, (list, tuple, dict)) and any(
                hasattr(v, "named_parameters") and id(v) not in from_model
                and any(True for _ in v.parameters()) for v in parts
            ):  # fmt: skip
                yield f"{path}.{name}" if path else name


def look_at_hidden(found: Found, model: Any) -> None:
    """Layers in plain lists."""
    if is_keras(model):
        return
    for name in hidden_layers(model):
        found.add(
            "layers in a plain list", "error",
            "{layer} is a plain list (or dict) of layers: their parameters are not among the "
            "model's, and will not be trained",
            "Use nn.ModuleList or nn.ModuleDict.",
            name,
        )  # fmt: skip


# ------------------------------------------------------------------ one step, several times


def look_at_step(
    found: Found, model: Any, optimizer: Any, step: Callable[[Any], Any], batch: Any
) -> None:
    """Call the user's step a few times, on the same batch."""
    named = parameters_of(model, trainable=True)
    with aside(model, optimizer, batch):
        for _, p in named:
            p.grad = None
        start = {n: array(p).copy() for n, p in named}
        seen = observe(step, batch, model=model)
        flush()
        wrong = _eval_calls(model, seen)
        after = {n: array(p).copy() for n, p in named}
        kept = {n: None if p.grad is None else array(p.grad).copy() for n, p in named}
        growing = _growing(model, step, batch, start, kept)
    moved = {n: float(np.abs(after[n] - start[n]).max(initial=0.0)) for n in start}
    still = [n for n, m in moved.items() if m == 0]
    has_grads = [n for n, g in kept.items() if g is not None and np.any(g)]
    found.look("what the training step does: {moved} of {all} parameters change",
               moved=len(moved) - len(still), all=len(moved))  # fmt: skip
    if named and len(still) == len(named):
        found.add(
            "step changes nothing", "error",
            "a training step changes no parameter" + (
                ", though they have gradients" if has_grads else ", and leaves no gradient"
            ),
            "Call loss.backward() and then optimizer.step() (in Keras optimizer.apply_gradients); "
            "the optimizer must hold this model's parameters.",
            parameters=len(named), gradients=len(has_grads),
        )  # fmt: skip
    else:
        stuck = [n for n in still if n in has_grads]
        if stuck and not found.has("not in the optimizer"):
            found.add(
                "not in the optimizer", "error",
                "{count} of {all} parameters have a gradient and are not changed by the step: "
                "{names}",
                "Give them to the optimizer: Adam(model.parameters()).",
                stuck[0].rpartition(".")[0], count=len(stuck), all=len(named),
                names=", ".join(stuck[:4]),
            )  # fmt: skip
    if growing is not None:
        found.add(
            "forgotten zero_grad", "error",
            "gradients add up from step to step: on the same batch and weights they are {second} "
            "times as large in the second step, {last} times in step {steps}",
            "Call optimizer.zero_grad() before loss.backward(), in every step.",
            second=growing[0], last=growing[-1], steps=len(growing) + 1, growth=growing,
        )  # fmt: skip
    if wrong:
        path, kind = wrong[0]
        found.add(
            "eval mode in training", "error",
            "in the training step {layer} ({type}) runs as in evaluation",
            "Call model.train() before training.",
            path, type=kind, layers=len(wrong),
        )  # fmt: skip


def _eval_calls(model: Any, seen: Any) -> list[tuple[str, str]]:
    """Dropout and batch normalisation that were called in eval mode."""
    if is_keras(model):
        return []
    called = {id(c.layer) for c in seen.calls}
    return [
        (path, type(layer).__name__)
        for path, layer in modal(model)
        if id(layer) in called and not layer.training
    ]


def _growing(
    model: Any, step: Callable[[Any], Any], batch: Any, start: dict[str, np.ndarray],
    first: dict[str, Any],
) -> list[float] | None:  # fmt: skip
    """How gradients grow when a step is repeated from the same weights; None: they do not.

    What stands in `.grad` before a step must not be seen in it afterwards, in one of several steps
    at least: a program may add up the gradients of some batches on purpose.
    """
    named = parameters_of(model, trainable=True)
    size = _norm(first)
    if size == 0:
        return None
    grown: list[float] = []
    for _ in range(REPEATS):
        _put_back(named, start)
        step(batch)
        flush()
        grown.append(_norm({n: p.grad for n, p in named}) / size)
    rng = np.random.default_rng(0)
    marks = {
        n: (100 * size * rng.choice((-1.0, 1.0), tuple(p.shape))).astype(p.dtype.np)
        for n, p in named
        if first[n] is not None
    }
    for _ in range(REPEATS):
        _put_back(named, start)
        for n, p in named:
            p.grad = _tensor(marks[n]) if n in marks else None
        step(batch)
        flush()
        if not _shows({n: p.grad for n, p in named}, marks):
            return None
    return [float(f"{g:.3g}") for g in grown]


def _put_back(named: list[tuple[str, Tensor]], start: dict[str, np.ndarray]) -> None:
    with no_grad():
        for n, p in named:
            p.copy_(_tensor(start[n]))


def _shows(grads: dict[str, Any], marks: dict[str, np.ndarray]) -> bool:
    """Whether gradients point where the marks do."""
    dot = length = size = 0.0
    for n, mark in marks.items():
        if grads[n] is None:
            continue
        g = array(grads[n]).astype(np.float64)
        dot += float((g * mark).sum())
        length += float(np.square(g).sum())
        size += float(np.square(mark.astype(np.float64)).sum())
    return dot > 0.9 * (length * size) ** 0.5 > 0


def _tensor(a: np.ndarray) -> Tensor:
    return from_owned(np.array(a))


def _norm(grads: dict[str, Any]) -> float:
    """√Σ g² over all parameters."""
    total = 0.0
    for g in grads.values():
        if g is not None:
            total += float(np.square(array(g).astype(np.float64)).sum())
    return total**0.5


# ------------------------------------------------------------------ evaluation


def look_at_evaluation(
    found: Found, model: Any, evaluate: Callable[[Any], Any], batch: Any
) -> None:
    """The user's evaluation: does it change statistics, or draw masks?"""
    with aside(model, batch):
        buffers = {n: t for n, t in parameters_of(model, buffers=True)}
        before = {n: array(t).copy() for n, t in buffers.items()}
        drawn = _positions(model)
        evaluate(batch)
        flush()
        changed = [
            n for n, t in buffers.items() if not np.array_equal(array(t), before[n], equal_nan=True)
        ]
        draws = _positions(model) != drawn
    found.look("what the evaluation changes: {changed} tensors", changed=len(changed))
    statistics = [n for n in changed if "running" in n or "moving" in n or "num_batches" in n]
    if statistics or (draws and any("Dropout" in type(x).__name__ for _, x in modal(model))):
        masks = [p for p, x in modal(model) if "Dropout" in type(x).__name__]
        path = masks[0] if masks else ""
        if statistics:
            path = statistics[0].rpartition("/" if "/" in statistics[0] else ".")[0]
        found.add(
            "training mode in evaluation", "error",
            "the evaluation runs {layer} as in training: "
            + ("it changes its running statistics" if statistics else "it drops units at random"),
            "Call model.eval() before evaluating (model.train() afterwards); in Keras, "
            "training=False.",
            path, statistics=len(statistics), draws=draws,
        )  # fmt: skip


def _positions(model: Any) -> list[Any]:
    """Where the streams of random numbers are."""
    found: list[Any] = [streams.stream(n).snapshot() for n in streams.STREAMS]
    for _, layer in layers_of(model):
        for seed in getattr(layer, "_seed_generators", ()):
            found.append(seed.generator.position)
    return found
