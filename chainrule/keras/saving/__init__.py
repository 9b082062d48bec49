"""`keras.saving`: models in files, and names for classes of your own.

A model is read by what its file is: `.keras` (everything), `.weights.h5` (weights), `.h5` (the file
of Keras 2). All of them go both ways between Keras and here. They are HDF5 inside, which needs the
package h5py.
"""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

from chainrule.keras.registry import (
    CustomObjectScope,
    custom_object_scope,
    get_custom_objects,
    get_registered_name,
    get_registered_object,
    register_keras_serializable,
)
from chainrule.keras.registry import from_config as deserialize_keras_object
from chainrule.keras.registry import to_config as serialize_keras_object
from chainrule.keras.saving import archive, legacy
from chainrule.keras.saving.editor import KerasFileEditor
from chainrule.keras.saving.stores import h5py_module, safe_get_h5_group


def may_write(filepath: Any, overwrite: bool) -> bool:
    """Whether `filepath` may be written: it is new, or replacing it was allowed or is now.

    Raises FileExistsError where nobody can be asked.
    """
    try:
        exists = Path(filepath).exists()
    except TypeError:  # a file object
        exists = False
    if overwrite or not exists:
        return True
    try:
        answer = input(f"[WARNING] {filepath} already exists - overwrite? [y/n]")
        while answer.strip().lower() not in ("y", "n"):
            answer = input("Enter 'y' (overwrite) or 'n' (cancel).")
    except (EOFError, OSError) as error:
        raise FileExistsError(f"{filepath} exists; pass overwrite=True to replace it") from error
    return answer.strip().lower() == "y"


def save_model(
    model: Any, filepath: Any, overwrite: bool = True, zipped: bool | None = None, **kwargs: Any
) -> None:
    """Write architecture, weights and the optimizer's state to `name.keras` (or `name.h5`).

    With `zipped=False` a folder is written. The file is there whole or not at all. Raises
    ValueError for another extension, ImportError without h5py.
    """
    include_optimizer = kwargs.pop("include_optimizer", True)
    name = str(filepath)
    old = name.endswith((".h5", ".hdf5"))
    save_format = kwargs.pop("save_format", None)
    if save_format and not (old or name.endswith(".keras")):
        raise ValueError(
            "The `save_format` argument is deprecated in Keras 3. Please remove this argument and "
            "pass a file path with either `.keras` or `.h5` extension. "
            f"Received: save_format={save_format}"
        )
    if kwargs:
        raise ValueError(f"The following argument(s) are not supported: {list(kwargs)}")
    if name.startswith("hf://"):
        raise NotImplementedError(
            "nothing is uploaded to the Hugging Face Hub from here: save to a file, and upload it"
        )
    if not may_write(filepath, overwrite):
        return
    if zipped is False or name.endswith(".keras"):
        archive.save_model(model, filepath, zipped=zipped is not False)
    elif old:
        legacy.save_model_to_hdf5(model, filepath, True, include_optimizer)
    else:
        raise ValueError(
            "Invalid filepath extension for saving. Please add either a `.keras` extension for the "
            "native Keras format (recommended) or a `.h5` extension. Use `model.export(filepath)` "
            f"for files of other tools. Received: filepath={filepath}."
        )


def load_model(
    filepath: Any, custom_objects: Any = None, compile: bool = True, safe_mode: bool = True
) -> Any:
    """The model of a `.keras` file (or folder) or of an `.h5` file, compiled as it was.

    Code in the file (a lambda) is run only with `safe_mode=False`. Classes of your own must be
    registered, or given in `custom_objects`.
    """
    name = str(filepath)
    if name.startswith("hf://"):
        raise NotImplementedError(
            "nothing is fetched from the Hugging Face Hub from here: download the file, and load it"
        )
    folder = Path(filepath)
    if (name.endswith(".keras") and zipfile.is_zipfile(filepath)) or (
        folder.is_dir() and (folder / "config.json").is_file()
    ):
        return archive.load_model(filepath, custom_objects, compile, safe_mode)
    if name.endswith((".h5", ".hdf5")):
        return legacy.load_model_from_hdf5(filepath, custom_objects, compile, safe_mode)
    if name.endswith(".keras"):
        raise ValueError(
            f"File not found: filepath={filepath}. Please ensure the file is an accessible "
            "`.keras` zip file."
        )
    raise ValueError(
        f"File format not supported: filepath={filepath}. There are `.keras` files and legacy H5 "
        "files (`.h5` extension). TensorFlow's SavedModel is not supported, as in Keras 3."
    )


def save_weights(
    model: Any,
    filepath: Any,
    overwrite: bool = True,
    max_shard_size: float | None = None,
    **kwargs: Any,
) -> None:
    """Write the weights to `name.weights.h5` (or, in parts of at most `max_shard_size` GiB, to
    `name.weights.json` and files beside it).
    """
    archive_check = str(filepath)
    if max_shard_size is None and not archive_check.endswith(".weights.h5"):
        raise ValueError(
            f"The filename must end in `.weights.h5`. Received: filepath={archive_check}"
        )
    if may_write(filepath, overwrite):
        archive.save_weights_only(model, filepath, max_shard_size, **kwargs)


def load_weights(model: Any, filepath: Any, skip_mismatch: bool = False, **kwargs: Any) -> None:
    """Take weights from a `.weights.h5`, `.weights.json`, `.keras` or `.h5` file.

    `skip_mismatch` leaves what does not fit; `by_name=True` (old `.h5` files) goes by the names of
    the layers.
    """
    skip = kwargs.pop("objects_to_skip", None)
    by_name = kwargs.pop("by_name", None)
    if kwargs:
        raise ValueError(f"Invalid keyword arguments: {kwargs}")
    name = str(filepath)
    if name.endswith((".keras", ".weights.h5", ".weights.json")):
        if by_name is not None:
            raise ValueError(
                "`by_name` only supports loading legacy '.h5' or '.hdf5' files. "
                f"Received: {filepath}"
            )
        if skip is not None and name.endswith(".keras"):
            raise ValueError(
                f"`objects_to_skip` only supports loading '.weights.h5' files. Received: {filepath}"
            )
        archive.load_weights_only(model, filepath, skip_mismatch, skip)
        return
    if not name.endswith((".h5", ".hdf5")):
        raise ValueError(
            f"File format not supported: filepath={filepath}. There are `.keras` files, "
            "`.weights.h5` files and legacy H5 files (`.h5` extension)."
        )
    if skip is not None:
        raise ValueError(
            f"`objects_to_skip` only supports loading '.weights.h5' files. Received: {filepath}"
        )
    with h5py_module().File(filepath, "r") as file:
        group = file
        if "layer_names" not in file.attrs and "model_weights" in file:
            group = safe_get_h5_group(file, "model_weights")
        if by_name:
            legacy.load_weights_from_hdf5_group_by_name(group, model, skip_mismatch)
        else:
            legacy.load_weights_from_hdf5_group(group, model, skip_mismatch)


__all__ = [
    "CustomObjectScope",
    "KerasFileEditor",
    "custom_object_scope",
    "deserialize_keras_object",
    "get_custom_objects",
    "get_registered_name",
    "get_registered_object",
    "load_model",
    "load_weights",
    "register_keras_serializable",
    "save_model",
    "save_weights",
    "serialize_keras_object",
]
