"""`torch.distributions.transformed_distribution`"""

from chainrule import names
from chainrule.distributions.transformed import TransformedDistribution as TransformedDistribution

__getattr__ = names.later(__name__)
