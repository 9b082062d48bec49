"""`Tensor`: the user's handle on a storage.

Methods that compute live in `functions.py` and are attached from there; this file holds what makes
a handle: shape, views, gradient flags, the way into a trace, and the way out to NumPy.
"""

from __future__ import annotations

import copy
import warnings
import weakref
from threading import get_ident
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from chainrule import config, faces, ops, shapes
from chainrule.devices import device
from chainrule.dtypes import BY_NAME, FLOAT, DType, get_default_dtype
from chainrule.dtypes import from_numpy as _from_numpy
from chainrule.errors import NonFiniteError
from chainrule.ir.node import Node
from chainrule.ir.op import Op
from chainrule.layouts import layout, strided
from chainrule.tensor.trace import Storage, Trace, flush, glimpse, state

#: One step from a base to a view of it: the op and its attributes.
Step = tuple[Op, tuple[tuple[str, Any], ...]]


#: PyTorch's names of tensors by element type: torch.FloatTensor.
TENSOR_TYPES = {
    "float32": "FloatTensor",
    "float64": "DoubleTensor",
    "float16": "HalfTensor",
    "bfloat16": "BFloat16Tensor",
    "uint8": "ByteTensor",
    "int8": "CharTensor",
    "int16": "ShortTensor",
    "int32": "IntTensor",
    "int64": "LongTensor",
    "bool": "BoolTensor",
    "complex64": "ComplexFloatTensor",
    "complex128": "ComplexDoubleTensor",
}

#: `detached` of what `.data` gives.
SILENT = 2


class Size(tuple[int, ...]):
    """A shape, as `torch.Size`: a tuple that knows its number of elements.

    >>> Size((2, 3)).numel()
    6
    """

    __slots__ = ()

    def numel(self) -> int:
        return shapes.size(self)

    # What TensorFlow's programs ask of a shape.

    @property
    def rank(self) -> int:
        return len(self)

    ndims = rank

    def as_list(self) -> list[int]:
        """The sizes in a list."""
        return list(self)

    def num_elements(self) -> int:
        return shapes.size(self)

    def is_fully_defined(self) -> bool:
        return True

    def __repr__(self) -> str:
        return f"torch.Size([{', '.join(map(str, self))}])"

    def __getitem__(self, i: Any) -> Any:
        out = tuple.__getitem__(self, i)
        return Size(out) if isinstance(i, slice) else out

    def __add__(self, other: Any) -> Size:
        return Size(tuple(self) + tuple(other))


