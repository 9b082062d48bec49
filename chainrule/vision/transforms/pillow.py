"""The transforms of PIL images, by Pillow itself: the same pixels as in torchvision.

Only called with a PIL image at hand, so Pillow is installed; it is imported where it is used.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from chainrule.vision.images import PILLOW_MODES as MODES

Fill = float | Sequence[float] | None


def hflip(img: Any) -> Any:
    """Left and right exchanged."""
    from PIL import Image

    return img.transpose(Image.Transpose.FLIP_LEFT_RIGHT)


def vflip(img: Any) -> Any:
    """Upside down."""
    from PIL import Image

    return img.transpose(Image.Transpose.FLIP_TOP_BOTTOM)


def _enhanced(kind: str, img: Any, factor: float) -> Any:
    from PIL import ImageEnhance

    return getattr(ImageEnhance, kind)(img).enhance(factor)


def adjust_brightness(img: Any, factor: float) -> Any:
    """factor · image."""
    return _enhanced("Brightness", img, factor)


def adjust_contrast(img: Any, factor: float) -> Any:
    """Away from the mean grey, or towards it."""
    return _enhanced("Contrast", img, factor)


def adjust_saturation(img: Any, factor: float) -> Any:
    """Away from grey, or towards it."""
    return _enhanced("Color", img, factor)


def adjust_sharpness(img: Any, factor: float) -> Any:
    """Away from a smoothed image, or towards it."""
    return _enhanced("Sharpness", img, factor)


def adjust_hue(img: Any, factor: float) -> Any:
    """The hues turned by a part of the circle, in steps of 1/256."""
    from PIL import Image

    mode = img.mode
    if mode in {"L", "1", "I", "F"}:
        return img
    h, s, v = img.convert("HSV").split()
    turned = np.array(h, np.uint8) + np.int32(factor * 255).astype(np.uint8)
    return Image.merge("HSV", (Image.fromarray(turned), s, v)).convert(mode)


def adjust_gamma(img: Any, gamma: float, gain: float = 1) -> Any:
    """255 · gain · (x / 255) ** gamma."""
    table = [int((255 + 1 - 1e-3) * gain * pow(value / 255.0, gamma)) for value in range(256)] * 3
    return img.convert("RGB").point(table).convert(img.mode)


def pad(img: Any, around: tuple[int, int, int, int], fill: Fill, mode: str) -> Any:
    """A border of (left, top, right, bottom) pixels."""
    from PIL import Image, ImageOps

    if mode == "constant":
        palette = img.getpalette() if img.mode == "P" else None
        result = ImageOps.expand(img, border=around, **_colour(fill, img, "fill"))
        if palette is not None:
            result.putpalette(palette)
        return result
    left, top, right, bottom = around
    if min(around) < 0:
        box = (
            -min(left, 0),
            -min(top, 0),
            img.width + min(right, 0),
            img.height + min(bottom, 0),
        )
        img = img.crop(box)
    palette = img.getpalette() if img.mode == "P" else None
    pixels = np.asarray(img)
    borders = [(max(top, 0), max(bottom, 0)), (max(left, 0), max(right, 0))]
    borders += [(0, 0)] * (pixels.ndim - 2)
    result = Image.fromarray(np.pad(pixels, borders, mode=mode))  # type: ignore[call-overload]  # a str
    if palette is not None:
        result.putpalette(palette)
    return result


def _colour(fill: Fill, img: Any, name: str = "fillcolor") -> dict[str, Any]:
    """`fill` as Pillow wants it: one number, or one for each channel; whole but for mode F."""
    channels = len(img.getbands())
    given: Any = 0 if fill is None else fill
    if isinstance(given, int | float) and channels > 1:
        given = (given,) * channels
    if isinstance(given, list | tuple):
        if len(given) == 1:
            given = tuple(given) * channels
        elif len(given) != channels:
            raise ValueError(
                "The number of elements in 'fill' does not match the number of channels of the "
                f"image ({len(given)} != {channels})"
            )
    if img.mode != "F":
        given = tuple(int(v) for v in given) if isinstance(given, list | tuple) else int(given)
    elif isinstance(given, list):
        given = tuple(given)
    if isinstance(given, tuple) and channels == 1:
        given = given[0]
    return {name: given}


def crop(img: Any, top: int, left: int, height: int, width: int) -> Any:
    """A rectangle; black outside of the image."""
    return img.crop((left, top, left + width, top + height))


def resize(img: Any, height: int, width: int, mode: str) -> Any:
    """Another size."""
    return img.resize((width, height), MODES[mode])


def affine(img: Any, matrix: Sequence[float], mode: str, fill: Fill) -> Any:
    """Moved by an inverted affine matrix."""
    from PIL import Image

    how = Image.Transform.AFFINE
    return img.transform(img.size, how, matrix, MODES[mode], **_colour(fill, img))


def rotate(
    img: Any, angle: float, mode: str, expand: bool, center: Sequence[float] | None, fill: Fill
) -> Any:
    """Turned to the left by `angle` degrees."""
    return img.rotate(angle, MODES[mode], expand, center, **_colour(fill, img))


def perspective(img: Any, coefficients: Sequence[float], mode: str, fill: Fill) -> Any:
    """As seen from elsewhere."""
    from PIL import Image

    how = Image.Transform.PERSPECTIVE
    return img.transform(img.size, how, coefficients, MODES[mode], **_colour(fill, img))


def grey(img: Any, channels: int) -> Any:
    """Grey, of one channel or three equal ones."""
    from PIL import Image

    one = img.convert("L")
    if channels == 1:
        return one
    return Image.fromarray(np.dstack([np.array(one, np.uint8)] * 3))


def invert(img: Any) -> Any:
    """255 - x."""
    from PIL import ImageOps

    return ImageOps.invert(img)


def posterize(img: Any, bits: int) -> Any:
    """Only the upper bits."""
    from PIL import ImageOps

    return ImageOps.posterize(img, bits)


def solarize(img: Any, threshold: float) -> Any:
    """Inverted from `threshold` on."""
    from PIL import ImageOps

    return ImageOps.solarize(img, threshold)  # type: ignore[arg-type]  # Pillow compares with it


def autocontrast(img: Any) -> Any:
    """Each channel from black to white."""
    from PIL import ImageOps

    return ImageOps.autocontrast(img)


def equalize(img: Any) -> Any:
    """As many pixels of one brightness as of another."""
    from PIL import ImageOps

    return ImageOps.equalize(img)
