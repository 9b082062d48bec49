"""Layers that change colours: brightness, contrast, hue, saturation, grey, sharpness, and more."""

from __future__ import annotations

from typing import Any

from chainrule.keras.arrays import to_tensor
from chainrule.keras.layers.augmentation.base import BaseImagePreprocessingLayer, as_images
from chainrule.keras.ops import image as image_ops
from chainrule.keras.registry import known
from chainrule.keras.settings import epsilon
from chainrule.nn import functional as F
from chainrule.tensor import Tensor, creation
from chainrule.tensor import functions as T


class Colour(BaseImagePreprocessingLayer):
    """Changes values, not places: labels, boxes and masks stay as they are."""

    def __init__(
        self,
        factor: Any = None,
        value_range: Any = (0, 255),
        data_format: str | None = None,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            factor=factor if self._USE_BASE_FACTOR else None, data_format=data_format, **kwargs
        )
        if not self._USE_BASE_FACTOR and factor is not None:
            self._set_factor(factor)
        self._set_value_range(value_range)
        self._set_seed(seed)

    def get_random_transformation(self, data: Any, training: bool = True, seed: Any = None) -> Any:
        return {"factor": self._uniform((self._batch(data),), *self.factor, seed)}

    def transform_images(self, images: Any, transformation: Any, training: bool = True) -> Any:
        images = as_images(images, self.compute_dtype)
        if not training or transformation is None:
            return images
        return self._coloured(images, transformation)

    def _coloured(self, images: Tensor, transformation: Any) -> Tensor:
        raise NotImplementedError

    def _clipped(self, images: Tensor) -> Tensor:
        return images.clamp(*self.value_range)


@known
class RandomBrightness(Colour):
    """A number from `factor` times the range added to each image."""

    def __init__(
        self, factor: Any, value_range: Any = (0, 255), seed: int | None = None, **kwargs: Any
    ) -> None:
        super().__init__(factor, value_range, seed=seed, **kwargs)

    def get_random_transformation(self, data: Any, training: bool = True, seed: Any = None) -> Any:
        shape = (self._batch(data), 1, 1, 1) if len(self._shape(data)) == 4 else (1, 1, 1)
        if not training:
            return {"rgb_delta": creation.zeros(shape)}
        least, most = self.value_range
        return {"rgb_delta": self._uniform(shape, *self.factor, seed) * float(most - least)}

    def _coloured(self, images: Tensor, transformation: Any) -> Tensor:
        return self._clipped(images + to_tensor(transformation["rgb_delta"]).to(images.dtype))


@known
class RandomContrast(Colour):
    """Distances from the mean of each channel multiplied by a number around 1."""

    _FACTOR_BOUNDS = (0, 1)

    def __init__(
        self, factor: Any, value_range: Any = (0, 255), seed: int | None = None, **kwargs: Any
    ) -> None:
        super().__init__(factor, value_range, seed=seed, **kwargs)

    def get_random_transformation(self, data: Any, training: bool = True, seed: Any = None) -> Any:
        shape = (self._batch(data), 1, 1, 1) if len(self._shape(data)) == 4 else (1, 1, 1)
        if not training:
            return {"contrast_factor": creation.zeros(shape)}
        low, high = 1.0 - self.factor[0], 1.0 + self.factor[1]
        return {"contrast_factor": self._uniform(shape, low, high, seed)}

    def _coloured(self, images: Tensor, transformation: Any) -> Tensor:
        axis = self._height_axis
        mean = images.mean((axis, axis + 1), keepdim=True)
        factor = to_tensor(transformation["contrast_factor"]).to(images.dtype)
        return self._clipped((images - mean) * factor + mean)


def _per_image(values: Any, images: Tensor) -> Tensor:
    """(batch) numbers as (batch, 1, 1, 1)."""
    out: Tensor = to_tensor(values).to(images.dtype).reshape(-1, 1, 1, 1)
    return out


class _Hsv(Colour):
    _FACTOR_BOUNDS = (0, 1)

    def _changed(self, images: Tensor, channel: int, change: Any) -> Tensor:
        """One channel of hue, saturation and value, changed."""
        axis = self._channel_axis
        images = image_ops.rgb_to_hsv(images, data_format=self.data_format)
        parts = list(T.split(images, 1, axis))
        parts[channel] = change(parts[channel])
        return image_ops.hsv_to_rgb(T.cat(parts, axis), data_format=self.data_format)


