"""A nested Python value as a JSON text and named arrays, and back.

    value     = null | true | false | number | string | "[" value* "]"      JSON as it is: None,
    bool, int, float, str, list
              | object of string keys, none of which begins with "$"        dict with such keys
              | {"$tensor": name, "requires_grad"?: true}                   Tensor
              | {"$parameter": name, "requires_grad": bool}                 Parameter
              | {"$array": name}                                            numpy.ndarray or a NumPy
              number | {"$dict": [[value, value]*]}                                any other dict |
              {"$ordered": [[value, value]*], "metadata"?: value}         OrderedDict; a state
              dict's `_metadata` | {"$tuple": [value*]} | {"$set": [value*]} | {"$float": "nan" |
              "inf" | "-inf"} | {"$complex": [real, imaginary]} | {"$bytes": base64} | {"$dtype":
              name} | {"$device": text}

Nothing in it names code, so reading it runs none. The same tensor object at two places is stored
once and comes back as one object. Names of arrays are the paths to them ("model.0.weight"), so that
any safetensors reader makes sense of the file.
"""

from __future__ import annotations

import base64
import math
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from chainrule import dtypes
from chainrule.devices import device
from chainrule.errors import DataError
from chainrule.nn.modules.module import Module
from chainrule.tensor import Parameter, Tensor
from chainrule.tensor.handle import from_array

Arrays = dict[str, np.ndarray]


def flatten(value: Any) -> tuple[Any, Arrays]:
    """The JSON value and the arrays that it names.

    Raises TypeError, with the path, for what is neither a number, a string, a tensor nor a
    container of these.
    """
    writer = _Writer()
    return writer.encode(value, ()), writer.arrays


class _Writer:
    def __init__(self) -> None:
        self.arrays: Arrays = {}
        self.names: dict[int, str] = {}  # id of a tensor → its name
        self.kept: list[Any] = []  # keeps these ids from being given to other objects
        self.open: set[int] = set()  # containers around the present place

    def encode(self, value: Any, path: tuple[Any, ...]) -> Any:
        if value is None or isinstance(value, (bool, str)):
            return value
        if isinstance(value, np.generic) and not isinstance(value, float):
            return {"$array": self._store(value, np.asarray(value), path)}
        if isinstance(value, int):
            return int(value)
        if isinstance(value, float):
            return float(value) if math.isfinite(value) else {"$float": str(float(value))}
        if isinstance(value, Parameter):
            name = self._store(value, to_array(value), path)
            return {"$parameter": name, "requires_grad": bool(value.requires_grad)}
        if isinstance(value, Tensor):
            name = self._store(value, to_array(value), path)
            return {"$tensor": name, **({"requires_grad": True} if value.requires_grad else {})}
        if isinstance(value, np.ndarray):
            return {"$array": self._store(value, value, path)}
        if isinstance(value, complex):
            return {"$complex": [value.real, value.imag]}
        if isinstance(value, (bytes, bytearray)):
            return {"$bytes": base64.b64encode(value).decode("ascii")}
        if isinstance(value, dtypes.DType):
            return {"$dtype": value.name}
        if isinstance(value, (Mapping, list, tuple, set, frozenset)):
            return self._container(value, path)
        if isinstance(value, device):
            return {"$device": str(value)}
        raise TypeError(_refusal(value, path))

    def _container(self, value: Any, path: tuple[Any, ...]) -> Any:
        if id(value) in self.open:
            raise TypeError(f"cannot save {_at(path)}: a container that holds itself")
        self.open.add(id(value))
        try:
            if isinstance(value, Mapping):
                return self._mapping(value, path)
            items = [self.encode(item, (*path, i)) for i, item in enumerate(_stable(value))]
        finally:
            self.open.discard(id(value))
        if isinstance(value, list):
            return items
        return {"$tuple" if isinstance(value, tuple) else "$set": items}

    def _mapping(self, value: Mapping[Any, Any], path: tuple[Any, ...]) -> Any:
        encoded = [(key, self.encode(item, (*path, key))) for key, item in value.items()]
        if isinstance(value, OrderedDict):
            metadata = getattr(value, "_metadata", None)
            extra = {} if metadata is None else {"metadata": self.encode(metadata, path)}
            return {"$ordered": self._pairs(encoded, path), **extra}
        if all(type(key) is str and not key.startswith("$") for key in value):
            return dict(encoded)
        return {"$dict": self._pairs(encoded, path)}

    def _pairs(self, encoded: list[tuple[Any, Any]], path: tuple[Any, ...]) -> list[list[Any]]:
        return [[self.encode(key, (*path, "key")), item] for key, item in encoded]

    def _store(self, value: Any, array: np.ndarray, path: tuple[Any, ...]) -> str:
        if id(value) in self.names:
            return self.names[id(value)]
        wanted = ".".join(map(str, path)) or "tensor"
        name, copy = wanted, 2
        while name in self.arrays or name == "__metadata__":
            name, copy = f"{wanted}#{copy}", copy + 1
        self.names[id(value)] = name
        self.kept.append(value)
        self.arrays[name] = array
        return name


