"""Gradient rules by themselves: the cotangents of one node against differences of its value.

    Σ ȳ · f(x + t d)  has the slope  Σ d · x̄        x̄: what the rule gives for ȳ

Each operand is moved alone, the values are those that the node had in its model.
"""

from __future__ import annotations

import inspect
import linecache
import os
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from chainrule import ops
from chainrule.autodiff import derivative
from chainrule.explain.checking.differences import Point, Told, agreeing
from chainrule.explain.passing import Passed, Written, parts_of
from chainrule.ir.node import Node, TensorType
from chainrule.lines import HERE
from chainrule.tensor.backward import CustomFunction
from chainrule.tensor.fromdata import from_owned
from chainrule.tensor.witness import Line

#: Nodes of one kind that are looked at when the wrong rule is searched for.
_EACH = 3


class Rule(NamedTuple):
    """What checking one rule gave.

    op       the op, or the class of the function
    place    file:line of the rule
    path     the layer in which it is used; `kind` its class, `line` the user's line
    operand  which operand's cotangent is furthest off, its `error` relative to its size
    claimed, found   the slope by the rule and by differences
    users    whether the user wrote it
    """

    op: str
    place: str
    path: str
    kind: str
    line: Line | None
    operand: int
    shapes: tuple[tuple[int, ...], ...]
    error: float
    claimed: float
    found: float
    users: bool
    failure: str = ""

    def ok(self, tolerance: float) -> bool:
        """Whether the rule agrees with the differences."""
        return not self.failure and self.error <= tolerance


def place_of_rule(f: Callable[..., Any] | None) -> str:
    """file:line of a function."""
    while f is not None and not hasattr(f, "__code__"):
        f = (
            getattr(f, "func", None)
            or getattr(f, "__wrapped__", None)
            or getattr(f, "__func__", None)
        )
    if f is None:
        return ""
    code = inspect.unwrap(f).__code__
    line = code.co_firstlineno
    while linecache.getline(code.co_filename, line).lstrip().startswith("@"):  # decorators
        line += 1
    return f"{code.co_filename}:{line}"


def is_users(n: Node) -> bool:
    """Whether the rule or the formula of an op was written outside of the library."""
    for f in (n.op.gradient, n.op.formula, n.op.reference):
        place = place_of_rule(f) if inspect.isfunction(f) else ""
        if place and not place.startswith((HERE, "<")):
            return True
    return False


def check_rules(
    passed: Passed, at: Point, nodes: Iterable[Node], tolerance: float, rng: np.random.Generator
) -> list[Rule]:
    """The rules of some nodes of a pass, with the values that they have in it."""
    out: list[Rule] = []
    counts: dict[Any, int] = {}
    for n in nodes:
        if n.op.name == "boundary":
            out.append(_boundary(passed, at, n, tolerance, rng))
            continue
        if n.op.gradient is None or n.op.name in ("stop_gradient", "item"):
            continue
        key = (n.op, n.attrs, tuple(i.type for i in n.inputs))
        counts[key] = counts.get(key, 0) + 1
        if counts[key] <= _EACH:
            out.append(_op(passed, at, n, tolerance, rng))
    return out


def _told(
    passed: Passed, n: Node, op: str, place: str, worst: tuple[float, int, float, float],
    failure: str = "",
) -> Rule:  # fmt: skip
    origin = passed.origin(n)
    place = place.removeprefix(os.getcwd() + os.sep)
    call = origin.call
    shapes = tuple(t.shape for i in n.inputs for t in parts_of(i))
    error, operand, claimed, found = worst
    return Rule(
        op, place, "" if call is None else call.path, "" if call is None else call.kind,
        origin.line, operand, shapes, error, claimed, found,
        n.op.name == "boundary" or is_users(n), failure,
    )  # fmt: skip


def _op(passed: Passed, at: Point, n: Node, tolerance: float, rng: np.random.Generator) -> Rule:
    """An op's rule: of the node alone, over operands that know nothing of each other."""
    place = place_of_rule(n.op.gradient)
    formal = tuple(
        ops.input(index=k, shape=i.shape, dtype=i.dtype, scope="rule")
        for k, i in enumerate(n.inputs)
    )
    values = [np.asarray(at[i]) for i in n.inputs]
    try:
        y = n.op.make(formal, n.attrs)
        parts = [y] if isinstance(y.type, TensorType) else list(ops.items(y))
        parts = [p for p in parts if p.dtype.is_differentiable]
        cts = [
            ops.input(index=k, shape=p.shape, dtype=p.dtype, scope="rule ct")
            for k, p in enumerate(parts)
        ]
        found = derivative(parts, cts, formal).gradients
        bound: dict[Node, Any] = dict(zip(formal, values, strict=True))
        bound.update((c, rng.standard_normal(c.shape)) for c in cts)
        total = _dot(parts, cts)
        here = Point([total], bound)
        grads = [None if g is None else here[g] for g in found]
    except Exception as error:  # the rule is the user's code
        return _told(passed, n, n.op.name, place, (np.inf, 0, np.nan, np.nan), _said(error))

    def elsewhere(moved: list[np.ndarray]) -> tuple[Point, list[Any]]:
        point = Point([total], {**bound, **dict(zip(formal, moved, strict=True))})
        return point, [None if g is None else point[g] for g in found]

    fixed = {k for k, i in enumerate(n.inputs) if i.op.name == "const"}
    worst = _compare(here, total, formal, grads, tolerance, rng, elsewhere, fixed)
    return _told(passed, n, n.op.name, place, worst)


