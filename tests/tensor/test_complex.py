"""Complex numbers are numbers like others: made, promoted, printed, written to, differentiated."""

import io

import numpy as np
import pytest

import chainrule as torch
from chainrule import ops
from chainrule.autograd import gradcheck, gradgradcheck
from chainrule.backends.llvm import execute
from chainrule.compiler import CLAIMED, NATIVE


def draw(*shape: int, grad: bool = True) -> torch.Tensor:
    return torch.randn(shape, dtype=torch.complex128, requires_grad=grad)


def test_python_and_numpy_numbers_become_complex_tensors() -> None:
    assert torch.tensor([1 + 2j]).dtype is torch.complex64
    assert torch.from_numpy(np.zeros(2, np.complex128)).dtype is torch.cdouble
    assert torch.zeros(2, dtype=torch.cfloat).numpy().dtype == np.complex64
    assert torch.full((2,), 1j).tolist() == [1j, 1j]
    assert torch.tensor(2 - 1j).item() == 2 - 1j and complex(torch.tensor(1j)) == 1j


@pytest.mark.parametrize(
    ("left", "right", "want"),
    [
        (torch.float32, torch.complex64, torch.complex64),
        (torch.float64, torch.complex64, torch.complex128),
        (torch.int64, torch.complex64, torch.complex64),
        (torch.complex64, torch.complex128, torch.complex128),
    ],
)
def test_the_precision_is_that_of_the_wider_parts(left, right, want) -> None:
    assert (torch.ones(2, dtype=left) + torch.ones(2, dtype=right)).dtype is want


def test_a_complex_number_makes_real_tensors_complex_and_keeps_their_precision() -> None:
    for dtype, want in (
        (torch.float64, torch.complex128), (torch.float32, torch.complex64),
        (torch.int32, torch.complex64),
    ):  # fmt: skip
        assert (torch.ones(2, dtype=dtype) * 2j).dtype is want
    narrow = torch.ones(2) + torch.tensor(1j, dtype=torch.complex128)  # no dimensions: weaker
    assert narrow.dtype is torch.complex64


def test_parts_are_views() -> None:
    z = torch.tensor([1 + 2j, 3 - 4j])
    torch.view_as_real(z)[0, 1] = 7.0
    z.imag[1] = 0.0
    z.real = torch.tensor([5.0, 6.0])
    assert z.tolist() == [5 + 7j, 6 + 0j]
    pairs = torch.zeros(2, 2)
    torch.view_as_complex(pairs)[1] = 3 + 4j
    assert pairs.tolist() == [[0.0, 0.0], [3.0, 4.0]]


def test_what_is_written_through_a_part_has_a_gradient() -> None:
    z, x = draw(3), torch.randn(3, dtype=torch.float64, requires_grad=True)

    def f(z, x):
        w = z * 2
        w.real.mul_(x)
        return w * w

    assert gradcheck(f, (z, x))


def test_they_print_as_in_pytorch() -> None:
    assert str(torch.tensor([1 + 2j, -3.5 - 4j])) == "tensor([ 1.0000+2.j, -3.5000-4.j])"
    assert str(torch.tensor(1 - 0.5j)) == "tensor(1.-0.5000j)"
    wide = torch.tensor([1j], dtype=torch.complex128, requires_grad=True)
    assert str(wide) == "tensor([0.+1.j], dtype=torch.complex128, requires_grad=True)"


def test_the_gradient_of_a_real_loss_is_the_direction_of_steepest_ascent() -> None:
    z = torch.tensor([1 + 2j, 3 - 4j], requires_grad=True)
    (z * z.conj()).real.sum().backward()
    assert z.grad.tolist() == [2 + 4j, 6 - 8j]
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    (x * torch.tensor([1j, 2.0])).abs().sum().backward()
    assert x.grad.tolist() == [1.0, 2.0]  # real, as x is


