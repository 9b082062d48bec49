"""Objects as plain data and back, in the form that Keras writes into its files:

    {"module": "keras.layers", "class_name": "Dense", "config": {...}, "registered_name": None}

Every class and function of the Keras face is known here by its place in Keras (`known`); a user's
own become known by `register_keras_serializable`, by `custom_objects` or by a scope. Code that a
file brings along (a lambda) is never run unless `safe_mode=False`. Source: Keras 3,
`keras.saving.serialize_keras_object`.
"""

from __future__ import annotations

import base64
import importlib
import marshal
import threading
import types
import warnings
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

from chainrule.keras import settings
from chainrule.keras.symbolic import KerasTensor
from chainrule.tensor import Tensor, creation

C = TypeVar("C")

_HERE = __name__.rpartition(".")[0]

# Names of ours ------------------------------------------------------------------------------------

#: What is known by its place in Keras: "keras.layers.Dense".
_public: dict[str, Any] = {}
_place: dict[Any, tuple[str, str]] = {}

#: Where classes of a room of ours stand in Keras, where that is not under the room's own name.
_KERAS_MODULES = {
    "metrics_base": "metrics",
    "optimizers.schedules": "optimizers.schedules",
    "models": "",
    "settings": "",
    "preprocessing": "layers",
}
#: The rooms in which classes can be that a file names.
_ROOMS = (
    "activations", "constraints", "dtype_policies", "initializers", "layers", "losses", "metrics",
    "models", "optimizers", "optimizers.schedules", "random", "regularizers", "settings",
)  # fmt: skip
_FUNCTIONS = ("activations", "constraints", "initializers", "losses", "metrics", "regularizers")


def known(item: C) -> C:
    """Make a class or a function of ours known by its place in Keras (a decorator)."""
    room = item.__module__.removeprefix(_HERE).removeprefix(".")
    name: str = item.__name__  # type: ignore[attr-defined]  # classes and functions have names
    inner = _KERAS_MODULES.get(room)
    if inner is None:
        first = room.partition(".")[0]
        inner = _KERAS_MODULES.get(first, first)
    module = f"keras.{inner}" if inner else "keras"
    _public[f"{module}.{name}"] = item
    _place[item] = (module, name)
    return item


def known_as(module: str, name: str) -> Callable[[C], C]:
    """`known`, for a class that stands somewhere else in Keras (a decorator)."""

    def decorate(item: C) -> C:
        _public[f"{module}.{name}"] = item
        _place[item] = (module, name)
        return item

    return decorate


def place(item: Any) -> tuple[str, str] | None:
    """Keras's module and name of a class or function of ours."""
    return _place.get(item)


def _of_keras(module: str, name: str) -> Any:
    """What of ours stands at that place in Keras, or None."""
    places = [module]
    if module.startswith("keras.src."):  # not public there: by what the path says
        parts = module.split(".")[2:]
        inner = next((part for part in reversed(parts) if part in _ROOMS), parts[0])
        places += ["keras.optimizers.schedules" if "schedules" in parts else f"keras.{inner}"]
    if places[-1] in ("keras.models", "keras.dtype_policies"):
        places.append("keras")
    for attempt in range(2):
        for place in places:
            found = _public.get(f"{place}.{name}")
            if found is not None:
                return found
        if attempt == 0:
            for room in _ROOMS:
                importlib.import_module(f"{_HERE}.{room}")
    return None


# Names of a user's own ----------------------------------------------------------------------------

GLOBAL_CUSTOM_OBJECTS: dict[str, Any] = {}
GLOBAL_CUSTOM_NAMES: dict[Any, str] = {}


class _Scopes(threading.local):
    """What holds inside `with` blocks of this thread."""

    def __init__(self) -> None:
        self.objects: dict[str, Any] = {}
        self.safe_mode: bool | None = None
        self.shared_configs: dict[int, dict[str, Any]] | None = None
        self.shared_objects: dict[int, Any] | None = None


_scopes = _Scopes()


def register_keras_serializable(
    package: str = "Custom", name: str | None = None
) -> Callable[[C], C]:
    """Make a class or function of yours known to `load_model`, as `package>name`.

    Raises ValueError for a class without `get_config`.
    """

    def decorate(item: C) -> C:
        if isinstance(item, type) and not hasattr(item, "get_config"):
            raise ValueError(
                f"Cannot register a class that does not have a get_config() method: {item!r}"
            )
        plain = name or item.__name__  # type: ignore[attr-defined]  # classes and functions have names
        GLOBAL_CUSTOM_OBJECTS[f"{package}>{plain}"] = item
        GLOBAL_CUSTOM_NAMES[item] = f"{package}>{plain}"
        return item

    return decorate


