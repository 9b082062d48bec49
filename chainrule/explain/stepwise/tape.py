"""A recorded loss as steps in float64: what back-propagation is shown on, and checked on.

The steps are the nodes of the graph that runs. Loops over time are written out step by step, layers
that consist of a loop or of attention are opened; everything else stays one step, with the
derivative of its op as its rule. Draws of random numbers keep the values they have in the model's
own precision, and are data here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from chainrule import ops
from chainrule.dtypes import DType, float64
from chainrule.errors import DtypeError
from chainrule.ir.graph import Graph, substitute, topological
from chainrule.ir.interpret import below, interpret
from chainrule.ir.node import Node, TensorType
from chainrule.tensor.backward import CustomFunction
from chainrule.tensor.creation import from_numpy

#: A loop with more steps than this times its body stays one step.
UNROLLED = 400

#: What shows its operand, or a row of it, in another form.
_FORMS = frozenset({"reshape", "broadcast_to", "cast"})

Value = Any  # an array, or a tuple of arrays


class When(NamedTuple):
    """Which part of a loop's body a step is, and at which time (from 1)."""

    loop: Node
    part: Node
    state: int | None  # which state the part is at the end of the step
    time: int


class Step(NamedTuple):
    """One node with its operands: its inputs, or what these only show in another form. `custom`: a
    function whose gradient the user wrote.
    """

    node: Node
    inputs: tuple[Node, ...]
    custom: CustomFunction | None = None


class Program:
    """Nodes as functions of some others, to be evaluated many times by the reference."""

    def __init__(self, outputs: Sequence[Node], given: Sequence[Node]) -> None:
        known = set(given)
        order = [n for n in topological(outputs, below, lambda n: n in known) if n not in known]
        place = {n: i for i, n in enumerate(given)}
        self._work: list[tuple[int, Node, list[int]]] = []
        for n in order:
            inside = below(n)
            if not n.op.is_primitive and isinstance(n.type, TensorType):
                place[n] = place[inside[0]]
                continue
            place[n] = len(given) + len(self._work)
            self._work.append((place[n], n, [place[i] for i in inside]))
        self._size = len(given) + len(self._work)
        self._outputs = [place[o] for o in outputs]

    def __call__(self, *arrays: Value) -> list[Value]:
        values: list[Value] = [*arrays, *[None] * (self._size - len(arrays))]
        for to, n, places in self._work:
            inputs = [values[i] for i in places]
            values[to] = n.op.evaluate(n, inputs) if n.op.is_primitive else tuple(inputs)
        return [values[i] for i in self._outputs]


