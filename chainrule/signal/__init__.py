"""`torch.signal`: windows."""

from chainrule import names
from chainrule.signal import windows

__all__ = ["windows"]

__getattr__ = names.later(__name__, also="chainrule.tensorflow.signal")
