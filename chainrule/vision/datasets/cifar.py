"""CIFAR-10 and CIFAR-100: photographs of 32 × 32 pixels in memory (A. Krizhevsky, 2009)."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from chainrule.datasets.cifar10 import ARCHIVE, CLASSES, load_cifar10
from chainrule.datasets.formats import load_pickle
from chainrule.errors import DataError
from chainrule.vision.datasets.memory import InMemory
from chainrule.vision.datasets.utils import (
    calculate_md5,
    check_integrity,
    download_and_extract_archive,
    missing,
    places,
)
from chainrule.vision.datasets.vision import Name, folder_of
from chainrule.vision.images import Array


class CIFAR10(InMemory):
    """50,000 + 10,000 photographs, 32 × 32, colour, ten classes; arguments as for `MNIST`.

    `data` is a uint8 array (n, 32, 32, 3), `targets` a list of int. Where only the subset of
    `chainrule.datasets.cifar10` is at hand, that is used, with a `DataWarning`.
    """

    base_folder = "cifar-10-batches-py"
    url = ARCHIVE.mirrors[0]
    filename = ARCHIVE.name
    tgz_md5 = "c58f30108f718f92721af3b95e74349a"
    train_list = [  # noqa: RUF012  # as in torchvision
        ["data_batch_1", "c99cafc152244af753f735de768cd75f"],
        ["data_batch_2", "d4bba439e000b95fd0a9bffe97cbabec"],
        ["data_batch_3", "54ebc095f3ab1f0389bbae665268c751"],
        ["data_batch_4", "634d18415352ddfa80567beed471001a"],
        ["data_batch_5", "482c414d41f54cd18b22e5b47cb7c3cb"],
    ]
    test_list = [["test_batch", "40351d587109b95175f43aff81a1287e"]]  # noqa: RUF012
    meta = {  # noqa: RUF012
        "filename": "batches.meta",
        "key": "label_names",
        "md5": "5ff9c542aee3614f3951f8cda6e48888",
    }

    def __init__(
        self,
        root: Name | None = None,
        train: bool = True,
        transform: Callable[[Any], Any] | None = None,
        target_transform: Callable[[Any], Any] | None = None,
        download: bool = False,
    ) -> None:
        super().__init__(root, transform=transform, target_transform=target_transform)
        self.train = train
        self.classes: list[str] = []
        try:
            self.data, self.targets = self._arrays(download)
        except DataError as error:
            if download or "not found" in str(error):
                raise
            raise DataError(
                f"Dataset not found or corrupted. You can use download=True to download it\n{error}"
            ) from error
        self.class_to_idx = {name: i for i, name in enumerate(self.classes)}

    def _arrays(self, download: bool) -> tuple[Array, list[int]]:
        self.classes = list(CLASSES)
        split = "train" if self.train else "test"
        images, labels = load_cifar10(split, root=folder_of(self.root), download=download)
        return images, labels.tolist()

    def extra_repr(self) -> str:
        return f"Split: {'Train' if self.train else 'Test'}"


class CIFAR100(CIFAR10):
    """50,000 + 10,000 photographs in a hundred classes, as `CIFAR10`.

    Looked for as the folder `cifar-100-python` or as the archive, under `root`, CHAINRULE_DATA
    (there also in `cifar100/`) and the cache.
    """

    base_folder = "cifar-100-python"
    url = "https://www.cs.toronto.edu/~kriz/cifar-100-python.tar.gz"
    filename = "cifar-100-python.tar.gz"
    tgz_md5 = "eb9058c3a382ffc7106e4002c42a8d85"
    train_list = [["train", "16019d7e3df5f24257cddd939b257f8d"]]  # noqa: RUF012
    test_list = [["test", "f0ef6b0ae62326f3e7ffdfab6717acfc"]]  # noqa: RUF012
    meta = {  # noqa: RUF012
        "filename": "meta",
        "key": "fine_label_names",
        "md5": "7973b15100ade9c7d40fb424638fde48",
    }

    def _arrays(self, download: bool) -> tuple[Array, list[int]]:
        names = {name: md5 for name, md5 in (self.train_list if self.train else self.test_list)}
        names[self.meta["filename"]] = self.meta["md5"]
        contents = self._found(names)
        if contents is None and download:
            download_and_extract_archive(
                self.url, self.root, filename=self.filename, md5=self.tgz_md5
            )
            contents = self._found(names)
        if contents is None:
            needed = [f"{self.base_folder}/{name}" for name in names]
            raise missing(type(self).__name__, self.root, needed)
        *batches, meta = (load_pickle(io.BytesIO(data), name) for name, data in contents.items())
        self.classes = list(meta[self.meta["key"]])
        pixels = np.concatenate([np.asarray(batch["data"], np.uint8) for batch in batches])
        labels = [int(label) for batch in batches for label in batch["fine_labels"]]
        images = pixels.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
        return np.ascontiguousarray(images), labels

    def _found(self, names: dict[str, str]) -> dict[str, bytes] | None:
        """What the files contain, from a folder or from the archive."""
        for place in places(self.root, "cifar100", "cifar-100"):
            folder = place / self.base_folder
            if all(check_integrity(folder / name, md5) for name, md5 in names.items()):
                return {name: (folder / name).read_bytes() for name in names}
            archive = place / self.filename
            if archive.is_file():
                return _members(archive, self.base_folder, list(names), self.tgz_md5)
        return None


def _members(archive: Path, folder: str, names: list[str], md5: str) -> dict[str, bytes]:
    """Files in an archive, after a look at its checksum."""
    if calculate_md5(archive) != md5:
        raise DataError(f"{archive} is damaged: its md5 is not {md5}. Replace it, or remove it.")
    found = {}
    with tarfile.open(archive) as packed:
        for name in names:
            member = packed.extractfile(f"{folder}/{name}")
            if member is None:
                raise DataError(f"{archive} has no file {folder}/{name}")
            found[name] = member.read()
    return found
