"""Which type numbers of several types meet in: Keras's lattice, as a table of what comes next.

Python's numbers are weak: an int with a float32 is a float32. A type's entry names the smallest
types that hold it; two types meet in the first one that can be reached from both.

    bool → int → uint8 → int16 → int32 → int64 → float → bfloat16, float16 → float32 → float64
                 int8 ↗                                                          ↓        ↓
                                                                         complex64 → complex128
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from chainrule.dtypes import DType
from chainrule.keras.arrays import to_tensor
from chainrule.keras.settings import floatx, standardize_dtype, to_dtype
from chainrule.tensor import Tensor

_NEXT = {
    "bool": ("int",),
    "int": ("uint8", "int8"),
    "uint8": ("int16",),
    "int8": ("int16",),
    "int16": ("int32",),
    "int32": ("int64",),
    "int64": ("float",),
    "float": ("bfloat16", "float16"),
    "bfloat16": ("float32",),
    "float16": ("float32",),
    "float32": ("float64", "complex64"),
    "float64": ("complex128",),
    "complex64": ("complex128",),
    "complex128": (),
}  # fmt: skip
_PYTHON = {bool: "bool", int: "int", float: "float", complex: "complex64"}


@functools.cache
def _above(dtype: str) -> dict[str, None]:
    """A type and all that hold it, nearest first."""
    found = {dtype: None}
    waiting = [dtype]
    while waiting:
        for name in _NEXT[waiting.pop(0)]:
            if name not in found:
                found[name] = None
                waiting.append(name)
    return found


@functools.cache
def _met(kinds: frozenset[str]) -> str:
    common = set.intersection(*(set(_above(k)) for k in kinds))
    # The least of what holds all is the one from which all the others can be reached.
    return next(name for name in common if common <= set(_above(name)))


def _kind(dtype: Any) -> str:
    if isinstance(dtype, type) and dtype in _PYTHON:
        return _PYTHON[dtype]
    if dtype in ("int", "float"):
        return str(dtype)
    return standardize_dtype(dtype)


def result_type(*dtypes: Any) -> str:
    """The type that numbers of these types meet in; without any, `floatx`.

    >>> result_type("int32", "float16"), result_type("uint8", "int8"), result_type(int, "int8")
    ('float16', 'int16', 'int8')
    """
    if not dtypes:
        return floatx()
    kinds = frozenset(_kind(floatx() if d is None else d) for d in dtypes)
    unknown = kinds - _NEXT.keys()
    if unknown:
        raise ValueError(f"Invalid `dtype` argument: {', '.join(sorted(unknown))}")
    found = _met(kinds)
    return {"int": "int32", "float": floatx()}.get(found, found)


def type_of(x: Any) -> Any:
    """The type of an operand, weak for Python's numbers."""
    if isinstance(x, Tensor):
        return x.dtype.name
    if isinstance(x, bool | int | float | complex) and not isinstance(x, np.generic):
        return type(x)
    return to_tensor(x).dtype.name


def real_type(dtype: Any) -> DType:
    """The type in which a function of real numbers is computed: whole numbers become floats."""
    name = standardize_dtype(dtype)
    return to_dtype(floatx() if name == "int64" else result_type(name, float))


def together(*xs: Any) -> list[Any]:
    """Operands as tensors of the type that they meet in."""
    dtype = to_dtype(result_type(*(type_of(x) for x in xs)))
    return [cast_to(x, dtype) for x in xs]


def numbers_stay(x1: Any, x2: Any) -> tuple[Any, Any]:
    """As `together`, but a Python number beside a tensor stays one, where that gives the same."""
    if isinstance(x1, Tensor) and isinstance(x2, Tensor) and x1.dtype is x2.dtype:
        return x1, x2
    dtype = to_dtype(result_type(type_of(x1), type_of(x2)))
    a, b = _number_or(x1, x2, dtype), _number_or(x2, x1, dtype)
    return a, b


def _number_or(x: Any, other: Any, dtype: DType) -> Any:
    if type(x) in (int, float) and isinstance(other, Tensor) and other.dtype is dtype:
        return x
    return cast_to(x, dtype)


def cast_to(x: Any, dtype: DType) -> Tensor:
    """A tensor of this type."""
    made = x if isinstance(x, Tensor) else to_tensor(x)
    return made if made.dtype is dtype else made.to(dtype)


def as_real(x: Any) -> Tensor:
    """A tensor of floats (or complex numbers)."""
    made = x if isinstance(x, Tensor) else to_tensor(x)
    if made.dtype.is_floating_point or made.dtype.is_complex:
        return made
    return made.to(real_type(made.dtype))
