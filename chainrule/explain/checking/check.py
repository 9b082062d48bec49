"""`chainrule.check`: is the gradient the derivative of the loss, and do both backends agree?

Nothing here knows a layer. What the model did is a graph; the graph is evaluated in double
precision at places around the parameters (with the same random numbers, the same masks), and its
slopes are compared with what the chain rule says. Where they differ, the rules of all nodes are
tried one by one.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from chainrule import compiler, ops
from chainrule.autodiff import Derivative, derivative
from chainrule.backends import reference
from chainrule.errors import DeviceError, GradientError
from chainrule.explain.aside import aside
from chainrule.explain.checking.differences import Point, agreeing
from chainrule.explain.checking.rules import Rule, check_rules, is_users
from chainrule.explain.pages.tables import html_list, html_table, text_table
from chainrule.explain.pages.words import words
from chainrule.explain.passing import Passed, Written, batch_of, parts_of
from chainrule.ir.graph import depends_on, substitute, topological
from chainrule.ir.interpret import below
from chainrule.ir.node import Node

#: Steps relative to the size of what moves, and how far aside a kink is left.
_STEP, _ASIDE = 1e-5, 1e-3
#: What is asked of a gradient that the user's code computes outside of the graph, in its own types.
_OUTSIDE = 1e-3
#: Rounding that both backends may differ by: relative to the largest element, and to what the
#: reference itself is away from double precision.
_ROOM, _TIMES = 64.0, 16.0


class Row(NamedTuple):
    """One parameter (or input).

    status    "ok", "kink" (right beside a point where there is no derivative), "wrong", "unsure"
              (differences do not settle), "unused" (the loss does not depend on it), "detached"
              (it does, but no gradient flows), "frozen", "flat" (moving it changes nothing)
    error     of the gradient, relative to its size along the worst direction
    claimed, found   the slope there, by the chain rule and by differences
    second    error of the second derivative; None: not asked for
    where     for "detached": where the gradient ends
    """

    name: str
    shape: tuple[int, ...]
    status: str
    error: float
    claimed: float
    found: float
    second: float | None
    where: str

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong with it."""
        return self.status != "wrong"


class Compared(NamedTuple):
    """One value by both backends: largest difference relative to its largest element, in units of
    the last place of that, and the reference's own distance from double precision.
    """

    name: str
    error: float
    ulps: float
    rounding: float
    ok: bool


