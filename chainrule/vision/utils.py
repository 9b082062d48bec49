"""Pictures of tensors, with the names and meanings of `torchvision.utils`."""

from __future__ import annotations

import collections.abc
import itertools
import math
import os
from typing import Any

import numpy as np

from chainrule import names
from chainrule.tensor import Tensor
from chainrule.tensor.fromdata import from_owned
from chainrule.utils.data.batching import values
from chainrule.vision.drawing import (
    draw_bounding_boxes,
    draw_keypoints,
    draw_segmentation_masks,
    flow_to_image,
)
from chainrule.vision.images import Array, make_image
from chainrule.vision.io.png import encoded

__all__ = [
    "make_grid",
    "save_image",
    "draw_bounding_boxes",
    "draw_segmentation_masks",
    "draw_keypoints",
    "flow_to_image",
]


def make_grid(
    tensor: Tensor | list[Tensor] | tuple[Tensor, ...],
    nrow: int = 8,
    padding: int = 2,
    normalize: bool = False,
    value_range: tuple[float, float] | None = None,
    scale_each: bool = False,
    pad_value: float = 0.0,
) -> Tensor:
    """One picture (3, H, W) of many images (N, C, H, W), `nrow` in a row, `padding` pixels apart.

    With `normalize` the values between the two of `value_range` (None: the smallest and the
    largest) are spread over 0 … 1, with `scale_each` image by image. Grey images become coloured
    ones with equal channels; a single image comes back without a border.

    >>> from chainrule.tensor.creation import ones
    >>> from chainrule.vision.utils import make_grid
    >>> tuple(make_grid(ones(5, 1, 4, 4), nrow=3).shape)
    (3, 14, 20)
    """
    x = _images(tensor)
    if normalize:
        if value_range is not None and not isinstance(value_range, tuple):
            raise TypeError(
                "value_range has to be a tuple (min, max) if specified. min and max are numbers"
            )
        x = (
            np.stack([_spread(i, value_range) for i in x])
            if scale_each
            else _spread(x, value_range)
        )
    if len(x) == 1:
        return from_owned(np.array(x[0]))
    n, channels, h, w = x.shape
    columns = min(nrow, n)
    rows = math.ceil(n / columns)
    height, width = h + padding, w + padding
    grid = np.full(
        (channels, height * rows + padding, width * columns + padding), pad_value, x.dtype
    )
    for k in range(n):
        top, left = k // columns * height + padding, k % columns * width + padding
        grid[:, top : top + h, left : left + w] = x[k]
    return from_owned(grid)


def _images(tensor: Any) -> Array:
    """(N, C, H, W) with at least three equal channels."""
    if isinstance(tensor, list | tuple):
        for one in tensor:
            if not isinstance(one, Tensor):
                raise TypeError(
                    f"tensor or list of tensors expected, got a list containing {type(one)}"
                )
        x = np.stack([values(one) for one in tensor])
    elif isinstance(tensor, Tensor):
        x = values(tensor)
    else:
        raise TypeError(f"tensor or list of tensors expected, got {type(tensor)}")
    while 2 <= x.ndim < 4:
        x = x[None]
    if x.ndim != 4:
        raise ValueError(
            f"images have the shape (N, C, H, W), (C, H, W) or (H, W); got {tuple(x.shape)}"
        )
    return np.repeat(x, 3, axis=1) if x.shape[1] == 1 else x


def _spread(x: Array, value_range: tuple[float, float] | None) -> Array:
    low, high = (float(x.min()), float(x.max())) if value_range is None else value_range
    kind = x.dtype.type
    return (np.clip(x, kind(low), kind(high)) - kind(low)) / kind(max(high - low, 1e-5))


def save_image(
    tensor: Tensor | list[Tensor] | tuple[Tensor, ...],
    fp: Any,
    format: str | None = None,
    **kwargs: Any,
) -> None:
    """Write `make_grid(tensor, **kwargs)`, with values 0 … 1, to the file named or opened by `fp`.

    The name's ending (or `format`) is the kind of file. Without Pillow that is PNG, or a
    `ModuleNotFoundError`.
    """
    grid = values(make_grid(tensor, **kwargs))
    if grid.dtype.kind in "iub":
        grid = grid.astype(np.float32)
    array = np.clip(grid * grid.dtype.type(255) + grid.dtype.type(0.5), 0, 255).astype(np.uint8)
    image = make_image(np.moveaxis(array, 0, -1))
    if hasattr(image, "save"):
        image.save(fp, format=format)
        return
    kind = format or (os.path.splitext(os.fspath(fp))[1][1:] if not hasattr(fp, "write") else "png")
    if kind.lower() != "png":
        raise ModuleNotFoundError(
            f"only PNG can be written without Pillow, not {kind!r}: pip install "
            "'chainrule[vision]', or save as .png"
        )
    data = encoded(np.asarray(image))
    if hasattr(fp, "write"):
        fp.write(data)
    else:
        with open(fp, "wb") as file:
            file.write(data)


def _make_ntuple(x: Any, n: int) -> tuple[Any, ...]:
    """`x` as a tuple; what cannot be iterated, n times."""
    if isinstance(x, collections.abc.Iterable):
        return tuple(x)
    return tuple(itertools.repeat(x, n))


def _log_api_usage_once(obj: Any) -> None:
    """Nothing: programs that copied code of torchvision call it."""


__getattr__ = names.later(__name__)
