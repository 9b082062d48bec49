"""Padding, resizing, rearranging, and distances."""

from __future__ import annotations

import itertools
import math
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from chainrule import ops, shapes
from chainrule.errors import ShapeError
from chainrule.ir.node import Node
from chainrule.tensor import Tensor, autocast
from chainrule.tensor.fromdata import from_owned
from chainrule.tensor.functions import broadcast_tensors
from chainrule.tensor.record import apply


def pad(
    input: Tensor, pad: Sequence[int], mode: str = "constant", value: float | None = None
) -> Tensor:
    """Elements around the last axes: pad = (left, right, top, bottom, …), the last axis first

    Negative numbers cut off. mode "constant", "reflect" (mirrored, edge once), "replicate" (edge
    repeated), "circular".

    >>> import chainrule as torch
    >>> torch.nn.functional.pad(torch.tensor([1.0, 2.0, 3.0]), (2, 0), "constant", 9.0)
    tensor([9., 9., 1., 2., 3.])
    """
    p = tuple(int(n) for n in pad)
    if len(p) % 2:
        raise RuntimeError("Padding length must be divisible by 2")
    n = len(p) // 2
    if n > input.ndim:
        raise RuntimeError(
            "Padding length should be less than or equal to two times the input dimension but got "
            f"padding length {len(p)} and input of dimension {input.ndim}"
        )
    pairs = {input.ndim - 1 - i: (p[2 * i], p[2 * i + 1]) for i in range(n)}
    if mode == "constant":
        low = tuple(pairs.get(i, (0, 0))[0] for i in range(input.ndim))
        high = tuple(pairs.get(i, (0, 0))[1] for i in range(input.ndim))
        return apply(_pad, input, low=low, high=high, value=0.0 if value is None else value)
    if mode not in ("reflect", "replicate", "circular"):
        raise NotImplementedError(f"Unrecognised padding mode {mode}")
    if value not in (None, 0):
        raise ValueError(f'Padding mode "{mode}" doesn\'t take in value argument')
    for axis, (a, b) in pairs.items():
        if a or b:
            input = input.index_select(axis, _places(input.shape[axis], a, b, mode))
    return input


def _pad(x: Node, *, low: tuple[int, ...], high: tuple[int, ...], value: float) -> Node:
    start = tuple(max(-a, 0) for a in low)
    stop = tuple(n - max(-b, 0) for n, b in zip(x.shape, high, strict=True))
    if any(a > b for a, b in zip(start, stop, strict=True)):
        raise RuntimeError(f"padding {low}, {high} cuts off more than there is of {x.shape}")
    if start != (0,) * len(start) or stop != x.shape:
        x = ops.slice(x, start=start, stop=stop, step=(1,) * len(start))
    low, high = tuple(max(a, 0) for a in low), tuple(max(b, 0) for b in high)
    return ops.pad(x, low=low, high=high, value=value) if any(low) or any(high) else ops.copy(x)


def _places(n: int, a: int, b: int, mode: str) -> Tensor:
    at = np.arange(-a, n + b)
    if mode == "replicate":
        at = np.clip(at, 0, n - 1)
    elif mode == "circular":
        if a > n or b > n:
            raise RuntimeError("Padding value causes wrapping around more than once.")
        first, last = max(-a, 0), n - max(-b, 0)  # a negative padding cuts off first
        kept = last - first
        at = first + np.arange(-max(a, 0), kept + max(b, 0)) % max(kept, 1)
    else:
        if a >= n or b >= n:
            raise RuntimeError(
                "Padding size should be less than the corresponding input dimension, but got: "
                f"padding ({a}, {b}) at an axis of size {n}"
            )
        at = np.abs(at)
        at = np.where(at >= n, 2 * (n - 1) - at, at)
    return from_owned(at.astype(np.int64))


# ------------------------------------------------------------------ resizing


def _scales(
    x: Tensor, size: Any, scale_factor: Any, n: int
) -> tuple[tuple[int, ...], tuple[float, ...] | None]:
    if (size is None) == (scale_factor is None):
        raise ValueError("only one of size or scale_factor should be defined")
    if size is not None:
        return shapes.ntuple(size, n, "size"), None
    factors = (
        tuple(float(f) for f in scale_factor)
        if isinstance(scale_factor, (tuple, list))
        else (float(scale_factor),) * n
    )
    return tuple(math.floor(m * f) for m, f in zip(x.shape[2:], factors, strict=True)), factors


