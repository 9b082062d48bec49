"""Transforms are modules where torchvision's are; texts and refusals are torchvision's."""

from __future__ import annotations

from typing import Any

import pytest

from chainrule import nn
from chainrule.tensor.creation import eye, rand, zeros
from chainrule.vision import transforms as T
from chainrule.vision.transforms import functional as F


@pytest.mark.parametrize(
    ("transform", "text"),
    [
        (T.ToPILImage("RGB"), "ToPILImage(mode=RGB)"),
        (T.FiveCrop(3), "FiveCrop(size=(3, 3))"),
        (T.TenCrop(3), "TenCrop(size=(3, 3), vertical_flip=False)"),
        (
            T.ColorJitter(0.4, hue=0.1),
            "ColorJitter(brightness=(0.6, 1.4), contrast=None, saturation=None, hue=(-0.1, 0.1))",
        ),
        (
            T.RandomRotation(10),
            "RandomRotation(degrees=[-10.0, 10.0], interpolation=nearest, expand=False, fill=0)",
        ),
        (
            T.RandomAffine(10, shear=5, fill=3),
            "RandomAffine(degrees=[-10.0, 10.0], shear=[-5.0, 5.0], fill=3)",
        ),
        (T.RandomPosterize(2), "RandomPosterize(bits=2,p=0.5)"),
        (T.GaussianBlur(3), "GaussianBlur(kernel_size=(3, 3), sigma=(0.1, 2.0))"),
        (
            T.RandomErasing(),
            "RandomErasing(p=0.5, scale=(0.02, 0.33), ratio=(0.3, 3.3), value=0, inplace=False)",
        ),
        (
            T.RandomApply([T.ToTensor()], p=0.3),
            "RandomApply(\n    p=0.3\n    ToTensor()\n)",
        ),
        (
            T.RandomChoice([T.ToTensor()], p=[1.0]),
            "RandomChoice(\n    ToTensor()\n)(p=[1.0])",
        ),
        (T.AutoAugment(), "AutoAugment(policy=AutoAugmentPolicy.IMAGENET, fill=None)"),
    ],
)
def test_texts(transform: Any, text: str) -> None:
    assert repr(transform) == text


@pytest.mark.parametrize(
    ("make", "error", "match"),
    [
        (lambda: T.ColorJitter(-1), ValueError, "must be non negative"),
        (lambda: T.ColorJitter(hue=0.6), ValueError, "hue values should be between"),
        (lambda: T.RandomRotation(-3), ValueError, "it must be positive"),
        (lambda: T.RandomRotation((1, 2, 3)), ValueError, "sequence of length 2"),
        (lambda: T.RandomAffine(0, translate=(2, 0)), ValueError, "between 0 and 1"),
        (lambda: T.GaussianBlur(4), ValueError, "odd and positive"),
        (lambda: T.RandomErasing(value="noise"), ValueError, "should be 'random'"),
        (lambda: T.ElasticTransform(1), TypeError, "alpha should be float"),
        (lambda: T.Pad(1, padding_mode="wrap"), ValueError, "constant, edge, reflect or symmetric"),
        (lambda: T.RandomChoice(5), TypeError, "should be a sequence"),
        (lambda: T.AugMix(severity=11), ValueError, "severity must be between"),
        (lambda: F.adjust_hue(zeros(3, 2, 2), 0.7), ValueError, "not in"),
        (lambda: F.posterize(zeros(3, 2, 2), 3), TypeError, "uint8 image tensors"),
        (lambda: F.invert(zeros(5, 2, 2)), TypeError, "permitted channel values are"),
        (lambda: F.resize(zeros(3, 4, 4), [1, 2, 3]), ValueError, "1 or 2 element tuple"),
        (lambda: F.resize(zeros(3, 4, 4), 2, "bilinear"), TypeError, "InterpolationMode"),
        (lambda: F.rotate(zeros(3, 4, 4), "a"), TypeError, "angle should be int or float"),
        (lambda: F.five_crop(zeros(3, 4, 4), 9), ValueError, "bigger than input size"),
    ],
)
def test_refusals(make: Any, error: type[Exception], match: str) -> None:
    with pytest.raises(error, match=match):
        make()


def test_transforms_stand_in_a_sequential() -> None:
    chain = nn.Sequential(T.RandomCrop(3), T.RandomHorizontalFlip(), T.Normalize([0.5], [0.5]))
    assert chain(rand(3, 5, 5)).shape == (3, 3, 3)
    assert not isinstance(T.Compose([]), nn.Module) and not isinstance(T.ToTensor(), nn.Module)


def test_whitening() -> None:
    image = rand(1, 2, 2)
    whiten = T.LinearTransformation(2 * eye(4), zeros(4) + 0.5)
    assert (whiten(image) - 2 * (image - 0.5)).abs().max().item() < 1e-6
    with pytest.raises(ValueError, match="should be square"):
        T.LinearTransformation(zeros(2, 3), zeros(2))


def test_integers_stand_for_interpolations() -> None:
    assert T.Resize(3, 3).interpolation is T.InterpolationMode.BICUBIC  # type: ignore[arg-type]
