"""Downloads, archives and checksums, with the names of `torchvision.datasets.utils`.

A download is written beside its target and renamed when it is whole and its checksum right; an
archive is unpacked beside its target and moved into place when all of it is there: nothing
half-written lies under a real name.
"""

from __future__ import annotations

import bz2
import contextlib
import gzip
import hashlib
import importlib
import lzma
import os
import re
import secrets
import shutil
import tarfile
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any, NamedTuple, TypeVar
from urllib.parse import urlparse

import numpy as np

from chainrule.datasets.fetch import cache_root, data_root, retrieve
from chainrule.errors import DataError
from chainrule.vision.images import Array

Name = str | os.PathLike[str]

USER_AGENT = "chainrule"


# Checksums


def calculate_md5(fpath: Name, chunk_size: int = 1024 * 1024) -> str:
    """The MD5 of a file, in hexadecimal."""
    digest = hashlib.md5(usedforsecurity=False)
    with open(fpath, "rb") as file:
        while block := file.read(chunk_size):
            digest.update(block)
    return digest.hexdigest()


def check_md5(fpath: Name, md5: str, **kwargs: Any) -> bool:
    """Whether the file has this MD5."""
    return md5 == calculate_md5(fpath, **kwargs)


def check_integrity(fpath: Name, md5: str | None = None) -> bool:
    """Whether the file is there and, where one is given, has this MD5."""
    if not os.path.isfile(fpath):
        return False
    return md5 is None or check_md5(fpath, md5)


# Downloads


def download_url(
    url: str,
    root: Name,
    filename: Name | None = None,
    md5: str | None = None,
    max_redirect_hops: int = 3,
) -> None:
    """Fetch `url` into the folder `root`, unless a good copy is there.

    Raises `DataError` (a `RuntimeError`) where it cannot be had, with what to do without a network.
    """
    target = Path(root).expanduser() / (filename or os.path.basename(urlparse(url).path))
    if check_integrity(target, md5):
        return
    file_id = _google_drive_id(url)
    if file_id is not None:
        download_file_from_google_drive(file_id, root, filename, md5)
        return
    mirrors = (url, "http:" + url[6:]) if url.startswith("https:") and md5 else (url,)
    retrieve(mirrors, target, md5=md5 or "")


def download_file_from_google_drive(
    file_id: str, root: Name, filename: Name | None = None, md5: str | None = None
) -> None:
    """Fetch a file that is shared on Google Drive into the folder `root`."""
    target = Path(root).expanduser() / (filename or file_id)
    if check_integrity(target, md5):
        return
    address = f"https://drive.usercontent.google.com/download?id={file_id}&export=download"
    retrieve((f"{address}&confirm=t",), target, md5=md5 or "")


def _google_drive_id(url: str) -> str | None:
    parts = urlparse(url)
    if re.fullmatch(r"(drive|docs)[.]google[.]com", parts.netloc) is None:
        return None
    match = re.match(r"/file/d/(?P<id>[^/]*)", parts.path)
    return None if match is None else match.group("id")


def download_and_extract_archive(
    url: str,
    download_root: Name,
    extract_root: Name | None = None,
    filename: Name | None = None,
    md5: str | None = None,
    remove_finished: bool = False,
) -> None:
    """`download_url` into one folder, then `extract_archive` into another (or the same)."""
    folder = os.path.expanduser(os.fspath(download_root))
    name = os.fspath(filename or os.path.basename(urlparse(url).path))
    download_url(url, folder, name, md5)
    extract_archive(os.path.join(folder, name), extract_root or folder, remove_finished)


# Archives

_OPENERS: dict[str, Any] = {".bz2": bz2.open, ".gz": gzip.open, ".xz": lzma.open}
_ALIASES = {".tbz": (".tar", ".bz2"), ".tbz2": (".tar", ".bz2"), ".tgz": (".tar", ".gz")}


def _kind(file: Name) -> tuple[str, str | None, str | None]:
    """(the ending, the kind of archive, the kind of compression)."""
    suffixes = Path(file).suffixes
    if not suffixes:
        raise RuntimeError(
            f"File '{os.fspath(file)}' has no suffixes that could be used to detect the archive "
            "type and compression."
        )
    last = suffixes[-1]
    if last in _ALIASES:
        return last, *_ALIASES[last]
    if last in (".tar", ".zip"):
        return last, last, None
    if last in _OPENERS:
        before = suffixes[-2] if len(suffixes) > 1 else ""
        return (before + last, before, last) if before in (".tar", ".zip") else (last, None, last)
    known = sorted({*_ALIASES, *_OPENERS, ".tar", ".zip"})
    raise RuntimeError(
        f"Unknown compression or archive type: '{last}'.\nKnown suffixes are: '{known}'."
    )


