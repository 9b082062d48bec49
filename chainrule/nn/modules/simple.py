"""Layers that are one function with settings: how such a class is made from a row.

    ReLU = layer("ReLU", F.relu, "inplace", doc="max(x, 0)")

The settings are named in the order of the constructor; their defaults are the function's own.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from chainrule.nn.modules.module import Module


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
    return type(
        name, (base,),
        {
            "function": staticmethod(function), "settings": signature,
            "names": tuple(signature.parameters), "shown": tuple(shown.split()), "__doc__": doc,
            "__module__": module, "__signature__": signature,
        },
    )  # fmt: skip
