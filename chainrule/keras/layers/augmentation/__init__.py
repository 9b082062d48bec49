"""Layers that change images: places in `geometry.py`, colours in `colour.py`, mixtures in
`mixing.py`.
"""

from chainrule.keras.layers.augmentation.base import BaseImagePreprocessingLayer
from chainrule.keras.layers.augmentation.boxes import (
    clip_to_image_size,
    compute_ciou,
    compute_iou,
    convert_format,
)
from chainrule.keras.layers.augmentation.colour import (
    AutoContrast,
    Equalization,
    RandomBrightness,
    RandomColorDegeneration,
    RandomColorJitter,
    RandomContrast,
    RandomGaussianBlur,
    RandomGrayscale,
    RandomHue,
    RandomInvert,
    RandomPosterization,
    RandomSaturation,
    RandomSharpness,
    Solarization,
)
from chainrule.keras.layers.augmentation.geometry import (
    CenterCrop,
    MaxNumBoundingBoxes,
    RandomCrop,
    RandomFlip,
    RandomRotation,
    RandomShear,
    RandomTranslation,
    RandomZoom,
    Resizing,
)
from chainrule.keras.layers.augmentation.mixing import CutMix, MixUp, RandAugment, RandomErasing

__all__ = [
    "AutoContrast", "BaseImagePreprocessingLayer", "CenterCrop", "CutMix", "Equalization",
    "MaxNumBoundingBoxes", "MixUp", "RandAugment", "RandomBrightness", "RandomColorDegeneration",
    "RandomColorJitter", "RandomContrast", "RandomCrop", "RandomErasing", "RandomFlip",
    "RandomGaussianBlur", "RandomGrayscale", "RandomHue", "RandomInvert", "RandomPosterization",
    "RandomRotation", "RandomSaturation", "RandomSharpness", "RandomShear", "RandomTranslation",
    "RandomZoom", "Resizing", "Solarization", "clip_to_image_size", "compute_ciou", "compute_iou",
    "convert_format",
]  # fmt: skip
