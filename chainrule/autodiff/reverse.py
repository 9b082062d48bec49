"""Reverse mode: from an output back to everything that it depends on.

    for every node y = f(x₁, …, xₙ), users before inputs:   x̄ᵢ += ȳ · ∂f/∂xᵢ

The result is a graph over the same nodes, so it can be differentiated again, simplified and
compiled like any other. A composite without a gradient of its own is differentiated through its
formula.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from chainrule.errors import GradientError
from chainrule.ir.graph import children, topological
from chainrule.ir.node import Node, TensorType
from chainrule.ir.op import Op
from chainrule.ops import add, reshape, sum
from chainrule.ops.core import cast, zeros_like

Watch = Mapping[Node, Callable[[Node], Any]]


class Walk:
    """One walk of other rules than the chain rule's, from outputs to `active` nodes."""

    def pull(self, g: Any, node: Node) -> Mapping[Node, Node] | None:
        """What a node whose own is `g` passes on, and to which nodes below it; None: nothing."""
        raise NotImplementedError


class Rules:
    """Rules that a walk follows in place of the chain rule's: what an op passes on, and which
    composites are seen as their formula. Rules that are equal find each other's results again.
    """

    def opens(self, op: Op) -> bool:
        """Whether a composite is walked through its formula."""
        return op.gradient is None and not op.is_primitive

    def begin(self, order: Sequence[Node], active: set[Node]) -> Walk:
        """A walk over `order` (inputs before users), of which `active` depends on what is asked."""
        raise NotImplementedError

    def through(self, node: Node) -> tuple[Node, ...]:
        """`through`, for these rules."""
        if self.opens(node.op):
            out = node.op.expand(node)
            return out if isinstance(out, tuple) else (out,)
        if node.op.name == "item" and self.opens(node.inputs[0].op):
            source = node.inputs[0]
            return (source.op.expand(source)[node.attr("index")],)
        return children(node)


def through(node: Node) -> tuple[Node, ...]:
    """What a node's gradient flows to: its inputs, or the formula of a composite that has no
    gradient of its own.
    """
    if node.op.gradient is None and not node.op.is_primitive:
        out = node.op.expand(node)
        return out if isinstance(out, tuple) else (out,)
    if node.op.name == "item":
        source = node.inputs[0]
        if not source.op.is_primitive and source.op.gradient is None:
            return (source.op.expand(source)[node.attr("index")],)
    return children(node)


def sum_to(g: Node, shape: tuple[int, ...]) -> Node:
    """Undo broadcasting: add up what was repeated."""
    if g.shape == shape:
        return g
    lead = len(g.shape) - len(shape)
    over = tuple(range(lead)) + tuple(
        i + lead for i, n in enumerate(shape) if n == 1 and g.shape[i + lead] != 1
    )
    g = sum(g, axis=over, keepdim=False) if over else g
    return g if g.shape == shape else reshape(g, shape=shape)


