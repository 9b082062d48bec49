"""What a layer keeps: weights, inner layers, metrics, sources of chance.

They are found where they are kept: in the attributes, in order, also inside lists, tuples and
dicts. There is no second list that could disagree.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from chainrule.keras import constraints, initializers, naming, regularizers
from chainrule.keras.errors import ShapeError
from chainrule.keras.layers.modules import LayerModule
from chainrule.keras.metrics_base import Metric
from chainrule.keras.random import SeedGenerator
from chainrule.keras.settings import standardize_dtype
from chainrule.keras.symbolic import Operation
from chainrule.keras.variables import Variable, structure_changed
from chainrule.nn.modules.module import Module
from chainrule.nn.modules.registry import Guest
from chainrule.tensor import Parameter, Tensor
from chainrule.training.tree import leaves

_NOT_SEARCHED = frozenset(
    {"nodes", "_outbound_nodes", "_constructor", "_trainable_variables", "_losses", "_regularized",
     "_non_trainable_variables", "_build_shapes_dict", "_module"}
)  # fmt: skip


class State(Operation, Guest):
    """The weights' side of a layer."""

    #: The layer that a Module becomes when it is assigned (`torch_module` puts its class here).
    wrapper: Callable[[Module], State]

    _trainable: bool
    _locked: bool
    _path: str | None
    _trainable_variables: list[Variable]
    _non_trainable_variables: list[Variable]
    built: bool

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        instance = super().__new__(cls, *args, **kwargs)
        instance.__dict__.update(
            _trainable_variables=[], _non_trainable_variables=[], _locked=False, _path=None
        )
        return instance

    def __setattr__(self, name: str, value: Any) -> None:
        if isinstance(value, Module):
            value = State.wrapper(value)
        if isinstance(value, Variable):
            if not any(value is own for own in self._own_weights):
                self._track_variable(value)
        elif isinstance(value, State):
            if self._locked and value is not self.__dict__.get(name):
                self._refuse_state()
            structure_changed()
        object.__setattr__(self, name, value)

    def __delattr__(self, name: str) -> None:
        value = self.__dict__.get(name)
        if isinstance(value, Variable):
            self._untrack_variable(value)
        object.__delattr__(self, name)

    # what is kept ---------------------------------------------------------------------------------

    def _held(self, kind: Any, *, public: bool = False) -> Iterator[Any]:
        """What of one kind the attributes (or only the public ones) hold, each once."""
        seen: set[int] = set()
        for name, value in self.__dict__.items():
            if name in _NOT_SEARCHED or (public and name[0] == "_"):
                continue
            for leaf in leaves(value) if isinstance(value, list | tuple | dict) else (value,):
                if isinstance(leaf, kind) and id(leaf) not in seen:
                    seen.add(id(leaf))
                    yield leaf

    def _sublayers(self) -> Iterator[Any]:
        """Layers kept in this layer's attributes, each once."""
        return self._held(State)

    @property
    def _layers(self) -> list[Any]:
        return list(self._sublayers())

    @property
    def _metrics(self) -> list[Metric]:
        return list(self._held(Metric))

    @property
    def _seed_generators(self) -> list[SeedGenerator]:
        """The sources of chance kept in this layer's attributes."""
        return list(self._held(SeedGenerator))

    @property
    def _own_weights(self) -> list[Variable]:
        """This layer's own weights: those that were made trainable first."""
        return [*self._trainable_variables, *self._non_trainable_variables]

    def _flatten_layers(self, include_self: bool = True, recursive: bool = True) -> list[Any]:
        """This layer and all that it contains, each once."""
        if not recursive:
            return [self, *self._sublayers()] if include_self else self._layers
        found: dict[int, State] = {}

        def visit(layer: State) -> None:
            if id(layer) not in found:
                found[id(layer)] = layer
                for inner in layer._sublayers():
                    visit(inner)

        visit(self)
        return list(found.values())[0 if include_self else 1 :]

    # weights --------------------------------------------------------------------------------------

    def add_weight(
        self,
        *args: Any,
        shape: Any = None,
        initializer: Any = None,
        dtype: Any = None,
        trainable: bool = True,
        autocast: bool = True,
        regularizer: Any = None,
        constraint: Any = None,
        aggregation: str | None = "none",
        overwrite_with_gradient: bool = False,
        name: str | None = None,
    ) -> Variable:
        """Make a weight of this layer. Shape, initializer and dtype may be given by position.

        The default initial values are glorot_uniform for floats and zeros for other types.
        """
        self._check_super_called()
        given = dict(zip(("shape", "initializer", "dtype"), args, strict=False))
        if len(args) > 3:
            raise TypeError(
                f"add_weight() takes at most 3 positional arguments but {len(args)} were given."
            )
        if args and isinstance(args[0], str):
            raise ValueError(
                f"`name` must be passed as a keyword argument. Received: add_weight('{args[0]}', "
                f"...). Use: add_weight(shape=..., name='{args[0]}')."
            )
        for key, value in (("shape", shape), ("initializer", initializer), ("dtype", dtype)):
            if key in given and value is not None:
                raise ValueError(f"`{key}` was passed both positionally and as a keyword argument.")
            given.setdefault(key, value)
        shape, initializer, dtype = given["shape"], given["initializer"], given["dtype"]
        shape = () if shape is None else (shape,) if isinstance(shape, int) else tuple(shape)
        if None in shape:
            raise ShapeError(
                f"layer {self.name!r} cannot make weight {name!r} of the open shape {shape}: "
                "Shapes used to initialize variables must be fully-defined (no `None` dimensions)"
            )
        wanted = standardize_dtype(dtype if dtype is not None else self.variable_dtype)
        if initializer is None:
            initializer = "glorot_uniform" if "float" in wanted else "zeros"
        with naming.name_scope(self.name, caller=self):
            variable = Variable(
                initializers.get(initializer),
                shape=tuple(int(n) for n in shape),
                dtype=wanted,
                trainable=trainable,
                autocast=autocast,
                aggregation=aggregation,
                name=name,
                regularizer=regularizers.get(regularizer),
                constraint=constraints.get(constraint),
            )
        variable.overwrite_with_gradient = overwrite_with_gradient
        self._track_variable(variable)
        return variable

    def add_variable(
        self,
        shape: Any,
        initializer: Any,
        dtype: Any = None,
        trainable: bool = True,
        autocast: bool = True,
        regularizer: Any = None,
        constraint: Any = None,
        name: str | None = None,
    ) -> Variable:
        """`add_weight` by another name."""
        return self.add_weight(
            shape=shape, initializer=initializer, dtype=dtype, trainable=trainable,
            autocast=autocast, regularizer=regularizer, constraint=constraint, name=name,
        )  # fmt: skip

    @property
    def variable_dtype(self) -> str:
        raise NotImplementedError

    def _check_super_called(self) -> None:
        if "_trainable" not in self.__dict__:
            raise RuntimeError(
                f"In layer '{type(self).__name__}', you forgot to call `super().__init__()` as the "
                "first statement in the `__init__()` method. Go add it!"
            )

    def _track_variable(self, variable: Variable) -> None:
        if self._locked:
            self._refuse_state()
        kept = self._trainable_variables if variable.trainable else self._non_trainable_variables
        kept.append(variable)
        if not self.__dict__.get("_trainable", True):
            variable.trainable = False
        structure_changed()

    def _untrack_variable(self, variable: Variable) -> None:
        """The variable is no weight of this layer any more."""
        for kept in (self._trainable_variables, self._non_trainable_variables):
            kept[:] = [own for own in kept if own is not variable]
        structure_changed()

    def _lock_state(self) -> None:
        """No weights and layers are added from now on: what is built has all of them."""
        self.__dict__["_locked"] = True

    def _refuse_state(self) -> None:
        raise ValueError(
            "You cannot add new elements of state (variables or sub-layers) to a layer that is "
            "already built. All state must be created in the `__init__()` method or in the "
            f"`build()` method. (layer {self.name!r} of type {type(self).__name__})"
        )

    def _collected(self, more: bool) -> list[Variable]:
        """All weights: this layer's, then those of the layers inside; with seeds, if `more`."""
        found: dict[int, Variable] = {}
        seen: set[int] = set()

        def visit(layer: State) -> None:
            if id(layer) in seen:
                return
            seen.add(id(layer))
            for weight in (*layer._own_weights, *layer._held(Variable, public=True)):
                found.setdefault(id(weight), weight)
            if more:
                for seed in layer._seed_generators:
                    found.setdefault(id(seed.state), seed.state)
            for inner in layer._sublayers():
                visit(inner)

        visit(self)
        return list(found.values())

    @property
    def weights(self) -> list[Variable]:
        """All weights: this layer's (those made trainable first), then those of inner layers."""
        return self._collected(more=False)

    @property
    def variables(self) -> list[Variable]:
        """The weights, and the states of the sources of chance."""
        return self._collected(more=True)

    @property
    def trainable_weights(self) -> list[Variable]:
        """Weights that training changes: none if the layer is frozen."""
        return [w for w in self.weights if w.trainable] if self._trainable else []

    @property
    def non_trainable_weights(self) -> list[Variable]:
        return [w for w in self.weights if not w.trainable] if self._trainable else self.weights

    @property
    def trainable_variables(self) -> list[Variable]:
        return [v for v in self.variables if v.trainable] if self._trainable else []

    @property
    def non_trainable_variables(self) -> list[Variable]:
        return [v for v in self.variables if not v.trainable] if self._trainable else self.variables

    # for the PyTorch face -------------------------------------------------------------------------

    def as_module(self) -> LayerModule:
        """The Module that speaks for this layer where it stands in one."""
        module: LayerModule | None = self.__dict__.get("_module")
        if module is None:
            module = self.__dict__["_module"] = LayerModule(self)
        return module

    def parameters(self, recurse: bool = True) -> Iterator[Parameter]:
        """The weights, for optimisers of the PyTorch face."""
        return self.as_module().parameters()

    def named_parameters(self, *args: Any, **kwargs: Any) -> Iterator[tuple[str, Parameter]]:
        """The weights and their paths."""
        return self.as_module().named_parameters(*args, **kwargs)

    def state_dict(self, *args: Any, **kwargs: Any) -> dict[str, Tensor]:
        """The values of all variables by their paths."""
        return self.as_module().state_dict(*args, **kwargs)

    def load_state_dict(self, *args: Any, **kwargs: Any) -> Any:
        """Take the values of a dict like that of `state_dict`."""
        return self.as_module().load_state_dict(*args, **kwargs)

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients of all weights."""
        self.as_module().zero_grad(set_to_none)

    # metrics and values ---------------------------------------------------------------------------

    @property
    def metrics(self) -> list[Metric]:
        """The metrics of this layer and of those inside."""
        found = {id(m): m for layer in self._flatten_layers() for m in layer._metrics}
        return list(found.values())

    @property
    def metrics_variables(self) -> list[Variable]:
        return [variable for metric in self.metrics for variable in metric.variables]

    @property
    def trainable(self) -> bool:
        """Whether training changes the weights; setting it sets it for all layers inside."""
        return self._trainable

    @trainable.setter
    def trainable(self, value: bool) -> None:
        self._trainable = bool(value)
        for variable in self._trainable_variables:
            variable.trainable = bool(value)
        for layer in self._sublayers():
            layer.trainable = bool(value)
        structure_changed()

    def get_weights(self) -> list[np.ndarray]:
        """Copies of all weights as NumPy arrays."""
        return [weight.numpy() for weight in self.weights]

    def set_weights(self, weights: Any) -> None:
        """Take the values of a list like that of `get_weights`."""
        own = self.weights
        if len(weights) != len(own):
            raise ValueError(
                f"You called `set_weights(weights)` on layer '{self.name}' with a weight list of "
                f"length {len(weights)}, but the layer was expecting {len(own)} weights."
            )
        for variable, value in zip(own, weights, strict=True):
            if tuple(np.shape(value)) != tuple(variable.shape):
                raise ShapeError(
                    f"Layer {self.name} weight shape {tuple(variable.shape)} is not compatible "
                    f"with provided weight shape {tuple(np.shape(value))} (weight {variable.path})."
                )
        for variable, value in zip(own, weights, strict=True):
            variable.assign(value)

    def count_params(self) -> int:
        """How many numbers the weights hold."""
        if not self.built:
            raise ValueError(
                f"You tried to call `count_params` on layer '{self.name}', but the layer isn't "
                "built. You can build it manually via: `layer.build(input_shape)`."
            )
        return sum(int(np.prod(tuple(w.shape))) for w in self.weights)

    # files ----------------------------------------------------------------------------------------

    def save_own_variables(self, store: Any) -> None:
        """Write the values of this layer's own weights into `store`, a dict of arrays, under "0",
        "1", … Override it (and `load_own_variables`) where the weights are not all there is.
        """
        for index, weight in enumerate(self._own_weights):
            store[str(index)] = weight.numpy()

    def load_own_variables(self, store: Any) -> None:
        """Take the values that `save_own_variables` wrote.

        Raises ValueError where the store has another number of weights.
        """
        own = self._own_weights
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
