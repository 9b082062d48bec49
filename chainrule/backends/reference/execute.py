"""A decomposed graph as a list of NumPy calls, each with the places that it reads and the one that
it writes.

A place is emptied after its last reader, so that memory is returned as early as it can be.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from chainrule.ir.graph import topological
from chainrule.ir.node import Node, TensorType
from chainrule.ops.loop import run_scan
from chainrule.rewrite.decompose import decompose


class Instruction(NamedTuple):
    """One call: place[out] = run(place[i] for i in ins), then the places in `free` are emptied."""

    run: Callable[..., Any]
    ins: tuple[int, ...]
    out: int
    free: tuple[int, ...]
    node: Node


class Executable:
    """What runs: bound inputs in, arrays out."""

    __slots__ = ("constants", "inputs", "instructions", "outputs", "places")

    def __init__(
        self,
        inputs: list[tuple[int, int]],
        constants: list[tuple[int, np.ndarray]],
        instructions: list[Instruction],
        outputs: list[int],
        places: int,
    ) -> None:
        self.inputs, self.constants, self.instructions = inputs, constants, instructions
        self.outputs, self.places = outputs, places

    def __call__(self, arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Values of the outputs; `arrays[i]` is input number i."""
        place: list[Any] = [None] * self.places
        for index, at in self.inputs:
            place[at] = arrays[index]
        for at, value in self.constants:
            place[at] = value
        for run, ins, out, free, _ in self.instructions:
            place[out] = run(*[place[i] for i in ins])
            for i in free:
                place[i] = None
        return [place[i] for i in self.outputs]


def run_once(
    outputs: Sequence[Node], order: Sequence[Node], arrays: Sequence[np.ndarray]
) -> list[np.ndarray]:
    """The values of a graph without any plan. `order`: all nodes and the formulas of composites,
    inputs before users (`topological` with `interpret.below`).
    """
    values: dict[Node, Any] = {}
    with np.errstate(all="ignore"):
        for node in order:
            op = node.op
            if op.name == "input":
                values[node] = arrays[node.attr("index")]
            elif op.is_primitive:
                values[node] = op.evaluate(node, [values[i] for i in node.inputs])
            else:
                out = op.expand(node)
                one = not isinstance(out, tuple)
                values[node] = values[out] if one else tuple(values[o] for o in out)
    return [values[o] for o in outputs]


def build(outputs: Sequence[Node]) -> Executable:
    """Plan a graph; composites that are left in it become their formulas."""
    outputs = decompose(outputs)
    order = topological(outputs)
    place = {n: i for i, n in enumerate(order)}
    last: dict[Node, Node] = {}
    for node in order:
        for i in node.inputs:
            last[i] = node
    keep = set(outputs)
    inputs, constants, instructions = [], [], []
    for node in order:
        if node.op.name == "input":
            inputs.append((node.attr("index"), place[node]))
        elif node.op.name == "const":
            constants.append((place[node], node.op.evaluate(node, ())))
        else:
            dead = tuple(
                place[i] for i in dict.fromkeys(node.inputs) if last[i] is node and i not in keep
            )
            instructions.append(
                Instruction(
                    _runner(node), tuple(place[i] for i in node.inputs), place[node], dead, node
                )
            )
    return Executable(inputs, constants, instructions, [place[o] for o in outputs], len(order))


def _runner(node: Node) -> Callable[..., Any]:
    if node.op.name == "scan":
        return _scan_runner(node)
    op = node.op
    plain = isinstance(node.type, TensorType) and not any(
        isinstance(i.type, TensorType) and i.dtype.itemsize == 2 and i.dtype.is_floating_point
        for i in node.inputs
    )
    if not plain:
        return lambda *arrays: op.evaluate(node, arrays)
    reference, attrs, want = op.reference, dict(node.attrs), node.dtype.np
    assert reference is not None

    def run(*arrays: np.ndarray) -> np.ndarray:
        out = reference(*arrays, **attrs)
        if type(out) is np.ndarray and out.dtype == want:
            return out
        return np.asarray(out, want)

    return run


def _scan_runner(node: Node) -> Callable[..., Any]:
    """The loop's body, planned once and called for every step."""
    body = node.attr("body")
    step = _function(body.inputs, body.outputs)
    types = [TensorType(o.shape, o.dtype) for o in body.outputs]
    carries, sequences, reverse = node.attr("carries"), node.attr("sequences"), node.attr("reverse")

    def run(*arrays: np.ndarray) -> tuple[np.ndarray, ...]:
        return run_scan(step, arrays, types, carries, sequences, reverse)

    return run


def _function(inputs: Sequence[Node], outputs: Sequence[Node]) -> Executable:
    """A graph with formal inputs, called with their values in order."""
    order = {n: i for i, n in enumerate(inputs)}
    built = build(outputs)
    by_place = {at: n for n, at in zip(topological(outputs), range(built.places), strict=True)}
    built.inputs = [(order[by_place[at]], at) for _, at in built.inputs]
    return built
