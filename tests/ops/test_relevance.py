"""The rules of relevance beside the gradients: no relevance comes up, none is lost."""

import numpy as np
import pytest

from chainrule import dtypes, ops
from chainrule.autodiff import derivative
from chainrule.autodiff.relevance import Relevance, is_activation
from chainrule.ir.node import TensorType
from chainrule.ir.op import registry
from chainrule.ops.relevance import Share
from chainrule.runtime import programs
from chainrule.testing.sampling import samples

#: Rules that follow a gradient which is not conservative: the literature's, and said so there.
_TAYLOR = {"softmax", "log_softmax"}

RULED = sorted(n for n, op in registry.items() if op.relevance is not None and n not in _TAYLOR)
ACTIVATIONS = sorted(
    n
    for n, op in registry.items()
    if is_activation(op) and op.relevance is None and op.gradient is not None
)


def _given_and_passed(name, active):
    op = registry[name]
    rng = np.random.default_rng(0)
    for sample in samples(op, dtypes.float64, rng):
        y = op(*sample.inputs, **sample.attrs)
        if not isinstance(y.type, TensorType) or 0 in y.shape or not y.dtype.is_differentiable:
            continue
        chosen = [i for i in active if i < len(sample.inputs)]
        wrt = [sample.inputs[i] for i in chosen]
        g = ops.input(index=len(sample.inputs), shape=y.shape, dtype=y.dtype)
        d = derivative([y], [g], wrt, rules=Relevance())
        passed = [ops.sum(c * x) for c, x in zip(d.gradients, wrt, strict=True) if c is not None]
        given = ops.sum(g * y)
        arrays = [*sample.arrays, rng.uniform(0.5, 1.5, y.shape)]
        first, *rest = programs.run((given, *passed), arrays)
        yield float(first), sum(map(float, rest))


@pytest.mark.parametrize("name", RULED)
def test_a_rule_passes_on_what_it_is_given(name):
    for active in ((0,), (0, 1)) if name in ("mul", "contract") else ((0,),):
        for given, passed in _given_and_passed(name, active):
            assert passed == pytest.approx(given, rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_an_activation_passes_everything_on(name):
    for given, passed in _given_and_passed(name, (0,)):
        assert passed == pytest.approx(given, rel=1e-5, abs=1e-8)


@pytest.mark.parametrize(
    "share",
    [
        Share(), Share("gamma"), Share("alpha_beta"), Share("alpha_beta", alpha=2.0, beta=1.0),
    ],
    ids=["zero", "gamma", "z_plus", "alpha_beta"],
)  # fmt: skip
@pytest.mark.parametrize("first", [True, False])
def test_products_conserve_by_every_rule(share, first):
    """With contributions of both signs everywhere: without, α or β has nobody to give to."""
    rng = np.random.default_rng(0)
    x = ops.input(index=0, shape=(3, 64), dtype=dtypes.float64)
    w = ops.input(index=1, shape=(64, 2), dtype=dtypes.float64)
    y = ops.contract(x, w, spec="ik,kj->ij")
    g = ops.input(index=2, shape=(3, 2), dtype=dtypes.float64)
    of = x if first else w
    d = derivative([y], [g], [of], rules=Relevance(share, share))
    arrays = [rng.normal(size=n.shape) for n in (x, w, g)]
    given, passed = programs.run((ops.sum(g * y), ops.sum(d.gradients[0] * of)), arrays)
    assert float(passed) == pytest.approx(float(given), rel=1e-7)


def test_ordinary_derivatives_do_not_see_the_rules():
    x = ops.input(index=0, shape=(3,), dtype=dtypes.float64)
    y = ops.sum(x * x)
    one = ops.const(1.0, dtypes.float64)
    by_rules = derivative([y], [one], [x], rules=Relevance()).gradients[0]
    by_chain = derivative([y], [one], [x]).gradients[0]
    at = [np.array([1.0, 2.0, 3.0])]
    assert programs.run((by_rules,), at)[0].tolist() == [1.0, 2.0, 3.0]
    assert programs.run((by_chain,), at)[0].tolist() == [2.0, 4.0, 6.0]