def _source(n: int, out: int, align: bool, scale: float | None) -> np.ndarray:
    """Where output pixels lie in the input."""
    if align:
        return np.arange(out) * ((n - 1) / (out - 1) if out > 1 else 0.0)
    return (np.arange(out) + 0.5) * (1 / scale if scale else n / out) - 0.5


def _cubic(t: np.ndarray, a: float = -0.75) -> np.ndarray:
    t = np.abs(t)
    near = ((a + 2) * t - (a + 3)) * t * t + 1
    far = ((t - 5) * t + 8) * t * a - 4 * a
    return np.where(t <= 1, near, np.where(t < 2, far, 0.0))


def _matrix(
    n: int, out: int, mode: str, align: bool, scale: float | None, antialias: bool
) -> np.ndarray:
    """(n, out): weights of input pixels in output pixels."""
    m = np.zeros((n, out))
    cols = np.arange(out)
    if mode == "area":
        for j in cols:
            a, b = j * n // out, -(-(j + 1) * n // out)
            m[a:b, j] = 1 / (b - a)
        return m
    if antialias:
        return _antialiased(n, out, mode, align, scale)
    x = _source(n, out, align, scale)
    if mode == "cubic":
        base = np.floor(x)
        for k in range(-1, 3):
            np.add.at(m, (np.clip(base + k, 0, n - 1).astype(int), cols), _cubic(x - base - k))
        return m
    x = np.maximum(x, 0.0)
    i = np.minimum(np.floor(x), n - 1).astype(int)
    w = x - i
    np.add.at(m, (i, cols), 1 - w)
    np.add.at(m, (np.minimum(i + 1, n - 1), cols), w)
    return m


def _antialiased(n: int, out: int, mode: str, align: bool, scale: float | None) -> np.ndarray:
    m = np.zeros((n, out))
    step = (n - 1) / (out - 1) if align and out > 1 else (1 / scale if scale else n / out)
    wide = max(step, 1.0)
    reach = (2.0 if mode == "cubic" else 1.0) * wide
    for j in range(out):
        center = step * (j + 0.5)
        a, b = max(int(center - reach + 0.5), 0), min(int(center + reach + 0.5), n)
        t = (np.arange(a, b) - center + 0.5) / wide
        w = _cubic(t, -0.5) if mode == "cubic" else np.maximum(1 - np.abs(t), 0.0)
        m[a:b, j] = w / w.sum()
    return m


