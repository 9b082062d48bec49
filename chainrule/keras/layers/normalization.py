"""Batch, layer, group and unit normalization."""

from __future__ import annotations

from typing import Any

from chainrule.keras import constraints, initializers, regularizers
from chainrule.keras.errors import ShapeError
from chainrule.keras.layers.base import Layer
from chainrule.keras.layers.input_spec import InputSpec
from chainrule.keras.layers.wrappers import Wrapper
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
        renorm: bool = False,
        renorm_clipping: dict[str, float] | None = None,
        renorm_momentum: float = 0.99,
        synchronized: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.axis = int(axis[0] if isinstance(axis, list | tuple) else axis)
        if synchronized:
            raise ValueError(
                "Argument synchronized=True is only supported with the TensorFlow backend: here "
                "there is one process, whose batch is the whole batch."
            )
        self.synchronized = False
        self.renorm = renorm
        self.renorm_clipping = _clipping(renorm_clipping or {}) if renorm else renorm_clipping
        self.renorm_momentum = renorm_momentum
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
        _check_axes(self.axis, input_shape)
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
                autocast=False,
            )
        if self.center:
            self.beta = self.add_weight(
                name="beta",
                shape=(size,),
                initializer=self.beta_initializer,
                regularizer=self.beta_regularizer,
                constraint=self.beta_constraint,
                autocast=False,
            )
        self.moving_mean = self._statistic("moving_mean", size, self.moving_mean_initializer)
        self.moving_variance = self._statistic(
            "moving_variance", size, self.moving_variance_initializer
        )
        if self.renorm:
            deviation = self.moving_variance.numpy() ** 0.5
            self.moving_stddev = self._statistic("moving_stddev", size, None)
            self.renorm_mean = self._statistic("renorm_mean", size, self.moving_mean_initializer)
            self.renorm_stddev = self._statistic("renorm_stddev", size, None)
            self.moving_stddev.assign(deviation)
            self.renorm_stddev.assign(deviation)
        self.input_spec = InputSpec(ndim=len(input_shape), axes={self.axis: size})
        self.built = True

    def _statistic(self, name: str, size: int, initializer: Any) -> Variable:
        return self.add_weight(
            name=name, shape=(size,), initializer=initializer, trainable=False, autocast=False
        )

    def call(self, inputs: Tensor, training: bool | None = None, mask: Any = None) -> Tensor:
        if mask is not None and mask.ndim != inputs.ndim - 1:
            raise ShapeError(
                "The mask provided should be one dimension less than the inputs. Received: "
                f"mask.shape={tuple(mask.shape)}, inputs.shape={tuple(inputs.shape)}"
            )
        wanted = inputs.dtype
        inputs = _precise(inputs)
        axis = self.axis % inputs.ndim
        others = tuple(a for a in range(inputs.ndim) if a != axis)
        shape = [1] * inputs.ndim
        shape[axis] = int(inputs.shape[axis])
        gamma: Any = None if self.gamma is None else self.gamma.to(inputs.dtype)
        beta: Any = None if self.beta is None else self.beta.to(inputs.dtype)
        if training and self.trainable:
            mean, variance = self._moments(inputs, others, mask)
            if self.renorm:
                gamma, beta = self._renormalized(mean, variance, gamma, beta)
            else:
                self._move(mean, variance)
        else:
            mean, variance = (
                self.moving_mean.to(inputs.dtype),
                self.moving_variance.to(inputs.dtype),
            )
        factor = T.rsqrt(variance + self.epsilon)
        if gamma is not None:
            factor = factor * gamma
        x = (inputs - mean.reshape(shape)) * factor.reshape(shape)
        if beta is not None:
            x = x + beta.reshape(shape)
        return x.to(wanted)

    def _renormalized(self, mean: Tensor, variance: Tensor, gamma: Any, beta: Any) -> Any:
        """γ and β with batch renormalization's r and d in them (Ioffe 2017): the batch is seen as
        the running statistics see it, within the limits of `renorm_clipping`.
        """
        with no_grad():
            deviation = T.sqrt(variance + self.epsilon)
            held = T.clamp(self.renorm_stddev.to(mean.dtype), min=self.epsilon**0.5)
            r = deviation / held
            d = (mean - self.renorm_mean.to(mean.dtype)) / held
            limits = self.renorm_clipping or {}
            if limits.get("rmin") is not None or limits.get("rmax") is not None:
                r = T.clamp(r, min=limits.get("rmin"), max=limits.get("rmax"))
            if limits.get("dmax") is not None:
                d = T.clamp(d, min=-limits["dmax"], max=limits["dmax"])
            for moving, new, momentum in (
                (self.renorm_mean, mean, self.renorm_momentum),
                (self.renorm_stddev, deviation, self.renorm_momentum),
                (self.moving_mean, mean, self.momentum),
                (self.moving_stddev, deviation, self.momentum),
            ):
                moving.assign(moving * momentum + new.to(moving.dtype) * (1.0 - momentum))
            stddev = self.moving_stddev
            self.moving_variance.assign(T.clamp(stddev * stddev - self.epsilon, min=0.0))
        if gamma is not None:
            r, d = r * gamma, d * gamma
        return r, d if beta is None else d + beta

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
        with no_grad():
            for moving, new in ((self.moving_mean, mean), (self.moving_variance, variance)):
                moving.assign(
                    moving * self.momentum + new.detach().to(moving.dtype) * (1.0 - self.momentum)
                )


