"""Loops that stay loops, and the parts of what has several parts.

    scan(carry…, xs…, constants…) {body, carries, sequences, reverse} → (final carry…, stacked
    outputs…)

The body is a graph (carry…, one step of xs…, constants…) → (next carry…, outputs…). `reverse` runs
from the last step to the first; whatever is stacked keeps its place in time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from chainrule.dtypes import DType
from chainrule.errors import GraphError
from chainrule.ir.cost import nothing, steps
from chainrule.ir.graph import Graph
from chainrule.ir.interpret import interpret
from chainrule.ir.node import Node, TensorType
from chainrule.ir.op import Domain, Op
from chainrule.ops.core import input


def _item_type(x: Node, *, index: int) -> TensorType:
    if isinstance(x.type, TensorType):
        raise GraphError(f"item of {x}, which has one part only")
    return x.type[index]


def _item(x: Any, *, index: int) -> np.ndarray:
    return np.asarray(x[index])


_item_op = Op(
    "item",
    infer=_item_type,
    reference=_item,
    flops=nothing,
    tex="{0}_{{{index}}}",
    doc="One part of a value with several.",
    wide=False,
)


def item(x: Node, index: int) -> Node:
    """Part `index` of a node with several."""
    return _item_op.make((x,), (("index", index),))


def items(x: Node) -> tuple[Node, ...]:
    """All parts."""
    return tuple(item(x, i) for i in range(len(x.type)))


def _boundary_type(*inputs: Node, outputs: int, index: int) -> tuple[TensorType, ...]:
    return tuple(TensorType(x.shape, x.dtype) for x in inputs[:outputs])


def _boundary(*inputs: np.ndarray, outputs: int, index: int) -> tuple[np.ndarray, ...]:
    return inputs[:outputs]


boundary = Op(
    "boundary",
    infer=_boundary_type,
    reference=_boundary,
    wide=False,
    flops=nothing,
    tex="{0}",
    doc="The first `outputs` inputs, as results of a function of the others whose gradient the "
    "user wrote.",
)


def _scan_type(
    *inputs: Node, body: Graph, carries: int, sequences: int, reverse: bool
) -> tuple[TensorType, ...]:
    length = _length(inputs, carries, sequences)
    for given, formal in zip(inputs, body.inputs, strict=True):
        is_sequence = carries <= body.inputs.index(formal) < carries + sequences
        shape = given.shape[1:] if is_sequence else given.shape
        if (shape, given.dtype) != (formal.shape, formal.dtype):
            raise GraphError(f"scan: body input {formal.type} is given {given.type}")
    for start, end in zip(body.inputs[:carries], body.outputs[:carries], strict=False):
        if start.type != end.type:
            raise GraphError(f"scan: a carry starts as {start.type} and goes on as {end.type}")
    stacked = tuple(TensorType((length, *o.shape), o.dtype) for o in body.outputs[carries:])
    return tuple(TensorType(o.shape, o.dtype) for o in body.outputs[:carries]) + stacked


def _length(inputs: Sequence[Any], carries: int, sequences: int) -> int:
    lengths = {x.shape[0] for x in inputs[carries : carries + sequences]}
    if len(lengths) != 1:
        raise GraphError(f"scan needs sequences of one length, got lengths {sorted(lengths)}")
    return int(lengths.pop())


def run_scan(
    step: Callable[[list[Any]], list[Any]],
    inputs: Sequence[np.ndarray],
    types: Sequence[TensorType],
    carries: int,
    sequences: int,
    reverse: bool,
) -> tuple[np.ndarray, ...]:
    """The loop itself: `step` takes the body's inputs and gives its outputs."""
    length = _length(inputs, carries, sequences)
    carry = list(inputs[:carries])
    xs, constants = inputs[carries : carries + sequences], list(inputs[carries + sequences :])
    stacked = [np.empty((length, *t.shape), t.dtype.np) for t in types[carries:]]
    for t in range(length - 1, -1, -1) if reverse else range(length):
        out = step([*carry, *(x[t] for x in xs), *constants])
        carry = out[:carries]
        for place, value in zip(stacked, out[carries:], strict=True):
            place[t] = value
    return (*carry, *stacked)


def _scan(
    *inputs: np.ndarray, body: Graph, carries: int, sequences: int, reverse: bool
) -> tuple[np.ndarray, ...]:
    def step(values: list[Any]) -> list[Any]:
        return interpret(body.outputs, dict(zip(body.inputs, values, strict=True)))

    types = [TensorType(o.shape, o.dtype) for o in body.outputs]
    return run_scan(step, inputs, types, carries, sequences, reverse)


def _sample(dtype: DType) -> dict[str, Any]:
    """h ← h · x + c, y = h · c: what the tests sample."""
    h, x, c = (input(index=i, shape=(2,), dtype=dtype, scope="arg") for i in range(3))
    new = h * x + c
    return {
        "body": Graph((h, x, c), (new, new * c)),
        "carries": 1,
        "sequences": 1,
        "reverse": False,
    }


scan_op = Op(
    "scan",
    infer=_scan_type,
    reference=_scan,
    flops=steps,
    tex=r"\operatorname{{scan}}",
    doc="""s_t, y_t = body(s_{t−1}, x_t, c) for t = 1 … T: the last s, and all y_t

    A loop that stays one: `carries` values go from step to step, `sequences` are read one slice a
    step, the rest is the same in all of them. The gradient of a loop is a loop that runs the other
    way (`autodiff/loops.py`).
    """,
    wide=False,
    domain=Domain(
        (-3, 3),
        dtypes="float complex",
        cases=[
            ((2,), (3, 2), (2,), _sample),
            ((2,), (3, 2), (2,), lambda d: {**_sample(d), "reverse": True}),
        ],
    ),
)


def scan(
    step: Callable[..., tuple[Sequence[Node], Sequence[Node]]],
    carry: Sequence[Node],
    xs: Sequence[Node],
    constants: Sequence[Node] = (),
    reverse: bool = False,
) -> tuple[tuple[Node, ...], tuple[Node, ...]]:
    """Record a loop: step(carry, x, constants) → (next carry, outputs); gives (final carry, stacked
    outputs).
    """
    formal: list[Node] = []
    for x in carry:
        formal.append(input(index=len(formal), shape=x.shape, dtype=x.dtype, scope="arg"))
    for x in xs:
        formal.append(input(index=len(formal), shape=x.shape[1:], dtype=x.dtype, scope="arg"))
    for x in constants:
        formal.append(input(index=len(formal), shape=x.shape, dtype=x.dtype, scope="arg"))
    n, m = len(carry), len(xs)
    ends, outs = step(tuple(formal[:n]), tuple(formal[n : n + m]), tuple(formal[n + m :]))
    body = Graph(formal, (*ends, *outs))
    parts = items(make_scan((*carry, *xs, *constants), body, n, m, reverse))
    return parts[:n], parts[n:]


def make_scan(
    inputs: Sequence[Node], body: Graph, carries: int, sequences: int, reverse: bool
) -> Node:
    """The node itself, from a body that is a graph already."""
    attrs = (("body", body), ("carries", carries), ("sequences", sequences), ("reverse", reverse))
    return scan_op.make(tuple(inputs), attrs)
