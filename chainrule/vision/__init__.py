"""What users of torchvision look for, under the names that it has there.

    transforms      of images, for one and for whole batches
    datasets        MNIST, CIFAR, folders of images, …
    models          networks, with torchvision's layouts and names of weights
    ops             boxes, suppression of overlapping ones, pooling of regions
    utils           grids of images, boxes and masks drawn on them
    io              images from files and bytes, and back
    tv_tensors      tensors that know whether they are an image, a mask or boxes

Each is imported when it is first named.
"""

from __future__ import annotations

from chainrule import names
from chainrule._version import __version__
from chainrule.vision.images import Image

_ROOMS = ("datasets", "io", "models", "ops", "transforms", "tv_tensors", "utils")

__all__ = [
    "Image",
    "__version__",
    "get_image_backend",
    "get_video_backend",
    "set_image_backend",
    "set_video_backend",
    *_ROOMS,  # strings
]


def set_image_backend(backend: str) -> None:
    """Images are loaded by Pillow: `backend` is "PIL"."""
    if backend != "PIL":
        raise ValueError(f"Invalid backend '{backend}'. Options are 'PIL'")


def get_image_backend() -> str:
    """ "PIL"."""
    return "PIL"


def set_video_backend(backend: str) -> None:
    """There is none."""
    raise NotImplementedError(
        f"no video backend {backend!r}: videos are not decoded here; extract their frames and read "
        "those with chainrule.vision.io.read_image"
    )


def get_video_backend() -> str:
    """Not there: videos are not decoded."""
    return "none"


__getattr__ = names.later(__name__, _ROOMS)


def __dir__() -> list[str]:
    """All names, loaded or not."""
    return sorted({*globals(), *_ROOMS})
