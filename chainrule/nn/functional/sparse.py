"""Looking up rows, and leaving elements out."""

from __future__ import annotations

import numpy as np

from chainrule import dtypes, ops
from chainrule.errors import DtypeError
from chainrule.ir.node import Node
from chainrule.runtime.random import stream
from chainrule.telling import advised
from chainrule.tensor import Tensor, no_grad
from chainrule.tensor.chance import draw, stream_state
from chainrule.tensor.fromdata import from_owned
from chainrule.tensor.functions import one_hot as _one_hot
from chainrule.tensor.functions import stack, where
from chainrule.tensor.handle import node_of
from chainrule.tensor.mutate import assign
from chainrule.tensor.record import apply, steady


def _probability(p: float) -> None:
    if not 0.0 <= p <= 1.0:
        raise ValueError(f"dropout probability has to be between 0 and 1, but got {p}")


def _mask(shape: tuple[int, ...], p: float, like: Tensor) -> Tensor:
    """True where an element stays."""
    kind = like.dtype if like.dtype is dtypes.float64 else dtypes.float32
    return draw("bernoulli", shape, kind, None, "dropout", p=1.0 - p)


def _drop(input: Tensor, shape: tuple[int, ...], p: float, training: bool, inplace: bool) -> Tensor:
    _probability(p)
    if not training or p == 0:
        return input
    if p == 1:
        y = input * 0.0
    elif stream("dropout").twister is None and steady(("dropout", shape), p):
        kind = input._dtype if input._dtype is dtypes.float64 else dtypes.float32
        node_of(input)  # entering may begin another trace: the stream's state is of this one
        key, offset = stream_state("dropout", shape, kind)
        y = apply(_dropped, input, key, offset=offset, shape=shape, kind=kind, p=p)
    else:
        y = input * (_mask(shape, p, input).to(input.dtype) * (1.0 / (1.0 - p)))
    return assign(input, y) if inplace else y


def _dropped(
    x: Node, key: Node, *, offset: int, shape: tuple[int, ...], kind: dtypes.DType, p: float
) -> Node:
    stays = ops.random_uniform(key, offset=offset, shape=shape, dtype=kind) < 1.0 - p
    return x * (ops.cast(stays, dtype=x.dtype) * (1.0 / (1.0 - p)))


