"""`torch.jit`: programs are recorded and compiled without being asked to, so `script` and `trace`
give back what they were given: functions themselves, layers with a method `save`.

`save` writes the object with `torch.save`, `load` reads such a file. A TorchScript archive of
PyTorch is code in a language of its own and is refused.
"""

from __future__ import annotations

import builtins
import typing
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from chainrule import names, serialization
from chainrule.nn.modules.module import Module

__all__ = [
    "Attribute", "Final", "ScriptFunction", "ScriptModule", "annotate", "export", "fork", "freeze",
    "ignore", "interface", "is_scripting", "is_tracing", "isinstance", "load",
    "optimize_for_inference", "save", "script", "script_if_tracing", "script_method",
    "strict_fusion", "trace", "trace_module", "unused", "wait",
]  # fmt: skip

__getattr__ = names.later(__name__)


class ScriptModule(Module):
    """A layer by another name; its methods need no decorator."""

    def save(self, f: Any, _extra_files: dict[str, Any] | None = None) -> None:
        """`torch.jit.save(self, f)`."""
        save(self, f, _extra_files)


def _scripted(obj: Any) -> Any:
    """A layer as one that is also a ScriptModule: both have the same attributes, once."""
    if not builtins.isinstance(obj, Module) or builtins.isinstance(obj, ScriptModule):
        return obj
    original = type(obj)
    return _seen_as(type(original.__name__, (ScriptModule, original), {}), obj)


def _seen_as(kind: Any, obj: Any) -> Any:
    """An object of another class with the same attributes."""
    found = kind.__new__(kind)
    found.__dict__ = obj.__dict__
    return found


class ScriptFunction:
    """What `script` gives for a function in PyTorch; here it gives the function."""


RecursiveScriptModule = ScriptModule
Error = RuntimeError


class Attribute(typing.NamedTuple):
    """A value and its type; the value is what counts."""

    value: Any
    type: Any


def is_scripting() -> bool:
    """False: programs are not translated, they run."""
    return False


def is_tracing() -> bool:
    """False: whatever is recorded is recorded in every call."""
    return False


def script(
    obj: Any, optimize: Any = None, _frames_up: int = 0, _rcb: Any = None,
    example_inputs: Any = None,
) -> Any:  # fmt: skip
    """The function itself, or the layer with a method `save`."""
    return _scripted(obj)


def trace(
    func: Any, example_inputs: Any = None, optimize: Any = None, check_trace: bool = True,
    check_inputs: Any = None, check_tolerance: float = 1e-5, strict: bool = True,
    _force_outplace: bool = False, _module_class: Any = None, _compilation_unit: Any = None,
    example_kwarg_inputs: Any = None, _store_inputs: bool = True,
) -> Any:  # fmt: skip
    """As `script`: branches stay branches, which a trace would not keep."""
    return _scripted(func)


def trace_module(mod: Any, inputs: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
    """As `script`."""
    return _scripted(mod)


def ignore(drop: Any = False, **kwargs: Any) -> Any:
    """The function itself, with or without parentheses."""
    return drop if callable(drop) else (lambda f: f)


def unused(fn: Callable[..., Any]) -> Callable[..., Any]:
    """The function itself."""
    return fn


export = script_method = script_if_tracing = _script_if_tracing = interface = unused
_overload = _overload_method = unused


def annotate(the_type: Any, the_value: Any) -> Any:
    """The value."""
    return the_value


def freeze(
    mod: Any, preserved_attrs: Iterable[str] | None = None, optimize_numerics: bool = True
) -> Any:
    """The layer itself."""
    return mod


def optimize_for_inference(mod: Any, other_methods: Iterable[str] | None = None) -> Any:
    """The layer itself."""
    return mod


def fork(func: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """What the function gives, computed now."""
    return func(*args, **kwargs)


def wait(future: Any) -> Any:
    """What `fork` gave."""
    return future


@contextmanager
def strict_fusion() -> Iterator[None]:
    """The block runs as it is."""
    yield


def set_fusion_strategy(strategy: list[tuple[str, int]]) -> list[tuple[str, int]]:
    """Nothing is set by hand."""
    return strategy


def save(m: Any, f: Any, _extra_files: dict[str, Any] | None = None) -> None:
    """`torch.save(m, f)`: the layer and its values; who reads it needs its class."""
    kind = type(m)
    if kind.__bases__[:1] == (ScriptModule,) and len(kind.__bases__) == 2:
        m = _seen_as(kind.__bases__[1], m)  # the class that the program wrote
    serialization.save(m, f)


def load(
    f: Any, map_location: Any = None, _extra_files: dict[str, Any] | None = None,
    _restore_shapes: bool = False,
) -> Any:  # fmt: skip
    """What `save` wrote. As PyTorch's, a file of code: load those that you trust.

    Raises DataError for TorchScript archives.
    """
    return serialization.load(f, map_location, weights_only=False)


def isinstance(obj: Any, target_type: Any) -> bool:
    """`isinstance` for types with arguments, such as List[int]: the elements are looked at, too."""
    origin, inner = typing.get_origin(target_type), typing.get_args(target_type)
    if target_type is Any:
        return True
    if origin is None:
        return type(obj) is target_type or target_type in type(obj).__mro__
    if origin is typing.Union or origin.__name__ == "UnionType":
        return any(isinstance(obj, t) for t in inner)
    if origin not in type(obj).__mro__:
        return False
    if origin is dict:
        return all(isinstance(k, inner[0]) and isinstance(v, inner[1]) for k, v in obj.items())
    if origin is tuple and Ellipsis not in inner:
        return len(obj) == len(inner) and all(map(isinstance, obj, inner))
    return all(isinstance(x, inner[0]) for x in obj)
