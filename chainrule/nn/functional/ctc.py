"""Connectionist temporal classification: labels without times, such as text spoken or written."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule import ops
from chainrule.errors import ShapeError
from chainrule.ops.ctc import NEVER
from chainrule.tensor import Tensor, autocast
from chainrule.tensor.fromdata import from_owned
from chainrule.tensor.functions import where
from chainrule.tensor.record import apply


@autocast.full
def ctc_loss(
    log_probs: Tensor, targets: Tensor, input_lengths: Any, target_lengths: Any, blank: int = 0,
    reduction: str = "mean", zero_infinity: bool = False,
) -> Tensor:  # fmt: skip
    """−log Σ p(path) over all paths that spell the target: repeats merged, then blanks removed

    log_probs (T, N, C) or (T, C), from log_softmax; targets (N, S), or all of them one after the
    other (Σ lengths); lengths: numbers or tensors (N). "mean" divides by the target's length, then
    averages. A target that is too long for its input costs infinity, or nothing with
    zero_infinity. The gradient is the one with respect to the logits behind log_probs, as in
    PyTorch: through log_softmax it is the true one.

    Graves et al., "Connectionist temporal classification" (2006).

    >>> import chainrule as torch
    >>> even = torch.full((2, 1, 2), 0.5).log()
    >>> torch.nn.functional.ctc_loss(even, torch.tensor([[1]]), (2,), (1,)).exp()
    tensor(1.3333)
    """
    if reduction not in ("none", "mean", "sum"):
        raise ValueError(f"{reduction} is not a valid value for reduction")
    single = log_probs.ndim == 2
    x = log_probs.unsqueeze(1) if single else log_probs
    if x.ndim != 3:
        raise ShapeError(f"ctc_loss: log_probs must be (T, N, C) or (T, C), got {tuple(x.shape)}")
    steps, n, classes = x.shape
    if not 0 <= blank < classes:
        raise RuntimeError(
            f"ctc_loss: blank must be in label range 0 to {classes - 1}, got {blank}"
        )
    used, wanted = _lengths(input_lengths, n, "input"), _lengths(target_lengths, n, "target")
    if n and (used.min() < 0 or used.max() > steps):
        raise RuntimeError(f"ctc_loss: input_lengths must be 0 to {steps}, got {used.tolist()}")
    labels = _labels(targets._concrete(), wanted, n, single)
    size = labels.shape[1]
    spelled = np.full((n, 2 * size + 1), blank, np.int64)  # blank label blank label … blank
    spelled[:, 1::2] = labels
    skip = np.full(spelled.shape, NEVER)
    again = spelled[:, 3::2] == spelled[:, 1:-2:2]
    skip[:, 3::2] = np.where(again, NEVER, 0.0)
    running = np.arange(steps)[:, None, None] < used[None, :, None]
    places = np.ascontiguousarray(np.broadcast_to(spelled, (steps, *spelled.shape)))
    emit = x.gather(2, from_owned(places)).clamp(min=NEVER)
    runs = from_owned(np.ascontiguousarray(running))
    last = apply(ops.ctc_paths, emit, from_owned(skip.astype(x.dtype.np)), runs)
    ends = np.stack([2 * wanted, np.maximum(2 * wanted - 1, 0)], 1)
    pair = last.gather(1, from_owned(ends))
    both = where(from_owned(wanted > 0), pair.logsumexp(1), pair[:, 0])
    possible = both > NEVER / 2
    drawn = (x.exp() * runs.to(x.dtype)).sum(
        (0, 2)
    )  # its gradient is softmax's, its value is taken off
    loss = where(possible, drawn - drawn.detach() - both, 0.0 if zero_infinity else float("inf"))
    if reduction == "mean":
        return (loss / from_owned(np.maximum(wanted, 1).astype(x.dtype.np))).mean()
    if reduction == "sum":
        return loss.sum()
    return loss.squeeze(0) if single else loss


def _lengths(given: Any, n: int, what: str) -> np.ndarray:
    values = given._concrete() if isinstance(given, Tensor) else np.asarray(given)
    values = np.atleast_1d(values).astype(np.int64)
    if values.shape != (n,):
        raise ShapeError(
            f"ctc_loss: {what}_lengths must be of size batch_size {n}, got {values.shape}"
        )
    return values


def _labels(given: np.ndarray, lengths: np.ndarray, n: int, single: bool) -> np.ndarray:
    """Targets (N, longest), 0 behind each end; what stands there is read by nobody."""
    longest = int(lengths.max()) if n else 0
    if given.ndim == 2 or single:
        rows = given.reshape(n, -1)
        if rows.shape[1] < longest:
            raise ShapeError(
                f"ctc_loss: targets {given.shape} are shorter than target_lengths "
                f"{lengths.tolist()}"
            )
        return np.asarray(rows[:, :longest], np.int64)
    if given.shape != (int(lengths.sum()),):
        raise ShapeError(
            "ctc_loss: targets must be (N, S) or as long as all target_lengths together "
            f"({int(lengths.sum())}), got {given.shape}"
        )
    out = np.zeros((n, longest), np.int64)
    ends = np.cumsum(lengths)
    for i, (end, length) in enumerate(zip(ends, lengths, strict=True)):
        out[i, :length] = given[end - length : end]
    return out
