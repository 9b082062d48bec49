"""The waist: everything above records into this graph, everything below reads it.

    graph  = node*                             a directed acyclic graph, named by its outputs
    node   = op(node*, attribute*) : type      frozen, interned: same op, inputs, attributes = same
    object
    type   = dtype[size, size, …]              or a tuple of such types (loops, multi-output
    formulas)
    attribute = name = number | string | bool | dtype | tuple | graph

`node.py` holds nodes and their table, `op.py` the record of an op and the registry, `graph.py`
walks, `text.py` prints and parses, `verify.py` checks.
"""

from chainrule.ir.graph import Graph, ancestors, depends_on, substitute, topological
from chainrule.ir.node import Node, TensorType, intern
from chainrule.ir.op import Op, registry
from chainrule.ir.text import parse, print_graph
from chainrule.ir.verify import verify

__all__ = [
    "Graph", "Node", "Op", "TensorType", "ancestors", "depends_on", "intern", "parse",
    "print_graph", "registry", "substitute", "topological", "verify",
]  # fmt: skip
