"""Sequential: one layer after the other."""

from __future__ import annotations

from typing import Any

from chainrule.keras.layers.base import Layer
from chainrule.keras.layers.core import InputLayer
from chainrule.keras.models.graph import Graph
from chainrule.keras.models.model import Model
from chainrule.keras.registry import from_config, known, to_config
from chainrule.keras.symbolic import KerasTensor
from chainrule.tensor import Tensor


@known
class Sequential(Model):
    """A stack of layers. It is built when the input shape is known: from an Input, from
    `input_shape` of the first layer, or at the first call.

    >>> from chainrule.keras.layers import Dense
    >>> model = Sequential([Dense(3, input_shape=(4,)), Dense(2)])
    >>> model.output_shape, model.count_params()
    ((None, 2), 23)
    """

    is_sequential = True

    def __init__(
        self, layers: Any = None, trainable: bool = True, name: str | None = None, **kwargs: Any
    ) -> None:
        super().__init__(trainable=trainable, name=name, **kwargs)
        self._stack: list[Layer] = []
        self._from_data = False  # the input shape is that of the first data, not a wish
        for layer in layers or ():
            self._push(layer)
        self._rebuild()

    def add(self, layer: Any, rebuild: bool = True) -> None:
        """Put a layer on top."""
        self._push(layer)
        if rebuild:
            self._rebuild()

    def _push(self, layer: Any) -> None:
        if isinstance(layer, KerasTensor):
            layer = layer.operation
        if callable(layer) and not isinstance(layer, Layer):
            raise TypeError(
                f"Sequential takes layers, got {layer!r}"
                + ("; did you forget to call the class?" if isinstance(layer, type) else "")
            )
        if not isinstance(layer, Layer):
            raise TypeError(f"Sequential takes layers, got {type(layer).__name__}: {layer!r:.60}")
        if any(layer.name == other.name for other in self._stack):
            raise ValueError(
                f"Sequential {self.name!r} already has a layer {layer.name!r}; names are different"
            )
        if isinstance(layer, InputLayer) and self._stack:
            raise ValueError(f"Sequential {self.name!r} already begins with {self._stack[0]!r}")
        if not self._stack and not isinstance(layer, InputLayer):
            shape = layer._given_batch_shape
            if shape is not None:
                self._stack.append(InputLayer(batch_shape=shape, dtype=layer.dtype))
        self._stack.append(layer)

    def pop(self, rebuild: bool = True) -> Layer:
        """Take the last layer off."""
        layer = self._stack.pop()
        self.graph = None
        self.built = False
        if rebuild:
            self._rebuild()
        return layer

    def _rebuild(self) -> None:
        """Record the stack on its input, if that is known."""
        if not self._stack:
            return
        first = self._stack[0]
        if isinstance(first, InputLayer):
            if len(self._stack) == 1:
                return
            start = first.nodes[0].outputs
            rest = self._stack[1:]
        elif isinstance(first, Model) and first.graph is not None and len(first.inputs) == 1:
            given = first.inputs[0]
            head = InputLayer(batch_shape=given.shape, dtype=given.dtype)
            self._stack.insert(0, head)
            start, rest = head.nodes[0].outputs, self._stack[1:]
        else:
            return
        x = start
        if self.graph is not None and self.graph.layers == self._stack[:-1]:
            x, rest = self.graph.outputs, self._stack[-1:]  # `add` on a recorded stack
        for layer in rest:
            x = layer(x)
        self._set_graph(Graph(start, x, strict=not self._from_data))

    @property
    def layers(self) -> list[Layer]:
        """The stack, without its input layer."""
        return [layer for layer in self._stack if not isinstance(layer, InputLayer)]

    def build(self, input_shape: Any = None) -> None:
        """Record the stack for inputs of the given shape (with the batch axis)."""
        if self.graph is not None or input_shape is None or not self._stack:
            return
        self._stack.insert(0, InputLayer(batch_shape=tuple(input_shape)))
        self._rebuild()

    def _build_for(self, args: Any, kwargs: Any) -> None:
        x = args[0] if args else kwargs.get("inputs")
        if isinstance(x, Tensor | KerasTensor) and self._stack:
            dtype = x.dtype if isinstance(x, KerasTensor) else x.dtype.name
            self._from_data = True
            self._stack.insert(0, InputLayer(batch_shape=(None, *x.shape[1:]), dtype=dtype))
            self._rebuild()
        self.built = True

    def call(self, inputs: Any, training: Any = None, mask: Any = None) -> Any:
        if self.graph is not None:
            return self.graph.run(inputs, self.name)
        for layer in self.layers:
            inputs = layer(inputs)
        return inputs

    def get_config(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "trainable": self.trainable,
            "layers": [to_config(layer) for layer in self._stack],
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Any:
        layers = [from_config(layer) for layer in config["layers"]]
        return cls(layers, name=config.get("name"))
