"""What an error tells beside its message: one note, which grows while the error climbs.

    in Net.features.3: Linear(in_features=20, …), given f32[64 (batch), 30 (features)]
    it takes 20 features in the last axis, got 30
    Repair: nn.Linear(30, 10), or give it 20 features
    at train.py:12, in forward: x = self.features(x)
    from train.py:40: loss = criterion(net(x), y)

The first line is of the layers of either face, the second and the third of what knows the axes
(`meaning`) or of who raised the error, the rest are the user's lines. Whoever has a part to add
calls `tell`.
"""

from __future__ import annotations

from typing import Any, NamedTuple, TypeVar

from chainrule.lines import Line, users_lines

_Error = TypeVar("_Error", bound=BaseException)


class Parts(NamedTuple):
    """What a note is made of.

    layer    the outermost layer that the error has passed; `root` is what it is called, `path` the
             way from there to the innermost one
    said     what is to be said of the innermost layer, and of what it was given
    before   the path of the layer before that, where layers stand in a row, and what it is
    """

    layer: Any = None
    root: str = ""
    path: str = ""
    said: str = ""
    problem: str = ""
    repair: str = ""
    lines: tuple[Line, ...] = ()
    before: str = ""
    gives: str = ""

    def __str__(self) -> str:
        text = [f"in {self.root}{self.path}{self.said}"] if self.root else []
        if self.problem:
            text.append(self.problem)
        if self.repair:
            after = f" (the layer before it: {self.before.lstrip('./')!r}, {self.gives})"
            text.append(f"Repair: {self.repair}{after if self.problem and self.before else ''}")
        for i, line in enumerate(self.lines):
            inside = f", in {line.function}" if line.function != "<module>" else ""
            source = f": {line.text}" if line.text else ""
            text.append(f"{'from' if i else 'at'} {line.file}:{line.number}{inside}{source}")
        return "\n".join(text)


class Note(str):
    """The note on an exception, with its parts."""

    parts: Parts

    @classmethod
    def of(cls, parts: Parts) -> Note:
        note = cls(parts)
        note.parts = parts
        return note

    def __reduce__(self) -> Any:  # in another process it is a text
        return str, (str(self),)


def told(error: BaseException) -> Parts:
    """What was told of an error so far."""
    for note in getattr(error, "__notes__", ()):
        if isinstance(note, Note):
            return note.parts
    return Parts()


def advised(error: _Error, repair: str) -> _Error:
    """An error of another kind than ours, with the user's lines and what would repair it."""
    tell(error, repair=repair, lines=users_lines())
    return error


def tell(error: BaseException, **parts: Any) -> None:
    """Say these parts of an error, beside what was said of it before."""
    note = Note.of(told(error)._replace(**parts))
    notes: list[str] = getattr(error, "__notes__", [])
    for place, old in enumerate(notes):
        if isinstance(old, Note):
            notes[place] = note
            return
    if note:
        error.add_note(note)
