"""From a subject to equations: the forward pass cut into steps, and the gradient cut at them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from chainrule.autodiff import derivative
from chainrule.autodiff.reverse import placeholder
from chainrule.explain.checking.differences import Point
from chainrule.explain.mathematics import moves as _moves  # writes the ops of its file
from chainrule.explain.mathematics.axes import Axes, Terms
from chainrule.explain.mathematics.labels import Labelled, Labels
from chainrule.explain.mathematics.laws import simpler
from chainrule.explain.mathematics.loops import Loop, Over
from chainrule.explain.mathematics.naming import Blocks, Names, owner
from chainrule.explain.mathematics.products import (
    conv_gradient_input,
    conv_gradient_kernel,
    image,
    moments,
    pool_gradient,
)
from chainrule.explain.mathematics.steps import (
    PRODUCTS,
    Steps,
    attention_operands,
    name_parameters,
    uses_of,
)
from chainrule.explain.mathematics.subject import Subject
from chainrule.explain.mathematics.writer import Special, Symbol, Writer
from chainrule.explain.printing.template import Binds
from chainrule.explain.printing.write import fit
from chainrule.explain.reading.values import Value
from chainrule.ir.graph import substitute, topological
from chainrule.ir.node import Node, TensorType
from chainrule.ops import add, full_like
from chainrule.ops import input as graph_input
from chainrule.rewrite import merge_loops
from chainrule.rewrite.walk import rewrite

assert _moves


#: Composites whose gradients have a notation of their own.
_WINDOWED = ("conv", "conv_transpose", "max_pool", "sum_pool")


class Line(NamedTuple):
    """left = right: TeX, and the layer that it belongs to.

    part    "forward", "loss", "delta" (∂L/∂ a value) or "parameter" (∂L/∂ a parameter)
    path    the layer's
    """

    left: str
    right: str
    part: str
    path: str
    over: Over | None = None


class Given(NamedTuple):
    """A symbol that no equation defines: data, parameters, masks.

    name    path of the parameter; "x", "y"; or what it is
    node    in the graph        labels    how its axes are read
    """

    tex: str
    name: str
    role: str
    node: Node
    labels: Labelled


class Derivation:
    """The equations of a subject, and everything that is needed to write them."""

    def __init__(self, subject: Subject) -> None:
        self.subject = subject
        self.axes = Axes()
        self.axes.learn(subject.order)
        weights = [n for n in subject.names]
        self.labels = Labels(self.axes, subject.order, weights, [*subject.inputs, *subject.target])
        self.blocks = Blocks(subject.seen.calls, map(owner, subject.names.values()))
        self.names = Names(self.blocks)
        self.steps = Steps(subject, subject.order, self.labels, self.names)
        self.steps.kinds.update(attention_operands(self.steps))
        self.order, self.moment = with_moments(subject.order)
        self.axes.learn(self.order)
        self.labels.active.update(self.moment)
        self.symbols: dict[Node, Symbol] = {}
        self.givens: list[Given] = []
        self.lines: list[Line] = []
        self.head = "L"
        self._leaves()
        self._forward_names()
        self._gradients()
        self._write()

    # ------------------------------------------------------------------ names

    def _symbol(self, n: Node, tex: str) -> None:
        labels = self.labels.natural(n)
        self.symbols[n] = Symbol(tex, labels)
        self.labels.declare(n, labels)

    def _given(self, n: Node, tex: str, name: str, role: str) -> None:
        self._symbol(n, tex)
        self.givens.append(Given(tex, name, role, n, self.symbols[n].labels))

    def _leaves(self) -> None:
        self.names.taken.update(("L", "T", "N", "i", "j"))
        subject = self.subject
        for letter, role, nodes in (
            ("x", "input", subject.inputs),
            ("y", "target", subject.target),
        ):
            for k, n in enumerate(nodes, 1):
                if n not in self.symbols:
                    tex = self.names.new(letter if len(nodes) == 1 else f"{letter}_{{{k}}}", "")
                    self._given(n, tex, role if len(nodes) == 1 else f"{role} {k}", role)
        self._kernels()
        self._scales()
        parameters = name_parameters(self.steps)
        trained = set(subject.trainable)
        for n, tex in parameters.items():
            self._given(n, tex, subject.names[n], "parameter" if n in trained else "buffer")
        for n, letter in self.steps.given.items():
            if n not in self.symbols:
                self._given(
                    n, self.names.new(letter, ""), "mask" if letter == "m" else "constant", "given"
                )
        for n in self.steps.leaves:
            if n not in self.symbols and isinstance(n.type, TensorType):
                drawn = n.shape == (2,) and not n.dtype.is_floating_point
                if not drawn:
                    self._given(n, self.names.new("c", ""), "constant", "given")

    def _kernels(self) -> None:
        """A kernel that is only ever turned round is read as it is after that."""
        for n in self.subject.names:
            users = self.steps.users.get(n, [])
            if len(users) == 1 and users[0].op.name == "permute":
                kernel = users[0]
                above = self.steps.users.get(kernel, [])
                one = [a for a in above if a.op.name == "reshape" and _dense(a) == _dense(kernel)]
                if len(above) == 1 and one:  # groups of one channel
                    (kernel,) = one
                    above = self.steps.users.get(kernel, [])
                if above and all(u.op.name == "conv" and u.inputs[1] is kernel for u in above):
                    order = users[0].attr("order")
                    self.labels.declare(n, tuple(order.index(a) for a in range(len(order))))

    def _scales(self) -> None:
        """Axes of size 1 only make shapes fit: (C, 1, 1) is a vector, (1, T, d) a matrix."""
        for n in self.subject.names:
            names = {u.op.name for u in uses_of(n, self.steps)}
            if n.ndim > 2 and len(_dense(n)) < n.ndim and not names & PRODUCTS:
                rows = iter(range(n.ndim))
                self.labels.declare(n, tuple(next(rows) if s != 1 else None for s in n.shape))

    def _forward_names(self) -> None:
        """z^{(l)}: l of the layer whose parameters it reads, or of the last one before it."""
        level: dict[tuple[object, Node], int] = {}
        for n in self.order:
            call = self.subject.home.get(n) or self.subject.home.get(self.moment.get(n, n))
            path = call.path if call is not None else ""
            block = self.blocks.of(path)
            found = self.names.number(path) if path in self.blocks.owners else 0
            for i in n.inputs:
                if i in self.subject.names:
                    home = owner(self.subject.names[i])
                    if self.blocks.of(home) == block:
                        found = max(found, self.names.number(home))
                else:
                    found = max(found, level.get((block, i), 0))
            level[block, n] = found
            if n in self.steps.kinds and n not in self.symbols:
                self._symbol(n, self.names.new(self.steps.kinds[n], self.names.above(path, found)))
        if self.subject.loss is not None:
            self.symbols[self.subject.loss] = Symbol("L", ())

    # ------------------------------------------------------------------ the chain rule

    def _gradients(self) -> None:
        subject = self.subject
        self.cuts = [n for n in self.order if n in self.steps.kinds]
        self.start: list[Node] = []
        if subject.loss is not None:
            ends, starts = [subject.loss], [full_like(subject.loss, 1)]
        else:
            ends = subject.outputs
            starts = self.start = [placeholder(n, k) for k, n in enumerate(ends)]
        special = [n for n in subject.order if n.op.name in _WINDOWED]
        asked = [*reversed(self.cuts), *subject.trainable, *special]
        if ends and subject.trainable:
            found = derivative(ends, starts, asked).gradients
        else:
            found = [None] * len(asked)
        pairs = [(n, g) for n, g in zip(asked, found, strict=True) if g is not None]
        goals = [*self.cuts, *ends]
        merged = merge_loops([*goals, *(n for n, _ in pairs), *(g for _, g in pairs)])
        if special:
            merged = rewrite(merged, apart_again)
        k = len(goals)
        new_names = dict(zip(goals, merged[:k], strict=True))
        new_names.update(zip((n for n, _ in pairs), merged[k : k + len(pairs)], strict=True))
        for old, new in new_names.items():
            if old is not new:
                self.axes.known[new] = self.axes.of(old)
                if old in self.symbols:
                    self.symbols[new] = self.symbols[old]
                self.labels.declare(new, self.labels.natural(old))
        self.now = new_names
        self.gradients = {n: g for (n, _), g in zip(pairs, merged[k + len(pairs) :], strict=True)}
        self.special_nodes = [n for n in special if n in self.gradients]
        for n, g in zip(ends, self.start, strict=False):
            name = self.symbols[n].tex
            self.labels.declare(g, self.labels.natural(n))
            self.axes.known[g] = self.axes.of(n)
            self._given(g, rf"\frac{{\partial L}}{{\partial {name}}}", "upstream", "given")

    # ------------------------------------------------------------------ writing

    def _write(self) -> None:
        holders: dict[Node, Node] = {}
        names: dict[Node, Symbol] = dict(self.symbols)
        specials: dict[Node, Special] = {}

        def hold(n: Node, symbol: Symbol | None, like: Node) -> Node:
            if n.op.name == "input":
                return n
            h = graph_input(index=len(holders), shape=n.shape, dtype=n.dtype, scope="symbol")
            holders[n] = h
            self.axes.known[h] = self.axes.of(like)
            if like in self.labels.active:
                self.labels.active.add(h)
            if symbol is not None:
                names[h] = symbol
                self.labels.declare(h, symbol.labels)
            return h

        forward = [self.now.get(n, n) for n in self.cuts]
        for old, n in zip(self.cuts, forward, strict=True):
            hold(n, self.symbols[old], old)
        for given in self.givens:
            if given.node.op.name != "input":
                hold(given.node, self.symbols[given.node], given.node)
        for n in forward:
            if not n.op.is_primitive:
                inside = n.op.expand(n)
                if isinstance(inside, Node) and inside not in holders:
                    holders[inside] = holders[n]
        back = self._titles(forward)
        for n, (g, title) in reversed(back.items()):
            if g not in holders:
                labels = self.symbols[n].labels if n in self.symbols else self.labels.natural(n)
                hold(g, Symbol(title, labels), n)
        self.raw: dict[Node, Node] = {}
        self._specials(holders, specials)
        self.holders, self.writer = holders, Writer(names, self.labels, specials)
        self._loops(forward, names, hold)
        for old, n in zip(self.cuts, forward, strict=True):
            self._line(n, self.symbols[old], "forward", self._path(old))
        if self.subject.loss is not None:
            loss = self.subject.loss
            self._line(self.now.get(loss, loss), Symbol("L", ()), "loss", self._path(loss))
        self._backward(back, forward)

    def _path(self, n: Node) -> str:
        call = self.subject.home.get(n) or self.subject.home.get(self.moment.get(n, n))
        return call.path if call is not None else ""

    def _titles(self, forward: Sequence[Node]) -> dict[Node, tuple[Node, str]]:
        """Which gradients get a line: those of affine values, and whatever is read twice."""
        values = [
            self.gradients[n] for n in (*self.cuts, *self.subject.trainable) if n in self.gradients
        ]
        order = topological(values)
        uses: dict[Node, int] = {}
        for n in order:
            for i in n.inputs:
                uses[i] = uses.get(i, 0) + 1
        targets = {self.gradients[n] for n in self.subject.trainable if n in self.gradients}
        out: dict[Node, tuple[Node, str]] = {}
        for n in self.cuts:
            g = self.gradients.get(n)
            if g is None or g.op.name in ("const", "input", "broadcast_to"):
                continue
            kind = self.steps.kinds[n]
            name = self.symbols[n].tex
            if kind in (r"\mu", "v"):
                continue
            if kind == "z":
                base, _, above = name.partition("^")
                delta = r"\delta" + (f"_{{{base[2:].strip('_{}')}}}" if base != "z" else "")
                out[n] = g, f"{delta}^{above}" if above else delta
            elif kind == "h" or uses.get(g, 0) > 1 or g in targets:
                out[n] = g, rf"\frac{{\partial L}}{{\partial {name}}}"
        return out

    def _specials(self, holders: dict[Node, Node], specials: dict[Node, Special]) -> None:
        """Gradients of convolutions and pooling, found by what the chain rule makes of them."""
        for n in self.special_nodes:
            g = self.gradients[n]
            now = self.now.get(n, n)
            formal = [
                graph_input(index=k, shape=i.shape, dtype=i.dtype, scope="formal")
                for k, i in enumerate(n.inputs)
            ]
            made = n.op.make(tuple(formal), n.attrs)
            ct = placeholder(made, 0)
            parts = derivative([made], [ct], formal).gradients
            actual = dict(zip((*formal, ct), (*now.inputs, g), strict=True))
            for k, part in enumerate(parts):
                if part is None:
                    continue
                (node,) = substitute([part], actual)
                h = graph_input(
                    index=len(holders), shape=node.shape, dtype=node.dtype, scope="symbol"
                )
                if node in holders:  # it has a name: this is how its line is written
                    self.raw[node] = h
                else:
                    holders[node] = h
                self.axes.known[h] = self.axes.of(n.inputs[k])
                self.labels.active.add(h)
                self.labels.declare(h, self.labels.natural(n.inputs[k]))
                seen = _Lazy(self, g), _Lazy(self, now.inputs[0]), _Lazy(self, now.inputs[-1])
                if n.op.name.startswith("conv"):
                    other = seen[2] if k == 0 else seen[1]
                    make = conv_gradient_input if k == 0 else conv_gradient_kernel
                    specials[h] = _late(make, now, seen[0], other)
                else:
                    specials[h] = _late(pool_gradient, now, seen[0])

    # ------------------------------------------------------------------ loops

    def _loops(self, forward: Sequence[Node], names: dict[Node, Symbol], hold: Any) -> None:
        """Names for the parts of every loop, then what one step of each does."""
        self.loop_of: dict[Node, Loop] = {}
        self.emitted: set[int] = set()
        self.callers: dict[Node, str] = {}
        ends = [
            self.now.get(n, n) for n in (self.subject.loss, *self.subject.outputs) if n is not None
        ]
        values = [*forward, *ends, *self.gradients.values()]
        order = topological(values)
        if not any(n.op.name == "scan" for n in order):
            return
        items: dict[Node, list[Node]] = {}
        for n in order:
            if n.op.name == "item" and n.inputs[0].op.name == "scan":
                items.setdefault(n.inputs[0], []).append(n)
        path = ""
        for n in order:
            path = self._path(n) or path
            if n.op.name == "scan":
                before = [
                    self.callers[i.inputs[0]]
                    for i in n.inputs
                    if i.op.name == "item" and i.inputs[0] in self.callers
                ]
                back = any(v == "back" for i in n.attr("body").inputs for _, v in i.attrs)
                self.callers[n] = before[0] if back and before else self._path(n) or path
        loops = [n for n in order if n.op.name == "scan"]
        for number, n in enumerate(loops):
            titles = {
                part.attr("index"): names[self.holders[part]].tex
                for part in items.get(n, []) if part in self.holders
            }  # fmt: skip
            loop = Loop(self, n, number, titles, self.writer)
            loop.name_all()
            for part in items.get(n, []):
                k = part.attr("index")
                if part in self.holders and k in loop.symbols and k >= loop.carries:
                    self.loop_of[self.holders[part]] = loop
                    continue
                if k in loop.sums:
                    h = self.holders.get(part) or hold(part, None, part)
                    if h not in names:
                        self.writer.specials[h] = loop.total(k)
                        self.labels.declare(h, tuple(range(len(part.shape))))
                    self.loop_of[h] = loop
                    continue
                h = hold(part, loop.symbols[k], part)
                self.writer.names[h] = loop.symbols[k]
                self.loop_of[h] = loop
            loop.write()

    def name(self, base: str, like: Node) -> str:
        """A name for a part of a loop."""
        path = self.callers.get(like, "")
        number = self.names.number(path) if path in self.blocks.owners else 0
        return self.names.new(base, self.names.above(path, number) if number else "")

    def _before(self, clean: Node, part: str) -> None:
        """The loops that a line reads stand before it."""
        for n in topological([clean]):
            loop = self.loop_of.get(n)
            if loop is not None:
                self._emit(loop, part)

    def _emit(self, loop: Loop, part: str) -> None:
        if loop.number in self.emitted:
            return
        self.emitted.add(loop.number)
        for given in loop.given:
            self._before(given, part)
        path = self.callers.get(loop.loop, "")
        for left, right, inside in loop.lines:
            self.lines.append(Line(left, right, part, path, loop.over if inside else None))

    def given_values(self) -> dict[str, Value]:
        """What the symbols hold that no equation defines, in double precision."""
        arrays = self.subject.arrays
        wanted = [g for g in self.givens if g.role != "given" or g.name != "upstream"]
        point = Point([g.node for g in wanted], arrays)
        return {g.tex: self.value(g.node, np.asarray(point[g.node])) for g in wanted}

    def value(self, n: Node, array: np.ndarray) -> Value:
        """An array of the graph as a formula reads it: its axes with the labels of the symbol."""
        now = next((old for old, new in self.now.items() if new is n), n)
        symbol = self.symbols.get(n) or self.symbols.get(now)
        labels = symbol.labels if symbol is not None else self.labels.natural(n)
        return as_value(array, labels, self.axes.of(now), self.axes)

    def clean(self, n: Node, own: Node | None = None) -> Node:
        """A value in terms of the others' names, without what the chain rule leaves behind."""
        if own is None and n in self.holders:
            return self.holders[n]
        others = (
            self.holders if own is None else {m: h for m, h in self.holders.items() if m is not own}
        )
        return simpler(substitute([n], others))[0]

    def right(self, n: Node, labels: Labelled, part: str) -> str:
        """The right side of an equation."""
        if n in self.raw:
            return fit(self.writer.specials[self.raw[n]](self.writer, labels), Binds.SUM)
        held = self.holders.pop(n, None)
        try:
            clean = simpler(substitute([n], self.holders))[0]
        finally:
            if held is not None:
                self.holders[n] = held
        self._before(clean, part)
        if n.op.name in ("standardize", "rms_standardize"):
            old = next(m for m in self.cuts if self.now.get(m, m) is n)
            for here, there in zip(moments(clean), moments(old), strict=True):
                self.writer.names[here] = self.symbols[there]
        for i in topological([clean]):
            if i not in self.labels.active and any(j in self.labels.active for j in i.inputs):
                self.labels.active.add(i)
        if clean in self.writer.names and clean.op.name == "input":
            p = self.writer.see(clean, labels)
        else:
            p = image(self.writer, clean, labels, named=True)
        return fit(p, Binds.LIST if p.tex.startswith(r"\begin") else Binds.SUM)

    def _line(self, n: Node, symbol: Symbol, part: str, path: str) -> None:
        self.lines.append(Line(symbol.tex, self.right(n, symbol.labels, part), part, path))

    def _backward(self, back: dict[Node, tuple[Node, str]], forward: Sequence[Node]) -> None:
        place = {n: k for k, n in enumerate(self.cuts)}
        home: dict[Node, int] = {}
        trainable = set(self.subject.trainable)
        for n in self.cuts:
            others = place.keys() - {n}
            for i in topological([n], stop=others.__contains__):
                if i in trainable:
                    home.setdefault(i, place[n])
        order: list[tuple[int, int, Node]] = [(-place[n], 0, n) for n in back]
        order += [
            (-home.get(n, len(place)), 1 + k, n)
            for k, n in enumerate(self.subject.trainable)
            if n in self.gradients
        ]
        shown: set[Node] = set()
        for _, kind, n in sorted(order, key=lambda t: t[:2]):
            g = self.gradients[n]
            held = self.holders.get(g)
            if held in self.loop_of:
                self._emit(self.loop_of[held], "delta")
                if kind == 0 and held not in self.writer.specials:
                    shown.add(g)
            if kind == 0:
                _, title = back[n]
                labels = self.symbols[n].labels
                if g in shown:
                    right = self.writer.see(self.holders[g], labels).tex
                    if right == title:
                        continue
                    self.lines.append(Line(title, right, "delta", self._path(n)))
                else:
                    self._line(g, Symbol(title, labels), "delta", self._path(n))
                shown.add(g)
            else:
                title = rf"\frac{{\partial L}}{{\partial {self.symbols[n].tex}}}"
                path = owner(self.subject.names[n])
                labels = self.symbols[n].labels
                if g in self.holders:
                    right = self.writer.see(self.holders[g], labels).tex
                else:
                    right = self.right(g, labels, "parameter")
                self.lines.append(Line(title, right, "parameter", path))


