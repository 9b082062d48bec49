"""The protocol by which a data set hands out a whole batch at once.

Row by row, a batch of 64 costs 64 calls of `__getitem__`, 64 small tensors and a stack of them, and
that is most of the time of a small model's step. A data set in memory can do better. It has

    __getbatch__(indices)        what `default_collate([self[i] for i in indices])` would return,
                                 or NotImplemented where it cannot tell

with `indices` an array of int64. The DataLoader asks for it where `collate_fn` is the default, and
goes row by row where there is none, or where a subclass has redefined `__getitem__` without it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from chainrule.tensor import Tensor
from chainrule.tensor.creation import from_owned

Array = np.ndarray[Any, np.dtype[Any]]


def whole_batch(dataset: Any) -> Callable[[Array], Any] | None:
    """`dataset.__getbatch__`, unless a more derived class redefined how a row is read."""
    for base in type(dataset).__mro__:
        defined = vars(base)
        if "__getbatch__" in defined:
            method: Callable[[Array], Any] = dataset.__getbatch__
            return method
        if "__getitem__" in defined or "__getitems__" in defined:
            return None
    return None


def values(tensor: Tensor) -> Array:
    """The numbers of a tensor, to read only.

    `Tensor.numpy()` would do, but it is a promise to follow later changes of the array too: the
    tensor counts as shared with NumPy from then on.
    """
    array: Array = tensor._concrete()
    return array


def gather(tensor: Tensor, indices: Array) -> Any:
    """Rows of a tensor: one NumPy take, and a tensor made of its result without another copy.

    NotImplemented for a tensor that needs a gradient: its rows are part of a graph.
    """
    if tensor.requires_grad:
        return NotImplemented
    return from_owned(np.take(values(tensor), indices, axis=0))
