"""Pages of which several scripts write a part: each part stands between two marks of its own."""

from __future__ import annotations

from pathlib import Path


def _marks(owner: str) -> tuple[str, str]:
    return f"<!-- begin: {owner} -->\n", f"<!-- end: {owner} -->\n"


def read(page: Path, owner: str) -> str:
    """The part of that name; empty where there is none."""
    begin, end = _marks(owner)
    text = page.read_text() if page.is_file() else ""
    if begin not in text:
        return ""
    return text.partition(begin)[2].partition(end)[0]


def write(page: Path, owner: str, part: str) -> None:
    """Put `part` in the place of the part of that name, or at the end of the page."""
    begin, end = _marks(owner)
    text = page.read_text() if page.is_file() else ""
    whole = f"{begin}{part.rstrip()}\n{end}"
    if begin in text:
        before, _, rest = text.partition(begin)
        after = rest.partition(end)[2]
        page.write_text(before + whole + after)
    else:
        page.write_text(f"{text.rstrip()}\n\n{whole}".lstrip())
