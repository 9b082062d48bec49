"""Arguments for ops without a domain, and index forms of ops that only move elements."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from chainrule import dtypes, ops
from chainrule.ir.node import Node, TensorType
from chainrule.ir.op import Op, registry
from chainrule.testing.sampling import samples

#: The value at an index, for ops whose formula as an operand is nothing but their argument.
INDEX_FORMS = {
    "reshape": r"y_{i} = x_{j}, \quad i \text{ and } j \text{ at the same place, row by row}",
    "permute": r"y_{i_{\pi(1)} \dots i_{\pi(n)}} = x_{i_1 \dots i_n}",
    "broadcast_to": (
        r"y_{i_1 \dots i_n} = x_{j_1 \dots j_m}, \quad j_a = i_a \text{ or } 0 \text{ where } x "
        r"\text{ has size } 1"
    ),
    "slice": r"y_{i} = x_{\mathrm{start} + i \cdot \mathrm{step}}",
    "diagonal": r"y_{\dots i} = x_{\dots i,\, i + \mathrm{offset}}",
    "windows": r"y_{\dots o k} = x_{\dots,\, o \cdot \mathrm{stride} + k \cdot \mathrm{dilation}}",
    "unwindows": (
        r"y_{\dots j} = \sum_{o \cdot \mathrm{stride} + k \cdot \mathrm{dilation} = j} x_{\dots "
        r"o k}"
    ),
    "strided": r"y_{ij} = x_{\mathrm{offset} + i s_0 + j s_1}",
    "slice_update": (
        r"y_{i} = v_{k} \text{ for } i = \mathrm{start} + k \cdot \mathrm{step}, \quad x_{i} "
        r"\text{ elsewhere}"
    ),
    "diagonal_update": (
        r"y_{\dots i j} = v_{\dots i} \text{ for } j = i + \mathrm{offset}, \quad x_{\dots i j} "
        r"\text{ elsewhere}"
    ),
    "cat": (
        r"y_{i} = x_{i} \text{ for } i < n, \quad v_{i - n} \text{ for } i \ge n, \quad n "
        r"\text{ the length of } x"
    ),
    "interleave": r"y_{i \cdot c + r} = x^{(r)}_{i}, \quad c \text{ the number of parts}",
    "pad": r"y_{i} = x_{i - \mathrm{low}} \text{ inside}, \quad \mathrm{value} \text{ outside}",
    "iota": r"y_{i} = i",
    "take": r"y_{\dots a \dots} = x_{\dots i_a \dots}",
    "take_along": r"y_{ab} = x_{a,\, i_{ab}}",
    "put": (
        r"y_{\dots i_a \dots} = v_{\dots a \dots} \text{ (or } x + \textstyle\sum v\text{)}, "
        r"\quad x \text{ elsewhere}"
    ),
    "scatter": (
        r"y_{a,\, i_{ab}} = v_{ab} \text{ (or combined with } x\text{)}, \quad x \text{ "
        r"elsewhere}"
    ),
    "cast": r"y_{i} = x_{i} \text{ in another type}",
    "copy": r"y_{i} = x_{i}",
    "stop_gradient": r"y = x, \quad \frac{\partial y}{\partial x} := 0",
    "passing_to": r"y = x, \quad \bar{v} = \bar{y}, \quad \bar{x} = 0",
    "item": r"y = x_{\mathrm{index}}, \quad x = (x_0, x_1, \dots)",
    "boundary": r"(y_0, y_1, \dots) = (x_0, x_1, \dots)",
    "argument": r"y = x",
    "lane": r"y = (\mathrm{key}, \mathrm{base})",
    "after": r"y = x",
    "recomputed": r"y = f(x, \dots)",
    "input": r"x_{\mathrm{index}}",
    "const": r"y = \mathrm{value}",
    "scan": r"(s_t, y_t) = f(s_{t-1}, x_t, c), \quad t = 1, \dots, T",
    "random_uniform": r"y_i \sim U[0, 1), \quad \text{Philox}(\mathrm{key}, \mathrm{position} + i)",
    "permutation": r"y = p, \quad A_{p} = P^{-1} A",
}  # fmt: skip

#: Attributes of optimisers' rules as they usually are.
_USUAL = {
    "maximize": False, "kind": "none", "dampening": 0.0, "nesterov": False, "first": False,
    "averaging": True, "eps": 1e-8, "beta2": 0.999, "alpha": 0.99, "rho": 0.9, "rectified": True,
    "shrink": 0.5, "grow": 1.2, "smallest": 1e-6, "largest": 50.0, "eps1": 1e-30, "eps2": 1e-3,
    "threshold": 1.0, "coefficients": (3.4445, -4.775, 2.0315), "steps": 2,
}  # fmt: skip
_TENSORS = {
    "p",
    "g",
    "b",
    "m",
    "v",
    "u",
    "s",
    "d",
    "average",
    "previous",
    "size",
    "largest",
    "mean_g",
}
_SHAPES = {"rows": (3, 1), "columns": (1, 3)}


class Case(NamedTuple):
    """An op at work: inputs with their values, attributes, and the nodes of its results."""

    inputs: tuple[Node, ...]
    arrays: tuple[np.ndarray, ...]
    attrs: dict[str, Any]
    outputs: tuple[Node, ...]


def case_of(op: Op) -> Case:
    """Some arguments to show an op with: small, not empty, of real numbers where it takes them."""
    by_hand = _BY_HAND.get(op.name)
    if by_hand is not None:
        return by_hand()
    if op.domain is None and op.name.endswith("_update"):
        return _rule(op)
    rng = np.random.default_rng(0)
    for dtype in (dtypes.float64, dtypes.int64, dtypes.bool_, dtypes.complex128):
        for s in samples(op, dtype, rng):
            if all(a.size for a in s.arrays) and (any(a.ndim for a in s.arrays) or not s.arrays):
                return Case(*s, _parts(op(*s.inputs, **s.attrs)))
    raise LookupError(f"op {op.name!r} has no domain, and no sample in docs/website/samples.py")


def names_of(op: Op, count: int) -> list[str]:
    """What the op's definition calls its inputs."""
    for f, skip in ((op.formula or op.reference, 0), (op.gradient, 2)):
        try:
            parameters = list(inspect.signature(f).parameters.values()) if f else []
        except ValueError:  # one of NumPy's
            continue
        plain = [p.name for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD][skip:]
        if len(plain) >= count and plain[:1] != ["x1"]:
            return [n.rstrip("_") for n in plain[:count]]
    return ["x", "a", "b", "c"][:count] if count < 5 else [f"x_{i}" for i in range(count)]


