"""Colours that say which way and how much: orange for, blue against, white for nothing.

Orange and blue are told apart with any kind of colour vision, and by their lightness on paper.
"""

from __future__ import annotations

import numpy as np

#: From −1 to 1.
_DIVERGING = np.array(
    [
        (5, 48, 97), (33, 102, 172), (110, 168, 212), (190, 217, 234), (247, 247, 247),
        (253, 219, 176), (241, 163, 64), (204, 96, 8), (117, 48, 2),
    ],
    np.float64,
)  # fmt: skip
#: From 0 to 1, for values without a sign.
_RISING = _DIVERGING[4:]


def coloured(values: np.ndarray, signed: bool) -> np.ndarray:
    """Values in [−1, 1] (or [0, 1]) as (…, 3) bytes.

    >>> coloured(np.array([-1.0, 0.0, 1.0]), True).tolist()
    [[5, 48, 97], [247, 247, 247], [117, 48, 2]]
    """
    stops = _DIVERGING if signed else _RISING
    at = (np.clip(values, -1, 1) + 1) / 2 if signed else np.clip(values, 0, 1)
    at = at * (len(stops) - 1)
    low = np.floor(at).astype(int)
    high = np.minimum(low + 1, len(stops) - 1)
    part = (at - low)[..., None]
    return np.asarray(np.rint(stops[low] * (1 - part) + stops[high] * part), np.uint8)


#: The two hues behind words: see-through, so that they are legible on light and dark pages.
FOR, AGAINST = (217, 95, 2), (33, 113, 181)
_MOST = 0.62


def tint(value: float) -> str:
    """The background of a word, for CSS: as strong as |value| in [0, 1].

    >>> tint(1.0), tint(0.0)
    ('rgba(217,95,2,0.62)', 'transparent')
    """
    strength = min(abs(value), 1.0) ** 0.8 * _MOST
    if strength < 0.02:
        return "transparent"
    r, g, b = FOR if value > 0 else AGAINST
    return f"rgba({r},{g},{b},{strength:.2f})"


def scale(values: np.ndarray, percentile: float = 99.5) -> float:
    """What counts as 1: nearly the greatest size, so that one spot does not pale all others."""
    sizes = np.abs(values[np.isfinite(values)])
    if not sizes.size or not sizes.max() > 0:
        return 1.0
    found = float(np.percentile(sizes, percentile))
    return found if found > 0 else float(sizes.max())
