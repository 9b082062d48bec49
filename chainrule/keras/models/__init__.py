"""Models, and how they are copied, saved and loaded."""

from chainrule.keras.models.cloning import clone_model
from chainrule.keras.models.model import Functional, Model, model_from_json
from chainrule.keras.models.sequential import Sequential
from chainrule.keras.saving import load_model, save_model

__all__ = ["Model", "Sequential", "clone_model", "load_model", "model_from_json", "save_model"]