class Tensor:
    """An array whose value may still have to be computed.

    storage  the place that it shares with its views        chain    how it is seen there: view ops
    from the base
    node     its value in the trace with serial number       level    0 no gradient, 1 gradient, 2
             `seen_in`, at `version`                                  its graph was freed
    leaf     made by the user, not by an operation           history  (closed trace, node): where
    its gradient goes on
    detached 1: shares a storage, not its gradient; 2: and its writes are not counted (`.data`)
    """

    __slots__ = (
        "__dict__", "__weakref__", "_dtype", "_grad", "_hooks", "_shape", "base", "chain",
        "detached", "history", "leaf", "level", "node", "seen_in", "storage", "strides", "version",
    )  # fmt: skip

    #: Whether functions ask the class what they should do with its tensors (see `overriding`).
    dispatches: ClassVar[bool] = False

    storage: Storage
    _shape: tuple[int, ...]
    _dtype: DType
    chain: tuple[Step, ...]
    strides: tuple[int, ...] | None  # None: as rows of rows (C order)
    base: Tensor | None
    node: Node | None
    seen_in: int
    version: int
    level: int
    leaf: bool
    history: tuple[Trace, Node] | None
    detached: int
    _grad: Tensor | None
    _hooks: dict[int, Any] | None

    if TYPE_CHECKING:  # attached by functions.py

        def __getattr__(self, name: str) -> Any: ...
        def __add__(self, other: Any) -> Tensor: ...
        def __radd__(self, other: Any) -> Tensor: ...
        def __sub__(self, other: Any) -> Tensor: ...
        def __rsub__(self, other: Any) -> Tensor: ...
        def __mul__(self, other: Any) -> Tensor: ...
        def __rmul__(self, other: Any) -> Tensor: ...
        def __truediv__(self, other: Any) -> Tensor: ...
        def __rtruediv__(self, other: Any) -> Tensor: ...
        def __floordiv__(self, other: Any) -> Tensor: ...
        def __mod__(self, other: Any) -> Tensor: ...
        def __pow__(self, other: Any) -> Tensor: ...
        def __rpow__(self, other: Any) -> Tensor: ...
        def __matmul__(self, other: Any) -> Tensor: ...
        def __neg__(self) -> Tensor: ...
        def __invert__(self) -> Tensor: ...
        def __and__(self, other: Any) -> Tensor: ...
        def __or__(self, other: Any) -> Tensor: ...
        def __xor__(self, other: Any) -> Tensor: ...
        def __lt__(self, other: Any) -> Tensor: ...
        def __le__(self, other: Any) -> Tensor: ...
        def __gt__(self, other: Any) -> Tensor: ...
        def __ge__(self, other: Any) -> Tensor: ...
        def __abs__(self) -> Tensor: ...
        def __eq__(self, other: object) -> Any: ...
        def __ne__(self, other: object) -> Any: ...
        def __getitem__(self, index: Any) -> Tensor: ...
        def __setitem__(self, index: Any, value: Any) -> None: ...

    def __new__(cls, *args: Any, **kwargs: Any) -> Tensor:
        """`torch.Tensor(2, 3)` is uninitialised, `torch.Tensor([1, 2])` holds these numbers: both
        in the default type.
        """
        made = _construct(*args, **kwargs)
        return made if cls is Tensor else become(made, cls)

    # ------------------------------------------------------------------ what it is

    @property
    def shape(self) -> Size:
        return Size(self._shape)

    def get_shape(self) -> Size:
        """The shape, as TensorFlow's programs ask for it."""
        return Size(self._shape)

    def set_shape(self, shape: Any) -> None:
        """Nothing: the shape is known. ValueError where `shape` is another one."""
        if len(shape) != len(self._shape) or any(
            a is not None and a != b for a, b in zip(shape, self._shape, strict=True)
        ):
            raise ValueError(f"Tensor's shape {self._shape} is not compatible with {tuple(shape)}")

    @property
    def dtype(self) -> DType:
        return self._dtype

    @property
    def ndim(self) -> int:
        return len(self._shape)

    @property
    def device(self) -> device:
        return _CPU

    @property
    def is_leaf(self) -> bool:
        return self.leaf or not self.level

    @property
    def requires_grad(self) -> bool:
        return self.level > 0

    @requires_grad.setter
    def requires_grad(self, on: bool) -> None:
        self.requires_grad_(on)

    def requires_grad_(self, requires_grad: bool = True) -> Tensor:
        """Ask for gradients with respect to this tensor (or stop asking); leaves only."""
        if requires_grad and not self._dtype.is_differentiable:
            raise RuntimeError(
                "only Tensors of floating point and complex dtype can require gradients, this one "
                f"is {self._dtype}"
            )
        if not self.leaf and self.level:
            if requires_grad:
                return self
            raise RuntimeError(
                "you can only change requires_grad flags of leaf variables. If you want to use a "
                "computed variable in "
                "a subgraph that doesn't require differentiation use var_no_grad = var.detach()."
            )
        if bool(self.level) != bool(requires_grad):
            self.level, self.leaf = int(requires_grad), True
            self.seen_in = -1  # as a leaf it enters anew
        return self

    @property
    def grad(self) -> Tensor | None:
        """The gradient that `backward()` has added up; of leaves, and of what `retain_grad()` was
        called on.
        """
        g = self._grad
        if g is None and self.level and not self.leaf and not self.retains_grad:
            warnings.warn(
                "The .grad attribute of a Tensor that is not a leaf Tensor is being accessed. Its "
                ".grad attribute won't be populated during autograd.backward(). If you indeed want "
                "the .grad field to be populated for a non-leaf Tensor, use .retain_grad() on the "
                "non-leaf Tensor. If you access the non-leaf Tensor by mistake, make sure you "
                "access the leaf Tensor instead.",
                stacklevel=2,
            )
        return g

    @grad.setter
    def grad(self, value: Tensor | None) -> None:
        if value is not None:
            if not isinstance(value, Tensor):
                raise TypeError(
                    "assigned grad expected to be a Tensor or None but got grad of type "
                    f"{type(value).__name__}"
                )
            if value._shape != self._shape:
                raise RuntimeError(
                    f"attempting to assign a gradient of size '{list(value._shape)}' to a tensor "
                    f"of size '{list(self._shape)}'. Please ensure that the gradient and the "
                    "tensor are the same size"
                )
            if value._dtype is not self._dtype:
                raise RuntimeError(
                    f"attempting to assign a gradient with dtype '{value._dtype}' to a tensor with "
                    f"dtype '{self._dtype}'. Please ensure that the gradient and the tensor have "
                    "the same dtype"
                )
        self._grad = value

    @grad.deleter
    def grad(self) -> None:
        self._grad = None

    @property
    def retains_grad(self) -> bool:
        """Whether a computed tensor keeps its `.grad`: it has a table of hooks of its own then."""
        return not self.leaf and self._hooks is not None

    @property
    def data(self) -> Tensor:
        out: Tensor = self.detach()
        out.detached = SILENT
        return out

    @data.setter
    def data(self, value: Tensor) -> None:
        if not isinstance(value, Tensor):
            raise TypeError(f"Variable data has to be a tensor, but got {type(value).__name__}")
        other = value.detach()
        self.storage, self.chain, self.base = other.storage, other.chain, other.base
        self.strides, self._shape, self._dtype = other.strides, other._shape, other._dtype
        self.node = self.history = None
        self.seen_in = self.version = -1

    @property
    def _version(self) -> int:
        return self.storage.counted

    @property
    def is_cuda(self) -> bool:
        return False

    @property
    def is_sparse(self) -> bool:
        return False

    @property
    def is_nested(self) -> bool:
        return False

    @property
    def is_quantized(self) -> bool:
        return False

    @property
    def is_meta(self) -> bool:
        return False

    @property
    def layout(self) -> layout:
        return strided

    @property
    def output_nr(self) -> int:
        return 0

    @property
    def _base(self) -> Tensor | None:
        """The tensor that this one is a view of."""
        return self.base

    @property
    def itemsize(self) -> int:
        return self._dtype.itemsize

    @property
    def nbytes(self) -> int:
        return self._dtype.itemsize * shapes.size(self._shape)

    # ------------------------------------------------------------------ into a trace

    def _enter(self, trace: Trace) -> Node:
        """This tensor's value as a node of the current trace. May flush (then `state.trace` is
        another).
        """
        s = self.storage
        if s.trace is not None:
            if self._is_recorded_here(s):
                return self._refresh(s, trace)
            if s.trace is not None and (s.trace is state.trace or self.history_is_pending()):
                flush(s.trace)
        if trace.closed:  # by this look, or by that of another argument
            trace = state.trace
        array = s.array
        if array is None or self.chain or s.trace is not None:
            array = self._view()
        if s.export is not None and s.exported:  # its owner may write to it before it is computed
            if array.nbytes > config.snapshot_limit:
                trace.urgent = True
            else:
                array = array.copy()
        self.node = node = trace.bind(array, self._dtype, self)
        self.seen_in, self.version = trace.serial, s.version
        return node

    def _is_recorded_here(self, s: Storage) -> bool:
        """Whether the pending value is in this thread's trace; a leaf that was overwritten, or a
        view of one, must enter as such.
        """
        return s.trace is state.trace and not (self.is_of_leaf and state.grad)

    @property
    def is_of_leaf(self) -> bool:
        """Whether this is a leaf that asks for gradients, or a view of one."""
        if not self.level or (self.detached and not self.leaf):
            return False
        return self.leaf or (self.base is not None and self.base.leaf and self.base.level > 0)

    def history_is_pending(self) -> bool:
        """Whether a gradient has to go through a trace that another thread records."""
        return self.level > 0 and not self.leaf

    def _refresh(self, s: Storage, trace: Trace) -> Node:
        """The node of a value that is pending: from the base, by way of the views."""
        node = s.node
        assert node is not None
        for op, attrs in self.chain:
            node = op.make((node,), attrs)
        if self.detached:
            node = ops.stop_gradient(node)
        elif self.is_of_leaf:  # overwritten under no_grad, read under no_grad
            return node
        elif s.level > self.level:
            self.level, self.leaf = s.level, False
            trace.handles.append(self)
        self.node, self.seen_in, self.version = node, trace.serial, s.version
        return node

    def _view(self) -> np.ndarray:
        """The concrete array, seen through the views (shares memory with the storage)."""
        s = self.storage
        array = s.array if s.trace is None else glimpse(s)
        if array is None:
            assert s.failure is not None
            raise s.failure
        for op, attrs in self.chain:
            assert op.reference is not None
            array = op.reference(array, **dict(attrs))
        return array

    def _concrete(self) -> np.ndarray:
        """The array, computed if it must be."""
        trace = self.storage.trace
        if trace is not None and trace.scopes is not None and self._is_hidden():
            raise RuntimeError(
                "vmap: It looks like you're calling .item() on a Tensor (or looking at its value "
                "in another way: numpy(), tolist(), an operation whose result has a shape that "
                "depends on values). Inside vmap a tensor stands for many and has no value of its "
                "own; do it outside of vmap, or with other operations."
            )
        if trace is not None and trace.thread == get_ident():
            try:
                flush(trace, self.storage)
            except NonFiniteError:
                raise
            except Exception:
                if self.storage.failure is not None:  # else it was another value that failed
                    raise
        return self._view()

    # ------------------------------------------------------------------ out to NumPy

    def numpy(self, *, force: bool = False) -> np.ndarray:
        """A NumPy array that shares this tensor's memory."""
        if self.level and not force and not faces.is_keras_program():
            raise RuntimeError(
                "Can't call numpy() on Tensor that requires grad. Use tensor.detach().numpy() "
                "instead."
            )
        if self._dtype.name == "bfloat16" and not force:
            raise TypeError(
                "Got unsupported ScalarType BFloat16: NumPy has no such type; use .float().numpy()"
            )
        array = self._concrete()
        s = self.storage
        if self._dtype.name == "bfloat16":
            return array.copy()
        if s.export is True or array.size == 0:
            return array
        exporter = s.export() if s.export is not None else None
        if exporter is None:
            exporter = _Exporter(s)
            s.export = weakref.ref(exporter)
        return exporter.share(array)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        array = self.numpy(force=self._dtype.name == "bfloat16" and not self.level)
        if dtype is not None and array.dtype != dtype:
            return array.astype(dtype)
        return array.copy() if copy else array

    def __dlpack__(
        self,
        *,
        stream: Any = None,
        max_version: tuple[int, int] | None = None,
        dl_device: tuple[Any, int] | None = None,
        copy: bool | None = None,
    ) -> Any:
        """A capsule of this tensor's memory, for `from_dlpack` of another library."""
        if self.level:
            raise BufferError("Can't export tensors that require gradient, use tensor.detach()")
        return self.numpy().__dlpack__(
            stream=stream, max_version=max_version, dl_device=dl_device, copy=copy
        )

    def __dlpack_device__(self) -> tuple[int, int]:
        return (1, 0)

    def item(self) -> Any:
        """The one number that this tensor holds."""
        if shapes.size(self._shape) != 1:
            raise RuntimeError(
                f"a Tensor with {shapes.size(self._shape)} elements cannot be converted to Scalar"
            )
        return self._concrete().reshape(-1)[0].item()

    def tolist(self) -> Any:
        """Nested Python lists of numbers."""
        return self._concrete().tolist()

    def data_ptr(self) -> int:
        """Address of the first element."""
        return int(self._concrete().__array_interface__["data"][0])

    # ------------------------------------------------------------------ as a Python value

    def __bool__(self) -> bool:
        n = shapes.size(self._shape)
        if n != 1:
            raise RuntimeError(
                "Boolean value of Tensor with more than one value is ambiguous"
                if n
                else "Boolean value of Tensor with no values is ambiguous"
            )
        if self._is_hidden():
            raise RuntimeError(
                "vmap: It looks like you're attempting to use a Tensor in some data-dependent "
                "control flow: inside vmap a tensor stands for many, so there is no one truth "
                "value. Use torch.where, or decide outside of vmap."
            )
        return bool(self.item())

    def _is_hidden(self) -> bool:
        """Whether this is one of a batch, inside a transform: it has a value for all only."""
        trace = self.storage.trace
        return (
            trace is not None and trace.scopes is not None and bool(trace.hidden(self.storage.node))
        )

    def __int__(self) -> int:
        return int(self._real_number())

    def __float__(self) -> float:
        return float(self._real_number())

    def _number(self) -> Any:
        if shapes.size(self._shape) != 1:
            raise ValueError("only one element tensors can be converted to Python scalars")
        return self.item()

    def _real_number(self) -> Any:
        x = self._number()
        if not isinstance(x, complex):
            return x
        if x.imag:
            raise RuntimeError("value cannot be converted to type double without overflow")
        return x.real

    def __complex__(self) -> complex:
        return complex(self._number())

    def __index__(self) -> int:
        if self._dtype.is_differentiable:
            raise TypeError("only integer tensors of a single element can be converted to an index")
        return int(self.item())

    def __format__(self, spec: str) -> str:
        if not self._shape:
            return format(self.item(), spec)
        return object.__format__(self, spec) if spec else str(self)

    def __len__(self) -> int:
        if not self._shape:
            raise TypeError("len() of a 0-d tensor")
        return self._shape[0]

    __hash__ = object.__hash__  # `__eq__` compares elements

    def __deepcopy__(self, memo: dict[int, Any]) -> Tensor:
        if not self.is_leaf:
            raise RuntimeError(
                "Only Tensors created explicitly by the user (graph leaves) support the deepcopy "
                "protocol at the moment.  Take .detach() of a computed one."
            )
        out = self._copied(memo)
        memo[id(self)] = out
        return out

    def _copied(self, memo: dict[int, Any]) -> Tensor:
        """A leaf like this one; what shares a storage here shares one there."""
        if self.base is None and not self.chain:
            storage = memo.get(id(self.storage))
            if storage is None:
                array = self._concrete().copy(order="C")
                storage = memo[id(self.storage)] = Storage(array, None, None)
            out: Tensor = blank(type(self), storage, self._shape, self._dtype)
        else:
            base = self if self.base is None else self.base
            twin = memo.get(id(base))
            if twin is None:
                twin = memo[id(base)] = base.detach()._copied(memo)
            out = blank(type(self), twin.storage, self._shape, self._dtype)
            out.chain, out.strides, out.base = self.chain, self.strides, twin
        out.level = self.level
        if self._grad is not None:
            out._grad = self._grad.detach().clone()
        if self.__dict__:
            out.__dict__.update(copy.deepcopy(self.__dict__, memo))
        return out

    def __reduce_ex__(self, protocol: Any) -> Any:
        given = (np.asarray(self._concrete()), self._dtype.name, self.requires_grad, type(self))
        return (_rebuild, given, self.__dict__ or None)

    def __dir__(self) -> list[str]:
        return sorted(set(object.__dir__(self)))


