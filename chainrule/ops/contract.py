"""Products: one primitive, `contract`, and what is spelled with it and with `windows`.

A matrix product and a convolution are one thing, a contraction; a convolution reads one operand
through windows. Its gradients need no rules of their own: they follow from those of `contract`,
`windows` and `pad`.
"""

from __future__ import annotations

import functools
import math
import string
from typing import Any, NamedTuple

import numpy as np

from chainrule.errors import ShapeError
from chainrule.ir.cost import contraction
from chainrule.ir.node import Node, TensorType
from chainrule.ir.op import Domain
from chainrule.ops.core import op, primitive, promote
from chainrule.ops.movement import broadcast_to, pad, reshape, slice, unwindows, windows
from chainrule.ops.relevance import How, damped, signed
from chainrule.shapes import Shape, broadcast


class _Plan(NamedTuple):
    """Axes of both operands by what becomes of them."""

    batch: tuple[tuple[int, ...], tuple[int, ...]]  # in both operands and in the result
    inner: tuple[tuple[int, ...], tuple[int, ...]]  # in both operands, summed
    rows: tuple[int, ...]  # of the left operand alone
    columns: tuple[int, ...]  # of the right operand alone
    out: tuple[int, ...]  # (batch, rows, columns) → the order of the result


@functools.lru_cache(maxsize=4096)
def _plan(spec: str) -> _Plan:
    left, out = spec.split("->")
    a, b = left.split(",")
    batch = [c for c in a if c in b and c in out]
    inner = [c for c in a if c in b and c not in out]
    rows = [c for c in a if c not in b]
    columns = [c for c in b if c not in a]
    if any(c not in out for c in rows + columns) or len({*a}) != len(a) or len({*b}) != len(b):
        raise ShapeError(
            f"contract takes letters that are kept or shared, each once per operand: {spec!r}"
        )
    made = batch + rows + columns
    return _Plan(
        (tuple(map(a.index, batch)), tuple(map(b.index, batch))),
        (tuple(map(a.index, inner)), tuple(map(b.index, inner))),
        tuple(map(a.index, rows)),
        tuple(map(b.index, columns)),
        tuple(map(made.index, out)),
    )


def _contract_type(a: Node, b: Node, *, spec: str) -> TensorType:
    left, out = spec.split("->")
    la, lb = left.split(",")
    sizes: dict[str, int] = {}
    for letters, x in ((la, a), (lb, b)):
        if len(letters) != len(x.shape):
            raise ShapeError(f"{spec!r} expects {len(letters)} axes, got shape {x.shape}")
        for c, n in zip(letters, x.shape, strict=True):
            if sizes.setdefault(c, n) != n:
                raise ShapeError(
                    f"{spec!r}: axis {c!r} has sizes {sizes[c]} and {n} in {a.shape} and {b.shape}"
                )
    return TensorType(tuple(sizes[c] for c in out), a.dtype)


@primitive(
    _contract_type, prepare=promote, flops=contraction, tex="{0} {1}",
    domain=Domain((-3, 3), (-3, 3), dtypes="float complex", cases=[
        ((3, 4), (4, 2), {"spec": "ik,kj->ij"}), ((2, 3, 4), (2, 5, 4), {"spec": "bik,bjk->bij"}),
        ((4,), (4,), {"spec": "k,k->"}), ((2, 3), (4,), {"spec": "ij,k->jki"}),
    ]),
)  # fmt: skip
def contract(a: np.ndarray, b: np.ndarray, *, spec: str) -> np.ndarray:
    """Σ over the shared letters that the result does not keep, as `numpy.einsum` does."""
    p = _plan(spec)
    nb, nr = len(p.batch[0]), len(p.rows)
    bt = b.transpose(p.batch[1] + p.inner[1] + p.columns)
    columns = bt.shape[bt.ndim - len(p.columns) :]
    outside = _rows_outside(a, p)
    at = a.transpose(p.batch[0] + p.rows[:outside] + p.inner[0] + p.rows[outside:])
    batch, first, last = (
        at.shape[:nb],
        at.shape[nb : nb + outside],
        at.shape[at.ndim - nr + outside :],
    )
    inner, n = math.prod(bt.shape[nb : bt.ndim - len(columns)]), math.prod(columns)
    if outside < nr:  # (batch, first, n, inner) · (batch, first, inner, last)
        m = math.prod(first)
        bt = bt.reshape((*batch, 1, inner, n)).swapaxes(-1, -2)
        made = np.matmul(bt, at.reshape((*batch, m, inner, math.prod(last))))
        k = nb + outside
        made = made.reshape((*batch, *first, *columns, *last))
        made = np.moveaxis(
            made, range(k, k + len(columns)), range(made.ndim - len(columns), made.ndim)
        )
        return made.transpose(p.out)
    m = math.prod(first)
    if nb:
        made = np.matmul(at.reshape((*batch, m, inner)), bt.reshape((*batch, inner, n)))
    else:
        made = at.reshape(m, inner) @ bt.reshape(inner, n)
    return made.reshape((*batch, *first, *columns)).transpose(p.out)


