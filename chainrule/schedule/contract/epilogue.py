"""What becomes of finished sums: stored as they are, or first given to the elementwise ops that
read the product (bias, activation, residual, mask), while they are in registers.

An index of a vector of lanes is an index whose atom is a vector, base + (0, 1, 2, …): the evaluator
computes with it as with a number, and memory is read by neighbours where the place grows by 1 with
it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from chainrule.ir.graph import Graph, topological
from chainrule.ir.node import Node, TensorType
from chainrule.schedule import scalars
from chainrule.schedule.build import Builder
from chainrule.schedule.contract.pack import first_lanes
from chainrule.schedule.contract.plan import Plan
from chainrule.schedule.contract.write import Block, lane_out
from chainrule.schedule.evaluate import Evaluator, Source
from chainrule.schedule.index import Index, emit, linear, unravel, variables
from chainrule.schedule.loops import SIZE, Buffer, Value
from chainrule.schedule.moves import MOVES, Indices, reshaped
from chainrule.shapes import Shape

#: Ops that are long when written out; and how much may be written out in all.
_LONG = frozenset({"exp", "tanh", "erf", "log", "sigmoid", "pow", "sin", "cos", "expm1", "log1p"})
_WRITTEN_OUT = 400
#: Results of fewer elements are near, whatever the order.
_STREAM = 1 << 15


def is_elementwise(graph: Graph, node: Node) -> bool:
    """Whether every output is made of sums one by one, where they are."""
    inputs = set(graph.inputs)
    after = {node}
    for n in topological(graph.outputs, stop=lambda n: n in inputs or n is node):
        if n in inputs or n is node:
            continue
        if not isinstance(n.type, TensorType):
            return False
        of_sums = [i for i in n.inputs if i in after]
        if of_sums:
            whole = all(i.shape == n.shape for i in of_sums)
            point = n.op.elementwise or n.op.name in ("cast", "copy", "stop_gradient", "after")
            if not (n.op.name == "reshape" or (point and whole)):
                return False
            after.add(n)
        elif not (n.op.elementwise or n.op.name in MOVES or n.op.name in ("const", "iota", "cast")):
            return False
    return all(y in after for y in graph.outputs)


def _reshaped(x: Node) -> Node:
    """What x is a reshape of."""
    while x.op.name == "reshape":
        x = x.inputs[0]
    return x


class Epilogue:
    """Writes the outputs of a fused graph for tiles of sums."""

    def __init__(
        self, b: Builder, graph: Graph, node: Node, plan: Plan, letters: str,
        inputs: dict[Node, Buffer], outputs: Sequence[Buffer], kind: str,
    ) -> None:  # fmt: skip
        self.b, self.graph, self.node, self.plan, self.letters = b, graph, node, plan, letters
        self.outputs, self.kind = outputs, kind
        self.sizes = dict(zip(letters, node.shape, strict=True))
        self.sources: dict[Node, Source] = {
            x: vector_reader(b, buffer, x.shape) for x, buffer in inputs.items()
        }
        self.plain = all(_reshaped(y) is node for y in graph.outputs)
        self.in_strips = not self.plain and self._streams()
        self.in_memory = not self.plain and (self.in_strips or self._long())

    def _inside(self) -> list[Node]:
        return topological(self.graph.outputs, stop=lambda n: n in self.sources or n is self.node)

    def _long(self) -> bool:
        """Whether the ops are too many to be written once for each vector of a tile."""
        size = sum(30 if n.op.name in _LONG else 1 for n in self._inside())
        return size * self.plan.tile.rows * self.plan.tile.vectors > _WRITTEN_OUT

    def _streams(self) -> bool:
        """Whether arrays as large as the result are read: tile by tile every row of them would be
        waited for.
        """
        size = math.prod(self.node.shape)
        large = (n in self.sources and math.prod(n.shape) >= size for n in self._inside())
        return size >= _STREAM and any(large)

    def registers(self, b: Builder, block: Block, sums: Sequence[Sequence[Value]]) -> None:
        """Stores the outputs of a tile."""
        lanes = self.plan.lanes
        for r, row in enumerate(sums):
            for j, x in enumerate(row):
                left = block.columns - j * lanes
                self._store(block, b.const(r, "i64"), b.const(j * lanes, "i64"), left, x)

    def row(self, b: Builder, block: Block, r: Value, scratch: Buffer, at: Value) -> None:
        """Stores the outputs of one row, whose sums lie at `at`."""
        lanes = self.plan.lanes
        whole = block.columns // lanes * lanes
        if whole:
            with b.loop(0, whole, lanes) as j:
                self._store(block, r, j, lanes, b.load(scratch, b.add(at, j), lanes))
        if whole < block.columns:
            x = b.load(scratch, b.add(at, whole), lanes)
            self._store(block, r, b.const(whole, "i64"), block.columns - whole, x)

    def _store(self, block: Block, r: Value, j: Value, left: int, x: Value) -> None:
        """One vector: `left` lanes from row r and lane j of a block on."""
        b, p = self.b, self.plan
        if self.plain:
            step = lane_out(p)
            at = b.add(b.add(block.base, b.mul(r, p.row.out)), b.mul(j, step))
            at = b.add(at, b.mul(block.split, p.size))  # parts of K are kept apart
            if step != 1:
                at = b.add(b.mul(b.ramp(0, p.lanes), step), b.splat(at, p.lanes))
            for out in self.outputs:
                store_first(b, out, at, b.cast(x, out.kind), left)
            return
        mask = None if left >= p.lanes else first_lanes(b, left, p.lanes)
        index = self._index(block, r, j)
        kind = scalars.KIND[self.node.dtype.short]
        sums = b.cast(x, kind)
        sources = {**self.sources, self.node: lambda at, mask: sums}
        write = Evaluator(b, sources)
        for y, out in zip(self.graph.outputs, self.outputs, strict=True):
            here = reshaped(index, self.node.shape, y.shape)
            value = write.at(y, here, mask)
            if value.type.lanes == 1:
                value = b.splat(value, p.lanes)
            store_first(b, out, vector_place(b, linear(here, y.shape)), value, left)

    def _index(self, block: Block, r: Value, j: Value) -> Indices:
        b, p = self.b, self.plan
        found: dict[str, Index] = {}

        def spread(letters: str, at: Index) -> None:
            sizes = [self.sizes[c] for c in letters]
            found.update(zip(letters, unravel(at, sizes), strict=True))

        for letters, at in block.outer.items():
            spread(letters, at)
        spread(p.row.letters, Index.of(block.row) + Index.of(r))
        first = b.add(block.lane, j)
        lane = b.ramp(first, p.lanes)
        if first.bounds is not None:
            lane.bounds = (first.bounds[0], first.bounds[1] + p.lanes - 1)
        spread("".join(a.letters for a in p.lane), Index.of(lane))
        zero = Index(0)
        return tuple(found.get(c, zero) for c in self.letters)


def store_first(b: Builder, to: Buffer, at: Value, value: Value, count: int) -> None:
    """The first lanes of a vector. Neighbours are stored by powers of two where vectors have at
    most 256 bits: there, masked stores are slow on some processors.
    """
    lanes = value.type.lanes
    if count >= lanes or at.type.lanes > 1 or lanes * SIZE[to.kind] > 32:
        mask = None if count >= lanes else first_lanes(b, count, lanes)
        b.store(to, at, value, mask)
        return
    done = 0
    while done < count:
        piece = 1 << ((count - done).bit_length() - 1)
        part = (
            b.extract(value, done)
            if piece == 1
            else b.shuffle(value, value, tuple(range(done, done + piece)))
        )
        b.store(to, b.add(at, done), part)
        done += piece


def vector_place(b: Builder, at: Index) -> Value:
    """A place in memory: a number where lanes are neighbours (or there is no vector in it), else a
    vector of places.
    """
    wide = [(atom, c) for atom, c in at.terms if any(v.type.lanes > 1 for v in variables(atom))]
    if not wide:
        return emit(b, at)
    if len(wide) == 1 and isinstance(wide[0][0], Value) and wide[0][1] == 1:
        ramp = wide[0][0]
        rest = Index(at.const, [t for t in at.terms if t[0] is not ramp])
        return b.add(emit(b, rest), ramp.args[0])
    return emit(b, at)


def vector_reader(b: Builder, buffer: Buffer, shape: Shape) -> Source:
    """Reads an array where an index may have a vector in it."""

    def read(index: Indices, mask: Value | None) -> Value:
        at = linear(index, shape)
        wide = {v.type.lanes for v in variables(at)} - {1}
        if not wide:
            alike = mask is None or mask.type.lanes > 1  # one element for all lanes that are wanted
            return b.load(buffer, emit(b, at), mask=None if alike else mask)
        (lanes,) = wide
        place = vector_place(b, at)
        if mask is not None and mask.type.lanes == 1:
            mask = b.splat(mask, lanes)
        return b.load(buffer, place, lanes, mask)

    return read
