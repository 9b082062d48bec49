"""A shape that does not fit: the layer's path, what its axes mean, a repair, the user's line."""

import numpy as np
import pytest

from chainrule import keras
from chainrule.keras import layers


def told(call, *args, **kwargs):
    with pytest.raises(Exception) as caught:
        call(*args, **kwargs)
    return "\n".join([str(caught.value), *getattr(caught.value, "__notes__", [])])


def x(*shape):
    return np.ones(shape, np.float32)


def test_the_path_the_axes_the_repair_and_both_lines_are_named():
    class Block(layers.Layer):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.dense = layers.Dense(3, name="dense")

        def call(self, inputs):
            return self.dense(inputs)

    stem = layers.Activation("relu", name="stem")
    model = keras.Sequential([stem, Block(name="block")], name="model")
    model(x(2, 9))
    text = told(model, x(2, 7))
    assert "in model/block/dense (Dense), given f32[2 (batch), 7 (features)]" in text
    assert "kernel f32[9 (features), 3 (units)]" in text
    assert "it takes 9 features in the last axis, got 7" in text
    assert "Repair: a new layer (this one was built for 9 features), or give it 9" in text
    assert ", in call: return self.dense(inputs)" in text
    assert "from " in text and "text = told(model, x(2, 7))" in text


def test_the_layer_before_is_named():
    first, second = layers.Dense(4, name="first"), layers.Dense(2, name="second")
    model = keras.Sequential([keras.Input((3,)), first, second], name="model")
    second.input_spec = layers.InputSpec(min_ndim=2, axes={-1: 9})
    assert "(the layer before it: 'first', Dense)" in told(model, x(2, 3))


def test_channels_first_pictures_are_seen():
    layer = layers.Conv2D(4, 3)
    layer(x(2, 28, 28, 3))
    text = told(layer, x(2, 3, 28, 28))
    assert "f32[2 (batch), 3 (height), 28 (width), 28 (channels)]" in text
    assert "the axes look like NCHW: keras.ops.transpose(x, (0, 2, 3, 1))" in text
    first = layers.Conv2D(4, 3, data_format="channels_first")
    first(x(2, 3, 28, 28))
    assert "the axes look like NHWC" in told(first, x(2, 28, 28, 3))


def test_a_missing_axis_is_named():
    model = keras.Sequential([keras.Input((28, 28, 1)), layers.Conv2D(4, 3)])
    text = told(model.layers[0], x(2, 28, 28))
    assert "the channels axis is missing: keras.ops.expand_dims(x, 3)" in text
    assert "layers.Reshape((4, 1)) makes steps, features" in told(layers.LSTM(3), x(2, 4))


def test_what_shrinks_to_nothing_and_what_cannot_be_joined():
    with_pool = [keras.Input((4, 4, 1)), layers.MaxPooling2D(2), layers.Conv2D(4, 3)]
    text = told(keras.Sequential, with_pool)
    assert "given f32[? (batch), 2 (height), 2 (width), 1 (channels)]" in text
    assert "padding='same'" in text
    a, b = keras.Input((4,)), keras.Input((5,))
    assert "layers.Dense(4)" in told(layers.Add(), [a, b])
    c, d = keras.Input((4, 3)), keras.Input((5, 3))
    assert "only axis 1 differs: Concatenate(axis=1)" in told(layers.Concatenate(), [c, d])
    assert "layers.Reshape((-1, 4)) gives 6 there" in told(layers.Reshape((5, 4)), x(2, 24))


def test_an_embedding_says_how_large_its_table_is():
    text = told(layers.Embedding(10, 4), np.array([[3, 11]]))
    assert "index 11 is out of range, the table has 10 rows" in text and "input_dim" in text


def trained(targets, loss, rows=10, units=3):
    model = keras.Sequential([keras.Input((3,)), layers.Dense(units)])
    model.compile("sgd", loss)
    return told(model.fit, x(rows, 3), targets, verbose=0)


def test_fit_says_what_is_wrong_with_the_targets():
    text = trained(x(9, 1), "mse")
    assert "x of shape (10, 3), y of shape (9, 1)" in text and "x[:9], y[:9]" in text
    assert "end with Dense(2)" in trained(x(10, 2), "mse")
    assert "sparse_categorical_crossentropy" in trained(x(10), "categorical_crossentropy")
    assert "takes one-hot targets" in trained(x(10, 3), "sparse_categorical_crossentropy")


def test_fit_names_the_layer_that_the_data_do_not_fit():
    model = keras.Sequential([keras.Input((4,)), layers.Dense(1, name="out")], name="model")
    model.compile("sgd", "mse")
    text = told(model.fit, x(10, 3), x(10, 1), verbose=0)
    assert "in model" in text and "it takes 4 features in the last axis, got 3" in text
    assert "told(model.fit, x(10, 3)" in text


def test_attention_says_which_axes_its_mask_has():
    layer, q, v = layers.MultiHeadAttention(2, 4), x(2, 5, 8), x(2, 6, 8)
    text = told(layer, q, v, attention_mask=np.ones((2, 6, 5), bool))
    assert "(batch, 5 targets, 6 sources)" in text and "swapaxes(mask, -1, -2)" in text
    text = told(layer, q, v, attention_mask=np.ones((2, 4, 4), bool))
    assert "a mask of shape (batch, 5, 6)" in text
