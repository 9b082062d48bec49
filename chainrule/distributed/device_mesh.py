"""`torch.distributed.device_mesh`: nothing of it, with one process."""

from chainrule import names

__getattr__ = names.absent(__name__, "one process computes, with all cores; there is one device")
