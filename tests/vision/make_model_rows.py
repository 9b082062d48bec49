"""Writes `tests/vision/model_rows.json`: what torchvision's models are and give.

    python tests/vision/make_model_rows.py        (needs torch and torchvision)

Of every model: how many parameters it has, and a hash of the names, shapes and types of its state.
Of one of each family: what it gives for weights and images that are formulas of their places, so
that no file of weights is needed (`tests/vision/test_models.py` computes the same formulas).
"""

import hashlib
import inspect
import json
import pathlib
import warnings

import numpy as np
import torch
from torchvision import models
from torchvision.models import regnet

ROWS = pathlib.Path(__file__).with_name("model_rows.json")

#: model → arguments, and the side of its images.
RUN = {
    "squeezenet1_1": ({}, 64),
    "resnet18": ({}, 64),
    "resnext50_32x4d": ({}, 64),
    "mobilenet_v2": ({}, 64),
    "mobilenet_v3_small": ({}, 64),
    "shufflenet_v2_x0_5": ({}, 64),
    "mnasnet0_5": ({}, 64),
    "regnet_y_400mf": ({}, 64),
    "efficientnet_b0": ({}, 64),
    "densenet121": ({}, 64),
    "googlenet": ({"init_weights": False}, 64),
    "inception_v3": ({"init_weights": False}, 96),
    "convnext_tiny": ({}, 64),
    "swin_t": ({}, 64),
    "swin_v2_t": ({}, 64),
    "vit_b_16": ({"image_size": 32}, 32),
    "lraspp_mobilenet_v3_large": ({}, 64),
}


def backbones(builder):
    """The arguments that keep a builder from asking for weights."""
    names = inspect.signature(builder).parameters
    return {"weights_backbone": None} if "weights_backbone" in names else {}


def state_hash(model):
    lines = [
        f"{k} {tuple(v.shape)} {str(v.dtype).rpartition('.')[2]}"
        for k, v in model.state_dict().items()
    ]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


def fill(name, shape, number):
    """The values of the state's entry `name`, the `number`-th."""
    size = int(np.prod(shape))
    wave = np.cos(np.arange(size) * 0.7 + number)
    if name.endswith("running_var"):
        wave = 1 + 0.3 * wave
    elif len(shape) < 2:
        wave = 0.1 * wave + (name.endswith("weight") or name.endswith("layer_scale"))
    else:
        wave = wave * np.sqrt(2 / max(1, size // shape[0]))
    return wave.reshape(shape).astype("float32")


def image(side):
    place = np.arange(2 * 3 * side * side)
    return np.sin(place * 0.013).reshape(2, 3, side, side).astype("float32")


def ran(name):
    options, side = RUN[name]
    model = models.get_model(
        name, weights=None, **backbones(models.get_model_builder(name)), **options
    )
    with torch.no_grad():
        for number, (key, value) in enumerate(model.state_dict().items()):
            if value.is_floating_point():
                value.copy_(torch.from_numpy(fill(key, tuple(value.shape), number)))
    model.double().eval()
    x = torch.from_numpy(image(side)).double().requires_grad_()
    out = model(x)
    out = out["out"] if isinstance(out, dict) else out
    (out * out).mean().backward()
    first = next(model.parameters())
    return {
        "out": out.flatten()[:4].tolist(),
        "norm": out.norm().item(),
        "grad_x": x.grad.norm().item(),
        "grad_first": first.grad.norm().item(),
    }


def stages_on_cpu(cls, *args, **kwargs):
    """RegNet looks at the numbers that its stages are worked out from."""
    with torch.device("cpu"):
        return from_init_params(cls, *args, **kwargs)


from_init_params = regnet.BlockParams.from_init_params.__func__
regnet.BlockParams.from_init_params = classmethod(stages_on_cpu)


def main():
    warnings.simplefilter("ignore")
    rows = {}
    for name in models.list_models():
        builder = models.get_model_builder(name)
        if any(part in builder.__module__ for part in (".video", ".quantization", ".optical_flow")):
            continue
        with torch.device("meta"):
            model = models.get_model(name, weights=None, **backbones(builder))
        count = sum(p.numel() for p in model.parameters())
        rows[name] = {"parameters": count, "state": state_hash(model)}
        published = models.get_model_weights(name).DEFAULT.meta["num_params"]
        # segmentation, detection and googlenet were counted with other parts, vit_h for 518 pixels
        other = builder.__module__.count(".") > 2 or name in ("googlenet", "vit_h_14")
        assert other or count == published, (name, count, published)
    for name in RUN:
        rows[name]["run"] = ran(name)
    text = ",\n".join(f"  {json.dumps(k)}: {json.dumps(v)}" for k, v in rows.items())
    ROWS.write_text("{\n" + text + "\n}\n")


if __name__ == "__main__":
    main()
