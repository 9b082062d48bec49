"""Loops for what goes along an axis in order: running sums, sorting, writing at computed places.

An array is a bundle of *lines* along the axis; lines do not know of each other, so they are what
threads share and what vectors are made of. Along a line everything happens in order, so that the
result is the same for any number of threads.

    cumsum(x) {axis=0}   for block of lines (vector): sum = 0; for k: sum += x[k]; y[k] = sum
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from chainrule.ir.graph import Graph
from chainrule.ir.node import Node
from chainrule.schedule import scalars
from chainrule.schedule.build import Builder
from chainrule.schedule.evaluate import (
    INDEX,
    MODES,
    SCATTER,
    Evaluator,
    Unsupported,
    combine,
    identity,
)  # fmt: skip
from chainrule.schedule.index import Index, emit, linear, unravel
from chainrule.schedule.loops import FLOATS, Buffer, Value
from chainrule.schedule.lowered import Lowered, Place, Step
from chainrule.schedule.moves import Indices
from chainrule.schedule.nests import reader

#: Neighbouring lines that one step of the shared loop takes.
LINES = 64
_CUMULATIVE = {"cumsum": "add", "cumprod": "mul"}


def lower_lines(graph: Graph) -> Lowered:
    """A kernel whose one output is a cumulative op, a sort, or a write at computed places."""
    node = graph.outputs[0]
    write = WRITERS.get(node.op.name)
    if write is None:  # as one of several parts: what has these is no line
        raise Unsupported(f"{node.op.name} does not go along lines")
    return _Lines(graph, node).lower(write)


class _Lines:
    """The frame: buffers, the shared loop over lines, and where a line's elements lie."""

    def __init__(self, graph: Graph, node: Node) -> None:
        self.graph, self.node = graph, node
        self.b = Builder()
        self.write = Evaluator(self.b, {})
        self.kind = scalars.KIND[node.dtype.short]
        self.wide = "f32" if self.kind in ("f16", "bf16") else self.kind
        rank = len(node.shape)
        self.axis = node.attr("axis") if rank else 0
        self.shape = node.shape or (1,)
        self.lead, self.length = self.shape[: self.axis], self.shape[self.axis]
        self.trail = self.shape[self.axis + 1 :]

    def lower(self, write: Callable[[_Lines], None]) -> Lowered:
        b = self.b
        places = []
        for number, x in enumerate(self.graph.inputs):
            buffer = b.buffer(f"x{number}", scalars.KIND[x.dtype.short], math.prod(x.shape), "in")
            self.write.sources[x] = reader(b, buffer, x.shape)
            places.append(Place("input", number))
        self.out: Buffer = b.buffer("y", self.kind, math.prod(self.shape), "inout")
        places.append(Place("output", 0))
        width = math.prod(self.trail)
        blocks = -(-width // LINES)
        extent = math.prod(self.lead) * blocks
        self.vector = width >= 4 and self.node.op.name not in ("argsort", "argmax")
        with b.kernel(self.node.op.name, extent, 1.0 * self._steps() * min(width, LINES)) as i:
            at = Index.of(i)
            block, outer = at % blocks, unravel(at // blocks, self.lead)
            first = emit(b, block * LINES)
            stop = b.op("min", b.add(first, LINES), width) if blocks > 1 else b.const(width, "i64")
            with b.loop(first, stop, note="vector" if self.vector else "") as v:
                v.bounds = (0, width - 1)
                if self.vector:
                    self.write.vectors.add(v)
                self.outer, self.inner = outer, unravel(Index.of(v), self.trail)
                write(self)
        kernel = b.finish()
        return Lowered((Step(kernel, tuple(places), kernel.extent),))

    def _steps(self) -> int:
        return max(math.prod(x.shape) for x in self.node.inputs) // max(
            1, math.prod(self.lead) * math.prod(self.trail)
        )

    def index(self, k: Index) -> Indices:
        """Element k of the line."""
        return (*self.outer, k, *self.inner)

    def place(self, k: Index) -> Value:
        """Where it lies in the output."""
        return emit(self.b, linear(self.index(k), self.shape))

    def element(self, x: Node, k: Index) -> Value:
        """Element k of the line in an input of the output's shape, wide enough to compute with."""
        value = self.write.at(x, self.index(k) if x.shape else ())
        return self.b.cast(value, "f32" if value.type.kind in ("f16", "bf16") else value.type.kind)

    @contextmanager
    def along(self, n: int, first: int = 0) -> Iterator[Index]:
        """The loop along the line."""
        with self.b.loop(first, n) as k:
            yield Index.of(k)


def _cumulative(line: _Lines) -> None:
    b, how = line.b, _CUMULATIVE[line.node.op.name]
    total = b.register(identity(b, how, line.wide))
    with line.along(line.length) as k:
        value = line.element(line.node.inputs[0], k)
        now = combine(b, how, b.get(total), value)
        b.set(total, now)
        b.store(line.out, line.place(k), b.cast(now, line.kind))


def _running_argmax(line: _Lines) -> None:
    """The latest element that is at least as large as all before it; NaN stays."""
    b, x = line.b, line.node.inputs[0]
    best, where = b.register(line.element(x, Index(0))), b.register(b.const(0, "i64"))
    with line.along(line.length) as k:
        value, so_far = line.element(x, k), b.get(best)
        hit = b.op("ge", value, so_far)
        if value.type.kind in FLOATS:
            nan, was = b.op("ne", value, value), b.op("ne", so_far, so_far)
            hit = b.op("or", nan, b.op("and", hit, b.op("not", was)))
        at = b.select(hit, emit(b, k), b.get(where))
        b.set(best, b.select(hit, value, so_far))
        b.set(where, at)
        b.store(line.out, line.place(k), at)


def _argsort(line: _Lines) -> None:
    """Bottom-up merging, stable; NaN counts as the largest."""
    b, n, x = line.b, line.length, line.node.inputs[0]
    descending = line.node.attr("descending")
    probe = line.element(x, Index(0))
    kind = "u8" if probe.type.kind == "i1" else probe.type.kind
    keys, order = b.local(kind, n), [b.local("i64", n), b.local("i64", n)]
    with line.along(n) as k:
        b.store(keys, emit(b, k), b.cast(line.element(x, k), kind))
        b.store(order[0], emit(b, k), emit(b, k))

    def before(p: Value, q: Value) -> Value:
        """Whether p has to stand before q though q was first."""
        if descending:
            p, q = q, p
        less = b.op("lt", p, q)
        if kind in FLOATS:
            less = b.op("or", less, b.op("and", b.op("ne", q, q), b.op("eq", p, p)))
        return less

    width, now = 1, 0
    while width < n:
        source, target = order[now], order[1 - now]
        with b.loop(0, -(-n // (2 * width))) as pair:
            first = b.mul(pair, 2 * width)
            middle = b.op("min", b.add(first, width), n)
            last = b.op("min", b.add(first, 2 * width), n)
            left, right = b.register(first), b.register(middle)
            with b.loop(first, last) as to:
                i, j = b.get(left), b.get(right)
                p = b.load(source, b.op("min", i, n - 1))
                q = b.load(source, b.op("min", j, n - 1))
                swap = before(b.load(keys, q), b.load(keys, p))
                swap = b.op("and", b.op("lt", j, last), b.op("or", b.op("ge", i, middle), swap))
                b.store(target, to, b.select(swap, q, p))
                b.set(left, b.select(swap, i, b.add(i, 1)))
                b.set(right, b.select(swap, b.add(j, 1), j))
        width, now = 2 * width, 1 - now
    with line.along(n) as k:
        b.store(line.out, line.place(k), b.load(order[now], emit(b, k)))


def _put(line: _Lines) -> None:
    """The base, then every value in order at the place that its index says."""
    base, i, v = line.node.inputs
    axis, rank = line.axis, len(i.shape)
    _copy(line, base)

    def entry(k: Index) -> tuple[Value, Value]:
        at = unravel(k, i.shape) if rank else ()
        return line.write.at(i, at), line.write.at(v, (*line.outer, *at, *line.inner))

    assert axis == len(line.lead)
    _write(line, math.prod(i.shape), entry, INDEX)


def _scatter(line: _Lines) -> None:
    base, i, v = line.node.inputs
    _copy(line, base)
    if not i.shape:
        _write(line, 1, lambda k: (line.write.at(i, ()), line.write.at(v, ())), SCATTER)
        return
    others = [*range(line.axis), *range(line.axis + 1, len(line.shape))]
    inside = None  # the index may be smaller than the base on the other axes
    for a in others:
        if i.shape[a] < line.shape[a]:
            here = line.b.op("lt", emit(line.b, line.index(Index(0))[a]), i.shape[a])
            inside = here if inside is None else line.b.op("and", inside, here)

    def entry(k: Index) -> tuple[Value, Value]:
        at = line.index(k)
        return line.write.at(i, at, inside), line.write.at(v, at, inside)

    _write(line, i.shape[line.axis], entry, SCATTER, inside)


def _copy(line: _Lines, base: Node) -> None:
    b = line.b
    scattered = not line.trail or math.prod(line.trail) == 1
    with b.loop(0, line.length, note="vector" if scattered and not line.vector else "") as k:
        at = Index.of(k)
        b.store(line.out, line.place(at), line.write.at(base, line.index(at) if base.shape else ()))


def _write(
    line: _Lines,
    count: int,
    entry: Callable[[Index], tuple[Value, Value]],
    code: int,
    inside: Value | None = None,
) -> None:
    b, n, mode = line.b, line.length, line.node.attr("mode")
    with line.along(count) as k:
        where, value = entry(k)
        where = b.cast(where, "i64")
        good = b.op("and", b.op("ge", where, -n), b.op("lt", where, n))
        b.check(
            good if inside is None else b.op("or", b.op("not", inside), good),
            code, where, b.const(n, "i64"),
        )  # fmt: skip
        where = b.select(b.op("lt", where, 0), b.add(where, n), where)
        where = b.op("max", b.op("min", where, n - 1), 0)
        where.bounds = (0, n - 1)
        place = line.place(Index.of(where))
        if mode != "set":
            value = combine(b, MODES[mode], b.load(line.out, place, mask=inside), value)
        b.store(line.out, place, value, inside)


WRITERS: dict[str, Callable[[_Lines], None]] = {
    "cumsum": _cumulative, "cumprod": _cumulative, "running_argmax": _running_argmax,
    "argsort": _argsort, "put": _put, "scatter": _scatter,
}  # fmt: skip
