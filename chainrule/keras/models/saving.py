"""Models in files: architecture as plain data, weights and optimiser state as arrays, in
chainrule's own format.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np

from chainrule import serialization
from chainrule.errors import DataError, ShapeError
from chainrule.keras import registry
from chainrule.keras.layers.base import Layer
from chainrule.tensor import Tensor, creation

_FORMAT = "chainrule.keras"


def _check(path: Path, overwrite: bool) -> None:
    _refuse_hdf5(path)
    if path.exists() and not overwrite:
        raise FileExistsError(f"{path} exists; pass overwrite=True to replace it")


def _refuse_hdf5(path: Path) -> None:
    if path.suffix in (".h5", ".hdf5"):
        stem = path.name.partition(".")[0]
        raise NotImplementedError(
            f"{path.name}: HDF5 files are not available yet; use a name such as "
            f"{stem}.weights.safetensors or {stem}.keras "
            "(chainrule's own format)"
        )


def save_model(model: Any, path: Path, *, overwrite: bool = True) -> None:
    """Everything that `load_model` needs, in one file."""
    _check(path, overwrite)
    content = {
        "format": _FORMAT,
        "model": registry.to_config(model),
        "build": _input_shape(model),
        "weights": _weights(model),
        "compile": _compile_config(model),
        "optimizer": _optimizer_state(model),
    }
    serialization.save(content, path)


def save_weights(model: Any, path: Path, *, overwrite: bool = True) -> None:
    """The values of all weights, by layer."""
    _check(path, overwrite)
    serialization.save({"format": _FORMAT, "weights": _weights(model)}, path)


def load_model(
    filepath: Any, custom_objects: Any = None, compile: bool = True, safe_mode: bool = True
) -> Any:
    """The model that `model.save` wrote, with weights, and compiled as it was."""
    content = _read(Path(filepath))
    if "model" not in content:
        raise DataError(
            f"{filepath} holds weights only; make the model and call model.load_weights(...)"
        )
    with registry.custom_object_scope(custom_objects or {}):
        model = registry.from_config(content["model"])
        if not model.built and content["build"] is not None:
            model.build(_as_tuples(content["build"]))
        _take(model, content["weights"], skip_mismatch=False, by_name=False)
        if compile and content["compile"] is not None:
            model.compile(**_read_compile(content["compile"]))
            if content["optimizer"] is not None:
                model.optimizer.set_state(
                    _with_arrays(content["optimizer"]), model.trainable_weights
                )
    return model


def load_weights(
    model: Any, path: Path, *, skip_mismatch: bool = False, by_name: bool = False
) -> None:
    """Take the weights of a file into a model that has been built."""
    _refuse_hdf5(path)
    content = _read(path)
    if not model.weights:
        raise ValueError(
            f"model {model.name!r} has no weights yet: build it or call it on data before loading"
        )
    _take(model, content["weights"], skip_mismatch=skip_mismatch, by_name=by_name)


def _read(path: Path) -> dict[str, Any]:
    if not path.exists():
        raise FileNotFoundError(f"there is no file {path}")
    _refuse_hdf5(path)
    content = serialization.load(path)
    if not isinstance(content, dict) or content.get("format") != _FORMAT:
        raise DataError(f"{path} was not written by a Keras model of chainrule")
    return content


# weights ------------------------------------------------------------------------------------------


def _holders(model: Any) -> list[Layer]:
    """The layers that own weights, in the order of `weights`."""
    return [layer for layer in model._flatten_layers() if layer._own_weights]


def _weights(model: Any) -> list[dict[str, Any]]:
    return [
        {
            "layer": layer.name,
            "names": [w.name for w in layer._own_weights],
            "values": [creation.from_owned(w.numpy()) for w in layer._own_weights],
        }
        for layer in _holders(model)
    ]


def _take(model: Any, saved: Any, *, skip_mismatch: bool, by_name: bool) -> None:
    holders = _holders(model)
    if by_name:
        named = {entry["layer"]: entry for entry in saved}
        pairs = [(layer, named[layer.name]) for layer in holders if layer.name in named]
    else:
        if len(holders) != len(saved) and not skip_mismatch:
            raise ValueError(
                f"the file has weights of {len(saved)} layers ({_names(saved)}), model "
                f"{model.name!r} has {len(holders)} layers with weights "
                f"({', '.join(layer.name for layer in holders)})"
            )
        pairs = list(zip(holders, saved, strict=False))
    for layer, entry in pairs:
        own, values = layer._own_weights, entry["values"]
        problem = _mismatch(layer, values)
        if problem:
            if not skip_mismatch:
                raise ShapeError(problem)
            warnings.warn(f"skipped: {problem}", stacklevel=4)
            continue
        for weight, value in zip(own, values, strict=True):
            weight.assign(value)


def _mismatch(layer: Layer, values: list[Tensor]) -> str:
    have = [tuple(w.shape) for w in layer._own_weights]
    saved = [tuple(v.shape) for v in values]
    if have == saved:
        return ""
    return f"layer {layer.name!r} has weights of shapes {have}, the file has {saved}"


def _names(saved: list[dict[str, Any]]) -> str:
    return ", ".join(entry["layer"] for entry in saved)


# how it is trained --------------------------------------------------------------------------------


def _compile_config(model: Any) -> Any:
    if not model.compiled:
        return None
    arguments = dict(model._compile_arguments)
    arguments["optimizer"] = registry.to_config(model.optimizer)
    written = {}
    for name, value in arguments.items():
        try:
            written[name] = registry.to_config(value)
        except (TypeError, ValueError):
            warnings.warn(
                f"{name}={value!r} cannot be written to a file: the loaded model will need "
                "compile()",
                stacklevel=4,
            )
            return None
    return written


def _read_compile(config: dict[str, Any]) -> dict[str, Any]:
    return {name: registry.from_config(value) for name, value in config.items()}


def _optimizer_state(model: Any) -> Any:
    if model.optimizer is None or not model.optimizer.built:
        return None
    state = model.optimizer.get_state()
    state["slots"] = [
        {name: creation.from_owned(array) for name, array in slots.items()}
        for slots in state["slots"]
    ]
    return state


def _with_arrays(state: dict[str, Any]) -> dict[str, Any]:
    """The state as an optimizer takes it: arrays instead of tensors."""
    slots = [{n: np.array(t.numpy()) for n, t in slot.items()} for slot in state["slots"]]
    return {**state, "slots": slots}


def _input_shape(model: Any) -> Any:
    """The shape of the first input of a model that has no graph, to build it again."""
    if model.graph is not None:
        return None
    shape = model._built_shape
    return None if shape is None else _as_lists(shape)


def _as_lists(shape: Any) -> Any:
    if isinstance(shape, dict):
        return {k: _as_lists(v) for k, v in shape.items()}
    if shape and isinstance(shape[0], list | tuple):
        return [_as_lists(s) for s in shape]
    return list(shape)


def _as_tuples(shape: Any) -> Any:
    """Lists of numbers as tuples."""
    if isinstance(shape, dict):
        return {k: _as_tuples(v) for k, v in shape.items()}
    if shape and isinstance(shape[0], list):
        return [_as_tuples(s) for s in shape]
    return tuple(shape)


# backups ------------------------------------------------------------------------------------------


def write_backup(model: Any, path: Path, next_epoch: int) -> None:
    """Weights, optimiser and the epoch to go on with."""
    content = {
        "format": _FORMAT,
        "weights": _weights(model),
        "optimizer": _optimizer_state(model),
        "epoch": next_epoch,
    }
    serialization.save(content, path)


def restore_backup(model: Any, path: Path) -> int:
    """Take what `write_backup` wrote; the epoch to go on with."""
    content = _read(path)
    _take(model, content["weights"], skip_mismatch=False, by_name=False)
    if content["optimizer"] is not None:
        model.optimizer.set_state(_with_arrays(content["optimizer"]), model.trainable_weights)
    return int(content["epoch"])
