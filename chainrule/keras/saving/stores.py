"""Where arrays and assets of a file lie: HDF5, a set of HDF5 files, NumPy's archive, a folder.

A store has groups by path ("layers/dense"), and a group is a small dict of arrays. What a file
claims is checked before memory is given to it: no links out of the file, no array that is far
larger than what is stored of it.
"""

from __future__ import annotations

import io
import json
import math
import os
import shutil
import tempfile
import warnings
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
from numpy.lib import format as npy_format

from chainrule.tensor import Tensor

#: A declared size beyond this floor and this multiple of what is stored is no honest file.
_H5_DATASET_BOMB_FLOOR_BYTES = 1 << 32
_H5_DATASET_MAX_EXPANSION = 1000
_NPZ_MEMBER_BOMB_FLOOR_BYTES = 1 << 32
_NPZ_MEMBER_MAX_EXPANSION = 100
_ZIP_MEMBER_BOMB_FLOOR_BYTES = 1 << 32
_ZIP_MEMBER_MAX_EXPANSION = 100
_ZIP_EXTRACT_BOMB_FLOOR_BYTES = 1 << 28


def h5py_module() -> Any:
    """The package h5py. Raises ImportError that says how to get it."""
    try:
        import h5py
    except ImportError as error:
        raise ImportError(
            "files of Keras (.keras, .weights.h5, .h5) are HDF5 inside, which needs h5py: "
            "pip install h5py, or pip install 'chainrule[keras]'"
        ) from error
    return h5py


def as_array(value: Any) -> np.ndarray:
    """The values; those of bfloat16 too, which `Tensor.numpy` refuses."""
    if isinstance(value, Tensor):
        return value.numpy() if hasattr(value, "refresh") else value.detach()._concrete()
    return np.asarray(value)


def _size(count: float) -> str:
    return f"{count / 2**30:.2f} GB" if count >= 2**30 else f"{count / 2**20:.2f} MB"


# HDF5 ---------------------------------------------------------------------------------------------


def safe_get_h5_group(parent: Any, name: str) -> Any:
    """The group of that path inside the same file. Raises KeyError where there is none, ValueError
    for a link.
    """
    h5py = h5py_module()
    current = parent
    for part in name.split("/"):
        if not part:
            raise ValueError(f"Invalid path in H5 file: {name}")
        _refuse_link(h5py, current, part, name)
        current = current[part]
        if not isinstance(current, h5py.Group):
            raise ValueError(f"Invalid H5 file, expected Group but received {type(current)}")
    return current


def safe_get_h5_dataset(group: Any, name: str) -> Any:
    """The data set of that path inside the same file: no link, not external, not virtual, and not
    a few bytes that claim to be gigabytes.
    """
    h5py = h5py_module()
    if "/" in name:
        path, _, name = name.rpartition("/")
        group = safe_get_h5_group(group, path)
    _refuse_link(h5py, group, name, name)
    dataset = group[name]
    if not isinstance(dataset, h5py.Dataset):
        raise ValueError(f"Invalid H5 file, expected Dataset, received {type(dataset)}")
    if dataset.external:
        raise ValueError(f"Not allowed: H5 file with external Dataset: {dataset.external}")
    if dataset.is_virtual:
        raise ValueError("Not allowed: H5 file with virtual Dataset")
    declared = math.prod(dataset.shape) * dataset.dtype.itemsize
    stored = dataset.id.get_storage_size()
    if declared > _H5_DATASET_BOMB_FLOOR_BYTES and declared > _H5_DATASET_MAX_EXPANSION * stored:
        raise ValueError(
            f"Not allowed: H5 dataset '{name}' declares {_size(declared)} but only {_size(stored)} "
            "are stored on disk; refusing to load a potential decompression/shape bomb."
        )
    return dataset