class Parameter(Tensor):
    """A tensor that a module owns and an optimiser updates; it asks for gradients unless told
    otherwise.
    """

    def __new__(cls, data: Any = None, requires_grad: bool = True) -> Parameter:
        if data is None:
            data = from_array(np.empty(0, np.float32))
        if not isinstance(data, Tensor):
            raise TypeError(f"Parameter takes a Tensor, got {type(data).__name__}")
        out: Parameter = blank(cls, data.storage, data._shape, data._dtype)
        out.chain, out.base, out.strides = data.chain, data.base, data.strides
        out.detached = 0
        if requires_grad:
            if not data._dtype.is_differentiable:
                raise RuntimeError(
                    "only Tensors of floating point and complex dtype can require gradients, got "
                    f"{data._dtype}"
                )
            out.level = 1
        return out

    def __init__(self, data: Any = None, requires_grad: bool = True) -> None:
        super().__init__()

    def __repr__(self) -> str:
        return "Parameter containing:\n" + Tensor.__repr__(self)


class _Exporter:
    """Owner of the memory that NumPy was given: while an array of it lives, the storage counts as
    exported.
    """

    def __init__(self, s: Storage) -> None:
        self.storage = s

    def share(self, array: np.ndarray) -> np.ndarray:
        owner = _Interface(self, array)
        return np.asarray(owner)


