"""Rows of data as a person reads them: pictures, series, texts, and what in them mattered.

Pictures are PNG inside the page, written here (the format is a few lines); series are SVG.
"""

from __future__ import annotations

import base64
import struct
import zlib
from collections.abc import Sequence

import numpy as np

from chainrule.explain.attribution.colours import AGAINST, FOR, scale, tint
from chainrule.explain.pages.page import escape

Array = np.ndarray


def png(pixels: Array) -> bytes:
    """Pixels of uint8, (h, w), (h, w, 3) or (h, w, 4), as a PNG file.

    >>> png(np.zeros((2, 2), np.uint8))[:8]
    b'\\x89PNG\\r\\n\\x1a\\n'
    """
    height, width = pixels.shape[:2]
    channels = 1 if pixels.ndim == 2 else pixels.shape[2]
    kind = {1: 0, 3: 2, 4: 6}[channels]
    flat = np.ascontiguousarray(pixels, np.uint8).reshape(height, width * channels)
    lines = np.concatenate([np.zeros((height, 1), np.uint8), flat], axis=1)

    def chunk(name: bytes, content: bytes) -> bytes:
        checked = name + content
        return struct.pack(">I", len(content)) + checked + struct.pack(">I", zlib.crc32(checked))

    return b"".join(
        [
            b"\x89PNG\r\n\x1a\n",
            chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, kind, 0, 0, 0)),
            chunk(b"IDAT", zlib.compress(lines.tobytes(), 9)),
            chunk(b"IEND", b""),
        ]
    )


def image_tag(pixels: Array, label: str, kind: str = "") -> str:
    """A picture inside the page."""
    data = base64.b64encode(png(pixels)).decode()
    return f'<img class="pixels {kind}" alt="{escape(label)}" src="data:image/png;base64,{data}">'


def as_image(row: Array) -> Array | None:
    """Floating-point or byte pixels (h, w) or (h, w, 3), if a row of data is one or may be seen as
    one: channels first or last, or a series of several features (a line for each step)."""
    if row.ndim == 3 and row.shape[0] in (1, 3) and row.shape[2] not in (1, 3):
        row = np.moveaxis(row, 0, -1)
    if row.ndim == 3 and row.shape[2] == 1:
        row = row[..., 0]
    picture = row.ndim == 2 and min(row.shape) > 1
    return row if picture or (row.ndim == 3 and row.shape[2] == 3) else None


def bytes_of(pixels: Array, low: float, high: float) -> Array:
    """Brightness from `low` to `high` as 0 to 255."""
    span = high - low or 1.0
    return np.clip((pixels.astype(np.float64) - low) / span * 255, 0, 255).astype(np.uint8)


def heat(values: Array) -> Array:
    """(h, w) of signed numbers as RGBA: orange speaks for, blue against; the more, the less
    transparent.
    """
    share = np.clip(np.abs(values) / scale(values), 0, 1)
    colour = np.where((values >= 0)[..., None], np.array(FOR), np.array(AGAINST))
    alpha = np.sqrt(share) * 255
    return np.concatenate([colour, alpha[..., None]], -1).astype(np.uint8)


def shown(
    row: Array,
    attributed: Array | None,
    *,
    scale: tuple[float, float],
    label: str,
    token_names: Sequence[str] | None = None,
) -> str:
    """One row of data, and beside (or in) it what was attributed to its parts."""
    pixels = as_image(row)
    if row.dtype.kind in "iu" and row.ndim == 1:
        return tokens(row, attributed, token_names)
    if pixels is not None:
        parts = [image_tag(bytes_of(pixels, *scale), label)]
        if attributed is not None:
            spread = as_image(attributed) if attributed.shape == row.shape else attributed
            if spread is not None:
                spread = spread.sum(-1) if spread.ndim == 3 else spread
                parts.append(image_tag(heat(spread), label, "heat"))
        return "".join(parts)
    flat = row.reshape(-1)
    return series(flat, None if attributed is None else attributed.reshape(-1), label)


def tokens(row: Array, attributed: Array | None, names: Sequence[str] | None) -> str:
    """Numbers of words or letters, in the colour of what each said."""
    most = scale(attributed) if attributed is not None else 1.0
    out = []
    for i, code in enumerate(row.tolist()):
        name = names[code] if names is not None and 0 <= code < len(names) else str(code)
        style = ""
        if attributed is not None:
            style = f' style="background:{tint(float(attributed[i]) / most)}"'
        text = escape(name).replace("\n", "⏎")
        out.append(f"<span class='token'{style}>{text}</span>")
    return f'<span class="tokens">{"".join(out)}</span>'


def series(values: Array, attributed: Array | None, label: str) -> str:
    """Numbers one beside the other as bars, in the colour of what each said."""
    n = len(values)
    width, height = 240.0, 72.0
    low, high = min(float(values.min(initial=0)), 0.0), max(float(values.max(initial=0)), 0.0)
    span = (high - low) or 1.0
    zero = height * high / span
    step = width / max(n, 1)
    most = scale(attributed) if attributed is not None else 1.0
    bars = []
    for i, v in enumerate(values.tolist()):
        top = height * (high - max(v, 0)) / span
        tall = height * abs(v) / span
        fill = "var(--muted)"
        if attributed is not None:
            share = float(attributed[i]) / most
            r, g, b = FOR if share >= 0 else AGAINST
            fill = f"rgba({r},{g},{b},{0.15 + 0.85 * min(abs(share), 1):.2f})"
        bars.append(
            f'<rect x="{i * step:.1f}" y="{top:.1f}" width="{max(step - 0.6, 0.4):.1f}" '
            f'height="{max(tall, 0.6):.1f}" fill="{fill}"/>'
        )
    return (
        f'<svg class="series" role="img" aria-label="{escape(label)}" '
        f'viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" height="{height:.0f}">'
        f'{"".join(bars)}<path d="M0 {zero:.1f}H{width:.0f}" stroke="var(--line)"/></svg>'
    )
