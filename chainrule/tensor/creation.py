"""Making tensors: from data, by filling, by counting, by chance. PyTorch's names, defaults and
errors.
"""

from __future__ import annotations

import builtins
import math
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from chainrule import devices, dtypes, ops, shapes
from chainrule.dtypes import DType
from chainrule.errors import DtypeError, ShapeError
from chainrule.ir.node import Node
from chainrule.ops.random import blocks, normal_blocks
from chainrule.runtime import random as streams
from chainrule.runtime.random import Generator
from chainrule.tensor.handle import Size, Tensor, blank, from_array, wrap
from chainrule.tensor.record import apply, found_node, varying, varying_fill
from chainrule.tensor.trace import Storage, flush_if_due, state


def _finish(t: Tensor, requires_grad: bool, device: Any = None) -> Tensor:
    devices.check(device)
    flush_if_due(state.trace)
    return t.requires_grad_() if requires_grad else t


def _sizes(size: tuple[Any, ...]) -> tuple[int, ...]:
    if len(size) == 1 and isinstance(size[0], (tuple, list, Size)):
        size = tuple(size[0])
    for n in size:
        if isinstance(n, float):
            raise TypeError(
                "argument 'size' (position 1) must be tuple of ints, but found element of type "
                f"float: {n}"
            )
    out = tuple(int(n) for n in size)
    if any(n < 0 for n in out):
        raise ShapeError(f"Trying to create tensor with negative dimension: {list(out)}")
    return out


# ------------------------------------------------------------------ from data


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
    return _finish(from_array(array, dtypes.from_numpy(array.dtype)), requires_grad, device)


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
    return _finish(found, requires_grad)


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
    return _finish(from_numpy(np.frombuffer(buffer, dtype.np, count, offset)), requires_grad)


def scalar_tensor(
    s: Any, *, dtype: DType | None = None, device: Any = None, requires_grad: bool = False, **_: Any
) -> Tensor:
    """A 0-d tensor."""
    return tensor(
        s, dtype=dtype or dtypes.get_default_dtype(), device=device, requires_grad=requires_grad
    )


# ------------------------------------------------------------------ filling


def full(
    size: Any,
    fill_value: Any,
    *,
    dtype: DType | None = None,
    device: Any = None,
    requires_grad: bool = False,
    out: Tensor | None = None,
    layout: Any = None,
    pin_memory: bool = False,
    names: Any = None,
) -> Tensor:
    """One number everywhere; its Python type gives the dtype."""
    if isinstance(fill_value, Tensor):
        fill_value = fill_value.item()
    d = dtype or dtypes.of_number(fill_value)
    return _filled(varying_fill(fill_value, _sizes((size,)), d), out, requires_grad, device)


def _filled(node: Node, out: Tensor | None, requires_grad: bool, device: Any) -> Tensor:
    """Inside a step: no array is made, the program fills."""
    t = wrap(node, 0)
    return _finish(t, requires_grad, device) if out is None else out.copy_(t)


def zeros(*size: Any, **kw: Any) -> Tensor:
    """0 everywhere."""
    return _constant(0, size, **kw)


def ones(*size: Any, **kw: Any) -> Tensor:
    """1 everywhere."""
    return _constant(1, size, **kw)


def empty(*size: Any, **kw: Any) -> Tensor:
    """Any values (here: zeros, so that a forgotten initialisation is the same every time)."""
    kw.pop("memory_format", None)
    return _constant(0, size, **kw)


def _constant(
    value: int,
    sizes: tuple[Any, ...],
    *,
    dtype: DType | None = None,
    device: Any = None,
    requires_grad: bool = False,
    out: Tensor | None = None,
    layout: Any = None,
    pin_memory: bool = False,
    names: Any = None,
    **kw: Any,
) -> Tensor:
    if not sizes and "size" not in kw:
        raise TypeError('missing 1 required positional arguments: "size"')
    shape = _sizes((kw.pop("size"),) if "size" in kw else sizes)
    if kw:
        raise TypeError(f"got an unexpected keyword argument '{sorted(kw)[0]}'")
    return _filled(
        ops.full(shape, value, dtype or dtypes.get_default_dtype()), out, requires_grad, device
    )


def _like(t: Tensor, dtype: DType | None) -> DType:
    return dtype or t._dtype


def zeros_like(
    input: Tensor,
    *,
    dtype: DType | None = None,
    device: Any = None,
    requires_grad: bool = False,
    **_: Any,
) -> Tensor:
    """0, in the shape and type of `input`."""
    return _filled(ops.full(input._shape, 0, _like(input, dtype)), None, requires_grad, device)


