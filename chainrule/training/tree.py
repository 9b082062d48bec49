"""Nested structures: what a batch may look like.

A structure is a leaf, or a list, tuple or dict of structures. `None` is a leaf.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any


def is_nested(structure: Any) -> bool:
    """Whether `structure` is a list, a tuple or a dict."""
    return isinstance(structure, list | tuple | dict)


def leaves(structure: Any) -> Iterator[Any]:
    """The leaves from left to right; a dict's in the order of insertion."""
    if isinstance(structure, dict):
        for value in structure.values():
            yield from leaves(value)
    elif isinstance(structure, list | tuple):
        for value in structure:
            yield from leaves(value)
    else:
        yield structure


def flatten(structure: Any) -> list[Any]:
    """`leaves` as a list.

    >>> flatten({"a": [1, 2], "b": (3,)})
    [1, 2, 3]
    """
    return list(leaves(structure))


def map_leaves(function: Callable[..., Any], structure: Any, *others: Any) -> Any:
    """Apply `function` to each leaf (and to the leaves at the same place in `others`).

    >>> map_leaves(lambda a, b: a + b, [1, (2,)], [10, (20,)])
    [11, (22,)]
    """
    if isinstance(structure, dict):
        return {
            key: map_leaves(function, value, *(other[key] for other in others))
            for key, value in structure.items()
        }
    if isinstance(structure, list | tuple):
        mapped = [
            map_leaves(function, value, *(other[i] for other in others))
            for i, value in enumerate(structure)
        ]
        if isinstance(structure, list):
            return mapped
        if hasattr(structure, "_fields"):  # a named tuple takes its fields one by one
            return type(structure)(*mapped)
        return tuple(mapped)
    return function(structure, *others)


def pack_like(structure: Any, flat: list[Any]) -> Any:
    """The structure of `structure` with the leaves of `flat`.

    >>> pack_like({"a": [0, 0]}, [1, 2])
    {'a': [1, 2]}
    """
    values = iter(flat)
    packed = map_leaves(lambda _: next(values), structure)
    if next(values, _END) is not _END:
        raise ValueError(f"{len(flat)} leaves are too many for the structure {structure!r}")
    return packed


_END = object()