def dropout(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Elements set to 0 with probability p, the rest divided by 1 − p (Hinton et al. 2012)"""
    return _drop(input, tuple(input.shape), p, training, inplace)


def _channels(input: Tensor, spatial: int) -> tuple[int, ...]:
    lead = input.ndim - spatial
    return (*input.shape[:lead], *(1,) * spatial)


def dropout1d(
    input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False
) -> Tensor:
    """Whole channels of (N, C, L) set to 0"""
    return _drop(input, _channels(input, 1), p, training, inplace)


def dropout2d(
    input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False
) -> Tensor:
    """Whole channels of (N, C, H, W) set to 0"""
    return _drop(input, _channels(input, max(input.ndim - 2, 0)), p, training, inplace)


def dropout3d(
    input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False
) -> Tensor:
    """Whole channels of (N, C, D, H, W) set to 0"""
    return _drop(input, _channels(input, 3), p, training, inplace)


_ALPHA = -1.7580993408473766  # −(scale · alpha) of selu: its value far to the left


def _alpha(
    input: Tensor, shape: tuple[int, ...], p: float, training: bool, inplace: bool
) -> Tensor:
    _probability(p)
    if not training or p == 0:
        return input
    if p == 1:
        y = input * 0.0
    else:
        a = ((1 - p) * (1 + p * _ALPHA**2)) ** -0.5
        b = -a * _ALPHA * p
        y = where(_mask(shape, p, input), input, _ALPHA) * a + b
    return assign(input, y) if inplace else y


def alpha_dropout(
    input: Tensor, p: float = 0.5, training: bool = False, inplace: bool = False
) -> Tensor:
    """Dropout that keeps mean and variance under selu (Klambauer et al. 2017)"""
    return _alpha(input, tuple(input.shape), p, training, inplace)


def feature_alpha_dropout(
    input: Tensor, p: float = 0.5, training: bool = False, inplace: bool = False
) -> Tensor:
    """alpha_dropout of whole channels"""
    return _alpha(input, _channels(input, max(input.ndim - 2, 0)), p, training, inplace)


# ------------------------------------------------------------------ embedding


def _renormalise(weight: Tensor, index: Tensor, max_norm: float, norm_type: float) -> None:
    """Rows that are looked up are shortened to max_norm, in place."""
    with no_grad():
        rows = from_owned(np.unique(index._concrete()))
        w = weight.detach()[rows]
        size = w.norm(norm_type, -1, keepdim=True)
        factor = where(size > max_norm, max_norm / (size + 1e-7), 1.0)
        weight.detach().index_copy_(0, rows, w * factor)


def embedding(
    input: Tensor, weight: Tensor, padding_idx: int | None = None, max_norm: float | None = None,
    norm_type: float = 2.0, scale_grad_by_freq: bool = False, sparse: bool = False,
) -> Tensor:  # fmt: skip
    """Rows of `weight` (V, D) at integer indices: (…) → (…, D)"""
    if input.dtype not in (dtypes.int64, dtypes.int32):
        raise DtypeError(
            "Expected tensor for argument #1 'indices' to have one of the following scalar types: "
            f"Long, Int; but got {input.dtype} "
            "instead; convert with .long()",
            repair="indices.long(): an embedding takes whole numbers, a row of its table each",
        )
    if weight.ndim != 2:
        raise RuntimeError(f"'weight' must be 2-D, got shape {list(weight.shape)}")
    if padding_idx is not None:
        if not -weight.shape[0] <= padding_idx < weight.shape[0]:
            raise AssertionError("Padding_idx must be within num_embeddings")
        padding_idx %= weight.shape[0]
    check_rows(input, weight._shape[0])
    if max_norm is not None:
        _renormalise(weight, input, max_norm, norm_type)
    table = weight
    if scale_grad_by_freq:
        table = _scaled_gradient(weight, input)
    y: Tensor = apply(ops.take, table, input, axis=0)
    if padding_idx is not None and weight.requires_grad:
        stays = input.eq(padding_idx).unsqueeze(-1)
        y = where(stays, y.detach(), y)
    return y


def _scaled_gradient(weight: Tensor, index: Tensor) -> Tensor:
    counts = np.bincount(index._concrete().reshape(-1), minlength=weight.shape[0])
    share = from_owned((1.0 / np.maximum(counts, 1)).astype(weight.dtype.np)).unsqueeze(1)
    return (
        weight.detach() * (1 - share) + weight * share
    )  # the value is weight, the gradient is share times its own


def one_hot(tensor: Tensor, num_classes: int = -1) -> Tensor:
    """int64: 1 at the index, 0 elsewhere, in a new last axis; num_classes −1: the largest index + 1

    >>> import chainrule as torch
    >>> torch.nn.functional.one_hot(torch.tensor([0, 2]))
    tensor([[1, 0, 0],
            [0, 0, 1]])
    """
    if num_classes != -1:
        check_classes(tensor, num_classes, "one_hot", RuntimeError)
    return _one_hot(tensor, num_classes)


_UNSIGNED = {np.dtype(f"i{size}"): np.dtype(f"u{size}") for size in (1, 2, 4, 8)} | {
    np.dtype("u1"): np.dtype("u1")
}


def check_classes(
    t: Tensor, n: int, what: str, error: type[Exception] = IndexError, ignored: int | None = None
) -> None:
    """Indices that are known already are checked at the user's line."""
    bad = _outside(t, n, ignored)
    if bad is not None:
        raise error(f"{what}: Target {bad} is out of bounds: there are {n} classes, 0 to {n - 1}.")


def check_rows(t: Tensor, n: int) -> None:
    """The same, for the rows of a table."""
    bad = _outside(t, n, None)
    if bad is not None:
        error = IndexError(
            f"index out of range in self: embedding: index {bad} is out of range, the table has "
            f"{n} rows, 0 to {n - 1}"
        )
        largest = int(np.max(t._view()))
        raise advised(
            error,
            "indices begin at 0"
            if largest < n
            else f"a table of {largest + 1} rows (num_embeddings; Keras: input_dim), or smaller "
            "indices",
        )


def _outside(t: Tensor, n: int, ignored: int | None) -> int | None:
    """The first number outside [0, n), if the numbers are known."""
    s = t.storage
    if s.trace is not None or s.array is None or 0 in t._shape:
        return None
    seen = s.array if not t.chain else t._view()
    unsigned = _UNSIGNED.get(seen.dtype)  # of two's complement: what is negative is large
    if unsigned is not None and np.maximum.reduce(seen.view(unsigned), axis=None) < n:
        return None
    bad = seen[((seen < 0) | (seen >= n)) & (seen != ignored)]
    return int(bad.reshape(-1)[0]) if bad.size else None


def embedding_bag(
    input: Tensor, weight: Tensor, offsets: Tensor | None = None, max_norm: float | None = None,
    norm_type: float = 2, scale_grad_by_freq: bool = False, mode: str = "mean",
    sparse: bool = False, per_sample_weights: Tensor | None = None,
    include_last_offset: bool = False, padding_idx: int | None = None,
) -> Tensor:  # fmt: skip
    """Sums, means or maxima of bags of rows

    Bags are the rows of a 2-d input, or start at `offsets` of a 1-d one; an empty bag gives zeros.
    """
    if mode not in ("sum", "mean", "max"):
        raise ValueError("mode has to be one of sum, mean or max")
    if per_sample_weights is not None and mode != "sum":
        raise NotImplementedError(
            "embedding_bag: per_sample_weights was not None. It is only supported for mode='sum' "
            f"(got mode='{mode}')"
        )
    if input.ndim == 2:
        if offsets is not None:
            raise ValueError(
                "if input is 2D, then offsets has to be None, as input is treated as a mini-batch "
                "of fixed length sequences"
            )
        n, length = input.shape
        starts = np.arange(n) * length
        input = input.reshape(-1)
        per_sample_weights = None if per_sample_weights is None else per_sample_weights.reshape(-1)
    elif offsets is None:
        raise ValueError("offsets has to be a 1D Tensor but got None")
    else:
        starts = offsets._concrete()
        starts = starts[:-1] if include_last_offset else starts
    rows = embedding(input, weight, padding_idx, max_norm, norm_type, scale_grad_by_freq)
    bag = np.searchsorted(starts, np.arange(input.numel()), side="right") - 1
    kept = (
        np.ones(input.numel(), bool)
        if padding_idx is None
        else input._concrete() != padding_idx % weight.shape[0]
    )
    if per_sample_weights is not None:
        rows = rows * per_sample_weights.unsqueeze(-1)
    if mode == "max":
        parts = [rows[from_owned(np.flatnonzero((bag == b) & kept))] for b in range(len(starts))]
        return stack([p.max(0).values if len(p) else rows.new_zeros(rows.shape[1:]) for p in parts])
    rows = rows * from_owned(kept.astype(rows.dtype.np)).unsqueeze(-1)
    total = rows.new_zeros((len(starts), weight.shape[1])).index_add(0, from_owned(bag), rows)
    if mode == "sum":
        return total
    counts = np.maximum(np.bincount(bag[kept], minlength=len(starts)), 1)
    return total / from_owned(counts.astype(rows.dtype.np)).unsqueeze(-1)


__all__ = [
    "alpha_dropout", "dropout", "dropout1d", "dropout2d", "dropout3d", "embedding", "embedding_bag",
    "feature_alpha_dropout", "one_hot",
]  # fmt: skip
