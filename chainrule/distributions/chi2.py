"""`torch.distributions.chi2`"""

from chainrule import names
from chainrule.distributions.gammas import Chi2 as Chi2

__getattr__ = names.later(__name__)
