"""PNG files without Pillow: written from bytes (H, W) or (H, W, 3) (ISO/IEC 15948)."""

from __future__ import annotations

import struct
import zlib

import numpy as np

from chainrule.vision.images import Array

#: Channels → PNG's number for the kind of colour.
_COLOURS = {1: 0, 2: 4, 3: 2, 4: 6}


def encoded(pixels: Array, level: int = 6) -> bytes:
    """The file of an image (H, W) or (H, W, C) of bytes with 1 to 4 channels."""
    pixels = pixels[..., None] if pixels.ndim == 2 else pixels
    height, width, channels = pixels.shape
    rows = np.ascontiguousarray(pixels).reshape(height, width * channels)
    lines = np.zeros((height, 1 + width * channels), np.uint8)  # each begins with 0: no filter
    lines[:, 1:] = rows
    head = struct.pack(">IIBBBBB", width, height, 8, _COLOURS[channels], 0, 0, 0)
    body = zlib.compress(lines.tobytes(), level)
    parts = _chunk(b"IHDR", head), _chunk(b"IDAT", body), _chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
