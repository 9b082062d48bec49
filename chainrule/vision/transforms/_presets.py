"""The preprocessing that pretrained weights expect: what `weights.transforms()` makes."""

from __future__ import annotations

from typing import Any

from chainrule import nn
from chainrule.dtypes import float32
from chainrule.tensor import Tensor
from chainrule.vision.transforms import functional as F
from chainrule.vision.transforms.functional import InterpolationMode

__all__ = [
    "ObjectDetection",
    "ImageClassification",
    "VideoClassification",
    "SemanticSegmentation",
    "OpticalFlow",
]

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def _floats(img: Any) -> Tensor:
    """A tensor of numbers in [0, 1] of an image."""
    return F.convert_image_dtype(img if isinstance(img, Tensor) else F.pil_to_tensor(img), float32)


class _Preset(nn.Module):
    """Shows the settings in `shown`, one a line."""

    shown: tuple[str, ...] = ()

    def __repr__(self) -> str:
        if not self.shown:
            return f"{type(self).__name__}()"
        lines = "".join(f"\n    {name}={getattr(self, name)}" for name in self.shown)
        return f"{type(self).__name__}({lines}\n)"


class ObjectDetection(_Preset):
    """Image → tensor in [0, 1]; the detectors resize and normalise by themselves."""

    def forward(self, img: Any) -> Tensor:
        return _floats(img)

    def describe(self) -> str:
        """What is done, in words."""
        return "PIL images and tensors (…, C, H, W), rescaled to [0, 1]."


class ImageClassification(_Preset):
    """Image → resized, cropped in the middle, in [0, 1], normalised."""

    shown = ("crop_size", "resize_size", "mean", "std", "interpolation")

    def __init__(
        self,
        *,
        crop_size: int,
        resize_size: int = 256,
        mean: tuple[float, ...] = IMAGENET_MEAN,
        std: tuple[float, ...] = IMAGENET_STD,
        interpolation: InterpolationMode = InterpolationMode.BILINEAR,
        antialias: bool | None = True,
    ) -> None:
        super().__init__()
        self.crop_size, self.resize_size = [crop_size], [resize_size]
        self.mean, self.std = list(mean), list(std)
        self.interpolation, self.antialias = interpolation, antialias

    def forward(self, img: Any) -> Tensor:
        img = F.resize(img, self.resize_size, self.interpolation, antialias=self.antialias)
        return F.normalize(_floats(F.center_crop(img, self.crop_size)), self.mean, self.std)

    def describe(self) -> str:
        """What is done, in words."""
        return (
            f"PIL images and tensors (…, C, H, W), resized to {self.resize_size} "
            f"({self.interpolation}), cropped in the middle to {self.crop_size}, rescaled to "
            f"[0, 1], normalised with mean {self.mean} and std {self.std}."
        )


class VideoClassification(_Preset):
    """Frames (…, T, C, H, W) → resized, cropped, normalised, (…, C, T, H, W)."""

    shown = ("crop_size", "resize_size", "mean", "std", "interpolation")

    def __init__(
        self,
        *,
        crop_size: tuple[int, int],
        resize_size: tuple[int] | tuple[int, int],
        mean: tuple[float, ...] = (0.43216, 0.394666, 0.37645),
        std: tuple[float, ...] = (0.22803, 0.22145, 0.216989),
        interpolation: InterpolationMode = InterpolationMode.BILINEAR,
    ) -> None:
        super().__init__()
        self.crop_size, self.resize_size = list(crop_size), list(resize_size)
        self.mean, self.std = list(mean), list(std)
        self.interpolation = interpolation

    def forward(self, vid: Tensor) -> Tensor:
        single = vid.ndim < 5
        clips = vid.unsqueeze(0) if single else vid
        n, t, c, h, w = clips.shape
        frames = clips.reshape(-1, c, h, w)
        frames = F.resize(frames, self.resize_size, self.interpolation, antialias=False)
        frames = F.normalize(_floats(F.center_crop(frames, self.crop_size)), self.mean, self.std)
        clips = frames.reshape(n, t, c, *self.crop_size).permute(0, 2, 1, 3, 4)
        return clips.squeeze(0) if single else clips

    def describe(self) -> str:
        """What is done, in words."""
        return (
            f"Frames (…, T, C, H, W), resized to {self.resize_size} ({self.interpolation}), "
            f"cropped in the middle to {self.crop_size}, rescaled to [0, 1], normalised with mean "
            f"{self.mean} and std {self.std}, and turned to (…, C, T, H, W)."
        )


class SemanticSegmentation(_Preset):
    """Image → resized (unless `resize_size` is None), in [0, 1], normalised."""

    shown = ("resize_size", "mean", "std", "interpolation")

    def __init__(
        self,
        *,
        resize_size: int | None,
        mean: tuple[float, ...] = IMAGENET_MEAN,
        std: tuple[float, ...] = IMAGENET_STD,
        interpolation: InterpolationMode = InterpolationMode.BILINEAR,
        antialias: bool | None = True,
    ) -> None:
        super().__init__()
        self.resize_size = [resize_size] if resize_size is not None else None
        self.mean, self.std = list(mean), list(std)
        self.interpolation, self.antialias = interpolation, antialias

    def forward(self, img: Any) -> Tensor:
        if self.resize_size is not None:
            img = F.resize(img, self.resize_size, self.interpolation, antialias=self.antialias)
        return F.normalize(_floats(img), self.mean, self.std)

    def describe(self) -> str:
        """What is done, in words."""
        return (
            f"PIL images and tensors (…, C, H, W), resized to {self.resize_size} "
            f"({self.interpolation}), rescaled to [0, 1], normalised with mean {self.mean} and std "
            f"{self.std}."
        )


class OpticalFlow(_Preset):
    """Two images → two tensors in [-1, 1]."""

    def forward(self, img1: Any, img2: Any) -> tuple[Tensor, Tensor]:
        return _signed(img1), _signed(img2)

    def describe(self) -> str:
        """What is done, in words."""
        return "Two PIL images or tensors (…, C, H, W), rescaled to [-1, 1]."


def _signed(img: Any) -> Tensor:
    return F.normalize(_floats(img), [0.5, 0.5, 0.5], [0.5, 0.5, 0.5]).contiguous()
