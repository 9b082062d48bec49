"""Scalars, histograms, images, texts and hyperparameters as messages of TensorBoard.

Event    1 wall_time double · 2 step int · 3 file_version text · 5 Summary
Summary  1 Value*
Value    1 tag · 2 simple_value float · 4 Image · 5 Histogram · 8 Tensor · 9 metadata
"""

from __future__ import annotations

import math
import struct
import time
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from chainrule.tensor import Tensor
from chainrule.utils.tensorboard.records import block, double, doubles, integer, single


def array(x: Any) -> np.ndarray:
    """The values of a tensor, an array or numbers."""
    if isinstance(x, Tensor):
        return x.detach().float().numpy() if x.dtype.is_floating_point else x.numpy()
    return np.asarray(x)


def event(step: int | None, wall_time: float | None, field: bytes) -> bytes:
    """One event."""
    at = integer(2, step) if step is not None else b""
    return double(1, time.time() if wall_time is None else wall_time) + at + field


def value(tag: str, field: bytes) -> bytes:
    """A summary of one value, as a field of an event."""
    return block(5, block(1, block(1, tag) + field))


def scalar(tag: str, x: Any) -> bytes:
    """One number."""
    a = array(x).reshape(-1)
    if a.size != 1:
        raise AssertionError(f"scalar should be 0D, got {a.size} values for {tag!r}")
    return value(tag, single(2, float(a[0])))


def _limits() -> np.ndarray:
    """TensorFlow's bins: from 1e-12 to 1e20, each 10 % wider than the last, and their negatives."""
    up = 1e-12 * 1.1 ** np.arange(math.ceil(math.log(1e32) / math.log(1.1)))
    up = up[up < 1e20]
    return np.concatenate([-up[::-1], [0.0], up])


def histogram(tag: str, x: Any, bins: Any = "tensorflow", max_bins: int | None = None) -> bytes:
    """Numbers counted in bins. Raises ValueError if there are none."""
    a = array(x).reshape(-1).astype(np.float64)
    if a.size == 0:
        raise ValueError("The histogram is empty, please file a bug report.")
    counts, limits = np.histogram(
        a, bins=_limits() if isinstance(bins, str) and bins == "tensorflow" else bins
    )
    if max_bins is not None and len(counts) > max_bins:
        step = -(-len(counts) // max_bins)
        counts = np.add.reduceat(counts, np.arange(0, len(counts), step))
        limits = np.append(limits[:-1:step], limits[-1])
    used = np.flatnonzero(counts)
    first, last = (int(used[0]), int(used[-1])) if used.size else (0, -1)
    # An empty bin in front says where the first one begins.
    shown = np.concatenate([[0], counts[first : last + 1]])
    ends = limits[first : last + 2]
    fields = b"".join(
        double(n, float(v))
        for n, v in enumerate((a.min(), a.max(), a.size, a.sum(), (a * a).sum()), 1)
    )
    return value(tag, block(5, fields + doubles(6, ends) + doubles(7, shown)))


def png(pixels: np.ndarray) -> bytes:
    """An image (H, W, 1, 3 or 4) of bytes as a PNG file."""
    height, width, channels = pixels.shape
    kind = {1: 0, 2: 4, 3: 2, 4: 6}[channels]

    def chunk(name: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        )

    rows = np.zeros((height, 1 + width * channels), np.uint8)  # each begins with: no filter
    rows[:, 1:] = pixels.reshape(height, -1)
    header = struct.pack(">IIBBBBB", width, height, 8, kind, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(rows.tobytes())) + chunk(b"IEND", b"")
    )  # fmt: skip


