"""Model: layers put together, as a graph of symbolic tensors or by a `call` of your own."""

from __future__ import annotations

import json
import warnings
from typing import Any

from chainrule.keras import registry, saving, symbolic, tree
from chainrule.keras.context import set_keras_mask
from chainrule.keras.layers.base import Layer, _shapes_of, _symbolic_like, _tuples
from chainrule.keras.layers.core import InputLayer
from chainrule.keras.layers.input_spec import InputSpec
from chainrule.keras.layers.signatures import constructor_parameters
from chainrule.keras.models.graph import Graph
from chainrule.keras.models.summary import print_summary
from chainrule.keras.models.trainer import Trainer
from chainrule.keras.registry import known, known_as
from chainrule.keras.symbolic import KerasTensor, Operation


@known
class Model(Trainer):
    """`Model(inputs, outputs)` over symbolic tensors, or a subclass with `call(self, inputs)`.

    >>> from chainrule.keras.layers import Dense, Input
    >>> x = Input((4,))
    >>> model = Model(x, Dense(2)(x))
    >>> model.count_params()
    10
    """

    is_sequential = False
    graph: Graph | None = None
    _path: str | None

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        if cls is Model and _is_graph_call(args, kwargs):
            return super().__new__(Functional, *args, **kwargs)
        return super().__new__(cls, *args, **kwargs)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        graph = None
        if _is_graph_call(args, kwargs):
            given = dict(zip(("inputs", "outputs", "name"), args, strict=False)) | kwargs
            graph = Graph(given.pop("inputs"), given.pop("outputs"))
            args, kwargs = (), given
        elif "inputs" in kwargs or "outputs" in kwargs:
            raise ValueError("a functional model needs both inputs and outputs")
        if args:
            raise TypeError(
                f"{type(self).__name__} takes inputs and outputs (symbolic tensors), or keyword "
                f"arguments; got {args!r:.200}"
            )
        if kwargs.get("trainable", True) is None:
            del kwargs["trainable"]
        super().__init__(**kwargs)
        if graph is not None:
            self._set_graph(graph)
            if not kwargs.get("trainable", True):
                self.trainable = False

    def _set_graph(self, graph: Graph) -> None:
        self.graph = graph
        self._graph_layers = graph.layers
        # The graph itself converts its inputs, each to what it asks for.
        self._convert_input_args = False
        self._allow_non_tensor_positional_args = True
        self.__dict__.pop("_locked", None)
        self.__dict__["_locked"] = False
        self.built = True

    def _lock_state(self) -> None:
        """Layers may be added to a model at any time."""

    # structure ------------------------------------------------------------------------------------

    @property
    def layers(self) -> list[Layer]:
        """The layers, in the order in which they run (or were made)."""
        return self._layers if self.graph is None else list(self._graph_layers)

    @layers.setter
    def layers(self, _: Any) -> None:
        raise AttributeError(
            "`Model.layers` attribute is reserved and should not be used. Please use another name."
        )

    @property
    def operations(self) -> list[Operation]:
        """Layers and functions of the graph, in order."""
        return self._need_graph("operations").operations

    @property
    def _operations(self) -> list[Operation]:
        return self.operations

    def get_layer(self, name: str | None = None, index: int | None = None) -> Layer:
        """A layer by name or by position. Raises ValueError where there is none."""
        if index is not None and name is not None:
            raise ValueError(
                f"Provide only a layer name or a layer index. Received: index={index}, name={name}."
            )
        layers = self.layers
        if index is not None:
            if not -len(layers) <= index < len(layers):
                raise ValueError(
                    f"Was asked to retrieve layer at index {index} but model only has "
                    f"{len(layers)} layers."
                )
            return layers[index]
        if name is None:
            raise ValueError("Provide either a layer name or layer index at `get_layer`.")
        for layer in layers:
            if layer.name == name:
                return layer
        names = [layer.name for layer in layers]
        raise ValueError(f"No such layer: {name}. Existing layers are: {names}.")

    def _need_graph(self, what: str) -> Graph:
        if self.graph is None:
            raise AttributeError(
                f"Model '{self.name}' has no defined {what} yet: it was not made from symbolic "
                "tensors" + ("; give its first layer an input shape" if self.is_sequential else "")
            )
        return self.graph

    @property
    def inputs(self) -> list[Any]:
        """The symbolic inputs, flat."""
        return self._need_graph("inputs").flat_inputs

    @property
    def outputs(self) -> list[Any]:
        """The symbolic outputs, flat."""
        return self._need_graph("outputs").flat_outputs

    @property
    def input(self) -> Any:
        """The symbolic inputs in their structure."""
        return super().input if self.graph is None else self.graph.inputs

    @property
    def output(self) -> Any:
        """The symbolic outputs in their structure."""
        return super().output if self.graph is None else self.graph.outputs

    @property
    def input_shape(self) -> Any:
        return self._shape_of(self._need_graph("input shape").inputs)

    @property
    def output_shape(self) -> Any:
        return self._shape_of(self._need_graph("output shape").outputs)

    def _shape_of(self, structure: Any) -> Any:
        shapes = tree.map_structure(lambda t: t.shape, structure)
        return shapes[0] if isinstance(shapes, list) and len(shapes) == 1 else shapes

    @property
    def input_names(self) -> list[str]:
        return [t.name for t in self.inputs]

    @property
    def output_names(self) -> list[str]:
        """The names of the layers that give the outputs."""
        return [t.operation.name for t in self.outputs]

    def _output_names(self) -> list[str] | None:
        return None if self.graph is None else self.output_names

    @property
    def input_spec(self) -> Any:
        """What the inputs must be like."""
        return self._input_spec

    @input_spec.setter
    def input_spec(self, value: Any) -> None:
        self._input_spec = value

    # running --------------------------------------------------------------------------------------

    def call(self, inputs: Any, training: Any = None, mask: Any = None) -> Any:
        """Run the graph; a subclass without one overrides this."""
        if self.graph is None:
            raise NotImplementedError(
                f"Model {type(self).__name__} does not have a `call()` method implemented: it "
                "needs a call(self, inputs) of its own, or inputs and outputs"
            )
        if mask is not None:
            flat = self.graph.flat(inputs, self.name)
            for tensor, own in zip(flat, tree.flatten(mask), strict=False):
                if own is not None:
                    set_keras_mask(tensor, own)
        outputs = self.graph.run(inputs, self.name)
        alone = isinstance(outputs, list | tuple) and len(outputs) == 1
        return outputs[0] if alone else outputs

    @property
    def supports_masking(self) -> bool:
        """Masks of the outputs are set by the layers inside."""
        return True

    @supports_masking.setter
    def supports_masking(self, value: bool) -> None:
        self._supports_masking = bool(value)

    def _set_masks(self, inputs: Any, outputs: Any, previous: Any) -> None:
        if type(self).compute_mask is not Layer.compute_mask:
            super()._set_masks(inputs, outputs, previous)

    def compute_output_spec(self, *args: Any, **kwargs: Any) -> Any:
        if self.graph is None or type(self).call is not Model.call:
            return super().compute_output_spec(*args, **kwargs)
        return symbolic.infer(self.call, args, kwargs)

    # building -------------------------------------------------------------------------------------

    def build(self, input_shape: Any = None) -> None:
        """Make the weights for inputs of the given shape, by calling the model on placeholders."""
        if self.graph is not None or input_shape is None:
            self.built = True
            return
        symbols = _symbolic_like(input_shape, self.compute_dtype)
        self.built = True
        symbolic.infer(self, (symbols,), {})

    def _build_for(self, args: Any, kwargs: Any) -> None:
        if type(self).build is not Model.build:
            super()._build_for(args, kwargs)
            return
        # The first call makes the weights of the layers inside.
        self._build_shapes_dict = _shapes_of(self._signature().arguments(args, kwargs))
        self._path = self._path or self.name
        self.built = True

    def get_build_config(self) -> dict[str, Any] | None:
        if self.graph is not None and not self.is_sequential:
            return {"input_shape": None}
        return super().get_build_config()

    def build_from_config(self, config: dict[str, Any]) -> None:
        """Build with the shapes that `get_build_config` gave, as far as that works."""
        if not config or config.get("input_shape", ()) is None:
            return
        try:
            if "input_shape" in config:
                self.build(_tuples(config["input_shape"]))
            elif type(self).build is Model.build:
                named = {
                    name.removesuffix("_shape"): _symbolic_like(_tuples(shape), self.compute_dtype)
                    for name, shape in config["shapes_dict"].items()
                }
                symbolic.infer(self, (), named)
            else:
                self.build(**{k: _tuples(v) for k, v in config["shapes_dict"].items()})
        except Exception as error:  # a call of the user's own may raise anything
            warnings.warn(
                f"Model '{self.name}' had a build config, but the model cannot be built "
                "automatically in `build_from_config(config)`. You should implement "
                "`def build_from_config(self, config)`, and you might also want to implement "
                f"`def get_build_config(self)`. Exception encountered: {error}",
                stacklevel=2,
            )

    def summary(self, *args: Any, **kwargs: Any) -> None:
        """Print a table of the layers with output shapes and numbers of parameters."""
        if not self.built and not self.weights:
            warnings.warn(
                f"model {self.name!r} has no weights yet: build it or call it on data first",
                stacklevel=2,
            )
        print_summary(self, *args, **kwargs)

    def count_params(self) -> int:
        """How many numbers the weights hold. Raises ValueError where there are none yet."""
        if self.weights:
            self.built = True
        return super().count_params()

    # configuration and files ----------------------------------------------------------------------

    def get_config(self) -> dict[str, Any]:
        if self.graph is not None and not self.is_sequential and takes_graph(type(self)):
            return {"name": self.name, "trainable": self.trainable, **self.graph.get_config()}
        if type(self).get_config is not Model.get_config and not self.is_sequential:
            config = super().get_config()  # of a subclass, which adds what its constructor takes
            return {k: v for k, v in config.items() if k in ("name", "trainable", "dtype")}
        return super().get_config()

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Any:
        """A model with the arguments of a config (without the weights' values)."""
        config = dict(config)
        with registry.CustomObjectScope(custom_objects):
            keys = ("name", "layers", "input_layers", "output_layers")
            if all(key in config for key in keys) and takes_graph(cls):
                graph = Graph.from_config(config)
                for key in ("layers", "input_layers", "output_layers"):
                    del config[key]
                return cls(inputs=graph.inputs, outputs=graph.outputs, **config)
            try:
                return super().from_config(config)
            except TypeError as error:
                raise TypeError(
                    "Unable to revive model from config. When overriding the `get_config()` "
                    "method, make sure that the returned config contains all items used as "
                    f"arguments in the constructor to {cls}. You can write a "
                    f"`from_config(cls, config)` class method to say how a {cls.__name__} is made "
                    f"from its config.\n\nReceived config={config}\n\nError encountered during "
                    f"deserialization: {error}"
                ) from error

    def to_json(self, **kwargs: Any) -> str:
        """The architecture, without weights, as JSON."""
        return json.dumps(registry.to_config(self), **kwargs)

    def save(
        self, filepath: Any, overwrite: bool = True, zipped: bool | None = None, **kwargs: Any
    ) -> None:
        """Write architecture, weights and the optimizer's state to `name.keras` (or `name.h5`)."""
        saving.save_model(self, filepath, overwrite=overwrite, zipped=zipped, **kwargs)

    def save_weights(
        self, filepath: Any, overwrite: bool = True, max_shard_size: float | None = None
    ) -> None:
        """Write the weights to `name.weights.h5`."""
        saving.save_weights(self, filepath, overwrite=overwrite, max_shard_size=max_shard_size)

    def load_weights(self, filepath: Any, skip_mismatch: bool = False, **kwargs: Any) -> None:
        """Take the weights of a `.weights.h5`, `.keras` or `.h5` file."""
        saving.load_weights(self, filepath, skip_mismatch=skip_mismatch, **kwargs)

    def export(
        self,
        filepath: Any,
        format: str = "tf_saved_model",
        verbose: bool | None = None,
        input_signature: Any = None,
        **kwargs: Any,
    ) -> None:
        """There is no export to other tools' formats. Raises NotImplementedError that says what
        there is instead.
        """
        if format not in _EXPORTS:
            raise ValueError(
                f"Unrecognized format={format}. Supported formats are: {list(_EXPORTS)}."
            )
        raise NotImplementedError(
            f"`export_{_EXPORTS[format]}` only currently supports the tensorflow, jax and torch "
            "backends. `model.save('name.keras')` writes a file that Keras reads, and Keras on one "
            "of them exports it; `model.to_json()` and "
            "`model.save_weights('name.weights.h5')` give the parts."
        )

    def quantize(
        self, mode: Any = None, type_check: bool = True, config: Any = None, **kwargs: Any
    ) -> None:
        """There is no quantization. Raises ValueError for a mode that Keras does not have either,
        NotImplementedError for others.
        """
        modes = ("int8", "int4", "float8", "gptq", "awq")
        if mode not in modes and config is None:
            raise ValueError(
                f"Invalid quantization mode. Expected one of {modes}. Received: mode={mode}"
            )
        raise NotImplementedError(
            "models are not quantized here; dtype policies ('bfloat16', 'mixed_bfloat16') make "
            "weights or computations smaller"
        )

    # state ----------------------------------------------------------------------------------------

    def _variables_by_kind(self) -> dict[str, list[Any]]:
        optimizer = getattr(self, "optimizer", None)
        return {
            "trainable_variables": self.trainable_variables,
            "non_trainable_variables": self.non_trainable_variables,
            "optimizer_variables": [] if optimizer is None else list(optimizer.variables),
            "metrics_variables": self.metrics_variables,
        }

    def get_state_tree(self, value_format: str = "backend_tensor") -> dict[str, Any]:
        """All variables as nested dicts, by kind and by the parts of their paths.

        `value_format` is "backend_tensor" or "numpy_array". Raises ValueError where two variables
        have the same path.
        """
        found: dict[str, Any] = {}
        for kind, variables in self._variables_by_kind().items():
            values: dict[str, Any] = {}
            for variable in variables:
                *above, last = variable.path.split("/")
                inner = values
                for part in above:
                    inner = inner.setdefault(part, {})
                if last in inner:
                    raise ValueError(
                        "The following variable path is found twice in the model: "
                        f"'{variable.path}'. `get_state_tree()` can only be called when all "
                        "variable paths are unique. Make sure to give unique names to your layers "
                        "(and other objects)."
                    )
                as_numpy = value_format == "numpy_array"
                inner[last] = variable.numpy() if as_numpy else variable.value
            found[kind] = values
        return found

    def set_state_tree(self, state_tree: dict[str, Any]) -> None:
        """Take values like those of `get_state_tree`."""
        kinds = self._variables_by_kind()
        for kind, values in state_tree.items():
            if kind not in kinds:
                raise ValueError(f"Unknown variable name: {kind}")
            for variable in kinds[kind]:
                value = values
                for part in variable.path.split("/"):
                    value = value.get(part) if isinstance(value, dict) else None
                if value is not None:
                    variable.assign(value)


