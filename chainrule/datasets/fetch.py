"""Where a data file comes from: the user's folder, the cache, or a mirror, in this order.

    CHAINRULE_DATA   a folder that the user fills; it is read and never written
    the cache        the user's cache folder (platformdirs); written by downloads only
    mirrors          tried one after the other; CHAINRULE_MIRROR names one to try first

Nothing is used before its SHA-256 is right. A download is written beside its target as `….part`,
flushed to the disk and renamed in one step, so that neither Ctrl-C nor a full disk nor a second
process can leave half a file under the real name.
"""

from __future__ import annotations

import contextlib
import errno
import gzip
import hashlib
import os
import secrets
import time
import warnings
import zlib
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING

from chainrule._version import __version__
from chainrule.errors import DataError

if TYPE_CHECKING:
    from rich.console import Console

# What only a download needs is imported where it is used: a program whose data are at hand should
# not wait for the modules of the network and of the progress bar (50 ms).

#: The environment variable with the folder that the user fills.
DATA_VARIABLE = "CHAINRULE_DATA"
#: The environment variable with the address of a mirror to try first: `<address>/<folder>/<name>`.
MIRROR_VARIABLE = "CHAINRULE_MIRROR"

CHUNK = 1 << 16  # bytes
TIMEOUT = 20.0  # seconds without a single byte
WINDOW = 30.0  # seconds over which a mirror must send …
SLOWEST = 1024  # … this many bytes per second, or the next mirror is tried
STALE = 3600.0  # seconds after which a `.part` that nobody writes to is what a killed process left


class DataWarning(UserWarning):
    """What the user should know about a data set: a damaged cache, a part instead of the whole."""


@dataclass(frozen=True)
class DataFile:
    """A file of a data set: what it is called, how it is recognised, who has it.

    `folder/name` is its place under `CHAINRULE_DATA` and in the cache; `elsewhere` lists other
    places where the layouts of torchvision and Keras put it. `content` is the SHA-256 of what a
    `.gz` contains, so that an unpacked or newly packed copy is recognised as well. Where nobody
    published a SHA-256 it is empty and `md5` says what is right (an unpacked copy is then taken as
    it is); `size` is 0 where it is not known.
    """

    folder: str
    name: str
    sha256: str
    size: int  # bytes
    mirrors: tuple[str, ...]
    content: str | None = None
    elsewhere: tuple[str, ...] = field(default=())
    md5: str = ""

    @property
    def expected(self) -> str:
        """What a good copy is recognised by."""
        size = [f"{self.size:,} bytes"] if self.size else []
        return ", ".join([*size, *([f"{self.method} {self.digest}"] if self.digest else [])])

    @property
    def digest(self) -> str:
        """The published checksum; empty where there is none."""
        return self.sha256 or self.md5

    @property
    def method(self) -> str:
        """The way to compute it."""
        return "sha256" if self.sha256 else "md5"

    @property
    def key(self) -> str:
        return f"{self.folder}/{self.name}"

    def places(self, root: Path) -> Iterator[Path]:
        """Every path under `root` where this file is looked for, the usual one first."""
        for place in (self.key, *self.elsewhere):
            yield root / place
            unpacked = self.content is not None or not self.sha256
            if unpacked and place.endswith(".gz"):
                yield root / place.removesuffix(".gz")


def data_root() -> Path | None:
    """The folder of `CHAINRULE_DATA`, or None where the variable is unset or empty.

    Raises `DataError` where it names something that is not a folder: a typing error should not end
    in a download.
    """
    value = os.environ.get(DATA_VARIABLE, "")
    if not value:
        return None
    root = Path(value).expanduser()
    if not root.is_dir():
        raise DataError(
            f"{DATA_VARIABLE} is {value!r}, which is not a folder; set it to the folder that "
            "holds the data sets "
            "(such as mnist/train-images-idx3-ubyte.gz), or unset it"
        )
    return root


def cache_root() -> Path:
    """The folder where downloads are kept."""
    import platformdirs

    return platformdirs.user_cache_path("chainrule") / "data"


def fetch(
    file: DataFile,
    *,
    root: Path | None = None,
    into: Path | None = None,
    download: bool = True,
    progress: bool = True,
) -> Path:
    """The path of a checked copy of `file`, downloaded if there is none.

    `root` is a folder to search before all others (torchvision's `root`); `into` is where a
    download goes, the cache by default. With `download=False` a missing file is a `DataError` at
    once.
    """
    target = into if into is not None else cache_root() / file.key
    found = find(file, root=root, replaceable=target if download else None)
    if found is not None:
        return found
    if not download:
        raise DataError(f"{file.key} is not here, and download is off.\n{_advice(file, target)}")
    _download(file, target, progress=progress)
    return target


