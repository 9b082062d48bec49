"""`torch.distributed.elastic.multiprocessing`: its decorator for the main function."""

from chainrule import names
from chainrule.distributed.elastic.multiprocessing import errors

__getattr__ = names.later(__name__)
