"""The graph behind a tensor, printed: text, Mermaid, DOT, SVG.

>>> import chainrule as torch
>>> from chainrule import explain
>>> x = torch.tensor([1.0, 2.0])
>>> print(explain.graph(torch.exp(x) + 1, names={"x": x}))
graph(%0: f32[2]):
  %1 = exp(%0) : f32[2]
  %2 = const() {value=1.0, dtype=f32} : f32[]
  %3 = add(%1, %2) : f32[2]
  return %3
where %0 = x
"""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import Any

from chainrule import compiler
from chainrule.explain.pages import picture
from chainrule.explain.pages.picture import text_width
from chainrule.explain.printing.formula import Expand, Subject
from chainrule.explain.printing.symbols import plain
from chainrule.explain.recorded import recorded, subjects_of
from chainrule.ir.graph import topological
from chainrule.ir.node import Node
from chainrule.ir.text import print_graph, print_type
from chainrule.layered import Size, layered
from chainrule.runtime.programs import watched
from chainrule.tensor import Tensor


def graph(x: Any, *, names: Any = None, expand: Expand = False) -> Drawing:
    """What was recorded behind a tensor (a node, a graph, or a list). Arguments as in `formula`.

    An array of which nothing is known any more is an input: data, and results that were computed
    and carry no gradient.
    """
    subjects = subjects_of(x)
    subject = Subject(subjects, names, expand)
    return Drawing(subject.nodes, subject.names)


def stages(x: Any, *args: Any, llvm: bool = False, assembly: bool = False, **keywords: Any) -> str:
    """Every stage of the compiler as text, from what was recorded to what runs, with its time.

    `x` is a tensor (a node, a graph, or several), or a function that is called with `args` and
    `keywords`: a model, or a whole training step. If something is computed while it runs (the step
    of an optimiser), the last program of these is shown, else what it gives back. With `llvm` and
    `assembly` also the code of every kernel.

    >>> import chainrule as torch
    >>> from chainrule import explain
    >>> model = torch.nn.Linear(20, 30)
    >>> print(explain.stages(model, torch.zeros(64, 20)).splitlines()[0])
    ── recorded
    """
    if callable(x) and not isinstance(x, Tensor):
        with watched() as programs:
            x = x(*args, **keywords)
        if programs:
            return compiler.stages(programs[-1], llvm=llvm, assembly=assembly)
    elif args or keywords:
        raise TypeError(f"arguments are for a function; {type(x).__name__} cannot be called")
    return compiler.stages(recorded(subjects_of(x)).nodes, llvm=llvm, assembly=assembly)


class Drawing:
    """A graph to look at. `str()` is the text form, and what each input is."""

    def __init__(self, outputs: Sequence[Node], names: dict[Node, str]) -> None:
        self.outputs, self.names = tuple(outputs), names
        self.order = topological(outputs)

    @property
    def text(self) -> str:
        """The text form alone: `chainrule.ir.parse` reads it."""
        return print_graph(self.outputs)

    def __str__(self) -> str:
        inputs = sorted(
            (n for n in self.order if n.op.name == "input"), key=lambda n: int(n.attr("index"))
        )
        told = [f"%{i} = {self.names[n]}" for i, n in enumerate(inputs) if n in self.names]
        return self.text + ("\nwhere " + ", ".join(told) if told else "")

    __repr__ = __str__

    # ------------------------------------------------------------------ boxes and arrows

    def _visible(self) -> list[Node]:
        """All but constants: they are written into the boxes that use them."""
        return [n for n in self.order if n.op.name != "const" or n in self.outputs]

    def _label(self, n: Node) -> tuple[str, str]:
        """Two lines: what it is, and its type."""
        name = plain(self.names[n]) if n in self.names else ""
        if n.op.name == "input":
            first = name or f"%{n.attr('index')}"
        else:
            constants = [f"{i.attr('value'):.6g}" for i in n.inputs if i.op.name == "const"]
            first = n.op.name + (f" {', '.join(constants)}" if constants else "")
            first = f"{name} = {first}" if name else first
        return first, print_type(n.type)

    def _edges(self) -> list[tuple[Node, Node]]:
        return [(i, n) for n in self._visible() for i in n.inputs if i.op.name != "const"]

    def mermaid(self) -> str:
        """Mermaid text, which many Markdown pages draw."""
        ids = {n: f"n{k}" for k, n in enumerate(self._visible())}
        lines = ["flowchart TD"]
        for n, i in ids.items():
            label = "<br/>".join(html.escape(s, quote=True) for s in self._label(n))
            left, right = ("([", "])") if n.op.name == "input" else ("[", "]")
            lines.append(f'  {i}{left}"{label}"{right}')
        lines += [f"  {ids[a]} --> {ids[b]}" for a, b in self._edges()]
        return "\n".join(lines)

    def dot(self) -> str:
        """DOT text, for Graphviz."""
        ids = {n: f"n{k}" for k, n in enumerate(self._visible())}
        lines = ["digraph {", "  node [shape=box];"]
        for n, i in ids.items():
            first, second = (s.replace("\\", "\\\\").replace('"', '\\"') for s in self._label(n))
            round_ = ", shape=ellipse" if n.op.name == "input" else ""
            lines.append(f'  {i} [label="{first}\\n{second}"{round_}];')
        lines += [f"  {ids[a]} -> {ids[b]};" for a, b in self._edges()]
        return "\n".join([*lines, "}"])

    def svg(self) -> str:
        """A picture of its own: layers from inputs to results."""
        return _svg(self._visible(), self._edges(), self._label)

    def _repr_svg_(self) -> str:
        return self.svg()


def _svg(nodes: list[Node], edges: list[tuple[Node, Node]], label: Any) -> str:
    lines = {n: label(n) for n in nodes}
    sizes = {n: Size(max(text_width(s) for s in lines[n]) + 20, 40) for n in nodes}
    laid = layered(sizes, edges, rank_gap=30)
    parts = [picture.arrow(line) for line in laid.lines]
    for n in nodes:
        (x, y), (w, h, _) = laid.places[n], sizes[n]
        given = n.op.name == "input"
        parts += [
            picture.rectangle(x, y, w, h, "pill" if given else "box", 20 if given else 5),
            picture.text(x + w / 2, y + 13, lines[n][0], "name"),
            picture.text(x + w / 2, y + 28, lines[n][1], "small"),
        ]
    inner = picture.moved(10, 10, "\n".join(parts))
    return picture.svg(laid.width + 20, laid.height + 20, inner, "graph", least=0.8)