def retrieve(
    mirrors: tuple[str, ...],
    target: Path,
    *,
    md5: str = "",
    folder: str = "",
    progress: bool = True,
) -> None:
    """Write a checked copy of what `mirrors` offer to `target`: whole, or not at all.

    `folder` is where the advice for machines without a network says that the file may lie under
    `CHAINRULE_DATA`. Raises `DataError` where no mirror has it.
    """
    file = DataFile(folder or target.parent.name, target.name, "", 0, mirrors, md5=md5)
    _download(file, target, progress=progress)


def find(
    file: DataFile, *, root: Path | None = None, replaceable: Path | None = None
) -> Path | None:
    """The first checked copy in `root`, `CHAINRULE_DATA` and the cache, or None.

    A damaged copy is a `DataError`, except in the cache and at `replaceable`, which a download may
    overwrite: there it is a `DataWarning`.
    """
    cached = cache_root()
    for place in (root, data_root(), cached):
        if place is None:
            continue
        for path in file.places(place):
            if not path.is_file():
                continue
            problem = damage(file, path)
            if problem is None:
                return path
            if replaceable is not None and (path == replaceable or place == cached):
                warnings.warn(
                    f"{path} is damaged ({problem}): fetching it again", DataWarning, stacklevel=3
                )
                continue
            raise DataError(
                f"{path} is damaged: {problem}. Expected {file.expected}. "
                "Replace it, or remove it so that another copy is looked for."
            )
    return None


def is_here(file: DataFile) -> bool:
    """Whether a copy lies where one is looked for, good or not."""
    roots = (data_root(), cache_root())
    return any(path.is_file() for root in roots if root is not None for path in file.places(root))


_checked: dict[
    Path, tuple[int, int, str]
] = {}  # path → (mtime, size, file's sha256) of a good copy


def damage(file: DataFile, path: Path) -> str | None:
    """What is wrong with the copy at `path`, or None where its checksum is right."""
    try:
        status = path.stat()
        mark = (status.st_mtime_ns, status.st_size, file.digest)
        if _checked.get(path) == mark:
            return None
        with path.open("rb") as stream:
            digest = _digest(stream, file.method)
        whole = path.suffix == Path(file.name).suffix
        wanted = file.digest if whole else file.content
        good = digest == wanted or not file.digest or (wanted is None and not file.sha256)
        if not good and file.content is not None and path.suffix == ".gz":
            with gzip.open(path) as unpacked:  # perhaps the same bytes, packed by somebody else
                good = _digest(unpacked) == file.content
    except PermissionError:
        raise DataError(f"{path} may not be read by this user: check its permissions") from None
    except (OSError, EOFError, zlib.error) as error:
        return f"it cannot be read: {error}"
    if not good:
        return f"its {file.method} is {digest}, and it has {status.st_size:,} bytes"
    _checked[path] = mark
    return None


def _digest(stream: IO[bytes] | gzip.GzipFile, method: str = "sha256") -> str:
    digest = hashlib.new(method, usedforsecurity=method != "md5")
    while block := stream.read(1 << 20):
        digest.update(block)
    return digest.hexdigest()


# Downloading


class _MirrorError(Exception):
    """This mirror failed; the next one may do better."""


def _download(file: DataFile, target: Path, *, progress: bool) -> None:
    """Write a checked copy of `file` to `target`, from the first mirror that has one."""
    own = os.environ.get(MIRROR_VARIABLE, "").rstrip("/")
    mirrors = (*([f"{own}/{file.key}"] if own else []), *file.mirrors)
    failures: list[str] = []
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _sweep(target)
        for mirror in mirrors:
            try:
                _copy(file, mirror, target, progress=progress)
                return
            except _MirrorError as failure:
                failures.append(f"  {mirror}: {failure}")
    except OSError as error:
        raise DataError(_disk_message(file, target, error)) from error
    tried = "\n".join(failures) or "  (it has no mirror)"
    raise DataError(f"{file.key} could not be downloaded:\n{tried}\n{_advice(file, target)}")


