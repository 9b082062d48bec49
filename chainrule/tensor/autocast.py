"""Autocast: which dtype a function computes in while `torch.autocast("cpu")` is on.

As PyTorch's CPU backend: functions that gain from a short dtype and lose little (products,
convolutions, attention) are `lower`; losses, what adds up much, and recurrent layers are `full`, in
float32. All others compute in the dtype of what they get, the widest of several. Each function says
which it is where it is defined; those of `torch` stand in the two lists here.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from chainrule import dtypes
from chainrule.dtypes import DType
from chainrule.tensor.functions import to_dtype
from chainrule.tensor.handle import Tensor

F = TypeVar("F", bound=Callable[..., Any])

#: Functions of `torch`, also as methods.
LOWER = frozenset((
    "addbmm", "addmm", "baddbmm", "bmm", "chain_matmul", "einsum", "matmul", "mm", "tensordot",
))  # fmt: skip
FULL = frozenset(("cdist", "nanquantile", "prod", "quantile", "trace"))

_DTYPES = {"cpu": dtypes.bfloat16}

#: As long as it is empty nothing is on in any thread: a call looks here first.
_on: set[int] = set()
_SHORT = (dtypes.bfloat16, dtypes.float16)


class _Here(threading.local):
    dtype: DType | None = None


_here = _Here()


def current() -> DType | None:
    """The short dtype of this thread's innermost block; None outside, or where it is disabled."""
    return _here.dtype


def enter(dtype: DType | None) -> None:
    """From now on."""
    _here.dtype = dtype
    if dtype is None:
        _on.discard(threading.get_ident())
    else:
        _on.add(threading.get_ident())


@contextmanager
def off() -> Iterator[None]:
    """Nothing is cast inside."""
    before = _here.dtype
    enter(None)
    try:
        yield
    finally:
        enter(before)


def get_dtype(device_type: str) -> DType:
    """The short dtype that a block gets which names none: bfloat16 on the CPU, else float16."""
    return _DTYPES.get(device_type, dtypes.float16)


def set_dtype(device_type: str, dtype: DType) -> None:
    """Choose it."""
    _DTYPES[device_type] = dtype


def lower(f: F) -> F:
    """A function that computes in the short dtype."""

    @functools.wraps(f)
    def g(*args: Any, **kw: Any) -> Any:
        if not _on or _here.dtype is None:
            return f(*args, **kw)
        dtype = _here.dtype
        return f(*[_cast(a, dtype) for a in args], **{k: _cast(v, dtype) for k, v in kw.items()})

    return g  # type: ignore[return-value]  # the same signature


def full(f: F) -> F:
    """A function that computes in float32."""

    @functools.wraps(f)
    def g(*args: Any, **kw: Any) -> Any:
        if not _on or _here.dtype is None:
            return f(*args, **kw)
        args = tuple(_widened(a) for a in args)
        with off():
            return f(*args, **{k: _widened(v) for k, v in kw.items()})

    return g  # type: ignore[return-value]  # the same signature


def plain(f: F) -> F:
    """A function that computes in the dtype of what it gets, also where it takes a product."""

    @functools.wraps(f)
    def g(*args: Any, **kw: Any) -> Any:
        if not _on or _here.dtype is None:
            return f(*args, **kw)
        with off():
            return f(*args, **kw)

    return g  # type: ignore[return-value]  # the same signature


def same(f: F) -> F:
    """A function whose result has the dtype of its first argument, whatever its parameters have."""

    @functools.wraps(f)
    def g(*args: Any, **kw: Any) -> Any:
        out = f(*args, **kw)
        if _on and _here.dtype is not None and args and isinstance(args[0], Tensor):
            return _cast(out, args[0].dtype)
        return out

    return g  # type: ignore[return-value]  # the same signature


def _cast(x: Any, dtype: DType) -> Any:
    if isinstance(x, Tensor):
        if x.dtype is dtype or not x.dtype.is_floating_point or x.dtype is dtypes.float64:
            return x
        return to_dtype(x, dtype)
    if type(x) in (list, tuple) and any(isinstance(v, Tensor) for v in x):
        return type(x)(_cast(v, dtype) for v in x)
    return x


def _widened(x: Any) -> Any:
    if isinstance(x, Tensor):
        return to_dtype(x, dtypes.float32) if x.dtype in _SHORT else x
    if type(x) in (list, tuple) and any(isinstance(v, Tensor) for v in x):
        return type(x)(_widened(v) for v in x)
    return x
