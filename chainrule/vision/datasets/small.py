"""Small images in single files, kept in memory: SVHN, STL-10, USPS, Semeion, Moving MNIST, FER."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np

from chainrule.errors import DataError
from chainrule.tensor import Tensor
from chainrule.tensor.fromdata import from_owned
from chainrule.vision.datasets.matlab import load_mat
from chainrule.vision.datasets.memory import InMemory
from chainrule.vision.datasets.utils import (
    check_integrity,
    download_and_extract_archive,
    download_url,
    home,
    missing,
    opened,
    places,
    verify_str_arg,
)
from chainrule.vision.datasets.vision import Function, Name, VisionDataset
from chainrule.vision.images import Array, make_image


def _one_file(
    dataset: VisionDataset, url: str, name: str, md5: str, download: bool, folder: str
) -> Path:
    """The file under the root or under CHAINRULE_DATA; fetched where it is missing."""
    for place in places(dataset.root, folder):
        if check_integrity(place / name, md5):
            return place / name
    if not download:
        raise missing(type(dataset).__name__, dataset.root, [name])
    download_url(url, dataset.root, name, md5)
    return Path(dataset.root) / name


class SVHN(InMemory):
    """House numbers, 32 × 32, colour: `split` is train (73,257), test (26,032) or extra (531,131).

    `data` is (n, 3, 32, 32), uint8, `labels` an array; the digit 0 is class 0.
    """

    _base = "http://ufldl.stanford.edu/housenumbers/"
    split_list = {  # noqa: RUF012  # as in torchvision
        "train": [f"{_base}train_32x32.mat", "train_32x32.mat", "e26dedcc434d2e4c54c9b2d4a06d8373"],
        "test": [f"{_base}test_32x32.mat", "test_32x32.mat", "eb5a983be6a315427106f1b164d9cef3"],
        "extra": [f"{_base}extra_32x32.mat", "extra_32x32.mat", "a93ce644f1a588dc4d68dda5feec44a7"],
    }

    def __init__(
        self,
        root: Name | None = None,
        split: str = "train",
        transform: Function | None = None,
        target_transform: Function | None = None,
        download: bool = False,
    ) -> None:
        super().__init__(root, transform=transform, target_transform=target_transform)
        self.split = verify_str_arg(split, "split", self.split_list)
        self.url, self.filename, self.file_md5 = self.split_list[split]
        path = _one_file(self, self.url, self.filename, self.file_md5, download, "svhn")
        arrays = load_mat(path)
        self.data = np.ascontiguousarray(arrays["X"].transpose(3, 2, 0, 1))
        self.labels = arrays["y"].astype(np.int64).reshape(-1) % 10  # the file counts 0 as 10

    def _labels(self) -> Any:
        return self.labels

    def _pixels(self, index: Any) -> Array:
        return np.moveaxis(self.data[index], -3, -1)

    def extra_repr(self) -> str:
        return f"Split: {self.split}"


class STL10(InMemory):
    """Photographs of 96 × 96 pixels in ten classes, and 100,000 without labels (label -1).

    `split` is train, test, unlabeled or train+unlabeled; `folds` 0 … 9 is one part of train.
    """

    base_folder = "stl10_binary"
    url = "http://ai.stanford.edu/~acoates/stl10/stl10_binary.tar.gz"
    filename = "stl10_binary.tar.gz"
    tgz_md5 = "91f7769df0f17e558f3565bffb0c7dfb"
    class_names_file = "class_names.txt"
    folds_list_file = "fold_indices.txt"
    splits = ("train", "train+unlabeled", "unlabeled", "test")

    def __init__(
        self,
        root: Name | None = None,
        split: str = "train",
        folds: int | None = None,
        transform: Function | None = None,
        target_transform: Function | None = None,
        download: bool = False,
    ) -> None:
        super().__init__(root, transform=transform, target_transform=target_transform)
        self.split = verify_str_arg(split, "split", self.splits)
        if folds is not None and not isinstance(folds, int):
            raise ValueError(
                f"Expected type None or int for argument folds, but got type {type(folds)}."
            )
        if folds is not None and folds not in range(10):
            raise ValueError(
                f"Value for argument folds should be in the range [0, 10), but got {folds}."
            )
        self.folds = folds
        needed = [f"{self.base_folder}/{name}" for name in ("train_X.bin", "test_X.bin")]
        found = home(self.root, needed, "stl10")
        if found is None and download:
            download_and_extract_archive(
                self.url, self.root, filename=self.filename, md5=self.tgz_md5
            )
            found = home(self.root, needed, "stl10")
        if found is None:
            raise missing("STL10", self.root, needed)
        self._read(found / self.base_folder)

    def _read(self, folder: Path) -> None:
        parts = []
        if self.split in ("train", "train+unlabeled"):
            images = _columns(folder / "train_X.bin")
            labels = np.fromfile(folder / "train_y.bin", np.uint8).astype(np.int64) - 1
            if self.folds is not None:
                lines = (folder / self.folds_list_file).read_text().splitlines()
                chosen = np.array(lines[self.folds].split(), np.int64)
                images, labels = images[chosen], labels[chosen]
            parts.append((images, labels))
        if self.split in ("unlabeled", "train+unlabeled"):
            images = _columns(folder / "unlabeled_X.bin")
            parts.append((images, np.full(len(images), -1, np.int64)))
        if self.split == "test":
            labels = np.fromfile(folder / "test_y.bin", np.uint8).astype(np.int64) - 1
            parts.append((_columns(folder / "test_X.bin"), labels))
        pictures = [images for images, _ in parts]
        self.data = np.concatenate(pictures) if len(parts) > 1 else pictures[0]
        self.labels = np.concatenate([labels for _, labels in parts])
        names = folder / self.class_names_file
        if names.is_file():
            self.classes = names.read_text().splitlines()

    def _labels(self) -> Any:
        return self.labels

    def _pixels(self, index: Any) -> Array:
        return np.moveaxis(self.data[index], -3, -1)

    def extra_repr(self) -> str:
        return f"Split: {self.split}"


def _columns(path: Path) -> Array:
    """Images that are stored column after column."""
    return np.fromfile(path, np.uint8).reshape(-1, 3, 96, 96).transpose(0, 1, 3, 2)


class USPS(InMemory):
    """9,298 handwritten digits from envelopes, 16 × 16, grey."""

    _base = "https://www.csie.ntu.edu.tw/~cjlin/libsvmtools/datasets/multiclass/"
    split_list = {  # noqa: RUF012  # as in torchvision
        "train": [f"{_base}usps.bz2", "usps.bz2", "ec16c51db3855ca6c91edd34d0e9b197"],
        "test": [f"{_base}usps.t.bz2", "usps.t.bz2", "8ea070ee2aca1ac39742fdd1ef5ed118"],
    }

    def __init__(
        self,
        root: Name | None = None,
        train: bool = True,
        transform: Function | None = None,
        target_transform: Function | None = None,
        download: bool = False,
    ) -> None:
        super().__init__(root, transform=transform, target_transform=target_transform)
        url, name, md5 = self.split_list["train" if train else "test"]
        with opened(_one_file(self, url, name, md5, download, "usps")) as file:
            rows = [line.decode().split() for line in file]
        pixels = np.array([[entry.split(":")[-1] for entry in row[1:]] for row in rows], np.float32)
        self.data = ((pixels.reshape(-1, 16, 16) + 1) / 2 * 255).astype(np.uint8)
        self.targets = [int(row[0]) - 1 for row in rows]


class SEMEION(InMemory):
    """1,593 handwritten digits, 16 × 16, black and white."""

    url = "http://archive.ics.uci.edu/ml/machine-learning-databases/semeion/semeion.data"
    filename = "semeion.data"
    md5_checksum = "cb545d371d2ce14ec121470795a77432"

    def __init__(
        self,
        root: Name | None = None,
        transform: Function | None = None,
        target_transform: Function | None = None,
        download: bool = True,
    ) -> None:
        super().__init__(root, transform=transform, target_transform=target_transform)
        path = _one_file(self, self.url, self.filename, self.md5_checksum, download, "semeion")
        table = np.loadtxt(path)
        self.data = (table[:, :256] * 255).astype(np.uint8).reshape(-1, 16, 16)
        self.labels = np.nonzero(table[:, 256:])[1]

    def _labels(self) -> Any:
        return self.labels


class MovingMNIST(VisionDataset):
    """10,000 films of two moving digits: uint8 tensors (frames, 1, 64, 64).

    `split` train is the first `split_ratio` of the 20 frames, test the others, None all of them.
    """

    _URL = "http://www.cs.toronto.edu/~nitish/unsupervised_video/mnist_test_seq.npy"
    _MD5 = "be083ec986bfe91a449d63653c411eb2"

    def __init__(
        self,
        root: Name,
        split: str | None = None,
        split_ratio: int = 10,
        download: bool = False,
        transform: Function | None = None,
    ) -> None:
        super().__init__(root, transform=transform)
        if split is not None:
            verify_str_arg(split, "split", ("train", "test"))
        self.split = split
        if not isinstance(split_ratio, int):
            raise TypeError(f"`split_ratio` should be an integer, but got {type(split_ratio)}")
        if not 1 <= split_ratio <= 19:
            raise ValueError(
                f"`split_ratio` should be `1 <= split_ratio <= 19`, but got {split_ratio} instead."
            )
        self.split_ratio = split_ratio
        name = f"{type(self).__name__}/{self._URL.rpartition('/')[2]}"
        found = home(self.root, [name])
        if found is None and download:
            base = Path(self.root) / type(self).__name__
            download_url(self._URL, base, md5=self._MD5)
            found = home(self.root, [name])
        if found is None:
            raise missing("MovingMNIST", self.root, [name])
        part = {"train": slice(split_ratio), "test": slice(split_ratio, None)}.get(
            split or "", slice(None)
        )
        frames = np.load(found / name)[part]
        self.data = from_owned(np.ascontiguousarray(frames.swapaxes(0, 1)[:, :, None]))

    def __getitem__(self, idx: int) -> Tensor:
        clip: Tensor = self.data[idx]
        return clip if self.transform is None else self.transform(clip)

    def __len__(self) -> int:
        return len(self.data)


class FER2013(VisionDataset):
    """Faces of 48 × 48 grey pixels with seven expressions, from the files of the Kaggle contest in
    `root/fer2013/`.
    """

    _RESOURCES = {  # noqa: RUF012  # as in torchvision
        "train": ("train.csv", "3f0dfb3d3fd99c811a1299cb947e3131"),
        "test": ("test.csv", "b02c2298636a634e8c2faabbf3ea9a23"),
        "fer": ("fer2013.csv", "f8428a1edbd21e88f42c73edd2a14f95"),
        "icml": ("icml_face_data.csv", "b114b9e04e6949e5fe8b6a98b3892b1d"),
    }

    def __init__(
        self,
        root: Name,
        split: str = "train",
        transform: Function | None = None,
        target_transform: Function | None = None,
    ) -> None:
        self._split = verify_str_arg(split, "split", ("train", "test"))
        super().__init__(root, transform=transform, target_transform=target_transform)
        folders = [place / "fer2013" for place in places(self.root)]
        for which in ("fer", "icml", split):
            name, md5 = self._RESOURCES[which]
            for folder in folders:
                if (folder / name).is_file():
                    if not check_integrity(folder / name, md5):
                        raise DataError(f"{folder / name} is damaged: its md5 is not {md5}")
                    self._samples = list(self._rows(folder / name, which))
                    return
        raise DataError(
            f"{self._RESOURCES[split][0]} not found in {folders[0]} or corrupted. You can download "
            "it from https://www.kaggle.com/c/"
            "challenges-in-representation-learning-facial-expression-recognition-challenge"
        )

    def _rows(self, path: Path, which: str) -> Any:
        space = " " if which == "icml" else ""
        wanted = ("Training",) if self._split == "train" else ("PublicTest", "PrivateTest")
        with path.open(newline="") as file:
            for row in csv.DictReader(file):
                if which in ("fer", "icml") and row[f"{space}Usage"] not in wanted:
                    continue
                pixels = np.array(row[f"{space}pixels"].split(), np.uint8).reshape(48, 48)
                yield pixels, int(row["emotion"]) if "emotion" in row else None

    def __getitem__(self, idx: int) -> tuple[Any, Any]:
        pixels, target = self._samples[idx]
        return self.transformed(make_image(pixels), target)

    def __len__(self) -> int:
        return len(self._samples)

    def extra_repr(self) -> str:
        return f"split={self._split}"
