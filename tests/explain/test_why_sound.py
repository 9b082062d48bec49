"""Sound programs give no alarm, and are as they were afterwards."""

from __future__ import annotations

import numpy as np
import pytest
from why_programs import (
    Attentive,
    Recurrent,
    blobs,
    cnn,
    dense,
    images,
    mlp,
    numbers,
    texts,
)

import chainrule as torch
from chainrule import config, keras, nn
from chainrule.explain import why
from chainrule.runtime import random as streams
from chainrule.utils.data import DataLoader, TensorDataset

F, L, KL = nn.functional, keras.layers, keras.losses
Adam, SGD = torch.optim.Adam, torch.optim.SGD


@pytest.fixture(autouse=True)
def _seeded(monkeypatch: pytest.MonkeyPatch) -> None:
    keras.utils.set_random_seed(0)
    monkeypatch.setattr(config, "backend", "reference")  # nothing here is worth compiling


# ---------------------------------------------------------------- sound programs


def sound_torch() -> dict:
    return {
        "mlp": (mlp(), blobs(), nn.CrossEntropyLoss(), Adam, 1e-3),
        "mlp-sgd": (mlp(), blobs(), nn.CrossEntropyLoss(), SGD, 0.01),
        "logsoftmax": (mlp(nn.LogSoftmax(-1)), blobs(), nn.NLLLoss(), Adam, 1e-2),
        "cnn": (cnn(), images(), nn.CrossEntropyLoss(), Adam, 1e-3),
        "lstm": (Recurrent(), texts(), nn.CrossEntropyLoss(), Adam, 1e-2),
        "transformer": (Attentive(), texts(), nn.CrossEntropyLoss(), Adam, 1e-3),
        "regression": (mlp(k=1), numbers(), nn.MSELoss(), Adam, 1e-2),
        "linear": (nn.Linear(8, 1), numbers(), nn.MSELoss(), SGD, 0.05),
        "binary": (
            mlp(k=1), (blobs(k=2)[0], blobs(k=2)[1].float()[:, None]), nn.BCEWithLogitsLoss(),
            Adam, 1e-3,
        ),
        "binary-sigmoid": (
            mlp(nn.Sigmoid(), k=1), (blobs(k=2)[0], blobs(k=2)[1].float()[:, None]), nn.BCELoss(),
            Adam, 1e-3,
        ),
    }  # fmt: skip


@pytest.mark.parametrize("name", sound_torch())
def test_sound_programs_give_no_alarm(name: str) -> None:
    model, (x, y), loss, kind, rate = sound_torch()[name]
    optimizer = kind(model.parameters(), lr=rate)
    reasons = why(model, (x, y), loss=loss, optimizer=optimizer)
    assert not reasons, str(reasons)
    assert reasons.looked and "Nothing" in str(reasons) and "Nothing" in reasons._repr_html_()
    for _ in range(60):
        optimizer.zero_grad()
        loss(model(x), y).backward()
        optimizer.step()
    after = why(model, (x, y), loss=loss, optimizer=optimizer)
    assert not after, str(after)


def sound_keras() -> dict:
    (x, y), (a, b), (t, c) = blobs(), numbers(), texts()
    im, d = images()
    x, y, a, b, t, c, d = (v.numpy() for v in (x, y, a, b, t, c, d))
    im = im.numpy().transpose(0, 2, 3, 1)
    sparse = "sparse_categorical_crossentropy"
    return {
        "mlp": (dense(L.Dense(16, "relu"), L.Dense(3, "softmax"), loss=sparse), (x, y)),
        "one-hot": (
            dense(L.Dense(16, "relu"), L.Dense(3, "softmax"), loss="categorical_crossentropy"),
            (x, np.eye(3, dtype="float32")[y]),
        ),
        "logits": (
            dense(
                L.Dense(16, "relu"), L.Dense(3), optimizer=keras.optimizers.SGD(0.01),
                loss=KL.SparseCategoricalCrossentropy(from_logits=True),
            ),
            (x, y),
        ),
        "binary": (
            dense(L.Dense(16, "relu"), L.Dense(1, "sigmoid"), loss="binary_crossentropy"),
            (x, (y > 0).astype("float32")),
        ),
        "regression": (
            dense(L.Dense(16, "relu"), L.Dense(1), loss="mse", optimizer="rmsprop"), (a, b[:, 0])
        ),
        "cnn": (
            dense(
                L.Conv2D(8, 3), L.BatchNormalization(), L.ReLU(), L.MaxPooling2D(), L.Flatten(),
                L.Dropout(0.3), L.Dense(3, "softmax"), loss=sparse, inputs=(12, 12, 1),
            ),
            (im, d),
        ),
        "lstm": (
            dense(
                L.Embedding(20, 12), L.LSTM(16), L.Dense(3, "softmax"), loss=sparse, inputs=(7,)
            ),
            (t, c),
        ),
    }  # fmt: skip


@pytest.mark.parametrize("name", sound_keras())
def test_sound_keras_programs_give_no_alarm(name: str) -> None:
    model, (x, y) = sound_keras()[name]
    reasons = why(model, (x, y))
    assert not reasons, str(reasons)
    model.fit(x, y, epochs=15, batch_size=16, verbose=0)
    after = why(model, (x, y))
    assert not after, str(after)


def test_nothing_of_the_users_changes() -> None:
    model, (x, y), loss, *_ = sound_torch()["cnn"]
    optimizer = Adam(model.parameters())
    loss(model(x), y).backward()
    optimizer.step()
    weights = {n: t.numpy().copy() for n, t in model.state_dict().items()}
    grads = [p.grad.numpy().copy() for p in model.parameters()]
    moments = [s["exp_avg"].numpy().copy() for s in optimizer.state.values()]
    loader = DataLoader(TensorDataset(x, y), batch_size=16, shuffle=True)
    state = streams.get_state()
    why(model, loader, loss=loss, optimizer=optimizer, evaluate=lambda b: model(b[0]))
    assert streams.get_state() == state and optimizer.param_groups[0]["lr"] == 1e-3
    for n, t in model.state_dict().items():
        np.testing.assert_array_equal(t.numpy(), weights[n], err_msg=n)
    for p, g in zip(model.parameters(), grads, strict=True):
        np.testing.assert_array_equal(p.grad.numpy(), g)
    for s, m in zip(optimizer.state.values(), moments, strict=True):
        np.testing.assert_array_equal(s["exp_avg"].numpy(), m)


def test_nothing_of_a_keras_model_changes() -> None:
    model, (x, y) = sound_keras()["cnn"]
    model.fit(x, y, epochs=1, verbose=0)
    before = [w.copy() for w in model.get_weights()]
    slots = [v.numpy().copy() for v in model.optimizer.variables]
    metrics = model.get_metrics_result()
    state = streams.get_state()
    why(model, (x, y))
    assert streams.get_state() == state
    for a, b in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    for a, v in zip(slots, model.optimizer.variables, strict=True):
        np.testing.assert_array_equal(a, v.numpy())
    assert {k: float(v) for k, v in model.get_metrics_result().items()} == {
        k: float(v) for k, v in metrics.items()
    }
