"""A function of one number and its derivative, as a small picture."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from chainrule.explain.pages import picture

_WIDE, _HIGH, _EDGE = 420, 260, 28


def curves(x: np.ndarray, lines: dict[str, np.ndarray], title: str) -> str:
    """Polylines over x, with axes; the second in the accent's colour. No number: a gap."""
    finite = np.concatenate([y[np.isfinite(y)] for y in lines.values()])
    if not finite.size:
        return ""
    low, high = np.percentile(finite, [2, 98])
    middle, half = (low + high) / 2, max((high - low) / 2 * 1.15, 0.6)
    low, high = max(middle - half, -8.0), min(middle + half, 8.0)
    low, high = min(low, -0.2), max(high, 0.2)

    def px(v: float) -> float:
        return _EDGE + (v - x[0]) / (x[-1] - x[0]) * (_WIDE - 2 * _EDGE)

    def py(v: float) -> float:
        return _HIGH - _EDGE - (v - low) / (high - low) * (_HIGH - 2 * _EDGE)

    parts = [
        f'<path class="axis" d="M{px(x[0]):.1f} {py(0):.1f}H{px(x[-1]):.1f}M{px(0):.1f} '
        f'{py(low):.1f}V{py(high):.1f}"/>'
    ]
    for v in (x[0], x[-1]):
        parts.append(picture.text(px(v), py(0) + 12, f"{v:g}", "small"))
    for v in (low, high):
        parts.append(picture.text(px(0) - 6, py(v), f"{v:.2g}", "small", anchor="end"))
    for k, (name, y) in enumerate(lines.items()):
        parts.append(f'<path class="curve{k}" d="{_path(x, y, low, high, px, py)}"/>')
        at = 12 + 15 * k
        parts.append(f'<path class="curve{k}" d="M{_WIDE - 90} {at}h18"/>')
        parts.append(picture.text(_WIDE - 66, at, name, anchor="start"))
    return picture.svg(_WIDE, _HIGH, "\n".join(parts), title)


def _path(
    x: np.ndarray, y: np.ndarray, low: float, high: float,
    px: Callable[[float], float], py: Callable[[float], float],
) -> str:  # fmt: skip
    """Where y is a number inside the picture; a jump is a gap."""
    steps, pen = [], False
    for i, (a, b) in enumerate(zip(x, y, strict=True)):
        inside = np.isfinite(b) and low <= b <= high
        jump = pen and abs(b - y[i - 1]) > 0.4 * (high - low)
        if inside:
            steps.append(f"{'L' if pen and not jump else 'M'}{px(a):.1f} {py(b):.1f}")
        pen = bool(inside)
    return "".join(steps)