class Check:
    """What `check` found.

    rows       one `Row` for each parameter and floating-point input
    rules      the gradient rules that were checked by themselves: `wrong_rules` are at fault
    backends   one `Compared` for outputs, loss, and each gradient
    ok         whether all is right; `lines` says so in words; `raise_if_wrong()` raises
    """

    def __init__(
        self, rows: list[Row], rules: list[Rule], backends: list[Compared], notes: list[str],
        tolerance: float, loss: float, lang: str,
    ) -> None:  # fmt: skip
        self.rows, self.rules, self.backends, self.notes = rows, rules, backends, notes
        self.tolerance, self.loss, self.lang = tolerance, loss, lang

    @property
    def wrong_rules(self) -> list[Rule]:
        """Rules that are not the derivative of what they stand beside."""
        return [r for r in self.rules if not r.ok(self.tolerance)]

    @property
    def ok(self) -> bool:
        """Whether every gradient is right and both backends agree."""
        return (
            all(r.ok for r in self.rows)
            and not self.wrong_rules
            and all(b.ok for b in self.backends)
        )

    def __bool__(self) -> bool:
        return self.ok

    @property
    def lines(self) -> list[str]:
        """What was found, a sentence each: faults first."""
        say = words(self.lang)
        out = [self._rule_line(r) for r in self.wrong_rules]
        for r in self.rows:
            if r.status == "wrong":
                out.append(
                    say(
                        "{name}: the gradient is wrong: along the worst direction it says "
                        "{claimed}, differences say {found} (relative error {error})"
                    ).format(
                        name=r.name, claimed=f"{r.claimed:.6g}", found=f"{r.found:.6g}",
                        error=f"{r.error:.1e}",
                    )
                )  # fmt: skip
        for b in self.backends:
            if not b.ok:
                out.append(
                    say(
                        "{name}: the compiled backend differs from the reference by {error} of "
                        "the largest element ({ulps} units in the last place)"
                    ).format(name=b.name, error=f"{b.error:.1e}", ulps=f"{b.ulps:.0f}")
                )
        said = {
            "unused": "{name} gets no gradient: the loss does not depend on it",
            "detached": "{name} gets no gradient, though the loss depends on it: {where}",
            "frozen": "{name} is frozen, and was not checked",
            "kink": "{name} stands at a kink (a relu at 0, or equal maxima): the slopes of the "
            "two sides differ; a little aside the gradient is right",
            "unsure": "{name}: differences do not settle, so nothing is said of its gradient",
            "flat": "{name} has a gradient of zero: moving it does not change the loss",
        }
        for r in self.rows:
            if r.status in said:
                out.append(say(said[r.status]).format(name=r.name, where=r.where))
        return [*out, *self.notes]

    def _rule_line(self, r: Rule) -> str:
        say = words(self.lang)
        at = f"{r.path} ({r.kind})" if r.path else r.kind or say("the loss")
        if r.failure:
            return say("{layer}: the rule of {op}, {place}, raised {failure}").format(
                layer=at, op=r.op, place=r.place, failure=r.failure
            )
        return say(
            "{layer}: the rule of {op}, {place}, is wrong for operand {operand}: it says "
            "{claimed}, differences say {found} (relative error {error})"
        ).format(
            layer=at, op=r.op, place=r.place, operand=r.operand, claimed=f"{r.claimed:.6g}",
            found=f"{r.found:.6g}", error=f"{r.error:.1e}",
        )  # fmt: skip

    def raise_if_wrong(self) -> Check:
        """Raise GradientError with what is wrong, or return the check itself."""
        if not self.ok:
            raise GradientError("\n".join(self.lines))
        return self

    # ------------------------------------------------------------------ to be read

    def _tables(self) -> list[tuple[list[str], list[list[str]], list[int]]]:
        """(heads, rows, rows that are bad) of each table."""
        say = words(self.lang)
        by_name = {b.name: b for b in self.backends}
        second = any(r.second is not None for r in self.rows)
        heads = [say("Parameter"), say("Shape"), say("Gradient"), say("Relative error")]
        heads += [say("Second order")] if second else []
        heads += [say("Between backends"), "ulp"] if self.backends else []
        body = []
        for r in self.rows:
            none = r.status in ("unused", "detached", "frozen")
            line = [r.name, " × ".join(map(str, r.shape)) or "1", say(r.status)]
            line.append("" if none else f"{r.error:.1e}")
            if second:
                line.append("" if r.second is None else f"{r.second:.1e}")
            if self.backends:
                b = by_name.get(f"∂/∂ {r.name}")
                line += ["", ""] if b is None else [f"{b.error:.1e}", f"{b.ulps:.0f}"]
            body.append(line)
        bad = [i for i, r in enumerate(self.rows) if r.status == "wrong"]
        tables = [(heads, body, bad)]
        if self.rules:
            heads = [say("Rule"), say("Layer"), say("Operand"), say("Relative error"), say("Place")]
            body = [
                [r.op, f"{r.path} {r.kind}".strip(), str(r.operand), f"{r.error:.1e}", r.place]
                for r in self.rules
            ]
            tables.append(
                (heads, body, [i for i, r in enumerate(self.rules) if not r.ok(self.tolerance)])
            )
        return tables

    def __str__(self) -> str:
        say = words(self.lang)
        parts = [text_table(heads, rows, bad) for heads, rows, bad in self._tables()]
        parts.append("\n".join(self.lines))
        checked = sum(r.status in ("ok", "kink", "flat") for r in self.rows)
        verdict = (
            say("All is right: {count} gradients, loss {loss}")
            if self.ok
            else say("Something is wrong: {count} gradients are right, loss {loss}")
        )
        parts.append(verdict.format(count=checked, loss=f"{self.loss:.6g}"))
        return "\n\n".join(p for p in parts if p)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        tables = [html_table(heads, rows, bad) for heads, rows, bad in self._tables()]
        return "".join(tables) + html_list(self.lines)


