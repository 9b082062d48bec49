"""`torch.signal.windows`: weights that fade a piece of a signal in and out (Harris 1978).

sym=True gives windows for filters, the same from both ends; sym=False those for spectra, one period
of a wave: as if of M + 1 points, without the last. They are 1 at most.

>>> import chainrule as torch
>>> torch.signal.windows.hann(5)
tensor([0.0000, 0.5000, 1.0000, 0.5000, 0.0000])
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from chainrule import devices, dtypes
from chainrule.dtypes import DType
from chainrule.tensor.handle import Tensor, from_array


def _check(name: str, m: int, dtype: DType | None, layout: Any) -> DType:
    d = dtypes.get_default_dtype() if dtype is None else dtype
    if m < 0:
        raise ValueError(f"{name} requires non-negative window length, got M={m}")
    if layout not in (None, "strided") and str(layout) != "torch.strided":
        raise ValueError(f"{name} is implemented for strided tensors only, got: {layout}")
    if d not in (dtypes.float32, dtypes.float64):
        raise ValueError(f"{name} expects float32 or float64 dtypes, got: {d}")
    return d


def _made(values: np.ndarray, dtype: DType, device: Any, requires_grad: bool) -> Tensor:
    devices.check(device)
    out: Tensor = from_array(values.astype(dtype.np), dtype)
    return out.requires_grad_() if requires_grad else out


def _steps(m: int, sym: bool) -> int:
    """How many steps there are between the ends of the wave."""
    return max(m - 1 if sym else m, 1)


def exponential(
    M: int, *, center: float | None = None, tau: float = 1.0, sym: bool = True,
    dtype: DType | None = None, layout: Any = None, device: Any = None,
    requires_grad: bool = False,
) -> Tensor:  # fmt: skip
    """exp(−|n − center| / τ)"""
    d = _check("exponential", M, dtype, layout)
    if tau <= 0:
        raise ValueError(f"Tau must be positive, got: {tau} instead.")
    if sym and center is not None:
        raise ValueError("Center must be None for symmetric windows")
    if center is None:
        center = (M if not sym and M > 1 else M - 1) / 2.0
    return _made(np.exp(-np.abs(np.arange(M) - center) / tau), d, device, requires_grad)


def cosine(
    M: int, *, sym: bool = True, dtype: DType | None = None, layout: Any = None,
    device: Any = None, requires_grad: bool = False,
) -> Tensor:  # fmt: skip
    """sin(π (n + ½) / M)"""
    d = _check("cosine", M, dtype, layout)
    n = M + 1 if not sym and M > 1 else max(M, 1)
    return _made(np.sin(np.pi * (np.arange(M) + 0.5) / n), d, device, requires_grad)


def gaussian(
    M: int, *, std: float = 1.0, sym: bool = True, dtype: DType | None = None, layout: Any = None,
    device: Any = None, requires_grad: bool = False,
) -> Tensor:  # fmt: skip
    """exp(−x²/2σ²), x = n − (M − 1)/2"""
    d = _check("gaussian", M, dtype, layout)
    if std <= 0:
        raise ValueError(f"Standard deviation must be positive, got: {std} instead.")
    x = np.arange(M) - (M if not sym and M > 1 else M - 1) / 2.0
    return _made(np.exp(-(x * x) / (2 * std * std)), d, device, requires_grad)


def kaiser(
    M: int, *, beta: float = 12.0, sym: bool = True, dtype: DType | None = None,
    layout: Any = None, device: Any = None, requires_grad: bool = False,
) -> Tensor:  # fmt: skip
    """I₀(β √(1 − x²)) / I₀(β), x from −1 to 1"""
    d = _check("kaiser", M, dtype, layout)
    if beta < 0:
        raise ValueError(f"beta must be non-negative, got: {beta} instead.")
    if M == 1:
        return _made(np.ones(1), d, device, requires_grad)
    x = np.minimum(2.0 * np.arange(M) / _steps(M, sym) - 1, 1)
    values = np.i0(beta * np.sqrt(np.maximum(1 - x * x, 0))) / np.i0(beta)
    return _made(values, d, device, requires_grad)


def bartlett(
    M: int, *, sym: bool = True, dtype: DType | None = None, layout: Any = None,
    device: Any = None, requires_grad: bool = False,
) -> Tensor:  # fmt: skip
    """1 − |x|, x from −1 to 1"""
    d = _check("bartlett", M, dtype, layout)
    if M == 1:
        return _made(np.ones(1), d, device, requires_grad)
    x = 2.0 * np.arange(M) / _steps(M, sym) - 1
    return _made(1 - np.abs(x), d, device, requires_grad)


def general_cosine(
    M: int, *, a: Iterable[float], sym: bool = True, dtype: DType | None = None,
    layout: Any = None, device: Any = None, requires_grad: bool = False,
) -> Tensor:  # fmt: skip
    """Σ_i (−1)^i a_i cos(2π i n / (M − 1))"""
    d = _check("general_cosine", M, dtype, layout)
    if not isinstance(a, Iterable):
        raise TypeError("Coefficients must be a list/tuple")
    weights = list(a)
    if not weights:
        raise ValueError("Coefficients cannot be empty")
    return _made(cosines(M, weights, sym), d, device, requires_grad)


def cosines(m: int, weights: Iterable[float], sym: bool) -> np.ndarray:
    """A sum of cosines of 0, 1, 2 … periods, in turns added and taken away."""
    if m == 1:
        return np.ones(1)
    angle = 2 * math.pi * np.arange(m) / _steps(m, sym)
    total = np.zeros(m)
    for i, w in enumerate(weights):
        total += (-1) ** i * w * np.cos(i * angle)
    return total


def general_hamming(
    M: int, *, alpha: float = 0.54, sym: bool = True, dtype: DType | None = None,
    layout: Any = None, device: Any = None, requires_grad: bool = False,
) -> Tensor:  # fmt: skip
    """α − (1 − α) cos(2π n / (M − 1))"""
    d = _check("general_hamming", M, dtype, layout)
    return _made(cosines(M, (alpha, 1.0 - alpha), sym), d, device, requires_grad)


def hamming(
    M: int, *, sym: bool = True, dtype: DType | None = None, layout: Any = None,
    device: Any = None, requires_grad: bool = False,
) -> Tensor:  # fmt: skip
    """0.54 − 0.46 cos(2π n / (M − 1))"""
    d = _check("hamming", M, dtype, layout)
    return _made(cosines(M, (0.54, 0.46), sym), d, device, requires_grad)


def hann(
    M: int, *, sym: bool = True, dtype: DType | None = None, layout: Any = None,
    device: Any = None, requires_grad: bool = False,
) -> Tensor:  # fmt: skip
    """½ − ½ cos(2π n / (M − 1))"""
    d = _check("hann", M, dtype, layout)
    return _made(cosines(M, (0.5, 0.5), sym), d, device, requires_grad)


def blackman(
    M: int, *, sym: bool = True, dtype: DType | None = None, layout: Any = None,
    device: Any = None, requires_grad: bool = False,
) -> Tensor:  # fmt: skip
    """0.42 − 0.5 cos(2π n / (M − 1)) + 0.08 cos(4π n / (M − 1))"""
    d = _check("blackman", M, dtype, layout)
    return _made(cosines(M, (0.42, 0.5, 0.08), sym), d, device, requires_grad)


def nuttall(
    M: int, *, sym: bool = True, dtype: DType | None = None, layout: Any = None,
    device: Any = None, requires_grad: bool = False,
) -> Tensor:  # fmt: skip
    """Four cosines with the least side lobes (Nuttall 1981)."""
    d = _check("nuttall", M, dtype, layout)
    weights = (0.3635819, 0.4891775, 0.1365995, 0.0106411)
    return _made(cosines(M, weights, sym), d, device, requires_grad)


__all__ = [
    "bartlett", "blackman", "cosine", "exponential", "gaussian", "general_cosine",
    "general_hamming", "hamming", "hann", "kaiser", "nuttall",
]  # fmt: skip
