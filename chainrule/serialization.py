"""`save` and `load`: checkpoints that run no code when they are read.

What can be saved: tensors, numbers, strings, None, and lists, tuples, sets and dicts of these: the
state dict of a model, of an optimiser, an epoch number, a history.

Our files are safetensors files (the tensors, readable by every safetensors reader) whose metadata
entry "chainrule" holds the rest:

    {"version": 1, "tree": value,          the grammar of `value` is in `chainrule.io.tree`
     "pairs"?: [name*]}                    complex128 tensors, stored as pairs of float64

A file is written beside its final name, forced to the disk, then renamed: a crash leaves the old
file or the new one, never a half.

`load` also reads plain safetensors files (as a dict of tensors) and the files of `torch.save` that
hold values (`chainrule.io.torch_file`).
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np
from safetensors.numpy import save as safetensors_bytes

from chainrule import dtypes
from chainrule.errors import DataError
from chainrule.io.files import atomic
from chainrule.io.torch_file import read_torch_file
from chainrule.io.tree import Arrays, flatten, unflatten
from chainrule.tensor.handle import from_array

KEY, VERSION = "chainrule", 1
_LEGACY_TORCH = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."

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


def save(obj: Any, f: PathLike | IO[bytes]) -> None:
    """Write `obj` to a path or to an open binary file.

    Raises TypeError for a module, an optimiser or another object (save its `state_dict()`).

    >>> import io
    >>> import chainrule as torch
    >>> file = io.BytesIO()
    >>> save({"epoch": 3, "w": torch.tensor([1.0, 2.0])}, file)
    >>> file.seek(0), load(file)
    (0, {'epoch': 3, 'w': tensor([1., 2.])})
    """
    tree, arrays = flatten(obj)
    contiguous = {name: np.ascontiguousarray(a).reshape(a.shape) for name, a in arrays.items()}
    pairs = [name for name, a in contiguous.items() if a.dtype == np.complex128]
    for name in pairs:  # which safetensors does not know
        contiguous[name] = contiguous[name][..., None].view(np.float64)
    document = {"version": VERSION, "tree": tree, **({"pairs": pairs} if pairs else {})}
    text = json.dumps(document, allow_nan=False)
    content = safetensors_bytes(contiguous, metadata={KEY: text})
    if isinstance(f, (str, os.PathLike)):
        with atomic(Path(f)) as file:
            file.write(content)
    else:
        f.write(content)


def load(
    f: PathLike | IO[bytes],
    map_location: Any = None,
    weights_only: bool = True,
    mmap: bool | None = None,
) -> Any:
    """Read what `save` or `torch.save` wrote, from a path or an open binary file. No code in the
    file is ever run.

    map_location: the device for the tensors; None, and PyTorch's functions and dictionaries, mean
    the CPU. weights_only: accepted for PyTorch's sake; False gives a file no more rights. mmap:
    True maps our own files into memory (copy on write) instead of reading them; it needs a path.

    Raises FileNotFoundError; DataError for files of another kind, damaged files, and pickled
    modules (it says how to re-save these).
    """
    if isinstance(f, (str, os.PathLike)):
        with open(f, "rb") as file:
            value = _read(file, Path(f) if mmap else None)
    else:
        if mmap:
            raise ValueError("load(mmap=True) needs a path, not an open file")
        value = _read(f, None)
    if map_location is None or callable(map_location) or isinstance(map_location, Mapping):
        return value
    return _moved(value, map_location)


def _read(file: IO[bytes], mapped: Path | None) -> Any:
    start = file.tell()
    head = file.read(16)
    file.seek(start)
    if head.startswith(b"PK\x03\x04"):
        return read_torch_file(file)
    if head[8:9] == b"{":
        if mapped is not None:
            pages = np.memmap(mapped, np.uint8, mode="c")
            return _from_safetensors(np.asarray(pages), own=False)
        return _from_safetensors(np.frombuffer(file.read(), np.uint8), own=True)
    if head.startswith(_LEGACY_TORCH):
        raise DataError(
            "a file of torch.save from before PyTorch 1.6, which only pickle can read. Load it "
            "once in PyTorch and save it again: torch.save(torch.load(f), f)"
        )
    raise DataError(
        f"neither a safetensors file nor one of torch.save (it begins with {head[:8]!r}). "
        "Is the path right, and the download complete?"
    )


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
