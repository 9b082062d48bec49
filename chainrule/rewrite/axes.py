"""Which axes of a value are axes of what it is computed from.

An axis is *carried* if the value at index i of it needs only index i of that axis of the input.
Fusion is about this: two values belong into one kernel if the rows of one are rows of the other.

    sum(%0) {axis=(2,), keepdim=False}, %0: f32[12, 64, 128]   →   0 ← 0, 1 ← 1
    permute(%0) {order=(1, 0)}                                 →   0 ← 1, 1 ← 0
    reshape(%0: f32[12, 64, 128]) : f32[12, 64, 4, 32]         →   0 ← 0, 1 ← 1
"""

from __future__ import annotations

from collections.abc import Callable

from chainrule.ir.node import Node
from chainrule.shapes import size

#: Axis of a value → axis of its input.
Carried = dict[int, int]

#: Reductions: a loop for every element, unless what they reduce is small.
REDUCTIONS = frozenset(
    {"sum", "prod", "amax", "amin", "any_", "all_", "argmax", "argmin", "unwindows"}
)

#: What only moves elements, and can be read through.
VIEWS = frozenset(
    {
        "reshape", "permute", "broadcast_to", "slice", "pad", "windows", "diagonal", "cat",
        "slice_update", "diagonal_update", "iota", "take", "take_along",
    }
)  # fmt: skip

_POINT = frozenset({"cast", "stop_gradient", "copy", "passing_to", "after"})


def is_one_hot(node: Node) -> bool:
    """Whether this is a scatter of one element into each line: an elementwise choice."""
    if node.op.name != "scatter":
        return False
    base, i, _ = node.inputs
    axis = node.attr("axis")
    return (
        bool(i.shape)
        and i.shape[axis] == 1
        and all(
            a == axis or m == n for a, (m, n) in enumerate(zip(i.shape, base.shape, strict=True))
        )
    )


def is_point(node: Node) -> bool:
    """Whether a value at an index is computed from its inputs at that index."""
    return node.op.elementwise or node.op.name in _POINT


def carried(node: Node, position: int) -> Carried:
    """The axes of `node` that input number `position` has as well."""
    x = node.inputs[position]
    if is_point(node):
        return _aligned(node, x)
    rule = _RULES.get(node.op.name)
    return {} if rule is None else rule(node, x, position)


def compose(outer: Carried, inner: Carried) -> Carried:
    """`outer` from a value to a view, `inner` from the view to what it shows."""
    return {a: inner[b] for a, b in outer.items() if b in inner}


def _aligned(node: Node, x: Node) -> Carried:
    """Axes counted from the right; those that are stretched are not carried."""
    shift = len(node.shape) - len(x.shape)
    return {
        a: a - shift for a in range(max(shift, 0), len(node.shape))
        if node.shape[a] == x.shape[a - shift]
    }  # fmt: skip


def _reduced(node: Node, x: Node, _: int) -> Carried:
    axis = node.attr("axis")
    gone = axis if isinstance(axis, tuple) else (axis,)
    kept = [a for a in range(len(x.shape)) if a not in gone]
    if len(node.shape) == len(x.shape):
        return {a: a for a in kept}
    return dict(enumerate(kept))


def _reshaped(node: Node, x: Node, _: int) -> Carried:
    """Axes of one size behind which there lies equally much."""
    there = {
        (n, rest): a for a, (n, rest) in enumerate(zip(x.shape, _behind(x), strict=True)) if n > 1
    }
    pairs = enumerate(zip(node.shape, _behind(node), strict=True))
    return {a: there[n, rest] for a, (n, rest) in pairs if (n, rest) in there}


def _behind(x: Node) -> list[int]:
    out, rest = [], 1
    for n in reversed(x.shape):
        out.append(rest)
        rest *= n
    return out[::-1]


def _sliced(node: Node, x: Node, _: int) -> Carried:
    start, step = node.attr("start"), node.attr("step")
    return {
        a: a for a, n in enumerate(x.shape) if start[a] == 0 and step[a] == 1 and node.shape[a] == n
    }


def _updated(node: Node, x: Node, position: int) -> Carried:
    if position == 0:
        return {a: a for a in range(len(node.shape))}
    return _sliced(node, x, position) if node.op.name == "slice_update" else _leading(node, x, 1)


def _leading(node: Node, x: Node, last: int) -> Carried:
    return {a: a for a in range(len(x.shape) - last)}


def _taken(node: Node, x: Node, position: int) -> Carried:
    axis, indices = node.attr("axis"), len(node.inputs[1].shape)
    if position == 1:
        return {axis + a: a for a in range(indices)}
    shift = indices - 1
    return {a if a < axis else a + shift: a for a in range(len(x.shape)) if a != axis}


def _scattered(node: Node, x: Node, position: int) -> Carried:
    if not is_one_hot(node):
        return {}
    return {a: a for a in range(len(x.shape)) if position == 0 or a != node.attr("axis")}


def _taken_along(node: Node, x: Node, position: int) -> Carried:
    if position == 1:
        return {a: a for a in range(len(x.shape))}
    axis = node.attr("axis")
    return {a: a for a, n in enumerate(x.shape) if a != axis and n == node.shape[a]}


_RULES: dict[str, Callable[[Node, Node, int], Carried]] = {
    **dict.fromkeys(("sum", "prod", "amax", "amin", "any_", "all_", "argmax", "argmin"), _reduced),
    "unwindows": lambda n, x, _: _leading(n, x, 2 * len(n.attr("shape"))),
    "reshape": _reshaped,
    "permute": lambda n, x, _: dict(enumerate(n.attr("order"))),
    "broadcast_to": lambda n, x, _: _aligned(n, x),
    "slice": _sliced,
    "pad": lambda n, x, _: {a: a for a, m in enumerate(x.shape) if m == n.shape[a]},
    "windows": lambda n, x, _: _leading(n, x, len(n.attr("size"))),
    "diagonal": lambda n, x, _: _leading(n, x, 2),
    "cat": lambda n, x, _: {a: a for a in range(len(x.shape)) if a != n.attr("axis")},
    "slice_update": _updated,
    "diagonal_update": _updated,
    "take": _taken,
    "take_along": _taken_along,
    "scatter": _scattered,
}


def reduced_axes(node: Node) -> tuple[int, ...] | None:
    """The axes that a reduction runs over; None for what is no reduction."""
    if node.op.name in ("sum", "prod", "amax", "amin", "any_", "all_"):
        axes: tuple[int, ...] = node.attr("axis")
        return axes
    return (node.attr("axis"),) if node.op.name in ("argmax", "argmin") else None


def taps(node: Node) -> int:
    """How many elements a reduction combines into one."""
    x = node.inputs[0]
    if node.op.name == "unwindows":
        k = len(node.attr("shape"))
        out = 1
        for width, stride in zip(x.shape[-k:], node.attr("stride"), strict=True):
            out *= -(-width // max(stride, 1))
        return out
    return size([x.shape[a] for a in reduced_axes(node) or ()])
