"""`torch._dynamo`: PyTorch's reader of bytecode, which is not needed here."""

from __future__ import annotations

from typing import Any

from chainrule import names
from chainrule._dynamo import config
from chainrule.compiling import (
    allow_in_graph,
    assume_constant_result,
    disable,
    graph_break,
    is_compiling,
    list_backends,
    reset,
)

__getattr__ = names.later(__name__)


def optimize(backend: Any = "llvm", **options: Any) -> Any:
    """A decorator that gives the function itself."""
    return allow_in_graph


forbid_in_graph = mark_dynamic = mark_static = maybe_mark_dynamic = lambda value, *_, **__: value
