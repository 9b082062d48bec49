"""How a function is entered that only the host computes: `unary` and `binary`, as everywhere, but
no kernel takes it as a part.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from chainrule.ir.op import Op
from chainrule.ops import core


def unary(
    name: str, reference: Callable[..., Any], gradient: Callable[..., Any] | None, **fields: Any
) -> Op:
    """A function of one argument; gradient(g, y, x)."""
    made = core.unary(name, reference, gradient, **fields)
    made.elementwise = False
    return made


def binary(
    name: str, reference: Callable[..., Any], gradient: Callable[..., Any] | None, **fields: Any
) -> Op:
    """A function of two arguments; gradient(g, y, a, b) → (for a, for b)."""
    made = core.binary(name, reference, gradient, **fields)
    made.elementwise = False
    return made
