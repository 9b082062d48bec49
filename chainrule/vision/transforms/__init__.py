"""Transforms of images, with the names and meanings of `torchvision.transforms`.

They work on PIL images, on `chainrule.vision.Image` (where pillow is not installed) and on tensors
(…, C, H, W). A chain of them is applied to whole batches by the data sets in memory.
"""

from chainrule import names
from chainrule.vision.transforms import autoaugment, functional, transforms
from chainrule.vision.transforms.autoaugment import (
    AugMix,
    AutoAugment,
    AutoAugmentPolicy,
    RandAugment,
    TrivialAugmentWide,
)
from chainrule.vision.transforms.base import Batch, Transform
from chainrule.vision.transforms.transforms import *  # noqa: F403  # listed there
from chainrule.vision.transforms.transforms import __all__ as _names

__all__ = [
    "autoaugment",
    "functional",
    "transforms",
    "Batch",
    "Transform",
    "AugMix",
    "AutoAugment",
    "AutoAugmentPolicy",
    "RandAugment",
    "TrivialAugmentWide",
    *_names,
]

__getattr__ = names.later(__name__, ["v2"])  # it needs `tv_tensors`, which needs us
