r"""TeX for other readers: MathML for pages, Unicode for terminals.

>>> print(unicode(r"z^{(1)} = W x_{0} + \beta"))
z⁽¹⁾ = W x₀ + β
>>> "<msub><mi>x</mi><mrow><mn>2</mn></mrow></msub>" in mathml("x_{2}", display=False)
True
>>> "<mo>arg</mo><mo>max</mo>" in mathml(r"\arg\max x")
True
"""

from __future__ import annotations

import re

from latex2mathml.converter import convert

from chainrule.explain.symbols import plain

_ALIGNED = re.compile(r"\\(begin|end)\{(aligned|align\*?|split)\}")


def mathml(tex: str, display: bool = True) -> str:
    """TeX of mathematics mode as a MathML element; `display`: a line of its own."""
    inside = _ALIGNED.sub(
        lambda m: r"\begin{array}{rl}" if m[1] == "begin" else r"\end{array}", tex
    )
    inside = re.sub(r"\\arg\b", r"\\operatorname{arg}", inside)  # which the library does not know
    out = convert(inside, display="block" if display else "inline")
    return out.replace("<mtable>", '<mtable displaystyle="true" rowspacing="0.6em">')


_SUPERSCRIPTS = str.maketrans("0123456789+-()nT", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁽⁾ⁿᵀ")


def unicode(tex: str) -> str:
    """TeX as text that can be read in a terminal."""

    def raised(m: re.Match[str]) -> str:
        text = m[1].translate(_SUPERSCRIPTS)
        return text if re.fullmatch(r"[⁰-ⁿ¹²³ᵀ]*", text) else f"^({m[1]})"

    return plain(re.sub(r"\^\{([^{}]*)\}", raised, tex))
