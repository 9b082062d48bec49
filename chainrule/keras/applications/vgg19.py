"""VGG19 (Simonyan, Zisserman 2014: Very deep convolutional networks)."""

from chainrule.keras.applications.base import kernels, network
from chainrule.keras.applications.imagenet_utils import decode_predictions, preprocessing
from chainrule.keras.applications.vgg16 import vgg_body, vgg_head

VGG19 = network(
    "VGG19", "vgg19", vgg_body((2, 2, 4, 4, 4)),
    kernels("vgg19", "vgg19", "cbe5617147190e668d6c5d5026f83318",
            "253f8cb515780f3b799900260a226db6"),
    head=vgg_head(),
)  # fmt: skip
preprocess_input = preprocessing("caffe")

__all__ = ["VGG19", "decode_predictions", "preprocess_input"]
