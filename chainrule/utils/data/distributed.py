"""`torch.utils.data.distributed`: the sampler for several processes."""

from chainrule.utils.data.sampler import DistributedSampler

__all__ = ["DistributedSampler"]
