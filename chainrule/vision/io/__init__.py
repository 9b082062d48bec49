"""Files of images, with the names of `torchvision.io`."""

from chainrule import names
from chainrule.vision.io import image, video
from chainrule.vision.io.image import *  # noqa: F403  # listed there
from chainrule.vision.io.image import __all__ as _image_names
from chainrule.vision.io.video import (
    VideoReader,
    read_video,
    read_video_timestamps,
    write_video,
)

__all__ = [
    "image",
    "video",
    "VideoReader",
    "read_video",
    "read_video_timestamps",
    "write_video",
    *_image_names,
]

__getattr__ = names.later(__name__)