def _refuse_link(h5py: Any, group: Any, part: str, name: str) -> None:
    if part not in group:
        raise KeyError(name)
    kind = group.get(part, default=None, getclass=True, getlink=True)
    if kind in (h5py.ExternalLink, h5py.SoftLink):
        raise ValueError(f"Not allowed: H5 file with {kind.__name__}")


def read_dataset(dataset: Any) -> np.ndarray:
    """The values of a data set; bfloat16 is written as plain bytes with a note beside it."""
    if dataset.attrs.get("dtype") == "bfloat16":
        return np.array(dataset).view(ml_dtypes.bfloat16).reshape(dataset.shape)
    return np.array(dataset)


class H5Group:
    """The arrays under one path of a store; the group itself is made by the first of them."""

    def __init__(self, store: H5IOStore, path: str, group: Any = None) -> None:
        self.store, self.path, self.group = store, path, group

    def _made(self) -> Any:
        if self.group is None:
            self.group = self.store.new_group(self.path)
        return self.group

    def __len__(self) -> int:
        return len(self.keys())

    def keys(self) -> Any:
        return () if self.group is None else self.group.keys()

    def __iter__(self) -> Iterator[str]:
        return iter(self.keys())

    def __contains__(self, key: object) -> bool:
        return self.group is not None and key in self.group

    def __getitem__(self, key: str) -> np.ndarray:
        if self.group is None:
            raise KeyError(key)
        return read_dataset(safe_get_h5_dataset(self.group, key))

    def __setitem__(self, key: str, value: Any) -> None:
        if self.store.mode not in ("w", "a"):
            raise ValueError("Setting a value is only allowed in write mode.")
        write_dataset(self._made(), key, value)

    def __delitem__(self, key: str) -> None:
        if self.store.mode not in ("w", "a"):
            raise ValueError("Deleting a value is only allowed in write mode.")
        del self._made()[key]


def write_dataset(group: Any, key: str, value: Any) -> None:
    array = as_array(value)
    if array.dtype == ml_dtypes.bfloat16:
        group.create_dataset(key, data=array).attrs["dtype"] = "bfloat16"
    else:
        group[key] = array


class H5IOStore:
    """Arrays in one HDF5 file; `archive` says that the file lies in a zip archive."""

    def __init__(self, path_or_io: Any, archive: Any = None, mode: str = "r") -> None:
        if mode not in ("w", "r"):
            raise ValueError(f"`mode` should be either 'w' or 'r'. Received: {mode}")
        if isinstance(path_or_io, io.IOBase):
            if archive is not None:
                raise ValueError(
                    "When `path_or_io` is an `io.BytesIO` object, `archive` should be `None`."
                )
        elif not isinstance(path_or_io, str | Path):
            raise TypeError(
                "`path_or_io` should be a `str`, `pathlib.Path` or `io.BytesIO` object. Received: "
                f"path_or_io={path_or_io} of type {type(path_or_io)}."
            )
        self.path_or_io, self.archive, self.mode = path_or_io, archive, mode
        self._memory: io.BytesIO | None = None
        source = path_or_io
        if archive is not None:
            read = b"" if mode == "w" else _safe_zip_read(archive, str(path_or_io))
            source = self._memory = io.BytesIO(read)
        self.h5_file = h5py_module().File(source, mode=mode)

    def __bool__(self) -> bool:
        return bool(self.h5_file)

    def make(self, path: str, metadata: Any = None) -> H5Group:
        """A group to write into."""
        if self.mode != "w":
            raise ValueError("`make` is only allowed in write mode.")
        if not isinstance(metadata, dict | None):
            raise ValueError(f"`metadata` should be a dict or `None`. Received: {metadata}")
        group = None
        if metadata:
            group = self.new_group(path)
            for key, value in metadata.items():
                group.attrs[key] = value
        return H5Group(self, path, group)

    def new_group(self, path: str) -> Any:
        parent = self.h5_file.require_group(path) if path else self.h5_file
        return parent.require_group("vars")

    def get(self, path: str) -> H5Group:
        """A group to read from; empty where the file has none."""
        if self.mode != "r":
            raise ValueError("`get` is only allowed in read mode.")
        for wanted in (path, path.replace("layers", "_layer_checkpoint_dependencies")):
            inside = f"{wanted}/vars" if wanted else "vars"
            if inside in self.h5_file:
                return H5Group(self, path, safe_get_h5_group(self.h5_file, inside))
        return H5Group(self, path)

    def has_path(self, path: str) -> bool:
        return path in self.h5_file

    def close(self) -> None:
        self.h5_file.close()
        if self.mode == "w" and self.archive is not None and self._memory is not None:
            self.archive.writestr(str(self.path_or_io), self._memory.getvalue())