def check(
    model: Any,
    batch: Any,
    *,
    loss: Any = None,
    order: int = 1,
    directions: int = 2,
    tolerance: float = 1e-5,
    backends: bool = True,
    lang: str = "en",
) -> Check:
    """Whether the gradients of a model are the derivatives of its loss.

        |Σ d ∂L/∂θ − (L(θ + h d) − L(θ − h d)) / 2h|  ≤  tolerance · ‖d ∂L/∂θ‖

    For every parameter θ and every floating-point input, in random directions d, in float64; for
    the user's own ops, `autograd.Function`s and custom gradients each rule by itself as well; and
    outputs, loss and gradients of the compiled backend against the reference backend in the
    model's own types. The model (of either face), its statistics, gradients, mode and the random
    streams are as before afterwards; dropout masks are the same in all evaluations.

    model       nn.Module, or a Keras model or layer
    batch       x, or (x, y); a small one: the graph is evaluated often
    loss        torch: loss(outputs, y); Keras: (y, outputs), or the compiled one. Without one, a
                fixed random projection of the outputs is checked
    order       2: also ∂/∂θ (Σ d ∂L/∂θ), against differences of the gradient
    directions  how many for each parameter
    tolerance   relative error that is taken as right
    backends    whether to compile, and compare

    Kinks (a relu at 0, equal maxima) are told by slopes that differ to both sides; there the
    gradient is checked a little aside. Wrong gradients raise nothing: see `Check`. Raises what the
    model raises.

    >>> import chainrule as torch
    >>> model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Tanh(), torch.nn.Linear(4, 2))
    >>> data = torch.randn(5, 3), torch.tensor([0, 1, 0, 1, 1])
    >>> torch.check(model, data, loss=torch.nn.CrossEntropyLoss()).ok
    True
    """
    if order not in (1, 2):
        raise ValueError(f"order is 1 or 2, got {order}")
    given = batch_of(model, batch)
    with aside(model, given.x, given.y, loss):
        passed = Passed(model, given, loss)
        return _Checking(passed, directions, tolerance, order, lang).run(backends)


