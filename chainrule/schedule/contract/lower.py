"""A fused graph around one `contract` → steps of loops.

    relu(contract(windows(pad(x)), w) + b)

is two steps: `pad(x)` into a temporary, then the product, which reads windows of it while packing
and ends with + b and relu in registers. A long K with few sums is cut into parts that are summed by
a step of their own. An epilogue that is not elementwise is a step of its own, too.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from chainrule import dtypes
from chainrule.ir.graph import Graph, substitute
from chainrule.ir.node import Node
from chainrule.ops.core import cast, input
from chainrule.ops.reduce import sum
from chainrule.schedule import scalars
from chainrule.schedule.build import Builder
from chainrule.schedule.contract.choose import choose, facts
from chainrule.schedule.contract.epilogue import Epilogue, is_elementwise
from chainrule.schedule.contract.operand import Operand, read
from chainrule.schedule.contract.plan import Machine, Plan
from chainrule.schedule.contract.write import Writer
from chainrule.schedule.loops import SIZE, Buffer
from chainrule.schedule.lowered import Lowered, Place, Step, Temporary
from chainrule.schedule.nests import lower_nest

_FLOATS = ("f16", "bf16", "f32", "f64")


def accepts(node: Node) -> bool:
    """Whether `lower_contraction` takes a `contract` node. Not integers, nothing empty, and
    not what is a sum along neighbours for every result (row times vector), which nests do.
    """
    a, b = node.attr("spec").split("->")[0].split(",")
    sizes = _sizes(node)
    if node.dtype.short not in _FLOATS or 0 in sizes.values():
        return False
    rows = math.prod(sizes[c] for c in a if c not in b)
    columns = math.prod(sizes[c] for c in b if c not in a)
    if min(rows, columns) > 1:
        return True
    if rows == columns == 1:
        return False
    k, wide, other = (1, b, a) if rows == 1 else (0, a, b)
    steps = read(node.inputs[k], wide, frozenset()).strides
    return any(abs(steps[c]) == 1 and sizes[c] > 1 for c in wide if c not in other)


def lower_contraction(graph: Graph, node: Node, target: Machine) -> Lowered:
    """The steps that compute the outputs of `graph`, in which `node` is the one product."""
    return _Lowering(graph, node, target).lowered()


def _sizes(node: Node) -> dict[str, int]:
    letters = node.attr("spec").split("->")[0].replace(",", "")
    x, y = node.inputs
    return dict(zip(letters, (*x.shape, *y.shape), strict=True))


class _Choice(NamedTuple):
    """A plan, and whether its vectors lie along the second operand."""

    plan: Plan
    second: bool


class _Lowering:
    def __init__(self, graph: Graph, node: Node, target: Machine) -> None:
        self.graph, self.node, self.target = graph, node, target
        self.steps: list[Step] = []
        self.temporaries: list[Temporary] = []
        left, self.out = node.attr("spec").split("->")
        self.letters = left.split(",")
        self.kind = "f64" if node.dtype.short == "f64" else "f32"

    def lowered(self) -> Lowered:
        operands = [
            read(x, letters, frozenset(self.graph.inputs))
            for x, letters in zip(self.node.inputs, self.letters, strict=True)
        ]
        places: dict[Node, Place] = {x: Place("input", i) for i, x in enumerate(self.graph.inputs)}
        for operand in operands:
            if operand.source not in places:
                places[operand.source] = self._staged(operand.source)
        plan, second = self._choose(operands)
        inside = plan.splits == 1 and is_elementwise(self.graph, self.node)
        graph = self.graph if inside else Graph(self.graph.inputs, (self.node,))
        outputs = [Place("output", k) for k in range(len(self.graph.outputs))]
        if not inside:
            kind = self.kind if plan.splits > 1 else scalars.KIND[self.node.dtype.short]
            outputs = [self._temporary(kind, plan.splits * plan.size)]
        self._multiply(graph, plan, second, operands, places, outputs)
        if not inside:
            self._rest(plan.splits, outputs[0])
        return Lowered(tuple(self.steps), tuple(self.temporaries))

    def _temporary(self, kind: str, size: int) -> Place:
        self.temporaries.append(Temporary(kind, size))
        return Place("temporary", len(self.temporaries) - 1)

    def _staged(self, source: Node) -> Place:
        """Computes what an operand is a view of."""
        place = self._temporary(scalars.KIND[source.dtype.short], math.prod(source.shape))
        for step in lower_nest(Graph(self.graph.inputs, (source,))).steps:
            where = tuple(place if p.what == "output" else p for p in step.places)
            self.steps.append(step._replace(places=where))
        return place

    def _choose(self, operands: list[Operand]) -> _Choice:
        sizes, itemsize = _sizes(self.node), SIZE[self.kind]
        sides = [(c, o.strides) for c, o in zip(self.letters, operands, strict=True)]
        narrow = scalars.KIND[self.node.dtype.short] != self.kind
        found = []
        for second in (True, False):
            vector, scalar = (sides[1], sides[0]) if second else (sides[0], sides[1])
            f = facts(vector, scalar, self.out, sizes, (narrow, narrow))
            choice = choose(self.target, itemsize, f)
            found.append((choice.cycles, not second, choice.plan))
        _, first, plan = min(found, key=lambda x: x[:2])
        return _Choice(plan, not first)

    def _multiply(
        self,
        graph: Graph,
        plan: Plan,
        second: bool,
        operands: list[Operand],
        places: dict[Node, Place],
        outputs: list[Place],
    ) -> None:
        b = Builder()
        buffers: dict[Node, Buffer] = {}
        where = []
        for k, (x, place) in enumerate(places.items()):
            kind = scalars.KIND[x.dtype.short]
            buffers[x] = b.buffer(f"x{k}", kind, math.prod(x.shape), "in")
            where.append(place)
        outs = []
        for k, place in enumerate(outputs):
            partial = plan.splits > 1
            of = self.node if partial else graph.outputs[k]
            kind = self.kind if partial else scalars.KIND[of.dtype.short]
            if place.what == "temporary":
                kind = self.temporaries[place.number].kind
            outs.append(b.buffer(f"y{k}", kind, plan.splits * plan.size, "out"))
            where.append(place)
        epilogue = Epilogue(b, graph, self.node, plan, self.out, buffers, outs, self.kind)
        vector, scalar = (operands[1], operands[0]) if second else (operands[0], operands[1])
        writer = Writer(
            b, plan, buffers[vector.source], buffers[scalar.source],
            (vector.offset, scalar.offset), self.kind, self.target.fma, epilogue,
        )  # fmt: skip
        with b.kernel(self._name(), plan.chunks, self._cost(plan)) as i:
            writer.chunk(i)
        self.steps.append(Step(b.finish(), tuple(where), plan.chunks))

    def _name(self) -> str:
        spec = self.node.attr("spec")
        return "contract_" + "".join(c if c.isalnum() else "_" for c in spec.replace("->", "_to_"))

    def _cost(self, plan: Plan) -> float:
        """Nanoseconds of a chunk, roughly."""
        products = plan.size * plan.depth_all / plan.chunks
        return products / (plan.lanes * 5) + 50

    def _rest(self, splits: int, made: Place) -> None:
        """Sums of parts of K, and the ops that are not done in registers."""
        node, n = self.node, len(self.graph.inputs)
        shape = (splits, *node.shape) if splits > 1 else node.shape
        dtype = node.dtype if splits == 1 or self.kind == "f64" else dtypes.float32
        value = parts = input(index=n, shape=shape, dtype=dtype, scope="k")
        if splits > 1:
            value = cast(sum(parts, axis=(0,), keepdim=False), node.dtype)
        outputs = substitute(self.graph.outputs, {node: value})
        for step in lower_nest(Graph((*self.graph.inputs, parts), outputs)).steps:
            where = tuple(made if p == Place("input", n) else p for p in step.places)
            self.steps.append(step._replace(places=where))
