"""A graph of primitives becomes a list of kernels.

needs   primitives
leaves  every node in the kernels that need it: in memory once, or computed again where that costs
        less than moving it

    %2 = contract(%0, %1); %4 = add(%2, %3); %5 = maximum(%4, 0); %6 = exp(%5)
    →   contract  %5 = maximum(contract(%0, %1) + %3, 0)
        nest      %6 = exp(%5)            (or in the first as well, if only %6 is asked for)

A lowering is right for every part of a graph, so what is decided here is speed alone, in two steps.
Every node that computes gets a *home*: the group of what it reads, if the rows of the group are
rows of the node, or a group of its own. Then what several groups read is *kept* in memory, if
reading it again costs less than computing it again (`costs`).

Kinds of kernels

    contract  one product or convolution, and what is done to its elements before they are stored
    nest      loops over rows; inside, whatever a row needs
    flat      elementwise on arrays of one shape, of which only the number of elements matters
    single    one node that is a kernel by itself (sorting, loops, scatter …)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from chainrule import ops
from chainrule.ir.graph import Graph, topological
from chainrule.ir.node import Node
from chainrule.ir.text import print_graph
from chainrule.rewrite.axes import (
    is_point,
)
from chainrule.rewrite.homes import PLAIN, Group, Homes, is_leaf
from chainrule.rewrite.memory import Memory
from chainrule.shapes import size

#: How many elements a flat graph claims to have.
FLAT = 1 << 12


class Fused(NamedTuple):
    """A kernel: a graph over formal inputs (scope "k"), what they stand for, and what it puts into
    memory. Equal layers have one graph.

    length  flat kernels: how many elements there are; the graph's own number is FLAT
    """

    kind: str
    graph: Graph
    inputs: tuple[Node, ...]
    outputs: tuple[Node, ...]
    length: int = 0


def fuse(outputs: Sequence[Node]) -> list[Fused]:
    """The kernels that compute `outputs`, in an order in which they can run."""
    p = Homes(outputs)
    kept = Memory(p).kept
    asked = {n for n in p.outputs if n in p.home}
    made: list[Fused] = []
    for group in reversed(_ordered(p)):
        mine = [n for n in group.nodes if n in asked and (n in kept or n in p.outputs)]
        if not mine:
            continue
        fused = _fused(p, group, mine, kept)
        asked.update(i for i in fused.inputs if not is_leaf(i))
        made.append(fused)
    return made[::-1]


def _ordered(p: Homes) -> list[Group]:
    """Groups, those first that others read."""
    groups = [g for g in p.groups if g is not None]
    groups.sort(key=lambda g: (g.before.bit_count(), g.number))
    return groups


def _fused(p: Homes, group: Group, outputs: list[Node], kept: set[Node]) -> Fused:
    mine = set(outputs)

    def stop(n: Node) -> bool:
        return n not in mine and (n.op.name == "input" or (n in kept and p.home[n] is not group))

    kind = group.kind
    if kind == "single":
        root = group.nodes[0]
        plain = p.bare | {n for n in p.order if n.op.name in PLAIN}
        if root.op.name == "scan":
            plain = set()
        order = topological([root], stop=lambda n: n is not root and n not in plain)
        inputs = [n for n in order if n is not root and n not in plain]
        order += outputs
    else:
        seen = mine if kind != "contract" else mine - {group.nodes[0]}
        order = topological(outputs, stop=lambda n: n not in seen and stop(n))
        inputs = [n for n in order if stop(n)]
    formal = {n: _formal(k, n) for k, n in enumerate(inputs)}
    new: dict[Node, Node] = dict(formal)
    for n in order:
        if n not in new:
            ins = tuple(new[i] for i in n.inputs)
            new[n] = n if ins == n.inputs else n.op.make(ins, n.attrs)
    graph = Graph(list(formal.values()), [new[n] for n in outputs])
    made = Fused(kind, graph, tuple(inputs), tuple(outputs))
    return (flattened(made) or made) if kind == "nest" else made


def _formal(index: int, like: Node) -> Node:
    return ops.input(index=index, shape=like.shape, dtype=like.dtype, scope="k")


def flattened(fused: Fused) -> Fused | None:
    """An elementwise kernel on arrays of one shape (and numbers), as one on [FLAT]; None if it is
    none.

        add(%0: f32[128, 784], mul(%1: f32[], %2: f32[128, 784]))
        →   add(%0: f32[4096], mul(%1: f32[], %2: f32[4096])), count 100352
    """
    shapes = {o.shape for o in fused.graph.outputs}
    if len(shapes) != 1:
        return None
    (shape,) = shapes
    count = size(shape)
    if count == 0 or not shape:
        return None
    new: dict[Node, Node] = {}
    flat = (FLAT,)
    for n in topological(fused.graph.outputs):
        if n.op.name == "input" or n.op.name == "const":
            if n.shape not in (shape, ()):
                return None
            if n.op.name == "const" or n.shape == ():
                new[n] = n
            else:
                new[n] = ops.input(index=n.attr("index"), shape=flat, dtype=n.dtype, scope="k")
        elif n.op.name == "broadcast_to" and n.inputs[0].shape == () and n.shape == shape:
            new[n] = new[n.inputs[0]]
        elif is_point(n) and n.shape in (shape, ()):
            new[n] = n.op.make(tuple(new[i] for i in n.inputs), n.attrs)
        else:
            return None
    outs = [new[o] for o in fused.graph.outputs]
    if any(o.shape != flat for o in outs):
        return None
    inputs = [new.get(i, i) for i in fused.graph.inputs]
    return fused._replace(kind="flat", graph=Graph(inputs, outs), length=count)


def print_fused(kernels: Sequence[Fused]) -> str:
    """Kernels as text: each with its graph, and which values of the whole it reads and makes."""
    names: dict[Node, str] = {}
    values = 0
    parts = []
    for k in kernels:
        for i in k.inputs:
            if i not in names and is_leaf(i):
                names[i] = f"%{i.attr('index')}" if i.op.name == "input" else repr(i.attr("value"))
        reads = ", ".join(names.get(i, "?") for i in k.inputs)
        for o in k.outputs:
            names[o] = f"t{values}"
            values += 1
        makes = ", ".join(names[o] for o in k.outputs)
        count = f" of {k.length}" if k.kind == "flat" else ""
        parts.append(
            f"{makes} = {k.kind}{count}({reads})\n{print_graph(k.graph.outputs, k.graph.inputs)}"
        )
    return "\n".join(parts)
