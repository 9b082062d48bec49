"""`image_dataset_from_directory` and its like: what is read from each file."""

from __future__ import annotations

import wave
from pathlib import Path
from typing import Any

import numpy as np

from chainrule.data import Dataset
from chainrule.keras.images import pillow, smart_resize
from chainrule.keras.resampling import METHODS, resize
from chainrule.keras.settings import standardize_data_format
from chainrule.keras.utils.folders import Choices, check_format, from_directory

_IMAGES = (".bmp", ".gif", ".jpeg", ".jpg", ".png")
_MODES = {"grayscale": "L", "rgb": "RGB", "rgba": "RGBA"}


def image_dataset_from_directory(
    directory: Any,
    labels: Any = "inferred",
    label_mode: str | None = "int",
    class_names: Any = None,
    color_mode: str = "rgb",
    batch_size: int | None = 32,
    image_size: Any = (256, 256),
    shuffle: bool = True,
    seed: int | None = None,
    validation_split: float | None = None,
    subset: str | None = None,
    interpolation: str = "bilinear",
    follow_links: bool = False,
    crop_to_aspect_ratio: bool = False,
    pad_to_aspect_ratio: bool = False,
    data_format: str | None = None,
    format: str = "tf",
    verbose: bool = True,
) -> Any:
    """Images below `directory`, one folder for each class, as a `tf.data.Dataset` of float32
    batches (batch, height, width, channels) from 0 to 255, with labels.

    `label_mode`: "int" (int32), "binary" (float32, (batch, 1)), "categorical" (one-hot float32),
    None. With `validation_split` the part that `subset` names, or both. The result has
    `class_names` and `file_paths`. Files are read and resized in threads, ahead of time. Needs
    pillow: pip install chainrule[vision]. Raises ValueError for arguments and folders that do not
    fit together.
    """
    if color_mode not in _MODES:
        raise ValueError(
            '`color_mode` must be one of {"rgb", "rgba", "grayscale"}. Received: '
            f"color_mode={color_mode}"
        )
    if isinstance(image_size, int):
        image_size = (image_size, image_size)
    elif not isinstance(image_size, list | tuple) or len(image_size) != 2:
        raise ValueError(
            "Invalid `image_size` value. Expected a tuple of 2 integers. Received: "
            f"image_size={image_size}"
        )
    interpolation = interpolation.lower()
    if interpolation not in METHODS:
        raise ValueError(
            f"Argument `interpolation` should be one of {tuple(METHODS)}. Received: "
            f"interpolation={interpolation}"
        )
    check_format(format)
    if pad_to_aspect_ratio and crop_to_aspect_ratio:
        raise ValueError(
            "Only one of `pad_to_aspect_ratio`, `crop_to_aspect_ratio` can be set to `True`."
        )
    layout = standardize_data_format(data_format)
    height, width = int(image_size[0]), int(image_size[1])
    image_class = pillow()

    def load(path: str) -> np.ndarray:
        with image_class.open(path) as opened:
            pixels = np.asarray(opened.convert(_MODES[color_mode]), np.float32)
        image = pixels if pixels.ndim == 3 else pixels[:, :, None]
        if crop_to_aspect_ratio:
            image = smart_resize(image, (height, width), interpolation)
        elif pad_to_aspect_ratio:
            image = _padded(image, height, width, interpolation)
        else:
            image = resize(image, height, width, interpolation)
        return image.transpose(2, 0, 1) if layout == "channels_first" else image

    given = Choices(
        directory, labels, label_mode, class_names, batch_size, shuffle, seed, validation_split,
        subset, follow_links, verbose,
    )  # fmt: skip
    return from_directory(given, _IMAGES, "images", load)


def _padded(image: np.ndarray, height: int, width: int, interpolation: str) -> np.ndarray:
    """As large as it can be without changing its proportions, with black around it."""
    h, w = image.shape[:2]
    ratio = max(w / width, h / height)
    inner = resize(image, int(h / ratio), int(w / ratio), interpolation)
    out = np.zeros((height, width, image.shape[2]), np.float32)
    top, left = (height - inner.shape[0]) // 2, (width - inner.shape[1]) // 2
    out[top : top + inner.shape[0], left : left + inner.shape[1]] = inner
    return out


