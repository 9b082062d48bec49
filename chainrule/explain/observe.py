"""What a model does when it is called: layer by layer, with the graph that it records.

>>> import chainrule as torch
>>> from chainrule.explain.observe import observe
>>> model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.ReLU())
>>> seen = observe(model, torch.zeros(2, 3))
>>> [(call.path, type(call.layer).__name__, tuple(call.outputs[0].shape)) for call in seen.calls]
[('', 'Sequential', (2, 4)), ('0', 'Linear', (2, 4)), ('1', 'ReLU', (2, 4))]
>>> (out,) = seen.nodes_of([seen.result])
>>> out.op.name, seen.origin(out).call.path
('relu', '1')
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from chainrule.explain.recorded import Place, Recorded, place_of, recorded, same_place
from chainrule.ir.graph import topological
from chainrule.ir.node import Node
from chainrule.keras.layers.state import State as KerasLayer
from chainrule.nn import Module
from chainrule.pytree import tree_leaves
from chainrule.tensor import Tensor
from chainrule.tensor.backward import CustomFunction
from chainrule.tensor.witness import Call as Told
from chainrule.tensor.witness import Line, Note, Witness


class Call:
    """One call of a layer.

    path      from the model down: "" is the model, "encoder.layers.0", "block/dense" in Keras; a
              layer that the model does not know has its class's name
    inputs    the tensors among its arguments, in order; `given` has the arguments as they came
    outputs   the tensors of its result
    """

    def __init__(self, told: Told, path: str, parent: Call | None) -> None:
        self.path, self.parent, self.layer, self.line = path, parent, told.layer, told.line
        self.given = told.args, told.kwargs
        self.inputs = tensors_in(self.given)
        self.result = told.result
        self.outputs = tensors_in(told.result)
        self.children: list[Call] = []

    @property
    def kind(self) -> str:
        """The class of the layer."""
        return type(self.layer).__name__

    @property
    def depth(self) -> int:
        """0 for the model, 1 for its layers …"""
        return 0 if self.parent is None else self.parent.depth + 1

    def walk(self) -> Iterator[Call]:
        """This call and all inside it, in order of their beginning."""
        yield self
        for child in self.children:
            yield from child.walk()

    def __repr__(self) -> str:
        return f"<{self.kind} {self.path!r}>"


class Origin(NamedTuple):
    """Where a node comes from: the innermost call of a layer, and the user's line; None: neither
    is known (the input of a model, a formula that the library wrote).
    """

    call: Call | None
    line: Line | None


class Observation:
    """What `observe` saw."""

    def __init__(self, result: Any, witness: Witness, models: Sequence[Any]) -> None:
        self.result = result
        known = {id(layer): path for m in models for path, layer in layers_of(m)}
        self.calls: list[Call] = []
        self._calls: dict[Told, Call] = {}
        for told in witness.calls:
            self._take(told, None, known)
        self._notes = witness.notes
        self.models = list(models)

    def _take(self, told: Told, parent: Call | None, known: dict[int, str]) -> None:
        path = known.get(id(told.layer))
        if path is None:
            name = type(told.layer).__name__
            path = f"{parent.path}.{name}" if parent is not None and parent.path else name
        call = self._calls[told] = Call(told, path, parent)
        self.calls.append(call)
        if parent is not None:
            parent.children.append(call)
        for child in told.children:
            self._take(child, call, known)

    @property
    def root(self) -> Call:
        """The first call: the model's."""
        if not self.calls:
            raise ValueError("no layer was called: give a model, or a function that calls one")
        return self.calls[0]

    # ------------------------------------------------------------------ the graph

    @cached_property
    def _recorded(self) -> tuple[Recorded, dict[Any, Node]]:
        """The nodes of all notes and calls with their leaves, and each subject's node."""
        subjects: dict[Any, Any] = {}
        for note in self._notes:
            subjects.setdefault((note.trace, note.node), Place(note.trace, note.node))
        held = [*tensors_in(self.result), *self._parameters.values()]
        for call in self.calls:
            held += [*call.inputs, *call.outputs]
        for t in held:
            place = place_of(t)
            subjects.setdefault(id(t) if place is None else tuple(place), t)
        found = recorded(list(subjects.values()))
        return found, dict(zip(subjects, found.nodes, strict=True))

    @property
    def leaves(self) -> dict[Node, Tensor | None]:
        """Each input of the graph, and the tensor that it stands for."""
        return self._recorded[0].leaves

    @property
    def arrays(self) -> dict[Node, np.ndarray]:
        """What the inputs of the graph held when they were read, as far as it is known still."""
        return self._recorded[0].arrays

    @property
    def customs(self) -> dict[Node, CustomFunction]:
        """The functions with a gradient of the user's, by their boundaries in the graph."""
        return self._recorded[0].customs

    def nodes_of(self, tensors: Sequence[Tensor]) -> list[Node]:
        """The nodes of tensors that the model took, made, or holds as parameters."""
        out = []
        for t in tensors:
            place = place_of(t)
            node = self._recorded[1].get(id(t) if place is None else tuple(place))
            if node is None:
                same = (n for n, x in self.leaves.items() if x is not None and same_place(x, t))
                node = next(same, None)
            if node is None:
                raise ValueError(f"a tensor of shape {tuple(t.shape)} is not part of what was seen")
            out.append(node)
        return out

    @cached_property
    def _parameters(self) -> dict[str, Tensor]:
        return {name: t for m in self.models for name, t in parameters_of(m, buffers=True)}

    @cached_property
    def names(self) -> dict[Node, str]:
        """The path of each parameter and buffer that the graph reads."""
        nodes = self.nodes_of(list(self._parameters.values()))
        used = set(topological(self._recorded[0].nodes))
        named = zip(nodes, self._parameters, strict=True)
        return {n: name for n, name in named if n in used}

    @cached_property
    def _origins(self) -> dict[Node, Origin]:
        """Each recorded node's first note; what stands below it and has none shares its origin."""
        found: dict[Node, Origin] = {}
        for note in self._notes:
            node = self._recorded[1][note.trace, note.node]
            for n in topological([node], stop=lambda n: n in found):
                if n not in found and n.op.name != "input":
                    found[n] = self._origin_of(note)
        return found

    def _origin_of(self, note: Note) -> Origin:
        return Origin(None if note.call is None else self._calls.get(note.call), note.line)

    def origin(self, node: Node) -> Origin:
        """The call and the line in which a node came up first."""
        return self._origins.get(node, Origin(None, None))


