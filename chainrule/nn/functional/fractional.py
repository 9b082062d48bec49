"""Pooling over windows at random places (Graham, "Fractional max-pooling", 2014)."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule import shapes
from chainrule.errors import ShapeError
from chainrule.tensor import Tensor
from chainrule.tensor.chance import draw
from chainrule.tensor.fromdata import from_owned


def _sizes(n: int, x: Tensor, output_size: Any, output_ratio: Any) -> tuple[int, ...]:
    if output_size is None and output_ratio is None:
        raise ValueError(
            f"fractional_max_pool{n}d requires specifying either an output_size or an output_ratio"
        )
    if output_size is not None:
        return shapes.ntuple(output_size, n, "output_size")
    ratio = output_ratio if isinstance(output_ratio, (tuple, list)) else (output_ratio,) * n
    return tuple(int(m * r) for m, r in zip(x.shape[-n:], ratio, strict=True))


def _starts(u: Tensor, length: int, out: int, k: int) -> Tensor:
    """Where windows begin: ⌊(i + u) α⌋ − ⌊u α⌋, α = (length − k)/(out − 1); the last one at the
    end.
    """
    if out == 1:
        return (u * 0).long().unsqueeze(-1) + (length - k)
    alpha = (length - k) / (out - 1)
    i = from_owned(np.arange(out).astype(u.dtype.np))
    u = u.unsqueeze(-1)
    begin = ((i + u) * alpha).floor() - (u * alpha).floor()
    last = from_owned(np.arange(out) == out - 1)
    return begin.masked_fill(last, float(length - k)).long()


def _pool(
    n: int,
    input: Tensor,
    kernel_size: Any,
    output_size: Any,
    output_ratio: Any,
    samples: Tensor | None,
) -> tuple[Tensor, Tensor]:
    if input.ndim not in (n + 1, n + 2):
        raise ShapeError(f"expected a {n + 1}D or {n + 2}D input, got shape {tuple(input.shape)}")
    sizes, k = (
        _sizes(n, input, output_size, output_ratio),
        shapes.ntuple(kernel_size, n, "kernel_size"),
    )
    x = input if input.ndim == n + 2 else input.unsqueeze(0)
    for length, out, m in zip(x.shape[2:], sizes, k, strict=True):
        if out + m - 1 > length:
            raise RuntimeError(
                f"fractional_max_pool{n}d: pool size {k} and output size {sizes} are too large for "
                "the "
                f"input {tuple(x.shape[2:])}"
            )
    batch, channels = x.shape[:2]
    if samples is None:
        shape = (batch, channels, n)
        samples = draw("uniform", shape, x.dtype, None, "dropout")
    flat: Tensor | None = None  # (N, C, out…, K…) places in the flattened image
    for axis, (length, out, m) in enumerate(zip(x.shape[2:], sizes, k, strict=True)):
        u = samples[:, :, n - 1 - axis if n == 2 else axis]  # PyTorch's order: W, H, but T, H, W
        at = _starts(u, length, out, m).unsqueeze(-1) + from_owned(np.arange(m))  # (N, C, out, k)
        wide = [batch, channels, *(1,) * (2 * n)]
        wide[2 + axis], wide[2 + n + axis] = out, m
        part = at.reshape(wide)
        flat = part if flat is None else flat * length + part
    assert flat is not None
    count = shapes.size(k)
    every = shapes.size(sizes)  # written out: -1 says nothing about an empty batch
    places = flat.reshape(batch, channels, every, count)
    inside = shapes.size(x.shape[2:])
    read = x.reshape(batch, channels, inside).gather(
        2, places.reshape(batch, channels, every * count)
    )
    y, best = read.reshape(batch, channels, every, count).max(-1)
    where = places.gather(-1, best.unsqueeze(-1)).squeeze(-1)
    shape = (batch, channels, *sizes)
    y, where = y.reshape(shape), where.reshape(shape)
    return (y, where) if input.ndim == n + 2 else (y.squeeze(0), where.squeeze(0))


def fractional_max_pool2d(
    input: Tensor, kernel_size: Any, output_size: Any = None, output_ratio: Any = None,
    return_indices: bool = False, _random_samples: Tensor | None = None,
) -> Any:  # fmt: skip
    """The largest elements of windows at random places, so that any output size is reached"""
    y, where = _pool(2, input, kernel_size, output_size, output_ratio, _random_samples)
    return (y, where) if return_indices else y


def fractional_max_pool3d(
    input: Tensor, kernel_size: Any, output_size: Any = None, output_ratio: Any = None,
    return_indices: bool = False, _random_samples: Tensor | None = None,
) -> Any:  # fmt: skip
    """fractional_max_pool2d over three axes"""
    y, where = _pool(3, input, kernel_size, output_size, output_ratio, _random_samples)
    return (y, where) if return_indices else y
