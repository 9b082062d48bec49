"""`torch.fx.graph`: a traced program, as nodes in order; its text is Python that runs."""

from __future__ import annotations

import builtins
import keyword
import math
import operator
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from chainrule import names
from chainrule.devices import device
from chainrule.dtypes import DType
from chainrule.fx.node import Node, chain, map_arg, name_of

__getattr__ = names.absent(__name__, "the graph of a call is shown by chainrule.explain")

_INFIX = {
    operator.add: "+", operator.sub: "-", operator.mul: "*", operator.floordiv: "//",
    operator.truediv: "/", operator.mod: "%", operator.pow: "**", operator.lshift: "<<",
    operator.rshift: ">>", operator.and_: "&", operator.or_: "|", operator.xor: "^",
    operator.matmul: "@", operator.eq: "==", operator.ne: "!=", operator.lt: "<",
    operator.le: "<=", operator.gt: ">", operator.ge: ">=",
}  # fmt: skip
_PREFIX = {operator.neg: "-", operator.pos: "+", operator.invert: "~"}


class Graph:
    """A list of `Node`s: arguments, calls, one output.

    >>> from chainrule import fx
    >>> graph = fx.Graph()
    >>> x = graph.placeholder("x")
    >>> y = graph.call_method("neg", (x,))
    >>> graph.output(y)
    output
    >>> print(graph.python_code("self").src)
    def forward(self, x):
        neg = x.neg();  x = None
        return neg
    """

    def __init__(
        self, owning_module: Any = None, tracer_cls: Any = None, tracer_extras: Any = None
    ) -> None:
        self.owning_module, self._tracer_cls = owning_module, tracer_cls
        self._root = Node(self, "", "root", "", (), {})
        self._place = self._root  # new nodes stand before it
        self._taken: set[str] = set()

    # -- the nodes

    @property
    def nodes(self) -> NodeList:
        """The nodes in their order; they may be changed while one walks."""
        return NodeList(self)

    def find_nodes(self, *, op: str, target: Any = None, sort: bool = True) -> list[Node]:
        """The nodes of one kind, or of those the ones with one target."""
        return [n for n in self.nodes if n.op == op and (target is None or n.target == target)]

    def output_node(self) -> Node:
        """The one that returns."""
        return self.find_nodes(op="output")[0]

    def create_node(
        self, op: str, target: Any, args: tuple[Any, ...] | None = None,
        kwargs: dict[str, Any] | None = None, name: str | None = None, type_expr: Any = None,
    ) -> Node:  # fmt: skip
        """A node where nodes are being inserted: at the end, unless said otherwise."""
        wanted = name or (target if isinstance(target, str) else name_of(target))
        node = Node(self, self._name(wanted), op, target, args or (), kwargs or {}, type_expr)
        self._place.prepend(node)
        return node

    def _name(self, wanted: str) -> str:
        """A word of Python like this one that names nothing yet."""
        wanted = re.sub(r"[^0-9a-zA-Z_]+", "_", wanted).strip("_").lower() or "_unnamed"
        base, _, end = wanted.rpartition("_")
        base, number = (base, int(end)) if base and end.isdigit() else (wanted, 0)
        base = f"_{base}" if base[0].isdigit() else base
        name = f"{base}_{number}" if number else base
        while name in self._taken or keyword.iskeyword(name) or hasattr(builtins, name):
            number += 1
            name = f"{base}_{number}"
        self._taken.add(name)
        return name

    def placeholder(self, name: str, type_expr: Any = None, default_value: Any = ...) -> Node:
        """An argument of the program."""
        default = () if default_value is ... else (default_value,)
        return self.create_node("placeholder", name, default, type_expr=type_expr)

    def get_attr(self, qualified_name: str, type_expr: Any = None) -> Node:
        """An attribute of the root, `"a.b"`."""
        return self.create_node("get_attr", qualified_name, type_expr=type_expr)

    def call_module(
        self, module_name: str, args: Any = None, kwargs: Any = None, type_expr: Any = None
    ) -> Node:
        """A call of a layer of the root."""
        return self.create_node("call_module", module_name, args, kwargs, type_expr=type_expr)

    def call_method(
        self, method_name: str, args: Any = None, kwargs: Any = None, type_expr: Any = None
    ) -> Node:
        """A call of a method of the first argument."""
        return self.create_node("call_method", method_name, args, kwargs, type_expr=type_expr)

    def call_function(
        self, the_function: Callable[..., Any], args: Any = None, kwargs: Any = None,
        type_expr: Any = None, name: str | None = None,
    ) -> Node:  # fmt: skip
        """A call of a function."""
        return self.create_node("call_function", the_function, args, kwargs, name, type_expr)

    def output(self, result: Any, type_expr: Any = None) -> Node:
        """What the program gives."""
        return self.create_node("output", "output", (result,), type_expr=type_expr)

    def node_copy(self, node: Node, arg_transform: Callable[[Node], Any] = lambda x: x) -> Node:
        """A node of another graph, with arguments of this one."""
        args, kwargs = map_arg(node.args, arg_transform), map_arg(node.kwargs, arg_transform)
        copy = self.create_node(node.op, node.target, args, kwargs, node.name, node.type)
        copy.meta = dict(node.meta)
        return copy

    def graph_copy(
        self, g: Graph, val_map: dict[Node, Any], return_output_node: bool = False
    ) -> Any:
        """The nodes of another graph, but those that `val_map` has; gives its result."""
        for node in g.nodes:
            if node in val_map:
                continue
            if node.op == "output":
                result = map_arg(node.args[0], val_map.__getitem__)
                return (result, node) if return_output_node else result
            val_map[node] = self.node_copy(node, val_map.__getitem__)
        return None

    def erase_node(self, to_erase: Node) -> None:
        """Take a node away that nobody reads."""
        if to_erase.users:
            raise RuntimeError(
                f"Tried to erase Node {to_erase} but it still had {len(to_erase.users)} users in "
                f"the graph: {to_erase.users}!"
            )
        if to_erase.graph is not self:
            raise RuntimeError(f"Attempting to remove {to_erase} from wrong graph!")
        if not to_erase._erased:
            to_erase._unlink()
            to_erase._take((), {})
            to_erase._erased = True

    @contextmanager
    def _inserting(self, place: Node) -> Iterator[None]:
        before, self._place = self._place, place
        try:
            yield
        finally:
            self._place = before

    def inserting_before(self, n: Node | None = None) -> Any:
        """A block in which new nodes stand before `n`."""
        return self._inserting(self._root._next if n is None else n)

    def inserting_after(self, n: Node | None = None) -> Any:
        """A block in which new nodes stand after `n`, in the order in which they are made."""
        return self._inserting((self._root if n is None else n)._next)

    def lint(self) -> None:
        """Raises RuntimeError where a node reads one that does not stand before it."""
        seen: set[Node] = set()
        for node in self.nodes:
            for read in node.all_input_nodes:
                if read.graph is not self:
                    raise RuntimeError(f"Argument '{read}' of Node '{node}' is of another graph")
                if read not in seen:
                    raise RuntimeError(
                        f"Argument '{read}' of Node '{node}' was used before it has been defined! "
                        f"Please check that Nodes in the graph are topologically ordered\n{self}"
                    )
            seen.add(node)

    def eliminate_dead_code(self, is_impure_node: Any = None) -> bool:
        """Take away what nobody reads; whether there was any."""
        impure, changed = is_impure_node or Node.is_impure, False
        for node in reversed(self.nodes):
            if not node.users and not impure(node):
                self.erase_node(node)
                changed = True
        return changed

    def __deepcopy__(self, memo: Any = None) -> Graph:
        copy = Graph(tracer_cls=self._tracer_cls)
        made: dict[Node, Any] = {}
        result, output = copy.graph_copy(self, made, return_output_node=True) or (None, None)
        if output is not None:
            copy.output(result, output.type)
        return copy

    # -- its text

    def python_code(self, root_module: str = "self", **_: Any) -> PythonCode:
        """The program in Python, and what its names mean."""
        return _Writer(self, root_module).code()

    def print_tabular(self) -> None:
        """A line per node, in columns."""
        heads = ("opcode", "name", "target", "args", "kwargs")
        rows = [[str(v) for v in (n.op, n.name, n.target, n.args, n.kwargs)] for n in self.nodes]
        widths = [max(map(len, column)) for column in zip(heads, *rows, strict=True)]
        for row in (heads, ["-" * w for w in widths], *rows):
            print("  ".join(f"{cell:{w}}" for cell, w in zip(row, widths, strict=True)).rstrip())

    def __str__(self) -> str:
        arguments = ", ".join(f"%{n.name}" for n in self.find_nodes(op="placeholder"))
        lines = "".join(f"\n    {n.format_node()}" for n in self.nodes)
        return f"graph({arguments}):{lines}"


