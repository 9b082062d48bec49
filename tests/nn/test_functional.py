"""`nn.functional`: values from NumPy, gradients from differences to second order, laws, and errors
that say what came and what to do.
"""

import itertools
import math

import numpy as np
import pytest

import chainrule as torch
from chainrule.autograd import gradcheck, gradgradcheck
from chainrule.nn import functional as F

RNG = np.random.default_rng(0)
X = RNG.uniform(-3, 3, (4, 5))


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def phi(x):
    return 0.5 * (1 + np.vectorize(math.erf)(x / math.sqrt(2)))


ACTIVATIONS = {
    "relu": lambda x: np.maximum(x, 0),
    "relu6": lambda x: np.clip(x, 0, 6),
    "leaky_relu": lambda x: np.where(x > 0, x, 0.01 * x),
    "elu": lambda x: np.where(x > 0, x, np.expm1(x)),
    "celu": lambda x: np.where(x > 0, x, np.expm1(x)),
    "selu": lambda x: 1.0507009873554805 * np.where(x > 0, x, 1.6732632423543772 * np.expm1(x)),
    "gelu": lambda x: x * phi(x),
    "silu": lambda x: x * sigmoid(x),
    "mish": lambda x: x * np.tanh(np.log1p(np.exp(x))),
    "sigmoid": sigmoid,
    "tanh": np.tanh,
    "tanhshrink": lambda x: x - np.tanh(x),
    "softsign": lambda x: x / (1 + np.abs(x)),
    "softplus": lambda x: np.log1p(np.exp(x)),
    "logsigmoid": lambda x: np.log(sigmoid(x)),
    "hardtanh": lambda x: np.clip(x, -1, 1),
    "hardsigmoid": lambda x: np.clip(x + 3, 0, 6) / 6,
    "hardswish": lambda x: x * np.clip(x + 3, 0, 6) / 6,
    "hardshrink": lambda x: np.where(np.abs(x) > 0.5, x, 0),
    "softshrink": lambda x: np.sign(x) * np.maximum(np.abs(x) - 0.5, 0),
    "rrelu": lambda x: np.where(x > 0, x, x * (1 / 8 + 1 / 3) / 2),
    "softmin": lambda x: np.exp(-x) / np.exp(-x).sum(1, keepdims=True),
    "softmax": lambda x: np.exp(x) / np.exp(x).sum(1, keepdims=True),
    "log_softmax": lambda x: x - np.log(np.exp(x).sum(1, keepdims=True)),
}
SMOOTH = {
    "gelu", "silu", "mish", "sigmoid", "tanh", "tanhshrink", "softplus", "logsigmoid", "softmax",
    "log_softmax",
}  # fmt: skip


def call(name, x):
    rows = name in ("softmin", "softmax", "log_softmax")
    return getattr(F, name)(x, 1) if rows else getattr(F, name)(x)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations(name):
    x = torch.tensor(X, requires_grad=True)
    np.testing.assert_allclose(call(name, x).detach().numpy(), ACTIVATIONS[name](X), atol=1e-12)
    assert gradcheck(lambda v: call(name, v), x)
    if name in SMOOTH:
        assert gradgradcheck(lambda v: call(name, v), x)


@pytest.mark.parametrize(
    "name", ["sigmoid", "softplus", "logsigmoid", "gelu", "silu", "mish", "elu"]
)
def test_far_out_nothing_overflows(name):
    x = torch.tensor([-1e4, -100.0, 100.0, 1e4], requires_grad=True)
    y = call(name, x)
    y.sum().backward()
    assert np.isfinite(y.detach().numpy()).all() and np.isfinite(x.grad.numpy()).all()


def test_corners_have_the_derivatives_that_pytorch_documents():
    zero = torch.zeros(1, requires_grad=True)
    for name, want in {"relu": 0.0, "leaky_relu": 0.01, "relu6": 0.0, "elu": 1.0}.items():
        (g,) = torch.autograd.grad(getattr(F, name)(zero), zero)
        assert g.item() == pytest.approx(want), name


