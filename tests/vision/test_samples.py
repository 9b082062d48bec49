"""Samples of `transforms.v2`: boxes, masks and points go where the picture goes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from chainrule import dtypes
from chainrule.runtime.random import manual_seed
from chainrule.tensor import Tensor
from chainrule.tensor.creation import arange, from_numpy, ones, tensor, zeros
from chainrule.vision import tv_tensors
from chainrule.vision.transforms import v2

SIZE = (10, 12)


def sample() -> dict[str, Any]:
    """A white rectangle, its box, its mask and its corner."""
    pixels = np.zeros((3, *SIZE), np.uint8)
    pixels[:, 2:5, 3:9] = 255
    return {
        "image": tv_tensors.Image(from_numpy(pixels)),
        "boxes": tv_tensors.BoundingBoxes([[3, 2, 9, 5]], format="XYXY", canvas_size=SIZE),
        "mask": tv_tensors.Mask(from_numpy((pixels[:1] > 0).astype(np.uint8))),
        "corner": tv_tensors.KeyPoints([[3.0, 2.0]], canvas_size=SIZE),
        "labels": tensor([7]),
    }


def box_of(mask: Any) -> list[int]:
    """The box around a mask."""
    rows, columns = np.nonzero(mask.numpy()[0])
    return [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]


@pytest.mark.parametrize(
    "transform",
    [
        v2.RandomHorizontalFlip(1.0),
        v2.RandomVerticalFlip(1.0),
        v2.Pad([1, 2, 3, 4]),
        v2.CenterCrop((8, 10)),
        v2.CenterCrop((14, 12)),
        v2.RandomCrop((9, 11)),
        v2.Resize((20, 24)),
        v2.RandomRotation((90, 90), expand=True),
        v2.RandomAffine(0, translate=(0.1, 0.1)),
        v2.RandomZoomOut(p=1.0),
    ],
    ids=lambda transform: type(transform).__name__,
)
@pytest.mark.parametrize("format", ["XYXY", "XYWH", "CXCYWH"])
def test_boxes_go_where_their_masks_go(transform: Any, format: str) -> None:
    before = sample()
    before["boxes"] = v2.functional.convert_bounding_box_format(
        before["boxes"].to(dtypes.float32), new_format=format
    )
    after = transform(before)
    boxes = v2.functional.convert_bounding_box_format(after["boxes"], new_format="XYXY")
    assert boxes.tolist()[0] == pytest.approx(box_of(after["mask"]), abs=1e-4)
    assert tuple(boxes.canvas_size) == tuple(after["image"].shape[-2:]) == after["mask"].shape[-2:]
    np.testing.assert_array_equal(after["image"].numpy()[0] > 127, after["mask"].numpy()[0] > 0)
    assert after["labels"] is before["labels"]


def test_what_is_the_picture() -> None:
    flip = v2.RandomHorizontalFlip(1.0)
    first, second = flip(arange(4).reshape(1, 2, 2), arange(4).reshape(1, 2, 2))
    assert first.tolist() == [[[1, 0], [3, 2]]] and second.tolist() == [[[0, 1], [2, 3]]]
    image, other = flip(tv_tensors.Image(arange(4).reshape(1, 2, 2)), arange(3))
    assert isinstance(image, tv_tensors.Image) and other.tolist() == [0, 1, 2]


def test_the_usual_chain() -> None:
    chain = v2.Compose(
        [
            v2.ToImage(),
            v2.RandomResizedCrop((4, 4)),
            v2.ToDtype(dtypes.float32, scale=True),
            v2.Normalize([0.5] * 3, [0.5] * 3),
        ]
    )
    array = np.full((6, 6, 3), 255, np.uint8)
    result = chain(array)
    assert isinstance(result, tv_tensors.Image) and result.dtype == dtypes.float32
    np.testing.assert_allclose(result.numpy(), np.ones((3, 4, 4)))
    assert "RandomResizedCrop(size=(4, 4)" in repr(chain)


def test_kinds() -> None:
    box = tv_tensors.BoundingBoxes([1, 2, 3, 4], format="xywh", canvas_size=(5, 6))
    assert box.shape == (1, 4) and box.format is tv_tensors.BoundingBoxFormat.XYWH
    assert type(box + 1) is Tensor and type(box.clone()) is tv_tensors.BoundingBoxes
    assert box.to(dtypes.float64).canvas_size == (5, 6)
    assert "canvas_size=(5, 6)" in repr(box)
    with tv_tensors.set_return_type("TVTensor"):
        assert type(box + 1) is tv_tensors.BoundingBoxes
    again = tv_tensors.wrap(box * 2, like=box)
    assert again.format is box.format and again.tolist() == [[2, 4, 6, 8]]
    assert tv_tensors.Image(zeros(4, 4)).shape == (1, 4, 4)
    with pytest.raises(ValueError, match="Rotated bounding boxes should be floating"):
        tv_tensors.BoundingBoxes([[1, 2, 3, 4, 5]], format="XYWHR", canvas_size=(5, 6))


def test_small_boxes_go_with_their_labels_and_masks() -> None:
    boxes = tv_tensors.BoundingBoxes(
        [[0.0, 0.0, 5.0, 5.0], [1.0, 1.0, 1.5, 9.0]], format="XYXY", canvas_size=SIZE
    )
    masks = tv_tensors.Mask(zeros(2, *SIZE))
    target = {"boxes": boxes, "labels": tensor([4, 5]), "masks": masks}
    _, kept = v2.SanitizeBoundingBoxes()(tv_tensors.Image(zeros(3, *SIZE)), target)
    assert kept["boxes"].tolist() == [[0, 0, 5, 5]] and kept["labels"].tolist() == [4]
    assert kept["masks"].shape == (1, *SIZE)


def test_batches_mixed_with_themselves() -> None:
    manual_seed(0)
    images = arange(2, dtype=dtypes.float32).reshape(2, 1, 1, 1) * ones(2, 1, 8, 8)
    for mix in (v2.MixUp(num_classes=3), v2.CutMix(num_classes=3)):
        mixed, labels = mix(images, tensor([0, 2]))
        assert labels.sum(1).tolist() == pytest.approx([1, 1]) and labels.shape == (2, 3)
        share = mixed.mean((1, 2, 3)).tolist()
        assert share == pytest.approx(labels[:, 2].tolist(), abs=1e-6)
    with pytest.raises(ValueError, match="num_classes must be passed"):
        v2.MixUp()(images, tensor([0, 2]))


def test_a_transform_of_ones_own() -> None:
    class Brighter(v2.Transform):
        def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
            return {"by": len(flat_inputs)}

        def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
            return inpt + params["by"] if isinstance(inpt, tv_tensors.Image) else inpt

    image, label = Brighter()((tv_tensors.Image(zeros(1, 1, 1)), 3))
    assert image.tolist() == [[[1]]] and label == 3


@pytest.mark.parametrize("name", ["AutoAugment", "RandAugment", "TrivialAugmentWide", "AugMix"])
def test_policies_take_the_picture_of_a_sample(name: str) -> None:
    picture, label = getattr(v2, name)(fill=3)((sample()["image"], 5))
    assert type(picture) is tv_tensors.Image and picture.shape == (3, *SIZE) and label == 5
    with pytest.raises(TypeError, match="BoundingBoxes are not supported"):
        getattr(v2, name)()(sample())
