"""The data, as `why` needs them: some batches, and what the whole is like."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from chainrule.explain.passing import Batch, batch_of, tensors_of
from chainrule.pytree import tree_leaves, tree_map
from chainrule.tensor import Tensor
from chainrule.utils.data import DataLoader, Dataset

#: Batches that are looked at, and rows of a set that comes whole.
BATCHES, ROWS = 8, 64


class Material:
    """Some batches.

    batches   each x and y, as tensors
    rows      how many samples a batch has
    chosen    whether these batches are the program's own (a loader): then their size, and the order
              of their samples, say something
    labels    of samples from all over the data, as far as they can be had
    """

    def __init__(self, model: Any, data: Any) -> None:
        self.chosen = True
        self.source = data
        self.labels: np.ndarray | None = None
        if _is_whole(data):
            self.chosen = False
            self.batches = _cut(batch_of(model, data))
            self._whole(data)
        else:
            if isinstance(data, Dataset) and not hasattr(data, "__iter__"):
                data, self.chosen = DataLoader(data, batch_size=32), False
            self.batches = [batch_of(model, b) for b in itertools.islice(_walk(data), BATCHES)]
            self.labels = _labels_of(data)
        if not self.batches:
            raise ValueError("the data gave no batch: nothing to look at")
        self.rows = rows_of(self.batches[0].x)

    def _whole(self, data: Any) -> None:
        if isinstance(data, (tuple, list)) and len(data) in (2, 3):
            y = data[1]
            if isinstance(y, (Tensor, np.ndarray, list)):
                self.labels = array(y)

    @property
    def first(self) -> Batch:
        """The first batch."""
        return self.batches[0]

    def xs(self) -> np.ndarray | None:
        """The samples of all batches, where a sample is one array of numbers."""
        return _joined([b.x for b in self.batches])

    def ys(self) -> np.ndarray | None:
        """Their targets."""
        return _joined([b.y for b in self.batches])


def array(t: Any) -> np.ndarray:
    """The numbers of a tensor or an array."""
    return np.asarray(t.detach().numpy() if isinstance(t, Tensor) else t)


def _joined(parts: Sequence[Any]) -> np.ndarray | None:
    if any(not isinstance(p, Tensor) for p in parts):
        return None
    arrays = [array(p) for p in parts]
    if any(a.ndim == 0 or a.shape[1:] != arrays[0].shape[1:] for a in arrays):
        return None
    return np.concatenate(arrays)


def rows_of(x: Any) -> int:
    """Samples in a batch."""
    for t in tree_leaves(x):
        if isinstance(t, Tensor) and t.ndim:
            return int(t.shape[0])
    return 1


def _is_whole(data: Any) -> bool:
    """Whether it is x or (x, y), and nothing that gives batches."""
    if isinstance(data, (Tensor, np.ndarray, dict)):
        return True
    return (
        isinstance(data, (tuple, list))
        and 1 <= len(data) <= 3
        and isinstance(data[0], (Tensor, np.ndarray, dict, tuple, list))
        and not (isinstance(data[0], (tuple, list)) and isinstance(data, list))
    )  # a list of batches


def _walk(data: Any) -> Iterator[Any]:
    """The batches of what gives some: it is asked for a walk of its own, where it can."""
    if hasattr(data, "__iter__"):
        yield from iter(data)
    elif hasattr(data, "__getitem__") and hasattr(data, "__len__"):
        for i in range(len(data)):
            yield data[i]
    else:
        raise TypeError(
            "data is x, (x, y), a loader, a dataset, or something that gives batches; got "
            f"{type(data).__name__}"
        )


def _cut(batch: Batch) -> list[Batch]:
    """Rows from all over a set as one batch."""
    n = rows_of(batch.x)
    if n <= ROWS:
        return [batch]
    at = np.linspace(0, n - 1, ROWS).astype(np.int64)

    def part(t: Any) -> Any:
        return tensors_of(array(t)[at]) if isinstance(t, Tensor) and t.ndim else t

    return [Batch(tree_map(part, batch.x), tree_map(part, batch.y))]


def _labels_of(data: Any) -> np.ndarray | None:
    """Targets of samples from all over what a loader walks through."""
    kept = getattr(data, "dataset", None)
    if kept is not None and hasattr(kept, "__getitem__") and hasattr(kept, "__len__"):
        items = [kept[int(i)] for i in np.linspace(0, len(kept) - 1, min(len(kept), 256))]
    elif hasattr(data, "__getitem__") and hasattr(data, "__len__") and len(data):
        items = [data[int(i)] for i in np.linspace(0, len(data) - 1, min(len(data), 16))]
    else:
        return None
    found = [array(i[1]) for i in items if isinstance(i, (tuple, list)) and len(i) > 1]
    if not found or any(f.shape[1:] != found[0].shape[1:] for f in found):
        return None
    return np.stack(found) if kept is not None else np.concatenate(found)
