"""`.keras`: a zip archive with the architecture (config.json), the weights and the optimizer's
state (model.weights.h5) and the layers' own files (assets); and weights alone (`.weights.h5`).

A file is there whole or not at all: it is written beside its name and renamed when it is complete.
"""

from __future__ import annotations

import contextlib
import datetime
import io
import json
import warnings
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from chainrule.io.files import atomic
from chainrule.keras.registry import ObjectSharingScope, from_config, to_config
from chainrule.keras.release import __version__ as keras_version
from chainrule.keras.saving.state import Reader, Writer
from chainrule.keras.saving.stores import (
    DiskIOStore,
    H5IOStore,
    NpzIOStore,
    ShardedH5IOStore,
    _reject_zip_bomb,
    _safe_zip_read,
    h5py_module,
)

_CONFIG_FILENAME = "config.json"
_METADATA_FILENAME = "metadata.json"
_VARS_FNAME_H5 = "model.weights.h5"
_VARS_FNAME_NPZ = "model.weights.npz"
_ASSETS_DIRNAME = "assets"


def describe(model: Any) -> tuple[str, str]:
    """The model's architecture and the file's metadata, as JSON."""
    with ObjectSharingScope():
        config = to_config(model)
    now = datetime.datetime.now().strftime("%Y-%m-%d@%H:%M:%S")
    return json.dumps(config), json.dumps({"keras_version": keras_version, "date_saved": now})


def from_description(
    config: str | bytes, custom_objects: Any, *, compile: bool, safe_mode: bool
) -> Any:
    """The model that `describe` wrote, without its weights."""
    data = json.loads(config)
    if not compile:
        data["compile_config"] = None
    with ObjectSharingScope():
        return from_config(data, custom_objects, safe_mode=safe_mode)


# writing ------------------------------------------------------------------------------------------


def save_model(model: Any, filepath: Any, weights_format: str = "h5", zipped: bool = True) -> None:
    """Write the model to a `.keras` file, to a file object, or (`zipped=False`) into a folder."""
    if weights_format not in ("h5", "npz"):
        raise ValueError(
            f"Unknown `weights_format` argument. Expected 'h5' or 'npz'. Received: {weights_format}"
        )
    if weights_format == "h5":
        h5py_module()
    if not model.built:
        warnings.warn(
            "You are saving a model that has not yet been built. It might not contain any weights "
            "yet. Consider building the model first by calling it on some data.",
            stacklevel=4,
        )
    if isinstance(filepath, io.IOBase):
        _write_zip(model, filepath, weights_format)
        return
    path = Path(filepath)
    if zipped != (path.suffix == ".keras"):
        raise ValueError(
            f"Invalid `filepath` argument: expected a `.keras` extension. Received: {filepath}"
            if zipped
            else f"With `zipped=False`, the folder's name should not end in `.keras`: {filepath}"
        )
    if zipped:
        with atomic(path) as file:
            _write_zip(model, file, weights_format)
    else:
        _write_folder(model, path, weights_format)


def _write_zip(model: Any, file: Any, weights_format: str) -> None:
    config, metadata = describe(model)
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(_METADATA_FILENAME, metadata)
        archive.writestr(_CONFIG_FILENAME, config)
        name = _VARS_FNAME_H5 if weights_format == "h5" else _VARS_FNAME_NPZ
        kind: Any = H5IOStore if weights_format == "h5" else NpzIOStore
        weights = kind(name, archive=archive, mode="w")
        assets = DiskIOStore(_ASSETS_DIRNAME, archive=archive, mode="w")
        try:
            Writer(weights, assets).write(model)
        except BaseException:
            weights.archive = None  # nothing half-written gets into the archive
            if weights_format == "h5":
                weights.close()
            assets.archive = None
            assets.close()
            raise
        weights.close()
        assets.close()


