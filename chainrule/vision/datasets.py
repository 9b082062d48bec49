"""MNIST, Fashion-MNIST and CIFAR-10 as torchvision has them: images in memory, labels, transforms.

A sample is (image, label) with the image a PIL image (an `Image` without pillow) and the label an
int, both after `transform` and `target_transform`. In a DataLoader whole batches are gathered, and
transformed at once where all the transforms can (see `chainrule.vision.transforms.base`).
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from chainrule.datasets.cifar10 import CLASSES, load_cifar10
from chainrule.datasets.mnist import (
    FASHION_MNIST_CLASSES,
    MNIST_CLASSES,
    load_fashion_mnist,
    load_mnist,
)
from chainrule.errors import DataError
from chainrule.tensor import Tensor
from chainrule.tensor.creation import from_owned
from chainrule.utils.data.batching import values
from chainrule.utils.data.collate import default_collate
from chainrule.utils.data.dataset import Dataset
from chainrule.vision.images import Array, make_image
from chainrule.vision.transforms.base import Batch, batch_method

Loader = Callable[..., tuple[Array, Array]]


class VisionDataset(Dataset[Any]):
    """Images in `data`, labels in `targets`, and what is done with both on the way out."""

    data: Any
    targets: Any
    classes: list[str]

    def __init__(
        self,
        root: str | os.PathLike[str] | None = None,
        transforms: Callable[[Any, Any], Any] | None = None,
        transform: Callable[[Any], Any] | None = None,
        target_transform: Callable[[Any], Any] | None = None,
    ) -> None:
        if transforms is not None and (transform is not None or target_transform is not None):
            raise ValueError(
                "Only transforms or transform/target_transform can be passed as argument"
            )
        self.root = os.path.expanduser(root) if root is not None else None
        self.transforms = transforms
        self.transform = transform
        self.target_transform = target_transform

    @property
    def class_to_idx(self) -> dict[str, int]:
        return {name: i for i, name in enumerate(self.classes)}

    def __len__(self) -> int:
        return len(self.data)

    def _pixels(self, index: Any) -> Array:
        """The pixels of one image, or of an array of them: (…, H, W) or (…, H, W, C)."""
        return np.asarray(values(self.data) if isinstance(self.data, Tensor) else self.data)[index]

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        img, target = make_image(self._pixels(index)), int(self.targets[index])
        if self.transforms is not None:
            img, target = self.transforms(img, target)
        if self.transform is not None:
            img = self.transform(img)
        if self.target_transform is not None:
            target = self.target_transform(target)
        return img, target

    def __getbatch__(self, indices: Array) -> Any:
        method = batch_method(self.transform)
        if method is None or self.transforms is not None:
            return NotImplemented
        pixels = self._pixels(indices)
        if pixels.dtype != np.uint8 or pixels.ndim not in (3, 4):
            return NotImplemented
        planes = pixels[:, None] if pixels.ndim == 3 else pixels.transpose(0, 3, 1, 2)
        result = method(Batch("image", planes))
        if result is NotImplemented or result.kind != "tensor":
            return NotImplemented
        return [from_owned(np.ascontiguousarray(result.planes)), self._labels(indices)]

    def _labels(self, indices: Array) -> Any:
        if isinstance(self.targets, Tensor):
            labels = values(self.targets)[indices].astype(np.int64)
        else:
            labels = np.array([int(self.targets[i]) for i in indices.tolist()], dtype=np.int64)
        if self.target_transform is None:
            return from_owned(labels)
        return default_collate([self.target_transform(label) for label in labels.tolist()])

    def extra_repr(self) -> str:
        return ""

    def __repr__(self) -> str:
        body = [f"Number of datapoints: {len(self)}"]
        if self.root is not None:
            body.append(f"Root location: {self.root}")
        body += self.extra_repr().splitlines()
        if self.transform is not None:
            body.append(f"Transform: {self.transform!r}".replace("\n", "\n    "))
        if self.target_transform is not None:
            body.append(f"Target transform: {self.target_transform!r}")
        return "\n".join([f"Dataset {type(self).__name__}", *(f"    {line}" for line in body)])


class _Split(VisionDataset):
    """A data set with a training and a test part, found as `chainrule.datasets` finds it."""

    _load: Loader

    def __init__(
        self,
        root: str | os.PathLike[str] | None = None,
        train: bool = True,
        transform: Callable[[Any], Any] | None = None,
        target_transform: Callable[[Any], Any] | None = None,
        download: bool = False,
    ) -> None:
        super().__init__(root, transform=transform, target_transform=target_transform)
        self.train = train
        split = "train" if train else "test"
        place = None if self.root is None else Path(self.root)
        try:
            images, labels = type(self)._load(split, root=place, download=download)
        except DataError as error:
            if download:
                raise
            raise DataError(
                "Dataset not found or corrupted. You can use download=True to download it.\n"
                f"{error}"
            ) from error
        self._keep(images, labels)

    def _keep(self, images: Array, labels: Array) -> None:
        raise NotImplementedError

    def extra_repr(self) -> str:
        return f"Split: {'Train' if self.train else 'Test'}"


class MNIST(_Split):
    """60,000 + 10,000 handwritten digits, 28 × 28, grey.

    root              a folder in torchvision's layout (`root/MNIST/raw/…`), searched first, then
                      CHAINRULE_DATA and the cache; with `download` the files are fetched into it
    train             the training part, or the test part
    transform         a function of the image; target_transform: of the label

    `data` is a uint8 tensor (n, 28, 28), `targets` an int64 tensor (n,). Raises `DataError`, a
    `RuntimeError`, where the files are missing or damaged.
    """

    classes = MNIST_CLASSES
    _load = staticmethod(load_mnist)

    def _keep(self, images: Array, labels: Array) -> None:
        self.data, self.targets = from_owned(images), from_owned(labels.astype(np.int64))

    @property
    def raw_folder(self) -> str:
        """Where torchvision keeps the files under `root`."""
        return os.path.join(self.root or "", type(self).__name__, "raw")


class FashionMNIST(MNIST):
    """60,000 + 10,000 pictures of clothes, 28 × 28, grey; all else as for `MNIST`."""

    classes = FASHION_MNIST_CLASSES
    _load = staticmethod(load_fashion_mnist)


class CIFAR10(_Split):
    """50,000 + 10,000 photographs, 32 × 32, colour; arguments as for `MNIST`.

    `data` is a uint8 array (n, 32, 32, 3), `targets` a list of int. Where only the subset of
    `chainrule.datasets.cifar10` is at hand, that is used, with a `DataWarning`.
    """

    classes = CLASSES
    base_folder = "cifar-10-batches-py"
    _load = staticmethod(load_cifar10)

    def _keep(self, images: Array, labels: Array) -> None:
        self.data, self.targets = images, labels.tolist()
