"""`torch.compiler` and `torch._dynamo`: advice to a compiler that needs none.

Every step is recorded and compiled without being asked to, so each of these is the function that it
was given, or nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


def disable(fn: Any = None, recursive: bool = True, *, reason: str | None = None) -> Any:
    """The function itself, with or without parentheses: what is recorded stays correct."""
    return (lambda f: f) if fn is None else fn


def allow_in_graph(fn: Any) -> Any:
    """The function itself."""
    return fn


assume_constant_result = allow_in_graph


def substitute_in_graph(original_fn: Any, **options: Any) -> Callable[[Any], Any]:
    """A decorator that gives the function itself."""
    return allow_in_graph


def is_compiling() -> bool:
    """False: the program runs, whatever is compiled afterwards."""
    return False


is_dynamo_compiling = is_exporting = is_compiling


def reset() -> None:
    """Nothing to forget: a program is found by its graph."""


def graph_break(msg: str = "") -> None:
    """Nothing: a look at a value ends a graph."""


def cudagraph_mark_step_begin() -> None:
    """Nothing: there are no CUDA graphs."""


def list_backends(exclude_tags: Any = ("debug", "experimental")) -> list[str]:
    """The one that there is."""
    return ["llvm"]


@contextmanager
def set_stance(stance: str = "default", **options: Any) -> Iterator[None]:
    """The block runs as it is."""
    yield
