"""The protocol by which a data set hands out a whole batch at once.

Row by row, a batch of 64 costs 64 calls of `__getitem__`, 64 small tensors and a stack of them, and
that is most of the time of a small model's step. A data set in memory can do better. It has

    __getbatch__(indices)        what `default_collate([self[i] for i in indices])` would return,
                                 or NotImplemented where it cannot tell

with `indices` an array of int64. The DataLoader asks for it where `collate_fn` is the default, and
goes row by row where there is none, or where a subclass has redefined `__getitem__` without it.
A tensor or an array is a data set too, of its rows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from operator import itemgetter
from typing import Any

import numpy as np

from chainrule import ops
from chainrule.tensor import Tensor
from chainrule.tensor.fromdata import from_owned
from chainrule.tensor.handle import from_array

Array = np.ndarray[Any, np.dtype[Any]]


def whole_batch(dataset: Any) -> Callable[[Array], Any] | None:
    """`dataset.__getbatch__`, unless a more derived class redefined how a row is read."""
    if isinstance(dataset, Tensor):
        return partial(gather, dataset) if dataset.ndim else None
    if type(dataset) is np.ndarray:
        plain = dataset.ndim > 0 and dataset.dtype.kind in "biuf"
        return partial(_gather_array, dataset) if plain else None
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
    return from_array(values(tensor).take(indices, 0), tensor.dtype)


def _gather_array(array: Array, indices: Array) -> Any:
    return from_owned(array.take(indices, 0))


def chosen(indices: Sequence[Any], positions: Array) -> Array | None:
    """`indices[positions]`, whatever sequence `indices` is; None where they are no whole numbers.

    The sequence is read each time: a program may change it between two batches.
    """
    if isinstance(indices, np.ndarray):
        found: Array = indices[positions]
    elif type(indices) is list and len(positions) > 1:
        found = np.array(itemgetter(*positions.tolist())(indices))
    else:
        found = np.array([indices[position] for position in positions.tolist()])
    return found if found.ndim == 1 and found.dtype.kind in "iu" else None


def rows_of_one(tensors: Sequence[Tensor]) -> tuple[Tensor, Array] | None:
    """`(x, [i, j, …])` where the tensors are `x[i]`, `x[j]`, …: views of rows of one tensor.

    A list of samples often is that: `[(x[i], y[i]) for i in range(n)]`. One take replaces a view
    and a copy of each row. A view of a row is a slice of one row, then a shape without that axis.
    """
    base = tensors[0].base
    if base is None or base.chain or base.requires_grad:
        return None
    storage, rows = base.storage, []
    ones, shape = (1,) * base.ndim, base._shape[1:]
    for tensor in tensors:
        if tensor.storage is not storage or len(tensor.chain) != 2 or tensor.level:
            return None
        (cut, window), _ = tensor.chain
        if cut is not ops.slice or tensor._shape != shape:
            return None
        (_, start), (_, stop), (_, step) = window
        if step != ones or stop[0] - start[0] != 1:  # so the other axes are whole
            return None
        rows.append(start[0])
    return base, np.array(rows)
