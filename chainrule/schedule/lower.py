"""A fused kernel as steps: which lowering takes it.

    contract  →  `contract` (products, convolutions), or loops where that does not take it
    nest      →  `nests`     flat  →  `nests`, with the length given at run time
    single    →  `scans` for loops over time, `attention`, `interleave`, `lines` for what goes
                          along an axis

Equal graphs have equal steps, and are lowered once. What no lowering takes raises `Unsupported`:
the reference backend then computes that kernel between native ones.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

from chainrule.ir.graph import Graph, topological
from chainrule.ir.node import Node, TensorType
from chainrule.ir.op import is_complex
from chainrule.rewrite.fuse import FLAT, Fused, fuse
from chainrule.schedule.attention import lower_attention
from chainrule.schedule.contract import accepts, lower_contraction
from chainrule.schedule.contract.choose import Machine
from chainrule.schedule.evaluate import Unsupported
from chainrule.schedule.interleave import lower_interleave
from chainrule.schedule.lines import lower_lines
from chainrule.schedule.loops import Kernel
from chainrule.schedule.lowered import Lowered, Place, Step
from chainrule.schedule.nests import BLOCK, lower_flat, lower_nest
from chainrule.schedule.scans import Body, lower_scan
from chainrule.schedule.vectorise import vectorise
from chainrule.shapes import size

#: How many graphs are remembered with their steps.
_REMEMBERED = 4096

_known: OrderedDict[Any, Lowered | Unsupported] = OrderedDict()


def lower(fused: Fused, machine: Machine) -> Lowered:
    """Vector loops for a kernel. Raises `Unsupported` if there are none."""
    key = (fused.kind, fused.graph, machine)
    found = _known.get(key)
    if found is None:
        try:
            found = _lower(fused, machine)
        except Unsupported as e:
            found = e
        _known[key] = found
        if len(_known) > _REMEMBERED:
            _known.popitem(last=False)
    if isinstance(found, Unsupported):
        raise found
    return _counted(found, fused.length) if fused.kind == "flat" else found


def is_known(fused: Fused, machine: Machine) -> bool:
    """Whether a kernel was lowered before."""
    return (fused.kind, fused.graph, machine) in _known


def _lower(fused: Fused, machine: Machine) -> Lowered:
    graph = fused.graph
    if all(size(o.shape) == 0 for o in graph.outputs):
        return Lowered(())
    nodes = topological(graph.outputs)
    if any(isinstance(n.type, TensorType) and 0 in n.shape for n in nodes):
        raise Unsupported("an empty array inside of a kernel")
    if any(map(is_complex, nodes)):
        raise Unsupported("complex numbers")
    if fused.kind == "single":
        root = graph.outputs[0]
        name = root.inputs[0].op.name if root.op.name == "item" else root.op.name
        if name == "scan":
            return _scan(graph, machine)
        if name in ("attention", "attention_rows", "attention_gradient"):
            return _vectorised(lower_attention(graph, machine), machine.vector_bytes)
        if name == "interleave":
            return _vectorised(lower_interleave(graph), machine.vector_bytes)
        return _vectorised(lower_lines(graph), machine.vector_bytes)
    if fused.kind == "contract":
        product = _product(graph)
        if accepts(product):
            return _vectorised(lower_contraction(graph, product, machine), machine.vector_bytes)
    plain = lower_flat(graph, FLAT) if fused.kind == "flat" else lower_nest(graph)
    return _vectorised(plain, machine.vector_bytes)


def _product(graph: Graph) -> Node:
    """The one product of a graph."""
    stack, inputs = list(graph.outputs), set(graph.inputs)
    while stack:
        n = stack.pop()
        if n.op.name == "contract":
            return n
        if n not in inputs:
            stack.extend(n.inputs)
    raise Unsupported("a kernel of kind contract without a product")


def _scan(graph: Graph, machine: Machine) -> Lowered:
    def kernels(outputs: Sequence[Node]) -> Body:
        return [(f.inputs, f.outputs, lower(f, machine)) for f in fuse(outputs)]

    return lower_scan(graph, kernels)


def _vectorised(lowered: Lowered, vector_bytes: int) -> Lowered:
    done: dict[int, Kernel] = {}
    steps = []
    for s in lowered.steps:
        kernel = done.get(id(s.kernel))
        if kernel is None:
            kernel = done[id(s.kernel)] = vectorise(s.kernel, vector_bytes)
        steps.append(s._replace(kernel=kernel))
    return lowered._replace(steps=tuple(steps))


def _counted(lowered: Lowered, count: int) -> Lowered:
    """A flat kernel for its number of elements."""

    def step(s: Step) -> Step:
        places = tuple(Place("number", count) if p.what == "number" else p for p in s.places)
        return s._replace(places=places, extent=-(-count // BLOCK))

    return lowered._replace(steps=tuple(map(step, lowered.steps)))
