"""Augmentation policies: AutoAugment, RandAugment, TrivialAugment and AugMix.

E. D. Cubuk et al., AutoAugment, 2019, and RandAugment, 2020; S. G. Müller, F. Hutter,
TrivialAugment, 2021; D. Hendrycks et al., AugMix, 2020. The tables are those of the papers, in the
form of torchvision.
"""

from __future__ import annotations

import math
from enum import Enum
from typing import Any

import numpy as np

from chainrule.tensor import Tensor
from chainrule.tensor.fromdata import from_owned
from chainrule.utils.data.batching import values
from chainrule.vision.draws import draws
from chainrule.vision.transforms import functional as F
from chainrule.vision.transforms.base import TransformModule, fill_for
from chainrule.vision.warps import ramp

InterpolationMode = F.InterpolationMode
NEAREST, BILINEAR = InterpolationMode.NEAREST, InterpolationMode.BILINEAR
Array = np.ndarray[Any, np.dtype[Any]]
#: An operation → its magnitudes (None where it has none), and whether its sign is drawn.
Space = dict[str, tuple[Array | None, bool]]
Step = tuple[str, float, int | None]  # operation, probability, number of its magnitude


def _apply_op(
    img: Any, op_name: str, magnitude: float, interpolation: InterpolationMode, fill: Any
) -> Any:
    """One operation of the policies, by its name."""
    if op_name in _GEOMETRY:
        angle, moved, slant, center = _GEOMETRY[op_name](magnitude)
        return F.affine(img, angle, moved, 1.0, slant, interpolation, fill, center)
    if op_name == "Rotate":
        return F.rotate(img, magnitude, interpolation, fill=fill)
    if op_name not in _COLOURS:
        raise ValueError(f"The provided operator {op_name} is not recognized.")
    return _COLOURS[op_name](img, magnitude)


def _slant(magnitude: float) -> float:
    return math.degrees(math.atan(magnitude))


_GEOMETRY: dict[str, Any] = {  # magnitude → angle, translate, shear, center
    "ShearX": lambda m: (0.0, [0, 0], [_slant(m), 0.0], [0, 0]),
    "ShearY": lambda m: (0.0, [0, 0], [0.0, _slant(m)], [0, 0]),
    "TranslateX": lambda m: (0.0, [int(m), 0], [0.0, 0.0], None),
    "TranslateY": lambda m: (0.0, [0, int(m)], [0.0, 0.0], None),
}
_COLOURS: dict[str, Any] = {
    "Brightness": lambda img, m: F.adjust_brightness(img, 1.0 + m),
    "Color": lambda img, m: F.adjust_saturation(img, 1.0 + m),
    "Contrast": lambda img, m: F.adjust_contrast(img, 1.0 + m),
    "Sharpness": lambda img, m: F.adjust_sharpness(img, 1.0 + m),
    "Posterize": lambda img, m: F.posterize(img, int(m)),
    "Solarize": lambda img, m: F.solarize(img, m),
    "AutoContrast": lambda img, m: F.autocontrast(img),
    "Equalize": lambda img, m: F.equalize(img),
    "Invert": lambda img, m: F.invert(img),
    "Identity": lambda img, m: img,
}


def _ramp(stop: float, bins: int, start: float = 0.0) -> Array:
    return ramp(start, stop, bins)


def _bits(bins: int, most: int, reach: int) -> Array:
    """Bits that are kept: `most` at the first magnitude, `most - reach` at the last."""
    steps = np.arange(bins, dtype=np.float32) / np.float32((bins - 1) / reach)
    return most - np.rint(steps).astype(np.int32)


def _space(bins: int, shear: float, dx: float, dy: float, turn: float, factor: float) -> Space:
    return {
        "ShearX": (_ramp(shear, bins), True),
        "ShearY": (_ramp(shear, bins), True),
        "TranslateX": (_ramp(dx, bins), True),
        "TranslateY": (_ramp(dy, bins), True),
        "Rotate": (_ramp(turn, bins), True),
        **{
            name: (_ramp(factor, bins), True)
            for name in ("Brightness", "Color", "Contrast", "Sharpness")
        },
        "Solarize": (_ramp(0.0, bins, 255.0), False),
        "AutoContrast": (None, False),
        "Equalize": (None, False),
    }


def _ordered(space: Space, *names: str) -> Space:
    return {name: space[name] for name in names}


_GEOMETRIC = ("ShearX", "ShearY", "TranslateX", "TranslateY", "Rotate")
_TONES = ("Brightness", "Color", "Contrast", "Sharpness")
_REST = ("Posterize", "Solarize", "AutoContrast", "Equalize")


