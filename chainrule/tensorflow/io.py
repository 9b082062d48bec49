"""`tf.io`: files as strings, strings as arrays."""

from __future__ import annotations

import base64
import glob as _glob
import json
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np

from chainrule.data.elements import as_type
from chainrule.data.errors import NotFoundError
from chainrule.names import later
from chainrule.strings import StringTensor, as_strings
from chainrule.tensor import Tensor, fromdata
from chainrule.tensorflow.image import (
    decode_and_crop_jpeg,
    decode_bmp,
    decode_gif,
    decode_image,
    decode_jpeg,
    decode_png,
    encode_jpeg,
    encode_png,
)


def _path(name: Any) -> Path:
    return Path(str(as_strings(str(name) if hasattr(name, "__fspath__") else name).text().item()))


def read_file(filename: Any, name: str | None = None) -> StringTensor:
    """The content of a file."""
    try:
        return StringTensor(_path(filename).read_bytes())
    except FileNotFoundError as error:
        raise NotFoundError(f"{_path(filename)}; No such file or directory") from error


def write_file(filename: Any, contents: Any, name: str | None = None) -> None:
    """Make a file with this content, and the folders that it needs."""
    path = _path(filename)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(as_strings(contents).array.item())


def matching_files(pattern: Any, name: str | None = None) -> StringTensor:
    """The names of the files that fit a pattern."""
    patterns = as_strings(pattern).text().reshape(-1).tolist()
    return StringTensor(np.array(sorted(f for p in patterns for f in _glob.glob(p)), object))


def decode_raw(
    input_bytes: Any,
    out_type: Any,
    little_endian: bool = True,
    fixed_length: Any = None,
    name: str | None = None,
) -> Tensor:
    """Bytes as numbers."""
    wanted = as_type(out_type).np.newbyteorder("<" if little_endian else ">")
    array = as_strings(input_bytes).array
    rows = [np.frombuffer(b, wanted) for b in array.reshape(-1).tolist()]
    return fromdata.from_owned(
        np.stack(rows).reshape(*array.shape, -1).astype(as_type(out_type).np)
    )


def encode_base64(input: Any, pad: bool = False, name: str | None = None) -> StringTensor:
    """Bytes in letters that addresses can hold."""
    return as_strings(input).map(
        lambda b: base64.urlsafe_b64encode(b).rstrip(b"=" if not pad else b"")
    )


def decode_base64(input: Any, name: str | None = None) -> StringTensor:
    """Bytes out of the letters that `encode_base64` gave."""
    return as_strings(input).map(lambda b: base64.urlsafe_b64decode(b + b"=" * (-len(b) % 4)))


def decode_json_example(json_examples: Any, name: str | None = None) -> Any:
    """JSON as Python's values."""
    return json.loads(as_strings(json_examples).text().item())


def serialize_tensor(tensor: Any, name: str | None = None) -> StringTensor:
    """A tensor as bytes, for `parse_tensor` here (not TensorFlow's own form)."""
    array = np.ascontiguousarray(tensor.detach()._concrete())
    head = json.dumps([array.dtype.name, list(array.shape)]).encode()
    return StringTensor(len(head).to_bytes(4, "little") + head + array.tobytes())


def parse_tensor(serialized: Any, out_type: Any, name: str | None = None) -> Tensor:
    """The tensor of which `serialize_tensor` made bytes."""
    content = as_strings(serialized).array.item()
    end = 4 + int.from_bytes(content[:4], "little")
    kind, shape = json.loads(content[4:end])
    return fromdata.from_owned(np.frombuffer(content[end:], np.dtype(kind)).reshape(shape).copy())


class gfile:
    """`tf.io.gfile`: files of this machine."""

    GFile = staticmethod(open)

    @staticmethod
    def exists(path: Any) -> bool:
        return _path(path).exists()

    @staticmethod
    def isdir(path: Any) -> bool:
        return _path(path).is_dir()

    @staticmethod
    def glob(pattern: Any) -> list[str]:
        """The names that fit a pattern or several."""
        patterns = pattern if isinstance(pattern, list | tuple) else [pattern]
        return sorted(f for p in patterns for f in _glob.glob(str(p)))

    @staticmethod
    def listdir(path: Any) -> list[str]:
        return sorted(p.name for p in _path(path).iterdir())

    @staticmethod
    def mkdir(path: Any) -> None:
        _path(path).mkdir()

    @staticmethod
    def makedirs(path: Any) -> None:
        _path(path).mkdir(parents=True, exist_ok=True)

    @staticmethod
    def remove(path: Any) -> None:
        _path(path).unlink()

    @staticmethod
    def rmtree(path: Any) -> None:
        shutil.rmtree(_path(path))

    @staticmethod
    def copy(src: Any, dst: Any, overwrite: bool = False) -> None:
        """A copy of a file; an existing one is replaced only if `overwrite`."""
        if _path(dst).exists() and not overwrite:
            raise FileExistsError(f"{dst} exists; pass overwrite=True")
        shutil.copyfile(_path(src), _path(dst))

    @staticmethod
    def rename(src: Any, dst: Any, overwrite: bool = False) -> None:
        """Another name for a file."""
        if _path(dst).exists() and not overwrite:
            raise FileExistsError(f"{dst} exists; pass overwrite=True")
        _path(src).replace(_path(dst))

    @staticmethod
    def walk(top: Any) -> Any:
        """`(folder, folders, files)` below a folder."""
        return os.walk(_path(top))

    @staticmethod
    def stat(path: Any) -> Any:
        return _path(path).stat()


__getattr__ = later(
    __name__,
    missing=dict.fromkeys(
        ("TFRecordWriter", "TFRecordOptions", "parse_single_example", "parse_example",
         "FixedLenFeature", "VarLenFeature", "FixedLenSequenceFeature", "RaggedFeature"),
        "files of TFRecords are not read here; turn them into arrays once (np.savez)",
    ),
)  # fmt: skip
__all__ = [
    "decode_and_crop_jpeg", "decode_bmp", "decode_gif", "decode_image", "decode_jpeg",
    "decode_png", "encode_jpeg", "encode_png",
]  # fmt: skip
