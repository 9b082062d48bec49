"""Runs the Python of a page and writes what the library printed into it.

    python docs/build.py           every page below docs/, in place
    python docs/build.py --check   fail if a page does not say what the library prints

The ```python blocks of a page run one after another in one namespace. Under a block may stand

    <!-- show: EXPRESSION -->   … <!-- end -->    the value of an expression: formulas, graphs, text
    <!-- printed -->            … <!-- end -->    what the block above printed

and all between such a mark and its end is written by this script.
"""

from __future__ import annotations

import contextlib
import io
import re
import sys
from pathlib import Path
from typing import Any

from chainrule.dtypes import get_default_dtype, set_default_dtype
from chainrule.explain import Drawing, Formula

PAGES = sorted(Path(__file__).parent.glob("*/README*.md"))
PIECE = re.compile(
    r"^```python\n(?P<code>.*?)^```$"
    r"|^<!-- (?:show: (?P<show>.*?)|(?P<printed>printed)) -->\n.*?^<!-- end -->$",
    re.DOTALL | re.MULTILINE,
)


def fence(value: Any) -> str:
    """A value as Markdown."""
    if isinstance(value, Formula):
        return value.markdown
    if isinstance(value, Drawing):
        return f"```mermaid\n{value.mermaid()}\n```"
    return f"```text\n{str(value).rstrip()}\n```"


def build(page: str) -> str:
    """The page, with everything that the library prints as it prints it now."""
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
        value = eval(m["show"], namespace)
        return f"<!-- show: {m['show']} -->\n{fence(value)}\n<!-- end -->"

    before = get_default_dtype()
    try:
        return PIECE.sub(replace, page)
    finally:
        set_default_dtype(before)


def main() -> int:
    """Build or check all pages."""
    stale = []
    for path in PAGES:
        before = path.read_text(encoding="utf-8")
        after = build(before)
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
