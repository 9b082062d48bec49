"""Values and gradients, layer by layer: dead units, gradients that vanish or explode, layers whose
units are all the same.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from chainrule.explain.observe import Call, is_keras
from chainrule.explain.passing import Passed
from chainrule.explain.reasons.finding import Found
from chainrule.explain.reasons.structure import Structure
from chainrule.ir.graph import topological
from chainrule.ir.interpret import below
from chainrule.ir.node import Node
from chainrule.tensor import Tensor

#: Share of dead units from which it is a fault; factor by which a gradient may fall or grow.
DEAD, DYING = 0.9, 0.6
VANISHED, EXPLODED = 1e-5, 1e4
_WEIGHTED = frozenset({"linear", "matmul", "contract", "conv"})


class Level(NamedTuple):
    """A layer with weights: its call, and its output's node."""

    call: Call
    node: Node


class Units:
    """Values of one pass."""

    def __init__(self, passed: Passed, structure: Structure) -> None:
        self.passed, self.structure = passed, structure
        self.levels = self._levels()
        wrt = {n: passed.parameters[n] for n in passed.trainable}
        nodes = [*wrt.values(), *(level.node for level in self.levels)]
        found = passed.gradient(nodes).gradients
        present = [g for g in found if g is not None]
        rows = [passed.loss, *passed.outputs, *(level.node for level in self.levels), *present]
        relus = self._relus()
        values = passed.values([*rows, *relus])
        structure.values.update(zip([*rows, *relus], values, strict=True))
        of = structure.values
        self.loss = float(np.asarray(of[passed.loss]))
        numbers = [None if g is None else of[g] for g in found]
        self.gradients = dict(zip(wrt, numbers, strict=False))
        self.sensitivities = numbers[len(wrt) :]
        self.relus = {n: of[n] for n in relus}

    def _levels(self) -> list[Level]:
        """Innermost calls of layers that have weights, in the order of their ends."""
        own = {id(t) for t in self.passed.tensors.values()}
        levels = []
        for call in self.passed.seen.calls:
            if call.children or not call.outputs or not _holds(call.layer, own):
                continue
            out = call.outputs[0]
            if not out.dtype.is_floating_point:
                continue
            (node,) = self.passed.seen.nodes_of([out])
            levels.append(Level(call, node))
        return levels

    def _relus(self) -> list[Node]:
        """Values that a relu made, and that the loss depends on."""
        return [
            n
            for n in topological([self.passed.loss])
            if n.op.name == "relu" and len(n.shape) > 1 and n.shape[0] > 1
        ]


def _holds(layer: Any, own: set[int]) -> bool:
    """Whether a layer has weights itself."""
    if is_keras(layer):
        kept: Any = layer.trainable_weights
    else:
        kept = layer.parameters() if hasattr(layer, "parameters") else ()
    return any(id(t) in own for t in kept)


def look_at_units(found: Found, u: Units, learned: bool) -> None:
    """All of it. Of a model that has learned already, only what is at fault beyond doubt."""
    if not _finite(found, u):
        return
    before = len(found.findings)
    _dead(found, u)
    _flow(found, u)
    _same(found, u)
    _scale(found, u)
    if learned:
        found.findings[before:] = [f for f in found.findings[before:] if f.severity == "error"]
    found.look("values and gradients of {count} layers with weights", count=len(u.levels))


def _finite(found: Found, u: Units) -> bool:
    if not np.isfinite(u.loss):
        where = next(
            (level for level in u.levels if not np.isfinite(u.structure.values[level.node]).all()),
            None,
        )
        inside = "" if where is None else where.call.path
        found.add(
            "loss not finite", "error",
            "the loss is {loss} before any training" + (
                ": values of {layer} overflow first" if where is not None else ""
            ),
            "Look for a logarithm or a division of zero, an overflow, or NaN in the data.",
            inside, loss=u.loss,
        )  # fmt: skip
        return False
    bad = [n for n, g in u.gradients.items() if g is not None and not np.isfinite(g).all()]
    if bad:
        found.add(
            "gradient not finite", "error",
            "the gradient of {names} has NaN or infinity, while the loss is {loss}",
            "Look for sqrt, log, norm or division at zero; add a small ε inside.",
            bad[0].rpartition(".")[0], names=", ".join(bad[:4]), loss=u.loss, count=len(bad),
        )  # fmt: skip
        return False
    return True


