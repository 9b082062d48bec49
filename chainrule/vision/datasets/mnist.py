"""MNIST and its relatives: images of 28 × 28 grey pixels in memory.

`root` is a folder in torchvision's layout (`root/MNIST/raw/…`), searched first, then CHAINRULE_DATA
and the cache. Files are read packed or unpacked.
"""

from __future__ import annotations

import math
import os
import string
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from chainrule.datasets.mnist import (
    FASHION_MNIST_CLASSES,
    FILES,
    MNIST_CLASSES,
    load_fashion_mnist,
    load_kmnist,
    load_mnist,
)
from chainrule.errors import DataError
from chainrule.tensor import Tensor
from chainrule.tensor.fromdata import from_owned
from chainrule.utils.data.batching import values
from chainrule.vision.datasets.memory import InMemory
from chainrule.vision.datasets.utils import (
    download_and_extract_archive,
    download_url,
    extract_archive,
    missing,
    opened,
    places,
    verify_str_arg,
)
from chainrule.vision.datasets.vision import Name, folder_of
from chainrule.vision.images import Array, make_image

Loader = Callable[..., tuple[Array, Array]]


def _resources(which: str) -> list[tuple[str, str]]:
    return [(name, file.md5 or file.sha256) for name, file in FILES[which].items()]


def _mirrors(which: str) -> list[str]:
    file = next(iter(FILES[which].values()))
    return [mirror.removesuffix(file.name) for mirror in file.mirrors]


class MNIST(InMemory):
    """60,000 + 10,000 handwritten digits, 28 × 28, grey.

    root              a folder in torchvision's layout (`root/MNIST/raw/…`), searched first, then
                      CHAINRULE_DATA and the cache; with `download` the files are fetched into it
    train             the training part, or the test part
    transform         a function of the image; target_transform: of the label

    `data` is a uint8 tensor (n, 28, 28), `targets` an int64 tensor (n,). Raises `DataError`, a
    `RuntimeError`, where the files are missing or damaged.
    """

    mirrors = _mirrors("MNIST")
    resources: Any = _resources("MNIST")
    training_file = "training.pt"
    test_file = "test.pt"
    classes = MNIST_CLASSES
    _load: Loader = staticmethod(load_mnist)

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
        try:
            self.data, self.targets = self._tensors(download)
        except DataError as error:
            if download:
                raise
            raise DataError(
                f"Dataset not found. You can use download=True to download it\n{error}"
            ) from error

    def _tensors(self, download: bool) -> tuple[Tensor, Tensor]:
        split = "train" if self.train else "test"
        images, labels = type(self)._load(split, root=folder_of(self.root), download=download)
        return from_owned(images), from_owned(labels.astype(np.int64))

    def download(self) -> None:
        """Fetch what is missing into `root`."""
        for split in ("train", "test"):
            type(self)._load(split, root=folder_of(self.root), download=True)

    @property
    def class_to_idx(self) -> dict[str, int]:
        """The number of each class."""
        return {name: i for i, name in enumerate(self.classes)}

    @property
    def raw_folder(self) -> str:
        """Where torchvision keeps the files under `root`."""
        return os.path.join(self.root or "", type(self).__name__, "raw")

    @property
    def processed_folder(self) -> str:
        """Where old versions of torchvision kept tensors."""
        return os.path.join(self.root or "", type(self).__name__, "processed")

    def _renamed(self, old: str, new: str) -> Any:
        warnings.warn(f"{old} has been renamed {new}", stacklevel=3)
        return getattr(self, new)

    @property
    def train_labels(self) -> Any:
        """`targets` by its oldest name."""
        return self._renamed("train_labels", "targets")

    @property
    def test_labels(self) -> Any:
        """`targets` by its oldest name."""
        return self._renamed("test_labels", "targets")

    @property
    def train_data(self) -> Any:
        """`data` by its oldest name."""
        return self._renamed("train_data", "data")

    @property
    def test_data(self) -> Any:
        """`data` by its oldest name."""
        return self._renamed("test_data", "data")

    def extra_repr(self) -> str:
        return f"Split: {'Train' if self.train else 'Test'}"


class FashionMNIST(MNIST):
    """60,000 + 10,000 pictures of clothes, 28 × 28, grey; all else as for `MNIST`."""

    mirrors = _mirrors("FashionMNIST")
    resources = _resources("FashionMNIST")
    classes = FASHION_MNIST_CLASSES
    _load = staticmethod(load_fashion_mnist)


