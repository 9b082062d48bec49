"""`__torch_function__`: classes of the user's own that say what PyTorch's functions do with them.

    class Tagged(torch.Tensor): …      what is computed from a Tagged is a Tagged
    class Logged(torch.Tensor):        sees every function that is called on it
        @classmethod
        def __torch_function__(cls, func, types, args=(), kwargs=None): …

A tensor that is no such thing pays nothing: the methods of a subclass are put on it when it is
defined, and functions ask `classes` first, which is empty where there is no tensor of one.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Iterable
from typing import Any

from chainrule.return_types import Result
from chainrule.tensor.handle import Parameter, Tensor, become, dispatching
from chainrule.tensor.record import chain

#: The subclasses that take part and of which there are tensors.
classes = dispatching

_here = threading.local()


class DisableTorchFunctionSubclass:
    """A block in which functions are called as on plain tensors."""

    def __enter__(self) -> None:
        _here.off = getattr(_here, "off", 0) + 1

    def __exit__(self, *_: object) -> None:
        _here.off -= 1


def _disabled(
    cls: type, func: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None
) -> Any:
    """`__torch_function__` of classes whose values are plain tensors once they are computed with,
    as `Parameter`.
    """
    with DisableTorchFunctionSubclass():
        return func(*args, **(kwargs or {}))


#: For class bodies: `__torch_function__ = disabled`.
disabled: Any = classmethod(_disabled)


def _default(
    cls: Any, func: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None
) -> Any:
    """`Tensor.__torch_function__`: the results are of the class that the function was called on."""
    if not all(issubclass(cls, t) for t in types):
        return NotImplemented
    with DisableTorchFunctionSubclass():
        found = func(*args, **(kwargs or {}))
    return found if getattr(func, "__name__", "") in _PLAIN else _as_class(found, cls, args)


#: What gives a tensor of its own class, or the very tensor that is stored.
_PLAIN = {"grad", "_base", "base", "data", "as_subclass"}


def _as_class(found: Any, cls: type, args: Any) -> Any:
    if isinstance(found, Tensor) and not isinstance(found, cls):
        if any(found is a for a in args):  # handed through: it stays what it is
            return as_subclass(found, cls)
        return become(found, cls)
    if type(found) in (tuple, list):
        return type(found)(_as_class(v, cls, args) for v in found)
    if isinstance(found, Result):
        return type(found)(_as_class(v, cls, args) for v in found)
    return found


def as_subclass(self: Tensor, cls: type) -> Any:
    """The same value and gradient, as an instance of a subclass of Tensor."""
    return become(chain(self, ()), cls)


def make_subclass(cls: type, data: Tensor, require_grad: bool = False, **_: Any) -> Any:
    """`Tensor._make_subclass`: a leaf of this class with the values of `data`."""
    out: Tensor = data.detach()
    out.detached = 0
    become(out, cls)
    return out.requires_grad_(require_grad) if require_grad else out


# ------------------------------------------------------------------ who is asked


def overloaded(arguments: Iterable[Any]) -> list[Any]:
    """The arguments that have a say, of each class one; subclasses before what they are made of."""
    found: list[Any] = []
    seen: list[type] = []
    for a in arguments:
        kind = type(a)
        if kind is Tensor or kind is Parameter or kind in seen:
            continue
        method = getattr(kind, "__torch_function__", None)
        if method is None or getattr(method, "__func__", method) is _disabled:
            continue
        at = next((i for i, t in enumerate(seen) if issubclass(kind, t)), len(seen))
        found.insert(at, a)
        seen.insert(at, kind)
    return found


def _flat(arguments: Iterable[Any]) -> Iterable[Any]:
    for a in arguments:
        if isinstance(a, (list, tuple)):
            yield from a
        else:
            yield a


def handle(
    func: Callable[..., Any], relevant: list[Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    """Ask them in turn; TypeError where all decline."""
    types = tuple(type(a) for a in relevant)
    for a in relevant:
        found = type(a).__torch_function__(func, types, args, kwargs)
        if found is not NotImplemented:
            return found
    raise TypeError(
        f"no implementation found for '{getattr(func, '__name__', func)}' on types that implement "
        f"__torch_function__: {list(types)}"
    )


def relevant_to(args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[Any]:
    """Who has a say in a call: nobody inside `DisableTorchFunctionSubclass`."""
    if getattr(_here, "off", 0):
        return []
    return overloaded(_flat((*args, *kwargs.values())))


def overridable(f: Callable[..., Any]) -> Callable[..., Any]:
    """A function that asks `__torch_function__` of its arguments, if a class has one."""

    @functools.wraps(f)
    def g(*args: Any, **kwargs: Any) -> Any:
        if classes and (asked := relevant_to(args, kwargs)):
            return handle(g, asked, args, kwargs)
        return f(*args, **kwargs)

    return g


# ------------------------------------------------------------------ subclasses

_OWN = {
    "__new__", "__init__", "__class__", "__hash__", "__init_subclass__", "__subclasshook__",
    "__torch_function__", "__slots__", "__module__", "__doc__", "__dir__", "__getattr__",
    "__reduce_ex__", "__array_priority__", "as_subclass", "_make_subclass", "__annotations__",
    "__setattr__", "__getattribute__", "__delattr__", "__sizeof__",
}  # fmt: skip


def _method(f: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(f)
    def g(self: Any, *args: Any, **kwargs: Any) -> Any:
        asked = relevant_to((self, *args), kwargs)
        return handle(f, asked, (self, *args), kwargs) if asked else f(self, *args, **kwargs)

    return g


def subclassed(cls: Any) -> None:
    """A class was derived from Tensor: its methods go by way of `__torch_function__`."""
    cls.dispatches = getattr(cls.__torch_function__, "__func__", None) is not _disabled
    if not cls.dispatches:
        return
    between = {n for base in cls.__mro__[: cls.__mro__.index(Tensor)] for n in vars(base)}
    for name, f in list(vars(Tensor).items()):
        public = not name.startswith("_") or (name.startswith("__") and name.endswith("__"))
        if callable(f) and not isinstance(f, type) and public and name not in _OWN | between:
            setattr(cls, name, _method(f))


def attach() -> None:
    """Give `Tensor` what its subclasses need."""
    plain: Any = Tensor
    plain.__torch_function__ = classmethod(_default)
    plain.__init_subclass__ = classmethod(lambda cls, **_: subclassed(cls))
    plain.as_subclass = as_subclass
    plain._make_subclass = staticmethod(make_subclass)
    parameter: Any = Parameter
    parameter.__torch_function__ = disabled
