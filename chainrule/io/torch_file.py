"""Reading PyTorch's .pt and .pth files as data, without running them.

    file.pt  =  zip( name/data.pkl, name/data/0, name/data/1, …, name/byteorder )

`data.pkl` is a program for Python's pickle machine, which could call any function. Here a small
machine of our own reads it: it knows the instructions for numbers, strings and containers, and of
names only those in `_MAKERS`, `_DTYPES` and `_STORAGES`. Everything else, such as a pickled module,
is refused. The numbers lie beside it, one entry per storage, and are read as they are.
"""

from __future__ import annotations

import math
import pickletools
import zipfile
from collections import Counter, OrderedDict
from collections.abc import Callable
from typing import IO, Any, NamedTuple

import numpy as np

from chainrule import dtypes
from chainrule.devices import device
from chainrule.errors import DataError
from chainrule.tensor import Parameter, Tensor
from chainrule.tensor.handle import from_array

_STORAGES = {
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
_DTYPES = {f"torch.{name}": dtype for name, dtype in dtypes.BY_NAME.items()}


class _Global(NamedTuple):
    """A name in the file: never looked up in Python, only compared."""

    module: str
    name: str

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"


class _Storage(NamedTuple):
    dtype: dtypes.DType
    raw: np.ndarray  # bytes


# ---- what may be made ------------------------------------------------------------------------


def _tensor(
    storage: _Storage,
    offset: int,
    size: tuple[int, ...],
    stride: tuple[int, ...],
    requires_grad: bool = False,
    hooks: Any = None,
    metadata: Any = None,
) -> Tensor:
    return _view(storage, storage.dtype, offset, size, stride, requires_grad)


def _tensor_v3(
    storage: _Storage,
    offset: int,
    size: tuple[int, ...],
    stride: tuple[int, ...],
    requires_grad: bool,
    hooks: Any,
    dtype: dtypes.DType,
    metadata: Any = None,
) -> Tensor:
    return _view(storage, dtype, offset, size, stride, requires_grad)


def _view(
    storage: _Storage,
    dtype: dtypes.DType,
    offset: int,
    size: tuple[int, ...],
    stride: tuple[int, ...],
    requires_grad: bool,
) -> Tensor:
    flat = storage.raw.view(dtype.np)
    last = offset + sum((n - 1) * step for n, step in zip(size, stride, strict=True))
    inside = min((offset, *size, *stride)) >= 0 and last < flat.size
    if 0 not in size and not inside:
        raise DataError(
            f"a tensor of size {tuple(size)} reaches beyond its storage: a damaged file"
        )
    if math.prod(size) == 0:
        values = np.empty(size, dtype.np)
    else:
        strides = [step * dtype.itemsize for step in stride]
        values = np.lib.stride_tricks.as_strided(flat[offset:], size, strides).copy()
    tensor = from_array(values)
    return tensor.requires_grad_(True) if requires_grad else tensor


def _parameter(
    data: Tensor, requires_grad: bool, hooks: Any = None, state: Any = None
) -> Parameter:
    return Parameter(data.detach(), requires_grad=requires_grad)


def _from_type(maker: _Global, kind: Any, args: tuple[Any, ...], state: Any) -> Any:
    return _make(maker, args)  # a tensor with attributes of its own: the attributes are left out


def _bytes(text: str, encoding: str) -> bytes:
    return text.encode("latin1")  # how old pickle protocols write bytes


_MAKERS: dict[str, Callable[..., Any]] = {
    "torch._utils._rebuild_tensor": _tensor,
    "torch._utils._rebuild_tensor_v2": _tensor,
    "torch._utils._rebuild_tensor_v3": _tensor_v3,
    "torch._utils._rebuild_parameter": _parameter,
    "torch._utils._rebuild_parameter_with_state": _parameter,
    "torch._tensor._rebuild_from_type_v2": _from_type,
    "torch.nn.parameter.Parameter": Parameter,
    "torch.Size": tuple,
    "torch.device": device,
    "collections.OrderedDict": OrderedDict,
    "collections.Counter": Counter,
    "_codecs.encode": _bytes,
    **{
        f"{home}.{kind.__name__}": kind
        for home in ("builtins", "__builtin__")
        for kind in (set, frozenset, complex, bytearray, slice)
    },
}


def _named(path: _Global) -> Any:
    """What a name in the file stands for; a name that stands for code is an error."""
    if str(path) in _DTYPES:
        return _DTYPES[str(path)]
    tensor_kind = str(path) in ("torch.Tensor", "torch._tensor.Tensor", "torch.nn.parameter.Buffer")
    if str(path) in _MAKERS or path.name in _STORAGES or tensor_kind:
        return path
    raise DataError(
        f"the file holds more than values: it refers to `{path}`, so it was written by "
        "torch.save(model) or holds another pickled object, and reading that would run code. "
        "Load it once in PyTorch and save its values: torch.save(model.state_dict(), 'weights.pt');"
        " then load 'weights.pt' here and give it to model.load_state_dict()"
    )


def _make(maker: Any, args: tuple[Any, ...]) -> Any:
    if not isinstance(maker, _Global) or str(maker) not in _MAKERS:
        raise DataError(
            f"the file calls `{maker}`, which is none of the functions that build tensors"
        )
    try:
        return _MAKERS[str(maker)](*args)
    except TypeError as error:
        raise DataError(f"the file calls `{maker}` with arguments that it does not take") from error


# ---- the machine -----------------------------------------------------------------------------

_LITERALS = frozenset(
    [
        "BININT",
        "BININT1",
        "BININT2",
        "LONG1",
        "LONG4",
        "INT",
        "LONG",
        "BINFLOAT",
        "FLOAT",
        "BINUNICODE",
        "SHORT_BINUNICODE",
        "BINUNICODE8",
        "UNICODE",
        "BINBYTES",
        "SHORT_BINBYTES",
        "BINBYTES8",
        "BINSTRING",
        "SHORT_BINSTRING",
        "STRING",
        "BYTEARRAY8",
    ]
)
_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_TUPLES = {"EMPTY_TUPLE": 0, "TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
_PUTS, _GETS = ("PUT", "BINPUT", "LONG_BINPUT"), ("GET", "BINGET", "LONG_BINGET")


class _Machine:
    """A pickle machine that can build values and nothing else."""

    def __init__(self, storage: Callable[[Any], _Storage]) -> None:
        self.storage = storage
        self.stack: list[Any] = []
        self.marks: list[int] = []
        self.memo: dict[int, Any] = {}

    def run(self, program: bytes) -> Any:
        for opcode, argument, _ in pickletools.genops(program):
            if opcode.name == "STOP":
                return self.stack.pop()
            self.step(opcode.name, argument)
        raise DataError("the file's description of its values ends early")

    def step(self, name: str, argument: Any) -> None:
        stack = self.stack
        if name in _LITERALS:
            stack.append(argument)
        elif name in _CONSTANTS:
            stack.append(_CONSTANTS[name])
        elif name in _TUPLES:
            count = len(stack) - _TUPLES[name]
            stack[count:] = [tuple(stack[count:])]
        elif name in _PUTS:
            self.memo[argument] = stack[-1]
        elif name in _GETS:
            stack.append(self.memo[argument])
        else:
            self.build(name, argument)

    def build(self, name: str, argument: Any) -> None:
        stack = self.stack
        match name:
            case "PROTO" | "FRAME":
                pass
            case "MARK":
                self.marks.append(len(stack))
            case "MEMOIZE":
                self.memo[len(self.memo)] = stack[-1]
            case "POP":
                stack.pop()
            case "EMPTY_LIST":
                stack.append([])
            case "EMPTY_DICT":
                stack.append({})
            case "EMPTY_SET":
                stack.append(set())
            case "TUPLE":
                stack.append(tuple(self.above_mark()))
            case "LIST":
                stack.append(self.above_mark())
            case "DICT":
                stack.append(_dict(self.above_mark()))
            case "FROZENSET":
                stack.append(frozenset(self.above_mark()))
            case "APPEND":
                item = stack.pop()
                _filled(stack[-1], list).append(item)
            case "APPENDS":
                items = self.above_mark()
                _filled(stack[-1], list).extend(items)
            case "ADDITEMS":
                items = self.above_mark()
                _filled(stack[-1], set).update(items)
            case "SETITEM":
                value, key = stack.pop(), stack.pop()
                _filled(stack[-1], dict)[key] = value
            case "SETITEMS":
                items = self.above_mark()
                _filled(stack[-1], dict).update(_dict(items))
            case "GLOBAL":
                module, _, attribute = argument.partition(" ")
                stack.append(_named(_Global(module, attribute)))
            case "STACK_GLOBAL":
                attribute, module = stack.pop(), stack.pop()
                stack.append(_named(_Global(module, attribute)))
            case "REDUCE":
                args, maker = stack.pop(), stack.pop()
                stack.append(_make(maker, args))
            case "BINPERSID":
                stack.append(self.storage(stack.pop()))
            case "BUILD":
                state, owner = stack.pop(), stack[-1]
                if not isinstance(owner, OrderedDict) or not isinstance(state, dict):
                    raise DataError("the file sets attributes of something that is no OrderedDict")
                ordered: Any = owner
                if "_metadata" in state:
                    ordered._metadata = state["_metadata"]
            case _:
                raise DataError(
                    f"the file uses the pickle instruction {name}, which builds no plain value"
                )

    def above_mark(self) -> list[Any]:
        start = self.marks.pop()
        items = self.stack[start:]
        del self.stack[start:]
        return items


def _filled(container: Any, kind: type) -> Any:
    if not isinstance(container, kind):
        raise DataError(
            f"the file fills a {type(container).__name__} as if it were a {kind.__name__}"
        )
    return container


def _dict(items: list[Any]) -> dict[Any, Any]:
    return dict(zip(items[::2], items[1::2], strict=True))


# ---- the file --------------------------------------------------------------------------------


def read_torch_file(file: IO[bytes]) -> Any:
    """The value in a file that `torch.save` wrote (PyTorch 1.6 or later).

    Raises DataError for a pickled module or another object, for a damaged file, and for element
    types that do not exist here.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            names = archive.namelist()
            program = [name for name in names if name.endswith("/data.pkl")]
            if len(program) != 1:
                raise DataError("a zip file without data.pkl: not written by torch.save")
            if any(name.endswith("/constants.pkl") for name in names):
                raise DataError(
                    "a TorchScript archive (torch.jit.save) holds code. Save the values instead: "
                    "torch.save(module.state_dict(), 'weights.pt')"
                )
            folder = program[0].removesuffix("data.pkl")
            return _Machine(_storages(archive, folder)).run(archive.read(program[0]))
    except DataError:
        raise
    except Exception as error:  # a damaged file can fail anywhere in the zip reader
        raise DataError(f"a damaged file: {error!r}. Copy or download it again") from error


def _storages(archive: zipfile.ZipFile, folder: str) -> Callable[[Any], _Storage]:
    order = folder + "byteorder"
    swapped = order in archive.namelist() and archive.read(order) == b"big"
    read: dict[str, _Storage] = {}

    def storage(identity: Any) -> _Storage:
        if not (isinstance(identity, tuple) and len(identity) == 5 and identity[0] == "storage"):
            raise DataError(f"the file refers to {identity!r}, which is no storage")
        kind, key = identity[1], str(identity[2])
        if not isinstance(kind, _Global) or kind.name not in _STORAGES:
            raise DataError(f"{kind} has no counterpart here; convert the tensor in PyTorch first")
        if key not in read:
            dtype = _STORAGES[kind.name]
            raw = np.frombuffer(archive.read(f"{folder}data/{key}"), np.uint8)
            if swapped:
                raw = raw.reshape(-1, dtype.itemsize)[:, ::-1].reshape(-1).copy()
            read[key] = _Storage(dtype, raw)
        return read[key]

    return storage
