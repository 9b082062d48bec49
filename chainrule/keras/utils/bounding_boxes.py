"""`keras.utils.bounding_boxes`."""

from chainrule.keras.layers.augmentation.boxes import (
    affine_transform,
    clip_to_image_size,
    compute_ciou,
    compute_iou,
    convert_format,
    crop,
    pad,
)

__all__ = [
    "affine_transform", "clip_to_image_size", "compute_ciou", "compute_iou", "convert_format",
    "crop", "pad",
]  # fmt: skip
