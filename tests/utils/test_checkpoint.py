"""`checkpoint`: the same numbers with less memory."""

import logging

import numpy as np
import pytest

import chainrule as torch
from chainrule import nn
from chainrule.backends.llvm import execute
from chainrule.func import grad, jvp, vmap
from chainrule.utils.checkpoint import checkpoint, checkpoint_sequential


def blocks(n=6, width=32, p=0.3):
    torch.manual_seed(0)
    return nn.ModuleList(
        nn.Sequential(
            nn.Linear(width, 2 * width), nn.GELU(), nn.Dropout(p), nn.Linear(2 * width, width)
        )
        for _ in range(n)
    )


def step(wrap, model, x):
    torch.manual_seed(1)
    model.zero_grad()
    h = x
    for b in model:
        h = wrap(b, h)
    (h * h).mean().backward()
    return [p.grad.numpy().copy() for p in model.parameters()]


def again(b, h):
    return checkpoint(b, h, use_reentrant=False)


def plain(b, h):
    return b(h)


def test_gradients_and_random_numbers_are_the_same():
    model, x = blocks(), torch.randn(16, 32)
    for a, b in zip(step(plain, model, x), step(again, model, x), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-8)


def test_a_look_before_backward_keeps_inputs_only():
    model, x = blocks(), torch.randn(16, 32)
    want = step(plain, model, x)
    torch.manual_seed(1)
    model.zero_grad()
    h = x
    for b in model:
        h = again(b, h)
    loss = (h * h).mean()
    assert np.isfinite(loss.item())
    kept = loss.history[0].saved
    assert not any(n.shape == (16, 64) for n in kept)
    loss.backward()
    for a, p in zip(want, model.parameters(), strict=True):
        np.testing.assert_allclose(a, p.grad.numpy(), rtol=1e-5, atol=1e-8)


def test_a_deep_step_needs_less_memory(monkeypatch):
    """The arena: all that a program keeps between its first and its last kernel."""
    sizes = []

    class Recording(execute.NativeProgram):
        __slots__ = ()

        def __init__(self, steps, arrays, offsets, constants, arena, work):
            sizes.append(arena)
            super().__init__(steps, arrays, offsets, constants, arena, work)

    monkeypatch.setattr(execute, "NativeProgram", Recording)
    model, x = blocks(12), torch.randn(256, 32)
    peaks = []
    for wrap in (again, plain):
        sizes.clear()
        step(wrap, model, x)
        peaks.append(max(sizes))
    assert peaks[0] < 0.5 * peaks[1]


def test_gradients_of_gradients_go_through():
    x = torch.tensor([0.5, -1.0], requires_grad=True)
    (g,) = torch.autograd.grad(again(lambda t: (t**3).sum(), x), x, create_graph=True)
    (h,) = torch.autograd.grad(g.sum(), x)
    assert torch.allclose(h, 6 * x)


def test_transforms_go_through():
    def f(t):
        return again(lambda s: (s.sin() * s).sum(), t)

    x = torch.randn(4, 3)
    assert torch.allclose(vmap(grad(f))(x), x.sin() + x * x.cos(), atol=1e-6)
    assert torch.allclose(jvp(f, (x,), (x,))[1], ((x.sin() + x * x.cos()) * x).sum(), atol=1e-5)


def test_trees_views_and_several_results():
    a, b = (torch.randn(3, 4, requires_grad=True) for _ in range(2))

    def f(d, *, scale):
        y = d["a"] @ d["b"].T
        return {"y": y * scale, "first": y[0], "same": d["a"], "n": 3}

    out = checkpoint(f, {"a": a, "b": b}, scale=2.0, use_reentrant=False)
    assert out["same"] is a and out["n"] == 3
    (out["y"].sum() + out["first"].sum()).backward()
    ga, gb = a.grad, b.grad
    a.grad = b.grad = None
    out = f({"a": a, "b": b}, scale=2.0)
    (out["y"].sum() + out["first"].sum()).backward()
    assert torch.allclose(ga, a.grad) and torch.allclose(gb, b.grad)


def test_buffers_are_updated_once():
    norm = nn.BatchNorm1d(4)
    other = nn.BatchNorm1d(4)
    x = torch.randn(8, 4, requires_grad=True)
    again(norm, x).sum().backward()
    other(x).sum().backward()
    assert torch.allclose(norm.running_mean, other.running_mean)
    assert norm.num_batches_tracked.item() == 1


def test_functions_with_gradients_by_hand_are_kept(caplog):
    class Double(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

        @staticmethod
        def backward(ctx, g):
            return g * 2

    x = torch.ones(2, requires_grad=True)
    with caplog.at_level(logging.WARNING):
        again(lambda t: Double.apply(t) ** 2, x).sum().backward()
    assert x.grad.tolist() == [8, 8] and "nothing is computed again" in caplog.text


def test_parts_of_a_sequence():
    torch.manual_seed(0)
    model = nn.Sequential(*(nn.Linear(4, 4) for _ in range(5)))
    x = torch.randn(2, 4, requires_grad=True)
    y = checkpoint_sequential(model, 2, x, use_reentrant=False)
    assert torch.allclose(y, model(x))
    y.sum().backward()
    assert all(p.grad is not None for p in model.parameters())


def test_pytorchs_rules_for_arguments():
    x = torch.ones(2, requires_grad=True)
    with pytest.warns(UserWarning, match="use_reentrant"):
        checkpoint(torch.sin, x)
    with pytest.raises(ValueError, match="Unexpected keyword"):
        checkpoint(torch.sin, x, use_reentrant=True, other=1)
    with pytest.warns(UserWarning, match="None of the inputs"):
        y = checkpoint(torch.sin, torch.ones(2), use_reentrant=True)
    assert not y.requires_grad
    w = torch.ones(2, requires_grad=True)
    assert checkpoint(lambda t: t * w, torch.ones(2), use_reentrant=False).requires_grad