class Tape:
    """The steps of a graph, inputs first, and all their values.

    steps    with their operands; `values` has what `evaluate` computed
    loss     the node that is differentiated
    given    new input → the recorded one
    source   node → the recorded node that it comes from
    when     node → its place in a loop that was written out
    """

    def __init__(
        self,
        loss: Node,
        arrays: Mapping[Node, np.ndarray],
        customs: Mapping[Node, CustomFunction],
    ) -> None:
        self._arrays, self._customs = arrays, customs
        self.given: dict[Node, Node] = {}
        self.source: dict[Node, Node] = {}
        self.when: dict[Node, When] = {}
        self.values: dict[Node, Value] = {}
        self._custom_steps: dict[Node, Step] = {}
        self._inputs: dict[Node, Node] = {}
        self._programs: dict[Node, Program] = {}
        self._rows: set[Node] = set()
        self._shown: dict[Node, tuple[Node, ...]] = {}
        (self.loss,) = self._copy([loss], {}, None, None)
        self._shown = self._absorbed()
        self.steps = [self.step(n) for n in topological([self.loss], lambda n: self.step(n).inputs)]
        self._items: dict[Node, dict[int, Node]] = {}
        for s in self.steps:
            if s.node.op.name == "item":
                self._items.setdefault(s.node.inputs[0], {})[s.node.attr("index")] = s.node

    def evaluate(self) -> None:
        """Compute all values."""
        with np.errstate(all="ignore"):
            for s in self.steps:
                if s.node not in self.values:
                    self.values[s.node] = self.run(s, [self.values[i] for i in s.inputs])

    def _absorbed(self) -> dict[Node, tuple[Node, ...]]:
        """The operands of nodes that take something in another form, which nobody else takes."""
        order = topological([self.loss], lambda n: self.step(n).inputs)
        users: dict[Node, int] = {}
        for n in order:
            for i in self.step(n).inputs:
                users[i] = users.get(i, 0) + 1
        inside: dict[Node, tuple[Node, ...]] = {}
        found: dict[Node, tuple[Node, ...]] = {}
        for n in order:
            step = self.step(n)
            if step.custom is None and isinstance(n.type, TensorType) and n.op.name != "item":
                ins = tuple(j for i in step.inputs for j in inside.get(i, (i,)))
                if ins != step.inputs:
                    found[n] = ins
                if users.get(n) == 1 and self._shows(n, inside):
                    inside[n] = ins
        return found

    def _shows(self, n: Node, inside: Mapping[Node, object]) -> bool:
        """Whether a node is nothing but a parameter, a number or a row in another form."""
        if n.op.name not in _FORMS and n not in self._rows:
            return False
        x = n.inputs[0]
        return n.op.name == "cast" or n in self._rows or x.op.name == "input" or x in inside

    def outputs_of(self, n: Node) -> dict[int, Node]:
        """The parts of a value that are used; itself, if it has one."""
        return {0: n} if isinstance(n.type, TensorType) else self._items.get(n, {})

    def step(self, n: Node) -> Step:
        """The step that gives a value."""
        return self._custom_steps.get(n) or Step(n, self._shown.get(n, n.inputs))

    # ------------------------------------------------------------------ values

    def program(self, step: Step) -> Program:
        """The function of one step alone."""
        n = step.node
        found = self._programs.get(n)
        if found is None:
            if step.custom is not None:
                outs = n.inputs[: n.attr("outputs")]
                found = Program(outs, step.inputs)
            else:
                found = Program([n], step.inputs)
            self._programs[n] = found
        return found

    def run(self, step: Step, arrays: Sequence[Value]) -> Value:
        """The value of one step, given those of its inputs."""
        n = step.node
        if step.custom is not None:
            return self._anew(step, arrays)
        if n.op.name == "passing_to" and n in self.values:
            _, x = step.inputs  # a value that stands in for x, and moves as x does
            return self.values[n] + (arrays[1] - self.values[x])
        if n.op.is_primitive and step.inputs == n.inputs:
            return n.op.evaluate(n, arrays)
        return self.program(step)(*arrays)[0]

    def _anew(self, step: Step, arrays: Sequence[Value]) -> tuple[np.ndarray, ...]:
        """The outputs of a function of the user's: by what it recorded, or by calling it."""
        n, custom = step.node, step.custom
        assert custom is not None
        inside = topological(n.inputs[: n.attr("outputs")])
        if custom.again is None or not set(step.inputs).isdisjoint(inside):
            return tuple(self.program(step)(*arrays))
        made = custom.again(*(from_numpy(np.array(a)) for a in arrays))
        return tuple(np.asarray(t.detach().numpy(), np.float64) for t in made)

    def loss_with(self, x: Node) -> tuple[Callable[[np.ndarray], float], int]:
        """The loss as a function of one value, the others as they are; and about how many
        operations it takes.

        What was detached (`stop_gradient`) stays what it was, as the gradient has it.
        """
        touched = {x}
        later: list[Step] = []
        for s in self.steps:
            if s.node.op.name == "stop_gradient" or s.node is x:
                continue
            if any(i in touched for i in s.inputs):
                touched.add(s.node)
                later.append(s)
        base, loss = self.values, self.loss

        def value(array: np.ndarray) -> float:
            new: dict[Node, Value] = {x: array}
            for s in later:
                new[s.node] = self.run(s, [new[i] if i in new else base[i] for i in s.inputs])
            return float(new[loss])

        return value, sum(map(cost, later))

    # ------------------------------------------------------------------ writing the graph anew

    def _copy(
        self,
        outputs: Sequence[Node],
        mapping: dict[Node, Any],
        owner: Node | None,
        at: tuple[Node, int, Graph] | None,
    ) -> list[Any]:
        """`outputs` in float64 over what `mapping` says; `owner` is the recorded node behind it."""
        for n in topological(outputs, stop=lambda n: n in mapping):
            if n in mapping:
                continue
            new = mapping[n] = self._one(n, [mapping[i] for i in n.inputs], owner or n)
            if isinstance(new, Node):
                self.source.setdefault(new, owner or n)
                if at is not None and new.op.name not in ("const", "input"):
                    loop, time, body = at
                    carries = loop.attr("carries")
                    state = body.outputs.index(n) if n in body.outputs[:carries] else None
                    self.when.setdefault(new, When(loop, n, state, time))
        return [mapping[o] for o in outputs]

    def _one(self, n: Node, inputs: list[Any], owner: Node) -> Any:
        name = n.op.name
        if name == "input":
            return self._input(n)
        if name == "item" and isinstance(inputs[0], tuple):
            return inputs[0][n.attr("index")]
        if name == "boundary" and n in self._customs:
            return self._custom(n, inputs)
        if name.startswith("random") or name == "permutation":
            return self._drawn(n, inputs)
        if name == "scan" and _length(n) * len(topological(n.attr("body").outputs)) <= UNROLLED:
            return self._unrolled(n, inputs, owner)
        if not n.op.is_primitive and _is_opened(n):
            inside = n.op.expand(n)
            parts = self._copy(
                inside if isinstance(inside, tuple) else (inside,),
                dict(zip(n.inputs, inputs, strict=True)),
                owner,
                None,
            )
            return tuple(parts) if isinstance(inside, tuple) else parts[0]
        return n.op.make(tuple(inputs), tuple((k, self._attribute(v)) for k, v in n.attrs))

    def _attribute(self, v: Any) -> Any:
        if isinstance(v, DType):
            return widened(v)
        if isinstance(v, Graph):
            formal = [_input_like(i) for i in v.inputs]
            inner = dict(zip(v.inputs, formal, strict=True))
            return Graph(formal, self._copy(v.outputs, inner, None, None))
        return v

    def _input(self, n: Node) -> Node:
        found = self._inputs.get(n)
        if found is None:
            if n not in self._arrays:
                raise ValueError(f"the value of an input of type {n.type} is not known any more")
            found = self._inputs[n] = _input_like(n)
            self.given[found] = n
            self.values[found] = np.asarray(self._arrays[n]).astype(found.dtype.np)
        return found

    def _drawn(self, n: Node, inputs: list[Node]) -> Node:
        """A draw, in the precision of the model, as data."""
        found = self._inputs.get(n)
        if found is None:
            known = {i: v for i, v in self._arrays.items() if i in set(topological([n]))}
            (value,) = interpret([n], known)
            found = self._inputs[n] = _input_like(n, 10**6 + len(self._inputs))
            self.given[found] = n
            self.values[found] = np.asarray(value).astype(found.dtype.np)
        return found

    def _custom(self, n: Node, inputs: list[Node]) -> Node:
        """A function whose gradient the user wrote: one step, though its inside is detached."""
        count = n.attr("outputs")
        ins = n.inputs[count:]
        inner = dict(zip(ins, inputs[count:], strict=True))
        region = topological(n.inputs[:count], stop=lambda m: m in inner)
        for m in region:
            if m.op.name == "stop_gradient" and m not in inner and _depends(m, set(ins)):
                self._copy(m.inputs, inner, n, None)
                inner[m] = inner[m.inputs[0]]
        outs = self._copy(n.inputs[:count], inner, n, None)
        new = n.op.make((*outs, *inputs[count:]), n.attrs)
        self._custom_steps[new] = Step(new, tuple(inputs[count:]), self._customs[n])
        return new

    def _unrolled(self, n: Node, inputs: list[Node], owner: Node) -> tuple[Node, ...]:
        body: Graph = n.attr("body")
        carries, sequences = n.attr("carries"), n.attr("sequences")
        states, fixed = list(inputs[:carries]), inputs[carries + sequences :]
        stacked: list[dict[int, Node]] = [{} for _ in body.outputs[carries:]]
        length = _length(n)
        for t in range(length - 1, -1, -1) if n.attr("reverse") else range(length):
            xs = [self._at(x, t) for x in inputs[carries : carries + sequences]]
            given = [*states, *xs, *fixed]
            mapping = dict(zip(body.inputs, given, strict=True))
            for formal, x in zip(body.inputs[carries:], xs, strict=False):
                self.source.setdefault(x, owner)
                self.when.setdefault(x, When(n, formal, None, t + 1))
            outs = self._copy(body.outputs, mapping, owner, (n, t + 1, body))
            states = outs[:carries]
            for place, o in zip(stacked, outs[carries:], strict=True):
                place[t] = o
        whole = []
        for p in stacked:
            rows = [ops.reshape(p[t], shape=(1, *p[t].shape)) for t in range(length)]
            self._rows.update(rows)
            whole.append(ops.cat(*rows, axis=0))
            self.source.setdefault(whole[-1], owner)
        return (*states, *whole)

    def _at(self, x: Node, t: int) -> Node:
        """Element t of a sequence."""
        rest = x.shape[1:]
        zeros, ones = (0,) * len(rest), (1,) * len(rest)
        row = ops.slice(x, start=(t, *zeros), stop=(t + 1, *rest), step=(1, *ones))
        self._rows.add(row)
        return ops.reshape(row, shape=rest)


