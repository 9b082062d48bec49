"""`torch.nn.modules.channelshuffle`"""

from chainrule import names
from chainrule.nn.modules.vision import ChannelShuffle as ChannelShuffle

__getattr__ = names.later(__name__)