# ------------------------------------------------------------------ dead units


def _unit_axis(u: Units, n: Node) -> int:
    """The axis of units: channels of a convolution in torch's order, else the last."""
    if len(n.shape) < 3 or is_keras(u.passed.model):
        return len(n.shape) - 1
    stack = [n]
    while stack:
        m = stack.pop()
        if m.op.name in ("conv", "windows"):
            return 1
        if m.op.name in ("linear", "matmul", "attention"):
            return len(n.shape) - 1
        stack.extend(i for i in below(m) if i.op.name != "input")
    return len(n.shape) - 1


def _dead(found: Found, u: Units) -> None:
    worst: list[tuple[float, str, int, int]] = []
    for n, v in u.relus.items():
        axis = _unit_axis(u, n)
        over = tuple(i for i in range(v.ndim) if i != axis)
        if int(np.prod([v.shape[i] for i in over])) < 8:
            continue
        dead = np.asarray((v <= 0).all(axis=over))
        share = float(dead.mean())
        if share >= DYING and dead.sum() >= 2:
            call = u.passed.origin(n).call
            path = _named(u, n, call)
            worst.append((share, path, int(dead.sum()), len(dead)))
    if not worst:
        return
    share, path, dead_count, units = max(worst)
    found.add(
        "dead units", "error" if share >= DEAD else "warning",
        "{dead} of {units} units of {layer} are 0 for all samples: relu passes no gradient to them",
        "Take a smaller learning rate, He initialisation, biases of 0, or leaky_relu, elu or gelu.",
        path, dead=dead_count, units=units, share=share, layers=len(worst),
    )  # fmt: skip


def _named(u: Units, n: Node, call: Call | None) -> str:
    """The relu's layer; if it is a function in the model, the layer with weights before it."""
    if call is not None and call.path and not call.children:
        return call.path
    inside = set(topological([n]))
    near = [level for level in u.levels if level.node in inside]
    return near[-1].call.path if near else ("" if call is None else call.path)


# ------------------------------------------------------------------ gradients from layer to layer


def _flow(found: Found, u: Units) -> None:
    """Norms of ∂L/∂(output of each layer with weights), from the last back to the first."""
    rows = [
        (level.call.path, float(np.linalg.norm(g.astype(np.float64))), level)
        for level, g in zip(u.levels, u.sensitivities, strict=True)
        if g is not None
    ]
    if len(rows) < 3:
        return
    norms = [r[1] for r in rows]
    last = max(norms[-2:])
    if last == 0:
        return
    path = {"norms": [float(f"{n:.3g}") for n in norms]}
    first = norms[0]
    blocked = found.has("dead units", "identical outputs")
    if first < VANISHED * last and not blocked:
        at = next(i for i in range(len(norms) - 1, -1, -1) if norms[i] < 1e-2 * last)
        found.add(
            "vanishing gradient", "error" if first < 1e-7 * last else "warning",
            "the gradient shrinks to {ratio} of its size on its way back: it falls below a "
            "hundredth at {layer}, and at {first} it is {small}",
            "Use relu or gelu instead of sigmoid or tanh, normalisation, residual connections, "
            "fewer layers, or a larger initialisation (Xavier, He).",
            rows[at][0], ratio=first / last, first=rows[0][0], small=first, **path,
        )  # fmt: skip
    largest = max(norms)
    if largest > EXPLODED * last:
        at = next(i for i in range(len(norms) - 1, -1, -1) if norms[i] > 1e2 * last)
        found.add(
            "exploding gradient", "error",
            "the gradient grows by a factor of {ratio} on its way back: it passes a hundred times "
            "its size at {layer}",
            "Use a smaller initialisation (Xavier, He), normalisation, gradient clipping, or fewer "
            "steps of recurrence.",
            rows[at][0], ratio=largest / last, largest=largest, **path,
        )  # fmt: skip
    sizes = [_rms(u.structure.values[level.node]) for level in u.levels]
    big = [i for i, v in enumerate(sizes) if v > 1e3]
    if big and sizes[big[0]] > 100 * max(min(sizes[: big[0]] or [1.0]), 1.0):
        found.add(
            "exploding activations", "error",
            "values grow from layer to layer: at {layer} they reach {size}",
            "Use a smaller initialisation (Xavier, He) or normalisation.",
            u.levels[big[0]].call.path, size=sizes[big[0]],
            sizes=[float(f"{v:.3g}") for v in sizes],
        )  # fmt: skip