def extract_archive(
    from_path: Name, to_path: Name | None = None, remove_finished: bool = False
) -> Any:
    """Unpack a `.tar`, `.zip`, `.gz`, … into the folder `to_path` (its own, where None is given).

    Returns the folder, or the file that a lone compressed file becomes. Nothing is written outside
    of the folder, whatever the archive asks for.
    """
    folder = Path(os.path.dirname(from_path) if to_path is None else to_path)
    suffix, archive, _ = _kind(from_path)
    try:
        if archive is None:
            result = _decompress(from_path, folder / os.path.basename(from_path)[: -len(suffix)])
        else:
            with _beside(folder) as part:
                _unpack(Path(from_path), part, archive)
                _move_all(part, folder)
            result = folder
    except (tarfile.TarError, zipfile.BadZipFile, EOFError, lzma.LZMAError, OSError) as error:
        raise DataError(
            f"{os.fspath(from_path)} cannot be unpacked: {error}. Remove it, so that it is fetched "
            "again."
        ) from error
    if remove_finished:
        os.remove(from_path)
    return os.fspath(result) if isinstance(from_path, str) else result


def _decompress(
    from_path: Name, to_path: Name | None = None, remove_finished: bool = False
) -> Path:
    """One compressed file, unpacked to `to_path`."""
    suffix, _, compression = _kind(from_path)
    if compression is None:
        raise RuntimeError(f"Couldn't detect a compression from suffix {suffix}.")
    target = Path(os.fspath(from_path)[: -len(suffix)] if to_path is None else to_path)
    part = target.with_name(f"{target.name}.{os.getpid()}-{secrets.token_hex(4)}.part")
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        with _OPENERS[compression](from_path, "rb") as source, part.open("xb") as out:
            shutil.copyfileobj(source, out)
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
    if remove_finished:
        os.remove(from_path)
    return target


@contextlib.contextmanager
def _beside(folder: Path) -> Iterator[Path]:
    """A folder on the same disk that is gone afterwards."""
    folder.mkdir(parents=True, exist_ok=True)
    part = folder / f".unpacking-{os.getpid()}-{secrets.token_hex(4)}"
    part.mkdir()
    try:
        yield part
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _unpack(archive: Path, into: Path, kind: str) -> None:
    if kind == ".zip":
        with zipfile.ZipFile(archive) as packed:  # it refuses absolute names and `..` itself
            packed.extractall(into)
        return
    with tarfile.open(archive) as packed_tar:
        if hasattr(tarfile, "data_filter"):
            packed_tar.extractall(into, filter="data")
            return
        inside = into.resolve()
        for member in packed_tar.getmembers():
            place = (into / member.name).resolve()
            if not place.is_relative_to(inside) or not (member.isfile() or member.isdir()):
                raise tarfile.TarError(f"{member.name!r} is no plain file inside the archive")
        packed_tar.extractall(into)


def _move_all(source: Path, target: Path) -> None:
    """Everything in `source` into `target`; folders that are there already are filled up."""
    for entry in source.iterdir():
        place = target / entry.name
        if entry.is_dir() and place.is_dir():
            _move_all(entry, place)
        else:
            entry.replace(place)


# Where data lie


def places(root: Name | None, *folders: str) -> list[Path]:
    """Where a data set may lie: under `root`, then under CHAINRULE_DATA and in the cache, there
    also in a folder of its own.
    """
    found = [] if root is None else [Path(root).expanduser()]
    for base in (data_root(), cache_root()):
        if base is not None:
            found += [base, *(base / folder for folder in folders)]
    return found


def home(root: Name | None, needed: Iterable[str], *folders: str) -> Path | None:
    """The first of `places` that has all the files and folders `needed`, or None."""
    names = list(needed)
    for place in places(root, *folders):
        if all((place / name).exists() for name in names):
            return place
    return None


class Archive(NamedTuple):
    """What a data set downloads: unpacked into `root/into`, or (a plain file) put there."""

    url: str
    md5: str | None
    into: str = ""
    filename: str | None = None
    packed: bool = True


