"""A data set in two."""

from __future__ import annotations

import random
from typing import Any

import numpy as np

from chainrule.data import Dataset
from chainrule.data.elements import leaves, mapped, stack
from chainrule.data.steps import AUTOTUNE, Batched
from chainrule.tensor import creation
from chainrule.utils.data import Subset, TensorDataset


def split_dataset(
    dataset: Any,
    left_size: Any = None,
    right_size: Any = None,
    shuffle: bool = False,
    seed: int | None = None,
    preferred_backend: str | None = None,
) -> tuple[Any, Any]:
    """A left and a right part, as `tf.data` data sets (of a data set of PyTorch's kind: as its
    subsets).

    `dataset`: an array, a list or a tuple of arrays, a data set. `left_size` and `right_size` are
    numbers of samples, or parts of all; one of them is enough.

    >>> left, right = split_dataset(np.arange(10), left_size=0.8)
    >>> len(left), [x.item() for x in right]
    (8, [8, 9])
    """
    batch = None
    if isinstance(dataset, Dataset):
        if isinstance(dataset.step, Batched):
            batch, dataset = dataset.step.n, dataset.unbatch()
        elements = list(dataset.step.elements())
        columns = stack(elements) if elements else ()
    elif isinstance(dataset, list | tuple | np.ndarray):
        columns = tuple(dataset) if isinstance(dataset, list) else dataset
        columns = mapped(np.asarray, columns)
    elif hasattr(dataset, "__getitem__") and hasattr(dataset, "__len__"):
        rows = _rows(len(dataset), left_size, right_size, shuffle, seed)
        return Subset(dataset, rows[0]), Subset(dataset, rows[1])
    else:
        raise TypeError(
            "The `dataset` argument must be a `tf.data.Dataset`, a data set with a length and "
            f"samples by index, or a list/tuple of arrays. Received: {type(dataset)}"
        )
    sizes = {len(a) for a in leaves(columns)}
    if len(sizes) > 1:
        raise ValueError(f"arrays of unlike lengths cannot be split together: {sorted(sizes)}")
    parts: list[Any] = []
    for at in _rows(sizes.pop() if sizes else 0, left_size, right_size, shuffle, seed):
        part = mapped(lambda a, at=at: a[at], columns)
        if preferred_backend == "torch":
            parts.append(TensorDataset(*(creation.tensor(a) for a in leaves(part))))
            continue
        made = Dataset.from_tensor_slices(part)
        parts.append((made if batch is None else made.batch(batch)).prefetch(AUTOTUNE))
    return parts[0], parts[1]


def _rows(
    count: int, left: Any, right: Any, shuffle: bool, seed: int | None
) -> tuple[list[int], list[int]]:
    """The samples of both parts."""
    first, last = _sizes(left, right, count)
    order = list(range(count))
    if shuffle:
        random.Random(random.randint(0, 10**6) if seed is None else seed).shuffle(order)
    return order[:first], order[count - last :]


def _sizes(left: Any, right: Any, count: int) -> tuple[int, int]:
    """Both sizes as numbers of samples."""
    given = {"left_size": left, "right_size": right}
    if left is None and right is None:
        raise ValueError(
            "At least one of the `left_size` or `right_size` must be specified. Received: "
            "left_size=None and right_size=None"
        )
    wrong = {n: type(v) for n, v in given.items() if v is not None and type(v) not in (int, float)}
    if wrong:
        names = " and ".join(f"`{name}`" for name in wrong)
        raise TypeError(
            f"Invalid {names} Type{'s' if len(wrong) > 1 else ''}. Expected: int or float or None, "
            f"Received: {', '.join(f'type({n})={t}' for n, t in wrong.items())}."
        )
    if left == 0 and right == 0:
        raise ValueError(
            "Both `left_size` and `right_size` are zero. At least one of the split sizes must be "
            "non-zero."
        )
    for name, value in given.items():
        limit = count if isinstance(value, int) else 1
        if value is not None and not 0 < value < limit:
            raise ValueError(
                f"`{name}` should be either a positive integer smaller than {count}, or a float "
                f"within the range `[0, 1]`. Received: {name}={value}"
            )
    if isinstance(left, float) and isinstance(right, float) and left + right > 1:
        raise ValueError(
            "The sum of `left_size` and `right_size` is greater than 1. It must be less than or "
            "equal to 1."
        )
    sizes = [round(v * count) if isinstance(v, float) else v for v in (left, right)]
    first = count - sizes[1] if sizes[0] is None else sizes[0]
    last = count - first if sizes[1] is None else sizes[1]
    if first + last > count:
        raise ValueError(
            f"The sum of `left_size` and `right_size` should be smaller than the {count}. "
            f"Received: left_size + right_size = {first + last} and total_length = {count}"
        )
    for side, size in {"left": first, "right": last}.items():
        if size == 0:
            raise ValueError(
                f"With `dataset` of length={count}, `left_size`={first} and `right_size`={last}. "
                f"Resulting {side} side dataset split will be empty. Adjust any of the "
                "aforementioned parameters"
            )
    return int(first), int(last)
