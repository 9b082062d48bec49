"""Every op of the registry, in every dtype that its domain names: what the row promises holds.

Nothing is listed here by hand: a new op is tested because it is registered.
"""

import numpy as np
import pytest

from chainrule import compiler, dtypes, ops
from chainrule.autodiff import derivative
from chainrule.backends import reference
from chainrule.ir import Graph, parse, print_graph, registry, verify
from chainrule.ir.interpret import interpret
from chainrule.ir.node import Node, TensorType
from chainrule.testing import check_gradients, compare_gradients, samples

# What only has a meaning inside a larger graph: tested in tests/ir, tests/autodiff, tests/tensor.
STRUCTURAL = {"input", "const", "item", "boundary", "lane"}
# The rules of optimisers are no functions to differentiate: tests/optim compares them with
# PyTorch's.
OPS = sorted(
    name
    for name, op in registry.items()
    if name not in STRUCTURAL and getattr(op.formula, "__module__", "") != "chainrule.ops.updates"
)
PAIRS = [(name, d) for name in OPS if registry[name].domain for d in registry[name].domain.types]
TOLERANCE = {
    dtypes.float16: 2e-3,
    dtypes.bfloat16: 1.6e-2,
    dtypes.float32: 1e-5,
    dtypes.float64: 1e-12,
}


def rng(name: str) -> np.random.Generator:
    return np.random.default_rng(list(name.encode()))


def parts(node: Node) -> list[Node]:
    return [node] if isinstance(node.type, TensorType) else list(ops.items(node))


def calls(name: str, dtype: dtypes.DType):
    for s in samples(registry[name], dtype, rng(name)):
        yield s, parts(registry[name](*s.inputs, **s.attrs))


def value(outputs, sample):
    with np.errstate(all="ignore"):
        return interpret(outputs, dict(zip(sample.inputs, sample.arrays, strict=True)))


@pytest.mark.parametrize("name", OPS)
def test_every_op_says_where_it_may_be_sampled(name: str) -> None:
    domain = registry[name].domain
    assert domain is not None and (domain.cases or len(domain.intervals) <= 3)


@pytest.mark.parametrize("name", OPS)
def test_every_op_is_documented_and_has_a_formula_in_tex(name: str) -> None:
    assert registry[name].__doc__ and registry[name].tex


@pytest.mark.parametrize(("name", "dtype"), PAIRS, ids=str)
def test_the_type_rule_says_what_the_reference_gives(name: str, dtype: dtypes.DType) -> None:
    for sample, outs in calls(name, dtype):
        for node, array in zip(outs, value(outs, sample), strict=True):
            assert (array.shape, array.dtype) == (node.shape, node.dtype.np), sample.attrs


@pytest.mark.parametrize(("name", "dtype"), PAIRS, ids=str)
def test_the_compiled_program_agrees_with_the_interpreter(name: str, dtype: dtypes.DType) -> None:
    for sample, outs in calls(name, dtype):
        want = value(outs, sample)
        with np.errstate(all="ignore"):
            got = reference.build(compiler.primitives(outs))(sample.arrays)
        for a, b in zip(got, want, strict=True):
            assert a.dtype == b.dtype
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(("name", "dtype"), PAIRS, ids=str)
def test_a_printed_graph_is_read_back_as_the_same_graph(name: str, dtype: dtypes.DType) -> None:
    for sample, outs in calls(name, dtype):
        verify(outs)
        text = print_graph(outs, sample.inputs)
        assert parse(text) == Graph(sample.inputs, outs)


@pytest.mark.parametrize("name", OPS)
@pytest.mark.parametrize("dtype", [dtypes.float16, dtypes.bfloat16, dtypes.float32], ids=str)
def test_smaller_floats_are_rounded_once(name: str, dtype: dtypes.DType) -> None:
    if (
        registry[name].domain is None
        or name.startswith("random")
        or registry[name].domain.order == 0
    ):
        pytest.skip("exact, or discrete")
    for sample, outs in calls(name, dtype):
        wide = [
            ops.input(index=i, shape=x.shape, dtype=dtypes.float64 if x.dtype is dtype else x.dtype)
            for i, x in enumerate(sample.inputs)
        ]
        attrs = {k: dtypes.float64 if v is dtype else v for k, v in sample.attrs.items()}
        if any(isinstance(v, Graph) for v in attrs.values()):
            pytest.skip("a loop's body has types of its own")
        exact = parts(registry[name](*wide, **attrs))
        arrays = [a.astype(w.dtype.np) for a, w in zip(sample.arrays, wide, strict=True)]
        want = interpret(exact, dict(zip(wide, arrays, strict=True)))
        for a, b in zip(value(outs, sample), want, strict=True):
            rounding = TOLERANCE[dtype] * max(1.0, float(np.max(np.abs(b), initial=0)))
            np.testing.assert_allclose(a.astype(b.dtype), b, rtol=TOLERANCE[dtype], atol=rounding)


WIDE = (dtypes.float64, dtypes.complex128)


def differentiable(name: str, dtype: dtypes.DType = dtypes.float64) -> bool:
    domain = registry[name].domain
    return domain is not None and domain.order > 0 and dtype in domain.types


@pytest.mark.parametrize(
    ("name", "dtype"), [(n, d) for n in OPS for d in WIDE if differentiable(n, d)], ids=str
)
def test_derivatives_agree_with_differences(name: str, dtype: dtypes.DType) -> None:
    for sample, outs in calls(name, dtype):
        check_gradients(outs, sample.inputs, sample.arrays, order=registry[name].domain.order)


@pytest.mark.parametrize("name", [n for n in OPS if differentiable(n)])
@pytest.mark.parametrize("dtype", [dtypes.float16, dtypes.float32], ids=str)
def test_a_cotangent_has_the_type_of_its_input(name: str, dtype: dtypes.DType) -> None:
    for sample, outs in calls(name, dtype):
        outs = [o for o in outs if o.dtype.is_differentiable]
        wrt = [x for x in sample.inputs if x.dtype.is_differentiable]
        seeds = [
            ops.input(index=i, shape=o.shape, dtype=o.dtype, scope="ct") for i, o in enumerate(outs)
        ]
        for x, g in zip(wrt, derivative(outs, seeds, wrt).gradients, strict=True):
            assert g is None or g.type == x.type


@pytest.mark.parametrize("name", [n for n in OPS if registry[n].formula and registry[n].gradient])
def test_a_gradient_by_hand_agrees_with_the_formula(name: str) -> None:
    op = registry[name]
    for sample in (s for d in WIDE for s in samples(op, d, rng(name))):
        node = op(*sample.inputs, **sample.attrs)
        assert compare_gradients(op, node, sample.inputs, sample.arrays) < 1e-9


def test_finite_numbers_do_not_overflow_on_the_way() -> None:
    """The formulas that PyTorch computes stably must be stable here as well."""
    x = ops.input(index=0, shape=(4,), dtype=dtypes.float32)
    array = np.array([-1000.0, -50.0, 50.0, 1000.0], np.float32)
    for name in (
        "sigmoid",
        "log_sigmoid",
        "softplus",
        "silu",
        "mish",
        "softmax",
        "log_softmax",
        "logsumexp",
        "elu",
    ):
        y = registry[name](x)
        g = derivative([y], [ops.full(y.shape, 1.0, y.dtype)], [x]).gradients[0]
        with np.errstate(all="ignore"):
            for v in interpret([y, g], {x: array}):
                assert np.isfinite(v).all(), (name, v)
