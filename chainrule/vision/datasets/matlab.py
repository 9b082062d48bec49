"""Numbers in MATLAB's `.mat` files of version 5 ("MAT-File Format", The MathWorks)."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from chainrule.errors import DataError
from chainrule.vision.images import Array

#: miXXX: the type of elements as they are stored.
_STORED = {
    1: "i1",
    2: "u1",
    3: "i2",
    4: "u2",
    5: "i4",
    6: "u4",
    7: "f4",
    9: "f8",
    12: "i8",
    13: "u8",
}
#: mxXXX_CLASS: the type of the array that they stand for.
_ARRAYS = {
    6: "f8",
    7: "f4",
    8: "i1",
    9: "u1",
    10: "i2",
    11: "u2",
    12: "i4",
    13: "u4",
    14: "i8",
    15: "u8",
}
_MATRIX, _COMPRESSED = 14, 15


def load_mat(path: Path) -> dict[str, Array]:
    """The arrays of numbers in a `.mat` file by their names; structures and texts are left out.

    Raises `DataError` for anything but version 5 (which MATLAB's `-v6` and `-v7` write).
    """
    data = path.read_bytes()
    if len(data) < 128 or data[126:128] not in (b"IM", b"MI"):
        raise DataError(f"{path} is no MATLAB file of version 5")
    order = "<" if data[126:128] == b"IM" else ">"
    found: dict[str, Array] = {}
    try:
        for kind, body in _elements(data[128:], order):
            if kind == _COMPRESSED:
                kind, body = next(_elements(zlib.decompress(body), order))
            if kind == _MATRIX:
                name, array = _matrix(body, order)
                if array is not None:
                    found[name] = array
    except (struct.error, zlib.error, StopIteration, ValueError, IndexError) as error:
        raise DataError(f"{path} is damaged: {error}") from error
    return found


def _elements(data: bytes, order: str) -> Any:
    """(type, body) of one element after the other. A short one has both in eight bytes."""
    at = 0
    while at + 8 <= len(data):
        kind, length = struct.unpack_from(f"{order}II", data, at)
        if kind >> 16:  # length and type in one word, four bytes of body
            yield kind & 0xFFFF, data[at + 4 : at + 4 + (kind >> 16)]
            at += 8
            continue
        yield kind, data[at + 8 : at + 8 + length]
        at += 8 + length + (0 if kind == _COMPRESSED else -length % 8)


def _matrix(body: bytes, order: str) -> tuple[str, Array | None]:
    parts = _elements(body, order)
    _, flags = next(parts)
    what = struct.unpack_from(f"{order}I", flags)[0] & 0xFF
    _, sizes = next(parts)
    shape = np.frombuffer(sizes, f"{order}i4")
    _, name = next(parts)
    if what not in _ARRAYS:
        return name.decode(), None
    kind, numbers = next(parts)
    flat = np.frombuffer(numbers, order + _STORED[kind]).astype(_ARRAYS[what])
    return name.decode(), flat.reshape(tuple(shape), order="F")
