"""Activations with parameters, as layers."""

from __future__ import annotations

from typing import Any

from chainrule import dtypes
from chainrule.keras import activations, constraints, initializers, regularizers
from chainrule.keras.errors import ShapeError
from chainrule.keras.layers.base import Layer
from chainrule.keras.layers.input_spec import InputSpec
from chainrule.keras.registry import known
from chainrule.tensor import Tensor
from chainrule.tensor import functions as T


class _Elementwise(Layer):
    supports_masking = True
    casts_integers = True
    builds_at_once = True


@known
class ReLU(_Elementwise):
    """max(x, 0), with an optional ceiling, slope and threshold."""

    def __init__(
        self,
        max_value: float | None = None,
        negative_slope: float = 0.0,
        threshold: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if max_value is not None and max_value < 0:
            raise ValueError(
                "max_value of a ReLU layer cannot be a negative value. "
                f"Received: max_value={max_value}"
            )
        for name, value in (("negative_slope", negative_slope), ("threshold", threshold)):
            if value is None or value < 0:
                raise ValueError(
                    f"{name} of a ReLU layer cannot be None or a negative value. "
                    f"Received: {name}={value}"
                )
        self.max_value = max_value
        self.negative_slope = negative_slope
        self.threshold = threshold

    def call(self, inputs: Tensor) -> Tensor:
        return activations.relu(inputs, self.negative_slope, self.max_value, self.threshold)


@known
class LeakyReLU(_Elementwise):
    """x where positive, else negative_slope · x."""

    def __init__(self, negative_slope: float = 0.3, **kwargs: Any) -> None:
        negative_slope = kwargs.pop("alpha", negative_slope)  # Keras 2's name
        super().__init__(**kwargs)
        if negative_slope is None or negative_slope < 0:
            raise ValueError(
                "The negative_slope value of a Leaky ReLU layer cannot be None or negative value. "
                f"Expected a float. Received: negative_slope={negative_slope}"
            )
        self.negative_slope = negative_slope

    def call(self, inputs: Tensor) -> Tensor:
        return activations.leaky_relu(inputs, self.negative_slope)


@known
class ELU(_Elementwise):
    """x where positive, else alpha (eˣ − 1)."""

    def __init__(self, alpha: float = 1.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.alpha = alpha

    def call(self, inputs: Tensor) -> Tensor:
        return activations.elu(inputs, self.alpha)


@known
class Softmax(_Elementwise):
    """eˣ / Σ eˣ along `axis`; where `mask` is False the result is 0."""

    def __init__(self, axis: Any = -1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.axis = axis

    def call(self, inputs: Tensor, mask: Any = None) -> Tensor:
        if mask is not None:
            self._check_mask(inputs, mask)
            mask = mask if mask.dtype is dtypes.bool_ else mask > 0.5
            inputs = T.where(mask, inputs, large_negative(inputs))
        if isinstance(self.axis, list | tuple) and len(self.axis) > 1:
            outputs = T.exp(inputs - T.logsumexp(inputs, tuple(self.axis), keepdim=True))
        else:
            axis = self.axis[0] if isinstance(self.axis, list | tuple) else self.axis
            outputs = activations.softmax(inputs, axis=axis)
        return outputs if mask is None else T.where(mask, outputs, 0.0)

    def _check_mask(self, inputs: Tensor, mask: Tensor) -> None:
        pairs = zip(mask.shape[::-1], inputs.shape[::-1], strict=False)
        if mask.ndim > inputs.ndim or any(m not in (1, n) for m, n in pairs):
            raise ShapeError(
                "The `mask` must be broadcastable to `inputs` and must not have more dimensions. "
                "Each mask dimension must be 1 or match the corresponding input dimension. "
                f"Received: inputs.shape={tuple(inputs.shape)}, mask.shape={tuple(mask.shape)}"
            )


def large_negative(like: Tensor) -> float:
    """What is added to a score to silence it: far below any score, and finite in its type."""
    return -3e4 if like.dtype.itemsize == 2 else -1e9


@known
class PReLU(Layer):
    """x where positive, else a learned slope per position (shared along `shared_axes`) times x."""

    supports_masking = True
    casts_integers = True

    def __init__(
        self,
        alpha_initializer: Any = "Zeros",
        alpha_regularizer: Any = None,
        alpha_constraint: Any = None,
        shared_axes: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.alpha_initializer = initializers.get(alpha_initializer)
        self.alpha_regularizer = regularizers.get(alpha_regularizer)
        self.alpha_constraint = constraints.get(alpha_constraint)
        axes = [shared_axes] if isinstance(shared_axes, int) else shared_axes
        self.shared_axes = None if axes is None else list(axes)

    def build(self, input_shape: Any) -> None:
        shape = list(input_shape[1:])
        for axis in self.shared_axes or ():
            shape[axis - 1] = 1
        self.alpha = self.add_weight(
            name="alpha",
            shape=tuple(shape),
            initializer=self.alpha_initializer,
            regularizer=self.alpha_regularizer,
            constraint=self.alpha_constraint,
        )
        shared = self.shared_axes or range(1, len(input_shape))
        axes = {i: input_shape[i] for i in range(1, len(input_shape)) if i not in shared}
        self.input_spec = InputSpec(ndim=len(input_shape), axes=axes)
        self.built = True

    def call(self, inputs: Tensor) -> Tensor:
        positive = activations.relu(inputs)
        return positive - self.alpha * activations.relu(-inputs)
