"""Layers that act while training only: dropout and noise."""

from __future__ import annotations

import math
from typing import Any, ClassVar

from chainrule import dtypes, ops
from chainrule.ir.node import Node
from chainrule.keras.layers.base import Layer
from chainrule.keras.layers.input_spec import InputSpec
from chainrule.keras.registry import known
from chainrule.keras.seeds import SeedGenerator
from chainrule.keras.settings import standardize_data_format
from chainrule.runtime.random import Generator
from chainrule.tensor import Tensor, creation
from chainrule.tensor.chance import stream_state
from chainrule.tensor.handle import node_of
from chainrule.tensor.record import apply, steady


def _fraction(value: Any, name: str) -> float:
    if not isinstance(value, int | float) or not 0 <= value <= 1:
        raise ValueError(
            f"Invalid value received for argument `{name}`. Expected a float value between 0 and "
            f"1. Received: {name}={value}"
        )
    return value


class Noisy(Layer):
    """A layer with a source of chance, if it needs one."""

    supports_masking = True
    casts_integers = True
    builds_at_once = True

    def __init__(self, seed: int | None = None, *, draws: bool = True, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.seed = seed
        if draws:
            self.seed_generator = SeedGenerator(seed)

    @property
    def generator(self) -> Generator:
        return self.seed_generator.generator


def drop(x: Tensor, rate: float, shape: Any, generator: Generator) -> Tensor:
    """Zeros with probability `rate`, drawn for `shape` and shared along its axes of size 1; the
    others divided by 1 - rate.
    """
    if rate >= 1:
        return x * 0.0
    sizes = tuple(int(n) for n in shape)
    if generator.twister is not None or not steady(("keras.dropout", sizes), rate):
        return x * kept(x, rate, sizes, generator) * (1.0 / (1.0 - rate))
    kind = x._dtype if x._dtype is dtypes.float64 else dtypes.float32
    node_of(x)  # entering may begin another trace: the generator's state is of this one
    key, offset = stream_state(generator, sizes, kind)
    dropped: Tensor = apply(_dropped, x, key, offset=offset, shape=sizes, kind=kind, rate=rate)
    return dropped


def _dropped(
    x: Node,
    key: Node,
    *,
    offset: int,
    shape: tuple[int, ...],
    kind: dtypes.DType,
    rate: float,
) -> Node:
    stays = ops.random_uniform(key, offset=offset, shape=shape, dtype=kind) >= rate
    return x * (ops.cast(stays, dtype=x.dtype) * (1.0 / (1.0 - rate)))


def kept(x: Tensor, rate: float, shape: Any, generator: Generator) -> Tensor:
    """1 with probability 1 - rate, else 0."""
    stays = creation.rand(tuple(int(n) for n in shape), generator=generator) >= rate
    return stays.to(x.dtype)


def _noise_shape(given: Any) -> tuple[int | None, ...] | None:
    """A valid noise shape as a tuple, or None."""
    if given is None:
        return None
    if isinstance(given, str) or not hasattr(given, "__iter__"):
        raise ValueError(
            "Invalid value received for argument `noise_shape`. Expected a tuple or list of "
            f"integers. Received: noise_shape={given}"
        )
    shape = tuple(given)
    for index, size in enumerate(shape):
        if size is not None and not isinstance(size, int):
            raise ValueError(
                "Invalid value received for argument `noise_shape`. Expected all elements to be "
                f"integers or None. Received element at index {index}: {size} "
                f"(type: {type(size).__name__})"
            )
        if size is not None and size <= 0:
            raise ValueError(
                "Invalid value received for argument `noise_shape`. Expected all dimensions to be "
                f"positive integers or None. Received negative or zero value at index {index}: "
                f"{size}"
            )
    return shape


def _filled(noise_shape: Any, inputs: Tensor) -> tuple[int, ...]:
    """The noise shape with the input's sizes where it says None."""
    sizes = tuple(int(n) for n in inputs.shape)
    if noise_shape is None:
        return sizes
    return tuple(sizes[i] if n is None else n for i, n in enumerate(noise_shape))


@known
class Dropout(Noisy):
    """Zeros with probability `rate` while training; the others are divided by 1 - rate.

    `noise_shape`: sizes of 1 share one draw along their axis.

    >>> import numpy as np
    >>> Dropout(0.5)(np.ones(3)).tolist()
    [1.0, 1.0, 1.0]
    """

    def __init__(
        self, rate: float, noise_shape: Any = None, seed: int | None = None, **kwargs: Any
    ) -> None:
        super().__init__(seed, draws=_fraction(rate, "rate") > 0, **kwargs)
        self.rate = rate
        self.noise_shape = _noise_shape(noise_shape)

    def call(self, inputs: Tensor, training: bool = False) -> Tensor:
        if not training or self.rate == 0:
            return inputs
        return drop(inputs, self.rate, _filled(self.noise_shape, inputs), self.generator)


@known
class AlphaDropout(Noisy):
    """Dropout that keeps mean 0 and variance 1 of self-normalizing networks (SELU): what is dropped
    takes SELU's lowest value, and an affine map restores the moments.

    Source: Klambauer et al. 2017.
    """

    def __init__(
        self, rate: float, noise_shape: Any = None, seed: int | None = None, **kwargs: Any
    ) -> None:
        super().__init__(seed, draws=_fraction(rate, "rate") > 0, **kwargs)
        self.rate = rate
        self.noise_shape = _noise_shape(noise_shape)

    def call(self, inputs: Tensor, training: bool = False) -> Tensor:
        if not training or self.rate == 0:
            return inputs
        lowest = -1.6732632423543772848170429916717 * 1.0507009873554804934193349852946
        stays = kept(inputs, self.rate, _filled(self.noise_shape, inputs), self.generator)
        a = ((1 - self.rate) * (1 + self.rate * lowest**2)) ** -0.5
        return a * (inputs * stays + lowest * (1.0 - stays)) - a * lowest * self.rate


class _SpatialDropout(Dropout):
    rank: ClassVar[int] = 2

    def __init__(
        self,
        rate: float,
        data_format: str | None = None,
        seed: int | None = None,
        name: str | None = None,
        dtype: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(rate, seed=seed, name=name, dtype=dtype, **kwargs)
        self.data_format = standardize_data_format(data_format)
        self.input_spec = InputSpec(ndim=self.rank + 2)

    def call(self, inputs: Tensor, training: bool = False) -> Tensor:
        if not training or self.rate == 0:
            return inputs
        ones = (1,) * self.rank
        batch, *_ = sizes = tuple(int(n) for n in inputs.shape)
        last = self.data_format == "channels_last"
        shape = (batch, *ones, sizes[-1]) if last else (batch, sizes[1], *ones)
        return drop(inputs, self.rate, shape, self.generator)

    def get_config(self) -> dict[str, Any]:
        return {
            "rate": self.rate,
            "seed": self.seed,
            "name": self.name,
            "dtype": self.dtype,
            "data_format": self.data_format,
        }


@known
class SpatialDropout1D(_SpatialDropout):
    """Whole channels zeroed: (batch, n, c)."""

    rank = 1

    def __init__(
        self,
        rate: float,
        seed: int | None = None,
        name: str | None = None,
        dtype: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(rate, "channels_last", seed, name, dtype, **kwargs)

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        del config["data_format"]
        return config


@known
class SpatialDropout2D(_SpatialDropout):
    """Whole channels zeroed: (batch, h, w, c)."""


@known
class SpatialDropout3D(_SpatialDropout):
    """Whole channels zeroed: (batch, d, h, w, c)."""

    rank = 3


@known
class GaussianNoise(Noisy):
    """Normal noise with standard deviation `stddev` (from 0 to 1) added while training."""

    def __init__(self, stddev: float, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(seed, draws=_fraction(stddev, "stddev") > 0, **kwargs)
        self.stddev = stddev

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
        super().__init__(seed, draws=_fraction(rate, "rate") > 0, **kwargs)
        self.rate = rate

    def call(self, inputs: Tensor, training: bool = False) -> Tensor:
        if not training or self.rate == 0:
            return inputs
        noise = creation.randn(tuple(inputs.shape), generator=self.generator, dtype=inputs.dtype)
        return inputs * (1.0 + noise * math.sqrt(self.rate / (1.0 - self.rate)))


@known
class ActivityRegularization(Layer):
    """Adds `l1 · Σ|x| + l2 · Σx²` of its input, per example, to the loss."""

    supports_masking = True
    builds_at_once = True

    def __init__(self, l1: float = 0.0, l2: float = 0.0, **kwargs: Any) -> None:
        super().__init__(
            activity_regularizer={"class_name": "L1L2", "config": {"l1": l1, "l2": l2}}, **kwargs
        )
        self.l1 = l1
        self.l2 = l2

    def call(self, inputs: Tensor) -> Tensor:
        return inputs

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        del config["activity_regularizer"]
        return config
