"""What `compile` was given, resolved when the first targets and predictions are known.

A string like "accuracy" means another metric for one-hot targets than for class numbers, so that
losses and metrics become objects at the first batch. Source: Keras 3, `keras.Model.compile`.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Iterator
from typing import Any, NamedTuple

from chainrule.keras import losses, metrics, tree
from chainrule.keras.losses.base import Loss
from chainrule.keras.metrics_base import Mean, MeanMetricWrapper, Metric
from chainrule.keras.symbolic import KerasTensor
from chainrule.keras.variables import Variable


def _kind(y_true: Any, y_pred: Any) -> str:
    """ "binary", "sparse" or "categorical", as Keras decides from the shapes."""
    true, pred = tuple(y_true.shape), tuple(y_pred.shape)
    if pred and pred[-1] == 1:
        return "binary"
    if len(true) < len(pred) or (true and true[-1] == 1 and pred[-1] > 1):
        return "sparse"
    return "categorical"


def _name_of(item: Any) -> str:
    """The name of an object, or of a function, or of the class."""
    found = getattr(item, "name", None) or getattr(item, "__name__", None)
    return str(found or type(item).__name__)


def resolve_loss(identifier: Any, y_true: Any, y_pred: Any) -> Loss | None:
    """The loss that a name, a function or an object means for an output."""
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
    if isinstance(found, Loss):
        return found
    name = identifier if isinstance(identifier, str) else _name_of(found)
    return losses.LossFunctionWrapper(found, name=name)


def resolve_metric(identifier: Any, y_true: Any, y_pred: Any) -> Metric:
    """The metric that a name, a function or an object means for an output."""
    if identifier is None:
        raise ValueError("Expected metric, received `None`")
    if isinstance(identifier, str) and identifier.lower() in ("accuracy", "acc"):
        classes: dict[str, Any] = {
            "binary": metrics.BinaryAccuracy,
            "sparse": metrics.SparseCategoricalAccuracy,
            "categorical": metrics.CategoricalAccuracy,
        }
        return classes[_kind(y_true, y_pred)](name=identifier)
    if isinstance(identifier, str) and identifier.lower() in ("crossentropy", "ce"):
        entropies: dict[str, Any] = {
            "binary": metrics.BinaryCrossentropy,
            "sparse": metrics.SparseCategoricalCrossentropy,
            "categorical": metrics.CategoricalCrossentropy,
        }
        return entropies[_kind(y_true, y_pred)](name=identifier)
    found = metrics.get(identifier)
    name = identifier if isinstance(identifier, str) else _name_of(found)
    if not isinstance(found, Metric):
        found = MeanMetricWrapper(found)
    found.name = name
    return found


# metrics ------------------------------------------------------------------------------------------


class _OfOutput(NamedTuple):
    """The metrics of one output."""

    metrics: list[Metric]
    output_name: str | None


class CompileMetrics(Metric):
    """The metrics of each output, as one metric whose result is a dict.

    `metrics` and `weighted_metrics` are lists, tuples or dicts of names, functions and objects: for
    one output, for each, or nested as the outputs are.
    """

    def __init__(
        self,
        metrics: Any,
        weighted_metrics: Any,
        name: str = "compile_metric",
        output_names: list[str] | None = None,
    ) -> None:
        super().__init__(name=name)
        for argument, value in {"metrics": metrics, "weighted_metrics": weighted_metrics}.items():
            if value and not isinstance(value, list | tuple | dict):
                raise ValueError(
                    f"Expected `{argument}` argument to be a list, tuple, or dict. Received "
                    f"instead: {argument}={value!r} of type {type(value)}; write "
                    f"{argument}=[{value!r}]"
                )
        self.name = "compile_metrics"
        self.output_names = output_names
        self.built = False
        self._given = {"metrics": metrics, "weighted_metrics": weighted_metrics}
        self._plain: list[_OfOutput | None] = []
        self._weighted: list[_OfOutput | None] = []
        self._keys: list[str] | None = None  # the outputs' names, where they are one flat dict

    @property
    def metrics(self) -> list[Metric]:
        """All metrics, once they are known."""
        return [m for part in (*self._plain, *self._weighted) if part for m in part.metrics]

    @property
    def variables(self) -> list[Variable]:
        return [v for m in self.metrics for v in m.variables]

    def build(self, y_true: Any, y_pred: Any) -> None:
        """Make the metrics for targets and predictions like these."""
        count = len(tree.flatten(y_pred))
        is_flat = tree.is_nested(y_pred) and len(y_pred) == count
        names = self.output_names
        if is_flat and isinstance(y_pred, dict) and set(y_pred) != set(names or ()):
            names = list(y_pred) if isinstance(y_pred, OrderedDict) else sorted(y_pred)
        self._keys = names if count > 1 and is_flat else None
        self._plain, self._weighted = (
            self._resolved(argument, names, y_true, y_pred, count, is_flat)
            for argument in ("metrics", "weighted_metrics")
        )
        self.built = True

    def _resolved(
        self, argument: str, names: Any, y_true: Any, y_pred: Any, count: int, is_flat: bool
    ) -> list[_OfOutput | None]:
        given = self._given[argument]
        if not given:
            return [None] * count
        if count == 1:
            flat = tree.flatten(given)
            return [self._of(flat, tree.flatten(y_true)[0], tree.flatten(y_pred)[0], None)]
        each: list[Any] | None = None
        if is_flat and isinstance(given, list | tuple) and len(given) == count:
            each = list(given)
        elif is_flat and names and isinstance(given, dict) and set(given) <= set(names):
            each = [given.get(name) for name in names]
        labels = names or [None] * count
        try:
            if each is not None:
                flats = (each, self._flat(y_true), self._flat(y_pred), labels)
                return [self._of(*parts) for parts in zip(*flats, strict=True)]
            like = tree.lists_to_tuples(y_pred)
            nested = (tree.lists_to_tuples(part) for part in (given, y_true))
            packed = tree.pack_sequence_as(like, labels)
            found = tree.map_structure_up_to(like, self._of_boxed, *nested, like, packed)
            return [box[0] for box in _boxes(found)]
        except (ValueError, TypeError) as error:
            expected = tree.map_structure(lambda _: "X", y_pred)
            raise ValueError(
                f"{error}\nInvalid `{argument}`. `{argument}` should contain metrics objects and "
                "either be a dict or a list matching the output names of the model "
                f"{self.output_names} or match the output structure of the model: {expected}.\n"
                f"Received: {argument}={given}"
            ) from error

    def _of(self, given: Any, y_true: Any, y_pred: Any, name: str | None) -> _OfOutput | None:
        if given is None:
            return None
        wanted = list(given) if isinstance(given, list | tuple) else [given]
        return _OfOutput([resolve_metric(m, y_true, y_pred) for m in wanted], name)

    def _of_boxed(self, *parts: Any) -> _Box:
        return _Box(self._of(*parts))

    def _flat(self, y: Any) -> list[Any]:
        if isinstance(y, dict) and self._keys is not None:
            return [y[name] for name in self._keys]
        return tree.flatten(y)

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        if not self.built:
            self.build(y_true, y_pred)
        true, pred = self._flat(y_true), self._flat(y_pred)
        for part, t, p in zip(self._plain, true, pred, strict=False):
            for metric in part.metrics if part else ():
                metric.update_state(t, p)
        weights = [None] * len(true) if sample_weight is None else self._flat(sample_weight)
        if len(weights) < len(true):
            weights = [weights[0]] * len(true)
        for part, t, p, w in zip(self._weighted, true, pred, weights, strict=False):
            for metric in part.metrics if part else ():
                metric.update_state(t, p, sample_weight=w)

    def reset_state(self) -> None:
        for metric in self.metrics:
            metric.reset_state()

    def result(self) -> dict[str, Any]:
        """The value of each metric under `metric`, `output_metric` or `output_weighted_metric`."""
        if not self.built:
            raise ValueError("Cannot get result() since the metric has not yet been built.")
        found: dict[str, Any] = {}
        used: Counter[str] = Counter()

        def put(name: str, metric: Metric) -> None:
            used[name] += 1
            found[name if used[name] == 1 else f"{name}_{used[name] - 1}"] = metric.result()

        for weighted, part, metric in self._each():
            prefix = f"{part.output_name}_" if part.output_name else ""
            plain = f"{prefix}{metric.name}"
            put(f"{prefix}weighted_{metric.name}" if weighted and used[plain] else plain, metric)
        return found

    def _each(self) -> Iterator[tuple[bool, _OfOutput, Metric]]:
        for weighted, parts in ((False, self._plain), (True, self._weighted)):
            for part in parts:
                for metric in part.metrics if part else ():
                    yield weighted, part, metric  # type: ignore[misc]  # not None, or no metrics

    def get_config(self) -> dict[str, Any]:
        raise NotImplementedError("a compiled metric is made by compile()")


class _Box(NamedTuple):
    """One output's metrics as a leaf: it is no structure to walk into."""

    found: _OfOutput | None


