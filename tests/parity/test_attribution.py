"""Attributions beside Captum and Zennit: the same numbers for the same weights."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch as reference

import chainrule
from chainrule.explain.attribution import attribute

attr = pytest.importorskip("captum.attr")
pytestmark = pytest.mark.filterwarnings(  # what Captum does to its own inputs and modules
    "ignore:Input Tensor:UserWarning", "ignore:Setting .*hooks:UserWarning"
)


def _cnn(torch: Any) -> Any:
    nn = torch.nn
    return nn.Sequential(
        nn.Conv2d(2, 6, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(6, 8, 3, padding=1, groups=2), nn.ReLU(), nn.AvgPool2d(2), nn.Flatten(),
        nn.Linear(72, 16), nn.ReLU(), nn.Linear(16, 5),
    )  # fmt: skip


def _pair(build: Any, *shape: int) -> tuple[Any, Any, np.ndarray]:
    reference.manual_seed(0)
    theirs, ours = build(reference).eval(), build(chainrule).eval()
    ours.load_state_dict({k: chainrule.tensor(v.numpy()) for k, v in theirs.state_dict().items()})
    x = np.random.default_rng(1).normal(size=shape).astype(np.float32)
    return theirs, ours, x


def _close(ours: Any, theirs: Any, tolerance: float = 2e-5) -> None:
    theirs = theirs.detach().numpy()
    scale = np.abs(theirs).max()
    assert scale > 0
    assert np.abs(ours - theirs).max() < tolerance * scale, np.abs(ours - theirs).max() / scale


TARGET = [1, 3, 0]


@pytest.mark.parametrize(
    ("name", "theirs", "options"),
    [
        ("saliency", "Saliency", {}),
        ("gradient_times_input", "InputXGradient", {}),
        ("guided_backprop", "GuidedBackprop", {}),
        ("deconvolution", "Deconvolution", {}),
    ],
)
def test_gradients_are_captums(name: str, theirs: str, options: dict[str, Any]) -> None:
    model, ours, x = _pair(_cnn, 3, 2, 12, 12)
    want = getattr(attr, theirs)(model).attribute(reference.tensor(x), target=TARGET)
    _close(attribute(ours, x, TARGET, name, **options).values, want)


def test_integrated_gradients_are_captums_with_many_steps() -> None:
    model, ours, x = _pair(_cnn, 3, 2, 12, 12)
    want = attr.IntegratedGradients(model).attribute(
        reference.tensor(x), target=TARGET, n_steps=2000, internal_batch_size=600
    )
    a = attribute(ours, x, TARGET)
    assert a.completeness is not None and (a.completeness < 1e-3).all()
    _close(a.values, want, 5e-3)


def test_grad_cam_is_captums() -> None:
    model, ours, x = _pair(_cnn, 3, 2, 12, 12)
    want = attr.LayerGradCam(model, model[4]).attribute(
        reference.tensor(x), target=TARGET, relu_attributions=True
    )
    a = attribute(ours, x, TARGET, "grad_cam", upsample=False)
    assert a.layer == "4"
    _close(a.values, want[:, 0])
    up = reference.nn.functional.interpolate(want, (12, 12), mode="bilinear", align_corners=False)
    _close(attribute(ours, x, TARGET, "grad_cam").values, up[:, 0])


def test_occlusion_is_captums() -> None:
    model, ours, x = _pair(_cnn, 3, 2, 12, 12)
    want = attr.Occlusion(model).attribute(
        reference.tensor(x), target=TARGET, sliding_window_shapes=(2, 5, 4), strides=(1, 3, 2)
    )
    found = attribute(ours, x, TARGET, "occlusion", window=(5, 4), stride=(3, 2))
    _close(found.values, want)


def test_relevance_is_captums() -> None:
    model, ours, x = _pair(_cnn, 3, 2, 12, 12)
    model[6].rule = pytest.importorskip("captum.attr._utils.lrp_rules").EpsilonRule()
    want = attr.LRP(model).attribute(reference.tensor(x), target=TARGET)
    _close(attribute(ours, x, TARGET, "lrp", epsilon=1e-9).values, want, 1e-4)


@pytest.mark.parametrize("rule", ["zero", "epsilon", "gamma", "alpha_beta", "z_plus", "box"])
def test_relevance_is_zennits(rule: str) -> None:
    rules = pytest.importorskip("zennit.rules")
    composites = pytest.importorskip("zennit.composites")
    types = pytest.importorskip("zennit.types")
    model, ours, x = _pair(_cnn, 3, 2, 12, 12)
    made = {
        "zero": lambda: rules.Epsilon(epsilon=0.0),
        "epsilon": lambda: rules.Epsilon(epsilon=0.1),
        "gamma": lambda: rules.Gamma(gamma=0.25, stabilizer=1e-9),
        "alpha_beta": lambda: rules.AlphaBeta(alpha=2, beta=1, stabilizer=1e-9),
        "z_plus": lambda: rules.ZPlus(stabilizer=1e-9),
        "box": lambda: rules.Epsilon(epsilon=1e-6),
    }[rule]
    layers: list[Any] = [
        (types.Activation, rules.Pass()),
        (types.AvgPool, rules.Norm(stabilizer=1e-9)),
        (types.Linear, made()),
    ]
    first = [(reference.nn.Conv2d, rules.ZBox(low=-4.0, high=4.0))] if rule == "box" else []
    composite = composites.SpecialFirstLayerMapComposite(layers, first)
    with composite.context(model) as explained:
        data = reference.tensor(x, requires_grad=True)
        out = explained(data)
        chosen = reference.nn.functional.one_hot(reference.tensor(TARGET), 5) * out.detach()
        (want,) = reference.autograd.grad(out, data, chosen)
    options: dict[str, Any] = {"rule": rule, "epsilon": 0.1}
    if rule == "box":
        options = {"rule": "epsilon", "pixels": "z_b", "low": -4.0, "high": 4.0}
    _close(attribute(ours, x, TARGET, "lrp", **options).values, want, 1e-3)


def _normalised(torch: Any) -> Any:
    nn = torch.nn
    return nn.Sequential(
        nn.Conv2d(2, 6, 3, padding=1), nn.BatchNorm2d(6), nn.ReLU(),
        nn.Conv2d(6, 8, 3, groups=2), nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten(),
        nn.Linear(800, 5),
    )  # fmt: skip


@pytest.mark.parametrize("rule", ["epsilon", "gamma", "alpha_beta", "z_plus"])
def test_batch_norm_belongs_to_the_product_before_it_as_in_zennit(rule: str) -> None:
    rules = pytest.importorskip("zennit.rules")
    composites = pytest.importorskip("zennit.composites")
    canonizers = pytest.importorskip("zennit.canonizers")
    types = pytest.importorskip("zennit.types")
    model, ours, x = _pair(_normalised, 3, 2, 12, 12)
    rng = np.random.default_rng(3)
    for i in (1, 4):  # scales of both signs
        for name, low, high in (
            ("weight", -2, 2), ("bias", -1, 1), ("running_mean", -1, 1), ("running_var", 0.5, 2),
        ):  # fmt: skip
            value = getattr(model[i], name)
            new = rng.uniform(low, high, value.shape).astype(np.float32)
            with reference.no_grad():
                value.copy_(reference.tensor(new))
            with chainrule.no_grad():
                getattr(ours[i], name).copy_(chainrule.tensor(new))
    made = {
        "epsilon": rules.Epsilon(epsilon=0.1),
        "gamma": rules.Gamma(gamma=0.25, stabilizer=1e-9),
        "alpha_beta": rules.AlphaBeta(alpha=2, beta=1, stabilizer=1e-9),
        "z_plus": rules.ZPlus(stabilizer=1e-9),
    }[rule]
    composite = composites.LayerMapComposite(
        [(types.Activation, rules.Pass()), (types.Linear, made)],
        canonizers=[canonizers.SequentialMergeBatchNorm()],
    )
    with composite.context(model) as explained:
        data = reference.tensor(x, requires_grad=True)
        out = explained(data)
        chosen = reference.nn.functional.one_hot(reference.tensor(TARGET), 5) * out.detach()
        (want,) = reference.autograd.grad(out, data, chosen)
    found = attribute(ours, x, TARGET, "lrp", rule=rule, epsilon=0.1).values
    _close(found, want, 1e-3)


def _text(torch: Any) -> Any:
    class Text(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embedding = torch.nn.Embedding(20, 8, padding_idx=0)
            self.lstm = torch.nn.LSTM(8, 6, batch_first=True)
            self.head = torch.nn.Linear(6, 3)

        def forward(self, x: Any) -> Any:
            return self.head(self.lstm(self.embedding(x))[0][:, -1])

    return Text()


def test_tokens_are_captums_layer_integrated_gradients() -> None:
    model, ours, _ = _pair(_text, 1)
    ids = np.random.default_rng(0).integers(0, 20, (3, 7))
    zero = reference.zeros(3, 7, dtype=reference.long)
    want = attr.LayerIntegratedGradients(model, model.embedding).attribute(
        reference.tensor(ids), baselines=zero, target=[0, 1, 2], n_steps=500
    )
    a = attribute(ours, ids, [0, 1, 2])
    _close(a.values, want.sum(-1), 2e-3)
    want = attr.LayerIntegratedGradients(model, model.embedding).attribute(
        reference.tensor(ids), baselines=zero + 5, target=[0, 1, 2], n_steps=500
    )
    _close(attribute(ours, ids, [0, 1, 2], baseline=5).values, want.sum(-1), 2e-3)
