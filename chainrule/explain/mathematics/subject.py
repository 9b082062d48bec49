"""What is explained: a model's graph up to its loss, with the layer that each node comes from."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np

from chainrule.explain.observe import (
    Call,
    Observation,
    is_keras,
    is_model,
    observe,
    parameters_of,
    tensors_in,
)
from chainrule.explain.passing import Batch, compute_loss, of_its_own
from chainrule.explain.printing.write import value_of
from chainrule.ir.graph import topological
from chainrule.ir.node import Node, TensorType
from chainrule.keras.layers.state import State as KerasLayer
from chainrule.ops import broadcast_to, const
from chainrule.ops.movement import full
from chainrule.pytree import tree_map
from chainrule.rewrite import decompose
from chainrule.rewrite.walk import rewrite
from chainrule.tensor import Tensor
from chainrule.tensor.creation import as_tensor

#: Composites that stay one word, though a softmax or a loop is inside them.
_WORDS = frozenset({"softmax", "log_softmax", "cross_entropy_rows"})


class Subject:
    """Nodes, under one numbering of inputs.

    outputs   the model's results           loss    a scalar, or None
    inputs    the user's data, in order     target  what the loss compares with
    names     parameters and buffers by node, trainable: those that training changes
    home      the call that a node comes from
    """

    def __init__(self, model: Any, x: Any, y: Any, loss: Any) -> None:
        self.model = model
        own = _tensor if isinstance(model, KerasLayer) else of_its_own
        x, y = tree_map(own, x), tree_map(own, y)
        given = x if isinstance(x, tuple) else (x,)
        results: list[Any] = []

        def program() -> Any:
            out = _called(model, given, y is not None)
            results.append(out)
            value = _loss(model, loss, out, x, y)
            results.append(value)
            return value if value is not None else out

        self.seen: Observation = observe(program, model=model)
        out, value = results
        wanted = [t for t in tensors_in(out) if t.dtype.is_floating_point]
        if value is not None and tuple(value.shape):
            value = value.sum()
        self._nodes(wanted, value, tensors_in(given), tensors_in(y))

    def _nodes(
        self, out: list[Tensor], value: Any, given: list[Tensor], target: list[Tensor]
    ) -> None:
        seen = self.seen
        raw = seen.nodes_of([*out, *([value] if value is not None else [])])
        raw += seen.nodes_of([t for c in seen.calls for t in c.outputs])
        kept = set(topological(raw[: len(out) + 1]))
        origins = {n: o.call for n in kept if (o := seen.origin(n)).call is not None}
        opened = _opened(raw[: len(out) + 1])
        subjects = [*raw[: len(out) + (value is not None)], *origins]
        subjects = [n for n in subjects if isinstance(n.type, TensorType)]
        made = decompose(subjects, lambda n: n.op.name not in opened)
        self.given_nodes = {*seen.names, *self._leaves(given), *self._leaves(target)}
        made = rewrite(made, self._known)
        of = dict(zip(subjects, made, strict=True))
        self.outputs = [of[n] for n in raw[: len(out)]]
        self.loss: Node | None = of[raw[len(out)]] if value is not None else None
        goals = [*self.outputs, *([self.loss] if self.loss is not None else [])]
        self.order = topological(goals)
        known = set(self.order)
        self.names = {n: s for n, s in seen.names.items() if n in known}
        trained = seen.nodes_of(
            [t for _, t in parameters_of(self.model, trainable=True) if _is_used(seen, t)]
        )
        self.trainable = [n for n in trained if n in known]
        self.inputs = [n for n in self._leaves(given) if n in known]
        self.target = [n for n in self._leaves(target) if n in known]
        self.home: dict[Node, Call] = {}
        for n, origin in origins.items():
            if n in of and origin is not None:
                self.home.setdefault(of[n], origin)
        for n in reversed(self.order):  # what a formula is made of belongs to who wrote it
            call = self.home.get(n)
            if call is not None:
                for i in n.inputs:
                    if i.op.name not in ("input", "const") and i not in self.home:
                        self.home[i] = call

    def _known(self, n: Node) -> Node | None:
        """What is plain from the given classes and masks: that none of them is to be ignored."""
        if n.op.name in ("eq", "ne", "lt", "le", "gt", "ge") and n.shape:
            data = [i for i in n.inputs if i in self.arrays and not i.dtype.is_floating_point]
            if len(data) == 1 and all(i in data or value_of(i) is not None for i in n.inputs):
                values = [self.arrays[i] if i in data else value_of(i) for i in n.inputs]
                truth = np.asarray(n.op.reference(*values)) if n.op.reference else np.zeros(0)
                if truth.size and (truth.all() or not truth.any()):
                    return full(n.shape, bool(truth.all()), n.dtype)
        if n.op.name == "input" and n not in self.given_nodes and isinstance(n.type, TensorType):
            array = self.arrays.get(n)
            many = array is not None and array.size > 1 and array.dtype.kind == "f"
            if many and array is not None and (array == array.flat[0]).all():
                return full(n.shape, float(array.flat[0]), n.dtype)
        if n.op.name == "where" and (v := value_of(n.inputs[0])) is not None:
            kept = n.inputs[1 if v else 2]
            return kept if kept.shape == n.shape else broadcast_to(kept, shape=n.shape)
        if (
            n.op.name in ("cast", "sum")
            and (v := value_of(n.inputs[0])) is not None
            and n.shape == ()
        ):
            return const(float(v) * math.prod(n.inputs[0].shape), n.dtype)
        if n.op.name == "cast" and (v := value_of(n.inputs[0])) is not None:
            return full(n.shape, float(v), n.dtype)
        return None

    def _leaves(self, tensors: Sequence[Tensor]) -> list[Node]:
        """The inputs behind tensors; what was computed by a program of the user's is none."""
        out: list[Node] = []
        for t in tensors:
            try:
                (node,) = self.seen.nodes_of([t])
            except ValueError:
                continue  # not read by the model
            if node.op.name == "input":
                out.append(node)
        return out

    @cached_property
    def arrays(self) -> dict[Node, np.ndarray]:
        """What the inputs of the graph hold."""
        found = dict(self.seen.arrays)
        for n, t in self.seen.leaves.items():
            if n not in found and t is not None:
                found[n] = t.detach().numpy()
        return found