def _parts(y: Node) -> tuple[Node, ...]:
    return (y,) if isinstance(y.type, TensorType) else ops.items(y)


def _inputs(*values: Any) -> tuple[tuple[Node, ...], tuple[np.ndarray, ...]]:
    arrays = tuple(np.asarray(v) for v in values)
    nodes = tuple(
        ops.input(index=i, shape=a.shape, dtype=dtypes.from_numpy(a.dtype))
        for i, a in enumerate(arrays)
    )
    return nodes, arrays


def _rule(op: Op) -> Case:
    """An optimiser's rule: tensors of three elements, numbers as they usually are."""
    rng = np.random.default_rng(0)
    assert op.formula is not None
    values: list[Any] = []
    attrs: dict[str, Any] = {}
    shape = (3, 3) if op.name in ("adafactor_update", "muon_update") else (3,)
    for p in inspect.signature(inspect.unwrap(op.formula)).parameters.values():
        if p.kind is p.KEYWORD_ONLY:
            attrs[p.name] = _USUAL[p.name]
        elif p.name in _TENSORS or p.name in _SHAPES:
            values.append(rng.uniform(0.1, 1, _SHAPES.get(p.name, shape)).round(2))
        else:
            values.append(np.float64(rng.uniform(0.1, 0.9)).round(2))
    inputs, arrays = _inputs(*values)
    return Case(inputs, arrays, attrs, _parts(op(*inputs, **attrs)))


def _input() -> Case:
    nodes, arrays = _inputs([0.5, -1.0, 2.0])
    return Case(nodes, arrays, {}, nodes)


def _const() -> Case:
    return Case((), (), {"value": 2.5, "dtype": dtypes.float64}, (ops.const(2.5, dtypes.float64),))


def _item() -> Case:
    nodes, arrays = _inputs([0.5, -1.0, 2.0])
    return Case(nodes, arrays, {"index": 0}, (ops.item(ops.sort(*nodes, axis=0), 0),))


def _boundary() -> Case:
    nodes, arrays = _inputs([0.5, -1.0], [2.0, 3.0])
    made = registry["boundary"](*nodes, outputs=1, index=0)
    return Case(nodes, arrays, {"outputs": 1, "index": 0}, _parts(made))


def _lane() -> Case:
    nodes, arrays = _inputs(np.array([7, 0]), np.array(0.0))
    return Case(nodes, arrays, {"base": 0}, (registry["lane"](*nodes, base=0),))


_BY_HAND: dict[str, Callable[[], Case]] = {
    "input": _input, "const": _const, "item": _item, "boundary": _boundary, "lane": _lane,
}  # fmt: skip
