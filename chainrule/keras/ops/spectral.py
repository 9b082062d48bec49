"""`keras.ops.math`: segments, the largest elements, Fourier transforms."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule import dtypes
from chainrule import fft as ft
from chainrule.keras.arrays import to_tensor
from chainrule.keras.ops.promotion import as_real, together
from chainrule.keras.symbolic import function
from chainrule.nn import functional as F
from chainrule.tensor import Tensor, creation, fromdata
from chainrule.tensor import functions as T


def _segments(name: str, reduce: str, empty: Any) -> Any:
    def call(data: Any, segment_ids: Any, num_segments: Any = None, sorted: bool = False) -> Any:
        x, ids = to_tensor(data), to_tensor(segment_ids).to(dtypes.int64)
        if ids.ndim != 1:
            raise ValueError(
                "Argument `segment_ids` should be an 1-D vector, got shape: "
                f"{len(ids.shape)}. Consider either flatten input with "
                "segment_ids.reshape((-1)) and data.reshape((-1, ) + "
                "data.shape[len(segment_ids.shape):]) or vectorize with vmap."
            )
        n = int(ids.detach().max().item()) + 1 if num_segments is None else int(num_segments)
        inside = (ids >= 0) & (ids < n)
        # What belongs to no segment goes to one more, which is cut off.
        places = T.where(inside, ids, creation.full_like(ids, n))
        base = creation.full((n + 1, *x.shape[1:]), empty(x.dtype), dtype=x.dtype)
        if reduce == "sum":
            return T.index_add(base, 0, places, x)[:n]
        return T.index_reduce(base, 0, places, x, reduce)[:n]

    call.__name__ = call.__qualname__ = name
    call.__doc__ = f"The {name.removeprefix('segment_')} of the rows of each segment."
    return function(call)


def _lowest(dtype: Any) -> Any:
    return -np.inf if dtype.is_floating_point else dtypes.iinfo(dtype).min


def _highest(dtype: Any) -> Any:
    return np.inf if dtype.is_floating_point else dtypes.iinfo(dtype).max


segment_sum = _segments("segment_sum", "sum", lambda d: 0)
segment_max = _segments("segment_max", "amax", _lowest)
segment_min = _segments("segment_min", "amin", _highest)
segment_prod = _segments("segment_prod", "prod", lambda d: 1)


@function
def top_k(x: Any, k: int, sorted: bool = True) -> Any:
    """The k largest elements of the last axis, and where they stand."""
    values, indices = T.topk(to_tensor(x), k)
    return values, indices.to(dtypes.int32)


@function
def in_top_k(targets: Any, predictions: Any, k: int) -> Any:
    """Whether the class that is named is among the k most likely ones."""
    p, t = as_real(predictions), to_tensor(targets).to(dtypes.int64)
    own = T.gather(p, 1, t.unsqueeze(1))
    return (p > own).to(dtypes.int32).sum(1) < k


@function
def cdist(x: Any, y: Any) -> Any:
    """The distances between rows."""
    a, b = (as_real(t) for t in together(x, y))
    away = a.unsqueeze(-2) - b.unsqueeze(-3)
    return T.sqrt((away * away).sum(-1))


@function
def extract_sequences(x: Any, sequence_length: int, sequence_stride: int) -> Any:
    """Runs of the last axis as a further axis."""
    return to_tensor(x).unfold(-1, sequence_length, sequence_stride)


def _complex(x: Any) -> Tensor:
    if not isinstance(x, tuple | list) or len(x) != 2:
        raise ValueError(
            f"Input `x` should be a tuple of two tensors - real and imaginary. Received: x={x}"
        )
    a, b = (as_real(p) for p in x)
    if a.shape != b.shape:
        raise ValueError(
            "Input `x` should be a tuple of two tensors - real and imaginary. Both the "
            "real and imaginary parts should have the same shape. Received: x[0].shape = "
            f"{tuple(a.shape)}, x[1].shape = {tuple(b.shape)}"
        )
    return T.complex(a, b)


def _parts(z: Tensor) -> tuple[Any, Any]:
    return T.real(z).clone(), T.imag(z).clone()


def _rank(z: Tensor, least: int) -> Tensor:
    if z.ndim < least:
        raise ValueError(
            f"Input should have rank >= {least}. Received: input.shape = {tuple(z.shape)}"
        )
    return z


@function
def fft(x: Any) -> Any:
    """Fourier's transform of (real, imaginary) along the last axis."""
    return _parts(ft.fft(_rank(_complex(x), 1)))


