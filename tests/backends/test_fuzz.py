"""Graphs that nobody wrote, and their gradients: compiled as by the reference. `scripts/fuzz.py`
runs as many as it is given time for.
"""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from random_graphs import graphs, values

from chainrule import ops
from chainrule.autodiff import gradients
from chainrule.backends import reference
from chainrule.backends.llvm.execute import build
from chainrule.compiler import NATIVE, primitives
from chainrule.ir.node import Node


def compare(inputs: list[Node], outputs: list[Node], seed: int) -> None:
    """Both backends agree, but for rounding."""
    nodes = primitives(outputs)
    for stage in NATIVE:
        nodes = stage.run(nodes)
    arrays = values(inputs, seed)
    with np.errstate(all="ignore"):
        want = reference.build(nodes)(arrays)
    got = build(nodes)(arrays)
    room = 2e-4 if any(n.dtype.itemsize == 4 for n in nodes) else 1e-11
    for a, b in zip(got, want, strict=True):
        scale = np.abs(b[np.isfinite(b)]).max(initial=1.0)
        np.testing.assert_allclose(a, b, rtol=room, atol=room * scale)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(graphs(), st.integers(0, 9), st.booleans())
def test_random_graphs(graph: tuple[list[Node], list[Node]], seed: int, derived: bool) -> None:
    inputs, outputs = graph
    if derived:
        outputs = [outputs[-1], *gradients(ops.sum(outputs[-1]), inputs)]
    compare(inputs, outputs, seed)
