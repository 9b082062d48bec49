"""How an operand of a contraction lies in memory.

    contract(windows(pad(x)), w){spec='ncxyuv,ocuv->noxy'}

reads element [n, c, x + u, y + v] of `pad(x)`: a sum of letters times strides. An operand that is
such a sum over an input of the fused graph is read from there; otherwise the deepest node that it
is such a sum of (here `pad(x)`) is computed into a temporary first. The temporary of a convolution
is the padded image, never the windows.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from chainrule.ir.node import Node
from chainrule.schedule.access import probe
from chainrule.schedule.index import Index, linear
from chainrule.schedule.loops import Value
from chainrule.schedule.moves import MOVES, Indices, origins


class Operand(NamedTuple):
    """Element at letters l is element offset + Σ strides[l] · l of `source`."""

    source: Node
    offset: int
    strides: dict[str, int]


def read(node: Node, letters: str, stop: Collection[Node]) -> Operand:
    """`node`, whose axes are called by `letters`, as a sum over an input or what must be computed.

    `stop` are nodes that are in memory.
    """
    probes = {c: probe(n) for c, n in zip(letters, node.shape, strict=True)}
    index: Indices = tuple(Index.of(probes[c]) for c in letters)
    best = _sum(node, index, probes)
    assert best is not None
    while node not in stop and node.op.name in MOVES:
        places = origins(node, index)
        if len(places) != 1 or places[0].source is None:
            break
        node, index = node.inputs[places[0].source], places[0].at
        best = _sum(node, index, probes) or best
    return best


def _sum(node: Node, index: Indices, probes: dict[str, Value]) -> Operand | None:
    whole = linear(index, node.shape)
    strides = {c: whole.coefficient(p) for c, p in probes.items()}
    known = {c: s for c, s in strides.items() if s is not None}
    return Operand(node, whole.const, known) if len(known) == len(strides) else None