def _dot(parts: Sequence[Node], cts: Sequence[Node]) -> Node:
    total: Node | None = None
    for p, c in zip(parts, cts, strict=True):
        term = ops.sum(p * c)
        total = term if total is None else total + term
    assert total is not None
    return total


def _compare(
    here: Point,
    total: Node,
    operands: Sequence[Node],
    grads: Sequence[Any],
    tolerance: float,
    rng: np.random.Generator,
    elsewhere: Callable[[list[np.ndarray]], tuple[Point, list[Any]]] | None,
    fixed: Collection[int] = (),
) -> tuple[float, int, float, float]:
    """The operand whose cotangent is furthest off: (error, which, claimed, found)."""
    worst = (0.0, 0, 0.0, 0.0)
    for k, x in enumerate(operands):
        if k in fixed or not x.dtype.is_floating_point or (not x.shape and grads[k] is None):
            continue
        error, claimed, slope = _one(here, total, x, grads[k], tolerance, rng)
        if error > tolerance and elsewhere is not None:  # a kink here? a little aside there is none
            values = [
                here[o] + 1e-3 * _size(here[o]) * rng.standard_normal(o.shape)
                if o.dtype.is_floating_point
                else here[o]
                for o in operands
            ]
            point, others = elsewhere(values)
            again = _one(point, total, x, others[k], tolerance, rng)
            if np.isfinite(again[0]) and again[0] < error:
                error, claimed, slope = again
        if error > worst[0]:
            worst = error, k, claimed, slope
    return worst


def _size(x: np.ndarray) -> float:
    return max(float(np.sqrt(np.mean(np.square(x)))) if x.size else 0.0, 0.1)


def _one(
    here: Point, total: Node, x: Node, grad: Any, tolerance: float, rng: np.random.Generator
) -> tuple[float, float, float]:
    direction = rng.standard_normal(x.shape) * _size(here[x])
    product = np.zeros(x.shape) if grad is None else grad * direction
    claimed, scale = float(product.sum()), float(np.sqrt(np.square(product).sum()))
    off, found = agreeing(here.along({x: direction}, total), claimed, scale, tolerance, 1e-5)
    defined = np.isfinite(found.value)  # where the value itself is none, a rule has nothing to say
    return (off if defined else 0.0), claimed, found.value


def _boundary(
    passed: Passed, at: Point, n: Node, tolerance: float, rng: np.random.Generator
) -> Rule:
    """A function of the user's: its `backward` against differences of its `forward`."""
    custom = passed.custom(n)
    place, rule = place_of_rule(custom.rule), passed.written.get(n)
    if isinstance(rule, Exception):
        return _told(passed, n, custom.name, place, (np.inf, 0, np.nan, np.nan), _said(rule))
    count = n.attr("outputs")
    ins = n.inputs[count:]
    outs = [i for i, p in enumerate(parts_of(n)) if p.dtype.is_differentiable]
    cts = {i: rng.standard_normal(parts_of(n)[i].shape) for i in outs}
    told = passed.told[n]
    formal = tuple(
        ops.input(index=k, shape=i.shape, dtype=i.dtype, scope="rule") for k, i in enumerate(ins)
    )
    total = ops.input(index=0, shape=(), dtype=n.inputs[0].dtype, scope="rule total")
    single = rule is None or rule.opaque
    try:
        grads = _grads(passed, custom, n, rule, at, cts)
    except Exception as error:  # the rule is the user's code
        return _told(passed, n, custom.name, place, (np.inf, 0, np.nan, np.nan), _said(error))

    def value(*arrays: np.ndarray) -> Any:
        moved = dict(zip(ins, arrays, strict=True))
        if told.inputs == tuple(ins):  # outside of the graph
            found = told.compute(*arrays)
        else:
            near = Point(told.inputs, {**_leaves(passed), **moved}, passed.told)
            found = [near[o] for o in told.inputs]
        return np.asarray(sum(float(np.sum(found[i] * c)) for i, c in cts.items()))

    here = Point(
        [total], {f: at[i] for f, i in zip(formal, ins, strict=True)}, {total: Told(formal, value)}
    )
    worst = _compare(
        here, total, formal, grads, max(tolerance, 1e-3) if single else tolerance, rng, None
    )
    if single and worst[0] <= 1e-3:
        worst = (0.0, *worst[1:])
    return _told(passed, n, custom.name, place, worst)


def _leaves(passed: Passed) -> dict[Node, np.ndarray]:
    return dict(passed.arrays)


def _grads(
    passed: Passed, custom: CustomFunction, n: Node, rule: Written | None, at: Point,
    cts: dict[int, np.ndarray],
) -> list[Any]:  # fmt: skip
    """What the user's rule gives for these cotangents."""
    parts = parts_of(n)
    if rule is not None and not rule.opaque:
        near = Point([], {**passed.arrays}, passed.told)
        near.values.update((c, cts.get(i, np.zeros(c.shape))) for i, c in enumerate(rule.given))
        near.inputs = near.inputs | frozenset(rule.given)
        return [None if g is None else near[g] for g in rule.found]
    given = [
        from_owned(np.asarray(cts.get(i, np.zeros(t.shape)), t.dtype.np))
        for i, t in enumerate(parts)
    ]
    made = custom.call(given)
    return [None if g is None else np.asarray(g.detach().numpy(), np.float64) for g in made]


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
