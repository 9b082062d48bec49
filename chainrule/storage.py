"""`torch.storage`: a tensor's memory as programs see it, and old names of typed storages."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule import dtypes, names
from chainrule.tensor.storage import TypedStorage, UntypedStorage
from chainrule.tensor.trace import Storage


class _Kind(type):
    """`torch.FloatStorage(3)` makes a storage of one type; isinstance asks for it."""

    dtype: dtypes.DType

    def __call__(cls, given: Any = 0) -> TypedStorage:
        kind = cls.dtype.np
        array = np.zeros(given, kind) if isinstance(given, int) else np.asarray(given, kind).copy()
        return TypedStorage(Storage(array, None, None))

    def __instancecheck__(cls, x: object) -> bool:
        return isinstance(x, TypedStorage) and x.dtype is cls.dtype


def _kind(name: str, dtype: dtypes.DType) -> Any:
    text = f"A flat row of {dtype.name}."
    return _Kind(name, (), {"dtype": dtype, "__doc__": text, "__module__": __name__})


FloatStorage = _kind("FloatStorage", dtypes.float32)
DoubleStorage = _kind("DoubleStorage", dtypes.float64)
HalfStorage = _kind("HalfStorage", dtypes.float16)
BFloat16Storage = _kind("BFloat16Storage", dtypes.bfloat16)
LongStorage = _kind("LongStorage", dtypes.int64)
IntStorage = _kind("IntStorage", dtypes.int32)
ShortStorage = _kind("ShortStorage", dtypes.int16)
CharStorage = _kind("CharStorage", dtypes.int8)
ByteStorage = _kind("ByteStorage", dtypes.uint8)
BoolStorage = _kind("BoolStorage", dtypes.bool_)
ComplexFloatStorage = _kind("ComplexFloatStorage", dtypes.complex64)
ComplexDoubleStorage = _kind("ComplexDoubleStorage", dtypes.complex128)


def is_storage(obj: object) -> bool:
    """Whether obj is a storage.

    >>> import chainrule as torch
    >>> torch.is_storage(torch.ones(2).untyped_storage())
    True
    """
    return isinstance(obj, (TypedStorage, UntypedStorage))


__all__ = [
    "BFloat16Storage", "BoolStorage", "ByteStorage", "CharStorage", "ComplexDoubleStorage",
    "ComplexFloatStorage", "DoubleStorage", "FloatStorage", "HalfStorage", "IntStorage",
    "LongStorage", "ShortStorage", "TypedStorage", "UntypedStorage", "is_storage",
]  # fmt: skip

__getattr__ = names.later(__name__)
