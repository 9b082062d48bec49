"""What users of torchvision look for: `datasets` and `transforms`."""

from chainrule.vision import datasets, transforms
from chainrule.vision.images import Image

__all__ = ["datasets", "transforms", "Image"]
