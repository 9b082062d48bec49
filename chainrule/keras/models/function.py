"""Function: the computation between symbolic tensors, without being a model."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.keras import tree
from chainrule.keras.errors import ShapeError
from chainrule.keras.symbolic import KerasTensor, Node, Operation, infer
from chainrule.tensor import Tensor, fromdata
from chainrule.training.tree import map_leaves


class Function(Operation):
    """What leads from symbolic `inputs` to symbolic `outputs` (each a tensor, or a structure).

    The inputs may stand anywhere in a graph: what made them is outside.

    >>> from chainrule.keras import Input
    >>> x = Input(batch_shape=(None, 3))
    >>> y = x * 2
    >>> Function(y, y + 1)(np.ones((1, 3))).tolist()
    [[2.0, 2.0, 2.0]]

    Raises ValueError where an output is not connected to the inputs, and at a call where the data
    are nested otherwise or of another shape.
    """

    def __init__(self, inputs: Any, outputs: Any, name: str | None = None) -> None:
        super().__init__(name)
        for kind, structure in (("inputs", inputs), ("outputs", outputs)):
            if not tree.flatten(structure):
                raise ValueError(
                    f"`{kind}` argument cannot be empty. Received:\ninputs={inputs}\n"
                    f"outputs={outputs}"
                )
        self._inputs_struct, self._outputs_struct = inputs, outputs
        self._between = self._sorted()

    @property
    def inputs(self) -> list[KerasTensor]:
        """The symbolic inputs, flat."""
        return tree.flatten(self._inputs_struct)

    @property
    def outputs(self) -> list[KerasTensor]:
        """The symbolic outputs, flat."""
        return tree.flatten(self._outputs_struct)

    @property
    def operations(self) -> list[Operation]:
        """The operations of the inputs, where they are the beginning, and those in between."""
        starts = [
            t.history[0].operation
            for t in self.inputs
            if t.history is not None and t.history[0].is_input
        ]
        every = [*starts, *(node.operation for node in self._between)]
        return list({id(operation): operation for operation in every}.values())

    def _sorted(self) -> list[Node]:
        """The nodes between inputs and outputs, each after those that it needs."""
        given = {id(t) for t in self.inputs}
        order: list[Node] = []
        seen: set[int] = set()

        def visit(tensor: KerasTensor, path: str) -> None:
            if id(tensor) in given:
                return
            node = tensor.history[0] if tensor.history is not None else None
            if node is None or node.is_input:
                raise ValueError(
                    f"Output with path `{path}` is not connected to `inputs`: it needs {tensor!r}"
                )
            if id(node) in seen:
                return
            seen.add(id(node))
            for needed in node.inputs:
                visit(needed, path)
            order.append(node)

        for path, output in tree.flatten_with_path(self._outputs_struct):
            visit(output, ".".join(map(str, path)))
        return order

    def call(self, inputs: Any) -> Any:
        """Compute the outputs."""
        self._check(inputs)
        given = map_leaves(_as_tensor, inputs)
        values = {id(t): x for t, x in zip(self.inputs, tree.flatten(given), strict=True)}
        for node in self._between:
            node.run(values)
        return tree.map_structure(lambda t: values[id(t)], self._outputs_struct)

    def compute_output_spec(self, inputs: Any) -> Any:
        self._check(inputs)
        return infer(self.call, (inputs,), {})

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The outputs' shapes for inputs of other shapes."""
        symbols = tree.map_shape_structure(lambda shape: KerasTensor(shape), input_shape)
        typed = [
            KerasTensor(t.shape, own.dtype)
            for t, own in zip(tree.flatten(symbols), self.inputs, strict=True)
        ]
        spec = self.compute_output_spec(tree.pack_sequence_as(symbols, typed))
        return tree.map_structure(lambda t: t.shape, spec)

    def _check(self, inputs: Any) -> None:
        try:
            tree.assert_same_structure(inputs, self._inputs_struct)
        except ValueError:
            raise ValueError(
                "Function was called with an invalid input structure. Expected input structure: "
                f"{self._inputs_struct}\nReceived input structure: {inputs}"
            ) from None
        for x, own in zip(tree.flatten(inputs), self.inputs, strict=True):
            shape = tuple(x.shape)
            fits = len(shape) == len(own.shape) and all(
                a is None or b is None or a == b for a, b in zip(shape, own.shape, strict=True)
            )
            if not fits:
                raise ShapeError(
                    f"{type(self).__name__} was passed incompatible inputs. For input "
                    f"'{own.name}', expected shape {own.shape}, but received instead a tensor "
                    f"with shape {shape}."
                )


def _as_tensor(leaf: Any) -> Any:
    if isinstance(leaf, Tensor | KerasTensor) or not hasattr(leaf, "__array__"):
        return leaf
    return fromdata.from_owned(np.array(leaf))
