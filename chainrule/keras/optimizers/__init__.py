"""Optimizers and learning rate schedules, by the names that Keras programs use."""

from typing import Any

from chainrule.keras.optimizers import schedules
from chainrule.keras.optimizers.base import Optimizer
from chainrule.keras.optimizers.rules import (
    SGD,
    Adadelta,
    Adagrad,
    Adam,
    Adamax,
    AdamW,
    Lion,
    Nadam,
    RMSprop,
)
from chainrule.keras.registry import from_config, lookup

__all__ = [
    "SGD", "Adadelta", "Adagrad", "Adam", "AdamW", "Adamax", "Lion", "Nadam", "Optimizer",
    "RMSprop", "deserialize", "get", "schedules", "serialize",
]  # fmt: skip

_CLASSES = (SGD, Adadelta, Adagrad, Adam, AdamW, Adamax, Lion, Nadam, RMSprop)
_TABLE: dict[str, Any] = {c.__name__.lower(): c for c in _CLASSES} | {
    c.__name__: c for c in _CLASSES
}


def get(identifier: Any) -> Optimizer:
    """The optimizer that a name, a config or an object means.

    >>> get("adam").epsilon
    1e-07
    """
    found = lookup(
        identifier.lower() if isinstance(identifier, str) else identifier, _TABLE, "optimizer"
    )
    if isinstance(found, type):
        found = found()
    if not isinstance(found, Optimizer):
        raise ValueError(
            f"cannot make an optimizer from {identifier!r}; optimizers of the PyTorch face go with "
            "models of the PyTorch face"
        )
    return found


def serialize(optimizer: Optimizer) -> dict[str, Any]:
    return {"class_name": type(optimizer).__name__, "config": optimizer.get_config()}


def deserialize(config: dict[str, Any], custom_objects: Any = None) -> Any:
    config = dict(config)
    if isinstance(config.get("config"), dict):
        inner = dict(config["config"])
        inner["learning_rate"] = from_config(inner.get("learning_rate", 0.001))
        config["config"] = inner
    return get(config)
