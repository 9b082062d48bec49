"""The rule of one step: cotangents of its operands from its own, as a graph and as numbers.

The rule is what `derivative` gives for the step alone, over operands that know nothing of each
other. Steps with the same op, attributes and shapes share it.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from chainrule import ops
from chainrule.autodiff import derivative
from chainrule.autodiff.reverse import placeholder
from chainrule.explain.stepwise.tape import Program, Step, Value, alone
from chainrule.ir.graph import topological
from chainrule.ir.node import Node, TensorType
from chainrule.tensor import Tensor
from chainrule.tensor.creation import from_numpy


class Rule(NamedTuple):
    """operands, result(s) and cotangents as inputs of graphs; `parts`: one cotangent for each
    operand (None: none flows).
    """

    operands: tuple[Node, ...]
    result: Node
    cotangents: Mapping[int, Node]
    parts: tuple[Node | None, ...]

    def values(
        self, inputs: Sequence[Value], result: Value, cotangents: Mapping[int, np.ndarray]
    ) -> list[np.ndarray | None]:
        """The parts as numbers."""
        program, given = _program(self)
        known: dict[Node, Value] = dict(zip(self.operands, inputs, strict=True))
        known[self.result] = result
        known.update((self.cotangents[i], v) for i, v in cotangents.items())
        found = iter(program(*(known[n] for n in given)))
        return [None if p is None else next(found) for p in self.parts]


@functools.lru_cache(maxsize=1024)
def _compiled(parts: tuple[Node, ...], given: tuple[Node, ...]) -> Program:
    return Program(parts, given)


def _program(rule: Rule) -> tuple[Program, tuple[Node, ...]]:
    given = (*rule.operands, rule.result, *rule.cotangents.values())
    return _compiled(tuple(p for p in rule.parts if p is not None), given), given


def outputs_of(n: Node) -> list[TensorType]:
    """The types of a node's parts; one for what has one."""
    return [n.type] if isinstance(n.type, TensorType) else list(n.type)


def rule_of(step: Step, flowing: Sequence[int]) -> Rule | None:
    """The rule of a step whose outputs `flowing` have cotangents; None where no gradient flows."""
    n = step.node
    if n.op.name == "stop_gradient" or not any(i.dtype.is_differentiable for i in _tensors(step)):
        return None
    formal = tuple(
        ops.input(index=k, shape=i.shape, dtype=i.dtype, scope="formal")
        if isinstance(i.type, TensorType)
        else i
        for k, i in enumerate(step.inputs)
    )
    y = alone(step, formal)
    whole = isinstance(y.type, TensorType)
    parts = {i: y if whole else ops.item(y, i) for i in flowing}
    cts = {i: placeholder(p, i) for i, p in parts.items()}
    found = derivative(list(parts.values()), [cts[i] for i in parts], formal).gradients
    return Rule(formal, y, cts, tuple(found))


def _tensors(step: Step) -> list[Node]:
    return [i for i in step.inputs if isinstance(i.type, TensorType)]


def custom_values(
    step: Step, cotangents: Mapping[int, np.ndarray]
) -> tuple[list[np.ndarray | None], bool]:
    """Cotangents by a `backward` of the user's, and whether it computed in less than float64."""
    custom = step.custom
    assert custom is not None
    given: list[Tensor | None] = []
    single = False
    kinds = [i.dtype for i in custom.inputs]
    narrow = next((d for d in kinds if d.is_floating_point), kinds[0])
    for i, t in enumerate(outputs_of(step.node)):
        value = cotangents.get(i)
        if value is None:
            value = np.zeros(t.shape) if custom.fills is None or custom.fills() else None
        given.append(None if value is None else from_numpy(value.astype(narrow.np)))
    out: list[np.ndarray | None] = []
    for g in custom.call(given):
        array = None if g is None else np.asarray(g.detach().numpy())
        single = single or (array is not None and array.dtype != np.float64)
        out.append(None if array is None else array.astype(np.float64))
    return out, single


def reads(rule: Rule, part: Node) -> set[Node]:
    """Which operands, results and cotangents a part of a rule reads."""
    known = {*rule.operands, rule.result, *rule.cotangents.values()}
    return set(topological([part], stop=lambda m: m in known)) & known
