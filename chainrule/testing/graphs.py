"""Graphs that nobody wrote: a seed gives a graph, its gradients, and arrays for its inputs.

Every kind of kernel occurs: elementwise, reductions along any axis, products, convolutions,
pooling, loops over time, sorting, reading and writing at computed places. Values stay near one, so
that two backends can be compared.

>>> program = draw(7)
>>> [a.dtype.kind for a in program.arrays] == [n.dtype.np.kind for n in program.inputs]
True
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from chainrule import dtypes, ops
from chainrule.autodiff import gradients
from chainrule.dtypes import DType
from chainrule.errors import ChainruleError
from chainrule.ir.node import Node
from chainrule.shapes import size

_SIZES = (1, 2, 3, 4, 5, 7, 8, 9, 12, 16, 17, 31, 32, 33, 50, 65)


class Program(NamedTuple):
    """Outputs as a function of inputs, at these arrays."""

    inputs: list[Node]
    outputs: list[Node]
    arrays: list[np.ndarray]


def draw(
    seed: int, *, dtype: DType = dtypes.float64, steps: int = 14, elements: int = 4000
) -> Program:
    """A graph of about `steps` calls whose values have at most `elements` elements."""
    author = _Author(seed, dtype, elements)
    while len(author.made) < steps:
        author.step()
    chosen = author.rng.choice(len(author.made), min(3, steps), replace=False)
    outputs = [author.made[i] for i in sorted({*chosen.tolist(), len(author.made) - 1})]
    if author.rng.random() < 0.8:
        loss = author.loss(outputs)
        wrt = [x for x in author.inputs if x.dtype is dtype]
        outputs = [*outputs, loss, *gradients(loss, wrt)]
    return Program(author.inputs, outputs, author.arrays)


class _Author:
    """Draws calls. `made` holds values that later calls may read."""

    def __init__(self, seed: int, dtype: DType, elements: int) -> None:
        self.rng, self.dtype, self.elements = np.random.default_rng(seed), dtype, elements
        self.inputs: list[Node] = []
        self.arrays: list[np.ndarray] = []
        self.made: list[Node] = []
        self.own: list[Node] = [self.fresh(self.shape()) for _ in range(3)]

    # --- drawing ----------------------------------------------------------------------------------

    def number(self, low: int, high: int) -> int:
        return int(self.rng.integers(low, high))

    def size(self, most: int = 1 << 30) -> int:
        fits = [n for n in _SIZES if n <= most] or [1]
        return fits[self.number(0, len(fits))]

    def shape(self, ndim: int | None = None) -> tuple[int, ...]:
        left, dims = self.elements, []
        for _ in range(self.number(0, 5) if ndim is None else ndim):
            dims.append(self.size(left))
            left //= dims[-1]
        return tuple(self.rng.permutation(dims).astype(int).tolist())

    def fresh(self, shape: Sequence[int], scale: float = 1.0) -> Node:
        return self._input(np.asarray(self.rng.uniform(-scale, scale, shape)), self.dtype)

    def places(self, shape: Sequence[int], n: int) -> Node:
        return self._input(np.asarray(self.rng.integers(0, n, shape)), dtypes.int64)

    def _input(self, array: np.ndarray, dtype: DType) -> Node:
        node = ops.input(index=len(self.inputs), shape=tuple(array.shape), dtype=dtype)
        self.inputs.append(node)
        self.arrays.append(array.astype(dtype.np))
        return node

    def pick(self) -> Node:
        """A value, rather a late one."""
        known = [*self.own, *self.made]
        return known[-1 - min(int(self.rng.exponential(3)), len(known) - 1)]

    def of(self, ndim: int) -> Node:
        """A value with at least that many axes."""
        fits = [x for x in [*self.own, *self.made] if x.ndim >= ndim]
        if not fits or self.rng.random() < 0.2:
            return self.fresh(self.shape(ndim))
        return fits[-1 - min(int(self.rng.exponential(2)), len(fits) - 1)]

    def axis(self, x: Node) -> int:
        return self.number(0, x.ndim)

    def axes(self, x: Node) -> tuple[int, ...]:
        return tuple(i for i in range(x.ndim) if self.rng.random() < 0.5) or (x.ndim - 1,)

    def step(self) -> None:
        """One more value; what is too large or impossible is not kept."""
        kinds = _KINDS if self.rng.random() < 0.6 else _KINDS[:3]
        inputs = len(self.inputs)
        try:
            x = kinds[self.number(0, len(kinds))](self)
        except ChainruleError:
            del self.inputs[inputs:], self.arrays[inputs:]
            return
        if 0 < size(x.shape) <= self.elements:
            self.made.append(x)
        else:
            del self.inputs[inputs:], self.arrays[inputs:]

    def loss(self, values: Sequence[Node]) -> Node:
        total = ops.const(0.0, self.dtype)
        for v in values:
            total = total + ops.mean(v * self.fresh(v.shape) if v.ndim else ops.square(v))
        return total


def _unary(a: _Author) -> Node:
    calls: list[Callable[[Node], Node]] = [
        ops.tanh, ops.sigmoid, ops.sin, ops.cos, ops.relu, ops.gelu, ops.silu, ops.softplus,
        ops.abs, ops.neg, ops.atan, ops.erf, lambda x: ops.exp(-ops.abs(x)),
        lambda x: ops.log1p(x * x),
        lambda x: ops.sqrt(x * x + 1), lambda x: 1 / (1 + x * x), lambda x: x * 0.5 + 0.25,
        lambda x: ops.clamp(x, -0.9, 0.8), lambda x: ops.elu(x), lambda x: ops.tanh(x) ** 3,
        lambda x: ops.cast(ops.cast(x, dtypes.float32), x.dtype), ops.expm1 if a.number(0, 4) == 0
        else ops.tanh, ops.stop_gradient, ops.copy, ops.floor,
    ]  # fmt: skip
    return calls[a.number(0, len(calls))](a.pick())


def _binary(a: _Author) -> Node:
    x = a.pick()
    fits = [y for y in [*a.own, *a.made] if _broadcasts(x, y)]
    if a.rng.random() < 0.3 or not fits:
        keep = a.number(0, x.ndim + 1)
        y = a.fresh([n if a.rng.random() < 0.7 else 1 for n in x.shape[keep:]])
    else:
        y = fits[a.number(0, len(fits))]
    calls: list[Callable[[Node, Node], Node]] = [
        ops.add, ops.sub, ops.mul, ops.maximum, ops.minimum, lambda p, q: p / (q * q + 1),
        lambda p, q: ops.where(p > q, p * 0.5, q), ops.atan2, lambda p, q: ops.logaddexp(p, q),
    ]  # fmt: skip
    return calls[a.number(0, len(calls))](x, y)


def _broadcasts(x: Node, y: Node) -> bool:
    pairs = zip(x.shape[::-1], y.shape[::-1], strict=False)
    return all(m == n or 1 in (m, n) for m, n in pairs)


def _move(a: _Author) -> Node:
    x = a.of(1)
    k, kind = a.axis(x), a.number(0, 12)
    n = x.shape[k]
    zero = [0] * x.ndim
    if kind == 0:
        return ops.permute(x, order=tuple(a.rng.permutation(x.ndim).tolist()))
    if kind == 1:
        return ops.reshape(x, shape=(size(x.shape),))
    if kind == 2:
        factors = [f for f in range(1, n + 1) if n % f == 0]
        f = factors[a.number(0, len(factors))]
        return ops.reshape(x, shape=(*x.shape[:k], f, n // f, *x.shape[k + 1 :]))
    if kind == 3:
        start, step = a.number(0, n), a.number(1, 4)
        stop, steps = list(x.shape), [1] * x.ndim
        zero[k], steps[k] = start, step
        return ops.slice(x, start=tuple(zero), stop=tuple(stop), step=tuple(steps))
    if kind == 4:
        return ops.flip(x, (k,))
    if kind == 5:
        low = tuple(a.number(0, 3) for _ in x.shape)
        return ops.pad(x, low=low, high=tuple(a.number(0, 3) for _ in x.shape), value=0.5)
    if kind == 6:
        return ops.broadcast_to(x, shape=(a.number(1, 5), *x.shape))
    if kind == 7:
        return ops.cat(x, ops.sin(x), a.fresh([*x.shape[:k], 2, *x.shape[k + 1 :]]), axis=k)
    if kind == 8:
        return ops.stack([x, ops.neg(x)], k)
    if kind == 9 and x.ndim > 1:
        return ops.diagonal(x, offset=a.number(-1, 2))
    if kind == 10:
        length = a.number(1, n + 1)
        return ops.slice_update(
            x,
            a.fresh([*x.shape[:k], length, *x.shape[k + 1 :]]),
            start=tuple(zero),
            stop=tuple(length if i == k else m for i, m in enumerate(x.shape)),
            step=(1,) * x.ndim,
        )
    return ops.windows(x, size=(a.number(1, 4),), stride=(a.number(1, 3),), dilation=(1,))


def _reduce(a: _Author) -> Node:
    x = a.of(1)
    axes, keep = a.axes(x), bool(a.number(0, 2))
    calls = [ops.sum, ops.mean, ops.mean, ops.amax, ops.amin, ops.logsumexp, ops.var, ops.prod]
    reduce = calls[a.number(0, len(calls))]
    if reduce is ops.sum:
        return reduce(x, axis=axes, keepdim=keep) * 0.125
    if reduce is ops.prod:
        return reduce(ops.cos(x), axis=axes[:1], keepdim=keep)
    if reduce is ops.var:
        return reduce(x, axis=axes, keepdim=keep, correction=0)
    return reduce(x, axis=axes, keepdim=keep)


def _row(a: _Author) -> Node:
    x = a.of(1)
    k = a.axis(x)
    calls: list[Callable[[], Node]] = [
        lambda: ops.softmax(x, axis=k), lambda: ops.log_softmax(x, axis=k) * 0.25,
        lambda: ops.standardize(x, axis=a.axes(x)), lambda: ops.rms_standardize(x, axis=(k,)),
        lambda: ops.cumsum(x, axis=k) * 0.125, lambda: ops.item(ops.sort(x, axis=k), 0),
        lambda: ops.cumprod(ops.cos(x), axis=k),
        lambda: ops.cast(ops.argmax(x, axis=k), a.dtype) * 0.125,
    ]  # fmt: skip
    return calls[a.number(0, len(calls))]()


def _product(a: _Author) -> Node:
    x = a.of(2)
    m = x.shape[-1]
    kind, n = a.number(0, 5), a.size(65)
    if kind == 0:
        return ops.matmul(x, ops.swap(x, -1, -2)) * (1 / m)
    if kind == 1:
        return ops.linear(x, a.fresh((n, m), 2 * m**-0.5), a.fresh((n,)))
    if kind == 2:
        return ops.matmul(ops.swap(x, -1, -2), a.fresh((x.shape[-2], n), 2 * x.shape[-2] ** -0.5))
    if kind == 3:
        other = a.fresh((*x.shape[:-1], n))
        return ops.attention(other, other, x, causal=bool(a.number(0, 2)))
    return ops.matmul(x, a.fresh((m, n), 2 * m**-0.5))


def _convolution(a: _Author) -> Node:
    n = a.number(1, 3)
    x = a.of(n + 2)
    if x.ndim > n + 2:
        x = ops.reshape(x, shape=(size(x.shape[: -n - 1]), *x.shape[-n - 1 :]))
    if a.number(0, 3) == 0:
        return ops.max_pool(
            x, size=(2,) * n, stride=(a.number(1, 3),) * n, low=(0,) * n, high=(1,) * n,
            dilation=(1,) * n,
        )  # fmt: skip
    channels = x.shape[1]
    groups = channels if a.number(0, 3) == 0 else 1
    kernel, low, high, stride, dilation = (
        tuple(a.number(*over) for _ in range(n))
        for over in ((1, 4), (0, 3), (0, 3), (1, 3), (1, 3))
    )
    out = groups * (1 if groups > 1 else a.size(33))
    w = a.fresh((out, channels // groups, *kernel), (channels // groups * size(kernel)) ** -0.5)
    return ops.conv(x, w, stride=stride, low=low, high=high, dilation=dilation, groups=groups)


def _loop(a: _Author) -> Node:
    x, n, back = a.of(3), a.number(1, 9), bool(a.number(0, 2))
    if x.ndim > 3:
        x = ops.reshape(x, shape=(size(x.shape[:-2]), *x.shape[-2:]))
    x = ops.narrow(x, 0, 0, min(x.shape[0], 6))
    batch, gates = x.shape[1], a.number(0, 3)
    m = x.shape[-1]
    width = (n, 4 * n, 3 * n)[gates]
    g = ops.matmul(x, a.fresh((m, width), m**-0.5))
    h, w = a.fresh((batch, n)), a.fresh((width, n), n**-0.5)
    if gates == 0:
        return ops.item(ops.rnn(g, h, w, reverse=back), 0)
    if gates == 1:
        return ops.item(ops.lstm(g, h, a.fresh((batch, n)), w, reverse=back), 0)
    return ops.item(ops.gru(g, h, w, a.fresh((width,)), reverse=back), 0)


def _place(a: _Author) -> Node:
    x = a.of(1)
    k, kind = a.axis(x), a.number(0, 5)
    n, rest = x.shape[k], x.shape[k + 1 :]
    if kind == 0:
        return ops.take(x, a.places((a.size(33),), n), axis=k)
    if kind == 1:
        count = a.size(33)
        return ops.take_along(x, a.places((*x.shape[:k], count, *rest), n), axis=k)
    if kind == 2:
        count = a.size(33)
        v = a.fresh((*x.shape[:k], count, *rest))
        return ops.put(x, a.places((count,), n), v, axis=k, mode="add")
    if kind == 3:
        shape = (*x.shape[:k], a.size(9), *rest)
        return ops.scatter(x, a.places(shape, n), a.fresh(shape), axis=k, mode="add")
    if x.ndim > 1:
        x = x if x.ndim == 2 else ops.reshape(x, shape=(size(x.shape[:-1]), x.shape[-1]))
        return ops.cross_entropy_rows(x, a.places((x.shape[0],), x.shape[1]))
    return x * ops.one_hot(a.places((), n), n, a.dtype)


_KINDS = (_unary, _binary, _move, _reduce, _row, _product, _convolution, _loop, _place)
