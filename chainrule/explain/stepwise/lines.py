"""Back-propagation, line by line: the values of the forward pass, then ∂L/∂· from L back to the
parameters, every line with its rule, its numbers and two checks.

    local   the rule of one op, against differences of that op alone, for a random cotangent
    total   ∂L/∂x, against differences of everything behind x

A wrong rule fails locally where it is. What is computed with its result is off in total, too, and
says from which line that follows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from chainrule.errors import GradientError
from chainrule.explain.stepwise.checks import Check, check
from chainrule.explain.stepwise.formulas import How, Symbols, Written, partial
from chainrule.explain.stepwise.rules import custom_values, outputs_of, rule_of
from chainrule.explain.stepwise.tape import Step, Tape, cost
from chainrule.ir.node import Node, TensorType

_HOW: tuple[How, ...] = ("symbols", "numbers", "text")

SINGLE = 1e-4  # the tolerance where a rule of the user's computes in float32


class Forward(NamedTuple):
    """A line of the forward pass: name = formula = numbers = value. `text` is `numbers` for
    terminals.
    """

    node: Node
    step: Step
    name: str
    formula: Written
    numbers: Written
    text: Written
    value: np.ndarray


class Term(NamedTuple):
    """What one user of a value gives to its cotangent: by its rule, with numbers, checked."""

    user: Step
    operand: int
    names: tuple[str, ...]  # of the user's results
    formula: Written
    numbers: Written
    text: Written
    value: np.ndarray
    check: Check


class Backward(NamedTuple):
    """A line of the backward pass: ∂L/∂name, the sum of its terms.

    status   "agrees", "kink", "wrong" (a rule is), "follows" (from the lines `because`), "differs"
             (no rule is wrong, but their sum is), "none" (no finite numbers)
    """

    node: Node
    name: str
    terms: tuple[Term, ...]
    value: np.ndarray
    check: Check
    status: str
    because: tuple[str, ...]

    @property
    def title(self) -> str:
        """∂L/∂name"""
        return partial(self.name)

    @property
    def chain(self) -> str:
        """The chain rule for this value, as TeX."""
        if not self.terms:
            return "1"
        users = dict.fromkeys(n for t in self.terms for n in t.names)
        return " + ".join(rf"{partial(u)} \cdot {partial(self.name, u)}" for u in users)


def forward_lines(tape: Tape, symbols: Symbols) -> list[Forward]:
    """Every value that is computed, in order."""
    out = []
    for s in tape.steps:
        n = s.node
        if n in symbols.fixed or n.op.name == "input" or not isinstance(n.type, TensorType):
            continue
        formula, numbers, text = (symbols.forward(s, how) for how in _HOW)
        name, value = symbols.names[n], np.asarray(tape.values[n])
        out.append(Forward(n, s, name, formula, numbers, text, value))
    return out


class BackwardPass:
    """Walks the steps in reverse order and writes a line for every value that L depends on."""

    def __init__(
        self, tape: Tape, symbols: Symbols, wanted: Sequence[Node], tolerance: float
    ) -> None:
        self.tape, self.symbols, self.tolerance = tape, symbols, tolerance
        self.active = _active(tape, wanted)
        self.cotangents: dict[Node, np.ndarray] = {}
        self.terms: dict[Node, list[Term]] = {}
        self.narrow: set[Node] = set()  # cotangents with less than float64's digits
        self.lines: list[Backward] = []
        self._bad: dict[Node, tuple[str, ...]] = {}  # value → lines that are at fault
        self._rng = np.random.default_rng(0)
        if tape.loss not in self.active:
            raise GradientError(
                "the loss does not depend on any parameter through values that carry a gradient: "
                "is everything detached, or are there no parameters?"
            )
        for s in reversed(tape.steps):
            if s.node in self.active:
                self._visit(s)

    def _visit(self, s: Step) -> None:
        n = s.node
        if n is self.tape.loss:
            self.cotangents[n] = np.ones(n.shape)
        elif isinstance(n.type, TensorType):
            terms = self.terms.get(n)
            if not terms:
                return
            self.cotangents[n] = _sum([t.value for t in terms])
        if isinstance(n.type, TensorType):
            self._line(n)
        if n.op.name not in ("item", "input"):
            self._pass_on(s)

    def _pass_on(self, s: Step) -> None:
        outputs = self.tape.outputs_of(s.node)
        flowing = {i: o for i, o in outputs.items() if o in self.cotangents}
        if not flowing:
            return
        values = [self.tape.values[i] for i in s.inputs]
        cts = {i: self.cotangents[o] for i, o in flowing.items()}
        by_node = {o: self.cotangents[o] for o in flowing.values()}
        random = {i: self._random(o) for i, o in flowing.items()}
        narrow = any(o in self.narrow for o in flowing.values())
        tolerance = self.tolerance
        rule = None
        if s.custom is not None:
            parts, single = custom_values(s, cts)
            claims, _ = custom_values(s, random)
            narrow = narrow or single
            tolerance = max(tolerance, SINGLE) if single else tolerance
        else:
            rule = rule_of(s, list(flowing))
            if rule is None:
                return
            y = self.tape.values[s.node]
            parts, claims = rule.values(values, y, cts), rule.values(values, y, random)
        names = tuple(self.symbols.names[o] for o in flowing.values())
        for k, (i, part) in enumerate(zip(s.inputs, parts, strict=True)):
            if part is None or i not in self.active:
                continue
            if rule is None:
                written = [self.symbols.custom(s, by_node, k, how) for how in _HOW]
            else:
                written = [self.symbols.part(s, rule, k, by_node, how) for how in _HOW]
            formula, numbers, text = written
            found = self._local(s, k, values, random, claims[k], tolerance)
            term = Term(s, k, names, formula, numbers, text, part, found)
            self.terms.setdefault(i, []).append(term)
            if narrow:
                self.narrow.add(i)

    def _random(self, n: Node) -> np.ndarray:
        """A cotangent for checking a rule; nothing where a value is infinite, as in a mask."""
        value = self.tape.values[n]
        return np.where(np.isfinite(value), self._rng.standard_normal(value.shape), 0.0)

    def _local(
        self,
        s: Step,
        k: int,
        values: list[np.ndarray],
        random: Mapping[int, np.ndarray],
        claim: np.ndarray | None,
        tolerance: float,
    ) -> Check:
        """The rule of this op alone, for a random cotangent."""
        whole = len(outputs_of(s.node)) == 1 and isinstance(s.node.type, TensorType)

        def value(x: np.ndarray) -> float:
            out = self.tape.run(s, [*values[:k], x, *values[k + 1 :]])
            parts = (out,) if whole else out
            return sum(float(np.vdot(r, _finite(parts[i], r))) for i, r in random.items())

        claimed = np.zeros(values[k].shape) if claim is None else claim
        return check(value, values[k], claimed, tolerance, cost(s))

    def _line(self, n: Node) -> None:
        terms = tuple(self.terms.get(n, ()))
        value, count = self.tape.loss_with(n)
        tolerance = max(self.tolerance, SINGLE) if n in self.narrow else self.tolerance
        ct = self.cotangents[n]
        found = check(value, np.asarray(self.tape.values[n]), ct, tolerance, max(count, 1))
        name = self.symbols.names[n]
        behind = [o for t in terms for o in self.tape.outputs_of(t.user.node).values()]
        causes = tuple(dict.fromkeys(c for o in behind for c in self._bad.get(o, ())))
        if any(t.check.verdict == "differs" for t in terms):
            status = "wrong"
            causes = (name,)
        elif found.verdict == "differs":
            kinks = (name,) if any(t.check.verdict == "kink" for t in terms) else ()
            status = "follows" if causes else "kink" if kinks else "differs"
            causes = causes or kinks or (name,)
        else:
            local = [t.check.verdict for t in terms]
            status = found.verdict
            if status == "agrees" and "none" in local:
                status = "none"
            causes = tuple(dict.fromkeys((*causes, name))) if "kink" in (*local, status) else causes
        if causes:
            self._bad[n] = causes
        because = tuple(c for c in causes if c != name) if status == "follows" else ()
        self.lines.append(Backward(n, name, terms, ct, found, status, because))


def _finite(value: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Without what has no weight, which may be infinite."""
    return np.where(weight == 0.0, 0.0, value)


def _sum(parts: list[np.ndarray]) -> np.ndarray:
    total = parts[0]
    for p in parts[1:]:
        total = total + p
    return np.asarray(total, np.float64)


def _active(tape: Tape, wanted: Sequence[Node]) -> set[Node]:
    """The values between `wanted` and the loss through which a gradient flows."""
    found = set(wanted)
    for s in tape.steps:
        n = s.node
        if n in found or n.op.name == "stop_gradient":
            continue
        kinds = outputs_of(n)
        if any(t.dtype.is_floating_point for t in kinds) and any(i in found for i in s.inputs):
            found.add(n)
    return found
