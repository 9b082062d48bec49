"""Losses as functions of (y_true, y_pred) that give one number per example.

Shapes are aligned as Keras does, (n,) with (n, 1); anything else that differs is an error. A loss
that broadcasts (n, 1) against (n, m) trains silently towards something else.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from chainrule.keras import context
from chainrule.keras.arrays import align_ranks, to_tensor
from chainrule.keras.errors import ShapeError
from chainrule.keras.registry import known
from chainrule.keras.settings import epsilon, to_dtype
from chainrule.nn import functional as F
from chainrule.tensor import Tensor, creation, fromdata
from chainrule.tensor import functions as T


def _float(x: Any) -> Tensor:
    x = to_tensor(x)
    return x if x.dtype.is_floating_point else x.to(to_dtype(None))


def _pair(y_true: Any, y_pred: Any, name: str) -> tuple[Tensor, Tensor]:
    """Both as floats of one shape, or an error that names the loss and both shapes."""
    y_pred = _float(y_pred)
    y_true = to_tensor(y_true, y_pred.dtype)
    y_true, y_pred = align_ranks(y_true, y_pred)
    if tuple(y_true.shape) != tuple(y_pred.shape):
        hint = ""
        if name == "categorical_crossentropy":
            hint = (
                "; class numbers as targets need sparse_categorical_crossentropy, "
                "or keras.utils.to_categorical first"
            )
        raise ShapeError(
            f"{name}: targets and predictions must have the same shape, got y_true of shape "
            f"{tuple(y_true.shape)} and y_pred of shape {tuple(y_pred.shape)}{hint}",
            repair=_target_repair(tuple(y_true.shape), tuple(y_pred.shape), name),
        )
    return y_true, y_pred


def _target_repair(true: tuple[int, ...], pred: tuple[int, ...], name: str) -> str:
    if len(pred) == 2 and true == pred[:1] and name == "categorical_crossentropy":
        return "compile(loss='sparse_categorical_crossentropy') takes class numbers"
    if len(true) == len(pred) and true[:-1] == pred[:-1]:
        return (
            f"the last layer gives {pred[-1]}, the targets have {true[-1]}: end with "
            f"Dense({true[-1]}), or give targets of shape (batch, {pred[-1]})"
        )
    if true[:1] != pred[:1]:
        return f"the batches differ: {true[0]} targets, {pred[0]} predictions"
    return f"reshape the targets to {pred}"


def _remembered_logits(y_pred: Any) -> Tensor | None:
    running = context.current()
    return running.logits_of(y_pred) if running is not None else None


def _smoothed(y_true: Tensor, amount: float, share: float) -> Tensor:
    """Targets drawn towards `share` by `amount`."""
    return y_true * (1.0 - amount) + share * amount if amount else y_true


def _plain_axis(axis: Any) -> None:
    if isinstance(axis, bool):
        raise ValueError(
            f"`axis` must be of type `int`. Received: axis={axis} of type {type(axis)}"
        )


def _more_than_one_class(y_pred: Tensor, name: str) -> None:
    if y_pred.ndim and y_pred.shape[-1] == 1:
        warnings.warn(
            f"{name} over one class says nothing; predictions of shape {tuple(y_pred.shape)} need "
            "'binary_crossentropy', or an output for each class",
            SyntaxWarning,
            stacklevel=3,
        )


# functions: one number per example ----------------------------------------------------------------


@known
def mean_squared_error(y_true: Any, y_pred: Any) -> Tensor:
    """Mean of (y_true - y_pred)² over the last axis.

    >>> mean_squared_error([[0.0, 1.0]], [[1.0, 1.0]]).tolist()
    [0.5]
    """
    y_true, y_pred = _pair(y_true, y_pred, "mean_squared_error")
    return ((y_pred - y_true) ** 2).mean(-1)


@known
def mean_absolute_error(y_true: Any, y_pred: Any) -> Tensor:
    """Mean of |y_true - y_pred| over the last axis."""
    y_true, y_pred = _pair(y_true, y_pred, "mean_absolute_error")
    return T.abs(y_true - y_pred).mean(-1)


@known
def mean_absolute_percentage_error(y_true: Any, y_pred: Any) -> Tensor:
    """100 times the mean of |y_true - y_pred| / |y_true|."""
    y_true, y_pred = _pair(y_true, y_pred, "mean_absolute_percentage_error")
    ratio = T.abs((y_true - y_pred) / T.clamp(T.abs(y_true), min=epsilon()))
    return 100.0 * ratio.mean(-1)


@known
def mean_squared_logarithmic_error(y_true: Any, y_pred: Any) -> Tensor:
    """Mean of (log(1 + y_true) - log(1 + y_pred))²."""
    y_true, y_pred = _pair(y_true, y_pred, "mean_squared_logarithmic_error")
    first = T.log(T.clamp(y_pred, min=epsilon()) + 1.0)
    second = T.log(T.clamp(y_true, min=epsilon()) + 1.0)
    return ((first - second) ** 2).mean(-1)


@known
def huber(y_true: Any, y_pred: Any, delta: float = 1.0) -> Tensor:
    """½ e² where |e| ≤ delta, else delta (|e| - ½ delta); mean over the last axis."""
    y_true, y_pred = _pair(y_true, y_pred, "huber")
    error = T.abs(y_pred - y_true)
    return T.where(error <= delta, 0.5 * error * error, delta * (error - 0.5 * delta)).mean(-1)


@known
def log_cosh(y_true: Any, y_pred: Any) -> Tensor:
    """Mean of log(cosh(y_pred - y_true))."""
    y_true, y_pred = _pair(y_true, y_pred, "log_cosh")
    x = y_pred - y_true
    return (x + F.softplus(-2.0 * x) - float(np.log(2.0))).mean(-1)


def _signs(y_true: Tensor) -> Tensor:
    """Targets of 0 and 1 as -1 and 1; others as they are."""
    binary = (T.eq(y_true, 0.0) | T.eq(y_true, 1.0)).all()
    return T.where(binary, 2.0 * y_true - 1.0, y_true)


@known
def hinge(y_true: Any, y_pred: Any) -> Tensor:
    """Mean of max(1 - y_true·y_pred, 0), y_true of -1 and 1 (or 0 and 1)."""
    y_true, y_pred = _pair(y_true, y_pred, "hinge")
    return F.relu(1.0 - _signs(y_true) * y_pred).mean(-1)


@known
def squared_hinge(y_true: Any, y_pred: Any) -> Tensor:
    """Mean of max(1 - y_true·y_pred, 0)²."""
    y_true, y_pred = _pair(y_true, y_pred, "squared_hinge")
    return (F.relu(1.0 - _signs(y_true) * y_pred) ** 2).mean(-1)


@known
def categorical_hinge(y_true: Any, y_pred: Any) -> Tensor:
    """max(1 - right + best wrong, 0), y_true one-hot."""
    y_true, y_pred = _pair(y_true, y_pred, "categorical_hinge")
    right = (y_true * y_pred).sum(-1)
    wrong = ((1.0 - y_true) * y_pred).amax(-1)
    return F.relu(wrong - right + 1.0)


@known
def kl_divergence(y_true: Any, y_pred: Any) -> Tensor:
    """Σ y_true log(y_true / y_pred)."""
    y_true, y_pred = _pair(y_true, y_pred, "kl_divergence")
    y_true = T.clamp(y_true, epsilon(), 1.0)
    y_pred = T.clamp(y_pred, epsilon(), 1.0)
    return (y_true * T.log(y_true / y_pred)).sum(-1)


@known
def poisson(y_true: Any, y_pred: Any) -> Tensor:
    """Mean of y_pred - y_true log(y_pred)."""
    y_true, y_pred = _pair(y_true, y_pred, "poisson")
    return (y_pred - y_true * T.log(y_pred + epsilon())).mean(-1)


@known
def cosine_similarity(y_true: Any, y_pred: Any, axis: int = -1) -> Tensor:
    """-Σ of the products of the normalised vectors: -1 means the same direction."""
    y_true, y_pred = _pair(y_true, y_pred, "cosine_similarity")

    def unit(x: Tensor) -> Tensor:
        return x * T.rsqrt(T.clamp((x * x).sum(axis, keepdim=True), min=1e-12))

    return -(unit(y_true) * unit(y_pred)).sum(axis)


@known
def binary_crossentropy(
    y_true: Any,
    y_pred: Any,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> Tensor:
    """Mean over `axis` of -(t log p + (1 - t) log(1 - p))."""
    logits = y_pred if from_logits else _remembered_logits(y_pred)
    y_true, outputs = _pair(y_true, y_pred if logits is None else logits, "binary_crossentropy")
    y_true = _smoothed(y_true, label_smoothing, 0.5)
    return _binary(y_true, outputs, logits is not None).mean(axis)


def _binary(y_true: Tensor, outputs: Tensor, from_logits: bool) -> Tensor:
    if from_logits:
        return F.binary_cross_entropy_with_logits(outputs, y_true, reduction="none")
    p = T.clamp(outputs, epsilon(), 1.0 - epsilon())
    return -(y_true * T.log(p) + (1.0 - y_true) * T.log(1.0 - p))


@known
def binary_focal_crossentropy(
    y_true: Any,
    y_pred: Any,
    apply_class_balancing: bool = False,
    alpha: float = 0.25,
    gamma: float = 2.0,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> Tensor:
    """Binary cross entropy times (1 - p of the right class)^gamma: examples that are easy count
    less.
    """
    y_true, y_pred = _pair(y_true, y_pred, "binary_focal_crossentropy")
    y_true = _smoothed(y_true, label_smoothing, 0.5)
    p = T.sigmoid(y_pred) if from_logits else y_pred
    right = y_true * p + (1.0 - y_true) * (1.0 - p)
    loss = (1.0 - right) ** gamma * _binary(y_true, p, False)
    if apply_class_balancing:
        loss = loss * (y_true * alpha + (1.0 - y_true) * (1.0 - alpha))
    return loss.mean(axis)


@known
def categorical_crossentropy(
    y_true: Any,
    y_pred: Any,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> Tensor:
    """-Σ t log p along `axis`, t one-hot (or any distribution)."""
    _plain_axis(axis)
    logits = y_pred if from_logits else (_remembered_logits(y_pred) if axis == -1 else None)
    y_true, outputs = _pair(
        y_true, y_pred if logits is None else logits, "categorical_crossentropy"
    )
    _more_than_one_class(y_true, "categorical_crossentropy")
    y_true = _smoothed(y_true, label_smoothing, 1.0 / int(y_true.shape[axis]))
    if logits is not None:
        return -(y_true * F.log_softmax(outputs, dim=axis)).sum(axis)
    p = outputs / outputs.sum(axis, keepdim=True)
    return -(y_true * T.log(T.clamp(p, epsilon(), 1.0 - epsilon()))).sum(axis)


@known
def sparse_categorical_crossentropy(
    y_true: Any,
    y_pred: Any,
    from_logits: bool = False,
    ignore_class: int | None = None,
    axis: int = -1,
) -> Tensor:
    """-log p of the class that `y_true` names: y_true (…) or (…, 1), y_pred (…, classes)."""
    y_true = to_tensor(y_true)
    logits = y_pred if from_logits else (_remembered_logits(y_pred) if axis == -1 else None)
    outputs = _float(y_pred if logits is None else logits)
    if outputs.ndim == 0:
        raise ShapeError("sparse_categorical_crossentropy needs an axis of classes, got a number")
    class_axis = axis % outputs.ndim
    labels = y_true
    if labels.ndim == outputs.ndim and labels.shape[class_axis] == 1:
        labels = labels.squeeze(class_axis)
    outputs = outputs.movedim(axis, -1)
    if tuple(labels.shape) != tuple(outputs.shape[:-1]):
        hint = ""
        if tuple(labels.shape) == tuple(outputs.shape):
            hint = "; one-hot targets need categorical_crossentropy"
        raise ShapeError(
            "sparse_categorical_crossentropy: targets and predictions must have the same shape up "
            f"to the axis of classes, got y_true of shape {tuple(y_true.shape)} and y_pred of "
            f"shape {tuple(y_pred.shape)}{hint}",
            repair="compile(loss='categorical_crossentropy') takes one-hot targets"
            if hint
            else f"class numbers of shape {tuple(outputs.shape[:-1])}",
        )
    labels = labels.long()
    valid = None
    if ignore_class is not None:
        valid = labels != ignore_class
        labels = T.where(valid, labels, 0)
    if logits is not None:
        log_p = F.log_softmax(outputs, dim=-1)
    else:
        p = outputs / outputs.sum(-1, keepdim=True)
        log_p = T.log(T.clamp(p, epsilon(), 1.0 - epsilon()))
    loss = -T.gather(log_p, -1, labels.unsqueeze(-1)).squeeze(-1)
    if valid is None:
        return loss
    loss = T.where(valid, loss, 0.0)
    context.set_keras_mask(loss, valid)  # a mean counts only the others
    return loss


@known
def categorical_focal_crossentropy(
    y_true: Any,
    y_pred: Any,
    alpha: Any = 0.25,
    gamma: float = 2.0,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> Tensor:
    """-Σ alpha (1 - p)^gamma t log p along `axis`: classes that are easy count less."""
    _plain_axis(axis)
    y_true, y_pred = _pair(y_true, y_pred, "categorical_focal_crossentropy")
    _more_than_one_class(y_true, "categorical_focal_crossentropy")
    y_true = _smoothed(y_true, label_smoothing, 1.0 / int(y_true.shape[-1]))
    p = F.softmax(y_pred, dim=axis) if from_logits else y_pred
    p = T.clamp(p / p.sum(axis, keepdim=True), epsilon(), 1.0 - epsilon())
    if not isinstance(alpha, int | float):
        alpha = to_tensor(alpha, p.dtype)
    return (alpha * (1.0 - p) ** gamma * -y_true * T.log(p)).sum(axis)


@known
def categorical_generalized_cross_entropy(y_true: Any, y_pred: Any, q: float) -> Tensor:
    """(1 - p^q) / q of the probability p of the right class: between the absolute error (q = 1) and
    cross entropy (q → 0), for targets that may be wrong (Zhang and Sabuncu 2018).
    """
    labels, y_pred = to_tensor(y_true).long(), _float(y_pred)
    right = F.one_hot(labels, num_classes=int(y_pred.shape[-1])).to(y_pred.dtype)
    return (1.0 - (y_pred * right).sum(-1) ** q) / q


@known
def ctc(y_true: Any, y_pred: Any) -> Tensor:
    """Connectionist temporal classification: -log of the probability of all ways to write the
    targets (batch, length; 0 is blank and padding) in logits (batch, time, classes).
    """
    labels, logits = to_tensor(y_true).long(), _float(y_pred)
    if labels.ndim != 2:
        raise ValueError(
            "ctc takes targets of shape (batch, length) as class numbers, got "
            f"{tuple(labels.shape)}"
        )
    if logits.ndim != 3:
        raise ValueError(
            f"ctc takes logits of shape (batch, time, classes), got {tuple(logits.shape)}"
        )
    count, time = int(logits.shape[0]), int(logits.shape[1])
    lengths = (labels != 0).long().sum(-1)
    times = creation.full((count,), time, dtype=labels.dtype)
    log_p = F.log_softmax(logits, dim=-1).transpose(0, 1)
    return F.ctc_loss(log_p, labels, times, lengths, blank=0, reduction="none")


@known
def dice(y_true: Any, y_pred: Any, axis: Any = None) -> Tensor:
    """1 - 2 Σ t p / (Σ t + Σ p), over all axes unless some are named."""
    y_true, y_pred = _pair(y_true, y_pred, "dice")
    both = _total(y_true * y_pred, axis)
    return 1.0 - 2.0 * both / (_total(y_true, axis) + _total(y_pred, axis) + epsilon())


@known
def tversky(
    y_true: Any, y_pred: Any, alpha: float = 0.5, beta: float = 0.5, axis: Any = None
) -> Tensor:
    """1 - Σ t p / (Σ t p + α Σ t (1 - p) + β Σ (1 - t) p): Dice with a price for each error."""
    y_true, y_pred = _pair(y_true, y_pred, "tversky")
    both = _total(y_true * y_pred, axis)
    missed = _total((1.0 - y_pred) * y_true, axis)
    invented = _total(y_pred * (1.0 - y_true), axis)
    return 1.0 - both / (both + missed * alpha + invented * beta + epsilon())


def _total(x: Tensor, axis: Any) -> Tensor:
    if axis is None:
        return x.sum()
    return x.sum(tuple(axis) if isinstance(axis, list | tuple) else axis)


@known
def circle(
    y_true: Any,
    y_pred: Any,
    ref_labels: Any = None,
    ref_embeddings: Any = None,
    remove_diagonal: bool = True,
    gamma: float = 80,
    margin: float = 0.4,
) -> Tensor:
    """Circle loss (Sun et al. 2020) of L2-normalised embeddings: pairs of one class are drawn
    together, others apart, each pair the more the further it is from where it should be.
    """
    y_pred, labels = _float(y_pred), to_tensor(y_true).long().reshape(-1, 1)
    others = y_pred if ref_embeddings is None else to_tensor(ref_embeddings, y_pred.dtype)
    names = labels if ref_labels is None else to_tensor(ref_labels).long().reshape(-1, 1)
    distance = F.relu(1.0 - y_pred @ others.T)
    same = T.eq(labels, names.T)
    positive, negative = same, ~same
    if remove_diagonal:
        eye = fromdata.from_owned(np.eye(int(labels.shape[0]), int(names.shape[0]), dtype=bool))
        positive = positive & ~eye
    drawn = -gamma * (margin + distance) * (margin - distance)
    pushed = gamma * F.relu(1.0 + margin - distance) * (1.0 - margin - distance)
    attract = T.logsumexp(T.where(positive, drawn, -float("inf")), 1)
    repel = T.logsumexp(T.where(negative, pushed, -float("inf")), 1)
    loss = F.softplus(attract + repel)
    context.set_keras_mask(loss, loss > 0)
    return loss