class ShardedGroup:
    """The arrays under one path of a set of files."""

    def __init__(self, store: ShardedH5IOStore, path: str) -> None:
        self.store, self.path = store, path

    @property
    def _name(self) -> str:
        return f"/{self.path}/vars" if self.path else "/vars"

    def _groups(self) -> Iterator[Any]:
        for filename in self.store.files_of(self._name):
            found = self.store.shard(filename).get(self._name)
            if found is not None:
                yield found

    def keys(self) -> list[str]:
        return [key for group in self._groups() for key in group]

    def __len__(self) -> int:
        return len(self.keys())

    def __iter__(self) -> Iterator[str]:
        return iter(self.keys())

    def __contains__(self, key: object) -> bool:
        return any(key in group for group in self._groups())

    def _group_with(self, key: str) -> Any:
        for group in self._groups():
            if key in group:
                return group
        files = self.store.files_of(self._name)
        raise KeyError(f"Key '{key}' not found in any of the shards: {files}")

    def __getitem__(self, key: str) -> np.ndarray:
        return read_dataset(safe_get_h5_dataset(self._group_with(key), key))

    def __delitem__(self, key: str) -> None:
        del self._group_with(key)[key]

    def __setitem__(self, key: str, value: Any) -> None:
        self.store.write(self._name, key, as_array(value))


class ShardedH5IOStore:
    """Arrays in HDF5 files of at most `max_shard_size` GiB each, and a map in `name.json`."""

    def __init__(
        self, path_or_io: Any, max_shard_size: float = 5, archive: Any = None, mode: str = "r"
    ) -> None:
        if mode not in ("w", "r"):
            raise ValueError(f"`mode` should be either 'w' or 'r'. Received: {mode}")
        if not isinstance(path_or_io, str | Path):
            raise TypeError(
                "`path_or_io` should be a `str`, `pathlib.Path` object. "
                f"Received: path_or_io={path_or_io} of type {type(path_or_io)}."
            )
        self.path, self.mode = Path(path_or_io), mode
        if self.path.suffix != ".json":
            renamed = self.path.with_suffix(".json")
            warnings.warn(
                f"sharded weights have a map of the extension `*.json`: {self.path} will be "
                f"{renamed}",
                stacklevel=2,
            )
            self.path = renamed
        self.max_shard_size = float(max_shard_size) * 2**30
        self.base_name = self.path.stem.replace(".weights", "")
        self._files: dict[str, Any] = {}
        self._filled = 0.0
        self.sharding_config: dict[str, Any] = {"metadata": {"total_size": 0}, "weight_map": {}}
        if mode == "r":
            self.sharding_config = json.loads(self.path.read_text())
        else:
            self._current = self._shard_name(0)
            self.shard(self._current)

    def _shard_name(self, index: int) -> str:
        return f"{self.base_name}_{index:05}.weights.h5"

    def shard(self, filename: str) -> Any:
        """The open file of that name, beside the map."""
        if Path(filename).name != filename:
            raise ValueError(f"a shard lies beside its map, not at {filename!r}")
        if filename not in self._files:
            self._files[filename] = h5py_module().File(self.path.with_name(filename), self.mode)
        return self._files[filename]

    def files_of(self, name: str) -> list[str]:
        found = self.sharding_config["weight_map"].get(name, [])
        return [found] if isinstance(found, str) else list(found)

    def make(self, path: str, metadata: Any = None) -> ShardedGroup:
        group = ShardedGroup(self, path)
        if metadata:
            made = self.shard(self._current).require_group(group._name)
            for key, value in metadata.items():
                made.attrs[key] = value
        return group

    def get(self, path: str) -> ShardedGroup:
        return ShardedGroup(self, path)

    def has_path(self, path: str) -> bool:
        """Whether any shard has a group under `path`."""
        return any(
            name == f"/{path}" or name.startswith(f"/{path}/")
            for name in self.sharding_config["weight_map"]
        )

    def write(self, name: str, key: str, array: np.ndarray) -> None:
        if array.nbytes > self.max_shard_size:
            raise ValueError(
                f"The size of {key} is {_size(array.nbytes)} which exceeds the maximum shard size "
                f"{_size(self.max_shard_size)}. You can increase the `max_shard_size` parameter to "
                "accommodate the size."
            )
        if self._filled + array.nbytes > self.max_shard_size:
            self._current, self._filled = self._shard_name(len(self._files)), 0.0
        self._filled += array.nbytes
        self.sharding_config["metadata"]["total_size"] += array.nbytes
        write_dataset(self.shard(self._current).require_group(name), key, array)
        files = self.files_of(name)
        if self._current not in files:
            files.append(self._current)
        # As Keras has it: one name, or a list of them.
        self.sharding_config["weight_map"][name] = files[0] if len(files) == 1 else files

    def close(self) -> None:
        for file in self._files.values():
            file.close()
        self._files = {}
        if self.mode == "w":
            self.path.write_text(json.dumps(self.sharding_config, indent=4))


