"""A model, its batch and its loss, in either face: one forward pass, recorded.

What checks and finds reasons needs of a program: the loss as a node, the parameters by path, the
values of all inputs, and the graph of the gradient, with the rules that the user wrote in it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from threading import get_ident
from typing import Any, NamedTuple

import numpy as np

from chainrule import ops
from chainrule.autodiff import Derivative, derivative
from chainrule.dtypes import DType
from chainrule.explain.checking.differences import Point, Told
from chainrule.explain.observe import (
    Observation,
    Origin,
    is_keras,
    layers_of,
    observe,
    parameters_of,
    tensors_in,
)
from chainrule.ir.graph import depends_on, substitute, topological
from chainrule.ir.interpret import below
from chainrule.ir.node import Node, TensorType
from chainrule.keras import context
from chainrule.keras import losses as keras_losses
from chainrule.keras.models.steps import Trainable
from chainrule.pytree import tree_all, tree_flatten, tree_map, tree_unflatten
from chainrule.runtime import programs
from chainrule.tensor import Tensor, enable_grad
from chainrule.tensor.backward import CustomFunction
from chainrule.tensor.fromdata import from_owned
from chainrule.tensor.handle import node_of, wrap
from chainrule.tensor.trace import walking
from chainrule.tensor.witness import present


class Batch(NamedTuple):
    """Inputs and targets; None: there are no targets."""

    x: Any
    y: Any


def batch_of(model: Any, given: Any) -> Batch:
    """x, or (x, y), as tensors."""
    pair = isinstance(given, (tuple, list)) and len(given) in (2, 3)
    x, y = (given[0], given[1]) if pair else (given, None)
    if isinstance(given, (tuple, list)) and len(given) == 1:
        x = given[0]
    return Batch(tensors_of(x), tensors_of(y))


def tensors_of(tree: Any) -> Any:
    """Arrays as tensors; numbers of double precision become float32, as frameworks take them."""

    def one(v: Any) -> Any:
        if isinstance(v, np.ndarray | np.generic | list | float | int) and not isinstance(v, bool):
            array = np.asarray(v)
            if array.dtype == np.float64:
                array = array.astype(np.float32)
            return v if array.dtype == object else from_owned(np.array(array))
        return of_its_own(v)

    plain = isinstance(tree, (int, float)) or (
        isinstance(tree, list) and tree_all(lambda v: isinstance(v, (int, float)), tree)
    )
    return one(tree) if plain else tree_map(one, tree)


def of_its_own(v: Any) -> Any:
    """A part of the user's data (a view without gradient) as data: not as a step of the graph."""
    if isinstance(v, Tensor) and v.chain and not v.requires_grad:
        return from_owned(np.array(v._concrete()))
    return v


def call_model(model: Any, x: Any, training: bool | None = None) -> Any:
    """The model's outputs for a batch. Keras models are called as in training unless told."""
    if not is_keras(model):
        if isinstance(x, Mapping):
            return model(**x)
        return model(*x) if isinstance(x, (tuple, list)) else model(x)
    mode = True if training is None else training
    with context.scope(training=mode):
        if isinstance(model, Trainable):
            return model._forward(x, mode)
        return model(x)


def compute_loss(model: Any, out: Any, batch: Batch, loss: Any) -> Tensor | None:
    """The loss as the face has it: criterion(outputs, targets), or (targets, outputs) in Keras; of
    a compiled model its own. None where there is none.
    """
    if loss is None:
        if (
            is_keras(model)
            and getattr(model, "compiled", False)
            and (batch.y is not None or model._compile_loss is None)
        ):
            found: Tensor = model._compute_loss(batch.x, batch.y, out, None, True)
            return found
        own = out.get("loss") if isinstance(out, Mapping) else getattr(out, "loss", None)
        if own is None and isinstance(out, (tuple, list)):  # (outputs, loss)
            numbers = [t for t in out if isinstance(t, Tensor) and t.ndim == 0 and t.level]
            own = numbers[0] if len(numbers) == 1 else None
        return own if isinstance(own, Tensor) and own.ndim == 0 else None
    criterion = keras_losses.get(loss) if isinstance(loss, str) else loss
    if batch.y is None:
        value = criterion(out)
    elif is_keras(model) or isinstance(criterion, keras_losses.Loss):
        value = criterion(batch.y, out)
    else:
        value = criterion(out, batch.y)
    return value if isinstance(value, Tensor) else None