def _rows_outside(a: np.ndarray, p: _Plan) -> int:
    """How many rows go before the summed axes of the left operand, to read it as it lies in memory

    All of them: an ordinary product. Fewer, where neighbours in memory are rows, as in windows of
    an image: then the leading rows are a batch of products (n, inner) · (inner, rest of the rows).
    """
    moving = [i for i in range(a.ndim) if a.shape[i] > 1 and a.strides[i]]
    if not moving or min(moving, key=lambda i: (abs(a.strides[i]), i)) not in p.rows:
        return len(p.rows)
    widest = max((abs(a.strides[i]) for i in p.inner[0] if a.shape[i] > 1), default=0)
    outside = 0
    while outside < len(p.rows) and abs(a.strides[p.rows[outside]]) > widest:
        outside += 1
    rest = math.prod(a.shape[i] for i in p.rows[outside:])
    return outside if outside and rest >= 16 else len(p.rows)


@contract.vjp
def _(g: Node, y: Node, a: Node, b: Node, *, spec: str) -> tuple[Node, Node]:
    left, out = spec.split("->")
    la, lb = left.split(",")
    return contract(g, b, spec=f"{out},{lb}->{la}"), contract(a, g, spec=f"{la},{out}->{lb}")


@contract.lrp
def _(
    g: Node, y: Node, a: Node, b: Node, *, how: How, spec: str
) -> tuple[Node | None, ...] | dict[int, tuple[Node, Node]]:
    """All for the operand that depends on what is explained, by the rule of `how.share`; half for
    each of two (the scores of attention, and its values: Achtibat et al. 2024).
    """
    left, out = spec.split("->")
    la, lb = left.split(",")
    to_a, to_b = f"{out},{lb}->{la}", f"{la},{out}->{lb}"
    if how.active == (True, True):
        return contract(g, b, spec=to_a) * 0.5, contract(a, g, spec=to_b) * 0.5
    first = how.active[0]
    if how.share.rule == "epsilon":
        if how.share.epsilon:
            g = damped(g, how.affine().end, how.share.epsilon)
        return (contract(g, b, spec=to_a), None) if first else (None, contract(a, g, spec=to_b))
    if first:
        return {0: signed(
            a, b, y, g, how, lambda x, w: contract(x, w, spec=spec),
            lambda u, w: contract(u, w, spec=to_a),
        )}  # fmt: skip
    return {1: signed(
        b, a, y, g, how, lambda x, w: contract(w, x, spec=spec),
        lambda u, w: contract(w, u, spec=to_b),
    )}  # fmt: skip


