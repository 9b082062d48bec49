"""One paragraph: what was trained, how well it does, and what the curves say about it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from chainrule.explain.pages.page import escape
from chainrule.explain.reporting.evaluation import Numbers
from chainrule.explain.reporting.parts import duration, percent

if TYPE_CHECKING:
    from chainrule.explain.reporting.document import Report

Say = Callable[[str], str]


def verdict(report: Report, say: Say) -> str:
    """The paragraph, as HTML."""
    sentences = [_trained(report, say), *_does(report, say), *_learned(report, say)]
    return ("" if report.lang == "zh" else " ").join(sentences)


def _trained(report: Report, say: Say) -> str:
    facts = report.facts
    values = {
        "title": f"<b>{escape(report.title)}</b>",
        "parameters": f"{report.parameters:,}",
        "epochs": facts.get("epochs"),
        "rows": f"{facts['train_rows']:,}" if facts.get("train_rows") else "",
        "time": duration(float(facts["seconds"])) if facts.get("seconds") is not None else "",
        "cpu": escape((facts.get("machine") or {}).get("cpu", "")),
    }
    told = "{title} has {parameters} parameters."
    if values["epochs"] and values["rows"] and values["time"]:
        told = (
            "{title} has {parameters} parameters and was trained for {epochs} epochs on {rows} "
            "rows, in {time} on {cpu}."
        )
    elif values["epochs"]:
        told = "{title} has {parameters} parameters and was trained for {epochs} epochs."
    return say(told).format(**values)


def _does(report: Report, say: Say) -> list[str]:
    e = report.evaluation
    if e is None:
        return []
    if isinstance(e, Numbers):
        return [
            say(
                "On {rows} rows that it has not seen it explains {share} of the variance; it is "
                "off by {error} on average."
            ).format(
                rows=f"{len(e.truth):,}", share=percent(e.explained), error=f"{e.mean_error:.3g}"
            )
        ]
    if report.writes:
        return [
            say(
                "On text that it has not seen its perplexity is {perplexity}: it is as unsure as "
                "a free choice among that many of the {classes} symbols."
            ).format(perplexity=f"{np.exp(e.loss):.2f}", classes=e.classes)
        ]
    told = say(
        "Of {rows} rows that it has not seen it classifies {accuracy} correctly; always saying the "
        "commonest class would reach {chance}."
    )
    if e.by_place:
        told = say(
            "On {rows} rows that it has not seen {accuracy} of its answers are right; always "
            "saying the commonest would reach {chance}."
        )
    return [
        told.format(
            rows=f"{len(e.truth):,}", accuracy=percent(e.accuracy), chance=percent(e.chance)
        )
    ]


def _learned(report: Report, say: Say) -> list[str]:
    """What the curves say: diverged, overfitted, not yet done."""
    history, told = report.history, []
    loss = _numbers(history.get("loss", []))
    if any(math.isnan(v) for v in loss):
        first = next(i for i, v in enumerate(loss, 1) if math.isnan(v))
        told.append(
            say(
                "In epoch {epoch} the loss became no number any more; the weights are those of the "
                "epoch before."
            ).format(epoch=first)
        )
        return told
    if report.facts.get("interrupted"):
        told.append(say("The training was interrupted."))
    unseen = _numbers(history.get("val_loss", []))
    if len(unseen) >= 4:
        best = int(np.nanargmin(unseen)) if not all(map(math.isnan, unseen)) else 0
        if best < len(unseen) - 2 and unseen[-1] > 1.05 * unseen[best]:
            told.append(
                say(
                    "The loss on unseen data was lowest in epoch {epoch} and rose afterwards: "
                    "ending there would have been better."
                ).format(epoch=best + 1)
            )
            return told
    seen, held = history.get("accuracy"), history.get("val_accuracy")
    gap = _numbers(seen)[-1] - _numbers(held)[-1] if seen and held else 0.0
    if seen and held and gap > 0.05:
        told.append(
            say(
                "It knows what it was trained on better ({seen}) than what is new ({unseen})."
            ).format(seen=percent(seen[-1]), unseen=percent(held[-1]))
        )
    if len(loss) >= 4 and loss[-1] < 0.93 * loss[-2] and loss[-2] < 0.93 * loss[-3]:
        told.append(say("The loss was still falling when the training ended."))
    return told


def _numbers(values: Sequence[float | None]) -> list[float]:
    return [math.nan if v is None else float(v) for v in values]
