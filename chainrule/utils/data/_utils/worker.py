"""`torch.utils.data._utils.worker`"""

from chainrule import names
from chainrule.utils.data.workers import WorkerInfo as WorkerInfo
from chainrule.utils.data.workers import get_worker_info as get_worker_info

__getattr__ = names.later(__name__)