def text_dataset_from_directory(
    directory: Any,
    labels: Any = "inferred",
    label_mode: str | None = "int",
    class_names: Any = None,
    batch_size: int | None = 32,
    max_length: int | None = None,
    shuffle: bool = True,
    seed: int | None = None,
    validation_split: float | None = None,
    subset: str | None = None,
    follow_links: bool = False,
    format: str = "tf",
    verbose: bool = True,
) -> Any:
    """Texts (`.txt`) below `directory`, one folder for each class, as a `tf.data.Dataset` of
    batches of strings with labels; see `image_dataset_from_directory`. Texts are cut after
    `max_length` bytes.
    """
    check_format(format)

    def load(path: str) -> np.ndarray:
        out = np.empty((), object)
        out[()] = Path(path).read_bytes()[:max_length]
        return out

    given = Choices(
        directory, labels, label_mode, class_names, batch_size, shuffle, seed, validation_split,
        subset, follow_links, verbose,
    )  # fmt: skip
    return from_directory(given, (".txt",), "text files", load)


def audio_dataset_from_directory(
    directory: Any,
    labels: Any = "inferred",
    label_mode: str | None = "int",
    class_names: Any = None,
    batch_size: int | None = 32,
    sampling_rate: int | None = None,
    output_sequence_length: int | None = None,
    ragged: bool = False,
    shuffle: bool = True,
    seed: int | None = None,
    validation_split: float | None = None,
    subset: str | None = None,
    follow_links: bool = False,
    verbose: bool = True,
) -> Any:
    """Sounds (`.wav`, 16 bits) below `directory` as a `tf.data.Dataset` of float32 batches (batch,
    steps, channels) from -1 to 1, with labels; see `image_dataset_from_directory`.

    Sounds are cut or filled up with zeros to `output_sequence_length`, or filled up to the longest
    of their batch. `sampling_rate` resamples (linearly).
    """
    if ragged:
        if output_sequence_length is not None:
            raise ValueError("Cannot set both `ragged` and `output_sequence_length`")
        raise NotImplementedError(
            "there are no ragged tensors here: leave out ragged=True, and the sounds of a batch "
            "are filled up to the longest one"
        )
    if sampling_rate is not None:
        if not isinstance(sampling_rate, int):
            raise ValueError(
                "`sampling_rate` should have an integer value. Received: "
                f"sampling_rate={sampling_rate}"
            )
        if sampling_rate <= 0:
            raise ValueError(
                f"`sampling_rate` should be higher than 0. Received: sampling_rate={sampling_rate}"
            )

    def load(path: str) -> np.ndarray:
        samples, rate = _read_wav(path)
        if sampling_rate is not None and rate != sampling_rate:
            samples = _resampled(samples, rate, sampling_rate)
        if output_sequence_length is None:
            return samples
        samples = samples[:output_sequence_length]
        return np.pad(samples, [(0, output_sequence_length - len(samples)), (0, 0)])

    given = Choices(
        directory, labels, label_mode, class_names, batch_size, shuffle, seed, validation_split,
        subset, follow_links, verbose,
    )  # fmt: skip
    batch = Dataset.padded_batch if output_sequence_length is None else Dataset.batch
    return from_directory(given, (".wav",), "audio files", load, batch)


def _read_wav(path: str) -> tuple[np.ndarray, int]:
    """Samples (steps, channels) from -1 to 1, and how many there are in a second."""
    with wave.open(path, "rb") as sound:
        if sound.getsampwidth() != 2:
            raise ValueError(
                f"{path}: only sounds of 16 bits are read, got {8 * sound.getsampwidth()} bits"
            )
        data = np.frombuffer(sound.readframes(sound.getnframes()), "<i2")
        samples = data.reshape(-1, sound.getnchannels()).astype(np.float32) / 32768.0
        return samples, sound.getframerate()


def _resampled(samples: np.ndarray, rate: int, wanted: int) -> np.ndarray:
    count = max(1, round(len(samples) * wanted / rate))
    places = np.arange(count) * (rate / wanted)
    known = np.arange(len(samples))
    columns = [np.interp(places, known, column) for column in samples.T]
    return np.stack(columns, -1).astype(np.float32)
