"""Layer: weights, and a function of tensors that uses them.

A subclass makes its weights in `build(input_shape)` with `add_weight` and computes in
`call(inputs)`. Calling the layer builds it at the first use, converts the inputs, passes `training`
and masks on to whoever asks for them, and, on symbolic tensors, records a node of the functional
API instead of computing. What a layer keeps is the business of `State`.
"""

from __future__ import annotations

import functools
import itertools
import warnings
from collections.abc import Callable
from contextlib import ExitStack
from threading import get_ident
from typing import Any

import numpy as np

from chainrule.keras import context, dtype_policies, naming, regularizers, symbolic, variables
from chainrule.keras.layers.input_spec import assert_input_compatibility
from chainrule.keras.layers.signatures import (
    Signature,
    accepts,
    accepts_any,
    constructor_parameters,
    shape_names,
    signature_of,
)
from chainrule.keras.layers.state import State
from chainrule.keras.layers.telling import tell_layer
from chainrule.keras.registry import from_config as object_from_config
from chainrule.keras.registry import to_config
from chainrule.keras.scopes import StatelessScope
from chainrule.keras.settings import DTypePolicy, to_dtype
from chainrule.keras.symbolic import KerasTensor, Node
from chainrule.keras.tree import map_shape_structure
from chainrule.keras.variables import Variable
from chainrule.tensor import Tensor, fromdata, witness
from chainrule.training.tree import is_nested, leaves, map_leaves

#: Numbers the calls of outermost layers, so that losses are known to be of the last one.
_calls = itertools.count(1)


