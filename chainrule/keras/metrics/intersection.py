"""Intersection over union, from a confusion matrix over all batches."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from chainrule.keras.arrays import to_tensor
from chainrule.keras.metrics_base import Metric
from chainrule.keras.registry import known
from chainrule.keras.settings import epsilon
from chainrule.tensor import Tensor, creation, no_grad
from chainrule.tensor import functions as T


@known
class IoU(Metric):
    """The mean of intersection / union of the target classes that occur.

    Targets and predictions are class numbers, or scores along `axis` where they are not sparse.
    Numbers that are no class, and `ignore_class`, are left out. Counts are integers unless `dtype`
    says otherwise.

    >>> m = IoU(2, [0])
    >>> m.update_state([0, 0, 1, 1], [0, 1, 0, 1])
    >>> round(float(m.result()), 4)
    0.3333
    """

    _direction = "up"
    _options: ClassVar[tuple[str, ...]] = (
        "num_classes", "target_class_ids", "ignore_class", "sparse_y_true", "sparse_y_pred", "axis",
    )  # fmt: skip

    def __init__(
        self,
        num_classes: int,
        target_class_ids: Sequence[int],
        name: str | None = None,
        dtype: Any = None,
        ignore_class: int | None = None,
        sparse_y_true: bool = True,
        sparse_y_pred: bool = True,
        axis: int = -1,
    ) -> None:
        super().__init__(dtype or "int", name)
        if max(target_class_ids) >= num_classes:
            raise ValueError(
                f"Target class id {max(target_class_ids)} is out of range, which is "
                f"[0, {num_classes})."
            )
        self.num_classes = num_classes
        self.target_class_ids = list(target_class_ids)
        self.ignore_class = ignore_class
        self.sparse_y_true = sparse_y_true
        self.sparse_y_pred = sparse_y_pred
        self.axis = axis
        self.total_cm = self.add_variable(
            (num_classes, num_classes), dtype=self.dtype, name="total_confusion_matrix"
        )

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        truth = self._classes(y_true, self.sparse_y_true)
        guess = self._classes(y_pred, self.sparse_y_pred)
        count = self.num_classes
        valid = (truth >= 0) & (truth < count) & (guess >= 0) & (guess < count)
        if self.ignore_class is not None:
            valid = valid & (truth != self.ignore_class)
        weights = self._weights(sample_weight, truth)
        weights = T.where(valid, weights, creation.zeros_like(weights))
        places = T.where(valid, truth * count + guess, 0)
        cells = creation.zeros((count * count,), dtype=weights.dtype)
        matrix = T.index_add(cells, 0, places, weights).reshape(count, count)
        self.total_cm.assign(self.total_cm + matrix.to(self.total_cm.dtype))

    def _classes(self, y: Any, sparse: bool) -> Tensor:
        y = to_tensor(y)
        return (y if sparse else y.argmax(self.axis)).reshape(-1).long()

    def _weights(self, sample_weight: Any, like: Tensor) -> Tensor:
        if sample_weight is None:
            return creation.ones(tuple(like.shape), dtype=self.total_cm.dtype)
        given = sample_weight if hasattr(sample_weight, "dtype") else np.asarray(sample_weight)
        if "float" in str(given.dtype) and "int" in self.dtype:
            warnings.warn(
                "You are passing weight as `float`, but dtype is `int`: fractions are "
                "cut off by casting. Give the metric dtype='float32', or weights that are integers",
                stacklevel=4,
            )
        weights = to_tensor(sample_weight, self.dtype)
        return weights.reshape(-1).expand(like.shape)

    def result(self) -> Any:
        with no_grad():
            matrix = self.total_cm.float()
            both = T.diagonal(matrix)
            union = matrix.sum(0) + matrix.sum(1) - both
            ids = creation.tensor(self.target_class_ids)
            both, union = both[ids], union[ids]
            occurs = union > 1e-9
            score = T.where(occurs, both / (union + epsilon()), 0.0)
            return score.sum() / (occurs.float().sum() + epsilon())


@known
class BinaryIoU(IoU):
    """IoU of two classes, 1 where a prediction is at least `threshold`."""

    _options = ("target_class_ids", "threshold")

    def __init__(
        self,
        target_class_ids: Sequence[int] = (0, 1),
        threshold: float = 0.5,
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(2, target_class_ids, name, dtype)
        self.threshold = threshold

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        chosen = to_tensor(y_pred, "float32") >= self.threshold
        super().update_state(y_true, chosen.int(), sample_weight)


@known
class MeanIoU(IoU):
    """The mean of intersection / union of all classes that occur."""

    _options: ClassVar[tuple[str, ...]] = (
        "num_classes",
        "ignore_class",
        "sparse_y_true",
        "sparse_y_pred",
        "axis",
    )

    def __init__(
        self,
        num_classes: int,
        name: str | None = None,
        dtype: Any = None,
        ignore_class: int | None = None,
        sparse_y_true: bool = True,
        sparse_y_pred: bool = True,
        axis: int = -1,
    ) -> None:
        super().__init__(
            num_classes, range(num_classes), name, dtype, ignore_class, sparse_y_true,
            sparse_y_pred, axis,
        )  # fmt: skip


@known
class OneHotIoU(IoU):
    """IoU of one-hot targets and, unless `sparse_y_pred`, scores for each class."""

    _options = ("num_classes", "target_class_ids", "ignore_class", "sparse_y_pred", "axis")

    def __init__(
        self,
        num_classes: int,
        target_class_ids: Sequence[int],
        name: str | None = None,
        dtype: Any = None,
        ignore_class: int | None = None,
        sparse_y_pred: bool = False,
        axis: int = -1,
    ) -> None:
        super().__init__(
            num_classes, target_class_ids, name, dtype, ignore_class, False, sparse_y_pred, axis
        )


@known
class OneHotMeanIoU(MeanIoU):
    """MeanIoU of one-hot targets and, unless `sparse_y_pred`, scores for each class."""

    _options = ("num_classes", "ignore_class", "sparse_y_pred", "axis")

    def __init__(
        self,
        num_classes: int,
        name: str | None = None,
        dtype: Any = None,
        ignore_class: int | None = None,
        sparse_y_pred: bool = False,
        axis: int = -1,
    ) -> None:
        super().__init__(num_classes, name, dtype, ignore_class, False, sparse_y_pred, axis)
