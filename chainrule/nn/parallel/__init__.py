"""`torch.nn.parallel`: with one process and one device, each runs its module."""

from chainrule import names
from chainrule.nn.parallel.data_parallel import DataParallel, data_parallel
from chainrule.nn.parallel.distributed import DistributedDataParallel
from chainrule.nn.parallel.parallel_apply import parallel_apply
from chainrule.nn.parallel.replicate import replicate
from chainrule.nn.parallel.scatter_gather import gather, scatter, scatter_kwargs

__all__ = [
    "DataParallel", "DistributedDataParallel", "data_parallel", "gather", "parallel_apply",
    "replicate", "scatter", "scatter_kwargs",
]  # fmt: skip

__getattr__ = names.later(__name__)
