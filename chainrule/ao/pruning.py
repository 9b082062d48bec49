"""`torch.ao.pruning`: there is none."""

from chainrule import names

__getattr__ = names.absent(
    __name__,
    "set weights to zero under torch.no_grad(), or see torch.nn.utils.parametrize",
)
