"""Collating: from a list of samples to a batch.

tensors, arrays, numbers     one tensor with a new first axis
str, bytes                   as they are
mappings, named tuples       the same type, its values collated
tuples, lists                a list (of a tuple) or the same type, element by element
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, MutableMapping, MutableSequence, Sequence
from typing import Any

import numpy as np

from chainrule.dtypes import get_default_dtype
from chainrule.tensor import Tensor
from chainrule.tensor.fromdata import from_owned
from chainrule.tensor.functions import stack
from chainrule.utils.data.batching import gather, rows_of_one, values

CollateMap = dict[type | tuple[type, ...], Callable[..., Any]]

_ERROR = (
    "default_collate: batch must contain tensors, numpy arrays, numbers, dicts or lists; found {}"
)


def collate(batch: Any, *, collate_fn_map: CollateMap | None = None) -> Any:
    """A batch of a list of samples, with the functions of `collate_fn_map` for its leaves.

    Raises `TypeError` for a sample of unknown type, `RuntimeError` for sequences or tensors of
    unlike lengths.
    """
    first = batch[0]
    kind = type(first)
    table = collate_fn_map or {}
    if kind in table:
        return table[kind](batch, collate_fn_map=collate_fn_map)
    for known, function in table.items():
        if isinstance(first, known):
            return function(batch, collate_fn_map=collate_fn_map)

    def down(samples: Any) -> Any:
        return collate(samples, collate_fn_map=collate_fn_map)

    if isinstance(first, Mapping):
        return _like_mapping(first, {key: down([sample[key] for sample in batch]) for key in first})
    if isinstance(first, tuple) and hasattr(first, "_fields"):
        return kind(*(down(column) for column in zip(*batch, strict=True)))
    if isinstance(first, Sequence):
        if any(len(sample) != len(first) for sample in batch):
            raise RuntimeError("each element in list of batch should be of equal size")
        columns = [down(column) for column in zip(*batch, strict=True)]
        return columns if isinstance(first, tuple) else _like_sequence(first, columns)
    raise TypeError(_ERROR.format(kind))


def _like_mapping(example: Mapping[Any, Any], values: dict[Any, Any]) -> Any:
    """`values` in a mapping of the example's type; a mutable one may carry more than its items."""
    try:
        if isinstance(example, MutableMapping):
            clone = copy.copy(example)
            clone.update(values)
            return clone
        return type(example)(values)  # type: ignore[call-arg]  # most mappings take a dictionary
    except TypeError:
        return values


def _like_sequence(example: Sequence[Any], values: list[Any]) -> Any:
    try:
        if isinstance(example, MutableSequence):
            clone = copy.copy(example)
            for i, value in enumerate(values):
                clone[i] = value
            return clone
        return type(example)(values)  # type: ignore[call-arg]  # most sequences take a list
    except TypeError:
        return values


# Leaves


def _collate_tensors(batch: Any, *, collate_fn_map: CollateMap | None = None) -> Tensor:
    found = rows_of_one(batch)
    if found is not None:
        return gather(*found)
    shape = batch[0]._shape
    arrays = []
    for tensor in batch:  # one look at each: this is most of the time of a small sample
        if tensor.level:
            return stack(list(batch), 0)  # rows of a graph stay in it
        if tensor._shape != shape:
            _check_shapes([t._shape for t in batch])
        place = tensor.storage
        plain = place.trace is None and not tensor.chain and place.array is not None
        arrays.append(place.array if plain else values(tensor))
    return from_owned(_stacked(arrays))


def _collate_arrays(batch: Any, *, collate_fn_map: CollateMap | None = None) -> Any:
    first = batch[0]
    if first.dtype.kind in "SUO":
        raise TypeError(_ERROR.format(first.dtype))
    _check_shapes([array.shape for array in batch])
    return from_owned(_stacked(batch))


def _check_shapes(shapes: list[tuple[int, ...]]) -> None:
    first = shapes[0]
    for i, shape in enumerate(shapes):
        if shape != first:
            raise RuntimeError(
                f"stack expects each tensor to be equal size, but got {list(first)} at entry 0 and "
                f"{list(shape)} at entry {i}"
            )


def _stacked(arrays: list[Any]) -> Any:
    """Arrays of one shape along a new first axis; a quarter of the time of `np.stack`."""
    shape = arrays[0].shape
    if not shape:
        return np.stack(arrays)
    return np.concatenate(arrays).reshape(len(arrays), *shape)


def _collate_scalars(batch: Any, *, collate_fn_map: CollateMap | None = None) -> Any:
    return from_owned(np.array(batch))


def _collate_floats(batch: Any, *, collate_fn_map: CollateMap | None = None) -> Any:
    return from_owned(np.array(batch, dtype=np.float64))


def _collate_ints(batch: Any, *, collate_fn_map: CollateMap | None = None) -> Any:
    array = np.array(batch)
    if array.dtype.kind == "f":  # 1, 2.5
        array = array.astype(get_default_dtype().np)
    return from_owned(array)


def _keep(batch: Any, *, collate_fn_map: CollateMap | None = None) -> Any:
    return batch


#: What `default_collate` does with each type; a program may add types of its own.
default_collate_fn_map: CollateMap = {
    Tensor: _collate_tensors,
    np.ndarray: _collate_arrays,
    (np.bool_, np.number): _collate_scalars,
    float: _collate_floats,
    int: _collate_ints,
    str: _keep,
    bytes: _keep,
}


def default_collate(batch: Any) -> Any:
    """Samples to a batch: what the DataLoader does where no `collate_fn` is given.

    >>> from chainrule.utils.data import default_collate
    >>> default_collate([(1, "a"), (2, "b")])
    [tensor([1, 2]), ('a', 'b')]
    """
    return collate(batch, collate_fn_map=default_collate_fn_map)


def default_convert(data: Any) -> Any:
    """Arrays inside a sample to tensors, the rest as it is: the default where `batch_size=None`."""
    if isinstance(data, Tensor):
        return data
    if isinstance(data, np.ndarray | np.number | np.bool_):
        array = np.asarray(data)
        return data if array.dtype.kind in "SUO" else from_owned(array.copy())
    if isinstance(data, Mapping):
        return _like_mapping(data, {key: default_convert(value) for key, value in data.items()})
    if isinstance(data, tuple) and hasattr(data, "_fields"):
        return type(data)(*(default_convert(value) for value in data))
    if isinstance(data, tuple):
        return [default_convert(value) for value in data]
    if isinstance(data, Sequence) and not isinstance(data, str | bytes):
        return _like_sequence(data, [default_convert(value) for value in data])
    return data