class _Interface:
    """One array's description; NumPy keeps it as the `base`, and it keeps the exporter."""

    def __init__(self, exporter: _Exporter, array: np.ndarray) -> None:
        self.exporter, self.array = exporter, array
        self.__array_interface__ = array.__array_interface__


#: Classes with a `__torch_function__` of their own (see `overriding`) of which there are tensors:
#: functions ask them first, and most programs have none.
dispatching: list[type] = []


def note(cls: type[Any]) -> None:
    """There is a tensor of this class from now on."""
    if cls.dispatches and cls not in dispatching:
        dispatching.append(cls)


def become(t: Tensor, cls: type[Any]) -> Any:
    """The handle itself as an instance of a subclass."""
    t.__class__ = cls
    note(cls)
    return t


def blank(cls: type[Any], storage: Storage, shape: tuple[int, ...], dtype: DType) -> Any:
    """A handle with nothing set but what it must have."""
    t = object.__new__(cls)
    if cls is not Tensor and cls is not Parameter:
        note(cls)
    t.storage, t._shape, t._dtype = storage, shape, dtype
    t.chain, t.strides, t.base = (), None, None
    t.node = t.history = None
    t.seen_in = t.version = -1
    t.level, t.leaf, t.detached = 0, True, 0
    t._grad = t._hooks = None
    return t