@known
class RandomHue(_Hsv):
    """Colours turned around their circle by up to half of `factor`, either way."""

    def __init__(
        self,
        factor: Any,
        value_range: Any = (0, 255),
        data_format: str | None = None,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(factor, value_range, data_format, seed, **kwargs)

    def get_random_transformation(self, data: Any, training: bool = True, seed: Any = None) -> Any:
        shape = (self._batch(data),)
        sign = T.where(self._uniform(shape, 0, 1, seed) > 0.5, -1.0, 1.0)
        return {"factor": sign * self._uniform(shape, *self.factor, seed) * 0.5}

    def _coloured(self, images: Tensor, transformation: Any) -> Tensor:
        turn = _per_image(transformation["factor"], images)

        def turned(hue: Tensor) -> Tensor:
            hue = hue + turn
            hue = T.where(hue > 1.0, hue - 1.0, hue)
            return T.where(hue < 0.0, hue + 1.0, hue)

        unit = self._rescaled(images, self.value_range, (0, 1))
        return self._rescaled(self._changed(unit, 0, turned).clamp(0, 1), (0, 1), self.value_range)


@known
class RandomSaturation(_Hsv):
    """Saturations multiplied by f / (1 - f): 0 is grey, ½ changes nothing, 1 is full colour."""

    def __init__(
        self,
        factor: Any,
        value_range: Any = (0, 255),
        data_format: str | None = None,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(factor, value_range, data_format, seed, **kwargs)

    def get_random_transformation(self, data: Any, training: bool = True, seed: Any = None) -> Any:
        factor = self._uniform((self._batch(data),), *self.factor, seed)
        return {"factor": factor / (1.0 - factor + epsilon())}

    def _coloured(self, images: Tensor, transformation: Any) -> Tensor:
        factor = _per_image(transformation["factor"], images)
        return self._changed(images, 1, lambda s: self._clipped(s * factor))


@known
class RandomGrayscale(Colour):
    """Each image made grey with probability `factor`."""

    _USE_BASE_FACTOR = False

    def __init__(
        self,
        factor: float = 0.5,
        data_format: str | None = None,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(None, data_format=data_format, seed=seed, **kwargs)
        if not 0 <= factor <= 1:
            raise ValueError(f"`factor` should be between 0 and 1. Received: factor={factor}")
        self.factor: Any = factor

    def get_random_transformation(self, data: Any, training: bool = True, seed: Any = None) -> Any:
        return self._uniform((self._batch(data), 1, 1, 1), 0, 1, seed) < self.factor

    def transform_images(self, images: Any, transformation: Any, training: bool = True) -> Any:
        images = as_images(images, self.compute_dtype)
        if not training:
            return images
        if transformation is None:
            transformation = self.get_random_transformation(images)
        grey = image_ops.rgb_to_grayscale(images, data_format=self.data_format)
        return T.where(to_tensor(transformation), grey, images)

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        config.pop("value_range", None)
        return config


@known
class RandomColorDegeneration(Colour):
    """Images mixed with their grey selves: `factor` 0 is the image, 1 is grey."""

    _FACTOR_BOUNDS = (-1, 1)

    def __init__(
        self,
        factor: Any,
        value_range: Any = (0, 255),
        data_format: str | None = None,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(factor, value_range, data_format, seed, **kwargs)

    def _coloured(self, images: Tensor, transformation: Any) -> Tensor:
        grey = image_ops.rgb_to_grayscale(images, data_format=self.data_format)
        return self._clipped(
            images + _per_image(transformation["factor"], images) * (grey - images)
        )


@known
class RandomInvert(Colour):
    """Each image as its negative with a probability from `factor`."""

    _USE_BASE_FACTOR = False
    _FACTOR_BOUNDS = (0, 1)

    def __init__(
        self,
        factor: Any = 1.0,
        value_range: Any = (0, 255),
        seed: int | None = None,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(factor, value_range, data_format, seed, **kwargs)

    def get_random_transformation(self, data: Any, training: bool = True, seed: Any = None) -> Any:
        if not training:
            return None
        shape = (self._batch(data),)
        chance = self._uniform(shape, *self.factor, seed)
        return {"apply_inversion": self._uniform(shape, 0, 1, seed) < chance}

    def _coloured(self, images: Tensor, transformation: Any) -> Tensor:
        chosen = to_tensor(transformation["apply_inversion"]).reshape(-1, 1, 1, 1)
        return T.where(chosen, self.value_range[1] - images, images)


@known
class RandomPosterization(Colour):
    """Values with only the first `factor` of their 8 bits."""

    _USE_BASE_FACTOR = False
    _FACTOR_BOUNDS = (1, 8)

    def __init__(
        self,
        factor: Any,
        value_range: Any = (0, 255),
        data_format: str | None = None,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(factor, value_range, data_format, seed, **kwargs)

    def get_random_transformation(self, data: Any, training: bool = True, seed: Any = None) -> Any:
        low, high = self.factor
        shape = (self._batch(data),)
        if low == high:
            return {"shift_factor": creation.full(shape, 8 - int(low))}
        bits = self._uniform(shape, float(low), float(high), seed).floor()
        return {"shift_factor": (8.0 - bits).long()}

    def _coloured(self, images: Tensor, transformation: Any) -> Tensor:
        step = 2.0 ** _per_image(transformation["shift_factor"], images)
        bytes_ = self._rescaled(images, self.value_range, (0, 255)).floor()
        return self._rescaled((bytes_ / step).floor() * step, (0, 255), self.value_range)


@known
class RandomSharpness(Colour):
    """Images mixed with their smooth selves: `factor` 0 is smooth, ½ the image, 1 sharper."""

    def __init__(
        self,
        factor: Any,
        value_range: Any = (0, 255),
        data_format: str | None = None,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(factor, value_range, data_format, seed, **kwargs)

    def _coloured(self, images: Tensor, transformation: Any) -> Tensor:
        first = self.data_format == "channels_first"
        x = images if first else images.permute(0, 3, 1, 2)
        channels = int(x.shape[1])
        kernel = creation.tensor([[1.0, 1.0, 1.0], [1.0, 5.0, 1.0], [1.0, 1.0, 1.0]]) / 13.0
        weight = kernel.to(x.dtype).expand((channels, 1, 3, 3))
        smooth = F.conv2d(x, weight, padding=1, groups=channels)
        factor = 2.0 * _per_image(transformation["factor"], images)
        x = self._clipped(x + (1.0 - factor) * (smooth - x))
        return x if first else x.permute(0, 2, 3, 1)


@known
class RandomGaussianBlur(Colour):
    """Each image blurred with a probability from `factor`, by a bell of a random width."""

    _USE_BASE_FACTOR = False
    _FACTOR_BOUNDS = (0, 1)

    def __init__(
        self,
        factor: Any = 1.0,
        kernel_size: Any = 3,
        sigma: Any = 1.0,
        value_range: Any = (0, 255),
        data_format: str | None = None,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(factor, value_range, data_format, seed, **kwargs)
        sizes = kernel_size if isinstance(kernel_size, tuple | list) else (kernel_size,) * 2
        if len(sizes) != 2 or any(not isinstance(n, int) or n % 2 == 0 for n in sizes):
            raise ValueError(
                "`kernel_size` must be an odd number, or a list of two odd numbers. Received: "
                f"kernel_size={kernel_size}"
            )
        self.kernel_size = tuple(sizes)
        self.sigma = self._pair(sigma, "sigma", self._FACTOR_BOUNDS)

    def get_random_transformation(self, data: Any, training: bool = True, seed: Any = None) -> Any:
        if not training:
            return None
        shape = (self._batch(data),)
        chance = self._uniform(shape, *self.factor, seed)
        return {
            "should_apply_blur": self._uniform(shape, 0, 1, seed) < chance,
            "blur_factor": self._uniform((2,), *self.sigma, seed) + 1e-6,
        }

    def _coloured(self, images: Tensor, transformation: Any) -> Tensor:
        blurred = image_ops.gaussian_blur(
            images, kernel_size=self.kernel_size, sigma=transformation["blur_factor"],
            data_format=self.data_format,
        )  # fmt: skip
        chosen = to_tensor(transformation["should_apply_blur"]).reshape(-1, 1, 1, 1)
        return self._clipped(T.where(chosen, blurred, images))


@known
class RandomColorJitter(Colour):
    """Brightness, contrast, saturation and hue, one after the other, those that have a factor."""

    _USE_BASE_FACTOR = False

    def __init__(
        self,
        value_range: Any = (0, 255),
        brightness_factor: Any = None,
        contrast_factor: Any = None,
        saturation_factor: Any = None,
        hue_factor: Any = None,
        seed: int | None = None,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(None, value_range, data_format, seed, **kwargs)
        self.brightness_factor = brightness_factor
        self.contrast_factor = contrast_factor
        self.saturation_factor = saturation_factor
        self.hue_factor = hue_factor
        kinds: list[tuple[Any, Any]] = [
            (RandomBrightness, brightness_factor), (RandomContrast, contrast_factor),
            (RandomSaturation, saturation_factor), (RandomHue, hue_factor),
        ]  # fmt: skip
        self._steps = [
            kind(factor, value_range=value_range, seed=seed, data_format=data_format)
            for kind, factor in kinds
            if factor is not None
        ]

    def get_random_transformation(self, data: Any, training: bool = True, seed: Any = None) -> Any:
        return None

    def transform_images(self, images: Any, transformation: Any, training: bool = True) -> Any:
        images = as_images(images, self.compute_dtype)
        if not training:
            return images
        for step in self._steps:
            drawn = step.get_random_transformation(images, seed=self.generator)
            images = step.transform_images(images, drawn)
        return images


class _Fixed(BaseImagePreprocessingLayer):
    _USE_BASE_FACTOR = False

    def __init__(self, value_range: Any = (0, 255), **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._set_value_range(value_range)


@known
class AutoContrast(_Fixed):
    """Each channel of each image stretched over the whole range."""

    def transform_images(
        self, images: Any, transformation: Any = None, training: bool = True
    ) -> Any:
        images = as_images(images, self.compute_dtype)
        x = self._rescaled(images, self.value_range, (0, 255))
        axis = self._height_axis
        low, high = (f((axis, axis + 1), keepdim=True) for f in (x.amin, x.amax))
        flat = high == low
        out = ((x - low) * (255.0 / T.where(flat, 1.0, high - low))).clamp(0, 255)
        return T.where(flat, images, self._rescaled(out, (0, 255), self.value_range))


@known
class Equalization(_Fixed):
    """Each channel with values that are all about as frequent, in `bins` steps."""

    def __init__(
        self,
        value_range: Any = (0, 255),
        bins: int = 256,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(value_range, data_format=data_format, **kwargs)
        self.bins = bins

    def transform_images(
        self, images: Any, transformation: Any = None, training: bool = True
    ) -> Any:
        images = as_images(images, self.compute_dtype)
        if not training:
            return images
        first = self.data_format == "channels_first"
        x = self._rescaled(images, self.value_range, (0, 255))
        x = x if first else x.permute(0, 3, 1, 2)
        # As in Keras the images of a batch share a histogram for each channel.
        flat = x.transpose(0, 1).reshape(int(x.shape[1]), -1)
        places = (flat / 255.0 * (self.bins - 1)).long().clamp(0, self.bins - 1)
        zeros = creation.zeros((int(flat.shape[0]), self.bins), dtype=flat.dtype)
        histogram = zeros.scatter_add(1, places, creation.ones_like(flat))
        total = histogram.cumsum(1)
        least = T.where(total > 0, total, float("inf")).amin(1, keepdim=True)
        whole = total[:, -1:] - least
        table = ((total - least) * 255.0 / T.where(whole == 0, 1.0, whole)).round().clamp(0, 255)
        single = (histogram > 0).sum(1, keepdim=True) <= 1
        out = T.where(single, flat, table.gather(1, places))
        shape = (int(x.shape[1]), int(x.shape[0]), *x.shape[2:])
        out = out.reshape(shape).transpose(0, 1)
        out = self._rescaled(out if first else out.permute(0, 2, 3, 1), (0, 255), self.value_range)
        return out.to(images.dtype)


@known
class Solarization(_Fixed):
    """Values from a threshold on as their negatives, after a number was added to all."""

    def __init__(
        self,
        addition_factor: Any = 0.0,
        threshold_factor: Any = 0.0,
        value_range: Any = (0, 255),
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(value_range, **kwargs)
        self._set_seed(seed)
        self.addition_factor = self._from_zero(addition_factor, "addition_factor")
        self.threshold_factor = self._from_zero(threshold_factor, "threshold_factor")

    @staticmethod
    def _from_zero(factor: Any, name: str) -> tuple[float, float]:
        several = isinstance(factor, tuple | list)
        values = list(factor) if several else [0, factor]
        if len(values) != 2 or any(
            not isinstance(v, int | float) or not 0 <= v <= 1 for v in values
        ):
            raise ValueError(
                "The `addition_factor` and `threshold_factor` arguments should be a number (or a "
                f"list of two numbers) in the range [0, 1]. Received: {name}={factor}"
            )
        return min(values), max(values)

    def get_random_transformation(self, data: Any, training: bool = True, seed: Any = None) -> Any:
        if not training:
            return None
        shape = (self._batch(data), 1, 1, 1) if len(self._shape(data)) == 4 else (1, 1, 1)
        added, limit = self.addition_factor, self.threshold_factor
        return {
            "additions": self._uniform(shape, added[0], added[1] * 255, seed),
            "thresholds": self._uniform(shape, limit[0], limit[1] * 255, seed),
        }

    def transform_images(self, images: Any, transformation: Any, training: bool = True) -> Any:
        images = as_images(images, self.compute_dtype)
        if not training or transformation is None:
            return images
        x = self._rescaled(images, self.value_range, (0, 255))
        x = (x + to_tensor(transformation["additions"]).to(x.dtype)).clamp(0, 255)
        x = T.where(x < to_tensor(transformation["thresholds"]).to(x.dtype), x, 255.0 - x)
        return self._rescaled(x, (0, 255), self.value_range)