def apart_again(n: Node) -> Node | None:
    """Windows that several convolutions share give back a sum: one term for each of them."""
    inner = n.inputs[0] if n.inputs else n
    given_back = n.op.name == "unwindows" or (n.op.name == "slice" and _of_windows(inner))
    if not given_back or inner.op.name != "add":
        return None
    a, b = (n.op.make((i,), n.attrs) for i in inner.inputs)
    return add(apart_again(a) or a, apart_again(b) or b)


def _of_windows(n: Node) -> bool:
    return n.op.name == "unwindows" or (n.op.name == "add" and all(map(_of_windows, n.inputs)))


def _dense(n: Node) -> list[int]:
    """The sizes of a shape that are not 1."""
    return [s for s in n.shape if s != 1]


def with_moments(order: Sequence[Node]) -> tuple[list[Node], dict[Node, Node]]:
    """The order, with mean and variance before what is normalised by them; whose they are."""
    out: list[Node] = []
    owner_of: dict[Node, Node] = {}
    for n in order:
        if n.op.name in ("standardize", "rms_standardize"):
            for m in dict.fromkeys(moments(n)):
                if m not in owner_of:
                    owner_of[m] = n
                    out.append(m)
        out.append(n)
    return out, owner_of


def as_value(array: np.ndarray, labels: Labelled, terms: Sequence[Terms], axes: Axes) -> Value:
    """An array with labels; axes that stand for several letters are divided."""
    shape: list[int] = []
    names: list[int | str] = []
    for size, v, t in zip(array.shape, labels, terms, strict=True):
        if isinstance(v, tuple):
            shape += [axes.sizes[u] for u in axes.find(t)]
            names += v
        elif v is not None:
            shape.append(size)
            names.append(v)
    kind = np.int64 if array.dtype.kind in "iub" else np.float64
    return Value(array.reshape(shape).astype(kind), tuple(names))


class _Lazy:
    """A node that is put into terms of names when it is written."""

    def __init__(self, of: Derivation, node: Node) -> None:
        self.of, self.node = of, node

    def get(self) -> Node:
        made = self.of.clean(self.node)
        for i in topological([made]):
            if any(j in self.of.labels.active for j in i.inputs):
                self.of.labels.active.add(i)
        return made


def _late(make: object, n: Node, *parts: _Lazy) -> Special:
    def written(w: Writer, want: Labelled) -> object:
        return make(n, *(p.get() for p in parts))(w, want)  # type: ignore[operator]  # one of three

    return written  # type: ignore[return-value]  # a Piece


def derive(subject: Subject) -> Derivation:
    """All equations of a subject."""
    return Derivation(subject)


__all__ = ["Derivation", "Given", "Iterable", "Line", "derive"]
