"""Pooling: windows reduced to their largest element, mean, or p-norm."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from chainrule import ops, shapes
from chainrule.dtypes import int64
from chainrule.errors import ShapeError
from chainrule.ir.node import Node
from chainrule.tensor import Tensor, autocast
from chainrule.tensor.fromdata import from_owned
from chainrule.tensor.functions import stack
from chainrule.tensor.record import apply


def _windows(
    n: int, x: Tensor, kernel_size: Any, stride: Any, padding: Any, dilation: Any, ceil_mode: bool
) -> dict[str, Any]:
    if x.ndim not in (n + 1, n + 2):
        raise ShapeError(f"expected a {n + 1}D or {n + 2}D input, got shape {tuple(x.shape)}")
    k = shapes.ntuple(kernel_size, n, "kernel_size")
    s = k if stride in (None, [], ()) else shapes.ntuple(stride, n, "stride")
    p, d = shapes.ntuple(padding, n, "padding"), shapes.ntuple(dilation, n, "dilation")
    for what, sizes, least in (
        ("kernel size", k, 1),
        ("stride", s, 1),
        ("padding", p, 0),
        ("dilation", d, 1),
    ):
        if min(sizes) < least:
            raise RuntimeError(
                f"pooling: {what} should be {'greater than zero' if least else 'non-negative'}, "
                f"but got {what}={sizes}"
            )
    if 0 in x.shape[1 if x.ndim == n + 2 else 0 :]:
        raise RuntimeError(
            f"max_pool{n}d: Expected {n + 1}D or {n + 2}D (batch mode) tensor with optional 0 dim "
            f"batch size for input, but got: {list(x.shape)}"
        )
    if any(2 * a > b for a, b in zip(p, k, strict=True)):
        raise RuntimeError(
            f"pad should be at most half of effective kernel size, but got pad={p}, kernel_size={k}"
        )
    high = list(p)
    for i, (length, q, t, e, a) in enumerate(zip(x.shape[-n:], k, s, d, p, strict=True)):
        span = length + 2 * a - e * (q - 1) - 1
        if span < 0 and not ceil_mode:
            raise ShapeError(
                f"pooling window {k} is larger than the padded input {tuple(x.shape[-n:])}: output "
                "size is too small",
                repair=shapes.window_repair(tuple(x.shape[-n:]), k, d, "window"),
            )
        if ceil_mode:
            count = -(-span // t) + 1
            if (count - 1) * t >= length + a:  # the last window must start inside
                count -= 1
            high[i] = max((count - 1) * t + e * (q - 1) + 1 - length - a, a if span % t == 0 else 0)
    return {"size": k, "stride": s, "low": p, "high": tuple(high), "dilation": d}


def _max_pool(
    n: int, x: Tensor, kernel_size: Any, stride: Any, padding: Any, dilation: Any, ceil_mode: bool,
    return_indices: bool,
) -> Any:  # fmt: skip
    a = _windows(n, x, kernel_size, stride, padding, dilation, ceil_mode)
    y: Tensor = apply(ops.max_pool, x, **a)
    return (y, apply(_places, x.detach(), **a)) if return_indices else y


def _places(x: Node, **a: Any) -> Node:
    """Indices into the flattened spatial axes, as PyTorch gives them."""
    n = len(a["size"])
    flat = ops.iota(length=shapes.size(x.shape[-n:]), dtype=int64)
    grid = ops.broadcast_to(ops.reshape(flat, shape=x.shape[-n:]), shape=x.shape)
    lead = (0,) * (x.ndim - n)
    if any(a["low"]) or any(a["high"]):
        grid = ops.pad(grid, low=(*lead, *a["low"]), high=(*lead, *a["high"]), value=0)
    w = ops.windows(grid, size=a["size"], stride=a["stride"], dilation=a["dilation"])
    places = ops.max_pool_places(x, **a)
    rows = ops.reshape(w, shape=(*places.shape[:-1], shapes.size(a["size"])))
    return ops.reshape(ops.take_along(rows, places, axis=rows.ndim - 1), shape=places.shape[:-1])


def max_pool1d(
    input: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1,
    ceil_mode: bool = False, return_indices: bool = False,
) -> Any:  # fmt: skip
    """The largest element of each window"""
    return _max_pool(1, input, kernel_size, stride, padding, dilation, ceil_mode, return_indices)


def max_pool2d(
    input: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1,
    ceil_mode: bool = False, return_indices: bool = False,
) -> Any:  # fmt: skip
    """The largest element of each window"""
    return _max_pool(2, input, kernel_size, stride, padding, dilation, ceil_mode, return_indices)


@autocast.full
def max_pool3d(
    input: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1,
    ceil_mode: bool = False, return_indices: bool = False,
) -> Any:  # fmt: skip
    """The largest element of each window"""
    return _max_pool(3, input, kernel_size, stride, padding, dilation, ceil_mode, return_indices)


def _with_indices(f: Any) -> Any:
    def g(
        input: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1,
        ceil_mode: bool = False, return_indices: bool = True,
    ) -> Any:  # fmt: skip
        return f(input, kernel_size, stride, padding, dilation, ceil_mode, True)

    g.__doc__ = "The largest element of each window, and where it is"
    return g


max_pool1d_with_indices, max_pool2d_with_indices, max_pool3d_with_indices = map(
    _with_indices, (max_pool1d, max_pool2d, max_pool3d)
)


def _avg_pool(
    n: int, x: Tensor, kernel_size: Any, stride: Any, padding: Any, ceil_mode: bool,
    count_include_pad: bool, divisor: int | None,
) -> Tensor:  # fmt: skip
    a = _windows(n, x, kernel_size, stride, padding, 1, ceil_mode)
    total: Tensor = apply(ops.sum_pool, x, **a)
    if divisor is not None:
        if divisor == 0:
            raise RuntimeError("divisor must be not zero")
        return total / divisor
    if a["high"] == a["low"] and (count_include_pad or not any(a["low"])):
        return total / shapes.size(a["size"])
    counts = [
        _lengths(length, k, s, p, h, count_include_pad)
        for length, k, s, p, h in zip(
            x.shape[-n:], a["size"], a["stride"], a["low"], a["high"], strict=True
        )
    ]
    grid = counts[0]
    for c in counts[1:]:
        grid = grid[..., None] * c
    return total / from_owned(np.ascontiguousarray(grid.astype(x.dtype.np)))


def _lengths(length: int, k: int, s: int, low: int, high: int, count_pad: bool) -> np.ndarray:
    starts = np.arange(0, length + low + high - k + 1, s) - low
    first, last = (-low, length + low) if count_pad else (0, length)
    return np.minimum(starts + k, last) - np.maximum(starts, first)


def avg_pool1d(
    input: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0, ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> Tensor:  # fmt: skip
    """The mean of each window"""
    return _avg_pool(1, input, kernel_size, stride, padding, ceil_mode, count_include_pad, None)


def avg_pool2d(
    input: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0, ceil_mode: bool = False,
    count_include_pad: bool = True, divisor_override: int | None = None,
) -> Tensor:  # fmt: skip
    """The mean of each window"""
    return _avg_pool(
        2, input, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override
    )


@autocast.full
def avg_pool3d(
    input: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0, ceil_mode: bool = False,
    count_include_pad: bool = True, divisor_override: int | None = None,
) -> Tensor:  # fmt: skip
    """The mean of each window"""
    return _avg_pool(
        3, input, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override
    )


def _lp_pool(n: int, x: Tensor, p: float, kernel_size: Any, stride: Any, ceil_mode: bool) -> Tensor:
    a = _windows(n, x, kernel_size, stride, 0, 1, ceil_mode)
    total: Tensor = apply(ops.sum_pool, x.pow(p), **a)
    return total.sign() * total.abs().relu().pow(1.0 / p)


def lp_pool1d(
    input: Tensor, norm_type: float, kernel_size: Any, stride: Any = None, ceil_mode: bool = False
) -> Tensor:
    """(Σ xᵖ)^(1/p) of each window"""
    return _lp_pool(1, input, norm_type, kernel_size, stride, ceil_mode)


def lp_pool2d(
    input: Tensor, norm_type: float, kernel_size: Any, stride: Any = None, ceil_mode: bool = False
) -> Tensor:
    """(Σ xᵖ)^(1/p) of each window"""
    return _lp_pool(2, input, norm_type, kernel_size, stride, ceil_mode)


def lp_pool3d(
    input: Tensor, norm_type: float, kernel_size: Any, stride: Any = None, ceil_mode: bool = False
) -> Tensor:
    """(Σ xᵖ)^(1/p) of each window"""
    return _lp_pool(3, input, norm_type, kernel_size, stride, ceil_mode)


# ------------------------------------------------------------------ adaptive: so many outputs,
# whatever the input


def _parts(length: int, out: int) -> list[tuple[int, int]]:
    return [(i * length // out, -(-(i + 1) * length // out)) for i in range(out)]


def _targets(n: int, x: Tensor, output_size: Any) -> tuple[int, ...]:
    if x.ndim not in (n + 1, n + 2):
        raise ShapeError(f"expected a {n + 1}D or {n + 2}D input, got shape {tuple(x.shape)}")
    wanted = output_size if isinstance(output_size, (tuple, list)) else (output_size,) * n
    return tuple(
        length if o is None else int(o) for o, length in zip(wanted, x.shape[-n:], strict=True)
    )


def _adaptive_avg(n: int, x: Tensor, output_size: Any) -> Tensor:
    """One matrix of averages per axis."""
    for i, out in enumerate(_targets(n, x, output_size)):
        axis = x.ndim - n + i
        length = x.shape[axis]
        if out == length:
            continue
        if out == 1:
            x = x.mean(axis, keepdim=True)
            continue
        m = np.zeros((length, out), x.dtype.np)
        for j, (a, b) in enumerate(_parts(length, out)):
            m[a:b, j] = 1 / (b - a)
        x = x.movedim(axis, -1).matmul(from_owned(m)).movedim(-1, axis)
    return x


def adaptive_avg_pool1d(input: Tensor, output_size: Any) -> Tensor:
    """The means of `output_size` even parts"""
    return _adaptive_avg(1, input, output_size)


def adaptive_avg_pool2d(input: Tensor, output_size: Any) -> Tensor:
    """The means of `output_size` even parts of each axis"""
    return _adaptive_avg(2, input, output_size)


@autocast.full
def adaptive_avg_pool3d(input: Tensor, output_size: Any) -> Tensor:
    """The means of `output_size` even parts of each axis"""
    return _adaptive_avg(3, input, output_size)


def _adaptive_max(n: int, x: Tensor, output_size: Any, return_indices: bool) -> Any:
    """Every part flattened, its first largest element taken."""
    targets = _targets(n, x, output_size)
    places = np.arange(shapes.size(x.shape[-n:])).reshape(x.shape[-n:])
    values, indices = [], []
    for at in np.ndindex(*targets):
        part = tuple(
            slice(*_parts(length, o)[i])
            for length, o, i in zip(x.shape[-n:], targets, at, strict=True)
        )
        v, i = x[(..., *part)].flatten(-n).max(-1)
        values.append(v)
        indices.append(from_owned(places[part].reshape(-1).copy())[i])
    lead = tuple(x.shape[:-n])
    if not values:
        empty = x.new_zeros((*lead, *targets))
        return (empty, empty.long()) if return_indices else empty
    y = stack(values, -1).reshape((*lead, *targets))
    return (y, stack(indices, -1).reshape((*lead, *targets))) if return_indices else y


def adaptive_max_pool1d(input: Tensor, output_size: Any, return_indices: bool = False) -> Any:
    """The largest elements of even parts"""
    return _adaptive_max(1, input, output_size, return_indices)


def adaptive_max_pool2d(input: Tensor, output_size: Any, return_indices: bool = False) -> Any:
    """The largest elements of even parts of each axis"""
    return _adaptive_max(2, input, output_size, return_indices)


def adaptive_max_pool3d(input: Tensor, output_size: Any, return_indices: bool = False) -> Any:
    """The largest elements of even parts of each axis"""
    return _adaptive_max(3, input, output_size, return_indices)


def _adaptive_with_indices(f: Any) -> Any:
    def g(input: Tensor, output_size: Any, return_indices: bool = True) -> Any:
        return f(input, output_size, True)

    g.__doc__ = "The largest elements of even parts, and where they are"
    return g


(
    adaptive_max_pool1d_with_indices,
    adaptive_max_pool2d_with_indices,
    adaptive_max_pool3d_with_indices,
) = map(_adaptive_with_indices, (adaptive_max_pool1d, adaptive_max_pool2d, adaptive_max_pool3d))


# ------------------------------------------------------------------ back to where the maxima were


def _unpool(
    n: int, x: Tensor, indices: Tensor, kernel_size: Any, stride: Any, padding: Any,
    output_size: Any,
) -> Tensor:  # fmt: skip
    k = shapes.ntuple(kernel_size, n, "kernel_size")
    s = k if stride in (None, [], ()) else shapes.ntuple(stride, n, "stride")
    p = shapes.ntuple(padding, n, "padding")
    if indices.shape != x.shape:
        raise RuntimeError(
            f"Expected shape of indices to be same as that of the input tensor ({list(x.shape)}) "
            f"but got indices tensor with shape: {list(indices.shape)}"
        )
    sizes = tuple((m - 1) * a + b - 2 * c for m, a, b, c in zip(x.shape[-n:], s, k, p, strict=True))
    if output_size is not None:
        sizes = _output_sizes(tuple(output_size)[-n:], sizes, s)
    lead = tuple(x.shape[:-n])
    flat = x.new_zeros((*lead, math.prod(sizes)))
    return flat.scatter(-1, indices.flatten(-n), x.flatten(-n)).reshape((*lead, *sizes))


def _output_sizes(
    wanted: tuple[int, ...], default: tuple[int, ...], stride: tuple[int, ...]
) -> tuple[int, ...]:
    """Pooling forgets up to stride − 1 elements of each axis: so far a wanted size may be off."""
    for i, (size, middle, s) in enumerate(zip(wanted, default, stride, strict=True)):
        if not middle - s < size < middle + s:
            raise ValueError(
                f'invalid output_size "{wanted}" (dim {i} must be between {middle - s} and '
                f"{middle + s})"
            )
    return wanted


def max_unpool1d(
    input: Tensor, indices: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0,
    output_size: Any = None,
) -> Tensor:  # fmt: skip
    """Maxima put back to their places, zeros elsewhere"""
    return _unpool(1, input, indices, kernel_size, stride, padding, output_size)


@autocast.full
def max_unpool2d(
    input: Tensor, indices: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0,
    output_size: Any = None,
) -> Tensor:  # fmt: skip
    """Maxima put back to their places, zeros elsewhere"""
    return _unpool(2, input, indices, kernel_size, stride, padding, output_size)


@autocast.full
def max_unpool3d(
    input: Tensor, indices: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0,
    output_size: Any = None,
) -> Tensor:  # fmt: skip
    """Maxima put back to their places, zeros elsewhere"""
    return _unpool(3, input, indices, kernel_size, stride, padding, output_size)
