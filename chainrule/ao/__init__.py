"""`torch.ao`: quantisation and pruning by tools of their own; there are none here."""

from chainrule import names

__getattr__ = names.later(__name__, ("quantization", "pruning", "nn", "ns"))
