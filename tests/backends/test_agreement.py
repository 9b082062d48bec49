"""Compiled code gives what the reference backend gives: every op, every dtype of its domain."""

import numpy as np
import pytest

from chainrule import dtypes
from chainrule.backends import reference
from chainrule.backends.llvm.execute import build
from chainrule.compiler import NATIVE, primitives
from chainrule.dtypes import DType
from chainrule.ir.node import Node, TensorType
from chainrule.ir.op import Op, registry
from chainrule.ops.loop import items
from chainrule.testing import samples

#: Roundings of one element: what polynomials, sums and products may differ by.
ROUNDINGS = {"f16": 4, "bf16": 4, "f32": 64, "f64": 64}
OPS = [
    (op, dtype)
    for op in registry.values()
    for dtype in dtypes.ALL
    if op.domain is not None and dtype in op.domain.types
]


def agree(got: np.ndarray, want: np.ndarray, dtype: DType) -> None:
    """Equal, or as near as rounding allows."""
    assert got.shape == want.shape and got.dtype == want.dtype
    if not dtype.is_floating_point:
        np.testing.assert_array_equal(got, want)
        return
    a, b = got.astype(np.float64), want.astype(np.float64)
    np.testing.assert_array_equal(np.isnan(a), np.isnan(b))
    eps = float(np.finfo(dtype.np).eps) if dtype.short != "bf16" else 2.0**-7
    room = ROUNDINGS[dtype.short] * eps
    scale = np.abs(b[np.isfinite(b)]).max(initial=1.0)
    np.testing.assert_allclose(a, b, rtol=room, atol=room * scale)


def parts(node: Node) -> list[Node]:
    return [node] if isinstance(node.type, TensorType) else list(items(node))


@pytest.mark.parametrize(("op", "dtype"), OPS, ids=lambda v: getattr(v, "name", str(v)))
def test_every_op(op: Op, dtype: DType) -> None:
    rng = np.random.default_rng(0)
    for sample in samples(op, dtype, rng):
        nodes = primitives(parts(op(*sample.inputs, **sample.attrs)))
        for stage in NATIVE:
            nodes = stage.run(nodes)
        with np.errstate(all="ignore"):
            want = reference.build(nodes)(sample.arrays)
        got = build(nodes)(sample.arrays)
        for node, a, b in zip(nodes, got, want, strict=True):
            agree(a, np.asarray(b), node.dtype)
