"""Initial values of weights, with Keras's formulas and defaults.

An initializer is called with a shape. Values come from the stream "init"; with a `seed` they are a
function of the seed and the shape alone, the same at every call. Fans are counted as Keras does: of
a kernel `(…, in, out)`, `fan_in = in · receptive field` and `fan_out = out · receptive field`.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from chainrule.keras.naming import snake_case
from chainrule.keras.registry import known, lookup
from chainrule.keras.settings import to_dtype
from chainrule.runtime.random import Generator, stream
from chainrule.tensor import Tensor, creation


class Initializer:
    """Base class: `initializer(shape, dtype=None)` is a tensor. A subclass of yours overrides
    `__call__`.
    """

    def values(self, shape: tuple[int, ...]) -> np.ndarray:
        raise NotImplementedError

    def __call__(self, shape: Any, dtype: Any = None, **options: Any) -> Tensor:
        shape = (shape,) if isinstance(shape, int) else tuple(shape)
        return creation.from_owned(np.array(self.values(shape), dtype=to_dtype(dtype).np))

    def get_config(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if not name.startswith("_")}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Initializer:
        return cls(**config)

    def clone(self) -> Initializer:
        return type(self).from_config(self.get_config())


class Random(Initializer):
    """Base of those that draw."""

    def __init__(self, seed: Any = None) -> None:
        self.seed = seed

    @property
    def generator(self) -> np.random.Generator:
        if self.seed is None:
            return stream("init").numpy()
        seed = getattr(self.seed, "seed", self.seed)
        return Generator(seed=int(seed)).numpy()


@known
class Zeros(Initializer):
    """All zero."""

    def values(self, shape: tuple[int, ...]) -> np.ndarray:
        return np.zeros(shape)


@known
class Ones(Initializer):
    """All one."""

    def values(self, shape: tuple[int, ...]) -> np.ndarray:
        return np.ones(shape)


@known
class Constant(Initializer):
    """All `value` (a number, or an array that fits)."""

    def __init__(self, value: Any = 0.0) -> None:
        self.value = value

    def values(self, shape: tuple[int, ...]) -> np.ndarray:
        return np.broadcast_to(np.asarray(self.value), shape)


@known
class Identity(Initializer):
    """`gain` on the diagonal of a matrix."""

    def __init__(self, gain: float = 1.0) -> None:
        self.gain = gain

    def values(self, shape: tuple[int, ...]) -> np.ndarray:
        if len(shape) != 2:
            raise ValueError(f"an identity needs two dimensions, got the shape {shape}")
        return self.gain * np.eye(*shape)


@known
class RandomNormal(Random):
    """Normal with the given mean and standard deviation."""

    def __init__(self, mean: float = 0.0, stddev: float = 0.05, seed: Any = None) -> None:
        super().__init__(seed)
        self.mean = mean
        self.stddev = stddev

    def values(self, shape: tuple[int, ...]) -> np.ndarray:
        return self.generator.normal(self.mean, self.stddev, shape)


@known
class RandomUniform(Random):
    """Uniform in [minval, maxval)."""

    def __init__(self, minval: float = -0.05, maxval: float = 0.05, seed: Any = None) -> None:
        super().__init__(seed)
        self.minval = minval
        self.maxval = maxval

    def values(self, shape: tuple[int, ...]) -> np.ndarray:
        return self.generator.uniform(self.minval, self.maxval, shape)


@known
class TruncatedNormal(Random):
    """Normal, with values beyond two standard deviations drawn again."""

    def __init__(self, mean: float = 0.0, stddev: float = 0.05, seed: Any = None) -> None:
        super().__init__(seed)
        self.mean = mean
        self.stddev = stddev

    def values(self, shape: tuple[int, ...]) -> np.ndarray:
        return self.mean + self.stddev * draw_truncated(self.generator, shape)


def draw_truncated(generator: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Standard normal values inside (-2, 2). Their own standard deviation is 0.8796."""
    values = generator.standard_normal(shape)
    while True:
        far = np.abs(values) > 2.0
        count = int(far.sum())
        if count == 0:
            return np.asarray(values)
        values[far] = generator.standard_normal(count)


@known
class VarianceScaling(Random):
    """Variance `scale / n`, where n is fan_in, fan_out or their mean (fan_avg)."""

    _MODES = ("fan_in", "fan_out", "fan_avg")
    _DISTRIBUTIONS = ("normal", "truncated_normal", "untruncated_normal", "uniform")

    def __init__(
        self,
        scale: float = 1.0,
        mode: str = "fan_in",
        distribution: str = "truncated_normal",
        seed: Any = None,
    ) -> None:
        super().__init__(seed)
        if scale <= 0:
            raise ValueError(f"scale must be positive, got {scale}")
        if mode not in self._MODES:
            raise ValueError(f"mode must be one of {self._MODES}, got {mode!r}")
        if distribution not in self._DISTRIBUTIONS:
            raise ValueError(
                f"distribution must be one of {self._DISTRIBUTIONS}, got {distribution!r}"
            )
        self.scale = scale
        self.mode = mode
        self.distribution = distribution

    def values(self, shape: tuple[int, ...]) -> np.ndarray:
        fan_in, fan_out = fans(shape)
        count = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}[self.mode]
        variance = self.scale / max(1.0, count)
        if self.distribution == "uniform":
            limit = math.sqrt(3.0 * variance)
            return self.generator.uniform(-limit, limit, shape)
        if self.distribution == "untruncated_normal":
            return self.generator.normal(0.0, math.sqrt(variance), shape)
        # Cutting at two deviations narrows the distribution; divide to get the wanted variance
        # back.
        deviation = math.sqrt(variance) / 0.87962566103423978
        return deviation * draw_truncated(self.generator, shape)


