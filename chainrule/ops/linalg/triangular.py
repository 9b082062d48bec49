"""Triangular systems, which the other gradients are made of."""

from __future__ import annotations

import numpy as np

from chainrule.errors import ShapeError
from chainrule.ir.cost import per_matrix
from chainrule.ir.node import Node, TensorType
from chainrule.ops.core import primitive
from chainrule.ops.linalg import algorithms
from chainrule.ops.linalg.matrices import Matrices, adjoint, lower, mm, square
from chainrule.ops.linalg.matrices import upper as upper_part
from chainrule.shapes import broadcast


def solution_type(a: Node, b: Node) -> TensorType:
    """The type of X in A X = B."""
    if a.shape[-1] != b.shape[-2]:
        raise ShapeError(
            f"Incompatible shapes of A and B for the equation AX = B ({a.shape[-2]}x{a.shape[-1]} "
            f"and {b.shape[-2]}x{b.shape[-1]})"
        )
    return TensorType((*broadcast(a.shape[:-2], b.shape[:-2]), *b.shape[-2:]), b.dtype)


@primitive(
    lambda a, b, *, upper, unit: solution_type(a, b),
    prepare=square,
    flops=per_matrix(lambda n, _, k: n * n * k),
    tex=r"{0}^{{-1}} {1}",
    domain=Matrices(
        ((3, 3), (3, 2), {"upper": False, "unit": False}),
        ((2, 2, 2), (2, 3), {"upper": True, "unit": False}),
        ((3, 3), (2, 3, 1), {"upper": True, "unit": True}),
        ((0, 0), (0, 2), {"upper": True, "unit": False}),
    ),
    analytic=False,
    torch="linalg.solve_triangular",
)
def solve_triangular(
    a: np.ndarray, b: np.ndarray, *, upper: bool, unit: bool = False
) -> np.ndarray:
    """X with A X = B for triangular A, of which one triangle is read, with ones on the diagonal if
    `unit`.
    """
    return algorithms.solve_triangular(a, b, upper=upper, unit=unit)


@solve_triangular.vjp
def _(g: Node, y: Node, a: Node, b: Node, *, upper: bool, unit: bool) -> tuple[Node, Node]:
    """B̄ = A⁻ᴴ X̄, Ā = −B̄ Xᴴ in the triangle that is read."""
    gb = solve_triangular(adjoint(a), g, upper=not upper, unit=unit)
    ga = mm(-gb, adjoint(y))
    return (upper_part(ga, int(unit)) if upper else lower(ga, -int(unit))), gb


def solve_right(b: Node, a: Node, *, upper: bool, unit: bool = False) -> Node:
    """X with X A = B."""
    return adjoint(solve_triangular(adjoint(a), adjoint(b), upper=not upper, unit=unit))
