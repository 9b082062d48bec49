"""From a graph to equations: what gets a name, in which order they stand, loops step by step.

A value that is used twice, or a formula that grows too long, becomes a definition: z = …, a = ….
A loop is written as what one step of it does: h_t = … h_{t-1} ….
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from chainrule.explain.printing.symbols import Letters, index, letter_for
from chainrule.explain.printing.template import Binds, read
from chainrule.explain.printing.write import Piece, atom, fit, is_tensor, write
from chainrule.ir.graph import Graph, topological
from chainrule.ir.node import Node

SHARE = 5  # signs: what is shorter is written again instead of being named


class Equation(NamedTuple):
    """left = right, both TeX."""

    left: str
    right: str

    def __str__(self) -> str:
        return f"{self.left} = {self.right}"


Target = tuple[Node, str]


class Layout:
    """Writes targets, each with its name, as equations, and what they need before them.

    names   symbols of nodes: inputs, and the targets themselves
    letter  which letter a definition gets
    suffix  an index for every definition: t in the body of a loop
    """

    def __init__(
        self,
        names: Mapping[Node, str],
        letters: Letters,
        width: int,
        letter: Callable[[Node], str] = letter_for,
        suffix: str = "",
    ) -> None:
        self.names = dict(names)
        self.letters, self.width, self.letter, self.suffix = letters, width, letter, suffix
        self.pieces: dict[Node, Piece] = {}
        self.defined: dict[Node, None] = {}
        self.loops: dict[Node, list[Piece]] = {}  # the parts of a loop
        self.elements: dict[Node, list[str]] = {}  # the same, at step t
        self.equations: list[Equation] = []
        self.waiting: dict[Node, str] = {}  # definitions that are still to be written
        self.introduced: set[str] = set()

    # ------------------------------------------------------------------ looking at operands

    def strip(self, n: Node) -> Node:
        """Past what shows its argument and nothing else."""
        while n not in self.names:
            if read(n.op.tex).transparent and n.op.name != "boundary":
                n = n.inputs[0]
            elif n.op.name == "item" and n.inputs[0].op.name == "boundary":
                n = n.inputs[0].inputs[n.attr("index")]
            else:
                break
        return n

    def look(self, n: Node) -> Piece:
        """A node as an operand."""
        n = self.strip(n)
        if n in self.names:
            return _symbol(self.names[n])
        if n in self.defined:
            return atom("z_{1}")  # its name comes later; this is about as long
        return self.right(n)

    def right(self, n: Node) -> Piece:
        """A node written out."""
        found = self.pieces.get(n)
        if found is None:
            if _part_of_loop(n):
                loop = self.loops.get(n.inputs[0])
                found = atom("h_{1:T}") if loop is None else loop[n.attr("index")]
            else:
                found = write(n, self.look)
            self.pieces[n] = found
        return found

    def _whole(self, n: Node) -> str:
        """A node as the right side of an equation."""
        return fit(
            self.right(n), Binds.LIST if self.right(n).tex.startswith(r"\begin") else Binds.SUM
        )

    # ------------------------------------------------------------------ what gets a name

    def choose(self, targets: Sequence[Target]) -> None:
        """First pass: decide the definitions, then give them letters."""
        own = {n for n, _ in targets}
        order = topological(
            [n for n, _ in targets], stop=lambda n: n in self.names and n not in own
        )
        uses: dict[Node, int] = {}
        for n in order:
            for i in {self.strip(i) for i in n.inputs}:
                uses[i] = uses.get(i, 0) + 1
        for n in order:
            if n.op.name == "scan":
                self._choose_loop(n)
            elif is_tensor(n) and self.strip(n) is n and not (n in self.names and n not in own):
                self._shorten(n)
                if n not in self.names and uses.get(n, 0) > 1 and self._worth(n):
                    self.defined[n] = None
        self.pieces.clear()
        chosen = [n for n in order if n in self.defined and n.op.name != "scan"]
        bases = self.letters.several([self.letter(n) for n in chosen])
        self.waiting = {
            n: index(s, self.suffix) if self.suffix else s
            for n, s in zip(chosen, bases, strict=True)
        }

    def _worth(self, n: Node) -> bool:
        return n.op.name != "const" and self.right(n).weight > SHARE

    def _choose_loop(self, loop: Node) -> None:
        carries = loop.attr("carries")
        for i in map(self.strip, loop.inputs[carries:]):
            if i not in self.names and i.op.name not in ("const", "input") and not _part_of_loop(i):
                self.defined[i] = None
        self.defined[loop] = None

    def _shorten(self, n: Node) -> None:
        """Name the longest operand until the formula fits into the width."""
        while self.right(n).weight > self.width:
            operands = {self.strip(i) for i in n.inputs}
            operands |= {self.strip(j) for i in operands if not is_tensor(i) for j in i.inputs}
            long = [
                i
                for i in operands
                if is_tensor(i) and i not in self.names and i not in self.defined
            ]
            long = [i for i in long if self.right(i).weight > 2 * SHARE]
            if not long:
                return
            self.defined[max(long, key=lambda i: self.right(i).weight)] = None
            del self.pieces[n]

    # ------------------------------------------------------------------ writing

    def write(self, targets: Sequence[Target]) -> list[Equation]:
        """All equations, definitions before their first use."""
        self.choose(targets)
        owners: dict[Node, str] = {}
        for n, name in targets:
            if n in owners or n.op.name == "input" or self.strip(n) is not n:
                self.equations.append(Equation(name, owners.get(n) or self._alias(n, name)))
            else:
                self._define(n)
                self.equations.append(Equation(name, self._whole(n)))
            owners.setdefault(n, name)
        return self._used()

    def _used(self) -> list[Equation]:
        """Without definitions that nothing shows: a formula need not name all that its op reads."""
        out: list[Equation] = []
        for e in reversed(self.equations):
            if e.left not in self.introduced or any(e.left in later.right for later in out):
                out.append(e)
        return out[::-1]

    def _alias(self, n: Node, name: str) -> str:
        """What a target is that only shows another value."""
        inner = n if self.names.get(n) != name or n.op.name == "input" else n.inputs[0]
        self._define(inner)
        return self.look(inner).tex

    def _define(self, n: Node) -> None:
        """Write the definitions that a node needs and that are not there yet."""
        stop = set(self.names) - {n}
        for d in topological([n], stop=lambda m: m in stop):
            if d.op.name == "scan" and d not in self.loops:
                self._write_loop(d)
            elif d in self.waiting and d is not n:
                self._introduce(d)
        if n in self.waiting:
            self._introduce(n)

    def _introduce(self, d: Node) -> None:
        name = self.waiting.pop(d)
        self.equations.append(Equation(name, self._whole(d)))
        self.introduced.add(name)
        self.names[d] = name

    # ------------------------------------------------------------------ loops

    def _write_loop(self, loop: Node) -> None:
        body: Graph = loop.attr("body")
        carries, sequences = loop.attr("carries"), loop.attr("sequences")
        before, first, last = ("t+1", "T+1", "1") if loop.attr("reverse") else ("t-1", "0", "T")
        names: dict[Node, str] = {}
        bases: list[str] = []
        for i, (formal, given) in enumerate(zip(body.inputs, loop.inputs, strict=True)):
            if i < carries:
                start = self.look(given).tex
                base = self._state(i, formal, body.outputs[i], start)
                bases.append(base)
                names[formal] = index(base, before)
                if index(base, first) != start:
                    self.equations.append(Equation(index(base, first), start))
            elif i < carries + sequences:
                names[formal] = self._element(given)
            else:
                names[formal] = self.look(given).tex
        targets: dict[Node, str] = {}
        elements: list[str] = []
        for i, o in enumerate(body.outputs):
            if i < carries:
                element = index(bases[i], "t")
                if (
                    o in targets or o in names
                ):  # the same value, or unchanged: an equation of its own
                    self.equations.append(Equation(element, targets.get(o) or names[o]))
                else:
                    targets[o] = element
            elif o in names or o in targets:
                element = names.get(o) or targets[o]
            else:
                base = (
                    self.letters.one(r"\delta", "d")
                    if _backward(body)
                    else self.letters.one("y", "r", "q", "v")
                )
                element = targets[o] = index(base, "t")
            elements.append(element)
        order = {n: k for k, n in enumerate(topological(body.outputs))}
        inner = Layout({**targets, **names}, self.letters, self.width, self.letter, "t")
        self.equations += inner.write(sorted(targets.items(), key=lambda pair: order[pair[0]]))
        self.elements[loop] = elements
        self.loops[loop] = [
            _symbol(_at(e, last) if i < carries else _at(e, "1:T")) for i, e in enumerate(elements)
        ]

    def _state(self, i: int, formal: Node, after: Node, start: str) -> str:
        """A letter for what is carried: that of its start, else h, c; barred on the way back."""
        if start.endswith("_{0}"):
            return start[: -len("_{0}")]
        letter = "hcs"[i] if i < 3 else "s"
        if any(k == "scope" and v == "back" for k, v in formal.attrs):
            total = (
                after.op.name == "add" and formal in after.inputs
            )  # a gradient that is added up over the steps
            letter = "G" if total else rf"\bar{{{letter}}}"
        layer = len(self.loops) + 1
        return self.letters.one(
            letter, *(f"{letter}^{{({k})}}" for k in range(max(layer, 2), layer + 9))
        )

    def _element(self, given: Node) -> str:
        """Step t of a sequence."""
        inner = self.strip(given)
        if inner not in self.names and inner.op.name == "item" and inner.inputs[0] in self.elements:
            return self.elements[inner.inputs[0]][inner.attr("index")]
        return index(self.look(given).tex, "t")


def _backward(body: Graph) -> bool:
    return any(k == "scope" and v == "back" for n in body.inputs for k, v in n.attrs)


def _at(element: str, i: str) -> str:
    """h_t at another time: h_T, or all of them, h_{1:T}."""
    moved = {
        "t": i,
        "t-1": {"T": "T-1", "1": "0", "1:T": "0:T-1"}[i],
        "t+1": {"T": "T+1", "1": "2", "1:T": "2:T+1"}[i],
    }
    return re.sub(r"\b(t[+-]1|t)(?=\}$)", lambda m: moved[m[1]], element)


def _part_of_loop(n: Node) -> bool:
    return n.op.name == "item" and n.inputs[0].op.name == "scan"


def _symbol(name: str) -> Piece:
    return Piece(name, Binds.POWER if name.startswith((r"\frac", "(")) else Binds.ATOM)
