"""Models that give a class to every pixel."""

from chainrule.vision.models.segmentation.deeplabv3 import *
from chainrule.vision.models.segmentation.fcn import *
from chainrule.vision.models.segmentation.lraspp import *
