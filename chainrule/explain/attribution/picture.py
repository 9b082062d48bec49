"""Attributions of images, drawn: the image, its values as colours, and both together."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from chainrule.explain.attribution.colours import coloured, scale

if TYPE_CHECKING:
    from chainrule.explain.attribution.result import Attribution

_GAP, _BAR, _INK, _PAPER, _LINE = 14, 16, (28, 30, 33), (253, 253, 252), (217, 220, 223)


def draw(
    a: Attribution, rows: Sequence[int] | int | None = None, *, size: int = 224,
    captions: bool = True, percentile: float = 99.5, most: int = 16,
) -> Any:  # fmt: skip
    """One strip for each row: image | values | values over the image | bar.

    rows        which; all of them, up to `most`
    size        the pixels of the longer side of a panel, at least
    captions    whether method, class and score stand above (a page says them itself)
    percentile  of the sizes that gets the full colour
    """
    if not a.is_image:
        raise ValueError(
            f"a picture needs images (N, C, H, W) or (N, H, W, C); the input is "
            f"{a.inputs[0].shape}: print it, or save it as .html"
        )
    chosen = range(min(len(a.score), most)) if rows is None else np.atleast_1d(rows).tolist()
    strips = [strip(a, n, size=size, captions=captions, percentile=percentile) for n in chosen]
    from PIL import Image

    out = Image.new("RGB", (max(s.width for s in strips), sum(s.height for s in strips)), _PAPER)
    top = 0
    for s in strips:
        out.paste(s, (0, top))
        top += s.height
    return out


class Panels(NamedTuple):
    """The three pictures of one row, and the value that has the full colour."""

    image: np.ndarray
    heat: np.ndarray
    over: np.ndarray
    most: float


#: What stands above the three.
TITLES = ("input", "attribution", "over the input")


def panels(a: Attribution, n: int, *, size: int = 224, percentile: float = 99.5) -> Panels:
    """The pictures of one row, as (H, W, 3) bytes."""
    image, values = shown_image(a, n), flat_values(a, n)
    most = scale(values, percentile)
    part = values / most
    factor = max(1, math.ceil(size / max(values.shape)))
    image = _enlarged(image, factor)
    heat = _enlarged(coloured(part, a.signed), factor)
    return Panels(image, heat, overlay(image, _enlarged(part, factor), a.signed), most)


def strip(a: Attribution, n: int, *, size: int, captions: bool, percentile: float) -> Any:
    """The pictures of one row beside each other, with a bar."""
    from PIL import Image, ImageDraw

    *shown, most = panels(a, n, size=size, percentile=percentile)
    high, wide = shown[0].shape[:2]
    font, small = _font(15), _font(12)
    numbers = _numbers(most, a.signed)
    head = (24 if captions else 0) + 20
    side = max(int(small.getlength(t)) for _, t in numbers) + _BAR + 12
    caption = a.caption(n)
    total = max(
        _GAP * 5 + wide * 3 + side, int(font.getlength(caption)) + 2 * _GAP if captions else 0
    )
    out = Image.new("RGB", (total, high + head + _GAP * 2), _PAPER)
    pen = ImageDraw.Draw(out)
    if captions:
        pen.text((_GAP, 8), caption, fill=_INK, font=font)
    top = head + 8
    for i, (panel, title) in enumerate(zip(shown, TITLES, strict=True)):
        left = _GAP + i * (wide + _GAP)
        pen.text((left, top - 18), title, fill=(92, 99, 107), font=small)
        out.paste(Image.fromarray(panel), (left, top))
        pen.rectangle((left - 1, top - 1, left + wide, top + high), outline=_LINE)
    left = _GAP + 3 * (wide + _GAP)
    steps = np.linspace(1, -1 if a.signed else 0, high)[:, None]
    bar = np.repeat(coloured(steps, a.signed), _BAR, axis=1)
    out.paste(Image.fromarray(bar), (left, top))
    pen.rectangle((left - 1, top - 1, left + _BAR, top + high), outline=_LINE)
    for at, text in numbers:
        y = top + (1 - at) * high / (2 if a.signed else 1)
        y = min(max(y - 7, top - 3), top + high - 13)
        pen.text((left + _BAR + 6, y), text, fill=_INK, font=small)
    return out


def _numbers(most: float, signed: bool) -> list[tuple[float, str]]:
    if signed:
        return [(1.0, f"+{most:.2g} for"), (0.0, "0"), (-1.0, f"-{most:.2g} against")]
    return [(1.0, f"{most:.2g}"), (0.0, "0")]


def shown_image(a: Attribution, n: int) -> np.ndarray:
    """A row of the input as (H, W, 3) bytes: stretched between its darkest and lightest value."""
    x = np.asarray(a.inputs[0][n], np.float64)
    if x.ndim == 2:
        x = x[None]
    elif a.channels == "last":
        x = np.moveaxis(x, -1, 0)
    x = x[:3] if len(x) >= 3 else x[:1]
    low, high = float(x.min()), float(x.max())
    x = (x - low) / (high - low) if high > low else np.zeros_like(x)
    x = np.moveaxis(np.broadcast_to(x, (3, *x.shape[1:])), 0, -1)
    return np.asarray(np.rint(x * 255), np.uint8)


def flat_values(a: Attribution, n: int) -> np.ndarray:
    """A number a pixel: the sum over channels; of sizes the largest."""
    v = np.asarray(a.part()[n], np.float64)
    if v.ndim == 3:
        axis = 0 if a.channels == "first" else -1
        v = v.sum(axis=axis) if a.signed else v.max(axis=axis)
    return v


def overlay(image: np.ndarray, part: np.ndarray, signed: bool) -> np.ndarray:
    """Values as colours over an image that has been made grey and pale: the more, the denser."""
    grey = image.astype(np.float64) @ np.array([0.299, 0.587, 0.114])
    pale = np.repeat((grey * 0.55 + 95)[..., None], 3, axis=-1)
    strong = np.clip(np.abs(part), 0, 1)[..., None]
    dense = np.minimum(0.92, strong**0.8)
    colours = coloured(np.sign(part) * (0.35 + 0.5 * strong[..., 0]), signed)
    return np.asarray(np.rint(pale * (1 - dense) + colours * dense), np.uint8)


def _enlarged(image: np.ndarray, factor: int) -> np.ndarray:
    return np.repeat(np.repeat(image, factor, axis=0), factor, axis=1)


def _font(size: int) -> Any:
    from PIL import ImageFont

    return ImageFont.load_default(size)
