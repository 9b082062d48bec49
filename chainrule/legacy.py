"""Spellings of old PyTorch programs: `torch.FloatTensor([1, 2])`, `torch.LongTensor(3)`."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule import devices, dtypes
from chainrule.dtypes import DType
from chainrule.tensor import Tensor
from chainrule.tensor.creation import empty, tensor


class _Typed(type):
    """Calling makes a tensor of one dtype; isinstance asks for it."""

    dtype: DType

    def __call__(cls, *args: Any, **kwargs: Any) -> Tensor:
        devices.check(kwargs.pop("device", None))
        if kwargs:
            raise TypeError(f"{cls.__name__}() got unexpected arguments {sorted(kwargs)}")
        if len(args) == 1 and isinstance(args[0], (list, tuple, np.ndarray, Tensor)):
            return tensor(args[0], dtype=cls.dtype)
        return empty(*args, dtype=cls.dtype)

    def __instancecheck__(cls, x: object) -> bool:
        return isinstance(x, Tensor) and x.dtype is cls.dtype


class FloatTensor(metaclass=_Typed):
    """float32"""

    dtype = dtypes.float32


class DoubleTensor(metaclass=_Typed):
    """float64"""

    dtype = dtypes.float64


class HalfTensor(metaclass=_Typed):
    """float16"""

    dtype = dtypes.float16


class LongTensor(metaclass=_Typed):
    """int64"""

    dtype = dtypes.int64


class IntTensor(metaclass=_Typed):
    """int32"""

    dtype = dtypes.int32


class ShortTensor(metaclass=_Typed):
    """int16"""

    dtype = dtypes.int16


class CharTensor(metaclass=_Typed):
    """int8"""

    dtype = dtypes.int8


class BFloat16Tensor(metaclass=_Typed):
    """bfloat16"""

    dtype = dtypes.bfloat16


class ByteTensor(metaclass=_Typed):
    """uint8"""

    dtype = dtypes.uint8


class BoolTensor(metaclass=_Typed):
    """bool"""

    dtype = dtypes.bool_


def is_tensor(obj: object, /) -> bool:
    """Whether obj is a tensor."""
    return isinstance(obj, Tensor)


def set_default_tensor_type(t: Any) -> None:
    """The default dtype, by the old name of its tensors."""
    kind = t.rpartition(".")[2] if isinstance(t, str) else t.__name__
    dtypes.set_default_dtype(
        {
            "FloatTensor": dtypes.float32,
            "DoubleTensor": dtypes.float64,
            "HalfTensor": dtypes.float16,
        }[kind]
    )


def set_default_device(d: Any) -> None:
    """Checked: the CPU is the only device."""
    devices.check(d)


def get_default_device() -> devices.device:
    """The CPU."""
    return devices.device("cpu")
