"""Initial values of weights, with Keras's formulas and defaults.

An initializer is called with a shape. Values come from the stream "init"; with a `seed` they are a
function of the seed and the shape alone, the same at every call. Fans are counted as Keras does: of
a kernel `(…, in, out)`, `fan_in = in · receptive field` and `fan_out = out · receptive field`.
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from chainrule import names
from chainrule.keras.naming import snake_case
from chainrule.keras.registry import from_config, known, lookup, to_config
from chainrule.keras.settings import to_dtype
from chainrule.runtime.random import Generator, stream
from chainrule.signal import windows
from chainrule.tensor import Tensor, fromdata


class Initializer:
    """Base class: `initializer(shape, dtype=None)` is a tensor. A subclass of yours overrides
    `__call__`.
    """

    def values(self, shape: tuple[int, ...]) -> np.ndarray:
        raise NotImplementedError

    def __call__(self, shape: Any, dtype: Any = None) -> Tensor:
        shape = (shape,) if isinstance(shape, int) else tuple(shape)
        return fromdata.from_owned(np.array(self.values(shape), dtype=to_dtype(dtype).np))

    def get_config(self) -> dict[str, Any]:
        values = {name: value for name, value in vars(self).items() if not name.startswith("_")}
        return {name: to_config(value) for name, value in values.items()}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Initializer:
        return cls(**from_config(config))

    def clone(self) -> Initializer:
        return type(self).from_config(self.get_config())


class Random(Initializer):
    """Base of those that draw. `seed` is an integer (the same values at every call), a
    `SeedGenerator` (others at every call), or None: then values come from the stream "init".
    """

    def __init__(self, seed: Any = None) -> None:
        if isinstance(seed, dict):
            seed = from_config(seed)
        integer = isinstance(seed, int | np.integer) and not isinstance(seed, bool)
        if not (seed is None or integer or hasattr(seed, "generator")):
            raise ValueError(
                "`seed` argument should be an instance of `keras.random.SeedGenerator()` or an "
                f"integer. Received: seed={seed}"
            )
        self.seed = seed

    @property
    def generator(self) -> np.random.Generator:
        if self.seed is None:
            return stream("init").numpy()
        own: Generator = getattr(self.seed, "generator", None) or Generator(seed=int(self.seed))
        return own.numpy()


RandomInitializer = Random


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
        value = self.value
        if isinstance(value, Tensor):
            value = value.detach().numpy()
        return np.broadcast_to(np.asarray(value), shape)


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
    """Variance `scale / n`, where n is fan_in, fan_out or their mean (fan_avg). `input_axes` and
    `output_axes` say which axes of a kernel are counted, where they are not the usual ones.
    """

    _MODES = ("fan_in", "fan_out", "fan_avg")
    _DISTRIBUTIONS = ("uniform", "truncated_normal", "untruncated_normal")

    def __init__(
        self,
        scale: float = 1.0,
        mode: str = "fan_in",
        distribution: str = "truncated_normal",
        seed: Any = None,
        input_axes: Sequence[int] | None = None,
        output_axes: Sequence[int] | None = None,
    ) -> None:
        super().__init__(seed)
        if scale <= 0:
            raise ValueError(f"Argument `scale` must be positive float. Received: scale={scale}")
        if mode not in self._MODES:
            raise ValueError(f"Invalid `mode` argument: {mode}. It must be one of {self._MODES}")
        distribution = distribution.lower()
        if distribution == "normal":
            distribution = "truncated_normal"
        if distribution not in self._DISTRIBUTIONS:
            raise ValueError(
                f"Invalid `distribution` argument: {distribution}. It must be one of "
                f"{self._DISTRIBUTIONS}"
            )
        self.scale = scale
        self.mode = mode
        self.distribution = distribution
        self.input_axes = input_axes
        self.output_axes = output_axes

    def values(self, shape: tuple[int, ...]) -> np.ndarray:
        fan_in, fan_out = compute_fans(shape, self.input_axes, self.output_axes)
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


def compute_fans(
    shape: Sequence[int],
    input_axes: Sequence[int] | None = None,
    output_axes: Sequence[int] | None = None,
) -> tuple[int, int]:
    """How many inputs an output has, and how many outputs an input.

    >>> compute_fans((784, 128)), compute_fans((3, 3, 16, 32))
    ((784, 128), (144, 288))
    """
    if input_axes is not None and output_axes is not None:
        return math.prod(shape[a] for a in input_axes), math.prod(shape[a] for a in output_axes)
    if len(shape) < 1:
        return 1, 1
    if len(shape) == 1:
        return int(shape[0]), int(shape[0])
    field = math.prod(shape[:-2])
    return int(shape[-2] * field), int(shape[-1] * field)


class _Scaled(VarianceScaling):
    """A VarianceScaling with a name of its own; its config is the seed and the axes."""

    _scaling: ClassVar[tuple[float, str, str]]

    def __init__(
        self,
        seed: Any = None,
        input_axes: Sequence[int] | None = None,
        output_axes: Sequence[int] | None = None,
    ) -> None:
        super().__init__(*self._scaling, seed, input_axes, output_axes)

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        return {name: config[name] for name in ("seed", "input_axes", "output_axes")}


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


@known
class STFT(Initializer):
    """The kernel of a short time Fourier transform as a convolution over time: cosines ("real") or
    sines ("imag") under a window, for the shape (frame, channels, frequencies).
    """

    def __init__(
        self,
        side: str = "real",
        window: Any = "hann",
        scaling: str | None = "density",
        periodic: bool = False,
    ) -> None:
        if side not in ("real", "imag"):
            raise ValueError(f"side should be 'real' or 'imag', not {side}")
        if isinstance(window, str):
            _window(window, 1, periodic)
        if scaling not in (None, "density", "spectrum"):
            raise ValueError(
                "Scaling is invalid, it must be `None`, 'density' or 'spectrum'. Received "
                f"scaling={scaling}"
            )
        self.side = side
        self.window = window
        self.scaling = scaling
        self.periodic = periodic

    def values(self, shape: tuple[int, ...]) -> np.ndarray:
        frame, _, frequencies = shape
        time = np.arange(frame).reshape(-1, 1, 1)
        angle = -2.0 * np.pi * time * np.arange(frequencies) / (2.0 * (frequencies - 1))
        kernel = np.cos(angle) if self.side == "real" else np.sin(angle)
        if self.window is None:
            return kernel
        window = self.window
        if isinstance(window, str):
            window = _window(window, frame, self.periodic)
        window = np.asarray(window, np.float64)
        if window.shape != (frame,):
            raise ValueError(
                "The shape of `window` must be equal to [frame_length]. "
                f"Received: window shape={window.shape}"
            )
        if self.scaling == "density":
            window = window / np.sqrt((window**2).sum())
        elif self.scaling == "spectrum":
            window = window / np.abs(window).sum()
        return kernel * window.reshape(-1, 1, 1)


def _window(name: str, length: int, periodic: bool) -> np.ndarray:
    """A window by the name that SciPy gives it; some are SciPy's."""
    if name in ("bartlett", "blackman", "cosine", "hamming", "hann", "nuttall"):
        made = getattr(windows, name)(length, sym=not periodic, dtype=to_dtype("float64"))
        return np.asarray(made.numpy())
    try:
        signal = importlib.import_module("scipy.signal")
    except ImportError as error:
        raise ValueError(f"the window {name!r} needs SciPy: pip install scipy") from error
    return np.asarray(signal.get_window(name, length, periodic))


