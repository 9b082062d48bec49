"""Running means that nobody has to look at: sums stay on the graph until they are read."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.tensor import Tensor, fromdata, no_grad


class RunningMean:
    """Weighted mean of the values seen since the last `reset`: `Σ wᵢ vᵢ / Σ wᵢ`.

    `update` records two additions, so that they belong to the training step's own program. The
    value is looked at by `result` only.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.reset()

    def reset(self) -> None:
        self._total = fromdata.from_owned(np.zeros((), np.float32))
        self._count = fromdata.from_owned(np.zeros((), np.float32))

    def update(self, value: Tensor, weight: float | Tensor = 1.0) -> None:
        """Count a scalar `value` with `weight` (a batch's mean with the batch's size)."""
        with no_grad():
            self._total = self._total + value.detach() * weight
            self._count = self._count + weight

    def result(self) -> float:
        count = self._count.item()
        return self._total.item() / count if count else 0.0


def correct_fraction(scores: Tensor, labels: Tensor) -> Tensor:
    """Fraction of rows whose largest score stands at the label; scores (..., classes), labels
    (...).
    """
    with no_grad():
        return (scores.argmax(-1) == labels).float().mean()


def to_floats(logs: dict[str, Any]) -> dict[str, float]:
    """Look at every value of `logs`."""
    return {name: float(value) for name, value in logs.items()}
