"""`keras.preprocessing.sequence`."""

from chainrule.keras.utils import pad_sequences

__all__ = ["pad_sequences"]