def _picked(x: Tensor, axis: int, at: np.ndarray) -> Tensor:
    """Places `at` along an axis. Whole multiples need no table of places: each element is repeated,
    and the gradient is a sum of neighbours.
    """
    length = x.shape[axis]
    times = len(at) // length
    if times * length == len(at) and np.array_equal(at, np.arange(len(at)) // times):
        if times == 1:
            return x
        y: Tensor = x.unsqueeze(axis + 1)
        y = y.expand(*x.shape[: axis + 1], times, *x.shape[axis + 1 :])
        return y.reshape(*x.shape[:axis], length * times, *x.shape[axis + 1 :])
    return x.index_select(axis, from_owned(at))


@autocast.plain
def interpolate(
    input: Tensor, size: Any = None, scale_factor: Any = None, mode: str = "nearest",
    align_corners: bool | None = None, recompute_scale_factor: bool | None = None,
    antialias: bool = False,
) -> Tensor:  # fmt: skip
    """Resize (N, C, …) to `size` or by `scale_factor`

    mode "nearest", "nearest-exact", "linear", "bilinear", "bicubic", "trilinear" or "area": all but
    the nearest ones are one matrix per axis. align_corners: the outermost pixel centres coincide.
    """
    n = input.ndim - 2
    sizes, factors = _scales(input, size, scale_factor, n)
    if recompute_scale_factor:
        factors = None
    if align_corners is not None and mode in ("nearest", "area", "nearest-exact"):
        raise ValueError(
            "align_corners option can only be set with the interpolating modes: linear | bilinear "
            "| bicubic | trilinear"
        )
    kinds = {"linear": 1, "bilinear": 2, "trilinear": 3, "bicubic": 2}
    if mode in kinds and kinds[mode] != n:
        raise NotImplementedError(
            f"Got {input.ndim}D input, but {mode} mode needs {kinds[mode] + 2}D input"
        )
    if mode not in (*kinds, "nearest", "nearest-exact", "area"):
        raise NotImplementedError(f"unknown interpolation mode {mode!r}")
    if not all((*input.shape[2:], *sizes)):
        raise RuntimeError(
            "Input and output sizes should be greater than 0, but got input of size "
            f"{list(input.shape[2:])} and output of size {list(sizes)}"
        )
    x = input
    for i, out in enumerate(sizes):
        axis, length = 2 + i, input.shape[2 + i]
        scale = None if factors is None else factors[i]
        if mode.startswith("nearest"):
            ratio = 1 / scale if scale else length / out
            # in float32, where products of inexact ratios round to whole numbers: PyTorch's places
            places = np.arange(out, dtype=np.float32)
            middle = np.float32(0.5 if mode == "nearest-exact" else 0.0)
            at = np.floor((places + middle) * np.float32(ratio))
            x = _picked(x, axis, np.minimum(at, length - 1).astype(np.int64))
        elif out != length or (scale not in (None, 1.0)):
            kind = "cubic" if mode == "bicubic" else ("area" if mode == "area" else "linear")
            m = _matrix(length, out, kind, bool(align_corners), scale, antialias)
            x = x.movedim(axis, -1).matmul(from_owned(m.astype(x.dtype.np))).movedim(-1, axis)
    return x.clone() if x is input else x


upsample = interpolate


def upsample_nearest(input: Tensor, size: Any = None, scale_factor: Any = None) -> Tensor:
    """interpolate with mode "nearest" """
    return interpolate(input, size, scale_factor, "nearest")


def upsample_bilinear(input: Tensor, size: Any = None, scale_factor: Any = None) -> Tensor:
    """interpolate with mode "bilinear" and align_corners"""
    return interpolate(input, size, scale_factor, "bilinear", align_corners=True)


def affine_grid(theta: Tensor, size: Sequence[int], align_corners: bool | None = None) -> Tensor:
    """Sampling positions (N, H, W, 2) of affine maps theta (N, 2, 3), or (N, D, H, W, 3) of
    (N, 3, 4)
    """
    n, _, *sizes = size
    k = len(sizes)
    if not theta.is_floating_point():
        raise ValueError(f"Expected theta to have floating point type, but got {theta.dtype}")
    if k not in (2, 3) or tuple(theta.shape[1:]) != (k, k + 1):
        raise ValueError(
            f"Expected a batch of {k}D affine matrices of shape Nx{k}x{k + 1} for size "
            f"{list(size)}. Got {theta.size()}."
        )

    def line(m: int) -> np.ndarray:
        if m <= 1:
            return np.zeros(m)
        edge = np.linspace(-1, 1, m)
        return edge if align_corners else edge * (m - 1) / m

    axes = np.meshgrid(*(line(m) for m in sizes), indexing="ij")
    points = shapes.size(sizes)
    base = from_owned(
        np.stack([*reversed(axes), np.ones_like(axes[0])], -1)
        .reshape(1, points, k + 1)
        .astype(theta.dtype.np)
    )
    moved: Tensor = base.expand(n, points, k + 1).matmul(theta.transpose(1, 2))
    return moved.reshape(n, *sizes, k)


@autocast.full
def grid_sample(
    input: Tensor, grid: Tensor, mode: str = "bilinear", padding_mode: str = "zeros",
    align_corners: bool | None = None,
) -> Tensor:  # fmt: skip
    """input (N, C, H, W) read at positions grid (N, H', W', 2) in [−1, 1], or (N, C, D, H, W) at
    (N, D', H', W', 3); bilinear, nearest, or (of images) bicubic
    """
    if mode not in ("bilinear", "nearest", "bicubic"):
        raise ValueError(
            "nn.functional.grid_sample(): expected mode to be 'bilinear', 'nearest' or 'bicubic', "
            f"but got: '{mode}'"
        )
    if padding_mode not in ("zeros", "border", "reflection"):
        raise ValueError(
            "nn.functional.grid_sample(): expected padding_mode to be 'zeros', 'border', or "
            f"'reflection', but got: '{padding_mode}'"
        )
    k = input.ndim - 2
    if k not in (2, 3) or grid.ndim != input.ndim or grid.shape[-1] != k:
        raise RuntimeError(
            "grid_sampler(): expected 4D or 5D input and grid with same number of dimensions, but "
            f"got input with sizes {list(input.shape)} and grid with sizes {list(grid.shape)}"
        )
    if mode == "bicubic" and k != 2:
        raise RuntimeError("grid_sampler(): bicubic interpolation only supports 4D input")
    if align_corners is None:
        warnings.warn(
            "Default grid_sample and affine_grid behavior has changed to align_corners=False since "
            "1.3.0. Please specify align_corners=True if the old behavior is desired. See the "
            "documentation of grid_sample for details.",
            stacklevel=2,
        )
    align = bool(align_corners)
    sizes = input.shape[2:]
    n, c = input.shape[:2]
    out = tuple(grid.shape[1:-1])
    flat = input.reshape(n, c, shapes.size(sizes))

    def at(places: list[Tensor]) -> Tensor:
        """The elements there; 0 outside."""
        inside, index = None, None
        for p, size in zip(places, sizes, strict=True):
            here = (p >= 0) & (p <= size - 1)
            inside = here if inside is None else inside & here
            i = p.clamp(0, size - 1).long()
            index = i if index is None else index * size + i
        assert inside is not None and index is not None
        rows = index.reshape(n, 1, shapes.size(out)).expand(n, c, shapes.size(out))
        return flat.gather(2, rows).reshape(n, c, *out) * inside.unsqueeze(1).to(input.dtype)

    if mode == "bicubic":
        return _bicubic(grid, sizes, at, align, padding_mode)
    # the grid says x, y(, z); the axes of the input are in the other order
    where = [
        _unnormal(grid[..., k - 1 - a], size, align, padding_mode) for a, size in enumerate(sizes)
    ]
    if mode == "nearest":
        return at([p.detach().round() for p in where])
    low = [p.detach().floor() for p in where]
    share = [(p - q).unsqueeze(1) for p, q in zip(where, low, strict=True)]
    total: Tensor | None = None
    for corner in itertools.product((0, 1), repeat=k):
        part = at([q + i for q, i in zip(low, corner, strict=True)])
        for w, i in zip(share, corner, strict=True):
            part = part * (w if i else 1 - w)
        total = part if total is None else total + part
    assert total is not None
    return total


def grid_sampler(
    input: Tensor, grid: Tensor, interpolation_mode: int, padding_mode: int, align_corners: bool
) -> Tensor:
    """`grid_sample`, its modes as numbers"""
    mode = ("bilinear", "nearest", "bicubic")[interpolation_mode]
    padding = ("zeros", "border", "reflection")[padding_mode]
    return grid_sample(input, grid, mode, padding, align_corners)


grid_sampler_2d = grid_sampler_3d = grid_sampler


def _bicubic(
    grid: Tensor, sizes: Sequence[int], at: Callable[[list[Tensor]], Tensor], align: bool,
    padding: str,
) -> Tensor:  # fmt: skip
    """Σ of 4 × 4 neighbours; where each of them is read follows the padding."""
    where = [_unnormal(grid[..., 1 - a], size, align, "zeros") for a, size in enumerate(sizes)]
    low = [p.detach().floor() for p in where]
    weights = [_neighbours((p - q).unsqueeze(1)) for p, q in zip(where, low, strict=True)]
    total: Tensor | None = None
    for i, wy in enumerate(weights[0]):
        for j, wx in enumerate(weights[1]):
            places = [
                _padded(q + (m - 1), size, align, padding)
                for q, m, size in zip(low, (i, j), sizes, strict=True)
            ]
            part = at(places) * wy * wx
            total = part if total is None else total + part
    assert total is not None
    return total


def _neighbours(t: Tensor, a: float = -0.75) -> list[Tensor]:
    """The weights of the four neighbours at −1, 0, 1, 2 (Keys 1981)."""

    def near(x: Tensor) -> Tensor:
        return ((a + 2) * x - (a + 3)) * x * x + 1

    def far(x: Tensor) -> Tensor:
        return ((a * x - 5 * a) * x + 8 * a) * x - 4 * a

    return [far(t + 1), near(t), near(1 - t), far(2 - t)]


def _unnormal(g: Tensor, size: int, align: bool, padding: str) -> Tensor:
    x = (g + 1) / 2 * (size - 1) if align else ((g + 1) * size - 1) / 2
    return _padded(x, size, align, padding)


def _padded(x: Tensor, size: int, align: bool, padding: str) -> Tensor:
    """Places outside, as the padding has them inside."""
    if padding == "border":
        return x.clamp(0, size - 1)
    if padding == "reflection":
        low, span = (0.0, float(size - 1)) if align else (-0.5, float(size))
        if span == 0:
            return x * 0
        t = (x - low).abs()
        flips, extra = (t / span).detach().floor(), t.fmod(span)
        even = flips.fmod(2.0) == 0
        x = extra.where(even, span - extra) + low
        return x.clamp(0, size - 1)
    return x


# ------------------------------------------------------------------ rearranging


def pixel_shuffle(input: Tensor, upscale_factor: int) -> Tensor:
    """(…, C r², H, W) → (…, C, H r, W r) (Shi et al. 2016)"""
    r = upscale_factor
    *lead, c, h, w = input.shape
    if c % (r * r):
        raise RuntimeError(
            "pixel_shuffle expects its input's 'channel' dimension to be divisible by the square "
            f"of upscale_factor, but input.size(-3)={c} is not divisible by {r * r}"
        )
    x = input.reshape(math.prod(lead), c // (r * r), r, r, h, w).permute(0, 1, 4, 2, 5, 3)
    return x.reshape(*lead, c // (r * r), h * r, w * r)


def pixel_unshuffle(input: Tensor, downscale_factor: int) -> Tensor:
    """The inverse of pixel_shuffle"""
    r = downscale_factor
    *lead, c, h, w = input.shape
    if h % r or w % r:
        raise RuntimeError(
            "pixel_unshuffle expects height and width to be divisible by downscale_factor, got "
            f"{h} x {w} and {r}"
        )
    x = input.reshape(math.prod(lead), c, h // r, r, w // r, r).permute(0, 1, 3, 5, 2, 4)
    return x.reshape(*lead, c * r * r, h // r, w // r)


def channel_shuffle(input: Tensor, groups: int) -> Tensor:
    """Channels of g groups interleaved (Zhang et al. 2018)"""
    n, c = input.shape[:2]
    if c % groups:
        raise RuntimeError(
            f"Number of channels must be divisible by groups. Got {c} channels and {groups} groups."
        )
    return input.reshape(n, groups, c // groups, -1).transpose(1, 2).reshape(input.shape)


# ------------------------------------------------------------------ distances


def cosine_similarity(x1: Tensor, x2: Tensor, dim: int = 1, eps: float = 1e-8) -> Tensor:
    """x₁ · x₂ / (max(‖x₁‖, ε) max(‖x₂‖, ε))"""
    x1, x2 = broadcast_tensors(x1, x2)
    a = x1.norm(2, dim, keepdim=True).clamp(min=eps)
    b = x2.norm(2, dim, keepdim=True).clamp(min=eps)
    return ((x1 / a) * (x2 / b)).sum(dim)


def pairwise_distance(
    x1: Tensor, x2: Tensor, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False
) -> Tensor:
    """‖x₁ − x₂ + ε‖ₚ over the last axis"""
    return (x1 - x2 + eps).norm(p, -1, keepdim)


def pdist(input: Tensor, p: float = 2.0) -> Tensor:
    """Distances between all pairs of rows, as a vector"""
    if input.ndim != 2:
        raise ShapeError(f"pdist only supports 2D tensors, got: {input.ndim}D")
    i, j = np.triu_indices(input.shape[0], 1)
    return (input[from_owned(i.astype(np.int64))] - input[from_owned(j.astype(np.int64))]).norm(
        p, -1
    )
