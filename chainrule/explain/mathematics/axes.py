"""Which axes of a graph are the same: the samples of an image are those of its scores.

Every axis of every value is a tuple of *terms*, integers that stand for a dimension of the problem.
Two axes that are added, multiplied or contracted with each other have the same term; samples and
positions that were flattened into one axis are one tuple of two. Nothing is known of layers: only
the rules of the primitives, and the formulas of the composites, say what goes where.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence

from chainrule.ir.graph import Graph, topological
from chainrule.ir.node import Node, TensorType

Terms = tuple[int, ...]
Known = tuple[Terms, ...]


class Axes:
    """What the axes of nodes have to do with each other."""

    def __init__(self) -> None:
        self.bound: dict[int, Terms] = {}
        self.sizes: dict[int, int] = {}
        self.kin: dict[int, int] = {}  # a pixel of a smaller image and a pixel of the larger one
        self.split: dict[int, Terms] = {}  # first part of a dimension that was divided: heads
        self.scanned: list[int] = []  # time, where a loop runs over it
        self.known: dict[Node, Known] = {}
        self.parts: dict[Node, list[Known]] = {}

    # ------------------------------------------------------------------ terms

    def fresh(self, size: int, kin: Terms = ()) -> Terms:
        """A dimension of its own."""
        term = len(self.sizes)
        self.sizes[term] = size
        if len(kin) == 1:
            self.kin[term] = kin[0]
        return (term,)

    def find(self, terms: Terms) -> Terms:
        """The terms as they are called now."""
        if not any(t in self.bound for t in terms):
            return terms
        return tuple(
            u for t in terms for u in (self.find(self.bound[t]) if t in self.bound else (t,))
        )

    def size(self, terms: Terms) -> int:
        return math.prod(self.sizes[t] for t in terms)

    def unify(self, a: Terms, b: Terms) -> None:
        """These two are the same axis."""
        a, b = self.find(a), self.find(b)
        if a == b or not a or not b or self.size(a) != self.size(b):
            return
        if len(a) == len(b):
            pairs = list(zip(a, b, strict=True))
            if all(self.sizes[s] == self.sizes[t] for s, t in pairs):
                for s, t in pairs:
                    s, t = min(s, t), max(s, t)
                    if s != t and t not in self.bound:
                        self.bound[t] = (s,)
                        if t in self.kin and s not in self.kin and not self._comes_from(t, s):
                            self.kin[s] = self.kin[t]
        elif len(a) == 1 and a[0] not in b:
            self.bound[a[0]] = b
        elif len(b) == 1 and b[0] not in a:
            self.bound[b[0]] = a

    def _comes_from(self, term: int, other: int) -> bool:
        """Whether one dimension is a smaller form of another."""
        seen: set[int] = set()
        while term in self.kin and term not in seen:
            seen.add(term)
            found = self.find((self.kin[term],))
            if other in found or len(found) != 1:
                return True
            (term,) = found
        return False

    def of(self, node: Node) -> Known:
        """The terms of each axis of a tensor."""
        if node not in self.known:
            self.learn([node])
        return tuple(map(self.find, self.known[node]))

    # ------------------------------------------------------------------ walking a graph

    def learn(self, nodes: Iterable[Node]) -> None:
        """Follow the axes through a graph."""
        for n in topological(nodes, stop=lambda n: n in self.known or n in self.parts):
            if n in self.known or n in self.parts:
                continue
            if isinstance(n.type, TensorType):
                self.known[n] = self._rule(n)
            else:
                self.parts[n] = self._several(n)

    def _rule(self, n: Node) -> Known:
        name = n.op.name
        if n.op.elementwise:
            return self._elementwise(n)
        if name in _RULES:
            return _RULES[name](self, n)
        if not n.op.is_primitive:
            inside = n.op.expand(n)
            self.learn([inside])
            return self.known[inside]
        if n.inputs and all(i.shape == n.shape for i in n.inputs):
            return self._elementwise(n)
        if n.inputs and n.inputs[0].shape == n.shape:
            return self.known[n.inputs[0]]
        return self._new(n.shape)

    def _new(self, shape: Sequence[int]) -> Known:
        return tuple(self.fresh(s) for s in shape)

    def _several(self, n: Node) -> list[Known]:
        if n.op.name == "scan":
            return self._loop(n)
        if n.op.name == "boundary":
            return [self.known[i] for i in n.inputs[: len(n.type)]]
        if not n.op.is_primitive:
            inside = n.op.expand(n)
            self.learn(inside)
            return [self.known[i] for i in inside]
        return [self._new(t.shape) for t in n.type if isinstance(t, TensorType)]

    def _elementwise(self, n: Node) -> Known:
        out: list[Terms] = []
        rank = len(n.shape)
        for axis, size in enumerate(n.shape):
            here: Terms = ()
            for i in n.inputs:
                a = axis - rank + len(i.shape)
                if a >= 0 and i.shape[a] == size and self.known[i][a]:
                    if here:
                        self.unify(here, self.known[i][a])
                    here = here or self.known[i][a]
            out.append(here)
        return tuple(out)

    def _loop(self, n: Node) -> list[Known]:
        """Inside, the axes of one step; what a step's result has is told by what it was given."""
        body: Graph = n.attr("body")
        carries, sequences = n.attr("carries"), n.attr("sequences")
        inner = Axes()
        inner.learn(body.inputs)
        inner.learn(body.outputs)
        for a, b in zip(body.inputs[:carries], body.outputs[:carries], strict=True):
            for s, t in zip(inner.known[a], inner.known[b], strict=True):
                inner.unify(s, t)
        outer: dict[int, Terms] = {}
        time: Terms = ()
        for k, (formal, given) in enumerate(zip(body.inputs, n.inputs, strict=True)):
            theirs = self.known[given]
            if carries <= k < carries + sequences:
                if time:
                    self.unify(time, theirs[0])
                time, theirs = time or theirs[0], theirs[1:]
            for mine, its in zip(inner.of(formal), theirs, strict=True):
                if len(mine) == 1 and its:
                    if mine[0] in outer:
                        self.unify(outer[mine[0]], its)
                    outer.setdefault(mine[0], its)
        length = n.type[carries].shape[0] if len(n.type) > carries else 1  # type: ignore[union-attr]  # several
        time = time or self.fresh(length)
        self.scanned += [t for t in time if t not in self.scanned]
        out: list[Known] = []
        for k, o in enumerate(body.outputs):
            found: list[Terms] = []
            for terms, size in zip(inner.of(o), o.shape, strict=True):
                if len(terms) == 1 and terms[0] not in outer:
                    outer[terms[0]] = self.fresh(size)
                found.append(tuple(u for t in terms for u in outer.get(t, ())) or self.fresh(size))
            out.append(tuple(found) if k < carries else (time, *found))
        return out


