"""Histograms, numerical gradients, and indices of a shape that is known beforehand."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from chainrule import dtypes, return_types, shapes
from chainrule.tensor.fromdata import from_owned
from chainrule.tensor.functions import cat, narrow, reshape, to_dtype
from chainrule.tensor.handle import Tensor


def _floats(input: Tensor, name: str) -> np.ndarray:
    if input._dtype not in (dtypes.float32, dtypes.float64):
        raise RuntimeError(
            f'"{name}" not implemented for {input._dtype}: it takes float32, float64'
        )
    return input._concrete()


def _edges(given: Any, low: float, high: float, kind: np.dtype) -> np.ndarray:
    if isinstance(given, Tensor):
        return given._concrete().astype(kind)
    if low == high:
        low, high = low - 0.5, high + 0.5
    if math.isnan(low):  # nothing to look at
        low, high = 0.0, 1.0
    return np.linspace(low, high, int(given) + 1, dtype=kind)


def _places(x: np.ndarray, edges: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """In which bin each lies, the last bin closed; and whether it lies in any."""
    at = np.searchsorted(edges, x, side="right") - 1
    at = np.where(x == edges[-1], len(edges) - 2, at)
    return at, (at >= 0) & (at < len(edges) - 1) & ~np.isnan(x)


def histogram(
    input: Tensor, bins: Any, *, range: Any = None, weight: Tensor | None = None,
    density: bool = False,
) -> Any:  # fmt: skip
    """(counts, edges) of `bins` equal bins, or of bins between given edges (a look)."""
    x = _floats(input, "histogram").reshape(-1)
    if not isinstance(bins, Tensor) and int(bins) <= 0:
        raise RuntimeError(f"torch.histogram(): bins must be > 0, but got {bins}")
    low, high = (float(x.min()), float(x.max())) if x.size else (math.nan, math.nan)
    if range is not None:
        low, high = map(float, range)
    edges = _edges(bins, low, high, x.dtype)
    at, inside = _places(x, edges)
    weights = None if weight is None else weight._concrete().reshape(-1)[inside]
    counts = np.bincount(at[inside], weights, minlength=len(edges) - 1).astype(x.dtype)
    if density:
        with np.errstate(all="ignore"):
            counts = counts / counts.sum() / np.diff(edges)
    return return_types.histogram((from_owned(counts), from_owned(np.array(edges))))


def histogramdd(
    input: Tensor, bins: Any, *, range: Any = None, weight: Tensor | None = None,
    density: bool = False,
) -> Any:  # fmt: skip
    """(counts, the edges of each axis) of points input[…, i, :] in boxes (a look)."""
    data = _floats(input, "histogramdd")
    if data.ndim < 2:
        raise RuntimeError(
            "torch.histogramdd: input tensor should have at least 2 dimensions, but got "
            f"{data.ndim}"
        )
    n = data.shape[-1]
    x = data.reshape(-1, n)
    each = [bins] * n if isinstance(bins, int) else list(bins)
    if len(each) != n:
        raise RuntimeError(f"torch.histogramdd: expected bins for {n} dimensions, got {len(each)}")
    edges = []
    for k, given in enumerate(each):
        low, high = (float(x[:, k].min()), float(x[:, k].max())) if len(x) else (0.0, 1.0)
        if range is not None:
            low, high = float(range[2 * k]), float(range[2 * k + 1])
        edges.append(_edges(given, low, high, x.dtype))
    found = [_places(x[:, k], e) for k, e in enumerate(edges)]
    inside = np.logical_and.reduce([ok for _, ok in found])
    shape = tuple(len(e) - 1 for e in edges)
    flat = np.ravel_multi_index(tuple(at[inside] for at, _ in found), shape)
    weights = None if weight is None else weight._concrete().reshape(-1)[inside]
    counts = np.bincount(flat, weights, minlength=int(np.prod(shape))).astype(x.dtype)
    counts = counts.reshape(shape)
    if density:
        with np.errstate(all="ignore"):
            counts = counts / counts.sum()
            for k, e in enumerate(edges):
                counts = counts / np.diff(e).reshape([-1 if i == k else 1 for i in np.arange(n)])
    return return_types.histogramdd(
        (from_owned(counts.astype(x.dtype)), tuple(from_owned(np.array(e)) for e in edges))
    )


def nonzero_static(input: Tensor, *, size: int, fill_value: int = -1) -> Tensor:
    """The first `size` indices of what is not 0, filled up with `fill_value` (a look)."""
    if size < 0:
        raise RuntimeError("nonzero_static: 'size' must be an non-negative integer")
    found = np.argwhere(input._concrete())
    out = np.full((size, input.ndim), fill_value, np.int64)
    n = min(size, len(found))
    out[:n] = found[:n]
    return from_owned(out)


# ------------------------------------------------------------------ numerical gradients


def gradient(
    input: Tensor, *, spacing: Any = 1, dim: Any = None, edge_order: int = 1
) -> tuple[Tensor, ...]:
    """∂f/∂x along axes, by central differences inside and one-sided ones (of order `edge_order`) at
    the ends. `spacing`: a distance, one for each axis, or the coordinates along each axis.

    >>> import chainrule as torch
    >>> torch.gradient(torch.tensor([1.0, 4.0, 9.0]))
    (tensor([3., 4., 5.]),)
    """
    if not input.ndim:
        raise RuntimeError("torch.gradient expected a tensor of one dimension at least")
    over = range(input.ndim) if dim is None else (dim,) if isinstance(dim, int) else dim
    axes = [shapes.axis(d, input.ndim) for d in over]
    if len(set(axes)) != len(axes):
        raise RuntimeError("torch.gradient expected each dim to be unique")
    if edge_order not in (1, 2):
        raise RuntimeError("torch.gradient only supports edge_order=1 and edge_order=2.")
    each = _spacings(spacing, len(axes))
    x = input
    if not x._dtype.is_differentiable:
        x = to_dtype(x, dtypes.get_default_dtype())
    return tuple(_along(x, d, h, edge_order) for d, h in zip(axes, each, strict=True))


def _spacings(spacing: Any, n: int) -> Sequence[Any]:
    if isinstance(spacing, (tuple, list)):
        if len(spacing) != n:
            raise RuntimeError(
                "torch.gradient expected spacing to be unspecified, a scalar, or a list of length "
                f"equal to 'self.dim() = {n}', but got a list of length {len(spacing)}"
            )
        return spacing
    return [1.0 if spacing is None else spacing] * n


def _along(x: Tensor, d: int, h: Any, order: int) -> Tensor:
    n = x._shape[d]
    if n <= order:
        raise RuntimeError(
            "torch.gradient expected each dimension size to be at least edge_order+1"
        )
    if isinstance(h, Tensor) and h.ndim:
        steps = np.diff(h._concrete().astype(np.float64))
    else:
        steps = np.full(n - 1, float(h))

    def part(start: int, length: int) -> Tensor:
        return narrow(x, d, start, length)

    def factor(values: Any) -> Tensor:
        shape = [-1 if i == d else 1 for i in range(x.ndim)]
        return reshape(from_owned(np.atleast_1d(values).astype(x._dtype.np)), shape)

    def edge(at: Sequence[int], a: float, b: float) -> Tensor:
        if order == 1:
            return (part(at[1], 1) - part(at[0], 1)) * factor(1 / a)
        w0, w1, w2 = -(2 * a + b) / (a * (a + b)), (a + b) / (a * b), -a / (b * (a + b))
        return (
            part(at[0], 1) * factor(w0) + part(at[1], 1) * factor(w1) + part(at[2], 1) * factor(w2)
        )

    second = 1 if n > 2 else 0
    first = edge((0, 1, 2), steps[0], steps[second])
    last = edge((n - 1, n - 2, n - 3), -steps[-1], -steps[-1 - second])
    if n == 2:
        return cat([first, last], d)
    left, right = steps[:-1], steps[1:]
    inside = (
        part(0, n - 2) * factor(-right / (left * (left + right)))
        + part(1, n - 2) * factor((right - left) / (left * right))
        + part(2, n - 2) * factor(left / (right * (left + right)))
    )
    return cat([first, inside, last], d)
