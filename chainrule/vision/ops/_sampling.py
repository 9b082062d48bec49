"""Reading images between their pixels, and the places that a pooled region reads."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from chainrule import dtypes
from chainrule.tensor import Tensor
from chainrule.tensor.creation import arange
from chainrule.tensor.handle import from_array
from chainrule.vision.ops._utils import check_roi_boxes_shape, convert_boxes_to_roi_format


class Neighbours(NamedTuple):
    """The two pixels next to each place along an axis, and how much each counts."""

    pixel: tuple[Tensor, Tensor]  # int64
    weight: tuple[Tensor, Tensor]


def at_edge(p: Tensor, n: int) -> Neighbours:
    """Places beyond the first or the last pixel read that pixel; 1 beyond them and farther, 0."""
    inside = ((p >= -1) & (p <= n)).to(p.dtype)
    p = p.clamp(0, n - 1)
    low = p.floor()
    part = p - low
    first = low.to(dtypes.int64)
    return Neighbours((first, (first + 1).clamp(max=n - 1)), ((1 - part) * inside, part * inside))


def in_zeros(p: Tensor, n: int) -> Neighbours:
    """The image goes on with zeros."""
    low = p.detach().floor()
    part = p - low
    first = low.to(dtypes.int64)
    last = first + 1
    known = [((i >= 0) & (i < n)).to(p.dtype) for i in (first, last)]
    index = (first.clamp(0, n - 1), last.clamp(0, n - 1))
    return Neighbours(index, ((1 - part) * known[0], part * known[1]))


def regions_of(boxes: Tensor | list[Tensor]) -> Tensor:
    """(K, 5) of either form of argument, cut from the gradient."""
    check_roi_boxes_shape(boxes)
    regions = boxes if isinstance(boxes, Tensor) else convert_boxes_to_roi_format(boxes)
    return regions.detach()


class Samples(NamedTuple):
    """Along one axis: where each of a region's bins is sampled."""

    place: Tensor  # (K, bins, samples)
    used: Tensor | None  # (K, 1, samples): 0 where this region has fewer samples; None: all
    samples: Tensor | int  # (K,) or a number: of a bin


def sample_places(start: Tensor, length: Tensor, bins: int, sampling_ratio: int) -> Samples:
    """Evenly in each bin; `sampling_ratio` samples, or (≤ 0) about one per pixel."""
    bin_size = length / bins
    first = start[:, None] + arange(bins, dtype=start.dtype) * bin_size[:, None]
    if sampling_ratio > 0:
        inner = (arange(sampling_ratio, dtype=start.dtype) + 0.5) / sampling_ratio
        return Samples(first[..., None] + inner * bin_size[:, None, None], None, sampling_ratio)
    count = bin_size.ceil().clamp(min=0)
    most = max(1, int(count.max().item())) if count.numel() else 1
    step = arange(most, dtype=start.dtype)
    inner = (step + 0.5) * (bin_size / count.clamp(min=1))[:, None]
    used = (step < count[:, None]).to(start.dtype)[:, None, :]
    return Samples(first[..., None] + inner[:, None, :], used, count)


class Bins(NamedTuple):
    """Along one axis: the pixels of each of a region's bins, as many as the widest has."""

    pixel: Tensor  # (K, bins, most) int64
    used: Tensor  # (K, bins, most) bool
    pixels: Tensor  # (K, bins) how many


def pixel_bins(low: Tensor, high: Tensor, bins: int, limit: int, *, extra: int) -> Bins:
    """The pixels of bins of a region from `low` to `high` (in pixels, rounded), below `limit`.

    extra: 1 where the pixel at the end belongs to the region. Which pixels they are does not depend
    on the image, but how many does on the regions' values, so this looks at them.
    """
    values = [_away_from_zero(t.numpy()) for t in (low, high)]
    first, size = values[0], np.maximum(values[1] - values[0] + extra, 1)
    bin_size = size.astype(low.dtype.np)[:, None] / low.dtype.np.type(bins)
    number = np.arange(bins, dtype=low.dtype.np)
    start = np.floor(number * bin_size).astype(np.int64) + first[:, None]
    stop = np.ceil((number + 1) * bin_size).astype(np.int64) + first[:, None]
    start, stop = start.clip(0, limit), stop.clip(0, limit)
    count = np.maximum(stop - start, 0)
    step = np.arange(max(1, int(count.max(initial=1))))
    used = step < count[..., None]
    index = np.where(used, start[..., None] + step, 0)
    return Bins(from_array(index), from_array(used), from_array(count))


def _away_from_zero(x: np.ndarray) -> np.ndarray:
    """Rounded as C's `round` does it: halves go away from 0."""
    return (np.sign(x) * np.floor(np.abs(x) + 0.5)).astype(np.int64)