FUNCTIONS = {
    "product": lambda z, w, x: (z * w).exp() * x,
    "quotient": lambda z, w, x: (z / w).conj() - x / z,
    "power": lambda z, w, x: (z**w) * (x.abs() + 1) ** w,
    "size": lambda z, w, x: z.abs() * x + w.angle(),
    "direction": lambda z, w, x: z.sgn() * w * x,
    "parts": lambda z, w, x: (z * w).real * x + (z * w).imag,
    "made": lambda z, w, x: torch.complex(x, 2 * x) * z + torch.polar(x.abs() + 1, x) * w,
    "matrices": lambda z, w, x: (z[:, None] * w[None]) @ z + torch.einsum("i,j->ij", w, z).sum(0),
    "moments": lambda z, w, x: (z * w).var() + z.std() * w.norm() + (z * x).prod(),
    "moved": lambda z, w, x: torch.cat([z[1:], w.flip(0)]).roll(1)[[0, 3, 3]] * x[:3],
    "sums": lambda z, w, x: z.cumsum(0) * w.cumprod(0) + torch.where(x > 0, z, w),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_gradients_agree_with_differences_to_second_order(name: str) -> None:
    torch.manual_seed(1)
    args = draw(4), draw(4), torch.randn(4, dtype=torch.float64, requires_grad=True)
    assert gradcheck(FUNCTIONS[name], args) and gradgradcheck(FUNCTIONS[name], args)


@pytest.mark.parametrize(
    "f",
    [
        lambda z: z < z, lambda z: z.max(), lambda z: z.floor(), lambda z: torch.maximum(z, z),
        lambda z: z.sort(), lambda z: z.clamp(0, 1), lambda z: z.sign(), lambda z: z % z,
        lambda z: z.argmax(),
    ],
)  # fmt: skip
def test_what_needs_an_order_refuses(f) -> None:
    with pytest.raises(RuntimeError, match="complex"):
        f(torch.tensor([1j, 2.0]))


def test_a_complex_result_does_not_fit_into_a_real_tensor() -> None:
    with pytest.raises(RuntimeError, match="can't be cast"):
        torch.ones(2).mul_(1j)
    with pytest.raises(RuntimeError, match="real scalar outputs"):
        draw(2).sum().backward()


def test_checkpoints_hold_them() -> None:
    for dtype in (torch.complex64, torch.complex128):
        z, file = torch.randn(2, 3, dtype=dtype), io.BytesIO()
        torch.save({"z": z}, file)
        file.seek(0)
        got = torch.load(file)["z"]
        assert got.dtype is dtype and torch.equal(got, z)


def test_an_optimiser_moves_both_parts() -> None:
    w = torch.nn.Parameter(torch.tensor([1 + 1j, 2.0]))
    adam = torch.optim.Adam([w], lr=0.1)
    (w.abs() ** 2).sum().backward()
    adam.step()
    np.testing.assert_allclose(w.detach().numpy(), [0.9 + 0.9j, 1.9], rtol=1e-6)


def test_the_real_part_of_a_mixed_program_is_compiled() -> None:
    x = ops.input(index=0, shape=(64, 128), dtype=torch.float32)
    w = ops.input(index=1, shape=(128, 128), dtype=torch.float32)
    z = ops.fourier_to_complex(ops.matmul(ops.tanh(x), w), axis=(1,), scale=0)
    nodes = [ops.exp(ops.abs(z * 2j)) * 0.5]
    for stage in CLAIMED + NATIVE:
        nodes = stage.run(nodes)
    made = execute.build(nodes)
    assert set(made.report.host) == {"fourier_to_complex", "mul", "abs"}
    rng = np.random.default_rng(0)
    a, b = (rng.standard_normal(s).astype(np.float32) * 0.01 for s in ((64, 128), (128, 128)))
    want = np.exp(np.abs(np.fft.rfft(np.tanh(a) @ b) * 2j)) * 0.5
    np.testing.assert_allclose(made([a, b])[0], want, rtol=1e-4)
