"""Every elementwise primitive, for every dtype, in machine code: the value of the reference."""

import itertools

import numpy as np
import pytest
from elements import elements

from chainrule import dtypes, ops
from chainrule.backends.llvm.target import NAMES, Target, named
from chainrule.errors import GraphError
from chainrule.ir.node import Node
from chainrule.ir.op import Op, registry
from chainrule.schedule import scalars
from chainrule.schedule.build import Builder
from chainrule.schedule.interpret import numpy_kind

TARGETS = [t for t in map(named, NAMES) if t.runs_here]
COUNT = 600
PRIMITIVES = {n: op for n, op in registry.items() if op.is_primitive and op.elementwise}

#: Where the reference is less exact than the code, or both are a few ulp away (2 otherwise).
ULP = {"tan": 4, "erfinv": 20, "log10": 3, "asin": 3, "atanh": 3, "acosh": 3}


def values(dtype: dtypes.DType, seed: int) -> np.ndarray:
    """Numbers of all sizes, and those where something may go wrong."""
    rng = np.random.default_rng(seed)
    if dtype is dtypes.bool_:
        return rng.integers(0, 2, COUNT).astype(bool)
    if dtype.is_floating_point:
        edge = [0.0, -0.0, 1, -1, 0.5, -0.5, 1.5, 2.5, -2.5, np.inf, -np.inf, np.nan, 1e-45, -1e-40]
        edge += [3e38, 2, 3, -2, -3, 7, -7, 1e5, 2.0**31, -(2.0**31), 2.0**63, 255.7, -129.0, 300.0]
        wide = rng.standard_normal(COUNT) * 10.0 ** rng.integers(-6, 8, COUNT)
        wide[::2] = rng.standard_normal(COUNT // 2) * 3
        with np.errstate(over="ignore"):
            found = np.concatenate([np.tile(edge, 4), wide]).astype(dtype.np)
    else:
        info = np.iinfo(dtype.np)
        edge = [0, 1, 2, 3, 7, info.max, info.min, info.max - 1]
        edge += [-1, -2, -7, info.min + 1] if info.min < 0 else []
        wide = rng.integers(info.min, info.max, COUNT, dtype.np, endpoint=True)
        wide >>= rng.integers(0, info.bits, COUNT).astype(dtype.np)
        found = np.concatenate([np.tile(np.array(edge, dtype.np), 9), wide])
    return rng.permutation(found)[:COUNT]


def node_of(op: Op, dtype: dtypes.DType) -> Node | None:
    """A node of the op on inputs of a dtype, if it takes it as it is."""
    assert op.domain is not None
    count = 3 if op.name == "where" else len(op.domain.intervals)
    kinds = [dtypes.bool_ if op.name == "where" and i == 0 else dtype for i in range(count)]
    inputs = [ops.input(index=i, shape=(COUNT,), dtype=d) for i, d in enumerate(kinds)]
    node = op(*inputs)
    return node if node.op is op and all(i.op.name == "input" for i in node.inputs) else None


def run(node: Node, arrays: list[np.ndarray], target: Target, lanes: int = 4) -> np.ndarray:
    kinds = [scalars.KIND[i.dtype.short] for i in node.inputs]
    given = [a.view(numpy_kind(k)) for a, k in zip(arrays, kinds, strict=True)]
    to = scalars.KIND[node.dtype.short]
    found = elements(lambda b, *v: scalars.apply(b, node, v), given, kinds, to, target, lanes)
    return found.view(node.dtype.np)


def agree(found: np.ndarray, want: np.ndarray, ulp: int) -> None:
    assert found.dtype == want.dtype
    if want.dtype.kind in "biu":
        np.testing.assert_array_equal(found, want)
        return
    if want.dtype.itemsize == 2:
        found, want = found.astype(np.float32), want.astype(np.float32)
        # both were rounded once, from values that may lie on two sides of a half
        np.testing.assert_allclose(found, want, rtol=2.0**-7, atol=1e-7)
        return
    nan = np.isnan(want)
    np.testing.assert_array_equal(np.isnan(found), nan)
    np.testing.assert_array_max_ulp(found[~nan], want[~nan], ulp)


#: What the reference computes: no lowering takes complex numbers.
COMPLEX = {"complex", "conj", "real", "imag", "sgn"}
CASES = [
    pytest.param(op, d, id=f"{n}-{d.short}")
    for n, op in PRIMITIVES.items()
    for d in dtypes.REAL
    if op.domain is not None and d in op.domain.types and n not in COMPLEX
]


def test_every_elementwise_primitive_has_a_rule() -> None:
    also = {"polygamma", "cast", "stop_gradient", "copy", "passing_to", "after"}
    assert (PRIMITIVES.keys() - COMPLEX | also) == scalars.RULES.keys()


@pytest.mark.parametrize(("op", "dtype"), CASES)
def test_values_are_those_of_the_reference(op: Op, dtype: dtypes.DType) -> None:
    node = node_of(op, dtype)
    if node is None:
        pytest.skip("the op converts this dtype first")
    arrays = [values(i.dtype, 10 + k) for k, i in enumerate(node.inputs)]
    if op.name == "lgamma":  # below 0 the values have no digits near zeros: see the docstring
        arrays = [np.abs(a) for a in arrays]
    with np.errstate(all="ignore"):
        want = op.evaluate(node, arrays)
    for target, lanes in itertools.product(TARGETS, (1, 4)):
        found = run(node, arrays, target, lanes)
        if op.name == "lgamma" and dtype.itemsize > 2:  # the reference is exact to parts of 1 only
            eps = np.finfo(dtype.np).eps
            np.testing.assert_allclose(found, want, rtol=4 * eps, atol=10 * eps)
        else:
            agree(found, want, ULP.get(op.name, 2))


@pytest.mark.parametrize("to", dtypes.REAL, ids=lambda d: d.short)
@pytest.mark.parametrize("dtype", dtypes.REAL, ids=lambda d: d.short)
def test_casts_are_those_of_the_reference(dtype: dtypes.DType, to: dtypes.DType) -> None:
    node = registry["cast"](ops.input(index=0, shape=(COUNT,), dtype=dtype), dtype=to)
    x = values(dtype, 3)
    with np.errstate(all="ignore"):
        want = node.op.evaluate(node, [x])
    for target in TARGETS:
        found = run(node, [x], target)
        if to.is_floating_point:
            np.testing.assert_array_equal(found.astype(np.float64), want.astype(np.float64))
        else:
            np.testing.assert_array_equal(found, want)


def test_float64_is_rounded_to_float16_once() -> None:
    x = 1 + 2.0**-11 + np.array([0, 2.0**-40, -(2.0**-40)])  # float32 would make a tie of all three
    source = ops.input(index=0, shape=(3,), dtype=dtypes.float64)
    node = registry["cast"](source, dtype=dtypes.float16)
    for target in TARGETS:
        np.testing.assert_array_equal(run(node, [x], target), x.astype(np.float16))


@pytest.mark.parametrize("exponent", [0, 1, 2, 3, 4, -1, 0.5, 7])
@pytest.mark.parametrize("dtype", [dtypes.float32, dtypes.float64, dtypes.int32], ids=str)
def test_constant_exponents(dtype: dtypes.DType, exponent: float) -> None:
    if not dtype.is_floating_point and (exponent < 0 or exponent != int(exponent)):
        pytest.skip("an integer power")
    x, kind = values(dtype, 4), dtype.short
    node = ops.pow(
        ops.input(index=0, shape=(COUNT,), dtype=dtype),
        ops.input(index=1, shape=(COUNT,), dtype=dtype),
    )
    with np.errstate(all="ignore"):
        want = np.power(x, np.array(exponent, x.dtype))
    for target in TARGETS:
        found = elements(
            lambda b, v: scalars.apply(b, node, [v, b.const(exponent, kind)]),
            [x], [kind], kind, target,
        )  # fmt: skip
        agree(found, want, 2)


def test_an_extreme_with_a_constant_is_one_comparison() -> None:
    x = ops.input(index=0, shape=(4,), dtype=dtypes.float32)
    b = Builder()
    with b.kernel("k", 1):
        v = b.load(b.buffer("x", "f32", 4, "in"), 0, 4)
        zero = b.const(0.0, "f32")
        for args in ([v, zero], [zero, v]):
            out = scalars.apply(b, ops.maximum(x, 0.0), args)
            assert out.op == "select" and out.args[0].op == "lt"


def test_an_op_without_a_rule_is_named() -> None:
    x = ops.input(index=0, shape=(4,), dtype=dtypes.float32)
    with pytest.raises(GraphError, match="'sum' has no rule"):
        scalars.apply(Builder(), registry["sum"](x, axis=(0,), keepdim=False), [])


def test_polygamma_and_names_without_arithmetic() -> None:
    x = ops.input(index=0, shape=(COUNT,), dtype=dtypes.float32)
    array = np.linspace(0.2, 9, COUNT, dtype=np.float32)
    for target in TARGETS:
        for n in range(3):
            node = ops.polygamma(x, n=n)
            agree(run(node, [array], target), node.op.evaluate(node, [array]), 2)
        for name in ("stop_gradient", "copy"):
            np.testing.assert_array_equal(run(registry[name](x), [array], target), array)
