"""Integrated gradients, with as many steps as their completeness needs."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from chainrule.explain.attribution.result import Attribution, attribution
from chainrule.explain.attribution.subject import Subject

#: Gauss and Legendre's rule with so many points is used on every part of the way.
_POINTS = 3


def integrated_gradients(
    model: Any, x: Any, target: Any = None, *, baseline: Any = None, tolerance: float = 1e-3,
    max_steps: int = 2048, **options: Any,
) -> Attribution:  # fmt: skip
    """(x − x') ∘ ∫₀¹ ∂S/∂x (x' + t (x − x')) dt: gradients gathered on the way from a baseline x'

    What is gathered is S(x) − S(x'), to the last digit if the integral is exact (completeness). So
    the error of every part of the way is known: the parts that are worst are halved until the sum
    of all is within `tolerance` of S(x) − S(x'), or `max_steps` gradients were taken.
    `.completeness` has the relative error of each row.

    baseline   None: zeros; a number or an array for all inputs (a tuple: one for each). For tokens:
               None: zero vectors, a whole number: the embedding of that token

    Sundararajan, Taly and Yan (2017), "Axiomatic attribution for deep networks".

    >>> import chainrule as torch
    >>> from chainrule import explain
    >>> x = torch.tensor([[1.0, 2.0]])
    >>> a = explain.attribute.integrated_gradients(lambda x: (x**2).prod(-1), x)
    >>> bool(abs(a.values.sum() - 4.0) < 4e-3)
    True
    """
    subject = Subject(model, x, target, **options)
    ends = subject.values()
    starts = baselines(subject, baseline, ends)
    found = _Ways(subject, starts, ends, tolerance, max_steps)
    found.run()
    products = [
        ((e - s).astype(np.float64) * g).astype(e.dtype)
        for s, e, g in zip(starts, ends, found.means(), strict=True)
    ]
    out = attribution("integrated_gradients", subject, subject.per_input(products))
    out.baseline_score = found.first.astype(out.score.dtype)
    out.steps = found.taken
    total = sum(p.reshape(len(p), -1).sum(axis=1, dtype=np.float64) for p in products)
    change = found.last - found.first
    out.completeness = np.abs(total - change) / found.scale(change)
    if (late := int((out.completeness > tolerance).sum())) > 0:
        out.notes["incomplete"] = (
            f"{late} of {len(change)} rows are not within {tolerance:g} after {max_steps} steps; "
            "give a larger max_steps"
        )
    return out


def baselines(subject: Subject, given: Any, like: list[np.ndarray]) -> list[np.ndarray]:
    """The values of the variables from which the way begins."""
    inputs = subject.arrays
    parts = list(given) if isinstance(given, tuple) else [given] * len(inputs)
    if len(parts) != len(inputs):
        raise ValueError(f"{len(inputs)} inputs need {len(inputs)} baselines, got {len(parts)}")
    out: list[np.ndarray] = []
    k = 0
    for a, part, group in zip(inputs, parts, subject.view(subject.count).variables, strict=True):
        for v in group:
            value = like[k]
            k += 1
            if part is None:
                out.append(np.zeros_like(value))
            elif v.tokens:
                out.append(_embedded(subject, k - 1, a, part))
            else:
                b = np.asarray(part.numpy() if hasattr(part, "numpy") else part, value.dtype)
                out.append(np.array(np.broadcast_to(b, value.shape)))
    return out


def _embedded(subject: Subject, variable: int, ids: np.ndarray, token: Any) -> np.ndarray:
    """What the graph reads at other tokens."""
    view = subject.view(subject.count)
    arrays = list(view.arrays)
    other = np.broadcast_to(np.asarray(token, ids.dtype), ids.shape)
    for a, places in zip(subject.arrays, view.places, strict=True):
        if a is ids:
            for i in places:
                arrays[i] = np.ascontiguousarray(other)
    return subject.at_arrays(view, view.all[variable].node, arrays)


class _Ways:
    """The way of every row, in parts: [a, b] with its share of the integral and its error."""

    def __init__(
        self, subject: Subject, starts: list[np.ndarray], ends: list[np.ndarray],
        tolerance: float, most: int,
    ) -> None:  # fmt: skip
        self.subject, self.starts, self.ends = subject, starts, ends
        self.tolerance, self.most = tolerance, most
        rows = len(ends[0])
        self.taken = np.zeros(rows, np.int64)
        self.parts: list[list[_Part]] = [[] for _ in range(rows)]
        nodes, weights = np.polynomial.legendre.leggauss(_POINTS)
        self.nodes, self.weights = (nodes + 1) / 2, weights / 2
        both = np.repeat(np.arange(rows), 2)
        scores = self._scores(both, np.tile([0.0, 1.0], rows)).reshape(rows, 2)
        self.first, self.last = scores[:, 0], scores[:, 1]

    def _points(self, which: np.ndarray, at: np.ndarray) -> list[np.ndarray]:
        out = []
        for s, e in zip(self.starts, self.ends, strict=True):
            t = at.reshape(-1, *(1,) * (s.ndim - 1)).astype(s.dtype)
            out.append(s[which] + t * (e[which] - s[which]))
        return out

    def _scores(self, which: np.ndarray, at: np.ndarray) -> np.ndarray:
        found = self.subject.evaluate(self._points(which, at), which, lambda view: [view.varied])
        return found[0].astype(np.float64)

    def scale(self, change: np.ndarray) -> np.ndarray:
        """What an error is compared with: the change of the score, if it is not next to nothing."""
        least = 1e-3 * np.maximum(np.abs(self.first), np.abs(self.last))
        return np.maximum(np.maximum(np.abs(change), least), 1e-12)

    def run(self) -> None:
        rows = len(self.first)
        edges = np.linspace(0.0, 1.0, 5)
        self._take([(n, a, b) for n in range(rows) for a, b in itertools.pairwise(edges)])
        while True:
            scale = self.scale(self.last - self.first)
            split: list[tuple[int, float, float]] = []
            for n in range(rows):
                errors = np.array([p.error for p in self.parts[n]])
                done = (
                    abs(errors.sum()) <= self.tolerance / 2 * scale[n]
                    and np.abs(errors).sum() <= 10 * self.tolerance * scale[n]
                )
                room = int(self.most - self.taken[n]) // (2 * _POINTS)
                if done or room < 1:
                    continue
                order = np.argsort(-np.abs(errors))
                worst = order[np.abs(errors[order]) >= np.abs(errors).max() / 4][:room]
                for i in sorted(worst, reverse=True):
                    p = self.parts[n].pop(i)
                    middle = (p.a + p.b) / 2
                    split += [(n, p.a, middle), (n, middle, p.b)]
            if not split:
                return
            self._take(split)

    def _take(self, parts: list[tuple[int, float, float]]) -> None:
        """Integrate over some parts, and find their errors by the scores at their ends."""
        ends = sorted({(n, t) for n, a, b in parts for t in (a, b)})
        which = np.array([n for n, _ in ends])
        known = dict(zip(ends, self._scores(which, np.array([t for _, t in ends])), strict=True))
        per_round = max(1, self.subject.rows_for(10**9) // _POINTS)
        for start in range(0, len(parts), per_round):
            here = parts[start : start + per_round]
            which = np.repeat([n for n, _, _ in here], _POINTS)
            at = np.concatenate([a + (b - a) * self.nodes for _, a, b in here])
            found = self.subject.evaluate(self._points(which, at), which)[1:]
            for i, (n, a, b) in enumerate(here):
                rows = slice(i * _POINTS, (i + 1) * _POINTS)
                weights = self.weights * (b - a)
                shares = [np.tensordot(weights, g[rows].astype(np.float64), 1) for g in found]
                gathered = sum(
                    float(np.vdot(share, (e[n] - s[n]).astype(np.float64)))
                    for share, s, e in zip(shares, self.starts, self.ends, strict=True)
                )
                error = gathered - float(known[n, b] - known[n, a])
                self.parts[n].append(_Part(a, b, shares, error))
                self.taken[n] += _POINTS

    def means(self) -> list[np.ndarray]:
        """The mean gradient on the way of every row."""
        out = []
        for k in range(len(self.ends)):
            rows = [np.sum([p.shares[k] for p in parts], axis=0) for parts in self.parts]
            out.append(np.stack(rows))
        return out


class _Part:
    __slots__ = ("a", "b", "error", "shares")

    def __init__(self, a: float, b: float, shares: list[np.ndarray], error: float) -> None:
        self.a, self.b, self.shares, self.error = a, b, shares, error
