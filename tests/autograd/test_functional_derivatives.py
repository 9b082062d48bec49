"""Jacobians, Hessians and products with them, against matrices written out."""

import numpy as np
import pytest

import chainrule as torch
from chainrule.autograd.functional import hessian, hvp, jacobian, jvp, vhp, vjp

RNG = np.random.default_rng(0)
A = RNG.standard_normal((3, 3))
S = A + A.T
X = RNG.standard_normal(3)
V = RNG.standard_normal(3)


def tensor(a):
    return torch.tensor(a)


def test_jacobian_of_a_linear_map_is_the_matrix():
    np.testing.assert_allclose(jacobian(lambda x: tensor(A) @ x, tensor(X)).numpy(), A)


def test_jacobian_has_the_shape_of_output_and_input():
    j = jacobian(lambda x: x.exp().sum(1), torch.zeros(2, 3))
    assert j.shape == (2, 2, 3)
    assert j.tolist() == [[[1.0] * 3, [0.0] * 3], [[0.0] * 3, [1.0] * 3]]


def test_jacobian_of_several_inputs():
    a, b = jacobian(lambda x, y: x * y, (tensor(X), tensor(V)))
    np.testing.assert_allclose(a.numpy(), np.diag(V))
    np.testing.assert_allclose(b.numpy(), np.diag(X))


def test_jacobian_of_several_outputs():
    j = jacobian(lambda x: (x * 2, x.sum()), tensor(X))
    np.testing.assert_allclose(j[0].numpy(), 2 * np.eye(3))
    np.testing.assert_allclose(j[1].numpy(), np.ones(3))


def test_an_input_that_is_not_used_has_a_jacobian_of_zeros():
    _, b = jacobian(lambda x, y: x * 2, (tensor(X), tensor(V)))
    assert not b.any()


def test_hessian_of_a_quadratic_form():
    np.testing.assert_allclose(hessian(lambda x: x @ tensor(A) @ x, tensor(X)).numpy(), S)


def test_hessian_of_rosenbrock():
    """f = (1 − x)² + 100 (y − x²)²; at (1, 1) its second derivatives are 802, −400, 200."""

    def f(p):
        return (1 - p[0]) ** 2 + 100 * (p[1] - p[0] ** 2) ** 2

    got = hessian(f, torch.ones(2, dtype=torch.float64))
    assert got.tolist() == [[802.0, -400.0], [-400.0, 200.0]]


def test_hessian_of_several_inputs_is_a_block_matrix():
    (aa, ab), (ba, bb) = hessian(lambda x, y: (x * x * y).sum(), (tensor(X), tensor(V)))
    np.testing.assert_allclose(aa.numpy(), 2 * np.diag(V))
    np.testing.assert_allclose(ab.numpy(), 2 * np.diag(X))
    np.testing.assert_allclose(ba.numpy(), 2 * np.diag(X))
    assert not bb.any()


@pytest.mark.parametrize("v", [V, np.eye(3)[1]])
def test_products(v):
    def f(x):
        return (tensor(A) @ x).sin()

    j = np.cos(A @ X)[:, None] * A
    y, left = vjp(f, tensor(X), tensor(v))
    np.testing.assert_allclose(y.numpy(), np.sin(A @ X))
    np.testing.assert_allclose(left.numpy(), v @ j)
    np.testing.assert_allclose(jvp(f, tensor(X), tensor(v))[1].numpy(), j @ v)
    for product in (hvp, vhp):
        value, h = product(lambda x: x @ tensor(A) @ x, tensor(X), tensor(v))
        np.testing.assert_allclose(value.item(), X @ A @ X)
        np.testing.assert_allclose(h.numpy(), S @ v)


def test_results_can_be_differentiated_when_asked():
    x = torch.tensor(2.0, dtype=torch.float64, requires_grad=True)
    j = jacobian(lambda v: v**3, x, create_graph=True)
    (g,) = torch.autograd.grad(j, x)
    assert g.item() == 12.0
    assert not jacobian(lambda v: v**3, x).requires_grad


def test_a_hessian_needs_a_scalar():
    with pytest.raises(RuntimeError, match="single element"):
        hessian(lambda x: x * 2, tensor(X))
