"""What the kernels of attention are made of: operands copied near, tiles of products, rows.

An operand of one head is a matrix of lines, [T, d]. It is read in three ways:

    numbers  [T, d]          lines of the tile, one number at a time
    turned   [T/W][d][W]     its transpose, W lines side by side: vectors along the lines
    lines    [T, d…]         vectors along a line, which is filled up to whole vectors

A tile of scores is (numbers of some queries) × (turned keys); the tile's own numbers times the
lines of the values are what is looked up.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

from chainrule.schedule.build import Builder
from chainrule.schedule.contract.micro import Numbers, Steps, Vectors, multiply
from chainrule.schedule.contract.pack import Depth, Source, panel
from chainrule.schedule.contract.plan import Axis, Machine
from chainrule.schedule.loops import SIZE, Buffer, Value

#: Lines that are turned and copied near at once; about so many, in whole panels and tiles.
COLUMNS = 128


class Side(NamedTuple):
    """A matrix of one head in memory: element (r, c) is number at + r · row + c · step."""

    buffer: Buffer
    at: Value
    lines: int
    width: int
    row: int
    step: int


class Frame(NamedTuple):
    """Sizes that follow from the processor.

    rows, vectors   a tile of sums in registers
    lanes           of a vector
    columns         how wide a block of scores is
    """

    rows: int
    vectors: int
    lanes: int
    columns: int
    kind: str
    fused: bool

    @property
    def width(self) -> int:
        """Columns of a panel."""
        return self.vectors * self.lanes

    def padded(self, n: int) -> int:
        """A number of elements, filled up to whole vectors."""
        return -(-n // self.lanes) * self.lanes


def frame(machine: Machine, kind: str) -> Frame:
    """Tiles that leave room for a vector and a number beside the sums."""
    rows = 8 if machine.registers >= 32 else 6
    lanes = max(machine.vector_bytes // SIZE[kind], 1)
    even = math.lcm(2 * lanes, rows)
    return Frame(rows, 2, lanes, max(round(COLUMNS / even), 1) * even, kind, machine.fma)


#: What becomes of a vector of a tile: row of the tile, column in the block, value.
Use = Callable[[int, Value, Value], Value]


class Tiles:
    """Writes pieces of a kernel."""

    def __init__(self, b: Builder, f: Frame) -> None:
        self.b, self.f = b, f

    # ------------------------------------------------------------------ memory

    def fill(self, to: Buffer, value: float) -> None:
        """One number everywhere."""
        with self.b.loop(0, to.size, note="vector") as i:
            self.b.store(to, i, value)

    def copy(
        self, x: Side, first: Value, count: Value, to: Buffer, pitch: int, by: float = 1.0
    ) -> None:
        """`count` lines of a matrix, times a number; zeros behind the end of each."""
        b = self.b
        with b.loop(0, count) as r:
            line, place = b.add(x.at, b.mul(b.add(first, r), x.row)), b.mul(r, pitch)
            with b.loop(0, x.width, note="vector") as c:
                value = b.load(x.buffer, b.add(line, b.mul(c, x.step)))
                b.store(to, b.add(place, c), value if by == 1.0 else b.mul(value, by))
            if pitch > x.width:
                with b.loop(x.width, pitch, note="vector") as c:
                    b.store(to, b.add(place, c), 0.0)

    def turn(self, x: Side, first: Value, count: Value, to: Buffer) -> None:
        """`count` lines as panels. A block begins with a whole panel, and only the last ends
        without.
        """
        b, f = self.b, self.f
        source, axis = Source(x.buffer, x.at), Axis("", x.lines, v=x.row)
        depth = Depth(x.width, x.step)

        def one(p: Value, columns: int) -> None:
            panel(
                b, source, (axis,), b.add(first, b.mul(p, f.width)), columns, f.lanes, (depth,),
                to, b.mul(p, x.width * f.width), f.width, f.kind,
            )  # fmt: skip

        whole, rest = b.op("div", count, f.width), x.lines % f.width
        if x.lines >= f.width:
            with b.loop(0, whole) as p:
                one(p, f.width)
        if rest:
            with b.branch(b.op("ne", b.mul(whole, f.width), count)):
                one(whole, rest)

    # ------------------------------------------------------------------ products

    def panels(self, count: Value) -> Value:
        """How many panels hold so many columns."""
        return self.b.op("div", self.b.add(count, self.f.width - 1), self.f.width)

    def product(
        self, numbers: Buffer, row: Value, depth: int, turned: Buffer, start: Value, stop: Value,
        to: Buffer, use: Use | None = None, base: Value | None = None,
    ) -> None:  # fmt: skip
        """A tile of rows × panels start … stop, to `to` [rows, columns], from row `base` on."""
        b, f = self.b, self.f
        begin = b.mul(b.const(0, "i64") if base is None else base, f.columns)
        with b.loop(start, stop) as p:
            at = b.mul(p, depth * f.width)
            sums = multiply(
                b, f.rows, f.lanes, [Steps(depth, f.width, 1)],
                Vectors(turned, tuple(b.add(at, j * f.lanes) for j in range(f.vectors)), None),
                Numbers(numbers, b.mul(row, depth), depth), f.kind, f.fused,
            )  # fmt: skip
            for r in range(f.rows):
                for j in range(f.vectors):
                    column = b.add(b.mul(p, f.width), j * f.lanes)
                    x = b.get(sums[r][j])
                    x = x if use is None else use(r, column, x)
                    b.store(to, b.add(b.add(begin, column), r * f.columns), x)

    def accumulate(
        self, numbers: Numbers, step: int, start: Value, stop: Value, lines: Buffer, width: int,
        to: Buffer, row: Value, scale: Buffer | None = None,
    ) -> None:  # fmt: skip
        """to[row + r] ← to[row + r] · scale[r] + Σ numbers[r, c] · lines[c], start ≤ c < stop. The
        numbers of a row are `step` apart.
        """
        b, f = self.b, self.f
        pad = f.padded(width)
        count = b.sub(stop, start)
        numbers = numbers._replace(at=b.add(numbers.at, b.mul(start, step)))
        whole, rest = divmod(pad // f.lanes, f.vectors)

        def one(c: Value, vectors: int) -> None:
            at = b.add(b.mul(start, pad), c)
            sums = multiply(
                b, f.rows, f.lanes, [Steps(count, pad, step)],
                Vectors(lines, tuple(b.add(at, j * f.lanes) for j in range(vectors)), None),
                numbers, f.kind, f.fused,
            )  # fmt: skip
            for r in range(f.rows):
                for j in range(vectors):
                    place = b.add(b.mul(b.add(row, r), pad), b.add(c, j * f.lanes))
                    x, old = b.get(sums[r][j]), b.load(to, place, f.lanes)
                    by = None if scale is None else b.splat(b.load(scale, r), f.lanes)
                    b.store(to, place, b.add(x, old) if by is None else b.fma(old, by, x))

        if whole:
            with b.loop(0, whole) as k:
                one(b.mul(k, f.width), f.vectors)
        if rest:
            one(b.const(whole * f.width, "i64"), rest)

    # ------------------------------------------------------------------ rows

    def larger(self, x: Value, y: Value) -> Value:
        """The larger of both; y, where one is NaN."""
        return self.b.select(self.b.op("gt", x, y), x, y)

    def largest(self, x: Value) -> Value:
        """Of all lanes."""
        b, lanes = self.b, x.type.lanes
        while lanes > 1:
            half = lanes // 2
            low = b.shuffle(x, x, tuple(range(half)))
            x = self.larger(low, b.shuffle(x, x, tuple(range(half, lanes))))
            lanes = half
        return x if x.type.lanes == 1 else b.extract(x, 0)
