"""What signs mean: said where they are used, in either language."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Protocol

from chainrule.explain.mathematics.derive import Line
from chainrule.explain.pages.words import words


class _Shown(Protocol):
    @property
    def printed(self) -> list[Line]: ...


_ALWAYS = (
    "An equation holds for every sample {n}, and every position {t} or place {p}, {q}, that its "
    "symbols have. Features are the rows of a column vector: a batch stored as rows is read as "
    "columns, so a layer is {W a + b}.",
    "{\\sum_{n}} adds over samples, {\\sum_{i}} over the rows of a vector, {\\sum_{j}} over the "
    "columns of a matrix; a sum reaches to the end of its product.",
)
#: What is said if a sign is there.
_SIGNS = (
    (
        r"\\odot",
        "{x \\odot y} is the product element by element.",
    ),
    (
        r"\\delta\^|\\delta_",
        "{\\delta = \\partial L / \\partial z} for every affine value {z}.",
    ),
    (
        r"\[[^;\]]*(?:>|<|\\le|\\ge|=)[^;\]]*\]",
        "{[z > 0]} is 1 where the condition holds, and 0 elsewhere.",
    ),
    (
        r"\\star(?!\^)",
        "{(W \\star x)_{o}(p,q) = \\sum_{c,u,v} W_{o,c,u,v}\\, x_{c}(p+u, q+v)}: a sum over "
        "channels and offsets; {s} is the stride, {p} the padding with zeros, {d} the "
        "dilation, {g} the groups.",
    ),
    (
        r"\\star\^",
        "{W \\star^{T} \\delta} is the transpose of this map: every {\\delta_{o}} goes back "
        "through the kernel to the places that its window had (the size is that of the "
        "result).",
    ),
    (
        r"\\circledast",
        "{(\\delta \\circledast x)_{o,c,u,v} = \\sum_{p,q} \\delta_{o}(p,q)\\, x_{c}(p+u, "
        "q+v)}, with the same stride and padding.",
    ),
    (
        r"\\mathbf\{1\}_",
        "{\\mathbf{1}_{p=6,q=6}} has ones only: the same value at every place.",
    ),
    (
        r"maxpool\}_",
        "{\\operatorname{maxpool}_{2\\times 2}} takes the largest element of every window.",
    ),
    (
        r"maxpool\}\^",
        "{\\operatorname{maxpool}^{T}(\\delta; a)} gives each {\\delta} to the place in {a} "
        "where its window has its maximum.",
    ),
    (
        r"(?:avg|sum)pool\}\^",
        "{\\operatorname{sumpool}^{T}(\\delta; H\\times W)} gives each {\\delta} to all "
        "places of its window.",
    ),
    (
        r"operatorname\{rows\}",
        "{\\operatorname{rows}_{t}(x)} is the matrix with the rows {x_{t}^{T}}; {X_{t}} is "
        "row {t} of a matrix, as a column.",
    ),
    (
        r"operatorname\{(?:split|concat|vec)\}",
        "{\\operatorname{split}_{h=2,i=4}(x)} cuts a vector into 2 parts of 4, "
        "{\\operatorname{concat}_{h}} and {\\operatorname{vec}} put the parts together, the "
        "last letter running fastest.",
    ),
    (
        r"operatorname\{softmax\}",
        "{\\operatorname{softmax}} is taken of a vector, or of each row of a matrix.",
    ),
    (
        r"\\mathbf\{e\}",
        "{\\mathbf{e}^{K}_{k}} is the unit vector of length {K} with a 1 at place {k}.",
    ),
    (
        r"\{E\^|E_\{",
        "{E_{w}} is row {w} of a table, as a column: the vector of word {w}.",
    ),
    (
        r"_\{\d+:\d+",
        "{z_{1:4}} are rows 1 to 4.",
    ),
    (
        r"pad\}_\{",
        "{\\operatorname{pad}_{t=a|b}} puts {a} zeros before and {b} behind, along {t}.",
    ),
    (
        r"\\bar\{h\}|\\bar\{c\}",
        "{\\bar{h}_{t}} is {\\partial L / \\partial h_{t}}, through all later steps.",
    ),
    (
        r"\bm(?:_\{\d+\})?(?:\^|\b)",
        "{m} is a mask that was drawn (dropout: 0, or 1/(1 − p)).",
    ),
)
TEXTS = (*_ALWAYS, *(text for _, text in _SIGNS))


def _same(text: str) -> str:
    return text


def conventions(
    shown: _Shown, lang: str, set_: Callable[[str], str], plain: Callable[[str], str] = _same
) -> list[str]:
    """The sentences that these equations need, their formulas set by `set_`."""
    say = words(lang)
    everything = "\n".join(f"{line.left} = {line.right}" for line in shown.printed)
    texts = [*_ALWAYS, *(text for sign, text in _SIGNS if re.search(sign, everything))]
    return [_set(say(text), set_, plain) for text in texts]


def _set(text: str, set_: Callable[[str], str], plain: Callable[[str], str]) -> str:
    """The formulas of a sentence stand between braces that are balanced."""
    out, depth, start = "", 0, 0
    for i, c in enumerate(text):
        if c == "{":
            if depth == 0:
                out += plain(text[start:i])
                start = i + 1
            depth += 1
        elif c == "}":
            depth -= 1
            if depth == 0:
                out += set_(text[start:i])
                start = i + 1
    return out + plain(text[start:])
