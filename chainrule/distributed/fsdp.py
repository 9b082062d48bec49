"""`torch.distributed.fsdp`: nothing of it, with one process."""

from chainrule import names

__getattr__ = names.absent(
    __name__,
    "one process computes, with all cores; give the module itself to the optimiser",
)
