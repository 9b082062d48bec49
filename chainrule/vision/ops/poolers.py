"""`roi_align` from the level of a pyramid that fits a region's size (arXiv:1612.03144, eq. 1)."""

from __future__ import annotations

import math

from chainrule import dtypes, nn
from chainrule.tensor import Tensor
from chainrule.tensor.creation import zeros
from chainrule.tensor.functions import cat, where
from chainrule.vision.ops._utils import convert_boxes_to_roi_format
from chainrule.vision.ops.boxes import box_area
from chainrule.vision.ops.roi_align import roi_align


class LevelMapper:
    """Boxes → floor(canonical_level + log2(√area / canonical_scale)), from 0 for `k_min`."""

    def __init__(
        self,
        k_min: int,
        k_max: int,
        canonical_scale: int = 224,
        canonical_level: int = 4,
        eps: float = 1e-6,
    ) -> None:
        self.k_min, self.k_max = k_min, k_max
        self.s0, self.lvl0 = canonical_scale, canonical_level
        self.eps = eps

    def __call__(self, boxlists: list[Tensor]) -> Tensor:
        side = cat([box_area(boxes) for boxes in boxlists]).sqrt()
        level = (self.lvl0 + (side / self.s0).log2() + self.eps).floor()
        return level.clamp(min=self.k_min, max=self.k_max).to(dtypes.int64) - self.k_min


def initLevelMapper(
    k_min: int,
    k_max: int,
    canonical_scale: int = 224,
    canonical_level: int = 4,
    eps: float = 1e-6,
) -> LevelMapper:
    """torchvision's other name of `LevelMapper`."""
    return LevelMapper(k_min, k_max, canonical_scale, canonical_level, eps)


class MultiScaleRoIAlign(nn.Module):
    """The features of boxes, each from the level of a pyramid that fits its size.

    featmap_names: the levels to use. output_size, sampling_ratio: as in `roi_align`. A box of
    canonical_scale² pixels is read from level `canonical_level`.

    forward(x: name → (N, C, H, W), boxes: list of (L, 4) in pixels of the images, image_shapes:
    list of (height, width)) → (all boxes, C, *output_size).
    """

    def __init__(
        self,
        featmap_names: list[str],
        output_size: int | tuple[int, ...] | list[int],
        sampling_ratio: int,
        *,
        canonical_scale: int = 224,
        canonical_level: int = 4,
    ) -> None:
        super().__init__()
        both = (output_size, output_size) if isinstance(output_size, int) else tuple(output_size)
        self.featmap_names = featmap_names
        self.sampling_ratio = sampling_ratio
        self.output_size = both
        self.scales: list[float] | None = None
        self.map_levels: LevelMapper | None = None
        self.canonical_scale = canonical_scale
        self.canonical_level = canonical_level

    def forward(
        self, x: dict[str, Tensor], boxes: list[Tensor], image_shapes: list[tuple[int, int]]
    ) -> Tensor:
        features = [value for name, value in x.items() if name in self.featmap_names]
        if self.scales is None or self.map_levels is None:
            self._set_up(features, image_shapes)
        assert self.scales is not None and self.map_levels is not None  # set above
        regions = convert_boxes_to_roi_format(boxes)
        height, width = self.output_size
        options = {"output_size": (height, width), "sampling_ratio": self.sampling_ratio}
        if len(features) == 1:
            return roi_align(features[0], regions, spatial_scale=self.scales[0], **options)  # type: ignore[arg-type]  # mypy reads one type for all options
        levels = self.map_levels(boxes)
        shape = (len(regions), features[0].shape[1], height, width)
        result = zeros(shape, dtype=features[0].dtype)
        for level, (feature, scale) in enumerate(zip(features, self.scales, strict=True)):
            (mine,) = where(levels == level)
            found = roi_align(feature, regions[mine], spatial_scale=scale, **options)  # type: ignore[arg-type]  # the same
            result = result.index_copy(0, mine, found.to(result.dtype))
        return result

    def _set_up(self, features: list[Tensor], image_shapes: list[tuple[int, int]]) -> None:
        """The scale of each level, a power of two, from the largest image."""
        if not image_shapes:
            raise ValueError("images list should not be empty")
        tallest = max(height for height, _ in image_shapes)
        self.scales = [2.0 ** round(math.log2(f.shape[-2] / tallest)) for f in features]
        lowest, highest = (int(-math.log2(s)) for s in (self.scales[0], self.scales[-1]))
        self.map_levels = LevelMapper(lowest, highest, self.canonical_scale, self.canonical_level)

    def __repr__(self) -> str:
        return (
            f"{self.__class__.__name__}(featmap_names={self.featmap_names}, "
            f"output_size={self.output_size}, sampling_ratio={self.sampling_ratio})"
        )
