"""Attention and the Transformer: the paper's formula in NumPy, masks of every kind, laws, and the
faults that users make with their arguments.
"""

import numpy as np
import pytest

import chainrule as torch
from chainrule import nn
from chainrule.autograd import gradcheck
from chainrule.nn import functional as F

RNG = np.random.default_rng(0)
T, S, B, E, H = 4, 5, 2, 6, 3


def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def heads(layer, q, k, v, bias):
    """Vaswani et al., 3.2.2: Concat(head₁ … headₕ) W_O, each softmax(Q Kᵀ/√d + bias) V."""
    p = {n: w.numpy() for n, w in layer.state_dict().items()}
    w, b = np.split(p["in_proj_weight"], 3), np.split(p["in_proj_bias"], 3)
    q, k, v = (x @ a.T + c for x, a, c in zip((q, k, v), w, b, strict=True))
    d = E // H
    out, weights = np.empty_like(q), np.empty((B, H, len(q), len(k)))
    for n in range(B):
        for h in range(H):
            at = slice(h * d, (h + 1) * d)
            weights[n, h] = softmax(q[:, n, at] @ k[:, n, at].T / np.sqrt(d) + bias[n, h])
            out[:, n, at] = weights[n, h] @ v[:, n, at]
    return out @ p["out_proj.weight"].T + p["out_proj.bias"], weights


def no(blocked):
    return np.where(blocked, -np.inf, 0.0)


LOOK = RNG.random((T, S)) < 0.4
LOOK[:, 0] = False
EACH = RNG.random((B * H, T, S)) < 0.4
EACH[..., 0] = False
PAD = np.zeros((B, S), bool)
PAD[1, 3:] = True
ADDED = RNG.standard_normal((T, S))

MASKS = {
    "none": ({}, np.zeros((B, H, T, S))),
    "bool": ({"attn_mask": LOOK}, np.broadcast_to(no(LOOK), (B, H, T, S))),
    "float": ({"attn_mask": ADDED}, np.broadcast_to(ADDED, (B, H, T, S))),
    "3d": ({"attn_mask": EACH}, no(EACH).reshape(B, H, T, S)),
    "padding": ({"key_padding_mask": PAD}, np.broadcast_to(no(PAD)[:, None, None], (B, H, T, S))),
    "both": (
        {"attn_mask": ADDED, "key_padding_mask": no(PAD)},
        ADDED + np.broadcast_to(no(PAD)[:, None, None], (B, H, T, S)),
    ),
}


@pytest.mark.parametrize("name", MASKS)
def test_the_formula_with_every_mask(name):
    masks, bias = MASKS[name]
    torch.manual_seed(0)
    layer = nn.MultiheadAttention(E, H).double()
    arrays = [RNG.standard_normal((n, B, E)) for n in (T, S, S)]
    want, weights = heads(layer, *arrays, bias)
    inputs = [torch.tensor(a, requires_grad=True) for a in arrays]
    masks = {k: torch.tensor(v) for k, v in masks.items()}
    y, w = layer(*inputs, **masks, average_attn_weights=False)
    np.testing.assert_allclose(y.detach().numpy(), want, atol=1e-12)
    np.testing.assert_allclose(w.detach().numpy(), weights, atol=1e-12)
    mean = layer(*inputs, **masks)[1]
    np.testing.assert_allclose(mean.detach().numpy(), weights.mean(1), atol=1e-12)
    plain, nothing = layer(*inputs, **masks, need_weights=False)
    assert nothing is None
    np.testing.assert_allclose(plain.detach().numpy(), want, atol=1e-12)
    assert gradcheck(lambda *x: layer(*x, **masks, need_weights=False)[0], inputs)


def test_batch_first_and_single_sequences():
    layer = nn.MultiheadAttention(E, H).double()
    first = nn.MultiheadAttention(E, H, batch_first=True).double()
    first.load_state_dict(layer.state_dict())
    q, k = (
        torch.tensor(RNG.standard_normal((T, B, E))),
        torch.tensor(RNG.standard_normal((S, B, E))),
    )
    y, w = layer(q, k, k)
    z, u = first(*(x.transpose(0, 1) for x in (q, k, k)))
    np.testing.assert_allclose(z.transpose(0, 1).detach().numpy(), y.detach().numpy(), atol=1e-12)
    np.testing.assert_allclose(u.detach().numpy(), w.detach().numpy(), atol=1e-12)
    one, v = layer(q[:, 1], k[:, 1], k[:, 1])
    np.testing.assert_allclose(one.detach().numpy(), y[:, 1].detach().numpy(), atol=1e-12)
    np.testing.assert_allclose(v.detach().numpy(), w[1].detach().numpy(), atol=1e-12)


