"""What computing a value takes: floating-point operations and multiply-adds.

The rules stand here, and which one is an op's is said beside the op (its field `flops`):

    nothing      moving, choosing and converting elements, and all arithmetic of whole numbers and
                 truth values: indices, masks
    each         one operation for every element of the result: arithmetic, comparisons, and also
                 exp, tanh or log, which take a processor many instructions, but are one function
    each_input   one for every element that is read: a sum of n numbers is n operations
    contraction  two for every multiply-add: products of matrices, convolutions

A composite takes what its formula takes, a loop its steps. What no input goes into is known when a
program is made, and takes nothing. A complex number is two real ones: adding two takes 2
operations, multiplying 6, dividing 11.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import NamedTuple

from chainrule.dtypes import COMPLEX, FLOAT, DType
from chainrule.ir.graph import topological
from chainrule.ir.node import Node, TensorType

#: How many floating-point operations a node takes, beyond those of its inputs.
Rule = Callable[[Node], int]

#: Operations on complex numbers, in real ones; of all others, two.
_COMPLEX = {"mul": 6, "div": 11, "abs": 4}


def elements(node: Node) -> int:
    """Numbers in a node's value, or in the first of its parts."""
    first = node.type if isinstance(node.type, TensorType) else node.type[0]
    return math.prod(first.shape)


def _kind(node: Node) -> DType:
    """The element type in which a node computes: comparisons give truth values of numbers."""
    one = node.inputs[0] if node.inputs else node
    first = one.type if isinstance(one.type, TensorType) else one.type[0]
    return first.dtype


def _weight(node: Node) -> int:
    category = _kind(node).category
    return _COMPLEX.get(node.op.name, 2) if category == COMPLEX else int(category == FLOAT)


def nothing(node: Node) -> int:
    """0: no arithmetic."""
    return 0


def each(node: Node) -> int:
    """One operation for every element of the result."""
    return _weight(node) * elements(node)


def each_input(node: Node) -> int:
    """One operation for every element of the first input."""
    return _weight(node) * elements(node.inputs[0])


def each_written(node: Node) -> int:
    """One operation for every element of the indices' source, unless it is only put there."""
    return 0 if node.attr("mode") == "set" else _weight(node) * elements(node.inputs[2])


def each_scattered(node: Node) -> int:
    """One operation for every index, unless values are only put there."""
    return 0 if node.attr("mode") == "set" else _weight(node) * elements(node.inputs[1])


def comparisons(node: Node) -> int:
    """n log₂ n for every row of n elements that is sorted."""
    x = node.inputs[0]
    n = x.shape[node.attr("axis")] if x.shape else 1
    return _weight(node) * math.ceil(elements(x) * math.log2(max(n, 1)))


def multiply_adds(node: Node) -> int:
    """For each element of a product's result, as many as letters are summed over. A complex one is
    four.
    """
    left, out = node.attr("spec").split("->")
    sizes: dict[str, int] = {}
    for letters, x in zip(left.split(","), node.inputs, strict=True):
        sizes.update(zip(letters, x.shape, strict=True))
    inner = math.prod(n for c, n in sizes.items() if c not in out)
    return elements(node) * inner * (4 if _kind(node).category == COMPLEX else 1)


def contraction(node: Node) -> int:
    """Two operations for every multiply-add of floating-point numbers."""
    return 2 * multiply_adds(node) if _kind(node).category >= FLOAT else 0


def transform(node: Node) -> int:
    """5 n log₂ n for every Fourier transform of n complex numbers, half of it for real ones: the
    convention of FFTW (Frigo and Johnson, 2005).
    """
    whole = node.shape if _kind(node).category == COMPLEX else node.inputs[0].shape
    n = math.prod(whole[a] for a in node.attr("axis"))
    real = node.op.name != "fourier"
    return math.ceil((2.5 if real else 5.0) * math.prod(whole) * math.log2(max(n, 1)))


def per_matrix(count: Callable[[int, int, int], float], matrix: int = 0) -> Rule:
    """`count(long side, short side, columns of the other operand)` for every matrix; `matrix` is
    the input that is one. The leading terms that books give (Golub and Van Loan, "Matrix
    Computations", 4th edition); four times as many if it is complex.
    """

    def rule(node: Node) -> int:
        a = node.inputs[matrix]
        other = node.inputs[-1 - matrix]
        short, long = sorted(a.shape[-2:])
        matrices = max(math.prod(x.shape[:-2]) for x in (a, other))
        made = matrices * count(long, short, 0 if other is a else other.shape[-1])
        return math.ceil(made * (4 if _kind(node).category == COMPLEX else 1))

    return rule


def steps(node: Node) -> int:
    """A loop: its body, as often as it runs."""
    length = int(node.inputs[node.attr("carries")].shape[0])
    return length * count(node.attr("body").outputs).flops


class Cost(NamedTuple):
    """Floating-point operations, and the multiply-adds of products among them."""

    flops: int
    macs: int

    def __add__(self, other: object) -> Cost:
        if not isinstance(other, Cost):
            return NotImplemented
        return Cost(self.flops + other.flops, self.macs + other.macs)


FREE = Cost(0, 0)


def cost(node: Node) -> Cost:
    """What a primitive takes, beyond its inputs."""
    rule = node.op.flops
    if rule is None:
        return FREE
    if rule is steps:
        length = int(node.inputs[node.attr("carries")].shape[0])
        body = count(node.attr("body").outputs)
        return Cost(length * body.flops, length * body.macs)
    flops = rule(node)
    return Cost(flops, flops // 2 if rule is contraction else 0)


def below(node: Node) -> tuple[Node, ...]:
    """What a node is computed from, where composites are their formulas."""
    op = node.op
    if op.name == "item" and not node.inputs[0].op.is_primitive:
        source = node.inputs[0]
        return (source.op.expand(source)[node.attr("index")],)
    if op.is_primitive:
        return node.inputs
    out = op.expand(node)
    return out if isinstance(out, tuple) else (out,)


def computed(outputs: Iterable[Node]) -> list[Node]:
    """The primitives that compute something which inputs go into, inputs before users."""
    varying: set[Node] = set()
    found = []
    for node in topological(outputs, below=below):
        if node.op.name == "input" or any(i in varying for i in below(node)):
            varying.add(node)
            if node.op.is_primitive:
                found.append(node)
    return found


def count(outputs: Iterable[Node]) -> Cost:
    """What computing `outputs` takes, each value once.

    >>> from chainrule import dtypes, ops
    >>> x = ops.input(index=0, shape=(2, 3), dtype=dtypes.float32)
    >>> w = ops.input(index=1, shape=(4, 3), dtype=dtypes.float32)
    >>> b = ops.input(index=2, shape=(4,), dtype=dtypes.float32)
    >>> count([ops.linear(x, w, b)])  # 2·3·4 multiply-adds, and 2·4 sums
    Cost(flops=56, macs=24)
    """
    total = FREE
    for node in computed(outputs):
        total += cost(node)
    return total
