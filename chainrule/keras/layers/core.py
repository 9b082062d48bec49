"""Input, Dense and the other layers that most models begin with."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable
from typing import Any

from chainrule.keras import activations, constraints, initializers, naming, regularizers
from chainrule.keras.context import current
from chainrule.keras.errors import ShapeError
from chainrule.keras.layers.base import Layer
from chainrule.keras.registry import function_code, known, to_config
from chainrule.keras.settings import standardize_dtype, standardize_shape
from chainrule.keras.symbolic import KerasTensor, Node
from chainrule.keras.variables import Variable
from chainrule.nn import functional as F
from chainrule.tensor import Tensor
from chainrule.tensor import functions as T
from chainrule.training.tree import leaves


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

    def call(self) -> Any:
        raise TypeError("an InputLayer is not called; it stands for the data")

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


@known
class Dense(Layer):
    """`activation(x · kernel + bias)` over the last axis.

    Shape: (..., n) → (..., units). The kernel is (n, units).

    >>> import numpy as np
    >>> Dense(3)(np.zeros((2, 4))).shape
    torch.Size([2, 3])
    """

    casts_integers = True

    def __init__(
        self,
        units: int,
        activation: Any = None,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(activity_regularizer=activity_regularizer, **kwargs)
        if isinstance(units, bool) or int(units) != units or units < 1:
            raise ValueError(f"Dense: units must be a whole number of at least 1, got {units!r}")
        self.units = int(units)
        self.activation = activations.get(activation)
        self.use_bias = use_bias
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.bias_initializer = initializers.get(bias_initializer)
        self.kernel_regularizer = regularizers.get(kernel_regularizer)
        self.bias_regularizer = regularizers.get(bias_regularizer)
        self.kernel_constraint = constraints.get(kernel_constraint)
        self.bias_constraint = constraints.get(bias_constraint)
        self.supports_masking = True
        self.bias: Variable | None = None

    def build(self, input_shape: Any) -> None:
        size = last_size(self, input_shape)
        self.kernel = self.add_weight(
            name="kernel",
            shape=(size, self.units),
            initializer=self.kernel_initializer,
            regularizer=self.kernel_regularizer,
            constraint=self.kernel_constraint,
        )
        if self.use_bias:
            self.bias = self.add_weight(
                name="bias",
                shape=(self.units,),
                initializer=self.bias_initializer,
                regularizer=self.bias_regularizer,
                constraint=self.bias_constraint,
            )
        self.built = True

    def call(self, inputs: Tensor) -> Tensor:
        check_last(self, inputs, self.kernel.shape[0])
        x = inputs @ self.kernel.to(inputs.dtype)
        if self.bias is not None:
            x = x + self.bias.to(x.dtype)
        return self.activation(x)


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
            f"has size {size}, got an input of shape {tuple(inputs.shape)}"
        )


def check_rank(layer: Layer, shape: Any, rank: int, spelled: str) -> None:
    """Refuse an input of another number of dimensions."""
    if shape is None or len(shape) != rank:
        raise ShapeError(
            f"layer {layer.name!r} ({type(layer).__name__}) takes inputs of shape {spelled} "
            f"({rank} dimensions), got an input of shape {tuple(shape or ())}"
        )


@known
class EinsumDense(Layer):
    """`activation(einsum(equation, x, kernel) + bias)`; `output_shape` is without the batch
    axis.
    """

    casts_integers = True

    def __init__(
        self,
        equation: str,
        output_shape: Any,
        activation: Any = None,
        bias_axes: str | None = None,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.equation = equation
        self.partial_output_shape = (
            (output_shape,) if isinstance(output_shape, int) else tuple(output_shape)
        )
        self.activation = activations.get(activation)
        self.bias_axes = bias_axes
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.bias_initializer = initializers.get(bias_initializer)
        self.kernel_regularizer = regularizers.get(kernel_regularizer)
        self.bias_regularizer = regularizers.get(bias_regularizer)
        self.kernel_constraint = constraints.get(kernel_constraint)
        self.bias_constraint = constraints.get(bias_constraint)
        self.bias: Variable | None = None

    def build(self, input_shape: Any) -> None:
        kernel_shape, bias_shape = self._shapes_for(tuple(input_shape))
        self.kernel = self.add_weight(
            name="kernel",
            shape=kernel_shape,
            initializer=self.kernel_initializer,
            regularizer=self.kernel_regularizer,
            constraint=self.kernel_constraint,
        )
        if bias_shape is not None:
            self.bias = self.add_weight(
                name="bias",
                shape=bias_shape,
                initializer=self.bias_initializer,
                regularizer=self.bias_regularizer,
                constraint=self.bias_constraint,
            )
        self.built = True

    def _shapes_for(self, shape: tuple[int | None, ...]) -> tuple[Any, Any]:
        data, rest = self.equation.replace(" ", "").split(",")
        kernel, out = rest.split("->")
        sizes: dict[str, int | None] = {}
        letters, output = data.replace("...", ""), out.replace("...", "")
        trailing = data.startswith("...")
        sizes.update(
            zip(letters, shape[-len(letters) :] if trailing else shape[: len(letters)], strict=True)
        )
        given = self.partial_output_shape
        for letter, size in zip(output[::-1], given[::-1], strict=False):
            if size is not None:
                sizes.setdefault(letter, size)
        missing = [letter for letter in kernel if sizes.get(letter) is None]
        if missing:
            raise ShapeError(
                f"layer {self.name!r}: no size is known for {', '.join(missing)} in "
                f"{self.equation!r} with input shape {shape} and output shape {given}"
            )
        kernel_shape = tuple(sizes[letter] for letter in kernel)
        if not self.bias_axes:
            return kernel_shape, None
        first = min(output.index(letter) for letter in self.bias_axes)
        bias = tuple(sizes[x] if x in self.bias_axes else 1 for x in output[first:])
        return kernel_shape, bias

    def call(self, inputs: Tensor) -> Tensor:
        x = T.einsum(self.equation, inputs, self.kernel.to(inputs.dtype))
        if self.bias is not None:
            x = x + self.bias.to(x.dtype)
        return self.activation(x)

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"output_shape": list(self.partial_output_shape)}


@known
class Embedding(Layer):
    """A row of a table for each whole number: (...) → (..., output_dim)."""

    def __init__(
        self,
        input_dim: int,
        output_dim: int,
        embeddings_initializer: Any = "uniform",
        embeddings_regularizer: Any = None,
        embeddings_constraint: Any = None,
        mask_zero: bool = False,
        weights: Any = None,
        **kwargs: Any,
    ) -> None:
        input_length = kwargs.pop("input_length", None)  # Keras 2; the shape says it
        if input_length is not None and "input_shape" not in kwargs:
            kwargs["input_shape"] = (input_length,)
        super().__init__(**kwargs)
        self.input_dim = int(input_dim)
        self.output_dim = int(output_dim)
        self.embeddings_initializer = initializers.get(embeddings_initializer)
        self.embeddings_regularizer = regularizers.get(embeddings_regularizer)
        self.embeddings_constraint = constraints.get(embeddings_constraint)
        self.mask_zero = mask_zero
        self.supports_masking = mask_zero
        self.autocast = False
        self.build()
        if weights is not None:
            self.embeddings.assign(weights[0] if isinstance(weights, list | tuple) else weights)

    def build(self, input_shape: Any = None) -> None:
        if self.built:
            return
        self.embeddings = self.add_weight(
            name="embeddings",
            shape=(self.input_dim, self.output_dim),
            initializer=self.embeddings_initializer,
            regularizer=self.embeddings_regularizer,
            constraint=self.embeddings_constraint,
        )
        self.built = True

    def call(self, inputs: Tensor) -> Tensor:
        return F.embedding(inputs.long(), self.embeddings)

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        return inputs != 0 if self.mask_zero else None


@known
class Masking(Layer):
    """Marks time steps whose features all equal `mask_value`, for the layers that follow."""

    def __init__(self, mask_value: float = 0.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.mask_value = mask_value
        self.supports_masking = True

    def call(self, inputs: Tensor) -> Tensor:
        kept = T.ne(inputs, self.mask_value).any(-1, keepdim=True)
        return inputs * kept.to(inputs.dtype)

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        return T.ne(inputs, self.mask_value).any(-1)


@known
class Lambda(Layer):
    """A function as a layer."""

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
        parameters = inspect.signature(function).parameters if callable(function) else {}
        self._passes = {"mask", "training"} & set(parameters)

    def call(self, inputs: Any, mask: Any = None, training: bool | None = None) -> Any:
        more = {"mask": mask, "training": training}
        return self.function(
            inputs, **self.arguments, **{name: more[name] for name in self._passes}
        )

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        return self.mask(inputs, previous_mask) if callable(self.mask) else self.mask

    def get_config(self) -> dict[str, Any]:
        """A lambda is written as its code, which is loaded only with `safe_mode=False`."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of code in a file: it is written otherwise, below
            config = super().get_config()
        for name in ("function", "output_shape", "mask"):
            value = self.__dict__.get(name)
            if getattr(value, "__name__", None) == "<lambda>":
                code, defaults, closure = function_code(value)
                parts = {"code": code, "defaults": defaults, "closure": closure}
                config[name] = {"class_name": "__lambda__", "config": parts}
            elif value is not None:
                config[name] = to_config(value)
        return config | {"arguments": to_config(self.arguments)}


@known
class Activation(Layer):
    """An activation function as a layer."""

    def __init__(self, activation: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.activation = activations.get(activation)
        self.supports_masking = True

    def call(self, inputs: Tensor) -> Tensor:
        return self.activation(inputs)


@known
class Identity(Layer):
    """The input itself."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True

    def call(self, inputs: Any) -> Any:
        running = current()
        for tensor in leaves(inputs):
            if running is not None and isinstance(tensor, Tensor):
                running.set_mask(tensor, running.mask_of(tensor))
        return inputs
