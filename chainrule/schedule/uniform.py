"""Uniform random numbers in the loop that consumes them: `ops.random_uniform` in the Loop IR.

Philox4x32-10 (Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011)
on numbers of 64 bits that hold words of 32: the widening product is then one instruction per
vector on every processor.

    element i of float32   word (i / 16) % 4 of block (i / 64) · 16 + i % 16

So the 64 elements of a group take 16 blocks. A loop over groups that writes elements 16 apart one
after another (`nests.py`) computes each block once, because the Builder finds it again; a loop over
single elements computes a block for each.
"""

from __future__ import annotations

from chainrule.schedule.build import Builder
from chainrule.schedule.loops import Value

_M0, _M1 = 0xD2511F53, 0xCD9E8D57
_W0, _W1 = 0x9E3779B9, 0xBB67AE85
_LOW = 0xFFFFFFFF

#: Bits of a number, and words that it is made of.
_BITS = {"f16": 11, "bf16": 8, "f32": 24}


def philox(b: Builder, key: Value, counter: Value) -> tuple[Value, Value, Value, Value]:
    """Four words, each a u64 below 2³², for every 64-bit counter under a 64-bit key (both of an
    integer kind of 64 bits).
    """
    k, n = b.bitcast(key, "u64"), b.bitcast(counter, "u64")
    k0, k1 = b.op("and", k, _LOW), b.op("shr", k, 32)
    c0, c1 = b.op("and", n, _LOW), b.op("shr", n, 32)
    c2 = c3 = b.const(0, "u64", n.type.lanes)
    for turn in range(10):
        # Keys are the same for all lanes: what is added to them is done once, outside.
        r0 = b.op("and", b.add(k0, turn * _W0), _LOW)
        r1 = b.op("and", b.add(k1, turn * _W1), _LOW)
        p0, p1 = b.mul(c0, _M0), b.mul(c2, _M1)
        c0, c1, c2, c3 = (
            b.op("xor", b.op("xor", b.op("shr", p1, 32), c1), r0),
            b.op("and", p1, _LOW),
            b.op("xor", b.op("xor", b.op("shr", p0, 32), c3), r1),
            b.op("and", p0, _LOW),
        )
    return c0, c1, c2, c3


def words_of(kind: str) -> int:
    """How many words of 32 bits a number of this kind takes."""
    return 2 if kind == "f64" else 1


def number(b: Builder, kind: str, *words: Value) -> Value:
    """A number in [0, 1) from one word, or from two (f64)."""
    if kind == "f64":
        high, low = words
        whole = b.sub(_float(b, high), 2.0**52)
        rest = b.sub(_float(b, b.op("shr", low, 11)), 2.0**52)
        return b.fma(whole, 2.0**-32, b.mul(rest, 2.0**-53))
    bits = _BITS[kind]
    small = b.cast(b.cast(b.op("shr", words[0], 32 - bits), "i32"), "f32")
    return b.cast(b.mul(small, 2.0**-bits), kind)


def _float(b: Builder, x: Value) -> Value:
    """2⁵² + x for x < 2⁵², by putting x into the fraction."""
    return b.bitcast(b.op("or", x, 0x433 << 52), "f64")


def dealt(b: Builder, kind: str, key: Value, counter: Value, place: Value) -> Value:
    """Number `place` (0 … 3, of f64 0 or 1; any lanes) of the blocks of some counters. A place that
    is constant costs no choice.
    """
    take = words_of(kind)
    words = philox(b, key, counter)
    chosen = list(words[4 - take :])
    for w in range(4 // take - 2, -1, -1):
        here = b.op("eq", place, w)
        chosen = [b.select(here, words[w * take + j], c) for j, c in enumerate(chosen)]
    return number(b, kind, *chosen)