def _copy(file: DataFile, mirror: str, target: Path, *, progress: bool) -> None:
    """One attempt. Raises `_MirrorError` for what the mirror did, `OSError` for our disk."""
    part = target.with_name(f"{target.name}.{os.getpid()}-{secrets.token_hex(4)}.part")
    try:
        shown = _shown(_blocks(mirror, file.size), file, progress)
        with part.open("xb") as out, contextlib.closing(shown) as blocks:
            digest = hashlib.new(file.method, usedforsecurity=file.method != "md5")
            received = 0
            for block in blocks:
                digest.update(block)
                received += len(block)
                out.write(block)
            if file.digest and digest.hexdigest() != file.digest:
                raise _MirrorError(
                    f"sent {received:,} bytes with {file.method} {digest.hexdigest()}; expected "
                    f"{file.expected}"
                )
            out.flush()
            os.fsync(out.fileno())
        _rename(part, target, file)
    finally:
        part.unlink(missing_ok=True)  # nothing is left there after a rename


def _rename(part: Path, target: Path, file: DataFile) -> None:
    try:
        part.replace(target)
    except PermissionError:
        # Windows refuses to replace a file that a second process, which was quicker, is reading.
        if target.is_file() and damage(file, target) is None:
            return
        raise
    if os.name == "posix":  # the new name itself must reach the disk
        folder = os.open(target.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _blocks(mirror: str, size: int) -> Iterator[bytes]:
    """The body of `mirror` in pieces; every fault of the network becomes a `_MirrorError`."""
    import http.client
    import urllib.request
    from urllib.error import HTTPError, URLError

    request = urllib.request.Request(mirror, headers={"User-Agent": f"chainrule/{__version__}"})
    received, start, mark = 0, time.monotonic(), 0
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT) as response:
            while block := response.read1(CHUNK):
                received += len(block)
                if size and received > size:
                    raise _MirrorError(f"sent more than the expected {size:,} bytes")
                yield block
                if (elapsed := time.monotonic() - start) > WINDOW:
                    if received - mark < SLOWEST * elapsed:
                        raise _MirrorError(
                            f"sent only {received - mark:,} bytes in {elapsed:.0f} s"
                        )
                    start, mark = time.monotonic(), received
            expected = response.headers.get("Content-Length")
    except HTTPError as error:
        error.close()
        raise _MirrorError(f"HTTP {error.code} {error.reason}") from error
    except URLError as error:
        raise _MirrorError(str(error.reason)) from error
    except TimeoutError as error:
        raise _MirrorError(f"no answer for {TIMEOUT:.0f} s") from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise _MirrorError(f"{type(error).__name__}: {error}") from error
    if expected is not None and received < int(expected):
        raise _MirrorError(f"broke off after {received:,} of {int(expected):,} bytes")


def _shown(blocks: Iterator[bytes], file: DataFile, progress: bool) -> Generator[bytes, None, None]:
    """The same blocks, with a progress bar on standard error where that is a terminal."""
    console = terminal() if progress else None
    if console is None:
        yield from blocks
        return
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(file.key, total=file.size or None)
        for block in blocks:
            bar.advance(task, len(block))
            yield block


def terminal() -> Console | None:
    """Standard error, where somebody looks at it."""
    from rich.console import Console

    console = Console(stderr=True)
    return console if console.is_terminal else None


def _sweep(target: Path) -> None:
    """Remove the `.part` files that killed processes left (a live one keeps being written)."""
    for part in target.parent.glob(f"{target.name}.*.part"):
        with contextlib.suppress(FileNotFoundError):  # a second process sweeps as well
            if time.time() - part.stat().st_mtime > STALE:
                part.unlink()


#: The disk or the user's share of it is full (Windows knows no quota error).
_FULL = {errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)}


def _disk_message(file: DataFile, target: Path, error: OSError) -> str:
    if error.errno in _FULL:
        return (
            f"no room for {file.key} ({file.expected}) in {target.parent}: {error.strerror}. "
            "Free some, or set "
            f"{DATA_VARIABLE} to a folder that holds {file.key}."
        )
    return (
        f"{file.key} cannot be written to {target.parent}: {error.strerror or error}. Make that "
        "folder writable, or "
        f"set {DATA_VARIABLE} to a folder that holds {file.key}."
    )


def _advice(file: DataFile, target: Path) -> str:
    """What to do without a network."""
    root = data_root()
    where = f"{root / file.key}" if root else f"<folder>/{file.key}, with {DATA_VARIABLE}=<folder>"
    return (
        "To go on without a network, bring the file from a machine that has one "
        f"({file.expected or file.name}) and put it at\n  {where}\n  or {target}\n"
        f"or set {MIRROR_VARIABLE} to the address of a mirror that you can reach. "
        "chainrule.datasets.load_digits() needs no file."
    )
