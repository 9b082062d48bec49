"""Multiply-adds of forward pass and training step beside PyTorch's own counter.

It counts products and convolutions only. What it gives for the gradient of a convolution in groups
is not compared: it leaves the groups out.
"""

import pytest
import torch
import torchvision
from torch.utils.flop_counter import FlopCounterMode

from chainrule import explain
from chainrule.vision import models

GROUPED = {"mobilenet_v2", "shufflenet_v2_x1_0", "resnext50_32x4d"}


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("alexnet", 224), ("resnet18", 64), ("densenet121", 64), ("squeezenet1_0", 64),
        ("swin_t", 64), ("inception_v3", 299), *((name, 64) for name in sorted(GROUPED)),
    ],
)  # fmt: skip
def test_counts_are_those_of_pytorch(name, size):
    more = {"init_weights": False} if name == "inception_v3" else {}
    theirs = getattr(torchvision.models, name)(**more).eval()
    x = torch.zeros(2, 3, size, size)
    with FlopCounterMode(display=False) as forward, torch.no_grad():
        theirs(x)
    with FlopCounterMode(display=False) as step:
        y = theirs.train()(x)
        sum(t.sum() for t in y).backward()
    found = explain.summary(getattr(models, name)(**more), (2, 3, size, size), time=False)
    assert 2 * found.macs == forward.get_total_flops()
    assert name in GROUPED or 2 * found.train_macs == step.get_total_flops()
    assert found.total_params == sum(p.numel() for p in theirs.parameters())
