"""PIL images are transformed by Pillow: what comes out is what Pillow's own functions give."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from torchvision_cases import picture

from chainrule.runtime.random import manual_seed
from chainrule.vision import transforms as T
from chainrule.vision.transforms import functional as F

pil: Any = pytest.importorskip("PIL.Image", reason="Pillow is not installed")
enhance: Any = pytest.importorskip("PIL.ImageEnhance", reason="Pillow is not installed")
operations: Any = pytest.importorskip("PIL.ImageOps", reason="Pillow is not installed")

IMAGE = pil.fromarray(np.moveaxis(picture(), 0, -1))
MODE = F.InterpolationMode


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (lambda i: F.resize(i, [7, 20], MODE.LANCZOS), lambda i: i.resize((20, 7), 1)),
        (lambda i: F.resize(i, [7, 20], MODE.HAMMING), lambda i: i.resize((20, 7), 5)),
        (lambda i: F.rotate(i, 30, MODE.BICUBIC, True), lambda i: i.rotate(30, 3, True)),
        (lambda i: F.crop(i, -1, 2, 5, 6), lambda i: i.crop((2, -1, 8, 4))),
        (lambda i: F.pad(i, [1, 2], 9), lambda i: operations.expand(i, (1, 2, 1, 2), (9, 9, 9))),
        (lambda i: F.adjust_contrast(i, 1.5), lambda i: enhance.Contrast(i).enhance(1.5)),
        (lambda i: F.adjust_saturation(i, 0.5), lambda i: enhance.Color(i).enhance(0.5)),
        (lambda i: F.adjust_sharpness(i, 2), lambda i: enhance.Sharpness(i).enhance(2)),
        (lambda i: F.equalize(i), lambda i: operations.equalize(i)),
        (lambda i: F.posterize(i, 3), lambda i: operations.posterize(i, 3)),
        (lambda i: F.solarize(i, 99), lambda i: operations.solarize(i, 99)),
        (lambda i: F.autocontrast(i), lambda i: operations.autocontrast(i)),
        (lambda i: F.rgb_to_grayscale(i), lambda i: i.convert("L")),
    ],
)
def test_pillow_computes_its_images(ours: Any, theirs: Any) -> None:
    got, expected = ours(IMAGE), theirs(IMAGE)
    assert got.mode == expected.mode and got.size == expected.size
    np.testing.assert_array_equal(np.asarray(got), np.asarray(expected))


def test_other_modes() -> None:
    values = np.arange(6, dtype=np.int32).reshape(2, 3) * 1000
    assert F.to_tensor(pil.fromarray(values)).tolist() == [values.tolist()]
    black = pil.fromarray(values > 2000)
    assert F.to_tensor(black).max().item() == 1.0 and F.pil_to_tensor(black).dtype.np == np.bool_
    assert F.to_pil_image(values).mode == "I"
    assert F.to_pil_image(np.zeros((2, 2, 4), np.uint8), "CMYK").mode == "CMYK"
    assert F.to_pil_image(np.zeros((2, 2), np.float32), "F").mode == "F"
    with pytest.raises(ValueError, match="Incorrect mode"):
        F.to_pil_image(np.zeros((2, 2), np.uint8), "RGB")


def test_a_batch_is_resized_as_its_images_are() -> None:
    images = np.random.default_rng(0).integers(256, size=(3, 9, 8, 3), dtype=np.uint8)
    chain = T.Compose([T.Resize((5, 6), MODE.LANCZOS), T.PILToTensor()])
    batch = chain.batch(T.Batch("image", images.transpose(0, 3, 1, 2)))
    rows = np.stack([chain(pil.fromarray(image)).numpy() for image in images])
    np.testing.assert_array_equal(batch.planes, rows)


@pytest.mark.parametrize(
    "transform",
    [
        T.ColorJitter(0.4, 0.4, 0.4, 0.1),
        T.RandomAffine(20, (0.1, 0.1), (0.8, 1.2), 5),
        T.RandomPerspective(p=1.0),
        T.ElasticTransform(10.0, 2.0),
        T.AutoAugment(),
        T.RandAugment(),
        T.TrivialAugmentWide(),
        T.AugMix(),
        T.RandomOrder([T.RandomCrop(8), T.RandomHorizontalFlip()]),
        T.RandomChoice([T.RandomCrop(8), T.RandomRotation(20)], p=[1, 3]),
        T.RandomApply([T.GaussianBlur(3)]),
    ],
    ids=lambda transform: type(transform).__name__,
)
def test_chance_follows_the_seed(transform: Any) -> None:
    def run() -> list[Any]:
        manual_seed(5)
        return [np.asarray(transform(IMAGE)).tolist() for _ in range(6)]

    first = run()
    assert first == run() and any(image != first[0] for image in first)
