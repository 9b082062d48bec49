"""Loops for what is not a product: elementwise chains, rows (softmax, norms, losses and their
gradients), reductions, and what moves.

Three forms, chosen by what the reductions of the kernel need:

    pointwise   no large reduction       for block, for element (vector): store
    rows        reductions in a row      for row: reductions (vector); for element (vector): store
    columns     reductions across rows   for block of neighbours (vector): reduction; store

The shared loop is the outermost one. Loops whose steps read and write memory evenly are merged, and
the loop with neighbours in memory becomes vectors.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from chainrule.ir.graph import Graph, topological
from chainrule.ir.node import Node, TensorType
from chainrule.ops.random import LANES
from chainrule.rewrite.axes import reduced_axes, taps
from chainrule.schedule import scalars
from chainrule.schedule.access import Reads, opened, probe, reads
from chainrule.schedule.build import Builder
from chainrule.schedule.evaluate import FEW, FEWEST, Evaluator, Unsupported
from chainrule.schedule.index import ZERO, Index, depth, divisors, emit, linear, unravel, variables
from chainrule.schedule.loops import Buffer, Value
from chainrule.schedule.lowered import Lowered, Place, Step
from chainrule.schedule.moves import MOVES, Indices
from chainrule.shapes import Shape

#: Elements of one step of the shared loop, where it can be chosen.
BLOCK = 2048
#: A loop is cut into so few pieces, of so many elements at least.
MOST_CUTS, PIECE = 8, 16
#: So many neighbours may be written at once because they share what they read.
MOST_TURNS = 4
#: Random numbers that are dealt together.
GROUP = 4 * LANES
#: Rows that one step takes of loops that are taken in tiles.
STRIP = 64
#: So much work is worth sharing: nanoseconds.
WORTH = 5_000.0
#: Neighbours that one step of a reduction across rows takes.
COLUMNS = 64

#: Nanoseconds for an element, by kind of op (one core, vectors of 16).
_DEAR = frozenset({
    "exp", "expm1", "log", "log1p", "log2", "log10", "sin", "cos", "tan", "asin", "acos", "atan",
    "sinh", "cosh", "tanh", "asinh", "acosh", "atanh", "erf", "erfinv", "lgamma", "polygamma",
    "pow", "atan2", "random_uniform",
})  # fmt: skip


def lower_nest(graph: Graph) -> Lowered:
    """Steps that compute a fused graph. Outputs whose axes do not line up get their own loops."""
    return Lowered(tuple(_Nest(graph, part).step() for part in _aligned(graph)))


def lower_flat(graph: Graph, count: int) -> Lowered:
    """An elementwise kernel whose length is given at run time: parameters of all sizes share its
    code. Every node has the shape of the outputs, or is a single number. `count` is how many
    elements there are, whatever the graph's shapes say.
    """
    b = Builder()
    size = math.prod(graph.outputs[0].shape)
    sources, buffers = {}, []
    for number, x in enumerate(graph.inputs):
        one = math.prod(x.shape) == 1 and size != 1
        buffer = b.buffer(f"x{number}", scalars.KIND[x.dtype.short], 1 if one else 0, "in")
        sources[x] = reader(b, buffer, (1,) * x.ndim if one else x.shape)
        buffers.append(Place("input", number))
    outs = []
    for number, y in enumerate(graph.outputs):
        outs.append(b.buffer(f"y{number}", scalars.KIND[y.dtype.short], 0, "out"))
        buffers.append(Place("output", number))
    length = b.buffer("n", "i64", 1, "number")
    nodes = topological(graph.outputs, stop=lambda n: n in sources)
    cost = _cost([n for n in nodes if n not in sources], graph) * BLOCK
    with b.kernel(_name(graph), 0, cost) as i:
        first = b.mul(i, BLOCK)
        last = b.op("min", b.add(first, BLOCK), b.load(length, 0))
        with b.loop(first, last, note="vector") as j:
            write = Evaluator(b, sources)
            write.vectors.add(j)
            at = Index.of(j)
            for y, out in zip(graph.outputs, outs, strict=True):
                b.store(out, j, write.at(y, unravel(at, y.shape)))
    step = Step(b.finish(), (*buffers, Place("number", count)), -(-count // BLOCK))
    return Lowered((step,))


#: Of each axis of an output, the axis of the frame that it is; None where its size is 1.
_Axes = tuple[int | None, ...]


def _aligned(graph: Graph) -> list[dict[int, _Axes]]:
    """Outputs in groups that share loops: the first of a group is its frame."""
    outputs = graph.outputs
    groups: list[dict[int, _Axes]] = []
    asked = _rows_asked(graph)
    for k in sorted(range(len(outputs)), key=lambda k: -math.prod(outputs[k].shape)):
        for g in groups:
            first = next(iter(g))
            axes = _lined_up(outputs[k], outputs[first], asked.get(k, {}), asked.get(first, {}))
            if axes is not None:
                g[k] = axes
                break
        else:
            shape = outputs[k].shape
            groups.append({k: tuple(None if n == 1 else a for a, n in enumerate(shape))})
    return groups


#: Of a reduction, the axes of an output that it is asked for with.
_Asked = dict[Node, tuple[int, ...]]


def _rows_asked(graph: Graph) -> dict[int, _Asked]:
    """What each output asks of the reductions that are worth a loop."""
    stop = frozenset(graph.inputs)
    found: dict[int, _Asked] = {}
    every = topological(graph.outputs, stop=lambda n: n in stop)
    long = any(reduced_axes(n) is not None and reduced_size(n) > FEW for n in every)
    if len(graph.outputs) == 1 or not long:
        return found
    for k, y in enumerate(graph.outputs):
        known = {probe(n): a for a, n in enumerate(y.shape)}
        index = tuple(ZERO if v.bounds == (0, 0) else Index.of(v) for v in known)
        mine: _Asked = {}
        for n, at in reads(y, index, stop).reductions:
            plain = all(len(i.terms) <= 1 for i in at)
            if plain and reduced_size(n) > FEW:
                mine[n] = tuple(known[v] for i in at for v in variables(i) if v in known)
        found[k] = mine
    return found


def _lined_up(y: Node, lead: Node, mine: _Asked, its: _Asked) -> _Axes | None:
    """The axes of a frame that an output's are: those from the left, unless a reduction that both
    read says otherwise (statistics of 64 channels are not numbers of 64 images).
    """
    pairs = {
        (a, b)
        for n in mine if n in its and len(mine[n]) == len(its[n])
        for a, b in zip(mine[n], its[n], strict=True)
    }  # fmt: skip
    told = dict(pairs)
    left = tuple(None if n == 1 else a for a, n in enumerate(y.shape))
    for axes in (left, tuple(told.get(a) for a in range(y.ndim))):
        used = [a for a in axes if a is not None]
        if (
            all(axes[a] in (None, b) for a, b in pairs)
            and used == sorted(set(used))
            and all(
                n == 1 if a is None else a < lead.ndim and n == lead.shape[a]
                for a, n in zip(axes, y.shape, strict=True)
            )
        ):
            return axes
    return None


def reader(b: Builder, buffer: Buffer, shape: Shape) -> Callable[[Indices, Value | None], Value]:
    """Reads an array in memory, as far outside as the index is known."""

    def read(index: Indices, mask: Value | None) -> Value:
        at = linear(index, shape)
        if mask is not None:
            return b.load(buffer, emit(b, at), mask=mask)
        with b.at_depth(max(depth(at), 1)):
            return b.load(buffer, emit(b, at))

    return read


def _name(graph: Graph) -> str:
    """What the kernel does, for people who read profiles."""
    inputs = set(graph.inputs)
    names = [
        n.op.name
        for n in topological(graph.outputs, stop=lambda n: n in inputs)
        if n not in inputs and n.op.name not in MOVES and n.op.name != "const"
    ]
    short = list(dict.fromkeys(names))
    return "_".join(short[:4]) or "move"


def _cost(nodes: Sequence[Node], graph: Graph) -> float:
    """Nanoseconds for an element, roughly."""
    words = 0.03 * (len(graph.inputs) + len(graph.outputs))
    return words + sum(0.7 if n.op.name in _DEAR else 0.015 for n in nodes)


class _Loop(NamedTuple):
    """Axes of the frame that one loop runs over."""

    axes: tuple[int, ...]
    size: int


#: A loop, where it starts and where it stops.
_Span = tuple[_Loop, Value | int, Value | int]


class _Nest:
    """The loops of some outputs of a fused graph."""

    def __init__(self, graph: Graph, which: Mapping[int, _Axes]) -> None:
        self.graph, self.which = graph, which
        self.outputs = [graph.outputs[k] for k in which]
        self.axes = {graph.outputs[k]: axes for k, axes in which.items()}
        self.frame = self.outputs[0].shape
        self.stop = frozenset(graph.inputs)
        self.inside = [
            n
            for n in topological(self.outputs, stop=lambda n: n in self.stop)
            if n not in self.stop
        ]
        if any(not isinstance(n.type, TensorType) for n in self.inside):
            raise Unsupported("a value with several parts in a nest of loops")
        self.probes = [probe(n) for n in self.frame]
        every = [Index.of(v) for v in self.probes]
        seen = [self._reads(y, self._of(y, every)) for y in self.outputs]
        every_reduction = {n: at for r in seen for n, at in r.reductions}
        self.large = {n: at for n, at in every_reduction.items() if reduced_size(n) > FEW}
        rows = self._used()
        for n, at in every_reduction.items():
            if n not in self.large and self._is_shared(n, at, rows):
                self.large[n] = at
        self.b = Builder()
        self.write = Evaluator(self.b, {})

    # ------------------------------------------------------------------ what to do

    def _reads(self, node: Node, index: Indices) -> Reads:
        return reads(node, index, self.stop)

    def _of(self, y: Node, index: Sequence[Index]) -> Indices:
        """The index of an output that may lack axes of the frame, or have them with size 1."""
        return tuple(ZERO if a is None else index[a] for a in self.axes[y])

    def _is_shared(self, node: Node, index: Indices, rows: set[int]) -> bool:
        """Whether a short reduction is worth a loop: it is one for all elements of a row, and does
        not cut the rows of long ones into shorter ones, in each of which these would run again.
        """
        if reduced_size(node) < FEWEST:
            return False
        axes = self._axes_of(index)
        if rows or self.large:
            return axes <= rows
        return axes != {a for a, n in enumerate(self.frame) if n > 1}

    def _axes_of(self, index: Indices) -> set[int]:
        known = {v: a for a, v in enumerate(self.probes)}
        return {known[v] for i in index for v in variables(i) if v in known}

    def _used(self) -> set[int]:
        """Axes of the frame that large reductions are asked for with."""
        return set().union(*(self._axes_of(at) for at in self.large.values()))

    def _score(self, axes: Sequence[int]) -> int:
        """How well vectors along some axes would read and write."""
        size = math.prod(self.frame[a] for a in axes)
        if size == 1:
            return -1000
        v = probe(size)
        total = 0
        for y, r in zip(self.outputs, self._along(axes, v), strict=True):
            total += r.score(v)
            if all(a in self.axes[y] for a in axes):
                stride = math.prod(y.shape[self.axes[y].index(max(axes)) + 1 :])
                total += 3 if stride == 1 else -4
        return total

    def _anywhere(self) -> list[Index]:
        probes = zip(self.frame, self.probes, strict=True)
        return [ZERO if n == 1 else Index.of(v) for n, v in probes]

    def _along(self, axes: Sequence[int], v: Value) -> list[Reads]:
        index = self._anywhere()
        for a, i in zip(axes, unravel(Index.of(v), [self.frame[a] for a in axes]), strict=True):
            index[a] = i
        return [self._reads(y, self._of(y, index)) for y in self.outputs]

    def _merged(self, axes: Sequence[int]) -> list[_Loop]:
        """As few loops as read and write memory evenly."""
        groups: list[tuple[int, ...]] = []
        for a in axes:
            if groups and groups[-1][-1] == a - 1 and self._one(wider := (*groups[-1], a)):
                groups[-1] = wider
            else:
                groups.append((a,))
        return [_Loop(g, math.prod(self.frame[a] for a in g)) for g in groups]

    def _one(self, axes: Sequence[int]) -> bool:
        sizes = [self.frame[a] for a in axes]
        whole = all(  # an output has all of the axes or none
            len({a in self.axes[y] for a in axes if self.frame[a] > 1}) <= 1 for y in self.outputs
        )
        if sum(n > 1 for n in sizes) < 2:
            return True
        v = probe(math.prod(sizes))
        return whole and all(r.linear_in(v) for r in self._along(axes, v))

    # ------------------------------------------------------------------ writing

    def step(self) -> Step:
        """The kernel, with what its buffers are."""
        b, places = self.b, []
        for i, x in enumerate(self.graph.inputs):
            buffer = b.buffer(f"x{i}", scalars.KIND[x.dtype.short], math.prod(x.shape), "in")
            self.write.sources[x] = reader(b, buffer, x.shape)
            places.append(Place("input", i))
        self.out = {}
        for k, y in zip(self.which, self.outputs, strict=True):
            self.out[y] = b.buffer(f"y{k}", scalars.KIND[y.dtype.short], math.prod(y.shape), "out")
            places.append(Place("output", k))
        used = self._used()
        every = [a for a, n in enumerate(self.frame) if n > 1]
        inner = [a for a in every if a not in used]
        if not self.large:
            self._pointwise(every)
        elif self._columns(every, inner):
            self._across(every, inner)
        else:
            self._rows([a for a in every if a in used], inner)
        kernel = b.finish()
        return Step(kernel, tuple(places), kernel.extent)

    def _store(self, index: Sequence[Index], which: Sequence[Node]) -> None:
        for y in which:
            at = self._of(y, index)
            self.b.store(self.out[y], emit(self.b, linear(at, y.shape)), self.write.at(y, at))

    def _blank(self) -> list[Index]:
        return [ZERO] * len(self.frame)

    def _spread(self, index: list[Index], loop: _Loop, at: Index) -> None:
        sizes = [self.frame[a] for a in loop.axes]
        for a, i in zip(loop.axes, unravel(at, sizes), strict=True):
            index[a] = i

    def _ns(self) -> float:
        return _cost(self.inside, self.graph)

    def _pointwise(self, axes: Sequence[int]) -> None:
        loops = self._merged(axes) or [_Loop((), 1)]
        vector = max(range(len(loops)), key=lambda k: (self._score(loops[k].axes), k))
        order = [loops[k] for k in range(len(loops)) if k != vector]
        fast = loops[vector]
        random = any(n.op.name == "random_uniform" for n in self.inside)
        if random and not order and fast.size >= GROUP:
            self._dealt(fast)
            return
        shared: list[_Loop] = []
        rest = math.prod(one.size for one in loops)
        crossing = self._crossing(order, fast)
        if crossing is not None:  # stays the last one: the vectoriser takes these two in tiles
            order.remove(crossing)
        while order and (rest >= 2 * BLOCK or rest * self._ns() >= WORTH):
            # the outer loops are shared, as long as much is inside
            shared.append(order.pop(0))
            rest //= shared[-1].size
        blocks = -(-fast.size // BLOCK) if fast.size >= 2 * BLOCK else 1
        outer = math.prod(one.size for one in shared)
        spans: list[_Span] = [(loop, 0, loop.size) for loop in order]
        strips = 1
        if crossing is not None:
            spans.append((crossing, 0, crossing.size))
            strips = -(-crossing.size // STRIP) if rest >= 2 * BLOCK else 1
        b, name = self.b, _name(self.graph)
        cost = self._ns() * rest / (blocks * strips)
        with b.kernel(name, outer * blocks * strips, cost) as i:
            index, at = self._blank(), Index.of(i)
            block, at = at % blocks, at // blocks
            strip, at = at % strips, at // strips
            if crossing is not None and strips > 1:
                end = b.op("min", emit(b, strip * STRIP + STRIP), crossing.size)
                spans[-1] = (crossing, emit(b, strip * STRIP), end)
            for loop, k in zip(shared, unravel(at, [one.size for one in shared]), strict=True):
                self._spread(index, loop, k)
            first, last = block * BLOCK, Index(fast.size)
            stop: Value | int = fast.size
            if blocks > 1:
                stop = b.op("min", emit(b, first + BLOCK), emit(b, last))
            self._inside(spans, index, fast, emit(b, first), stop, self.outputs)

    def _dealt(self, fast: _Loop) -> None:
        """Random numbers are dealt in groups of 64: 16 first words, 16 second ones …; elements that
        come from one word each are written one after another, so that its block is found again.
        """
        b, size, words = self.b, fast.size, GROUP // LANES
        groups, per = size // GROUP, BLOCK // GROUP
        with b.kernel(_name(self.graph), -(-size // BLOCK), self._ns() * min(size, BLOCK)) as i:
            first = b.mul(i, per)
            with b.loop(first, b.op("min", b.add(first, per), groups)) as g:
                start = Index.of(g) * GROUP
                with b.loop(0, LANES, note="vector") as lane:
                    self.write.vectors.add(lane)
                    for w in range(words):
                        index = self._blank()
                        self._spread(index, fast, start + Index.of(lane) + w * LANES)
                        self._store(index, self.outputs)
            if size % GROUP:
                rest = b.op("max", b.mul(i, BLOCK), groups * GROUP)
                stop = b.op("min", b.mul(b.add(i, 1), BLOCK), size)
                self._inside([], self._blank(), fast, rest, stop, self.outputs)

    def _crossing(self, loops: Sequence[_Loop], fast: _Loop) -> _Loop | None:
        """A loop along which neighbours are read that are far apart along the fast one."""
        for loop in loops:
            v, w = probe(loop.size), probe(fast.size)
            index = self._anywhere()
            self._spread(index, loop, Index.of(v))
            self._spread(index, fast, Index.of(w))
            for y in self.outputs:
                for _, at in self._reads(y, self._of(y, index)).places:
                    if at.coefficient(v) == 1 and at.coefficient(w) not in (0, 1, None):
                        return loop
        return None

    def _inside(
        self,
        spans: Sequence[_Span],
        index: list[Index],
        fast: _Loop,
        first: Value | int,
        stop: Value | int,
        which: Sequence[Node],
    ) -> None:
        b = self.b
        if spans:
            loop, begin, end = spans[0]
            with b.loop(begin, end) as v:
                v.bounds = (0, loop.size - 1)
                inner = list(index)
                self._spread(inner, loop, Index.of(v))
                self._inside(spans[1:], inner, fast, first, stop, which)
            return
        if not fast.axes:
            self._store(index, which)
            return
        whole = isinstance(stop, int) and b.value(first, "i64") is b.const(0, "i64")
        turns = self._turns(fast) if whole else 1
        ends = self._cuts(fast) if whole and turns == 1 else []
        if turns > 1:
            stop = fast.size // turns
        known = zip([0, *ends], [*ends, fast.size // turns], strict=True)
        for low, high in known:
            start, end = (low, high) if ends else (first, stop)
            with b.loop(start, end, note="vector") as v:
                v.bounds = (low, high - 1)
                self.write.vectors.add(v)
                for turn in range(turns):
                    inner = list(index)
                    self._spread(inner, fast, Index.of(v) * turns + turn)
                    self._store(inner, which)
                self.write.vectors.discard(v)

    def _cuts(self, fast: _Loop) -> list[int]:
        """Where a loop is cut, so that each piece knows which of several arrays it reads (pieces
        put together, a part that is written).
        """
        v = probe(fast.size)
        ends: set[int] = set()
        for r in self._along(fast.axes, v):
            for c in r.conditions:
                if c.at.terms == ((v, 1),):
                    ends |= {c.low - c.at.const, c.high - c.at.const}
        inside = sorted(n for n in ends if 0 < n < fast.size)
        pieces = zip([0, *inside], [*inside, fast.size], strict=True)
        worth = len(inside) < MOST_CUTS and all(b - a >= PIECE for a, b in pieces)
        return inside if worth else []

    def _turns(self, fast: _Loop) -> int:
        """How many neighbours share what they read, such as a window: the loop then takes so many
        at once, and quotient and remainder of its variable by that number are known.
        """
        v = probe(fast.size)
        seen = self._along(fast.axes, v)
        every = [at for r in seen for _, at in r.places]
        every += [c.at for r in seen for c in r.conditions]
        asked = {by for at in every for by in divisors(at, v)}
        by = min(asked, default=1)
        return by if by <= MOST_TURNS and fast.size % by == 0 else 1

    def _columns(self, every: Sequence[int], inner: Sequence[int]) -> bool:
        """Whether neighbours in memory lie across the rows that are reduced."""
        if not every or every[-1] in inner:
            return False
        last = probe(self.frame[every[-1]])
        index = self._anywhere()
        index[every[-1]] = Index.of(last)
        across = sum(self._reads(y, self._of(y, index)).score(last) for y in self.outputs)
        along = 0
        for n, at in self.large.items():
            axes = reduced_axes(n)
            if axes is None:
                continue
            x = n.inputs[0]
            widest = max((a for a in axes if x.shape[a] > 1), default=None)
            if widest is None:
                continue
            v = probe(x.shape[widest])
            whole = list(opened(n, at, axes))
            whole[widest] = Index.of(v)
            along += self._reads(x, tuple(whole)).score(v)
        return across > along and self.frame[every[-1]] >= 4

    def _across(self, every: Sequence[int], inner: Sequence[int]) -> None:
        fast = _Loop((every[-1],), self.frame[every[-1]])
        outer = [_Loop((a,), self.frame[a]) for a in every[:-1] if a not in inner]
        rest = [_Loop((a,), self.frame[a]) for a in inner]
        blocks = -(-fast.size // COLUMNS)
        b = self.b
        extent = math.prod(one.size for one in outer) * blocks
        work = max(reduced_size(n) for n in self.large) * min(fast.size, COLUMNS)
        with b.kernel(_name(self.graph), extent, self._ns() * work) as i:
            index, at = self._blank(), Index.of(i)
            block, at = at % blocks, at // blocks
            for loop, k in zip(outer, unravel(at, [one.size for one in outer]), strict=True):
                self._spread(index, loop, k)
            first = emit(b, block * COLUMNS)
            stop: Value | int = fast.size
            if blocks > 1:
                stop = b.op("min", emit(b, block * COLUMNS + COLUMNS), fast.size)
            with b.loop(first, stop, note="vector") as v:
                v.bounds = (0, fast.size - 1)
                self.write.vectors.add(v)
                self._spread(index, fast, Index.of(v))
                self._serial(rest, index)

    def _serial(self, order: Sequence[_Loop], index: list[Index]) -> None:
        if not order:
            self._store(index, self.outputs)
            return
        with self.b.loop(0, order[0].size) as v:
            inner = list(index)
            self._spread(inner, order[0], Index.of(v))
            self._serial(order[1:], inner)

    def _rows(self, rows: Sequence[int], inner: Sequence[int]) -> None:
        b = self.b
        sizes = [self.frame[a] for a in rows]
        work = max(math.prod(self.frame[a] for a in inner), *(reduced_size(n) for n in self.large))
        with b.kernel(_name(self.graph), math.prod(sizes), self._ns() * work) as i:
            index = self._blank()
            for a, k in zip(rows, unravel(Index.of(i), sizes), strict=True):
                index[a] = k
            self._keep(index, inner)
            narrow = [y for y in self.outputs if not any(a in self.axes[y] for a in inner)]
            wide = [y for y in self.outputs if y not in narrow]
            if wide:
                loops = self._merged(inner)
                vector = max(range(len(loops)), key=lambda k: (self._score(loops[k].axes), k))
                order = [loops[k] for k in range(len(loops)) if k != vector]
                spans: list[_Span] = [(loop, 0, loop.size) for loop in order]
                self._inside(spans, index, loops[vector], 0, loops[vector].size, wide)
            self._store(index, narrow)

    def _keep(self, row: list[Index], inner: Sequence[int]) -> None:
        """Dear values that several loops of a row read are computed once, into scratch memory."""
        shape = tuple(self.frame[a] for a in inner)
        b, write = self.b, self.write
        for node in self._shared(inner):
            kind = scalars.KIND[node.dtype.short]
            memory = b.local(kind, math.prod(shape))
            loops = self._merged(inner)
            vector = max(range(len(loops)), key=lambda k: loops[k].axes[-1])
            order = [loops[k] for k in range(len(loops)) if k != vector]
            self._fill(order, loops[vector], list(row), inner, node, memory)
            write.sources[node] = self._kept(node, memory, tuple(row), inner, write)

    def _fill(
        self, order: Sequence[_Loop], fast: _Loop, index: list[Index], inner: Sequence[int],
        node: Node, memory: Buffer,
    ) -> None:  # fmt: skip
        b = self.b
        loop, last = (order[0], False) if order else (fast, True)
        with b.loop(0, loop.size, note="vector" if last else "") as v:
            if last:
                self.write.vectors.add(v)
            here = list(index)
            self._spread(here, loop, Index.of(v))
            if last:
                at = linear([here[a] for a in inner], [self.frame[a] for a in inner])
                b.store(memory, emit(b, at), self.write.at(node, tuple(here)))
                self.write.vectors.discard(v)
            else:
                self._fill(order[1:], fast, here, inner, node, memory)

    def _kept(
        self, node: Node, memory: Buffer, row: Indices, inner: Sequence[int], write: Evaluator
    ) -> Callable[[Indices, Value | None], Value]:
        sizes = [self.frame[a] for a in inner]

        def read(index: Indices, mask: Value | None) -> Value:
            if any(index[a] != row[a] for a in range(len(row)) if a not in inner):
                args = {n: s for n, s in write.sources.items() if n is not node}
                return Evaluator(self.b, args).at(node, index, mask)  # another row
            at = linear([index[a] for a in inner], sizes)
            return self.b.load(memory, emit(self.b, at), mask=mask)

        return read

    def _shared(self, inner: Sequence[int]) -> list[Node]:
        """Dear nodes of the frame's shape that are read by more than one loop of a row."""
        if not inner:
            return []
        count: dict[Node, int] = {}
        roots = [[n.inputs[0]] for n in self.large] + [self.outputs]
        for root in roots:
            loop = topological(root, stop=lambda n: n in self.stop or n in self.large)
            for n in loop:
                if n not in self.large:
                    count[n] = count.get(n, 0) + 1
        return [
            n
            for n in self.inside
            if n.op.name in _DEAR and n.shape == self.frame and count.get(n, 0) > 1
        ]


def reduced_size(node: Node) -> int:
    """How many elements a reduction, or a product, combines into one."""
    if node.op.name != "contract":
        return taps(node)
    left, out = node.attr("spec").split("->")
    a = left.split(",")[0]
    return math.prod(n for c, n in zip(a, node.inputs[0].shape, strict=True) if c not in out)
