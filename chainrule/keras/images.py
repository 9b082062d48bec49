"""Images as files and as arrays (needs pillow: `pip install chainrule[vision]`)."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.keras.settings import floatx, standardize_data_format
from chainrule.tensor import Tensor

_MODES = {"grayscale": "L", "rgb": "RGB", "rgba": "RGBA"}
_FILTERS = {n: n.upper() for n in ("nearest", "bilinear", "bicubic", "hamming", "box", "lanczos")}


def _pillow() -> Any:
    try:
        from PIL import Image
    except ImportError:
        raise ImportError("reading and writing images needs pillow: pip install pillow") from None
    return Image


def load_img(
    path: Any,
    color_mode: str = "rgb",
    target_size: Any = None,
    interpolation: str = "nearest",
    keep_aspect_ratio: bool = False,
) -> Any:
    """A PIL image from a file, in the wanted colours and size (height, width)."""
    image_class = _pillow()
    if color_mode not in _MODES:
        raise ValueError(f"color_mode must be one of {', '.join(_MODES)}, got {color_mode!r}")
    with image_class.open(path) as opened:
        image = opened.convert(_MODES[color_mode])
    if target_size is None:
        return image
    height, width = target_size
    if interpolation not in _FILTERS:
        raise ValueError(
            f"interpolation must be one of {', '.join(_FILTERS)}, got {interpolation!r}"
        )
    box = None
    if keep_aspect_ratio:
        w, h = image.size
        crop_h, crop_w = min(h, int(w * height / width)), min(w, int(h * width / height))
        left, top = (w - crop_w) // 2, (h - crop_h) // 2
        box = (left, top, left + crop_w, top + crop_h)
    resampling = getattr(image_class.Resampling, _FILTERS[interpolation])
    return image.resize((width, height), resampling, box)


def img_to_array(img: Any, data_format: str | None = None, dtype: Any = None) -> np.ndarray:
    """An image as numbers: (height, width, channels)."""
    array = np.asarray(img, dtype=dtype or floatx())
    if array.ndim == 2:
        array = array[..., None]
    if array.ndim != 3:
        raise ValueError(f"an image has two or three dimensions, got the shape {array.shape}")
    return (
        array.transpose(2, 0, 1)
        if standardize_data_format(data_format) == "channels_first"
        else array
    )


def array_to_img(
    x: Any, data_format: str | None = None, scale: bool = True, dtype: Any = None
) -> Any:
    """A PIL image from numbers; `scale` stretches them to 0 … 255."""
    array = np.asarray(x.detach().numpy() if isinstance(x, Tensor) else x, dtype=dtype or floatx())
    if array.ndim != 3:
        raise ValueError(f"an image has three dimensions, got the shape {array.shape}")
    if standardize_data_format(data_format) == "channels_first":
        array = array.transpose(1, 2, 0)
    if array.shape[2] not in (1, 3, 4):
        raise ValueError(f"an image has 1, 3 or 4 channels, got the shape {array.shape}")
    if scale:
        array = array - array.min()
        array = array / max(float(array.max()), 1e-30) * 255
    pixels = array.astype(np.uint8)
    return _pillow().fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels)


def save_img(
    path: Any,
    x: Any,
    data_format: str | None = None,
    file_format: str | None = None,
    scale: bool = True,
    **kwargs: Any,
) -> None:
    """Write an array as an image file."""
    array_to_img(x, data_format, scale).save(path, format=file_format, **kwargs)
