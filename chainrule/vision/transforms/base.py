"""What a transform is, for one image and for a whole batch.

A transform is a callable from an image to an image. One that can also do a whole batch at once has

    batch(batch)       the transformed `Batch`, or NotImplemented where it cannot

and the data sets in memory then gather and transform a batch in a few NumPy operations. A chain
with any other callable in it runs image by image.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.utils.data.chance import augmentation
from chainrule.vision.images import Array, Kind, from_planes, planes


@dataclass(frozen=True, slots=True)
class Batch:
    """Images of one shape: planes (N, C, H, W), and what one of them would be (see `images`)."""

    kind: Kind
    planes: Array


def batch_method(transform: Any) -> Callable[[Batch], Any] | None:
    """`transform.batch`, unless a more derived class redefined what is done with one image."""
    if not isinstance(transform, Transform):
        return None
    for base in type(transform).__mro__:
        defined = vars(base)
        if "batch" in defined:
            return transform.batch
        if "__call__" in defined or "forward" in defined:
            return None
    return None


class Transform:
    """A transform that knows one image; `batch` says that it does not know batches.

    Subclasses define `forward`, as in torchvision.
    """

    def __call__(self, img: Any) -> Any:
        return self.forward(img)

    def forward(self, img: Any) -> Any:
        raise NotImplementedError(f"{type(self).__name__} should define forward(img)")

    def batch(self, batch: Batch) -> Any:
        return NotImplemented

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.extra_repr()})"

    def extra_repr(self) -> str:
        return ""


class Fixed(Transform):
    """A transform of planes (…, C, H, W) that does the same with every image."""

    def apply(self, x: Array, kind: Kind) -> Array:
        raise NotImplementedError

    def forward(self, img: Any) -> Any:
        kind, x = planes(img, type(self).__name__)
        return from_planes(kind, self.apply(x, kind))

    def batch(self, batch: Batch) -> Any:
        return Batch(batch.kind, self.apply(batch.planes, batch.kind))


class Random(Transform):
    """A transform that draws numbers for each image: it gets N images (N, …, C, H, W) at once."""

    def apply_each(self, x: Array, kind: Kind, rng: np.random.Generator) -> Array:
        raise NotImplementedError

    def forward(self, img: Any) -> Any:
        kind, x = planes(img, type(self).__name__)
        return from_planes(kind, self.apply_each(x[None], kind, augmentation())[0])

    def batch(self, batch: Batch) -> Any:
        return Batch(batch.kind, self.apply_each(batch.planes, batch.kind, augmentation()))