class Layer(State):
    """Base class of all layers, and of models.

    >>> class Scale(Layer):
    ...     def build(self, input_shape):
    ...         self.factor = self.add_weight((input_shape[-1],), "ones", name="factor")
    ...     def call(self, inputs):
    ...         return inputs * self.factor
    >>> Scale()(np.array([[1.0, 2.0]])).tolist()
    [[1.0, 2.0]]
    """

    #: Inputs that this layer computes with are cast to its float type, integers included.
    casts_integers = False
    _unbuilt_is_known = False
    #: Has nothing to build, so that it is built when it is made (unless a subclass has a `build`).
    builds_at_once = False

    _call_number = 0
    _loss_number = 0

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if "build" in cls.__dict__:
            cls.build = _building(cls.__dict__["build"])  # type: ignore[method-assign]  # the wrapped one

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
        super().__init__(name)
        input_shape = kwargs.pop("input_shape", None)
        input_dim = kwargs.pop("input_dim", None)
        batch_shape = kwargs.pop("batch_input_shape", kwargs.pop("batch_shape", None))
        kwargs.pop("weights", None)
        if kwargs:
            raise ValueError(
                f"Unrecognized keyword arguments passed to {type(self).__name__}: {kwargs}"
            )
        if input_dim is not None:
            input_shape = (input_dim,)
        if input_shape is not None:
            if isinstance(input_shape, int):
                input_shape = (input_shape,)
            batch_shape = (None, *input_shape)
        self._given_batch_shape = None if batch_shape is None else tuple(batch_shape)
        self.activity_regularizer = regularizers.get(activity_regularizer)
        self._dtype_policy: DTypePolicy = dtype_policies.get(dtype)
        self.autocast = autocast
        if not isinstance(trainable, bool):
            raise ValueError(
                "Expected `trainable` to be a boolean. "
                f"Received: trainable={trainable} (of type {type(trainable)})"
            )
        self._trainable = trainable
        self._losses: list[Any] = []
        self._regularized: tuple[int, list[Variable]] | None = None
        self._input_spec: Any = None
        self._called = False
        self._call_context_args: set[str] = {"training"}
        self._convert_input_args = True
        self._allow_non_tensor_positional_args = False
        self._build_shapes_dict: dict[str, Any] | None = None
        self._parent_path: str | None = None
        self.supports_jit = True
        self.built = False
        if self.builds_at_once:
            self._build_at_init()

    def _build_at_init(self) -> None:
        """A layer without a `build` of its own, and with all of its weights, is built."""
        if is_default_build(type(self)):
            self.built = True
            self._build_shapes_dict = None

    # identity -------------------------------------------------------------------------------------

    @property
    def path(self) -> str | None:
        """The names of the layers around this one and its own, joined by `/`, once it is built."""
        return self._path

    @property
    def dtype_policy(self) -> DTypePolicy:
        return self._dtype_policy

    @dtype_policy.setter
    def dtype_policy(self, value: Any) -> None:
        policy = dtype_policies.get(value)
        if isinstance(self._dtype_policy, dtype_policies.DTypePolicyMap) and self._path:
            self._dtype_policy[self._path] = policy
        else:
            self._dtype_policy = policy

    @property
    def _policy(self) -> DTypePolicy:
        """The policy that holds here: of a map, the one of this path."""
        policy = self._dtype_policy
        if isinstance(policy, dtype_policies.DTypePolicyMap) and self._path:
            return policy[self._path]
        return policy

    @property
    def dtype(self) -> str:
        return self.variable_dtype

    @property
    def variable_dtype(self) -> str:
        return self._policy.variable_dtype

    @property
    def compute_dtype(self) -> str:
        return self._policy.compute_dtype

    @property
    def input_dtype(self) -> str:
        """The type that float inputs are cast to."""
        return self.compute_dtype

    @property
    def quantization_mode(self) -> str | None:
        return getattr(self._policy, "quantization_mode", None)

    @property
    def input_spec(self) -> Any:
        """What the inputs must be like: `InputSpec` objects, checked at each call."""
        return self._input_spec

    @input_spec.setter
    def input_spec(self, value: Any) -> None:
        self._input_spec = value

    @property
    def supports_masking(self) -> bool:
        """Whether the layer says what the mask of its output is: if it has a `compute_mask`."""
        own: bool | None = self.__dict__.get("_supports_masking")
        return type(self).compute_mask is not Layer.compute_mask if own is None else own

    @supports_masking.setter
    def supports_masking(self, value: bool) -> None:
        self._supports_masking = bool(value)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name}, built={self.built}>"

    # losses ---------------------------------------------------------------------------------------

    def add_loss(self, loss: Any) -> None:
        """Add a scalar to what training minimises: it counts until the layer is called again."""
        added = list(leaves(loss))
        for part in added:
            if not isinstance(part, Tensor):
                raise ValueError(
                    "`add_loss()` can only be called from inside `build()` or `call()`, on a "
                    f"tensor input. Received invalid value: {part}"
                )
        running = context.current()
        if running is not None and running.probing:
            return
        number = context.call_number()
        if self._loss_number != number:
            self._losses.clear()
            self._loss_number = number
        self._losses.extend(added)
        if running is not None:
            running.losses.extend((self, part) for part in added)

    @property
    def losses(self) -> list[Any]:
        """The losses added during the last call, here and inside, then the weights' penalties."""
        added = [
            loss
            for layer in self._flatten_layers()
            if layer._loss_number >= self._call_number
            for loss in layer._losses
        ]
        return [*added, *self._penalties()]

    def _clear_losses(self) -> None:
        for layer in self._flatten_layers():
            layer._losses.clear()

    def _penalties(self) -> list[Any]:
        version = variables.structure_version
        if self._regularized is None or self._regularized[0] != version:
            weights = [w for w in self.trainable_weights if w.regularizer is not None]
            self._regularized = (version, weights)
        return [weight.regularizer(weight) for weight in self._regularized[1]]

    # building -------------------------------------------------------------------------------------

    def build(self, *shapes: Any, **named: Any) -> None:
        """Make the weights for inputs of the given shape (a tuple, or a structure of tuples)."""
        self._check_super_called()
        if is_default_build(type(self)) and any(not layer.built for layer in self._sublayers()):
            warnings.warn(
                f"`build()` was called on layer '{self.name}', however the layer does not have a "
                "`build()` method implemented and it looks like it has unbuilt state. This will "
                "cause the layer to be marked as built, despite not being actually built, which "
                "may cause failures down the line. Make sure to implement a proper `build()` "
                "method.",
                stacklevel=3,
            )
        self.built = True

    def get_build_config(self) -> dict[str, Any] | None:
        """The shapes that the layer was built with, for files."""
        shapes = self._build_shapes_dict
        if shapes is None:
            return None
        if len(shapes) == 1:
            return {"input_shape": next(iter(shapes.values()))}
        return {"shapes_dict": shapes}

    def build_from_config(self, config: dict[str, Any]) -> None:
        """Build with the shapes that `get_build_config` gave."""
        if not config:
            return
        if "input_shape" in config:
            self.build(_tuples(config["input_shape"]))
        elif "shapes_dict" in config:
            self.build(**{name: _tuples(shape) for name, shape in config["shapes_dict"].items()})

    def _build_for(self, args: Any, kwargs: Any) -> None:
        """Build from the shapes of the arguments of the first call."""
        signature = self._signature()
        given = signature.arguments(args, kwargs)
        shapes = _shapes_of(given)
        if not is_default_build(type(self)):
            self.build(**self._asked_shapes(type(self).build, shapes, signature))
            if self._input_spec is not None:
                self._check_spec(next(iter(given.values()), None))
            return
        if any(not layer.built for layer in self._sublayers()):
            try:
                symbolic.infer(self.call, args, kwargs)
            except Exception as error:
                if not symbolic.is_symbolic(*args, *kwargs.values()):
                    return  # the call itself builds what is inside
                warnings.warn(
                    f"Layer '{self.name}' looks like it has unbuilt state, but Keras is not able "
                    "to trace the layer `call()` in order to build it automatically. Either "
                    "`call()` fails, or the layer needs a `build(self, input_shape)` that makes "
                    f"all of its weights. Exception encountered: {error}",
                    stacklevel=4,
                )
        self.__dict__["_unbuilt_is_known"] = True
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self.build(next(iter(shapes.values()), None))

    def _asked_shapes(
        self, method: Any, shapes: dict[str, Any], signature: Signature
    ) -> dict[str, Any]:
        """The shapes that `build` or `compute_output_shape` asks for, by its names."""
        names = shape_names(method)
        if len(names) <= 1:
            return {name: next(iter(shapes.values()), None) for name in names}
        what, kind = getattr(method, "__name__", "build"), type(self).__name__
        preamble = (
            f"For a `{what}()` method with more than one argument, all arguments should have a "
            f"`_shape` suffix and match an argument from `call()`. E.g. `{what}(self, foo_shape, "
            f"bar_shape)` For layer '{kind}', received `{what}()` argument "
        )
        for name in names:
            if not name.endswith("_shape"):
                raise ValueError(f"{preamble}`{name}`, which does not end in `_shape`.")
            argument = name.removesuffix("_shape")
            if argument not in signature.every:
                raise ValueError(
                    f"{preamble}`{name}`, but `call()` does not have argument `{argument}`."
                )
        return {name: shapes[name] for name in names if name in shapes}

    # calling --------------------------------------------------------------------------------------

    def call(self, *args: Any, **kwargs: Any) -> Any:
        """Compute the output from the inputs."""
        raise self._not_implemented("call")

    def _signature(self) -> Signature:
        own = self.__dict__.get("call")
        return signature_of(type(self).call) if own is None else Signature(own)

    @property
    def call_signature_parameters(self) -> list[str]:
        """The names of what `call` takes."""
        return list(self._signature().bound.parameters)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if "_trainable" not in self.__dict__:
            self._check_super_called()
        try:
            return self._converted_call(args, kwargs)
        except Exception as error:
            tell_layer(error, self, args, kwargs)
            raise

    def _converted_call(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """The call, of arrays or tensors."""
        self.__dict__["_called"] = True
        given = args, kwargs
        recorded = symbolic.is_symbolic(*args, *kwargs.values())
        if self._convert_input_args:
            convert = self._convert_mixed if recorded else self._convert
            args = tuple([convert(a) for a in args])
            kwargs = {k: self._convert_named(k, v, convert) for k, v in kwargs.items()}
        if not self._allow_non_tensor_positional_args:
            _check_positional(args)
        first = args[0] if args else next(iter(kwargs.values()), None)
        if self._input_spec is not None:
            self._check_spec(first)
        running = context.current()
        if running is not None:
            return self._call_in(running, first, args, kwargs, given if recorded else None)
        with context.scope() as running:
            return self._call_in(running, first, args, kwargs, given if recorded else None)

    def _call_in(
        self, running: context.Scope, first: Any, args: Any, kwargs: Any, recorded: Any
    ) -> Any:
        """The call, inside a scope; `recorded` is what a node is to be recorded with."""
        before, values = running.training, running.values
        outermost = not running.entered
        if outermost:
            running.entered = True
            context.begin_call(next(_calls))
        self.__dict__["_call_number"] = context.call_number()
        try:
            signature = self._signature()
            self._pass_context(running, signature, args, kwargs)
            with ExitStack() as inside:
                if not self.built:
                    inside.enter_context(self._named())
                    self._build_for(args, kwargs)
                self._pass_masks(signature, args, kwargs)
                previous = kwargs.get("mask")
                if previous is None:
                    previous = _masks_of(first)
                if recorded is not None:
                    outputs = self.symbolic_call(*args, **kwargs)
                else:
                    if self.compute_dtype != self.variable_dtype and self.autocast:
                        inside.enter_context(
                            variables.computed_as(self.compute_dtype, self._own_weights)
                        )
                    if witness.present and (seen := witness.present.get(get_ident())) is not None:
                        outputs = seen.call(self._run_call, self, args, kwargs)
                    else:
                        outputs = self._run_call(*args, **kwargs)
                self.built = True
                if self.activity_regularizer is not None and recorded is None:
                    self._penalise(outputs)
            if self.supports_masking:
                self._set_masks(first, outputs, previous)
            elif previous is not None and any(m is not None for m in leaves(previous)):
                self._warn_about_mask(running)
        finally:
            running.training, running.values = before, values
            if outermost:
                running.entered = False
        if recorded is not None:
            Node(self, recorded[0], recorded[1], outputs)
        return outputs

    def _run_call(self, *args: Any, **kwargs: Any) -> Any:
        if self._remat_mode is None:
            return self.call(*args, **kwargs)
        return self.rematerialized_call(self.call, *args, **kwargs)(*args, **kwargs)

    def _named(self) -> naming.name_scope:
        if self._parent_path is None:
            self._parent_path = naming.current_path()
        return naming.name_scope(self.name, caller=self)

    def _check_spec(self, first: Any) -> None:
        assert_input_compatibility(self._input_spec, first, self.name)

    def _convert(self, value: Any) -> Any:
        """Arrays become tensors; floats (and what the layer computes with) get the layer's type."""
        if value is None:
            return None
        return (
            map_leaves(self._convert_leaf, value) if is_nested(value) else self._convert_leaf(value)
        )

    def _convert_mixed(self, value: Any) -> Any:
        return map_leaves(
            lambda leaf: (
                self._convert_symbolic(leaf)
                if isinstance(leaf, KerasTensor)
                else self._convert(leaf)
            ),
            value,
        )

    def _convert_named(self, name: str, value: Any, convert: Callable[[Any], Any]) -> Any:
        if value is None or isinstance(value, bool):
            return value
        if name == "mask" or name.endswith("_mask"):
            return map_leaves(_as_tensor, value)
        return convert(value)

    def _convert_leaf(self, leaf: Any) -> Any:
        if not isinstance(leaf, Tensor):
            leaf = _as_tensor(leaf)
            if not isinstance(leaf, Tensor):
                return leaf
        if not self.autocast:
            return leaf
        wanted = to_dtype(self.input_dtype)
        kind = leaf._dtype
        if kind is wanted or not wanted.is_floating_point:
            return leaf
        if kind.is_floating_point or (self.casts_integers and not kind.is_complex):
            cast = leaf.to(wanted)
            mask = context.get_keras_mask(leaf)
            if mask is not None:
                context.set_keras_mask(cast, mask)
            return cast
        return leaf

    def _convert_symbolic(self, tensor: KerasTensor) -> KerasTensor:
        wanted = self.input_dtype
        if not self.autocast or tensor.dtype == wanted or "float" not in wanted:
            return tensor
        if "float" not in tensor.dtype:
            return tensor
        cast = KerasTensor(tensor.shape, wanted, name=tensor.name)
        context.set_keras_mask(cast, context.get_keras_mask(tensor))
        return cast

    # what is passed on ----------------------------------------------------------------------------

    def _register_call_context_args(self, *names: str) -> None:
        """Arguments of these names are passed on to the layers inside, as `training` is."""
        if self._called:
            raise RuntimeError("Cannot add call-context args after the layer has been called.")
        self._call_context_args = self._call_context_args | set(names)

    def _pass_context(
        self, running: context.Scope, signature: Signature, args: Any, kwargs: Any
    ) -> None:
        """`training` is what was given, else what holds in the layer around, else the default."""
        value = kwargs.get("training")
        if value is None and len(args) > signature.training_position:
            value = args[signature.training_position]
        if value is None:
            value = running.training
        if value is None:
            value = signature.defaults.get("training")
        running.training = value
        if not signature.takes_training:
            kwargs.pop("training", None)
        elif value is not None and len(args) <= signature.training_position:
            kwargs["training"] = value
        if len(self._call_context_args) > 1:
            self._pass_more(running, signature, kwargs)

    def _pass_more(self, running: context.Scope, signature: Signature, kwargs: Any) -> None:
        running.values = dict(running.values)
        for name in self._call_context_args - {"training"}:
            value = kwargs.get(name)
            if value is None:
                value = running.values.get(name)
            if value is None:
                value = signature.defaults.get(name)
            running.values[name] = value
            if name not in signature.every:
                kwargs.pop(name, None)
            elif value is not None:
                kwargs[name] = value

    def _pass_masks(self, signature: Signature, args: Any, kwargs: Any) -> None:
        """A single tensor's mask as `mask`, several tensors' as `<name>_mask`."""
        if not signature.takes_masks:
            return
        given = signature.arguments(args, kwargs)
        tensors = {name: value for name, value in given.items() if _is_of_tensors(value)}
        if len(tensors) == 1:
            if "mask" in signature.every and given.get("mask") is None:
                masks = _masks_of(next(iter(tensors.values())))
                if masks is not None:
                    kwargs["mask"] = masks
            return
        for name, value in tensors.items():
            wanted = f"{name}_mask"
            if wanted in signature.every and given.get(wanted) is None:
                masks = _masks_of(value)
                if masks is not None:
                    kwargs[wanted] = masks

    def compute_mask(self, inputs: Any, previous_mask: Any) -> Any:
        """The output's mask from the input's: the same one, if not overridden."""
        return previous_mask

    def _set_masks(self, inputs: Any, outputs: Any, previous: Any) -> None:
        tensors = [t for t in leaves(outputs) if isinstance(t, Tensor | KerasTensor)]
        if all(context.get_keras_mask(t) is not None for t in tensors):
            return
        if previous is None and type(self).compute_mask is Layer.compute_mask:
            return
        if any(isinstance(t, KerasTensor) for t in tensors):
            mask = symbolic.infer(self.compute_mask, (inputs, previous), {})
        else:
            mask = self.compute_mask(inputs, previous)
        if mask is None:
            return
        for tensor, own in zip(tensors, leaves(mask), strict=False):
            if own is not None and context.get_keras_mask(tensor) is None:
                context.set_keras_mask(tensor, own)

    def _warn_about_mask(self, running: context.Scope) -> None:
        if running.probing:
            return
        warnings.warn(
            f"Layer '{self.name}' (of type {type(self).__name__}) was passed an input with a mask "
            "attached to it. However, this layer does not support masking and will therefore "
            "destroy the mask information. Downstream layers will not see the mask.",
            stacklevel=4,
        )

    def _penalise(self, outputs: Any) -> None:
        for tensor in leaves(outputs):
            if isinstance(tensor, Tensor):
                loss = self.activity_regularizer(tensor)
                if tensor.ndim > 0:  # per example: the penalty of a batch is the mean over its rows
                    rows = int(tensor.shape[0])
                    loss = loss / rows if rows else loss * 0.0
                self.add_loss(loss)

    # functional API -------------------------------------------------------------------------------

    def symbolic_call(self, *args: Any, **kwargs: Any) -> Any:
        """Symbolic outputs. The node is recorded by the call."""
        return self.compute_output_spec(*args, **kwargs)

    def compute_output_spec(self, *args: Any, **kwargs: Any) -> Any:
        """Symbolic outputs for symbolic inputs, without recording a node."""
        if type(self).compute_output_shape is not Layer.compute_output_shape:
            signature = self._signature()
            shapes = _shapes_of(signature.arguments(args, kwargs))
            method = type(self).compute_output_shape
            found = self.compute_output_shape(**self._asked_shapes(method, shapes, signature))
            if isinstance(found, list) and found and isinstance(found[0], int | None):
                found = tuple(found)
            if not isinstance(found, list | tuple | dict):
                raise ValueError(
                    f"Method `compute_output_shape()` of layer {type(self).__name__} is returning "
                    "a type that cannot be interpreted as a shape. It should return a shape tuple. "
                    f"Received: {found}"
                )
            return map_shape_structure(self._symbol, found)
        return symbolic.infer(self.call, args, kwargs)

    def _symbol(self, shape: Any) -> KerasTensor:
        return KerasTensor(shape, self.compute_dtype)

    def compute_output_shape(self, *args: Any, **kwargs: Any) -> Any:
        """The output's shape for an input of the given shape (None where a size is open)."""
        if type(self).call is Layer.call:
            raise self._not_implemented(
                "compute_output_shape",
                "Should implement `def compute_output_shape(self, input_shape)`.",
            )
        if len(kwargs) == 1 and not args:  # `input_shape=`, whatever `call` names its argument
            args, kwargs = tuple(kwargs.values()), {}
        symbols = tuple(map_shape_structure(self._symbol, shape) for shape in args)
        named = {
            name.removesuffix("_shape"): map_shape_structure(self._symbol, shape)
            for name, shape in kwargs.items()
            if shape is not None
        }
        if not self.built:
            self._build_for(symbols, named)
        return _shapes(symbolic.infer(self.call, symbols, named))

    def rematerialized_call(
        self, function: Callable[..., Any], *args: Any, **kwargs: Any
    ) -> Callable[..., Any]:
        mode = self._remat_mode
        if mode is None:
            return function
        if mode.mode == "list_of_layers":
            return context.remat(function) if self.name in mode.layer_names else function
        if mode.mode == "activations":
            activation = getattr(self, "activation", None)
            if activation is None:
                return function

            def with_activation(*args: Any, **kwargs: Any) -> Any:
                self.activation = context.remat(activation)
                try:
                    return function(*args, **kwargs)
                finally:
                    self.activation = activation

            return with_activation
        return super().rematerialized_call(function, *args, **kwargs)

    def stateless_call(
        self,
        trainable_variables: Any,
        non_trainable_variables: Any,
        *args: Any,
        return_losses: bool = False,
        **kwargs: Any,
    ) -> Any:
        """The outputs with other values of the variables, and what the variables that are not
        trained are after it; nothing here changes.

        Gives (outputs, non_trainable_variables), with `return_losses` also the list of losses.
        """
        self._check_super_called()
        if not self.built:
            raise ValueError(
                f"To call stateless_call, {type(self).__name__} must be built (i.e. its variables "
                "must have been already created). You can build it by calling it on some data."
            )
        mapping: list[tuple[Variable, Any]] = []
        for kind, given in (
            ("trainable_variables", trainable_variables),
            ("non_trainable_variables", non_trainable_variables),
        ):
            own = getattr(self, kind)
            if len(own) != len(given):
                raise ValueError(
                    f"Argument `{kind}` must be a list of tensors corresponding 1:1 to "
                    f"{type(self).__name__}().{kind}. Received list with length {len(given)}, but "
                    f"expected {len(own)} variables."
                )
            mapping += zip(own, given, strict=True)
        losses = None
        with StatelessScope(mapping, collect_losses=return_losses) as scope:
            outputs = self(*args, **kwargs)
            if return_losses:
                losses = self.losses
        moved = [scope.get_current_value(v) for v in self.non_trainable_variables]
        return (outputs, moved, losses) if return_losses else (outputs, moved)

    @property
    def input_shape(self) -> Any:
        return _shapes(self.input)

    @property
    def output_shape(self) -> Any:
        return _shapes(self.output)

    @property
    def output(self) -> Any:
        """The symbolic output(s) of the first use of this layer."""
        return self._first_node("output").outputs

    # what there is not ----------------------------------------------------------------------------

    def _not_implemented(self, name: str, more: str = "") -> NotImplementedError:
        return NotImplementedError(
            f"Layer {type(self).__name__} does not have a `{name}` method implemented."
            + (f" {more}" if more else "")
        )

    def quantize(self, mode: Any = None, type_check: bool = True, config: Any = None) -> None:
        """There is no quantization: `dtype="float16"` or "bfloat16" halves the weights."""
        raise self._not_implemented("quantize", "chainrule computes with weights of a float type.")

    def quantized_build(self, input_shape: Any, mode: str) -> None:
        raise self._not_implemented("quantized_build")

    def add_metric(self, *args: Any, **kwargs: Any) -> None:
        raise NotImplementedError(
            "Layer `add_metric()` method is deprecated. Add your metric in "
            "`Model.compile(metrics=[...])`, or keep metrics in attributes and call "
            "`metric.update_state()`."
        )

    # configuration --------------------------------------------------------------------------------

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal layer.

        For a layer of ours they are read from its attributes; for a class of yours that does not
        override this method they are those that its constructor was called with.
        """
        cls: Any = type(self)
        config: dict[str, Any] = {
            "name": self.name,
            "trainable": self._trainable,
            "dtype": dtype_policies.serialize(self._dtype_policy),
        }
        ours: Any = next(c for c in cls.__mro__ if c.__module__.startswith(_HERE))
        for parameter in constructor_parameters(ours):
            name = parameter.name
            variadic = parameter.kind in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL)
            if name in config or name in ("self", "autocast") or variadic:
                continue
            if name in self.__dict__ and name != "activity_regularizer":
                config[name] = to_config(self.__dict__[name])
        if self.activity_regularizer is not None:
            config["activity_regularizer"] = to_config(self.activity_regularizer)
        if ours is not cls and cls.get_config is ours.get_config:
            try:
                config |= symbolic.constructor_arguments(self)
            except NotImplementedError:
                if ours.__init__ is not cls.__init__:  # it has arguments that we cannot know
                    raise
            if not accepts_any(cls):
                config = {name: value for name, value in config.items() if accepts(cls, name)}
        if self._given_batch_shape is not None:
            config["batch_shape"] = list(self._given_batch_shape)
        return config

    def _constructor_arguments(self) -> dict[str, Any]:
        return symbolic.constructor_arguments(self)

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """A layer with the arguments of a config (without the weights' values)."""
        config = dict(config)
        if "batch_shape" in config and not accepts(cls, "batch_shape"):
            given = config.pop("batch_shape")
            if accepts_any(cls):
                config["batch_shape"] = tuple(given)
        policy = config.get("dtype")
        if isinstance(policy, dict):
            read = dtype_policies.deserialize(policy)
            if not isinstance(read, dtype_policies.DTypePolicyMap):
                read = read.name
            config["dtype"] = read
        if cls.get_config.__module__.startswith(_HERE):
            return cls(**{name: object_from_config(value) for name, value in config.items()})
        # What a `get_config` of the user's own wrote, the user's own constructor reads.
        ours: Any = next(c for c in cls.__mro__ if c.__module__.startswith(_HERE))
        known = {p.name for p in constructor_parameters(ours)}
        return cls(
            **{
                name: object_from_config(value) if name in known else value
                for name, value in config.items()
            }
        )


_HERE = __name__.partition(".")[0] + ".keras"


def _building(method: Any) -> Any:
    """A `build` that notes the shapes, knows its path, and after which nothing is added."""

    @functools.wraps(method)
    def build(self: Layer, *args: Any, **kwargs: Any) -> None:
        if "_building" in self.__dict__:  # a subclass's build has called this one
            method(self, *args, **kwargs)
            return
        self.__dict__["_building"] = True
        try:
            with self._named():
                self._path = naming.current_path()
                method(self, *args, **kwargs)
        finally:
            del self.__dict__["_building"]
        if not self.built:
            self.built = True
        names = shape_names(method) or ["input_shape"]
        self._build_shapes_dict = dict(zip(names, args, strict=False)) | kwargs
        self._lock_state()

    return build


def is_default_build(cls: type[Layer]) -> bool:
    """Whether a class makes no weights in a `build` of its own."""
    return cls.build is Layer.build


Layer.build = _building(Layer.build)  # type: ignore[method-assign]  # the wrapped one


def _check_positional(args: tuple[Any, ...]) -> None:
    for argument in args:
        if isinstance(argument, Tensor | KerasTensor) or argument is None:
            continue
        for leaf in leaves(argument):
            if not (leaf is None or isinstance(leaf, KerasTensor) or hasattr(leaf, "__array__")):
                raise ValueError(
                    "Only input tensors may be passed as positional arguments. The following "
                    f"argument value should be passed as a keyword argument: {leaf} "
                    f"(of type {type(leaf)})"
                )


def _as_tensor(leaf: Any) -> Any:
    """An array of numbers as a tensor; everything else as it is."""
    if isinstance(leaf, Tensor) or not hasattr(leaf, "__array__") or isinstance(leaf, KerasTensor):
        return leaf
    array = np.asarray(leaf)
    return leaf if array.dtype.kind in "OSUM" else fromdata.from_owned(np.array(array))


def _is_of_tensors(value: Any) -> bool:
    """Whether an argument is a tensor, or a structure of tensors and None."""
    if isinstance(value, Tensor | KerasTensor):
        return True
    if not is_nested(value) or not value:
        return False
    parts = list(leaves(value))
    return any(p is not None for p in parts) and all(
        p is None or isinstance(p, Tensor | KerasTensor) for p in parts
    )


def _masks_of(value: Any) -> Any:
    """The masks of a structure of tensors in a structure like it; None if there are none."""
    if not is_nested(value):
        return context.get_keras_mask(value)
    if all(context.get_keras_mask(leaf) is None for leaf in leaves(value)):
        return None
    return map_leaves(context.get_keras_mask, value)


def _shapes_of(given: dict[str, Any]) -> dict[str, Any]:
    """`<name>_shape` of the arguments that are tensors, in their order."""
    return {
        f"{name}_shape": _shapes(value)
        for name, value in given.items()
        if name not in ("mask", "args", "kwargs") and _is_of_tensors(value)
    }


def _shapes(structure: Any) -> Any:
    """The shapes of a structure of tensors, in a structure like it."""
    return map_leaves(
        lambda t: None if t is None or not hasattr(t, "shape") else tuple(t.shape), structure
    )


def _tuples(shape: Any) -> Any:
    """Shapes as tuples, in the structure that they have."""
    if isinstance(shape, dict):
        return {name: _tuples(part) for name, part in shape.items()}
    if isinstance(shape, list | tuple):
        if all(n is None or isinstance(n, int) for n in shape):
            return tuple(shape)
        return type(shape)(_tuples(part) for part in shape)
    return shape


def _symbolic_like(shape: Any, dtype: str) -> Any:
    return map_shape_structure(lambda s: KerasTensor(s, dtype), shape)
