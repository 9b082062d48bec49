"""`.h5`: the file of Keras 2, which Keras 3 still reads and writes. Architecture and training as
JSON attributes, weights in groups by layer name.

Source: Keras 3, `keras.src.legacy.saving`.
"""

from __future__ import annotations

import collections
import contextlib
import enum
import io
import json
import types
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from chainrule.io.files import atomic
from chainrule.keras import losses, metrics, optimizers, registry
from chainrule.keras.registry import CustomObjectScope, SafeModeScope
from chainrule.keras.release import __version__ as keras_version
from chainrule.keras.saving.stores import (
    as_array,
    h5py_module,
    safe_get_h5_dataset,
    safe_get_h5_group,
)

HDF5_OBJECT_HEADER_LIMIT = 64512  # bytes of one attribute

# JSON ---------------------------------------------------------------------------------------------


class Encoder(json.JSONEncoder):
    """JSON that keeps tuples, and objects by their configs.

    >>> decode(Encoder().encode({"a": (1, 2)}))
    {'a': (1, 2)}
    """

    def default(self, o: Any) -> Any:
        return json_type(o)

    def encode(self, o: Any) -> str:
        return super().encode(_with_tuples(o))


def _with_tuples(x: Any) -> Any:
    if isinstance(x, tuple):
        return {"class_name": "__tuple__", "items": [_with_tuples(item) for item in x]}
    if isinstance(x, list):
        return [_with_tuples(item) for item in x]
    if isinstance(x, dict):
        return {key: _with_tuples(item) for key, item in x.items()}
    return x


def json_type(value: Any) -> Any:
    """What is written for a value that JSON does not know. Raises TypeError where there is none."""
    if hasattr(value, "get_config"):
        return {**legacy_config(value), "__passive_serialization__": True}
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, bytes):
        return {"class_name": "__bytes__", "value": value.decode("utf-8")}
    if callable(value):
        return value.__name__
    if value is Ellipsis:
        return {"class_name": "__ellipsis__"}
    if isinstance(value, collections.abc.Mapping):
        return dict(value)
    raise TypeError(f"Unable to serialize {value} to JSON. Unrecognized type {type(value)}.")


def decode(text: str | bytes) -> Any:
    """What `Encoder` wrote."""
    return json.loads(text, object_hook=_decoded)


def _decoded(found: Any) -> Any:
    kind = found.get("class_name")
    if kind == "__tuple__":
        return tuple(found["items"])
    if kind == "__ellipsis__" and "config" not in found:
        return Ellipsis
    if kind == "__bytes__" and "value" in found:
        return found["value"].encode("utf-8")
    return found


def legacy_config(value: Any) -> Any:
    """`{"class_name", "config"}` of an object, the name of a function."""
    if value is None:
        return None
    if hasattr(value, "get_config"):
        name = registry.get_registered_name(type(value))
        return {"class_name": name, "config": registry.to_config(value.get_config())}
    if hasattr(value, "__name__"):
        return registry.get_registered_name(value)
    raise ValueError(f"Cannot serialize {value} because it doesn't implement `get_config()`.")


# writing ------------------------------------------------------------------------------------------


def save_model_to_hdf5(
    model: Any, filepath: Any, overwrite: bool = True, include_optimizer: bool = True
) -> None:
    """Write architecture, weights and (unless told otherwise) how the model is trained."""
    h5py = h5py_module()
    if isinstance(filepath, h5py.File):
        _write(model, filepath, include_optimizer)
        return
    path = Path(filepath)
    if path.exists() and not overwrite:
        raise FileExistsError(f"{path} exists; pass overwrite=True to replace it")
    path.parent.mkdir(parents=True, exist_ok=True)
    memory = io.BytesIO()
    with h5py.File(memory, "w") as file:
        _write(model, file, include_optimizer)
    with atomic(path) as target:
        target.write(memory.getbuffer())


