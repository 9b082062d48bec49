"""CHAINRULE_RANDOM=mt19937: from one seed, the same weights, batches, noise and losses."""

import importlib

import numpy as np
import pytest
import torch

import chainrule
from chainrule import config

MODULES = [
    ("Linear", (5, 7)), ("Bilinear", (3, 4, 5)), ("Conv2d", (4, 6, 3)),
    ("ConvTranspose2d", (4, 6, 3)), ("Embedding", (10, 3, 1)), ("LSTM", (4, 5, 2)),
    ("GRU", (4, 5)), ("RNNCell", (4, 5)),
    ("MultiheadAttention", (8, 2)), ("Transformer", (8, 2, 1, 1, 16)),
    ("AdaptiveLogSoftmaxWithLoss", (8, 20, [5, 10])),
]  # fmt: skip
INITIALISERS = [
    "xavier_uniform_", "xavier_normal_", "kaiming_uniform_", "kaiming_normal_", "trunc_normal_",
    "orthogonal_", "uniform_", "normal_",
]  # fmt: skip


@pytest.fixture(autouse=True)
def twisted(monkeypatch):
    monkeypatch.setattr(config, "random", "mt19937")


def both(f):
    for library in (torch, chainrule):
        library.manual_seed(1)
        yield f(library)


@pytest.mark.filterwarnings("ignore")  # PyTorch's about sizes
@pytest.mark.parametrize(("name", "arguments"), MODULES)
def test_layers_start_from_the_same_weights(name, arguments):
    theirs, ours = both(lambda lib: getattr(lib.nn, name)(*arguments).state_dict())
    assert list(theirs) == list(ours)
    for key, value in theirs.items():
        np.testing.assert_allclose(ours[key].numpy(), value.numpy(), atol=1e-6, err_msg=key)


@pytest.mark.parametrize("name", INITIALISERS)
def test_initialisers_draw_the_same(name):
    theirs, ours = both(lambda lib: getattr(lib.nn.init, name)(lib.empty(20, 30)))
    np.testing.assert_allclose(ours.numpy(), theirs.numpy(), atol=1e-6)


def losses(lib):
    """A classifier with shuffled batches, dropout and noise in its inputs."""
    data = importlib.import_module(f"{lib.__name__}.utils.data")
    x = lib.randn(200, 8)
    y = (x.sum(1) > 0).long()
    train, _ = data.random_split(data.TensorDataset(x, y), [160, 40])
    model = lib.nn.Sequential(
        lib.nn.Linear(8, 32), lib.nn.ReLU(), lib.nn.Dropout(0.3), lib.nn.Linear(32, 2)
    )
    optimizer = lib.optim.Adam(model.parameters(), lr=0.01)
    found = []
    for _ in range(3):
        for a, b in data.DataLoader(train, batch_size=16, shuffle=True):
            optimizer.zero_grad()
            loss = lib.nn.functional.cross_entropy(model(a + 0.1 * lib.randn_like(a)), b)
            loss.backward()
            optimizer.step()
            found.append(loss.item())
    return found


def test_a_program_prints_the_same_losses():
    theirs, ours = both(losses)
    np.testing.assert_allclose(ours, theirs, rtol=2e-5)
