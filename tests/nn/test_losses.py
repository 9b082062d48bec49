"""Losses: numbers from their formulas in NumPy, gradients from differences, and misuse that other
libraries let pass: unlike shapes, wrong dtypes, classes that do not exist.
"""

import itertools

import numpy as np
import pytest

import chainrule as torch
from chainrule import nn
from chainrule.autograd import gradcheck
from chainrule.nn import functional as F

RNG = np.random.default_rng(0)
X, T = RNG.standard_normal((5, 4)), RNG.standard_normal((5, 4))
P, Q = RNG.uniform(0.05, 0.95, (5, 4)), RNG.uniform(0.05, 0.95, (5, 4))
SIGN = RNG.choice([-1.0, 1.0], (5, 4))
CLASSES = np.array([0, 3, 1, 1, 2])
WEIGHT = np.array([1.0, 2.0, 0.5, 3.0])
A, B, C = (RNG.standard_normal((5, 4)) for _ in range(3))


def softplus(x):
    return np.log1p(np.exp(-np.abs(x))) + np.maximum(x, 0)


def log_softmax(x):
    return x - np.log(np.exp(x).sum(1, keepdims=True))


def distance(a, b):
    return np.sqrt(((a - b + 1e-6) ** 2).sum(1))


D = X - T
ROWS = np.arange(5)
COSINE = (A * B).sum(1) / np.sqrt((A * A).sum(1) * (B * B).sum(1))
LOGS = log_softmax(X)

# The loss as a program writes it, and its value for each element or row.
FORMULAS = {
    "mse_loss(X, T)": D**2,
    "l1_loss(X, T)": np.abs(D),
    "huber_loss(X, T, delta=0.7)": np.where(np.abs(D) < 0.7, 0.5 * D**2, 0.7 * (np.abs(D) - 0.35)),
    "smooth_l1_loss(X, T, beta=0.7)": np.where(np.abs(D) < 0.7, 0.5 * D**2 / 0.7, np.abs(D) - 0.35),
    "binary_cross_entropy(P, Q)": -(Q * np.log(P) + (1 - Q) * np.log(1 - P)),
    "binary_cross_entropy_with_logits(X, Q)": Q * softplus(-X) + (1 - Q) * softplus(X),
    "binary_cross_entropy_with_logits(X, Q, pos_weight=WEIGHT)": WEIGHT * Q * softplus(-X)
    + (1 - Q) * softplus(X),
    "nll_loss(X, CLASSES)": -X[ROWS, CLASSES],
    "cross_entropy(X, CLASSES)": -LOGS[ROWS, CLASSES],
    "cross_entropy(X, CLASSES, label_smoothing=0.3)": -0.7 * LOGS[ROWS, CLASSES]
    - 0.3 / 4 * LOGS.sum(1),
    "cross_entropy(X, Q)": -(Q * LOGS).sum(1),
    "kl_div(X, P)": P * (np.log(P) - X),
    "kl_div(X, T, log_target=True)": np.exp(T) * (T - X),
    "poisson_nll_loss(X, P)": np.exp(X) - P * X,
    "gaussian_nll_loss(X, T, P)": 0.5 * (np.log(P) + D**2 / P),
    "hinge_embedding_loss(X, SIGN)": np.where(SIGN > 0, X, np.maximum(0, 1 - X)),
    "soft_margin_loss(X, SIGN)": softplus(-SIGN * X),
    "margin_ranking_loss(X, T, SIGN, 0.2)": np.maximum(0, -SIGN * D + 0.2),
    "cosine_embedding_loss(A, B, SIGN[:, 0], 0.1)": np.where(
        SIGN[:, 0] > 0, 1 - COSINE, np.maximum(0, COSINE - 0.1)
    ),
    "multi_margin_loss(X, CLASSES)": (np.maximum(0, 1 - X[ROWS, CLASSES][:, None] + X).sum(1) - 1)
    / 4,
    "multilabel_soft_margin_loss(X, Q)": (Q * softplus(-X) + (1 - Q) * softplus(X)).mean(1),
    "triplet_margin_loss(A, B, C)": np.maximum(0, distance(A, B) - distance(A, C) + 1),
}
NAMES = {
    "X": X, "T": T, "P": P, "Q": Q, "SIGN": SIGN, "CLASSES": CLASSES, "WEIGHT": WEIGHT,
    "A": A, "B": B, "C": C,
}  # fmt: skip


def loss(text, **named):
    values = {k: torch.tensor(v) for k, v in NAMES.items()} | named
    return eval("F." + text, {"F": F, **values})


