"""`torch.nn`: layers, containers, parameters, initialisation, functional forms."""

from typing import Any

from chainrule.nn import functional, init, modules, parameter, utils
from chainrule.nn.modules import *  # noqa: F403  the list of layers stands once, in modules/__init__.py
from chainrule.nn.modules import Module as Module
from chainrule.nn.parallel import DataParallel
from chainrule.nn.parameter import Buffer, Parameter, UninitializedBuffer, UninitializedParameter

__all__ = [n for n in dir() if not n.startswith("_") and n != "Any"]


def __getattr__(name: str) -> Any:
    layers = ", ".join(sorted(n for n in __all__ if n[0].isupper()))
    raise AttributeError(f"chainrule.nn has no {name!r}. Layers that exist: {layers}")