@op(tex="{0} {1}", prepare=promote, torch="matmul", domain=Domain(
    (-3, 3), (-3, 3), dtypes="float complex", cases=[
    ((3, 4), (4, 2), {}), ((4,), (4,), {}), ((3, 4), (4,), {}), ((4,), (4, 2), {}),
    ((2, 1, 3, 4), (5, 4, 2), {}),
]))  # fmt: skip
def matmul(a: Node, b: Node) -> Node:
    """Matrix product of the last two axes; the axes before broadcast

    A vector is a row at the left, a column at the right.
    """
    if not a.shape or not b.shape:
        raise ShapeError(
            f"both arguments to matmul need at least 1 axis, got {a.shape} and {b.shape}; use * "
            "for numbers"
        )
    inner_b = b.shape[-2] if len(b.shape) > 1 else b.shape[0]
    if a.shape[-1] != inner_b:
        raise ShapeError(
            f"mat1 and mat2 shapes cannot be multiplied ({_times(a.shape)} and {_times(b.shape)}): "
            "the last axis "
            f"of the left ({a.shape[-1]}) must equal the "
            f"{'second last' if len(b.shape) > 1 else 'only'} axis of the right ({inner_b})",
            repair=_product_repair(a.shape, b.shape),
        )
    lead = broadcast(a.shape[:-2], b.shape[:-2])
    batch = string.ascii_uppercase[: len(lead)]
    if len(b.shape) <= 2 and len(a.shape) >= 1:  # one matrix for all of the batch
        free = batch + ("i" if len(a.shape) > 1 else "")
        column = "j" if len(b.shape) > 1 else ""
        return contract(a, b, spec=f"{free}k,k{column}->{free}{column}")
    a = (
        broadcast_to(a, shape=lead + a.shape[-2:])
        if len(a.shape) > 1 and a.shape[:-2] != lead
        else a
    )
    b = broadcast_to(b, shape=lead + b.shape[-2:]) if b.shape[:-2] != lead else b
    if len(a.shape) == 1:
        return contract(a, b, spec=f"k,{batch}kj->{batch}j")
    return contract(a, b, spec=f"{batch}ik,{batch}kj->{batch}ij")


def _product_repair(a: Shape, b: Shape) -> str:
    """What would make a product of two shapes."""
    inner = b[-2] if len(b) > 1 else b[0]
    if len(b) > 1 and a[-1] == b[-1]:
        return "both end with the summed axis: a @ b.mT"
    if len(a) > 1 and a[-2] == inner:
        return "both begin with the summed axis: a.mT @ b"
    if len(a) > 1 and len(b) > 1 and a[-2] == b[-1]:
        return "the other way round they fit: b @ a"
    if len(a) > 2 and math.prod(a[1:]) == inner:
        return "a.flatten(1) @ b"
    return f"the right needs {a[-1]} rows, or the left {inner} columns"


def _times(shape: Shape) -> str:
    return "x".join(map(str, shape))


@op(
    tex=r"{0} {1}^{{T}} + {2}",
    prepare=promote,
    torch="nn.functional.linear",
    domain=Domain(
        *((-3, 3),) * 3, cases=[((3, 4), (2, 4), (2,), {}), ((2, 3, 4), (2, 4), (2,), {})]
    ),
)
def linear(x: Node, w: Node, b: Node) -> Node:
    """x Wᵀ + b: W has shape (out, in)."""
    return project(x, w) + b


def project(x: Node, w: Node) -> Node:
    """x Wᵀ for W of shape (out, in)."""
    if not x.shape or x.shape[-1] != w.shape[-1]:
        flat = f"{int(np.prod(x.shape[:-1]))}x{x.shape[-1]}" if x.shape else "a scalar"
        raise ShapeError(
            f"mat1 and mat2 shapes cannot be multiplied ({flat} and {w.shape[-1]}x{w.shape[0]}): "
            "the layer has "
            f"in_features={w.shape[-1]}, the input {x.shape} has "
            f"{x.shape[-1] if x.shape else 'no'} in its last axis"
        )
    lead = string.ascii_uppercase[: len(x.shape) - 1]
    return contract(x, w, spec=f"{lead}k,ok->{lead}o")


# ------------------------------------------------------------------ convolution


def _conv_letters(n: int) -> tuple[str, str]:
    return "xyz"[:n], "uvw"[:n]


_CONV = Domain((-2, 2), (-2, 2), cases=[
    ((2, 3, 7), (4, 3, 3),
     {"stride": (2,), "low": (1,), "high": (1,), "dilation": (1,), "groups": 1}),
    ((2, 4, 6, 5), (4, 2, 3, 2),
     {"stride": (1, 2), "low": (1, 0), "high": (0, 1), "dilation": (2, 1), "groups": 2}),
])  # fmt: skip


