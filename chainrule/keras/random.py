"""`keras.random`: tensors by chance, from the stream "default" or from a seed.

A seed that is a number gives the same values at every call; a SeedGenerator goes on from call to
call.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.keras.arrays import to_tensor
from chainrule.keras.initializers import draw_truncated as _truncated
from chainrule.keras.seeds import SeedGenerator
from chainrule.keras.settings import to_dtype
from chainrule.nn import functional as F
from chainrule.runtime.random import Generator
from chainrule.runtime.random import stream as _stream
from chainrule.tensor import Tensor, creation, fromdata
from chainrule.tensor import functions as T


def _generator(seed: Any) -> Generator:
    if seed is None:
        return _stream("default")
    return seed.generator if isinstance(seed, SeedGenerator) else Generator(seed=int(seed))


def _sizes(shape: Any) -> tuple[int, ...]:
    return (shape,) if isinstance(shape, int) else tuple(int(n) for n in shape)


def normal(
    shape: Any, mean: float = 0.0, stddev: float = 1.0, dtype: Any = None, seed: Any = None
) -> Tensor:
    """Normal with the given mean and standard deviation."""
    drawn = creation.randn(_sizes(shape), generator=_generator(seed), dtype=to_dtype(dtype))
    return drawn * stddev + mean


def uniform(
    shape: Any, minval: float = 0.0, maxval: float = 1.0, dtype: Any = None, seed: Any = None
) -> Tensor:
    """Uniform in [minval, maxval)."""
    wanted = to_dtype(dtype)
    if not wanted.is_floating_point:
        return randint(shape, int(minval), int(maxval), dtype, seed)
    drawn = creation.rand(_sizes(shape), generator=_generator(seed), dtype=wanted)
    return drawn * (maxval - minval) + minval


def randint(shape: Any, minval: int, maxval: int, dtype: Any = "int32", seed: Any = None) -> Tensor:
    """Whole numbers in [minval, maxval)."""
    drawn = creation.randint(minval, maxval, _sizes(shape), generator=_generator(seed))
    return drawn.to(to_dtype(dtype))


def truncated_normal(
    shape: Any, mean: float = 0.0, stddev: float = 1.0, dtype: Any = None, seed: Any = None
) -> Tensor:
    """Normal, without values beyond two standard deviations."""
    values = mean + stddev * _truncated(_generator(seed).numpy(), _sizes(shape))
    return fromdata.from_owned(np.array(values, to_dtype(dtype).np))


def dropout(inputs: Any, rate: float, noise_shape: Any = None, seed: Any = None) -> Tensor:
    """Zeros with probability `rate`; the others divided by 1 - rate."""
    inputs = to_tensor(inputs)
    if noise_shape is None and seed is None:
        return F.dropout(inputs, rate, training=True)
    shape = _sizes(noise_shape if noise_shape is not None else inputs.shape)
    kept = creation.rand(shape, generator=_generator(seed)) >= rate
    return inputs * kept.to(inputs.dtype) / (1.0 - rate)


def categorical(logits: Any, num_samples: int, dtype: Any = "int32", seed: Any = None) -> Tensor:
    """Class numbers drawn with the probabilities softmax(logits): (n, classes) → (n,
    num_samples).
    """
    logits = to_tensor(logits)
    size = (logits.shape[0], num_samples, logits.shape[-1])
    u = T.clamp(creation.rand(size, generator=_generator(seed)), min=1e-20)
    # The largest of logits plus Gumbel noise is a draw from the softmax.
    return (logits.unsqueeze(1) - T.log(-T.log(u))).argmax(-1).to(to_dtype(dtype))


def shuffle(x: Any, axis: int = 0, seed: Any = None) -> Tensor:
    """The entries along `axis` in another order."""
    x = to_tensor(x)
    order = _generator(seed).numpy().permutation(int(x.shape[axis]))
    return T.index_select(x, axis, fromdata.from_owned(order))


def gamma(shape: Any, alpha: Any, dtype: Any = None, seed: Any = None) -> Tensor:
    """Gamma numbers with shape `alpha` and rate 1; their gradient is not followed."""
    drawn = _generator(seed).numpy().gamma(_plain(alpha), 1.0, _sizes(shape))
    return fromdata.from_owned(np.asarray(drawn, np.float32)).to(to_dtype(dtype))


def beta(shape: Any, alpha: Any, beta: Any, dtype: Any = None, seed: Any = None) -> Tensor:
    """Beta numbers, in [0, 1]."""
    drawn = _generator(seed).numpy().beta(_plain(alpha), _plain(beta), _sizes(shape))
    return fromdata.from_owned(np.asarray(drawn, np.float32)).to(to_dtype(dtype))


def binomial(
    shape: Any, counts: Any, probabilities: Any, dtype: Any = None, seed: Any = None
) -> Tensor:
    """How many of `counts` trials succeed."""
    trials = np.asarray(_plain(counts), np.int64)
    drawn = _generator(seed).numpy().binomial(trials, _plain(probabilities), _sizes(shape))
    return fromdata.from_owned(np.asarray(drawn, np.float32)).to(to_dtype(dtype))


def _plain(x: Any) -> Any:
    return x.detach().numpy() if isinstance(x, Tensor) else np.asarray(x)
