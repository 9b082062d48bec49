"""Transforms of images, with the names and meanings of `torchvision.transforms`.

They work on PIL images, on `chainrule.vision.Image` (where pillow is not installed) and on tensors
(…, C, H, W). A chain of them is applied to whole batches by the data sets in memory.
"""

from chainrule.vision.transforms import functional
from chainrule.vision.transforms.base import Batch, Transform
from chainrule.vision.transforms.fixed import (
    CenterCrop,
    Compose,
    ConvertImageDtype,
    Grayscale,
    Lambda,
    Normalize,
    Pad,
    PILToTensor,
    Resize,
    ToPILImage,
    ToTensor,
)
from chainrule.vision.transforms.functional import InterpolationMode
from chainrule.vision.transforms.random import (
    RandomApply,
    RandomCrop,
    RandomHorizontalFlip,
    RandomResizedCrop,
    RandomVerticalFlip,
)

__all__ = [
    "functional",
    "InterpolationMode",
    "Transform",
    "Batch",
    "Compose",
    "ToTensor",
    "PILToTensor",
    "ToPILImage",
    "ConvertImageDtype",
    "Normalize",
    "Resize",
    "CenterCrop",
    "Pad",
    "Grayscale",
    "Lambda",
    "RandomHorizontalFlip",
    "RandomVerticalFlip",
    "RandomCrop",
    "RandomResizedCrop",
    "RandomApply",
]
