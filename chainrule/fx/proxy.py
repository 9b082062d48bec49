"""`torch.fx.proxy`: what stands for a value while a program is traced, and writes down what is done
with it.
"""

from __future__ import annotations

import dis
import operator
import sys
from collections.abc import Callable, Iterator
from typing import Any, cast

from chainrule import names
from chainrule.devices import device
from chainrule.dtypes import DType
from chainrule.fx.graph import Graph
from chainrule.fx.node import Node, map_aggregate
from chainrule.nn.modules.module import Module
from chainrule.tensor import Tensor
from chainrule.tensor.overriding import classes

__getattr__ = names.absent(__name__, "the graph of a call is shown by chainrule.explain")

_PLAIN = (str, int, float, bool, complex, bytes, type(None), type(...), DType, device, range)


class TraceError(ValueError):
    """What a trace cannot know, such as which branch is taken."""


class TracerBase:
    """Turns calls into nodes of `self.graph`."""

    graph: Graph
    root: Module | None = None

    def create_node(
        self, kind: str, target: Any, args: tuple[Any, ...], kwargs: dict[str, Any],
        name: str | None = None, type_expr: Any = None,
    ) -> Node:  # fmt: skip
        """A node of the graph; override it to see or change every one."""
        return self.graph.create_node(kind, target, args, kwargs, name, type_expr)

    def proxy(self, node: Node) -> Proxy:
        """What stands for the value of a node."""
        return Proxy(node, self)

    def create_proxy(
        self, kind: str, target: Any, args: tuple[Any, ...], kwargs: dict[str, Any],
        name: str | None = None, type_expr: Any = None,
        proxy_factory_fn: Callable[[Node], Proxy] | None = None,
    ) -> Proxy:  # fmt: skip
        """A node, from arguments with proxies in them, and what stands for its value."""
        args, kwargs = self.create_arg(args), self.create_arg(kwargs)
        node = self.create_node(kind, target, args, kwargs, name, type_expr)
        return (proxy_factory_fn or self.proxy)(node)

    def create_arg(self, a: Any) -> Any:
        """An argument as a node may have it: nodes in place of proxies and tensors of the root."""
        return map_aggregate(a, self._leaf)

    def _leaf(self, a: Any) -> Any:
        if isinstance(a, Proxy):
            return a.node
        if isinstance(a, Tensor):
            return self.create_node("get_attr", self._place(a), (), {})
        if isinstance(a, (Node, *_PLAIN)) or callable(a):
            return a
        raise NotImplementedError(f"argument of type: {type(a)}")

    def _place(self, tensor: Tensor) -> str:
        """Where the root has a tensor; a tensor from elsewhere becomes an attribute of it."""
        if self.root is None:
            raise NotImplementedError("a tensor in a graph that has no root module")
        for owner, module in self.root.named_modules():
            own = {**module._parameters, **module._buffers, **vars(module)}
            for name, value in own.items():
                if value is tensor:
                    return f"{owner}.{name}" if owner else name
        number = 0
        while hasattr(self.root, f"_tensor_constant{number}"):
            number += 1
        setattr(self.root, f"_tensor_constant{number}", tensor)
        return f"_tensor_constant{number}"

    def to_bool(self, obj: Proxy) -> bool:
        """Raises TraceError: a trace has one way, a branch two."""
        raise TraceError("symbolically traced variables cannot be used as inputs to control flow")

    def iter(self, obj: Proxy) -> Iterator[Any]:
        """Values for `a, b = obj`, whose number is in the program's text; else TraceError."""
        frame = sys._getframe(2)
        for step in dis.get_instructions(frame.f_code):
            if step.offset == frame.f_lasti and step.opname == "UNPACK_SEQUENCE":
                return iter([operator.getitem(cast(Any, obj), i) for i in range(step.argval)])
        raise TraceError(
            "Proxy object cannot be iterated. This can be attempted when the Proxy is used in a "
            "loop or as a *args or **kwargs function argument"
        )

    def keys(self, obj: Proxy) -> Any:
        """What `**obj` reads."""
        return Attribute(obj, "keys")()


class GraphAppendingTracer(TracerBase):
    """Puts what is done with its proxies into a graph, where nodes are being inserted."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.root = graph.owning_module


class Proxy:
    """The value of a node: what is done with it becomes nodes."""

    def __init__(self, node: Node, tracer: TracerBase | None = None) -> None:
        self.tracer = tracer or GraphAppendingTracer(node.graph)
        self.node = node
        for kind in (Proxy, Attribute):
            if kind not in classes:
                classes.append(kind)  # functions ask `__torch_function__` from now on

    def __repr__(self) -> str:
        return f"Proxy({self.node.name})"

    def __getattr__(self, k: str) -> Any:
        return Attribute(self, k)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.tracer.create_proxy("call_method", "__call__", (self, *args), kwargs)

    def __iter__(self) -> Iterator[Any]:
        return self.tracer.iter(self)

    def __bool__(self) -> bool:
        return self.tracer.to_bool(self)

    def __len__(self) -> int:
        raise RuntimeError(
            "'len' is not supported in symbolic tracing by default. If you want this call to be "
            "recorded, please call torch.fx.wrap('len') at module scope"
        )

    def keys(self) -> Any:
        """The keys of a dict, as a proxy."""
        return self.tracer.keys(self)

    @classmethod
    def __torch_function__(
        cls, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        tracer = next(tracers(args, kwargs))
        name = getattr(func, "__name__", "")
        if getattr(Tensor, name, None) is func:
            return tracer.create_proxy("call_method", name, args, kwargs)
        return tracer.create_proxy("call_function", func, args, kwargs)


def tracers(*arguments: Any) -> Iterator[TracerBase]:
    """The tracers of the proxies among some arguments."""
    found: list[TracerBase] = []

    def look(a: Any) -> Any:
        if isinstance(a, Proxy):
            found.append(a.tracer)
        return a

    map_aggregate(arguments, look)
    return iter(found)


class Attribute(Proxy):
    """`proxy.attr`: a method if it is called, else a value."""

    def __init__(self, root: Proxy, attr: str) -> None:
        self.root, self.attr, self.tracer = root, attr, root.tracer
        self._node: Node | None = None

    @property
    def node(self) -> Node:  # type: ignore[override]  # made when it is first read
        """The node that reads the attribute."""
        if self._node is None:
            read = self.tracer.create_proxy("call_function", getattr, (self.root, self.attr), {})
            self._node = read.node
        return self._node

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.tracer.create_proxy("call_method", self.attr, (self.root, *args), kwargs)


_ARITHMETIC = [
    "add", "sub", "mul", "floordiv", "truediv", "mod", "pow", "lshift", "rshift", "and_", "or_",
    "xor", "matmul",
]  # fmt: skip
_OTHERS = ["eq", "ne", "lt", "le", "gt", "ge", "getitem", "neg", "pos", "invert", "abs"]


def _operator(function: Any) -> Any:
    def method(self: Proxy, *others: Any) -> Any:
        return self.tracer.create_proxy("call_function", function, (self, *others), {})

    return method


def _reflected(function: Any) -> Any:
    def method(self: Proxy, other: Any) -> Any:
        return self.tracer.create_proxy("call_function", function, (other, self), {})

    return method


for _name in (*_ARITHMETIC, *_OTHERS):
    setattr(Proxy, f"__{_name.strip('_')}__", _operator(getattr(operator, _name)))
for _name in _ARITHMETIC:
    setattr(Proxy, f"__r{_name.strip('_')}__", _reflected(getattr(operator, _name)))
