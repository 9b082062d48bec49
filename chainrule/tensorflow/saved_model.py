"""`tf.saved_model`: TensorFlow's own form of a model, which is neither written nor read here."""

from __future__ import annotations

from chainrule.names import later

_WHY = "save with model.save('model.keras') and keras.models.load_model"
__getattr__ = later(
    __name__, missing=dict.fromkeys(("save", "load", "SaveOptions", "LoadOptions"), _WHY)
)
