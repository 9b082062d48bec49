"""`save` and `load`: PyTorch's files, in both directions.

`save` writes what `torch.save` writes (`chainrule.io.torch_write`), so PyTorch reads it: tensors,
numbers, strings, None, and containers of these, such as the state dict of a model or an optimiser;
views of one storage stay views of one storage. A whole model is pickled, as PyTorch does it: the
file refers to its class. A path that ends in ".safetensors" gets a safetensors file instead, whose
metadata entry "chainrule" holds what is no tensor:

    {"version": 1, "tree": value}          the grammar of `value` is in `chainrule.io.tree`

A file is written beside its final name, forced to the disk, then renamed: a crash leaves the old
file or the new one, never a half.

`load` reads both, PyTorch's files from before 1.6, and plain safetensors files. It runs no code in
a file: see `weights_only`, and decision 0018.
"""

from __future__ import annotations

import io
import json
import math
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np

from chainrule import dtypes, names
from chainrule.errors import DataError
from chainrule.io.files import atomic
from chainrule.io.torch_file import LEGACY, read_legacy_file, read_torch_file
from chainrule.io.torch_write import write_torch_file
from chainrule.io.tree import Arrays, flatten, unflatten
from chainrule.tensor.handle import from_array

__getattr__ = names.later(__name__)

KEY, VERSION = "chainrule", 1
DEFAULT_PROTOCOL = 2

_DTYPES = {
    "BOOL": dtypes.bool_,
    "U8": dtypes.uint8,
    "I8": dtypes.int8,
    "I16": dtypes.int16,
    "I32": dtypes.int32,
    "I64": dtypes.int64,
    "F16": dtypes.float16,
    "BF16": dtypes.bfloat16,
    "F32": dtypes.float32,
    "F64": dtypes.float64,
    "C64": dtypes.complex64,
}

PathLike = str | os.PathLike[str]


def save(
    obj: Any,
    f: PathLike | IO[bytes],
    pickle_module: Any = None,
    pickle_protocol: int = DEFAULT_PROTOCOL,
    _use_new_zipfile_serialization: bool = True,
    _disable_byteorder_record: bool = False,
) -> None:
    """Write `obj` to a path or to an open binary file, as `torch.save` does.

    pickle_module and the last two are accepted for PyTorch's sake. Raises what pickle raises for
    what it cannot write, such as a function defined inside another; TypeError, with the place, for
    an object in a ".safetensors" file.

    >>> import io
    >>> import chainrule as torch
    >>> file = io.BytesIO()
    >>> save({"epoch": 3, "w": torch.tensor([1.0, 2.0])}, file)
    >>> file.seek(0), load(file)
    (0, {'epoch': 3, 'w': tensor([1., 2.])})
    """
    if not isinstance(f, (str, os.PathLike)):
        if not hasattr(f, "write"):
            raise AttributeError(
                "expected 'f' to be a string, path, or a file-like object with a 'write' attribute"
            )
        content = io.BytesIO()  # an open file may not know its position
        write_torch_file(obj, content, "archive", pickle_protocol)
        f.write(content.getbuffer())
        return
    path = Path(f)
    if not path.parent.is_dir():
        raise RuntimeError(f"Parent directory {path.parent} does not exist.")
    with atomic(path) as file:
        if path.suffix == ".safetensors":
            file.write(_safetensors(obj))
        else:
            write_torch_file(obj, file, path.stem or "archive", pickle_protocol)


def _safetensors(obj: Any) -> bytes:
    from safetensors.numpy import save as safetensors_bytes

    tree, arrays = flatten(obj)
    text = json.dumps({"version": VERSION, "tree": tree}, allow_nan=False)
    contiguous = {name: np.ascontiguousarray(a).reshape(a.shape) for name, a in arrays.items()}
    return safetensors_bytes(contiguous, metadata={KEY: text})


def load(
    f: PathLike | IO[bytes],
    map_location: Any = None,
    pickle_module: Any = None,
    *,
    weights_only: bool | None = None,
    mmap: bool | None = None,
    **pickle_load_args: Any,
) -> Any:
    """Read what `save` or `torch.save` wrote, from a path or an open binary file.

    map_location: the device for the tensors; None, and PyTorch's functions and dictionaries, mean
    the CPU. weights_only: True, also without being given: values only, nothing else is made; a
    file that holds more is refused. False: also objects of chainrule's classes and of modules that
    the program imported, such as a whole model; never anything of Python's library. mmap: True maps
    the file into memory (copy on write) instead of reading it; it needs a path.

    Raises FileNotFoundError; DataError for files of another kind, damaged files, and objects that
    may not be made (it says what to do).
    """
    if isinstance(f, (str, os.PathLike)):
        with open(f, "rb") as file:
            value = _read(file, Path(f) if mmap else None, weights_only is not False)
    else:
        if mmap:
            raise ValueError("load(mmap=True) needs a path, not an open file")
        if not (hasattr(f, "read") and hasattr(f, "seek")):
            raise AttributeError(
                "expected 'f' to be a string, path, or a file-like object with 'read' and 'seek'"
            )
        value = _read(f, None, weights_only is not False)
    if map_location is None or callable(map_location) or isinstance(map_location, Mapping):
        return value
    return _moved(value, map_location)


