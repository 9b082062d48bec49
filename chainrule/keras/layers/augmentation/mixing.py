"""Layers that mix images with each other, erase parts of them, or choose among other layers."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.keras.arrays import to_tensor
from chainrule.keras.layers.augmentation import colour, geometry
from chainrule.keras.layers.augmentation.base import BaseImagePreprocessingLayer, as_images
from chainrule.keras.random import normal
from chainrule.keras.registry import known
from chainrule.tensor import Tensor, creation, fromdata
from chainrule.tensor import functions as T


def _mixed(values: Any, order: Any, weight: Any) -> Any:
    """`weight` of each, and the rest of another one."""
    x = to_tensor(values)
    x = x if x.dtype.is_floating_point else x.float()
    weight, order = to_tensor(weight), to_tensor(order).long()
    weight = weight.to(x.dtype).reshape(-1, *(1,) * (x.ndim - 1))
    return weight * x + (1.0 - weight) * T.index_select(x, 0, order)


class _Mixing(BaseImagePreprocessingLayer):
    def _order(self, batch: int) -> Tensor:
        return fromdata.from_owned(self.generator.generator.numpy().permutation(batch))


@known
class MixUp(_Mixing):
    """Each image and its label mixed with another one's, by a weight from Beta(α, α) (Zhang et al.
    2018).
    """

    _USE_BASE_FACTOR = False

    def __init__(
        self,
        alpha: float = 0.2,
        data_format: str | None = None,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(data_format=data_format, **kwargs)
        self.alpha = alpha
        self._set_seed(seed)

    def get_random_transformation(self, data: Any, training: bool = True, seed: Any = None) -> Any:
        batch = self._batch(data)
        drawn = self.generator.generator.numpy().beta(self.alpha, self.alpha, batch)
        weight = fromdata.from_owned(drawn.astype(np.float32))
        return {"mix_weight": weight, "permutation_order": self._order(batch)}

    def transform_images(self, images: Any, transformation: Any, training: bool = True) -> Any:
        images = as_images(images, self.compute_dtype)
        if not training:
            return images
        return _mixed(images, transformation["permutation_order"], transformation["mix_weight"])

    def transform_labels(self, labels: Any, transformation: Any, training: bool = True) -> Any:
        return self.transform_images(labels, transformation, training)

    def transform_segmentation_masks(
        self, segmentation_masks: Any, transformation: Any, training: bool = True
    ) -> Any:
        return self.transform_images(segmentation_masks, transformation, training)

    def transform_bounding_boxes(
        self, bounding_boxes: Any, transformation: Any, training: bool = True
    ) -> Any:
        if not training:
            return bounding_boxes
        order = to_tensor(transformation["permutation_order"]).long()
        return {
            name: T.cat((to_tensor(values), T.index_select(to_tensor(values), 0, order)), 1)
            for name, values in bounding_boxes.items()
        }


class _Patches(_Mixing):
    def _span(self, length: int, share: Tensor, seed: Any) -> tuple[Tensor, Tensor]:
        """Begin and end of a part of `length`, anywhere."""
        size = share * float(length)
        start = self._uniform(tuple(share.shape), 0, 1, seed) * (float(length) - size)
        return start, start + size

    def _mask(self, data: Any, share_x: Tensor, share_y: Tensor, seed: Any) -> tuple[Any, Tensor]:
        """Where a random rectangle of each image is, and which part of the image it covers."""
        height, width = self._size(data)
        spans = [self._span(width, share_x, seed), self._span(height, share_y, seed)]
        (x0, x1), (y0, y1) = ((a.reshape(-1, 1, 1), b.reshape(-1, 1, 1)) for a, b in spans)
        columns = fromdata.from_owned(np.arange(width, dtype=np.float32).reshape(1, 1, -1))
        rows = fromdata.from_owned(np.arange(height, dtype=np.float32).reshape(1, -1, 1))
        mask = (columns >= x0) & (columns < x1) & (rows >= y0) & (rows < y1)
        covered = ((x1 - x0) * (y1 - y0) / float(height * width)).reshape(-1)
        return mask.unsqueeze(self._channel_axis), covered


@known
class CutMix(_Patches):
    """A rectangle of each image from another one, labels mixed by its size (Yun et al. 2019)."""

    def __init__(
        self,
        factor: Any = 1.0,
        seed: int | None = None,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(factor, data_format=data_format, **kwargs)
        self._set_seed(seed)

    _FACTOR_BOUNDS = (0, 1)

    def get_random_transformation(self, data: Any, training: bool = True, seed: Any = None) -> Any:
        if not training or len(self._shape(data)) == 3:
            return None
        batch = self._batch(data)
        numbers = self.generator.generator.numpy()
        alpha = numbers.uniform(*self.factor) + 1e-6
        weight = fromdata.from_owned(numbers.beta(alpha, alpha, batch).astype(np.float32))
        share = (1.0 - weight).sqrt()
        mask, covered = self._mask(data, share, share, seed)
        return {
            "permutation_order": self._order(batch),
            "batch_masks": mask,
            "mix_weight": 1.0 - covered,
        }

    def transform_images(self, images: Any, transformation: Any, training: bool = True) -> Any:
        images = as_images(images, self.compute_dtype)
        if not training or transformation is None:
            return images
        others = T.index_select(images, 0, to_tensor(transformation["permutation_order"]).long())
        return T.where(to_tensor(transformation["batch_masks"]), others, images)

    def transform_labels(self, labels: Any, transformation: Any, training: bool = True) -> Any:
        if not training or transformation is None:
            return labels
        return _mixed(labels, transformation["permutation_order"], transformation["mix_weight"])

    def transform_segmentation_masks(
        self, segmentation_masks: Any, transformation: Any, training: bool = True
    ) -> Any:
        return self.transform_images(segmentation_masks, transformation, training)

    def transform_bounding_boxes(
        self, bounding_boxes: Any, transformation: Any, training: bool = True
    ) -> Any:
        raise NotImplementedError("CutMix does not know what becomes of boxes that it cuts")


@known
class RandomErasing(_Patches):
    """A rectangle of each image filled with noise, or with `fill_value` (Zhong et al. 2020)."""

    _USE_BASE_FACTOR = False
    _FACTOR_BOUNDS = (0, 1)

    def __init__(
        self,
        factor: Any = 1.0,
        scale: Any = (0.02, 0.33),
        fill_value: Any = None,
        value_range: Any = (0, 255),
        seed: int | None = None,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(data_format=data_format, **kwargs)
        self._set_factor(factor)
        self.scale = self._pair(scale, "scale", self._FACTOR_BOUNDS)
        self.fill_value = fill_value
        self.value_range = list(value_range)
        self._set_seed(seed)

    def get_random_transformation(self, data: Any, training: bool = True, seed: Any = None) -> Any:
        if not training:
            return None
        batch = self._batch(data)
        share = self._uniform((batch, 2), *self.scale, seed).sqrt()
        mask, _ = self._mask(data, share[:, 0], share[:, 1], seed)
        chance = self._uniform((batch,), *self.factor, seed)
        return {
            "apply_erasing": self._uniform((batch,), 0, 1, seed) < chance,
            "batch_masks": mask,
            "fill_value": self._filling(self._shape(data)),
        }

    def _filling(self, shape: tuple[int, ...]) -> Any:
        low, high = self.value_range
        if self.fill_value is None:
            return (normal(shape, seed=self.generator) * float(high)).clamp(low, high)
        given: Any = self.fill_value
        several = isinstance(given, tuple | list)
        if several and len(given) != 3:
            raise ValueError(
                "The `fill_value` argument should be a number (or a list of three numbers). "
                f"Received: fill_value={given}"
            )
        fill = creation.tensor(np.asarray(given, np.float32).clip(low, high))
        if several and self.data_format == "channels_first":
            fill = fill.reshape(-1, 1, 1)
        return fill.expand(shape)

    def transform_images(self, images: Any, transformation: Any, training: bool = True) -> Any:
        images = as_images(images, self.compute_dtype)
        if not training or transformation is None:
            return images
        fill = to_tensor(transformation["fill_value"]).to(images.dtype)
        erased = T.where(to_tensor(transformation["batch_masks"]), fill, images)
        return T.where(
            to_tensor(transformation["apply_erasing"]).reshape(-1, 1, 1, 1), erased, images
        )


@known
class RandAugment(BaseImagePreprocessingLayer):
    """`num_ops` changes, chosen by chance from eleven, of the strength `factor` (Cubuk et al.
    2020).
    """

    _USE_BASE_FACTOR = False
    _FACTOR_BOUNDS = (0, 1)

    def __init__(
        self,
        value_range: Any = (0, 255),
        num_ops: int = 2,
        factor: Any = 0.5,
        interpolation: str = "bilinear",
        seed: int | None = None,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(data_format=data_format, **kwargs)
        self.value_range = list(value_range)
        self.num_ops = num_ops
        self._set_factor(factor)
        self.interpolation = interpolation
        self._set_seed(seed)
        f = self.factor
        shared: dict[str, Any] = {"data_format": data_format}
        moves = {**shared, "interpolation": interpolation, "seed": seed}
        paints = {**shared, "value_range": value_range, "seed": seed}
        bits = max(1, int(8 * f[1]))
        self._steps: list[BaseImagePreprocessingLayer] = [
            geometry.RandomShear(f, f, **moves),
            geometry.RandomTranslation(f, f, **moves),
            geometry.RandomRotation(f, **moves),
            colour.RandomBrightness(f, **paints),
            colour.RandomColorDegeneration(f, **paints),
            colour.RandomContrast(f, **paints),
            colour.RandomSharpness(f, **paints),
            colour.Solarization(f, f, **paints),
            colour.RandomPosterization(bits, **paints),
            colour.AutoContrast(value_range, **shared),
            colour.Equalization(value_range, **shared),
        ]

    def get_random_transformation(self, data: Any, training: bool = True, seed: Any = None) -> Any:
        if not training:
            return None
        numbers = self.generator.generator.numpy()
        chosen = numbers.integers(0, len(self._steps), self.num_ops)
        return [
            (int(i), self._steps[i].get_random_transformation(data, seed=self.generator))
            for i in chosen
        ]

    def _each(self, name: str, values: Any, transformation: Any, training: bool) -> Any:
        for index, drawn in transformation if training and transformation else ():
            values = getattr(self._steps[index], name)(values, drawn)
        return values

    def transform_images(self, images: Any, transformation: Any, training: bool = True) -> Any:
        images = as_images(images, self.compute_dtype)
        return self._each("transform_images", images, transformation, training)

    def transform_segmentation_masks(
        self, segmentation_masks: Any, transformation: Any, training: bool = True
    ) -> Any:
        name = "transform_segmentation_masks"
        return self._each(name, segmentation_masks, transformation, training)

    def transform_bounding_boxes(
        self, bounding_boxes: Any, transformation: Any, training: bool = True
    ) -> Any:
        name = "transform_bounding_boxes"
        return self._each(name, bounding_boxes, transformation, training)
