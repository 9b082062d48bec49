"""Losses. Input and target of unlike shapes are an error, not a broadcast."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import Any

from chainrule import dtypes, ops
from chainrule.errors import DtypeError, ShapeError
from chainrule.ir.node import Node
from chainrule.nn.functional.conv import _same_type, linear
from chainrule.nn.functional.sparse import check_classes
from chainrule.tensor import Tensor, autocast
from chainrule.tensor.functions import log_softmax, minimum, where, xlogy
from chainrule.tensor.record import apply


def reduction_of(reduction: str, size_average: Any, reduce: Any) -> str:
    """PyTorch's old flags, as the word that replaced them."""
    if size_average is not None or reduce is not None:
        warnings.warn(
            "size_average and reduce args will be deprecated, please use reduction instead.",
            stacklevel=3,
        )
        keep = reduce is False
        return "none" if keep else ("sum" if size_average is False else "mean")
    if reduction not in ("none", "mean", "sum"):
        raise ValueError(f"{reduction} is not a valid value for reduction")
    return reduction


def _reduce(x: Tensor, reduction: str) -> Tensor:
    return x if reduction == "none" else (x.mean() if reduction == "mean" else x.sum())


def _alike(input: Tensor, target: Tensor, what: str) -> None:
    if input.shape != target.shape:
        raise ShapeError(
            f"{what}: Target size ({target.size()}) must be the same as input size "
            f"({input.size()}): a broadcast here would compare every prediction with every target."
            f"{_hint(input, target)}",
            repair=_loss_repair(input, target, what),
        )


def _loss_repair(input: Tensor, target: Tensor, what: str) -> str:
    x, t = tuple(input._shape), tuple(target._shape)
    if x == (*t, 1):
        return f"target.unsqueeze({len(t)}) has shape {x}, or squeeze the predictions"
    if t == (*x, 1):
        return f"target.squeeze(-1) has shape {x}"
    if what.startswith("cross_entropy"):
        if len(x) > 1 and t == (*x[:1], *x[2:]):
            return f"these are class numbers: target.long(), int64[{', '.join(map(str, t))}]"
        if input._dtype.category == dtypes.INTEGER:
            return "the arguments seem to be swapped: cross_entropy(logits, target)"
    if len(x) == 2 and len(t) == 1 and x[0] == t[0] and what.startswith("binary"):
        return f"for {x[1]} classes, of which one is right, use cross_entropy"
    return ""


def _hint(input: Tensor, target: Tensor) -> str:
    if input.numel() != target.numel():
        return ""
    return (
        f" Both have {input.numel()} elements: target.view_as(input), or input.squeeze(), makes "
        "them equal."
    )


def _warn_unlike(input: Tensor, target: Tensor) -> None:
    """Where PyTorch goes on: a broadcast is mostly a mistake."""
    if input.shape != target.shape:
        warnings.warn(
            f"Using a target size ({target.size()}) that is different to the input size "
            f"({input.size()}). This will likely lead to incorrect results due to broadcasting. "
            f"Please ensure they have the same size.{_hint(input, target)}",
            stacklevel=4,
        )


def _pair(
    op: Any, input: Tensor, target: Tensor, reduction: str, weight: Tensor | None = None,
    **attrs: Any,
) -> Tensor:  # fmt: skip
    _warn_unlike(input, target)
    loss: Tensor = apply(op, input, target, **attrs)
    if weight is not None:
        loss = loss * weight
    return _reduce(loss, reduction)


