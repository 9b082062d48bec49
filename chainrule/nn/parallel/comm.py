"""`torch.nn.parallel.comm`: moving tensors between GPUs, of which there are none."""

from chainrule import names

__getattr__ = names.absent(__name__, "there is no GPU; see torch.nn.parallel.scatter and gather")