# ---------------------------------------------------------------------- the primitives


def _reshape(x: Axes, n: Node) -> Known:
    (source,) = n.inputs
    old = x.of(source)
    if 0 in n.shape:
        return x._new(n.shape)
    out: list[Terms] = [()] * len(n.shape)
    for ins, outs in groups(source.shape, n.shape):
        whole = tuple(t for a in ins for t in old[a])
        if len(outs) == 1:
            out[outs[0]] = whole
            continue
        cut = _cut(whole, [n.shape[a] for a in outs], x)
        for k, a in enumerate(outs):
            out[a] = cut[k] if cut else x.fresh(n.shape[a])
            if not cut and k == 0:
                x.split.update(dict.fromkeys(out[a], whole))
    ones = [old[a] for a, s in enumerate(source.shape) if s == 1]
    if len(ones) == sum(s == 1 for s in n.shape):
        for a, s in enumerate(n.shape):
            if s == 1:
                out[a] = ones.pop(0)
    return tuple(out)


def groups(old: Sequence[int], new: Sequence[int]) -> list[tuple[list[int], list[int]]]:
    """Which axes of a reshape become which, ones left out."""
    a = [i for i, s in enumerate(old) if s != 1]
    b = [i for i, s in enumerate(new) if s != 1]
    out: list[tuple[list[int], list[int]]] = []
    i = j = 0
    while i < len(a) and j < len(b):
        ins, outs = [a[i]], [b[j]]
        p, q = old[a[i]], new[b[j]]
        i, j = i + 1, j + 1
        while p != q:
            if p < q:
                ins.append(a[i])
                p, i = p * old[a[i]], i + 1
            else:
                outs.append(b[j])
                q, j = q * new[b[j]], j + 1
        out.append((ins, outs))
    return out


def _cut(whole: Terms, sizes: list[int], x: Axes) -> list[Terms]:
    """The terms, divided so that the parts have these sizes; nothing if they do not go."""
    out: list[Terms] = []
    rest = list(whole)
    for size in sizes:
        part: list[int] = []
        while rest and x.size(tuple(part)) < size:
            part.append(rest.pop(0))
        if x.size(tuple(part)) != size:
            return []
        out.append(tuple(part))
    return [] if rest else out


def _permute(x: Axes, n: Node) -> Known:
    old = x.known[n.inputs[0]]
    return tuple(old[a] for a in n.attr("order"))


def _broadcast(x: Axes, n: Node) -> Known:
    (source,) = n.inputs
    old, lead = x.known[source], len(n.shape) - len(source.shape)
    return tuple(
        old[a - lead]
        if a >= lead and source.shape[a - lead] == s
        else (x.fresh(s) if s != 1 else ())
        for a, s in enumerate(n.shape)
    )


def _slice(x: Axes, n: Node) -> Known:
    (source, *_) = n.inputs
    pairs = zip(x.known[source], source.shape, n.shape, strict=True)
    return tuple(t if a == b else (x.fresh(b, x.find(t)) if b != 1 else ()) for t, a, b in pairs)


