"""PyTorch's older window functions: torch.hann_window and others, periodic unless told otherwise.

>>> import chainrule as torch
>>> torch.hann_window(4)
tensor([0.0000, 0.5000, 1.0000, 0.5000])
"""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule import devices, dtypes
from chainrule.dtypes import DType
from chainrule.signal.windows import cosines
from chainrule.tensor.handle import Tensor, from_array


def _made(
    name: str, n: int, values: Any, dtype: DType | None, device: Any, requires_grad: bool
) -> Tensor:
    devices.check(device)
    d = dtypes.get_default_dtype() if dtype is None else dtype
    if not d.is_differentiable:
        raise RuntimeError(f"{name} expects floating point dtypes, got: {d}")
    if n < 0:
        raise RuntimeError(f"{name} requires non-negative window_length, got window_length={n}")
    out: Tensor = from_array(np.ones(n, d.np) if n <= 1 else values().astype(d.np), d)
    return out.requires_grad_() if requires_grad else out


def _ramp(n: int, periodic: bool) -> np.ndarray:
    """From −1 to 1; a periodic one does not reach the 1."""
    return 2.0 * np.arange(n) / (n if periodic else n - 1) - 1


def hann_window(
    window_length: int, periodic: bool = True, *, dtype: DType | None = None, layout: Any = None,
    device: Any = None, pin_memory: bool = False, requires_grad: bool = False,
) -> Tensor:  # fmt: skip
    """½ − ½ cos(2π n / N)"""
    return hamming_window(
        window_length, periodic, 0.5, 0.5, dtype=dtype, device=device, requires_grad=requires_grad
    )


def hamming_window(
    window_length: int, periodic: bool = True, alpha: float = 0.54, beta: float = 0.46, *,
    dtype: DType | None = None, layout: Any = None, device: Any = None, pin_memory: bool = False,
    requires_grad: bool = False,
) -> Tensor:  # fmt: skip
    """α − β cos(2π n / N)"""
    return _made(
        "hamming_window", window_length,
        lambda: cosines(window_length, (alpha, beta), not periodic), dtype, device, requires_grad,
    )  # fmt: skip


def blackman_window(
    window_length: int, periodic: bool = True, *, dtype: DType | None = None, layout: Any = None,
    device: Any = None, pin_memory: bool = False, requires_grad: bool = False,
) -> Tensor:  # fmt: skip
    """0.42 − 0.5 cos(2π n / N) + 0.08 cos(4π n / N)"""
    return _made(
        "blackman_window", window_length,
        lambda: cosines(window_length, (0.42, 0.5, 0.08), not periodic), dtype, device,
        requires_grad,
    )  # fmt: skip


def bartlett_window(
    window_length: int, periodic: bool = True, *, dtype: DType | None = None, layout: Any = None,
    device: Any = None, pin_memory: bool = False, requires_grad: bool = False,
) -> Tensor:  # fmt: skip
    """1 − |x|, x from −1 to 1"""
    return _made(
        "bartlett_window", window_length, lambda: 1 - np.abs(_ramp(window_length, periodic)),
        dtype, device, requires_grad,
    )  # fmt: skip


def kaiser_window(
    window_length: int, periodic: bool = True, beta: float = 12.0, *, dtype: DType | None = None,
    layout: Any = None, device: Any = None, pin_memory: bool = False, requires_grad: bool = False,
) -> Tensor:  # fmt: skip
    """I₀(β √(1 − x²)) / I₀(β), x from −1 to 1"""

    def values() -> np.ndarray:
        x = _ramp(window_length, periodic)
        found: np.ndarray = np.i0(beta * np.sqrt(np.maximum(1 - x * x, 0))) / np.i0(beta)
        return found

    return _made("kaiser_window", window_length, values, dtype, device, requires_grad)


__all__ = ["bartlett_window", "blackman_window", "hamming_window", "hann_window", "kaiser_window"]
