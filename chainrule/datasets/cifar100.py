"""CIFAR-100: 50,000 + 10,000 colour images of 32 × 32 pixels in 100 classes, grouped into 20 (A.
Krizhevsky, 2009). Looked for as the official archive, or as the folder that it unpacks to.
"""

from __future__ import annotations

import io
import zlib
from pathlib import Path

import numpy as np

from chainrule.datasets.fetch import DataFile, cache_root, data_root, fetch
from chainrule.datasets.formats import Array, load_pickle, read_bytes
from chainrule.errors import DataError

ARCHIVE = DataFile(
    folder="cifar100",
    name="cifar-100-python.tar.gz",
    sha256="85cd44d02ba6437773c5bbd22e183051d648de2e7d6b014e1ef29b855ba677a7",
    size=169001437,
    mirrors=("https://www.cs.toronto.edu/~kriz/cifar-100-python.tar.gz",),
    elsewhere=("cifar-100-python.tar.gz",),
)
_FOLDER = "cifar-100-python"


def load_cifar100(
    label_mode: str = "fine", *, download: bool = True
) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
    """Training and test part: images (n, 32, 32, 3) and labels (n,), both uint8.

    `label_mode`: "fine" (100 classes) or "coarse" (20). Raises `DataError` where the data are
    missing and cannot be fetched, or are damaged.
    """
    if label_mode not in ("fine", "coarse"):
        raise ValueError(
            f'`label_mode` must be one of `"fine"`, `"coarse"`. Received: label_mode={label_mode}.'
        )
    data = _read(download)
    train, test = (_part(data[name], f"{label_mode}_labels") for name in ("train", "test"))
    return train, test


def _read(download: bool) -> dict[str, bytes]:
    for root in (data_root(), cache_root()):
        for folder in () if root is None else (root / _FOLDER, root / "cifar100" / _FOLDER):
            if folder.is_dir():
                return {name: read_bytes(folder / name) for name in ("train", "test")}
    return _unpacked(fetch(ARCHIVE, download=download))


def _unpacked(path: Path) -> dict[str, bytes]:
    import tarfile  # slow to load, and needed here only

    found = {}
    try:
        with tarfile.open(path, "r|gz") as archive:
            for member in archive:
                name = member.name.removeprefix(f"{_FOLDER}/")
                stream = archive.extractfile(member) if name in ("train", "test") else None
                if stream is not None:
                    found[name] = stream.read()
    except (tarfile.TarError, OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path} cannot be unpacked: {error}") from error
    if len(found) != 2:
        raise DataError(f"{path} has no members train and test in {_FOLDER}")
    return found


def _part(data: bytes, key: str) -> tuple[Array, Array]:
    batch = load_pickle(io.BytesIO(data), _FOLDER)
    pixels, labels = np.asarray(batch["data"], np.uint8), np.asarray(batch[key], np.uint8)
    if pixels.shape != (len(labels), 3072):
        raise DataError(f"{_FOLDER}: pixels of shape {pixels.shape} with {len(labels)} labels")
    images = pixels.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
    return np.ascontiguousarray(images), labels
