"""Images: PIL's where pillow is installed, a small stand-in where it is not.

Whatever an image comes as, the transforms work on its planes: a NumPy array (…, C, H, W), channels
before rows before columns, with any axes for a batch in front. `planes` and `from_planes` are the
way in and out.

    kind        what the user holds                            planes
    "image"     PIL image, `Image`, or a batch of uint8 (H, W, C)   integers 0 … 255
    "tensor"    Tensor (…, C, H, W)                            mostly floats 0 … 1
"""

from __future__ import annotations

import sys
from typing import Any, Literal

import numpy as np

from chainrule.tensor import Tensor
from chainrule.tensor.fromdata import from_owned
from chainrule.utils.data.batching import values
from chainrule.vision import planes as arithmetic

Array = np.ndarray[Any, np.dtype[Any]]
Kind = Literal["image", "tensor"]

#: A way to compute pixels between pixels → Pillow's number for it.
PILLOW_MODES = {
    "nearest": 0,
    "nearest-exact": 0,
    "lanczos": 1,
    "bilinear": 2,
    "bicubic": 3,
    "box": 4,
    "hamming": 5,
}

_MODES = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}


class Image:
    """An image without pillow: what `PIL.Image.Image` offers to programs that only read it.

    `size` is (width, height), `mode` "L" (grey), "RGB", "LA" or "RGBA"; `numpy.asarray(image)` is
    (H, W) or (H, W, C), uint8.
    """

    __slots__ = ("_pixels",)

    def __init__(self, pixels: Array) -> None:
        channels = 1 if pixels.ndim == 2 else pixels.shape[-1]
        if pixels.dtype != np.uint8 or pixels.ndim not in (2, 3) or channels not in _MODES:
            raise ValueError(
                f"an image is (H, W) or (H, W, C) of uint8 with 1 to 4 channels; got "
                f"{pixels.shape} of {pixels.dtype}"
            )
        self._pixels = pixels[..., 0] if pixels.ndim == 3 and channels == 1 else pixels

    @property
    def size(self) -> tuple[int, int]:
        return self.width, self.height

    @property
    def width(self) -> int:
        return int(self._pixels.shape[1])

    @property
    def height(self) -> int:
        return int(self._pixels.shape[0])

    @property
    def mode(self) -> str:
        return _MODES[1 if self._pixels.ndim == 2 else self._pixels.shape[2]]

    def getbands(self) -> tuple[str, ...]:
        """The names of the channels: ("L",) or ("R", "G", "B")."""
        return tuple(self.mode)

    def getpixel(self, xy: tuple[int, int]) -> int | tuple[int, ...]:
        """The pixel in column x and row y."""
        value = self._pixels[xy[1], xy[0]]
        return int(value) if value.ndim == 0 else tuple(int(v) for v in value)

    def copy(self) -> Image:
        """The same image with pixels of its own."""
        return Image(self._pixels.copy())

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        return np.array(self._pixels, dtype=dtype, copy=copy)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Image) and np.array_equal(self._pixels, other._pixels)

    __hash__ = None  # type: ignore[assignment]  # compared by value, and its pixels may change

    def __repr__(self) -> str:
        return f"<chainrule.vision.Image mode={self.mode} size={self.width}x{self.height}>"


def make_image(pixels: Array) -> Any:
    """A PIL image of uint8 pixels (H, W[, C]) where pillow is installed, else an `Image`."""
    pil = _pil()
    squeezed = pixels[..., 0] if pixels.ndim == 3 and pixels.shape[-1] == 1 else pixels
    if pil is None:
        return Image(squeezed)
    return pil.fromarray(np.ascontiguousarray(squeezed))


def typed_image(pixels: Array, mode: str) -> Any:
    """A PIL image in one of the modes that only Pillow has (I, F, I;16, HSV, CMYK, …)."""
    pil = pil_module(f"an image of mode {mode!r} is made")
    flat = np.ascontiguousarray(pixels)
    if mode in ("I", "F", "I;16"):
        return pil.fromarray(flat.astype(np.uint16) if mode == "I;16" else flat)
    return pil.frombytes(mode, (flat.shape[1], flat.shape[0]), flat.tobytes())


def is_image(value: Any) -> bool:
    """Whether `value` is an `Image` or a PIL image."""
    return isinstance(value, Image) or is_pil(value)


def is_pil(value: Any) -> bool:
    """Whether `value` is a PIL image. Where nobody imported Pillow, nothing is."""
    pil = sys.modules.get("PIL.Image")
    return pil is not None and isinstance(value, pil.Image)


def pil_module(what: str) -> Any:
    """`PIL.Image`, or a `ModuleNotFoundError` that says what needs it."""
    pil = _pil()
    if pil is None:
        raise ModuleNotFoundError(f"{what} by Pillow: pip install 'chainrule[vision]'")
    return pil


def _pil() -> Any:
    try:
        import PIL.Image
    except ImportError:
        return None
    return PIL.Image


def pixels(image: Any) -> Array:
    """The pixels (H, W, C) of an image; a black-and-white one counts as 0 and 255."""
    array = np.asarray(image)
    if array.dtype == np.uint16:  # PyTorch computes with no unsigned integers but bytes
        array = array.astype(np.int16)
    if array.dtype == np.bool_:
        array = array.astype(np.uint8) * np.uint8(255)
    return array[..., None] if array.ndim == 2 else array


def planes(value: Any, name: str) -> tuple[Kind, Array]:
    """The planes (…, C, H, W) of an image or a tensor. `TypeError` for anything else."""
    if isinstance(value, Tensor):
        if value.ndim < 2:
            raise TypeError(
                f"{name}: a tensor image needs at least two axes (…, H, W); got {value.shape}"
            )
        return "tensor", values(value)
    if is_image(value):
        return "image", np.moveaxis(pixels(value), -1, 0)  # a view
    raise TypeError(f"{name}: img should be a PIL image, an Image or a Tensor. Got {type(value)}")


def from_planes(kind: Kind, array: Array) -> Any:
    """The image or the tensor with these planes; the inverse of `planes`."""
    if kind == "tensor":
        return from_owned(np.array(array, order="C"))
    return make_image(np.ascontiguousarray(np.moveaxis(array, 0, -1)))


def planes_resized(
    x: Array, height: int, width: int, method: str, kind: Kind, antialias: bool
) -> Array:
    """Planes (N, C, H, W) at another size: images by Pillow where it is, as they are one by one."""
    pil = _pil() if kind == "image" else None
    if pil is None or x.dtype != np.uint8 or x.shape[-2:] == (height, width):
        return arithmetic.resize(x, height, width, method, kind, antialias)
    size, how = (width, height), PILLOW_MODES[method]
    images = (make_image(np.moveaxis(image, 0, -1)) for image in x)
    result = np.stack([np.asarray(image.resize(size, how)) for image in images])
    return result[:, None] if result.ndim == 3 else np.moveaxis(result, -1, 1)
