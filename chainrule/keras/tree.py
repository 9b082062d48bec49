"""`keras.tree`: nested structures, as Keras walks through them.

A structure is a leaf, or a list, tuple, named tuple, deque or mapping of structures. A plain dict
is walked in the order of its sorted keys, an `OrderedDict` in its own order. Source: Keras 3,
`keras.tree`.
"""

from __future__ import annotations

from collections import OrderedDict, defaultdict, deque
from collections.abc import Callable, Iterator, Mapping
from typing import Any

__all__ = [
    "MAP_TO_NONE", "assert_same_paths", "assert_same_structure", "flatten", "flatten_with_path",
    "is_nested", "lists_to_tuples", "map_shape_structure", "map_structure", "map_structure_up_to",
    "pack_sequence_as", "traverse",
]  # fmt: skip


class MAP_TO_NONE:
    """What a function returns in `traverse` to put None there (None itself means: go on)."""


def _is_named(structure: Any) -> bool:
    return isinstance(structure, tuple) and hasattr(structure, "_fields")


def is_nested(structure: Any) -> bool:
    """Whether `structure` is a list, tuple, deque or dict.

    >>> is_nested(42), is_nested({"a": 1})
    (False, True)
    """
    return isinstance(structure, list | tuple | dict | deque)


def _keys(structure: Any) -> list[Any]:
    """The keys or indices of one level, in the order of the walk."""
    if isinstance(structure, OrderedDict):
        return list(structure)
    if isinstance(structure, dict):
        return sorted(structure)
    return list(range(len(structure)))


def _children(structure: Any) -> list[Any]:
    if isinstance(structure, dict):
        return [structure[key] for key in _keys(structure)]
    return list(structure)


def _rebuilt(structure: Any, children: list[Any]) -> Any:
    """A level like `structure` with other children."""
    if isinstance(structure, dict):
        made = dict(zip(_keys(structure), children, strict=True))
        ordered = [(key, made[key]) for key in structure]  # the user's order of insertion stays
        if isinstance(structure, defaultdict):
            return defaultdict(structure.default_factory, ordered)
        return OrderedDict(ordered) if isinstance(structure, OrderedDict) else dict(ordered)
    if _is_named(structure):
        return type(structure)(*children)
    if isinstance(structure, deque):
        return type(structure)(children, structure.maxlen)
    return tuple(children) if isinstance(structure, tuple) else list(children)


def _walk(structure: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any]]:
    if not is_nested(structure):
        yield path, structure
        return
    for key, child in zip(_keys(structure), _children(structure), strict=True):
        yield from _walk(child, (*path, key))


def flatten(structure: Any) -> list[Any]:
    """The leaves; a dict's by sorted keys.

    >>> flatten({"b": 1, "a": [2, (3,)]})
    [2, 3, 1]
    """
    return [leaf for _, leaf in _walk(structure)]


def flatten_with_path(structure: Any) -> list[tuple[tuple[Any, ...], Any]]:
    """Pairs of path and leaf.

    >>> flatten_with_path([{"foo": 42}])
    [((0, 'foo'), 42)]
    """
    return list(_walk(structure))


def traverse(func: Callable[[Any], Any], structure: Any, top_down: bool = True) -> Any:
    """Apply `func` to every part, parents before children (or after, with `top_down=False`).

    Where it returns None the part stays as it is and, going down, its children are visited; any
    other value takes the part's place (`MAP_TO_NONE` stands for None).
    """
    if top_down:
        found = func(structure)
        if found is None:
            if not is_nested(structure):
                return structure
            return _rebuilt(structure, [traverse(func, c) for c in _children(structure)])
    else:
        if is_nested(structure):
            structure = _rebuilt(
                structure, [traverse(func, c, False) for c in _children(structure)]
            )
        found = func(structure)
        if found is None:
            return structure
    return None if found is MAP_TO_NONE else found


def _compare(a: Any, b: Any, path: str = "") -> None:
    """Raise where two structures differ in nesting, type or keys."""
    where = f" at {path}" if path else ""
    if is_nested(a) != is_nested(b):
        raise ValueError(
            f"the structures don't have the same nested parts{where}: expected {_kind(a)}, got "
            f"{_kind(b)}: {a!r} and {b!r}"
        )
    if not is_nested(a):
        return
    if isinstance(a, dict) and isinstance(b, dict):
        if set(a) != set(b):
            raise ValueError(
                f"the structures don't have the same nested keys{where}: {list(a)} and {list(b)}"
            )
        for key in a:
            _compare(a[key], b[key], f"{path}[{key!r}]")
        return
    kinds = (list, tuple, deque)
    kind_a, kind_b = (
        type(x) if _is_named(x) else next((k for k in kinds if isinstance(x, k)), type(x))
        for x in (a, b)
    )
    if kind_a is not kind_b:
        raise ValueError(
            f"the structures don't have the same nested types{where}: expected {_kind(a)}, got "
            f"{_kind(b)}"
        )
    if len(a) != len(b):
        raise ValueError(
            f"the structures don't have the same nested number of parts{where}: {len(a)} and "
            f"{len(b)}"
        )
    for i, (x, y) in enumerate(zip(a, b, strict=True)):
        _compare(x, y, f"{path}[{i}]")