def from_array(array: np.ndarray, dtype: DType | None = None, cls: type[Any] = Tensor) -> Any:
    """A leaf that owns `array` from now on."""
    from_type = dtype if dtype is not None else _from_numpy(array.dtype)
    if not array.flags.c_contiguous:
        array = np.ascontiguousarray(array)
    return blank(cls, Storage(array, None, None), array.shape, from_type)


def wrap(node: Node, level: int, leaf: bool = False) -> Tensor:
    """A handle on a value that was just recorded; whoever records calls `flush_if_due` once all its
    values are wrapped.
    """
    t = result(node, state.here.trace, level)
    if leaf:
        t.leaf = True
    return t


def result(node: Node, trace: Trace, level: int) -> Tensor:
    """A handle on a new value of this trace. As `blank`, in one piece: every operation does it."""
    t: Tensor = _new(Tensor)
    t.storage = s = Storage(None, node, trace)
    t._shape, t._dtype = node.shape, node.dtype
    t.chain, t.strides, t.base, t.history, t._grad, t._hooks = (), None, None, None, None, None
    t.node, t.seen_in, t.version = node, trace.serial, 0
    t.level = t.detached = 0
    t.leaf = True
    trace.storages.append(s)
    trace.values.append(node)
    if level and node.dtype.category >= FLOAT:
        t.level = s.level = level
        t.leaf = False
        trace.handles.append(t)
    return t


