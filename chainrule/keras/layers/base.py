"""Layer: weights, and a function of tensors that uses them.

A subclass makes its weights in `build(input_shape)` with `add_weight` and computes in
`call(inputs)`. Calling the layer builds it at the first use, converts the inputs, passes `training`
and `mask` on to whoever asks for them, and, on symbolic tensors, records a node of the functional
API instead of computing.

Weights and inner layers are found where they are kept: in the attributes of the layer, in order,
also inside lists, tuples and dicts. There is no second list that could disagree.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

import numpy as np

from chainrule.errors import ShapeError
from chainrule.keras import constraints, context, initializers, naming, regularizers, symbolic
from chainrule.keras.layers.signatures import (
    Signature,
    accepts,
    accepts_any,
    constructor_parameters,
    signature_of,
)
from chainrule.keras.random import SeedGenerator
from chainrule.keras.registry import from_config as object_from_config
from chainrule.keras.registry import to_config
from chainrule.keras.settings import DTypePolicy, to_dtype, to_policy
from chainrule.keras.symbolic import KerasTensor, Node, Operation
from chainrule.keras.variables import Variable
from chainrule.tensor import Tensor, creation
from chainrule.training.tree import leaves, map_leaves

#: Counts changes of what is trainable, so that others may keep lists of weights until it changes.
structure_version = 0


def _structure_changed() -> None:
    global structure_version
    structure_version += 1


class Layer(Operation):
    """Base class of all layers, and of models.

    >>> class Scale(Layer):
    ...     def build(self, input_shape):
    ...         self.factor = self.add_weight((input_shape[-1],), "ones", name="factor")
    ...     def call(self, inputs):
    ...         return inputs * self.factor
    >>> Scale()(np.array([[1.0, 2.0]])).tolist()
    [[1.0, 2.0]]
    """

    #: Passes its input's mask on to its output.
    supports_masking = False
    #: Inputs that this layer computes with are cast to its float type, integers included.
    casts_integers = False

    _constructor: tuple[Any, Any]

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        instance = super().__new__(cls)
        instance.__dict__["_constructor"] = (args, kwargs)
        return instance

    def __init__(
        self,
        *,
        activity_regularizer: Any = None,
        trainable: bool = True,
        dtype: Any = None,
        autocast: bool = True,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__()
        input_shape = kwargs.pop("input_shape", None)
        input_dim = kwargs.pop("input_dim", None)
        batch_shape = kwargs.pop("batch_input_shape", kwargs.pop("batch_shape", None))
        kwargs.pop("weights", None)
        if kwargs:
            raise ValueError(
                f"{type(self).__name__} does not know the argument(s) "
                f"{', '.join(map(repr, kwargs))}"
            )
        if input_dim is not None:
            input_shape = (input_dim,)
        if input_shape is not None:
            if isinstance(input_shape, int):
                input_shape = (input_shape,)
            batch_shape = (None, *input_shape)
        self._given_batch_shape = None if batch_shape is None else tuple(batch_shape)
        self.name = str(name) if name is not None else naming.auto_name(type(self).__name__)
        self.activity_regularizer = regularizers.get(activity_regularizer)
        self.dtype_policy: DTypePolicy = to_policy(dtype)
        self.autocast = autocast
        self._trainable = bool(trainable)
        self._own_weights: list[Variable] = []
        self._own_losses: list[Any] = []
        self._regularized: tuple[int, list[Variable]] | None = None
        self.built = False

    # identity -------------------------------------------------------------------------------------

    @property
    def dtype(self) -> str:
        return self.dtype_policy.variable_dtype

    @property
    def variable_dtype(self) -> str:
        return self.dtype_policy.variable_dtype

    @property
    def compute_dtype(self) -> str:
        return self.dtype_policy.compute_dtype

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name}, built={self.built}>"

    def __setattr__(self, name: str, value: Any) -> None:
        if isinstance(value, Tensor | Layer) and "_trainable" not in self.__dict__:
            raise RuntimeError(
                f"{type(self).__name__}.__init__ must call super().__init__() before it sets "
                f"the attribute {name!r}"
            )
        if isinstance(value, Variable) and "_own_weights" in self.__dict__:
            self._adopt(value, name)
        object.__setattr__(self, name, value)

    def _adopt(self, variable: Variable, name: str) -> None:
        if not any(variable is own for own in self._own_weights):
            self._own_weights.append(variable)
            variable.owner = variable.owner or self.name
            _structure_changed()

    # weights --------------------------------------------------------------------------------------

    def add_weight(
        self,
        shape: Any = None,
        initializer: Any = None,
        dtype: Any = None,
        trainable: bool = True,
        autocast: bool = True,
        regularizer: Any = None,
        constraint: Any = None,
        aggregation: str = "none",
        overwrite_with_gradient: bool = False,
        name: str | None = None,
    ) -> Variable:
        """Make a weight of this layer. The default initial values are glorot_uniform (zeros for
        integers).
        """
        if isinstance(shape, str):  # Keras 2's order: name first
            shape, name = initializer, shape
            initializer = None
        shape = () if shape is None else (shape,) if isinstance(shape, int) else tuple(shape)
        if None in shape:
            raise ShapeError(
                f"layer {self.name!r} cannot make weight {name!r} of the open shape {shape}"
            )
        wanted = to_dtype(dtype if dtype is not None else self.variable_dtype)
        if initializer is None:
            initializer = "glorot_uniform" if wanted.is_floating_point else "zeros"
        variable = Variable(
            initializers.get(initializer),
            shape=tuple(int(n) for n in shape),
            dtype=wanted,
            trainable=trainable,
            name=name,
            regularizer=regularizers.get(regularizer),
            constraint=constraints.get(constraint),
        )
        variable.owner = self.name
        if not self._trainable:
            variable.requires_grad_(False)
        self._own_weights.append(variable)
        _structure_changed()
        return variable

    add_variable = add_weight

    def _sublayers(self) -> Iterator[Layer]:
        """Layers kept in this layer's attributes, each once."""
        seen: set[int] = set()
        for name, value in self.__dict__.items():
            if name in _NOT_SEARCHED:
                continue
            for leaf in leaves(value) if isinstance(value, list | tuple | dict) else (value,):
                if isinstance(leaf, Layer) and id(leaf) not in seen:
                    seen.add(id(leaf))
                    yield leaf

    @property
    def _layers(self) -> list[Layer]:
        return list(self._sublayers())

    def _flatten_layers(self, include_self: bool = True, recursive: bool = True) -> list[Layer]:
        """This layer and all that it contains, each once."""
        if not recursive:
            return [self, *self._sublayers()] if include_self else self._layers
        found: dict[int, Layer] = {}

        def visit(layer: Layer) -> None:
            if id(layer) not in found:
                found[id(layer)] = layer
                for inner in layer._sublayers():
                    visit(inner)

        visit(self)
        return list(found.values())[0 if include_self else 1 :]

    @property
    def _seed_generators(self) -> list[SeedGenerator]:
        """The sources of chance kept in this layer's attributes."""
        found = {
            id(leaf): leaf
            for name, value in self.__dict__.items()
            if name not in _NOT_SEARCHED
            for leaf in (leaves(value) if isinstance(value, list | tuple | dict) else (value,))
            if isinstance(leaf, SeedGenerator)
        }
        return list(found.values())

    def _gather(self, wanted: str) -> list[Variable]:
        found: dict[int, Variable] = {}

        def visit(layer: Layer, trainable: bool, seen: set[int]) -> None:
            if id(layer) in seen:
                return
            seen.add(id(layer))
            trainable = trainable and layer._trainable
            for weight in layer._own_weights:
                if wanted == "all" or (wanted == "yes") == (trainable and weight.trainable):
                    found.setdefault(id(weight), weight)
            for inner in layer._sublayers():
                visit(inner, trainable, seen)

        visit(self, True, set())
        return list(found.values())

    @property
    def trainable_weights(self) -> list[Variable]:
        """Weights that training changes: none if the layer is frozen."""
        return self._gather("yes")

    @property
    def non_trainable_weights(self) -> list[Variable]:
        return self._gather("no")

    @property
    def weights(self) -> list[Variable]:
        """All weights, each layer's in the order in which they were made."""
        return self._gather("all")

    @property
    def variables(self) -> list[Variable]:
        return self.weights

    @property
    def trainable_variables(self) -> list[Variable]:
        return self.trainable_weights

    @property
    def non_trainable_variables(self) -> list[Variable]:
        return self.non_trainable_weights

    def parameters(self) -> Iterator[Variable]:
        """The trainable weights, for optimisers of the PyTorch face."""
        return iter(self.trainable_weights)

    @property
    def trainable(self) -> bool:
        return self._trainable

    @trainable.setter
    def trainable(self, value: bool) -> None:
        for layer in self._flatten_layers():
            layer._trainable = bool(value)
            for weight in layer._own_weights:
                if weight.dtype.is_floating_point:
                    weight.requires_grad_(bool(value) and weight.trainable)
        _structure_changed()

    def get_weights(self) -> list[np.ndarray]:
        """Copies of all weights as NumPy arrays."""
        return [weight.numpy() for weight in self.weights]

    def set_weights(self, weights: Any) -> None:
        """Take the values of a list like that of `get_weights`."""
        own = self.weights
        if len(weights) != len(own):
            raise ValueError(
                f"layer {self.name!r} has {len(own)} weights and cannot take {len(weights)}"
            )
        for variable, value in zip(own, weights, strict=True):
            if tuple(np.shape(value)) != tuple(variable.shape):
                raise ShapeError(
                    f"weight {variable.path} of layer {self.name!r} has shape "
                    f"{tuple(variable.shape)}, got a value of shape {tuple(np.shape(value))}"
                )
        for variable, value in zip(own, weights, strict=True):
            variable.assign(value)

    def count_params(self) -> int:
        """How many numbers the weights hold."""
        if not self.built:
            raise ValueError(
                f"layer {self.name!r} has no weights yet: build it or call it on data first"
            )
        return sum(int(np.prod(tuple(w.shape))) for w in self.weights)

    # files ----------------------------------------------------------------------------------------

    def _saved_weights(self) -> list[Variable]:
        """This layer's own weights in the order in which files have them: trainable ones first."""
        return sorted(self._own_weights, key=lambda weight: not weight.trainable)

    def save_own_variables(self, store: Any) -> None:
        """Write the values of this layer's own weights into `store`, a dict of arrays, under "0",
        "1", … Override it (and `load_own_variables`) where the weights are not all there is.
        """
        for index, weight in enumerate(self._saved_weights()):
            store[str(index)] = weight.numpy()

    def load_own_variables(self, store: Any) -> None:
        """Take the values that `save_own_variables` wrote.

        Raises ValueError where the store has another number of weights.
        """
        own = self._saved_weights()
        saved = len(store.keys())
        if saved != len(own):
            if not own and not self.built:
                raise ValueError(
                    f"Layer '{self.name}' was never built and thus it doesn't have any variables. "
                    f"However the weights file lists {saved} variables for this layer. Make them "
                    "in the build() of the layer that owns it, or write get_build_config() and "
                    "build_from_config(), which make the weights when a file is loaded."
                )
            raise ValueError(
                f"Layer '{self.name}' expected {len(own)} variables, but received {saved} "
                f"variables during loading. Expected: {[weight.name for weight in own]}"
            )
        for index, weight in enumerate(own):
            weight.assign(store[str(index)])

    # losses ---------------------------------------------------------------------------------------

    def add_loss(self, loss: Any) -> None:
        """Add a scalar to what training minimises. Counted for the running call only."""
        running = context.current()
        if running is None:
            self._own_losses.extend(leaves(loss))
        elif not running.probing:
            running.losses.extend(leaves(loss))

    @property
    def losses(self) -> list[Any]:
        """Weight penalties, and the losses added during the running (or last) call."""
        running = context.current()
        added = running.losses if running is not None else self._last_losses()
        return [*added, *self._penalties()]

    def _last_losses(self) -> list[Any]:
        return [loss for layer in self._flatten_layers() for loss in layer._own_losses]

    def _penalties(self) -> list[Any]:
        if self._regularized is None or self._regularized[0] != structure_version:
            weights = [w for w in self.trainable_weights if w.regularizer is not None]
            self._regularized = (structure_version, weights)
        return [weight.regularizer(weight) for weight in self._regularized[1]]

    # calling --------------------------------------------------------------------------------------

    def build(self, *shapes: Any) -> None:
        """Make the weights for inputs of the given shape (a tuple, or a structure of tuples)."""
        self.built = True

    def call(self, *args: Any, **kwargs: Any) -> Any:
        """Compute the output from the inputs."""
        raise NotImplementedError(f"{type(self).__name__} does not define call(self, inputs)")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if "_own_weights" not in self.__dict__:
            raise RuntimeError(f"{type(self).__name__}.__init__ must call super().__init__() first")
        if symbolic.is_symbolic(*args, *kwargs.values()):
            return self._record(args, kwargs)
        signature = signature_of(type(self).call)
        training = kwargs.get("training")
        outermost = context.current() is None
        with context.inherit(training) as running:
            args = tuple(self._convert(a) for a in args)
            kwargs = {
                k: self._convert(v) if k in signature.tensors else v for k, v in kwargs.items()
            }
            if not self.built:
                self._build_for(args, kwargs)
            if not signature.takes_training:
                kwargs.pop("training", None)
            elif kwargs.get("training") is None and len(args) <= signature.training_position:
                kwargs["training"] = bool(running.training)
            if running.has_masks:
                self._pass_masks(running, signature, args, kwargs)
            outputs = self.call(*args, **kwargs)
            self._after_call(running, args, kwargs, outputs)
            if outermost:
                self._own_losses = list(running.losses)
        return outputs

    def run(self, *args: Any, **kwargs: Any) -> Any:
        return self(*args, **kwargs)

    def _convert(self, value: Any) -> Any:
        """Arrays become tensors; floats (and what the layer computes with) get the layer's type."""
        return map_leaves(self._convert_leaf, value) if value is not None else None

    def _convert_leaf(self, leaf: Any) -> Any:
        if isinstance(leaf, np.ndarray):
            leaf = creation.from_owned(np.array(leaf))
        if not isinstance(leaf, Tensor) or not self.autocast:
            return leaf
        wanted = to_dtype(self.compute_dtype)
        if leaf.dtype == wanted:
            return leaf
        if leaf.dtype.is_floating_point or self.casts_integers:
            return leaf.to(wanted)
        return leaf

    def _build_for(self, args: Any, kwargs: Any) -> None:
        """Build from the shapes of the arguments of the first call."""
        build = type(self).build
        if build is not Layer.build:
            signature = signature_of(type(self).call)
            given = dict(zip(signature.names, args, strict=False)) | kwargs
            names = [
                n
                for n in inspect.signature(build).parameters
                if n not in ("self", "kwargs", "args")
            ]
            if len(names) > 1 or (names and names[0].endswith("_shape") and names[0][:-6] in given):
                shapes = {n: _shapes(given.get(n.removesuffix("_shape"))) for n in names}
                self.build(**shapes)
            else:
                first = args[0] if args else next(iter(kwargs.values()), None)
                self.build(_shapes(first))
        self.built = True

    def _pass_masks(
        self, running: context.Scope, signature: Signature, args: Any, kwargs: Any
    ) -> None:
        for index, name in enumerate(signature.mask_arguments):
            if name is None or name in kwargs or index >= len(args):
                continue
            mask = map_leaves(running.mask_of, args[index])
            if any(m is not None for m in leaves(mask)):
                kwargs[name] = mask

    def _after_call(self, running: context.Scope, args: Any, kwargs: Any, outputs: Any) -> None:
        if running.has_masks or type(self).compute_mask is not Layer.compute_mask:
            previous = map_leaves(running.mask_of, args[0]) if args else None
            explicit = kwargs.get("mask")
            mask = self.compute_mask(
                args[0] if args else None, explicit if explicit is not None else previous
            )
            if mask is not None:
                self._set_masks(running, outputs, mask)
        if self.activity_regularizer is not None:
            for tensor in leaves(outputs):
                # Per example, as Keras: the penalty of a batch is the mean over its rows.
                running.losses.append(self.activity_regularizer(tensor) / tensor.shape[0])

    def _set_masks(self, running: context.Scope, outputs: Any, mask: Any) -> None:
        tensors = list(leaves(outputs))
        masks = list(leaves(mask))
        if len(masks) == 1:
            running.set_mask(tensors[0], masks[0])
        else:
            for tensor, own in zip(tensors, masks, strict=False):
                running.set_mask(tensor, own)

    def compute_mask(self, inputs: Any, previous_mask: Any) -> Any:
        """The output's mask from the input's. Layers with `supports_masking` pass it on."""
        if not self.supports_masking:
            return None
        found = [m for m in leaves(previous_mask) if m is not None]
        return found[0] if len(found) == 1 else None if not found else previous_mask

    # functional API -------------------------------------------------------------------------------

    def _record(self, args: Any, kwargs: Any) -> Any:
        """One node: this layer on symbolic tensors."""
        if not self.built:
            with context.scope(training=False, probing=True):
                self._build_for(args, kwargs)
        if type(self).compute_output_shape is not Layer.compute_output_shape and isinstance(
            args[0], KerasTensor
        ):
            shape = self.compute_output_shape(args[0].shape)
            outputs = _symbolic_like(shape, self._output_dtype(args[0]))
        else:
            try:
                outputs = symbolic.infer(self, args, kwargs)
            except (RuntimeError, ValueError, TypeError) as error:
                error.add_note(
                    f"raised by layer {self.name!r} ({type(self).__name__}) on input of shape "
                    f"{_shapes(args[0] if args else kwargs)}"
                )
                raise
        Node(self, args, kwargs, outputs)
        return outputs

    def _output_dtype(self, tensor: KerasTensor) -> str:
        return self.compute_dtype if tensor.dtype.startswith(("float", "bfloat")) else tensor.dtype

    def compute_output_shape(self, *shapes: Any) -> Any:
        """The output's shape for an input of the given shape (None where a size is open)."""
        symbols = [_symbolic_like(shape, self.compute_dtype) for shape in shapes]
        if not self.built:
            self._build_for(tuple(symbols), {})
        return _shapes(symbolic.infer(self, tuple(symbols), {}))

    def compute_output_spec(self, *args: Any, **kwargs: Any) -> Any:
        """Symbolic outputs for symbolic inputs, without recording a node."""
        return symbolic.infer(self, args, kwargs)

    @property
    def input(self) -> Any:
        """The symbolic input(s) of the first use of this layer."""
        return _one_or_list(self._first_node().inputs)

    @property
    def output(self) -> Any:
        """The symbolic output(s) of the first use of this layer."""
        return self._first_node().outputs

    @property
    def input_shape(self) -> Any:
        return _shapes(self.input)

    @property
    def output_shape(self) -> Any:
        return _shapes(self.output)

    def _first_node(self) -> Node:
        if not self.nodes:
            raise AttributeError(
                f"layer {self.name!r} was never called on symbolic input: it has no input or output"
            )
        return self.nodes[0]

    # configuration --------------------------------------------------------------------------------

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal layer.

        For a layer of ours they are read from its attributes; for a class of yours that does not
        override this method they are those that its constructor was called with.
        """
        config: dict[str, Any] = {
            "name": self.name,
            "trainable": self._trainable,
            "dtype": self.dtype_policy.name,
        }
        ours: Any = next(c for c in type(self).__mro__ if c.__module__.startswith(_HERE))
        for parameter in constructor_parameters(ours):
            name = parameter.name
            if (
                name == "self"
                or name in config
                or parameter.kind
                in (
                    parameter.VAR_KEYWORD,
                    parameter.VAR_POSITIONAL,
                )
            ):
                continue
            if name in self.__dict__ and name not in ("autocast",):
                config[name] = to_config(getattr(self, name))
        if ours is not type(self) and type(self).get_config is ours.get_config:
            config |= self._constructor_arguments()
        if self._given_batch_shape is not None:
            config["batch_shape"] = list(self._given_batch_shape)
        return config

    def _constructor_arguments(self) -> dict[str, Any]:
        args, kwargs = self._constructor
        names = [
            p.name for p in constructor_parameters(type(self)) if p.kind is p.POSITIONAL_OR_KEYWORD
        ][1:]
        given = dict(zip(names, args, strict=False)) | kwargs
        return {name: to_config(value) for name, value in given.items()}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """A layer with the arguments of a config (without the weights' values)."""
        config = dict(config)
        if "batch_shape" in config and not accepts(cls, "batch_shape"):
            given = config.pop("batch_shape")
            if accepts_any(cls):
                config["batch_shape"] = tuple(given)
        return cls(**{name: object_from_config(value) for name, value in config.items()})


_HERE = __name__.partition(".")[0] + ".keras"
_NOT_SEARCHED = frozenset({"nodes", "_constructor", "_own_weights", "_own_losses", "_regularized"})


def _shapes(structure: Any) -> Any:
    """The shapes of a structure of tensors, in a structure like it."""
    return map_leaves(
        lambda t: None if t is None or not hasattr(t, "shape") else tuple(t.shape), structure
    )


def _symbolic_like(shape: Any, dtype: str) -> Any:
    if isinstance(shape, dict):
        return {name: _symbolic_like(part, dtype) for name, part in shape.items()}
    if shape and isinstance(shape[0], list | tuple):
        return [_symbolic_like(part, dtype) for part in shape]
    return KerasTensor(shape, dtype)


def _one_or_list(items: list[Any]) -> Any:
    return items[0] if len(items) == 1 else items