def ones_like(
    input: Tensor,
    *,
    dtype: DType | None = None,
    device: Any = None,
    requires_grad: bool = False,
    **_: Any,
) -> Tensor:
    """1, in the shape and type of `input`."""
    return _filled(ops.full(input._shape, 1, _like(input, dtype)), None, requires_grad, device)


empty_like = zeros_like


def full_like(
    input: Tensor,
    fill_value: Any,
    *,
    dtype: DType | None = None,
    device: Any = None,
    requires_grad: bool = False,
    **_: Any,
) -> Tensor:
    """One number, in the shape and type of `input`."""
    return full(
        input._shape,
        fill_value,
        dtype=_like(input, dtype),
        device=device,
        requires_grad=requires_grad,
    )


# ------------------------------------------------------------------ counting


def arange(
    start: Any = 0,
    end: Any = None,
    step: Any = 1,
    *,
    dtype: DType | None = None,
    device: Any = None,
    requires_grad: bool = False,
    out: Any = None,
    layout: Any = None,
    pin_memory: bool = False,
) -> Tensor:
    """start, start + step, … before end; integers if all three are.

    >>> import chainrule as torch
    >>> torch.arange(3)
    tensor([0, 1, 2])
    """
    if end is None:
        start, end = 0, start
    start, end, step = (v.item() if isinstance(v, Tensor) else v for v in (start, end, step))
    if step == 0:
        raise RuntimeError("step must be nonzero")
    if (end - start) * step < 0:
        raise RuntimeError(
            f"upper bound and lower bound inconsistent with step sign: arange({start}, {end}, "
            f"{step})"
        )
    if dtype is None:
        dtype = (
            dtypes.get_default_dtype()
            if any(isinstance(v, float) for v in (start, end, step))
            else dtypes.int64
        )
    n = math.ceil((end - start) / step)
    exact = dtypes.float64 if dtype.is_floating_point else dtypes.int64
    if all(isinstance(v, (int, np.integer)) for v in (start, end, step)):
        exact = dtypes.int64
    node = ops.iota(length=n, dtype=exact)
    if step != 1:
        node = node * step
    if start != 0:
        node = node + start
    return _finish(wrap(ops.cast(node, dtype=dtype), 0), requires_grad, device)


def range(
    start: Any,
    end: Any = None,
    step: Any = 1,
    *,
    dtype: DType | None = None,
    device: Any = None,
    requires_grad: bool = False,
    out: Any = None,
    layout: Any = None,
) -> Tensor:
    """start, start + step, … end, which is included; PyTorch deprecates it."""
    warnings.warn(
        "torch.range is deprecated and will be removed in a future release because its behavior is "
        "inconsistent with Python's range builtin. Instead, use torch.arange, which produces "
        "values in [start, end).",
        stacklevel=3,
    )
    start, end = (0, start) if end is None else (start, end)
    d = dtype or dtypes.get_default_dtype()
    n = math.floor((end - start) / step) + 1
    array = (start + np.arange(n) * step).astype(d.np)
    return _finish(from_array(array, d), requires_grad, device)


def empty_strided(
    size: Any,
    stride: Any,
    *,
    dtype: DType | None = None,
    layout: Any = None,
    device: Any = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
) -> Tensor:
    """`empty`, with axes in memory in the order that the strides have."""
    shape = _sizes((size,))
    order = sorted(builtins.range(len(shape)), key=lambda a: -stride[a])
    back = tuple(order.index(a) for a in builtins.range(len(shape)))
    made = zeros(tuple(shape[a] for a in order), dtype=dtype, device=device)
    return _finish(made.permute(back) if order != sorted(order) else made, requires_grad)


def empty_permuted(size: Any, physical_layout: Any, **kw: Any) -> Tensor:
    """`empty`, with axes in memory in the given order."""
    shape = _sizes((size,))
    order = tuple(physical_layout)
    back = tuple(order.index(a) for a in builtins.range(len(shape)))
    requires_grad = kw.pop("requires_grad", False)
    return _finish(zeros(tuple(shape[a] for a in order), **kw).permute(back), requires_grad)


def poisson(input: Tensor, generator: Generator | None = None) -> Tensor:
    """Poisson distributed numbers with the rates of `input`."""
    g = generator if generator is not None else streams.stream("default")
    drawn = g.numpy().poisson(input.detach()._concrete().astype(np.float64))
    return from_array(np.asarray(drawn, input._dtype.np), input._dtype)


