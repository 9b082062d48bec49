"""The two formats that an event file is made of.

file     =  record*
record   =  u64 length, u32 crc(length), bytes, u32 crc(bytes)       little endian
crc(x)   =  rotate right by 15 of CRC-32C(x), plus 0xa282ead8        ("masked")

bytes    =  a message of Protocol Buffers: fields one after another
field    =  varint(8 · number + kind), payload
kind       0 varint   1 eight bytes (double)   2 varint length, bytes   5 four bytes (float)
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import IO

_POLYNOMIAL = 0x82F63B78


def _row(byte: int) -> int:
    for _ in range(8):
        byte = (byte >> 1) ^ (_POLYNOMIAL if byte & 1 else 0)
    return byte


_TABLE = [_row(byte) for byte in range(256)]


def crc32c(data: bytes) -> int:
    """The checksum of Castagnoli.

    >>> hex(crc32c(b"123456789"))
    '0xe3069283'
    """
    crc = 0xFFFFFFFF
    for byte in data:
        crc = _TABLE[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    return crc ^ 0xFFFFFFFF


def masked(data: bytes) -> int:
    """The checksum as records have it."""
    crc = crc32c(data)
    return (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF


class RecordWriter:
    """Appends records to a file."""

    def __init__(self, path: str) -> None:
        self._file: IO[bytes] = open(path, "wb")  # noqa: SIM115  it stays open until close()

    def write(self, data: bytes) -> None:
        """One record."""
        length = struct.pack("<Q", len(data))
        checks = struct.pack("<I", masked(length)), struct.pack("<I", masked(data))
        self._file.write(length + checks[0] + data + checks[1])

    def flush(self) -> None:
        """Let readers see what was written."""
        self._file.flush()

    def close(self) -> None:
        """No more."""
        self._file.close()


# ------------------------------------------------------------------ messages


def varint(n: int) -> bytes:
    """An integer, seven bits a byte, the lowest first.

    >>> varint(300)
    b'\\xac\\x02'
    """
    n &= 0xFFFFFFFFFFFFFFFF
    out = bytearray()
    while n > 0x7F:
        out.append(n & 0x7F | 0x80)
        n >>= 7
    out.append(n)
    return bytes(out)


def integer(number: int, value: int) -> bytes:
    """A field of kind 0."""
    return varint(number << 3) + varint(value)


def double(number: int, value: float) -> bytes:
    """A field of kind 1."""
    return varint(number << 3 | 1) + struct.pack("<d", value)


def single(number: int, value: float) -> bytes:
    """A field of kind 5."""
    return varint(number << 3 | 5) + struct.pack("<f", value)


def block(number: int, value: bytes | str) -> bytes:
    """A field of kind 2: a text, bytes or a message."""
    data = value.encode("utf-8") if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(data)) + data


def doubles(number: int, values: Iterable[float]) -> bytes:
    """A field of kind 2: many doubles."""
    numbers = list(values)
    return block(number, struct.pack(f"<{len(numbers)}d", *numbers))
