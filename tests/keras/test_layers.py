"""The other layers: numbers from NumPy, shapes, names, weights, configs."""

import math

import numpy as np
import pytest

from chainrule.errors import ShapeError
from chainrule.keras import (
    Input,
    Model,
    Sequential,
    activations,
    initializers,
    layers,
    regularizers,
)
from chainrule.tensor import creation

close = {"rtol": 1e-4, "atol": 1e-5}


def array(t):
    return t.detach().numpy()


def test_dense(run, rng):
    x = rng.normal(size=(2, 5, 4)).astype("f")
    out, (w, b) = run(layers.Dense(3, activation="tanh"), x)
    np.testing.assert_allclose(out, np.tanh(x @ w + b), **close)
    assert array(layers.Dense(3)(np.ones((2, 4), int))).dtype == np.float32
    assert len(layers.Dense(3, use_bias=False)(x).shape) == 3
    with pytest.raises(ValueError, match="units"):
        layers.Dense(-1)


def test_dense_says_what_does_not_fit():
    dense = layers.Dense(3, name="head")
    dense(np.zeros((2, 4)))
    with pytest.raises(ShapeError, match=r"'head'.*value 4.*\(2, 5\)"):
        dense(np.zeros((2, 5)))


ACTIVATIONS = {
    "relu": lambda x: np.maximum(x, 0),
    "relu6": lambda x: np.clip(x, 0, 6),
    "leaky_relu": lambda x: np.where(x > 0, x, 0.2 * x),
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "hard_sigmoid": lambda x: np.clip(x / 6 + 0.5, 0, 1),
    "tanh": np.tanh,
    "softmax": lambda x: np.exp(x) / np.exp(x).sum(-1, keepdims=True),
    "log_softmax": lambda x: x - np.log(np.exp(x).sum(-1, keepdims=True)),
    "softplus": lambda x: np.log1p(np.exp(x)),
    "softsign": lambda x: x / (1 + abs(x)),
    "elu": lambda x: np.where(x > 0, x, np.exp(x) - 1),
    "selu": lambda x: 1.05070098 * np.where(x > 0, x, 1.67326324 * (np.exp(x) - 1)),
    "gelu": lambda x: x * 0.5 * (1 + np.vectorize(math.erf)(x / math.sqrt(2))),
    "silu": lambda x: x / (1 + np.exp(-x)),
    "swish": lambda x: x / (1 + np.exp(-x)),
    "mish": lambda x: x * np.tanh(np.log1p(np.exp(x))),
    "exponential": np.exp,
    "linear": lambda x: x,
    "hard_silu": lambda x: x * np.clip(x / 6 + 0.5, 0, 1),
    "celu": lambda x: np.maximum(x, 0) + np.minimum(0, np.exp(x) - 1),
    "log_sigmoid": lambda x: -np.log1p(np.exp(-x)),
    "squareplus": lambda x: (x + np.sqrt(x * x + 4)) / 2,
    "tanh_shrink": lambda x: x - np.tanh(x),
    "hard_tanh": lambda x: np.clip(x, -1, 1),
}


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations(name, rng):
    x = (3 * rng.normal(size=(4, 6))).astype("f")
    np.testing.assert_allclose(array(layers.Activation(name)(x)), ACTIVATIONS[name](x), **close)


def test_activation_layers(rng):
    x = (3 * rng.normal(size=(4, 6))).astype("f")
    relu = layers.ReLU(max_value=2.0, negative_slope=0.1, threshold=0.5)
    want = np.minimum(np.where(x >= 0.5, x, 0.1 * (x - 0.5)), 2.0)
    np.testing.assert_allclose(array(relu(x)), want, **close)
    np.testing.assert_allclose(array(layers.LeakyReLU()(x)), np.where(x > 0, x, 0.3 * x), **close)
    prelu = layers.PReLU(alpha_initializer=initializers.Constant(0.25))
    np.testing.assert_allclose(array(prelu(x)), np.where(x > 0, x, 0.25 * x), **close)
    mask = np.array([[True, True, False, True, True, False]] * 4)
    p = array(layers.Softmax()(x, mask=creation.tensor(mask)))
    assert (p[~mask] == 0).all() and np.allclose(p.sum(-1), 1)
    with pytest.raises(ValueError, match="unknown activation 'reluu'"):
        activations.get("reluu")


