"""torch.linalg and torch.special beside PyTorch: values on grids, and what is said of a matrix that
is refused.
"""

import numpy as np
import pytest
import torch

import chainrule as ours

GRID = np.concatenate([np.linspace(-15, 15, 301), [0.0, 1e-12, 50.0, -50.0]])
UNARY = [
    "i0", "i1", "i0e", "i1e", "modified_bessel_i0", "modified_bessel_i1", "modified_bessel_k0",
    "modified_bessel_k1", "scaled_modified_bessel_k0", "scaled_modified_bessel_k1", "erfcx",
    "log_ndtr", "ndtr", "ndtri", "entr", "spherical_bessel_j0", "erfc", "expit", "sinc", "psi",
]  # fmt: skip
POLYNOMIALS = [n for n in dir(torch.special) if "polynomial" in n]


@pytest.mark.parametrize("name", UNARY)
def test_special_functions_of_one_argument(name) -> None:
    want = getattr(torch.special, name)(torch.tensor(GRID)).numpy()
    got = getattr(ours.special, name)(ours.tensor(GRID)).numpy()
    np.testing.assert_allclose(got, want, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("name", POLYNOMIALS)
def test_orthogonal_polynomials(name) -> None:
    x, n = np.meshgrid(np.linspace(-1.5, 1.5, 31), np.arange(-1, 9))
    want = getattr(torch.special, name)(torch.tensor(x), torch.tensor(n)).numpy()
    got = getattr(ours.special, name)(ours.tensor(x), ours.tensor(n)).numpy()
    np.testing.assert_allclose(got, want, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", ["gammainc", "gammaincc", "zeta", "xlog1py"])
def test_special_functions_of_two_arguments(name) -> None:
    a, x = np.meshgrid(np.linspace(0.0, 12, 25), np.linspace(0.0, 15, 31))
    want = getattr(torch.special, name)(torch.tensor(a), torch.tensor(x)).numpy()
    got = getattr(ours.special, name)(ours.tensor(a), ours.tensor(x)).numpy()
    np.testing.assert_allclose(got, want, rtol=1e-8, atol=1e-10)


def says(t, call) -> str:
    with pytest.raises(RuntimeError) as e:
        call(t)
    return str(e.value).splitlines()[0]


@pytest.mark.parametrize(
    "call",
    [
        lambda t: t.linalg.cholesky(t.zeros(2, 2)),
        lambda t: t.linalg.cholesky(t.stack([t.eye(2), t.zeros(2, 2)])),
        lambda t: t.linalg.inv(t.zeros(3, 3)),
        lambda t: t.linalg.inv(t.ones(2, 3)),
        lambda t: t.linalg.inv(t.ones(2)),
        lambda t: t.linalg.inv(t.ones(2, 2, dtype=t.int64)),
        lambda t: t.linalg.inv(t.ones(2, 2, dtype=t.float16)),
        lambda t: t.linalg.solve(t.zeros(2, 2), t.eye(2)),
        lambda t: t.linalg.solve(t.eye(2), t.ones(3, 1)),
        lambda t: t.linalg.solve(t.eye(2), t.ones(2, 1, dtype=t.float64)),
        lambda t: t.linalg.solve_triangular(t.eye(2), t.ones(3, 1), upper=True),
        lambda t: t.linalg.lu_factor(t.zeros(2, 2)),
        lambda t: t.linalg.lu_factor(t.eye(2), pivot=False),
        lambda t: t.linalg.qr(t.eye(2), "x"),
        lambda t: t.linalg.eigh(t.eye(2), "x"),
        lambda t: t.linalg.svd(t.full((2, 2), float("nan"))).S.numpy(),
        lambda t: t.linalg.matrix_norm(t.eye(2), "x"),
        lambda t: t.linalg.matrix_power(t.ones(2, 3), 2),
        lambda t: t.linalg.multi_dot([t.eye(2)]),
        lambda t: t.linalg.multi_dot([t.eye(2), t.ones(3, 2)]),
        lambda t: t.linalg.tensorinv(t.ones(2, 3), ind=1),
        lambda t: t.linalg.tensorsolve(t.ones(2, 3), t.ones(2)),
        lambda t: t.linalg.cond(t.eye(2), 3),
        lambda t: t.linalg.vector_norm(t.ones(0), float("inf")),
        lambda t: t.linalg.lstsq(t.eye(2), t.eye(2), driver="x"),
        lambda t: t.linalg.cross(t.ones(5, 2), t.ones(5, 2)),
        lambda t: t.cholesky_inverse(t.zeros(2, 2)),
    ],
)
def test_what_is_said_of_matrices_that_are_refused(call) -> None:
    assert says(ours, call) == says(torch, call)


def test_ldl_solve_reads_what_lapack_packs() -> None:
    rng = np.random.default_rng(0)
    a = rng.standard_normal((3, 6, 6))
    a = a + a.swapaxes(-1, -2)
    a[:, range(3), range(3)] = 0
    b = rng.standard_normal((3, 6, 2))
    packed, pivots = torch.linalg.ldl_factor(torch.tensor(a))
    mine, exchanged = ours.linalg.ldl_factor(ours.tensor(a))
    np.testing.assert_array_equal(exchanged.numpy(), pivots.numpy())
    np.testing.assert_allclose(mine.numpy(), np.tril(packed.numpy()), atol=1e-12)
    x = ours.linalg.ldl_solve(
        ours.tensor(packed.numpy()), ours.tensor(pivots.numpy()), ours.tensor(b)
    )
    np.testing.assert_allclose(a @ x.numpy(), b, atol=1e-10)
