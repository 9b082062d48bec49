"""First values of parameters. Every function fills its tensor in place, without a gradient, and
returns it.

    fan_in   = inputs × window size       (columns of a matrix; channels × kernel of a convolution)
    fan_out  = outputs × window size
    Xavier:   Var w = gain² · 2 / (fan_in + fan_out)      Glorot and Bengio 2010
    Kaiming:  Var w = gain² / fan                         He et al. 2015
    a uniform distribution on [-b, b] has variance b² / 3

Numbers come from the stream "init", so that data loading or dropout never disturb them;
`generator=` overrides it.
"""

from __future__ import annotations

import functools
import math
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from chainrule import names
from chainrule.runtime.random import Generator, stream
from chainrule.tensor import Tensor, no_grad
from chainrule.tensor.creation import empty
from chainrule.tensor.functions import where
from chainrule.tensor.handle import from_array

Init = Callable[..., Tensor]


def _source(generator: Generator | None) -> Generator:
    return stream("init") if generator is None else generator


def _put(tensor: Tensor, values: np.ndarray) -> Tensor:
    with no_grad():
        return tensor.copy_(from_array(values))


# ---- plain distributions and constants -------------------------------------------------------


def uniform_(
    tensor: Tensor, a: float = 0.0, b: float = 1.0, generator: Generator | None = None
) -> Tensor:
    """Fill with U(a, b)."""
    with no_grad():
        return tensor.uniform_(a, b, generator=_source(generator))


def normal_(
    tensor: Tensor, mean: float = 0.0, std: float = 1.0, generator: Generator | None = None
) -> Tensor:
    """Fill with N(mean, std²)."""
    with no_grad():
        return tensor.normal_(mean, std, generator=_source(generator))


def trunc_normal_(
    tensor: Tensor,
    mean: float = 0.0,
    std: float = 1.0,
    a: float = -2.0,
    b: float = 2.0,
    generator: Generator | None = None,
) -> Tensor:
    """Fill with N(mean, std²), drawing again what falls outside [a, b]. The bounds are values, not
    multiples of `std`.

    >>> import chainrule as torch
    >>> w = torch.nn.init.trunc_normal_(torch.empty(1000), std=0.5, a=-0.5, b=0.5)
    >>> bool((w.abs() <= 0.5).all())
    True
    """
    if mean < a - 2 * std or mean > b + 2 * std:
        warnings.warn(
            "mean is more than 2 std from [a, b] in nn.init.trunc_normal_. "
            "The distribution of values may be incorrect.",
            stacklevel=2,
        )
    source = _source(generator)
    if source.twister is not None:
        return _truncated_as_pytorch(tensor, mean, std, a, b, source)
    values = _truncated(source.numpy(), tensor.numel(), mean, std, a, b)
    return _put(tensor, values.reshape(tuple(tensor.shape)))


def _truncated_as_pytorch(
    tensor: Tensor, mean: float, std: float, a: float, b: float, source: Generator
) -> Tensor:
    """The same distribution, drawn again as whole tensors until nothing is outside."""

    def drawn() -> Tensor:
        return normal_(empty(tensor.shape, dtype=tensor.dtype), mean, std, source)

    with no_grad():
        normal_(tensor, mean, std, source)
        while bool((outside := (tensor < a) | (tensor > b)).any()):
            tensor.copy_(where(outside, drawn(), tensor))
    return tensor


def _truncated(
    random: np.random.Generator, count: int, mean: float, std: float, a: float, b: float
) -> np.ndarray:
    """Rejection sampling, with the proposal that wastes less: the normal itself, or a uniform on
    [a, b].
    """
    low, high = (a - mean) / std, (b - mean) / std
    inside = (math.erf(high / math.sqrt(2)) - math.erf(low / math.sqrt(2))) / 2
    peak = max(low, min(0.0, high))  # where the density is largest within the bounds
    found = np.empty(0)
    while found.size < count:
        missing = count - found.size
        if inside > 0.3:
            z = random.standard_normal(math.ceil(1.1 * missing / inside) + 8)
            z = z[(z >= low) & (z <= high)]
        else:
            z = random.uniform(low, high, 2 * missing + 8)
            z = z[np.log1p(-random.random(z.size)) < (peak * peak - z * z) / 2]
        found = np.concatenate([found, z[:missing]])
    return mean + std * found


def constant_(tensor: Tensor, val: float) -> Tensor:
    """Fill with one value."""
    with no_grad():
        return tensor.fill_(val)


def ones_(tensor: Tensor) -> Tensor:
    """Fill with ones."""
    return constant_(tensor, 1.0)


