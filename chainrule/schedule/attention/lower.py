"""Attention and its gradient without the T × S matrix of probabilities (Dao et al.,
"FlashAttention", 2022, and "FlashAttention-2", 2023).

    y = softmax(Q Kᵀ / √d) V

Forward, for a block of queries: for every block of keys S = Q Kᵀ; m' = max(m, S); P = e^(S − m');
l ← l e^(m − m') + Σ P; O ← O e^(m − m') + P V; at the end y = O / l. So a row's largest number and
sum are brought up to date, and nothing larger than a tile is kept.

The gradient computes P again, in two kernels. With dP = g Vᵀ, Δ = Σ g ∘ y, dS = P ∘ (dP − Δ):

    queries   like forward, with dS in place of P and K in place of V: dQ. Puts z = m + log l and Δ
              of every row into temporaries
    keys      for a block of keys, over blocks of queries: P = e^(S − z); dV += Pᵀ g, dK += dSᵀ Q

Where forward has put z into memory, and there are heads enough to be shared, one kernel does all
for a head: `keys`, block after block, with dQ += dS K beside it. That is 5 products instead of 7.

What one iteration of the shared loop sums, it sums in a fixed order; so results do not depend on
threads.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from chainrule.ir.graph import Graph
from chainrule.ir.node import Node
from chainrule.ops.attention import factor
from chainrule.schedule import elementary, scalars
from chainrule.schedule.attention.tiles import Frame, Side, Tiles, frame
from chainrule.schedule.build import Builder
from chainrule.schedule.contract.micro import Numbers
from chainrule.schedule.contract.operand import Operand, read
from chainrule.schedule.contract.plan import Machine
from chainrule.schedule.index import Index, emit, unravel
from chainrule.schedule.loops import SIZE, Buffer, Value
from chainrule.schedule.lowered import Lowered, Place, Step, Temporary
from chainrule.schedule.nests import lower_nest

#: Lines of the block that an iteration of the shared loop is for.
LINES = 192
#: So many heads are enough to be shared; and so many bytes may a head's dQ have near.
HEADS, NEAR = 16, 4 << 20
_LETTERS = "abcdefgh"


def lower_attention(graph: Graph, machine: Machine) -> Lowered:
    """The steps of a kernel whose outputs are an attention, or parts of its gradient."""
    return _Lowering(graph, machine).lowered()


class _Sizes(NamedTuple):
    """Of an attention: how many heads, queries and keys there are; and how long a query and a value
    is.
    """

    lead: tuple[int, ...]
    queries: int
    keys: int
    depth: int
    width: int

    @property
    def heads(self) -> int:
        return math.prod(self.lead)


class _Lowering:
    def __init__(self, graph: Graph, machine: Machine) -> None:
        root = graph.outputs[0]
        self.node = root.inputs[0] if root.op.name == "item" else root
        self.graph = graph
        backward = self.node.op.name == "attention_gradient"
        self.names = ("g", "y", "q", "k", "v", "z") if backward else ("q", "k", "v")
        q, k, v = self.node.inputs[2:5] if backward else self.node.inputs
        self.scale = factor(q, self.node.attr("scale"))
        self.sizes = _Sizes(q.shape[:-2], q.shape[-2], k.shape[-2], q.shape[-1], v.shape[-1])
        self.kind = scalars.KIND[q.dtype.short]
        self.frame = frame(machine, self.kind)
        self.steps: list[Step] = []
        self.temporaries: list[Temporary] = []
        self.places: dict[Node, Place] = {x: Place("input", i) for i, x in enumerate(graph.inputs)}

    def lowered(self) -> Lowered:
        pairs = zip(self.names, self.node.inputs, strict=False)
        given = {name: self._operand(x) for name, x in pairs}
        out = {
            0 if o is self.node else o.attr("index"): Place("output", i)
            for i, o in enumerate(self.graph.outputs)
        }
        s = self.sizes
        if "g" not in given:
            y = out.get(0) or self._temporary(s.heads * s.queries * s.width)
            _Queries(self, given, {"y": y, **({"z": out[1]} if 1 in out else {})}, {}).write()
            return self._done()
        sizes = ((s.queries, s.depth), (s.keys, s.depth), (s.keys, s.width))
        dq, dk, dv = (
            out.get(i) or self._temporary(s.heads * lines * width)
            for i, (lines, width) in enumerate(sizes)
        )
        near = s.queries * self.frame.padded(s.depth) * SIZE[self.kind]
        if "z" in given and s.heads >= HEADS and near <= NEAR and out.keys() != {0}:
            _Keys(self, given, {"dq": dq, "dk": dk, "dv": dv}, {}).write()
            return self._done()
        given.pop("z", None)
        statistics = {name: self._temporary(s.heads * s.queries) for name in ("z", "mean")}
        _Queries(self, given, {"dq": dq, **statistics}, {}).write()
        if out.keys() != {0}:
            del given["y"]
            _Keys(self, given, {"dk": dk, "dv": dv}, statistics).write()
        return self._done()

    def _done(self) -> Lowered:
        return Lowered(tuple(self.steps), tuple(self.temporaries))

    def _temporary(self, size: int) -> Place:
        self.temporaries.append(Temporary(self.kind, size))
        return Place("temporary", len(self.temporaries) - 1)

    def _operand(self, x: Node) -> Operand:
        """Where an operand lies; what is no even view of an input is computed first."""
        operand = read(x, _LETTERS[: x.ndim], frozenset(self.graph.inputs))
        source = operand.source
        if source not in self.places:
            place = self._temporary(math.prod(source.shape))
            for step in lower_nest(Graph(self.graph.inputs, (source,))).steps:
                where = tuple(place if p.what == "output" else p for p in step.places)
                self.steps.append(step._replace(places=where))
            self.places[source] = place
        return operand


class _Kernel:
    """One kernel: its buffers, the block of lines that an iteration is for, and scratch memory."""

    def __init__(
        self, low: _Lowering, given: dict[str, Operand], out: dict[str, Place],
        read: dict[str, Place],
    ) -> None:  # fmt: skip
        self.low, self.given = low, given
        self.sizes, self.kind = low.sizes, low.kind
        self.f: Frame = low.frame
        self.b = Builder()
        self.tiles = Tiles(self.b, self.f)
        self.causal: bool = low.node.attr("causal")
        self.scale = low.scale
        self.where: list[Place] = []
        self.sources: dict[Node, Buffer] = {}
        for operand in given.values():
            x = operand.source
            if x not in self.sources:
                name = f"x{len(self.sources)}"
                self.sources[x] = self.b.buffer(name, self.kind, math.prod(x.shape), "in")
                self.where.append(low.places[x])
        s = self.sizes
        sizes = {
            "y": s.heads * s.queries * s.width, "dq": s.heads * s.queries * s.depth,
            "dk": s.heads * s.keys * s.depth, "dv": s.heads * s.keys * s.width,
            "z": s.heads * s.queries, "mean": s.heads * s.queries,
        }  # fmt: skip
        self.memory: dict[str, Buffer] = {}
        for name, place in read.items():
            self.memory[name] = self.b.buffer(name, self.kind, sizes[name], "in")
            self.where.append(place)
        for name, place in out.items():
            self.memory[name] = self.b.buffer(name, self.kind, sizes[name], "out")
            self.where.append(place)

    def block(self, lines: int) -> int:
        """Lines of a block: whole tiles, blocks as even as can be."""
        even = math.ceil(lines / math.ceil(lines / LINES))
        return math.ceil(even / self.f.rows) * self.f.rows

    @contextmanager
    def blocks(self, name: str, lines: int, others: int, products: int) -> Iterator[None]:
        """The shared loop over heads and blocks of their lines."""
        self.lines = self.block(lines)
        count = -(-lines // self.lines)
        with self.shared(name, count, self.lines * others * products) as i:
            self.head = self.b.op("div", i, count)
            self.begin(self.b.op("rem", i, count), lines)
            yield

    @contextmanager
    def shared(self, name: str, count: int, products: int) -> Iterator[Value]:
        """The shared loop: `count` times for every head."""
        work = products * (0.5 if self.causal else 1)
        extent = self.sizes.heads * count
        with self.b.kernel(name, extent, work / (self.f.lanes * 5)) as i:
            yield i
        kernel = self.b.finish()
        self.low.steps.append(Step(kernel, tuple(self.where), kernel.extent))

    def begin(self, block: Value, lines: int) -> None:
        """A block of lines: which is the first, how many there are, and how many tiles."""
        b = self.b
        self.first = b.mul(block, self.lines)
        self.have = b.op("min", b.sub(b.const(lines, "i64"), self.first), self.lines)
        self.count = b.op("div", b.add(self.have, self.f.rows - 1), self.f.rows)

    def tile(self, numbers: Buffer, row: Value | None = None) -> Numbers:
        """Rows of a block of scores."""
        first = self.b.const(0, "i64") if row is None else self.b.mul(row, self.f.columns)
        return Numbers(numbers, first, self.f.columns)

    def side(self, name: str) -> Side:
        """An operand of this head."""
        operand = self.given[name]
        lead = _LETTERS[: len(self.sizes.lead)]
        row, step = _LETTERS[len(lead)], _LETTERS[len(lead) + 1]
        at = Index(operand.offset)
        for c, i in zip(lead, unravel(Index.of(self.head), self.sizes.lead), strict=True):
            at = at + i * operand.strides[c]
        keys = name in ("k", "v")
        lines = self.sizes.keys if keys else self.sizes.queries
        width = self.sizes.depth if name in ("q", "k") else self.sizes.width
        start = emit(self.b, at)
        strides = operand.strides
        across = strides.get(step, 0)  # z has one number in a row
        return Side(self.sources[operand.source], start, lines, width, strides[row], across)

    def local(self, size: int) -> Buffer:
        return self.b.local(self.kind, size)

    def exp(self, x: Value) -> Value:
        return elementary.exp(self.b, x)

    def masks(self, limit: Value, column: Value) -> Value:
        """Which lanes of the vector that begins at `column` come before `limit`."""
        b, whole = self.b, "i32" if self.kind == "f32" else "i64"
        lanes = b.cast(b.ramp(0, self.f.lanes), whole)
        return b.op("lt", lanes, b.cast(b.sub(limit, column), whole))

    def means(self, g: Side, y: Side, first: Value, count: Value, to: Buffer) -> None:
        """Δ = Σ g · y of some rows."""
        b = self.b
        with b.loop(0, count) as r:
            line = b.add(first, r)
            total = b.register(b.const(0.0, self.kind))
            with b.loop(0, g.width, note="vector") as c:
                x = b.load(g.buffer, b.add(b.add(g.at, b.mul(line, g.row)), b.mul(c, g.step)))
                z = b.load(y.buffer, b.add(b.add(y.at, b.mul(line, y.row)), b.mul(c, y.step)))
                b.set(total, b.mul(x, z), "add")
            b.store(to, r, b.get(total))

    def store(
        self, name: str, width: int, lines: int, first: Value, count: Value | int, sums: Buffer,
        by: float,
    ) -> None:  # fmt: skip
        """Sums times a number, as lines of an output."""
        b = self.b
        pad, out = self.f.padded(width), self.memory[name]
        start = b.mul(b.add(b.mul(self.head, lines), first), width)
        with b.loop(0, count) as r:
            line = b.add(start, b.mul(r, width))
            with b.loop(0, width, note="vector") as c:
                x = b.load(sums, b.add(b.mul(r, pad), c))
                b.store(out, b.add(line, c), x if by == 1.0 else b.mul(x, by))


# ------------------------------------------------------------------ blocks of queries


class _Queries(_Kernel):
    def write(self) -> None:
        s, f, b = self.sizes, self.f, self.b
        self.backward = "g" in self.given
        summed = s.depth if self.backward else s.width
        name = "attention_gradient_queries" if self.backward else "attention"
        products = s.depth + s.width + (s.depth if self.backward else 0) + 16
        with self.blocks(name, s.queries, s.keys, products):
            n, t = self.lines, self.tiles
            q, k, v = self.side("q"), self.side("k"), self.side("v")
            self.top, self.total = self.local(n), self.local(n)
            self.safe, self.decay = self.local(f.rows), self.local(f.rows)
            sums = self.local(n * f.padded(summed))
            queries, turned = self.local(n * s.depth), self.local(f.columns * s.depth)
            lines, scores = self.local(f.columns * f.padded(summed)), self.local(f.rows * f.columns)
            t.fill(self.top, -math.inf)
            t.fill(self.total, 0.0)
            t.fill(sums, 0.0)
            t.copy(q, self.first, self.have, queries, s.depth, self.scale)
            if self.backward:
                g = self.side("g")
                above, turned_v = self.local(n * s.width), self.local(f.columns * s.width)
                products_v = self.local(f.rows * f.columns)
                self.mean = self.local(n)
                t.copy(g, self.first, self.have, above, s.width)
                self.means(g, self.side("y"), self.first, self.have, self.mean)
            last = b.add(self.first, self.have)  # a causal row reads no keys from here on
            stop = b.op("min", last, s.keys) if self.causal else b.const(s.keys, "i64")
            with b.loop(0, b.op("div", b.add(stop, f.columns - 1), f.columns)) as block:
                begin = b.mul(block, f.columns)
                count = b.op("min", b.sub(b.const(s.keys, "i64"), begin), f.columns)
                t.turn(k, begin, count, turned)
                if self.backward:
                    t.turn(v, begin, count, turned_v)
                t.copy(k if self.backward else v, begin, count, lines, f.padded(summed))
                below = b.const(0, "i64")
                if self.causal:
                    below = b.op("div", b.op("max", b.sub(begin, self.first), 0), f.rows)
                with b.loop(below, self.count) as tile:
                    row = b.mul(tile, f.rows)
                    seen = count
                    self.diagonal = b.sub(b.add(self.first, row), begin)
                    if self.causal:
                        seen = b.op("min", count, b.add(self.diagonal, f.rows))
                    panels = t.panels(seen)
                    self.scores(queries, row, turned, seen, panels, scores)
                    if self.backward:
                        zero = b.const(0, "i64")
                        t.product(above, row, s.width, turned_v, zero, panels, products_v)
                        self.probabilities(row, panels, scores, products_v)
                    else:
                        self.probabilities(row, panels, scores, None)
                    of, zero = self.tile(scores), b.const(0, "i64")
                    t.accumulate(of, 1, zero, seen, lines, summed, sums, row, self.decay)
            self.finish(sums, summed)

    def scores(
        self, queries: Buffer, row: Value, turned: Buffer, seen: Value, panels: Value, to: Buffer
    ) -> None:
        """A tile of scores; largest numbers of rows; what the sums before are multiplied by."""
        b, f, t = self.b, self.f, self.tiles
        lowest = b.const(-math.inf, self.kind, f.lanes)
        best = [b.register(lowest) for _ in range(f.rows)]
        masked = self.causal or self.sizes.keys % f.width != 0

        def use(r: int, column: Value, x: Value) -> Value:
            if masked:
                limit = seen
                if self.causal:
                    limit = b.op("min", seen, b.add(self.diagonal, r + 1))
                x = b.select(self.masks(limit, column), x, lowest)
            b.set(best[r], t.larger(x, b.get(best[r])))
            return x

        t.product(queries, row, self.sizes.depth, turned, b.const(0, "i64"), panels, to, use)
        for place, largest in enumerate(best):
            b.store(self.safe, place, t.largest(b.get(largest)))
        with b.loop(0, f.rows, note="vector") as r:
            old = b.load(self.top, b.add(row, r))
            new = t.larger(b.load(self.safe, r), old)
            b.store(self.top, b.add(row, r), new)
            safe = b.select(b.op("eq", new, -math.inf), 0.0, new)  # −∞ − −∞ is no number
            b.store(self.safe, r, safe)
            b.store(self.decay, r, self.exp(b.sub(old, safe)))

    def probabilities(
        self, row: Value, panels: Value, scores: Buffer, products: Buffer | None
    ) -> None:
        """P = e^(S − m) in place of the scores, or dS = P ∘ (dP − Δ); and sums of rows of P."""
        b, f = self.b, self.f
        with b.loop(0, f.rows) as r:
            safe, place = b.load(self.safe, r), b.add(row, r)
            mean = None if products is None else b.load(self.mean, place)
            total = b.register(b.const(0.0, self.kind, f.lanes))
            with b.loop(0, b.mul(panels, f.width), f.lanes) as c:
                at = b.add(b.mul(r, f.columns), c)
                p = self.exp(b.sub(b.load(scores, at, f.lanes), b.splat(safe, f.lanes)))
                b.set(total, b.add(b.get(total), p))
                if products is not None and mean is not None:
                    above = b.load(products, at, f.lanes)
                    p = b.mul(p, b.sub(above, b.splat(mean, f.lanes)))
                b.store(scores, at, p)
            before = b.mul(b.load(self.total, place), b.load(self.decay, r))
            b.store(self.total, place, b.add(before, b.reduce(b.get(total), "add")))

    def finish(self, sums: Buffer, width: int) -> None:
        """What was summed, by the sum of each row."""
        b, s = self.b, self.sizes
        pad = self.f.padded(width)
        out = self.memory["dq" if self.backward else "y"]
        start = b.mul(b.add(b.mul(self.head, s.queries), self.first), width)
        with b.loop(0, self.have) as r:
            total = b.load(self.total, r)
            by = b.div(b.const(self.scale, self.kind), total)
            with b.loop(0, width, note="vector") as c:
                x = b.load(sums, b.add(b.mul(r, pad), c))
                x = b.mul(x, by) if self.backward else b.div(x, total)
                b.store(out, b.add(start, b.add(b.mul(r, width), c)), x)
        first = b.add(b.mul(self.head, s.queries), self.first)
        if "z" in self.memory:
            with b.loop(0, self.have, note="vector") as r:
                z = b.add(b.load(self.top, r), elementary.log(b, b.load(self.total, r)))
                b.store(self.memory["z"], b.add(first, r), z)
        if "mean" in self.memory:
            with b.loop(0, self.have, note="vector") as r:
                b.store(self.memory["mean"], b.add(first, r), b.load(self.mean, r))


# ------------------------------------------------------------------ blocks of keys


class _Keys(_Kernel):
    """dk and dv of a block of keys; or of all of a head, and dq."""

    def write(self) -> None:
        s, b = self.sizes, self.b
        self.whole = "dq" in self.memory
        self.lines = self.block(s.keys)
        products = 2 * (s.depth + s.width) + 16
        if not self.whole:
            with self.blocks("attention_gradient_keys", s.keys, s.queries, products):
                self.prepare()
                self.keys()
            return
        work = (products + s.depth) * s.keys * s.queries
        with self.shared("attention_gradient", 1, work) as self.head:
            self.prepare()
            padded = -(-s.queries // self.f.columns) * self.f.columns
            self.sums_q = self.local(padded * self.f.padded(s.depth))
            self.tiles.fill(self.sums_q, 0.0)
            self.mean = self.local(s.queries)
            zero, every = b.const(0, "i64"), b.const(s.queries, "i64")
            self.means(self.side("g"), self.side("y"), zero, every, self.mean)
            with b.loop(0, -(-s.keys // self.lines)) as block:
                self.begin(block, s.keys)
                self.keys()
            self.store("dq", s.depth, s.queries, zero, s.queries, self.sums_q, self.scale)

    def prepare(self) -> None:
        """Scratch memory."""
        s, f, n, c = self.sizes, self.f, self.lines, self.f.columns
        wide, deep = f.padded(s.width), f.padded(s.depth)
        self.sums_k, self.sums_v = self.local(n * deep), self.local(n * wide)
        self.near_k, self.near_v = self.local(n * s.depth), self.local(n * s.width)
        self.turned_q, self.turned_g = self.local(c * s.depth), self.local(c * s.width)
        self.lines_q, self.lines_g = self.local(c * deep), self.local(c * wide)
        self.lines_k = self.local(n * deep) if self.whole else None
        self.p, self.ds = self.local(f.rows * c), self.local((n if self.whole else f.rows) * c)
        self.near_z, self.near_mean = self.local(c), self.local(c)

    def keys(self) -> None:
        """One block of keys, over blocks of queries."""
        s, f, b, t, c = self.sizes, self.f, self.b, self.tiles, self.f.columns
        q, k, v, g = (self.side(name) for name in "qkvg")
        t.fill(self.sums_k, 0.0)
        t.fill(self.sums_v, 0.0)
        t.copy(k, self.first, self.have, self.near_k, s.depth, self.scale)
        t.copy(v, self.first, self.have, self.near_v, s.width)
        if self.lines_k is not None:
            t.copy(k, self.first, self.have, self.lines_k, f.padded(s.depth))
        first = b.op("div", self.first, c) if self.causal else b.const(0, "i64")
        with b.loop(first, -(-s.queries // c)) as block:
            begin = b.mul(block, c)
            count = b.op("min", b.sub(b.const(s.queries, "i64"), begin), c)
            t.turn(q, begin, count, self.turned_q)
            t.turn(g, begin, count, self.turned_g)
            t.copy(q, begin, count, self.lines_q, f.padded(s.depth))
            t.copy(g, begin, count, self.lines_g, f.padded(s.width))
            self.statistics(begin, count)
            have, tiles = self.have, self.count
            if self.causal:  # keys behind the last query are not read
                before = b.op("max", b.sub(b.add(begin, count), self.first), 0)
                have = b.op("min", have, before)
                tiles = b.op("div", b.add(have, f.rows - 1), f.rows)
            with b.loop(0, tiles) as tile:
                self.one(b.mul(tile, f.rows), begin, count)
            if self.lines_k is not None:
                self.queries(begin, count, have, self.lines_k)
        self.store("dk", s.depth, s.keys, self.first, self.have, self.sums_k, self.scale)
        self.store("dv", s.width, s.keys, self.first, self.have, self.sums_v, 1.0)

    def statistics(self, begin: Value, count: Value) -> None:
        """z and Δ of a block of queries."""
        b = self.b
        at = b.add(b.mul(self.head, self.sizes.queries), begin)
        z = self.side("z") if self.whole else None
        with b.loop(0, count, note="vector") as r:
            if z is not None:
                one = b.load(z.buffer, b.add(z.at, b.mul(b.add(begin, r), z.row)))
                mean = b.load(self.mean, b.add(begin, r))
            else:
                one = b.load(self.memory["z"], b.add(at, r))
                mean = b.load(self.memory["mean"], b.add(at, r))
            b.store(self.near_z, r, one)
            b.store(self.near_mean, r, mean)

    def one(self, row: Value, begin: Value, count: Value) -> None:
        """A tile of keys × the block of queries."""
        s, f, b, t = self.sizes, self.f, self.b, self.tiles
        start = b.const(0, "i64")
        base = row if self.whole else start
        diagonal = b.sub(b.add(self.first, row), begin)
        if self.causal:  # tiles of queries read zeros behind the diagonal
            start = b.op("div", b.op("max", b.sub(diagonal, f.rows - 1), 0), f.width)
        panels = t.panels(count)
        t.product(self.near_k, row, s.depth, self.turned_q, start, panels, self.p)
        t.product(self.near_v, row, s.width, self.turned_g, start, panels, self.ds, None, base)
        start = b.mul(start, f.width)
        self.probabilities(diagonal, start, b.mul(panels, f.width), base)
        p, ds = self.tile(self.p), self.tile(self.ds, base)
        t.accumulate(p, 1, start, count, self.lines_g, s.width, self.sums_v, row)
        t.accumulate(ds, 1, start, count, self.lines_q, s.depth, self.sums_k, row)

    def probabilities(self, diagonal: Value, start: Value, stop: Value, base: Value) -> None:
        """P = e^(S − z) in place of the scores, dS = P ∘ (dP − Δ) in place of dP."""
        b, f = self.b, self.f
        with b.loop(0, f.rows) as r, b.loop(start, stop, f.lanes) as c:
            at, to = b.add(b.mul(r, f.columns), c), b.add(b.mul(b.add(base, r), f.columns), c)
            p = self.exp(b.sub(b.load(self.p, at, f.lanes), b.load(self.near_z, c, f.lanes)))
            if self.causal:
                before = self.masks(b.add(diagonal, r), c)
                p = b.select(before, b.const(0.0, self.kind, f.lanes), p)
            b.store(self.p, at, p)
            above = b.sub(b.load(self.ds, to, f.lanes), b.load(self.near_mean, c, f.lanes))
            b.store(self.ds, to, b.mul(p, above))

    def queries(self, begin: Value, count: Value, have: Value, lines: Buffer) -> None:
        """dQ of the block of queries: what these keys add to it."""
        f, b = self.f, self.b
        with b.loop(0, b.op("div", b.add(count, f.rows - 1), f.rows)) as tile:
            row, stop = b.mul(tile, f.rows), have
            if self.causal:
                seen = b.sub(b.add(b.add(begin, row), f.rows), self.first)
                stop = b.op("min", have, b.op("max", seen, 0))
            self.tiles.accumulate(
                Numbers(self.ds, row, 1), f.columns, b.const(0, "i64"), stop, lines,
                self.sizes.depth, self.sums_q, b.add(begin, row),
            )  # fmt: skip