def test_batch_normalization(rng):
    x = (2 + 3 * rng.normal(size=(8, 5, 4))).astype("f")
    layer = layers.BatchNormalization(momentum=0.9)
    out = array(layer(x, training=True))
    mean, var = x.mean((0, 1)), x.var((0, 1))
    np.testing.assert_allclose(out, (x - mean) / np.sqrt(var + 1e-3), rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(layer.moving_mean.numpy(), 0.1 * mean, **close)
    np.testing.assert_allclose(layer.moving_variance.numpy(), 0.9 + 0.1 * var, **close)
    moved = (layer.moving_mean.numpy(), layer.moving_variance.numpy())
    np.testing.assert_allclose(
        array(layer(x)), (x - moved[0]) / np.sqrt(moved[1] + 1e-3), rtol=1e-3, atol=1e-4
    )
    layer.trainable = False  # frozen: inference, also while training
    np.testing.assert_allclose(array(layer(x, training=True)), array(layer(x)), **close)
    assert [w.name for w in layer.weights] == ["gamma", "beta", "moving_mean", "moving_variance"]


def test_layer_and_group_normalization(run, rng):
    x = rng.normal(size=(3, 5, 6)).astype("f")
    out, (g, b) = run(layers.LayerNormalization(), x)
    want = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-3) * g + b
    np.testing.assert_allclose(out, want, rtol=1e-3, atol=1e-4)
    out, (g, b) = run(layers.LayerNormalization(axis=1), x)
    m, v = x.mean(1, keepdims=True), x.var(1, keepdims=True)
    np.testing.assert_allclose(
        out, (x - m) / np.sqrt(v + 1e-3) * g[:, None] + b[:, None], rtol=1e-3, atol=1e-4
    )
    out, (g, b) = run(layers.GroupNormalization(groups=2), x)
    grouped = x.reshape(3, 5, 2, 3)
    m, v = grouped.mean((1, 3), keepdims=True), grouped.var((1, 3), keepdims=True)
    want = ((grouped - m) / np.sqrt(v + 1e-3)).reshape(x.shape) * g + b
    np.testing.assert_allclose(out, want, rtol=1e-3, atol=1e-4)


def test_dropout_keeps_the_mean_and_acts_only_in_training():
    x = np.ones((100, 100), "f")
    layer = layers.Dropout(0.25)
    np.testing.assert_array_equal(array(layer(x)), x)
    out = array(layer(x, training=True))
    np.testing.assert_allclose(np.unique(out), [0, 4 / 3], rtol=1e-5)
    assert out.mean() == pytest.approx(1, abs=0.05)
    assert (array(layer(x, training=True)) != out).any()
    a, b = (array(layers.Dropout(0.5, seed=3)(x, training=True)) for _ in range(2))
    np.testing.assert_array_equal(a, b)
    rows = array(layers.Dropout(0.5, noise_shape=(None, 1))(x, training=True))
    assert (rows == rows[:, :1]).all()
    spatial = array(layers.SpatialDropout1D(0.5)(np.ones((4, 5, 6), "f"), training=True))
    assert (spatial == spatial[:, :1]).all() and len(np.unique(spatial)) == 2
    with pytest.raises(ValueError, match="rate"):
        layers.Dropout(1.5)


def test_noise(rng):
    x = np.zeros((200, 200), "f")
    assert array(layers.GaussianNoise(0.5)(x, training=True)).std() == pytest.approx(0.5, rel=0.05)
    np.testing.assert_array_equal(array(layers.GaussianNoise(0.5)(x)), x)