def projected(outs: Sequence[Tensor]) -> Tensor:
    """Σ w · outputs / √n for fixed random w: a loss where there is none."""
    rng = np.random.default_rng(0)
    total: Tensor | None = None
    for t in outs:
        w = rng.standard_normal(tuple(t.shape)).astype(t.dtype.np) / max(t.numel(), 1) ** 0.5
        part = (t * from_owned(np.asarray(w, t.dtype.np))).sum()
        total = part if total is None else total + part
    if total is None:
        raise ValueError("the model has no output of a floating-point type: nothing to derive")
    return total


class Written(NamedTuple):
    """The user's rule of a boundary as a graph: cotangents in, cotangents out."""

    given: list[Node]
    found: list[Node | None]
    opaque: bool  # it was computed outside of the graph


class Passed:
    """One forward pass with its loss.

    loss         node of a number
    outputs      nodes of the model's floating-point outputs
    parameters   path → node, of all; `trainable` the paths of those with a gradient to come
    inputs       name → node, of the floating-point inputs
    arrays       values of the graph's inputs
    written      boundary → the user's rule
    """

    def __init__(
        self,
        model: Any,
        batch: Batch,
        loss: Any = None,
        training: bool | None = None,
        lines: bool = True,
        rules: bool = True,
    ) -> None:
        self.model, self.batch = model, batch
        leaves, shape = tree_flatten(batch.x)
        fresh = [_free(t) for t in leaves]
        x = tree_unflatten(fresh, shape)
        self.projected = False
        self._rules: dict[int, tuple[CustomFunction, list[Any], Any]] = {}
        self.result: Any = None

        def run() -> Any:
            out = call_model(model, x, training)
            value = compute_loss(model, out, Batch(x, batch.y), loss)
            if value is None:
                self.projected = True
                value = projected([t for t in tensors_in(out) if t.dtype.is_floating_point])
            elif value.ndim:
                value = value.mean()
            self.result = out
            held = [t for t in tensors_in(out) if t.dtype.is_differentiable]
            return value, held, self._record_rules() if rules else []

        with enable_grad():
            self.seen: Observation = observe(run, model=model, lines=lines)
        self.value, self.held, _ = self.seen.result
        seen = self.seen
        (self.loss,) = seen.nodes_of([self.value])
        self.outputs = seen.nodes_of(self.held)
        named = parameters_of(model)
        self.tensors = dict(named)
        self.parameters = dict(
            zip(self.tensors, seen.nodes_of(list(self.tensors.values())), strict=True)
        )
        self.trainable = [
            n for n, t in self.tensors.items() if t.requires_grad and getattr(t, "trainable", True)
        ]
        self.inputs = self._named_inputs(fresh)
        self.arrays = self._arrays()
        self.written = self._written()
        self.told: dict[Node, Told] = {}
        for boundary in self.seen.customs:
            self.told[boundary] = self._told(boundary)

    def _told(self, boundary: Node) -> Told:
        """The value of a boundary, wherever its inputs are: of the graph inside, or anew."""
        inside = self.inside(boundary)
        custom = self.custom(boundary)
        if inside is not None or custom.again is None:
            parts = tuple(inside or boundary.inputs[: boundary.attr("outputs")])
            return Told(parts, lambda *values: values)
        again = custom.again

        def compute(*values: np.ndarray) -> tuple[np.ndarray, ...]:
            made = again(*(from_owned(np.array(v)) for v in values))
            return tuple(np.asarray(t.detach().numpy()) for t in made)

        return Told(boundary.inputs[boundary.attr("outputs") :], compute)

    def _named_inputs(self, leaves: Sequence[Any]) -> dict[str, Node]:
        moving = [t for t in leaves if isinstance(t, Tensor) and t.level]
        by_tensor = {id(t): n for n, t in self.seen.leaves.items() if t is not None}
        found = {}
        for i, t in enumerate(moving):
            node = by_tensor.get(id(t))
            if node is not None:
                found["input" if len(moving) == 1 else f"input {i}"] = node
        return found

    def _arrays(self) -> dict[Node, np.ndarray]:
        found = dict(self.seen.arrays)
        for n, t in self.seen.leaves.items():
            if n not in found and t is not None and t.storage.array is not None:
                array = t.storage.array
                found[n] = array if array.shape == n.shape else np.asarray(t.detach()._concrete())
        return found

    # ------------------------------------------------------------------ the user's rules

    def _record_rules(self) -> list[Tensor]:
        """Call every rule that the user wrote with cotangents that stand for any."""
        witness = present[get_ident()]
        rng = np.random.default_rng(1)
        held: list[Tensor] = []
        for trace in dict.fromkeys(note.trace for note in list(witness.notes)):
            for node, custom in list(trace.watched.items()):
                if not isinstance(custom, CustomFunction):
                    continue
                cts: list[Any] = []
                for t in parts_of(node):
                    array = rng.standard_normal(t.shape).astype(t.dtype.np)
                    cts.append(from_owned(np.asarray(array)))
                try:
                    with walking():
                        found: Any = [g if g is None else _copied(g) for g in custom.call(cts)]
                except Exception as error:  # the user's code: said in the report
                    found = error
                self._rules[id(custom)] = (custom, cts, found)
                held += (
                    [*cts, *(g for g in found if g is not None)] if isinstance(found, list) else cts
                )
        return held

    def _written(self) -> dict[Node, Written | Exception]:
        out: dict[Node, Written | Exception] = {}
        for node, custom in self.seen.customs.items():
            if id(custom) not in self._rules:
                continue
            _, cts, found = self._rules[id(custom)]
            if isinstance(found, Exception):
                out[node] = found
                continue
            given = self.seen.nodes_of(cts)
            nodes = [None if g is None else self.seen.nodes_of([g])[0] for g in found]
            roots = set(given)
            opaque = not any(roots & set(topological([n])) for n in nodes if n is not None) and any(
                n is not None for n in nodes
            )
            out[node] = Written(given, nodes, opaque)
        return out

    def origin(self, n: Node) -> Origin:
        """The layer and line of a node; of a part of a formula those of the whole."""
        found = self.seen.origin(n)
        while found.call is None and found.line is None and n in self._owners:
            n = self._owners[n]
            found = self.seen.origin(n)
        return found

    @cached_property
    def _owners(self) -> dict[Node, Node]:
        """Parts of formulas → the composite that they spell out."""
        found: dict[Node, Node] = {}
        outer = set(topological([self.loss, *self.outputs]))
        for n in topological([self.loss, *self.outputs], below=below):
            if n.op.is_primitive:
                continue
            ends = set(n.inputs)
            for part in topological(below(n), stop=ends.__contains__):
                if part not in ends and part not in outer:
                    found.setdefault(part, n)
        return found

    def watch(self) -> dict[Node, Callable[[Any], Any]]:
        """What `derivative` is to do at boundaries: as the user's rules say."""
        return {
            n: _answer(n, w, self._tell) for n, w in self.written.items() if isinstance(w, Written)
        }

    def _tell(self, boundary: Node, rule: Written, cts: list[Node]) -> list[Node | None]:
        """Cotangents by a rule that computes outside of the graph: nodes that are told."""
        custom = self.custom(boundary)
        number = list(self.written).index(boundary)
        out: list[Node | None] = []
        for i, n in enumerate(rule.found):
            if n is None:
                out.append(None)
                continue
            made = ops.input(index=i, shape=n.shape, dtype=n.dtype, scope=f"rule {number}")
            self.told[made] = Told(tuple(cts), _called(custom, i, [ct.dtype for ct in cts]))
            out.append(made)
        return out

    def gradient(self, wrt: Sequence[Node]) -> Derivative:
        """The gradient of the loss, by the chain rule and the user's rules."""
        one = ops.full_like(self.loss, 1)
        return derivative([self.loss], [one], wrt, self.watch())

    def values(self, nodes: Sequence[Node]) -> list[np.ndarray]:
        """Values in the model's own types, by the backend that runs it."""
        leaves = [n for n in topological(nodes) if n.op.name == "input"]
        if any(n not in self.arrays for n in leaves):  # a rule outside of the graph
            at = Point(nodes, self.arrays, self.told)
            return [np.asarray(at[n]) for n in nodes]
        fresh = {n: ops.input(index=i, shape=n.shape, dtype=n.dtype) for i, n in enumerate(leaves)}
        arrays = [np.ascontiguousarray(self.arrays[n]).reshape(n.shape) for n in leaves]
        return programs.run(substitute(nodes, fresh), arrays) if nodes else []

    def custom(self, boundary: Node) -> CustomFunction:
        """The function behind a boundary."""
        return self.seen.customs[boundary]

    def inside(self, boundary: Node) -> list[Node] | None:
        """What the outputs of a boundary are computed from its inputs by, as a graph in which
        nothing is detached; None where that happened outside of the graph.
        """
        count = boundary.attr("outputs")
        outs, ins = boundary.inputs[:count], set(boundary.inputs[count:])
        order = topological(outs, stop=lambda n: n in ins)
        moving = depends_on(order, ins & set(order))
        if not any(o in moving for o in outs):
            return None
        mapping: dict[Node, Node] = {}
        for n in order:
            if n in ins or n not in moving:
                mapping[n] = n
                continue
            inputs = tuple(mapping[i] for i in n.inputs)
            mapping[n] = inputs[0] if n.op.name == "stop_gradient" else n.op.make(inputs, n.attrs)
        return [mapping[o] for o in outs]


