"""`torch.distributions.dirichlet`"""

from chainrule import names
from chainrule.distributions.gammas import Dirichlet as Dirichlet

__getattr__ = names.later(__name__)
