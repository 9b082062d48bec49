"""Every optimiser does what its paper says: the papers' formulas, in plain NumPy, side by side."""

from __future__ import annotations

import math

import numpy as np
import pytest

from chainrule import optim
from chainrule.tensor.creation import tensor

LR, STEPS = 0.05, 12


def sgd(p, g, s, t, momentum=0.0, dampening=0.0, nesterov=False, weight_decay=0.0):
    g = g + weight_decay * p
    if momentum:
        s["b"] = momentum * s["b"] + (1 - dampening) * g if t > 1 else g
        g = g + momentum * s["b"] if nesterov else s["b"]
    return p - LR * g


def adam(p, g, s, t, b1=0.9, b2=0.999, eps=1e-8, decoupled=0.0):
    p = p - LR * decoupled * p
    s["m"] = b1 * s.get("m", 0) + (1 - b1) * g
    s["v"] = b2 * s.get("v", 0) + (1 - b2) * g**2
    return p - LR * (s["m"] / (1 - b1**t)) / (np.sqrt(s["v"] / (1 - b2**t)) + eps)


def adamax(p, g, s, t, b1=0.9, b2=0.999, eps=1e-8):
    s["m"] = b1 * s.get("m", 0) + (1 - b1) * g
    s["u"] = np.maximum(b2 * s.get("u", 0), np.abs(g) + eps)
    return p - LR / (1 - b1**t) * s["m"] / s["u"]


def nadam(p, g, s, t, b1=0.9, b2=0.999, eps=1e-8, psi=0.004):
    mu, after = (b1 * (1 - 0.5 * 0.96 ** (k * psi)) for k in (t, t + 1))
    # the product is kept in single precision, as PyTorch keeps it
    s["prod"] = np.float32(s.get("prod", np.float32(1))) * np.float32(mu)
    prod = float(s["prod"])
    s["m"] = b1 * s.get("m", 0) + (1 - b1) * g
    s["v"] = b2 * s.get("v", 0) + (1 - b2) * g**2
    m_hat = after * s["m"] / (1 - prod * after) + (1 - mu) * g / (1 - prod)
    return p - LR * m_hat / (np.sqrt(s["v"] / (1 - b2**t)) + eps)


def radam(p, g, s, t, b1=0.9, b2=0.999, eps=1e-8):
    s["m"] = b1 * s.get("m", 0) + (1 - b1) * g
    s["v"] = b2 * s.get("v", 0) + (1 - b2) * g**2
    m_hat = s["m"] / (1 - b1**t)
    end = 2 / (1 - b2) - 1
    rho = end - 2 * t * b2**t / (1 - b2**t)
    if rho <= 5:
        return p - LR * m_hat
    r = math.sqrt((rho - 4) * (rho - 2) * end / ((end - 4) * (end - 2) * rho))
    return p - LR * r * m_hat * math.sqrt(1 - b2**t) / (np.sqrt(s["v"]) + eps)


def rmsprop(p, g, s, t, alpha=0.99, eps=1e-8, momentum=0.0, centered=False):
    s["v"] = alpha * s.get("v", 0) + (1 - alpha) * g**2
    s["a"] = alpha * s.get("a", 0) + (1 - alpha) * g
    step = g / (np.sqrt(s["v"] - s["a"] ** 2 if centered else s["v"]) + eps)
    s["b"] = momentum * s.get("b", 0) + step
    return p - LR * s["b"]


def adagrad(p, g, s, t, eps=1e-10, lr_decay=0.0):
    s["sum"] = s.get("sum", 0) + g**2
    return p - LR / (1 + (t - 1) * lr_decay) * g / (np.sqrt(s["sum"]) + eps)


def adadelta(p, g, s, t, rho=0.9, eps=1e-6):
    s["g2"] = rho * s.get("g2", 0) + (1 - rho) * g**2
    delta = np.sqrt(s.get("d2", 0) + eps) / np.sqrt(s["g2"] + eps) * g
    s["d2"] = rho * s.get("d2", 0) + (1 - rho) * delta**2
    return p - LR * delta


def rprop(p, g, s, t, down=0.5, up=1.2, low=1e-6, high=50):
    size, before = s.get("size", np.full_like(p, LR)), s.get("g", np.zeros_like(p))
    size = np.where(g * before > 0, size * up, np.where(g * before < 0, size * down, size))
    s["size"] = np.clip(size, low, high)
    s["g"] = np.where(g * before < 0, 0, g)
    return p - np.sign(s["g"]) * s["size"]


def adafactor(p, g, s, t, tau=-0.8, eps1=2.0**-52, eps2=1e-3, d=1.0):
    def rms(x):
        return np.sqrt(np.mean(x**2))

    keep = 1 - t**tau
    s["r"] = keep * s.get("r", 0) + (1 - keep) * np.mean(g**2, axis=1, keepdims=True)
    s["c"] = keep * s.get("c", 0) + (1 - keep) * np.mean(g**2, axis=0, keepdims=True)
    v = s["r"] @ s["c"] / np.maximum(np.mean(s["r"]), eps1)
    u = g / np.maximum(np.sqrt(v), eps1)
    alpha = max(eps2, rms(p)) * min(LR, 1 / math.sqrt(t))
    return p - alpha * u / max(1, rms(u) / d)


