"""Derivatives of what depends on signs, phases or triangles that nobody fixes, and in training."""

import numpy as np
import pytest

import chainrule as torch
from chainrule import linalg

RNG = np.random.default_rng(0)


def slope(f, x, d, h=1e-6):
    with torch.no_grad():
        return (f(x + h * d) - f(x - h * d)).item() / (2 * h)


def check(f, shape, symmetric=False):
    x = torch.tensor(RNG.standard_normal(shape) + 2 * np.eye(*shape[-2:]))
    d = torch.tensor(RNG.standard_normal(shape))
    if symmetric:
        x, d = x + x.mT, d + d.mT
    x.requires_grad_()
    (g,) = torch.autograd.grad(f(x), x, create_graph=True)
    assert (g * d).sum().item() == pytest.approx(slope(f, x, d), rel=1e-6, abs=1e-7)
    if g.requires_grad:
        second = torch.autograd.grad((g * d).sum(), x)[0]

        def first(y):
            y = y.detach().requires_grad_()
            with torch.enable_grad():
                return (torch.autograd.grad(f(y), y)[0] * d).sum()

        assert (second * d).sum().item() == pytest.approx(slope(first, x, d), rel=1e-5, abs=1e-6)


W = torch.tensor(RNG.standard_normal((4, 4)))


@pytest.mark.parametrize(
    "f",
    [
        lambda a: (linalg.eigh(a).eigenvectors.abs() * W).sum(),
        lambda a: (linalg.eigvalsh(a) * W[0]).sum(),
        lambda a: (linalg.cholesky(a @ a + torch.eye(4, dtype=a.dtype)) * W).sum(),
        lambda a: (linalg.pinv(a, hermitian=True) * W).sum(),
    ],
)
def test_of_symmetric_matrices(f) -> None:
    check(f, (4, 4), symmetric=True)


@pytest.mark.parametrize(
    "f",
    [
        lambda a: (linalg.eigvals(a).abs() ** 2).sum(),
        lambda a: (linalg.eig(a).eigenvectors.abs() * W).sum(),
        lambda a: (linalg.solve(a, W) * W).sum(),
        lambda a: (linalg.lu_solve(*linalg.lu_factor(a), W) * W).sum(),
        lambda a: torch.logdet(a @ a.mT),
        lambda a: (torch.cholesky_inverse(linalg.cholesky(a @ a.mT)) * W).sum(),
        lambda a: linalg.matrix_norm(a, 2) + linalg.matrix_norm(a, "nuc"),
        lambda a: linalg.cond(a, 1),
    ],
)
def test_of_square_matrices(f) -> None:
    check(f, (4, 4))


def test_of_least_squares() -> None:
    b = torch.tensor(RNG.standard_normal((5, 2)))
    check(lambda a: (linalg.lstsq(a, b).solution ** 2).sum(), (5, 3))


def test_the_determinant_of_a_singular_matrix() -> None:
    a = torch.tensor([[1.0, 2.0], [2.0, 4.0]], dtype=torch.float64, requires_grad=True)
    linalg.det(a).backward()
    np.testing.assert_allclose(a.grad.numpy(), [[4, -2], [-2, 1]], atol=1e-12)


def test_one_triangle_is_read_and_the_gradient_is_symmetric() -> None:
    a = torch.tensor([[4.0, 99.0], [2.0, 5.0]], requires_grad=True)
    lower = linalg.cholesky(a)
    lower.sum().backward()
    np.testing.assert_allclose(lower.detach().numpy(), [[2, 0], [1, 2]])
    np.testing.assert_allclose(a.grad.numpy(), a.grad.numpy().T)


def test_a_gradient_reads_parts_that_nobody_looked_at() -> None:
    a = torch.tensor(RNG.standard_normal((3, 3)), requires_grad=True)
    packed, _, info = linalg.lu_factor_ex(a)
    assert info.item() == 0  # everything so far is computed here
    (packed * packed).sum().backward()
    assert a.grad.isfinite().all()


def test_a_norm_of_zeros_has_the_gradient_zero() -> None:
    for p in (0.5, 1, 1.5, 2, 3, -1):
        x = torch.zeros(3, requires_grad=True)
        linalg.vector_norm(x, p).backward()
        assert x.grad.tolist() == [0, 0, 0], p


def test_training_through_a_factorisation() -> None:
    """A whitening that is learned: solve and Cholesky inside of compiled steps."""
    torch.manual_seed(0)
    x = torch.randn(64, 3) @ torch.tensor([[2.0, 0.0, 0.0], [1.0, 1.0, 0.0], [0.0, 1.0, 0.5]])
    w = torch.nn.Parameter(torch.eye(3))
    step = torch.optim.Adam([w], lr=0.05)
    losses = []
    for _ in range(40):
        step.zero_grad()
        lower = linalg.cholesky(w @ w.mT + 0.1 * torch.eye(3))
        y = linalg.solve_triangular(lower, x.mT, upper=False).mT
        loss = ((y.mT @ y / 64 - torch.eye(3)) ** 2).sum()
        loss.backward()
        step.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0] / 10
