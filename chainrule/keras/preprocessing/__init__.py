"""`keras.preprocessing`: what old programs still import from here."""

from chainrule.keras.preprocessing import image, sequence

__all__ = ["image", "sequence"]