def observe(
    f: Callable[..., Any], *args: Any, model: Any = None, lines: bool = False, **kwargs: Any
) -> Observation:
    """Call `f` once, and keep what is recorded and which layers are called. Nothing is computed,
    unless the model itself looks at a value.

    f       a model of either face, or any function that calls some
    model   whose layers' paths are wanted (one, or a list); `f` itself if it is a model
    lines   also the user's line of every operation
    """
    with Witness(lines) as witness:
        result = f(*args, **kwargs)
    if model is None:
        models = [f] if is_model(f) else [told.layer for told in witness.calls]
    else:
        models = list(model) if isinstance(model, (list, tuple)) else [model]
    return Observation(result, witness, models)


# ---------------------------------------------------------------------- either face


def is_model(x: Any) -> bool:
    """Whether it is a layer or model of one of the faces."""
    return isinstance(x, (Module, KerasLayer))


def is_keras(model: Any) -> bool:
    """Whether a model belongs to the Keras face."""
    return isinstance(model, KerasLayer) and not isinstance(model, Module)


def layers_of(model: Any) -> list[tuple[str, Any]]:
    """(path, layer) of a model and all below it, each layer once."""
    if isinstance(model, Module):
        return list(model.named_modules())
    found: dict[int, tuple[str, Any]] = {}

    def visit(layer: Any, path: str) -> None:
        if id(layer) in found:
            return
        found[id(layer)] = path, layer
        for inner in layer._flatten_layers(include_self=False, recursive=False):
            visit(inner, f"{path}/{inner.name}" if path else inner.name)

    visit(model, "")
    return list(found.values())


def parameters_of(
    model: Any, *, trainable: bool = False, buffers: bool = False
) -> list[tuple[str, Tensor]]:
    """(path, tensor) of a model's parameters, each once.

    trainable   only those that training changes
    buffers     also the state that is no parameter: running statistics
    """
    if isinstance(model, Module):
        out: list[tuple[str, Tensor]] = [
            (n, p) for n, p in model.named_parameters() if p.requires_grad or not trainable
        ]
        return [*out, *model.named_buffers()] if buffers else out
    found: dict[int, tuple[str, Tensor]] = {}
    for path, layer in layers_of(model):
        made, state = layer._trainable_variables, layer._non_trainable_variables
        for v in (*made, *(state if buffers else ())):
            if v.trainable or not trainable or any(v is s for s in state):
                found.setdefault(id(v), (f"{path}/{v.name}" if path else v.name, v))
    return list(found.values())


def tensors_in(tree: Any) -> list[Tensor]:
    """The tensors among arguments or results, in order."""
    return [t for t in tree_leaves(tree) if isinstance(t, Tensor)]