@pytest.mark.parametrize("text", FORMULAS)
def test_formulas(text):
    want = FORMULAS[text]
    np.testing.assert_allclose(loss(text[:-1] + ", reduction='none')").numpy(), want, rtol=1e-10)
    np.testing.assert_allclose(loss(text).item(), want.mean(), rtol=1e-10)
    np.testing.assert_allclose(
        loss(text[:-1] + ", reduction='sum')").item(), want.sum(), rtol=1e-10
    )


@pytest.mark.parametrize("text", FORMULAS)
def test_gradients(text):
    first = text.partition("(")[2].partition(",")[0]
    x = torch.tensor(NAMES[first], requires_grad=True)
    assert gradcheck(lambda v: loss(text, **{first: v}), x)


# ---- cross entropy


def test_weights_and_ignored_classes():
    w, logs = torch.tensor(WEIGHT), LOGS[ROWS, CLASSES]
    got = F.cross_entropy(torch.tensor(X), torch.tensor(CLASSES), w, ignore_index=1)
    stays = CLASSES != 1
    share = WEIGHT[CLASSES] * stays
    np.testing.assert_allclose(got.item(), -(share * logs).sum() / share.sum(), rtol=1e-10)
    only = torch.full((5,), 1)
    none = F.cross_entropy(torch.tensor(X), only, ignore_index=1, reduction="sum")
    assert none.item() == 0.0
    assert np.isnan(F.cross_entropy(torch.tensor(X), only, ignore_index=1).item())  # 0 of 0 rows


def test_ignored_rows_get_no_gradient():
    x = torch.tensor(X, requires_grad=True)
    F.cross_entropy(x, torch.tensor([0, -100, 1, -100, 2])).backward()
    moved = np.abs(x.grad.numpy()).sum(1) > 0
    assert moved.tolist() == [True, False, True, False, True]


def test_huge_logits_are_finite():
    x = torch.tensor([[1e4, -1e4, 0.0]], requires_grad=True)
    value = F.cross_entropy(x, torch.tensor([1]))
    value.backward()
    assert value.item() == 2e4 and np.isfinite(x.grad.numpy()).all()
    z = torch.tensor([-1e4, 1e4])
    got = F.binary_cross_entropy_with_logits(z, torch.tensor([1.0, 1.0]), reduction="none")
    assert got.tolist() == [1e4, 0.0]


def test_certain_probabilities_are_finite():
    got = F.binary_cross_entropy(
        torch.tensor([0.0, 1.0]), torch.tensor([1.0, 1.0]), reduction="none"
    )
    assert got.tolist() == [100.0, 0.0]  # logarithms end at −100


def test_images_and_single_rows():
    x = torch.tensor(RNG.standard_normal((2, 3, 4, 5)))
    t = torch.tensor(RNG.integers(0, 3, (2, 4, 5)))
    rows = x.permute(0, 2, 3, 1).reshape(-1, 3)
    np.testing.assert_allclose(
        F.cross_entropy(x, t).item(), F.cross_entropy(rows, t.reshape(-1)).item(), rtol=1e-12
    )
    one = F.cross_entropy(torch.tensor(X[0]), torch.tensor(2))
    np.testing.assert_allclose(one.item(), -LOGS[0, 2], rtol=1e-12)


@pytest.mark.parametrize(
    ("x", "t", "kind", "text"),
    [
        (
            (5, 4),
            (5, 1),
            RuntimeError,
            r"input \(5, 4\) needs a target of shape \(5,\), got \(5, 1\)",
        ),
        ((5, 4), (6,), RuntimeError, r"needs a target of shape \(5,\), got \(6,\)"),
        ((2, 7, 4), (2, 7), RuntimeError, r"classes seem to be on the last axis.*movedim\(-1, 1\)"),
    ],
)
def test_targets_that_do_not_fit(x, t, kind, text):
    with pytest.raises(kind, match=text):
        F.cross_entropy(torch.zeros(x), torch.zeros(t, dtype=torch.int64))


def test_classes_that_do_not_exist():
    with pytest.raises(IndexError, match=r"Target 4 is out of bounds: there are 4 classes, 0 to 3"):
        F.cross_entropy(torch.tensor(X), torch.tensor([0, 4, 1, 1, 2]))
    with pytest.raises(IndexError, match=r"Target -1 is out of bounds"):
        F.nll_loss(torch.tensor(X), torch.tensor([0, -1, 1, 1, 2]))
    F.cross_entropy(torch.tensor(X), torch.tensor([0, 9, 1, 1, 2]), ignore_index=9)


def test_float_classes_say_how_to_convert():
    with pytest.raises(RuntimeError, match=r"integer dtype \(class indices\).*\.long\(\)"):
        F.nll_loss(torch.tensor(X), torch.tensor(CLASSES.astype(float)))


