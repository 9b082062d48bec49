"""Random numbers as a function of (seed, position): no hidden state, the same on every backend and
thread count.

Philox4x32-10 (Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011).
"""

from __future__ import annotations

import numpy as np

from chainrule import dtypes
from chainrule.dtypes import DType
from chainrule.ir.cost import nothing
from chainrule.ir.node import Node, TensorType
from chainrule.ir.op import Domain
from chainrule.ops.core import cast, primitive
from chainrule.ops.elementwise import cos, floor, log, sin, sqrt
from chainrule.ops.movement import cat, narrow, reshape
from chainrule.shapes import Shape, size

_M0, _M1 = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
_W0, _W1 = 0x9E3779B9, 0xBB67AE85
_LOW = np.uint64(0xFFFFFFFF)
_32 = np.uint64(32)
_CHUNK = 1 << 14


def philox(key: int, counter: np.ndarray, stream: int = 0) -> tuple[np.ndarray, ...]:
    """Four 32-bit words (in uint64) for every 64-bit counter, under a 64-bit key."""
    if counter.ndim == 1 and counter.size > _CHUNK:  # ten rounds over what fits into the cache
        parts = [counter[i : i + _CHUNK] for i in range(0, counter.size, _CHUNK)]
        words = zip(*(philox(key, part, stream) for part in parts), strict=True)
        return tuple(np.concatenate(w) for w in words)
    c0, c1 = counter & _LOW, counter >> _32
    c2 = np.full_like(c0, stream & 0xFFFFFFFF)
    c3 = np.full_like(c0, (stream >> 32) & 0xFFFFFFFF)
    k0, k1 = key & 0xFFFFFFFF, (key >> 32) & 0xFFFFFFFF
    for _ in range(10):
        p0, p1 = _M0 * c0, _M1 * c2
        c0, c1, c2, c3 = (
            (p1 >> _32) ^ c1 ^ np.uint64(k0),
            p1 & _LOW,
            (p0 >> _32) ^ c3 ^ np.uint64(k1),
            p0 & _LOW,
        )
        k0, k1 = (k0 + _W0) & 0xFFFFFFFF, (k1 + _W1) & 0xFFFFFFFF
    return c0, c1, c2, c3


#: Blocks that are drawn together: see `random_uniform`.
LANES = 16


def blocks(shape: Shape, dtype: DType) -> int:
    """How many Philox counters `random_uniform` uses up: 4 floats, or 2 doubles, come from one, and
    16 are drawn together.
    """
    per = 2 if dtype is dtypes.float64 else 4
    return -(-size(shape) // (per * LANES)) * LANES


@primitive(
    lambda state, *, offset, shape, dtype: TensorType(shape, dtype),
    flops=nothing,
    tex=r"U[0, 1)",
    wide=False,
    domain=Domain(
        99,
        dtypes="int",
        order=0,
        cases=[
            ((2,), {"offset": 3, "shape": (2, 5), "dtype": d})
            for d in dtypes.ALL
            if d.is_floating_point
        ],
    ),
)
def random_uniform(state: np.ndarray, *, offset: int, shape: Shape, dtype: DType) -> np.ndarray:
    """Uniform numbers in [0, 1): state = int64[2] of (key, position); block j comes from counter
    position + offset + j.

    24 random bits for float32 (and what is smaller), 53 for float64, so every value is exact.

    Numbers are dealt in groups, so that vectors of up to 16 lanes compute each block once: of 16
    blocks, the first words are the first 16 numbers, the second words the next 16, and so on.
    Element i is word (i // 16) % 4 of block (i // 64) · 16 + i % 16. A float64 is made of two
    words, so there it is pair (i // 16) % 2 of block (i // 32) · 16 + i % 16.
    """
    n = size(shape)
    key, position = (int(v) & 0xFFFFFFFFFFFFFFFF for v in state)
    first = np.uint64((position + offset) & 0xFFFFFFFFFFFFFFFF)
    counter = first + np.arange(blocks(shape, dtype), dtype=np.uint64)
    words = [w.reshape(-1, LANES) for w in philox(key, counter)]
    if dtype is dtypes.float64:
        pairs = [(words[i] << _32 | words[i + 1]) >> np.uint64(11) for i in (0, 2)]
        u = np.stack(pairs, 1).reshape(-1)[:n] * 2.0**-53
        return u.reshape(shape)
    bits = 24 if dtype is dtypes.float32 else (11 if dtype is dtypes.float16 else 8)
    u = (np.stack(words, 1).reshape(-1)[:n] >> np.uint64(32 - bits)).astype(np.float32)
    return (u * np.float32(2.0**-bits)).reshape(shape).astype(dtype.np)


def random_normal(state: Node, *, offset: int, shape: Shape, dtype: DType) -> Node:
    """Standard normal numbers by Box and Muller: r cos θ and r sin θ, r = √(−2 log(1 − u)), θ = 2π
    v.
    """
    wide, half = _halved(shape, dtype)
    u = random_uniform(state, offset=offset, shape=half, dtype=wide)
    v = random_uniform(state, offset=offset + blocks(half, wide), shape=half, dtype=wide)
    r = sqrt(log(1 - u) * -2.0)
    angle = v * 6.283185307179586
    both = cat(r * cos(angle), r * sin(angle), axis=0)
    return cast(reshape(narrow(both, 0, 0, size(shape)), shape=shape), dtype)


def normal_blocks(shape: Shape, dtype: DType) -> int:
    """How many counters `random_normal` uses up."""
    wide, half = _halved(shape, dtype)
    return 2 * blocks(half, wide)


def _halved(shape: Shape, dtype: DType) -> tuple[DType, Shape]:
    """Normal numbers come in pairs."""
    wide = dtypes.float64 if dtype is dtypes.float64 else dtypes.float32
    return wide, (-(-size(shape) // 2),)


def random_integers(
    state: Node, *, offset: int, low: int, high: int, shape: Shape, dtype: DType
) -> Node:
    """Integers in [low, high), by ⌊u (high − low)⌋ from 53 bits."""
    u = random_uniform(state, offset=offset, shape=shape, dtype=dtypes.float64)
    return cast(cast(floor(u * float(high - low)), dtypes.int64) + low, dtype)
