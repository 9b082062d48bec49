"""Models in files: what is written comes back, and what cannot be is refused."""

import numpy as np
import pytest

from chainrule import keras
from chainrule.errors import DataError, ShapeError
from chainrule.keras import Input, Model, Sequential, layers, optimizers


def array(t):
    return t.detach().numpy()


def trained(rng, **options):
    model = Sequential([Input((6,)), layers.Reshape((3, 2)), layers.Bidirectional(layers.LSTM(4)),
                        layers.BatchNormalization(), layers.Dense(2, "softmax")])  # fmt: skip
    model.compile(optimizers.Adam(0.01), "sparse_categorical_crossentropy", metrics=["accuracy"])
    x, y = rng.normal(size=(40, 6)).astype("f"), rng.integers(0, 2, 40)
    model.fit(x, y, verbose=0)
    return model, x, y


def test_a_model_goes_on_where_it_was_saved(tmp_path, rng):
    model, x, y = trained(rng)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(array(again(x)), array(model(x)))
    assert again.evaluate(x, y, verbose=0) == pytest.approx(model.evaluate(x, y, verbose=0))
    for m in (model, again):
        m.fit(x, y, shuffle=False, verbose=0)  # the optimiser's state came along
    for a, b in zip(model.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6)


def test_functional_models_with_operations(tmp_path, rng):
    a, b = Input((4,), name="a"), Input((4,), name="b")
    shared = layers.Dense(3)
    y = keras.ops.concatenate([shared(a), shared(b) * 2.0], axis=-1)[:, 1:]
    model = Model(
        {"a": a, "b": b}, layers.MultiHeadAttention(2, 2)(*[keras.ops.expand_dims(y, 1)] * 2)
    )
    model.save(tmp_path / "m.keras")
    again = keras.saving.load_model(tmp_path / "m.keras")
    data = {"a": rng.normal(size=(2, 4)).astype("f"), "b": rng.normal(size=(2, 4)).astype("f")}
    np.testing.assert_array_equal(array(again(data)), array(model(data)))


@keras.saving.register_keras_serializable("tests")
class Doubling(layers.Layer):
    def __init__(self, factor=2.0, **kwargs):
        super().__init__(**kwargs)
        self.factor = factor

    def call(self, x):
        return x * self.factor

    def get_config(self):
        return super().get_config() | {"factor": self.factor}


class Net(Model):
    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.dense = layers.Dense(units)
        self.double = Doubling(3.0)

    def call(self, x):
        return self.double(self.dense(x))


def test_classes_of_ones_own(tmp_path, rng):
    x = rng.normal(size=(2, 4)).astype("f")
    net = Net(3)
    want = array(net(x))
    net.save(tmp_path / "net.keras")
    with pytest.raises(ValueError, match="unknown object 'Net'"):
        keras.models.load_model(tmp_path / "net.keras")
    again = keras.models.load_model(tmp_path / "net.keras", custom_objects={"Net": Net})
    np.testing.assert_array_equal(array(again(x)), want)


def test_weights_alone(tmp_path, rng):
    model, x, _ = trained(rng)
    path = tmp_path / "w.weights.safetensors"
    model.save_weights(path)
    other, _, _ = trained(rng)
    other.load_weights(path)
    np.testing.assert_array_equal(array(other(x)), array(model(x)))
    with pytest.raises(FileExistsError):
        model.save_weights(path, overwrite=False)
    with pytest.raises(DataError, match="weights only"):
        keras.models.load_model(path)


def test_weights_that_do_not_fit(tmp_path):
    a = Sequential([Input((3,)), layers.Dense(2), layers.Dense(4, name="head")])
    b = Sequential([Input((3,)), layers.Dense(2), layers.Dense(5, name="head")])
    path = tmp_path / "w"
    a.save_weights(path)
    with pytest.raises(ShapeError, match=r"'head'.*\(2, 5\).*\(2, 4\)"):
        b.load_weights(path)
    with pytest.warns(UserWarning, match="skipped"):
        b.load_weights(path, skip_mismatch=True)
    np.testing.assert_array_equal(b.get_weights()[0], a.get_weights()[0])
    with pytest.raises(ValueError, match=r"2 layers.*1 layers"):
        Sequential([Input((3,)), layers.Dense(2)]).load_weights(path)
    with pytest.raises(ValueError, match="no weights yet"):
        Sequential([layers.Dense(2)]).load_weights(path)


def test_files_that_are_not_ours(tmp_path):
    model = Sequential([Input((3,)), layers.Dense(2)])
    with pytest.raises(NotImplementedError, match=r"m\.weights\.safetensors"):
        model.save_weights(tmp_path / "m.weights.h5")
    with pytest.raises(FileNotFoundError):
        keras.models.load_model(tmp_path / "none.keras")
    (tmp_path / "junk.keras").write_bytes(b"junk")
    with pytest.raises(DataError):
        keras.models.load_model(tmp_path / "junk.keras")


def test_a_lambda_cannot_be_saved(tmp_path):
    model = Sequential([Input((3,)), layers.Lambda(lambda x: x)])
    with pytest.raises(ValueError, match="lambda"):
        model.save(tmp_path / "m.keras")
