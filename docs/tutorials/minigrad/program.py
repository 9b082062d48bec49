"""A graph as a Python function: one line for every node, compiled once.

>>> from minigrad.ops import sum_to
>>> x = variable(name="x", shape=(2, 3))
>>> step = compile([sum_to(x * x + 1, shape=())], kernels=False)
>>> print(step.source)
def program(x):
    v1 = x * x
    v2 = v1 + 1.0
    v3 = sum_to(v2, ())
    return [v3]
>>> step({x: np.ones((2, 3))})
[np.float64(12.0)]
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from .loops import Kernel, groups
from .node import Node, topological, users
from .ops import const, fold, variable
from .simplify import number, simplify


class Program:
    """The source of a function, and the function."""

    def __init__(self, source: str, inputs: list[Node], kernels: dict[str, Kernel]) -> None:
        self.source, self.inputs, self.kernels = source, inputs, kernels
        space: dict[str, Any] = {"np": np, "sum_to": fold(np.sum), "max_to": fold(np.max)}
        space |= kernels
        exec(source, space)
        self.run = space["program"]

    def __call__(self, values: Mapping[Node, np.ndarray]) -> list[np.ndarray]:
        return self.run(*(values[n] for n in self.inputs))


def compile(outputs: Sequence[Node], kernels: bool = True) -> Program:
    """Write the program of a graph; with `kernels`, elementwise parts as loops of machine code."""
    outputs = simplify(outputs)
    inside, found = groups(outputs) if kernels else (numbers(outputs), {})
    inputs: list[Node] = []
    names: dict[Node, str] = {}
    lines: list[str] = []
    for n in topological(outputs):
        if n in inside:
            names[n] = repr(number(n))
        elif n.op is variable:
            inputs.append(n)
            names[n] = n.attrs["name"]
        else:
            names[n] = f"v{len(lines) + 1}"
            reads = [names[i] for i in (found[n].reads if n in found else n.inputs)]
            call = f"{found[n].name}({', '.join(reads)})" if n in found else ""
            lines.append(f"    {names[n]} = {call or n.op.numpy.format(*reads, **n.attrs)}")
    head = f"def program({', '.join(names[n] for n in inputs)}):"
    tail = f"    return [{', '.join(names[n] for n in outputs)}]"
    return Program("\n".join([head, *lines, tail]), inputs, {k.name: k for k in found.values()})


def numbers(outputs: Sequence[Node]) -> set[Node]:
    """Numbers that need no line of their own: NumPy repeats them by itself."""
    reads = users(outputs)
    return {
        n for n in reads
        if number(n) is not None and n not in outputs
        and (n.op is const or all(u.op.elementwise for u in reads[n]))
    }  # fmt: skip