class Derivative:
    """The gradients of some outputs, and which forward values their graph reads.

    gradients  one node (or None: does not depend) for each of `wrt`
    order      the forward nodes that the gradient passed through, inputs before users
    met        what those who watch were shown, and what they answered: (node, cotangent, answer)
    walk       of other rules than the chain rule's: what they noted on the way
    """

    __slots__ = (
        "_below", "_read_from", "_readers", "_residuals", "gradients", "met", "order", "produced",
        "walk",
    )  # fmt: skip

    def __init__(
        self,
        gradients: list[Node | None],
        order: list[Node],
        produced: dict[Node, tuple[Any, list[Node]]],
        met: list[tuple[Node, Any, Any]],
        walk: Walk | None = None,
    ) -> None:
        self.walk = walk
        self.gradients, self.order, self.produced, self.met = gradients, order, produced, met
        self._residuals: list[Node] | None = None
        self._readers: dict[Node, set[Node]] | None = None
        self._below: set[Node] | None = None
        self._read_from: dict[Node, list[tuple[Node, set[Node]]]] | None = None

    def _forward(self) -> set[Node]:
        """All that was computed before, with the parts of it that only the gradient looks at."""
        forward = set(topological(self.order, below=_forward_below))
        grads = [g for g in self.gradients if g is not None]
        for m in topological(grads, stop=lambda n: n in forward):
            if m.op.name == "item" and m.inputs[0] in forward:
                forward.add(m)
        return forward

    def readers(self) -> dict[Node, set[Node]]:
        """Forward value → the forward nodes whose rule reads it (PyTorch: what they 'saved for
        backward').
        """
        if self._readers is None:
            forward = self._forward()
            needed = _needed([g for g in self.gradients if g is not None], forward)
            found: dict[Node, set[Node]] = {}
            for node, (g, made) in self.produced.items():
                # up to its own cotangent: what is behind that was read by the rules of its users
                for m in topological(made, stop=_is_among(forward, g)):
                    if m is g:
                        continue
                    for i in m.inputs:
                        if (
                            i in forward
                            and m not in forward
                            and m in needed
                            and i.op.name != "const"
                        ):
                            found.setdefault(i, set()).add(node)
            self._readers = found
        return self._readers

    def read_from(self) -> dict[Node, list[tuple[Node, set[Node]]]]:
        """The base of a value → what of it is read (itself, views of it), and by whom."""
        if self._read_from is None:
            found: dict[Node, list[tuple[Node, set[Node]]]] = {}
            for n, readers in self.readers().items():
                root = n
                while root.op.put is not None:
                    root = root.inputs[0]
                found.setdefault(root, []).append((n, readers))
            self._read_from = found
        return self._read_from

    def reading(self) -> set[Node]:
        """Forward nodes on whose path something was saved: a second pass over them would need freed
        values.
        """
        if self._below is None:
            savers = {n for users in self.readers().values() for n in users}
            for node in self.order:
                if node not in savers and any(i in savers for i in through(node)):
                    savers.add(node)
            self._below = savers
        return self._below

    def residuals(self) -> list[Node]:
        """Forward values that the gradients read and that are not inputs: what a program must keep
        for later. Of what only shows a value again, perhaps many times (the windows of a
        convolution), the value is kept.
        """
        if self._residuals is None:
            self._residuals = self._find_residuals()
        return self._residuals

    def _find_residuals(self) -> list[Node]:
        forward = self._forward()
        found: dict[Node, None] = {}
        read = topological(
            [g for g in self.gradients if g is not None], stop=lambda n: n in forward
        )
        stack = [m for m in reversed(read) if m in forward]
        while stack:
            m = stack.pop()
            if m.op.name in _SHOWN:
                stack.extend(m.inputs)
            elif m.op.name not in ("input", "const", "iota"):
                found[m] = None
        return list(found)


#: Moves that have all of their operand in their result.
_SHOWN = frozenset({"windows", "pad", "broadcast_to", "reshape", "permute"})


def _is_among(forward: set[Node], g: Any) -> Callable[[Node], bool]:
    return lambda n: n in forward or n is g


def _forward_below(node: Node) -> tuple[Node, ...]:
    return (*through(node), *node.inputs)


def _needed(grads: list[Node], forward: set[Node]) -> set[Node]:
    return set(topological(grads, stop=lambda n: n in forward))


_memo: dict[tuple[Any, ...], Derivative] = {}
#: How many derivatives were worked out, rather than found again (a test counts them).
derived = 0


def derivative(
    outputs: Sequence[Node],
    cotangents: Sequence[Node],
    wrt: Sequence[Node],
    watch: Watch | None = None,
    rules: Rules | None = None,
) -> Derivative:
    """d(Σ outputsᵢ · cotangentsᵢ)/d(wrt), found again when the same nodes come again.

    With `rules`, what these pass on in place of the derivative.

    `watch` maps forward nodes to functions that see (and may replace) the cotangent when it is
    complete: hooks. Each is called once, every time; only if one answers otherwise than before is
    the rest derived anew.
    """
    key: tuple[Any, ...] = (tuple(outputs), tuple(cotangents), tuple(wrt), *(watch or ()))
    if rules is not None:
        key = (rules, *key)
    found = _memo.get(key)
    answers: dict[Node, Any] = {}
    if found is None or (watch and not _met_again(found, watch, answers)):
        if len(_memo) > 4096:
            _memo.clear()
        found = _memo[key] = _derive(outputs, cotangents, wrt, watch or {}, answers, rules)
    return found