class NodeList:
    """The nodes of a graph in their order."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph

    def __iter__(self) -> Iterator[Node]:
        return chain(self.graph._root)

    def __reversed__(self) -> Iterator[Node]:
        return chain(self.graph._root, forwards=False)

    def __len__(self) -> int:
        return sum(1 for _ in self)


class PythonCode:
    """Text, and the global names in it."""

    def __init__(self, src: str, globals: dict[str, Any]) -> None:
        self.src, self.globals = src, globals


class _Writer:
    """Writes the text of a graph."""

    def __init__(self, graph: Graph, root: str) -> None:
        self.graph, self.root = graph, root
        self.library = sys.modules[__name__.partition(".")[0]]
        self.names: dict[str, Any] = {
            "torch": self.library, self.library.__name__: self.library, "device": device,
            "inf": math.inf, "nan": math.nan,
        }  # fmt: skip

    def code(self) -> PythonCode:
        last: dict[Node, Node] = {}  # a value → who reads it last
        for node in self.graph.nodes:
            for read in node.all_input_nodes:
                last[read] = node
        parameters, lines = [self.root] * bool(self.root), []
        for node in self.graph.nodes:
            if node.op == "placeholder":
                default = f" = {self.value(node.args[0])}" if node.args else ""
                parameters.append(f"{node.target}{default}")
                stars = str(node.target).lstrip("*")
                if stars != node.name:
                    lines.append(f"{node.name} = {stars}")
                continue
            line = self.line(node)
            done = [read.name for read in node.all_input_nodes if last[read] is node]
            if done and node.op != "output":
                line += ";  " + " = ".join([*done, "None"])
            lines.append(line)
        body = "\n    ".join(lines or ["pass"])
        return PythonCode(f"def forward({', '.join(parameters)}):\n    {body}", self.names)

    def line(self, node: Node) -> str:
        """A node as a statement."""
        if node.op == "output":
            return f"return {self.value(node.args[0])}"
        target, args = node.target, [self.value(a) for a in node.args]
        given = ", ".join([*args, *(f"{k} = {self.value(v)}" for k, v in node.kwargs.items())])
        if node.op == "get_attr":
            text = self.path(str(target))
        elif node.op == "call_module":
            text = f"{self.path(str(target))}({given})"
        elif node.op == "call_method":
            own = node.args[0]
            text = f"{self.value(own)}.{target}({given.removeprefix(args[0]).removeprefix(', ')})"
        elif target in _INFIX and len(args) == 2:
            text = f"{args[0]} {_INFIX[target]} {args[1]}"
        elif target in _PREFIX and len(args) == 1:
            text = f"{_PREFIX[target]}{args[0]}"
        elif target is operator.getitem and len(args) == 2:
            text = f"{args[0]}[{args[1]}]"
        elif target is getattr and len(args) == 2 and str(node.args[1]).isidentifier():
            text = f"{args[0]}.{node.args[1]}"
        else:
            text = f"{self.function(target)}({given})"
        return f"{node.name} = {text}"

    def path(self, target: str) -> str:
        """`self.a.b`; what is no word, as the "0" of a Sequential, by getattr."""
        text = self.root
        for part in target.split("."):
            text = f"{text}.{part}" if part.isidentifier() else f'getattr({text}, "{part}")'
        return text

    def function(self, function: Any) -> str:
        """A name for a function: PyTorch's, or its own."""
        name = name_of(function)
        rooms = {"torch": self.library, "torch.nn.functional": self.library.nn.functional}
        for room, module in rooms.items():
            if vars(module).get(name) is function or getattr(module, name, None) is function:
                return f"{room}.{name}"
        if getattr(builtins, name, None) is function:
            return name
        return self.known(f"{getattr(function, '__module__', '')}_{name}", function)

    def known(self, wanted: str, value: Any) -> str:
        """A global name for a value."""
        wanted = re.sub(r"\W+", "_", wanted).strip("_") or "value"
        name, number = wanted, 0
        while name in self.graph._taken or self.names.get(name, value) is not value:
            number += 1
            name = f"{wanted}_{number}"
        self.names[name] = value
        return name

    def value(self, a: Any) -> str:
        """An argument."""
        if isinstance(a, Node):
            return a.name
        if isinstance(a, tuple) and not hasattr(a, "_fields"):
            return f"({', '.join(map(self.value, a))}{',' * (len(a) == 1)})"
        if isinstance(a, list):
            return f"[{', '.join(map(self.value, a))}]"
        if isinstance(a, dict):
            return f"{{{', '.join(f'{k!r}: {self.value(v)}' for k, v in a.items())}}}"
        if isinstance(a, slice):
            return f"slice({', '.join(map(self.value, (a.start, a.stop, a.step)))})"
        if type(a) in (int, float, complex, bool, str, bytes, type(None), range, DType, device):
            return repr(a)
        if a is ...:
            return "..."
        return self.function(a) if callable(a) else self.known(type(a).__name__, a)
