"""Which nodes are computed together: every node that computes gets a home.

needs   a graph of primitives
leaves  groups of nodes whose rows are rows of each other, in an order in which they can run
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from chainrule.ir.graph import topological
from chainrule.ir.node import Node
from chainrule.ir.op import is_complex
from chainrule.rewrite.axes import (
    REDUCTIONS,
    VIEWS,
    Carried,
    carried,
    compose,
    is_one_hot,
    is_point,
    taps,
)
from chainrule.shapes import size

#: Reductions of at most so many elements are computed like elementwise operations.
FEW = 32
#: A row, with all that is computed for it, should stay in a core's cache: elements.
ROW = 1 << 16
#: So many random numbers are worth a loop of their own: elements.
DEALT = 256
#: Fewer rows are no work to share; so small a whole may be one row: elements.
ROWS, SMALL = 8, 4096
#: Nodes of a kernel that are computed one inside the other: a lowering walks down them.
DEEP = 40
_WEIGHT = {
    "div": 4, "sqrt": 4, "remainder": 8, "fmod": 8, "floor_divide": 8, "exp": 10, "log": 10,
    "expm1": 12, "log1p": 12, "log2": 10, "log10": 10, "tanh": 14, "sin": 14, "cos": 14, "tan": 18,
    "erf": 15, "pow": 25, "erfinv": 25, "lgamma": 40, "random_uniform": 60, "take": 8,
    "take_along": 8,
}  # fmt: skip
_DEAR = frozenset(
    {"asin", "acos", "atan", "atan2", "sinh", "cosh", "asinh", "acosh", "atanh"}
)  # fmt: skip

#: Views that cost nothing, and through which a kernel of one node reads.
PLAIN = frozenset({"reshape", "permute", "broadcast_to", "slice", "diagonal"})


def is_leaf(node: Node) -> bool:
    """What is there before anything runs."""
    return node.op.name in ("input", "const")


def weight(node: Node) -> float:
    """What one element costs, in simple operations."""
    name = node.op.name
    if name in VIEWS and name not in _WEIGHT:
        return 0 if name in PLAIN else 0.5
    if name in REDUCTIONS:
        return 2.0 * taps(node)
    return _WEIGHT.get(name, 20 if name in _DEAR else 1)


def is_small_reduction(node: Node) -> bool:
    """Whether a reduction is computed where its value is needed, as if it were elementwise."""
    return node.op.name in REDUCTIONS and taps(node) <= FEW


def _touches_complex(node: Node) -> bool:
    return is_complex(node) or any(map(is_complex, node.inputs))


def _class(node: Node) -> str:
    name = node.op.name
    if is_leaf(node):
        return "leaf"
    if _touches_complex(node):  # the reference computes it
        return "view" if name in PLAIN else "single"
    if name in VIEWS:
        return "view"
    if is_point(node) or is_small_reduction(node) or is_one_hot(node):
        return "point"
    if name == "random_uniform":
        return "point"
    if name in REDUCTIONS:
        return "reduce"
    return "contract" if name == "contract" else "single"


def _overlaps(node: Node) -> bool:
    """Whether an element may lie in several of the windows that are added back."""
    sizes = node.inputs[0].shape[-len(node.attr("stride")) :]
    every = zip(sizes, node.attr("stride"), node.attr("dilation"), strict=True)
    return any(k > 1 and s < (k - 1) * d + 1 for k, s, d in every)


def bytes_of(node: Node) -> int:
    """What moving a value costs: bytes, but a stream of single bytes is not so cheap."""
    return size(node.shape) * max(node.dtype.itemsize, 3)


class Group:
    """Nodes that are computed together.

    rows   for each of them, which of its axes are the rows of the group, outermost first
    """

    __slots__ = (
        "after", "before", "dealt", "deep", "kind", "nodes", "number", "reduces", "rows", "sealed",
        "sizes", "total", "updates",
    )  # fmt: skip

    def __init__(self, number: int, kind: str, sizes: tuple[int, ...]) -> None:
        self.number, self.kind, self.sizes = number, kind, sizes
        self.nodes: list[Node] = []
        self.rows: dict[Node, tuple[int, ...]] = {}
        self.reduces = False
        #: Apart from what it reads, which would make it too deep.
        self.deep = False
        #: It makes random numbers, all of them in one loop: no rows.
        self.dealt = False
        #: Nobody else belongs to it.
        self.sealed = False
        #: Nothing but elementwise nodes before the outputs, such as the update of a parameter.
        self.updates = True
        self.total = 0
        #: Which groups have to run before, and after, as bits.
        self.before = self.after = 0


class Homes:
    """Homes for all nodes of a graph."""

    def __init__(self, outputs: Sequence[Node]) -> None:
        self.order = topological(outputs)
        self.outputs = set(outputs)
        self.users: dict[Node, list[Node]] = {n: [] for n in self.order}
        for n in self.order:
            for i in dict.fromkeys(n.inputs):
                self.users[i].append(n)
        self.cls = {n: _class(n) for n in self.order}
        self.bare = self._bare()
        self.groups: list[Group | None] = []
        self.home: dict[Node, Group] = {}
        #: Of views: what they show, and with which axes.
        self.shows: dict[Node, list[tuple[Node, Carried]]] = {}
        #: How deep a node stands in its kernel, if it joins what it reads.
        self.depth: dict[Node, int] = {}
        self.sealed = self._sealed()
        self.needed = self._needed()
        self.final = self._final()
        for n in self.order:
            self._place(n)
        self._gather_numbers()

    def _gather_numbers(self) -> None:
        """Single numbers that wait for nothing (counts of batches) become one kernel."""
        first: Group | None = None
        for g in self.groups:
            if g is None or g.kind != "nest" or g.sizes or g.before or g.total > 8:
                continue
            if first is None:
                first = g
            elif len(first.nodes) + len(g.nodes) <= 200:
                self._merge(first, g)

    def _bare(self) -> set[Node]:
        """Cheap functions of nothing but constants and iota: never worth memory."""
        found: set[Node] = set()
        for n in self.order:
            point = self.cls[n] == "point" and weight(n) <= 4
            if n.op.name == "const" or (
                n not in self.outputs  # which lie in memory anyway
                and (n.op.name == "iota" or point or self.cls[n] == "view")
                and all(i in found for i in n.inputs)
            ):
                found.add(n)
        return found

    def _needed(self) -> set[Node]:
        """Nodes that must lie in memory whatever it costs."""
        out = {n for n in self.outputs if not is_leaf(n)} | self.sealed
        for n in self.order:
            if self.cls[n] == "single" and n.op.name != "item":
                out.update(self._shown_plainly(n))
            elif n.op.name == "copy":  # a pass wants it in this order
                out.add(n)
        return out

    def _sealed(self) -> set[Node]:
        """Small reductions that are spread over windows that overlap (which element was the largest
        of its window): every place would ask all of its windows again.
        """
        found: set[Node] = set()
        for n in self.order:
            if n.op.name != "unwindows" or not _overlaps(n):
                continue
            stack, seen = list(n.inputs), set()
            while stack:
                i = stack.pop()
                if i in seen or self.cls[i] not in ("point", "view"):
                    continue
                seen.add(i)
                if i.op.name in REDUCTIONS:
                    found.add(i)
                else:
                    stack.extend(i.inputs)
        return found

    def _shown_plainly(self, node: Node) -> Iterator[Node]:
        """What a node reads, through views that a kernel of its own can read through."""
        stack = list(node.inputs)
        while stack:
            n = stack.pop()
            if is_leaf(n):
                continue
            if node.op.name == "scan":
                yield n  # its steps find their places by address
            elif n.op.name in PLAIN:
                stack.extend(n.inputs)
            elif n not in self.bare:
                yield n

    def _final(self) -> dict[Node, int]:
        """Elementwise nodes behind which nothing comes but elementwise nodes and outputs (the
        update of a parameter), and how many of them follow: at most 4 are counted.
        """
        found: dict[Node, int] = {}
        for n in reversed(self.order):
            users = self.users[n]
            if is_point(n) and all(u in found for u in users):
                found[n] = min(1 + sum(found[u] for u in users), 4)
        return found

    # ------------------------------------------------------------------ homes

    def _sources(self, node: Node) -> list[tuple[Node, Carried]]:
        """What a node is computed from, through views, and which axes are the same."""
        found: list[tuple[Node, Carried]] = []
        for position, i in enumerate(node.inputs):
            if self.cls[i] == "leaf" or i in self.bare:
                continue
            axes = carried(node, position)
            if i in self.shows and i not in self.home:
                found.extend((p, compose(axes, inner)) for p, inner in self.shows[i])
            elif i in self.home:
                found.append((i, axes))
        return found

    def _place(self, node: Node) -> None:
        cls = self.cls[node]
        if node in self.needed or any(i not in self.bare for i in node.inputs):
            self.bare.discard(node)
        self.depth[node] = deep = 1 + max((self.depth[i] for i in node.inputs), default=0)
        if deep > DEEP and cls in ("view", "point", "reduce"):
            self.depth[node] = 1
            self.needed.add(node)
            self.bare.discard(node)
            if cls == "view":
                self.shows[node] = self._sources(node)
            self._found(node, "nest", self._sources(node))
            self.home[node].deep = True
            return
        if cls in ("contract", "single"):
            self.depth[node] = 1
        if cls == "leaf" or node in self.bare:
            return
        if cls == "view":
            sources = self._sources(node)
            self.shows[node] = sources
            if node not in self.needed:
                return
            if is_complex(node):
                self._single(node)
                return
            if any(not set(self.home[p].rows.get(p, ())) <= set(m.values()) for p, m in sources):
                self._found(node, "nest", sources)
                return
            cls = "point"
        if cls == "single":
            self._single(node)
            return
        if cls == "contract":
            self._found(node, "contract", self._sources(node))
            return
        if node in self.sealed:
            self._found(node, "nest", self._sources(node))
            self.home[node].sealed = True
            return
        self._join(node, cls, self._sources(node))
        if node.op.name == "random_uniform" and size(node.shape) >= DEALT:
            self.home[node].dealt = True

    def _single(self, node: Node) -> None:
        if node.op.name == "item":
            group = self.home[node.inputs[0]]
            group.nodes.append(node)
            self.home[node] = group
            return
        group = self._new("single", ())
        group.nodes.append(node)
        self.home[node] = group
        for i in self._shown_plainly(node):
            self._edge(self.home[i], group)

    def _new(self, kind: str, sizes: tuple[int, ...]) -> Group:
        group = Group(len(self.groups), kind, sizes)
        self.groups.append(group)
        return group

    def _found(self, node: Node, kind: str, sources: Sequence[tuple[Node, Carried]] = ()) -> None:
        """A group of its own."""
        axes = tuple(a for a, n in enumerate(node.shape) if n > 1)
        group = self._new(kind, tuple(node.shape[a] for a in axes))
        self._add(group, node, axes, sources)

    def _add(
        self,
        group: Group,
        node: Node,
        axes: tuple[int, ...],
        sources: Sequence[tuple[Node, Carried]],
    ) -> None:
        group.nodes.append(node)
        group.rows[node] = axes
        group.reduces |= self.cls[node] == "reduce"
        group.updates &= self.final.get(node, 0) > 0
        group.total += size(node.shape)
        self.home[node] = group
        for p, _ in sources:
            if self.home[p] is not group:
                self._edge(self.home[p], group)

    def _edge(self, first: Group, then: Group) -> None:
        if then.before >> first.number & 1:
            return
        before = first.before | 1 << first.number
        after = then.after | 1 << then.number
        for g in self.groups:
            if g is not None:
                if after >> g.number & 1:
                    g.before |= before
                if before >> g.number & 1:
                    g.after |= after

    def _join(self, node: Node, cls: str, sources: list[tuple[Node, Carried]]) -> None:
        near = list(dict.fromkeys(self.home[p] for p, _ in sources))
        near.sort(key=lambda g: -max(size(p.shape) for p, _ in sources if self.home[p] is g))
        home = None
        for group in near:
            if home is None and any(h.before >> group.number & 1 for h in near if h is not group):
                continue  # it would have to run before and after the other
            axes = self._fit(group, node, cls, sources)
            if axes is None:
                continue
            if home is None:
                home = group
                kept = tuple(k for k, a in enumerate(axes) if a is not None)
                self._shrink(group, kept)
                self._add(group, node, tuple(a for a in axes if a is not None), sources)
            elif self._may_merge(home, group) and home.rows[node] == axes:
                self._merge(home, group)
        if home is None:
            self._found(node, "nest", sources)

    def _is_summed(self, node: Node, p: Node, axis: int) -> bool:
        """Whether a reduction runs over this axis of p, and not over a part of it."""
        return any(
            i is p or any(q is p and axis in inner.values() for q, inner in self.shows.get(i, ()))
            for i in node.inputs
        )

    def _fit(
        self, group: Group, node: Node, cls: str, sources: Sequence[tuple[Node, Carried]]
    ) -> tuple[int | None, ...] | None:
        """The axes of `node` that are the rows of the group, None for rows that it sums over; or
        None if it does not belong here.
        """
        if group.kind == "single" or group.sealed or len(group.nodes) > 200:
            return None
        if group.dealt and (cls != "point" or not self._only(group, node, sources)):
            return None
        update = self.final.get(node, 0) > 3
        if update and not group.updates:
            return None
        axes: tuple[int | None, ...] | None = None
        for p, same in sources:
            if self.home[p] is not group:
                continue
            inverse = {b: a for a, b in same.items()}
            here = tuple(inverse.get(a) for a in group.rows[p])
            if axes is not None and here != axes:
                return None
            axes = here
        if axes is None:
            return None
        kept = [a for a in axes if a is not None]
        if kept != sorted(set(kept)):
            return None
        if group.kind == "contract":
            plain = len(kept) == len(axes) and size(node.shape) == size(group.sizes)
            return axes if plain and cls == "point" else None
        rows = size([node.shape[a] for a in kept])
        if cls == "point":
            if len(kept) < len(axes):
                return None
            row = size(node.shape) // max(rows, 1)
            return axes if self._fits_cache(node, kept, rows, row) else None
        small = not group.reduces and group.total <= SMALL
        dropped = [k for k, a in enumerate(axes) if a is None]
        if any(
            not self._is_summed(node, p, group.rows[p][k])
            for p, _ in sources
            if self.home[p] is group
            for k in dropped
        ):
            return None  # a row that became a part of another axis is no row here
        if dropped and dropped[0] < len(axes) - len(dropped) and not small:
            return None  # rows inside of what is summed: another order of loops
        if rows < ROWS and dropped and not small:
            return None
        row = group.total // max(rows, 1)
        return axes if self._fits_cache(node, kept, rows, row) else None

    def _only(self, group: Group, node: Node, sources: Sequence[tuple[Node, Carried]]) -> bool:
        """Whether a node is computed from members of a group and from numbers."""
        arrays = [i for i in node.inputs if i.op.name == "input" and i.shape]
        return not arrays and all(self.home[p] is group for p, _ in sources)

    @staticmethod
    def _fits_cache(node: Node, kept: Sequence[int], rows: int, row: int) -> bool:
        """Whether a row of so many elements is worth a kernel: its axes come first, or what comes
        behind them is long enough for vectors (a channel of a batch of images).
        """
        last = kept[-1] if kept else -1
        leading = all(n == 1 or a in kept for a, n in enumerate(node.shape[: last + 1]))
        even = leading or size(node.shape[last + 1 :]) >= 16
        return row * rows <= SMALL or (even and row <= ROW and rows >= ROWS)

    def _shrink(self, group: Group, kept: Sequence[int]) -> None:
        if len(kept) == len(group.sizes):
            return
        group.sizes = tuple(group.sizes[k] for k in kept)
        group.rows = {n: tuple(axes[k] for k in kept) for n, axes in group.rows.items()}

    def _may_merge(self, a: Group, b: Group) -> bool:
        if a.kind != "nest" or b.kind != "nest" or a.sizes != b.sizes or a.deep or b.deep:
            return False
        if a.sealed or b.sealed or ((a.dealt or b.dealt) and (a.reduces or b.reduces)):
            return False
        if len(a.nodes) + len(b.nodes) > 200:
            return False
        both = 1 << a.number | 1 << b.number
        if not (a.updates and b.updates) and (a.before ^ b.before) & ~both:
            return False  # the one that could run early would have to wait
        return not (a.after & b.before or b.after & a.before)

    def _merge(self, into: Group, other: Group) -> None:
        into.nodes += other.nodes
        into.rows.update(other.rows)
        into.reduces |= other.reduces
        into.dealt |= other.dealt
        into.updates &= other.updates
        into.total += other.total
        for n in other.nodes:
            self.home[n] = into
        self.groups[other.number] = None
        old, new = 1 << other.number, 1 << into.number
        into.before = (into.before | other.before) & ~(old | new)
        into.after = (into.after | other.after) & ~(old | new)
        for g in self.groups:
            if g is None or g is into:
                continue
            if into.before >> g.number & 1:
                g.after |= into.after | new
            if into.after >> g.number & 1:
                g.before |= into.before | new
            g.before, g.after = g.before & ~old, g.after & ~old