@function
def fft2(x: Any) -> Any:
    """Fourier's transform of (real, imaginary) along the last two axes."""
    return _parts(ft.fft2(_rank(_complex(x), 2)))


@function
def ifft2(x: Any) -> Any:
    """The inverse of fft2."""
    return _parts(ft.ifft2(_rank(_complex(x), 2)))


@function
def rfft(x: Any, fft_length: int | None = None) -> Any:
    """Fourier's transform of real numbers along the last axis."""
    return _parts(ft.rfft(_rank(as_real(x), 1), fft_length))


@function
def irfft(x: Any, fft_length: int | None = None) -> Any:
    """The inverse of rfft."""
    return ft.irfft(_rank(_complex(x), 1), fft_length)


def _window(window: Any, length: int, size: int, dtype: Any) -> Any:
    if window is None:
        made = np.ones(length)
    elif isinstance(window, str):
        if window not in ("hann", "hamming"):
            raise ValueError(
                "If a string is passed to `window`, it must be one of 'hann', 'hamming'. "
                f"Received: window={window}"
            )
        f = np.hanning if window == "hann" else np.hamming
        made = f(length + 1)[:-1]
    else:
        made = to_tensor(window).detach().numpy()
        if made.shape != (length,):
            raise ValueError(
                "The shape of `window` must be equal to [sequence_length].Received: "
                f"window shape={made.shape}"
            )
    left = (size - length) // 2
    return fromdata.from_owned(np.pad(made, (left, size - length - left)).astype(dtype.np))


@function
def stft(
    x: Any, sequence_length: int, sequence_stride: int, fft_length: int, window: Any = "hann",
    center: bool = True,
) -> Any:  # fmt: skip
    """Fourier's transforms of runs, windowed."""
    if fft_length < sequence_length:
        raise ValueError(
            "`fft_length` must equal or larger than `sequence_length`. Received: "
            f"sequence_length={sequence_length}, fft_length={fft_length}"
        )
    x = as_real(x)
    if center:
        lead = tuple(x.shape[:-1])
        flat = F.pad(x.reshape(1, -1, int(x.shape[-1])), [fft_length // 2] * 2, mode="reflect")
        x = flat.reshape(*lead, -1)
    runs = x.unfold(-1, fft_length, sequence_stride)
    return _parts(ft.rfft(runs * _window(window, sequence_length, fft_length, x.dtype)))


@function
def istft(
    x: Any, sequence_length: int, sequence_stride: int, fft_length: int, length: int | None = None,
    window: Any = "hann", center: bool = True,
) -> Any:  # fmt: skip
    """The inverse of stft."""
    runs = ft.irfft(_complex(x), fft_length)
    w = _window(window, sequence_length, fft_length, runs.dtype)
    count, size = int(runs.shape[-2]), fft_length + (int(runs.shape[-2]) - 1) * sequence_stride
    lead = tuple(runs.shape[:-2])
    at = fromdata.from_owned(
        (np.arange(count)[:, None] * sequence_stride + np.arange(fft_length)).reshape(-1)
    )
    flat = (runs * w).reshape(-1, count * fft_length)
    total = T.index_add(creation.zeros((int(flat.shape[0]), size), dtype=runs.dtype), 1, at, flat)
    squares = (w * w).expand((count, fft_length)).reshape(-1)
    norm = T.index_add(creation.zeros(size, dtype=runs.dtype), 0, at, squares)
    total = total / T.where(norm > 1e-10, norm, creation.ones_like(norm))
    start = fft_length // 2 if center else 0
    end = size - fft_length // 2 if center and length is None else size
    end = start + length if length is not None else end
    out = total[:, start:end]
    if length is not None and int(out.shape[-1]) < length:
        out = F.pad(out, [0, length - int(out.shape[-1])])
    return out.reshape(*lead, -1)


@function
def view_as_complex(x: Any) -> Any:
    """Pairs of numbers as complex numbers."""
    x = to_tensor(x)
    if x.ndim < 1 or int(x.shape[-1]) != 2:
        raise ValueError(
            "Last dimension of input must be size 2 (real and imaginary). Received "
            f"shape: {tuple(x.shape)}"
        )
    return T.complex(x[..., 0], x[..., 1])


@function
def view_as_real(x: Any) -> Any:
    """Complex numbers as pairs."""
    z = to_tensor(x)
    return T.stack([T.real(z), T.imag(z)], -1)
