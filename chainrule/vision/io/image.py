"""Images read from files and bytes into tensors (C, H, W), and written, with the names of
`torchvision.io.image`. Pillow does it; PNG is also written without.
"""

from __future__ import annotations

import io
import os
from enum import Enum
from typing import Any

import numpy as np

from chainrule.tensor import Tensor
from chainrule.tensor.fromdata import from_owned
from chainrule.utils.data.batching import values
from chainrule.vision.images import Array, pil_module
from chainrule.vision.io.png import encoded

__all__ = [
    "ImageReadMode",
    "decode_image",
    "decode_jpeg",
    "decode_png",
    "decode_avif",
    "decode_heic",
    "decode_webp",
    "decode_gif",
    "encode_jpeg",
    "encode_png",
    "read_file",
    "read_image",
    "write_file",
    "write_jpeg",
    "write_png",
]


class ImageReadMode(Enum):
    """The channels that a decoded image is to have."""

    UNCHANGED = 0
    GRAY = 1
    GRAY_ALPHA = 2
    RGB = 3
    RGB_ALPHA = 4
    RGBA = RGB_ALPHA


_PIL_MODES = {
    ImageReadMode.GRAY: "L",
    ImageReadMode.GRAY_ALPHA: "LA",
    ImageReadMode.RGB: "RGB",
    ImageReadMode.RGB_ALPHA: "RGBA",
}


def read_file(path: str | os.PathLike[str]) -> Tensor:
    """The bytes of a file, uint8 of one axis. Raises `RuntimeError` where it cannot be read."""
    try:
        with open(path, "rb") as file:
            data = file.read()
    except OSError as error:
        raise RuntimeError(
            f"[Errno {error.errno}] {error.strerror}: '{os.fspath(path)}'"
        ) from error
    if not data:
        raise RuntimeError(f"Expected a non empty file: '{os.fspath(path)}'")
    return from_owned(np.frombuffer(data, np.uint8).copy())


def write_file(filename: str | os.PathLike[str], data: Tensor) -> None:
    """Write bytes (uint8 of one axis) to a file."""
    array = values(data)
    if array.dtype != np.uint8:
        raise RuntimeError(f"Input tensor dtype should be uint8; got {data.dtype}")
    if array.ndim != 1:
        raise RuntimeError(f"Input data should be a 1-dimensional tensor; got {data.ndim} axes")
    try:
        with open(filename, "wb") as file:
            file.write(array.tobytes())
    except OSError as error:
        raise RuntimeError(f"[Errno {error.errno}] {error.strerror}: '{filename}'") from error


def _bytes_of(data: Any) -> bytes:
    if not isinstance(data, Tensor):
        raise TypeError(f"Expected a tensor of encoded bytes; got {type(data)}")
    array = values(data)
    if array.dtype != np.uint8:
        raise RuntimeError(f"Expected a torch.uint8 tensor; got {data.dtype}")
    if array.ndim != 1 or array.size == 0:
        raise RuntimeError(
            f"Expected a non empty 1-dimensional tensor; got shape {tuple(data.shape)}"
        )
    return array.tobytes()


def _decoded(
    data: Tensor, mode: ImageReadMode | str, exif: bool = False, kinds: tuple[str, ...] = ()
) -> Tensor:
    """The image in `data`, whose kind of file is one of `kinds` (all, where none is named)."""
    mode = ImageReadMode[mode.upper()] if isinstance(mode, str) else mode
    raw = _bytes_of(data)
    pil = pil_module("images are decoded")
    try:
        image = pil.open(io.BytesIO(raw), formats=kinds or None)
        image.load()
    except (OSError, SyntaxError, ValueError) as error:
        wanted = " or ".join(kinds) or "an image"
        raise RuntimeError(f"Unsupported image file, expected {wanted}: {error}") from error
    if exif:
        from PIL import ImageOps

        image = ImageOps.exif_transpose(image)
    return from_owned(_channels_first(image, mode))


def _channels_first(image: Any, mode: ImageReadMode) -> Array:
    wanted = _PIL_MODES.get(mode)
    if wanted is None and image.mode not in ("L", "LA", "RGB", "RGBA", "I;16"):
        if image.mode == "P":
            wanted = "RGBA" if "transparency" in image.info else "RGB"
        else:
            wanted = {"1": "L", "I": "L", "F": "L"}.get(image.mode, "RGB")
    if image.mode == "I;16" and wanted is not None:  # Pillow cuts 16 bits off instead of scaling
        image = pil_module("images are decoded").fromarray(
            (np.asarray(image) >> 8).astype(np.uint8)
        )
    if wanted is not None and wanted != image.mode:
        image = image.convert(wanted)
    array = np.asarray(image)
    array = array.astype(np.int32) if array.dtype == np.uint16 else array
    return np.array(array[None] if array.ndim == 2 else np.moveaxis(array, -1, 0), order="C")


def decode_image(
    input: Tensor | str | os.PathLike[str],
    mode: ImageReadMode | str = ImageReadMode.UNCHANGED,
    apply_exif_orientation: bool = False,
) -> Tensor:
    """The image in encoded bytes, or in a file: uint8 (C, H, W)."""
    data = input if isinstance(input, Tensor) else read_file(input)
    return _decoded(data, mode, apply_exif_orientation)