def zeros_(tensor: Tensor) -> Tensor:
    """Fill with zeros."""
    return constant_(tensor, 0.0)


def eye_(tensor: Tensor) -> Tensor:
    """Fill a matrix with the identity: a linear layer that passes its input on."""
    if tensor.dim() != 2:
        raise ValueError("Only tensors with 2 dimensions are supported")
    return _put(tensor, np.eye(tensor.shape[0], tensor.shape[1]))


def dirac_(tensor: Tensor, groups: int = 1) -> Tensor:
    """Fill a convolution's weight so that it passes as many channels on as it can, in every group.

    `tensor` is (outputs, inputs / groups, *window) with one to three window axes.
    """
    if tensor.dim() not in (3, 4, 5):
        raise ValueError("Only tensors with 3, 4, or 5 dimensions are supported")
    outputs, inputs, *window = tensor.shape
    if outputs % groups != 0:
        raise ValueError("dim 0 must be divisible by groups")
    values = np.zeros(tuple(tensor.shape))
    per_group = outputs // groups
    centre = tuple(size // 2 for size in window)
    for group in range(groups):
        for channel in range(min(per_group, inputs)):
            values[(group * per_group + channel, channel, *centre)] = 1
    return _put(tensor, values)


# ---- variances that keep a signal's size through many layers ---------------------------------

_LINEAR = frozenset(
    ["linear", "sigmoid"] + [f"conv{t}{n}d" for t in ("", "_transpose") for n in (1, 2, 3)]
)


def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    """By how much to widen the first weights, so that the outputs of the nonlinearity keep the
    variance of its inputs.

    1 for linear layers, convolutions and sigmoid; 5/3 for tanh; √2 for relu; √(2 / (1 + slope²))
    for leaky_relu (`param` is the slope, 0.01 by default); 3/4 for selu.

    >>> calculate_gain("leaky_relu", 1.0)
    1.0
    """
    if nonlinearity in _LINEAR:
        return 1.0
    if nonlinearity == "tanh":
        return 5.0 / 3
    if nonlinearity == "relu":
        return math.sqrt(2.0)
    if nonlinearity == "leaky_relu":
        if isinstance(param, bool) or not isinstance(param, (int, float, type(None))):
            raise ValueError(f"negative_slope {param} not a valid number")
        slope = 0.01 if param is None else param
        return math.sqrt(2.0 / (1 + slope**2))
    if nonlinearity == "selu":
        return 3.0 / 4
    raise ValueError(f"Unsupported nonlinearity {nonlinearity}")


def _calculate_fan_in_and_fan_out(tensor: Tensor) -> tuple[int, int]:
    if tensor.dim() < 2:
        raise ValueError(
            "Fan in and fan out can not be computed for tensor with fewer than 2 dimensions"
        )
    outputs, inputs, *window = tensor.shape
    size = math.prod(window)
    return inputs * size, outputs * size


def _calculate_correct_fan(tensor: Tensor, mode: str) -> int:
    fans = dict(zip(("fan_in", "fan_out"), _calculate_fan_in_and_fan_out(tensor), strict=True))
    if mode.lower() not in fans:
        raise ValueError(f"Mode {mode} not supported, please use one of {list(fans)}")
    return fans[mode.lower()]


def xavier_uniform_(
    tensor: Tensor, gain: float = 1.0, generator: Generator | None = None
) -> Tensor:
    """Fill with U(-b, b), b = gain · √(6 / (fan_in + fan_out)).

    >>> import chainrule as torch
    >>> w = torch.nn.init.xavier_uniform_(torch.empty(100, 50))
    >>> bool((w.abs() <= 0.2).all())
    True
    """
    bound = gain * math.sqrt(6.0 / sum(_calculate_fan_in_and_fan_out(tensor)))
    return uniform_(tensor, -bound, bound, generator)


def xavier_normal_(tensor: Tensor, gain: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Fill with N(0, σ²), σ = gain · √(2 / (fan_in + fan_out))."""
    std = gain * math.sqrt(2.0 / sum(_calculate_fan_in_and_fan_out(tensor)))
    return normal_(tensor, 0.0, std, generator)


def kaiming_uniform_(
    tensor: Tensor,
    a: float = 0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator: Generator | None = None,
) -> Tensor:
    """Fill with U(-b, b), b = gain · √(3 / fan); `a` is the slope of a leaky_relu, `mode` chooses
    the fan.
    """
    if _is_empty(tensor):
        return tensor
    fan = _calculate_correct_fan(tensor, mode)
    bound = calculate_gain(nonlinearity, a) * math.sqrt(3.0 / fan)
    return uniform_(tensor, -bound, bound, generator)


def kaiming_normal_(
    tensor: Tensor,
    a: float = 0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator: Generator | None = None,
) -> Tensor:
    """Fill with N(0, σ²), σ = gain / √fan; `a` is the slope of a leaky_relu, `mode` chooses the
    fan.
    """
    if _is_empty(tensor):
        return tensor
    fan = _calculate_correct_fan(tensor, mode)
    return normal_(tensor, 0.0, calculate_gain(nonlinearity, a) / math.sqrt(fan), generator)


def _is_empty(tensor: Tensor) -> bool:
    if 0 not in tuple(tensor.shape):
        return False
    warnings.warn("Initializing zero-element tensors is a no-op", stacklevel=3)
    return True


# ---- matrices --------------------------------------------------------------------------------


def orthogonal_(tensor: Tensor, gain: float = 1, generator: Generator | None = None) -> Tensor:
    """Fill with a random (semi-)orthogonal matrix times `gain`; axes after the first count as
    columns.

    Q of a Gaussian matrix's QR factors, with the signs of R's diagonal multiplied in, is uniform
    over all rotations (Mezzadri 2007).

    >>> import chainrule as torch
    >>> q = torch.nn.init.orthogonal_(torch.empty(3, 5))
    >>> torch.allclose(q @ q.T, torch.eye(3), atol=1e-6)
    True
    """
    if tensor.dim() < 2:
        raise ValueError("Only tensors with 2 or more dimensions are supported")
    if tensor.numel() == 0:
        return tensor
    rows = tensor.shape[0]
    source, matrix = _source(generator), (rows, tensor.numel() // rows)
    if (twister := source.twister) is not None:
        gaussian = twister.normal(matrix, tensor.dtype)
    else:
        gaussian = source.numpy().standard_normal(matrix)
    tall = gaussian if gaussian.shape[0] >= gaussian.shape[1] else gaussian.T
    q, r = np.linalg.qr(tall)
    q = q * np.sign(np.diagonal(r))
    q = q if tall is gaussian else q.T
    return _put(tensor, gain * q.reshape(tuple(tensor.shape)))


def sparse_(
    tensor: Tensor, sparsity: float, std: float = 0.01, generator: Generator | None = None
) -> Tensor:
    """Fill a matrix with N(0, std²) and set the share `sparsity` of every column to zero (Martens
    2010).
    """
    if tensor.dim() != 2:
        raise ValueError("Only tensors with 2 dimensions are supported")
    rows, columns = tensor.shape
    source = _source(generator)
    if (twister := source.twister) is not None:
        values = std * twister.normal((rows, columns), tensor.dtype)
        for j in range(columns):
            values[twister.permutation(rows)[: math.ceil(sparsity * rows)], j] = 0.0
        return _put(tensor, values)
    random = source.numpy()
    values = std * random.standard_normal((rows, columns))
    # The rows with the smallest random keys are a random choice, for all columns at once.
    order = np.argsort(random.random((rows, columns)), axis=0)
    np.put_along_axis(values, order[: math.ceil(sparsity * rows)], 0.0, axis=0)
    return _put(tensor, values)


# ---- names from before the underscore --------------------------------------------------------


def _old_name(function: Init) -> Init:
    name = function.__name__

    @functools.wraps(function)
    def deprecated(*args: Any, **kwargs: Any) -> Tensor:
        warnings.warn(
            f"`nn.init.{name[:-1]}` is now deprecated in favor of `nn.init.{name}`.",
            FutureWarning,
            stacklevel=2,
        )
        return function(*args, **kwargs)

    deprecated.__name__ = name[:-1]
    deprecated.__doc__ = f"The old name of `{name}`."
    return deprecated


uniform, normal, constant = _old_name(uniform_), _old_name(normal_), _old_name(constant_)
eye, dirac, sparse = _old_name(eye_), _old_name(dirac_), _old_name(sparse_)
xavier_uniform, xavier_normal = _old_name(xavier_uniform_), _old_name(xavier_normal_)
kaiming_uniform, kaiming_normal = _old_name(kaiming_uniform_), _old_name(kaiming_normal_)
orthogonal = _old_name(orthogonal_)

__all__ = [
    "calculate_gain",
    "constant_",
    "dirac_",
    "eye_",
    "kaiming_normal_",
    "kaiming_uniform_",
    "normal_",
    "ones_",
    "orthogonal_",
    "sparse_",
    "trunc_normal_",
    "uniform_",
    "xavier_normal_",
    "xavier_uniform_",
    "zeros_",
]

__getattr__ = names.later(__name__)
