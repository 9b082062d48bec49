"""`tf.signal`: Fourier transforms and windows."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule import dtypes
from chainrule import fft as ft
from chainrule.names import later
from chainrule.nn import functional as F
from chainrule.tensor import creation, fromdata
from chainrule.tensor import functions as T
from chainrule.tensorflow.convert import floating, tensor


def fft(input: Any, name: str | None = None) -> Any:
    """Fourier's transform along the last axis."""
    return ft.fft(tensor(input))


def ifft(input: Any, name: str | None = None) -> Any:
    """The inverse of fft."""
    return ft.ifft(tensor(input))


def fft2d(input: Any, name: str | None = None) -> Any:
    """Fourier's transform along the last two axes."""
    return ft.fft2(tensor(input))


def ifft2d(input: Any, name: str | None = None) -> Any:
    """The inverse of fft2d."""
    return ft.ifft2(tensor(input))


def rfft(input_tensor: Any, fft_length: Any = None, name: str | None = None) -> Any:
    """Fourier's transform of real numbers along the last axis."""
    return ft.rfft(floating(input_tensor), None if fft_length is None else int(fft_length[0]))


def irfft(input_tensor: Any, fft_length: Any = None, name: str | None = None) -> Any:
    """The inverse of rfft."""
    return ft.irfft(tensor(input_tensor), None if fft_length is None else int(fft_length[0]))


def hann_window(
    window_length: Any, periodic: bool = True, dtype: Any = dtypes.float32, name: Any = None
) -> Any:
    """½ - ½ cos(2πi / n)."""
    n = int(window_length)
    made = np.hanning(n + 1)[:-1] if periodic else np.hanning(n)
    return fromdata.from_owned(made.astype(np.float32))


def hamming_window(
    window_length: Any, periodic: bool = True, dtype: Any = dtypes.float32, name: Any = None
) -> Any:
    """0.54 - 0.46 cos(2πi / n)."""
    n = int(window_length)
    made = np.hamming(n + 1)[:-1] if periodic else np.hamming(n)
    return fromdata.from_owned(made.astype(np.float32))


def frame(
    signal: Any, frame_length: Any, frame_step: Any, pad_end: bool = False, pad_value: Any = 0,
    axis: int = -1, name: str | None = None,
) -> Any:  # fmt: skip
    """Runs of the last axis."""
    x, n, step = tensor(signal), int(frame_length), int(frame_step)
    if pad_end:
        size = int(x.shape[-1])
        count = -(-size // step)
        x = F.pad(x, [0, max((count - 1) * step + n - size, 0)], value=pad_value)
    return x.unfold(-1, n, step)


def stft(
    signals: Any, frame_length: Any, frame_step: Any, fft_length: Any = None,
    window_fn: Any = hann_window, pad_end: bool = False, name: str | None = None,
) -> Any:  # fmt: skip
    """Fourier's transforms of runs, windowed."""
    runs = frame(floating(signals), frame_length, frame_step, pad_end)
    if window_fn is not None:
        runs = runs * window_fn(int(frame_length))
    size = int(fft_length) if fft_length is not None else 1 << (int(frame_length) - 1).bit_length()
    return ft.rfft(runs, size)


def linear_to_mel_weight_matrix(
    num_mel_bins: int = 20, num_spectrogram_bins: int = 129, sample_rate: float = 8000,
    lower_edge_hertz: float = 125.0, upper_edge_hertz: float = 3800.0, dtype: Any = dtypes.float32,
    name: str | None = None,
) -> Any:  # fmt: skip
    """The weights of frequencies in bands of equal width on the mel scale."""

    def mel(f: Any) -> Any:
        return 1127.0 * np.log1p(np.asarray(f) / 700.0)

    bins = mel(np.linspace(0, sample_rate / 2, num_spectrogram_bins)[1:])[:, None]
    edges = np.linspace(mel(lower_edge_hertz), mel(upper_edge_hertz), num_mel_bins + 2)
    low, middle, high = edges[:-2], edges[1:-1], edges[2:]
    up, down = (bins - low) / (middle - low), (high - bins) / (high - middle)
    weights = np.pad(np.maximum(0, np.minimum(up, down)), ((1, 0), (0, 0)))
    return fromdata.from_owned(weights.astype(np.float32))


def overlap_and_add(signal: Any, frame_step: Any, name: str | None = None) -> Any:
    """Runs added up where they overlap."""
    x, step = tensor(signal), int(frame_step)
    count, n = int(x.shape[-2]), int(x.shape[-1])
    at = (np.arange(count)[:, None] * step + np.arange(n)).reshape(-1)
    lead = tuple(x.shape[:-2])
    flat = x.reshape(-1, count * n)
    zero = creation.zeros((int(flat.shape[0]), (count - 1) * step + n), dtype=x.dtype)
    return T.index_add(zero, 1, fromdata.from_owned(at), flat).reshape(*lead, -1)


__getattr__ = later(__name__)
