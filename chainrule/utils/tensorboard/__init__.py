"""`torch.utils.tensorboard`: event files that TensorBoard shows, written without it."""

from chainrule import names
from chainrule.utils.tensorboard.records import RecordWriter
from chainrule.utils.tensorboard.writer import FileWriter, SummaryWriter

__all__ = ["FileWriter", "RecordWriter", "SummaryWriter"]

__getattr__ = names.later(__name__)
