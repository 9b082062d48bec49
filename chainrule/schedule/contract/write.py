"""Writes the kernel of a plan: chunks, blocks of K, panels, tiles. What is done with finished sums
is the caller's.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import NamedTuple, Protocol

from chainrule.schedule.build import Builder
from chainrule.schedule.contract.micro import Numbers, Steps, Vectors, multiply
from chainrule.schedule.contract.pack import Depth, Reader, Source, each, first_lanes, panel, tile
from chainrule.schedule.contract.plan import Axis, Plan
from chainrule.schedule.index import Index
from chainrule.schedule.loops import Buffer, Register, Value

#: Steps of K that are packed at once.
_AT_ONCE = 4


class Block(NamedTuple):
    """A tile of finished sums: `rows` × `columns` from a row and a lane on.

    at       index of the first sum, by letter; the row axis and the lane axis still to be added
    base     place of the first sum in the result, if it lies in memory in its own order
    """

    outer: dict[str, Index]
    row: Value
    rows: int
    lane: Value
    columns: int
    base: Value
    split: Value


class Finish(Protocol):
    """What becomes of finished sums.

    in_memory   they are put into scratch memory first, and finished row by row
    in_strips   … all panels of a row one after another
    """

    @property
    def in_memory(self) -> bool: ...
    @property
    def in_strips(self) -> bool: ...

    def registers(self, b: Builder, block: Block, sums: Sequence[Sequence[Value]]) -> None:
        """The sums [row][vector] of a block."""

    def row(self, b: Builder, block: Block, r: Value, scratch: Buffer, at: Value) -> None:
        """One row of a block, whose sums lie at `at`."""


class Writer:
    """Writes the loops of one plan."""

    def __init__(
        self, b: Builder, plan: Plan, v: Buffer, s: Buffer, offsets: tuple[int, int], kind: str,
        fused: bool, finish: Finish,
    ) -> None:  # fmt: skip
        self.b, self.plan, self.kind, self.fused, self.finish = b, plan, kind, fused, finish
        self.v, self.s, self.offsets = v, s, offsets
        p = plan
        #: A packed tile, and room for what its last vector writes too much.
        self.pitch_s = p.depth * p.tile.rows + p.lanes
        self.pitch_scratch = p.width * (p.panels if finish.in_strips else 1)
        self.waits = -(-p.parts // p.splits) > 1
        self.packed_v: Buffer | None = None
        self.packed_s: Buffer | None = None
        self.waiting: Buffer | None = None
        self.scratch: Buffer | None = None

    def chunk(self, i: Value) -> None:
        """Chunk number i."""
        b, p = self.b, self.plan
        if p.packs_v:
            self.packed_v = b.local(self.kind, p.panels * p.panel)
        if p.packs_s:
            self.packed_s = b.local(self.kind, p.row_tiles * self.pitch_s)
        if self.waits:
            self.waiting = b.local(self.kind, p.row_tiles * p.panels * p.tile.rows * p.width)
        if self.finish.in_memory:
            self.scratch = b.local(self.kind, p.tile.rows * self.pitch_scratch)
        sizes = (math.prod(a.size for a in p.batch), p.splits, p.column_blocks, p.row_blocks)
        batch, split, column_block, row_block = divided(b, i, sizes)
        self.split = split
        self.batch_v, self.batch_s, self.batch_out, self.batch_at = places(b, batch, p.batch)
        self.batch_v = b.add(self.batch_v, self.offsets[0])
        self.batch_s = b.add(self.batch_s, self.offsets[1])
        self.first_panel = b.mul(column_block, p.panels)
        self.first_tile = b.mul(row_block, p.row_tiles)
        self.panels = _fewer(b, p.panels, p.all_panels, self.first_panel)
        self.tiles = _fewer(b, p.row_tiles, p.all_tiles, self.first_tile)
        each = -(-p.parts // p.splits)
        first = b.mul(split, each)
        count = _fewer(b, each, p.parts, first)
        with b.loop(0, count) if each > 1 else nullcontext(b.const(0, "i64")) as part:
            self.part(b.add(first, part), part, count)

    # ------------------------------------------------------------------ a part of K

    def part(self, part: Value, step: Value, count: Value) -> None:
        """All tiles of the chunk, for one block of K; `step` counts the blocks of this chunk."""
        b, p = self.b, self.plan
        axis = p.inner[p.block_axis]
        cuts = -(-axis.size // p.block_step)
        outside, cut = divided(b, part, (math.prod(a.size for a in p.inner[: p.block_axis]), cuts))
        v, s, _, _ = places(b, outside, p.inner[: p.block_axis])
        first = b.mul(cut, p.block_step)
        length = _fewer(b, p.block_step, axis.size, first)
        self.at_v = b.add(self.batch_v, b.add(v, b.mul(first, axis.v)))
        self.at_s = b.add(self.batch_s, b.add(s, b.mul(first, axis.s)))
        known: Value | int = length.number if length.is_const else length
        axes = [(known, axis), *((a.size, a) for a in p.inner[p.block_axis + 1 :])]
        self.depth_v = [Depth(n, a.v) for n, a in axes]
        self.depth_s = [Depth(n, a.s) for n, a in axes]
        self.step, self.last = step, b.op("eq", step, b.sub(count, 1))
        if self.packed_v is not None:
            self.pack_v(self.packed_v)
        if self.packed_s is not None:
            self.pack_s(self.packed_s)
        heavy = p.row_tiles * p.tile.rows * p.depth > 1 << 16 or p.depth > 512
        if self.finish.in_strips:
            self.each_tile(self.strip)
        elif heavy:  # a tile's rows of S stay in the first cache while panels pass
            self.each_tile(lambda t: self.each_panel(lambda q: self.sums(t, q)))
        else:  # a panel stays in the first cache while rows pass
            self.each_panel(lambda q: self.each_tile(lambda t: self.sums(t, q)))

    def pack_v(self, to: Buffer) -> None:
        """V → panels."""

        def one(q: Columns) -> None:
            b, p = self.b, self.plan
            outer, _, _, _ = places(b, q.outer, p.columns_outer)
            source = Source(self.v, b.add(self.at_v, outer))
            depth = self.depth_v[:-1] if p.slide else self.depth_v
            panel(
                b, source, p.lane, q.first, q.lanes + p.beyond, p.lanes, depth, to,
                b.mul(q.number, p.panel), p.pitch, self.kind,
            )  # fmt: skip

        self.each_panel(one)

    def pack_s(self, to: Buffer) -> None:
        """S → tiles; all tiles for a few k after another, as rows lie next to each other."""
        b, p = self.b, self.plan

        def some(count: int, offset: Value, place: Value) -> None:
            def copy(t: Rows) -> None:
                outer, _, _ = self.row_place(t)
                source = Source(self.s, b.add(b.add(self.at_s, outer), offset))
                at = b.add(b.mul(t.number, self.pitch_s), b.mul(place, t.rows))
                tile(
                    b, source, p.row.s, t.rows, p.lanes, Depth(count, p.inner[-1].s),
                    to, at, self.kind,
                )  # fmt: skip

            self.each_tile(copy)

        def line(offset: Value, place: Value) -> None:
            last = self.depth_s[-1]
            whole = b.mul(b.op("div", b.value(last.size, "i64"), _AT_ONCE), _AT_ONCE)
            if not (whole.is_const and whole.number == 0):
                with b.loop(0, whole, _AT_ONCE) as k:
                    some(_AT_ONCE, b.add(offset, b.mul(k, last.pitch)), b.add(place, k))
            if not (whole.is_const and whole.number == last.size):
                with b.loop(whole, last.size) as k:
                    some(1, b.add(offset, b.mul(k, last.pitch)), b.add(place, k))

        zero = b.const(0, "i64")
        last = self.depth_s[-1].size
        each(b, self.depth_s[:-1], zero, zero, last if isinstance(last, int) else 1, line)

    def row_place(self, t: Rows) -> tuple[Value, Value, dict[str, Index]]:
        """Where row 0 of a tile is in S and in the result."""
        b, p = self.b, self.plan
        _, s, out, at = places(b, t.outer, p.rows_outer)
        return b.add(s, b.mul(t.first, p.row.s)), b.add(out, b.mul(t.first, p.row.out)), at

    # ------------------------------------------------------------------ loops

    def each_panel(self, body: Callable[[Columns], None]) -> None:
        """`body` for every panel of the chunk; written twice if the last one is narrower."""
        b, p = self.b, self.plan
        per = p.panels_per_lane_axis
        rest = p.lane_size - (per - 1) * p.width
        with _counted(b, self.panels) as number:
            outer, which = divided(b, b.add(self.first_panel, number), (p.all_panels // per, per))
            first = b.mul(which, p.width)
            if rest == p.width:
                body(Columns(number, outer, first, p.width))
                return
            narrow = b.op("eq", which, per - 1)
            with _branch(b, b.op("ne", which, per - 1)) as taken:
                if taken:
                    body(Columns(number, outer, first, p.width))
            with _branch(b, narrow) as taken:
                if taken:
                    body(Columns(number, outer, first, rest))

    def each_tile(self, body: Callable[[Rows], None]) -> None:
        """`body` for every row tile of the chunk; written twice if some have a row fewer."""
        b, p = self.b, self.plan
        cut = p.rows_cut
        with _counted(b, self.tiles) as number:
            outer, which = divided(
                b, b.add(self.first_tile, number), (p.all_tiles // cut.count, cut.count)
            )
            if cut.big == cut.count:
                body(Rows(number, outer, b.mul(which, cut.even), cut.even))
                return
            with _branch(b, b.op("lt", which, cut.big)) as taken:
                if taken:
                    body(Rows(number, outer, b.mul(which, cut.even), cut.even))
            with _branch(b, b.op("ge", which, cut.big)) as taken:
                if taken:
                    first = b.add(b.mul(which, cut.even - 1), cut.big)
                    body(Rows(number, outer, first, cut.even - 1))

    # ------------------------------------------------------------------ sums

    def sums(self, t: Rows, q: Columns) -> None:
        """One tile: multiply, add what waited, put away or finish."""
        b, p = self.b, self.plan
        vectors = -(-q.lanes // p.lanes)
        row_s, _, _ = self.row_place(t)
        column_v, _, _, _ = places(b, q.outer, p.columns_outer)
        done = multiply(
            b, t.rows, p.lanes, self.steps(t.rows), self.vectors(q, vectors, column_v),
            self.numbers(t, row_s), self.kind, self.fused,
        )  # fmt: skip
        if self.waiting is None:
            self._finish(t, q, done)
            return
        pitch = p.tile.rows * p.width
        at = b.mul(b.add(b.mul(q.number, p.row_tiles), t.number), pitch)
        places_of = [
            [b.add(at, r * p.width + j * p.lanes) for j in range(vectors)] for r in range(t.rows)
        ]
        with b.branch(b.op("gt", self.step, 0)):
            for r, row in enumerate(done):
                for j, register in enumerate(row):
                    before = b.load(self.waiting, places_of[r][j], p.lanes)
                    b.set(register, b.add(before, b.get(register)))
        with b.branch(b.op("not", self.last)):
            for r, row in enumerate(done):
                for j, register in enumerate(row):
                    b.store(self.waiting, places_of[r][j], b.get(register))
        with b.branch(self.last):
            self._finish(t, q, done)

    def strip(self, t: Rows) -> None:
        """All panels of a row tile, and then its rows, each from one end to the other: what else
        is read and written for them lies in neighbours.
        """
        b, scratch = self.b, self.scratch
        assert scratch is not None
        self.each_panel(lambda q: self.sums(t, q))
        with _branch(b, self.last) as taken:
            if taken:
                with b.loop(0, t.rows) as r:
                    self.each_panel(lambda q: self._row(t, q, r, scratch))

    def _finish(self, t: Rows, q: Columns, done: Sequence[Sequence[Register]]) -> None:
        b, p, scratch = self.b, self.plan, self.scratch
        if scratch is None:
            block, values = self._block(t, q), [[b.get(x) for x in row] for row in done]
            self.finish.registers(b, block, values)
            return
        first = b.mul(q.number, p.width) if self.finish.in_strips else b.const(0, "i64")
        for r, row in enumerate(done):
            for j, x in enumerate(row):
                b.store(scratch, b.add(first, r * self.pitch_scratch + j * p.lanes), b.get(x))
        if not self.finish.in_strips:
            with b.loop(0, t.rows) as r_:
                self._row(t, q, r_, scratch)

    def _row(self, t: Rows, q: Columns, r: Value, scratch: Buffer) -> None:
        b, at = self.b, self.b.mul(r, self.pitch_scratch)
        if self.finish.in_strips:
            at = b.add(at, b.mul(q.number, self.plan.width))
        self.finish.row(b, self._block(t, q), r, scratch, at)

    def _block(self, t: Rows, q: Columns) -> Block:
        b, p = self.b, self.plan
        _, row_out, row_at = self.row_place(t)
        _, _, column_out, column_at = places(b, q.outer, p.columns_outer)
        base = b.add(b.add(self.batch_out, row_out), b.add(column_out, b.mul(q.first, lane_out(p))))
        outer = {**self.batch_at, **row_at, **column_at}
        return Block(outer, t.first, t.rows, q.first, q.lanes, base, self.split)

    def steps(self, rows: int) -> list[Steps]:
        """The loops of K inside a block."""
        p = self.plan
        made: list[Steps] = []
        after_v, after_s = p.pitch, rows
        for v, s in zip(reversed(self.depth_v), reversed(self.depth_s), strict=True):
            slides = p.slide and not made
            packed = p.slide if slides else after_v
            pitch_v, pitch_s = packed if p.packs_v else v.pitch, after_s if p.packs_s else s.pitch
            made.append(Steps(v.size, pitch_v, pitch_s))
            size = v.size if isinstance(v.size, int) else 1
            after_v, after_s = after_v if slides else after_v * size, after_s * size
        return made[::-1]

    def vectors(self, q: Columns, count: int, column_v: Value) -> Vectors:
        """V at the first k of the block."""
        b, p = self.b, self.plan
        if self.packed_v is not None:
            at = b.mul(q.number, p.panel)
            return Vectors(self.packed_v, tuple(b.add(at, j * p.lanes) for j in range(count)), None)
        base = b.add(self.at_v, column_v)
        reader = Reader(b, Source(self.v, base), p.lane, p.lanes, self.kind)
        starts = [b.add(base, reader.offset(b.add(q.first, j * p.lanes))) for j in range(count)]
        rest = q.lanes - (count - 1) * p.lanes
        mask = None if rest == p.lanes else first_lanes(b, rest, p.lanes)
        return Vectors(self.v, tuple(starts), mask)

    def numbers(self, t: Rows, row_s: Value) -> Numbers:
        """S at the first k of the block."""
        b, p = self.b, self.plan
        if self.packed_s is not None:
            return Numbers(self.packed_s, b.mul(t.number, self.pitch_s), 1)
        return Numbers(self.s, b.add(self.at_s, row_s), p.row.s)


class Columns(NamedTuple):
    """A panel: its number in the chunk, its outer index, its first lane, how many lanes."""

    number: Value
    outer: Value
    first: Value
    lanes: int


class Rows(NamedTuple):
    """A row tile: its number in the chunk, its outer index, its first row, how many rows."""

    number: Value
    outer: Value
    first: Value
    rows: int


def lane_out(plan: Plan) -> int:
    """How far the next lane is in the result."""
    return plan.lane[-1].out


def divided(b: Builder, i: Value, sizes: Sequence[int]) -> list[Value]:
    """A number as an index tuple below `sizes`."""
    out = []
    for k, n in enumerate(reversed(sizes)):
        last = k == len(sizes) - 1
        if n == 1 and not last:
            out.append(b.const(0, "i64"))
            continue
        below = math.prod(sizes[: len(sizes) - k - 1])
        out.append(i if last or below == 1 else b.op("rem", i, n))
        i = b.const(0, "i64") if below == 1 else b.op("div", i, n)
    return out[::-1]


def places(
    b: Builder, i: Value, axes: Sequence[Axis]
) -> tuple[Value, Value, Value, dict[str, Index]]:
    """Where the i-th index of `axes` is in V, in S and in the result; and the letters' indices."""
    v = s = out = b.const(0, "i64")
    at: dict[str, Index] = {}
    for axis, here in zip(axes, divided(b, i, [a.size for a in axes]), strict=True):
        v, s = b.add(v, b.mul(here, axis.v)), b.add(s, b.mul(here, axis.s))
        out = b.add(out, b.mul(here, axis.out))
        at[axis.letters] = Index.of(here)
    return v, s, out, at


def _fewer(b: Builder, whole: int, total: int, first: Value) -> Value:
    """How many of `whole` are left from `first` on."""
    if total % whole == 0:
        return b.const(whole, "i64")
    return b.op("min", b.sub(b.const(total, "i64"), first), whole)


@contextmanager
def _counted(b: Builder, count: Value) -> Iterator[Value]:
    """A loop, unless there is one step."""
    if count.is_const and count.number == 1:
        yield b.const(0, "i64")
        return
    with b.loop(0, count) as k:
        yield k


@contextmanager
def _branch(b: Builder, condition: Value) -> Iterator[bool]:
    """A branch, unless it is known which way it goes; gives whether it is ever taken."""
    if condition.is_const:
        yield bool(condition.number)
        return
    with b.branch(condition):
        yield True
