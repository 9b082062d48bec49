"""Keras's private operation classes, as its tests use them: `Sum(axis=1)(x)` is `sum(x, axis=1)`.

Keras has a class beside every function of `keras.ops`; ours has the functions only. A class is made
here of the function's name.
"""

from __future__ import annotations

import inspect
import re
from typing import Any

from chainrule.keras import ops
from chainrule.keras.ops import image, linalg, nn

#: Classes whose names are not those of their functions in another spelling.
_OTHERS = {
    "GetItem": "get_item", "LogSoftmax": "log_softmax", "Arctan2": "arctan2", "Log1p": "log1p",
    "Expm1": "expm1", "Exp2": "exp2", "Log2": "log2", "Log10": "log10", "Logaddexp2": "logaddexp2",
    "I0": "i0", "Rot90": "rot90", "Relu6": "relu6", "IFFT2": "ifft2", "FFT2": "fft2", "FFT": "fft",
    "RFFT": "rfft", "IRFFT": "irfft", "STFT": "stft", "ISTFT": "istft", "SVD": "svd",
    "CTCLoss": "ctc_loss", "CTCDecode": "ctc_decode", "PSNR": "psnr", "CDist": "cdist",
    "RMSNorm": "rms_normalization", "RMSNormalization": "rms_normalization",
    "LayerNorm": "layer_normalization", "RGBToGrayscale": "rgb_to_grayscale",
    "RGBToHSV": "rgb_to_hsv", "HSVToRGB": "hsv_to_rgb", "Deg2rad": "deg2rad", "Rad2deg": "rad2deg",
    "JVP": "jvp", "SSIM": "ssim", "ExtractPatches3D": "extract_patches_3d", "LuFactor": "lu_factor",
}  # fmt: skip


def _function(name: str) -> Any:
    spelled = _OTHERS.get(name) or re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()
    for room in (ops, nn, linalg, image):
        found = getattr(room, spelled, None) or getattr(room, spelled.replace("_", ""), None)
        if found is not None:
            return found
    raise AttributeError(name)


def __getattr__(name: str) -> Any:
    if not name[:1].isupper():
        raise AttributeError(name)
    function = _function(name)

    class Operation:
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            parameters = list(inspect.signature(function).parameters)
            self.options = kwargs
            self.positional, self.names = args, parameters
            self.options.pop("name", None)

        def __call__(self, *args: Any, **kwargs: Any) -> Any:
            rest = self.names[len(args) :]
            given = dict(zip(rest, self.positional, strict=False))
            return function(*args, **given, **self.options, **kwargs)

        symbolic_call = __call__

        def compute_output_spec(self, *args: Any, **kwargs: Any) -> Any:
            return self(*args, **kwargs)

    Operation.__name__ = Operation.__qualname__ = name
    return Operation
