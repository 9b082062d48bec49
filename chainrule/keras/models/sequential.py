"""Sequential: one layer after the other."""

from __future__ import annotations

from typing import Any

from chainrule.keras import dtype_policies, registry, symbolic, tree
from chainrule.keras.layers.base import Layer, _tuples
from chainrule.keras.layers.core import InputLayer
from chainrule.keras.layers.signatures import signature_of
from chainrule.keras.models.graph import Graph
from chainrule.keras.models.model import Model
from chainrule.keras.registry import known
from chainrule.keras.saving.legacy import modern
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
        for layer in layers or ():
            self._push(layer)
        if self._stack:
            self._rebuild()

    def add(self, layer: Any, rebuild: bool = True) -> None:
        """Put a layer on top."""
        self._push(layer)
        if rebuild:
            self._rebuild()
        else:
            self._forget_graph()

    def _push(self, layer: Any) -> None:
        if isinstance(layer, KerasTensor) and layer.history is not None:
            layer = layer.operation if isinstance(layer.operation, InputLayer) else layer
        if not isinstance(layer, Layer):
            raise _NotALayer(
                "Only instances of `keras.Layer` can be added to a Sequential model. Received: "
                f"{layer!r:.100} (of type {type(layer)})"
                + ("; did you forget to call the class?" if isinstance(layer, type) else "")
            )
        if any(layer.name == other.name and layer is not other for other in self._stack):
            raise ValueError(
                "All layers added to a Sequential model should have unique names. Name "
                f"'{layer.name}' is already the name of a layer in this model. Update the `name` "
                "argument to pass a unique name."
            )
        if isinstance(layer, InputLayer) and self._stack:
            first = self._stack[0]
            if isinstance(first, InputLayer):
                raise ValueError(
                    f"Sequential model '{self.name}' has already been configured to use input "
                    f"shape {first.batch_shape}. You cannot add a different Input layer to it."
                )
        if not self._stack and not isinstance(layer, InputLayer):
            shape = layer._given_batch_shape
            if shape is not None:
                self._stack.append(InputLayer(batch_shape=shape, dtype=layer.input_dtype))
        self._stack.append(layer)

    def pop(self, rebuild: bool = True) -> Layer:
        """Take the last layer off."""
        layer = self._stack.pop()
        self._forget_graph()
        if rebuild and self._stack:
            self._rebuild()
        return layer

    def _forget_graph(self) -> None:
        self.graph = None
        self.built = False
        self._convert_input_args = True
        self._allow_non_tensor_positional_args = False

    def _rebuild(self) -> None:
        """Record the stack on its input, if that is known."""
        first = self._stack[0]
        if len(self._stack) > 1:
            if isinstance(first, InputLayer):
                self._extend_or_build(first.batch_shape)
                return
            if isinstance(first, Model) and first.graph is not None:
                shape = first.input_shape
                if tree.is_nested(shape) and not _is_shape(shape):
                    self._forget_graph()
                    return
                self._forget_graph()
                self.build(shape)
                return
        self._forget_graph()

    def _extend_or_build(self, shape: Any) -> None:
        """Record the last layer on what is recorded already, or everything."""
        recorded = self.graph
        if recorded is not None and recorded.layers == self._stack[:-1]:
            outputs = _applied(self._stack[-1], recorded.outputs)
            if outputs is None:
                self._forget_graph()
                return
            self._set_graph(Graph(recorded.inputs, outputs))
            return
        self._forget_graph()
        self.build(shape)

    @property
    def layers(self) -> list[Layer]:
        """The stack, without its input layer."""
        return [layer for layer in self._stack if not isinstance(layer, InputLayer)]

    @layers.setter
    def layers(self, _: Any) -> None:
        raise AttributeError(
            "`Sequential.layers` attribute is reserved and should not be used. Use `add()` and "
            "`pop()` to change the layers in this model."
        )

    def build(self, input_shape: Any = None) -> None:
        """Record the stack for inputs of the given shape (with the batch axis).

        Raises ValueError where it was recorded for another shape, or there are no layers.
        """
        shape = _tuples(input_shape)
        if not _is_shape(shape):
            return  # several inputs: the layers are called one after the other
        if not self._stack:
            raise ValueError(
                f"Sequential model {self.name} cannot be built because it has no layers. Call "
                "`model.add(layer)`."
            )
        first = self._stack[0]
        if isinstance(first, InputLayer):
            if tuple(first.batch_shape) != shape:
                raise ValueError(
                    f"Sequential model '{self.name}' has already been configured to use input "
                    f"shape {first.batch_shape}. You cannot build it with input_shape {shape}"
                )
        else:
            self._stack.insert(0, InputLayer(batch_shape=shape, dtype=first.compute_dtype))
        start = self._stack[0].nodes[0].outputs
        x = start
        for layer in self._stack[1:]:
            x = _applied(layer, x)
            if x is None:
                return
        self._set_graph(Graph(start, x))

    def _build_for(self, args: Any, kwargs: Any) -> None:
        x = args[0] if args else kwargs.get("inputs")
        if isinstance(x, Tensor | KerasTensor):
            if self._stack and not isinstance(self._stack[0], InputLayer):
                # Rows come in any number: only the inner sizes are those of the first data.
                shape = (None, *x.shape[1:]) if len(x.shape) else ()
                self.build(shape if isinstance(x, Tensor) else tuple(x.shape))
            else:
                self.build(tuple(x.shape) if not self._stack else self._stack[0].batch_shape)  # type: ignore[attr-defined]  # an InputLayer
        self.built = True

    def call(self, inputs: Any, training: Any = None, mask: Any = None) -> Any:
        if self.graph is not None:
            return super().call(inputs, training=training, mask=mask)
        for layer in self.layers:
            more = {"mask": mask} if mask is not None and _takes_mask(layer) else {}
            inputs, mask = layer(inputs, **more), None
        return inputs

    def compute_output_spec(self, *args: Any, **kwargs: Any) -> Any:
        return symbolic.infer(self.call, args, kwargs)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The output's shape for an input of the given shape."""
        shape = input_shape
        for layer in self.layers:
            shape = layer.compute_output_shape(shape)
        return shape

    @property
    def input_dtype(self) -> str:
        first = self._stack[0] if self._stack else None
        return first.dtype if isinstance(first, InputLayer) else super().input_dtype

    def get_config(self) -> dict[str, Any]:
        config = {
            "name": self.name,
            "trainable": self.trainable,
            "dtype": dtype_policies.serialize(self.dtype_policy),
            "layers": [registry.to_config(layer) for layer in self._stack],
        }
        if self.graph is not None:
            config["build_input_shape"] = list(self.graph.flat_inputs[0].shape)
        return config

    def get_build_config(self) -> dict[str, Any] | None:
        if self.graph is not None:
            return {"input_shape": self.graph.flat_inputs[0].shape}
        return super().get_build_config()

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Any:
        if "name" not in config or "layers" not in config:
            raise ValueError(
                "A Sequential model configuration must be a dictionary containing the 'name' and "
                f"'layers' keys. Received: config={config}"
            )
        model = cls(name=config["name"])
        with registry.CustomObjectScope(custom_objects):
            for layer in config["layers"]:
                if not isinstance(layer, dict) or "config" not in layer:
                    raise ValueError(
                        "The provided configuration is not a valid Keras configuration. Expected a "
                        f"dictionary containing a 'config' key. Received: config={layer}"
                    )
                data = layer if "module" in layer else modern(layer)
                model.add(registry.from_config(data), rebuild=False)
        if model._stack:
            model._rebuild()
        shape = config.get("build_input_shape")
        if model.graph is None and shape:
            model.build(tuple(shape))
        if not config.get("trainable", True):
            model.trainable = False
        return model


class _NotALayer(TypeError, ValueError):
    """Something that is no layer was put on a stack."""


def _is_shape(shape: Any) -> bool:
    return isinstance(shape, tuple) and all(n is None or isinstance(n, int) for n in shape)


def _takes_mask(layer: Layer) -> bool:
    return "mask" in signature_of(type(layer).call).every


def _applied(layer: Layer, x: Any) -> Any:
    """The layer on a symbolic tensor; None where the shape of its output cannot be found.

    Raises ValueError for a layer that needs more than one argument.
    """
    signature = signature_of(type(layer).call)
    required = [name for name in signature.names if name not in signature.defaults]
    if len(required) > 1:
        raise ValueError(
            "Layers added to a Sequential model can only have a single required positional "
            f"argument, the input tensor. Layer {type(layer).__name__} has multiple required "
            f"positional arguments: {required}"
        )
    if not signature.names and signature.is_plain:
        raise ValueError(
            "Layers added to a Sequential model should have a single positional argument, the "
            f"input tensor. Layer {type(layer).__name__} has no positional arguments."
        )
    try:
        return layer(x)
    except NotImplementedError:
        return None
