"""`get_file`: a file from the web, once; checked, and unpacked if it is an archive."""

from __future__ import annotations

import hashlib
import os
import secrets
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from chainrule.datasets.fetch import CHUNK, TIMEOUT, cache_root, data_root
from chainrule.errors import DataError
from chainrule.training.messages import print_msg
from chainrule.training.progress import Progbar


class CorruptFileError(DataError, ValueError):
    """A file does not have the hash that it should have."""


def get_file(
    fname: str | os.PathLike[str] | None = None,
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

    It is looked for in `cache_dir` (else `KERAS_HOME`, else our cache), and where other programs
    may have put it: in `CHAINRULE_DATA` and in Keras's own cache. With `extract` (or `untar`) the
    result is the path of the folder that it was unpacked into. A download appears under its name
    only when it is complete and its hash (if one is given) is right: else CorruptFileError, a
    ValueError. Raises DataError where there is no network.
    """
    if origin is None:
        raise ValueError('Please specify the "origin" argument (URL of the file to download).')
    if md5_hash is not None and file_hash is None:
        file_hash, hash_algorithm = md5_hash, "md5"
    name = os.fspath(fname) if fname else os.path.basename(urlsplit(origin).path)
    if not name:
        raise ValueError(
            f"Can't parse the file name from the origin provided: '{origin}'. Please specify the "
            "`fname` argument."
        )
    if os.sep in name:
        raise ValueError(
            "Paths are no longer accepted as the `fname` argument. To specify the file's parent "
            f"directory, use the `cache_dir` argument. Received: fname={name}"
        )
    folder = _home(cache_dir) / cache_subdir
    unpacked = folder / name
    target = folder / name
    if (extract or untar) and fname and "." in name:
        unpacked = folder / f"{name.partition('.')[0]}_extracted"
    elif extract or untar:
        target = folder / f"{name}_archive"
    found = None if force_download else _find(target, cache_subdir, file_hash, hash_algorithm)
    fresh = found is None
    if found is None:
        folder.mkdir(parents=True, exist_ok=True)
        print_msg(f"Downloading data from {origin}")
        _download(origin, target, file_hash, hash_algorithm)
        found = target
    if not (extract or untar):
        return str(found)
    if fresh or not unpacked.exists():
        folder.mkdir(parents=True, exist_ok=True)
        if not extract_archive(found, unpacked, "tar" if untar else archive_format):
            warnings.warn(f"{found}: Could not extract archive.", stacklevel=2)
    return str(unpacked)


def _home(cache_dir: Any) -> Path:
    chosen = cache_dir or os.environ.get("KERAS_HOME")
    return Path(chosen).expanduser() if chosen else cache_root() / "keras"


def _find(target: Path, subdir: str, digest: str | None, algorithm: str) -> Path | None:
    """The file, where its hash is right (a file of another program counts only with a hash)."""
    if target.is_file():
        if digest is None or validate_file(target, digest, algorithm):
            return target
        print_msg(
            f"A local file was found, but it seems to be incomplete or outdated because the "
            f"{algorithm} file hash does not match the original value of {digest} so we will "
            "re-download the data."
        )
    filled = data_root()
    others = [Path.home() / ".keras" / subdir / target.name]
    if filled is not None:
        others = [filled / subdir / target.name, filled / target.name, *others]
    for path in others if digest is not None and not os.path.isabs(subdir) else ():
        if path.is_file() and validate_file(path, digest or "", algorithm):
            return path
    return None


def _download(origin: str, target: Path, expected: str | None, algorithm: str) -> None:
    import urllib.request  # with the network's modules: 20 ms that other programs need not wait
    from urllib.error import URLError

    part = target.with_name(f".{target.name}.{secrets.token_hex(4)}.part")
    try:
        with (
            urllib.request.urlopen(origin, timeout=TIMEOUT) as source,
            part.open("wb") as file,
        ):
            for block in _shown(source):
                file.write(block)
        if expected and not validate_file(part, expected, algorithm):
            raise CorruptFileError(
                f"Incomplete or corrupted file detected. The {algorithm} file hash does not match "
                f"the provided value of {expected}: {origin} has changed, or was damaged on the way"
            )
        os.replace(part, target)
    except (URLError, OSError) as error:
        raise DataError(
            f"URL fetch failure on {origin}: {error}. Without a network, put the file at {target}"
        ) from error
    finally:
        part.unlink(missing_ok=True)


def _shown(source: Any) -> Iterator[bytes]:
    """The blocks of a download, with progress."""
    length = source.headers.get("Content-Length")
    bar, done = Progbar(int(length) if length else None), 0
    while block := source.read(CHUNK):
        yield block
        done += len(block)
        bar.update(done)


# hashes -------------------------------------------------------------------------------------------


def resolve_hasher(algorithm: str, file_hash: str | None = None) -> Any:
    """A fresh SHA-256, or MD5; "auto" sees it from the length of the hash."""
    long = algorithm == "auto" and file_hash is not None and len(file_hash) == 64
    return hashlib.sha256() if algorithm == "sha256" or long else hashlib.md5()


def hash_file(path: Any, algorithm: Any = "sha256", chunk_size: int = 65535) -> str:
    """The hash of a file, as hexadecimal digits. `algorithm`: a name, or a hasher."""
    hasher = resolve_hasher(algorithm) if isinstance(algorithm, str) else algorithm
    with open(path, "rb") as file:
        while chunk := file.read(chunk_size):
            hasher.update(chunk)
    digest: str = hasher.hexdigest()
    return digest


def validate_file(
    path: Any, file_hash: str, algorithm: str = "auto", chunk_size: int = 65535
) -> bool:
    """Whether a file has this hash."""
    hasher = resolve_hasher(algorithm, file_hash)
    return hash_file(path, hasher, chunk_size) == file_hash.lower()


# archives -----------------------------------------------------------------------------------------


def path_to_string(path: Any) -> Any:
    """A path as a text; anything else as it is."""
    return os.fspath(path) if isinstance(path, os.PathLike) else path


def resolve_path(path: Any) -> str:
    """Absolute, and without links."""
    return os.path.realpath(path)


def resolve_sub_path(base_dir: str, relative_path: str) -> str | None:
    """The path below `base_dir` (resolved), or None if it leads out of it.

    >>> resolve_sub_path("/data", "../etc/passwd") is None
    True
    """
    path = resolve_path(os.path.join(base_dir, relative_path))
    return path if os.path.commonpath([path, base_dir]) == base_dir else None


def is_link_in_dir(info: Any, base_dir: str) -> bool:
    """Whether a link of a tar archive stays in the folder, and points into it."""
    place = resolve_sub_path(base_dir, info.name)
    if place is None:
        return False
    # A hard link names a member of the archive, a symbolic one is relative to its own folder.
    start = base_dir if info.islnk() else os.path.dirname(place)
    return resolve_sub_path(base_dir, os.path.join(start, info.linkname)) is not None


def filter_safe_tarinfos(members: Iterable[Any], base_dir: Any) -> Iterator[Any]:
    """The members of a tar archive that stay in the folder; a warning for each other."""
    base = resolve_path(base_dir)
    for info in members:
        linked = info.issym() or info.islnk()
        if is_link_in_dir(info, base) if linked else resolve_sub_path(base, info.name) is not None:
            yield info
        else:
            warnings.warn(
                f"Skipping invalid path during archive extraction: '{info.name}'.", stacklevel=2
            )


def extract_archive(file_path: Any, path: Any = ".", archive_format: Any = "auto") -> bool:
    """Unpack a tar or zip archive; whether it was one of `archive_format` ("auto": of either).

    Nothing is written outside of `path`. The folder appears when all of it is there.
    """
    import tarfile
    import zipfile

    kinds = ["tar", "zip"] if archive_format == "auto" else archive_format or []
    for kind in [kinds] if isinstance(kinds, str) else kinds:
        if kind == "tar" and tarfile.is_tarfile(file_path):
            with tarfile.open(file_path) as tar:
                _unpack(tar, path)
            return True
        if kind == "zip" and zipfile.is_zipfile(file_path):
            with zipfile.ZipFile(file_path) as packed:
                _unpack(packed, path)
            return True
        if kind not in ("tar", "zip"):
            raise NotImplementedError(f"archives are 'tar' or 'zip', not {kind!r}")
    return False


def _unpack(archive: Any, path: Any) -> None:
    """Unpack beside, then rename: a folder that exists is complete."""
    import shutil

    folder = Path(path)
    fresh = not folder.exists()
    beside = folder.with_name(f".{folder.name}.{secrets.token_hex(4)}") if fresh else folder
    try:
        if hasattr(archive, "getmembers"):
            members = list(filter_safe_tarinfos(archive.getmembers(), beside))
            archive.extractall(beside, members=members, filter="data")
        else:
            archive.extractall(beside)  # zipfile itself leaves out what leads out
        if fresh:
            os.replace(beside, folder)
    finally:
        if fresh:
            shutil.rmtree(beside, ignore_errors=True)
