"""Numbers on another scale."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.keras.layers.preprocessing.data_layer import DataLayer
from chainrule.keras.registry import from_config as object_from_config
from chainrule.keras.registry import known, to_config
from chainrule.keras.settings import image_data_format
from chainrule.tensor import Tensor, fromdata


@known
class Rescaling(DataLayer):
    """`x · scale + offset`, for example 1/255 for bytes of images."""

    supports_masking = True
    casts_integers = True

    def __init__(self, scale: Any, offset: Any = 0.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.scale = scale
        self.offset = offset

    def call(self, inputs: Tensor) -> Tensor:
        return inputs * self._number(self.scale, inputs) + self._number(self.offset, inputs)

    @staticmethod
    def _number(value: Any, like: Tensor) -> Any:
        if isinstance(value, int | float):
            return value
        array = np.asarray(value, dtype=like.dtype.np)
        if array.ndim and image_data_format() == "channels_first":
            array = array.reshape(*array.shape, *(1,) * (3 - array.ndim))
        return fromdata.from_owned(array)

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape

    def _output_dtype(self, tensor: Any) -> str:
        return self.compute_dtype

    def get_config(self) -> dict[str, Any]:
        both = {"scale": to_config(self.scale), "offset": to_config(self.offset)}
        return super().get_config() | both

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Any:
        config = dict(config)
        for name in ("scale", "offset"):
            config[name] = object_from_config(config[name])
        return cls(**config)