class _Policy(TransformModule):
    """What the four share: operations drawn from a space, and the same `fill` for all."""

    interpolation: InterpolationMode
    fill: Any

    def _drawn(self, img: Any, space: Space, level: int | None, fill: Any, count: int) -> Any:
        """One operation of `space`, at magnitude `level` or, for None, at one drawn below
        `count`.
        """
        chance = draws()
        name = list(space)[chance.integer(0, len(space))]
        levels_of, signed = space[name]
        magnitude = 0.0
        if levels_of is not None:
            magnitude = float(levels_of[chance.integer(0, count) if level is None else level])
        if signed and chance.integer(0, 2):
            magnitude = -magnitude
        return _apply_op(img, name, magnitude, self.interpolation, fill)


class AutoAugmentPolicy(Enum):
    """The data set that a policy was learned on."""

    IMAGENET = "imagenet"
    CIFAR10 = "cifar10"
    SVHN = "svhn"


class AutoAugment(_Policy):
    """One of 25 learned pairs of operations for each image. Bytes, or PIL images."""

    def __init__(
        self,
        policy: AutoAugmentPolicy = AutoAugmentPolicy.IMAGENET,
        interpolation: InterpolationMode = NEAREST,
        fill: Any = None,
    ) -> None:
        super().__init__()
        self.policy = policy
        self.interpolation = interpolation
        self.fill = fill
        self.policies = self._get_policies(policy)

    def _get_policies(self, policy: AutoAugmentPolicy) -> list[tuple[Step, Step]]:
        if policy not in _POLICIES:
            raise ValueError(f"The provided policy {policy} is not recognized.")
        return [(_step(first), _step(second)) for first, second in _POLICIES[policy]]

    def _augmentation_space(self, num_bins: int, image_size: tuple[int, int]) -> Space:
        dx, dy = (150.0 / 331.0 * image_size[axis] for axis in (1, 0))
        space = _space(num_bins, 0.3, dx, dy, 30.0, 0.9)
        space |= {"Posterize": (_bits(num_bins, 8, 4), False), "Invert": (None, False)}
        return _ordered(space, *_GEOMETRIC, *_TONES, *_REST, "Invert")

    @staticmethod
    def get_params(transform_num: int) -> tuple[int, Tensor, Tensor]:
        """(the pair's number, two probabilities, two signs)."""
        chance = draws()
        number, shares = chance.integer(0, transform_num), chance.shares(2)
        signs = np.array([chance.integer(0, 2), chance.integer(0, 2)])
        return number, from_owned(shares), from_owned(signs)

    def forward(self, img: Any) -> Any:
        channels, height, width = F.get_dimensions(img)
        fill = fill_for(img, self.fill, channels)
        number, shares, signs = self.get_params(len(self.policies))
        space = self._augmentation_space(10, (height, width))
        pair = zip(self.policies[number], shares.tolist(), signs.tolist(), strict=True)
        for (name, p, level), share, sign in pair:
            if share > p:
                continue
            levels, signed = space[name]
            magnitude = 0.0 if levels is None or level is None else float(levels[level])
            if signed and sign == 0:
                magnitude = -magnitude
            img = _apply_op(img, name, magnitude, self.interpolation, fill)
        return img

    def extra_repr(self) -> str:
        return f"policy={self.policy}, fill={self.fill}"


class RandAugment(_Policy):
    """`num_ops` operations drawn by chance, all at the same `magnitude`."""

    def __init__(
        self,
        num_ops: int = 2,
        magnitude: int = 9,
        num_magnitude_bins: int = 31,
        interpolation: InterpolationMode = NEAREST,
        fill: Any = None,
    ) -> None:
        super().__init__()
        self.num_ops = num_ops
        self.magnitude = magnitude
        self.num_magnitude_bins = num_magnitude_bins
        self.interpolation = interpolation
        self.fill = fill

    def _augmentation_space(self, num_bins: int, image_size: tuple[int, int]) -> Space:
        dx, dy = (150.0 / 331.0 * image_size[axis] for axis in (1, 0))
        space = _space(num_bins, 0.3, dx, dy, 30.0, 0.9)
        space |= {"Identity": (None, False), "Posterize": (_bits(num_bins, 8, 4), False)}
        return _ordered(space, "Identity", *_GEOMETRIC, *_TONES, *_REST)

    def forward(self, img: Any) -> Any:
        channels, height, width = F.get_dimensions(img)
        fill = fill_for(img, self.fill, channels)
        space = self._augmentation_space(self.num_magnitude_bins, (height, width))
        for _ in range(self.num_ops):
            img = self._drawn(img, space, self.magnitude, fill, self.num_magnitude_bins)
        return img

    def extra_repr(self) -> str:
        return (
            f"num_ops={self.num_ops}, magnitude={self.magnitude}, "
            f"num_magnitude_bins={self.num_magnitude_bins}, interpolation={self.interpolation}, "
            f"fill={self.fill}"
        )


