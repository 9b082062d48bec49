"""`torch.monitor`: there is none."""

from chainrule import names

__getattr__ = names.absent(
    __name__,
    "use torch.utils.tensorboard",
)
