"""Input, and the other layers that most models begin with and that have no weights."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from chainrule.keras import activations, naming, registry
from chainrule.keras.errors import ShapeError
from chainrule.keras.layers.base import Layer
from chainrule.keras.registry import known
from chainrule.keras.settings import standardize_dtype, standardize_shape
from chainrule.keras.symbolic import KerasTensor, Node, compute_output_spec
from chainrule.keras.tree import map_shape_structure
from chainrule.tensor import Tensor, creation
from chainrule.tensor import functions as T
from chainrule.training.tree import leaves, map_leaves


@known
class InputLayer(Layer):
    """The start of a functional model: gives one symbolic tensor.

    Args: as `Input`. Raises ValueError where the arguments contradict each other, and for sparse or
    ragged tensors, which there are not.
    """

    def __init__(
        self,
        shape: Any = None,
        batch_size: int | None = None,
        dtype: Any = None,
        sparse: bool | None = None,
        ragged: bool | None = None,
        batch_shape: Any = None,
        input_tensor: KerasTensor | None = None,
        optional: bool = False,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        if "input_shape" in kwargs:
            warnings.warn(
                "Argument `input_shape` is deprecated. Use `shape` instead.", stacklevel=2
            )
            shape = kwargs.pop("input_shape")
        batch_shape = kwargs.pop("batch_input_shape", batch_shape)
        super().__init__(name=name or naming.unique("input_layer"))
        for option, value in (("sparse", sparse), ("ragged", ragged)):
            if value:
                raise ValueError(f"`{option}=True` is not supported with the chainrule backend")
        if input_tensor is not None:
            given = {"shape": shape, "batch_size": batch_size, "batch_shape": batch_shape,
                     "dtype": dtype, "sparse": sparse}  # fmt: skip
            _check_tensor(input_tensor, given)
            batch_shape, dtype = input_tensor.shape, input_tensor.dtype
        else:
            if batch_shape is None:
                if shape is None:
                    raise ValueError("You must pass a `shape` argument.")
                shape = (shape,) if isinstance(shape, int) else tuple(shape)
                batch_shape = (batch_size, *standardize_shape(shape))
            elif shape is not None or batch_size is not None:
                other = "shape" if shape is not None else "batch_size"
                raise ValueError(
                    f"You cannot pass both `{other}` and `batch_shape` at the same time."
                )
            dtype = standardize_dtype(dtype)
            input_tensor = KerasTensor(batch_shape, dtype, name=self.name)
        self.batch_shape = standardize_shape(batch_shape)
        self.optional = bool(optional)
        self.sparse = self.ragged = False
        self._data_dtype = str(dtype)
        self.built = True
        Node(self, (), {}, input_tensor)

    @property
    def dtype(self) -> str:
        return self._data_dtype

    def call(self) -> None:
        """Nothing: the layer stands for the data."""

    def get_config(self) -> dict[str, Any]:
        return {
            "batch_shape": self.batch_shape,
            "dtype": self._data_dtype,
            "sparse": self.sparse,
            "ragged": self.ragged,
            "name": self.name,
            "optional": self.optional,
        }


def _check_tensor(tensor: Any, given: dict[str, Any]) -> None:
    """What is said beside a symbolic tensor must be true of it."""
    if not isinstance(tensor, KerasTensor):
        raise ValueError(
            "Argument `input_tensor` must be a KerasTensor. Received invalid type: "
            f"input_tensor={tensor} (of type {type(tensor)})"
        )
    true = {
        "shape": tuple(tensor.shape[1:]),
        "batch_size": tensor.shape[0] if tensor.shape else None,
        "batch_shape": tuple(tensor.shape),
        "dtype": tensor.dtype,
        "sparse": tensor.sparse,
    }
    for name, value in given.items():
        value = tuple(value) if isinstance(value, list) else value
        if value is not None and value != true[name]:
            raise ValueError(
                "When providing the `input_tensor` argument, you cannot provide an incompatible "
                f"`{name}` argument."
            )


def Input(  # spelled like a class, as Keras has it
    shape: Any = None,
    batch_size: int | None = None,
    dtype: Any = None,
    sparse: bool | None = None,
    ragged: bool | None = None,
    batch_shape: Any = None,
    name: str | None = None,
    tensor: KerasTensor | None = None,
    optional: bool = False,
) -> KerasTensor:
    """A symbolic tensor of the given shape (without the batch): the start of a functional model.

    Args:
        shape: the sizes of one example; None where a size is open.
        batch_size: how many examples a batch has, if that is fixed.
        dtype: the data's type, by default `keras.config.floatx()`.
        sparse, ragged: not supported.
        batch_shape: shape and batch size in one.
        name: the name of the input, by which a dict of data finds it.
        tensor: a symbolic tensor to stand for.
        optional: whether the model may be called with None here.

    >>> Input(shape=(28, 28, 1)).shape
    (None, 28, 28, 1)
    """
    layer = InputLayer(
        shape, batch_size, dtype, sparse, ragged, batch_shape, tensor, optional, name
    )
    outputs: KerasTensor = layer.nodes[0].outputs
    return outputs


def last_size(layer: Layer, shape: Any) -> int:
    """The size of the last axis, which must be known."""
    if not shape or shape[-1] is None:
        raise ShapeError(
            f"layer {layer.name!r} ({type(layer).__name__}) needs a known last dimension, got the "
            f"input shape {shape}"
        )
    return int(shape[-1])


def check_last(layer: Layer, inputs: Tensor, size: int, axis: int = -1) -> None:
    """Refuse an input whose channel axis is not the one that the weights were made for."""
    if inputs.ndim == 0 or int(inputs.shape[axis]) != int(size):
        raise ShapeError(
            f"layer {layer.name!r} ({type(layer).__name__}) was built for inputs whose axis {axis} "
            f"has size {size}, got an input of shape {tuple(inputs.shape)}",
            repair=f"give it {size} on axis {axis}, or make a new layer",
        )


def check_rank(layer: Layer, shape: Any, rank: int, spelled: str) -> None:
    """Refuse an input of another number of dimensions."""
    if shape is None or len(shape) != rank:
        raise ShapeError(
            f"layer {layer.name!r} ({type(layer).__name__}) takes inputs of shape {spelled} "
            f"({rank} dimensions), got an input of shape {tuple(shape or ())}",
            repair=_rank_repair(tuple(shape or ()), rank, spelled),
        )


def _rank_repair(shape: tuple[Any, ...], rank: int, spelled: str) -> str:
    inner = spelled.strip("()").split(", ")[1:]
    if len(shape) == rank - 1:
        one = f"({', '.join([*(str(n) for n in shape[1:]), '1'])})"
        return f"layers.Reshape({one}) makes {', '.join(inner)} of each row"
    if len(shape) > rank:
        return "layers.Flatten() or layers.Reshape takes axes away"
    return f"an input of {rank} axes: batch, {', '.join(inner)}"


@known
class Masking(Layer):
    """Marks time steps whose features all equal `mask_value`, for the layers that follow; their
    features become 0.

    >>> import numpy as np
    >>> Masking()(np.array([[[0.0, 0.0], [0.0, 1.0]]]))._keras_mask.tolist()
    [[False, True]]
    """

    supports_masking = True
    builds_at_once = True

    def __init__(self, mask_value: Any = 0.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.mask_value = registry.from_config(mask_value)

    def _kept(self, inputs: Tensor) -> Tensor:
        value = self.mask_value
        if not isinstance(value, int | float | Tensor):
            value = creation.tensor(np.asarray(value), dtype=inputs.dtype)
        kept: Tensor = T.ne(inputs, value).any(-1)
        return kept

    def call(self, inputs: Tensor) -> Tensor:
        return inputs * self._kept(inputs).unsqueeze(-1).to(inputs.dtype)

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        if isinstance(inputs, KerasTensor):
            return compute_output_spec(self._kept, inputs)
        return self._kept(inputs)


@known
class Lambda(Layer):
    """A function as a layer: `function(inputs)`, with `mask` and `training` if it takes them.

    >>> import numpy as np
    >>> Lambda(lambda x: x * 2)(np.array([1.0, 2.0])).tolist()
    [2.0, 4.0]
    """

    def __init__(
        self,
        function: Callable[..., Any],
        output_shape: Any = None,
        mask: Any = None,
        arguments: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.function = function
        self.arguments = arguments or {}
        self.mask = mask
        self.supports_masking = mask is not None
        self._output_shape = output_shape
        parameters = inspect.signature(function).parameters if callable(function) else {}
        self._passes = {"mask", "training"} & set(parameters)

    def compute_output_shape(self, input_shape: Any) -> Any:
        if callable(self._output_shape):
            return self._output_shape(input_shape)
        if self._output_shape is not None:
            batch = next(leaves(input_shape), None)
            return map_shape_structure(lambda shape: (batch, *shape), self._output_shape)
        try:
            return super().compute_output_shape(input_shape)
        except Exception as error:
            raise NotImplementedError(
                "We could not automatically infer the shape of the Lambda's output. Please "
                "specify the `output_shape` argument for this Lambda layer."
            ) from error

    def compute_output_spec(self, *args: Any, **kwargs: Any) -> Any:
        if self._output_shape is not None:
            return super().compute_output_spec(*args, **kwargs)
        return compute_output_spec(self.call, *args, **kwargs)

    def call(self, inputs: Any, mask: Any = None, training: bool | None = None) -> Any:
        more = {"mask": mask, "training": training}
        return self.function(
            inputs, **self.arguments, **{name: more[name] for name in self._passes}
        )

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        return self.mask(inputs, mask) if callable(self.mask) else self.mask

    def get_config(self) -> dict[str, Any]:
        """A lambda is written as its code, which is loaded only with `safe_mode=False`."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of code in a file: it is written otherwise, below
            config = super().get_config()
        config.pop("mask", None)
        values = {
            "function": self.function, "output_shape": self._output_shape, "mask": self.mask,
        }  # fmt: skip
        for name, value in values.items():
            if getattr(value, "__name__", None) == "<lambda>":
                code, defaults, closure = registry.function_code(value)
                parts = {"code": code, "defaults": defaults, "closure": closure}
                config[name] = {"class_name": "__lambda__", "config": parts}
            elif value is not None:
                config[name] = registry.to_config(value) if callable(value) else value
        return config | {"arguments": registry.to_config(self.arguments)}

    @classmethod
    def from_config(
        cls, config: dict[str, Any], custom_objects: Any = None, safe_mode: bool | None = None
    ) -> Any:
        """The layer of a config. Code that is written in it is run only with `safe_mode=False`."""
        trusted = registry.in_safe_mode() if safe_mode is None else safe_mode
        with (
            registry.CustomObjectScope(custom_objects or {}),
            registry.SafeModeScope(trusted is not False),
        ):
            return super().from_config(config)


@known
class Activation(Layer):
    """y = f(x) with an activation function f, by its name or as a function."""

    supports_masking = True
    builds_at_once = True

    def __init__(self, activation: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.activation = activations.get(activation)

    def call(self, inputs: Tensor) -> Tensor:
        return self.activation(inputs)


@known
class Identity(Layer):
    """The input itself, or the structure of inputs."""

    supports_masking = True
    builds_at_once = True

    def call(self, inputs: Any) -> Any:
        return inputs

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape

    def compute_output_spec(self, inputs: Any) -> Any:
        return map_leaves(
            lambda t: KerasTensor(t.shape, t.dtype, sparse=t.sparse, ragged=t.ragged), inputs
        )
