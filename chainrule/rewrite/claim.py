"""Which composites the compiled backend claims whole, because they need less memory than what their
formulas need.
"""

from __future__ import annotations

from collections.abc import Sequence

from chainrule.ir.graph import topological
from chainrule.ir.node import Node
from chainrule.ops.attention import attention_rows
from chainrule.ops.loop import item
from chainrule.shapes import size

#: Scores of one head (queries times keys) from which on a causal attention is faster whole: half of
#: them are not computed then.
CAUSAL = 64 * 64
#: Bytes of the scores of all heads from which on they are not put into memory in any case. Below,
#: the formula is faster when it comes to the gradient: it does not compute scores again.
SCORES = 8 << 20
#: The longest queries and values.
WIDE = 512


def claims(node: Node) -> bool:
    """Whether a node is attention, or its gradient, that is worth kernels of its own."""
    if node.op.name not in ("attention", "attention_gradient"):
        return False
    q, k, v = node.inputs[:3] if node.op.name == "attention" else node.inputs[2:5]
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


def share_rows(outputs: Sequence[Node]) -> list[Node]:
    """Attention gives its gradient the logarithms of sums of rows, where both are in one graph.

    needs   any graph
    leaves  the same values
    """
    order = topological(outputs)
    shared = {
        n.inputs[1] for n in order if n.op.name == "attention_gradient" and _is_of(n, n.inputs[1])
    }
    if not shared:
        return list(outputs)
    new: dict[Node, Node] = {}
    for n in order:
        inputs = tuple(new[i] for i in n.inputs)
        if n in shared:
            new[n] = item(attention_rows.make(inputs, n.attrs), 0)
        elif n.op.name == "attention_gradient" and n.inputs[1] in shared and _is_of(n, n.inputs[1]):
            new[n] = n.op.make((*inputs, item(inputs[1].inputs[0], 1)), n.attrs)
        else:
            new[n] = n if inputs == n.inputs else n.op.make(inputs, n.attrs)
    return [new[o] for o in outputs]


def _is_of(gradient: Node, y: Node) -> bool:
    """Whether y is the attention that this is the gradient of."""
    return (
        y.op.name == "attention"
        and gradient.inputs[2:] == y.inputs
        and dict(gradient.attrs) == dict(y.attrs)
    )