def read_image(
    path: str | os.PathLike[str],
    mode: ImageReadMode | str = ImageReadMode.UNCHANGED,
    apply_exif_orientation: bool = False,
) -> Tensor:
    """The image in a file: uint8 (C, H, W)."""
    return decode_image(read_file(path), mode, apply_exif_orientation)


def decode_png(
    input: Tensor,
    mode: ImageReadMode | str = ImageReadMode.UNCHANGED,
    apply_exif_orientation: bool = False,
) -> Tensor:
    """The image in the bytes of a PNG file."""
    return _decoded(input, mode, apply_exif_orientation, ("PNG",))


def decode_jpeg(
    input: Tensor | list[Tensor],
    mode: ImageReadMode | str = ImageReadMode.UNCHANGED,
    device: Any = "cpu",
    apply_exif_orientation: bool = False,
) -> Any:
    """The image in the bytes of a JPEG file; a list of images for a list of them."""
    if isinstance(input, list):
        if not input:
            raise ValueError("Input list must contain at least one element")
        if not all(isinstance(one, Tensor) for one in input):
            raise ValueError("All elements of the input list must be tensors.")
        return [_decoded(one, mode, apply_exif_orientation, ("JPEG",)) for one in input]
    return _decoded(input, mode, apply_exif_orientation, ("JPEG",))


def decode_gif(input: Tensor) -> Tensor:
    """The images in the bytes of a GIF file: (3, H, W), or (N, 3, H, W) for more than one."""
    raw = _bytes_of(input)
    pil = pil_module("images are decoded")
    from PIL import ImageSequence

    try:
        with pil.open(io.BytesIO(raw), formats=("GIF",)) as image:
            frames = [np.asarray(frame.convert("RGB")) for frame in ImageSequence.Iterator(image)]
    except (OSError, SyntaxError, ValueError) as error:
        raise RuntimeError(f"Unsupported image file, expected GIF: {error}") from error
    stacked = np.ascontiguousarray(np.moveaxis(np.stack(frames), -1, 1))
    return from_owned(stacked[0] if len(stacked) == 1 else stacked)


def decode_webp(input: Tensor, mode: ImageReadMode | str = ImageReadMode.UNCHANGED) -> Tensor:
    """The image in the bytes of a WebP file."""
    return _decoded(input, mode, kinds=("WEBP",))


def decode_avif(input: Tensor, mode: ImageReadMode | str = ImageReadMode.UNCHANGED) -> Tensor:
    """The image in the bytes of an AVIF file (where Pillow has been built with it)."""
    return _decoded(input, mode, kinds=("AVIF",))


def decode_heic(input: Tensor, mode: ImageReadMode | str = ImageReadMode.UNCHANGED) -> Tensor:
    """Not there: Pillow reads no HEIC files."""
    raise NotImplementedError(
        "HEIC files are not read: convert the file to PNG or JPEG and use decode_image"
    )


def _checked(input: Any) -> Array:
    array = values(input)
    if array.dtype != np.uint8:
        raise RuntimeError(f"Input tensor dtype should be uint8; got {input.dtype}")
    if array.ndim != 3:
        raise RuntimeError(f"Input data should be a 3-dimensional tensor; got {array.ndim} axes")
    if array.shape[0] not in (1, 3):
        raise RuntimeError(f"The number of channels should be 1 or 3, got: {array.shape[0]}")
    return np.ascontiguousarray(np.moveaxis(array, 0, -1))


def encode_png(input: Tensor, compression_level: int = 6) -> Tensor:
    """The bytes of a PNG file of an image (C, H, W), uint8, of 1 or 3 channels."""
    if not 0 <= compression_level <= 9:
        raise RuntimeError("Compression level should be between 0 and 9")
    return from_owned(np.frombuffer(encoded(_checked(input), compression_level), np.uint8).copy())


def encode_jpeg(input: Tensor | list[Tensor], quality: int = 75) -> Any:
    """The bytes of a JPEG file of an image (C, H, W), uint8; a list for a list of images."""
    if quality < 1 or quality > 100:
        raise ValueError("Image quality should be a positive number between 1 and 100")
    if isinstance(input, list):
        if not input:
            raise ValueError("encode_jpeg requires at least one input tensor when a list is passed")
        return [encode_jpeg(one, quality) for one in input]
    pixels = _checked(input)
    pil = pil_module("JPEG files are written")
    file = io.BytesIO()
    image = pil.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels)
    image.save(file, format="JPEG", quality=quality)
    return from_owned(np.frombuffer(file.getvalue(), np.uint8).copy())


def write_png(input: Tensor, filename: str | os.PathLike[str], compression_level: int = 6) -> None:
    """Write an image (C, H, W), uint8, as a PNG file."""
    write_file(filename, encode_png(input, compression_level))


def write_jpeg(input: Tensor, filename: str | os.PathLike[str], quality: int = 75) -> None:
    """Write an image (C, H, W), uint8, as a JPEG file."""
    write_file(filename, encode_jpeg(input, quality))
