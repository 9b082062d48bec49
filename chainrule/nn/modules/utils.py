"""`torch.nn.modules.utils`: one number, or as many as there are dimensions."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from chainrule import names

__getattr__ = names.later(__name__)


def _ntuple(n: int, name: str = "parse") -> Callable[[Any], tuple[Any, ...]]:
    """A function that repeats a number n times, and makes a tuple of what is several already."""

    def parse(x: Any) -> tuple[Any, ...]:
        return tuple(x) if isinstance(x, Iterable) else (x,) * n

    parse.__name__ = name
    return parse


_single, _pair = _ntuple(1, "_single"), _ntuple(2, "_pair")
_triple, _quadruple = _ntuple(3, "_triple"), _ntuple(4, "_quadruple")


def _reverse_repeat_tuple(t: tuple[Any, ...], n: int) -> tuple[Any, ...]:
    """The last first, each n times."""
    return tuple(x for x in reversed(t) for _ in range(n))
