"""Convolutions and pooling of values, and their transposes, as sums over windows."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from chainrule.explain.reading.values import Label, Value, spread, windows


class Options(NamedTuple):
    """What stands under the sign: stride s, padding p, dilation d, groups g, and a size."""

    stride: list[int]
    low: list[int]
    high: list[int]
    dilation: list[int]
    groups: int
    size: list[int]


def options(text: str, rank: int) -> Options:
    """Read `2;s=2;p=1` or `s=2;p=1|2;6\\times 6`."""
    found: dict[str, list[int]] = {}
    low, high = [0] * rank, [0] * rank
    for part in filter(None, text.replace(r"\times", "x").split(";")):
        name, _, value = part.rpartition("=")
        if name == "p":
            first, _, second = value.partition("|")
            low = _numbers(first, rank)
            high = _numbers(second or first, rank)
        else:
            found[name] = _numbers(value, rank)
    one = [1] * rank
    groups = found.get("g", [1])[0]
    return Options(found.get("s", one), low, high, found.get("d", one), groups, found.get("", []))


def _numbers(text: str, rank: int) -> list[int]:
    out = [int(v) for v in text.strip().split("x")]
    return out * rank if len(out) == 1 else out


def _rank(text: str, kernel: int) -> int:
    return kernel or text.count(r"\times") + 1


def _padded(x: np.ndarray, o: Options, value: float = 0.0) -> np.ndarray:
    k = len(o.low)
    pairs = [(0, 0)] * (x.ndim - k) + list(zip(o.low, o.high, strict=True))
    return np.pad(x, pairs, constant_values=value)


def _places(x: Value, k: int) -> tuple[Value, list[Label], list[Label]]:
    """The letters of samples, and those of places: p, q, r, or t for one; where an image is a
    single point they are not written."""
    usual = list("pqr"[:k]) if k > 1 else ["t"]
    places = [v for v in usual if v in x.letters]
    if len(places) < k and len(x.letters) > k:
        places = x.letters[len(x.letters) - k :]
    for v in usual:
        if len(places) < k and v not in places:
            places.append(v)
            x = Value(x.array[..., None], (*x.labels, v))
    places = sorted(places) if set(places) <= set("pqr") else places
    return x, [v for v in x.letters if v not in places], list(places)


def _split(a: np.ndarray, axis: int, groups: int) -> np.ndarray:
    return a.reshape(*a.shape[:axis], groups, a.shape[axis] // groups, *a.shape[axis + 1 :])


def convolved(w: Value, x: Value, text: str) -> Value:
    """(W ⋆ x)_o = Σ_{c,u,v} W_{o,c,u,v} x_c at the places s p + d u − padding."""
    k = len(w.labels) - 2
    o = options(text, k)
    kernel = w.ordered(range(k + 2))
    x, samples, places = _places(x, k)
    a = _padded(x.ordered([*samples, 0, *places]), o)
    lead = a.shape[: len(samples)]
    flat = windows(a.reshape(-1, *a.shape[len(samples) :]), kernel.shape[2:], o.stride, o.dilation)
    g = o.groups
    letters = "pqr"[:k], "uvw"[:k]
    made = np.einsum(
        f"ngc{letters[0]}{letters[1]},goc{letters[1]}->ngo{letters[0]}",
        _split(flat, 1, g), _split(kernel, 0, g), optimize=True,
    )  # fmt: skip
    made = made.reshape(*lead, kernel.shape[0], *made.shape[3:])
    return Value(made, (*samples, 0, *places))


def convolved_back(w: Value, d: Value, text: str) -> Value:
    """The transpose of W ⋆: every δ_o goes back through the kernel to where its window was."""
    k = len(w.labels) - 2
    o = options(text, k)
    kernel = w.ordered(range(k + 2))
    d, samples, places = _places(d, k)
    a = d.ordered([*samples, 0, *places])
    lead = a.shape[: len(samples)]
    g = o.groups
    letters = "pqr"[:k], "uvw"[:k]
    parts = np.einsum(
        f"ngo{letters[0]},goc{letters[1]}->ngc{letters[0]}{letters[1]}",
        _split(a.reshape(-1, *a.shape[len(samples) :]), 1, g), _split(kernel, 0, g), optimize=True,
    )  # fmt: skip
    whole = [n + p + q for n, p, q in zip(o.size, o.low, o.high, strict=True)]
    made = spread(parts, whole, o.stride, o.dilation)
    at = tuple(slice(p, p + n) for p, n in zip(o.low, o.size, strict=True))
    made = made[_last(at)].reshape(*lead, -1, *o.size)
    return Value(made, (*samples, 0, *places))


def correlated(d: Value, x: Value, text: str) -> Value:
    """(δ ⊛ x)_{o,c,u,v} = Σ_{p,q} δ_o(p, q) x_c at s p + d u − padding, for every sample."""
    k = _rank(text.split(";")[-1], 0)
    o = options(text, k)
    d, samples, places = _places(d, k)
    a = d.ordered([*samples, 0, *places])
    x, _, theirs = _places(x, k)
    b = _padded(x.ordered([*samples, 0, *theirs]), o)
    lead = a.shape[: len(samples)]
    w = windows(b.reshape(-1, *b.shape[len(samples) :]), o.size, o.stride, o.dilation)
    g = o.groups
    letters = "pqr"[:k], "uvw"[:k]
    made = np.einsum(
        f"ngo{letters[0]},ngc{letters[0]}{letters[1]}->ngoc{letters[1]}",
        _split(a.reshape(-1, *a.shape[len(samples) :]), 1, g), _split(w, 1, g), optimize=True,
    )  # fmt: skip
    made = made.reshape(*lead, -1, *made.shape[3:])
    return Value(made, (*samples, *range(k + 2)))


def pooled(name: str, x: Value, text: str) -> Value:
    """The largest element, the sum or the mean of every window."""
    size, k = _pool_size(text)
    o = options(text, k)
    x, _, places = _places(x, k)
    letters = [v for v in x.labels if v not in places]
    a = _padded(x.ordered([*letters, *places]), o, -np.inf if name == "maxpool" else 0.0)
    w = windows(a, size, _pool_stride(text, o, size), o.dilation)
    axes = tuple(range(w.ndim - k, w.ndim))
    f: Any = {"maxpool": np.max, "sumpool": np.sum, "avgpool": np.mean}[name]
    return Value(f(w, axis=axes), (*letters, *places))


def pooled_back(name: str, d: Value, other: Value | list[int], text: str) -> Value:
    """Every δ to the place of the maximum of its window (the first of equal ones), or to all."""
    size, k = _pool_size(text)
    o = options(text, k)
    stride = _pool_stride(text, o, size)
    d, _, places = _places(d, k)
    letters = [v for v in d.labels if v not in places]
    g = d.ordered([*letters, *places])
    shape = g.shape
    if isinstance(other, Value):
        other, _, theirs = _places(other, k)
        raw = other.ordered([*letters, *theirs])
        w = windows(_padded(raw, o, -np.inf), size, stride, o.dilation)
        flat = w.reshape(*w.shape[: w.ndim - k], -1)
        hit = np.zeros(flat.shape)
        np.put_along_axis(hit, flat.argmax(-1)[..., None], 1.0, -1)
        parts = hit.reshape(w.shape) * g.reshape(*shape, *(1,) * k)
        inside = raw.shape[raw.ndim - k :]
    else:
        inside = tuple(other)
        g = np.broadcast_to(g, (*shape[: len(shape) - k], *_counts(inside, size, stride, o)))
        parts = np.broadcast_to(g.reshape(*g.shape, *(1,) * k), (*g.shape, *size))
    whole = [n + p + q for n, p, q in zip(inside, o.low, o.high, strict=True)]
    made = spread(parts, whole, stride, o.dilation)
    at = tuple(slice(p, p + n) for p, n in zip(o.low, inside, strict=True))
    return Value(made[_last(at)], (*letters, *places))


def _last(at: Sequence[slice]) -> Any:
    """An index of the last axes."""
    return (..., *at)


def _counts(
    inside: Sequence[int], size: Sequence[int], stride: Sequence[int], o: Options
) -> list[int]:
    pairs = zip(inside, o.low, o.high, size, stride, o.dilation, strict=True)
    return [(n + p + q - (d * (s - 1) + 1)) // t + 1 for n, p, q, s, t, d in pairs]


def _pool_size(text: str) -> tuple[list[int], int]:
    first = text.split(";")[0].replace(r"\times", "x")
    size = [int(v) for v in re.split("x", first)]
    return size, len(size)


def _pool_stride(text: str, o: Options, size: list[int]) -> list[int]:
    return o.stride if re.search(r"(^|;)s=", text) else size