# ---- unlike shapes


ALIKE = ["binary_cross_entropy", "binary_cross_entropy_with_logits", "multilabel_soft_margin_loss"]
BROADCAST = ["mse_loss", "l1_loss", "huber_loss", "smooth_l1_loss"]


@pytest.mark.parametrize("name", ALIKE)
def test_unlike_shapes_are_an_error_that_names_both(name):
    with pytest.raises(ValueError) as caught:
        getattr(F, name)(torch.ones(5, 1) * 0.5, torch.ones(5))
    text = str(caught.value)
    assert name in text and "[5, 1]" in text and "[5]" in text
    assert "target.view_as(input)" in text  # both have five elements: this is the repair
    with pytest.raises(RuntimeError) as caught:
        getattr(F, name)(torch.ones(5, 3) * 0.5, torch.ones(5))
    assert "view_as" not in str(caught.value)


@pytest.mark.parametrize("name", BROADCAST)
def test_where_pytorch_broadcasts_unlike_shapes_there_is_its_warning(name):
    with pytest.warns(UserWarning, match=r"target size \(.*\[5\]\).*target.view_as\(input\)"):
        loss = getattr(F, name)(torch.ones(5, 1), torch.zeros(5), reduction="none")
    assert loss.shape == (5, 5)


def test_layers_do_as_their_functions():
    with pytest.warns(UserWarning, match=r"input size \(torch.Size\(\[8, 1\]\)\)"):
        nn.MSELoss()(torch.zeros(8, 1), torch.zeros(8))
    with pytest.raises(RuntimeError, match=r"must be the same as input size"):
        nn.BCEWithLogitsLoss()(torch.zeros(8, 1), torch.zeros(8))


# ---- reductions and layers


def test_reductions():
    with pytest.raises(ValueError, match="median is not a valid value for reduction"):
        F.mse_loss(torch.ones(3), torch.ones(3), reduction="median")
    with pytest.warns(UserWarning, match="please use reduction instead"):
        layer = nn.MSELoss(size_average=False)
    assert layer.reduction == "sum" and layer(torch.ones(3), torch.zeros(3)).item() == 3.0
    batch = F.kl_div(torch.tensor(X), torch.tensor(P), reduction="batchmean")
    np.testing.assert_allclose(batch.item(), (P * (np.log(P) - X)).sum() / 5)


def test_weights_are_buffers():
    layer = nn.CrossEntropyLoss(weight=torch.tensor(WEIGHT, dtype=torch.float32))
    assert list(layer.state_dict()) == ["weight"] and not list(layer.parameters())
    assert layer.double().weight.dtype is torch.float64
    both = nn.BCEWithLogitsLoss(pos_weight=torch.ones(3))
    assert list(both.state_dict()) == ["pos_weight"] and both.weight is None


def test_a_distance_of_ones_own():
    own = nn.TripletMarginWithDistanceLoss(
        distance_function=lambda a, b: (a - b).abs().amax(-1), margin=0.5
    )
    want = np.maximum(0, np.abs(A - B).max(1) - np.abs(A - C).max(1) + 0.5).mean()
    np.testing.assert_allclose(own(*map(torch.tensor, (A, B, C))).item(), want)


def test_swapped_triplets():
    far = np.minimum(distance(A, C), distance(B, C))
    got = F.triplet_margin_loss(*map(torch.tensor, (A, B, C)), swap=True)
    np.testing.assert_allclose(got.item(), np.maximum(0, distance(A, B) - far + 1).mean())


def test_labels_end_at_the_first_negative():
    x = torch.tensor([[0.1, 0.2, 0.4, 0.8]])
    t = torch.tensor([[3, 0, -1, 1]])
    # PyTorch's example: (1 − (x₃ − x₁) + 1 − (x₃ − x₂) + 1 − (x₀ − x₁) + 1 − (x₀ − x₂))/4
    assert F.multilabel_margin_loss(x, t).item() == pytest.approx(0.85)


@pytest.mark.parametrize("name", ["mse_loss", "l1_loss", "huber_loss"])
def test_weighted_means_divide_by_the_weights(name):
    w = torch.tensor(P)
    each = getattr(F, name)(torch.tensor(X), torch.tensor(T), reduction="none").numpy()
    got = getattr(F, name)(torch.tensor(X), torch.tensor(T), weight=w)
    np.testing.assert_allclose(got.item(), (each * P).sum() / P.sum())


