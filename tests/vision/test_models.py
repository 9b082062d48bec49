"""The models are torchvision's: names and shapes of the state, and results from equal weights.

`model_rows.json` is written by `make_model_rows.py`, where torchvision is installed.
"""

import copy
import hashlib
import inspect
import json
import pathlib
import pickle
import warnings
from functools import partial

import numpy as np
import pytest

import chainrule as torch
from chainrule.vision import models
from chainrule.vision.models._api import get_model_weights
from chainrule.vision.models._utils import IntermediateLayerGetter
from chainrule.vision.models.feature_extraction import (
    create_feature_extractor,
    get_graph_node_names,
)

ROWS = json.loads(pathlib.Path(__file__).with_name("model_rows.json").read_text())
RUN = [name for name, row in ROWS.items() if "run" in row]
OPTIONS = {
    "googlenet": {"init_weights": False},
    "inception_v3": {"init_weights": False},
    "vit_b_16": {"image_size": 32},
}
SIDE = {"inception_v3": 96, "vit_b_16": 32}


def built(name: str, **options):
    """The model without trained weights; GoogLeNet and Inception warn about their initial ones."""
    builder = models.get_model_builder(name)
    if "weights_backbone" in inspect.signature(builder).parameters:
        options["weights_backbone"] = None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        return models.get_model(name, weights=None, **options)


def state_hash(model) -> str:
    lines = [
        f"{k} {tuple(v.shape)} {str(v.dtype).rpartition('.')[2]}"
        for k, v in model.state_dict().items()
    ]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


# drawing initial values of more takes seconds
@pytest.mark.parametrize("name", [n for n, row in ROWS.items() if row["parameters"] < 40e6])
def test_the_state_of_every_model_has_torchvisions_names_and_shapes(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.config, "max_pending", 1 << 30)  # no initial value is computed
    model = built(name)
    assert sum(p.numel() for p in model.parameters()) == ROWS[name]["parameters"]
    assert state_hash(model) == ROWS[name]["state"]


