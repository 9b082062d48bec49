"""Hashes of bytes that are the same on every machine and in TensorFlow: for buckets of strings.

FarmHash's Fingerprint64 (Google, 2014), SipHash-2-4 (Aumasson and Bernstein, 2012), and the way in
which TensorFlow joins two fingerprints. Plain Python over whole numbers of 64 bits: a bucket is
looked up once for each different string.
"""

from __future__ import annotations

import struct

_ALL = 0xFFFFFFFFFFFFFFFF
_K0, _K1, _K2 = 0xC3A5C85C97CB3127, 0xB492B66FBE98F273, 0x9AE16A3B2F90404F


def fingerprint64(data: bytes) -> int:
    """FarmHash's fingerprint: 64 bits.

    >>> fingerprint64(b"") == 0x9AE16A3B2F90404F
    True
    """
    n = len(data)
    if n <= 16:
        return _short(data, n)
    if n <= 32:
        return _up_to_32(data, n)
    return _up_to_64(data, n) if n <= 64 else _long(data, n)


def concatenated(first: int, second: int) -> int:
    """One fingerprint of two, as TensorFlow crosses features."""
    multiplier = 0xC6A4A7935BD1E995
    value = first ^ multiplier
    value ^= _shift(second * multiplier & _ALL) * multiplier & _ALL
    value = value * multiplier & _ALL
    return _shift(_shift(value) * multiplier & _ALL)


def siphash(data: bytes, key: tuple[int, int]) -> int:
    """SipHash-2-4 with a key of two whole numbers: 64 bits.

    >>> hex(siphash(bytes(range(15)), (0x0706050403020100, 0x0F0E0D0C0B0A0908)))
    '0xa129ca6149be45e5'
    """
    k0, k1 = (k & _ALL for k in key)
    v = [k0 ^ 0x736F6D6570736575, k1 ^ 0x646F72616E646F6D,
         k0 ^ 0x6C7967656E657261, k1 ^ 0x7465646279746573]  # fmt: skip
    whole = len(data) // 8 * 8
    last = int.from_bytes(data[whole:], "little") | (len(data) & 0xFF) << 56
    for word in (*struct.unpack(f"<{whole // 8}Q", data[:whole]), last):
        v[3] ^= word
        _rounds(v, 2)
        v[0] ^= word
    v[2] ^= 0xFF
    _rounds(v, 4)
    return v[0] ^ v[1] ^ v[2] ^ v[3]


def _rounds(v: list[int], count: int) -> None:
    a, b, c, d = v
    for _ in range(count):
        a = a + b & _ALL
        c = c + d & _ALL
        b, d = _left(b, 13) ^ a, _left(d, 16) ^ c
        a = _left(a, 32) + d & _ALL
        c = c + b & _ALL
        b, d = _left(b, 17) ^ c, _left(d, 21) ^ a
        c = _left(c, 32)
    v[:] = a, b, c, d


def _left(x: int, n: int) -> int:
    return (x << n | x >> (64 - n)) & _ALL


def _right(x: int, n: int) -> int:
    return _left(x & _ALL, 64 - n)


def _word(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 8], "little")


def _shift(x: int) -> int:
    return x ^ x >> 47


def _mix(u: int, v: int, multiplier: int) -> int:
    """16 bytes to 8."""
    a = _shift((u ^ v) * multiplier & _ALL)
    b = _shift(((v ^ a) & _ALL) * multiplier & _ALL)
    return b * multiplier & _ALL


def _short(data: bytes, n: int) -> int:
    multiplier = _K2 + 2 * n & _ALL
    if n >= 8:
        a, b = _word(data, 0) + _K2 & _ALL, _word(data, n - 8)
        c = _right(b, 37) * multiplier + a & _ALL
        d = (_right(a, 25) + b) * multiplier & _ALL
        return _mix(c, d, multiplier)
    if n >= 4:
        first, last = (int.from_bytes(part, "little") for part in (data[:4], data[n - 4 :]))
        return _mix(n + (first << 3), last, multiplier)
    if n > 0:
        y = data[0] + (data[n >> 1] << 8)
        z = n + (data[n - 1] << 2)
        return _shift((y * _K2 ^ z * _K0) & _ALL) * _K2 & _ALL
    return _K2


