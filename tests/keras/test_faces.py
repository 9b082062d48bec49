"""A model of one face is a layer of the other, with the same weights."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import chainrule as torch
from chainrule import keras
from chainrule.keras import layers


class Around(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner = keras.Sequential([keras.Input((3,)), layers.Dense(4, activation="relu")])
        self.outer = torch.nn.Linear(4, 1)

    def forward(self, x: Any) -> Any:
        return self.outer(self.inner(x))


def test_a_keras_model_trains_within_a_module() -> None:
    module = Around()
    kernel = module.inner.layers[0].kernel
    before = kernel.numpy()
    assert [p is q for p, q in zip(module.parameters(), module.inner.weights, strict=False)] == [
        True, True,
    ]  # fmt: skip
    optimizer = torch.optim.SGD(module.parameters(), lr=0.1)
    module(torch.ones(2, 3)).square().sum().backward()
    optimizer.step()
    assert not np.array_equal(kernel.numpy(), before)


def test_state_dicts_hold_what_the_layer_holds() -> None:
    module, other = Around(), Around()
    state = module.state_dict()
    assert len(state) == 4
    renamed = dict(zip(other.state_dict(), state.values(), strict=True))
    other.load_state_dict(renamed)
    x = torch.ones(2, 3)
    assert torch.equal(module(x), other(x))


def test_a_layer_that_is_built_later_is_found_then() -> None:
    module = torch.nn.Sequential(layers.Dense(2), torch.nn.ReLU())
    assert not list(module.parameters())
    assert module(torch.ones(1, 5)).shape == (1, 2)
    assert [tuple(p.shape) for p in module.parameters()] == [(5, 2), (2,)]


def test_the_attribute_stays_the_layer_and_can_be_taken_away() -> None:
    module = Around()
    assert isinstance(module.inner, keras.Sequential)
    module.inner = torch.nn.Identity()
    assert isinstance(module.inner, torch.nn.Identity)
    module.inner = layers.Dense(1)
    del module.inner
    assert not hasattr(module, "inner")


class Mixed(keras.Model):
    def __init__(self) -> None:
        super().__init__()
        self.linear = torch.nn.Linear(3, 4)
        self.norm = torch.nn.BatchNorm1d(4)
        self.head = layers.Dense(1)

    def call(self, x: Any, training: bool | None = None) -> Any:
        return self.head(self.norm(self.linear(x), training=training))


def test_modules_train_within_a_keras_model() -> None:
    x = np.random.default_rng(0).standard_normal((32, 3)).astype(np.float32)
    y = x.sum(1, keepdims=True)
    model = Mixed()
    norm = model.norm.module
    model.compile(keras.optimizers.SGD(0.05), "mse")
    history = model.fit(x, y, batch_size=8, epochs=5, shuffle=False, verbose=0).history["loss"]
    assert history[-1] < history[0]
    assert len(model.trainable_weights) == 6
    assert int(norm.num_batches_tracked) == 20
    assert float(norm.running_var.mean()) != 1.0


def test_running_statistics_of_a_module_move_as_in_a_loop_of_ones_own() -> None:
    x = np.random.default_rng(0).standard_normal((16, 4)).astype(np.float32)
    norm, alone = torch.nn.BatchNorm1d(4), torch.nn.BatchNorm1d(4)
    model = keras.Sequential([keras.Input((4,)), layers.TorchModuleWrapper(norm)])
    model.compile(keras.optimizers.SGD(0.0), "mse")
    model.fit(x, x, batch_size=4, epochs=2, shuffle=False, verbose=0)
    for _ in range(2):
        for start in range(0, 16, 4):
            alone(torch.from_numpy(x[start : start + 4]))
    np.testing.assert_allclose(norm.running_mean.numpy(), alone.running_mean.numpy(), rtol=1e-5)
    np.testing.assert_allclose(norm.running_var.numpy(), alone.running_var.numpy(), rtol=1e-5)


def test_what_is_no_module_is_refused() -> None:
    with pytest.raises(TypeError, match="wraps a"):
        layers.TorchModuleWrapper(3)
