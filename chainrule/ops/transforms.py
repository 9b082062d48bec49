"""What transforms of functions need: names for arguments, and values that are computed again.

argument(x)            x, under a name of its own: what a gradient is asked of
lane(state, marker)    a random stream of which every sample has a part of its own
after(x, y)            x, but not before y is there
recomputed(x…) {body}  body(x…), whose gradient keeps x and computes the rest a second time
"""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule import dtypes
from chainrule.errors import GraphError
from chainrule.ir.cost import nothing
from chainrule.ir.graph import Graph
from chainrule.ir.node import Node, TensorType
from chainrule.ir.op import Domain
from chainrule.ops.core import input, op, primitive


@op(tex="{0}", domain=Domain((-3, 3), dtypes="float complex"))
def argument(x: Node, *, index: int = 0) -> Node:
    """x itself, as argument number `index` of a function that is differentiated: elsewhere the same
    value counts as a constant.
    """
    return x


@argument.vjp
def _(g: Node, y: Node, x: Node, *, index: int) -> Node:
    return g


@primitive(
    lambda state, marker, *, base: TensorType(state.shape, state.dtype),
    flops=nothing,
    tex="{0}",
    wide=False,
)
def lane(state: np.ndarray, marker: np.ndarray, *, base: int) -> np.ndarray:
    """The state of a random stream from counter `base`, for one sample of a batch."""
    raise GraphError("one sample's random stream has no value: vmap reads it for all samples")


@primitive(
    lambda x, y: TensorType(x.shape, x.dtype),
    flops=nothing,
    tex="{0}",
    wide=False,
    domain=Domain((-3, 3), 3, dtypes="any", cases=[((3, 4), (), {}), ((), (), {})]),
)
def after(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """x, which must not be computed before the number y: it keeps what is computed again from being
    one with what was computed before.
    """
    return x.copy()


@after.vjp
def _(g: Node, y: Node, x: Node, late: Node) -> tuple[Node, None]:
    return g, None


def _sample(dtype: dtypes.DType) -> dict[str, Any]:
    """a · b + a: what the tests sample."""
    a, b = (input(index=i, shape=(3, 2), dtype=dtype, scope="arg") for i in range(2))
    return {"body": Graph((a, b), (a * b + a,)), "kept": 1}


@op(tex=r"\operatorname{{f}}({0}, \dots)", domain=Domain(
    (-3, 3), order=1, cases=[((3, 2), (3, 2), _sample)],
))  # fmt: skip
def recomputed(*xs: Node, body: Graph, kept: int) -> tuple[Node, ...]:
    """body(x…): its gradient reads nothing but x… and computes the rest a second time (see
    `chainrule.autodiff.again`).

    The first `kept` inputs are made for it alone; the others (parameters) are there anyway.
    """
    return body(*xs)
