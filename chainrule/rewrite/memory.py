"""What several kernels read: kept in memory, or computed again by each, whichever costs less."""

from __future__ import annotations

import math
from collections.abc import Sequence

from chainrule.ir.node import Node, TensorType
from chainrule.rewrite.homes import Group, Homes, bytes_of, is_leaf, weight
from chainrule.shapes import size

#: What moving a byte costs, in simple operations on an element.
BYTE = 1.5


class Memory:
    """Which nodes are put into memory."""

    def __init__(self, p: Homes) -> None:
        self.p = p
        self.kept = set(p.needed)
        for n in p.order:
            if p.cls[n] == "single" and isinstance(n.type, TensorType):
                self.kept.add(n)
        self.read = self._read()
        self.readers = {n: self._readers(n) for n in p.home if isinstance(n.type, TensorType)}
        for n in p.order:
            if n in p.home and n not in self.kept and self.readers.get(n):
                self._decide(n)
            elif p.cls[n] == "contract" and n not in self.kept:
                self._weigh(n)

    def _read(self) -> dict[int, set[Node]]:
        """What each group is known to read."""
        out: dict[int, set[Node]] = {}
        for n in self.p.order:
            if n in self.p.home and isinstance(n.type, TensorType):
                mine = out.setdefault(self.p.home[n].number, set())
                for i in n.inputs:
                    mine.update(self._shown(i))
        return out

    def _shown(self, node: Node) -> list[Node]:
        """A node, or what a view shows."""
        found, stack = [], [node]
        while stack:
            n = stack.pop()
            if self.p.cls[n] == "view" and n not in self.p.home:
                stack.extend(n.inputs)
            else:
                found.append(n)
        return found

    def _readers(self, node: Node) -> list[tuple[Group, float, bool]]:
        """Other groups that read it: how many times each element is read, and whether that is to
        multiply matrices.
        """
        home = self.p.home[node]
        found: dict[int, tuple[Group, float, bool]] = {}
        stack = [(u, 1.0) for u in self.p.users[node]]
        while stack:
            u, times = stack.pop()
            if u not in self.p.home:
                if u.op.name == "windows":
                    times *= max(size(u.shape) / max(size(u.inputs[0].shape), 1), 1)
                stack.extend((v, times) for v in self.p.users[u])
                continue
            group = self.p.home[u]
            if group is home:
                continue
            operand = self.p.cls[u] == "contract"
            _, before, also = found.get(group.number, (group, 0.0, False))
            found[group.number] = (group, max(times, before), operand or also)
        return list(found.values())

    def _decide(self, node: Node) -> None:
        again = self._again(node)
        if again is None or self._worth(node, *again):
            self.kept.add(node)
            return
        for leaf in again[1]:
            if not is_leaf(leaf):
                self.kept.add(leaf)
        for group, _, _ in self.readers[node]:
            self.read.setdefault(group.number, set()).update(again[1])

    def _worth(self, node: Node, cost: float, leaves: frozenset[Node]) -> bool:
        keep, again = costs(node, cost, leaves, self.readers[node], self.read)
        return again > keep

    def _weigh(self, product: Node) -> None:
        """A product that nobody reads outside: keep it if that spares keeping more of what is
        computed from it.
        """
        group = self.p.home[product]
        crossing = [n for n in group.nodes if n is not product and self.readers[n]]
        if len(crossing) < 2:
            return
        totals = []
        kept, read = set(self.kept), {k: set(v) for k, v in self.read.items()}
        for also in (False, True):
            total = 2 * BYTE * bytes_of(product) if also else 0.0
            self.kept = kept | {product} if also else set(kept)
            self.read = {k: set(v) for k, v in read.items()}
            for n in crossing:
                again = self._again(n)
                cost, leaves = again or (math.inf, frozenset())
                keep, other = costs(n, cost, leaves, self.readers[n], self.read)
                total += min(keep, other)
                if n not in self.kept:
                    self._decide(n)
            totals.append(total)
        self.kept, self.read = kept, read
        if totals[1] < totals[0]:
            self.kept.add(product)

    def _again(self, node: Node) -> tuple[float, frozenset[Node]] | None:
        """What computing a node again takes: operations an element, and what is read. None if it
        cannot be.
        """
        cost, leaves = 0.0, set()
        seen, stack = {node}, [node]
        whole = size(node.shape)
        while stack:
            n = stack.pop()
            if n is not node:
                if self.p.cls[n] == "leaf" or n in self.kept:
                    leaves.add(n)
                    continue
                if n in self.p.bare:
                    continue
                if self.p.cls[n] != "view" and size(n.shape) * 8 <= whole:
                    leaves.add(n)  # numbers of a row: they are kept instead
                    continue
            if self.p.cls[n] not in ("point", "view"):
                return None
            cost += weight(n) * min(size(n.shape) / max(whole, 1), 1.0)
            for i in n.inputs:
                if i not in seen:
                    seen.add(i)
                    stack.append(i)
        return cost, frozenset(leaves)


def costs(
    node: Node,
    cost: float,
    leaves: frozenset[Node],
    readers: Sequence[tuple[Group, float, bool]],
    read: dict[int, set[Node]],
) -> tuple[float, float]:
    """What it costs to write a value to memory for its readers, and to have each compute it.

    cost     operations for one element
    leaves   what they read
    readers  groups, how often each reads an element, whether as a factor of a product
    """
    whole, mine = max(size(node.shape), 1), bytes_of(node)
    keep, again = 2 * BYTE * mine, 0.0
    for group, times, operand in readers:
        more = sum(bytes_of(n) for n in leaves if n not in read.get(group.number, ()))
        if operand:
            big = [n for n in leaves if bytes_of(n) * 4 >= mine]
            if cost * times > (4 if len(readers) == 1 else 2) or len(big) > 2 or times > 1.5:
                again = math.inf
        keep += BYTE * mine
        again += whole * cost * times + BYTE * more
    return keep, again
