"""`torch.fx.node`: one operation of a traced program, and how its arguments are walked."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from chainrule import names

__getattr__ = names.absent(__name__, "the graph of a call is shown by chainrule.explain")

Argument = Any
Target = Callable[..., Any] | str
BaseArgumentTypes = str | int | float | bool | complex | None

#: What a node does: takes an argument of the program, reads an attribute of the root, calls a
#: function, a method or a layer of the root, returns.
KINDS = ("placeholder", "get_attr", "call_function", "call_method", "call_module", "output")


class Node:
    """`name = target(*args, **kwargs)` in a `Graph`, with links to its neighbours."""

    def __init__(
        self, graph: Any, name: str, op: str, target: Target, args: tuple[Any, ...],
        kwargs: dict[str, Any], return_type: Any = None,
    ) -> None:  # fmt: skip
        if op not in (*KINDS, "root"):
            raise AssertionError(f"a node's op is one of {', '.join(KINDS)}, not {op!r}")
        if op == "call_function" and not callable(target):
            raise ValueError(
                f"Node [graph = {graph}, name = '{name}'] target {target} has type {type(target)} "
                "but a Callable is expected"
            )
        if op not in ("call_function", "root") and not isinstance(target, str):
            raise ValueError(
                f"Node [graph = {graph}, name = '{name}'] target {target} has type {type(target)} "
                "but a str is expected"
            )
        self.graph, self.name, self.op, self.target = graph, name, op, target
        self.type = return_type
        self.users: dict[Node, None] = {}
        self.meta: dict[str, Any] = {}
        self._inputs: dict[Node, None] = {}
        self._prev = self._next = self
        self._erased = False
        self._args: tuple[Any, ...] = ()
        self._kwargs: dict[str, Any] = {}
        self._take(args, kwargs)

    def _take(self, args: Any, kwargs: Any) -> None:
        for old in self._inputs:
            old.users.pop(self, None)
        self._inputs = {}

        def note(node: Node) -> Node:
            self._inputs[node] = node.users[self] = None
            return node

        self._args = map_arg(tuple(args), note)
        self._kwargs = map_arg(dict(kwargs), note)

    @property
    def args(self) -> tuple[Any, ...]:
        """Positional arguments: nodes and plain values, also in lists, tuples, dicts, slices."""
        return self._args

    @args.setter
    def args(self, args: tuple[Any, ...]) -> None:
        self._take(args, self._kwargs)

    @property
    def kwargs(self) -> dict[str, Any]:
        """Arguments by name."""
        return self._kwargs

    @kwargs.setter
    def kwargs(self, kwargs: dict[str, Any]) -> None:
        self._take(self._args, kwargs)

    @property
    def all_input_nodes(self) -> list[Node]:
        """The nodes among the arguments, each once."""
        return list(self._inputs)

    @property
    def next(self) -> Node:
        """The node after this one."""
        return self._next

    @property
    def prev(self) -> Node:
        """The node before this one."""
        return self._prev

    def prepend(self, x: Node) -> None:
        """Put `x` right before this node."""
        if x is self:
            return
        if x.graph is not self.graph:
            raise AssertionError("Attempting to move a Node into a different Graph")
        x._unlink()
        before = self._prev
        before._next, x._prev = x, before
        x._next, self._prev = self, x

    def append(self, x: Node) -> None:
        """Put `x` right after this node."""
        self._next.prepend(x)

    def _unlink(self) -> None:
        self._prev._next, self._next._prev = self._next, self._prev

    def update_arg(self, idx: int, arg: Any) -> None:
        """Another positional argument."""
        args = list(self._args)
        args[idx] = arg
        self.args = tuple(args)

    def insert_arg(self, idx: int, arg: Any) -> None:
        """One positional argument more."""
        self.args = (*self._args[:idx], arg, *self._args[idx:])

    def update_kwarg(self, key: str, arg: Any) -> None:
        """Another argument by name."""
        self.kwargs = {**self._kwargs, key: arg}

    def replace_all_uses_with(
        self, replace_with: Node, delete_user_cb: Callable[[Node], bool] = lambda user: True, *,
        propagate_meta: bool = False,
    ) -> list[Node]:  # fmt: skip
        """Let all who read this node read another; gives them."""
        if propagate_meta:
            replace_with.meta.update(self.meta)
        changed = [user for user in self.users if delete_user_cb(user)]
        for user in changed:
            user.replace_input_with(self, replace_with)
        return changed

    def replace_input_with(self, old_input: Node, new_input: Node) -> None:
        """Read `new_input` wherever `old_input` was read."""

        def other(node: Node) -> Node:
            return new_input if node is old_input else node

        self._take(map_arg(self._args, other), map_arg(self._kwargs, other))

    def is_impure(self, impure_random: bool = True) -> bool:
        """Whether it does something although nobody reads it: arguments and results do."""
        if self.op == "call_function":
            return self.target in _effects
        return self.op in ("placeholder", "output")

    def format_node(self, *args: Any, **kwargs: Any) -> str:
        """One line of text."""
        if self.op == "placeholder":
            return (
                f"%{self.name} : [num_users={len(self.users)}] = placeholder[target={self.target}]"
            )
        if self.op == "output":
            return f"return {self._args[0]}"
        shown = self.target if isinstance(self.target, str) else name_of(self.target)
        call = "" if self.op == "get_attr" else f"(args = {self._args}, kwargs = {self._kwargs})"
        users = len(self.users)
        return f"%{self.name} : [num_users={users}] = {self.op}[target={shown}]{call}"

    def __repr__(self) -> str:
        return self.name


_effects: set[Any] = set()


def has_side_effect(fn: Callable[..., Any]) -> Callable[..., Any]:
    """A function that is kept although nobody reads what it gives."""
    _effects.add(fn)
    return fn


def name_of(function: Any) -> str:
    """What a function calls itself."""
    return str(getattr(function, "__name__", type(function).__name__))


def map_arg(a: Any, fn: Callable[[Node], Any]) -> Any:
    """`fn` of every node in an argument, whatever it lies in."""
    if not callable(fn):
        raise AssertionError("torch.fx.map_arg(a, fn): fn must be a callable")
    return map_aggregate(a, lambda x: fn(x) if isinstance(x, Node) else x)


def map_aggregate(a: Any, fn: Callable[[Any], Any]) -> Any:
    """`fn` of every value in tuples, lists, dicts and slices, put together again."""
    if isinstance(a, tuple):
        parts = [map_aggregate(x, fn) for x in a]
        return type(a)(*parts) if hasattr(a, "_fields") else tuple(parts)
    if isinstance(a, list):
        return [map_aggregate(x, fn) for x in a]
    if isinstance(a, dict):
        return {k: map_aggregate(v, fn) for k, v in a.items()}
    if isinstance(a, slice):
        return slice(*(map_aggregate(x, fn) for x in (a.start, a.stop, a.step)))
    return fn(a)


def chain(root: Node, forwards: bool = True) -> Iterator[Node]:
    """The nodes between `root` and `root`; those that are taken away or put in meanwhile, too."""
    here = root._next if forwards else root._prev
    while here is not root:
        if not here._erased:
            yield here
        here = here._next if forwards else here._prev
