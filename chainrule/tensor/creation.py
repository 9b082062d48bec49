"""Making tensors: by filling and by counting here, from data in `fromdata`, by chance in `chance`.
PyTorch's names, defaults and errors.
"""

from __future__ import annotations

import builtins
import math
import warnings
from typing import Any

import numpy as np

from chainrule import dtypes, ops
from chainrule.dtypes import DType
from chainrule.ir.node import Node
from chainrule.tensor.chance import (
    bernoulli,
    multinomial,
    normal,
    poisson,
    rand,
    rand_like,
    randint,
    randint_like,
    randn,
    randn_like,
    randperm,
)
from chainrule.tensor.fromdata import (
    as_tensor,
    asarray,
    from_dlpack,
    from_numpy,
    frombuffer,
    scalar_tensor,
    tensor,
)
from chainrule.tensor.handle import Tensor, from_array, wrap
from chainrule.tensor.making import finished, sizes_of, type_like
from chainrule.tensor.record import varying, varying_fill

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
    return _filled(varying_fill(fill_value, sizes_of((size,)), d), out, requires_grad, device)


def _filled(node: Node, out: Tensor | None, requires_grad: bool, device: Any) -> Tensor:
    """Inside a step: no array is made, the program fills."""
    t = wrap(node, 0)
    return finished(t, requires_grad, device) if out is None else out.copy_(t)


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
    shape = sizes_of((kw.pop("size"),) if "size" in kw else sizes)
    if kw:
        raise TypeError(f"got an unexpected keyword argument '{sorted(kw)[0]}'")
    return _filled(
        ops.full(shape, value, dtype or dtypes.get_default_dtype()), out, requires_grad, device
    )


def zeros_like(
    input: Tensor,
    *,
    dtype: DType | None = None,
    device: Any = None,
    requires_grad: bool = False,
    **_: Any,
) -> Tensor:
    """0, in the shape and type of `input`."""
    return _filled(ops.full(input._shape, 0, type_like(input, dtype)), None, requires_grad, device)


def ones_like(
    input: Tensor,
    *,
    dtype: DType | None = None,
    device: Any = None,
    requires_grad: bool = False,
    **_: Any,
) -> Tensor:
    """1, in the shape and type of `input`."""
    return _filled(ops.full(input._shape, 1, type_like(input, dtype)), None, requires_grad, device)


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
        dtype=type_like(input, dtype),
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
    return finished(wrap(ops.cast(node, dtype=dtype), 0), requires_grad, device)


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
    return finished(from_array(array, d), requires_grad, device)


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
    shape = sizes_of((size,))
    order = sorted(builtins.range(len(shape)), key=lambda a: -stride[a])
    back = tuple(order.index(a) for a in builtins.range(len(shape)))
    made = zeros(tuple(shape[a] for a in order), dtype=dtype, device=device)
    return finished(made.permute(back) if order != sorted(order) else made, requires_grad)


def empty_permuted(size: Any, physical_layout: Any, **kw: Any) -> Tensor:
    """`empty`, with axes in memory in the given order."""
    shape = sizes_of((size,))
    order = tuple(physical_layout)
    back = tuple(order.index(a) for a in builtins.range(len(shape)))
    requires_grad = kw.pop("requires_grad", False)
    return finished(zeros(tuple(shape[a] for a in order), **kw).permute(back), requires_grad)


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
    return finished(from_array(array.astype(d.np), d), requires_grad, device)


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
    return finished(from_array(array.astype(d.np), d), requires_grad, device)


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
    return finished(from_array(np.eye(n, m, dtype=d.np), d), requires_grad, device)


def tril_indices(
    row: int, col: int, offset: int = 0, *, dtype: DType = dtypes.int64, device: Any = None
) -> Tensor:
    """Indices (2, n) of the lower triangle."""
    return finished(
        from_array(np.stack(np.tril_indices(row, offset, col)).astype(dtype.np), dtype),
        False,
        device,
    )


def triu_indices(
    row: int, col: int, offset: int = 0, *, dtype: DType = dtypes.int64, device: Any = None
) -> Tensor:
    """Indices (2, n) of the upper triangle."""
    return finished(
        from_array(np.stack(np.triu_indices(row, offset, col)).astype(dtype.np), dtype),
        False,
        device,
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
