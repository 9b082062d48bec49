"""`@record`: reports the error of a program to who started it; here it is simply raised."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from chainrule import names

__getattr__ = names.later(__name__)


def record(fn: Callable[..., Any], error_handler: Any = None) -> Callable[..., Any]:
    """The function itself: its errors are seen by who calls it."""
    return fn
