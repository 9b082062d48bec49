"""`torch.distributions.studentT`"""

from chainrule import names
from chainrule.distributions.gammas import StudentT as StudentT

__getattr__ = names.later(__name__)
