"""Random numbers of the compiler are those of the reference, element by element and in groups."""

import numpy as np
import pytest
from native import run_kernel

from chainrule import dtypes, ops
from chainrule.backends.llvm.target import NAMES, named
from chainrule.schedule import scalars, uniform
from chainrule.schedule.build import Builder
from chainrule.schedule.interpret import interpret, numpy_kind

TARGETS = [t for t in map(named, NAMES) if t.runs_here]
FLOATS = [d for d in dtypes.ALL if d.is_floating_point]
STATES = [(42, 5), (-3, 2**40), (2**63 - 1, -16)]


def reference(state: tuple[int, int], n: int, dtype: dtypes.DType, offset: int) -> np.ndarray:
    node = ops.input(index=0, shape=(2,), dtype=dtypes.int64)
    node = ops.random_uniform(node, offset=offset, shape=(n,), dtype=dtype)
    return node.op.evaluate(node, [np.array(state, np.int64)])


@pytest.mark.parametrize("target", TARGETS, ids=lambda t: t.name)
@pytest.mark.parametrize("lanes", [1, 4, 16])
@pytest.mark.parametrize("dtype", FLOATS, ids=str)
def test_elements_are_those_of_the_reference(dtype, lanes, target) -> None:
    kind, n = dtype.short, 192
    node = ops.input(index=0, shape=(2,), dtype=dtypes.int64)
    node = ops.random_uniform(node, offset=32, shape=(n,), dtype=dtype)
    b = Builder()
    s, y = b.buffer("s", "i64", 2, "in"), b.buffer("y", kind, n, "out")
    with b.kernel("elements", n // lanes) as i:
        at = b.mul(i, lanes)
        index = b.ramp(at, lanes) if lanes > 1 else at
        b.store(y, at, scalars.uniform(b, node, b.load(s, 0), b.load(s, 1), index))
    for state in STATES:
        out = np.zeros(n, numpy_kind(kind))
        run_kernel(b.finish(), {"s": np.array(state, np.int64), "y": out}, target)
        np.testing.assert_array_equal(out, reference(state, n, dtype, 32).view(out.dtype))


@pytest.mark.parametrize("lanes", [1, 4, 16])
@pytest.mark.parametrize("dtype", FLOATS, ids=str)
def test_groups_are_those_of_the_reference(dtype, lanes) -> None:
    kind = dtype.short
    size = 32 if kind == "f64" else 64
    b = Builder()
    s, y = b.buffer("s", "i64", 2, "in"), b.buffer("y", kind, 3 * size, "out")
    with b.kernel("groups", 3) as i:
        for at, value in uniform.group(b, kind, b.load(s, 0), b.load(s, 1), i, lanes):
            b.store(y, b.add(b.mul(i, size), at), value)
    for state in STATES:
        arrays = {"s": np.array(state, np.int64), "y": np.zeros(3 * size, numpy_kind(kind))}
        interpret(b.finish(), arrays)
        found = arrays["y"]
        want = reference(state, 3 * size, dtype, 0).view(found.dtype)
        np.testing.assert_array_equal(found, want)
