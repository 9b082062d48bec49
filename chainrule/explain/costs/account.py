"""What a recorded model costs: operations, bytes and what is kept, by the layer that causes them.

An `Account` is of one pass, or of one training step. Every value of its graph has a *home*: the
call of the layer in which it came up, and whether the forward pass needs it or the gradient.

    flops, macs   the rules that stand beside the ops, over the primitives of each home
    moved         bytes that a home's values are computed from and that others need of them, each
                  once: what has to be read and written if all of the layer is one kernel
    kept          bytes of the forward values that the gradient reads: autodiff tells which

What is only shown in another form (reshaped, sliced, repeated, in windows) is moved where it is
used, as much as is used of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from chainrule.autodiff import derivative
from chainrule.autodiff.reverse import Derivative, placeholder
from chainrule.explain.costs.custom import Rule, watch
from chainrule.explain.observe import Call, Observation
from chainrule.ir.cost import FREE, Cost, below, cost
from chainrule.ir.graph import topological
from chainrule.ir.node import Node, TensorType

#: What shows its first operand, or a part of it, and computes nothing.
_SHOWS = frozenset(
    {
        "reshape", "permute", "broadcast_to", "slice", "diagonal", "windows", "strided",
        "stop_gradient", "copy", "passing_to", "argument", "after",
    }
)  # fmt: skip
#: What reads only the places of its first operand that it gives.
_PICKS = frozenset({"take", "take_along"})


class Home(NamedTuple):
    """Where a value belongs: the call of a layer (None: outside of all), and which pass."""

    call: Call | None
    backward: bool


@dataclass
class Share:
    """What one home costs."""

    cost: Cost = FREE
    moved: int = 0
    kept: int = 0
    nodes: list[Node] = field(default_factory=list)


class Reading(NamedTuple):
    """A value that is read, as `seen` (itself, or a view of it that is `shown`)."""

    source: Node
    shown: Node
    nbytes: int


def nbytes(node: Node) -> int:
    """Bytes of a node's value, all parts together."""
    types = (node.type,) if isinstance(node.type, TensorType) else node.type
    total = 0
    for t in types:
        n = t.dtype.itemsize
        for size in t.shape:
            n *= size
        total += n
    return total


