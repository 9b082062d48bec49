"""Recurrent layers against a step-by-step NumPy loop; packed sequences against each sequence alone;
cells against layers; gradients against differences.
"""

import numpy as np
import pytest

import chainrule as torch
from chainrule import nn, ones
from chainrule.autograd import gradcheck
from chainrule.nn.utils.rnn import pack_padded_sequence, pack_sequence, pad_packed_sequence


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def step(kind, x, h, c, w_ih, w_hh, b_ih, b_hh):
    """One step, as the papers and PyTorch's documentation write it."""
    if kind in ("tanh", "relu"):
        z = x @ w_ih.T + b_ih + h @ w_hh.T + b_hh
        return (np.tanh(z) if kind == "tanh" else np.maximum(z, 0)), c
    a, b = x @ w_ih.T + b_ih, h @ w_hh.T + b_hh
    if kind == "LSTM":
        i, f, g, o = np.split(a + b, 4, -1)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        return sigmoid(o) * np.tanh(c), c
    (ar, az, an), (br, bz, bn) = np.split(a, 3, -1), np.split(b, 3, -1)
    r, z = sigmoid(ar + br), sigmoid(az + bz)
    n = np.tanh(an + r * bn)
    return (1 - z) * n + z * h, c


def layer_of(kind, **settings):
    if kind in ("tanh", "relu"):
        return nn.RNN(3, 4, nonlinearity=kind, **settings).double()
    return getattr(nn, kind)(3, 4, **settings).double()


def loop(kind, layer, x):
    """All layers and directions over x (T, B, 3): outputs, last h, last c."""
    ways = 2 if layer.bidirectional else 1
    hs, cs = [], []
    for number in range(layer.num_layers):
        outs = []
        for way in range(ways):
            suffix = f"_l{number}" + ("_reverse" if way else "")
            names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
            p = [
                getattr(layer, n + suffix).detach().numpy() if hasattr(layer, n + suffix) else 0.0
                for n in names
            ]
            h = c = np.zeros((x.shape[1], 4))
            ys = []
            for t in reversed(range(len(x))) if way else range(len(x)):
                h, c = step(kind, x[t], h, c, *p)
                ys.append(h)
            outs.append(np.stack(ys[::-1] if way else ys))
            hs.append(h)
            cs.append(c)
        x = np.concatenate(outs, -1)
    return x, np.stack(hs), np.stack(cs)


KINDS = ["tanh", "relu", "LSTM", "GRU"]
X = np.random.default_rng(0).standard_normal((6, 2, 3))


