"""Layers that act while training only: dropout and noise."""

from __future__ import annotations

from typing import Any

from chainrule.keras.layers.base import Layer
from chainrule.keras.registry import known
from chainrule.keras.settings import standardize_data_format
from chainrule.nn import functional as F
from chainrule.runtime.random import Generator, stream
from chainrule.tensor import Tensor, creation


def _rate(value: float, name: str) -> float:
    if not isinstance(value, int | float) or not 0 <= value <= 1:
        raise ValueError(f"{name}: rate must lie between 0 and 1, got {value!r}")
    return float(value)


class Noisy(Layer):
    """A layer with a source of randomness of its own if it has a seed."""

    supports_masking = True
    casts_integers = True

    def __init__(self, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.seed = seed
        self._generator = None if seed is None else Generator(seed=int(seed))

    @property
    def generator(self) -> Generator:
        return self._generator if self._generator is not None else stream("dropout")


def drop(x: Tensor, rate: float, shape: Any, generator: Generator) -> Tensor:
    """Zeros with probability `rate`, drawn for `shape` and shared along its axes of size 1."""
    if rate >= 1:
        return x * 0.0
    kept = creation.rand(tuple(shape), generator=generator) >= rate
    return x * kept.to(x.dtype) * (1.0 / (1.0 - rate))


@known
class Dropout(Noisy):
    """Zeros with probability `rate` while training; the others are divided by 1 - rate."""

    def __init__(
        self, rate: float, noise_shape: Any = None, seed: int | None = None, **kwargs: Any
    ) -> None:
        super().__init__(seed, **kwargs)
        self.rate = _rate(rate, "Dropout")
        self.noise_shape = noise_shape

    def call(self, inputs: Tensor, training: bool = False) -> Tensor:
        if not training or self.rate == 0:
            return inputs
        if self.noise_shape is None and self._generator is None:
            return F.dropout(inputs, self.rate, training=True)
        shape = self.noise_shape or inputs.shape
        shape = [n if n is not None else inputs.shape[axis] for axis, n in enumerate(shape)]
        return drop(inputs, self.rate, shape, self.generator)


class _SpatialDropout(Noisy):
    rank = 2

    def __init__(
        self,
        rate: float,
        data_format: str | None = None,
        seed: int | None = None,
        name: str | None = None,
        dtype: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(seed, name=name, dtype=dtype, **kwargs)
        self.rate = _rate(rate, type(self).__name__)
        self.data_format = standardize_data_format(data_format)

    def call(self, inputs: Tensor, training: bool = False) -> Tensor:
        if not training or self.rate == 0:
            return inputs
        sizes = [int(n) for n in inputs.shape]
        last = self.data_format == "channels_last"
        ones = [1] * (inputs.ndim - 2)
        shape = [sizes[0], *ones, sizes[-1]] if last else [sizes[0], sizes[1], *ones]
        return drop(inputs, self.rate, shape, self.generator)


@known
class SpatialDropout1D(_SpatialDropout):
    """Whole channels zeroed: (batch, n, c)."""


@known
class SpatialDropout2D(_SpatialDropout):
    """Whole channels zeroed: (batch, h, w, c)."""


@known
class GaussianNoise(Noisy):
    """Normal noise added while training."""

    def __init__(self, stddev: float, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(seed, **kwargs)
        if stddev < 0:
            raise ValueError(f"GaussianNoise: stddev cannot be negative, got {stddev}")
        self.stddev = float(stddev)

    def call(self, inputs: Tensor, training: bool = False) -> Tensor:
        if not training or self.stddev == 0:
            return inputs
        noise = creation.randn(tuple(inputs.shape), generator=self.generator, dtype=inputs.dtype)
        return inputs + noise * self.stddev


@known
class GaussianDropout(Noisy):
    """Multiplication by normal noise around 1, with the variance rate / (1 - rate), while
    training.
    """

    def __init__(self, rate: float, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(seed, **kwargs)
        self.rate = _rate(rate, "GaussianDropout")

    def call(self, inputs: Tensor, training: bool = False) -> Tensor:
        if not training or self.rate == 0:
            return inputs
        noise = creation.randn(tuple(inputs.shape), generator=self.generator, dtype=inputs.dtype)
        return inputs * (1.0 + noise * (self.rate / (1.0 - self.rate)) ** 0.5)


@known
class ActivityRegularization(Layer):
    """Adds `l1 · Σ|x| + l2 · Σx²` of its input to the loss."""

    supports_masking = True

    def __init__(self, l1: float = 0.0, l2: float = 0.0, **kwargs: Any) -> None:
        super().__init__(
            activity_regularizer={"class_name": "L1L2", "config": {"l1": l1, "l2": l2}}, **kwargs
        )
        self.l1 = l1
        self.l2 = l2

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        del config["activity_regularizer"]
        return config

    def call(self, inputs: Tensor) -> Tensor:
        return inputs * 1.0
