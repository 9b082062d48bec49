"""Nested containers as trees: flatten, map, put together again (`torch.utils._pytree`).

Lists, tuples, named tuples, dictionaries (also ordered ones, those with a default) and deques are
nodes; all else, None as well, is a leaf. `register_pytree_node` adds classes of one's own.

>>> leaves, spec = tree_flatten({"a": 1, "b": (2, [3])})
>>> leaves
[1, 2, 3]
>>> tree_unflatten([10 * x for x in leaves], spec)
{'a': 10, 'b': (20, [30])}
"""

from __future__ import annotations

from collections import OrderedDict, defaultdict, deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

PyTree = Any
IsLeaf = Callable[[Any], bool]


class NodeDef(NamedTuple):
    """How a container gives its children and what else it is made of, and how it is made again."""

    flatten: Callable[[Any], tuple[list[Any], Any]]
    unflatten: Callable[[Iterable[Any], Any], Any]


def _named(x: Any) -> bool:
    """Whether this is the type of a named tuple."""
    return isinstance(x, type) and issubclass(x, tuple) and hasattr(x, "_fields")


def _default(values: Iterable[Any], context: Any) -> Any:
    factory, keys = context
    return defaultdict(factory, zip(keys, values, strict=True))


SUPPORTED_NODES: dict[Any, NodeDef] = {
    tuple: NodeDef(lambda x: (list(x), None), lambda v, _: tuple(v)),
    list: NodeDef(lambda x: (list(x), None), lambda v, _: list(v)),
    dict: NodeDef(
        lambda x: (list(x.values()), list(x)), lambda v, keys: dict(zip(keys, v, strict=True))
    ),
    OrderedDict: NodeDef(
        lambda x: (list(x.values()), list(x)),
        lambda v, keys: OrderedDict(zip(keys, v, strict=True)),
    ),
    defaultdict: NodeDef(lambda x: (list(x.values()), (x.default_factory, list(x))), _default),
    deque: NodeDef(lambda x: (list(x), x.maxlen), lambda v, n: deque(v, maxlen=n)),
}
#: Any named tuple: the context is its class.
_NAMED = NodeDef(lambda x: (list(x), type(x)), lambda v, cls: cls(*v))
_NAMEDTUPLE = "namedtuple"


def _kind(tree: Any) -> Any:
    cls = type(tree)
    return _NAMEDTUPLE if cls not in SUPPORTED_NODES and _named(cls) else cls


def _definition(kind: Any) -> NodeDef | None:
    return _NAMED if kind == _NAMEDTUPLE else SUPPORTED_NODES.get(kind)


def register_pytree_node(
    cls: type[Any], flatten_fn: Callable[[Any], Any], unflatten_fn: Callable[..., Any], *,
    serialized_type_name: str | None = None, to_dumpable_context: Any = None,
    from_dumpable_context: Any = None, flatten_with_keys_fn: Any = None,
) -> None:  # fmt: skip
    """Let instances of a class be nodes: flatten_fn(x) → (children, context), and back by
    unflatten_fn(children, context).
    """
    if cls in SUPPORTED_NODES:
        raise ValueError(f"{cls} is already registered as pytree node.")
    SUPPORTED_NODES[cls] = NodeDef(flatten_fn, unflatten_fn)