def test_self_attention_is_the_same_by_one_product_or_three():
    layer = nn.MultiheadAttention(E, H).double()
    x = torch.tensor(RNG.standard_normal((T, B, E)))
    np.testing.assert_allclose(
        layer(x, x, x)[0].detach().numpy(), layer(x, x.clone(), x.clone())[0].detach().numpy()
    )


def test_a_query_that_may_look_nowhere():
    """All keys blocked: weights and gradients are zeros, not NaN."""
    q, k, v = (torch.tensor(RNG.standard_normal((3, 4)), requires_grad=True) for _ in range(3))
    mask = torch.tensor([[True, True, False], [False, False, False], [True, False, True]])
    y = F.scaled_dot_product_attention(q, k, v, mask)
    y.sum().backward()
    assert y[1].tolist() == [0.0] * 4
    assert all(np.isfinite(t.grad.numpy()).all() for t in (q, k, v))
    assert q.grad[1].tolist() == [0.0] * 4


def test_scaled_dot_products():
    q, k, v = (RNG.standard_normal(s) for s in ((2, T, 4), (2, S, 4), (2, S, 3)))
    ts = [torch.tensor(a, requires_grad=True) for a in (q, k, v)]
    want = softmax(q @ k.swapaxes(1, 2) / 2) @ v
    got = F.scaled_dot_product_attention(*ts)
    np.testing.assert_allclose(got.detach().numpy(), want, atol=1e-12)
    assert gradcheck(F.scaled_dot_product_attention, ts)
    other = F.scaled_dot_product_attention(*ts, scale=0.1)
    np.testing.assert_allclose(
        other.detach().numpy(), softmax(0.1 * q @ k.swapaxes(1, 2)) @ v, atol=1e-12
    )
    with pytest.raises(RuntimeError, match="should not be set when is_causal=True"):
        F.scaled_dot_product_attention(ts[0], ts[0], ts[0], torch.ones(T, T), is_causal=True)


def test_causal_attention_sees_no_future():
    q = torch.tensor(RNG.standard_normal((1, T, E)))
    later = q.clone()
    later[:, 2:] += 1.0
    a, b = (F.scaled_dot_product_attention(x, x, x, is_causal=True) for x in (q, later))
    assert torch.equal(a[:, :2], b[:, :2]) and not torch.equal(a[:, 2:], b[:, 2:])
    mask = torch.ones(T, T, dtype=torch.bool).tril()
    np.testing.assert_allclose(
        a.numpy(), F.scaled_dot_product_attention(q, q, q, mask).numpy(), atol=1e-12
    )


def test_dropout_of_weights_keeps_the_mean():
    torch.manual_seed(0)
    q = torch.zeros(2000, 1, 2)
    k, v = torch.zeros(2000, 4, 2), torch.ones(2000, 4, 1)
    y = F.scaled_dot_product_attention(q, k, v, dropout_p=0.5)
    assert abs(y.mean().item() - 1.0) < 0.05 and len(set(y.reshape(-1).tolist())) == 5
    layer = nn.MultiheadAttention(4, 2, dropout=0.9)
    x = torch.randn(3, 2, 4)
    assert not torch.equal(layer(x, x, x)[0], layer(x, x, x)[0])
    layer.eval()
    assert torch.equal(layer(x, x, x)[0], layer(x, x, x)[0])


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda m, x: m(x[:, :, :4], x, x),
         RuntimeError, "expecting embedding dimension of 6, but got 4"),
        (lambda m, x: m(x, x, x, attn_mask=torch.ones(3, 3)),
         RuntimeError, r"2D attn_mask is \(3, 3\), but should be \(4, 4\)"),
        (lambda m, x: m(x, x, x, attn_mask=torch.ones(2, 4, 4)),
         RuntimeError, r"3D attn_mask is \(2, 4, 4\), but should be \(6, 4, 4\)"),
        (lambda m, x: m(x, x, x, key_padding_mask=torch.ones(4, 2)),
         RuntimeError, r"should have shape \(2, 4\), got \(4, 2\)"),
        (lambda m, x: m(x, x, x, attn_mask=torch.ones(4, 4).long()),
         RuntimeError, r"bool \(True: may not look\) or floating point.*\.bool\(\)"),
        (lambda m, x: m(x, x, x, is_causal=True), RuntimeError, "Need attn_mask"),
        (lambda m, x: m(x[None], x, x), RuntimeError, "2D or batched 3D tensor but received 4-D"),
        (lambda m, x: nn.MultiheadAttention(6, 4),
         AssertionError, "embed_dim must be divisible by num_heads, got 6 and 4"),
        (lambda m, x: nn.MultiheadAttention(0, 4), ValueError, "must be greater than 0"),
    ],
)  # fmt: skip
def test_misuse(call, error, text):
    with pytest.raises(error, match=text):
        call(nn.MultiheadAttention(E, H), torch.ones(T, B, E))


