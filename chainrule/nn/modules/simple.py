"""Layers that are one function with settings: how such a class is made from a row.

    ReLU = layer("ReLU", F.relu, "inplace", doc="max(x, 0)")

The settings are named in the order of the constructor; their defaults are the function's own.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from types import FunctionType
from typing import Any, cast

from chainrule.nn.modules.module import Module

#: What the axes of so many dimensions are called.
SPACE = {0: "", 1: "length", 2: "height width", 3: "depth height width"}


class FunctionLayer(Module):
    """A layer without parameters: `forward` calls one function with its settings. Abstract."""

    function: Callable[..., Any]
    settings: inspect.Signature
    names: tuple[str, ...] = ()
    shown: tuple[str, ...] = ()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__()
        bound = self.settings.bind(*args, **kwargs)
        bound.apply_defaults()
        for name, value in bound.arguments.items():
            setattr(self, name, value)

    def forward(self, *inputs: Any, **named: Any) -> Any:
        settings = {name: getattr(self, name) for name in self.names}
        return type(self).function(*inputs, **named, **settings)

    def extra_repr(self) -> str:
        return ", ".join(self._shown(name) for name in self.shown if self._is_shown(name))

    def _is_shown(self, name: str) -> bool:
        return name != "inplace" or bool(getattr(self, name))

    def _shown(self, name: str) -> str:
        return f"{name}={getattr(self, name)!r}"


def layer(
    name: str, function: Callable[..., Any], settings: str = "", *, shown: str = "", doc: str = "",
    module: str = __name__, base: type[FunctionLayer] = FunctionLayer,
) -> Any:  # fmt: skip
    """The class of such a layer

    `settings` are arguments of the function, `shown` the settings that its repr names.
    """
    known = inspect.signature(function).parameters
    taken = [
        known[n].replace(kind=inspect.Parameter.POSITIONAL_OR_KEYWORD) for n in settings.split()
    ]
    signature = inspect.Signature(taken)
    inside: dict[str, Any] = {
        "function": staticmethod(function), "settings": signature,
        "names": tuple(signature.parameters), "shown": tuple(shown.split()), "__doc__": doc,
        "__module__": module, "__signature__": signature,
    }  # fmt: skip
    if base.forward is FunctionLayer.forward:
        inputs = [
            p for p in known.values() if p.default is p.empty and p.name not in inside["names"]
        ]
        inside["forward"] = _forward(inputs)
    return type(name, (base,), inside)


def _forward(inputs: list[inspect.Parameter]) -> Callable[..., Any]:
    """`FunctionLayer.forward`, a copy that says what it takes."""
    plain = FunctionLayer.forward
    forward: Any = FunctionType(plain.__code__, plain.__globals__, plain.__name__)
    own = inspect.Parameter("self", inspect.Parameter.POSITIONAL_OR_KEYWORD)
    forward.__signature__ = inspect.Signature([own, *inputs])
    return cast(Callable[..., Any], forward)
