"""`tf.nest`: structures of lists, tuples and dicts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from chainrule.names import later
from chainrule.training.tree import is_nested, leaves, map_leaves


def flatten(structure: Any, expand_composites: bool = False) -> list[Any]:
    """The leaves; a dict's in the order of its keys.

    >>> flatten({"b": 2, "a": [1]})
    [1, 2]
    """
    if isinstance(structure, dict):
        return [leaf for key in sorted(structure) for leaf in flatten(structure[key])]
    if isinstance(structure, list | tuple):
        return [leaf for part in structure for leaf in flatten(part)]
    return [structure]


def map_structure(func: Callable[..., Any], *structure: Any, **kwargs: Any) -> Any:
    """`func` of each leaf, and of the leaves at its place in the other structures."""
    return map_leaves(func, *structure)


def pack_sequence_as(structure: Any, flat_sequence: Any, expand_composites: bool = False) -> Any:
    """The structure with other leaves."""
    items = iter(flat_sequence)

    def packed(part: Any) -> Any:
        if isinstance(part, dict):
            found = {key: packed(part[key]) for key in sorted(part)}
            return {key: found[key] for key in part}
        if isinstance(part, list | tuple):
            parts = [packed(p) for p in part]
            return type(part)(*parts) if hasattr(part, "_fields") else type(part)(parts)
        return next(items)

    return packed(structure)


def assert_same_structure(
    nest1: Any, nest2: Any, check_types: bool = True, expand_composites: bool = False
) -> None:
    """ValueError unless two structures have the same form."""
    if len(list(leaves(nest1))) != len(list(leaves(nest2))):
        raise ValueError(f"the structures differ: {nest1!r:.80} and {nest2!r:.80}")


__getattr__ = later(__name__)
__all__ = ["is_nested"]