# NumPy's archive ----------------------------------------------------------------------------------


class NpzIOStore:
    """Arrays in NumPy's own archive. Nothing pickled is read."""

    def __init__(self, root_path: Any, archive: Any = None, mode: str = "r") -> None:
        self.root_path, self.archive, self.mode = root_path, archive, mode
        self.contents: Any = {}
        if mode == "r":
            data = Path(root_path).read_bytes() if archive is None else archive.read(str(root_path))
            self.contents = np.load(io.BytesIO(data), allow_pickle=False)

    def make(self, path: str, metadata: Any = None) -> dict[str, Any]:
        return self.contents.setdefault(path or "__root__", {})

    def get(self, path: str) -> dict[str, Any]:
        prefix = f"{path or '__root__'}/vars/"
        names = [name for name in self.contents if name.startswith(prefix)]
        if not names and path in self.contents:
            self._check(path)
            return self.contents[path].tolist()
        for name in names:
            self._check(name)
        return {name.removeprefix(prefix): self.contents[name] for name in names}

    def _check(self, name: str) -> None:
        """Refuse an array that claims to be far larger than what is stored."""
        archive = self.contents.zip
        info = archive.getinfo(f"{name}.npy")
        with archive.open(info) as member:
            version = npy_format.read_magic(member)
            read = (
                npy_format.read_array_header_1_0
                if version == (1, 0)
                else npy_format.read_array_header_2_0
            )
            shape, _, dtype = read(member)
        declared = math.prod(shape) * dtype.itemsize
        if declared > _NPZ_MEMBER_BOMB_FLOOR_BYTES and declared > _NPZ_MEMBER_MAX_EXPANSION * max(
            info.compress_size, 1
        ):
            raise ValueError(
                f"Refusing to load npz weight '{name}': its header declares {_size(declared)} but "
                f"only {_size(info.compress_size)} is stored on disk; refusing to load a potential "
                "decompression bomb."
            )

    def has_path(self, path: str) -> bool:
        return path in self.contents

    def close(self) -> None:
        if self.mode == "r":
            self.contents.close()
            return
        flat: Any = {
            f"{path}/vars/{key}": as_array(value)
            for path, group in self.contents.items()
            for key, value in group.items()
        }
        if self.archive is None:
            np.savez(self.root_path, **flat)
            return
        with self.archive.open(str(self.root_path), "w", force_zip64=True) as file:
            np.savez(file, **flat)