def fill(name: str, shape: tuple[int, ...], number: int) -> np.ndarray:
    size = int(np.prod(shape))
    wave = np.cos(np.arange(size) * 0.7 + number)
    if name.endswith("running_var"):
        wave = 1 + 0.3 * wave
    elif len(shape) < 2:
        wave = 0.1 * wave + (name.endswith("weight") or name.endswith("layer_scale"))
    else:
        wave = wave * np.sqrt(2 / max(1, size // shape[0]))
    return wave.reshape(shape).astype("float32")


@pytest.mark.parametrize("name", RUN)
def test_equal_weights_give_equal_results_and_gradients(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.config, "backend", "reference")  # compiling takes longer than running
    model = built(name, **OPTIONS.get(name, {}))
    with torch.no_grad():
        for number, (key, value) in enumerate(model.state_dict().items()):
            if value.is_floating_point():
                value.copy_(torch.from_numpy(fill(key, tuple(value.shape), number)))
    model.double().eval()  # single precision cannot tell small gradients of deep networks
    side = SIDE.get(name, 64)
    place = np.arange(2 * 3 * side * side)
    image = np.sin(place * 0.013).reshape(2, 3, side, side).astype("float32")
    x = torch.from_numpy(image).double().requires_grad_()
    out = model(x)
    out = out["out"] if isinstance(out, dict) else out
    (out * out).mean().backward()
    row = ROWS[name]["run"]
    close = partial(np.testing.assert_allclose, rtol=1e-6)
    close(out.norm().item(), row["norm"])
    scale = row["norm"] / np.sqrt(out.numel())
    close(out.flatten()[:4].detach().numpy(), row["out"], atol=1e-6 * scale)
    close(x.grad.norm().item(), row["grad_x"])
    close(next(model.parameters()).grad.norm().item(), row["grad_first"])


def test_a_state_goes_into_another_model_and_a_wrong_one_does_not() -> None:
    one, other = models.resnet18(num_classes=3), models.resnet18(num_classes=3)
    other.load_state_dict(one.state_dict())
    np.testing.assert_array_equal(one.fc.weight.detach(), other.fc.weight.detach())
    with pytest.raises(RuntimeError, match=r"size mismatch for fc\.weight"):
        models.resnet18(num_classes=4).load_state_dict(one.state_dict())


def test_models_are_found_by_name() -> None:
    assert isinstance(models.__dict__["resnet18"](), models.ResNet)
    assert models.list_models(include="resnet*", exclude="*1*") == ["resnet34", "resnet50"]
    assert "fcn_resnet50" in models.list_models(models.segmentation)
    assert "fcn_resnet50" not in models.list_models(models)
    with pytest.raises(ValueError, match="Unknown model resnet19"):
        models.get_model("ResNet19")
    with pytest.raises(AttributeError, match="nearest name there is 'resne"):
        _ = models.resnet19
    with pytest.raises(ImportError, match="models of videos are not there"):
        from chainrule.vision.models import video  # noqa: F401  it is not there


def test_weights_know_their_address_their_classes_and_their_transforms() -> None:
    weights = models.ResNet50_Weights.DEFAULT
    assert weights is models.get_weight("ResNet50_Weights.IMAGENET1K_V2")
    assert get_model_weights(models.resnet50) is models.ResNet50_Weights
    assert weights.url.endswith("/resnet50-11ad3fa6.pth")
    assert weights.meta["categories"][:2] == ["tench", "goldfish"]
    assert len(weights.meta["categories"]) == 1000
    preset = weights.transforms()
    assert preset.resize_size == [232] and preset.crop_size == [224]
    image = torch.randint(0, 256, (3, 240, 300), dtype=torch.uint8)
    assert preset(image).shape == (3, 224, 224)
    assert copy.deepcopy(weights) is weights and pickle.loads(pickle.dumps(weights)) is weights
    with pytest.raises(TypeError, match="expected ResNet50_Weights but received"):
        models.resnet50(weights=models.ResNet18_Weights.DEFAULT)


def test_trained_weights_are_asked_for_in_both_ways(
    monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path
) -> None:
    """The file lies where a download would put it; nothing is fetched."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    folder = tmp_path / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    source = models.squeezenet1_1()
    name = models.SqueezeNet1_1_Weights.DEFAULT.url.rpartition("/")[2]
    torch.save(source.state_dict(), folder / name)
    for weights in ("DEFAULT", models.SqueezeNet1_1_Weights.IMAGENET1K_V1):
        loaded = models.squeezenet1_1(weights=weights)
        np.testing.assert_array_equal(
            loaded.classifier[1].weight.detach(), source.classifier[1].weight.detach()
        )
    older = partial(pytest.warns, UserWarning, match=r"deprecated since 0\.13")
    with older() as warned:
        models.squeezenet1_1(pretrained=True)
    assert "'pretrained' is deprecated" in str(warned[0].message)
    assert "weights=SqueezeNet1_1_Weights.IMAGENET1K_V1" in str(warned[1].message)
    with older() as warned:
        models.squeezenet1_1(True)
    assert "Using 'weights' as positional parameter(s)" in str(warned[0].message)
    with older():
        models.squeezenet1_1(pretrained=False)
    with pytest.raises(ValueError, match="'num_classes' expected value 1000 but got 10"):
        models.squeezenet1_1(weights="DEFAULT", num_classes=10)


def test_features_from_the_middle() -> None:
    net = models.resnet18(num_classes=3).eval()
    x = torch.randn(1, 3, 32, 32)
    getter = IntermediateLayerGetter(net, {"layer1": "a", "layer3": "b"})
    shapes = {k: tuple(v.shape) for k, v in getter(x).items()}
    assert shapes == {"a": (1, 64, 8, 8), "b": (1, 256, 2, 2)}
    nodes = {"layer1": "a", "layer4.0.relu_1": "c"}
    features = create_feature_extractor(net, return_nodes=nodes)(x)
    np.testing.assert_array_equal(features["a"].detach(), getter(x)["a"].detach())
    assert (features["c"] >= 0).all() and features["c"].shape == (1, 512, 1, 1)
    assert "layer4.0.relu" in get_graph_node_names(net)[0]
    with pytest.raises(ValueError, match="'flatten' is not present in model"):
        create_feature_extractor(net, ["flatten"])


def test_a_model_trains_and_a_subclass_works() -> None:
    class Small(models.resnet.ResNet):
        def forward(self, x):
            return self._forward_impl(x).log_softmax(1)

    net = Small(models.resnet.BasicBlock, [1, 1, 1, 1], num_classes=2)
    optimiser = torch.optim.SGD(net.parameters(), lr=0.05)
    x = torch.stack([torch.zeros(3, 32, 32), torch.ones(3, 32, 32)])
    target = torch.tensor([0, 1])
    losses = []
    for _ in range(4):
        optimiser.zero_grad()
        loss = torch.nn.functional.nll_loss(net(x), target)
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0]


def test_segmentation_gives_classes_of_pixels() -> None:
    net = built("lraspp_mobilenet_v3_large", num_classes=4).eval()
    assert net(torch.randn(1, 3, 40, 48))["out"].shape == (1, 4, 40, 48)
    with pytest.raises(NotImplementedError, match="auxiliary"):
        built("lraspp_mobilenet_v3_large", aux_loss=True)