class TrivialAugmentWide(_Policy):
    """One operation at one magnitude, both drawn by chance, from a wide range."""

    def __init__(
        self,
        num_magnitude_bins: int = 31,
        interpolation: InterpolationMode = NEAREST,
        fill: Any = None,
    ) -> None:
        super().__init__()
        self.num_magnitude_bins = num_magnitude_bins
        self.interpolation = interpolation
        self.fill = fill

    def _augmentation_space(self, num_bins: int) -> Space:
        space = _space(num_bins, 0.99, 32.0, 32.0, 135.0, 0.99)
        space |= {"Identity": (None, False), "Posterize": (_bits(num_bins, 8, 6), False)}
        return _ordered(space, "Identity", *_GEOMETRIC, *_TONES, *_REST)

    def forward(self, img: Any) -> Any:
        fill = fill_for(img, self.fill, F.get_dimensions(img)[0])
        bins = self.num_magnitude_bins
        return self._drawn(img, self._augmentation_space(bins), None, fill, bins)

    def extra_repr(self) -> str:
        return (
            f"num_magnitude_bins={self.num_magnitude_bins}, interpolation={self.interpolation}, "
            f"fill={self.fill}"
        )


class AugMix(_Policy):
    """A weighted mean of the image and of `mixture_width` chains of operations on it."""

    _PARAMETER_MAX = 10

    def __init__(
        self,
        severity: int = 3,
        mixture_width: int = 3,
        chain_depth: int = -1,
        alpha: float = 1.0,
        all_ops: bool = True,
        interpolation: InterpolationMode = BILINEAR,
        fill: Any = None,
    ) -> None:
        super().__init__()
        if not 1 <= severity <= self._PARAMETER_MAX:
            raise ValueError(
                f"The severity must be between [1, {self._PARAMETER_MAX}]. Got {severity} instead."
            )
        self.severity = severity
        self.mixture_width = mixture_width
        self.chain_depth = chain_depth
        self.alpha = alpha
        self.all_ops = all_ops
        self.interpolation = interpolation
        self.fill = fill

    def _augmentation_space(self, num_bins: int, image_size: tuple[int, int]) -> Space:
        space = _space(num_bins, 0.3, image_size[1] / 3.0, image_size[0] / 3.0, 30.0, 0.9)
        space["Posterize"] = (_bits(num_bins, 4, 4), False)
        return _ordered(space, *_GEOMETRIC, *_REST, *(_TONES if self.all_ops else ()))

    def forward(self, orig_img: Any) -> Any:
        channels, height, width = F.get_dimensions(orig_img)
        fill = fill_for(orig_img, self.fill, channels)
        img = orig_img if isinstance(orig_img, Tensor) else F.pil_to_tensor(orig_img)
        space = self._augmentation_space(self._PARAMETER_MAX, (height, width))
        batch = img.reshape([1] * max(4 - img.ndim, 0) + list(img.shape))
        n, ones = batch.shape[0], [1] * (batch.ndim - 1)
        chance = draws()
        shares = chance.dirichlet([self.alpha] * 2, n)
        weights = chance.dirichlet([self.alpha] * self.mixture_width, n)
        weights *= shares[:, 1:]
        mix = shares[:, 0].reshape(n, *ones) * values(batch)
        for i in range(self.mixture_width):
            chain = batch
            depth = self.chain_depth if self.chain_depth > 0 else chance.integer(1, 4)
            for _ in range(depth):
                chain = self._drawn(chain, space, None, fill, self.severity)
            mix += weights[:, i].reshape(n, *ones) * values(chain)
        result = from_owned(mix.reshape(tuple(img.shape)).astype(img.dtype.np))
        return result if isinstance(orig_img, Tensor) else F.to_pil_image(result)

    def extra_repr(self) -> str:
        return (
            f"severity={self.severity}, mixture_width={self.mixture_width}, "
            f"chain_depth={self.chain_depth}, alpha={self.alpha}, all_ops={self.all_ops}, "
            f"interpolation={self.interpolation}, fill={self.fill}"
        )


def _step(text: str) -> Step:
    """`Rotate 0.6 9` as ("Rotate", 0.6, 9); an operation without a magnitude has no third word."""
    name, p, *level = text.split()
    return name, float(p), int(level[0]) if level else None


