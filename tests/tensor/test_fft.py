"""Fourier transforms are NumPy's, invert each other, and have transforms as gradients."""

import numpy as np
import pytest

import chainrule as torch
from chainrule.autograd import gradcheck, gradgradcheck

NORMS = [None, "backward", "ortho", "forward"]


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("name", ["fft", "ifft", "rfft", "irfft", "hfft", "ihfft"])
@pytest.mark.parametrize("n", [None, 4, 7])
def test_one_axis(name: str, norm: str | None, n: int | None) -> None:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((3, 6, 2))
    if name in ("fft", "ifft", "irfft", "hfft"):
        x = x + 1j * rng.standard_normal(x.shape)
    got = getattr(torch.fft, name)(torch.from_numpy(x), n, 1, norm)
    np.testing.assert_allclose(got, getattr(np.fft, name)(x, n, 1, norm), atol=1e-12)


@pytest.mark.parametrize("name", ["fft", "ifft", "rfft", "irfft"])
def test_several_axes(name: str) -> None:
    x = np.random.default_rng(0).standard_normal((4, 3, 6))
    for s, dim in ((None, (0, 2)), ((4, 5), (2, 1)), ((3, 8), None)):
        axes = dim if dim is not None else (1, 2)
        got = getattr(torch.fft, name + "n")(torch.from_numpy(x), s, dim)
        np.testing.assert_allclose(got, getattr(np.fft, name + "n")(x, s, axes), atol=1e-12)


@pytest.mark.parametrize("name", ["hfft", "hfft2", "hfftn"])
def test_symmetric_signals_are_the_inverse_of_their_inverses(name: str) -> None:
    x = torch.randn(4, 6, dtype=torch.float64)
    back = getattr(torch.fft, "i" + name)(x)
    np.testing.assert_allclose(getattr(torch.fft, name)(back), x, atol=1e-12)


def test_single_precision_stays_and_integers_become_floats() -> None:
    assert torch.fft.fft(torch.ones(4)).dtype is torch.complex64
    assert torch.fft.rfft(torch.arange(4)).dtype is torch.complex64
    assert torch.fft.irfft(torch.ones(3, dtype=torch.complex128)).dtype is torch.float64


@pytest.mark.parametrize(
    "f",
    [
        lambda x: torch.fft.fft(x, norm="ortho"), lambda x: torch.fft.rfft(x, n=7),
        lambda x: torch.fft.irfft(x * (1 + 0.5j), n=5), lambda x: torch.fft.irfft2(x * 1j),
        lambda x: torch.fft.hfft(x * 1j), lambda x: torch.fft.ihfftn(x),
        lambda x: torch.fft.rfftn(x, dim=(1, 0)), lambda x: torch.fft.ifft2(x, s=(2, 6)),
        lambda x: torch.fft.fftshift(torch.fft.fft(x).abs()),
    ],
)  # fmt: skip
def test_gradients_to_second_order(f) -> None:
    x = torch.randn(3, 4, dtype=torch.float64, requires_grad=True)
    assert gradcheck(f, x) and gradgradcheck(f, x)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x: torch.fft.fft(x, n=0), "Invalid number of data points"),
        (lambda x: torch.fft.fft(x, norm="no"), "Invalid normalization mode"),
        (lambda x: torch.fft.rfft(x + 0j), "real input"),
        (lambda x: torch.fft.fftn(x, dim=(0, 0)), "unique"),
        (lambda x: torch.fft.fftn(x, s=(2,), dim=(0, 1)), "same length"),
    ],
)
def test_what_cannot_be_is_said(call, message: str) -> None:
    with pytest.raises(RuntimeError, match=message):
        call(torch.ones(3, 4))


def test_frequencies() -> None:
    for n in (4, 5):
        np.testing.assert_allclose(torch.fft.fftfreq(n, 0.5), np.fft.fftfreq(n, 0.5))
        np.testing.assert_allclose(torch.fft.rfftfreq(n, 0.5), np.fft.rfftfreq(n, 0.5))
        x = torch.arange(n)
        assert torch.equal(torch.fft.ifftshift(torch.fft.fftshift(x)), x)


@pytest.mark.parametrize("center", [True, False])
@pytest.mark.parametrize("normalized", [True, False])
def test_a_signal_comes_back_from_its_short_transforms(center: bool, normalized: bool) -> None:
    x, w = torch.randn(2, 64, dtype=torch.float64), torch.hann_window(16, dtype=torch.float64)
    if not center:  # at the ends nothing may be lost
        w = w + 0.1
    options = {"hop_length": 4, "window": w, "center": center, "normalized": normalized}
    y = torch.stft(x, 16, return_complex=True, **options)
    assert y.shape == (2, 9, 17 if center else 13)
    np.testing.assert_allclose(torch.istft(y, 16, length=64, **options), x, atol=1e-12)


def test_windows_have_one_period() -> None:
    n = np.arange(8)
    np.testing.assert_allclose(
        torch.hann_window(8), 0.5 - 0.5 * np.cos(2 * np.pi * n / 8), atol=1e-7
    )
    for name in torch.signal.windows.__all__:
        kw = {"a": [0.6, 0.4]} if name == "general_cosine" else {}
        made = getattr(torch.signal.windows, name)
        w = made(9, dtype=torch.float64, **kw).numpy()
        np.testing.assert_allclose(w, w[::-1], atol=1e-12)
        assert made(0, **kw).shape == (0,) and made(1, **kw).tolist() == [1.0]
        assert w.max() == pytest.approx(1.0)
