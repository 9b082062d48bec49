"""Where a closed trace's nodes are in the current one, for the gradient that reads them: each is
replaced by what was kept of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from chainrule import ops
from chainrule.autodiff.reverse import placeholder
from chainrule.errors import GradientError
from chainrule.ir.graph import substitute
from chainrule.ir.node import Node
from chainrule.tensor.gradfn import name_of
from chainrule.tensor.handle import TENSOR_TYPES, Tensor, blank, node_of
from chainrule.tensor.trace import Storage, Trace

_OVERWRITTEN = (
    "one of the variables needed for gradient computation has been modified by an inplace "
    "operation: [torch.{type} {shape}], which is output 0 of {op}, is at version {now}; expected "
    "version {then} instead. Hint: use the out-of-place form (x = x + y instead of x += y), or "
    "clone() before writing."
)

#: Of the same step before: what nodes read of a closed trace, and where they were placed.
_read: dict[tuple[Any, ...], list[Node]] = {}
_placed: dict[tuple[Any, ...], tuple[Node, ...]] = {}
_apart: dict[tuple[Any, ...], tuple[Node, ...]] = {}


def _remembered(memo: dict[tuple[Any, ...], Any], key: tuple[Any, ...], value: Any) -> Any:
    if len(memo) > 4096:
        memo.clear()
    memo[key] = value
    return value


class Placing:
    """Where the nodes of a trace are in the current one: the same, or replaced by what was kept."""

    def __init__(self, trace: Trace, same: bool, create_graph: bool) -> None:
        self.trace, self.same, self.create_graph = trace, same, create_graph
        self.mapping: dict[Node, Node] = {}
        self.count = 0
        self.versions: dict[Node, tuple[Tensor, int]] = {}
        if not same:
            for e in trace.inputs:
                if e.tensor is not None:
                    self.versions[e.node] = (e.tensor, e.version)

    def cotangent(self, y: Node, value: Node) -> Node:
        """A name for a value of the current trace, inside the closed one."""
        if self.same:
            return value
        p = placeholder(y, self.count)
        self.count += 1
        self.mapping[p] = value
        return p

    def here(self, nodes: Sequence[Node | None]) -> list[Node | None]:
        """Nodes of the trace as nodes of the current one."""
        if self.same:
            return list(nodes)
        some = tuple(n for n in nodes if n is not None)
        mapping, saved = self.mapping, self.trace.saved
        for n in self._reads(some):
            mapping[n] = node_of(self._kept(n) if n in saved else self._input(n))
        where = (some, *mapping.items())
        found = _placed.get(where)
        if found is None:
            found = _remembered(_placed, where, substitute(some, mapping))
        placed = iter(found)
        return [None if n is None else next(placed) for n in nodes]

    def apart(self, nodes: Sequence[Node]) -> tuple[tuple[Node, ...], list[np.ndarray]]:
        """Nodes of the trace as a program of its own, whose first inputs are the cotangents; and
        the arrays that it reads beside these.
        """
        some = tuple(nodes)
        read, saved = self._reads(some), self.trace.saved
        where = (some, *self.mapping, None, *read)
        found = _apart.get(where)
        if found is None:
            names = {
                n: ops.input(index=i, shape=n.shape, dtype=n.dtype)
                for i, n in enumerate((*self.mapping, *read))
            }
            found = _remembered(_apart, where, substitute(some, names))
        kept = (self._kept(n) if n in saved else self._input(n) for n in read)
        return found, [t._concrete() for t in kept]

    def _reads(self, nodes: tuple[Node, ...]) -> list[Node]:
        """`_find_read`, as it was found in the same step before."""
        known = (nodes, *self.mapping, None, *self.trace.saved, None, *self.versions)
        read = _read.get(known)
        if read is None:
            read = _remembered(_read, known, self._find_read(nodes))
        return read

    def _find_read(self, nodes: Iterable[Node]) -> list[Node]:
        """What was kept of the closed trace, or entered it, and is read by nodes."""
        stack, seen = list(nodes), set()
        found: list[Node] = []
        while stack:
            n = stack.pop()
            if n in seen or n in self.mapping:
                continue
            seen.add(n)
            if n in self.trace.saved or n in self.versions:
                found.append(n)
            else:
                stack.extend(n.inputs)
        return found

    def _kept(self, n: Node) -> Tensor:
        value = self.trace.saved[n]
        if isinstance(value, tuple):
            s, version = value
            if s.counted != version:
                raise GradientError(overwritten(n, s.counted, version))
        else:
            s = Storage(value, None, None)
        t: Tensor = blank(Tensor, s, n.shape, n.dtype)
        if (
            self.create_graph and n.dtype.is_differentiable
        ):  # the gradient of the gradient goes on behind it
            t.level, t.leaf, t.history = 1, False, (self.trace, n)
        return t

    def _input(self, n: Node) -> Tensor:
        t, version = self.versions[n]
        if t.storage.counted != version:
            raise GradientError(overwritten(n, t.storage.counted, version))
        return t


def overwritten(n: Node, now: int, then: int) -> str:
    """The error of a value that was written over before its gradient read it."""
    return _OVERWRITTEN.format(
        type=TENSOR_TYPES[n.dtype.name], shape=list(n.shape), op=name_of(n), now=now, then=then
    )
