"""`torch.nn.intrinsic`: there are no quantised layers."""

from chainrule import names

__getattr__ = names.absent(
    __name__,
    "this version has no quantised arithmetic; model.bfloat16() or torch.autocast halve the memory",
)