def test_softmax_laws():
    y = F.softmax(torch.tensor(X), -1)
    np.testing.assert_allclose(y.sum(-1).numpy(), 1.0)
    np.testing.assert_allclose(F.softmax(torch.tensor(X + 1000), -1).numpy(), y.numpy())
    np.testing.assert_allclose(F.log_softmax(torch.tensor(X), -1).exp().numpy(), y.numpy())


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
def test_selu_and_alpha_dropout_keep_mean_and_variance(p):
    """Klambauer et al. 2017: their fixed point is mean 0, variance 1."""
    torch.manual_seed(0)
    x = torch.randn(200_000)
    y = F.selu(x)
    assert abs(y.mean().item()) < 0.01 and abs(y.var().item() - 1) < 0.02
    z = F.alpha_dropout(x, p, training=True)
    assert abs(z.mean().item()) < 0.03 and abs(z.var().item() - 1) < 0.05


def test_gumbel_softmax_draws_from_the_distribution():
    torch.manual_seed(0)
    logits = torch.tensor([1.0, 0.0, -1.0]).expand(20_000, 3)
    hard = F.gumbel_softmax(logits, hard=True)
    assert sorted(set(hard.numpy().reshape(-1).tolist())) == [0.0, 1.0]
    want = np.exp([1.0, 0.0, -1.0]) / np.exp([1.0, 0.0, -1.0]).sum()
    np.testing.assert_allclose(hard.mean(0).numpy(), want, atol=0.015)
    x = torch.zeros(4, 3, requires_grad=True)
    F.gumbel_softmax(x, hard=True)[:, 0].sum().backward()
    assert x.grad.abs().sum().item() > 0  # the gradient is the soft one's


# ---- linear maps


def brute_conv(x, w, stride, padding, dilation, groups):
    """The sum over the kernel, element by element."""
    x = np.pad(x, [(0, 0), (0, 0), *[(p, p) for p in padding]])
    k = w.shape[2:]
    out = [
        (n - d * (m - 1) - 1) // s + 1
        for n, d, m, s in zip(x.shape[2:], dilation, k, stride, strict=True)
    ]
    y = np.zeros((x.shape[0], w.shape[0], *out))
    per_in, per_out = w.shape[1], w.shape[0] // groups
    for b, o in itertools.product(range(x.shape[0]), range(w.shape[0])):
        first = o // per_out * per_in
        for at in np.ndindex(*out):
            for c, *u in np.ndindex(per_in, *k):
                place = [a * s + v * d for a, s, v, d in zip(at, stride, u, dilation, strict=True)]
                y[(b, o, *at)] += x[(b, first + c, *place)] * w[(o, c, *u)]
    return y


CONVOLUTIONS = [
    ((2, 2, 7), (3, 2, 3), (1,), (0,), (1,), 1),
    ((2, 4, 8), (6, 2, 2), (2,), (1,), (2,), 2),
    ((1, 2, 5, 6), (3, 2, 3, 2), (1, 2), (1, 0), (1, 1), 1),
    ((2, 3, 5, 5), (3, 1, 2, 3), (2, 1), (1, 2), (2, 1), 3),
    ((1, 2, 3, 4, 3), (2, 1, 2, 2, 2), (1, 2, 1), (0, 1, 0), (1, 1, 2), 2),
]


@pytest.mark.parametrize(("x", "w", "stride", "padding", "dilation", "groups"), CONVOLUTIONS)
def test_convolutions_are_the_sum_over_the_kernel(x, w, stride, padding, dilation, groups):
    n = len(stride)
    a, k = RNG.standard_normal(x), RNG.standard_normal(w)
    conv = getattr(F, f"conv{n}d")
    settings = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    want = brute_conv(a, k, stride, padding, dilation, groups)
    np.testing.assert_allclose(conv(torch.tensor(a), torch.tensor(k), **settings).numpy(), want)
    inputs = [torch.tensor(v, requires_grad=True) for v in (a, k)]
    assert gradcheck(lambda p, q: conv(p, q, **settings), inputs)


