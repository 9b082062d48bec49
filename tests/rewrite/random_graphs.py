"""Graphs that nobody wrote, and values for their inputs."""

import numpy as np
from hypothesis import strategies as st

from chainrule import dtypes, ops
from chainrule.ir.node import Node
from chainrule.rewrite import decompose, fold, merge_loops, reduce_once, simplify

UNARY = [
    ops.neg, ops.exp, ops.tanh, ops.sigmoid, ops.relu, ops.sin, ops.square, ops.softplus,
    ops.stop_gradient, ops.copy, ops.abs,
    lambda x: x * 1, lambda x: x + 0, lambda x: x ** 2, lambda x: x * 2.5,
    lambda x: ops.neg(ops.neg(x)),
]  # fmt: skip
BINARY = [
    ops.add,
    ops.mul,
    ops.sub,
    ops.maximum,
    lambda a, b: ops.where(a > b, a, b),
    lambda a, b: a / (b * b + 1),
]


def moved(x: Node, draw: st.DrawFn) -> Node:
    """A view or reduction of x."""
    kind = draw(
        st.sampled_from(
            ["reshape", "permute", "slice", "sum", "mean", "broadcast", "softmax", "pad", "flip"]
        )
    )
    if kind == "reshape":
        return ops.reshape(x, shape=(int(np.prod(x.shape)),))
    if kind == "permute":
        return ops.permute(x, order=tuple(draw(st.permutations(range(x.ndim)))))
    if kind == "broadcast":
        return ops.broadcast_to(x, shape=(2, *x.shape)) if x.ndim < 4 else x
    if not x.ndim:
        return x
    axis = draw(st.integers(0, x.ndim - 1))
    if kind == "slice":
        return ops.narrow(x, axis, 0, max(1, x.shape[axis] - 1))
    if kind == "softmax":
        return ops.softmax(x, axis=axis)
    if kind == "pad":
        zero = (0,) * x.ndim
        return ops.pad(x, low=zero, high=(1,) * x.ndim, value=0.5)
    if kind == "flip":
        return ops.flip(x, (axis,))
    return (ops.sum if kind == "sum" else ops.mean)(x, axis=axis, keepdim=draw(st.booleans()))


@st.composite
def graphs(draw: st.DrawFn) -> tuple[list[Node], list[Node]]:
    """(inputs, outputs) of a graph of a dozen ops or less."""
    dtype = draw(st.sampled_from([dtypes.float32, dtypes.float64]))
    inputs = [
        ops.input(index=i, shape=s, dtype=dtype) for i, s in enumerate([(2, 3), (3,), (2, 1), ()])
    ]
    pool: list[Node] = list(inputs)
    for _ in range(draw(st.integers(1, 12))):
        a = draw(st.sampled_from(pool))
        kind = draw(st.sampled_from(["unary", "binary", "move"]))
        if kind == "unary":
            pool.append(draw(st.sampled_from(UNARY))(a))
        elif kind == "move":
            pool.append(moved(a, draw))
        else:
            fits = [
                b
                for b in pool
                if all(
                    n == m or 1 in (n, m)
                    for n, m in zip(a.shape[::-1], b.shape[::-1], strict=False)
                )
            ]
            pool.append(draw(st.sampled_from(BINARY))(a, draw(st.sampled_from(fits))))
    return inputs, pool[-2:]


def values(inputs: list[Node], seed: int) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [np.asarray(rng.uniform(-1, 1, n.shape), n.dtype.np) for n in inputs]


def prepared(outputs: list[Node]) -> list[Node]:
    """Primitives, simplified."""
    nodes = list(outputs)
    for stage in (decompose, merge_loops, fold, simplify, reduce_once):
        nodes = stage(nodes)
    return nodes
