"""What is decided about a contraction before a line of it is written: which operand the vectors lie
along, the tile of sums that is held in registers, and how the work is cut.

    C[row, column] = Σ_k S[row, k] · V[k, column]

A register tile has MR rows and NV vectors of L neighbouring columns. For every k it takes NV
vectors of V and MR single numbers of S, which are broadcast. V usually comes out of a packed panel
(all k of NR = NV · L columns, one after another, so that it streams); S is read where it lies.

A chunk of the shared loop is a block of row tiles × a block of panels × a part of K. Every number
here depends on shapes only, never on the number of threads.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol


class Machine(Protocol):
    """What a plan must know of the processor."""

    @property
    def vector_bytes(self) -> int: ...
    @property
    def registers(self) -> int: ...
    @property
    def fma(self) -> bool: ...


#: Bytes that a chunk may keep near: panels of V, and sums that wait for the next part of K.
_NEAR = 192 << 10
_WAITING = 128 << 10
#: So many steps of K are summed in registers before they are put away.
_DEEP = 1024
_DEEP_PACKED = 256


class Axis(NamedTuple):
    """Letters that are one loop. Strides count elements: `v` and `s` in the sources of the vector
    and the scalar operand, `out` in the result.
    """

    letters: str
    size: int
    v: int = 0
    s: int = 0
    out: int = 0


def merged(axes: Sequence[Axis], by: Sequence[str] = ("v", "s", "out")) -> list[Axis]:
    """Neighbours that are one loop as far as the strides in `by` go; axes of size 1 go."""
    done: list[Axis] = []
    for axis in axes:
        if axis.size == 1:
            continue
        if done and all(getattr(done[-1], f) == getattr(axis, f) * axis.size for f in by):
            last = done.pop()
            axis = axis._replace(letters=last.letters + axis.letters, size=last.size * axis.size)
        done.append(axis)
    return done


class Tile(NamedTuple):
    """Sums in registers: `rows` × `vectors`."""

    rows: int
    vectors: int


@dataclass(frozen=True)
class Cut:
    """`size` things in `count` pieces: the first `big` have `step`, the others one fewer."""

    size: int
    step: int

    @property
    def count(self) -> int:
        return -(-self.size // self.step)

    @property
    def even(self) -> int:
        """The larger piece, when all are as equal as can be."""
        return -(-self.size // self.count)

    @property
    def big(self) -> int:
        return self.size - self.count * (self.even - 1)


@dataclass(frozen=True)
class Plan:
    """Everything that the writer of the loops has to know."""

    lanes: int
    tile: Tile
    batch: tuple[Axis, ...]
    rows_outer: tuple[Axis, ...]
    row: Axis
    columns_outer: tuple[Axis, ...]
    lane: tuple[Axis, ...]  # letters whose product is the axis that vectors lie along
    inner: tuple[Axis, ...]
    packs_v: bool
    packs_s: bool
    block_axis: int  # the axis of `inner` that is cut; those before it are loops, those after whole
    block_step: int
    row_tiles: int  # of a chunk
    panels: int  # of a chunk
    splits: int  # parts of K whose sums are kept apart

    @property
    def lane_size(self) -> int:
        return math.prod(a.size for a in self.lane)

    @property
    def width(self) -> int:
        """Columns of a panel."""
        return self.tile.vectors * self.lanes

    @property
    def rows_cut(self) -> Cut:
        return Cut(self.row.size, self.tile.rows)

    @property
    def panels_per_lane_axis(self) -> int:
        return -(-self.lane_size // self.width)

    @property
    def all_tiles(self) -> int:
        return math.prod(a.size for a in self.rows_outer) * self.rows_cut.count

    @property
    def all_panels(self) -> int:
        return math.prod(a.size for a in self.columns_outer) * self.panels_per_lane_axis

    @property
    def row_blocks(self) -> int:
        return -(-self.all_tiles // self.row_tiles)

    @property
    def column_blocks(self) -> int:
        return -(-self.all_panels // self.panels)

    @property
    def parts(self) -> int:
        """Blocks of K."""
        before = math.prod(a.size for a in self.inner[: self.block_axis])
        return before * -(-self.inner[self.block_axis].size // self.block_step)

    @property
    def depth(self) -> int:
        """Steps of K in a (full) block."""
        return self.block_step * math.prod(a.size for a in self.inner[self.block_axis + 1 :])

    @property
    def chunks(self) -> int:
        batch = math.prod(a.size for a in self.batch)
        return batch * self.splits * self.row_blocks * self.column_blocks

    @property
    def size(self) -> int:
        """Elements of the result."""
        axes = (*self.batch, *self.rows_outer, self.row, *self.columns_outer, *self.lane)
        return math.prod(a.size for a in axes)

    @property
    def depth_all(self) -> int:
        return math.prod(a.size for a in self.inner)


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
    best: tuple[float, int, Tile, Axis] | None = None
    for axis in row_axes:
        for tile in tiles(machine, lanes):
            if tile.rows > axis.size:
                continue
            whole = cycles(tile, axis.size, columns, lanes, depth) * (all_rows // axis.size)
            key = (whole, -tile.rows)
            if best is None or key < best[:2]:
                best = (*key, tile, axis)
    assert best is not None
    return best[2], best[3]


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


# ------------------------------------------------------------------ deciding


class Facts(NamedTuple):
    """A contraction as axes, one operand chosen for the vectors."""

    batch: tuple[Axis, ...]
    rows: tuple[Axis, ...]
    columns_outer: tuple[Axis, ...]
    lane: tuple[Axis, ...]
    inner: tuple[Axis, ...]
    must_pack_v: bool
    must_pack_s: bool


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
    axes = {
        c: Axis(c, sizes[c], vs.get(c, 0), ss.get(c, 0), strides.get(c, 0)) for c in {*vl, *sl}
    }
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


#: Products (of two numbers) that are worth a chunk of their own.
_CHUNK = 1 << 20
#: Chunks that a large contraction has at least, so that a few threads finish together.
_CHUNKS = 8
#: What copying an element into a panel costs, counted in products of one lane.
_COPY = 0.7


def make(machine: Machine, itemsize: int, f: Facts) -> Plan:
    """The plan."""
    lanes = machine.vector_bytes // itemsize
    depth_all = math.prod(a.size for a in f.inner)
    lane_size = math.prod(a.size for a in f.lane)
    tile, row = choose_tile(machine, lanes, f.rows, lane_size, min(depth_all, _DEEP))
    cut = Cut(row.size, tile.rows)
    tile = Tile(cut.even, min(tile.vectors, -(-lane_size // lanes)))
    outer = tuple(a for a in f.rows if a is not row)
    all_rows = math.prod(a.size for a in f.rows)
    all_tiles = math.prod(a.size for a in outer) * cut.count
    width = tile.vectors * lanes
    columns_outer = math.prod(a.size for a in f.columns_outer)
    all_panels = columns_outer * -(-lane_size // width)
    batch = math.prod(a.size for a in f.batch)

    scattered = abs(f.inner[-1].s) * itemsize >= 64 and all_panels > 2
    packs_s = f.must_pack_s or scattered
    at, step = cut_inner(f.inner, _DEEP_PACKED if packs_s else _DEEP)
    depth = step * math.prod(a.size for a in f.inner[at + 1 :])
    packs_v = f.must_pack_v or not _reads_v(f, all_tiles, depth, width, lanes, itemsize)

    work = batch * all_rows * lane_size * columns_outer * depth_all
    wanted = max(min(_CHUNKS, work // _CHUNK), 1)
    sums = tile.rows * width * itemsize

    def fits(row_tiles: int, panels: int) -> bool:
        if packs_v and panels > 1 and panels * depth * width * itemsize > _NEAR:
            return False
        if packs_s and row_tiles > 1 and row_tiles * depth * tile.rows * itemsize > _NEAR:
            return False
        tiles_ = row_tiles * panels
        return depth == depth_all or tiles_ == 1 or tiles_ * sums <= _WAITING

    def cost(row_tiles: int, panels: int) -> float:
        row_blocks, column_blocks = -(-all_tiles // row_tiles), -(-all_panels // panels)
        packing = _COPY * lanes * packs_v * row_blocks / all_rows
        packing += _COPY * lanes * packs_s * column_blocks / (columns_outer * lane_size)
        chunks = batch * row_blocks * column_blocks
        rounds = -(-chunks // wanted) * wanted / chunks  # threads that wait for the last chunk
        idle = rounds - 1 if chunks < 4 * wanted else 0.0
        return packing + idle / 2 + chunks * 1e-4

    choices = [
        (cost(r, q), r, q)
        for r in _pieces(all_tiles)
        for q in _pieces(all_panels)
        if fits(r, q)
    ]
    _, row_tiles, panels = min(choices)
    chunks = batch * -(-all_panels // panels) * -(-all_tiles // row_tiles)
    splits = 1
    if chunks < wanted and depth_all >= 2048:
        splits = min(-(-wanted // chunks), depth_all // 512)
        at, step = cut_inner(f.inner, min(depth, -(-depth_all // splits)))
        before = math.prod(a.size for a in f.inner[:at]) * -(-f.inner[at].size // step)
        splits = min(splits, before)
        splits = -(-before // -(-before // splits))
    return Plan(
        lanes, tile, f.batch, outer, row, f.columns_outer, f.lane, f.inner, packs_v, packs_s,
        at, step, row_tiles, panels, splits,
    )  # fmt: skip


def _pieces(count: int) -> list[int]:
    """Sizes of equal blocks of `count` things: 1, 2, 3, … blocks, then ever more."""
    found, blocks = [], 1
    while blocks < count:
        found.append(-(-count // blocks))
        blocks = max(blocks + 1, blocks * 5 // 4)
    return [*found, 1]


def _reads_v(
    f: Facts, all_tiles: int, depth: int, width: int, lanes: int, itemsize: int
) -> bool:
    """Whether vectors can and should be read where V lies."""
    last = f.lane[-1]
    if last.v != 1 or (len(f.lane) > 1 and last.size % lanes):
        return False
    return all_tiles <= 2 or depth * width * itemsize <= 8 << 10
