"""`torch.distributions.half_cauchy`"""

from chainrule import names
from chainrule.distributions.transformed import HalfCauchy as HalfCauchy

__getattr__ = names.later(__name__)