CASES = [
    (optim.SGD, {}, sgd, {}),
    (optim.SGD, {"weight_decay": 0.1}, sgd, {"weight_decay": 0.1}),
    (optim.SGD, {"momentum": 0.9, "dampening": 0.3}, sgd, {"momentum": 0.9, "dampening": 0.3}),
    (optim.SGD, {"momentum": 0.9, "nesterov": True}, sgd, {"momentum": 0.9, "nesterov": True}),
    (optim.Adam, {}, adam, {}),
    (optim.Adam, {"betas": (0.5, 0.8), "eps": 0.1}, adam, {"b1": 0.5, "b2": 0.8, "eps": 0.1}),
    (optim.AdamW, {"weight_decay": 0.2}, adam, {"decoupled": 0.2}),
    (optim.Adamax, {}, adamax, {}),
    (optim.NAdam, {}, nadam, {}),
    (optim.RAdam, {}, radam, {}),
    (optim.RAdam, {"betas": (0.9, 0.99)}, radam, {"b2": 0.99}),
    (optim.RMSprop, {}, rmsprop, {}),
    (optim.RMSprop, {"centered": True}, rmsprop, {"centered": True}),
    (optim.RMSprop, {"momentum": 0.7}, rmsprop, {"momentum": 0.7}),
    (optim.RMSprop, dict(momentum=0.7, centered=True), rmsprop, dict(momentum=0.7, centered=True)),
    (optim.Adagrad, {"lr_decay": 0.1}, adagrad, {"lr_decay": 0.1}),
    (optim.Adadelta, {}, adadelta, {}),
    (optim.Rprop, {}, rprop, {}),
    (optim.Adafactor, {}, adafactor, {}),
]  # fmt: skip
IDS = [f"{c[0].__name__}-{'-'.join(c[1]) or 'plain'}" for c in CASES]


@pytest.mark.parametrize(("cls", "options", "formula", "constants"), CASES, ids=IDS)
def test_twelve_steps_follow_the_paper(cls, options, formula, constants):
    rng = np.random.default_rng(1)
    p = rng.standard_normal((4, 3))
    ours = tensor(p.copy(), requires_grad=True)
    optimizer = cls([ours], lr=LR, **options)
    state: dict = {}
    for t in range(1, STEPS + 1):
        g = rng.standard_normal(p.shape)
        p = formula(p, g, state, t, **constants)
        ours.grad = tensor(g)
        optimizer.step()
    np.testing.assert_allclose(ours.detach().numpy(), p, rtol=1e-12, atol=1e-13)


def test_amsgrad_divides_by_the_largest_second_moment():
    """Reddi et al. 2018: after a large gradient v decays, and its maximum stays."""
    big, small = 100.0, 1.0
    w = tensor([0.0], dtype="float64", requires_grad=True)
    optimizer = optim.Adam([w], lr=LR, amsgrad=True, betas=(0.9, 0.5))
    for g in (big, small, small, small):
        w.grad = tensor([g], dtype="float64")
        optimizer.step()
    assert optimizer.state[w]["max_exp_avg_sq"].item() == 0.5 * big**2
    assert optimizer.state[w]["exp_avg_sq"].item() < 0.5 * big**2 / 4


def test_asgd_keeps_the_mean_of_its_path():
    """Polyak and Juditsky 1992: with constant steps (lambd = 0, alpha = 0) "ax" is the mean."""
    w = tensor([1.0], dtype="float64", requires_grad=True)
    optimizer = optim.ASGD([w], lr=0.1, lambd=0.0, alpha=0.0, t0=1)
    path = []
    for g in (1.0, -2.0, 0.5, 3.0, -1.0):
        w.grad = tensor([g], dtype="float64")
        optimizer.step()
        path.append(w.item())
    # mu is 1 / max(1, t - t0), set after step t for step t + 1: the mean begins at the third step
    assert optimizer.state[w]["ax"].item() == pytest.approx(np.mean(path[2:]), rel=1e-6)


def test_muon_steps_are_orthogonal_matrices():
    """Jordan 2024: all singular values of the step lie in (0.5, 1.5), for any gradient."""
    rng = np.random.default_rng(0)
    for shape in [(4, 4), (6, 3), (3, 6)]:
        w = tensor(np.zeros(shape), requires_grad=True)
        optimizer = optim.Muon([w], lr=1.0, weight_decay=0.0, adjust_lr_fn="original")
        w.grad = tensor(1000 * rng.standard_normal(shape))
        optimizer.step()
        factor = math.sqrt(max(1, shape[0] / shape[1]))
        values = np.linalg.svd(w.detach().numpy() / factor, compute_uv=False)
        assert np.all((values > 0.5) & (values < 1.5)), values


def test_half_precision_is_updated_in_single():
    """A step of 2⁻¹² on 1.0 is lost in bfloat16; squares of small gradients must not be."""
    for dtype in ("bfloat16", "float16"):
        w = tensor([1.0], dtype=dtype, requires_grad=True)
        optimizer = optim.Adam([w], lr=0.5, eps=1e-8)
        w.grad = tensor([1e-4], dtype=dtype)  # its square is below float16's range
        optimizer.step()
        assert w.dtype == tensor([0.0], dtype=dtype).dtype
        assert abs(w.item() - 0.5) < 0.01
