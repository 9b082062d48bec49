"""`torch.distributions.fishersnedecor`"""

from chainrule import names
from chainrule.distributions.gammas import FisherSnedecor as FisherSnedecor

__getattr__ = names.later(__name__)