@known_as("keras.src.models.functional", "Functional")
class Functional(Model):
    """A model from symbolic inputs to symbolic outputs: what `Model(inputs, outputs)` makes.

    Raises ValueError where an output does not depend on the inputs alone.

    >>> from chainrule.keras.layers import Dense, Input
    >>> x = Input((4,))
    >>> Functional(x, Dense(2)(x), name="small").output_shape
    (None, 2)
    """

    def __init__(self, inputs: Any, outputs: Any, name: str | None = None, **kwargs: Any) -> None:
        if isinstance(inputs, dict):
            for key, tensor in inputs.items():
                if isinstance(tensor, KerasTensor) and key != tensor.name:
                    warnings.warn(
                        "When providing `inputs` as a dict, all keys in the dict must match the "
                        f"names of the corresponding tensors. Received key '{key}' mapping to "
                        f"value {tensor} which has name '{tensor.name}'. Change the tensor name to "
                        f"'{key}' (via `Input(..., name='{key}')`)",
                        stacklevel=2,
                    )
        super().__init__(inputs, outputs, name=name, **kwargs)

    def _set_graph(self, graph: Graph) -> None:
        super()._set_graph(graph)
        self._input_spec = _input_spec(graph)


#: What Keras exports to, and what its functions for it are called.
_EXPORTS = {
    "tf_saved_model": "saved_model",
    "onnx": "onnx",
    "openvino": "openvino",
    "litert": "litert",
    "torch": "torch",
}


