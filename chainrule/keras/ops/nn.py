"""`keras.ops.nn`: activations, losses, convolutions, normalisation, attention."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from chainrule import dtypes
from chainrule.keras import activations as A
from chainrule.keras.arrays import to_tensor
from chainrule.keras.ops.promotion import as_real, together
from chainrule.keras.settings import epsilon as _epsilon
from chainrule.keras.settings import standardize_data_format, to_dtype
from chainrule.keras.symbolic import function
from chainrule.nn import functional as F
from chainrule.tensor import Tensor, creation, fromdata
from chainrule.tensor import functions as T


def _activation(name: str) -> Any:
    f = getattr(A, name)

    def call(x: Any, *args: Any, **kwargs: Any) -> Any:
        return f(as_real(x), *args, **kwargs)

    call.__name__ = call.__qualname__ = name
    call.__doc__ = f.__doc__
    return function(call)


celu, elu, glu, hard_shrink, hard_sigmoid, hard_silu, hard_tanh, leaky_relu, log_sigmoid = map(
    _activation,
    ("celu", "elu", "glu", "hard_shrink", "hard_sigmoid", "hard_silu", "hard_tanh", "leaky_relu",
     "log_sigmoid"),
)  # fmt: skip
relu6, selu, silu, soft_shrink, softplus, softsign, sparse_plus, sparse_sigmoid, sparsemax = map(
    _activation,
    ("relu6", "selu", "silu", "soft_shrink", "softplus", "softsign", "sparse_plus",
     "sparse_sigmoid", "sparsemax"),
)  # fmt: skip
squareplus, tanh_shrink, threshold = map(_activation, ("squareplus", "tanh_shrink", "threshold"))
sigmoid, softmax, log_softmax = A.sigmoid, A.softmax, A.log_softmax
swish, hard_swish = silu, hard_silu


@function
def relu(x: Any) -> Any:
    """max(x, 0)."""
    return F.relu(to_tensor(x))


@function
def gelu(x: Any, approximate: bool = True) -> Any:
    """x Φ(x), by tanh unless `approximate` is False."""
    return A.gelu(as_real(x), approximate)


# Losses -------------------------------------------------------------------------------------------


def _same(target: Any, output: Any, name: str) -> tuple[Any, Any]:
    y, x = to_tensor(target), to_tensor(output)
    if y.ndim != x.ndim:
        raise ValueError(
            "Arguments `target` and `output` must have the same rank (ndim). Received: "
            f"target.shape={tuple(y.shape)}, output.shape={tuple(x.shape)}"
        )
    if tuple(y.shape) != tuple(x.shape):
        raise ValueError(
            "Arguments `target` and `output` must have the same shape. Received: "
            f"target.shape={tuple(y.shape)}, output.shape={tuple(x.shape)}"
        )
    return y.to(x.dtype), x


@function
def binary_crossentropy(target: Any, output: Any, from_logits: bool = False) -> Any:
    """-(t log p + (1 - t) log(1 - p)), element by element."""
    t, x = _same(target, output, "binary_crossentropy")
    if from_logits:
        return T.clamp(x, min=0.0) - x * t + T.log1p(T.exp(-T.abs(x)))
    p = T.clamp(x, _epsilon(), 1.0 - _epsilon())
    return -(t * T.log(p) + (1.0 - t) * T.log(1.0 - p))


@function
def categorical_crossentropy(
    target: Any, output: Any, from_logits: bool = False, axis: int = -1
) -> Any:
    """-Σ t log p along `axis`."""
    t, x = to_tensor(target), to_tensor(output)
    if x.ndim < 1:
        raise ValueError(
            "Arguments `target` and `output` must be at least rank 1. Received: "
            f"target.shape={tuple(t.shape)}, output.shape={tuple(x.shape)}"
        )
    t, x = _same(t, x, "categorical_crossentropy")
    return -(t * _log_chances(x, from_logits, axis)).sum(axis)


def _log_chances(x: Any, from_logits: bool, axis: int) -> Any:
    if from_logits:
        return F.log_softmax(x, axis)
    p = x / x.sum(axis, keepdim=True)
    return T.log(T.clamp(p, _epsilon(), 1.0 - _epsilon()))


@function
def sparse_categorical_crossentropy(
    target: Any, output: Any, from_logits: bool = False, axis: int = -1
) -> Any:
    """-log p of the class that the target names."""
    t, x = to_tensor(target).to(dtypes.int64), to_tensor(output)
    if t.ndim == x.ndim and int(t.shape[-1]) == 1:
        t = t.squeeze(-1)
    if x.ndim < 1:
        raise ValueError(
            "Argument `output` must be at least rank 1. Received: "
            f"target.shape={tuple(t.shape)}, output.shape={tuple(x.shape)}"
        )
    rest = tuple(n for i, n in enumerate(x.shape) if i != axis % x.ndim)
    if tuple(t.shape) != rest:
        raise ValueError(
            "Arguments `target` and `output` must have the same shape up until the last "
            f"dimension: target.shape={tuple(t.shape)}, output.shape={tuple(x.shape)}"
        )
    chances = _log_chances(x, from_logits, axis)
    return -T.gather(chances, axis, t.unsqueeze(axis)).squeeze(axis)


def ctc_loss(
    target: Any, output: Any, target_length: Any, output_length: Any, mask_index: int = 0
) -> Any:
    """-ln P(target) by all alignments: target (n, length), output (n, time, classes)."""
    return _ctc_loss(target, output, target_length, output_length, mask_index=mask_index)


@function
def _ctc_loss(
    target: Any, output: Any, target_length: Any, output_length: Any, mask_index: int
) -> Any:
    x = as_real(output)
    return F.ctc_loss(
        F.log_softmax(x.transpose(0, 1), -1), to_tensor(target).to(dtypes.int64),
        to_tensor(output_length).to(dtypes.int64), to_tensor(target_length).to(dtypes.int64),
        blank=mask_index, reduction="none",
    )  # fmt: skip


def ctc_decode(
    inputs: Any, sequence_lengths: Any, strategy: str = "greedy", beam_width: int = 100,
    top_paths: int = 1, merge_repeated: bool = True, mask_index: int = 0,
) -> Any:  # fmt: skip
    """The likeliest labels: (paths, n, length) padded by -1, and their scores."""
    x = as_real(inputs).detach().numpy(force=True)
    lengths = to_tensor(sequence_lengths).detach().numpy()
    if strategy == "greedy":
        return _greedy(x, lengths, merge_repeated, mask_index)
    if strategy != "beam_search":
        raise ValueError(
            f"Invalid strategy {strategy}. Supported values are 'greedy' and 'beam_search'."
        )
    return _beams(x, lengths, beam_width, top_paths, mask_index)


def _greedy(x: np.ndarray, lengths: np.ndarray, merge: bool, blank: int) -> Any:
    n, time, _ = x.shape
    blank %= x.shape[-1]
    best = x.argmax(-1)
    out = np.full((n, time), -1, np.int32)
    scores = np.zeros((n, 1), x.dtype)
    for i in range(n):
        k, previous = 0, -1
        for t in range(int(lengths[i])):
            label = int(best[i, t])
            scores[i, 0] -= x[i, t, label]
            if label != blank and not (merge and label == previous):
                out[i, k] = label
                k += 1
            previous = label
    return fromdata.from_owned(out[None]), fromdata.from_owned(scores)


def _beams(x: np.ndarray, lengths: np.ndarray, width: int, paths: int, blank: int) -> Any:
    n, time, classes = x.shape
    blank %= classes
    logs = x - np.logaddexp.reduce(x, -1, keepdims=True)
    out = np.full((paths, n, time), -1, np.int32)
    scores = np.full((n, paths), -np.inf, np.float32)
    for i in range(n):
        # label string → (ln P that it ends with a blank, ln P that it does not)
        beams: dict[tuple[int, ...], tuple[float, float]] = {(): (0.0, -np.inf)}
        for t in range(int(lengths[i])):
            new: dict[tuple[int, ...], list[float]] = {}
            for labels, (b, nb) in beams.items():
                held = new.setdefault(labels, [-np.inf, -np.inf])
                held[0] = np.logaddexp(held[0], np.logaddexp(b, nb) + logs[i, t, blank])
                if labels:
                    held[1] = np.logaddexp(held[1], nb + logs[i, t, labels[-1]])
                for c in range(classes):
                    if c == blank:
                        continue
                    longer = new.setdefault((*labels, c), [-np.inf, -np.inf])
                    before = b if labels and labels[-1] == c else np.logaddexp(b, nb)
                    longer[1] = np.logaddexp(longer[1], before + logs[i, t, c])
            kept = sorted(new.items(), key=lambda kv: -np.logaddexp(kv[1][0], kv[1][1]))[:width]
            beams = {k: (v[0], v[1]) for k, v in kept}
        ranked = sorted(beams.items(), key=lambda kv: -np.logaddexp(kv[1][0], kv[1][1]))[:paths]
        for p, (labels, (b, nb)) in enumerate(ranked):
            out[p, i, : len(labels)] = labels
            scores[i, p] = np.logaddexp(b, nb)
    return fromdata.from_owned(out), fromdata.from_owned(scores)


# Classes as indicators ----------------------------------------------------------------------------


@function
def one_hot(
    x: Any, num_classes: int, axis: int = -1, dtype: Any = None, sparse: bool = False
) -> Any:
    """Indicator vectors of class numbers; numbers outside give none."""
    if sparse:
        raise NotImplementedError("sparse tensors do not exist here; leave sparse=False")
    i = to_tensor(x).to(dtypes.int64)
    where = axis % (i.ndim + 1)
    shape = [1] * (i.ndim + 1)
    shape[where] = num_classes
    return (i.unsqueeze(where) == creation.arange(num_classes).reshape(shape)).to(to_dtype(dtype))


@function
def multi_hot(
    inputs: Any,
    num_classes: Any = None,
    axis: int = -1,
    dtype: Any = None,
    sparse: bool = False,
    **kwargs: Any,
) -> Any:
    """Which class numbers are in each row."""
    num_classes = kwargs.pop("num_tokens", num_classes)
    if num_classes is None:
        raise ValueError("Argument `num_classes` must be specified.")
    i = to_tensor(inputs)
    over = 1 if i.ndim > 1 else 0
    return one_hot(i, num_classes, axis, dtype, sparse).amax(over)


# Windows ------------------------------------------------------------------------------------------


def several(n: Any, rank: int) -> tuple[int, ...]:
    """A number for each axis."""
    return (int(n),) * rank if isinstance(n, int) else tuple(int(k) for k in n)


def _first(x: Any, data_format: str | None) -> tuple[Tensor, str]:
    """The channels before space, and where they were."""
    kind = standardize_data_format(data_format)
    x = to_tensor(x)
    return (x if kind == "channels_first" else x.movedim(-1, 1)), kind


def _back(x: Tensor, kind: str) -> Tensor:
    return x if kind == "channels_first" else x.movedim(1, -1)


def _same_pads(sizes: Any, window: Any, steps: Any, rates: Any) -> list[tuple[int, int]]:
    pads = []
    for n, k, s, d in zip(sizes, window, steps, rates, strict=True):
        span = (k - 1) * d + 1
        total = max((-(-int(n) // s) - 1) * s + span - int(n), 0)
        pads.append((total // 2, total - total // 2))
    return pads


def _widened(x: Tensor, pads: list[tuple[int, int]], value: float = 0.0) -> Tensor:
    if not any(a or b for a, b in pads):
        return x
    return F.pad(x, [n for pair in reversed(pads) for n in pair], value=value)


_CONVOLUTIONS: dict[int, Callable[..., Any]] = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}


def _padding(padding: Any) -> str:
    name = str(padding).lower()
    if name not in ("valid", "same", "causal"):
        raise ValueError(f"Invalid padding: {padding!r}; it is 'valid' or 'same'")
    return name


@function
def conv(
    inputs: Any, kernel: Any, strides: Any = 1, padding: str = "valid",
    data_format: str | None = None, dilation_rate: Any = 1,
) -> Any:  # fmt: skip
    """A convolution; kernel: (window…, channels in, channels out)."""
    x, w = together(inputs, kernel)
    x, kind = _first(as_real(x), data_format)
    w = as_real(w)
    rank = x.ndim - 2
    steps, rates = several(strides, rank), several(dilation_rate, rank)
    channels, inside = int(x.shape[1]), int(w.shape[-2])
    if channels % inside:
        raise ValueError(
            "The number of input channels must be evenly divisible by kernel's "
            f"in_channels. Received input channels {channels} and kernel in_channels "
            f"{inside}. "
        )
    if _padding(padding) == "same":
        x = _widened(x, _same_pads(x.shape[2:], w.shape[:rank], steps, rates))
    weight = w.permute(rank + 1, rank, *range(rank))
    out = _CONVOLUTIONS[rank](x, weight, None, steps, 0, rates, channels // inside)
    return _back(out, kind)


@function
def depthwise_conv(
    inputs: Any, kernel: Any, strides: Any = 1, padding: str = "valid",
    data_format: str | None = None, dilation_rate: Any = 1,
) -> Any:  # fmt: skip
    """A convolution of every channel by itself; kernel: (window…, channels, multiplier)."""
    x, w = together(inputs, kernel)
    x, kind = _first(as_real(x), data_format)
    rank = x.ndim - 2
    steps, rates = several(strides, rank), several(dilation_rate, rank)
    if _padding(padding) == "same":
        x = _widened(x, _same_pads(x.shape[2:], w.shape[:rank], steps, rates))
    channels, times = int(w.shape[-2]), int(w.shape[-1])
    weight = as_real(w).permute(rank, rank + 1, *range(rank))
    weight = weight.reshape(channels * times, 1, *w.shape[:rank])
    out = _CONVOLUTIONS[rank](x, weight, None, steps, 0, rates, channels)
    return _back(out, kind)


@function
def separable_conv(
    inputs: Any, depthwise_kernel: Any, pointwise_kernel: Any, strides: Any = 1,
    padding: str = "valid", data_format: str | None = None, dilation_rate: Any = 1,
) -> Any:  # fmt: skip
    """depthwise_conv, then a convolution with a window of 1."""
    inner = depthwise_conv(inputs, depthwise_kernel, strides, padding, data_format, dilation_rate)
    return conv(inner, pointwise_kernel, 1, "valid", data_format)


_TRANSPOSED: dict[int, Callable[..., Any]] = {
    1: F.conv_transpose1d, 2: F.conv_transpose2d, 3: F.conv_transpose3d,
}  # fmt: skip


@function
def conv_transpose(
    inputs: Any, kernel: Any, strides: Any = 1, padding: str = "valid", output_padding: Any = None,
    data_format: str | None = None, dilation_rate: Any = 1,
) -> Any:  # fmt: skip
    """The adjoint of a convolution; kernel: (window…, channels out, channels in)."""
    x, w = together(inputs, kernel)
    x, kind = _first(as_real(x), data_format)
    rank = x.ndim - 2
    steps, rates = several(strides, rank), several(dilation_rate, rank)
    extra = None if output_padding is None else several(output_padding, rank)
    weight = as_real(w).permute(rank + 1, rank, *range(rank))
    full = _TRANSPOSED[rank](x, weight, None, steps, 0, 0, 1, rates)
    for i in range(rank):
        n, k, s, d = int(x.shape[2 + i]), int(w.shape[i]), steps[i], rates[i]
        span = (k - 1) * d + 1
        valid = _padding(padding) == "valid"
        if extra is None:
            size = n * s + max(span - s, 0) if valid else n * s
        else:
            pad = 0 if valid else span // 2
            size = (n - 1) * s + span - 2 * pad + extra[i]
        have = int(full.shape[2 + i])
        before = 0 if valid else max((have - size) // 2 if extra is None else span // 2, 0)
        if have < before + size:
            more = [(0, 0)] * (rank + 2)
            more[2 + i] = (0, before + size - have)
            full = _widened(full, more)
        full = full.narrow(2 + i, before, size)
    return _back(full, kind)


_MAX = {1: F.max_pool1d, 2: F.max_pool2d, 3: F.max_pool3d}
_MEAN = {1: F.avg_pool1d, 2: F.avg_pool2d, 3: F.avg_pool3d}


@function
def max_pool(
    inputs: Any,
    pool_size: Any,
    strides: Any = None,
    padding: str = "valid",
    data_format: str | None = None,
) -> Any:
    """The largest of every window."""
    x, kind = _first(inputs, data_format)
    rank = x.ndim - 2
    window = several(pool_size, rank)
    steps = window if strides is None else several(strides, rank)
    if _padding(padding) == "same":
        low = -np.inf if x.dtype.is_floating_point else dtypes.iinfo(x.dtype).min
        x = _widened(x, _same_pads(x.shape[2:], window, steps, (1,) * rank), low)
    return _back(_MAX[rank](x, window, steps), kind)


@function
def average_pool(
    inputs: Any,
    pool_size: Any,
    strides: Any = None,
    padding: str = "valid",
    data_format: str | None = None,
) -> Any:
    """The mean of every window, of what is there."""
    x, kind = _first(as_real(inputs), data_format)
    rank = x.ndim - 2
    window = several(pool_size, rank)
    steps = window if strides is None else several(strides, rank)
    if _padding(padding) == "valid":
        return _back(_MEAN[rank](x, window, steps), kind)
    pads = _same_pads(x.shape[2:], window, steps, (1,) * rank)
    there = _widened(creation.ones((1, 1, *x.shape[2:]), dtype=x.dtype), pads)
    out = _MEAN[rank](_widened(x, pads), window, steps) / _MEAN[rank](there, window, steps)
    return _back(out, kind)


def _adaptive(inputs: Any, output_size: Any, data_format: str | None, fs: dict[int, Any]) -> Any:
    x, kind = _first(as_real(inputs), data_format)
    rank = x.ndim - 2
    return _back(fs[rank](x, several(output_size, rank)), kind)


@function
def adaptive_max_pool(inputs: Any, output_size: Any, data_format: str | None = None) -> Any:
    """The largest of windows such that so many fit."""
    fs = {1: F.adaptive_max_pool1d, 2: F.adaptive_max_pool2d, 3: F.adaptive_max_pool3d}
    return _adaptive(inputs, output_size, data_format, fs)


@function
def adaptive_average_pool(inputs: Any, output_size: Any, data_format: str | None = None) -> Any:
    """The mean of windows such that so many fit."""
    fs = {1: F.adaptive_avg_pool1d, 2: F.adaptive_avg_pool2d, 3: F.adaptive_avg_pool3d}
    return _adaptive(inputs, output_size, data_format, fs)


@function
def unfold(x: Any, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1) -> Any:
    """Windows of pictures (channels first) as columns."""
    return F.unfold(to_tensor(x), kernel_size, dilation, padding, stride)


@function
def fold(
    x: Any, output_size: Any, kernel_size: Any, dilation: Any = 1, padding: Any = 0,
    stride: Any = 1,
) -> Any:  # fmt: skip
    """Columns added up at the places from which `unfold` takes them."""
    return F.fold(to_tensor(x), output_size, kernel_size, dilation, padding, stride)


@function
def depth_to_space(x: Any, block_size: int, data_format: str = "channels_last") -> Any:
    """Channels as blocks of pixels."""
    x, kind = _channels_last(x, data_format)
    n, h, w, c = x.shape
    b = block_size
    if c % (b * b):
        raise ValueError(f"Number of channels must be divisible by block_size**2: {c}, {b}")
    x = x.reshape(n, h, w, b, b, c // (b * b)).permute(0, 1, 3, 2, 4, 5)
    x = x.reshape(n, h * b, w * b, c // (b * b))
    return x.movedim(-1, 1) if kind == "channels_first" else x


@function
def space_to_depth(x: Any, block_size: int, data_format: str = "channels_last") -> Any:
    """Blocks of pixels as channels."""
    x, kind = _channels_last(x, data_format)
    n, h, w, c = x.shape
    b = block_size
    if h % b or w % b:
        raise ValueError(f"Height and width must be divisible by block_size: {h}, {w}, {b}")
    x = x.reshape(n, h // b, b, w // b, b, c).permute(0, 1, 3, 2, 4, 5)
    x = x.reshape(n, h // b, w // b, b * b * c)
    return x.movedim(-1, 1) if kind == "channels_first" else x


def _channels_last(x: Any, data_format: str | None) -> tuple[Tensor, str]:
    kind = standardize_data_format(data_format)
    x = to_tensor(x)
    return (x.movedim(1, -1) if kind == "channels_first" else x), kind


# Normalisation ------------------------------------------------------------------------------------


def _axes(axis: Any) -> Any:
    return tuple(axis) if isinstance(axis, list | tuple) else axis


@function
def moments(x: Any, axes: Any, keepdims: bool = False, synchronized: bool = False) -> Any:
    """Mean and variance along some axes."""
    x = to_tensor(x)
    half = x.dtype.itemsize == 2
    wide = x.to(dtypes.float32) if half else as_real(x)
    mean = wide.mean(_axes(axes), keepdim=keepdims)
    var = wide.var(_axes(axes), correction=0, keepdim=keepdims)
    return (mean.to(x.dtype), var.to(x.dtype)) if half else (mean, var)


@function
def batch_normalization(
    x: Any, mean: Any, variance: Any, axis: int, offset: Any = None, scale: Any = None,
    epsilon: float = 1e-3,
) -> Any:  # fmt: skip
    """(x - mean) / √(variance + epsilon) · scale + offset, by channel."""
    x = to_tensor(x)
    shape = [1] * x.ndim
    shape[axis] = int(x.shape[axis])
    m, v = (to_tensor(t).to(x.dtype).reshape(shape) for t in (mean, variance))
    inverse = T.rsqrt(v + epsilon)
    if scale is not None:
        inverse = inverse * to_tensor(scale).to(x.dtype).reshape(shape)
    out = (x - m) * inverse
    return out if offset is None else out + to_tensor(offset).to(x.dtype).reshape(shape)


@function
def normalize(x: Any, axis: Any = -1, order: Any = 2, epsilon: float | None = None) -> Any:
    """Vectors along `axis` divided by their length."""
    x = as_real(x)
    if x.ndim == 0:
        x = x.reshape(1)
    if not isinstance(order, int) or order < 1:
        raise ValueError(f"Argument `order` must be an int >= 1. Received: order={order}")
    small = _epsilon() if epsilon is None else epsilon
    if order == 2:
        squares = (x * x).sum(axis, keepdim=True)
        return x * T.rsqrt(T.clamp(squares, min=small * small))
    length = (T.abs(x) ** order).sum(axis, keepdim=True) ** (1.0 / order)
    return x / T.clamp(length, min=small)


@function
def rms_normalization(
    x: Any, scale: Any = None, axis: Any = -1, epsilon: float | None = None
) -> Any:
    """x / √(mean of x² + epsilon) · scale."""
    x = to_tensor(x)
    wide = x if x.dtype is dtypes.float64 else x.to(dtypes.float32)
    small = _epsilon() if epsilon is None else epsilon
    out = wide * T.rsqrt((wide * wide).mean(_axes(axis), keepdim=True) + small)
    if scale is not None:
        s = to_tensor(scale).to(wide.dtype)
        out = out * _spread(s, x, axis)
    return out.to(x.dtype)


@function
def layer_normalization(
    x: Any, gamma: Any = None, beta: Any = None, axis: Any = -1, epsilon: float | None = None,
    **kwargs: Any,
) -> Any:  # fmt: skip
    """(x - mean) / √(variance + epsilon) · gamma + beta."""
    x = to_tensor(x)
    wide = x if x.dtype is dtypes.float64 else x.to(dtypes.float32)
    small = _epsilon() if epsilon is None else epsilon
    where = _axes(axis)
    mean = wide.mean(where, keepdim=True)
    away = wide - mean
    var = (away * away).mean(where, keepdim=True)
    out = away * T.rsqrt(var + small)
    if gamma is not None:
        out = out * _spread(to_tensor(gamma).to(wide.dtype), x, axis)
    if beta is not None:
        out = out + _spread(to_tensor(beta).to(wide.dtype), x, axis)
    return out.to(x.dtype)


def _spread(scale: Tensor, x: Tensor, axis: Any) -> Tensor:
    where = {a % x.ndim for a in ((axis,) if isinstance(axis, int) else axis)}
    shape = [int(n) if i in where else 1 for i, n in enumerate(x.shape)]
    return scale.reshape(shape) if scale.ndim != x.ndim else scale


@function
def psnr(x1: Any, x2: Any, max_val: Any) -> Any:
    """10 log₁₀(max² / mean squared difference)."""
    a, b = together(x1, x2)
    if a.shape != b.shape:
        raise ValueError(
            f"Input shapes {tuple(a.shape)} and {tuple(b.shape)} must match for PSNR calculation. "
        )
    a, b = as_real(a), as_real(b)
    top = max_val if isinstance(max_val, Tensor) else float(np.asarray(max_val))
    return 20.0 * T.log10(to_tensor(top).to(a.dtype)) - 10.0 * T.log10(((a - b) * (a - b)).mean())


# Attention ----------------------------------------------------------------------------------------


@function
def dot_product_attention(
    query: Any, key: Any, value: Any, bias: Any = None, mask: Any = None, scale: Any = None,
    is_causal: bool = False, flash_attention: bool | None = None,
    attn_logits_soft_cap: float | None = None,
) -> Any:  # fmt: skip
    """softmax(q kᵀ scale + bias) v; shapes (n, length, heads, size)."""
    q, k, v = (as_real(x) for x in together(query, key, value))
    if q.ndim != 4:
        raise ValueError(
            "`dot_product_attention` only supports 4D inputs. Received: "
            f"query.shape={tuple(q.shape)}, key.shape={tuple(k.shape)}, "
            f"value.shape={tuple(v.shape)}."
        )
    if flash_attention:
        raise ValueError(
            "Flash attention is not supported on this device; leave flash_attention=None"
        )
    q, k, v = (x.transpose(1, 2) for x in (q, k, v))
    if k.shape[1] != q.shape[1]:  # grouped queries: each key and value serves several heads
        times = int(q.shape[1]) // int(k.shape[1])
        k, v = (T.repeat_interleave(x, times, 1) for x in (k, v))
    m = None if mask is None else to_tensor(mask).to(dtypes.bool_)
    if bias is None and attn_logits_soft_cap is None:
        if m is not None and is_causal:
            m, is_causal = m & _causal(q, k), False
        out = F.scaled_dot_product_attention(q, k, v, m, is_causal=is_causal, scale=scale)
        return out.transpose(1, 2)
    logits = (q @ k.transpose(-1, -2)) * (int(q.shape[-1]) ** -0.5 if scale is None else scale)
    if bias is not None:
        logits = logits + to_tensor(bias).to(logits.dtype)
    if attn_logits_soft_cap is not None:
        logits = T.tanh(logits / attn_logits_soft_cap) * attn_logits_soft_cap
    if is_causal:
        m = _causal(q, k) if m is None else m & _causal(q, k)
    if m is not None:
        low = creation.full((), -0.7 * dtypes.finfo(logits.dtype).max, dtype=logits.dtype)
        logits = T.where(m, logits, low)
    return (F.softmax(logits, -1) @ v).transpose(1, 2)


def _causal(q: Tensor, k: Tensor) -> Tensor:
    made = np.tri(int(q.shape[-2]), int(k.shape[-2]), dtype=bool)
    return fromdata.from_owned(made)