def _cat(x: Axes, n: Node) -> Known:
    axis = n.attr("axis")
    out: list[Terms] = []
    for a, size in enumerate(n.shape):
        if a == axis and len(n.inputs) > 1:
            out.append(x.fresh(size, x.find(x.known[n.inputs[0]][a])))
            continue
        for i in n.inputs[1:]:
            x.unify(x.known[n.inputs[0]][a], x.known[i][a])
        out.append(x.known[n.inputs[0]][a])
    return tuple(out)


def _pad(x: Axes, n: Node) -> Known:
    return _slice(x, n)


def _contract(x: Axes, n: Node) -> Known:
    left, out = n.attr("spec").split("->")
    found: dict[str, Terms] = {}
    for letters, i in zip(left.split(","), n.inputs, strict=True):
        if len(letters) == 2 and _fixed(i):  # places that are mixed become places: resizing
            for c, d in (letters, letters[::-1]):
                if c in out and d not in out:
                    mixed = x.known[i][letters.index(c)]
                    whole = dict(
                        p for lets, j in zip(left.split(","), n.inputs, strict=True) if j is not i
                        for p in zip(lets, x.known[j], strict=True)
                    )  # fmt: skip
                    source = x.find(whole.get(d, ()))
                    if len(source) == len(mixed) == 1:  # an axis of one place has no letter
                        (a,), (b,) = mixed, source
                        if a not in x.kin and a != b:
                            x.kin[a] = b
    for letters, i in zip(left.split(","), n.inputs, strict=True):
        for c, terms in zip(letters, x.known[i], strict=True):
            if c in found:
                x.unify(found[c], terms)
            found[c] = found.get(c) or terms
    return tuple(found[c] for c in out)


def _fixed(n: Node) -> bool:
    """Whether a value is a constant."""
    return n.op.name != "input" and all(m.op.name != "input" for m in topological([n]))


def _windows(x: Axes, n: Node) -> Known:
    old = x.known[n.inputs[0]]
    k = len(n.attr("size"))
    lead = len(old) - k
    places = [
        x.fresh(s, x.find(old[lead + a])) if s != n.inputs[0].shape[lead + a] else old[lead + a]
        for a, s in enumerate(n.shape[lead : lead + k])
    ]
    return (*old[:lead], *places, *(x.fresh(s) for s in n.shape[lead + k :]))


def _unwindows(x: Axes, n: Node) -> Known:
    old = x.known[n.inputs[0]]
    k = len(n.attr("shape"))
    lead = len(n.shape) - k
    return (*old[:lead], *(x.fresh(s, x.find(old[lead + a])) for a, s in enumerate(n.shape[lead:])))


def _reduced(x: Axes, n: Node) -> Known:
    (source, *_) = n.inputs
    axis = n.attr("axis")
    rank = len(source.shape)
    axes = range(rank) if axis is None else (axis,) if isinstance(axis, int) else axis
    gone = {a % max(rank, 1) for a in axes}
    old = x.known[source]
    if len(n.shape) == rank:
        return tuple(() if a in gone else t for a, t in enumerate(old))
    return tuple(t for a, t in enumerate(old) if a not in gone)


def _take(x: Axes, n: Node) -> Known:
    source, index = n.inputs
    axis = n.attr("axis")
    old = x.known[source]
    return (*old[:axis], *x.known[index], *old[axis + 1 :])


def _along(x: Axes, n: Node) -> Known:
    source, index = n.inputs[:2]
    for a, (s, t) in enumerate(zip(x.known[source], x.known[index], strict=True)):
        if a != n.attr("axis") and source.shape[a] == index.shape[a]:
            x.unify(s, t)
    return x.known[index]


def _written(x: Axes, n: Node) -> Known:
    target, *_, value = n.inputs
    if n.op.name == "put":
        axis = n.attr("axis")
        index = n.inputs[1]
        theirs, mine = x.known[value], x.known[target]
        both = [*zip(mine[:axis], theirs[:axis], strict=True)]
        both += zip(mine[axis + 1 :], theirs[axis + len(index.shape) :], strict=True)
        for s, t in both:
            x.unify(s, t)
        for s, t in zip(theirs[axis : axis + len(index.shape)], x.known[index], strict=True):
            x.unify(s, t)
    else:
        for s, t, a, b in zip(
            x.known[target], x.known[value], target.shape, value.shape, strict=True
        ):
            if a == b:
                x.unify(s, t)
    return x.known[target]


def _item(x: Axes, n: Node) -> Known:
    return x.parts[n.inputs[0]][n.attr("index")]


_RULES: dict[str, Callable[[Axes, Node], Known]] = {
    "reshape": _reshape, "permute": _permute, "broadcast_to": _broadcast, "slice": _slice,
    "cat": _cat, "pad": _pad, "contract": _contract, "windows": _windows, "unwindows": _unwindows,
    "sum": _reduced, "prod": _reduced, "amax": _reduced, "amin": _reduced, "any_": _reduced,
    "all_": _reduced, "argmax": _reduced, "argmin": _reduced, "mean": _reduced, "take": _take,
    "take_along": _along, "scatter": _written, "put": _written, "slice_update": _written,
    "item": _item,
    "input": lambda x, n: x._new(n.shape), "const": lambda x, n: x._new(n.shape),
}  # fmt: skip