def test_negative_variances_are_refused():
    x = torch.zeros(3)
    with pytest.raises(ValueError, match="var has negative"):
        F.gaussian_nll_loss(x, x, torch.tensor([1.0, -1.0, 1.0]))
    with pytest.raises(ValueError, match="var is of incorrect size"):
        F.gaussian_nll_loss(x, x, torch.ones(5))


# ---- labels without times


def spelled(path, blank):
    """Repeats merged, then blanks removed."""
    merged = [c for c, before in zip(path, (None, *path), strict=False) if c != before]
    return [c for c in merged if c != blank]


@pytest.mark.parametrize("target", [[1], [2, 1], [1, 1], [1, 2, 1], []])
@pytest.mark.parametrize("blank", [0, 3])
def test_ctc_is_the_sum_over_all_paths(target, blank):
    steps, classes = 5, 4
    logits = torch.tensor(RNG.standard_normal((steps, 1, classes)), requires_grad=True)
    p = torch.softmax(logits, 2).detach().numpy()[:, 0]
    paths = itertools.product(range(classes), repeat=steps)
    total = sum(
        np.prod(p[np.arange(steps), path]) for path in paths if spelled(path, blank) == target
    )

    def loss(x):
        labels = torch.tensor([target], dtype=torch.int64)
        logs = F.log_softmax(x, 2)
        return F.ctc_loss(logs, labels, (steps,), (len(target),), blank, reduction="sum")

    np.testing.assert_allclose(loss(logits).item(), -np.log(total))
    assert gradcheck(loss, logits)


def test_ctc_batches_lengths_and_what_cannot_be_spelled():
    x = F.log_softmax(torch.tensor(RNG.standard_normal((6, 3, 4))), 2)
    targets, lengths = torch.tensor([[1, 2, 3], [2, 2, 0], [1, 0, 0]]), torch.tensor([3, 2, 1])
    used = torch.tensor([6, 4, 2])
    each = F.ctc_loss(x, targets, used, lengths, reduction="none")
    for i in range(3):
        alone = F.ctc_loss(
            x[: used[i], i], targets[i, : lengths[i]], used[i], lengths[i], reduction="sum"
        )
        np.testing.assert_allclose(each[i].item(), alone.item())
    flat = torch.tensor([1, 2, 3, 2, 2, 1])
    same = F.ctc_loss(x, flat, used, lengths, reduction="none")
    np.testing.assert_allclose(same.numpy(), each.numpy())
    mean = F.ctc_loss(x, targets, used, lengths)
    np.testing.assert_allclose(mean.item(), (each.numpy() / [3, 2, 1]).mean())
    short = (2, 2, 2)
    never = F.ctc_loss(x, targets, short, lengths, reduction="none")
    assert never[:2].tolist() == [np.inf, np.inf] and np.isfinite(never[2].item())
    nothing = F.ctc_loss(x, targets, short, lengths, reduction="none", zero_infinity=True)
    assert nothing[:2].tolist() == [0.0, 0.0]
    with pytest.raises(RuntimeError, match="as long as all target_lengths together"):
        F.ctc_loss(x, flat[:4], used, lengths)


# ---- very many classes


def test_adaptive_softmax_is_a_distribution():
    torch.manual_seed(0)
    layer = nn.AdaptiveLogSoftmaxWithLoss(6, 12, cutoffs=[3, 7], div_value=2.0)
    x = torch.randn(5, 6)
    logs = layer.log_prob(x)
    np.testing.assert_allclose(logs.exp().sum(1).detach().numpy(), 1.0, rtol=1e-5)
    t = torch.tensor([0, 2, 3, 6, 11])
    output, loss = layer(x, t)
    want = logs.detach().numpy()[np.arange(5), t.numpy()]
    np.testing.assert_allclose(output.detach().numpy(), want, rtol=1e-5)
    assert loss.item() == pytest.approx(-want.mean(), rel=1e-5)
    assert torch.equal(layer.predict(x), logs.argmax(1))
    with pytest.raises(RuntimeError, match="Target 12 is out of bounds"):
        layer(x, torch.tensor([0, 2, 3, 6, 12]))
    for wrong in ([], [7, 3], [0], [12]):
        with pytest.raises(ValueError, match="cutoffs should be a sequence"):
            nn.AdaptiveLogSoftmaxWithLoss(6, 12, wrong)


def test_linear_cross_entropy_is_both_in_one():
    layer = nn.LinearCrossEntropyLoss(4, 3, bias=True).double()
    x, t = torch.tensor(X), torch.tensor([0, 1, 2, 1, 0])
    want = F.cross_entropy(x @ layer.linear.weight.T + layer.linear.bias, t)
    np.testing.assert_allclose(layer(x, t).item(), want.item())
