"""Recurrent layers against plain loops; masks, states, directions."""

import numpy as np
import pytest
from numbers_np import gru, lstm

from chainrule.errors import ShapeError
from chainrule.keras import Sequential, layers
from chainrule.keras.layers import recurrent
from chainrule.tensor import creation

close = {"rtol": 1e-4, "atol": 1e-5}


@pytest.fixture
def x(rng):
    return rng.normal(size=(3, 5, 4)).astype("f")


def test_lstm(run, x):
    (seq, h, c), (k, r, b) = run(layers.LSTM(6, return_sequences=True, return_state=True), x)
    expected = lstm(x, k, r, b)
    for have, want in zip((seq, h, c), expected, strict=True):
        np.testing.assert_allclose(have, want, **close)
    assert (k.shape, r.shape, b.shape) == ((4, 24), (6, 24), (24,))


@pytest.mark.parametrize("reset_after", [True, False])
def test_gru(run, x, reset_after):
    out, (k, r, b) = run(layers.GRU(6, return_sequences=True, reset_after=reset_after), x)
    np.testing.assert_allclose(out, gru(x, k, r, b, reset_after), **close)


@pytest.mark.parametrize("activation", ["tanh", "relu", "linear"])
def test_simple_rnn(run, x, activation):
    out, (k, r, b) = run(layers.SimpleRNN(6, activation=activation), x)
    f = {"tanh": np.tanh, "relu": lambda z: np.maximum(z, 0), "linear": lambda z: z}[activation]
    h = np.zeros((3, 6))
    for t in range(5):
        h = f(x[:, t] @ k + h @ r + b)
    np.testing.assert_allclose(out, h, **close)


@pytest.mark.parametrize(
    "make", [layers.LSTM, layers.GRU, lambda n, **k: layers.GRU(n, reset_after=False, **k),
             lambda n, **k: layers.LSTM(n, activation="relu", recurrent_dropout=0.4, **k)]
)  # fmt: skip
@pytest.mark.parametrize("backwards", [False, True])
def test_the_loop_and_the_single_steps_agree(x, rng, monkeypatch, make, backwards):
    mask = creation.tensor(rng.random((3, 5)) < 0.6)
    layer = make(6, return_sequences=True, return_state=True, go_backwards=backwards)
    first = [creation.tensor(rng.normal(size=(3, 6)).astype("f")) for _ in layer.state_size]
    fast = layer(x, mask=mask, initial_state=first)
    monkeypatch.setattr(recurrent, "scan", lambda *a, **k: None)
    for have, want in zip(layer(x, mask=mask, initial_state=first), fast, strict=True):
        np.testing.assert_allclose(have.detach().numpy(), want.detach().numpy(), **close)


def test_initial_bias_of_the_forget_gate_is_one(x):
    layer = layers.LSTM(3)
    layer(x)
    np.testing.assert_array_equal(layer.get_weights()[2], [0] * 3 + [1] * 3 + [0] * 6)
    recurrent = layer.get_weights()[1]
    np.testing.assert_allclose(recurrent @ recurrent.T, np.eye(3), atol=1e-5)


def test_initial_state_and_backwards(run, x, rng):
    h0, c0 = (rng.normal(size=(3, 6)).astype("f") for _ in range(2))
    layer = layers.LSTM(6, go_backwards=True, return_sequences=True)
    layer(x)
    out = layer(x, initial_state=[creation.tensor(h0), creation.tensor(c0)]).detach().numpy()
    expected, _, _ = lstm(x[:, ::-1], *layer.get_weights(), h0, c0)
    np.testing.assert_allclose(out, expected, **close)


@pytest.mark.parametrize("kind", [layers.LSTM, layers.GRU, layers.SimpleRNN])
@pytest.mark.parametrize("backwards", [False, True])
def test_masked_steps_change_nothing(run, rng, kind, backwards):
    embed = layers.Embedding(9, 4, mask_zero=True)
    rnn = kind(5, go_backwards=backwards)
    model = Sequential([embed, rnn])
    short = rng.integers(1, 9, (2, 3))
    left = np.concatenate([np.zeros((2, 2), int), short], 1)
    right = np.concatenate([short, np.zeros((2, 2), int)], 1)
    want = model(short).detach().numpy()
    np.testing.assert_allclose(model(left).detach().numpy(), want, **close)
    np.testing.assert_allclose(model(right).detach().numpy(), want, **close)