@pytest.mark.parametrize(("x", "w", "stride", "padding", "dilation", "groups"), CONVOLUTIONS)
def test_transposed_convolution_is_the_transpose(x, w, stride, padding, dilation, groups):
    """⟨conv(x), g⟩ = ⟨x, convᵀ(g)⟩"""
    n = len(stride)
    a, k = torch.tensor(RNG.standard_normal(x)), torch.tensor(RNG.standard_normal(w))
    settings = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    y = getattr(F, f"conv{n}d")(a, k, **settings)
    g = torch.tensor(RNG.standard_normal(tuple(y.shape)))
    spare = [
        m - ((o - 1) * s - 2 * p + d * (q - 1) + 1)
        for m, o, s, p, d, q in zip(
            x[2:], y.shape[2:], stride, padding, dilation, w[2:], strict=True
        )
    ]
    back = getattr(F, f"conv_transpose{n}d")(g, k, output_padding=spare, **settings)
    assert back.shape == a.shape
    np.testing.assert_allclose((y * g).sum().item(), (a * back).sum().item(), rtol=1e-10)


def test_images_large_and_small_take_the_same_sums():
    """Both ways in which the reference multiplies windows: few rows at a time, and many."""
    a, k = RNG.standard_normal((2, 3, 19, 18)), RNG.standard_normal((4, 3, 3, 3))
    whole = F.conv2d(torch.tensor(a), torch.tensor(k)).numpy()
    np.testing.assert_allclose(whole, brute_conv(a, k, (1, 1), (0, 0), (1, 1), 1), atol=1e-10)


def test_same_padding_keeps_the_length():
    for size, dilation in itertools.product([1, 2, 3, 4, 5], [1, 2, 3]):
        x, w = torch.ones(1, 1, 11), torch.ones(1, 1, size)
        assert F.conv1d(x, w, padding="same", dilation=dilation).shape == (1, 1, 11)


def test_fold_is_the_transpose_of_unfold():
    x = torch.tensor(RNG.standard_normal((2, 3, 5, 6)))
    columns = F.unfold(x, (2, 3), padding=1, stride=(2, 1))
    g = torch.tensor(RNG.standard_normal(tuple(columns.shape)))
    back = F.fold(g, (5, 6), (2, 3), padding=1, stride=(2, 1))
    np.testing.assert_allclose((columns * g).sum().item(), (x * back).sum().item())


def test_bilinear():
    a, b, w = (RNG.standard_normal(s) for s in ((2, 3), (2, 4), (5, 3, 4)))
    want = np.einsum("ni,oij,nj->no", a, w, b)
    got = F.bilinear(*map(torch.tensor, (a, b, w)))
    np.testing.assert_allclose(got.numpy(), want)


# ---- pooling