class Account:
    """The graph of what was observed, with its gradient if `training`, sorted by homes.

    outputs     what the model gives, and what it writes into its own state
    gradients   one for each of `wrt`, from cotangents that stand for the loss's (`cotangents`)
    order       all values that are computed and are no views, inputs before users
    inputs      what a program of it takes: data, parameters, random states, cotangents
    """

    def __init__(
        self,
        seen: Observation,
        outputs: Sequence[Node],
        state: Sequence[Node] = (),
        wrt: Sequence[Node] = (),
        training: bool = False,
        rules: Sequence[Rule] = (),
    ) -> None:
        self.seen, self.training, self.rules = seen, training, rules
        self.results = list(outputs)
        self.outputs = [*outputs, *(n for n in state if n.op.name != "input")]
        self.derivative = self._derive(wrt) if wrt else None
        made = self.derivative.gradients if self.derivative is not None else []
        self.gradients = [g for g in made if g is not None]
        self._given: dict[Node, bool] = {}
        self.homes: dict[Node, Home] = {}
        self._settle_forward()
        self._settle_backward()
        wanted = topological([*self.outputs, *self.gradients])
        self.inputs = [n for n in wanted if n.op.name == "input"]
        self.order = [n for n in wanted if self.is_computed(n) and n.op.name not in _SHOWS]
        self.readings = {n: self._readings(n) for n in self.order}
        self.shares: dict[Home, Share] = {}
        self._count()
        self._weigh()
        self._keep()

    def _derive(self, wrt: Sequence[Node]) -> Derivative | None:
        roots = [
            n
            for n in dict.fromkeys(self.results)
            if isinstance(n.type, TensorType) and n.dtype.is_differentiable
        ]
        self.cotangents = [placeholder(n, i) for i, n in enumerate(roots)]
        forward = topological(roots, below=_all_below)
        written = watch(self.seen, self.rules, forward)
        return derivative(roots, self.cotangents, wrt, written) if roots else None

    # ------------------------------------------------------------------ homes

    def _settle_forward(self) -> None:
        for node in topological(self.outputs):
            self._take([node], Home(self.seen.origin(node).call, False))

    def _settle_backward(self) -> None:
        if self.derivative is None:
            return
        for node, (g, made) in self.derivative.produced.items():
            home = Home(self.homes[node].call if node in self.homes else None, True)
            own = list(g.values()) if isinstance(g, dict) else [g]
            self._take([*own, *made], home)
        for node, _, answer in self.derivative.met:  # rules that the user wrote
            self._take(list(answer.values()), Home(self.homes[node].call, True))
        self._take(self.gradients, Home(None, True))

    def _take(self, nodes: Sequence[Node], home: Home) -> None:
        """What is below these nodes and has no home yet; a part is at home where the whole is."""
        for n in topological(nodes, below=_all_below, stop=self.homes.__contains__):
            if n not in self.homes:
                self.homes[n] = self.homes[n.inputs[0]] if n.op.name == "item" else home

    def is_computed(self, node: Node) -> bool:
        """Whether something that is not known beforehand goes into a value, and it is no input."""
        if node not in self._given:
            for n in topological([node], stop=self._given.__contains__):
                if n not in self._given:
                    self._given[n] = n.op.name != "input" and all(self._given[i] for i in n.inputs)
        return node.op.name != "input" and not self._given[node]

    # ------------------------------------------------------------------ what is read

    def source(self, node: Node) -> Node:
        """The value that a view shows."""
        while node.op.name in _SHOWS:
            node = node.inputs[0]
        return node

    def _readings(self, node: Node) -> list[Reading]:
        """What a value is computed from, through views, as much of each as is looked at."""
        found = []
        for k, shown in enumerate(node.inputs):
            source, size = shown, nbytes(shown)
            while source.op.name in _SHOWS:
                source = source.inputs[0]
                size = min(size, nbytes(source))
            if source.op.name != "input" and not self.is_computed(source):
                continue
            if k == 0 and node.op.name in _PICKS:
                size = min(size, nbytes(node))
            found.append(Reading(source, shown, size))
        return found

    # ------------------------------------------------------------------ sums

    def share(self, home: Home) -> Share:
        """What one home costs."""
        return self.shares.setdefault(home, Share())

    def _count(self) -> None:
        """Operations: every primitive once."""
        varying: set[Node] = set()
        for n in topological([*self.outputs, *self.gradients], below=below):
            if n.op.name == "input" or any(i in varying for i in below(n)):
                varying.add(n)
                if n.op.is_primitive and n in self.homes:
                    share = self.share(self.homes[n])
                    share.cost += cost(n)

    def _weigh(self) -> None:
        """Bytes: what comes from other homes, and what others (or the user) need, each once."""
        reads: dict[Home, dict[Node, dict[Node, int]]] = {}
        needed: dict[Node, None] = {}
        for n in self.order:
            home = self.homes[n]
            self.share(home).nodes.append(n)
            for source, shown, size in self.readings[n]:
                if source.op.name == "input" or self.homes[source] != home:
                    reads.setdefault(home, {}).setdefault(source, {})[shown] = size
                    needed[source] = None
        for home, sources in reads.items():
            for source, views in sources.items():
                self.share(home).moved += min(sum(views.values()), nbytes(source))
        for n in (*self.outputs, *self.gradients):
            needed[self.source(n)] = None
        for n in needed:
            if self.is_computed(n):
                self.share(self.homes[n]).moved += nbytes(n)

    def _keep(self) -> None:
        if self.derivative is None:
            return
        values = {_value(n): n for n in self.derivative.residuals()}
        for value, n in values.items():
            if self.is_computed(n):
                self.share(self.homes.get(value, self.homes[n])).kept += nbytes(value)


def _all_below(node: Node) -> tuple[Node, ...]:
    """Formulas and inputs: both are the forward pass's."""
    if node.op.is_primitive:
        return node.inputs
    return (*below(node), *node.inputs)


def _value(node: Node) -> Node:
    """The primitive that a value is."""
    while True:
        inner = below(node)
        formula = not node.op.is_primitive or (
            node.op.name == "item" and not node.inputs[0].op.is_primitive
        )
        if not formula or len(inner) != 1:
            break
        node = inner[0]
    while node.op.name in ("stop_gradient", "copy", "passing_to"):
        node = node.inputs[0]
    return node
