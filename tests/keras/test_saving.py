"""Models in files: what is written comes back, and what cannot be is refused."""

import zipfile

import numpy as np
import pytest

from chainrule import keras
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
    with pytest.raises(TypeError, match="Could not locate class 'Net'"):
        keras.models.load_model(tmp_path / "net.keras")
    again = keras.models.load_model(tmp_path / "net.keras", custom_objects={"Net": Net})
    np.testing.assert_array_equal(array(again(x)), want)


def test_weights_alone(tmp_path, rng):
    model, x, _ = trained(rng)
    path = tmp_path / "m.weights.h5"
    model.save_weights(path)
    other, _, _ = trained(rng)
    other.load_weights(path)
    np.testing.assert_array_equal(array(other(x)), array(model(x)))
    with pytest.raises(ValueError, match="File format not supported"):
        keras.models.load_model(tmp_path / "m.weights")
    model.save_weights(tmp_path / "parts.weights.json", max_shard_size=1e-6)
    assert len(list(tmp_path.glob("parts_*.weights.h5"))) > 1
    other.set_weights([np.zeros_like(w) for w in other.get_weights()])
    other.load_weights(tmp_path / "parts.weights.json")
    np.testing.assert_array_equal(array(other(x)), array(model(x)))


def test_nothing_is_replaced_unasked(tmp_path, monkeypatch):
    model = Sequential([Input((3,)), layers.Dense(2)])
    model.save(tmp_path / "m.keras")
    answers = iter(["maybe", "n"])
    monkeypatch.setattr("builtins.input", lambda text: next(answers))
    before = (tmp_path / "m.keras").read_bytes()
    model.save(tmp_path / "m.keras", overwrite=False)
    assert (tmp_path / "m.keras").read_bytes() == before

    def nobody(text):
        raise EOFError

    monkeypatch.setattr("builtins.input", nobody)
    with pytest.raises(FileExistsError, match="overwrite=True"):
        model.save(tmp_path / "m.keras", overwrite=False)


def test_weights_that_do_not_fit(tmp_path):
    a = Sequential([Input((3,)), layers.Dense(2), layers.Dense(4, name="head")])
    b = Sequential([Input((3,)), layers.Dense(2), layers.Dense(5, name="head")])
    path = tmp_path / "w.weights.h5"
    a.save_weights(path)
    with pytest.raises(ValueError, match=r"1 objects could not be loaded.*head"):
        b.load_weights(path)
    with pytest.warns(UserWarning, match="could not be loaded"):
        b.load_weights(path, skip_mismatch=True)
    np.testing.assert_array_equal(b.get_weights()[0], a.get_weights()[0])
    with pytest.raises(ValueError, match="not yet been built"):
        Sequential([layers.Dense(2)]).load_weights(path)


def test_old_files_go_by_name_too(tmp_path, rng):
    model, x, _ = trained(rng)
    model.save(tmp_path / "m.h5")
    again = keras.models.load_model(tmp_path / "m.h5")
    np.testing.assert_array_equal(array(again(x)), array(model(x)))
    assert int(again.optimizer.iterations) == int(model.optimizer.iterations) > 0
    head = model.layers[-1]
    other = Sequential([Input((8,)), layers.Dense(2, name=head.name), layers.Dense(3)])
    other.load_weights(tmp_path / "m.h5", by_name=True)
    np.testing.assert_array_equal(other.layers[0].get_weights()[0], head.get_weights()[0])
    with pytest.raises(ValueError, match="Layer count mismatch"):
        other.load_weights(tmp_path / "m.h5")


def test_files_that_are_not_ours(tmp_path):
    with pytest.raises(ValueError, match="File not found"):
        keras.models.load_model(tmp_path / "none.keras")
    (tmp_path / "junk.keras").write_bytes(b"junk")
    with pytest.raises(ValueError, match=r"accessible `\.keras`"):
        keras.models.load_model(tmp_path / "junk.keras")


def test_what_fails_leaves_the_old_file(tmp_path):
    class Failing(layers.Layer):
        def save_own_variables(self, store):
            raise KeyboardInterrupt

        def call(self, x):
            return x

    path = tmp_path / "m.keras"
    Sequential([Input((3,)), layers.Dense(2)]).save(path)
    before = path.read_bytes()
    with pytest.raises(KeyboardInterrupt):
        Sequential([Input((3,)), Failing()]).save(path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["m.keras"]


def test_code_in_a_file_is_not_run(tmp_path):
    model = Sequential([Input((3,)), layers.Lambda(lambda x: x + 1)])
    model.save(tmp_path / "m.keras")
    with pytest.raises(ValueError, match="arbitrary code execution"):
        keras.models.load_model(tmp_path / "m.keras")
    again = keras.models.load_model(tmp_path / "m.keras", safe_mode=False)
    assert array(again(np.zeros((1, 3), "f"))).tolist() == [[1.0, 1.0, 1.0]]


def test_names_are_keras_names(tmp_path):
    model = Sequential([Input((3,)), layers.Dense(2, kernel_regularizer="l2")])
    model.compile("adam", "mse")
    model.save(tmp_path / "m.keras")
    with zipfile.ZipFile(tmp_path / "m.keras") as archive:
        assert archive.namelist() == ["metadata.json", "config.json", "model.weights.h5"]
    config = keras.saving.serialize_keras_object(model)
    assert (config["module"], config["class_name"]) == ("keras", "Sequential")
    dense = config["config"]["layers"][1]
    assert (dense["module"], dense["registered_name"]) == ("keras.layers", None)
    assert dense["config"]["kernel_regularizer"]["module"] == "keras.regularizers"
    assert config["compile_config"]["optimizer"]["module"] == "keras.optimizers"


def test_losses_and_metrics_of_one_name_are_two_things():
    for room in (keras.losses, keras.metrics):
        again = keras.saving.deserialize_keras_object(
            keras.saving.serialize_keras_object(room.MeanSquaredError())
        )
        assert type(again) is room.MeanSquaredError


def test_every_convolution_keeps_its_weights_in_a_file(tmp_path):
    kinds = (layers.Conv2D, layers.SeparableConv2D, layers.Conv2DTranspose)
    parts = [kind(3, 3, padding="same") for kind in kinds] + [layers.DepthwiseConv2D(3)]
    model = keras.Sequential([keras.Input((8, 8, 2)), *parts])
    model.save(tmp_path / "m.keras")
    again = keras.models.load_model(tmp_path / "m.keras")
    for a, b in zip(model.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
