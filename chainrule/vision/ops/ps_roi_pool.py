"""Means over regions in which each bin reads a channel of its own (R-FCN, arXiv:1605.06409)."""

from __future__ import annotations

from chainrule import nn
from chainrule.tensor import Tensor
from chainrule.vision.ops._sampling import pixel_bins, regions_of
from chainrule.vision.ops.misc import tuple_of
from chainrule.vision.ops.ps_roi_align import channel_planes


def ps_roi_pool(
    input: Tensor,
    boxes: Tensor | list[Tensor],
    output_size: int | tuple[int, int],
    spatial_scale: float = 1.0,
) -> Tensor:
    """Each region, rounded to pixels, cut into bins; bin (i, j) of channel c is the mean of channel
    (c, i, j) of `input` in it, 0 where it has no pixel.

    input (N, C · h · w, H, W); boxes (K, 5) or a list of (L, 4) → (K, C, h, w). As in torchvision
    the last row and column of the input belong to no bin.
    """
    regions = regions_of(boxes)
    bins = tuple_of(output_size, 2)
    _, channels, height, width = input.shape
    scaled = regions[:, 1:] * spatial_scale
    ys = pixel_bins(scaled[:, 1], scaled[:, 3], bins[0], height - 1, extra=0)
    xs = pixel_bins(scaled[:, 0], scaled[:, 2], bins[1], width - 1, extra=0)
    plane = channel_planes(regions, channels, bins)[:, :, :, None, :, None] * (height * width)
    y, x = ys.pixel[:, None, :, :, None, None], xs.pixel[:, None, None, None, :, :]
    index = plane + y * width + x  # (K, C, bins, most, bins, most)
    used = ys.used[:, None, :, :, None, None] & xs.used[:, None, None, None, :, :]
    values = input.flatten()[index.flatten()].reshape(index.shape) * used.to(input.dtype)
    area = (ys.pixels[:, None, :, None] * xs.pixels[:, None, None, :]).clamp(min=1)
    return values.sum((3, 5)) / area


class PSRoIPool(nn.Module):
    """`ps_roi_pool` as a layer."""

    def __init__(self, output_size: int, spatial_scale: float) -> None:
        super().__init__()
        self.output_size = output_size
        self.spatial_scale = spatial_scale

    def forward(self, input: Tensor, rois: Tensor | list[Tensor]) -> Tensor:
        return ps_roi_pool(input, rois, self.output_size, self.spatial_scale)

    def __repr__(self) -> str:
        return (
            f"{self.__class__.__name__}(output_size={self.output_size}, "
            f"spatial_scale={self.spatial_scale})"
        )
