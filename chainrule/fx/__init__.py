"""`torch.fx`: programs as graphs that can be read, changed and run as layers again.

    traced = symbolic_trace(net)         a GraphModule: its graph, its code
    for node in traced.graph.nodes: …    read it, change it
    traced.recompile()                   and it runs

Nothing has to be traced to be compiled here: every program is. This is for programs that look at
and rewrite others; the graph that is compiled is shown by `chainrule.explain`.
"""

from __future__ import annotations

from chainrule import names
from chainrule.fx.graph import Graph as Graph
from chainrule.fx.graph_module import GraphModule as GraphModule
from chainrule.fx.interpreter import Interpreter as Interpreter
from chainrule.fx.interpreter import Transformer as Transformer
from chainrule.fx.node import Node as Node
from chainrule.fx.node import has_side_effect as has_side_effect
from chainrule.fx.node import map_arg as map_arg
from chainrule.fx.proxy import Proxy as Proxy
from chainrule.fx.subgraph_rewriter import replace_pattern as replace_pattern
from chainrule.fx.tracer import Tracer as Tracer
from chainrule.fx.tracer import symbolic_trace as symbolic_trace
from chainrule.fx.tracer import wrap as wrap

__all__ = [
    "Graph", "GraphModule", "Interpreter", "Node", "Proxy", "Tracer", "Transformer",
    "has_side_effect", "map_arg", "replace_pattern", "symbolic_trace", "wrap",
]  # fmt: skip

__getattr__ = names.absent(__name__, "the graph of a call is shown by chainrule.explain")
