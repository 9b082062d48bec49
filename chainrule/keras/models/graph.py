"""The graph of a functional model: nodes in the order in which they run, and its form as plain
data.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.errors import ShapeError
from chainrule.keras import registry
from chainrule.keras.layers.base import Layer
from chainrule.keras.layers.core import InputLayer
from chainrule.keras.settings import to_dtype
from chainrule.keras.symbolic import FunctionOp, KerasTensor, Node, Operation, fill, infer
from chainrule.tensor import creation
from chainrule.training.tree import flatten, leaves


class Graph:
    """From symbolic `inputs` to symbolic `outputs` (each a tensor, or a structure of them)."""

    def __init__(self, inputs: Any, outputs: Any, *, strict: bool = True) -> None:
        self.strict = strict  # whether data must have the inputs' inner sizes, too
        self.inputs = inputs
        self.outputs = outputs
        for kind, structure in (("inputs", inputs), ("outputs", outputs)):
            if not flatten(structure):
                raise ValueError(f"a functional model needs {kind}")
            for tensor in leaves(structure):
                if not isinstance(tensor, KerasTensor):
                    raise ValueError(
                        f"the {kind} of a functional model are symbolic tensors (from keras.Input "
                        f"and layers called on it), got {type(tensor).__name__}: {tensor!r:.60}"
                    )
        self.nodes = self._sort()

    def _sort(self) -> list[Node]:
        """The nodes that the outputs need, each after those that it needs."""
        given = {id(t) for t in leaves(self.inputs)}
        order: list[Node] = []
        state: dict[int, bool] = {}  # False while a node's inputs are visited, then True

        def visit(tensor: KerasTensor) -> None:
            if id(tensor) in given:
                return
            node = tensor.history[0] if tensor.history else None
            if node is None or isinstance(node.operation, InputLayer):
                raise ValueError(
                    f"the outputs depend on {tensor!r}, which is not among the inputs of the model"
                )
            if id(node) in state:
                return
            state[id(node)] = False
            for needed in node.inputs:
                visit(needed)
            state[id(node)] = True
            order.append(node)

        for output in leaves(self.outputs):
            visit(output)
        return order

    @property
    def operations(self) -> list[Operation]:
        """Input layers, then everything else in the order of the first use; each once."""
        found: dict[int, Operation] = {}
        for tensor in leaves(self.inputs):
            if tensor.history:
                found.setdefault(id(tensor.operation), tensor.operation)
        for node in self.nodes:
            found.setdefault(id(node.operation), node.operation)
        return list(found.values())

    @property
    def layers(self) -> list[Layer]:
        return [op for op in self.operations if isinstance(op, Layer)]

    def run(self, inputs: Any, name: str = "model") -> Any:
        """Compute the outputs from the inputs: in the same structure, flat, or by name."""
        values: dict[int, Any] = {}
        for symbolic, value in zip(leaves(self.inputs), self._flat(inputs, name), strict=True):
            values[id(symbolic)] = self._fitted(symbolic, value, name)
        for node in self.nodes:
            node.run(values)
        return fill(self.outputs, values)

    def _flat(self, inputs: Any, name: str) -> list[Any]:
        wanted = flatten(self.inputs)
        if isinstance(inputs, dict):
            if isinstance(self.inputs, dict):
                keys = list(self.inputs)
            else:
                keys = [t.operation.name if t.history else t.name for t in wanted]
            missing = [key for key in keys if key not in inputs]
            if missing:
                raise ValueError(
                    f"model {name!r} needs input(s) {', '.join(missing)}, got {', '.join(inputs)}"
                )
            return [inputs[key] for key in keys]
        given = flatten(inputs)
        if len(given) != len(wanted):
            raise ValueError(f"model {name!r} takes {len(wanted)} input(s), got {len(given)}")
        return given

    def _fitted(self, symbolic: KerasTensor, value: Any, name: str) -> Any:
        """The value in the input's type, with the rank that the input asks for, or a clear
        error.
        """
        if isinstance(value, np.ndarray | int | float | list):
            value = creation.from_owned(np.array(value))
        dtype = to_dtype(symbolic.dtype)
        if value.dtype != dtype:
            value = value.to(dtype)
        shape = symbolic.shape
        if value.ndim == len(shape) - 1 and shape[-1] == 1:
            value = value.unsqueeze(-1)
        elif value.ndim == len(shape) + 1 and value.shape[-1] == 1:
            value = value.squeeze(-1)
        fits = value.ndim == len(shape) and all(
            want is None or not self.strict or want == int(have)
            for want, have in zip(shape[1:], value.shape[1:], strict=False)
        )
        if not fits:
            raise ShapeError(
                f"model {name!r} takes input {symbolic.name!r} of shape {shape}, got data of shape "
                f"{tuple(value.shape)}"
            )
        return value

    # plain data -----------------------------------------------------------------------------------

    def get_config(self) -> dict[str, Any]:
        """Layers with their uses; a tensor is written as [operation, use, output]."""
        operations = self.operations
        names = {id(op): op.name for op in operations}
        ours = {id(node) for node in self.nodes}
        uses = {
            id(node): (names[id(op)], index)
            for op in operations
            for index, node in enumerate(
                n for n in op.nodes if id(n) in ours or isinstance(op, InputLayer)
            )
        }

        def write(leaf: Any) -> Any:
            if isinstance(leaf, KerasTensor):
                assert leaf.history is not None
                node, output = leaf.history
                name, use = uses[id(node)]
                return {"class_name": "__keras_tensor__", "config": [name, use, output]}
            if isinstance(leaf, slice):
                parts = [leaf.start, leaf.stop, leaf.step]
                return {"class_name": "__slice__", "config": parts}
            if leaf is Ellipsis:
                return {"class_name": "__ellipsis__", "config": 0}
            return registry.to_config(leaf)

        written = []
        for op in operations:
            entry: dict[str, Any] = {"name": op.name}
            if isinstance(op, FunctionOp):
                entry |= {"class_name": "__function__", "config": op.function}
            else:
                entry |= registry.to_config(op)
            entry["nodes"] = [
                {"args": _marked(n.args, write), "kwargs": _marked(n.kwargs, write)}
                for n in op.nodes
                if id(n) in ours
            ]
            written.append(entry)
        return {
            "layers": written,
            "inputs": _marked(self.inputs, write),
            "outputs": _marked(self.outputs, write),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Graph:
        operations: dict[str, Operation] = {}
        outputs: dict[tuple[str, int], list[Any]] = {}
        pending = []
        for entry in config["layers"]:
            name = entry["name"]
            if entry["class_name"] == "__function__":
                operations[name] = FunctionOp(entry["config"])
            else:
                operations[name] = registry.from_config(
                    {"class_name": entry["class_name"], "config": entry["config"]}
                )
            if isinstance(operations[name], InputLayer):
                outputs[name, 0] = flatten(operations[name].nodes[0].outputs)
            pending += [(name, use, node) for use, node in enumerate(entry["nodes"])]

        def read(leaf: Any) -> Any:
            if isinstance(leaf, dict) and leaf.get("class_name") == "__keras_tensor__":
                name, use, output = leaf["config"]
                return outputs[name, use][output]
            if isinstance(leaf, dict) and leaf.get("class_name") == "__slice__":
                return slice(*leaf["config"])
            if isinstance(leaf, dict) and leaf.get("class_name") == "__ellipsis__":
                return Ellipsis
            return registry.from_config(leaf)

        while pending:
            later = []
            for name, use, node in pending:
                if not _needs(node) <= set(outputs):
                    later.append((name, use, node))
                    continue
                operation = operations[name]
                args, kwargs = _unmarked(node["args"], read), _unmarked(node["kwargs"], read)
                if isinstance(operation, FunctionOp):
                    result = _apply(operation, args, kwargs)
                else:
                    result = operation(*args, **kwargs)  # type: ignore[operator]  # a layer
                outputs[name, use] = flatten(result)
            if len(later) == len(pending):
                raise ValueError("the config of the model refers to tensors that nothing makes")
            pending = later
        return cls(_unmarked(config["inputs"], read), _unmarked(config["outputs"], read))


def _apply(operation: FunctionOp, args: Any, kwargs: Any) -> Any:
    """A node of an existing function operation."""
    outputs = infer(operation.run, args, kwargs)
    Node(operation, args, kwargs, outputs)
    return outputs


_LEAF = "__leaf__"


def _marked(structure: Any, write: Any) -> Any:
    """A structure as plain data that remembers tuples and lists."""
    if isinstance(structure, tuple):
        return {"__tuple__": [_marked(item, write) for item in structure]}
    if isinstance(structure, list):
        return [_marked(item, write) for item in structure]
    if isinstance(structure, dict):
        return {"__dict__": {k: _marked(v, write) for k, v in structure.items()}}
    return {_LEAF: write(structure)}


def _unmarked(data: Any, read: Any) -> Any:
    if isinstance(data, list):
        return [_unmarked(item, read) for item in data]
    if "__tuple__" in data:
        return tuple(_unmarked(item, read) for item in data["__tuple__"])
    if "__dict__" in data:
        return {k: _unmarked(v, read) for k, v in data["__dict__"].items()}
    return read(data[_LEAF])


def _needs(data: Any) -> set[tuple[str, int]]:
    """The uses whose tensors a node's config mentions."""
    if isinstance(data, dict):
        if data.get("class_name") == "__keras_tensor__":
            name, use, _ = data["config"]
            return {(name, use)}
        return set().union(*(_needs(v) for v in data.values())) if data else set()
    if isinstance(data, list):
        return set().union(*(_needs(v) for v in data)) if data else set()
    return set()
