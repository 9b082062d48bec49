"""What `backprop` found: lines to read, numbers to use, a table, a page."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from chainrule.explain.observe import Origin
from chainrule.explain.pages.page import save
from chainrule.explain.pages.words import words
from chainrule.explain.stepwise import document, table
from chainrule.explain.stepwise.formulas import Symbols
from chainrule.explain.stepwise.lines import Backward, Forward
from chainrule.explain.stepwise.tape import Tape
from chainrule.ir.node import Node


class Note(NamedTuple):
    """A sentence with a place for a detail."""

    sentence: str
    detail: str

    def said(self, lang: str) -> str:
        """In a language."""
        return words(lang)(self.sentence).replace("{}", self.detail)


class Backprop:
    """Back-propagation, line by line.

    forward, backward   the lines; each has its formula, its numbers, its value; those of `backward`
                        their checks and a `status`
    loss                the number that it starts from
    gradients           parameter or input → ∂L/∂·, in float64
    ok                  whether no line is wrong; `wrong`: those that are
    notes               what a reader should know

    `str()` is a table for terminals, `save("page.html")` a page that one can step through.
    """

    def __init__(
        self,
        tape: Tape,
        symbols: Symbols,
        known: dict[Node, str],
        forward: list[Forward],
        backward: list[Backward],
        origin: Callable[[Node], Origin],
        notes: Sequence[Note],
        tolerance: float,
        lang: str,
    ) -> None:
        self.tape, self.symbols, self.lang, self.tolerance = tape, symbols, lang, tolerance
        self.forward, self.backward = tuple(forward), tuple(backward)
        self._notes = tuple(notes)
        self._known = known
        self.loss = float(tape.values[tape.loss])
        self.origins = {line.node: origin(tape.source[line.node]) for line in forward}

    @property
    def gradients(self) -> dict[str, np.ndarray]:
        """∂L/∂· of every parameter that the loss depends on."""
        return {self._known[b.node]: b.value for b in self.backward if b.node in self._known}

    @property
    def wrong(self) -> list[Backward]:
        """Lines with a wrong rule, or whose sum is wrong for no other line's fault."""
        return [b for b in self.backward if b.status in ("wrong", "differs")]

    @property
    def ok(self) -> bool:
        """Whether every line agrees with finite differences, but for kinks."""
        return not self.wrong

    @property
    def notes(self) -> list[str]:
        """What a reader should know."""
        return [n.said(self.lang) for n in self._notes]

    def said(self, lang: str) -> list[str]:
        """The notes in a language."""
        return [n.said(lang) for n in self._notes]

    def __str__(self) -> str:
        return table.text(self)

    def __repr__(self) -> str:
        state = "ok" if self.ok else f"{len(self.wrong)} wrong"
        return f"<Backprop: {len(self.forward)} forward, {len(self.backward)} backward, {state}>"

    def _repr_html_(self) -> str:
        return document.fragment(self, self.lang)

    def html(self, lang: str | None = None) -> str:
        """A page of its own, in which one steps forward and back; nothing is fetched."""
        return document.document(self, lang or self.lang)

    def save(self, path: str | os.PathLike[str], lang: str | None = None) -> Path:
        """Write the page."""
        return save(path, self.html(lang))
