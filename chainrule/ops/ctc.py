"""Connectionist temporal classification: all ways in which a sequence of labels can be spelled."""

from __future__ import annotations

from typing import Any

from chainrule.ir.node import Node
from chainrule.ir.op import Domain
from chainrule.ops.core import const, op
from chainrule.ops.elementwise import exp, log, maximum, stop_gradient, where
from chainrule.ops.loop import scan
from chainrule.ops.movement import broadcast_to, narrow, pad

#: log 0: so low that its exponential is 0, and finite, so that differences are.
NEVER = -1e30


@op(
    tex=r"\operatorname{{CTC}}({0})",
    domain=Domain((-3, 0), (-1, 0), "bool", cases=[((4, 2, 5), (2, 5), (4, 2, 1), {})]),
)
def ctc_paths(emit: Node, skip: Node, running: Node) -> Node:
    """log α of the forward recursion after the last step (Graves et al. 2006, section 4.1)

    α'(s) = (α(s) + α(s − 1) + α(s − 2) e^skip(s)) e^emit(s): emit (T, N, L) log-probabilities of
    the labels with blanks between them, skip (N, L) 0 where the blank before may be left out and
    NEVER elsewhere, running (T, N, 1) the steps at which a sequence still runs → (N, L).
    """
    _, n, length = emit.shape

    def before(a: Node, steps: int) -> Node:
        wide = pad(a, low=(0, steps), high=(0, 0), value=NEVER)
        return narrow(wide, 1, 0, length)

    def step(carry: Any, xs: Any, fixed: Any) -> Any:
        a = carry[0]
        b, c = before(a, 1), before(a, 2) + fixed[0]
        top = stop_gradient(maximum(maximum(a, b), c))
        total = top + log(exp(a - top) + exp(b - top) + exp(c - top))
        new = maximum(total + xs[0], NEVER)
        return (where(xs[1], new, a),), (new,)

    start = broadcast_to(const(0.0, emit.dtype), shape=(n, 1))
    start = pad(start, low=(0, 0), high=(0, length - 1), value=NEVER)
    (last,), _ = scan(step, (start,), (emit, running), (skip,), False)
    return last
