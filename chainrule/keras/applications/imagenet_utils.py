"""Pictures as networks trained on ImageNet want them, and the names of its 1000 classes."""

from __future__ import annotations

import functools
import json
import warnings
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
    """Pixels from 0 to 255, as a network expects them.

    `mode` "tf": x / 127.5 - 1. "torch": (x / 255 - mean) / deviation of each channel. "caffe":
    channels in the order blue, green, red, minus their means. As in Keras, an array of floats is
    written over: give a copy to keep it. Raises ValueError for another mode.

    >>> preprocess_input(np.full((1, 1, 3), 255.0), mode="tf").tolist()
    [[[1.0, 1.0, 1.0]]]
    """
    if mode not in ("caffe", "tf", "torch"):
        raise ValueError(f"Expected mode to be one of `caffe`, `tf` or `torch`. Received: {mode=}")
    axis = -1 if standardize_data_format(data_format) == "channels_last" else -3
    if isinstance(x, np.ndarray):
        return _array(x, axis, mode)
    if mode == "tf":
        return x / 127.5 - 1.0

    def along(values: tuple[float, ...]) -> Any:
        return ops.cast(_along(values, axis), x.dtype)

    if mode == "torch":
        return (x / 255.0 - along(MEANS)) / along(DEVIATIONS)
    return ops.flip(x, axis) - along(_BGR_MEANS)


def _along(values: tuple[float, ...], axis: int) -> np.ndarray:
    """One value per channel, shaped to be combined with a picture."""
    return np.array(values).reshape(3, *[1] * (-1 - axis))


def _array(x: np.ndarray, axis: int, mode: str) -> np.ndarray:
    """In place, unless x holds whole numbers."""
    if not np.issubdtype(x.dtype, np.floating):
        x = x.astype(floatx())
    if mode == "tf":
        x /= 127.5
        x -= 1.0
    elif mode == "torch":
        x /= 255.0
        x -= _along(MEANS, axis)
        x /= _along(DEVIATIONS, axis)
    else:
        x = np.flip(x, axis)
        x -= _along(_BGR_MEANS, axis)
    return x


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


def obtain_input_shape(
    input_shape: Any,
    default_size: int,
    min_size: int,
    data_format: str,
    require_flatten: bool,
    weights: Any = None,
) -> tuple[int | None, ...]:
    """The shape of one picture. `require_flatten`: a classifier needs to know it.

    Raises ValueError where weights need another shape, or a side is shorter than `min_size`.
    """
    last = data_format == "channels_last"

    def whole(sides: Any, depth: Any) -> tuple[Any, ...]:
        return (*sides, depth) if last else (depth, *sides)

    if input_shape is not None and len(input_shape) != 3:
        raise ValueError(
            f"`input_shape` must be a tuple of three integers. Received: {input_shape}"
        )
    given = None if input_shape is None else input_shape[-1 if last else 0]
    depth = 3 if given is None or weights == "imagenet" else given
    if depth not in (1, 3):
        warnings.warn(
            "This model usually expects 1 or 3 input channels. However, it was passed an "
            f"input_shape with {depth} input channels.",
            stacklevel=2,
        )
    usual = whole((default_size, default_size), depth)
    if weights == "imagenet" and require_flatten:
        if input_shape is not None and tuple(input_shape) != usual:
            raise ValueError(
                "When setting `include_top=True` and loading `imagenet` weights, `input_shape` "
                f"should be {usual}. Received: input_shape={input_shape}"
            )
        return usual
    if not input_shape:
        input_shape = usual if require_flatten else whole((None, None), 3)
    if weights == "imagenet" and given not in (None, 3):
        raise ValueError(f"The input must have 3 channels; Received `input_shape={input_shape}`")
    sides = input_shape[:2] if last else input_shape[1:]
    if any(side is not None and side < min_size for side in sides):
        raise ValueError(
            f"Input size must be at least {min_size}x{min_size}; Received: "
            f"input_shape={input_shape}"
        )
    if require_flatten and None in input_shape:
        raise ValueError(
            "If `include_top` is True, you should specify a static `input_shape`. Received: "
            f"input_shape={input_shape}"
        )
    return tuple(input_shape)


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
