"""Data sets of files in folders: one folder for each class."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np

from chainrule.data import Dataset
from chainrule.data.pipeline import Changed
from chainrule.data.steps import AUTOTUNE
from chainrule.training.messages import print_msg

_READERS = min(8, os.cpu_count() or 1)


class FolderDataset(Dataset):
    """A data set that knows the names of its classes and its files."""

    __slots__ = ("class_names", "file_paths")

    class_names: list[str] | None
    file_paths: list[str]


class Loaded(Changed):
    """Each path of (path) or (path, label) replaced by what `load(path)` reads: some files ahead,
    in threads, in order.
    """

    def __init__(self, source: Any, load: Callable[[str], np.ndarray]) -> None:
        super().__init__(source)
        self.load = load

    def elements(self) -> Iterator[Any]:
        with ThreadPoolExecutor(_READERS) as pool:
            waiting: deque[tuple[Future[np.ndarray], Any]] = deque()
            for element in self.source.elements():
                path, *label = element if isinstance(element, tuple) else (element,)
                waiting.append((pool.submit(self.load, path.item().decode()), label))
                if len(waiting) > 4 * _READERS:
                    yield self._done(*waiting.popleft())
            while waiting:
                yield self._done(*waiting.popleft())

    @staticmethod
    def _done(value: Future[np.ndarray], label: Any) -> Any:
        return (value.result(), *label) if label else value.result()

    def blocks(self, n: int) -> None:
        return None

    def example(self) -> None:
        return None

    def spec(self) -> Any:
        return super(Changed, self).spec()


class Choices(NamedTuple):
    """The arguments that all the functions `…_dataset_from_directory` share."""

    directory: Any
    labels: Any
    label_mode: str | None
    class_names: Any
    batch_size: int | None
    shuffle: bool
    seed: int | None
    validation_split: float | None
    subset: str | None
    follow_links: bool
    verbose: bool


def from_directory(
    given: Choices,
    formats: tuple[str, ...],
    kind: str,
    load: Callable[[str], np.ndarray],
    batch: Callable[[Dataset, int], Dataset] = Dataset.batch,
) -> Any:
    """The data set of the files of a folder, or two of them with subset="both"."""
    labels, mode = given.labels, given.label_mode
    _check(given, kind)
    if labels is None or mode is None:
        labels = mode = None
    seed = int(np.random.randint(10**6)) if given.seed is None else given.seed
    paths, labels, names = index_directory(
        given.directory, labels, formats, given.class_names, given.shuffle, seed,
        given.follow_links, given.verbose,
    )  # fmt: skip
    if mode == "binary" and len(names or ()) != 2:
        raise ValueError(
            'When passing `label_mode="binary"`, there must be exactly 2 class_names. Received: '
            f"class_names={names}"
        )

    def part(subset: str | None, shuffle: bool, which: str = "") -> FolderDataset:
        chosen, targets = _subset(paths, labels, given.validation_split, subset)
        if not chosen:
            raise ValueError(
                f"No {which}{kind} found in directory {given.directory}. Allowed formats: {formats}"
            )
        columns: Any = chosen
        if targets is not None:
            columns = (chosen, _encoded(np.asarray(targets), mode, len(names or ())))
        made = Dataset.from_tensor_slices(columns)
        if shuffle:
            made = made.shuffle(8 * given.batch_size if given.batch_size else 1024, seed=seed)
        made = Dataset(Loaded(made.step, load))
        if given.batch_size is not None:
            made = batch(made, given.batch_size)
        found = FolderDataset(made.prefetch(AUTOTUNE).step)
        found.class_names, found.file_paths = names, chosen
        return found

    if given.subset == "both":
        return [
            part("training", given.shuffle, "training "),
            part("validation", False, "validation "),
        ]
    return part(given.subset, given.shuffle)


def _check(given: Choices, kind: str) -> None:
    if given.labels not in ("inferred", None):
        if not isinstance(given.labels, list | tuple):
            raise ValueError(
                "`labels` argument should be a list/tuple of integer labels, of the same size as "
                f'the number of {kind} in the target directory; "inferred", to take them from '
                f"the subdirectories; or None. Received: labels={given.labels}"
            )
        if given.class_names:
            raise ValueError(
                'You can only pass `class_names` if `labels="inferred"`. Received: '
                f"labels={given.labels}, and class_names={given.class_names}"
            )
    if given.label_mode not in ("int", "categorical", "binary", None):
        raise ValueError(
            '`label_mode` argument must be one of "int", "categorical", "binary", or None. '
            f"Received: label_mode={given.label_mode}"
        )
    split, subset = given.validation_split, given.subset
    if split and not 0 < split < 1:
        raise ValueError(f"`validation_split` must be between 0 and 1, received: {split}")
    if (split or subset) and not (split and subset):
        raise ValueError("If `subset` is set, `validation_split` must be set, and inversely.")
    if subset not in ("training", "validation", "both", None):
        raise ValueError(
            f'`subset` must be either "training", "validation" or "both", received: {subset}'
        )
    if split and given.shuffle and given.seed is None:
        raise ValueError(
            "If using `validation_split` and shuffling the data, you must provide a `seed` "
            "argument, to make sure that there is no overlap between the training and validation "
            "subset."
        )


def check_format(format: str) -> None:
    """Which library's data sets are wanted."""
    if format not in ("tf", "grain"):
        raise ValueError(f'`format` should be either "tf" or "grain". Received: format={format}')
    if format == "grain":
        raise NotImplementedError(
            'there are no data sets of grain here: leave out format="grain"; the result is '
            "chainrule's tf.data.Dataset, which needs no other package"
        )


