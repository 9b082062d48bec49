"""One more axis: how each op is computed for a batch of samples at once (vmap).

A rule is (node, xs, over, size) → the value of `node` for `size` samples, as a first axis. `xs` are
its inputs; those that differ from sample to sample (`over` says which) have the batch as their
first axis, the others have none. A row below is an op, or several of one kind, and its rule.
Elementwise ops need none: the walk in `chainrule.autodiff.batch` lines their axes up. A composite
without a row and without a gradient of its own is computed by its formula.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from chainrule import dtypes, ops, shapes
from chainrule.ir.node import Node, TensorType
from chainrule.ir.op import Op, registry
from chainrule.ops.core import const, elementwise_type, truth_type

Nodes = Sequence[Node]
Flags = Sequence[bool]
Rule = Callable[[Node, Nodes, Flags, int], Any]


# ------------------------------------------------------------------ lining axes up


def spread(x: Node, is_batched: bool, size: int) -> Node:
    """Every sample has its own: what all share is repeated."""
    return x if is_batched else ops.broadcast_to(x, shape=(size, *x.shape))


def aligned(x: Node, is_batched: bool, rank: int) -> Node:
    """Axes of size 1 behind the batch, so that what broadcasts from the right still does."""
    missing = rank - (x.ndim - 1)
    if not is_batched or missing <= 0:
        return x
    return ops.reshape(x, shape=(x.shape[0], *(1,) * missing, *x.shape[1:]))


def pointwise(node: Node, xs: Nodes, over: Flags, size: int) -> Any:
    """Elementwise: broadcasting does it, once ranks are equal."""
    rank = max(i.ndim for i in node.inputs)
    given = tuple(aligned(x, b, rank) for x, b in zip(xs, over, strict=True))
    return _parts(node.op.make(given, node.attrs))


def _with(node: Node, inputs: Nodes, **changed: Any) -> Node:
    """The same op on other inputs, with some attributes changed."""
    return node.op.make(tuple(inputs), tuple((k, changed.get(k, v)) for k, v in node.attrs))


def _all(xs: Nodes, over: Flags, size: int) -> list[Node]:
    return [spread(x, b, size) for x, b in zip(xs, over, strict=True)]


def leading(node: Node, xs: Nodes, over: Flags, size: int) -> Any:
    """Ops of the last axes: what stands before does not matter, so long as all inputs have it."""
    return _parts(node.op.make(tuple(_all(xs, over, size)), node.attrs))


def _parts(y: Node) -> Any:
    return y if isinstance(y.type, TensorType) else ops.items(y)


def _axis(node: Node, xs: Nodes, over: Flags, size: int) -> Any:
    """Ops along one axis, named by a number."""
    (x,), rank = xs, node.inputs[0].ndim
    if rank == 0:  # one number is a row of one
        y = _parts(_with(node, [ops.reshape(x, shape=(size, 1))], axis=1))
        flat = [ops.reshape(p, shape=(size,)) for p in (y if isinstance(y, tuple) else (y,))]
        return tuple(flat) if isinstance(y, tuple) else flat[0]
    return _parts(_with(node, xs, axis=shapes.axis(node.attr("axis"), rank) + 1))


def _ordered_axes(node: Node, xs: Nodes, over: Flags, size: int) -> Node:
    """Ops over several axes, one after another."""
    return _with(node, xs, axis=tuple(a + 1 for a in node.attr("axis")))


def _axes(node: Node, xs: Nodes, over: Flags, size: int) -> Node:
    """Ops over several axes; none named: all of a sample."""
    axes = shapes.axes(node.attr("axis"), node.inputs[0].ndim)
    return _with(node, xs, axis=tuple(a + 1 for a in axes))


# ------------------------------------------------------------------ moving elements


def _reshape(node: Node, xs: Nodes, over: Flags, size: int) -> Node:
    return _with(node, xs, shape=(size, *node.shape))


def _strided(node: Node, xs: Nodes, over: Flags, size: int) -> Node:
    n = shapes.size(node.inputs[0].shape)
    return _with(node, xs, size=(size, *node.shape), stride=(n, *node.attr("stride")))


def _permute(node: Node, xs: Nodes, over: Flags, size: int) -> Node:
    return _with(node, xs, order=(0, *(a + 1 for a in node.attr("order"))))


def _broadcast(node: Node, xs: Nodes, over: Flags, size: int) -> Node:
    return _with(node, [aligned(xs[0], True, node.ndim)], shape=(size, *node.shape))


def _slice(node: Node, xs: Nodes, over: Flags, size: int) -> Node:
    at = {k: (first, *node.attr(k)) for k, first in (("start", 0), ("stop", size), ("step", 1))}
    return _with(node, _all(xs, over, size), **at)


def _cat(node: Node, xs: Nodes, over: Flags, size: int) -> Node:
    return _with(node, _all(xs, over, size), axis=node.attr("axis") + 1)


def _alike(node: Node, xs: Nodes, over: Flags, size: int) -> Node:
    return _with(node, _all(xs, over, size))


def _pad(node: Node, xs: Nodes, over: Flags, size: int) -> Node:
    return _with(node, xs, low=(0, *node.attr("low")), high=(0, *node.attr("high")))


def _to_front(x: Node, axis: int, count: int = 1) -> Node:
    rest = [a for a in range(x.ndim) if not axis <= a < axis + count]
    return ops.permute(x, order=(*range(axis, axis + count), *rest))


def _from_front(x: Node, axis: int, count: int = 1) -> Node:
    """`count` first axes go behind the next `axis`."""
    return ops.permute(
        x, order=(*range(count, count + axis), *range(count), *range(count + axis, x.ndim))
    )


# ------------------------------------------------------------------ computed places


def _own_rows(i: Node, n: int, size: int) -> Node:
    """Indices (size, …) into `size` tables of n rows that stand one behind the other. An index that
    is out of range stays so.
    """
    at = ops.where(ops.lt(i, 0), i + n, i)
    outside = ops.lt(at, 0) | ops.ge(at, n)
    first = ops.reshape(
        ops.iota(length=size, dtype=dtypes.int64) * n, shape=(size, *(1,) * (i.ndim - 1))
    )
    return ops.where(outside, const(size * n, dtypes.int64), at + first)


def _take(node: Node, xs: Nodes, over: Flags, size: int) -> Node:
    (x, i), axis = xs, node.attr("axis")
    if not over[1]:
        return _with(node, xs, axis=axis + 1)
    if not over[0]:
        return _to_front(_with(node, xs), axis)
    n, own = x.shape[axis + 1], i.ndim - 1
    rows = ops.permute(x, order=(0, axis + 1, *(a for a in range(1, x.ndim) if a != axis + 1)))
    rows = ops.reshape(rows, shape=(size * n, *rows.shape[2:]))
    y = ops.take(rows, _own_rows(i, n, size), axis=0)  # (B, *i, *before, *behind)
    order = (0, *range(1 + own, 1 + own + axis), *range(1, 1 + own), *range(1 + own + axis, y.ndim))
    return ops.permute(y, order=order)


def _put(node: Node, xs: Nodes, over: Flags, size: int) -> Node:
    (x, i, v), axis = xs, node.attr("axis")
    x, v = spread(x, over[0], size), spread(v, over[2], size)
    if not over[1]:
        return _with(node, (x, i, v), axis=axis + 1)
    n, own = x.shape[axis + 1], i.ndim - 1
    order = (0, axis + 1, *(a for a in range(1, x.ndim) if a != axis + 1))
    tables = ops.permute(x, order=order)  # (B, n, *before, *behind)
    rows = ops.reshape(tables, shape=(size * n, *tables.shape[2:]))
    front = (0, *range(1 + axis, 1 + axis + own))
    values = ops.permute(v, order=(*front, *(a for a in range(v.ndim) if a not in front)))
    y = ops.put(rows, _own_rows(i, n, size), values, axis=0, mode=node.attr("mode"))
    y = ops.reshape(y, shape=tables.shape)
    return ops.permute(y, order=(0, *range(2, 2 + axis), 1, *range(2 + axis, y.ndim)))


def _along(node: Node, xs: Nodes, over: Flags, size: int) -> Node:
    full = _all(xs, over, size)
    if node.inputs[0].ndim == 0:
        y = _with(node, [ops.reshape(x, shape=(size, 1)) for x in full], axis=1)
        return ops.reshape(y, shape=(size,))
    return _with(node, full, axis=node.attr("axis") + 1)


# ------------------------------------------------------------------ products


def _contract(node: Node, xs: Nodes, over: Flags, size: int) -> Node:
    left, out = node.attr("spec").split("->")
    a, b = left.split(",")
    letter = next(c for c in "ZYXWVUTSRQPONMLKJIHGFEDCBA" if c not in left)
    terms = ",".join(letter * flag + term for flag, term in zip(over, (a, b), strict=True))
    return _with(node, xs, spec=f"{terms}->{letter}{out}")


def _conv(node: Node, xs: Nodes, over: Flags, size: int) -> Node:
    """Images of all samples are one batch of images, where they share the kernel."""
    if over[1]:
        return NotImplemented
    x, n = xs[0], node.inputs[0].shape[0]
    y = _with(node, (ops.reshape(x, shape=(size * n, *x.shape[2:])), xs[1]))
    return ops.reshape(y, shape=(size, *node.shape))


def _attention(node: Node, xs: Nodes, over: Flags, size: int) -> Node:
    """Heads and samples are all the same to it."""
    rank = max(i.ndim for i in node.inputs)
    return _with(node, [aligned(x, b, rank) for x, b in zip(xs, over, strict=True)])


def _types(node: Node) -> tuple[TensorType, ...]:
    return (node.type,) if isinstance(node.type, TensorType) else node.type


#: Of every input, how many last axes are one matrix, vector or number.
_CORES = {
    "solve": (2, 2), "solve_triangular": (2, 2), "cholesky_solve": (2, 2), "ldl_solve": (2, 1, 2),
    "pinv": (2, 0),
}  # fmt: skip


def _matrices(node: Node, xs: Nodes, over: Flags, size: int) -> Any:
    """Systems of matrices, whose other axes broadcast."""
    cores = _CORES[node.op.name]
    lead = max(i.ndim - c for i, c in zip(node.inputs, cores, strict=True))
    every = _all(xs, over, size)
    given = [aligned(x, True, lead + c) for x, c in zip(every, cores, strict=True)]
    made = _parts(node.op.make(tuple(given), node.attrs))
    if not isinstance(made, tuple):
        return made
    return tuple(  # what has the axes of the first input alone has no axes that the second added
        ops.reshape(p, shape=(size, *t.shape)) for p, t in zip(made, _types(node), strict=True)
    )


# ------------------------------------------------------------------ chance


def _lane(node: Node, xs: Nodes, over: Flags, size: int) -> Node:
    """The generator behind it: `_uniform` reads where its numbers begin."""
    return node.inputs[0]


def _uniform(node: Node, xs: Nodes, over: Flags, size: int) -> Node:
    base = node.inputs[0].attr("base")
    offset = base + node.attr("offset") * size
    return _with(node, xs, offset=offset, shape=(size, *node.shape))


def _after(node: Node, xs: Nodes, over: Flags, size: int) -> Node:
    """One number is enough to wait for."""
    late = ops.index_axis(xs[1], 0, 0) if over[1] and size else node.inputs[1]
    return _with(node, (spread(xs[0], over[0], size), late))


def _boundary(node: Node, xs: Nodes, over: Flags, size: int) -> tuple[Node, ...]:
    """The results as they are: the gradient by hand was taken for every sample before."""
    return tuple(_all(xs, over, size)[: node.attr("outputs")])


# ------------------------------------------------------------------ the table

_ROWS: dict[Rule, tuple[str, ...]] = {
    pointwise:  ("cast", "stop_gradient", "copy", "polygamma", "argument", "frexp", "squared_error",
                 "absolute_error", "huber", "smooth_l1", "kl_pointwise", "binary_cross_entropy",
                 "binary_cross_entropy_logits"),
    _axis:      ("argmax", "argmin", "cumsum", "cumprod", "argsort", "running_argmax", "sort",
                 "softmax", "log_softmax"),
    _axes:      ("sum", "prod", "amax", "amin", "any_", "all_", "mean", "var", "logsumexp", "norm2",
                 "standardize", "rms_standardize"),
    _ordered_axes: ("fourier", "fourier_to_complex", "fourier_to_real"),
    leading:    ("diagonal", "diagonal_update", "windows", "unwindows", "max_pool", "sum_pool",
                 "attention_rows", "attention_gradient", "passing_to",
                 "view_as_real", "view_as_complex", "cholesky", "lu", "permutation", "qr", "svd",
                 "svdvals", "eigh", "eigvalsh", "eig", "ldl", "inv", "det", "cofactor", "slogdet",
                 "matrix_exp", "geqrf"),
    _matrices:  tuple(_CORES),
    _reshape:   ("reshape",),
    _strided:   ("strided",),
    _permute:   ("permute",),
    _broadcast: ("broadcast_to",),
    _slice:     ("slice", "slice_update"),
    _cat:       ("cat",),
    _alike:     ("interleave",),
    _pad:       ("pad",),
    _take:      ("take",),
    _put:       ("put",),
    _along:     ("take_along", "scatter"),
    _contract:  ("contract",),
    _conv:      ("conv", "conv_transpose"),
    _attention: ("attention", "attention_biased"),
    _lane:      ("lane",),
    _uniform:   ("random_uniform",),
    _after:     ("after",),
    _boundary:  ("boundary",),
}  # fmt: skip

for _rule, _names in _ROWS.items():
    for _name in _names:
        registry[_name].batch = _rule


def rule_of(op: Op) -> Rule | None:
    """How an op is computed for a batch; None: by its formula, or sample by sample."""
    if op.batch is not None:
        return op.batch
    return pointwise if op.elementwise or op.infer in (elementwise_type, truth_type) else None
