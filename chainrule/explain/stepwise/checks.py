"""A claimed gradient against finite differences, element by element or in random directions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from chainrule.explain.checking.differences import Slope, agreeing

ELEMENTS = 4096  # arrays with more are checked in random directions
WORK = 60_000  # so are those for which it would take more operations than this
DIRECTIONS = 8


class Check(NamedTuple):
    """claimed, found   the gradient by the rule, and by differences (along directions: the slopes)
    error     the largest difference, relative to the largest element, or to what differences can
              tell from zero
    verdict   "agrees"; "kink": no derivative there, and the rule's is between those of the two
              sides; "differs"; "none": there are no finite numbers to compare
    along     how many random directions; 0: every element
    kinks     how many elements (directions) have no derivative; `error` is of the others
    """

    claimed: np.ndarray
    found: np.ndarray
    error: float
    verdict: str
    along: int
    kinks: int = 0

    @property
    def fine(self) -> bool:
        return self.verdict in ("agrees", "kink")


def check(
    value: Callable[[np.ndarray], float],
    x: np.ndarray,
    claimed: np.ndarray,
    tolerance: float,
    cost: int = 1,
    seed: int = 0,
) -> Check:
    """Whether `claimed` is the gradient of value(·) at x. `cost`: operations of one
    evaluation."""
    here = value(x)
    whole = x.size <= ELEMENTS and x.size * cost * 4 <= WORK
    if whole:
        directions = [_unit(x, at) for at in np.ndindex(x.shape)]
    else:
        rng = np.random.default_rng(seed)
        directions = [rng.standard_normal(x.shape) for _ in range(DIRECTIONS)]
    claims = np.array([float(np.vdot(claimed, d)) for d in directions])
    size = np.abs(claimed).max(initial=0.0) if whole else np.linalg.norm(claimed)
    scale = float(size)
    found: list[Slope] = []
    errors: list[float] = []
    for d, claim in zip(directions, claims, strict=True):
        off, slope = agreeing(_line(value, x, d), float(claim), scale, tolerance, here=here)
        errors.append(off)
        found.append(slope)
    verdicts = [
        _judge(off, s, float(c), tolerance) for off, s, c in zip(errors, found, claims, strict=True)
    ]
    verdict = max(verdicts, key=_ORDER.index, default="agrees")
    slopes = np.array([s.value for s in found])
    if whole:
        slopes = slopes.reshape(x.shape)
    largest = max([scale, *(abs(s.value) for s in found if np.isfinite(s.value))])
    gaps = [
        abs(s.value - claim) / max(largest, s.noise / tolerance)
        for s, claim, v in zip(found, claims, verdicts, strict=True)
        if v != "kink"
    ]
    error = float(max((g for g in gaps if np.isfinite(g)), default=0.0))
    along = 0 if whole else len(directions)
    kinks = verdicts.count("kink")
    return Check(claimed if whole else claims, slopes, error, verdict, along, kinks)


_ORDER = ("agrees", "kink", "none", "differs")


def _judge(off: float, s: Slope, claim: float, tolerance: float) -> str:
    if not np.isfinite(off):
        return "none"
    if s.kink and _between(claim, s):  # also where it is the mean of both sides
        return "kink"
    return "agrees" if off <= tolerance else "differs"


def _unit(x: np.ndarray, at: Sequence[int]) -> np.ndarray:
    """A step in one element."""
    d = np.zeros(x.shape)
    d[tuple(at)] = 1.0
    return d


def _line(
    value: Callable[[np.ndarray], float], x: np.ndarray, d: np.ndarray
) -> Callable[[float], float]:
    return lambda t: value(x + t * d)


def _between(claim: float, s: Slope) -> bool:
    """Whether a slope lies between those of the two sides, but for what their steps are off."""
    low, high = sorted((s.left, s.right))
    slack = 1e-3 * max(abs(low), abs(high), abs(claim)) + 4 * s.noise
    return low - slack <= claim <= high + slack
