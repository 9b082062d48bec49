"""One function for many samples: graph → graph with one more axis, the batch.

    mapping: node of one sample → node of all samples (first axis)

Every node that depends on a mapped one is computed for the whole batch by its rule
(`chainrule.ops.batching`); what does not depend on one stays as it is and is shared. An op that has
neither a rule nor a formula is computed sample by sample, as a loop: right, but slow, and said once
through `logging`.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from chainrule.ir.graph import Graph, topological
from chainrule.ir.node import Node, TensorType
from chainrule.ops.batching import rule_of, spread
from chainrule.ops.core import input
from chainrule.ops.loop import items, make_scan, scan
from chainrule.ops.movement import permute

_log = logging.getLogger("chainrule.func")
_told: set[str] = set()


class Batch:
    """One walk: what is known of nodes so far, for a batch of `size`."""

    def __init__(self, mapping: Mapping[Node, Node], size: int) -> None:
        #: Node → its value for all samples; a tuple of such for nodes of several parts. A node
        #: that was seen and does not depend on the batch is its own value in `shared`.
        self.made: dict[Node, Any] = dict(mapping)
        self.shared: set[Node] = set()
        self.size = size

    def __call__(self, outputs: Sequence[Node]) -> list[Node | None]:
        """The values for all samples; None where they are the same for every sample."""
        made, shared = self.made, self.shared
        for node in topological(outputs, stop=lambda n: n in made or n in shared):
            if node in made or node in shared:
                continue
            if any(i in made for i in node.inputs):
                made[node] = self._value(node)
            else:
                shared.add(node)
        return [made.get(o) for o in outputs]

    def _value(self, node: Node) -> Any:
        if node.op.name == "item":
            return self.made[node.inputs[0]][node.attr("index")]
        over = [i in self.made for i in node.inputs]
        xs = [self.made.get(i, i) for i in node.inputs]
        if node.op.name == "scan":
            return self._loop(node, xs, over)
        if node.op.name == "recomputed":
            return self._recomputed(node, xs, over)
        rule = rule_of(node.op)
        if rule is not None:
            value = rule(node, xs, over, self.size)
            if value is not NotImplemented:
                return value
        if not node.op.is_primitive and (node.op.gradient is None or rule is not None):
            out = node.op.expand(node)
            if isinstance(out, tuple):
                parts = self(out)
                return tuple(
                    spread(o, False, self.size) if p is None else p
                    for p, o in zip(parts, out, strict=True)
                )
            value = self([out])[0]
            return spread(out, False, self.size) if value is None else value
        return self._one_by_one(node, xs, over)

    def _one_by_one(self, node: Node, xs: Sequence[Node], over: Sequence[bool]) -> Any:
        """A loop over the samples."""
        name = node.op.name
        if name not in _told:
            _told.add(name)
            _log.warning(
                "vmap computes %s sample by sample: it has no batching rule. This may be slow", name
            )

        def step(_: Any, now: Sequence[Node], fixed: Sequence[Node]) -> Any:
            varying, same = iter(now), iter(fixed)
            made = node.op.make(tuple(next(varying if b else same) for b in over), node.attrs)
            return (), (made,) if isinstance(made.type, TensorType) else items(made)

        sequences = [x for x, b in zip(xs, over, strict=True) if b]
        constants = [x for x, b in zip(xs, over, strict=True) if not b]
        _, outs = scan(step, (), sequences, constants)
        return outs[0] if isinstance(node.type, TensorType) else outs

    def _recomputed(self, node: Node, xs: Sequence[Node], over: Sequence[bool]) -> Any:
        body: Graph = node.attr("body")
        inner, formal = self._inside(body, over)
        outs = [spread(o, False, self.size) if b is None else b
                for b, o in zip(inner(body.outputs), body.outputs, strict=True)]  # fmt: skip
        attrs = (("body", Graph(formal, outs)), ("kept", node.attr("kept")))
        return items(node.op.make(tuple(xs), attrs))

    def _inside(self, body: Graph, over: Sequence[bool]) -> tuple[Batch, list[Node]]:
        """A walk through a graph whose inputs have a batch where `over` says so."""
        formal = [_formal(n, i, self.size if b else None)
                  for i, (n, b) in enumerate(zip(body.inputs, over, strict=True))]  # fmt: skip
        mapping = {n: f for n, f, b in zip(body.inputs, formal, over, strict=True) if b}
        return Batch(mapping, self.size), formal

    def _loop(self, node: Node, xs: Sequence[Node], over: Sequence[bool]) -> Any:
        """A loop over time for all samples: a carry has a batch if it starts with one or gets one
        on the way.
        """
        body: Graph = node.attr("body")
        carries, sequences = node.attr("carries"), node.attr("sequences")
        flags = list(over)
        while True:
            inner, formal = self._inside(body, flags)
            found = inner(body.outputs)
            late = [i for i in range(carries) if found[i] is not None and not flags[i]]
            if not late:
                break
            for i in late:
                flags[i] = True
        given = []
        for i, (x, b, flag) in enumerate(zip(xs, over, flags, strict=True)):
            x = spread(x, b, self.size) if flag else x
            if flag and carries <= i < carries + sequences:  # (B, T, …) → (T, B, …)
                x = permute(x, order=(1, 0, *range(2, x.ndim)))
            given.append(x)
        outs = [spread(o, False, self.size) if f is None and i < carries and flags[i] else f or o
                for i, (f, o) in enumerate(zip(found, body.outputs, strict=True))]  # fmt: skip
        loop = make_scan(given, Graph(formal, outs), carries, sequences, node.attr("reverse"))
        parts: list[Node] = []
        for i, (part, f) in enumerate(zip(items(loop), found, strict=True)):
            if i < carries:
                parts.append(part if flags[i] else spread(part, False, self.size))
            elif f is None:
                parts.append(spread(part, False, self.size))
            else:
                parts.append(permute(part, order=(1, 0, *range(2, part.ndim))))
        return tuple(parts)


def _formal(n: Node, index: int, size: int | None) -> Node:
    """Input `index` of a body, with or without a batch."""
    if size is None:
        return n
    return input(index=index, shape=(size, *n.shape), dtype=n.dtype, scope="arg")


_memo: dict[tuple[Any, ...], list[Node | None]] = {}


def batched(outputs: Sequence[Node], mapping: Mapping[Node, Node], size: int) -> list[Node | None]:
    """`outputs` for a whole batch, found again when the same nodes come again."""
    key = (tuple(outputs), tuple(mapping.items()), size)
    found = _memo.get(key)
    if found is None:
        if len(_memo) > 4096:
            _memo.clear()
        found = _memo[key] = Batch(mapping, size)(outputs)
    return found
