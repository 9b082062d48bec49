"""What looks at how a number is written: its exponent, its neighbour, its divisors."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule import dtypes
from chainrule.ir.cost import each
from chainrule.ir.node import Node, TensorType, Type
from chainrule.ir.op import Domain
from chainrule.ops.core import cast, primitive, zeros_like
from chainrule.ops.elementwise import eq, pow, where
from chainrule.ops.loop import item
from chainrule.ops.special_functions.rows import binary


class _Wide(Domain):
    """float32 and float64 only."""

    @property
    def types(self) -> tuple[dtypes.DType, ...]:
        return dtypes.float32, dtypes.float64


def _frexp_type(x: Node) -> Type:
    return TensorType(x.shape, x.dtype), TensorType(x.shape, dtypes.int32)


@primitive(
    _frexp_type,
    flops=each,
    tex=r"\operatorname{{frexp}}({0})",
    domain=_Wide((-3, 3), order=1, cases=[((3, 4), {}), ((), {})]),
    torch="frexp",
)
def frexp(x: np.ndarray) -> Any:
    """(m, e): x = m · 2ᵉ with ½ ≤ |m| < 1"""
    m, e = np.frexp(x)
    return np.asarray(m, x.dtype), np.asarray(e, np.int32)


@frexp.vjp
def _(g: dict[int, Node], y: Node, x: Node) -> Node | None:
    return g[0] * pow(2.0, -cast(item(y, 1), x.dtype)) if 0 in g else None


nextafter = binary(
    "nextafter", np.nextafter,
    lambda g, y, a, b: (where(eq(a, b), zeros_like(g), g), zeros_like(g)),
    tex=r"\operatorname{{next}}({0}, {1})", doc="the number after a towards b", order=0,
    torch="nextafter",
)  # fmt: skip
nextafter.wide = False
nextafter.domain = _Wide((-3, 3), (-3, 3), order=0)

gcd = binary(
    "gcd", np.gcd, None,
    tex=r"\gcd({0}, {1})", doc="the greatest common divisor, ≥ 0", dtypes="int", order=0,
    over=((-12, 12), (-12, 12)), torch="gcd",
)  # fmt: skip
lcm = binary(
    "lcm", np.lcm, None,
    tex=r"\operatorname{{lcm}}({0}, {1})", doc="the least common multiple, ≥ 0", dtypes="int",
    order=0, over=((-6, 6), (-6, 6)), torch="lcm",
)  # fmt: skip
