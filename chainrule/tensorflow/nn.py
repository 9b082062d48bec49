"""`tf.nn`: activations, losses on logits, convolutions."""

from __future__ import annotations

import builtins
from collections.abc import Callable
from typing import Any

from chainrule import dtypes
from chainrule.keras import activations as A
from chainrule.keras import ops
from chainrule.names import later
from chainrule.nn import functional as F
from chainrule.tensor import functions as T
from chainrule.tensorflow import random
from chainrule.tensorflow.arrays import gather
from chainrule.tensorflow.convert import axes, floating, sizes, symbolic, tensor
from chainrule.tensorflow.math import (
    in_top_k,
    l2_normalize,
    log_softmax,
    sigmoid,
    softmax,
    softplus,
    softsign,
    tanh,
    top_k,
)


def _activation(name: str, f: Callable[..., Any], **options: Any) -> Any:
    def function(features: Any, name: str | None = None) -> Any:
        return f(floating(features), **options)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"`keras.activations.{name}`."
    return symbolic(function)


elu, selu, relu6 = (_activation(n, getattr(A, n)) for n in ("elu", "selu", "relu6"))


@symbolic
def relu(features: Any, name: str | None = None) -> Any:
    """max(x, 0)."""
    return F.relu(tensor(features))


@symbolic
def gelu(features: Any, approximate: bool = False, name: str | None = None) -> Any:
    """x Φ(x), with the normal distribution's Φ, or its approximation by tanh."""
    return F.gelu(floating(features), approximate="tanh" if approximate else "none")


@symbolic
def leaky_relu(features: Any, alpha: float = 0.2, name: str | None = None) -> Any:
    """x where it is positive, else alpha x."""
    return F.leaky_relu(floating(features), alpha)


@symbolic
def silu(features: Any, beta: float = 1.0) -> Any:
    """x σ(beta x)."""
    x = floating(features)
    return x * T.sigmoid(x * beta if beta != 1.0 else x)


swish = silu


@symbolic
def crelu(features: Any, axis: int = -1, name: str | None = None) -> Any:
    """max(x, 0) and max(-x, 0), side by side."""
    x = floating(features)
    return F.relu(T.cat([x, -x], axis))


# Losses -------------------------------------------------------------------------------------------


@symbolic
def softmax_cross_entropy_with_logits(
    labels: Any, logits: Any, axis: int = -1, name: str | None = None
) -> Any:
    """-Σ labels ln softmax(logits) along `axis`."""
    x = floating(logits)
    return -(tensor(labels).to(x.dtype) * F.log_softmax(x, axis)).sum(axis)


softmax_cross_entropy_with_logits_v2 = softmax_cross_entropy_with_logits


@symbolic
def sparse_softmax_cross_entropy_with_logits(
    labels: Any, logits: Any, name: str | None = None
) -> Any:
    """-ln softmax(logits) of the classes that the labels name."""
    x, y = floating(logits), tensor(labels, dtypes.int64)
    return -T.gather(F.log_softmax(x, -1), -1, y.unsqueeze(-1)).squeeze(-1)


@symbolic
def sigmoid_cross_entropy_with_logits(
    labels: Any = None, logits: Any = None, name: str | None = None
) -> Any:
    """max(x, 0) - x z + ln (1 + e^-|x|), element by element."""
    x = floating(logits)
    z = tensor(labels).to(x.dtype)
    return T.clamp(x, min=0.0) - x * z + T.log1p(T.exp(-T.abs(x)))


@symbolic
def weighted_cross_entropy_with_logits(
    labels: Any, logits: Any, pos_weight: Any, name: str | None = None
) -> Any:
    """The logistic loss with what is positive weighing `pos_weight`."""
    x = floating(logits)
    z = tensor(labels).to(x.dtype)
    weight = (pos_weight - 1.0) * z + 1.0
    return (1.0 - z) * x + weight * (T.log1p(T.exp(-T.abs(x))) + T.clamp(-x, min=0.0))


@symbolic
def l2_loss(t: Any, name: str | None = None) -> Any:
    """½ Σ x²."""
    x = floating(t)
    return (x * x).sum() * 0.5


@symbolic
def log_poisson_loss(
    targets: Any, log_input: Any, compute_full_loss: bool = False, name: str | None = None
) -> Any:
    """eˣ - x z."""
    x = floating(log_input)
    return T.exp(x) - x * tensor(targets).to(x.dtype)


def ctc_loss(
    labels: Any, logits: Any, label_length: Any, logit_length: Any, logits_time_major: bool = True,
    unique: Any = None, blank_index: int | None = None, name: str | None = None,
) -> Any:  # fmt: skip
    """-ln P(labels) by all alignments, for every sequence."""
    x = floating(logits)
    if not logits_time_major:
        x = x.transpose(0, 1)
    blank = (blank_index or 0) % int(x.shape[-1])
    return F.ctc_loss(
        F.log_softmax(x, -1), tensor(labels, dtypes.int64), tensor(logit_length, dtypes.int64),
        tensor(label_length, dtypes.int64), blank=blank, reduction="none",
    )  # fmt: skip