def _boxes(structure: Any) -> list[_Box]:
    if isinstance(structure, _Box):
        return [structure]
    parts = structure.values() if isinstance(structure, dict) else structure
    if isinstance(structure, dict) and not isinstance(structure, OrderedDict):
        parts = [structure[key] for key in sorted(structure)]
    return [box for part in parts for box in _boxes(part)]


# losses -------------------------------------------------------------------------------------------


class _Term(NamedTuple):
    """One loss: where its output is, what it is, its factor, what its value is called."""

    path: tuple[Any, ...]
    loss: Loss
    factor: float | None
    name: str


class _Wanted:
    """A loss with its factor: a leaf of the structure of losses."""

    def __init__(self, loss: Any, factor: Any) -> None:
        self.loss, self.factor = loss, factor


class CompileLoss(Loss):
    """The loss of each output, weighted and added.

    `loss` is a name, a function, an object, or a structure of them like the outputs (by name or in
    order); outputs without one have none. `loss_weights` are factors in the same structure.
    """

    def __init__(
        self,
        loss: Any,
        loss_weights: Any = None,
        reduction: str | None = "sum_over_batch_size",
        output_names: list[str] | None = None,
    ) -> None:
        if loss_weights and not isinstance(loss_weights, list | tuple | dict | float):
            raise ValueError(
                "Expected `loss_weights` argument to be a float (single output case) or a list, "
                f"tuple, or dict (multiple output case). Received instead: "
                f"loss_weights={loss_weights} of type {type(loss_weights)}"
            )
        super().__init__(name="compile_loss", reduction=reduction)
        self.given = loss
        self.loss_weights = loss_weights
        self.output_names = output_names
        self.built = False
        self._terms: list[_Term] = []
        self._trackers: list[Mean] = []
        self._like: tuple[Any, Any] = (None, None)

    @property
    def metrics(self) -> list[Mean]:
        """The mean of each loss, where there are several."""
        return self._trackers

    @property
    def variables(self) -> list[Variable]:
        return [v for m in self._trackers for v in m.variables]

    def build(self, y_true: Any, y_pred: Any) -> None:
        """Make the losses for targets and predictions like these."""
        loss, factors = self.given, self.loss_weights
        names: Any = self.output_names
        if names and isinstance(loss, dict) and not isinstance(y_pred, dict):
            if set(names) != set(loss):
                raise ValueError(
                    f"Expected keys {names} in loss dict, but found loss.keys()={list(loss)}"
                )
            loss = [loss[name] for name in names]
            if isinstance(factors, dict):
                factors = [factors[name] for name in names]
        wanted = _with_factors(loss, factors)
        if isinstance(wanted, dict) and set(wanted) == set(names or ()):
            if isinstance(y_pred, list | tuple) and len(y_pred) == len(names):
                y_pred, y_true = (dict(zip(names, y, strict=True)) for y in (y_pred, y_true))
            elif not tree.is_nested(y_pred) and len(names) == 1:
                y_pred, y_true = {names[0]: y_pred}, {names[0]: y_true}
        try:
            named = tree.pack_sequence_as(y_pred, names)
        except (ValueError, TypeError):
            named = tree.pack_sequence_as(y_pred, _names_of(y_pred))
        if not tree.is_nested(wanted):
            wanted = tree.map_structure(lambda _: wanted, y_pred)
        self._terms = list(_terms(wanted, y_true, y_pred, named, ()))
        if len(self._terms) > 1:
            self._trackers = [Mean(name=f"{term.name}_loss") for term in self._terms]
        self._like = tuple(tree.map_structure(lambda _: None, y) for y in (y_true, y_pred))
        self.built = True

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        single = not tree.is_nested(y_true) and not tree.is_nested(y_pred)
        if not single:
            y_true = self._matched(y_true, y_pred)
        if not self.built:
            self.build(y_true, y_pred)
        if not single:
            y_true, y_pred = (
                _packed(like, y) for like, y in zip(self._like, (y_true, y_pred), strict=True)
            )
        total = None
        for index, (path, loss, factor, _) in enumerate(self._terms):
            t, p = _at(y_true, path), _at(y_pred, path)
            weight = _at(sample_weight, path) if tree.is_nested(sample_weight) else sample_weight
            value = loss(t, p, weight)
            if self._trackers:
                rows = float(tree.flatten(p)[0].shape[0])
                self._trackers[index].update_state(value, sample_weight=rows)
            if factor is not None:
                value = value * factor
            total = value if total is None else total + value
        return total

    def call(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        return self(y_true, y_pred, sample_weight)

    def _matched(self, y_true: Any, y_pred: Any) -> Any:
        """The targets in the structure of the predictions."""
        if not _differ(y_pred, y_true):
            return y_true
        if not tree.is_nested(y_true) and tree.is_nested(y_pred) and len(y_pred) == 1:
            y_true = [y_true]
        elif (
            isinstance(y_pred, list | tuple)
            and isinstance(y_true, dict)
            and set(self.output_names or ()) == set(y_true)
        ):
            y_true = [y_true[name] for name in self.output_names or ()]
        flat = isinstance(y_true, list | tuple) and not any(tree.is_nested(y) for y in y_true)
        if flat and len(y_true) == len(tree.flatten(y_pred)):
            return tree.pack_sequence_as(y_pred, list(y_true))
        try:
            tree.assert_same_paths(y_true, y_pred)
            return tree.pack_sequence_as(y_pred, tree.flatten(y_true))
        except ValueError:
            return self._partial(y_true, y_pred)

    def _partial(self, y_true: Any, y_pred: Any) -> Any:
        """Targets only for the outputs that have a loss."""
        flat, wanted = tree.flatten(y_true), tree.flatten(self.given)
        if sum(loss is not None for loss in wanted) != len(flat):
            true, pred = (tree.map_structure(lambda _: "*", y) for y in (y_true, y_pred))
            raise ValueError(
                f"y_true and y_pred have different structures.\ny_true: {true}\ny_pred: {pred}\n"
                f"The outputs are {', '.join(map(repr, self.output_names or ()))}."
            )
        values = iter(flat)
        spread = [None if loss is None else next(values) for loss in wanted]
        return tree.pack_sequence_as(self.given, spread)

    def get_config(self) -> dict[str, Any]:
        raise NotImplementedError("a compiled loss is made by compile()")


def _with_factors(loss: Any, factors: Any) -> Any:
    if factors is None:
        return tree.map_structure(lambda one: None if one is None else _Wanted(one, None), loss)
    if _differ(loss, factors):
        flat = tree.flatten(factors)
        count = len(tree.flatten(loss))
        if len(flat) != count:
            raise ValueError(
                f"`loss_weights` must match the number of losses, got {count} losses and "
                f"{len(flat)} weights."
            )
        factors = tree.pack_sequence_as(loss, flat)
    return tree.map_structure(
        lambda one, factor: None if one is None else _Wanted(one, factor), loss, factors
    )


def _names_of(y_pred: Any) -> list[Any]:
    flat = tree.flatten(y_pred)
    if not all(isinstance(tensor, KerasTensor) for tensor in flat):
        return [None] * len(flat)
    return [t.operation.name if t.history else t.name for t in flat]


def _terms(
    wanted: Any, y_true: Any, y_pred: Any, names: Any, path: tuple[Any, ...]
) -> Iterator[_Term]:
    """The losses of a structure of outputs, each with the way to its output."""
    if wanted is None:
        return
    if isinstance(wanted, _Wanted):
        loss = resolve_loss(wanted.loss, y_true, y_pred)
        if loss is not None:
            yield _Term(path, loss, wanted.factor, _term_name(loss, names, path))
        return
    is_list = isinstance(wanted, list | tuple)
    leaves_only = is_list and not any(tree.is_nested(one) for one in wanted)
    if leaves_only and len(wanted) == len(tree.flatten(y_pred)):
        wanted = tree.pack_sequence_as(y_pred, list(wanted))
        if not tree.is_nested(wanted):
            yield from _terms(wanted, y_true, y_pred, names, path)
            return
    elif is_list and not isinstance(y_pred, type(wanted)):
        for one in wanted:  # several losses for one output
            yield from _terms(one, y_true, y_pred, names, path)
        return
    if not isinstance(wanted, type(y_pred)):
        raise KeyError(
            f"The path: {path} in the `loss` argument, can't be found in the model's output "
            "(`y_pred`)."
        )
    parts = wanted.items() if isinstance(wanted, dict) else enumerate(wanted)
    for key, one in parts:
        if one is None:
            continue
        if not all(_has(y, key) for y in (y_true, y_pred)):
            raise KeyError(
                f"The path: {(*path, key)} in the `loss` argument, can't be found in either the "
                "model's output (`y_pred`) or in the labels (`y_true`)."
            )
        yield from _terms(one, y_true[key], y_pred[key], names[key], (*path, key))


def _has(y: Any, key: Any) -> bool:
    if isinstance(y, dict):
        return key in y
    return isinstance(y, list | tuple) and isinstance(key, int) and key < len(y)


def _term_name(loss: Loss, names: Any, path: tuple[Any, ...]) -> str:
    if not tree.is_nested(names):
        name = loss.name if names is None else names
        if not path:
            path = (name,)
        elif isinstance(path[-1], int):
            path = (*path[:-1], name)
    joined = "/".join(str(part) for part in path)
    if joined:
        return joined
    return "_".join(list(names) if isinstance(names, dict) else tree.flatten(names))


def _differ(a: Any, b: Any) -> bool:
    try:
        tree.assert_same_structure(a, b)
    except ValueError:
        return True
    return False


def _packed(like: Any, y: Any) -> Any:
    return tree.pack_sequence_as(like, tree.flatten(y)) if _differ(like, y) else y


def _at(y: Any, path: tuple[Any, ...]) -> Any:
    for part in path:
        y = y[part]
    return y