def test_a_mask_travels_through_layers_that_pass_it_on(rng):
    ids = np.array([[3, 4, 0, 0], [1, 2, 5, 0]])
    stack = [layers.Embedding(9, 4, mask_zero=True), layers.Dropout(0.5),
             layers.LSTM(3, return_sequences=True), layers.LSTM(2)]  # fmt: skip
    model = Sequential(stack)
    full = model(ids).detach().numpy()
    alone = model(ids[:1, :2]).detach().numpy()
    np.testing.assert_allclose(full[:1], alone, **close)
    pooled = Sequential([stack[0], layers.GlobalAveragePooling1D()])
    table = stack[0].get_weights()[0]
    np.testing.assert_allclose(pooled(ids).detach().numpy()[1], table[[1, 2, 5]].mean(0), **close)


@pytest.mark.parametrize("mode", ["concat", "sum", "mul", "ave", None])
@pytest.mark.parametrize("sequences", [True, False])
def test_bidirectional(x, mode, sequences):
    layer = layers.Bidirectional(layers.LSTM(6, return_sequences=sequences), merge_mode=mode)
    out = layer(x)
    ahead, _, _ = lstm(x, *layer.forward_layer.get_weights())
    behind, _, _ = lstm(x[:, ::-1], *layer.backward_layer.get_weights())
    a, b = (ahead, behind[:, ::-1]) if sequences else (ahead[:, -1], behind[:, -1])
    want = {"concat": np.concatenate([a, b], -1), "sum": a + b, "mul": a * b, "ave": (a + b) / 2,
            None: (a, b)}[mode]  # fmt: skip
    for have, expected in zip(*((out, want) if mode is None else ((out,), (want,))), strict=True):
        np.testing.assert_allclose(have.detach().numpy(), expected, **close)
    assert len(layer.weights) == 6


def test_stateful_layers_carry_their_state(x):
    layer = layers.LSTM(6, stateful=True)
    whole = layers.LSTM(6)
    whole(x)
    layer(x[:, :2])
    layer.set_weights(whole.get_weights())
    layer.reset_states()
    layer(x[:, :2])
    np.testing.assert_allclose(layer(x[:, 2:]).detach().numpy(), whole(x).detach().numpy(), **close)
    layer.reset_states()
    np.testing.assert_allclose(layer(x).detach().numpy(), whole(x).detach().numpy(), **close)


def test_a_cell_of_ones_own(x):
    class Sum(layers.Layer):
        state_size = 4
        output_size = 4

        def call(self, inputs, states):
            total = inputs + states[0]
            return total, [total]

    out = layers.RNN(Sum(), return_sequences=True)(x)
    np.testing.assert_allclose(out.numpy(), np.cumsum(x, 1), **close)
    stacked = layers.RNN([Sum(), Sum()])(x)
    np.testing.assert_allclose(stacked.numpy(), np.cumsum(np.cumsum(x, 1), 1)[:, -1], **close)


def test_dropout_is_the_same_at_every_step_and_only_while_training(x):
    layer = layers.SimpleRNN(4, dropout=0.5, activation="linear", recurrent_initializer="zeros",
                             kernel_initializer="identity", return_sequences=True)  # fmt: skip
    np.testing.assert_allclose(layer(x).detach().numpy(), x, **close)
    out = layer(x, training=True).detach().numpy()
    kept = out != 0
    assert (kept == kept[:, :1]).all()
    np.testing.assert_allclose(out[kept], (2 * x)[kept], **close)
    assert layers.LSTM(4, recurrent_dropout=0.3)(x, training=True).shape == (3, 4)


def test_time_distributed(run, rng):
    x = rng.normal(size=(2, 5, 6, 3)).astype("f")
    layer = layers.TimeDistributed(layers.Conv1D(4, 3))
    out = layer(x).detach().numpy()
    each = np.stack([layer.layer(x[:, t]).detach().numpy() for t in range(5)], 1)
    np.testing.assert_allclose(out, each, **close)
    with pytest.raises(ShapeError, match="at least 3"):
        layers.TimeDistributed(layers.Dense(2))(np.zeros((2, 3), "f"))


def test_wrong_inputs():
    with pytest.raises(ShapeError, match=r"'lstm'.*\(batch, steps, features\).*\(3, 4\)"):
        layers.LSTM(2)(np.zeros((3, 4), "f"))
    with pytest.raises(ValueError, match="units"):
        layers.GRU(0)
    with pytest.raises(ValueError, match="recurrent layer"):
        layers.Bidirectional(layers.Dense(3))
