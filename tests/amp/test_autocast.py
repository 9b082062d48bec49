"""Autocast chooses dtypes as PyTorch does on the CPU; a scaler skips steps that are not finite."""

import threading
import warnings

import pytest

import chainrule as torch
from chainrule import nn
from chainrule.nn import functional as F

SHORT, FULL = torch.bfloat16, torch.float32


def short(*shape: int) -> torch.Tensor:
    return torch.ones(*shape, dtype=SHORT)


CASES = {
    "linear": (lambda: nn.Linear(3, 2)(torch.ones(4, 3)), SHORT),
    "matmul": (lambda: torch.ones(2, 3) @ torch.ones(3, 2), SHORT),
    "method": (lambda: torch.ones(2, 3).mm(torch.ones(3, 2)), SHORT),
    "einsum": (lambda: torch.einsum("ij,jk->ik", torch.ones(2, 3), torch.ones(3, 2)), SHORT),
    "addmm": (lambda: torch.addmm(torch.ones(2), torch.ones(2, 3), torch.ones(3, 2)), SHORT),
    "conv": (lambda: nn.Conv2d(1, 2, 3)(torch.ones(1, 1, 5, 5)), SHORT),
    "conv of short": (lambda: nn.Conv2d(1, 2, 3)(short(1, 1, 5, 5)), SHORT),
    "attention": (lambda: F.scaled_dot_product_attention(*[torch.ones(1, 2, 3)] * 3), SHORT),
    "norm of short": (lambda: nn.BatchNorm2d(2)(short(2, 2, 3, 3)), SHORT),
    "softmax": (lambda: short(3).softmax(0), SHORT),
    "sum": (lambda: short(3).sum(), SHORT),
    "promoted": (lambda: torch.cat([short(3), torch.ones(3)]), FULL),
    "loss": (lambda: F.mse_loss(short(3), short(3)), FULL),
    "cross_entropy": (lambda: F.cross_entropy(short(2, 3), torch.tensor([0, 1])), FULL),
    "prod": (lambda: short(3).prod(), FULL),
    "double": (lambda: torch.ones(2, 2).double() @ torch.ones(2, 2).double(), torch.float64),
    "others": (lambda: torch.ones(3).exp(), FULL),
    "interpolate": (lambda: F.interpolate(torch.ones(1, 1, 2, 2), scale_factor=2, mode="bilinear"),
                    FULL),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_dtypes(name: str) -> None:
    call, want = CASES[name]
    with torch.autocast("cpu"):
        assert call().dtype is want
    assert not torch.is_autocast_enabled("cpu")


def test_blocks_nest_and_threads_are_apart() -> None:
    x = torch.ones(2, 2)
    seen = []
    with torch.autocast("cpu", dtype=torch.float16):
        assert (x @ x).dtype is torch.float16
        with torch.autocast("cpu", enabled=False):
            assert (x @ x).dtype is FULL
        assert torch.get_autocast_dtype("cpu") is torch.float16
        thread = threading.Thread(target=lambda: seen.append((x @ x).dtype))
        thread.start()
        thread.join()
    assert seen == [FULL]


def test_as_a_decorator() -> None:
    @torch.autocast("cpu")
    def f(x: torch.Tensor) -> torch.Tensor:
        return x @ x

    assert f(torch.ones(2, 2)).dtype is SHORT


def test_parameters_and_gradients_stay_float32() -> None:
    net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Flatten(), nn.Linear(18, 3))
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    x, y = torch.randn(8, 1, 5, 5), torch.randint(0, 3, (8,))
    losses = []
    for _ in range(10):
        optimizer.zero_grad()
        with torch.autocast("cpu"):
            loss = F.cross_entropy(net(x), y)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert all(p.grad.dtype is FULL for p in net.parameters()) and losses[-1] < losses[0]


def test_without_a_device_cuda_warns_and_does_nothing() -> None:
    with pytest.warns(UserWarning, match="CUDA is not available"):
        block = torch.autocast("cuda")
    with block:
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype is FULL
    with pytest.warns(UserWarning, match="GradScaler is enabled"):
        scaler = torch.amp.GradScaler()
    assert not scaler.is_enabled() and scaler.get_scale() == 1.0
    with pytest.raises(RuntimeError, match="device"):
        torch.autocast("toaster")


def test_disabled_for_cuda_is_silent() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with torch.amp.autocast("cuda", enabled=False):
            pass
        torch.amp.GradScaler("cuda", enabled=False)


def test_a_scaler_skips_bad_steps_and_shrinks() -> None:
    w = nn.Parameter(torch.ones(1))
    sgd, scaler = torch.optim.SGD([w], lr=1.0), torch.amp.GradScaler("cpu", init_scale=4.0)
    scaler.scale(w * float("inf")).sum().backward()
    scaler.step(sgd)
    scaler.update()
    assert w.item() == 1.0 and scaler.get_scale() == 2.0
    sgd.zero_grad()
    scaler.scale(w.sum()).backward()
    scaler.unscale_(sgd)
    assert w.grad.item() == 1.0
    with pytest.raises(RuntimeError, match="already been called"):
        scaler.unscale_(sgd)
    scaler.step(sgd)
    scaler.update()
    assert w.item() == 0.0
    other = torch.amp.GradScaler("cpu")
    other.load_state_dict(scaler.state_dict())
    assert other.get_scale() == 2.0 and other._growth_tracker == 1


def test_a_scaler_grows_after_good_steps() -> None:
    w = nn.Parameter(torch.ones(1))
    sgd = torch.optim.SGD([w], lr=0.0)
    scaler = torch.amp.GradScaler("cpu", init_scale=4.0, growth_interval=2)
    for _ in range(2):
        scaler.scale(w.sum()).backward()
        scaler.step(sgd)
        scaler.update()
    assert scaler.get_scale() == 8.0


def test_functions_with_gradients_of_their_own() -> None:
    class Double(torch.autograd.Function):
        @staticmethod
        @torch.amp.custom_fwd(device_type="cpu", cast_inputs=torch.float32)
        def forward(ctx, x):
            assert x.dtype is FULL and not torch.is_autocast_enabled("cpu")
            return 2 * x

        @staticmethod
        @torch.amp.custom_bwd(device_type="cpu")
        def backward(ctx, grad):
            return 2 * grad

    x = torch.ones(2, dtype=SHORT, requires_grad=True)
    with torch.autocast("cpu"):
        y = Double.apply(x)
    y.sum().backward()
    assert y.dtype is FULL and x.grad.tolist() == [2.0, 2.0]


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
def test_models_in_half_precision_learn(dtype) -> None:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(4, 8), nn.LayerNorm(8), nn.GELU(), nn.Linear(8, 3)).to(dtype)
    optimizer = torch.optim.AdamW(net.parameters(), lr=1e-2)
    x, y = torch.randn(16, 4, dtype=dtype), torch.randint(0, 3, (16,))
    losses = []
    for _ in range(20):
        optimizer.zero_grad()
        loss = F.cross_entropy(net(x), y)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert loss.dtype is dtype and losses[-1] < 0.8 * losses[0]
