"""Data augmentation: crops, flips and erased rectangles, from the stream "augmentation".

Inside a DataLoader the numbers are a function of the epoch's seed and the batch's number (see
`chainrule.utils.data.chance`), and so the same for any number of workers.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from chainrule.tensor import Tensor
from chainrule.tensor.fromdata import from_owned
from chainrule.vision import planes as arithmetic
from chainrule.vision.draws import Draws, draws
from chainrule.vision.images import Array, Kind, planes_resized
from chainrule.vision.transforms import functional as F
from chainrule.vision.transforms.base import Random, happens


class RandomHorizontalFlip(Random):
    """Each image mirrored, left and right exchanged, with probability p."""

    def __init__(self, p: float = 0.5) -> None:
        super().__init__()
        self.p = p

    def forward(self, img: Any) -> Any:
        return F.hflip(img) if happens(self.p) else img

    def apply_each(self, x: Array, kind: Kind, rng: np.random.Generator) -> Array:
        return _flipped(x, rng.random(len(x)) < self.p, arithmetic.hflip)

    def extra_repr(self) -> str:
        return f"p={self.p}"


class RandomVerticalFlip(Random):
    """Each image upside down with probability p."""

    def __init__(self, p: float = 0.5) -> None:
        super().__init__()
        self.p = p

    def forward(self, img: Any) -> Any:
        return F.vflip(img) if happens(self.p) else img

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
        super().__init__()
        self.size = F.pair(size)
        self.padding = padding
        self.pad_if_needed = pad_if_needed
        self.fill = fill
        self.padding_mode = F.checked_mode(padding_mode)

    @staticmethod
    def get_params(img: Any, output_size: tuple[int, int]) -> tuple[int, int, int, int]:
        """(top, left, height, width) of a random rectangle."""
        _, h, w = F.get_dimensions(img)
        height, width = output_size
        _check_room((h, w), (height, width))
        if (h, w) == (height, width):
            return 0, 0, h, w
        chance = draws()
        top = chance.integer(0, h - height + 1)
        return top, chance.integer(0, w - width + 1), height, width

    def forward(self, img: Any) -> Any:
        if self.padding is not None:
            img = F.pad(img, self.padding, self.fill, self.padding_mode)
        if self.pad_if_needed:
            _, h, w = F.get_dimensions(img)
            dy, dx = max(self.size[0] - h, 0), max(self.size[1] - w, 0)
            if dx:
                img = F.pad(img, [dx, 0], self.fill, self.padding_mode)
            if dy:
                img = F.pad(img, [0, dy], self.fill, self.padding_mode)
        return F.crop(img, *self.get_params(img, self.size))

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


def _check_room(shape: tuple[int, ...], size: tuple[int, int]) -> None:
    if shape[0] < size[0] or shape[1] < size[1]:
        raise ValueError(
            f"Required crop size {tuple(size)} is larger than input image size {tuple(shape)}"
        )


def _corners(
    n: int, shape: tuple[int, ...], size: tuple[int, int], rng: np.random.Generator
) -> tuple[Array, Array]:
    _check_room(shape[-2:], size)
    (h, w), (height, width) = shape[-2:], size
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
        super().__init__()
        self.size = F.pair(size)
        self.scale, self.ratio = _checked_ranges(scale, ratio)
        self.interpolation = F.interpolation_mode(interpolation)
        self.antialias = antialias

    @staticmethod
    def get_params(
        img: Any, scale: Sequence[float], ratio: Sequence[float]
    ) -> tuple[int, int, int, int]:
        """(top, left, height, width) of a random rectangle."""
        return rectangle(tuple(F.get_dimensions(img)), scale, ratio, draws())

    def forward(self, img: Any) -> Any:
        box = self.get_params(img, self.scale, self.ratio)
        return F.resized_crop(img, *box, self.size, self.interpolation, self.antialias)

    def apply_each(self, x: Array, kind: Kind, rng: np.random.Generator) -> Array:
        method, antialias = self.interpolation.value, bool(self.antialias)
        parts, chance = [], Draws(rng)
        for image in x:
            box = rectangle(x.shape, self.scale, self.ratio, chance)
            part = arithmetic.crop(image, *box)
            parts.append(planes_resized(part[None], *self.size, method, kind, antialias))
        return np.concatenate(parts)

    def extra_repr(self) -> str:
        return (
            f"size={self.size}, scale={tuple(round(s, 4) for s in self.scale)}, "
            f"ratio={tuple(round(r, 4) for r in self.ratio)}, "
            f"interpolation={self.interpolation.value}, antialias={self.antialias}"
        )


def _checked_ranges(scale: Any, ratio: Any) -> tuple[Sequence[float], Sequence[float]]:
    if not isinstance(scale, Sequence):
        raise TypeError("Scale should be a sequence")
    if not isinstance(ratio, Sequence):
        raise TypeError("Ratio should be a sequence")
    if scale[0] > scale[1] or ratio[0] > ratio[1]:
        warnings.warn("Scale and ratio should be of kind (min, max)", stacklevel=3)
    return scale, ratio


def rectangle(
    shape: tuple[int, ...], scale: Sequence[float], ratio: Sequence[float], chance: Draws
) -> tuple[int, int, int, int]:
    h, w = shape[-2:]
    low, high = _logarithms(ratio)
    for _ in range(10):
        area = h * w * chance.uniform(scale[0], scale[1])
        aspect = float(np.exp(np.float32(chance.uniform(low, high))))
        width, height = round(math.sqrt(area * aspect)), round(math.sqrt(area / aspect))
        if 0 < width <= w and 0 < height <= h:
            top = chance.integer(0, h - height + 1)
            return top, chance.integer(0, w - width + 1), height, width
    width, height = w, h
    if w / h < min(ratio):
        height = round(w / min(ratio))
    elif w / h > max(ratio):
        width = round(h * max(ratio))
    return (h - height) // 2, (w - width) // 2, height, width


def _logarithms(ratio: Sequence[float]) -> list[float]:
    """In float32, as PyTorch takes them."""
    logarithms: list[float] = np.log(np.array(ratio, np.float32)).tolist()
    return logarithms


class RandomErasing(Random):
    """A rectangle of each tensor image replaced by `value`, with probability p.

    `value` is one number, one for each channel, or "random" for normal noise; the rectangle's share
    of the area and its height / width are drawn from `scale` and `ratio`.
    """

    def __init__(
        self,
        p: float = 0.5,
        scale: Sequence[float] = (0.02, 0.33),
        ratio: Sequence[float] = (0.3, 3.3),
        value: float | str | Sequence[float] = 0,
        inplace: bool = False,
    ) -> None:
        super().__init__()
        if not isinstance(value, int | float | str | tuple | list):
            raise TypeError("Argument value should be either a number or str or a sequence")
        if isinstance(value, str) and value != "random":
            raise ValueError("If value is str, it should be 'random'")
        self.scale, self.ratio = _checked_ranges(scale, ratio)
        if scale[0] < 0 or scale[1] > 1:
            raise ValueError("Scale should be between 0 and 1")
        if p < 0 or p > 1:
            raise ValueError("Random erasing probability should be between 0 and 1")
        self.p = p
        self.value = value
        self.inplace = inplace

    @staticmethod
    def get_params(
        img: Tensor,
        scale: Sequence[float],
        ratio: Sequence[float],
        value: Sequence[float] | None = None,
    ) -> tuple[int, int, int, int, Tensor]:
        """(top, left, height, width, the new pixels); the whole image where ten did not fit."""
        found = hole(tuple(img.shape), scale, ratio, value, draws())
        if found is None:
            return 0, 0, img.shape[-2], img.shape[-1], img
        top, left, height, width, pixels = found
        return top, left, height, width, from_owned(pixels)

    def forward(self, img: Tensor) -> Tensor:
        if not happens(self.p):
            return img
        value = self._values(img.shape[-3])
        top, left, height, width, pixels = self.get_params(img, self.scale, self.ratio, value)
        return F.erase(img, top, left, height, width, pixels, self.inplace)

    def _values(self, channels: int) -> list[float] | None:
        if isinstance(self.value, str):
            return None
        if isinstance(self.value, int | float):
            return [float(self.value)]
        if len(self.value) not in (1, channels):
            raise ValueError(
                "If value is a sequence, it should have either a single value or "
                f"{channels} (number of input channels)"
            )
        return [float(v) for v in self.value]

    def batch(self, batch: Any) -> Any:
        return NotImplemented if batch.kind == "image" else super().batch(batch)

    def apply_each(self, x: Array, kind: Kind, rng: np.random.Generator) -> Array:
        value, result, chance = self._values(x.shape[1]), x.copy(), Draws(rng)
        for i in np.flatnonzero(rng.random(len(x)) < self.p):
            found = hole(x.shape, self.scale, self.ratio, value, chance)
            if found is not None:
                top, left, height, width, pixels = found
                result[i, :, top : top + height, left : left + width] = pixels
        return result

    def extra_repr(self) -> str:
        return (
            f"p={self.p}, scale={self.scale}, ratio={self.ratio}, value={self.value}, "
            f"inplace={self.inplace}"
        )


def hole(
    shape: tuple[int, ...],
    scale: Sequence[float],
    ratio: Sequence[float],
    value: Sequence[float] | None,
    chance: Draws,
) -> tuple[int, int, int, int, Array] | None:
    """(top, left, height, width, the new pixels), or None where ten did not fit."""
    h, w = shape[-2:]
    low, high = _logarithms(ratio)
    for _ in range(10):
        area = h * w * chance.uniform(scale[0], scale[1])
        aspect = float(np.exp(np.float32(chance.uniform(low, high))))
        height, width = round(math.sqrt(area * aspect)), round(math.sqrt(area / aspect))
        if not (height < h and width < w):
            continue
        if value is None:
            pixels = chance.normal(shape[-3], height, width)
        else:
            pixels = np.array(value, np.float32)[:, None, None]
        top = chance.integer(0, h - height + 1)
        return top, chance.integer(0, w - width + 1), height, width, pixels
    return None