def _kind(x: Any) -> str:
    name = type(x).__name__
    return f"namedtuple {name}" if _is_named(x) else name


def assert_same_structure(a: Any, b: Any, check_types: Any = None) -> None:
    """Raise a ValueError where two structures are nested differently.

    All kinds of dict are one kind; lists, tuples, deques and each named tuple are kinds of their
    own. `check_types` is accepted, as in Keras, and means nothing.
    """
    _compare(a, b)


def assert_same_paths(a: Any, b: Any) -> None:
    """Raise a ValueError where the paths to the leaves differ, whatever the kinds are.

    >>> assert_same_paths([0, 1], (2, 3))
    """
    paths_a, paths_b = ({path for path, _ in _walk(x)} for x in (a, b))
    if paths_a != paths_b:
        raise ValueError(
            "the structures don't have the same paths: only in the first "
            f"{sorted(map(str, paths_a - paths_b))}, only in the second "
            f"{sorted(map(str, paths_b - paths_a))}"
        )


def map_structure(func: Callable[..., Any], *structures: Any, none_is_leaf: bool = True) -> Any:
    """Apply `func` to the leaves of structures that are nested alike.

    >>> map_structure(lambda x, y: x + y, [1, (2,)], [10, (20,)])
    [11, (22,)]

    With `none_is_leaf=False`, None stays None.
    """
    if not callable(func):
        raise TypeError(f"`func` must be callable, got {func!r}")
    if not structures:
        raise ValueError("map_structure needs at least one structure")
    for other in structures[1:]:
        assert_same_structure(structures[0], other)
    return _mapped(func, structures, none_is_leaf)


def _mapped(func: Callable[..., Any], structures: tuple[Any, ...], none_is_leaf: bool) -> Any:
    first = structures[0]
    if not is_nested(first):
        if not none_is_leaf and all(s is None for s in structures):
            return None
        return func(*structures)
    rows: Any = (
        [tuple(s[key] for s in structures) for key in _keys(first)]
        if isinstance(first, Mapping)
        else zip(*structures, strict=True)
    )
    return _rebuilt(first, [_mapped(func, tuple(row), none_is_leaf) for row in rows])


def map_structure_up_to(shallow_structure: Any, func: Callable[..., Any], *structures: Any) -> Any:
    """Apply `func` to what stands where `shallow_structure` has leaves.

    >>> map_structure_up_to([None, None], len, [[1, 1], [2, 2, 2]])
    [2, 3]
    """
    if not structures:
        raise ValueError("map_structure_up_to needs at least one structure")
    if not is_nested(shallow_structure):
        return func(*structures)
    for structure in structures:
        if not is_nested(structure):
            raise TypeError(
                f"a structure is shallower than {shallow_structure!r}: got {structure!r}"
            )
        if isinstance(shallow_structure, dict) and set(shallow_structure) != set(structure):
            raise ValueError(f"the keys differ: {list(shallow_structure)} and {list(structure)}")
        if len(structure) != len(shallow_structure):
            raise ValueError(f"the lengths differ: {len(shallow_structure)} and {len(structure)}")
    rows = zip(_children(shallow_structure), *map(_children, structures), strict=True)
    return _rebuilt(
        shallow_structure, [map_structure_up_to(row[0], func, *row[1:]) for row in rows]
    )


def pack_sequence_as(structure: Any, flat_sequence: Any) -> Any:
    """The leaves of `flat_sequence`, nested as `structure` is.

    >>> pack_sequence_as({"b": 0, "a": [0]}, [1, 2])
    {'b': 2, 'a': [1]}
    """
    if not isinstance(flat_sequence, list | tuple | deque):
        raise TypeError(f"flat_sequence must be an iterable with a length, got {flat_sequence!r}")
    flat = list(flat_sequence)
    count = len(flatten(structure))
    if count != len(flat):
        raise ValueError(
            f"too few or too many leaves: the structure {structure!r} holds {count}, flat_sequence "
            f"has {len(flat)}"
        )
    values = iter(flat)
    return _mapped(lambda _: next(values), (structure,), True)


def lists_to_tuples(structure: Any) -> Any:
    """The structure with tuples in place of lists.

    >>> lists_to_tuples([1, {"a": [2]}])
    (1, {'a': (2,)})
    """
    return traverse(lambda x: tuple(x) if isinstance(x, list) else None, structure, top_down=False)


def _is_shape(x: Any) -> bool:
    return isinstance(x, list | tuple) and all(e is None or isinstance(e, int) for e in x)


def map_shape_structure(func: Callable[[Any], Any], structure: Any) -> Any:
    """`map_structure` over shapes: a list or tuple of sizes (None where one is open) is a leaf.

    >>> map_shape_structure(len, {"a": (2, None), "b": [(3,), ()]})
    {'a': 2, 'b': [1, 0]}
    """
    if not callable(func):
        raise TypeError(f"`func` must be callable, got {func!r}")
    if _is_shape(structure) or not is_nested(structure):
        return func(structure)
    return _rebuilt(structure, [map_shape_structure(func, c) for c in _children(structure)])