def _write(model: Any, file: Any, include_optimizer: bool) -> None:
    name = "Functional" if type(model).__name__ == "Model" else type(model).__name__
    config = {"class_name": name, "config": registry.to_config(model.get_config())}
    file.attrs["keras_version"] = keras_version
    file.attrs["backend"] = "chainrule"
    file.attrs["model_config"] = json.dumps(config, default=json_type).encode()
    optimizer = getattr(model, "optimizer", None)
    if include_optimizer and optimizer is not None and model.compiled:
        training = _training_config(model)
        file.attrs["training_config"] = json.dumps(training, default=json_type).encode()
    save_weights_to_hdf5_group(file.create_group("model_weights"), model)
    if include_optimizer and optimizer is not None and optimizer.variables:
        _write_weights(file.create_group("optimizer_weights"), optimizer.variables)


def _training_config(model: Any) -> dict[str, Any]:
    config = {
        name: _nested(legacy_or_plain, value)
        for name, value in model._compile_arguments.values.items()
        if name != "optimizer"
    }
    optimizer = {
        "class_name": registry.get_registered_name(type(model.optimizer)),
        "config": registry.to_config(model.optimizer.get_config()),
    }
    return {**config, "optimizer_config": optimizer}


def legacy_or_plain(value: Any) -> Any:
    return legacy_config(value) if callable(value) else value


