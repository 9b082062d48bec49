"""Data sets of images, with the names and signatures of `torchvision.datasets`.

`root` is searched first, then the folder that CHAINRULE_DATA names, then the cache; with
`download=True` files are fetched into `root`, whole and checked or not at all.

    memory      what lies in memory: rows, and whole batches at once
    folder      folders of images, one for each class: `ImageFolder`
    utils       downloads, archives, checksums

Each data set's file is imported when the data set is first named.
"""

from __future__ import annotations

import importlib
from typing import Any

from chainrule import names

#: file → the data sets in it.
_FILES = {
    "annotated": (
        *("CelebA", "Cityscapes", "CocoCaptions", "CocoDetection", "Flickr30k", "Flickr8k"),
        *("OxfordIIITPet", "SBU", "VOCDetection", "VOCSegmentation", "WIDERFace"),
    ),
    "cifar": ("CIFAR10", "CIFAR100"),
    "classified": (
        *("CLEVRClassification", "Country211", "DTD", "EuroSAT", "FGVCAircraft", "Flowers102"),
        *("Food101", "GTSRB", "Imagenette", "RenderedSST2", "SUN397", "StanfordCars"),
    ),
    "collected": (
        *("Caltech101", "Caltech256", "INaturalist", "ImageNet", "LFWPairs", "LFWPeople"),
        *("Omniglot", "Places365"),
    ),
    "databases": ("LSUN", "LSUNClass", "PCAM"),
    "fakedata": ("FakeData",),
    "folder": ("DatasetFolder", "ImageFolder"),
    "mnist": ("EMNIST", "FashionMNIST", "KMNIST", "MNIST", "QMNIST"),
    "small": ("FER2013", "MovingMNIST", "SEMEION", "STL10", "SVHN", "USPS"),
    "samples": ("wrap_dataset_for_transforms_v2",),
    "vision": ("VisionDataset",),
}
_WHERE = {name: file for file, names in _FILES.items() for name in names}

__all__ = sorted(_WHERE)  # strings

#: What torchvision has and we have not, and what comes nearest.
_VIDEOS = dict.fromkeys(("HMDB51", "Kinetics", "UCF101"), "videos are not decoded here")
_NOT_HERE = {
    **_VIDEOS,
    **dict.fromkeys(
        (
            *("CREStereo", "CarlaStereo", "ETH3DStereo", "FallingThingsStereo", "FlyingChairs"),
            *("FlyingThings3D", "HD1K", "InStereo2k", "Kitti", "Kitti2012Stereo"),
            *("Kitti2015Stereo", "KittiFlow", "Middlebury2014Stereo", "PhotoTour", "SBDataset"),
            *("SceneFlowStereo", "Sintel", "SintelStereo"),
        ),
        "it is not written yet",
    ),
}


_NEAREST = "The nearest thing is DatasetFolder, or a class of your own derived from VisionDataset."

__getattr__ = names.later(
    __name__,
    (*_FILES, "utils", "memory"),
    {name: f"{__name__}.{file}" for name, file in _WHERE.items()},
    {name: f"{why}. {_NEAREST}" for name, why in _NOT_HERE.items()},
)


def __dir__() -> list[str]:
    """All names, loaded or not."""
    return sorted({*globals(), *_WHERE, *_FILES, "memory", "utils"})
