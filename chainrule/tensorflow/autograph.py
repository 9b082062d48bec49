"""`tf.autograph`: Python's own control flow runs as it is."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from chainrule.names import later


def _same(func: Any = None, *args: Any, **kwargs: Any) -> Any:
    return func if func is not None else _same


experimental = SimpleNamespace(do_not_convert=_same, set_loop_options=lambda **options: None)
to_graph = _same


def set_verbosity(level: int, alsologtostdout: bool = False) -> None:
    """There is nothing to report."""


__getattr__ = later(__name__)
