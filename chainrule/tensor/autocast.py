"""Autocast: which dtype an operation computes in while `torch.autocast("cpu")` is on.

Three lists, by name of the operation: those that gain from a short dtype and do not lose by it, the
losses and sums that need float32, and those of several tensors that take the widest of them. All
others compute in the dtype of what they get. The lists are those of PyTorch's CPU backend.
"""

from __future__ import annotations

import threading

from chainrule import dtypes
from chainrule.dtypes import DType

_DTYPES = {"cpu": dtypes.bfloat16}


class _Here(threading.local):
    dtype: DType | None = None


_here = _Here()


def current() -> DType | None:
    """The short dtype of this thread's innermost block; None outside, or where it is disabled."""
    return _here.dtype


def enter(dtype: DType | None) -> None:
    """From now on."""
    _here.dtype = dtype


def get_dtype(device_type: str) -> DType:
    """The short dtype that a block gets which names none: bfloat16 on the CPU, else float16."""
    return _DTYPES.get(device_type, dtypes.float16)


def set_dtype(device_type: str, dtype: DType) -> None:
    """Choose it."""
    _DTYPES[device_type] = dtype