class KMNIST(MNIST):
    """60,000 + 10,000 old Japanese letters in ten classes; all else as for `MNIST`."""

    mirrors = _mirrors("KMNIST")
    resources = _resources("KMNIST")
    classes = ["o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"]  # noqa: RUF012
    _load = staticmethod(load_kmnist)


class _Searched(MNIST):
    """A relative whose files have names of their own."""

    images_file: Any
    labels_file: Any
    _folder: str

    def _tensors(self, download: bool) -> tuple[Tensor, Tensor]:
        found = self._find()
        if found is None and download:
            self.download()
            found = self._find()
        if found is None:
            names = [os.path.basename(self.images_file), os.path.basename(self.labels_file)]
            raise missing(type(self).__name__, self.raw_folder, names)
        return self._read(*found)

    def _find(self) -> tuple[Path, Path] | None:
        """The two files, in the raw folder or under CHAINRULE_DATA, packed or not."""
        folders = [Path(self.raw_folder)]
        for place in places(None, self._folder):
            folders += [place, place / type(self).__name__ / "raw", place / "gzip"]
        names = [os.path.basename(self.images_file), os.path.basename(self.labels_file)]
        for folder in folders:
            found = [
                next((p for p in candidates if p.is_file()), None)
                for candidates in (
                    [folder / name, folder / f"{name}.gz", folder / f"{name}.xz"] for name in names
                )
            ]
            if found[0] is not None and found[1] is not None:
                return found[0], found[1]
        return None

    def _check_exists(self) -> bool:
        return self._find() is not None

    def _read(self, images: Path, labels: Path) -> tuple[Tensor, Tensor]:
        return read_image_file(images), read_label_file(labels)


class EMNIST(_Searched):
    """Letters and digits: `split` is byclass, bymerge, balanced, letters, digits or mnist.

    As in the files, each image lies on its side: rows and columns are exchanged.
    """

    url = "https://biometrics.nist.gov/cs_links/EMNIST/gzip.zip"
    md5 = "58c8d27c78d21e728a6bc7b3cc06412e"
    splits = ("byclass", "bymerge", "balanced", "letters", "digits", "mnist")
    _folder = "emnist"
    _all = sorted(string.digits + string.ascii_letters)
    _merged = [letter for letter in _all if letter not in set("cijklmopsuvwxyz")]  # noqa: RUF012
    classes_split_dict = {  # noqa: RUF012  # as in torchvision
        "byclass": _all,
        "bymerge": _merged,
        "balanced": _merged,
        "letters": ["N/A", *string.ascii_lowercase],
        "digits": list(string.digits),
        "mnist": list(string.digits),
    }

    def __init__(self, root: Name | None, split: str, **kwargs: Any) -> None:
        self.split = verify_str_arg(split, "split", self.splits)
        self.classes = self.classes_split_dict[self.split]
        super().__init__(root, **kwargs)

    @property
    def _file_prefix(self) -> str:
        return f"emnist-{self.split}-{'train' if self.train else 'test'}"

    @property
    def images_file(self) -> str:
        """Where torchvision keeps the images."""
        return os.path.join(self.raw_folder, f"{self._file_prefix}-images-idx3-ubyte")

    @property
    def labels_file(self) -> str:
        """Where torchvision keeps the labels."""
        return os.path.join(self.raw_folder, f"{self._file_prefix}-labels-idx1-ubyte")

    def download(self) -> None:
        """Fetch the archive (560 MB) and unpack it into the raw folder."""
        download_and_extract_archive(self.url, self.raw_folder, md5=self.md5)
        packed = Path(self.raw_folder) / "gzip"
        for file in sorted(packed.glob("*.gz")):
            extract_archive(file, self.raw_folder, remove_finished=True)


