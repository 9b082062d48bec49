"""Attributions against NumPy, direct calls, and what the methods promise of themselves."""

import numpy as np
import pytest

import chainrule as torch
from chainrule import config, explain, keras, nn, runtime
from chainrule.autodiff.relevance import rectified
from chainrule.explain.attribution import METHODS
from chainrule.explain.attribution.cam import resize
from chainrule.explain.attribution.colours import tint

attribute = explain.attribute


@pytest.fixture(autouse=True)
def _patient(monkeypatch):
    """What is asked once or twice need not be compiled; one test compiles."""
    monkeypatch.setattr(config, "patience", 1e9)


RNG = np.random.default_rng(0)


def array(*shape):
    return RNG.normal(size=shape).astype(np.float32)


def mlp(bias=True):
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Linear(6, 16, bias=bias), nn.ReLU(), nn.Linear(16, 8, bias=bias), nn.ReLU(),
        nn.Linear(8, 3, bias=bias),
    )  # fmt: skip


def cnn(bias=True):
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 6, 3, padding=1, bias=bias), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(6, 8, 3, padding=1, bias=bias), nn.ReLU(), nn.AvgPool2d(2), nn.Flatten(),
        nn.Linear(32, 5, bias=bias),
    )  # fmt: skip


class Text(nn.Module):
    """Embeddings, one attention, a mean."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.embedding = nn.Embedding(20, 8, padding_idx=0)
        self.layer = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.1, batch_first=True)
        self.head = nn.Linear(8, 3)

    def forward(self, ids):
        return self.head(self.layer(self.embedding(ids)).mean(1))


IDS = RNG.integers(1, 20, (2, 7))


def weights(model):
    return [p.detach().numpy() for p in model.parameters()]


# ---------------------------------------------------------------------- gradients


def test_saliency_is_the_gradient_by_hand():
    model, x = mlp(), array(4, 6)
    w1, b1, w2, b2, w3, _ = weights(model)
    z1 = x @ w1.T + b1
    z2 = np.maximum(z1, 0) @ w2.T + b2
    g = ((w3[[0, 2, 1, 1]] * (z2 > 0)) @ w2 * (z1 > 0)) @ w1
    np.testing.assert_allclose(
        attribute.saliency(model, x, [0, 2, 1, 1]).values, np.abs(g), rtol=1e-4, atol=1e-6
    )
    np.testing.assert_allclose(
        attribute.gradient_times_input(model, x, [0, 2, 1, 1]).values, g * x, rtol=1e-4, atol=1e-6
    )


def test_target_is_the_likeliest_class_unless_one_is_chosen():
    model, x = mlp(), array(4, 6)
    out = model(torch.tensor(x)).detach().numpy()
    a = attribute.saliency(model, x)
    assert a.target.tolist() == out.argmax(1).tolist()
    np.testing.assert_allclose(a.score, out.max(1), rtol=1e-6)
    assert attribute.saliency(model, x, -1).target.tolist() == [2] * 4
    by_function = attribute.saliency(model, x, lambda y: y[:, 1] - y[:, 0])
    np.testing.assert_allclose(by_function.score, out[:, 1] - out[:, 0], rtol=1e-5, atol=1e-6)
    with pytest.raises(IndexError, match="3 outputs"):
        attribute.saliency(model, x, 3)


def test_an_output_with_places_takes_an_index_for_each_axis():
    model = nn.Conv1d(2, 3, 3)
    x = array(2, 2, 8)
    a = attribute.saliency(model, x, (1, 4), absolute=False)
    (w, _) = weights(model)
    want = np.zeros_like(x)
    want[:, :, 4:7] = w[1]
    np.testing.assert_allclose(a.values, want, rtol=1e-5)
    with pytest.raises(ValueError, match="an index for each"):
        attribute.saliency(model, x)


def test_a_softmax_at_the_end_is_left_out_unless_it_is_asked_for():
    x = array(2, 6)
    bare = mlp()
    model = nn.Sequential(bare, nn.Softmax(-1))
    a = attribute.gradient_times_input(model, x, 1)
    np.testing.assert_allclose(a.values, attribute.gradient_times_input(bare, x, 1).values)
    p = attribute.gradient_times_input(model, x, 1, normalised=True)
    np.testing.assert_allclose(p.score, model(torch.tensor(x))[:, 1].detach().numpy(), rtol=1e-6)


def test_smooth_grad_of_a_line_is_its_slope_and_seeds_repeat():
    weight = torch.tensor([[2.0, -3.0, 0.5]])
    x = array(2, 3)
    a = attribute.smooth_grad(lambda x: x @ weight.T, x, samples=7)
    np.testing.assert_allclose(a.values, np.tile([2.0, -3.0, 0.5], (2, 1)), rtol=1e-5)
    model, x = cnn(), array(2, 1, 8, 8)
    first, same, other = (attribute.smooth_grad(model, x, samples=9, seed=s) for s in (1, 1, 2))
    assert (first.values == same.values).all()
    assert (first.values != other.values).any()


def test_integrated_gradients_of_a_product_are_halves():
    x = array(5, 2)
    a = attribute(lambda x: x[:, 0] * x[:, 1], x)
    np.testing.assert_allclose(
        a.values, np.repeat(x.prod(1, keepdims=True) / 2, 2, 1), rtol=1e-4, atol=1e-6
    )


@pytest.mark.parametrize("model", [mlp, cnn])
def test_integrated_gradients_are_complete(model):
    x = array(3, 6) if model is mlp else array(3, 1, 8, 8)
    a = attribute(model(), x, baseline=0.5)
    total = a.values.reshape(3, -1).sum(1)
    change = a.score - a.baseline_score
    assert (np.abs(total - change) <= 1e-3 * np.abs(change)).all()
    assert (a.completeness <= 1e-3).all()


def test_integrated_gradients_say_when_they_are_not_complete():
    a = attribute(lambda x: torch.sin(40 * x).sum(-1), array(1, 3), max_steps=16)
    assert a.completeness[0] > 1e-3
    assert "larger max_steps" in str(a)


# ---------------------------------------------------------------------- rectified units


def _rectifiers():
    return {
        "layer": nn.ReLU(),
        "relu": torch.relu,
        "clamp": lambda z: z.clamp(min=0),
        "maximum": lambda z: torch.maximum(z, torch.zeros_like(z)),
        "where": lambda z: torch.where(z > 0, z, torch.zeros_like(z)),
        "keras": keras.layers.ReLU(),
    }


@pytest.mark.parametrize("name", _rectifiers())
def test_guided_back_propagation_finds_rectified_units_however_they_are_written(name):
    act = _rectifiers()[name]
    first, second = torch.tensor(array(5, 4)), torch.tensor(array(4, 5))
    a = attribute.guided_backprop(lambda x: act(x @ first.T) @ second[1], array(3, 4))
    x, w, v = a.inputs[0], first.numpy(), second.numpy()[1]
    z = x @ w.T
    np.testing.assert_allclose(a.values, (np.maximum(v, 0) * (z > 0)) @ w, rtol=1e-4, atol=1e-6)
    assert a.notes["rectified units"] == 1
    d = attribute.deconvolution(lambda x: act(x @ first.T) @ second[1], x)
    np.testing.assert_allclose(
        d.values, np.tile(np.maximum(v, 0) @ w, (3, 1)), rtol=1e-4, atol=1e-6
    )


def test_other_functions_are_no_rectified_units():
    x = torch.ones(3)
    nodes = [explain.recorded.recorded([y]).nodes[0] for y in (x.tanh(), x + 0, x.clamp(min=0.1))]
    assert not any(map(rectified, nodes))


def test_guided_back_propagation_reaches_into_loops():
    torch.manual_seed(0)
    model = nn.RNN(3, 4, nonlinearity="relu", batch_first=True)
    x = array(2, 5, 3)

    def score(x):
        return model(x)[0][:, -1].sum(-1)

    a = attribute.guided_backprop(score, x)
    wi, wh, bi, bh = weights(model)
    h, kept = np.zeros((2, 4)), []
    for t in range(5):
        z = x[:, t] @ wi.T + bi + h @ wh.T + bh
        kept.append(z > 0)
        h = np.maximum(z, 0)
    g, want = np.ones((2, 4)), np.zeros_like(x)
    for t in reversed(range(5)):
        g = np.maximum(g, 0) * kept[t]
        want[:, t] = g @ wi
        g = g @ wh
    np.testing.assert_allclose(a.values, want, rtol=1e-4, atol=1e-6)
    assert a.notes["rectified units"] == 1


# ---------------------------------------------------------------------- maps, windows


def test_grad_cam_by_hand_and_the_layer_it_finds():
    model, x = cnn(), array(2, 1, 8, 8)
    a = attribute.grad_cam(model, x, 3, upsample=False)
    assert a.layer == "4"
    maps = model[:5](torch.tensor(x))
    g = torch.autograd.grad(model[5:](maps)[:, 3].sum(), maps)[0].numpy()
    maps = maps.detach().numpy()
    heat = np.maximum((g.mean((2, 3), keepdims=True) * maps).sum(1), 0)
    np.testing.assert_allclose(a.values, heat, rtol=1e-4, atol=1e-6)
    named = attribute.grad_cam(model, x, 3, layer=model[4], upsample=False)
    assert (named.values == a.values).all()
    assert attribute.grad_cam(model, x, 3).values.shape == (2, 8, 8)
    with pytest.raises(ValueError, match="no layer 'nothing'"):
        attribute.grad_cam(model, x, layer="nothing")
    with pytest.raises(ValueError, match="attention_rollout"):
        attribute.grad_cam(mlp(), array(1, 6))


def test_maps_are_enlarged_between_the_centres_of_places():
    up = resize(np.array([[[0.0, 4.0]]]), (1, 4))
    assert up.tolist() == [[[0.0, 1.0, 3.0, 4.0]]]


def test_occlusion_is_what_the_score_loses():
    model, x = cnn(), array(2, 1, 8, 8)
    a = attribute.occlusion(model, x, 2, window=4, stride=4, batch_size=3)
    for n in range(2):
        for i in (0, 4):
            for j in (0, 4):
                covered = x[n : n + 1].copy()
                covered[:, :, i : i + 4, j : j + 4] = 0
                lost = a.score[n] - model(torch.tensor(covered))[0, 2].item()
                part = a.values[n, 0, i : i + 4, j : j + 4]
                np.testing.assert_allclose(part, lost, rtol=1e-4, atol=1e-5)


# ---------------------------------------------------------------------- relevance


@pytest.mark.parametrize("rule", ["zero", "epsilon", "gamma"])
@pytest.mark.parametrize("model", [mlp, cnn])
def test_relevance_is_conserved_without_biases(model, rule):
    x = array(4, 6) if model is mlp else array(4, 1, 8, 8)
    a = attribute.lrp(model(bias=False), x, rule=rule, epsilon=1e-9)
    assert (a.completeness < 1e-5).all()


@pytest.mark.parametrize("rule", ["alpha_beta", "z_plus", "composite"])
def test_relevance_is_conserved_by_the_rules_of_convolutional_networks(rule):
    x = np.abs(array(4, 1, 8, 8))
    a = attribute.lrp(cnn(bias=False), x, rule=rule, epsilon=1e-9)
    assert (a.completeness < 1e-5).all()


@pytest.mark.parametrize("rule", ["zero", "epsilon", "gamma", "alpha_beta", "z_plus"])
def test_what_biases_took_is_reported(rule):
    a = attribute.lrp(cnn(), array(1, 1, 8, 8), rule=rule)
    kept = float(a.values.sum())
    assert abs(a.leaks["biases"]) > 1e-3
    assert kept + sum(a.leaks.values()) * abs(a.score[0]) == pytest.approx(a.score[0], rel=1e-5)


def test_relevance_without_epsilon_is_gradient_times_input_in_networks_of_rectified_units():
    model, x = cnn(), array(2, 1, 8, 8)
    np.testing.assert_allclose(
        attribute.lrp(model, x, rule="zero").values,
        attribute.gradient_times_input(model, x).values, rtol=1e-4, atol=1e-6,
    )  # fmt: skip


def test_rules_of_one_product_by_hand():
    model, x = nn.Linear(6, 3), array(4, 6)
    w, b = (a.astype(np.float64) for a in weights(model))
    z = x @ w.T + b
    parts = x[:, :, None] * w.T  # (N, inputs, outputs)
    chosen = parts[:, :, 1]
    r = z[:, 1]
    plus, minus = np.maximum(chosen, 0), np.minimum(chosen, 0)
    up, down = plus.sum(1) + max(b[1], 0), minus.sum(1) + min(b[1], 0)
    want = {
        "epsilon": chosen * (r / (r + 0.3 * np.sign(r)))[:, None],
        "alpha_beta": 2 * plus * (r / up)[:, None] - minus * (r / down)[:, None],
        "z_plus": plus * (r / up)[:, None],
    }
    more = np.where(r[:, None] > 0, plus, minus)
    want["gamma"] = (chosen + 0.25 * more) * (
        r / (r + 0.25 * np.where(r > 0, up, down))
    )[:, None]  # fmt: skip
    for rule, value in want.items():
        a = attribute.lrp(model, x, 1, rule=rule, epsilon=0.3)
        np.testing.assert_allclose(a.values, value, rtol=1e-4, atol=1e-5)
    low, high = -4.0, 4.0
    box = chosen - low * np.maximum(w[1], 0) - high * np.minimum(w[1], 0)
    a = attribute.lrp(model, x, 1, pixels="z_b", low=low, high=high)
    np.testing.assert_allclose(a.values, box * (r / box.sum(1))[:, None], rtol=1e-4, atol=1e-5)
    assert (a.completeness < 1e-5).all()


def test_a_residual_shares_in_proportion():
    weight = torch.tensor(array(4, 4))
    x = array(2, 4)
    a = attribute.lrp(lambda x: (x + x @ weight.T).sum(-1), x, rule="zero")
    np.testing.assert_allclose(a.values, x * (1 + weight.numpy().sum(0)), rtol=1e-4, atol=1e-6)


def test_batch_norm_and_layer_norm_conserve():
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Linear(6, 8, bias=False), nn.LayerNorm(8, elementwise_affine=False), nn.Tanh(),
        nn.Linear(8, 3, bias=False),
    )  # fmt: skip
    a = attribute.lrp(model, array(3, 6), epsilon=1e-9)
    assert (a.completeness < 1e-5).all()


@pytest.mark.parametrize("kind", ["LSTM", "GRU", "RNN"])
def test_relevance_goes_through_loops_and_past_gates(kind):
    torch.manual_seed(0)
    layer = getattr(nn, kind)(3, 5, batch_first=True, bias=False)
    a = attribute.lrp(lambda x: layer(x)[0][:, -1].sum(-1), array(2, 6, 3), epsilon=1e-9)
    assert a.values.shape == (2, 6, 3)
    assert (a.completeness < 1e-4).all()


def _block(x, w, shared):
    """A transformer's layer. `shared`: written so that its gradient times the input is relevance by
    the rules of AttnLRP (Achtibat et al. 2024), as their authors compute it.
    """

    def constant(v):
        return v.detach() if shared else v

    def norm(x):
        d = x - x.mean(-1, keepdim=True)
        return d / constant((d * d).mean(-1, keepdim=True).add(1e-5).sqrt())

    def both(a, b):
        return 0.5 * (a @ b.detach() + a.detach() @ b) if shared else a @ b

    def act(z):
        y = nn.functional.gelu(z)
        return z * (y / z).detach() if shared else y

    y = norm(x)
    q, k, v = y @ w[0], y @ w[1], y @ w[2]
    h = x + both(torch.softmax(both(q, k.mT) / 2, -1), v) @ w[3]
    h = h + act(norm(h) @ w[4]) @ w[5]
    return h.mean(1) @ w[6]


def test_attention_is_shared_as_attn_lrp_says():
    shapes = [(4, 4)] * 4 + [(4, 6), (6, 4), (4, 3)]
    w = [torch.tensor(array(*s)) for s in shapes]
    x = array(2, 5, 4)
    a = attribute.lrp(lambda x: _block(x, w, shared=False), x, 1, rule="zero")
    t = torch.tensor(x, requires_grad=True)
    (g,) = torch.autograd.grad(_block(t, w, shared=True)[:, 1].sum(), t)
    want = (g * t).detach().numpy()
    np.testing.assert_allclose(a.values, want, rtol=1e-3, atol=1e-4 * np.abs(want).max())


def test_gates_let_through_and_get_nothing():
    torch.manual_seed(0)
    layer = nn.LSTM(3, 4, batch_first=True)
    wi, wh, bi, bh = (p.detach() for p in layer.parameters())
    x = array(2, 5, 3)
    t = torch.tensor(x, requires_grad=True)

    def tanh(z):
        return z * (torch.tanh(z) / z).detach()

    h = c = torch.zeros(2, 4)
    for step in range(5):
        i, f, g, o = (t[:, step] @ wi.T + bi + h @ wh.T + bh).chunk(4, -1)
        c = torch.sigmoid(f).detach() * c + torch.sigmoid(i).detach() * tanh(g)
        h = torch.sigmoid(o).detach() * tanh(c)
    (g,) = torch.autograd.grad(h[:, 1].sum(), t)
    want = (g * t).detach().numpy()
    a = attribute.lrp(lambda x: layer(x)[0][:, -1], x, 1, rule="zero")
    np.testing.assert_allclose(a.values, want, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("rule", ["zero", "gamma", "alpha_beta"])
def test_means_over_places_share_in_proportion(rule):
    model = nn.Sequential(nn.AdaptiveAvgPool2d(3), nn.Flatten(), nn.Linear(9, 2, bias=False))
    a = attribute.lrp(model, np.abs(array(2, 1, 8, 8)), rule=rule)
    assert (a.completeness < 1e-5).all()


def test_what_a_softmax_took_is_named():
    a = attribute.lrp(Text(), IDS)
    assert "softmax" in a.leaks
    gap = np.sum(a.score) - a.values.sum()
    told = sum(a.leaks.values()) * np.abs(a.score).sum()
    assert told == pytest.approx(gap, rel=1e-3)


def test_errors_of_relevance_say_what_is_wrong():
    model, x = mlp(), array(1, 6)
    with pytest.raises(ValueError, match="rule is one of"):
        attribute.lrp(model, x, rule="delta")
    with pytest.raises(ValueError, match="must be 1"):
        attribute.lrp(model, x, rule="alpha_beta", alpha=2, beta=2)
    with pytest.raises(ValueError, match="read the input itself"):
        attribute.lrp(lambda x: model(torch.tanh(x)), x, pixels="z_b")


# ---------------------------------------------------------------------- tokens


def test_tokens_get_a_number_each_and_add_up():
    model = Text()
    a = attribute(model, IDS, baseline=0)
    assert a.values.shape == IDS.shape
    empty = model.eval()(torch.zeros(2, 7, dtype=torch.int64))
    want = empty.detach().numpy()[np.arange(2), a.target]
    np.testing.assert_allclose(a.baseline_score, want, rtol=1e-5)
    np.testing.assert_allclose(a.values.sum(1), a.score - want, rtol=2e-3, atol=1e-4)


def test_a_bag_of_words_is_attributed_exactly():
    torch.manual_seed(0)
    table, head = nn.Embedding(20, 8), nn.Linear(8, 2, bias=False)
    per_word = (table(torch.tensor(IDS)) @ head.weight[1]).detach().numpy() / 7
    for method in ("integrated_gradients", "gradient_times_input", "lrp"):
        a = attribute(lambda x: head(table(x).mean(1)), IDS, 1, method)
        np.testing.assert_allclose(a.values, per_word, rtol=2e-4, atol=1e-6)


@pytest.mark.parametrize("method", sorted(set(METHODS) - {"grad_cam", "guided_grad_cam"}))
def test_every_method_takes_tokens(method):
    a = attribute(Text(), IDS, method=method)
    assert a.values.shape == (2, 7)
    assert np.isfinite(a.values).all()


def test_tokens_of_every_row_stay_apart_when_time_comes_first():
    torch.manual_seed(0)
    table, first = nn.Embedding(20, 4), nn.GRU(4, 5)
    last = nn.GRU(4, 5, batch_first=True)
    last.load_state_dict(first.state_dict())
    for ids in (IDS, IDS[:, :2]):
        for method in ("integrated_gradients", "lrp", "saliency"):
            a = attribute(lambda x: first(table(x.t()))[0][-1], ids, 1, method)
            b = attribute(lambda x: last(table(x))[0][:, -1], ids, 1, method)
            np.testing.assert_allclose(a.values, b.values, rtol=1e-4, atol=1e-6)


def test_masks_are_not_tokens():
    torch.manual_seed(0)
    table, kinds, head = nn.Embedding(20, 4), nn.Embedding(2, 4), nn.Linear(4, 3)

    def model(ids, mask, kind):
        h = (table(ids) + kinds(kind)) * mask[..., None].float()
        return {"logits": head(h.sum(1) / mask.sum(1, keepdim=True))}

    mask = np.ones_like(IDS)
    mask[0, 4:] = 0
    a = attribute(model, (IDS, mask, np.zeros_like(IDS)), 1)
    assert a.values[1] is None
    assert (a.values[0][0, 4:] == 0).all() and (a.values[0][0, :4] != 0).all()
    assert a.values[2].shape == IDS.shape
    with pytest.raises(ValueError, match="nothing is attributed"):
        a.part(1)


def test_a_class_at_a_place_of_a_sequence_that_sees_no_later_one():
    torch.manual_seed(0)
    model = torch.models.Transformer(input_size=20, hidden_size=8, num_heads=2, num_layers=1)
    for method in ("saliency", "lrp", "occlusion", "attention_rollout"):
        position = {"position": 3} if method == "attention_rollout" else {}
        a = attribute(model, IDS, (5, 3), method, **position)
        assert (np.abs(a.values[:, 4:]) < 1e-6).all() and a.values[:, :4].any()


# ---------------------------------------------------------------------- attention


def test_attention_maps_are_the_layers_own():
    torch.manual_seed(0)
    layer = nn.MultiheadAttention(8, 2, batch_first=True)
    x = array(3, 5, 8)
    t = torch.tensor(x)
    _, want = layer(t, t, t, average_attn_weights=False)

    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.attend = layer

        def forward(self, x):
            return self.attend(x, x, x, need_weights=False)[0].mean((1, 2))

    (found,) = attribute.attention_maps(Model(), x)
    assert found.path == "attend"
    np.testing.assert_allclose(found.weights, want.detach().numpy(), rtol=1e-5, atol=1e-6)


def test_attention_maps_of_keras_layers():
    layer = keras.layers.MultiHeadAttention(2, 4)
    x = array(2, 5, 8)
    _, want = layer(x, x, return_attention_scores=True)
    inputs = keras.layers.Input((5, 8))
    out = keras.layers.GlobalAveragePooling1D()(layer(inputs, inputs))
    model = keras.Model(inputs, keras.layers.Dense(3)(out))
    (found,) = attribute.attention_maps(model, x)
    np.testing.assert_allclose(found.weights, want.detach().numpy(), rtol=1e-5, atol=1e-6)


def test_rollout_by_hand():
    torch.manual_seed(0)
    layers = nn.TransformerEncoder(
        nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), 2, enable_nested_tensor=False
    )

    def score(x):
        return layers(x)[:, 0, 1]

    layers.eval()
    x = array(2, 5, 8)
    maps = attribute.attention_maps(score, x)
    assert len(maps) == 2
    rolled = np.eye(5)
    for m in maps:
        a = 0.5 * m.weights.mean(1) + 0.5 * np.eye(5)
        rolled = a / a.sum(-1, keepdims=True) @ rolled
    a = attribute.attention_rollout(score, x, position=0)
    np.testing.assert_allclose(a.values, rolled[:, 0], rtol=1e-5)
    np.testing.assert_allclose(a.values.sum(1), 1, rtol=1e-5)


def test_rollout_of_patches_is_a_picture():
    torch.manual_seed(0)
    model = torch.vision.models.VisionTransformer(16, 4, 2, 2, 8, 16, num_classes=3)
    x = array(1, 3, 16, 16)
    a = attribute.attention_rollout(model, x)
    (first, second) = attribute.attention_maps(model, x)
    assert first.path.startswith("encoder.layers") and first.weights.shape == (1, 2, 17, 17)
    rolled = np.eye(17)
    for m in (first, second):
        rolled = (m.weights.mean(1) + np.eye(17)) / 2 @ rolled
    np.testing.assert_allclose(a.values, resize(rolled[:, 0, 1:].reshape(1, 4, 4), (16, 16)), 1e-4)


def test_grad_cam_of_texts_says_where():
    torch.manual_seed(0)
    table, conv, head = nn.Embedding(20, 4), nn.Conv1d(4, 6, 3), nn.Linear(6, 2)
    a = attribute.grad_cam(lambda x: head(torch.relu(conv(table(x).mT)).amax(-1)), IDS, 1)
    assert a.values.shape == IDS.shape and "5" in str(a.notes["map"])


def test_rollout_weighted_by_gradients_by_hand():
    x = array(2, 3, 4)
    a = attribute.attention_rollout(
        lambda x: (torch.softmax(x @ x.mT, -1) @ x)[:, 0, 0], x, gradient=True, position=0
    )
    (m,) = attribute.attention_maps(lambda x: (torch.softmax(x @ x.mT, -1) @ x)[:, 0, 0], x)
    want = np.maximum(m.weights[:, 0, 0] * x[:, :, 0], 0)  # ∂S/∂A of the first query is x
    np.testing.assert_allclose(a.values, want, rtol=1e-5, atol=1e-6)


# ---------------------------------------------------------------------- any model


def test_images_with_channels_last_say_the_same():
    model, x = cnn(), array(2, 1, 8, 8)
    w1, b1, w2, b2, w3, b3 = weights(model)
    layers = keras.layers
    other = keras.Sequential([
        layers.Input((8, 8, 1)), layers.Conv2D(6, 3, padding="same", activation="relu"),
        layers.MaxPooling2D(), layers.Conv2D(8, 3, padding="same", activation="relu"),
        layers.AveragePooling2D(), layers.Permute((3, 1, 2)), layers.Flatten(),
        layers.Dense(5, activation="softmax"),
    ])  # fmt: skip
    other.set_weights([
        w1.transpose(2, 3, 1, 0), b1, w2.transpose(2, 3, 1, 0), b2, w3.T, b3
    ])  # fmt: skip
    last = x.transpose(0, 2, 3, 1)
    for method in ("saliency", "guided_backprop", "lrp", "occlusion", "grad_cam"):
        one, two = attribute(model, x, 1, method), attribute(other, last, 1, method)
        want = one.values.transpose(0, 2, 3, 1) if one.values.ndim == 4 else one.values
        np.testing.assert_allclose(two.values, want, rtol=1e-3, atol=1e-5)
        assert (one.channels, two.channels) == ("first", "last")


def test_several_inputs_are_a_tuple():
    a, b = array(3, 4), array(3, 2)
    w, v = torch.tensor(array(4)), torch.tensor(array(2))
    found = attribute.gradient_times_input(lambda x, y: x @ w + y @ v, (a, b))
    np.testing.assert_allclose(found.values[0], a * w.numpy(), rtol=1e-5)
    np.testing.assert_allclose(found.values[1], b * v.numpy(), rtol=1e-5)
    assert found.part(1) is not None
    layers = keras.layers
    one, two = layers.Input((4,)), layers.Input((2,))
    model = keras.Model([one, two], layers.Dense(1)(layers.Concatenate()([one, two])))
    both = attribute(model, [a, b])
    assert [v.shape for v in both.values] == [(3, 4), (3, 2)]
    assert (both.completeness < 1e-3).all()


def test_a_model_that_looks_at_values_is_called_at_every_point():
    torch.manual_seed(0)
    up, down = nn.Linear(4, 1), nn.Linear(4, 1)

    def model(x):
        return up(x) if x.sum().item() > 0 else down(x)

    x = np.abs(array(1, 4))
    np.testing.assert_allclose(
        attribute.saliency(model, x, absolute=False).values, up.weight.detach().numpy(), rtol=1e-5
    )
    np.testing.assert_allclose(
        attribute.saliency(model, -x, absolute=False).values, down.weight.detach().numpy(),
        rtol=1e-5,
    )  # fmt: skip


def test_the_model_is_evaluated_and_given_back_as_it_was():
    model = nn.Sequential(nn.Linear(6, 6), nn.BatchNorm1d(6), nn.Dropout(0.9), nn.Linear(6, 2))
    model.train()
    model[2].eval()
    before = model[1].running_mean.numpy().copy()
    first, second = (attribute.saliency(model, np.ones((3, 6), np.float32)) for _ in range(2))
    assert (first.values == second.values).all()
    assert model[1].training and not model[2].training
    assert (model[1].running_mean.numpy() == before).all()
    assert all(p.grad is None for p in model.parameters())


def test_random_numbers_go_on_as_if_nothing_was_asked():
    torch.manual_seed(3)
    want = torch.rand(3).tolist()
    torch.manual_seed(3)
    attribute.smooth_grad(lambda x: (x * torch.rand(6)).sum(-1), array(2, 6), samples=3)
    assert torch.rand(3).tolist() == want


def test_a_function_whose_gradient_the_user_wrote_is_seen_through():
    class Square(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * x

        @staticmethod
        def backward(ctx, g):
            raise AssertionError("not asked")

    x = array(2, 3)
    a = attribute.saliency(lambda x: Square.apply(x).sum(-1), x, absolute=False)
    np.testing.assert_allclose(a.values, 2 * x, rtol=1e-6)


def test_images_of_bytes_and_other_types_of_numbers():
    model = cnn()
    bytes_ = RNG.integers(0, 255, (2, 1, 8, 8)).astype(np.uint8)
    a = attribute.saliency(lambda x: model(x.float() / 255), bytes_, 1)
    b = attribute.saliency(lambda x: model(x / 255), bytes_.astype(np.float32), 1)
    np.testing.assert_allclose(a.values, b.values, rtol=1e-5)
    assert a.is_image
    line, x = nn.Linear(3, 2), array(2, 3)
    for dtype, error in ((torch.float64, 1e-6), (torch.bfloat16, 1e-2)):
        a = attribute.saliency(line.to(dtype), torch.tensor(x).to(dtype), 1, absolute=False)
        want = np.tile(line.weight[1].detach().double().numpy(), (2, 1))
        np.testing.assert_allclose(a.values.astype(np.float64), want, rtol=error)


def test_rows_do_not_depend_on_how_many_are_computed_at_a_time():
    model, x = cnn(), array(5, 1, 8, 8)
    whole = attribute(model, x, 2)
    parts = attribute(model, x, 2, batch_size=2)
    np.testing.assert_allclose(whole.values, parts.values, rtol=1e-3, atol=1e-5)


def test_a_function_of_everything_is_one_row():
    a = attribute.gradient_times_input(lambda x: (x**2).sum(), np.array([1.0, 2.0]))
    assert a.values.tolist() == [2.0, 8.0]


@pytest.mark.parametrize("method", ["saliency", "guided_backprop", "lrp"])
def test_compiled_programs_say_the_same(method, monkeypatch):
    model, x = cnn(), array(2, 1, 8, 8)
    options = {"rule": "alpha_beta"} if method == "lrp" else {}
    slow = attribute(model, x, 1, method, **options).values
    monkeypatch.setattr(config, "patience", 0)
    runtime.programs._programs.clear()
    np.testing.assert_allclose(
        attribute(model, x, 1, method, **options).values, slow, rtol=1e-3, atol=1e-5
    )


def test_wrong_calls_say_what_is_wrong():
    with pytest.raises(ValueError, match="method is one of"):
        attribute(mlp(), array(1, 6), method="guess")
    with pytest.raises(torch.errors.GradientError, match="does not depend"):
        attribute.saliency(lambda x: torch.ones(2, 3), array(2, 6))
    with pytest.raises(IndexError, match="one output"):
        attribute.saliency(lambda x: x.sum(-1), array(2, 6), target=1)


# ---------------------------------------------------------------------- shown


def test_pictures_are_written_whole(tmp_path):
    image = pytest.importorskip("PIL.Image")
    a = attribute(cnn(), array(2, 1, 8, 8), classes=["a", "b", "c", "d", "e"])
    path = a.save(tmp_path / "x.png")
    with image.open(path) as made:
        assert made.width > 3 * 224 and made.height > 2 * 224
    assert a.image(0).height * 2 == a.image().height
    text = a.save(tmp_path / "x.html", lang="zh").read_text(encoding="utf-8")
    assert "积分梯度" in text and "data:image/png;base64" in text and "http" not in text
    assert [p.suffix for p in sorted(tmp_path.iterdir())] == [".html", ".png"]
    with pytest.raises(ValueError, match=r"\.png"):
        a.save(tmp_path / "x.gif")


def test_words_are_coloured_on_pages_and_in_terminals(tmp_path):
    from rich.console import Console

    words = [[f"<w{i}>" for i in row] for row in IDS]
    a = attribute(Text(), IDS, tokens=words)
    page = a.html()
    assert "&lt;w" in page and "<w1>" not in page
    assert page.count("<span") == IDS.size
    strongest = float(np.abs(a.values[0]).max())
    assert tint(1.0 if a.values[0].max() == strongest else -1.0) in page
    console = Console(width=80, record=True, force_terminal=True, color_system="truecolor")
    with console.capture() as seen:
        console.print(a)
    assert "48;2;" in seen.get() and words[0][0] in seen.get()


def test_features_are_a_table_with_bars():
    a = attribute(mlp(), array(1, 6), tokens=[["age", "height", "a", "b", "c", "d"]])
    assert "<td>age</td>" in a._repr_html_()
    assert a._repr_html_().count("<tr>") == 7


def test_text_says_target_score_and_error():
    a = attribute(mlp(), array(2, 6), 1)
    text = str(a)
    assert "target 1" in text and "sum off by" in text and "steps" in text
    b = attribute.lrp(cnn(), array(1, 1, 8, 8))
    assert "went to biases" in str(b)


def test_attention_is_drawn(tmp_path):
    pytest.importorskip("PIL")
    maps = attribute.attention_maps(Text(), IDS)
    picture = maps.image(tokens=[f"word{i}" for i in range(7)])
    assert picture.width > 2 * 180
    assert maps.save(tmp_path / "maps.png").stat().st_size > 0
