"""Loops over time: what one step does, h_t = … h_{t-1} …, and gradients as sums over all steps."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

from chainrule.explain.mathematics.axes import Axes
from chainrule.explain.mathematics.labels import Label, Labelled, Labels
from chainrule.explain.mathematics.laws import simpler
from chainrule.explain.mathematics.writer import Symbol, Writer, indexed, ordered
from chainrule.explain.printing.template import Binds
from chainrule.explain.printing.write import Piece, atom, fit, value_of
from chainrule.ir.graph import Graph, depends_on, substitute, topological
from chainrule.ir.node import Node, TensorType
from chainrule.ops import input as graph_input

TIMES = r"\times"


class Over(NamedTuple):
    """A loop that lines belong to: its number, the letter that runs, how far, and which way."""

    number: int
    letter: str
    length: int
    reverse: bool


class Outside(Protocol):
    """What a loop needs of the derivation that it stands in."""

    labels: Labels
    axes: Axes

    def clean(self, n: Node) -> Node: ...
    def name(self, base: str, like: Node) -> str: ...


class Loop:
    """One loop, written.

    symbols   what its parts are called outside          sums   parts that add up over the steps
    lines     (left, right, whether it is inside the loop)
    """

    def __init__(
        self, outside: Outside, loop: Node, number: int, titles: dict[int, str], writer: Writer
    ) -> None:
        self.outside, self.loop, self.number, self.outer = outside, loop, number, writer
        self.body: Graph = loop.attr("body")
        self.carries, self.sequences = loop.attr("carries"), loop.attr("sequences")
        self.reverse = loop.attr("reverse")
        outside.axes.learn([loop])
        self.parts = outside.axes.parts[loop]
        self.length = self._length()
        self.letter = self._time()
        self.titles = titles
        self.symbols: dict[int, Symbol] = {}
        self.elements: dict[int, str] = {}
        self.sums: dict[int, Node] = {}
        self.lines: list[tuple[str, str, bool]] = []
        self.given: list[Node] = [outside.clean(i) for i in loop.inputs]

    @property
    def over(self) -> Over:
        return Over(self.number, self.letter, self.length, self.reverse)

    def _length(self) -> int:
        if self.sequences:
            return int(self.loop.inputs[self.carries].shape[0])
        types = [t for t in self.loop.type if isinstance(t, TensorType)]
        return int(types[self.carries].shape[0]) if len(types) > self.carries else 1

    def _time(self) -> str:
        if len(self.parts) > self.carries:
            named = self.outside.labels.named(self.outside.axes.find(self.parts[self.carries][0]))
        else:
            terms = self.outside.axes.of(self.loop.inputs[self.carries])[0]
            named = self.outside.labels.named(terms)
        return named if isinstance(named, str) else "t"

    # ------------------------------------------------------------------ names

    def name_all(self) -> None:
        """Names for all parts: before anything is written, so that others may use them."""
        body = self.body
        back = any(k == "scope" and v == "back" for n in body.inputs for k, v in n.attrs)
        self.back = back
        formals = body.inputs[: self.carries]
        inner_axes = Axes()
        inner_axes.learn(body.inputs)
        inner_axes.learn(body.outputs)
        self._inner_labels(inner_axes)
        before = "+1" if self.reverse else "-1"
        self.previous: dict[Node, str] = {}
        state_letters = iter("hcsqr")
        bases: dict[Node, str] = {}
        for k, formal in enumerate(formals):
            end = body.outputs[k]
            if self._is_sum(k):
                rest = next((i for i in end.inputs if i is not formal), end.inputs[0])
                self.sums[k] = rest
                continue
            letter = next(state_letters)
            base = rf"\bar{{{letter}}}" if back else letter
            title = self.titles.get(k)
            name = self.outside.name(base, self.loop)
            bases[formal] = name
            del title
            self.previous[formal] = indexed(atom(name), [self.letter + before]).tex
            self.elements[k] = indexed(atom(name), [self.letter]).tex
            labels = self.inner.natural(formal)
            last = 1 if self.reverse else self.length
            at = indexed(atom(name), [f"{self.letter}={last}"]).tex
            self.symbols[k] = Symbol(at, labels)
        taken = {body.outputs[k]: self.elements[k] for k in self.elements}
        for k in range(self.carries, len(body.outputs)):
            o = body.outputs[k]
            labels = (self.letter, *self.inner.natural(o))
            if o in self.previous:
                self.symbols[k] = Symbol(self.previous[o], labels)
                self.elements[k] = self.previous[o]
                continue
            if o in taken:
                whole = taken[o][: -len(f"_{{{self.letter}}}")]
                whole = whole[1:-1] if whole.startswith("{") and whole.endswith("}") else whole
                self.symbols[k], self.elements[k] = Symbol(whole, labels), taken[o]
                continue
            name = self.titles.get(k) or self.outside.name(self._letter(o), self.loop)
            self.symbols[k] = Symbol(name, labels)
            self.elements[k] = taken[o] = indexed(atom(name), [self.letter]).tex
        self.taken = taken

    def _is_sum(self, k: int) -> bool:
        """Whether a carry only adds up: its start is zero and nothing in the loop reads it."""
        formal, end = self.body.inputs[k], self.body.outputs[k]
        if end.op.name != "add" or formal not in end.inputs or value_of(self.loop.inputs[k]) != 0:
            return False
        order = topological(self.body.outputs)
        return not any(formal in n.inputs for n in order if n is not end) and self.back

    def _letter(self, o: Node) -> str:
        if self.back:
            return r"\delta"
        if o.op.name in ("sigmoid", "tanh", "hardsigmoid") and o.inputs[0].op.name == "slice":
            (part,) = o.inputs
            axis = next(
                a for a, (s, t) in enumerate(
                    zip(part.shape, part.inputs[0].shape, strict=True)) if s != t
            )  # fmt: skip
            count = part.inputs[0].shape[axis] // part.shape[axis]
            which = part.attr("start")[axis] // part.shape[axis]
            return "ifgo"[which] if count == 4 else "a"
        if o.op.name in ("add", "linear", "contract"):
            return "z"
        return "a" if o.op.elementwise else "u"

    def _inner_labels(self, axes: Axes) -> None:
        body = self.body
        order = topological([*body.inputs, *body.outputs])
        outer = self.outside.labels
        found: dict[Node, Labelled] = {}
        weights: list[Node] = []
        for k, (formal, given) in enumerate(zip(body.inputs, self.given, strict=True)):
            labels = self.outer.natural(given)
            if self.carries <= k < self.carries + self.sequences:
                labels = labels[1:]
            elif k < self.carries:
                parts = self.outside.axes.parts[self.loop][k]
                labels = tuple(
                    0 if t in outer.contracted or t in outer.features else outer.named(t)
                    for t in map(self.outside.axes.find, parts)
                )
                if sum(v == 0 for v in labels) > 1:  # a parameter, or the gradient of one
                    labels = tuple(range(len(labels)))
            if given not in outer.active and k >= self.carries + self.sequences:
                weights.append(formal)
            found[formal] = labels
        if not any(0 in found[f] for f in body.inputs[: self.carries]):
            for f in body.inputs[: self.carries]:
                if found[f] and len(set(map(type, found[f]))) == 1 and len(found[f]) > 1:
                    found[f] = (*found[f][:-1], 0)
        self.inner = Labels(axes, order, weights, [])
        self.inner.letters.clear()
        self.inner.active = depends_on(order, [f for f in body.inputs if f not in weights])
        for formal, labels in found.items():
            for terms, v in zip(axes.of(formal), labels, strict=True):
                if isinstance(v, str) and len(terms) == 1:
                    self.inner.letters.setdefault(terms[0], v)
                elif v == 0 and formal not in weights:
                    self.inner.contracted.add(terms)
            self.inner.declared[formal] = labels
        self.inner.matrix.clear()

    # ------------------------------------------------------------------ writing

    def write(self) -> None:
        """The lines: what starts the loop, then one step of it."""
        body = self.body
        names: dict[Node, Symbol] = {}
        first = self.length + 1 if self.reverse else 0
        for k, (formal, given) in enumerate(zip(body.inputs, self.given, strict=True)):
            labels = self.inner.natural(formal)
            if k < self.carries:
                if formal in self.previous:
                    names[formal] = Symbol(self.previous[formal], labels)
                    base = self.symbols[k].tex.rpartition("_{")[0]
                    base = base[1:-1] if base.startswith("{") and base.endswith("}") else base
                    start = indexed(atom(base), [f"{self.letter}={first}"]).tex
                    self.lines.append((start, self._outer(given, labels), False))
            elif k < self.carries + self.sequences:
                names[formal] = Symbol(self._sequence(given, labels, formal), labels)
            else:
                names[formal] = Symbol(self._constant(given, labels), labels)
        self.names = names
        targets = [o for o in self.taken if o not in body.inputs]
        order = {n: i for i, n in enumerate(topological(body.outputs))}
        extra = self._shared(targets, order)
        holders: dict[Node, Node] = {}
        elements = {**{o: self.taken[o] for o in targets}, **extra}
        for o, tex in elements.items():
            h = graph_input(index=len(holders), shape=o.shape, dtype=o.dtype, scope="step")
            holders[o] = h
            self.inner.axes.known[h] = self.inner.axes.of(o)
            labels = self.inner.natural(o)
            self.inner.declare(h, labels)
            self.inner.active.add(h)
            names[h] = Symbol(tex, labels)
        self.holders = holders
        self.writer = Writer(names, self.inner, {})
        for o in sorted(elements, key=lambda n: order.get(n, 0)):
            self.lines.append((elements[o], self._right(o), True))

    def _shared(self, targets: Sequence[Node], order: dict[Node, int]) -> dict[Node, str]:
        """What one step reads twice."""
        uses: dict[Node, int] = {}
        kept = topological([*targets, *self.sums.values()])
        for n in kept:
            for i in dict.fromkeys(n.inputs):
                uses[i] = uses.get(i, 0) + 1
        out: dict[Node, str] = {}
        for n in kept:
            if uses.get(n, 0) < 2 or n in targets or not n.inputs or value_of(n) is not None:
                continue
            if n.op.name in ("slice", "reshape", "broadcast_to", "permute", "cast", "neg", "item"):
                continue
            if not self.back and n.op.name not in ("add", "linear", "contract", "mul"):
                continue
            if n.op.name == "sub" and value_of(n.inputs[0]) is not None:
                continue
            base = r"\eta" if self.back else "z"
            out[n] = indexed(atom(self.outside.name(base, self.loop)), [self.letter]).tex
        return out

    def _right(self, o: Node) -> str:
        others = {n: h for n, h in self.holders.items() if n is not o}
        (clean,) = simpler(substitute([o], others))
        self._activate(clean)
        labels = self.inner.natural(o)
        if clean in self.writer.names:
            p = self.writer.see(clean, labels)
        else:
            p = self.writer.right(clean, labels)
        return fit(p, Binds.LIST if p.tex.startswith(r"\begin") else Binds.SUM)

    def _activate(self, clean: Node) -> None:
        for n in topological([clean]):
            if any(i in self.inner.active for i in n.inputs):
                self.inner.active.add(n)

    def total(self, k: int) -> Callable[[Writer, Labelled], Piece]:
        """Σ_t of what a carry adds up."""

        def written(w: Writer, want: Labelled) -> Piece:
            (clean,) = simpler(substitute([self.sums[k]], self.holders))
            self._activate(clean)
            p = self.writer.see(clean, want)
            inner = re.match(r"\\sum_\{([a-z,]*)\} ", p.tex)
            if inner:
                letters = ",".join(ordered([*inner[1].split(","), self.letter]))
                return Piece(rf"\sum_{{{letters}}} {p.tex[inner.end() :]}", Binds.BIG)
            return Piece(rf"\sum_{{{self.letter}}} {fit(p, Binds.BIG)}", Binds.BIG)

        return written

    def _outer(self, given: Node, labels: Labelled) -> str:
        rows = [str(n) for n, v in zip(given.shape, labels, strict=True) if isinstance(v, int)]
        if value_of(given) == 0 and rows:
            return rf"\mathbf{{0}}_{{{TIMES.join(rows)}}}"
        return fit(self.outer.see(given, labels), Binds.SUM)

    def _sequence(self, given: Node, labels: Labelled, formal: Node) -> str:
        """Step t of a sequence: one with a name, or that gets one."""
        whole: Labelled = (self.letter, *labels)
        if given in self.outer.names:
            s = self.outer.names[given]
            p = self.outer.convert(atom(s.tex), s.labels, whole)
            if f"_{{{self.letter}" in p.tex[-8:]:
                return p.tex
            return indexed(p, [self.letter]).tex
        if value_of(given) is not None:
            return self.outer.see(given, (None,) * len(whole)).tex
        name = self.outside.name("r", self.loop)
        self.lines.append((name, self._outer(given, whole), False))
        return indexed(atom(name), [self.letter]).tex

    def _constant(self, given: Node, labels: Labelled) -> str:
        if given in self.outer.names:
            return self.outer.see(given, labels).tex
        if value_of(given) is not None:
            return self.outer.see(given, (None,) * len(labels)).tex
        name = self.outside.name("r", self.loop)
        self.lines.append((name, self._outer(given, labels), False))
        return name


__all__ = ["Label", "Loop", "Over"]
