"""`torch.utils`: so far its data loading."""

from chainrule.utils import data

__all__ = ["data"]
