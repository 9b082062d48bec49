"""`torch.fx.subgraph_rewriter`: replace what looks like one program by another."""

from __future__ import annotations

from typing import Any, NamedTuple

from chainrule import names
from chainrule.fx.graph import Graph
from chainrule.fx.graph_module import GraphModule, _bring
from chainrule.fx.node import Node
from chainrule.fx.tracer import symbolic_trace
from chainrule.nn.modules.module import Module

__getattr__ = names.absent(__name__, "the graph of a call is shown by chainrule.explain")


class Match(NamedTuple):
    """A place where the pattern was found: the node of its result, and node for node."""

    anchor: Node
    nodes_map: dict[Node, Any]


def replace_pattern(gm: GraphModule, pattern: Any, replacement: Any) -> list[Match]:
    """Replace every part of the graph that computes as `pattern` does by `replacement`.

    Both are functions, layers or graphs with the same arguments. Parts do not overlap, and what
    lies inside of one is read by nobody else.
    """
    looked_for, put = _graph(pattern), _graph(replacement)
    _check(looked_for, put)
    if isinstance(replacement, Module):
        for node in put.nodes:
            if node.op in ("call_module", "get_attr"):
                _bring(replacement, gm, str(node.target))
    result = looked_for.output_node().args[0]
    matches: list[Match] = []
    taken: set[Node] = set()
    for node in gm.graph.nodes:
        found: dict[Node, Any] = {}
        if _same(result, node, found) and _apart(looked_for, found, node) and taken.isdisjoint(
            inner := _inside(looked_for, found)
        ):  # fmt: skip
            matches.append(Match(node, found))
            taken |= inner
    replaced: dict[Node, Any] = {}
    for match in matches:
        _replace(gm.graph, looked_for, put, match, replaced)
    gm.recompile()
    return matches


def _graph(program: Any) -> Graph:
    if isinstance(program, Graph):
        return program
    return program.graph if isinstance(program, GraphModule) else symbolic_trace(program).graph


def _check(pattern: Graph, replacement: Graph) -> None:
    counts = [len(g.find_nodes(op="placeholder")) for g in (pattern, replacement)]
    if counts[0] != counts[1]:
        raise RuntimeError(
            f"the pattern has {counts[0]} arguments and the replacement {counts[1]}: give both the "
            "same"
        )
    if not isinstance(pattern.output_node().args[0], Node):
        raise NotImplementedError("a pattern with several results: give it one result")


def _same(pattern: Any, node: Any, found: dict[Node, Any]) -> bool:
    """Whether an argument of the graph is what the pattern has there; fills `found`."""
    if isinstance(pattern, Node):
        if pattern in found:
            return found[pattern] is node
        if pattern.op == "placeholder":
            found[pattern] = node
            return True
        if not isinstance(node, Node) or (pattern.op, pattern.target) != (node.op, node.target):
            return False
        found[pattern] = node
        return _same(pattern.args, node.args, found) and _same(pattern.kwargs, node.kwargs, found)
    if type(pattern) is not type(node):
        return False
    if isinstance(pattern, (list, tuple)):
        pairs = zip(pattern, node, strict=False)
        return len(pattern) == len(node) and all(_same(p, n, found) for p, n in pairs)
    if isinstance(pattern, dict):
        return pattern.keys() == node.keys() and all(
            _same(pattern[k], node[k], found) for k in pattern
        )
    return bool(pattern == node)


def _inside(pattern: Graph, found: dict[Node, Any]) -> set[Node]:
    """The nodes that a match replaces."""
    return {found[p] for p in pattern.nodes if p in found and p.op != "placeholder"}


def _apart(pattern: Graph, found: dict[Node, Any], anchor: Node) -> bool:
    """Whether nobody else reads what lies inside of a match."""
    inner = _inside(pattern, found)
    return all(user in inner for node in inner if node is not anchor for user in node.users)


def _replace(
    graph: Graph, pattern: Graph, put: Graph, match: Match, replaced: dict[Node, Any]
) -> None:
    arguments = [match.nodes_map.get(p) for p in pattern.find_nodes(op="placeholder")]
    now = [replaced.get(a, a) if isinstance(a, Node) else a for a in arguments]
    with graph.inserting_before(match.anchor):
        made = graph.graph_copy(put, dict(zip(put.find_nodes(op="placeholder"), now, strict=True)))
    match.anchor.replace_all_uses_with(made)
    replaced[match.anchor] = made
    inner = _inside(pattern, match.nodes_map)
    for node in reversed(graph.nodes):
        if node in inner:
            graph.erase_node(node)
