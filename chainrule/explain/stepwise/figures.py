r"""Arrays as they stand in formulas and tables: small ones whole, others by their beginning.

>>> import numpy as np
>>> number(0.25), number(-1.5e-7), number(3.0), number(np.bool_(True))
('0.25', '-1.5 \\cdot 10^{-7}', '3', '1')
>>> array(np.array([[1.0, -2.0]]))
'\\begin{pmatrix} 1 & -2 \\end{pmatrix}'
>>> text(np.array([[0.5, 1.0], [2.0, 3.0]])), text(np.zeros((3, 4, 5)))
('[[0.5 1] [2 3]]', '[0 0 0 0 …] 3×4×5')
"""

from __future__ import annotations

import numpy as np

SHOWN = 12  # elements of an array that is written whole
FIRST = 4  # elements of others
DIGITS = 4


def short(v: object) -> str:
    """A number with four digits."""
    if isinstance(v, (bool, np.bool_)):
        return str(int(v))
    value = float(v)  # type: ignore[arg-type]  # an element of an array of numbers
    if value == int(value) and abs(value) < 1e6 if np.isfinite(value) else False:
        return str(int(value))
    return f"{value:.{DIGITS}g}"


def number(v: object) -> str:
    """A number as TeX."""
    found = short(v)
    if found in ("inf", "-inf"):
        return found.replace("inf", r"\infty")
    if found == "nan":
        return r"\text{NaN}"
    mantissa, _, exponent = found.partition("e")
    return rf"{mantissa} \cdot 10^{{{int(exponent)}}}" if exponent else mantissa


def array(a: np.ndarray, row: bool = False) -> str:
    """An array as TeX: a number, a column (or row), a matrix, or its beginning and shape."""
    a = np.asarray(a)
    if a.size == 1:
        return number(a.reshape(())[()])
    if 0 < a.size <= SHOWN and a.ndim <= 2:
        rows = a.reshape((1, -1) if row else (-1, 1)) if a.ndim == 1 else a
        inside = r" \\ ".join(" & ".join(map(number, row)) for row in rows)
        return rf"\begin{{pmatrix}} {inside} \end{{pmatrix}}"
    first = ", ".join(map(number, a.ravel()[:FIRST]))
    more = r", \dots" if a.size > FIRST else ""
    sizes = r" \times ".join(map(str, a.shape))
    return rf"\left[{first}{more}\right]_{{{sizes}}}"


def operand(a: np.ndarray, row: bool = False) -> str:
    """An array as TeX where a symbol stood."""
    found = array(a, row)
    if found.startswith("\\"):
        return f"{{{found}}}"  # so that an exponent is the whole matrix's
    return f"({found})" if found.startswith("-") or r"\cdot" in found else found


def bare(a: np.ndarray, row: bool = False) -> str:
    """An array as text where a symbol stood."""
    found = text(a)
    return f"({found})" if found.startswith("-") else found


def block(a: np.ndarray) -> str:
    """An array as text, the rows of a matrix under each other."""
    return text(a).replace("] [", "]\n[")


def text(a: np.ndarray) -> str:
    """An array on one line."""
    a = np.asarray(a)
    if a.size == 1:
        return short(a.reshape(())[()])
    if 0 < a.size <= SHOWN and a.ndim <= 2:
        if a.ndim == 1:
            return f"[{' '.join(map(short, a))}]"
        return "[" + " ".join(f"[{' '.join(map(short, row))}]" for row in a) + "]"
    first = " ".join(map(short, a.ravel()[:FIRST]))
    return f"[{first}{' …' if a.size > FIRST else ''}] {shape(a.shape)}"


def shape(s: tuple[int, ...]) -> str:
    """A shape: 2×3, or "number"."""
    return "×".join(map(str, s)) if s else "1"
