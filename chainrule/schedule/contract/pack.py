"""Copies an operand into the order in which the microkernel reads it.

V goes into panels [k][NR]: all columns of a panel for one k, then the next k. Where columns are
neighbours in memory vectors are copied; where k's are, squares of L × L are transposed in
registers; else elements are gathered. S goes into tiles [k][MR].
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

from chainrule.schedule.build import Builder
from chainrule.schedule.contract.plan import Axis
from chainrule.schedule.loops import Buffer, Value


class Source(NamedTuple):
    """An operand in memory: at the letters of the block that is packed it begins at `at`."""

    buffer: Buffer
    at: Value


class Depth(NamedTuple):
    """A loop of K inside a block: its length, and how far a step moves in the source."""

    size: Value | int
    pitch: int


def panel(
    b: Builder,
    source: Source,
    lane: Sequence[Axis],
    first: Value,
    columns: int,
    lanes: int,
    depth: Sequence[Depth],
    to: Buffer,
    at: Value,
    width: int,
    kind: str,
) -> None:
    """Columns first … first + columns of every k, to `to[at + k · width + column]`."""
    reader = Reader(b, source, lane, lanes, kind)
    vectors = -(-columns // lanes)
    inner = depth[-1]
    rare = columns < width and reader.total >= 4 * width  # the last panel of many: little code
    if inner.pitch == 1 and lane[-1].v != 1 and _long(inner.size, lanes) and not rare:
        _transposed(b, source, reader, first, columns, depth, to, at, width)
        return
    starts = [reader.start(b.add(first, j * lanes), columns - j * lanes) for j in range(vectors)]

    def row(offset: Value, place: Value) -> None:
        for j, start in enumerate(starts):
            b.store(to, b.add(place, j * lanes), reader.load(start, offset))

    each(b, depth, source.at, at, width, row)


def tile(
    b: Builder,
    source: Source,
    pitch: int,
    rows: int,
    lanes: int,
    steps: Depth,
    to: Buffer,
    at: Value,
    kind: str,
) -> None:
    """`rows` rows of some k's, to `to[at + k · rows + row]`. Whole vectors are written: what lies
    behind the last row is written again by the next k, and behind the last k there is room.
    """
    reader = Reader(b, source, (Axis("", rows, v=pitch),), lanes, kind)
    assert isinstance(steps.size, int)
    starts = [reader.start(b.const(j, "i64"), rows - j) for j in range(0, rows, lanes)]
    for k in range(steps.size):
        for j, start in enumerate(starts):
            place = b.add(at, k * rows + j * lanes)
            b.store(to, place, reader.load(start, b.add(source.at, k * steps.pitch)))


def _long(count: Value | int, lanes: int) -> bool:
    return not isinstance(count, int) or count >= lanes


def each(
    b: Builder,
    depth: Sequence[Depth],
    offset: Value,
    place: Value,
    width: int,
    body: Callable[[Value, Value], None],
) -> None:
    """`body(offset in the source, place in the panel)` for every k."""
    if not depth:
        body(offset, place)
        return
    here, rest = depth[0], depth[1:]
    pitch = width * math.prod(d.size for d in rest if isinstance(d.size, int))
    if here.size == 1:
        each(b, rest, offset, place, width, body)
        return
    with b.loop(0, here.size) as k:
        at = b.add(offset, b.mul(k, here.pitch))
        each(b, rest, at, b.add(place, b.mul(k, pitch)), width, body)


class Piece(NamedTuple):
    """Neighbours (or every second element) from a place on, for some lanes of a vector."""

    at: Value
    mask: Value | None


class Start(NamedTuple):
    """Where a vector of lanes is: pieces side by side, of `lanes` lanes each; or pieces on top of
    each other, each with its own lanes; or the place of every lane.
    """

    pieces: tuple[Piece, ...]
    lanes: int
    each: Piece | None


class Reader:
    """Reads vectors along the lane axis of a source, whatever its letters are."""

    def __init__(
        self, b: Builder, source: Source, lane: Sequence[Axis], lanes: int, kind: str
    ) -> None:
        self.b, self.buffer, self.lane, self.lanes, self.kind = b, source.buffer, lane, lanes, kind
        self.total = math.prod(a.size for a in lane)

    def offset(self, column: Value) -> Value:
        """How far a column is from column 0 in the source."""
        b, total, rest = self.b, self.b.const(0, "i64", column.type.lanes), column
        for k, axis in enumerate(reversed(self.lane)):
            last = k == len(self.lane) - 1
            here = rest if last else b.op("rem", rest, axis.size)
            total = b.add(total, b.mul(here, axis.v))
            if not last:
                rest = b.op("div", rest, axis.size)
        return total

    def start(self, column: Value, valid: int) -> Start:
        """The vector that begins at a column, of which `valid` lanes are wanted."""
        b, lanes = self.b, self.lanes
        valid = min(valid, lanes)
        mask = None if valid == lanes else first_lanes(b, valid, lanes)
        run = self.lane[-1].size if len(self.lane) > 1 else lanes
        if self.lane[-1].v == 1 or (self.lane[-1].v == 2 and valid == lanes):
            if len(self.lane) == 1 or run % lanes == 0:
                return Start((Piece(self.offset(column), mask),), lanes, None)
            if lanes % run == 0 and run > 1:
                places = (self.offset(b.add(column, k)) for k in range(0, valid, run))
                return Start(tuple(Piece(at, None) for at in places), run, None)
        if self.lane[-1].v == 1 and run > lanes // 2:
            return Start(self._crossing(column, valid, run), lanes, None)
        columns = b.op("min", b.ramp(column, lanes), b.const(self.total - 1, "i64", lanes))
        return Start((), 1, Piece(self.offset(columns), mask))

    def _crossing(self, column: Value, valid: int, run: int) -> tuple[Piece, ...]:
        """A vector may begin in one row of neighbours and end in another."""
        b, lanes = self.b, self.lanes
        inside, row = b.op("rem", column, run), b.op("div", column, run)
        found = []
        lane = b.ramp(0, lanes)
        for k in range((lanes + run - 2) // run + 1):
            before = b.sub(b.const(k * run, "i64"), inside)  # lanes of the rows before
            mask = b.op("lt", lane, b.op("min", b.add(before, run), valid))
            if k:
                mask = b.op("and", mask, b.op("ge", lane, before))
            at = b.sub(self.offset(b.mul(b.add(row, k), run)), before)
            found.append(Piece(at, mask))
        return tuple(found)

    def load(self, start: Start, offset: Value) -> Value:
        """The vector, at an offset that K gives."""
        b, lanes = self.b, self.lanes
        if start.each is not None:
            at = b.add(start.each.at, offset)
            return b.cast(b.load(self.buffer, at, lanes, start.each.mask), self.kind)
        parts = [self._piece(p, offset, start.lanes) for p in start.pieces]
        if start.lanes == lanes:
            whole = parts[0]
            for part, piece in zip(parts[1:], start.pieces[1:], strict=True):
                assert piece.mask is not None
                whole = b.select(piece.mask, part, whole)
            return b.cast(whole, self.kind)
        have = start.lanes
        while have < lanes:
            if len(parts) % 2:
                parts.append(b.const(0.0, self.buffer.kind, have))
            both = tuple(range(2 * have))
            parts = [b.shuffle(x, y, both) for x, y in zip(parts[::2], parts[1::2], strict=True)]
            have *= 2
        return b.cast(parts[0], self.kind)

    def _piece(self, piece: Piece, offset: Value, lanes: int) -> Value:
        b, at = self.b, self.b.add(piece.at, offset)
        if self.lane[-1].v == 1:
            return b.load(self.buffer, at, lanes, piece.mask)
        # every second element: the second load ends at the last one that is wanted
        low = b.load(self.buffer, at, lanes)
        high = b.load(self.buffer, b.add(at, lanes - 1), lanes)
        half = range(0, lanes, 2)
        return b.shuffle(low, high, (*half, *(lanes + 1 + k for k in half)))


def first_lanes(b: Builder, count: int, lanes: int) -> Value:
    """A mask of the first `count` lanes."""
    return b.op("lt", b.ramp(0, lanes), b.const(count, "i64", lanes))


def _transposed(
    b: Builder,
    source: Source,
    reader: Reader,
    first: Value,
    columns: int,
    depth: Sequence[Depth],
    to: Buffer,
    at: Value,
    width: int,
) -> None:
    """K lies in neighbours: squares of L k's and L columns are turned."""
    lanes, kind = reader.lanes, reader.kind
    *outer, inner = depth
    pitch = width * (inner.size if isinstance(inner.size, int) else 1)
    zero = b.const(0.0, kind, lanes)
    whole = b.mul(b.op("div", b.value(inner.size, "i64"), lanes), lanes)

    def strip(j: Value, valid: int) -> None:
        """`valid` columns of a vector, from column j of the panel on."""
        starts = [reader.offset(b.add(b.add(first, j), i)) for i in range(valid)]

        def square(offset: Value, place: Value) -> None:
            rows = [b.cast(b.load(reader.buffer, b.add(s, offset), lanes), kind) for s in starts]
            rows += [zero] * (lanes - valid)
            for k, turned in enumerate(transposed(b, rows)):
                b.store(to, b.add(place, k * width), turned)

        def line(offset: Value, place: Value) -> None:
            with b.loop(0, whole, lanes) as k:
                square(b.add(offset, k), b.add(place, b.mul(k, width)))
            if isinstance(inner.size, int) and inner.size % lanes == 0:
                return
            one = reader.start(b.add(first, j), valid)
            with b.loop(whole, inner.size) as k:
                b.store(to, b.add(place, b.mul(k, width)), reader.load(one, b.add(offset, k)))

        each(b, outer, source.at, b.add(at, j), pitch, line)

    full = columns // lanes * lanes
    if full > lanes:
        with b.loop(0, full, lanes) as j:
            strip(j, lanes)
    elif full:
        strip(b.const(0, "i64"), lanes)
    if full < columns:
        strip(b.const(full, "i64"), columns - full)


