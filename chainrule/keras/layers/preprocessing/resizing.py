"""Images of another size."""

from __future__ import annotations

from typing import Any

from chainrule.keras.errors import ShapeError
from chainrule.keras.layers.base import Layer
from chainrule.keras.layers.convolution import back, channels_first
from chainrule.keras.registry import known
from chainrule.keras.settings import standardize_data_format
from chainrule.nn import functional as F
from chainrule.tensor import Tensor


class ImageLayer(Layer):
    casts_integers = True
    data_format: str

    def _first(self, inputs: Tensor) -> tuple[Tensor, bool]:
        if inputs.ndim not in (3, 4):
            raise ShapeError(
                f"layer {self.name!r} ({type(self).__name__}) takes an image (height, width, "
                f"channels) or a batch of them, got the shape {tuple(inputs.shape)}"
            )
        single = inputs.ndim == 3
        return channels_first(inputs.unsqueeze(0) if single else inputs, self.data_format), single

    def _last(self, x: Tensor, single: bool) -> Tensor:
        x = back(x, self.data_format)
        return x[0] if single else x


@known
class Resizing(ImageLayer):
    """Another height and width."""

    def __init__(
        self,
        height: int,
        width: int,
        interpolation: str = "bilinear",
        crop_to_aspect_ratio: bool = False,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if interpolation not in ("nearest", "bilinear", "bicubic"):
            raise ValueError(
                f"interpolation must be 'nearest', 'bilinear' or 'bicubic', got {interpolation!r}"
            )
        self.height = height
        self.width = width
        self.interpolation = interpolation
        self.crop_to_aspect_ratio = crop_to_aspect_ratio
        self.data_format = standardize_data_format(data_format)

    def call(self, inputs: Tensor) -> Tensor:
        x, single = self._first(inputs)
        if self.crop_to_aspect_ratio:
            h, w = int(x.shape[2]), int(x.shape[3])
            crop_h = min(h, int(w * self.height / self.width))
            crop_w = min(w, int(h * self.width / self.height))
            x = centre(x, crop_h, crop_w)
        options = {} if self.interpolation == "nearest" else {"align_corners": False}
        x = F.interpolate(x, size=(self.height, self.width), mode=self.interpolation, **options)
        return self._last(x, single)


def centre(x: Tensor, height: int, width: int) -> Tensor:
    top = (int(x.shape[2]) - height) // 2
    left = (int(x.shape[3]) - width) // 2
    return x[:, :, top : top + height, left : left + width]


@known
class CenterCrop(ImageLayer):
    """The middle of the image."""

    def __init__(
        self, height: int, width: int, data_format: str | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.height = height
        self.width = width
        self.data_format = standardize_data_format(data_format)

    def call(self, inputs: Tensor) -> Tensor:
        x, single = self._first(inputs)
        if int(x.shape[2]) < self.height or int(x.shape[3]) < self.width:
            raise ShapeError(
                f"layer {self.name!r} (CenterCrop) cannot cut {self.height} × {self.width} out of "
                f"an image of shape {tuple(inputs.shape)}"
            )
        return self._last(centre(x, self.height, self.width), single)
