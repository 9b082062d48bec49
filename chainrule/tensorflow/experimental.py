"""`tf.experimental`: what is in use of it."""

from __future__ import annotations

from chainrule.names import later

_WHY = "it is not here; the array functions at the top level are"
__getattr__ = later(__name__, missing={"numpy": _WHY, "dtensor": _WHY})