class TreeSpec:
    """The shape of a tree: type, context, children."""

    __slots__ = ("children_specs", "context", "num_leaves", "type")

    def __init__(self, type: Any, context: Any, children_specs: list[TreeSpec]) -> None:
        self.type, self.context, self.children_specs = type, context, children_specs
        self.num_leaves: int = sum(c.num_leaves for c in children_specs)

    @property
    def num_children(self) -> int:
        return len(self.children_specs)

    @property
    def num_nodes(self) -> int:
        return 1 + sum(c.num_nodes for c in self.children_specs)

    def is_leaf(self) -> bool:
        return False

    def unflatten(self, leaves: Iterable[Any]) -> Any:
        return tree_unflatten(leaves, self)

    def flatten_up_to(self, tree: Any) -> list[Any]:
        """The subtrees of a tree that stand where this one has its leaves."""
        if _kind(tree) != self.type:
            raise ValueError(f"Type mismatch; expected {self.type}, but got {type(tree)}.")
        definition = _definition(self.type)
        assert definition is not None
        children, context = definition.flatten(tree)
        if len(children) != self.num_children or context != self.context:
            raise ValueError(f"Node mismatch; expected {self}, but got {tree!r}.")
        return [x for s, c in zip(self.children_specs, children, strict=True)
                for x in s.flatten_up_to(c)]  # fmt: skip

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, TreeSpec)
            and self.is_leaf() == other.is_leaf()
            and self.type == other.type
            and self.context == other.context
            and self.children_specs == other.children_specs
        )

    def __hash__(self) -> int:
        return hash((str(self.type), self.num_leaves, len(self.children_specs)))

    def __repr__(self) -> str:
        name = self.type if isinstance(self.type, str) else self.type.__name__
        return f"TreeSpec({name}, {self.context}, [{', '.join(map(repr, self.children_specs))}])"


