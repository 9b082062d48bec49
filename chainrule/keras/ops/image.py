"""`keras.ops.image`: pictures as (height, width, channels), or as a batch of them."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule import dtypes
from chainrule.keras.arrays import to_tensor
from chainrule.keras.images import resized
from chainrule.keras.ops.promotion import as_real
from chainrule.keras.settings import standardize_data_format
from chainrule.keras.symbolic import function
from chainrule.nn import functional as F
from chainrule.runtime.random import Generator, stream
from chainrule.tensor import Tensor, creation, fromdata
from chainrule.tensor import functions as T

_FILTERS = ("bilinear", "nearest", "bicubic", "lanczos3", "lanczos5", "area")


def _batch(images: Any, rank: int = 4) -> tuple[Tensor, bool]:
    """The pictures as a batch, and whether they were one picture."""
    x = to_tensor(images)
    if x.ndim not in (rank - 1, rank):
        raise ValueError(
            f"Invalid images rank: expected rank {rank - 1} (single image) or rank {rank} (batch "
            f"of images). Received input with shape: images.shape={tuple(x.shape)}"
        )
    return (x, False) if x.ndim == rank else (x.unsqueeze(0), True)


def _channels_last(x: Tensor, data_format: str | None) -> Tensor:
    return x.movedim(-3, -1) if standardize_data_format(data_format) == "channels_first" else x


def _back(x: Tensor, data_format: str | None) -> Tensor:
    return x.movedim(-1, -3) if standardize_data_format(data_format) == "channels_first" else x


def _same_kind(out: Tensor, like: Tensor) -> Tensor:
    """Whole numbers stay whole numbers."""
    if like.dtype.is_floating_point:
        return out.to(like.dtype)
    limits = dtypes.iinfo(like.dtype)
    return T.clamp(T.round(out), float(limits.min), float(limits.max)).to(like.dtype)


@function
def rgb_to_grayscale(images: Any, data_format: str | None = None) -> Any:
    """The brightness, as one channel."""
    x, _ = _batch(images)
    x = _channels_last(to_tensor(images), data_format)
    weights = fromdata.from_owned(np.array([0.2989, 0.587, 0.114], np.float32))
    grey = (x.to(dtypes.float32) * weights).sum(-1, keepdim=True)
    return _back(grey.to(x.dtype), data_format)


@function
def rgb_to_hsv(images: Any, data_format: str | None = None) -> Any:
    """Hue, saturation and value of numbers of 0 … 1."""
    x = _colours(images, data_format)
    r, g, b = T.unbind(x, -1)
    value, low = x.amax(-1), x.amin(-1)
    span = value - low
    zero = creation.zeros_like(span)
    saturation = T.where(value > 0, span / T.where(value > 0, value, value + 1), zero)
    safe = T.where(span > 0, span, span + 1)
    hue = T.where(
        value == r, (g - b) / safe, T.where(value == g, 2 + (b - r) / safe, 4 + (r - g) / safe)
    )
    hue = T.where(span > 0, hue / 6, zero)
    hue = T.where(hue < 0, hue + 1, hue)
    return _back(T.stack([hue, saturation, value], -1), data_format)


@function
def hsv_to_rgb(images: Any, data_format: str | None = None) -> Any:
    """Red, green and blue out of hue, saturation and value."""
    x = _colours(images, data_format)
    hue, saturation, value = T.unbind(x, -1)

    def channel(shift: float) -> Any:
        at = (shift + hue * 6) % 6
        return value - value * saturation * T.clamp(T.minimum(at, 4 - at), 0.0, 1.0)

    return _back(T.stack([channel(5), channel(3), channel(1)], -1), data_format)


def _colours(images: Any, data_format: str | None) -> Tensor:
    _batch(images)
    x = to_tensor(images)
    if not x.dtype.is_floating_point:
        raise ValueError(
            f"Invalid images dtype: expected float dtype. Received: images.dtype={x.dtype.name}"
        )
    return _channels_last(x, data_format)


def nearest(x: Any, height: int, width: int) -> Any:
    """Pictures (…, h, w, channels) at another size: the pixel in whose middle each falls."""
    for axis, size in ((-3, height), (-2, width)):
        n = int(x.shape[axis])
        if n != size:
            at = np.minimum(((np.arange(size) + 0.5) * n / size).astype(np.int64), n - 1)
            x = T.index_select(x, axis % x.ndim, fromdata.from_owned(at))
    return x


def interpolated(x: Any, height: int, width: int, method: str, antialias: bool) -> Any:
    """Pictures (…, h, w, channels) at another size, between pixels."""
    return resized(x, height, width, method, "channels_last", antialias)


def resize(
    images: Any, size: Any, interpolation: str = "bilinear", antialias: bool = False,
    crop_to_aspect_ratio: bool = False, pad_to_aspect_ratio: bool = False,
    fill_mode: str = "constant", fill_value: float = 0.0, data_format: str | None = None,
) -> Any:  # fmt: skip
    """Pictures of another height and width."""
    if len(size) != 2:
        raise ValueError(f"Expected `size` to be a tuple of 2 integers. Received: size={size}")
    if size[0] <= 0 or size[1] <= 0:
        raise ValueError(f"`size` must have positive height and width. Received: size={size}")
    if interpolation not in _FILTERS:
        raise ValueError(
            f"Invalid value for argument `interpolation`. Expected of one {_FILTERS}. "
            f"Received: interpolation={interpolation}"
        )
    if pad_to_aspect_ratio and crop_to_aspect_ratio:
        raise ValueError(
            "Only one of `pad_to_aspect_ratio` & `crop_to_aspect_ratio` can be `True`."
        )
    if fill_mode != "constant":
        raise ValueError(
            "Invalid value for argument `fill_mode`. Only `'constant'` is supported. "
            f"Received: fill_mode={fill_mode}"
        )
    return _resize(
        images, tuple(int(n) for n in size), interpolation, antialias, crop_to_aspect_ratio,
        pad_to_aspect_ratio, fill_value, standardize_data_format(data_format),
    )  # fmt: skip


@function
def _resize(
    images: Any, size: Any, method: str, antialias: bool, crop: bool, pad: bool, fill: float,
    data_format: str,
) -> Any:  # fmt: skip
    _batch(images)
    x = _channels_last(to_tensor(images), data_format)
    given, (height, width) = x, size
    h, w = int(x.shape[-3]), int(x.shape[-2])
    if crop:
        ch = max(min(h, int(w * height / width)), 1)
        cw = max(min(w, int(h * width / height)), 1)
        top, left = (h - ch) // 2, (w - cw) // 2
        x = x[..., top : top + ch, left : left + cw, :]
    elif pad:
        ph, pw = max(h, int(w * height / width)), max(w, int(h * width / height))
        top, left = (ph - h) // 2, (pw - w) // 2
        x = F.pad(x, [0, 0, left, pw - w - left, top, ph - h - top], value=fill)
    if method == "nearest":
        return _back(nearest(x, height, width), data_format)
    return _back(_same_kind(interpolated(x, height, width, method, antialias), given), data_format)


@function
def extract_patches(
    images: Any, size: Any, strides: Any = None, dilation_rate: Any = 1, padding: str = "valid",
    data_format: str | None = None,
) -> Any:  # fmt: skip
    """Windows as vectors: (n, rows, columns, height x width x channels)."""
    if isinstance(size, list | tuple) and len(size) == 3:
        return extract_patches_3d(images, size, strides, dilation_rate, padding, data_format)
    return _patches(images, size, strides, dilation_rate, padding, data_format, 2)


@function
def extract_patches_3d(
    volumes: Any, size: Any, strides: Any = None, dilation_rate: Any = 1, padding: str = "valid",
    data_format: str | None = None,
) -> Any:  # fmt: skip
    """Windows of volumes as vectors."""
    return _patches(volumes, size, strides, dilation_rate, padding, data_format, 3)


def _several(n: Any, rank: int, name: str) -> tuple[int, ...]:
    if isinstance(n, int):
        return (n,) * rank
    if len(n) != rank:
        raise TypeError(
            f"Invalid `{name}` argument. Expected an int or a tuple of length {rank}. "
            f"Received: {name}={n}"
        )
    return tuple(int(k) for k in n)


def _patches(
    images: Any, size: Any, strides: Any, dilation: Any, padding: str, data_format: str | None,
    rank: int,
) -> Any:  # fmt: skip
    first = standardize_data_format(data_format) == "channels_first"
    if not isinstance(size, int | list | tuple):
        raise TypeError(
            f"Invalid `size` argument. Expected an int or a tuple of length {rank}. "
            f"Received: size={size}"
        )
    window = _several(size, rank, "size")
    steps = window if strides is None else _several(strides, rank, "strides")
    rates = _several(dilation, rank, "dilation_rate")
    if any(s > 1 for s in steps) and any(d > 1 for d in rates) and strides is not None:
        raise ValueError(
            "strides > 1 not supported in conjunction with dilation_rate > 1. Received: "
            f"strides={strides}, dilation_rate={dilation}"
        )
    x, single = _batch(images, rank + 2)
    x = x.movedim(1, -1) if first else x
    axes = range(1, rank + 1)
    if padding == "same":
        flat: list[int] = [0, 0]
        for axis, k, s, d in reversed(list(zip(axes, window, steps, rates, strict=True))):
            n, span = int(x.shape[axis]), (k - 1) * d + 1
            total = max((-(-n // s) - 1) * s + span - n, 0)
            flat += [total // 2, total - total // 2]
        x = F.pad(x, flat)
    for axis, k, s, d in zip(axes, window, steps, rates, strict=True):
        x = x.unfold(axis, (k - 1) * d + 1, s)[..., ::d]
    # (n, rows…, channels, window…) → (n, rows…, window…, channels)
    x = x.movedim(rank + 1, -1)
    out = x.reshape(*x.shape[: rank + 1], -1)
    out = out.movedim(-1, 1) if first else out
    return out.squeeze(0) if single else out


def _bounds(
    size: Any, before: Any, after: Any, target: Any, grows: bool, names: tuple[str, str, str]
) -> tuple[int, int]:
    given = [v is not None for v in (before, after, target)]
    if sum(given) != 2:
        raise ValueError(
            f"Must specify exactly two of {', '.join(names)}. Received: "
            f"{names[0]}={before}, {names[1]}={after}, {names[2]}={target}"
        )
    change = None if target is None else (target - size if grows else size - target)
    before = change - after if before is None else before
    after = change - before if after is None else after
    for name, value in zip(names, (before, after), strict=False):
        if value < 0:
            raise ValueError(f"{name} must be >= 0, got {value}")
    return before, after


@function
def pad_images(
    images: Any, top_padding: Any = None, left_padding: Any = None, bottom_padding: Any = None,
    right_padding: Any = None, target_height: Any = None, target_width: Any = None,
    data_format: str | None = None,
) -> Any:  # fmt: skip
    """Pictures with zeros around them."""
    _batch(images)
    x = _channels_last(to_tensor(images), data_format)
    top, bottom = _bounds(
        int(x.shape[-3]), top_padding, bottom_padding, target_height, True,
        ("top_padding", "bottom_padding", "target_height"),
    )  # fmt: skip
    left, right = _bounds(
        int(x.shape[-2]), left_padding, right_padding, target_width, True,
        ("left_padding", "right_padding", "target_width"),
    )  # fmt: skip
    return _back(F.pad(x, [0, 0, left, right, top, bottom]), data_format)


@function
def crop_images(
    images: Any, top_cropping: Any = None, left_cropping: Any = None, bottom_cropping: Any = None,
    right_cropping: Any = None, target_height: Any = None, target_width: Any = None,
    data_format: str | None = None,
) -> Any:  # fmt: skip
    """A part of pictures."""
    _batch(images)
    x = _channels_last(to_tensor(images), data_format)
    h, w = int(x.shape[-3]), int(x.shape[-2])
    top, bottom = _bounds(
        h, top_cropping, bottom_cropping, target_height, False,
        ("top_cropping", "bottom_cropping", "target_height"),
    )  # fmt: skip
    left, right = _bounds(
        w, left_cropping, right_cropping, target_width, False,
        ("left_cropping", "right_cropping", "target_width"),
    )  # fmt: skip
    return _back(x[..., top : h - bottom, left : w - right, :], data_format)


# At computed places -------------------------------------------------------------------------------

_MODES = ("constant", "nearest", "wrap", "mirror", "reflect")


def _folded(i: Any, n: int, mode: str) -> Any:
    """Places beyond the edges as places within."""
    if mode == "wrap":
        return i % n
    if mode == "mirror":
        period = max(2 * (n - 1), 1)
        i = T.abs(i) % period
        return T.where(i >= n, period - i, i)
    if mode == "reflect":
        i = i % (2 * n)
        return T.where(i >= n, 2 * n - 1 - i, i)
    return T.clamp(i, 0, n - 1)


@function
def map_coordinates(
    inputs: Any, coordinates: Any, order: int, fill_mode: str = "constant", fill_value: Any = 0
) -> Any:
    """Values at computed places: the nearest ones (order 0), or lines between them (order 1)."""
    x, at = to_tensor(inputs), to_tensor(coordinates)
    if int(at.shape[0]) != x.ndim:
        raise ValueError(
            "First dim of `coordinates` must be the same as the rank of `inputs`. "
            f"Received inputs with shape: {tuple(x.shape)} and coordinate leading dim of "
            f"{at.shape[0]}"
        )
    if at.ndim < 2:
        raise ValueError(
            "Invalid coordinates rank: expected at least rank 2. Received input with "
            f"shape: {tuple(at.shape)}"
        )
    if fill_mode not in _MODES:
        raise ValueError(
            f"Invalid value for argument `fill_mode`. Expected one of {_MODES}. Received: "
            f"fill_mode={fill_mode}"
        )
    if order not in (0, 1):
        raise NotImplementedError("map_coordinates currently requires order<=1")
    return _sampled(x, list(T.unbind(as_real(at))), order, fill_mode, fill_value)


def _sampled(x: Tensor, at: list[Any], order: int, mode: str, fill: Any) -> Any:
    shape, kind = tuple(int(n) for n in x.shape), x.dtype
    steps = [int(np.prod(shape[k + 1 :])) for k in range(len(shape))]
    flat = x.reshape(-1)
    options: list[list[tuple[Any, Any, Any]]] = []  # along each axis: (place, weight, inside)
    for c, n in zip(at, shape, strict=True):
        if order == 0:
            near = [(T.round(c), None)]
        else:
            low = T.floor(c)
            near = [(low, 1 - (c - low)), (low + 1, c - low)]
        found = []
        for p, share in near:
            i = p.to(dtypes.int64)
            found.append((_folded(i, n, mode), share, (i >= 0) & (i < n)))
        options.append(found)
    total: Any = None
    weight: Any
    for corner in np.ndindex(*(len(o) for o in options)):
        place: Any = 0
        weight = None
        inside: Any = None
        for axis, k in enumerate(corner):
            i, w, ok = options[axis][k]
            place = place + i * steps[axis]
            weight = w if weight is None else weight * w
            inside = ok if inside is None else inside & ok
        value = T.index_select(flat, 0, place.reshape(-1)).reshape(place.shape)
        if order:
            value = value.to(weight.dtype)
        if mode == "constant":
            value = T.where(inside, value, creation.full_like(value, fill))
        part = value if weight is None else value * weight
        total = part if total is None else total + part
    return total.to(kind) if kind.is_floating_point or not order else T.round(total).to(kind)


def _grid(h: int, w: int) -> tuple[Tensor, Tensor]:
    y, x = np.meshgrid(
        np.arange(h, dtype=np.float32), np.arange(w, dtype=np.float32), indexing="ij"
    )
    return fromdata.from_owned(y), fromdata.from_owned(x)


def _warped(images: Tensor, rows: Any, columns: Any, order: int, mode: str, fill: Any) -> Any:
    """Pictures (n, h, w, c) at places (n, height, width)."""
    n, c = int(images.shape[0]), int(images.shape[-1])
    height, width = (int(k) for k in rows.shape[-2:])
    shape = (n, height, width, c)
    b = creation.arange(n, dtype=dtypes.float32).reshape(n, 1, 1, 1).expand(shape)
    k = creation.arange(c, dtype=dtypes.float32).reshape(1, 1, 1, c).expand(shape)
    at = [b, rows.unsqueeze(-1).expand(shape), columns.unsqueeze(-1).expand(shape), k]
    return _sampled(images, at, order, mode, fill)


_ORDERS = {"nearest": 0, "bilinear": 1}


@function
def affine_transform(
    images: Any, transform: Any, interpolation: str = "bilinear", fill_mode: str = "constant",
    fill_value: Any = 0, data_format: str | None = None,
) -> Any:  # fmt: skip
    """Pictures turned, sheared and moved: 8 numbers take a place to where its value stands."""
    if interpolation not in _ORDERS:
        raise ValueError(
            f"Invalid value for argument `interpolation`. Expected of one {set(_ORDERS)}. "
            f"Received: interpolation={interpolation}"
        )
    if fill_mode not in _MODES:
        raise ValueError(
            f"Invalid value for argument `fill_mode`. Expected of one {_MODES}. Received: "
            f"fill_mode={fill_mode}"
        )
    m = to_tensor(transform).to(dtypes.float32)
    if m.ndim not in (1, 2):
        raise ValueError(
            "Invalid transform rank: expected rank 1 (single transform) or rank 2 (batch "
            f"of transforms). Received input with shape: transform.shape={tuple(m.shape)}"
        )
    x, single = _batch(images)
    x = _channels_last(x, data_format)
    out = _projected(x, m, _ORDERS[interpolation], fill_mode, fill_value)
    out = _back(out, data_format)
    return out.squeeze(0) if single else out


def _projected(x: Tensor, m: Tensor, order: int, mode: str, fill: Any) -> Any:
    m = m.reshape(-1, 8)
    m = m.expand((int(x.shape[0]), 8)) if int(m.shape[0]) == 1 else m
    a0, a1, a2, b0, b1, b2, c0, c1 = (p.reshape(-1, 1, 1) for p in T.unbind(m, 1))
    row, column = _grid(int(x.shape[1]), int(x.shape[2]))
    scale = c0 * column + c1 * row + 1.0
    columns = (a0 * column + a1 * row + a2) / scale
    rows = (b0 * column + b1 * row + b2) / scale
    return _warped(x, rows, columns, order, mode, fill)


@function
def perspective_transform(
    images: Any, start_points: Any, end_points: Any, interpolation: str = "bilinear",
    fill_value: Any = 0, data_format: str | None = None,
) -> Any:  # fmt: skip
    """Pictures with four points moved to four others."""
    if interpolation not in _ORDERS:
        raise ValueError(
            f"Invalid value for argument `interpolation`. Expected of one {set(_ORDERS)}. "
            f"Received: interpolation={interpolation}"
        )
    start, end = to_tensor(start_points), to_tensor(end_points)
    for name, p in (("start_points", start), ("end_points", end)):
        if p.ndim not in (2, 3) or tuple(p.shape[-2:]) != (4, 2):
            raise ValueError(
                f"Invalid {name} shape: expected (4,2) for a single image or (N,4,2) for "
                f"a batch. Received shape: {tuple(p.shape)}"
            )
    if start.shape != end.shape:
        raise ValueError(
            "start_points and end_points must have the same shape. Received "
            f"start_points.shape={tuple(start.shape)}, end_points.shape={tuple(end.shape)}"
        )
    x, single = _batch(images)
    x = _channels_last(x, data_format)
    s, e = (p.detach().numpy().astype(np.float64).reshape(-1, 4, 2) for p in (start, end))
    rows = []
    for from_, to in zip(s, e, strict=True):  # eight equations for eight numbers
        a, b = [], []
        for (sx, sy), (ex, ey) in zip(from_, to, strict=True):
            a.append([ex, ey, 1, 0, 0, 0, -sx * ex, -sx * ey])
            a.append([0, 0, 0, ex, ey, 1, -sy * ex, -sy * ey])
            b += [sx, sy]
        rows.append(np.linalg.solve(np.array(a), np.array(b)))
    m = fromdata.from_owned(np.stack(rows).astype(np.float32))
    out = _back(_projected(x, m, _ORDERS[interpolation], "constant", fill_value), data_format)
    return out.squeeze(0) if single else out


def _blurred(x: Tensor, size: Any, sigma: Any) -> Tensor:
    """Pictures (n, h, w, c), smoothed."""

    def kernel(k: int, s: float) -> np.ndarray:
        at = np.arange(k) - (k - 1) / 2
        g = np.exp(-(at**2) / (2 * s**2))
        return g / g.sum()

    k = np.outer(kernel(int(size[0]), float(sigma[0])), kernel(int(size[1]), float(sigma[1])))
    n, h, w, c = x.shape
    flat = x.permute(0, 3, 1, 2).reshape(-1, 1, h, w)
    kh, kw = int(size[0]), int(size[1])
    pads = [(kw - 1) // 2, kw // 2, (kh - 1) // 2, kh // 2]
    weights = fromdata.from_owned(k[None, None].astype(x.dtype.np))
    return F.conv2d(F.pad(flat, pads), weights).reshape(n, c, h, w).permute(0, 2, 3, 1)


@function
def gaussian_blur(
    images: Any, kernel_size: Any = (3, 3), sigma: Any = (1.0, 1.0), data_format: str | None = None
) -> Any:
    """Pictures smoothed by a bell."""
    x, single = _batch(images)
    given = x
    x = _channels_last(as_real(x), data_format)
    out = _back(_same_kind(_blurred(x, kernel_size, sigma), given), data_format)
    return out.squeeze(0) if single else out


@function
def elastic_transform(
    images: Any, alpha: float = 20.0, sigma: float = 5.0, interpolation: str = "bilinear",
    fill_mode: str = "reflect", fill_value: float = 0.0, seed: Any = None,
    data_format: str | None = None,
) -> Any:  # fmt: skip
    """Pictures bent by smooth random shifts."""
    if interpolation not in _ORDERS:
        raise ValueError(
            f"Invalid value for argument `interpolation`. Expected of one {set(_ORDERS)}. "
            f"Received: interpolation={interpolation}"
        )
    if fill_mode not in _MODES:
        raise ValueError(
            f"Invalid value for argument `fill_mode`. Expected of one {_MODES}. Received: "
            f"fill_mode={fill_mode}"
        )
    x, single = _batch(images)
    x = _channels_last(x, data_format)
    n, h, w = (int(k) for k in x.shape[:3])
    source = (
        stream("default")
        if seed is None
        else getattr(seed, "generator", None) or Generator(seed=int(seed))
    )
    noise = creation.randn((n, h, w, 2), generator=source)
    size = int(6 * sigma) | 1
    shift = _blurred(noise, (size, size), (sigma, sigma)) * alpha
    row, column = _grid(h, w)
    out = _warped(
        x,
        row + shift[..., 0],
        column + shift[..., 1],
        _ORDERS[interpolation],
        fill_mode,
        fill_value,
    )
    out = _back(out, data_format)
    return out.squeeze(0) if single else out


def _kernel(name: str, x: np.ndarray) -> np.ndarray:
    x = np.abs(x)
    if name in ("linear", "bilinear", "trilinear", "triangle"):
        return np.maximum(0, 1 - x)
    if name in ("cubic", "bicubic", "tricubic"):
        near, far = ((1.5 * x - 2.5) * x) * x + 1.0, ((-0.5 * x + 2.5) * x - 4.0) * x + 2.0
        return np.where(x < 1, near, np.where(x < 2, far, 0.0))
    if name in ("lanczos3", "lanczos5"):
        a = float(name[-1])
        return np.where(x < a, np.sinc(x) * np.sinc(x / a), 0.0)
    raise ValueError(f"Invalid value for argument `method`: {name!r}")


@function
def scale_and_translate(
    images: Any, output_shape: Any, scale: Any, translation: Any, spatial_dims: Any, method: str,
    antialias: bool = True,
) -> Any:  # fmt: skip
    """Pictures scaled and moved along some axes."""
    given = to_tensor(images)
    x = as_real(given)
    scales = to_tensor(scale).detach().numpy().astype(np.float64)
    moves = to_tensor(translation).detach().numpy().astype(np.float64)
    for i, axis in enumerate(spatial_dims):
        n, size = int(x.shape[axis]), int(output_shape[axis])
        inverse = 1.0 / float(scales[i])
        width = max(inverse, 1.0) if antialias else 1.0
        at = (np.arange(size) + 0.5) * inverse - float(moves[i]) * inverse - 0.5
        weights = _kernel(method, (at[None, :] - np.arange(n)[:, None]) / width)
        total = weights.sum(0, keepdims=True)
        small = 1000.0 * np.finfo(np.float32).eps
        weights = np.where(np.abs(total) > small, weights / np.where(total == 0, 1, total), 0)
        weights = np.where(((at >= -0.5) & (at <= n - 0.5))[None, :], weights, 0)
        table = fromdata.from_owned(weights.astype(x.dtype.np))
        x = T.tensordot(x, table, ([axis], [0])).movedim(-1, axis)
    return _same_kind(x, given) if not given.dtype.is_floating_point else x


@function
def sobel_edges(images: Any, data_format: str | None = None) -> Any:
    """Slopes down and to the right, as a last axis of 2."""
    x, single = _batch(images)
    x = _channels_last(as_real(x), data_format)
    down = np.array([[-1, -2, -1], [0, 0, 0], [1, 2, 1]], np.float32)
    n, h, w, c = x.shape
    flat = x.permute(0, 3, 1, 2).reshape(-1, 1, h, w)
    kernels = fromdata.from_owned(np.stack([down, down.T])[:, None].astype(x.dtype.np))
    out = F.conv2d(F.pad(flat, [1, 1, 1, 1], mode="reflect"), kernels).reshape(n, c, 2, h, w)
    first = standardize_data_format(data_format) == "channels_first"
    out = out.permute(0, 1, 3, 4, 2) if first else out.permute(0, 3, 4, 1, 2)
    return out.squeeze(0) if single else out


@function
def ssim(
    image1: Any, image2: Any, max_val: float = 1.0, filter_size: int = 11,
    filter_sigma: float = 1.5, k1: float = 0.01, k2: float = 0.03, data_format: str | None = None,
) -> Any:  # fmt: skip
    """Structural similarity of pictures: 1 for equal ones."""
    a, single = _batch(image1)
    b, _ = _batch(image2)
    x, y = (_channels_last(as_real(t), data_format) for t in (a, b))
    at = np.arange(filter_size) - (filter_size - 1) / 2
    g = np.exp(-(at**2) / (2 * filter_sigma**2))
    g /= g.sum()
    kernel = fromdata.from_owned(np.outer(g, g)[None, None].astype(np.float32))

    def smooth(t: Any) -> Any:
        n, h, w, c = t.shape
        out = F.conv2d(t.permute(0, 3, 1, 2).reshape(-1, 1, h, w), kernel)
        return out.reshape(n, c, *out.shape[-2:])

    c1, c2 = (k1 * max_val) ** 2, (k2 * max_val) ** 2
    mx, my = smooth(x), smooth(y)
    vx, vy, both = smooth(x * x) - mx * mx, smooth(y * y) - my * my, smooth(x * y) - mx * my
    found = ((2 * mx * my + c1) * (2 * both + c2)) / ((mx * mx + my * my + c1) * (vx + vy + c2))
    out = found.mean((-3, -2, -1))
    return out.squeeze(0) if single else out
