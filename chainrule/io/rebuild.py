"""What a file of `torch.save` says about tensors, made into tensors.

A file describes a tensor by a storage, an offset, a size and strides; several tensors may be of one
storage. They are made before the numbers are known: each layout of a storage gets a place of its
own, and `fill` gives all of them their arrays. Where a storage has several layouts, their arrays
are views of the same memory, and count as seen from outside (decision 0007), so that writing to one
is seen in the others.
"""

from __future__ import annotations

import math
from collections import Counter, OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from chainrule import dtypes
from chainrule.devices import device
from chainrule.errors import DataError
from chainrule.io.machine import Named
from chainrule.tensor import Parameter, Size, Tensor
from chainrule.tensor.handle import blank
from chainrule.tensor.record import contiguous_strides
from chainrule.tensor.trace import Storage

#: PyTorch's classes of storages, and their element types.
STORAGES = {
    "BoolStorage": dtypes.bool_,
    "ByteStorage": dtypes.uint8,
    "CharStorage": dtypes.int8,
    "ShortStorage": dtypes.int16,
    "IntStorage": dtypes.int32,
    "LongStorage": dtypes.int64,
    "HalfStorage": dtypes.float16,
    "BFloat16Storage": dtypes.bfloat16,
    "FloatStorage": dtypes.float32,
    "DoubleStorage": dtypes.float64,
    "ComplexFloatStorage": dtypes.complex64,
    "ComplexDoubleStorage": dtypes.complex128,
    "UntypedStorage": dtypes.uint8,
}
DTYPES = {f"torch.{name}": dtype for name, dtype in dtypes.BY_NAME.items()}

_Layout = tuple[dtypes.DType, int, tuple[int, ...], tuple[int, ...]]


@dataclass(eq=False)
class Block:
    """A storage of the file: its element type, and where its tensors look at it."""

    dtype: dtypes.DType
    key: str
    places: dict[_Layout, Storage] = field(default_factory=dict)
    handles: dict[_Layout, list[Tensor]] = field(default_factory=dict)


class Rebuild:
    """The functions that a file may call, for one file."""

    def __init__(self) -> None:
        self.blocks: dict[str, Block] = {}
        self._layouts: dict[int, tuple[Block, _Layout]] = {}  # by id of the place
        #: Classes that the user allows beside these, by their names.
        self.allowed: dict[str, Any] = {}
        self.makers: dict[str, Callable[..., Any]] = {
            "torch._utils._rebuild_tensor": self.tensor,
            "torch._utils._rebuild_tensor_v2": self.tensor,
            "torch._utils._rebuild_tensor_v3": self.tensor_v3,
            "torch._utils._rebuild_parameter": self.parameter,
            "torch._utils._rebuild_parameter_with_state": self.parameter,
            "torch._tensor._rebuild_from_type_v2": self.from_type,
            "torch.nn.parameter.Parameter": Parameter,
            "torch.Size": Size,
            "torch.device": device,
            "collections.OrderedDict": OrderedDict,
            "collections.Counter": Counter,
            "_codecs.encode": _bytes,
            **{
                f"{home}.{kind.__name__}": kind
                for home in ("builtins", "__builtin__")
                for kind in (set, frozenset, complex, bytearray, slice)
            },
            **_numpy_makers(),
        }

    # ------------------------------------------------------------------ what the file may call

    def tensor(
        self, block: Block, offset: int, size: Any, stride: Any, requires_grad: bool = False,
        hooks: Any = None, metadata: Any = None,
    ) -> Tensor:  # fmt: skip
        """A tensor of the storage's type."""
        return self._view(block, block.dtype, offset, size, stride, requires_grad)

    def tensor_v3(
        self, block: Block, offset: int, size: Any, stride: Any, requires_grad: bool,
        hooks: Any, dtype: dtypes.DType, metadata: Any = None,
    ) -> Tensor:  # fmt: skip
        """A tensor of another type than the storage."""
        return self._view(block, dtype, offset, size, stride, requires_grad)

    def parameter(
        self, data: Tensor, requires_grad: bool, hooks: Any = None, state: Any = None
    ) -> Parameter:
        """A parameter on a tensor's storage."""
        found = Parameter(data, requires_grad=requires_grad)
        self._remember(found)
        if isinstance(state, dict):
            vars(found).update(state)
        return found

    def from_type(self, maker: Any, kind: Any, args: tuple[Any, ...], state: Any) -> Any:
        """A tensor with attributes of its own: the attributes are left out."""
        return self.make(maker, args)

    def _view(
        self, block: Block, dtype: dtypes.DType, offset: int, size: Any, stride: Any, grad: bool
    ) -> Tensor:
        layout = (dtype, offset, tuple(size), tuple(stride))
        place = block.places.get(layout)
        if place is None:
            place = block.places[layout] = Storage(None, None, None)
            block.handles[layout] = []
            self._layouts[id(place)] = (block, layout)
        t: Tensor = blank(Tensor, place, layout[2], dtype)
        t.level = int(bool(grad))
        self._remember(t)
        return t

    def _remember(self, t: Tensor) -> None:
        found = self._layouts.get(id(t.storage))
        if found is not None:
            found[0].handles[found[1]].append(t)

    # ------------------------------------------------------------------ for the machine

    def named(self, path: Named) -> Any:
        """What a name in the file stands for; a name that stands for code is an error."""
        text = str(path)
        if text in DTYPES:
            return DTYPES[text]
        if text in self.allowed:
            return self.allowed[text]
        tensor_kind = text in ("torch.Tensor", "torch._tensor.Tensor", "torch.nn.parameter.Buffer")
        if text in self.makers or path.name in STORAGES or tensor_kind:
            return path
        raise DataError(
            f"the file holds more than values: it refers to `{path}`, so it was written by "
            "torch.save(model) or holds another pickled object, and reading that would run code. "
            "If chainrule wrote it and you trust it, load(f, weights_only=False) reads it. If "
            "PyTorch did, load it once there and save its values: "
            "torch.save(model.state_dict(), 'weights.pt'); then load 'weights.pt' here and give it "
            "to model.load_state_dict()"
        )

    def make(self, maker: Any, args: tuple[Any, ...]) -> Any:
        """What a call in the file gives."""
        if any(maker is kind for kind in self.allowed.values()):
            return maker.__new__(maker, *args) if isinstance(maker, type) else maker(*args)
        if not isinstance(maker, Named) or str(maker) not in self.makers:
            raise DataError(
                f"the file calls `{maker}`, which is none of the functions that build tensors"
            )
        try:
            return self.makers[str(maker)](*args)
        except TypeError as error:
            raise DataError(
                f"the file calls `{maker}` with arguments that it does not take"
            ) from error

    def build(self, owner: Any, state: Any) -> None:
        """Set the state of something that was made."""
        if isinstance(owner, (np.dtype, np.ndarray)):
            _set_numpy(owner, state)
        elif any(type(owner) is kind for kind in self.allowed.values()):
            if hasattr(owner, "__setstate__"):
                owner.__setstate__(state)
            else:
                vars(owner).update(state)
        else:
            raise DataError("the file sets attributes of something that is no OrderedDict")

    def stored(self, identity: Any) -> Block:
        """The storage that a reference in the file means."""
        if not (isinstance(identity, tuple) and len(identity) >= 5 and identity[0] == "storage"):
            raise DataError(f"the file refers to {identity!r}, which is no storage")
        kind, key = identity[1], str(identity[2])
        name = kind.name if isinstance(kind, Named) else getattr(kind, "name", "")
        if name not in STORAGES:
            raise DataError(f"{kind} has no counterpart here; convert the tensor in PyTorch first")
        if key not in self.blocks:
            self.blocks[key] = Block(STORAGES[name], key)
        return self.blocks[key]

    # ------------------------------------------------------------------ the numbers

    def fill(self, bytes_of: Callable[[Block], np.ndarray]) -> None:
        """Give all tensors their values. The arrays of bytes belong to them from now on."""
        for block in self.blocks.values():
            if not block.places:
                continue
            raw = bytes_of(block)
            views = {layout: _view(raw, layout) for layout in block.places}
            alone = len(views) == 1
            for layout, place in block.places.items():
                array, whole = views[layout]
                if alone:
                    place.array = array if whole and array.flags.writeable else array.copy("C")
                    continue
                place.array = array
                place.export = True  # other tensors are of the same memory
                steps = layout[3]
                if steps != contiguous_strides(layout[2]):
                    for t in block.handles[layout]:
                        t.strides = steps


