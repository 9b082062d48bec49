"""What stands behind a tensor: the graph that was recorded, read without recording anything.

A tensor that waits to be computed hangs in the pending trace; one that was computed still knows
the closed trace through which its gradient would go. Traces number their inputs from zero again, so
closed ones are put together here under one numbering; an input that was itself computed in an
earlier trace is replaced by its graph there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from chainrule.ir.graph import Graph, substitute, topological
from chainrule.ir.node import Node
from chainrule.ops import const
from chainrule.ops import input as graph_input
from chainrule.tensor import Tensor
from chainrule.tensor.backward import CustomFunction
from chainrule.tensor.trace import Entry, Trace, state


class Recorded(NamedTuple):
    """Nodes for what was asked, the tensor of each input (None: a random state, a number), the
    array that each held when it was read, as far as it is known still, and the functions behind
    boundaries.
    """

    nodes: list[Node]
    leaves: dict[Node, Tensor | None]
    arrays: dict[Node, np.ndarray]
    customs: dict[Node, CustomFunction]


class Place(NamedTuple):
    """A value, in the numbering of its own trace."""

    trace: Trace
    node: Node


def place_of(t: Tensor) -> Place | None:
    """Trace and node of a tensor; None for the user's data and for what was computed and let go."""
    s = t.storage
    trace = state.trace
    if t.seen_in == trace.serial and t.node is not None and t.version == s.version:
        return Place(trace, t.node)
    if s.trace is not None and s.node is not None:
        node = s.node
        for op, attrs in t.chain:
            node = op.make((node,), attrs)
        return Place(s.trace, node)
    return None if t.history is None else Place(*t.history)


def recorded(subjects: Sequence[Any]) -> Recorded:
    """The graphs behind tensors and places, under one numbering of inputs. Nodes are taken as they
    are.
    """
    stitch = _Stitch()
    places: list[Place | None] = []
    for x in subjects:
        place = place_of(x) if isinstance(x, Tensor) else x if isinstance(x, Place) else None
        places.append(place)
        if place is not None:
            stitch.ask(place)
    stitch.build()
    nodes: list[Node] = []
    for x, place in zip(subjects, places, strict=True):
        if isinstance(x, Node):
            nodes.append(x)
            stitch.leaves.update((n, None) for n in topological([x]) if n.op.name == "input")
        elif place is not None:
            nodes.append(stitch.done[place])
        elif isinstance(x, Tensor):
            nodes.append(stitch.leaf(x, id(x)))
        else:
            raise TypeError(f"explain takes tensors, nodes and graphs, got {type(x).__name__}")
    return Recorded(nodes, stitch.leaves, stitch.arrays, stitch.customs)


def same_place(a: Tensor, b: Tensor) -> bool:
    """Whether two handles show the same elements of the same storage."""
    return a is b or (a.storage is b.storage and a.chain == b.chain)


class _Stitch:
    """Collects what is needed of every trace, newest first, then rebuilds it, oldest first."""

    def __init__(self) -> None:
        self.needed: dict[Trace, dict[Node, None]] = {}
        self.walked: dict[Trace, set[Node]] = {}
        self.done: dict[Place, Node] = {}
        self.leaves: dict[Node, Tensor | None] = {}
        self.arrays: dict[Node, np.ndarray] = {}
        self.customs: dict[Node, CustomFunction] = {}
        self.known: dict[Any, Node] = {}

    def ask(self, place: Place) -> None:
        """This node is wanted, and with it what its trace's inputs were computed from."""
        stack = [place]
        while stack:
            trace, node = stack.pop()
            here = self.needed.setdefault(trace, {})
            if node in here:
                continue
            here[node] = None
            walked = self.walked.setdefault(trace, set())
            new = topological([node], stop=walked.__contains__)
            walked.update(new)
            for n in new:
                entry = _entry(trace, n)
                if entry is not None and entry.history is not None:
                    stack.append(Place(*entry.history))

    def build(self) -> None:
        """Give every wanted node its form under the common numbering."""
        for trace in sorted(self.needed, key=lambda t: t.serial):
            wanted = list(self.needed[trace])
            inputs = [n for n in topological(wanted) if n.op.name == "input"]
            mapping: dict[Node, Node] = {}
            for n in sorted(inputs, key=lambda n: int(n.attr("index"))):
                entry = _entry(trace, n)
                if entry is None:
                    mapping[n] = self.leaf(None, (trace.serial, n), n)
                elif entry.history is not None:
                    mapping[n] = self.done[Place(*entry.history)]
                elif entry.tensor is None and n.shape == ():
                    mapping[n] = _number(trace, n)
                else:
                    key = id(entry.tensor) if entry.tensor is not None else (trace.serial, n)
                    mapping[n] = self.leaf(entry.tensor, key, n)
                    if mapping[n] in self.leaves and mapping[n] not in self.arrays:
                        array = (
                            trace.saved.get(n) if trace.closed else trace.arrays[n.attr("index")]
                        )
                        if isinstance(array, np.ndarray):
                            self.arrays[mapping[n]] = array
            for node, new in zip(wanted, substitute(wanted, mapping), strict=True):
                self.done[Place(trace, node)] = new
            behind = set(topological(wanted))
            for n, w in trace.watched.items():
                if isinstance(w, CustomFunction) and n in behind:
                    self.customs[substitute([n], mapping)[0]] = w

    def leaf(self, t: Tensor | None, key: Any, like: Node | None = None) -> Node:
        """The input that stands for an array; for a view of data, that view of its base's input."""
        if t is not None and t.chain and t.base is not None and not t.level:
            node = self.leaf(t.base, id(t.base.storage))
            for op, attrs in t.chain:
                node = op.make((node,), attrs)
            return node
        key = key if t is None or t.level else id(t.storage)
        if key not in self.known:
            if t is not None:
                shape, dtype = tuple(t.shape), t.dtype
            else:
                assert like is not None
                shape, dtype = like.shape, like.dtype
            node = graph_input(index=len(self.known), shape=shape, dtype=dtype)
            self.known[key] = node
            self.leaves[node] = t
        return self.known[key]


def _number(trace: Trace, n: Node) -> Node:
    """A Python number that has become an input, because it was another one in an earlier step."""
    value = trace.saved[n] if trace.closed else trace.arrays[n.attr("index")]
    return const(value.item(), n.dtype)


def _entry(trace: Trace, n: Node) -> Entry | None:
    if n.op.name != "input" or any(k == "scope" for k, _ in n.attrs):
        return None
    index = n.attr("index")
    return Entry(*trace.bound[index][:5]) if index < len(trace.bound) else None


def subjects_of(x: Any) -> list[Any]:
    """One thing to explain, or several, as a list. A graph stands for its outputs."""
    if isinstance(x, Graph):
        return list(x.outputs)
    if isinstance(x, (list, tuple)):
        return [y for part in x for y in subjects_of(part)]
    return [x]


def named_tensors(names: Any) -> list[tuple[str, Any]]:
    """Names that the user gave: {name: tensor}, a module (its parameters), or a list of such."""
    if names is None:
        return []
    if isinstance(names, Mapping):
        return [(str(k), v) for k, v in names.items() if isinstance(v, (Tensor, Node))]
    if hasattr(names, "named_parameters"):
        return [*names.named_parameters(), *names.named_buffers()]
    if isinstance(names, (list, tuple)):
        return [pair for part in names for pair in named_tensors(part)]
    raise TypeError(
        "names takes a dictionary {name: tensor}, a module, or a list of these, "
        f"got {type(names).__name__}"
    )