def brute_pool(x, f, size, stride):
    out = [(n - k) // s + 1 for n, k, s in zip(x.shape[2:], size, stride, strict=True)]
    y = np.empty((*x.shape[:2], *out))
    for at in np.ndindex(*out):
        window = tuple(slice(a * s, a * s + k) for a, s, k in zip(at, stride, size, strict=True))
        part = x[(..., *window)].reshape(*x.shape[:2], -1)
        y[(..., *at)] = f(part, -1)
    return y


@pytest.mark.parametrize(
    ("size", "stride"), [((2,), (2,)), ((3, 2), (2, 1)), ((2, 1, 2), (1, 2, 1))]
)
def test_pooling_reduces_each_window(size, stride):
    n = len(size)
    a = RNG.standard_normal((2, 3, *[6] * n))
    x = torch.tensor(a, requires_grad=True)
    for name, f in {"max": np.max, "avg": np.mean}.items():
        pool = getattr(F, f"{name}_pool{n}d")
        np.testing.assert_allclose(
            pool(x, size, stride).detach().numpy(), brute_pool(a, f, size, stride)
        )
        assert gradcheck(lambda v, pool=pool: pool(v, size, stride), x)
    norm = getattr(F, f"lp_pool{n}d")(torch.tensor(np.abs(a)), 3, size, stride)
    want = brute_pool(np.abs(a), lambda v, i: (v**3).sum(i) ** (1 / 3), size, stride)
    np.testing.assert_allclose(norm.numpy(), want)


def test_the_first_of_equal_maxima_gets_the_gradient():
    x = torch.ones(1, 1, 2, 4, requires_grad=True)
    y, places = F.max_pool2d(x, 2, return_indices=True)
    y.sum().backward()
    assert x.grad.tolist() == [[[[1.0, 0.0, 1.0, 0.0], [0.0] * 4]]]
    assert places.tolist() == [[[[0, 2]]]]


@pytest.mark.parametrize("shape", [(1, 1, 4, 4), (4, 64, 16, 16)])
def test_nan_wins_over_every_number(shape):
    """Few windows and many: the reference reduces them differently."""
    x = torch.zeros(shape)
    x[0, 0, 1, 0] = math.nan
    x[0, 0, 2, 3] = math.inf
    y = F.max_pool2d(x, 2)
    assert math.isnan(y[0, 0, 0, 0].item()) and y[0, 0, 1, 1].item() == math.inf
    assert y[0, 0, 0, 1].item() == 0.0


def test_adaptive_pooling_covers_everything():
    a = RNG.standard_normal((1, 2, 7))
    parts = [a[..., i * 7 // 3 : -(-(i + 1) * 7 // 3)] for i in range(3)]
    x = torch.tensor(a)
    np.testing.assert_allclose(
        F.adaptive_avg_pool1d(x, 3).numpy(), np.stack([p.mean(-1) for p in parts], -1)
    )
    np.testing.assert_allclose(
        F.adaptive_max_pool1d(x, 3).numpy(), np.stack([p.max(-1) for p in parts], -1)
    )


def test_unpooling_puts_maxima_back():
    x = torch.tensor(RNG.standard_normal((1, 1, 4, 6)))
    y, places = F.max_pool2d(x, 2, return_indices=True)
    back = F.max_unpool2d(y, places, 2)
    hit = back != 0
    assert hit.sum().item() == 6 and torch.equal(back[hit], x[hit])
    assert F.max_unpool2d(y, places, 2, output_size=(5, 7)).shape == (1, 1, 5, 7)
    with pytest.raises(ValueError, match="must be between 2 and 6"):
        F.max_unpool2d(y, places, 2, output_size=(7, 6))


# ---- normalisation


def standardized(x, axes, eps=1e-5):
    return (x - x.mean(axes, keepdims=True)) / np.sqrt(x.var(axes, keepdims=True) + eps)


@pytest.mark.parametrize(
    ("call", "axes"),
    [
        (lambda x: F.layer_norm(x, (4, 5)), (2, 3)),
        (lambda x: F.batch_norm(x, None, None, training=True), (0, 2, 3)),
        (lambda x: F.instance_norm(x), (2, 3)),
    ],
)
def test_normalisation(call, axes):
    a = RNG.standard_normal((3, 2, 4, 5))
    x = torch.tensor(a, requires_grad=True)
    np.testing.assert_allclose(call(x).detach().numpy(), standardized(a, axes), atol=1e-12)
    assert gradcheck(call, x)


def test_group_norm_lies_between_layer_and_instance_norm():
    a = RNG.standard_normal((3, 4, 5))
    x = torch.tensor(a)
    np.testing.assert_allclose(F.group_norm(x, 4).numpy(), standardized(a, (2,)), atol=1e-12)
    np.testing.assert_allclose(F.group_norm(x, 1).numpy(), standardized(a, (1, 2)), atol=1e-12)
    assert F.group_norm(x[:0], 2).shape == (0, 4, 5)


def test_rms_norm_and_normalize():
    x = torch.tensor(X)
    want = X / np.sqrt((X**2).mean(1, keepdims=True) + np.finfo(np.float64).eps)
    np.testing.assert_allclose(F.rms_norm(x, (5,)).numpy(), want)
    np.testing.assert_allclose(F.normalize(x).norm(2, 1).numpy(), 1.0)
    assert F.normalize(torch.zeros(2, 3)).tolist() == [[0.0] * 3] * 2


def test_local_response_norm():
    a = RNG.standard_normal((1, 5, 2))
    want = np.empty_like(a)
    for c in range(5):
        near = a[:, max(0, c - 1) : c + 2]
        want[:, c] = a[:, c] / (2.0 + 0.5 / 3 * (near**2).sum(1)) ** 0.75
    got = F.local_response_norm(torch.tensor(a), 3, alpha=0.5, k=2.0)
    np.testing.assert_allclose(got.numpy(), want)


# ---- dropout


@pytest.mark.parametrize("p", [0.1, 0.5, 0.8])
def test_dropout_keeps_a_share_and_the_mean(p):
    torch.manual_seed(3)
    y = F.dropout(torch.ones(100_000), p).numpy()
    kept = (y != 0).mean()
    assert abs(kept - (1 - p)) < 5 * math.sqrt(p * (1 - p) / 1e5)  # five standard deviations
    np.testing.assert_allclose(y[y != 0], 1 / (1 - p), rtol=1e-6)


def test_dropout_extremes_and_evaluation():
    x = torch.ones(3)
    assert F.dropout(x, 0.7, training=False) is x and F.dropout(x, 0.0) is x
    assert F.dropout(x, 1.0).tolist() == [0.0] * 3
    for p in (-0.1, 1.1):
        with pytest.raises(ValueError, match=f"between 0 and 1, but got {p}"):
            F.dropout(x, p)


def test_dropout_has_a_stream_of_its_own():
    """Neither another initialisation nor other random numbers change which elements are dropped."""

    def masks(disturb):
        torch.manual_seed(5)
        first = F.dropout(torch.ones(50)).numpy()
        if disturb:
            torch.randn(7)
            torch.nn.Linear(3, 3)
            torch.randperm(9)
        return first, F.dropout(torch.ones(50)).numpy()

    plain, disturbed = masks(False), masks(True)
    assert all((a == b).all() for a, b in zip(plain, disturbed, strict=True))
    assert (plain[0] != plain[1]).any()


def test_gradients_are_dropped_where_values_are():
    x = torch.ones(1000, requires_grad=True)
    y = F.dropout(x, 0.3)
    y.sum().backward()
    assert torch.equal(x.grad, y.detach())


@pytest.mark.parametrize("n", [1, 2, 3])
def test_whole_channels_are_dropped(n):
    torch.manual_seed(0)
    y = getattr(F, f"dropout{n}d")(torch.ones(40, 30, *[3] * n), 0.4).numpy().reshape(1200, -1)
    assert ((y == 0).all(1) | (y != 0).all(1)).all()
    assert 0.3 < (y == 0).all(1).mean() < 0.5


# ---- tables


def test_embedding_looks_up_and_its_gradient_counts():
    w = torch.tensor(RNG.standard_normal((5, 3)), requires_grad=True)
    i = torch.tensor([[0, 2], [2, 4]])
    y = F.embedding(i, w)
    assert torch.equal(y, w[i]) and y.shape == (2, 2, 3)
    y.sum().backward()
    assert w.grad[:, 0].tolist() == [1.0, 0.0, 2.0, 0.0, 1.0]
    w.grad = None
    F.embedding(i, w, padding_idx=2).sum().backward()
    assert w.grad[:, 0].tolist() == [1.0, 0.0, 0.0, 0.0, 1.0]
    w.grad = None
    F.embedding(i, w, scale_grad_by_freq=True).sum().backward()
    assert w.grad[:, 0].tolist() == [1.0, 0.0, 1.0, 0.0, 1.0]


def test_rows_that_are_too_long_are_shortened_in_place():
    w = torch.tensor([[3.0, 4.0], [0.3, 0.4], [6.0, 8.0]])
    F.embedding(torch.tensor([0, 1]), w, max_norm=1.0)
    np.testing.assert_allclose(w.numpy(), [[0.6, 0.8], [0.3, 0.4], [6.0, 8.0]], rtol=1e-5)


@pytest.mark.parametrize("kind", [torch.float32, torch.bool])
def test_indices_must_be_whole_numbers(kind):
    with pytest.raises(RuntimeError, match=r"convert with \.long\(\)"):
        F.embedding(torch.ones(2, dtype=kind), torch.ones(3, 2))


def test_indices_beyond_the_table():
    with pytest.raises(IndexError, match="3"):
        F.embedding(torch.tensor([0, 3]), torch.ones(3, 2)).numpy()


@pytest.mark.parametrize("mode", ["sum", "mean", "max"])
def test_bags(mode):
    w = RNG.standard_normal((6, 3))
    i, starts = np.array([0, 4, 4, 1, 5]), [0, 3, 3]
    want = []
    for a, b in itertools.pairwise([*starts, 5]):
        want.append(getattr(w[i[a:b]], mode)(0) if b > a else np.zeros(3))
    x = torch.tensor(w, requires_grad=True)
    args = (torch.tensor(i), torch.tensor(starts))
    got = F.embedding_bag(args[0], x, args[1], mode=mode)
    np.testing.assert_allclose(got.detach().numpy(), np.stack(want))
    assert gradcheck(lambda v: F.embedding_bag(args[0], v, args[1], mode=mode), x)


def test_one_hot():
    assert F.one_hot(torch.tensor([1, 0]), 3).tolist() == [[0, 1, 0], [1, 0, 0]]
    with pytest.raises(RuntimeError, match="Target 3 is out of bounds"):
        F.one_hot(torch.tensor([3]), 3)


# ---- padding, resizing, sampling


@pytest.mark.parametrize(
    ("mode", "theirs"), [("reflect", "reflect"), ("replicate", "edge"), ("circular", "wrap")]
)
def test_padding_is_numpys(mode, theirs):
    a = RNG.standard_normal((2, 3, 4, 5))
    got = F.pad(torch.tensor(a), (2, 1, 0, 3), mode)
    np.testing.assert_array_equal(got.numpy(), np.pad(a, [(0, 0), (0, 0), (0, 3), (2, 1)], theirs))


def test_padding_with_a_number_and_cutting_off():
    x = torch.arange(6.0).reshape(2, 3)
    assert F.pad(x, (1, -1), value=9.0).tolist() == [[9.0, 0.0, 1.0], [9.0, 3.0, 4.0]]
    with pytest.raises(RuntimeError, match="divisible by 2"):
        F.pad(x, (1,))
    with pytest.raises(RuntimeError, match="Padding size should be less than"):
        F.pad(x, (3, 0), "reflect")


def test_resizing_a_line_is_exact():
    """Between pixel centres or between corners: points of the line."""
    line = torch.arange(5, dtype=torch.float64).reshape(1, 1, 5)
    wide = F.interpolate(line, size=9, mode="linear", align_corners=True)
    np.testing.assert_allclose(wide.numpy()[0, 0], np.arange(9) / 2)
    inner = F.interpolate(line, scale_factor=2, mode="linear").numpy()[0, 0]
    np.testing.assert_allclose(inner[1:-1], np.arange(8) / 2 + 0.25)
    assert F.interpolate(line, size=10).tolist() == [[[0, 0, 1, 1, 2, 2, 3, 3, 4, 4]]]


def test_sampling_at_the_identity_is_the_image():
    x = torch.tensor(RNG.standard_normal((2, 3, 4, 5)))
    theta = torch.tensor([[[1.0, 0, 0], [0, 1, 0]]] * 2, dtype=torch.float64)
    for align in (True, False):
        grid = F.affine_grid(theta, (2, 3, 4, 5), align_corners=align)
        for mode in ("bilinear", "nearest"):
            y = F.grid_sample(x, grid, mode=mode, align_corners=align)
            np.testing.assert_allclose(y.numpy(), x.numpy(), atol=1e-12)


def test_shuffles_undo_each_other():
    x = torch.tensor(RNG.standard_normal((2, 8, 3, 4)))
    assert torch.equal(F.pixel_unshuffle(F.pixel_shuffle(x, 2), 2), x)
    assert torch.equal(F.channel_shuffle(F.channel_shuffle(x, 2), 4), x)


def test_distances():
    a, b = RNG.standard_normal((4, 3)), RNG.standard_normal((4, 3))
    x, y = torch.tensor(a), torch.tensor(b)
    norms = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    np.testing.assert_allclose(F.cosine_similarity(x, y).numpy(), (a * b).sum(1) / norms)
    want = np.linalg.norm(a - b + 1e-6, axis=1)
    np.testing.assert_allclose(F.pairwise_distance(x, y).numpy(), want)
    i, j = np.triu_indices(4, 1)
    np.testing.assert_allclose(F.pdist(x).numpy(), np.linalg.norm(a[i] - a[j], axis=1))


# ---- errors say what came and what was expected


WRONG = {
    "F.linear(ones(2, 3), ones(4, 5))": r"2x3 and 5x4.*in_features=5.*\(2, 3\) has 3",
    "F.conv2d(ones(1, 2, 5, 5), ones(4, 3, 3, 3))": "to have 3 channels, but got 2",
    "F.conv2d(ones(5, 5), ones(4, 3, 3, 3))": r"3D \(unbatched\) or 4D \(batched\).*\[5, 5\]",
    "F.layer_norm(ones(2, 3), (4,))": r"normalized_shape=\[4\].*\[\*, 4\].*\[2, 3\]",
    "F.group_norm(ones(2, 3), 2)": r"\[2, 3\] and num_groups=2",
    "F.batch_norm(ones(1, 3), None, None, training=True)": r"more than 1 value.*\[1, 3\]",
    "F.prelu(ones(2, 3), ones(4))": r"parameter numbers = 4 and channel size = 3",
    "F.glu(ones(2, 3))": "must be even, but dimension 1 is size 3",
    "F.pixel_shuffle(ones(1, 3, 2, 2), 2)": r"input.size\(-3\)=3 is not divisible by 4",
    "F.max_pool2d(ones(1, 1, 2, 2), 3)": r"\(3, 3\) is larger than .* input \(2, 2\)",
    "F.fold(ones(1, 5, 4), (3, 3), 2)": r"\(1, 5, 4\) do not fit output_size \(3, 3\)",
    "F.linear(ones(2, 3), ones(4, 3).double())": r"one dtype, .*float32 and .*float64.*\.to\(",
    "F.conv2d(ones(1, 1, 4, 4).double(), ones(1, 1, 2, 2))": r"one dtype, .*float64 and .*float32",
    "F.interpolate(ones(1, 1, 2, 2), size=4, mode='linear')": "Got 4D input, but linear.*needs 3D",
}  # fmt: skip


@pytest.mark.parametrize("text", WRONG)
def test_error_texts(text):
    with pytest.raises((RuntimeError, ValueError, NotImplementedError), match=WRONG[text]):
        eval(text, {"F": F, "ones": torch.ones})


def test_fractional_pooling_covers_the_image_in_order():
    """Graham 2014: windows start at increasing places, the first at 0, the last at the end."""
    torch.manual_seed(0)
    a = RNG.standard_normal((2, 3, 11, 9))
    x = torch.tensor(a, requires_grad=True)
    y, places = F.fractional_max_pool2d(x, 2, (5, 4), return_indices=True)
    assert y.shape == (2, 3, 5, 4)
    flat = a.reshape(2, 3, -1)
    got = np.take_along_axis(flat, places.numpy().reshape(2, 3, -1), 2).reshape(2, 3, 5, 4)
    np.testing.assert_array_equal(y.detach().numpy(), got)
    rows = places.numpy() // 9
    assert (np.diff(rows.min(3), axis=2) >= 0).all() and rows.min() <= 1 and rows.max() >= 9
    y.sum().backward()
    assert x.grad.sum().item() == 2 * 3 * 5 * 4
    assert F.fractional_max_pool2d(x, 2, output_ratio=0.5).shape == (2, 3, 5, 4)
    with pytest.raises(RuntimeError, match="too large for the input"):
        F.fractional_max_pool2d(x, 3, (10, 4))
    with pytest.raises(ValueError, match="either an output_size or an output_ratio"):
        F.fractional_max_pool2d(x, 3)


def test_nearest_neighbours_of_whole_multiples_are_repeated_and_their_gradients_summed() -> None:
    x = torch.arange(6.0).reshape(1, 1, 2, 3).requires_grad_()
    y = F.interpolate(x, scale_factor=2)
    assert y.shape == (1, 1, 4, 6)
    assert y[0, 0, 3].tolist() == [3.0, 3.0, 4.0, 4.0, 5.0, 5.0]
    (y * torch.arange(24.0).reshape(y.shape)).sum().backward()
    assert x.grad.flatten().tolist() == [14.0, 22.0, 30.0, 62.0, 70.0, 78.0]
    with pytest.raises(RuntimeError, match="greater than 0"):
        F.interpolate(torch.zeros(1, 1, 0, 4), size=(2, 2))


def test_nearest_neighbours_at_ratios_that_no_float_holds_are_pytorchs() -> None:
    x = torch.arange(5.0).reshape(1, 1, 5)
    # 6 · float32(5 / 6) is 5 in float32, and less in float64
    assert F.interpolate(torch.arange(80.0).reshape(1, 1, 80), size=96)[0, 0, 6].item() == 5
    assert F.interpolate(x, size=6).flatten().tolist() == [0, 0, 1, 2, 3, 4]