def _tensor(x: Any) -> Any:
    """Arrays as tensors, so that they can be told apart in the graph."""
    return as_tensor(x) if isinstance(x, np.ndarray) else of_its_own(x)


def _is_used(seen: Observation, t: Tensor) -> bool:
    try:
        seen.nodes_of([t])
    except ValueError:
        return False
    return True


def _opened(nodes: Sequence[Node]) -> set[str]:
    """Layers whose gradient speaks of what is inside them: loops, rows of probabilities."""
    found = set()
    for n in topological(nodes):
        if not n.op.is_primitive and n.op.name not in _WORDS and n.op.name not in found:
            inside = n.op.expand(n)
            outs = inside if isinstance(inside, tuple) else (inside,)
            within = topological(outs, stop=n.inputs.__contains__)
            if any(m.op.name in ("scan", "softmax") for m in within):
                found.add(n.op.name)
    return found


def _called(model: Any, given: tuple[Any, ...], training: bool) -> Any:
    """A Keras model as `fit` runs it when there are targets; a Module in the mode that it is in."""
    if isinstance(model, KerasLayer):
        inside = given[0] if len(given) == 1 else list(given)
        return model(inside, training=training) if training else model(inside)
    return model(*given)


def _loss(model: Any, loss: Any, out: Any, x: Any, y: Any) -> Any:
    """The value of the loss, one number; a model that gives one number is its own loss."""
    value = compute_loss(model, out, Batch(x, y), loss)
    if value is None and loss is None:
        first = tensors_in(out)
        return out if len(first) == 1 and not first[0].shape else None
    if value is not None and value.ndim and (is_keras(model) or isinstance(loss, str)):
        return value.mean()  # one loss for each sample
    return value


__all__ = ["Subject", "is_model"]
