"""`keras.saving`: files, and names for classes of your own."""

from chainrule.keras.models import load_model, save_model
from chainrule.keras.registry import (
    custom_object_scope,
    get_custom_objects,
    register_keras_serializable,
)
from chainrule.keras.registry import from_config as deserialize_keras_object
from chainrule.keras.registry import to_config as serialize_keras_object

CustomObjectScope = custom_object_scope

__all__ = [
    "CustomObjectScope",
    "custom_object_scope",
    "deserialize_keras_object",
    "get_custom_objects",
    "load_model",
    "register_keras_serializable",
    "save_model",
    "serialize_keras_object",
]
