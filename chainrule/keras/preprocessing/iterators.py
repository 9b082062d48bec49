"""Batches of images that ImageDataGenerator changes: from arrays, folders, data frames."""

from __future__ import annotations

import os
import threading
import warnings
from collections.abc import Iterator as Iterates
from typing import Any

import numpy as np

from chainrule.keras.images import array_to_img, img_to_array, load_img
from chainrule.keras.settings import floatx, image_data_format
from chainrule.keras.utils.batches import PyDataset
from chainrule.training.messages import print_msg

_CHANNELS = {"rgb": 3, "rgba": 4, "grayscale": 1}
_FORMATS = ("png", "jpg", "jpeg", "bmp", "ppm", "tif", "tiff")


class Iterator(PyDataset):
    """Batches by index for `fit`, and without end for `next()` and `for`."""

    white_list_formats = _FORMATS

    def __init__(
        self, n: int, batch_size: int, shuffle: bool, seed: int | None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.n = n
        self.batch_size = batch_size
        self.seed = seed
        self.shuffle = shuffle
        self.batch_index = 0
        self.total_batches_seen = 0
        self.lock = threading.Lock()
        self.index_array: Any = None

    def _set_index_array(self) -> None:
        self.index_array = np.random.permutation(self.n) if self.shuffle else np.arange(self.n)

    def _begin(self) -> None:
        if self.seed is not None:
            np.random.seed(self.seed + self.total_batches_seen)
        self.total_batches_seen += 1

    def __getitem__(self, index: int) -> Any:
        if index >= len(self):
            raise ValueError(
                f"Asked to retrieve element {index}, but the Sequence has length {len(self)}"
            )
        with self.lock:
            self._begin()
            if self.index_array is None:
                self._set_index_array()
            rows = self.index_array[self.batch_size * index : self.batch_size * (index + 1)]
        return self._get_batches_of_transformed_samples(rows)

    def __len__(self) -> int:
        return -(-self.n // self.batch_size)

    def on_epoch_end(self) -> None:
        self._set_index_array()

    def reset(self) -> None:
        """Let `next()` begin again."""
        self.batch_index = 0

    def __iter__(self) -> Iterates[Any]:
        return self

    def __next__(self) -> Any:
        with self.lock:
            self._begin()
            if self.batch_index == 0:
                self._set_index_array()
            first = self.batch_index * self.batch_size % max(self.n, 1)
            more = self.n > first + self.batch_size
            self.batch_index = self.batch_index + 1 if more else 0
            rows = self.index_array[first : first + self.batch_size]
        return self._get_batches_of_transformed_samples(rows)

    def _get_batches_of_transformed_samples(self, index_array: np.ndarray) -> Any:
        raise NotImplementedError


class _Images(Iterator):
    """What all three share: where the changed images are saved, if anywhere."""

    image_data_generator: Any
    data_format: str
    dtype: Any
    save_to_dir: Any
    save_prefix: str
    save_format: str

    def _changed(self, x: np.ndarray) -> np.ndarray:
        generator = self.image_data_generator
        if generator is None:
            return x
        x = generator.apply_transform(x.astype(self.dtype), generator.get_random_transform(x.shape))
        changed: np.ndarray = generator.standardize(x)
        return changed

    def _save(self, batch: np.ndarray, rows: np.ndarray) -> None:
        if not self.save_to_dir:
            return
        for image, row in zip(batch, rows, strict=True):
            name = f"{self.save_prefix}_{row}_{np.random.randint(10**7)}.{self.save_format}"
            array_to_img(image, self.data_format).save(os.path.join(self.save_to_dir, name))


class NumpyArrayIterator(_Images):
    """Batches of an array of images."""

    def __init__(
        self,
        x: Any,
        y: Any,
        image_data_generator: Any,
        batch_size: int = 32,
        shuffle: bool = False,
        sample_weight: Any = None,
        seed: int | None = None,
        data_format: str | None = None,
        save_to_dir: Any = None,
        save_prefix: str = "",
        save_format: str = "png",
        subset: str | None = None,
        ignore_class_split: bool = False,
        dtype: Any = None,
    ) -> None:
        self.data_format = data_format or image_data_format()
        self.dtype = dtype or floatx()
        others: list[Any] = []
        if isinstance(x, tuple | list):
            others = [np.asarray(a) for a in (x[1] if isinstance(x[1], list) else [x[1]])]
            x = x[0]
        parts = [x, y, sample_weight, *others]
        if len({len(a) for a in parts if a is not None}) > 1:
            lengths = [None if a is None else len(a) for a in parts]
            raise ValueError(
                "`x` (images tensor), `y` (labels), `sample_weight` and all other inputs should "
                f"have the same length. Found: {lengths}"
            )
        if subset is not None:
            parts = self._part(parts, image_data_generator, subset, ignore_class_split)
        self.x = np.asarray(parts[0], self.dtype)
        self.y = None if parts[1] is None else np.asarray(parts[1])
        self.sample_weight = None if parts[2] is None else np.asarray(parts[2])
        self.x_misc = parts[3:]
        if self.x.ndim != 4:
            raise ValueError(
                "Input data in `NumpyArrayIterator` should have rank 4. You passed an array with "
                f"shape {self.x.shape}"
            )
        channels = 3 if self.data_format == "channels_last" else 1
        if self.x.shape[channels] not in (1, 3, 4):
            warnings.warn(
                f"images have 1, 3 or 4 channels, got the shape {self.x.shape} with "
                f'data_format="{self.data_format}"',
                stacklevel=3,
            )
        self.image_data_generator = image_data_generator
        self.save_to_dir = save_to_dir
        self.save_prefix = save_prefix
        self.save_format = save_format
        super().__init__(len(self.x), batch_size, shuffle, seed)

    @staticmethod
    def _part(parts: list[Any], generator: Any, subset: str, ignore: bool) -> list[Any]:
        if subset not in ("training", "validation"):
            raise ValueError(f"Invalid subset name: {subset}; expected training or validation.")
        count = int(len(parts[0]) * generator._validation_split)
        y = parts[1]
        mixed = y is None or ignore
        if not mixed and not np.array_equal(np.unique(y[:count]), np.unique(y[count:])):
            raise ValueError(
                "Training and validation subsets have different number of classes after the "
                "split. If your numpy arrays are sorted by the label, you might want to shuffle "
                "them."
            )
        rows = slice(None, count) if subset == "validation" else slice(count, None)
        return [None if a is None else a[rows] for a in parts]

    def _get_batches_of_transformed_samples(self, index_array: np.ndarray) -> Any:
        batch = np.zeros((len(index_array), *self.x.shape[1:]), self.dtype)
        for place, row in enumerate(index_array):
            batch[place] = self._changed(self.x[row])
        self._save(batch, index_array)
        inputs: Any = [batch, *(a[index_array] for a in self.x_misc)] if self.x_misc else batch
        if self.y is None:
            return inputs
        if self.sample_weight is None:
            return inputs, self.y[index_array]
        return inputs, self.y[index_array], self.sample_weight[index_array]


class FileIterator(_Images):
    """Batches of image files."""

    class_mode: str | None
    classes: Any
    class_indices: dict[str, int]
    filenames: list[str]
    labels: Any
    sample_weight: Any = None

    def _set(
        self, generator: Any, target_size: Any, color_mode: str, data_format: str | None,
        save: tuple[Any, str, str], subset: str | None, interpolation: str, keep: bool, dtype: Any,
    ) -> None:  # fmt: skip
        if color_mode not in _CHANNELS:
            raise ValueError(
                f'Invalid color mode: {color_mode}; expected "rgb", "rgba", or "grayscale".'
            )
        self.image_data_generator = generator
        self.target_size = tuple(target_size)
        self.color_mode = color_mode
        self.data_format = data_format or image_data_format()
        channels = (_CHANNELS[color_mode],)
        first = self.data_format == "channels_first"
        self.image_shape = channels + self.target_size if first else self.target_size + channels
        self.save_to_dir, self.save_prefix, self.save_format = save
        self.interpolation = interpolation
        self.keep_aspect_ratio = keep
        self.dtype = dtype or floatx()
        self.subset = subset
        self.split: tuple[float, float] | None = None
        if subset is not None:
            if subset not in ("training", "validation"):
                raise ValueError(
                    f'Invalid subset name: {subset};expected "training" or "validation"'
                )
            share = generator._validation_split
            self.split = (0, share) if subset == "validation" else (share, 1)

    @property
    def filepaths(self) -> list[str]:
        return self._filepaths

    _filepaths: list[str]

    def _get_batches_of_transformed_samples(self, index_array: np.ndarray) -> Any:
        batch = np.zeros((len(index_array), *self.image_shape), self.dtype)
        for place, row in enumerate(index_array):
            image = load_img(
                self._filepaths[row], self.color_mode, self.target_size, self.interpolation,
                self.keep_aspect_ratio,
            )  # fmt: skip
            batch[place] = self._changed(img_to_array(image, self.data_format))
        self._save(batch, index_array)
        if self.class_mode is None:
            return batch
        targets = self._targets_of(batch, index_array)
        if self.sample_weight is None:
            return batch, targets
        return batch, targets, self.sample_weight[index_array]

    def _targets_of(self, batch: np.ndarray, rows: np.ndarray) -> Any:
        if self.class_mode == "input":
            return batch.copy()
        if self.class_mode in ("binary", "sparse"):
            return np.array([self.classes[row] for row in rows], self.dtype)
        if self.class_mode == "multi_output":
            return [output[rows] for output in self.labels]
        if self.class_mode == "raw":
            return self.labels[rows]
        hot = np.zeros((len(rows), len(self.class_indices)), self.dtype)
        for place, row in enumerate(rows):
            hot[place, self.classes[row]] = 1.0
        return hot


class DirectoryIterator(FileIterator):
    """Batches of the image files of a folder, with one folder in it for each class."""

    allowed_class_modes = frozenset({"categorical", "binary", "sparse", "input", None})

    def __init__(
        self,
        directory: Any,
        image_data_generator: Any,
        target_size: Any = (256, 256),
        color_mode: str = "rgb",
        classes: Any = None,
        class_mode: str | None = "categorical",
        batch_size: int = 32,
        shuffle: bool = True,
        seed: int | None = None,
        data_format: str | None = None,
        save_to_dir: Any = None,
        save_prefix: str = "",
        save_format: str = "png",
        follow_links: bool = False,
        subset: str | None = None,
        interpolation: str = "nearest",
        keep_aspect_ratio: bool = False,
        dtype: Any = None,
    ) -> None:
        self._set(
            image_data_generator, target_size, color_mode, data_format,
            (save_to_dir, save_prefix, save_format), subset, interpolation, keep_aspect_ratio,
            dtype,
        )  # fmt: skip
        if class_mode not in self.allowed_class_modes:
            raise ValueError(
                f"Invalid class_mode: {class_mode}; expected one of: {self.allowed_class_modes}"
            )
        self.class_mode = class_mode
        self.directory = directory
        names = list(classes or ()) or sorted(
            name for name in os.listdir(directory) if os.path.isdir(os.path.join(directory, name))
        )
        self.num_classes = len(names)
        self.class_indices = {name: i for i, name in enumerate(names)}
        self.filenames, labels = [], []
        for name in names:
            found = self._found(os.path.join(directory, name), follow_links)
            self.filenames += [os.path.relpath(path, directory) for path in found]
            labels += [self.class_indices[name]] * len(found)
        self.samples = len(self.filenames)
        self.classes = self.labels = np.array(labels, np.int32)
        print_msg(f"Found {self.samples} images belonging to {self.num_classes} classes.")
        self._filepaths = [os.path.join(directory, name) for name in self.filenames]
        super().__init__(self.samples, batch_size, shuffle, seed)

    def _found(self, folder: str, follow_links: bool) -> list[str]:
        walk = sorted(os.walk(folder, followlinks=follow_links), key=lambda part: part[0])
        paths = [
            os.path.join(root, name)
            for root, _, names in walk
            for name in sorted(names)
            if name.lower().endswith(self.white_list_formats)
        ]
        if self.split is None:
            return paths
        return paths[int(self.split[0] * len(paths)) : int(self.split[1] * len(paths))]


class DataFrameIterator(FileIterator):
    """Batches of the image files that a pandas data frame names."""

    allowed_class_modes = frozenset(
        {"binary", "categorical", "input", "multi_output", "raw", "sparse", None}
    )
    _without_classes = ("input", "multi_output", "raw", None)

    def __init__(
        self,
        dataframe: Any,
        directory: Any = None,
        image_data_generator: Any = None,
        x_col: str = "filename",
        y_col: Any = "class",
        weight_col: str | None = None,
        target_size: Any = (256, 256),
        color_mode: str = "rgb",
        classes: Any = None,
        class_mode: str | None = "categorical",
        batch_size: int = 32,
        shuffle: bool = True,
        seed: int | None = None,
        data_format: str | None = "channels_last",
        save_to_dir: Any = None,
        save_prefix: str = "",
        save_format: str = "png",
        subset: str | None = None,
        interpolation: str = "nearest",
        keep_aspect_ratio: bool = False,
        dtype: Any = "float32",
        validate_filenames: bool = True,
    ) -> None:
        self._set(
            image_data_generator, target_size, color_mode, data_format,
            (save_to_dir, save_prefix, save_format), subset, interpolation, keep_aspect_ratio,
            dtype,
        )  # fmt: skip
        self.directory = directory or ""
        self.class_mode = class_mode
        rows = dataframe.copy()
        self._check(rows, x_col, y_col, weight_col, classes)
        if validate_filenames:
            rows = self._existing(rows, x_col)
        has_classes = class_mode not in self._without_classes
        if has_classes:
            rows, names = self._known(rows, y_col, classes)
            self.class_indices = {name: i for i, name in enumerate(names)}
        if self.split:
            start, stop = (int(part * len(rows)) for part in self.split)
            rows = rows.iloc[start:stop, :]
        if has_classes:
            self.classes = [self._number(label) for label in rows[y_col]]
            self.labels = self.classes
        elif class_mode == "multi_output":
            self.labels = [np.array(rows[column].tolist()) for column in y_col]
        elif class_mode == "raw":
            self.labels = rows[y_col].values
        self.filenames = rows[x_col].tolist()
        self.sample_weight = rows[weight_col].values if weight_col else None
        self.samples = len(self.filenames)
        kind = "validated" if validate_filenames else "non-validated"
        more = f" belonging to {len(self.class_indices)} classes" if has_classes else ""
        print_msg(f"Found {self.samples} {kind} image filenames{more}.")
        self._filepaths = [os.path.join(self.directory, name) for name in self.filenames]
        super().__init__(self.samples, batch_size, shuffle, seed)

    def _number(self, label: Any) -> Any:
        if isinstance(label, list | tuple):
            return [self.class_indices[name] for name in label]
        return self.class_indices[label]

    def _check(self, rows: Any, x_col: str, y_col: Any, weight_col: Any, classes: Any) -> None:
        mode = self.class_mode
        if mode not in self.allowed_class_modes:
            raise ValueError(
                f"Invalid class_mode: {mode}; expected one of: {self.allowed_class_modes}"
            )
        if mode == "multi_output" and not isinstance(y_col, list):
            raise TypeError(
                f'If class_mode="{mode}", y_col must be a list. Received {type(y_col).__name__}.'
            )
        if not all(isinstance(name, str) for name in rows[x_col]):
            raise TypeError(f"All values in column x_col={x_col} must be strings.")
        kinds: Any = {"binary": str, "sparse": str, "categorical": str | list | tuple}.get(
            mode or ""
        )
        if kinds is not None and not all(isinstance(label, kinds) for label in rows[y_col]):
            raise TypeError(
                f'If class_mode="{mode}", y_col="{y_col}" column values must be strings'
                f"{', lists or tuples' if mode == 'categorical' else ''}."
            )
        count = len(set(classes)) if classes else None
        if mode == "binary" and (count or rows[y_col].nunique()) != 2:
            raise ValueError(f'If class_mode="{mode}" there must be 2 classes.')
        if classes and mode in self._without_classes:
            warnings.warn(f'`classes` will be ignored given the class_mode="{mode}"', stacklevel=4)
        if weight_col and not all(isinstance(w, int | float | np.number) for w in rows[weight_col]):
            raise TypeError(f"Column weight_col={weight_col} must be numeric.")

    def _existing(self, rows: Any, x_col: str) -> Any:
        paths = rows[x_col].map(lambda name: os.path.join(self.directory, name))
        good = paths.apply(
            lambda path: path.lower().endswith(self.white_list_formats) and os.path.isfile(path)
        )
        missing = int((~good).sum())
        if missing:
            warnings.warn(
                f'Found {missing} invalid image filename(s) in x_col="{x_col}". These filename(s) '
                "will be ignored.",
                stacklevel=4,
            )
        return rows[good]

    @staticmethod
    def _known(rows: Any, y_col: str, classes: Any) -> tuple[Any, list[str]]:
        """The rows whose class is one of `classes`, and the classes in order."""
        wanted = set(classes or ())

        def kept(label: Any) -> Any:
            if isinstance(label, list | tuple):
                return [name for name in label if name in wanted] or None
            return label if label in wanted else None

        if classes:
            rows = rows.copy()
            rows[y_col] = rows[y_col].apply(kept)
            return rows.dropna(subset=[y_col]), list(classes)
        found: set[str] = set()
        for label in rows[y_col]:
            found.update(label if isinstance(label, list | tuple) else (label,))
        return rows.dropna(subset=[y_col]), sorted(found)
