"""Gradients that the user wrote, as part of a derived one: what a `Function.backward` records.

Each is called once, while the model is observed, with cotangents of ones that stand for any; where
the derivative meets the function, it takes what was recorded then, with its own cotangents.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from threading import get_ident
from typing import Any, NamedTuple

import numpy as np

from chainrule.explain.observe import Observation
from chainrule.ir.graph import substitute
from chainrule.ir.node import Node
from chainrule.ops import add, full
from chainrule.tensor import Tensor
from chainrule.tensor.backward import CustomFunction
from chainrule.tensor.handle import from_array
from chainrule.tensor.trace import walking
from chainrule.tensor.witness import present


class Rule(NamedTuple):
    """What a user's rule made of cotangents: a gradient for each input, or None."""

    custom: CustomFunction
    cotangents: list[Tensor]
    found: list[Any]

    @property
    def held(self) -> list[Tensor]:
        """The tensors of both."""
        return [*self.cotangents, *(g for g in self.found if g is not None)]


def rules() -> list[Rule]:
    """Call the rules of all functions that the present witness has seen recorded."""
    out = []
    notes = present[get_ident()].notes
    for trace in dict.fromkeys(note.trace for note in list(notes)):
        for node, custom in list(trace.watched.items()):
            if isinstance(custom, CustomFunction):
                types: Any = node.type
                ones = [from_array(np.ones(t.shape, t.dtype.np), t.dtype) for t in types]
                with walking():
                    out.append(Rule(custom, ones, list(custom.call(list(ones)))))
    return out


def watch(
    seen: Observation, rules: Sequence[Rule], nodes: Sequence[Node]
) -> dict[Node, Callable[[Any], dict[Node, Node]]]:
    """For each boundary among the nodes, how the derivative goes on behind it."""
    by_custom = {id(rule.custom): rule for rule in rules}
    return {
        n: _answer(seen, n, by_custom.get(id(seen.customs.get(n))))
        for n in nodes
        if n.op.name == "boundary"
    }


def _answer(
    seen: Observation, boundary: Node, rule: Rule | None
) -> Callable[[Any], dict[Node, Node]]:
    def answer(g: dict[int, Node]) -> dict[Node, Node]:
        if rule is None:
            return {}
        types: Any = boundary.type
        cts = [g[i] if i in g else full(t.shape, 0, t.dtype) for i, t in enumerate(types)]
        given = dict(zip(seen.nodes_of(rule.cotangents), cts, strict=True))
        out: dict[Node, Node] = {}
        for n, made in zip(boundary.inputs[len(cts) :], rule.found, strict=True):
            if made is not None and n.dtype.is_differentiable:
                (part,) = substitute(seen.nodes_of([made]), given)
                out[n] = add(out[n], part) if n in out else part
        return out

    return answer