class LeafSpec(TreeSpec):
    """One leaf."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__(None, None, [])
        self.num_leaves = 1

    @property
    def num_nodes(self) -> int:
        return 1

    def is_leaf(self) -> bool:
        return True

    def flatten_up_to(self, tree: Any) -> list[Any]:
        return [tree]

    def __repr__(self) -> str:
        return "*"


_LEAF = LeafSpec()


def treespec_leaf() -> LeafSpec:
    """The shape of one leaf."""
    return _LEAF


def treespec_pprint(treespec: TreeSpec) -> str:
    """A shape, as the tree with * for leaves."""
    return repr(tree_unflatten(["*"] * treespec.num_leaves, treespec)).replace("'*'", "*")


def tree_is_leaf(tree: PyTree, is_leaf: IsLeaf | None = None) -> bool:
    """Whether this is no container (or is_leaf says so)."""
    return (is_leaf is not None and is_leaf(tree)) or _definition(_kind(tree)) is None


def _into(tree: Any, leaves: list[Any], is_leaf: IsLeaf | None) -> TreeSpec:
    if tree_is_leaf(tree, is_leaf):
        leaves.append(tree)
        return _LEAF
    kind = _kind(tree)
    definition = _definition(kind)
    assert definition is not None
    children, context = definition.flatten(tree)
    return TreeSpec(kind, context, [_into(c, leaves, is_leaf) for c in children])


def tree_flatten(tree: PyTree, is_leaf: IsLeaf | None = None) -> tuple[list[Any], TreeSpec]:
    """(leaves, shape)"""
    leaves: list[Any] = []
    spec = _into(tree, leaves, is_leaf)
    return leaves, spec


def tree_unflatten(leaves: Iterable[Any], treespec: TreeSpec) -> PyTree:
    """The tree of this shape with these leaves."""
    if not isinstance(treespec, TreeSpec):
        raise TypeError(
            f"tree_unflatten(leaves, treespec): Expected `treespec` to be instance of TreeSpec but "
            f"got item of type {type(treespec)}."
        )
    flat = list(leaves)
    if len(flat) != treespec.num_leaves:
        raise ValueError(
            f"tree_unflatten(leaves, treespec): `leaves` has length {len(flat)} but the spec "
            f"refers to a pytree that holds {treespec.num_leaves} items ({treespec})."
        )
    return _grown(iter(flat), treespec)


def _grown(leaves: Iterator[Any], spec: TreeSpec) -> Any:
    if spec.is_leaf():
        return next(leaves)
    definition = _definition(spec.type)
    assert definition is not None
    return definition.unflatten([_grown(leaves, c) for c in spec.children_specs], spec.context)


def tree_iter(tree: PyTree, is_leaf: IsLeaf | None = None) -> Iterable[Any]:
    """The leaves, one by one."""
    yield from tree_flatten(tree, is_leaf)[0]


def tree_leaves(tree: PyTree, is_leaf: IsLeaf | None = None) -> list[Any]:
    """The leaves."""
    return tree_flatten(tree, is_leaf)[0]


def tree_structure(tree: PyTree, is_leaf: IsLeaf | None = None) -> TreeSpec:
    """The shape."""
    return tree_flatten(tree, is_leaf)[1]


def tree_map(
    func: Callable[..., Any], tree: PyTree, *rests: PyTree, is_leaf: IsLeaf | None = None
) -> PyTree:
    """A tree of func(leaf, …): further trees give the further arguments."""
    leaves, spec = tree_flatten(tree, is_leaf)
    others = [spec.flatten_up_to(r) for r in rests]
    return tree_unflatten([func(*xs) for xs in zip(leaves, *others, strict=True)], spec)


def tree_map_(
    func: Callable[..., Any], tree: PyTree, *rests: PyTree, is_leaf: IsLeaf | None = None
) -> PyTree:
    """func(leaf, …) for its effect; gives the tree itself."""
    tree_map(func, tree, *rests, is_leaf=is_leaf)
    return tree


def map_only(kind: Any, /) -> Callable[[Callable[[Any], Any]], Callable[[Any], Any]]:
    """Decorator: a function of leaves that leaves those of another type (or for which a predicate
    is false) alone.
    """
    wanted = kind if callable(kind) and not isinstance(kind, type) else _is_a(kind)

    def wrapper(f: Callable[[Any], Any]) -> Callable[[Any], Any]:
        return lambda x: f(x) if wanted(x) else x

    return wrapper


def _is_a(kind: Any) -> Callable[[Any], bool]:
    return lambda x: isinstance(x, kind)


def tree_map_only(
    kind: Any, /, func: Callable[[Any], Any], tree: PyTree, is_leaf: IsLeaf | None = None
) -> PyTree:
    """`tree_map` over the leaves of a type; the others stay."""
    return tree_map(map_only(kind)(func), tree, is_leaf=is_leaf)


def tree_map_only_(
    kind: Any, /, func: Callable[[Any], Any], tree: PyTree, is_leaf: IsLeaf | None = None
) -> PyTree:
    """`tree_map_` over the leaves of a type."""
    return tree_map_(map_only(kind)(func), tree, is_leaf=is_leaf)


def tree_all(pred: Callable[[Any], bool], tree: PyTree, is_leaf: IsLeaf | None = None) -> bool:
    """Whether a predicate holds for all leaves."""
    return all(map(pred, tree_leaves(tree, is_leaf)))


def tree_any(pred: Callable[[Any], bool], tree: PyTree, is_leaf: IsLeaf | None = None) -> bool:
    """Whether a predicate holds for a leaf."""
    return any(map(pred, tree_leaves(tree, is_leaf)))


def tree_all_only(
    kind: Any, /, pred: Callable[[Any], bool], tree: PyTree, is_leaf: IsLeaf | None = None
) -> bool:
    """`tree_all` over the leaves of a type."""
    return all(pred(x) for x in tree_leaves(tree, is_leaf) if isinstance(x, kind))


def tree_any_only(
    kind: Any, /, pred: Callable[[Any], bool], tree: PyTree, is_leaf: IsLeaf | None = None
) -> bool:
    """`tree_any` over the leaves of a type."""
    return any(pred(x) for x in tree_leaves(tree, is_leaf) if isinstance(x, kind))


def arg_tree_leaves(*args: PyTree, **kwargs: PyTree) -> list[Any]:
    """The leaves of all arguments of a call."""
    return [*tree_leaves(args), *tree_leaves(kwargs)]


def _broadcast_to_and_flatten(
    tree: PyTree, treespec: TreeSpec, is_leaf: IsLeaf | None = None
) -> list[Any] | None:
    """The leaves of `tree`, each repeated for all the leaves of the spec that stand under it; None:
    it does not fit.
    """
    if tree_is_leaf(tree, is_leaf):
        return [tree] * treespec.num_leaves
    if treespec.is_leaf() or _kind(tree) != treespec.type:
        return None
    definition = _definition(treespec.type)
    assert definition is not None
    children, context = definition.flatten(tree)
    if len(children) != treespec.num_children or context != treespec.context:
        return None
    found: list[Any] = []
    for child, spec in zip(children, treespec.children_specs, strict=True):
        more = _broadcast_to_and_flatten(child, spec, is_leaf)
        if more is None:
            return None
        found.extend(more)
    return found


broadcast_to_and_flatten = _broadcast_to_and_flatten
