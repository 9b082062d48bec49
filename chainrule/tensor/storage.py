"""What a program sees of a storage: `x.storage()`, `x.untyped_storage()`, strides by hand.

The library's own `Storage` says where a value is. These classes show it as PyTorch does: as a flat
row of elements (`TypedStorage`) or bytes (`UntypedStorage`). They look, so the value is computed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from chainrule import dtypes, ops, shapes
from chainrule.devices import device
from chainrule.dtypes import DType
from chainrule.tensor.handle import Tensor
from chainrule.tensor.record import chain, probe
from chainrule.tensor.trace import Storage, flush


def _array(s: Storage) -> np.ndarray:
    """The elements in the order of memory."""
    if s.trace is not None:
        flush(s.trace)
    array = s.array
    if array is None:
        assert s.failure is not None
        raise s.failure
    return array.reshape(-1)


def _writable(s: Storage) -> np.ndarray:
    """The same, to be written to: who has read it must see that."""
    array = _array(s)
    if not np.shares_memory(array, s.array) and array.size:
        raise RuntimeError("this storage has gaps (it is a NumPy array's): copy it with clone()")
    s.version += 1
    return array


class UntypedStorage:
    """The bytes of a storage."""

    def __init__(self, of: Any = 0) -> None:
        own = isinstance(of, Storage)
        self._of = of if own else Storage(np.zeros(int(of), np.uint8), None, None)

    def _bytes(self) -> np.ndarray:
        return _array(self._of).view(np.uint8)

    def nbytes(self) -> int:
        """Number of bytes."""
        return self._bytes().size

    size = __len__ = nbytes

    def data_ptr(self) -> int:
        """Address of the first byte."""
        return int(_array(self._of).__array_interface__["data"][0])

    def __getitem__(self, i: Any) -> Any:
        found = self._bytes()[i]
        return found.tolist() if isinstance(found, np.ndarray) else int(found)

    def __setitem__(self, i: Any, value: Any) -> None:
        _writable(self._of).view(np.uint8)[i] = value

    def __iter__(self) -> Iterator[int]:
        return iter(self.tolist())

    def tolist(self) -> list[int]:
        """The bytes as numbers."""
        found: list[int] = self._bytes().tolist()
        return found

    def __eq__(self, other: object) -> bool:
        return isinstance(other, UntypedStorage) and other._of is self._of

    def __hash__(self) -> int:
        return id(self._of)

    @property
    def device(self) -> device:
        return device("cpu")

    @property
    def is_cuda(self) -> bool:
        return False

    def element_size(self) -> int:
        """1: bytes."""
        return 1

    def is_shared(self) -> bool:
        """Whether other processes see it."""
        return False

    def fill_(self, value: int) -> UntypedStorage:
        """Every byte = value."""
        _writable(self._of).view(np.uint8)[:] = value
        return self

    def clone(self) -> UntypedStorage:
        """A copy."""
        return UntypedStorage(Storage(_array(self._of).copy(), None, None))

    def cpu(self) -> UntypedStorage:
        """Itself: it is there."""
        return self

    def __repr__(self) -> str:
        lines = "\n".join(f" {b}" for b in self.tolist())
        return f"{lines}\n[torch.storage.UntypedStorage(device=cpu) of size {self.nbytes()}]"


class TypedStorage:
    """The elements of a storage as one flat row."""

    def __init__(self, of: Storage) -> None:
        self._of = of

    @property
    def dtype(self) -> DType:
        return dtypes.from_numpy(_array(self._of).dtype)

    @property
    def device(self) -> device:
        return device("cpu")

    @property
    def is_cuda(self) -> bool:
        return False

    def size(self) -> int:
        """Number of elements."""
        return _array(self._of).size

    __len__ = size

    def nbytes(self) -> int:
        """Number of bytes."""
        return _array(self._of).nbytes

    def element_size(self) -> int:
        """Bytes of an element."""
        return _array(self._of).itemsize

    def data_ptr(self) -> int:
        """Address of the first element."""
        return self.untyped().data_ptr()

    def untyped(self) -> UntypedStorage:
        """Its bytes."""
        return UntypedStorage(self._of)

    def __getitem__(self, i: Any) -> Any:
        return _array(self._of)[i].tolist()

    def __setitem__(self, i: Any, value: Any) -> None:
        _writable(self._of)[i] = value

    def __iter__(self) -> Iterator[Any]:
        return iter(self.tolist())

    def tolist(self) -> list[Any]:
        """The elements as numbers."""
        found: list[Any] = _array(self._of).tolist()
        return found

    def fill_(self, value: Any) -> TypedStorage:
        """Every element = value."""
        _writable(self._of)[:] = value
        return self

    def clone(self) -> TypedStorage:
        """A copy."""
        return TypedStorage(Storage(_array(self._of).copy(), None, None))

    def cpu(self) -> TypedStorage:
        """Itself: it is there."""
        return self

    def is_shared(self) -> bool:
        """Whether other processes see it."""
        return False

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TypedStorage) and other._of is self._of

    def __hash__(self) -> int:
        return id(self._of)

    def __repr__(self) -> str:
        lines = "\n".join(f" {v}" for v in self.tolist())
        kind = f"torch.storage.TypedStorage(dtype=torch.{self.dtype.name}, device=cpu)"
        return f"{lines}\n[{kind} of size {self.size()}]"


def typed(s: Storage) -> TypedStorage:
    """`x.storage()`: a tensor's storage is an attribute here, which is called."""
    return TypedStorage(s)


# ------------------------------------------------------------------ strides by hand


def storage_offset(t: Tensor) -> int:
    """How many elements of the storage stand before the first of this view."""
    base = t if t.base is None else t.base
    first = seen = probe(base._shape, base.strides)
    for op, attrs in t.chain:
        assert op.reference is not None
        seen = op.reference(seen, **dict(attrs))
    a, b = (int(p.__array_interface__["data"][0]) for p in (first, seen))
    return b - a if seen.size else 0


def as_strided(
    input: Tensor, size: Sequence[int], stride: Sequence[int], storage_offset: int | None = None
) -> Tensor:
    """The storage of `input` seen with other strides: y[i, j] = storage[offset + i·s₀ + j·s₁].

    A view: what is written to it is written to `input`.

    >>> import chainrule as torch
    >>> torch.as_strided(torch.arange(6), (2, 2), (1, 2))
    tensor([[0, 2],
            [1, 3]])
    """
    shape, strides = shapes.unpack((size,)), shapes.unpack((stride,))
    if len(shape) != len(strides):
        raise RuntimeError("mismatch in length of strides and shape")
    base = input if input.base is None else input.base
    offset = _offset(input) if storage_offset is None else int(storage_offset)
    attrs = (("size", shape), ("stride", strides), ("offset", offset))
    last = offset + sum((n - 1) * s for n, s in zip(shape, strides, strict=True))
    if shapes.size(shape) and not 0 <= last < shapes.size(base._shape):
        raise RuntimeError(
            f"setStorage: sizes {list(shape)}, strides {list(strides)}, storage offset {offset} "
            f"are out of bounds for storage of {shapes.size(base._shape)} elements"
        )
    return chain(base, ((ops.strided, attrs),))


_offset = storage_offset


__all__ = [
    "TypedStorage", "UntypedStorage", "as_strided", "storage_offset", "typed",
]  # fmt: skip
