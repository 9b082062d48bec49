"""The vocabulary: one op, one row.

An op says how it is computed (NumPy), how it is written (TeX), which instruction it is (elementwise
ops), and how a gradient goes through it: from g = ∂L/∂y, the gradient of its value, to one for each
input. A gradient is made of ops as well, so it is a graph, and has a gradient itself.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .node import Node, Shape, node


class Op:
    """A row. `{0}`, `{1}` in the texts are the inputs, other names are attributes."""

    def __init__(
        self, name: str, numpy: str, tex: str, gradient: Callable[..., tuple[Node | None, ...]],
        shape: Callable[..., Shape], instruction: str = "",
    ) -> None:  # fmt: skip
        self.name, self.numpy, self.tex, self.gradient = name, numpy, tex, gradient
        self.shape, self.instruction = shape, instruction

    @property
    def elementwise(self) -> bool:
        return bool(self.instruction)

    def __call__(self, *inputs: Node | float, **attrs: Any) -> Node:
        nodes = [x if isinstance(x, Node) else const(value=float(x)) for x in inputs]
        if self.elementwise:
            common = np.broadcast_shapes(*(n.shape for n in nodes))
            nodes = [n if n.shape == common else broadcast(n, shape=common) for n in nodes]
        return node(self, *nodes, **attrs)


# ------------------------------------------------------------------ where a graph begins

none = lambda g, y, *inputs, **attrs: (None,) * len(inputs)  # noqa: E731  no gradient flows
given = lambda *inputs, shape, **attrs: shape  # noqa: E731
const = Op("const", "np.float64({value})", "{value:g}", none, lambda value: ())
variable = Op("variable", "{name}", "{name}", none, given)  # a name, a shape, a value later

# ------------------------------------------------------------------ element by element

same = lambda *shapes, **attrs: shapes[0]  # noqa: E731


def row(name: str, numpy: str, tex: str, instruction: str, gradient: Any) -> Op:
    return Op(name, numpy, tex, gradient, same, instruction)


# fmt: off
add = row("add", "{0} + {1}", "{0} + {1}", "fadd", lambda g, y, a, b: (g, g))
sub = row("sub", "{0} - {1}", "{0} - {1}", "fsub", lambda g, y, a, b: (g, -g))
mul = row("mul", "{0} * {1}", r"{0} \odot {1}", "fmul", lambda g, y, a, b: (g * b, g * a))
div = row("div", "{0} / {1}", r"\frac{{{0}}}{{{1}}}", "fdiv",
          lambda g, y, a, b: (g / b, -g * y / b))
neg = row("neg", "-{0}", "-{0}", "fneg", lambda g, y, x: (-g,))
exp = row("exp", "np.exp({0})", "e^{{{0}}}", "exp", lambda g, y, x: (g * y,))
log = row("log", "np.log({0})", r"\log({0})", "log", lambda g, y, x: (g / x,))
tanh = row("tanh", "np.tanh({0})", r"\tanh({0})", "tanh", lambda g, y, x: (g * (1 - y * y),))
above = row("above", "({0} > {1}) * 1.0", "[{0} > {1}]", "above", none)
maximum = row("maximum", "np.maximum({0}, {1})", r"\max({0}, {1})", "fmax",
              lambda g, y, a, b: (g * above(a, b), g * above(b, a)))

# ------------------------------------------------------------------ shapes and sums

# Repeating and summing undo each other's shape, and each is the gradient of the other.
broadcast = Op("broadcast", "np.broadcast_to({0}, {shape})", "{0}",
               lambda g, y, x, shape: (sum_to(g, shape=x.shape),), given)
sum_to = Op("sum_to", "sum_to({0}, {shape})", r"\sum {0}",
            lambda g, y, x, shape: (broadcast(g, shape=x.shape),), given)
# The largest element, for shifting an exponent: the shift cancels, and so does its gradient.
max_to = Op("max_to", "max_to({0}, {shape})", r"\max {0}", none, given)
transpose = Op("transpose", "{0}.T", "{0}^{{T}}",
               lambda g, y, x: (transpose(g),), lambda shape: shape[::-1])
matmul = Op("matmul", "{0} @ {1}", "{0} {1}",
            lambda g, y, a, b: (g @ transpose(b), transpose(a) @ g), lambda a, b: (a[0], b[1]))
# fmt: on


def fold(reduce: Any) -> Callable[[np.ndarray, Shape], np.ndarray]:
    """Reduce an array to a shape that broadcasting would stretch to the array's."""

    def to(x: np.ndarray, shape: Shape) -> np.ndarray:
        wide = (1,) * (x.ndim - len(shape)) + shape
        axes = tuple(i for i, (a, b) in enumerate(zip(x.shape, wide, strict=True)) if a != b)
        return reduce(x, axis=axes).reshape(shape)

    return to


# ------------------------------------------------------------------ formulas of several ops


def relu(x: Node) -> Node:
    """max(x, 0)"""
    return maximum(x, 0)


def log_softmax(z: Node) -> Node:
    """z − log Σ eᶻ, for every row"""
    rows = (z.shape[0], 1)
    shifted = z - max_to(z, shape=rows)  # nothing overflows
    return shifted - log(sum_to(exp(shifted), shape=rows))


def cross_entropy(z: Node, t: Node) -> Node:
    """−Σ t log softmax(z), the mean over the rows; t has a 1 in each row, at its class"""
    return -sum_to(t * log_softmax(z), shape=()) / z.shape[0]


# ------------------------------------------------------------------ operators, and how to print

for sign, op in {"add": add, "sub": sub, "mul": mul, "truediv": div, "matmul": matmul}.items():
    setattr(Node, f"__{sign}__", lambda a, b, op=op: op(a, b))
    setattr(Node, f"__r{sign}__", lambda a, b, op=op: op(b, a))
Node.__neg__ = lambda x: neg(x)

SUMS = ("add", "sub", "neg", "sum_to")
TIGHT = ("sub", "mul", "neg", "above", "sum_to", "max_to", "transpose", "matmul")


def tex(n: Node) -> str:
    """The formula of a node."""

    def operand(i: Node) -> str:
        return rf"\left({tex(i)}\right)" if i.op.name in SUMS and n.op.name in TIGHT else tex(i)

    return n.op.tex.format(*map(operand, n.inputs), **n.attrs)
