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
    @property
    def caches(self) -> tuple[int, int]: ...


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
    slide: int = 0  # the last axis of K moves so far along the lanes: panels hold what all need

    @property
    def lane_size(self) -> int:
        return math.prod(a.size for a in self.lane)

    @property
    def width(self) -> int:
        """Columns of a panel."""
        return self.tile.vectors * self.lanes

    @property
    def beyond(self) -> int:
        """Columns behind the last of a panel that sliding needs."""
        return self.slide * (self.inner[-1].size - 1)

    @property
    def pitch(self) -> int:
        """Columns of a panel as it is packed."""
        return -(-(self.width + self.beyond) // self.lanes) * self.lanes

    @property
    def panel(self) -> int:
        """Elements of a packed panel."""
        return self.pitch * (self.depth // self.inner[-1].size if self.slide else self.depth)

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
