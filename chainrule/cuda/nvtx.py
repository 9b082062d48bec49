"""`torch.cuda.nvtx`: marks for a profiler of a device that is not there. Accepted."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from chainrule import names

_depth = [0]


def range_push(msg: str) -> int:
    """The depth of the range, from 0."""
    _depth[0] += 1
    return _depth[0] - 1


def range_pop() -> int:
    """The depth of the range that ends."""
    _depth[0] -= 1
    return _depth[0]


def range_start(msg: str) -> int:
    """0"""
    return 0


def range_end(range_id: int) -> None:
    """Nothing is recorded."""


def mark(msg: str) -> None:
    """Nothing is recorded."""


@contextmanager
def range(msg: str, *args: Any, **kwargs: Any) -> Iterator[None]:
    """A pushed range until the block ends."""
    range_push(msg.format(*args, **kwargs))
    try:
        yield
    finally:
        range_pop()


__getattr__ = names.later(__name__)
