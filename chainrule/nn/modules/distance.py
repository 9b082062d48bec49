"""`torch.nn.modules.distance`"""

from chainrule import names
from chainrule.nn.modules.vision import CosineSimilarity as CosineSimilarity
from chainrule.nn.modules.vision import PairwiseDistance as PairwiseDistance

__getattr__ = names.later(__name__)
