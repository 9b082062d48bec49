"""Models that find objects: boxes, and where asked for masks and keypoints."""

from chainrule.vision.models.detection.faster_rcnn import *
from chainrule.vision.models.detection.fcos import *
from chainrule.vision.models.detection.keypoint_rcnn import *
from chainrule.vision.models.detection.mask_rcnn import *
from chainrule.vision.models.detection.retinanet import *
from chainrule.vision.models.detection.ssd import *
from chainrule.vision.models.detection.ssdlite import *