def _up_to_32(data: bytes, n: int) -> int:
    multiplier = _K2 + 2 * n & _ALL
    a, b = _word(data, 0) * _K1 & _ALL, _word(data, 8)
    c, d = _word(data, n - 8) * multiplier & _ALL, _word(data, n - 16) * _K2 & _ALL
    first = _right(a + b, 43) + _right(c, 30) + d & _ALL
    return _mix(first, a + _right(b + _K2, 18) + c & _ALL, multiplier)


def _up_to_64(data: bytes, n: int) -> int:
    multiplier = _K2 + 2 * n & _ALL
    a, b = _word(data, 0) * _K2 & _ALL, _word(data, 8)
    c, d = _word(data, n - 8) * multiplier & _ALL, _word(data, n - 16) * _K2 & _ALL
    y = _right(a + b, 43) + _right(c, 30) + d & _ALL
    z = _mix(y, a + _right(b + _K2, 18) + c & _ALL, multiplier)
    e, f = _word(data, 16) * multiplier & _ALL, _word(data, 24)
    g = (y + _word(data, n - 32)) * multiplier & _ALL
    h = (z + _word(data, n - 24)) * multiplier & _ALL
    first = _right(e + f, 43) + _right(g, 30) + h & _ALL
    return _mix(first, e + _right(f + a, 18) + g & _ALL, multiplier)


def _weak(data: bytes, at: int, a: int, b: int) -> tuple[int, int]:
    """32 bytes and two seeds to 16 bytes."""
    w, x, y, z = struct.unpack_from("<4Q", data, at)
    a = a + w & _ALL
    b = _right(b + a + z, 21)
    c = a
    a = a + x + y & _ALL
    b = b + _right(a, 44) & _ALL
    return a + z & _ALL, b + c & _ALL


def _long(data: bytes, n: int) -> int:
    x, y = 81, 81 * _K1 + 113 & _ALL
    z = _shift(y * _K2 + 113 & _ALL) * _K2 & _ALL
    v, w = (0, 0), (0, 0)
    x = x * _K2 + _word(data, 0) & _ALL
    for at in range(0, (n - 1) // 64 * 64, 64):
        x = _right(x + y + v[0] + _word(data, at + 8), 37) * _K1 & _ALL
        y = _right(y + v[1] + _word(data, at + 48), 42) * _K1 & _ALL
        x ^= w[1]
        y = y + v[0] + _word(data, at + 40) & _ALL
        z = _right(z + w[0], 33) * _K1 & _ALL
        v = _weak(data, at, v[1] * _K1 & _ALL, x + w[0])
        w = _weak(data, at + 32, z + w[1], y + _word(data, at + 16))
        z, x = x, z
    multiplier = _K1 + ((z & 0xFF) << 1) & _ALL
    at = n - 64
    w = (w[0] + ((n - 1) & 63) & _ALL, w[1])
    v = (v[0] + w[0] & _ALL, v[1])
    w = (w[0] + v[0] & _ALL, w[1])
    x = _right(x + y + v[0] + _word(data, at + 8), 37) * multiplier & _ALL
    y = _right(y + v[1] + _word(data, at + 48), 42) * multiplier & _ALL
    x ^= w[1] * 9 & _ALL
    y = y + v[0] * 9 + _word(data, at + 40) & _ALL
    z = _right(z + w[0], 33) * multiplier & _ALL
    v = _weak(data, at, v[1] * multiplier & _ALL, x + w[0])
    w = _weak(data, at + 32, z + w[1], y + _word(data, at + 16))
    z, x = x, z
    first = _mix(v[0], w[0], multiplier) + _shift(y) * _K0 + z & _ALL
    return _mix(first, _mix(v[1], w[1], multiplier) + x & _ALL, multiplier)