def get_custom_objects() -> dict[str, Any]:
    """The registered objects by name; may be changed."""
    return GLOBAL_CUSTOM_OBJECTS


def get_registered_name(obj: Any) -> str:
    """The name under which a class or function was registered, or its own."""
    found = GLOBAL_CUSTOM_NAMES.get(obj) if _hashable(obj) else None
    return found or obj.__name__


def get_registered_object(
    name: str | None, custom_objects: Any = None, module_objects: Any = None
) -> Any:
    """The object of that name in the scope, the registry or the given tables, or None."""
    for table in (_scopes.objects, GLOBAL_CUSTOM_OBJECTS, custom_objects, module_objects):
        if table and name is not None and name in table:
            return table[name]
    return None


class CustomObjectScope:
    """Know `custom_objects` by their names inside the block.

    >>> with CustomObjectScope({"Mine": dict}):
    ...     get_registered_object("Mine")
    <class 'dict'>
    """

    def __init__(self, custom_objects: dict[str, Any] | None) -> None:
        self.custom_objects = custom_objects or {}

    def __enter__(self) -> CustomObjectScope:
        self._before = _scopes.objects
        _scopes.objects = {**_scopes.objects, **self.custom_objects}
        return self

    def __exit__(self, *_: Any) -> None:
        _scopes.objects = self._before


custom_object_scope = CustomObjectScope


class SafeModeScope:
    """Whether code in files may be run, inside the block."""

    def __init__(self, safe_mode: bool | None = True) -> None:
        self.safe_mode = safe_mode

    def __enter__(self) -> None:
        self._before = _scopes.safe_mode
        _scopes.safe_mode = self.safe_mode

    def __exit__(self, *_: Any) -> None:
        _scopes.safe_mode = self._before


def in_safe_mode() -> bool | None:
    """What the innermost scope says; None where there is none, which means safe."""
    return _scopes.safe_mode


def enable_unsafe_deserialization() -> None:
    """From now on, run the lambdas of files (of this thread): only for files that you trust."""
    _scopes.safe_mode = False


class ObjectSharingScope:
    """Inside the block, an object that is written twice is read as one object."""

    def __enter__(self) -> None:
        self._before = (_scopes.shared_configs, _scopes.shared_objects)
        _scopes.shared_configs, _scopes.shared_objects = {}, {}

    def __exit__(self, *_: Any) -> None:
        _scopes.shared_configs, _scopes.shared_objects = self._before


# Writing ------------------------------------------------------------------------------------------


