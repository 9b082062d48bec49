"""Transposing in registers: tiles of W × W numbers, read along one axis and used along the other.

    for %i in 0 .. 64:                          for %i in 0 .. 64 step 8:
      for %j in 0 .. 96 vector:                   for %j in 0 .. 96 step 8:
        load x[64·j + i]                   →        8 loads x[64·(j + k) + i] of 8 neighbours,
        store y[96·i + j]                           24 shuffles,
                                                    8 stores y[96·(i + k) + j] of 8 neighbours

A gather reads W places for W numbers; here every load reads W numbers. `vectorise` asks `crossed`
whether a pair of loops is of this kind, and then writes blocks of W iterations of the outer loop
side by side.
"""

from __future__ import annotations

from chainrule.schedule.build import Builder
from chainrule.schedule.loops import SIZE, For, Let, Store, Value, statements

#: More operations than this in a tile's element are not written W times.
_EFFORT = 8


def transpose_tile(b: Builder, rows: list[Value]) -> list[Value]:
    """W rows of W numbers as W columns: lane l of result k is lane k of row l.

    Pieces of 16 bytes are interleaved (shuffles that processors do in one cycle), then exchanged:

        a b · c d   →   a c · b d            W · log₂ W shuffles
    """
    n = len(rows)
    if n == 1:
        return rows
    inside = min(n, 16 // SIZE[rows[0].type.kind])
    rows = list(rows)
    unit = 1
    while unit < inside:
        low, high = (_interleaved(n, inside, unit, half) for half in (0, 1))
        for i in (i for i in range(n) if not i & unit):
            x, y = rows[i], rows[i + unit]
            rows[i], rows[i + unit] = b.shuffle(x, y, low), b.shuffle(x, y, high)
        unit *= 2
    rows = [rows[k - k % inside + _reversed(k % inside, inside)] for k in range(n)]
    h = inside
    while h < n:
        left = tuple(l if not l & h else n + l - h for l in range(n))
        right = tuple(l + h if not l & h else n + l for l in range(n))
        for i in (i for i in range(n) if not i & h):
            x, y = rows[i], rows[i + h]
            rows[i], rows[i + h] = b.shuffle(x, y, left), b.shuffle(x, y, right)
        h *= 2
    return rows


def _interleaved(n: int, inside: int, unit: int, half: int) -> tuple[int, ...]:
    """Units of a and b in turn, of the lower or upper half of each piece."""
    lanes = []
    for lane in range(n):
        piece, at = lane - lane % inside, lane % inside
        turn, within = divmod(at, unit)
        source = turn // 2 * unit + half * inside // 2 + within
        lanes.append(piece + source + (n if turn % 2 else 0))
    return tuple(lanes)


def _reversed(k: int, n: int) -> int:
    """The bits of k < n in reverse."""
    turned = 0
    while n > 1:
        turned, k, n = turned * 2 + k % 2, k // 2, n // 2
    return turned


def coefficient(v: Value, variable: Value) -> int | None:
    """How much an index grows with a variable; None: not evenly."""
    if v is variable:
        return 1
    if not v.args:
        return 0 if v.op in ("const", "variable") else None
    parts = [coefficient(a, variable) for a in v.args]
    if all(p == 0 for p in parts):
        return 0
    if v.op not in ("add", "sub", "mul") or v.type.kind != "i64":
        return None
    p, q = parts
    if p is None or q is None:
        return None
    if v.op == "mul":
        x, y = v.args
        return p * y.number if y.is_const else q * x.number if x.is_const else None
    return p + q if v.op == "add" else p - q


def crossed(outer: For) -> tuple[For, frozenset[Value]] | None:
    """The inner loop of a pair, and its loads of neighbours along the outer one; None: no such pair.
    """
    loops = [s for s in outer.body if isinstance(s, For)]
    others = [s for s in outer.body if not isinstance(s, For | Let)]
    if len(loops) != 1 or others or outer.step != 1 or loops[0].note != "vector":
        return None
    (inner,) = loops
    if inner.step != 1 or coefficient(inner.start, outer.variable) != 0:
        return None
    if coefficient(inner.stop, outer.variable) != 0:
        return None
    found = set()
    for s in inner.body:
        if not isinstance(s, Let | Store):
            return None
        if isinstance(s, Let) and s.value.op == "load" and len(s.value.args) == 1:
            (index,) = s.value.args
            far = coefficient(index, inner.variable)
            near = coefficient(index, outer.variable)
            if near == 1 and far is not None and abs(far) > 1:
                found.add(s.value)
    effort = sum(isinstance(s, Store) or s.value.type.kind != "i64" for s in statements(inner.body))
    return (inner, frozenset(found)) if found and effort <= _EFFORT else None
