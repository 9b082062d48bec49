"""A loop that another loop contains is run once.

needs   any graph
leaves  no two scans over the same inputs of which one computes all that the other does

    %5 = scan(a, b) {body=<… return c, y>};  %6 = scan(a, b) {body=<… return c, y, r>}   →   the
    parts of %5 are parts of %6

(The gradient of a loop records it again with more outputs; see autodiff/loops.py.)
"""

from __future__ import annotations

from collections.abc import Sequence

from chainrule.ir.graph import substitute, topological
from chainrule.ir.node import Node
from chainrule.ops.loop import item


def merge_loops(outputs: Sequence[Node]) -> list[Node]:
    """The same values; smaller loops read the parts of larger ones."""
    groups: dict[object, list[Node]] = {}
    order = topological(outputs)
    for node in order:
        if node.op.name == "scan":
            attrs = tuple(v for k, v in node.attrs if k != "body")
            groups.setdefault((node.inputs, node.attr("body").inputs, attrs), []).append(node)
    mapping: dict[Node, Node] = {}
    users: dict[Node, list[Node]] = {}
    for node in order:
        if node.op.name == "item":
            users.setdefault(node.inputs[0], []).append(node)
    for group in groups.values():
        group.sort(key=lambda n: len(n.attr("body").outputs), reverse=True)
        for i, small in enumerate(group):
            large = next((g for g in group[:i] if g not in mapping and _contains(g, small)), None)
            if large is not None:
                places = _places(large, small)
                for part in users.get(small, ()):
                    mapping[part] = item(large, places[part.attr("index")])
    if not mapping:
        return list(outputs)
    return merge_loops(substitute(outputs, mapping))


def _places(large: Node, small: Node) -> list[int]:
    n = small.attr("carries")
    have = large.attr("body").outputs
    wanted = small.attr("body").outputs
    return [*range(n), *(have.index(o, n) for o in wanted[n:])]


def _contains(large: Node, small: Node) -> bool:
    n = small.attr("carries")
    a, b = large.attr("body").outputs, small.attr("body").outputs
    return large is not small and a[:n] == b[:n] and set(b[n:]) <= set(a[n:])
