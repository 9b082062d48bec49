"""`torch.distributed.distributed_c10d`: where PyTorch keeps groups and collectives."""

from chainrule import names
from chainrule.distributed.collectives import *  # noqa: F403  the same names
from chainrule.distributed.group import *  # noqa: F403  the same names

__getattr__ = names.later(__name__)
