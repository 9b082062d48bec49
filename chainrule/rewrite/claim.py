"""Which composites the compiled backend claims whole, because they need less memory than what their
formulas need.
"""

from __future__ import annotations

from chainrule.ir.node import Node

#: Scores of one head (queries times keys) from which on they are not put into memory; and the
#: longest queries and values.
SCORES, WIDE = 4096, 512


def claims(node: Node) -> bool:
    """Whether a node is attention, or its gradient, that is worth kernels of its own."""
    if node.op.name not in ("attention", "attention_gradient"):
        return False
    q, k, v = node.inputs[-3:]
    if not q.shape[:-2] == k.shape[:-2] == v.shape[:-2] or not 2 <= q.ndim <= 8:
        return False
    if 0 in (*q.shape, *v.shape) or q.dtype.short not in ("f32", "f64"):
        return False
    return max(q.shape[-1], v.shape[-1]) <= WIDE and q.shape[-2] * k.shape[-2] >= SCORES