# Layers as functions ------------------------------------------------------------------------------


@symbolic
def bias_add(value: Any, bias: Any, data_format: str | None = None, name: str | None = None) -> Any:
    """A number added to every channel."""
    x, b = tensor(value), tensor(bias)
    if data_format is not None and data_format.startswith("NC"):
        b = b.reshape(-1, *[1] * (x.ndim - 2))
    return x + b


def _format(data_format: str | None) -> str:
    return "channels_first" if str(data_format).startswith("NC") else "channels_last"


def _window(n: Any, rank: int, data_format: str | None) -> Any:
    """Sizes of the inner axes, out of a number or of a list for them or for all axes."""
    if isinstance(n, int):
        return n
    given = sizes(n)
    if len(given) == rank + 2:
        given = given[2:] if _format(data_format) == "channels_first" else given[1:-1]
    return given if len(given) == rank else given[0]


def _rank(data_format: str | None, given: Any) -> int:
    return len(data_format) - 2 if data_format else len(given.shape) - 2


@symbolic
def convolution(
    input: Any, filters: Any, strides: Any = None, padding: str = "VALID",
    data_format: str | None = None, dilations: Any = None, name: str | None = None,
) -> Any:  # fmt: skip
    """A convolution over all inner axes; filters: (window, channels in, channels out)."""
    x, w = tensor(input), tensor(filters)
    rank = x.ndim - 2
    if isinstance(padding, list | tuple):
        x, padding = _padded(x, padding, data_format), "valid"
    return ops.conv(
        x, w, _window(strides or 1, rank, data_format), padding.lower(), _format(data_format),
        _window(dilations or 1, rank, data_format),
    )  # fmt: skip


def _padded(x: Any, pairs: Any, data_format: str | None) -> Any:
    return F.pad(x, [int(n) for p in reversed(pairs) for n in p])


def conv1d(
    input: Any,
    filters: Any,
    stride: Any = 1,
    padding: str = "VALID",
    data_format: str | None = "NWC",
    dilations: Any = None,
    name: str | None = None,
) -> Any:
    """A convolution along one axis."""
    return convolution(input, filters, stride, padding, data_format, dilations)


def conv2d(
    input: Any,
    filters: Any,
    strides: Any = 1,
    padding: Any = "VALID",
    data_format: str | None = "NHWC",
    dilations: Any = None,
    name: str | None = None,
) -> Any:
    """A convolution over two axes."""
    return convolution(input, filters, strides, padding, data_format, dilations)


def conv3d(
    input: Any,
    filters: Any,
    strides: Any = 1,
    padding: Any = "VALID",
    data_format: str | None = "NDHWC",
    dilations: Any = None,
    name: str | None = None,
) -> Any:
    """A convolution over three axes."""
    return convolution(input, filters, strides, padding, data_format, dilations)


@symbolic
def depthwise_conv2d(
    input: Any, filter: Any, strides: Any = 1, padding: str = "VALID",
    data_format: str | None = None, dilations: Any = None, name: str | None = None,
) -> Any:  # fmt: skip
    """A convolution of every channel by itself."""
    return ops.depthwise_conv(
        tensor(input), tensor(filter), _window(strides, 2, data_format), padding.lower(),
        _format(data_format), _window(dilations or 1, 2, data_format),
    )  # fmt: skip


@symbolic
def separable_conv2d(
    input: Any, depthwise_filter: Any, pointwise_filter: Any, strides: Any = 1,
    padding: str = "VALID", data_format: str | None = None, dilations: Any = None,
    name: str | None = None,
) -> Any:  # fmt: skip
    """depthwise_conv2d, then a convolution with a window of 1."""
    inner = depthwise_conv2d(input, depthwise_filter, strides, padding, data_format, dilations)
    return convolution(inner, pointwise_filter, 1, "VALID", data_format)


@symbolic
def conv2d_transpose(
    input: Any, filters: Any, output_shape: Any, strides: Any, padding: str = "SAME",
    data_format: str | None = "NHWC", dilations: Any = None, name: str | None = None,
) -> Any:  # fmt: skip
    """The adjoint of conv2d; filters: (window, channels out, channels in)."""
    out = ops.conv_transpose(
        tensor(input), tensor(filters), _window(strides, 2, data_format), padding.lower(), None,
        _format(data_format), _window(dilations or 1, 2, data_format),
    )  # fmt: skip
    return out


def _pool(name: str, f: Callable[..., Any], rank: int | None) -> Any:
    def function(
        input: Any, ksize: Any, strides: Any, padding: str, data_format: str | None = None,
        name: str | None = None,
    ) -> Any:  # fmt: skip
        x = tensor(input)
        r = x.ndim - 2 if rank is None else rank
        return f(
            x, _window(ksize, r, data_format), _window(strides, r, data_format), padding.lower(),
            _format(data_format),
        )  # fmt: skip

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"`keras.ops.{f.__name__}` in TensorFlow's words."
    return symbolic(function)


