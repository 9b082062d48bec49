"""Parts that take turns along the last axes, written where they go.

Read by demand, an element of the whole would ask which part it is of: a quotient, a remainder and a
load under a mask for each part. Here the loops run over the places of a part instead, and the
stores are apart:

    interleave(p, q) {counts=(2,)}   for row: for x:
                                         y[row, 2x] = p[row, x]; y[row, 2x + 1] = q[row, x]
"""

from __future__ import annotations

import itertools
import math

from chainrule.ir.graph import Graph
from chainrule.schedule import scalars
from chainrule.schedule.build import Builder
from chainrule.schedule.evaluate import Evaluator
from chainrule.schedule.index import Index, emit, linear, unravel
from chainrule.schedule.lowered import Lowered, Place, Step
from chainrule.schedule.nests import reader


def lower_interleave(graph: Graph) -> Lowered:
    """A kernel whose one output is an `interleave`."""
    node = graph.outputs[0]
    counts, shape = node.attr("counts"), node.inputs[0].shape
    b = Builder()
    read = Evaluator(b, {})
    places = []
    for number, x in enumerate(graph.inputs):
        buffer = b.buffer(f"x{number}", scalars.KIND[x.dtype.short], math.prod(x.shape), "in")
        read.sources[x] = reader(b, buffer, x.shape)
        places.append(Place("input", number))
    kind = scalars.KIND[node.dtype.short]
    out = b.buffer("y", kind, math.prod(node.shape), "out")
    places.append(Place("output", 0))
    lead, rows, length = len(shape) - len(counts), math.prod(shape[:-1]), shape[-1]
    with b.kernel("interleave", rows, 2.0 * length * len(node.inputs)) as i:
        row = unravel(Index.of(i), shape[:-1])
        with b.loop(0, length) as k:
            at = (*row, Index.of(k))
            starts = itertools.product(*map(range, counts))
            for start, part in zip(starts, node.inputs, strict=True):
                spread = (j * s + a for j, s, a in zip(at[lead:], counts, start, strict=True))
                to = linear((*at[:lead], *spread), node.shape)
                b.store(out, emit(b, to), b.cast(read.at(part, at), kind))
    kernel = b.finish()
    return Lowered((Step(kernel, tuple(places), kernel.extent),))
