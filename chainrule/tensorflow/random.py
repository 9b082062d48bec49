"""`tf.random`: numbers by chance, from the stream "default", from a seed, or from a Generator.

An operation's own `seed` begins a sequence that goes on from call to call until `set_seed`; the
`stateless_` functions give the same numbers for the same seed.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule import dtypes
from chainrule.data.elements import as_type
from chainrule.names import later
from chainrule.runtime import random as streams
from chainrule.strings import StringTensor, made
from chainrule.tensor import Tensor, creation, fromdata
from chainrule.tensor import functions as T
from chainrule.tensorflow.convert import floating, sizes, tensor

_sequences: dict[int, streams.Generator] = {}


def set_seed(seed: Any) -> None:
    """Begin all random numbers at `seed`.

    >>> set_seed(1); a = uniform((2,)); set_seed(1); b = uniform((2,))
    >>> bool((a == b).all())
    True
    """
    _sequences.clear()
    streams.manual_seed(int(seed))


def _source(seed: Any) -> streams.Generator:
    if isinstance(seed, streams.Generator):
        return seed
    if seed is None:
        return streams.stream("default")
    seed = int(seed)
    if seed not in _sequences:
        outer = streams.stream("default")._seed
        _sequences[seed] = streams.Generator(seed=(outer * 2654435761 + seed) % 2**63)
    return _sequences[seed]


def _stateless(seed: Any) -> streams.Generator:
    a, b = (int(n) for n in sizes(seed))
    return streams.Generator(seed=(a * 6364136223846793005 + b) % 2**63)


def uniform(
    shape: Any, minval: Any = 0, maxval: Any = None, dtype: Any = dtypes.float32, seed: Any = None,
    name: str | None = None,
) -> Tensor:  # fmt: skip
    """Uniform in [minval, maxval); whole numbers for a type of whole numbers."""
    wanted, size = as_type(dtype), sizes(shape)
    if not wanted.is_floating_point:
        if maxval is None:
            raise ValueError(f"Must specify maxval for integer dtype {wanted.name}")
        low, high = int(minval), int(maxval)
        return creation.randint(low, high, size, generator=_source(seed), dtype=wanted)
    drawn: Tensor = creation.rand(size, generator=_source(seed), dtype=wanted)
    if maxval is None:
        maxval = 1
    if isinstance(minval, int | float) and isinstance(maxval, int | float):
        if (minval, maxval) == (0, 1):
            return drawn
        return drawn * float(maxval - minval) + float(minval)
    low, high = tensor(minval, wanted), tensor(maxval, wanted)
    return drawn * (high - low) + low


def normal(
    shape: Any, mean: Any = 0.0, stddev: Any = 1.0, dtype: Any = dtypes.float32, seed: Any = None,
    name: str | None = None,
) -> Tensor:  # fmt: skip
    """Normal with a mean and a standard deviation."""
    drawn: Tensor = creation.randn(sizes(shape), generator=_source(seed), dtype=as_type(dtype))
    if isinstance(mean, int | float) and isinstance(stddev, int | float):
        return drawn if (mean, stddev) == (0, 1) else drawn * float(stddev) + float(mean)
    return drawn * tensor(stddev, drawn.dtype) + tensor(mean, drawn.dtype)


def truncated_normal(
    shape: Any, mean: Any = 0.0, stddev: Any = 1.0, dtype: Any = dtypes.float32, seed: Any = None,
    name: str | None = None,
) -> Tensor:  # fmt: skip
    """Normal, without values beyond two standard deviations."""
    low, high = 0.022750131948179195, 0.9772498680518208  # Φ(-2), Φ(2)
    u = uniform(shape, low, high, dtypes.float32, seed)
    drawn = T.clamp(T.erfinv(u * 2.0 - 1.0) * 2.0**0.5, -2.0, 2.0)
    return (drawn * tensor(stddev, drawn.dtype) + tensor(mean, drawn.dtype)).to(as_type(dtype))


def shuffle(value: Any, seed: Any = None, name: str | None = None) -> Any:
    """The rows in another order."""
    x = tensor(value)
    order = _source(seed).numpy().permutation(len(x))
    if isinstance(x, StringTensor):
        return made(x.array[order])
    return T.index_select(x, 0, fromdata.from_owned(order))


def categorical(
    logits: Any, num_samples: Any, dtype: Any = None, seed: Any = None, name: str | None = None
) -> Tensor:
    """Class numbers with the chances softmax(logits): (n, classes) → (n, num_samples)."""
    x = floating(logits)
    size = (int(x.shape[0]), int(num_samples), int(x.shape[-1]))
    u = T.clamp(creation.rand(size, generator=_source(seed)), min=1e-20)
    out: Tensor = (x.unsqueeze(1) - T.log(-T.log(u))).argmax(-1)
    return out.to(dtypes.int64 if dtype is None else as_type(dtype))


def gamma(
    shape: Any, alpha: Any, beta: Any = None, dtype: Any = dtypes.float32, seed: Any = None,
    name: str | None = None,
) -> Tensor:  # fmt: skip
    """Gamma numbers with shape `alpha` and rate `beta`; their gradient is not followed."""
    a = np.asarray(tensor(alpha).detach()._concrete())
    b = 1.0 if beta is None else np.asarray(tensor(beta).detach()._concrete())
    size = (*sizes(shape), *np.broadcast_shapes(a.shape, np.shape(b)))
    drawn = _source(seed).numpy().gamma(a, 1.0 / np.asarray(b), size)
    return fromdata.from_owned(np.asarray(drawn, as_type(dtype).np))


def poisson(
    shape: Any, lam: Any, dtype: Any = dtypes.float32, seed: Any = None, name: str | None = None
) -> Tensor:
    """Poisson's numbers."""
    rate = np.asarray(tensor(lam).detach()._concrete())
    drawn = _source(seed).numpy().poisson(rate, (*sizes(shape), *rate.shape))
    return fromdata.from_owned(np.asarray(drawn, as_type(dtype).np))