def _view(raw: np.ndarray, layout: _Layout) -> tuple[np.ndarray, bool]:
    """A tensor's array in its storage, and whether it is all of it."""
    dtype, offset, size, stride = layout
    if raw.size % dtype.itemsize:
        raise DataError(f"a storage of {raw.size} bytes holds no whole number of {dtype}")
    flat = raw.view(dtype.np)
    last = offset + sum((n - 1) * step for n, step in zip(size, stride, strict=True))
    inside = min((offset, *size, *stride)) >= 0 and last < flat.size
    if 0 not in size and not inside:
        raise DataError(f"a tensor of size {size} reaches beyond its storage: a damaged file")
    if math.prod(size) == 0:
        return np.empty(size, dtype.np), True
    if offset == 0 and math.prod(size) == flat.size and stride == contiguous_strides(size):
        return flat.reshape(size), True
    strides = [step * dtype.itemsize for step in stride]
    return np.lib.stride_tricks.as_strided(flat[offset:], size, strides), False


def _bytes(text: str, encoding: str) -> bytes:
    return text.encode("latin1")  # how old pickle protocols write bytes


# ---- NumPy's arrays and numbers, as data ---------------------------------------------------------


def _dtype(code: Any, *_: Any) -> np.dtype:
    if not isinstance(code, str) or code[:1] not in "biufc" or not code[1:].isdigit():
        raise DataError(f"arrays of NumPy's type {code!r} are not read")
    return np.dtype(code, copy=True)


def _reconstruct(kind: Any, shape: Any, code: Any) -> np.ndarray:
    return np.ndarray((0,), np.uint8)


def _scalar(kind: Any, data: bytes) -> Any:
    if not isinstance(kind, np.dtype) or kind.kind not in "biufc":
        raise DataError("a damaged NumPy number")
    return np.frombuffer(data, kind)[0]


def _set_numpy(owner: Any, state: Any) -> None:
    """The byte order of a type; shape and numbers of an array."""
    if isinstance(owner, np.dtype):
        if state[1] not in ("<", ">", "|", "="):
            raise DataError("a damaged NumPy type")
        settable: Any = owner
        settable.__setstate__((3, state[1], None, None, None, -1, -1, 0))
        return
    _, shape, kind, in_columns, data = state
    if not isinstance(kind, np.dtype) or kind.kind not in "biufc" or not isinstance(data, bytes):
        raise DataError("a damaged NumPy array")
    owner.__setstate__((1, tuple(shape), kind, bool(in_columns), data))


def _numpy_makers() -> dict[str, Callable[..., Any]]:
    made: dict[str, Callable[..., Any]] = {"numpy.dtype": _dtype, "numpy.ndarray": _reconstruct}
    for home in ("numpy.core.multiarray", "numpy._core.multiarray"):
        made[f"{home}._reconstruct"] = _reconstruct
        made[f"{home}.scalar"] = _scalar
    return made
