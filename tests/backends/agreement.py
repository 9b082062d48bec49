"""Both backends on one graph, and what they may differ by."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from chainrule.backends import reference
from chainrule.backends.llvm import execute
from chainrule.compiler import CLAIMED, NATIVE, primitives
from chainrule.dtypes import DType
from chainrule.ir.node import Node, TensorType
from chainrule.ops.loop import items
from chainrule.testing.graphs import draw

#: Roundings of one element: what polynomials, sums and products may differ by.
ROUNDINGS = {"f16": 4, "bf16": 4, "f32": 64, "f64": 64}


def parts(node: Node) -> list[Node]:
    """The values of a call."""
    return [node] if isinstance(node.type, TensorType) else list(items(node))


def prepared(outputs: Sequence[Node]) -> list[Node]:
    """What the native backend is given."""
    nodes = list(outputs)
    for stage in CLAIMED + NATIVE:
        nodes = stage.run(nodes)
    return nodes


def expected(outputs: Sequence[Node], arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
    """What the reference gives."""
    with np.errstate(all="ignore"):
        return [np.asarray(v) for v in reference.build(primitives(outputs))(arrays)]


def agree(got: np.ndarray, want: np.ndarray, dtype: DType, roundings: float = 0) -> None:
    """Equal, or as near as rounding allows."""
    assert got.shape == want.shape and got.dtype == want.dtype
    if not dtype.is_differentiable:
        np.testing.assert_array_equal(got, want)
        return
    if dtype.is_complex:
        dtype = dtype.to_real()
        got, want = (np.stack([x.real, x.imag], -1) for x in (got, want))
    a, b = got.astype(np.float64), want.astype(np.float64)
    np.testing.assert_array_equal(np.isnan(a), np.isnan(b))
    eps = float(np.finfo(dtype.np).eps) if dtype.short != "bf16" else 2.0**-7
    room = (roundings or ROUNDINGS[dtype.short]) * eps
    scale = np.abs(b[np.isfinite(b)]).max(initial=1.0)
    np.testing.assert_allclose(a, b, rtol=room, atol=room * scale)


#: Relative to the largest element of an array: what a graph of a hundred calls may differ by.
ROOM = {"f32": 1e-3, "f64": 1e-9}


def check(seed: int, dtype: DType) -> None:
    """A drawn graph is computed alike by both backends. What nobody can compute is forgiven: values
    that change by as much when the inputs move by a few roundings.
    """
    program = draw(seed, dtype=dtype)
    nodes, arrays = prepared(program.outputs), program.arrays
    want, got = expected(program.outputs, arrays), execute.build(nodes)(arrays)
    far = [k for k, (a, b) in enumerate(zip(got, want, strict=True)) if not near(a, b, dtype)]
    if not far:
        return
    rng, eps = np.random.default_rng(seed), 16 * float(np.finfo(dtype.np).eps)
    shaken = []
    for _ in range(4):
        moved = [
            np.asarray(a * (1 + rng.uniform(-eps, eps, a.shape)), a.dtype)
            if a.dtype.kind == "f"
            else a
            for a in arrays
        ]
        shaken.append(expected(program.outputs, moved))
    for k in far:
        own = max(float(np.nanmax(np.abs(s[k] - want[k]), initial=0)) for s in shaken)
        off = float(np.nanmax(np.abs(got[k] - want[k]), initial=0))
        assert off <= 30 * own, f"seed {seed}, output {k} ({nodes[k]}): {off:.3g} off"


def near(got: np.ndarray, want: np.ndarray, dtype: DType) -> bool:
    assert got.shape == want.shape and got.dtype == want.dtype
    a, b = got.astype(np.float64), want.astype(np.float64)
    room = ROOM[dtype.short] * float(np.abs(b[np.isfinite(b)]).max(initial=1e-3))
    with np.errstate(invalid="ignore"):
        return bool(np.all((np.abs(a - b) <= room) | (a == b) | (np.isnan(a) & np.isnan(b))))
