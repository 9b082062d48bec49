"""Where whole numbers become real ones: what is varied of tokens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from chainrule.autodiff import derivative
from chainrule.errors import GradientError
from chainrule.ir.graph import depends_on, topological
from chainrule.ir.node import Node, TensorType
from chainrule.ops.core import full_like

#: Ops that show what they are given.
MOVES = ("reshape", "permute", "cast", "slice", "copy", "broadcast_to")


class Variable(NamedTuple):
    """What is varied of one input: the node itself, or for tokens the embeddings read at them.

    node     in the graph of the model
    free     the input that stands for it when it is varied
    places   of tokens: to which of them (counted through all rows) each entry of the node belongs,
             entry by entry of the first row, then of the next
    order    where these entries lie in the node; None: as they are
    """

    node: Node
    free: Node
    places: np.ndarray | None = None
    order: np.ndarray | None = None

    @property
    def tokens(self) -> bool:
        """Whether it belongs to whole numbers."""
        return self.places is not None

    def by_rows(self, value: np.ndarray, rows: int) -> np.ndarray:
        """The node's value, rows first."""
        if self.places is None:
            return value
        entries = value.reshape(len(self.places), -1)
        entries = entries if self.order is None else entries[self.order]
        return entries.reshape(rows, len(self.places) // rows, -1)

    def back(self, points: np.ndarray) -> np.ndarray:
        """The node's value again, of what `by_rows` gave."""
        if self.places is None:
            return points
        entries = points.reshape(len(self.places), -1)
        if self.order is not None:
            again = np.empty_like(entries)
            again[self.order] = entries
            entries = again
        return entries.reshape(self.node.shape)


def reaches(score: Node, leaf: Node) -> bool:
    """Whether a derivative flows from one to the other."""
    return derivative([score], [full_like(score, 1)], [leaf]).gradients[0] is not None


def embeddings(order: Sequence[Node], leaf: Node) -> tuple[list[Node], list[Node]]:
    """Where whole numbers become real ones: the rows of tables that are read at them (`take`), or
    codes of them along a new axis; and what else real is made of them alone (masks, mostly).
    """
    dependent = depends_on(order, [leaf])
    rows, codes, others = [], [], []
    users: dict[Node, list[Node]] = {}
    for n in order:
        for i in n.inputs:
            users.setdefault(i, []).append(n)
        if n in dependent and isinstance(n.type, TensorType) and n.dtype.is_floating_point:
            below = [i for i in n.inputs if i in dependent]
            if all(_is_whole(i) for i in below) and reaches(order[-1], n):
                if n.op.name == "take":
                    rows.append(n)
                elif n.ndim > leaf.ndim and n.shape[: leaf.ndim] == leaf.shape and n.shape[-1] > 1:
                    codes.append(n)
                else:
                    others.append(n)
    return [_kept_from_gradient(n, users) for n in rows] or codes, others


def places_of(node: Node, leaf: Node, rows: int) -> tuple[np.ndarray, np.ndarray | None]:
    """To which of the whole numbers a node's entries belong, row by row; and where they lie."""
    size = int(np.prod(leaf.shape, dtype=np.int64))
    numbers = np.arange(size).reshape(leaf.shape)
    places = _moved(node, leaf, numbers)
    places = numbers.reshape(-1) if places is None else places
    elements = int(np.prod(node.shape, dtype=np.int64))
    owner = places // max(size // rows, 1)
    if (
        not places.size
        or elements % places.size
        or (np.bincount(owner) * rows != places.size).any()
    ):
        raise GradientError(
            f"the rows {node.shape} read at the whole numbers {leaf.shape} do not belong to one of "
            "them each"
        )
    if (owner[1:] >= owner[:-1]).all():
        return places, None
    order = np.argsort(owner, kind="stable")
    return places[order], order


def _moved(node: Node, leaf: Node, numbers: np.ndarray) -> np.ndarray | None:
    """`numbers` of the leaf, as they are moved on the way to the place where rows are read at them;
    None: they are made into others.
    """
    while node.op.name == "where":
        node = node.inputs[2]
    if node.op.name != "take" or node.attr("axis") != 0:
        return None
    order = topological([node.inputs[1]])
    dependent = depends_on(order, [leaf])
    at, moves = node.inputs[1], []
    while at is not leaf:
        below = {i for i in at.inputs if i in dependent}
        if len(below) != 1:
            return None
        (x,) = below
        if at.op.name in MOVES and at.op.name != "cast":
            moves.append(at)
        elif at.shape != x.shape or not (at.op.elementwise or at.op.name == "cast"):
            return None
        at = x
    for move in reversed(moves):
        assert move.op.reference is not None
        numbers = move.op.reference(numbers, **dict(move.attrs))
    return np.array(numbers).reshape(-1)


def _is_whole(x: Node) -> bool:
    return isinstance(x.type, TensorType) and not x.dtype.is_differentiable


def _kept_from_gradient(take: Node, users: Mapping[Node, list[Node]]) -> Node:
    """Rows read for padding are kept from learning: where(padding, constant, rows). What counts is
    the whole.
    """
    for user in users.get(take, []):
        if user.op.name == "where" and user.inputs[2] is take:
            other = user.inputs[1]
            if other.op.name == "stop_gradient" and other.inputs[0] is take:
                return user
    return take