def _input_spec(graph: Graph) -> Any:
    def spec(tensor: KerasTensor, name: str | None = None) -> InputSpec:
        layer = tensor.operation
        return InputSpec(
            shape=(None, *tensor.shape[1:]) if tensor.shape else (),
            allow_last_axis_squeeze=True,
            name=name or layer.name,
            optional=isinstance(layer, InputLayer) and getattr(layer, "optional", False),
        )

    if isinstance(graph.inputs, dict):
        if any(tree.is_nested(part) for part in graph.inputs.values()):
            return None
        return [spec(graph.inputs[name], name) for name in sorted(graph.inputs)]
    return [spec(tensor) for tensor in graph.flat_inputs]


def _is_graph_call(args: Any, kwargs: Any) -> bool:
    """Whether these are the arguments of a functional model."""
    return (
        len(args) >= 2
        or (len(args) == 1 and "outputs" in kwargs)
        or ("inputs" in kwargs and "outputs" in kwargs)
    )


def takes_graph(cls: type) -> bool:
    """Whether a class of models is made from inputs and outputs, as Functional is."""
    parameters = constructor_parameters(cls)[1:]
    names = [p.name for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD]
    if names == ["inputs", "outputs", "name"]:
        return True
    kinds = {p.kind for p in parameters}
    return bool(parameters) and {parameters[0].VAR_POSITIONAL, parameters[0].VAR_KEYWORD} <= kinds


def model_from_json(json_string: str, custom_objects: Any = None) -> Any:
    """The architecture that `to_json` wrote, with new weights."""
    return registry.from_config(json.loads(json_string), custom_objects)
