"""The learning rates of a model's optimizers, as callbacks see them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np


def inner(optimizer: Any) -> Any:
    """The optimizer itself, without what scales the loss for it."""
    return getattr(optimizer, "inner_optimizer", optimizer)


def optimizers_of(model: Any) -> Iterator[tuple[str, Any]]:
    """The model's optimizer with an empty name, or each of several with its own."""
    optimizer = model.optimizer
    if hasattr(optimizer, "optimizers"):
        for one in optimizer.optimizers:
            yield one.name, one
    else:
        yield "", optimizer


def learning_rates(model: Any) -> dict[str, float]:
    """`learning_rate`, or `learning_rate_<name>` of each optimizer."""
    return {
        "learning_rate" + (name and f"_{name}"): float(np.asarray(optimizer.learning_rate))
        for name, optimizer in optimizers_of(model)
    }


def note_rates(model: Any, logs: Any) -> None:
    """Put the learning rates among the values of an epoch."""
    if isinstance(logs, dict):
        logs |= learning_rates(model)
