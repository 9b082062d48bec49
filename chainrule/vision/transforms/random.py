"""Data augmentation: transforms that draw numbers, from the stream "augmentation".

Inside a DataLoader the numbers are a function of the epoch's seed and the batch's number (see
`chainrule.utils.data.chance`), and so the same for any number of workers.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from chainrule.utils.data.chance import augmentation
from chainrule.vision import planes as arithmetic
from chainrule.vision.images import Array, Kind, planes
from chainrule.vision.transforms import functional as F
from chainrule.vision.transforms.base import Random, Transform


class RandomHorizontalFlip(Random):
    """Each image mirrored, left and right exchanged, with probability p."""

    def __init__(self, p: float = 0.5) -> None:
        self.p = p

    def apply_each(self, x: Array, kind: Kind, rng: np.random.Generator) -> Array:
        return _flipped(x, rng.random(len(x)) < self.p, arithmetic.hflip)

    def extra_repr(self) -> str:
        return f"p={self.p}"


class RandomVerticalFlip(Random):
    """Each image upside down with probability p."""

    def __init__(self, p: float = 0.5) -> None:
        self.p = p

    def apply_each(self, x: Array, kind: Kind, rng: np.random.Generator) -> Array:
        return _flipped(x, rng.random(len(x)) < self.p, arithmetic.vflip)

    def extra_repr(self) -> str:
        return f"p={self.p}"


def _flipped(x: Array, chosen: Array, flip: Callable[[Array], Array]) -> Array:
    result = x.copy()
    result[chosen] = flip(x[chosen])
    return result


class RandomCrop(Random):
    """A rectangle of `size` (height, width) anywhere in the image, all places equally likely.

    `padding` puts a border around the image first; `pad_if_needed` makes a smaller image large
    enough. Raises `ValueError` where the image is smaller than `size` all the same.
    """

    def __init__(
        self,
        size: int | Sequence[int],
        padding: int | Sequence[int] | None = None,
        pad_if_needed: bool = False,
        fill: float | Sequence[float] = 0,
        padding_mode: str = "constant",
    ) -> None:
        self.size = F.pair(size)
        self.padding = padding
        self.pad_if_needed = pad_if_needed
        self.fill = fill
        self.padding_mode = F.checked_mode(padding_mode)

    @staticmethod
    def get_params(img: Any, output_size: tuple[int, int]) -> tuple[int, int, int, int]:
        """(top, left, height, width) of a random rectangle."""
        _, x = planes(img, "RandomCrop")
        (top,), (left,) = _corners(1, x.shape, output_size, augmentation())
        return int(top), int(left), *output_size

    def apply_each(self, x: Array, kind: Kind, rng: np.random.Generator) -> Array:
        if self.padding is not None:
            x = arithmetic.pad(x, F.four(self.padding), self.fill, self.padding_mode)
        height, width = self.size
        if self.pad_if_needed:
            h, w = x.shape[-2:]
            dy, dx = max(height - h, 0), max(width - w, 0)
            if dx or dy:
                x = arithmetic.pad(x, (dx, dy, dx, dy), self.fill, self.padding_mode)
        top, left = _corners(len(x), x.shape, self.size, rng)
        if len(x) == 1:
            return arithmetic.crop(x, int(top[0]), int(left[0]), height, width)
        windows = np.lib.stride_tricks.sliding_window_view(x, self.size, axis=(-2, -1))
        return windows[np.arange(len(x)), ..., top, left, :, :]

    def extra_repr(self) -> str:
        return f"size={self.size}, padding={self.padding}"


def _corners(
    n: int, shape: tuple[int, ...], size: tuple[int, int], rng: np.random.Generator
) -> tuple[Array, Array]:
    (h, w), (height, width) = shape[-2:], size
    if h < height or w < width:
        raise ValueError(
            f"Required crop size {(height, width)} is larger than input image size {(h, w)}"
        )
    return rng.integers(h - height + 1, size=n), rng.integers(w - width + 1, size=n)


class RandomResizedCrop(Random):
    """A rectangle of random area and shape, resized to `size`.

    The area is a share of the image's between the two of `scale`, all equally likely; the logarithm
    of width / height lies between those of `ratio`. After ten rectangles that do not fit the middle
    of the image is taken.
    """

    def __init__(
        self,
        size: int | Sequence[int],
        scale: Sequence[float] = (0.08, 1.0),
        ratio: Sequence[float] = (3.0 / 4.0, 4.0 / 3.0),
        interpolation: F.InterpolationMode = F.InterpolationMode.BILINEAR,
        antialias: bool | None = True,
    ) -> None:
        self.size = F.pair(size)
        self.scale = scale
        self.ratio = ratio
        self.interpolation = F.InterpolationMode(interpolation)
        self.antialias = antialias

    @staticmethod
    def get_params(
        img: Any, scale: Sequence[float], ratio: Sequence[float]
    ) -> tuple[int, int, int, int]:
        """(top, left, height, width) of a random rectangle."""
        _, x = planes(img, "RandomResizedCrop")
        return _rectangle(x.shape, scale, ratio, augmentation())

    def apply_each(self, x: Array, kind: Kind, rng: np.random.Generator) -> Array:
        method, antialias = self.interpolation.value, bool(self.antialias)
        parts = []
        for image in x:
            box = _rectangle(x.shape, self.scale, self.ratio, rng)
            part = arithmetic.crop(image, *box)
            parts.append(arithmetic.resize(part, *self.size, method, kind, antialias))
        return np.stack(parts)

    def extra_repr(self) -> str:
        return (
            f"size={self.size}, scale={tuple(round(s, 4) for s in self.scale)}, "
            f"ratio={tuple(round(r, 4) for r in self.ratio)}, "
            f"interpolation={self.interpolation.value}, antialias={self.antialias}"
        )


def _rectangle(
    shape: tuple[int, ...], scale: Sequence[float], ratio: Sequence[float], rng: np.random.Generator
) -> tuple[int, int, int, int]:
    h, w = shape[-2:]
    low, high = math.log(ratio[0]), math.log(ratio[1])
    for _ in range(10):
        area = h * w * rng.uniform(scale[0], scale[1])
        aspect = math.exp(rng.uniform(low, high))
        width, height = round(math.sqrt(area * aspect)), round(math.sqrt(area / aspect))
        if 0 < width <= w and 0 < height <= h:
            top = int(rng.integers(h - height + 1))
            return top, int(rng.integers(w - width + 1)), height, width
    width, height = w, h
    if w / h < min(ratio):
        height = round(w / min(ratio))
    elif w / h > max(ratio):
        width = round(h * max(ratio))
    return (h - height) // 2, (w - width) // 2, height, width


class RandomApply(Transform):
    """All of `transforms`, with probability p; none of them otherwise."""

    def __init__(self, transforms: Sequence[Callable[[Any], Any]], p: float = 0.5) -> None:
        self.transforms = transforms
        self.p = p

    def forward(self, img: Any) -> Any:
        if augmentation().random() < self.p:
            for transform in self.transforms:
                img = transform(img)
        return img

    def extra_repr(self) -> str:
        return f"p={self.p}, transforms={list(self.transforms)}"