_new = object.__new__


def node_of(t: Tensor) -> Node:
    """The node of a tensor in the current trace."""
    trace = state.here.trace
    if t.seen_in == trace.serial and t.version == t.storage.version and t.node is not None:
        return t.node
    return t._enter(trace)


def _rebuild(array: np.ndarray, dtype: str, requires_grad: bool, cls: type[Any]) -> Any:
    out = from_array(array.copy(), BY_NAME[dtype], cls)
    out.level = int(requires_grad)
    return out


def _construct(*args: Any, **kwargs: Any) -> Tensor:
    kwargs.pop("device", None)
    if not args and not kwargs:
        return from_array(np.zeros(0, get_default_dtype().np), get_default_dtype())
    if kwargs:
        raise TypeError(
            f"Tensor() got unexpected arguments {sorted(kwargs)}; use torch.tensor(data, dtype=…)"
        )
    if len(args) == 1 and isinstance(args[0], Tensor):
        return args[0].detach()
    if len(args) == 1 and not isinstance(args[0], (int, Size)):
        array = np.array(args[0], get_default_dtype().np)
        return from_array(array, get_default_dtype())
    sizes = tuple(args[0]) if len(args) == 1 and isinstance(args[0], Size) else args
    return from_array(np.zeros(sizes, get_default_dtype().np), get_default_dtype())


_CPU = device("cpu")
