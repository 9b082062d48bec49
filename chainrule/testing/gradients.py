"""Derivatives against differences: in a random direction, in double precision, to any order.

For s(x) = Σ w f(x) with random w, and a random direction d, the chain rule's Σ d ∂s/∂x is compared
with

    (8 (s(x + h d) − s(x − h d)) − (s(x + 2h d) − s(x − 2h d))) / 12 h          error O(h⁴)

For complex numbers Σ Re(w̄ f(x)) and Σ Re(d̄ x̄) take the place of these sums. Then that directional
derivative takes the place of s: second order, and so on.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from chainrule import dtypes, ops
from chainrule.autodiff import derivative, gradients
from chainrule.ir.interpret import interpret
from chainrule.ir.node import Node, TensorType
from chainrule.ir.op import Op, conjugate, is_complex

_STEP = 1e-3


def _name(like: Node, kind: str, index: int) -> Node:
    return ops.input(index=index, shape=like.shape, dtype=like.dtype, scope=kind)


def _project(
    values: Sequence[Node], kind: str, bound: dict[Node, np.ndarray], rng: np.random.Generator
) -> Node:
    """Σ value · w for random w: any number of outputs as one number."""
    total = ops.const(0.0, dtypes.float64)
    for v in values:
        w = _name(v, kind, len(bound))
        bound[w] = _direction(v, rng)
        total = total + ops.sum(ops.real_part(v * conjugate(w)))
    return total


def _direction(like: Node, rng: np.random.Generator) -> np.ndarray:
    real = rng.standard_normal(like.shape)
    return real + 1j * rng.standard_normal(like.shape) if is_complex(like) else real


def check_gradients(
    outputs: Sequence[Node],
    inputs: Sequence[Node],
    arrays: Sequence[np.ndarray],
    *,
    order: int = 1,
    seed: int = 0,
    tolerance: float = 1e-6,
) -> None:
    """Raise AssertionError unless the derivatives of `outputs` (float64), up to `order`, agree with
    differences.
    """
    rng = np.random.default_rng(seed)
    bound = {n: np.asarray(a) for n, a in zip(inputs, arrays, strict=True)}
    wrt = [n for n in inputs if n.dtype.is_differentiable]
    s = _project([o for o in outputs if o.dtype.is_differentiable], "w", bound, rng)
    for k in range(1, order + 1):
        directions = [_direction(n, rng) for n in wrt]
        slope = ops.const(0.0, dtypes.float64)
        for n, g, d in zip(wrt, gradients(s, wrt), directions, strict=True):
            at = _name(n, "d", len(bound))
            bound[at] = d
            slope = slope + ops.sum(ops.real_part(g * conjugate(at)))
        (got,) = interpret([slope], bound)
        want = _difference(s, wrt, directions, bound)
        scale = max(1.0, abs(want), abs(float(got)))
        if not abs(float(got) - want) <= tolerance * scale:
            raise AssertionError(
                f"order {k}: the chain rule says {float(got):.12g}, differences say {want:.12g}"
            )
        s = slope


def _difference(
    s: Node, wrt: Sequence[Node], directions: Sequence[np.ndarray], bound: dict[Node, np.ndarray]
) -> float:
    def at(h: float) -> float:
        moved = {**bound, **{n: bound[n] + h * d for n, d in zip(wrt, directions, strict=True)}}
        return float(interpret([s], moved)[0])

    near, far = at(_STEP) - at(-_STEP), at(2 * _STEP) - at(-2 * _STEP)
    return (8 * near - far) / (12 * _STEP)


def compare_gradients(
    op: Op, output: Node, inputs: Sequence[Node], arrays: Sequence[np.ndarray]
) -> float:
    """The largest difference between an op's own gradient and the one derived from its formula."""
    parts = [output] if isinstance(output.type, TensorType) else list(ops.items(output))
    rng = np.random.default_rng(1)
    bound = {n: np.asarray(a) for n, a in zip(inputs, arrays, strict=True)}
    seeds = [_name(p, "ct", i) for i, p in enumerate(parts)]
    bound.update({c: _direction(c, rng).astype(c.dtype.np) for c in seeds})
    wrt = [n for n in inputs if n.dtype.is_differentiable]
    given = derivative(parts, seeds, wrt).gradients
    own, op.gradient = op.gradient, None
    try:  # the formula itself, with other nodes for the cotangents so that nothing is found again
        formula = op.formula
        assert formula is not None
        out = formula(*output.inputs, **dict(output.attrs))
        derived = derivative([out] if isinstance(out, Node) else list(out), seeds, wrt).gradients
    finally:
        op.gradient = own
    worst = 0.0
    for x, a, b in zip(wrt, given, derived, strict=True):
        pair = interpret([ops.zeros_like(x) if g is None else g for g in (a, b)], bound)
        if pair[0].size:
            worst = max(worst, float(np.max(np.abs(pair[0] - pair[1]))))
    return worst
