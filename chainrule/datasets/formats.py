"""The data sets' file formats: IDX, and pickles read without running what they ask for."""

from __future__ import annotations

import gzip
import math
import pickle
import zipfile
import zlib
from pathlib import Path
from typing import IO, Any

import numpy as np

from chainrule.errors import DataError

Array = np.ndarray[Any, np.dtype[Any]]

_IDX_UNSIGNED_BYTE = 0x08


def read_bytes(path: Path) -> bytes:
    """The content of `path`, unpacked where it ends in `.gz`."""
    try:
        packed = path.read_bytes()
        return _unpacked(packed) if path.suffix == ".gz" else packed
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path} cannot be read: {error}") from error


def _unpacked(packed: bytes) -> bytes:
    """What a gzip file contains. Its last four bytes say how long that is, so that it can be
    unpacked at one place: two thirds of the time. A file of several parts takes the long way.
    """
    size = int.from_bytes(packed[-4:], "little")
    if 0 < size < 1100 * len(packed):  # gzip packs no better than 1 : 1032
        content = zlib.decompress(packed, zlib.MAX_WBITS | 16, size)
        if len(content) == size:
            return content
    return gzip.decompress(packed)


def read_idx(path: Path) -> Array:
    """The array of unsigned bytes in an IDX file, packed with gzip or not.

    The format (LeCun): two zero bytes, the element type (8 = unsigned byte), the number of axes,
    then the length of every axis as a big-endian 32-bit integer, then the elements, last axis
    fastest.
    """
    data = read_bytes(path)
    if len(data) < 4 or data[:2] != b"\0\0" or data[2] != _IDX_UNSIGNED_BYTE:
        raise DataError(
            f"{path} is not an IDX file of unsigned bytes: it begins with {data[:4].hex(' ')!r}, "
            "expected '00 00 08 ..'"
        )
    axes = data[3]
    start = 4 + 4 * axes
    shape = tuple(int.from_bytes(data[i : i + 4], "big") for i in range(4, start, 4))
    expected = math.prod(shape)
    if len(data) - start != expected:
        raise DataError(
            f"{path} is cut or padded: its header promises shape {shape}, {expected:,} bytes, and "
            f"{len(data) - start:,} follow"
        )
    return np.frombuffer(data, dtype=np.uint8, offset=start).reshape(shape).copy()


# Pickles


def _encode_latin1(text: str, encoding: str) -> bytes:
    """What `_codecs.encode` is used for in the pickles of Python 2 arrays, and nothing else."""
    if encoding not in ("latin1", "latin-1"):
        raise pickle.UnpicklingError(f"encoding {encoding!r} is not allowed")
    return text.encode("latin1")


# NumPy 1 kept these in numpy.core, NumPy 2 in numpy._core: ask it where they are.
_reconstruct: Any = np.array(0).__reduce__()[0]
_scalar: Any = np.int64(0).__reduce__()[0]

_frombuffer: Any = np.array(0).__reduce_ex__(5)[0]

_ALLOWED: dict[tuple[str, str], Any] = {
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
    ("numpy.core.multiarray", "_reconstruct"): _reconstruct,
    ("numpy._core.multiarray", "_reconstruct"): _reconstruct,
    ("numpy.core.multiarray", "scalar"): _scalar,
    ("numpy._core.multiarray", "scalar"): _scalar,
    ("numpy.core.numeric", "_frombuffer"): _frombuffer,
    ("numpy._core.numeric", "_frombuffer"): _frombuffer,
    ("_codecs", "encode"): _encode_latin1,
}


class _ArrayUnpickler(pickle.Unpickler):
    """Builds lists, dictionaries, numbers, strings and NumPy arrays, and refuses to call anything
    else.

    A pickle is a program. `numpy.load(allow_pickle=True)` runs it as it is; here the only functions
    that it can name are those that NumPy itself needs to restore an array.
    """

    def find_class(self, module: str, name: str) -> Any:
        try:
            return _ALLOWED[module, name]
        except KeyError:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}") from None


def load_pickle(stream: IO[bytes], origin: str) -> Any:
    """The lists, dictionaries and arrays in a pickle. Raises `DataError` where it asks for anything
    else.
    """
    try:
        return _ArrayUnpickler(stream, encoding="latin1").load()
    except (
        pickle.UnpicklingError,
        EOFError,
        ValueError,
        TypeError,
        IndexError,
        KeyError,
        AttributeError,
    ) as error:
        raise DataError(f"{origin} is not a pickle of plain arrays: {error}") from error


def read_npz(path: Path, keys: tuple[str, ...]) -> dict[str, Array]:
    """The arrays `keys` of a NumPy `.npz`; arrays of Python objects are read by the restricted
    unpickler above.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            names = set(archive.namelist())
            missing = [key for key in keys if f"{key}.npy" not in names]
            if missing:
                raise DataError(
                    f"{path} has no array {missing[0]!r}; expected {', '.join(keys)}; it holds "
                    f"{', '.join(sorted(name.removesuffix('.npy') for name in names))}"
                )
            result = {}
            for key in keys:
                with archive.open(f"{key}.npy") as stream:
                    result[key] = _read_npy(stream, f"{path}[{key}]")
            return result
    except (OSError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise DataError(f"{path} is not a readable .npz: {error}") from error


def _read_npy(stream: IO[bytes], origin: str) -> Array:
    try:
        version = np.lib.format.read_magic(stream)
        read_header = (
            np.lib.format.read_array_header_1_0
            if version == (1, 0)
            else np.lib.format.read_array_header_2_0
        )
        shape, fortran, dtype = read_header(stream)
    except ValueError as error:
        raise DataError(f"{origin} is not a NumPy array: {error}") from error
    if dtype.hasobject:
        array = load_pickle(stream, origin)
        if not isinstance(array, np.ndarray) or array.shape != shape:
            raise DataError(f"{origin} does not hold the object array of shape {shape} it promises")
        return array
    count = int(np.prod(shape, dtype=np.int64))
    data = stream.read()
    if len(data) != count * dtype.itemsize:
        raise DataError(f"{origin} promises {count * dtype.itemsize:,} bytes and has {len(data):,}")
    flat = np.frombuffer(data, dtype=dtype)
    array = flat.reshape(shape[::-1]).T if fortran else flat.reshape(shape)
    return array.copy()