def _read(file: IO[bytes], mapped: Path | None, weights_only: bool) -> Any:
    start = file.tell()
    head = file.read(16)
    file.seek(start)
    if head.startswith(b"PK\x03\x04"):
        return read_torch_file(file, weights_only, _allowed, mapped)
    if head[8:9] == b"{":
        if mapped is not None:
            pages = np.memmap(mapped, np.uint8, mode="c")
            return _from_safetensors(np.asarray(pages), own=False)
        return _from_safetensors(np.frombuffer(file.read(), np.uint8), own=True)
    if head.startswith(LEGACY):
        return read_legacy_file(file, weights_only, _allowed)
    raise DataError(
        f"neither a safetensors file nor one of torch.save (it begins with {head[:8]!r}). "
        "Is the path right, and the download complete?"
    )


# ---- classes that a program allows ---------------------------------------------------------------

#: By the names that stand in files.
_allowed: dict[str, Any] = {}


def _named(kind: Any) -> tuple[str, Any]:
    if isinstance(kind, tuple):  # (class, the name that stands in the file)
        return str(kind[1]), kind[0]
    return f"{kind.__module__}.{kind.__qualname__}", kind


def add_safe_globals(safe_globals: list[Any]) -> None:
    """Let `load` make objects of these classes, also with weights_only=True."""
    _allowed.update(map(_named, safe_globals))


def get_safe_globals() -> list[Any]:
    """The classes that were allowed."""
    return list(_allowed.values())


def clear_safe_globals() -> None:
    """Allow none."""
    _allowed.clear()


@contextmanager
def safe_globals(safe_globals: list[Any]) -> Iterator[None]:
    """Allow classes until the block ends.

    >>> import io
    >>> from fractions import Fraction
    >>> file = io.BytesIO()
    >>> save(Fraction(1, 3), file)
    >>> with safe_globals([Fraction]):
    ...     file.seek(0), load(file)
    (0, Fraction(1, 3))
    """
    before = dict(_allowed)
    add_safe_globals(safe_globals)
    try:
        yield
    finally:
        _allowed.clear()
        _allowed.update(before)


# ---- safetensors files ---------------------------------------------------------------------------


def _from_safetensors(content: np.ndarray, own: bool) -> Any:
    try:
        arrays, metadata = _parse(content)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(
            f"a damaged safetensors file: {error}. Copy or download it again"
        ) from error
    if own:  # tensors that stay writable, and none of which keeps the whole file in memory
        arrays = {name: array.copy() for name, array in arrays.items()}
    if KEY not in metadata:
        return {name: from_array(array) for name, array in arrays.items()}
    document = json.loads(metadata[KEY])
    if document["version"] > VERSION:
        raise DataError(
            f"the file has format version {document['version']}, this chainrule reads up to "
            f"{VERSION}: upgrade chainrule"
        )
    for name in document.get("pairs", ()):
        arrays[name] = arrays[name].view(np.complex128)[..., 0]
    return unflatten(document["tree"], arrays)


def _parse(content: np.ndarray) -> tuple[Arrays, dict[str, str]]:
    """The arrays, as views of `content`, and the metadata.

    safetensors = u64 n; n bytes of JSON {name: {dtype, shape, data_offsets}, "__metadata__": {str:
    str}}; the data
    """
    length = int(content[:8].view("<u8")[0])
    header = json.loads(content[8 : 8 + length].tobytes())
    data = content[8 + length :]
    metadata = header.pop("__metadata__", {})
    arrays = {}
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        shape = tuple(entry["shape"])
        if entry["dtype"] not in _DTYPES:
            raise DataError(f"{name}: dtype {entry['dtype']} has no counterpart; convert it first")
        dtype = _DTYPES[entry["dtype"]]
        size = math.prod(shape) * dtype.itemsize
        if not 0 <= begin <= end <= data.size or end - begin != size:
            raise ValueError(f"{name}: {size} bytes expected at {begin} to {end} of {data.size}")
        arrays[name] = data[begin:end].view(dtype.np).reshape(shape)
    return arrays, metadata


def _moved(value: Any, device: Any) -> Any:
    if isinstance(value, dict):
        for key in value:
            value[key] = _moved(value[key], device)
        return value
    if isinstance(value, list):
        return [_moved(item, device) for item in value]
    if isinstance(value, tuple):
        return tuple(_moved(item, device) for item in value)
    return value.to(device) if hasattr(value, "to") else value