_POLICIES: dict[AutoAugmentPolicy, tuple[tuple[str, str], ...]] = {
    AutoAugmentPolicy.IMAGENET: (
        ("Posterize 0.4 8", "Rotate 0.6 9"),
        ("Solarize 0.6 5", "AutoContrast 0.6"),
        ("Equalize 0.8", "Equalize 0.6"),
        ("Posterize 0.6 7", "Posterize 0.6 6"),
        ("Equalize 0.4", "Solarize 0.2 4"),
        ("Equalize 0.4", "Rotate 0.8 8"),
        ("Solarize 0.6 3", "Equalize 0.6"),
        ("Posterize 0.8 5", "Equalize 1.0"),
        ("Rotate 0.2 3", "Solarize 0.6 8"),
        ("Equalize 0.6", "Posterize 0.4 6"),
        ("Rotate 0.8 8", "Color 0.4 0"),
        ("Rotate 0.4 9", "Equalize 0.6"),
        ("Equalize 0.0", "Equalize 0.8"),
        ("Invert 0.6", "Equalize 1.0"),
        ("Color 0.6 4", "Contrast 1.0 8"),
        ("Rotate 0.8 8", "Color 1.0 2"),
        ("Color 0.8 8", "Solarize 0.8 7"),
        ("Sharpness 0.4 7", "Invert 0.6"),
        ("ShearX 0.6 5", "Equalize 1.0"),
        ("Color 0.4 0", "Equalize 0.6"),
        ("Equalize 0.4", "Solarize 0.2 4"),
        ("Solarize 0.6 5", "AutoContrast 0.6"),
        ("Invert 0.6", "Equalize 1.0"),
        ("Color 0.6 4", "Contrast 1.0 8"),
        ("Equalize 0.8", "Equalize 0.6"),
    ),
    AutoAugmentPolicy.CIFAR10: (
        ("Invert 0.1", "Contrast 0.2 6"),
        ("Rotate 0.7 2", "TranslateX 0.3 9"),
        ("Sharpness 0.8 1", "Sharpness 0.9 3"),
        ("ShearY 0.5 8", "TranslateY 0.7 9"),
        ("AutoContrast 0.5", "Equalize 0.9"),
        ("ShearY 0.2 7", "Posterize 0.3 7"),
        ("Color 0.4 3", "Brightness 0.6 7"),
        ("Sharpness 0.3 9", "Brightness 0.7 9"),
        ("Equalize 0.6", "Equalize 0.5"),
        ("Contrast 0.6 7", "Sharpness 0.6 5"),
        ("Color 0.7 7", "TranslateX 0.5 8"),
        ("Equalize 0.3", "AutoContrast 0.4"),
        ("TranslateY 0.4 3", "Sharpness 0.2 6"),
        ("Brightness 0.9 6", "Color 0.2 8"),
        ("Solarize 0.5 2", "Invert 0.0"),
        ("Equalize 0.2", "AutoContrast 0.6"),
        ("Equalize 0.2", "Equalize 0.6"),
        ("Color 0.9 9", "Equalize 0.6"),
        ("AutoContrast 0.8", "Solarize 0.2 8"),
        ("Brightness 0.1 3", "Color 0.7 0"),
        ("Solarize 0.4 5", "AutoContrast 0.9"),
        ("TranslateY 0.9 9", "TranslateY 0.7 9"),
        ("AutoContrast 0.9", "Solarize 0.8 3"),
        ("Equalize 0.8", "Invert 0.1"),
        ("TranslateY 0.7 9", "AutoContrast 0.9"),
    ),
    AutoAugmentPolicy.SVHN: (
        ("ShearX 0.9 4", "Invert 0.2"),
        ("ShearY 0.9 8", "Invert 0.7"),
        ("Equalize 0.6", "Solarize 0.6 6"),
        ("Invert 0.9", "Equalize 0.6"),
        ("Equalize 0.6", "Rotate 0.9 3"),
        ("ShearX 0.9 4", "AutoContrast 0.8"),
        ("ShearY 0.9 8", "Invert 0.4"),
        ("ShearY 0.9 5", "Solarize 0.2 6"),
        ("Invert 0.9", "AutoContrast 0.8"),
        ("Equalize 0.6", "Rotate 0.9 3"),
        ("ShearX 0.9 4", "Solarize 0.3 3"),
        ("ShearY 0.8 8", "Invert 0.7"),
        ("Equalize 0.9", "TranslateY 0.6 6"),
        ("Invert 0.9", "Equalize 0.6"),
        ("Contrast 0.3 3", "Rotate 0.8 4"),
        ("Invert 0.8", "TranslateY 0.0 2"),
        ("ShearY 0.7 6", "Solarize 0.4 8"),
        ("Invert 0.6", "Rotate 0.8 4"),
        ("ShearY 0.3 7", "TranslateX 0.9 3"),
        ("ShearX 0.1 6", "Invert 0.6"),
        ("Solarize 0.7 2", "TranslateY 0.6 7"),
        ("ShearY 0.8 4", "Invert 0.8"),
        ("ShearX 0.7 9", "TranslateY 0.8 3"),
        ("ShearY 0.8 5", "AutoContrast 0.7"),
        ("ShearX 0.7 2", "Invert 0.1"),
    ),
}
