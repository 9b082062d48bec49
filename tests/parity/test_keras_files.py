"""Files go both ways: what Keras writes loads here, and what is written here loads in Keras, with
equal predictions and an optimizer that goes on as it would have.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chainrule import keras as ours

os.environ.setdefault("KERAS_BACKEND", "torch")
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import keras as theirs

pytestmark = pytest.mark.filterwarnings("ignore")

LIBRARIES = {"ours": ours, "theirs": theirs}


def mlp(k: Any) -> Any:
    return k.Sequential([
        k.Input((6,)),
        k.layers.Dense(5, "relu", kernel_regularizer="l2", kernel_initializer="he_normal"),
        k.layers.Dropout(0.0),
        k.layers.BatchNormalization(),
        k.layers.Dense(2),
    ])  # fmt: skip


def without_an_input(k: Any) -> Any:
    model = k.Sequential([k.layers.Dense(5, activation=k.activations.gelu), k.layers.Dense(2)])
    model.build((None, 6))
    return model


def graph_with_functions(k: Any) -> Any:
    x = k.Input((6,), name="x")
    a = k.layers.Dense(4, name="a")(x)
    b = k.ops.concatenate([a * 2.0, k.ops.relu(a)], axis=-1)
    c = k.ops.mean(k.ops.reshape(b, (-1, 2, 4)), axis=1, keepdims=True)[:, 0]
    return k.Model(x, k.layers.Dense(2)(c - 1.0))


def shared_and_nested(k: Any) -> Any:
    x = k.Input((6,))
    inner_in = k.Input((6,))
    inner = k.Model(inner_in, k.layers.Dense(6, name="inner_dense")(inner_in), name="inner")
    twice = inner(inner(x))
    merged = k.layers.Add()([twice, x])
    return k.Model(x, k.layers.Dense(2)(k.Sequential([k.layers.Dense(3)], name="s")(merged)))


def recurrent(k: Any) -> Any:
    return k.Sequential([
        k.Input((6,)),
        k.layers.Reshape((3, 2)),
        k.layers.Bidirectional(k.layers.LSTM(4, return_sequences=True)),
        k.layers.GRU(3, return_sequences=True),
        k.layers.SimpleRNN(3, return_sequences=True),
        k.layers.RNN(k.layers.StackedRNNCells([k.layers.LSTMCell(2), k.layers.GRUCell(3)])),
        k.layers.Dense(2),
    ])  # fmt: skip


def attention(k: Any) -> Any:
    x = k.Input((6,))
    y = k.layers.Reshape((3, 2))(x)
    y = k.layers.MultiHeadAttention(2, 3)(y, y)
    y = k.layers.LayerNormalization()(y)
    y = k.layers.TimeDistributed(k.layers.Dense(2))(y)
    return k.Model(x, k.layers.Dense(2)(k.layers.GlobalAveragePooling1D()(y)))


def pictures(k: Any) -> Any:
    return k.Sequential([
        k.Input((6,)),
        k.layers.Reshape((3, 2, 1)),
        k.layers.Conv2D(4, 2, padding="same", activation="relu"),
        k.layers.DepthwiseConv2D(2, padding="same"),
        k.layers.SeparableConv2D(3, 2, padding="same"),
        k.layers.Conv2DTranspose(2, 2, padding="same"),
        k.layers.PReLU(),
        k.layers.MaxPooling2D((3, 1)),
        k.layers.GroupNormalization(1),
        k.layers.Flatten(),
        k.layers.Dense(2),
    ])  # fmt: skip


def words(k: Any) -> Any:
    return k.Sequential([
        k.Input((6,), dtype="int32"),
        k.layers.Embedding(4, 3, mask_zero=True),
        k.layers.LSTM(4),
        k.layers.Dense(2),
    ])  # fmt: skip


MODELS: dict[str, Callable[[Any], Any]] = {
    f.__name__: f for f in (mlp, without_an_input, graph_with_functions, shared_and_nested,
                            recurrent, attention, pictures, words)
}  # fmt: skip


def data() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    return np.abs(rng.normal(size=(8, 6))).round().clip(0, 3).astype("f"), rng.normal(size=(8, 2))


def predicted(model: Any, x: np.ndarray) -> np.ndarray:
    return np.asarray(model.predict(x, verbose=0))


def state(optimizer: Any) -> list[np.ndarray]:
    return [np.asarray(v.numpy() if hasattr(v, "numpy") else v) for v in optimizer.variables]


def trained(k: Any, build: Callable[[Any], Any], optimizer: Any = "adam") -> Any:
    k.utils.set_random_seed(1)
    model = build(k)
    chosen = optimizer(k) if callable(optimizer) else optimizer
    # Keras 3.15 cannot read the names "mse" and "mae" in its own .h5 files.
    metrics = ["mean_absolute_error", k.metrics.MeanSquaredError(name="second")]
    model.compile(chosen, k.losses.MeanSquaredError(), metrics=metrics)
    x, y = data()
    model.fit(x, y, epochs=2, batch_size=4, shuffle=False, verbose=0)
    return model


@pytest.mark.parametrize("writer, reader", [("ours", "theirs"), ("theirs", "ours")])
@pytest.mark.parametrize("suffix", [".keras", ".h5"])
@pytest.mark.parametrize("name", MODELS)
def test_models(name: str, suffix: str, writer: str, reader: str, tmp_path: Path) -> None:
    model = trained(LIBRARIES[writer], MODELS[name])
    x, y = data()
    path = tmp_path / f"model{suffix}"
    model.save(path)
    again = LIBRARIES[reader].models.load_model(path)
    np.testing.assert_allclose(predicted(again, x), predicted(model, x), rtol=2e-4, atol=2e-5)
    if reader == "theirs" and suffix == ".h5":
        return  # Keras itself does not take the optimizer's state from such a file
    for a, b in zip(state(model.optimizer), state(again.optimizer), strict=True):
        np.testing.assert_allclose(b, a, rtol=1e-6)
    for m in (model, again):
        m.fit(x, y, epochs=1, batch_size=8, shuffle=False, verbose=0)
    np.testing.assert_allclose(predicted(again, x), predicted(model, x), rtol=2e-3, atol=2e-4)


@pytest.mark.parametrize("writer, reader", [("ours", "theirs"), ("theirs", "ours")])
@pytest.mark.parametrize("name", MODELS)
def test_weights(name: str, writer: str, reader: str, tmp_path: Path) -> None:
    model = trained(LIBRARIES[writer], MODELS[name])
    other = MODELS[name](LIBRARIES[reader])
    model.save_weights(tmp_path / "model.weights.h5")
    other.load_weights(tmp_path / "model.weights.h5")
    x, _ = data()
    np.testing.assert_allclose(predicted(other, x), predicted(model, x), rtol=2e-4, atol=2e-5)


OPTIMIZERS: dict[str, Callable[[Any], Any]] = {
    "scheduled": lambda k: k.optimizers.SGD(
        k.optimizers.schedules.ExponentialDecay(0.1, 10, 0.9), momentum=0.9
    ),
    "amsgrad": lambda k: k.optimizers.Adam(0.01, amsgrad=True, clipnorm=1.0),
    "rmsprop": lambda k: k.optimizers.RMSprop(0.01, momentum=0.5, centered=True),
    **{
        name: lambda k, name=name: getattr(k.optimizers, name)(0.01)
        for name in ("AdamW", "Nadam", "Adamax", "Adagrad", "Adadelta", "Lion", "Ftrl")
    },
}


@pytest.mark.parametrize("writer, reader", [("ours", "theirs"), ("theirs", "ours")])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimizers(name: str, writer: str, reader: str, tmp_path: Path) -> None:
    model = trained(LIBRARIES[writer], mlp, OPTIMIZERS[name])
    x, y = data()
    model.save(tmp_path / "model.keras")
    again = LIBRARIES[reader].models.load_model(tmp_path / "model.keras")
    for a, b in zip(state(model.optimizer), state(again.optimizer), strict=True):
        np.testing.assert_allclose(b, a, rtol=1e-6)
    if name in ("Lion", "Nadam"):
        return  # Lion goes by signs; Keras's files do not have Nadam's product of momenta
    for m in (model, again):
        m.fit(x, y, epochs=1, batch_size=8, shuffle=False, verbose=0)
    np.testing.assert_allclose(predicted(again, x), predicted(model, x), rtol=2e-3, atol=2e-4)


@pytest.mark.parametrize("writer, reader", [("ours", "theirs"), ("theirs", "ours")])
def test_the_architecture_as_json(writer: str, reader: str) -> None:
    for build in MODELS.values():
        text = build(LIBRARIES[writer]).to_json()
        again = LIBRARIES[reader].models.model_from_json(text)
        shapes = [tuple(w.shape) for w in build(LIBRARIES[reader]).weights]
        assert [tuple(w.shape) for w in again.weights] == shapes


def test_code_in_keras_files_is_not_run(tmp_path: Path) -> None:
    model = theirs.Sequential([theirs.Input((2,)), theirs.layers.Lambda(lambda x: x + 1)])
    model.save(tmp_path / "m.keras")
    with pytest.raises(ValueError, match="arbitrary code execution"):
        ours.models.load_model(tmp_path / "m.keras")
    again = ours.models.load_model(tmp_path / "m.keras", safe_mode=False)
    assert again.predict(np.zeros((1, 2)), verbose=0).tolist() == [[1.0, 1.0]]
