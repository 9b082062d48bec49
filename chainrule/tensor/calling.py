"""How PyTorch's functions may be called: NumPy's names of arguments, `out=`, what must be a tensor.

Each function is written once and takes PyTorch's own names. `public` makes the form that a program
calls: `torch.sum(a=x, axis=0, out=y)`.
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable
from typing import Any

from chainrule import faces
from chainrule.errors import DtypeError
from chainrule.tensor import creation
from chainrule.tensor.handle import Tensor
from chainrule.tensor.mutate import assign
from chainrule.tensor.overriding import classes, handle, relevant_to
from chainrule.tensor.trace import state

#: NumPy's names for PyTorch's arguments.
_NAMES = {
    "axis": "dim", "keepdims": "keepdim", "x": "input", "a": "input", "x1": "input", "x2": "other",
}  # fmt: skip

#: Functions that take two numbers, too.
_NUMBERS_DO = {
    "add", "sub", "subtract", "mul", "multiply", "div", "divide", "true_divide", "floor_divide",
}  # fmt: skip


def _plain(f: Callable[..., Any]) -> Any:
    """The function that was written, below its wrappers."""
    while hasattr(f, "__wrapped__"):
        f = f.__wrapped__
    return f


def _parameters(f: Callable[..., Any]) -> tuple[str, ...]:
    code = getattr(_plain(f), "__code__", None)
    return () if code is None else code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]


def _renamed(names: tuple[str, ...], kw: dict[str, Any]) -> dict[str, Any]:
    """Keywords by PyTorch's names."""
    return {
        _NAMES[k] if k not in names and _NAMES.get(k) in names else k: v for k, v in kw.items()
    }


def with_names(f: Callable[..., Any]) -> Callable[..., Any]:
    """A method that takes NumPy's names for its arguments as well."""
    names = _parameters(f)

    @functools.wraps(f)
    def g(*args: Any, **kw: Any) -> Any:
        for k in kw:
            if k in _NAMES:
                return f(*args, **_renamed(names, kw))
        return f(*args, **kw)

    return g


def takes_axis(f: Callable[..., Any]) -> bool:
    """Whether NumPy would call one of its arguments `axis` or `keepdims`."""
    code = getattr(_plain(f), "__code__", None)
    return code is not None and not code.co_flags & 8 and "dim" in _parameters(f)


def public(f: Callable[..., Any]) -> Callable[..., Any]:
    """The function form: checks what must be a tensor, takes NumPy's names, and `out=`: a tensor
    (or a tuple of them) that receives the result.
    """
    names = _parameters(f)
    notes = getattr(_plain(f), "__annotations__", {})
    tensors = next((i for i, n in enumerate(names) if notes.get(n) != "Tensor"), len(names))
    of_input = names[:1] == ("input",)

    clashes = f.__name__ in faces.CLASHING

    @functools.wraps(f)
    def g(*args: Any, out: Any = None, **kw: Any) -> Any:
        if clashes and faces.speaks_tensorflow():
            return faces.tensorflow(f.__name__)(*args, **kw)
        given = kw
        try:
            if classes and (asked := relevant_to((*args, out), kw)):
                return handle(g, asked, args, kw if out is None else {**kw, "out": out})
            for k in kw:
                if k in _NAMES:
                    kw = _renamed(names, kw)
                    break
            if of_input and not (args and isinstance(args[0], Tensor)):
                asked = _check(f, names, tensors, args, kw)
                if asked:
                    return handle(g, asked, args, kw)
            elif tensors > 1:
                for i in range(1, min(tensors, len(args))):
                    if not isinstance(args[i], Tensor):
                        asked = _check(f, names, tensors, args, kw)
                        if asked:
                            return handle(g, asked, args, kw)
            if out is None:
                return f(*args, **kw)
            if isinstance(out, Tensor) and "dtype" in names and kw.get("dtype") is None:
                kw["dtype"] = out.dtype
            return _into(f.__name__, out, f(*args, **kw))
        except (TypeError, ValueError) as error:
            return faces.instead(f.__name__, error, args, given)

    return g


def _check(
    f: Callable[..., Any], names: tuple[str, ...], tensors: int, args: tuple[Any, ...],
    kw: dict[str, Any],
) -> list[Any]:  # fmt: skip
    """What must be a tensor is one, or somebody has a say in the call; else TypeError."""
    asked = relevant_to(args, kw)
    if asked and not all(isinstance(a, Tensor) for a in asked):
        return asked
    given = dict(zip(names, args, strict=False)) | kw
    for i, name in enumerate(names[:tensors]):
        if name not in given:
            raise TypeError(
                f'{f.__name__}() missing 1 required positional arguments: "{name}"'
            )
        if not isinstance(given[name], Tensor):
            raise TypeError(
                f"{f.__name__}(): argument '{name}' (position {i + 1}) must be Tensor, not "
                f"{type(given[name]).__name__}"
            )
    if f.__name__ in _NUMBERS_DO:
        return []
    numbers = [v for v in (given.get(n) for n in names[:2]) if v is not None]
    if names[1:2] and numbers and not any(isinstance(v, Tensor) for v in given.values()):
        raise TypeError(
            f"{f.__name__}() received an invalid combination of arguments - got "
            f"({', '.join(type(v).__name__ for v in args)}): one of them must be a Tensor"
        )
    return []


def _into(name: str, out: Any, result: Any) -> Any:
    if isinstance(out, Tensor):
        _write(name, out, result)
        return out
    if len(out) != len(result):
        raise TypeError(f"{name}(): expected {len(result)} tensors in out=, got {len(out)}")
    for o, r in zip(out, result, strict=True):
        _write(name, o, r)
    return type(result)(out)


def _write(name: str, o: Tensor, r: Tensor) -> None:
    if not isinstance(o, Tensor):
        raise TypeError(f"{name}(): argument 'out' must be Tensor, not {type(o).__name__}")
    if state.grad and (o.level or r.level):
        raise RuntimeError(
            f"{name}(): functions with out=... arguments don't support automatic differentiation, "
            "but one of the arguments requires grad."
        )
    if r._dtype.category > o._dtype.category:
        raise DtypeError(
            f"result type {r._dtype} can't be cast to the desired output type {o._dtype}"
        )
    if o._shape != r._shape:
        if o.numel():
            warnings.warn(
                "An output with one or more elements was resized since it had shape "
                f"{list(o._shape)}, which does not match the required output shape "
                f"{list(r._shape)}. This behavior is deprecated, and in a future PyTorch release "
                "outputs will not be resized unless they have zero elements. You can explicitly "
                "reuse an out tensor t by resizing it, inplace, to zero elements with "
                "t.resize_(0).",
                stacklevel=4,
            )
        o.data = creation.empty(r._shape, dtype=o._dtype)
    assign(o, r)
