"""Attention and its gradient without the T × S matrix of probabilities (Dao et al.,
"FlashAttention", 2022, and "FlashAttention-2", 2023).

    y = softmax(Q Kᵀ / √d) V

Forward, for a block of queries: for every block of keys S = Q Kᵀ; m' = max(m, S); P = e^(S − m');
l ← l e^(m − m') + Σ P; O ← O e^(m − m') + P V; at the end y = O / l. So a row's largest number and
sum are brought up to date, and nothing larger than a tile is kept.

The gradient has two kernels, which compute P again. With dP = g Vᵀ, Δ = Σ g ∘ y, dS = P ∘ (dP − Δ):

    queries   like forward, with dS in place of P and K in place of V: dQ. Puts m, 1 / l and Δ of
              every row into temporaries
    keys      for a block of keys, over blocks of queries: P = e^(S − m) / l; dV += Pᵀ g,
              dK += dSᵀ Q

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
from chainrule.schedule.contract.operand import Operand, read
from chainrule.schedule.contract.plan import Machine
from chainrule.schedule.index import Index, emit, unravel
from chainrule.schedule.loops import Buffer, Value
from chainrule.schedule.lowered import Lowered, Place, Step, Temporary
from chainrule.schedule.nests import lower_nest

#: Lines of the block that an iteration of the shared loop is for.
LINES = 192
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
        q, k, v = self.node.inputs[-3:]
        self.sizes = _Sizes(q.shape[:-2], q.shape[-2], k.shape[-2], q.shape[-1], v.shape[-1])
        self.kind = scalars.KIND[q.dtype.short]
        self.frame = frame(machine, self.kind)
        self.steps: list[Step] = []
        self.temporaries: list[Temporary] = []
        self.places: dict[Node, Place] = {x: Place("input", i) for i, x in enumerate(graph.inputs)}

    def lowered(self) -> Lowered:
        operands = [self._operand(x) for x in self.node.inputs]
        if self.node.op.name == "attention":
            q, k, v = operands
            _queries(self, {"q": q, "k": k, "v": v}, {"y": Place("output", 0)})
        else:
            g, y, q, k, v = operands
            given = {"g": g, "y": y, "q": q, "k": k, "v": v}
            asked = {o.attr("index"): Place("output", i) for i, o in enumerate(self.graph.outputs)}
            s = self.sizes
            rows = s.heads * self.padded_queries
            statistics = {name: self._temporary(rows) for name in ("top", "part", "mean")}
            dq = asked.get(0) or self._temporary(s.heads * s.queries * s.depth)
            _queries(self, given, {"dq": dq, **statistics})
            if asked.keys() - {0}:
                dk = asked.get(1) or self._temporary(s.heads * s.keys * s.depth)
                dv = asked.get(2) or self._temporary(s.heads * s.keys * s.width)
                _keys(self, given, statistics, {"dk": dk, "dv": dv})
        return Lowered(tuple(self.steps), tuple(self.temporaries))

    @property
    def padded_queries(self) -> int:
        """Rows of a head in the statistics: whole panels."""
        return -(-self.sizes.queries // self.frame.width) * self.frame.width

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
        self.scale = factor(low.node.inputs[-3], low.node.attr("scale"))
        self.where: list[Place] = []
        self.sources: dict[Node, Buffer] = {}
        for operand in given.values():
            x = operand.source
            if x not in self.sources:
                name = f"x{len(self.sources)}"
                self.sources[x] = self.b.buffer(name, self.kind, math.prod(x.shape), "in")
                self.where.append(low.places[x])
        s = self.sizes
        rows = s.heads * low.padded_queries
        sizes = {
            "y": s.heads * s.queries * s.width, "dq": s.heads * s.queries * s.depth,
            "dk": s.heads * s.keys * s.depth, "dv": s.heads * s.keys * s.width,
            "top": rows, "part": rows, "mean": rows,
        }  # fmt: skip
        self.memory: dict[str, Buffer] = {}
        for places, role in ((read, "in"), (out, "out")):
            for name, place in places.items():
                self.memory[name] = self.b.buffer(
                    name, self.kind, sizes[name], "in" if role == "in" else "out"
                )
                self.where.append(place)

    def block(self, lines: int) -> int:
        """Lines of a block: whole tiles, blocks as even as can be."""
        even = math.ceil(lines / math.ceil(lines / LINES))
        return math.ceil(even / self.f.rows) * self.f.rows

    @contextmanager
    def blocks(self, name: str, lines: int, others: int, products: int) -> Iterator[None]:
        """The shared loop over heads and blocks of their lines."""
        b = self.b
        self.lines = self.block(lines)
        count = -(-lines // self.lines)
        work = self.lines * others * products * (0.5 if self.causal else 1)
        with b.kernel(name, self.sizes.heads * count, work / (self.f.lanes * 5)) as i:
            self.head = b.op("div", i, count)
            self.first = b.mul(b.op("rem", i, count), self.lines)
            self.have = b.op("min", self._left(lines), self.lines)
            self.count = b.op("div", b.add(self.have, self.f.rows - 1), self.f.rows)
            yield
        kernel = b.finish()
        self.low.steps.append(Step(kernel, tuple(self.where), kernel.extent))

    def _left(self, lines: int) -> Value:
        return self.b.sub(self.b.const(lines, "i64"), self.first)

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
        return Side(self.sources[operand.source], start, lines, width, strides[row], strides[step])

    def local(self, size: int) -> Buffer:
        return self.b.local(self.kind, size)

    def exp(self, x: Value) -> Value:
        return elementary.exp(self.b, x)

    def masks(self, limit: Value, column: Value) -> Value:
        """Which lanes of the vector that begins at `column` come before `limit`."""
        b, whole = self.b, "i32" if self.kind == "f32" else "i64"
        lanes = b.cast(b.ramp(0, self.f.lanes), whole)
        return b.op("lt", lanes, b.cast(b.sub(limit, column), whole))

    def store(self, name: str, width: int, lines: int, sums: Buffer, by: float) -> None:
        """Sums times a number, as lines of an output."""
        b = self.b
        pad, out = self.f.padded(width), self.memory[name]
        start = b.mul(b.add(b.mul(self.head, lines), self.first), width)
        with b.loop(0, self.have) as r:
            line = b.add(start, b.mul(r, width))
            with b.loop(0, width, note="vector") as c:
                x = b.load(sums, b.add(b.mul(r, pad), c))
                b.store(out, b.add(line, c), x if by == 1.0 else b.mul(x, by))


# ------------------------------------------------------------------ blocks of queries


def _queries(low: _Lowering, given: dict[str, Operand], out: dict[str, Place]) -> None:
    """y, or dq and the statistics of rows."""
    _Queries(low, given, out, {}).write()


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
                self.means(g, self.side("y"))
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
                    zero = b.const(0, "i64")
                    t.accumulate(scores, zero, seen, lines, summed, sums, row, self.decay)
            self.finish(sums, summed)

    def means(self, g: Side, y: Side) -> None:
        """Δ = Σ g · y of every row."""
        b = self.b
        with b.loop(0, self.have) as r:
            line = b.add(self.first, r)
            total = b.register(b.const(0.0, self.kind))
            with b.loop(0, g.width, note="vector") as c:
                x = b.load(g.buffer, b.add(b.add(g.at, b.mul(line, g.row)), b.mul(c, g.step)))
                z = b.load(y.buffer, b.add(b.add(y.at, b.mul(line, y.row)), b.mul(c, y.step)))
                b.set(total, b.mul(x, z), "add")
            b.store(self.mean, r, b.get(total))

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
        if self.backward:
            first = b.add(b.mul(self.head, self.low.padded_queries), self.first)
            with b.loop(0, self.have, note="vector") as r:
                place = b.add(first, r)
                top = b.load(self.top, r)
                safe = b.select(b.op("eq", top, -math.inf), 0.0, top)
                b.store(self.memory["top"], place, safe)
                one = b.const(1.0, self.kind)
                b.store(self.memory["part"], place, b.div(one, b.load(self.total, r)))
                b.store(self.memory["mean"], place, b.load(self.mean, r))


# ------------------------------------------------------------------ blocks of keys


def _keys(
    low: _Lowering, given: dict[str, Operand], statistics: dict[str, Place], out: dict[str, Place]
) -> None:
    """dk and dv."""
    without = {name: given[name] for name in ("g", "q", "k", "v")}
    _Keys(low, without, out, statistics).write()


class _Keys(_Kernel):
    def write(self) -> None:
        s, f, b, t = self.sizes, self.f, self.b, self.tiles
        wide, deep = f.padded(s.width), f.padded(s.depth)
        products = 2 * (s.depth + s.width) + 16
        with self.blocks("attention_gradient_keys", s.keys, s.queries, products):
            n, c = self.lines, f.columns
            q, k, v, g = self.side("q"), self.side("k"), self.side("v"), self.side("g")
            sums_k, sums_v = self.local(n * deep), self.local(n * wide)
            keys, values = self.local(n * s.depth), self.local(n * s.width)
            turned_q, turned_g = self.local(c * s.depth), self.local(c * s.width)
            lines_q, lines_g = self.local(c * deep), self.local(c * wide)
            p, ds = self.local(f.rows * c), self.local(f.rows * c)
            t.fill(sums_k, 0.0)
            t.fill(sums_v, 0.0)
            t.copy(k, self.first, self.have, keys, s.depth, self.scale)
            t.copy(v, self.first, self.have, values, s.width)
            blocks = -(-s.queries // c)
            first = b.op("div", self.first, c) if self.causal else b.const(0, "i64")
            with b.loop(first, blocks) as block:
                begin = b.mul(block, c)
                count = b.op("min", b.sub(b.const(s.queries, "i64"), begin), c)
                t.turn(q, begin, count, turned_q)
                t.turn(g, begin, count, turned_g)
                t.copy(q, begin, count, lines_q, deep)
                t.copy(g, begin, count, lines_g, wide)
                tiles = self.count
                if self.causal:  # keys behind the last query are not read
                    before = b.sub(b.add(b.add(begin, count), f.rows - 1), self.first)
                    tiles = b.op("min", tiles, b.op("div", b.op("max", before, 0), f.rows))
                with b.loop(0, tiles) as tile:
                    row = b.mul(tile, f.rows)
                    start = b.const(0, "i64")
                    self.diagonal = b.sub(b.add(self.first, row), begin)
                    if self.causal:
                        start = b.op("div", b.op("max", self.diagonal, 0), f.width)
                    panels = t.panels(count)
                    t.product(keys, row, s.depth, turned_q, start, panels, p)
                    t.product(values, row, s.width, turned_g, start, panels, ds)
                    start = b.mul(start, f.width)
                    self.probabilities(begin, start, b.mul(panels, f.width), p, ds)
                    t.accumulate(p, start, count, lines_g, s.width, sums_v, row)
                    t.accumulate(ds, start, count, lines_q, s.depth, sums_k, row)
            self.store("dk", s.depth, s.keys, sums_k, self.scale)
            self.store("dv", s.width, s.keys, sums_v, 1.0)

    def probabilities(
        self, begin: Value, start: Value, stop: Value, scores: Buffer, products: Buffer
    ) -> None:
        """P = e^(S − m) / l in place of the scores, dS = P ∘ (dP − Δ) in place of dP."""
        b, f = self.b, self.f
        at_query = b.add(b.mul(self.head, self.low.padded_queries), begin)
        top, part, mean = (self.memory[name] for name in ("top", "part", "mean"))
        with b.loop(0, f.rows) as r, b.loop(start, stop, f.lanes) as c:
            at, query = b.add(b.mul(r, f.columns), c), b.add(at_query, c)
            p = self.exp(b.sub(b.load(scores, at, f.lanes), b.load(top, query, f.lanes)))
            p = b.mul(p, b.load(part, query, f.lanes))
            if self.causal:
                before = self.masks(b.add(self.diagonal, r), c)
                p = b.select(before, b.const(0.0, self.kind, f.lanes), p)
            b.store(scores, at, p)
            above = b.sub(b.load(products, at, f.lanes), b.load(mean, query, f.lanes))
            b.store(products, at, b.mul(p, above))
