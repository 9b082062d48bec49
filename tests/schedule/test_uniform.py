"""Random numbers of the compiler are those of the reference, element by element and in groups."""

import numpy as np
import pytest
from native import run_kernel

from chainrule import dtypes, ops
from chainrule.backends.llvm.target import NAMES, named
from chainrule.ir.graph import Graph
from chainrule.schedule.interpret import numpy_kind
from chainrule.schedule.loops import Let, statements
from chainrule.schedule.nests import lower_nest
from chainrule.schedule.vectorise import vectorise

TARGETS = [t for t in map(named, NAMES) if t.runs_here]
FLOATS = [d for d in dtypes.ALL if d.is_floating_point]
STATES = [(42, 5), (-3, 2**40), (2**63 - 1, -16)]


def reference(state: tuple[int, int], n: int, dtype: dtypes.DType, offset: int) -> np.ndarray:
    node = ops.input(index=0, shape=(2,), dtype=dtypes.int64)
    node = ops.random_uniform(node, offset=offset, shape=(n,), dtype=dtype)
    return node.op.evaluate(node, [np.array(state, np.int64)])


@pytest.mark.parametrize("target", TARGETS, ids=lambda t: t.name)
@pytest.mark.parametrize("n", [1, 63, 64, 200, 5000])
@pytest.mark.parametrize("dtype", FLOATS, ids=str)
def test_numbers_are_those_of_the_reference(dtype, n, target) -> None:
    node = ops.input(index=0, shape=(2,), dtype=dtypes.int64)
    graph = Graph([node], [ops.random_uniform(node, offset=32, shape=(n,), dtype=dtype)])
    (step,) = lower_nest(graph).steps
    kernel = vectorise(step.kernel, target.vector_bytes)
    for state in STATES:
        out = np.zeros(n, numpy_kind(dtype.short))
        run_kernel(kernel, {"x0": np.array(state, np.int64), "y0": out}, target)
        np.testing.assert_array_equal(out, reference(state, n, dtype, 32).view(out.dtype))


def test_a_group_computes_each_block_once() -> None:
    node = ops.input(index=0, shape=(2,), dtype=dtypes.int64)
    uniform = ops.random_uniform(node, offset=0, shape=(640,), dtype=dtypes.float32)
    (step,) = lower_nest(Graph([node], [uniform])).steps
    products = [
        s for s in statements(step.kernel.body)
        if isinstance(s, Let) and s.value.op == "mul" and s.value.type.kind == "u64"
    ]  # fmt: skip
    assert len(products) == 20  # two for each of ten rounds, for four numbers
