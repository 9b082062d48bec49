"""A loop over time as steps of the program: the kernels of its body, once for every step of time,
each time on other places in memory.

    scan(h0, X) {h ← tanh(x + contract(h, W))}
    →   kernel(h0, X[0]) → H[0]; kernel(H[0], X[1]) → H[1]; …

The code of a kernel is shared by all steps of time. What does not change in the loop (a packed
weight) is computed before it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from chainrule import ops
from chainrule.ir.graph import Graph
from chainrule.ir.node import Node
from chainrule.schedule import scalars
from chainrule.schedule.lowered import Lowered, Place, Step, Temporary

#: Kernels of a body in order: what they read, what they put into memory, and their steps.
Body = Sequence[tuple[tuple[Node, ...], tuple[Node, ...], Lowered]]


def lower_scan(graph: Graph, kernels: Callable[[Sequence[Node]], Body]) -> Lowered:
    """Steps of a kernel whose outputs are parts of one scan."""
    return _Scan(graph, kernels).lowered()


class _Scan:
    def __init__(self, graph: Graph, kernels: Callable[[Sequence[Node]], Body]) -> None:
        self.node = graph.outputs[0].inputs[0]
        self.parts = {p.attr("index"): k for k, p in enumerate(graph.outputs)}
        self.given = {x: i for i, x in enumerate(graph.inputs)}
        self.body: Graph = self.node.attr("body")
        self.carries: int = self.node.attr("carries")
        self.sequences: int = self.node.attr("sequences")
        self.length = self.node.inputs[self.carries].shape[0]
        self.reverse: bool = self.node.attr("reverse")
        self.formal = {x: k for k, x in enumerate(self.body.inputs)}
        self.temporaries: list[Temporary] = []
        self.kernels = kernels
        self.outputs = self._distinct()
        self.made = kernels(list(dict.fromkeys(self.outputs)))
        self._settle()

    def _distinct(self) -> list[Node]:
        """The body's outputs, so that each stacked one is a value of its own: copies, where an
        output is an input of the body or stands there twice.
        """
        out: list[Node] = []
        stacked: set[Node] = set()
        for k, o in enumerate(self.body.outputs):
            taken = k >= self.carries and o in stacked
            if o.op.name in ("input", "const") or taken:
                o = ops.copy(o)
                while o in out:
                    o = ops.copy(o)
            if k >= self.carries:
                stacked.add(o)
            out.append(o)
        return out

    def _temporary(self, node: Node) -> int:
        self.temporaries.append(Temporary(scalars.KIND[node.dtype.short], math.prod(node.shape)))
        return len(self.temporaries) - 1

    def _settle(self) -> None:
        """Where every value of the body lies: in a stack, in one of two places that take turns, or
        in one that is used again in every step of time.
        """
        self.stack: dict[Node, Callable[[int], Place]] = {}
        for k in range(self.carries, len(self.outputs)):
            o = self.outputs[k]
            if k in self.parts:
                self.stack[o] = self._stacked(k, o)
        self.turns: dict[Node, tuple[int, int]] = {}
        for o in dict.fromkeys(self.outputs[: self.carries]):
            if o not in self.stack:
                self.turns[o] = (self._temporary(o), self._temporary(o))
        self.fixed: dict[Node, int] = {}
        for _, outputs, _ in self.made:
            for o in outputs:
                if o not in self.stack and o not in self.turns:
                    self.fixed[o] = self._temporary(o)
        self.invariant = set(self.body.inputs[self.carries + self.sequences :])

    def _stacked(self, k: int, node: Node) -> Callable[[int], Place]:
        size = math.prod(node.shape) * node.dtype.itemsize
        return lambda t: Place("output", self.parts[k], t * size)

    def _time(self, step: int) -> int:
        return self.length - 1 - step if self.reverse else step

    def _place(self, node: Node, step: int) -> Place:
        """Where a value of the body lies in a step of the loop."""
        k = self.formal.get(node)
        if k is None:
            if node in self.stack:
                return self.stack[node](self._time(step))
            if node in self.turns:
                return Place("temporary", self.turns[node][step % 2])
            return Place("temporary", self.fixed[node])
        if k < self.carries:
            if step == 0:
                return Place("input", self.given[self.node.inputs[k]])
            return self._place(self.outputs[k], step - 1)
        number = self.given[self.node.inputs[k]]
        if k < self.carries + self.sequences:
            size = math.prod(node.shape) * node.dtype.itemsize
            return Place("input", number, self._time(step) * size)
        return Place("input", number)

    def lowered(self) -> Lowered:
        before: list[Step] = []
        bodies: list[tuple[tuple[Node, ...], tuple[Node, ...], list[Step], int]] = []
        for inputs, outputs, low in self.made:
            base = len(self.temporaries)
            self.temporaries.extend(low.temporaries)
            changing: list[Step] = []
            still: set[int] = set()  # temporaries that hold the same in every step
            for s in low.steps:
                if not changing and self._is_invariant(s, inputs, still):
                    before.append(self._bound(s, inputs, outputs, base, 0))
                    still.update(p.number for p in s.places if p.what == "temporary")
                else:
                    changing.append(s)
            bodies.append((inputs, outputs, changing, base))
        steps = list(before)
        for t in range(self.length):
            for inputs, outputs, changing, base in bodies:
                steps.extend(self._bound(s, inputs, outputs, base, t) for s in changing)
        steps.extend(self._ends())
        return Lowered(tuple(steps), tuple(self.temporaries))

    def _is_invariant(self, step: Step, inputs: Sequence[Node], still: set[int]) -> bool:
        """Whether a step only prepares what does not change."""
        for p, buffer in zip(step.places, step.kernel.buffers, strict=True):
            if p.what == "output":
                return False
            if p.what == "input" and inputs[p.number] not in self.invariant:
                return False
            if p.what == "temporary" and buffer.role == "in" and p.number not in still:
                return False
        return True

    def _bound(
        self, step: Step, inputs: Sequence[Node], outputs: Sequence[Node], base: int, t: int
    ) -> Step:
        places = []
        for p in step.places:
            if p.what == "number":
                places.append(p)
            elif p.what == "temporary":
                places.append(p._replace(number=base + p.number))
            else:
                node = inputs[p.number] if p.what == "input" else outputs[p.number]
                at = self._place(node, t)
                places.append(at._replace(offset=at.offset + p.offset))
        return step._replace(places=tuple(places))

    def _ends(self) -> list[Step]:
        """The last carries, copied to where they are asked for."""
        steps: list[Step] = []
        for k in range(self.carries):
            if k not in self.parts:
                continue
            if self.length == 0:
                source: Place = Place("input", self.given[self.node.inputs[k]])
            else:
                source = self._place(self.outputs[k], self.length - 1)
            like = self.body.inputs[k]
            x = ops.input(index=0, shape=like.shape, dtype=like.dtype, scope="k")
            y = ops.copy(x)
            ((_, _, low),) = self.kernels([y])
            for s in low.steps:
                places = tuple(
                    source
                    if p.what == "input"
                    else Place("output", self.parts[k])
                    if p.what == "output"
                    else p
                    for p in s.places
                )
                steps.append(s._replace(places=places))
        return steps
