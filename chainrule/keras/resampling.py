"""Images at another size: TensorFlow's and Keras's filters, as matrices.

`matrix(n, m, method)` says how each of m new pixels is a weighted mean of n old ones, so an image
is resized by one product for its rows and one for its columns, in NumPy or in a graph. Pixel i has
its centre at i + ½.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np


def _triangle(x: np.ndarray) -> np.ndarray:
    return np.maximum(1 - np.abs(x), 0)


def _cubic(x: np.ndarray) -> np.ndarray:
    """Keys (1981) with a = -½."""
    x = np.abs(x)
    near = ((1.5 * x - 2.5) * x) * x + 1
    far = ((-0.5 * x + 2.5) * x - 4) * x + 2
    return np.where(x < 1, near, np.where(x < 2, far, 0.0))


def _lanczos(radius: int) -> Callable[[np.ndarray], np.ndarray]:
    return lambda x: np.where(np.abs(x) < radius, np.sinc(x) * np.sinc(x / radius), 0.0)


def _gaussian(x: np.ndarray) -> np.ndarray:
    return np.where(np.abs(x) < 1.5, np.exp(-x * x / (2 * 0.5**2)), 0.0)


def _mitchell(x: np.ndarray) -> np.ndarray:
    """Mitchell and Netravali (1988) with B = C = ⅓."""
    x = np.abs(x)
    near = ((7 / 6 * x - 2) * x) * x + 8 / 9
    far = ((-7 / 18 * x + 2) * x - 10 / 3) * x + 16 / 9
    return np.where(x < 1, near, np.where(x < 2, far, 0.0))


#: Name → (filter, how far it reaches); the first two are no filters.
METHODS: dict[str, Any] = {
    "nearest": None,
    "area": None,
    "bilinear": (_triangle, 1),
    "bicubic": (_cubic, 2),
    "lanczos3": (_lanczos(3), 3),
    "lanczos5": (_lanczos(5), 5),
    "gaussian": (_gaussian, 1.5),
    "mitchellcubic": (_mitchell, 2),
}


@lru_cache(256)
def matrix(n: int, m: int, method: str, antialias: bool = False) -> np.ndarray:
    """(m, n): how m new pixels are made of n old ones. With `antialias` the filter is stretched
    over the pixels that shrink into one.

    >>> matrix(4, 2, "bilinear").tolist()
    [[0.5, 0.5, 0.0, 0.0], [0.0, 0.0, 0.5, 0.5]]
    """
    if method not in METHODS:
        raise ValueError(f"interpolation must be one of {', '.join(METHODS)}, got {method!r}")
    scale = n / m
    if method == "nearest":
        places = np.minimum(((np.arange(m) + 0.5) * scale).astype(int), n - 1)
        return np.eye(n)[places]
    if method == "area":
        low, high = np.arange(m)[:, None] * scale, np.arange(1, m + 1)[:, None] * scale
        pixel = np.arange(n)
        return np.clip(np.minimum(high, pixel + 1) - np.maximum(low, pixel), 0, None) / scale
    kernel, reach = METHODS[method]
    stretch = max(scale, 1.0) if antialias else 1.0
    centres = (np.arange(m)[:, None] + 0.5) * scale
    distance = (np.arange(n) + 0.5 - centres) / stretch
    weights = np.where(np.abs(distance) < reach, kernel(distance), 0.0)
    return weights / weights.sum(1, keepdims=True)


def resize(
    image: np.ndarray, height: int, width: int, method: str = "bilinear", antialias: bool = False
) -> np.ndarray:
    """An image (height, width, channels), or a batch of them, at another size, as float32."""
    h, w = image.shape[-3:-1]
    out = image.astype(np.float32)
    if h != height:
        rows = matrix(h, height, method, antialias).astype(np.float32)
        flat = out.reshape(*out.shape[:-3], h, -1)
        out = (rows @ flat).reshape(*out.shape[:-3], height, w, image.shape[-1])
    if w != width:
        out = matrix(w, width, method, antialias).astype(np.float32) @ out
    return out
