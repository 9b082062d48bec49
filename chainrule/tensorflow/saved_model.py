"""`tf.saved_model`: TensorFlow's own form of a model, which is neither written nor read here."""

from __future__ import annotations

from chainrule.names import absent

__getattr__ = absent(__name__, "save with model.save('model.keras') and keras.models.load_model")
