r"""A recorded computation as formulas.

>>> import chainrule as torch
>>> from chainrule import explain
>>> x, b = torch.ones(3), torch.zeros(2, requires_grad=True)
>>> W = torch.ones(2, 3, requires_grad=True)
>>> z = W @ x + b
>>> print(explain.formula(torch.softmax(z, 0), names={"x": x, "W": W, "b": b}))
y = \operatorname{softmax}(W x + b)
>>> print(explain.formula(torch.softmax(z, 0), names={"x": x, "W": W, "b": b, "z": z}))
\begin{aligned}
z &= W x + b \\
y &= \operatorname{softmax}(z)
\end{aligned}
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from typing import Any

from chainrule.explain.printing.layout import Equation, Layout, Target
from chainrule.explain.printing.symbols import Letters, leaf_letters, symbol
from chainrule.explain.printing.tidy import tidy as tidied
from chainrule.explain.recorded import named_tensors, place_of, recorded, same_place, subjects_of
from chainrule.ir.graph import substitute, topological
from chainrule.ir.node import Node
from chainrule.ir.op import registry
from chainrule.ops import input as graph_input
from chainrule.rewrite import decompose
from chainrule.tensor import Tensor

Expand = bool | Collection[str]


class Formula:
    """Equations, in the order in which they are to be read."""

    def __init__(self, equations: list[Equation]) -> None:
        self.equations = tuple(equations)

    @property
    def tex(self) -> str:
        """TeX for mathematics mode: one equation, or several under each other."""
        if len(self.equations) == 1:
            return str(self.equations[0])
        lines = " \\\\\n".join(f"{e.left} &= {e.right}" for e in self.equations)
        return f"\\begin{{aligned}}\n{lines}\n\\end{{aligned}}"

    @property
    def markdown(self) -> str:
        r"""A block of mathematics for Markdown, with \mathrm: some hosts refuse \operatorname."""
        return "```math\n" + re.sub(r"\\operatorname\b", r"\\mathrm", self.tex) + "\n```"

    def __iter__(self) -> Iterator[Equation]:
        return iter(self.equations)

    def __len__(self) -> int:
        return len(self.equations)

    def __str__(self) -> str:
        return self.tex

    def __repr__(self) -> str:
        return "\n".join(map(str, self.equations))

    def _repr_latex_(self) -> str:
        return f"$$\n{self.tex}\n$$"


class Subject:
    """Nodes to explain, with the names that are known from the start. `opened`: layers with
    loops and attention as what they do, which is what their gradient speaks of."""

    def __init__(
        self, subjects: list[Any], names: Any, expand: Expand, opened: bool = False
    ) -> None:
        given = named_tensors(names)
        inner = [(s, t) for s, t in given if isinstance(t, Node) or place_of(t) is not None]
        found = recorded([*subjects, *(t for _, t in inner)])
        if opened and expand is not True:
            expand = {*(expand or ()), *_opened(found.nodes)}
        nodes = _expanded(found.nodes, expand)
        self.nodes, named = nodes[: len(subjects)], nodes[len(subjects) :]
        self.leaves = found.leaves
        self.names: dict[Node, str] = {}
        for node, t in found.leaves.items():
            for s, other in given:
                if t is not None and isinstance(other, Tensor) and same_place(t, other):
                    self.names.setdefault(node, symbol(s))
        for (s, _), node in zip(inner, named, strict=True):
            self.names.setdefault(node, symbol(s))
        self.letters = Letters(self.names.values())
        unnamed = {
            n: letter for n, letter in leaf_letters(found.leaves).items() if n not in self.names
        }
        for n, s in zip(unnamed, self.letters.several(list(unnamed.values())), strict=True):
            self.names[n] = s
        self.inner = [n for n in named if n not in found.leaves]


def _expanded(nodes: list[Node], expand: Expand) -> list[Node]:
    if not expand:
        return nodes
    unknown = set() if expand is True else {n for n in expand if n not in registry}
    if unknown:
        raise ValueError(f"expand names ops that do not exist: {sorted(unknown)}")
    return decompose(nodes, lambda n: expand is not True and n.op.name not in expand)


def _opened(nodes: list[Node]) -> set[str]:
    """Layers whose gradient speaks of what is inside them: loops, rows of probabilities."""
    found = set()
    for n in topological(nodes):
        if not n.op.is_primitive:
            inside = n.op.expand(n)
            if any(
                m.op.name in ("scan", "softmax")
                for m in topological(inside if isinstance(inside, tuple) else (inside,))
            ):
                found.add(n.op.name)
    return found


def formula(
    x: Any, *, names: Any = None, expand: Expand = False, width: int = 60, tidy: bool = False
) -> Formula:
    """The formula of what was recorded behind a tensor (a node, a graph, or a list of these).

    names   {name: tensor} for inputs and for values on the way, a module (its parameters' names),
            or a list of both; what has no name becomes x (data), w (asks for gradients), c (number)
    expand  True: composites (softmax, …) as their formulas; or the names of those that shall be
    width   about how many signs an equation may have before parts of it are named
    tidy    collect constants and signs: for graphs that contain derived gradients

    The tensor is not computed, and nothing is recorded.
    """
    subjects = subjects_of(x)
    subject = Subject(subjects, names, expand)
    outputs = [n for n in subject.nodes if n not in subject.names]
    results = subject.letters.several(["y"] * len(dict.fromkeys(outputs)))
    subject.names.update(zip(dict.fromkeys(outputs), results, strict=True))
    order = in_order([*subject.inner, *subject.nodes], subject.nodes)
    targets = [(n, subject.names[n]) for n in order]
    known = subject.names
    if tidy:
        targets, shown = apart(order, [s for _, s in targets])
        known = {n: s for n, s in known.items() if n.op.name == "input"} | shown
    return Formula(Layout(known, subject.letters, width).write(targets))


def in_order(nodes: list[Node], outputs: list[Node]) -> list[Node]:
    """Those that the outputs need, inputs first."""
    from_outputs = topological(outputs)
    wanted = set(nodes)
    return [n for n in from_outputs if n in wanted]


def apart(values: Sequence[Node], titles: Sequence[str]) -> tuple[list[Target], dict[Node, str]]:
    """Each value in terms of the others' names, so that every step of the chain rule stays."""
    holders: dict[Node, Node] = {}
    for n in values:
        if n.op.name != "input" and n not in holders:
            holders[n] = graph_input(
                index=len(holders), shape=n.shape, dtype=n.dtype, scope="symbol"
            )
    shown: dict[Node, str] = {}
    targets: list[Target] = []
    for n, title in zip(values, titles, strict=True):
        if n not in holders or holders[n] in shown:
            targets.append((holders.get(n, n), title))
            continue
        others = {m: h for m, h in holders.items() if m is not n}
        (new,) = tidied(substitute([n], others))
        shown[holders[n]] = title
        targets.append((new, title))
    return targets, shown
