"""Arithmetic on constants is done now.

needs   any graph
leaves  no elementwise primitive all of whose inputs are constants

    %1 = const {value=2.0}; %2 = const {value=3.0}; %3 = mul(%1, %2)   →   %3 = const {value=6.0}
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from chainrule.ir.node import Node, TensorType
from chainrule.ir.op import is_complex
from chainrule.ops.core import const
from chainrule.rewrite.walk import rewrite


def fold(outputs: Sequence[Node]) -> list[Node]:
    """The same values, with scalar constants computed by the reference."""
    return rewrite(outputs, _fold)


def _fold(node: Node) -> Node | None:
    if (
        not node.inputs
        or not node.op.is_primitive
        or not (node.op.elementwise or node.op.name == "cast")
    ):
        return None
    if not isinstance(node.type, TensorType) or node.shape:
        return None
    if any(i.op.name != "const" for i in node.inputs) or is_complex(node):
        return None  # complex constants do not know the sign of a zero
    with np.errstate(all="ignore"):
        arrays = [i.op.evaluate(i, ()) for i in node.inputs]
        value = node.op.evaluate(node, arrays)
    made = const(value.item(), node.dtype)
    return made if made.op.name == "const" else None  # −0.0 is spelled neg(0.0)
