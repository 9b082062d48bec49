"""`explain.report`: what was trained, how well it does, and why, as one file that stands alone.

>>> import numpy as np
>>> import chainrule as torch
>>> from chainrule import explain
>>> model = torch.nn.Linear(3, 2)
>>> x, y = np.eye(3, dtype=np.float32), np.array([0, 1, 1])
>>> r = explain.report(model, test=(x, y), title="A layer")
>>> r.evaluation.confusion.sum()
np.int64(3)
>>> r.html().startswith("<!doctype html>")
True
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from chainrule.errors import ChainruleError
from chainrule.explain.attribution import attribute
from chainrule.explain.costs import summary
from chainrule.explain.drawing.model import draw
from chainrule.explain.mathematics import math
from chainrule.explain.observe import is_keras, is_model, parameters_of
from chainrule.explain.pages.page import escape, page, save
from chainrule.explain.pages.words import words
from chainrule.explain.reporting import parts
from chainrule.explain.reporting.curves import curves
from chainrule.explain.reporting.evaluation import (
    IGNORED,
    Classes,
    Numbers,
    columns,
    evaluate,
    taken,
)
from chainrule.explain.reporting.parts import duration, percent
from chainrule.explain.reporting.style import STYLE
from chainrule.explain.reporting.text import continued
from chainrule.explain.reporting.verdict import verdict
from chainrule.training.provenance import fingerprint, this_machine, versions

Array = np.ndarray
Pair = tuple[Any, Any]

_SHOWN = 8  # of the worst examples
_BATCH = 32  # rows for which shapes and operations are given
_WRITTEN = 320  # letters of a sample
_AT_A_GLANCE = 24  # equations of a part that are shown at once


class Section(NamedTuple):
    """A part of the report."""

    key: str
    title: str
    body: str


def report(
    model: Any,
    *,
    test: Pair | None = None,
    train: Pair | None = None,
    sample: Any = None,
    history: Any = None,
    loss: Any = None,
    optimizer: Any = None,
    classes: Sequence[str] | None = None,
    tokens: Sequence[str] | None = None,
    title: str | None = None,
    facts: Mapping[str, Any] | None = None,
    missing: Mapping[str, str] | None = None,
    lang: str = "en",
) -> Report:
    """A report of a trained model, of either face.

    test      (x, y): data that it was not trained on. Whole numbers, or one-hot rows, as y ask for
              classes (of a row, or of each of its places), other numbers for a regression
    train     (x, y): only for the fingerprint and the number of rows
    sample    a batch of inputs, for shapes, if there is no other data
    history   {name: value per epoch}, or what Keras's `fit` returned
    loss      for the mathematics: criterion(outputs, targets), of Keras the model's own if None;
              optimizer: whose rule is printed with it
    classes   their names                      tokens   names of the codes of a text
    facts     what is known of the training besides: seed, command, seconds, steps, epochs,
              optimizer, lr, batch_size, data (its name) …
    missing   part → why it must be left out: "test": "the data are not here"
    lang      "en" or "zh"

    What cannot be made is left out, and the report says why; the numbers are `.evaluation`,
    `.metrics`, `.facts`, `.left_out`. Nothing of the model is changed.
    """
    if not is_model(model):
        raise TypeError(f"report takes a module or a Keras model, got {type(model).__name__}")
    return Report(
        model, test, train, sample, history, loss, optimizer, classes, tokens, title, facts,
        missing, lang,
    )  # fmt: skip


class Report:
    """A trained model on one page. `.html()`, `.save(path)`; notebooks show it."""

    def __init__(
        self,
        model: Any,
        test: Pair | None,
        train: Pair | None,
        sample: Any,
        history: Any,
        loss: Any,
        optimizer: Any,
        classes: Sequence[str] | None,
        tokens: Sequence[str] | None,
        title: str | None,
        facts: Mapping[str, Any] | None,
        missing: Mapping[str, str] | None,
        lang: str,
    ) -> None:
        words(lang)
        self.model, self.loss, self.optimizer, self.lang = model, loss, optimizer, lang
        self.test, self.train, self.sample, self.tokens = test, train, sample, tokens
        self.title = title or type(model).__name__
        self.missing = dict(missing or {})
        self.history: dict[str, list[float]] = {
            name: list(values)
            for name, values in dict(getattr(history, "history", history) or {}).items()
        }
        self._classes = classes
        self.parameters = sum(p.numel() for _, p in parameters_of(model))
        self.facts = self._facts(dict(facts or {}))
        #: Part → why it is not there; complete once the page was made.
        self.left_out: dict[str, str] = {}

    def _facts(self, given: dict[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = {"versions": versions(), "machine": this_machine()}
        if "sha256" not in given:
            pairs = {"training": self.train, "test": self.test}
            found["sha256"] = {
                name: fingerprint(_arrays(pair)) for name, pair in pairs.items() if pair is not None
            }
        for name, pair in (("train_rows", self.train), ("test_rows", self.test)):
            if pair is not None:
                found[name] = len(columns(pair[0])[0])
        if self.history:
            found["epochs"] = max(len(v) for v in self.history.values())
        if self.history.get("seconds"):
            found["seconds"] = sum(self.history["seconds"])
        return found | {k: v for k, v in given.items() if v is not None}

    # ------------------------------------------------------------------ numbers

    @cached_property
    def evaluation(self) -> Classes | Numbers | None:
        """How the model does on the test data; None where there are none."""
        if self.test is None:
            return None
        return evaluate(self.model, *self.test)

    @property
    def metrics(self) -> dict[str, float]:
        """The numbers of the verdict."""
        e = self.evaluation
        if e is None:
            return {}
        if isinstance(e, Numbers):
            return {"loss": e.loss, "mean_absolute_error": e.mean_error, "r2": e.explained}
        found = {"loss": e.loss, "accuracy": e.accuracy}
        return found | {"perplexity": float(np.exp(e.loss))} if self.writes else found

    @property
    def writes(self) -> bool:
        """Whether it is a model of language: what comes next is asked at every place of a text."""
        e = self.evaluation
        return (
            isinstance(e, Classes)
            and e.by_place
            and self.tokens is not None
            and not bool((e.truth == IGNORED).any())
        )

    @property
    def classes(self) -> list[str]:
        """Names of the classes: given, or their numbers."""
        e = self.evaluation
        count = e.classes if isinstance(e, Classes) else 0
        names = list(self._classes or ())
        return [*names[:count], *(str(i) for i in range(len(names), count))]

    # ------------------------------------------------------------------ the page

    def html(self, lang: str | None = None) -> str:
        """The page: everything is in it, nothing is fetched."""
        if lang is not None and lang != self.lang:
            words(lang)
            before, self.lang = self.lang, lang
            try:
                return self.html()
            finally:
                self.lang = before
        say = words(self.lang)
        self.left_out = {say(part): why for part, why in self.missing.items()}
        sections = [s for s in map(self._made, self._parts()) if s is not None]
        if self.left_out:
            rows = [(escape(part), escape(why)) for part, why in self.left_out.items()]
            sections.append(Section("left-out", say("Left out"), parts.table(rows)))
        body = f"<h1>{escape(self.title)}</h1>{self._head()}" + "".join(
            f'<section id="{s.key}"><h2>{escape(s.title)}</h2>{s.body}</section>' for s in sections
        )
        contents = [(s.key, s.title) for s in sections]
        return page(self.title, body, lang=self.lang, style=STYLE, contents=contents)

    def _repr_html_(self) -> str:
        inner = escape(self.html())
        return f'<iframe srcdoc="{inner}" style="width:100%;height:40rem;border:0"></iframe>'

    def save(self, path: str | os.PathLike[str], lang: str | None = None) -> Path:
        """Write the page: whole, or not at all."""
        return save(path, self.html(lang))

    def __str__(self) -> str:
        told = ", ".join(f"{name} {value:.4g}" for name, value in self.metrics.items())
        return f"{self.title}: {self.parameters:,} parameters" + (f", {told}" if told else "")

    __repr__ = __str__

    def _parts(self) -> list[tuple[str, str, Callable[[], str | None]]]:
        return [
            ("curves", "How it learned", self._curves),
            ("results", "How well it does", self._results),
            ("samples", "What it writes", self._samples),
            ("worst", "Where it errs most", self._worst),
            ("network", "The network", self._network),
            ("mathematics", "The mathematics", self._mathematics),
            ("provenance", "Where this comes from", self._provenance),
        ]

    def _made(self, part: tuple[str, str, Callable[[], str | None]]) -> Section | None:
        """A part, or None if it says nothing; one that fails is left out, with the reason."""
        key, title, make = part
        say = words(self.lang)
        try:
            body = make()
        except Exception as error:  # any model may come here: what fails must not take the rest
            self.left_out[say(title)] = f"{type(error).__name__}: {error}"
            return None
        return None if body is None else Section(key, say(title), body)

    def _head(self) -> str:
        """The verdict and the largest numbers."""
        say = words(self.lang)
        try:
            numbers = self.metrics
        except Exception as error:  # as above
            self.left_out[say("How well it does")] = f"{type(error).__name__}: {error}"
            self.__dict__["evaluation"] = None
            numbers = {}
        told = verdict(self, say)
        items: list[tuple[str, str]] = []
        for name, title, shown in (
            ("accuracy", "test accuracy", percent),
            ("perplexity", "test perplexity", "{:.2f}".format),
            ("r2", "test R²", "{:.3f}".format),
            ("mean_absolute_error", "test mean absolute error", "{:.4g}".format),
            ("loss", "test loss", "{:.3g}".format),
        ):
            if name in numbers and len(items) < 2:
                items.append((say(title), shown(numbers[name])))
        items.append((say("Parameters"), f"{self.parameters:,}"))
        if self.facts.get("seconds") is not None:
            items.append((say("time of training"), duration(float(self.facts["seconds"]))))
        return f'<p class="lede">{told}</p>{parts.tiles(items)}'

    # ------------------------------------------------------------------ its parts

    def _curves(self) -> str | None:
        values = {k: v for k, v in self.history.items() if v}
        return curves(values, words(self.lang)) if values else None

    def _results(self) -> str | None:
        e, say = self.evaluation, words(self.lang)
        if isinstance(e, Numbers):
            rows = [
                (escape(say("mean squared error")), f"{e.loss:.4g}"),
                (escape(say("mean absolute error")), f"{e.mean_error:.4g}"),
                ("R²", f"{e.explained:.4f}"),
            ]
            return parts.table(rows) + parts.against_truth(e, say)
        if e is None:
            return None
        if self.writes:
            bits = e.loss / np.log(2)
            rows = [
                (escape(say("perplexity")), f"{np.exp(e.loss):.3f}"),
                (escape(say("bits per symbol")), f"{bits:.3f}"),
                (escape(say("the next symbol is right")), percent(e.accuracy)),
                (escape(say("different symbols")), f"{e.classes}"),
            ]
            return parts.table(rows)
        return parts.confusion(e, self.classes, say)

    def _samples(self) -> str | None:
        if not self.writes or self.test is None or self.tokens is None:
            return None
        say = words(self.lang)
        (x,) = columns(self.test[0])
        prompts = x[[0, len(x) // 2]] if len(x) > 1 else x[:1]
        written = continued(self.model, prompts, _WRITTEN)
        shown = []
        for before, after in zip(prompts.tolist(), written.tolist(), strict=True):
            given, new = ("".join(self.tokens[c] for c in codes) for codes in (before, after))
            shown.append(
                f'<pre class="sample"><span class="muted">{escape(given)}</span>{escape(new)}</pre>'
            )
        note = say("Grey: what it was given, from the test text. The rest it wrote.")
        return f'<p class="muted">{escape(note)}</p>{"".join(shown)}'

    def _worst(self) -> str | None:
        e, say = self.evaluation, words(self.lang)
        if e is None or self.test is None:
            return None
        x = columns(self.test[0])[0]
        rows = e.worst(4 if isinstance(e, Classes) and e.by_place else _SHOWN)
        attributed = self._attributed(rows)
        if isinstance(e, Numbers):
            cards = parts.worst_numbers(e, rows, x, attributed, say)
            told = "Orange raises the prediction, blue lowers it ({method})."
        else:
            cards = parts.worst_classes(e, rows, x, attributed, self.classes, self.tokens, say)
            told = "Orange speaks for the class that was predicted, blue against it ({method})."
        if attributed is None:
            return cards
        note = say(told).format(method=say("integrated gradients"))
        return f'<p class="muted">{escape(note)}</p>{cards}'

    def _attributed(self, rows: Sequence[int]) -> Array | None:
        """What in these rows led to what the model says of them; where it can be said."""
        e = self.evaluation
        if self.test is None or e is None:
            return None
        given = taken(self.test[0], rows)
        if isinstance(given, list) and not is_keras(self.model):
            given = tuple(given)
        target: Any = None
        if isinstance(e, Classes):
            target = e.guesses[rows]
            if e.by_place:
                target = self._places(e, rows)
            elif e.two:
                target = None
        elif e.truth.shape[1] > 1:
            target = np.abs(e.errors[rows]).argmax(1)
        try:
            found = attribute(self.model, given, target)
        except (ChainruleError, TypeError, ValueError, IndexError, NotImplementedError) as error:
            say = words(self.lang)
            self.left_out[say("integrated gradients")] = f"{type(error).__name__}: {error}"
            return None
        values = found.part(0)
        if isinstance(e, Classes) and e.two:
            values = np.where(
                (e.guesses[rows] == 1).reshape(-1, *[1] * (values.ndim - 1)), values, -values
            )
        return values

    def _places(self, e: Classes, rows: Sequence[int]) -> Array:
        """In each row the class predicted where the loss is highest."""
        chosen = []
        for row in rows:
            asked = np.flatnonzero(e.asked[row].reshape(-1))
            truth = e.truth[row].reshape(-1)[asked]
            p = e.probabilities[row].reshape(-1, e.classes)[asked, truth]
            place = int(asked[p.argmin()])
            index = np.unravel_index(place, e.truth.shape[1:])
            said = int(e.guesses[row][index])
            chosen.append((said, *index) if e.axis == 1 else (*index, said))
        return np.array(chosen, np.int64)

    def _network(self) -> str | None:
        say = words(self.lang)
        sample = self._sample()
        if sample is None:
            return None
        one = sample[0] if len(sample) == 1 else sample
        told = summary(self.model, one, time=False, lang=self.lang)
        drawing = draw(self.model, *sample, lang=self.lang).body()
        table = f"<h3>{escape(say('Layers'))}</h3>{told._repr_html_()}"
        return f"{drawing}{table}"

    @property
    def _rows(self) -> int:
        """Of the batch for which shapes and equations are given."""
        return min(int(self.facts.get("batch_size") or _BATCH), _BATCH)

    def _sample(self) -> tuple[Any, ...] | None:
        """A few rows of data, as the model takes them."""
        pair = self.test or self.train or (None if self.sample is None else (self.sample, None))
        if pair is None:
            return None
        batch = taken(pair[0], slice(self._rows))
        return tuple(batch) if isinstance(batch, list) and not is_keras(self.model) else (batch,)

    def _mathematics(self) -> str | None:
        sample, say = self._sample(), words(self.lang)
        if sample is None:
            return None
        pair = self.test or self.train
        y = None
        if pair is not None and (self.loss is not None or getattr(self.model, "compiled", False)):
            y = taken(pair[1], slice(self._rows))
        x = sample[0] if len(sample) == 1 else sample
        found = math(
            self.model, x, y, self.loss if y is not None else None,
            optimizer=self.optimizer, lang=self.lang,
        )  # fmt: skip
        return parts.folded(found._repr_html_(), {say("Conventions"), say("Symbols")}, _AT_A_GLANCE)

    def _provenance(self) -> str:
        return parts.provenance(self.facts, words(self.lang))


def _arrays(pair: Pair) -> list[Array]:
    return [c for part in pair for c in columns(part)]
