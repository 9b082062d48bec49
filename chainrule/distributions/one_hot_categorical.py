"""`torch.distributions.one_hot_categorical`"""

from chainrule import names
from chainrule.distributions.discrete import OneHotCategorical as OneHotCategorical
from chainrule.distributions.discrete import (
    OneHotCategoricalStraightThrough as OneHotCategoricalStraightThrough,
)

__getattr__ = names.later(__name__)
