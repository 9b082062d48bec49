"""Runs the Python of a page and writes what the library printed into it.

    python docs/build.py           every page below docs/, in place
    python docs/build.py --check   fail if a page does not say what the library prints
    python docs/build.py NAME …    only pages whose path contains one of these

The ```python blocks of a page run one after another in one namespace. Under a block may stand

    <!-- show: EXPRESSION -->   … <!-- end -->    the value of an expression: formulas, graphs, text
    <!-- here: EXPRESSION -->   … <!-- end -->    the same, where it depends on the machine: it is
                                                  evaluated, and written with `--here` only
    <!-- source: FILE NAME … --> … <!-- end -->   definitions of a file beside the page; FIRST:LAST
                                                  are all from one to another
    <!-- printed -->            … <!-- end -->    what the block above printed

and all between such a mark and its end is written by this script. A page may import what lies in
its folder.
"""

from __future__ import annotations

import ast
import contextlib
import io
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from chainrule.dtypes import get_default_dtype, set_default_dtype
from chainrule.explain import Drawing, Formula

HERE = Path(__file__).parent
PAGES = sorted({*HERE.glob("*/README*.md"), *HERE.glob("tutorials/*.md")})
PIECE = re.compile(
    r"^```python\n(?P<code>.*?)^```$"
    r"|^<!-- (?:(?P<kind>show|here|source): (?P<show>.*?)|(?P<printed>printed)) -->\n"
    r".*?^<!-- end -->$",
    re.DOTALL | re.MULTILINE,
)


def fence(value: Any) -> str:
    """A value as Markdown."""
    if isinstance(value, Formula):
        return value.markdown
    if isinstance(value, Drawing):
        return f"```mermaid\n{value.mermaid()}\n```"
    return f"```text\n{str(value).rstrip()}\n```"


def source(path: Path, names: list[str]) -> str:
    """Definitions out of a file, with the comments above them, as Markdown that is not run."""
    text = path.read_text(encoding="utf-8")
    lines, places = text.splitlines(), {}
    for n in ast.parse(text).body:
        first = min([n.lineno, *(d.lineno for d in getattr(n, "decorator_list", []))])
        while lines[first - 2].startswith("#"):
            first -= 1
        targets = n.targets if isinstance(n, ast.Assign) else [n]
        for t in targets:
            name = getattr(t, "id", None) or getattr(t, "name", "")
            places[name] = first - 1, n.end_lineno or n.lineno
    parts = []
    for name in names:
        start, _, stop = name.partition(":")
        part = lines[places[start][0] : places[stop or start][1]]
        parts.append("\n".join(s for s in part if s.strip() not in ("# fmt: off", "# fmt: on")))
    return "```py\n" + "\n\n\n".join(parts) + "\n```"


def build(page: str, here: bool = False, folder: Path = HERE) -> str:
    """The page, with everything that the library prints as it prints it now. `here`: also what
    depends on the machine. `folder`: where the files lie that it shows."""
    namespace: dict[str, Any] = {"__name__": "page"}
    printed = ""

    def replace(m: re.Match[str]) -> str:
        nonlocal printed
        if m["code"] is not None:
            out = io.StringIO()
            with contextlib.redirect_stdout(out):
                exec(compile(m["code"], "<page>", "exec"), namespace)
            printed = out.getvalue()
            return m[0]
        if m["printed"]:
            return f"<!-- printed -->\n```text\n{printed.rstrip()}\n```\n<!-- end -->"
        if m["kind"] == "source":
            file, *names = m["show"].split()
            text = source(folder / file, names)
        else:
            text = fence(eval(m["show"], namespace))
        if m["kind"] == "here" and not here:
            return m[0]
        return f"<!-- {m['kind']}: {m['show']} -->\n{text}\n<!-- end -->"

    before = get_default_dtype()
    try:
        return PIECE.sub(replace, page)
    finally:
        set_default_dtype(before)


@contextlib.contextmanager
def importing_from(folder: Path) -> Iterator[None]:
    """As Python does for a script in this folder."""
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))


def main() -> int:
    """Build or check all pages."""
    stale = []
    asked = [a for a in sys.argv[1:] if not a.startswith("-")]
    for path in [p for p in PAGES if not asked or any(a in str(p) for a in asked)]:
        before = path.read_text(encoding="utf-8")
        with importing_from(path.parent):
            after = build(before, "--here" in sys.argv, path.parent)
        if after != before:
            stale.append(path)
            if "--check" not in sys.argv:
                path.write_text(after, encoding="utf-8")
    verb = "is not what the library prints" if "--check" in sys.argv else "written"
    for path in stale:
        print(f"{path}: {verb}")
    return 1 if stale and "--check" in sys.argv else 0


if __name__ == "__main__":
    sys.exit(main())
