"""The first document's program through the Keras face learns what PyTorch's gradients say.

PyTorch has the network, the softmax, the loss and the gradients; Keras's Adam, whose epsilon stands
elsewhere than in PyTorch's, is written out:

    m ← m + (1 − β₁)(g − m)      v ← v + (1 − β₂)(g² − v)
    w ← w − lr √(1 − β₂ᵗ) / (1 − β₁ᵗ) · m / (√v + ε)
"""

from __future__ import annotations

import numpy as np
import pytest
import torch

from chainrule import keras
from chainrule.datasets import load_digits

STEPS, BATCH = 100, 128
RATE = float(np.float32(0.001))  # Keras keeps the rate as float32
BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-7


def batches() -> list[tuple[np.ndarray, np.ndarray]]:
    images, labels = load_digits("train")
    x, y = images.reshape(-1, 64).astype(np.float32) / 16, labels.astype(np.int64)  # exact
    rows = [np.arange(i * BATCH, (i + 1) * BATCH) % len(x) for i in range(STEPS)]
    return [(x[r], y[r]) for r in rows]


def theirs(weights: list[np.ndarray], dtype: str) -> tuple[list[float], list[np.ndarray]]:
    """The losses of the steps, and the weights after them."""
    w = [torch.tensor(a, dtype=getattr(torch, dtype), requires_grad=True) for a in weights]
    m, v = ([torch.zeros_like(a) for a in w] for _ in range(2))
    losses = []
    for t, (x, y) in enumerate(batches(), 1):
        hidden = torch.relu(torch.tensor(x, dtype=w[0].dtype) @ w[0] + w[1])
        p = torch.softmax(hidden @ w[2] + w[3], dim=1).clamp(1e-7, 1 - 1e-7)
        loss = -torch.log(p[torch.arange(len(y)), torch.tensor(y)]).mean()
        gradients = torch.autograd.grad(loss, w)
        step = RATE * np.sqrt(1 - BETA2**t) / (1 - BETA1**t)
        with torch.no_grad():
            for a, g, first, second in zip(w, gradients, m, v, strict=True):
                first += (1 - BETA1) * (g - first)
                second += (1 - BETA2) * (g * g - second)
                a -= step * first / (second.sqrt() + EPSILON)
        losses.append(loss.item())
    return losses, [a.detach().numpy() for a in w]


@pytest.mark.parametrize("dtype, tolerance", [("float64", 1e-9), ("float32", 1e-4)])
def test_a_hundred_steps(dtype: str, tolerance: float) -> None:
    before = keras.backend.floatx()
    keras.backend.set_floatx(dtype)
    try:
        keras.utils.set_random_seed(0)
        model = keras.models.Sequential(
            [
                keras.layers.Input((64,)),
                keras.layers.Dense(128, activation="relu"),
                keras.layers.Dense(10, activation="softmax"),
            ]
        )
        optimizer = keras.optimizers.Adam(learning_rate=RATE)
        model.compile(optimizer=optimizer, loss="sparse_categorical_crossentropy")
        losses, weights = theirs([np.array(w) for w in model.get_weights()], dtype)
        ours = []
        for x, y in batches():
            model.reset_metrics()
            ours.append(float(model.train_on_batch(x, y)))
        learned = model.get_weights()
    finally:
        keras.backend.set_floatx(before)
    assert losses[-1] < losses[0] / 2  # it does learn
    # a reported loss is a metric, and metrics are float32
    np.testing.assert_allclose(ours, losses, rtol=max(tolerance, 2e-7), atol=0)
    if dtype == "float64":  # in float32 Adam turns the rounding of tiny gradients into whole steps
        for a, b in zip(learned, weights, strict=True):
            np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance * np.abs(b).max())