def _write_folder(model: Any, folder: Path, weights_format: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    config, metadata = describe(model)
    for name, text in ((_METADATA_FILENAME, metadata), (_CONFIG_FILENAME, config)):
        with atomic(folder / name) as file:
            file.write(text.encode())
    (folder / _ASSETS_DIRNAME).mkdir(exist_ok=True)
    assets = DiskIOStore(str(folder / _ASSETS_DIRNAME), mode="r")  # in place, not by an archive
    name = _VARS_FNAME_H5 if weights_format == "h5" else _VARS_FNAME_NPZ
    with atomic(folder / name) as file:
        if weights_format == "h5":
            _write_h5(model, file, assets)
        else:
            store = NpzIOStore(file, mode="w")
            Writer(store, assets).write(model)
            store.close()


def _write_h5(model: Any, file: Any, assets: Any = None, skip: Any = ()) -> None:
    memory = io.BytesIO()
    store = H5IOStore(memory, mode="w")
    try:
        Writer(store, assets, skip).write(model)
    finally:
        store.close()
    file.write(memory.getbuffer())


def save_weights_only(
    model: Any, filepath: Any, max_shard_size: float | None = None, objects_to_skip: Any = None
) -> None:
    """Write the weights to `name.weights.h5`, or to files of at most `max_shard_size` GiB and a map
    `name.weights.json`.
    """
    _require_built(model, "saving")
    name = str(filepath)
    if max_shard_size is None:
        if not name.endswith(".weights.h5"):
            raise ValueError(f"The filename must end in `.weights.h5`. Received: filepath={name}")
        with atomic(Path(filepath)) as file:
            _write_h5(model, file, skip=objects_to_skip or ())
        return
    if not name.endswith(("weights.h5", "weights.json")):
        raise ValueError(
            "The filename must end in `.weights.json` when `max_shard_size` is specified. "
            f"Received: filepath={name}"
        )
    store = ShardedH5IOStore(filepath, max_shard_size, mode="w")
    Writer(store, None, objects_to_skip or ()).write(model)
    store.close()


def _require_built(model: Any, what: str) -> None:
    if not model.built:
        what = "saving a model" if what == "saving" else "loading weights into a model"
        raise ValueError(
            f"You are {what} that has not yet been built. Try building the model first by calling "
            "it on some data or by using `build()`."
        )


# reading ------------------------------------------------------------------------------------------


def load_model(
    filepath: Any, custom_objects: Any = None, compile: bool = True, safe_mode: bool = True
) -> Any:
    """The model of a `.keras` file, of a file object, or of a folder that was written unzipped."""
    if isinstance(filepath, io.IOBase):
        return _read_zip(filepath, custom_objects, compile, safe_mode)
    path = Path(filepath)
    if path.is_dir() and (path / _CONFIG_FILENAME).is_file():
        return _read_folder(path, custom_objects, compile, safe_mode)
    if path.suffix != ".keras":
        raise ValueError(
            f"Invalid filename: expected a `.keras` extension. Received: filepath={filepath}"
        )
    with path.open("rb") as file:
        return _read_zip(file, custom_objects, compile, safe_mode)


def _read_zip(file: Any, custom_objects: Any, compile: bool, safe_mode: bool) -> Any:
    with zipfile.ZipFile(file) as archive:
        config = _safe_zip_read(archive, _CONFIG_FILENAME)
        model = from_description(config, custom_objects, compile=compile, safe_mode=safe_mode)
        with contextlib.ExitStack() as stack:
            weights = _open_weights(archive)
            stack.callback(weights.close)
            assets = None
            if any(name.startswith(f"{_ASSETS_DIRNAME}/") for name in archive.namelist()):
                assets = DiskIOStore(_ASSETS_DIRNAME, archive=archive, mode="r")
                stack.callback(assets.close)
            reader = Reader(weights, assets)
            reader.read(model)
        reader.finish()
    return model


def _open_weights(archive: zipfile.ZipFile) -> Any:
    names = archive.namelist()
    if _VARS_FNAME_H5 in names:
        return H5IOStore(_VARS_FNAME_H5, archive=archive, mode="r")
    if _VARS_FNAME_NPZ in names:
        _reject_zip_bomb(archive, _VARS_FNAME_NPZ)
        return NpzIOStore(_VARS_FNAME_NPZ, archive=archive, mode="r")
    raise ValueError(f"Expected a {_VARS_FNAME_H5} or {_VARS_FNAME_NPZ} file.")


def _read_folder(folder: Path, custom_objects: Any, compile: bool, safe_mode: bool) -> Any:
    config = (folder / _CONFIG_FILENAME).read_text()
    model = from_description(config, custom_objects, compile=compile, safe_mode=safe_mode)
    if (folder / _VARS_FNAME_H5).is_file():
        weights: Any = H5IOStore(folder / _VARS_FNAME_H5)
    elif (folder / _VARS_FNAME_NPZ).is_file():
        weights = NpzIOStore(folder / _VARS_FNAME_NPZ)
    else:
        raise ValueError(f"Expected a {_VARS_FNAME_H5} or {_VARS_FNAME_NPZ} file in {folder}.")
    assets = None
    if (folder / _ASSETS_DIRNAME).is_dir():
        assets = DiskIOStore(str(folder / _ASSETS_DIRNAME), mode="r")
    reader = Reader(weights, assets)
    try:
        reader.read(model)
    finally:
        weights.close()
    reader.finish()
    return model


@contextlib.contextmanager
def _weights_of(filepath: Any) -> Iterator[Any]:
    name = str(filepath)
    if name.endswith(".keras"):
        with zipfile.ZipFile(filepath) as archive:
            weights = _open_weights(archive)
            try:
                yield weights
            finally:
                weights.close()
        return
    weights = ShardedH5IOStore(filepath) if name.endswith(".json") else H5IOStore(filepath)
    try:
        yield weights
    finally:
        weights.close()


def load_weights_only(
    model: Any, filepath: Any, skip_mismatch: bool = False, objects_to_skip: Any = None
) -> None:
    """Take the weights of a `.weights.h5`, `.weights.json` or `.keras` file.

    With `skip_mismatch` what does not fit is left as it is, with a warning.
    """
    _require_built(model, "loading")
    with _weights_of(filepath) as weights:
        reader = Reader(weights, None, objects_to_skip or ())
        reader.read(model)
    reader.finish(warn_only=skip_mismatch)
