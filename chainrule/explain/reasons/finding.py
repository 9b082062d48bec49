"""What was found, and what was looked at."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from html import escape
from typing import Any

from chainrule.explain.pages.words import words

SEVERITIES = ("error", "warning", "note")

#: What is mostly a consequence of something else comes after it.
_LATE = (
    "dead units", "vanishing gradient", "exploding activations", "identical outputs",
    "learning rate too high", "learning rate too low", "cannot overfit one batch",
)  # fmt: skip


@dataclass(frozen=True)
class Finding:
    """One reason.

    kind      what it is, for programs: "softmax twice", "dead units", …
    severity  "error": training cannot work; "warning": it suffers; "note": worth knowing
    layer     the path of the layer where it is; "" where it is in none
    evidence  the numbers that say so
    message   what is the case, remedy: what to do
    """

    kind: str
    severity: str
    layer: str
    evidence: dict[str, Any] = field(compare=False)
    message: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.message}\n    → {self.remedy}"


class Reasons:
    """What `why` found, worst first. Empty (and false) where nothing was."""

    def __init__(self, findings: list[Finding], looked: list[str], lang: str) -> None:
        self.findings = sorted(findings, key=_rank)
        self.looked, self.lang = looked, lang

    def __iter__(self) -> Iterator[Finding]:
        return iter(self.findings)

    def __len__(self) -> int:
        return len(self.findings)

    def __getitem__(self, i: int) -> Finding:
        return self.findings[i]

    @property
    def kinds(self) -> list[str]:
        """The kinds of the findings, worst first."""
        return [f.kind for f in self.findings]

    @property
    def errors(self) -> list[Finding]:
        """Those that keep it from learning."""
        return [f for f in self.findings if f.severity == "error"]

    def __str__(self) -> str:
        say = words(self.lang)
        mark = {"error": "✗", "warning": "!", "note": "·"}
        lines = [f"{mark[f.severity]} {f}" for f in self.findings]
        if not lines:
            lines.append(say("Nothing was found that keeps it from learning."))
        return "\n".join([*lines, say("Looked at: {what}").format(what="; ".join(self.looked))])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        say = words(self.lang)
        color = {"error": "var(--bad, #b00020)", "warning": "#a66f00", "note": "inherit"}
        items = [
            f'<li><b style="color: {color[f.severity]}">{escape(f.message)}</b><br>'
            f"{escape(f.remedy)}<br><small>{escape(_listed(f.evidence))}</small></li>"
            for f in self.findings
        ]
        if not items:
            items.append(
                f"<li>{escape(say('Nothing was found that keeps it from learning.'))}</li>"
            )
        looked = say("Looked at: {what}").format(what="; ".join(self.looked))
        return f"<ul>{''.join(items)}</ul><p><small>{escape(looked)}</small></p>"


def _rank(f: Finding) -> tuple[int, int]:
    return SEVERITIES.index(f.severity), _LATE.index(f.kind) + 1 if f.kind in _LATE else 0


def _listed(evidence: dict[str, Any]) -> str:
    return ", ".join(f"{k} = {shown(v)}" for k, v in evidence.items())


def shown(v: Any) -> str:
    """A number of the evidence, short."""
    if isinstance(v, float):
        return f"{v:.4g}"
    if isinstance(v, (list, tuple)):
        return "[" + ", ".join(shown(i) for i in v) + "]"
    return str(v)


class Found:
    """Collects findings in one language."""

    def __init__(self, lang: str) -> None:
        self.say: Callable[[str], str] = words(lang)
        self.findings: list[Finding] = []
        self.looked: list[str] = []

    def add(
        self, kind: str, severity: str, message: str, remedy: str, layer: str = "",
        **evidence: Any,
    ) -> None:  # fmt: skip
        """One finding; texts may name the evidence and the `layer`."""
        values = {k: shown(v) for k, v in evidence.items()}
        values["layer"] = layer or self.say("the model")
        self.findings.append(
            Finding(
                kind, severity, layer, evidence, self.say(message).format(**values),
                self.say(remedy).format(**values),
            )
        )  # fmt: skip

    def look(self, what: str, **values: Any) -> None:
        """What was looked at."""
        self.looked.append(self.say(what).format(**{k: shown(v) for k, v in values.items()}))

    def has(self, *kinds: str) -> bool:
        """Whether one of these was found."""
        return any(f.kind in kinds for f in self.findings)

    @property
    def failed(self) -> bool:
        """Whether there is an error already."""
        return any(f.severity == "error" for f in self.findings)
