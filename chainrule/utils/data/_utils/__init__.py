"""`torch.utils.data._utils`: by the names that programs use."""

from chainrule import names
from chainrule.utils.data._utils import collate, worker

__getattr__ = names.later(__name__)
