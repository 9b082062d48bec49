"""Batch, layer, group and unit normalization."""

from __future__ import annotations

from typing import Any

from chainrule.keras import constraints, context, initializers, regularizers
from chainrule.keras.errors import ShapeError
from chainrule.keras.layers.base import Layer
from chainrule.keras.layers.core import check_last
from chainrule.keras.registry import known
from chainrule.keras.variables import Variable
from chainrule.nn import functional as F
from chainrule.tensor import Tensor, no_grad
from chainrule.tensor import functions as T


@known
class BatchNormalization(Layer):
    """`γ (x - mean) / √(variance + ε) + β`, mean and variance over all axes but `axis`.

    Training takes them from the batch and moves the running ones towards them: `moving ← momentum ·
    moving + (1 - momentum) · batch`. Inference uses the running ones. The variance is divided by n,
    not n - 1, also in the running one (Keras 3).
    """

    supports_masking = True
    casts_integers = True

    def __init__(
        self,
        axis: int = -1,
        momentum: float = 0.99,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        beta_initializer: Any = "zeros",
        gamma_initializer: Any = "ones",
        moving_mean_initializer: Any = "zeros",
        moving_variance_initializer: Any = "ones",
        beta_regularizer: Any = None,
        gamma_regularizer: Any = None,
        beta_constraint: Any = None,
        gamma_constraint: Any = None,
        synchronized: bool = False,
        renorm: bool = False,
        renorm_clipping: Any = None,
        renorm_momentum: float = 0.99,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if renorm:
            raise NotImplementedError(
                "BatchNormalization has no renorm=True; GroupNormalization and LayerNormalization "
                "do not depend on the batch"
            )
        self.synchronized, self.renorm = synchronized, renorm
        self.renorm_clipping, self.renorm_momentum = renorm_clipping, renorm_momentum
        if isinstance(axis, list | tuple):
            axis = axis[0]
        self.axis = int(axis)
        self.momentum = float(momentum)
        self.epsilon = epsilon
        self.center = center
        self.scale = scale
        self.beta_initializer = initializers.get(beta_initializer)
        self.gamma_initializer = initializers.get(gamma_initializer)
        self.moving_mean_initializer = initializers.get(moving_mean_initializer)
        self.moving_variance_initializer = initializers.get(moving_variance_initializer)
        self.beta_regularizer = regularizers.get(beta_regularizer)
        self.gamma_regularizer = regularizers.get(gamma_regularizer)
        self.beta_constraint = constraints.get(beta_constraint)
        self.gamma_constraint = constraints.get(gamma_constraint)
        self.gamma: Variable | None = None
        self.beta: Variable | None = None

    def build(self, input_shape: Any) -> None:
        size = input_shape[self.axis]
        if size is None:
            raise ShapeError(
                f"layer {self.name!r} (BatchNormalization) needs a known size of axis {self.axis}, "
                f"got the input shape {tuple(input_shape)}"
            )
        if self.scale:
            self.gamma = self.add_weight(
                name="gamma",
                shape=(size,),
                initializer=self.gamma_initializer,
                regularizer=self.gamma_regularizer,
                constraint=self.gamma_constraint,
            )
        if self.center:
            self.beta = self.add_weight(
                name="beta",
                shape=(size,),
                initializer=self.beta_initializer,
                regularizer=self.beta_regularizer,
                constraint=self.beta_constraint,
            )
        self.moving_mean = self.add_weight(
            name="moving_mean",
            shape=(size,),
            initializer=self.moving_mean_initializer,
            trainable=False,
        )
        self.moving_variance = self.add_weight(
            name="moving_variance",
            shape=(size,),
            initializer=self.moving_variance_initializer,
            trainable=False,
        )
        self.built = True

    def call(self, inputs: Tensor, training: bool = False, mask: Any = None) -> Tensor:
        check_last(self, inputs, self.moving_mean.shape[0], self.axis)
        axis = self.axis % inputs.ndim
        others = tuple(a for a in range(inputs.ndim) if a != axis)
        shape = [1] * inputs.ndim
        shape[axis] = int(inputs.shape[axis])
        if training and self.trainable:
            mean, variance = self._moments(inputs, others, mask)
            self._move(mean, variance)
        else:
            mean, variance = (
                self.moving_mean.to(inputs.dtype),
                self.moving_variance.to(inputs.dtype),
            )
        factor = T.rsqrt(variance + self.epsilon)
        if self.gamma is not None:
            factor = factor * self.gamma.to(inputs.dtype)
        x = (inputs - mean.reshape(shape)) * factor.reshape(shape)
        if self.beta is not None:
            x = x + self.beta.to(inputs.dtype).reshape(shape)
        return x

    def _moments(self, x: Tensor, others: tuple[int, ...], mask: Any) -> tuple[Tensor, Tensor]:
        if mask is None:
            mean = x.mean(others, keepdim=True)
            centred = x - mean
            return mean.reshape(-1), (centred * centred).mean(others)
        weights = mask.to(x.dtype).reshape(*mask.shape, *(1,) * (x.ndim - mask.ndim))
        weights = weights.expand(x.shape)
        total = weights.sum(others) + 1e-7
        mean = (x * weights).sum(others) / total
        shape = [1] * x.ndim
        shape[self.axis % x.ndim] = -1
        centred = x - mean.reshape(shape)
        return mean, (centred * centred * weights).sum(others) / total

    def _move(self, mean: Tensor, variance: Tensor) -> None:
        running = context.current()
        if running is not None and running.probing:
            return
        with no_grad():
            for moving, new in ((self.moving_mean, mean), (self.moving_variance, variance)):
                moving.assign(
                    moving * self.momentum + new.detach().to(moving.dtype) * (1.0 - self.momentum)
                )


@known
class LayerNormalization(Layer):
    """`γ (x - mean) / √(variance + ε) + β`, mean and variance over `axis` of each example."""

    supports_masking = True
    casts_integers = True

    def __init__(
        self,
        axis: Any = -1,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        beta_initializer: Any = "zeros",
        gamma_initializer: Any = "ones",
        beta_regularizer: Any = None,
        gamma_regularizer: Any = None,
        beta_constraint: Any = None,
        gamma_constraint: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.axis = axis if isinstance(axis, int) else list(axis)
        self.epsilon = epsilon
        self.center = center
        self.scale = scale
        self.beta_initializer = initializers.get(beta_initializer)
        self.gamma_initializer = initializers.get(gamma_initializer)
        self.beta_regularizer = regularizers.get(beta_regularizer)
        self.gamma_regularizer = regularizers.get(gamma_regularizer)
        self.beta_constraint = constraints.get(beta_constraint)
        self.gamma_constraint = constraints.get(gamma_constraint)
        self.gamma: Variable | None = None
        self.beta: Variable | None = None

    def build(self, input_shape: Any) -> None:
        axes = self._axes(len(input_shape))
        shape = tuple(input_shape[a] for a in axes)
        if self.scale:
            self.gamma = self.add_weight(
                name="gamma",
                shape=shape,
                initializer=self.gamma_initializer,
                regularizer=self.gamma_regularizer,
                constraint=self.gamma_constraint,
            )
        if self.center:
            self.beta = self.add_weight(
                name="beta",
                shape=shape,
                initializer=self.beta_initializer,
                regularizer=self.beta_regularizer,
                constraint=self.beta_constraint,
            )
        self._built_shape = shape
        self.built = True

    def _axes(self, rank: int) -> list[int]:
        given = [self.axis] if isinstance(self.axis, int) else self.axis
        return sorted(a % rank for a in given)

    def call(self, inputs: Tensor) -> Tensor:
        axes = self._axes(inputs.ndim)
        found = tuple(int(inputs.shape[a]) for a in axes)
        if found != tuple(self._built_shape):
            raise ShapeError(
                f"layer {self.name!r} (LayerNormalization) was built for sizes {self._built_shape} "
                f"along axis {self.axis}, got an input of shape {tuple(inputs.shape)}"
            )
        gamma = None if self.gamma is None else self.gamma.to(inputs.dtype)
        beta = None if self.beta is None else self.beta.to(inputs.dtype)
        if axes == list(range(inputs.ndim - len(axes), inputs.ndim)):
            return F.layer_norm(inputs, found, gamma, beta, self.epsilon)
        shape = [int(n) if a in axes else 1 for a, n in enumerate(inputs.shape)]
        mean = inputs.mean(axes, keepdim=True)
        centred = inputs - mean
        x = centred * T.rsqrt((centred * centred).mean(axes, keepdim=True) + self.epsilon)
        if gamma is not None:
            x = x * gamma.reshape(shape)
        return x if beta is None else x + beta.reshape(shape)


@known
class GroupNormalization(Layer):
    """Mean and variance over `groups` groups of channels of each example (groups=-1: one per
    channel).
    """

    supports_masking = True
    casts_integers = True

    def __init__(
        self,
        groups: int = 32,
        axis: int = -1,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        beta_initializer: Any = "zeros",
        gamma_initializer: Any = "ones",
        beta_regularizer: Any = None,
        gamma_regularizer: Any = None,
        beta_constraint: Any = None,
        gamma_constraint: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.groups = groups
        self.axis = axis
        self.epsilon = epsilon
        self.center = center
        self.scale = scale
        self.beta_initializer = initializers.get(beta_initializer)
        self.gamma_initializer = initializers.get(gamma_initializer)
        self.beta_regularizer = regularizers.get(beta_regularizer)
        self.gamma_regularizer = regularizers.get(gamma_regularizer)
        self.beta_constraint = constraints.get(beta_constraint)
        self.gamma_constraint = constraints.get(gamma_constraint)
        self.gamma: Variable | None = None
        self.beta: Variable | None = None

    def build(self, input_shape: Any) -> None:
        size = int(input_shape[self.axis])
        self._group_count = size if self.groups == -1 else self.groups
        if size % self._group_count:
            raise ShapeError(
                f"layer {self.name!r} (GroupNormalization) cannot make {self.groups} groups of "
                f"{size} channels"
            )
        if self.scale:
            self.gamma = self.add_weight(
                name="gamma", shape=(size,), initializer=self.gamma_initializer,
                regularizer=self.gamma_regularizer, constraint=self.gamma_constraint,
            )  # fmt: skip
        if self.center:
            self.beta = self.add_weight(
                name="beta", shape=(size,), initializer=self.beta_initializer,
                regularizer=self.beta_regularizer, constraint=self.beta_constraint,
            )  # fmt: skip
        self.built = True

    def call(self, inputs: Tensor) -> Tensor:
        x = inputs.movedim(self.axis, 1)
        gamma = None if self.gamma is None else self.gamma.to(x.dtype)
        beta = None if self.beta is None else self.beta.to(x.dtype)
        x = F.group_norm(x, self._group_count, gamma, beta, self.epsilon)
        return x.movedim(1, self.axis)


@known
class UnitNormalization(Layer):
    """Vectors along `axis` divided by their length."""

    supports_masking = True
    casts_integers = True

    def __init__(self, axis: Any = -1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.axis = axis

    def call(self, inputs: Tensor) -> Tensor:
        squares = (inputs * inputs).sum(self.axis, keepdim=True)
        return inputs * T.rsqrt(T.clamp(squares, min=1e-12))
