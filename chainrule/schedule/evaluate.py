"""The value of any node at any index, as Loop IR: how fused kernels are written.

    c[i] = exp(a[i] + b)     at(c, i)  →  %1 = load i {@a};  %2 = add %1 %b;  (exp of %2)

Nothing is computed that nobody asks for: elementwise ops ask for their inputs at the same index,
moves ask at another index (`moves.py`), a reduction becomes a loop, which is put as far outside as
its index is known. So what was fused decides how fast a kernel is, never what it computes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence

from chainrule.errors import ChainruleError
from chainrule.ir.node import Node
from chainrule.rewrite.axes import is_one_hot
from chainrule.schedule import scalars
from chainrule.schedule.access import fastest, merged, opened, placed
from chainrule.schedule.build import Builder
from chainrule.schedule.index import ZERO, Index, depth, emit, linear, unravel, variables
from chainrule.schedule.loops import FLOATS, Value
from chainrule.schedule.moves import MOVES, Condition, Indices, aligned, origins

#: Gives the value of a node at an index; where the mask is false the result does not matter, but
#: nothing may be read.
Source = Callable[[Indices, "Value | None"], Value]

#: Reductions of so few elements are written out instead of as loops, …
FEW = 16
#: … unless they are at least so many neighbours in memory: then they are vectors.
FEWEST = 4

#: How a failed check is told: what the reference backend calls it.
INDEX, GATHER, SCATTER = 1, 2, 3

REDUCTIONS = {
    "sum": "add", "prod": "mul", "amax": "max", "amin": "min", "any_": "or", "all_": "and",
}  # fmt: skip
ARGS = {"argmax": True, "argmin": False}
#: What writing at a place does with what is there.
MODES = {"add": "add", "prod": "mul", "amax": "max", "amin": "min"}


class Unsupported(ChainruleError):
    """No lowering takes this node; the reference backend computes it."""


class Evaluator:
    """Writes values of a fused graph with one builder.

    sources  what is in memory or in registers already: formal inputs, a tile of a product, a row
             that was computed before
    """

    def __init__(self, b: Builder, sources: dict[Node, Source]) -> None:
        self.b, self.sources = b, sources
        #: Variables of loops whose steps will be the lanes of vectors.
        self.vectors: set[Value] = set()

    def at(self, node: Node, index: Indices, mask: Value | None = None) -> Value:
        """Element `index` of `node`."""
        if mask is not None and self._is_there(node, index, mask):
            mask = None
        key = ("at", node, index, mask)
        found = self.b.recall(key)
        if found is None:
            found = self._at(node, index, mask)
            self.b.remember(key, found)
        return found

    def _is_there(self, node: Node, index: Indices, mask: Value) -> bool:
        """Whether an element of an outer loop exists whatever an inner one asks: the mean of a
        channel, of which a window may reach over the border. Then it is computed outside.
        """
        return all(
            depth(i) < mask.depth and i.bounds[0] >= 0 and i.bounds[1] < n
            for i, n in zip(index, node.shape, strict=True)
        )

    def _at(self, node: Node, index: Indices, mask: Value | None) -> Value:
        source = self.sources.get(node)
        if source is not None:
            return source(index, mask)
        name = node.op.name
        if name == "const":
            return self.b.const(node.attr("value"), scalars.KIND[node.dtype.short])
        if name in MOVES:
            return self._moved(node, index, mask)
        if name in ("copy", "stop_gradient", "passing_to", "after"):
            return self.at(node.inputs[0], index, mask)
        if name in REDUCTIONS:
            return self._reduce(node, index, mask)
        if name in ARGS:
            return self._arg(node, index, mask)
        if name == "contract":
            return self._contract(node, index, mask)
        if name == "unwindows":
            return self._unwindows(node, index, mask)
        if name == "iota":
            return self.b.cast(emit(self.b, index[0]), scalars.KIND[node.dtype.short])
        if is_one_hot(node):
            return self._one_hot(node, index, mask)
        if name == "take":
            return self._take(node, index, mask)
        if name == "take_along":
            return self._take_along(node, index, mask)
        if name == "random_uniform":
            return self._random(node, index, mask)
        if node.op.elementwise or name == "cast":
            args = [self.at(i, aligned(index, i.shape), mask) for i in node.inputs]
            return scalars.apply(self.b, node, args)
        raise Unsupported(f"no loops for {name}")

    # ------------------------------------------------------------------ moves

    def condition(self, c: Condition) -> Value:
        """low ≤ index < high as a value; what the bounds decide is not asked."""
        b, (low, high) = self.b, c.at.bounds
        at = emit(b, c.at)
        yes = b.const(True, "i1")
        if low < c.low:
            yes = b.op("ge", at, c.low)
        if high >= c.high:
            yes = b.op("and", yes, b.op("lt", at, c.high))
        return yes

    def conditions(self, cs: Iterable[Condition], mask: Value | None) -> Value | None:
        """All of them, and the mask."""
        for c in cs:
            here = self.condition(c)
            mask = here if mask is None else self.b.op("and", mask, here)
        return mask

    def _moved(self, node: Node, index: Indices, mask: Value | None) -> Value:
        kind = scalars.KIND[node.dtype.short]
        places = origins(node, index)
        value: Value | None = None
        for o in reversed(places):
            here = self.conditions(o.conditions, None)
            within = mask if here is None else self.conditions(o.conditions, mask)
            if o.source is None:
                part = self.b.const(o.fill, kind)
            else:
                part = self.at(node.inputs[o.source], o.at, within)
            if here is not None and value is not None:
                part = self.b.select(here, part, value)
            value = part
        return self.b.const(0, kind) if value is None else value  # behind the end: nobody asks

    def _picked(self, i: Value, n: int, code: int, mask: Value | None) -> Index:
        """An index out of memory: checked, and counted from the end if it is negative."""
        b = self.b
        i = b.cast(i, "i64")
        good = b.op("and", b.op("ge", i, -n), b.op("lt", i, n))
        if mask is not None:
            good = b.op("or", b.op("not", mask), good)
        b.check(good, code, i, b.const(n, "i64"))
        i = b.select(b.op("lt", i, 0), b.add(i, n), i)
        inside = b.op("max", b.op("min", i, n - 1), 0)
        inside.bounds = (0, max(n - 1, 0))
        return Index.of(inside)

    def _take(self, node: Node, index: Indices, mask: Value | None) -> Value:
        x, i = node.inputs
        axis, rank = node.attr("axis"), len(i.shape)
        which = self.at(i, aligned(index[axis : axis + rank], i.shape), mask)
        at = self._picked(which, x.shape[axis], INDEX, mask)
        return self.at(x, (*index[:axis], at, *index[axis + rank :]), mask)

    def _take_along(self, node: Node, index: Indices, mask: Value | None) -> Value:
        x, i = node.inputs
        if not i.shape:
            return self.at(x, (), mask)
        axis = node.attr("axis")
        at = self._picked(self.at(i, index, mask), x.shape[axis], GATHER, mask)
        return self.at(x, (*index[:axis], at, *index[axis + 1 :]), mask)

    def _one_hot(self, node: Node, index: Indices, mask: Value | None) -> Value:
        """A scatter of one element a line: every place asks whether it is the one."""
        base, i, v = node.inputs
        b, axis = self.b, node.attr("axis")
        n = node.shape[axis]
        at = (*index[:axis], ZERO, *index[axis + 1 :])
        chosen = self._picked(self.at(i, at, mask), n, SCATTER, mask)
        here = b.op("eq", emit(b, chosen), emit(b, index[axis]))
        value, old = self.at(v, at, mask), self.at(base, index, mask)
        mode = node.attr("mode")
        if mode != "set":
            value = combine(b, MODES[mode], old, value)
        return b.select(here, value, old)

    def _random(self, node: Node, index: Indices, mask: Value | None) -> Value:
        state = node.inputs[0]
        key, position = (self.at(state, (Index(i),), mask) for i in (0, 1))
        return scalars.uniform(self.b, node, key, position, linear(index, node.shape))

    # ------------------------------------------------------------------ reductions

    def _level(self, index: Sequence[Index], mask: Value | None) -> int:
        inner = max((depth(i) for i in index), default=0)
        return max(inner, 0 if mask is None else mask.depth, 1)

    def _in_vector(self, index: Sequence[Index]) -> bool:
        """Whether the value is one lane of a vector already."""
        return any(self.vectors & variables(i) for i in index)

    def fold(
        self,
        how: str,
        sizes: Sequence[int],
        element: Callable[[Indices], Value],
        first: Value,
        level: int,
        vector: int | None,
    ) -> Value:
        """`how` over all index tuples below `sizes`, which `element` gives the values for; `vector`
        is the place of the loop whose steps are neighbours in memory.
        """
        b = self.b
        if first.type.kind == "i1":
            how = _LOGIC.get(how, how)
        if math.prod(sizes) <= (FEW if vector is None else FEWEST - 1):
            value = first
            for k in range(math.prod(sizes)):
                part = element(unravel(Index(k), sizes))
                value = part if k == 0 else combine(b, how, value, part)
            return value
        with b.at_depth(level):
            register = b.register(first)
            order = [k for k in range(len(sizes)) if k != vector]
            if vector is not None:
                order.append(vector)
            self._loops(
                order,
                sizes,
                [ZERO] * len(sizes),
                vector,
                lambda at: b.set(register, element(tuple(at)), how),
            )
            return b.get(register)

    def _loops(
        self,
        order: Sequence[int],
        sizes: Sequence[int],
        at: list[Index],
        vector: int | None,
        body: Callable[[list[Index]], None],
    ) -> None:
        if not order:
            body(at)
            return
        k = order[0]
        if sizes[k] == 1:
            self._loops(order[1:], sizes, at, vector, body)
            return
        last = len(order) == 1
        with self.b.loop(0, sizes[k], note="vector" if last and k == vector else "") as v:
            self._loops(order[1:], sizes, [*at[:k], Index.of(v), *at[k + 1 :]], vector, body)

    def _reduce(self, node: Node, index: Indices, mask: Value | None) -> Value:
        (x,), axes = node.inputs, node.attr("axis")
        how, kind = REDUCTIONS[node.op.name], scalars.KIND[node.dtype.short]
        wide = _wide(kind)
        base = opened(node, index, axes)
        groups = merged(x, base, axes, self.sources)
        extents = [[x.shape[a] for a in g] for g in groups]

        def element(at: Indices) -> Value:
            whole = base
            for group, i, sizes in zip(groups, at, extents, strict=True):
                whole = placed(whole, group, i, sizes)
            return self.b.cast(self.at(x, whole, mask), wide)

        first = identity(self.b, how, wide)
        vector = None if self._in_vector(index) else fastest(x, base, groups, self.sources)
        level = self._level(index, mask)
        value = self.fold(how, [math.prod(e) for e in extents], element, first, level, vector)
        return self.b.cast(value, kind)

    def _arg(self, node: Node, index: Indices, mask: Value | None) -> Value:
        """The first extreme element; NaN wins, the first one."""
        (x,), axis = node.inputs, node.attr("axis")
        b, largest = self.b, ARGS[node.op.name]
        kind = scalars.KIND[x.dtype.short]
        wide = "i8" if kind == "i1" else _wide(kind)

        def element(i: Index) -> Value:
            return b.cast(self.at(x, (*index[:axis], i, *index[axis + 1 :]), mask), wide)

        def better(best: Value, v: Value) -> Value:
            more = b.op("gt" if largest else "lt", v, best)
            if wide in FLOATS:
                nan = b.op("and", b.op("ne", v, v), b.op("eq", best, best))
                more = b.op("or", more, nan)
            return more

        n = x.shape[axis]
        best, place = element(ZERO), b.const(0, "i64")
        if n <= FEW:
            for position in range(1, n):
                v = element(Index(position))
                more = better(best, v)
                best = b.select(more, v, best)
                place = b.select(more, b.const(position, "i64"), place)
            return place
        with b.at_depth(self._level(index, mask)):
            held, where = b.register(element(ZERO)), b.register(place)
            with b.loop(1, n) as k:
                v = element(Index.of(k))
                so_far, at = b.get(held), b.get(where)
                more = better(so_far, v)
                b.set(held, b.select(more, v, so_far))
                b.set(where, b.select(more, k, at))
            return b.get(where)

    def _contract(self, node: Node, index: Indices, mask: Value | None) -> Value:
        """Σ over the shared letters, one element at a time: for what the blocked product does not
        take.
        """
        x, y = node.inputs
        operands, out = node.attr("spec").split("->")
        rows, columns = operands.split(",")
        place = dict(zip(out, index, strict=True))
        inner = [c for c in rows if c not in out]
        size = dict(zip(rows, x.shape, strict=True))
        wide = _wide(scalars.KIND[node.dtype.short])
        b = self.b

        def element(at: Indices) -> Value:
            here = {**place, **dict(zip(inner, at, strict=True))}
            p = b.cast(self.at(x, tuple(here[c] for c in rows), mask), wide)
            q = b.cast(self.at(y, tuple(here[c] for c in columns), mask), wide)
            return combine(b, "mul", p, q)

        sizes = [size[c] for c in inner]
        last = bool(inner) and rows[-1] == inner[-1] == columns[-1] and not self._in_vector(index)
        vector = len(sizes) - 1 if last else None
        first = identity(b, "add", wide)
        value = self.fold("add", sizes, element, first, self._level(index, mask), vector)
        return b.cast(value, scalars.KIND[node.dtype.short])

    def _unwindows(self, node: Node, index: Indices, mask: Value | None) -> Value:
        """Every window that contains the place gives its element: Σ over taps k of
        x[…, (i − k·dilation) / stride, k], where that is a whole number of a window.
        """
        (x,), n = node.inputs, len(node.attr("shape"))
        stride, dilation = node.attr("stride"), node.attr("dilation")
        counts, size = x.shape[-2 * n : -n], x.shape[-n:]
        kind = scalars.KIND[node.dtype.short]
        wide = _wide(kind)
        lead, places = index[:-n], index[-n:]
        b = self.b
        if all(s >= k and d == 1 for s, k, d in zip(stride, size, dilation, strict=True)):
            # windows do not overlap: a place is in one of them at most
            inside: list[Condition] = []
            for i, width, s, count in zip(places, size, stride, counts, strict=True):
                inside.append(Condition(i // s, 0, count))
                inside.append(Condition(i % s, 0, width))
            taps = tuple(i % s for i, s in zip(places, stride, strict=True))
            windows = tuple(i // s for i, s in zip(places, stride, strict=True))
            return self._guarded(x, (*lead, *windows, *taps), inside, mask)
        total: Value | None = None
        for flat in range(math.prod(size)):
            tap = unravel(Index(flat), size)
            conditions: list[Condition] = []
            at: list[Index] = []
            for i, k, s, d, count in zip(places, tap, stride, dilation, counts, strict=True):
                far = i - k * d
                if s > 1:
                    conditions.append(Condition(far % s, 0, 1))
                conditions.append(Condition(far, 0, (count - 1) * s + 1))
                at.append(far // s)
            if any(c.holds is False for c in conditions):
                continue
            part = b.cast(self._guarded(x, (*lead, *at, *tap), conditions, mask), wide)
            total = part if total is None else b.add(total, part)
        return b.cast(b.const(0, wide) if total is None else total, kind)

    def _guarded(
        self, x: Node, index: Indices, conditions: Sequence[Condition], mask: Value | None
    ) -> Value:
        """Element `index` of x where all conditions hold, else 0."""
        asked = [c for c in conditions if not c.holds]
        value = self.at(x, index, self.conditions(asked, mask))
        here = self.conditions(asked, None)
        zero = self.b.const(0, value.type.kind)
        return value if here is None else self.b.select(here, value, zero)


def _wide(kind: str) -> str:
    """The kind to compute in."""
    return "f32" if kind in ("f16", "bf16") else kind


#: Arithmetic on truth values, as NumPy has it.
_LOGIC = {"add": "or", "mul": "and", "max": "or", "min": "and"}


def combine(b: Builder, how: str, x: Value, y: Value) -> Value:
    """x and y by `how`, in their kind."""
    kind = x.type.kind
    if kind == "i1":
        return b.op(_LOGIC.get(how, how), x, y)
    wide = _wide(kind)
    return b.cast(b.op(how, b.cast(x, wide), b.cast(y, wide)), kind)


def identity(b: Builder, how: str, kind: str) -> Value:
    """What a reduction starts from."""
    if kind == "i1":
        return b.const(how in ("and", "min", "mul"), kind)
    if how in ("add", "or", "mul"):
        return b.const(1 if how == "mul" else 0, kind)
    if kind in FLOATS:
        return b.const(-math.inf if how == "max" else math.inf, kind)
    bits = int(kind[1:])
    low, high = (0, 2**bits - 1) if kind[0] == "u" else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    return b.const(low if how == "max" else high, kind)