class _Checking:
    """One check, while it goes on."""

    def __init__(
        self, passed: Passed, directions: int, tolerance: float, order: int, lang: str
    ) -> None:
        if any(isinstance(w, Written) and w.opaque for w in passed.written.values()):
            tolerance = max(tolerance, _OUTSIDE)
        self.passed, self.tolerance, self.order = passed, tolerance, order
        self.directions, self.lang = directions, lang
        self.rng = np.random.default_rng(0)
        self.subjects = {**{n: passed.parameters[n] for n in passed.trainable}, **passed.inputs}
        self.graph: Derivative = passed.gradient(list(self.subjects.values()))
        self.grads = dict(zip(self.subjects, self.graph.gradients, strict=True))
        self.below = set(topological([passed.loss], below=self._below))
        forward = topological([passed.loss], below=self._computed_from)
        self.detached = {n for n in forward if n.op.name == "stop_gradient"}
        self.at = self._point(dict(passed.arrays))
        self._near: Point | None = None
        self._toward: dict[Node, np.ndarray] = {}  # directions of the second derivative
        self.second = self._second_order() if order == 2 else {}

    def _below(self, n: Node) -> tuple[Node, ...]:
        told = self.passed.told.get(n)
        return (*told.inputs, *n.inputs) if told is not None else n.inputs

    def _computed_from(self, n: Node) -> tuple[Node, ...]:
        told = self.passed.told.get(n)
        return below(n) if told is None else told.inputs

    def _point(self, arrays: dict[Node, Any]) -> Point:
        wanted = [self.passed.loss, *(g for g in self.grads.values() if g is not None)]
        return Point(wanted, arrays, self.passed.told, frozen=self.detached)

    @property
    def near(self) -> Point:
        """A place a little aside."""
        if self._near is None:
            moving = set(self.subjects.values())
            arrays = {**self.passed.arrays, **self._toward}
            for n in moving & arrays.keys():
                noise = self.rng.standard_normal(n.shape)
                arrays[n] = np.asarray(arrays[n], np.float64) + _ASIDE * _size(arrays[n]) * noise
            self._near = self._point(arrays)
        return self._near

    # ------------------------------------------------------------------ gradients

    def run(self, backends: bool) -> Check:
        say = words(self.lang)
        passed = self.passed
        rows = [self._row(name, node) for name, node in self.subjects.items()]
        for name, t in passed.tensors.items():
            if name not in self.subjects:
                rows.append(Row(name, tuple(t.shape), "frozen", 0.0, 0.0, 0.0, None, ""))
        order = list(passed.parameters) + list(passed.inputs)
        rows.sort(key=lambda r: order.index(r.name))
        suspicious = any(r.status == "wrong" for r in rows)
        active = [n for n in self.graph.order if n.op.name != "input"]
        nodes = [n for n in active if suspicious or n.op.name == "boundary" or is_users(n)]
        rules = check_rules(passed, self.at, nodes, self.tolerance, self.rng)
        if suspicious:  # of the library's own rules, only those that are at fault are of interest
            rules = [r for r in rules if r.users or not r.ok(self.tolerance)]
        notes = []
        if passed.projected:
            notes.append(say("There is no loss: a random projection of the outputs was checked"))
        compared: list[Compared] = []
        if backends:
            try:
                compared = self._backends()
            except DeviceError as error:
                notes.append(say("The backends were not compared: {error}").format(error=error))
        loss = float(self.at[passed.loss])
        return Check(rows, rules, compared, notes, self.tolerance, loss, self.lang)

    def _row(self, name: str, node: Node) -> Row:
        g = self.grads[name]
        if g is None:
            status = "detached" if node in self.below else "unused"
            where = self._end_of(node) if status == "detached" else ""
            return Row(name, node.shape, status, 0.0, 0.0, 0.0, None, where)
        worst = ("ok", 0.0, 0.0, 0.0)
        moved = False
        for _ in range(self.directions):
            found = self._direction(node, g, self.passed.loss)
            moved = moved or abs(found[3]) > 0 or abs(found[2]) > 0
            if _RANK[found[0]] > _RANK[worst[0]] or (found[0] == worst[0] and found[1] >= worst[1]):
                worst = found
        second = None
        if name in self.second:
            status, second, claimed, difference = self._direction(
                node, self.second[name], self.slope
            )
            if status == "wrong" and worst[0] != "wrong":
                worst = status, second, claimed, difference
        status = "flat" if worst[0] == "ok" and not moved and not np.any(self.at[g]) else worst[0]
        return Row(name, node.shape, status, *worst[1:], second, "")

    def _direction(self, node: Node, g: Node, target: Node) -> tuple[str, float, float, float]:
        """One random direction: (status, relative error, by the chain rule, by differences)."""
        status, off, claimed, found = self._try(self.at, node, g, target)
        if status in ("ok", "unsure") and off <= self.tolerance:
            return status, off, claimed, found
        again = self._try(self.near, node, g, target)
        if again[0] == "ok":
            kind = "kink" if status == "kink" else "ok"
            return kind, again[1], again[2], again[3]
        if again[0] == "kink":
            return "unsure", again[1], again[2], again[3]
        return again if again[1] < off else (again[0], off, claimed, found)

    def _try(self, at: Point, node: Node, g: Node, target: Node) -> tuple[str, float, float, float]:
        direction = self.rng.standard_normal(node.shape) * _size(at[node])
        product = at[g] * direction
        claimed, scale = float(product.sum()), float(np.sqrt(np.square(product).sum()))
        along = at.along({node: direction}, target)
        off, slope = agreeing(along, claimed, scale, self.tolerance, _STEP)
        if off <= self.tolerance:
            return "ok", off, claimed, slope.value
        if slope.kink:
            return "kink", off, claimed, slope.value
        gap = abs(slope.value - claimed)
        sure = gap > 4 * (slope.error + slope.noise) and np.isfinite(gap)
        finite = np.isfinite(slope.value)
        return (
            ("wrong" if sure or (finite and not np.isfinite(claimed)) else "unsure"),
            off,
            (claimed),
            slope.value,
        )

    def _end_of(self, node: Node) -> str:
        """Where the gradient of a parameter ends that the loss depends on."""
        say = words(self.lang)
        order = topological([self.passed.loss], below=self._below)
        reached = depends_on(order, [node])
        for n in order:
            if n not in reached or n is node:
                continue
            ends = n.op.name == "stop_gradient" or not all(
                t.dtype.is_differentiable for t in parts_of(n)
            )
            if ends and any(i in reached for i in n.inputs):
                origin = self.passed.origin(n)
                what = (
                    say("it is detached (detach(), no_grad or stop_gradient)")
                    if n.op.name == "stop_gradient"
                    else say("it goes through {op}, which has no derivative").format(op=n.op.name)
                )
                call = (
                    ""
                    if origin.call is None or not origin.call.path
                    else (f" [{origin.call.path} ({origin.call.kind})]")
                )
                return what + call + ("" if origin.line is None else f", {origin.line}")
        return say("a gradient rule passes nothing on to it")

    # ------------------------------------------------------------------ second order

    def _second_order(self) -> dict[str, Node]:
        """Gradients of Σ d ∂L/∂θ for one random d; the sum itself is `slope`."""
        total: Node | None = None
        for i, (name, g) in enumerate(self.grads.items()):
            if g is None:
                continue
            d = ops.input(index=i, shape=g.shape, dtype=g.dtype, scope="direction")
            subject = self.subjects[name]
            self._toward[d] = self.rng.standard_normal(g.shape) * _size(self.at[subject])
            self.at.values[d] = self._toward[d]
            self.at.inputs = self.at.inputs | {d}
            term = ops.sum(g * d)
            total = term if total is None else total + term
        if total is None:
            return {}
        self.slope = total
        wrt = list(self.subjects.values())
        found = derivative([total], [ops.full_like(total, 1)], wrt, self.passed.watch()).gradients
        return {n: g for n, g in zip(self.subjects, found, strict=True) if g is not None}

    # ------------------------------------------------------------------ backends

    def _backends(self) -> list[Compared]:
        """Outputs, loss and gradients in the model's own types, by both backends."""
        passed = self.passed
        outs = passed.outputs
        named: dict[str, Node] = {
            "output" if len(outs) == 1 else f"output {i}": n for i, n in enumerate(outs)
        }
        named["loss"] = passed.loss
        named.update((f"∂/∂ {n}", g) for n, g in self.grads.items() if g is not None)
        nodes = list(named.values())
        leaves = [n for n in topological(nodes) if n.op.name == "input"]
        fresh = {n: ops.input(index=i, shape=n.shape, dtype=n.dtype) for i, n in enumerate(leaves)}
        arrays = [
            np.ascontiguousarray(
                np.asarray(passed.arrays[n] if n in passed.arrays else self.at[n], n.dtype.np)
            ).reshape(n.shape)
            for n in leaves
        ]
        wanted = list(substitute(nodes, fresh))
        with np.errstate(all="ignore"):
            slow = reference.build(compiler.primitives(wanted))(arrays)
        quick = compiler.native(wanted)(arrays, {})
        steep = max((_largest(self.at[g]) for g in self.grads.values() if g is not None), default=0)
        out = []
        for (name, n), a, b in zip(named.items(), slow, quick, strict=True):
            least = 1e-3 * steep if name.startswith("∂") else 0.0
            exact = np.asarray(self.at[n])
            out.append(_compare(name, n, np.asarray(a), np.asarray(b), exact, least))
        return out


