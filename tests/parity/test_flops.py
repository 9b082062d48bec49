"""Multiply-adds of forward pass and training step beside PyTorch's own counter.

It counts products and convolutions only. What it gives for the gradient of a convolution in groups
is not compared: it leaves the groups out.
"""

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

import chainrule
from chainrule import explain
from chainrule.vision import models

GROUPED = {"mobilenet_v2", "shufflenet_v2_x1_0", "resnext50_32x4d"}


def assert_counts_agree(ours, theirs, shape, step_too=True):
    x = torch.zeros(*shape)
    with FlopCounterMode(display=False) as forward, torch.no_grad():
        theirs.eval()(x)
    with FlopCounterMode(display=False) as step:
        y = theirs.train()(x)
        sum(t.sum() for t in y).backward()
    found = explain.summary(ours, shape, time=False)
    assert 2 * found.macs == forward.get_total_flops()
    assert not step_too or 2 * found.train_macs == step.get_total_flops()
    assert found.total_params == sum(p.numel() for p in theirs.parameters())


def convolutions(torch):
    nn = torch.nn
    return nn.Sequential(
        nn.Conv2d(3, 8, 5, stride=2, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(8, 12, 3, dilation=2), nn.ConvTranspose2d(12, 4, 3, stride=2), nn.Flatten(),
        nn.Linear(4 * 7 * 7, 10),
    )  # fmt: skip


def perceptron(torch):
    nn = torch.nn
    return nn.Sequential(nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 10), nn.LogSoftmax(1))


@pytest.mark.parametrize(
    ("build", "shape"), [(convolutions, (2, 3, 32, 32)), (perceptron, (5, 784))]
)
def test_counts_of_plain_networks_are_those_of_pytorch(build, shape):
    assert_counts_agree(build(chainrule), build(torch), shape)


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("alexnet", 224), ("resnet18", 64), ("densenet121", 64), ("squeezenet1_0", 64),
        ("swin_t", 64), ("inception_v3", 299), *((name, 64) for name in sorted(GROUPED)),
    ],
)  # fmt: skip
def test_counts_are_those_of_pytorch(name, size):
    torchvision = pytest.importorskip("torchvision")
    more = {"init_weights": False} if name == "inception_v3" else {}
    ours, theirs = (getattr(m, name)(**more) for m in (models, torchvision.models))
    assert_counts_agree(ours, theirs, (2, 3, size, size), step_too=name not in GROUPED)