def test_embedding():
    layer = layers.Embedding(5, 3)
    ids = np.array([[1, 4], [0, 2]])
    np.testing.assert_array_equal(array(layer(ids)), layer.get_weights()[0][ids])
    assert layer.compute_mask(creation.tensor(ids)) is None
    masked = layers.Embedding(5, 3, mask_zero=True)
    np.testing.assert_array_equal(masked.compute_mask(creation.tensor(ids)).numpy(), ids != 0)


def test_reshaping(rng):
    x = rng.normal(size=(2, 3, 4, 5)).astype("f")
    np.testing.assert_array_equal(array(layers.Flatten()(x)), x.reshape(2, 60))
    assert layers.Flatten()(np.zeros((3,), "f")).shape == (3, 1)
    np.testing.assert_array_equal(array(layers.Reshape((-1, 10))(x)), x.reshape(2, 6, 10))
    np.testing.assert_array_equal(array(layers.Permute((2, 1, 3))(x)), x.transpose(0, 2, 1, 3))
    np.testing.assert_array_equal(
        array(layers.RepeatVector(3)(x[:, 0, 0])), np.repeat(x[:, 0, :1], 3, 1)
    )
    np.testing.assert_array_equal(
        array(layers.ZeroPadding2D(((1, 2), (0, 3)))(x)),
        np.pad(x, [(0, 0), (1, 2), (0, 3), (0, 0)]),
    )
    np.testing.assert_array_equal(array(layers.Cropping2D(1)(x)), x[:, 1:-1, 1:-1])
    np.testing.assert_array_equal(
        array(layers.UpSampling2D((2, 3))(x)), x.repeat(2, 1).repeat(3, 2)
    )
    with pytest.raises(ShapeError, match=r"Reshape.*\(3, 4, 5\).*\(7, 7\)"):
        layers.Reshape((7, 7))(x)


def test_merging(rng):
    a, b = (rng.normal(size=(2, 3)).astype("f") for _ in range(2))
    for name, f in {"Add": a + b, "Subtract": a - b, "Multiply": a * b, "Average": (a + b) / 2,
                    "Maximum": np.maximum(a, b), "Minimum": np.minimum(a, b),
                    "Concatenate": np.concatenate([a, b], -1)}.items():  # fmt: skip
        np.testing.assert_allclose(array(getattr(layers, name)()([a, b])), f, **close)
        np.testing.assert_allclose(array(getattr(layers, name.lower())([a, b])), f, **close)
    np.testing.assert_allclose(array(layers.Dot(axes=1)([a, b]))[:, 0], (a * b).sum(1), **close)
    unit = [v / np.linalg.norm(v, axis=1, keepdims=True) for v in (a, b)]
    np.testing.assert_allclose(
        array(layers.Dot(axes=1, normalize=True)([a, b]))[:, 0], (unit[0] * unit[1]).sum(1), **close
    )
    m, n = rng.normal(size=(2, 3, 4)).astype("f"), rng.normal(size=(2, 5, 4)).astype("f")
    np.testing.assert_allclose(
        array(layers.Dot(axes=2)([m, n])), np.einsum("bij,bkj->bik", m, n), **close
    )
    with pytest.raises(ShapeError, match=r"\(2, 3\), \(2, 4\)"):
        layers.Add()([a, np.zeros((2, 4), "f")])
    with pytest.raises(ValueError, match="list"):
        layers.Add()(a)


