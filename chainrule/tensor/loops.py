"""A loop over time from a step that is written with tensors.

The step is called once, on tensors that stand for the carry and for one element of every sequence.
What it recorded becomes the body of one `scan`; what it used from outside (weights, mostly) becomes
the loop's constants.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from chainrule import ops
from chainrule.ir.graph import Graph, depends_on, substitute, topological
from chainrule.ir.node import Node
from chainrule.tensor.handle import Tensor, node_of, result
from chainrule.tensor.trace import HIDING, state, walking

Step = Callable[[list[Tensor], list[Tensor]], tuple[Sequence[Tensor], Sequence[Tensor]]]


def scan(
    step: Step, carry: Sequence[Tensor], xs: Sequence[Tensor], *, reverse: bool = False
) -> tuple[list[Tensor], list[Tensor]] | None:
    """(carry, xs) ↦ (final carry, stacked outputs), where step(carry, one of each of xs) gives
    (next carry, outputs)

    The first axis of `xs` is time; `reverse` runs from its end, and what is stacked keeps its place
    in time. None where this is no such loop: the step draws random numbers (each step its own), or
    a carry changes its type.

    >>> import chainrule as torch
    >>> from chainrule.tensor.loops import scan
    >>> add = lambda carry, now: ([carry[0] + now[0]], [carry[0] + now[0]])
    >>> (total,), (sums,) = scan(add, [torch.zeros(())], [torch.arange(4.0)])
    >>> total.item(), sums.tolist()
    (6.0, [0.0, 1.0, 3.0, 6.0])
    """
    with walking():
        here = state.here
        trace = here.trace
        trace.opened += 1
        if trace.scopes is None:
            trace.scopes = {}
        scope = f"{HIDING}loop {trace.opened}"
        starts = [node_of(t) for t in carry]
        sequences = [node_of(t) for t in xs]
        shapes = [n.shape for n in starts] + [n.shape[1:] for n in sequences]
        formal = [
            ops.input(index=i, shape=shape, dtype=node.dtype, scope=scope)
            for i, (shape, node) in enumerate(zip(shapes, starts + sequences, strict=True))
        ]
        inside = [
            result(n, trace, 1 if t.level and here.grad else 0)
            for n, t in zip(formal, (*carry, *xs), strict=True)
        ]
        drawn = len(trace.states)
        after, outs = step(inside[: len(starts)], inside[len(starts) :])
        results = [*after, *outs]
        ends = [node_of(t) for t in results]
        if here.trace is not trace or len(trace.states) != drawn:
            return None
        if any(a.type != b.type for a, b in zip(starts, ends, strict=False)):
            return None
        body, constants = _body(formal, ends)
        made = ops.items(
            ops.make_scan((*starts, *sequences, *constants), body, len(starts), len(xs), reverse)
        )
        level = max((t.level for t in results), default=0)
        found = [result(n, trace, level) for n in made]
        return found[: len(starts)], found[len(starts) :]


def _body(formal: Sequence[Node], ends: Sequence[Node]) -> tuple[Graph, list[Node]]:
    """The graph of one step, and the values from outside that it reads."""
    order = topological(ends)
    inner = depends_on(order, formal)
    read = {i for n in order if n in inner for i in n.inputs}.union(ends)
    outside = [n for n in order if n in read and n not in inner and not _is_constant(n)]
    names = {
        n: ops.input(index=i, shape=n.shape, dtype=n.dtype, scope="arg")
        for i, n in enumerate((*formal, *outside))
    }
    return Graph(tuple(names.values()), substitute(ends, names)), outside


def _is_constant(node: Node) -> bool:
    """Whether a value is known to the loop's body by itself."""
    return all(n.op.name != "input" for n in topological([node]))


__all__ = ["scan"]
