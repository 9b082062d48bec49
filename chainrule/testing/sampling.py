"""Arguments for an op, drawn from its `Domain`.

>>> import numpy as np
>>> from chainrule import dtypes, ops
>>> sample = samples(ops.matmul, dtypes.float32, np.random.default_rng(0))[0]
>>> [str(x.type) for x in sample.inputs]
['f32[3, 4]', 'f32[4, 2]']
"""

from __future__ import annotations

import inspect
import math
from typing import Any, NamedTuple

import numpy as np

from chainrule import dtypes, ops
from chainrule.dtypes import BOOL, DType
from chainrule.ir.node import Node
from chainrule.ir.op import Op

#: Shapes for an elementwise op of one, two or three arguments, broadcasting and empty ones among
#: them.
_ELEMENTWISE: dict[int, tuple[tuple[tuple[int, ...], ...], ...]] = {
    1: (((3, 4),), ((),), ((0, 3),)),
    2: (((3, 4), (3, 4)), ((3, 1), (4,)), ((), (2, 3)), ((2, 3), ()), ((0, 3), (1,))),
    3: (((3, 4), (3, 4), (3, 4)), ((3, 1), (4,), ()), ((0, 3), (1,), (3,))),
}


class Sample(NamedTuple):
    """One call: graph inputs, a value for each, attributes."""

    inputs: tuple[Node, ...]
    arrays: tuple[np.ndarray, ...]
    attrs: dict[str, Any]


def samples(op: Op, dtype: DType, rng: np.random.Generator) -> list[Sample]:
    """All cases of the op's domain, with data of this dtype; none if the op does not take it."""
    domain = op.domain
    if domain is None or dtype not in domain.types:
        return []
    return [_draw(domain.intervals, case, dtype, rng) for case in domain.cases or _shapes(op)]


def _shapes(op: Op) -> list[tuple[Any, ...]]:
    assert op.domain is not None
    return [(*s, {}) for s in _ELEMENTWISE[len(op.domain.intervals)]]


def _draw(intervals: tuple[Any, ...], case: Any, dtype: DType, rng: np.random.Generator) -> Sample:
    *shapes, attrs = case
    if len(intervals) == 1:
        intervals = intervals * len(shapes)
    nodes, arrays = [], []
    for index, (over, shape) in enumerate(zip(intervals, shapes, strict=True)):
        array, of = _values(over, shape, dtype, rng)
        nodes.append(ops.input(index=index, shape=shape, dtype=of))
        arrays.append(array)
    return Sample(
        tuple(nodes), tuple(arrays), dict(attrs(dtype) if inspect.isfunction(attrs) else attrs)
    )


def _values(
    over: Any, shape: tuple[int, ...], dtype: DType, rng: np.random.Generator
) -> tuple[np.ndarray, DType]:
    if over == "bool":
        return rng.random(shape) < 0.5, dtypes.bool_
    if isinstance(over, int):
        return np.asarray(rng.integers(0, over, shape, dtype=np.int64)), dtypes.int64
    if over == "matrix":  # values on the diagonal that are far apart, small ones beside it
        array = rng.uniform(-0.4, 0.4, shape)
        if len(shape) > 1:
            far = np.arange(2, 2 + 1.5 * shape[-1], 1.5)[: shape[-1]]
            array += np.eye(shape[-2], shape[-1]) * far
        if dtype.is_complex:
            array = array + 1j * rng.uniform(-0.3, 0.3, shape)
        return np.asarray(array).astype(dtype.np), dtype
    low, high = over
    if dtype.category == BOOL:
        return np.asarray(rng.random(shape) < 0.5), dtype
    if dtype.is_floating_point:
        return np.asarray(rng.uniform(low, high, shape)).astype(dtype.np), dtype
    if dtype.is_complex:  # imaginary parts keep away from the axis, where functions have cuts
        sign = rng.choice((-1, 1), shape)
        z = rng.uniform(low, high, shape) + 1j * sign * rng.uniform(0.2, 1, shape)
        return np.asarray(z).astype(dtype.np), dtype
    first, last = math.ceil(low), math.floor(high)
    if not dtype.is_signed:
        first = max(first, 0)
    return np.asarray(rng.integers(first, max(last, first) + 1, shape)).astype(dtype.np), dtype