def linspace(
    start: Any,
    end: Any,
    steps: int,
    *,
    dtype: DType | None = None,
    device: Any = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
    out: Any = None,
) -> Tensor:
    """`steps` numbers from start to end, both included."""
    if isinstance(steps, float):
        raise TypeError("linspace(): argument 'steps' (position 3) must be int, not float")
    a, b = (v.item() if isinstance(v, Tensor) else v for v in (start, end))
    plain = dtypes.get_default_dtype()
    is_complex = isinstance(a, complex) or isinstance(b, complex)
    d = dtype or (plain.to_complex() if is_complex else plain)
    array = np.linspace(a, b, int(steps))
    if not d.is_differentiable:
        array = np.trunc(array)
    return _finish(from_array(array.astype(d.np), d), requires_grad, device)


def logspace(
    start: Any,
    end: Any,
    steps: int,
    base: float = 10.0,
    *,
    dtype: DType | None = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """base to the powers of `linspace`."""
    if isinstance(steps, float):
        raise TypeError("logspace(): argument 'steps' (position 3) must be int, not float")
    d = dtype or dtypes.get_default_dtype()
    array = np.logspace(float(start), float(end), int(steps), base=base)
    return _finish(from_array(array.astype(d.np), d), requires_grad, device)


def eye(
    n: int,
    m: int | None = None,
    *,
    dtype: DType | None = None,
    device: Any = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
    out: Any = None,
) -> Tensor:
    """1 on the diagonal, 0 elsewhere."""
    d = dtype or dtypes.get_default_dtype()
    for name, size in (("n", n), ("m", m)):
        if size is not None and size < 0:
            raise RuntimeError(f"{name} must be greater or equal to 0, got {size}")
    return _finish(from_array(np.eye(n, m, dtype=d.np), d), requires_grad, device)


def tril_indices(
    row: int, col: int, offset: int = 0, *, dtype: DType = dtypes.int64, device: Any = None
) -> Tensor:
    """Indices (2, n) of the lower triangle."""
    return _finish(
        from_array(np.stack(np.tril_indices(row, offset, col)).astype(dtype.np), dtype),
        False,
        device,
    )


def triu_indices(
    row: int, col: int, offset: int = 0, *, dtype: DType = dtypes.int64, device: Any = None
) -> Tensor:
    """Indices (2, n) of the upper triangle."""
    return _finish(
        from_array(np.stack(np.triu_indices(row, offset, col)).astype(dtype.np), dtype),
        False,
        device,
    )


# ------------------------------------------------------------------ chance


def _float(dtype: DType | None, what: str) -> DType:
    d = dtype or dtypes.get_default_dtype()
    if not d.is_differentiable:
        raise DtypeError(f"{what} takes a floating point or complex dtype, got {d}")
    return d


def draw(
    kind: str,
    shape: tuple[int, ...],
    dtype: DType,
    generator: Generator | None = None,
    stream: str = "default",
    **bounds: Any,
) -> Tensor:
    """Random numbers from a stream, recorded: "uniform", "normal", "exponential", "integers" (low=,
    high=), or "bernoulli" (p=; bool). Under `config.random = "mt19937"` they are PyTorch's.

    Complex numbers have such parts; normal ones have variance 1 in all.
    """
    if dtype.is_complex:
        parts = draw(kind, (*shape, 2), dtype.to_real(), generator, stream, **bounds)
        z: Tensor = apply(ops.view_as_complex, parts)
        return z * math.sqrt(0.5) if kind == "normal" else z
    g = generator if generator is not None else streams.stream(stream)
    if (twister := g.twister) is not None:
        if kind == "bernoulli":
            return _dealt(lambda: twister.bernoulli(shape, **bounds), dtypes.bool_)
        return _dealt(lambda: getattr(twister, kind)(shape, dtype, **bounds), dtype)
    if kind == "normal":
        s, offset = state.trace.random_state(g, normal_blocks(shape, dtype))
        return wrap(found_node(ops.random_normal, s, offset=offset, shape=shape, dtype=dtype), 0)
    if kind == "integers":
        s, offset = state.trace.random_state(g, blocks(shape, dtypes.float64))
        drawn = found_node(
            ops.random_integers, s, offset=offset, shape=shape, dtype=dtype, **bounds
        )
        return wrap(drawn, 0)
    s, offset = state.trace.random_state(g, blocks(shape, dtype))
    u = wrap(found_node(ops.random_uniform, s, offset=offset, shape=shape, dtype=dtype), 0)
    if kind == "bernoulli":
        return u < bounds["p"]
    return -(-u).log1p() if kind == "exponential" else u


def _dealt(make: Callable[[], np.ndarray], dtype: DType) -> Tensor:
    """Random numbers that are drawn at once; inside vmap, for every sample."""
    lanes = state.here.lanes
    found: Tensor = lanes[-1].deal(make, dtype) if lanes else from_array(make(), dtype)
    return found


def stream_state(
    stream: str | Generator, shape: tuple[int, ...], dtype: DType
) -> tuple[Tensor, int]:
    """The state of a stream as a tensor of the present trace, and the offset at which uniform
    numbers of this shape are reserved: for functions of nodes that draw numbers.
    """
    trace = state.here.trace
    generator = streams.stream(stream) if isinstance(stream, str) else stream
    node, offset = trace.random_state(generator, blocks(shape, dtype))
    t: Tensor = blank(Tensor, Storage(None, node, trace), node.shape, node.dtype)
    t.node, t.seen_in, t.version = node, trace.serial, 0
    return t, offset


def rand(
    *size: Any,
    generator: Generator | None = None,
    dtype: DType | None = None,
    device: Any = None,
    requires_grad: bool = False,
    **kw: Any,
) -> Tensor:
    """Uniform numbers in [0, 1)."""
    shape = _sizes((kw.pop("size"),) if "size" in kw else size)
    return _finish(draw("uniform", shape, _float(dtype, "rand"), generator), requires_grad, device)


def randn(
    *size: Any,
    generator: Generator | None = None,
    dtype: DType | None = None,
    device: Any = None,
    requires_grad: bool = False,
    **kw: Any,
) -> Tensor:
    """Standard normal numbers."""
    shape = _sizes((kw.pop("size"),) if "size" in kw else size)
    return _finish(draw("normal", shape, _float(dtype, "randn"), generator), requires_grad, device)


def randint(
    low: Any,
    high: Any = None,
    size: Any = None,
    *,
    generator: Generator | None = None,
    dtype: DType | None = None,
    device: Any = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
) -> Tensor:
    """Integers in [low, high), or in [0, high) when called randint(high, size)."""
    if size is None:
        low, high, size = (0, low, high) if high is not None else (0, low, ())
    elif high is None:
        low, high = 0, low
    low, high = int(low), int(high)
    if high <= low:
        raise RuntimeError(
            f"random_ expects 'from' to be less than 'to', but got from={low} >= to={high}"
        )
    found = draw("integers", _sizes((size,)), dtype or dtypes.int64, generator, low=low, high=high)
    return _finish(found, requires_grad, device)


def randperm(
    n: int, *, generator: Generator | None = None, dtype: DType = dtypes.int64,
    device: Any = None, requires_grad: bool = False, pin_memory: bool = False,
) -> Tensor:  # fmt: skip
    """The numbers 0 … n − 1 in random order."""
    g = generator if generator is not None else streams.stream("default")
    found = _dealt(lambda: (g.twister or g.numpy()).permutation(n).astype(dtype.np), dtype)
    return _finish(found, False, device)


def rand_like(input: Tensor, *, dtype: DType | None = None, **kw: Any) -> Tensor:
    """Uniform numbers in the shape and type of `input`."""
    kw.pop("memory_format", None)
    return rand(input._shape, dtype=_like(input, dtype), **kw)


def randn_like(input: Tensor, *, dtype: DType | None = None, **kw: Any) -> Tensor:
    """Standard normal numbers in the shape and type of `input`."""
    kw.pop("memory_format", None)
    return randn(input._shape, dtype=_like(input, dtype), **kw)


def randint_like(
    input: Tensor, low: Any, high: Any = None, *, dtype: DType | None = None, **kw: Any
) -> Tensor:
    """Integers in [low, high) in the shape and type of `input`."""
    low, high = (0, low) if high is None else (low, high)
    return randint(low, high, input._shape, dtype=_like(input, dtype), **kw)


def normal(
    mean: Any = 0.0,
    std: Any = 1.0,
    size: Any = None,
    *,
    generator: Generator | None = None,
    dtype: DType | None = None,
    device: Any = None,
    requires_grad: bool = False,
    out: Any = None,
    **_: Any,
) -> Tensor:
    """Normal numbers with given means and standard deviations (numbers or tensors)."""
    given = [t for t in (mean, std) if isinstance(t, Tensor)]
    if given:
        shape = shapes.broadcast(*(t._shape for t in given))
        d = dtype or given[0]._dtype
    else:
        if size is None:
            raise TypeError("normal() with two numbers needs size=")
        shape, d = _sizes((size,)), _float(dtype, "normal")
    z = draw("normal", shape, d, generator)
    return _finish(z * std + mean, requires_grad, device)


def bernoulli(input: Tensor, p: Any = None, *, generator: Generator | None = None) -> Tensor:
    """1 with probability `input` (or p), else 0."""
    if p is not None:
        return draw("bernoulli", input._shape, dtypes.float32, generator, p=p).to(input._dtype)
    wide = input._dtype if input._dtype is dtypes.float64 else dtypes.float32
    return (draw("uniform", input._shape, wide, generator) < input).to(input._dtype).detach()


def multinomial(
    input: Tensor,
    num_samples: int,
    replacement: bool = False,
    *,
    generator: Generator | None = None,
) -> Tensor:
    """Indices drawn in proportion to the rows of `input` (unnormalised probabilities).

    Without replacement by the largest log p − log(−log u) (Gumbel; Efraimidis and Spirakis 2006).
    """
    p = input.detach()
    if not p.dtype.is_floating_point:
        raise RuntimeError(
            f"multinomial only supports floating-point dtypes for input, got: {p.dtype}"
        )
    if num_samples <= 0:
        raise RuntimeError("cannot sample n_sample <= 0 samples")
    if p.ndim not in (1, 2):
        raise RuntimeError(f"prob_dist must be 1 or 2 dim, got shape {tuple(p._shape)}")
    values = p._concrete().astype(np.float64)
    if not np.isfinite(values).all() or (values < 0).any() or (values.sum(-1) <= 0).any():
        raise RuntimeError(
            "probability tensor contains either `inf`, `nan` or element < 0, or sums to zero"
        )
    source = generator if generator is not None else streams.stream("default")
    rows = values.reshape(-1, values.shape[-1])
    if not replacement and num_samples > (rows > 0).sum(-1).min():
        raise RuntimeError(
            "cannot sample n_sample > prob_dist.size(-1) samples without replacement (zeros do not "
            "count)"
        )
    if (twister := source.twister) is not None:
        picked = twister.multinomial(rows.astype(p._dtype.np), num_samples, replacement)
    elif replacement:
        g = source.numpy()
        edges = np.cumsum(rows, -1)
        u = g.random((len(rows), num_samples)) * edges[:, -1:]
        picked = np.stack(
            [np.searchsorted(e, x, side="right") for e, x in zip(edges, u, strict=True)]
        )
        picked = np.minimum(picked, rows.shape[1] - 1)
    else:
        with np.errstate(divide="ignore"):
            score = np.log(rows) + source.numpy().gumbel(size=rows.shape)
        picked = np.argsort(-score, -1)[:, :num_samples]
    return from_array(
        picked.reshape(*values.shape[:-1], num_samples).astype(np.int64), dtypes.int64
    )


def meshgrid(*tensors: Any, indexing: str = "ij") -> tuple[Tensor, ...]:
    """Coordinates of a grid, one tensor per axis."""
    ts = (
        list(tensors[0])
        if len(tensors) == 1 and isinstance(tensors[0], (list, tuple))
        else list(tensors)
    )
    if indexing not in ("ij", "xy"):
        raise RuntimeError(
            f"torch.meshgrid: indexing must be one of 'xy' or 'ij', but received: {indexing}"
        )
    if indexing == "xy" and len(ts) > 1:
        ts[0], ts[1] = ts[1], ts[0]
    shape = tuple(t.numel() for t in ts)
    out = [
        t.reshape([n if i == k else 1 for k, n in enumerate(shape)]).expand(shape)
        for i, t in enumerate(ts)
    ]
    if indexing == "xy" and len(ts) > 1:
        out[0], out[1] = out[1], out[0]
    return tuple(out)


__all__ = [
    "arange", "as_tensor", "empty_permuted", "empty_strided", "poisson", "range",
    "asarray", "bernoulli", "empty", "empty_like", "eye", "from_dlpack",
    "from_numpy", "frombuffer", "full", "full_like", "linspace", "logspace", "meshgrid",
    "multinomial", "normal", "ones", "ones_like", "rand", "rand_like", "randint", "randint_like",
    "randn", "randn_like", "randperm", "scalar_tensor", "tensor", "tril_indices", "triu_indices",
    "varying", "zeros", "zeros_like",
]  # fmt: skip
