"""Data sets that lie in memory: rows and whole batches of them.

In a DataLoader whole batches are gathered, and transformed at once where all the transforms can
(see `chainrule.vision.transforms.base`).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.tensor import Tensor
from chainrule.tensor.fromdata import from_owned
from chainrule.utils.data.batching import values
from chainrule.utils.data.collate import default_collate
from chainrule.vision.datasets.vision import StandardTransform, VisionDataset
from chainrule.vision.images import Array, make_image
from chainrule.vision.transforms.base import Batch, batch_method


class InMemory(VisionDataset):
    """Images in `data` (n, H, W[, C]), labels in `targets`; a sample is (image, int)."""

    data: Any
    targets: Any

    def __len__(self) -> int:
        return len(self.data)

    def _pixels(self, index: Any) -> Array:
        """The pixels of one image, or of an array of them: (…, H, W) or (…, H, W, C)."""
        return np.asarray(values(self.data) if isinstance(self.data, Tensor) else self.data)[index]

    def _labels(self) -> Any:
        """The labels, whatever the data set calls them."""
        return self.targets

    def _joint(self) -> Any:
        """A transform of image and label together, or None."""
        return None if isinstance(self.transforms, StandardTransform) else self.transforms

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        img, target = make_image(self._pixels(index)), int(self._labels()[index])
        if self._joint() is not None:
            img, target = self.transforms(img, target)
        return self.transformed(img, target)

    def __getbatch__(self, indices: Array) -> Any:
        method = batch_method(self.transform)
        if method is None or self._joint() is not None:
            return NotImplemented
        pixels = self._pixels(indices)
        if pixels.dtype != np.uint8 or pixels.ndim not in (3, 4):
            return NotImplemented
        planes = pixels[:, None] if pixels.ndim == 3 else pixels.transpose(0, 3, 1, 2)
        result = method(Batch("image", planes))
        if result is NotImplemented or result.kind != "tensor":
            return NotImplemented
        return [from_owned(np.ascontiguousarray(result.planes)), self._batch_labels(indices)]

    def _batch_labels(self, indices: Array) -> Any:
        targets = self._labels()
        if isinstance(targets, Tensor):
            labels = values(targets)[indices].astype(np.int64)
        else:
            labels = np.array([int(targets[i]) for i in indices.tolist()], dtype=np.int64)
        if self.target_transform is None:
            return from_owned(labels)
        return default_collate([self.target_transform(label) for label in labels.tolist()])
