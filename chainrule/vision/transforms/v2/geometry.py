"""Samples cut, padded, resized, turned and bent: pictures, masks, boxes and points together."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from chainrule.tensor.fromdata import from_owned
from chainrule.utils.data.batching import values
from chainrule.vision import tv_tensors, warps
from chainrule.vision.draws import draws
from chainrule.vision.images import is_image
from chainrule.vision.transforms import functional as v1
from chainrule.vision.transforms.base import angles, check_sequence
from chainrule.vision.transforms.random import RandomCrop as _Crop
from chainrule.vision.transforms.random import RandomResizedCrop as _ResizedCrop
from chainrule.vision.transforms.random import rectangle
from chainrule.vision.transforms.v2 import functional as F
from chainrule.vision.transforms.v2.base import (
    RandomTransform,
    Transform,
    fill_of,
    fills,
    get_bounding_boxes,
    has_all,
    has_any,
    is_pure_tensor,
    query_size,
    two_floats,
)
from chainrule.vision.transforms.warp import ElasticTransform as _Elastic
from chainrule.vision.transforms.warp import RandomAffine as _Affine
from chainrule.vision.transforms.warp import RandomPerspective as _Perspective
from chainrule.vision.transforms.warp import RandomRotation as _Rotation

Interpolation = v1.InterpolationMode | str | int


class RandomHorizontalFlip(RandomTransform):
    """Left and right exchanged, with probability p."""

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        return F.horizontal_flip(inpt)


class RandomVerticalFlip(RandomTransform):
    """Upside down, with probability p."""

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        return F.vertical_flip(inpt)


class Resize(Transform):
    """Another size; None means that the longer edge becomes `max_size`."""

    def __init__(
        self,
        size: int | Sequence[int] | None,
        interpolation: Interpolation = "bilinear",
        max_size: int | None = None,
        antialias: bool | None = True,
    ) -> None:
        super().__init__()
        if size is None and not isinstance(max_size, int):
            raise ValueError(
                f"max_size must be an integer when size is None, but got {max_size} instead."
            )
        if isinstance(size, int):
            size = [size]
        elif size is not None and not (isinstance(size, Sequence) and len(size) in (1, 2)):
            raise ValueError(
                "size can be an integer, a sequence of one or two integers, or None, but got "
                f"{size} instead."
            )
        self.size = None if size is None else list(size)
        self.interpolation = interpolation
        self.max_size = max_size
        self.antialias = antialias

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        return F.resize(inpt, self.size, self.interpolation, self.max_size, self.antialias)


class CenterCrop(Transform):
    """The middle."""

    def __init__(self, size: int | Sequence[int]) -> None:
        super().__init__()
        self.size = v1.pair(size)

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        return F.center_crop(inpt, self.size)


class RandomResizedCrop(Transform):
    """A rectangle of random area and shape, resized to `size`."""

    get_params = staticmethod(_ResizedCrop.get_params)

    def __init__(
        self,
        size: int | Sequence[int],
        scale: Sequence[float] = (0.08, 1.0),
        ratio: Sequence[float] = (3.0 / 4.0, 4.0 / 3.0),
        interpolation: Interpolation = "bilinear",
        antialias: bool | None = True,
    ) -> None:
        super().__init__()
        self.size = v1.pair(size)
        if not isinstance(scale, Sequence) or len(scale) != 2:
            raise TypeError("Scale should be a sequence of two floats.")
        if not isinstance(ratio, Sequence) or len(ratio) != 2:
            raise TypeError("Ratio should be a sequence of two floats.")
        if scale[0] > scale[1] or ratio[0] > ratio[1]:
            warnings.warn("Scale and ratio should be of kind (min, max)", stacklevel=2)
        self.scale = scale
        self.ratio = ratio
        self.interpolation = interpolation
        self.antialias = antialias

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        box = rectangle(query_size(flat_inputs), self.scale, self.ratio, draws())
        return dict(zip(("top", "left", "height", "width"), box, strict=True))

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        return F.resized_crop(
            inpt,
            **params,
            size=self.size,
            interpolation=self.interpolation,
            antialias=self.antialias,
        )


class _Crops(Transform):
    def check_inputs(self, flat_inputs: list[Any]) -> None:
        if has_any(flat_inputs, tv_tensors.BoundingBoxes, tv_tensors.Mask):
            raise TypeError(
                f"BoundingBoxes'es and Mask's are not supported by {type(self).__name__}()"
            )


class FiveCrop(_Crops):
    """A tuple of five: the corners and the middle."""

    def __init__(self, size: int | Sequence[int]) -> None:
        super().__init__()
        self.size = v1.pair(size)

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        return F.five_crop(inpt, self.size)


class TenCrop(_Crops):
    """A tuple of ten: `FiveCrop` of the image and of its mirror image."""

    def __init__(self, size: int | Sequence[int], vertical_flip: bool = False) -> None:
        super().__init__()
        self.size = v1.pair(size)
        self.vertical_flip = vertical_flip

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        return F.ten_crop(inpt, self.size, self.vertical_flip)


def _checked_padding(padding: Any) -> Any:
    whole = isinstance(padding, int) or (
        isinstance(padding, tuple | list)
        and len(padding) in (1, 2, 4)
        and all(isinstance(n, int) for n in padding)
    )
    if not whole:
        raise ValueError(
            f"Padding must be an int or a 1, 2, or 4 element of tuple or list, got {padding}."
        )
    return padding if isinstance(padding, int) else list(padding)


class Pad(Transform):
    """A border."""

    def __init__(
        self, padding: int | Sequence[int], fill: Any = 0, padding_mode: str = "constant"
    ) -> None:
        super().__init__()
        self.padding = _checked_padding(padding)
        self.fill = fill
        self._fill = fills(fill)
        self.padding_mode = v1.checked_mode(padding_mode)

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        return F.pad(inpt, self.padding, fill_of(self._fill, inpt), self.padding_mode)


class RandomZoomOut(RandomTransform):
    """The picture somewhere in a larger one, with probability p."""

    def __init__(
        self, fill: Any = 0, side_range: Sequence[float] = (1.0, 4.0), p: float = 0.5
    ) -> None:
        super().__init__(p)
        self.fill = fill
        self._fill = fills(fill)
        check_sequence(side_range, "side_range", (2,))
        self.side_range = side_range
        if side_range[0] < 1.0 or side_range[0] > side_range[1]:
            raise ValueError(f"Invalid side range provided {side_range}.")

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        h, w = query_size(flat_inputs)
        low, high = self.side_range
        factor = low + np.float32(draws().share()) * np.float32(high - low)
        width, height = int(w * factor), int(h * factor)
        x, y = draws().shares(2)
        left, top = int((width - w) * x), int((height - h) * y)
        return {"padding": [left, top, width - left - w, height - top - h]}

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        return F.pad(inpt, **params, fill=fill_of(self._fill, inpt))


class RandomRotation(Transform):
    """Turned by an angle between the two of `degrees`."""

    get_params = staticmethod(_Rotation.get_params)

    def __init__(
        self,
        degrees: float | Sequence[float],
        interpolation: Interpolation = "nearest",
        expand: bool = False,
        center: list[float] | None = None,
        fill: Any = 0,
    ) -> None:
        super().__init__()
        self.degrees = angles(degrees, "degrees")
        self.interpolation = interpolation
        self.expand = expand
        self.fill = fill
        self._fill = fills(fill)
        if center is not None:
            check_sequence(center, "center", (2,))
        self.center = center

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        return {"angle": self.get_params(self.degrees)}

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        fill = fill_of(self._fill, inpt)
        return F.rotate(inpt, params["angle"], self.interpolation, self.expand, self.center, fill)


class RandomAffine(Transform):
    """Turned, moved, scaled and sheared by chance; arguments as in v1."""

    get_params = staticmethod(_Affine.get_params)

    def __init__(
        self,
        degrees: float | Sequence[float],
        translate: Sequence[float] | None = None,
        scale: Sequence[float] | None = None,
        shear: float | Sequence[float] | None = None,
        interpolation: Interpolation = "nearest",
        fill: Any = 0,
        center: list[float] | None = None,
    ) -> None:
        super().__init__()
        checked = _Affine(degrees, translate, scale, shear, center=center)
        self.degrees = checked.degrees
        self.translate = translate
        self.scale = scale
        self.shear = checked.shear
        self.interpolation = interpolation
        self.fill = fill
        self._fill = fills(fill)
        self.center = center

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        height, width = query_size(flat_inputs)
        drawn = self.get_params(
            self.degrees, self.translate, self.scale, self.shear, [width, height]
        )
        return dict(zip(("angle", "translate", "scale", "shear"), drawn, strict=True))

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        return F.affine(
            inpt,
            **params,
            interpolation=self.interpolation,
            fill=fill_of(self._fill, inpt),
            center=self.center,
        )


class RandomCrop(Transform):
    """A rectangle of `size` anywhere; `padding` and `pad_if_needed` as in v1."""

    get_params = staticmethod(_Crop.get_params)

    def __init__(
        self,
        size: int | Sequence[int],
        padding: int | Sequence[int] | None = None,
        pad_if_needed: bool = False,
        fill: Any = 0,
        padding_mode: str = "constant",
    ) -> None:
        super().__init__()
        self.size = v1.pair(size)
        self.padding = None if padding is None else list(v1.four(_checked_padding(padding)))
        self.pad_if_needed = pad_if_needed
        self.fill = fill
        self._fill = fills(fill)
        self.padding_mode = v1.checked_mode(padding_mode)

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        h, w = query_size(flat_inputs)
        left, top, right, bottom = self.padding or (0, 0, 0, 0)
        h, w = h + top + bottom, w + left + right
        height, width = self.size
        if self.pad_if_needed:
            dy, dx = max(height - h, 0), max(width - w, 0)
            left, right, top, bottom = left + dx, right + dx, top + dy, bottom + dy
            h, w = h + 2 * dy, w + 2 * dx
        if h < height or w < width:
            raise ValueError(
                f"Required crop size {(height, width)} is larger than "
                f"{'padded ' if self.padding is not None else ''}input image size {(h, w)}."
            )
        chance = draws()
        start = chance.integer(0, h - height + 1) if height < h else 0
        return {
            "padding": [left, top, right, bottom],
            "top": start,
            "left": chance.integer(0, w - width + 1) if width < w else 0,
        }

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        if any(params["padding"]):
            fill = fill_of(self._fill, inpt)
            inpt = F.pad(inpt, params["padding"], fill, self.padding_mode)
        return F.crop(inpt, params["top"], params["left"], *self.size)


class RandomPerspective(RandomTransform):
    """The four corners moved inwards, with probability p."""

    get_params = staticmethod(_Perspective.get_params)

    def __init__(
        self,
        distortion_scale: float = 0.5,
        p: float = 0.5,
        interpolation: Interpolation = "bilinear",
        fill: Any = 0,
    ) -> None:
        super().__init__(p)
        if not 0 <= distortion_scale <= 1:
            raise ValueError("Argument distortion_scale value should be between 0 and 1")
        self.distortion_scale = distortion_scale
        self.interpolation = interpolation
        self.fill = fill
        self._fill = fills(fill)

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        height, width = query_size(flat_inputs)
        start, end = self.get_params(width, height, self.distortion_scale)
        return {"coefficients": warps.perspective_coefficients(start, end)}

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        fill = fill_of(self._fill, inpt)
        return F.perspective(inpt, None, None, self.interpolation, fill, **params)


class ElasticTransform(Transform):
    """Bent as if under water."""

    get_params = staticmethod(_Elastic.get_params)

    def __init__(
        self,
        alpha: float | Sequence[float] = 50.0,
        sigma: float | Sequence[float] = 5.0,
        interpolation: Interpolation = "bilinear",
        fill: Any = 0,
    ) -> None:
        super().__init__()
        self.alpha = two_floats(alpha, "alpha")
        self.sigma = two_floats(sigma, "sigma")
        self.interpolation = interpolation
        self.fill = fill
        self._fill = fills(fill)

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        size = list(query_size(flat_inputs))
        return {"displacement": self.get_params(self.alpha, self.sigma, size)}

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        fill = fill_of(self._fill, inpt)
        return F.elastic(inpt, **params, interpolation=self.interpolation, fill=fill)


class RandomIoUCrop(Transform):
    """A rectangle that covers enough of some box (W. Liu et al., SSD, 2016)."""

    def __init__(
        self,
        min_scale: float = 0.3,
        max_scale: float = 1.0,
        min_aspect_ratio: float = 0.5,
        max_aspect_ratio: float = 2.0,
        sampler_options: list[float] | None = None,
        trials: int = 40,
    ) -> None:
        super().__init__()
        self.min_scale = min_scale
        self.max_scale = max_scale
        self.min_aspect_ratio = min_aspect_ratio
        self.max_aspect_ratio = max_aspect_ratio
        self.options = sampler_options or [0.0, 0.1, 0.3, 0.5, 0.7, 0.9, 1.0]
        self.trials = trials

    def check_inputs(self, flat_inputs: list[Any]) -> None:
        picture = has_any(flat_inputs, tv_tensors.Image, tv_tensors.Video, is_image)
        boxes = has_all(flat_inputs, tv_tensors.BoundingBoxes)
        if not boxes or not (picture or has_any(flat_inputs, is_pure_tensor)):
            raise TypeError(
                f"{type(self).__name__}() requires input sample to contain tensor or PIL images "
                "and bounding boxes. Sample can also contain masks."
            )

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        h, w = query_size(flat_inputs)
        boxes = get_bounding_boxes(flat_inputs)
        corners = values(F.convert_bounding_box_format(boxes, new_format="XYXY"))
        chance = draws()
        while True:
            overlap = self.options[chance.integer(0, len(self.options))]
            if overlap >= 1.0:  # the picture as it is
                return {}
            for _ in range(self.trials):
                spread = self.max_scale - self.min_scale
                shares = self.min_scale + spread * chance.shares(2)
                new_w, new_h = int(w * shares[0]), int(h * shares[1])
                if not self.min_aspect_ratio <= new_w / max(new_h, 1) <= self.max_aspect_ratio:
                    continue
                places = chance.shares(2)
                left, top = int((w - new_w) * places[0]), int((h - new_h) * places[1])
                right, bottom = left + new_w, top + new_h
                if left == right or top == bottom:
                    continue
                middle = (corners[:, :2] + corners[:, 2:]) * 0.5
                inside = ((middle > [left, top]) & (middle < [right, bottom])).all(axis=1)
                if not inside.any():
                    continue
                box = np.array([left, top, right, bottom])
                if _overlaps(corners[inside], box).max() < overlap:
                    continue
                return {"box": (top, left, new_h, new_w), "inside": inside}

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        if not params:
            return inpt
        result = F.crop(inpt, *params["box"])
        if isinstance(result, tv_tensors.BoundingBoxes):
            kept = values(result) * params["inside"][:, None].astype(result.dtype.np)
            return tv_tensors.wrap(from_owned(kept), like=result)
        return result


def _overlaps(boxes: Any, box: Any) -> Any:
    """Intersection over union of corners (N, 4) with one box."""
    low, high = np.maximum(boxes[:, :2], box[:2]), np.minimum(boxes[:, 2:], box[2:])
    common = np.clip(high - low, 0, None).prod(axis=1)
    areas = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1) + (box[2:] - box[:2]).prod()
    return common / (areas - common)


class _Resized(Transform):
    """A resize to a size that is drawn for each sample."""

    interpolation: Interpolation
    antialias: bool | None

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        return F.resize(inpt, params["size"], self.interpolation, antialias=self.antialias)


class ScaleJitter(_Resized):
    """Fitted into `target_size`, then larger or smaller by a factor out of `scale_range`."""

    def __init__(
        self,
        target_size: tuple[int, int],
        scale_range: tuple[float, float] = (0.1, 2.0),
        interpolation: Interpolation = "bilinear",
        antialias: bool | None = True,
    ) -> None:
        super().__init__()
        self.target_size = target_size
        self.scale_range = scale_range
        self.interpolation = interpolation
        self.antialias = antialias

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        h, w = query_size(flat_inputs)
        low, high = self.scale_range
        scale = low + np.float32(draws().share()) * np.float32(high - low)
        factor = min(self.target_size[1] / h, self.target_size[0] / w) * scale
        return {"size": (int(h * factor), int(w * factor))}


class RandomShortestSize(_Resized):
    """The shorter edge becomes one of `min_size`, the longer at most `max_size`."""

    def __init__(
        self,
        min_size: list[int] | tuple[int, ...] | int,
        max_size: int | None = None,
        interpolation: Interpolation = "bilinear",
        antialias: bool | None = True,
    ) -> None:
        super().__init__()
        self.min_size = [min_size] if isinstance(min_size, int) else list(min_size)
        self.max_size = max_size
        self.interpolation = interpolation
        self.antialias = antialias

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        h, w = query_size(flat_inputs)
        factor = self.min_size[draws().integer(0, len(self.min_size))] / min(h, w)
        if self.max_size is not None:
            factor = min(factor, self.max_size / max(h, w))
        return {"size": (int(h * factor), int(w * factor))}


class RandomResize(_Resized):
    """The shorter edge becomes a number in [min_size, max_size)."""

    def __init__(
        self,
        min_size: int,
        max_size: int,
        interpolation: Interpolation = "bilinear",
        antialias: bool | None = True,
    ) -> None:
        super().__init__()
        self.min_size = min_size
        self.max_size = max_size
        self.interpolation = interpolation
        self.antialias = antialias

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        return {"size": [draws().integer(self.min_size, self.max_size)]}
