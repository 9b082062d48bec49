"""What a factorisation promises: its factors give the matrix back, in batches, in every type."""

import math

import numpy as np
import pytest

import chainrule as torch
from chainrule import linalg
from chainrule.ops.linalg import algorithms

TYPES = [torch.float32, torch.float64, torch.complex64, torch.complex128]
SHAPES = [(1, 1), (5, 5), (40, 40), (2, 3, 4, 4), (3, 0, 0), (0, 3, 3)]


def draw(shape, dtype=torch.float64, seed=0):
    rng = np.random.default_rng(seed)
    a = rng.standard_normal(shape)
    if dtype.is_complex:
        a = a + 1j * rng.standard_normal(shape)
    return torch.tensor(a.astype(dtype.np))


def near(a, b, dtype):
    eps = torch.finfo(dtype).eps
    a, b = a.numpy(), b.numpy()
    np.testing.assert_allclose(
        a, b, rtol=200 * eps, atol=200 * eps * max(1.0, np.abs(b).max(initial=0))
    )


def positive(shape, dtype):
    a = draw(shape, dtype)
    return a @ a.mH + torch.eye(shape[-1], dtype=dtype)


@pytest.mark.parametrize("dtype", TYPES, ids=str)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_cholesky(shape, dtype) -> None:
    a = positive(shape, dtype)
    lower, upper = linalg.cholesky(a), linalg.cholesky(a, upper=True)
    near(lower @ lower.mH, a, dtype)
    near(upper.mH @ upper, a, dtype)
    assert torch.equal(lower, lower.tril()) and torch.equal(upper, upper.triu())


@pytest.mark.parametrize("dtype", TYPES, ids=str)
@pytest.mark.parametrize("shape", [*SHAPES, (3, 7), (70, 40), (2, 6, 2)], ids=str)
def test_lu_qr_and_svd(shape, dtype) -> None:
    a = draw(shape, dtype)
    p, lower, upper = linalg.lu(a)
    near(p @ lower @ upper, a, dtype)
    assert float(lower.abs().max() if lower.numel() else 0) <= 1.4143  # partial pivoting
    q, r = linalg.qr(a)
    near(q @ r, a, dtype)
    near(
        q.mH @ q, torch.eye(q.shape[-1], dtype=dtype).expand(q.mH.shape[:-1] + q.shape[-1:]), dtype
    )
    q, r = linalg.qr(a, "complete")
    assert q.shape[-1] == shape[-2]
    near(q @ r, a, dtype)
    u, s, vh = linalg.svd(a, full_matrices=False)
    near(u @ (s.unsqueeze(-1) * vh), a, dtype)
    near(linalg.svdvals(a), s, dtype)


@pytest.mark.parametrize("dtype", TYPES, ids=str)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_eigenvalues(shape, dtype) -> None:
    a = positive(shape, dtype)
    w, v = linalg.eigh(a)
    near(v @ (w.unsqueeze(-1) * v.mH), a, dtype)
    near(linalg.eigvalsh(a), w, dtype)
    a = draw(shape, dtype)
    w, v = linalg.eig(a)
    near(a.to(v.dtype) @ v, v * w.unsqueeze(-2), dtype)


@pytest.mark.parametrize("hermitian", [False, True])
@pytest.mark.parametrize("dtype", TYPES, ids=str)
def test_ldl_of_indefinite_matrices_solves(dtype, hermitian) -> None:
    a = draw((4, 6, 6), dtype)
    a = a + (a.mH if hermitian else a.mT)
    a.diagonal(0, -2, -1)[1:] = 0  # so that blocks of two are needed
    b = draw((4, 6, 2), dtype, 1)
    packed, pivots = linalg.ldl_factor(a, hermitian=hermitian)
    assert (pivots < 0).any()
    near(a @ linalg.ldl_solve(packed, pivots, b, hermitian=hermitian), b, dtype)


@pytest.mark.parametrize("dtype", TYPES, ids=str)
@pytest.mark.parametrize("left", [True, False])
def test_systems(dtype, left) -> None:
    a, b = draw((2, 5, 5), dtype), draw((2, 5, 5), dtype, 1)
    eye = torch.eye(5, dtype=dtype).expand(2, 5, 5)

    def times(m, x):
        return m @ x if left else x @ m

    near(times(a, linalg.solve(a, b, left=left)), b, dtype)
    near(a @ linalg.inv(a), eye, dtype)
    packed, pivots = linalg.lu_factor(a)
    near(times(a, linalg.lu_solve(packed, pivots, b, left=left)), b, dtype)
    near(times(a.mH, linalg.lu_solve(packed, pivots, b, left=left, adjoint=True)), b, dtype)
    for upper in (True, False):
        t = (a.triu() if upper else a.tril()) + 3 * eye
        near(times(t, linalg.solve_triangular(t, b, upper=upper, left=left)), b, dtype)
        garbage = t + (a.tril(-1) if upper else a.triu(1)) * 9
        found = linalg.solve_triangular(garbage, b, upper=upper, left=left)
        near(times(t, found), b, dtype)


