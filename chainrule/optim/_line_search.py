"""Line search: how far to go along a direction, by the strong Wolfe conditions."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from chainrule.tensor import Tensor


class Point(NamedTuple):
    """The loss at distance `t`, its gradient there, and its slope along the direction."""

    t: float
    loss: float
    grad: Tensor
    slope: float


def cubic_minimum(a: Point, b: Point, bounds: tuple[float, float] | None = None) -> float:
    """The minimum of the cubic through two points with their slopes, kept within bounds.

    The bounds are the two points unless given; where the cubic has no minimum, their middle.
    Nocedal and Wright, "Numerical Optimization", equation 3.59.

    >>> at = lambda t: Point(t, (t - 0.3) ** 2, None, 2 * (t - 0.3))
    >>> round(cubic_minimum(at(0.0), at(1.0)), 12)
    0.3
    """
    low, high = bounds or (min(a.t, b.t), max(a.t, b.t))
    first, last = (a, b) if a.t <= b.t else (b, a)
    if first.t == last.t:
        return (low + high) / 2.0
    d1 = a.slope + b.slope - 3 * (a.loss - b.loss) / (a.t - b.t)
    square = d1 * d1 - a.slope * b.slope
    if not square >= 0:
        return (low + high) / 2.0
    d2 = square**0.5
    divisor = last.slope - first.slope + 2 * d2
    if divisor == 0:
        return (low + high) / 2.0
    t = last.t - (last.t - first.t) * ((last.slope + d2 - d1) / divisor)
    return min(max(t, low), high)


def strong_wolfe(
    evaluate: Callable[[float], Point],
    start: Point,
    t: float,
    longest: float,
    *,
    c1: float = 1e-4,
    c2: float = 0.9,
    tolerance_change: float = 1e-9,
    max_ls: int = 25,
) -> tuple[Point, int]:
    """A point with enough decrease (c1) and a flat enough slope (c2), and how many were tried.

    `start` is the point at 0, `t` the first try, `longest` the largest element of the direction.
    First steps grow until they bracket such a point, then the bracket is cut down around it.
    Nocedal and Wright, algorithms 3.5 and 3.6.
    """

    def too_high(point: Point) -> bool:
        return point.loss > start.loss + c1 * point.t * start.slope

    def flat(point: Point) -> bool:
        return abs(point.slope) <= -c2 * start.slope

    previous, point = start, evaluate(t)
    tried, turns = 1, 0
    bracket = [start, point]
    while turns < max_ls:
        bracket = [previous, point]
        if too_high(point) or (turns > 1 and point.loss >= previous.loss):
            break
        if flat(point):
            return point, tried
        if point.slope >= 0:
            break
        bounds = point.t + 0.01 * (point.t - previous.t), point.t * 10
        previous, point = point, evaluate(cubic_minimum(previous, point, bounds))
        tried, turns = tried + 1, turns + 1
        bracket = [start, point]

    low, high = (0, 1) if bracket[0].loss <= bracket[1].loss else (1, 0)
    stuck = False
    while turns < max_ls:
        left, right = sorted(p.t for p in bracket)
        if (right - left) * longest < tolerance_change:
            break
        t = cubic_minimum(bracket[0], bracket[1])
        margin = 0.1 * (right - left)
        if min(right - t, t - left) < margin:  # close to an end: the second time, step inside
            if stuck or t >= right or t <= left:
                t = right - margin if abs(t - right) < abs(t - left) else left + margin
                stuck = False
            else:
                stuck = True
        else:
            stuck = False
        point = evaluate(t)
        tried, turns = tried + 1, turns + 1
        if too_high(point) or point.loss >= bracket[low].loss:
            bracket[high] = point
            low, high = (0, 1) if bracket[0].loss <= bracket[1].loss else (1, 0)
            continue
        found = flat(point)
        if not found and point.slope * (bracket[high].t - bracket[low].t) >= 0:
            bracket[high] = bracket[low]
        bracket[low] = point
        if found:
            break
    return bracket[low], tried