def index_directory(
    directory: Any,
    labels: Any,
    formats: tuple[str, ...],
    class_names: Any = None,
    shuffle: bool = True,
    seed: int | None = None,
    follow_links: bool = False,
    verbose: bool = True,
) -> tuple[list[str], Any, list[str] | None]:
    """The files below `directory` (shuffled as Keras does with the same seed), the class of each,
    and the names of the classes.
    """
    directory = os.fspath(directory)
    if labels == "inferred":
        found = sorted(
            name
            for name in os.listdir(directory)
            if os.path.isdir(os.path.join(directory, name)) and not name.startswith(".")
        )
        if class_names is not None and not set(class_names).issubset(found):
            raise ValueError(
                "The `class_names` passed did not match the names of the subdirectories of the "
                f"target directory. Expected: {found} (or a subset of it), but received: "
                f"class_names={class_names}"
            )
        names = list(found if class_names is None else class_names)
        files = [_files(os.path.join(directory, name), follow_links, formats) for name in names]
        counts = [len(paths) for paths in files]
        labels = np.repeat(np.arange(len(names), dtype=np.int32), counts)
        paths = [path for part in files for path in part]
        classes: list[str] | None = names
    else:
        if class_names is not None:
            raise ValueError(
                "When `labels=None` (no labels), argument `class_names` cannot be specified."
                if labels is None
                else "When argument `labels` is specified, argument `class_names` cannot be "
                "specified (the `class_names` will be the sorted list of labels)."
            )
        paths = _files(directory, follow_links, formats)
        if labels is not None and len(labels) != len(paths):
            raise ValueError(
                "Expected the lengths of `labels` to match the number of files in the target "
                f"directory. len(labels) is {len(labels)} while we found {len(paths)} files in "
                f"directory {directory}."
            )
        classes = None if labels is None else [str(label) for label in sorted(set(labels))]
    if verbose:
        more = "" if classes is None else f" belonging to {len(classes)} classes"
        print_msg(f"Found {len(paths)} files{more}.")
    if shuffle:
        seed = int(np.random.randint(10**6)) if seed is None else seed
        np.random.RandomState(seed).shuffle(paths)
        if labels is not None:
            labels = list(labels)
            np.random.RandomState(seed).shuffle(labels)
    return paths, labels, classes


def _files(folder: str, follow_links: bool, formats: tuple[str, ...]) -> list[str]:
    """All files below a folder whose names end so, in the order of folders and names."""
    walk = sorted(os.walk(folder, followlinks=follow_links), key=lambda found: found[0])
    return [
        os.path.join(root, name)
        for root, _, names in walk
        for name in sorted(names)
        if name.lower().endswith(formats)
    ]


def _subset(
    paths: list[str], labels: Any, split: float | None, subset: str | None
) -> tuple[list[str], Any]:
    if not split:
        return paths, labels
    count = int(split * len(paths))
    if subset == "training":
        print_msg(f"Using {len(paths) - count} files for training.")
        rows = slice(None, -count)
    else:
        print_msg(f"Using {count} files for validation.")
        rows = slice(-count, None)
    return paths[rows], None if labels is None else labels[rows]


def _encoded(labels: np.ndarray, mode: str | None, classes: int) -> np.ndarray:
    if mode == "binary":
        return labels.astype(np.float32)[:, None]
    if mode == "categorical":
        return np.eye(classes, dtype=np.float32)[labels]
    return labels.astype(np.int32)
