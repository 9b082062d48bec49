"""The innermost loops: sums in registers over K.

    for k:  v₀ v₁ … ← NV vectors of V at k;  for each row r:  s ← S[r, k];  sum[r, j] += s · v_j

Written once per tile shape; a golden test shows it as text.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from chainrule.schedule.build import Builder
from chainrule.schedule.loops import Buffer, Register, Value


class Steps(NamedTuple):
    """One loop of K, and how far a step moves in V and in S. It has size · times steps."""

    size: Value | int
    v: int
    s: int
    times: int = 1


class Vectors(NamedTuple):
    """Where the vectors of V are at the first k."""

    buffer: Buffer
    at: tuple[Value, ...]
    mask: Value | None  # of the last one


class Numbers(NamedTuple):
    """Where the number of row 0 is at the first k, and how far the next row is."""

    buffer: Buffer
    at: Value
    pitch: int


#: An innermost loop of at most so many steps is written out.
_WRITTEN_OUT = 4


def joined(steps: Sequence[Steps]) -> list[Steps]:
    """Loops that are one, as one; the first may have a count that is not known."""
    done: list[Steps] = []
    for s in steps:
        if s.size == 1:
            continue
        if done and isinstance(s.size, int):
            last, size = done[-1], s.size * s.times
            if last.v == s.v * size and last.s == s.s * size:
                done[-1] = Steps(last.size, s.v, s.s, last.times * size)
                continue
        done.append(s)
    return done


def multiply(
    b: Builder,
    rows: int,
    lanes: int,
    steps: Sequence[Steps],
    v: Vectors,
    s: Numbers,
    kind: str,
    fused: bool,
) -> list[list[Register]]:
    """The sums, as [row][vector]."""
    zero = b.const(0.0, kind, lanes)
    sums = [[b.register(zero) for _ in v.at] for _ in range(rows)]

    def number(at: Value, r: int) -> Value:
        loaded = b.load(s.buffer, b.add(b.add(s.at, at), r * s.pitch))
        return b.splat(b.cast(loaded, kind), lanes)

    def vector(at: Value, j: int) -> Value:
        mask = v.mask if j == len(v.at) - 1 else None
        return b.cast(b.load(v.buffer, b.add(v.at[j], at), lanes, mask), kind)

    def add(r: int, j: int, x: Value, y: Value) -> None:
        old = b.get(sums[r][j])
        b.set(sums[r][j], b.fma(x, y, old) if fused else b.add(old, b.mul(x, y)))

    def one(at_v: Value, at_s: Value) -> None:
        # what is fewer is held in registers; the others pass through one
        if rows < len(v.at):
            held = [number(at_s, r) for r in range(rows)]
            for j in range(len(v.at)):
                y = vector(at_v, j)
                for r in range(rows):
                    add(r, j, held[r], y)
            return
        held = [vector(at_v, j) for j in range(len(v.at))]
        for r in range(rows):
            x = number(at_s, r)
            for j in range(len(v.at)):
                add(r, j, x, held[j])

    def loops(rest: Sequence[Steps], at_v: Value, at_s: Value) -> None:
        if not rest:
            one(at_v, at_s)
            return
        here = rest[0]
        stop = b.mul(b.value(here.size, "i64"), here.times)
        if len(rest) == 1 and len(ks) > 1 and stop.is_const and stop.number <= _WRITTEN_OUT:
            for i in range(stop.number):
                loops((), b.add(at_v, i * here.v), b.add(at_s, i * here.s))
            return
        with b.loop(0, stop) as k:
            loops(rest[1:], b.add(at_v, b.mul(k, here.v)), b.add(at_s, b.mul(k, here.s)))

    ks = joined(steps)
    start = b.const(0, "i64")
    loops(ks, start, start)
    return sums