def prepared(
    name: str,
    root: Name | None,
    needed: Iterable[str],
    archives: Iterable[Archive],
    download: bool,
    *folders: str,
) -> Path:
    """The first of `places` that has all that is `needed`; else `archives` are fetched into `root`.

    Raises `DataError` where that is not wanted or did not help.
    """
    names, offers = list(needed), list(archives)
    found = home(root, names, *folders)
    if found is None and download and offers:
        if root is None:
            raise ValueError(f"{name}: download=True needs a root folder to download into")
        for url, md5, into, filename, packed in offers:
            target = Path(root).expanduser() / into
            fetch = download_and_extract_archive if packed else download_url
            fetch(url, target, filename=filename, md5=md5)
        found = home(root, names)
    if found is None:
        raise missing(name, root, names, bool(offers))
    return found


def missing(
    name: str, root: Name | None, needed: Iterable[str], download: bool = True
) -> DataError:
    """The error that says what was looked for where, and what to do."""
    wanted = ", ".join(needed)
    how = "You can use download=True to download it" if download else "It cannot be downloaded"
    return DataError(
        f"Dataset not found or corrupted. {how}.\n{name} needs {wanted} in {root}, or in the "
        "folder that CHAINRULE_DATA names; on a machine without a network, bring the files there."
    )


# Small helpers


def package(name: str, what: str) -> Any:
    """An optional package, or a `RuntimeError` that says what needs it."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError:
        top = name.partition(".")[0]
        raise RuntimeError(f"{top} is not found. {what} needs it: pip install {top}") from None


def list_dir(root: Name, prefix: bool = False) -> list[str]:
    """The folders in a folder."""
    base = os.path.expanduser(os.fspath(root))
    found = [name for name in os.listdir(base) if os.path.isdir(os.path.join(base, name))]
    return [os.path.join(base, name) for name in found] if prefix else found


def list_files(root: Name, suffix: str, prefix: bool = False) -> list[str]:
    """The files in a folder whose names end in `suffix`."""
    base = os.path.expanduser(os.fspath(root))
    found = [
        name
        for name in os.listdir(base)
        if name.endswith(suffix) and os.path.isfile(os.path.join(base, name))
    ]
    return [os.path.join(base, name) for name in found] if prefix else found


def iterable_to_str(iterable: Iterable[Any]) -> str:
    """'a', 'b', 'c'."""
    return "'" + "', '".join(str(item) for item in iterable) + "'"


T = TypeVar("T", str, bytes)


def verify_str_arg(
    value: T,
    arg: str | None = None,
    valid_values: Iterable[T] | None = None,
    custom_msg: str | None = None,
) -> T:
    """`value`, or a `ValueError` where it is no string or none of `valid_values`."""
    if not isinstance(value, str):
        where = "" if arg is None else f" for argument {arg}"
        raise ValueError(f"Expected type str{where}, but got type {type(value)}.")
    allowed = None if valid_values is None else list(valid_values)
    if allowed is not None and value not in allowed:
        raise ValueError(
            custom_msg
            or f"Unknown value '{value}' for argument {arg}. Valid values are "
            f"{{{iterable_to_str(allowed)}}}."
        )
    return value


def _read_pfm(file_name: Name, slice_channels: int = 2) -> Array:
    """A PFM file: float32 (C, H, W), of at most `slice_channels` channels."""
    with open(file_name, "rb") as file:
        header = file.readline().rstrip()
        if header not in (b"PF", b"Pf"):
            raise ValueError("Invalid PFM file")
        size = re.match(rb"^(\d+)\s(\d+)\s$", file.readline())
        if size is None:
            raise ValueError("Malformed PFM header.")
        w, h = (int(number) for number in size.groups())
        scale = float(file.readline().rstrip())
        data = np.fromfile(file, dtype="<f4" if scale < 0 else ">f4")
    planes = data.reshape(h, w, 3 if header == b"PF" else 1).transpose(2, 0, 1)[:, ::-1]
    return planes[:slice_channels].astype(np.float32)


def opened(path: Name) -> IO[bytes]:
    """A file, unpacked on the way where its ending says that it is packed."""
    opener = _OPENERS.get(Path(path).suffix, open)
    file: IO[bytes] = opener(path, "rb")
    return file