@autocast.full
def mse_loss(
    input: Tensor, target: Tensor, size_average: Any = None, reduce: Any = None,
    reduction: str = "mean", weight: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """mean (x − t)²"""
    how = reduction_of(reduction, size_average, reduce)
    if weight is not None and how == "mean":
        _warn_unlike(input, target)
        return (apply(ops.squared_error, input, target) * weight).sum() / weight.sum()
    return _pair(ops.squared_error, input, target, how, weight)


@autocast.full
def l1_loss(
    input: Tensor, target: Tensor, size_average: Any = None, reduce: Any = None,
    reduction: str = "mean", weight: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """mean |x − t|"""
    how = reduction_of(reduction, size_average, reduce)
    if weight is not None and how == "mean":
        _warn_unlike(input, target)
        return (apply(ops.absolute_error, input, target) * weight).sum() / weight.sum()
    return _pair(ops.absolute_error, input, target, how, weight)


@autocast.full
def huber_loss(
    input: Tensor, target: Tensor, reduction: str = "mean", delta: float = 1.0,
    weight: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """½ d² for |d| < delta, else delta (|d| − ½ delta)"""
    if delta <= 0:
        raise RuntimeError("huber_loss does not support non-positive values for delta.")
    how = reduction_of(reduction, None, None)
    if weight is not None and how == "mean":
        _warn_unlike(input, target)
        return (apply(ops.huber, input, target, delta=delta) * weight).sum() / weight.sum()
    return _pair(ops.huber, input, target, how, weight, delta=delta)


@autocast.full
def smooth_l1_loss(
    input: Tensor, target: Tensor, size_average: Any = None, reduce: Any = None,
    reduction: str = "mean", beta: float = 1.0,
) -> Tensor:  # fmt: skip
    """½ d²/beta for |d| < beta, else |d| − ½ beta"""
    if beta < 0:
        raise RuntimeError("smooth_l1_loss does not support negative values for beta.")
    return _pair(
        ops.smooth_l1,
        input,
        target,
        reduction_of(reduction, size_average, reduce),
        beta=beta,
    )


@autocast.full
def binary_cross_entropy(
    input: Tensor, target: Tensor, weight: Tensor | None = None, size_average: Any = None,
    reduce: Any = None, reduction: str = "mean",
) -> Tensor:  # fmt: skip
    """−(t log p + (1 − t) log(1 − p)) of probabilities"""
    _alike(input, target, "binary_cross_entropy")
    return _pair(
        ops.binary_cross_entropy,
        input,
        target,
        reduction_of(reduction, size_average, reduce),
        weight,
    )


@autocast.full
def binary_cross_entropy_with_logits(
    input: Tensor, target: Tensor, weight: Tensor | None = None, size_average: Any = None,
    reduce: Any = None, reduction: str = "mean", pos_weight: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """binary_cross_entropy of σ(x), without overflow"""
    how = reduction_of(reduction, size_average, reduce)
    _alike(input, target, "binary_cross_entropy_with_logits")
    if pos_weight is None:
        return _pair(
            ops.binary_cross_entropy_logits,
            input,
            target,
            how,
            weight,
        )
    factor = (pos_weight - 1) * target + 1
    loss = (1 - target) * input - factor * apply(ops.log_sigmoid, input)
    return _reduce(loss if weight is None else loss * weight, how)


@autocast.full
def nll_loss(
    input: Tensor, target: Tensor, weight: Tensor | None = None, size_average: Any = None,
    ignore_index: int = -100, reduce: Any = None, reduction: str = "mean",
) -> Tensor:  # fmt: skip
    """−x[target]: log-probabilities (N, C, …), classes (N, …); weighted by class"""
    how = reduction_of(reduction, size_average, reduce)
    x, t, single = _rows(input, target, "nll_loss")
    check_classes(t, x.shape[1], "nll_loss", ignored=ignore_index)
    stays = t.ne(ignore_index)
    safe = where(stays, t, 0)
    picked = x.gather(1, safe.unsqueeze(1)).squeeze(1)
    return _weighted(-picked, safe, stays, weight, how, single)


def _class_entropy(x: Node, t: Node, *, how: str, ignored: int) -> Node:
    stays = ops.ne(t, ignored)
    rows = ops.cross_entropy_rows(x, ops.where(stays, t, 0))
    loss = ops.where(stays, rows, 0.0)
    if how == "none":
        return loss
    total = ops.sum(loss, axis=None, keepdim=False)
    counted = ops.cast(stays, dtype=rows.dtype)
    return total if how == "sum" else total / ops.sum(counted, axis=None, keepdim=False)


def _rows(x: Tensor, t: Tensor, what: str) -> tuple[Tensor, Tensor, bool]:
    if t.dtype.is_floating_point:
        raise DtypeError(
            f"{what}: expected target of an integer dtype (class indices), got {t.dtype}; convert "
            "with .long()"
        )
    if x.ndim == 1 and t.ndim == 0:
        return x.unsqueeze(0), t.unsqueeze(0), True
    want = (*x.shape[:1], *x.shape[2:])
    if x.ndim < 2 or tuple(t.shape) != want:
        moved = ""
        if tuple(t.shape) == tuple(x.shape[:-1]):
            moved = (
                " The classes seem to be on the last axis of input: use input.movedim(-1, 1), or "
                f"flatten both: input.reshape(-1, {x.shape[-1] if x.ndim else '…'}), "
                "target.reshape(-1)."
            )
        raise ShapeError(
            f"{what}: classes are axis 1 of input, so input {tuple(x.shape)} needs a target of "
            f"shape {want}, got {tuple(t.shape)}.{moved}",
            repair=_target_repair(tuple(x.shape), tuple(t.shape), want),
        )
    return x, t, False


def _target_repair(x: tuple[int, ...], t: tuple[int, ...], want: tuple[int, ...]) -> str:
    if t == x:
        return "a target of 0 and 1 per class has to be floating: target.float(), or argmax(1)"
    if t == (*want, 1):
        return f"target.squeeze(-1) has shape {want}"
    if t == x[:-1]:
        return "input.movedim(-1, 1)"
    if len(x) == 3 and len(t) == 1 and t[0] == x[0] * x[1]:
        return f"input.reshape(-1, {x[-1]}) has shape {(x[0] * x[1], x[-1])}"
    if want and t[:1] != want[:1]:
        return f"the batches differ: {x[0]} rows of predictions, {t[0] if t else 1} targets"
    return ""


def _weighted(
    loss: Tensor, t: Tensor, stays: Tensor, weight: Tensor | None, how: str, single: bool
) -> Tensor:
    """Losses per row, classes weighted, ignored rows out; the mean is over weights that count."""
    w = stays.to(loss.dtype) if weight is None else where(stays, weight[t], 0.0)
    loss = where(stays, loss, 0.0) if weight is None else where(stays, loss, 0.0) * w
    if how == "none":
        return loss.squeeze(0) if single else loss
    return loss.sum() if how == "sum" else loss.sum() / w.sum()


@autocast.full
def cross_entropy(
    input: Tensor, target: Tensor, weight: Tensor | None = None, size_average: Any = None,
    ignore_index: int = -100, reduce: Any = None, reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:  # fmt: skip
    """−log softmax(x)[target], or −Σ t log softmax(x) for targets that are probabilities

    input (C), (N, C) or (N, C, d₁, …); target of classes (), (N), (N, d₁, …), or of probabilities
    like input. Classes equal to ignore_index count for nothing. Label smoothing ε (Szegedy et al.
    2016) mixes the target with 1/C.

    >>> import chainrule as torch
    >>> x = torch.tensor([[2.0, 0.0, -1.0]])
    >>> torch.nn.functional.cross_entropy(x, torch.tensor([0]))
    tensor(0.1698)
    """
    how = reduction_of(reduction, size_average, reduce)
    if weight is None and label_smoothing == 0.0 and len(input._shape) > 1:
        n, classes, *rest = input._shape
        if target._shape == (n, *rest) and target._dtype.category != dtypes.FLOAT:
            check_classes(target, classes, "cross_entropy", ignored=ignore_index)
            out: Tensor = apply(_class_entropy, input, target, how=how, ignored=ignore_index)
            return out
    if not 0.0 <= label_smoothing <= 1.0:
        raise RuntimeError(f"label_smoothing must be between 0.0 and 1.0. Got: {label_smoothing}")
    if target.dtype.is_floating_point:
        return _soft_cross_entropy(input, target, weight, how, label_smoothing)
    x, t, single = _rows(input, target, "cross_entropy")
    check_classes(t, x.shape[1], "cross_entropy", ignored=ignore_index)
    stays = t.ne(ignore_index)
    safe = where(stays, t, 0)
    if weight is not None:
        _same_type("cross_entropy", input, weight)
    if label_smoothing == 0.0:
        return _weighted(apply(ops.cross_entropy_rows, x, safe), safe, stays, weight, how, single)
    n = x.shape[1]
    logs = log_softmax(x, 1)
    hard = -logs.gather(1, safe.unsqueeze(1)).squeeze(1)
    if weight is None:
        soft = -logs.sum(1)
        w = stays.to(x.dtype)
    else:
        soft = -(logs * weight.reshape((1, -1, *(1,) * (x.ndim - 2)))).sum(1)
        hard = hard * weight[safe]
        w = where(stays, weight[safe], 0.0)
    loss = where(stays, hard * (1 - label_smoothing) + soft * (label_smoothing / n), 0.0)
    if how == "none":
        return loss.squeeze(0) if single else loss
    return loss.sum() if how == "sum" else loss.sum() / w.sum()


def _soft_cross_entropy(
    x: Tensor, t: Tensor, weight: Tensor | None, how: str, smoothing: float
) -> Tensor:
    _alike(x, t, "cross_entropy with probabilities")
    axis = 0 if x.ndim == 1 else 1
    n = x.shape[axis]
    if smoothing:
        t = t * (1 - smoothing) + smoothing / n
    terms = log_softmax(x, axis) * t
    if weight is not None:
        terms = terms * weight.reshape([n if i == axis else 1 for i in range(x.ndim)])
    loss = -terms.sum(axis)
    if how == "mean":
        return loss.sum() / (loss.numel() if x.ndim > 1 else 1)
    return _reduce(loss, how)


@autocast.full
def kl_div(
    input: Tensor, target: Tensor, size_average: Any = None, reduce: Any = None,
    reduction: str = "mean", log_target: bool = False,
) -> Tensor:  # fmt: skip
    """t (log t − x): x a log-probability; "batchmean" divides the sum by the batch size"""
    loss = target.exp() * (target - input) if log_target else apply(ops.kl_pointwise, input, target)
    if reduction == "batchmean":
        return loss.sum() / (input.shape[0] if input.ndim else 1)
    return _reduce(loss, reduction_of(reduction, size_average, reduce))


@autocast.full
def poisson_nll_loss(
    input: Tensor, target: Tensor, log_input: bool = True, full: bool = False,
    size_average: Any = None, eps: float = 1e-8, reduce: Any = None, reduction: str = "mean",
) -> Tensor:  # fmt: skip
    """eˣ − t x, or x − t log(x + ε); with Stirling's term where t > 1 if full"""
    loss = input.exp() - target * input if log_input else input - target * (input + eps).log()
    if full:
        stirling = (
            xlogy(target, target)
            - target
            + 0.5 * (2 * math.pi * where(target > 1, target, 1.0)).log()
        )
        loss = loss + where(target > 1, stirling, 0.0)
    return _reduce(loss, reduction_of(reduction, size_average, reduce))


@autocast.full
def gaussian_nll_loss(
    input: Tensor, target: Tensor, var: Any, full: bool = False, eps: float = 1e-6,
    reduction: str = "mean",
) -> Tensor:  # fmt: skip
    """½ (log var + (x − t)²/var), var ≥ ε"""
    if not isinstance(var, Tensor):
        var = input.new_full(tuple(input.shape), float(var))
    if var.shape != input.shape:
        if var.shape == input.shape[:-1]:
            var = var.unsqueeze(-1)
        elif (
            var.ndim != input.ndim
            or sum(b for a, b in zip(input.shape, var.shape, strict=True) if a != b) != 1
        ):
            raise ValueError("var is of incorrect size")
    if bool((var < 0).any()):
        raise ValueError("var has negative entry/entries")
    v = where(var < eps, eps, var.detach()) + (var - var.detach())
    loss = 0.5 * (v.log() + (input - target) ** 2 / v)
    return _reduce(
        loss + 0.5 * math.log(2 * math.pi) if full else loss, reduction_of(reduction, None, None)
    )


@autocast.full
def hinge_embedding_loss(
    input: Tensor, target: Tensor, margin: float = 1.0, size_average: Any = None,
    reduce: Any = None, reduction: str = "mean",
) -> Tensor:  # fmt: skip
    """x for target 1, max(0, margin − x) for −1"""
    zero = input.new_zeros(())
    loss = where(target.ne(1), (margin - input).clamp(min=0), zero) + where(
        target.ne(-1), input, zero
    )
    return _reduce(loss, reduction_of(reduction, size_average, reduce))


@autocast.full
def soft_margin_loss(
    input: Tensor, target: Tensor, size_average: Any = None, reduce: Any = None,
    reduction: str = "mean",
) -> Tensor:  # fmt: skip
    """log(1 + e^{−t x})"""
    return _reduce(
        -apply(ops.log_sigmoid, target * input), reduction_of(reduction, size_average, reduce)
    )


@autocast.full
def margin_ranking_loss(
    input1: Tensor, input2: Tensor, target: Tensor, margin: float = 0, size_average: Any = None,
    reduce: Any = None, reduction: str = "mean",
) -> Tensor:  # fmt: skip
    """max(0, −t (x₁ − x₂) + margin)"""
    if not input1.ndim == input2.ndim == target.ndim:
        raise RuntimeError(
            "margin_ranking_loss : All input tensors should have same dimension but got sizes: "
            f"input1: {input1.shape}, "
            f"input2: {input2.shape}, target: {target.shape} "
        )
    return _reduce(
        (-target * (input1 - input2) + margin).clamp(min=0),
        reduction_of(reduction, size_average, reduce),
    )


@autocast.full
def cosine_embedding_loss(
    input1: Tensor, input2: Tensor, target: Tensor, margin: float = 0, size_average: Any = None,
    reduce: Any = None, reduction: str = "mean",
) -> Tensor:  # fmt: skip
    """1 − cos for target 1, max(0, cos − margin) for −1"""
    if input1.shape != input2.shape or target.ndim != input1.ndim - 1:
        raise ShapeError(
            f"cosine_embedding_loss: got shapes {tuple(input1.shape)}, {tuple(input2.shape)} and "
            f"target {tuple(target.shape)}"
        )
    eps = 1e-12  # as in PyTorch's own kernel, under the root
    dot = (input1 * input2).sum(-1)
    cos = dot / (((input1 * input1).sum(-1) + eps) * ((input2 * input2).sum(-1) + eps)).sqrt()
    zero = cos * 0
    loss = where(target.eq(1), 1 - cos, zero) + where(
        target.eq(-1), (cos - margin).clamp(min=0), zero
    )
    return _reduce(loss, reduction_of(reduction, size_average, reduce))


@autocast.full
def multi_margin_loss(
    input: Tensor, target: Tensor, p: int = 1, margin: float = 1.0, weight: Tensor | None = None,
    size_average: Any = None, reduce: Any = None, reduction: str = "mean",
) -> Tensor:  # fmt: skip
    """Σ_{j ≠ t} max(0, margin − x[t] + x[j])ᵖ / C"""
    x, t, single = (
        (input.reshape(1, -1), target.reshape(1), True)
        if input.ndim < 2
        else (input, target, False)
    )
    n = x.shape[1]
    gap = (margin - x.gather(1, t.unsqueeze(1)) + x).clamp(min=0) ** p
    if weight is not None:
        gap = gap * weight[t].unsqueeze(1)
    here = apply(_hit, t, n=n)
    loss = where(here, 0.0, gap).sum(1) / n
    return _reduce(
        loss.squeeze(0) if single else loss, reduction_of(reduction, size_average, reduce)
    )


def _hit(t: Any, *, n: int) -> Any:
    return ops.one_hot(t, n, dtypes.bool_)


@autocast.full
def multilabel_margin_loss(
    input: Tensor, target: Tensor, size_average: Any = None, reduce: Any = None,
    reduction: str = "mean",
) -> Tensor:  # fmt: skip
    """Σ max(0, 1 − (x[y] − x[i])) / C over labels y (before the first −1) and non-labels i"""
    _alike(input, target, "multilabel_margin_loss")
    x, t = (input.reshape(1, -1), target.reshape(1, -1)) if input.ndim < 2 else (input, target)
    n = x.shape[1]
    valid = (t < 0).long().cumsum(1) == 0
    safe = where(valid, t, 0)
    is_label = (apply(_hit, safe, n=n) & valid.unsqueeze(-1)).any(1)
    gap = (1 - (x.gather(1, safe).unsqueeze(-1) - x.unsqueeze(1))).clamp(min=0)
    counts = valid.unsqueeze(-1) & ~is_label.unsqueeze(1)
    loss = where(counts, gap, 0.0).sum((1, 2)) / n
    return _reduce(
        loss if input.ndim > 1 else loss.squeeze(0), reduction_of(reduction, size_average, reduce)
    )


@autocast.full
def multilabel_soft_margin_loss(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: Any = None,
    reduce: Any = None,
    reduction: str = "mean",
) -> Tensor:
    """The mean over classes of binary cross entropy with logits"""
    _alike(input, target, "multilabel_soft_margin_loss")
    loss = -(target * apply(ops.log_sigmoid, input) + (1 - target) * apply(ops.log_sigmoid, -input))
    if weight is not None:
        loss = loss * weight
    return _reduce(loss.mean(-1), reduction_of(reduction, size_average, reduce))


@autocast.full
def triplet_margin_loss(
    anchor: Tensor, positive: Tensor, negative: Tensor, margin: float = 1.0, p: float = 2,
    eps: float = 1e-6, swap: bool = False, size_average: Any = None, reduce: Any = None,
    reduction: str = "mean",
) -> Tensor:  # fmt: skip
    """max(0, d(a, p) − d(a, n) + margin)"""

    def distance(a: Tensor, b: Tensor) -> Tensor:
        return (a - b + eps).norm(p, -1)

    return _triplet(
        anchor,
        positive,
        negative,
        distance,
        margin,
        swap,
        reduction_of(reduction, size_average, reduce),
    )


def _triplet(
    a: Tensor,
    p: Tensor,
    n: Tensor,
    distance: Callable[[Tensor, Tensor], Tensor],
    margin: float,
    swap: bool,
    how: str,
) -> Tensor:
    if margin <= 0:
        raise ValueError(f"margin must be greater than 0, got {margin}")
    far = distance(a, n)
    if swap:
        far = minimum(far, distance(p, n))
    return _reduce((distance(a, p) - far + margin).clamp(min=0), how)


def triplet_margin_with_distance_loss(
    anchor: Tensor, positive: Tensor, negative: Tensor, *, distance_function: Any = None,
    margin: float = 1.0, swap: bool = False, reduction: str = "mean",
) -> Tensor:  # fmt: skip
    """triplet_margin_loss with a distance of one's own"""

    def default(a: Tensor, b: Tensor) -> Tensor:
        return (a - b + 1e-6).norm(2, -1)

    return _triplet(
        anchor,
        positive,
        negative,
        distance_function or default,
        margin,
        swap,
        reduction_of(reduction, None, None),
    )


def linear_cross_entropy(
    input: Tensor, linear_weight: Tensor, target: Tensor, *, linear_bias: Tensor | None = None,
    weight: Tensor | None = None, reduction: str = "mean", ignore_index: int | None = None,
    label_smoothing: float = 0.0, options: Any = None,
) -> Tensor:  # fmt: skip
    """cross_entropy(x Wᵀ + b, target): input (N, in) or (in), linear_weight (C, d₁, …, in)

    `options` (PyTorch's chunks) are accepted: one program computes it anyhow.
    """
    if input.ndim not in (1, 2) or linear_weight.ndim < 2:
        raise ShapeError(
            "linear_cross_entropy: expected input (N, in) or (in) and linear_weight (C, …, in), "
            "got "
            f"{tuple(input.shape)} and {tuple(linear_weight.shape)}"
        )
    classes = tuple(linear_weight.shape[:-1])
    if linear_bias is not None and tuple(linear_bias.shape) != classes:
        raise ShapeError(f"expected linear_bias shape {classes}, got {tuple(linear_bias.shape)}")
    if len(classes) > 1 and input.ndim == 1:
        raise ShapeError(
            f"K-dimensional loss defined by linear_weight shape {tuple(linear_weight.shape)} "
            "requires "
            f"batched input, (N, {input.shape[-1]}), got shape {tuple(input.shape)}"
        )
    flat = linear_weight.reshape((-1, linear_weight.shape[-1]))
    logits = linear(input, flat, None if linear_bias is None else linear_bias.reshape(-1))
    logits = logits.reshape((*input.shape[:-1], *classes))
    if ignore_index is not None and target.shape == logits.shape:
        raise RuntimeError("ignore_index cannot be specified when target contains probabilities")
    ignored = -100 if ignore_index is None else ignore_index
    return cross_entropy(logits, target, weight, None, ignored, None, reduction, label_smoothing)