_RANK = {"ok": 0, "kink": 1, "unsure": 2, "wrong": 3}


def _size(x: Any) -> float:
    """The size of what moves: root mean square, at least 0.1."""
    array = np.asarray(x, np.float64)
    return max(float(np.sqrt(np.mean(np.square(array)))) if array.size else 0.0, 0.1)


def _largest(x: Any) -> float:
    array = np.abs(np.asarray(x))
    return float(array[np.isfinite(array)].max(initial=0.0))


def _compare(
    name: str, n: Node, a: np.ndarray, b: np.ndarray, exact: np.ndarray, least: float
) -> Compared:
    """`least`: what counts as the largest element where all are smaller (a gradient that is zero
    but for rounding).
    """
    if not a.size:
        return Compared(name, 0.0, 0.0, 0.0, True)
    x, y, z = (np.asarray(v, np.complex128 if n.dtype.is_complex else np.float64) for v in
               (a, b, exact))  # fmt: skip
    eps = float(np.finfo(n.dtype.np).eps) if n.dtype.short != "bf16" else 2.0**-7
    finite = np.isfinite(x) & np.isfinite(y)
    alike = bool(np.array_equal(np.isfinite(x), np.isfinite(y)))
    if not finite.any():
        return Compared(name, 0.0, 0.0, 0.0, alike)
    size = max(_largest(x), least) or 1.0
    error = float(np.abs(x - y)[finite].max()) / size
    own = float(np.nan_to_num(np.abs(x - z)[finite]).max()) / size
    room = _ROOM * eps + _TIMES * own
    return Compared(name, error, error / eps, own, alike and error <= room)
