"""Pictures as networks trained on ImageNet want them, and the names of its 1000 classes."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from typing import Any

import numpy as np

from chainrule.keras import ops
from chainrule.keras.files import get_file
from chainrule.keras.settings import floatx, standardize_data_format

_CLASSES = "https://storage.googleapis.com/download.tensorflow.org/data/imagenet_class_index.json"

#: Means and deviations of ImageNet's channels: red, green, blue in [0, 1]; blue, green, red in
#: [0, 255].
MEANS, DEVIATIONS = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_BGR_MEANS = (103.939, 116.779, 123.68)


def preprocess_input(x: Any, data_format: str | None = None, mode: str = "caffe") -> Any:
    """Pixels from 0 to 255, as a network expects them; `x` itself is left as it is.

    `mode` "tf": x / 127.5 - 1. "torch": (x / 255 - mean) / deviation of each channel. "caffe":
    channels in the order blue, green, red, minus their means. Raises ValueError for another mode.

    >>> preprocess_input(np.full((1, 1, 3), 255.0), mode="tf").tolist()
    [[[1.0, 1.0, 1.0]]]
    """
    if mode not in ("caffe", "tf", "torch"):
        raise ValueError(f"Expected mode to be one of `caffe`, `tf` or `torch`. Received: {mode=}")
    axis = -1 if standardize_data_format(data_format) == "channels_last" else -3
    array = isinstance(x, np.ndarray)
    if array and not np.issubdtype(x.dtype, np.floating):
        x = x.astype(floatx())
    if mode == "tf":
        return x / 127.5 - 1.0

    def along(values: tuple[float, ...]) -> Any:
        """One value per channel, shaped to be combined with the picture."""
        shaped = np.array(values).reshape(3, *[1] * (-1 - axis))
        return shaped.astype(x.dtype) if array else ops.cast(shaped, x.dtype)

    if mode == "torch":
        return (x / 255.0 - along(MEANS)) / along(DEVIATIONS)
    flipped = np.flip(x, axis) if array else ops.flip(x, axis)
    return flipped - along(_BGR_MEANS)


def preprocessing(mode: str) -> Callable[..., Any]:
    """`preprocess_input` of one family of networks."""

    def preprocess(x: Any, data_format: str | None = None) -> Any:
        return preprocess_input(x, data_format, mode)

    preprocess.__name__ = preprocess.__qualname__ = "preprocess_input"
    preprocess.__doc__ = f'Pixels from 0 to 255 for this network: `mode="{mode}"`.'
    return preprocess


def unchanged(x: Any, data_format: str | None = None) -> Any:
    """The pixels themselves: this network has its preprocessing inside."""
    return x


@functools.cache
def _class_index() -> dict[str, list[str]]:
    path = get_file(
        "imagenet_class_index.json", _CLASSES, cache_subdir="models",
        file_hash="c2c37ea517e94d9795004a39431a14cb",
    )  # fmt: skip
    with open(path) as file:
        index: dict[str, list[str]] = json.load(file)
    return index


def decode_predictions(preds: Any, top: int = 5) -> list[list[tuple[str, str, float]]]:
    """For each row of 1000 scores the `top` best as (number, name, score).

    The names are downloaded once. Raises ValueError unless preds has shape (n, 1000).
    """
    if len(preds.shape) != 2 or preds.shape[1] != 1000:
        raise ValueError(
            "`decode_predictions` expects a batch of predictions (i.e. a 2D array of shape "
            f"(samples, 1000)). Received array with shape: {tuple(preds.shape)}"
        )
    names = _class_index()
    return [
        [(*names[str(i)], row[i]) for i in np.argsort(row)[: -top - 1 : -1]]
        for row in np.asarray(preds)
    ]
