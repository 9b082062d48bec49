"""What all data sets of images share: a root, transforms, a text."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from chainrule.utils.data.dataset import Dataset

#: Of files and folders; a transform; what reads a file.
Name = str | os.PathLike[str]
Function = Callable[[Any], Any]
Loader = Callable[[Any], Any]


class VisionDataset(Dataset[Any]):
    """A data set with a folder and transforms; subclasses define `__getitem__` and `__len__`.

    transforms         a function of (image, target), or
    transform          a function of the image, and
    target_transform   a function of the target
    """

    _repr_indent = 4

    def __init__(
        self,
        root: str | os.PathLike[str] | None = None,
        transforms: Callable[[Any, Any], Any] | None = None,
        transform: Callable[[Any], Any] | None = None,
        target_transform: Callable[[Any], Any] | None = None,
    ) -> None:
        separate = transform is not None or target_transform is not None
        if transforms is not None and separate:
            raise ValueError(
                "Only transforms or transform/target_transform can be passed as argument"
            )
        self.root: Any = os.path.expanduser(root) if isinstance(root, str) else root
        self.transform = transform
        self.target_transform = target_transform
        self.transforms: Any = transforms
        if separate:
            self.transforms = StandardTransform(transform, target_transform)

    def __getitem__(self, index: int) -> Any:
        raise NotImplementedError(f"{type(self).__name__} should define __getitem__(index)")

    def __len__(self) -> int:
        raise NotImplementedError(f"{type(self).__name__} should define __len__()")

    def transformed(self, image: Any, target: Any) -> tuple[Any, Any]:
        """The image and the target after their transforms."""
        if self.transform is not None:
            image = self.transform(image)
        if self.target_transform is not None:
            target = self.target_transform(target)
        return image, target

    def __repr__(self) -> str:
        body = [f"Number of datapoints: {len(self)}"]
        if self.root is not None:
            body.append(f"Root location: {self.root}")
        body += self.extra_repr().splitlines()
        if getattr(self, "transforms", None) is not None:
            body.append(repr(self.transforms))
        head = f"Dataset {type(self).__name__}"
        return "\n".join([head, *(" " * self._repr_indent + line for line in body)])

    def extra_repr(self) -> str:
        """What the text shows below the root."""
        return ""


class StandardTransform:
    """(image, target) → (transform(image), target_transform(target))."""

    def __init__(
        self,
        transform: Callable[[Any], Any] | None = None,
        target_transform: Callable[[Any], Any] | None = None,
    ) -> None:
        self.transform = transform
        self.target_transform = target_transform

    def __call__(self, input: Any, target: Any) -> tuple[Any, Any]:
        if self.transform is not None:
            input = self.transform(input)
        if self.target_transform is not None:
            target = self.target_transform(target)
        return input, target

    def __repr__(self) -> str:
        body = [type(self).__name__]
        rows = (("Transform: ", self.transform), ("Target transform: ", self.target_transform))
        for head, transform in rows:
            if transform is not None:
                first, *rest = repr(transform).splitlines()
                body += [head + first, *(" " * len(head) + line for line in rest)]
        return "\n".join(body)


def folder_of(root: str | os.PathLike[str] | None) -> Path | None:
    """`root` as a path."""
    return None if root is None else Path(root).expanduser()