class QMNIST(_Searched):
    """MNIST with all 60,000 test images and where each digit came from.

    `what` is train, test, test10k, test50k or nist; `compat=False` gives each label as eight
    numbers.
    """

    subsets = {  # noqa: RUF012  # as in torchvision
        "train": "train",
        "test": "test",
        "test10k": "test",
        "test50k": "test",
        "nist": "nist",
    }
    _base = "https://raw.githubusercontent.com/facebookresearch/qmnist/master/"
    resources = {  # noqa: RUF012
        "train": [
            (f"{_base}qmnist-train-images-idx3-ubyte.gz", "ed72d4157d28c017586c42bc6afe6370"),
            (f"{_base}qmnist-train-labels-idx2-int.gz", "0058f8dd561b90ffdd0f734c6a30e5e4"),
        ],
        "test": [
            (f"{_base}qmnist-test-images-idx3-ubyte.gz", "1394631089c404de565df7b7aeaf9412"),
            (f"{_base}qmnist-test-labels-idx2-int.gz", "5b5b05890a5e13444e108efe57b788aa"),
        ],
        "nist": [
            (f"{_base}xnist-images-idx3-ubyte.xz", "7f124b3b8ab81486c9d8c2749c17f834"),
            (f"{_base}xnist-labels-idx2-int.xz", "5ed0e788978e45d4a8bd4b7caec3d79d"),
        ],
    }
    _folder = "qmnist"

    def __init__(
        self,
        root: Name | None,
        what: str | None = None,
        compat: bool = True,
        train: bool = True,
        **kwargs: Any,
    ) -> None:
        self.what = verify_str_arg(what or ("train" if train else "test"), "what", self.subsets)
        self.compat = compat
        super().__init__(root, train, **kwargs)

    def _file(self, number: int) -> str:
        url, _ = self.resources[self.subsets[self.what]][number]
        return os.path.join(self.raw_folder, os.path.splitext(os.path.basename(url))[0])

    @property
    def images_file(self) -> str:
        """Where torchvision keeps the images."""
        return self._file(0)

    @property
    def labels_file(self) -> str:
        """Where torchvision keeps the labels."""
        return self._file(1)

    def download(self) -> None:
        """Fetch the part that is asked for into the raw folder."""
        for url, md5 in self.resources[self.subsets[self.what]]:
            download_url(url, self.raw_folder, md5=md5)

    def _read(self, images: Path, labels: Path) -> tuple[Tensor, Tensor]:
        data = values(read_image_file(images))
        targets = values(read_sn3_pascalvincent_tensor(labels)).astype(np.int64)
        part = {"test10k": slice(10000), "test50k": slice(10000, None)}.get(self.what, slice(None))
        return from_owned(data[part].copy()), from_owned(targets[part].copy())

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        target: Any = self.targets[index]
        image = make_image(self._pixels(index))
        return self.transformed(image, int(target[0]) if self.compat else target)

    def __getbatch__(self, indices: Array) -> Any:
        return super().__getbatch__(indices) if self.compat else NotImplemented

    def _labels(self) -> Any:
        return self.targets[:, 0]

    def extra_repr(self) -> str:
        return f"Split: {self.what}"


# The files' format

_TYPES = {8: ">u1", 9: ">i1", 11: ">i2", 12: ">i4", 13: ">f4", 14: ">f8"}


def get_int(b: bytes) -> int:
    """Bytes as a whole number, the greatest first."""
    return int.from_bytes(b, "big")


def read_sn3_pascalvincent_tensor(path: Name, strict: bool = True) -> Tensor:
    """The array in an IDX file of any element type, packed or not.

    With `strict` the file must be as long as its header says.
    """
    with opened(path) as file:
        data = file.read()
    kind, axes = data[2], data[3]
    if kind not in _TYPES or not 1 <= axes <= 3 or data[:2] != b"\0\0":
        raise DataError(f"{os.fspath(path)} is not an IDX file: it begins with {data[:4].hex(' ')}")
    start = 4 * (axes + 1)
    shape = [get_int(data[i : i + 4]) for i in range(4, start, 4)]
    flat = np.frombuffer(data, _TYPES[kind], offset=start)
    if flat.size < math.prod(shape) or (strict and flat.size != math.prod(shape)):
        raise DataError(
            f"{os.fspath(path)} is cut or padded: its header promises shape {tuple(shape)}, and "
            f"{flat.size} elements follow"
        )
    array = flat[: math.prod(shape)].reshape(shape)
    return from_owned(array.astype(array.dtype.newbyteorder("=")))


def read_label_file(path: Name) -> Tensor:
    """The labels in an IDX file: int64 (n,)."""
    labels = values(read_sn3_pascalvincent_tensor(path, strict=False))
    if labels.dtype != np.uint8:
        raise TypeError(f"x should be of dtype torch.uint8 instead of {labels.dtype}")
    if labels.ndim != 1:
        raise ValueError(f"x should have 1 dimension instead of {labels.ndim}")
    return from_owned(labels.astype(np.int64))


def read_image_file(path: Name) -> Tensor:
    """The images in an IDX file: uint8 (n, H, W)."""
    images = values(read_sn3_pascalvincent_tensor(path, strict=False))
    if images.dtype != np.uint8:
        raise TypeError(f"x should be of dtype torch.uint8 instead of {images.dtype}")
    if images.ndim != 3:
        raise ValueError(f"x should have 3 dimension instead of {images.ndim}")
    return from_owned(images)
