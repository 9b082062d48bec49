"""Which output is explained."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.tensor import Tensor


def chosen_targets(target: Any, out: np.ndarray, rows: int) -> np.ndarray:
    """The chosen index of each row: (rows,) or (rows, axes) for outputs with more axes."""
    shape = out.shape[1:]
    if isinstance(target, Tensor):
        target = target.detach().numpy()
    if int(np.prod(shape)) == 1 or out.ndim == 0:
        if target is not None and np.any(np.asarray(target)):
            raise IndexError(f"target {target!r}: the model has one output, number 0")
        return np.zeros(rows, np.int64)
    if target is None:
        if len(shape) != 1:
            raise ValueError(
                f"the output of a row has shape {shape}: choose with target=(…), an index for each "
                "of its axes, or a function of the output that gives one number a row"
            )
        return np.asarray(out.argmax(axis=1), np.int64)
    chosen = np.asarray(target)
    if chosen.dtype.kind not in "iu":
        raise TypeError(f"target is a class, one for each row, or a function; got {target!r}")
    if len(shape) == 1:
        chosen = np.broadcast_to(chosen, (rows,)).astype(np.int64)
        low, high = -shape[0], shape[0]
        if chosen.min() < low or chosen.max() >= high:
            raise IndexError(f"target {chosen.tolist()}: the model has {high} outputs")
        return chosen % high
    chosen = np.broadcast_to(chosen, (rows, len(shape))).astype(np.int64)
    if (chosen < -np.array(shape)).any() or (chosen >= np.array(shape)).any():
        raise IndexError(f"target {chosen.tolist()} lies outside of the output {shape}")
    return chosen % np.array(shape)


def flat_index(target: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """The chosen outputs, counted through all axes."""
    if target.ndim == 1:
        return target
    return np.asarray(np.ravel_multi_index(tuple(target.T), shape), np.int64)