def grid(images: np.ndarray, columns: int = 8) -> np.ndarray:
    """(N, C, H, W) as one image (C, H', W')."""
    n, c, h, w = images.shape
    columns = min(columns, n)
    rows = -(-n // columns)
    out = np.zeros((c, rows * h, columns * w), images.dtype)
    for i, one in enumerate(images):
        y, x = i // columns * h, i % columns * w
        out[:, y : y + h, x : x + w] = one
    return out


def channels_last(x: np.ndarray, dataformats: str) -> np.ndarray:
    """An image, or a batch of images as a grid, as (H, W, C)."""
    order = dataformats.upper()
    if len(order) != x.ndim or len(set(order)) != len(order) or set(order) - set("NCHW"):
        raise AssertionError(
            f"size of input tensor and input format are different: {x.shape}, {order}"
        )
    if "N" in order:
        x = grid(np.transpose(x, [order.index(d) for d in "NCHW"]))
        order = "CHW"
    if "C" not in order:
        x = x[..., None]
        order += "C"
    x = np.transpose(x, [order.index(d) for d in "HWC"])
    return np.repeat(x, 3, 2) if x.shape[2] == 1 else x


def image(tag: str, x: Any, dataformats: str = "CHW") -> bytes:
    """An image: bytes from 0 to 255, or floats from 0 to 1."""
    a = channels_last(array(x), dataformats)
    if a.dtype != np.uint8:
        a = np.clip(a.astype(np.float32) * 255.0, 0, 255).astype(np.uint8)
    height, width, channels = a.shape
    fields = integer(1, height) + integer(2, width) + integer(3, channels) + block(4, png(a))
    return value(tag, block(4, fields))


def images(tag: str, x: Any, max_outputs: int = 3) -> bytes:
    """Several images (N, H, W, C) under one tag, at most `max_outputs`, as TensorFlow 2 has them:
    bytes from 0 to 255, or floats from 0 to 1.
    """
    a = array(x)[:max_outputs]
    if a.dtype != np.uint8:
        a = np.clip(a.astype(np.float32) * 255.0, 0, 255).astype(np.uint8)
    _, height, width, _ = a.shape
    parts = [str(width).encode(), str(height).encode(), *(png(one) for one in a)]
    return value(tag, _strings(parts, len(parts)) + _plugin("images", b""))


def text(tag: str, content: str) -> bytes:
    """A text, which TensorBoard shows as Markdown."""
    return value(
        f"{tag}/text_summary", _strings([content.encode()], 1) + _plugin("text", integer(1, 0))
    )


def keras_model(tag: str, configuration: str) -> bytes:
    """A Keras model, as JSON, which TensorBoard's graph page draws."""
    tensor = _strings([configuration.encode()], None)
    return value(tag, tensor + _plugin("graph_keras_model", b"1"))


def strings(tag: str, parts: list[str], count: int | None, metadata: bytes) -> bytes:
    """Texts (along one axis of `count`, or a single one) with a plugin's metadata."""
    return value(tag, _strings([p.encode() for p in parts], count) + block(9, metadata))


def tensor(tag: str, x: np.ndarray, metadata: bytes) -> bytes:
    """An array as float32 with a plugin's metadata."""
    a = np.ascontiguousarray(x, np.float32)
    shape = block(2, b"".join(block(2, integer(1, n)) for n in a.shape))
    return value(tag, block(8, integer(1, 1) + shape + block(4, a.tobytes())) + block(9, metadata))


def _strings(parts: list[bytes], count: int | None) -> bytes:
    """A tensor of texts: one axis of `count`, or none."""
    shape = block(2, b"" if count is None else block(2, integer(1, count)))
    return block(8, integer(1, 7) + shape + b"".join(block(8, part) for part in parts))


def _plugin(name: str, content: bytes) -> bytes:
    return block(9, block(1, block(1, name) + block(2, content)))


# ------------------------------------------------------------------ hyperparameters


def _json(x: Any) -> bytes:
    if isinstance(x, bool):
        return integer(4, int(x))
    return double(2, float(x)) if isinstance(x, (int, float)) else block(3, str(x))


def hparams(
    values: Mapping[str, Any], metrics: Mapping[str, Any], domains: Mapping[str, list[Any]] | None
) -> list[bytes]:
    """What an experiment is, that a session of it begins, and that it ended well."""
    for name, x in values.items():
        if not isinstance(x, (bool, int, float, str, Tensor, np.generic)):
            raise ValueError(
                f"value should be one of int, float, str, bool, or torch.Tensor; {name} is {x!r}"
            )
    plain = {k: x.item() if hasattr(x, "item") else x for k, x in values.items()}
    infos = b""
    for name, x in plain.items():
        kind = 2 if isinstance(x, bool) else (1 if isinstance(x, str) else 3)
        domain = (domains or {}).get(name)
        listed = b"" if domain is None else block(5, b"".join(block(1, _json(d)) for d in domain))
        infos += block(5, block(1, name) + integer(4, kind) + listed)
    infos += b"".join(block(6, block(1, block(2, tag))) for tag in metrics)
    started = b"".join(block(1, block(1, k) + block(2, _json(x))) for k, x in plain.items())
    parts = {
        "_hparams_/experiment": block(2, infos),
        "_hparams_/session_start_info": block(3, started),
        "_hparams_/session_end_info": block(4, integer(1, 1)),
    }
    return [value(tag, _plugin("hparams", integer(1, 0) + part)) for tag, part in parts.items()]
