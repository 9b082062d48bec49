"""Reading PyTorch's .pt and .pth files as data, without running them.

    file.pt  =  zip( name/data.pkl, name/data/0, name/data/1, …, name/byteorder )
    older    =  pickle(magic) pickle(version) pickle(system) pickle(value) pickle([key*])
                (i64 count, numbers)*, one for each key

`data.pkl` is a program for Python's pickle machine, which could call any function. Here a machine
of our own reads it (`chainrule.io.machine`): of names it knows those that build tensors
(`chainrule.io.rebuild`). Everything else, such as a pickled module, is refused, unless the program
asks for it by `weights_only=False`; then `chainrule.io.objects` reads the file.
"""

from __future__ import annotations

import math
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import numpy as np

from chainrule.errors import DataError
from chainrule.io import objects
from chainrule.io.machine import Machine
from chainrule.io.rebuild import Block, Rebuild

#: Bytes that are read at once: they stay in a cache until they are copied.
_PART = 1 << 20

#: How the older kind of file begins: a pickled number.
LEGACY = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."


def read_torch_file(
    file: IO[bytes],
    weights_only: bool = True,
    allowed: dict[str, Any] | None = None,
    mapped: Path | None = None,
) -> Any:
    """The value in a file that `torch.save` wrote.

    weights_only: only values; False: also objects of chainrule's classes and of the program's own.
    allowed: further classes, by name. mapped: the file's path, if its numbers are to be mapped
    into memory (copy on write) instead of read.

    Raises DataError for objects that may not be made, for a damaged file, and for element types
    that do not exist here.
    """
    rebuild = Rebuild()
    rebuild.allowed = dict(allowed or {})
    try:
        with zipfile.ZipFile(file) as archive:
            return _read_zip(archive, rebuild, weights_only, mapped)
    except DataError:
        raise
    except objects.NotAllowed as error:
        raise DataError(str(error)) from None
    except Exception as error:  # a damaged file can fail anywhere in the zip reader
        if not weights_only and not isinstance(error, (zipfile.BadZipFile, EOFError, KeyError)):
            raise  # a class of the program failed
        raise DataError(f"a damaged file: {error!r}. Copy or download it again") from error


def _read_zip(
    archive: zipfile.ZipFile, rebuild: Rebuild, weights_only: bool, mapped: Path | None
) -> Any:
    names = archive.namelist()
    program = [name for name in names if name.endswith("/data.pkl") or name == "data.pkl"]
    if len(program) != 1:
        raise DataError("a zip file without data.pkl: not written by torch.save")
    folder = program[0].removesuffix("data.pkl")
    if f"{folder}constants.pkl" in names:
        raise DataError(
            "a TorchScript archive (torch.jit.save) holds code. Save the values instead: "
            "torch.save(module.state_dict(), 'weights.pt')"
        )
    content = archive.read(program[0])
    machine = _machine(rebuild)
    value = machine.run(content) if weights_only else objects.unpickled(content, rebuild)
    order = folder + "byteorder"
    swapped = order in names and archive.read(order) == b"big"

    def bytes_of(block: Block) -> np.ndarray:
        name = f"{folder}data/{block.key}"
        if mapped is not None and not swapped:
            return _mapped(mapped, archive.getinfo(name))
        raw = np.empty(archive.getinfo(name).file_size, np.uint8)
        with archive.open(name) as entry:
            at = 0
            while at < raw.size and (part := entry.read(_PART)):
                raw[at : at + len(part)] = np.frombuffer(part, np.uint8)
                at += len(part)
        if at < raw.size:
            raise DataError("the file ends early. Copy or download it again")
        if swapped:
            raw = np.ascontiguousarray(raw.reshape(-1, block.dtype.itemsize)[:, ::-1]).reshape(-1)
        return raw

    rebuild.fill(bytes_of)
    return value


def _mapped(path: Path, info: zipfile.ZipInfo) -> np.ndarray:
    """The bytes of an entry that is stored as it is, as pages of the file."""
    if info.compress_type != zipfile.ZIP_STORED:
        raise DataError("load(mmap=True) needs a file whose numbers are not compressed")
    with open(path, "rb") as file:
        file.seek(info.header_offset + 26)  # lengths of the name and of what follows it
        name, extra = (int.from_bytes(file.read(2), "little") for _ in range(2))
    start = info.header_offset + 30 + name + extra
    if info.file_size == 0:
        return np.empty(0, np.uint8)
    pages = np.memmap(path, np.uint8, mode="c", offset=start, shape=(info.file_size,))
    return np.asarray(pages)


def _machine(rebuild: Rebuild) -> Machine:
    return Machine(rebuild.named, rebuild.make, rebuild.build, rebuild.stored)


# ---- before PyTorch 1.6 --------------------------------------------------------------------------


def read_legacy_file(
    file: IO[bytes], weights_only: bool = True, allowed: dict[str, Any] | None = None
) -> Any:
    """The value in a file of torch.save from before PyTorch 1.6 (or with
    _use_new_zipfile_serialization=False).
    """
    rebuild = Rebuild()
    rebuild.allowed = dict(allowed or {})
    views: dict[str, tuple[str, int, int]] = {}
    try:
        for _ in range(3):  # magic number, version of the protocol, the writer's machine
            _machine(rebuild).run(file)
        if weights_only:
            machine = _machine(rebuild)
            machine.stored = _with_views(rebuild, views)
            value = machine.run(file)
        else:
            value = objects.unpickled(file, rebuild)
        keys = _machine(rebuild).run(file)
        arrays = {}
        for key in keys:
            block = rebuild.blocks[str(key)]
            count = int.from_bytes(file.read(8), "little", signed=True)
            data = file.read(count * block.dtype.itemsize)
            if len(data) != count * block.dtype.itemsize:
                raise DataError("the file ends early. Copy or download it again")
            arrays[str(key)] = np.frombuffer(bytearray(data), np.uint8)
    except DataError:
        raise
    except objects.NotAllowed as error:
        raise DataError(str(error)) from None
    except Exception as error:
        raise DataError(f"a damaged file: {error!r}. Copy or download it again") from error

    def bytes_of(block: Block) -> np.ndarray:
        if block.key in views:
            root, offset, size = views[block.key]
            step = block.dtype.itemsize
            return arrays[root][offset * step : (offset + size) * step]
        return arrays[block.key]

    rebuild.fill(bytes_of)
    return value


def _with_views(rebuild: Rebuild, views: dict[str, tuple[str, int, int]]) -> Callable[[Any], Block]:
    """Storages that are parts of others, as old files have them."""

    def stored(identity: Any) -> Block:
        block = rebuild.stored(identity)
        part = identity[5] if len(identity) > 5 else None
        if part is None:
            return block
        key, offset, size = part
        whole = math.inf if size is None else size
        if not (isinstance(offset, int) and offset >= 0 and whole >= 0):
            raise DataError("a damaged file: a part of a storage that cannot be")
        name = f"{block.key}:{key}"
        if name not in rebuild.blocks:
            rebuild.blocks[name] = Block(block.dtype, name)
            views[name] = (block.key, offset, size)
        return rebuild.blocks[name]

    return stored
