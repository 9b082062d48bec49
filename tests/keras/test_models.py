"""Sequential, functional and subclassed models: structure, summaries, clones."""

import numpy as np
import pytest

from chainrule import keras
from chainrule.errors import ShapeError
from chainrule.keras import Input, Model, Sequential, layers, ops


def array(t):
    return t.detach().numpy()


def two_branches():
    a, b = Input((4,), name="a"), Input((3,), name="b")
    shared = layers.Dense(5, activation="relu", name="shared")
    x = layers.concatenate([shared(a), shared(layers.Dense(4)(b))])
    return Model(
        [a, b], [layers.Dense(2, name="left")(x), layers.Dense(1, name="right")(x * 2 + 1)]
    )


def test_functional_models_compute_what_their_layers_do(rng):
    model = two_branches()
    a, b = rng.normal(size=(6, 4)).astype("f"), rng.normal(size=(6, 3)).astype("f")
    left, right = (array(o) for o in model([a, b]))
    w = {layer.name: layer.get_weights() for layer in model.layers if layer.weights}
    first = a @ w["shared"][0] + w["shared"][1]
    second = (b @ w["dense"][0] + w["dense"][1]) @ w["shared"][0] + w["shared"][1]
    x = np.maximum(np.concatenate([first, second], -1), 0)
    np.testing.assert_allclose(left, x @ w["left"][0] + w["left"][1], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(
        right, (2 * x + 1) @ w["right"][0] + w["right"][1], rtol=1e-4, atol=1e-5
    )
    named = model({"b": b, "a": a})
    np.testing.assert_array_equal(array(named[0]), left)
    assert len(model.weights) == 8  # the shared layer counts once
    assert model.output_names == ["left", "right"]


def test_shapes_with_open_sizes():
    image = Input((None, None, 3))
    x = layers.Conv2D(8, 3, strides=2, padding="same")(image)
    assert x.shape == (None, None, None, 8)
    pooled = layers.GlobalAveragePooling2D()(x)
    assert pooled.shape == (None, 8)
    text = Input((None,), dtype="int64")
    hidden = layers.LSTM(5, return_sequences=True)(layers.Embedding(10, 4)(text))
    assert hidden.shape == (None, None, 5)
    model = Model(image, pooled)
    assert model(np.zeros((2, 7, 9, 3), "f")).shape == (2, 8)


def test_operations_on_symbolic_tensors():
    x = Input((4, 6))
    y = ops.mean(ops.exp(-(x**2)) / 3 + 1.0, axis=1)[:, 1:3]
    assert y.shape == (None, 2)
    assert (np.float32(2) * x).shape == (None, 4, 6)
    data = np.random.default_rng(0).normal(size=(2, 4, 6)).astype("f")
    want = (np.exp(-(data**2)) / 3 + 1).mean(1)[:, 1:3]
    np.testing.assert_allclose(array(Model(x, y)(data)), want, rtol=1e-5)


def test_feature_extraction():
    model = Sequential([Input((4,)), layers.Dense(5), layers.Dense(2)])
    features = Model(model.inputs, [layer.output for layer in model.layers])
    outs = features(np.ones((3, 4), "f"))
    assert [tuple(o.shape) for o in outs] == [(3, 5), (3, 2)]
    assert Model(inputs=model.input, outputs=model.get_layer(index=0).output).output_shape == (
        None,
        5,
    )


def test_models_as_layers_of_models(rng):
    inner = Sequential([Input((4,)), layers.Dense(3, activation="relu"), layers.Dropout(0.5)])
    x = Input((4,))
    outer = Model(x, layers.Dense(1)(inner(x)))
    assert len(outer.trainable_weights) == 4
    inner.trainable = False
    assert len(outer.trainable_weights) == 2
    data = rng.normal(size=(50, 4)).astype("f")
    assert (
        array(outer(data, training=True)) != array(outer(data))
    ).any()  # training reaches inside


class Net(Model):
    def __init__(self, units=3, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.hidden = layers.Dense(units, activation="tanh")
        self.dropout = layers.Dropout(0.5)
        self.head = layers.Dense(1)

    def call(self, x, training=False):
        return self.head(self.dropout(self.hidden(x), training=training))


def test_subclassed_models(rng):
    net = Net(4)
    with pytest.raises(ValueError, match=r"isn.t built"):
        net.count_params()
    net.build((None, 2))
    assert net.count_params() == 2 * 4 + 4 + 4 + 1
    assert [layer.name for layer in net.layers] == ["dense", "dropout", "dense_1"]
    assert net(rng.normal(size=(5, 2))).shape == (5, 1)
    clone = keras.models.clone_model(net)
    assert clone.units == 4


def test_a_functional_subclass():
    class Wrapped(Model):
        pass

    x = Input((3,))
    model = Wrapped(x, layers.Dense(2)(x))
    assert isinstance(model, Wrapped) and model.output_shape == (None, 2)


def test_sequential_builds_when_the_shape_is_known():
    model = Sequential([layers.Dense(3), layers.Dense(2)])
    assert model.weights == []
    with pytest.raises(AttributeError, match="input shape"):
        _ = model.inputs
    model(np.zeros((1, 4)))
    assert model.count_params() == 4 * 3 + 3 + 3 * 2 + 2
    model.add(layers.Dense(1))
    assert model.output_shape == (None, 1)
    model.pop()
    assert model.output_shape == (None, 2)
    late = Sequential(name="late")
    late.add(Input((4,)))
    late.add(layers.Dense(2))
    assert late.output_shape == (None, 2)
    built = Sequential([layers.Dense(2)])
    built.build((None, 6))
    assert built.count_params() == 14


def test_the_first_layer_may_give_the_shape():
    assert (
        Sequential([layers.Flatten(input_shape=(28, 28)), layers.Dense(2)]).count_params() == 1570
    )
    assert Sequential([layers.Dense(2, input_dim=3)]).output_shape == (None, 2)
    text = Sequential([layers.Embedding(10, 4, input_length=7), layers.Flatten()])
    assert text.output_shape == (None, 28)


def test_what_does_not_go_into_a_sequential():
    with pytest.raises(TypeError, match="forget to call"):
        Sequential([layers.Dense])
    with pytest.raises(TypeError, match=r"keras\.Layer"):
        Sequential(["dense"])
    with pytest.raises(ValueError, match="'same'"):
        Sequential([layers.Dense(1, name="same"), layers.Dense(1, name="same")])
    with pytest.raises(ShapeError, match="'conv2d'"):
        Sequential([Input((28, 28)), layers.Conv2D(3, 3)])


def test_wrong_graphs():
    x, y = Input((3,)), Input((3,))
    with pytest.raises(ValueError, match="not among the inputs"):
        Model(x, layers.Dense(1)(y))
    with pytest.raises(ValueError, match="KerasTensors"):
        Model(np.zeros((2, 3)), x)
    with pytest.raises(ValueError, match="numerical value"):
        np.asarray(x)
    with pytest.raises(TypeError, match="boolean"):
        bool(x)
    model = Model(x, layers.Dense(1)(x), name="net")
    with pytest.raises(ShapeError, match=r"'net'.*\(None, 3\).*\(2, 4\)"):
        model(np.zeros((2, 4), "f"))
    with pytest.raises(ValueError, match="1 input"):
        model([np.zeros((2, 3)), np.zeros((2, 3))])
    with pytest.raises(ValueError, match="No such layer: conv"):
        model.get_layer("conv")


def test_summary_is_the_table_that_keras_prints(capsys):
    model = Sequential(
        [Input((784,)), layers.Dense(128), layers.BatchNormalization(), layers.Dense(10)]
    )
    model.summary()
    text = capsys.readouterr().out
    for part in ('Model: "sequential"', "Layer (type)", "dense (Dense)", "(None, 128)", "100,480",
                 "Total params: 102,282 (399.54 KB)", "Trainable params: 102,026 (398.54 KB)",
                 "Non-trainable params: 256 (1.00 KB)"):  # fmt: skip
        assert part in text
    lines = []
    two_branches().summary(print_fn=lines.append, line_length=79)
    assert "Connected to" in lines[0] and "shared[0][0]" in lines[0]
    unbuilt = Net()
    with pytest.warns(UserWarning, match="no weights yet"):
        unbuilt.summary()


def test_clones_have_weights_of_their_own(rng):
    for model in (two_branches(), Sequential([Input((4,)), layers.Dense(3), layers.ReLU()])):
        clone = keras.models.clone_model(model)
        assert clone.count_params() == model.count_params()
        assert not any(a is b for a in clone.weights for b in model.weights)
        clone.set_weights(model.get_weights())
        data = [rng.normal(size=(2, *t.shape[1:])).astype("f") for t in model.inputs]
        for a, b in zip(outputs(model, data), outputs(clone, data), strict=True):
            np.testing.assert_allclose(array(a), array(b), rtol=1e-6)


def outputs(model, data):
    return list(model(data)) if len(data) > 1 else [model(data[0])]


def test_json_round_trip():
    model = two_branches()
    again = keras.models.model_from_json(model.to_json())
    assert [layer.name for layer in again.layers] == [layer.name for layer in model.layers]
    assert again.output_shape == model.output_shape


def test_weights_in_and_out():
    model = Sequential([Input((3,)), layers.Dense(2)])
    model.set_weights([np.ones((3, 2)), np.zeros(2)])
    np.testing.assert_array_equal(array(model(np.ones((1, 3)))), [[3, 3]])
    with pytest.raises(ShapeError, match=r"\(3, 2\).*\(2, 3\).*kernel"):
        model.set_weights([np.ones((2, 3)), np.zeros(2)])
    with pytest.raises(ValueError, match="2 weights"):
        model.set_weights([np.ones((3, 2))])
