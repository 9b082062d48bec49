"""Attribution by taking something away."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

from chainrule.explain.attribution.result import Attribution, attribution
from chainrule.explain.attribution.subject import Subject


def occlusion(
    model: Any, x: Any, target: Any = None, *, window: int | Sequence[int] | None = None,
    stride: int | Sequence[int] | None = None, baseline: Any = 0, **options: Any,
) -> Attribution:  # fmt: skip
    """S(x) − S(x with a window covered), for windows all over x: what the score loses

    A place gets the mean over the windows that cover it. Many covered copies are computed at a
    time.

    window    its size along the spatial axes of an image (all channels are covered), along the
              sequence of tokens, or along every axis of a row (a sequence of that length). Left
              out: a seventh of an image, one token, one feature
    stride    how far it moves: half of it, at least 1
    baseline  what is put there; for tokens a whole number, such as that of padding

    Zeiler and Fergus (2013), "Visualizing and understanding convolutional networks".

    >>> import chainrule as torch
    >>> from chainrule import explain
    >>> weight = torch.tensor([[2.0, -3.0, 0.0]])
    >>> explain.attribute.occlusion(lambda x: x @ weight.T, torch.ones(1, 3)).values
    array([[ 2., -3.,  0.]], dtype=float32)
    """
    subject = Subject(model, x, target, **options)
    if not subject.rowwise:
        raise ValueError("occlusion needs rows: an output with a number for each row of the input")
    inputs = subject.arrays
    fills = list(baseline) if isinstance(baseline, tuple) else [baseline] * len(inputs)
    out: list[np.ndarray | None] = []
    steps = 0
    for k, (a, group) in enumerate(zip(inputs, subject.view().variables, strict=True)):
        if not group:
            out.append(None)
            continue
        size, move = _sizes(a, window, stride, subject.channels if a.ndim == 4 else None)
        places = list(_places(a.shape[1:], size, move))
        steps += len(places)
        out.append(_one(subject, k, places, np.asarray(fills[k], a.dtype)))
    return attribution("occlusion", subject, out, steps=steps)


def _one(subject: Subject, k: int, places: list[tuple[slice, ...]], fill: np.ndarray) -> np.ndarray:
    a = subject.arrays[k]
    rows = len(a)
    covering = np.zeros(a.shape[1:], np.int64)
    for place in places:
        covering[place] += 1
    lost = np.zeros(a.shape, np.float64)
    jobs = list(itertools.product(range(rows), range(len(places))))
    at_once = subject.rows_for(len(jobs))
    for start in range(0, len(jobs), at_once):
        here = jobs[start : start + at_once]
        which = np.array([n for n, _ in here])
        covered = a[which]
        for i, (_, p) in enumerate(here):
            covered[i][places[p]] = (
                fill if fill.ndim == 0 else np.broadcast_to(fill, a.shape[1:])[places[p]]
            )
        given = [covered if j == k else other[which] for j, other in enumerate(subject.arrays)]
        scores = subject.scores(given, which)
        for (n, p), s in zip(here, scores, strict=True):
            lost[n][places[p]] += float(subject.score[n]) - float(s)
    kind = a.dtype if a.dtype.kind == "f" else np.dtype(np.float32)
    return (lost / np.maximum(covering, 1)).astype(kind)


def _sizes(
    a: np.ndarray, window: Any, stride: Any, channels: str | None
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Window and stride along every axis of a row."""
    shape = a.shape[1:]
    axis = None if channels is None else (0 if channels == "first" else len(shape) - 1)
    free = [i for i in range(len(shape)) if i != axis]
    if window is None:
        size = [max(1, -(-shape[i] // 7)) if channels is not None else 1 for i in free]
    elif isinstance(window, int):
        size = [window] * len(free)
    else:
        size = [int(w) for w in window]
        if len(size) == len(shape) and axis is not None:
            axis, free = None, list(range(len(shape)))
    if len(size) != len(free) or min(size, default=1) < 1:
        raise ValueError(
            f"a window has a size along each of {len(free)} axes of a row {shape}, got {window}"
        )
    if stride is None:
        move = [max(1, s // 2) for s in size]
    else:
        move = [stride] * len(free) if isinstance(stride, int) else [int(s) for s in stride]
    if len(move) != len(size) or min(move, default=1) < 1:
        raise ValueError(f"a stride moves by 1 or more along {len(size)} axes, got {stride}")
    full, steps = list(shape), [1] * len(shape)
    for i, w, s in zip(free, size, move, strict=True):
        full[i], steps[i] = min(w, shape[i]), s
    return tuple(full), tuple(steps)


def _places(
    shape: tuple[int, ...], size: tuple[int, ...], stride: tuple[int, ...]
) -> list[tuple[slice, ...]]:
    """All windows; the last along an axis may end at its border."""
    along = []
    for n, w, s in zip(shape, size, stride, strict=True):
        count = -(-(n - w) // s) + 1
        along.append([slice(i * s, min(i * s + w, n)) for i in range(count)])
    return [tuple(p) for p in itertools.product(*along)]
