"""`torch.distributed.elastic`: what programs that torchrun starts import."""

from chainrule import names

__getattr__ = names.later(__name__, ("multiprocessing",))