def _rms(v: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(v.astype(np.float64))))) if v.size else 0.0


# ------------------------------------------------------------------ all the same


def _same(found: Found, u: Units) -> None:
    outs = [u.structure.values[o] for o in u.passed.outputs]
    if len(outs) == 1 and outs[0].ndim and outs[0].shape[0] >= 4 and outs[0].size > 1:
        out = outs[0].astype(np.float64)
        spread = float(out.std(axis=0).max()) if out.ndim else 0.0
        size = float(np.abs(out).max())
        x = u.passed.batch.x
        varied = not isinstance(x, Tensor) or bool(np.ptp(x.numpy(), axis=0).any())
        if spread <= 1e-6 * max(size, 1e-6) and varied and not _is_start(u):
            found.add(
                "identical outputs", "error",
                "the output is the same for all {rows} samples (it differs by {spread})",
                "Look for dead units, weights of zero, an activation that is saturated, or an "
                "input that is not used.",
                _last_dead(u), rows=len(out), spread=spread,
            )  # fmt: skip
    equal = []
    for name in u.passed.trainable:
        t, g = u.passed.tensors[name], u.gradients.get(name)
        if g is None or len(t.shape) < 2 or not _weighs(u, u.passed.parameters[name]):
            continue
        axis = -1 if is_keras(u.passed.model) else 0
        w = np.moveaxis(u.passed.arrays[u.passed.parameters[name]], axis, 0)
        d = np.moveaxis(g, axis, 0)
        if len(w) < 2 or w.size < 4:
            continue
        if _alike(w) and _alike(d):
            equal.append((name, bool(np.any(w)), bool(np.any(d))))
    if equal:
        name, some, moves = equal[0]
        layer = name.rpartition("/" if "/" in name else ".")[0]
        found.add(
            "symmetric units", "error",
            "all units of {layer} have the same weights" + (
                " and the same gradient: they stay equal" if moves else
                ", and no gradient reaches them"
            ),
            "Initialise weights at random (Xavier, He); zeros are for biases.",
            layer, parameters=", ".join(n for n, _, _ in equal[:4]), zero=not some,
        )  # fmt: skip


def _is_start(u: Units) -> bool:
    """A last layer that starts at zero, and whose gradient does not: it will move."""
    if not u.levels:
        return False
    held = {id(t) for t in _weights(u.levels[-1].call.layer)}
    for name in u.passed.trainable:
        t, g = u.passed.tensors[name], u.gradients.get(name)
        if id(t) in held and len(t.shape) > 1 and g is not None:
            axis = -1 if is_keras(u.passed.model) else 0
            moves = t.shape[axis] == 1 or not _alike(np.moveaxis(g, axis, 0))
            zero = not np.any(u.passed.arrays[u.passed.parameters[name]])
            return zero and moves and bool(np.any(g))
    return False


def _weights(layer: Any) -> list[Any]:
    return list(layer.trainable_weights) if is_keras(layer) else list(layer.parameters())


def _last_dead(u: Units) -> str:
    """The first layer whose values are the same for all samples."""
    for level in u.levels:
        v = u.structure.values[level.node]
        if (
            v.ndim
            and len(v) > 1
            and v.astype(np.float64).std(axis=0).max(initial=0.0)
            <= 1e-6 * (np.abs(v).max(initial=0.0) + 1e-12)
        ):
            return level.call.path
    return ""


