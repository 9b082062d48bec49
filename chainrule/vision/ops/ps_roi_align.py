"""`roi_align` in which each bin reads a channel of its own (Li et al., arXiv:1711.07264)."""

from __future__ import annotations

from chainrule import dtypes, nn
from chainrule.tensor import Tensor
from chainrule.tensor.creation import arange
from chainrule.vision.ops._sampling import regions_of, sample_places
from chainrule.vision.ops.misc import tuple_of
from chainrule.vision.ops.roi_align import pairs, sample_count


def channel_planes(regions: Tensor, channels: int, bins: tuple[int, int]) -> Tensor:
    """(K, C, bins, bins): which plane of an input (N · channels, H, W) each bin reads."""
    if channels % (bins[0] * bins[1]):
        raise RuntimeError(
            f"input channels must be a multiple of pooling height * pooling width: {channels} is "
            f"none of {bins[0]} * {bins[1]}"
        )
    own = arange(channels).reshape(-1, *bins)
    return regions[:, 0].to(dtypes.int64)[:, None, None, None] * channels + own


def ps_roi_align(
    input: Tensor,
    boxes: Tensor | list[Tensor],
    output_size: int | tuple[int, int],
    spatial_scale: float = 1.0,
    sampling_ratio: int = -1,
) -> Tensor:
    """`roi_align(aligned=True)` where bin (i, j) of channel c reads channel (c, i, j) of `input`.

    input (N, C · h · w, H, W); boxes (K, 5) or a list of (L, 4) → (K, C, h, w).
    """
    regions = regions_of(boxes)
    bins = tuple_of(output_size, 2)
    _, channels, height, width = input.shape
    scaled = regions[:, 1:].to(input.dtype) * spatial_scale - 0.5
    start, size = scaled[:, :2], scaled[:, 2:] - scaled[:, :2]
    ys = sample_places(start[:, 1], size[:, 1], bins[0], sampling_ratio)
    xs = sample_places(start[:, 0], size[:, 0], bins[1], sampling_ratio)
    flat = input.flatten()
    # (K, C, bins, samples, bins, samples)
    plane = channel_planes(regions, channels, bins)[:, :, :, None, :, None] * (height * width)
    total: Tensor | None = None
    for (y, wy), (x, wx) in pairs(ys, xs, height, width):
        index = plane + (y * width + x)[:, None]
        part = flat[index.flatten()].reshape(index.shape) * (wy * wx)[:, None]
        total = part if total is None else total + part
    assert total is not None  # there are four neighbours
    return total.sum((3, 5)) / sample_count(ys, xs, 3)


class PSRoIAlign(nn.Module):
    """`ps_roi_align` as a layer."""

    def __init__(self, output_size: int, spatial_scale: float, sampling_ratio: int) -> None:
        super().__init__()
        self.output_size = output_size
        self.spatial_scale = spatial_scale
        self.sampling_ratio = sampling_ratio

    def forward(self, input: Tensor, rois: Tensor | list[Tensor]) -> Tensor:
        return ps_roi_align(input, rois, self.output_size, self.spatial_scale, self.sampling_ratio)

    def __repr__(self) -> str:
        return (
            f"{self.__class__.__name__}(output_size={self.output_size}, "
            f"spatial_scale={self.spatial_scale}, sampling_ratio={self.sampling_ratio})"
        )
