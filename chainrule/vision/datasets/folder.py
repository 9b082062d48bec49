"""Folders of images: one folder for each class, with the names of `torchvision.datasets.folder`."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from chainrule.vision.datasets.vision import Name, VisionDataset
from chainrule.vision.images import pil_module

IMG_EXTENSIONS = (
    ".jpg",
    ".jpeg",
    ".png",
    ".ppm",
    ".bmp",
    ".pgm",
    ".tif",
    ".tiff",
    ".webp",
)


def has_file_allowed_extension(filename: str, extensions: str | tuple[str, ...]) -> bool:
    """Whether the name ends in one of `extensions`, in letters of either case."""
    ends = extensions if isinstance(extensions, str) else tuple(extensions)
    return filename.lower().endswith(ends)


def is_image_file(filename: str) -> bool:
    """Whether the name ends as that of an image."""
    return has_file_allowed_extension(filename, IMG_EXTENSIONS)


def find_classes(directory: Name) -> tuple[list[str], dict[str, int]]:
    """The folders in a folder, sorted, and each one's number."""
    classes = sorted(entry.name for entry in os.scandir(directory) if entry.is_dir())
    if not classes:
        raise FileNotFoundError(f"Couldn't find any class folder in {directory}.")
    return classes, {name: i for i, name in enumerate(classes)}


def make_dataset(
    directory: Name,
    class_to_idx: dict[str, int] | None = None,
    extensions: str | tuple[str, ...] | None = None,
    is_valid_file: Callable[[str], bool] | None = None,
    allow_empty: bool | set[str] = False,
) -> list[tuple[str, int]]:
    """(path, class) of every file under `directory` that ends in one of `extensions`, or that
    `is_valid_file` likes.
    """
    base = os.path.expanduser(os.fspath(directory))
    if class_to_idx is None:
        _, class_to_idx = find_classes(base)
    elif not class_to_idx:
        raise ValueError("'class_to_index' must have at least one entry to collect any samples.")
    if (extensions is None) == (is_valid_file is None):
        raise ValueError(
            "Both extensions and is_valid_file cannot be None or not None at the same time"
        )

    def wanted(path: str) -> bool:
        if extensions is not None:
            return has_file_allowed_extension(path, extensions)
        return is_valid_file is not None and is_valid_file(path)

    found: list[tuple[str, int]] = []
    empty = set()
    for name in sorted(class_to_idx):
        before = len(found)
        for place, _, names in sorted(os.walk(os.path.join(base, name), followlinks=True)):
            paths = (os.path.join(place, file) for file in sorted(names))
            found += [(path, class_to_idx[name]) for path in paths if wanted(path)]
        if len(found) == before:
            empty.add(name)
    if empty and not allow_empty:
        message = f"Found no valid file for the classes {', '.join(sorted(empty))}. "
        if extensions is not None:
            known = extensions if isinstance(extensions, str) else ", ".join(extensions)
            message += f"Supported extensions are: {known}"
        raise FileNotFoundError(message)
    return found


def pil_loader(path: Name) -> Any:
    """The image in a file, as a PIL image of mode RGB."""
    pil = pil_module("image files are read")
    with open(path, "rb") as file:
        return pil.open(file).convert("RGB")


def default_loader(path: Name) -> Any:
    """The image in a file, as a PIL image of mode RGB."""
    return pil_loader(path)


class DatasetFolder(VisionDataset):
    """`root/class/….ext`: files in one folder for each class, read by `loader`.

    `classes` are the folders' names, sorted; `class_to_idx` numbers them; `samples` is a list of
    (path, class) and `targets` one of the classes. Raises `FileNotFoundError` for a class without
    a file, unless `allow_empty`.
    """

    def __init__(
        self,
        root: Name,
        loader: Callable[[str], Any],
        extensions: tuple[str, ...] | None = None,
        transform: Callable[[Any], Any] | None = None,
        target_transform: Callable[[Any], Any] | None = None,
        is_valid_file: Callable[[str], bool] | None = None,
        allow_empty: bool = False,
    ) -> None:
        super().__init__(root, transform=transform, target_transform=target_transform)
        self.classes: Any
        self.class_to_idx: Any
        self.classes, self.class_to_idx = self.find_classes(self.root)
        self.samples = self.make_dataset(
            self.root,
            class_to_idx=self.class_to_idx,
            extensions=extensions,
            is_valid_file=is_valid_file,
            allow_empty=allow_empty,
        )
        self.loader = loader
        self.extensions = extensions
        self.targets = [target for _, target in self.samples]

    @staticmethod
    def make_dataset(
        directory: Name,
        class_to_idx: dict[str, int],
        extensions: tuple[str, ...] | None = None,
        is_valid_file: Callable[[str], bool] | None = None,
        allow_empty: bool = False,
    ) -> list[tuple[str, int]]:
        """`make_dataset`, which a subclass may redefine."""
        if class_to_idx is None:
            raise ValueError("The class_to_idx parameter cannot be None.")
        return make_dataset(directory, class_to_idx, extensions, is_valid_file, allow_empty)

    def find_classes(self, directory: Name) -> tuple[list[str], dict[str, int]]:
        """`find_classes`, which a subclass may redefine."""
        return find_classes(directory)

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        path, target = self.samples[index]
        return self.transformed(self.loader(path), target)

    def __len__(self) -> int:
        return len(self.samples)


class ImageFolder(DatasetFolder):
    """`root/class/….png`: images in one folder for each class. `imgs` is `samples`."""

    def __init__(
        self,
        root: Name,
        transform: Callable[[Any], Any] | None = None,
        target_transform: Callable[[Any], Any] | None = None,
        loader: Callable[[str], Any] = default_loader,
        is_valid_file: Callable[[str], bool] | None = None,
        allow_empty: bool = False,
    ) -> None:
        super().__init__(
            root,
            loader,
            IMG_EXTENSIONS if is_valid_file is None else None,
            transform=transform,
            target_transform=target_transform,
            is_valid_file=is_valid_file,
            allow_empty=allow_empty,
        )
        self.imgs = self.samples


class Files(VisionDataset):
    """Image files with labels, listed in `_samples` as (path, label): what most data sets are."""

    _samples: list[tuple[Any, Any]]
    loader: Callable[[Any], Any]

    def __len__(self) -> int:
        return len(self._samples)

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        path, label = self._samples[index]
        return self.transformed(self.loader(path), label)
