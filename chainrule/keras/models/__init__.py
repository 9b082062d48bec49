"""Models, and how they are copied, saved and loaded."""

from typing import Any

from chainrule.keras.models.model import Model, clone_model, model_from_json
from chainrule.keras.models.saving import load_model
from chainrule.keras.models.sequential import Sequential


def save_model(model: Model, filepath: Any, overwrite: bool = True, **kwargs: Any) -> None:
    """`model.save` as a function."""
    model.save(filepath, overwrite=overwrite)


__all__ = ["Model", "Sequential", "clone_model", "load_model", "model_from_json", "save_model"]
