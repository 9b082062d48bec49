"""Recurrent layers as loops over time.

The input's part of the gates is one product before the loop: `gx`. Sequences are (T, B, …); gates
stand side by side in the last axis, in PyTorch's order.
"""

from __future__ import annotations

from typing import Any

from chainrule.ir.node import Node
from chainrule.ir.op import Domain
from chainrule.ops.activations import relu, sigmoid
from chainrule.ops.contract import project
from chainrule.ops.core import op
from chainrule.ops.elementwise import tanh, where
from chainrule.ops.loop import scan
from chainrule.ops.movement import narrow


def _gates(x: Node, n: int) -> tuple[Node, ...]:
    size = x.shape[-1] // n
    return tuple(narrow(x, x.ndim - 1, i * size, size) for i in range(n))


def rnn_step(gx: Node, h: Node, w_hh: Node, nonlinearity: str) -> Node:
    """h' = tanh(gx + W_hh h), or relu"""
    z = gx + project(h, w_hh)
    return tanh(z) if nonlinearity == "tanh" else relu(z)


def lstm_step(gx: Node, h: Node, c: Node, w_hh: Node) -> tuple[Node, Node]:
    """c' = σ(f) c + σ(i) tanh(g), h' = σ(o) tanh(c')

    Hochreiter and Schmidhuber (1997); Gers et al. (2000).
    """
    i, f, g, o = _gates(gx + project(h, w_hh), 4)
    c = sigmoid(f) * c + sigmoid(i) * tanh(g)
    return sigmoid(o) * tanh(c), c


def gru_step(gx: Node, h: Node, w_hh: Node, b_hh: Node) -> Node:
    """h' = (1 − z) n + z h, n = tanh(gxₙ + r (W h + b)ₙ) (Cho et al. 2014, as in cuDNN)"""
    xr, xz, xn = _gates(gx, 3)
    hr, hz, hn = _gates(project(h, w_hh) + b_hh, 3)
    r, z = sigmoid(xr + hr), sigmoid(xz + hz)
    n = tanh(xn + r * hn)
    return n + z * (h - n)


def _hold(mask: Node | None, new: Node, old: Node) -> Node:
    return new if mask is None else where(mask, new, old)


def _split(xs: tuple[Node, ...]) -> tuple[Node, Node | None]:
    return xs[0], xs[1] if len(xs) > 1 else None


@op(
    tex=r"\operatorname{{RNN}}({0}; {1}, {2})",
    domain=Domain((-1, 1), cases=[
        ((3, 2, 4), (2, 4), (4, 4), {}), ((3, 2, 4), (2, 4), (4, 4), {"reverse": True}),
    ]),
)  # fmt: skip
def rnn(
    gx: Node, h0: Node, w_hh: Node, *mask: Node, nonlinearity: str = "tanh", reverse: bool = False
) -> tuple[Node, Node]:
    """All h' of `rnn_step`, and the last

    `mask` (T, B, 1), where given: steps at which a sequence still runs.
    """

    def step(carry: Any, xs: Any, fixed: Any) -> Any:
        g, m = _split(xs)
        h = _hold(m, rnn_step(g, carry[0], fixed[0], nonlinearity), carry[0])
        return (h,), (h,)

    (h,), (ys,) = scan(step, (h0,), (gx, *mask), (w_hh,), reverse)
    return ys, h


@op(
    tex=r"\operatorname{{LSTM}}({0}; {1}, {2}, {3})",
    domain=Domain((-1, 1), cases=[
        ((3, 2, 8), (2, 2), (2, 2), (8, 2), {}),
        ((2, 1, 4), (1, 1), (1, 1), (4, 1), {"reverse": True}),
    ]),
)  # fmt: skip
def lstm(
    gx: Node, h0: Node, c0: Node, w_hh: Node, *mask: Node, reverse: bool = False
) -> tuple[Node, Node, Node]:
    """All h' of `lstm_step`, the last h and the last c."""

    def step(carry: Any, xs: Any, fixed: Any) -> Any:
        g, m = _split(xs)
        h, c = lstm_step(g, carry[0], carry[1], fixed[0])
        h, c = _hold(m, h, carry[0]), _hold(m, c, carry[1])
        return (h, c), (h,)

    (h, c), (ys,) = scan(step, (h0, c0), (gx, *mask), (w_hh,), reverse)
    return ys, h, c


@op(
    tex=r"\operatorname{{LSTMP}}({0}; {1}, {2}, {3}, {4})",
    domain=Domain((-1, 1), cases=[((3, 2, 12), (2, 2), (2, 3), (12, 2), (2, 3), {})]),
)  # fmt: skip
def lstm_projected(
    gx: Node, h0: Node, c0: Node, w_hh: Node, w_hr: Node, *mask: Node, reverse: bool = False
) -> tuple[Node, Node, Node]:
    """`lstm` whose h' is W_hr times the usual one (Sak et al. 2014)."""

    def step(carry: Any, xs: Any, fixed: Any) -> Any:
        g, m = _split(xs)
        h, c = lstm_step(g, carry[0], carry[1], fixed[0])
        h, c = _hold(m, project(h, fixed[1]), carry[0]), _hold(m, c, carry[1])
        return (h, c), (h,)

    (h, c), (ys,) = scan(step, (h0, c0), (gx, *mask), (w_hh, w_hr), reverse)
    return ys, h, c


@op(
    tex=r"\operatorname{{GRU}}({0}; {1}, {2}, {3})",
    domain=Domain((-1, 1), cases=[
        ((3, 2, 6), (2, 2), (6, 2), (6,), {}),
        ((2, 1, 3), (1, 1), (3, 1), (3,), {"reverse": True}),
    ]),
)  # fmt: skip
def gru(
    gx: Node, h0: Node, w_hh: Node, b_hh: Node, *mask: Node, reverse: bool = False
) -> tuple[Node, Node]:
    """All h' of `gru_step`, and the last."""

    def step(carry: Any, xs: Any, fixed: Any) -> Any:
        g, m = _split(xs)
        h = _hold(m, gru_step(g, carry[0], fixed[0], fixed[1]), carry[0])
        return (h,), (h,)

    (h,), (ys,) = scan(step, (h0,), (gx, *mask), (w_hh, b_hh), reverse)
    return ys, h
