"""`tf.data.experimental`: older places of what are methods of a Dataset today."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from chainrule.data.dataset import Dataset
from chainrule.data.steps import AUTOTUNE, INFINITE_CARDINALITY, UNKNOWN_CARDINALITY
from chainrule.data.tables import make_csv_dataset as make_csv_dataset
from chainrule.names import later

choose_from_datasets = Dataset.choose_from_datasets
sample_from_datasets = Dataset.sample_from_datasets
Counter = Dataset.counter


def cardinality(dataset: Dataset) -> Any:
    """How many elements a data set has: -1 without end, -2 unknown."""
    return dataset.cardinality()


def get_single_element(dataset: Dataset) -> Any:
    """The only element of a data set."""
    return dataset.get_single_element()


def assert_cardinality(expected_cardinality: int) -> Callable[[Dataset], Dataset]:
    """For `apply`: the data set has this many elements (taken as a promise)."""

    def apply(dataset: Dataset) -> Dataset:
        return dataset if dataset.step.count() >= 0 else dataset.take(expected_cardinality)

    return apply


def _as_function(method: Callable[..., Dataset]) -> Callable[..., Callable[[Dataset], Dataset]]:
    def function(*args: Any, **kwargs: Any) -> Callable[[Dataset], Dataset]:
        return lambda dataset: method(dataset, *args, **kwargs)

    function.__doc__ = f"For `apply`: the method `{method.__name__}`."
    return function


bucket_by_sequence_length = _as_function(Dataset.bucket_by_sequence_length)
group_by_window = _as_function(Dataset.group_by_window)
ignore_errors = _as_function(Dataset.ignore_errors)
scan = _as_function(Dataset.scan)
snapshot = _as_function(Dataset.snapshot)
take_while = _as_function(Dataset.take_while)
unbatch = _as_function(Dataset.unbatch)
unique = _as_function(Dataset.unique)


def prefetch_to_device(device: str, buffer_size: int | None = None) -> Callable[[Dataset], Dataset]:
    """For `apply`: the same elements; there is one device."""
    return lambda dataset: dataset


__getattr__ = later(__name__)

__all__ = [
    "AUTOTUNE", "INFINITE_CARDINALITY", "UNKNOWN_CARDINALITY", "Counter", "assert_cardinality",
    "bucket_by_sequence_length", "cardinality", "choose_from_datasets", "get_single_element",
    "group_by_window", "ignore_errors", "prefetch_to_device", "sample_from_datasets", "scan",
    "snapshot", "take_while", "unbatch", "unique",
]  # fmt: skip
