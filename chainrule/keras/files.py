"""`get_file`: a file from the web, once; checked, and unpacked if it is an archive."""

from __future__ import annotations

import hashlib
import os
import secrets
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from chainrule.datasets.fetch import cache_root
from chainrule.errors import DataError


def get_file(
    fname: str | None = None,
    origin: str | None = None,
    untar: bool = False,
    md5_hash: str | None = None,
    file_hash: str | None = None,
    cache_subdir: str = "datasets",
    hash_algorithm: str = "auto",
    extract: bool = False,
    archive_format: Any = "auto",
    cache_dir: Any = None,
    force_download: bool = False,
) -> str:
    """The path of the file that `origin` names, downloaded unless it is there already.

    With `extract` (or `untar`) the path of the folder that it was unpacked into. A download
    appears under its name only when it is complete and its hash (if one is given) is right.
    """
    if origin is None:
        raise ValueError("get_file needs origin, the address of the file")
    if fname is None:
        fname = os.path.basename(urlsplit(origin).path)
    folder = (Path(cache_dir) if cache_dir else cache_root() / "keras") / cache_subdir
    folder.mkdir(parents=True, exist_ok=True)
    expected = file_hash or md5_hash
    target = folder / fname
    if untar and not str(fname).endswith((".tar.gz", ".tgz", ".tar")):
        target = folder / f"{fname}.tar.gz"
    present = target.is_file() and not force_download
    if present and expected and not _matches(target, expected, hash_algorithm):
        present = False
    if not present:
        _download(origin, target, expected, hash_algorithm)
    if not (extract or untar):
        return str(target)
    unpacked = folder / (str(fname) if untar else f"{_stem(target.name)}_extracted")
    if not unpacked.exists() or not present:
        _unpack(target, unpacked)
    return str(unpacked)


def _download(origin: str, target: Path, expected: str | None, algorithm: str) -> None:
    import shutil  # with the network's modules: 20 ms that other programs need not wait
    import urllib.request
    from urllib.error import URLError

    part = target.with_name(f".{target.name}.{secrets.token_hex(4)}.part")
    try:
        with urllib.request.urlopen(origin, timeout=60) as source, part.open("wb") as file:
            shutil.copyfileobj(source, file, 1 << 20)
        if expected and not _matches(part, expected, algorithm):
            raise DataError(
                f"{origin} was downloaded, but its hash is not {expected}: the file has changed "
                "or was damaged on the way"
            )
        os.replace(part, target)
    except (URLError, OSError) as error:
        raise DataError(
            f"cannot fetch {origin}: {error}. Without a network, put the file at {target}"
        ) from error
    finally:
        part.unlink(missing_ok=True)


def _matches(path: Path, expected: str, algorithm: str) -> bool:
    if algorithm == "auto":
        algorithm = "sha256" if len(expected) == 64 else "md5"
    with path.open("rb") as file:
        return hashlib.file_digest(file, algorithm).hexdigest() == expected.lower()


def _stem(name: str) -> str:
    for suffix in (".tar.gz", ".tar.bz2", ".tar.xz", ".tgz", ".tar", ".zip"):
        if name.endswith(suffix):
            return name[: -len(suffix)]
    return name


def _unpack(archive: Path, folder: Path) -> None:
    """Unpack beside, then rename: a folder that exists is complete."""
    import shutil
    import tarfile
    import zipfile

    beside = folder.with_name(f".{folder.name}.{secrets.token_hex(4)}")
    try:
        if zipfile.is_zipfile(archive):
            with zipfile.ZipFile(archive) as packed:
                packed.extractall(beside)
        elif tarfile.is_tarfile(archive):
            with tarfile.open(archive) as packed_tar:
                packed_tar.extractall(beside, filter="data")  # nothing outside the folder
        else:
            raise DataError(f"{archive} is neither a tar nor a zip archive")
        if folder.exists():
            shutil.rmtree(folder)
        os.replace(beside, folder)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