def transposed(b: Builder, rows: Sequence[Value]) -> list[Value]:
    """The columns of a square of vectors: first inside 128 bits, then pieces of 128 bits."""
    lanes, wide = len(rows), 2 if rows[0].type.kind == "f64" else 4
    wide = min(wide, lanes)
    groups = [_inside(b, rows[g : g + wide], wide) for g in range(0, lanes, wide)]
    count = lanes // wide  # groups of rows, and pieces of a vector
    columns: list[Value] = [rows[0]] * lanes
    for c in range(wide):
        for m, column in enumerate(_pieces(b, [g[c] for g in groups], count, wide)):
            columns[m * wide + c] = column
    return columns


def _inside(b: Builder, rows: Sequence[Value], wide: int) -> list[Value]:
    """Piece m of result c: element c of piece m of all rows."""
    if wide == 1:
        return list(rows)
    lanes = rows[0].type.lanes

    def pick(x: Value, y: Value, order: Sequence[int]) -> Value:
        """`order` counts through a piece of x and then one of y."""
        every = [
            piece + (o if o < wide else lanes + o - wide)
            for piece in range(0, lanes, wide)
            for o in order
        ]
        return b.shuffle(x, y, tuple(every))

    if wide == 2:
        return [pick(rows[0], rows[1], (0, 2)), pick(rows[0], rows[1], (1, 3))]
    low = [pick(rows[k], rows[k + 1], (0, 4, 1, 5)) for k in (0, 2)]
    high = [pick(rows[k], rows[k + 1], (2, 6, 3, 7)) for k in (0, 2)]
    return [
        pick(low[0], low[1], (0, 1, 4, 5)), pick(low[0], low[1], (2, 3, 6, 7)),
        pick(high[0], high[1], (0, 1, 4, 5)), pick(high[0], high[1], (2, 3, 6, 7)),
    ]  # fmt: skip


def _pieces(b: Builder, xs: Sequence[Value], count: int, wide: int) -> list[Value]:
    """The transpose of `count` × `count` pieces of `wide` lanes: halves, then halves of halves."""
    if count == 1:
        return list(xs)
    half = count // 2
    lanes = count * wide

    def pick(x: Value, y: Value, pieces: Sequence[int]) -> Value:
        order = [p * wide + i for p in pieces for i in range(wide)]
        return b.shuffle(x, y, tuple(order))

    xs = list(xs)
    step = half
    while step:
        for i in range(count):
            if i & step:
                continue
            x, y = xs[i], xs[i + step]
            low = [p if not p & step else count + p - step for p in range(count)]
            high = [p + step if not p & step else count + p for p in range(count)]
            xs[i], xs[i + step] = pick(x, y, low), pick(x, y, high)
        step //= 2
    assert lanes == xs[0].type.lanes
    return xs
