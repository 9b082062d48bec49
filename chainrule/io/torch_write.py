"""Writing files that `torch.load` reads, in PyTorch and here.

    file.pt  =  zip( name/data.pkl, name/byteorder, name/data/0, …, name/version )

Nothing is compressed, and the numbers of a storage begin at multiples of 64 bytes, so that a file
can be mapped. Tensors of one storage refer to it, as views do in memory.
"""

from __future__ import annotations

import io
import pickle
import struct
import sys
import zipfile
from collections import OrderedDict
from typing import IO, Any

import numpy as np

from chainrule import dtypes
from chainrule.devices import device
from chainrule.io.rebuild import STORAGES
from chainrule.nn.parameter import Buffer
from chainrule.tensor import Parameter, Size, Tensor
from chainrule.tensor.record import contiguous_strides

_ALIGNMENT = 64
_KINDS = {dtype: name for name, dtype in STORAGES.items() if name != "UntypedStorage"}


class _Name:
    """A name of PyTorch, to be written and not looked up."""

    def __init__(self, module: str, name: str) -> None:
        self.module, self.name = module, name

    def __call__(self, *_: Any) -> Any:
        raise TypeError(f"{self.module}.{self.name} is a name in a file")


_TENSOR = _Name("torch._utils", "_rebuild_tensor_v2")
_TENSOR_V3 = _Name("torch._utils", "_rebuild_tensor_v3")
_PARAMETER = _Name("torch._utils", "_rebuild_parameter")
_PARAMETER_WITH_STATE = _Name("torch._utils", "_rebuild_parameter_with_state")
_SIZE, _DEVICE = _Name("torch", "Size"), _Name("torch", "device")
_NAMES = {d: _Name("torch", d.name) for d in dtypes.ALL}
_STORAGE_NAMES = {name: _Name("torch", name) for name in STORAGES}
_STORAGE_NAMES["UntypedStorage"] = _Name("torch.storage", "UntypedStorage")


class _Reference:
    """A storage, where a tensor refers to it."""

    def __init__(self, kind: str, key: str, count: int) -> None:
        self.identity = ("storage", _STORAGE_NAMES[kind], key, "cpu", count)


#: The pickler that is written in Python: what it writes can be chosen.
_Pickler: Any = pickle._Pickler


class _Writer(_Pickler):  # type: ignore[misc]  # it has no annotations
    def __init__(self, file: IO[bytes], protocol: int) -> None:
        super().__init__(file, protocol)
        self.arrays: list[np.ndarray] = []
        self._keys: dict[tuple[int, int], str] = {}  # by address and size of the memory
        self._kept: list[Any] = []

    def save(self, obj: Any, save_persistent_id: bool = True) -> None:
        """One object."""
        if isinstance(obj, dtypes.DType):
            obj = _NAMES[obj]
        if type(obj) is _Name:
            known = self.memo.get(id(obj))
            if known is not None:
                self.write(self.get(known[0]))
                return
            self.write(pickle.GLOBAL + f"{obj.module}\n{obj.name}\n".encode())
            self.memoize(obj)
            return
        super().save(obj, save_persistent_id)

    def persistent_id(self, obj: Any) -> Any:
        """The name of a storage."""
        return obj.identity if type(obj) is _Reference else None

    def reducer_override(self, obj: Any) -> Any:
        """How a tensor is described."""
        if isinstance(obj, Tensor):
            self._kept.append(obj)  # its address stays its own
            return self._tensor(obj)
        if isinstance(obj, Size):
            return _SIZE, (tuple(obj),)
        if isinstance(obj, device):
            return _DEVICE, (obj.type,) if obj.index is None else (obj.type, obj.index)
        return NotImplemented

    def _tensor(self, t: Tensor) -> Any:
        if not t.is_leaf and t.requires_grad:
            t = t.detach().requires_grad_()
        if isinstance(t, Parameter):
            plain = t.detach()
            self._kept.append(plain)
            state = dict(vars(t))
            if state:
                return _PARAMETER_WITH_STATE, (plain, t.requires_grad, OrderedDict(), state)
            return _PARAMETER, (plain, t.requires_grad, OrderedDict())
        if type(t) is not Tensor and not isinstance(t, Buffer):
            return t.__reduce_ex__(self.proto)
        array = np.asarray(t._concrete())
        base = t.storage.array
        if base is None or not base.flags.c_contiguous or not _inside(array, base):
            base = array = np.ascontiguousarray(array).reshape(array.shape)
        step = array.dtype.itemsize
        offset = (_address(array) - _address(base)) // step
        steps = tuple(s // step for s in array.strides) if array.size else None
        stride = contiguous_strides(array.shape) if steps is None else steps
        kind = _KINDS.get(t.dtype, "UntypedStorage")
        if t.dtype.np != base.dtype:  # seen as another type
            kind = "UntypedStorage"
        reference = self._reference(base, kind)
        size = tuple(array.shape)
        layout: tuple[Any, ...] = (offset, size, stride, t.requires_grad, OrderedDict())
        if kind == "UntypedStorage":
            return _TENSOR_V3, (reference, *layout, t.dtype)
        return _TENSOR, (reference, *layout)

    def _reference(self, base: np.ndarray, kind: str) -> _Reference:
        place = (_address(base), base.nbytes) if base.nbytes else (id(base), 0)
        key = self._keys.get(place)
        if key is None:
            key = self._keys[place] = str(len(self.arrays))
            self.arrays.append(base)
        count = base.nbytes if kind == "UntypedStorage" else base.size
        reference = _Reference(kind, key, count)
        self._kept.append(reference)
        return reference


def _address(array: np.ndarray) -> int:
    return int(array.__array_interface__["data"][0])


def _inside(array: np.ndarray, base: np.ndarray) -> bool:
    """Whether every element lies in the base's memory, at a whole number of elements."""
    if array.dtype != base.dtype or any(s < 0 or s % base.itemsize for s in array.strides):
        return False
    if array.size == 0:
        return True
    start = _address(array) - _address(base)
    last = sum((n - 1) * s for n, s in zip(array.shape, array.strides, strict=True))
    return start >= 0 and start % base.itemsize == 0 and start + last < base.nbytes


def write_torch_file(value: Any, file: IO[bytes], name: str, protocol: int = 2) -> None:
    """Write a value as `torch.save` does.

    Raises pickle.PicklingError, AttributeError or TypeError for what cannot be pickled, such as a
    function defined inside another.
    """
    program = io.BytesIO()
    writer = _Writer(program, protocol)
    writer.dump(value)
    with zipfile.ZipFile(file, "w") as archive:
        _entry(archive, file, f"{name}/data.pkl", program.getvalue())
        _entry(archive, file, f"{name}/.format_version", b"1")
        _entry(archive, file, f"{name}/.storage_alignment", str(_ALIGNMENT).encode())
        _entry(archive, file, f"{name}/byteorder", sys.byteorder.encode())
        for key, array in enumerate(writer.arrays):
            _entry(archive, file, f"{name}/data/{key}", array.reshape(-1).view(np.uint8).data)
        _entry(archive, file, f"{name}/version", b"3\n")


def _entry(archive: zipfile.ZipFile, file: IO[bytes], name: str, data: Any) -> None:
    """One entry, whose bytes begin at a multiple of 64: filled up by a field that readers skip."""
    info = zipfile.ZipInfo(name)
    start = file.tell() + 30 + len(name.encode()) + 4
    gap = -start % _ALIGNMENT
    info.extra = struct.pack("<2sH", b"FB", gap) + b"Z" * gap
    archive.writestr(info, data)