# ---- the Transformer


def encoder_layer(**settings):
    return nn.TransformerEncoderLayer(E, H, 7, dropout=0.0, **settings).double()


def norm(x, layer):
    y = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-5)
    return y * layer.weight.detach().numpy() + layer.bias.detach().numpy()


def linear(x, layer):
    return x @ layer.weight.detach().numpy().T + layer.bias.detach().numpy()


@pytest.mark.parametrize("norm_first", [False, True])
def test_an_encoder_layer_written_out(norm_first):
    layer = encoder_layer(norm_first=norm_first)
    x = RNG.standard_normal((T, B, E))
    zero = np.zeros((B, H, T, T))

    def attend(v):
        return heads(layer.self_attn, v, v, v, zero)[0]

    def forward(v):
        return linear(np.maximum(linear(v, layer.linear1), 0), layer.linear2)

    if norm_first:
        y = x + attend(norm(x, layer.norm1))
        y = y + forward(norm(y, layer.norm2))
    else:
        y = norm(x + attend(x), layer.norm1)
        y = norm(y + forward(y), layer.norm2)
    np.testing.assert_allclose(layer(torch.tensor(x)).detach().numpy(), y, atol=1e-12)
    t = torch.tensor(x, requires_grad=True)
    assert gradcheck(layer, t, atol=1e-4)


def test_dropout_in_place_of_dim_feedforward():
    """TransformerEncoderLayer(d_model, nhead, 0.1) in printed programs: the third is a width."""
    for layer in (nn.TransformerEncoderLayer, nn.TransformerDecoderLayer):
        with pytest.raises(
            TypeError, match=r"dim_feedforward must be a positive int, got 0\.1.*dropout="
        ):
            layer(6, 3, 0.1)
    with pytest.raises(RuntimeError, match="relu/gelu, not sine"):
        nn.TransformerEncoderLayer(6, 3, activation="sine")


def test_the_order_of_words_is_not_seen_without_positions():
    """Permuted input, permuted output: the law that makes positional encoding necessary."""
    layer = encoder_layer()
    x = torch.tensor(RNG.standard_normal((T, B, E)))
    order = torch.tensor([2, 0, 3, 1])
    np.testing.assert_allclose(
        layer(x[order]).detach().numpy(), layer(x)[order].detach().numpy(), atol=1e-12
    )


def test_padding_changes_nothing_for_the_rest():
    encoder = nn.TransformerEncoder(encoder_layer(batch_first=True), 2, enable_nested_tensor=False)
    x = torch.tensor(RNG.standard_normal((1, 4, E)))
    longer = torch.cat([x, torch.full((1, 2, E), 9.0, dtype=torch.float64)], 1)
    padding = torch.tensor([[False] * 4 + [True] * 2])
    short, long = encoder(x), encoder(longer, src_key_padding_mask=padding)
    np.testing.assert_allclose(long[:, :4].detach().numpy(), short.detach().numpy(), atol=1e-12)


def test_a_decoder_with_a_causal_mask_sees_no_future():
    torch.manual_seed(0)
    model = nn.Transformer(E, H, 1, 2, 7, dropout=0.0, batch_first=True).double()
    src, tgt = (
        torch.tensor(RNG.standard_normal((B, S, E))),
        torch.tensor(RNG.standard_normal((B, T, E))),
    )
    mask = model.generate_square_subsequent_mask(T).double()
    assert mask[0].tolist() == [0.0, -np.inf, -np.inf, -np.inf]
    later = tgt.clone()
    later[:, 3] += 1.0
    a, b = (model(src, t, tgt_mask=mask, tgt_is_causal=True) for t in (tgt, later))
    np.testing.assert_allclose(a[:, :3].detach().numpy(), b[:, :3].detach().numpy(), atol=1e-12)
    assert abs(a[:, 3] - b[:, 3]).max().item() > 1e-3


def test_copies_of_a_layer_are_independent():
    encoder = nn.TransformerEncoder(encoder_layer(), 2, enable_nested_tensor=False)
    a, b = (m.linear1.weight for m in encoder.layers)
    assert torch.equal(a, b) and a is not b
    encoder(torch.ones(T, B, E, dtype=torch.float64) * torch.arange(E)).square().sum().backward()
    assert not torch.equal(a.grad, b.grad)


def test_shapes_that_do_not_fit():
    model = nn.Transformer(E, H, 1, 1, 7)
    with pytest.raises(RuntimeError, match="batch number of src and tgt must be equal"):
        model(torch.ones(S, 2, E), torch.ones(T, 3, E))
    with pytest.raises(RuntimeError, match="equal to d_model"):
        model(torch.ones(S, 2, 4), torch.ones(T, 2, 4))
