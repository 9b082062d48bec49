"""Tensors from data: nested lists, NumPy's arrays, what other libraries hand over."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from chainrule import devices, dtypes
from chainrule.dtypes import DType
from chainrule.tensor.handle import Tensor, blank, from_array
from chainrule.tensor.making import finished
from chainrule.tensor.trace import Storage


def _array(data: Any, dtype: DType | None) -> np.ndarray:
    """Any data as an array of its own, in the dtype that PyTorch gives it."""
    if isinstance(data, Tensor):
        array = data._concrete()
    elif isinstance(data, (np.ndarray, np.generic)):
        array = np.asarray(data)
    else:
        if isinstance(data, (bytes, bytearray, memoryview)):
            data = list(data)
        typed = isinstance(data, (list, tuple)) and _is_typed(data)
        try:
            array = np.array(_plain(data)) if typed else np.asarray(data)
        except ValueError as e:
            raise ValueError(f"expected a rectangular nest of numbers: {e}") from None
        if typed:
            pass
        elif array.dtype == np.complex128:
            dtype = dtype or dtypes.get_default_dtype().to_complex()
        elif array.dtype == np.float64 or (array.size == 0 and array.dtype.kind != "b"):
            dtype = dtype or dtypes.get_default_dtype()
    if array.dtype == object:
        found = next((d for d in array.flat if not isinstance(d, (bool, int, float))), None)
        if array.ndim and not isinstance(found, (dict, set, type(None))):
            raise ValueError(f"expected a rectangular nest of numbers, got {type(found).__name__}")
        if found is None and any(isinstance(d, int) for d in array.flat):
            raise ValueError("Overflow when unpacking long long: an integer has 64 bits at most")
        raise RuntimeError(f"Could not infer dtype of {type(found).__name__}")
    if array.dtype.kind in "USmM":
        raise TypeError(
            f"can't convert data of type {array.dtype} to a tensor: give numbers in a rectangular "
            "nest"
        )
    if dtype is not None:
        return array.astype(dtypes.as_dtype(dtype).np, copy=True, order="C")
    dtypes.from_numpy(array.dtype)
    return np.array(array, copy=True, order="C")


def _is_typed(data: Any) -> bool:
    """Whether the numbers in a nest have types of their own: tensors and arrays."""
    return any(
        isinstance(d, (Tensor, np.ndarray)) or (isinstance(d, (list, tuple)) and _is_typed(d))
        for d in data
    )


def _plain(data: Any) -> Any:
    if isinstance(data, Tensor):
        if data.numel() != 1:
            raise ValueError("only one element tensors can be converted to Python scalars")
        return data._concrete().reshape(())
    return [_plain(d) for d in data] if isinstance(data, (list, tuple)) else data


def tensor(
    data: Any,
    *,
    dtype: DType | None = None,
    device: Any = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
) -> Tensor:
    """A new leaf from numbers, nested lists, an array or a tensor; the data are copied.

    >>> import chainrule as torch
    >>> torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    tensor([[1., 2.],
            [3., 4.]])
    """
    if isinstance(data, Tensor):
        warnings.warn(
            "To copy construct from a tensor, it is recommended to use "
            "sourceTensor.detach().clone() or sourceTensor.detach().clone().requires_grad_(True), "
            "rather than torch.tensor(sourceTensor).",
            stacklevel=3,
        )
    return copied(data, dtype, device, requires_grad)


def copied(
    data: Any, dtype: DType | None = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """A leaf with a copy of the data."""
    array = _array(data, dtype)
    return finished(from_array(array, dtypes.from_numpy(array.dtype)), requires_grad, device)


def as_tensor(data: Any, dtype: DType | None = None, device: Any = None) -> Tensor:
    """`data` as a tensor, without a copy where possible: a tensor is itself, an array shared."""
    devices.check(device)
    if isinstance(data, Tensor):
        return data if dtype is None or data.dtype is dtype else data.to(dtype)
    if isinstance(data, np.ndarray) and (dtype is None or data.dtype == dtype.np):
        return from_numpy(data)
    return copied(data, dtype)


def asarray(
    obj: Any,
    *,
    dtype: DType | None = None,
    device: Any = None,
    copy: bool | None = None,
    requires_grad: bool = False,
) -> Tensor:
    """Anything as a tensor: a tensor, an array, what speaks DLPack or the buffer protocol is shared
    unless copy=True; `copy=False` refuses what cannot be shared.
    """
    devices.check(device)
    given = obj
    if not isinstance(obj, (Tensor, np.ndarray)):
        if hasattr(obj, "__dlpack__"):
            given = from_dlpack(obj)
        elif isinstance(obj, (bytes, bytearray, memoryview)):
            given = frombuffer(obj, dtype=dtype or dtypes.get_default_dtype())
    shared = isinstance(given, (Tensor, np.ndarray))
    if copy or not shared:
        if copy is False:
            raise ValueError(f"can't alias a {type(obj).__name__}: its numbers must be copied")
        return copied(given, dtype, requires_grad=requires_grad)
    found = as_tensor(given)
    if dtype is not None and found.dtype is not dtype:
        if copy is False:
            raise ValueError(f"can't alias a {found.dtype} as {dtype}: it must be converted")
        found = found.to(dtype)
    if isinstance(obj, Tensor) and not requires_grad:
        return found.detach() if obj.requires_grad else found
    return finished(found, requires_grad)


def from_numpy(array: np.ndarray) -> Tensor:
    """A tensor that shares the array's memory: writing to one is seen in the other.

    An array with negative strides or foreign byte order cannot be shared and is refused, as in
    PyTorch.
    """
    if not isinstance(array, np.ndarray):
        kind = type(array)
        home = "" if kind.__module__ == "builtins" else f"{kind.__module__}."
        raise TypeError(f"expected np.ndarray (got {home}{kind.__name__})")
    if array.dtype.kind in "USOmMV" and array.dtype.itemsize != 2:
        raise TypeError(
            f"can't convert np.ndarray of type {array.dtype.type.__module__}."
            f"{array.dtype.type.__name__}. The only supported types are: float64, float32, "
            "float16, complex64, complex128, int64, int32, int16, int8, uint8, and bool."
        )
    dtype = dtypes.from_numpy(array.dtype)
    if any(s < 0 for s in array.strides):
        raise ValueError(
            "At least one stride in the given numpy array is negative, and tensors with negative "
            "strides are not "
            "currently supported. (You can probably work around this by making a copy of your "
            "array with array.copy().)"
        )
    if any(s % array.itemsize for s in array.strides):
        raise ValueError(
            "strides of the given numpy array are no multiples of its element size: copy() it first"
        )
    t: Tensor = blank(Tensor, Storage(array, None, None), array.shape, dtype)
    if not array.flags.c_contiguous:
        t.strides = tuple(s // array.itemsize for s in array.strides)
    if array.flags.writeable:
        t.storage.export = True
    return t


def from_owned(array: np.ndarray) -> Tensor:
    """A tensor that takes an array over, without a copy: nobody else may write to it afterwards."""
    return from_array(array, dtypes.from_numpy(array.dtype))


class _Capsule:
    """A bare capsule, as `to_dlpack` gives it, for NumPy, which asks an object for one."""

    def __init__(self, capsule: Any) -> None:
        self.capsule = capsule

    def __dlpack__(self, **_: Any) -> Any:
        return self.capsule

    def __dlpack_device__(self) -> tuple[int, int]:
        return (1, 0)


class _Writable:
    """A bare capsule does not say whether its memory may be written to; NumPy says no, and the
    other libraries yes.
    """

    def __init__(self, array: np.ndarray) -> None:
        self.array = array
        given = array.__array_interface__
        self.__array_interface__ = {**given, "data": (given["data"][0], False)}


def from_dlpack(ext_tensor: Any, *, device: Any = None, copy: bool | None = None) -> Tensor:
    """A tensor that shares memory with anything that speaks DLPack (or with a capsule of it).

    What is read-only there is copied by the first write here. `copy=True` copies at once.

    >>> import numpy as np
    >>> import chainrule as torch
    >>> a = np.zeros(2)
    >>> x = torch.from_dlpack(a)
    >>> x[0] = 5.0
    >>> a
    array([5., 0.])
    """
    devices.check(device)
    if not hasattr(ext_tensor, "__dlpack__"):
        bare: Any = _Writable(np.from_dlpack(_Capsule(ext_tensor)))
        return from_numpy(np.asarray(bare).copy() if copy else np.asarray(bare))
    array = np.from_dlpack(ext_tensor) if copy is None else np.from_dlpack(ext_tensor, copy=copy)
    return from_numpy(array)


def frombuffer(
    buffer: Any, *, dtype: DType, count: int = -1, offset: int = 0, requires_grad: bool = False
) -> Tensor:
    """A tensor over the memory of a buffer."""
    return finished(from_numpy(np.frombuffer(buffer, dtype.np, count, offset)), requires_grad)


def scalar_tensor(
    s: Any, *, dtype: DType | None = None, device: Any = None, requires_grad: bool = False, **_: Any
) -> Tensor:
    """A 0-d tensor."""
    return tensor(
        s, dtype=dtype or dtypes.get_default_dtype(), device=device, requires_grad=requires_grad
    )
