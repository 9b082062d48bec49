"""What was tried out did not happen."""

from __future__ import annotations

import random

import numpy as np
import pytest

import chainrule as torch
from chainrule import keras, nn
from chainrule.explain.aside import aside
from chainrule.runtime import random as streams


def model_and_optimizer():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Dropout(0.5), nn.Linear(4, 1))
    return model, torch.optim.Adam(model.parameters(), lr=0.1)


def train(model, optimizer, x) -> None:
    optimizer.zero_grad()
    model(x).square().mean().backward()
    optimizer.step()


@pytest.mark.parametrize("looks", [False, True])
@pytest.mark.parametrize("before", [0, 2])
def test_training_aside_leaves_nothing(looks: bool, before: int) -> None:
    model, optimizer = model_and_optimizer()
    x = torch.randn(8, 3)
    for _ in range(before):
        train(model, optimizer, x)
    with aside():
        pass
    weights = {n: t.numpy().copy() for n, t in model.state_dict().items()}
    grads = [None if p.grad is None else p.grad.numpy().copy() for p in model.parameters()]
    state = streams.get_state()
    with aside(model, optimizer):
        model[0].extra = "attribute"
        for group in optimizer.param_groups:
            group["lr"] = 5.0
        for _ in range(3):
            train(model, optimizer, x)
            if looks:
                assert np.isfinite(model[0].weight.detach().numpy()).all()
        model.eval()
    assert streams.get_state() == state
    assert model.training and model[2].training and not hasattr(model[0], "extra")
    assert optimizer.param_groups[0]["lr"] == 0.1 and bool(optimizer.state) == bool(before)
    for n, t in model.state_dict().items():
        np.testing.assert_array_equal(t.numpy(), weights[n], err_msg=n)
    for p, g in zip(model.parameters(), grads, strict=True):
        assert (p.grad is None) == (g is None)
        if g is not None:
            np.testing.assert_array_equal(p.grad.numpy(), g)


def test_training_goes_on_as_if_nothing_had_been() -> None:
    runs = []
    for tries in (False, True):
        model, optimizer = model_and_optimizer()
        x = torch.randn(8, 3)
        for _ in range(3):
            train(model, optimizer, x)
            if tries:
                with aside(model, optimizer):
                    train(model, optimizer, x * 3)
        runs.append([p.detach().numpy().copy() for p in model.parameters()])
    for a, b in zip(*runs, strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_keras_fit_goes_on_as_if_nothing_had_been() -> None:
    runs = []
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((32, 3)).astype("float32"), rng.standard_normal((32, 1))
    for tries in (False, True):
        keras.utils.set_random_seed(0)
        layers = [keras.layers.Dense(4), keras.layers.BatchNormalization(),
                  keras.layers.Dropout(0.3), keras.layers.Dense(1)]  # fmt: skip
        model = keras.Sequential([keras.Input((3,)), *layers])
        model.compile("adam", "mse", metrics=["mae"])
        for _ in range(3):
            model.fit(x, y, epochs=1, batch_size=8, verbose=0)
            if tries:
                with aside(model, model.optimizer):
                    model.fit(x * 2, y, epochs=1, batch_size=8, verbose=0)
        runs.append(model.get_weights())
    for a, b in zip(*runs, strict=True):
        np.testing.assert_array_equal(a, b)


def test_pythons_and_numpys_numbers_go_on() -> None:
    random.seed(0)
    np.random.seed(0)
    with aside():
        random.random(), np.random.rand()
    a = random.random(), np.random.rand()
    random.seed(0)
    np.random.seed(0)
    assert a == (random.random(), np.random.rand())


def test_values_that_numpy_sees_are_put_back_where_they_were() -> None:
    layer = nn.Linear(2, 2)
    seen = layer.weight.detach().numpy()
    before = seen.copy()
    with aside(layer), torch.no_grad():
        layer.weight.fill_(7.0)
        assert (layer.weight.detach().numpy() == 7).all()
    np.testing.assert_array_equal(seen, before)
    np.testing.assert_array_equal(layer.weight.detach().numpy(), before)


def test_an_error_inside_is_passed_on() -> None:
    layer = nn.Linear(2, 2)
    before = layer.weight.detach().numpy().copy()
    with pytest.raises(ZeroDivisionError), aside(layer):
        with torch.no_grad():
            layer.weight.zero_()
        raise ZeroDivisionError
    np.testing.assert_array_equal(layer.weight.detach().numpy(), before)


def test_what_was_recorded_before_is_still_differentiated() -> None:
    layer = nn.Linear(2, 2)
    out = layer(torch.ones(1, 2)).sum()
    with aside(layer):
        layer(torch.ones(1, 2) * 5).sum().backward()
    out.backward()
    np.testing.assert_array_equal(layer.weight.grad.numpy(), np.ones((2, 2)))
