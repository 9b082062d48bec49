"""`torch.backends.quantized`: there are no quantised kernels."""

from chainrule import names

engine = "none"
supported_engines = ["none"]

__getattr__ = names.later(__name__)
