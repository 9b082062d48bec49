"""Special functions at points whose values stand in tables, and by equations that they obey."""

import math

import numpy as np
import pytest

import chainrule as torch
from chainrule import special

TABLE = [
    ("i0", 1.0, 1.2660658777520084),
    ("i0e", 30.0, 0.0731459464822373),
    ("i1", 2.5, 2.5167162452886984),
    ("i1e", -40.0, -0.0624822290744421),
    ("bessel_j0", 1.0, 0.7651976865579666),
    ("bessel_j0", 50.0, 0.055812327669251745),
    ("bessel_j1", -3.0, -0.3390589585259365),
    ("bessel_y0", 1.0, 0.08825696421567697),
    ("bessel_y0", 30.0, -0.11729573168666411),
    ("bessel_y1", 2.0, -0.10703243154093755),
    ("modified_bessel_k0", 0.1, 2.4270690247020164),
    ("modified_bessel_k1", 2.0, 0.13986588181652243),
    ("scaled_modified_bessel_k0", 100.0, 0.12517562165912658),
    ("airy_ai", 0.0, 0.3550280538878172),
    ("airy_ai", 3.0, 0.006591139357460719),
    ("airy_ai", -10.0, 0.04024123848644319),
    ("erfcx", 10.0, 0.05614099274382259),
    ("ndtr", -8.0, 6.220960574271786e-16),
    ("log_ndtr", -40.0, -804.608442013754),
    ("ndtri", 1e-10, -6.361340902404056),
    ("spherical_bessel_j0", 2.0, 0.45464871341284085),
    ("entr", 0.5, 0.34657359027997264),
]


@pytest.mark.parametrize(("name", "x", "want"), TABLE)
def test_tables(name, x, want) -> None:
    f = getattr(special, name)
    assert f(torch.tensor(x, dtype=torch.float64)).item() == pytest.approx(want, rel=1e-10)
    assert f(torch.tensor(x)).item() == pytest.approx(want, rel=1e-6)


def test_the_wronskians() -> None:
    x = torch.linspace(0.05, 60, 700, dtype=torch.float64)
    j = special.bessel_j1(x) * special.bessel_y0(x) - special.bessel_j0(x) * special.bessel_y1(x)
    np.testing.assert_allclose((j * x).numpy(), 2 / math.pi, rtol=1e-9)
    i = special.i0e(x) * special.scaled_modified_bessel_k1(x)
    i = i + special.i1e(x) * special.scaled_modified_bessel_k0(x)
    np.testing.assert_allclose((i * x).numpy(), 1, rtol=1e-13)


def test_inverses() -> None:
    p = torch.tensor([1e-300, 1e-12, 0.1, 0.5, 0.9, 1 - 1e-12], dtype=torch.float64)
    np.testing.assert_allclose(special.ndtr(special.ndtri(p)).numpy(), p.numpy(), rtol=1e-11)


def test_incomplete_gamma_functions_share_the_whole() -> None:
    a = torch.tensor([0.1, 1.0, 7.5, 80.0], dtype=torch.float64).reshape(-1, 1)
    x = torch.tensor([0.0, 0.01, 1.0, 8.0, 75.0, 300.0], dtype=torch.float64)
    total = special.gammainc(a, x) + special.gammaincc(a, x)
    np.testing.assert_allclose(total.numpy(), 1, rtol=1e-14)
    np.testing.assert_allclose(torch.igamma(a, x)[1].numpy(), -np.expm1(-x.numpy()), rtol=1e-13)


def test_zeta_and_polygamma() -> None:
    one = torch.ones((), dtype=torch.float64)
    assert special.zeta(2 * one, one).item() == pytest.approx(math.pi**2 / 6, rel=1e-14)
    assert special.zeta(4 * one, one).item() == pytest.approx(math.pi**4 / 90, rel=1e-14)
    x = torch.tensor([0.3, -0.5, -20.3, 7.0], dtype=torch.float64)
    for n in (1, 2, 3):  # ψ⁽ⁿ⁾(x + 1) = ψ⁽ⁿ⁾(x) + (−1)ⁿ n! / xⁿ⁺¹
        step = (-1) ** n * math.factorial(n) / x ** (n + 1)
        left, right = torch.polygamma(n, x + 1), torch.polygamma(n, x) + step
        np.testing.assert_allclose(left.numpy(), right.numpy(), rtol=1e-11)


def test_orthogonal_polynomials() -> None:
    x = torch.tensor([-0.9, 0.2, 0.7], dtype=torch.float64)
    t = np.arccos(x.numpy())
    for n in (0, 1, 2, 5, 12):
        np.testing.assert_allclose(
            special.chebyshev_polynomial_t(x, n).numpy(), np.cos(n * t), atol=1e-13
        )
        np.testing.assert_allclose(
            special.chebyshev_polynomial_u(x, n).numpy(),
            np.sin((n + 1) * t) / np.sin(t),
            rtol=1e-11,
        )
    np.testing.assert_allclose(
        special.shifted_chebyshev_polynomial_t(x, 3).numpy(),
        special.chebyshev_polynomial_t(2 * x - 1, 3).numpy(),
    )
    np.testing.assert_allclose(special.hermite_polynomial_h(x, 3), 8 * x**3 - 12 * x)
    np.testing.assert_allclose(special.hermite_polynomial_he(x, 3), x**3 - 3 * x)
    np.testing.assert_allclose(special.laguerre_polynomial_l(x, 2), (x**2 - 4 * x + 2) / 2)
    np.testing.assert_allclose(special.legendre_polynomial_p(x, 3), (5 * x**3 - 3 * x) / 2)
    assert special.legendre_polynomial_p(0.5, torch.tensor([0, 1])).tolist() == [1.0, 0.5]


def test_edges() -> None:
    inf, nan = math.inf, math.nan
    assert special.entr(torch.tensor([-1.0, 0.0, nan])).tolist()[:2] == [-inf, 0.0]
    assert special.xlog1py(torch.tensor([0.0, 0.0]), torch.tensor([-1.0, inf])).tolist() == [0, 0]
    assert special.modified_bessel_k0(torch.tensor([0.0, inf])).tolist() == [inf, 0.0]
    assert special.bessel_y1(torch.tensor(0.0)).item() == -inf
    assert special.i1(torch.tensor(1e-20)).item() == pytest.approx(5e-21)
    assert special.ndtri(torch.tensor([0.0, 1.0])).tolist() == [-inf, inf]
    assert special.gammainc(torch.tensor(0.0), torch.tensor(1.0)) == 1


def test_integers_are_taken_as_floats_and_out_is_written() -> None:
    out = torch.empty(2)
    assert special.i0(torch.tensor([0, 1]), out=out) is out
    assert out.tolist() == pytest.approx([1.0, 1.2660658])
    x = torch.tensor([0.5, 1.0])
    assert torch.equal(x.clone().i0_(), torch.i0(x))
