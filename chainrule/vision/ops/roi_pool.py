"""The features of regions, brought to one size by maxima (Fast R-CNN, arXiv:1504.08083)."""

from __future__ import annotations

import math

from chainrule import dtypes, nn
from chainrule.tensor import Tensor
from chainrule.tensor.functions import where
from chainrule.vision.ops._sampling import pixel_bins, regions_of
from chainrule.vision.ops.misc import tuple_of


def roi_pool(
    input: Tensor,
    boxes: Tensor | list[Tensor],
    output_size: int | tuple[int, int],
    spatial_scale: float = 1.0,
) -> Tensor:
    """Each region, rounded to pixels, cut into a grid of bins, and of each bin the largest; 0 of a
    bin without pixels.

    input (N, C, H, W); boxes (K, 5) or a list of (L, 4) → (K, C, *output_size).
    """
    regions = regions_of(boxes)
    bins = tuple_of(output_size, 2)
    images, channels, height, width = input.shape
    scaled = regions[:, 1:] * spatial_scale
    ys = pixel_bins(scaled[:, 1], scaled[:, 3], bins[0], height, extra=1)
    xs = pixel_bins(scaled[:, 0], scaled[:, 2], bins[1], width, extra=1)
    rows = input.permute(0, 2, 3, 1).reshape(images * height * width, channels)
    y = regions[:, 0].to(dtypes.int64)[:, None, None] * height + ys.pixel
    index = y[:, :, None, :, None] * width + xs.pixel[:, None, :, None, :]
    used = (
        ys.used[:, :, None, :, None] & xs.used[:, None, :, None, :]
    )  # (K, bins, bins, most, most)
    values = rows[index.flatten()].reshape(*index.shape, channels)
    values = where(used[..., None], values, -math.inf).flatten(3, 4)
    largest = values.max(dim=3)[0]
    some = (ys.pixels[:, :, None, None] > 0) & (xs.pixels[:, None, :, None] > 0)
    return where(some, largest, 0.0).permute(0, 3, 1, 2)


class RoIPool(nn.Module):
    """`roi_pool` as a layer."""

    def __init__(self, output_size: int | tuple[int, int], spatial_scale: float) -> None:
        super().__init__()
        self.output_size = output_size
        self.spatial_scale = spatial_scale

    def forward(self, input: Tensor, rois: Tensor | list[Tensor]) -> Tensor:
        return roi_pool(input, rois, self.output_size, self.spatial_scale)

    def __repr__(self) -> str:
        return (
            f"{self.__class__.__name__}(output_size={self.output_size}, "
            f"spatial_scale={self.spatial_scale})"
        )
