"""The features of regions, brought to one size by bilinear samples (arXiv:1703.06870)."""

from __future__ import annotations

from chainrule import dtypes, nn
from chainrule.tensor import Tensor
from chainrule.vision.ops._sampling import Samples, at_edge, regions_of, sample_places
from chainrule.vision.ops.misc import tuple_of


def roi_align(
    input: Tensor,
    boxes: Tensor | list[Tensor],
    output_size: int | tuple[int, int],
    spatial_scale: float = 1.0,
    sampling_ratio: int = -1,
    aligned: bool = False,
) -> Tensor:
    """Each region cut into a grid of bins, and of each bin the mean of bilinear samples.

    input (N, C, H, W); boxes (K, 5): image, x1, y1, x2, y2, or a list of (L, 4) for each image →
    (K, C, *output_size).

    spatial_scale: what a coordinate is multiplied by to be one of `input`. sampling_ratio: samples
    along a bin, or ≤ 0: about one per pixel. aligned: pixels have their middle, not their corner,
    at whole coordinates. There is no gradient with respect to the boxes.
    """
    regions = regions_of(boxes)
    bins = tuple_of(output_size, 2)
    images, channels, height, width = input.shape
    scaled = regions[:, 1:].to(input.dtype) * spatial_scale - (0.5 if aligned else 0.0)
    start, size = scaled[:, :2], scaled[:, 2:] - scaled[:, :2]
    if not aligned:
        size = size.clamp(min=1.0)
    ys = sample_places(start[:, 1], size[:, 1], bins[0], sampling_ratio)
    xs = sample_places(start[:, 0], size[:, 0], bins[1], sampling_ratio)
    rows = input.permute(0, 2, 3, 1).reshape(images * height * width, channels)
    first = regions[:, 0].to(dtypes.int64)[:, None, None, None, None] * height
    total: Tensor | None = None
    for (y, wy), (x, wx) in pairs(ys, xs, height, width):
        values = rows[((first + y) * width + x).flatten()]
        part = values.reshape(*(first + y + x).shape, channels) * (wy * wx)[..., None]
        total = part if total is None else total + part
    assert total is not None  # there are four neighbours
    return (total.sum((2, 4)) / sample_count(ys, xs, 3)).permute(0, 3, 1, 2)


def pairs(
    ys: Samples, xs: Samples, height: int, width: int
) -> list[tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]]:
    """(index, weight) of the four neighbours: y as (K, bins, samples, 1, 1), x as (K, 1, 1, …)."""
    near_y, near_x = at_edge(ys.place, height), at_edge(xs.place, width)
    both = []
    for y, wy in zip(*near_y, strict=True):
        for x, wx in zip(*near_x, strict=True):
            wy_used = wy if ys.used is None else wy * ys.used
            wx_used = wx if xs.used is None else wx * xs.used
            of_y = y[:, :, :, None, None], wy_used[:, :, :, None, None]
            both.append((of_y, (x[:, None, None], wx_used[:, None, None])))
    return both


def sample_count(ys: Samples, xs: Samples, more: int) -> Tensor | int:
    """How many samples a bin has, at least 1, with `more` axes of length 1 after the regions'."""
    if isinstance(ys.samples, Tensor):
        return (ys.samples * xs.samples).clamp(min=1).reshape(-1, *(1,) * more)
    return ys.samples * int(xs.samples)


class RoIAlign(nn.Module):
    """`roi_align` as a layer."""

    def __init__(
        self,
        output_size: int | tuple[int, int],
        spatial_scale: float,
        sampling_ratio: int,
        aligned: bool = False,
    ) -> None:
        super().__init__()
        self.output_size = output_size
        self.spatial_scale = spatial_scale
        self.sampling_ratio = sampling_ratio
        self.aligned = aligned

    def forward(self, input: Tensor, rois: Tensor | list[Tensor]) -> Tensor:
        return roi_align(
            input, rois, self.output_size, self.spatial_scale, self.sampling_ratio, self.aligned
        )

    def __repr__(self) -> str:
        return (
            f"{self.__class__.__name__}(output_size={self.output_size}, "
            f"spatial_scale={self.spatial_scale}, sampling_ratio={self.sampling_ratio}, "
            f"aligned={self.aligned})"
        )
