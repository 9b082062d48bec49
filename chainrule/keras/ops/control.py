"""`keras.ops`: loops, branches, writing at places, types."""

from __future__ import annotations

import builtins
from collections.abc import Callable
from typing import Any

import numpy as np

from chainrule import dtypes
from chainrule.autograd import Function
from chainrule.keras.arrays import to_tensor
from chainrule.keras.ops.making import sizes
from chainrule.keras.settings import to_dtype
from chainrule.keras.symbolic import KerasTensor, function, is_symbolic
from chainrule.tensor import Tensor, creation, fromdata
from chainrule.tensor import functions as T
from chainrule.training.tree import flatten, leaves, map_leaves


def is_tensor(x: Any) -> bool:
    """Whether x is a tensor, symbolic ones too."""
    return isinstance(x, Tensor | KerasTensor)


def dtype(x: Any) -> str:
    """The name of x's type."""
    found = getattr(x, "dtype", None)
    return getattr(found, "name", found) if found is not None else to_tensor(x).dtype.name


def cast(x: Any, dtype: Any) -> Any:
    """In another type."""
    return _cast(x, dtype=dtype)


@function
def _cast(x: Any, dtype: Any) -> Any:
    return to_tensor(x).to(to_dtype(dtype))


def saturate_cast(x: Any, dtype: Any) -> Any:
    """In another type, with its smallest and largest number for what lies beyond them."""
    return _saturate_cast(x, dtype=dtype)


@function
def _saturate_cast(x: Any, dtype: Any) -> Any:
    x, wanted = to_tensor(x), to_dtype(dtype)
    if wanted.is_floating_point:
        limits = dtypes.finfo(wanted)
        low, high = limits.min, limits.max
    elif wanted is dtypes.bool_:
        low, high = 0, 1
    else:
        low, high = dtypes.iinfo(wanted).min, dtypes.iinfo(wanted).max
    if x.dtype.is_floating_point:
        small, large = float(low), float(high)
        own = dtypes.finfo(x.dtype)
        return T.clamp(
            x.double() if x.dtype.itemsize < 8 else x, max(small, own.min), min(large, own.max)
        ).to(wanted)
    if x.dtype is dtypes.bool_:
        return x.to(wanted)
    own_int = dtypes.iinfo(x.dtype)
    return T.clamp(x, max(int(low), own_int.min), min(int(high), own_int.max)).to(wanted)


@function
def stop_gradient(variable: Any) -> Any:
    """The value, without its derivative."""
    return to_tensor(variable).detach()


# Writing at places --------------------------------------------------------------------------------


def _places(indices: Any) -> tuple[Any, ...]:
    return tuple(T.unbind(to_tensor(indices).to(dtypes.int64), -1))


@function
def scatter(indices: Any, values: Any, shape: Any) -> Any:
    """Zeros with values added at places."""
    v = to_tensor(values)
    zeros = creation.zeros(sizes(shape), dtype=v.dtype)
    return T.index_put(zeros, _places(indices), v, accumulate=True)


@function
def scatter_update(inputs: Any, indices: Any, updates: Any, reduction: str | None = None) -> Any:
    """Values at places replaced, or added to, multiplied, or replaced by the larger or smaller."""
    x = to_tensor(inputs)
    u = to_tensor(updates).to(x.dtype)
    if reduction in (None, "add"):
        return T.index_put(x, _places(indices), u, accumulate=reduction == "add")
    names = {"mul": "prod", "max": "amax", "min": "amin"}
    if reduction not in names:
        raise ValueError(
            f"Unsupported reduction mode: {reduction}. Supported modes are None, 'add', "
            "'max', 'min', 'mul'."
        )
    i = to_tensor(indices).to(dtypes.int64)
    shape, depth = tuple(x.shape), int(i.shape[-1])
    inner = shape[depth:]
    steps = [int(np.prod(shape[k + 1 : depth])) for k in range(depth)]
    flat = (i * fromdata.from_owned(np.array(steps, np.int64))).sum(-1).reshape(-1)
    rows = u.expand((*i.shape[:-1], *inner)).reshape(-1, *inner)
    return T.index_reduce(x.reshape(-1, *inner), 0, flat, rows, names[reduction]).reshape(shape)


def _starts(indices: Any) -> list[int]:
    return [int(i) for i in indices]


@function
def slice(inputs: Any, start_indices: Any, shape: Any) -> Any:
    """A part of the given shape, from the given places on."""
    x = to_tensor(inputs)
    for axis, (first, n) in enumerate(zip(_starts(start_indices), sizes(shape), strict=True)):
        size = int(x.shape[axis])
        n = size - first if n == -1 else n
        x = x.narrow(axis, builtins.max(builtins.min(first, size - n), 0), n)
    return x


@function
def slice_update(inputs: Any, start_indices: Any, updates: Any) -> Any:
    """A part replaced, from the given places on."""
    x, u = to_tensor(inputs), to_tensor(updates)
    starts = [
        builtins.max(builtins.min(first, int(size) - int(n)), 0)
        for first, n, size in zip(_starts(start_indices), u.shape, x.shape, strict=True)
    ]
    index = tuple(builtins.slice(s, s + int(n)) for s, n in zip(starts, u.shape, strict=True))
    out = T.clone(x)
    out[index] = u.to(x.dtype)
    return out


# Loops and branches -------------------------------------------------------------------------------


def cond(pred: Any, true_fn: Callable[[], Any], false_fn: Callable[[], Any]) -> Any:
    """One of two computations; looks at `pred`."""
    if is_symbolic(pred):
        return true_fn()
    return true_fn() if builtins.bool(pred) else false_fn()


