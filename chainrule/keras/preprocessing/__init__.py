"""`keras.preprocessing`: what old programs still import from here."""

from chainrule.keras.preprocessing import sequence

__all__ = ["sequence"]
