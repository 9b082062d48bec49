"""A recorded graph in double precision, and its slopes by differences.

The graph is evaluated by NumPy, node by node, with float64 wherever a float stood: constants, casts
and loops too, but random numbers are those that the graph draws. What changed is computed again and
nothing else, so that moving one parameter of many is cheap.

    slope of s at t = 0:   (4 c(h/2) − c(h)) / 3,   c(h) = (s(h) − s(−h)) / 2h      error O(h⁴)
    kink:                  (s(h) − s(0)) / h and (s(0) − s(−h)) / h stay apart as h shrinks

>>> from chainrule import dtypes, ops
>>> x = ops.input(index=0, shape=(2,), dtype=dtypes.float32)
>>> at = Point([ops.sum(ops.tanh(x))], {x: np.array([0.0, 1.0])})
>>> along = at.along({x: np.array([1.0, 0.0])})
>>> abs(slope(along).value - 1) < 1e-9
True
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from chainrule.dtypes import COMPLEX, FLOAT, DType, complex128, float64
from chainrule.errors import GraphError
from chainrule.ir.graph import topological
from chainrule.ir.interpret import below
from chainrule.ir.node import Node, TensorType, Type
from chainrule.ops.loop import run_scan

#: What reads bits: it is given numbers of the type that it was recorded with.
_BITS = frozenset({"random_uniform"})


class Told(NamedTuple):
    """A node that is not computed from the graph: from which nodes, and how."""

    inputs: tuple[Node, ...]
    compute: Callable[..., Any]


Values = Mapping[Node, Any]
_WIDE = {FLOAT: float64, COMPLEX: complex128}


def wide_type(t: DType) -> np.dtype[Any]:
    """float64 for floats, complex128 for complex numbers; others stay."""
    return np.dtype(_WIDE.get(t.category, t).np)


def wide(x: Any, t: Type) -> Any:
    """A value of this type in double precision."""
    if not isinstance(t, TensorType):
        return tuple(wide(v, part) for v, part in zip(x, t, strict=True))
    return np.asarray(x).astype(wide_type(t.dtype), copy=False)


def evaluate(node: Node, values: Sequence[Any]) -> Any:
    """The value of one primitive in double precision, from those of its inputs."""
    op = node.op
    if op.name == "cast":
        real = values[0].real if node.dtype.category != COMPLEX else values[0]
        return real.astype(wide_type(node.dtype), copy=False)
    if op.name == "const":
        return np.asarray(node.attr("value"), wide_type(node.dtype))
    if op.name == "scan":
        return _scan(node, values)
    if op.name in _BITS:
        given = [v.astype(i.dtype.np) for v, i in zip(values, node.inputs, strict=True)]
        return wide(op.evaluate(node, given), node.type)
    assert op.reference is not None
    return wide(op.reference(*values, **dict(node.attrs)), node.type)


def _scan(node: Node, values: Sequence[Any]) -> tuple[np.ndarray, ...]:
    body = node.attr("body")
    order = topological(body.outputs, below=below)

    def step(given: list[Any]) -> list[Any]:
        found: dict[Node, Any] = dict(zip(body.inputs, given, strict=True))
        for n in order:
            if n not in found:
                found[n] = _value(n, found)
        return [found[o] for o in body.outputs]

    types = [TensorType(o.shape, _WIDE.get(o.dtype.category, o.dtype)) for o in body.outputs]
    counts = (node.attr("carries"), node.attr("sequences"), node.attr("reverse"))
    return run_scan(step, values, types, *counts)


def _value(n: Node, values: Mapping[Node, Any]) -> Any:
    if n.op.is_primitive:
        return evaluate(n, [values[i] for i in n.inputs])
    out = n.op.expand(n)
    return tuple(values[o] for o in out) if isinstance(out, tuple) else values[out]


class Point:
    """Values of a graph at one place, in double precision, and at places near it.

    outputs   what is wanted
    bound     arrays for the graph's inputs
    told      nodes whose value comes from elsewhere (a function of the user's own)
    frozen    which stop_gradients keep the value that they have here when inputs move, as constants
              of the function that the gradient is one of; None: all
    """

    def __init__(
        self,
        outputs: Iterable[Node],
        bound: Values,
        told: Mapping[Node, Told] | None = None,
        *,
        frozen: Collection[Node] | None = None,
    ) -> None:
        self.told = told or {}
        self.frozen = frozen
        self.values: dict[Node, Any] = {n: wide(v, n.type) for n, v in bound.items()}
        self.inputs = frozenset(self.values)
        self._orders: dict[Node, list[Node]] = {}
        self.outputs = list(outputs)
        self.add(self.outputs)

    def _below(self, n: Node) -> tuple[Node, ...]:
        told = self.told.get(n)
        if told is not None:
            return told.inputs
        return () if n in self.inputs else below(n)

    def add(self, outputs: Iterable[Node]) -> None:
        """Compute more nodes here."""
        with np.errstate(all="ignore"):
            for n in topological(outputs, below=self._below, stop=self.values.__contains__):
                if n not in self.values:
                    self.values[n] = self._compute(n, self.values)

    def _compute(self, n: Node, values: Mapping[Node, Any]) -> Any:
        told = self.told.get(n)
        if told is not None:
            return wide(told.compute(*(values[i] for i in told.inputs)), n.type)
        if n.op.name == "input":
            raise GraphError(f"no value was given for {n}")
        return _value(n, values)

    def __getitem__(self, n: Node) -> Any:
        if n not in self.values:
            self.add([n])
        return self.values[n]

    def moved(self, to: Values, wanted: Sequence[Node]) -> list[Any]:
        """Values of `wanted` where some inputs (or other nodes) have other values."""
        changed: dict[Node, Any] = {n: wide(v, n.type) for n, v in to.items()}
        with np.errstate(all="ignore"):
            for w in wanted:
                for n in self._order(w):
                    if n in changed or (n.op.name == "stop_gradient" and self._is_frozen(n)):
                        continue
                    if any(i in changed for i in self._below(n)):
                        changed[n] = self._compute(n, _Over(changed, self.values))
        return [changed[w] if w in changed else self[w] for w in wanted]

    def _is_frozen(self, n: Node) -> bool:
        return self.frozen is None or n in self.frozen

    def _order(self, wanted: Node) -> list[Node]:
        found = self._orders.get(wanted)
        if found is None:
            self.add([wanted])
            found = self._orders[wanted] = topological([wanted], below=self._below)
        return found

    def along(self, direction: Values, wanted: Node | None = None) -> Callable[[float], float]:
        """s(t), a number, where the inputs are x + t · direction. `wanted`: the first output."""
        target = self.outputs[0] if wanted is None else wanted

        def at(t: float) -> float:
            to = {n: self.values[n] + t * d for n, d in direction.items()} if t else {}
            return float(np.real(self.moved(to, [target])[0]))

        return at


class _Over(Mapping[Node, Any]):
    """What changed, over what did not."""

    __slots__ = ("_first", "_then")

    def __init__(self, first: dict[Node, Any], then: dict[Node, Any]) -> None:
        self._first, self._then = first, then

    def __getitem__(self, n: Node) -> Any:
        return self._first[n] if n in self._first else self._then[n]

    def __iter__(self) -> Any:
        return iter({**self._then, **self._first})

    def __len__(self) -> int:
        return len({**self._then, **self._first})


# ------------------------------------------------------------------ slopes


class Slope(NamedTuple):
    """A slope by differences.

    value    the derivative at 0 in the direction, and by how much it may be wrong: `error` from the
             steps that were taken, `noise` from rounding
    left, right   the slopes of the two sides; where they stay apart, it is a `kink`
    step     the step that gave it
    """

    value: float
    error: float
    noise: float
    left: float
    right: float
    kink: bool
    step: float


#: Rounding of one evaluation, as multiples of float64's epsilon of the value.
_ROUNDING = 16 * float(np.finfo(np.float64).eps)


def slope(s: Callable[[float], float], step: float = 1e-4, here: float | None = None) -> Slope:
    """The slope of s at 0 with a step and half of it. `here`: s(0), where it is known."""
    middle = s(0.0) if here is None else here
    sides = []
    for h in (step, step / 2):
        up, down = s(h), s(-h)
        sides.append(((up - down) / (2 * h), (up - middle) / h, (middle - down) / h, up, down))
    (wide_, *_), (near, right, left, up, down) = sides
    size = max(abs(up), abs(down), abs(middle))
    noise = _ROUNDING * size / step + 1e-300
    value = (4 * near - wide_) / 3
    first, second = (side[1] - side[2] for side in sides)
    scale = max(abs(right), abs(left))
    kink = bool(
        abs(second) > 1e-5 * scale + 8 * noise
        and abs(second) > 0.75 * abs(first)
        and np.isfinite(scale)
    )
    return Slope(value, abs(near - wide_), noise, left, right, kink, step)


def agreeing(
    s: Callable[[float], float],
    claimed: float,
    scale: float,
    tolerance: float,
    step: float = 1e-4,
    here: float | None = None,
) -> tuple[float, Slope]:
    """How far a claimed slope is off, relative to `scale`, and the differences that say so.

    Smaller steps are taken until both agree: a kink that lies between x − h and x + h is left
    outside. Of those that disagree, the one that is surest of itself is given.
    """
    best: tuple[float, Slope] | None = None
    kink: tuple[float, Slope] | None = None
    middle = s(0.0) if here is None else here
    for h in (step, step / 16, step / 256, step * 8):
        found = slope(s, h, middle)
        if not (np.isfinite(found.value) and np.isfinite(claimed)):
            off = float("inf")
        else:
            gap, size = abs(found.value - claimed), max(scale, abs(found.value), 1e-300)
            off = gap / size
            if off > tolerance:  # what rounding explains is no error
                off = max(gap - 2 * found.noise, 0.0) / size
        if off <= tolerance:
            return off, found
        if h <= step:  # a kink here, or between two places? smaller steps tell
            kink = (off, found) if found.kink else None
        if found.kink:
            continue
        if best is None or found.error + found.noise < best[1].error + best[1].noise:
            best = off, found
    chosen = kink or best
    assert chosen is not None
    return chosen