@pytest.mark.parametrize("causal", [False, True])
def test_multi_head_attention(run, rng, causal):
    q, v = rng.normal(size=(2, 4, 6)).astype("f"), rng.normal(size=(2, 4, 5)).astype("f")
    layer = layers.MultiHeadAttention(3, 2, value_dim=4)
    layer(q, v)
    layer.set_weights([rng.normal(size=w.shape) * 0.5 for w in layer.weights])
    wq, bq, wk, bk, wv, bv, wo, bo = layer.get_weights()
    assert wq.shape == (6, 3, 2) and wo.shape == (3, 4, 6)
    out, scores = layer(q, v, return_attention_scores=True, use_causal_mask=causal)
    Q = np.einsum("btc,chd->bhtd", q, wq) + bq[None, :, None]
    K = np.einsum("btc,chd->bhtd", v, wk) + bk[None, :, None]
    V = np.einsum("btc,chd->bhtd", v, wv) + bv[None, :, None]
    s = Q @ K.transpose(0, 1, 3, 2) / math.sqrt(2)
    if causal:
        s = np.where(np.tril(np.ones((4, 4), bool)), s, -np.inf)
    p = np.exp(s - s.max(-1, keepdims=True))
    p /= p.sum(-1, keepdims=True)
    np.testing.assert_allclose(array(scores), p, **close)
    np.testing.assert_allclose(
        array(out), np.einsum("bhtd,hdo->bto", p @ V, wo) + bo, rtol=1e-3, atol=1e-4
    )


def test_attention_masks(rng):
    q = rng.normal(size=(2, 3, 4)).astype("f")
    mask = np.array([[[True, True, False]] * 3] * 2)
    layer = layers.MultiHeadAttention(2, 2)
    _, p = layer(q, q, attention_mask=creation.tensor(mask), return_attention_scores=True)
    assert (array(p)[..., 2] == 0).all()
    out = layers.Attention()([q, q])
    s = q @ q.transpose(0, 2, 1)
    p = np.exp(s) / np.exp(s).sum(-1, keepdims=True)
    np.testing.assert_allclose(array(out), p @ q, rtol=1e-3, atol=1e-4)


def test_preprocessing(rng):
    x = rng.integers(0, 255, (4, 6, 8, 3)).astype("uint8")
    np.testing.assert_allclose(array(layers.Rescaling(1 / 255.0, -0.5)(x)), x / 255 - 0.5, **close)
    norm = layers.Normalization()
    norm.adapt(x)
    flat = x.reshape(-1, 3).astype(float)
    np.testing.assert_allclose(
        array(norm(x)).reshape(-1, 3), (flat - flat.mean(0)) / flat.std(0), rtol=1e-3, atol=1e-4
    )
    np.testing.assert_allclose(array(layers.Normalization()(x)), x, rtol=1e-6)  # until it adapts
    np.testing.assert_array_equal(array(layers.CenterCrop(2, 4)(x)), x[:, 2:4, 2:6])
    assert layers.Resizing(3, 4)(x).shape == (4, 3, 4, 3)
    flipped = array(layers.RandomFlip("horizontal")(x, training=True))
    assert all((f == a).all() or (f == a[:, ::-1]).all() for f, a in zip(flipped, x, strict=True))
    one = layers.CategoryEncoding(4, output_mode="one_hot")(np.array([[3], [1]]))
    np.testing.assert_array_equal(array(one), np.eye(4)[[3, 1]])


def test_augmentation_moves_pixels_and_invents_none(rng):
    x = rng.normal(size=(5, 8, 8, 2)).astype("f")
    quarter = layers.RandomRotation((0.25, 0.25))
    turned = array(quarter(x, training=True))
    matches = [np.allclose(turned, np.rot90(x, k, (1, 2)), atol=1e-4) for k in (1, 3)]
    assert any(matches)
    half = layers.RandomTranslation((0.5, 0.5), (0.0, 0.0), fill_mode="constant", fill_value=7.0)
    moved = array(half(x, training=True))
    np.testing.assert_allclose(moved[:, 4:], x[:, :4], atol=1e-4)
    np.testing.assert_allclose(moved[:, :3], 7.0, atol=1e-4)
    zoomed = array(layers.RandomZoom((-0.5, -0.5))(np.ones((1, 6, 6, 1), "f"), training=True))
    np.testing.assert_allclose(zoomed, 1.0, rtol=1e-5)
    crop = array(layers.RandomCrop(3, 4)(x, training=True))
    places = [(i, j) for i in range(6) for j in range(5)]
    assert any(np.allclose(crop, x[:, i : i + 3, j : j + 4]) for i, j in places)
    np.testing.assert_array_equal(array(layers.RandomRotation(0.5)(x, training=False)), x)
    with pytest.raises(NotImplementedError, match="fill_mode"):
        layers.RandomRotation(0.1, fill_mode="mirror")


