"""MNIST and Fashion-MNIST: 60,000 + 10,000 grey images of 28 × 28 pixels in ten classes.

MNIST: Y. LeCun, C. Cortes, C. J. C. Burges, 1998. Fashion-MNIST: H. Xiao, K. Rasul, R. Vollgraf,
2017 (MIT licence).

Looked for as `mnist/train-images-idx3-ubyte.gz` (packed or not), in torchvision's layout
(`MNIST/raw/train-images-idx3-ubyte`, packed or not) and, for MNIST, as Keras's `mnist.npz`.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from chainrule.datasets.fetch import DataFile, cache_root, data_root, fetch, find
from chainrule.datasets.formats import Array, read_idx, read_npz
from chainrule.errors import DataError

_MNIST_MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
    "https://github.com/fgnt/mnist/raw/master/",
    "http://yann.lecun.com/exdb/mnist/",
)
_FASHION_MIRRORS = (
    "https://storage.googleapis.com/tensorflow/tf-keras-datasets/",
    "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/",
    "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
)

# name, bytes, sha256 of the packed file, sha256 of its content
_MNIST_FILES = (
    (
        "train-images-idx3-ubyte.gz",
        9912422,
        "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
        "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    ),
    (
        "train-labels-idx1-ubyte.gz",
        28881,
        "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
        "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    ),
    (
        "t10k-images-idx3-ubyte.gz",
        1648877,
        "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
        "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    ),
    (
        "t10k-labels-idx1-ubyte.gz",
        4542,
        "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
        "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    ),
)
_FASHION_FILES = (
    (
        "train-images-idx3-ubyte.gz",
        26421880,
        "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
        "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
    ),
    (
        "train-labels-idx1-ubyte.gz",
        29515,
        "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
        "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
    ),
    (
        "t10k-images-idx3-ubyte.gz",
        4422102,
        "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
        "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
    ),
    (
        "t10k-labels-idx1-ubyte.gz",
        5148,
        "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
        "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
    ),
)


def _files(
    folder: str,
    torchvision: str,
    mirrors: tuple[str, ...],
    rows: tuple[tuple[str, int, str, str], ...],
) -> dict[str, DataFile]:
    return {
        name: DataFile(
            folder=folder,
            name=name,
            sha256=sha256,
            size=size,
            mirrors=tuple(mirror + name for mirror in mirrors),
            content=content,
            elsewhere=(f"{torchvision}/raw/{name}",),
        )
        for name, size, sha256, content in rows
    }


# Kuzushiji-MNIST: nobody published SHA-256 sums
_KMNIST_MIRRORS = ("http://codh.rois.ac.jp/kmnist/dataset/kmnist/",)
_KMNIST_MD5 = {
    "train-images-idx3-ubyte.gz": "bdb82020997e1d708af4cf47b453dcf7",
    "train-labels-idx1-ubyte.gz": "e144d726b3acfaa3e44228e80efcd344",
    "t10k-images-idx3-ubyte.gz": "5c965bf0a639b31b8f53240b1b52f4d7",
    "t10k-labels-idx1-ubyte.gz": "7320c461ea6c1c855c0b718fb2a4b134",
}

FILES: dict[str, dict[str, DataFile]] = {
    "MNIST": _files("mnist", "MNIST", _MNIST_MIRRORS, _MNIST_FILES),
    "FashionMNIST": _files("fashion-mnist", "FashionMNIST", _FASHION_MIRRORS, _FASHION_FILES),
    "KMNIST": {
        name: DataFile(
            folder="kmnist",
            name=name,
            sha256="",
            size=0,
            mirrors=tuple(mirror + name for mirror in _KMNIST_MIRRORS),
            elsewhere=(f"KMNIST/raw/{name}",),
            md5=md5,
        )
        for name, md5 in _KMNIST_MD5.items()
    },
}

MNIST_CLASSES = [
    f"{digit} - {word}"
    for digit, word in enumerate(
        ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
    )
]
FASHION_MNIST_CLASSES = [
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
]


def load_mnist(
    split: str = "train", *, root: Path | None = None, download: bool = True
) -> tuple[Array, Array]:
    """MNIST's images and labels.

    `split` is "train" (60,000) or "test" (10,000). Returns images (n, 28, 28) and labels (n,), both
    uint8; pixels run from 0 (paper) to 255 (ink). `root` is a folder in torchvision's layout,
    searched first and downloaded into. Raises `DataError` where the files are missing and cannot be
    fetched, or are damaged.
    """
    return _load("MNIST", split, root, download)


def load_fashion_mnist(
    split: str = "train", *, root: Path | None = None, download: bool = True
) -> tuple[Array, Array]:
    """Fashion-MNIST's images and labels, exactly as `load_mnist` returns MNIST's."""
    return _load("FashionMNIST", split, root, download)


def load_kmnist(
    split: str = "train", *, root: Path | None = None, download: bool = True
) -> tuple[Array, Array]:
    """Kuzushiji-MNIST (T. Clanuwat et al., 2018): ten old Japanese letters, as `load_mnist`."""
    return _load("KMNIST", split, root, download)


def _load(which: str, split: str, root: Path | None, download: bool) -> tuple[Array, Array]:
    if split not in ("train", "test"):
        raise ValueError(f"split is {split!r}; expected 'train' or 'test'")
    prefix = "train" if split == "train" else "t10k"
    files = (
        FILES[which][f"{prefix}-images-idx3-ubyte.gz"],
        FILES[which][f"{prefix}-labels-idx1-ubyte.gz"],
    )
    npz = _keras_file(root) if which == "MNIST" else None
    if npz is not None and any(find(file, root=root) is None for file in files):
        return _read_keras(npz, split)
    images, labels = (
        read_idx(
            fetch(
                file,
                root=root,
                into=None if root is None else root / which / "raw" / file.name,
                download=download,
            )
        )
        for file in files
    )
    return _checked(images, labels, f"{files[0].folder} ({split})")


def _keras_file(root: Path | None) -> Path | None:
    """Keras's mnist.npz, which has many equally good checksums (a .npz contains its time of
    writing).
    """
    for place in (root, data_root(), cache_root()):
        for name in ("mnist.npz", "mnist/mnist.npz"):
            if place is not None and (place / name).is_file():
                return place / name
    return None


def _read_keras(path: Path, split: str) -> tuple[Array, Array]:
    arrays = read_npz(path, (f"x_{split}", f"y_{split}"))
    return _checked(arrays[f"x_{split}"], arrays[f"y_{split}"], str(path))


def _checked(images: Array, labels: Array, origin: str) -> tuple[Array, Array]:
    if images.ndim != 3 or images.shape[1:] != (28, 28) or labels.shape != images.shape[:1]:
        raise DataError(
            f"{origin}: images of shape {images.shape} and labels of shape {labels.shape}; "
            "expected (n, 28, 28) and (n,)"
        )
    if images.dtype != np.uint8 or labels.max(initial=0) > 9:
        raise DataError(
            f"{origin}: {images.dtype} pixels and labels up to {labels.max(initial=0)}; expected "
            "uint8, 0 to 9"
        )
    return images, labels.astype(np.uint8, copy=False)
