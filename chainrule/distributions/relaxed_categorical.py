"""`torch.distributions.relaxed_categorical`"""

from chainrule import names
from chainrule.distributions.transformed import ExpRelaxedCategorical as ExpRelaxedCategorical
from chainrule.distributions.transformed import RelaxedOneHotCategorical as RelaxedOneHotCategorical

__getattr__ = names.later(__name__)