def _alike(rows: np.ndarray) -> bool:
    """Whether all rows are one."""
    size = float(np.abs(rows).max(initial=0.0))
    return bool(np.abs(rows - rows[:1]).max(initial=0.0) <= 1e-6 * size)


def _weighs(u: Units, n: Node) -> bool:
    """Whether a parameter is the weight of a product."""
    users = [m for m in topological([u.passed.loss], below=below) if n in m.inputs]
    return any(m.op.name in _WEIGHTED for m in users)


def look_at_start(found: Found, u: Units, naive: float, kind: str) -> None:
    """Targets that are far from 0 or large, and a loss far above that of guessing."""
    passed, loss = u.passed, u.loss
    y = passed.batch.y
    if kind == "numbers":
        if not isinstance(y, Tensor) or not y.dtype.is_floating_point or passed.projected:
            return
        values = y.numpy().astype(np.float64)
        mean, spread = float(values.mean()), float(values.std())
        size = max(abs(mean), spread)
        if size > 300 or (abs(mean) > 30 and abs(mean) > 10 * spread):
            found.add(
                "targets not scaled", "error" if size > 1e4 else "warning",
                "the targets have a mean of {mean} and a standard deviation of {spread}, while a "
                "network starts with outputs near 0",
                "Train on (y - mean) / standard deviation, and undo that when predicting.",
                mean=mean, spread=spread,
            )  # fmt: skip
    elif np.isfinite(loss) and loss > 20 * naive > 0:
        size = max((_rms(u.structure.values[o]) for o in passed.outputs), default=0.0)
        if size < 20:  # the loss is a sum, not a mean
            return
        found.add(
            "loss starts high", "warning",
            "the loss starts at {loss}, {times} times that of guessing ({naive}): the outputs are "
            "far too large, and wrong",
            "Scale the inputs, or initialise with smaller weights (Xavier, He).",
            loss=loss, naive=naive, times=loss / naive, outputs=size,
        )  # fmt: skip


# ------------------------------------------------------------------ the size of what enters


def _scale(found: Found, u: Units) -> None:
    """Inputs of the first layers with weights: normalised, or 0 to 255?"""
    passed = u.passed
    leaves = set(passed.inputs.values()) | {
        n for n, t in passed.seen.leaves.items()
        if t is not None and isinstance(passed.batch.x, Tensor)
        and t.storage is passed.batch.x.storage
    }  # fmt: skip
    order = topological([passed.loss], below=below)
    parameters = set(passed.parameters.values())
    of_input = depends_on_below(order, leaves)
    of_weight = depends_on_below(order, parameters)
    standardized = {"standardize", "rms_standardize"}
    for n in order:
        if n.op.name in standardized and any(i in of_input for i in n.inputs):
            return
        if n.op.name not in _WEIGHTED:
            continue
        entering = [i for i in n.inputs if i in of_input and i not in of_weight]
        if not entering or not any(i in of_weight for i in n.inputs):
            continue
        v = np.asarray(u.structure.value(entering[0])).astype(np.float64)
        size, spread = _rms(v), float(v.std())
        if size > 15:
            call = passed.origin(n).call
            found.add(
                "input not scaled", "error" if size > 50 else "warning",
                "{layer} takes inputs from {low} to {high} (mean {mean}, standard deviation "
                "{spread}): steps that fit such inputs are tiny",
                "Scale them: x / 255 for images, or subtract the mean and divide by the standard "
                "deviation.",
                "" if call is None else call.path, low=float(v.min()), high=float(v.max()),
                mean=float(v.mean()), spread=spread, size=size,
            )  # fmt: skip
        return


def depends_on_below(order: list[Node], roots: set[Node]) -> set[Node]:
    """What is computed from `roots`, through the formulas of composites."""
    found = set(roots)
    for n in order:
        if n not in found and any(i in found for i in (*n.inputs, *below(n))):
            found.add(n)
    return found
