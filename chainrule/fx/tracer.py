"""`torch.fx.Tracer`: runs a program with proxies in place of its arguments."""

from __future__ import annotations

import builtins
import functools
import inspect
import math
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import ModuleType
from typing import Any

from chainrule.fx.graph import Graph
from chainrule.fx.graph_module import GraphModule
from chainrule.fx.proxy import TracerBase, tracers
from chainrule.nn.modules.container import Sequential
from chainrule.nn.modules.module import Module

#: Functions that a trace keeps whole: the names of a module's globals, and where they are.
_wrapped: list[tuple[dict[str, Any], str]] = []
#: Where the layers stand that a trace keeps whole.
_LAYERS = Module.__module__.rpartition(".")[0]


def wrap(fn_or_name: str | Callable[..., Any]) -> Any:
    """Keep a function of the calling module whole in traces: `fx.wrap("len")`, or a decorator."""
    if not callable(fn_or_name) and not isinstance(fn_or_name, str):
        raise RuntimeError(
            "Unsupported type for global function! Must be either a callable or string name"
        )
    name = fn_or_name if isinstance(fn_or_name, str) else fn_or_name.__name__
    frame = sys._getframe(1)
    if frame.f_code.co_name != "<module>":
        raise NotImplementedError("wrap must be called at the top level of a module")
    _wrapped.append((frame.f_globals, name))
    return fn_or_name


class Tracer(TracerBase):
    """Traces layers and functions; override its methods to see or change what is recorded.

    Layers of the library are kept whole (`is_leaf_module`), others are gone through.

    >>> import chainrule as torch
    >>> from chainrule import fx
    >>> graph = fx.Tracer().trace(lambda x: torch.relu(x) + 1.0)
    >>> [(n.op, n.name) for n in graph.nodes][:2]
    [('placeholder', 'x'), ('call_function', 'relu')]
    """

    def __init__(
        self, autowrap_modules: Sequence[ModuleType] = (math,),
        autowrap_functions: Sequence[Callable[..., Any]] = (), param_shapes_constant: bool = False,
    ) -> None:  # fmt: skip
        self._modules, self._functions = autowrap_modules, autowrap_functions
        self._paths: dict[int, str] = {}

    def is_leaf_module(self, m: Module, module_qualified_name: str) -> bool:
        """Whether a call of this layer is one node."""
        own = type(m).__module__
        return (own == _LAYERS or own.startswith(f"{_LAYERS}.")) and not isinstance(m, Sequential)

    def path_of_module(self, mod: Module) -> str:
        """The name of a layer of the root."""
        if id(mod) not in self._paths:
            raise NameError("module is not installed as a submodule")
        return self._paths[id(mod)]

    def call_module(
        self, m: Module, forward: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        """A layer is called: a node, or what its forward does."""
        path = self.path_of_module(m)
        if self.is_leaf_module(m, path):
            return self.create_proxy("call_module", path, args, kwargs)
        return forward(*args, **kwargs)

    def trace(self, root: Any, concrete_args: dict[str, Any] | None = None) -> Graph:
        """The graph of a layer or function. `concrete_args` are values in place of arguments.

        Raises TraceError where the program branches on a value.
        """
        if isinstance(root, Module):
            self.root, call = root, root.forward
        else:
            self.root, call = Module(), root
        self._paths = {id(m): name for name, m in self.root.named_modules()}
        self.graph = Graph(tracer_cls=type(self))
        args, kwargs = self._arguments(call, concrete_args or {})
        with self._watching(call):
            result = self.create_arg(call(*args, **kwargs))
        self.create_node("output", "output", (result,), {})
        return self.graph

    def _arguments(self, call: Any, concrete: dict[str, Any]) -> tuple[list[Any], dict[str, Any]]:
        args: list[Any] = []
        kwargs: dict[str, Any] = {}
        for p in inspect.signature(call).parameters.values():
            if p.name in concrete:
                value = concrete[p.name]
            else:
                stars = "*" * (p.kind is p.VAR_POSITIONAL) + "**" * (p.kind is p.VAR_KEYWORD)
                default = () if p.default is p.empty else (self.create_arg(p.default),)
                value = self.create_proxy("placeholder", stars + p.name, default, {})
                if stars:
                    continue  # it says that there may be more; what they are, a trace cannot know
            if p.kind is p.KEYWORD_ONLY:
                kwargs[p.name] = value
            else:
                args.append(value)
        return args, kwargs

    @contextmanager
    def _watching(self, call: Any) -> Iterator[None]:
        """Calls of layers, and of functions that are kept whole, come to this tracer."""
        before: list[tuple[Any, str, Any]] = []
        run = Module.__call__

        def called(m: Module, *args: Any, **kwargs: Any) -> Any:
            if not any(True for _ in tracers(args, kwargs)):
                return run(m, *args, **kwargs)
            return self.call_module(m, functools.partial(run, m), args, kwargs)

        spaces = [(vars(module), name) for module in self._modules for name in vars(module)]
        own = getattr(call, "__globals__", {})
        spaces += [(own, name) for name, f in own.items() if f in self._functions if callable(f)]
        for space, name in [*spaces, *_wrapped]:
            function = space.get(name, getattr(builtins, name, None))
            if callable(function) and not name.startswith("__"):
                before.append((space, name, space.get(name, self)))
                space[name] = _whole(function)
        layers: Any = Module
        layers.__call__ = called
        try:
            yield
        finally:
            layers.__call__ = run
            for space, name, old in reversed(before):
                if old is self:
                    del space[name]
                else:
                    space[name] = old


def _whole(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function that becomes one node where a proxy is among its arguments."""

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        for tracer in tracers(args, kwargs):
            return tracer.create_proxy("call_function", function, args, kwargs)
        return function(*args, **kwargs)

    return call


def symbolic_trace(root: Any, concrete_args: dict[str, Any] | None = None) -> GraphModule:
    """A layer or function as a `GraphModule`, whose graph can be read and changed.

    Raises TraceError where the program branches on a value.

    >>> import chainrule as torch
    >>> from chainrule import fx
    >>> traced = fx.symbolic_trace(lambda x, y: torch.exp(x) * y)
    >>> print(traced.code.strip())
    def forward(self, x, y):
        exp = torch.exp(x);  x = None
        mul = exp * y;  exp = y = None
        return mul
    >>> traced(torch.zeros(2), 3.0)
    tensor([3., 3.])
    """
    tracer = Tracer()
    graph = tracer.trace(root, concrete_args)
    name = type(root).__name__ if isinstance(root, Module) else root.__name__
    return GraphModule(tracer.root, graph, name if name.isidentifier() else "GraphModule")
