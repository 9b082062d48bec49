"""The rule of `scan`: a loop's gradient is a loop that runs the other way.

The forward loop is recorded once more with the values that the gradient reads as additional
outputs; the rewrite `merge_loops` then finds that the first loop is a part of the second.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from chainrule.autodiff.reverse import Rules, derivative, placeholder
from chainrule.ir.graph import Graph, depends_on, substitute, topological
from chainrule.ir.node import Node
from chainrule.ops.core import input, zeros_like
from chainrule.ops.loop import item, items, make_scan, scan_op


@scan_op.vjp
def _(g: dict[int, Node], y: Node, *inputs: Node, **attrs: Any) -> tuple[Node | None, ...]:
    return backwards(g, inputs, **attrs)


def backwards(
    g: dict[int, Node],
    inputs: tuple[Node, ...],
    *,
    body: Graph,
    carries: int,
    sequences: int,
    reverse: bool,
    rules: Rules | None = None,
    active: Sequence[bool] | None = None,
) -> tuple[Node | None, ...]:
    """What a loop passes on to its inputs, given `g` for its results.

    rules, active   other rules than the chain rule's, and which inputs they are asked for
    """
    outs = body.outputs
    moving = [i for i, o in enumerate(outs) if o.dtype.is_differentiable]
    cts = {i: placeholder(outs[i], i) for i in moving}
    asked = body.inputs if active is None else _reached(body, carries, active)
    found = derivative(
        [outs[i] for i in moving], [cts[i] for i in moving], asked, rules=rules
    ).gradients
    by_input = dict(zip(asked, found, strict=True))
    d = [by_input.get(x) for x in body.inputs]
    kinds = _kinds(len(inputs), carries, sequences)

    kept = _kept(d, body, carries)
    forward = make_scan(inputs, Graph(body.inputs, (*outs, *kept)), carries, sequences, reverse)
    stacks = [item(forward, len(outs) + i) for i in range(len(kept))]

    is_float = [x.dtype.is_differentiable for x in inputs]
    state = [i for i in kinds["carry"] if is_float[i]]
    summed = [i for i in kinds["constant"] if is_float[i] and d[i] is not None]
    stepped = [i for i in kinds["sequence"] if is_float[i] and d[i] is not None]
    flowing = [i for i in moving if i >= carries and i in g]

    starts = [g.get(i, zeros_like(inputs[i])) for i in state] + [
        zeros_like(inputs[i]) for i in summed
    ]
    sequences_in = stacks + [inputs[i] for i in kinds["sequence"]] + [g[i] for i in flowing]
    constants = [inputs[i] for i in kinds["constant"]]

    formal: dict[Any, Node] = {}
    order: list[Node] = []

    def arg(key: Any, like: Node, step: bool = False) -> None:
        shape = like.shape[1:] if step else like.shape
        formal[key] = input(index=len(order), shape=shape, dtype=like.dtype, scope="back")
        order.append(formal[key])

    for i, v in zip(state, starts, strict=False):
        arg(("state", i), v)
    for i in summed:
        arg(("sum", i), inputs[i])
    for k, v in zip(kept, stacks, strict=True):
        arg(k, v, step=True)
    for i in kinds["sequence"]:
        arg(body.inputs[i], inputs[i], step=True)
    for i in flowing:
        arg(("ct", i), g[i], step=True)
    for i in kinds["constant"]:
        arg(body.inputs[i], inputs[i])

    mapping = {n: formal[n] for n in (*kept, *body.inputs) if n in formal}
    for i in moving:
        if i < carries:
            mapping[cts[i]] = formal[("state", i)]
        else:
            mapping[cts[i]] = formal[("ct", i)] if i in flowing else zeros_like(outs[i])
    wanted = [_or_zero(d[i], body.inputs[i]) for i in state + summed + stepped]
    results = list(substitute(wanted, mapping))
    ends = results[: len(state)]
    for place, i in enumerate(summed):
        ends.append(formal[("sum", i)] + results[len(state) + place])
    back = make_scan(
        [*starts, *sequences_in, *constants],
        Graph(order, (*ends, *results[len(state) + len(summed) :])),
        len(starts), len(sequences_in), not reverse,
    )  # fmt: skip
    parts = items(back)
    gradient: list[Node | None] = [None] * len(inputs)
    for place, i in enumerate(state + summed + stepped):
        gradient[i] = parts[place]
    return tuple(gradient)


def _reached(body: Graph, carries: int, active: Sequence[bool]) -> list[Node]:
    """The inputs of a step that depend on active inputs of the loop, some after several steps."""
    found = {x for x, on in zip(body.inputs, active, strict=True) if on}
    order = topological(body.outputs)
    while True:
        below = depends_on(order, found)
        more = {x for x, out in zip(body.inputs, body.outputs[:carries], strict=False)
                if out in below} - found  # fmt: skip
        if not more:
            return [x for x in body.inputs if x in found and x.dtype.is_differentiable]
        found |= more


def _kinds(n: int, carries: int, sequences: int) -> dict[str, list[int]]:
    return {
        "carry": list(range(carries)),
        "sequence": list(range(carries, carries + sequences)),
        "constant": list(range(carries + sequences, n)),
    }


def _kept(d: list[Node | None], body: Graph, carries: int) -> list[Node]:
    """Forward values of one step that the gradient reads: all but what the backward loop is given
    anyway.
    """
    from_outside = set(body.inputs[carries:])
    forward = set(topological(body.outputs, below=_all_below))
    found: dict[Node, None] = {}
    for m in topological([x for x in d if x is not None], stop=lambda n: n in forward):
        if m in forward and m.op.name not in ("const", "iota") and m not in from_outside:
            found[m] = None
    return list(found)


def _all_below(node: Node) -> tuple[Node, ...]:
    if node.op.is_primitive:
        return node.inputs
    out = node.op.expand(node)
    return (*node.inputs, *(out if isinstance(out, tuple) else (out,)))


def _or_zero(g: Node | None, x: Node) -> Node:
    return zeros_like(x) if g is None else g
