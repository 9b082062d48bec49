"""Training curves equal PyTorch's: the documents' four networks, equal weights, 100 steps.

The classes are taken from `examples/seeds/`, so that what is compared is what the examples run. The
losses of all 100 steps must agree to 1e-9 (float64) and 1e-4 (float32), relative.

The Transformer learns with Adam at 1e-4 here. At the printed 0.01 no curve is a reference: when
PyTorch's own first weights move by half a unit in the last place, its losses differ by 30 % within
100 steps, even in float64 (4e-5 at 1e-4 in float32). At 0.01 the first 20 steps are compared.
"""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import chainrule
import chainrule.nn
import chainrule.optim
from chainrule.datasets import load_digits
from chainrule.datasets.symbolic import load_symbolic

STEPS = 100
TOLERANCE = {"float64": 1e-9, "float32": 1e-4}
FAULTS = runpy.run_path(str(Path(__file__).resolve().parents[1] / "examples" / "faults.py"))


def network(lib: Any, name: str) -> Any:
    """The class of an example's program, over either library."""
    text = FAULTS["program"](name).split("\nmodel = ")[0].replace("chainrule", lib.__name__)
    names: dict[str, Any] = {}
    exec(text, names)
    return next(v for k, v in names.items() if k in ("DCNN", "RNN", "Transformer"))


def mlp(lib: Any) -> Any:
    """The first document's network; its softmax is in the loss."""
    return lib.nn.Sequential(lib.nn.Linear(64, 128), lib.nn.ReLU(), lib.nn.Linear(128, 10))


def digits(shape: tuple[int, ...], dtype: str) -> tuple[np.ndarray, np.ndarray]:
    images, labels = load_digits("train")
    return (images / 16).astype(dtype).reshape(-1, *shape), labels.astype(np.int64)


def large_digits(dtype: str) -> tuple[np.ndarray, np.ndarray]:
    """The digits in a frame of 28 × 28, as the printed network wants them."""
    pixels, labels = digits((8, 8), dtype)
    large = pixels.repeat(3, axis=1).repeat(3, axis=2)
    return np.ascontiguousarray(np.pad(large, ((0, 0), (2, 2), (2, 2)))[:, None]), labels


def sequences(dtype: str) -> tuple[np.ndarray, np.ndarray]:
    """Six steps of ten features: the 60 first pixels of a digit; is the digit odd?"""
    pixels, labels = digits((64,), dtype)
    return pixels[:, :60].reshape(-1, 6, 10), labels % 2


CASES: dict[str, dict[str, Any]] = {
    "mlp": {
        "build": mlp,
        "data": lambda dtype: digits((64,), dtype),
        "optimizer": lambda lib, p: lib.optim.Adam(p, lr=0.001),
        "batch": 128,
    },
    "dcnn": {
        "build": lambda lib: network(lib, "dcnn")(),
        "data": large_digits,
        "optimizer": lambda lib, p: lib.optim.SGD(p, lr=0.01),
        "batch": 16,
    },
    "lstm": {
        "build": lambda lib: network(lib, "lstm")(10, 50, 2, 2),
        "data": sequences,
        "optimizer": lambda lib, p: lib.optim.Adam(p, lr=0.01),
        "batch": 16,
    },
    "transformer": {
        "build": lambda lib: network(lib, "transformer")(10, 50, 2, 2, dropout=0.0),
        "data": lambda dtype: load_symbolic("sort", 1600),
        "optimizer": lambda lib, p: lib.optim.Adam(p, lr=0.0001),
        "batch": 16,
    },
}


def curve(
    lib: Any, case: dict[str, Any], weights: dict[str, np.ndarray], dtype: str, steps: int
) -> np.ndarray:
    """The losses of the first steps; batches in the rows' order, from the start again."""
    model = case["build"](lib)
    model.load_state_dict({name: lib.from_numpy(w.copy()) for name, w in weights.items()})
    x, y = case["data"](dtype)
    criterion = lib.nn.CrossEntropyLoss()
    optimizer = case["optimizer"](lib, model.parameters())
    losses = []
    for step in range(steps):
        rows = np.arange(step * case["batch"], (step + 1) * case["batch"]) % len(x)
        data, target = (lib.from_numpy(np.take(part, rows, axis=0)) for part in (x, y))
        optimizer.zero_grad()
        loss = criterion(model(data), target)
        loss.backward()
        optimizer.step()
        losses.append(loss)
    return np.array([loss.item() for loss in losses])


def curves(case: dict[str, Any], dtype: str, steps: int) -> tuple[np.ndarray, np.ndarray]:
    """Ours and PyTorch's, from PyTorch's first weights."""
    before = [(lib, lib.get_default_dtype()) for lib in (chainrule, torch)]
    try:
        for lib, _ in before:
            lib.set_default_dtype(getattr(lib, dtype))
        torch.manual_seed(0)
        weights = {k: v.numpy().copy() for k, v in case["build"](torch).state_dict().items()}
        ours, theirs = (curve(lib, case, weights, dtype, steps) for lib, _ in before)
    finally:
        for lib, default in before:
            lib.set_default_dtype(default)
    return ours, theirs


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("name", CASES)
def test_the_first_hundred_losses(name: str, dtype: str) -> None:
    ours, theirs = curves(CASES[name], dtype, STEPS)
    assert theirs[-10:].mean() < theirs[:10].mean()  # it does learn
    np.testing.assert_allclose(ours, theirs, rtol=TOLERANCE[dtype], atol=0)


def test_the_transformer_at_the_printed_learning_rate() -> None:
    printed = CASES["transformer"] | {"optimizer": lambda lib, p: lib.optim.Adam(p, lr=0.01)}
    ours, theirs = curves(printed, "float64", 20)
    np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=0)