def to_config(value: Any) -> Any:
    """`value` as plain data: numbers, strings, lists, dicts.

    This is `keras.saving.serialize_keras_object`. Raises TypeError for an object without
    `get_config()`.

    >>> to_config(slice(None, 2))
    {'class_name': '__slice__', 'config': {'start': None, 'stop': 2, 'step': None}}
    """
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, dict):
        return {key: to_config(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        items = [to_config(item) for item in value]
        return tuple(items) if isinstance(value, tuple) else items
    special = _special(value)
    if special is not None:
        return special
    if _has_name_only(value):  # an element type
        return settings.dtype_name(value)
    config = _object_config(value)
    _share(value, config)
    return config


def _special(value: Any) -> Any:
    """Plain data for what is neither a number nor a configurable object; None for all others."""
    if isinstance(value, bytes):
        return {"class_name": "__bytes__", "config": {"value": value.decode("utf-8")}}
    if isinstance(value, slice):
        parts = {name: to_config(getattr(value, name)) for name in ("start", "stop", "step")}
        return {"class_name": "__slice__", "config": parts}
    if value is Ellipsis:
        return {"class_name": "__ellipsis__", "config": {}}
    if isinstance(value, KerasTensor):
        history = None
        if value.history is not None:
            node, index = value.history
            history = [node.operation.name, node.operation.nodes.index(node), index]
        config = {"shape": list(value.shape), "dtype": value.dtype, "keras_history": history}
        return {"class_name": "__keras_tensor__", "config": config}
    if isinstance(value, np.generic) or (isinstance(value, np.ndarray) and value.ndim == 0):
        return value.item()
    if isinstance(value, np.ndarray | Tensor):
        kind = "__tensor__" if isinstance(value, Tensor) else "__numpy__"
        array = value.detach().numpy() if isinstance(value, Tensor) else value
        config = {"value": array.tolist(), "dtype": str(array.dtype)}
        return {"class_name": kind, "config": config}
    if isinstance(value, types.FunctionType) and value.__name__ == "<lambda>":
        warnings.warn(
            "a lambda is written to a file as code, which is loaded only with safe_mode=False; "
            "give a named function and register it with "
            "keras.saving.register_keras_serializable()",
            stacklevel=4,
        )
        return {"class_name": "__lambda__", "config": {"value": function_code(value)}}
    return None


def _has_name_only(value: Any) -> bool:
    return (isinstance(value, np.dtype) or hasattr(value, "itemsize")) and hasattr(value, "name")


def _object_config(value: Any) -> dict[str, Any]:
    is_function = isinstance(value, types.FunctionType | types.BuiltinFunctionType | type)
    if is_function and not hasattr(value, "get_config"):
        return _function_config(value)
    if hasattr(value, "get_config") and not isinstance(value, type):
        inner = value.get_config()
        if not isinstance(inner, dict):
            raise TypeError(
                f"The `get_config()` method of {value!r} should return a dict. It returned: {inner}"
            )
        inner = to_config(inner)
    elif hasattr(value, "__name__"):
        inner = get_registered_name(value)
    else:
        raise TypeError(
            f"Cannot serialize object {value!r} of type {type(value).__name__}: "
            "it needs a get_config() method"
        )
    cls = type(value)
    found = place(cls)
    if cls in GLOBAL_CUSTOM_NAMES or found is None:
        config = {
            "module": cls.__module__,
            "class_name": cls.__name__,
            "config": inner,
            "registered_name": None if cls.__module__ == "builtins" else get_registered_name(cls),
        }
    else:
        module, name = found
        config = {"module": module, "class_name": name, "config": inner, "registered_name": None}
        if module.startswith("keras.src."):
            config["registered_name"] = name
    for part in ("build_config", "compile_config"):
        method = getattr(value, f"get_{part}", None)
        extra = method() if method is not None else None
        if extra is not None:
            config[part] = to_config(extra)
    return config


def _function_config(function: Any) -> dict[str, Any]:
    name = get_registered_name(function)
    if function in _place and function not in GLOBAL_CUSTOM_NAMES:
        return {"module": "builtins", "class_name": "function", "config": _place[function][1],
                "registered_name": "function"}  # fmt: skip
    return {"module": function.__module__, "class_name": "function", "config": name,
            "registered_name": name}  # fmt: skip


def _share(value: Any, config: dict[str, Any]) -> None:
    if config["module"] == "__main__":
        config["module"] = None
    seen = _scopes.shared_configs
    if seen is None:
        return
    before = seen.setdefault(id(value), config)
    if before is not config:
        config["shared_object_id"] = before["shared_object_id"] = id(value)


def function_code(function: Any) -> tuple[str, Any, Any]:
    """A function's code as text, its default values, and what it closes over."""
    code = base64.encodebytes(marshal.dumps(function.__code__)).decode("ascii")
    cells = function.__closure__
    closure = tuple(cell.cell_contents for cell in cells) if cells else None
    return code, function.__defaults__, closure


def function_from_code(value: Any, defaults: Any = None, closure: Any = None) -> Any:
    """The function that `function_code` wrote. It is code: only in `safe_mode=False`."""
    if isinstance(value, list | tuple):
        value, defaults, closure = value
    code = marshal.loads(base64.decodebytes(value.encode("ascii")))
    cells = None if closure is None else tuple(types.CellType(item) for item in closure)
    given = None if defaults is None else tuple(defaults)
    return types.FunctionType(code, _names_for_code(), code.co_name, given, cells)


def _names_for_code() -> dict[str, Any]:
    """What a lambda that was written to a file can refer to."""
    keras = importlib.import_module(_HERE)
    tf = importlib.import_module(_HERE.rpartition(".")[0])
    names = {"np": np, "keras": keras, "ops": keras.ops, "K": keras.backend, "tf": tf}
    return {"__builtins__": __builtins__, **names}


UNSAFE = (
    "Requested the deserialization of a Python lambda (of a `Lambda` layer, say), which carries a "
    "potential risk of arbitrary code execution. If you trust the source of the file, pass "
    "`safe_mode=False` to the loading function, or call "
    "`keras.config.enable_unsafe_deserialization()`."
)


# Reading ------------------------------------------------------------------------------------------


def from_config(
    config: Any, custom_objects: Any = None, safe_mode: bool = True, **kwargs: Any
) -> Any:
    """What `to_config` was given (`keras.saving.deserialize_keras_object`). Plain data come back as
    they are.

    Raises TypeError for a class or function that is not known, ValueError for a lambda unless
    `safe_mode=False`.
    """
    if _scopes.safe_mode is not None:
        safe_mode = _scopes.safe_mode
    with CustomObjectScope(custom_objects), SafeModeScope(safe_mode):
        table = kwargs.pop("module_objects", None)
        if table is not None:
            return _from_table(config, table)
        return _read(config)


def _from_table(config: Any, table: dict[str, Any]) -> Any:
    """`config` names an entry of `table`, or an object of a user's own."""
    if isinstance(config, str):
        found = get_registered_object(config, module_objects=table)
        if found is None:
            return config
        return found() if isinstance(found, type) else found
    if isinstance(config, dict) and "class_name" in config:
        name, inner = config["class_name"], config.get("config")
        custom = get_registered_object(config.get("registered_name")) or get_registered_object(name)
        if name == "function":
            custom = custom or (get_registered_object(inner) if isinstance(inner, str) else None)
            named = inner if config.get("module") == "builtins" else config.get("registered_name")
            return custom if custom is not None else table.get(str(named), named)
        if custom is None:
            if config.get("module", "_") is None:
                raise TypeError(_unregistered(name))
            if name not in table:
                return name
            custom = table[name]
        return custom.from_config(_read_inner(config)) if inner is not None else custom()
    return _read(config)


def _unregistered(name: str) -> str:
    return (
        f"Cannot deserialize object of type `{name}`. If `{name}` is a custom class, please "
        "register it using the `@keras.saving.register_keras_serializable()` decorator."
    )


def _read(config: Any) -> Any:
    if isinstance(config, str):  # legacy files name functions by a plain string
        found = get_registered_object(config)
        return config if found is None else found
    if config is None or isinstance(config, bool | int | float):
        return config
    if isinstance(config, list | tuple):
        return [_read(item) for item in config]
    if not isinstance(config, dict):
        raise TypeError(f"Could not parse config: {config!r}")
    if "class_name" not in config or "config" not in config:
        return {key: _read(item) for key, item in config.items()}
    name = config["class_name"]
    inner = config["config"] if config["config"] is not None else {}
    if isinstance(name, str) and name.startswith("__"):
        return _read_special(name, inner, config)
    if name == "function":
        if not isinstance(inner, str):
            raise TypeError(
                f"Expected 'config' to be a non-null str for a function, got {inner!r}\n"
                f"Full config: {config}"
            )
        return _retrieve(inner, config, function=True)
    if not isinstance(inner, dict):
        raise TypeError(
            f"Expected 'config' to be a dict for {name}, got {type(inner).__name__}\n"
            f"Full config: {config}"
        )
    shared, number = _scopes.shared_objects, config.get("shared_object_id")
    if shared is not None and number in shared:
        return shared[number]
    made = _instance(_retrieve(name, config, function=False), inner, config)
    if shared is not None and number is not None:
        shared[number] = made
    return made


def _read_special(name: str, inner: Any, config: Any) -> Any:
    if name == "__keras_tensor__":
        return KerasTensor(inner["shape"], inner["dtype"])
    if name == "__tensor__":
        return creation.tensor(inner["value"], dtype=settings.to_dtype(inner["dtype"]))
    if name in ("__numpy__", "__array__"):
        return np.array(inner["value"], inner["dtype"])
    if name == "__bytes__":
        return inner["value"].encode("utf-8")
    if name == "__ellipsis__":
        return Ellipsis
    if name == "__slice__":
        return slice(*(_read(inner[part]) for part in ("start", "stop", "step")))
    if name == "__lambda__":
        if _scopes.safe_mode or _scopes.safe_mode is None:
            raise ValueError(UNSAFE)
        if "value" in inner:
            return function_from_code(inner["value"])
        return function_from_code(inner["code"], inner["defaults"], inner["closure"])
    if name == "__typespec__":
        if not isinstance(inner, list | tuple):
            raise TypeError(
                f"Expected 'config' to be a list or a tuple for a __typespec__ class name, got "
                f"{type(inner).__name__}\nFull config: {config}"
            )
        raise TypeError(f"there are no TensorFlow type specs here: {config}")
    raise TypeError(f"Could not locate class {name!r}. Full object config: {config}")


def _instance(cls: Any, inner: dict[str, Any], config: dict[str, Any]) -> Any:
    if isinstance(cls, types.FunctionType):
        return cls
    if not hasattr(cls, "from_config"):
        raise TypeError(
            f"Unable to reconstruct an instance of {config['class_name']!r} because the class is "
            f"missing a `from_config()` method. Full object config: {config}"
        )
    try:
        made = cls.from_config(dict(inner))
    except TypeError as error:
        raise TypeError(
            f"{cls} could not be deserialized properly. Please ensure that objects (layers, "
            "models, ...) that `get_config()` returns are explicitly deserialized in the class's "
            "`from_config()`.\n\n"
            f"config={config}.\n\nException encountered: {error}"
        ) from error
    build = config.get("build_config")
    if build and not made.built:
        made.build_from_config(build)
        made.built = True
    compiled = config.get("compile_config")
    if compiled:
        made.compile_from_config(compiled)
        made.compiled = True
    return made


def _read_inner(config: dict[str, Any]) -> dict[str, Any]:
    return dict(config["config"] or {})


def _retrieve(name: str, config: dict[str, Any], *, function: bool) -> Any:
    """The class or function that a config means; what a user registered comes first."""
    registered = name if function else config.get("registered_name", name)
    custom = get_registered_object(registered)
    if custom is not None:
        return custom
    module = config.get("module")
    if module == "keras" or (module or "").startswith("keras."):
        found = _of_keras(str(module), name)
        if found is not None:
            explicit = config.get("registered_name")
            if explicit and explicit not in (name, config.get("class_name")):
                raise ValueError(
                    f"`registered_name={explicit!r}` was provided in the config, but "
                    f"'{module}.{name}' resolved to a Keras built-in and does not use registered "
                    f"names. Full object config: {config}"
                )
            return found
        if module in ("keras.saving", "keras.models", "keras.utils", "keras.config",
                      "keras.backend", "keras.preprocessing"):  # fmt: skip
            raise ValueError(
                f"Cannot deserialize `{module}.{name}` because it is not a modeling function. "
                "A file can name layers, metrics, losses, and what you have registered."
            )
    if function and module == "builtins":
        for room in _FUNCTIONS:
            found = _of_keras(f"keras.{room}", name)
            if found is not None:
                return found
        # Keras up to 3.6 wrote the name only.
        for table in (_scopes.objects, GLOBAL_CUSTOM_OBJECTS):
            for custom_name, item in table.items():
                if custom_name.endswith(f">{name}"):
                    return item
    if module is None and "module" not in config and not function:  # Keras 2 names no module
        found = _legacy(name)
        if found is not None:
            return found
    kind = "function" if function else "class"
    raise TypeError(
        f"Could not locate {kind} '{name}'. Make sure custom classes and functions are decorated "
        "with `@keras.saving.register_keras_serializable()`, or pass "
        f"custom_objects={{{name!r}: ...}}. If they are already decorated, make sure they are all "
        f"imported so that the decorator is run before trying to load them.\n\nFull object "
        f"config: {config}"
    )


def _legacy(name: str) -> Any:
    for room in ("layers", "", "src.models.functional", "optimizers", "optimizers.schedules",
                 "initializers",
                 "regularizers", "constraints", "losses", "metrics"):  # fmt: skip
        found = _of_keras(f"keras.{room}".rstrip("."), name)
        if found is not None:
            return found
    return None


def lookup(identifier: Any, table: dict[str, Any], kind: str) -> Any:
    """The object of `table` that a name, a config or an object means; objects are returned as they
    are.
    """
    if isinstance(identifier, dict):
        return from_config(identifier)
    if isinstance(identifier, str):
        found = get_registered_object(identifier, module_objects=table)
        if found is None:
            names = sorted({n for n in table if n.islower()})
            raise ValueError(f"unknown {kind} {identifier!r}; known: {', '.join(names)}")
        return found
    return identifier


def _hashable(item: Any) -> bool:
    return getattr(type(item), "__hash__", None) is not None