def test_large_triangular_systems_go_by_halves() -> None:
    a = np.tril(np.random.default_rng(0).standard_normal((300, 300))) + 30 * np.eye(300)
    b = np.ones((300, 2))
    x = algorithms.solve_triangular(a, b, upper=False, unit=False)
    np.testing.assert_allclose(a @ x, b, rtol=1e-10)


@pytest.mark.parametrize("dtype", TYPES, ids=str)
def test_reflectors_make_the_orthogonal_factor(dtype) -> None:
    a = draw((2, 6, 4), dtype)
    packed, tau = torch.geqrf(a)
    q = linalg.householder_product(packed, tau)
    near(q @ packed[..., :4, :].triu(), a, dtype)
    c = draw((2, 6, 3), dtype, 2)
    near(torch.ormqr(packed, tau, torch.ormqr(packed, tau, c), transpose=True), c, dtype)
    whole = torch.ormqr(packed, tau, torch.eye(6, dtype=dtype).expand(2, 6, 6).contiguous())
    near(torch.ormqr(packed, tau, c.mH.contiguous(), left=False), c.mH @ whole, dtype)


def test_exponentials_and_powers() -> None:
    a = draw((3, 4, 4)) * 0.7
    w, v = linalg.eig(a)
    want = (v @ (w.exp().unsqueeze(-1) * linalg.inv(v))).real
    near(linalg.matrix_exp(a), want, torch.float64)
    large = linalg.matrix_exp(torch.tensor([[0.0, 30.0], [-30.0, 0.0]], dtype=torch.float64))
    assert math.isclose(large[0, 0].item(), math.cos(30), abs_tol=1e-12)
    near(linalg.matrix_power(a, 5), a @ a @ a @ a @ a, torch.float64)
    near(
        linalg.matrix_power(a, -2) @ a @ a,
        torch.eye(4, dtype=torch.float64).expand(3, 4, 4),
        a.dtype,
    )


def test_least_squares_and_the_pseudo_inverse() -> None:
    a, b = draw((6, 3)), draw((6, 2), seed=1)
    want, residual, rank, values = np.linalg.lstsq(a.numpy(), b.numpy())
    found = linalg.lstsq(a, b, driver="gelsd")
    np.testing.assert_allclose(found.solution.numpy(), want, rtol=1e-9)
    np.testing.assert_allclose(found.residuals.numpy(), residual, rtol=1e-9)
    np.testing.assert_allclose(found.singular_values.numpy(), values, rtol=1e-9)
    assert found.rank.item() == rank == 3
    low = draw((5, 2)) @ draw((2, 4), seed=3)
    assert linalg.matrix_rank(low).item() == 2
    near(low @ linalg.pinv(low) @ low, low, torch.float64)
    near(linalg.pinv(low), torch.tensor(np.linalg.pinv(low.numpy())), torch.float64)


def test_determinants() -> None:
    a = draw((4, 3, 3))
    np.testing.assert_allclose(linalg.det(a).numpy(), np.linalg.det(a.numpy()))
    sign, log = linalg.slogdet(a)
    np.testing.assert_allclose((sign * log.exp()).numpy(), np.linalg.det(a.numpy()))
    assert torch.logdet(-torch.eye(3)).isnan() and torch.logdet(torch.zeros(2, 2)) == -math.inf


def test_norms_and_condition_numbers_agree_with_numpy() -> None:
    a = draw((4, 3))
    for order in ("fro", "nuc", 1, -1, 2, -2, math.inf, -math.inf):
        want = np.linalg.norm(a.numpy(), order)
        assert math.isclose(linalg.matrix_norm(a, order).item(), want, rel_tol=1e-12)
    b = a[:3]
    for order in (None, "fro", "nuc", 1, -1, 2, -2, math.inf, -math.inf):
        want = np.linalg.cond(b.numpy(), order)
        assert math.isclose(linalg.cond(b, order).item(), want, rel_tol=1e-9)


def test_tensors_as_matrices_and_chains() -> None:
    a = draw((2, 3, 6))
    back = linalg.tensorinv(a, ind=2)
    np.testing.assert_allclose(back.numpy(), np.linalg.tensorinv(a.numpy(), 2))
    b = draw((2, 3), seed=4)
    np.testing.assert_allclose(
        linalg.tensorsolve(a, b).numpy(), np.linalg.tensorsolve(a.numpy(), b.numpy())
    )
    chain = [draw(s, seed=i) for i, s in enumerate([(3,), (3, 9), (9, 2), (2, 5), (5,)])]
    np.testing.assert_allclose(
        linalg.multi_dot(chain).item(), np.linalg.multi_dot([c.numpy() for c in chain])
    )
    np.testing.assert_allclose(
        linalg.vander(torch.tensor([1, 2, 3])).numpy(), np.vander([1, 2, 3], increasing=True)
    )
