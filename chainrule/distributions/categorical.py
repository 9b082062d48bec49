"""`torch.distributions.categorical`"""

from chainrule import names
from chainrule.distributions.discrete import Categorical as Categorical

__getattr__ = names.later(__name__)