def _stable(value: Iterable[Any]) -> list[Any]:
    # Sets have no order; a fixed one makes equal values equal files.
    return sorted(value, key=repr) if isinstance(value, (set, frozenset)) else list(value)


def _at(path: tuple[Any, ...]) -> str:
    return "the value" + "".join(f"[{key!r}]" for key in path)


def _refusal(value: Any, path: tuple[Any, ...]) -> str:
    kind = type(value).__name__
    if isinstance(value, Module):
        return (
            f"cannot save {_at(path)}: a whole module ({kind}) would have to be stored as code. "
            "Save its values, save(model.state_dict(), f), and give them to a new object: "
            "model.load_state_dict(load(f))"
        )
    if callable(getattr(value, "state_dict", None)):
        return f"cannot save {_at(path)}: a {kind} is an object. Save its state_dict() instead"
    return (
        f"cannot save {_at(path)}: {kind} is neither a number, a string, a tensor nor a list, "
        "tuple, set or dict of these. Turn it into such values first (vars(object) may do)"
    )


def to_array(tensor: Tensor) -> np.ndarray:
    """The values of a tensor of any dtype (bfloat16 as ml_dtypes' type)."""
    return np.asarray(tensor._concrete())


def unflatten(tree: Any, arrays: Mapping[str, np.ndarray]) -> Any:
    """The value that `flatten` took apart. Raises DataError for a tree outside of the grammar."""
    return _Reader(arrays).decode(tree)


class _Reader:
    def __init__(self, arrays: Mapping[str, np.ndarray]) -> None:
        self.arrays = arrays
        self.tensors: dict[str, Tensor] = {}

    def decode(self, tree: Any) -> Any:
        if tree is None or isinstance(tree, (bool, int, float, str)):
            return tree
        if isinstance(tree, list):
            return [self.decode(item) for item in tree]
        kind = next(iter(tree), "")
        if not kind.startswith("$"):
            return {key: self.decode(item) for key, item in tree.items()}
        payload = tree[kind]
        match kind:
            case "$tensor" | "$parameter":
                return self._tensor(payload, kind, bool(tree.get("requires_grad", False)))
            case "$array":
                array = self._array(payload)
                return array if array.shape else array[()]
            case "$dict":
                return dict(self._pairs(payload))
            case "$ordered":
                ordered: Any = OrderedDict(self._pairs(payload))
                if "metadata" in tree:
                    ordered._metadata = self.decode(tree["metadata"])
                return ordered
            case "$tuple":
                return tuple(self.decode(payload))
            case "$set":
                return set(self.decode(payload))
            case "$float":
                return float(payload)
            case "$complex":
                return complex(*payload)
            case "$bytes":
                return base64.b64decode(payload)
            case "$dtype":
                return dtypes.as_dtype(payload)
            case "$device":
                return device(payload)
            case _:
                raise DataError(
                    f"unknown kind {kind!r} in the file; was it written by a newer version?"
                )

    def _pairs(self, pairs: list[list[Any]]) -> list[tuple[Any, Any]]:
        return [(self.decode(key), self.decode(value)) for key, value in pairs]

    def _array(self, name: str) -> np.ndarray:
        if name not in self.arrays:
            raise DataError(f"the file names a tensor {name!r} that it does not hold")
        return self.arrays[name]

    def _tensor(self, name: str, kind: str, requires_grad: bool) -> Tensor:
        if name not in self.tensors:
            tensor = from_array(self._array(name))
            if kind == "$parameter":
                tensor = Parameter(tensor, requires_grad=requires_grad)
            elif requires_grad:
                tensor.requires_grad_(True)
            self.tensors[name] = tensor
        return self.tensors[name]
