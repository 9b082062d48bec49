"""The graph of a functional model: nodes in the order in which they run, and its form as plain
data, which is Keras's.
"""

from __future__ import annotations

import warnings
from collections import Counter
from typing import Any

import numpy as np

from chainrule.keras import context, registry, tree
from chainrule.keras.layers.base import Layer
from chainrule.keras.layers.core import Input, InputLayer
from chainrule.keras.models import operations as functions
from chainrule.keras.saving.legacy import modern
from chainrule.keras.settings import to_dtype
from chainrule.keras.symbolic import FunctionOp, KerasTensor, Node, Operation, fill
from chainrule.strings import as_strings, is_string
from chainrule.tensor import Tensor, fromdata
from chainrule.training.tree import map_leaves


class Graph:
    """From symbolic `inputs` to symbolic `outputs` (each a tensor, or a structure of them)."""

    def __init__(self, inputs: Any, outputs: Any) -> None:
        for kind, structure in (("inputs", inputs), ("outputs", outputs)):
            if not tree.flatten(structure):
                raise ValueError(f"a functional model needs {kind}")
            for tensor in tree.flatten(structure):
                if not isinstance(tensor, KerasTensor):
                    raise ValueError(
                        f"All `{kind}` values must be KerasTensors. Received: {kind}={structure!r} "
                        f"including invalid value {tensor!r:.60} of type {type(tensor)}"
                    )
        if not all(_is_input(t) for t in tree.flatten(inputs)):
            inputs, outputs = _cut_off(inputs, outputs)
        self.inputs, self.outputs = inputs, outputs
        self.nodes = _sorted(inputs, outputs)
        self._flat_inputs: list[KerasTensor] = tree.flatten(inputs)
        self._dtypes = [to_dtype(t.dtype) for t in self._flat_inputs if t.dtype != "string"]
        names = Counter(op.name for op in self.operations)
        twice = [name for name, count in names.items() if count > 1]
        if twice:
            raise ValueError(
                f'The name "{twice[0]}" is used {names[twice[0]]} times in the model. All '
                "operation names should be unique."
            )

    @property
    def flat_inputs(self) -> list[KerasTensor]:
        return list(self._flat_inputs)

    @property
    def flat_outputs(self) -> list[KerasTensor]:
        return tree.flatten(self.outputs)

    @property
    def operations(self) -> list[Operation]:
        """Everything that is used, farthest from the outputs first, each once; what is equally far
        in the order in which a walk back from the outputs comes to it (Keras's order).
        """
        starts = [_node(t) for t in self._flat_inputs]
        far: dict[int, int] = {}
        depths: dict[int, int] = {}  # of operations, which may have several nodes
        for node in reversed(self.nodes):
            key = id(node.operation)
            depths[key] = max(far.get(id(node), 0), depths.get(key, 0))
            for needed in node.inputs:
                parent = id(_node(needed))
                far[parent] = max(far.get(parent, 0), depths[key] + 1)
        for node in starts:
            depths[id(node.operation)] = far.get(id(node), 0)
        found = self._reached()
        for node in reversed(starts):
            if id(node.operation) not in found:  # an input that no output needs
                found = {id(node.operation): node.operation, **found}
        ranks = {key: rank for rank, key in enumerate(found)}
        return sorted(found.values(), key=lambda op: (-depths[id(op)], ranks[id(op)]))

    def _reached(self) -> dict[int, Operation]:
        """The operations in the order in which a walk back from the outputs comes to them."""
        found: dict[int, Operation] = {}
        entered: set[int] = set()
        waiting = [_node(t) for t in reversed(self.flat_outputs)]
        while waiting:
            node = waiting.pop()
            if id(node) in entered:
                continue
            entered.add(id(node))
            found.setdefault(id(node.operation), node.operation)
            if not _is_start(node):
                waiting.extend(_node(t) for t in reversed(node.inputs))
        return found

    @property
    def layers(self) -> list[Layer]:
        return [op for op in self.operations if isinstance(op, Layer)]

    # running --------------------------------------------------------------------------------------

    def run(self, inputs: Any, name: str = "model") -> Any:
        """Compute the outputs from the inputs: in the same structure, flat, or by name."""
        values: dict[int, Any] = {}
        flat = self.flat(inputs, name)
        for index, (symbolic, value) in enumerate(zip(self._flat_inputs, flat, strict=True)):
            values[id(symbolic)] = self._fitted(index, symbolic, value)
        running = context.current()
        # What the caller says about training goes before what was said when the graph was made.
        decided = running is not None and running.training is not None
        for node in self.nodes:
            if decided and "training" in node.kwargs:
                _run_without_training(node, values)
            else:
                node.run(values)
        return fill(self.outputs, values)

    def flat(self, inputs: Any, name: str = "model") -> list[Any]:
        """The inputs in the order of the graph's."""
        wanted = self.inputs
        if isinstance(wanted, list) and len(wanted) == 1 and isinstance(inputs, Tensor):
            inputs = [inputs]
        elif isinstance(inputs, dict) and not isinstance(wanted, dict):
            inputs = self._by_name(inputs)
        given = tree.flatten(inputs)
        if isinstance(wanted, dict) and isinstance(inputs, dict) and set(inputs) > set(wanted):
            _warn_of_structure(inputs, wanted)
            return tree.flatten({key: inputs[key] for key in wanted})
        if len(given) != len(self._flat_inputs):
            raise ValueError(
                f"Layer '{name}' expects {len(self._flat_inputs)} input(s). Received: "
                f"{len(given)} instead."
            )
        if _unlike(inputs, wanted):
            unsorted = isinstance(wanted, dict) and list(wanted) != sorted(wanted)
            if isinstance(wanted, dict) and (unsorted or isinstance(inputs, dict)):
                raise ValueError(_structure_message(inputs, wanted))
            _warn_of_structure(inputs, wanted)
        return given

    def _by_name(self, inputs: dict[str, Any]) -> list[Any]:
        names = [t.name for t in self._flat_inputs]
        flat = all(not tree.is_nested(item) for item in inputs.values())
        if not flat or not set(names) <= set(inputs):
            raise ValueError(_structure_message(inputs, self.inputs))
        return [inputs[name] for name in names]

    def _fitted(self, index: int, symbolic: KerasTensor, value: Any) -> Any:
        """The value in the input's type, with the rank that the input asks for, or a clear
        error.
        """
        if value is None:
            layer = symbolic.operation
            if isinstance(layer, InputLayer) and not getattr(layer, "optional", False):
                raise ValueError(
                    f"The input '{symbolic.name}' is not optional, but None was passed. Please "
                    "provide a valid tensor."
                )
            return None
        if is_string(value):
            value = as_strings(value)
        elif isinstance(value, np.ndarray | int | float | list):
            value = fromdata.from_owned(np.array(value))
        if symbolic.dtype != "string" and isinstance(value, Tensor):
            dtype = to_dtype(symbolic.dtype)
            if value.dtype != dtype:
                value = _same_mask(value, value.to(dtype))
        want, have = symbolic.shape, len(value.shape)
        if have == len(want):
            return value
        if have == len(want) + 1 and value.shape[-1] == 1:
            return _same_mask(value, value[..., 0])
        if have == len(want) - 1 and want[-1] == 1:
            return _same_mask(value, value[..., None])
        path = ".".join(str(p) for p in tree.flatten_with_path(self.inputs)[index][0])
        raise ValueError(
            f"Invalid input shape for input {value} with name '{symbolic.name}' and path '{path}'. "
            f"Expected shape {want}, but input has incompatible shape {tuple(value.shape)}"
        )

    # plain data -----------------------------------------------------------------------------------

    def get_config(self) -> dict[str, Any]:
        """Layers with their uses; a tensor is written as [operation, use, output]."""
        operations = self.operations
        ours = {id(node) for node in self.nodes} | {id(_node(t)) for t in self._flat_inputs}
        uses: dict[int, int] = {}
        for op in operations:
            kept = [node for node in op.nodes if id(node) in ours]
            uses |= {id(node): index for index, node in enumerate(kept)}

        def write(leaf: Any) -> Any:
            if not isinstance(leaf, KerasTensor):
                return leaf
            node, output = _history(leaf)
            history = [node.operation.name, uses[id(node)], output]
            config = {"shape": list(leaf.shape), "dtype": leaf.dtype, "keras_history": history}
            return {"class_name": "__keras_tensor__", "config": config}

        def place(tensor: KerasTensor) -> list[Any]:
            node, output = _history(tensor)
            # Keras counts the uses of a nested functional model from 1.
            first = 1 if _is_functional(node.operation) else 0
            return [node.operation.name, uses[id(node)] + first, output]

        return {
            "layers": [_written(op, ours, write) for op in operations],
            "input_layers": tree.map_structure(place, self.inputs),
            "output_layers": tree.map_structure(place, self.outputs),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Graph:
        with registry.CustomObjectScope(custom_objects):
            return _Reader(config).graph()


# structure ----------------------------------------------------------------------------------------


def _history(tensor: KerasTensor) -> tuple[Node, int]:
    if tensor.history is None:
        raise ValueError(f"{tensor!r} was made by no operation")
    return tensor.history


def _node(tensor: KerasTensor) -> Node:
    return _history(tensor)[0]


def _is_input(tensor: KerasTensor) -> bool:
    return tensor.history is not None and isinstance(tensor.operation, InputLayer)


def _is_start(node: Node) -> bool:
    return isinstance(node.operation, InputLayer)


def _is_functional(operation: Operation) -> bool:
    return getattr(operation, "graph", None) is not None and not getattr(
        operation, "is_sequential", False
    )


def _sorted(inputs: Any, outputs: Any) -> list[Node]:
    """The nodes that the outputs need, each after those that it needs."""
    given = {id(t) for t in tree.flatten(inputs)}
    order: list[Node] = []
    entered: set[int] = set()

    def visit(tensor: KerasTensor, path: str) -> None:
        if id(tensor) in given:
            return
        if tensor.history is None or isinstance(tensor.operation, InputLayer):
            raise ValueError(
                f"Output with path `{path}` is not connected to `inputs`: it depends on "
                f"{tensor!r}, which is not among the inputs of the model"
            )
        node = tensor.history[0]
        if id(node) in entered:
            return
        entered.add(id(node))
        for needed in node.inputs:
            visit(needed, path)
        order.append(node)

    for path, output in tree.flatten_with_path(outputs):
        visit(output, ".".join(str(part) for part in path))
    return order


def _cut_off(inputs: Any, outputs: Any) -> tuple[Any, Any]:
    """The same graph from inputs of its own, where given inputs lie in the middle of one."""
    new: dict[int, KerasTensor] = {}

    def renewed(structure: Any) -> Any:
        return map_leaves(lambda t: new.get(id(t), t), structure)

    for tensor in tree.flatten(inputs):
        if not _is_input(tensor):
            made = Input(batch_shape=tensor.shape, dtype=tensor.dtype, name=f"{tensor.name}CLONE")
            new[id(tensor)] = made
    for node in _sorted(inputs, outputs):
        if not any(id(t) in new for t in node.inputs):
            continue
        args, kwargs = renewed((node.args, node.kwargs))
        copies = map_leaves(
            lambda t: KerasTensor(t.shape, t.dtype, name=f"{t.name}_clone") if t is not None else t,
            node.outputs,
        )
        Node(node.operation, args, kwargs, copies)
        new.update(
            (id(old), copy)
            for old, copy in zip(tree.flatten(node.outputs), tree.flatten(copies), strict=True)
        )
    return renewed(inputs), renewed(outputs)


# running ------------------------------------------------------------------------------------------


def _run_without_training(node: Node, values: dict[int, Any]) -> None:
    """`node.run`, but for its own opinion about training."""
    kept = {name: value for name, value in node.kwargs.items() if name != "training"}
    args, kwargs = fill((node.args, kept), values)
    result = node.operation.run(*args, **kwargs)
    for symbolic, value in zip(tree.flatten(node.outputs), tree.flatten(result), strict=True):
        values[id(symbolic)] = value


def _same_mask(before: Any, after: Any) -> Any:
    mask = context.get_keras_mask(before)
    if mask is not None:
        context.set_keras_mask(after, mask)
    return after


def _unlike(inputs: Any, wanted: Any) -> bool:
    """Whether two structures differ; a list is as good as a tuple."""
    try:
        tree.assert_same_structure(tree.lists_to_tuples(inputs), tree.lists_to_tuples(wanted))
    except ValueError:
        single = isinstance(wanted, list | tuple) and len(wanted) == 1
        return not (isinstance(wanted, KerasTensor) or (single and not tree.is_nested(inputs)))
    return False


def _structure_message(inputs: Any, wanted: Any) -> str:
    expected = tree.map_structure(lambda t: t.name, wanted)
    received = tree.map_structure(
        lambda t: "None" if t is None else f"Tensor(shape={tuple(np.shape(t))})", inputs
    )
    return (
        "The structure of `inputs` doesn't match the expected structure.\n"
        f"Expected: {expected}\nReceived: inputs={received}"
    )


def _warn_of_structure(inputs: Any, wanted: Any) -> None:
    running = context.current()
    if running is not None and running.probing:
        return  # only shapes are asked for: the call itself warns
    warnings.warn(_structure_message(inputs, wanted), stacklevel=2)


# plain data ---------------------------------------------------------------------------------------


def _written(op: Operation, ours: set[int], write: Any) -> dict[str, Any]:
    """An operation with its uses in this graph."""
    nodes = [node for node in op.nodes if id(node) in ours and node.inputs]
    if isinstance(op, FunctionOp):
        module, class_name = functions.keras_class(op.function)
        called, config = functions.split(op.function, nodes[0].args, nodes[0].kwargs)
        entry = {
            "module": module, "class_name": class_name, "registered_name": class_name,
            "config": {**registry.to_config(map_leaves(write, config)), "name": op.name},
        }  # fmt: skip
        calls: list[Any] = [(called, {})]
    else:
        entry = registry.to_config(op)
        calls = [(list(node.args), node.kwargs) for node in nodes]
    inbound = [
        {name: registry.to_config(map_leaves(write, part)) for name, part in
         (("args", args), ("kwargs", kwargs))}
        for args, kwargs in calls
    ]  # fmt: skip
    return {**entry, "name": op.name, "inbound_nodes": inbound}


class _Reader:
    """Makes the layers of a config and calls them on each other."""

    def __init__(self, config: dict[str, Any]) -> None:
        self.config = config
        self.operations: dict[str, Operation] = {}
        self.before: dict[str, int] = {}  # uses that an operation had elsewhere
        self.extra: dict[str, dict[str, Any]] = {}  # what a function has in its config

    def graph(self) -> Graph:
        pending = []
        for entry in self.config["layers"]:
            self._make(entry)
            pending += [(entry["name"], node) for node in entry["inbound_nodes"]]
        while pending:
            later: list[tuple[str, Any]] = []
            for name, node in pending:
                waits = any(name == other for other, _ in later)  # uses keep their order
                if waits or not self._call(name, node):
                    later.append((name, node))
            if len(later) == len(pending):
                raise ValueError(
                    "Invalid Functional model configuration: the graph has loops, or names "
                    f"tensors that nothing makes, in {sorted({name for name, _ in later})}"
                )
            pending = later
        inputs, outputs = (self._places(self.config[f"{k}_layers"]) for k in ("input", "output"))
        return Graph(inputs, outputs)

    def _make(self, entry: dict[str, Any]) -> None:
        name = entry["name"]
        if functions.is_function(entry):
            made: Any = FunctionOp(functions.function_of(entry["class_name"]), name=name)
            config = dict(entry["config"])
            config.pop("name", None)
            self.extra[name] = registry.from_config(config)
        else:
            data = {k: v for k, v in entry.items() if k != "inbound_nodes"}
            made = registry.from_config(data if "module" in entry else modern(data))
        if not isinstance(made, Operation):
            raise ValueError(
                "Unexpected object from deserialization, expected a layer or operation, got a "
                f"{type(made)}"
            )
        self.operations[name] = made
        self.before[name] = 0 if isinstance(made, InputLayer) else len(made.nodes)

    def _output(self, name: str, use: int, output: int) -> KerasTensor | None:
        """A tensor, or None while it is not made yet."""
        if name not in self.operations:
            raise ValueError(
                f"Invalid Functional model configuration. Missing node: {name} (unknown layer)"
            )
        operation = self.operations[name]
        index = self.before[name] + use
        if index >= len(operation.nodes):
            return None
        return tree.flatten(operation.nodes[index].outputs)[output]

    def _call(self, name: str, node: Any) -> bool:
        """Use an operation once, unless a tensor that it needs is not made yet."""
        if isinstance(node, dict):
            args, kwargs = node["args"], node["kwargs"]
        else:
            args, kwargs = _old_call(node)
        try:
            args, kwargs = self._tensors(args), self._tensors(kwargs)
        except _NotYet:
            return False
        operation: Any = self.operations[name]
        if isinstance(operation, FunctionOp):
            kwargs = {**kwargs, **self.extra[name]}
            if operation.function == "getitem":  # an index of several axes is a tuple
                args = [tuple(a) if isinstance(a, list) else a for a in args]
        operation(*args, **kwargs)
        return True

    def _tensors(self, data: Any) -> Any:
        """The structure with tensors for their places."""
        if isinstance(data, dict) and data.get("class_name") == "__keras_tensor__":
            history = data["config"]["keras_history"]
            if history is None:
                return registry.from_config(data)
            found = self._output(*history)
            if found is None:
                raise _NotYet
            return found
        if isinstance(data, dict) and "class_name" not in data:
            return {key: self._tensors(item) for key, item in data.items()}
        if isinstance(data, list | tuple):
            return [self._tensors(item) for item in data]
        return registry.from_config(data)

    def _places(self, data: Any) -> Any:
        if isinstance(data, list) and len(data) == 3 and isinstance(data[0], str):
            name, use, output = data
            if _is_functional(self.operations[name]):
                use -= 1
            found = self._output(name, use, output)
            if found is None:
                raise ValueError(f"Invalid Functional model configuration: nothing makes {data}")
            return found
        if isinstance(data, dict):
            return {key: self._places(item) for key, item in data.items()}
        items = [self._places(item) for item in data]
        return tuple(items) if isinstance(data, tuple) else items


class _NotYet(Exception):
    """A tensor is asked for before it was made."""


def _old_call(node: list[Any]) -> tuple[list[Any], dict[str, Any]]:
    """A use as Keras 2 writes it: [[name, use, output, kwargs], …]."""

    def tensor(item: Any) -> Any:
        history = {"shape": [], "dtype": "float32", "keras_history": list(item[:3])}
        return {"class_name": "__keras_tensor__", "config": history}

    kwargs = dict(node[0][3]) if len(node[0]) > 3 else {}
    for name, value in kwargs.items():
        if isinstance(value, list) and len(value) == 3 and isinstance(value[0], str):
            kwargs[name] = tensor(value)
    tensors = [tensor(item) for item in node]
    return [tensors[0] if len(tensors) == 1 else tensors], kwargs