def test_names_are_numbered():
    assert [layers.Dense(1).name for _ in range(3)] == ["dense", "dense_1", "dense_2"]
    assert layers.Conv2DTranspose(1, 1).name == "conv2d_transpose"
    assert layers.LSTM(1).name == "lstm"
    assert layers.BatchNormalization(name="mine").name == "mine"


def test_a_layer_of_ones_own_is_tracked():
    class Block(layers.Layer):
        def __init__(self, units, **kwargs):
            super().__init__(**kwargs)
            self.units = units
            self.parts = [layers.Dense(units), {"b": layers.Dense(units)}]

        def build(self, input_shape):
            self.scale = self.add_weight(shape=(), initializer="ones", name="scale")
            self.count = self.add_weight(shape=(), initializer="zeros", trainable=False)

        def call(self, x, training=False):
            assert isinstance(training, bool)
            return self.parts[1]["b"](self.parts[0](x)) * self.scale + float(training)

    block = Block(3)
    x = np.zeros((2, 4), "f")
    assert array(block(x)).sum() == 0 and array(block(x, training=True)).sum() == 6
    assert len(block.weights) == 6 and len(block.trainable_weights) == 5
    block.trainable = False
    assert block.trainable_weights == [] and len(block.non_trainable_weights) == 6
    assert not block.parts[0].kernel.requires_grad
    block.trainable = True
    assert block.count_params() == 4 * 3 + 3 + 9 + 3 + 1 + 1
    assert Block.from_config(block.get_config()).units == 3


def test_forgetting_super_init_is_a_clear_error():
    class Bad(layers.Layer):
        def __init__(self):
            self.dense = layers.Dense(1)

    with pytest.raises(RuntimeError, match="super"):
        Bad()(np.ones((1, 2)))


EVERY = [
    (layers.Dense(3, "relu", kernel_regularizer="l2"), (4,)),
    (layers.EinsumDense("ab,bc->ac", 3, bias_axes="c"), (4,)),
    (layers.Conv2D(3, 2, 2, "same", kernel_initializer="he_normal"), (6, 6, 2)),
    (layers.Conv1D(3, 2, padding="causal"), (6, 2)),
    (layers.DepthwiseConv2D(2), (6, 6, 2)),
    (layers.SeparableConv2D(3, 2), (6, 6, 2)),
    (layers.Conv2DTranspose(3, 2, 2), (6, 6, 2)),
    (layers.MaxPooling2D(2), (6, 6, 2)),
    (layers.AveragePooling1D(2), (6, 2)),
    (layers.GlobalAveragePooling2D(), (6, 6, 2)),
    (layers.Flatten(), (6, 6, 2)),
    (layers.Reshape((4, 18)), (6, 6, 2)),
    (layers.Permute((2, 1)), (6, 2)),
    (layers.RepeatVector(3), (6,)),
    (layers.Dropout(0.5, seed=1), (6,)),
    (layers.SpatialDropout1D(0.5), (6, 2)),
    (layers.GaussianNoise(0.1), (6,)),
    (layers.BatchNormalization(momentum=0.5), (6,)),
    (layers.LayerNormalization(epsilon=1e-6), (6,)),
    (layers.GroupNormalization(2), (6,)),
    (layers.UnitNormalization(), (6,)),
    (layers.SimpleRNN(3), (5, 2)),
    (layers.LSTM(3, return_sequences=True, dropout=0.1, recurrent_dropout=0.2), (5, 2)),
    (layers.GRU(3, go_backwards=True, reset_after=False), (5, 2)),
    (layers.Bidirectional(layers.LSTM(3), merge_mode="sum"), (5, 2)),
    (layers.TimeDistributed(layers.Dense(3)), (5, 2)),
    (layers.LeakyReLU(0.1), (6,)),
    (layers.PReLU(), (6,)),
    (layers.ReLU(6.0), (6,)),
    (layers.Softmax(), (6,)),
    (layers.Activation("gelu"), (6,)),
    (layers.ZeroPadding2D((1, 2)), (6, 6, 2)),
    (layers.Cropping2D(1), (6, 6, 2)),
    (layers.UpSampling2D(2), (6, 6, 2)),
    (layers.Rescaling(0.5), (6,)),
    (layers.Masking(0.0), (5, 2)),
    (layers.ActivityRegularization(0.1), (6,)),
    (layers.RandomFlip(), (6, 6, 2)),
    (layers.RandomRotation(0.1), (6, 6, 2)),
    (layers.RandomZoom(0.1, fill_mode="nearest"), (6, 6, 2)),
    (layers.RandomTranslation(0.1, (0.0, 0.2)), (6, 6, 2)),
    (layers.RandomCrop(3, 4), (6, 6, 2)),
    (layers.Resizing(3, 3), (6, 6, 2)),
]


