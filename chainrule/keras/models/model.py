"""Model: layers put together, as a graph of symbolic tensors or by a `call` of your own."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

from chainrule.keras import registry, symbolic
from chainrule.keras.layers.base import Layer, _shapes, _symbolic_like
from chainrule.keras.layers.core import InputLayer
from chainrule.keras.models import saving
from chainrule.keras.models.graph import Graph
from chainrule.keras.models.summary import summary as print_summary
from chainrule.keras.models.trainer import Trainer
from chainrule.keras.registry import known
from chainrule.training.tree import flatten, leaves, map_leaves


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

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        inputs = kwargs.pop("inputs", args[0] if args else None)
        outputs = kwargs.pop("outputs", args[1] if len(args) > 1 else None)
        if len(args) > 2:
            kwargs.setdefault("name", args[2])
        super().__init__(**kwargs)
        self.graph: Graph | None = None
        self._built_shape: Any = None  # of the first call, for a model without a graph
        if inputs is not None or outputs is not None:
            if inputs is None or outputs is None:
                raise ValueError("a functional model needs both inputs and outputs")
            self._set_graph(Graph(inputs, outputs))

    def _set_graph(self, graph: Graph) -> None:
        self.graph = graph
        self._graph_layers = graph.layers
        self.built = True
        names: set[str] = set()
        for operation in graph.operations:
            if operation.name in names:
                raise ValueError(
                    f"two layers of model {self.name!r} have the name {operation.name!r}; names "
                    "within a model are different"
                )
            names.add(operation.name)

    # structure ------------------------------------------------------------------------------------

    @property
    def layers(self) -> list[Layer]:
        """The layers, in the order in which they run (or were made)."""
        if self.graph is not None:
            return [*self._graph_layers, *self._other_layers()]
        return list(self._sublayers())

    def _other_layers(self) -> list[Layer]:
        ours = {id(layer) for layer in self._graph_layers}
        return [layer for layer in self._sublayers() if id(layer) not in ours]

    def get_layer(self, name: str | None = None, index: int | None = None) -> Layer:
        """A layer by name or by position."""
        layers = self.layers
        if index is not None:
            if not -len(layers) <= index < len(layers):
                raise ValueError(f"there is no layer {index}: the model has {len(layers)}")
            return layers[index]
        for layer in layers:
            if layer.name == name:
                return layer
        raise ValueError(
            f"there is no layer {name!r}; the layers are {', '.join(la.name for la in layers)}"
        )

    def _need_graph(self, what: str) -> Graph:
        if self.graph is None:
            raise AttributeError(
                f"model {self.name!r} has no {what}: it was not made from symbolic tensors"
                + (" yet; give its first layer an input shape" if self.is_sequential else "")
            )
        return self.graph

    @property
    def inputs(self) -> list[Any]:
        return flatten(self._need_graph("inputs").inputs)

    @property
    def outputs(self) -> list[Any]:
        return flatten(self._need_graph("outputs").outputs)

    @property
    def input(self) -> Any:
        return self._need_graph("input").inputs

    @property
    def output(self) -> Any:
        return self._need_graph("output").outputs

    @property
    def input_names(self) -> list[str]:
        return [t.name for t in self.inputs]

    @property
    def output_names(self) -> list[str]:
        return self._output_names() or []

    def _output_names(self) -> list[str] | None:
        if self.graph is None:
            return None
        outputs = self.graph.outputs
        if isinstance(outputs, dict):
            return list(outputs)
        return [t.operation.name for t in leaves(outputs)]

    def call(self, inputs: Any, training: Any = None, mask: Any = None) -> Any:
        """Run the graph; a subclass without one overrides this."""
        if self.graph is None:
            raise NotImplementedError(
                f"{type(self).__name__} needs a call(self, inputs) of its own, or inputs and "
                "outputs"
            )
        return self.graph.run(inputs, self.name)

    def _convert(self, value: Any) -> Any:
        # A graph casts each input to what that input asks for.
        return value if self.graph is not None else super()._convert(value)

    def build(self, input_shape: Any = None) -> None:
        """Make the weights for inputs of the given shape, by calling the model on placeholders."""
        if self.built or input_shape is None:
            self.built = True
            return
        symbols = _symbolic_like(input_shape, self.compute_dtype)
        self._built_shape = input_shape
        self.built = True
        symbolic.infer(self, (symbols,), {})

    def _build_for(self, args: Any, kwargs: Any) -> None:
        if type(self).build is not Model.build:
            super()._build_for(args, kwargs)
        self._built_shape = _shapes(args[0] if args else next(iter(kwargs.values()), None))
        self.built = True

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        return None  # masks of the outputs were set by the layers inside

    def summary(self, *args: Any, **kwargs: Any) -> None:
        """Print a table of the layers with output shapes and numbers of parameters."""
        if not self.built and not self.weights:
            warnings.warn(
                f"model {self.name!r} has no weights yet: build it or call it on data first",
                stacklevel=2,
            )
        print_summary(self, *args, **kwargs)

    def count_params(self) -> int:
        if not self.built and not self.weights:
            raise ValueError(
                f"model {self.name!r} has no weights yet: build it or call it on data first"
            )
        self.built = True
        return super().count_params()

    # configuration and files ----------------------------------------------------------------------

    def get_config(self) -> dict[str, Any]:
        functional = self.graph is not None and type(self).__init__ is Model.__init__
        if functional and self.graph is not None:
            return {"name": self.name, "trainable": self.trainable} | self.graph.get_config()
        config = {"name": self.name, "trainable": self.trainable, "dtype": self.dtype_policy.name}
        if type(self).get_config is Model.get_config:
            config |= self._constructor_arguments()
        return config

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Any:
        with registry.custom_object_scope(custom_objects or {}):
            if "layers" in config and "inputs" in config:
                graph = Graph.from_config(config)
                model = cls(inputs=graph.inputs, outputs=graph.outputs, name=config["name"])
                if not config.get("trainable", True):
                    model.trainable = False
                return model
            return super().from_config(config)

    def to_json(self, **kwargs: Any) -> str:
        """The architecture, without weights, as JSON."""
        return json.dumps(registry.to_config(self), **kwargs)

    def save(self, filepath: Any, overwrite: bool = True, **kwargs: Any) -> None:
        """Architecture, weights, and how it is trained, in one file of our own format."""
        saving.save_model(self, Path(filepath), overwrite=overwrite)

    def save_weights(self, filepath: Any, overwrite: bool = True, **kwargs: Any) -> None:
        """The weights' values."""
        saving.save_weights(self, Path(filepath), overwrite=overwrite)

    def load_weights(
        self, filepath: Any, skip_mismatch: bool = False, by_name: bool = False, **kwargs: Any
    ) -> None:
        """Take the weights' values from a file that `save_weights` or `save` wrote."""
        saving.load_weights(self, Path(filepath), skip_mismatch=skip_mismatch, by_name=by_name)

    def write_backup(self, filepath: Path, next_epoch: int) -> None:
        saving.write_backup(self, filepath, next_epoch)

    def restore_backup(self, filepath: Path) -> None:
        self._first_epoch = saving.restore_backup(self, filepath)


def clone_model(
    model: Model, input_tensors: Any = None, clone_function: Any = None, **_: Any
) -> Any:
    """A model of the same architecture with weights of its own."""
    if clone_function is not None:
        config = model.get_config()
        made = {
            layer.name: clone_function(layer)
            for layer in model.layers
            if not isinstance(layer, InputLayer)
        }
        if model.is_sequential:
            return type(model)(list(made.values()), name=model.name)
        for entry in config["layers"]:
            if entry["name"] in made:
                written = registry.to_config(made[entry["name"]])
                entry |= {"class_name": written["class_name"], "config": written["config"]}
        return type(model).from_config(config)
    clone = type(model).from_config(model.get_config())
    if not clone.built and model.built and model.nodes:
        clone.build(map_leaves(lambda t: t.shape, model.nodes[0].inputs[0]))
    return clone


def model_from_json(json_string: str, custom_objects: Any = None) -> Any:
    """The architecture that `to_json` wrote, with new weights."""
    with registry.custom_object_scope(custom_objects or {}):
        return registry.from_config(json.loads(json_string))
