"""Walks over the graph. All of them are loops: a step of a deep model is deeper than Python's
stack.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from chainrule.ir.node import Node, TensorType


class Graph:
    """A function: input nodes → output nodes. Immutable; two graphs are equal when their nodes are
    the same.

    Used where a graph is an attribute (the body of a loop) and where one is printed.
    """

    __slots__ = ("_hash", "inputs", "outputs")

    def __init__(self, inputs: Sequence[Node], outputs: Sequence[Node]) -> None:
        self.inputs, self.outputs = tuple(inputs), tuple(outputs)
        self._hash = hash((self.inputs, self.outputs))

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Graph)
            and self.inputs == other.inputs
            and self.outputs == other.outputs
        )

    def __call__(self, *args: Node) -> tuple[Node, ...]:
        """Inline: the outputs with `args` in place of the inputs."""
        return substitute(self.outputs, dict(zip(self.inputs, args, strict=True)))

    def __repr__(self) -> str:
        return f"<graph {len(self.inputs)} → {len(self.outputs)}>"


def children(node: Node) -> tuple[Node, ...]:
    """What a node is computed from."""
    return node.inputs


def topological(
    outputs: Iterable[Node],
    below: Callable[[Node], tuple[Node, ...]] = children,
    stop: Callable[[Node], bool] | None = None,
) -> list[Node]:
    """Every node that `outputs` need, inputs before users. `stop(node)` keeps a node but not what
    it is made of.
    """
    order: list[Node] = []
    seen: set[Node] = set()
    stack: list[tuple[Node, bool]] = [(n, False) for n in reversed(list(outputs))]
    while stack:
        node, done = stack.pop()
        if done:
            order.append(node)
            continue
        if node in seen:
            continue
        seen.add(node)
        stack.append((node, True))
        if stop is None or not stop(node):
            stack.extend((n, False) for n in reversed(below(node)) if n not in seen)
    return order


def ancestors(outputs: Iterable[Node]) -> set[Node]:
    """`outputs` and all that they are computed from."""
    return set(topological(outputs))


def depends_on(order: Iterable[Node], roots: Iterable[Node]) -> set[Node]:
    """The nodes of a topological order that are, or are computed from, one of `roots`."""
    found = set(roots)
    for node in order:
        if node not in found and any(i in found for i in node.inputs):
            found.add(node)
    return found


def substitute(outputs: Sequence[Node], mapping: Mapping[Node, Node]) -> tuple[Node, ...]:
    """Rebuild `outputs` with some nodes replaced. Nothing is replaced inside a replacement."""
    new: dict[Node, Node] = dict(mapping)
    for node in topological(outputs, stop=lambda n: n in mapping):
        if node in new:
            continue
        inputs = tuple(new[i] for i in node.inputs)
        new[node] = node if inputs == node.inputs else node.op.make(inputs, node.attrs)
    return tuple(new[o] for o in outputs)


def count_elements(node: Node) -> int:
    """Number of scalars in a node's value."""
    total = 0
    for t in (node.type,) if isinstance(node.type, TensorType) else node.type:
        n = 1
        for s in t.shape:
            n *= s
        total += n
    return total
