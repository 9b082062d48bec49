"""Which composites the compiled backend claims whole, because they need less memory than what their
formulas need.
"""

from __future__ import annotations

from chainrule.ir.node import Node
from chainrule.shapes import size

#: Scores of one head (queries times keys) from which on a causal attention is faster whole: half of
#: them are not computed then.
CAUSAL = 128 * 128
#: Bytes of the scores of all heads from which on they are not put into memory in any case. Below,
#: the formula is faster when it comes to the gradient: it does not compute scores again.
SCORES = 32 << 20
#: The longest queries and values.
WIDE = 512


def claims(node: Node) -> bool:
    """Whether a node is attention, or its gradient, that is worth kernels of its own."""
    if node.op.name not in ("attention", "attention_gradient"):
        return False
    q, k, v = node.inputs[-3:]
    if not q.shape[:-2] == k.shape[:-2] == v.shape[:-2] or not 2 <= q.ndim <= 8:
        return False
    if 0 in (*q.shape, *v.shape) or q.dtype.short not in ("f32", "f64"):
        return False
    if max(q.shape[-1], v.shape[-1]) > WIDE:
        return False
    scores = q.shape[-2] * k.shape[-2]
    if node.attr("causal") and scores >= CAUSAL:
        return True
    return size(q.shape[:-2]) * scores * q.dtype.itemsize >= SCORES