def _met_again(found: Derivative, watch: Watch, answers: dict[Node, Any]) -> bool:
    """Ask those who watch as they were asked before; whether all answer as before."""
    for node, g, before in found.met:
        answers[node] = now = watch[node](g)
        if now != before:
            return False
    return True


def gradients(output: Node, wrt: Sequence[Node]) -> list[Node]:
    """Gradients of a scalar node; zeros where it does not depend. For formulas and tests."""
    found = derivative([output], [zeros_like(output) + 1], wrt).gradients
    return [zeros_like(x) if g is None else g for g, x in zip(found, wrt, strict=True)]


def _derive(
    outputs: Sequence[Node],
    cotangents: Sequence[Node],
    wrt: Sequence[Node],
    watch: Watch,
    answers: Mapping[Node, Any],
    rules: Rules | None,
) -> Derivative:
    """`answers`: of those who watch, and were asked already."""
    global derived
    derived += 1
    below = through if rules is None else rules.through
    order = topological(outputs, below=below)
    targets = set(wrt) | watch.keys()
    active: set[Node] = set()
    for node in order:
        if node in targets or (
            node.op.name != "stop_gradient" and any(i in active for i in below(node))
        ):
            active.add(node)
    walk = None if rules is None else rules.begin(order, active)
    pending: dict[Node, Any] = {}
    for y, g in zip(outputs, cotangents, strict=True):
        _accumulate(pending, y, g)
    produced: dict[Node, tuple[Any, list[Node]]] = {}
    complete: dict[Node, Node] = {}
    met: list[tuple[Node, Any, Any]] = []
    for node in reversed(order):
        g = pending.pop(node, None)
        if g is None or node not in active:
            continue
        if node in watch:
            shown = g
            g = answers[node] if node in answers else watch[node](shown)
            met.append((node, shown, g))
            if isinstance(g, dict):  # a custom function: it says where its gradients go
                for target, contribution in g.items():
                    _accumulate(pending, target, contribution)
                continue
        if isinstance(node.type, TensorType):
            complete[node] = g
        produced[node] = g, _step(node, g, below(node), active, pending, walk)
    found = [complete.get(x) for x in wrt]
    return Derivative(found, [n for n in order if n in active], produced, met, walk)


def _step(
    node: Node,
    g: Any,
    inputs: tuple[Node, ...],
    active: set[Node],
    pending: dict[Node, Any],
    walk: Walk | None,
) -> list[Node]:
    """Pass the cotangent of one node on to `inputs`; gives the nodes that its rule made."""
    if not any(i in active for i in inputs):
        return []
    if (
        inputs is not node.inputs and inputs != node.inputs
    ):  # through a formula: the same value, the same cotangent
        parts = g if isinstance(g, dict) else {0: g}
        for i, part in parts.items():
            _accumulate(pending, inputs[i], part)
        return []
    if node.op.name == "item":
        index = node.attr("index")
        slot = pending.setdefault(node.inputs[0], {})
        slot[index] = add(slot[index], g) if index in slot else g
        return []
    if walk is not None:
        shares = walk.pull(g, node) or {}
        for x, part in shares.items():
            _accumulate(pending, x, part)
        return list(shares.values())
    if node.op.gradient is None:
        if all(i.dtype.is_differentiable for i in node.inputs if i in active):
            raise GradientError(
                f"{node.op.name} has no derivative; take detach() of its input if it should count "
                "as a constant"
            )
        return []
    made = []
    for x, part in zip(node.inputs, node.op.pull(g, node), strict=True):
        if part is None or x not in active or not x.dtype.is_differentiable:
            continue
        part = cast(sum_to(part, x.shape), x.dtype)
        made.append(part)
        _accumulate(pending, x, part)
    return made


def _accumulate(pending: dict[Node, Any], x: Node, g: Node) -> None:
    have = pending.get(x)
    pending[x] = g if have is None else add(have, g)


def placeholder(y: Node, index: int) -> Node:
    """A cotangent that is not known yet."""
    return y.op.registry["input"].make(
        (), (("index", index), ("shape", y.shape), ("dtype", y.dtype), ("scope", "ct"))
    )