def stateless_uniform(
    shape: Any, seed: Any, minval: Any = 0, maxval: Any = None, dtype: Any = dtypes.float32,
    name: str | None = None, alg: Any = "auto_select",
) -> Tensor:  # fmt: skip
    """`uniform`, the same for the same seed (two numbers)."""
    return uniform(shape, minval, maxval, dtype, _stateless(seed))


def stateless_normal(
    shape: Any, seed: Any, mean: Any = 0.0, stddev: Any = 1.0, dtype: Any = dtypes.float32,
    name: str | None = None, alg: Any = "auto_select",
) -> Tensor:  # fmt: skip
    """`normal`, the same for the same seed (two numbers)."""
    return normal(shape, mean, stddev, dtype, _stateless(seed))


def stateless_truncated_normal(
    shape: Any, seed: Any, mean: Any = 0.0, stddev: Any = 1.0, dtype: Any = dtypes.float32,
    name: str | None = None, alg: Any = "auto_select",
) -> Tensor:  # fmt: skip
    """`truncated_normal`, the same for the same seed (two numbers)."""
    return truncated_normal(shape, mean, stddev, dtype, _stateless(seed))


def stateless_categorical(
    logits: Any, num_samples: Any, seed: Any, dtype: Any = dtypes.int64, name: str | None = None
) -> Tensor:
    """`categorical`, the same for the same seed (two numbers)."""
    return categorical(logits, num_samples, dtype, _stateless(seed))


def split(seed: Any, num: int = 2, alg: Any = "auto_select") -> Tensor:
    """New seeds out of one: (num, 2)."""
    drawn = _stateless(seed).numpy().integers(0, 2**31, (num, 2))
    return fromdata.from_owned(drawn.astype(np.int32))


def fold_in(seed: Any, data: Any, alg: Any = "auto_select") -> Tensor:
    """A new seed out of one and a number."""
    a, b = sizes(seed)
    drawn = _stateless((a, b + 1000003 * (int(data) + 1))).numpy().integers(0, 2**31, 2)
    return fromdata.from_owned(drawn.astype(np.int32))


class Generator:
    """A source of random numbers with a state of its own."""

    def __init__(
        self, copy_from: Generator | None = None, state: Any = None, alg: Any = None
    ) -> None:
        self._source = streams.Generator()
        if copy_from is not None:
            self._source.restore(copy_from._source.snapshot())

    @classmethod
    def from_seed(cls, seed: Any, alg: Any = None) -> Generator:
        """Numbers that follow from a seed."""
        new = cls()
        new._source = streams.Generator(seed=int(seed))
        return new

    @classmethod
    def from_non_deterministic_state(cls, alg: Any = None) -> Generator:
        """Numbers that nobody knows."""
        return cls()

    def normal(
        self,
        shape: Any,
        mean: Any = 0.0,
        stddev: Any = 1.0,
        dtype: Any = dtypes.float32,
        name: Any = None,
    ) -> Tensor:
        return normal(shape, mean, stddev, dtype, self._source)

    def uniform(
        self,
        shape: Any,
        minval: Any = 0,
        maxval: Any = None,
        dtype: Any = dtypes.float32,
        name: Any = None,
    ) -> Tensor:
        return uniform(shape, minval, maxval, dtype, self._source)

    def truncated_normal(
        self,
        shape: Any,
        mean: Any = 0.0,
        stddev: Any = 1.0,
        dtype: Any = dtypes.float32,
        name: Any = None,
    ) -> Tensor:
        return truncated_normal(shape, mean, stddev, dtype, self._source)

    def make_seeds(self, count: int = 1) -> Tensor:
        """Seeds for the stateless functions: (2, count)."""
        drawn = self._source.numpy().integers(0, 2**62, (2, count))
        return fromdata.from_owned(drawn)

    def split(self, count: int = 1) -> list[Generator]:
        """Further generators."""
        seeds = self._source.numpy().integers(0, 2**62, count)
        return [Generator.from_seed(int(s)) for s in seeds]

    def reset_from_seed(self, seed: Any) -> None:
        self._source.manual_seed(int(seed))


_global = Generator()


def get_global_generator() -> Generator:
    """The generator that programs share."""
    return _global


def set_global_generator(generator: Generator) -> None:
    """Share another generator."""
    global _global
    _global = generator


__getattr__ = later(__name__)
