"""Optimizers and learning rate schedules, by the names that Keras programs use."""

from __future__ import annotations

import inspect
from typing import Any

from chainrule import names
from chainrule.keras.optimizers import legacy, schedules
from chainrule.keras.optimizers.adam import Adam, Adamax, AdamW, Lamb, Nadam, ScheduleFreeAdamW
from chainrule.keras.optimizers.base import Optimizer
from chainrule.keras.optimizers.matrices import Adafactor, Muon
from chainrule.keras.optimizers.rules import SGD, Adadelta, Adagrad, Ftrl, Lion, RMSprop
from chainrule.keras.optimizers.wrappers import LossScaleOptimizer, MultiOptimizer, OptimizerMap
from chainrule.keras.registry import from_config, get_registered_object, to_config

CLASSES: tuple[Any, ...] = (
    Adadelta, Adafactor, Adagrad, Adam, AdamW, Adamax, Ftrl, Lamb, Lion, LossScaleOptimizer,
    MultiOptimizer, Muon, Nadam, Optimizer, OptimizerMap, RMSprop, SGD, ScheduleFreeAdamW,
)  # fmt: skip
_TABLE: dict[str, Any] = {c.__name__.lower(): c for c in CLASSES}

__all__ = [
    *(c.__name__ for c in CLASSES), "deserialize", "get", "legacy", "schedules", "serialize",
]  # fmt: skip


def get(identifier: Any) -> Any:
    """The optimizer that a name, a config or an object means; None stays None.

    >>> get("adam").epsilon
    1e-07
    """
    if identifier is None:
        return None
    found = identifier
    if isinstance(identifier, str):
        if identifier.lower() not in _TABLE and get_registered_object(identifier) is None:
            raise ValueError(
                f"unknown optimizer {identifier!r}; known: {', '.join(sorted(_TABLE))}"
            )
        found = deserialize({"class_name": identifier, "config": {}})
    elif isinstance(identifier, dict):
        found = deserialize(identifier)
    if inspect.isclass(found) and issubclass(found, Optimizer):
        made: Any = found
        found = made()
    if not isinstance(found, Optimizer):
        raise ValueError(
            f"cannot make an optimizer from {identifier!r}; optimizers of the PyTorch face go with "
            "models of the PyTorch face"
        )
    return found


def serialize(optimizer: Any) -> Any:
    """An optimizer as plain data."""
    return to_config(optimizer)


def deserialize(config: dict[str, Any], custom_objects: dict[str, Any] | None = None) -> Any:
    """What `serialize` was given; names of Keras's classes in any case."""
    name = str(config["class_name"])
    if name.lower() in _TABLE:
        config = config | {"class_name": name.lower()}
    return from_config(config, custom_objects=custom_objects, module_objects=_TABLE)


__getattr__ = names.later(__name__)