max_pool, max_pool1d, max_pool2d, max_pool3d = (
    _pool(f"max_pool{r or ''}{'d' if r else ''}", lambda *a: ops.max_pool(*a), r)
    for r in (None, 1, 2, 3)
)
avg_pool, avg_pool1d, avg_pool2d, avg_pool3d = (
    _pool(f"avg_pool{r or ''}{'d' if r else ''}", lambda *a: ops.average_pool(*a), r)
    for r in (None, 1, 2, 3)
)


def pool(
    input: Any, window_shape: Any, pooling_type: str, strides: Any = None, padding: str = "VALID",
    data_format: str | None = None, dilations: Any = None, name: str | None = None,
) -> Any:  # fmt: skip
    """max_pool or avg_pool, by name."""
    f = max_pool if pooling_type == "MAX" else avg_pool
    return f(input, window_shape, strides or 1, padding, data_format)


@symbolic
def moments(
    x: Any, axes: Any, shift: Any = None, keepdims: bool = False, name: str | None = None
) -> Any:
    """Mean and variance along some axes."""
    t, where = floating(x), _axes(axes)
    return t.mean(where, keepdim=keepdims), t.var(where, correction=0, keepdim=keepdims)


_axes = axes


@symbolic
def batch_normalization(
    x: Any, mean: Any, variance: Any, offset: Any, scale: Any, variance_epsilon: float,
    name: str | None = None,
) -> Any:  # fmt: skip
    """(x - mean) / √(variance + epsilon) · scale + offset."""
    inverse = T.rsqrt(tensor(variance) + variance_epsilon)
    if scale is not None:
        inverse = inverse * tensor(scale)
    out = (tensor(x) - tensor(mean)) * inverse
    return out if offset is None else out + tensor(offset)


def dropout(
    x: Any, rate: Any, noise_shape: Any = None, seed: int | None = None, name: str | None = None
) -> Any:
    """Zeros with probability `rate`; the others divided by 1 - rate."""
    t = floating(x)
    if noise_shape is None and seed is None:
        return F.dropout(t, float(rate), training=True)
    kept = random.uniform(t.shape if noise_shape is None else noise_shape, seed=seed) >= rate
    return t * kept.to(t.dtype) / (1.0 - rate)


@symbolic
def embedding_lookup(params: Any, ids: Any, max_norm: Any = None, name: str | None = None) -> Any:
    """Rows of a table."""
    if max_norm is not None:
        raise NotImplementedError("max_norm: clip the table with tf.clip_by_norm")
    return F.embedding(tensor(ids, dtypes.int64), tensor(params))


@symbolic
def depth_to_space(
    input: Any, block_size: int, data_format: str = "NHWC", name: str | None = None
) -> Any:
    """Channels as blocks of pixels: (n, h, w, c b²) → (n, h b, w b, c)."""
    x, b = tensor(input), block_size
    n, h, w, c = x.shape
    x = x.reshape(n, h, w, b, b, c // (b * b)).permute(0, 1, 3, 2, 4, 5)
    return x.reshape(n, h * b, w * b, c // (b * b))


@symbolic
def space_to_depth(
    input: Any, block_size: int, data_format: str = "NHWC", name: str | None = None
) -> Any:
    """Blocks of pixels as channels: (n, h b, w b, c) → (n, h, w, c b²)."""
    x, b = tensor(input), block_size
    n, h, w, c = x.shape
    x = x.reshape(n, h // b, b, w // b, b, c).permute(0, 1, 3, 2, 4, 5)
    return x.reshape(n, h // b, w // b, b * b * c)


@symbolic
def zero_fraction(value: Any, name: str | None = None) -> Any:
    """Which part of the elements is 0."""
    return (tensor(value) == 0).to(dtypes.float32).mean()


@symbolic
def local_response_normalization(
    input: Any, depth_radius: int = 5, bias: float = 1.0, alpha: float = 1.0, beta: float = 0.5,
    name: str | None = None,
) -> Any:  # fmt: skip
    """x / (bias + alpha Σ x²)^beta, summed over the channels nearby."""
    x = floating(input)
    n = 2 * depth_radius + 1
    squares = F.pad(x * x, [depth_radius, depth_radius])
    total = builtins.sum(
        (squares.narrow(-1, i, int(x.shape[-1])) for i in builtins.range(1, n)),
        squares.narrow(-1, 0, int(x.shape[-1])),
    )
    return x / (bias + alpha * total) ** beta


lrn = local_response_normalization


@symbolic
def normalize_moments(
    counts: Any, mean_ss: Any, variance_ss: Any, shift: Any, name: str | None = None
) -> Any:
    """Mean and variance out of sums."""
    mean = tensor(mean_ss) / counts
    return mean, tensor(variance_ss) / counts - mean * mean


__getattr__ = later(__name__)
__all__ = [
    "gather", "in_top_k", "l2_normalize", "log_softmax", "sigmoid", "softmax", "softplus",
    "softsign", "tanh", "top_k",
]  # fmt: skip
