"""`torch.fx.graph_module`: a layer whose `forward` is a graph."""

from __future__ import annotations

import copy
import linecache
from typing import Any

from chainrule import names
from chainrule.fx.graph import Graph, PythonCode
from chainrule.fx.node import Node as Node
from chainrule.fx.proxy import Proxy as Proxy
from chainrule.nn.modules.module import Module

__getattr__ = names.absent(__name__, "the graph of a call is shown by chainrule.explain")


class GraphModule(Module):
    """The layers and tensors that a graph names, from `root`, and the graph as `forward`.

    After the graph was changed, `recompile()` makes `forward` follow. `code` is its text.
    """

    def __new__(cls, *args: Any, **kwargs: Any) -> GraphModule:
        # each has a class of its own, because its forward is its own
        base = next(c for c in cls.__mro__ if "_generated" not in vars(c))
        return super().__new__(type(base.__name__, (base,), {"_generated": True}))

    def __init__(self, root: Any, graph: Graph, class_name: str = "GraphModule") -> None:
        super().__init__()
        type(self).__name__ = class_name
        if isinstance(root, Module):
            self.training = root.training
        for node in graph.nodes:
            if node.op in ("get_attr", "call_module"):
                _bring(root, self, str(node.target))
        self.graph = graph

    @property
    def graph(self) -> Graph:
        """The graph; another one is compiled at once."""
        found: Graph = self.__dict__["_graph"]
        return found

    @graph.setter
    def graph(self, g: Graph) -> None:
        if not isinstance(g, Graph):
            raise AssertionError(f"Expected a Graph instance, but got {type(g)}")
        self.__dict__["_graph"] = g
        g.owning_module = self
        self.recompile()

    @property
    def code(self) -> str:
        """The text of `forward`."""
        return f"\n\n\n{self.__dict__['_code']}\n    "

    def recompile(self) -> PythonCode:
        """Make `forward` from the graph as it is now."""
        made = self.graph.python_code("self")
        self.__dict__["_code"] = made.src
        file = f"<graph of {type(self).__name__} {id(self):#x}>"
        # so that a traceback shows the line
        linecache.cache[file] = (len(made.src), None, made.src.splitlines(True), file)
        space = dict(made.globals)
        exec(compile(made.src, file, "exec"), space)
        type(self).forward = space["forward"]
        return made

    def print_readable(self, print_output: bool = True, **_: Any) -> str:
        """The text as a class."""
        lines = self.__dict__["_code"].replace("\n", "\n    ")
        text = f"class {type(self).__name__}(torch.nn.Module):\n    {lines}\n"
        if print_output:
            print(text)
        return text

    def add_submodule(self, target: str, m: Module) -> bool:
        """Put a layer at `"a.b"`; False where something else stands in the way."""
        *path, last = target.split(".")
        here: Any = self
        for name in path:
            inner = getattr(here, name, None)
            if inner is None:
                inner = Module()
                setattr(here, name, inner)
            if not isinstance(inner, Module):
                return False
            here = inner
        here.add_module(last, m)
        return True

    def delete_submodule(self, target: str) -> bool:
        """Take a layer away; False where there is none."""
        owner, _, last = target.rpartition(".")
        if target not in dict(self.named_modules()):
            return False
        delattr(self.get_submodule(owner), last)
        return True

    def delete_all_unused_submodules(self) -> None:
        """Keep only the layers that the graph calls, with what lies around and in them."""
        used = [str(n.target) for n in self.graph.nodes if n.op in ("call_module", "get_attr")]
        for name in [name for name, _ in self.named_modules() if name]:
            if not any(f"{u}.".startswith(f"{name}.") or name.startswith(f"{u}.") for u in used):
                self.delete_submodule(name)

    def __deepcopy__(self, memo: Any) -> GraphModule:
        skipped = ("_graph", "_code")
        state = {k: v for k, v in self.__dict__.items() if k not in skipped}
        plain = Module()
        plain.__dict__ = copy.deepcopy(state, memo)
        made = GraphModule(plain, copy.deepcopy(self.graph), type(self).__name__)
        made.__dict__.update(plain.__dict__)
        return made

    def __copy__(self) -> GraphModule:
        return GraphModule(self, copy.deepcopy(self.graph), type(self).__name__)


def _bring(root: Any, target: Module, path: str) -> None:
    """Give `target` what `root` (a layer, or a dict of paths) has at a path."""
    *way, last = path.split(".")
    value = root[path] if isinstance(root, dict) else fetch(root, path)
    here = target
    for name in way:
        inner = getattr(here, name, None)
        if inner is None:
            inner = Module()
            setattr(here, name, inner)
        here = inner
    if hasattr(here, last):
        return
    if isinstance(root, Module) and last in fetch(root, ".".join(way))._buffers:
        here.register_buffer(last, value)
    else:
        setattr(here, last, value)


def fetch(root: Any, path: str) -> Any:
    """`root.a.b` for "a.b"."""
    for i, name in enumerate(path.split(".") if path else ()):
        if not hasattr(root, name):
            where = ".".join(path.split(".")[:i])
            raise RuntimeError(f"Node referenced nonexistent target {name} of {where or 'root'}")
        root = getattr(root, name)
    return root