_CLASSES = (
    STFT, Zeros, Ones, Constant, Identity, RandomNormal, RandomUniform, TruncatedNormal,
    VarianceScaling, GlorotUniform, GlorotNormal, HeNormal, HeUniform, LecunNormal, LecunUniform,
    Orthogonal,
)  # fmt: skip

_TABLE: dict[str, Any] = {
    **{c.__name__: c for c in _CLASSES},
    **{snake_case(c.__name__): c for c in _CLASSES},
    "normal": RandomNormal,
    "uniform": RandomUniform,
    "one": Ones,
    "zero": Zeros,
    "orthogonal": Orthogonal, "IdentityInitializer": Identity, "OrthogonalInitializer": Orthogonal,
    "STFTInitializer": STFT, "stft": STFT,
}  # fmt: skip

# The names of old programs: functions that made initializers.
zeros, ones, constant, identity, orthogonal = Zeros, Ones, Constant, Identity, Orthogonal
random_normal, random_uniform, truncated_normal = RandomNormal, RandomUniform, TruncatedNormal
variance_scaling, glorot_uniform, glorot_normal = VarianceScaling, GlorotUniform, GlorotNormal
he_normal, he_uniform, lecun_normal, lecun_uniform = HeNormal, HeUniform, LecunNormal, LecunUniform
IdentityInitializer, OrthogonalInitializer, STFTInitializer = Identity, Orthogonal, STFT
stft = STFT


def get(identifier: Any) -> Any:
    """The initializer that a name, a config, a class or a callable means.

    >>> get("he_normal").get_config()
    {'seed': None, 'input_axes': None, 'output_axes': None}
    """
    if identifier is None:
        return None
    if isinstance(identifier, Tensor | np.ndarray | np.generic):
        return _Given(identifier)
    found = lookup(identifier, _TABLE, "initializer")
    if isinstance(found, type):
        return found()
    if not callable(found):
        raise ValueError(f"cannot make an initializer from {identifier!r}")
    return found


class _Given:
    """The values themselves, for a weight of their shape."""

    def __init__(self, values: Any) -> None:
        self.values = values

    def __call__(self, shape: Any, dtype: Any = None, **options: Any) -> Tensor:
        if tuple(shape) != tuple(self.values.shape):
            raise ValueError(
                f"Expected `shape` to be {tuple(self.values.shape)}, that of the tensor given as "
                f"initializer. Received: shape={tuple(shape)}"
            )
        values = self.values
        if isinstance(values, Tensor):
            values = values.detach().numpy()
        return fromdata.from_owned(np.array(values, dtype=to_dtype(dtype).np))


def serialize(initializer: Any) -> Any:
    """An initializer as plain data."""
    return to_config(initializer)


def deserialize(config: Any, custom_objects: dict[str, Any] | None = None) -> Any:
    """What `serialize` was given, or the initializer of that name."""
    return from_config(config, custom_objects=custom_objects, module_objects=_TABLE)


__getattr__ = names.later(__name__)
