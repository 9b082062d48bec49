"""Derivatives in a direction, of every op: beside finite differences, dual to those in reverse."""

import numpy as np
import pytest

import chainrule as torch
from chainrule import dtypes
from chainrule.func import functionalize, grad, hessian, jacfwd, jacrev, jvp, linearize, vjp, vmap
from chainrule.ir.op import registry
from chainrule.tensor.fromdata import from_owned
from chainrule.tensor.record import apply
from chainrule.testing.sampling import samples

#: Random numbers and marks have no derivative to compare; steps are differentiated across.
SMOOTH = sorted(
    n
    for n, o in registry.items()
    if o.domain is not None
    and o.domain.order >= 1
    and dtypes.float64 in o.domain.types
    and n not in ("stop_gradient", "passing_to")
)


def calls(name):
    """The op as a function of its floating point inputs, and values for these."""
    op = registry[name]
    for s in samples(op, dtypes.float64, np.random.default_rng(11)):
        given = [from_owned(a.copy()) for a in s.arrays]
        at = [i for i, t in enumerate(given) if t.dtype is dtypes.float64]

        def f(*xs, given=given, at=at, attrs=s.attrs):
            full = list(given)
            for i, x in zip(at, xs, strict=True):
                full[i] = x
            out = apply(op, *full, **attrs)
            parts = out if isinstance(out, tuple) else (out,)
            return tuple(p for p in parts if p.dtype is dtypes.float64)

        yield f, tuple(given[i] for i in at)


@pytest.mark.parametrize("name", SMOOTH)
def test_forward_mode_is_dual_to_reverse_mode(name):
    """u · (J v) = (Jᵀ u) · v"""
    rng = np.random.default_rng(0)
    for f, xs in calls(name):
        if not f(*xs):
            continue  # it gives whole or complex numbers
        vs = tuple(from_owned(np.asarray(rng.standard_normal(x.shape))) for x in xs)
        ys, moves = jvp(f, xs, vs)
        us = tuple(from_owned(np.asarray(rng.standard_normal(y.shape))) for y in ys)
        _, pull = vjp(f, *xs)
        left = sum(float((u * m).sum()) for u, m in zip(us, moves, strict=True))
        right = sum(float((g * v).sum()) for g, v in zip(pull(us), vs, strict=True))
        assert left == pytest.approx(right, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("name", SMOOTH)
def test_forward_mode_beside_finite_differences(name):
    rng = np.random.default_rng(1)
    eps = 1e-6
    for f, xs in calls(name):
        if not f(*xs):
            continue
        vs = tuple(from_owned(np.asarray(rng.standard_normal(x.shape))) for x in xs)
        _, moves = jvp(f, xs, vs)
        low, high = (
            f(*(x + s * eps * v for x, v in zip(xs, vs, strict=True))) for s in (-1.0, 1.0)
        )
        for m, a, b in zip(moves, low, high, strict=True):
            np.testing.assert_allclose(
                m.numpy(), ((b - a) / (2 * eps)).numpy(), rtol=2e-4, atol=2e-6
            )


def test_transforms_nest_in_any_order():
    x = torch.tensor([0.3, -0.7, 1.1], dtype=torch.float64)

    def f(t):
        return (t.sin() * t.sum()).sum()

    whole = hessian(f)(x)
    for other in (
        jacfwd(jacrev(f)),
        jacrev(jacfwd(f)),
        jacrev(jacrev(f)),
        jacfwd(jacfwd(f)),
        jacrev(grad(f)),
    ):
        assert torch.allclose(other(x), whole)
    rows = vmap(lambda v: jvp(grad(f), (x,), (v,))[1])(torch.eye(3, dtype=torch.float64))
    assert torch.allclose(rows, whole)


def test_perturbations_are_not_confused():
    """d/dx (x · d/dy (x + y)) = 1, though both are taken at the same value."""
    one = torch.tensor(1.0)
    assert grad(lambda x: x * grad(lambda y: x + y)(one))(one).item() == 1.0
    out, _ = vjp(lambda t: t * 3, one)
    assert grad(lambda t: t * out)(one).item() == 3.0

    def f(x):
        return jvp(lambda y: x * y, (one,), (one,))[1]

    assert jvp(f, (one,), (one,))[1].item() == 1.0


def test_results_have_a_gradient_only_where_one_goes_on():
    x = torch.ones(3)
    w = torch.ones(3, requires_grad=True)
    assert not grad(lambda t: (t * t).sum())(x).requires_grad
    assert grad(lambda t: (t * t * w).sum())(x).requires_grad
    assert grad(lambda t: (t * t).sum())(w).requires_grad
    with torch.no_grad():
        assert not grad(lambda t: (t * t * w).sum())(x).requires_grad
    y, pull = vjp(lambda t: t * t, x)
    assert not y.requires_grad and not pull(x)[0].requires_grad
    assert not any(t.requires_grad for t in jvp(torch.sin, (x,), (x,)))


def test_a_look_inside_is_allowed():
    seen = []

    def f(t):
        y = (t**2).sum()
        seen.append(y.item())
        return y * t[0] if y > 1 else y

    assert grad(f)(torch.tensor([1.0, 2.0])).tolist() == [7.0, 4.0]
    assert seen == [5.0]


def test_the_linear_part_is_used_again():
    calls = []

    def f(t):
        calls.append(1)
        return t.exp()

    y, push = linearize(f, torch.zeros(2))
    assert y.tolist() == [1, 1]  # a look: what was recorded is computed, the linear part remains
    assert push(torch.tensor([1.0, 2.0])).tolist() == [1, 2]
    assert push(torch.tensor([3.0, 0.0])).tolist() == [3, 0]
    assert len(calls) == 1


def test_nothing_has_to_be_made_functional():
    def f(t):
        y = t.clone()
        y[0] = 0
        return y

    assert functionalize(f)(torch.ones(2)).tolist() == [0, 1]
    with pytest.raises(RuntimeError, match="remove"):
        functionalize(f, remove="all")(torch.ones(2))
