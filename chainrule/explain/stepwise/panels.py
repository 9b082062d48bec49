"""The panels of the page: one for every line of both passes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from chainrule.explain.pages.page import escape
from chainrule.explain.pages.words import words
from chainrule.explain.printing.inline import inline
from chainrule.explain.printing.layout import Equation
from chainrule.explain.printing.typeset import mathml
from chainrule.explain.stepwise import figures, sources
from chainrule.explain.stepwise.checks import Check
from chainrule.explain.stepwise.formulas import partial
from chainrule.explain.stepwise.lines import Backward, Forward, Term
from chainrule.explain.stepwise.sources import Source
from chainrule.explain.stepwise.table import mark
from chainrule.explain.stepwise.tape import Step
from chainrule.ir.node import Node

if TYPE_CHECKING:
    from chainrule.explain.stepwise.result import Backprop

_AT_KINKS = "It is computed with a result at a kink, where the rule takes one of several slopes."
_LONG = 4000  # signs of TeX: longer ones with numbers put in are left out


class Panels:
    """Writes panels; remembers the sources that they show: (title, source) → number."""

    def __init__(self, found: Backprop, lang: str) -> None:
        self.found, self.lang, self.say = found, lang, words(lang)
        self.rows = found.symbols.rows
        self.sources: dict[Source, int] = {}

    # ------------------------------------------------------------------ panels

    def forward(self, f: Forward) -> str:
        """A line of the forward pass."""
        value = figures.array(f.value, self.rows)
        rows = [(f.name, f.formula.tex)]
        if not f.numbers.where and len(f.numbers.tex) < _LONG:
            rows.append(("", f.numbers.tex))
        rows.append(("", value))
        body = equations(f.formula.where) + aligned(rows)
        shape = f"<p class='muted'>{self.say('Shape')}: {figures.shape(f.value.shape)}</p>"
        return body + shape + self._place(f.node) + self._written(f.step, rule=False)

    def backward(self, b: Backward) -> str:
        """A line of the backward pass."""
        if not b.terms:
            return aligned([(b.title, "1")])
        body = ""
        if len(b.terms) == 1:
            (term,) = b.terms
            rows = [(b.title, b.chain), *self._term(term), ("", figures.array(b.value, self.rows))]
            body = equations(term.formula.where) + aligned(rows)
        else:
            body = aligned([(b.title, b.chain)])
            said = self.say("The contributions of its users, and their sum:")
            items = "".join(
                f"<li>{equations(t.formula.where)}{aligned(self._share(b, t))}</li>"
                for t in b.terms
            )
            body += f"<p>{said}</p><ol class='terms'>{items}</ol>"
            total = " + ".join(partial_of(b, t) for t in b.terms)
            short = " + ".join(figures.operand(t.value, self.rows) for t in b.terms)
            rows = [(b.title, total)]
            if len(short) < _LONG:
                rows.append(("", short))
            body += aligned([*rows, ("", figures.array(b.value, self.rows))])
        done: dict[str, None] = {}
        for t in b.terms:
            done[self._written(t.user, rule=True)] = None
        return body + self._checks(b) + self._place(b.node) + "".join(done)

    def _term(self, t: Term) -> list[tuple[str, str]]:
        rows = [("", t.formula.tex)]
        if not t.numbers.where and len(t.numbers.tex) < _LONG:
            rows.append(("", t.numbers.tex))
        return rows

    def _share(self, b: Backward, t: Term) -> list[tuple[str, str]]:
        first, *rest = self._term(t)
        return [(partial_of(b, t), first[1]), *rest, ("", figures.array(t.value, self.rows))]

    # ------------------------------------------------------------------ checks

    def _checks(self, b: Backward) -> str:
        say = self.say
        head = "".join(
            f"<th>{escape(t)}</th>"
            for t in (
                "", say("Computed"), say("Differences"), say("Relative error"), say("Compared")
            )
        )  # fmt: skip
        rows = [self._check(self._rule_name(t), t.check) for t in b.terms]
        total = f"∂L/∂{inline(b.name)}"
        rows.append(
            self._check(say("{}, through everything behind it").replace("{}", total), b.check)
        )
        good = b.status in ("agrees", "kink", "none")
        kind = "good" if good else "bad" if b.status != "follows" else "follows"
        text = mark(b, self.lang)
        if b.status == "agrees":
            said = say("agrees with finite differences; relative error {}")
            text = f"✓ {said.replace('{}', f'{b.check.error:.0e}')}"
        told = f"<p class='verdict {kind}'>{escape(text)}</p>"
        more = self._explained(b)
        return (
            f"<h4>{say('Checked')}</h4>{told}{more}<div class='wide'><table class='checks'>"
            f"<tr>{head}</tr>{''.join(rows)}</table></div>"
        )

    def _rule_name(self, t: Term) -> str:
        name = t.user.custom.name if t.user.custom is not None else t.user.node.op.name
        return self.say("the rule of {} alone, for a random cotangent").replace("{}", name)

    def _check(self, title: str, c: Check) -> str:
        sign = {"agrees": "✓", "kink": "✓", "none": "–", "differs": "✗"}[c.verdict]
        how = self.say("{} random directions").replace("{}", str(c.along)) if c.along else (
            self.say("all elements: {}").replace("{}", str(c.claimed.size))
        )  # fmt: skip
        if c.kinks:
            how += "; " + self.say("at a kink: {}").replace("{}", str(c.kinks))
        kind = "bad" if c.verdict == "differs" else "good"
        cells = [figures.block(c.claimed), figures.block(c.found)]
        return (
            f"<tr><td>{escape(title)}</td>"
            + "".join(f"<td class='figures'>{escape(x)}</td>" for x in cells)
            + f"<td class='{kind}'>{sign} {c.error:.1e}</td><td>{escape(how)}</td></tr>"
        )

    def _explained(self, b: Backward) -> str:
        say = self.say
        texts = {
            "kink": "The function has a kink here: the slopes of its two sides differ, and the "
            "rule's is between them.",
            "wrong": "The rule of this op does not agree with differences of the op alone.",
            "follows": "The rules of this line are right; it is computed with a result that is "
            "not.",
            "differs": "Every rule agrees by itself, and the sum does not: a user is missing.",
            "none": "Near this value there are no finite numbers to compare with.",
        }
        if b.status not in texts:
            return ""
        text = texts[b.status]
        faults = [o.status for o in self.found.backward if o.name in b.because]
        if b.status == "follows" and "wrong" not in faults and "differs" not in faults:
            text = _AT_KINKS
        return f"<p>{escape(say(text))}</p>"

    # ------------------------------------------------------------------ where it is written

    def _written(self, step: Step, rule: bool) -> str:
        say = self.say
        name = step.custom.name if step.custom is not None else step.node.op.name
        op, gradient = sources.of_op(step), sources.of_rule(step)
        parts = []
        if op is not None:
            parts.append(self._source(say("Op"), name, op))
        if gradient is not None:
            parts.append(self._source(say("Gradient rule"), name, gradient))
        elif rule or step.node.op.formula is not None:
            told = say("derived from the formula of the op")
            parts.append(
                f"<div class='source'><h4>{say('Gradient rule')}: {escape(name)}</h4>"
                f"<p class='muted'>{told}</p></div>"
            )
        return f"<div class='sources'>{''.join(parts)}</div>"

    def _source(self, title: str, name: str, s: Source) -> str:
        heading = f"<h4>{title}: {escape(name)}</h4>"
        if not s.file:
            return f"<div class='source'>{heading}<p><code>{escape(s.text)}</code></p></div>"
        k = self.sources.setdefault(s, len(self.sources))
        link = f"<a href='#source-{k}'>{escape(s.place)}</a>"
        return f"<div class='source' data-source='{k}'>{heading}<p>{link}</p></div>"

    def _place(self, n: Node) -> str:
        """The layer and the user's line in which a value came up."""
        origin = self.found.origins.get(n)
        if origin is None:
            return ""
        parts = []
        if origin.call is not None:
            where = origin.call.path or origin.call.kind
            parts.append(f"{self.say('Layer')}: <code>{escape(where)}</code>")
        if origin.line is not None:
            line = origin.line
            where = f"{sources.shown(line.file)}:{line.number}"
            code = f" <code>{escape(line.text)}</code>" if line.text else ""
            parts.append(f"{self.say('Your line')}: {escape(where)}{code}")
        return f"<p class='place'>{'<br>'.join(parts)}</p>" if parts else ""

    def listing(self) -> str:
        """The sources that were shown, by number."""
        return "".join(
            f"<details id='source-{k}'><summary><code>{escape(s.place)}</code></summary>"
            f"<pre>{escape(s.text)}</pre></details>"
            for s, k in self.sources.items()
        )


# ---------------------------------------------------------------------- mathematics


def partial_of(b: Backward, t: Term) -> str:
    """What one user gives: ∂L/∂u ∂u/∂x."""
    return " + ".join(rf"{partial(u)} \cdot {partial(b.name, u)}" for u in t.names)


def aligned(rows: Sequence[tuple[str, str]]) -> str:
    """Equations under each other."""
    lines = r" \\ ".join(f"{left} &= {right}" for left, right in rows)
    return math(rf"\begin{{aligned}} {lines} \end{{aligned}}")


def equations(where: Sequence[Equation]) -> str:
    """What is named before a formula."""
    return aligned([(e.left, e.right) for e in where]) if where else ""


def math(tex: str) -> str:
    """A formula in a box that scrolls."""
    return f"<div class='wide'>{mathml(tex)}</div>"
