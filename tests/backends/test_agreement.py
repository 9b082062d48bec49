"""Compiled code gives what the reference backend gives: every op, every dtype of its domain, values
and gradients, also with the vectors of other processors.
"""

from dataclasses import replace

import numpy as np
import pytest
from agreement import agree, expected, parts, prepared

from chainrule import dtypes, ops
from chainrule.autodiff import derivative, gradients
from chainrule.backends.llvm import execute
from chainrule.backends.llvm.target import Target, host, named
from chainrule.dtypes import DType
from chainrule.ir.node import Node
from chainrule.ir.op import Op, registry
from chainrule.testing import samples

OPS = [
    (op, dtype)
    for op in registry.values()
    for dtype in dtypes.ALL
    if op.domain is not None and dtype in op.domain.types
]
#: In roundings: a derivative is a longer formula.
GRADIENT = 512
DERIVED = (dtypes.float32, dtypes.float64)


def name(v: object) -> str:
    return getattr(v, "name", str(v))


def graph(op: Op, dtype: DType) -> tuple[list[Node], list[Node], list[np.ndarray]]:
    """Values of the op for all its samples, gradients, and arguments."""
    rng = np.random.default_rng(list(op.name.encode()))
    values: list[Node] = []
    gradients: list[Node] = []
    arrays: list[np.ndarray] = []

    def given(node: Node, array: np.ndarray) -> Node:
        arrays.append(array)
        return ops.input(index=len(arrays) - 1, shape=node.shape, dtype=node.dtype)

    for sample in samples(op, dtype, rng):
        inputs = [given(n, a) for n, a in zip(sample.inputs, sample.arrays, strict=True)]
        made = parts(op(*inputs, **sample.attrs))
        values += made
        made = [v for v in made if v.dtype.is_differentiable]
        wrt = [x for x in inputs if x.dtype.is_differentiable]
        if made and wrt and op.domain is not None and op.domain.order and dtype in DERIVED:
            seeds = [given(v, np.asarray(rng.uniform(-1, 1, v.shape), v.dtype.np)) for v in made]
            gradients += [g for g in derivative(made, seeds, wrt).gradients if g is not None]
    return values, gradients, arrays


def compare(op: Op, dtype: DType) -> None:
    values, gradients, arrays = graph(op, dtype)
    outputs = [*values, *gradients]
    nodes = prepared(outputs)
    want, got = expected(outputs, arrays), execute.build(nodes)(arrays)
    for k, (a, b) in enumerate(zip(got, want, strict=True)):
        agree(a, b, nodes[k].dtype, GRADIENT if k >= len(values) else 0)


@pytest.mark.parametrize(("op", "dtype"), OPS, ids=name)
def test_every_op(op: Op, dtype: DType) -> None:
    compare(op, dtype)


#: Zeros, limits of the formats, what is nearly and what is not a number.
SPECIAL = [0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 2.5, -2.5, 7.0, 88.8, -104.0, 710.0, -745.0, 1e5, 1e10,
           1e-40, -1e-40, 1e-310, 3e38, -3e38, 1e300, np.inf, -np.inf, np.nan]  # fmt: skip
ELEMENTWISE = [
    (op, dtype)
    for op, dtype in OPS
    if dtype in DERIVED
    and op.domain is not None
    and not op.domain.cases
    and len(op.domain.intervals) <= 2
    and all(isinstance(over, tuple) for over in op.domain.intervals)
]


@pytest.mark.parametrize(("op", "dtype"), ELEMENTWISE, ids=name)
def test_special_numbers(op: Op, dtype: DType) -> None:
    with np.errstate(over="ignore"):
        numbers = np.array(SPECIAL).astype(dtype.np)
    assert op.domain is not None
    grid = np.meshgrid(*[numbers] * len(op.domain.intervals))
    arrays = [np.ascontiguousarray(a.reshape(-1)) for a in grid]
    inputs = [ops.input(index=i, shape=a.shape, dtype=dtype) for i, a in enumerate(arrays)]
    outputs = parts(op(*inputs))
    for got, want in zip(
        execute.build(prepared(outputs))(arrays), expected(outputs, arrays), strict=True
    ):
        near = 1e-5 if dtype is dtypes.float32 else 1e-12
        tiny = 0 if want.dtype.kind != "f" else float(np.finfo(want.dtype).tiny)
        np.testing.assert_allclose(got, want, rtol=near, atol=tiny)


#: Schedules for vectors of 64 bytes, in instructions of 32 that LLVM makes of them: what they
#: compute is the same, and so it can be tested wherever AVX2 is.
WIDE = replace(named("avx2"), vector_bytes=64, registers=32)
OTHERS = {"avx2": named("avx2"), "x86-64": named("x86-64"), "64 bytes": WIDE}


@pytest.mark.parametrize("target", OTHERS.values(), ids=list(OTHERS))
@pytest.mark.parametrize("op", [op for op, d in OPS if d is dtypes.float32], ids=name)
def test_other_vectors(op: Op, target: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    if not target.runs_here or (host().name == target.name and target is not WIDE):
        pytest.skip("this processor cannot run it, or did just now")
    monkeypatch.setattr(execute, "host", lambda: target)
    compare(op, dtypes.float32)


def test_a_loop_may_start_with_a_constant() -> None:
    """The second derivative of a running product of a vector: its loop carries 0, then a number."""
    x, w = (ops.input(index=i, shape=(4,), dtype=dtypes.float64) for i in range(2))
    (g,) = gradients(ops.sum(ops.cumprod(x, axis=0) * w), [x])
    (again,) = gradients(ops.sum(g * w), [x])
    arrays = [np.arange(1.0, 5.0), np.array([1.0, -2.0, 0.5, 3.0])]
    (got,), (want,) = execute.build(prepared([again]))(arrays), expected([again], arrays)
    np.testing.assert_allclose(got, want, rtol=1e-12)
