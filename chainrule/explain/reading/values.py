"""Values of formulas: arrays whose axes are rows (0, 1, …) or have letters (n, t, p, q)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

Label = int | str


class Value(NamedTuple):
    """An array, and what each of its axes is."""

    array: np.ndarray
    labels: tuple[Label, ...] = ()

    def axis(self, label: Label) -> int:
        return self.labels.index(label)

    @property
    def rows(self) -> list[int]:
        """The rows that it has, in order."""
        return sorted(v for v in self.labels if isinstance(v, int))

    @property
    def letters(self) -> list[str]:
        return [v for v in self.labels if isinstance(v, str)]

    def ordered(self, labels: Sequence[Label | None]) -> np.ndarray:
        """The array with its axes in this order; what it does not have is an axis of size 1."""
        have = [v for v in labels if v in self.labels]
        rest = [v for v in self.labels if v not in labels]
        lead = self.array.transpose([self.axis(v) for v in (*rest, *have)])
        if rest:
            if any(self.array.shape[self.axis(v)] != 1 for v in rest):
                raise ValueError(f"an axis of {self.labels} has no place in {tuple(labels)}")
            lead = lead.reshape(lead.shape[len(rest) :])
        shape = iter(lead.shape)
        return lead.reshape([next(shape) if v in have else 1 for v in labels])

    def renamed(self, names: dict[Label, Label]) -> Value:
        return Value(self.array, tuple(names.get(v, v) for v in self.labels))


def number(x: Any) -> Value:
    return Value(np.asarray(x, np.float64))


def union(*values: Value) -> tuple[Label, ...]:
    """All labels of several values: letters, then rows."""
    letters = list(dict.fromkeys(v for x in values for v in x.letters))
    rows = sorted({v for x in values for v in x.rows})
    return (*letters, *rows)


def each(f: Callable[..., Any], *values: Value) -> Value:
    """A function element by element; what has an axis and what has not go together."""
    labels = union(*values)
    return Value(np.asarray(f(*(v.ordered(labels) for v in values))), labels)


def product(a: Value, b: Value) -> Value:
    """A B: row 1 of A (of a vector in a row as well) against row 0 of B; else one by one."""
    if 1 not in a.labels or 0 not in b.labels:
        return each(np.multiply, a, b)
    left = [v for v in a.labels if v != 1]
    right = [v for v in b.labels if v != 0]
    size_a, size_b = a.array.shape[a.axis(1)], b.array.shape[b.axis(0)]
    if size_a != size_b:
        if 1 in (size_a, size_b) and not (a.rows == [0, 1] and b.rows == [0, 1]):
            return each(np.multiply, a, b)
        raise ValueError(f"rows of {size_a} and {size_b} do not go together")
    letters = list(dict.fromkeys([*a.letters, *b.letters]))
    rows = [v for v in (0,) if v in left] + [v for v in (1,) if v in right]
    code: dict[Any, str] = {v: chr(97 + k) for k, v in enumerate(letters)}
    first = "".join(code[v] if isinstance(v, str) else "YZ"[v] for v in a.labels)
    second = "".join(code[v] if isinstance(v, str) else "ZX"[v] for v in b.labels)
    out = "".join(code[v] for v in letters) + "".join("Y" if v == 0 else "X" for v in rows)
    return Value(np.einsum(f"{first},{second}->{out}", a.array, b.array), (*letters, *rows))


def transpose(x: Value) -> Value:
    return x.renamed({0: 1, 1: 0})


def compact(x: Value) -> Value:
    """Rows counted from 0 again."""
    return x.renamed({r: k for k, r in enumerate(x.rows)})


def reduce(f: Callable[..., Any], x: Value, over: Sequence[Label]) -> Value:
    """A sum, a maximum … over some axes."""
    axes = tuple(x.axis(v) for v in over)
    return Value(f(x.array, axis=axes), tuple(v for v in x.labels if v not in over))


def along(f: Callable[..., Any], x: Value, label: Label | None) -> Value:
    """A function of whole rows: of a vector, of each row of a matrix."""
    at = x.axis(x.rows[-1] if label is None else label)
    return Value(f(x.array, at), x.labels)


def softmax(x: np.ndarray, axis: int) -> np.ndarray:
    e = np.exp(x - x.max(axis=axis, keepdims=True))
    return np.asarray(e / e.sum(axis=axis, keepdims=True))


def gather(x: Value, row: int, index: Value) -> Value:
    """Row `row` of x at places that depend on letters."""
    shared = [v for v in index.letters if v in x.letters]
    rest = [v for v in x.labels if v != row and v not in shared]
    table = x.ordered([*shared, row, *rest])
    only = [v for v in index.letters if v not in shared]
    places = index.ordered([*shared, *only]).astype(np.int64)
    shape = places.shape
    flat = places.reshape(*shape[: len(shared)], -1)
    grown = flat.reshape(*flat.shape, *(1,) * len(rest))
    if not shared:
        taken = table[places]
        return Value(taken, (*only, *rest))
    grown = np.broadcast_to(grown, (*flat.shape, *table.shape[len(shared) + 1 :]))
    taken = np.take_along_axis(table, grown, axis=len(shared))
    return Value(taken.reshape(*shape, *table.shape[len(shared) + 1 :]), (*shared, *only, *rest))


def one_hot(size: int, index: Value) -> Value:
    """e_k: the k-th unit vector."""
    return Value(np.eye(size)[index.array.astype(np.int64)], (*index.labels, 0))


def windows(
    x: np.ndarray, size: Sequence[int], stride: Sequence[int], dilation: Sequence[int]
) -> np.ndarray:
    """The windows of the last axes: (…, places…, offsets…)."""
    k = len(size)
    span = [d * (s - 1) + 1 for s, d in zip(size, dilation, strict=True)]
    axes = tuple(range(x.ndim - k, x.ndim))
    view = np.lib.stride_tricks.sliding_window_view(x, span, axes)
    at = [slice(None)] * (x.ndim - k)
    at += [slice(None, None, s) for s in stride]
    at += [slice(None, None, d) for d in dilation]
    return view[tuple(at)]


def spread(
    w: np.ndarray, shape: Sequence[int], stride: Sequence[int], dilation: Sequence[int]
) -> np.ndarray:
    """Windows added up at their places: the transpose of `windows`."""
    k = len(shape)
    out = np.zeros((*w.shape[: w.ndim - 2 * k], *shape))
    places = w.shape[w.ndim - 2 * k : w.ndim - k]
    for offset in np.ndindex(*w.shape[w.ndim - k :]):
        at: list[Any] = [slice(None)] * (w.ndim - 2 * k)
        for o, n, s, d in zip(offset, places, stride, dilation, strict=True):
            at.append(slice(o * d, o * d + (n - 1) * s + 1, s))
        out[tuple(at)] += w[(..., *offset)]
    return out
