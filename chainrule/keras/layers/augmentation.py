"""Layers that change images at random while training: flips, rotations, zooms, shifts, colours.

Every image of a batch gets numbers of its own, from the stream "augmentation" or from the layer's
seed. What is drawn is data of the recorded program: a new angle is no new program.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from chainrule.keras.layers.preprocessing.resizing import ImageLayer, centre
from chainrule.keras.layers.regularization import Noisy
from chainrule.keras.registry import known
from chainrule.keras.settings import standardize_data_format
from chainrule.nn import functional as F
from chainrule.tensor import Tensor, creation
from chainrule.tensor import functions as T


class _RandomImage(ImageLayer, Noisy):
    def __init__(self, seed: int | None = None, data_format: str | None = None, **kwargs: Any):
        super().__init__(seed=seed, **kwargs)
        self.data_format = standardize_data_format(data_format)

    def call(self, inputs: Tensor, training: bool = True) -> Tensor:
        if not training:
            return inputs
        x, single = self._first(inputs)
        return self._last(self._augment(x), single)

    def _augment(self, x: Tensor) -> Tensor:
        raise NotImplementedError

    def _uniform(self, x: Tensor) -> Tensor:
        """One number in [0, 1) per image."""
        return creation.rand((int(x.shape[0]), 1, 1, 1), generator=self.generator)


@known
class RandomFlip(_RandomImage):
    """Each image mirrored with probability ½, horizontally, vertically or both."""

    def __init__(
        self, mode: str = "horizontal_and_vertical", seed: int | None = None, **kwargs: Any
    ) -> None:
        super().__init__(seed, **kwargs)
        if mode not in ("horizontal", "vertical", "horizontal_and_vertical"):
            raise ValueError(
                f"mode must be 'horizontal', 'vertical' or 'horizontal_and_vertical', got {mode!r}"
            )
        self.mode = mode

    def _augment(self, x: Tensor) -> Tensor:
        if "horizontal" in self.mode:
            x = T.where(self._uniform(x) < 0.5, T.flip(x, (3,)), x)
        if "vertical" in self.mode:
            x = T.where(self._uniform(x) < 0.5, T.flip(x, (2,)), x)
        return x


@known
class RandomBrightness(_RandomImage):
    """A number from `factor` times the range added to each image."""

    def __init__(
        self, factor: Any, value_range: Any = (0, 255), seed: int | None = None, **kwargs: Any
    ) -> None:
        super().__init__(seed, **kwargs)
        self.factor = factor
        self.value_range = tuple(value_range)

    def _augment(self, x: Tensor) -> Tensor:
        low, high = _symmetric(self.factor)
        least, most = self.value_range
        shift = (self._uniform(x) * (high - low) + low) * (most - least)
        return T.clamp(x + shift, least, most)


@known
class RandomContrast(_RandomImage):
    """Distances from the mean of each channel multiplied by a number around 1."""

    def __init__(
        self, factor: Any, value_range: Any = (0, 255), seed: int | None = None, **kwargs: Any
    ) -> None:
        super().__init__(seed, **kwargs)
        self.factor = factor
        self.value_range = tuple(value_range)

    def _augment(self, x: Tensor) -> Tensor:
        low, high = _symmetric(self.factor)
        factor = 1.0 + self._uniform(x) * (high - low) + low
        mean = x.mean((2, 3), keepdim=True)
        return T.clamp((x - mean) * factor + mean, *self.value_range)


def _symmetric(factor: Any) -> tuple[float, float]:
    if isinstance(factor, list | tuple):
        return float(factor[0]), float(factor[1])
    return -float(factor), float(factor)


_FILLS = {"reflect": "reflection", "nearest": "border", "constant": "zeros"}


class _Affine(_RandomImage):
    """Reads each image at places that a random map of the plane gives."""

    fill_mode: str
    interpolation: str
    fill_value: float

    def _set(self, fill_mode: str, interpolation: str, fill_value: float) -> None:
        kind = type(self).__name__
        if fill_mode not in _FILLS:
            raise ValueError(
                f"{kind}: fill_mode must be one of {', '.join(_FILLS)}, got {fill_mode!r}"
            )
        if interpolation not in ("bilinear", "nearest"):
            raise ValueError(
                f"{kind}: interpolation must be 'bilinear' or 'nearest', got {interpolation!r}"
            )
        self.fill_mode = fill_mode
        self.interpolation = interpolation
        self.fill_value = fill_value

    def _between(self, x: Tensor, factor: Any) -> Tensor:
        low, high = _symmetric(factor)
        return self._uniform(x)[:, 0] * (high - low) + low  # (n, 1, 1)

    def _map(self, x: Tensor, column: Tensor, row: Tensor) -> tuple[Tensor, Tensor]:
        """Where to read, for pixels at (column, row) counted from the middle; (n, h, w) each."""
        raise NotImplementedError

    def _augment(self, x: Tensor) -> Tensor:
        h, w = int(x.shape[2]), int(x.shape[3])
        rows = creation.from_owned((np.arange(h, dtype=np.float32) + 0.5 - h / 2).reshape(1, h, 1))
        columns = creation.from_owned(
            (np.arange(w, dtype=np.float32) + 0.5 - w / 2).reshape(1, 1, w)
        )
        column, row = self._map(x, columns, rows)
        shape = (int(x.shape[0]), h, w)
        grid = T.stack(((column * (2.0 / w)).expand(shape), (row * (2.0 / h)).expand(shape)), -1)
        padding = _FILLS[self.fill_mode]
        shifted = x - self.fill_value if self.fill_mode == "constant" else x
        out = F.grid_sample(shifted, grid, self.interpolation, padding, align_corners=False)
        return out + self.fill_value if self.fill_mode == "constant" else out


@known
class RandomRotation(_Affine):
    """Turned by a random angle: `factor` is a part of a full turn, ± or (least, most)."""

    def __init__(
        self,
        factor: Any,
        fill_mode: str = "reflect",
        interpolation: str = "bilinear",
        seed: int | None = None,
        fill_value: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(seed, **kwargs)
        self.factor = factor
        self._set(fill_mode, interpolation, fill_value)

    def _map(self, x: Tensor, column: Tensor, row: Tensor) -> tuple[Tensor, Tensor]:
        angle = self._between(x, self.factor) * (2 * math.pi)
        cos, sin = T.cos(angle), T.sin(angle)
        return column * cos - row * sin, column * sin + row * cos


@known
class RandomZoom(_Affine):
    """Made smaller (factor > 0) or larger (< 0); the width like the height unless given."""

    def __init__(
        self,
        height_factor: Any,
        width_factor: Any = None,
        fill_mode: str = "reflect",
        interpolation: str = "bilinear",
        seed: int | None = None,
        fill_value: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(seed, **kwargs)
        self.height_factor = height_factor
        self.width_factor = width_factor
        self._set(fill_mode, interpolation, fill_value)

    def _map(self, x: Tensor, column: Tensor, row: Tensor) -> tuple[Tensor, Tensor]:
        height = 1.0 + self._between(x, self.height_factor)
        width = height
        if self.width_factor is not None:
            width = 1.0 + self._between(x, self.width_factor)
        return column * width, row * height


@known
class RandomTranslation(_Affine):
    """Shifted by parts of the height and of the width."""

    def __init__(
        self,
        height_factor: Any,
        width_factor: Any,
        fill_mode: str = "reflect",
        interpolation: str = "bilinear",
        seed: int | None = None,
        fill_value: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(seed, **kwargs)
        self.height_factor = height_factor
        self.width_factor = width_factor
        self._set(fill_mode, interpolation, fill_value)

    def _map(self, x: Tensor, column: Tensor, row: Tensor) -> tuple[Tensor, Tensor]:
        down = self._between(x, self.height_factor) * float(x.shape[2])
        right = self._between(x, self.width_factor) * float(x.shape[3])
        return column - right, row - down


@known
class RandomCrop(_RandomImage):
    """A part of the given size, the same for the whole batch; the middle outside training."""

    def __init__(self, height: int, width: int, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(seed, **kwargs)
        self.height = height
        self.width = width

    def call(self, inputs: Tensor, training: bool = True) -> Tensor:
        x, single = self._first(inputs)
        h, w = int(x.shape[2]), int(x.shape[3])
        if h < self.height or w < self.width:
            scale = max(self.height / h, self.width / w)
            size = (max(math.ceil(h * scale), self.height), max(math.ceil(w * scale), self.width))
            x = F.interpolate(x, size=size, mode="bilinear", align_corners=False)
            h, w = size
        if not training:
            return self._last(centre(x, self.height, self.width), single)
        numbers = self.generator.numpy()
        top = int(numbers.integers(0, h - self.height + 1))
        left = int(numbers.integers(0, w - self.width + 1))
        x = T.index_select(x, 2, creation.from_owned(np.arange(top, top + self.height)))
        x = T.index_select(x, 3, creation.from_owned(np.arange(left, left + self.width)))
        return self._last(x, single)