def cost(step: Step) -> int:
    """About how many operations a step is."""
    n = step.node
    if n.op.name != "scan":
        return 1
    return _length(n) * len(topological(n.attr("body").outputs, below))


def alone(step: Step, operands: Sequence[Node]) -> Node:
    """The step over other operands."""
    n = step.node
    if step.inputs == n.inputs:
        return n.op.make(tuple(operands), n.attrs)
    return substitute([n], dict(zip(step.inputs, operands, strict=True)))[0]


def _depends(n: Node, roots: set[Node]) -> bool:
    return any(m in roots for m in topological([n]))


def _length(scan: Node) -> int:
    return int(scan.inputs[scan.attr("carries")].shape[0])


def _is_opened(n: Node) -> bool:
    """Whether it consists of a loop or of rows of probabilities: its gradient speaks of these."""
    if n.op.name in ("softmax", "log_softmax", "cross_entropy_rows", "logsumexp"):
        return False
    inside = n.op.expand(n)
    parts = topological(inside if isinstance(inside, tuple) else (inside,), lambda m: m.inputs)
    before = set(topological(n.inputs))
    inner = {m.op.name for m in parts if m not in before}
    return n.op.name == "recomputed" or not inner.isdisjoint({"scan", "softmax", "recomputed"})


def widened(d: DType) -> DType:
    """float64 for every floating-point type."""
    if d.is_complex:
        raise DtypeError(
            "backprop shows real numbers, and this graph has complex ones; take view_as_real() "
            "of them, or check the gradient with autograd.gradcheck"
        )
    return float64 if d.is_floating_point else d


def _input_like(n: Node, index: int | None = None) -> Node:
    attrs = dict(n.attrs)
    scope = attrs.get("scope")
    at = attrs["index"] if index is None else index
    kind = {} if scope is None else {"scope": scope}
    return ops.input(index=at, shape=n.shape, dtype=widened(n.dtype), **kind)
