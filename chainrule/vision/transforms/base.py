"""What a transform is, for one image and for a whole batch.

A transform is a callable from an image to an image. One that can also do a whole batch at once has

    batch(batch)       the transformed `Batch`, or NotImplemented where it cannot

and the data sets in memory then gather and transform a batch in a few NumPy operations. A chain
with any other callable in it runs image by image.
"""

from __future__ import annotations

import numbers
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.nn import Module
from chainrule.tensor import Tensor
from chainrule.utils.data.chance import augmentation
from chainrule.vision.draws import drawn_in_batches, draws
from chainrule.vision.images import Array, Kind


@dataclass(frozen=True, slots=True)
class Batch:
    """Images of one shape: planes (N, C, H, W), and what one of them would be (see `images`)."""

    kind: Kind
    planes: Array


_FOR_BATCHES = {"batch", "apply", "apply_each"}


def batch_method(transform: Any) -> Callable[[Batch], Any] | None:
    """`transform.batch`, unless a more derived class redefined what is done with one image."""
    if not isinstance(transform, Transform):
        return None
    for base in type(transform).__mro__:
        defined = vars(base)
        if not defined.keys().isdisjoint(_FOR_BATCHES):  # beside its own `forward`
            return transform.batch
        if "__call__" in defined or "forward" in defined:
            return None
    return None


class Transform:
    """A callable of one image; `batch` says that it does not know batches.

    Those that are plain callables in torchvision derive from it directly, all others from
    `TransformModule`.
    """

    def __call__(self, img: Any) -> Any:
        raise NotImplementedError(f"{type(self).__name__} should define __call__(img)")

    def batch(self, batch: Batch) -> Any:
        return NotImplemented

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.extra_repr()})"

    def extra_repr(self) -> str:
        return ""


class TransformModule(Transform, Module):
    """A transform that is an `nn.Module`, so that it may stand in an `nn.Sequential`.

    Subclasses define `forward`, as in torchvision.
    """

    __call__ = Module.__call__


class Fixed(TransformModule):
    """A transform that does the same with every image; `apply` does it with planes (…, C, H, W)."""

    def apply(self, x: Array, kind: Kind) -> Array:  # type: ignore[override]  # Module's has a function
        raise NotImplementedError

    def batch(self, batch: Batch) -> Any:
        return Batch(batch.kind, self.apply(batch.planes, batch.kind))


class Random(TransformModule):
    """A transform that draws numbers for each image: `apply_each` does N images (N, C, H, W)."""

    def apply_each(self, x: Array, kind: Kind, rng: np.random.Generator) -> Array:
        raise NotImplementedError

    def batch(self, batch: Batch) -> Any:
        if not drawn_in_batches():
            return NotImplemented
        return Batch(batch.kind, self.apply_each(batch.planes, batch.kind, augmentation()))


class Chance(TransformModule):
    """A transform of one image that is done with probability `p`."""

    def __init__(self, p: float = 0.5) -> None:
        super().__init__()
        self.p = p

    def transform(self, img: Any) -> Any:
        raise NotImplementedError

    def forward(self, img: Any) -> Any:
        return self.transform(img) if happens(self.p) else img

    def extra_repr(self) -> str:
        return f"p={self.p}"


def happens(p: float) -> bool:
    """True with probability p."""
    return draws().share() < p


def uniform(low: float, high: float) -> float:
    """A number between low and high."""
    return draws().uniform(low, high)


def angles(given: Any, name: str, lengths: tuple[int, ...] = (2,)) -> list[float]:
    """One number as [-x, x], or a sequence of one of these lengths."""
    if isinstance(given, numbers.Number):
        if given < 0:  # type: ignore[operator]  # a real number
            raise ValueError(f"If {name} is a single number, it must be positive.")
        given = [-given, given]  # type: ignore[operator]
    else:
        check_sequence(given, name, lengths)
    return [float(value) for value in given]


def check_sequence(given: Any, name: str, lengths: tuple[int, ...]) -> None:
    """`TypeError` for what is no sequence, `ValueError` for one of another length."""
    wanted = " or ".join(str(n) for n in lengths)
    if not isinstance(given, Sequence):
        raise TypeError(f"{name} should be a sequence of length {wanted}.")
    if len(given) not in lengths:
        raise ValueError(f"{name} should be a sequence of length {wanted}.")


def checked_fill(fill: Any) -> Any:
    """A number or a sequence; None is 0."""
    if fill is None:
        return 0
    if not isinstance(fill, Sequence | numbers.Number):
        raise TypeError("Fill should be either a sequence or a number.")
    return fill


def fill_for(img: Any, fill: Any, channels: int) -> Any:
    """`fill` as tensors want it: a list of one float for each channel, or None."""
    if fill is None or not isinstance(img, Tensor):
        return fill
    if isinstance(fill, int | float):
        return [float(fill)] * channels
    return [float(value) for value in fill]
