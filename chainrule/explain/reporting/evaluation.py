"""How well a model does on data that it has not seen: plain numbers, for a report.

Three kinds of answers: a class for each row or for each place of a row (`Classes`), numbers
(`Numbers`). Probabilities are taken as they come, scores through a softmax (or, for one score, a
sigmoid).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.errors import ShapeError
from chainrule.explain.aside import aside
from chainrule.explain.observe import is_keras
from chainrule.explain.passing import call_model
from chainrule.tensor import Tensor, no_grad
from chainrule.tensor.fromdata import from_owned

Array = np.ndarray

#: Targets that count for nothing: what a cross-entropy leaves out by default.
IGNORED = -100
_AT_ONCE = 256


@dataclass(frozen=True)
class Classes:
    """A classification, seen from its test set.

    probabilities   (rows, classes), or (rows, places, classes)
    truth           (rows,) or (rows, places); IGNORED where nothing is asked
    losses          per row: −log of the true class's probability, the mean over a row's places
    axis            where the model's own outputs have the classes: 1, or the last
    two             whether the model gives one number for two classes
    """

    probabilities: Array
    truth: Array
    losses: Array
    axis: int = -1
    two: bool = False

    @property
    def guesses(self) -> Array:
        """The most probable class."""
        return np.asarray(self.probabilities.argmax(-1))

    @property
    def asked(self) -> Array:
        """Where something is asked."""
        return np.asarray(self.truth != IGNORED)

    @property
    def classes(self) -> int:
        return int(self.probabilities.shape[-1])

    @property
    def by_place(self) -> bool:
        """Whether each place of a row is classified."""
        return self.truth.ndim > 1

    @property
    def loss(self) -> float:
        """The mean over all that is asked."""
        if not self.by_place:
            return float(self.losses.mean())
        counts = self.asked.reshape(len(self.truth), -1).sum(1)
        return float((self.losses * counts).sum() / max(int(counts.sum()), 1))

    @property
    def accuracy(self) -> float:
        asked = self.asked
        return float((self.guesses == self.truth)[asked].mean()) if asked.any() else float("nan")

    @property
    def chance(self) -> float:
        """The accuracy of always saying the most frequent class."""
        found = self.truth[self.asked]
        return float(np.bincount(found).max() / len(found)) if len(found) else float("nan")

    @property
    def confusion(self) -> Array:
        """(true class, predicted class) → how often."""
        asked = self.asked
        table = np.zeros((self.classes, self.classes), np.int64)
        np.add.at(table, (self.truth[asked], self.guesses[asked]), 1)
        return table

    @property
    def precision(self) -> Array:
        """Of what is called a class, the share that is one; NaN where nothing is."""
        return _shares(np.diag(self.confusion), self.confusion.sum(0))

    @property
    def recall(self) -> Array:
        """Of a class, the share that is found; NaN where there is none."""
        return _shares(np.diag(self.confusion), self.confusion.sum(1))

    def worst(self, count: int) -> list[int]:
        """Rows with the highest loss, highest first."""
        return _highest(self.losses, count)


@dataclass(frozen=True)
class Numbers:
    """A regression, seen from its test set: predictions and truth, both (rows, outputs)."""

    predictions: Array
    truth: Array

    @property
    def errors(self) -> Array:
        return self.predictions - self.truth

    @property
    def losses(self) -> Array:
        """Per row the mean of its squared errors."""
        return np.asarray((self.errors.astype(np.float64) ** 2).mean(1))

    @property
    def loss(self) -> float:
        """The mean squared error."""
        return float(self.losses.mean())

    @property
    def mean_error(self) -> float:
        """The mean absolute error."""
        return float(np.abs(self.errors.astype(np.float64)).mean())

    @property
    def explained(self) -> float:
        """R²: the share of the variance that is explained; NaN for a constant truth."""
        truth = self.truth.astype(np.float64)
        spread = float(((truth - truth.mean(0)) ** 2).mean())
        return 1 - self.loss / spread if spread else float("nan")

    def worst(self, count: int) -> list[int]:
        """Rows with the highest loss, highest first."""
        return _highest(self.losses, count)


def evaluate(model: Any, x: Any, y: Any) -> Classes | Numbers:
    """The model's answers to x beside the truth y, in evaluation mode.

    x is an array, or several (a list, a dictionary) for a model of several inputs. Whole numbers as
    truth ask for classes, unless the model gives just as many numbers as there are; one-hot rows
    are read as classes. ShapeError where outputs and truth do not fit together.
    """
    outputs, (truth,) = answers(model, x), columns(y)
    if len(outputs) != len(truth):
        raise ShapeError(f"the model gives {len(outputs)} rows for {len(truth)} of truth")
    whole = truth.dtype.kind in "iub"
    if outputs.ndim > 1 and truth.shape == outputs.shape and _one_hot(truth):
        truth, whole = truth.argmax(-1), True
    flat = truth.reshape(truth.shape[:-1]) if truth.ndim > 1 and truth.shape[-1] == 1 else truth
    single = outputs.ndim == 1 or (outputs.ndim == flat.ndim + 1 and outputs.shape[-1] == 1)
    if single and flat.ndim == 1 and set(np.unique(flat)) <= {0, 1}:
        return _two(outputs.reshape(-1), flat.astype(np.int64))
    if flat.ndim == outputs.ndim - 1 and (whole or _are_whole(flat)):
        return _classes(outputs, flat.astype(np.int64))
    if outputs.size == truth.size:
        shape = (len(outputs), -1)
        return Numbers(outputs.reshape(shape), truth.reshape(shape).astype(outputs.dtype))
    raise ShapeError(f"outputs of shape {outputs.shape} do not answer truth of shape {truth.shape}")


def columns(x: Any) -> list[Array]:
    """The inputs of a model as arrays: one, or those of a list, a tuple or a dictionary."""
    several = list(x.values()) if isinstance(x, dict) else x
    if not _several(several):
        several = [several]
    return [c.detach().numpy() if isinstance(c, Tensor) else np.asarray(c) for c in several]


def _several(x: Any) -> bool:
    """Whether these are several inputs, not one that is written as a list of numbers."""
    return isinstance(x, (list, tuple)) and any(isinstance(c, (np.ndarray, Tensor)) for c in x)


def taken(x: Any, rows: Any) -> Any:
    """Some rows of the inputs, as tensors, in the structure in which the model takes them."""
    parts = [_tensor(c[rows]) for c in columns(x)]
    if isinstance(x, dict):
        return dict(zip(x, parts, strict=True))
    return parts if len(parts) > 1 else parts[0]


def answers(model: Any, x: Any) -> Array:
    """What the model gives for the rows of x, in evaluation mode: its first output."""
    rows = len(columns(x)[0])
    if not rows:
        raise ShapeError("there is no row to evaluate on")
    with asked(model) as ask:
        return np.concatenate(
            [ask(x, slice(start, start + _AT_ONCE)) for start in range(0, rows, _AT_ONCE)]
        )


@contextmanager
def asked(model: Any) -> Iterator[Callable[[Any, Any], Array]]:
    """A function from inputs and a choice of rows to the model's first output, in evaluation mode;
    afterwards the model is as it was.
    """

    def ask(x: Any, rows: Any) -> Array:
        return np.array(_first(call_model(model, taken(x, rows), training=False)).numpy())

    with aside(model), no_grad():
        if not is_keras(model):
            model.eval()
        yield ask


def _tensor(rows: Array) -> Tensor:
    array = np.array(rows)
    return from_owned(array.astype(np.float32) if array.dtype == np.float64 else array)


def _first(out: Any) -> Tensor:
    while not isinstance(out, Tensor):
        out = next(iter(out.values())) if isinstance(out, dict) else out[0]
    return out


def _are_whole(truth: Array) -> bool:
    return truth.dtype.kind == "f" and bool((truth == np.round(truth)).all())


def _one_hot(truth: Array) -> bool:
    return truth.shape[-1] > 1 and bool(
        (((truth == 0) | (truth == 1)).all()) and (truth.sum(-1) == 1).all()
    )


def _classes(outputs: Array, truth: Array) -> Classes:
    """Scores or probabilities with the classes on axis 1 (as PyTorch) or on the last (as Keras)."""
    axis = -1
    if outputs.ndim > 2 and outputs.shape[:-1] != truth.shape:
        outputs, axis = np.moveaxis(outputs, 1, -1), 1
    if outputs.shape[:-1] != truth.shape:
        raise ShapeError(f"outputs of shape {outputs.shape} do not answer truth {truth.shape}")
    high = int(truth.max(initial=0))
    if high >= outputs.shape[-1]:
        raise ShapeError(f"label {high} is none of the {outputs.shape[-1]} classes of the outputs")
    p = probabilities(outputs)
    asked = truth != IGNORED
    chosen = np.take_along_axis(p, np.where(asked, truth, 0)[..., None], -1)[..., 0]
    losses = np.where(asked, -np.log(np.maximum(chosen, 1e-30)), 0.0)
    if truth.ndim > 1:
        axes = tuple(range(1, truth.ndim))
        losses = losses.sum(axes) / np.maximum(asked.sum(axes), 1)
    return Classes(p, truth, losses, axis)


def _two(outputs: Array, truth: Array) -> Classes:
    """One number for a row: the probability, or the score, of class 1."""
    out = outputs.astype(np.float64)
    one = out if bool(((out >= 0) & (out <= 1)).all()) else 1 / (1 + np.exp(-np.clip(out, -80, 80)))
    p = np.stack([1 - one, one], -1)
    losses = -np.log(np.maximum(p[np.arange(len(p)), truth], 1e-30))
    return Classes(p, truth, losses, two=True)


def probabilities(outputs: Array) -> Array:
    """Rows that sum to one: as they are, or softmax of scores."""
    out = outputs.astype(np.float64)
    if bool((out >= 0).all()) and bool(np.allclose(out.sum(-1), 1, atol=1e-3)):
        return out
    e = np.exp(out - out.max(-1, keepdims=True))
    return np.asarray(e / e.sum(-1, keepdims=True))


def _shares(part: Array, whole: Array) -> Array:
    return np.where(whole > 0, part / np.maximum(whole, 1), np.nan)


def _highest(losses: Array, count: int) -> list[int]:
    order: Sequence[int] = np.argsort(-losses, kind="stable")[:count].tolist()
    return list(order)
