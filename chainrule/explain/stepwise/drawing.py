"""The graph of a back-propagation as a picture whose boxes and lines know their step."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chainrule.explain.pages.picture import arrow, rectangle, svg, text, text_width
from chainrule.explain.printing.inline import inline
from chainrule.explain.stepwise import figures
from chainrule.ir.node import Node, TensorType
from chainrule.layered import Size, layered

if TYPE_CHECKING:
    from chainrule.explain.stepwise.result import Backprop

_HEIGHT = 40.0
_GAP, _RANK_GAP = 18.0, 30.0


class Drawn:
    """The picture, and which boxes and lines belong to each value.

    boxes   value → number of its box; lines: (from, to) → number of the line
    """

    def __init__(self, found: Backprop, label: str) -> None:
        self.found = found
        symbols = found.symbols
        shown = [
            s.node
            for s in found.tape.steps
            if isinstance(s.node.type, TensorType) and s.node not in symbols.fixed
        ]
        self.boxes = {n: k for k, n in enumerate(shown)}
        edges: dict[tuple[Node, Node], None] = {}
        for n in shown:
            for i in self.operands(n):
                if i in self.boxes:
                    edges[i, n] = None
        self.lines = {e: k for k, e in enumerate(edges)}
        self.svg = self._picture(label)

    def operands(self, n: Node) -> tuple[Node, ...]:
        """The values that a value is computed from."""
        tape = self.found.tape
        step = tape.step(n)
        return tape.step(n.inputs[0]).inputs if n.op.name == "item" else step.inputs

    def _labels(self, n: Node) -> tuple[str, str]:
        name = inline(self.found.symbols.names[n])
        step = self.found.tape.step(n.inputs[0] if n.op.name == "item" else n)
        if n.op.name == "input":
            return name, figures.shape(n.shape)
        op = step.custom.name if step.custom is not None else step.node.op.name
        return f"{name} = {op}", figures.shape(n.shape)

    def _picture(self, label: str) -> str:
        labels = {n: self._labels(n) for n in self.boxes}
        sizes = {
            n: Size(max(text_width(a, bold=True), text_width(b, 11.5)) + 22, _HEIGHT)
            for n, (a, b) in labels.items()
        }
        laid = layered(sizes, list(self.lines), gap=_GAP, rank_gap=_RANK_GAP)
        parts = []
        pad = 10.0
        for k, points in enumerate(laid.lines):
            moved = [(x + pad, y + pad) for x, y in points]
            parts.append(f'<g id="e{k}" class="edge">{arrow(moved)}</g>')
        status = {b.node: b.status for b in self.found.backward}
        for n, k in self.boxes.items():
            x, y = laid.places[n]
            x, y = x + pad, y + pad
            kind = "pill" if n.op.name == "input" else "box"
            if n.op.name == "input" and n in status:
                kind += " learns"
            mark = {"wrong": " wrong", "differs": " wrong", "follows": " follows"}
            width = sizes[n].width
            corner = _HEIGHT / 2 if n.op.name == "input" else 5
            parts.append(
                f'<g id="b{k}" class="value{mark.get(status.get(n, ""), "")}">'
                + rectangle(x, y, width, _HEIGHT, kind, corner)
                + text(x + width / 2, y + 14, labels[n][0], "name")
                + text(x + width / 2, y + 29, labels[n][1], "small")
                + "</g>"
            )
        return svg(laid.width + 2 * pad, laid.height + 2 * pad, "\n".join(parts), label, least=0.6)
