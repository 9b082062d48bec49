"""Images of any size into a batch for a detector, and what it found back onto the images."""

from __future__ import annotations

import math
from typing import Any

from chainrule import nn
from chainrule.nn import functional as F
from chainrule.tensor import Tensor
from chainrule.tensor.creation import as_tensor, empty, tensor
from chainrule.tensor.functions import stack
from chainrule.vision.models.detection._utils import Target, sizes_of
from chainrule.vision.models.detection.image_list import ImageList
from chainrule.vision.models.detection.masks import paste_masks_in_image

Size = tuple[int, int]


def _resize_image_and_masks(
    image: Tensor,
    self_min_size: int,
    self_max_size: int,
    target: Target | None = None,
    fixed_size: Size | None = None,
) -> tuple[Tensor, Target | None]:
    """The image with its shorter side `self_min_size`, unless the longer would pass the other; or
    of (width, height) `fixed_size`."""
    options: dict[str, Any]
    if fixed_size is not None:
        options = {"size": [fixed_size[1], fixed_size[0]]}
    else:
        sides = image.shape[-2:]
        scale = min(self_min_size / min(sides), self_max_size / max(sides))
        options = {"scale_factor": scale, "recompute_scale_factor": True}
    resized = F.interpolate(image[None], mode="bilinear", align_corners=False, **options)[0]
    if target is not None and "masks" in target:
        masks = F.interpolate(target["masks"][:, None].float(), **options)
        target["masks"] = masks[:, 0].byte()
    return resized, target


class GeneralizedRCNNTransform(nn.Module):
    """Normalises, resizes and batches images with their targets.

    min_size: of the shorter side; of several one is drawn in training and the last used otherwise.
    max_size: of the longer side. size_divisible: the batch's sides are multiples of it.
    """

    def __init__(
        self,
        min_size: int | tuple[int, ...],
        max_size: int,
        image_mean: list[float],
        image_std: list[float],
        size_divisible: int = 32,
        fixed_size: Size | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__()
        self.min_size = tuple(min_size) if isinstance(min_size, (list, tuple)) else (min_size,)
        self.max_size = max_size
        self.image_mean = image_mean
        self.image_std = image_std
        self.size_divisible = size_divisible
        self.fixed_size = fixed_size
        self._skip_resize = kwargs.pop("_skip_resize", False)

    def forward(
        self, images: list[Tensor], targets: list[Target] | None = None
    ) -> tuple[ImageList, list[Target] | None]:
        resized: list[Tensor] = []
        after: list[Target] | None = None if targets is None else []
        for i, image in enumerate(images):
            if image.dim() != 3:
                raise ValueError(
                    "images is expected to be a list of 3d tensors of shape [C, H, W], got "
                    f"{image.shape}"
                )
            target = None if targets is None else dict(targets[i])  # the user's stays as it is
            image, target = self.resize(self.normalize(image), target)
            resized.append(image)
            if after is not None and target is not None:
                after.append(target)
        batch = self.batch_images(resized, size_divisible=self.size_divisible)
        return ImageList(batch, sizes_of(resized)), after

    def normalize(self, image: Tensor) -> Tensor:
        """(image - mean) / std; TypeError for integers."""
        if not image.is_floating_point():
            raise TypeError(
                "Expected input images to be of floating type (in range [0, 1]), but found type "
                f"{image.dtype} instead"
            )
        mean = as_tensor(self.image_mean, dtype=image.dtype)
        std = as_tensor(self.image_std, dtype=image.dtype)
        return (image - mean[:, None, None]) / std[:, None, None]

    def torch_choice(self, k: tuple[int, ...]) -> int:
        """One of `k` at random."""
        return k[int(empty(1).uniform_(0.0, float(len(k))).item())]

    def resize(self, image: Tensor, target: Target | None = None) -> tuple[Tensor, Target | None]:
        """The image in its size for the detector, and the target with it."""
        if self.training and self._skip_resize:
            return image, target
        before = (image.shape[-2], image.shape[-1])
        if self.training and len(self.min_size) > 1:
            size = self.torch_choice(self.min_size)
        else:
            size = self.min_size[-1]
        image, target = _resize_image_and_masks(image, size, self.max_size, target, self.fixed_size)
        if target is None:
            return image, target
        after = (image.shape[-2], image.shape[-1])
        target["boxes"] = resize_boxes(target["boxes"], before, after)
        if "keypoints" in target:
            target["keypoints"] = resize_keypoints(target["keypoints"], before, after)
        return image, target

    def max_by_axis(self, the_list: list[list[int]]) -> list[int]:
        """The largest of each place."""
        return [max(column) for column in zip(*the_list, strict=True)]

    def batch_images(self, images: list[Tensor], size_divisible: int = 32) -> Tensor:
        """(N, C, H, W), padded with zeros at the bottom and the right."""
        _, height, width = self.max_by_axis([list(img.shape) for img in images])
        height, width = (math.ceil(n / size_divisible) * size_divisible for n in (height, width))
        padded = [F.pad(img, (0, width - img.shape[2], 0, height - img.shape[1])) for img in images]
        return stack(padded)

    def postprocess(
        self, result: list[Target], image_shapes: list[Size], original_image_sizes: list[Size]
    ) -> list[Target]:
        """What was found, in pixels of the images as they came; in training unchanged."""
        if self.training:
            return result
        for found, now, before in zip(result, image_shapes, original_image_sizes, strict=True):
            boxes = resize_boxes(found["boxes"], now, before)
            found["boxes"] = boxes
            if "masks" in found:
                found["masks"] = paste_masks_in_image(found["masks"], boxes, before)
            if "keypoints" in found:
                found["keypoints"] = resize_keypoints(found["keypoints"], now, before)
        return result

    def __repr__(self) -> str:
        return (
            f"{self.__class__.__name__}(\n    Normalize(mean={self.image_mean}, "
            f"std={self.image_std})\n    Resize(min_size={self.min_size}, "
            f"max_size={self.max_size}, mode='bilinear')\n)"
        )


def _ratios(original_size: Any, new_size: Any) -> tuple[float, float]:
    """Along y and along x."""
    return new_size[0] / original_size[0], new_size[1] / original_size[1]


def resize_keypoints(keypoints: Tensor, original_size: Any, new_size: Any) -> Tensor:
    """Keypoints (N, K, 3: x, y, visible) of an image that changed its (height, width)."""
    down, across = _ratios(original_size, new_size)
    return keypoints * tensor([across, down, 1.0], dtype=keypoints.dtype)


def resize_boxes(boxes: Tensor, original_size: Any, new_size: Any) -> Tensor:
    """Boxes (N, 4) of an image that changed its (height, width)."""
    down, across = _ratios(original_size, new_size)
    return boxes * tensor([across, down, across, down], dtype=boxes.dtype)
