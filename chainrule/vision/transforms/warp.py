"""Data augmentation: images turned, sheared, seen from elsewhere or bent, by chance."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from chainrule.tensor import Tensor
from chainrule.tensor.fromdata import from_owned
from chainrule.vision import warps
from chainrule.vision.draws import draws
from chainrule.vision.transforms import functional as F
from chainrule.vision.transforms.base import (
    TransformModule,
    angles,
    check_sequence,
    checked_fill,
    fill_for,
    happens,
    uniform,
)

NEAREST, BILINEAR = F.InterpolationMode.NEAREST, F.InterpolationMode.BILINEAR


class RandomRotation(TransformModule):
    """Turned by an angle between the two of `degrees`; one number x means (-x, x)."""

    def __init__(
        self,
        degrees: float | Sequence[float],
        interpolation: F.InterpolationMode = NEAREST,
        expand: bool = False,
        center: Sequence[float] | None = None,
        fill: Any = 0,
    ) -> None:
        super().__init__()
        self.interpolation = F.interpolation_mode(interpolation)
        self.degrees = angles(degrees, "degrees")
        if center is not None:
            check_sequence(center, "center", (2,))
        self.center = center
        self.expand = expand
        self.fill = checked_fill(fill)

    @staticmethod
    def get_params(degrees: Sequence[float]) -> float:
        """An angle between the two."""
        return uniform(degrees[0], degrees[1])

    def forward(self, img: Any) -> Any:
        fill = fill_for(img, self.fill, F.get_dimensions(img)[0])
        angle = self.get_params(self.degrees)
        return F.rotate(img, angle, self.interpolation, self.expand, self.center, fill)

    def extra_repr(self) -> str:
        parts = [
            f"degrees={self.degrees}",
            f"interpolation={self.interpolation.value}",
            f"expand={self.expand}",
        ]
        if self.center is not None:
            parts.append(f"center={self.center}")
        return ", ".join([*parts, f"fill={self.fill}"])


class RandomAffine(TransformModule):
    """Turned, moved, scaled and sheared by chance, the middle (or `center`) staying in place.

    degrees      (least, most); one number x means (-x, x), 0 no turn
    translate    the largest shares of the width and the height to move by
    scale        (least, most)
    shear        x: (least, most), or x and y: four numbers; one number x means (-x, x)
    """

    def __init__(
        self,
        degrees: float | Sequence[float],
        translate: Sequence[float] | None = None,
        scale: Sequence[float] | None = None,
        shear: float | Sequence[float] | None = None,
        interpolation: F.InterpolationMode = NEAREST,
        fill: Any = 0,
        center: Sequence[float] | None = None,
    ) -> None:
        super().__init__()
        self.interpolation = F.interpolation_mode(interpolation)
        self.degrees = angles(degrees, "degrees")
        if translate is not None:
            check_sequence(translate, "translate", (2,))
            if not all(0.0 <= share <= 1.0 for share in translate):
                raise ValueError("translation values should be between 0 and 1")
        self.translate = translate
        if scale is not None:
            check_sequence(scale, "scale", (2,))
            if any(factor <= 0 for factor in scale):
                raise ValueError("scale values should be positive")
        self.scale = scale
        self.shear = None if shear is None else angles(shear, "shear", (2, 4))
        self.fill = checked_fill(fill)
        if center is not None:
            check_sequence(center, "center", (2,))
        self.center = center

    @staticmethod
    def get_params(
        degrees: Sequence[float],
        translate: Sequence[float] | None,
        scale_ranges: Sequence[float] | None,
        shears: Sequence[float] | None,
        img_size: Sequence[int],
    ) -> tuple[float, tuple[int, int], float, tuple[float, float]]:
        """(angle, (x, y) to move by, scale, (x, y) to shear by); `img_size` is (width, height)."""
        angle = uniform(degrees[0], degrees[1])
        moved = (0, 0)
        if translate is not None:
            dx, dy = translate[0] * img_size[0], translate[1] * img_size[1]
            moved = round(uniform(-dx, dx)), round(uniform(-dy, dy))
        scale = 1.0 if scale_ranges is None else uniform(scale_ranges[0], scale_ranges[1])
        slant_x = slant_y = 0.0
        if shears is not None:
            slant_x = uniform(shears[0], shears[1])
            slant_y = uniform(shears[2], shears[3]) if len(shears) == 4 else 0.0
        return angle, moved, scale, (slant_x, slant_y)

    def forward(self, img: Any) -> Any:
        channels, h, w = F.get_dimensions(img)
        drawn = self.get_params(self.degrees, self.translate, self.scale, self.shear, [w, h])
        fill = fill_for(img, self.fill, channels)
        return F.affine(img, *drawn, self.interpolation, fill, self.center)

    def extra_repr(self) -> str:
        parts = [f"degrees={self.degrees}"]
        for name in ("translate", "scale", "shear"):
            if getattr(self, name) is not None:
                parts.append(f"{name}={getattr(self, name)}")
        if self.interpolation is not NEAREST:
            parts.append(f"interpolation={self.interpolation.value}")
        if self.fill != 0:
            parts.append(f"fill={self.fill}")
        if self.center is not None:
            parts.append(f"center={self.center}")
        return ", ".join(parts)


class RandomPerspective(TransformModule):
    """The four corners moved inwards by up to `distortion_scale` halves, with probability p."""

    def __init__(
        self,
        distortion_scale: float = 0.5,
        p: float = 0.5,
        interpolation: F.InterpolationMode = BILINEAR,
        fill: Any = 0,
    ) -> None:
        super().__init__()
        self.p = p
        self.interpolation = F.interpolation_mode(interpolation)
        self.distortion_scale = distortion_scale
        self.fill = checked_fill(fill)

    @staticmethod
    def get_params(
        width: int, height: int, distortion_scale: float
    ) -> tuple[list[list[int]], list[list[int]]]:
        """The corners (x, y) of the image, and where they go."""
        chance = draws()
        dx, dy = int(distortion_scale * (width // 2)), int(distortion_scale * (height // 2))

        def low(reach: int) -> int:
            return chance.integer(0, reach + 1)

        def high(size: int, reach: int) -> int:
            return chance.integer(size - reach - 1, size)

        start = [[0, 0], [width - 1, 0], [width - 1, height - 1], [0, height - 1]]
        end = [
            [low(dx), low(dy)],
            [high(width, dx), low(dy)],
            [high(width, dx), high(height, dy)],
            [low(dx), high(height, dy)],
        ]
        return start, end

    def forward(self, img: Any) -> Any:
        channels, h, w = F.get_dimensions(img)
        if not happens(self.p):
            return img
        start, end = self.get_params(w, h, self.distortion_scale)
        fill = fill_for(img, self.fill, channels)
        return F.perspective(img, start, end, self.interpolation, fill)

    def extra_repr(self) -> str:
        return f"p={self.p}"


class ElasticTransform(TransformModule):
    """Bent as if under water: each pixel is taken from a place moved by smooth noise.

    `alpha` is how far (in pixels, before smoothing), `sigma` how smooth: one number or (x, y)
    """

    def __init__(
        self,
        alpha: float | Sequence[float] = 50.0,
        sigma: float | Sequence[float] = 5.0,
        interpolation: F.InterpolationMode = BILINEAR,
        fill: float | Sequence[float] = 0,
    ) -> None:
        super().__init__()
        self.alpha = _two_floats(alpha, "alpha")
        self.sigma = _two_floats(sigma, "sigma")
        self.interpolation = F.interpolation_mode(interpolation)
        if isinstance(fill, int | float):
            self.fill = [float(fill)]
        elif isinstance(fill, list | tuple):
            self.fill = [float(value) for value in fill]
        else:
            raise TypeError(
                f"fill should be int or float or a list or tuple of them. Got {type(fill)}"
            )

    @staticmethod
    def get_params(alpha: Sequence[float], sigma: Sequence[float], size: Sequence[int]) -> Tensor:
        """A displacement (1, height, width, 2)."""
        chance = draws()
        parts = []
        for a, s, length in zip(alpha, sigma, (size[1], size[0]), strict=True):
            noise = chance.shares(1, *size) * 2 - 1
            if s > 0.0:
                taps = int(8 * s + 1) | 1  # odd
                noise = warps.gaussian_blur(noise, [taps, taps], [s, s])
            parts.append(noise * np.float32(a / length))
        return from_owned(np.stack(parts, axis=-1))

    def forward(self, tensor: Any) -> Any:
        _, height, width = F.get_dimensions(tensor)
        displacement = self.get_params(self.alpha, self.sigma, [height, width])
        return F.elastic_transform(tensor, displacement, self.interpolation, self.fill)

    def extra_repr(self) -> str:
        return (
            f"alpha={self.alpha}, sigma={self.sigma}, interpolation={self.interpolation}, "
            f"fill={self.fill}"
        )


def _two_floats(given: Any, name: str) -> Sequence[float]:
    if isinstance(given, float):
        return [given, given]
    if not isinstance(given, Sequence):
        raise TypeError(f"{name} should be float or a sequence of floats. Got {type(given)}")
    if len(given) != 2:
        raise ValueError(f"If {name} is a sequence its length should be 2. Got {len(given)}")
    for element in given:
        if not isinstance(element, float):
            raise TypeError(f"{name} should be a sequence of floats. Got {type(element)}")
    return given
