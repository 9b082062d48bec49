"""`repr` of tensors, as PyTorch prints them: four digits, aligned, the middle of long axes left
out.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from chainrule import dtypes
from chainrule.tensor.handle import Tensor
from chainrule.tensor.trace import state

_options: dict[str, Any] = {
    "precision": 4,
    "threshold": 1000,
    "edgeitems": 3,
    "linewidth": 80,
    "sci_mode": None,
}


_PROFILES: dict[str, dict[str, Any]] = {
    "default": {"precision": 4, "threshold": 1000, "edgeitems": 3},
    "short": {"precision": 2, "threshold": 1000, "edgeitems": 2},
    "full": {"precision": 4, "threshold": math.inf, "edgeitems": 3},
}


def set_printoptions(
    precision: int | None = None, threshold: int | None = None, edgeitems: int | None = None,
    linewidth: int | None = None, profile: str | None = None, sci_mode: bool | None = None,
) -> None:  # fmt: skip
    """How tensors print: digits, how many elements before the middle is left out, scientific
    notation.
    """
    if profile is not None:
        _options.update(_PROFILES[profile])
    given = {
        "precision": precision,
        "threshold": threshold,
        "edgeitems": edgeitems,
        "linewidth": linewidth,
    }
    _options.update({k: v for k, v in given.items() if v is not None})
    _options["sci_mode"] = sci_mode


def _float_formatter(a: np.ndarray) -> Any:
    p = _options["precision"]
    finite = np.abs(a[np.isfinite(a)].astype(np.float64))
    nonzero = finite[finite > 0]
    whole = bool((finite == np.rint(finite)).all())
    sci = _options["sci_mode"]
    if nonzero.size:
        big, small = nonzero.max(), nonzero.min()
        wide = big / small > 1000.0 or big > 1e8 or (not whole and small < 1e-4)
        sci = wide if sci is None else sci

    def plain(v: float) -> str:
        if not math.isfinite(v):
            return str(v)
        if sci and nonzero.size:
            return f"{v:.{p}e}"
        return f"{v:.0f}." if whole else f"{v:.{p}f}"

    return plain


def _width(a: np.ndarray, form: Any) -> int:
    """Of the columns; zeros, infinities and NaN do not widen them."""
    counted = a.reshape(-1)
    if a.dtype.kind == "f":
        counted = counted[np.isfinite(counted) & (counted != 0)]
    return max((len(form(v)) for v in counted.tolist()), default=1)


def _padded(form: Any, width: int) -> tuple[Any, int]:
    return lambda v: form(v).rjust(width), width


def _complex_formatter(a: np.ndarray) -> tuple[Any, int]:
    """a+bj: real parts stand below each other."""
    forms = [_float_formatter(part) for part in (a.real, a.imag)]
    widths = [_width(part, form) for part, form in zip((a.real, a.imag), forms, strict=True)]

    def plain(v: complex) -> str:
        real, imag = (f(x) for f, x in zip(forms, (v.real, v.imag), strict=True))
        sign = "" if imag[0] in "+-" else "+"
        return f"{real.rjust(widths[0])}{sign}{imag}j"

    return plain, sum(widths) + 1


def _summary(a: np.ndarray) -> np.ndarray:
    """The elements that will be seen."""
    e = _options["edgeitems"]
    for axis, n in enumerate(a.shape):
        if n > 2 * e:
            a = np.concatenate([a.take(range(e), axis), a.take(range(n - e, n), axis)], axis)
    return a


def _lines(a: np.ndarray, form: Any, width: int, indent: int, summarize: bool) -> str:
    e = _options["edgeitems"]
    cut = summarize and a.shape[0] > 2 * e
    if a.ndim == 1:
        cells = [form(v) for v in (np.r_[a[:e], a[-e:]] if cut else a).tolist()]
        if cut:
            cells.insert(e, " ...")
        per = max(1, (_options["linewidth"] - indent) // (width + 2))
        rows = [", ".join(cells[i : i + per]) for i in range(0, len(cells), per)]
        return "[" + (",\n" + " " * (indent + 1)).join(rows) + "]"
    picked = [*range(e), *range(a.shape[0] - e, a.shape[0])] if cut else range(a.shape[0])
    parts = [_lines(a[i], form, width, indent + 1, summarize) for i in picked]
    if cut:
        parts.insert(e, "...")
    return "[" + ("," + "\n" * (a.ndim - 1) + " " * (indent + 1)).join(parts) + "]"


def elements(t: Tensor, indent: int) -> str:
    """What stands between the brackets of `tensor(…)`, which begins in this column."""
    array = t._concrete()
    if array.size == 0:
        return "[]"
    a = array.astype(np.float32) if t.dtype is dtypes.bfloat16 else array
    summarize = a.size > _options["threshold"]
    seen = _summary(a) if summarize else a
    if t.dtype.is_complex:
        form, width = _complex_formatter(seen)
    else:
        form = _float_formatter(seen) if t.dtype.is_floating_point else str
        form, width = _padded(form, _width(seen, form))
    if a.ndim == 0:
        return str(form(a.item())).lstrip()
    return _lines(a, form, width, indent, summarize)


def joined(parts: list[str], indent: int) -> str:
    """What is said of a tensor behind its numbers: on a new line where the last one is full."""
    out, *more = parts
    last = len(out) - out.rfind("\n") + 1
    for part in more:
        if last + len(part) + 2 > _options["linewidth"]:
            out, last = f"{out},\n{' ' * indent}{part}", indent + len(part)
        else:
            out, last = f"{out}, {part}", last + len(part) + 2
    return out + ")"


def text(t: Tensor) -> str:
    """`repr(t)`; computes the value."""
    if t._is_hidden():
        node = t.storage.node
        for level in reversed(state.here.lanes):
            if level.holds(node):
                shown: str = level.text(t)
                return shown
    array = t._concrete()
    parts = ["tensor(" + elements(t, len("tensor("))]
    if array.size == 0 and array.ndim != 1:
        parts.append(f"size={tuple(t._shape)}")
    default = dtypes.get_default_dtype()
    if t.dtype not in (default, default.to_complex(), dtypes.int64, dtypes.bool_) or (
        array.size == 0 and t.dtype is not dtypes.get_default_dtype()
    ):
        parts.append(f"dtype=torch.{t.dtype.name}")
    if t.level and not t.leaf:
        parts.append(f"grad_fn={t.grad_fn!r}")
    elif t.level:
        parts.append("requires_grad=True")
    return joined(parts, len("tensor("))
