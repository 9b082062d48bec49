"""Data sets whose samples say what they are, for `chainrule.vision.transforms.v2`."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from chainrule.tensor.creation import tensor
from chainrule.vision import tv_tensors
from chainrule.vision.datasets.annotated import (
    Cityscapes,
    CocoCaptions,
    CocoDetection,
    OxfordIIITPet,
    VOCDetection,
    VOCSegmentation,
)
from chainrule.vision.datasets.vision import VisionDataset
from chainrule.vision.images import is_image

_VOC = (
    *("__background__", "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat"),
    *("chair", "cow", "diningtable", "dog", "horse", "motorbike", "person", "pottedplant"),
    *("sheep", "sofa", "train", "tvmonitor"),
)


def wrap_dataset_for_transforms_v2(
    dataset: VisionDataset, target_keys: Collection[str] | str | None = None
) -> VisionDataset:
    """The data set with boxes and masks as `tv_tensors`, before its transforms.

    COCO's targets become dictionaries of image_id, boxes (XYXY) and labels; VOC's of boxes and
    labels; pictures of classes become masks. Others stay as they are. `target_keys` names the
    entries to keep, "all" all of them.
    """
    if not isinstance(dataset, VisionDataset):
        raise TypeError(
            "This wrapper is meant for subclasses of `VisionDataset`, but got a "
            f"'{type(dataset).__name__}' instead."
        )
    kind = type(f"Wrapped{type(dataset).__name__}", (_Wrapped, type(dataset)), {})
    wrapped: VisionDataset = kind(dataset, target_keys)
    return wrapped


class _Wrapped(VisionDataset):
    def __init__(self, dataset: VisionDataset, target_keys: Any) -> None:
        vars(self).update(vars(dataset))
        self._dataset, self._target_keys = dataset, target_keys
        for name in ("transform", "target_transform", "transforms"):
            setattr(dataset, name, None)

    def __len__(self) -> int:
        return len(self._dataset)

    def __getitem__(self, index: int) -> Any:
        sample = _sample(self._dataset, index, self._target_keys)
        return sample if self.transforms is None else self.transforms(*sample)

    def __getbatch__(self, indices: Any) -> Any:
        return NotImplemented


def _sample(dataset: Any, index: int, keys: Any) -> Any:
    sample = dataset[index]
    if isinstance(dataset, CocoDetection) and not isinstance(dataset, CocoCaptions):
        image, objects = sample
        found: dict[str, Any] = {"image_id": dataset.ids[index]}
        if objects:
            found |= {name: [one.get(name) for one in objects] for name in objects[0]}
            found["boxes"] = _boxes([one["bbox"] for one in objects], "XYWH", image)
            found["labels"] = tensor([one["category_id"] for one in objects])
            found["image_id"] = dataset.ids[index]
        return image, _chosen(found, keys, ("image_id", "boxes", "labels"))
    if isinstance(dataset, VOCDetection):
        image, target = sample
        objects = target["annotation"]["object"]
        corners = [
            [int(one["bndbox"][side]) for side in ("xmin", "ymin", "xmax", "ymax")]
            for one in objects
        ]
        found = {**target, "boxes": _boxes(corners, "XYXY", image)}
        found["labels"] = tensor([_VOC.index(one["name"]) for one in objects])
        return image, _chosen(found, keys, ("boxes", "labels"))
    if isinstance(dataset, VOCSegmentation | Cityscapes | OxfordIIITPet):
        image, target = sample
        parts = target if isinstance(target, tuple) else (target,)
        masks = tuple(tv_tensors.Mask(part) if is_image(part) else part for part in parts)
        return image, masks if isinstance(target, tuple) else masks[0]
    return sample


def _boxes(rows: list[Any], format: str, image: Any) -> Any:
    boxes = tv_tensors.BoundingBoxes(rows, format=format, canvas_size=image.size[::-1])
    if format == "XYXY":
        return boxes
    corners = tensor([[x, y, x + w, y + h] for x, y, w, h in rows])
    return tv_tensors.wrap(corners, like=boxes, format=tv_tensors.BoundingBoxFormat.XYXY)


def _chosen(found: dict[str, Any], keys: Any, usual: tuple[str, ...]) -> dict[str, Any]:
    if keys == "all":
        return found
    wanted = usual if keys is None else tuple(keys)
    return {name: value for name, value in found.items() if name in wanted}