@pytest.mark.parametrize("layer, shape", EVERY, ids=lambda v: getattr(v, "name", ""))
def test_every_layer_comes_back_from_its_config_and_infers_its_shape(layer, shape, rng):
    again = type(layer).from_config(layer.get_config())
    assert again.get_config() == layer.get_config()
    x = rng.normal(size=(3, *shape)).astype("f")
    symbol = layer(Input(shape))
    out = layer(x, training=False)
    assert symbol.shape == (None, *out.shape[1:])
    again(x)
    again.set_weights(layer.get_weights())
    np.testing.assert_allclose(array(again(x, training=False)), array(out), **close)


def test_embedding_and_attention_come_back_from_their_configs():
    e = layers.Embedding(7, 3, mask_zero=True)
    assert layers.Embedding.from_config(e.get_config()).get_config() == e.get_config()
    a = layers.MultiHeadAttention(2, 3, dropout=0.1)
    assert layers.MultiHeadAttention.from_config(a.get_config()).get_config() == a.get_config()


def test_regularizers_enter_the_losses(rng):
    x = rng.normal(size=(2, 3)).astype("f")
    layer = layers.Dense(2, kernel_regularizer=regularizers.L1L2(0.1, 0.2), bias_regularizer="l2",
                         activity_regularizer="l1")  # fmt: skip
    out = array(layer(x))
    w = layer.get_weights()[0]
    activity, kernel, bias = (float(loss) for loss in layer.losses)
    assert kernel == pytest.approx(0.1 * abs(w).sum() + 0.2 * (w**2).sum(), rel=1e-5)
    assert activity == pytest.approx(0.01 * abs(out).sum() / 2, rel=1e-5)
    assert bias == 0


def test_lambda_and_wrong_arguments(rng):
    x = rng.normal(size=(2, 3)).astype("f")
    np.testing.assert_allclose(array(layers.Lambda(lambda t: t * 2)(x)), 2 * x)
    with pytest.raises(ValueError, match="'unit'"):
        layers.Dense(3, unit=4)


def test_masking_layer():
    x = np.array([[[1.0, 2.0], [0.0, 0.0], [3.0, 0.0]]], "f")
    model = Sequential([layers.Masking(), layers.SimpleRNN(2, activation="linear")])
    short = np.delete(x, 1, 1)
    np.testing.assert_allclose(array(model(x)), array(model(short)), **close)


def test_layer_input_and_output():
    dense = layers.Dense(3)
    with pytest.raises(AttributeError, match="never been called"):
        _ = dense.output
    x = Input((4,))
    y = dense(x)
    assert dense.output is y and dense.input is x and dense.output_shape == (None, 3)
    assert Model(x, y).get_layer("dense") is dense
