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

from typing import NamedTuple

from chainrule.schedule.build import Builder
from chainrule.schedule.loops import SIZE, For, If, Let, Statement, Store, Value, statements

#: With more loads and stores than this, a tile does not stay in registers.
_MEMORY = 4


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
        left = tuple(k if not k & h else n + k - h for k in range(n))
        right = tuple(k + h if not k & h else n + k for k in range(n))
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


class Pair(NamedTuple):
    """Two loops, and the loads of the inner one that read neighbours along the outer one."""

    outer: For
    inner: For
    loads: frozenset[Value]


def crossed(outer: For) -> Pair | None:
    """The pair of loops whose steps can be taken in tiles, if it is one.

    Nothing that is written may be read, and each pair of steps writes its own places.
    """
    inner = next((s for s in outer.body if isinstance(s, For)), None)
    if inner is None or inner.note != "vector" or {outer.step, inner.step} != {1}:
        return None
    if any(not isinstance(s, Let) for s in outer.body if s is not inner):
        return None
    if any(isinstance(s, For | If) for s in inner.body):
        return None
    loads = {s.value for s in statements(outer.body) if isinstance(s, Let) and s.value.op == "load"}
    stores = [s for s in inner.body if isinstance(s, Store)]
    if any(v.attrs[0].role != "in" for v in loads) or len(stores) + len(loads) > _MEMORY:
        return None
    if not all(isinstance(s, Let | Store) and _apart(s, outer, inner) for s in inner.body):
        return None
    found = set()
    for v in loads:
        near, far = (coefficient(v.args[0], s.variable) for s in (outer, inner))
        if len(v.args) == 1 and near == 1 and far is not None and abs(far) > 1:
            found.add(v)
    return Pair(outer, inner, frozenset(found)) if found else None


def _apart(s: Statement, outer: For, inner: For) -> bool:
    """Whether a store writes another place for every pair of steps."""
    if not isinstance(s, Store):
        return True
    one, other = (coefficient(s.index, loop.variable) for loop in (outer, inner))
    if not one or not other:
        return False
    bounds = [loop.variable.bounds for loop in (outer, inner)]
    rows, columns = (2**62 if b is None else b[1] - b[0] + 1 for b in bounds)
    return abs(one) >= abs(other) * columns or abs(other) >= abs(one) * rows
