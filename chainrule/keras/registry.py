"""Objects as plain data and back: `{"class_name": ..., "config": {...}}`.

Every class of the Keras face is known here by its name; classes of a user's own become known by
`register_keras_serializable` or by `custom_objects`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import numpy as np

from chainrule.keras.settings import DTypePolicy
from chainrule.tensor import Tensor

C = TypeVar("C")

_known: dict[str, Any] = {}
_custom: dict[str, Any] = {}


def known(item: C) -> C:
    """Make a class or a function of ours known by its name (a decorator)."""
    _known[item.__name__] = item  # type: ignore[attr-defined]  # classes and functions have names
    return item


def register_keras_serializable(
    package: str = "Custom", name: str | None = None
) -> Callable[[C], C]:
    """Make a class or function of yours known to `load_model`, as `package>name`."""

    def decorate(item: C) -> C:
        plain = name or item.__name__  # type: ignore[attr-defined]  # classes and functions have names
        _custom[f"{package}>{plain}"] = item
        _custom.setdefault(plain, item)
        return item

    return decorate


def get_custom_objects() -> dict[str, Any]:
    """The registered objects by name; may be changed."""
    return _custom


@contextmanager
def custom_object_scope(custom_objects: dict[str, Any]) -> Iterator[None]:
    """Know `custom_objects` by their names inside the block."""
    before = dict(_custom)
    _custom.update(custom_objects or {})
    try:
        yield
    finally:
        _custom.clear()
        _custom.update(before)


def find(name: str) -> Any:
    """The class or function of that name, or None."""
    return _custom.get(name, _known.get(name))


def to_config(value: Any) -> Any:
    """`value` as plain data: numbers, strings, lists, dicts."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, dict):
        return {str(key): to_config(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [to_config(item) for item in value]
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, DTypePolicy):
        return value.name
    if isinstance(value, np.ndarray | Tensor):
        array = value.detach().numpy() if isinstance(value, Tensor) else value
        return {
            "class_name": "__array__",
            "config": {"value": array.tolist(), "dtype": str(array.dtype)},
        }
    if hasattr(value, "get_config"):
        return {
            "class_name": type(value).__name__,
            "config": {k: to_config(v) for k, v in value.get_config().items()},
        }
    if callable(value) and hasattr(value, "__name__"):
        if value.__name__ == "<lambda>":
            raise ValueError(
                "a lambda cannot be written to a file; give a named function and register it "
                "with keras.saving.register_keras_serializable()"
            )
        return {"class_name": "function", "config": value.__name__}
    if hasattr(value, "name") and hasattr(value, "itemsize"):  # an element type
        return str(value.name)
    raise TypeError(f"{value!r} of type {type(value).__name__} cannot be written as a config")


def from_config(data: Any) -> Any:
    """What `to_config` was given. Plain data come back as they are."""
    if isinstance(data, list | tuple):
        return [from_config(item) for item in data]
    if not isinstance(data, dict):
        return data
    if set(data) != {"class_name", "config"}:
        return {key: from_config(item) for key, item in data.items()}
    name, config = data["class_name"], data["config"]
    if name == "__array__":
        return np.array(config["value"], config["dtype"])
    wanted = config if name == "function" else name
    found = find(wanted)
    if found is None:
        raise ValueError(
            f"unknown object {wanted!r}; pass custom_objects={{{wanted!r}: ...}} or decorate it "
            "with keras.saving.register_keras_serializable()"
        )
    if name == "function":
        return found
    return found.from_config(dict(config)) if hasattr(found, "from_config") else found(**config)


def lookup(identifier: Any, table: dict[str, Any], kind: str) -> Any:
    """The object of `table` that a name, a config or an object means; objects are returned as they
    are.
    """
    if isinstance(identifier, dict):
        return from_config(identifier)
    if isinstance(identifier, str):
        found = _custom.get(identifier, table.get(identifier))
        if found is None:
            names = sorted({n for n in table if n.islower()})
            raise ValueError(f"unknown {kind} {identifier!r}; known: {', '.join(names)}")
        return found
    return identifier
