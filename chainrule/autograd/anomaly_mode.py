"""`torch.autograd.anomaly_mode`"""

from chainrule import names
from chainrule.autograd.grads import detect_anomaly as detect_anomaly
from chainrule.autograd.grads import set_detect_anomaly as set_detect_anomaly

__getattr__ = names.later(__name__)
