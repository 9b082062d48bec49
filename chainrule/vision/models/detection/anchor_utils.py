"""Boxes laid over the places of feature maps, from which detectors begin."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from chainrule import dtypes, nn
from chainrule.tensor import Tensor
from chainrule.tensor.creation import arange, as_tensor, tensor
from chainrule.tensor.functions import cat, stack
from chainrule.tensor.handle import from_array
from chainrule.vision.models.detection.image_list import ImageList


class AnchorGenerator(nn.Module):
    """At every place of a feature map, boxes of some sizes and aspect ratios (height / width).

    sizes, aspect_ratios: of each map; one list of ratios serves all.

    forward(images, feature_maps) → of each image (all boxes, 4), map after map.
    """

    def __init__(
        self,
        sizes: Any = ((128, 256, 512),),
        aspect_ratios: Any = ((0.5, 1.0, 2.0),),
    ) -> None:
        super().__init__()
        if not isinstance(sizes[0], (list, tuple)):
            sizes = tuple((s,) for s in sizes)
        if not isinstance(aspect_ratios[0], (list, tuple)):
            aspect_ratios = (aspect_ratios,) * len(sizes)
        self.sizes = sizes
        self.aspect_ratios = aspect_ratios
        pairs = zip(sizes, aspect_ratios, strict=False)
        self.cell_anchors = [self.generate_anchors(size, ratio) for size, ratio in pairs]

    def generate_anchors(
        self,
        scales: list[int],
        aspect_ratios: list[float],
        dtype: dtypes.DType = dtypes.float32,
        device: Any = None,
    ) -> Tensor:
        """The boxes around 0: (ratios · scales, 4), rounded."""
        sizes = as_tensor(scales, dtype=dtype)
        tall = as_tensor(aspect_ratios, dtype=dtype).sqrt()
        width = ((1 / tall)[:, None] * sizes[None, :]).view(-1)
        height = (tall[:, None] * sizes[None, :]).view(-1)
        return (stack([-width, -height, width, height], dim=1) / 2).round()

    def set_cell_anchors(self, dtype: dtypes.DType, device: Any = None) -> None:
        """Have the boxes around 0 in another dtype."""
        self.cell_anchors = [cell.to(dtype=dtype) for cell in self.cell_anchors]

    def num_anchors_per_location(self) -> list[int]:
        """Of each map."""
        return [len(s) * len(a) for s, a in zip(self.sizes, self.aspect_ratios, strict=False)]

    def grid_anchors(self, grid_sizes: Any, strides: Any) -> list[Tensor]:
        """The boxes of each map: (height · width · boxes per place, 4)."""
        if not len(grid_sizes) == len(strides) == len(self.cell_anchors):
            raise AssertionError(
                "Anchors should be Tuple[Tuple[int]] because each feature map could potentially "
                "have different sizes and aspect ratios. There needs to be a match between the "
                "number of feature maps passed and the number of sizes / aspect ratios specified."
            )
        anchors = []
        for size, stride, cell in zip(grid_sizes, strides, self.cell_anchors, strict=True):
            y, x = np.meshgrid(
                np.arange(size[0]) * int(stride[0]),
                np.arange(size[1]) * int(stride[1]),
                indexing="ij",
            )
            shifts = from_array(np.stack((x, y, x, y), axis=-1).reshape(-1, 1, 4)).to(cell.dtype)
            anchors.append((shifts + cell.view(1, -1, 4)).reshape(-1, 4))
        return anchors

    def forward(self, image_list: ImageList, feature_maps: list[Tensor]) -> list[Tensor]:
        sizes = [tuple(feature.shape[-2:]) for feature in feature_maps]
        height, width = image_list.tensors.shape[-2:]
        self.set_cell_anchors(feature_maps[0].dtype)
        strides = [(height // size[0], width // size[1]) for size in sizes]
        every = cat(self.grid_anchors(sizes, strides))
        return [every for _ in image_list.image_sizes]


class DefaultBoxGenerator(nn.Module):
    """SSD's boxes (arXiv:1512.02325): two squares and two boxes for each ratio at every place.

    min_ratio, max_ratio: sizes of the first and the last map, as shares of the image, unless
    `scales` gives all. steps: pixels between places. clip: keep sizes within the image.
    """

    def __init__(
        self,
        aspect_ratios: list[list[int]],
        min_ratio: float = 0.15,
        max_ratio: float = 0.9,
        scales: list[float] | None = None,
        steps: list[int] | None = None,
        clip: bool = True,
    ) -> None:
        super().__init__()
        if steps is not None and len(aspect_ratios) != len(steps):
            raise ValueError("aspect_ratios and steps should have the same length")
        self.aspect_ratios = aspect_ratios
        self.steps = steps
        self.clip = clip
        n = len(aspect_ratios)
        if scales is not None:
            self.scales = scales
        elif n > 1:
            rest = max_ratio - min_ratio
            self.scales = [*(min_ratio + rest * k / (n - 1.0) for k in range(n)), 1.0]
        else:
            self.scales = [min_ratio, max_ratio]
        self._wh_pairs = self._generate_wh_pairs(n)

    def _generate_wh_pairs(
        self, num_outputs: int, dtype: dtypes.DType = dtypes.float32, device: Any = None
    ) -> list[Tensor]:
        """Of each map (boxes per place, 2): width and height."""
        every = []
        for k in range(num_outputs):
            scale = self.scales[k]
            larger = math.sqrt(scale * self.scales[k + 1])
            pairs = [[scale, scale], [larger, larger]]
            for ratio in self.aspect_ratios[k]:
                root = math.sqrt(ratio)
                pairs += [[scale * root, scale / root], [scale / root, scale * root]]
            every.append(as_tensor(pairs, dtype=dtype))
        return every

    def num_anchors_per_location(self) -> list[int]:
        """Of each map."""
        return [2 + 2 * len(r) for r in self.aspect_ratios]

    def _grid_default_boxes(
        self, grid_sizes: Any, image_size: Any, dtype: dtypes.DType = dtypes.float32
    ) -> Tensor:
        """(all boxes, 4): middle and size, as shares of the image."""
        boxes = []
        for k, (height, width) in enumerate(grid_sizes):
            down, across = float(height), float(width)
            if self.steps is not None:
                down, across = image_size[0] / self.steps[k], image_size[1] / self.steps[k]
            x = ((arange(0, width) + 0.5) / across).to(dtype=dtype)
            y = ((arange(0, height) + 0.5) / down).to(dtype=dtype)
            pairs = self._wh_pairs[k].clamp(min=0, max=1) if self.clip else self._wh_pairs[k]
            shape = (height, width, pairs.shape[0], 1)
            parts = [
                x[None, :, None, None].expand(shape),
                y[:, None, None, None].expand(shape),
                pairs[None, None].expand(height, width, -1, -1),
            ]
            boxes.append(cat(parts, dim=-1).reshape(-1, 4))
        return cat(boxes, dim=0)

    def __repr__(self) -> str:
        return (
            f"{self.__class__.__name__}(aspect_ratios={self.aspect_ratios}, clip={self.clip}, "
            f"scales={self.scales}, steps={self.steps})"
        )

    def forward(self, image_list: ImageList, feature_maps: list[Tensor]) -> list[Tensor]:
        sizes = [tuple(feature.shape[-2:]) for feature in feature_maps]
        image = image_list.tensors.shape[-2:]
        boxes = self._grid_default_boxes(sizes, image, dtype=feature_maps[0].dtype)
        scale = tensor([image[1], image[0]])
        low = (boxes[:, :2] - 0.5 * boxes[:, 2:]) * scale
        high = (boxes[:, :2] + 0.5 * boxes[:, 2:]) * scale
        every = cat([low, high], -1)
        return [every for _ in image_list.image_sizes]
