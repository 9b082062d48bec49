"""Chooses a plan: the tile, and blocks of rows, columns and K, with the fewest cycles by a model of
what packing, reading and waiting cost. Only the order of its answers has to be right.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

from chainrule.schedule.contract.plan import Axis, Cut, Machine, Plan, Tile, merged

#: Parts of the second cache that a chunk may fill: with panels of V (or tiles of S), and with sums
#: that wait for the next part of K. Of a larger one several cores have a share.
_NEAR, _WAITING, _SECOND = 3 / 8, 1 / 4, 2 << 20
#: Steps of K that are summed in registers before they are put away: choices.
_DEEP = (1024, 512, 256, 128)
#: Products (of two numbers) that are worth a chunk of their own; and chunks that a large
#: contraction has at least, so that a few threads finish together.
_CHUNK = 1 << 17
_CHUNKS = 8
#: With so many tiles, K is not cut into parts that are summed afterwards.
_FEW = 512

#: Cycles for an element that is packed: neighbours copied, squares turned, pieces put together,
#: rows that begin and end inside of vectors, gathered; or stored, one by one.
_COPIED, _TURNED, _PIECES, _CROSSING, _GATHERED, _SCATTERED = 0.25, 0.9, 0.6, 1.0, 1.6, 4.0
#: Cycles for a line of memory that is read where it lies: in a long run, alone, alone in a cache.
_LINE_IN_RUN, _LINE_ALONE, _LINE_NEAR = 2.0, 3.0, 0.2
#: Cycles that a tile waits for a line: if its lines stay in the first cache, if not, and if they
#: lie in more pages than are known at once.
_FETCH_NEAR, _FETCH_FAR, _FETCH_APART = 0.2, 0.7, 2.0
_PAGES = 48


class Facts(NamedTuple):
    """A contraction as axes, one operand chosen for the vectors."""

    batch: tuple[Axis, ...]
    rows: tuple[Axis, ...]
    columns_outer: tuple[Axis, ...]
    lane: tuple[Axis, ...]
    inner: tuple[Axis, ...]
    must_pack_v: bool
    must_pack_s: bool

    def sliding(self, lanes: int) -> Facts | None:
        """The same with vectors along the last axis of lanes only, where the last axis of K moves
        along it: windows of neighbours lie in what is packed once.
        """
        last, taps = self.lane[-1], self.inner[-1]
        if last.v != 1 or taps.v < 1 or len(self.inner) < 2 or last.size <= lanes:
            return None
        return self._replace(columns_outer=(*self.columns_outer, *self.lane[:-1]), lane=(last,))


def facts(
    vector: tuple[str, dict[str, int]],
    scalar: tuple[str, dict[str, int]],
    out: str,
    sizes: dict[str, int],
    must_pack: tuple[bool, bool],
) -> Facts:
    """The axes of Σ vector[…] · scalar[…], given letters and strides in memory of both."""
    strides, step = {}, 1
    for c in reversed(out):
        strides[c] = step
        step *= sizes[c]
    (vl, vs), (sl, ss) = vector, scalar
    axes = {c: Axis(c, sizes[c], vs.get(c, 0), ss.get(c, 0), strides.get(c, 0)) for c in {*vl, *sl}}
    columns = [axes[c] for c in out if c in vl and c not in sl and sizes[c] > 1]
    lane = [columns.pop()] if columns else [Axis("", 1, 1, 0, 1)]
    while columns and columns[-1].out == lane[0].out * lane[0].size:
        lane.insert(0, columns.pop())
    inner = [axes[c] for c in sl if c in vl and c not in out]
    inner.sort(key=lambda x: -abs(x.s))
    return Facts(
        tuple(merged([axes[c] for c in out if c in vl and c in sl])),
        tuple(merged([axes[c] for c in out if c in sl and c not in vl])) or (Axis("", 1),),
        tuple(merged(columns)),
        tuple(merged(lane, ("v",))) or (Axis(lane[0].letters, 1, 1, 0, 1),),
        tuple(merged(inner)) or (Axis("", 1),),
        *must_pack,
    )


class Choice(NamedTuple):
    """A plan and its cycles."""

    cycles: float
    plan: Plan


def choose(machine: Machine, itemsize: int, f: Facts) -> Choice:
    """The plan with the fewest cycles."""
    found = [_choose(machine, itemsize, f, 0)]
    if (alone := f.sliding(machine.vector_bytes // itemsize)) is not None:
        found.append(_choose(machine, itemsize, alone, f.inner[-1].v))
    return min((c for c in found if c is not None), key=lambda c: c.cycles)


def _choose(machine: Machine, itemsize: int, f: Facts, slide: int) -> Choice | None:
    """None if every cut of K goes through the axis that slides: it is too long."""
    lanes = machine.vector_bytes // itemsize
    depth_all = math.prod(a.size for a in f.inner)
    lane_size = math.prod(a.size for a in f.lane)
    tile, row = choose_tile(machine, lanes, f.rows, lane_size, min(depth_all, _DEEP[0]))
    tile = Tile(Cut(row.size, tile.rows).even, min(tile.vectors, -(-lane_size // lanes)))
    outer = tuple(a for a in f.rows if a is not row)
    best: Choice | None = None
    across = math.prod(a.size for a in (*f.batch, *f.columns_outer)) * -(-lane_size // lanes)
    few = across * math.prod(a.size for a in f.rows) < _FEW * tile.rows * tile.vectors
    for at, step, splits in _depths(f.inner, (1, 2, 4, 8) if few else (1,)):
        if slide and at == len(f.inner) - 1:
            continue
        plan = Plan(
            lanes, tile, f.batch, outer, row, f.columns_outer, f.lane, f.inner, False, False,
            at, step, 1, 1, splits, slide,
        )  # fmt: skip
        for packs_v, packs_s in _packings(f, plan, itemsize):
            model = _Model(f, replace(plan, packs_v=packs_v, packs_s=packs_s), itemsize, machine)
            for row_tiles in _pieces(plan.all_tiles):
                for panels in _pieces(plan.all_panels):
                    total = model.cycles(row_tiles, panels)
                    if total is not None and (best is None or total < best.cycles):
                        best = Choice(total, model.plan(row_tiles, panels))
    return best


def _depths(inner: Sequence[Axis], choices: Sequence[int]) -> Iterator[tuple[int, int, int]]:
    """Ways to cut K: which axis, into what steps, and how many parts whose sums are kept apart."""
    depth_all = math.prod(a.size for a in inner)
    seen = set()
    for deep in _DEEP:
        for splits in choices:
            if splits > 1 and depth_all < 512 * splits:
                continue
            at, step = cut_inner(inner, min(deep, -(-depth_all // splits)))
            parts = math.prod(a.size for a in inner[:at]) * -(-inner[at].size // step)
            even = -(-parts // -(-parts // min(splits, parts)))
            if (at, step, even) not in seen:
                seen.add((at, step, even))
                yield at, step, even


def _pieces(count: int) -> list[int]:
    """Sizes of equal blocks of `count` things: 1, 2, 3, … blocks, then ever more."""
    found, blocks = [], 1
    while blocks < count:
        found.append(-(-count // blocks))
        blocks = max(blocks + 1, blocks * 4 // 3)
    return [*found, 1]


def _packings(f: Facts, p: Plan, itemsize: int) -> Iterator[tuple[bool, bool]]:
    """What may be packed: V and S."""
    last = p.lane[-1]
    in_place = last.v == 1 and (len(p.lane) == 1 or last.size % p.lanes == 0)
    v = [True] if f.must_pack_v or p.slide or not in_place else [False, True]
    s = [True] if f.must_pack_s else [False, True] if _scattered(p, itemsize) else [False]
    return itertools.product(v, s)


def _scattered(p: Plan, itemsize: int) -> bool:
    """Whether every step of K finds S in a line of its own."""
    return abs(p.inner[-1].s) * itemsize >= 64


class Wait(NamedTuple):
    """Cycles that one tile waits for an operand, over all of K: the first time in a chunk, and
    when another tile has read it just before.
    """

    first: float
    again: float


class _Model:
    """What blocks cost, for one tile and one way to cut K."""

    def __init__(self, f: Facts, base: Plan, itemsize: int, machine: Machine) -> None:
        first, second = machine.caches[0], min(machine.caches[1], _SECOND)
        self.first, self.near, self.waiting = first, _NEAR * second, _WAITING * second
        self.base, self.itemsize = base, itemsize
        self.depth, self.depth_all = base.depth, base.depth_all
        self.tiles, self.panels, self.parts = base.all_tiles, base.all_panels, base.parts
        self.batch = math.prod(a.size for a in base.batch)
        self.rows = math.prod(a.size for a in f.rows)
        self.size = base.size
        self.block = base.tile.rows * base.width * itemsize
        self.of_panel = base.panel * itemsize
        self.of_tile = self.depth * base.tile.rows * itemsize
        self.packs_s, self.packs_v = base.packs_s, base.packs_v
        tiled = cycles(base.tile, base.row.size, base.lane_size, base.lanes, self.depth_all)
        outer = math.prod(a.size for a in base.rows_outer)
        self.sums = tiled * outer * math.prod(a.size for a in base.columns_outer)
        packed = self.panels * base.panel * self.depth_all // self.depth
        self.pack_v = _pack_v(f, base) * packed if self.packs_v else 0.0
        self.wait_v = Wait(0.0, 0.0)
        if not self.packs_v:
            self.wait_v = self._waits([a.v for a in base.inner], base.width)
        self.each_panel = False  # whether S comes from far again for every panel
        self.read_s = self._read_s(f) * self.rows * self.depth_all
        self.store = base.size / self.batch * (0.1 if base.lane[-1].out == 1 else _SCATTERED)
        work = base.size * self.depth_all
        self.wanted = 1 << (max(min(_CHUNKS, work // _CHUNK), 1).bit_length() - 1)  # even shares

    def _read_s(self, f: Facts) -> float:
        """Cycles for an element of S, each time that it comes from far."""
        row = self.base.row
        if self.packs_s:
            return _PIECES if row.s == 1 else _GATHERED
        if _scattered(self.base, self.itemsize) and row.s == 1:
            self.each_panel = True
            waits = self._waits([a.s for a in f.inner], self.base.tile.rows).again
            return waits * self.panels * self.tiles / (self.rows * self.depth_all)
        run, reach = 1, max(abs(f.inner[-1].s), 1)
        for axis in reversed(f.inner):
            if abs(axis.s) > 2 * reach:
                break
            run, reach = run * axis.size, abs(axis.s) * axis.size
        if abs(row.s) <= 2 * reach:  # the rows of a tile lie together
            run, reach = run * self.base.tile.rows, max(abs(row.s) * self.base.tile.rows, reach)
        size = reach * self.itemsize
        if size < 256:
            whole = self.rows * self.depth * self.itemsize
            line = _LINE_NEAR if whole <= self.near else _LINE_ALONE
            self.each_panel = True
            return line * max(1.0, size / 64) / run * self.panels
        return _LINE_IN_RUN * size / 64 / run

    def _waits(self, strides: Sequence[int], count: int) -> Wait:
        """For an operand that is read where it lies: `count` neighbours for every step; `strides`
        of K's axes.
        """
        p, item = self.base, self.itemsize
        sizes = (p.block_step, *(a.size for a in p.inner[p.block_axis + 1 :]))
        axes = sorted(zip(map(abs, strides[p.block_axis :]), sizes, strict=True))
        run = span = count
        apart = 1  # runs of neighbours
        for stride, size in axes:
            span += stride * (size - 1)
            if stride <= run:
                run += stride * (size - 1)
            else:
                apart *= size
        lines = apart * ((run - 1) * item / 64 + 1)
        if min(apart, span * item / 4096) > _PAGES:
            each = _FETCH_APART
        else:
            each = _FETCH_NEAR if lines * 64 <= self.first / 2 else _FETCH_FAR
        lines *= self.depth_all / self.depth
        return Wait(lines * max(each, _FETCH_FAR), lines * each)

    def cycles(self, row_tiles: int, panels: int) -> float | None:
        """All of them, and what threads wait for each other; None if the blocks do not fit."""
        p = self.base
        if self.packs_v and panels > 1 and panels * self.of_panel > self.near:
            return None
        if self.packs_s and row_tiles > 1 and row_tiles * self.of_tile > self.near:
            return None
        waits = self.parts > p.splits
        if waits and row_tiles * panels > 1 and row_tiles * panels * self.block > self.waiting:
            return None
        row_blocks, column_blocks = -(-self.tiles // row_tiles), -(-self.panels // panels)
        total = self.sums + self.store + self.pack_v * row_blocks
        # panels pass outside of row tiles
        again = self.tiles - row_blocks
        total += self.panels * (self.wait_v.first * row_blocks + self.wait_v.again * again)
        if self.each_panel:
            total += self.read_s
        elif self.packs_s or column_blocks > 1:
            total += self.read_s * column_blocks
        if waits:
            total += 5 / self.depth * self.sums
        if p.splits > 1:
            total += p.splits * self.size / self.batch * 1.5 + 5000
        chunks = self.batch * row_blocks * column_blocks * p.splits
        if chunks < 4 * self.wanted:  # the last chunks leave threads without work
            total *= 1 + 0.5 * (-(-chunks // self.wanted) * self.wanted / chunks - 1)
        return self.batch * total + 200 * chunks

    def plan(self, row_tiles: int, panels: int) -> Plan:
        return replace(self.base, row_tiles=row_tiles, panels=panels)


def _pack_v(f: Facts, p: Plan) -> float:
    """Cycles for an element of a panel."""
    last = p.lane[-1]
    run = last.size if len(p.lane) > 1 else p.lanes
    if last.v in (1, 2):
        if run % p.lanes == 0:
            return _COPIED * last.v
        if p.lanes % run == 0:
            return _PIECES * last.v
        if run > p.lanes // 2 and last.v == 1:
            return _CROSSING
        return _GATHERED
    return _TURNED if f.inner[-1].v == 1 and f.inner[-1].size >= p.lanes else _GATHERED


def tiles(machine: Machine, lanes: int) -> list[Tile]:
    """Register tiles that leave room for one operand and a vector of the other."""
    found = []
    for vectors in (1, 2, 3, 4, 6):
        rows = 1
        while True:
            held = min(rows + 1, vectors + 1) if machine.registers <= 16 else vectors + 1
            if rows > 30 or rows * vectors + held > machine.registers:
                break
            found.append(Tile(rows, vectors))
            rows += 1
    return found


def cycles(tile: Tile, rows: int, columns: int, lanes: int, depth: int) -> float:
    """An estimate of the cycles for rows × columns sums of `depth` products, by tiles."""
    cut = Cut(rows, tile.rows)
    vectors = -(-columns // lanes)
    panels, rest = divmod(vectors, tile.vectors)
    total = 0.0
    for r, tiles_of_r in ((cut.even, cut.big), (cut.even - 1, cut.count - cut.big)):
        for v, count in ((tile.vectors, panels), (rest, 1 if rest else 0)):
            if r and v:
                total += tiles_of_r * count * (depth * _step(r, v) + 12 + 1.5 * r * v)
    return total


def _step(rows: int, vectors: int) -> float:
    """Cycles of one k: two multiply-adds or two loads each, a sum is ready after four, and a wide
    panel is harder to keep near.
    """
    return max(rows * vectors / 2, (rows + vectors) / 2, 4.0) + 0.1 * vectors


def choose_tile(
    machine: Machine, lanes: int, row_axes: Sequence[Axis], columns: int, depth: int
) -> tuple[Tile, Axis]:
    """The tile, and the axis of rows that it lies along, with the fewest cycles."""
    all_rows = math.prod(a.size for a in row_axes)
    best: tuple[float, int, int, Tile, Axis] | None = None
    for axis in row_axes:
        for tile in tiles(machine, lanes):
            if tile.rows > axis.size:
                continue
            whole = cycles(tile, axis.size, columns, lanes, depth) * (all_rows // axis.size)
            key = (whole, -tile.rows, abs(axis.s))
            if best is None or key < best[:3]:
                best = (*key, tile, axis)
    assert best is not None
    return best[3], best[4]


def cut_inner(inner: Sequence[Axis], deep: int) -> tuple[int, int]:
    """Which axis of K is cut, and into what steps, so that a block has about `deep` products."""
    after = 1
    for at in reversed(range(len(inner))):
        size = inner[at].size
        if after * size > deep:
            step = max(deep // after, 1)
            count = -(-size // step)
            return at, -(-size // count)
        after *= size
    return 0, inner[0].size if inner else 1
