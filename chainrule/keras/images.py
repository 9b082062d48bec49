"""Images as files and as arrays (needs pillow: `pip install chainrule[vision]`)."""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from chainrule.keras.resampling import matrix, resize
from chainrule.keras.settings import floatx, standardize_data_format
from chainrule.tensor import Tensor, creation

_MODES = {"grayscale": "L", "rgb": "RGB", "rgba": "RGBA"}
_FILTERS = ("nearest", "bilinear", "bicubic", "hamming", "box", "lanczos")


def pillow() -> Any:
    """`PIL.Image`."""
    try:
        from PIL import Image
    except ImportError:
        raise ImportError(
            "reading and writing images needs pillow: pip install chainrule[vision]"
        ) from None
    return Image


def load_img(
    path: Any,
    color_mode: str = "rgb",
    target_size: Any = None,
    interpolation: str = "nearest",
    keep_aspect_ratio: bool = False,
) -> Any:
    """A PIL image from a file (its name, or an open one), in the wanted colours and size (height,
    width).
    """
    image_class = pillow()
    if not isinstance(path, str | bytes | os.PathLike) and not hasattr(path, "read"):
        raise TypeError(f"path should be path-like or io.BytesIO, not {type(path)}")
    if color_mode not in _MODES:
        raise ValueError(f'color_mode must be "grayscale", "rgb", or "rgba", got {color_mode!r}')
    with image_class.open(path) as opened:
        # Grey images of 16 and 32 bits stay as they are.
        keep = color_mode == "grayscale" and opened.mode in ("L", "I;16", "I")
        image = opened.copy() if keep else opened.convert(_MODES[color_mode])
    if target_size is None or image.size == (target_size[1], target_size[0]):
        return image
    height, width = target_size
    if interpolation not in _FILTERS:
        raise ValueError(
            f"Invalid interpolation method {interpolation} specified. Supported methods are "
            f"{', '.join(_FILTERS)}"
        )
    box = None
    if keep_aspect_ratio:
        w, h = image.size
        crop_h, crop_w = min(h, w * height // width), min(w, h * width // height)
        left, top = (w - crop_w) // 2, (h - crop_h) // 2
        box = (left, top, left + crop_w, top + crop_h)
    resampling = getattr(image_class.Resampling, interpolation.upper())
    return image.resize((width, height), resampling, box)


def img_to_array(img: Any, data_format: str | None = None, dtype: Any = None) -> np.ndarray:
    """An image as numbers: (height, width, channels)."""
    array = np.asarray(img, dtype=dtype or floatx())
    if array.ndim == 2:
        array = array[..., None]
    if array.ndim != 3:
        raise ValueError(f"Unsupported image shape: {array.shape}; it needs 2 or 3 dimensions")
    if standardize_data_format(data_format) == "channels_first":
        return array.transpose(2, 0, 1)
    return array


def array_to_img(
    x: Any, data_format: str | None = None, scale: bool = True, dtype: Any = None
) -> Any:
    """A PIL image from numbers; `scale` stretches them to 0 … 255."""
    array = np.asarray(x.detach().numpy() if isinstance(x, Tensor) else x, dtype=dtype or floatx())
    if array.ndim != 3:
        raise ValueError(
            "Expected image array to have rank 3 (single image). Got array with shape: "
            f"{array.shape}"
        )
    if standardize_data_format(data_format) == "channels_first":
        array = array.transpose(1, 2, 0)
    if array.shape[2] not in (1, 3, 4):
        raise ValueError(f"Unsupported channel number: {array.shape[2]}; it must be 1, 3 or 4")
    if scale:
        array = array - array.min()
        largest = array.max()
        array = (array / largest if largest != 0 else array) * 255
    if array.shape[2] == 1:
        grey = array[..., 0]
        return pillow().fromarray(grey.astype(np.int32 if array.max() > 255 else np.uint8))
    return pillow().fromarray(array.astype(np.uint8))


def save_img(
    path: Any,
    x: Any,
    data_format: str | None = None,
    file_format: str | None = None,
    scale: bool = True,
    **kwargs: Any,
) -> None:
    """Write an array as an image file, of the kind that its name says."""
    if file_format is None and isinstance(path, str | Path):
        file_format = Path(path).suffix[1:].lower() or None
    if file_format is not None and file_format.lower() == "jpg":
        file_format = "jpeg"
    image = array_to_img(x, data_format, scale)
    if image.mode == "RGBA" and file_format == "jpeg":
        warnings.warn(
            "The JPEG format does not support RGBA images, converting to RGB.", stacklevel=2
        )
        image = image.convert("RGB")
    image.save(path, format=file_format, **kwargs)


def smart_resize(
    x: Any, size: Any, interpolation: str = "bilinear", data_format: str = "channels_last"
) -> Any:
    """Images at another size without changing proportions: the middle part that has those of
    `size` is resized. Arrays give arrays, tensors tensors.
    """
    if len(size) != 2:
        raise ValueError(f"Expected `size` to be a tuple of 2 integers, but got: {size}.")
    if x.ndim not in (3, 4):
        raise ValueError(
            "Expected an image array with shape `(height, width, channels)`, or `(batch_size, "
            f"height, width, channels)`, but got input with incorrect rank, of shape {x.shape}."
        )
    first = data_format == "channels_first"
    height, width = (int(n) for n in (x.shape[-2:] if first else x.shape[-3:-1]))
    new_height, new_width = (int(n) for n in size)
    crop_h = max(min(height, int(width * new_height / new_width)), 1)
    crop_w = max(min(width, int(height * new_width / new_height)), 1)
    top, left = int((height - crop_h) / 2), int((width - crop_w) / 2)
    rows, columns = slice(top, top + crop_h), slice(left, left + crop_w)
    part = x[..., rows, columns] if first else x[..., rows, columns, :]
    if isinstance(part, Tensor):
        return resized(part, new_height, new_width, interpolation, data_format)
    if first:
        part = np.moveaxis(part, -3, -1)
    out = resize(part, new_height, new_width, interpolation)
    return np.moveaxis(out, -1, -3) if first else out


def resized(
    x: Tensor, height: int, width: int, method: str, data_format: str, antialias: bool = False
) -> Tensor:
    """An image, or a batch of them, at another size: two products."""
    if data_format == "channels_last":
        x = x.movedim(-1, -3)
    h, w = int(x.shape[-2]), int(x.shape[-1])
    out = x if x.dtype.is_floating_point else x.float()
    if h != height:
        out = creation.tensor(matrix(h, height, method, antialias), dtype=out.dtype) @ out
    if w != width:
        out = out @ creation.tensor(matrix(w, width, method, antialias).T.copy(), dtype=out.dtype)
    return out.movedim(-3, -1) if data_format == "channels_last" else out