def switch(index: Any, branches: Any, *operands: Any) -> Any:
    """The computation that a number names; one beyond the ends names the nearest."""
    if is_symbolic(index):
        return branches[0](*operands)
    i = builtins.min(builtins.max(int(index), 0), len(branches) - 1)
    return branches[i](*operands)


def while_loop(
    cond: Callable[..., Any], body: Callable[..., Any], loop_vars: Any,
    maximum_iterations: int | None = None,
) -> Any:  # fmt: skip
    """`loop_vars = body(*loop_vars)` as long as `cond(*loop_vars)`."""
    several = isinstance(loop_vars, list | tuple)
    values = tuple(loop_vars) if several else (loop_vars,)
    values = tuple(map_leaves(to_tensor, v) for v in values)
    left = maximum_iterations
    while (left is None or left > 0) and builtins.bool(cond(*values)):
        made = body(*values)
        values = tuple(made) if several else (made,)
        left = None if left is None else left - 1
    return (
        (type(loop_vars)(values) if isinstance(loop_vars, list) else values)
        if several
        else values[0]
    )


def fori_loop(lower: Any, upper: Any, body_fun: Callable[[Any, Any], Any], init_val: Any) -> Any:
    """`value = body_fun(i, value)` for i from lower to upper - 1."""
    value = init_val
    for i in range(int(lower), int(upper)):
        value = body_fun(i, value)
    return value


def map(f: Callable[[Any], Any], xs: Any) -> Any:
    """`f` on each slice along the first axis, and the results stacked."""
    return scan(lambda _, x: ((), f(x)), (), xs)[1]


def scan(
    f: Callable[[Any, Any], Any], init: Any, xs: Any = None, length: int | None = None,
    reverse: bool = False, unroll: Any = 1,
) -> Any:  # fmt: skip
    """`carry, y = f(carry, x)` along the first axis: the last carry, and all y stacked."""
    if not callable(f):
        raise TypeError(f"`f` should be a callable. Received: f={f}")
    if isinstance(unroll, bool):
        unroll = 1
    if not isinstance(unroll, int) or unroll < 1:
        raise ValueError(f"`unroll` must be a positive integer or boolean, got {unroll}")
    if xs is None and length is None:
        raise ValueError("Got no `xs` to scan over and `length` not provided.")
    parts = None if xs is None else map_leaves(to_tensor, xs)
    if parts is None:
        count = int(length or 0)
    else:
        counts = {int(x.shape[0]) for x in leaves(parts)} | ({length} if length else set())
        if len(counts) != 1:
            raise ValueError(f"the first sizes differ: {sorted(counts)}")
        count = counts.pop()
    carry, found = init, []
    order = range(count - 1, -1, -1) if reverse else range(count)
    for i in order:
        row = None if parts is None else map_leaves(lambda x, i=i: x[i], parts)
        carry, y = f(carry, row)
        found.append(y)
    if reverse:
        found.reverse()
    if not found:
        return carry, None
    return carry, map_leaves(_stacked, *found)


def _stacked(*ys: Any) -> Any:
    return None if ys[0] is None else T.stack([to_tensor(y) for y in ys])


def associative_scan(
    f: Callable[[Any, Any], Any], elems: Any, reverse: bool = False, axis: int = 0
) -> Any:
    """f(…f(f(x₁, x₂), x₃)…) up to every place; f has to be associative."""
    if not callable(f):
        raise TypeError(f"`f` should be a callable. Received: f={f}")
    parts = map_leaves(to_tensor, elems)
    first = next(leaves(parts))
    axis %= first.ndim
    n = int(first.shape[axis])
    if any(int(x.shape[axis]) != n for x in flatten(parts)):
        raise ValueError("Array inputs to associative_scan must have the same first dimension.")
    if reverse:
        parts = map_leaves(lambda x: T.flip(x, (axis,)), parts)
    step = 1
    while step < n:  # each place takes in what ends just before what it has
        head = map_leaves(lambda x, k=step: x.narrow(axis, 0, k), parts)
        left = map_leaves(lambda x, k=step: x.narrow(axis, 0, n - k), parts)
        right = map_leaves(lambda x, k=step: x.narrow(axis, k, n - k), parts)
        both = f(left, right)
        parts = map_leaves(lambda h, t: T.cat([h, t], axis), head, both)
        step *= 2
    return map_leaves(lambda x: T.flip(x, (axis,)), parts) if reverse else parts


def vectorized_map(function: Callable[[Any], Any], elements: Any) -> Any:
    """`map`."""
    return map(function, elements)


def custom_gradient(f: Callable[..., Any]) -> Callable[..., Any]:
    """A function with a gradient of the program's own: `f(*x)` gives `(y, grad)`, and
    `grad(*args, upstream=…)` the gradients of the x.
    """

    def wrapper(*args: Any, **kwargs: Any) -> Any:
        kept: dict[str, Any] = {}

        class Custom(Function):
            @staticmethod
            def forward(ctx: Any, *inputs: Any) -> Any:
                y, kept["grad"] = f(*inputs, **kwargs)
                Custom.written = staticmethod(kept["grad"])
                return y

            @staticmethod
            def backward(ctx: Any, *upstream: Any) -> Any:
                return kept["grad"](*args, upstream=upstream[0])

        Custom.__name__ = getattr(f, "__name__", "Custom")
        return Custom.apply(*args)

    return wrapper