def fans(shape: tuple[int, ...]) -> tuple[float, float]:
    """
    >>> fans((784, 128)), fans((3, 3, 16, 32))
    ((784.0, 128.0), (144.0, 288.0))
    """
    if len(shape) < 1:
        return 1.0, 1.0
    if len(shape) == 1:
        return float(shape[0]), float(shape[0])
    field = math.prod(shape[:-2])
    return float(shape[-2] * field), float(shape[-1] * field)


class _Scaled(VarianceScaling):
    """A VarianceScaling with a name of its own; its config is the seed."""

    _scaling: tuple[float, str, str]

    def __init__(self, seed: Any = None) -> None:
        super().__init__(*self._scaling, seed=seed)

    def get_config(self) -> dict[str, Any]:
        return {"seed": self.seed}


@known
class GlorotUniform(_Scaled):
    """Uniform with the limit √(6 / (fan_in + fan_out)): the default of kernels."""

    _scaling = (1.0, "fan_avg", "uniform")


@known
class GlorotNormal(_Scaled):
    """Truncated normal with variance 2 / (fan_in + fan_out)."""

    _scaling = (1.0, "fan_avg", "truncated_normal")


@known
class HeNormal(_Scaled):
    """Truncated normal with variance 2 / fan_in."""

    _scaling = (2.0, "fan_in", "truncated_normal")


@known
class HeUniform(_Scaled):
    """Uniform with variance 2 / fan_in."""

    _scaling = (2.0, "fan_in", "uniform")


@known
class LecunNormal(_Scaled):
    """Truncated normal with variance 1 / fan_in."""

    _scaling = (1.0, "fan_in", "truncated_normal")


@known
class LecunUniform(_Scaled):
    """Uniform with variance 1 / fan_in."""

    _scaling = (1.0, "fan_in", "uniform")


@known
class Orthogonal(Random):
    """`gain` times a matrix with orthonormal rows or columns: the default of recurrent kernels."""

    def __init__(self, gain: float = 1.0, seed: Any = None) -> None:
        super().__init__(seed)
        self.gain = gain

    def values(self, shape: tuple[int, ...]) -> np.ndarray:
        if len(shape) < 2:
            raise ValueError(f"an orthogonal matrix needs two dimensions, got the shape {shape}")
        rows, columns = math.prod(shape[:-1]), shape[-1]
        tall = self.generator.standard_normal((max(rows, columns), min(rows, columns)))
        q, r = np.linalg.qr(tall)
        q = q * np.sign(np.diag(r))  # makes the draw uniform over all rotations
        return self.gain * (q if rows >= columns else q.T).reshape(shape)


_CLASSES = (
    Zeros, Ones, Constant, Identity, RandomNormal, RandomUniform, TruncatedNormal, VarianceScaling,
    GlorotUniform, GlorotNormal, HeNormal, HeUniform, LecunNormal, LecunUniform, Orthogonal,
)  # fmt: skip

_TABLE: dict[str, Any] = {
    **{c.__name__: c for c in _CLASSES},
    **{snake_case(c.__name__): c for c in _CLASSES},
    "normal": RandomNormal,
    "uniform": RandomUniform,
    "one": Ones,
    "zero": Zeros,
    "orthogonal": Orthogonal,
}

# The names of old programs: functions that made initializers.
zeros, ones, constant, identity, orthogonal = Zeros, Ones, Constant, Identity, Orthogonal
random_normal, random_uniform, truncated_normal = RandomNormal, RandomUniform, TruncatedNormal
variance_scaling, glorot_uniform, glorot_normal = VarianceScaling, GlorotUniform, GlorotNormal
he_normal, he_uniform, lecun_normal, lecun_uniform = HeNormal, HeUniform, LecunNormal, LecunUniform
IdentityInitializer, OrthogonalInitializer = Identity, Orthogonal


def get(identifier: Any) -> Any:
    """The initializer that a name, a config, a class or a callable means.

    >>> get("he_normal").get_config()
    {'seed': None}
    """
    if identifier is None:
        return None
    if isinstance(identifier, Tensor | np.ndarray | int | float):
        return Constant(np.asarray(identifier))
    found = lookup(identifier, _TABLE, "initializer")
    if isinstance(found, type):
        return found()
    if not callable(found):
        raise ValueError(f"cannot make an initializer from {identifier!r}")
    return found


def serialize(initializer: Initializer) -> dict[str, Any]:
    return {"class_name": type(initializer).__name__, "config": initializer.get_config()}


def deserialize(config: dict[str, Any]) -> Any:
    return get(config)