def _precise(x: Tensor) -> Tensor:
    """Half types in float32: sums of many need the digits."""
    return x.float() if x.dtype.itemsize == 2 else x


def _clipping(limits: dict[str, float]) -> dict[str, float]:
    """Valid limits of batch renormalization."""
    keys = ["rmax", "rmin", "dmax"]
    if set(limits) - set(keys):
        raise ValueError(
            f"Received invalid keys for `renorm_clipping` argument: {limits}. "
            f"Supported values: {keys}."
        )
    rmax, rmin, dmax = (limits.get(key) for key in keys)
    if rmax is not None and rmin is not None and rmax < rmin:
        raise ValueError(
            "rmax should be greater than rmin in the `renorm_clipping` argument. "
            f"Received: rmax={rmax}, rmin={rmin}."
        )
    if dmax is not None and dmax < 0:
        raise ValueError(
            f"dmax should be non-negative in the `renorm_clipping` argument. Received: dmax={dmax}."
        )
    return limits


def _check_axes(axis: Any, shape: Any) -> None:
    for one in axis if isinstance(axis, list | tuple) else [axis]:
        if not -len(shape) <= one < len(shape):
            raise ShapeError(
                f"Axis {one} is out of bounds for input shape {tuple(shape)}. Received: axis={axis}"
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
        rms_scaling = kwargs.pop("rms_scaling", False)
        super().__init__(**kwargs)
        if not isinstance(axis, int | list | tuple):
            raise TypeError(
                "Expected an int or a list/tuple of ints for the argument 'axis', but received "
                f"instead: axis={axis}"
            )
        self.axis = axis if isinstance(axis, int) else list(axis)
        self.epsilon = epsilon
        self.center = center
        self.scale = scale
        self.rms_scaling = rms_scaling
        self.beta_initializer = initializers.get(beta_initializer)
        self.gamma_initializer = initializers.get(gamma_initializer)
        self.beta_regularizer = regularizers.get(beta_regularizer)
        self.gamma_regularizer = regularizers.get(gamma_regularizer)
        self.beta_constraint = constraints.get(beta_constraint)
        self.gamma_constraint = constraints.get(gamma_constraint)
        self.gamma: Variable | None = None
        self.beta: Variable | None = None

    def build(self, input_shape: Any) -> None:
        _check_axes(self.axis, input_shape)
        axes = self._axes(len(input_shape))
        shape = tuple(input_shape[a] for a in axes)
        if self.scale or self.rms_scaling:
            self.gamma = self.add_weight(
                name="gamma",
                shape=shape,
                initializer=self.gamma_initializer,
                regularizer=self.gamma_regularizer,
                constraint=self.gamma_constraint,
                autocast=False,
            )
        if self.center and not self.rms_scaling:
            self.beta = self.add_weight(
                name="beta",
                shape=shape,
                initializer=self.beta_initializer,
                regularizer=self.beta_regularizer,
                constraint=self.beta_constraint,
                autocast=False,
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
        wanted = inputs.dtype
        inputs = _precise(inputs)
        gamma = None if self.gamma is None else self.gamma.to(inputs.dtype)
        beta = None if self.beta is None else self.beta.to(inputs.dtype)
        last = axes == list(range(inputs.ndim - len(axes), inputs.ndim))
        if last and not self.rms_scaling:
            return F.layer_norm(inputs, found, gamma, beta, self.epsilon).to(wanted)
        shape = [int(n) if a in axes else 1 for a, n in enumerate(inputs.shape)]
        mean = inputs.mean(axes, keepdim=True)
        centred = inputs - mean
        factor = T.rsqrt((centred * centred).mean(axes, keepdim=True) + self.epsilon)
        x = (inputs if self.rms_scaling else centred) * factor
        if gamma is not None:
            x = x * gamma.reshape(shape)
        return (x if beta is None else x + beta.reshape(shape)).to(wanted)

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        if self.rms_scaling:
            config["rms_scaling"] = True
        return config


@known
class RMSNormalization(Layer):
    """`scale · x / √(mean(x²) + ε)`, the mean over `axis` of each example.

    Source: Zhang, Sennrich 2019.
    """

    supports_masking = True
    casts_integers = True

    def __init__(self, axis: Any = -1, epsilon: float = 1e-6, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.axis = axis if isinstance(axis, int) else list(axis)
        self.epsilon = epsilon

    def build(self, input_shape: Any) -> None:
        _check_axes(self.axis, input_shape)
        axes = self._axes(len(input_shape))
        self.scale = self.add_weight(
            name="scale", shape=tuple(input_shape[a] for a in axes), initializer="ones"
        )
        self.built = True

    def _axes(self, rank: int) -> list[int]:
        given = [self.axis] if isinstance(self.axis, int) else self.axis
        return sorted(a % rank for a in given)

    def call(self, inputs: Tensor) -> Tensor:
        axes = self._axes(inputs.ndim)
        x = _precise(inputs)
        shape = [int(n) if a in axes else 1 for a, n in enumerate(x.shape)]
        x = x * T.rsqrt((x * x).mean(axes, keepdim=True) + self.epsilon)
        return (x * self.scale.to(x.dtype).reshape(shape)).to(inputs.dtype)


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
        if not isinstance(groups, int) or (groups <= 0 and groups != -1):
            raise ValueError(
                "Received an invalid value for argument `groups`, expected a positive integer (or "
                f"`-1` for instance normalization). Received: groups={groups}"
            )
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
        _check_axes(self.axis, input_shape)
        size = input_shape[self.axis]
        if size is None:
            raise ShapeError(
                f"Axis {self.axis} of input tensor should have a defined dimension but the layer "
                f"received an input with shape {tuple(input_shape)}."
            )
        self.groups = size if self.groups == -1 else self.groups
        if size < self.groups:
            raise ShapeError(
                f"Number of groups ({self.groups}) cannot be more than the number of channels "
                f"({size})."
            )
        if size % self.groups:
            raise ShapeError(
                f"Number of groups ({self.groups}) must be a multiple of the number of channels "
                f"({size})."
            )
        self.input_spec = InputSpec(ndim=len(input_shape), axes={self.axis: size})
        if self.scale:
            self.gamma = self.add_weight(
                name="gamma", shape=(size,), initializer=self.gamma_initializer,
                regularizer=self.gamma_regularizer, constraint=self.gamma_constraint,
                autocast=False,
            )  # fmt: skip
        if self.center:
            self.beta = self.add_weight(
                name="beta", shape=(size,), initializer=self.beta_initializer,
                regularizer=self.beta_regularizer, constraint=self.beta_constraint,
                autocast=False,
            )  # fmt: skip
        self.built = True

    def call(self, inputs: Tensor) -> Tensor:
        x = _precise(inputs).movedim(self.axis, 1)
        gamma = None if self.gamma is None else self.gamma.to(x.dtype)
        beta = None if self.beta is None else self.beta.to(x.dtype)
        x = F.group_norm(x, self.groups, gamma, beta, self.epsilon)
        return x.movedim(1, self.axis).to(inputs.dtype)


@known
class UnitNormalization(Layer):
    """x / ‖x‖ along `axis`."""

    supports_masking = True
    casts_integers = True
    builds_at_once = True

    def __init__(self, axis: Any = -1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not isinstance(axis, int | list | tuple):
            raise TypeError(
                "Invalid value for `axis` argument: expected an int or a list/tuple of ints. "
                f"Received: axis={axis}"
            )
        self.axis = axis if isinstance(axis, int) else list(axis)

    def call(self, inputs: Tensor) -> Tensor:
        _check_axes(self.axis, inputs.shape)
        squares = (inputs * inputs).sum(self.axis, keepdim=True)
        return inputs * T.rsqrt(T.clamp(squares, min=1e-12))


@known
class SpectralNormalization(Wrapper):
    """The wrapped layer with its kernel divided by (an estimate of) its largest singular value, at
    each call with `training=True`.

    Source: Miyato et al. 2018.

    >>> import numpy as np
    >>> from chainrule.keras.layers import Dense
    >>> layer = SpectralNormalization(Dense(3), power_iterations=20)
    >>> _ = layer(np.ones((2, 4)), training=True)
    >>> bool(abs(np.linalg.norm(layer.layer.kernel.numpy(), 2) - 1) < 1e-3)
    True
    """

    def __init__(self, layer: Any, power_iterations: int = 1, **kwargs: Any) -> None:
        super().__init__(layer, **kwargs)
        if power_iterations <= 0:
            raise ValueError(
                "`power_iterations` should be greater than zero. Received: "
                f"`power_iterations={power_iterations}`"
            )
        self.power_iterations = power_iterations

    def build(self, input_shape: Any = None) -> None:
        super().build(input_shape)
        self.input_spec = InputSpec(min_ndim=1, axes={-1: input_shape[-1]})
        for name in ("kernel", "embeddings"):
            if hasattr(self.layer, name):
                self.kernel = getattr(self.layer, name)
                break
        else:
            raise ValueError(
                f"{type(self.layer).__name__} object has no attribute 'kernel' nor 'embeddings'"
            )
        self.vector_u = self.add_weight(
            name="vector_u",
            shape=(1, int(self.kernel.shape[-1])),
            initializer=initializers.TruncatedNormal(stddev=0.02),
            trainable=False,
            dtype=self.kernel.dtype,
        )
        self.built = True

    def call(self, inputs: Tensor, training: bool = False) -> Tensor:
        if training:
            with no_grad():
                u, kernel = self._normalized()
                self.vector_u.assign(u)
                self.kernel.assign(kernel)
        return self.layer(inputs).to(inputs.dtype)

    def _normalized(self) -> tuple[Tensor, Tensor]:
        """The next vector u and the kernel over its largest singular value; a kernel of zeros
        stays.
        """
        weights = self.kernel.reshape(-1, self.kernel.shape[-1])
        u: Tensor = self.vector_u
        for _ in range(self.power_iterations):
            v = _unit(u @ weights.T)
            u = _unit(v @ weights)
        sigma = (v @ weights @ u.T).reshape(())
        zero = (self.kernel == 0).all()
        return T.where(zero, self.vector_u, u), T.where(zero, self.kernel, self.kernel / sigma)

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"power_iterations": self.power_iterations}


def _unit(x: Tensor) -> Tensor:
    return x * T.rsqrt(T.clamp((x * x).sum(), min=1e-12))