def states(result):
    y, h = result
    return (y, *h) if isinstance(h, tuple) else (y, h)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "settings",
    [{}, {"num_layers": 3}, {"bidirectional": True, "num_layers": 2}, {"bias": False}],
    ids=["one", "deep", "both ways", "no bias"],
)
def test_the_loop_written_out(kind, settings):
    torch.manual_seed(0)
    layer = layer_of(kind, **settings)
    want = loop(kind, layer, X)
    got = states(layer(torch.tensor(X)))
    for a, b in zip(got, want, strict=False):
        np.testing.assert_allclose(a.detach().numpy(), b, atol=1e-12)
    batch_first = layer_of(kind, **settings, batch_first=True)
    batch_first.load_state_dict(layer.state_dict())
    y = batch_first(torch.tensor(X.swapaxes(0, 1)))[0]
    np.testing.assert_allclose(y.detach().numpy(), want[0].swapaxes(0, 1), atol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_a_sequence_without_a_batch(kind):
    layer = layer_of(kind, num_layers=2, bidirectional=True)
    one = states(layer(torch.tensor(X[:, 1])))
    all_of_them = states(layer(torch.tensor(X)))
    for a, b in zip(one, all_of_them, strict=True):
        np.testing.assert_allclose(a.detach().numpy(), b[:, 1].detach().numpy(), atol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("ways", [False, True])
def test_packed_sequences_are_each_run_alone(kind, ways):
    layer = layer_of(kind, num_layers=2, bidirectional=ways)
    lengths = [3, 6, 1, 4]
    rng = np.random.default_rng(1)
    alone = [torch.tensor(rng.standard_normal((n, 3)), requires_grad=True) for n in lengths]
    packed = pack_sequence(alone, enforce_sorted=False)
    y, *last = states(layer(packed))
    padded, counts = pad_packed_sequence(y)
    assert counts.tolist() == lengths
    padded.pow(2).sum().backward()
    grads = [s.grad for s in alone]
    for i, s in enumerate(alone):
        s.grad = None
        single, *ends = states(layer(s))
        np.testing.assert_allclose(
            padded[: lengths[i], i].detach().numpy(), single.detach().numpy(), atol=1e-12
        )
        assert not padded[lengths[i] :, i].any()
        for a, b in zip(last, ends, strict=True):
            np.testing.assert_allclose(a[:, i].detach().numpy(), b.detach().numpy(), atol=1e-12)
        single.pow(2).sum().backward()
        np.testing.assert_allclose(grads[i].numpy(), s.grad.numpy(), atol=1e-12)


def test_packed_states_follow_the_order_of_the_batch():
    layer = layer_of("LSTM")
    h, c = torch.randn(1, 2, 4).double(), torch.randn(1, 2, 4).double()
    x = torch.tensor(X[:4])
    packed = pack_padded_sequence(x, [2, 4], enforce_sorted=False)
    _, (hn, cn) = layer(packed, (h, c))
    _, (h1, c1) = layer(x[:, 1:], (h[:, 1:], c[:, 1:]))
    np.testing.assert_allclose(hn[:, 1:].detach().numpy(), h1.detach().numpy())
    np.testing.assert_allclose(cn[:, 1:].detach().numpy(), c1.detach().numpy())


@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
def test_cells_are_one_step(kind):
    layer, cell = getattr(nn, kind)(3, 4), getattr(nn, kind + "Cell")(3, 4)
    cell.load_state_dict({k.removesuffix("_l0"): v for k, v in layer.state_dict().items()})
    x = torch.tensor(X, dtype=torch.float32)
    y, _ = layer(x)
    state = None
    for t in range(len(X)):
        state = cell(x[t], state)
        h = state[0] if isinstance(state, tuple) else state
        np.testing.assert_allclose(h.detach().numpy(), y[t].detach().numpy(), atol=1e-6)
    alone = cell(x[0, 0])
    alone = alone[0] if isinstance(alone, tuple) else alone
    np.testing.assert_allclose(alone.detach().numpy(), y[0, 0].detach().numpy(), atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_gradients(kind):
    layer = layer_of(kind, bidirectional=True)
    x = torch.tensor(X[:3, :, :] * 0.5, requires_grad=True)
    h = torch.full((2, 2, 4), 0.1, dtype=torch.float64, requires_grad=True)
    state = (h, h * 2) if kind == "LSTM" else h
    assert gradcheck(lambda x, h: layer(x, (h, h * 2) if kind == "LSTM" else h)[0], (x, h))
    parameters = list(layer.parameters())

    def of_weights(*new):
        with torch.no_grad():
            before = [p.clone() for p in parameters]
            for p, n in zip(parameters, new, strict=True):
                p.copy_(n)
            out = layer(x, state)[0].sum()
            for p, b in zip(parameters, before, strict=True):
                p.copy_(b)
        return out.item()

    layer(x, state)[0].sum().backward()
    values = [p.detach().clone() for p in parameters]
    rng = np.random.default_rng(2)
    for k, p in enumerate(parameters):
        d = torch.tensor(rng.standard_normal(tuple(p.shape)))
        ends = []
        for s in (1e-5, -1e-5):
            moved = list(values)
            moved[k] = values[k] + d * s
            ends.append(of_weights(*moved))
        assert (p.grad * d).sum().item() == pytest.approx(
            (ends[0] - ends[1]) / 2e-5, rel=1e-5, abs=1e-8
        )


def test_projections():
    layer = nn.LSTM(3, 4, proj_size=2).double()
    y, (h, c) = layer(torch.tensor(X))
    assert y.shape == (6, 2, 2) and h.shape == (1, 2, 2) and c.shape == (1, 2, 4)
    w = {k: v.numpy() for k, v in layer.state_dict().items()}
    state, cell = np.zeros((2, 2)), np.zeros((2, 4))
    for t in range(6):
        wide, cell = step(
            "LSTM",
            X[t],
            state,
            cell,
            w["weight_ih_l0"],
            w["weight_hh_l0"],
            w["bias_ih_l0"],
            w["bias_hh_l0"],
        )
        state = wide @ w["weight_hr_l0"].T
        np.testing.assert_allclose(y[t].detach().numpy(), state, atol=1e-12)


def test_dropout_is_between_layers_only():
    x = torch.ones(2, 3, 3)
    deep = nn.LSTM(3, 4, num_layers=2, dropout=0.5)
    assert not torch.equal(deep(x)[0], deep(x)[0])
    deep.eval()
    assert torch.equal(deep(x)[0], deep(x)[0])
    with pytest.warns(UserWarning, match="expects num_layers greater than 1"):
        flat = nn.LSTM(3, 4, dropout=0.5)
    assert torch.equal(flat(x)[0], flat(x)[0])


def test_a_step_reads_only_what_came_before():
    layer = layer_of("GRU", num_layers=2)
    later = X.copy()
    later[4:] += 1.0
    a, b = (layer(torch.tensor(v))[0].detach().numpy() for v in (X, later))
    np.testing.assert_array_equal(a[:4], b[:4])
    assert (a[4:] != b[4:]).any()


def test_a_hundred_steps_learn_to_count():
    """The sum so far of ones and zeros: needs a state, and gradients through time."""
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    layer, head = nn.GRU(1, 12, batch_first=True), nn.Linear(12, 1)
    optimizer = torch.optim.Adam([*layer.parameters(), *head.parameters()], lr=0.02)
    for _ in range(150):
        x = rng.integers(0, 2, (32, 8, 1)).astype("float32")
        y = torch.tensor(x.cumsum(1))
        optimizer.zero_grad()
        loss = nn.functional.mse_loss(head(layer(torch.tensor(x))[0]), y)
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.1


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda: nn.LSTM(3, 4)(torch.ones(5, 2, 4)),
         RuntimeError, r"Expected 3, got 4.*\(5, 2, 4\).*batch_first=False"),
        (lambda: nn.GRU(3, 4)(torch.ones(3)), ValueError, "Expected input to be 2D or 3D, got 1D"),
        (lambda: nn.GRU(3, 4)(torch.ones(5, 2, 3), torch.ones(1, 3, 4)),
         RuntimeError, r"Expected hidden size \(1, 2, 4\), got \[1, 3, 4\]"),
        (lambda: nn.LSTM(3, 4)(ones(5, 2, 3), (ones(1, 2, 4), ones(1, 2, 5))),
         RuntimeError, r"size \(1, 2, 4\), got \[1, 2, 5\] for cx"),
        (lambda: nn.GRU(3, 4)(torch.ones(5, 3), torch.ones(1, 2, 4)),
         RuntimeError, "hx should also be 2-D but got 3-D"),
        (lambda: nn.LSTM(3, 0), ValueError, "hidden_size must be greater than zero"),
        (lambda: nn.LSTM(3, 4.0), TypeError, "hidden_size should be of type int, got: float"),
        (lambda: nn.LSTM(3, 4, num_layers=0), ValueError, "num_layers must be greater than zero"),
        (lambda: nn.LSTM(3, 4, dropout=2.0), ValueError, r"range \[0, 1\]"),
        (lambda: nn.LSTM(3, 4, proj_size=4), ValueError, "smaller than hidden_size"),
        (lambda: nn.GRU(3, 4, proj_size=2), ValueError, "only supported for LSTM"),
        (lambda: nn.RNN(3, 4, nonlinearity="sin"), ValueError, "Unknown nonlinearity 'sin'"),
        (lambda: nn.LSTMCell(3, 4)(torch.ones(2, 4)),
         RuntimeError, r"input_size is 3, the input has shape \(2, 4\)"),
        (lambda: nn.GRUCell(3, 4)(torch.ones(2, 3), torch.ones(3, 4)),
         RuntimeError, r"expected hidden state of shape \(2, 4\), got \(3, 4\)"),
    ],
)  # fmt: skip
def test_misuse(call, error, text):
    with pytest.raises(error, match=text):
        call()


def test_programs_find_the_names_of_all_weights():
    gru = nn.GRU(2, 3, num_layers=2)
    assert gru._flat_weights_names[:2] == ["weight_ih_l0", "weight_hh_l0"]
    assert len(gru._flat_weights_names) == 8
    assert all(gru._parameters[name] is gru._flat_weights[i]
               for i, name in enumerate(gru._flat_weights_names))
    assert gru.all_weights[1][0] is gru.weight_ih_l1
