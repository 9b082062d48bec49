"""Sums that a loop only collects are computed after it, at once.

needs   primitives
leaves  no carry that is nothing but the sum of products of values of the steps; no output of a loop
        that nobody reads

    scan: w ← w + contract(x_t, d_t) {Ak,Ao->ok}   →   w + contract(X, D) {BAk,BAo->ok}

X and D are all the x_t and d_t, one after another: many thin products become a single thick one.
(The gradient of a recurrent layer's weights has this form.)
"""

from __future__ import annotations

import string
from collections.abc import Sequence
from typing import NamedTuple

from chainrule import ops
from chainrule.ir.graph import Graph, substitute, topological
from chainrule.ir.node import Node
from chainrule.ops.loop import item, make_scan


class _Loop(NamedTuple):
    """A scan, taken apart."""

    node: Node
    body: Graph
    carries: int
    sequences: int

    @property
    def carry(self) -> tuple[Node, ...]:
        return self.body.inputs[: self.carries]

    @property
    def sequence(self) -> tuple[Node, ...]:
        return self.body.inputs[self.carries : self.carries + self.sequences]

    @property
    def ends(self) -> tuple[Node, ...]:
        return self.body.outputs[: self.carries]

    @property
    def stacked(self) -> tuple[Node, ...]:
        return self.body.outputs[self.carries :]


def hoist(outputs: Sequence[Node]) -> list[Node]:
    """The same values; loops carry less."""
    nodes = list(outputs)
    while True:
        order = topological(nodes)
        parts: dict[Node, list[Node]] = {}
        for n in order:
            if n.op.name == "item" and n.inputs[0].op.name == "scan":
                parts.setdefault(n.inputs[0], []).append(n)
        for scan, items in parts.items():
            mapping = _improved(_loop(scan), items)
            if mapping:
                nodes = list(substitute(nodes, mapping))
                break
        else:
            return nodes


def _loop(scan: Node) -> _Loop:
    return _Loop(scan, scan.attr("body"), scan.attr("carries"), scan.attr("sequences"))


def _improved(loop: _Loop, items: Sequence[Node]) -> dict[Node, Node]:
    """New parts for the parts of a loop that can be improved."""
    for j in range(loop.carries):
        term = _collected(loop, j)
        if term is not None:
            return _summed(loop, j, term, items)
    return _pruned(loop, items)


def _collected(loop: _Loop, j: int) -> Node | None:
    """The product that carry j collects, if that is all that it does."""
    mine, end = loop.carry[j], loop.ends[j]
    if end.op.name != "add" or mine not in end.inputs or end in loop.stacked:
        return None
    term = end.inputs[1] if end.inputs[0] is mine else end.inputs[0]
    if term.op.name != "contract" or term.shape != end.shape:
        return None
    readers = [n for n in topological(loop.body.outputs) if mine in n.inputs]
    return term if readers == [end] and mine not in loop.stacked and term is not mine else None


def _summed(loop: _Loop, j: int, term: Node, items: Sequence[Node]) -> dict[Node, Node]:
    stacked = list(loop.stacked)
    for factor in term.inputs:
        if factor not in loop.sequence and factor not in stacked:
            stacked.append(factor)
    made = _rebuilt(loop, [k for k in range(loop.carries) if k != j], stacked)

    def everything(factor: Node) -> Node:
        if factor in loop.sequence:
            return loop.node.inputs[loop.carries + loop.sequence.index(factor)]
        return item(made, loop.carries - 1 + stacked.index(factor))

    operands, out = term.attr("spec").split("->")
    left, right = operands.split(",")
    time = next(c for c in string.ascii_letters if c not in term.attr("spec"))
    whole = ops.contract(
        *(everything(f) for f in term.inputs), spec=f"{time}{left},{time}{right}->{out}"
    )
    mapping: dict[Node, Node] = {}
    for part in items:
        k = part.attr("index")
        if k == j:
            mapping[part] = ops.add(loop.node.inputs[j], whole)
        else:
            mapping[part] = item(made, k - (k > j))
    return mapping


def _rebuilt(loop: _Loop, carries: Sequence[int], stacked: Sequence[Node]) -> Node:
    """The loop with some of its carries and with other outputs; inputs that nobody reads go."""
    outputs = [*(loop.ends[k] for k in carries), *stacked]
    read = set(topological(outputs))
    n, m = loop.carries, loop.carries + loop.sequences
    sequences = [k for k in range(n, m) if loop.body.inputs[k] in read]
    if not sequences:  # the length of the loop is that of its sequences
        sequences = [n]
    constants = [k for k in range(m, len(loop.body.inputs)) if loop.body.inputs[k] in read]
    kept = [*carries, *sequences, *constants]
    return make_scan(
        [loop.node.inputs[k] for k in kept],
        Graph([loop.body.inputs[k] for k in kept], outputs),
        len(carries),
        len(sequences),
        loop.node.attr("reverse"),
    )


def _pruned(loop: _Loop, items: Sequence[Node]) -> dict[Node, Node]:
    asked = {p.attr("index") for p in items}
    read = set(topological(loop.stacked)) | {
        n for k in range(loop.carries) for n in topological([loop.ends[k]]) if k in asked
    }
    carries = [k for k in range(loop.carries) if k in asked or _matters(loop, k, asked)]
    places = [k for k in range(len(loop.stacked)) if loop.carries + k in asked]
    idle = [x for x in loop.body.inputs[loop.carries :] if x not in read and not carries]
    if len(carries) == loop.carries and len(places) == len(loop.stacked) and not idle:
        return {}
    made = _rebuilt(loop, carries, [loop.stacked[k] for k in places])
    new = [*carries, *(loop.carries + k for k in places)]
    return {p: item(made, new.index(p.attr("index"))) for p in items}


def _matters(loop: _Loop, k: int, asked: set[int]) -> bool:
    """Whether a carry that is not asked for is read on the way to what is."""
    live = {j for j in asked if j < loop.carries}
    roots = [o for i, o in enumerate(loop.stacked) if loop.carries + i in asked]
    while True:
        read = set(topological([*roots, *(loop.ends[j] for j in live)]))
        more = {j for j in range(loop.carries) if loop.carry[j] in read} - live
        if not more:
            return k in live
        live |= more
