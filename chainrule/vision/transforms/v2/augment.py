"""Augmentation of samples and of batches: erased rectangles, MixUp, CutMix, JPEG, policies."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from chainrule.pytree import tree_flatten, tree_unflatten
from chainrule.tensor import Tensor
from chainrule.tensor.fromdata import from_owned
from chainrule.utils.data.batching import values
from chainrule.vision import tv_tensors
from chainrule.vision.draws import draws
from chainrule.vision.images import is_image
from chainrule.vision.transforms import autoaugment
from chainrule.vision.transforms.base import check_sequence
from chainrule.vision.transforms.random import RandomErasing as _Erasing
from chainrule.vision.transforms.random import hole
from chainrule.vision.transforms.v2 import functional as F
from chainrule.vision.transforms.v2.base import (
    Picture,
    RandomTransform,
    Transform,
    has_any,
    is_pure_tensor,
    labels_getter,
    query_chw,
    query_size,
)


class RandomErasing(RandomTransform):
    """A rectangle replaced by `value`, with probability p; arguments as in v1."""

    get_params = staticmethod(_Erasing.get_params)

    def __init__(
        self,
        p: float = 0.5,
        scale: Sequence[float] = (0.02, 0.33),
        ratio: Sequence[float] = (0.3, 3.3),
        value: Any = 0.0,
        inplace: bool = False,
    ) -> None:
        super().__init__(p)
        checked = _Erasing(p, scale, ratio, value)
        self.scale, self.ratio = checked.scale, checked.ratio
        self.value: list[float] | None = None
        if not isinstance(value, str):
            given = [value] if isinstance(value, int | float) else value
            self.value = [float(v) for v in given]
        self.inplace = inplace

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        shape = query_chw(flat_inputs)
        if self.value is not None and len(self.value) not in (1, shape[0]):
            raise ValueError(
                f"If value is a sequence, it should have either a single value or {shape[0]} "
                "(number of inpt channels)"
            )
        return {"box": hole(shape, self.scale, self.ratio, self.value, draws())}

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        if params["box"] is None:
            return inpt
        *box, pixels = params["box"]
        return F.erase(inpt, *box, from_owned(pixels), self.inplace)


class _Mix(Transform):
    """A batch mixed with itself, shifted by one; labels become shares of the classes."""

    def __init__(
        self, *, alpha: float = 1.0, num_classes: int | None = None, labels_getter: Any = "default"
    ) -> None:
        super().__init__()
        self.alpha = float(alpha)
        self.num_classes = num_classes
        self._labels_getter = _getter(labels_getter)

    def forward(self, *inputs: Any) -> Any:
        sample = inputs if len(inputs) > 1 else inputs[0]
        flat, spec = tree_flatten(sample)
        kinds = (tv_tensors.BoundingBoxes, tv_tensors.Mask, tv_tensors.KeyPoints)
        if has_any(flat, is_image, *kinds):
            raise ValueError(
                f"{type(self).__name__}() does not support PIL images, bounding boxes, keypoints "
                "and masks."
            )
        labels = self._labels_getter(sample)
        self._check_labels(labels)
        chosen = [
            yes and x is not labels
            for x, yes in zip(flat, self._needs_transform_list(flat), strict=True)
        ]
        drawn = self.make_params([x for x, yes in zip(flat, chosen, strict=True) if yes])
        done = []
        for x, yes in zip(flat, chosen, strict=True):
            if x is labels:
                done.append(self._label(x, drawn["lam"]))
            elif yes and (isinstance(x, Picture) or is_pure_tensor(x)):
                self._check_batch(x, len(labels))
                done.append(self.transform(x, drawn))
            else:
                done.append(x)
        return tree_unflatten(done, spec)

    def _check_labels(self, labels: Any) -> None:
        if not isinstance(labels, Tensor):
            raise ValueError(f"The labels must be a tensor, but got {type(labels)} instead.")
        if labels.ndim not in (1, 2):
            raise ValueError(
                "labels should be index based with shape (batch_size,) or probability based with "
                f"shape (batch_size, num_classes), but got a tensor of shape {labels.shape} "
                "instead."
            )
        if labels.ndim == 1 and self.num_classes is None:
            raise ValueError("num_classes must be passed if the labels are index-based (1D)")
        if labels.ndim == 2 and self.num_classes not in (None, labels.shape[-1]):
            raise ValueError(
                "When passing 2D labels, the number of elements in last dimension must match "
                f"num_classes: {labels.shape[-1]} != {self.num_classes}. You can Leave num_classes "
                "to None."
            )

    def _check_batch(self, x: Any, n: int) -> None:
        axes = 5 if isinstance(x, tv_tensors.Video) else 4
        if x.ndim != axes:
            raise ValueError(
                f"Expected a batched input with {axes} dims, but got {x.ndim} dimensions instead."
            )
        if x.shape[0] != n:
            raise ValueError(
                "The batch size of the image or video does not match the batch size of the labels: "
                f"{x.shape[0]} != {n}."
            )

    def _label(self, labels: Any, lam: float) -> Tensor:
        shares = values(labels)
        if shares.ndim == 1:
            shares = np.eye(self.num_classes or 0, dtype=np.float32)[shares]
        shares = shares if shares.dtype.kind == "f" else shares.astype(np.float32)
        return from_owned(_mixed(shares, lam))


_getter = labels_getter  # the argument has its name


def _mixed(x: Any, lam: float) -> Any:
    """lam · x + (1 - lam) · (x shifted by one along the batch)."""
    kind = x.dtype.type
    return np.roll(x, 1, 0) * kind(1.0 - lam) + x * kind(lam)


class MixUp(_Mix):
    """Each image mixed with the one before it, λ ~ Beta(alpha, alpha) (H. Zhang et al., 2018)."""

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        return {"lam": float(draws().dirichlet([self.alpha, self.alpha], 1)[0, 0])}

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        result = from_owned(_mixed(values(inpt), params["lam"]))
        return result if is_pure_tensor(inpt) else tv_tensors.wrap(result, like=inpt)


class CutMix(_Mix):
    """A rectangle of each image taken from the one before it (S. Yun et al., 2019)."""

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        chance = draws()
        lam = float(chance.dirichlet([self.alpha, self.alpha], 1)[0, 0])
        h, w = query_size(flat_inputs)
        x, y = chance.integer(0, w), chance.integer(0, h)
        half = 0.5 * math.sqrt(1.0 - lam)
        dx, dy = int(half * w), int(half * h)
        left, top = max(x - dx, 0), max(y - dy, 0)
        right, bottom = min(x + dx, w), min(y + dy, h)
        share = (right - left) * (bottom - top) / (w * h)
        return {"box": (left, top, right, bottom), "lam": 1.0 - share}

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        left, top, right, bottom = params["box"]
        x = values(inpt)
        array = x.copy()
        array[..., top:bottom, left:right] = np.roll(x, 1, 0)[..., top:bottom, left:right]
        result = from_owned(array)
        return result if is_pure_tensor(inpt) else tv_tensors.wrap(result, like=inpt)


class JPEG(Transform):
    """Packed as JPEG of a quality that is drawn, and unpacked."""

    def __init__(self, quality: int | Sequence[int]) -> None:
        super().__init__()
        if isinstance(quality, bool):
            raise TypeError("quality can't be bool")
        if isinstance(quality, int):
            quality = [quality, quality]
        else:
            check_sequence(quality, "quality", (2,))
        whole = all(isinstance(q, int) for q in quality)
        if not whole or not 1 <= quality[0] <= quality[1] <= 100:
            raise ValueError(f"quality must be an integer from 1 to 100, got quality ={quality!r}")
        self.quality = quality

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        return {"quality": draws().integer(self.quality[0], self.quality[1] + 1)}

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        return F.jpeg(inpt, params["quality"])


class _Policy(Transform):
    """A policy of v1, for the one picture of a sample."""

    _v1: type[Any]

    def forward(self, *inputs: Any) -> Any:
        sample = inputs if len(inputs) > 1 else inputs[0]
        flat, spec = tree_flatten(sample)
        kinds = (tv_tensors.BoundingBoxes, tv_tensors.Mask, tv_tensors.KeyPoints)
        for kind in kinds:
            if has_any(flat, kind):
                raise TypeError(
                    f"Inputs of type {kind.__name__} are not supported by {type(self).__name__}()"
                )
        chosen = [i for i, yes in enumerate(self._needs_transform_list(flat)) if yes]
        if len(chosen) != 1:
            what = "found no image" if not chosen else "found more than one image"
            raise TypeError(f"{type(self).__name__}() works on one image of a sample; {what}")
        inpt = flat[chosen[0]]
        plain = inpt.as_subclass(Tensor) if isinstance(inpt, tv_tensors.TVTensor) else inpt
        result = self._v1.forward(self, plain)
        if isinstance(inpt, tv_tensors.TVTensor):
            result = tv_tensors.wrap(result, like=inpt)
        flat[chosen[0]] = result
        return tree_unflatten(flat, spec)


class AutoAugment(_Policy, autoaugment.AutoAugment):
    """One of 25 learned pairs of operations."""

    _v1 = autoaugment.AutoAugment
    __init__ = autoaugment.AutoAugment.__init__


class RandAugment(_Policy, autoaugment.RandAugment):
    """`num_ops` operations drawn by chance, all at the same `magnitude`."""

    _v1 = autoaugment.RandAugment
    __init__ = autoaugment.RandAugment.__init__


class TrivialAugmentWide(_Policy, autoaugment.TrivialAugmentWide):
    """One operation at one magnitude, both drawn by chance."""

    _v1 = autoaugment.TrivialAugmentWide
    __init__ = autoaugment.TrivialAugmentWide.__init__


class AugMix(_Policy, autoaugment.AugMix):
    """A weighted mean of the image and of chains of operations on it."""

    _v1 = autoaugment.AugMix
    __init__ = autoaugment.AugMix.__init__
