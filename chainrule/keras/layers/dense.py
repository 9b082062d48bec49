"""Dense and EinsumDense: products with a kernel."""

from __future__ import annotations

import copy
import re
from typing import Any, NamedTuple

from chainrule.keras import activations, constraints, initializers, regularizers
from chainrule.keras.errors import ShapeError
from chainrule.keras.initializers import VarianceScaling
from chainrule.keras.layers.input_spec import InputSpec
from chainrule.keras.layers.lora import LowRank
from chainrule.keras.registry import known
from chainrule.keras.variables import Variable
from chainrule.tensor import Tensor
from chainrule.tensor import functions as T


@known
class Dense(LowRank):
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
        lora_rank: int | None = None,
        lora_alpha: float | None = None,
        quantization_config: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(activity_regularizer=activity_regularizer, **kwargs)
        if isinstance(units, bool) or not hasattr(units, "__index__") or units < 1:
            raise ValueError(
                "Received an invalid value for `units`, expected a positive integer. "
                f"Received: units={units}"
            )
        self.units = int(units)
        self.activation = activations.get(activation)
        self.use_bias = use_bias
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.bias_initializer = initializers.get(bias_initializer)
        self.kernel_regularizer = regularizers.get(kernel_regularizer)
        self.bias_regularizer = regularizers.get(bias_regularizer)
        self.kernel_constraint = constraints.get(kernel_constraint)
        self.bias_constraint = constraints.get(bias_constraint)
        self._prepare_lora(lora_rank, lora_alpha)
        self.quantization_config = quantization_config
        self.input_spec = InputSpec(min_ndim=2)
        self.supports_masking = True
        self.bias: Variable | None = None

    def build(self, input_shape: Any) -> None:
        if not input_shape or input_shape[-1] is None:
            raise ShapeError(
                f"layer {self.name!r} (Dense) needs a known last dimension, got the input shape "
                f"{input_shape}"
            )
        size = int(input_shape[-1])
        self._kernel = self.add_weight(
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
        self.input_spec = InputSpec(min_ndim=2, axes={-1: size})
        self.built = True
        if self.lora_rank:
            self.enable_lora(self.lora_rank, self.lora_alpha)

    @property
    def kernel(self) -> Any:
        """(n, units), with what LoRA has learned."""
        return self._adapted_kernel()

    def call(self, inputs: Tensor) -> Tensor:
        x = inputs @ self.kernel.to(inputs.dtype)
        if self.bias is not None:
            x = x + self.bias.to(x.dtype)
        return self.activation(x)


class Product(NamedTuple):
    """The shapes of an `einsum` with a kernel."""

    kernel: tuple[int, ...]
    bias: tuple[int, ...] | None
    output: tuple[int | None, ...]
    input_axes: list[int]  # of the kernel: what is summed over
    output_axes: list[int]  # of the kernel: what is new


def einsum_shapes(
    equation: str, bias_axes: str | None, input_shape: Any, output_shape: Any
) -> Product:
    """The shapes of kernel, bias and output of `equation` ("ab,bc->ac", "...ab,bc->...ac" or
    "abc...,cd->abd...").

    >>> einsum_shapes("abc,cd->abd", "d", (None, 3, 4), (None, 5))[:3]
    ((4, 5), (5,), (None, None, 5))
    """
    spaceless = equation.replace("...", "0").replace(" ", "")
    found = (
        re.fullmatch("([a-zA-Z]+),([a-zA-Z]+)->([a-zA-Z]+)", spaceless)
        or re.fullmatch("0([a-zA-Z]+),([a-zA-Z]+)->0([a-zA-Z]+)", spaceless)
        or re.fullmatch("([a-zA-Z]{2,})0,([a-zA-Z]+)->([a-zA-Z]+)0", spaceless)
    )
    if found is None:
        raise ValueError(
            f"Invalid einsum equation '{equation}'. Equations must be in the form [X],[Y]->[Z], "
            "...[X],[Y]->...[Z], or [X]...,[Y]->[Z]...."
        )
    data, kernel, out = found.groups()
    left = spaceless.startswith("0")
    given = tuple(input_shape)
    rest = max(len(given) - len(data), 0)  # axes that the dots stand for
    sizes_in = dict(zip(data, given[rest:] if left else given, strict=False))
    inner = (output_shape,) if isinstance(output_shape, int) else tuple(output_shape)
    if left:
        full = (*given[: max(rest, 1)], *inner)
        sizes_out = dict(zip(out, full[rest:], strict=False))
    else:
        full = (given[0], *inner, *(given[len(given) - rest :] if rest else ()))
        sizes_out = dict(zip(out, full, strict=False))
    _check_letters(data, kernel, out, sizes_in, sizes_out)
    # A letter of the result first, as its size may be given only there.
    sizes = {x: sizes_out[x] if x in sizes_out else sizes_in[x] for x in kernel}
    open_sizes = [x for x in kernel if sizes[x] is None]
    if open_sizes:
        raise ShapeError(
            f"no size is known for {', '.join(open_sizes)} in {equation!r} with input shape "
            f"{given} and output shape {inner}"
        )
    bias = None
    if bias_axes is not None:
        for letter in bias_axes:
            if letter not in out:
                raise ValueError(
                    f"Bias dimension '{letter}' was requested, but is not part of the output spec "
                    f"'{out}'"
                )
        first = min(out.index(letter) for letter in bias_axes)
        bias = tuple(sizes_out[x] if x in bias_axes else 1 for x in out[first:])
        bias += () if left else (1,) * rest
    return Product(
        tuple(sizes[x] for x in kernel),
        bias,
        full,
        [i for i, x in enumerate(kernel) if x not in sizes_out],
        [i for i, x in enumerate(kernel) if x in sizes_out],
    )


def _check_letters(data: str, kernel: str, out: str, sizes_in: Any, sizes_out: Any) -> None:
    for letter in data:
        wanted = sizes_out.get(letter)
        if wanted is not None and wanted != sizes_in.get(letter):
            raise ShapeError(
                "Input shape and output shape do not match at shared dimension "
                f"'{letter}'. Input shape is {sizes_in.get(letter)}, and output shape is {wanted}."
            )
    for letter in out:
        if letter not in data and letter not in kernel:
            raise ValueError(
                f"Dimension '{letter}' was specified in the output '{out}' but has no "
                f"corresponding dim in the input spec '{data}' or weight spec '{kernel}'"
            )
    for letter in kernel:
        if letter not in data and letter not in out:
            raise ValueError(
                f"Weight dimension '{letter}' did not have a match in either the input spec "
                f"'{data}' or the output spec '{out}'. For this layer, the weight must be fully "
                "specified."
            )


@known
class EinsumDense(LowRank):
    """`activation(einsum(equation, x, kernel) + bias)`; `output_shape` is without the batch axis.

    >>> from chainrule.keras import Input
    >>> EinsumDense("abc,cde->abde", (None, 2, 5), bias_axes="de")(Input((7, 3))).shape
    (None, None, 2, 5)
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
        lora_rank: int | None = None,
        lora_alpha: float | None = None,
        gptq_unpacked_column_size: int | None = None,
        quantization_config: Any = None,
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
        self._prepare_lora(lora_rank, lora_alpha)
        self.quantization_config = quantization_config
        self.bias: Variable | None = None

    def _product(self, input_shape: Any) -> Product:
        return einsum_shapes(self.equation, self.bias_axes, input_shape, self.partial_output_shape)

    def build(self, input_shape: Any) -> None:
        product = self._product(input_shape)
        self._kernel = self.add_weight(
            name="kernel",
            shape=product.kernel,
            initializer=self._scaled_initializer(product),
            regularizer=self.kernel_regularizer,
            constraint=self.kernel_constraint,
        )
        if product.bias is not None:
            self.bias = self.add_weight(
                name="bias",
                shape=product.bias,
                initializer=self.bias_initializer,
                regularizer=self.bias_regularizer,
                constraint=self.bias_constraint,
            )
        self.input_spec = InputSpec(ndim=len(input_shape))
        self.built = True
        if self.lora_rank:
            self.enable_lora(self.lora_rank, self.lora_alpha)

    def _scaled_initializer(self, product: Product) -> Any:
        """An initializer that scales by fans counts those of the product's axes."""
        initializer = self.kernel_initializer
        axes = ("input_axes", "output_axes")
        if not isinstance(initializer, VarianceScaling) or not all(
            hasattr(initializer, name) for name in axes
        ):
            return initializer
        if all(getattr(initializer, name) is not None for name in axes):
            return initializer
        scaled = copy.copy(initializer)
        scaled.input_axes = product.input_axes
        scaled.output_axes = product.output_axes
        return scaled

    @property
    def kernel(self) -> Any:
        """The kernel, with what LoRA has learned."""
        return self._adapted_kernel()

    def compute_output_shape(self, input_shape: Any) -> Any:
        return self._product(input_shape).output

    def call(self, inputs: Tensor, training: Any = None) -> Tensor:
        x: Tensor = T.einsum(self.equation, inputs, self.kernel.to(inputs.dtype))
        if self.bias is not None:
            x = x + self.bias.to(x.dtype)
        return self.activation(x)

    def get_config(self) -> dict[str, Any]:
        config = super().get_config() | {"output_shape": self.partial_output_shape}
        config.pop("gptq_unpacked_column_size", None)
        return config