def _called(custom: CustomFunction, i: int, types: Sequence[DType]) -> Callable[..., Any]:
    def compute(*cts: np.ndarray) -> np.ndarray:
        given = [from_owned(c.astype(t.np)) for c, t in zip(cts, types, strict=True)]
        return np.asarray(custom.call(given)[i].detach().numpy())

    return compute


def _free(t: Any) -> Any:
    """A leaf of its own for a floating-point input."""
    if isinstance(t, Tensor) and t.dtype.is_floating_point and not t.chain:
        return t.detach().clone().requires_grad_() if t.storage.array is None else _leaf(t)
    return t


def _leaf(t: Tensor) -> Tensor:
    return from_owned(np.array(t.detach()._concrete())).requires_grad_()


def _copied(g: Tensor) -> Tensor:
    """Recorded in the trace of now, whatever it was before."""
    return wrap(node_of(g), 0)


def _answer(
    boundary: Node, rule: Written, told: Callable[[Node, Written, list[Node]], list[Node | None]]
) -> Callable[[Any], Any]:
    count = boundary.attr("outputs")

    def answer(g: dict[int, Node]) -> dict[Node, Node]:
        cts = [
            g[i] if i in g else ops.full(t.shape, 0, t.dtype)
            for i, t in enumerate(parts_of(boundary))
        ]
        if rule.opaque:
            parts = told(boundary, rule, cts)
        else:
            mapping = dict(zip(rule.given, cts, strict=True))
            parts = [None if n is None else substitute([n], mapping)[0] for n in rule.found]
        out: dict[Node, Node] = {}
        for n, part in zip(boundary.inputs[count:], parts, strict=True):
            if part is not None and n.dtype.is_differentiable:
                out[n] = ops.add(out[n], part) if n in out else part
        return out

    return answer


def parts_of(n: Node) -> list[TensorType]:
    """The types of a node's parts; one for what has one."""
    return [n.type] if isinstance(n.type, TensorType) else list(n.type)


__all__ = ["Batch", "Passed", "Written", "batch_of", "call_model", "compute_loss", "layers_of"]
