"""Symbols for the values of a tape; steps and rules as formulas, with symbols or numbers."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Literal, NamedTuple

import numpy as np

from chainrule import ops
from chainrule.explain.printing.layout import Equation, Layout
from chainrule.explain.printing.symbols import Letters, index, letter_for, symbol
from chainrule.explain.printing.template import read
from chainrule.explain.printing.tidy import tidy
from chainrule.explain.stepwise import figures
from chainrule.explain.stepwise.rules import Rule
from chainrule.explain.stepwise.tape import Step, Tape, When, alone
from chainrule.ir.graph import substitute
from chainrule.ir.node import Node, TensorType

#: Symbols, numbers as TeX, or numbers as text for terminals.
How = Literal["symbols", "numbers", "text"]

WIDTH = 100  # signs of a formula before parts of it are named


class Written(NamedTuple):
    """A formula: what is named first, and the value."""

    where: tuple[Equation, ...]
    tex: str


def partial(name: str, of: str = "L") -> str:
    r"""∂L/∂name"""
    return rf"\frac{{\partial {of}}}{{\partial {name}}}"


class Symbols:
    """A symbol for every value that is shown. Numbers known beforehand are written where they are
    used.

    known     new input → name: data, parameters
    learned   inputs without a name that ask for gradients
    rows      whether vectors are rows: beside samples that are rows, those of x Wᵀ + b
    """

    def __init__(
        self, tape: Tape, known: Mapping[Node, str], learned: Collection[Node] = ()
    ) -> None:
        self.tape, self.learned = tape, set(learned)
        self.fixed = _fixed(tape)
        self.names: dict[Node, str] = {n: symbol(name) for n, name in known.items()}
        self.names[tape.loss] = "L"
        self.rows = any(name[:1] == "x" and len(n.shape) > 1 for n, name in known.items())
        letters = Letters(self.names.values())
        keys: dict[object, str] = {}
        shown = [s.node for s in tape.steps if s.node not in self.fixed]
        for n in shown:
            if n not in self.names and isinstance(n.type, TensorType):
                keys.setdefault(self._key(n), self._letter(n))
        bases = dict(zip(keys, letters.several(list(keys.values())), strict=True))
        for n in shown:
            if n not in self.names and isinstance(n.type, TensorType):
                when = self.tape.when.get(n)
                base = bases[self._key(n)]
                self.names[n] = index(base, str(when.time)) if when is not None else base
        self._holders: dict[Node, Node] = {}
        self._cotangents: dict[Node, Node] = {}

    def _key(self, n: Node) -> object:
        when = self.tape.when.get(n)
        return n if when is None else (when.loop, when.part)

    def _letter(self, n: Node) -> str:
        when: When | None = self.tape.when.get(n)
        if when is not None and when.state is not None:
            return "hcq"[min(when.state, 2)]
        if n.op.name == "input":
            if self.tape.given[n].op.name != "input":
                return r"\xi"
            return "w" if n in self.learned else "s"
        return letter_for(n)

    # ------------------------------------------------------------------ writing

    def holder(self, n: Node) -> Node:
        """What stands for a value in formulas."""
        if n in self.fixed or not isinstance(n.type, TensorType):
            return n
        found = self._holders.get(n)
        if found is None:
            found = self._holders[n] = ops.input(
                index=len(self._holders), shape=n.shape, dtype=n.dtype, scope="symbol"
            )
        return found

    def _cotangent(self, n: Node) -> Node:
        found = self._cotangents.get(n)
        if found is None:
            found = self._cotangents[n] = ops.input(
                index=len(self._cotangents), shape=n.shape, dtype=n.dtype, scope="partial"
            )
        return found

    def _letters(self, how: How, cotangents: Mapping[Node, np.ndarray]) -> dict[Node, str]:
        out = {}
        for n, h in self._holders.items():
            out[h] = self._shown(self.names[n], self.tape.values[n], how)
        for n, h in self._cotangents.items():
            if n in cotangents:
                out[h] = self._shown(partial(self.names[n]), cotangents[n], how)
        return out

    def _shown(self, name: str, value: np.ndarray, how: How) -> str:
        return name if how == "symbols" else _FIGURES[how](value, self.rows)

    def forward(self, step: Step, how: How = "symbols") -> Written:
        """The formula of a step's value."""
        n = step.node
        source = self.tape.step(n.inputs[0]) if n.op.name == "item" else step
        inputs = tuple(self.holder(i) for i in source.inputs)
        letters = self._letters(how, {})
        look = Layout(letters, Letters(), WIDTH).look
        if source.custom is not None:
            inside = ", ".join(look(i).tex for i in inputs)
            part = f"_{{{n.attr('index') + 1}}}" if len(source.node.type) > 1 else ""
            return Written((), rf"{_named(source.custom.name)}\left({inside}\right){part}")
        made = alone(source, inputs)
        if source is step and read(n.op.tex).transparent:
            return Written((), _move(n, look(made.inputs[0]).tex))
        return _write(made if source is step else n.op.make((made,), n.attrs), letters, how)

    def custom(
        self, step: Step, cotangents: Mapping[Node, np.ndarray], k: int, how: How
    ) -> Written:
        """What a `backward` of the user's gives operand k."""
        assert step.custom is not None
        for i in cotangents:
            self._cotangent(i)
        letters = self._letters(how, cotangents)
        inside = ", ".join(letters[self._cotangents[i]] for i in cotangents)
        part = f"_{{{k + 1}}}" if len(step.inputs) > 1 else ""
        name = _named(f"{step.custom.name}.backward")
        return Written((), rf"{name}\left({inside}\right){part}")

    def part(
        self, step: Step, rule: Rule, k: int, cotangents: Mapping[Node, np.ndarray], how: How
    ) -> Written:
        """What a step's rule gives its operand k, in terms of the cotangents of its outputs."""
        expression = rule.parts[k]
        assert expression is not None
        mapping = {
            formal: self.holder(i)
            for formal, i in zip(rule.operands, step.inputs, strict=True)
            if isinstance(i.type, TensorType)
        }
        outputs = self.tape.outputs_of(step.node)
        for i, ct in rule.cotangents.items():
            mapping[ct] = self._cotangent(outputs[i])
        if isinstance(step.node.type, TensorType):
            mapping[rule.result] = self.holder(step.node)
        (new,) = tidy(substitute([expression], mapping))
        return _write(new, self._letters(how, cotangents), how)


_FIGURES = {"numbers": figures.operand, "text": figures.bare}


def _write(n: Node, letters: Mapping[Node, str], how: How) -> Written:
    width = WIDTH if how == "symbols" else 100 * WIDTH
    *where, last = Layout(letters, Letters(letters.values()), width).write([(n, r"\square")])
    return Written(tuple(where), last.right)


def _named(name: str) -> str:
    return rf"\text{{{name}}}".replace("_", r"\_")


def _move(n: Node, inside: str) -> str:
    """An op that shows its operand in another form, by name."""
    if n.op.name == "cast":
        return inside
    name = n.op.name.replace("_", " ")
    to = r" \times ".join(map(str, n.shape)) or "1"
    return rf"\operatorname{{{name}}}_{{{to}}}\left({inside}\right)"


def _fixed(tape: Tape) -> set[Node]:
    """Numbers that were known when the graph was made."""
    found: set[Node] = set()
    for s in tape.steps:
        n = s.node
        if n.op.name in ("const", "iota") or (
            n.op.name != "input" and n.inputs and all(i in found for i in s.inputs)
        ):
            found.add(n)
    found.discard(tape.loss)
    return found
