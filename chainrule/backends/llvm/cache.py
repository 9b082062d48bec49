"""Object code on disk, so that a program is compiled once per machine and not once per process.

    CHAINRULE_CACHE        the folder (default: the user's cache folder); "off" keeps nothing
    CHAINRULE_CACHE_SIZE   how many MiB may lie there (default 512); the least recently used go

An entry is a file of its own, named by the key of what it holds:

    magic  length  checksum of key and code  code

It is written beside its place and moved there, so that readers see all of it or nothing, whoever
else writes and whenever a process is killed. What does not check (truncated, damaged, foreign, of
another version) is no entry: it is compiled again and overwritten. A folder that cannot be written
costs one warning.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import pathlib
import struct
import time
import warnings
from collections.abc import Iterator

import platformdirs

VARIABLE = "CHAINRULE_CACHE"
SIZE_VARIABLE = "CHAINRULE_CACHE_SIZE"
_MAGIC = b"chainrule code 1"
_HEAD = struct.Struct("<16sQ32s")
_SUFFIX = ".o"
_PARTIAL = ".partial"
#: Seconds: an entry used again within this time keeps its old mark of use; a partial file that is
#: older was left by a process that died.
_FRESH = 3600.0
#: Seconds between two looks at the whole folder, as long as little is written.
_TIDY_EVERY = 86400.0


class CacheWarning(UserWarning):
    """Compiled code cannot be kept: programs run, but every process compiles them anew."""


class Cache:
    """A folder of entries, each found by a key (letters and digits)."""

    def __init__(self, folder: pathlib.Path, limit: int) -> None:
        self.folder = folder
        self.limit = limit
        self._unseen = limit // 8  # bytes that may still be written before the next look around

    def path(self, key: str) -> pathlib.Path:
        """Where the entry of `key` lies, or would lie."""
        return self.folder / key[:2] / f"{key[2:]}{_SUFFIX}"

    def get(self, key: str) -> bytes | None:
        """What was put for `key`, or None: never there, thrown out, or not as it was written."""
        path = self.path(key)
        try:
            with open(path, "rb") as file:
                entry = file.read()
                used = os.fstat(file.fileno()).st_mtime
        except OSError:
            return None
        code = entry[_HEAD.size :]
        if entry[: _HEAD.size] != _head(key, code):
            return None
        if time.time() - used > _FRESH:
            with contextlib.suppress(OSError):  # a read-only folder keeps its marks
                os.utime(path)
        return code

    def put(self, key: str, code: bytes) -> None:
        """Keep `code` for `key`. Failing to costs one warning per process."""
        path = self.path(key)
        partial = path.with_name(f"{key[2:]}.{os.getpid()}.{time.time_ns()}{_PARTIAL}")
        try:
            # Code that others may change is code that others may run as us: the folder is private.
            path.parent.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            path.parent.mkdir(exist_ok=True, mode=0o700)
            with open(partial, "xb") as file:
                file.write(_head(key, code) + code)
            os.replace(partial, path)
        except OSError as error:
            with contextlib.suppress(OSError):  # it may never have come into being
                os.unlink(partial)
            _warn(self.folder, error)
            return
        self._unseen -= len(code) + _HEAD.size
        if self._unseen < 0 or self._neglected():
            self.tidy()

    def tidy(self) -> None:
        """Throw out the least recently used beyond three quarters of the limit, if it is passed."""
        self._unseen = self.limit // 8
        entries, size, now = [], 0, time.time()
        for file in self._files():
            with contextlib.suppress(OSError):  # another process may tidy at the same time
                found = file.stat()
                if file.name.endswith(_PARTIAL):
                    if now - found.st_mtime > _FRESH:
                        os.unlink(file.path)
                elif file.name.endswith(_SUFFIX):
                    entries.append((found.st_mtime, found.st_size, file.path))
                    size += found.st_size
        if size <= self.limit:
            return
        for _, length, path in sorted(entries):
            with contextlib.suppress(OSError):
                os.unlink(path)
                size -= length
            if size <= self.limit * 3 // 4:
                break

    def _files(self) -> Iterator[os.DirEntry[str]]:
        with contextlib.suppress(OSError), os.scandir(self.folder) as folders:
            for folder in folders:
                with contextlib.suppress(OSError), os.scandir(folder.path) as files:
                    yield from files

    def _neglected(self) -> bool:
        """Whether nobody has looked at the whole folder for a day; we are the one that does now."""
        stamp = self.folder / "tidied"
        try:
            if time.time() - stamp.stat().st_mtime < _TIDY_EVERY:
                return False
        except OSError:
            pass  # the first to come
        with contextlib.suppress(OSError):  # without the stamp we look once more than needed
            stamp.touch()
        return True


def _head(key: str, code: bytes) -> bytes:
    check = hashlib.blake2b(code, digest_size=32, key=key.encode()[:64]).digest()
    return _HEAD.pack(_MAGIC, len(code), check)


_warned = False


def _warn(folder: pathlib.Path, error: OSError) -> None:
    global _warned
    if _warned:
        return
    _warned = True
    warnings.warn(
        f"compiled code cannot be kept in {folder} ({error.strerror or error}): programs run, but "
        f"every process compiles them anew. Set {VARIABLE} to a folder that can be written, "
        f"or to off.",
        CacheWarning,
        stacklevel=2,
    )


_caches: dict[tuple[str, str], Cache | None] = {}


def cache() -> Cache | None:
    """The cache that the environment names now, or None if it is off."""
    place, size = os.environ.get(VARIABLE, ""), os.environ.get(SIZE_VARIABLE, "")
    if (place, size) not in _caches:
        _caches[place, size] = _open(place, size)
    return _caches[place, size]


def _open(place: str, size: str) -> Cache | None:
    if place.lower() in ("off", "0", "none"):
        return None
    root = pathlib.Path(place or platformdirs.user_cache_dir("chainrule")).expanduser()
    mebibytes = int(size) if size.isdigit() else 512
    return Cache(root / "code", mebibytes << 20)
