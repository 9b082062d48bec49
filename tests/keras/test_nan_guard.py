"""The guard in `fit`: steps that are run again without being recorded are guarded, too."""

import numpy as np
import pytest

import chainrule as torch
from chainrule import config, keras
from chainrule.errors import NonFiniteError
from chainrule.keras import layers


class Log(layers.Layer):
    def call(self, inputs):
        return keras.ops.log(inputs)


@pytest.fixture(autouse=True)
def guard(monkeypatch, tmp_path):
    monkeypatch.setattr(config, "nan_folder", str(tmp_path))
    keras.utils.set_random_seed(0)
    with torch.nan_guard():
        yield


def fitted(model, x, y, rate=0.01, **more):
    model.compile(keras.optimizers.SGD(rate), "mse")
    with pytest.raises(NonFiniteError) as caught:
        model.fit(x, y, verbose=0, shuffle=False, batch_size=8, **more)
    return caught.value


def dense():
    return keras.Sequential([keras.Input((4,)), layers.Dense(3), layers.Dense(1)], name="model")


def data(rows=160):
    rng = np.random.default_rng(0)
    return rng.random((rows, 4), np.float32), rng.random((rows, 1), np.float32)


def test_the_layer_is_named_by_its_path():
    inner = keras.Sequential([layers.ReLU(), Log(name="log")], name="block")
    model = keras.Sequential([keras.Input((4,)), inner, layers.Dense(1)], name="model")
    x, y = data()
    x[3, 2] = -1
    error = fitted(model, x, y)
    assert error.finding.op == "log" and error.finding.place.layer == "model/block/log"
    assert "return keras.ops.log(inputs)" in str(error)


def test_data_that_become_bad_after_many_steps_are_named():
    """By then the step is replayed, not recorded."""
    x, y = data()
    x[157, 1] = np.nan
    model = dense()
    error = fitted(model, x, y, epochs=3)
    assert "the batch had NaN already" in str(error) and error.finding.output.first == (5, 1)
    assert all(np.isfinite(w).all() for w in model.get_weights())


def test_a_rate_that_is_too_high_is_said():
    x, y = data()
    model = dense()
    error = fitted(model, x, y, rate=1e6, epochs=50)
    assert "a lower learning rate" in error.finding.remedy
    assert all(np.isfinite(w).all() for w in model.get_weights())


def test_sound_training_passes():
    x, y = data()
    model = keras.Sequential([keras.Input((4,)), layers.Dense(8, "relu"), layers.Dense(1)])
    model.compile("adam", "mse", metrics=["mae"])
    losses = model.fit(x, y, verbose=0, epochs=5, validation_split=0.2).history["loss"]
    assert losses[-1] < losses[0]
