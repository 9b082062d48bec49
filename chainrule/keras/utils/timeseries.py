"""Windows of a series, with their targets."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.data import Dataset
from chainrule.data.elements import raw
from chainrule.data.pipeline import Rows, Step
from chainrule.data.steps import AUTOTUNE
from chainrule.keras.utils.folders import check_format


def timeseries_dataset_from_array(
    data: Any,
    targets: Any,
    sequence_length: int,
    sequence_stride: int = 1,
    sampling_rate: int = 1,
    batch_size: int | None = 128,
    shuffle: bool = False,
    seed: int | None = None,
    start_index: int | None = None,
    end_index: int | None = None,
    format: str = "tf",
) -> Dataset:
    """Windows data[i], data[i + r], … of `sequence_length` steps, one every `sequence_stride`
    steps (r = `sampling_rate`), each with `targets[i]` unless targets is None.

    Raises ValueError for indices and steps that lie outside of the data.

    >>> windows = timeseries_dataset_from_array(np.arange(6), np.arange(6) * 10, 3, batch_size=2)
    >>> [(x.tolist(), y.tolist()) for x, y in windows.take(1)]
    [([[0, 1, 2], [1, 2, 3]], [0, 10])]
    """
    length = len(data)
    _check_range(start_index, end_index, length)
    for name, value in {"sampling_rate": sampling_rate, "sequence_stride": sequence_stride}.items():
        if value <= 0:
            raise ValueError(f"`{name}` must be higher than 0. Received: {name}={value}")
        if value >= length:
            raise ValueError(
                f"`{name}` must be lower than the length of the data. Received: {name}={value}, "
                f"for data of length {length}"
            )
    check_format(format)
    start = start_index or 0
    end = length if end_index is None else end_index
    count = end - start - (sequence_length - 1) * sampling_rate
    if targets is not None:
        count = min(count, len(targets))
    starts = np.arange(0, max(count, 0), sequence_stride)
    if shuffle:
        if seed is None:
            seed = int(np.random.randint(10**6))
        np.random.RandomState(seed).shuffle(starts)
    steps = np.arange(sequence_length) * sampling_rate
    # Targets begin where the data begin, as in Keras.
    goals = None if targets is None else np.asarray(raw(targets))[start:end]
    made = Dataset(_Windows(np.asarray(raw(data))[start:end], goals, starts, steps))
    made = made.prefetch(AUTOTUNE)
    if shuffle:
        made = made.shuffle(1024 if batch_size is None else 8 * batch_size, seed=seed)
    return made if batch_size is None else made.batch(batch_size)


class _Windows(Step):
    """The windows that begin at `starts`, a batch as one gather."""

    def __init__(
        self, data: np.ndarray, targets: np.ndarray | None, starts: np.ndarray, steps: np.ndarray
    ) -> None:
        self.data, self.targets, self.starts, self.steps = data, targets, starts, steps

    def rows(self) -> Rows:
        return Rows(len(self.starts), self._gather)

    def _gather(self, at: Any) -> Any:
        first = self.starts[at]
        windows = self.data[first[:, None] + self.steps]
        return windows if self.targets is None else (windows, self.targets[first])

    def count(self) -> int:
        return len(self.starts)


def _check_range(start: int | None, end: int | None, length: int) -> None:
    if start:
        if start < 0:
            raise ValueError(f"`start_index` must be 0 or greater. Received: start_index={start}")
        if start >= length:
            raise ValueError(
                "`start_index` must be lower than the length of the data. Received: "
                f"start_index={start}, for data of length {length}"
            )
    if end:
        if start and end <= start:
            raise ValueError(
                "`end_index` must be higher than `start_index`. Received: "
                f"start_index={start}, and end_index={end} "
            )
        if end >= length:
            raise ValueError(
                "`end_index` must be lower than the length of the data. Received: "
                f"end_index={end}, for data of length {length}"
            )
        if end <= 0:
            raise ValueError(f"`end_index` must be higher than 0. Received: end_index={end}")
