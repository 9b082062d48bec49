"""Layers that move pixels: flips, turns, zooms, shifts, cuts, other sizes."""

from __future__ import annotations

import math
from typing import Any

from chainrule.keras.arrays import to_tensor
from chainrule.keras.images import smart_resize
from chainrule.keras.layers.augmentation import boxes as box_tools
from chainrule.keras.layers.augmentation.base import BaseImagePreprocessingLayer, as_images
from chainrule.keras.ops import image as image_ops
from chainrule.keras.registry import known
from chainrule.tensor import Tensor, creation
from chainrule.tensor import functions as T


@known
class RandomFlip(BaseImagePreprocessingLayer):
    """Each image mirrored with probability ½, horizontally, vertically or both."""

    _USE_BASE_FACTOR = False

    def __init__(
        self,
        mode: str = "horizontal_and_vertical",
        seed: int | None = None,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(data_format=data_format, **kwargs)
        if mode not in ("horizontal", "vertical", "horizontal_and_vertical"):
            raise ValueError(
                f"mode must be 'horizontal', 'vertical' or 'horizontal_and_vertical', got {mode!r}"
            )
        self._set_seed(seed)
        self.mode = mode

    def get_random_transformation(self, data: Any, training: bool = True, seed: Any = None) -> Any:
        if not training:
            return None
        flips = self._uniform((self._batch(data), 1, 1, 1), 0, 1, seed) <= 0.5
        return {"flips": flips, "input_shape": self._shape(data)}

    def transform_images(self, images: Any, transformation: Any, training: bool = True) -> Any:
        images = as_images(images, self.compute_dtype)
        if not training or transformation is None:
            return images
        flips = to_tensor(transformation["flips"])
        axis = self._height_axis
        if "horizontal" in self.mode:
            images = T.where(flips, T.flip(images, (axis + 1,)), images)
        if "vertical" in self.mode:
            images = T.where(flips, T.flip(images, (axis,)), images)
        return images

    def transform_segmentation_masks(
        self, segmentation_masks: Any, transformation: Any, training: bool = True
    ) -> Any:
        return self.transform_images(segmentation_masks, transformation, training)

    def transform_bounding_boxes(
        self, bounding_boxes: Any, transformation: Any, training: bool = True
    ) -> Any:
        if not training:
            return bounding_boxes
        shape = transformation["input_shape"]
        axis = self._height_axis
        height, width = shape[axis], shape[axis + 1]
        flips = to_tensor(transformation["flips"]).reshape(-1, 1, 1)

        def change(boxes: Tensor) -> Tensor:
            left, top, right, bottom = T.unbind(boxes, -1)
            if "horizontal" in self.mode:
                mirrored = T.stack((width - right, top, width - left, bottom), -1)
                boxes = T.where(flips, mirrored, boxes)
                left, top, right, bottom = T.unbind(boxes, -1)
            if "vertical" in self.mode:
                mirrored = T.stack((left, height - bottom, right, height - top), -1)
                boxes = T.where(flips, mirrored, boxes)
            return boxes

        return self._boxes(bounding_boxes, (height, width), (height, width), change)


class Affine(BaseImagePreprocessingLayer):
    """Reads each image at places that a random map of the plane gives: pixel (x, y) of the result
    at (a₀x + a₁y + a₂, b₀x + b₁y + b₂) of the image.
    """

    _USE_BASE_FACTOR = False

    def matrix(self, transformation: Any, height: int, width: int) -> Tensor:
        """(batch, 6): a₀, a₁, a₂, b₀, b₁, b₂."""
        raise NotImplementedError

    def _warp(self, images: Any, transformation: Any, interpolation: str) -> Any:
        height, width = self._size(images)
        m = self.matrix(transformation, height, width)
        zeros = creation.zeros((int(m.shape[0]), 2), dtype=m.dtype)
        return image_ops.affine_transform(
            images, T.cat((m, zeros), 1), interpolation, self.fill_mode, self.fill_value,
            self.data_format,
        )  # fmt: skip

    def transform_images(self, images: Any, transformation: Any, training: bool = True) -> Any:
        images = as_images(images, self.compute_dtype)
        if not training or transformation is None:
            return images
        return self._warp(images, transformation, self.interpolation)

    def transform_segmentation_masks(
        self, segmentation_masks: Any, transformation: Any, training: bool = True
    ) -> Any:
        if not training or transformation is None:
            return segmentation_masks
        return self._warp(segmentation_masks, transformation, "nearest")

    def transform_bounding_boxes(
        self, bounding_boxes: Any, transformation: Any, training: bool = True
    ) -> Any:
        if not training or transformation is None:
            return bounding_boxes
        shape = transformation["input_shape"]
        axis = self._height_axis
        size = (shape[axis], shape[axis + 1])
        m = self.matrix(transformation, *size)
        a0, a1, a2, b0, b1, b2 = (p.reshape(-1, 1, 1) for p in T.unbind(m, 1))

        def change(boxes: Tensor) -> Tensor:
            left, top, right, bottom = (p.unsqueeze(-1) for p in T.unbind(boxes, -1))
            xs = T.cat((left, right, left, right), -1) - a2
            ys = T.cat((top, top, bottom, bottom), -1) - b2
            whole = a0 * b1 - a1 * b0
            x, y = (b1 * xs - a1 * ys) / whole, (a0 * ys - b0 * xs) / whole
            return T.stack((x.amin(-1), y.amin(-1), x.amax(-1), y.amax(-1)), -1)

        return self._boxes(bounding_boxes, size, size, change)


def _columns(*columns: Any) -> Tensor:
    """Columns (batch, 1), or one number for all, side by side."""
    like = next(c for c in columns if isinstance(c, Tensor))
    return T.cat(
        [c if isinstance(c, Tensor) else creation.full(like.shape, float(c)) for c in columns], 1
    )


@known
class RandomRotation(Affine):
    """Turned by a random angle: `factor` is a part of a full turn, ± or (least, most)."""

    def __init__(
        self,
        factor: Any,
        fill_mode: str = "reflect",
        interpolation: str = "bilinear",
        seed: int | None = None,
        fill_value: float = 0.0,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(data_format=data_format, **kwargs)
        self._set_factor(factor)
        self._set_seed(seed)
        self._set_filling(fill_mode, interpolation, fill_value)

    def get_random_transformation(self, data: Any, training: bool = True, seed: Any = None) -> Any:
        if not training:
            return None
        low, high = (f * 360.0 for f in self.factor)
        angle = self._uniform((self._batch(data),), low, high, seed)
        return {"angle": angle, "input_shape": self._shape(data)}

    def matrix(self, transformation: Any, height: int, width: int) -> Tensor:
        turn = to_tensor(transformation["angle"]).reshape(-1, 1) * (math.pi / 180)
        cos, sin = T.cos(turn), T.sin(turn)
        x, y = 0.5 * (width - 1), 0.5 * (height - 1)
        return _columns(cos, -sin, x - x * cos + y * sin, sin, cos, y - x * sin - y * cos)


@known
class RandomZoom(Affine):
    """Made smaller (factor > 0) or larger (< 0); the width like the height unless given."""

    def __init__(
        self,
        height_factor: Any,
        width_factor: Any = None,
        fill_mode: str = "reflect",
        interpolation: str = "bilinear",
        seed: int | None = None,
        fill_value: float = 0.0,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(data_format=data_format, **kwargs)
        self.height_factor = self._given(height_factor)
        self._height = self._within(height_factor, "height_factor")
        self.width_factor = self._given(width_factor)
        self._width = None if width_factor is None else self._within(width_factor, "width_factor")
        self._set_seed(seed)
        self._set_filling(fill_mode, interpolation, fill_value)

    @staticmethod
    def _within(factor: Any, name: str) -> tuple[float, float]:
        values = factor if isinstance(factor, tuple | list) else [factor]
        good = len(values) <= 2 and all(isinstance(v, int | float) for v in values)
        if not good or (isinstance(factor, tuple | list) and len(factor) != 2) or any(
            v > 1.0 or v <= -1.0 for v in values
        ):  # fmt: skip
            raise ValueError(
                f"The `{name}` argument should be a number (or a list of two numbers) in the range "
                f"(-1.0, 1.0]. Received: {name}={factor}"
            )
        if len(values) == 2:
            return min(values), max(values)
        return -abs(values[0]), abs(values[0])

    def get_random_transformation(self, data: Any, training: bool = True, seed: Any = None) -> Any:
        if not training:
            return None
        shape = (self._batch(data), 1)
        height = self._uniform(shape, 1 + self._height[0], 1 + self._height[1], seed)
        width = height
        if self._width is not None:
            width = self._uniform(shape, 1 + self._width[0], 1 + self._width[1], seed)
        return {"height_zoom": height, "width_zoom": width, "input_shape": self._shape(data)}

    def matrix(self, transformation: Any, height: int, width: int) -> Tensor:
        across, down = (to_tensor(transformation[f"{n}_zoom"]) for n in ("width", "height"))
        x, y = (width - 1) / 2 * (1 - across), (height - 1) / 2 * (1 - down)
        return _columns(across, 0.0 * across, x, 0.0 * down, down, y)


@known
class RandomTranslation(Affine):
    """Shifted by parts of the height and of the width."""

    def __init__(
        self,
        height_factor: Any,
        width_factor: Any,
        fill_mode: str = "reflect",
        interpolation: str = "bilinear",
        seed: int | None = None,
        fill_value: float = 0.0,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(data_format=data_format, **kwargs)
        self.height_factor = self._given(height_factor)
        self._height = self._pair(height_factor, "height_factor", (-1, 1))
        self.width_factor = self._given(width_factor)
        self._width = self._pair(width_factor, "width_factor", (-1, 1))
        self._set_seed(seed)
        self._set_filling(fill_mode, interpolation, fill_value)

    def get_random_transformation(self, data: Any, training: bool = True, seed: Any = None) -> Any:
        if not training:
            return None
        shape, (height, width) = (self._batch(data), 1), self._size(data)
        down = self._uniform(shape, *self._height, seed) * float(height)
        across = self._uniform(shape, *self._width, seed) * float(width)
        return {"translations": T.cat((across, down), 1), "input_shape": self._shape(data)}

    def matrix(self, transformation: Any, height: int, width: int) -> Tensor:
        moved = to_tensor(transformation["translations"])
        return _columns(1.0, 0.0, -moved[:, 0:1], 0.0, 1.0, -moved[:, 1:2])


@known
class RandomShear(Affine):
    """Slanted: x moves by a part of y, and y by a part of x."""

    def __init__(
        self,
        x_factor: Any = 0.0,
        y_factor: Any = 0.0,
        interpolation: str = "bilinear",
        fill_mode: str = "reflect",
        fill_value: float = 0.0,
        data_format: str | None = None,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(data_format=data_format, **kwargs)
        self.x_factor = self._slant(x_factor, "x_factor")
        self.y_factor = self._slant(y_factor, "y_factor")
        self._set_seed(seed)
        self._set_filling(fill_mode, interpolation, fill_value)

    @staticmethod
    def _slant(factor: Any, name: str) -> tuple[float, float]:
        several = isinstance(factor, tuple | list)
        values = list(factor) if several else [factor]
        if (several and len(values) != 2) or any(
            not isinstance(v, int | float) or not 0 <= abs(v) <= 1 for v in values
        ):
            raise ValueError(
                f"The `{name}` argument should be a number (or a list of two numbers) in the range "
                f"[0, 1.0]. Received: {name}={factor}"
            )
        return (min(values), max(values)) if several else (-abs(factor), abs(factor))

    def get_random_transformation(self, data: Any, training: bool = True, seed: Any = None) -> Any:
        if not training:
            return None
        shape = (self._batch(data), 1)
        sign = T.where(self._uniform(shape, 0, 1, seed) > 0.5, -1.0, 1.0)
        down = self._uniform(shape, *self.y_factor, seed)
        across = self._uniform(shape, *self.x_factor, seed)
        return {"shear_factor": T.cat((across, down), 1) * sign, "input_shape": self._shape(data)}

    def matrix(self, transformation: Any, height: int, width: int) -> Tensor:
        slant = to_tensor(transformation["shear_factor"])
        return _columns(1.0, slant[:, 0:1], 0.0, slant[:, 1:2], 1.0, 0.0)


def _part(images: Any, axis: int, top: Any, left: Any, height: int, width: int) -> Any:
    rows, columns = (
        top.reshape(1) + creation.arange(height),
        left.reshape(1) + creation.arange(width),
    )
    return T.index_select(
        T.index_select(images, images.ndim + axis, rows), images.ndim + axis + 1, columns
    )


@known
class RandomCrop(BaseImagePreprocessingLayer):
    """A part of the given size, the same for the whole batch. Outside of training, and where images
    are smaller, what has the proportions is resized.
    """

    _USE_BASE_FACTOR = False

    def __init__(
        self,
        height: int,
        width: int,
        seed: int | None = None,
        data_format: str | None = None,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(data_format=data_format, name=name, **kwargs)
        self.height = height
        self.width = width
        self._set_seed(seed)

    def get_random_transformation(self, data: Any, training: bool = True, seed: Any = None) -> Any:
        height, width = self._size(data)
        if training and height > self.height and width > self.width:
            # Places are data of the program, not part of it.
            top = self._uniform((), 0, float(height - self.height + 1), seed).long()
            left = self._uniform((), 0, float(width - self.width + 1), seed).long()
            return top, left
        crop_h = max(min(height, int(width * self.height / self.width)), 1)
        crop_w = max(min(width, int(height * self.width / self.height)), 1)
        return int((height - crop_h) / 2), int((width - crop_w) / 2)

    def transform_images(self, images: Any, transformation: Any, training: bool = True) -> Any:
        images = as_images(images, self.compute_dtype)
        if not training:
            return smart_resize(images, (self.height, self.width), data_format=self.data_format)
        top, left = transformation
        axis = self._height_axis
        if isinstance(top, Tensor):
            return _part(images, axis, top, left, self.height, self.width)
        rows, columns = slice(top, top + self.height), slice(left, left + self.width)
        images = images[..., rows, columns] if axis == -2 else images[..., rows, columns, :]
        if self._size(images) == (self.height, self.width):
            return images
        return image_ops.resize(images, (self.height, self.width), data_format=self.data_format).to(
            images.dtype
        )

    def transform_segmentation_masks(
        self, segmentation_masks: Any, transformation: Any, training: bool = True
    ) -> Any:
        return self.transform_images(segmentation_masks, transformation)

    def transform_bounding_boxes(
        self, bounding_boxes: Any, transformation: Any, training: bool = True
    ) -> Any:
        if not training:
            return bounding_boxes
        top, left = (t.float() if isinstance(t, Tensor) else float(t) for t in transformation)
        size = (self.height, self.width)

        def change(boxes: Tensor) -> Tensor:
            a, b, c, d = T.unbind(boxes, -1)
            return T.stack((a - left, b - top, c - left, d - top), -1)

        return self._boxes(bounding_boxes, size, size, change)

    def compute_output_shape(self, input_shape: Any) -> Any:
        return sized(input_shape, self._height_axis, self.height, self.width)


def sized(shape: Any, axis: int, height: int, width: int) -> tuple[Any, ...]:
    """The shape of images with another height and width."""
    out = list(shape)
    out[axis], out[axis + 1] = height, width
    return tuple(out)


@known
class CenterCrop(BaseImagePreprocessingLayer):
    """The middle of the image; of a smaller image what has the proportions, resized."""

    _USE_BASE_FACTOR = False

    def __init__(
        self, height: int, width: int, data_format: str | None = None, **kwargs: Any
    ) -> None:
        super().__init__(data_format=data_format, **kwargs)
        self.height = height
        self.width = width

    def get_random_transformation(self, data: Any, training: bool = True, seed: Any = None) -> Any:
        return {"input_shape": self._shape(data)}

    def transform_images(
        self, images: Any, transformation: Any = None, training: bool = True
    ) -> Any:
        images = as_images(images, self.compute_dtype)
        height, width = self._size(images)
        if height < self.height or width < self.width:
            return smart_resize(images, (self.height, self.width), data_format=self.data_format)
        top, left = (height - self.height) // 2, (width - self.width) // 2
        rows, columns = slice(top, top + self.height), slice(left, left + self.width)
        first = self.data_format == "channels_first"
        return images[..., rows, columns] if first else images[..., rows, columns, :]

    def transform_segmentation_masks(
        self, segmentation_masks: Any, transformation: Any, training: bool = True
    ) -> Any:
        return self.transform_images(segmentation_masks, transformation)

    def transform_bounding_boxes(
        self, bounding_boxes: Any, transformation: Any, training: bool = True
    ) -> Any:
        shape = transformation["input_shape"]
        axis = self._height_axis
        height, width = shape[axis], shape[axis + 1]
        crop_h, crop_w = self.height, self.width
        if height < self.height or width < self.width:
            crop_h = max(min(height, int(width * self.height / self.width)), 1)
            crop_w = max(min(width, int(height * self.width / self.height)), 1)
        top, left = int((height - crop_h) / 2), int((width - crop_w) / 2)
        down, across = self.height / crop_h, self.width / crop_w

        def change(boxes: Tensor) -> Tensor:
            a, b, c, d = T.unbind(boxes, -1)
            return T.stack(
                ((a - left) * across, (b - top) * down, (c - left) * across, (d - top) * down), -1
            )

        return self._boxes(bounding_boxes, (height, width), (self.height, self.width), change)

    def compute_output_shape(self, input_shape: Any) -> Any:
        return sized(input_shape, self._height_axis, self.height, self.width)


@known
class Resizing(BaseImagePreprocessingLayer):
    """Another height and width; with the proportions kept by cutting or by filling up, if asked
    for.
    """

    _USE_BASE_FACTOR = False

    def __init__(
        self,
        height: int,
        width: int,
        interpolation: str = "bilinear",
        crop_to_aspect_ratio: bool = False,
        pad_to_aspect_ratio: bool = False,
        fill_mode: str = "constant",
        fill_value: float = 0.0,
        antialias: bool = False,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(data_format=data_format, **kwargs)
        if interpolation not in ("nearest", "bilinear", "bicubic", "lanczos3", "lanczos5"):
            raise ValueError(
                "interpolation must be 'nearest', 'bilinear', 'bicubic', 'lanczos3' or 'lanczos5', "
                f"got {interpolation!r}"
            )
        self.height = height
        self.width = width
        self.interpolation = interpolation
        self.crop_to_aspect_ratio = crop_to_aspect_ratio
        self.pad_to_aspect_ratio = pad_to_aspect_ratio
        self.fill_mode = fill_mode
        self.fill_value = fill_value
        self.antialias = antialias

    def get_random_transformation(self, data: Any, training: bool = True, seed: Any = None) -> Any:
        return self._size(data)

    def _resized(self, images: Any, interpolation: str) -> Any:
        out = image_ops.resize(
            images, (self.height, self.width), interpolation=interpolation,
            antialias=self.antialias, data_format=self.data_format,
            crop_to_aspect_ratio=self.crop_to_aspect_ratio,
            pad_to_aspect_ratio=self.pad_to_aspect_ratio, fill_mode=self.fill_mode,
            fill_value=self.fill_value,
        )  # fmt: skip
        return out.to(images.dtype)

    def transform_images(
        self, images: Any, transformation: Any = None, training: bool = True
    ) -> Any:
        images = as_images(images, self.compute_dtype)
        return self._resized(images, self.interpolation)

    def transform_segmentation_masks(
        self, segmentation_masks: Any, transformation: Any = None, training: bool = True
    ) -> Any:
        return self._resized(segmentation_masks, "nearest")

    def transform_bounding_boxes(
        self, bounding_boxes: Any, transformation: Any, training: bool = True
    ) -> Any:
        height, width = transformation
        across, down = self.width / width, self.height / height
        if self.crop_to_aspect_ratio:
            across = down = max(across, down)
        elif self.pad_to_aspect_ratio:
            across = down = min(across, down)
        left, top = (self.width - width * across) / 2, (self.height - height * down) / 2
        if self.crop_to_aspect_ratio:
            left, top = (-float((-n) // 1) if n < 0 else n for n in (left, top))

        def change(boxes: Tensor) -> Tensor:
            a, b, c, d = T.unbind(boxes, -1)
            return T.stack(
                (a * across + left, b * down + top, c * across + left, d * down + top), -1
            )

        return self._boxes(bounding_boxes, (height, width), (self.height, self.width), change)

    def compute_output_shape(self, input_shape: Any) -> Any:
        return sized(input_shape, self._height_axis, self.height, self.width)


@known
class MaxNumBoundingBoxes(BaseImagePreprocessingLayer):
    """Boxes cut, or filled up with -1, to a number."""

    _USE_BASE_FACTOR = False

    def __init__(self, max_number: int, fill_value: float = -1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.max_number = max_number
        self.fill_value = fill_value

    def transform_images(
        self, images: Any, transformation: Any = None, training: bool = True
    ) -> Any:
        images = as_images(images, self.compute_dtype)
        return images

    def transform_bounding_boxes(
        self, bounding_boxes: Any, transformation: Any, training: bool = True
    ) -> Any:
        own = self.bounding_box_format or "xyxy"
        found = box_tools.convert_format(bounding_boxes, own, "xyxy")
        boxes, labels = found["boxes"][..., : self.max_number, :], found["labels"]
        labels = labels[..., : self.max_number]
        missing = self.max_number - int(labels.shape[-1])
        if missing > 0:
            shape = (*boxes.shape[:-2], missing)
            fill = float(self.fill_value)
            boxes = T.cat((boxes, creation.full((*shape, 4), fill, dtype=boxes.dtype)), -2)
            labels = T.cat((labels, creation.full(shape, int(fill), dtype=labels.dtype)), -1)
        return box_tools.convert_format({"boxes": boxes, "labels": labels}, "xyxy", own)
