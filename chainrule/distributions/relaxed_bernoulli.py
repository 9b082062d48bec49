"""`torch.distributions.relaxed_bernoulli`"""

from chainrule import names
from chainrule.distributions.transformed import LogitRelaxedBernoulli as LogitRelaxedBernoulli
from chainrule.distributions.transformed import RelaxedBernoulli as RelaxedBernoulli

__getattr__ = names.later(__name__)