def _nested(function: Callable[[Any], Any], value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _nested(function, item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_nested(function, item) for item in value]
    return function(value)


def save_weights_to_hdf5_group(group: Any, model: Any) -> None:
    """The weights of each layer under the layer's name, and the model's own beside them."""
    layers = model.layers
    _save_attribute(group, "layer_names", [layer.name.encode() for layer in layers])
    group.attrs["backend"] = b"chainrule"
    group.attrs["keras_version"] = keras_version.encode()
    for layer in sorted(layers, key=lambda layer: layer.name):
        _write_weights(group.create_group(layer.name), _in_old_order(layer))
    _write_weights(group.create_group("top_level_model_weights"), _top_level(model))


def _in_old_order(layer: Any) -> list[Any]:
    return [*layer.trainable_weights, *layer.non_trainable_weights]


def _top_level(model: Any) -> list[Any]:
    return model._own_weights


def _write_weights(group: Any, weights: Any) -> None:
    names: list[str] = []
    for index, weight in enumerate(weights):
        name = str(getattr(weight, "path", None) or f"variable_{index}")
        names.append(f"{name}_{index}" if name in names else name)
    _save_attribute(group, "weight_names", [name.encode() for name in names])
    for name, weight in zip(names, weights, strict=True):
        group.create_dataset(name, data=as_array(weight))


def _save_attribute(group: Any, name: str, data: list[bytes]) -> None:
    """A list of strings, in parts that HDF5 can hold: `name`, or `name0`, `name1`, …"""
    too_long = [item for item in data if len(item) > HDF5_OBJECT_HEADER_LIMIT]
    if too_long:
        raise RuntimeError(
            f"The following attributes cannot be saved to HDF5 file because they are larger than "
            f"{HDF5_OBJECT_HEADER_LIMIT} bytes: {too_long}"
        )
    array, count = np.asarray(data), 1
    parts = [array]
    while any(part.nbytes > HDF5_OBJECT_HEADER_LIMIT for part in parts):
        count += 1
        parts = np.array_split(array, count)
    if count == 1:
        group.attrs[name] = data
    else:
        for index, part in enumerate(parts):
            group.attrs[f"{name}{index}"] = part


# reading ------------------------------------------------------------------------------------------


@contextlib.contextmanager
def _opened(filepath: Any) -> Iterator[Any]:
    h5py = h5py_module()
    if isinstance(filepath, h5py.File):
        yield filepath
        return
    with h5py.File(filepath, "r") as file:
        yield file


def load_model_from_hdf5(
    filepath: Any, custom_objects: Any = None, compile: bool = True, safe_mode: bool = True
) -> Any:
    """The model of a `.h5` file, compiled as it was where the file says how."""
    with (
        _opened(filepath) as file,
        CustomObjectScope(custom_objects),
        SafeModeScope(_safe(safe_mode)),
    ):
        text = file.attrs.get("model_config")
        if text is None:
            raise ValueError(f"No model config found in the file at {filepath}.")
        model = registry.from_config(modern(decode(text)))
        load_weights_from_hdf5_group(safe_get_h5_group(file, "model_weights"), model)
        if not compile:
            return model
        training = file.attrs.get("training_config")
        if training is None:
            warnings.warn(
                "No training configuration found in the save file, so the model was *not* "
                "compiled. Compile it manually.",
                stacklevel=3,
            )
            return model
        model.compile(**_compile_arguments(decode(training)))
        if "optimizer_weights" in file:
            _read_optimizer(model, safe_get_h5_group(file, "optimizer_weights"))
    return model


def _safe(safe_mode: bool) -> bool:
    outer = registry.in_safe_mode()
    return safe_mode if outer is None else outer


def modern(config: Any) -> Any:
    """A layer's config of Keras 2 with the arguments of Keras 3."""
    if isinstance(config, list):
        return [modern(item) for item in config]
    if not isinstance(config, dict):
        return config
    if "class_name" not in config or not isinstance(config.get("config"), dict):
        return {key: modern(item) for key, item in config.items()}
    inner = {key: modern(item) for key, item in config["config"].items()}
    shape = inner.pop("batch_input_shape", None)
    if shape is not None:
        inner["batch_shape" if config["class_name"] == "InputLayer" else "batch_input_shape"] = (
            tuple(shape)
        )
    axis = inner.get("axis")
    if isinstance(axis, list) and len(axis) == 1 and config["class_name"].endswith("Normalization"):
        inner["axis"] = int(axis[0])
    dtype = inner.get("dtype")
    if isinstance(dtype, dict) and dtype.get("class_name") == "Policy":
        inner["dtype"] = dtype["config"]["name"]
    if config["class_name"] == "Lambda":
        for old in ("module", "function_type", "output_shape_type", "output_shape_module"):
            inner.pop(old, None)
        if isinstance(inner.get("function"), list):
            code, defaults, closure = inner["function"]
            inner["function"] = {
                "class_name": "__lambda__",
                "config": {"code": code, "defaults": defaults, "closure": closure},
            }
    return {**config, "config": inner}


def _compile_arguments(training: dict[str, Any]) -> dict[str, Any]:
    return {
        "optimizer": optimizers.deserialize(training["optimizer_config"]),
        "loss": _read_nested(_deserialize(losses), training.get("loss")),
        "metrics": _read_nested(_metric, training.get("metrics")),
        "weighted_metrics": _read_nested(_metric, training.get("weighted_metrics")),
        "loss_weights": training.get("loss_weights"),
    }


def _deserialize(room: types.ModuleType) -> Callable[[Any], Any]:
    def read(config: Any) -> Any:
        found = room.deserialize(config)
        if isinstance(found, str):  # a name that Keras 2 had
            return room.get(config["config"]["name"] if isinstance(config, dict) else config)
        return found

    return read


def _metric(config: Any) -> Any:
    if config in ("accuracy", "acc", "crossentropy", "ce"):  # chosen by the shapes, at compile
        return config
    return _deserialize(metrics)(config)


def _read_nested(read: Callable[[Any], Any], config: Any) -> Any:
    if config is None:
        return None
    if isinstance(config, str) or (isinstance(config, dict) and "class_name" in config):
        return read(config)
    if isinstance(config, dict):
        return {key: _read_nested(read, item) for key, item in config.items()}
    return [_read_nested(read, item) for item in config]


def _read_optimizer(model: Any, group: Any) -> None:
    model.optimizer.build(model.trainable_variables)
    values = {str(i): value for i, value in enumerate(_read_weights(group))}
    model.optimizer.load_own_variables(values)


def _attribute(group: Any, name: str) -> list[str]:
    if name in group.attrs:
        found = list(group.attrs[name])
    else:
        found, index = [], 0
        while f"{name}{index}" in group.attrs:
            found.extend(group.attrs[f"{name}{index}"])
            index += 1
    return [item.decode("utf8") if hasattr(item, "decode") else str(item) for item in found]


def _read_weights(group: Any) -> list[np.ndarray]:
    return [
        np.asarray(safe_get_h5_dataset(group, name)) for name in _attribute(group, "weight_names")
    ]


def load_weights_from_hdf5_group(group: Any, model: Any, skip_mismatch: bool = False) -> None:
    """Take the weights in the order of the layers that have any.

    Raises ValueError where the numbers of layers, weights or their shapes differ.
    """
    layers = [layer for layer in model.layers if _in_old_order(layer)]
    names = [
        name
        for name in _attribute(group, "layer_names")
        if _attribute(safe_get_h5_group(group, name), "weight_names")
    ]
    if len(names) != len(layers):
        raise ValueError(
            "Layer count mismatch when loading weights from file. "
            f"Model expected {len(layers)} layers, found {len(names)} saved layers."
        )
    for index, (name, layer) in enumerate(zip(names, layers, strict=True)):
        values = _read_weights(safe_get_h5_group(group, name))
        where = f"layer #{index} (named {layer.name} in the current model, {name} in the save file)"
        _take(_in_old_order(layer), values, where, skip_mismatch)
        _finish(layer)
    _take_top_level(group, model, skip_mismatch)


def load_weights_from_hdf5_group_by_name(
    group: Any, model: Any, skip_mismatch: bool = False
) -> None:
    """Take the weights of the layers that have a name of the file."""
    by_name: dict[str, list[Any]] = {}
    for layer in model.layers:
        by_name.setdefault(layer.name, []).append(layer)
    for index, name in enumerate(_attribute(group, "layer_names")):
        values = _read_weights(safe_get_h5_group(group, name))
        for layer in by_name.get(name, []):
            where = f"layer #{index} (named {layer.name})"
            _take(_in_old_order(layer), values, where, skip_mismatch, skip_count=skip_mismatch)
            _finish(layer)
    _take_top_level(group, model, skip_mismatch)


def _finish(layer: Any) -> None:
    """Let a layer compute what follows from its weights."""
    if hasattr(layer, "finalize_state"):
        layer.finalize_state()


def _take_top_level(group: Any, model: Any, skip_mismatch: bool) -> None:
    if "top_level_model_weights" in group:
        values = _read_weights(safe_get_h5_group(group, "top_level_model_weights"))
        _take(_top_level(model), values, "top-level model", skip_mismatch, skip_count=skip_mismatch)


def _take(
    weights: list[Any],
    values: list[np.ndarray],
    where: str,
    skip_mismatch: bool,
    *,
    skip_count: bool = False,
) -> None:
    if len(weights) != len(values):
        message = (
            f"Weight count mismatch for {where}. Layer expects {len(weights)} weight(s). Received "
            f"{len(values)} saved weight(s)"
        )
        if not skip_count:
            raise ValueError(message)
        warnings.warn(f"Skipping: {message}", stacklevel=4)
        return
    for weight, value in zip(weights, values, strict=True):
        if tuple(weight.shape) != value.shape:
            message = (
                f"Shape mismatch in {where} for weight {weight.path}. Weight expects shape "
                f"{tuple(weight.shape)}. Received saved weight with shape {value.shape}"
            )
            if not skip_mismatch:
                raise ValueError(message)
            warnings.warn(f"Skipping: {message}", stacklevel=4)
            continue
        weight.assign(value)
