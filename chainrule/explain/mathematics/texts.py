"""TeX documents, and equations that are too long for a line."""

from __future__ import annotations

import re

from chainrule.explain.printing.typeset import stacked

_WIDTH = 105
_HEAD = {
    "en": r"\documentclass[10pt]{article}",
    "zh": r"\documentclass[10pt]{ctexart}",
}
_PREAMBLE = r"""
\usepackage[a4paper,margin=18mm]{geometry}
\usepackage{amsmath,amssymb,longtable}
\allowdisplaybreaks
\setlength{\parindent}{0pt}
\begin{document}
"""


_ACCENT = re.compile(r"\{(\\(?:bar|hat)\{\w\}(?:_\{[^{}]*\})?(?:\^\{\([^()]*\)\})?)\}(?=_)")


def document(body: str, lang: str = "en") -> str:
    """A whole document. (A letter with an accent alone in braces would be no group for TeX.)"""
    safe = _ACCENT.sub(r"{\1{}}", stacked(body))
    return f"{_HEAD[lang]}{_PREAMBLE}{safe}\n\\end{{document}}\n"


_INSIDE = r"((?:[^{}]|\{(?:[^{}]|\{[^{}]*\})*\})*)"
_FRACTION = re.compile(rf"\\frac\{{{_INSIDE}\}}\{{{_INSIDE}\}}")
_TOKEN = re.compile(r"\\left|\\right|\\begin\{\w+\}|\\end\{\w+\}|\\[a-zA-Z]+|\\.|.", re.DOTALL)


def visible(tex: str) -> int:
    """About how wide a formula is, in signs."""
    tex = _FRACTION.sub(lambda m: max(m[1], m[2], key=len), tex)
    tex = re.sub(r"\\(?:left|right|operatorname|mathrm|mathbf)\b", "", tex)
    tex = re.sub(r"\\[a-zA-Z]+", "x", tex)
    return len(re.sub(r"[{}^_\s\\]", "", tex))


def broken(tex: str, width: int = _WIDTH) -> list[str]:
    """A right side in lines, broken before a sign that stands outside of all brackets."""
    if visible(tex) <= width:
        return [tex]
    places: list[int] = []
    depth = at = 0
    for m in _TOKEN.finditer(tex):
        t = m[0]
        if t in ("{", "(", "[", r"\left") or t.startswith(r"\begin"):
            depth += 1
        elif t in ("}", ")", "]", r"\right") or t.startswith(r"\end"):
            depth -= 1
        elif not depth and at and t in ("+", "-", r"\odot"):
            places.append(m.start())
        if t in (r"\left", r"\right"):
            depth += -1 if t == r"\left" else 1  # the bracket itself counts
        at = m.end()
    if not places:
        return [tex]
    out, start = [], 0
    for p, after in zip(places, [*places[1:], len(tex)], strict=True):
        if visible(tex[start:after]) > width and p > start:
            out.append(tex[start:p].rstrip())
            start = p
    out.append(tex[start:])
    return out
