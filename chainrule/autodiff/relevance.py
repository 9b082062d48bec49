"""Other things that are passed back over a graph than the derivative: relevance, guided gradients.

Both are the walk of `reverse.py` with other rules. Relevance follows the rule that an op keeps
beside its gradient (`Op.relevance`); where it has none, an activation passes on all it is given,
a composite is its formula, and everything else follows its gradient, which is right for what is
linear.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chainrule.autodiff.loops import backwards
from chainrule.autodiff.reverse import Rules, Walk, sum_to
from chainrule.ir.node import Node
from chainrule.ir.op import Op, registry
from chainrule.ops.core import cast, zeros_like
from chainrule.ops.loop import scan_op
from chainrule.ops.relevance import ZERO, Affine, How, Share, base_of, identity, pulled


def is_activation(op: Op) -> bool:
    """Whether an op is a function of one number."""
    return op.elementwise and op.domain is not None and len(op.domain.intervals) == 1


@dataclass(frozen=True)
class Relevance(Rules):
    """Layer-wise relevance propagation: c = R / y for every value y.

    dense, conv   how products share out, and products that read windows (convolutions)
    stop          nodes that pass nothing on: something else is done with what they are given
    means         inputs that are no weights but means over places (pooling, resampling): products
                  with them share out in proportion
    """

    dense: Share = ZERO
    conv: Share = ZERO
    stop: frozenset[Node] = frozenset()
    means: frozenset[Node] = frozenset()

    def opens(self, op: Op) -> bool:
        return not op.is_primitive and op.relevance is None and not is_activation(op)

    def begin(self, order: Sequence[Node], active: set[Node]) -> Relevances:
        return Relevances(self, order, active)


class Relevances(Walk):
    """One walk. `shares`: node → what it passed on, and to which nodes below it."""

    def __init__(self, rules: Relevance, order: Sequence[Node], active: set[Node]) -> None:
        self.rules, self.active = rules, active
        self.users: dict[Node, list[Node]] = {}
        for node in order:
            if node in active:
                for x in set(rules.through(node)):
                    self.users.setdefault(x, []).append(node)
        self.shares: dict[Node, dict[Node, Node]] = {}

    def pull(self, g: Any, node: Node) -> Mapping[Node, Node] | None:
        if node in self.rules.stop:
            return None
        parts = self._parts(g, node)
        out: dict[Node, Node] = {}
        if parts is not None:
            for x, part in parts:
                if x in self.active and x.dtype.is_differentiable:
                    part = cast(sum_to(part, x.shape), x.dtype)
                    out[x] = out[x] + part if x in out else part
        self.shares[node] = out
        return out

    def _parts(self, g: Any, node: Node) -> list[tuple[Node, Node]] | None:
        op, inputs = node.op, node.inputs
        active = tuple(x in self.active for x in inputs)
        if op is scan_op:
            found: Any = backwards(
                g, inputs, rules=self._inside(), active=active, **dict(node.attrs)
            )
        else:
            rule = op.relevance
            if rule is None and is_activation(op):
                rule = identity
            if rule is not None:
                how = How(op, active, self.share(node), lambda: self.affine(node))
                found = op.pull(g, node, rule, how=how)
            elif op.gradient is not None:
                found = op.pull(g, node)
            else:
                return None
        if len(found) == 1 and isinstance(found[0], dict):
            ((i, (plus, minus)),) = found[0].items()
            return [_by_sign(inputs[i], plus, minus)]
        return [(x, part) for x, part in zip(inputs, found, strict=True) if part is not None]

    def _inside(self) -> Relevance:
        """The rules of the body of a loop."""
        return Relevance(self.rules.dense, self.rules.conv)  # of its own inputs nothing is known

    def share(self, node: Node) -> Share:
        """How a product shares out."""
        if any(base_of(x)[0] in self.rules.means for x in node.inputs):
            return ZERO
        return self.rules.conv if reads_windows(node) else self.rules.dense

    def affine(self, z: Node) -> Affine:
        """What comes after a product and is linear, with constants (a bias, batch
        norm), belongs to it: undone from the end of it, the value is z with all that was added.
        """
        steps: list[Node] = []
        top = z
        while len(users := self.users.get(top, [])) == 1:
            (user,) = users
            if user.op.name in _AFFINE or user.op.name in ("reshape", "permute"):
                others = [x for x in user.inputs if x is not top]
                if len(user.inputs) > len(others) + 1 or any(x in self.active for x in others):
                    break
                if user.op.name == "sub" and user.inputs[0] is not top:
                    break
                if user.op.name == "div" and user.inputs[0] is not top:
                    break
                if user.op.name in _AFFINE and user.shape != top.shape:
                    break
                steps.append(user)
            elif self.rules.through(user) != (top,) or not self.rules.opens(user.op):
                break
            top = user
        total, end = top, top
        sign: Node | None = None
        where, signum = registry["where"], registry["sign"]
        for step in reversed(steps):
            if step.op.name in ("reshape", "permute"):
                (total,), (end,) = step.op.pull(total, step), step.op.pull(end, step)
                sign = None if sign is None else step.op.pull(sign, step)[0]
            elif step.op.name in ("mul", "div"):
                below = step.inputs[0]
                by = step.inputs[1] if below in self.active else step.inputs[0]
                safe = where(registry["eq"](by, 0), 1, by)
                total = total / safe if step.op.name == "mul" else total * by
                spread = signum(by) + zeros_like(step)
                sign = spread if sign is None else sign * spread
        return Affine(total, sign, end)


_AFFINE = ("add", "sub", "mul", "div")


def reads_windows(node: Node) -> bool:
    """Whether a product reads an operand through windows: a convolution."""
    return node.op.name == "contract" and any(x.op.name == "windows" for x in node.inputs)


def _by_sign(x: Node, plus: Node, minus: Node) -> tuple[Node, Node]:
    """What is given to x⁺ and to x⁻, given to the value whose elements x shows."""
    base, moves = base_of(x)
    if plus is minus:
        return base, pulled(plus, moves)
    return base, registry["where"](base >= 0, pulled(plus, moves), pulled(minus, moves))


# ---------------------------------------------------------------------- guided gradients


def _is_zero(x: Node) -> bool:
    while x.op.name in ("broadcast_to", "cast"):
        x = x.inputs[0]
    return x.op.name == "const" and x.attr("value") == 0


def rectified(node: Node) -> Node | None:
    """The x of max(x, 0), however it is written; None: it is something else."""
    name, xs = node.op.name, node.inputs
    if name == "relu":
        return xs[0]
    if name in ("maximum", "clamp_min", "clamp"):
        if _is_zero(xs[1]):
            return xs[0]
        return xs[1] if name == "maximum" and _is_zero(xs[0]) else None
    if name == "hardtanh" and node.attr("low") == 0:
        return xs[0]
    if name == "where" and _is_zero(xs[2]) and xs[0].op.name in ("gt", "ge"):
        a, b = xs[0].inputs
        return xs[1] if a is xs[1] and _is_zero(b) else None
    return None


@dataclass(frozen=True)
class Guided(Rules):
    """The chain rule, but a rectified unit passes on only what is positive.

    forward   and only where its input was positive: guided back-propagation (Springenberg et al.
              2014). False: the deconvolutional network (Zeiler and Fergus 2013)
    """

    forward: bool = True

    def begin(self, order: Sequence[Node], active: set[Node]) -> GuidedWalk:
        return GuidedWalk(self, active)


class GuidedWalk(Walk):
    """One walk. `met`: the rectified units that it came over."""

    def __init__(self, rules: Guided, active: set[Node]) -> None:
        self.rules, self.active = rules, active
        self.met: list[Node] = []

    def pull(self, g: Any, node: Node) -> Mapping[Node, Node] | None:
        x = rectified(node)
        found: Any
        if x is not None and x in self.active:
            self.met.append(node)
            positive = registry["maximum"](g, 0)
            found = node.op.pull(positive, node) if self.rules.forward else _only(node, x, positive)
        elif node.op is scan_op:
            active = [i in self.active for i in node.inputs]
            found = backwards(g, node.inputs, rules=self.rules, active=active, **dict(node.attrs))
        elif node.op.gradient is None:
            return None
        else:
            found = node.op.pull(g, node)
        out: dict[Node, Node] = {}
        for i, part in zip(node.inputs, found, strict=True):
            if part is not None and i in self.active and i.dtype.is_differentiable:
                part = cast(sum_to(part, i.shape), i.dtype)
                out[i] = out[i] + part if i in out else part
        return out


def _only(node: Node, x: Node, g: Node) -> list[Node | None]:
    return [g if i is x else None for i in node.inputs]
