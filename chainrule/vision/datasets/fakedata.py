"""Noise with labels, to try a program without data."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from chainrule.dtypes import float32, int64
from chainrule.runtime.random import Generator
from chainrule.vision.datasets.vision import VisionDataset
from chainrule.vision.images import make_image


class FakeData(VisionDataset):
    """`size` images of noise with labels below `num_classes`.

    A sample is a function of its index plus `random_offset`, and of nothing else (under
    `config.random = "mt19937"` it is torchvision's).
    """

    def __init__(
        self,
        size: int = 1000,
        image_size: tuple[int, int, int] = (3, 224, 224),
        num_classes: int = 10,
        transform: Callable[[Any], Any] | None = None,
        target_transform: Callable[[Any], Any] | None = None,
        random_offset: int = 0,
    ) -> None:
        super().__init__(transform=transform, target_transform=target_transform)
        self.size = size
        self.num_classes = num_classes
        self.image_size = image_size
        self.random_offset = random_offset

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        if index >= len(self):
            raise IndexError(f"{type(self).__name__} index out of range")
        source = Generator(int(index) + self.random_offset)
        if (twister := source.twister) is not None:
            noise = twister.normal(tuple(self.image_size), float32)
            target = int(twister.integers((1,), int64, 0, self.num_classes)[0])
        else:
            rng = source.numpy()
            noise = rng.standard_normal(self.image_size, dtype=np.float32)
            target = int(rng.integers(self.num_classes))
        pixels = (noise * np.float32(255)).astype(np.int64).astype(np.uint8)
        return self.transformed(make_image(np.moveaxis(pixels, 0, -1)), target)

    def __len__(self) -> int:
        return self.size