@op(tex=r"{1} \star {0}", prepare=promote, domain=_CONV)
def conv(
    x: Node, w: Node, *, stride: Any, low: Any, high: Any, dilation: Any, groups: int = 1
) -> Node:
    """y[n, o, p] = Σ_{c, k} x[n, c, p·stride + k·dilation − low] w[o, c, k] in 1 to 3 dimensions

    x (N, C, L…), w (O, C / groups, K…) → (N, O, P…). `low` and `high` zeros are put around x.
    """
    n = len(stride)
    _check_conv(x, w, n, groups)
    if any(low) or any(high):
        x = pad(x, low=(0, 0, *low), high=(0, 0, *high), value=0.0)
    batch, channels = x.shape[:2]
    out, per_group = w.shape[:2]
    p, k = _conv_letters(n)
    if groups == 1:
        return contract(
            windows(x, size=w.shape[2:], stride=stride, dilation=dilation),
            w,
            spec=f"nc{p}{k},oc{k}->no{p}",
        )
    xg = reshape(x, shape=(batch, groups, channels // groups, *x.shape[2:]))
    wg = reshape(w, shape=(groups, out // groups, per_group, *w.shape[2:]))
    y = contract(
        windows(xg, size=w.shape[2:], stride=stride, dilation=dilation),
        wg,
        spec=f"ngc{p}{k},goc{k}->ngo{p}",
    )
    return reshape(y, shape=(batch, out, *y.shape[3:]))


def _channels_repair(x: Shape, channels: int) -> str:
    if x[-1] == channels:
        order = (0, len(x) - 1, *range(1, len(x) - 1))
        return f"the channels seem to be the last axis: x.permute{order}"
    return f"a kernel for {x[1]} channels, or an input with {channels}"


def _check_conv(x: Node, w: Node, n: int, groups: int) -> None:
    if x.ndim != n + 2:
        raise ShapeError(
            f"a {n}-d convolution takes (batch, channels, {n} spatial axes), got shape {x.shape}"
        )
    if w.shape[1] * groups != x.shape[1]:
        raise ShapeError(
            f"Given groups={groups}, weight of size {list(w.shape)}, expected input{list(x.shape)} "
            "to have "
            f"{w.shape[1] * groups} channels, but got {x.shape[1]} channels instead",
            repair=_channels_repair(x.shape, w.shape[1] * groups),
        )
    if w.shape[0] % groups:
        raise ShapeError(f"groups={groups} must divide the {w.shape[0]} output channels")


@op(tex=r"{1} \star^T {0}", prepare=promote, domain=Domain((-2, 2), (-2, 2), cases=[
    ((2, 3, 4), (3, 2, 3),
     {"stride": (2,), "padding": (1,), "output_padding": (1,), "dilation": (1,)}),
    ((1, 4, 3, 3), (4, 1, 2, 3),
     {"stride": (2, 1), "padding": (0, 1), "output_padding": (0, 0), "dilation": (1, 2),
      "groups": 2}),
]))  # fmt: skip
def conv_transpose(
    x: Node,
    w: Node,
    *,
    stride: Any,
    padding: Any,
    output_padding: Any,
    dilation: Any,
    groups: int = 1,
) -> Node:
    """The transpose of `conv` in x

    x (N, C, L…), w (C, O / groups, K…) → (N, O, L'…),
    L' = (L − 1)·stride − 2·padding + dilation (K − 1) + output_padding + 1.
    """
    n = len(stride)
    if x.ndim != n + 2 or w.shape[0] != x.shape[1]:
        raise ShapeError(
            f"Given transposed=1, weight of size {list(w.shape)}, expected input{list(x.shape)} to "
            "have "
            f"{w.shape[0]} channels and {n} spatial axes"
        )
    batch, channels = x.shape[:2]
    p, k = _conv_letters(n)
    size = w.shape[2:]
    xg = reshape(x, shape=(batch, groups, channels // groups, *x.shape[2:]))
    wg = reshape(w, shape=(groups, channels // groups, w.shape[1], *size))
    parts = contract(xg, wg, spec=f"ngc{p},gco{k}->ngo{p}{k}")
    whole = tuple(
        (m - 1) * s + d * (q - 1) + 1 + e
        for m, s, d, q, e in zip(x.shape[2:], stride, dilation, size, output_padding, strict=True)
    )
    y = unwindows(parts, shape=whole, stride=stride, dilation=dilation)
    y = reshape(y, shape=(batch, groups * w.shape[1], *whole))
    if any(padding):
        y = slice(
            y,
            start=(0, 0, *padding),
            stop=(*y.shape[:2], *(m - q for m, q in zip(whole, padding, strict=True))),
            step=(1,) * (n + 2),
        )
    return y
