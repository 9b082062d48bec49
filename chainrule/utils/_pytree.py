"""Trees of containers under PyTorch's name: see `chainrule.pytree`."""

from __future__ import annotations

from collections import OrderedDict, defaultdict
from collections.abc import Callable
from typing import Any, NamedTuple

from chainrule.pytree import (
    SUPPORTED_NODES,
    LeafSpec,
    PyTree,
    TreeSpec,
    _broadcast_to_and_flatten,
    arg_tree_leaves,
    map_only,
    register_pytree_node,
    tree_all,
    tree_all_only,
    tree_any,
    tree_any_only,
    tree_flatten,
    tree_is_leaf,
    tree_iter,
    tree_leaves,
    tree_map,
    tree_map_,
    tree_map_only,
    tree_map_only_,
    tree_structure,
    tree_unflatten,
    treespec_leaf,
    treespec_pprint,
)

_register_pytree_node = register_pytree_node


class SequenceKey(NamedTuple):
    """A step into a list or tuple."""

    idx: int

    def __str__(self) -> str:
        return f"[{self.idx!r}]"

    def get(self, sequence: Any) -> Any:
        return sequence[self.idx]


class MappingKey(NamedTuple):
    """A step into a dictionary."""

    key: Any

    def __str__(self) -> str:
        return f"[{self.key!r}]"

    def get(self, mapping: Any) -> Any:
        return mapping[self.key]


class GetAttrKey(NamedTuple):
    """A step to a field."""

    name: str

    def __str__(self) -> str:
        return f".{self.name}"

    def get(self, obj: Any) -> Any:
        return getattr(obj, self.name)


KeyPath = tuple[Any, ...]


def is_namedtuple_class(cls: Any) -> bool:
    """Whether this is the class of a named tuple."""
    return isinstance(cls, type) and issubclass(cls, tuple) and hasattr(cls, "_fields")


def is_namedtuple_instance(obj: object) -> bool:
    """Whether this is a named tuple."""
    return is_namedtuple_class(type(obj))


def is_namedtuple(obj: object) -> bool:
    """Whether this is a named tuple, or the class of one."""
    return is_namedtuple_class(obj) or is_namedtuple_instance(obj)


def _steps(tree: Any) -> list[Any]:
    """The steps to the children of a container, in their order."""
    if is_namedtuple_instance(tree):
        return [GetAttrKey(name) for name in tree._fields]
    if isinstance(tree, (dict, OrderedDict, defaultdict)):
        return [MappingKey(k) for k in tree]
    return [SequenceKey(i) for i in range(len(SUPPORTED_NODES[type(tree)].flatten(tree)[0]))]


def tree_flatten_with_path(
    tree: PyTree, is_leaf: Callable[[Any], bool] | None = None
) -> tuple[list[tuple[KeyPath, Any]], TreeSpec]:
    """(pairs of path and leaf, shape)"""
    found: list[tuple[KeyPath, Any]] = []

    def walk(x: Any, path: KeyPath) -> None:
        if tree_is_leaf(x, is_leaf):
            found.append((path, x))
            return
        for step in _steps(x):
            walk(step.get(x), (*path, step))

    walk(tree, ())
    return found, tree_structure(tree, is_leaf)


def tree_leaves_with_path(
    tree: PyTree, is_leaf: Callable[[Any], bool] | None = None
) -> list[tuple[KeyPath, Any]]:
    """Pairs of path and leaf."""
    return tree_flatten_with_path(tree, is_leaf)[0]


def tree_map_with_path(
    func: Callable[..., Any],
    tree: PyTree,
    *rests: PyTree,
    is_leaf: Callable[[Any], bool] | None = None,
) -> PyTree:
    """A tree of func(path, leaf, …)."""
    pairs, spec = tree_flatten_with_path(tree, is_leaf)
    others = [spec.flatten_up_to(r) for r in rests]
    return spec.unflatten(
        [func(path, x, *more) for (path, x), *more in zip(pairs, *others, strict=True)]
    )


def keystr(kp: KeyPath) -> str:
    """A path as it is written in Python.

    >>> keystr((MappingKey("a"), SequenceKey(0)))
    "['a'][0]"
    """
    return "".join(map(str, kp))


def key_get(obj: Any, kp: KeyPath) -> Any:
    """What a path leads to."""
    for step in kp:
        obj = step.get(obj)
    return obj


__all__ = [
    "GetAttrKey", "KeyPath", "LeafSpec", "MappingKey", "PyTree", "SUPPORTED_NODES",
    "SequenceKey", "TreeSpec", "_broadcast_to_and_flatten", "arg_tree_leaves", "is_namedtuple",
    "is_namedtuple_class", "is_namedtuple_instance", "key_get", "keystr", "map_only",
    "register_pytree_node", "tree_all", "tree_all_only", "tree_any", "tree_any_only",
    "tree_flatten", "tree_flatten_with_path", "tree_is_leaf", "tree_iter", "tree_leaves",
    "tree_leaves_with_path", "tree_map", "tree_map_", "tree_map_only", "tree_map_only_",
    "tree_map_with_path", "tree_structure", "tree_unflatten", "treespec_leaf",
    "treespec_pprint",
]  # fmt: skip
