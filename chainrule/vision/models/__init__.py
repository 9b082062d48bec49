"""`torchvision.models`: networks with torchvision's names, so that its weights load.

>>> from chainrule.vision import models
>>> sum(p.numel() for p in models.resnet18().parameters())
11689512
"""

from typing import Any

from chainrule import names
from chainrule.vision.models import detection, segmentation
from chainrule.vision.models._api import (
    Weights,
    WeightsEnum,
    get_model,
    get_model_builder,
    get_model_weights,
    get_weight,
    list_models,
)
from chainrule.vision.models.alexnet import *
from chainrule.vision.models.convnext import *
from chainrule.vision.models.densenet import *
from chainrule.vision.models.efficientnet import *
from chainrule.vision.models.googlenet import *
from chainrule.vision.models.inception import *
from chainrule.vision.models.maxvit import *
from chainrule.vision.models.mnasnet import *
from chainrule.vision.models.mobilenet import *
from chainrule.vision.models.regnet import *
from chainrule.vision.models.resnet import *
from chainrule.vision.models.shufflenetv2 import *
from chainrule.vision.models.squeezenet import *
from chainrule.vision.models.swin_transformer import *
from chainrule.vision.models.vgg import *
from chainrule.vision.models.vision_transformer import *

#: torchvision's other packages of models, none of which exists here, and what is near.
_ABSENT = {
    "video": "models of videos are not there; those of frames are (resnet50, swin_t, …)",
    "optical_flow": "models of motion between images are not there",
    "quantization": "models of integers are not there; the same networks of floats are",
}

__getattr__ = names.later(__name__, missing=_ABSENT)
