"""The table of contents: every stage from a recorded graph to something that runs, and what holds
after it.

stage          what it does                                     what holds afterwards
─────          ────────────                                     ─────────────────────
(recorded)     ops as the user wrote them, gradients derived    typed, acyclic
decompose      composites become their formulas                 primitives only
merge_loops    loops that others contain are dropped            as before
fold           arithmetic on constants is done                  as before
simplify       identities and double moves go                   no stop_gradient, copy, boundary
build          a list of NumPy calls with places                runs
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

from chainrule.backends import reference
from chainrule.ir.node import Node
from chainrule.ir.text import print_graph
from chainrule.ir.verify import verify
from chainrule.rewrite import decompose, fold, merge_loops, simplify

Pass = Callable[[Sequence[Node]], list[Node]]


class Stage(NamedTuple):
    """A pass, in a sentence, and whether only primitives are left after it."""

    run: Pass
    says: str
    primitive: bool


STAGES: tuple[Stage, ...] = (
    Stage(decompose, "composites become their formulas", True),
    Stage(merge_loops, "loops that others contain are dropped", True),
    Stage(fold, "arithmetic on constants is done", True),
    Stage(simplify, "identities and double moves go", True),
)

#: Check the graph after every stage (tests turn it on; it costs as much as compiling).
verify_stages = False

#: How many programs were built (a test counts them).
built = 0


def compile(outputs: Sequence[Node]) -> reference.Executable:
    """Run every stage."""
    global built
    built += 1
    nodes = list(outputs)
    for stage in STAGES:
        nodes = stage.run(nodes)
        if verify_stages:
            verify(nodes, primitive=stage.primitive)
    return reference.build(nodes)


def stages(outputs: Sequence[Node]) -> str:
    """Every stage as text, with its time: for reading, and for `chainrule.explain`."""
    nodes = list(outputs)
    parts = [f"── recorded\n{print_graph(nodes)}"]
    for stage in STAGES:
        start = time.perf_counter()
        nodes = stage.run(nodes)
        spent = (time.perf_counter() - start) * 1e3
        parts.append(
            f"── {stage.run.__name__}: {stage.says} ({spent:.2f} ms)\n{print_graph(nodes)}"
        )
    return "\n\n".join(parts)
