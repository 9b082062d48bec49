"""Networks for pictures, with Keras's names of layers and weights, so that its files fit.

>>> from chainrule.keras import applications
>>> model = applications.MobileNetV2(weights=None, input_shape=(96, 96, 3))
>>> model.count_params()
3538984
"""

from __future__ import annotations

import importlib
from typing import Any

#: Module → the networks in it. A module is loaded when its name is first used.
MODULES = {
    "convnext": "ConvNeXtBase ConvNeXtLarge ConvNeXtSmall ConvNeXtTiny ConvNeXtXLarge",
    "densenet": "DenseNet121 DenseNet169 DenseNet201",
    "efficientnet": """
        EfficientNetB0 EfficientNetB1 EfficientNetB2 EfficientNetB3 EfficientNetB4
        EfficientNetB5 EfficientNetB6 EfficientNetB7
    """,
    "efficientnet_v2": """
        EfficientNetV2B0 EfficientNetV2B1 EfficientNetV2B2 EfficientNetV2B3 EfficientNetV2L
        EfficientNetV2M EfficientNetV2S
    """,
    "imagenet_utils": "",
    "inception_resnet_v2": "InceptionResNetV2",
    "inception_v3": "InceptionV3",
    "mobilenet": "MobileNet",
    "mobilenet_v2": "MobileNetV2",
    "mobilenet_v3": "MobileNetV3Large MobileNetV3Small",
    "nasnet": "NASNetLarge NASNetMobile",
    "resnet": "ResNet101 ResNet152",
    "resnet50": "ResNet50",
    "resnet_v2": "ResNet101V2 ResNet152V2 ResNet50V2",
    "vgg16": "VGG16",
    "vgg19": "VGG19",
    "xception": "Xception",
}
_HOMES = {name: module for module, names in MODULES.items() for name in names.split()}

__all__ = sorted([*MODULES, *_HOMES])


def __getattr__(name: str) -> Any:
    if name in MODULES:
        return importlib.import_module(f"{__name__}.{name}")
    if name in _HOMES:
        return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"keras.applications has no {name}; it has {', '.join(sorted(_HOMES))}")


def __dir__() -> list[str]:
    return list(__all__)
