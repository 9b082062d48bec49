"""Random numbers as a function of (seed, position): no hidden state, the same on every backend and
thread count.

Philox4x32-10 (Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011).
"""

from __future__ import annotations

import numpy as np

from chainrule import dtypes
from chainrule.dtypes import DType
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


def blocks(shape: Shape, dtype: DType) -> int:
    """How many Philox counters `random_uniform` uses up: 4 floats, or 2 doubles, come from one."""
    per = 2 if dtype is dtypes.float64 else 4
    return -(-size(shape) // per)


@primitive(
    lambda state, *, offset, shape, dtype: TensorType(shape, dtype),
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
    """Uniform numbers in [0, 1): state = int64[2] of (key, position); block i comes from counter
    position + offset + i.

    24 random bits for float32 (and what is smaller), 53 for float64, so every value is exact.
    """
    n = size(shape)
    key, position = (int(v) & 0xFFFFFFFFFFFFFFFF for v in state)
    first = np.uint64((position + offset) & 0xFFFFFFFFFFFFFFFF)
    counter = first + np.arange(blocks(shape, dtype), dtype=np.uint64)
    words = philox(key, counter)
    if dtype is dtypes.float64:
        pairs = [(words[i] << _32 | words[i + 1]) >> np.uint64(11) for i in (0, 2)]
        u = np.stack(pairs, -1).reshape(-1)[:n] * 2.0**-53
        return u.reshape(shape)
    bits = 24 if dtype is dtypes.float32 else (11 if dtype is dtypes.float16 else 8)
    u = (np.stack(words, -1).reshape(-1)[:n] >> np.uint64(32 - bits)).astype(np.float32)
    return (u * np.float32(2.0**-bits)).reshape(shape).astype(dtype.np)


def random_normal(state: Node, *, offset: int, shape: Shape, dtype: DType) -> Node:
    """Standard normal numbers by Box and Muller: r cos θ and r sin θ, r = √(−2 log(1 − u)), θ = 2π
    v.
    """
    wide = dtypes.float64 if dtype is dtypes.float64 else dtypes.float32
    n = size(shape)
    half = -(-n // 2)
    u = random_uniform(state, offset=offset, shape=(2, half), dtype=wide)
    r = sqrt(log(1 - narrow(u, 0, 0, 1)) * -2.0)
    angle = narrow(u, 0, 1, 1) * 6.283185307179586
    both = reshape(cat(r * cos(angle), r * sin(angle), axis=0), shape=(2 * half,))
    return cast(reshape(narrow(both, 0, 0, n), shape=shape), dtype)


def normal_blocks(shape: Shape, dtype: DType) -> int:
    """How many counters `random_normal` uses up."""
    wide = dtypes.float64 if dtype is dtypes.float64 else dtypes.float32
    return blocks((2, -(-size(shape) // 2)), wide)


def random_integers(
    state: Node, *, offset: int, low: int, high: int, shape: Shape, dtype: DType
) -> Node:
    """Integers in [low, high), by ⌊u (high − low)⌋ from 53 bits."""
    u = random_uniform(state, offset=offset, shape=shape, dtype=dtypes.float64)
    return cast(cast(floor(u * float(high - low)), dtypes.int64) + low, dtype)
