"""`torch.distributed.pipelining`: nothing of it, with one process."""

from chainrule import names

__getattr__ = names.absent(
    __name__,
    "one process computes, with all cores; call the layers one after another",
)