# Zip archives and assets --------------------------------------------------------------------------


def _reject_zip_bomb(archive: zipfile.ZipFile, name: str) -> None:
    info = archive.getinfo(name)
    if (
        info.file_size > _ZIP_MEMBER_BOMB_FLOOR_BYTES
        and info.file_size > _ZIP_MEMBER_MAX_EXPANSION * info.compress_size
    ):
        raise ValueError(
            f"Not allowed: ZIP member '{name}' declares {_size(info.file_size)} but only "
            f"{_size(info.compress_size)} are stored on disk; refusing to load a potential "
            "decompression bomb."
        )


def _safe_zip_read(archive: zipfile.ZipFile, name: str) -> bytes:
    """A member's bytes, unless it claims to be far larger than what is stored of it."""
    _reject_zip_bomb(archive, name)
    return archive.read(name)


class DiskIOStore:
    """Files that layers write themselves (vocabularies), in a folder or in a zip archive."""

    def __init__(self, root_path: str, archive: Any = None, mode: str | None = None) -> None:
        self.root_path, self.archive, self.mode = str(root_path), archive, mode
        self.tmp_dir: str | None = None
        if archive is None and mode == "r":
            self.working_dir = self.root_path
            return
        self.tmp_dir = tempfile.mkdtemp()
        self.working_dir = os.path.join(self.tmp_dir, self.root_path)
        os.makedirs(self.working_dir, exist_ok=True)
        if archive is not None and mode == "r":
            self._extract()

    def _extract(self) -> None:
        for info in self.archive.infolist():
            if not info.filename.startswith(f"{self.root_path}/"):
                continue
            if (
                info.file_size > _ZIP_EXTRACT_BOMB_FLOOR_BYTES
                and info.file_size > _ZIP_MEMBER_MAX_EXPANSION * info.compress_size
            ):
                self.close()
                raise ValueError(
                    f"Not allowed: archive member '{info.filename}' declares "
                    f"{_size(info.file_size)} but only {_size(info.compress_size)} are stored on "
                    "disk; refusing to extract a potential decompression bomb."
                )
            self.archive.extract(info, self.tmp_dir)  # zipfile keeps it inside the folder

    def _full_path(self, path: str) -> str:
        """`path` below the folder of the assets. Raises ValueError for one that leaves it."""
        path = path.replace("\\", "/")
        root = os.path.realpath(self.working_dir)
        full = os.path.realpath(os.path.join(root, path))
        if os.path.commonpath([root, full]) != root:
            raise ValueError(f"Invalid asset path: '{path}' escapes the asset directory.")
        return full

    def make(self, path: str) -> str:
        """A folder to write into."""
        if not path:
            return self.working_dir
        full = self._full_path(path)
        os.makedirs(full, exist_ok=True)
        return full

    def get(self, path: str) -> str | None:
        """A folder to read from, or None."""
        if not path:
            return self.working_dir
        full = self._full_path(path)
        return full if os.path.exists(full) else None

    def has_path(self, path: str) -> bool:
        try:
            return os.path.exists(self._full_path(path))
        except ValueError:
            return False

    def close(self) -> None:
        """Write what there is into the archive, and remove the temporary folder."""
        if self.mode == "w" and self.archive is not None:
            for folder, _, names in os.walk(self.working_dir):
                for name in names:
                    full = os.path.join(folder, name)
                    inside = os.path.relpath(full, self.working_dir).replace(os.sep, "/")
                    self.archive.write(full, f"{self.root_path}/{inside}")
        if self.tmp_dir is not None:
            shutil.rmtree(self.tmp_dir, ignore_errors=True)
