"""What `compile` was given, resolved when the first targets and predictions are known.

A string like "accuracy" means another metric for one-hot targets than for class numbers, so that
losses and metrics become objects at the first batch.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from chainrule.keras import losses, metrics
from chainrule.keras.metrics_base import Mean, MeanMetricWrapper, Metric
from chainrule.training.tree import flatten, is_nested


def _kind(y_true: Any, y_pred: Any) -> str:
    """ "binary", "sparse" or "categorical", as Keras decides from the shapes."""
    true, pred = tuple(y_true.shape), tuple(y_pred.shape)
    if pred and pred[-1] == 1:
        return "binary"
    if len(true) < len(pred) or (true and true[-1] == 1 and pred[-1] > 1):
        return "sparse"
    return "categorical"


def resolve_loss(identifier: Any, y_true: Any, y_pred: Any) -> losses.Loss | None:
    if identifier is None:
        return None
    if isinstance(identifier, str) and identifier.lower() in ("crossentropy", "ce"):
        found: Any = {
            "binary": losses.binary_crossentropy,
            "sparse": losses.sparse_categorical_crossentropy,
            "categorical": losses.categorical_crossentropy,
        }[_kind(y_true, y_pred)]
    else:
        found = losses.get(identifier)
    return found if isinstance(found, losses.Loss) else losses.LossFunctionWrapper(found)


def resolve_metric(identifier: Any, y_true: Any, y_pred: Any) -> Metric:
    name = identifier if isinstance(identifier, str) else None
    if name is not None and name.lower() in ("accuracy", "acc"):
        classes = {
            "binary": metrics.BinaryAccuracy,
            "sparse": metrics.SparseCategoricalAccuracy,
            "categorical": metrics.CategoricalAccuracy,
        }
        return classes[_kind(y_true, y_pred)](name=name)
    if name is not None and name.lower() in ("crossentropy", "ce"):
        entropies = {
            "binary": metrics.BinaryCrossentropy,
            "sparse": metrics.SparseCategoricalCrossentropy,
            "categorical": metrics.CategoricalCrossentropy,
        }
        return entropies[_kind(y_true, y_pred)](name=name)
    found = metrics.get(identifier)
    if not isinstance(found, Metric):
        if isinstance(found, losses.Loss):
            found = MeanMetricWrapper(found, name=found.name)
        else:
            found = MeanMetricWrapper(found)
    if name is not None:
        found.name = name
    return found


class Outputs:
    """The outputs of a model as a flat list, with their names."""

    def __init__(self, names: list[str] | None) -> None:
        self.names = names

    def flat(self, y: Any, like: Any) -> list[Any]:
        """Targets (or weights) in the order of the predictions `like`."""
        if isinstance(y, dict):
            keys = list(like) if isinstance(like, dict) else (self.names or [])
            unknown = [key for key in y if key not in keys]
            if unknown:
                raise ValueError(
                    f"there is no output {', '.join(map(repr, unknown))}; the outputs are "
                    f"{', '.join(map(repr, keys))}"
                )
            return [y.get(key) for key in keys]
        count = len(flatten(like))
        if y is None:
            return [None] * count
        if count == 1:
            flat = flatten(y)
            return [flat[0]] if len(flat) == 1 else [y]
        flat = flatten(y)
        if len(flat) != count:
            raise ValueError(f"the model has {count} outputs, got {len(flat)} targets")
        return flat


class CompiledLoss:
    """The loss of each output, weighted and added."""

    def __init__(self, loss: Any, loss_weights: Any, names: list[str] | None) -> None:
        self.given = loss
        self.loss_weights = loss_weights
        self.outputs = Outputs(names)
        self.losses: list[losses.Loss | None] | None = None
        self.trackers: list[Mean] = []

    def _build(self, y_true: list[Any], y_pred: Any) -> None:
        flat = flatten(y_pred)
        given = self._per_output(self.given, y_pred, "loss")
        self.weights = self._per_output(self.loss_weights, y_pred, "loss_weights")
        self.losses = [
            None if loss is None else resolve_loss(loss, t, p)
            for loss, t, p in zip(given, y_true, flat, strict=True)
        ]
        if len(flat) > 1 and sum(loss is not None for loss in self.losses) > 1:
            names = self._names(y_pred)
            self.trackers = [
                Mean(name=f"{name}_loss")
                for name, loss in zip(names, self.losses, strict=True)
                if loss is not None
            ]

    def _names(self, y_pred: Any) -> list[str]:
        if isinstance(y_pred, dict):
            return list(y_pred)
        count = len(flatten(y_pred))
        return self.outputs.names or [f"output_{i}" for i in range(count)]

    def _per_output(self, given: Any, y_pred: Any, what: str) -> list[Any]:
        count = len(flatten(y_pred))
        if given is None:
            return [None] * count
        if isinstance(given, dict) and not {"class_name", "config"} <= set(given):
            names = self._names(y_pred)
            unknown = [key for key in given if key not in names]
            if unknown:
                raise ValueError(
                    f"{what} names {', '.join(map(repr, unknown))}; the outputs are "
                    f"{', '.join(map(repr, names))}"
                )
            return [given.get(name) for name in names]
        if isinstance(given, list | tuple):
            if len(given) != count:
                raise ValueError(f"{what} has {len(given)} entries for {count} output(s)")
            return list(given)
        return [given] * count

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        flat = flatten(y_pred)
        targets = self.outputs.flat(y_true, y_pred)
        if all(t is None for t in targets):
            raise ValueError("the loss needs targets: give y, or batches of (x, y)")
        if self.losses is None:
            self._build(targets, y_pred)
        assert self.losses is not None
        if sample_weight is None or not is_nested(sample_weight):
            weights = [sample_weight] * len(flat)
        else:
            weights = self.outputs.flat(sample_weight, y_pred)
        total = None
        trackers = iter(self.trackers)
        for loss, factor, t, p, w in zip(
            self.losses, self.weights, targets, flat, weights, strict=True
        ):
            if loss is None:
                continue
            value = loss(t, p, w)
            if self.trackers:
                next(trackers).update_state(value, sample_weight=float(p.shape[0]))
            if factor is not None:
                value = value * factor
            total = value if total is None else total + value
        return total


class CompiledMetrics:
    """The metrics of each output."""

    def __init__(self, given: Any, weighted: Any, names: list[str] | None) -> None:
        for argument, value in {"metrics": given, "weighted_metrics": weighted}.items():
            if value is not None and not isinstance(value, list | tuple | dict):
                raise ValueError(
                    f"{argument} must be a list or a dict, got {value!r}; write "
                    f"{argument}=[{value!r}]"
                )
        self.given = (given, weighted)
        self.outputs = Outputs(names)
        self.per_output: list[tuple[list[Metric], list[Metric]]] | None = None
        self._named: list[Metric] = []

    @property
    def metrics(self) -> list[Metric]:
        return self._named

    def _build(self, y_true: list[Any], y_pred: Any) -> None:
        flat = flatten(y_pred)
        count = len(flat)
        names = list(y_pred) if isinstance(y_pred, dict) else self.outputs.names
        names = names or [f"output_{i}" for i in range(count)]
        self.per_output = [([], []) for _ in flat]
        for which, given in enumerate(self.given):
            for i, wanted in enumerate(self._split(given, names, count)):
                for identifier in wanted:
                    metric = resolve_metric(identifier, y_true[i], flat[i])
                    if count > 1:
                        metric.name = f"{names[i]}_{metric.name}"
                    self.per_output[i][which].append(metric)
                    self._named.append(metric)

    def _split(self, given: Any, names: list[str], count: int) -> list[list[Any]]:
        if not given:
            return [[] for _ in range(count)]
        if isinstance(given, dict):
            unknown = [key for key in given if key not in names]
            if unknown:
                raise ValueError(
                    f"metrics name {', '.join(map(repr, unknown))}; the outputs are "
                    f"{', '.join(map(repr, names))}"
                )
            return [_as_list(given.get(name)) for name in names]
        if count == 1:
            return [list(_flat_identifiers(given))]
        if any(isinstance(item, list | tuple) for item in given) or len(given) == count:
            if len(given) != count:
                raise ValueError(f"metrics has {len(given)} entries for {count} outputs")
            return [_as_list(item) for item in given]
        return [list(given) for _ in range(count)]

    def update(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        flat = flatten(y_pred)
        targets = self.outputs.flat(y_true, y_pred)
        if self.per_output is None:
            if not any(self.given):
                self.per_output = [([], []) for _ in flat]
            else:
                self._build(targets, y_pred)
        assert self.per_output is not None
        if sample_weight is None or not is_nested(sample_weight):
            weights = [sample_weight] * len(flat)
        else:
            weights = self.outputs.flat(sample_weight, y_pred)
        for (plain, weighted), t, p, w in zip(self.per_output, targets, flat, weights, strict=True):
            if t is None:
                continue
            for metric in plain:
                metric.update_state(t, p)
            for metric in weighted:
                metric.update_state(t, p, sample_weight=w)


def _as_list(value: Any) -> list[Any]:
    if value is None:
        return []
    return list(value) if isinstance(value, list | tuple) else [value]


def _flat_identifiers(given: Iterable[Any]) -> Iterable[Any]:
    for item in given:
        if isinstance(item, list | tuple):
            yield from item
        elif item is not None:
            yield item
