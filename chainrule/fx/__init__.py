"""`torch.fx`: PyTorch's symbolic tracer. Here every program is recorded; its graph is shown by
`chainrule.explain`, and `torch.compile` is not needed. What changes graphs of PyTorch has nothing
to change here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

from chainrule import names
from chainrule.nn.modules.module import Module

_WHY = "programs are recorded as they run; chainrule.explain shows the graph of a call"

__getattr__ = names.absent(__name__, _WHY)


def wrap(fn_or_name: str | Callable[..., Any]) -> Any:
    """The function itself: nothing is traced through, so nothing has to be kept whole."""
    if not callable(fn_or_name) and not isinstance(fn_or_name, str):
        raise RuntimeError(
            "Unsupported type for global function! Must be either a callable or string name"
        )
    return fn_or_name


def has_side_effect(fn: Callable[..., Any]) -> Callable[..., Any]:
    """The function itself."""
    return fn


def symbolic_trace(root: Any, concrete_args: dict[str, Any] | None = None) -> NoReturn:
    """Raises NotImplementedError."""
    raise NotImplementedError(f"torch.fx.symbolic_trace: {_WHY}")


class GraphModule(Module):
    """For `isinstance`: no layer is one here."""

    def __init__(self, root: Any, graph: Any, class_name: str = "GraphModule") -> None:
        raise NotImplementedError(f"torch.fx.GraphModule: {_WHY}")


class Proxy:
    """For `isinstance`: no value is one here."""

    def __init__(self, node: Any, tracer: Any = None) -> None:
        raise NotImplementedError(f"torch.fx.Proxy: {_WHY}")


class Node:
    """For `isinstance`: no value is one here."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        raise NotImplementedError(f"torch.fx.Node: {_WHY}")
